import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { EventSource } from "eventsource"
import { join } from "node:path"
import * as Support from "./support.ts"

interface Heard {
  readonly id: number
  readonly text: string | undefined
}

describe("an EventSource", () => {
  it.live("goes on where it was when the gateway has been started again, and misses and repeats nothing", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      const folder = yield* Support.folder
      // who speaks is elsewhere, and goes on while the other gateway is away
      const speaking = yield* Support.start(telegram, join(folder, "ann.db"))
      const filename = join(folder, "bob.db")
      const first = yield* Scope.make()
      const listening = yield* Scope.provide(Support.start(telegram, filename), first)
      const ann = yield* Support.logIn(telegram, speaking, "+15550001")
      const bob = yield* Support.logIn(telegram, listening, "+15550002")
      const { chat_id } = yield* speaking.call(`${ann}/requestSecretChat`, { user: "+15550002" })
      yield* Support.hear(listening, bob, (update) => update.chat?._ === "encryptedChatRequested")
      yield* listening.call(`${bob}/acceptSecretChat`, { peer: chat_id })
      yield* Support.until(speaking.call(`${ann}/getSecretChat`, { peer: chat_id }), ({ state }) => state === "ready")

      const heard: Array<Heard> = []
      const refusals: Array<number> = []
      const asked: Array<string | undefined> = []
      const source = yield* Effect.acquireRelease(
        Effect.sync(() =>
          new EventSource(`${listening.base}${bob}/events`, {
            fetch: (url, init) => {
              asked.push((init.headers as Record<string, string>)["Last-Event-ID"])
              return fetch(url, init)
            }
          })
        ),
        (open) => Effect.sync(() => open.close())
      )
      source.addEventListener("message", ({ data, lastEventId }) => {
        const { update, update_id } = JSON.parse(data)
        assert.strictEqual(lastEventId, String(update_id))
        heard.push({ id: update_id, text: update.message?.decrypted_message?.message })
      })
      source.addEventListener("error", ({ code }) => {
        if (code !== undefined) refusals.push(code)
      })
      const say = (message: string) => speaking.call(`${ann}/sendEncrypted`, { peer: chat_id, message })
      const until = (text: string) =>
        Support.until(Effect.sync(() => heard), (all) => all.some((one) => one.text === text))
      const texts = () => heard.flatMap(({ text }) => text === undefined || text === "" ? [] : [text])

      yield* say("one")
      yield* say("two")
      yield* until("two")
      yield* Scope.close(first, Exit.void)
      yield* say("three, while nobody listens")
      yield* say("four, while nobody listens")
      const port = Number(new URL(listening.base).port)
      const again = yield* Support.start(telegram, filename, {}, port)
      yield* until("four, while nobody listens")
      yield* say("five")
      yield* until("five")

      assert.deepStrictEqual(texts(), [
        "one",
        "two",
        "three, while nobody listens",
        "four, while nobody listens",
        "five"
      ])
      const ids = heard.map(({ id }) => id)
      assert.deepStrictEqual(ids, ids.map((_, i) => ids[0]! + i))
      assert.deepStrictEqual(refusals, [])
      // the number that it came back with is acknowledged
      const last = heard.find(({ text }) => text === "two")!.id
      assert.strictEqual(asked[0], undefined)
      assert.isTrue(asked.length > 1 && asked.slice(1).every((header) => Number(header) >= last), String(asked))
      const left = yield* again.call(`${bob}/getUpdates`)
      assert.isTrue(left.every(({ update_id }: any) => update_id > last))
    }).pipe(Effect.scoped))

  it.live("is turned away for good with a wrong token, and while a webhook takes the updates", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      const client = yield* Support.start(telegram, join(yield* Support.folder, "gateway.db"))
      const ann = yield* Support.logIn(telegram, client, "+15550001")
      const refused = (path: string) =>
        Effect.acquireUseRelease(
          Effect.sync(() => new EventSource(client.base + path)),
          (source) =>
            Effect.callback<readonly [code: number | undefined, state: number]>((resume) => {
              source.addEventListener("error", ({ code }) => resume(Effect.succeed([code, source.readyState])))
            }),
          (source) => Effect.sync(() => source.close())
        )
      assert.deepStrictEqual(yield* refused(`${ann}x/events`), [401, EventSource.CLOSED])
      yield* client.call(`${ann}/setWebhook`, { url: "http://127.0.0.1:1/" })
      assert.deepStrictEqual(yield* refused(`${ann}/events`), [409, EventSource.CLOSED])
    }).pipe(Effect.scoped))
})
