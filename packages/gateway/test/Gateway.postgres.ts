import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { suite } from "./storeSuite.ts"
import * as Support from "./support.ts"

const url = process.env["POSTGRES_URL"] ?? "postgres://127.0.0.1:1/none"

suite("PostgreSQL", PgClient.layer({ url: Redacted.make(url) }))

describe("a gateway on PostgreSQL", () => {
  it.live("sends from one account to another", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      const client = yield* Support.start(telegram, url)
      const ann = yield* Support.logIn(telegram, client, "+15550001")
      const bob = yield* Support.logIn(telegram, client, "+15550002")
      const chatId = yield* Support.openChat(client, ann, bob)
      const send = client.post(
        `${ann}/messages.sendEncryptedService`,
        { peer: chatId, message: "hello" },
        { "idempotency-key": "one" }
      )
      const first = yield* send
      assert.strictEqual(first.status, 200)
      assert.deepStrictEqual((yield* send).body, first.body)
      yield* Support.hear(client, bob, (update) => update.message?.decrypted_message?.message === "hello")
    }).pipe(Effect.scoped), 60_000)
})
