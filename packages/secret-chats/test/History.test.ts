import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as NodeVault from "@effect-mtproto/crypto/NodeVault"
import type { HistoryMessage } from "@effect-mtproto/secret-chats/SecretChats"
import { layerMemory, layerSealedSql, type SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option } from "effect"
import { eventually, messagesOf, pair, type Peer, settle } from "./support/Peers.ts"

const stores: Record<string, Layer.Layer<SecretChatStore, any>> = {
  "in memory": layerMemory,
  "sealed, SQLite": layerSealedSql().pipe(
    Layer.provide([NodeVault.layerMemory, SqliteClient.layer({ filename: ":memory:" })])
  )
}

const has = (peer: Peer, tag: string) => eventually(() => peer.events.some(({ event }) => event._tag === tag), tag)

for (const [name, aliceStore] of Object.entries(stores)) {
  describe(`the history (${name})`, () => {
    it.live("follows a message through every state, with the reason when it failed", () =>
      Effect.gen(function*() {
        const { alice, bob, chatId, relay } = yield* pair({ aliceStore })
        const send = (randomId: bigint) =>
          alice.chats.send(chatId, DecryptedMessage.message(`${randomId}`, { randomId }))
        const stateOf = (peer: Peer, randomId: bigint) =>
          Effect.map(peer.chats.message(chatId, randomId), Option.map(({ state }) => state))

        const gate = yield* Deferred.make<void>()
        relay.fail("messages.sendEncrypted", { after: gate })
        const sending = yield* Effect.forkChild(send(1n))
        yield* settle
        assert.deepStrictEqual(yield* stateOf(alice, 1n), Option.some("queued"))
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(sending)
        yield* has(alice, "MessageSent")
        assert.deepStrictEqual(yield* stateOf(alice, 1n), Option.some("sent"))
        yield* eventually(() => messagesOf(bob).length === 1)
        assert.deepStrictEqual(yield* stateOf(bob, 1n), Option.some("received"))
        yield* bob.chats.sendText(chatId, "got it")
        yield* has(alice, "MessageDelivered")
        assert.deepStrictEqual(yield* stateOf(alice, 1n), Option.some("delivered"))
        yield* bob.chats.markRead(chatId, Option.getOrThrow(yield* bob.chats.message(chatId, 1n)).date)
        yield* has(alice, "MessagesRead")
        assert.deepStrictEqual(yield* stateOf(alice, 1n), Option.some("read"))
        assert.deepStrictEqual(yield* stateOf(bob, 1n), Option.some("read"))

        relay.fail("messages.sendEncrypted", { code: 400, type: "DATA_INVALID" })
        yield* Effect.flip(send(2n))
        const failed = Option.getOrThrow(yield* alice.chats.message(chatId, 2n))
        assert.deepInclude(failed, { state: "failed", failure: "400 DATA_INVALID", randomId: 2n, outgoing: true })
        assert.strictEqual(failed.message.message, "2")
        // What failed stays so, whatever the other side acknowledges or reads afterwards.
        yield* bob.chats.sendText(chatId, "and now?")
        yield* eventually(() => messagesOf(alice).length === 2)
        assert.deepStrictEqual(yield* stateOf(alice, 2n), Option.some("failed"))
        assert.deepStrictEqual(yield* stateOf(alice, 3n), Option.none())
      }), { timeout: 20_000 })

    it.live("is read in pages, in both directions, each message once", () =>
      Effect.gen(function*() {
        const { alice, bob, chatId } = yield* pair({ aliceStore })
        for (let i = 0; i < 7; i++) {
          yield* (i % 2 === 0 ? alice : bob).chats.sendText(chatId, `${i}`)
          yield* eventually(() => messagesOf(alice).length + messagesOf(bob).length === i + 1)
        }
        const textsOf = (page: ReadonlyArray<HistoryMessage>) => page.map((m) => m.message.message)
        const all = ["0", "1", "2", "3", "4", "5", "6"]

        const backwards: Array<string> = []
        let before: number | undefined
        while (true) {
          const page: ReadonlyArray<HistoryMessage> = yield* alice.chats.messages(chatId, { before, limit: 3 })
          assert.isAtMost(page.length, 3)
          if (page.length === 0) break
          before = page.at(-1)!.position
          backwards.push(...textsOf(page))
        }
        assert.deepStrictEqual(backwards, all.toReversed())

        const forwards: Array<string> = []
        let after: number | undefined
        while (true) {
          const page: ReadonlyArray<HistoryMessage> = yield* alice.chats.messages(chatId, {
            after,
            order: "oldest-first",
            limit: 2
          })
          if (page.length === 0) break
          after = page.at(-1)!.position
          forwards.push(...textsOf(page))
        }
        assert.deepStrictEqual(forwards, all)

        const whole = yield* alice.chats.messages(chatId, { order: "oldest-first" })
        assert.deepStrictEqual(whole.map((m) => m.outgoing), all.map((_, i) => i % 2 === 0))
        for (const message of whole) {
          assert.deepStrictEqual(yield* alice.chats.message(chatId, message.randomId), Option.some(message))
        }
        // The other side numbers and names them alike.
        const theirs = yield* bob.chats.messages(chatId, { order: "oldest-first" })
        assert.deepStrictEqual(
          theirs.map((m) => [m.randomId, m.index, !m.outgoing]),
          whole.map((m) => [m.randomId, m.index, m.outgoing])
        )
      }), { timeout: 20_000 })
  })
}
