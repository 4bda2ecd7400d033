/**
 * MTProto messages on the wire (core.telegram.org/mtproto/description): the
 * encrypted message of MTProto 2.0, for both ends, and the plain message of the
 * key exchange.
 *
 * ```
 * encrypted: auth_key_id: 8 | message key: 16 | AES-256-IGE(
 *              salt: 8 | session_id: 8 | msg_id: 8 | seqno: 4 | length: 4 | body | random padding: 12..1024 )
 * plain:     0: 8 | msg_id: 8 | length: 4 | body
 * ```
 *
 * Pure: bytes in, bytes or fields out. Whether the session is ours, the salt
 * valid and the message new is the session's business.
 *
 * Reading checks in this order: length, key by id among the candidates,
 * decryption, message key over everything (constant time), and only then the
 * length inside and the padding. Every refusal is the same {@link PacketError},
 * after the same work.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Crypto } from "./Crypto.ts"
import { invalidArgument } from "./CryptoError.ts"
import * as Bytes from "./internal/bytes.ts"
import * as Random from "./internal/random.ts"
import { release } from "./internal/release.ts"
import type * as MessageKey from "./MessageKey.ts"
import * as Padding from "./Padding.ts"
import type { SharedKey } from "./SharedKey.ts"

const OUTER = 24
const INNER = 32
const PLAIN = 20

/**
 * A packet that was refused. It deliberately does not say why.
 *
 * @since 1.0.0
 * @category errors
 */
export class PacketError extends Schema.TaggedError<PacketError>()("PacketError", {}) {
  override get message(): string {
    return "The MTProto packet was refused"
  }
}

/**
 * Who wrote a packet. The two directions use different parts of the key.
 *
 * @since 1.0.0
 * @category models
 */
export type Sender = "client" | "server"

/**
 * An MTProto message. The `long`s are signed, as in TL.
 *
 * @since 1.0.0
 * @category models
 */
export interface Message {
  readonly salt: bigint
  readonly sessionId: bigint
  readonly msgId: bigint
  readonly seqNo: number
  /** The serialised body: a multiple of 4 bytes. */
  readonly body: Uint8Array
}

/**
 * What a packet held.
 *
 * @since 1.0.0
 * @category models
 */
export interface Opened extends Message {
  /** Which of the candidate keys the packet was written with. */
  readonly key: SharedKey
  /** The token that acknowledges this packet quickly, bit 31 set, as an unsigned number. */
  readonly quickAck: number
}

/**
 * A written packet.
 *
 * @since 1.0.0
 * @category models
 */
export interface Sealed {
  readonly packet: Uint8Array
  /** The token by which the receiver may acknowledge this packet quickly, bit 31 set, as an unsigned number. */
  readonly quickAck: number
}

/**
 * Writes an encrypted packet.
 *
 * `padding` is the random bytes to use: any number from 12 to 1024 that makes
 * whole blocks. When absent, `Padding.bucketed` of them are drawn from `crypto`.
 *
 * Throws `CryptoError` for a body that is not a multiple of 4 bytes or padding
 * that is not allowed.
 *
 * @since 1.0.0
 * @category encryption
 */
export const seal = (crypto: Crypto["Service"], options: {
  readonly key: SharedKey
  readonly from: Sender
  readonly message: Message
  readonly padding?: Uint8Array | undefined
}): Sealed => {
  const { key, message } = options
  if (message.body.length % 4 !== 0) throw invalidArgument("Packet.seal", "the body must be a multiple of 4 bytes")
  const length = INNER + message.body.length
  const padding = options.padding ?? Random.borrow(crypto.randomBytes, Padding.bucketed(length))
  if (padding.length < Padding.MIN_PADDING || padding.length > Padding.MAX_PADDING) {
    throw invalidArgument("Packet.seal", "the padding must have 12 to 1024 bytes")
  }
  if ((length + padding.length) % 16 !== 0) throw invalidArgument("Packet.seal", "the packet must be whole blocks")
  const header = new Uint8Array(INNER)
  Bytes.writeLong(header, 0, message.salt)
  Bytes.writeLong(header, 8, message.sessionId)
  Bytes.writeLong(header, 16, message.msgId)
  Bytes.writeInt(header, 24, message.seqNo)
  Bytes.writeInt(header, 28, message.body.length)
  const packet = crypto.messageEncrypt(key.bytes, [header, message.body, padding], options.from === "client" ? 0 : 8)
  header.fill(0)
  if (options.padding === undefined) Random.giveBack(padding)
  const quickAck = quickAckToken(packet)
  Bytes.writeLong(packet, 0, key.id)
  return { packet, quickAck }
}

/**
 * Reads an encrypted packet.
 *
 * `keys` are the authorization keys it may have been written with. Up to 15
 * bytes after the last whole block are ignored: the padded transport adds them.
 *
 * @since 1.0.0
 * @category decryption
 */
export const open = (crypto: Crypto["Service"], options: {
  readonly keys: ReadonlyArray<SharedKey>
  readonly from: Sender
  readonly packet: Uint8Array
}): Result.Result<Opened, PacketError> => {
  const opened = tryOpen(crypto, options.keys, options.from === "client" ? 0 : 8, options.packet)
  // the one place where a refusal is made, so that stack traces are alike too
  return opened === undefined ? Result.fail(new PacketError()) : Result.succeed(opened)
}

const tryOpen = (
  crypto: Crypto["Service"],
  keys: ReadonlyArray<SharedKey>,
  x: MessageKey.Direction,
  packet: Uint8Array
): Opened | undefined => {
  const blocks = (packet.length - OUTER) & -16
  if (keys.length === 0 || blocks < INNER + 16) return undefined
  // The key id is public and authorization keys are few: an unknown one is refused after the work, like a wrong one.
  const id = Bytes.readLong(packet, 0)
  const known = keys.find((key) => key.id === id && id !== 0n)
  const key = known ?? keys[0]!
  const { large, plaintext } = crypto.messageDecrypt(key.bytes, packet.subarray(0, OUTER + blocks), x)
  const authentic = crypto.constantTimeEqual(large.subarray(8, OUTER), packet.subarray(8, OUTER))
  const length = Bytes.readInt(plaintext, 28)
  const padding = plaintext.length - INNER - length
  const valid = authentic && known !== undefined && length >= 0 && length % 4 === 0 &&
    padding >= Padding.MIN_PADDING && padding <= Padding.MAX_PADDING
  const opened: Opened | undefined = valid
    ? {
      salt: Bytes.readLong(plaintext, 0),
      sessionId: Bytes.readLong(plaintext, 8),
      msgId: Bytes.readLong(plaintext, 16),
      seqNo: Bytes.readInt(plaintext, 24),
      body: plaintext.slice(INNER, INNER + length),
      key,
      quickAck: quickAckToken(large)
    }
    : undefined
  plaintext.fill(0)
  release(plaintext)
  return opened
}

/**
 * The `auth_key_id` that a packet names (0 for a plain one), or `undefined` if
 * it is too short to hold one. It is not authenticated.
 *
 * @since 1.0.0
 * @category decryption
 */
export const authKeyId = (packet: Uint8Array): bigint | undefined =>
  packet.length < 8 ? undefined : Bytes.readLong(packet, 0)

/**
 * Writes a plain message, as the key exchange uses.
 *
 * @since 1.0.0
 * @category plain messages
 */
export const sealPlain = (message: { readonly msgId: bigint; readonly body: Uint8Array }): Uint8Array => {
  const packet = new Uint8Array(PLAIN + message.body.length)
  Bytes.writeLong(packet, 8, message.msgId)
  Bytes.writeInt(packet, 16, message.body.length)
  packet.set(message.body, PLAIN)
  return packet
}

/**
 * Reads a plain message. The body may hold random bytes after its object, as
 * servers add them, and bytes after the body are ignored.
 *
 * @since 1.0.0
 * @category plain messages
 */
export const openPlain = (
  packet: Uint8Array
): Result.Result<{ readonly msgId: bigint; readonly body: Uint8Array }, PacketError> => {
  const length = packet.length < PLAIN ? -1 : Bytes.readInt(packet, 16)
  if (length < 0 || length % 4 !== 0 || length > packet.length - PLAIN || Bytes.readLong(packet, 0) !== 0n) {
    return Result.fail(new PacketError())
  }
  return Result.succeed({ msgId: Bytes.readLong(packet, 8), body: packet.slice(PLAIN, PLAIN + length) })
}

const quickAckToken = (large: Uint8Array): number => (Bytes.readInt(large, 0) | 0x80000000) >>> 0
