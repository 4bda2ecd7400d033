import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { Agent, createServer, get } from "node:http"
import type { AddressInfo } from "node:net"
import { bodyOf, sign } from "../src/internal/webhooks.ts"
import * as Support from "./support.ts"

const said = (text: string) => (update: any) => update.message?.decrypted_message?.message === text
const say = (client: Support.Client, from: string, peer: number, message: string) =>
  client.call(`${from}/sendEncrypted`, { peer, message })

/** Reads Server-Sent Events until one matches. */
const listen = (url: string, headers: Record<string, string>, matches: (update: any) => boolean) =>
  Effect.promise(async (signal) => {
    const abort = new AbortController()
    signal.addEventListener("abort", () => abort.abort())
    const response = await fetch(url, { headers, signal: abort.signal })
    assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
    const events: Array<{ readonly id: number; readonly data: any }> = []
    let text = ""
    const decoder = new TextDecoder()
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk, { stream: true })
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const lines = text.slice(0, end).split("\n")
        text = text.slice(end + 2)
        const id = lines.find((line) => line.startsWith("id: "))
        const data = lines.find((line) => line.startsWith("data: "))
        if (id === undefined || data === undefined) continue
        const event = { id: Number(id.slice(4)), data: JSON.parse(data.slice(6)) }
        events.push(event)
        // leaving the loop closes the connection
        if (matches(event.data.update)) return events
      }
    }
    throw new Error("the stream has ended")
  })

describe("updates", () => {
  it.live("are fetched by number, waited for, acknowledged, and outlive the gateway", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      const filename = `${yield* Support.folder}/gateway.db`
      const first = yield* Scope.make()
      const client = yield* Scope.provide(Support.start(telegram, filename), first)
      const ann = yield* Support.logIn(telegram, client, "+15550001")
      const bob = yield* Support.logIn(telegram, client, "+15550002")
      const chatId = yield* Support.openChat(client, ann, bob)
      const before = yield* client.call(`${bob}/getUpdates`, { limit: 1 })
      assert.deepStrictEqual(before[0].update.chat._, "encryptedChatRequested")
      yield* Support.hear(client, bob, (update) => update.chat?._ === "encryptedChat")
      const all = yield* client.call(`${bob}/getUpdates`)
      assert.deepStrictEqual(all.map((one: any) => one.update_id), all.map((_: any, i: number) => i + 1))
      const next = all.at(-1).update_id + 1
      const waiting = yield* Effect.forkChild(client.call(`${bob}/getUpdates`, { offset: next, timeout: 30 }), {
        startImmediately: true
      })
      yield* say(client, ann, chatId, "hello")
      const heard = yield* Fiber.join(waiting)
      assert.isTrue(heard.length > 0 && heard[0].update_id === next)
      // what was below the offset is gone
      const rest = yield* client.call(`${bob}/getUpdates`)
      assert.isTrue(rest.every((one: any) => one.update_id >= next))
      assert.strictEqual((yield* client.call(`${bob}/getUpdates`, { offset: -1 })).length, 1)
      // who waits is sent home when the gateway stops, and what is under way is answered
      const poll = yield* Effect.forkChild(client.fetch(`${ann}/getUpdates?offset=100000&timeout=60`), {
        startImmediately: true
      })
      yield* telegram.faults.delayNext("messages.sendEncrypted", "1 second")
      const late = yield* Effect.forkChild(client.post(`${ann}/sendEncrypted`, { peer: chatId, message: "late" }), {
        startImmediately: true
      })
      yield* Support.until(
        client.fetch("/metrics"),
        ({ body }) => /^gateway_requests_in_flight(?:\{[^}]*\})? 2$/m.test(body)
      )
      yield* Scope.close(first, Exit.void)
      assert.deepStrictEqual((yield* Fiber.join(poll)).body, { ok: true, result: [] })
      assert.strictEqual((yield* Fiber.join(late)).status, 200)

      const again = yield* Support.start(telegram, filename)
      yield* Support.hear(again, bob, said("hello"))
      yield* say(again, ann, chatId, "again")
      const later = yield* Support.hear(again, bob, said("again"))
      const ids = later.map((one) => one.update_id)
      assert.deepStrictEqual(ids, [...new Set(ids)].toSorted((a, b) => a - b))
      assert.isAtLeast(ids[0], next)
      for (const params of [{ offset: "x" }, { limit: 0 }, { limit: 101 }, { timeout: 61 }, { timeout: -1 }]) {
        assert.strictEqual((yield* again.post(`${bob}/getUpdates`, params)).status, 400)
      }
    }).pipe(Effect.scoped))

  it.live("whoever goes before the answer is not waited for, nor counted any more", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      const client = yield* Support.start(telegram, `${yield* Support.folder}/gateway.db`)
      const ann = yield* Support.logIn(telegram, client, "+15550001")
      const inFlight = (count: number) =>
        Support.until(
          client.fetch("/metrics"),
          ({ body }) => new RegExp(`^gateway_requests_in_flight(?:\\{[^}]*\\})? ${count}$`, "m").test(body)
        )
      const poll = yield* Effect.forkChild(client.fetch(`${ann}/getUpdates?offset=100000&timeout=60`), {
        startImmediately: true
      })
      yield* inFlight(1)
      yield* Fiber.interrupt(poll)
      yield* inFlight(0)
    }).pipe(Effect.scoped))

  // the gateway would wait 20 seconds for connections that are kept
  it.live("a listener whose connection is kept does not hold up the end of the gateway", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(Support.start(telegram, `${yield* Support.folder}/gateway.db`), scope)
      const ann = yield* Support.logIn(telegram, client, "+15550001")
      const agent = yield* Effect.acquireRelease(
        Effect.sync(() => new Agent({ keepAlive: true })),
        (agent) => Effect.sync(() => agent.destroy())
      )
      const ended = yield* Deferred.make<void>()
      yield* Effect.promise(() =>
        new Promise<void>((resolve, reject) => {
          get(`${client.base}${ann}/events`, { agent }, (response) => {
            response.once("data", () => resolve())
            response.once("end", () => Deferred.doneUnsafe(ended, Exit.void))
            response.once("error", reject)
          }).once("error", reject)
        })
      )
      yield* Scope.close(scope, Exit.void)
      yield* Deferred.await(ended)
    }).pipe(Effect.scoped), 15_000)

  it.live("come as Server-Sent Events and over a WebSocket, resumed by number", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.world()
      const url = `${client.base}${bob}/events`
      const listening = yield* Effect.forkChild(listen(url, {}, said("one")), { startImmediately: true })
      yield* say(client, ann, chatId, "one")
      const events = yield* Fiber.join(listening)
      assert.isTrue(events.every(({ data, id }) => data.update_id === id))
      const last = events.at(-1)!.id
      yield* say(client, ann, chatId, "two")
      const resumed = yield* listen(url, { "last-event-id": String(last) }, said("two"))
      assert.isTrue(resumed.every(({ id }) => id > last))

      const socket = yield* Effect.acquireRelease(
        Effect.sync(() =>
          new WebSocket(`${client.base.replace("http", "ws")}${bob}/websocket?offset=${resumed.at(-1)!.id + 1}`)
        ),
        (open) => Effect.sync(() => open.close())
      )
      const frames: Array<any> = []
      const heard = new Promise<void>((resolve, reject) => {
        socket.addEventListener("error", () => reject(new Error("the socket has failed")))
        socket.addEventListener("message", ({ data }) => {
          const update = JSON.parse(String(data))
          frames.push(update)
          socket.send(JSON.stringify({ ack: update.update_id }))
          if (said("three")(update.update)) resolve()
        })
      })
      yield* Effect.promise(() => new Promise((resolve) => socket.addEventListener("open", resolve)))
      yield* say(client, ann, chatId, "three")
      yield* Effect.promise(() => heard)
      assert.isTrue(frames.every(({ update_id }) => update_id > resumed.at(-1)!.id))
      yield* Support.until(client.call(`${bob}/getUpdates`), (left) =>
        !left.some((one: any) => said("three")(one.update)))
      assert.strictEqual((yield* client.fetch(`${bob}/websocket`)).status, 426)
    }).pipe(Effect.scoped))

  it.live("are posted, signed, one after the other, again until they are taken; the answer may be a call", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.world({ webhookRetry: "10 millis" })
      const posts: Array<
        { readonly body: any; readonly text: string; readonly headers: any; readonly status: number }
      > = []
      let failures = 2
      const hook = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer((request, response) => {
            let text = ""
            request.on("data", (chunk) => {
              text += chunk
            })
            request.on("end", () => {
              const status = failures-- > 0 ? 500 : 200
              posts.push({ text, body: JSON.parse(text), headers: request.headers, status })
              response.writeHead(status, { "content-type": "application/json" })
              const { update } = JSON.parse(text)
              response.end(
                said("ping")(update) && status === 200
                  ? JSON.stringify({ method: "messages->sendEncrypted", peer: update, message: "pong" })
                  : "{}"
              )
            })
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) =>
          Effect.promise(() => {
            server.closeAllConnections()
            return new Promise((resolve) => server.close(resolve))
          })
      )
      const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook?x=1`
      const { secret } = yield* client.call(`${bob}/setWebhook`, { url })
      assert.isAtLeast(secret.length, 40)
      assert.strictEqual((yield* client.post(`${bob}/getUpdates`)).status, 409)
      assert.strictEqual((yield* client.post(`${bob}/events`)).status, 409)
      yield* say(client, ann, chatId, "ping")
      yield* Support.hear(client, ann, said("pong"))
      const ok = posts.filter(({ status }) => status === 200)
      const ids = ok.map(({ body }) => body.update_id)
      assert.deepStrictEqual(ids, ids.map((_, i) => i + ids[0]))
      // what was refused came again, the same
      assert.strictEqual(posts[0]!.text, posts[2]!.text)
      for (const { body, headers, text } of posts) {
        assert.strictEqual(headers["x-webhook-id"], String(body.update_id))
        assert.strictEqual(headers["x-webhook-signature"], sign(secret, Number(headers["x-webhook-timestamp"]), text))
      }
      assert.strictEqual(bodyOf({ id: 5, json: "{}" }), "{\"update_id\":5,\"update\":{}}")
      const info = yield* client.call(`${bob}/getWebhookInfo`)
      assert.strictEqual(info.url, url)
      assert.strictEqual(info.last_error_message, "The address answered 500")
      for (const bad of ["x", "ftp://a/b", "http://u:p@a/b", "file:///etc/passwd", {}]) {
        assert.strictEqual((yield* client.post(`${bob}/setWebhook`, { url: bad })).status, 400)
      }
      assert.strictEqual(yield* client.call(`${bob}/deleteWebhook`), true)
      assert.strictEqual((yield* client.post(`${bob}/getUpdates`)).status, 200)
    }).pipe(Effect.scoped))
})
