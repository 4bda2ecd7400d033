/**
 * A client for tests: one session, driven by hand. It keeps no rules of its own,
 * so that a test can break every one; it only numbers messages, encrypts,
 * decrypts, and takes containers apart.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Packet from "@effect-mtproto/crypto/Packet"
import type { SharedKey } from "@effect-mtproto/crypto/SharedKey"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { gunzipSync } from "node:zlib"
import type * as TestServer from "../../src/TestServer.ts"
import { exchange } from "./keyExchange.ts"
import { connect, type Wire, type WireEvent, type WireOptions } from "./wire.ts"

/** A message of the server, out of its container and its compression. */
export interface ServerMessage {
  readonly msgId: bigint
  readonly seqNo: number
  readonly body: Uint8Array
  /** A service message, or `undefined` for updates. */
  readonly service: MtprotoApi.ServerMessage | undefined
  readonly updates: Api.Updates | undefined
  /** Whether it came in a container. */
  readonly contained: boolean
}

export type ServiceOf<Tag extends MtprotoApi.ServerMessage["_tag"]> = Extract<
  MtprotoApi.ServerMessage,
  { readonly _tag: Tag }
>

export interface RpcFailed {
  readonly _tag: "RpcFailed"
  readonly code: number
  readonly type: string
}

export interface SendOptions {
  readonly msgId?: bigint
  readonly seqNo?: number
  readonly salt?: bigint
  readonly content?: boolean
  readonly quickAck?: boolean
}

export class Client {
  readonly crypto: Crypto["Service"]
  readonly key: SharedKey
  readonly sessionId: bigint
  wire: Wire
  salt: bigint
  /** Milliseconds of unix time. */
  clock: () => number = Date.now
  inbox: Array<ServerMessage> = []
  /** Events of the connection that are not messages. */
  events: Array<WireEvent> = []
  /** Identifiers of content-related messages, in order of arrival. */
  received: Array<bigint> = []
  private lastId = 0n
  private contentCount = 0
  private initialized = false
  private readonly waiters = new Set<() => (() => void) | undefined>()

  constructor(crypto: Crypto["Service"], wire: Wire, key: SharedKey, salt: bigint, sessionId?: bigint) {
    this.crypto = crypto
    this.key = key
    this.salt = salt
    this.sessionId = sessionId ?? BigInt.asIntN(64, BigInt(`0x${Buffer.from(crypto.randomBytes(8)).toString("hex")}`))
    this.wire = wire
    this.listen(wire)
  }

  private listen(wire: Wire): void {
    wire.subscribe((event) => {
      if (event._tag === "Packet") {
        const opened = Result.getOrThrow(
          Packet.open(this.crypto, { keys: [this.key], from: "server", packet: event.payload })
        )
        if (opened.sessionId === this.sessionId) this.take(opened, false)
      } else this.events.push(event)
      this.wake()
    })
  }

  private wake(): void {
    for (const waiter of this.waiters) {
      const go = waiter()
      if (go === undefined) continue
      this.waiters.delete(waiter)
      go()
    }
  }

  private wait<A>(find: () => A | undefined): Effect.Effect<A> {
    return Effect.callback((resume) => {
      const look = (): (() => void) | undefined => {
        const found = find()
        return found === undefined ? undefined : () => resume(Effect.succeed(found))
      }
      const go = look()
      if (go === undefined) this.waiters.add(look)
      else go()
    })
  }

  private take(
    message: { readonly msgId: bigint; readonly seqNo: number; readonly body: Uint8Array },
    contained: boolean
  ) {
    const body = unpack(message.body)
    const id = MtprotoApi.idOf(body)!
    const service = MtprotoApi.isServerMessage(id) ? TlCodec.decode(MtprotoApi.ServerMessage)(body) : undefined
    if (service?._tag === "msg_container") {
      for (const inner of service.messages) {
        this.take({ msgId: inner.msgId, seqNo: inner.seqno, body: inner.body }, true)
      }
      return
    }
    if ((message.seqNo & 1) === 1) this.received.push(message.msgId)
    this.inbox.push({
      msgId: message.msgId,
      seqNo: message.seqNo,
      body,
      service,
      updates: service === undefined ? Api.Updates.decode(body) : undefined,
      contained
    })
  }

  /** Takes the first message that `select` makes something of, waiting for it if need be. */
  takeFirst<A>(select: (message: ServerMessage) => A | undefined): Effect.Effect<A> {
    return this.wait(() => {
      for (let i = 0; i < this.inbox.length; i++) {
        const found = select(this.inbox[i]!)
        if (found === undefined) continue
        this.inbox.splice(i, 1)
        return found
      }
      return undefined
    })
  }

  /** Waits for an event of the connection. */
  takeEvent<Tag extends WireEvent["_tag"]>(tag: Tag): Effect.Effect<Extract<WireEvent, { readonly _tag: Tag }>> {
    return this.wait(() => {
      const index = this.events.findIndex((event) => event._tag === tag)
      return index === -1
        ? undefined
        : this.events.splice(index, 1)[0] as Extract<WireEvent, { readonly _tag: Tag }>
    })
  }

  /** Waits for a service message. */
  takeService<Tag extends MtprotoApi.ServerMessage["_tag"]>(
    tag: Tag,
    matches: (message: ServiceOf<Tag>) => boolean = () => true
  ): Effect.Effect<ServerMessage & { readonly service: ServiceOf<Tag> }> {
    return this.takeFirst<ServerMessage & { readonly service: ServiceOf<Tag> }>((message) =>
      message.service?._tag === tag && matches(message.service as ServiceOf<Tag>)
        ? message as ServerMessage & { readonly service: ServiceOf<Tag> }
        : undefined
    )
  }

  /** Waits for an update with this tag, in whatever form it comes. */
  takeUpdate<Tag extends Api.Update["_tag"]>(
    tag: Tag
  ): Effect.Effect<{ readonly update: Extract<Api.Update, { readonly _tag: Tag }>; readonly message: ServerMessage }> {
    return this.takeFirst((message) => {
      const { updates } = message
      const list = updates?._tag === "updates"
        ? updates.updates
        : updates?._tag === "updateShort"
        ? [updates.update]
        : []
      const update = list.find((candidate) => candidate._tag === tag)
      return update === undefined ? undefined : { update: update as never, message }
    })
  }

  nextId(): bigint {
    const millis = this.clock()
    const seconds = Math.floor(millis / 1000)
    const id = (BigInt(seconds) << 32n) | (BigInt(Math.floor((millis % 1000) * 4_294_967.296)) & ~3n)
    this.lastId = id > this.lastId ? id : this.lastId + 4n
    return this.lastId
  }

  nextSeqNo(content: boolean): number {
    const seqNo = this.contentCount * 2 + (content ? 1 : 0)
    if (content) this.contentCount++
    return seqNo
  }

  /** A numbered message, to be sent alone or in a container. */
  number(body: Uint8Array, options: SendOptions = {}): MtprotoApi.message {
    const msgId = options.msgId ?? this.nextId()
    const seqno = options.seqNo ?? this.nextSeqNo(options.content ?? true)
    return { _tag: "message", msgId, seqno, body }
  }

  seal(message: MtprotoApi.message, options: SendOptions = {}): Packet.Sealed {
    return Packet.seal(this.crypto, {
      key: this.key,
      from: "client",
      message: {
        salt: options.salt ?? this.salt,
        sessionId: this.sessionId,
        msgId: message.msgId,
        seqNo: message.seqno,
        body: message.body
      }
    })
  }

  sendMessage(message: MtprotoApi.message, options: SendOptions = {}): Packet.Sealed {
    const sealed = this.seal(message, options)
    this.wire.send(sealed.packet, { quickAck: options.quickAck === true })
    return sealed
  }

  /** Sends a body and returns the identifier of its message. */
  send(body: Uint8Array, options: SendOptions = {}): bigint {
    const message = this.number(body, options)
    this.sendMessage(message, options)
    return message.msgId
  }

  sendContainer(messages: ReadonlyArray<MtprotoApi.message>, options: SendOptions = {}): bigint {
    return this.send(containerOf(messages), { ...options, content: false })
  }

  /** Acknowledges everything that has come. */
  ack(): void {
    this.send(encode.ack(this.received.splice(0)), { content: false })
  }

  /** The bytes of a request, with the headers of a first call if it is one. */
  encode(request: Api.AnyRequest): Uint8Array {
    const bytes = Api.encodeRequest(request)
    if (this.initialized) return bytes
    this.initialized = true
    return initialize(bytes)
  }

  /** What was answered to a message. */
  answerTo(msgId: bigint): Effect.Effect<Uint8Array, RpcFailed> {
    return Effect.flatMap(
      this.takeService("rpc_result", (result) => result.reqMsgId === msgId),
      ({ service }) => {
        const result = unpack(service.result)
        if (MtprotoApi.idOf(result) !== 0x2144ca19) return Effect.succeed(result)
        const error = TlCodec.decode(MtprotoApi.rpc_error)(result)
        return Effect.fail<RpcFailed>({ _tag: "RpcFailed", code: error.errorCode, type: error.errorMessage })
      }
    )
  }

  call<R extends Api.AnyRequest>(request: R): Effect.Effect<Api.Response<R>, RpcFailed> {
    return Effect.suspend(() => {
      const msgId = this.send(this.encode(request))
      return Effect.map(this.answerTo(msgId), (bytes) => Api.decodeResponse(request, bytes))
    })
  }

  /** Goes on over another connection. */
  moveTo(wire: Wire): void {
    this.wire.close()
    this.wire = wire
    this.listen(wire)
  }
}

const unpack = (bytes: Uint8Array): Uint8Array =>
  MtprotoApi.idOf(bytes) === 0x3072cfa1
    ? new Uint8Array(gunzipSync(TlCodec.decode(MtprotoApi.gzip_packed)(bytes).packedData))
    : bytes

export const containerOf = (messages: ReadonlyArray<MtprotoApi.message>): Uint8Array =>
  TlCodec.encode(MtprotoApi.msg_container)({ _tag: "msg_container", messages })

/** Service messages of a client. */
export const encode = {
  ack: (msgIds: ReadonlyArray<bigint>) => TlCodec.encode(MtprotoApi.msgs_ack)({ _tag: "msgs_ack", msgIds }),
  ping: (pingId: bigint) => TlCodec.encode(MtprotoApi.ping)({ _tag: "ping", pingId }),
  pingDelayDisconnect: (pingId: bigint, disconnectDelay: number) =>
    TlCodec.encode(MtprotoApi.ping_delay_disconnect)({ _tag: "ping_delay_disconnect", pingId, disconnectDelay }),
  getFutureSalts: (num: number) => TlCodec.encode(MtprotoApi.get_future_salts)({ _tag: "get_future_salts", num }),
  stateReq: (msgIds: ReadonlyArray<bigint>) =>
    TlCodec.encode(MtprotoApi.msgs_state_req)({ _tag: "msgs_state_req", msgIds }),
  resendReq: (msgIds: ReadonlyArray<bigint>) =>
    TlCodec.encode(MtprotoApi.msg_resend_req)({ _tag: "msg_resend_req", msgIds }),
  dropAnswer: (reqMsgId: bigint) => TlCodec.encode(MtprotoApi.rpc_drop_answer)({ _tag: "rpc_drop_answer", reqMsgId }),
  destroySession: (sessionId: bigint) =>
    TlCodec.encode(MtprotoApi.destroy_session)({ _tag: "destroy_session", sessionId }),
  destroyKey: () => TlCodec.encode(MtprotoApi.destroy_auth_key)({ _tag: "destroy_auth_key" }),
  copy: (origMessage: MtprotoApi.message) => TlCodec.encode(MtprotoApi.msg_copy)({ _tag: "msg_copy", origMessage }),
  packed: (packedData: Uint8Array) => TlCodec.encode(MtprotoApi.gzip_packed)({ _tag: "gzip_packed", packedData })
}

/** A query in the headers of a first call. */
export const initialize = (query: Uint8Array, layer = Api.layer): Uint8Array =>
  Api.wrap(
    Api.invokeWithLayer,
    { layer },
    Api.wrap(Api.initConnection, {
      apiId: 1,
      deviceModel: "test",
      systemVersion: "1",
      appVersion: "1",
      systemLangCode: "en",
      langPack: "",
      langCode: "en"
    }, query)
  )

/** A connection with a fresh key on it. */
export const open = Effect.fnUntraced(function*(
  crypto: Crypto["Service"],
  server: TestServer.TestServer["Service"],
  options: WireOptions & { readonly expiresIn?: number; readonly dc?: number } = {}
) {
  const address = server.datacenters.find((dc) => dc.id === options.dc) ?? server
  const wire = yield* connect(crypto, address, options)
  const { key, salt, verdict } = yield* exchange(crypto, wire, {
    publicKey: server.publicKeys[0]!,
    dc: options.dc ?? server.dcId,
    expiresIn: options.expiresIn
  }).pipe(Effect.orDie)
  if (verdict._tag !== "dh_gen_ok") throw new Error(verdict._tag)
  return new Client(crypto, wire, key, salt)
})

/** Logs an account in, which is made if it does not exist. */
export const logIn = Effect.fnUntraced(function*(
  server: TestServer.TestServer["Service"],
  client: Client,
  phone: string
) {
  yield* Effect.ignore(server.createAccount({ phone, firstName: `user ${phone}` }))
  const sent = yield* client.call(
    Api.auth.sendCode({ phoneNumber: phone, apiId: 1, apiHash: "hash", settings: { _tag: "codeSettings" } })
  )
  if (sent._tag !== "auth.sentCode") throw new Error(sent._tag)
  const authorization = yield* client.call(
    Api.auth.signIn({
      phoneNumber: phone,
      phoneCodeHash: sent.phoneCodeHash,
      phoneCode: yield* server.loginCode(phone)
    })
  )
  if (authorization._tag !== "auth.authorization" || authorization.user._tag !== "user") {
    throw new Error("not logged in")
  }
  return authorization.user
})

/** A client that is logged in and gets updates. */
export const user = Effect.fnUntraced(function*(
  crypto: Crypto["Service"],
  server: TestServer.TestServer["Service"],
  phone: string
) {
  const client = yield* open(crypto, server)
  const self = yield* logIn(server, client, phone)
  const state = yield* client.call(Api.updates.getState())
  return { client, self, state }
})
