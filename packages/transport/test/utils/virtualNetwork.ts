/**
 * A whole client on virtual time: `MtprotoTransport` over a network in memory that breaks as it is told to, and behind it
 * a server that executes calls and keeps updates until they are confirmed.
 */
import * as Api from "@effect-mtproto/core/Api"
import { Intermediate } from "@effect-mtproto/core/framing/Intermediate"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Socket from "effect/socket/Socket"
import { Dial } from "../../src/Connection.ts"
import { SessionStore } from "../../src/SessionStore.ts"
import * as Session from "../../src/SessionStore.ts"
import { authKey, Peer } from "./sessionPeer.ts"
import { SimulatedServer } from "./simulatedServer.ts"

export const USER = 4711n

/** A store with a key and a login, so that neither has to be made. */
export const store: Layer.Layer<SessionStore> = Layer.effectDiscard(
  Effect.flatMap(SessionStore, (service) =>
    Effect.andThen(
      Effect.orDie(service.setAuthKey(2, {
        key: Redacted.make(authKey),
        createdAt: 0,
        timeOffset: 0,
        salts: [{ salt: 7n, validSince: 0, validUntil: 2_000_000_000 }]
      })),
      Effect.orDie(service.setAccount({ dc: 2, userId: USER }))
    ))
).pipe(Layer.provideMerge(Session.layerMemory))

const readId = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true)

/** The query of a method inside of what it is wrapped in. */
const unwrap = <M extends { readonly id: number; readonly params: { decode(bytes: Uint8Array): unknown } }>(
  method: M,
  body: Uint8Array
): ReturnType<M["params"]["decode"]> | undefined => {
  for (let at = 0; at + 4 <= body.length; at += 4) {
    if (readId(body, at) === method.id) {
      return method.params.decode(body.subarray(at)) as ReturnType<M["params"]["decode"]>
    }
  }
  return undefined
}

const closed = new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1006 }) })
const refused = new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause: "refused" }) })

/** What has arrived at the client. It gets it at once: on virtual time there is no later before the next timer. */
class Line {
  chunks: Array<Uint8Array> = []
  isClosed = false
  resume: ((result: Effect.Effect<readonly [Uint8Array, ...Array<Uint8Array>], Socket.SocketError>) => void) | undefined

  readonly pull = Effect.callback<readonly [Uint8Array, ...Array<Uint8Array>], Socket.SocketError>((resume) => {
    this.resume = resume
    this.hand()
  })

  push(chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.hand()
  }

  close(): void {
    this.isClosed = true
    this.hand()
  }

  private hand(): void {
    const { chunks: [first, ...rest], resume } = this
    if (resume === undefined || (first === undefined && !this.isClosed)) return
    this.resume = undefined
    this.chunks = []
    resume(first === undefined ? Effect.fail(closed) : Effect.succeed([first, ...rest]))
  }
}

export class VirtualNetwork {
  readonly peer: Peer
  readonly server: SimulatedServer
  readonly clock: Clock.Clock
  /** When connections were made, or tried. */
  readonly dialled: Array<number> = []
  /** How many packets the client has sent, by how many messages were in them. */
  readonly packets: Array<number> = []
  /** `up`; `off`: nothing can be reached; `silent`: everything that is sent vanishes. */
  state: "up" | "off" | "silent" = "up"
  /** What was sent to this device and is not confirmed, by its number. */
  messages: Array<{ readonly qts: number; readonly message: Api.encryptedMessage }> = []
  qts = 1
  readonly receivedQueue: Array<number> = []
  connection: Line | undefined

  constructor(crypto: Crypto["Service"], clock: Clock.Clock) {
    this.clock = clock
    this.peer = new Peer(crypto)
    this.server = new SimulatedServer(this.peer, (body) => this.execute(body))
  }

  /** An encrypted message for this device. */
  send(): number {
    const qts = ++this.qts
    const message: Api.encryptedMessage = {
      _tag: "encryptedMessage",
      randomId: BigInt(qts),
      chatId: 1,
      date: 1,
      bytes: new Uint8Array(16),
      file: { _tag: "encryptedFileEmpty" }
    }
    this.messages.push({ qts, message })
    this.peer.now = this.clock.currentTimeMillisUnsafe()
    this.server.push(Api.Updates.encode({
      _tag: "updateShort",
      update: { _tag: "updateNewEncryptedMessage", message, qts },
      date: 1
    }))
    this.deliver()
    return qts
  }

  set(state: VirtualNetwork["state"]): void {
    this.state = state
    if (state === "off") this.drop()
  }

  drop(): void {
    this.connection?.close()
    this.connection = undefined
  }

  readonly dial: Layer.Layer<never> = Layer.succeed(Dial, (_, openTimeout) =>
    Effect.sync(() => {
      const decoder = Intermediate.decoder({ side: "server" })
      let isFirst = true
      const write = (bytes: Uint8Array): void => {
        const rest = isFirst ? bytes.subarray(4) : bytes
        isFirst = false
        for (const event of decoder.push(rest)) if (event._tag === "Packet") this.receive(event.payload)
      }
      const writeAll: Socket.Writer["writeAll"] = (chunks) =>
        Effect.sync(() => {
          for (const chunk of chunks) write(chunk as Uint8Array)
        })
      return Socket.make({
        reader: Effect.gen({ self: this }, function*() {
          this.dialled.push(this.clock.currentTimeMillisUnsafe())
          if (this.state === "off") return yield* refused
          if (this.state === "silent") {
            yield* Effect.sleep(openTimeout)
            return yield* refused
          }
          const connection = new Line()
          this.connection = connection
          this.server.reconnect()
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              if (this.connection === connection) this.connection = undefined
            })
          )
          return { pull: connection.pull, upgrade: () => Effect.void }
        }),
        writer: Effect.succeed({
          write: (chunk) => Socket.isCloseEvent(chunk) ? Effect.void : writeAll([chunk]),
          writeAll
        })
      })
    }))

  private receive(packet: Uint8Array): void {
    if (this.state !== "up") return
    this.peer.now = this.clock.currentTimeMillisUnsafe()
    const messages = this.peer.open(packet)
    this.packets.push(messages.length)
    this.server.receive(messages)
    this.deliver()
  }

  /** Brings what the server has said to the client, if there is a way. */
  private deliver(): void {
    const { connection } = this
    if (connection === undefined || this.state !== "up") return
    const encoder = Intermediate.encoder({ randomBytes: this.peer.crypto.randomBytes })
    for (const { content, message, sessionId } of this.server.outbox.splice(0)) {
      const packet = this.peer.seal({ msgId: message.msgId, seqNo: content ? 1 : 0, body: message.body, sessionId })
      connection.push(encoder.packet(packet))
    }
  }

  private execute(body: Uint8Array): { readonly number: number | undefined; readonly result: Uint8Array } {
    const { getDifference, getState } = Api.updates
    const { readEncryptedHistory, receivedQueue } = Api.messages
    const state: Api.updates.State = {
      _tag: "updates.state",
      pts: 1,
      qts: this.qts,
      date: 1,
      seq: 1,
      unreadCount: 0
    }
    const read = unwrap(readEncryptedHistory, body)
    if (read !== undefined) return { number: read.maxDate, result: readEncryptedHistory.response.encode(true) }
    const difference = unwrap(getDifference, body)
    if (difference !== undefined) {
      const missed = this.messages.filter(({ qts }) => qts > difference.qts)
      const result = missed.length === 0
        ? getDifference.response.encode({ _tag: "updates.differenceEmpty", date: 1, seq: 1 })
        : getDifference.response.encode({
          _tag: "updates.difference",
          newMessages: [],
          newEncryptedMessages: missed.map(({ message }) => message),
          otherUpdates: [],
          chats: [],
          users: [],
          state
        })
      return { number: undefined, result }
    }
    const received = unwrap(receivedQueue, body)
    if (received !== undefined) {
      this.receivedQueue.push(received.maxQts)
      this.messages = this.messages.filter(({ qts }) => qts > received.maxQts)
      return { number: undefined, result: receivedQueue.response.encode([]) }
    }
    if (unwrap(getState, body) === undefined) throw new Error("an unexpected call")
    return { number: undefined, result: getState.response.encode(state) }
  }
}
