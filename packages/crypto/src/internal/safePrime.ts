/**
 * Safe-prime checks: what every engine shares. The engine brings a primality
 * test for two numbers; this decides what is worth testing, and remembers.
 */
import * as Effect from "effect/Effect"
import { CryptoError, invalidArgument } from "../CryptoError.ts"
import * as Bytes from "./bytes.ts"
import { WELL_KNOWN_PRIME_HEX } from "./prime.ts"

const MAX_LENGTH = 1024
const MAX_CACHED = 64

/**
 * Makes the check. `engine` gets a number of more than 32 bits that is 11 mod 12, and its half. Verdicts are
 * kept, the latest 64 of them; a number that is being tested is not tested twice
 * at once.
 */
export const make = (
  engine: (p: Uint8Array, half: Uint8Array) => Promise<boolean>
): (p: Uint8Array) => Effect.Effect<boolean, CryptoError> => {
  const verdicts = new Map<string, Promise<boolean>>()

  const test = (p: Uint8Array): Promise<boolean> => {
    const half = Bytes.fromBigInt((Bytes.toBigInt(p) - 1n) / 2n, p.length)
    return engine(p, Bytes.stripLeadingZeros(half))
  }

  return (input) =>
    Effect.suspend(() => {
      if (input.length > MAX_LENGTH) {
        return Effect.fail(invalidArgument("Crypto.isSafePrime", `the number has more than ${MAX_LENGTH} bytes`))
      }
      const p = Bytes.stripLeadingZeros(input)
      if (p.length <= 4) return Effect.succeed(isSmallSafePrime(Number(Bytes.toBigInt(p))))
      // p = 2q + 1 with both odd and not divisible by 3 leaves 11 mod 12 only
      if (!isElevenModTwelve(p)) return Effect.succeed(false)
      const hex = Bytes.toHex(p)
      if (hex === WELL_KNOWN_PRIME_HEX) return Effect.succeed(true)
      return Effect.tryPromise({
        try: () => {
          const known = verdicts.get(hex)
          if (known !== undefined) return known
          const verdict = test(p)
          verdicts.set(hex, verdict)
          if (verdicts.size > MAX_CACHED) verdicts.delete(verdicts.keys().next().value!)
          verdict.catch(() => verdicts.delete(hex))
          return verdict
        },
        catch: () =>
          new CryptoError({
            operation: "Crypto.isSafePrime",
            reason: "Unavailable",
            description: "the primality test could not be run"
          })
      })
    })
}

const isElevenModTwelve = (p: Uint8Array): boolean => {
  let rest = 0
  for (const byte of p) rest = (rest * 256 + byte) % 12
  return rest === 11
}

const isSmallPrime = (n: number): boolean => {
  if (n < 4) return n >= 2
  if (n % 2 === 0) return false
  for (let i = 3; i * i <= n; i += 2) if (n % i === 0) return false
  return true
}

const isSmallSafePrime = (p: number): boolean => p % 2 === 1 && isSmallPrime(p) && isSmallPrime((p - 1) / 2)
