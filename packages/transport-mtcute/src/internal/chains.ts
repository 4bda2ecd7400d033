/**
 * Calls that have to be executed in the order of their start, one at a time: what comes
 * behind a call that is tried again waits for it.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

export interface Chains {
  readonly behind: <A, E>(name: string, call: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

export const make = (): Chains => {
  const chains = new Map<string, { readonly turn: Semaphore.Semaphore; calls: number }>()
  return {
    behind: (name, call) =>
      Effect.suspend(() => {
        const chain = chains.get(name) ?? { turn: Semaphore.makeUnsafe(1), calls: 0 }
        chains.set(name, chain)
        chain.calls++
        return Effect.ensuring(
          chain.turn.withPermit(call),
          Effect.sync(() => {
            if (--chain.calls === 0) chains.delete(name)
          })
        )
      })
  }
}
