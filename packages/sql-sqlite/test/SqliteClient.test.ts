import { SqliteClient, SqliteMigrator } from "@effect-mtproto/sql-sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Array, Config, ConfigProvider, Deferred, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { KeyValueStore } from "effect/persistence"
import { Migrator, SqlClient } from "effect/sql"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

const temporaryFile = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "sqlite-"))),
  (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
).pipe(Effect.map((folder) => Path.join(folder, "test.db")))

const memory = SqliteClient.layer({ filename: ":memory:" })

/** The client of a fresh connection, open until the test's scope closes. */
const connect = (config: SqliteClient.SqliteClientConfig) =>
  Effect.map(
    Layer.build(Layer.fresh(SqliteClient.layer(config))),
    (context) => Effect.provideContext(SqliteClient.SqliteClient, context)
  ).pipe(Effect.flatten)

const load = (record: Record<string, Effect.Effect<unknown, unknown, SqlClient.SqlClient>>) =>
  Migrator.fromRecord(record as Record<string, Effect.Effect<void, unknown, SqlClient.SqlClient>>)

describe("SqliteClient", () => {
  it.effect("runs statements, inserts, returns rows and values", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, flag INTEGER, seen TEXT)`
      const inserted = yield* sql`INSERT INTO t ${
        sql.insert([{ id: 1, name: "a", flag: true, seen: new Date(0) }, {
          id: 2,
          name: undefined,
          flag: false,
          seen: null
        }])
          .returning("*")
      }`
      assert.deepStrictEqual(inserted.map((row) => ({ ...row })), [
        { id: 1, name: "a", flag: 1, seen: "1970-01-01T00:00:00.000Z" },
        { id: 2, name: null, flag: 0, seen: null }
      ])
      assert.deepStrictEqual(yield* sql`SELECT id, name FROM t ORDER BY id`.values, [[1, "a"], [2, null]])
      assert.deepStrictEqual(yield* sql`SELECT id FROM t WHERE id IN ${sql.in([1, 2])} ORDER BY id`.valuesUnprepared, [
        [1],
        [2]
      ])
      const raw = (yield* sql`DELETE FROM t`.raw) as { readonly changes: number }
      assert.strictEqual(raw.changes, 2)
      assert.strictEqual(sql.driver, "node:sqlite")
    }).pipe(Effect.provide(memory)))

  it.effect("a 64-bit integer comes back exactly with SafeIntegers, and is an error without", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (n INTEGER)`
      for (const n of [-(2n ** 63n), 2n ** 63n - 1n, -9007199254740993n, 0n]) {
        yield* sql`DELETE FROM t`
        yield* sql`INSERT INTO t VALUES (${n})`
        const rows = yield* sql<{ n: bigint }>`SELECT n FROM t`.pipe(
          Effect.provideService(SqlClient.SafeIntegers, true)
        )
        assert.strictEqual(rows[0]!.n, n)
      }
      yield* sql`UPDATE t SET n = ${2n ** 53n - 1n}`
      assert.deepStrictEqual(yield* sql`SELECT n FROM t`.values, [[Number.MAX_SAFE_INTEGER]])
      for (const n of [2n ** 63n - 1n, -9007199254740993n]) {
        yield* sql`UPDATE t SET n = ${n}`
        assert.strictEqual((yield* Effect.flip(sql`SELECT n FROM t`))._tag, "SqlError")
      }
      const outOfRange = yield* Effect.flip(sql`INSERT INTO t VALUES (${2n ** 63n})`)
      assert.strictEqual(outOfRange._tag, "SqlError")
    }).pipe(Effect.provide(memory)))

  it.effect("bytes go in and come out as they are", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (b BLOB)`
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
      yield* sql`INSERT INTO t VALUES (${bytes})`
      yield* sql`INSERT INTO t VALUES (${Buffer.from(bytes).subarray(3, 9)})`
      const rows = yield* sql<{ b: Uint8Array }>`SELECT b FROM t ORDER BY rowid`
      assert.deepStrictEqual(new Uint8Array(rows[0]!.b), bytes)
      assert.deepStrictEqual(new Uint8Array(rows[1]!.b), bytes.slice(3, 9))
    }).pipe(Effect.provide(memory)))

  it.effect("a failed transaction leaves nothing behind", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      yield* sql`INSERT INTO t VALUES (1)`
      const exit = yield* sql.withTransaction(
        Effect.gen(function*() {
          yield* sql`DELETE FROM t`
          yield* sql`INSERT INTO t VALUES (2)`
          return yield* Effect.fail("no")
        })
      ).pipe(Effect.exit)
      assert.deepStrictEqual(exit, Exit.fail("no"))
      assert.deepStrictEqual(yield* sql`SELECT id FROM t`.values, [[1]])
    }).pipe(Effect.provide(memory)))

  it.effect("an interrupted transaction leaves nothing behind and the connection stays usable", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      const inside = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        sql.withTransaction(
          Effect.andThen(sql`INSERT INTO t VALUES (1)`, Effect.andThen(Deferred.succeed(inside, void 0), Effect.never))
        )
      )
      yield* Deferred.await(inside)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* sql`SELECT id FROM t`.values, [])
    }).pipe(Effect.provide(memory)))

  it.effect("a nested transaction is a savepoint: it fails alone", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* sql`INSERT INTO t VALUES (1)`
        yield* sql.withTransaction(Effect.andThen(sql`INSERT INTO t VALUES (2)`, Effect.fail("inner"))).pipe(
          Effect.exit
        )
        yield* sql.withTransaction(sql`INSERT INTO t VALUES (3)`)
      }))
      assert.deepStrictEqual(yield* sql`SELECT id FROM t ORDER BY id`.values, [[1], [3]])
    }).pipe(Effect.provide(memory)))

  it.effect("statements of other fibers wait until a transaction has ended", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      const started = yield* Deferred.make<void>()
      const finish = yield* Deferred.make<void>()
      const transaction = yield* Effect.forkChild(sql.withTransaction(Effect.gen(function*() {
        yield* sql`INSERT INTO t VALUES (1)`
        yield* Deferred.succeed(started, void 0)
        yield* Deferred.await(finish)
        return yield* Effect.fail("rollback")
      })))
      yield* Deferred.await(started)
      const outside = yield* Effect.forkChild(sql`INSERT INTO t VALUES (2)`, { startImmediately: true })
      yield* Deferred.succeed(finish, void 0)
      yield* Fiber.await(transaction)
      yield* Fiber.join(outside)
      assert.deepStrictEqual(yield* sql`SELECT id FROM t`.values, [[2]])
    }).pipe(Effect.provide(memory)))

  it.effect("a synchronous transaction is whole or absent, and reads integers exactly", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      const rows = yield* sql.transactionSync((execute) => {
        execute("INSERT INTO t VALUES (?), (?)", [1, 2n ** 60n])
        return execute("SELECT id FROM t WHERE id > ? ORDER BY id", [0])
      })
      assert.deepStrictEqual(rows.map((row) => row["id"]), [1n, 2n ** 60n])
      const failed = yield* Effect.flip(sql.transactionSync((execute) => {
        execute("DELETE FROM t", [])
        execute("INSERT INTO nowhere VALUES (1)", [])
      }))
      assert.strictEqual(failed._tag, "SqlError")
      const bug = new Error("a bug")
      const died = yield* Effect.exit(sql.transactionSync((execute) => {
        execute("DELETE FROM t", [])
        throw bug
      }))
      assert.deepStrictEqual(died, Exit.die(bug))
      assert.deepStrictEqual(yield* sql.statementSync("SELECT COUNT(*) AS n FROM t", []), [{ n: 2n }])
      assert.strictEqual((yield* Effect.flip(sql.statementSync("SELECT nothing", [])))._tag, "SqlError")
    }).pipe(Effect.provide(memory)))

  it.effect("a synchronous transaction waits for that of another fiber, and is a part of its own fiber's", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      const add = (id: number) => sql.transactionSync((execute) => execute("INSERT INTO t VALUES (?)", [id]))
      const inside = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const outer = yield* Effect.forkChild(Effect.exit(sql.withTransaction(Effect.gen(function*() {
        yield* add(1)
        yield* Effect.flip(add(1))
        assert.deepStrictEqual(yield* sql.statementSync("SELECT id FROM t", []), [{ id: 1n }])
        yield* Deferred.succeed(inside, undefined)
        yield* Deferred.await(go)
        return yield* Effect.fail("no")
      }))))
      yield* Deferred.await(inside)
      const second = yield* Effect.forkChild(add(2))
      yield* Effect.yieldNow
      assert.isUndefined(second.pollUnsafe())
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual(yield* Fiber.join(outer), Exit.fail("no"))
      yield* Fiber.join(second)
      assert.deepStrictEqual(yield* sql`SELECT id FROM t`.values, [[2]])
    }).pipe(Effect.provide(memory)))

  it.effect("errors are classified", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE p (id INTEGER PRIMARY KEY)`
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE, p INTEGER REFERENCES p(id))`
      yield* sql`INSERT INTO t VALUES (1, 'a', NULL)`
      const unique = yield* Effect.flip(sql`INSERT INTO t VALUES (2, 'a', NULL)`)
      assert.strictEqual(unique.reason._tag, "UniqueViolation")
      const foreign = yield* Effect.flip(sql`INSERT INTO t VALUES (2, 'b', 7)`)
      assert.strictEqual(foreign.reason._tag, "ConstraintError")
      const syntax = yield* Effect.flip(sql`SELEC 1`)
      assert.strictEqual(syntax._tag, "SqlError")
    }).pipe(Effect.provide(memory)))

  it.effect("streams rows in batches and frees the connection", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      yield* sql`INSERT INTO t ${sql.insert(Array.makeBy(600, (id) => ({ id })))}`
      const rows = yield* Stream.runCollect(sql<{ id: number }>`SELECT id FROM t ORDER BY id`.stream)
      assert.deepStrictEqual(rows.map((row) => row.id), Array.makeBy(600, (i) => i))
      const first = yield* sql<{ id: number }>`SELECT id FROM t ORDER BY id`.stream.pipe(
        Stream.take(1),
        Stream.runCollect
      )
      assert.strictEqual(first.length, 1)
      yield* sql`DELETE FROM t`
    }).pipe(Effect.provide(memory)))

  it.effect("keeps working when more statements are used than the cache holds", () =>
    Effect.gen(function*() {
      const sql = yield* connect({ filename: ":memory:", prepareCacheSize: 2 })
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 5; i++) {
          assert.deepStrictEqual(yield* sql`SELECT ${sql.literal(String(i))} AS n`.values, [[i]])
        }
      }
    }))

  it.effect("transforms names both ways", () =>
    Effect.gen(function*() {
      const sql = yield* connect({
        filename: ":memory:",
        transformQueryNames: (name) => name.replaceAll(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
        transformResultNames: (name) => name.replaceAll(/_([a-z])/g, (_, c: string) => c.toUpperCase())
      })
      yield* sql`CREATE TABLE t (first_name TEXT)`
      yield* sql`INSERT INTO t ${sql.insert({ firstName: "x" })}`
      const rows = yield* sql`SELECT * FROM t`
      assert.deepStrictEqual({ ...rows[0] }, { firstName: "x" })
    }))
})

describe("SqliteClient on a file", () => {
  it.live("commits survive power loss: write-ahead log, full synchronisation, foreign keys, mode 0600", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const sql = yield* connect({ filename })
      const pragma = (name: string) => Effect.map(sql`PRAGMA ${sql.literal(name)}`.values, (rows) => rows[0]![0])
      assert.strictEqual(yield* pragma("journal_mode"), "wal")
      assert.strictEqual(yield* pragma("synchronous"), 2)
      assert.strictEqual(yield* pragma("foreign_keys"), 1)
      assert.strictEqual(yield* pragma("fullfsync"), 1)
      assert.strictEqual(yield* pragma("secure_delete"), 2)
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      for (const file of [filename, `${filename}-wal`, `${filename}-shm`]) {
        assert.strictEqual(Fs.statSync(file).mode & 0o777, 0o600, file)
      }
    }))

  it.live("an existing file that others may read is narrowed", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      Fs.writeFileSync(filename, "", { mode: 0o644 })
      Fs.chmodSync(filename, 0o644)
      yield* connect({ filename })
      assert.strictEqual(Fs.statSync(filename).mode & 0o777, 0o600)
    }))

  it.live("a second connection sees what the first has committed, and nothing else", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const one = yield* connect({ filename })
      const two = yield* connect({ filename })
      yield* one`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      yield* one.withTransaction(Effect.gen(function*() {
        yield* one`INSERT INTO t VALUES (1)`
        assert.deepStrictEqual(yield* two`SELECT id FROM t`.values, [])
      }))
      assert.deepStrictEqual(yield* two`SELECT id FROM t`.values, [[1]])
    }))

  it.live("a writer waits for another connection's transaction without blocking the process", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const one = yield* connect({ filename })
      const two = yield* connect({ filename })
      yield* one`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      const started = yield* Deferred.make<void>()
      const finish = yield* Deferred.make<void>()
      const first = yield* Effect.forkChild(one.withTransaction(
        Effect.andThen(
          one`INSERT INTO t VALUES (1)`,
          Effect.andThen(Deferred.succeed(started, void 0), Deferred.await(finish))
        )
      ))
      yield* Deferred.await(started)
      const second = yield* Effect.forkChild(two.withTransaction(two`INSERT INTO t VALUES (2)`), {
        startImmediately: true
      })
      yield* Deferred.succeed(finish, void 0)
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      assert.deepStrictEqual(yield* one`SELECT id FROM t ORDER BY id`.values, [[1], [2]])
    }))

  it.live("waiting for a lock ends after busyTimeout with LockTimeoutError", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const one = yield* connect({ filename })
      const two = yield* connect({ filename, busyTimeout: 5 })
      yield* one`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      const error = yield* one.withTransaction(
        Effect.andThen(one`INSERT INTO t VALUES (1)`, Effect.flip(two`INSERT INTO t VALUES (2)`))
      )
      assert.strictEqual(error._tag === "SqlError" ? error.reason._tag : undefined, "LockTimeoutError")
    }))

  it.live("a read-only client reads and refuses to write", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const one = yield* connect({ filename })
      yield* one`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      const reader = yield* connect({ filename, readonly: true })
      assert.deepStrictEqual(yield* reader.withTransaction(reader`SELECT id FROM t`.values), [])
      assert.strictEqual((yield* Effect.flip(reader`INSERT INTO t VALUES (1)`))._tag, "SqlError")
    }))

  it.live("what cannot be opened is a SqlError", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const missing = yield* Effect.flip(connect({ filename: `${filename}/no/such/folder` }))
      assert.strictEqual(missing._tag, "SqlError")
      Fs.writeFileSync(filename, "this is not a database, but it is longer than one hundred bytes. ".repeat(4))
      const garbage = yield* Effect.flip(connect({ filename }))
      assert.strictEqual(garbage._tag, "SqlError")
    }))

  it.live("a backup is a whole database with the same mode", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const one = yield* connect({ filename })
      yield* one`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      yield* one`INSERT INTO t VALUES (42)`
      yield* one.backup(`${filename}.copy`)
      const copy = yield* connect({ filename: `${filename}.copy` })
      assert.deepStrictEqual(yield* copy`SELECT id FROM t`.values, [[42]])
      assert.strictEqual(Fs.statSync(`${filename}.copy`).mode & 0o777, 0o600)
    }))

  it.live("takes its options from configuration", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const layer = SqliteClient.layerConfig({ filename: Config.String("DATABASE") }).pipe(
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ DATABASE: filename })))
      )
      const client = yield* Effect.provide(SqliteClient.SqliteClient, layer)
      assert.strictEqual(client.config.filename, filename)
      assert.isTrue(Fs.existsSync(filename))
    }))
})

describe("SqliteMigrator", () => {
  const one = {
    "0001_create": Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`)
  }
  const two = {
    ...one,
    "0002_column": Effect.flatMap(SqlClient.SqlClient, (sql) => sql`ALTER TABLE t ADD COLUMN name TEXT`)
  }
  const broken = {
    ...two,
    "0003_broken": Effect.flatMap(
      SqlClient.SqlClient,
      (sql) => Effect.andThen(sql`DROP TABLE t`, sql`CREATE TABLE no such syntax`)
    )
  }

  it.effect("runs what is missing, once; a failure undoes all of it", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* SqliteMigrator.run({ loader: load(one) }), [[1, "create"]])
      assert.deepStrictEqual(yield* SqliteMigrator.run({ loader: load(two) }), [[2, "column"]])
      assert.deepStrictEqual(yield* SqliteMigrator.run({ loader: load(two) }), [])
      const error = yield* Effect.flip(SqliteMigrator.run({ loader: load(broken) }))
      assert.strictEqual(error._tag, "MigrationError")
      yield* sql`INSERT INTO t ${sql.insert({ id: 1, name: "still here" })}`
    }).pipe(Effect.provide(memory)))

  it.effect("works as a layer under effect's own stores", () =>
    Effect.gen(function*() {
      const kv = yield* KeyValueStore.KeyValueStore
      yield* kv.set("a", "1")
      assert.strictEqual(yield* kv.get("a"), "1")
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`SELECT id FROM t`.values, [])
    }).pipe(Effect.provide(
      Layer.mergeAll(KeyValueStore.layerSql(), SqliteMigrator.layer({ loader: load(one) })).pipe(
        Layer.provideMerge(memory)
      )
    )))
})
