/**
 * `SessionStore` on SQL with everything sealed: one entry for the account, one for each key, one for the update state.
 */
import type { Vault } from "@effect-mtproto/crypto/Vault"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import type { AuthKey, SessionStore, SessionStoreError } from "../SessionStore.ts"
import * as Lock from "./sessionLock.ts"
import { migrate } from "./sessionStoreMigrations.ts"
import { readSalts, writeSalts } from "./sessionStoreSql.ts"

const Account = Schema.fromJsonString(Schema.Struct({
  dc: Schema.Int,
  userId: Schema.optionalKey(Schema.BigIntFromString)
}))

const State = Schema.fromJsonString(
  Schema.Struct({ pts: Schema.Int, qts: Schema.Int, date: Schema.Int, seq: Schema.Int })
)

const utf8 = new TextEncoder()

const KEY_LENGTH = 256
const FIXED_LENGTH = KEY_LENGTH + 16

/** The key, two doubles, the salts. */
const writeKey = ({ createdAt, key, salts, timeOffset }: AuthKey): Uint8Array => {
  const tail = writeSalts(salts)
  const out = new Uint8Array(FIXED_LENGTH + tail.length)
  out.set(Redacted.value(key))
  const view = new DataView(out.buffer)
  view.setFloat64(KEY_LENGTH, createdAt)
  view.setFloat64(KEY_LENGTH + 8, timeOffset)
  out.set(tail, FIXED_LENGTH)
  return out
}

const readKey = (bytes: Uint8Array): AuthKey | undefined => {
  const salts = bytes.length < FIXED_LENGTH ? undefined : readSalts(bytes.subarray(FIXED_LENGTH))
  if (salts === undefined) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return {
    key: Redacted.make(bytes.slice(0, KEY_LENGTH), { label: "authKey" }),
    createdAt: view.getFloat64(KEY_LENGTH),
    timeOffset: view.getFloat64(KEY_LENGTH + 8),
    salts
  }
}

const read = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeUnknownOption(schema)
  return (bytes: Uint8Array): A | undefined => Option.getOrUndefined(decode(new TextDecoder().decode(bytes)))
}

const write = <A>(schema: Schema.Codec<A, string>) => {
  const encode = Schema.encodeSync(schema)
  return (value: A): Uint8Array => utf8.encode(encode(value))
}

const readAccount = read(Account)
const writeAccount = write(Account)
const readState = read(State)
const writeState = write(State)

type Store = SessionStore["Service"]

export const make = Effect.fnUntraced(function*(
  name: string,
  vault: Vault["Service"],
  of: (store: Store) => Store,
  Failure: typeof SessionStoreError
) {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  yield* Effect.mapError(migrate(sql), (problem) => new Failure({ operation: "prepare its tables", ...problem }))

  const place = (entry: string): string => JSON.stringify(["session", name, entry])

  const guard = <A>(operation: string, effect: Effect.Effect<A, SqlError.SqlError | SessionStoreError>) =>
    Effect.mapError(
      effect,
      (cause) => cause._tag === "SqlError" ? new Failure({ reason: "unavailable", operation, cause }) : cause
    )

  const get = <A>(
    operation: string,
    entry: string,
    decode: (bytes: Uint8Array) => A | undefined
  ): Effect.Effect<A | undefined, SessionStoreError> =>
    Effect.flatMap(
      guard(
        operation,
        sql<
          { readonly data: unknown }
        >`SELECT data FROM mtproto_sealed_session WHERE name = ${name} AND entry = ${entry}`
      ),
      (rows): Effect.Effect<A | undefined, SessionStoreError> => {
        if (rows.length === 0) return Effect.succeed(undefined)
        const { data } = rows[0]!
        const opened = data instanceof Uint8Array ? vault.open(place(entry), data) : undefined
        const value = opened === undefined ? undefined : decode(opened)
        return value === undefined ? Effect.fail(new Failure({ reason: "corrupt", operation })) : Effect.succeed(value)
      }
    )

  const put = (entry: string, data: Uint8Array) =>
    sql`INSERT INTO mtproto_sealed_session (name, entry, data) VALUES (${name}, ${entry}, ${
      vault.seal(place(entry), data)
    }) ON CONFLICT (name, entry) DO UPDATE SET data = excluded.data`

  const remove = (entry: string) => sql`DELETE FROM mtproto_sealed_session WHERE name = ${name} AND entry = ${entry}`

  const run = (operation: string, effect: Effect.Effect<unknown, SqlError.SqlError | SessionStoreError>) =>
    guard(operation, Effect.asVoid(effect))

  const keyEntry = (dc: number): string => `key ${dc}`
  const account = get("read the account", "account", readAccount)
  const authKey = (dc: number) => get("read an authorization key", keyEntry(dc), readKey)
  const putKey = (dc: number, key: AuthKey) =>
    Effect.suspend(() => {
      const plain = writeKey(key)
      return Effect.ensuring(put(keyEntry(dc), plain), Effect.sync(() => plain.fill(0)))
    })

  return of({
    lock: Lock.make(sql, name, Failure),
    account,
    setAccount: ({ dc, userId }) =>
      run(
        "write the account",
        sql.withTransaction(Effect.gen(function*() {
          const before = yield* account
          if (before === undefined || before.userId !== userId) yield* remove("state")
          yield* put("account", writeAccount(userId === undefined ? { dc } : { dc, userId }))
        }))
      ),
    authKey,
    setAuthKey: (dc, key) => run("write an authorization key", putKey(dc, key)),
    removeAuthKey: (dc) => run("remove an authorization key", remove(keyEntry(dc))),
    setSalts: (dc, salts, timeOffset) =>
      run(
        "write the salts",
        sql.withTransaction(Effect.gen(function*() {
          const key = yield* authKey(dc)
          if (key !== undefined) yield* putKey(dc, { ...key, salts, timeOffset })
        }))
      ),
    updateState: get("read the update state", "state", readState),
    setUpdateState: ({ date, pts, qts, seq }) =>
      run("write the update state", Effect.suspend(() => put("state", writeState({ pts, qts, date, seq })))),
    clear: run("forget the session", sql`DELETE FROM mtproto_sealed_session WHERE name = ${name}`)
  })
})
