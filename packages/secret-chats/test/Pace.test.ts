import { layerMemory, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, Effect, Exit, Layer, Scope } from "effect"
import { eventually, messagesOf, pair, settle, start } from "./support/Peers.ts"
import { Relay } from "./support/Relay.ts"

/** A store in memory that wants an hour between two commits of what the server sends, once it is told so. */
const paced = () => {
  /** `messages`: how many each commit has stored. */
  const state = { pace: 0, messages: new Array<number>() }
  const layer = Layer.effect(
    SecretChatStore,
    Effect.map(SecretChatStore, (store) =>
      SecretChatStore.of({
        ...store,
        get pace() {
          return state.pace
        },
        commit: (write, options) =>
          Effect.suspend(() => {
            const stored = write.changes.filter(({ _tag }) => _tag === "PutMessage").length
            if (stored > 0) state.messages.push(stored)
            return store.commit(write, options)
          })
      }))
  ).pipe(Layer.provide(layerMemory))
  return { state, layer }
}

const hour = 3_600_000

const waiting = Effect.gen(function*() {
  const { layer, state } = paced()
  const peers = yield* pair({ bobStore: layer })
  state.pace = hour
  for (let i = 0; i < 3; i++) yield* peers.alice.chats.sendText(peers.chatId, `${i}`)
  yield* eventually(() => peers.bobDevice.queue.length === 3)
  yield* settle
  assert.deepStrictEqual(messagesOf(peers.bob), [])
  assert.deepStrictEqual(state.messages, [])
  return { ...peers, state }
})

describe("the pace of a store", () => {
  it.live("what keeps coming waits, and is committed with what somebody waits for", () =>
    Effect.gen(function*() {
      const { bob, bobDevice, chatId, state } = yield* waiting
      yield* bob.chats.sendText(chatId, "answer")
      yield* eventually(() => messagesOf(bob).length === 3)
      assert.deepStrictEqual(messagesOf(bob), ["0", "1", "2"])
      assert.deepStrictEqual(state.messages, [4])
      yield* eventually(() => bobDevice.queue.length === 0)
    }))

  it.live("as much as fits into a transaction does not wait", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId } = yield* waiting
      yield* Effect.forEach(Arr.range(3, 511), (i) => alice.chats.sendText(chatId, `${i}`), {
        concurrency: "unbounded",
        discard: true
      })
      yield* eventually(() => messagesOf(bob).length === 512)
      assert.deepStrictEqual(messagesOf(bob), Arr.makeBy(512, String))
    }))

  it.live("what comes after a silence does not wait", () =>
    Effect.gen(function*() {
      const { layer, state } = paced()
      state.pace = hour
      const relay = new Relay()
      const alice = yield* start(relay, relay.device(1n))
      const bob = yield* start(relay, relay.device(2n), { store: layer })
      yield* alice.chats.request({ userId: 2n, accessHash: 22n })
      yield* eventually(() => bob.events.some(({ event }) => event._tag === "ChatRequested"))
    }))

  it.live("a store that is closed in the meantime confirms nothing of it", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { bobDevice } = yield* Scope.provide(waiting, scope)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(bobDevice.queue.length, 3)
    }))
})
