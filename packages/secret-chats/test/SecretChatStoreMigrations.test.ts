import { layerSql, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { DatabaseSync } from "node:sqlite"

/** A database that an earlier version has written, from a dump of it. */
const written = (version: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "migrations-"))
      const filename = Path.join(folder, "store.db")
      const db = new DatabaseSync(filename)
      db.exec(Fs.readFileSync(Path.join(import.meta.dirname, `fixtures/store-version-${version}.sql`), "utf8"))
      db.close()
      return { folder, filename }
    }),
    ({ folder }) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
  )

describe("migrations", () => {
  for (const version of [1, 2]) {
    it.effect(`a store of version ${version} is brought up to date with all that is in it`, () =>
      Effect.gen(function*() {
        const { filename } = yield* written(version)
        yield* Effect.gen(function*() {
          const store = yield* SecretChatStore
          const sql = yield* SqlClient.SqlClient
          assert.deepStrictEqual(Option.getOrThrow(yield* store.load(-5)), {
            chatId: -5,
            version: 1,
            phase: "ready",
            wakeAt: 0,
            head: Uint8Array.of(1),
            records: [{ index: 0, record: Uint8Array.of(10) }, { index: 1, record: Uint8Array.of(11) }],
            pending: [{ index: 3, data: Uint8Array.of(30) }]
          })
          assert.deepStrictEqual((yield* store.list({ limit: 10 })).map((row) => row.chatId), [-5, 6])
          assert.deepStrictEqual(yield* store.wakes(5000), [{ chatId: -5, wakeAt: 0 }, { chatId: 6, wakeAt: 5000 }])
          assert.deepStrictEqual(yield* store.outboxUnsent({ chatId: -5, limit: 10 }), [
            { index: 1, randomId: -8n, unsent: true, record: Uint8Array.of(11), packet: Uint8Array.of(21) }
          ])
          assert.deepStrictEqual(yield* store.events({ after: 0n, limit: 10 }), [
            { id: 2n, chatId: -5, data: Uint8Array.of(41) },
            { id: 3n, chatId: 6, data: Uint8Array.of(42) }
          ])
          const history = store.messages({ chatId: -5, order: "oldest-first" })
          assert.deepStrictEqual(
            (yield* history).map(({ data, date, randomId, state }) => [randomId, state, date, data]),
            [
              [7n, "sent", 103, Uint8Array.of(50)],
              [-8n, "queued", 101, Uint8Array.of(51)],
              [9n, "received", 102, Uint8Array.of(52)]
            ]
          )
          assert.deepStrictEqual(yield* store.known(-5, [9n, 7n]), [9n])
          assert.deepStrictEqual(yield* store.expired({ now: 205, limit: 10 }), [
            { chatId: -5, outgoing: false, randomId: 9n, ttl: 5, startsOn: "open", date: 102, expiresAt: 205 }
          ])
          assert.isTrue(yield* store.seenElsewhere(6, [Uint8Array.of(60, 61)]))
          // It goes on from there.
          assert.deepStrictEqual(
            yield* store.commit({
              chatId: -5,
              expected: 1,
              chat: { phase: "ready", wakeAt: undefined, head: Uint8Array.of(4) },
              changes: [
                { _tag: "SetMessageState", randomId: -8n, state: "sent" },
                { _tag: "ReadMessages", outgoing: true, maxDate: 101 },
                { _tag: "ReadMessages", outgoing: false, maxDate: 102 },
                { _tag: "AppendEvent", data: Uint8Array.of(43) }
              ]
            }),
            { version: 2, events: [4n] }
          )
          assert.deepStrictEqual((yield* history).map((row) => row.state), ["sent", "read", "read"])
          assert.deepStrictEqual(yield* sql`PRAGMA integrity_check`.values, [["ok"]])
        }).pipe(Effect.provide(
          layerSql({ account: "a" }).pipe(Layer.provideMerge(SqliteClient.layer({ filename })))
        ))
      }))
  }
})
