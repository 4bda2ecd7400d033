import { layerSealedSql, layerSql, SecretChatStore, type Write } from "@effect-mtproto/secret-chats/SecretChatStore"
import * as SecretChatStoreTest from "@effect-mtproto/secret-chats/testing/SecretChatStoreTest"
import * as SqlVault from "@effect-mtproto/transport/SqlVault"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import * as Postgres from "./support/postgres.ts"
import * as Processes from "./support/processes.ts"

SecretChatStoreTest.suite("PostgreSQL", layerSql({ account: "plain" }).pipe(Layer.provide(Postgres.client())))
SecretChatStoreTest.suite(
  "PostgreSQL, sealed",
  layerSealedSql({ account: "sealed" }).pipe(
    Layer.provide(SqlVault.layer({ key: Redacted.make(new Uint8Array(32)) })),
    Layer.provide(Postgres.client())
  )
)

const write = (chatId: number, expected: number, ...events: ReadonlyArray<number>): Write => ({
  chatId,
  expected,
  chat: { phase: "ready", wakeAt: undefined, head: Uint8Array.of(1) },
  changes: [
    ...events.map((n) => ({ _tag: "AppendEvent" as const, data: Uint8Array.of(n) })),
    { _tag: "PutPending", index: expected, data: Uint8Array.of(1) }
  ]
})

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

describe("layerSql on PostgreSQL", () => {
  const open = (database: string) =>
    Effect.map(
      Layer.build(Layer.fresh(layerSql().pipe(Layer.provideMerge(Postgres.client(database))))),
      (context) => Effect.provideContext(SecretChatStore, context)
    ).pipe(Effect.flatten)

  it.effect("two pools that race for every version: one wins each, and event ids rise in commit order", () =>
    Effect.gen(function*() {
      const database = yield* Postgres.freshDatabase
      const stores = [yield* open(database), yield* open(database)]
      const chats = numbers(8)
      let conflicts = 0
      const play = (store: typeof stores[number], name: number) =>
        Effect.forEach(chats.flatMap((chat) => numbers(10).map(() => chat)), (chatId) =>
          Effect.gen(function*() {
            const version = Option.match(yield* store.load(chatId), { onNone: () => 0, onSome: (c) => c.version })
            const result = yield* Effect.result(store.commit(write(chatId, version, name)))
            if (result._tag === "Success") return
            assert.strictEqual(result.failure.reason, "conflict")
            conflicts++
          }), { concurrency: 8, discard: true })
      yield* Effect.all(stores.map(play), { concurrency: 2 })
      let versions = 0
      for (const chatId of chats) {
        const { pending, version } = Option.getOrThrow(yield* stores[0]!.load(chatId))
        // One row for each version: nobody else wrote from the same one.
        assert.deepStrictEqual(pending.map((row) => row.index), numbers(version))
        versions += version
      }
      const rows = yield* stores[1]!.events({ after: 0n, limit: 1000 })
      assert.strictEqual(rows.length, versions)
      assert.strictEqual(versions + conflicts, 2 * 80)
    }).pipe(Effect.scoped))

  it.effect("loads a chat at one version while somebody else advances it", () =>
    Effect.gen(function*() {
      const database = yield* Postgres.freshDatabase
      const [reader, writer] = [yield* open(database), yield* open(database)]
      yield* writer.commit(write(1, 0))
      const advance = Effect.forEach(numbers(60), (n) => writer.commit(write(1, n + 1)), { discard: true })
      const look = Effect.forEach(numbers(60), () =>
        Effect.map(reader.load(1), (chat) => {
          const { pending, version } = Option.getOrThrow(chat)
          assert.strictEqual(pending.length, version)
        }), { discard: true })
      yield* Effect.all([advance, look], { concurrency: 2 })
    }).pipe(Effect.scoped))

  it.effect("two programs that open a new database at the same time both find their tables", () =>
    Effect.gen(function*() {
      const database = yield* Postgres.freshDatabase
      const stores = yield* Effect.all([open(database), open(database), open(database)], { concurrency: 3 })
      for (const [i, store] of stores.entries()) yield* store.commit(write(i, 0))
    }).pipe(Effect.scoped))

  it.effect("a database of a newer version is refused and not touched", () =>
    Effect.gen(function*() {
      const database = yield* Postgres.freshDatabase
      const tables = Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        return yield* sql`
          SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2`
      }).pipe(Effect.provide(Postgres.client(database)))
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE secret_chat_migrations (migration_id INTEGER PRIMARY KEY, name TEXT)`
        yield* sql`INSERT INTO secret_chat_migrations ${sql.insert({ migration_id: 999, name: "future" })}`
      }).pipe(Effect.provide(Postgres.client(database)))
      const before = yield* tables
      const error = yield* Effect.flip(open(database))
      assert.strictEqual(error._tag === "StoreError" ? error.reason : error._tag, "newer")
      assert.deepStrictEqual(yield* tables, before)
    }).pipe(Effect.scoped))

  it.live("two processes that race for every version of a chat: one wins each, the other is told", () =>
    Effect.gen(function*() {
      const url = Postgres.urlOf(yield* Postgres.freshDatabase)
      const [one, two] = yield* Processes.race({ url }, 1, 120)
      const won = [...one!.won, ...two!.won].toSorted((a, b) => a - b)
      assert.deepStrictEqual(won, numbers(120).map((n) => n + 1))
      assert.isAbove(one!.won.length, 0)
      assert.isAbove(two!.won.length, 0)
    }))
})
