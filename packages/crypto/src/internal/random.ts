/**
 * Random bytes from a pool: a call to the system per message costs more than the
 * rest of its encryption.
 */
import { invalidArgument } from "../CryptoError.ts"

const POOL = 8192
const DIRECT = 1024
// up to here a loop is faster than a view
const SMALL = 64
const MAX = 1 << 20

/**
 * Makes `randomBytes` from a function that fills an array. Bytes leave the pool
 * once, and are overwritten there when they do.
 */
export const makePooled = (fill: (array: Uint8Array<ArrayBuffer>) => unknown): (length: number) => Uint8Array => {
  const pool = new Uint8Array(POOL)
  let used = POOL
  return (length) => {
    checkLength(length)
    const out = new Uint8Array(length)
    if (length > DIRECT) {
      // the web's source gives at most 65536 bytes at once
      for (let i = 0; i < length; i += 65536) fill(out.subarray(i, Math.min(length, i + 65536)))
      return out
    }
    if (used + length > POOL) {
      fill(pool)
      used = 0
    }
    if (length > SMALL) {
      out.set(pool.subarray(used, used + length))
      pool.fill(0, used, used + length)
    } else {
      for (let i = 0; i < length; i++) {
        out[i] = pool[used + i]!
        pool[used + i] = 0
      }
    }
    used += length
    return out
  }
}

export const checkLength = (length: number): void => {
  if (!Number.isInteger(length) || length < 0 || length > MAX) {
    throw invalidArgument("Crypto.randomBytes", `the length must be 0 to ${MAX}`)
  }
}
