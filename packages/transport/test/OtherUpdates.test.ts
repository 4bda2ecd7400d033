import type * as Api from "@effect-mtproto/core/Api"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as OtherUpdates from "../src/OtherUpdates.ts"
import { Transport, TransportError, type TransportUpdate } from "../src/Transport.ts"
import * as TransportTest from "../src/TransportTest.ts"

const typing = (chatId: number): Api.Update => ({ _tag: "updateEncryptedChatTyping", chatId })
const online = (userId: bigint): Api.Update => ({
  _tag: "updateUserStatus",
  userId,
  status: { _tag: "userStatusOnline", expires: 1 }
})
const read = (maxId: number): Api.Update => ({
  _tag: "updateReadHistoryInbox",
  peer: { _tag: "peerUser", userId: 7n },
  maxId,
  stillUnreadCount: 0,
  pts: maxId,
  ptsCount: 1
})

const layer = (options?: OtherUpdates.Options) =>
  OtherUpdates.layer(options).pipe(
    Layer.provideMerge(TransportTest.layer((request) => Effect.fail(TransportTest.unexpected(request))))
  )

/** Confirms what comes, and keeps it. */
const consume = (stream: Stream.Stream<TransportUpdate, TransportError>, into: Array<Api.Update>) =>
  Effect.forkChild(
    Stream.runForEach(stream, ({ confirm, update }) => Effect.andThen(Effect.sync(() => into.push(update)), confirm)),
    { startImmediately: true }
  )

const settle = Effect.repeat(Effect.yieldNow, { times: 50 })

describe("OtherUpdates", () => {
  it.effect("both streams in order, each confirmed by its consumer, nothing told with a gap before it", () =>
    Effect.gen(function*() {
      const test = yield* TransportTest.TransportTest
      const secrets: Array<Api.Update> = []
      yield* consume((yield* Transport).updates, secrets)
      const pushed = [typing(1), read(1), typing(2), read(2), read(3), typing(3)]
      for (const update of pushed) yield* test.push(update)
      yield* settle
      assert.deepStrictEqual(secrets, [typing(1), typing(2), typing(3)])
      // the second one nobody has taken yet
      assert.deepStrictEqual(yield* test.confirmed, [typing(1)])
      const others: Array<Api.Update> = []
      yield* consume((yield* OtherUpdates.OtherUpdates).updates, others)
      yield* settle
      assert.deepStrictEqual(others, [read(1), read(2), read(3)])
      assert.deepStrictEqual(yield* test.confirmed, pushed)
    }).pipe(Effect.provide(layer())))

  it.effect("what was not confirmed comes to the next consumer", () =>
    Effect.gen(function*() {
      const test = yield* TransportTest.TransportTest
      const { run } = yield* OtherUpdates.OtherUpdates
      yield* consume((yield* Transport).updates, [])
      const taken: Array<ReadonlyArray<Api.Update>> = []
      const first = yield* Effect.forkChild(
        run((updates) => {
          taken.push(updates.map(({ update }) => update))
          return Effect.never
        })
      )
      yield* test.push(read(1))
      yield* settle
      yield* test.push(read(2))
      yield* settle
      yield* Fiber.interrupt(first)
      assert.deepStrictEqual(taken, [[read(1)]])
      assert.deepStrictEqual(yield* test.confirmed, [])
      yield* Effect.forkChild(run((updates) => Effect.sync(() => taken.push(updates.map(({ update }) => update)))))
      yield* settle
      assert.deepStrictEqual(taken.slice(1).flat(), [read(1), read(2)])
      assert.deepStrictEqual(yield* test.confirmed, [read(1), read(2)])
    }).pipe(Effect.provide(layer())))

  it.effect("a handler that fails gets the same again, and secret chats do not wait for it", () =>
    Effect.gen(function*() {
      const test = yield* TransportTest.TransportTest
      const { run } = yield* OtherUpdates.OtherUpdates
      const secrets: Array<Api.Update> = []
      yield* consume((yield* Transport).updates, secrets)
      let failures = 3
      const done = yield* Deferred.make<ReadonlyArray<Api.Update>>()
      yield* Effect.forkChild(
        run((updates) =>
          Effect.suspend(() =>
            failures-- > 0 ? Effect.fail("busy") : Deferred.succeed(done, updates.map(({ update }) => update))
          )
        )
      )
      yield* test.push(read(1))
      yield* test.push(typing(1))
      yield* settle
      assert.deepStrictEqual(secrets, [typing(1)])
      assert.deepStrictEqual(yield* test.confirmed, [])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Deferred.await(done), [read(1)])
      yield* settle
      assert.deepStrictEqual(yield* test.confirmed, [read(1), typing(1)])
    }).pipe(Effect.provide(layer())))

  it.effect("nobody listens: only the newest wait, if a limit says so", () =>
    Effect.gen(function*() {
      const test = yield* TransportTest.TransportTest
      yield* consume((yield* Transport).updates, [])
      for (let i = 1; i <= 5; i++) yield* test.push(read(i))
      yield* settle
      assert.deepStrictEqual(yield* test.confirmed, [read(1), read(2), read(3)])
      const others: Array<Api.Update> = []
      yield* consume((yield* OtherUpdates.OtherUpdates).updates, others)
      yield* settle
      assert.deepStrictEqual(others, [read(4), read(5)])
    }).pipe(Effect.provide(layer({ unheard: 2 }))))

  it.effect("what is about the moment is let go when many wait", () =>
    Effect.gen(function*() {
      const test = yield* TransportTest.TransportTest
      yield* consume((yield* Transport).updates, [])
      for (let i = 1; i <= 256; i++) yield* test.push(online(BigInt(i)))
      yield* test.push(online(1000n))
      yield* test.push(read(1))
      yield* settle
      const others: Array<Api.Update> = []
      yield* consume((yield* OtherUpdates.OtherUpdates).updates, others)
      yield* settle
      assert.strictEqual(others.length, 257)
      assert.deepStrictEqual(others.at(-1), read(1))
      assert.strictEqual((yield* test.confirmed).length, 258)
    }).pipe(Effect.provide(layer())))

  it.effect("the end of the transport ends both", () =>
    Effect.gen(function*() {
      const test = yield* TransportTest.TransportTest
      const { updates } = yield* OtherUpdates.OtherUpdates
      const first = yield* Effect.forkChild(Effect.flip(Stream.runDrain((yield* Transport).updates)))
      const second = yield* Effect.forkChild(Effect.flip(Stream.runDrain(updates)))
      yield* settle
      const error = new TransportError({ reason: "closed", detail: "over" })
      yield* test.fail(error)
      assert.strictEqual(yield* Fiber.join(first), error)
      assert.strictEqual(yield* Fiber.join(second), error)
    }).pipe(Effect.provide(layer())))

  it("of those that came along, only who is named", () => {
    const user = (id: bigint): Api.User => ({ _tag: "userEmpty", id })
    const chat = (id: bigint): Api.Chat => ({ _tag: "chatEmpty", id })
    const users = [user(6n), user(7n)]
    const chats = [chat(1n), chat(2n)]
    assert.deepStrictEqual(OtherUpdates.about({ update: read(1), users, chats }), { users: [user(7n)], chats: [] })
    assert.deepStrictEqual(OtherUpdates.about({ update: read(1), users: [] }), { users: [], chats: [] })
    assert.deepStrictEqual(
      OtherUpdates.about({
        update: {
          _tag: "updateChatUserTyping",
          chatId: 2n,
          fromId: { _tag: "peerUser", userId: 6n },
          action: { _tag: "sendMessageTypingAction" }
        },
        users,
        chats
      }),
      { users: [user(6n)], chats: [chat(2n)] }
    )
  })
})
