/**
 * The `Crypto` service: the primitives that MTProto and its secret chats are
 * built from.
 *
 * Two kinds of operation:
 *
 * - **Synchronous**, for what is cheap and hot: hashes, AES-256-IGE,
 *   AES-256-CTR, random bytes, comparison. They return fresh arrays that
 *   the caller owns, never modify or keep their arguments, and throw only
 *   `CryptoError`, and that only for a wrong length.
 * - **Effects**, for what takes milliseconds: modular exponentiation, safe-prime
 *   checks, PBKDF2, factorisation, decryption of long data. They do not block the event loop where the
 *   engine can avoid it.
 *
 * Numbers are unsigned big-endian byte arrays unless they are `bigint`.
 *
 * The pure modules (`MessageKey`, `Frame`, `Packet`, `RsaPad`, ...) take the
 * service's shape, `Crypto["Service"]`, as their first parameter.
 *
 * @since 1.0.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { CryptoError } from "./CryptoError.ts"

/**
 * The primitives of MTProto. Provide `NodeCrypto.layer` on Node,
 * `TestCrypto.layer` in tests.
 *
 * @since 1.0.0
 * @category services
 */
export class Crypto extends Context.Service<Crypto, {
  /**
   * SHA-1 of the parts, one after the other: 20 bytes.
   */
  readonly sha1: (...parts: ReadonlyArray<Uint8Array>) => Uint8Array

  /**
   * SHA-256 of the parts, one after the other: 32 bytes.
   */
  readonly sha256: (...parts: ReadonlyArray<Uint8Array>) => Uint8Array

  /**
   * MD5 of the parts, one after the other: 16 bytes. MTProto uses it for file
   * checksums and file key fingerprints only.
   */
  readonly md5: (...parts: ReadonlyArray<Uint8Array>) => Uint8Array

  /**
   * AES-256-IGE. `data` is whole blocks of 16 bytes, `key` 32 bytes, `iv` 32
   * bytes: the first half stands for the previous ciphertext block, the second
   * for the previous plaintext block.
   */
  readonly aesIgeEncrypt: (data: Uint8Array, key: Uint8Array, iv: Uint8Array) => Uint8Array

  /**
   * The inverse of `aesIgeEncrypt`.
   */
  readonly aesIgeDecrypt: (data: Uint8Array, key: Uint8Array, iv: Uint8Array) => Uint8Array

  /**
   * Encrypts a message of MTProto 2.0 in one step: `plaintext` is everything that
   * is encrypted, padding included, in whole blocks, as one array or as parts
   * that follow one another; `sharedKey` has 256 bytes; `x` is the direction (see
   * `MessageKey.Direction`).
   *
   * The result is the packet of 24 bytes and the ciphertext, except that its
   * first 8 bytes are those of the hash that made the message key, which the
   * caller replaces by the id of the key.
   */
  readonly messageEncrypt: (
    sharedKey: Uint8Array,
    plaintext: Uint8Array | ReadonlyArray<Uint8Array>,
    x: 0 | 8
  ) => Uint8Array

  /**
   * Decrypts a packet of MTProto 2.0 in one step, and hashes the plaintext again:
   * the caller compares bytes 8 to 24 of `large` with those of the packet in
   * constant time before it looks at the plaintext.
   */
  readonly messageDecrypt: (
    sharedKey: Uint8Array,
    packet: Uint8Array,
    x: 0 | 8
  ) => { readonly plaintext: Uint8Array; readonly large: Uint8Array }

  /**
   * An AES-256-CTR stream: 32 bytes of key, 16 bytes of initial counter (128
   * bits, big-endian, wrapping). The returned function encrypts, or decrypts,
   * the next bytes of the stream; any split gives the same bytes.
   */
  readonly aesCtr: (key: Uint8Array, iv: Uint8Array) => (data: Uint8Array) => Uint8Array

  /**
   * `length` cryptographically secure random bytes.
   */
  readonly randomBytes: (length: number) => Uint8Array

  /**
   * Equality in time that depends on the lengths only. Different lengths are
   * unequal.
   */
  readonly constantTimeEqual: (a: Uint8Array, b: Uint8Array) => boolean

  /**
   * `aesIgeDecrypt` for data of any length, such as a part of a file, without
   * blocking the event loop: on another thread or in slices.
   */
  readonly aesIgeDecryptLarge: (
    data: Uint8Array,
    key: Uint8Array,
    iv: Uint8Array
  ) => Effect.Effect<Uint8Array, CryptoError>

  /**
   * `base ^ exponent mod modulus`, left-padded with zeros to the length of
   * `modulus`. Numbers are limited to 1024 bytes; the modulus is odd and
   * greater than 1.
   */
  readonly modPow: (
    base: Uint8Array,
    exponent: Uint8Array,
    modulus: Uint8Array
  ) => Effect.Effect<Uint8Array, CryptoError>

  /**
   * Whether `p` and `(p - 1) / 2` are prime. Telegram's well-known prime is
   * recognised without work; other verdicts are remembered.
   */
  readonly isSafePrime: (p: Uint8Array) => Effect.Effect<boolean, CryptoError>

  /**
   * PBKDF2 with HMAC-SHA-512.
   */
  readonly pbkdf2Sha512: (
    password: Uint8Array,
    salt: Uint8Array,
    iterations: number,
    length: number
  ) => Effect.Effect<Uint8Array, CryptoError>

  /**
   * Two factors of `pq` with `1 < p < q`, for a product of two primes below
   * 2^64. Anything else is a `CryptoError`, after bounded work.
   */
  readonly factorize: (pq: bigint) => Effect.Effect<{ readonly p: bigint; readonly q: bigint }, CryptoError>
}>()("@effect-mtproto/crypto/Crypto") {}
