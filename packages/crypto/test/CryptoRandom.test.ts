import * as CryptoRandom from "@effect-mtproto/crypto/CryptoRandom"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Random } from "effect"
import * as SecureRandom from "effect/crypto/SecureRandom"

const seeded = (seed: string) =>
  Layer.provide(Layer.merge(CryptoRandom.layer, CryptoRandom.layerSecure), TestCrypto.layer({ seed }))

const draw = Effect.gen(function*() {
  const secure = yield* SecureRandom.SecureRandom
  return [yield* Random.next, yield* Random.nextInt, yield* Random.nextIntBetween(1, 6), yield* secure.randomBytes(3)]
})

describe("CryptoRandom", () => {
  it.effect("repeats itself with the seed of TestCrypto", () =>
    Effect.gen(function*() {
      const [a, b, c] = yield* Effect.all(
        ["a", "a", "b"].map((seed) => Effect.provide(draw, seeded(seed), { local: true }))
      )
      assert.deepStrictEqual(a, b)
      assert.notDeepEqual(a, c)
    }))

  it("uses every bit and keeps to its ranges", () => {
    const of = (...words: ReadonlyArray<number>) => {
      const queue = [...words]
      return CryptoRandom.make({
        randomBytes: () => {
          const bytes = new Uint8Array(4)
          new DataView(bytes.buffer).setUint32(0, queue.shift()!)
          return bytes
        }
      })
    }
    const ones = 0xffff_ffff
    assert.strictEqual(of(0, 0).nextDoubleUnsafe(), 0)
    assert.strictEqual(of(0, 1).nextDoubleUnsafe(), 2 ** -53)
    assert.strictEqual(of(ones, ones).nextDoubleUnsafe(), 1 - 2 ** -53)
    assert.strictEqual(of(0, 1).nextIntUnsafe(), Number.MIN_SAFE_INTEGER)
    assert.strictEqual(of(ones, ones).nextIntUnsafe(), Number.MAX_SAFE_INTEGER)
    assert.strictEqual(of(2 ** 26, 0).nextIntUnsafe(), 0)
    // -2^53 is not safe, so others are drawn
    assert.strictEqual(of(0, 0, 2 ** 26, 5).nextIntUnsafe(), 5)
  })
})
