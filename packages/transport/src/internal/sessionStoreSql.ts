/**
 * `SessionStore` on SQL, a column for everything.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import type { Salt } from "../Session.ts"
import type { AuthKey, SessionStore, SessionStoreError } from "../SessionStore.ts"
import * as Bytes from "./bytes.ts"
import * as Lock from "./sessionLock.ts"
import { migrate } from "./sessionStoreMigrations.ts"

const AccountRow = Schema.Struct({
  dc: Schema.Int,
  user_id: Schema.NullOr(Schema.String.check(Schema.isPattern(/^-?\d{1,19}$/)))
})
const KeyRow = Schema.Struct({
  auth_key: Schema.Uint8Array.check(Schema.isMinLength(256), Schema.isMaxLength(256)),
  created_at: Schema.Finite,
  time_offset: Schema.Finite,
  salts: Schema.Uint8Array
})
const StateRow = Schema.Struct({ pts: Schema.Int, qts: Schema.Int, date: Schema.Int, seq: Schema.Int })

const SALT_LENGTH = 16

export const writeSalts = (salts: ReadonlyArray<Salt>): Uint8Array => {
  const out = new Uint8Array(SALT_LENGTH * salts.length)
  salts.forEach(({ salt, validSince, validUntil }, i) => {
    Bytes.writeLong(out, SALT_LENGTH * i, salt)
    Bytes.writeInt(out, SALT_LENGTH * i + 8, validSince)
    Bytes.writeInt(out, SALT_LENGTH * i + 12, validUntil)
  })
  return out
}

export const readSalts = (bytes: Uint8Array): ReadonlyArray<Salt> | undefined => {
  if (bytes.length % SALT_LENGTH !== 0) return undefined
  const out: Array<Salt> = []
  for (let at = 0; at < bytes.length; at += SALT_LENGTH) {
    out.push({
      salt: Bytes.readLong(bytes, at),
      validSince: Bytes.readInt(bytes, at + 8),
      validUntil: Bytes.readInt(bytes, at + 12)
    })
  }
  return out
}

type Store = SessionStore["Service"]
type ErrorClass = typeof SessionStoreError

export const make = Effect.fnUntraced(function*(name: string, of: (store: Store) => Store, Failure: ErrorClass) {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()

  const guard = <A>(operation: string, effect: Effect.Effect<A, SqlError.SqlError | SessionStoreError>) =>
    Effect.mapError(
      effect,
      (cause) => cause._tag === "SqlError" ? new Failure({ reason: "unavailable", operation, cause }) : cause
    )

  const first = <A>(
    operation: string,
    schema: Schema.Codec<A, unknown>,
    statement: Effect.Effect<ReadonlyArray<unknown>, SqlError.SqlError>
  ): Effect.Effect<A | undefined, SessionStoreError> =>
    guard(
      operation,
      Effect.flatMap(
        Effect.provideService(statement, SqlClient.SafeIntegers, false),
        (rows): Effect.Effect<A | undefined, SessionStoreError> =>
          rows.length === 0
            ? Effect.succeed(undefined)
            : Effect.mapError(
              Schema.decodeUnknownEffect(schema)(rows[0]),
              // the cause would show what is stored
              () => new Failure({ reason: "corrupt", operation })
            )
      )
    )

  const run = (operation: string, statement: Effect.Effect<unknown, SqlError.SqlError>) =>
    guard(operation, Effect.asVoid(statement))

  yield* Effect.mapError(migrate(sql), (problem) => new Failure({ operation: "prepare its tables", ...problem }))

  return of({
    lock: Lock.make(sql, name, Failure),
    account: Effect.map(
      first("read the account", AccountRow, sql`SELECT dc, user_id FROM mtproto_account WHERE name = ${name}`),
      (row) =>
        row === undefined
          ? undefined
          : row.user_id === null
          ? { dc: row.dc }
          : { dc: row.dc, userId: BigInt(row.user_id) }
    ),
    setAccount: ({ dc, userId }) =>
      run(
        "write the account",
        sql.withTransaction(Effect.all([
          sql`DELETE FROM mtproto_update_state WHERE name = ${name} AND NOT EXISTS (
            SELECT 1 FROM mtproto_account WHERE name = ${name} AND user_id = ${userId?.toString() ?? ""})`,
          sql`INSERT INTO mtproto_account (name, dc, user_id) VALUES (${name}, ${dc}, ${userId?.toString() ?? null})
            ON CONFLICT (name) DO UPDATE SET dc = excluded.dc, user_id = excluded.user_id`
        ]))
      ),
    authKey: Effect.fnUntraced(function*(dc) {
      const operation = "read an authorization key"
      const row = yield* first(
        operation,
        KeyRow,
        sql`SELECT auth_key, created_at, time_offset, salts FROM mtproto_auth_key WHERE name = ${name} AND dc = ${dc}`
      )
      if (row === undefined) return undefined
      const salts = readSalts(row.salts)
      if (salts === undefined) return yield* new Failure({ reason: "corrupt", operation })
      const key: AuthKey = {
        key: Redacted.make(new Uint8Array(row.auth_key), { label: "authKey" }),
        createdAt: row.created_at,
        timeOffset: row.time_offset,
        salts
      }
      return key
    }),
    setAuthKey: (dc, { createdAt, key, salts, timeOffset }) =>
      run(
        "write an authorization key",
        sql`INSERT INTO mtproto_auth_key (name, dc, auth_key, created_at, time_offset, salts)
          VALUES (${name}, ${dc}, ${Redacted.value(key)}, ${createdAt}, ${timeOffset}, ${writeSalts(salts)})
          ON CONFLICT (name, dc) DO UPDATE SET auth_key = excluded.auth_key, created_at = excluded.created_at,
            time_offset = excluded.time_offset, salts = excluded.salts`
      ),
    removeAuthKey: (dc) =>
      run("remove an authorization key", sql`DELETE FROM mtproto_auth_key WHERE name = ${name} AND dc = ${dc}`),
    setSalts: (dc, salts, timeOffset) =>
      run(
        "write the salts",
        sql`UPDATE mtproto_auth_key SET salts = ${writeSalts(salts)}, time_offset = ${timeOffset}
          WHERE name = ${name} AND dc = ${dc}`
      ),
    updateState: first(
      "read the update state",
      StateRow,
      sql`SELECT pts, qts, date, seq FROM mtproto_update_state WHERE name = ${name}`
    ),
    setUpdateState: ({ date, pts, qts, seq }) =>
      run(
        "write the update state",
        sql`INSERT INTO mtproto_update_state (name, pts, qts, date, seq)
          VALUES (${name}, ${pts}, ${qts}, ${date}, ${seq})
          ON CONFLICT (name) DO UPDATE SET pts = excluded.pts, qts = excluded.qts,
            date = excluded.date, seq = excluded.seq`
      ),
    clear: run(
      "forget the session",
      sql.withTransaction(Effect.all([
        sql`DELETE FROM mtproto_account WHERE name = ${name}`,
        sql`DELETE FROM mtproto_auth_key WHERE name = ${name}`,
        sql`DELETE FROM mtproto_update_state WHERE name = ${name}`
      ]))
    )
  })
})
