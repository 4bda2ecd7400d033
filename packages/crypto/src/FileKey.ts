/**
 * The key of one encrypted file (core.telegram.org/api/end-to-end, "Sending
 * encrypted files"): 32 random bytes of key and 32 of initialisation vector,
 * unrelated to the key of the chat.
 *
 * The whole file is one AES-256-IGE stream; {@link nextIv} carries it from part
 * to part. Nothing but the message that names the file authenticates it.
 *
 * @since 1.0.0
 */
import type { Crypto } from "./Crypto.ts"
import { invalidArgument } from "./CryptoError.ts"
import * as Bytes from "./internal/bytes.ts"
import type { AesKey } from "./MessageKey.ts"

/**
 * Draws a key and an initialisation vector.
 *
 * @since 1.0.0
 * @category constructors
 */
export const generate = (crypto: Crypto["Service"]): AesKey => ({
  key: crypto.randomBytes(32),
  iv: crypto.randomBytes(32)
})

/**
 * The fingerprint that travels with the file in the clear, a TL `int`: the first
 * four bytes of MD5(key | iv), exclusive or the next four.
 *
 * @since 1.0.0
 * @category fingerprint
 */
export const fingerprint = (crypto: Crypto["Service"], file: AesKey): number => {
  check("FileKey.fingerprint", file)
  const hash = crypto.md5(file.key, file.iv)
  return Bytes.readInt(hash, 0) ^ Bytes.readInt(hash, 4)
}

/**
 * The initialisation vector of the part that follows one with this plaintext
 * and ciphertext (whole blocks, at least one): the last block of each.
 *
 * @since 1.0.0
 * @category parts
 */
export const nextIv = (plaintext: Uint8Array, ciphertext: Uint8Array): Uint8Array => {
  const n = ciphertext.length
  if (n === 0 || n % 16 !== 0 || plaintext.length !== n) {
    throw invalidArgument("FileKey.nextIv", "plaintext and ciphertext must be the same whole blocks")
  }
  return Bytes.concat([ciphertext.subarray(n - 16), plaintext.subarray(n - 16)])
}

const check = (operation: string, file: AesKey): void => {
  if (file.key.length !== 32 || file.iv.length !== 32) {
    throw invalidArgument(operation, "key and initialisation vector must have 32 bytes each")
  }
}
