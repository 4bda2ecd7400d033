import * as GatewayClient from "@effect-mtproto/gateway/GatewayClient"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { answerProblems } from "./jsonSchema.ts"
import * as Support from "./support.ts"

interface Json {
  readonly [key: string]: any
}

const noop = { _: "decryptedMessageService", action: { _: "decryptedMessageActionNoop" } }
const botToken = `7001:${"A".repeat(35)}`

const asPairs = (params: Json): ReadonlyArray<readonly [string, string]> =>
  Object.entries(params).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)])

const formData = (params: Json, file?: Blob) => {
  const form = new FormData()
  for (const [name, value] of asPairs(params)) form.set(name, value)
  if (file !== undefined) form.set("file", file, "a file.txt")
  return form
}

/** One request in each form that there is. */
const forms: { readonly [name: string]: (path: string, params: Json) => readonly [string, RequestInit] } = {
  json: (path, params) => [path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(params)
  }],
  query: (path, params) => [`${path}?${new URLSearchParams(asPairs(params).map((pair) => [...pair]))}`, {}],
  form: (path, params) => [path, {
    method: "POST",
    body: new URLSearchParams(asPairs(params).map((pair) => [...pair]))
  }],
  multipart: (path, params) => [path, { method: "POST", body: formData(params) }]
}

layer(Support.World.layer({ limits: { requestTime: "30 seconds" } }), {
  excludeTestServices: true,
  timeout: "60 seconds"
})("every operation", (it) => {
  it.effect("answers what the description says, in every form", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client, telegram } = yield* Support.World
      yield* telegram.createAccount({ phone: "+15557001", firstName: "Robot", botToken })
      yield* telegram.createAccount({ phone: "+15550003", firstName: "Cay" })
      yield* telegram.createAccount({ phone: "+15550004", firstName: "Dee", password: "correct horse" })
      const { body: spec } = yield* client.fetch("/openapi.json")
      const done = new Set<string>()

      /** Makes a request, and holds its answer against the document. */
      const check = Effect.fnUntraced(function*(template: string, path: string, init: RequestInit, status = 200) {
        const method = init.method === "POST" ? "post" : "get"
        const operation = spec.paths[template][method]
        const answer = yield* client.fetch(path, init)
        const what = `${method} ${template}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 400)}`
        assert.deepStrictEqual(answerProblems(spec, operation, answer), [], what)
        assert.strictEqual(answer.status, status, what)
        if (status < 300) done.add(`${method} ${template}`)
        return answer.body.result
      })
      const call = (form: string, session: string, method: string, params: Json = {}, status = 200) =>
        check(
          `${/^\/(?:user|bot)/.exec(session)![0]}{token}/${method}`,
          ...forms[form]!(`${session}/${method}`, params),
          status
        )

      for (const path of ["/health", "/ready", "/metrics"]) yield* check(path, path, {})
      for (const form of Object.keys(forms)) {
        const ofAnn = (method: string, params?: Json, status?: number) => call(form, ann, method, params, status)
        const ofBob = (method: string, params?: Json, status?: number) => call(form, bob, method, params, status)

        // messages
        yield* ofAnn("messages.sendEncryptedService", { peer: chatId, message: noop })
        const sent = yield* ofAnn("messages.sendEncrypted", { peer: chatId, message: "hello", silent: true })
        yield* Support.hear(client, bob, (update) => update.message?.random_id === sent.random_id)
        yield* ofBob("messages.setEncryptedTyping", { peer: chatId, typing: true })
        yield* ofBob("messages.readEncryptedHistory", { peer: chatId, max_date: sent.date })
        yield* ofBob("getSecretMessages", { peer: chatId, limit: 5, order: "oldest-first" })
        yield* ofBob("getSecretMessage", { peer: chatId, random_id: sent.random_id })
        const several = yield* ofAnn("messages.sendEncrypted", {
          peer: chatId,
          message: { _: "decryptedMessage", message: "many words ".repeat(500) }
        })
        assert.strictEqual(several.length, 2)
        yield* ofAnn("messages.sendEncrypted", { peer: chatId, message: { _: "decryptedMessage" } })
        yield* ofAnn("messages.sendEncrypted", { peer: chatId, message: { _: "nope" } }, 400)

        // files
        const blob = new Blob(["some bytes"], { type: "text/plain" })
        const uploaded = yield* check(
          "/user{token}/uploadEncrypted",
          `${ann}/uploadEncrypted`,
          { method: "POST", body: formData({}, blob) }
        )
        const file = yield* ofAnn("messages.sendEncryptedFile", { peer: chatId, caption: "a file", file: uploaded })
        yield* check("/user{token}/messages.sendEncryptedFile", `${ann}/messages.sendEncryptedFile`, {
          method: "POST",
          body: formData({ peer: chatId, message: "**bold**", parse_mode: "Markdown" }, blob)
        })
        const download = { peer: chatId, random_id: file.random_id }
        yield* ofAnn("downloadEncrypted", download)
        const [path, init] = forms[form]!(`${ann}/downloadEncrypted`, download)
        const ranged = (range: string) => ({ ...init, headers: { ...init.headers as Record<string, string>, range } })
        yield* check("/user{token}/downloadEncrypted", path, ranged("bytes=2-4"), 206)
        yield* check("/user{token}/downloadEncrypted", path, ranged("bytes=1000-"), 416)

        // updates
        yield* ofBob("getUpdates", { limit: 100, allowed_updates: [] })
        yield* ofBob("getUpdates", { limit: 0 }, 400)
        yield* ofBob("setWebhook", { url: "http://127.0.0.1:1/" })
        yield* ofBob("getUpdates", {}, 409)
        yield* Support.until(client.call(`${bob}/getWebhookInfo`), (info) => info.last_error_message !== undefined)
        yield* ofBob("getWebhookInfo")
        yield* ofBob("setWebhook", { url: "http://127.0.0.1:1/", secret: "s" })
        yield* ofBob("setWebhook", { url: "" })
        yield* ofBob("deleteWebhook")

        // chats
        for (const accept of ["none", "allow", true, false, [1, "2"], "ask"]) yield* ofAnn("setPolicy", { accept })
        yield* ofAnn("getPolicy")
        // what costs a key exchange is not tried in forms that are read like these two
        if (form !== "json" && form !== "query") continue
        const asked = yield* ofAnn("requestSecretChat", { user: "@bobby" })
        yield* Support.hear(client, bob, (update) => update.chat?.id === asked.chat_id)
        yield* ofAnn("messages.sendEncrypted", { peer: asked.chat_id, message: "too early" }, 409)
        yield* ofBob("acceptSecretChat", { peer: asked.chat_id })
        yield* ofBob("notifyLayer", { peer: asked.chat_id })
        yield* ofBob("discardSecretChat", { peer: asked.chat_id, delete_history: false })
        yield* ofBob("messages.sendEncrypted", { peer: asked.chat_id, message: "too late" }, 409)
        yield* ofBob("forgetSecretChat", { peer: asked.chat_id })
        const other = yield* ofAnn("requestSecretChat", {
          user: { _: "inputUser", ...yield* idsOf(client, ann, "bobby") }
        })
        yield* Support.hear(client, bob, (update) => update.chat?.id === other.chat_id)
        yield* ofBob("declineSecretChat", { peer: other.chat_id })
        yield* ofBob("getSecretChat", { peer: chatId })
        yield* ofBob("getSecretChat", { peer: 5 }, 404)
        yield* ofAnn("getSecretChats")
        yield* ofAnn("secretChatStatus", { peer: chatId })
        yield* ofAnn("getKeyPicture", { peer: chatId })
        yield* ofAnn("getKeyPicture", { peer: chatId, format: "svg" })
        yield* ofAnn("getKeyPicture", { peer: chatId, format: "png" })

        // everything else
        yield* ofAnn("getMe")
        const [url, how] = forms[form]!(`${ann}/help->getConfig`, {})
        yield* check("/user{token}/{method}", url, how)
        const [madeline, with_] = forms[form]!(`/bot${botToken}/madeline`, { method: "help.getConfig", params: "{}" })
        yield* check("/bot{token}/madeline", madeline, with_)
        yield* call(form, `/bot${botToken}`, "madeline", {
          method: "messages.sendEncryptedService",
          params: { peer: 5, message: noop }
        }, 400)

        // logins
        const login = Effect.fnUntraced(function*(phone: string, status = 200) {
          const temporary = yield* check("/phonelogin", ...forms[form]!("/phonelogin", { phone }))
          const session = `/user${temporary}`
          yield* call(form, session, "getMe", {}, 401)
          const code = yield* telegram.loginCode(phone)
          return [session, yield* call(form, session, "completephonelogin", { code }, status)] as const
        })
        const [, cay] = yield* login("+15550003")
        yield* call(form, `/user${cay}`, "logOut")
        const [dee] = yield* login("+15550004", 401)
        yield* call(form, dee, "complete2FALogin", { password: "wrong" }, 400)
        const token = yield* call(form, dee, "complete2FALogin", { password: "correct horse" })
        yield* call(form, `/user${token}`, "logOut")
        const [nobody, init2] = forms[form]!("/phonelogin", { phone: "+15559999" })
        const unknown = yield* client.fetch(nobody, init2)
        if (unknown.status === 200) {
          const signUp = yield* client.fetch(
            ...forms[form]!(`/user${unknown.body.result}/completesignup`, { first_name: "N" })
          )
          assert.deepStrictEqual(
            answerProblems(spec, spec.paths["/user{token}/completesignup"].post, signUp),
            [],
            JSON.stringify(signUp.body)
          )
        }
      }

      const all = Object.entries(spec.paths as Json).flatMap(([path, item]) =>
        Object.keys(item as Json).map((method) => `${method} ${path}`)
      )
      assert.deepStrictEqual(all.filter((one) => !done.has(one)), [
        // streams are tested elsewhere
        "get /user{token}/events",
        "get /user{token}/websocket",
        // only apps of Telegram's own make accounts
        "post /user{token}/completesignup",
        "get /user{token}/completesignup"
      ])
    }))

  it.effect("is a typed call", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client, telegram } = yield* Support.World
      const gateway = yield* GatewayClient.GatewayClient.pipe(
        Effect.provide(GatewayClient.layer({ baseUrl: client.base }))
      )
      const params = { token: ann.slice("/user".length) }
      const his = { params: { token: bob.slice("/user".length) } }
      const headers = {}
      const payload = { peer: chatId }

      const file = new Blob(["typed bytes"], { type: "text/x-typed" })
      const uploaded = yield* gateway.messages.uploadEncrypted({ params, payload: formData({}, file) })
      const direct = yield* gateway.messages.sendEncryptedFile({
        params,
        headers,
        payload: { peer: chatId, caption: "by reference", file: uploaded.result }
      })
      const formed = yield* gateway.messages.sendEncryptedFile({
        params,
        headers,
        payload: formData({ peer: chatId }, file)
      })
      for (const { result } of [direct, formed]) {
        if ("length" in result) return assert.fail("one outcome was expected")
        assert.strictEqual(typeof result.file?.size, "bigint")
        const download = yield* gateway.messages.downloadEncrypted({
          params,
          payload: { peer: chatId, random_id: String(result.random_id) }
        })
        assert.strictEqual(yield* Stream.mkString(Stream.decodeText(download)), "typed bytes")
      }
      const { result: noted } = yield* gateway.messages.sendEncryptedService({
        params,
        headers: { "idempotency-key": "typed" },
        payload: { peer: chatId, message: noop }
      })
      const again = yield* gateway.messages.sendEncryptedService({
        params,
        headers: { "idempotency-key": "typed" },
        payload: { peer: chatId, message: noop }
      })
      assert.deepStrictEqual(again.result, noted)
      const { result: said } = yield* gateway.messages.sendEncrypted({
        params,
        headers,
        payload: { peer: chatId, message: "*typed*", parse_mode: "MarkdownV2" }
      })
      if ("length" in said) return assert.fail("one outcome was expected")
      const id = { peer: chatId, random_id: String(said.random_id) }
      assert.strictEqual((yield* gateway.messages.message({ params, payload: id })).result.random_id, said.random_id)
      assert.isAbove((yield* gateway.messages.history({ params, payload })).result.length, 0)
      assert.isTrue((yield* gateway.messages.typing({ params, payload })).result)
      assert.isTrue((yield* gateway.messages.markRead({ ...his, payload: { ...payload, max_date: said.date } })).result)

      const { result: asked } = yield* gateway.chats.request({ params, headers, payload: { user: "@bobby" } })
      const { result: refused } = yield* gateway.chats.request({ params, headers, payload: { user: "@bobby" } })
      yield* Support.hear(client, bob, (update) => update.chat?.id === refused.chat_id)
      const { result: accepted } = yield* gateway.chats.accept({ ...his, payload: { peer: asked.chat_id } })
      assert.strictEqual(typeof accepted.key_hash?.bytes.length, "number")
      assert.isTrue((yield* gateway.chats.notifyLayer({ ...his, payload: { peer: asked.chat_id } })).result)
      const { result: closed } = yield* gateway.chats.discard({ ...his, payload: { peer: asked.chat_id } })
      assert.strictEqual(closed.state, "closed")
      assert.isTrue((yield* gateway.chats.forget({ ...his, payload: { peer: asked.chat_id } })).result)
      yield* gateway.chats.decline({ ...his, payload: { peer: refused.chat_id } })
      assert.isAbove((yield* gateway.chats.list({ params })).result.length, 0)
      assert.strictEqual((yield* gateway.chats.get({ params, payload })).result.state, "ready")
      assert.strictEqual((yield* gateway.chats.status({ params, payload })).result, 2)
      assert.strictEqual((yield* gateway.chats.keyPicture({ params, payload })).result.hash.bytes.length, 36)
      assert.deepStrictEqual((yield* gateway.chats.setPolicy({ params, payload: { accept: [5] } })).result.accept, [
        "5"
      ])
      assert.deepStrictEqual((yield* gateway.chats.getPolicy({ params })).result.accept, ["5"])

      assert.isAbove((yield* gateway.updates.get({ ...his, payload: { limit: 5 } })).result.length, 0)
      const events = yield* gateway.updates.events({ ...his, query: {}, headers })
      assert.include(yield* Stream.mkString(Stream.take(Stream.decodeText(events), 1)), "retry: 1000")
      yield* gateway.updates.setWebhook({ ...his, payload: { url: "http://127.0.0.1:1/" } })
      const hooked = yield* Effect.flip(gateway.updates.get({ ...his, payload: {} }))
      assert.strictEqual("error_code" in hooked && hooked.error_code, 409)
      assert.strictEqual((yield* gateway.updates.getWebhookInfo(his)).result.url, "http://127.0.0.1:1/")
      assert.isTrue((yield* gateway.updates.deleteWebhook(his)).result)
      const upgrade = yield* Effect.flip(gateway.updates.webSocket({ ...his, query: {} }))
      assert.strictEqual("error_code" in upgrade && upgrade.error_code, 426)

      assert.property((yield* gateway.methods.getMe({ params })).result, "first_name")
      const call = {
        params: { ...params, method: "users.getUsers" },
        headers,
        payload: { id: [{ _: "inputUserSelf" }] }
      }
      assert.isArray((yield* gateway.methods.call(call)).result)
      const bot = yield* Effect.flip(gateway.methods.callAsBot({
        params: { token: "x" },
        headers,
        payload: { method: "help.getConfig" }
      }))
      assert.strictEqual("error_code" in bot && bot.error_code, 401)

      yield* telegram.createAccount({ phone: "+15550005", firstName: "Eli", password: "correct horse" })
      const { result: temporary } = yield* gateway.login.phone({ headers, payload: { phone: "+15550005" } })
      const step = { params: { token: temporary } }
      const code = yield* telegram.loginCode("+15550005")
      const needed = yield* Effect.flip(gateway.login.code({ ...step, payload: { code } }))
      assert.strictEqual("error_code" in needed && needed.parameters.type, "SESSION_PASSWORD_NEEDED")
      assert.isTrue(
        "error_code" in (yield* Effect.flip(gateway.login.signUp({ ...step, payload: { first_name: "E" } })))
      )
      const { result: token } = yield* gateway.login.password({ ...step, payload: { password: "correct horse" } })
      assert.isTrue((yield* gateway.login.logOut({ params: { token } })).result)
      assert.deepStrictEqual(yield* gateway.ready(), { ok: true, result: "ready" })
    }))
})

const idsOf = (client: Support.Client, session: string, username: string) =>
  Effect.map(client.call(`${session}/contacts.resolveUsername`, { username }), ({ users: [user] }) => ({
    user_id: user.id,
    access_hash: user.access_hash
  }))
