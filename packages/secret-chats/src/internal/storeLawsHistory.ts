/**
 * Laws of the store: the history.
 *
 * @since 1.0.0
 */
import { assert, describe } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { SecretChatStore } from "../SecretChatStore.ts"
import { bytes, freshChat, history, plain, positions, positionsOf, set, type Test, write } from "./storeLawsSupport.ts"

/** @internal */
export const messages = (test: Test): void => {
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
}
