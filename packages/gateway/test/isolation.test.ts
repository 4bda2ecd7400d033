import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { once } from "node:events"
import { connect } from "node:net"
import * as Support from "./support.ts"

const botToken = `7001:${"A".repeat(35)}`

/** A request that no library puts right; the status and all that comes back. */
const raw = (base: string, path: string, headers: ReadonlyArray<string> = []) =>
  Effect.promise(async () => {
    const socket = connect(Number(new URL(base).port), "127.0.0.1")
    const chunks: Array<Buffer> = []
    socket.on("data", (chunk) => chunks.push(chunk))
    socket.on("error", () => {})
    await once(socket, "connect")
    socket.write(`GET ${path} HTTP/1.1\r\n${["host: x", "connection: close", ...headers].join("\r\n")}\r\n\r\n`)
    if (!socket.closed) await once(socket, "close")
    const text = Buffer.concat(chunks).toString("latin1")
    return { status: Number(text.slice(9, 12)), text }
  })

const escaped = (text: string) => text.replace(/./g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, "0")}`)

describe("what belongs to one session", () => {
  it.live("is seen with no other token, in whatever way it is asked for", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client, telegram } = yield* Support.world()
      yield* telegram.createAccount({ phone: "+15550009", firstName: "Eve" })
      yield* telegram.createAccount({ phone: "+15557001", firstName: "Robot", botToken })
      const eve = yield* Support.logIn(telegram, client, "+15550009")
      // the same person, logged in once more: secret chats belong to one login
      const twin = yield* Support.logIn(telegram, client, "+15550001")
      const temporary = `/user${yield* client.call("/phonelogin", { phone: "+15550001" })}`
      const bot = `/bot${botToken}`
      yield* client.call(`${bot}/getMe`)

      // what there is to be found
      const sentence = "for Ann and Bob alone"
      const mine = { "idempotency-key": "mine" }
      const message = { peer: chatId, message: sentence }
      const sent = yield* client.post(`${ann}/sendEncrypted`, message, mine)
      const { random_id } = sent.body.result
      const form = new FormData()
      form.set("peer", String(chatId))
      form.set("file", new Blob(["bytes of their file"]), "name-of-their-file.txt")
      const file = yield* client.fetch(`${ann}/sendEncryptedFile`, { method: "POST", body: form })
      const fileId = file.body.result.random_id
      yield* Support.hear(client, bob, (update) => update.message?.random_id === fileId)
      const { hex, hash } = yield* client.call(`${ann}/getKeyPicture`, { peer: chatId })
      const { update } = (yield* client.call(`${bob}/getUpdates`)).find(
        (one: any) => one.update.message?.random_id === fileId
      )
      yield* client.call(`${bob}/setWebhook`, { url: "http://127.0.0.1:1/where-bob-listens" })
      const count = (yield* client.call(`${bob}/getWebhookInfo`)).pending_update_count
      const secrets = [
        sentence,
        "bytes of their file",
        "name-of-their-file",
        hex,
        hash.bytes,
        random_id,
        fileId,
        "where-bob-listens",
        update.message.decrypted_message.media.key.bytes
      ]
      const clean = (text: string, what: string) => {
        for (const secret of secrets) assert.isFalse(text.includes(secret), `${what}: ${text.slice(0, 300)}`)
      }
      const methods: ReadonlyArray<readonly [method: string, params: Record<string, string>]> = [
        ["getSecretChat", {}],
        ["getSecretMessages", {}],
        ["getSecretMessage", { random_id }],
        ["getKeyPicture", {}],
        ["getKeyPicture", { format: "svg" }],
        ["downloadEncrypted", { random_id: fileId }],
        ["acceptSecretChat", {}],
        ["discardSecretChat", {}],
        ["forgetSecretChat", {}],
        ["notifyLayer", {}],
        ["messages.setEncryptedTyping", { typing: "true" }],
        ["messages.readEncryptedHistory", { max_date: "2000000000" }],
        ["messages.sendEncrypted", { message: "from somebody else" }],
        ["messages.sendEncryptedService", { message: "from somebody else" }]
      ]
      // those of bots are refused by Telegram
      const sends = Effect.map(
        telegram.calls("messages.sendEncrypted"),
        (all) => all.filter(({ phone }) => phone !== "15557001").length
      )
      const calls = yield* sends

      const thieves = { eve, twin, temporary, bot }
      for (const [who, session] of Object.entries(thieves)) {
        for (const [method, params] of methods) {
          for (const peer of [String(chatId), String(chatId - 2_000_000_000_000)]) {
            const answer = yield* client.post(`${session}/${method}`, { peer, ...params })
            const text = JSON.stringify(answer.body)
            assert.include([400, 401, 404], answer.status, `${who} ${method} ${text}`)
            clean(text, `${who} ${method}`)
          }
        }
        // the same request with the same key has no answer of somebody else
        const repeated = yield* client.post(`${session}/sendEncrypted`, message, mine)
        assert.isAtLeast(repeated.status, 400, who)
        const status = yield* client.post(`${session}/secretChatStatus`, { peer: chatId })
        assert.notStrictEqual(status.body.result, 2, who)
        for (const method of ["getSecretChats", "getUpdates", "getWebhookInfo"]) {
          clean(JSON.stringify((yield* client.post(`${session}/${method}`)).body), `${who} ${method}`)
        }
        yield* client.post(`${session}/getUpdates`, { offset: 1_000_000 })
        yield* client.post(`${session}/deleteWebhook`)
      }
      // tokens are of one kind
      const token = ann.slice("/user".length)
      const before = yield* telegram.callCount("auth.importBotAuthorization")
      for (const path of [`/bot${token}`, `/user${botToken}`, temporary.replace("/user", "/bot"), `/bot${token}x`]) {
        const { body, status } = yield* client.post(`${path}/getSecretMessages`, { peer: chatId })
        assert.include([400, 401], status, JSON.stringify(body))
        clean(JSON.stringify(body), path)
      }
      // and Telegram is not told of the tokens of people: only of what nobody here has
      assert.isAtMost((yield* telegram.callCount("auth.importBotAuthorization")) - before, 1)

      // other ways to write a path
      const [id] = token.split(":") as [string]
      const bobId = bob.slice("/user".length).split(":")[0]!
      const query = `peer=${chatId}`
      const evil = eve.slice("/user".length)
      const odd = [
        `${eve}/../${ann.slice(1)}x/getSecretMessages`,
        `/${eve}/getSecretMessages`,
        `${eve}//getSecretMessages`,
        `${eve};${ann}/getSecretMessages`,
        `${eve}%2f..%2fuser${bobId}/getSecretMessages`,
        `${eve}%00${token}/getSecretMessages`,
        `${eve}/getSecretMessages%00`,
        `${eve}/getsecretmessages`,
        `${eve}/GET_SECRET_MESSAGES`,
        `${eve}/%67etSecretMessages`,
        `/user${escaped(evil)}/getSecretMessages`,
        `/%75ser${evil}/getSecretMessages`,
        `/USER${token}/getSecretMessages`,
        `/User${token}/getSecretMessages`,
        `/user${token.toUpperCase()}/getSecretMessages`,
        `/user${token.toLowerCase()}/getSecretMessages`,
        `/user ${token}/getSecretMessages`.replace(" ", "%20"),
        `/user${token}%20/getSecretMessages`,
        `/user${token}%0a/getSecretMessages`,
        `/user${token.replace(":", "%3a")}x/getSecretMessages`,
        `/user${token.replace(":", "%253a")}/getSecretMessages`,
        `/user${id}/getSecretMessages`,
        `/api/${id}/getSecretMessages`,
        `/api/${bobId}/getSecretMessages`,
        `/api/${evil}/getSecretMessages`,
        `/api/${id}:${evil.split(":")[1]}/getSecretMessages`,
        `/api/users/${id}/getSecretMessages`,
        `/api//getSecretMessages`
      ]
      const bearers = [[], [`authorization: Bearer ${evil}`], [
        `authorization: Basic ${Buffer.from(`${id}:${evil}`).toString("base64")}`
      ], [`authorization: Bearer ${botToken}`]]
      yield* Effect.forEach(
        odd.flatMap((path) => bearers.map((headers) => [path, headers] as const)),
        Effect.fnUntraced(function*([path, headers]) {
          const { status, text } = yield* raw(
            client.base,
            `${path}?${query}&token=${id}&session=${bobId}&user_id=${id}`,
            [...headers, `x-original-url: ${bob}/getSecretMessages`, `x-forwarded-user: ${id}`]
          )
          assert.include([400, 401, 403, 404], status, `${path} ${text.slice(0, 300)}`)
          clean(text, path)
        }),
        { concurrency: 8 }
      )
      // somebody's own token may be written like that, and is theirs
      const own = yield* raw(client.base, `/user${escaped(token)}/%67etSecretMessages?${query}`)
      assert.strictEqual(own.status, 200)
      assert.include(own.text, sentence)

      // streams: nothing but what is their own
      const stream = yield* Effect.forkChild(
        Effect.promise(async () => {
          const response = await fetch(`${client.base}${eve}/events`, { headers: { "last-event-id": "0" } })
          let text = ""
          for await (const chunk of response.body!) {
            text += Buffer.from(chunk).toString()
            if (text.includes("to Eve")) return text
          }
          return text
        }),
        { startImmediately: true }
      )
      const socket = yield* Effect.acquireRelease(
        Effect.sync(() => new WebSocket(`${client.base.replace("http", "ws")}${eve}/websocket`)),
        (open) => Effect.sync(() => open.close())
      )
      const frames = Effect.promise(() =>
        new Promise<string>((resolve) => {
          let text = ""
          socket.addEventListener("message", ({ data }) => {
            text += String(data)
            if (text.includes("to Eve")) resolve(text)
          })
        })
      )
      yield* client.call(`${ann}/sendEncrypted`, { peer: chatId, message: `${sentence}, again` })
      yield* telegram.sendMessage("+15550002", "+15550009", "to Eve")
      clean(yield* frames, "WebSocket")
      clean(yield* Fiber.join(stream), "events")

      // and nothing has happened to any of it
      assert.strictEqual(yield* sends, calls + 1)
      assert.strictEqual((yield* client.call(`${ann}/getSecretChat`, { peer: chatId })).state, "ready")
      assert.deepStrictEqual((yield* client.post(`${ann}/sendEncrypted`, message, mine)).body, sent.body)
      const info = yield* client.call(`${bob}/getWebhookInfo`)
      assert.include(info.url, "where-bob-listens")
      assert.isAtLeast(info.pending_update_count, count)
      const history = yield* client.call(`${bob}/getSecretMessages`, { peer: chatId })
      assert.isFalse(JSON.stringify(history).includes("from somebody else"))
    }).pipe(Effect.scoped))
})
