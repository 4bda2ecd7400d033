/**
 * Modular exponentiation on BigInt, for engines without anything better and for
 * moduli too small to matter. Not constant time: JavaScript's big integers are
 * not.
 */
import type { CryptoError } from "../CryptoError.ts"
import { invalidArgument } from "../CryptoError.ts"
import * as Bytes from "./bytes.ts"

const MAX_LENGTH = 1024

/** The problem with the arguments of a modular exponentiation, if there is one. */
export const problem = (base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): CryptoError | undefined => {
  if (base.length > MAX_LENGTH || exponent.length > MAX_LENGTH || modulus.length > MAX_LENGTH) {
    return invalidArgument("Crypto.modPow", `a number has more than ${MAX_LENGTH} bytes`)
  }
  if (modulus.length === 0 || (modulus[modulus.length - 1]! & 1) === 0) {
    return invalidArgument("Crypto.modPow", "the modulus must be odd")
  }
  for (let i = 0; i < modulus.length - 1; i++) if (modulus[i] !== 0) return undefined
  return modulus[modulus.length - 1] === 1
    ? invalidArgument("Crypto.modPow", "the modulus must be greater than 1")
    : undefined
}

const WINDOW = 5

/**
 * `base ^ exponent mod modulus` with a fixed window: five squarings and one
 * multiplication per five bits, whatever the bits are.
 */
export const modPow = (base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Uint8Array => {
  const steps = start(base, exponent, modulus)
  while (!steps.step()) { /* until done */ }
  return steps.result()
}

/** The same in steps of a fraction of a millisecond, for callers that must yield in between. */
export const start = (
  base: Uint8Array,
  exponent: Uint8Array,
  modulus: Uint8Array
): { readonly step: () => boolean; readonly result: () => Uint8Array } => {
  const m = Bytes.toBigInt(modulus)
  const b = Bytes.toBigInt(base) % m
  const powers: Array<bigint> = [1n % m]
  for (let i = 1; i < 1 << WINDOW; i++) powers.push((powers[i - 1]! * b) % m)
  const bits = exponent.length * 8
  let position = Math.ceil(bits / WINDOW) * WINDOW
  let acc = 1n % m
  return {
    step: () => {
      if (position <= 0) return true
      position -= WINDOW
      for (let i = 0; i < WINDOW; i++) acc = (acc * acc) % m
      acc = (acc * powers[digit(exponent, position)]!) % m
      return position <= 0
    },
    result: () => Bytes.fromBigInt(acc, modulus.length)
  }
}

// bits position to position + WINDOW of a big-endian number, as a number
const digit = (number: Uint8Array, position: number): number => {
  let value = 0
  for (let i = WINDOW - 1; i >= 0; i--) {
    const bit = position + i
    const byte = number[number.length - 1 - (bit >> 3)] ?? 0
    value = (value << 1) | ((byte >> (bit & 7)) & 1)
  }
  return value
}
