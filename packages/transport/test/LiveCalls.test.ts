import * as Api from "@effect-mtproto/core/Api"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { logIn, makeClient } from "./utils/live.ts"

const PHONE = "15550001"
const SEND = Api.messages.sendEncryptedService

const live = <A, E>(name: string, run: Effect.Effect<A, E, TestServer.TestServer | Scope.Scope>) =>
  it.live(name, () => run.pipe(Effect.scoped, Effect.provide(TestServer.layer())))

const loggedIn = Effect.fnUntraced(function*(overrides: Parameters<typeof makeClient>[0] = {}) {
  const server = yield* TestServer.TestServer
  yield* server.createAccount({ phone: PHONE, firstName: "Ann" })
  const client = yield* makeClient(overrides)
  yield* logIn(client, PHONE)
  yield* server.clearCalls
  return { server, client, invoke: client.transport.invoke }
})

const send = (n: number) =>
  SEND({
    peer: { _tag: "inputEncryptedChat", chatId: n, accessHash: 1n },
    randomId: BigInt(n),
    data: new Uint8Array(64).fill(n)
  })

const getUsers = Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] })
const getConfig = Api.help.getConfig()

describe("MtprotoTransport: answers", () => {
  live(
    "of many calls at the same time belong to their calls",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn({ maxInFlight: 16 })
      yield* server.answer(Api.messages.getDhConfig, ({ randomLength, version }) => ({
        _tag: "messages.dhConfigNotModified",
        random: new Uint8Array(randomLength).fill(version)
      }))
      const results = yield* Effect.forEach(
        Array.from({ length: 500 }, (_, i) => i),
        (i) => invoke(Api.messages.getDhConfig({ version: i % 256, randomLength: i })),
        { concurrency: "unbounded" }
      )
      results.forEach((result, i) => assert.deepStrictEqual(result.random, new Uint8Array(i).fill(i % 256)))
    })
  )

  live(
    "are read in gzip",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.faults.gzip("always")
      assert.strictEqual((yield* invoke(getConfig)).thisDc, server.dcId)
    })
  )

  live(
    "come without containers too",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.faults.containers(false)
      assert.strictEqual((yield* invoke(getConfig)).thisDc, server.dcId)
    })
  )
})

describe("MtprotoTransport: errors", () => {
  live(
    "that the method documents have their tag",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      for (
        const [type, tag, code] of [
          ["DATA_INVALID", "DataInvalid", 400],
          ["ENCRYPTION_DECLINED", "EncryptionDeclined", 400],
          ["USER_IS_BLOCKED", "UserIsBlocked", 403]
        ] as const
      ) {
        yield* server.faults.failNext(SEND, { code, type })
        const error = yield* Effect.flip(invoke(send(1)))
        assert.deepStrictEqual([error._tag, "code" in error && error.code], [tag, code])
        assert.include(error.message, type)
      }
      yield* server.faults.failNext(SEND, { code: 400, type: "DATA_INVALID" })
      const caught = yield* invoke(send(1)).pipe(Effect.catchTag("DataInvalid", (e) => Effect.succeed(e.type)))
      assert.strictEqual(caught, "DATA_INVALID")
    })
  )

  live(
    "that nobody documents are RpcErrors",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.faults.failNext(SEND, { code: 400, type: "SOMETHING_NEW" })
      const error = yield* Effect.flip(invoke(send(1)))
      assert.deepInclude(error, { _tag: "RpcError", code: 400, type: "SOMETHING_NEW" })
      const unknown = yield* Effect.flip(invoke(Api.help.getSupport()))
      assert.deepInclude(unknown, { _tag: "RpcError", code: 400 })
    })
  )

  live(
    "internal ones are tried again",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.faults.failNext(getUsers._tag, { code: 500, type: "RPC_CALL_FAIL", times: 2 })
      yield* server.faults.failNext(getUsers._tag, { code: -503, type: "Timeout" })
      assert.strictEqual((yield* invoke(getUsers)).length, 1)
      yield* server.faults.failNext(getUsers._tag, { code: 500, type: "RPC_CALL_FAIL", times: 10 })
      const error = yield* Effect.flip(invoke(getUsers))
      assert.deepInclude(error, { _tag: "RpcError", code: 500 })
    })
  )

  live(
    "flood waits over the limit have their seconds",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.faults.failNext(SEND, { code: 420, type: "FLOOD_WAIT_17" })
      const error = yield* Effect.flip(invoke(send(1), { floodWaitLimit: "16 seconds" }))
      assert.deepInclude(error, { _tag: "FloodWait", seconds: 17 })
    })
  )

  live(
    "requests that cannot be sent are refused here",
    Effect.gen(function*() {
      const { invoke } = yield* loggedIn()
      const invalid = yield* Effect.flip(invoke(Api.messages.getDhConfig({ version: 2 ** 40, randomLength: 1 })))
      assert.deepInclude(invalid, { _tag: "TransportError", reason: "invalid-request", method: "messages.getDhConfig" })
      const copy = { ...send(1) } as ReturnType<typeof SEND>
      assert.deepInclude(yield* Effect.flip(invoke(copy)), { _tag: "TransportError", reason: "invalid-request" })
      const big = SEND({ peer: send(1).peer, randomId: 1n, data: new Uint8Array(1_100_000) })
      assert.deepInclude(yield* Effect.flip(invoke(big)), { _tag: "TransportError", reason: "too-large" })
    })
  )

  live(
    "a slow answer is a time-out, with the method's name",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.faults.delayNext(getUsers._tag, "1 minute")
      const error = yield* Effect.flip(invoke(getUsers, { timeout: "100 millis" }))
      assert.deepInclude(error, { _tag: "TransportError", reason: "timeout", method: "users.getUsers" })
      assert.strictEqual((yield* invoke(getUsers)).length, 1)
    })
  )

  live(
    "an interrupted call is dropped, and the others go on",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.faults.delayNext(getUsers._tag, "1 minute")
      const fiber = yield* Effect.forkChild(invoke(getUsers))
      yield* invoke(getConfig)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual((yield* invoke(getUsers)).length, 1)
    })
  )

  live(
    "without a server the call ends as unreachable",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      const client = yield* makeClient({ datacenters: [{ id: server.dcId, host: "127.0.0.1", port: 1 }] })
      const error = yield* Effect.flip(client.transport.invoke(getConfig, { timeout: "200 millis" }))
      assert.deepInclude(error, { _tag: "TransportError", reason: "unreachable" })
    })
  )

  live(
    "a server with another key is not Telegram",
    Effect.gen(function*() {
      const client = yield* makeClient({ publicKeys: undefined })
      const error = yield* Effect.flip(client.transport.invoke(getConfig))
      assert.deepInclude(error, { _tag: "TransportError", reason: "handshake" })
    })
  )

  live(
    "a PEM that is none is a mistake in the configuration",
    Effect.gen(function*() {
      const error = yield* Effect.flip(makeClient({ publicKeys: ["nonsense"] }))
      assert.deepInclude(error, { _tag: "TransportError", reason: "configuration" })
    })
  )
})

describe("MtprotoTransport: lost answers and connections", () => {
  live(
    "a lost answer is got, and the call executed once",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.faults.dropAnswer(getUsers._tag)
      assert.strictEqual((yield* invoke(getUsers)).length, 1)
      assert.strictEqual(yield* server.callCount(getUsers._tag), 1)
    })
  )

  live(
    "an answer that is announced is asked for",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.faults.announceAnswer(getUsers._tag)
      assert.strictEqual((yield* invoke(getUsers)).length, 1)
      assert.strictEqual(yield* server.callCount(getUsers._tag), 1)
    })
  )

  live(
    "an answer that comes twice is one",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.faults.duplicateAnswer(getUsers._tag)
      assert.strictEqual((yield* invoke(getUsers)).length, 1)
      assert.strictEqual((yield* invoke(getUsers)).length, 1)
    })
  )

  live(
    "a connection that breaks before or after execution loses nothing and repeats nothing",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      for (const when of ["before", "after"] as const) {
        yield* server.clearCalls
        yield* server.faults.disconnectOn(getUsers._tag, when)
        assert.strictEqual((yield* invoke(getUsers)).length, 1)
        assert.strictEqual(yield* server.callCount(getUsers._tag), 1, when)
      }
    })
  )

  live(
    "connections that break again and again",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.answer(Api.help.getNearestDc, () => ({ _tag: "nearestDc", country: "XX", thisDc: 2, nearestDc: 2 }))
      const calls = yield* Effect.forkChild(Effect.forEach(
        Array.from({ length: 200 }, (_, i) => i),
        () => invoke(Api.help.getNearestDc()),
        { concurrency: 20 }
      ))
      for (let i = 1; i <= 5; i++) {
        yield* server.awaitCalls(Api.help.getNearestDc, 30 * i)
        yield* server.faults.dropConnections()
      }
      assert.strictEqual((yield* Fiber.join(calls)).length, 200)
      assert.strictEqual(yield* server.callCount(Api.help.getNearestDc), 200)
    })
  )

  live(
    "a session that the server forgets",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      for (let i = 0; i < 3; i++) {
        yield* server.faults.forgetSessions(PHONE)
        assert.strictEqual((yield* invoke(getUsers)).length, 1)
      }
    })
  )

  live(
    "a wrong salt, and every complaint of the server",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.faults.badServerSalt()
      assert.strictEqual((yield* invoke(getUsers)).length, 1)
      for (const code of [16, 17, 18, 19, 20, 32, 33, 34, 35, 64]) {
        yield* server.faults.badMessage(code)
        assert.strictEqual((yield* invoke(getUsers)).length, 1, String(code))
      }
    })
  )

  live(
    "a clock that is wrong by an hour, either way",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      for (const skew of [3_600_000, -3_600_000, 0]) {
        yield* server.faults.clockSkew(skew)
        assert.strictEqual((yield* invoke(getUsers)).length, 1, String(skew))
      }
    })
  )
})

describe("MtprotoTransport: the key", () => {
  live(
    "a flood of connections is waited for",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      yield* server.faults.transportError(-429)
      assert.strictEqual((yield* invoke(getUsers)).length, 1)
    })
  )

  live(
    "that is unknown once is kept",
    Effect.gen(function*() {
      const { client, invoke, server } = yield* loggedIn()
      const before = yield* client.store.authKey(server.dcId)
      yield* server.faults.transportError(-404)
      assert.strictEqual((yield* invoke(getUsers)).length, 1)
      assert.deepStrictEqual((yield* client.store.authKey(server.dcId))!.createdAt, before!.createdAt)
      assert.strictEqual((yield* server.counters).keys, 1)
    })
  )

  live(
    "that stays unknown ends the transport, but is not thrown away",
    Effect.gen(function*() {
      const { client, invoke, server } = yield* loggedIn()
      yield* server.faults.transportError(-404, { times: 100 })
      const error = yield* Effect.flip(invoke(getUsers))
      assert.deepInclude(error, { _tag: "TransportError", reason: "unauthorized" })
      assert.deepInclude(yield* Effect.flip(invoke(getConfig)), { reason: "unauthorized" })
      assert.isDefined(yield* client.store.authKey(server.dcId))
    })
  )

  live(
    "that nobody has logged in with is made anew",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      const client = yield* makeClient()
      yield* client.transport.invoke(getConfig)
      yield* server.faults.transportError(-404, { times: 2 })
      assert.strictEqual((yield* client.transport.invoke(getConfig)).thisDc, server.dcId)
      assert.strictEqual((yield* server.counters).keys, 2)
    })
  )
})

describe("MtprotoTransport: chains", () => {
  live(
    "are executed in their order, also when one is late",
    Effect.gen(function*() {
      const { invoke, server } = yield* loggedIn()
      const order: Array<number> = []
      yield* server.answer(SEND, ({ randomId }) => {
        order.push(Number(randomId))
        return { _tag: "messages.sentEncryptedMessage", date: 1 }
      })
      yield* server.faults.delayNext(SEND, "100 millis")
      yield* server.faults.failNext(SEND, { code: 500, type: "RPC_CALL_FAIL" })
      const numbers = Array.from({ length: 20 }, (_, i) => i + 1)
      yield* Effect.forEach(numbers, (n) => invoke(send(n), { chain: "chat 1" }), { concurrency: "unbounded" })
      assert.deepStrictEqual(order, numbers)
    })
  )
})
