import * as CryptoTest from "@effect-mtproto/crypto/CryptoTest"
import * as WebCrypto from "@effect-mtproto/crypto/WebCrypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Bytes from "../src/internal/bytes.ts"
import * as BigIntPrime from "../src/internal/safePrimeBigInt.ts"

CryptoTest.suite("WebCrypto", WebCrypto.layer)

describe("WebCrypto", () => {
  it.live("proves a safe prime of 512 bits, and refuses its neighbours", () =>
    Effect.gen(function*() {
      const random = (length: number) => globalThis.crypto.getRandomValues(new Uint8Array(length))
      const test = (p: bigint) =>
        Effect.promise(() => BigIntPrime.test(Bytes.fromBigInt(p, 64), Bytes.fromBigInt((p - 1n) / 2n, 64), random))
      // the greatest below 2^512
      const p = (1n << 512n) - 38117n
      assert.isTrue(yield* test(p))
      for (const other of [p - 12n, p - 24n, (1n << 512n) - 569n]) assert.isFalse(yield* test(other))
    }))

  it.live("needs a source of random bytes", () =>
    Effect.gen(function*() {
      const descriptor = Object.getOwnPropertyDescriptor(globalThis, "crypto")!
      const error = yield* Effect.acquireUseRelease(
        Effect.sync(() => Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true })),
        () => Effect.flip(Effect.scoped(Layer.build(Layer.fresh(WebCrypto.layer)))),
        () => Effect.sync(() => Object.defineProperty(globalThis, "crypto", descriptor))
      )
      assert.deepStrictEqual([error._tag, error.reason], ["CryptoError", "Unavailable"])
    }))
})
