import * as Api from "@effect-mtproto/core/Api"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import { TestClock } from "effect/testing"
import { Dial } from "../src/Connection.ts"
import * as MtprotoTransport from "../src/MtprotoTransport.ts"
import { SessionStore } from "../src/SessionStore.ts"
import * as Session from "../src/SessionStore.ts"
import { Transport } from "../src/Transport.ts"

/** A network in memory, on virtual time: what happens to each connection is up to the test. */
const network = (
  connect: (number: number) => Effect.Effect<Socket.Reader, Socket.SocketError, Scope.Scope>,
  write: Effect.Effect<void> = Effect.void
) => {
  const dialled: Array<number> = []
  let closed = 0
  const layer = Layer.succeed(Dial, () =>
    Effect.sync(() =>
      Socket.make({
        reader: Effect.gen(function*() {
          dialled.push(yield* Clock.currentTimeMillis)
          yield* Effect.addFinalizer(() => Effect.sync(() => closed++))
          return yield* connect(dialled.length)
        }),
        writer: Effect.succeed({ write: () => write, writeAll: () => write })
      })
    ))
  return { dialled, closed: () => closed, layer }
}

const silent = Effect.succeed<Socket.Reader>({ pull: Effect.never, upgrade: () => Effect.void })

const refused = Effect.fail(
  new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause: new Error("refused") }) })
)

const ended = Effect.succeed<Socket.Reader>({
  pull: Effect.fail(new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1000 }) })),
  upgrade: () => Effect.void
})

/** A store with a key, so that no key has to be agreed on. */
const store = Layer.effectDiscard(Effect.flatMap(SessionStore, (service) =>
  service.setAuthKey(2, {
    key: Redacted.make(new Uint8Array(256).fill(7)),
    createdAt: 0,
    timeOffset: 0,
    salts: []
  }))).pipe(Layer.provideMerge(Session.layerMemory))

const client = (dial: Layer.Layer<never>, options: Partial<MtprotoTransport.Options> = {}) =>
  Effect.map(
    Layer.build(
      MtprotoTransport.layer({ apiId: 1, apiHash: Redacted.make("hash"), ...options }).pipe(
        Layer.provide(store),
        Layer.provide(NodeCrypto.layer),
        Layer.provide(dial)
      )
    ),
    (context) => Effect.provide(Transport, context)
  ).pipe(Effect.flatten)

const getConfig = Api.help.getConfig()

describe("MtprotoTransport: reconnection on virtual time", () => {
  it.effect("a network that is silent is noticed within 15 seconds", () =>
    Effect.gen(function*() {
      const net = network(() => silent)
      const transport = yield* client(net.layer)
      yield* Effect.forkScoped(Effect.ignore(transport.invoke(getConfig, { timeout: "1 hour" })))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(net.dialled.length, 1)
      yield* TestClock.adjust("14 seconds")
      assert.strictEqual(net.closed(), 1)
      assert.strictEqual(net.dialled.length, 2)
    }))

  it.effect("also if it does not even take what is written", () =>
    Effect.gen(function*() {
      const net = network(() => silent, Effect.never)
      const transport = yield* client(net.layer)
      yield* Effect.forkScoped(Effect.ignore(transport.invoke(getConfig, { timeout: "1 hour" })))
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(net.closed(), 1)
      assert.strictEqual(net.dialled.length, 2)
    }))

  it.effect("attempts become rarer, up to 30 seconds apart, and never a busy loop", () =>
    Effect.gen(function*() {
      for (const connection of [refused, ended]) {
        const net = network(() => connection)
        yield* client(net.layer)
        for (let i = 0; i < 600; i++) yield* TestClock.adjust("1 second")
        const gaps = net.dialled.slice(1).map((time, i) => time - net.dialled[i]!)
        assert.isAtMost(net.dialled.length, 60)
        assert.isAtLeast(net.dialled.length, 20)
        assert.isAtMost(gaps[0]!, 1_250)
        assert.isAtLeast(Math.min(...gaps.slice(8)), 14_000)
        assert.isAtMost(Math.max(...gaps), 31_000)
      }
    }))

  it.effect("a day without a network ends calls by their deadline only", () =>
    Effect.gen(function*() {
      const net = network(() => refused)
      const transport = yield* client(net.layer)
      const fiber = yield* Effect.forkScoped(Effect.flip(transport.invoke(getConfig, { timeout: "1 day" })))
      yield* TestClock.adjust("23 hours")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 hour")
      assert.deepInclude(yield* Fiber.join(fiber), { _tag: "TransportError", reason: "unreachable" })
    }))

  it.effect("closing the layer ends calls and connection", () =>
    Effect.gen(function*() {
      const net = network(() => silent)
      const scope = yield* Scope.make()
      const transport = yield* Scope.provide(client(net.layer), scope)
      const fiber = yield* Effect.forkChild(Effect.flip(transport.invoke(getConfig)))
      yield* TestClock.adjust("1 second")
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      assert.deepInclude(yield* Fiber.join(fiber), { _tag: "TransportError", reason: "closed" })
      assert.strictEqual(net.closed(), 1)
      assert.deepInclude(yield* Effect.flip(transport.invoke(getConfig)), { reason: "closed" })
    }))
})
