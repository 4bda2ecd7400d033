/**
 * A `Crypto` service with predictable random bytes, for tests: the same seed
 * gives the same padding, nonces, exponents and keys. Everything else is real.
 *
 * **Gotchas**
 *
 * Never for anything but tests: whoever knows the seed knows every key.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Crypto } from "./Crypto.ts"
import * as Random from "./internal/random.ts"
import * as NodeCrypto from "./NodeCrypto.ts"

/**
 * Options of the layers.
 *
 * @since 1.0.0
 * @category models
 */
export interface Options {
  /** Anything; equal seeds give equal bytes. Give each side of a conversation its own. */
  readonly seed: string | number
}

/**
 * Replaces the random bytes of another `Crypto` service.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make = (crypto: Crypto["Service"], options: Options): Crypto["Service"] => {
  const key = crypto.sha256(new TextEncoder().encode(String(options.seed)))
  const stream = crypto.aesCtr(key, new Uint8Array(16))
  return Crypto.of({
    ...crypto,
    randomBytes: (length) => {
      Random.checkLength(length)
      return stream(new Uint8Array(length))
    }
  })
}

/**
 * Replaces the random bytes of the `Crypto` service that is provided to it.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerFrom = (options: Options): Layer.Layer<Crypto, never, Crypto> =>
  Layer.effect(Crypto, Effect.map(Crypto, (crypto) => make(crypto, options)))

/**
 * `NodeCrypto.layer` with predictable random bytes.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Crypto> => Layer.provide(layerFrom(options), NodeCrypto.layer)
