/**
 * The formulas of the authorization key exchange
 * (core.telegram.org/mtproto/auth_key), for both ends: temporary AES keys, the
 * envelope of the inner Diffie-Hellman data, nonce hashes, the first salt.
 *
 * Nonces are byte strings of fixed length (16 and 32), never numbers.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Crypto } from "./Crypto.ts"
import { invalidArgument } from "./CryptoError.ts"
import * as Bytes from "./internal/bytes.ts"
import type { AesKey } from "./MessageKey.ts"
import type { SharedKey } from "./SharedKey.ts"

const HASH = 20

/**
 * An encrypted answer that was refused. It deliberately does not say why.
 *
 * @since 1.0.0
 * @category errors
 */
export class AnswerError extends Schema.TaggedError<AnswerError>()("AnswerError", {}) {
  override get message(): string {
    return "The encrypted data of the key exchange was refused"
  }
}

/**
 * The AES key and IV that protect the inner data in both directions.
 *
 * @since 1.0.0
 * @category formulas
 */
export const temporaryAesKey = (
  crypto: Crypto["Service"],
  nonces: { readonly newNonce: Uint8Array; readonly serverNonce: Uint8Array }
): AesKey => {
  const { newNonce, serverNonce } = nonces
  const a = crypto.sha1(newNonce, serverNonce)
  const b = crypto.sha1(serverNonce, newNonce)
  const c = crypto.sha1(newNonce, newNonce)
  return {
    key: Bytes.concat([a, b.subarray(0, 12)]),
    iv: Bytes.concat([b.subarray(12, 20), c, newNonce.subarray(0, 4)])
  }
}

/**
 * Encrypts an inner object: `SHA1(data) | data | padding`.
 *
 * `padding` replaces the 0 to 15 random bytes that make whole blocks.
 *
 * @since 1.0.0
 * @category inner data
 */
export const sealInner = (
  crypto: Crypto["Service"],
  aes: AesKey,
  data: Uint8Array,
  padding?: Uint8Array | undefined
): Uint8Array => {
  const room = (16 - ((HASH + data.length) & 15)) & 15
  const random = padding ?? crypto.randomBytes(room)
  if (data.length % 4 !== 0) {
    throw invalidArgument("AuthKeyExchange.sealInner", "the object must be a multiple of 4 bytes")
  }
  if (random.length !== room) throw invalidArgument("AuthKeyExchange.sealInner", "the padding must make whole blocks")
  return crypto.aesIgeEncrypt(Bytes.concat([crypto.sha1(data), data, random]), aes.key, aes.iv)
}

/**
 * Decrypts an inner object, checks its hash and returns it without padding. Its
 * length, a multiple of 4 as of every TL object, is found by the hash, so that
 * nothing is parsed before it has been checked.
 *
 * @since 1.0.0
 * @category inner data
 */
export const openInner = (
  crypto: Crypto["Service"],
  aes: AesKey,
  encrypted: Uint8Array
): Result.Result<Uint8Array, AnswerError> => {
  if (encrypted.length < 32 || encrypted.length % 16 !== 0) return Result.fail(new AnswerError())
  const plaintext = crypto.aesIgeDecrypt(encrypted, aes.key, aes.iv)
  const hash = plaintext.subarray(0, HASH)
  let end = -1
  for (let padding = 0; padding < 16; padding += 4) {
    const candidate = plaintext.length - padding
    const data = plaintext.subarray(HASH, Math.max(HASH, candidate))
    if (crypto.constantTimeEqual(crypto.sha1(data), hash)) end = candidate
  }
  return end > HASH ? Result.succeed(plaintext.slice(HASH, end)) : Result.fail(new AnswerError())
}

/**
 * `new_nonce_hash1`, `2` or `3`, which tell that a key was made, that another
 * try is needed, or that the exchange failed: 16 bytes.
 *
 * @since 1.0.0
 * @category formulas
 */
export const newNonceHash = (
  crypto: Crypto["Service"],
  newNonce: Uint8Array,
  number: 1 | 2 | 3,
  key: SharedKey
): Uint8Array => {
  const auxHash = new Uint8Array(8)
  Bytes.writeLong(auxHash, 0, key.auxHash)
  return crypto.sha1(newNonce, Uint8Array.of(number), auxHash).slice(4, 20)
}

/**
 * The first server salt of a new key, as a TL `long`.
 *
 * @since 1.0.0
 * @category formulas
 */
export const serverSalt = (nonces: { readonly newNonce: Uint8Array; readonly serverNonce: Uint8Array }): bigint =>
  BigInt.asIntN(64, Bytes.readLong(nonces.newNonce, 0) ^ Bytes.readLong(nonces.serverNonce, 0))
