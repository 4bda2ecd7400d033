/**
 * The abridged framing: the length in words of four bytes, in one byte if it is less than 127, else in `7F` and three
 * bytes. The lightest of all. A quick acknowledgement is asked for by bit 7 of the first byte and given as four bytes
 * in reverse order, so that its first byte has bit 7 set.
 *
 * @since 1.0.0
 */
import type { Framing } from "../Framing.ts"
import { defaultMaxLength } from "../Framing.ts"
import { bad, decoder, limit, packetOrCode, wordBytes } from "../internal/framing.ts"

/**
 * @category framings
 * @since 1.0.0
 */
export const Abridged: Framing = {
  name: "abridged",
  tag: Uint8Array.of(0xef),
  obfuscationTag: Uint8Array.of(0xef, 0xef, 0xef, 0xef),
  encoder: () => ({
    packet,
    quickAck: (token) => wordBytes(token | 0x80000000).toReversed(),
    transportError: (code) => packet(wordBytes(code))
  }),
  decoder: ({ maxLength = defaultMaxLength, side }) =>
    decoder({
      measure: (b, at, available) => {
        const first = b[at]!
        if (side === "client" && first >= 0x80) return 4
        const short = first & 0x7f
        if (short === 0x7f && available < 4) return 0
        const head = short === 0x7f ? 4 : 1
        const length = (head === 1 ? short : b[at + 1]! | b[at + 2]! << 8 | b[at + 3]! << 16) * 4
        if (length === 0) bad("BadLength", "an empty frame")
        limit(length, maxLength)
        return head + length
      },
      take: (b, at, size) => {
        const first = b[at]!
        if (side === "client" && first >= 0x80) {
          const token = (b[at]! << 24 | b[at + 1]! << 16 | b[at + 2]! << 8 | b[at + 3]!) >>> 0
          return { _tag: "QuickAck", token }
        }
        return packetOrCode(b.subarray(at + ((first & 0x7f) === 0x7f ? 4 : 1), at + size), first >= 0x80)
      }
    })
}

const packet = (payload: Uint8Array, options?: { readonly quickAck?: boolean | undefined }): Uint8Array => {
  const words = payload.length / 4
  if (!Number.isInteger(words) || words === 0) bad("BadLength", `a packet of ${payload.length} bytes`)
  if (words >= 1 << 24) bad("TooLong", `a packet of ${payload.length} bytes where 2^26 - 4 are the most`)
  const ack = options?.quickAck === true ? 0x80 : 0
  const head = words < 0x7f ? 1 : 4
  const frame = new Uint8Array(head + payload.length)
  if (head === 1) frame[0] = words | ack
  else {
    frame[0] = 0x7f | ack
    frame[1] = words
    frame[2] = words >>> 8
    frame[3] = words >>> 16
  }
  frame.set(payload, head)
  return frame
}
