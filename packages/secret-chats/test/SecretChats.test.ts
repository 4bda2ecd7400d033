import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually, messagesOf, pair } from "./support/Peers.ts"

describe("SecretChats", () => {
  it.live("two people come to a chat and talk", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId } = yield* pair()
      const [a, b] = [yield* alice.chats.keyPicture(chatId), yield* bob.chats.keyPicture(chatId)]
      assert.deepStrictEqual(a, b)
      const outcome = yield* alice.chats.sendText(chatId, "hello")
      assert.isFalse(Array.isArray(outcome))
      yield* bob.chats.sendText(chatId, "hi")
      yield* eventually(() => messagesOf(bob).length === 1 && messagesOf(alice).length === 1)
      assert.deepStrictEqual(messagesOf(bob), ["hello"])
      assert.deepStrictEqual(messagesOf(alice), ["hi"])
    }))
})
