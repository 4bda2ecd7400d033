import * as Api from "@effect-mtproto/core/Api"
import * as LooseTl from "@effect-mtproto/gateway/LooseTl"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as Support from "./support.ts"

const noop = { _: "decryptedMessageService", action: { _: "decryptedMessageActionNoop" } }
const setTtl = { _: "decryptedMessageService", action: { _: "decryptedMessageActionSetMessageTTL", ttl_seconds: 60 } }
const encoded = (value: unknown) => encodeURIComponent(JSON.stringify(value))

layer(Support.World.layer(), { excludeTestServices: true, timeout: "60 seconds" })("the gateway", (it) => {
  it.effect("takes the documented form of a person in every encoding", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.World
      const path = `${ann}/messages.sendEncryptedService`
      const form = new FormData()
      form.set("peer", String(chatId))
      form.set("message", JSON.stringify(setTtl))
      const answers = [
        yield* client.fetch(`${path}?peer=${chatId}&message=${encoded(setTtl)}`),
        yield* client.fetch(path, {
          method: "POST",
          body: new URLSearchParams({ peer: String(chatId), message: JSON.stringify(setTtl) })
        }),
        yield* client.fetch(path, { method: "POST", body: form }),
        yield* client.post(path, { peer: chatId, message: setTtl }),
        // as curl -d sends it
        yield* client.fetch(path, {
          method: "POST",
          headers: { "content-type": "application/x-www-form-urlencoded" },
          body: JSON.stringify({ peer: chatId, message: setTtl })
        }),
        yield* client.fetch(`${ann}/messages->sendEncryptedService?peer=${chatId}`, {
          method: "POST",
          body: new URLSearchParams({ message: JSON.stringify(setTtl) })
        }),
        yield* client.fetch(`${ann}/messages.sendEncryptedService?chat_id=${chatId}&message=${encoded(setTtl)}`)
      ]
      for (const { body, headers, status } of answers) {
        assert.strictEqual(status, 200, JSON.stringify(body))
        assert.strictEqual(headers.get("content-type"), "application/json")
        assert.deepStrictEqual(Object.keys(body), ["ok", "result"])
        const { date, index, random_id, ...rest } = body.result
        assert.deepStrictEqual(rest, { _: "messages.sentEncryptedMessage", chat_id: chatId })
        assert.isNumber(date)
        assert.isNumber(index)
        assert.match(random_id, /^-?\d+$/)
      }
      const isTtl = (update: any) => update.message?.decrypted_message?.action?.ttl_seconds === 60
      yield* Support.hear(client, bob, isTtl)
    }))

  it.effect("takes every form of a peer", () =>
    Effect.gen(function*() {
      const { ann, chatId, client } = yield* Support.World
      const message = { _: "encryptedMessage", chat_id: chatId }
      const forms = [
        chatId,
        String(chatId),
        chatId - 2_000_000_000_000,
        { chat_id: chatId, access_hash: "5" },
        { _: "inputEncryptedChat", chat_id: chatId, access_hash: "5" },
        message,
        { _: "updateNewEncryptedMessage", message, qts: 1 },
        { update_id: 1, update: { _: "updateEncryption", chat: { _: "encryptedChat", id: chatId } } }
      ]
      for (const peer of forms) {
        const result = yield* client.call(`${ann}/messages.sendEncryptedService`, { peer, message: noop })
        assert.strictEqual(result.chat_id, chatId)
      }
    }))

  it.effect("answers a long text with an array, in order", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.World
      const text = "0123456789".repeat(1_000)
      const parts = yield* client.call(`${ann}/messages.sendEncrypted`, {
        peer: chatId,
        message: { _: "decryptedMessage", message: text }
      })
      assert.isAbove(parts.length, 1)
      const ids = parts.map((part: any) => part.random_id)
      yield* Support.hear(client, bob, (update) => update.message?.random_id === ids.at(-1))
      const history = yield* client.call(`${bob}/getSecretMessages`, { peer: chatId, order: "oldest-first" })
      const found = history.filter((one: any) => ids.includes(one.random_id))
      assert.deepStrictEqual(found.map((one: any) => one.random_id), ids)
      assert.strictEqual(found.map((one: any) => one.message.message).join(""), text)
      const one = yield* client.call(`${bob}/getSecretMessage`, { peer: chatId, random_id: ids[0] })
      assert.strictEqual(one.message.random_id, ids[0])
      const missing = yield* client.post(`${bob}/getSecretMessage`, { peer: chatId, random_id: "5" })
      assert.strictEqual(missing.body.parameters.type, "MESSAGE_UNKNOWN")
    }))

  it.effect("says what the server says, with its code", () =>
    Effect.gen(function*() {
      const { ann, chatId, client, telegram } = yield* Support.World
      const method = "messages.sendEncryptedService"
      const expect = (code: number, type: string, status: number, parameters: object) =>
        Effect.gen(function*() {
          yield* telegram.faults.failNext(method, { code, type })
          const { body, headers, status: got } = yield* client.post(`${ann}/${method}`, { peer: chatId, message: noop })
          assert.strictEqual(got, status)
          assert.strictEqual(body.ok, false)
          assert.strictEqual(body.error_code, status)
          assert.deepStrictEqual(body.parameters, { type, ...parameters })
          return { body, headers }
        })
      const invalid = yield* expect(400, "DATA_INVALID", 400, {})
      assert.match(invalid.body.description, /^DATA_INVALID: /)
      yield* expect(403, "USER_IS_BLOCKED", 403, {})
      const flood = yield* expect(420, "FLOOD_WAIT_77", 429, { retry_after: 77 })
      assert.strictEqual(flood.headers.get("retry-after"), "77")
      assert.strictEqual(flood.body.description, "Too Many Requests: retry after 77")
      // what was flooded keeps its place and goes out; nothing is lost for those after it
      yield* telegram.faults.clear
    }))

  it.effect("shows the key, equal on both sides", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.World
      const [mine, his] = [
        yield* client.call(`${ann}/getKeyPicture`, { peer: chatId }),
        yield* client.call(`${bob}/getKeyPicture`, { peer: chatId })
      ]
      assert.deepStrictEqual(mine, his)
      assert.strictEqual(Buffer.from(mine.hash.bytes, "base64").length, 36)
      const svg = yield* client.fetch(`${ann}/getKeyPicture?peer=${chatId}&format=svg`)
      assert.strictEqual(svg.headers.get("content-type"), "image/svg+xml")
      assert.match(svg.body, /^<svg/)
      const png = yield* client.fetch(`${ann}/getKeyPicture?peer=${chatId}&format=png`)
      assert.strictEqual(png.headers.get("content-type"), "image/png")
    }))

  it.effect("calls any other method by name", () =>
    Effect.gen(function*() {
      const { ann, client, telegram } = yield* Support.World
      const me = yield* client.call(`${ann}/getMe`)
      assert.strictEqual(me._, "user")
      assert.strictEqual(typeof me.id, "string")
      const config = yield* client.call(`${ann}/help.getConfig`)
      assert.strictEqual(config._, "config")
      const users = yield* client.fetch(`${ann}/users.getUsers?id=${encoded([{ _: "inputUserSelf" }])}`)
      assert.strictEqual(users.body.result[0].id, me.id)
      const bob = yield* client.call(`${ann}/contacts.resolvePhone`, { phone: "15550002" })
      // somebody that the session has met can be named by number
      const again = yield* client.call(`${ann}/users.getFullUser`, { id: bob.users[0].id })
      assert.strictEqual(again._, "users.userFull")
      yield* telegram.answer(Api.help.getPromoData, () => ({ _tag: "help.promoDataEmpty", expires: 5 }))
      assert.deepStrictEqual(yield* client.call(`${ann}/help->getPromoData`), { _: "help.promoDataEmpty", expires: 5 })
      assert.isDefined(LooseTl.method("help.getPromoData"))
      const unknown = yield* client.post(`${ann}/getDialogs`)
      assert.strictEqual(unknown.body.description, "There is no method \"getDialogs\"; there is messages.getDialogs")
      assert.isTrue(yield* client.call(`${ann}/enableGetUpdates`))
    }))

  it.effect("sends files as they come, and gives them back, whole or in part", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.World
      const bytes = new Uint8Array(300_000).map((_, i) => i * 31)
      const form = new FormData()
      form.set("peer", String(chatId))
      form.set("caption", "numbers")
      form.set("file", new Blob([bytes], { type: "application/x-numbers" }), "numbers.bin")
      const sent = yield* client.fetch(`${ann}/sendEncryptedFile`, { method: "POST", body: form })
      assert.strictEqual(sent.status, 200, JSON.stringify(sent.body))
      const { file, random_id } = sent.body.result
      assert.strictEqual(file._, "encryptedFile")
      const updates = yield* Support.hear(client, bob, (update) => update.message?.random_id === random_id)
      const { update } = updates.find((one) => one.update.message?.random_id === random_id)
      const path = `${bob}/downloadEncrypted?peer=${chatId}&random_id=${random_id}`
      const get = (headers: Record<string, string> = {}) =>
        Effect.promise(async () => {
          const response = await fetch(client.base + path, { headers })
          return { response, body: new Uint8Array(await response.arrayBuffer()) }
        })
      const whole = yield* get()
      assert.strictEqual(whole.response.status, 200)
      assert.strictEqual(whole.response.headers.get("content-length"), String(bytes.length))
      assert.strictEqual(whole.response.headers.get("content-type"), "application/x-numbers")
      assert.match(whole.response.headers.get("content-disposition")!, /numbers\.bin/)
      assert.isTrue(Buffer.from(whole.body).equals(bytes))
      for (
        const [range, from, to] of [["100-199", 100, 200], ["299990-", 299_990, 300_000], ["-5", 299_995, 300_000], [
          "0-0",
          0,
          1
        ], ["200000-999999", 200_000, 300_000]] as const
      ) {
        const part = yield* get({ range: `bytes=${range}` })
        assert.strictEqual(part.response.status, 206, range)
        assert.strictEqual(part.response.headers.get("content-range"), `bytes ${from}-${to - 1}/300000`)
        assert.isTrue(Buffer.from(part.body).equals(bytes.subarray(from, to)), range)
      }
      const beyond = (yield* get({ range: "bytes=300000-" })).response
      assert.strictEqual(beyond.status, 416)
      assert.strictEqual(beyond.headers.get("content-range"), "bytes */300000")
      // by the update alone
      const direct = yield* Effect.promise(async () => {
        const response = await fetch(`${client.base}${bob}/downloadEncrypted`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ message: update })
        })
        return new Uint8Array(await response.arrayBuffer())
      })
      assert.isTrue(Buffer.from(direct).equals(bytes))
      // the sender can have it as well
      const own = yield* client.fetch(`${ann}/downloadEncrypted?peer=${chatId}&random_id=${random_id}`)
      assert.strictEqual(own.status, 200)
    }))

  it.effect("uploads a file first and sends it then", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.World
      const form = new FormData()
      form.set("file", new Blob(["twelve bytes"]), "a.txt")
      const uploaded = yield* client.fetch(`${ann}/uploadEncrypted`, { method: "POST", body: form })
      assert.strictEqual(uploaded.status, 200, JSON.stringify(uploaded.body))
      const { result } = uploaded.body
      assert.strictEqual(Buffer.from(result.key.bytes, "base64").length, 32)
      const sent = yield* client.call(`${ann}/messages.sendEncryptedFile`, {
        peer: chatId,
        message: {
          _: "decryptedMessage",
          message: "",
          media: {
            _: "decryptedMessageMediaDocument",
            mime_type: "text/plain",
            caption: "a text",
            attributes: [{ _: "documentAttributeFilename", file_name: "a.txt" }]
          }
        },
        file: result
      })
      yield* Support.hear(client, bob, (update) => update.message?.random_id === sent.random_id)
      const got = yield* client.fetch(`${bob}/downloadEncrypted?peer=${chatId}&random_id=${sent.random_id}`)
      assert.strictEqual(got.body, "twelve bytes")
    }))

  it.effect("has the other shape, with its own envelope", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.World
      const token = ann.slice("/user".length)
      const id = token.split(":")[0]!
      const bearer = { authorization: `Bearer ${token}` }
      const sent = yield* client.post(`/api/${id}/messages.sendEncryptedService`, {
        data: { peer: chatId, message: noop }
      }, bearer)
      assert.deepStrictEqual(Object.keys(sent.body), ["success", "response", "errors"])
      assert.strictEqual(sent.body.response.chat_id, chatId)
      const basic = { authorization: `Basic ${Buffer.from(`x:${token}`).toString("base64")}` }
      assert.strictEqual((yield* client.post(`/api/${id}/getSelf`, {}, basic)).body.response.id, id)
      assert.strictEqual((yield* client.fetch(`/api/${token}/getSelf`)).body.response.id, id)
      for (const [peer, has] of [[chatId, true], [5, false]] as const) {
        assert.strictEqual((yield* client.post(`/api/${id}/hasSecretChat`, { peer }, bearer)).body.response, has)
      }
      const wrong = yield* client.post(`/api/${id}/getSecretChat`, { peer: 5 }, bearer)
      assert.strictEqual(wrong.status, 404)
      assert.strictEqual(wrong.body.errors[0].exception, "CHAT_UNKNOWN")
      // somebody else's session
      const other = bob.slice("/user".length).split(":")[0]!
      const forbidden = yield* client.post(`/api/${other}/getSecretChats`, {}, bearer)
      assert.strictEqual(forbidden.status, 403)
      assert.strictEqual((yield* client.post(`/api/${id}/getSelf`)).status, 401)
    }))

  it.effect("signals, reads and says how chats stand", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.World
      assert.strictEqual(yield* client.call(`${ann}/messages.setEncryptedTyping`, { peer: chatId, typing: true }), true)
      yield* Support.hear(client, bob, (update) => update._ === "updateEncryptedChatTyping")
      const { date } = yield* client.call(`${ann}/sendEncrypted`, { peer: chatId, message: "seen?" })
      yield* Support.hear(client, bob, (update) => update.message?.decrypted_message?.message === "seen?")
      yield* client.call(`${bob}/messages.readEncryptedHistory`, { peer: chatId, max_date: date })
      yield* Support.hear(client, ann, (update) => update._ === "updateEncryptedMessagesRead")
      assert.strictEqual(yield* client.call(`${ann}/secret_chat_status`, { peer: chatId }), 2)
      const chat = yield* client.call(`${ann}/get_secret_chat`, { peer: chatId })
      assert.strictEqual(chat.dialog_id, chatId - 2_000_000_000_000)
      assert.notProperty(chat, "key")
    }))
})

describe("logins", () => {
  it.live("go step by step, with passwords, and end", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      yield* telegram.createAccount({
        phone: "+15550003",
        firstName: "Cay",
        password: "correct horse",
        passwordHint: "a horse"
      })
      const client = yield* Support.start(telegram, join(yield* Support.folder, "gateway.db"))
      const temporary = yield* client.call("/phoneLogin", { phone: "+1 (555) 000-3" })
      const path = `/user${temporary}`
      assert.match(temporary, /^[\w-]{43}$/)
      const early = yield* client.post(`${path}/getSecretChats`)
      assert.strictEqual(early.status, 401)
      assert.match(early.body.description, /completephonelogin/)
      const wrong = yield* client.post(`${path}/completephonelogin`, { code: "0" })
      assert.strictEqual(wrong.body.parameters.type, "PHONE_CODE_INVALID")
      assert.strictEqual((yield* client.post(`${path}/complete2FALogin`, { password: "x" })).status, 400)
      const code = yield* telegram.loginCode("+15550003")
      const two = yield* client.post(`${path}/completephonelogin`, { code })
      assert.strictEqual(two.status, 401)
      assert.match(two.body.description, /^2FA is enabled.*a horse/)
      const bad = yield* client.post(`${path}/complete2FALogin`, { password: "wrong" })
      assert.strictEqual(bad.body.parameters.type, "PASSWORD_HASH_INVALID")
      const token = yield* client.call(`${path}/complete2FALogin`, { password: "correct horse" })
      assert.match(token, /^\d+:[\w-]{43}$/)
      // the first token is worth nothing any more
      assert.strictEqual((yield* client.post(`${path}/getMe`)).status, 401)
      const me = yield* client.call(`/user${token}/getMe`)
      assert.strictEqual(me.first_name, "Cay")
      assert.strictEqual(yield* client.call(`/user${token}/logOut`), true)
      assert.strictEqual((yield* client.post(`/user${token}/getMe`)).status, 401)
    }).pipe(Effect.scoped))

  it.live("say what the server says to unknown numbers, and keep nothing", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      const client = yield* Support.start(telegram, join(yield* Support.folder, "gateway.db"))
      assert.strictEqual((yield* client.post("/phonelogin", { phone: "x" })).body.parameters.type, "PHONE_INVALID")
      const temporary = yield* client.post("/phonelogin", { phone: "+15559999" })
      if (temporary.status === 200) {
        const code = yield* client.post(`/user${temporary.body.result}/completephonelogin`, { code: "12345" })
        assert.isAtLeast(code.status, 400)
      } else assert.isAtLeast(temporary.status, 400)
    }).pipe(Effect.scoped))

  it.live("of bots: the server's own refusal, and the comma of the documentation", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      const token = `7001:${"A".repeat(35)}`
      yield* telegram.createAccount({ phone: "+15557001", firstName: "Robot", botToken: token })
      const client = yield* Support.start(telegram, join(yield* Support.folder, "gateway.db"))
      const params =
        `{"peer": {"_": "inputEncryptedChat", "chat_id": 5, "access_hash": 0}, "message": {"_": "decryptedMessageService", "action": {"_": "decryptedMessageActionNoop"}}, }`
      const answer = yield* client.fetch(
        `/bot${token}/madeline?method=messages.sendEncryptedService&params=${encodeURIComponent(params)}`
      )
      assert.strictEqual(answer.status, 400)
      assert.deepStrictEqual(answer.body.parameters, { type: "BOT_METHOD_INVALID" })
      const config = yield* client.post(`/bot${token}/madeline`, { method: "help->getConfig", params: {} })
      assert.strictEqual(config.body.result._, "config")
      assert.strictEqual((yield* client.call(`/bot${token}/getMe`)).first_name, "Robot")
      assert.strictEqual((yield* client.post(`/bot${token}/requestSecretChat`, { user: 5 })).status, 400)
      const unknown = yield* client.fetch(`/bot7002:${"B".repeat(35)}/getMe`)
      assert.strictEqual(unknown.status, 400)
      assert.strictEqual(unknown.body.parameters.type, "ACCESS_TOKEN_INVALID")
      assert.strictEqual((yield* client.fetch("/botx/getMe")).status, 401)
    }).pipe(Effect.scoped))
})
