/**
 * Laws of the store: chats and their versions.
 *
 * @since 1.0.0
 */
import { assert, describe } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { SecretChatStore } from "../SecretChatStore.ts"
import {
  allEvents,
  bytes,
  chat,
  event,
  freshChat,
  history,
  outgoing,
  plain,
  positions,
  type Test,
  unsent,
  write
} from "./storeLawsSupport.ts"

/** @internal */
export const commits = (test: Test): void => {
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
}
