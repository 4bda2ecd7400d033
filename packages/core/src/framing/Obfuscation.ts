/**
 * Obfuscation: every byte of the stream goes through AES-256-CTR, with keys that stand in the first 64 bytes. It hides
 * the protocol from filters that look for it; it does not protect anything.
 *
 * The cipher comes from outside as a function that makes a keystream: called with consecutive pieces, it must go on
 * where the piece before ended, in the middle of a block too. Source: core.telegram.org/mtproto/mtproto-transports
 * (transport obfuscation).
 *
 * @since 1.0.0
 */
import type { Framing } from "../Framing.ts"
import { FramingError } from "../Framing.ts"
import { Abridged } from "./Abridged.ts"
import { Intermediate } from "./Intermediate.ts"
import { PaddedIntermediate } from "./PaddedIntermediate.ts"

/**
 * AES-256-CTR: a key of 32 bytes and a counter block of 16 give a function that encrypts a stream piece by piece.
 *
 * @category models
 * @since 1.0.0
 */
export type AesCtr = (key: Uint8Array, iv: Uint8Array) => (data: Uint8Array) => Uint8Array

/**
 * What an MTProxy adds: its secret of 16 bytes goes into both keys.
 *
 * @category models
 * @since 1.0.0
 */
export interface Proxy {
  readonly secret: Uint8Array
  readonly sha256: (data: Uint8Array) => Uint8Array
}

/**
 * One end of an obfuscated stream.
 *
 * @category models
 * @since 1.0.0
 */
export interface Streams {
  /** For what this side sends. */
  readonly encrypt: (data: Uint8Array) => Uint8Array
  /** For what this side receives. */
  readonly decrypt: (data: Uint8Array) => Uint8Array
}

/**
 * Bytes of the header in front of an obfuscated stream.
 *
 * @category constants
 * @since 1.0.0
 */
export const headerLength = 64

const forbidden = new Set([
  0x44414548, // HEAD
  0x54534f50, // POST
  0x20544547, // GET
  0x4954504f, // OPTI
  0xdddddddd,
  0xeeeeeeee,
  0x02010316 // the start of a TLS hello
])

/**
 * Whether 64 random bytes can be a header: they must not look like anything else that a server knows.
 *
 * @category guards
 * @since 1.0.0
 */
export const isUsable = (random: Uint8Array): boolean =>
  random.length === headerLength
  && random[0] !== 0xef
  && !forbidden.has((random[0]! | random[1]! << 8 | random[2]! << 16 | random[3]! << 24) >>> 0)
  && (random[4]! | random[5]! | random[6]! | random[7]!) !== 0

/**
 * Draws 64 random bytes until they can be a header.
 *
 * @category constructors
 * @since 1.0.0
 */
export const draw = (randomBytes: (length: number) => Uint8Array): Uint8Array => {
  for (;;) {
    const random = randomBytes(headerLength)
    if (isUsable(random)) return random
  }
}

/**
 * The client's end: the header to send, and the streams for all that follows.
 *
 * `dcId` is what the header tells a proxy: the data centre, plus 10000 for test servers, negative for media only. Without
 * it those two bytes stay random.
 *
 * @throws FramingError if the framing cannot be obfuscated or the random bytes are not usable
 * @category constructors
 * @since 1.0.0
 */
export const client = (options: {
  readonly aesCtr: AesCtr
  readonly framing: Framing
  /** 64 bytes, see {@link draw}. */
  readonly random: Uint8Array
  readonly dcId?: number | undefined
  readonly proxy?: Proxy | undefined
}): Streams & { readonly header: Uint8Array } => {
  const { aesCtr, dcId, framing, proxy, random } = options
  const tag = framing.obfuscationTag
  if (tag === undefined) throw new FramingError({ reason: "BadHeader", detail: `${framing.name} cannot be obfuscated` })
  if (!isUsable(random)) {
    throw new FramingError({ reason: "BadHeader", detail: "random bytes that look like another protocol" })
  }
  const plain = Uint8Array.from(random)
  plain.set(tag, 56)
  if (dcId !== undefined) {
    plain[60] = dcId
    plain[61] = dcId >> 8
  }
  const { reversed, straight } = streams(plain, aesCtr, proxy)
  // The whole header goes through the stream, but only its end is sent encrypted.
  const header = Uint8Array.from(plain)
  header.set(straight(plain).subarray(56), 56)
  return { header, encrypt: straight, decrypt: reversed }
}

/**
 * The server's end, from the 64 bytes that came first.
 *
 * @throws FramingError if the header names no framing
 * @category constructors
 * @since 1.0.0
 */
export const server = (options: {
  readonly aesCtr: AesCtr
  readonly header: Uint8Array
  readonly proxy?: Proxy | undefined
}): Streams & { readonly framing: Framing; readonly dcId: number } => {
  const { aesCtr, header, proxy } = options
  if (header.length !== headerLength) {
    throw new FramingError({ reason: "BadHeader", detail: `a header of ${header.length} bytes` })
  }
  const { reversed, straight } = streams(header, aesCtr, proxy)
  const plain = straight(header)
  const framing = [Abridged, Intermediate, PaddedIntermediate].find((f) =>
    f.obfuscationTag!.every((byte, i) => byte === plain[56 + i])
  )
  if (framing === undefined) throw new FramingError({ reason: "BadHeader", detail: "a header that names no framing" })
  return { framing, dcId: (plain[60]! | plain[61]! << 8) << 16 >> 16, encrypt: reversed, decrypt: straight }
}

const streams = (header: Uint8Array, aesCtr: AesCtr, proxy: Proxy | undefined) => {
  const make = (bytes: Uint8Array) => {
    const key = bytes.slice(0, 32)
    return aesCtr(proxy === undefined ? key : proxy.sha256(concat(key, proxy.secret)), bytes.slice(32, 48))
  }
  const straight = header.slice(8, 56)
  return { straight: make(straight), reversed: make(straight.toReversed()) }
}

const concat = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(a.length + b.length)
  bytes.set(a)
  bytes.set(b, a.length)
  return bytes
}
