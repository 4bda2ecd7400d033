/**
 * What happens by itself when its time comes: a chat asks for missing messages again, a refused message is tried again, a
 * message destroys itself.
 *
 * @since 1.0.0
 */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { StoreError } from "../SecretChatError.ts"
import type { TimerRow } from "../SecretChatStore.ts"
import { engine as theEngine, perform } from "./acts.ts"
import { type Engine, nearWake, type Services, submit } from "./engine.ts"

/** Clocks can be set: however far away the next alarm is, the loop looks again after this. */
const longest = Duration.toMillis(Duration.hours(1))

/** How far ahead chats that want to be woken are read from the store; the rest of them costs nothing until then. */
const ahead = 2 * longest

/** Before a chat that does not settle its alarm is woken again. */
const patience = 60_000

/** A chat that cannot be woken now is woken when it is used. */
const touch = (engine: Engine, chatId: number): Effect.Effect<void, never, Services> =>
  Effect.ignore(submit(engine, perform, chatId, (work) => work.step({ _tag: "Tick" })), { log: "Warn" })

const expire = Effect.fnUntraced(function*(
  engine: Engine,
  rows: ReadonlyArray<TimerRow>
): Effect.fn.Return<void, StoreError, Services> {
  for (const group of Object.values(Arr.groupBy(rows, (row) => `${row.chatId} ${row.outgoing}`))) {
    const { chatId, outgoing } = group[0]
    const randomIds = group.map((row) => row.randomId)
    yield* Effect.ignore(
      submit(
        engine,
        perform,
        chatId,
        (work) => work.step({ _tag: "Expired", direction: outgoing ? "outgoing" : "incoming", randomIds })
      )
    )
  }
})

/**
 * Wakes every chat whose time has come, as long as the scope is open.
 *
 * @internal
 */
export const run: Effect.Effect<void, never, Services | Scope.Scope> = Effect.gen(function*() {
  const engine = yield* theEngine
  let changed = Deferred.makeUnsafe<void>()
  const ring = () => {
    Deferred.doneUnsafe(changed, Effect.void)
  }
  engine.alarms.add(ring)
  yield* Effect.addFinalizer(() => Effect.sync(() => engine.alarms.delete(ring)))
  while (true) {
    changed = Deferred.makeUnsafe<void>()
    const now = yield* Clock.currentTimeMillis
    const next = yield* round(engine, now).pipe(
      Effect.catchCause((cause) => Effect.as(Effect.logWarning("Alarms of secret chats are late", cause), now + 5_000))
    )
    const after = yield* Clock.currentTimeMillis
    yield* Effect.raceFirst(
      Effect.sleep(Duration.millis(Math.min(Math.max(next - after, 0), longest))),
      Deferred.await(changed)
    )
  }
})

/** Reads who wants to be woken before the loop looks again at the latest. */
const lookAhead = Effect.fnUntraced(function*(engine: Engine, now: number): Effect.fn.Return<void, StoreError> {
  if (now + longest < engine.horizon) return
  const before = engine.horizon
  // What is committed from here on is judged by the new one.
  engine.horizon = now + ahead
  const rows = yield* Effect.tapError(engine.store.wakes(engine.horizon), () =>
    Effect.sync(() => {
      engine.horizon = before
    }))
  for (const { chatId, wakeAt } of rows) {
    // 0: whoever does what is outstanding has it in memory.
    if (wakeAt > 0 && !engine.wakes.has(chatId)) engine.wakes.set(chatId, wakeAt)
  }
  for (const { chatId, loaded } of engine.actors.values()) {
    const wakeAt = loaded === undefined ? undefined : nearWake(engine, loaded.state)
    if (wakeAt !== undefined) engine.wakes.set(chatId, wakeAt)
  }
})

/** Everything that is due; answers with when the next thing is. */
const round = Effect.fnUntraced(function*(
  engine: Engine,
  now: number
): Effect.fn.Return<number, StoreError, Services> {
  yield* lookAhead(engine, now)
  for (const [chatId, at] of Array.from(engine.wakes)) {
    if (at > now) continue
    // The tick says itself when the next one is due.
    engine.wakes.delete(chatId)
    yield* touch(engine, chatId)
    if ((engine.wakes.get(chatId) ?? Infinity) <= now) engine.wakes.set(chatId, now + patience)
  }
  while (true) {
    const rows = yield* engine.store.expired({ now: Math.floor(now / 1000), limit: 1000 })
    yield* expire(engine, rows)
    if (rows.length < 1000) break
  }
  let next = Option.getOrElse(yield* engine.store.nextExpiry, () => Infinity) * 1000
  for (const wakeAt of engine.wakes.values()) next = Math.min(next, wakeAt)
  return next
})
