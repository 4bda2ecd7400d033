/**
 * How packets are cut out of a byte stream: what the framings of MTProto have in common.
 *
 * A packet is one unencrypted or encrypted message; a framing says where it ends. The framings stand in their own
 * modules, each with an encoder and an incremental decoder: `framing/Abridged`, `framing/Intermediate`,
 * `framing/PaddedIntermediate`, `framing/Full`. `framing/Obfuscation` hides any of the first three inside AES-CTR,
 * `framing/Detect` tells them apart by their first bytes, and `framing/Connection` puts the pieces together for either
 * side of a connection.
 *
 * All of this is pure: bytes in, bytes and {@link Event}s out. Nothing throws; a stream that breaks the rules ends in
 * one `Failed` event, and the decoder is dead from then on. Payloads may be views of the chunks that were pushed.
 * Source: core.telegram.org/mtproto/mtproto-transports.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * The longest packet that decoders accept unless told otherwise: 16 MiB.
 *
 * @category constants
 * @since 1.0.0
 */
export const defaultMaxLength = 1 << 24

/**
 * The stream breaks the rules of its framing, or a packet does not fit into it.
 *
 * - `TooLong`: longer than the limit, or than the framing can say
 * - `BadLength`: a length that no packet has
 * - `BadSequence`: a frame of the full framing out of turn
 * - `BadChecksum`: a frame of the full framing that arrived damaged
 * - `BadHeader`: an obfuscation header that names no framing
 *
 * @category errors
 * @since 1.0.0
 */
export class FramingError extends Schema.TaggedError<FramingError>()("FramingError", {
  reason: Schema.Literals(["TooLong", "BadLength", "BadSequence", "BadChecksum", "BadHeader"]),
  detail: Schema.String
}) {
  override get message() {
    return `MTProto framing: ${this.detail}`
  }
}

/**
 * What a decoder finds in the stream.
 *
 * - `Packet`: a packet; `quickAck` says that the sender wants a quick acknowledgement (clients only)
 * - `QuickAck`: the server has accepted the packet with this token (bit 31 is set)
 * - `TransportError`: the server answers with a negative code instead of a packet, such as -404 or -429
 * - `Failed`: the stream cannot be read any further; always the last event
 *
 * @category models
 * @since 1.0.0
 */
export type Event =
  | { readonly _tag: "Packet"; readonly payload: Uint8Array; readonly quickAck: boolean }
  | { readonly _tag: "QuickAck"; readonly token: number }
  | { readonly _tag: "TransportError"; readonly code: number }
  | { readonly _tag: "Failed"; readonly error: FramingError }

/**
 * Turns packets into bytes of the stream.
 *
 * @category models
 * @since 1.0.0
 */
export interface Encoder {
  /**
   * The bytes of a packet. With `quickAck` a client asks for a quick acknowledgement; the full framing cannot say it.
   *
   * @throws FramingError if the packet does not fit into the framing
   */
  readonly packet: (payload: Uint8Array, options?: { readonly quickAck?: boolean | undefined }) => Uint8Array
  /** The bytes of a quick acknowledgement, for servers. */
  readonly quickAck: (token: number) => Uint8Array
  /** The bytes of a transport error, for servers. */
  readonly transportError: (code: number) => Uint8Array
}

/**
 * Cuts the stream into events, however it was chopped up.
 *
 * @category models
 * @since 1.0.0
 */
export interface Decoder {
  /** Takes the next bytes of the stream. After a `Failed` event every further call gives that event again. */
  readonly push: (chunk: Uint8Array) => ReadonlyArray<Event>
}

/**
 * One framing.
 *
 * @category models
 * @since 1.0.0
 */
export interface Framing {
  readonly name: "abridged" | "intermediate" | "padded intermediate" | "full"
  /** What a client sends first, once; empty for the full framing. */
  readonly tag: Uint8Array
  /** What names the framing in an obfuscation header: four bytes; undefined for the full framing. */
  readonly obfuscationTag: Uint8Array | undefined
  readonly encoder: (options: {
    /** Random bytes, for the padding of padded intermediate. */
    readonly randomBytes: (length: number) => Uint8Array
  }) => Encoder
  readonly decoder: (options: {
    /** Who is reading. The bit by which a client asks for a quick acknowledgement is the server's acknowledgement. */
    readonly side: "client" | "server"
    /** Default {@link defaultMaxLength}. */
    readonly maxLength?: number | undefined
  }) => Decoder
}
