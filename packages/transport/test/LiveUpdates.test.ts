import * as Api from "@effect-mtproto/core/Api"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SessionStore from "../src/SessionStore.ts"
import type { TransportUpdate } from "../src/Transport.ts"
import { type Client, logIn, makeClient } from "./utils/live.ts"

const ANN = "15550001"
const BOB = "15550002"

const live = <A, E>(name: string, run: Effect.Effect<A, E, TestServer.TestServer | Scope.Scope>) =>
  it.live(name, () => run.pipe(Effect.scoped, Effect.provide(TestServer.layer())))

/** The updates of a client, one by one. */
const inbox = Effect.fnUntraced(function*(client: Client) {
  const queue = yield* Queue.unbounded<TransportUpdate>()
  yield* Effect.forkScoped(Stream.runForEach(client.transport.updates, (update) => Queue.offer(queue, update)))
  return { take: Queue.take(queue), takeN: (n: number) => Effect.replicateEffect(Queue.take(queue), n) }
})

/** Ann's and Bob's clients, and a secret chat between them. */
const chat = Effect.fnUntraced(function*(bobsOptions: Parameters<typeof makeClient>[0] = {}) {
  const server = yield* TestServer.TestServer
  yield* server.createAccount({ phone: ANN, firstName: "Ann" })
  yield* server.createAccount({ phone: BOB, firstName: "Bob" })
  const ann = yield* makeClient()
  const bob = yield* makeClient(bobsOptions)
  yield* logIn(ann, ANN)
  yield* logIn(bob, BOB)
  const bobs = yield* inbox(bob)
  const chatId = yield* open(ann, bob, bobs.take)
  return { server, ann, bob, bobs, chatId }
})

/** In the safe range, and that is all that the server checks. */
const publicValue = new Uint8Array(256).fill(0x11)

const open = Effect.fnUntraced(function*(ann: Client, bob: Client, take: Effect.Effect<TransportUpdate>) {
  const { users } = yield* ann.transport.invoke(Api.contacts.resolvePhone({ phone: BOB }))
  const user = users[0]
  if (user?._tag !== "user") return yield* Effect.die("no user")
  yield* ann.transport.invoke(Api.messages.requestEncryption({
    userId: { _tag: "inputUser", userId: user.id, accessHash: user.accessHash! },
    randomId: 4711,
    gA: publicValue
  }))
  const requested = yield* take
  if (requested.update._tag !== "updateEncryption" || requested.update.chat._tag !== "encryptedChatRequested") {
    return yield* Effect.die(requested.update)
  }
  yield* requested.confirm
  const { accessHash, id } = requested.update.chat
  yield* bob.transport.invoke(Api.messages.acceptEncryption({
    peer: { _tag: "inputEncryptedChat", chatId: id, accessHash },
    gB: publicValue,
    keyFingerprint: 1n
  }))
  return id
})

const peerOf = Effect.fnUntraced(function*(client: Client, chatId: number) {
  const updates = yield* inbox(client)
  while (true) {
    const { update } = yield* updates.take
    if (update._tag === "updateEncryption" && update.chat._tag === "encryptedChat" && update.chat.id === chatId) {
      const peer: Api.InputEncryptedChat = { _tag: "inputEncryptedChat", chatId, accessHash: update.chat.accessHash }
      return peer
    }
  }
})

const sender = Effect.fnUntraced(function*(client: Client, chatId: number) {
  const peer = yield* peerOf(client, chatId)
  return (...numbers: ReadonlyArray<number>) =>
    Effect.forEach(numbers, (n) =>
      client.transport.invoke(
        Api.messages.sendEncryptedService({ peer, randomId: BigInt(n), data: new Uint8Array(64).fill(n) })
      ), { discard: true })
})

const numberOf = ({ update }: TransportUpdate): number =>
  update._tag === "updateNewEncryptedMessage" ? Number(update.message.randomId) : -1

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe("Transport.updates", () => {
  live(
    "a request, its acceptance, and messages in order",
    Effect.gen(function*() {
      const { ann, bobs, chatId } = yield* chat()
      const send = yield* sender(ann, chatId)
      yield* send(1, 2, 3)
      const received = yield* bobs.takeN(3)
      assert.deepStrictEqual(received.map(numberOf), [1, 2, 3])
      const qts = received.map(({ update }) => "qts" in update ? update.qts : 0)
      assert.deepStrictEqual(qts, range(qts[0]!, qts[0]! + 2))
    })
  )

  live(
    "what is confirmed is stored and acknowledged, without a gap before it",
    Effect.gen(function*() {
      const { ann, bob, bobs, chatId, server } = yield* chat()
      const send = yield* sender(ann, chatId)
      yield* send(1, 2, 3)
      const [first, second, third] = yield* bobs.takeN(3)
      const qts = second!.update._tag === "updateNewEncryptedMessage" ? second!.update.qts : 0
      yield* third!.confirm
      yield* second!.confirm
      assert.deepStrictEqual((yield* server.devices(BOB)).map((device) => device.unconfirmedMessages), [3])
      yield* first!.confirm
      yield* third!.confirm
      yield* server.awaitCalls(Api.messages.receivedQueue)
      const calls = yield* server.calls(Api.messages.receivedQueue)
      assert.deepStrictEqual(
        calls.map(({ request }) => request !== undefined && "maxQts" in request && request.maxQts),
        [qts + 1]
      )
      assert.strictEqual((yield* bob.store.updateState)!.qts, qts + 1)
      assert.deepStrictEqual((yield* server.devices(BOB)).map((device) => device.unconfirmedMessages), [0])
    })
  )

  live(
    "after a restart everything comes again that was not confirmed, and nothing else",
    Effect.gen(function*() {
      const database = SqliteClient.layer({ filename: ":memory:" })
      const sql = yield* Layer.build(database)
      const store = SessionStore.layerUnsealedSql().pipe(Layer.provide(Layer.succeedContext(sql)))
      const server = yield* TestServer.TestServer
      yield* server.createAccount({ phone: ANN, firstName: "Ann" })
      yield* server.createAccount({ phone: BOB, firstName: "Bob" })
      const ann = yield* makeClient()
      yield* logIn(ann, ANN)
      const chatId = yield* Effect.scoped(Effect.gen(function*() {
        const bob = yield* makeClient({}, store)
        yield* logIn(bob, BOB)
        return yield* open(ann, bob, (yield* inbox(bob)).take)
      }))
      const send = yield* sender(ann, chatId)
      yield* send(1, 2, 3, 4)
      // reads four and confirms the first and the third
      yield* Effect.scoped(Effect.gen(function*() {
        const bob = yield* makeClient({}, store)
        const received = yield* (yield* inbox(bob)).takeN(4)
        assert.deepStrictEqual(received.map(numberOf), [1, 2, 3, 4])
        yield* received[0]!.confirm
        yield* received[2]!.confirm
        yield* server.awaitCalls(Api.messages.receivedQueue)
      }))
      yield* send(5)
      const bob = yield* makeClient({}, store)
      const bobs = yield* inbox(bob)
      assert.deepStrictEqual((yield* bobs.takeN(4)).map(numberOf), [2, 3, 4, 5])
      yield* send(6)
      assert.strictEqual(numberOf(yield* bobs.take), 6)
    })
  )

  live(
    "messages that were never pushed",
    Effect.gen(function*() {
      const { ann, bobs, chatId, server } = yield* chat()
      const send = yield* sender(ann, chatId)
      yield* server.faults.dropUpdates(BOB, 2)
      yield* send(1, 2, 3)
      assert.deepStrictEqual((yield* bobs.takeN(3)).map(numberOf), [1, 2, 3])
    })
  )

  live(
    "updatesTooLong, slices, and a difference that is too long",
    Effect.gen(function*() {
      const { ann, bobs, chatId, server } = yield* chat()
      const send = yield* sender(ann, chatId)
      yield* server.faults.differenceLimit(2)
      yield* server.faults.differenceTooLong()
      yield* server.faults.dropUpdates(BOB, 7)
      yield* send(...range(1, 7))
      yield* server.faults.updatesTooLong(BOB)
      assert.deepStrictEqual((yield* bobs.takeN(7)).map(numberOf), range(1, 7))
      // the one that was too long, at least one retry of it, and four slices
      assert.isAtLeast(yield* server.callCount(Api.updates.getDifference), 6)
    })
  )

  live(
    "broken connections and forgotten sessions",
    Effect.gen(function*() {
      const { ann, bobs, chatId, server } = yield* chat()
      const send = yield* sender(ann, chatId)
      for (let round = 0; round < 5; round++) {
        yield* send(...range(10 * round + 1, 10 * round + 5))
        yield* server.faults.dropConnections(BOB)
        yield* send(...range(10 * round + 6, 10 * round + 8))
        yield* server.faults.forgetSessions(BOB)
        yield* send(...range(10 * round + 9, 10 * round + 10))
      }
      const received: Array<number> = []
      while (received.length < 50) {
        const update = yield* bobs.take
        received.push(numberOf(update))
        yield* update.confirm
      }
      assert.deepStrictEqual(received, range(1, 50))
    })
  )

  live(
    "a slow consumer: no more than its window in memory, and nothing lost",
    Effect.gen(function*() {
      const { ann, bobs, chatId } = yield* chat({ maxUnconfirmed: 8 })
      const send = yield* sender(ann, chatId)
      yield* send(...range(1, 60))
      const received: Array<number> = []
      while (received.length < 60) {
        const update = yield* bobs.take
        received.push(numberOf(update))
        yield* update.confirm
      }
      assert.deepStrictEqual(received, range(1, 60))
    })
  )
})
