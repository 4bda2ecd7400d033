/**
 * Encrypts in a process of its own, as `openssl speed` does, whenever it is told to: among other contenders, each
 * collection of results looks through what those hold in memory, and we would pay for it.
 */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Effect from "effect/Effect"
import { cpu } from "../lib/Bench.ts"

export interface Turn {
  readonly size: number
  readonly milliseconds: number
}

/** MB/s: what was encrypted in that much time of the CPU, collecting the results that nobody needs included. */
const measure = (crypto: Crypto["Service"], { milliseconds, size }: Turn): number => {
  const plain = Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 255)
  const key = plain.slice(0, 32)
  const iv = plain.slice(32, 64)
  const start = cpu()
  let bytes = 0
  let spent = 0
  for (; spent < milliseconds; spent = cpu() - start) {
    for (let i = 0; i < 64; i++) crypto.aesIgeEncrypt(plain, key, iv)
    bytes += 64 * size
  }
  return bytes / 1e3 / spent
}

const crypto = await Effect.runPromise(Effect.scoped(Effect.provide(Crypto, NodeCrypto.layer)))
process.on("message", (turn: Turn) => process.send!(measure(crypto, turn)))
