import * as NodeVault from "@effect-mtproto/crypto/NodeVault"
import { Vault } from "@effect-mtproto/crypto/Vault"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as Session from "../src/SessionStore.ts"
import * as SqlVault from "../src/SqlVault.ts"
import { authKey, plain, suite } from "./utils/sessionStoreSuite.ts"

const { SessionStore, SessionStoreError } = Session

const vault = NodeVault.layerMemory
const memory = Session.layerMemory
const sqlite = Session.layerUnsealedSql().pipe(Layer.provide(SqliteClient.layer({ filename: ":memory:" })))
const sealed = Session.layerSql().pipe(
  Layer.provide([SqliteClient.layer({ filename: ":memory:" }), vault])
)

describe("SessionStore.layerMemory", () => {
  suite(memory)
})

describe("SessionStore.layerUnsealedSql", () => {
  suite(sqlite)
})

describe("SessionStore.layerSql", () => {
  suite(sealed)
})

const withSql = <A, E>(title: string, run: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  it.effect(title, () => run.pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:" }))))

const open = (name?: string) =>
  Effect.flatMap(Layer.build(Session.layerUnsealedSql({ name })), (context) => Effect.provide(SessionStore, context))

const corrupt = (operation: string) => new SessionStoreError({ reason: "corrupt", operation })

describe("SessionStore.layerUnsealedSql: the database", () => {
  withSql(
    "keeps accounts of different names apart",
    Effect.gen(function*() {
      const first = yield* open("first")
      const second = yield* open("second")
      yield* first.setAccount({ dc: 1, userId: 1n })
      yield* first.setAuthKey(1, authKey(1))
      yield* second.setAccount({ dc: 2, userId: 2n })
      yield* second.setUpdateState({ pts: 1, qts: 1, date: 1, seq: 1 })
      yield* first.clear
      assert.isUndefined(yield* first.account)
      assert.deepStrictEqual(yield* second.account, { dc: 2, userId: 2n })
      assert.isDefined(yield* second.updateState)
    }).pipe(Effect.scoped)
  )

  withSql(
    "opens what it has made before",
    Effect.gen(function*() {
      yield* Effect.flatMap(open(), (store) => store.setAuthKey(2, authKey(2)))
      const store = yield* open()
      assert.deepStrictEqual(plain(yield* store.authKey(2)), plain(authKey(2)))
    }).pipe(Effect.scoped)
  )

  withSql(
    "refuses a newer database and leaves it alone",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* Effect.flatMap(open(), (store) => store.setAccount({ dc: 2, userId: 2n }))
      yield* sql`UPDATE mtproto_session_version SET version = 99`
      const error = yield* Effect.flip(open())
      assert.deepStrictEqual(error, new SessionStoreError({ reason: "newer", operation: "prepare its tables" }))
      assert.deepStrictEqual(yield* sql`SELECT dc FROM mtproto_account`, [{ dc: 2 }])
    }).pipe(Effect.scoped)
  )

  withSql(
    "finds rows that it did not write, and shows nothing of them",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const store = yield* open()
      yield* store.setAuthKey(2, authKey(0x61))
      yield* store.setAccount({ dc: 2, userId: 1n })
      yield* store.setUpdateState({ pts: 1, qts: 1, date: 1, seq: 1 })
      yield* sql`UPDATE mtproto_auth_key SET auth_key = ${new Uint8Array(255)}`
      assert.deepStrictEqual(yield* Effect.flip(store.authKey(2)), corrupt("read an authorization key"))
      yield* store.setAuthKey(2, authKey(0x61))
      yield* sql`UPDATE mtproto_auth_key SET salts = ${new Uint8Array(15)}`
      assert.deepStrictEqual(yield* Effect.flip(store.authKey(2)), corrupt("read an authorization key"))
      yield* sql`UPDATE mtproto_account SET user_id = 'nobody'`
      assert.deepStrictEqual(yield* Effect.flip(store.account), corrupt("read the account"))
      yield* sql`UPDATE mtproto_update_state SET qts = 'many'`
      assert.deepStrictEqual(yield* Effect.flip(store.updateState), corrupt("read the update state"))
    }).pipe(Effect.scoped)
  )

  withSql(
    "says that the database failed",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const store = yield* open()
      yield* sql`DROP TABLE mtproto_account`
      const error = yield* Effect.flip(store.account)
      assert.deepInclude(error, { _tag: "SessionStoreError", reason: "unavailable", operation: "read the account" })
    }).pipe(Effect.scoped)
  )

  withSql(
    "brings the tables of the first version up to date, and keeps what is in them",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE mtproto_session_version (version INTEGER NOT NULL)`
      yield* sql`INSERT INTO mtproto_session_version (version) VALUES (1)`
      yield* sql`CREATE TABLE mtproto_account (name TEXT NOT NULL PRIMARY KEY, dc INTEGER NOT NULL, user_id TEXT)`
      yield* sql`CREATE TABLE mtproto_auth_key (
        name TEXT NOT NULL, dc INTEGER NOT NULL, auth_key BLOB NOT NULL, created_at DOUBLE PRECISION NOT NULL,
        time_offset DOUBLE PRECISION NOT NULL, salts BLOB NOT NULL, PRIMARY KEY (name, dc))`
      yield* sql`CREATE TABLE mtproto_update_state (
        name TEXT NOT NULL PRIMARY KEY, pts INTEGER NOT NULL, qts INTEGER NOT NULL, date INTEGER NOT NULL,
        seq INTEGER NOT NULL)`
      yield* sql`INSERT INTO mtproto_account (name, dc, user_id) VALUES ('default', 2, '7')`
      yield* sql`INSERT INTO mtproto_auth_key (name, dc, auth_key, created_at, time_offset, salts)
        VALUES ('default', 2, ${new Uint8Array(256).fill(2)}, 1, 2, ${new Uint8Array(0)})`
      const store = yield* open()
      const key = plain(authKey(2, { createdAt: 1, timeOffset: 2, salts: [] }))
      assert.deepStrictEqual(plain(yield* store.authKey(2)), key)
      assert.deepStrictEqual(yield* store.account, { dc: 2, userId: 7n })
      assert.deepStrictEqual(yield* sql`SELECT name FROM mtproto_sealed_session`, [])
      const [row] = yield* sql<{ version: number }>`SELECT version FROM mtproto_session_version`
      assert.isAbove(row!.version, 1)
    }).pipe(Effect.scoped)
  )
})

describe("SessionStore.layerSql: the database", () => {
  const openSealed = (vault: Vault["Service"], name?: string) =>
    Effect.flatMap(
      Layer.build(Layer.provide(Session.layerSql({ name }), Layer.succeed(Vault, vault))),
      (context) => Effect.provide(SessionStore, context)
    )
  const withVault = <A, E>(
    title: string,
    run: (vault: Vault["Service"]) => Effect.Effect<A, E, SqlClient.SqlClient | Scope.Scope>
  ) => withSql(title, Effect.flatMap(Vault, run).pipe(Effect.scoped, Effect.provide(NodeVault.layerMemory)))

  withVault("holds nothing that can be read", (vault) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const store = yield* openSealed(vault)
      yield* store.setAccount({ dc: 2, userId: 7_777_777_777n })
      yield* store.setAuthKey(2, authKey(0x61))
      yield* store.setUpdateState({ pts: 123_456, qts: 2, date: 3, seq: 4 })
      const rows = yield* sql<
        { entry: string; data: Uint8Array }
      >`SELECT entry, data FROM mtproto_sealed_session ORDER BY entry`
      assert.deepStrictEqual(rows.map((row) => row.entry), ["account", "key 2", "state"])
      for (const { data } of rows) {
        const text = Buffer.from(data).toString("latin1")
        assert.notInclude(text, "aaaa")
        assert.notInclude(text, "7777777")
        assert.notInclude(text, "123456")
      }
      assert.deepStrictEqual(yield* sql`SELECT * FROM mtproto_auth_key`, [])
    }))

  withVault(
    "finds entries that were altered, moved, or sealed by another vault, and shows nothing of them",
    (vault) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const store = yield* openSealed(vault)
        yield* store.setAccount({ dc: 2, userId: 1n })
        yield* store.setAuthKey(1, authKey(1))
        yield* store.setAuthKey(2, authKey(2))
        yield* store.setUpdateState({ pts: 1, qts: 1, date: 1, seq: 1 })
        const other = yield* openSealed(yield* Effect.provide(Vault, Layer.fresh(NodeVault.layerMemory)))
        assert.deepStrictEqual(yield* Effect.flip(other.authKey(2)), corrupt("read an authorization key"))
        assert.deepStrictEqual(yield* Effect.flip(other.account), corrupt("read the account"))
        assert.deepStrictEqual(yield* Effect.flip(other.updateState), corrupt("read the update state"))
        // The key of one data centre in the place of another's.
        yield* sql`UPDATE mtproto_sealed_session SET data = (
        SELECT data FROM mtproto_sealed_session WHERE entry = 'key 1') WHERE entry = 'key 2'`
        assert.deepStrictEqual(yield* Effect.flip(store.authKey(2)), corrupt("read an authorization key"))
        assert.deepStrictEqual(plain(yield* store.authKey(1)), plain(authKey(1)))
        yield* sql`UPDATE mtproto_sealed_session SET data = ${new Uint8Array(60)} WHERE entry = 'account'`
        assert.deepStrictEqual(yield* Effect.flip(store.account), corrupt("read the account"))
        // One account's entries under another's name.
        yield* sql`UPDATE mtproto_sealed_session SET name = 'second'`
        const second = yield* openSealed(vault, "second")
        assert.deepStrictEqual(yield* Effect.flip(second.updateState), corrupt("read the update state"))
      })
  )
})

describe("SqlVault", () => {
  const argon2 = { memory: 8, passes: 1, parallelism: 1 }
  const secret = (passphrase: string) => ({ passphrase: Redacted.make(passphrase), argon2 })
  const vaultOf = (passphrase: string, name?: string) =>
    Effect.flatMap(
      Layer.build(Layer.fresh(SqlVault.layer(secret(passphrase), { name }))),
      (context) => Effect.provide(Vault, context)
    )
  const entries = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT name, entry FROM mtproto_vault ORDER BY name`)
  const bytes = Uint8Array.of(1, 2, 3)

  withSql(
    "keeps the wrapped key; a wrong passphrase changes nothing, a new one changes only that",
    Effect.gen(function*() {
      const vault = yield* vaultOf("old")
      const sealed = vault.seal("here", bytes)
      const before = yield* entries
      assert.strictEqual((yield* Effect.flip(vaultOf("wrong"))).reason, "wrong-secret")
      assert.deepStrictEqual(yield* entries, before)
      yield* vault.rewrap(secret("new"))
      assert.strictEqual((yield* Effect.flip(vaultOf("old"))).reason, "wrong-secret")
      assert.deepStrictEqual((yield* vaultOf("new")).open("here", sealed), bytes)
    }).pipe(Effect.scoped)
  )

  withSql(
    "several vaults in one database have keys of their own",
    Effect.gen(function*() {
      const one = yield* vaultOf("p", "one")
      const two = yield* vaultOf("p", "two")
      assert.isUndefined(two.open("here", one.seal("here", bytes)))
      assert.strictEqual((yield* entries).length, 2)
    }).pipe(Effect.scoped)
  )

  withSql(
    "takes its secret from the configuration, and says what is wrong with a database",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const env = ConfigProvider.layer(ConfigProvider.fromUnknown({ VAULT_KEY: "00".repeat(32) }))
      const open = Effect.flatMap(
        Layer.build(Layer.fresh(SqlVault.layerConfig())),
        (context) => Effect.provide(Vault, context)
      ).pipe(Effect.provide(env))
      const sealed = (yield* open).seal("here", bytes)
      assert.deepStrictEqual((yield* open).open("here", sealed), bytes)
      yield* sql`UPDATE mtproto_vault SET entry = 'nonsense'`
      assert.strictEqual((yield* Effect.flip(vaultOf("p"))).reason, "corrupt")
      yield* sql`DROP TABLE mtproto_vault`
      yield* sql`CREATE VIEW mtproto_vault AS SELECT 1 AS one`
      assert.strictEqual((yield* Effect.flip(vaultOf("p"))).reason, "unavailable")
    }).pipe(Effect.scoped)
  )
})
