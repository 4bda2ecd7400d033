/**
 * Message identifiers (core.telegram.org/mtproto/description): roughly
 * `unix time * 2^32`, divisible by 4 when a client makes them, and strictly
 * increasing within a session.
 */

/** The server's time at which a message was made, in milliseconds. */
export const timeOf = (msgId: bigint): number =>
  Number(msgId >> 32n) * 1000 + (Number(msgId & 0xffffffffn) * 1000) / 0x1_0000_0000

export interface MessageIds {
  /** `serverTime` in milliseconds. */
  next(serverTime: number): bigint
  /** Lets identifiers go down again; allowed in a new session only. */
  reset(): void
}

/**
 * The lowest 20 bits are noise (a quarter of a millisecond), because servers
 * refuse identifiers whose fraction of a second looks made up.
 */
export const make = (seed: number): MessageIds => {
  let noise = seed >>> 0
  let last = 0n
  const scratch = new DataView(new ArrayBuffer(8))
  return {
    next(serverTime) {
      const seconds = Math.floor(serverTime / 1000)
      const fraction = Math.floor((serverTime - seconds * 1000) * 4294967.296)
      noise = (Math.imul(noise, 1664525) + 1013904223) >>> 0
      const low = ((fraction & ~0xfffff) | ((noise >>> 12) & 0xffffc)) >>> 0
      scratch.setUint32(0, low, true)
      scratch.setUint32(4, seconds, true)
      const id = scratch.getBigUint64(0, true)
      last = id > last ? id : last + 4n
      return last
    },
    reset() {
      last = 0n
    }
  }
}
