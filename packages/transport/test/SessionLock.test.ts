import * as Api from "@effect-mtproto/core/Api"
import * as NodeVault from "@effect-mtproto/crypto/NodeVault"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Lock from "../src/internal/sessionLock.ts"
import * as Session from "../src/SessionStore.ts"
import { logIn, makeClient } from "./utils/live.ts"

const { SessionStore } = Session

const open = (layer: typeof Session.layerMemory, scope: Scope.Scope) =>
  Effect.map(Layer.buildWithScope(Layer.fresh(layer), scope), (context) => Effect.provide(SessionStore, context)).pipe(
    Effect.flatten
  )

const withSql = (title: string, run: Effect.Effect<void, unknown, SqlClient.SqlClient | Scope.Scope>) =>
  it.effect(title, () => run.pipe(Effect.scoped, Effect.provide(SqliteClient.layer({ filename: ":memory:" }))))

const self = Lock.self()

describe("the lock of a session: what is known about a holder", () => {
  it("a process of this machine that does not exist is gone; all others may be alive", () => {
    const me = { machine: "m", pid: 1 }
    const standing = (machine: string, pid: number, exists: boolean) =>
      Lock.standing({ machine, pid }, me, () => exists)
    assert.strictEqual(standing("m", 2, false), "gone")
    assert.strictEqual(standing("m", 2, true), "unknown")
    assert.strictEqual(standing("other", 2, false), "unknown")
    assert.strictEqual(standing("", 2, false), "unknown")
    assert.strictEqual(standing("m", 1, false), "unknown")
  })

  it("this process knows itself", () => {
    assert.strictEqual(self.pid, process.pid)
    assert.notStrictEqual(self.machine, "")
  })
})

describe("the lock of a session, in SQL on virtual time", () => {
  const acquire = (layer: Layer.Layer<Session.SessionStore, Session.SessionStoreError, SqlClient.SqlClient>) =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const context = yield* Layer.buildWithScope(Layer.fresh(layer), scope)
      return yield* Effect.provide(Effect.flatMap(SessionStore, (store) => store.lock), context)
    })
  const second = Effect.fnUntraced(function*(
    layer: Layer.Layer<Session.SessionStore, Session.SessionStoreError, SqlClient.SqlClient>,
    wait: string
  ) {
    const fiber = yield* Effect.forkScoped(Effect.exit(acquire(layer)))
    for (let i = 0; i < 80 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust("250 millis")
    assert.isDefined(fiber.pollUnsafe(), wait)
    return yield* Fiber.join(fiber)
  })
  const layers = {
    layerUnsealedSql: Session.layerUnsealedSql(),
    layerSql: Session.layerSql().pipe(Layer.provide(NodeVault.layerMemory))
  }

  for (const [name, layer] of Object.entries(layers)) {
    withSql(
      `${name}: one at a time; the other one is told why`,
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* Scope.provide(acquire(layer), scope)
        const refused = yield* second(layer, "a living holder is noticed")
        assert.deepInclude(Exit.isFailure(refused) ? (yield* Effect.flip(refused)) : {}, { reason: "locked" })
        yield* Scope.close(scope, Exit.void)
        assert.isTrue(Exit.isSuccess(yield* second(layer, "given back")))
      })
    )
  }

  withSql(
    "a holder that shows no life is replaced after a while, and learns of it",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const layer = layers.layerUnsealedSql
      yield* Scope.provide(acquire(layer), yield* Scope.make())
      // as if it had been frozen, and somebody else had waited long enough
      yield* sql`UPDATE mtproto_session_lock SET owner = 'another', machine = 'elsewhere', beat = 7`
      const before = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      const lease = yield* second(layer, "taken over")
      const after = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      assert.isTrue(Exit.isSuccess(lease))
      assert.isAtLeast(after - before, Lock.PATIENCE)
      if (!Exit.isSuccess(lease)) return
      const lost = yield* Effect.forkScoped(Effect.flip(lease.value.lost))
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(lost.pollUnsafe())
      yield* sql`UPDATE mtproto_session_lock SET owner = 'another'`
      yield* TestClock.adjust("5 seconds")
      assert.deepInclude(yield* Fiber.join(lost), { reason: "locked" })
    })
  )

  withSql(
    "a database that is out of reach ends the lease before somebody else may begin",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const lease = yield* acquire(layers.layerUnsealedSql)
      const lost = yield* Effect.forkScoped(Effect.flip(lease.lost))
      yield* sql`DROP TABLE mtproto_session_lock`
      yield* TestClock.adjust("14 seconds")
      assert.deepInclude(yield* Fiber.join(lost), { reason: "unavailable" })
    })
  )

  it.effect("layerMemory: one at a time", () =>
    Effect.gen(function*() {
      const store = yield* open(Session.layerMemory, yield* Effect.scope)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* store.lock
        assert.deepInclude(yield* Effect.flip(store.lock), { reason: "locked" })
      }))
      yield* store.lock
    }).pipe(Effect.scoped))
})

// ----- processes

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "session-lock-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** A program that takes the session of a database; `next` is what it says next. */
const program = (filename: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const script = fileURLToPath(new URL("./fixtures/holdSession.ts", import.meta.url))
      const child = spawn(process.execPath, [script, filename], { stdio: ["ignore", "pipe", "inherit"] })
      const words: Array<string> = []
      const waiting: Array<(word: string) => void> = []
      child.stdout.setEncoding("utf8")
      child.stdout.on("data", (chunk: string) => {
        for (const word of chunk.split("\n")) {
          if (word === "") continue
          const resume = waiting.shift()
          if (resume === undefined) words.push(word)
          else resume(word)
        }
      })
      const next = Effect.callback<string>((resume) => {
        const word = words.shift()
        if (word === undefined) waiting.push((later) => resume(Effect.succeed(later)))
        else resume(Effect.succeed(word))
      })
      const ended = Effect.callback<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) resume(Effect.void)
        else child.once("exit", () => resume(Effect.void))
      })
      return { child, next, ended }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

describe("the lock of a session, between processes", () => {
  it.live("a second program is refused; after a crash the next one may go on at once", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "session.db")
      const first = yield* program(filename)
      assert.strictEqual(yield* first.next, "held")
      const second = yield* program(filename)
      assert.strictEqual(yield* second.next, "refused locked")
      first.child.kill("SIGKILL")
      yield* first.ended
      const started = Date.now()
      const third = yield* program(filename)
      assert.strictEqual(yield* third.next, "held")
      assert.isBelow(Date.now() - started, 10_000)
    }).pipe(Effect.scoped), 60_000)

  it.live("a program that is frozen loses the session, and stops when it wakes up", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "session.db")
      const first = yield* program(filename)
      assert.strictEqual(yield* first.next, "held")
      first.child.kill("SIGSTOP")
      const second = yield* program(filename)
      assert.strictEqual(yield* second.next, "held")
      first.child.kill("SIGCONT")
      assert.strictEqual(yield* first.next, "lost locked")
      assert.strictEqual(second.child.exitCode, null)
    }).pipe(Effect.scoped), 60_000)
})

describe("MtprotoTransport and the lock", () => {
  const PHONE = "15550001"
  const live = <A, E>(name: string, run: Effect.Effect<A, E, TestServer.TestServer | Scope.Scope>) =>
    it.live(name, () => run.pipe(Effect.scoped, Effect.provide(TestServer.layer())))
  const getConfig = Api.help.getConfig()

  live(
    "two clients on one store: the second is not made, and the first goes on",
    Effect.gen(function*() {
      const store = Layer.succeed(SessionStore, yield* open(Session.layerMemory, yield* Effect.scope))
      const first = yield* makeClient({}, store)
      const error = yield* Effect.flip(makeClient({}, store))
      assert.deepInclude(error, { _tag: "TransportError", reason: "locked" })
      assert.strictEqual((yield* first.transport.invoke(getConfig)).thisDc, 2)
    })
  )

  live(
    "a lease that is lost ends calls and updates, and no packet follows",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      yield* server.createAccount({ phone: PHONE, firstName: "Ann" })
      const inner = yield* open(Session.layerMemory, yield* Effect.scope)
      let lose = (): void => {}
      const lost = Effect.callback<never, Session.SessionStoreError>((resume) => {
        lose = () => resume(Effect.fail(Lock.locked(Session.SessionStoreError)))
      })
      const store = Layer.succeed(SessionStore, { ...inner, lock: Effect.succeed({ lost }) })
      const client = yield* makeClient({}, store)
      yield* logIn(client, PHONE)
      const updates = yield* Effect.forkScoped(Effect.flip(Stream.runDrain(client.transport.updates)))
      lose()
      assert.deepInclude(yield* Fiber.join(updates), { reason: "locked" })
      assert.deepInclude(yield* Effect.flip(client.transport.invoke(getConfig)), { reason: "locked" })
      while ((yield* server.counters).connections > 0) yield* Effect.sleep("10 millis")
    })
  )

  live(
    "AUTH_KEY_DUPLICATED is explained",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      yield* server.createAccount({ phone: PHONE, firstName: "Ann" })
      const client = yield* makeClient()
      yield* logIn(client, PHONE)
      yield* server.faults.failNext(Api.help.getConfig, { code: 406, type: "AUTH_KEY_DUPLICATED" })
      const updates = yield* Effect.forkScoped(Effect.flip(Stream.runDrain(client.transport.updates)))
      const error = yield* Effect.flip(client.transport.invoke(getConfig))
      assert.deepInclude(error, { _tag: "TransportError", reason: "duplicated", method: "help.getConfig" })
      assert.deepInclude(yield* Fiber.join(updates), { reason: "duplicated" })
    })
  )
})
