/**
 * The last packets that were sent, and what travelled in them besides queries: the server may complain about any of them.
 */

export interface SentPackets<A> {
  add(id: bigint, content: A): void
  has(id: bigint): boolean
  /** Forgets the packet, and answers what was in it. */
  take(id: bigint): A | undefined
  clear(): void
}

/** Bounded: the oldest one is forgotten. A ring, since one is added with every packet and hardly ever one looked for. */
export const make = <A>(capacity: number): SentPackets<A> => {
  const ids: Array<bigint | undefined> = Array.from({ length: capacity }, () => undefined)
  const contents: Array<A | undefined> = Array.from({ length: capacity }, () => undefined)
  let next = 0
  return {
    add(id, content) {
      ids[next] = id
      contents[next] = content
      next = (next + 1) % capacity
    },
    has: (id) => ids.includes(id),
    take(id) {
      const at = ids.indexOf(id)
      if (at < 0) return undefined
      const content = contents[at]
      ids[at] = contents[at] = undefined
      return content
    },
    clear() {
      ids.fill(undefined)
      contents.fill(undefined)
    }
  }
}
