/**
 * The full framing: total length, sequence number, packet, CRC-32 of all that. The numbers start at 0 in each direction.
 * There is no quick acknowledgement and no tag. It cannot be obfuscated.
 *
 * @since 1.0.0
 */
import type { Event, Framing } from "../Framing.ts"
import { defaultMaxLength } from "../Framing.ts"
import { crc32 } from "../internal/crc32.ts"
import { bad, decoder, limit, packetOrCode, setWord, word, wordBytes } from "../internal/framing.ts"

/**
 * @category framings
 * @since 1.0.0
 */
export const Full: Framing = {
  name: "full",
  tag: new Uint8Array(0),
  obfuscationTag: undefined,
  encoder: () => {
    let next = 0
    return {
      packet: (payload) => frame(payload, next++),
      quickAck: () => bad("BadLength", "the full framing has no quick acknowledgement"),
      transportError: (code) => frame(wordBytes(code), next++)
    }
  },
  decoder: ({ maxLength = defaultMaxLength }) => {
    let next = 0
    return decoder({
      measure: (b, at, available) => {
        if (available < 4) return 0
        const length = word(b, at)
        // Servers that are flooded send the code three times in place of a frame.
        if (length < 0) return 12
        if (length <= 12) bad("BadLength", `a frame of ${length} bytes`)
        limit(length - 12, maxLength)
        return length
      },
      take: (b, at, size): Event | undefined => {
        if (word(b, at) < 0) return { _tag: "TransportError", code: word(b, at) }
        const number = word(b, at + 4)
        if (number !== next) bad("BadSequence", `frame ${number} where ${next} is next`)
        if (crc32(b.subarray(at, at + size - 4)) !== word(b, at + size - 4) >>> 0) {
          bad("BadChecksum", `a checksum that does not fit frame ${number}`)
        }
        next++
        return packetOrCode(b.subarray(at + 8, at + size - 4), false)
      }
    })
  }
}

/**
 * The bytes of the packet with this number.
 *
 * @throws FramingError if the packet is empty
 * @category encoding
 * @since 1.0.0
 */
export const frame = (payload: Uint8Array, number: number): Uint8Array => {
  if (payload.length === 0) bad("BadLength", "an empty packet")
  const bytes = new Uint8Array(payload.length + 12)
  setWord(bytes, 0, bytes.length)
  setWord(bytes, 4, number)
  bytes.set(payload, 8)
  setWord(bytes, payload.length + 8, crc32(bytes.subarray(0, payload.length + 8)))
  return bytes
}
