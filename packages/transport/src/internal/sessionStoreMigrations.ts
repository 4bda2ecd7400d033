/**
 * The tables of `SessionStore`, by version, and one that holds the version of the others.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"

type Step = (sql: SqlClient.SqlClient) => Effect.Effect<unknown, SqlError.SqlError>

const bytesType = (sql: SqlClient.SqlClient) =>
  sql.literal(sql.onDialectOrElse({ pg: () => "BYTEA", orElse: () => "BLOB" }))

/** Step n leads from version n to version n + 1. */
const steps: ReadonlyArray<Step> = [
  (sql) =>
    Effect.all([
      sql`CREATE TABLE mtproto_account (
        name TEXT NOT NULL PRIMARY KEY, dc INTEGER NOT NULL, user_id TEXT)`,
      sql`CREATE TABLE mtproto_auth_key (
        name TEXT NOT NULL, dc INTEGER NOT NULL, auth_key ${
        bytesType(sql)
      } NOT NULL, created_at DOUBLE PRECISION NOT NULL,
        time_offset DOUBLE PRECISION NOT NULL, salts ${bytesType(sql)} NOT NULL, PRIMARY KEY (name, dc))`,
      sql`CREATE TABLE mtproto_update_state (
        name TEXT NOT NULL PRIMARY KEY, pts INTEGER NOT NULL, qts INTEGER NOT NULL, date INTEGER NOT NULL,
        seq INTEGER NOT NULL)`
    ]),
  (sql) =>
    sql`CREATE TABLE mtproto_sealed_session (
      name TEXT NOT NULL, entry TEXT NOT NULL, data ${bytesType(sql)} NOT NULL, PRIMARY KEY (name, entry))`,
  (sql) =>
    sql`CREATE TABLE mtproto_session_lock (
      name TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, machine TEXT NOT NULL, pid INTEGER NOT NULL,
      beat INTEGER NOT NULL)`
]

/** The version of the tables that this software writes. */
export const VERSION = steps.length

export type Problem =
  | { readonly reason: "newer" | "corrupt" }
  | { readonly reason: "unavailable"; readonly cause: SqlError.SqlError }

const unavailable = (cause: SqlError.SqlError): Problem => ({ reason: "unavailable", cause })

/** Brings the tables up to date, in one transaction; leaves a database that is ahead of this software alone. */
export const migrate = Effect.fnUntraced(function*(sql: SqlClient.SqlClient): Effect.fn.Return<void, Problem> {
  const isPostgres = sql.onDialectOrElse({ pg: () => true, orElse: () => false })
  const prepare = Effect.gen(function*() {
    yield* sql`CREATE TABLE IF NOT EXISTS mtproto_session_version (version INTEGER NOT NULL)`
    if (isPostgres) yield* sql`LOCK TABLE mtproto_session_version IN ACCESS EXCLUSIVE MODE`
  })
  yield* sql.withTransaction(Effect.gen(function*() {
    yield* Effect.mapError(prepare, unavailable)
    const rows = yield* Effect.mapError(
      sql<{ readonly version: unknown }>`SELECT version FROM mtproto_session_version`,
      unavailable
    )
    const found = rows.length === 0 ? 0 : rows[0]!.version
    if (typeof found !== "number" || !Number.isInteger(found) || found < 0) {
      return yield* Effect.fail<Problem>({ reason: "corrupt" })
    }
    if (found > VERSION) return yield* Effect.fail<Problem>({ reason: "newer" })
    if (found === VERSION) return
    yield* Effect.mapError(
      Effect.andThen(
        Effect.forEach(steps.slice(found), (step) => step(sql), { discard: true }),
        rows.length === 0
          ? sql`INSERT INTO mtproto_session_version (version) VALUES (${VERSION})`
          : sql`UPDATE mtproto_session_version SET version = ${VERSION}`
      ),
      unavailable
    )
  })).pipe(
    Effect.mapError((problem) => "_tag" in problem ? unavailable(problem) : problem),
    // Of two programs that make the first table of a PostgreSQL database at the same time, one fails.
    Effect.retry({ times: 2, while: (problem) => problem.reason === "unavailable" })
  )
})
