import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Session from "../src/SessionStore.ts"
import * as SqlVault from "../src/SqlVault.ts"
import { authKey, plain, suite } from "./utils/sessionStoreSuite.ts"

const client = PgClient.layer({ url: Redacted.make(process.env["POSTGRES_URL"] ?? "postgres://127.0.0.1:1/none") })
const vault = SqlVault.layer({ key: Redacted.make(new Uint8Array(32)) }, { name: "sessions" })

let count = 0
const fresh = <A, E, R>(make: (options: { readonly name: string }) => Layer.Layer<A, E, R>) =>
  Layer.unwrap(Effect.sync(() => make({ name: `session ${++count}` })))

describe("SessionStore.layerSql on PostgreSQL", () => {
  suite(fresh(Session.layerSql).pipe(Layer.provide(client)))
})

describe("SessionStore.layerSealedSql on PostgreSQL", () => {
  suite(fresh(Session.layerSealedSql).pipe(Layer.provide(vault), Layer.provide(client)))

  it.effect("what was written is there for the next program", () =>
    Effect.gen(function*() {
      const layer = Session.layerSealedSql({ name: "lasting" }).pipe(Layer.provide(vault), Layer.provide(client))
      const run = <A, E>(use: (store: Session.SessionStore["Service"]) => Effect.Effect<A, E>) =>
        Effect.provide(Effect.flatMap(Session.SessionStore, use), Layer.fresh(layer))
      yield* run((store) => store.setAuthKey(2, authKey(7)))
      assert.deepStrictEqual(plain(yield* run((store) => store.authKey(2))), plain(authKey(7)))
    }))
})
