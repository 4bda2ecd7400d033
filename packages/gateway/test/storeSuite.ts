/** What a `GatewayStore` has to keep, on any database. */
import * as NodeVault from "@effect-mtproto/crypto/NodeVault"
import * as GatewayStore from "@effect-mtproto/gateway/GatewayStore"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"

const bytes = (...values: ReadonlyArray<number>) => new Uint8Array(values)

export const suite = <E>(name: string, sql: Layer.Layer<SqlClient.SqlClient, E>) =>
  layer(
    GatewayStore.layer({ maxUpdates: 5 }).pipe(Layer.provideMerge(sql), Layer.provide(NodeVault.layerMemory)),
    { excludeTestServices: true, timeout: "60 seconds" }
  )(`GatewayStore on ${name}`, (it) => {
    const make = (id: string, hash: Uint8Array) =>
      Effect.gen(function*() {
        const store = yield* GatewayStore.GatewayStore
        yield* store.createSession({ id, kind: "user", record: { state: "code", phone: "15550001" } }, hash)
        return store
      })

    it.effect("finds sessions by the hash of their token, and changes them one after the other", () =>
      Effect.gen(function*() {
        const store = yield* make("s1", bytes(1, 2, 3))
        assert.strictEqual((yield* store.findSession("user", bytes(1, 2, 3)))?.record.phone, "15550001")
        assert.isUndefined(yield* store.findSession("bot", bytes(1, 2, 3)))
        assert.isUndefined(yield* store.findSession("user", bytes(1, 2, 4)))
        yield* Effect.forEach(
          [1n, 2n, 3n],
          (id) =>
            store.updateSession("s1", (record) => ({
              ...record,
              policy: [...typeof record.policy === "object" ? record.policy : [], id]
            })),
          { concurrency: "unbounded" }
        )
        const changed = yield* store.getSession("s1")
        assert.deepStrictEqual([...changed!.record.policy as ReadonlyArray<bigint>].toSorted(), [1n, 2n, 3n])
        yield* store.setToken("s1", bytes(9))
        assert.isUndefined(yield* store.findSession("user", bytes(1, 2, 3)))
        assert.strictEqual((yield* store.findSession("user", bytes(9)))?.id, "s1")
        assert.isUndefined(yield* store.updateSession("nobody", (record) => record))
      }))

    it.effect("numbers updates without a gap, drops repeats and the oldest, and never gives a number twice", () =>
      Effect.gen(function*() {
        const store = yield* make("s2", bytes(2))
        const ids = (from: number, limit = 100) =>
          Effect.map(store.updates("s2", from, limit), (found) => found.map(({ id, json }) => `${id}${json}`))
        yield* store.append("s2", [{ source: "1", json: "a" }, { source: "2", json: "b" }, { json: "c" }])
        yield* store.append("s2", [{ source: "2", json: "b" }, { source: "3", json: "d" }])
        assert.deepStrictEqual(yield* ids(0), ["1a", "2b", "3c", "4d"])
        assert.deepStrictEqual(yield* ids(3), ["3c", "4d"])
        assert.deepStrictEqual(yield* ids(0, 1), ["1a"])
        assert.deepStrictEqual(yield* ids(-2), ["3c", "4d"])
        yield* store.acknowledge("s2", 5)
        assert.deepStrictEqual(yield* ids(0), [])
        const signal = yield* store.signal("s2")
        const waiting = yield* Effect.forkChild(signal, { startImmediately: true })
        yield* store.append("s2", Array.from({ length: 8 }, (_, i) => ({ json: String(i) })))
        yield* Fiber.join(waiting)
        assert.deepStrictEqual(yield* ids(0), ["83", "94", "105", "116", "127"])
        assert.strictEqual(yield* store.countUpdates("s2"), 5)
        yield* store.append("nobody", [{ json: "x" }])
        assert.strictEqual(yield* store.countUpdates("nobody"), 0)
      }))

    it.effect("of more updates than it keeps, those of secret chats stay longest", () =>
      Effect.gen(function*() {
        const store = yield* make("s8", bytes(8))
        const ids = Effect.map(store.updates("s8", 0, 100), (found) => found.map(({ id }) => id))
        const other = (count: number) => Array.from({ length: count }, () => ({ json: "o", other: true }))
        yield* store.append("s8", [{ json: "a" }, { json: "b" }, ...other(5)])
        assert.deepStrictEqual(yield* ids, [1, 2, 3, 4, 5, 6, 7])
        yield* store.append("s8", other(3))
        assert.deepStrictEqual(yield* ids, [1, 2, 6, 7, 8, 9, 10])
        yield* store.append("s8", Array.from({ length: 4 }, () => ({ json: "c" })))
        assert.deepStrictEqual(yield* ids, [2, 10, 11, 12, 13, 14])
      }))

    it.effect("brings an older database up to date", () =>
      Effect.gen(function*() {
        const store = yield* make("s9", bytes(9, 9))
        const sql = yield* SqlClient.SqlClient
        yield* sql`ALTER TABLE gateway_update DROP COLUMN other`
        yield* sql`UPDATE gateway_version SET version = 1`
        yield* Layer.build(Layer.fresh(GatewayStore.layer())).pipe(Effect.provide(NodeVault.layerMemory), Effect.scoped)
        yield* store.append("s9", [{ json: "a", other: true }])
        assert.strictEqual(yield* store.countUpdates("s9"), 1)
      }))

    it.effect("begins a request once, and remembers its answer", () =>
      Effect.gen(function*() {
        const store = yield* make("s3", bytes(3))
        const request = { key: bytes(1), hash: bytes(2), randomId: -5n }
        assert.deepStrictEqual(yield* store.beginRequest("s3", request), { _tag: "new" })
        assert.deepStrictEqual(yield* store.beginRequest("s3", request), { _tag: "pending", randomId: -5n })
        assert.deepStrictEqual(yield* store.beginRequest("s3", { ...request, hash: bytes(3) }), { _tag: "other" })
        assert.deepStrictEqual(yield* store.pendingRequests("s3"), [{ key: bytes(1), randomId: -5n }])
        yield* store.endRequest("s3", bytes(1), { status: 200, body: "first" })
        yield* store.endRequest("s3", bytes(1), { status: 500, body: "second" })
        yield* store.forgetRequest("s3", bytes(1))
        assert.deepStrictEqual(yield* store.beginRequest("s3", request), { _tag: "done", status: 200, body: "first" })
        yield* store.expireRequests(-1_000)
        assert.deepStrictEqual(yield* store.beginRequest("s3", request), { _tag: "new" })
      }))

    it.effect("keeps files and people, each for its session, until the session goes", () =>
      Effect.gen(function*() {
        const store = yield* make("s4", bytes(4))
        yield* make("s5", bytes(5))
        yield* store.putFile("s4", -7, 9n, "{}")
        assert.strictEqual(yield* store.getFile("s4", -7, 9n), "{}")
        assert.isUndefined(yield* store.getFile("s5", -7, 9n))
        yield* store.putPeople("s4", [{ id: 1n, accessHash: -2n }])
        yield* store.putPeople("s4", [{ id: 1n, accessHash: 3n }])
        assert.strictEqual(yield* store.getAccessHash("s4", 1n), 3n)
        assert.isUndefined(yield* store.getAccessHash("s5", 1n))
        yield* store.append("s4", [{ json: "x" }])
        yield* store.removeSession("s4")
        assert.isUndefined(yield* store.getSession("s4"))
        assert.isUndefined(yield* store.getFile("s4", -7, 9n))
        assert.isUndefined(yield* store.getAccessHash("s4", 1n))
        assert.strictEqual(yield* store.countUpdates("s4"), 0)
        assert.isTrue((yield* store.sessions).some(({ id }) => id === "s5"))
      }))

    it.effect("reads nothing that was moved to another place, and leaves a newer database alone", () =>
      Effect.gen(function*() {
        const store = yield* make("s6", bytes(6))
        yield* make("s7", bytes(7))
        const sql = yield* SqlClient.SqlClient
        yield* sql`UPDATE gateway_session SET data = (SELECT data FROM gateway_session WHERE id = 's6') WHERE id = 's7'`
        const error = yield* Effect.flip(store.getSession("s7"))
        assert.strictEqual(error.reason, "corrupt")
        yield* sql`DELETE FROM gateway_session WHERE id = 's7'`
        yield* store.check
        yield* sql`UPDATE gateway_version SET version = 99`
        const again = Layer.build(GatewayStore.layer()).pipe(Effect.provide(NodeVault.layerMemory), Effect.scoped)
        assert.strictEqual((yield* Effect.flip(again)).reason, "newer")
        yield* sql`UPDATE gateway_version SET version = 2`
      }))
  })
