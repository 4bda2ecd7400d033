/** How much may be asked for in how much time. */

/** A bucket of tokens for each name: `rate` a second are put in, and never more than `burst` are there. */
export interface Rates {
  /** Takes one; if there is none, says after how many milliseconds there will be. */
  readonly take: (name: string, now: number) => number
}

const MAX_NAMES = 10_000

export const make = (options: { readonly rate: number; readonly burst: number }): Rates => {
  const { burst, rate } = options
  if (rate <= 0) return { take: () => 0 }
  const buckets = new Map<string, { tokens: number; at: number }>()
  /** Those that are full again say nothing that a new one would not say. */
  const sweep = (now: number) => {
    for (const [name, bucket] of buckets) {
      if (bucket.tokens + (now - bucket.at) / 1_000 * rate >= burst) buckets.delete(name)
    }
    // strangers with many names get no more than others
    for (const name of buckets.keys()) {
      if (buckets.size < MAX_NAMES) break
      buckets.delete(name)
    }
  }
  return {
    take: (name, now) => {
      let bucket = buckets.get(name)
      if (bucket === undefined) {
        if (buckets.size >= MAX_NAMES) sweep(now)
        buckets.set(name, bucket = { tokens: burst, at: now })
      }
      bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, now - bucket.at) / 1_000 * rate)
      bucket.at = now
      if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / rate * 1_000)
      bucket.tokens--
      return 0
    }
  }
}
