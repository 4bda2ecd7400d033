import * as GatewayStore from "@effect-mtproto/gateway/GatewayStore"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { once } from "node:events"
import { connect } from "node:net"
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

  it.live("finds a message whose answer was never remembered", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.world()
      const store = Context.get(client.store, GatewayStore.GatewayStore)
      const [session] = yield* store.sessions
      const send = (key: string, message: unknown) =>
        client.post(`${ann}/messages.sendEncryptedService`, { peer: chatId, message }, { "idempotency-key": key })
      const forget = (sent: Support.Reply) =>
        Effect.gen(function*() {
          // as after a crash: the request was begun, and that is all that is known
          const pending = yield* store.pendingRequests(session!.id)
          assert.strictEqual(pending.length, 0)
          return sent
        })
      const said = yield* Effect.flatMap(send("text", text("hello")), forget)
      const acted = yield* Effect.flatMap(
        send("action", { _: "decryptedMessageService", action: { _: "decryptedMessageActionNoop" } }),
        forget
      )
      assert.strictEqual(said.status, 200)
      assert.strictEqual(acted.status, 200)
      yield* store.expireRequests(-1_000)
      // begun again under the same name, by hand
      const repeated = yield* send("text", text("hello"))
      assert.strictEqual(repeated.status, 400, "the name of a message is taken once")
      yield* Support.hear(client, bob, (update) => update.message?.decrypted_message?.message === "hello")
      const history = yield* client.call(`${bob}/getSecretMessages`, { peer: chatId })
      assert.deepStrictEqual(textsOf(history), ["hello"])
    }).pipe(Effect.scoped))
})
