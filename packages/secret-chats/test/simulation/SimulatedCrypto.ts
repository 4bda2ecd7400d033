/**
 * Real cryptography that replays: random bytes from a seed, and exponents of 40 bits instead of 2048.
 *
 * Key agreement is all that costs time, so the exponent is cut (always the same way, so that both sides still agree on
 * `g ^ (a b)`), and the power is computed at once, without a worker. Group, checks of values, fingerprints, frames and
 * hashes are the real ones.
 */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import * as Effect from "effect/Effect"

const real = await Effect.runPromise(Effect.provide(Crypto, NodeCrypto.layer))

const toBigInt = (bytes: Uint8Array): bigint =>
  bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString("hex")}`)

const power = (base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Uint8Array => {
  const m = toBigInt(modulus)
  let e = toBigInt(exponent.subarray(-5)) | (1n << 39n)
  let square = toBigInt(base) % m
  let result = 1n
  for (; e > 0n; e >>= 1n) {
    if ((e & 1n) === 1n) result = (result * square) % m
    square = (square * square) % m
  }
  return new Uint8Array(Buffer.from(result.toString(16).padStart(2 * modulus.length, "0"), "hex"))
}

/** Shared by all. */
export const crypto: Crypto["Service"] = real

export const make = (seed: string): Crypto["Service"] =>
  Crypto.of({
    ...TestCrypto.make(real, { seed }),
    modPow: (base, exponent, modulus) => Effect.sync(() => power(base, exponent, modulus))
  })
