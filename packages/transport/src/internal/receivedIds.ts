/**
 * Remembers which of the server's messages have arrived, so that each is acted
 * on once. Bounded: of the older ones only the greatest forgotten identifier is
 * kept, below which nothing can be judged any more.
 */

export type Verdict = "new" | "duplicate" | "unknown"

export interface ReceivedIds {
  /** Judges an identifier, and remembers a new one. */
  add(msgId: bigint): Verdict
  /** How the server's question about one of its messages is answered (`msgs_state_info`, one byte). */
  state(msgId: bigint): number
  clear(): void
}

export const make = (capacity: number): ReceivedIds => {
  let ids = new Set<bigint>()
  let floor = 0n
  let highest = 0n

  // amortised: half of the memory is dropped at once
  const shrink = (): void => {
    const sorted = [...ids].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    const cut = sorted.length - capacity
    floor = sorted[cut - 1]!
    ids = new Set(sorted.slice(cut))
  }

  return {
    add(msgId) {
      if (msgId <= floor) return "unknown"
      const known = ids.size
      ids.add(msgId)
      if (ids.size === known) return "duplicate"
      if (msgId > highest) highest = msgId
      if (ids.size >= 2 * capacity) shrink()
      return "new"
    },
    state(msgId) {
      if (ids.has(msgId)) return 4 | 8
      if (msgId <= floor) return 1
      return msgId > highest ? 3 : 2
    },
    clear() {
      ids = new Set()
      floor = 0n
      highest = 0n
    }
  }
}
