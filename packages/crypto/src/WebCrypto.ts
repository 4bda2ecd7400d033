/**
 * The `Crypto` service where there is no Node: browsers, workers, Deno.
 *
 * Hashes and AES are this package's own, because the web's are promises and know
 * neither IGE nor MD5. Modular exponentiation and primality work on BigInt, in
 * slices of about a millisecond between which the page stays alive. Random bytes
 * and PBKDF2 are the web's (`crypto.getRandomValues`, `crypto.subtle`, the latter
 * in secure contexts only).
 *
 * **Gotchas**
 *
 * JavaScript's big integers are not constant time, and the plain AES code, used
 * where WebAssembly is not, looks tables up by secret index.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Crypto } from "./Crypto.ts"
import { CryptoError } from "./CryptoError.ts"
import * as Aes from "./internal/aes.ts"
import * as Hashes from "./internal/hashes.ts"
import * as Heavy from "./internal/heavy.ts"
import * as IgeSlices from "./internal/igeSlices.ts"
import * as Kernel from "./internal/kernel.ts"
import * as ModPow from "./internal/modPow.ts"
import * as Random from "./internal/random.ts"
import * as SafePrime from "./internal/safePrime.ts"
import * as BigIntPrime from "./internal/safePrimeBigInt.ts"

const unavailable = (operation: string, description: string): CryptoError =>
  new CryptoError({ operation, reason: "Unavailable", description })

const modPow: Crypto["Service"]["modPow"] = (base, exponent, modulus) =>
  Effect.suspend(() => {
    const problem = ModPow.problem(base, exponent, modulus)
    return problem === undefined
      ? Effect.promise(() => BigIntPrime.modPow(base, exponent, modulus))
      : Effect.fail(problem)
  })

const pbkdf2Sha512: Crypto["Service"]["pbkdf2Sha512"] = (password, salt, iterations, length) =>
  Effect.suspend(() => {
    const problem = Heavy.pbkdf2Problem(iterations, length)
    if (problem !== undefined) return Effect.fail(problem)
    const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined
    if (subtle === undefined) {
      return Effect.fail(unavailable("Crypto.pbkdf2Sha512", "crypto.subtle exists in secure contexts only"))
    }
    return Effect.tryPromise({
      try: async () => {
        const key = await subtle.importKey("raw", password as BufferSource, "PBKDF2", false, ["deriveBits"])
        const parameters = { name: "PBKDF2", hash: "SHA-512", salt: salt as BufferSource, iterations }
        return new Uint8Array(await subtle.deriveBits(parameters, key, 8 * length))
      },
      catch: () => unavailable("Crypto.pbkdf2Sha512", "the derivation could not be run")
    })
  })

/**
 * The `Crypto` service on what every web platform has.
 *
 * Building it fails with a `CryptoError` if there is no source of random bytes.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer: Layer.Layer<Crypto, CryptoError> = Layer.effect(
  Crypto,
  Effect.suspend(() => {
    const source = globalThis.crypto as globalThis.Crypto | undefined
    if (typeof source?.getRandomValues !== "function") {
      return Effect.fail(unavailable("WebCrypto.layer", "there is no crypto.getRandomValues"))
    }
    const randomBytes = Random.makePooled((array) => source.getRandomValues(array))
    const kernel = Kernel.make()
    const primitives = {
      sha1: Hashes.sha1,
      sha256: kernel?.sha256 ?? Hashes.sha256,
      aesIgeEncrypt: kernel?.igeEncrypt ?? Aes.igeEncrypt,
      aesIgeDecrypt: kernel?.igeDecrypt ?? Aes.igeDecrypt
    }
    return Effect.succeed(Crypto.of({
      ...primitives,
      ...Heavy.messages(primitives, kernel),
      md5: Hashes.md5,
      aesCtr: Aes.ctr,
      aesIgeDecryptLarge: Heavy.makeDecryptLarge(
        primitives.aesIgeDecrypt,
        (data, key, iv) => IgeSlices.decrypt(primitives.aesIgeDecrypt, data, key, iv)
      ),
      randomBytes,
      constantTimeEqual: Hashes.constantTimeEqual,
      modPow,
      isSafePrime: SafePrime.make((p, half) => BigIntPrime.test(p, half, randomBytes)),
      pbkdf2Sha512,
      factorize: Heavy.makeFactorize(kernel)
    }))
  })
)
