import * as GatewayStore from "@effect-mtproto/gateway/GatewayStore"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import * as Support from "./support.ts"

const noop = { _: "decryptedMessageService", action: { _: "decryptedMessageActionNoop" } }

/** Says something to the server, byte by byte; all that comes back. */
const raw = (base: string, chunks: ReadonlyArray<string>, wait = 0) =>
  Effect.promise(async () => {
    const socket = connect(Number(new URL(base).port), "127.0.0.1")
    let text = ""
    socket.on("data", (chunk) => {
      text += chunk.toString()
    })
    socket.on("error", () => {})
    await once(socket, "connect")
    for (const chunk of chunks) {
      socket.write(chunk)
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    }
    await Promise.race([once(socket, "close"), new Promise((resolve) => setTimeout(resolve, 5_000))])
    socket.destroy()
    return text
  })

layer(
  Support.World.layer({ limits: { body: 20_000, bodyTime: "300 millis", fileIdle: "300 millis", file: 100_000 } }),
  {
    excludeTestServices: true,
    timeout: "60 seconds"
  }
)("strangers", (it) => {
  it.effect("get nothing without the right token", () =>
    Effect.gen(function*() {
      const { ann, bob, client } = yield* Support.World
      const token = ann.slice("/user".length)
      const [id, secret] = token.split(":") as [string, string]
      const other = bob.slice("/user".length).split(":")[0]!
      const wrong = [
        `${id}:${secret.slice(1)}A`,
        `${other}:${secret}`,
        secret,
        `${id}:`,
        id,
        `${token}x`,
        token.toUpperCase(),
        `${id}:${"a".repeat(43)}`,
        "%27%20OR%201=1--",
        "a".repeat(500)
      ]
      for (const one of wrong) {
        const { body, status } = yield* client.post(`/user${one}/getSecretChats`)
        assert.strictEqual(status, 401, one)
        assert.deepStrictEqual([body.ok, body.error_code, body.description], [
          false,
          401,
          "Invalid user token provided"
        ])
      }
      const none = yield* client.post("/user/getSecretChats")
      assert.deepStrictEqual([none.status, none.body.description], [401, "No token was provided."])
      // a person's token is no bot's
      assert.strictEqual((yield* client.post(`/bot${token}/getMe`)).status >= 400, true)
    }))

  it.effect("reach no chat of another session", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client, telegram } = yield* Support.World
      yield* telegram.createAccount({ phone: "+15550009", firstName: "Eve" })
      const eve = yield* Support.logIn(telegram, client, "+15550009")
      yield* client.call(`${ann}/sendEncrypted`, { peer: chatId, message: "for Bob alone" })
      yield* Support.hear(client, bob, (update) => update.message?.decrypted_message?.message === "for Bob alone")
      for (
        const method of [
          "getSecretChat",
          "getSecretMessages",
          "getKeyPicture",
          "acceptSecretChat",
          "discardSecretChat",
          "downloadEncrypted",
          "messages.sendEncryptedService"
        ]
      ) {
        const { body, status } = yield* client.post(`${eve}/${method}`, { peer: chatId, message: noop, random_id: "5" })
        assert.isTrue(status === 404 || status === 400, `${method} ${status}`)
        assert.notInclude(JSON.stringify(body), "for Bob")
      }
      assert.deepStrictEqual(yield* client.call(`${eve}/getSecretChats`), [])
      assert.deepStrictEqual(yield* client.call(`${eve}/getUpdates`), [])
      const bearer = { authorization: `Bearer ${eve.slice("/user".length)}` }
      const id = bob.slice("/user".length).split(":")[0]!
      assert.strictEqual((yield* client.post(`/api/${id}/getSecretMessages`, { peer: chatId }, bearer)).status, 403)
      // and nothing happened to the chat
      assert.strictEqual((yield* client.call(`${bob}/getSecretChat`, { peer: chatId })).state, "ready")
    }))

  it.effect("find no way around the paths", () =>
    Effect.gen(function*() {
      const { ann, client } = yield* Support.World
      for (
        const path of [
          "/",
          "/x",
          `/${ann}/getMe`,
          `${ann}//getMe`,
          `${ann}/../getMe`,
          `${ann}/%2e%2e/getMe`,
          `${ann}/getMe/x`,
          `${ann}/..%2fgetMe`,
          `${ann}%2fgetMe`,
          "/api",
          "/api/a/b/c",
          "/etc/passwd"
        ]
      ) {
        const text = yield* raw(client.base, [`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`])
        assert.match(text, /^HTTP\/1\.1 404 /, path)
        assert.include(text, "\"ok\":false")
      }
      for (const path of [`${ann}/%`, `${ann}/%zz`, `${ann}/a%00b`, `/${"a".repeat(3_000)}`]) {
        const text = yield* raw(client.base, [`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`])
        assert.match(text, /^HTTP\/1\.1 40[04] /, path)
        assert.include(text, "\"ok\":false")
      }
      assert.match(
        yield* raw(client.base, [`GET /${"a".repeat(30_000)} HTTP/1.1\r\nhost: x\r\n\r\n`]),
        /^HTTP\/1\.1 431 /
      )
      for (const method of ["PUT", "DELETE", "PATCH", "TRACE"]) {
        const text = yield* raw(client.base, [
          `${method} ${ann}/getMe HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`
        ])
        assert.match(text, /^HTTP\/1\.1 405 /, method)
      }
      assert.strictEqual((yield* client.post(`${ann}/messages.nope`)).status, 404)
      assert.strictEqual((yield* client.post(`${ann}/constructor`)).status, 404)
      assert.strictEqual((yield* client.post(`${ann}/__proto__`)).status, 404)
      assert.strictEqual((yield* client.post(`${ann}/invokeWithLayer`)).status, 404)
      assert.strictEqual((yield* client.post(ann)).body.description, "Missing method to call.")
      for (const method of ["auth.logOut", "messages.requestEncryption", "auth.sendCode", "messages.receivedQueue"]) {
        assert.strictEqual((yield* client.post(`${ann}/${method}`)).body.parameters.type, "METHOD_REFUSED")
      }
    }))

  it.effect("send nothing that is malformed", () =>
    Effect.gen(function*() {
      const { ann, chatId, client, telegram } = yield* Support.World
      const path = `${ann}/messages.sendEncryptedService`
      yield* client.call(path, { peer: chatId, message: noop })
      const before = yield* telegram.callCount("messages.sendEncryptedService")
      const history = yield* client.call(`${ann}/getSecretMessages`, { peer: chatId })
      const message = JSON.stringify(noop)
      const bodies: ReadonlyArray<readonly [string, number, string?]> = [
        ["", 400],
        ["{", 400],
        ["[]", 400],
        ["null", 400],
        ["5", 400],
        ["\"x\"", 400],
        [`{"peer":${chatId},"message":${message},}`, 400, "JSON_SYNTAX"],
        [`{"peer":${chatId},"peer":5,"message":${message}}`, 400, "JSON_DUPLICATE_KEY"],
        [`{"peer":NaN,"message":${message}}`, 400, "JSON_SYNTAX"],
        [`{"peer":1e999,"message":${message}}`, 400, "JSON_NUMBER"],
        [`{"peer":${"9".repeat(400)},"message":${message}}`, 400, "JSON_NUMBER"],
        [`{"peer":99999999999999999999,"message":${message}}`, 400, "PEER_INVALID"],
        [`{"peer":1.5,"message":${message}}`, 400, "PEER_INVALID"],
        [`{"peer":true,"message":${message}}`, 400, "PEER_INVALID"],
        [`{"peer":[${chatId}],"message":${message}}`, 400, "PEER_INVALID"],
        [`{"peer":{"_":"inputPeerUser","user_id":1},"message":${message}}`, 400, "PEER_INVALID"],
        [`{"message":${message}}`, 400, "PEER_INVALID"],
        [`{"peer":12345,"message":${message}}`, 404, "CHAT_UNKNOWN"],
        [`{"peer":${chatId}}`, 400, "MESSAGE_INVALID"],
        [`{"peer":${chatId},"message":null}`, 400, "MESSAGE_INVALID"],
        [`{"peer":${chatId},"message":[]}`, 400, "MESSAGE_INVALID"],
        [`{"peer":${chatId},"message":7}`, 400, "MESSAGE_INVALID"],
        [`{"peer":${chatId},"message":{}}`, 400, "MESSAGE_INVALID"],
        [`{"peer":${chatId},"message":{"_":"nope"}}`, 400, "MESSAGE_INVALID"],
        [`{"peer":${chatId},"message":{"_":"decryptedMessageService"}}`, 400, "MESSAGE_INVALID"],
        [`{"peer":${chatId},"message":{"_":"decryptedMessage","message":5}}`, 400, "MESSAGE_INVALID"],
        [`{"peer":${chatId},"message":{"_":"decryptedMessage","message":"x","random_id":1.5}}`, 400, "MESSAGE_INVALID"],
        [`{"peer":${chatId},"message":{"_":"decryptedMessage","message":"x","random_id":99999999999999999999}}`, 400],
        [
          `{"peer":${chatId},"message":{"_":"decryptedMessage","message":"<x>","parse_mode":"HTML"}}`,
          400,
          "MESSAGE_INVALID"
        ],
        [`{"peer":${chatId},"message":{"_":"decryptedMessage","message":"x","parse_mode":"BBCode"}}`, 400],
        [`{"peer":${chatId},"message":{"message":"x","parse_mode":"HTML","entities":[]}}`, 400, "MESSAGE_INVALID"],
        [`{"peer":${chatId},"message":"<b>x","parse_mode":"HTML"}`, 400, "MESSAGE_INVALID"],
        [`{"peer":${chatId},"message":"x","parse_mode":{}}`, 400, "PARAMETERS_INVALID"],
        [`{"peer":${chatId},"message":"x","data":{"_":"bytes","bytes":"AAAA"}}`, 400, "PARAMETERS_INVALID"],
        [`{"peer":${chatId},"data":"no base64!"}`, 400, "PARAMETERS_INVALID"],
        [`{"peer":${chatId},"data":{"_":"bytes","bytes":"AAAA"}}`, 400, "MESSAGE_INVALID"],
        [`{"peer":${chatId},"message":${"[".repeat(5_000)}${"]".repeat(5_000)}}`, 400, "JSON_DEPTH"],
        [`{"peer":${chatId},"message":"${"x".repeat(30_000)}"}`, 413, "BODY_TOO_LARGE"],
        [
          `{"peer":${chatId},"message":{"_":"decryptedMessageService","action":{"_":"decryptedMessageActionRequestKey","exchange_id":"1","g_a":"x"}}}`,
          400,
          "MESSAGE_INVALID"
        ]
      ]
      for (const [body, status, type] of bodies) {
        const got = yield* client.fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body })
        assert.strictEqual(got.status, status, `${body.slice(0, 120)} ${JSON.stringify(got.body)}`)
        assert.strictEqual(got.body.error_code, status)
        if (type !== undefined) assert.strictEqual(got.body.parameters.type, type, body.slice(0, 120))
      }
      const invalid = new Uint8Array([...Buffer.from("{\"peer\":\""), 0xff, 0xfe, ...Buffer.from("\"}")])
      for (
        const [headers, body, status] of [
          [{ "content-type": "application/json" }, invalid, 400],
          [{ "content-type": "text/plain" }, "x", 415],
          [{ "content-type": "application/xml" }, "<x/>", 415],
          [{ "content-type": "multipart/form-data" }, "x", 400],
          [{ "content-type": "multipart/form-data; boundary=x" }, "garbage", 400],
          [{ "content-type": "application/x-www-form-urlencoded" }, `peer=${chatId}&peer=5`, 400]
        ] as const
      ) {
        const got = yield* client.fetch(path, { method: "POST", headers, body })
        assert.strictEqual(got.status, status, `${headers["content-type"]} ${JSON.stringify(got.body)}`)
      }
      assert.strictEqual((yield* client.fetch(`${path}?peer=1&peer=2`)).status, 400)
      assert.strictEqual(yield* telegram.callCount("messages.sendEncryptedService"), before)
      assert.deepStrictEqual(yield* client.call(`${ann}/getSecretMessages`, { peer: chatId }), history)
    }))

  it.effect("are not waited for, and are stopped when they say too much", () =>
    Effect.gen(function*() {
      const { ann, chatId, client, telegram } = yield* Support.World
      const head = (more: string) =>
        `POST ${ann}/messages.sendEncryptedService HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${more}\r\n\r\n`
      const slow = yield* raw(
        client.base,
        [head("content-type: application/json\r\ncontent-length: 100"), "{", "\"p"],
        50
      )
      assert.match(slow, /^HTTP\/1\.1 408 /)
      assert.include(slow, "BODY_TOO_SLOW")
      const large = yield* raw(client.base, [head("content-type: application/json\r\ncontent-length: 1000000000")])
      assert.match(large, /^HTTP\/1\.1 413 /)
      const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`
      const chunked = yield* raw(client.base, [
        head("content-type: application/json\r\ntransfer-encoding: chunked"),
        chunk,
        chunk,
        chunk
      ])
      assert.match(chunked, /^HTTP\/1\.1 413 /)
      const form = new FormData()
      form.set("peer", String(chatId))
      form.set("file", new Blob([new Uint8Array(200_000)]), "large.bin")
      const file = yield* client.fetch(`${ann}/sendEncryptedFile`, { method: "POST", body: form })
      assert.strictEqual(file.status, 413, JSON.stringify(file.body))
      const empty = new FormData()
      empty.set("peer", String(chatId))
      empty.set("file", new Blob([]), "empty.bin")
      const nothing = yield* client.fetch(`${ann}/sendEncryptedFile`, { method: "POST", body: empty })
      assert.strictEqual(nothing.status, 400, JSON.stringify(nothing.body))
      const boundary = "content-type: multipart/form-data; boundary=b\r\ncontent-length: 90000"
      const stalled = yield* raw(
        client.base,
        [
          head(boundary),
          `--b\r\ncontent-disposition: form-data; name="peer"\r\n\r\n${chatId}\r\n` +
          "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc"
        ].map((text) => text.replace("messages.sendEncryptedService", "sendEncryptedFile"))
      )
      assert.match(stalled, /^HTTP\/1\.1 408 /)
      // half a file is not sent as if it were a whole one
      const files = (yield* telegram.calls("messages.sendEncryptedFile")).length
      const half = "--b\r\ncontent-disposition: form-data; name=\"peer\"\r\n\r\n" + chatId +
        "\r\n--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" + "x".repeat(5_000)
      const path = (text: string) => text.replace("messages.sendEncryptedService", "sendEncryptedFile")
      const torn = yield* raw(client.base, [
        path(head(`content-type: multipart/form-data; boundary=b\r\ncontent-length: ${half.length}`)),
        half
      ])
      assert.match(torn, /^HTTP\/1\.1 400 /)
      yield* Effect.promise(async () => {
        const socket = connect(Number(new URL(client.base).port), "127.0.0.1")
        await once(socket, "connect")
        socket.write(path(head("content-type: multipart/form-data; boundary=b\r\ncontent-length: 90000")) + half)
        await new Promise((resolve) => setTimeout(resolve, 100))
        socket.destroy()
      })
      yield* client.call(`${ann}/messages.sendEncryptedService`, { peer: chatId, message: noop })
      assert.strictEqual((yield* telegram.calls("messages.sendEncryptedFile")).length, files)
      // the gateway is as well as before
      assert.strictEqual((yield* client.fetch("/ready")).status, 200)
      yield* client.call(`${ann}/messages.sendEncryptedService`, { peer: chatId, message: noop })
    }))

  it.effect("from pages of other origins are turned away", () =>
    Effect.gen(function*() {
      const { ann, client } = yield* Support.World
      const site = "GET"
      const text = yield* raw(client.base, [
        `${site} ${ann}/getMe HTTP/1.1\r\nhost: x\r\norigin: https://evil.example\r\nsec-fetch-site: cross-site\r\nconnection: close\r\n\r\n`
      ])
      assert.match(text, /^HTTP\/1\.1 403 /)
      assert.notMatch(text, /access-control/i)
    }))
})

describe("a gateway", () => {
  it.live("with an admin token lets nobody else log in, and counts attempts", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      const client = yield* Support.start(telegram, join(yield* Support.folder, "gateway.db"), {
        adminToken: Redacted.make("the admin token"),
        cors: ["https://good.example"],
        limits: { attemptsPerMinute: 5 }
      })
      assert.strictEqual((yield* client.post("/phonelogin", { phone: "+15550001" })).status, 401)
      const wrong = yield* client.post("/phonelogin", { phone: "+15550001" }, { "x-admin-token": "the admin tokem" })
      assert.strictEqual(wrong.body.parameters.type, "ADMIN_TOKEN_REQUIRED")
      const right = yield* client.post("/phonelogin", { phone: "+15550001" }, { "x-admin-token": "the admin token" })
      assert.strictEqual(right.status, 200)
      // a code needs the token of the login, not that of the admin
      const code = yield* telegram.loginCode("+15550001")
      assert.strictEqual((yield* client.post(`/user${right.body.result}/completephonelogin`, { code })).status, 200)
      assert.strictEqual((yield* client.fetch(`/bot7001:${"A".repeat(35)}/getMe`)).status, 401)
      const cors = yield* client.fetch("/health", { headers: { origin: "https://good.example" } })
      assert.strictEqual(cors.status, 200)
      const preflight = yield* client.fetch("/phonelogin", {
        method: "OPTIONS",
        headers: { origin: "https://good.example" }
      })
      assert.strictEqual(preflight.headers.get("access-control-allow-origin"), "https://good.example")
      const other = yield* client.fetch("/phonelogin", {
        method: "OPTIONS",
        headers: { origin: "https://evil.example" }
      })
      assert.strictEqual(other.headers.get("access-control-allow-origin"), null)
      let last = yield* client.post(`/user5:${"a".repeat(43)}/getMe`)
      for (let i = 0; i < 5; i++) last = yield* client.post(`/user5:${"a".repeat(43)}/getMe`)
      assert.strictEqual(last.status, 429)
      assert.isAtLeast(last.body.parameters.retry_after, 1)
    }).pipe(Effect.scoped))

  it.live("limits how much a session asks for", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      const client = yield* Support.start(telegram, join(yield* Support.folder, "gateway.db"), {
        limits: { requestsPerSecond: 1 }
      })
      const ann = yield* Support.logIn(telegram, client, "+15550001")
      const bob = yield* Support.logIn(telegram, client, "+15550002")
      const answers = yield* Effect.forEach(
        Array.from({ length: 60 }),
        () => client.fetch(`${ann}/getPolicy`),
        { concurrency: 20 }
      )
      const limited = answers.filter(({ status }) => status === 429)
      assert.isAbove(limited.length, 0)
      assert.strictEqual(limited[0]!.headers.get("retry-after"), String(limited[0]!.body.parameters.retry_after))
      // others are not held up by it
      assert.strictEqual((yield* client.fetch(`${bob}/getPolicy`)).status, 200)
    }).pipe(Effect.scoped))

  it.live("says no secret, neither in answers nor in its log nor in its database", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const log = Logger.layer([
        Logger.make(({ cause, message }) => {
          lines.push(String(message), String(cause))
        })
      ])
      const filename = join(yield* Support.folder, "gateway.db")
      const telegram = yield* Support.server
      const secrets = yield* Effect.gen(function*() {
        const client = yield* Support.start(telegram, filename)
        const ann = yield* Support.logIn(telegram, client, "+15550001")
        const bob = yield* Support.logIn(telegram, client, "+15550002")
        const chatId = yield* Support.openChat(client, ann, bob)
        yield* client.call(`${ann}/sendEncrypted`, { peer: chatId, message: "a very secret sentence" })
        yield* Support.hear(client, bob, (update) => update.message !== undefined)
        yield* client.call(`${bob}/setWebhook`, { url: "http://127.0.0.1:1/hidden-path", secret: "webhook-secret" })
        yield* client.post(`${ann}/messages.sendEncrypted`, { peer: chatId, message: { _: "a very secret sentence" } })
        yield* client.post(`${ann}/getSecretChats`, {}, { "idempotency-key": "my-own-key" })
        const store = Context.get(client.store, GatewayStore.GatewayStore)
        assert.isAtLeast((yield* store.sessions).length, 2)
        return [
          ann.slice(5),
          bob.slice(5),
          "a very secret sentence",
          "15550001",
          "15550002",
          "webhook-secret",
          "hidden-path",
          "my-own-key"
        ]
      }).pipe(Effect.scoped, Effect.provide(log))
      const kept = ["", "-wal"].map((suffix) => {
        try {
          return readFileSync(filename + suffix, "latin1")
        } catch {
          return ""
        }
      }).join("")
      assert.isAbove(kept.length, 10_000)
      for (const secret of secrets) {
        assert.isFalse(kept.includes(secret), `in the database: ${secret}`)
        assert.isFalse(lines.join("\n").includes(secret), `in the log: ${secret}`)
      }
    }).pipe(Effect.scoped))

  it.live("is the only one that has a session", () =>
    Effect.gen(function*() {
      const { ann, chatId, client, filename, telegram } = yield* Support.world({ idle: "100 millis" })
      // closed when idle, opened when needed
      yield* Effect.sleep("500 millis")
      yield* client.call(`${ann}/messages.sendEncryptedService`, { peer: chatId, message: noop })
      const waiting = yield* Effect.forkChild(client.fetch(`${ann}/getUpdates?offset=1000&timeout=60`), {
        startImmediately: true
      })
      yield* Effect.sleep("300 millis")
      const second = yield* Support.start(telegram, filename)
      const refused = yield* second.post(`${ann}/getSecretChats`)
      assert.strictEqual(refused.status, 503, JSON.stringify(refused.body))
      assert.strictEqual(refused.body.parameters.type, "TRANSPORT_LOCKED")
      void waiting
    }).pipe(Effect.scoped))
})
