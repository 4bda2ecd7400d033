/**
 * effect/sql's `SqlClient` over `node:sqlite`, tuned for data that must not be lost.
 *
 * **Details**
 *
 * - A committed transaction survives power loss, not only a killed process: the journal is a write-ahead log and
 *   `synchronous` is `FULL` (one fsync a commit; on macOS the drive's own cache is flushed too). Opening fails when
 *   the file system cannot give a write-ahead log, rather than falling back to something weaker.
 * - One client is one connection. Statements and transactions of different fibers take turns on it; a transaction
 *   starts with `BEGIN IMMEDIATE`, so it never fails half way because another process took the write lock.
 * - `SQLITE_BUSY` (another connection is writing) is waited for without blocking the event loop, up to `busyTimeout`,
 *   then fails as a `SqlError` whose reason is `LockTimeoutError`.
 * - The database file, and with it the `-wal` and `-shm` files, is created with mode 0600, and an existing file is
 *   narrowed to it. Freed pages are overwritten (`secure_delete = FAST`).
 * - Parameters may be `null`, `undefined` (NULL), numbers, bigints, strings, bytes, booleans (0 or 1) and `Date`s
 *   (ISO text). Integer columns come back as numbers; with the `SqlClient.SafeIntegers` reference set to `true` every
 *   integer column of the statement comes back as a `bigint`, which is the way to read 64-bit columns. Without it an
 *   integer beyond 2^53 is an error, not a rounded number (`node:sqlite` itself misses one value, -2^63).
 *
 * **Gotchas**
 *
 * `node:sqlite` is synchronous: a statement blocks the event loop while it runs, and so does the fsync of a commit.
 * Keep transactions short and put many changes into one.
 *
 * @since 1.0.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import * as SqlError from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import { backup, DatabaseSync, type StatementSync } from "node:sqlite"

/**
 * Runtime type identifier of `SqliteClient` values.
 *
 * @category type IDs
 * @since 1.0.0
 */
export const TypeId: TypeId = "~@effect-mtproto/sql-sqlite/SqliteClient"

/**
 * Type-level identifier of `SqliteClient` values.
 *
 * @category type IDs
 * @since 1.0.0
 */
export type TypeId = "~@effect-mtproto/sql-sqlite/SqliteClient"

/**
 * A `SqlClient` over one SQLite file.
 *
 * @category models
 * @since 1.0.0
 */
export interface SqliteClient extends SqlClient.SqlClient {
  readonly [TypeId]: TypeId
  readonly config: SqliteClientConfig

  /**
   * Copies the database to a new file while it stays in use, and narrows the copy to mode 0600.
   */
  readonly backup: (destination: string) => Effect.Effect<void, SqlError.SqlError>

  /**
   * Runs `body` as one transaction without giving way to any other fiber in between, and without what a statement costs
   * as an effect: for the few transactions that a program is made of.
   *
   * `body` gets a function that executes one statement and returns its rows, with every integer as a `bigint`. What it
   * throws undoes the transaction; the failure of a statement becomes a `SqlError`, anything else is a defect. It is called
   * again when the database was busy, so it must have no effects of its own. `read` takes no write lock.
   *
   * Inside a transaction of the same client it is a part of that one.
   */
  readonly transactionSync: <A>(
    body: (execute: Execute) => A,
    mode?: "read" | "write" | undefined
  ) => Effect.Effect<A, SqlError.SqlError>

  /** One statement by itself, as cheaply as one of {@link transactionSync}. */
  readonly statementSync: (
    sql: string,
    params: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<{ readonly [column: string]: unknown }>, SqlError.SqlError>

  /** SQLite has no batched `UPDATE … FROM (VALUES …)` helper. */
  readonly updateValues: never
}

/**
 * Executes a statement with its parameters, which stand in the place of `?`, and returns its rows.
 *
 * @category models
 * @since 1.0.0
 */
export type Execute = (
  sql: string,
  params: ReadonlyArray<unknown>
) => ReadonlyArray<{ readonly [column: string]: unknown }>

/**
 * The client as a service, for what only SQLite can do. Ordinary code asks for `SqlClient.SqlClient`.
 *
 * @category services
 * @since 1.0.0
 */
export const SqliteClient = Context.Service<SqliteClient>("@effect-mtproto/sql-sqlite/SqliteClient")

/**
 * How to open a database.
 *
 * @category models
 * @since 1.0.0
 */
export interface SqliteClientConfig {
  /** Path of the file, or `":memory:"`. */
  readonly filename: string
  /** Open an existing file for reading only. Default `false`. */
  readonly readonly?: boolean | undefined
  /** How many prepared statements are kept. Default 256. */
  readonly prepareCacheSize?: number | undefined
  /** How long to wait for another connection's write lock. Default 5 seconds. */
  readonly busyTimeout?: Duration.Input | undefined
  /**
   * `"full"` (default): a commit survives power loss. `"normal"`: a commit survives a killed process, but the last
   * ones may be undone by power loss; about ten times as many commits a second.
   */
  readonly synchronous?: "full" | "normal" | undefined
  /** Permission bits of the database file. Default `0o600`. */
  readonly mode?: number | undefined
  readonly spanAttributes?: Record<string, unknown> | undefined
  readonly transformResultNames?: ((name: string) => string) | undefined
  readonly transformQueryNames?: ((name: string) => string) | undefined
}

const SQLITE_BUSY = 5
const inMemory = (filename: string): boolean => filename === "" || filename === ":memory:"

type Parameter = null | number | bigint | string | Uint8Array

const toParameter = (value: unknown): Parameter => {
  if (value === undefined) return null
  if (typeof value === "boolean") return value ? 1 : 0
  if (value instanceof Date) return value.toISOString()
  return value as Parameter
}

const toParameters = (params: ReadonlyArray<unknown>): Array<Parameter> => params.map(toParameter)

// The numeric result code of node:sqlite is `errcode`; the classifier of effect/sql reads `errno`.
const sqlError = (message: string, operation: string) => (cause: unknown): SqlError.SqlError => {
  if (typeof cause === "object" && cause !== null && "errcode" in cause && !("errno" in cause)) {
    Object.defineProperty(cause, "errno", { value: cause.errcode, enumerable: false })
  }
  return new SqlError.SqlError({ reason: SqlError.classifySqliteError(cause, { message, operation }) })
}

const isBusy = (error: SqlError.SqlError): boolean => {
  const cause = error.reason.cause as { readonly errcode?: unknown } | null | undefined
  return typeof cause?.errcode === "number" && (cause.errcode & 0xff) === SQLITE_BUSY
}

// The lock is held by another process, so the wait is in real time even where the program's Clock is a virtual one.
const pause = (millis: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    return Effect.sync(() => clearTimeout(timer))
  })

interface Prepared {
  readonly statement: StatementSync
  readonly hasColumns: boolean
}

const prepare = (db: DatabaseSync, sql: string): Prepared => {
  const statement = db.prepare(sql)
  return { statement, hasColumns: statement.columns().length > 0 }
}

/** Keeps the most recently used statements; a `Map` iterates in insertion order, so its first key is the oldest. */
const makePrepareCache = (db: DatabaseSync, capacity: number): (sql: string) => Prepared => {
  const cache = new Map<string, Prepared>()
  return (sql) => {
    let prepared = cache.get(sql)
    if (prepared === undefined) prepared = prepare(db, sql)
    else cache.delete(sql)
    cache.set(sql, prepared)
    if (cache.size > capacity) cache.delete(cache.keys().next().value!)
    return prepared
  }
}

type Mode = "rows" | "values" | "raw"

const open = (config: SqliteClientConfig): DatabaseSync => {
  const { filename, readonly = false, synchronous = "full", mode = 0o600 } = config
  if (!readonly && !inMemory(filename)) {
    // Created before SQLite sees it, so that there is no moment in which others may read it.
    Fs.closeSync(Fs.openSync(filename, "a", mode))
    Fs.chmodSync(filename, mode)
  }
  const db = new DatabaseSync(filename, { readOnly: readonly, enableForeignKeyConstraints: true })
  try {
    if (!readonly) {
      const journal = db.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"]
      if (journal !== "wal" && !inMemory(filename)) {
        throw new Error(`The file system cannot hold a write-ahead log (journal mode is ${String(journal)})`)
      }
      db.exec(`PRAGMA synchronous = ${synchronous === "full" ? "FULL" : "NORMAL"}`)
      // The log may have 16 MB before it is carried over into the file, which takes two more fsyncs.
      db.exec("PRAGMA wal_autocheckpoint = 4000")
      db.exec("PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA secure_delete = FAST")
    }
    db.exec("PRAGMA foreign_keys = ON")
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Opens a database for the lifetime of the current scope.
 *
 * @category constructors
 * @since 1.0.0
 */
export const make = Effect.fnUntraced(function*(
  config: SqliteClientConfig
): Effect.fn.Return<SqliteClient, SqlError.SqlError, Scope.Scope | Reactivity.Reactivity> {
  const busyTimeout = Duration.toMillis(Duration.fromInputUnsafe(config.busyTimeout ?? "5 seconds"))
  const transformRows = config.transformResultNames === undefined
    ? undefined
    : Statement.defaultTransforms(config.transformResultNames).array

  /** Runs a synchronous attempt; while it answers "busy", waits and tries again. Never inside a transaction. */
  const whenFree = <A>(attempt: Effect.Effect<A, SqlError.SqlError>, isFree: () => boolean) => {
    const loop = (waited: number, delay: number): Effect.Effect<A, SqlError.SqlError> =>
      Effect.catchIf(
        attempt,
        (error) => waited < busyTimeout && isBusy(error) && isFree(),
        () => Effect.flatMap(pause(delay), () => loop(waited + delay, Math.min(delay * 2, 50)))
      )
    return loop(0, 1)
  }

  const db = yield* Effect.acquireRelease(
    whenFree(
      Effect.try({ try: () => open(config), catch: sqlError("Failed to open the database", "open") }),
      () => true
    ),
    (opened) => Effect.sync(() => opened.close())
  )
  const cached = makePrepareCache(db, config.prepareCacheSize ?? 256)
  const outsideTransaction = () => !db.isTransaction

  const execute = (sql: string, params: ReadonlyArray<unknown>, mode: Mode, lookup: (sql: string) => Prepared) =>
    Effect.withFiber<any, SqlError.SqlError>((fiber) => {
      const safe = fiber.getRef(SqlClient.SafeIntegers)
      const attempt = Effect.try({
        try: (): unknown => {
          const { hasColumns, statement } = lookup(sql)
          statement.setReadBigInts(safe)
          if (hasColumns) {
            statement.setReturnArrays(mode === "values")
            return statement.all(...toParameters(params))
          }
          const result = statement.run(...toParameters(params))
          return mode === "raw" ? result : []
        },
        catch: sqlError("Failed to execute statement", "execute")
      })
      return whenFree(attempt, outsideTransaction)
    })
  const once = (sql: string) => prepare(db, sql)

  const connection: SqlConnection.Connection = {
    execute: (sql, params, transform) =>
      transform === undefined
        ? execute(sql, params, "rows", cached)
        : Effect.map(execute(sql, params, "rows", cached), transform),
    executeRaw: (sql, params) => execute(sql, params, "raw", cached),
    executeValues: (sql, params) => execute(sql, params, "values", cached),
    executeValuesUnprepared: (sql, params) => execute(sql, params, "values", once),
    executeUnprepared: (sql, params, transform) =>
      transform === undefined
        ? execute(sql, params, "rows", once)
        : Effect.map(execute(sql, params, "rows", once), transform),
    executeStream: (sql, params, transform) =>
      Stream.unwrap(Effect.withFiber<Stream.Stream<any, SqlError.SqlError>, SqlError.SqlError>((fiber) => {
        const safe = fiber.getRef(SqlClient.SafeIntegers)
        return Effect.try({
          try: () => {
            // A statement of its own: a cached one would be reset by the next query with the same text.
            const { statement } = once(sql)
            statement.setReadBigInts(safe)
            const rows = batches(statement, toParameters(params))
            return transform === undefined ? rows : Stream.mapArray(rows, (batch) => transform(batch) as any)
          },
          catch: sqlError("Failed to execute statement", "stream")
        })
      }))
  }

  const acquirers = SqlClient.makeSqliteAcquirers({
    connection: Effect.succeed(connection),
    semaphore: yield* Semaphore.make(1),
    isTransaction: () => db.isTransaction
  })

  const client = yield* SqlClient.make({
    ...acquirers,
    compiler: Statement.makeCompilerSqlite(config.transformQueryNames),
    driver: "node:sqlite",
    prepareTransactionControls: true,
    beginTransaction: config.readonly === true ? "BEGIN" : "BEGIN IMMEDIATE",
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    spanAttributes: [...Object.entries(config.spanAttributes ?? {}), ["db.system.name", "sqlite"]],
    transformRows
  })

  const executeSync: Execute = (sql, params) => {
    try {
      const { hasColumns, statement } = cached(sql)
      if (!hasColumns) {
        statement.run(...toParameters(params))
        return []
      }
      statement.setReadBigInts(true)
      statement.setReturnArrays(false)
      return statement.all(...toParameters(params))
    } catch (cause) {
      throw sqlError("Failed to execute statement", "execute")(cause)
    }
  }

  const sync = <A>(run: () => A): Effect.Effect<A, SqlError.SqlError> =>
    Effect.suspend(() => {
      try {
        return Effect.succeed(run())
      } catch (error) {
        return error instanceof SqlError.SqlError ? Effect.fail(error) : Effect.die(error)
      }
    })

  const bracketed = <A>(
    body: (execute: Execute) => A,
    begin: string,
    end: string,
    undo: ReadonlyArray<string>
  ): Effect.Effect<A, SqlError.SqlError> =>
    sync(() => {
      executeSync(begin, [])
      try {
        const result = body(executeSync)
        executeSync(end, [])
        return result
      } catch (error) {
        // SQLite may have undone it by itself.
        if (db.isTransaction) { for (const statement of undo) executeSync(statement, []) }
        throw error
      }
    })

  const isInTransaction = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
    Option.isSome(Context.getOption(fiber.context, client.transactionService))

  const savepoint = "transaction_sync"

  const transactionSync: SqliteClient["transactionSync"] = (body, mode = "write") =>
    Effect.withFiber((fiber) => {
      if (isInTransaction(fiber)) {
        return bracketed(body, `SAVEPOINT ${savepoint}`, `RELEASE ${savepoint}`, [
          `ROLLBACK TO ${savepoint}`,
          `RELEASE ${savepoint}`
        ])
      }
      const attempt = bracketed(body, mode === "read" ? "BEGIN" : "BEGIN IMMEDIATE", "COMMIT", ["ROLLBACK"])
      return acquirers.borrower(() => whenFree(attempt, outsideTransaction))
    })

  const statementSync: SqliteClient["statementSync"] = (sql, params) =>
    Effect.withFiber((fiber) => {
      const attempt = sync(() => executeSync(sql, params))
      return isInTransaction(fiber) ? attempt : acquirers.borrower(() => whenFree(attempt, outsideTransaction))
    })

  return Object.assign(client as SqliteClient, {
    [TypeId]: TypeId as TypeId,
    config,
    transactionSync,
    statementSync,
    backup: (destination: string) =>
      Effect.scoped(Effect.andThen(
        acquirers.acquirer,
        Effect.tryPromise({
          try: async () => {
            const mode = config.mode ?? 0o600
            Fs.closeSync(Fs.openSync(destination, "a", mode))
            await backup(db, destination)
            Fs.chmodSync(destination, mode)
          },
          catch: sqlError("Failed to back up the database", "backup")
        })
      ))
  })
})

const batchSize = 256

/** Rows in batches, so that a stream costs one step a batch and not one a row. */
const batches = (statement: StatementSync, params: Array<Parameter>): Stream.Stream<any, SqlError.SqlError> => {
  const iterator = statement.iterate(...params)
  return Stream.flattenArray(Stream.unfold(iterator, (rows) =>
    Effect.try({
      try: () => {
        const first = rows.next()
        if (first.done === true) return undefined
        const batch: [unknown, ...Array<unknown>] = [first.value]
        while (batch.length < batchSize) {
          const next = rows.next()
          if (next.done === true) break
          batch.push(next.value)
        }
        return [batch, rows] as const
      },
      catch: sqlError("Failed to read the next rows", "stream")
    })))
}

const withServices = (client: SqliteClient): Context.Context<SqliteClient | SqlClient.SqlClient> =>
  Context.add(Context.make(SqliteClient, client), SqlClient.SqlClient, client)

/**
 * Provides the client, as `SqlClient` and as `SqliteClient`, from options.
 *
 * **Example** (A database in a file)
 *
 * ```ts
 * import { SqliteClient } from "@effect-mtproto/sql-sqlite"
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * const program = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   return yield* sql`SELECT 1 AS one`
 * }).pipe(Effect.provide(SqliteClient.layer({ filename: "app.db" })))
 * ```
 *
 * @category layers
 * @since 1.0.0
 */
export const layer = (
  config: SqliteClientConfig
): Layer.Layer<SqliteClient | SqlClient.SqlClient, SqlError.SqlError> =>
  Layer.effectContext(Effect.map(make(config), withServices)).pipe(Layer.provide(Reactivity.layer))

/**
 * Provides the client from configuration.
 *
 * @category layers
 * @since 1.0.0
 */
export const layerConfig = (
  config: Config.Wrap<SqliteClientConfig>
): Layer.Layer<SqliteClient | SqlClient.SqlClient, SqlError.SqlError | Config.ConfigError> =>
  Layer.effectContext(
    Effect.map(Effect.flatMap(Config.unwrap(config), make), withServices)
  ).pipe(Layer.provide(Reactivity.layer))
