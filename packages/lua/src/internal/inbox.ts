/** Everything that a script is told: what happens in secret chats, and all other updates. */
import type { StoreError, TransportError } from "@effect-mtproto/secret-chats/SecretChatError"
import type { SecretChatEvent, SecretChats } from "@effect-mtproto/secret-chats/SecretChats"
import type { OtherUpdates } from "@effect-mtproto/transport/OtherUpdates"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as LuaUpdate from "../LuaUpdate.ts"
import * as LuaValue from "../LuaValue.ts"
import { Refusal } from "./failure.ts"
import * as People from "./people.ts"

export interface Delivery {
  readonly update: LuaValue.LuaTable
  /** What it was in `SecretChats`, if it is of a secret chat. */
  readonly happening: SecretChatEvent | undefined
  readonly confirm: Effect.Effect<void>
}

type Failure = StoreError | TransportError

export interface Inbox {
  /** For a function that is called; while it runs, nobody can ask for updates. */
  readonly updates: Stream.Stream<Delivery, Failure>
  /** For a script that asks: what has come, after what is below `offset` was confirmed. */
  readonly get: (asked: {
    readonly offset: number
    readonly limit: number
    /** Milliseconds. */
    readonly timeout: number
  }) => Effect.Effect<LuaValue.LuaValue, Failure | Refusal>
}

/** Updates that wait for a script that asks. */
const MAX_WAITING = 1_000

const taken = new Refusal(409, "UPDATES_TAKEN", "Updates come to the function for updates, so they cannot be asked for")

export const make = Effect.fnUntraced(function*(
  chats: SecretChats["Service"],
  others: Option.Option<OtherUpdates["Service"]>,
  people: People.People
): Effect.fn.Return<Inbox, never, Scope.Scope> {
  const scope = yield* Effect.scope

  const secret = chats.events.pipe(
    Stream.mapEffect((happening): Effect.Effect<Delivery | undefined> => {
      const update = LuaUpdate.fromEvent(happening)
      return update === undefined
        ? Effect.as(happening.confirm, undefined)
        : Effect.succeed({ update, happening, confirm: happening.confirm })
    }),
    Stream.filter((delivery) => delivery !== undefined)
  )
  const all: Stream.Stream<Delivery, Failure> = Option.match(others, {
    onNone: () => secret,
    onSome: ({ updates }) =>
      Stream.merge(
        secret,
        Stream.map(updates, (one): Delivery => {
          People.remember(people, one)
          return { update: LuaUpdate.fromUpdate(one.update), happening: undefined, confirm: one.confirm }
        }).pipe(
          // the other stream ends with the transport too, and says so
          Stream.catch(() => Stream.never)
        )
      )
  })

  // ----- asking

  let isTaken = false
  let next = 1
  const waiting: Array<{ readonly id: number; readonly delivery: Delivery }> = []
  const room = yield* Latch.make(true)
  let bell = Deferred.makeUnsafe<void>()
  let pump: Fiber.Fiber<void, Failure> | undefined
  let failed: Failure | undefined

  const ring = () => {
    Deferred.doneUnsafe(bell, Effect.void)
    bell = Deferred.makeUnsafe<void>()
  }
  const start = Effect.gen(function*() {
    if (pump !== undefined) return
    failed = undefined
    pump = yield* Stream.runForEach(all, (delivery) =>
      Effect.andThen(
        room.await,
        Effect.sync(() => {
          waiting.push({ id: next++, delivery })
          if (waiting.length >= MAX_WAITING) room.closeUnsafe()
          ring()
        })
      )).pipe(
        Effect.tapError((error) =>
          Effect.sync(() => {
            failed = error
            pump = undefined
            ring()
          })
        ),
        Effect.forkIn(scope)
      )
  })
  const stop = Effect.suspend(() => {
    const running = pump
    pump = undefined
    // what was not confirmed comes again
    waiting.length = 0
    room.openUnsafe()
    return running === undefined ? Effect.void : Fiber.interrupt(running)
  })

  return {
    updates: Stream.unwrap(Effect.as(
      Effect.acquireRelease(
        Effect.andThen(
          Effect.sync(() => {
            isTaken = true
          }),
          stop
        ),
        () =>
          Effect.sync(() => {
            isTaken = false
          })
      ),
      all
    )),
    get: Effect.fnUntraced(function*({ limit, offset, timeout }) {
      if (isTaken) return yield* Effect.fail(taken)
      yield* start
      while (offset > 0 && waiting.length > 0 && waiting[0]!.id < offset) {
        const { delivery } = waiting.shift()!
        yield* delivery.confirm
      }
      if (waiting.length < MAX_WAITING) room.openUnsafe()
      const wait = Effect.gen(function*() {
        while (waiting.length === 0) {
          if (failed !== undefined) return yield* Effect.fail(failed)
          yield* Deferred.await(bell)
        }
      })
      yield* timeout > 0
        ? Effect.timeoutOption(wait, timeout)
        // what is there already has a chance to come
        : Effect.timeoutOption(wait, 100)
      const from = offset < 0 ? Math.max(0, waiting.length + offset) : 0
      return LuaValue.sequence(
        waiting.slice(from, from + limit).map(({ delivery, id }) =>
          LuaValue.table({ update_id: BigInt(id), update: delivery.update })
        )
      )
    })
  }
})
