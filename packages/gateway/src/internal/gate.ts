/**
 * First come, first served: turns of one name follow each other in the order in which they were taken.
 *
 * A turn is taken synchronously, when a request has been read. What it waits for then, a session that opens, a database,
 * does not change the order any more: a turn begins when the one before it is over.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

export interface Turn {
  /** Waits until all turns taken before are over. */
  readonly begin: Effect.Effect<void>
  /** Ends the turn; once is enough. */
  readonly end: () => void
}

export interface Gates {
  readonly enter: (name: string) => Turn
}

export const make = (): Gates => {
  const last = new Map<string, Deferred.Deferred<void>>()
  return {
    enter: (name) => {
      const before = last.get(name)
      const mine = Deferred.makeUnsafe<void>()
      last.set(name, mine)
      let over = false
      const end = () => {
        if (over) return
        over = true
        // whoever gives up before its turn lets those behind it wait for those before it
        if (before === undefined || Deferred.isDoneUnsafe(before)) finish()
        else Effect.runFork(Effect.andThen(Deferred.await(before), Effect.sync(finish)))
      }
      const finish = () => {
        if (last.get(name) === mine) last.delete(name)
        Deferred.doneUnsafe(mine, Effect.void)
      }
      return { begin: before === undefined ? Effect.void : Deferred.await(before), end }
    }
  }
}

/** For what need not be in order. */
export const none: Turn = { begin: Effect.void, end: () => {} }
