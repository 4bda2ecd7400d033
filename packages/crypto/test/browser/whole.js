// The same from the main entry, for the bundler's warnings.
import { Crypto, WebCrypto } from "@effect-mtproto/crypto"
import * as Effect from "effect/Effect"

globalThis.digest = Effect.runPromise(
  Effect.provide(Effect.map(Crypto.Crypto, (crypto) => crypto.sha256(new Uint8Array(3))), WebCrypto.layer)
)
