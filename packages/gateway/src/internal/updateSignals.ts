/** Who waits for updates of a session, and how they are told. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

/** Updates that another process has stored are looked for so often, in milliseconds. */
const LOOK = 5_000

export interface Signals {
  readonly ring: (session: string) => void
  /** Waits for the next ring after the call of this function. */
  readonly listen: (session: string) => Effect.Effect<void>
}

export const make = (): Signals => {
  const waiting = new Map<string, { readonly bell: Deferred.Deferred<void>; listeners: number }>()
  return {
    ring: (session) => {
      const found = waiting.get(session)
      if (found === undefined) return
      waiting.delete(session)
      Deferred.doneUnsafe(found.bell, Effect.void)
    },
    listen: (session) => {
      let entry = waiting.get(session)
      if (entry === undefined) waiting.set(session, entry = { bell: Deferred.makeUnsafe<void>(), listeners: 0 })
      const own = entry
      own.listeners++
      const leave = Effect.sync(() => {
        own.listeners--
        if (own.listeners <= 0 && waiting.get(session) === own) waiting.delete(session)
      })
      return Effect.ensuring(Effect.raceFirst(Deferred.await(own.bell), Effect.sleep(LOOK)), leave)
    }
  }
}
