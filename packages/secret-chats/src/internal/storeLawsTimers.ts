/**
 * Laws of the store: self-destruct timers, and values seen before.
 *
 * @since 1.0.0
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { SecretChatStore } from "../SecretChatStore.ts"
import { bytes, freshChat, plain, type Test, timer, write } from "./storeLawsSupport.ts"

/** @internal */
export const timers = (test: Test): void => {
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
}
