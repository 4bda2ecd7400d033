/**
 * The keys of a chat in the form that frames want, made once a key.
 *
 * @since 1.0.0
 */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import type { ChatKey } from "../protocol/Keys.ts"

// A SharedKey keeps a copy of the bytes, so wiping has to reach the copy as well.
const cache = new WeakMap<Uint8Array, SharedKey.SharedKey>()

/** @internal */
export const sharedKey = (crypto: Crypto["Service"], key: ChatKey): SharedKey.SharedKey => {
  let shared = cache.get(key.bytes)
  if (shared === undefined) cache.set(key.bytes, shared = SharedKey.make(crypto, key.bytes))
  return shared
}

/** Overwrites the bytes, and the copy made of them. @internal */
export const wipe = (bytes: Uint8Array): void => {
  const shared = cache.get(bytes)
  if (shared !== undefined) SharedKey.wipe(shared)
  bytes.fill(0)
}

/** The hash by which a public value is recognised; leading zeros do not count, for some clients strip them. @internal */
export const hashOf = (crypto: Crypto["Service"], value: Uint8Array): Uint8Array => {
  let start = 0
  while (start < value.length && value[start] === 0) start++
  return crypto.sha256(value.subarray(start))
}
