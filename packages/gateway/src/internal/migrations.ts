/** The tables of `GatewayStore`, by version. */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"

type Step = (sql: SqlClient.SqlClient) => Effect.Effect<unknown, SqlError.SqlError>

/** Step n leads from version n to version n + 1. */
const steps: ReadonlyArray<Step> = [
  (sql) =>
    Effect.all([
      sql`CREATE TABLE gateway_session (
        id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, token_hash TEXT NOT NULL UNIQUE, data TEXT NOT NULL,
        created_at BIGINT NOT NULL, next_update BIGINT NOT NULL)`,
      sql`CREATE TABLE gateway_update (
        session TEXT NOT NULL, id BIGINT NOT NULL, source TEXT, data TEXT NOT NULL, PRIMARY KEY (session, id),
        UNIQUE (session, source))`,
      sql`CREATE TABLE gateway_request (
        session TEXT NOT NULL, request_key TEXT NOT NULL, request_hash TEXT NOT NULL, random_id TEXT NOT NULL,
        status INTEGER, body TEXT, created_at BIGINT NOT NULL, PRIMARY KEY (session, request_key))`,
      sql`CREATE TABLE gateway_file (
        session TEXT NOT NULL, chat_id INTEGER NOT NULL, random_id TEXT NOT NULL, data TEXT NOT NULL,
        PRIMARY KEY (session, chat_id, random_id))`,
      sql`CREATE TABLE gateway_person (
        session TEXT NOT NULL, name TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (session, name))`
    ]),
  // whether an update is not of a secret chat
  (sql) => sql`ALTER TABLE gateway_update ADD COLUMN other INTEGER NOT NULL DEFAULT 0`
]

export type Problem =
  | { readonly reason: "newer" | "corrupt" }
  | { readonly reason: "unavailable"; readonly cause: SqlError.SqlError }

/** Brings the tables up to date, in one transaction; leaves a database that is ahead of this software alone. */
export const migrate = (sql: SqlClient.SqlClient): Effect.Effect<void, Problem> => {
  const isPostgres = sql.onDialectOrElse({ pg: () => true, orElse: () => false })
  const run = Effect.gen(function*(): Effect.fn.Return<Problem | undefined, SqlError.SqlError> {
    yield* sql`CREATE TABLE IF NOT EXISTS gateway_version (version INTEGER NOT NULL)`
    if (isPostgres) yield* sql`LOCK TABLE gateway_version IN ACCESS EXCLUSIVE MODE`
    const rows = yield* sql<{ readonly version: unknown }>`SELECT version FROM gateway_version`
    const found = rows.length === 0 ? 0 : rows[0]!.version
    if (typeof found !== "number" || !Number.isInteger(found) || found < 0) return { reason: "corrupt" }
    if (found > steps.length) return { reason: "newer" }
    for (const step of steps.slice(found)) yield* step(sql)
    if (rows.length === 0) yield* sql`INSERT INTO gateway_version (version) VALUES (${steps.length})`
    else if (found < steps.length) yield* sql`UPDATE gateway_version SET version = ${steps.length}`
    return undefined
  })
  return sql.withTransaction(run).pipe(
    // of two programs that begin at the same time, PostgreSQL fails one
    Effect.retry({ times: 2 }),
    Effect.mapError((cause): Problem => ({ reason: "unavailable", cause })),
    Effect.flatMap((problem) => problem === undefined ? Effect.void : Effect.fail(problem))
  )
}
