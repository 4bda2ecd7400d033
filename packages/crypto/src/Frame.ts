/**
 * The frame of a secret chat: what `messages.sendEncrypted*` carries as `data`
 * and an encrypted message brings as `bytes`
 * (core.telegram.org/api/end-to-end, "Serialization and encryption").
 *
 * ```
 * key fingerprint: 8 | message key: 16 | AES-256-IGE( length: 4 | payload | random padding: 12..1024 )
 * ```
 *
 * The payload is a serialised `decryptedMessageLayer`; this module does not look
 * inside. Frames are written in MTProto 2.0 only; reading MTProto 1.0 is an
 * option, off unless asked for.
 *
 * Reading checks in this order: length of the frame, key by fingerprint among
 * the candidates, decryption, message key over everything that was decrypted
 * (constant time), and only then the length inside and the padding. Every
 * refusal is the same {@link FrameError}, after the same number of hash and
 * cipher operations: whoever sends bad frames learns nothing from the answer or
 * from how long it took.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Crypto } from "./Crypto.ts"
import { invalidArgument } from "./CryptoError.ts"
import * as Bytes from "./internal/bytes.ts"
import * as Random from "./internal/random.ts"
import * as MessageKey from "./MessageKey.ts"
import * as Padding from "./Padding.ts"
import type { SharedKey } from "./SharedKey.ts"

const HEADER = 24
const MIN_LENGTH = HEADER + 16

// the length of the payload while `seal` runs: an array for each frame would cost a twentieth of its time
const prefix = new Uint8Array(4)

/**
 * A frame that was refused. It deliberately does not say why.
 *
 * @since 1.0.0
 * @category errors
 */
export class FrameError extends Schema.TaggedError<FrameError>()("FrameError", {}) {
  override get message(): string {
    return "The encrypted frame was refused"
  }
}

/**
 * What a frame held.
 *
 * @since 1.0.0
 * @category models
 */
export interface Opened {
  /** The payload, a copy. */
  readonly payload: Uint8Array
  /** Which of the candidate keys the frame was written with. */
  readonly key: SharedKey
  /** The MTProto version of the frame. */
  readonly version: 1 | 2
}

/**
 * Writes a frame.
 *
 * `fromCreator` tells whether the writer created the chat. `padding` is the
 * random bytes to use, `Padding.bucketed(4 + payload.length)` of them or any
 * other number that the protocol allows; when absent they are drawn from
 * `crypto`.
 *
 * Throws `CryptoError` if the payload is not a multiple of 4 bytes, or the
 * padding not allowed.
 *
 * @since 1.0.0
 * @category encryption
 */
export const seal = (crypto: Crypto["Service"], options: {
  readonly key: SharedKey
  readonly fromCreator: boolean
  readonly payload: Uint8Array
  readonly padding?: Uint8Array | undefined
}): Uint8Array => {
  const { key, payload } = options
  const length = 4 + payload.length
  if (payload.length % 4 !== 0) throw invalidArgument("Frame.seal", "the payload must be a multiple of 4 bytes")
  const padding = options.padding ?? Random.borrow(crypto.randomBytes, Padding.bucketed(length))
  if (padding.length < Padding.MIN_PADDING || padding.length > Padding.MAX_PADDING) {
    throw invalidArgument("Frame.seal", "the padding must have 12 to 1024 bytes")
  }
  if ((length + padding.length) % 16 !== 0) throw invalidArgument("Frame.seal", "the frame must be whole blocks")
  Bytes.writeInt(prefix, 0, payload.length)
  const frame = crypto.messageEncrypt(key.bytes, [prefix, payload, padding], options.fromCreator ? 0 : 8)
  if (options.padding === undefined) Random.giveBack(padding)
  Bytes.writeLong(frame, 0, key.id)
  return frame
}

/**
 * The fingerprint that a frame names, or `undefined` if it is too short to hold
 * one. It is not authenticated.
 *
 * @since 1.0.0
 * @category decryption
 */
export const fingerprint = (frame: Uint8Array): bigint | undefined =>
  frame.length < 8 ? undefined : Bytes.readLong(frame, 0)

/**
 * Reads a frame.
 *
 * `keys` are the keys it may have been written with (current, previous,
 * pending). `fromCreator` tells whether the *writer* created the chat.
 * `acceptV1` also tries MTProto 1.0 when the frame is not a valid 2.0 one; leave
 * it off once the peer has shown 2.0 or layer 73.
 *
 * @since 1.0.0
 * @category decryption
 */
export const open = (crypto: Crypto["Service"], options: {
  readonly keys: ReadonlyArray<SharedKey>
  readonly fromCreator: boolean
  readonly frame: Uint8Array
  readonly acceptV1?: boolean | undefined
}): Result.Result<Opened, FrameError> => {
  const opened = tryOpen(crypto, options.keys, options.fromCreator, options.frame, options.acceptV1 === true)
  // the one place where a refusal is made, so that stack traces are alike too
  return opened === undefined ? Result.fail(new FrameError()) : Result.succeed(opened)
}

const tryOpen = (
  crypto: Crypto["Service"],
  keys: ReadonlyArray<SharedKey>,
  fromCreator: boolean,
  frame: Uint8Array,
  acceptV1: boolean
): Opened | undefined => {
  // The length is public, so is the set of frames that never could be one.
  if (keys.length === 0 || frame.length < MIN_LENGTH || (frame.length - HEADER) % 16 !== 0) return undefined
  // Looks at every candidate. A frame that names none is worked on with the first, and refused at the end.
  const id = Bytes.readLong(frame, 0)
  let selected = 0
  let known = 0
  for (let i = 0; i < keys.length; i++) {
    const equal = Number(keys[i]!.id === id) & Number(id !== 0n)
    const take = -(equal & ~known)
    selected = (selected & ~take) | (i & take)
    known |= equal
  }
  const key = keys[selected]!
  const v2 = openV2(crypto, key, frame, fromCreator ? 0 : 8)
  if (v2 !== undefined && known === 1) return { payload: v2, key, version: 2 }
  if (!acceptV1) return undefined
  const v1 = openV1(crypto, key, frame)
  return v1 !== undefined && known === 1 ? { payload: v1, key, version: 1 } : undefined
}

const openV2 = (
  crypto: Crypto["Service"],
  key: SharedKey,
  frame: Uint8Array,
  x: MessageKey.Direction
): Uint8Array | undefined => {
  const { large, plaintext } = crypto.messageDecrypt(key.bytes, frame, x)
  const authentic = crypto.constantTimeEqual(large.subarray(8, HEADER), frame.subarray(8, HEADER))
  const length = Bytes.readInt(plaintext, 0)
  const padding = plaintext.length - 4 - length
  const valid = authentic && length >= 0 && length % 4 === 0 && padding >= Padding.MIN_PADDING &&
    padding <= Padding.MAX_PADDING
  const payload = valid ? plaintext.slice(4, 4 + length) : undefined
  plaintext.fill(0)
  return payload
}

// In 1.0 the message key does not cover the padding, so the length decides what is hashed. A length that cannot be is
// replaced by the greatest possible one: the hash is made all the same, and its result thrown away.
const openV1 = (
  crypto: Crypto["Service"],
  key: SharedKey,
  frame: Uint8Array
): Uint8Array | undefined => {
  const messageKey = frame.subarray(8, HEADER)
  const aes = MessageKey.deriveV1(crypto, key.bytes, messageKey, 0)
  const plaintext = crypto.aesIgeDecrypt(frame.subarray(HEADER), aes.key, aes.iv)
  const length = Bytes.readInt(plaintext, 0)
  const padding = plaintext.length - 4 - length
  const possible = length >= 0 && length % 4 === 0 && padding >= 0 && padding < 16
  const end = possible ? 4 + length : plaintext.length
  const expected = MessageKey.computeV1(crypto, plaintext.subarray(0, end))
  const authentic = crypto.constantTimeEqual(expected, messageKey)
  const payload = authentic && possible ? plaintext.slice(4, end) : undefined
  plaintext.fill(0)
  aes.key.fill(0)
  aes.iv.fill(0)
  return payload
}
