/**
 * Runs a state machine at the times it asks for, with one sleeping fiber.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"

const LONGEST = 24 * 60 * 60_000

export interface Alarm {
  /** To be called when the machine may want to be woken earlier than before. */
  readonly rearm: () => void
}

/**
 * `fire` is called when the time `wakeAt` has come. If something else has to
 * act before the machine moves on, `rearm` must follow that.
 */
export const make = (options: {
  readonly now: () => number
  readonly wakeAt: () => number
  readonly fire: () => void
}): Effect.Effect<Alarm, never, Scope.Scope> =>
  Effect.gen(function*() {
    const latch = Latch.makeUnsafe(false)
    let armed = -Infinity
    yield* Effect.forkScoped(Effect.gen(function*() {
      while (true) {
        latch.closeUnsafe()
        const at = options.wakeAt()
        const now = options.now()
        if (at <= now) {
          options.fire()
          armed = Infinity
          // the machine did not move on by itself, so whoever moves it calls `rearm`
          if (options.wakeAt() <= now) yield* latch.await
        } else {
          armed = at
          // timers of the platform cannot be longer than 24 days
          const sleep = at === Infinity ? Effect.never : Effect.sleep(Math.min(Math.ceil(at - now), LONGEST))
          yield* Effect.raceFirst(sleep, latch.await)
        }
      }
    }))
    return {
      rearm: () => {
        if (options.wakeAt() < armed) latch.openUnsafe()
      }
    }
  })
