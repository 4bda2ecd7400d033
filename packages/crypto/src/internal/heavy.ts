/**
 * What the layers share of the operations that take milliseconds.
 */
import * as Effect from "effect/Effect"
import type { Crypto } from "../Crypto.ts"
import { checkFailed, CryptoError, invalidArgument } from "../CryptoError.ts"
import * as Factorization from "../Factorization.ts"
import * as Aes from "./aes.ts"
import * as IgeSlices from "./igeSlices.ts"
import * as Kernel from "./kernel.ts"
import * as Message from "./message.ts"

const MAX_DERIVED = 1024
const MAX_ITERATIONS = 10_000_000

export const pbkdf2Problem = (iterations: number, length: number): CryptoError | undefined =>
  Number.isInteger(iterations) && iterations >= 1 && iterations <= MAX_ITERATIONS &&
    Number.isInteger(length) && length >= 1 && length <= MAX_DERIVED
    ? undefined
    : invalidArgument("Crypto.pbkdf2Sha512", "iterations or length out of range")

/** Messages in the kernel as far as they fit, and from the primitives otherwise. */
export const messages = (
  primitives: Parameters<typeof Message.make>[0],
  kernel: Kernel.Kernel | undefined,
  engine?: Kernel.MessageEngine | undefined
): ReturnType<typeof Message.make> => {
  if (kernel === undefined) return Message.make(primitives)
  const generic = Message.make(
    primitives,
    engine === undefined
      ? undefined
      : (parts, key, iv, target) => kernel.igeEncryptByCbc(parts, key, iv, engine.cbc, target)
  )
  return {
    messageEncrypt: (sharedKey, plaintext, x) =>
      Message.lengthOf(plaintext) <= Kernel.MAX_MESSAGE
        ? kernel.messageEncrypt(sharedKey, plaintext, x, engine)
        : generic.messageEncrypt(sharedKey, plaintext, x),
    messageDecrypt: (sharedKey, packet, x) =>
      packet.length <= Kernel.MAX_MESSAGE
        ? kernel.messageDecrypt(sharedKey, packet, x, engine)
        : generic.messageDecrypt(sharedKey, packet, x)
  }
}

/**
 * Decryption of long data: at once as far as that takes no time, and by `run`
 * otherwise.
 */
export const makeDecryptLarge = (
  decrypt: Crypto["Service"]["aesIgeDecrypt"],
  run: (data: Uint8Array, key: Uint8Array, iv: Uint8Array) => Promise<Uint8Array>
): Crypto["Service"]["aesIgeDecryptLarge"] =>
(data, key, iv) =>
  Effect.suspend(() => {
    const problem = Aes.igeProblem("Crypto.aesIgeDecryptLarge", data, key, iv)
    if (problem !== undefined) return Effect.fail(problem)
    if (data.length <= IgeSlices.SLICE) return Effect.succeed(decrypt(data, key, iv))
    return Effect.tryPromise({
      try: () => run(data, key, iv),
      catch: () =>
        new CryptoError({
          operation: "Crypto.aesIgeDecryptLarge",
          reason: "Unavailable",
          description: "the decryption could not be run"
        })
    })
  })

export const makeFactorize = (kernel: Kernel.Kernel | undefined): Crypto["Service"]["factorize"] => (pq) =>
  Effect.suspend(() => {
    const factors = Factorization.factorize(pq, kernel?.factor)
    return factors === undefined
      ? Effect.fail(checkFailed("Crypto.factorize", "the number is not a product of two different primes below 2^64"))
      : Effect.succeed(factors)
  })
