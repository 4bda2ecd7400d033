import * as AllowedUpdates from "@effect-mtproto/gateway/AllowedUpdates"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as Support from "./support.ts"

const said = (text: string) => (update: any) => update._ === "updateNewMessage" && update.message.message === text
const whispered = (text: string) => (update: any) => update.message?.decrypted_message?.message === text

/** Bob writes to Ann, not in a secret chat. */
const write = (client: Support.Client, bob: string, message: string) =>
  client.call(`${bob}/messages.sendMessage`, { peer: "+15550001", message })

describe("other updates", () => {
  it.live("are in the same inbox, with who they name, and whoever was met can be named by id", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.world()
      yield* write(client, bob, "an ordinary message")
      const found = yield* Support.hear(client, ann, said("an ordinary message"))
      const { update, users, update_id } = found.find((one) => said("an ordinary message")(one.update))
      const { user_id } = update.message.peer_id
      assert.deepStrictEqual(users.map((user: any) => [user._, user.id, user.first_name]), [["user", user_id, "Bob"]])
      assert.isString(user_id)
      yield* client.call(`${ann}/messages.sendMessage`, { peer: user_id, message: "an ordinary answer" })
      yield* Support.hear(client, bob, said("an ordinary answer"))
      // numbers are those of one inbox, also after a secret message
      yield* client.call(`${bob}/sendEncrypted`, { peer: chatId, message: "a secret one" })
      const later = yield* Support.hear(client, ann, whispered("a secret one"))
      assert.deepStrictEqual(later.map((one) => one.update_id), later.map((_, i) => later[0].update_id + i))
      assert.isTrue(later.some((one) => one.update_id === update_id))
      // who is online is told to nobody who has not asked for it
      assert.isFalse(later.some((one) => /Status|UserTyping$/.test(one.update._)))
    }).pipe(Effect.scoped))

  it.live("are chosen by allowed_updates, in every way to get them, and the choice is kept", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.world()
      for (const wrong of [["updateNothing"], [1], {}, 5, ["*", null]]) {
        const { body, status } = yield* client.post(`${ann}/getUpdates`, { allowed_updates: wrong })
        assert.strictEqual(status, 400)
        assert.match(body.description, /^Parameter allowed_updates: /)
      }
      yield* client.call(`${ann}/getUpdates`, { allowed_updates: ["updateDeleteMessages", "secret_chats"] })
      const { allowed_updates } = yield* client.call(`${ann}/getWebhookInfo`)
      assert.deepStrictEqual(allowed_updates, ["secret_chats", "updateDeleteMessages"])
      const sent = yield* write(client, bob, "unwanted")
      const { id } = sent._ === "updates" ? sent.updates.find((one: any) => one._ === "updateMessageID") : sent
      yield* client.call(`${bob}/messages.deleteMessages`, { id: [id], revoke: true })
      yield* Support.hear(client, ann, (update) => update._ === "updateDeleteMessages")
      yield* client.call(`${bob}/sendEncrypted`, { peer: chatId, message: "wanted" })
      yield* Support.hear(client, ann, whispered("wanted"))
      yield* client.fetch(`${ann}/getUpdates?allowed_updates=updateNewMessage`)
      yield* write(client, bob, "now wanted")
      const heard = yield* Support.hear(client, ann, said("now wanted"))
      assert.isFalse(heard.some(({ update }) => said("unwanted")(update)))
      yield* client.call(`${bob}/sendEncrypted`, { peer: chatId, message: "not any more" })
      yield* write(client, bob, "the last")
      assert.isFalse(
        (yield* Support.hear(client, ann, said("the last"))).some(({ update }) => whispered("not any more")(update))
      )
    }).pipe(Effect.scoped))

  it.live("are posted to a webhook", () =>
    Effect.gen(function*() {
      const { ann, bob, client } = yield* Support.world()
      const posts: Array<any> = []
      const hook = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer((request, response) => {
            let text = ""
            request.on("data", (chunk) => {
              text += chunk
            })
            request.on("end", () => {
              posts.push(JSON.parse(text))
              response.end()
            })
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      )
      const { port } = hook.address() as AddressInfo
      yield* client.call(`${ann}/setWebhook`, {
        url: `http://127.0.0.1:${port}/`,
        allowed_updates: ["updateNewMessage"]
      })
      yield* write(client, bob, "to the webhook")
      yield* Support.until(Effect.sync(() => posts), (all) => all.some(({ update }) => said("to the webhook")(update)))
      const { update_id, users } = posts.find(({ update }) => said("to the webhook")(update))
      assert.isNumber(update_id)
      assert.strictEqual(users[0].first_name, "Bob")
      yield* client.call(`${ann}/deleteWebhook`)
    }).pipe(Effect.scoped))

  it.live("that come while the session is closed are fetched when it is opened", () =>
    Effect.gen(function*() {
      const { ann, bob, client } = yield* Support.world({ idle: "500 millis" })
      yield* Support.until(
        client.fetch("/metrics"),
        ({ body }) => /^gateway_open_sessions(?:\{[^}]*\})? 0$/m.test(body)
      )
      yield* write(client, bob, "while nobody is there")
      yield* Support.hear(client, ann, said("while nobody is there"))
    }).pipe(Effect.scoped))
})

describe("AllowedUpdates", () => {
  it("an array, its JSON, or one name", () => {
    for (const value of [["updateNewMessage", "*"], ["*", "updateNewMessage", "*"], `["*","updateNewMessage"]`]) {
      assert.deepStrictEqual(AllowedUpdates.parse(value), Result.succeed(["*", "updateNewMessage"]))
    }
    assert.deepStrictEqual(AllowedUpdates.parse("updateEncryption"), Result.succeed(["updateEncryption"]))
    assert.deepStrictEqual(AllowedUpdates.parse(""), Result.succeed([]))
    for (const value of ["nothing", "[", `["x"]`, null, {}, [[]], Array.from({ length: 501 }, () => "*")]) {
      assert.isTrue(Result.isFailure(AllowedUpdates.parse(value)))
    }
  })

  it("what is let in", () => {
    const all = [
      "updateNewMessage",
      "updateUserStatus",
      "updateUserTyping",
      "updateSecretChat",
      "updateEncryptedChatTyping"
    ]
    const wanted = (...names: ReadonlyArray<string>) => all.filter(AllowedUpdates.filter(names))
    assert.deepStrictEqual(wanted(), ["updateNewMessage", "updateSecretChat", "updateEncryptedChatTyping"])
    assert.deepStrictEqual(wanted("*"), all)
    assert.deepStrictEqual(wanted("secret_chats"), ["updateSecretChat", "updateEncryptedChatTyping"])
    assert.deepStrictEqual(wanted("updateUserStatus", "secret_chats"), [
      "updateUserStatus",
      "updateSecretChat",
      "updateEncryptedChatTyping"
    ])
  })
})
