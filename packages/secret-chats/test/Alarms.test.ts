import { layerMemory, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import { eventually, messagesOf, pair, settle, start } from "./support/Peers.ts"
import { date, Relay } from "./support/Relay.ts"

const events = (peer: { readonly events: ReadonlyArray<{ readonly event: { readonly _tag: string } }> }, tag: string) =>
  peer.events.filter(({ event }) => event._tag === tag)

describe("what happens by itself, on a virtual clock", () => {
  it.effect("a message with a timer destroys itself on both sides, after it was read", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(date * 1000)
      const { alice, bob, chatId } = yield* pair()
      yield* alice.chats.sendText(chatId, "burn", { ttl: 10 })
      yield* alice.chats.sendText(chatId, "stay")
      yield* eventually(() => messagesOf(bob).length === 2)
      // What the server has taken is noted a moment later.
      yield* TestClock.adjust("1 second")
      yield* settle
      yield* TestClock.adjust("1 hour")
      yield* settle
      assert.strictEqual((yield* bob.chats.messages(chatId)).length, 2)

      const newest = (yield* bob.chats.messages(chatId))[0]!
      yield* bob.chats.markRead(chatId, newest.date)
      yield* eventually(() => events(alice, "MessagesRead").length === 1)
      yield* TestClock.adjust("9 seconds")
      yield* settle
      assert.strictEqual((yield* bob.chats.messages(chatId)).length, 2)
      yield* TestClock.adjust("1 hour")
      yield* eventually(() => events(bob, "MessagesExpired").length === 1)
      yield* eventually(() => events(alice, "MessagesExpired").length === 1)
      for (const peer of [alice, bob]) {
        assert.deepStrictEqual((yield* peer.chats.messages(chatId)).map((m) => m.message.message), ["stay"])
      }
    }))

  it.effect("missing messages are asked for again when nobody has answered", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(date * 1000)
      const { alice, aliceDevice, bob, bobDevice, chatId, relay } = yield* pair()
      const push = relay.push.bind(relay)
      let lose = true
      // Alice's first message is lost, and so is the first request to send it again.
      relay.push = (device, update) => {
        if (update._tag === "updateNewEncryptedMessage" && lose) {
          if (device === aliceDevice) lose = false
          if (device === aliceDevice || relay.calls("messages.sendEncrypted", aliceDevice).length === 1) return
        }
        push(device, update)
      }
      yield* alice.chats.sendText(chatId, "one")
      yield* alice.chats.sendText(chatId, "two")
      yield* eventually(() => !lose)
      yield* settle
      assert.deepStrictEqual(messagesOf(bob), [])
      relay.chats.get(chatId)!.seen.clear()
      yield* TestClock.adjust("1 minute")
      yield* eventually(() => messagesOf(bob).length === 2)
      assert.deepStrictEqual(messagesOf(bob), ["one", "two"])
      assert.isAtLeast(relay.calls("messages.sendEncryptedService", bobDevice).length, 3)
    }))

  it.effect("what the network did not take is sent when the pause has passed", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId, relay } = yield* pair()
      relay.down = "unreachable"
      assert.strictEqual((yield* Effect.flip(alice.chats.sendText(chatId, "late")))._tag, "TransportError")
      yield* TestClock.adjust("10 seconds")
      yield* settle
      assert.deepStrictEqual(messagesOf(bob), [])
      relay.down = undefined
      yield* TestClock.adjust("30 seconds")
      yield* eventually(() => messagesOf(bob).length === 1)
      assert.deepStrictEqual(messagesOf(bob), ["late"])
    }))

  it.effect("chats that want nothing for now cost a start nothing, and are woken when their time comes", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(date * 1000)
      const { alice, chatId } = yield* pair()
      yield* TestClock.adjust("1 second")
      yield* settle
      const ready = Option.getOrThrow(yield* alice.store.load(chatId))
      /** Chats like this one in a store of their own: what wants to be woken in an hour and a half, and what in a week. */
      const memory = Context.get(yield* Layer.build(Layer.fresh(layerMemory)), SecretChatStore)
      const loads: Array<number> = []
      const store = SecretChatStore.of({
        ...memory,
        load: (id) => {
          loads.push(id)
          return memory.load(id)
        }
      })
      for (let id = 1; id <= 1200; id++) {
        const wakeAt = (date + (id === 7 ? 5400 : 7 * 86_400)) * 1000
        const head = { phase: ready.phase, wakeAt, head: ready.head }
        yield* store.commit({ chatId: id, expected: 0, chat: head, changes: [] })
      }
      const relay = new Relay()
      const peer = yield* start(relay, relay.device(1n), { store: Layer.succeed(SecretChatStore, store) })
      yield* settle
      assert.strictEqual((yield* peer.chats.list).length, 1200)
      const some = yield* Stream.runCollect(Stream.take(peer.chats.all, 3))
      assert.deepStrictEqual(some.map((chat) => chat.state), ["ready", "ready", "ready"])
      assert.deepStrictEqual(loads, [])
      yield* TestClock.adjust("89 minutes")
      yield* settle
      assert.deepStrictEqual(loads, [])
      yield* TestClock.adjust("2 minutes")
      yield* settle
      assert.deepStrictEqual(loads, [7])
    }))
})
