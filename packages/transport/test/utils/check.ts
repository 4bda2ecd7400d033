import type { Crypto as CryptoService } from "@effect-mtproto/crypto/Crypto"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Options, Peer } from "./sessionPeer.ts"

/** A test of pure code that needs a `Crypto`, with random bytes that follow from its name. */
export const withCrypto = (name: string, run: (crypto: CryptoService["Service"]) => void): void =>
  it.effect(name, () =>
    Effect.gen(function*() {
      run(yield* Crypto)
    }).pipe(Effect.provide(TestCrypto.layer({ seed: name }))))

/** A test of a session against a peer. */
export const withPeer = (name: string, run: (make: (options?: Options) => Peer) => void): void =>
  withCrypto(name, (crypto) => run((options) => new Peer(crypto, options)))
