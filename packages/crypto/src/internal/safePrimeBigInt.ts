/**
 * Primality of `p` and `(p - 1) / 2` on BigInt, in slices of about a millisecond.
 *
 * `q = (p - 1) / 2` gets the strong test to 64 random bases: a composite passes
 * with probability below 2^-128. Given that `q` is prime, `p` needs no
 * probabilities: by Pocklington's theorem `p = 2q + 1` is prime if
 * `a^(p-1) = 1 mod p` and `gcd(a^2 - 1, p) = 1` for any `a`, because `q` exceeds
 * the square root of `p`. With `a = 2` that is `2^(p-1) = 1` and 3 not dividing
 * `p`.
 */
import * as Bytes from "./bytes.ts"
import { macrotask } from "./macrotask.ts"
import * as ModPow from "./modPow.ts"

const ROUNDS = 64
const SLICE = 0.7

/** Modular exponentiation that gives way every millisecond. */
export const modPow = async (base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Promise<Uint8Array> => {
  let since = performance.now()
  const steps = ModPow.start(base, exponent, modulus)
  while (!steps.step()) {
    if (performance.now() - since >= SLICE) {
      await macrotask()
      since = performance.now()
    }
  }
  return steps.result()
}

/** Whether `p`, odd and not divisible by 3, and its half are prime. */
export const test = async (
  p: Uint8Array,
  half: Uint8Array,
  randomBytes: (length: number) => Uint8Array
): Promise<boolean> => {
  const one = Uint8Array.of(1)
  const minusOne = p.slice()
  minusOne[minusOne.length - 1]! -= 1
  const isOne = (x: Uint8Array): boolean => Bytes.compare(x, Bytes.toLength(one, x.length)!) === 0
  // the cheap refusals first: one round each
  if (!(await strongRound(half, Uint8Array.of(2)))) return false
  if (!isOne(await modPow(Uint8Array.of(2), minusOne, p))) return false
  for (let i = 0; i < ROUNDS; i++) {
    // 64 random bits more than needed make the base uniform enough; 0, 1 and -1 would pass without telling anything
    if (!(await strongRound(half, randomBytes(half.length + 8)))) return false
  }
  return true
}

const strongRound = async (n: Uint8Array, base: Uint8Array): Promise<boolean> => {
  const value = Bytes.toBigInt(n)
  const reduced = Bytes.toBigInt(base) % value
  if (reduced <= 1n || reduced === value - 1n) return true
  let odd = value - 1n
  let twos = 0
  while ((odd & 1n) === 0n) {
    odd >>= 1n
    twos++
  }
  const power = await modPow(Bytes.fromBigInt(reduced, n.length), Bytes.fromBigInt(odd, n.length), n)
  let x = Bytes.toBigInt(power)
  if (x === 1n || x === value - 1n) return true
  for (let i = 1; i < twos; i++) {
    x = (x * x) % value
    if (x === value - 1n) return true
  }
  return false
}
