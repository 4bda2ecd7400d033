/**
 * The intermediate framing: a length of four bytes, then the packet. A quick acknowledgement is asked for by bit 31 of
 * the length and given as four bytes with bit 31 set in place of a length.
 *
 * @since 1.0.0
 */
import type { Framing } from "../Framing.ts"
import { defaultMaxLength } from "../Framing.ts"
import { bad, decoder, limit, packetOrCode, setWord, word, wordBytes } from "../internal/framing.ts"

/**
 * @category framings
 * @since 1.0.0
 */
export const Intermediate: Framing = {
  name: "intermediate",
  tag: Uint8Array.of(0xee, 0xee, 0xee, 0xee),
  obfuscationTag: Uint8Array.of(0xee, 0xee, 0xee, 0xee),
  encoder: () => ({
    packet,
    quickAck: (token) => wordBytes(token | 0x80000000),
    transportError: (code) => packet(wordBytes(code))
  }),
  decoder: ({ maxLength = defaultMaxLength, side }) =>
    decoder({
      measure: (b, at, available) => {
        if (available < 4) return 0
        const head = word(b, at)
        if (side === "client" && head < 0) return 4
        const length = head & 0x7fffffff
        if (length === 0) bad("BadLength", "an empty frame")
        limit(length, maxLength)
        return 4 + length
      },
      take: (b, at, size) => {
        const head = word(b, at)
        if (side === "client" && head < 0) return { _tag: "QuickAck", token: head >>> 0 }
        return packetOrCode(b.subarray(at + 4, at + size), head < 0)
      }
    })
}

const packet = (payload: Uint8Array, options?: { readonly quickAck?: boolean | undefined }): Uint8Array => {
  if (payload.length === 0) bad("BadLength", "an empty packet")
  const frame = new Uint8Array(4 + payload.length)
  setWord(frame, 0, options?.quickAck === true ? payload.length | 0x80000000 : payload.length)
  frame.set(payload, 4)
  return frame
}
