/**
 * The laws of `SecretChatStore` as tests: `suite("mine", layer)` in a test file says whether a backend keeps them.
 *
 * Every test uses chats of its own, so one store can serve the whole suite, and a store that is not empty can be tested.
 * Needs `@effect/vitest`.
 *
 * @since 1.0.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import {
  type Change,
  type EventRow,
  type MessageRow,
  SecretChatStore,
  type TimerRow,
  type Write
} from "../SecretChatStore.ts"

let nextChat = 1 + Math.floor(Math.random() * 1_000_000_000)

/** A chat id that no other test has; every second one is negative. */
const freshChat = (): number => {
  nextChat++
  return nextChat % 2 === 0 ? nextChat : -nextChat
}

const bytes = (...values: ReadonlyArray<number>): Uint8Array => Uint8Array.from(values)

const chat = (overrides: Partial<NonNullable<Write["chat"]>> = {}): NonNullable<Write["chat"]> => ({
  phase: "ready",
  wakeAt: undefined,
  head: bytes(1, 2, 3),
  ...overrides
})

const write = (chatId: number, expected: number, ...changes: ReadonlyArray<Change>): Write => ({
  chatId,
  expected,
  chat: chat(),
  changes
})

const outgoing = (index: number, randomId = BigInt(index + 1)): Change => ({
  _tag: "PutOutbox",
  index,
  randomId,
  record: bytes(10, index),
  packet: bytes(20, index)
})

const history = (position: number, overrides: Partial<MessageRow> = {}): Change => ({
  _tag: "PutMessage",
  message: {
    position,
    randomId: BigInt(position),
    outgoing: true,
    index: position,
    state: "queued",
    date: 1000 + position,
    failure: undefined,
    data: bytes(position),
    ...overrides
  }
})

const event = (value: number): Change => ({ _tag: "AppendEvent", data: bytes(value) })

const put = (index: number, value: number): Change => ({ _tag: "PutPending", index, data: bytes(value) })

const timer = (randomId: bigint, overrides: Partial<TimerRow> = {}): Change => ({
  _tag: "PutTimer",
  timer: { outgoing: false, randomId, ttl: 10, startsOn: "view", date: 100, ...overrides }
})

const set = (state: MessageRow["state"], more: { date?: number; failure?: string } = {}): Change => ({
  _tag: "SetMessageState",
  randomId: 1n,
  state,
  ...more
})

const positionsOf = (rows: ReadonlyArray<MessageRow>): ReadonlyArray<number> => rows.map((m) => m.position)

/** Rows of SQL drivers may be views of another kind of array. */
const plain = (data: Uint8Array): ReadonlyArray<number> => [...data]

const allEvents = Effect.fnUntraced(function*(chatId: number) {
  const store = yield* SecretChatStore
  const found: Array<EventRow> = []
  let after = 0n
  while (true) {
    const page = yield* store.events({ after, limit: 50 })
    if (page.length === 0) return found
    after = page.at(-1)!.id
    found.push(...page.filter((row) => row.chatId === chatId))
  }
})

const unsent = Effect.fnUntraced(function*(chatId: number) {
  const store = yield* SecretChatStore
  return (yield* store.outboxUnsent({ chatId, limit: 1000 })).map((row) => row.index)
})

const positions = Effect.fnUntraced(function*(chatId: number) {
  const store = yield* SecretChatStore
  return (yield* store.messages({ chatId, order: "oldest-first" })).map((m) => m.position)
})

/**
 * Registers the tests of every law, under `SecretChatStore (name)`. The layer is built once a test.
 *
 * @category testing
 * @since 1.0.0
 */
export const suite = (name: string, layer: Layer.Layer<SecretChatStore, unknown>): void => {
  const test = (title: string, effect: Effect.Effect<void, unknown, SecretChatStore>) =>
    it.effect(title, () => Effect.provide(effect, layer))

  describe(`SecretChatStore (${name})`, () => {
    describe("chats", () => {
      test(
        "a chat that was never stored does not exist",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          assert.isTrue(Option.isNone(yield* store.load(freshChat())))
        })
      )

      test(
        "what was committed is loaded, versions count from 1",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          const first = yield* store.commit({
            chatId,
            expected: 0,
            chat: chat({ phase: "waiting", wakeAt: 0 }),
            changes: []
          })
          assert.strictEqual(first.version, 1)
          const second = yield* store.commit({
            chatId,
            expected: 1,
            chat: chat({ head: bytes(9, 0, 255) }),
            changes: []
          })
          assert.strictEqual(second.version, 2)
          const loaded = Option.getOrThrow(yield* store.load(chatId))
          assert.strictEqual(loaded.chatId, chatId)
          assert.strictEqual(loaded.version, 2)
          assert.strictEqual(loaded.phase, "ready")
          assert.isUndefined(loaded.wakeAt)
          assert.deepStrictEqual(plain(loaded.head), [9, 0, 255])
          assert.deepStrictEqual(loaded.records, [])
          assert.deepStrictEqual(loaded.pending, [])
        })
      )

      test(
        "the store keeps its own copies",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          const head = bytes(1, 2, 3)
          yield* store.commit({ chatId, expected: 0, chat: chat({ head }), changes: [] })
          head.fill(0)
          assert.deepStrictEqual(plain(Option.getOrThrow(yield* store.load(chatId)).head), [1, 2, 3])
        })
      )

      test(
        "the ends of the range of chat ids are chat ids",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          for (const chatId of [-(2 ** 31), 2 ** 31 - 1]) {
            const version = Option.match(yield* store.load(chatId), { onNone: () => 0, onSome: (c) => c.version })
            yield* store.commit(write(chatId, version))
            assert.strictEqual(Option.getOrThrow(yield* store.load(chatId)).version, version + 1)
          }
        })
      )

      test(
        "lists chats by id, in pages",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const ids = Arr.makeBy(5, freshChat)
          for (const chatId of ids) yield* store.commit(write(chatId, 0))
          const found: Array<number> = []
          let after: number | undefined = undefined
          while (true) {
            const page: ReadonlyArray<{ readonly chatId: number }> = yield* store.list({ after, limit: 2 })
            assert.isAtMost(page.length, 2)
            if (page.length === 0) break
            after = page.at(-1)!.chatId
            found.push(...page.map((row) => row.chatId))
          }
          assert.deepStrictEqual(found, found.toSorted((a, b) => a - b))
          assert.deepStrictEqual(ids.filter((id) => !found.includes(id)), [])
        })
      )

      test(
        "tells which chats need attention, the most urgent first",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const [later, now, never] = [freshChat(), freshChat(), freshChat()]
          yield* store.commit({ chatId: later, expected: 0, chat: chat({ wakeAt: 1_700_000_000_000 }), changes: [] })
          yield* store.commit({ chatId: now, expected: 0, chat: chat({ wakeAt: 0 }), changes: [] })
          yield* store.commit({ chatId: never, expected: 0, chat: chat(), changes: [] })
          const mine = (until: number) =>
            Effect.map(
              store.wakes(until),
              (rows) => rows.filter((wake) => [later, now, never].includes(wake.chatId))
            )
          assert.deepStrictEqual(yield* mine(Number.MAX_SAFE_INTEGER), [
            { chatId: now, wakeAt: 0 },
            { chatId: later, wakeAt: 1_700_000_000_000 }
          ])
          assert.strictEqual((yield* mine(1_700_000_000_000)).length, 2)
          assert.deepStrictEqual(yield* mine(1_699_999_999_999), [{ chatId: now, wakeAt: 0 }])
        })
      )

      test(
        "forgetting a chat takes everything but its unconfirmed events",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          const hash = bytes(chatId & 255, 77, (chatId >> 8) & 255, (chatId >> 16) & 255)
          yield* store.commit(write(
            chatId,
            0,
            outgoing(0),
            { _tag: "PutPending", index: 3, data: bytes(1) },
            event(1),
            history(1),
            { _tag: "Remember", hash }
          ))
          yield* store.commit({ chatId, expected: 1, chat: undefined, changes: [] })
          assert.isTrue(Option.isNone(yield* store.load(chatId)))
          assert.deepStrictEqual(yield* unsent(chatId), [])
          assert.deepStrictEqual(yield* positions(chatId), [])
          assert.isFalse(yield* store.seenElsewhere(freshChat(), [hash]))
          assert.strictEqual((yield* allEvents(chatId)).length, 1)
          assert.strictEqual((yield* store.commit(write(chatId, 0))).version, 1)
        })
      )
    })

    describe("versions", () => {
      test(
        "a write from another version is a conflict and changes nothing",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          yield* store.commit(write(chatId, 0, outgoing(0)))
          for (const expected of [0, 2, 7]) {
            const error = yield* Effect.flip(store.commit(write(
              chatId,
              expected,
              outgoing(1),
              { _tag: "ForgetOutbox", before: 1 },
              { _tag: "PutPending", index: 0, data: bytes(1) },
              event(1),
              history(1)
            )))
            assert.strictEqual(error._tag, "StoreError")
            assert.strictEqual(error.reason, "conflict")
          }
          const loaded = Option.getOrThrow(yield* store.load(chatId))
          assert.strictEqual(loaded.version, 1)
          assert.deepStrictEqual(loaded.records.map((row) => plain(row.record)), [[10, 0]])
          assert.deepStrictEqual(loaded.pending, [])
          assert.deepStrictEqual(yield* allEvents(chatId), [])
          assert.deepStrictEqual(yield* positions(chatId), [])
        })
      )

      test(
        "a write to a chat that is not stored is a conflict, unless it expects that",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          assert.strictEqual((yield* Effect.flip(store.commit(write(chatId, 3)))).reason, "conflict")
          const forgetting = store.commit({ chatId, expected: 3, chat: undefined, changes: [] })
          assert.strictEqual((yield* Effect.flip(forgetting)).reason, "conflict")
          assert.isTrue(Option.isNone(yield* store.load(chatId)))
        })
      )

      test(
        "of many writers from one version exactly one succeeds",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          yield* store.commit(write(chatId, 0))
          const [won, lost] = yield* Effect.partition(
            Arr.makeBy(20, (i) => i),
            (i) => store.commit(write(chatId, 1, outgoing(i))),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(won.length, 1)
          assert.strictEqual(lost.length, 19)
          assert.strictEqual(Option.getOrThrow(yield* store.load(chatId)).records.length, 1)
        })
      )

      test(
        "concurrent commits of many chats all succeed, a conflict among them hurts only itself",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const ids = Arr.makeBy(50, freshChat)
          const results = yield* Effect.forEach(
            ids,
            (chatId, i) =>
              Effect.result(store.commit(write(chatId, i === 25 ? 9 : 0, outgoing(i), event(i), history(i)))),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(results.flatMap((result, i) => result._tag === "Failure" ? [i] : []), [25])
          for (const [i, chatId] of ids.entries()) {
            assert.deepStrictEqual(yield* unsent(chatId), i === 25 ? [] : [i])
            const [row] = yield* allEvents(chatId)
            assert.deepStrictEqual(row === undefined ? undefined : plain(row.data), i === 25 ? undefined : [i])
          }
        })
      )

      test(
        "an interrupted commit happened whole or not at all, and the store goes on",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          const fiber = yield* Effect.forkChild(store.commit(write(chatId, 0, outgoing(0), history(1))), {
            startImmediately: true
          })
          yield* Fiber.interrupt(fiber)
          const version = Option.match(yield* store.load(chatId), { onNone: () => 0, onSome: (c) => c.version })
          assert.deepStrictEqual(yield* unsent(chatId), version === 0 ? [] : [0])
          assert.deepStrictEqual(yield* positions(chatId), version === 0 ? [] : [1])
          assert.strictEqual((yield* store.commit(write(chatId, version))).version, version + 1)
        })
      )
    })

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

    describe("history", () => {
      test(
        "pages through messages in both directions",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          yield* store.commit(write(chatId, 0, ...Arr.makeBy(5, (i) => history(10 * (i + 1)))))
          assert.deepStrictEqual(positionsOf(yield* store.messages({ chatId })), [50, 40, 30, 20, 10])
          assert.deepStrictEqual(positionsOf(yield* store.messages({ chatId, limit: 2 })), [50, 40])
          assert.deepStrictEqual(positionsOf(yield* store.messages({ chatId, before: 40, limit: 2 })), [30, 20])
          assert.deepStrictEqual(
            positionsOf(yield* store.messages({ chatId, after: 20, order: "oldest-first", limit: 2 })),
            [
              30,
              40
            ]
          )
          assert.deepStrictEqual(positionsOf(yield* store.messages({ chatId, after: 10, before: 40 })), [30, 20])
          assert.deepStrictEqual(positionsOf(yield* store.messages({ chatId, limit: 0 })), [])
        })
      )

      test(
        "finds a message by random id, ours first, with everything that was stored",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          const randomId = -1234567890123456789n
          yield* store.commit(write(
            chatId,
            0,
            history(1, { randomId, outgoing: false, state: "received", index: 7, date: 5, data: bytes(1) }),
            history(2, { randomId, index: 8, date: 6, data: bytes(2) })
          ))
          const found = Option.getOrThrow(yield* store.message(chatId, randomId))
          assert.deepStrictEqual({ ...found, data: plain(found.data) }, {
            chatId,
            position: 2,
            randomId,
            outgoing: true,
            index: 8,
            state: "queued",
            date: 6,
            failure: undefined,
            data: [2]
          })
          assert.isTrue(Option.isNone(yield* store.message(chatId, 1n)))
          assert.isTrue(Option.isNone(yield* store.message(freshChat(), randomId)))
        })
      )

      test(
        "the second message with the same random id and direction is ignored",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          const incoming = (position: number, value: number) =>
            history(position, { randomId: 5n, outgoing: false, state: "received", data: bytes(value) })
          yield* store.commit(write(chatId, 0, incoming(1, 1)))
          yield* store.commit(write(chatId, 1, incoming(2, 2), history(3, { randomId: 5n })))
          assert.deepStrictEqual(yield* positions(chatId), [1, 3])
          assert.deepStrictEqual(yield* store.known(chatId, [5n, 6n]), [5n])
          assert.deepStrictEqual(yield* store.known(chatId, []), [])
          assert.deepStrictEqual(yield* store.known(freshChat(), [5n]), [])
        })
      )

      test(
        "states only move forward; the date and the failure are kept",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          const message = Effect.map(store.message(chatId, 1n), Option.getOrThrow)
          yield* store.commit(write(chatId, 0, history(1)))
          yield* store.commit(write(chatId, 1, set("delivered"), set("sent", { date: 77 })))
          assert.deepInclude(yield* message, { state: "delivered", date: 77, failure: undefined })
          yield* store.commit(write(chatId, 2, set("failed", { failure: "400 DATA_INVALID" }), set("read")))
          assert.deepInclude(yield* message, { state: "failed", date: 77, failure: "400 DATA_INVALID" })
        })
      )

      test(
        "a state names our message, not the peer's with the same random id",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          yield* store.commit(write(
            chatId,
            0,
            history(1, { randomId: 1n, outgoing: false, state: "received" }),
            { _tag: "SetMessageState", randomId: 1n, state: "failed" }
          ))
          assert.strictEqual(Option.getOrThrow(yield* store.message(chatId, 1n)).state, "received")
        })
      )

      test(
        "keeps what names the file of a message, from the beginning or from when it is known",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          const file = Effect.fnUntraced(function*(randomId: bigint) {
            return Option.getOrThrow(yield* store.message(chatId, randomId)).file
          })
          yield* store.commit(write(
            chatId,
            0,
            history(1),
            history(2, { file: bytes(1, 2) }),
            history(3, { outgoing: false, state: "received", file: bytes(3) })
          ))
          assert.isUndefined(yield* file(1n))
          assert.deepStrictEqual(yield* file(2n), bytes(1, 2))
          assert.deepStrictEqual(yield* file(3n), bytes(3))
          yield* store.commit(write(
            chatId,
            1,
            { _tag: "SetMessageState", randomId: 1n, state: "sent", file: bytes(4) },
            { _tag: "SetMessageState", randomId: 2n, state: "sent", file: bytes(5) }
          ))
          yield* store.commit(write(chatId, 2, { _tag: "SetMessageState", randomId: 1n, state: "delivered" }))
          assert.deepStrictEqual(yield* file(1n), bytes(4))
          assert.deepStrictEqual(yield* file(2n), bytes(5))
          const rows = yield* store.messages({ chatId, order: "oldest-first" })
          assert.deepStrictEqual(rows.map((row) => row.file), [bytes(4), bytes(5), bytes(3)])
        })
      )

      test(
        "reading covers one direction up to a date, and nothing that is not sent",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          yield* store.commit(write(
            chatId,
            0,
            history(1, { state: "sent", date: 10 }),
            history(2, { state: "delivered", date: 20 }),
            history(3, { state: "sent", date: 30 }),
            history(4, { state: "queued", date: 10 }),
            history(5, { state: "failed", date: 10 }),
            history(6, { state: "received", date: 10, outgoing: false })
          ))
          yield* store.commit(write(chatId, 1, { _tag: "ReadMessages", outgoing: true, maxDate: 20 }))
          const states = Effect.map(
            store.messages({ chatId, order: "oldest-first" }),
            (rows) => rows.map((m) => m.state)
          )
          assert.deepStrictEqual(yield* states, ["read", "read", "sent", "queued", "failed", "received"])
          yield* store.commit(write(chatId, 2, { _tag: "ReadMessages", outgoing: false, maxDate: 10 }))
          assert.deepStrictEqual(yield* states, ["read", "read", "sent", "queued", "failed", "read"])
        })
      )

      test(
        "what one reading left over is read by a later one, and so is what came since",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          const read = (maxDate: number) => ({ _tag: "ReadMessages", outgoing: true, maxDate }) as const
          const states = Effect.map(
            store.messages({ chatId, order: "oldest-first" }),
            (rows) => rows.map((m) => m.state)
          )
          yield* store.commit(write(
            chatId,
            0,
            history(1, { state: "sent", date: 10 }),
            history(2, { state: "sent", date: 30 }),
            history(3, { state: "queued", date: 10 }),
            history(4, { state: "sent", date: 10 }),
            read(20)
          ))
          assert.deepStrictEqual(yield* states, ["read", "sent", "queued", "read"])
          yield* store.commit(write(
            chatId,
            1,
            { _tag: "SetMessageState", randomId: 3n, state: "sent", date: 35 },
            history(5, { state: "sent", date: 20 }),
            read(30)
          ))
          assert.deepStrictEqual(yield* states, ["read", "read", "sent", "read", "read"])
          yield* store.commit(write(chatId, 2, read(40)))
          yield* store.commit(write(chatId, 3, history(6, { state: "sent", date: 41 }), read(40)))
          assert.deepStrictEqual(yield* states, ["read", "read", "read", "read", "read", "sent"])
          yield* store.commit(write(chatId, 4, read(41), { _tag: "DeleteHistory" }, read(42)))
          yield* store.commit(write(chatId, 5, history(7, { state: "sent", date: 50 }), read(50)))
          assert.deepStrictEqual(yield* states, ["read"])
        })
      )

      test(
        "deletes by random id in both directions, and everything",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          const other = freshChat()
          yield* store.commit(write(other, 0, history(1)))
          yield* store.commit(write(
            chatId,
            0,
            ...Arr.makeBy(100, (i) => history(i + 1)),
            history(200, { randomId: 1n, outgoing: false, state: "received" })
          ))
          yield* store.commit(
            write(chatId, 1, { _tag: "DeleteMessages", randomIds: [...Arr.makeBy(97, (i) => BigInt(i + 1)), 12345n] })
          )
          assert.deepStrictEqual(yield* positions(chatId), [98, 99, 100])
          yield* store.commit(write(chatId, 2, { _tag: "DeleteHistory" }, history(300)))
          assert.deepStrictEqual(yield* positions(chatId), [300])
          assert.deepStrictEqual(yield* positions(other), [1])
        })
      )
    })

    describe("timers", () => {
      // Far in the past, so that timers of other tests do not mix in.
      const past = -2_000_000
      const due = Effect.fnUntraced(function*(chatId: number, now: number) {
        const store = yield* SecretChatStore
        const rows = yield* store.expired({ now: past + now, limit: 1000 })
        return rows.filter((row) => row.chatId === chatId).map((row) => row.randomId)
      })

      test(
        "viewing starts those of one direction that start on viewing, up to a date, once",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          yield* store.commit(write(
            chatId,
            0,
            timer(1n),
            timer(2n, { date: 101 }),
            timer(3n, { startsOn: "open" }),
            timer(4n, { outgoing: true }),
            timer(5n, { date: undefined }),
            timer(1n, { ttl: 1 })
          ))
          yield* store.commit(write(chatId, 1, { _tag: "StartViewed", outgoing: false, maxDate: 100, at: past }))
          yield* store.commit(write(chatId, 2, { _tag: "StartViewed", outgoing: false, maxDate: 101, at: past + 5 }))
          assert.deepStrictEqual(yield* due(chatId, 9), [])
          assert.deepStrictEqual(yield* due(chatId, 10), [1n])
          assert.deepStrictEqual(yield* due(chatId, 100), [1n, 2n])
        })
      )

      test(
        "opening starts those that are named, whatever starts them",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          yield* store.commit(write(
            chatId,
            0,
            timer(1n, { startsOn: "open" }),
            timer(2n),
            timer(3n, { startsOn: "open", outgoing: true }),
            { _tag: "StartOpened", outgoing: false, randomIds: [1n, 2n, 3n, 9n], at: past }
          ))
          assert.deepStrictEqual((yield* due(chatId, 10)).toSorted(), [1n, 2n])
        })
      )

      test(
        "a date reaches the timer of our message only, and lets viewing start it",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          yield* store.commit(write(
            chatId,
            0,
            timer(1n, { outgoing: true, date: undefined }),
            timer(2n, { date: undefined }),
            { _tag: "DateTimer", randomId: 1n, date: 50 },
            { _tag: "DateTimer", randomId: 2n, date: 50 },
            { _tag: "StartViewed", outgoing: true, maxDate: 50, at: past },
            { _tag: "StartViewed", outgoing: false, maxDate: 50, at: past }
          ))
          assert.deepStrictEqual(yield* due(chatId, 10), [1n])
        })
      )

      test(
        "timers are dropped by name, and all",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          yield* store.commit(write(
            chatId,
            0,
            timer(1n),
            timer(1n, { outgoing: true }),
            timer(2n),
            timer(3n),
            { _tag: "StartViewed", outgoing: false, maxDate: 100, at: past },
            { _tag: "StartViewed", outgoing: true, maxDate: 100, at: past },
            { _tag: "DropTimers", randomIds: [1n, 8n] }
          ))
          assert.deepStrictEqual((yield* due(chatId, 10)).toSorted(), [2n, 3n])
          yield* store.commit(write(chatId, 1, { _tag: "DropTimers", randomIds: undefined }))
          assert.deepStrictEqual(yield* due(chatId, 10), [])
        })
      )

      test(
        "are given back as they were stored, with their note",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          const [smallest, greatest] = [-(2n ** 63n), 2n ** 63n - 1n]
          yield* store.commit(write(
            chatId,
            0,
            timer(smallest, { note: bytes(0, 1, 255) }),
            timer(greatest, { ttl: 11, startsOn: "open", outgoing: true, date: 2 ** 31 - 1, note: bytes() }),
            timer(3n, { ttl: 12 }),
            { _tag: "StartViewed", outgoing: false, maxDate: 2 ** 33, at: past },
            { _tag: "StartOpened", outgoing: true, randomIds: [greatest], at: past }
          ))
          const rows = yield* store.expired({ now: past + 100, limit: 1000 })
          const mine = rows.filter((row) => row.chatId === chatId)
          const row = { chatId, outgoing: false, startsOn: "view", date: 100 }
          assert.deepStrictEqual(
            mine.map(({ note, ...rest }) => ({ ...rest, note: note === undefined ? undefined : plain(note) })),
            [
              { ...row, randomId: smallest, ttl: 10, expiresAt: past + 10, note: [0, 1, 255] },
              {
                ...row,
                randomId: greatest,
                outgoing: true,
                ttl: 11,
                startsOn: "open",
                date: 2 ** 31 - 1,
                expiresAt: past + 11,
                note: []
              },
              { ...row, randomId: 3n, ttl: 12, expiresAt: past + 12, note: undefined }
            ] as never
          )
        })
      )

      test(
        "run out after 2038",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          const at = 2 ** 31 - 5
          yield* store.commit(write(
            chatId,
            0,
            timer(1n, { startsOn: "open" }),
            timer(2n),
            { _tag: "StartOpened", outgoing: false, randomIds: [1n], at },
            { _tag: "StartViewed", outgoing: false, maxDate: 2 ** 31 - 1, at: at + 10 }
          ))
          const mine = Effect.map(
            store.expired({ now: 2 ** 32, limit: 1000 }),
            (rows) => rows.filter((row) => row.chatId === chatId).map((row) => [row.randomId, row.expiresAt])
          )
          assert.deepStrictEqual(yield* mine, [[1n, at + 10], [2n, at + 20]])
          yield* store.commit(write(chatId, 1, { _tag: "DropTimers", randomIds: undefined }))
        })
      )

      test(
        "tells when the next one runs out",
        Effect.gen(function*() {
          const store = yield* SecretChatStore
          const chatId = freshChat()
          yield* store.commit(write(
            chatId,
            0,
            timer(1n),
            { _tag: "StartViewed", outgoing: false, maxDate: 100, at: -3_000_000 }
          ))
          assert.strictEqual(Option.getOrThrow(yield* store.nextExpiry), -3_000_000 + 10)
          yield* store.commit(write(chatId, 1, { _tag: "DropTimers", randomIds: [1n] }))
          const next = yield* store.nextExpiry
          assert.isTrue(Option.isNone(next) || next.value > -3_000_000 + 10)
        })
      )
    })

    test(
      "remembers which chat a value was seen in first",
      Effect.gen(function*() {
        const store = yield* SecretChatStore
        const [first, second] = [freshChat(), freshChat()]
        const hash = (n: number) => Uint8Array.from([...new Uint8Array(new Int32Array([first]).buffer), n])
        yield* store.commit(write(first, 0, { _tag: "Remember", hash: hash(1) }))
        yield* store.commit(write(second, 0, { _tag: "Remember", hash: hash(1) }, { _tag: "Remember", hash: hash(2) }))
        assert.isFalse(yield* store.seenElsewhere(first, [hash(1)]))
        assert.isTrue(yield* store.seenElsewhere(second, [hash(1)]))
        assert.isTrue(yield* store.seenElsewhere(first, [hash(3), hash(2)]))
        assert.isFalse(yield* store.seenElsewhere(first, [hash(3)]))
        assert.isFalse(yield* store.seenElsewhere(first, []))
      })
    )
  })
}
