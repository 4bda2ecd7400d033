/**
 * Laws of the store: what is to be sent, what waits, and what is to be told.
 *
 * @since 1.0.0
 */
import { assert, describe } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Change, SecretChatStore } from "../SecretChatStore.ts"
import {
  allEvents,
  bytes,
  event,
  freshChat,
  outgoing,
  plain,
  put,
  type Test,
  unsent,
  write
} from "./storeLawsSupport.ts"

/** @internal */
export const queues = (test: Test): void => {
  describe("outbox", () => {
    test(
      "unsent messages come by index, in pages, with their bytes",
      Effect.gen(function*() {
        const store = yield* SecretChatStore
        const chatId = freshChat()
        yield* store.commit(write(chatId, 0, outgoing(2, -(2n ** 63n)), outgoing(0, 2n ** 63n - 1n), outgoing(1)))
        const page = yield* store.outboxUnsent({ chatId, limit: 2 })
        assert.deepStrictEqual(page.map((row) => [row.index, row.randomId, row.unsent]), [
          [0, 2n ** 63n - 1n, true],
          [1, 2n, true]
        ])
        const [last] = yield* store.outboxUnsent({ chatId, after: 1, limit: 2 })
        assert.strictEqual(last?.randomId, -(2n ** 63n))
        assert.deepStrictEqual(plain(last!.record), [10, 2])
        assert.deepStrictEqual(plain(last!.packet), [20, 2])
      })
    )

    test(
      "marks ranges sent and unsent again",
      Effect.gen(function*() {
        const store = yield* SecretChatStore
        const chatId = freshChat()
        yield* store.commit(write(chatId, 0, ...Arr.makeBy(6, (i) => outgoing(i))))
        yield* store.commit(write(chatId, 1, { _tag: "MarkSent", from: 0, to: 3 }))
        assert.deepStrictEqual(yield* unsent(chatId), [4, 5])
        yield* store.commit(
          write(chatId, 2, { _tag: "MarkUnsent", from: 2, to: 2 }, { _tag: "MarkSent", from: 5, to: 9 })
        )
        assert.deepStrictEqual(yield* unsent(chatId), [2, 4])
        assert.strictEqual(Option.getOrThrow(yield* store.load(chatId)).records.length, 6)
      })
    )

    test(
      "replacing a message makes it unsent with the new bytes",
      Effect.gen(function*() {
        const store = yield* SecretChatStore
        const chatId = freshChat()
        yield* store.commit(write(chatId, 0, outgoing(0), { _tag: "MarkSent", from: 0, to: 0 }))
        assert.deepStrictEqual(yield* unsent(chatId), [])
        yield* store.commit(
          write(chatId, 1, { _tag: "PutOutbox", index: 0, randomId: 1n, record: bytes(7), packet: bytes(8) })
        )
        const [row] = yield* store.outboxUnsent({ chatId, limit: 10 })
        assert.deepStrictEqual(plain(row!.record), [7])
        assert.deepStrictEqual(plain(row!.packet), [8])
      })
    )

    test(
      "forgets what lies below an index; changes act in their order",
      Effect.gen(function*() {
        const store = yield* SecretChatStore
        const chatId = freshChat()
        yield* store.commit(write(chatId, 0, ...Arr.makeBy(4, (i) => outgoing(i))))
        yield* store.commit(write(chatId, 1, { _tag: "ForgetOutbox", before: 3 }, outgoing(1), outgoing(4)))
        assert.deepStrictEqual(yield* unsent(chatId), [1, 3, 4])
        assert.deepStrictEqual(
          Option.getOrThrow(yield* store.load(chatId)).records.map((row) => [row.index, plain(row.record)]),
          [
            [1, [10, 1]],
            [3, [10, 3]],
            [4, [10, 4]]
          ]
        )
      })
    )

    test(
      "holds hundreds of messages of one write",
      Effect.gen(function*() {
        const store = yield* SecretChatStore
        const chatId = freshChat()
        yield* store.commit(write(chatId, 0, ...Arr.makeBy(333, (i) => outgoing(i))))
        assert.deepStrictEqual(yield* unsent(chatId), Arr.makeBy(333, (i) => i))
      })
    )
  })

  test(
    "pending messages are kept by index, replaced and dropped",
    Effect.gen(function*() {
      const store = yield* SecretChatStore
      const chatId = freshChat()
      yield* store.commit(write(chatId, 0, put(5, 1), put(3, 2), put(4, 3), put(3, 4)))
      yield* store.commit(write(chatId, 1, { _tag: "DropPending", index: 4 }, { _tag: "DropPending", index: 99 }))
      const { pending } = Option.getOrThrow(yield* store.load(chatId))
      assert.deepStrictEqual(pending.map((row) => [row.index, plain(row.data)]), [[3, [4]], [5, [1]]])
    })
  )

  describe("events", () => {
    test(
      "come in commit order, with rising ids, until they are confirmed",
      Effect.gen(function*() {
        const store = yield* SecretChatStore
        const chatId = freshChat()
        const first = yield* store.commit(write(chatId, 0, event(1), event(2)))
        const second = yield* store.commit(write(chatId, 1, event(3)))
        const rows = yield* allEvents(chatId)
        assert.deepStrictEqual(rows.map((row) => plain(row.data)), [[1], [2], [3]])
        assert.deepStrictEqual(rows.map((row) => row.id), [...first.events, ...second.events])
        assert.isTrue(rows[0]!.id < rows[1]!.id && rows[1]!.id < rows[2]!.id)
        yield* store.confirm([rows[1]!.id])
        assert.deepStrictEqual((yield* allEvents(chatId)).map((row) => plain(row.data)), [[1], [3]])
        yield* store.confirm([rows[0]!.id, rows[1]!.id, rows[2]!.id])
        assert.deepStrictEqual(yield* allEvents(chatId), [])
      })
    )

    test(
      "the data of an event may depend on its id",
      Effect.gen(function*() {
        const store = yield* SecretChatStore
        const chatId = freshChat()
        const named: Change = { _tag: "AppendEvent", data: (id) => new TextEncoder().encode(String(id)) }
        const { events } = yield* store.commit(write(chatId, 0, event(1), named, named))
        const rows = yield* allEvents(chatId)
        assert.deepStrictEqual(rows.map((row) => row.id), events)
        assert.deepStrictEqual(
          rows.slice(1).map((row) => new TextDecoder().decode(row.data)),
          events.slice(1).map(String)
        )
      })
    )

    test(
      "confirming nothing and confirming twice do nothing",
      Effect.gen(function*() {
        const store = yield* SecretChatStore
        const chatId = freshChat()
        const other = freshChat()
        const { events } = yield* store.commit(write(chatId, 0, event(1)))
        yield* store.commit(write(other, 0, event(2)))
        yield* store.confirm([])
        yield* store.confirm(events)
        yield* store.confirm(events)
        assert.strictEqual((yield* allEvents(other)).length, 1)
      })
    )

    test(
      "ids stay in commit order under concurrency",
      Effect.gen(function*() {
        const store = yield* SecretChatStore
        const ids = Arr.makeBy(20, freshChat)
        const committed = yield* Effect.forEach(ids, (chatId) => store.commit(write(chatId, 0, event(1), event(2))), {
          concurrency: "unbounded"
        })
        const all = committed.flatMap((c) => c.events)
        assert.strictEqual(new Set(all).size, 40)
        for (const { events } of committed) assert.isTrue(events[0]! < events[1]!)
        const { events: [next] } = yield* store.commit(write(ids[0]!, 1, event(3)))
        assert.isTrue(all.every((id) => id < next!))
      })
    )
  })
}
