/**
 * What the layers share of the operations that take milliseconds.
 */
import * as Effect from "effect/Effect"
import type { Crypto } from "../Crypto.ts"
import { checkFailed, type CryptoError, invalidArgument } from "../CryptoError.ts"
import * as Factorization from "../Factorization.ts"

const MAX_DERIVED = 1024
const MAX_ITERATIONS = 10_000_000

export const pbkdf2Problem = (iterations: number, length: number): CryptoError | undefined =>
  Number.isInteger(iterations) && iterations >= 1 && iterations <= MAX_ITERATIONS &&
    Number.isInteger(length) && length >= 1 && length <= MAX_DERIVED
    ? undefined
    : invalidArgument("Crypto.pbkdf2Sha512", "iterations or length out of range")

export const factorize: Crypto["Service"]["factorize"] = (pq) =>
  Effect.suspend(() => {
    const factors = Factorization.factorize(pq)
    return factors === undefined
      ? Effect.fail(checkFailed("Crypto.factorize", "the number is not a product of two different primes below 2^64"))
      : Effect.succeed(factors)
  })
