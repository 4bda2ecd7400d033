/**
 * The tables of the SQL store, by version.
 *
 * Every table's key starts with the account. Types are those that SQLite and PostgreSQL read alike; bytes are the one
 * exception.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import { StoreError } from "../SecretChatError.ts"

/** @internal */
export const migrationsTable = "secret_chat_migrations"

const bytesType = (sql: SqlClient.SqlClient) =>
  sql.literal(sql.onDialectOrElse({ pg: () => "BYTEA", orElse: () => "BLOB" }))

const create = Effect.gen(function*() {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const bytes = bytesType(sql)

  yield* sql`
    CREATE TABLE secret_chats (
      account TEXT NOT NULL,
      chat_id INTEGER NOT NULL,
      version BIGINT NOT NULL,
      phase TEXT NOT NULL,
      wake_at BIGINT,
      head ${bytes} NOT NULL,
      PRIMARY KEY (account, chat_id)
    )`
  yield* sql`CREATE INDEX secret_chats_wake ON secret_chats (account, wake_at) WHERE wake_at IS NOT NULL`

  yield* sql`
    CREATE TABLE secret_chat_outbox (
      account TEXT NOT NULL,
      chat_id INTEGER NOT NULL,
      seq INTEGER NOT NULL,
      random_id BIGINT NOT NULL,
      unsent INTEGER NOT NULL,
      record ${bytes} NOT NULL,
      packet ${bytes} NOT NULL,
      PRIMARY KEY (account, chat_id, seq)
    )`
  yield* sql`CREATE INDEX secret_chat_outbox_unsent ON secret_chat_outbox (account, chat_id, seq) WHERE unsent = 1`

  yield* sql`
    CREATE TABLE secret_chat_pending (
      account TEXT NOT NULL,
      chat_id INTEGER NOT NULL,
      seq INTEGER NOT NULL,
      data ${bytes} NOT NULL,
      PRIMARY KEY (account, chat_id, seq)
    )`

  yield* sql`
    CREATE TABLE secret_chat_events (
      account TEXT NOT NULL,
      id BIGINT NOT NULL,
      chat_id INTEGER NOT NULL,
      data ${bytes} NOT NULL,
      PRIMARY KEY (account, id)
    )`
  yield* sql`
    CREATE TABLE secret_chat_counters (
      account TEXT NOT NULL,
      name TEXT NOT NULL,
      value BIGINT NOT NULL,
      PRIMARY KEY (account, name)
    )`

  yield* sql`
    CREATE TABLE secret_chat_messages (
      account TEXT NOT NULL,
      chat_id INTEGER NOT NULL,
      position BIGINT NOT NULL,
      random_id BIGINT NOT NULL,
      outgoing INTEGER NOT NULL,
      seq INTEGER NOT NULL,
      state INTEGER NOT NULL,
      date INTEGER NOT NULL,
      failure TEXT,
      data ${bytes} NOT NULL,
      PRIMARY KEY (account, chat_id, position)
    )`
  yield* sql`
    CREATE UNIQUE INDEX secret_chat_messages_random_id
    ON secret_chat_messages (account, chat_id, random_id, outgoing)`
  yield* sql`
    CREATE INDEX secret_chat_messages_unread
    ON secret_chat_messages (account, chat_id, outgoing, date) WHERE state >= 10 AND state < 30`

  yield* sql`
    CREATE TABLE secret_chat_timers (
      account TEXT NOT NULL,
      chat_id INTEGER NOT NULL,
      random_id BIGINT NOT NULL,
      outgoing INTEGER NOT NULL,
      ttl INTEGER NOT NULL,
      starts_on TEXT NOT NULL,
      date INTEGER,
      expires_at BIGINT,
      PRIMARY KEY (account, chat_id, random_id, outgoing)
    )`
  yield* sql`
    CREATE INDEX secret_chat_timers_running
    ON secret_chat_timers (account, expires_at) WHERE expires_at IS NOT NULL`

  yield* sql`
    CREATE TABLE secret_chat_seen (
      account TEXT NOT NULL,
      hash ${bytes} NOT NULL,
      chat_id INTEGER NOT NULL,
      PRIMARY KEY (account, hash)
    )`
})

const addNotes = Effect.gen(function*() {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  yield* sql`ALTER TABLE secret_chat_timers ADD COLUMN note ${bytesType(sql)}`
})

/**
 * Fewer pages a message: in SQLite a row of a small table stands in the index of its key, so that a message of ours is one
 * page of the outbox and two of the history; and what served rare questions with an index that every message had to pay
 * for is answered without it. `read_outgoing` and `read_incoming`: below this position every message of that direction has
 * been read, or failed.
 */
const compact = Effect.gen(function*() {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  yield* sql`DROP INDEX secret_chat_outbox_unsent`
  yield* sql`DROP INDEX secret_chat_messages_unread`
  yield* sql`ALTER TABLE secret_chats ADD COLUMN read_outgoing BIGINT NOT NULL DEFAULT 0`
  yield* sql`ALTER TABLE secret_chats ADD COLUMN read_incoming BIGINT NOT NULL DEFAULT 0`
  yield* sql.onDialectOrElse({
    pg: () => Effect.void,
    orElse: () =>
      Effect.gen(function*() {
        for (const table of ["outbox", "events", "counters", "messages"]) {
          const name = `secret_chat_${table}`
          const [row] = yield* sql<{ readonly sql: string }>`
            SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ${name}`
          yield* sql`ALTER TABLE ${sql(name)} RENAME TO ${sql(`${name}_before`)}`
          yield* sql.unsafe(`${row!.sql} WITHOUT ROWID`)
          yield* sql`INSERT INTO ${sql(name)} SELECT * FROM ${sql(`${name}_before`)}`
          yield* sql`DROP TABLE ${sql(`${name}_before`)}`
        }
        yield* sql`
          CREATE UNIQUE INDEX secret_chat_messages_random_id
          ON secret_chat_messages (account, chat_id, random_id, outgoing)`
      })
  })
})

const addFiles = Effect.gen(function*() {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  yield* sql`ALTER TABLE secret_chat_messages ADD COLUMN file ${bytesType(sql)}`
})

const migrations = {
  "0001_create": create,
  "0002_timer_notes": addNotes,
  "0003_compact": compact,
  "0004_files_of_messages": addFiles
}

const newest = Object.keys(migrations).length

/** The version of the stored tables, 0 when there are none. */
const storedVersion: Effect.Effect<number, SqlError.SqlError, SqlClient.SqlClient> = Effect.gen(function*() {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const present = yield* sql.onDialectOrElse({
    pg: () => sql`SELECT 1 AS found WHERE to_regclass(${migrationsTable}) IS NOT NULL`,
    orElse: () => sql`SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = ${migrationsTable}`
  })
  if (present.length === 0) return 0
  const rows = yield* sql<{ readonly id: number | bigint | null }>`
    SELECT MAX(migration_id) AS id FROM ${sql(migrationsTable)}`
  return Number(rows[0]?.id ?? 0)
})

/**
 * Brings the tables up to date; refuses a database that is ahead of this code without touching it.
 *
 * @internal
 */
export const migrate: Effect.Effect<void, StoreError, SqlClient.SqlClient> = Effect.gen(function*() {
  if ((yield* storedVersion) > newest) return yield* new StoreError({ reason: "newer", operation: "open" })
  yield* Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: migrationsTable })
}).pipe(
  Effect.catchTag(
    ["SqlError", "MigrationError"],
    (cause) => Effect.fail(new StoreError({ reason: "unavailable", operation: "open", cause }))
  )
)
