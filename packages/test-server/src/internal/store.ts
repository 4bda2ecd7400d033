/**
 * Where a server keeps its state: one table of a database, written in transactions. What was saved is saved as a whole,
 * as it was at one moment.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import * as Snapshot from "./snapshot.ts"
import type { World } from "./world.ts"

const FIXED = "fixed"

export interface Store {
  readonly sql: SqlClient.SqlClient
  /** What the table holds: names, and what the values are known by. */
  saved: Map<string, string>
  /** The revision of the world that was saved. */
  revision: number
}

/** Opens the table and fills an empty world with what is in it. */
export const open: (
  sql: SqlClient.SqlClient,
  world: World
) => Effect.Effect<Store, SqlError.SqlError> = Effect.fnUntraced(function*(sql, world) {
  yield* sql`CREATE TABLE IF NOT EXISTS mtproto_test_server (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL)`
  const rows = yield* sql<
    { readonly name: string; readonly value: Uint8Array }
  >`SELECT name, value FROM mtproto_test_server`
  Snapshot.restore(world, rows.map(({ name, value }) => [name, value] as const))
  const kept = Snapshot.capture(world)
  return {
    sql,
    saved: new Map(
      rows.map(({ name, value }) => [name, kept.get(name)?.fixed === true ? FIXED : Snapshot.digest(world, value)])
    ),
    revision: world.revision
  }
})

/** Saves what has changed. */
export const save: (store: Store, world: World) => Effect.Effect<void, SqlError.SqlError> = Effect.fnUntraced(
  function*(store, world) {
    const { sql } = store
    const { revision } = world
    if (revision === store.revision) return
    const next = new Map<string, string>()
    const changed: Array<{ readonly name: string; readonly value: Uint8Array }> = []
    for (const [name, row] of Snapshot.capture(world)) {
      const before = store.saved.get(name)
      if (row.fixed && before !== undefined) {
        next.set(name, FIXED)
        continue
      }
      const value = row.value()
      const known = row.fixed ? FIXED : Snapshot.digest(world, value)
      next.set(name, known)
      if (known !== before) changed.push({ name, value })
    }
    const gone = [...store.saved.keys()].filter((name) => !next.has(name))
    yield* sql.withTransaction(Effect.gen(function*() {
      for (const { name, value } of changed) {
        yield* sql`INSERT INTO mtproto_test_server (name, value) VALUES (${name}, ${value})
          ON CONFLICT (name) DO UPDATE SET value = excluded.value`
      }
      for (const name of gone) yield* sql`DELETE FROM mtproto_test_server WHERE name = ${name}`
    }))
    store.saved = next
    store.revision = revision
  }
)
