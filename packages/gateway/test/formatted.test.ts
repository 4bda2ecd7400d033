import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as Formatted from "@effect-mtproto/gateway/Formatted"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Support from "./support.ts"

const said = (text: string) => (update: any) => update.message?.decrypted_message?.message === text

describe("parse_mode, names of bots, data", () => {
  it.live("beside a message, in it, in a form, and in ordinary chats", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.world()
      const heard = Effect.fnUntraced(function*(text: string) {
        const all = yield* Support.hear(client, bob, said(text))
        return all.map(({ update }) => update).find(said(text)).message.decrypted_message
      })
      yield* client.call(`${ann}/messages.sendEncrypted`, {
        chat_id: chatId,
        text: "<b>one</b> 👍<i>é</i>",
        parse_mode: "HTML",
        disable_notification: true
      })
      const one = yield* heard("one 👍é")
      assert.deepStrictEqual(one.entities, [
        { _: "messageEntityBold", offset: 0, length: 3 },
        { _: "messageEntityItalic", offset: 6, length: 1 }
      ])
      assert.isTrue(one.silent)
      yield* client.call(`${ann}/messages.sendEncrypted`, {
        peer: chatId,
        message: {
          _: "decryptedMessage",
          text: "**two** no_names",
          parse_mode: "Markdown",
          reply_to_message_id: "42",
          disable_web_page_preview: true
        }
      })
      const two = yield* heard("two no_names")
      assert.deepStrictEqual(two.entities, [{ _: "messageEntityBold", offset: 0, length: 3 }])
      assert.strictEqual(two.reply_to_random_id, "42")
      const form = new URLSearchParams({ peer: String(chatId), message: "_three_", parse_mode: "markdownv2" })
      assert.strictEqual((yield* client.fetch(`${ann}/sendEncrypted`, { method: "POST", body: form })).status, 200)
      assert.deepStrictEqual((yield* heard("three")).entities, [{ _: "messageEntityItalic", offset: 0, length: 5 }])
      const file = new FormData()
      file.set("peer", String(chatId))
      file.set("message", "<u>four</u>")
      file.set("parse_mode", "HTML")
      file.set("file", new Blob(["content"]), "a.txt")
      const { body } = yield* client.fetch(`${ann}/sendEncryptedFile`, { method: "POST", body: file })
      assert.isTrue(body.ok)
      assert.deepStrictEqual((yield* heard("four")).entities, [{ _: "messageEntityUnderline", offset: 0, length: 4 }])

      // an ordinary chat, with somebody named who was met
      const { users } = yield* client.call(`${ann}/contacts.resolvePhone`, { phone: "15550002" })
      const { id } = users[0]
      yield* client.call(`${ann}/messages.sendMessage`, {
        peer: id,
        message: `<a href="tg://user?id=${id}">you</a> and <s>me</s>`,
        parse_mode: "HTML"
      })
      const ordinary = (update: any) => update.message?.message === "you and me"
      const all = yield* Support.hear(client, bob, ordinary)
      const { message } = all.map(({ update }) => update).find(ordinary)
      assert.deepInclude(message.entities.at(-1), { _: "messageEntityStrike", offset: 8, length: 2 })
      yield* client.call(`${ann}/messages.sendMessage`, { peer: id, message: "an answer", reply_to_msg_id: 1 })
    }).pipe(Effect.scoped))

  it.live("a message that is TL already is sent; what is encrypted is refused", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.world()
      const base64 = (message: string, randomId: bigint) =>
        Buffer.from(
          TlCodec.encode(SecretApi.DecryptedMessage)({ _tag: "decryptedMessage", randomId, ttl: 0, message })
        ).toString("base64")
      const data = { _: "bytes", bytes: base64("as bytes", 4711n) }
      const sent = yield* client.call(`${ann}/messages.sendEncryptedService`, { peer: chatId, data })
      assert.strictEqual(sent.random_id, "4711")
      yield* Support.hear(client, bob, said("as bytes"))
      yield* client.call(`${ann}/messages.sendEncrypted`, { peer: chatId, data: base64("in base64", 0n) })
      yield* Support.hear(client, bob, said("in base64"))
      const frame = { _: "bytes", bytes: Buffer.alloc(120, 0x5a).toString("base64") }
      const { body, status } = yield* client.post(`${ann}/messages.sendEncrypted`, { peer: chatId, data: frame })
      assert.strictEqual(status, 400)
      assert.match(
        body.description,
        /^Parameter data: this is no serialised DecryptedMessage\. What is encrypted already/
      )
      assert.strictEqual(body.parameters.type, "MESSAGE_INVALID")
    }).pipe(Effect.scoped))

  it("what is wrong is said", () => {
    const problem = (given: Formatted.JsonObject, mode?: unknown) => {
      const result = Formatted.message(given, mode)
      return Result.isFailure(result) ? result.failure.description : ""
    }
    assert.strictEqual(
      problem({ message: "<b>x" }, "HTML"),
      "Parameter message: HTML, character 0: <b> is not closed"
    )
    assert.match(problem({ message: "x" }, "BBCode"), /^Parameter parse_mode: expected HTML, Markdown or MarkdownV2$/)
    assert.match(problem({ message: 5 }, "HTML"), /a text is required where there is a parse_mode/)
    assert.match(problem({ message: "x", entities: [], parse_mode: "HTML" }), /exclude each other/)
    assert.strictEqual(problem({ message: "x", entities: [], parse_mode: "" }), "")
    assert.strictEqual(problem({ action: {} }, "HTML"), "")
  })

  it("who is named is looked up, whoever is not known is not named", () => {
    const given = { message: "<a href='tg://user?id=5'>x</a><a href='mention:6'>y</a>", parse_mode: "HTML" }
    assert.deepStrictEqual(Formatted.mentioned(given), [5n, 6n])
    assert.deepStrictEqual(Formatted.mentioned({ message: "x", parse_mode: "HTML" }), [])
    const made = Formatted.parameters(
      "messages.sendMessage",
      given,
      (userId) => userId === 5n ? { _tag: "inputUser", userId, accessHash: 9n } : undefined
    )
    assert.deepStrictEqual(
      made,
      Result.succeed({
        message: "xy",
        entities: [{
          _: "inputMessageEntityMentionName",
          offset: 0,
          length: 1,
          user_id: { _: "inputUser", user_id: "5", access_hash: "9" }
        }]
      })
    )
  })
})
