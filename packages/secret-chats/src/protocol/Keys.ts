/**
 * The keys of a chat and the exchange that replaces them.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * Parameters of the first key exchange; every later one uses the same group.
 *
 * @since 1.0.0
 * @category models
 */
export const Dh = Schema.Struct({
  version: Schema.Int,
  g: Schema.Int,
  p: Schema.Uint8Array
})

/**
 * @since 1.0.0
 * @category models
 */
export interface Dh extends Schema.Schema.Type<typeof Dh> {}

/**
 * A secret exponent and its public value.
 *
 * @since 1.0.0
 * @category models
 */
export const KeyPair = Schema.Struct({
  secret: Schema.Uint8Array,
  publicValue: Schema.Uint8Array
})

/**
 * @since 1.0.0
 * @category models
 */
export interface KeyPair extends Schema.Schema.Type<typeof KeyPair> {}

/**
 * A shared key of 256 bytes and its fingerprint, a signed 64-bit integer.
 *
 * @since 1.0.0
 * @category models
 */
export const ChatKey = Schema.Struct({
  bytes: Schema.Uint8Array,
  fingerprint: Schema.BigInt
})

/**
 * @since 1.0.0
 * @category models
 */
export interface ChatKey extends Schema.Schema.Type<typeof ChatKey> {}

/**
 * The key before the present one. Our messages with an index below `before` were
 * written with it.
 *
 * @since 1.0.0
 * @category models
 */
export const PreviousKey = Schema.Struct({ ...ChatKey.fields, before: Schema.Int })

/**
 * @since 1.0.0
 * @category models
 */
export interface PreviousKey extends Schema.Schema.Type<typeof PreviousKey> {}

/**
 * Where a key exchange stands (core.telegram.org/api/end-to-end/pfs).
 *
 * ```
 * Idle -> Starting -> Requested -> Committing -> Idle   (the side that starts)
 * Idle -> Answering -> Answered -> Idle                 (the side that answers)
 * ```
 *
 * - `Starting`: a key pair is being made; the peer knows nothing yet
 * - `Requested`: RequestKey is sent
 * - `Answering`: RequestKey has come, the new key is being computed
 * - `Answered`: AcceptKey is sent; frames under the new key can be read
 * - `Committing`: AcceptKey has come, the new key is being computed
 *
 * @since 1.0.0
 * @category models
 */
export const Exchange = Schema.Union([
  Schema.TaggedStruct("Idle", {}),
  Schema.TaggedStruct("Starting", { exchangeId: Schema.BigInt }),
  Schema.TaggedStruct("Requested", { exchangeId: Schema.BigInt, own: KeyPair }),
  Schema.TaggedStruct("Answering", { exchangeId: Schema.BigInt, peerValue: Schema.Uint8Array }),
  Schema.TaggedStruct("Answered", { exchangeId: Schema.BigInt, key: ChatKey }),
  Schema.TaggedStruct("Committing", {
    exchangeId: Schema.BigInt,
    own: KeyPair,
    peerValue: Schema.Uint8Array,
    fingerprint: Schema.BigInt
  })
])

/**
 * @since 1.0.0
 * @category models
 */
export type Exchange = typeof Exchange.Type

/**
 * @since 1.0.0
 * @category models
 */
export const Keys = Schema.Struct({
  /** The key we write with. */
  current: ChatKey,
  /** The key before it, until neither side can need it. */
  previous: Schema.optionalKey(PreviousKey),
  exchange: Exchange,
  /** Messages sent and received since `since`. */
  uses: Schema.Int,
  /** Milliseconds; when `current` came into use, or the last attempt to replace it was abandoned. */
  since: Schema.Finite
})

/**
 * @since 1.0.0
 * @category models
 */
export interface Keys extends Schema.Schema.Type<typeof Keys> {}

/**
 * The keys of a chat that has just become ready.
 *
 * @since 1.0.0
 * @category constructors
 */
export const initial = (current: ChatKey, now: number): Keys => ({
  current,
  exchange: { _tag: "Idle" },
  uses: 0,
  since: now
})

/**
 * The keys that a frame of the peer may have been written with: the present
 * one, the one before it until nothing can need it, and the next one as soon as
 * the peer can compute it.
 *
 * @since 1.0.0
 * @category queries
 */
export const reading = (keys: Keys): ReadonlyArray<ChatKey> => {
  const list = [keys.current]
  if (keys.previous !== undefined) list.push(keys.previous)
  if (keys.exchange._tag === "Answered") list.push(keys.exchange.key)
  return list
}

/**
 * The key that our message `index` is written with, if it is written again.
 *
 * @since 1.0.0
 * @category queries
 */
export const writing = (keys: Keys, index: number): ChatKey =>
  keys.previous !== undefined && index < keys.previous.before ? keys.previous : keys.current

/**
 * Every secret in it, to be overwritten when the chat is closed.
 *
 * @since 1.0.0
 * @category queries
 */
export const secrets = (keys: Keys): ReadonlyArray<Uint8Array> => {
  const list = [keys.current.bytes]
  if (keys.previous !== undefined) list.push(keys.previous.bytes)
  switch (keys.exchange._tag) {
    case "Requested":
    case "Committing":
      list.push(keys.exchange.own.secret)
      break
    case "Answered":
      list.push(keys.exchange.key.bytes)
      break
  }
  return list
}

/**
 * Whether two public values are the same number; leading zeros do not count,
 * for some clients strip them. Public values are no secrets, so the comparison
 * need not be constant in time.
 *
 * @since 1.0.0
 * @category queries
 */
export const sameValue = (a: Uint8Array, b: Uint8Array): boolean => {
  const x = significant(a)
  const y = significant(b)
  return x.length === y.length && x.every((byte, i) => byte === y[i])
}

/**
 * Whether a public value of the peer may be kept and computed with: it is a
 * number of at most 2048 bits, without a long row of zeros in front. Whether it
 * is in the safe range is checked where it is used; this keeps what nobody can
 * use out of the state.
 *
 * @since 1.0.0
 * @category queries
 */
export const fits = (value: Uint8Array): boolean => value.length <= 512 && significant(value).length <= 256

const significant = (value: Uint8Array): Uint8Array => {
  let start = 0
  while (start < value.length && value[start] === 0) start++
  return value.subarray(start)
}
