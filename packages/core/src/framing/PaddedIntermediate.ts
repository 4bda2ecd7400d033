/**
 * The padded intermediate framing: as intermediate, with 0 to 15 random bytes behind the packet, which the length
 * counts. The reader is not told how many: an encrypted packet is 24 bytes and a multiple of 16, an unencrypted one
 * knows its own length, and what is shorter than either begins with a code.
 *
 * @since 1.0.0
 */
import type { Event, Framing } from "../Framing.ts"
import { defaultMaxLength } from "../Framing.ts"
import { bad, decoder, limit, setWord, word, wordBytes } from "../internal/framing.ts"

/**
 * @category framings
 * @since 1.0.0
 */
export const PaddedIntermediate: Framing = {
  name: "padded intermediate",
  tag: Uint8Array.of(0xdd, 0xdd, 0xdd, 0xdd),
  obfuscationTag: Uint8Array.of(0xdd, 0xdd, 0xdd, 0xdd),
  encoder: ({ randomBytes }) => {
    const padding = () => randomBytes(randomBytes(1)[0]! & 15)
    return {
      packet: (payload, options) => frame(payload, padding(), options),
      quickAck: (token) => wordBytes(token | 0x80000000),
      transportError: (code) => frame(wordBytes(code), padding())
    }
  },
  decoder: ({ maxLength = defaultMaxLength, side }) =>
    decoder({
      measure: (b, at, available) => {
        if (available < 4) return 0
        const head = word(b, at)
        if (side === "client" && head < 0) return 4
        const length = head & 0x7fffffff
        if (length < 4) bad("BadLength", `a frame of ${length} bytes`)
        limit(length, maxLength)
        return 4 + length
      },
      take: (b, at, size): Event | undefined => {
        const head = word(b, at)
        if (side === "client" && head < 0) return { _tag: "QuickAck", token: head >>> 0 }
        const length = size - 4
        if (length < 20) {
          const code = word(b, at + 4)
          return code === 0 ? undefined : { _tag: "TransportError", code }
        }
        return { _tag: "Packet", payload: b.subarray(at + 4, at + 4 + unpad(b, at + 4, length)), quickAck: head < 0 }
      }
    })
}

/**
 * The bytes of a packet with this padding.
 *
 * @throws FramingError if there is no packet, or more than 15 bytes of padding
 * @category encoding
 * @since 1.0.0
 */
export const frame = (
  payload: Uint8Array,
  padding: Uint8Array,
  options?: { readonly quickAck?: boolean | undefined }
): Uint8Array => {
  if (payload.length < 4) bad("BadLength", `a packet of ${payload.length} bytes`)
  if (padding.length > 15) bad("BadLength", `${padding.length} bytes of padding`)
  const length = payload.length + padding.length
  const bytes = new Uint8Array(4 + length)
  setWord(bytes, 0, options?.quickAck === true ? length | 0x80000000 : length)
  bytes.set(payload, 4)
  bytes.set(padding, 4 + payload.length)
  return bytes
}

// The length of the packet in a frame of at least 20 bytes. A length that cannot be is left to whoever reads packets.
const unpad = (b: Uint8Array, at: number, length: number): number => {
  if (word(b, at) === 0 && word(b, at + 4) === 0) {
    const data = word(b, at + 16)
    return data >= 0 && data <= length - 20 ? 20 + data : length
  }
  return length < 24 ? length : 24 + (length - 24 & ~15)
}
