import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as Lock from "../src/internal/sessionLock.ts"
import * as Session from "../src/SessionStore.ts"
import * as SqlVault from "../src/SqlVault.ts"
import { authKey, plain, suite } from "./utils/sessionStoreSuite.ts"

const client = PgClient.layer({ url: Redacted.make(process.env["POSTGRES_URL"] ?? "postgres://127.0.0.1:1/none") })
const vault = SqlVault.layer({ key: Redacted.make(new Uint8Array(32)) }, { name: "sessions" })

let count = 0
const fresh = <A, E, R>(make: (options: { readonly name: string }) => Layer.Layer<A, E, R>) =>
  Layer.unwrap(Effect.sync(() => make({ name: `session ${++count}` })))

describe("SessionStore.layerUnsealedSql on PostgreSQL", () => {
  suite(fresh(Session.layerUnsealedSql).pipe(Layer.provide(client)))
})

describe("the lock of a session on PostgreSQL", () => {
  /** A program of another machine, with a connection of its own. */
  const program = (name: string) =>
    Effect.map(
      Layer.build(Layer.fresh(Session.layerUnsealedSql({ name }).pipe(Layer.provideMerge(client)))),
      (context) => ({
        store: Context.get(context, Session.SessionStore),
        sql: Context.get(context, SqlClient.SqlClient)
      })
    )

  it.live(
    "one program at a time; the other one is told why, and may go on when it is given back",
    () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const first = yield* program("locked")
        const second = yield* program("locked")
        yield* Scope.provide(first.store.lock, scope)
        assert.deepInclude(yield* Effect.flip(second.store.lock), { reason: "locked" })
        // another session of the same database is another matter
        yield* (yield* program("another")).store.lock
        yield* Scope.close(scope, Exit.void)
        yield* second.store.lock
      }).pipe(Effect.scoped),
    60_000
  )

  it.live("a holder that shows no life is replaced, and learns of it", () =>
    Effect.gen(function*() {
      const first = yield* program("frozen")
      const { lost } = yield* first.store.lock
      const learns = yield* Effect.forkScoped(Effect.flip(lost))
      yield* first.sql`UPDATE mtproto_session_lock
        SET owner = 'another', machine = 'elsewhere', beat = 7 WHERE name = 'frozen'`
      const second = yield* program("frozen")
      const before = Date.now()
      yield* second.store.lock
      assert.isAtLeast(Date.now() - before, Lock.PATIENCE - 500)
      assert.deepInclude(yield* Fiber.join(learns), { reason: "locked" })
    }).pipe(Effect.scoped), 60_000)
})

describe("SessionStore.layerSql on PostgreSQL", () => {
  suite(fresh(Session.layerSql).pipe(Layer.provide(vault), Layer.provide(client)))

  it.effect("what was written is there for the next program", () =>
    Effect.gen(function*() {
      const layer = Session.layerSql({ name: "lasting" }).pipe(Layer.provide(vault), Layer.provide(client))
      const run = <A, E>(use: (store: Session.SessionStore["Service"]) => Effect.Effect<A, E>) =>
        Effect.provide(Effect.flatMap(Session.SessionStore, use), Layer.fresh(layer))
      yield* run((store) => store.setAuthKey(2, authKey(7)))
      assert.deepStrictEqual(plain(yield* run((store) => store.authKey(2))), plain(authKey(7)))
    }))
})
