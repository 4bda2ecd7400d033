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
export const makePooled = (fill: (array: Uint8Array<ArrayBuffer>) => unknown): RandomBytes => {
  const pool = new Uint8Array(POOL)
  let used = POOL
  // where the next `length` bytes are in the pool
  const take = (length: number): number => {
    if (used + length > POOL) {
      fill(pool)
      used = 0
    }
    used += length
    return used - length
  }
  const randomBytes: RandomBytes = (length) => {
    checkLength(length)
    const out = new Uint8Array(length)
    if (length > DIRECT) {
      // the web's source gives at most 65536 bytes at once
      for (let i = 0; i < length; i += 65536) fill(out.subarray(i, Math.min(length, i + 65536)))
      return out
    }
    const start = take(length)
    if (length > SMALL) {
      out.set(pool.subarray(start, start + length))
      pool.fill(0, start, start + length)
    } else {
      for (let i = 0; i < length; i++) {
        out[i] = pool[start + i]!
        pool[start + i] = 0
      }
    }
    return out
  }
  lenders.set(randomBytes, (length) => {
    if (length > DIRECT) return randomBytes(length)
    const start = take(length)
    return pool.subarray(start, start + length)
  })
  return randomBytes
}

type RandomBytes = (length: number) => Uint8Array

const lenders = new WeakMap<RandomBytes, RandomBytes>()

/**
 * Random bytes that are given back before the next are drawn, such as padding:
 * they are lent from the pool of their source, if it has one, because an array of
 * their own is dear.
 */
export const borrow = (randomBytes: RandomBytes, length: number): Uint8Array =>
  length > SMALL ? (lenders.get(randomBytes) ?? randomBytes)(length) : randomBytes(length)

export const giveBack = (bytes: Uint8Array): void => {
  if (bytes.length > SMALL) bytes.fill(0)
}

export const checkLength = (length: number): void => {
  if (!Number.isInteger(length) || length < 0 || length > MAX) {
    throw invalidArgument("Crypto.randomBytes", `the length must be 0 to ${MAX}`)
  }
}
