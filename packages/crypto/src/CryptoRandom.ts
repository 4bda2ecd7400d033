/**
 * Effect's own sources of random numbers, fed by the `Crypto` service: `Random`, whose default is `Math.random` and no
 * secret, and `SecureRandom`.
 *
 * Both draw from the pool of the service, so a number costs a few nanoseconds and not a call to the system. With
 * `TestCrypto` a program that uses them repeats itself.
 *
 * ```ts
 * import * as CryptoRandom from "@effect-mtproto/crypto/CryptoRandom"
 * import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
 * import { Effect, Layer, Random } from "effect"
 *
 * const dice = Random.nextIntBetween(1, 6).pipe(
 *   Effect.provide(Layer.provide(CryptoRandom.layer, NodeCrypto.layer))
 * )
 * ```
 *
 * @since 1.0.0
 */
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { Crypto } from "./Crypto.ts"

const BITS_27 = 2 ** 27
const BITS_26 = 2 ** 26

/**
 * Effect's generator over random bytes: integers from `-(2^53 - 1)` to `2^53 - 1` and doubles from 0 to below 1 in steps
 * of 2^-53, all of them equally likely.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make = (crypto: Pick<Crypto["Service"], "randomBytes">): Random.Random => {
  // numbers of at most 27 bits, from four bytes
  const draw = (): number => {
    const b = crypto.randomBytes(4)
    return ((b[0]! & 7) << 24) | (b[1]! << 16) | (b[2]! << 8) | b[3]!
  }
  return {
    nextIntUnsafe: () => {
      for (;;) {
        const value = (draw() - BITS_26) * BITS_27 + draw()
        // there is one number more below zero than above
        if (Number.isSafeInteger(value)) return value
      }
    },
    nextDoubleUnsafe: () => ((draw() % BITS_26) * BITS_27 + draw()) / 2 ** 53
  }
}

/**
 * Replaces Effect's `Random`.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer: Layer.Layer<never, never, Crypto> = Layer.effect(Random.Random, Effect.map(Crypto, make))

/**
 * Effect's `SecureRandom`.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerSecure: Layer.Layer<SecureRandom.SecureRandom, never, Crypto> = Layer.effect(
  SecureRandom.SecureRandom,
  Effect.map(Crypto, (crypto) => SecureRandom.make(crypto.randomBytes))
)
