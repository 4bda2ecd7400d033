/**
 * A bad network between our secret chats and our transport.
 *
 * Messages of secret chats can be lost, doubled or made to change places, in both directions; everything else passes.
 * A message that is "lost" on its way out is answered as the server would answer it, so nobody but the peer can know.
 * The fingerprint of the key at the head of every frame is kept: it shows changes of keys from outside.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as Transport from "@effect-mtproto/transport/Transport"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

/** What the network does next, and what it saw. */
export interface Tamper {
  /** The next `count` messages we send never reach the server. */
  readonly loseOutgoing: (count: number) => void
  /** The next `count` messages that come for us are confirmed to the server and thrown away. */
  readonly loseIncoming: (count: number) => void
  /** The next `count` messages we send reach the server twice. */
  readonly doubleOutgoing: (count: number) => void
  /** The next `count` messages that come for us come twice. */
  readonly doubleIncoming: (count: number) => void
  /** The next two messages we send reach the server in the wrong order. */
  readonly swapOutgoing: () => void
  /** The next two messages that come for us come in the wrong order. */
  readonly swapIncoming: () => void
  /** Keys used in a chat so far, by their fingerprints (hex), in the order of their first use. */
  readonly fingerprints: (chatId: number) => {
    readonly outgoing: ReadonlyArray<string>
    readonly incoming: ReadonlyArray<string>
  }
}

interface Plan {
  lose: number
  double: number
  swap: boolean
}

interface State {
  readonly outgoing: Plan
  readonly incoming: Plan
  readonly keys: Map<number, { readonly outgoing: Set<string>; readonly incoming: Set<string> }>
}

const keysOf = (state: State, chatId: number) => {
  let keys = state.keys.get(chatId)
  if (keys === undefined) {
    keys = { outgoing: new Set(), incoming: new Set() }
    state.keys.set(chatId, keys)
  }
  return keys
}

const fingerprint = (frame: Uint8Array) => Buffer.from(frame.subarray(0, 8)).toString("hex")

const take = (plan: Plan): "lose" | "double" | "swap" | "pass" => {
  if (plan.lose > 0) {
    plan.lose--
    return "lose"
  }
  if (plan.double > 0) {
    plan.double--
    return "double"
  }
  if (plan.swap) {
    plan.swap = false
    return "swap"
  }
  return "pass"
}

type Sending = Api.AnyRequest & {
  readonly peer: Api.InputEncryptedChat
  readonly randomId: bigint
  readonly data: Uint8Array
}

const sendingOf = (request: Api.AnyRequest): Sending | undefined => {
  switch (request._tag) {
    case "messages.sendEncrypted":
    case "messages.sendEncryptedFile":
    case "messages.sendEncryptedService":
      return request as Sending
    default:
      return undefined
  }
}

/** The same frame under another outer random id: a server may drop what it has already seen. */
const copyOf = (sending: Sending): Api.AnyRequest => {
  const method = Api.methodOf(sending) as unknown as (params: object) => Api.AnyRequest
  return method({ ...sending, randomId: sending.randomId ^ 1n })
}

/** Answer of the server to a message that it never saw. */
const accepted = Effect.map(Clock.currentTimeMillis, (now): Api.messages.SentEncryptedMessage => ({
  _tag: "messages.sentEncryptedMessage",
  date: Math.floor(now / 1000)
}))

/** A network that can be told what to do wrong, and the layer that puts it between us and a transport. */
export const make = (): readonly [Tamper, Layer.Layer<Transport.Transport, never, Transport.Transport>] => {
  const state: State = {
    outgoing: { lose: 0, double: 0, swap: false },
    incoming: { lose: 0, double: 0, swap: false },
    keys: new Map()
  }

  const layer = Layer.effect(
    Transport.Transport,
    Effect.map(Transport.Transport, (inner) => {
      let heldOut: Effect.Effect<unknown, unknown> | undefined
      let heldIn: Transport.TransportUpdate | undefined

      const invoke: Transport.Transport["Service"]["invoke"] = (request, options) =>
        Effect.suspend(() => {
          const call = inner.invoke(request, options)
          // stands for the server's answer to a message; every sending method has this result
          const pretend = accepted as unknown as typeof call
          const sending = sendingOf(request)
          if (sending === undefined) return call
          keysOf(state, sending.peer.chatId).outgoing.add(fingerprint(sending.data))
          if (heldOut !== undefined) {
            const held = heldOut
            heldOut = undefined
            return Effect.tap(call, () => Effect.ignore(held))
          }
          switch (take(state.outgoing)) {
            case "lose":
              return pretend
            case "double":
              return Effect.andThen(call, inner.invoke(copyOf(sending), options) as unknown as typeof call)
            case "swap":
              heldOut = call
              return pretend
            case "pass":
              return call
          }
        })

      const pass = (update: Transport.TransportUpdate): Effect.Effect<ReadonlyArray<Transport.TransportUpdate>> =>
        Effect.suspend(() => {
          if (update.update._tag !== "updateNewEncryptedMessage") return Effect.succeed([update])
          const { bytes, chatId } = update.update.message
          keysOf(state, chatId).incoming.add(fingerprint(bytes))
          if (heldIn !== undefined) {
            const held = heldIn
            heldIn = undefined
            return Effect.succeed([update, held])
          }
          switch (take(state.incoming)) {
            case "lose":
              return Effect.as(update.confirm, [])
            case "double":
              return Effect.succeed([update, update])
            case "swap":
              heldIn = update
              return Effect.succeed([])
            case "pass":
              return Effect.succeed([update])
          }
        })

      return Transport.Transport.of({
        invoke,
        updates: inner.updates.pipe(Stream.mapEffect(pass), Stream.flattenIterable)
      })
    })
  )

  return [{
    loseOutgoing: (count) => void (state.outgoing.lose += count),
    loseIncoming: (count) => void (state.incoming.lose += count),
    doubleOutgoing: (count) => void (state.outgoing.double += count),
    doubleIncoming: (count) => void (state.incoming.double += count),
    swapOutgoing: () => void (state.outgoing.swap = true),
    swapIncoming: () => void (state.incoming.swap = true),
    fingerprints: (chatId) => {
      const keys = keysOf(state, chatId)
      return { outgoing: [...keys.outgoing], incoming: [...keys.incoming] }
    }
  }, layer]
}
