/**
 * The `Crypto` service on Node.
 *
 * Hashes, AES-CTR, PBKDF2, primality and random bytes are OpenSSL's, through
 * `node:crypto`. AES-IGE, which Node does not have, is built on OpenSSL's CBC for
 * long encryptions and done by this package's WebAssembly kernel otherwise, both
 * in constant time. Modular exponentiation is OpenSSL's constant-time one: a
 * handful of times on the calling thread, in slices of a millisecond between
 * which the event loop turns, and from then on on a worker thread, which ends with
 * the layer. Where Node forbids threads, it stays on the calling one. Primality
 * tests and PBKDF2 run on Node's thread pool. Long data is decrypted in slices as
 * well, or on the thread where {@link layerWith} is told so.
 *
 * **Gotchas**
 *
 * Where WebAssembly or its vector instructions are missing, plain code looks
 * tables up by secret index, and its running time can depend on the key through
 * the processor's cache.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  checkPrime,
  createCipheriv,
  createHash,
  createSecretKey,
  hash,
  pbkdf2,
  randomFillSync,
  timingSafeEqual
} from "node:crypto"
import { Crypto } from "./Crypto.ts"
import { CryptoError } from "./CryptoError.ts"
import * as Aes from "./internal/aes.ts"
import * as Bytes from "./internal/bytes.ts"
import * as Heavy from "./internal/heavy.ts"
import * as IgeSlices from "./internal/igeSlices.ts"
import * as Kernel from "./internal/kernel.ts"
import * as ModPow from "./internal/modPow.ts"
import * as NodeIge from "./internal/nodeIge.ts"
import * as NodeModPow from "./internal/nodeModPow.ts"
import * as NodeWorker from "./internal/nodeWorker.ts"
import * as Random from "./internal/random.ts"
import * as SafePrime from "./internal/safePrime.ts"

// up to here joining the parts and one call is faster than a hash object
const JOIN_LIMIT = 16 * 1024

const digest = (algorithm: "sha1" | "sha256" | "md5") => (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  let length = 0
  for (const part of parts) length += part.length
  if (parts.length > 1 && length > JOIN_LIMIT) {
    const state = createHash(algorithm)
    for (const part of parts) state.update(part)
    return NodeIge.owned(state.digest())
  }
  return NodeIge.owned(hash(algorithm, parts.length === 1 ? parts[0]! : Bytes.concat(parts), "buffer"))
}

const constantTimeEqual = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b)

const aesCtr = (key: Uint8Array, iv: Uint8Array): (data: Uint8Array) => Uint8Array => {
  Aes.checkCtr(key, iv)
  const cipher = createCipheriv("aes-256-ctr", createSecretKey(key), iv)
  return (data) => NodeIge.owned(cipher.update(data))
}

const isPrime = (candidate: Uint8Array): Promise<boolean> =>
  new Promise((resolve, reject) =>
    checkPrime(
      candidate as Uint8Array<ArrayBuffer>,
      (error, prime) => error === null || error === undefined ? resolve(prime) : reject(error)
    )
  )

const areBothPrime = async (p: Uint8Array, half: Uint8Array): Promise<boolean> =>
  (await Promise.all([isPrime(p), isPrime(half)])).every((prime) => prime)

const pbkdf2Sha512: Crypto["Service"]["pbkdf2Sha512"] = (password, salt, iterations, length) =>
  Effect.callback((resume) => {
    const problem = Heavy.pbkdf2Problem(iterations, length)
    if (problem !== undefined) return resume(Effect.fail(problem))
    pbkdf2(password, salt, iterations, length, "sha512", (error, derived) =>
      resume(
        error === null
          ? Effect.succeed(NodeIge.owned(derived))
          : Effect.fail(unavailable("Crypto.pbkdf2Sha512", "the derivation could not be run"))
      ))
  })

const unavailable = (operation: string, description: string): CryptoError =>
  new CryptoError({ operation, reason: "Unavailable", description })

// OpenSSL has moduli from 512 bits on; an exponent of 64 bits takes it no longer than a message to another thread
const SHORT_EXPONENT = 8

const failed = (): CryptoError => unavailable("Crypto.modPow", "the exponentiation could not be run")

const makeModPow = (worker: NodeWorker.NodeWorker): Crypto["Service"]["modPow"] => (base, exponent, modulus) =>
  Effect.suspend(() => {
    const problem = ModPow.problem(base, exponent, modulus)
    if (problem !== undefined) return Effect.fail(problem)
    if (Bytes.stripLeadingZeros(modulus).length * 8 <= NodeModPow.MIN_BITS) {
      return Effect.succeed(ModPow.modPow(base, exponent, modulus))
    }
    return Bytes.stripLeadingZeros(exponent).length <= SHORT_EXPONENT
      ? Effect.try({ try: () => NodeModPow.modPowSync(base, exponent, modulus), catch: failed })
      : Effect.tryPromise({ try: () => worker.modPow(base, exponent, modulus), catch: failed })
  })

/**
 * Options of the layer.
 *
 * @since 1.0.0
 * @category models
 */
export interface Options {
  /**
   * Decrypts long data on the worker thread, beside whatever the program does, instead of in slices between which the
   * event loop turns. A thread takes some 15 MB of memory. Default: false.
   */
  readonly decryptOnThread?: boolean | undefined
}

/**
 * The `Crypto` service on `node:crypto`, with options.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerWith = ({ decryptOnThread = false }: Options): Layer.Layer<Crypto> =>
  Layer.effect(
    Crypto,
    Effect.gen(function*() {
      const kernel = Kernel.make()
      const worker = yield* Effect.acquireRelease(
        Effect.sync(() => NodeWorker.make(decryptOnThread ? kernel : undefined)),
        ({ close }) => Effect.promise(close)
      )
      const primitives = {
        sha1: digest("sha1"),
        sha256: digest("sha256"),
        aesIgeEncrypt: NodeIge.make(kernel),
        aesIgeDecrypt: kernel?.igeDecrypt ?? Aes.igeDecrypt
      }
      return Crypto.of({
        ...primitives,
        ...Heavy.messages(primitives, kernel, NodeIge.messageEngine),
        md5: digest("md5"),
        aesCtr,
        aesIgeDecryptLarge: Heavy.makeDecryptLarge(
          primitives.aesIgeDecrypt,
          decryptOnThread
            ? worker.decrypt
            : (data, key, iv) => IgeSlices.decrypt(primitives.aesIgeDecrypt, data, key, iv)
        ),
        randomBytes: Random.makePooled(randomFillSync),
        constantTimeEqual,
        modPow: makeModPow(worker),
        isSafePrime: SafePrime.make(areBothPrime),
        pbkdf2Sha512,
        factorize: Heavy.makeFactorize(kernel)
      })
    })
  )

/**
 * The `Crypto` service on `node:crypto`.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer: Layer.Layer<Crypto> = layerWith({})
