/**
 * The other end of a `Session`, for tests: reads what it sends and writes what a
 * server would, byte by byte and on virtual time.
 */
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as Tl from "@effect-mtproto/core/Tl"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Packet from "@effect-mtproto/crypto/Packet"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import { assert } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Session from "../../src/Session.ts"

const server = TlCodec.make(MtprotoApi.ServerMessage)
const client = TlCodec.make(MtprotoApi.ClientMessage)

export interface Received {
  readonly msgId: bigint
  readonly seqNo: number
  readonly body: Uint8Array
  /** The container it came in. */
  readonly container: bigint | undefined
  readonly salt: bigint
  readonly sessionId: bigint
}

/** 2024-01-20 12:54:36, a time with a fraction. */
export const START = 1_705_755_276_250

export const HEADER = Uint8Array.of(0xaa, 0xaa, 0xaa, 0xaa)
export const QUERY = (n: number): Uint8Array => Uint8Array.of(0xbb, 0xbb, 0xbb, n)
export const RESULT = (n: number): Uint8Array => Uint8Array.of(0xcc, 0xcc, 0xcc, n)

export const authKey = Uint8Array.from({ length: 256 }, (_, i) => i)

export interface Options extends Partial<Session.Options> {
  /** The server's clock minus the client's, in milliseconds. */
  readonly skew?: number
}

export class Peer {
  readonly crypto: Crypto["Service"]
  readonly key: SharedKey.SharedKey
  readonly session: Session.Session
  now = START
  skew: number
  salt = 7n
  seqNo = 1
  lastId = 0n
  /** Everything that the session sent. */
  readonly log: Array<Received> = []

  constructor(crypto: Crypto["Service"], options: Options = {}) {
    this.crypto = crypto
    this.key = SharedKey.make(crypto, authKey)
    this.skew = options.skew ?? 0
    const { limits, skew: _, ...rest } = options
    this.session = Session.make(crypto, {
      key: this.key,
      salts: [{ salt: 7n, validSince: 0, validUntil: 2_000_000_000 }],
      timeOffset: 0,
      synchronised: true,
      header: HEADER,
      ...rest,
      // so that a test sees at once what is acknowledged
      limits: { ackCompany: 1, ...limits }
    })
  }

  // ----- reading

  /** What the session sends now. */
  poll(): Array<Received> {
    const out: Array<Received> = []
    for (const packet of this.session.poll(this.now)) out.push(...this.open(packet))
    this.log.push(...out)
    return out
  }

  open(packet: Uint8Array): Array<Received> {
    const opened = Packet.open(this.crypto, { keys: [this.key], from: "client", packet })
    assert.isTrue(Result.isSuccess(opened), "the packet of the session is valid")
    const { body, msgId, salt, seqNo, sessionId } = Result.getOrThrow(opened)
    const common = { salt, sessionId }
    if (MtprotoApi.idOf(body) !== Tl.constructorId(MtprotoApi.msg_container)) {
      return [{ msgId, seqNo, body, container: undefined, ...common }]
    }
    const container = client.decode(body)
    if (container._tag !== "msg_container") throw new Error("unreachable")
    assert.strictEqual(seqNo % 2, 0, "a container is not content-related")
    const inner = container.messages.map((message) => ({
      msgId: message.msgId,
      seqNo: message.seqno,
      body: message.body,
      container: msgId,
      ...common
    }))
    for (const message of inner) assert.isTrue(message.msgId < msgId, "a container is younger than what is in it")
    return inner
  }

  // ----- writing

  nextId(kind: 1 | 3 = 1): bigint {
    const time = this.now + this.skew
    const seconds = Math.floor(time / 1000)
    const low = Math.floor((time - seconds * 1000) * 4294967.296)
    const id = ((BigInt(seconds) << 32n) | BigInt((low & ~3) >>> 0)) + BigInt(kind)
    this.lastId = id > this.lastId ? id : this.lastId - (this.lastId & 3n) + 4n + BigInt(kind)
    return this.lastId
  }

  send(
    message: MtprotoApi.ServerMessage | Uint8Array,
    options: { readonly msgId?: bigint; readonly seqNo?: number; readonly sessionId?: bigint } = {}
  ): bigint {
    const body = message instanceof Uint8Array ? message : server.encode(message)
    const msgId = options.msgId ?? this.nextId()
    const seqNo = options.seqNo ?? this.seqNo
    if (options.seqNo === undefined) this.seqNo += 2
    this.session.receive(this.now, this.seal({ msgId, seqNo, body, sessionId: options.sessionId ?? this.session.id }))
    return msgId
  }

  seal(
    message: { readonly msgId: bigint; readonly seqNo: number; readonly body: Uint8Array; readonly sessionId: bigint }
  ) {
    return Packet.seal(this.crypto, { key: this.key, from: "server", message: { salt: this.salt, ...message } }).packet
  }

  container(
    ...messages: ReadonlyArray<{ msgId?: bigint; seqNo?: number; body: Uint8Array | MtprotoApi.ServerMessage }>
  ) {
    const inner: Array<MtprotoApi.message> = messages.map(({ body, msgId, seqNo }) => ({
      _tag: "message",
      msgId: msgId ?? this.nextId(),
      seqno: seqNo ?? ((this.seqNo += 2) - 2),
      body: body instanceof Uint8Array ? body : server.encode(body)
    }))
    return this.send({ _tag: "msg_container", messages: inner }, { seqNo: this.seqNo - 1 })
  }

  answer(query: { readonly msgId: bigint }, result: Uint8Array = RESULT(0)): bigint {
    return this.send({ _tag: "rpc_result", reqMsgId: query.msgId, result })
  }

  fail(query: { readonly msgId: bigint }, errorCode: number, errorMessage: string): bigint {
    return this.answer(query, TlCodec.encode(MtprotoApi.rpc_error)({ _tag: "rpc_error", errorCode, errorMessage }))
  }

  created(firstMsgId: bigint, uniqueId = firstMsgId + 1n): bigint {
    return this.send({ _tag: "new_session_created", firstMsgId, uniqueId, serverSalt: this.salt })
  }

  // ----- shorthands

  attach(): this {
    this.session.attach(this.now)
    return this
  }

  query(n: number, options: Partial<Parameters<Session.Session["query"]>[1]> = {}): Session.Query {
    return this.session.query(QUERY(n), { repeatable: true, ...options })
  }

  events(): Array<Session.Event> {
    return this.session.events()
  }
}

export const encodeServer = (message: MtprotoApi.ServerMessage): Uint8Array => server.encode(message)

/** The service message that the session sent, by its name. */
export const find = <Tag extends MtprotoApi.ClientMessage["_tag"]>(
  messages: ReadonlyArray<Received>,
  tag: Tag
): (Extract<MtprotoApi.ClientMessage, { _tag: Tag }> & { readonly received: Received }) | undefined => {
  for (const received of messages) {
    if (!MtprotoApi.isClientMessage(MtprotoApi.idOf(received.body) ?? 0)) continue
    const value = client.decode(received.body)
    if (value._tag === tag) return { ...(value as Extract<MtprotoApi.ClientMessage, { _tag: Tag }>), received }
  }
  return undefined
}

/** The queries among what was sent: what is no service message. */
export const queries = (messages: ReadonlyArray<Received>): ReadonlyArray<Received> =>
  messages.filter((message) => !MtprotoApi.isClientMessage(MtprotoApi.idOf(message.body) ?? 0))
