import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { once } from "node:events"
import { connect } from "node:net"
import { DatabaseSync } from "node:sqlite"
import * as Support from "./support.ts"

const text = (message: string) => ({ _: "decryptedMessage", message })
const textsOf = (history: ReadonlyArray<any>) => history.map((one) => one.message.message)

describe("order", () => {
  it.live("of 100 sends at once is that in which they were accepted, and each arrives once", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.world({ limits: { requestsPerSecond: 0 } })
      const texts = Array.from({ length: 100 }, (_, i) => `number ${i}`)
      // one connection on which requests do not wait for answers: here it is known which one comes first
      const requests = texts.map((message) => {
        const body = JSON.stringify({ peer: chatId, message: text(message) })
        return `POST ${ann}/messages.sendEncrypted HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n` +
          `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
      })
      const answers = yield* Effect.promise(async () => {
        const socket = connect(Number(new URL(client.base).port), "127.0.0.1")
        await once(socket, "connect")
        let received = ""
        socket.on("data", (chunk) => {
          received += chunk.toString()
        })
        socket.write(requests.join(""))
        while (received.split("\"ok\":").length <= 100) await once(socket, "data")
        socket.destroy()
        return received
      })
      assert.strictEqual(answers.split("\"ok\":true").length, 101)
      const history = yield* Support.until(
        client.call(`${bob}/getSecretMessages`, { peer: chatId, limit: 1000, order: "oldest-first" }),
        (found) => found.length >= 100
      )
      assert.deepStrictEqual(textsOf(history), texts)
    }).pipe(Effect.scoped))

  it.live("is kept by parallel connections too: numbers and arrivals agree", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.world({ limits: { requestsPerSecond: 0 } })
      const sent = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, i) => i),
        (i) => client.call(`${ann}/sendEncrypted`, { peer: chatId, message: text(`number ${i}`) }),
        { concurrency: "unbounded" }
      )
      const order = sent.toSorted((a: any, b: any) => a.index - b.index).map((one: any) => one.random_id)
      assert.strictEqual(new Set(order).size, 100)
      const history = yield* Support.until(
        client.call(`${bob}/getSecretMessages`, { peer: chatId, limit: 1000, order: "oldest-first" }),
        (found) => found.length >= 100
      )
      assert.deepStrictEqual(history.map((one: any) => one.random_id), order)
    }).pipe(Effect.scoped))
})

describe("a connection to Telegram that breaks in the middle", () => {
  it.live("loses nothing and doubles nothing", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client, telegram } = yield* Support.world()
      const texts = Array.from({ length: 40 }, (_, i) => `number ${i}`)
      const [answers] = yield* Effect.all([
        Effect.forEach(
          texts,
          (message) => client.post(`${ann}/sendEncrypted`, { peer: chatId, message }, { "idempotency-key": message }),
          { concurrency: 8 }
        ),
        Effect.gen(function*() {
          yield* telegram.awaitCalls("messages.sendEncrypted", 5)
          yield* telegram.faults.dropConnections("+15550001")
          yield* telegram.faults.failNext("messages.sendEncrypted", { code: 500, type: "INTERNAL_SERVER_ERROR" })
          yield* telegram.awaitCalls("messages.sendEncrypted", 15)
          yield* telegram.faults.dropConnections("+15550001")
          yield* telegram.faults.dropConnections("+15550002")
        })
      ], { concurrency: "unbounded" })
      for (const { body, status } of answers) assert.strictEqual(status, 200, JSON.stringify(body))
      const history = yield* Support.until(
        client.call(`${bob}/getSecretMessages`, { peer: chatId, limit: 1000, order: "oldest-first" }),
        (found) => found.length >= texts.length
      )
      assert.sameMembers(textsOf(history), texts)
      const order = answers.map(({ body }) => body.result).toSorted((a, b) => a.index - b.index)
      assert.deepStrictEqual(history.map((one: any) => one.random_id), order.map((one) => one.random_id))
    }).pipe(Effect.scoped))
})

describe("Idempotency-Key", () => {
  it.live("gives the first answer again, also in another run", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      const filename = `${yield* Support.folder}/gateway.db`
      const first = yield* Scope.make()
      const client = yield* Scope.provide(Support.start(telegram, filename), first)
      const ann = yield* Support.logIn(telegram, client, "+15550001")
      const bob = yield* Support.logIn(telegram, client, "+15550002")
      const chatId = yield* Support.openChat(client, ann, bob)
      const send = (on: Support.Client, key: string, message: unknown) =>
        on.post(`${ann}/messages.sendEncryptedService`, { peer: chatId, message }, { "idempotency-key": key })
      const [a, b] = yield* Effect.all([send(client, "one", text("once")), send(client, "one", text("once"))], {
        concurrency: "unbounded"
      })
      assert.strictEqual(a.status, 200)
      assert.deepStrictEqual(a.body, b.body)
      assert.strictEqual((yield* send(client, "one", text("twice"))).status, 422)
      assert.strictEqual((yield* send(client, "two", text("twice"))).status, 200)
      assert.strictEqual((yield* send(client, "x".repeat(256), text("x"))).status, 400)
      // a refusal is an answer as well
      yield* telegram.faults.failNext("messages.sendEncryptedService", { code: 400, type: "DATA_INVALID" })
      const refused = yield* send(client, "three", text("no"))
      assert.strictEqual(refused.status, 400)
      assert.deepStrictEqual((yield* send(client, "three", text("no"))).body, refused.body)
      // the other shape has its own envelope, and the same answer
      yield* Scope.close(first, Exit.void)

      const again = yield* Support.start(telegram, filename)
      assert.deepStrictEqual((yield* send(again, "one", text("once"))).body, a.body)
      assert.deepStrictEqual((yield* send(again, "three", text("no"))).body, refused.body)
      const history = yield* again.call(`${bob}/getSecretMessages`, { peer: chatId })
      assert.deepStrictEqual(textsOf(history).toSorted(), ["once", "twice"])
    }).pipe(Effect.scoped))

  it.live("is made again after a flood, which is no answer", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client, telegram } = yield* Support.world()
      const method = "messages.sendEncryptedService"
      const send = (key: string, message: unknown) =>
        client.post(`${ann}/${method}`, { peer: chatId, message }, { "idempotency-key": key })
      const action = { _: "decryptedMessageService", action: { _: "decryptedMessageActionNoop" } }
      for (const [key, message] of [["text", text("after the flood")], ["action", action]] as const) {
        yield* telegram.faults.failNext(method, { code: 420, type: "FLOOD_WAIT_77", times: 2 })
        for (let i = 0; i < 2; i++) {
          const flooded = yield* send(key, message)
          assert.deepStrictEqual([flooded.status, flooded.body.parameters.retry_after], [429, 77])
        }
        yield* telegram.faults.clear
        const sent = yield* send(key, message)
        assert.strictEqual(sent.status, 200, JSON.stringify(sent.body))
        assert.deepStrictEqual((yield* send(key, message)).body, sent.body)
      }
      const history = yield* Support.until(
        client.call(`${bob}/getSecretMessages`, { peer: chatId }),
        (found) => found.length >= 1
      )
      assert.deepStrictEqual(textsOf(history), ["after the flood"])
    }).pipe(Effect.scoped))

  it.live("finds what was sent and never answered", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client, filename, telegram } = yield* Support.world()
      const send = (key: string, message: unknown) =>
        client.post(`${ann}/messages.sendEncryptedService`, { peer: chatId, message }, { "idempotency-key": key })
      const forget = Effect.sync(() => {
        // as after a crash: the request was begun, and that is all that is known
        const database = new DatabaseSync(filename)
        database.exec("UPDATE gateway_request SET status = NULL, body = NULL")
        database.close()
      })

      // a message is in the history
      const said = yield* send("text", text("hello"))
      yield* forget
      assert.deepStrictEqual((yield* send("text", text("hello"))).body, said.body)

      // a service message is not, and is heard of later: here the server takes its time, and the client loses patience
      yield* telegram.faults.delayNext("messages.sendEncryptedService", "2 seconds")
      const action = { _: "decryptedMessageService", action: { _: "decryptedMessageActionNoop" } }
      const act = send("action", action)
      yield* Effect.promise(() =>
        fetch(`${client.base}${ann}/messages.sendEncryptedService`, {
          method: "POST",
          headers: { "content-type": "application/json", "idempotency-key": "action" },
          body: JSON.stringify({ peer: chatId, message: action }),
          signal: AbortSignal.timeout(500)
        }).catch(() => undefined)
      )
      const acted = yield* act
      assert.strictEqual(acted.body.result.index, said.body.result.index + 1)
      assert.deepStrictEqual((yield* act).body, acted.body)

      // of something that was begun and cannot be looked up, nothing is made up
      yield* client.post(`${ann}/getMe`, {}, { "idempotency-key": "me" })
      yield* forget
      assert.strictEqual((yield* client.post(`${ann}/getMe`, {}, { "idempotency-key": "me" })).status, 409)

      const history = yield* client.call(`${bob}/getSecretMessages`, { peer: chatId })
      assert.deepStrictEqual(textsOf(history), ["hello"])
      const calls = (yield* telegram.calls("messages.sendEncryptedService")).filter((call) => call.phone === "15550001")
      assert.isAtMost(calls.length, 3)
    }).pipe(Effect.scoped))
})
