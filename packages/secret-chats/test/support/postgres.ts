/** The PostgreSQL server of `scripts/postgres.mjs`, and databases on it. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"

const url = new URL(process.env["POSTGRES_URL"] ?? "postgres://127.0.0.1:1/none")

export const urlOf = (database: string): string => {
  const at = new URL(url)
  at.pathname = `/${database}`
  return at.href
}

export const client = (database = "postgres") => PgClient.layer({ url: Redacted.make(urlOf(database)) })

let count = 0

/** A new database; it goes with the server. */
export const freshDatabase: Effect.Effect<string> = Effect.gen(function*() {
  const name = `test_${process.pid}_${++count}`
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE DATABASE ${sql(name)}`
  return name
}).pipe(Effect.provide(client()), Effect.orDie)

export const fresh = Layer.unwrap(Effect.map(freshDatabase, client))
