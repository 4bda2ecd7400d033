import * as NodeVault from "@effect-mtproto/crypto/NodeVault"
import {
  layerMemory,
  layerSealed,
  layerSealedSql,
  layerSql,
  SecretChatStore
} from "@effect-mtproto/secret-chats/SecretChatStore"
import * as SecretChatStoreTest from "@effect-mtproto/secret-chats/testing/SecretChatStoreTest"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

const temporaryFile = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "secret-chats-"))),
  (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
).pipe(Effect.map((folder) => Path.join(folder, "store.db")))

const sqlite = (filename: string, options?: { readonly account?: string }) =>
  layerSql(options).pipe(Layer.provideMerge(SqliteClient.layer({ filename })))

SecretChatStoreTest.suite("memory", layerMemory)
SecretChatStoreTest.suite("SQLite in memory", sqlite(":memory:"))
SecretChatStoreTest.suite("SQLite file", Layer.unwrap(Effect.map(temporaryFile, (filename) => sqlite(filename))))
SecretChatStoreTest.suite(
  "SQLite file, of one account among several",
  Layer.unwrap(Effect.map(temporaryFile, (filename) => sqlite(filename, { account: "second" })))
)
SecretChatStoreTest.suite("sealed, in memory", layerSealed(layerMemory).pipe(Layer.provide(NodeVault.layerMemory)))
SecretChatStoreTest.suite(
  "sealed, SQLite",
  layerSealedSql().pipe(Layer.provide([NodeVault.layerMemory, SqliteClient.layer({ filename: ":memory:" })]))
)

const write = (chatId: number, expected: number, ...events: ReadonlyArray<number>) => ({
  chatId,
  expected,
  chat: { phase: "ready", wakeAt: undefined, head: new Uint8Array([1]) },
  changes: events.map((n) => ({ _tag: "AppendEvent" as const, data: Uint8Array.of(n) }))
})

describe("layerSql", () => {
  it.effect("what is committed is there when the file is opened again", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      yield* Effect.provide(SecretChatStore.use((store) => store.commit(write(7, 0, 1, 2))), sqlite(filename))
      yield* Effect.gen(function*() {
        const store = yield* SecretChatStore
        assert.strictEqual(Option.getOrThrow(yield* store.load(7)).version, 1)
        const rows = yield* store.events({ after: 0n, limit: 10 })
        assert.deepStrictEqual(rows.map((row) => row.id), [1n, 2n])
        yield* store.commit(write(7, 1, 3))
        assert.deepStrictEqual((yield* store.events({ after: 2n, limit: 10 })).map((row) => row.id), [3n])
      }).pipe(Effect.provide(sqlite(filename)))
    }))

  it.effect("two connections on one file cannot both advance a chat", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const open = Effect.map(Layer.build(Layer.fresh(sqlite(filename))), (context) =>
        Effect.provideContext(SecretChatStore, context))
      const one = yield* Effect.flatten(open)
      const two = yield* Effect.flatten(open)
      yield* one.commit(write(1, 0))
      const results = yield* Effect.all([
        Effect.result(one.commit(write(1, 1, 10))),
        Effect.result(two.commit(write(1, 1, 20)))
      ], { concurrency: 2 })
      assert.deepStrictEqual(
        results.map((r) =>
          r._tag
        ).toSorted(),
        ["Failure", "Success"]
      )
      assert.strictEqual((yield* one.events({ after: 0n, limit: 10 })).length, 1)
      assert.strictEqual(Option.getOrThrow(yield* two.load(1)).version, 2)
    }))

  it.effect("accounts in one database do not see each other", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const at = <A, E>(account: string, effect: Effect.Effect<A, E, SecretChatStore>) =>
        Effect.provide(effect, sqlite(filename, { account }))
      yield* at("a", SecretChatStore.use((store) => store.commit(write(1, 0, 1))))
      assert.isTrue(Option.isNone(yield* at("b", SecretChatStore.use((store) => store.load(1)))))
      yield* at("b", SecretChatStore.use((store) => store.commit(write(1, 0, 2))))
      const events = yield* at("b", SecretChatStore.use((store) => store.events({ after: 0n, limit: 10 })))
      assert.deepStrictEqual(events.map((row) => [row.id, row.data[0]]), [[1n, 2]])
    }))

  it.effect("a confirmation is durable with the next commit, after a moment, or when the store is closed", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const stored = Effect.flatMap(SqliteClient.SqliteClient, (sql) => sql`SELECT id FROM secret_chat_events`.values)
      yield* Effect.gen(function*() {
        const store = yield* SecretChatStore
        yield* store.commit(write(1, 0, 1, 2, 3, 4))
        yield* store.confirm([1n])
        assert.strictEqual((yield* stored).length, 4)
        yield* store.commit(write(2, 0))
        assert.deepStrictEqual(yield* stored, [[2], [3], [4]])
        yield* store.confirm([2n])
        yield* TestClock.adjust("100 millis")
        // The transaction of the timer runs in a fiber of the store; this one waits for the connection behind it.
        yield* store.commit(write(3, 0))
        assert.deepStrictEqual(yield* stored, [[3], [4]])
        yield* store.confirm([3n])
      }).pipe(Effect.provide(sqlite(filename)))
      assert.deepStrictEqual(yield* Effect.provide(stored, sqlite(filename)), [[4]])
    }))

  it.effect("a database of a newer version is refused and not touched", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`INSERT INTO secret_chat_migrations ${sql.insert({ migration_id: 999, name: "future" })}`
        yield* sql`PRAGMA wal_checkpoint(TRUNCATE)`
      }).pipe(Effect.provide(sqlite(filename)))
      const before = Fs.readFileSync(filename)
      const error = yield* Effect.flip(Effect.provide(SecretChatStore, sqlite(filename)))
      assert.strictEqual(error._tag === "StoreError" ? error.reason : error._tag, "newer")
      assert.isTrue(before.equals(Fs.readFileSync(filename)))
    }))

  it.effect("a row that cannot be read is a StoreError and changes nothing", () =>
    Effect.gen(function*() {
      const store = yield* SecretChatStore
      const sql = yield* SqlClient.SqlClient
      yield* store.commit(write(1, 0, 1))
      yield* sql`UPDATE secret_chats SET head = 'text'`
      yield* sql`UPDATE secret_chat_events SET data = 5`
      assert.strictEqual((yield* Effect.flip(store.load(1))).reason, "corrupt")
      assert.strictEqual((yield* Effect.flip(store.list({ limit: 10 }))).reason, "corrupt")
      assert.strictEqual((yield* Effect.flip(store.events({ after: 0n, limit: 10 }))).reason, "corrupt")
      yield* sql`DROP TABLE secret_chat_messages`
      assert.strictEqual((yield* Effect.flip(store.messages({ chatId: 1 }))).reason, "unavailable")
      const failed = yield* Effect.flip(store.commit({
        ...write(2, 0, 1),
        changes: [{ _tag: "DeleteHistory" }]
      }))
      assert.strictEqual(failed.reason, "unavailable")
      assert.isTrue(Option.isNone(yield* store.load(2)))
    }).pipe(Effect.provide(sqlite(":memory:"))))

  it.effect("a write that the database refuses does not touch those that share its transaction", () =>
    Effect.gen(function*() {
      const store = yield* SecretChatStore
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TRIGGER no_fives BEFORE INSERT ON secret_chat_events WHEN new.data = x'05' BEGIN SELECT RAISE(ABORT, 'no'); END`
      const results = yield* Effect.forEach([1, 2, 3, 4, 5, 6], (n) => Effect.result(store.commit(write(n, 0, n))), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(results.map((r) => r._tag === "Success"), [true, true, true, true, false, true])
    }).pipe(Effect.provide(sqlite(":memory:"))))

  it.live("concurrent commits share transactions", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      yield* Effect.gen(function*() {
        const store = yield* SecretChatStore
        let transactions = 0
        const sql = yield* SqliteClient.SqliteClient
        yield* sql`CREATE TABLE tx (id INTEGER)`
        yield* Effect.forEach(Array.from({ length: 100 }, (_, i) => i + 1), (n) => store.commit(write(n, 0, 1)), {
          concurrency: "unbounded"
        })
        // Every commit appends one frame with the commit mark to the log: count them.
        const wal = Fs.readFileSync(`${filename}-wal`)
        const pageSize = wal.readUInt32BE(8)
        for (let at = 32; at + 24 + pageSize <= wal.length; at += 24 + pageSize) {
          if (wal.readUInt32BE(at + 4) !== 0) transactions++
        }
        // A few are from opening: migrations, the counter, the table above.
        assert.isBelow(transactions, 12)
      }).pipe(Effect.provide(sqlite(filename)))
    }))
})
