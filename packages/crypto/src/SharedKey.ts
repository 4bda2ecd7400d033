/**
 * A 256-byte key agreed by Diffie-Hellman, with the numbers by which the
 * protocol names it. The same value serves as MTProto authorization key and as
 * the key of a secret chat.
 *
 * The bytes are secret: the object prints as `SharedKey(<redacted>)`.
 *
 * @since 1.0.0
 */
import type { Crypto } from "./Crypto.ts"
import { invalidArgument } from "./CryptoError.ts"
import * as Bytes from "./internal/bytes.ts"

/**
 * The length of a shared key, in bytes.
 *
 * @since 1.0.0
 * @category constants
 */
export const LENGTH = 256

/**
 * A shared key.
 *
 * @since 1.0.0
 * @category models
 */
export interface SharedKey {
  /** The 256 secret bytes. */
  readonly bytes: Uint8Array
  /**
   * The last 8 bytes of SHA-1 of the key, as a TL `long`: `auth_key_id` of an
   * authorization key, `key_fingerprint` of a secret chat.
   */
  readonly id: bigint
  /** The first 8 bytes of SHA-1 of the key, as a TL `long`: `auth_key_aux_hash`. */
  readonly auxHash: bigint
}

class SharedKeyImpl implements SharedKey {
  declare readonly bytes: Uint8Array
  readonly id: bigint
  readonly auxHash: bigint
  constructor(bytes: Uint8Array, id: bigint, auxHash: bigint) {
    // not enumerable, so that logging or serialising the object cannot show it
    Object.defineProperty(this, "bytes", { value: bytes, enumerable: false })
    this.id = id
    this.auxHash = auxHash
  }
  toString(): string {
    return "SharedKey(<redacted>)"
  }
  toJSON(): string {
    return "SharedKey(<redacted>)"
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "SharedKey(<redacted>)"
  }
}

/**
 * Makes a shared key of 256 bytes (a copy is kept).
 *
 * Throws `CryptoError` for any other length: a key with leading zeros must have
 * been padded, or every hash over it is wrong.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make = (crypto: Crypto["Service"], bytes: Uint8Array): SharedKey => {
  if (bytes.length !== LENGTH) throw invalidArgument("SharedKey.make", `a shared key has ${LENGTH} bytes`)
  const hash = crypto.sha1(bytes)
  return new SharedKeyImpl(new Uint8Array(bytes), Bytes.readLong(hash, 12), Bytes.readLong(hash, 0))
}

/**
 * Overwrites the bytes of a key that is no longer needed. JavaScript cannot
 * promise that no copy was made by the engine.
 *
 * @since 1.0.0
 * @category destructors
 */
export const wipe = (key: SharedKey): void => {
  key.bytes.fill(0)
}
