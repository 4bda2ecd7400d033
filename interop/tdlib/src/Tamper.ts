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
import * as Latch from "effect/Latch"
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
  /** From now on what we send is kept back, and answered as if the server had it. */
  readonly holdOutgoing: () => void
  /** Waits until a call of this name is among what is kept back. */
  readonly heldOutgoing: (tag: string) => Effect.Effect<void>
  /** Sends what was kept back, in order. Returns the names of the calls. */
  readonly releaseOutgoing: Effect.Effect<ReadonlyArray<string>>
  /** From now on nothing comes for us. */
  readonly holdIncoming: () => void
  /** What was kept back comes, in order. */
  readonly releaseIncoming: () => void
  /** In place of the next message that comes for us in the chat come these, made of its frame and confirmed by nobody. */
  readonly replaceIncoming: (chatId: number, make: (frame: Uint8Array) => ReadonlyArray<Uint8Array>) => void
  /** The frames of a chat so far, in the order in which they passed. */
  readonly frames: (chatId: number) => {
    readonly outgoing: ReadonlyArray<Uint8Array>
    readonly incoming: ReadonlyArray<Uint8Array>
  }
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

/** What passed in one direction of a chat. */
interface Traffic {
  readonly keys: Set<string>
  readonly frames: Array<Uint8Array>
}

interface State {
  readonly outgoing: Plan
  readonly incoming: Plan
  readonly traffic: Map<number, { readonly outgoing: Traffic; readonly incoming: Traffic }>
  readonly replacements: Map<number, (frame: Uint8Array) => ReadonlyArray<Uint8Array>>
  /** Calls that are kept back, while they are. */
  held: Array<{ readonly tag: string; readonly call: Effect.Effect<unknown, unknown> }> | undefined
}

const trafficOf = (state: State, chatId: number) => {
  let traffic = state.traffic.get(chatId)
  if (traffic === undefined) {
    traffic = { outgoing: { keys: new Set(), frames: [] }, incoming: { keys: new Set(), frames: [] } }
    state.traffic.set(chatId, traffic)
  }
  return traffic
}

const note = (traffic: Traffic, frame: Uint8Array): void => {
  traffic.keys.add(fingerprint(frame))
  traffic.frames.push(frame.slice())
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
    traffic: new Map(),
    replacements: new Map(),
    held: undefined
  }
  const incomingOpen = Latch.makeUnsafe(true)

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
          note(trafficOf(state, sending.peer.chatId).outgoing, sending.data)
          if (state.held !== undefined) {
            state.held.push({ tag: sending._tag, call })
            return pretend
          }
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
          note(trafficOf(state, chatId).incoming, bytes)
          const replacement = state.replacements.get(chatId)
          if (replacement !== undefined) {
            state.replacements.delete(chatId)
            const { message, ...rest } = update.update
            return Effect.succeed(
              replacement(bytes).map((frame): Transport.TransportUpdate => ({
                ...update,
                update: { ...rest, message: { ...message, bytes: frame } },
                confirm: frame === bytes ? update.confirm : Effect.void
              }))
            )
          }
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
        updates: inner.updates.pipe(
          Stream.mapEffect((update) => Effect.andThen(incomingOpen.await, pass(update))),
          Stream.flattenIterable
        )
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
    holdOutgoing: () => void (state.held ??= []),
    heldOutgoing: (tag) =>
      Effect.gen(function*() {
        while (!(state.held ?? []).some((held) => held.tag === tag)) yield* Effect.sleep("10 millis")
      }),
    releaseOutgoing: Effect.gen(function*() {
      const tags: Array<string> = []
      // more may be kept back while these go out
      for (let next = state.held?.shift(); next !== undefined; next = state.held?.shift()) {
        tags.push(next.tag)
        yield* Effect.ignore(next.call)
      }
      state.held = undefined
      return tags
    }),
    holdIncoming: () => void incomingOpen.closeUnsafe(),
    releaseIncoming: () => void incomingOpen.openUnsafe(),
    replaceIncoming: (chatId, make) => void state.replacements.set(chatId, make),
    frames: (chatId) => {
      const { incoming, outgoing } = trafficOf(state, chatId)
      return { outgoing: outgoing.frames, incoming: incoming.frames }
    },
    fingerprints: (chatId) => {
      const { incoming, outgoing } = trafficOf(state, chatId)
      return { outgoing: [...outgoing.keys], incoming: [...incoming.keys] }
    }
  }, layer]
}
