import * as Api from "@effect-mtproto/core/Api"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import { Transport } from "@effect-mtproto/transport/Transport"
import { assert, describe, it } from "@effect/vitest"
import { type BaseTelegramClient, MemoryStorage } from "@mtcute/node"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as MtcuteTransport from "../src/MtcuteTransport.ts"
import {
  ANN,
  BOB,
  closeMtcute,
  highLevel,
  inbox,
  logInMtcute,
  makeMtcute,
  mtcute,
  native,
  numberOf,
  openChat,
  type Server
} from "./support.ts"

const live = (name: string, run: (server: Server) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () =>
    Effect.gen(function*() {
      const server = yield* TestServer.make()
      yield* server.createAccount({ phone: ANN, firstName: "Ann" })
      yield* server.createAccount({ phone: BOB, firstName: "Bob" })
      yield* run(server)
    }).pipe(Effect.scoped))

const clientOf = (server: Server, options?: Parameters<typeof makeMtcute>[1]) =>
  Effect.acquireRelease(makeMtcute(server, options), closeMtcute)

const build = Effect.fnUntraced(function*(
  client: MtcuteTransport.Client,
  store: Layer.Layer<SessionStore.SessionStore> = SessionStore.layerMemory
) {
  const layer = MtcuteTransport.layer(client).pipe(Layer.provide(store))
  return Context.get(yield* Layer.build(Layer.fresh(layer)), Transport)
})

const reasonOf = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.map(Effect.flip(effect), (error) => "reason" in error ? error.reason : error._tag)

/** Ann's native client, Bob's on mtcute, a chat, and the function that sends into it. */
const chat = Effect.fnUntraced(function*(server: Server, options: Parameters<typeof mtcute>[2] = {}) {
  const ann = yield* native(server, ANN)
  const bob = yield* mtcute(server, BOB, options)
  const anns = yield* inbox(ann.transport)
  const bobs = yield* inbox(bob.transport)
  const send = yield* openChat(ann.transport, bob.transport, BOB, { from: anns.take, to: bobs.take })
  return { ann, bob, bobs, send }
})

describe("MtcuteTransport", () => {
  live("mtcute's own updates do not confirm what the consumer has not", (server) =>
    Effect.gen(function*() {
      let client: BaseTelegramClient | undefined
      const { bobs, send } = yield* chat(server, {
        withManager: true,
        onClient: (made) => {
          client = made
        }
      })
      yield* Effect.promise(() => client!.startUpdatesLoop())
      yield* send(1, 2, 3)
      const received = yield* bobs.takeN(3)
      // it believes to have them, and asks for what comes after them
      yield* Effect.promise(() =>
        client!.call({ _: "updates.getDifference", pts: 1, qts: 1_000, date: Math.floor(Date.now() / 1_000) })
      )
      const [device] = yield* server.devices(BOB)
      assert.strictEqual(device!.unconfirmedMessages, 3)
      for (const { confirm } of received) yield* confirm
      yield* server.awaitCalls(Api.messages.receivedQueue)
    }))

  live("a slice of nothing but encrypted messages does not keep mtcute asking", (server) =>
    Effect.gen(function*() {
      let client: BaseTelegramClient | undefined
      const { bobs, send } = yield* chat(server, {
        onClient: (made) => {
          client = made
        }
      })
      yield* send(1, 2, 3)
      yield* bobs.takeN(3)
      yield* server.faults.differenceLimit(1)
      const difference = yield* Effect.promise(() =>
        client!.call({ _: "updates.getDifference", pts: 1, qts: 1_000, date: 1 })
      )
      assert.strictEqual(difference._, "updates.difference")
    }))

  live(
    "a login that is done while the transport lives, and one after it has ended",
    (server) =>
      Effect.gen(function*() {
        const client = yield* clientOf(server)
        const transport = yield* build(client)
        const ann = yield* native(server, ANN)
        yield* logInMtcute(client, server, BOB)
        const anns = yield* inbox(ann.transport)
        const bobs = yield* inbox(transport)
        const send = yield* openChat(ann.transport, transport, BOB, { from: anns.take, to: bobs.take })
        yield* send(1)
        assert.strictEqual(numberOf(yield* bobs.take), 1)

        yield* Effect.promise(() => client.call({ _: "auth.logOut" }))
        yield* Effect.promise(() => client.notifyLoggedOut())
        const discarded = yield* anns.take
        yield* discarded.confirm
        yield* logInMtcute(client, server, BOB)
        const sendAgain = yield* openChat(ann.transport, transport, BOB, { from: anns.take, to: bobs.take }, 4712)
        yield* sendAgain(2)
        assert.strictEqual(numberOf(yield* bobs.take), 2)
      })
  )

  live("the next login does not begin where the last one ended", (server) =>
    Effect.gen(function*() {
      const store = Context.get(yield* Layer.build(SessionStore.layerMemory), SessionStore.SessionStore)
      const layer = Layer.succeed(SessionStore.SessionStore, store)
      const one = (storage: MemoryStorage) =>
        Effect.scoped(Effect.gen(function*() {
          const client = yield* clientOf(server, { storage })
          yield* logInMtcute(client, server, ANN)
          yield* build(client, layer)
          yield* server.awaitCalls(Api.updates.getDifference)
          return yield* store.account
        }))
      const account = yield* one(new MemoryStorage())
      yield* store.setUpdateState({ pts: 1, qts: 500, date: 1, seq: 0 })
      yield* server.clearCalls
      assert.deepStrictEqual(yield* one(new MemoryStorage()), account)
      const asked = (yield* server.calls(Api.updates.getDifference)).map(({ request }) =>
        request !== undefined && "qts" in request ? request.qts : undefined
      )
      assert.isTrue(asked.length > 0 && !asked.includes(500))
    }))

  live("when the client is closed, everything here is", (server) =>
    Effect.gen(function*() {
      const client = yield* clientOf(server)
      yield* logInMtcute(client, server, ANN)
      const transport = yield* build(client)
      yield* server.faults.delayNext("help.getNearestDc", "20 seconds")
      const call = yield* Effect.forkChild(reasonOf(transport.invoke(Api.help.getNearestDc())), {
        startImmediately: true
      })
      const updates = yield* Effect.forkChild(reasonOf(Stream.runDrain(transport.updates)), { startImmediately: true })
      yield* Effect.sleep("20 millis")
      yield* closeMtcute(client)
      assert.strictEqual(yield* Fiber.join(call), "closed")
      assert.strictEqual(yield* Fiber.join(updates), "closed")
      assert.strictEqual(yield* reasonOf(transport.invoke(Api.help.getConfig())), "closed")
      assert.strictEqual(yield* reasonOf(build(client)), "closed")
    }))

  live("the client stays the program's own", (server) =>
    Effect.gen(function*() {
      const client = yield* clientOf(server)
      yield* logInMtcute(client, server, ANN)
      const { call } = client.mt.network
      yield* Effect.scoped(Effect.gen(function*() {
        const transport = yield* build(highLevel(client))
        const [ours, theirs] = yield* Effect.all([
          transport.invoke(Api.help.getConfig()),
          Effect.promise(() => client.call({ _: "help.getConfig" }))
        ], { concurrency: 2 })
        assert.strictEqual(ours.thisDc, theirs.thisDc)
      }))
      assert.strictEqual(client.mt.network.call, call)
      assert.deepStrictEqual([client.mt.onUpdate.length, client.mt.onConnecting.length], [1, 1])
      assert.strictEqual((yield* Effect.promise(() => client.call({ _: "help.getConfig" }))).thisDc, server.dcId)
    }))

  live("what cannot work is refused", (server) =>
    Effect.gen(function*() {
      const silent = yield* clientOf(server, { disableUpdates: true })
      assert.strictEqual(yield* reasonOf(build(silent)), "configuration")

      const worker = Object.assign(Object.create(highLevel(silent)), { _client: {} }) as MtcuteTransport.Client
      assert.strictEqual(yield* reasonOf(build(worker)), "configuration")

      // the session of a native client is not overwritten
      const ann = yield* native(server, ANN)
      yield* ann.close
      const client = yield* clientOf(server)
      yield* logInMtcute(client, server, ANN)
      const store = Layer.succeed(SessionStore.SessionStore, ann.store)
      assert.strictEqual(yield* reasonOf(build(client, store)), "configuration")
      yield* ann.reopen
    }))
})
