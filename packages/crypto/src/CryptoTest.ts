/**
 * The conformance suite of the `Crypto` service, for vitest: every layer that
 * passes it can be swapped for any other.
 *
 * ```ts
 * import * as CryptoTest from "@effect-mtproto/crypto/CryptoTest"
 * import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
 *
 * CryptoTest.suite("NodeCrypto", NodeCrypto.layer)
 * ```
 *
 * This module imports `@effect/vitest`, and is therefore no part of the
 * package's main entry.
 *
 * @since 1.0.0
 */
import { layer as withLayer } from "@effect/vitest"
import type * as Layer from "effect/Layer"
import type { Crypto } from "./Crypto.ts"
import { cases } from "./internal/conformance.ts"

/**
 * Declares the tests.
 *
 * @since 1.0.0
 * @category testing
 */
export const suite = <E>(name: string, layer: Layer.Layer<Crypto, E>): void => {
  withLayer(layer, { excludeTestServices: true })(`Crypto: ${name}`, (it) => {
    for (const test of cases) it.effect(test.name, () => test.run, 60_000)
  })
}
