/**
 * A server reduced to what matters for calls: it executes a query once for each
 * message identifier of a session, keeps answers until they are acknowledged, and
 * can lose everything that a server may lose. Shares no code with the client.
 */
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import type { Peer, Received } from "./sessionPeer.ts"
import { encodeServer, RESULT } from "./sessionPeer.ts"

const INVOKE_AFTER = 0xcb9f372d

const waitFailed = TlCodec.encode(MtprotoApi.rpc_error)({
  _tag: "rpc_error",
  errorCode: 400,
  errorMessage: "MSG_WAIT_FAILED"
})

const readLong = (bytes: Uint8Array, offset: number): bigint =>
  new DataView(bytes.buffer, bytes.byteOffset + offset, 8).getBigInt64(0, true)

const client = TlCodec.make(MtprotoApi.ClientMessage)

interface Answer {
  readonly msgId: bigint
  readonly body: Uint8Array
}

interface ServerSession {
  readonly firstId: bigint
  readonly executed: Set<bigint>
  /** By the identifier of the query. */
  readonly answers: Map<bigint, Answer>
  readonly unacknowledged: Map<bigint, Answer>
}

/** What a query says, by its number, and how it is answered. */
export type Execute = (body: Uint8Array) => { readonly number: number | undefined; readonly result: Uint8Array }

const echo: Execute = (body) => ({ number: body.at(-1)!, result: RESULT(body.at(-1)!) })

export class SimulatedServer {
  readonly peer: Peer
  readonly run: Execute
  /** How often each query, by the number in its body, was executed, in the order of the first time. */
  readonly executed = new Map<number, number>()
  /** The next packets are refused for their salt. */
  refuse = 0
  /** The next answers are not sent, but kept. */
  silent = 0
  sessions = new Map<bigint, ServerSession>()
  /** On the way to the client. */
  outbox: Array<{ readonly sessionId: bigint; readonly message: Answer; readonly content: boolean }> = []
  uniqueId = 0n

  constructor(peer: Peer, run: Execute = echo) {
    this.peer = peer
    this.run = run
  }

  /** A packet of the client arrives. */
  receive(messages: ReadonlyArray<Received>): void {
    const [first] = messages
    if (first === undefined) return
    const outerId = first.container ?? first.msgId
    if (this.refuse > 0) {
      this.refuse--
      this.say(first.sessionId, {
        _tag: "bad_server_salt",
        badMsgId: outerId,
        badMsgSeqno: 0,
        errorCode: 48,
        newServerSalt: 7n
      }, false)
      return
    }
    let session = this.sessions.get(first.sessionId)
    if (session === undefined) {
      session = { firstId: outerId, executed: new Set(), answers: new Map(), unacknowledged: new Map() }
      this.sessions.set(first.sessionId, session)
      this.say(first.sessionId, {
        _tag: "new_session_created",
        firstMsgId: outerId,
        uniqueId: ++this.uniqueId,
        serverSalt: 7n
      })
    }
    for (const message of messages) this.process(session, message)
  }

  /** Another connection: what is not acknowledged is sent again. */
  reconnect(): void {
    this.outbox = []
    for (const [sessionId, session] of this.sessions) {
      for (const message of session.unacknowledged.values()) this.outbox.push({ sessionId, message, content: true })
    }
  }

  forget(): void {
    this.sessions = new Map()
  }

  /** Sends an update to whoever has spoken last. */
  push(body: Uint8Array): void {
    const sessionId = [...this.sessions.keys()].at(-1)
    if (sessionId === undefined) return
    const message = { msgId: this.peer.nextId(3), body }
    this.sessions.get(sessionId)!.unacknowledged.set(message.msgId, message)
    this.outbox.push({ sessionId, message, content: true })
  }

  private process(session: ServerSession, { body, msgId, sessionId }: Received): void {
    if (!MtprotoApi.isClientMessage(MtprotoApi.idOf(body) ?? 0)) return this.execute(session, sessionId, msgId, body)
    const message = client.decode(body)
    switch (message._tag) {
      case "msgs_ack":
        for (const id of message.msgIds) session.unacknowledged.delete(id)
        return
      case "ping_delay_disconnect":
        return this.say(sessionId, { _tag: "pong", msgId, pingId: message.pingId }, false)
      case "msgs_state_req": {
        const info = Uint8Array.from(
          message.msgIds,
          (id) => session.answers.has(id) ? 4 | 32 | 64 : id < session.firstId ? 1 : 2
        )
        return this.say(sessionId, { _tag: "msgs_state_info", reqMsgId: msgId, info }, false)
      }
    }
  }

  private execute(session: ServerSession, sessionId: bigint, msgId: bigint, body: Uint8Array): void {
    let answer = session.answers.get(msgId)
    if (answer === undefined) {
      const after = MtprotoApi.idOf(body) === INVOKE_AFTER ? readLong(body, 4) : undefined
      const waits = after !== undefined && !session.executed.has(after)
      let result = waitFailed
      if (!waits) {
        session.executed.add(msgId)
        const done = this.run(body)
        result = done.result
        if (done.number !== undefined) this.executed.set(done.number, (this.executed.get(done.number) ?? 0) + 1)
      }
      answer = { msgId: this.peer.nextId(), body: encodeServer({ _tag: "rpc_result", reqMsgId: msgId, result }) }
      session.answers.set(msgId, answer)
      session.unacknowledged.set(answer.msgId, answer)
      if (this.silent > 0) {
        this.silent--
        return
      }
    }
    this.outbox.push({ sessionId, message: answer, content: true })
  }

  private say(sessionId: bigint, message: MtprotoApi.ServerMessage, content = true): void {
    this.outbox.push({ sessionId, message: { msgId: this.peer.nextId(), body: encodeServer(message) }, content })
  }
}
