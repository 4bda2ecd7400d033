import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Support from "./support.ts"

describe("the gateway", () => {
  it.live("sends by the documented forms, from login to the other side", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.world()
      const message = {
        _: "decryptedMessageService",
        action: { _: "decryptedMessageActionSetMessageTTL", ttl_seconds: 60 }
      }
      const query = `peer=${chatId}&message=${encodeURIComponent(JSON.stringify(message))}`
      const answer = yield* client.fetch(`${ann}/messages.sendEncryptedService?${query}`)
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.headers.get("content-type"), "application/json")
      assert.strictEqual(answer.body.ok, true)
      assert.strictEqual(answer.body.result._, "messages.sentEncryptedMessage")
      assert.isNumber(answer.body.result.date)
      assert.strictEqual(typeof answer.body.result.random_id, "string")
      const text = yield* client.call(`${ann}/messages->sendEncrypted`, {
        peer: { _: "inputEncryptedChat", chat_id: chatId, access_hash: "1" },
        message: { _: "decryptedMessage", message: "hello" }
      })
      const updates = yield* Support.hear(
        client,
        bob,
        (update) => update.message?.decrypted_message?.message === "hello"
      )
      const ttl = updates.find(({ update }) => update.message?._ === "encryptedMessageService")
      assert.deepStrictEqual(ttl.update.message.decrypted_message.action, message.action)
      const last = updates.at(-1).update.message
      assert.strictEqual(last.random_id, text.random_id)
      assert.strictEqual(last.chat_id, chatId)
    }).pipe(Effect.scoped))
})
