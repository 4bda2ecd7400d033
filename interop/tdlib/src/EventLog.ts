/**
 * Everything that somebody reported, kept, so that waiting for a report cannot lose a race against it.
 */
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { patient } from "./Patience.ts"

/** Nothing of the expected kind was reported in time. */
export class EventMissing extends Data.TaggedError("EventMissing")<{ readonly message: string }> {}

/** A position in a log: later reports are found with `since`. */
export type Mark = number

/** Where to look, and for how long. */
export interface WaitOptions {
  /** Only reports from this position on; everything when absent. */
  readonly since?: Mark | undefined
  /** On a quiet machine; 10 seconds when absent. */
  readonly within?: Duration.Input | undefined
}

/** The reports of one side. */
export interface EventLog<Event> {
  readonly push: (event: Event) => void
  readonly mark: () => Mark
  /** The first report, old or new, that `select` turns into something. */
  readonly waitFor: <A>(
    what: string,
    select: (event: Event) => A | undefined,
    options?: WaitOptions
  ) => Effect.Effect<A, EventMissing>
  /** All reports so far that `select` turns into something, in order. */
  readonly seen: <A>(select: (event: Event) => A | undefined, since?: Mark) => ReadonlyArray<A>
}

/** A log for `owner`; `describe` names a report in the text of a missing one. */
export const make = <Event>(owner: string, describe: (event: Event) => string): EventLog<Event> => {
  const events: Array<Event> = []
  const waiters = new Set<(event: Event) => void>()

  const missing = (what: string, since: Mark) =>
    Effect.suspend(() =>
      Effect.fail(
        new EventMissing({
          message: `${owner}: no ${what}; last reports: ${
            events.slice(Math.max(since, events.length - 12)).map(describe).join(", ")
          }`
        })
      )
    )

  const find = <A>(select: (event: Event) => A | undefined, since: Mark): Effect.Effect<A> =>
    Effect.callback<A>((resume) => {
      for (let at = since; at < events.length; at++) {
        const found = select(events[at]!)
        if (found !== undefined) return resume(Effect.succeed(found))
      }
      const waiter = (event: Event) => {
        const found = select(event)
        if (found === undefined) return
        waiters.delete(waiter)
        resume(Effect.succeed(found))
      }
      waiters.add(waiter)
      return Effect.sync(() => waiters.delete(waiter))
    })

  return {
    push: (event) => {
      events.push(event)
      for (const waiter of waiters) waiter(event)
    },
    mark: () => events.length,
    waitFor: (what, select, options) =>
      find(select, options?.since ?? 0).pipe(
        Effect.timeoutOrElse({
          duration: patient(options?.within ?? "10 seconds"),
          orElse: () => missing(what, options?.since ?? 0)
        })
      ),
    seen: (select, since = 0) =>
      events.slice(since).flatMap((event) => {
        const found = select(event)
        return found === undefined ? [] : [found]
      })
  }
}
