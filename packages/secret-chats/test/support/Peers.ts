/** Two people with a `SecretChats` each, on one relay. */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { layerMemory, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import type { Transport } from "@effect-mtproto/transport/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Relay } from "./Relay.ts"

export type Services = SecretChats.SecretChats | SecretChatStore | Crypto | Transport

export interface Peer {
  readonly chats: SecretChats.SecretChats["Service"]
  readonly store: SecretChatStore["Service"]
  /** Everything that happened so far, typing excepted; confirmed. */
  readonly events: Array<SecretChats.SecretChatEvent>
  readonly context: Context.Context<Services>
  readonly run: <A, E>(effect: Effect.Effect<A, E, Services>) => Effect.Effect<A, E>
}

export const layer = (
  relay: Relay,
  device: ReturnType<Relay["device"]>,
  store: Layer.Layer<SecretChatStore, any>,
  options: SecretChats.Options = {}
): Layer.Layer<Services, any> =>
  SecretChats.layer(options).pipe(
    Layer.provideMerge(Layer.mergeAll(relay.connect(device), store, NodeCrypto.layer))
  )

/** A running peer, until the scope ends. Its events are collected and confirmed. */
export const start = Effect.fnUntraced(function*(
  relay: Relay,
  device: ReturnType<Relay["device"]>,
  options: SecretChats.Options & { readonly store?: Layer.Layer<SecretChatStore, any>; readonly listen?: boolean } = {}
): Effect.fn.Return<Peer, any, Scope.Scope> {
  const context = yield* Layer.build(Layer.fresh(layer(relay, device, options.store ?? layerMemory, options)))
  const chats = Context.get(context, SecretChats.SecretChats)
  const events: Array<SecretChats.SecretChatEvent> = []
  if (options.listen !== false) {
    yield* Effect.forkScoped(Effect.ignore(chats.runEvents((event) =>
      Effect.sync(() => {
        events.push(event)
      })
    )))
  }
  return {
    chats,
    store: Context.get(context, SecretChatStore),
    events,
    context,
    run: (effect) => Effect.provideContext(effect, context)
  }
})

/** Lets everything that can happen now happen, on the live clock or on a virtual one. */
export const settle: Effect.Effect<void> = Effect.gen(function*() {
  for (let i = 0; i < 40; i++) {
    yield* Effect.yieldNow
    yield* Effect.callback<void>((resume) => {
      const timer = setImmediate(() => resume(Effect.void))
      return Effect.sync(() => clearImmediate(timer))
    })
  }
})

/** Waits, in real time, until a condition holds. */
export const eventually = (condition: () => boolean, what = "the condition"): Effect.Effect<void> =>
  Effect.gen(function*() {
    const end = Date.now() + 10_000
    while (!condition()) {
      if (Date.now() > end) return yield* Effect.die(new Error(`waited too long for ${what}`))
      yield* Effect.callback<void>((resume) => {
        const timer = setTimeout(() => resume(Effect.void), 2)
        return Effect.sync(() => clearTimeout(timer))
      })
    }
  })

/** Two peers with a chat that is ready on both sides. */
export const pair = Effect.fnUntraced(function*(
  options: {
    readonly aliceStore?: Layer.Layer<SecretChatStore, any>
    readonly bobStore?: Layer.Layer<SecretChatStore, any>
  } = {}
) {
  const relay = new Relay()
  const aliceDevice = relay.device(1n)
  const bobDevice = relay.device(2n)
  const alice = yield* start(relay, aliceDevice, options.aliceStore === undefined ? {} : { store: options.aliceStore })
  const bob = yield* start(relay, bobDevice, {
    accept: "allow",
    ...(options.bobStore === undefined ? {} : { store: options.bobStore })
  })
  const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 22n })
  yield* Effect.all([
    alice.chats.awaitReady(chatId),
    Effect.andThen(
      eventually(() => bob.events.some(({ event }) => event._tag === "ChatReady"), "bob's chat"),
      bob.chats.awaitReady(chatId)
    )
  ], { concurrency: 2 })
  // Both sides announce their layer by themselves; what a test provokes should hit what the test sends.
  yield* eventually(() => relay.calls("messages.sendEncryptedService").length === 2, "the layers")
  yield* settle
  return { relay, alice, bob, aliceDevice, bobDevice, chatId }
})

export const messagesOf = (peer: Peer): ReadonlyArray<string> =>
  peer.events.flatMap(({ event }) => event._tag === "NewMessage" ? [event.message.message] : [])

export { Fiber }
