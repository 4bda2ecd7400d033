/**
 * Message keys, and the AES keys derived from them.
 *
 * A message key (16 bytes) is at once the name of a message, its authenticator
 * and the seed of its AES key and IV. MTProto 2.0
 * (core.telegram.org/mtproto/description) hashes with SHA-256 and covers the
 * padding; MTProto 1.0 (core.telegram.org/mtproto/description_v1) hashes with
 * SHA-1 and does not, and is here only to read what old peers sent and to bind
 * temporary keys.
 *
 * `x` separates the two directions of one shared key: see {@link Direction}.
 *
 * @since 1.0.0
 */
import type { Crypto } from "./Crypto.ts"

/**
 * The offset into the shared key that belongs to a direction: 0 for messages
 * written by the client (or the creator of a secret chat), 8 for messages
 * written by the server (or the other side of the chat).
 *
 * @since 1.0.0
 * @category models
 */
export type Direction = 0 | 8

/**
 * A key and an IV for AES-256-IGE, 32 bytes each.
 *
 * @since 1.0.0
 * @category models
 */
export interface AesKey {
  readonly key: Uint8Array
  readonly iv: Uint8Array
}

/**
 * The whole 32-byte hash under a message key. Its first four bytes make the
 * quick acknowledgement token, bytes 8 to 24 the message key.
 *
 * `plaintext` is everything that is encrypted, padding included; `sharedKey`
 * has 256 bytes.
 *
 * @since 1.0.0
 * @category MTProto 2.0
 */
export const computeLarge = (
  crypto: Pick<Crypto["Service"], "sha1" | "sha256">,
  sharedKey: Uint8Array,
  plaintext: Uint8Array,
  x: Direction
): Uint8Array => crypto.sha256(sharedKey.subarray(88 + x, 120 + x), plaintext)

/**
 * The message key of MTProto 2.0: 16 bytes.
 *
 * @since 1.0.0
 * @category MTProto 2.0
 */
export const compute = (
  crypto: Pick<Crypto["Service"], "sha1" | "sha256">,
  sharedKey: Uint8Array,
  plaintext: Uint8Array,
  x: Direction
): Uint8Array => computeLarge(crypto, sharedKey, plaintext, x).slice(8, 24)

/**
 * The AES key and IV of MTProto 2.0.
 *
 * @since 1.0.0
 * @category MTProto 2.0
 */
export const derive = (
  crypto: Pick<Crypto["Service"], "sha1" | "sha256">,
  sharedKey: Uint8Array,
  messageKey: Uint8Array,
  x: Direction
): AesKey => {
  const a = crypto.sha256(messageKey, sharedKey.subarray(x, x + 36))
  const b = crypto.sha256(sharedKey.subarray(40 + x, 76 + x), messageKey)
  const key = new Uint8Array(32)
  key.set(a.subarray(0, 8), 0)
  key.set(b.subarray(8, 24), 8)
  key.set(a.subarray(24, 32), 24)
  const iv = new Uint8Array(32)
  iv.set(b.subarray(0, 8), 0)
  iv.set(a.subarray(8, 24), 8)
  iv.set(b.subarray(24, 32), 24)
  a.fill(0)
  b.fill(0)
  return { key, iv }
}

/**
 * The message key of MTProto 1.0: SHA-1 of the plaintext *without* its padding,
 * bytes 4 to 20.
 *
 * @since 1.0.0
 * @category MTProto 1.0
 */
export const computeV1 = (crypto: Pick<Crypto["Service"], "sha1" | "sha256">, plaintext: Uint8Array): Uint8Array =>
  crypto.sha1(plaintext).slice(4, 20)

/**
 * The AES key and IV of MTProto 1.0. Secret chats use `x = 0` in both
 * directions.
 *
 * @since 1.0.0
 * @category MTProto 1.0
 */
export const deriveV1 = (
  crypto: Pick<Crypto["Service"], "sha1" | "sha256">,
  sharedKey: Uint8Array,
  messageKey: Uint8Array,
  x: Direction
): AesKey => {
  const a = crypto.sha1(messageKey, sharedKey.subarray(x, x + 32))
  const b = crypto.sha1(sharedKey.subarray(32 + x, 48 + x), messageKey, sharedKey.subarray(48 + x, 64 + x))
  const c = crypto.sha1(sharedKey.subarray(64 + x, 96 + x), messageKey)
  const d = crypto.sha1(messageKey, sharedKey.subarray(96 + x, 128 + x))
  const key = new Uint8Array(32)
  key.set(a.subarray(0, 8), 0)
  key.set(b.subarray(8, 20), 8)
  key.set(c.subarray(4, 16), 20)
  const iv = new Uint8Array(32)
  iv.set(a.subarray(8, 20), 0)
  iv.set(b.subarray(0, 8), 12)
  iv.set(c.subarray(16, 20), 20)
  iv.set(d.subarray(0, 8), 24)
  for (const part of [a, b, c, d]) part.fill(0)
  return { key, iv }
}
