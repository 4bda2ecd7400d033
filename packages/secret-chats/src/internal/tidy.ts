/**
 * Memory before a large transfer.
 *
 * While a program is loaded, the engine lets its space for young objects grow to some fifty megabytes, and gives that back
 * only when the program rests. A transfer goes on for minutes without resting, and has no use for it: what it makes is
 * small or given back at once. So a large one begins with a collection, which takes a small program some 50 ms. Programs
 * with much in memory are left alone: there it would take long, and change little.
 */
import * as Effect from "effect/Effect"

const MIB = 1024 * 1024

/** Files below this size are over before it matters. */
const LARGE = 64 * MIB
/** More than this in use takes too long to go through. */
const MOST_USED = 64 * MIB
/** Less than this is not worth it. */
const LEAST_FREE = 16 * MIB
/** Not again for this long, in milliseconds. */
const PAUSE = 60_000

interface Usage {
  readonly heapTotal: number
  readonly heapUsed: number
}

declare const process: { readonly memoryUsage?: () => Usage } | undefined

let last = -Infinity

/** To be run before a transfer of a file of this size; `undefined` if it is not known. */
export const before = (size: number | undefined): Effect.Effect<void> =>
  Effect.sync(() => {
    if (size !== undefined && size < LARGE) return
    const usage = typeof process === "undefined" ? undefined : process.memoryUsage?.()
    const now = performance.now()
    if (usage === undefined || now - last < PAUSE || !isWorthIt(usage)) return
    last = now
    collect()
  })

/** Whether a collection is short and gives something back. */
export const isWorthIt = ({ heapTotal, heapUsed }: Usage): boolean =>
  heapUsed <= MOST_USED && heapTotal - heapUsed >= LEAST_FREE

/** More than there are addresses: before an engine refuses, it collects whatever it can. */
const IMPOSSIBLE = 2 ** 52

const collect = (): void => {
  try {
    void new ArrayBuffer(IMPOSSIBLE)
  } catch {
    // as it should be
  }
}
