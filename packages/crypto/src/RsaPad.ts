/**
 * The RSA encryption of the key exchange, both ways, in its present form
 * RSA_PAD and in the older SHA-1 form that servers still take
 * (core.telegram.org/mtproto/auth_key, step 4).
 *
 * RSA_PAD is defined for 2048-bit keys: results always have 256 bytes.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Crypto } from "./Crypto.ts"
import { checkFailed, type CryptoError, invalidArgument } from "./CryptoError.ts"
import * as Bytes from "./internal/bytes.ts"
import type { RsaPrivateKey, RsaPublicKey } from "./RsaPublicKey.ts"

const LENGTH = 256
const DATA = 192
const MAX_DATA = 144
const LEGACY = 255
const LEGACY_HASH = 20
const ZERO_IV = new Uint8Array(32)

/**
 * Encrypted data that was refused. It deliberately does not say why.
 *
 * @since 1.0.0
 * @category errors
 */
export class RsaPadError extends Schema.TaggedError<RsaPadError>()("RsaPadError", {}) {
  override get message(): string {
    return "The RSA-encrypted data was refused"
  }
}

/**
 * Encrypts at most 144 bytes with RSA_PAD: 256 bytes.
 *
 * `random` replaces the random bytes, to reproduce a known result: the padding
 * that fills 192 bytes, and the temporary keys in the order in which they are
 * tried.
 *
 * @since 1.0.0
 * @category RSA_PAD
 */
export const encrypt: (
  crypto: Crypto["Service"],
  key: RsaPublicKey,
  data: Uint8Array,
  random?: { readonly padding: Uint8Array; readonly temporaryKeys: ReadonlyArray<Uint8Array> } | undefined
) => Effect.Effect<Uint8Array, CryptoError> = Effect.fnUntraced(function*(crypto, key, data, random) {
  if (key.n.length !== LENGTH) return yield* invalidArgument("RsaPad.encrypt", "RSA_PAD needs a 2048-bit key")
  if (data.length > MAX_DATA) return yield* invalidArgument("RsaPad.encrypt", "RSA_PAD takes at most 144 bytes")
  const padding = random?.padding ?? crypto.randomBytes(DATA - data.length)
  if (padding.length !== DATA - data.length) {
    return yield* invalidArgument("RsaPad.encrypt", "data and padding must have 192 bytes together")
  }
  const padded = Bytes.concat([data, padding])
  const reversed = padded.toReversed()
  // a number that is not below the modulus has at most even odds, so 128 attempts do not fail by chance
  for (let attempt = 0; attempt < 128; attempt++) {
    const temporaryKey = random === undefined ? crypto.randomBytes(32) : random.temporaryKeys[attempt]
    if (temporaryKey?.length !== 32) break
    const hash = crypto.sha256(temporaryKey, padded)
    const encrypted = crypto.aesIgeEncrypt(Bytes.concat([reversed, hash]), temporaryKey, ZERO_IV)
    const message = Bytes.concat([xor(temporaryKey, crypto.sha256(encrypted)), encrypted])
    if (Bytes.compare(message, key.n) < 0) return yield* crypto.modPow(message, key.e, key.n)
  }
  return yield* checkFailed("RsaPad.encrypt", "no temporary key gives a number below the modulus")
})

/**
 * Decrypts what {@link encrypt} made: 192 bytes, the data followed by its
 * random padding. Only the reader of the data knows where it ends.
 *
 * @since 1.0.0
 * @category RSA_PAD
 */
export const decrypt: (
  crypto: Crypto["Service"],
  key: RsaPrivateKey,
  encrypted: Uint8Array
) => Effect.Effect<Uint8Array, RsaPadError | CryptoError> = Effect.fnUntraced(function*(crypto, key, encrypted) {
  const message = yield* privateOperation(crypto, key, encrypted)
  const ciphertext = message.subarray(32)
  const temporaryKey = xor(message.subarray(0, 32), crypto.sha256(ciphertext))
  const plaintext = crypto.aesIgeDecrypt(ciphertext, temporaryKey, ZERO_IV)
  const padded = plaintext.subarray(0, DATA).toReversed()
  const expected = crypto.sha256(temporaryKey, padded)
  if (!crypto.constantTimeEqual(expected, plaintext.subarray(DATA))) return yield* new RsaPadError()
  return padded
})

/**
 * Encrypts at most 235 bytes in the older form, `SHA1(data) | data | random`.
 *
 * {@link decryptLegacy} finds the end only of data whose length is a multiple of 4 and not 0, as of every TL object.
 *
 * `padding` replaces the random bytes that fill 255.
 *
 * @since 1.0.0
 * @category legacy padding
 */
export const encryptLegacy: (
  crypto: Crypto["Service"],
  key: RsaPublicKey,
  data: Uint8Array,
  padding?: Uint8Array | undefined
) => Effect.Effect<Uint8Array, CryptoError> = Effect.fnUntraced(function*(crypto, key, data, padding) {
  const room = LEGACY - LEGACY_HASH - data.length
  if (key.n.length !== LENGTH) return yield* invalidArgument("RsaPad.encryptLegacy", "a 2048-bit key is needed")
  if (room < 0) return yield* invalidArgument("RsaPad.encryptLegacy", "at most 235 bytes fit")
  const random = padding ?? crypto.randomBytes(room)
  if (random.length !== room) {
    return yield* invalidArgument("RsaPad.encryptLegacy", "data and padding must have 235 bytes together")
  }
  return yield* crypto.modPow(Bytes.concat([crypto.sha1(data), data, random]), key.e, key.n)
})

/**
 * Decrypts what {@link encryptLegacy} made: the data alone. Its length, a
 * multiple of 4 as of every TL object, is found by its hash.
 *
 * @since 1.0.0
 * @category legacy padding
 */
export const decryptLegacy: (
  crypto: Crypto["Service"],
  key: RsaPrivateKey,
  encrypted: Uint8Array
) => Effect.Effect<Uint8Array, RsaPadError | CryptoError> = Effect.fnUntraced(function*(crypto, key, encrypted) {
  const message = yield* privateOperation(crypto, key, encrypted)
  const hash = message.subarray(1, 1 + LEGACY_HASH)
  const rest = message.subarray(1 + LEGACY_HASH)
  let length = -1
  for (let end = 4; end <= rest.length; end += 4) {
    if (crypto.constantTimeEqual(crypto.sha1(rest.subarray(0, end)), hash)) length = end
  }
  if (message[0] !== 0 || length < 0) return yield* new RsaPadError()
  return rest.slice(0, length)
})

const privateOperation = (
  crypto: Crypto["Service"],
  key: RsaPrivateKey,
  encrypted: Uint8Array
): Effect.Effect<Uint8Array, RsaPadError | CryptoError> =>
  key.n.length === LENGTH && encrypted.length === LENGTH && Bytes.compare(encrypted, key.n) < 0
    ? crypto.modPow(encrypted, key.d, key.n)
    : Effect.fail(new RsaPadError())

const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ b[i]!)
