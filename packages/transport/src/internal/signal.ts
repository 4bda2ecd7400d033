/**
 * A flag that one fiber waits for. It goes on at the end of the turn in which the flag was raised, so that everything
 * that raises it in that turn is seen at once: a caller that is resumed runs at once, and may call again.
 */
import * as Effect from "effect/Effect"

export interface Signal {
  readonly raise: () => void
  readonly lower: () => void
  readonly raised: Effect.Effect<void>
}

type Resume = (effect: Effect.Effect<void>) => void

// much cheaper than queueMicrotask, which makes a resource of the call
const resolved = Promise.resolve()

export const make = (): Signal => {
  let isRaised = false
  let waiter: Resume | undefined
  const wake = (resume: Resume): void => {
    void resolved.then(() => {
      if (waiter !== resume) return
      waiter = undefined
      resume(Effect.void)
    })
  }
  return {
    raise: () => {
      if (isRaised) return
      isRaised = true
      if (waiter !== undefined) wake(waiter)
    },
    lower: () => {
      isRaised = false
    },
    raised: Effect.callback((resume) => {
      waiter = resume
      if (isRaised) wake(resume)
      return Effect.sync(() => {
        if (waiter === resume) waiter = undefined
      })
    })
  }
}
