/** What every `Transport` promises, asked of the native one and of mtcute's on the same server. */
import * as Api from "@effect-mtproto/core/Api"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { TransportError } from "@effect-mtproto/transport/Transport"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { ANN, BOB, inbox, type Kind, mtcute, native, numberOf, openChat, type Server } from "./support.ts"

const make = { native, mtcute }

const peer: Api.InputEncryptedChat = { _tag: "inputEncryptedChat", chatId: 1, accessHash: 1n }
const service = (randomId: bigint, size = 16) =>
  Api.messages.sendEncryptedService({ peer, randomId, data: new Uint8Array(size) })

const suite = (kind: Kind): void => {
  const live = <E>(name: string, run: (server: Server) => Effect.Effect<unknown, E, Scope.Scope>) =>
    it.live(name, () =>
      Effect.gen(function*() {
        const server = yield* TestServer.make()
        yield* server.createAccount({ phone: ANN, firstName: "Ann" })
        yield* server.createAccount({ phone: BOB, firstName: "Bob" })
        yield* run(server)
      }).pipe(Effect.scoped))

  const failure = <A, E>(effect: Effect.Effect<A, E>) => Effect.flip(effect)

  describe(`the ${kind} transport`, () => {
    live("answers and errors, typed by method", (server) =>
      Effect.gen(function*() {
        const { transport } = yield* make[kind](server, ANN)
        assert.strictEqual((yield* transport.invoke(Api.help.getConfig())).thisDc, server.dcId)
        const users = yield* transport.invoke(Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] }))
        assert.strictEqual(users[0]?._tag === "user" && users[0].firstName, "Ann")
        assert.strictEqual(yield* transport.invoke(Api.account.updateStatus({ offline: true })), true)

        const documented = yield* failure(transport.invoke(service(1n)))
        assert.strictEqual(documented._tag, "ChatIdInvalid")
        yield* server.faults.failNext("messages.sendEncryptedService", { code: 400, type: "NEVER_HEARD_OF" })
        const unknown = yield* failure(transport.invoke(service(2n)))
        assert.isTrue(unknown._tag === "RpcError" && unknown.code === 400 && unknown.type === "NEVER_HEARD_OF")
      }))

    live(
      "floods are waited for up to the limit; internal errors are tried again, a bounded number of times",
      (server) =>
        Effect.gen(function*() {
          const { transport } = yield* make[kind](server, ANN, { maxRetries: 1 })
          const config = Api.help.getConfig()
          yield* server.faults.failNext("help.getConfig", { code: 420, type: "FLOOD_WAIT_1" })
          assert.strictEqual((yield* transport.invoke(config)).thisDc, server.dcId)
          yield* server.faults.failNext("help.getConfig", { code: 420, type: "FLOOD_WAIT_60" })
          const flood = yield* failure(transport.invoke(config))
          assert.isTrue(flood._tag === "FloodWait" && flood.seconds === 60)
          // another method is not held back by that
          yield* transport.invoke(Api.help.getNearestDc())
          yield* server.faults.failNext("help.getNearestDc", { code: 500, type: "INTERNAL" })
          yield* transport.invoke(Api.help.getNearestDc())
          yield* server.faults.failNext("help.getNearestDc", { code: 500, type: "INTERNAL", times: 2 })
          const internal = yield* failure(transport.invoke(Api.help.getNearestDc()))
          assert.isTrue(internal._tag === "RpcError" && internal.code === 500)
        })
    )

    live("requests that cannot be sent are not sent", (server) =>
      Effect.gen(function*() {
        const { transport } = yield* make[kind](server, ANN)
        const before = yield* server.callCount("messages.sendEncryptedService")
        const large = yield* failure(transport.invoke(service(1n, 1_100_000)))
        assert.isTrue(large._tag === "TransportError" && large.reason === "too-large")
        const invalid = yield* failure(
          transport.invoke(Api.messages.sendEncryptedService({ peer, randomId: 1 as never, data: new Uint8Array(4) }))
        )
        assert.isTrue(invalid._tag === "TransportError" && invalid.reason === "invalid-request")
        assert.strictEqual(yield* server.callCount("messages.sendEncryptedService"), before)
      }))

    live("time is up, and a caller that goes away", (server) =>
      Effect.gen(function*() {
        const { transport } = yield* make[kind](server, ANN)
        yield* server.faults.delayNext("help.getNearestDc", "20 seconds", { times: 2 })
        const late = yield* failure(transport.invoke(Api.help.getNearestDc(), { timeout: "100 millis" }))
        assert.isTrue(
          late._tag === "TransportError" && late.reason === "timeout" && late.method === "help.getNearestDc"
        )
        const fiber = yield* Effect.forkChild(transport.invoke(Api.help.getNearestDc()), { startImmediately: true })
        yield* Effect.sleep("20 millis")
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* transport.invoke(Api.help.getConfig())).thisDc, server.dcId)
      }))

    live("a chain keeps its order over errors that are tried again", (server) =>
      Effect.gen(function*() {
        const executed: Array<bigint> = []
        yield* server.answer(Api.messages.sendEncryptedService, ({ randomId }) => {
          executed.push(randomId)
          return { _tag: "messages.sentEncryptedMessage", date: 1 }
        })
        const { transport } = yield* make[kind](server, ANN)
        yield* server.faults.delayNext("messages.sendEncryptedService", "50 millis")
        yield* server.faults.failNext("messages.sendEncryptedService", { code: 500, type: "INTERNAL" })
        const send = (id: number) => transport.invoke(service(BigInt(id)), { chain: "one" })
        yield* Effect.all([1, 2, 3, 4].map(send), { concurrency: "unbounded" })
        assert.deepStrictEqual(executed, [1n, 2n, 3n, 4n])
      }))

    live("a lost connection ends no call", (server) =>
      Effect.gen(function*() {
        const { transport } = yield* make[kind](server, ANN)
        yield* server.faults.disconnectOn("help.getNearestDc", "after")
        const calls = Effect.all(
          Array.from({ length: 20 }, () => transport.invoke(Api.help.getNearestDc())),
          { concurrency: "unbounded" }
        )
        assert.strictEqual((yield* calls).length, 20)
        yield* server.faults.dropConnections(ANN)
        assert.strictEqual((yield* calls).length, 20)
      }))

    live("updates in order, again until they are confirmed, and not after that", (server) =>
      Effect.gen(function*() {
        const ann = yield* native(server, ANN)
        const bob = yield* make[kind](server, BOB)
        const anns = yield* inbox(ann.transport)
        const bobs = yield* inbox(bob.transport)
        const send = yield* openChat(ann.transport, bob.transport, BOB, { from: anns.take, to: bobs.take })
        yield* send(1, 2, 3, 4)
        const first = yield* bobs.takeN(4)
        assert.deepStrictEqual(first.map(numberOf), [1, 2, 3, 4])
        // confirmed but for the second: nothing behind it is
        yield* first[0]!.confirm
        yield* first[2]!.confirm
        yield* bob.close
        yield* send(5)
        const again = yield* inbox(yield* bob.reopen)
        const second = yield* again.takeN(4)
        assert.deepStrictEqual(second.map(numberOf), [2, 3, 4, 5])
        for (const { confirm } of second) yield* confirm
        yield* server.awaitCalls(Api.messages.receivedQueue)
        const third = yield* inbox(yield* bob.reopen)
        yield* send(6)
        assert.strictEqual(numberOf(yield* third.take), 6)
      }))

    live("what was pushed and lost is fetched", (server) =>
      Effect.gen(function*() {
        const ann = yield* native(server, ANN)
        const bob = yield* make[kind](server, BOB)
        const anns = yield* inbox(ann.transport)
        const bobs = yield* inbox(bob.transport)
        const send = yield* openChat(ann.transport, bob.transport, BOB, { from: anns.take, to: bobs.take })
        yield* send(1)
        yield* server.faults.dropUpdates(BOB, 1)
        yield* send(2, 3)
        yield* server.faults.updatesTooLong(BOB)
        yield* send(4)
        yield* server.faults.dropConnections(BOB)
        yield* send(5)
        yield* server.faults.forgetSessions(BOB)
        yield* send(6)
        assert.deepStrictEqual((yield* bobs.takeN(6)).map(numberOf), [1, 2, 3, 4, 5, 6])
      }))

    live("the end of a login is the end of the updates", (server) =>
      Effect.gen(function*() {
        const { transport } = yield* make[kind](server, ANN)
        const ended = yield* Effect.forkChild(Effect.flip(Stream.runDrain(transport.updates)), {
          startImmediately: true
        })
        yield* server.logOut(ANN)
        yield* Effect.ignore(transport.invoke(Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] })))
        const error = yield* Fiber.join(ended)
        assert.isTrue(error instanceof TransportError && error.reason === "unauthorized")
      }))

    live(
      "nothing is left open when it is closed, and one program has it at a time",
      (server) =>
        Effect.gen(function*() {
          const device = yield* make[kind](server, ANN)
          yield* server.faults.delayNext("help.getNearestDc", "20 seconds")
          const pending = yield* Effect.forkChild(Effect.flip(device.transport.invoke(Api.help.getNearestDc())), {
            startImmediately: true
          })
          yield* Effect.sleep("20 millis")
          assert.strictEqual((yield* Effect.flip(Effect.scoped(device.store.lock))).reason, "locked")
          yield* device.close
          for (
            const error of [
              yield* Fiber.join(pending),
              yield* Effect.flip(device.transport.invoke(Api.help.getConfig()))
            ]
          ) {
            assert.isTrue(error._tag === "TransportError" && error.reason === "closed")
          }
          yield* Effect.scoped(device.store.lock)
        })
    )
  })
}

suite("native")
suite("mtcute")
