/**
 * What the laws of the store are tested with: chats of their own, writes, and questions.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import {
  type Change,
  type EventRow,
  type MessageRow,
  SecretChatStore,
  type TimerRow,
  type Write
} from "../SecretChatStore.ts"

let nextChat = 1 + Math.floor(Math.random() * 1_000_000_000)

/** A chat id that no other test has; every second one is negative. @internal */
export const freshChat = (): number => {
  nextChat++
  return nextChat % 2 === 0 ? nextChat : -nextChat
}

/** @internal */
export const bytes = (...values: ReadonlyArray<number>): Uint8Array => Uint8Array.from(values)

/** @internal */
export const chat = (overrides: Partial<NonNullable<Write["chat"]>> = {}): NonNullable<Write["chat"]> => ({
  phase: "ready",
  wakeAt: undefined,
  head: bytes(1, 2, 3),
  ...overrides
})

/** @internal */
export const write = (chatId: number, expected: number, ...changes: ReadonlyArray<Change>): Write => ({
  chatId,
  expected,
  chat: chat(),
  changes
})

/** @internal */
export const outgoing = (index: number, randomId = BigInt(index + 1)): Change => ({
  _tag: "PutOutbox",
  index,
  randomId,
  record: bytes(10, index),
  packet: bytes(20, index)
})

/** @internal */
export const history = (position: number, overrides: Partial<MessageRow> = {}): Change => ({
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

/** @internal */
export const event = (value: number): Change => ({ _tag: "AppendEvent", data: bytes(value) })

/** @internal */
export const put = (index: number, value: number): Change => ({ _tag: "PutPending", index, data: bytes(value) })

/** @internal */
export const timer = (randomId: bigint, overrides: Partial<TimerRow> = {}): Change => ({
  _tag: "PutTimer",
  timer: { outgoing: false, randomId, ttl: 10, startsOn: "view", date: 100, ...overrides }
})

/** @internal */
export const set = (state: MessageRow["state"], more: { date?: number; failure?: string } = {}): Change => ({
  _tag: "SetMessageState",
  randomId: 1n,
  state,
  ...more
})

/** @internal */
export const positionsOf = (rows: ReadonlyArray<MessageRow>): ReadonlyArray<number> => rows.map((m) => m.position)

/** Rows of SQL drivers may be views of another kind of array. @internal */
export const plain = (data: Uint8Array): ReadonlyArray<number> => [...data]

/** @internal */
export const allEvents = Effect.fnUntraced(function*(chatId: number) {
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

/** @internal */
export const unsent = Effect.fnUntraced(function*(chatId: number) {
  const store = yield* SecretChatStore
  return (yield* store.outboxUnsent({ chatId, limit: 1000 })).map((row) => row.index)
})

/** @internal */
export const positions = Effect.fnUntraced(function*(chatId: number) {
  const store = yield* SecretChatStore
  return (yield* store.messages({ chatId, order: "oldest-first" })).map((m) => m.position)
})

/** Registers a test of the suite. @internal */
export type Test = (title: string, effect: Effect.Effect<void, unknown, SecretChatStore>) => void
