/**
 * The proof that binds a temporary authorization key to a permanent one
 * (core.telegram.org/method/auth.bindTempAuthKey): one message encrypted with
 * MTProto 1.0 and the permanent key.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import type { Crypto } from "./Crypto.ts"
import { invalidArgument } from "./CryptoError.ts"
import * as Bytes from "./internal/bytes.ts"
import * as MessageKey from "./MessageKey.ts"
import { PacketError } from "./Packet.ts"
import type { SharedKey } from "./SharedKey.ts"

// bind_auth_key_inner: id, nonce, temporary key id, permanent key id, session id, expiry
const INNER = 40
const HEADER = 32
const TOTAL = 80

/**
 * Encrypts the serialised `bind_auth_key_inner` (40 bytes).
 *
 * `msgId` is the id of the message that carries `auth.bindTempAuthKey`.
 * `random` replaces the 24 random bytes: 16 in place of salt and session, then 8
 * of padding.
 *
 * @since 1.0.0
 * @category encryption
 */
export const seal = (crypto: Crypto["Service"], options: {
  readonly permanentKey: SharedKey
  readonly msgId: bigint
  readonly inner: Uint8Array
  readonly random?: Uint8Array | undefined
}): Uint8Array => {
  const { inner, permanentKey } = options
  if (inner.length !== INNER) throw invalidArgument("TempAuthKey.seal", `the inner object has ${INNER} bytes`)
  const random = options.random ?? crypto.randomBytes(24)
  if (random.length !== 24) throw invalidArgument("TempAuthKey.seal", "24 random bytes are needed")
  const plaintext = new Uint8Array(TOTAL)
  plaintext.set(random.subarray(0, 16), 0)
  Bytes.writeLong(plaintext, 16, options.msgId)
  Bytes.writeInt(plaintext, 28, INNER)
  plaintext.set(inner, HEADER)
  plaintext.set(random.subarray(16), HEADER + INNER)
  const messageKey = MessageKey.computeV1(crypto, plaintext.subarray(0, HEADER + INNER))
  const aes = MessageKey.deriveV1(crypto, permanentKey.bytes, messageKey, 0)
  const out = new Uint8Array(24 + TOTAL)
  Bytes.writeLong(out, 0, permanentKey.id)
  out.set(messageKey, 8)
  out.set(crypto.aesIgeEncrypt(plaintext, aes.key, aes.iv), 24)
  return out
}

/**
 * Decrypts the proof, on the server's side, and returns the inner object with
 * the id of the message that it says carries it.
 *
 * @since 1.0.0
 * @category decryption
 */
export const open = (crypto: Crypto["Service"], options: {
  readonly permanentKey: SharedKey
  readonly encrypted: Uint8Array
}): Result.Result<{ readonly msgId: bigint; readonly inner: Uint8Array }, PacketError> => {
  const { encrypted, permanentKey } = options
  if (encrypted.length !== 24 + TOTAL) return Result.fail(new PacketError())
  const messageKey = encrypted.slice(8, 24)
  const aes = MessageKey.deriveV1(crypto, permanentKey.bytes, messageKey, 0)
  const plaintext = crypto.aesIgeDecrypt(encrypted.subarray(24), aes.key, aes.iv)
  const expected = MessageKey.computeV1(crypto, plaintext.subarray(0, HEADER + INNER))
  const authentic = crypto.constantTimeEqual(expected, messageKey)
  return authentic && Bytes.readLong(encrypted, 0) === permanentKey.id && Bytes.readInt(plaintext, 28) === INNER
    ? Result.succeed({ msgId: Bytes.readLong(plaintext, 16), inner: plaintext.slice(HEADER, HEADER + INNER) })
    : Result.fail(new PacketError())
}
