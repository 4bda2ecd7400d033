/** What the incremental decoders of all framings share. */
import type { Decoder, Event } from "../Framing.ts"
import { FramingError } from "../Framing.ts"
import { release } from "../Memory.ts"

/** How one framing reads its frames. Both functions may throw a `FramingError`. */
export interface Rules {
  /** The size of the frame at `at`, or 0 if its header is not complete. */
  readonly measure: (bytes: Uint8Array, at: number, available: number) => number
  /** What the frame at `at` is; undefined if it is nothing. */
  readonly take: (bytes: Uint8Array, at: number, size: number) => Event | undefined
}

/** Memory follows what really arrives, and not at once what a header promises. */
const GROWTH = 16
/** What comes with the end of a frame of the next. */
const ROOM = 65_536

export const decoder = (rules: Rules): Decoder => {
  // What was left over. Its bytes are never overwritten: payloads that were handed out are views of it.
  let tail = new Uint8Array(0)
  let length = 0
  /** The size of the frame that is not complete, as far as its header has said it. */
  let promised = 0
  let failure: ReadonlyArray<Event> | undefined
  return {
    push: (chunk) => {
      if (failure !== undefined) return failure
      const events: Array<Event> = []
      let bytes: Uint8Array
      if (length === 0) bytes = chunk
      else {
        const needed = length + chunk.length
        if (needed > tail.length) {
          const grown = new Uint8Array(Math.max(needed, Math.min(promised + ROOM, GROWTH * tail.length)))
          grown.set(tail.subarray(0, length))
          // nothing of it was handed out
          release(tail)
          tail = grown
        }
        tail.set(chunk, length)
        bytes = tail.subarray(0, length + chunk.length)
      }
      let at = 0
      try {
        while (at < bytes.length) {
          const size = rules.measure(bytes, at, bytes.length - at)
          if (size === 0 || size > bytes.length - at) {
            promised = size
            break
          }
          const event = rules.take(bytes, at, size)
          if (event !== undefined) events.push(event)
          at += size
        }
      } catch (e) {
        if (!(e instanceof FramingError)) throw e
        failure = [{ _tag: "Failed", error: e }]
        events.push(...failure)
        tail = new Uint8Array(0)
        length = 0
        return events
      }
      if (at === 0 && bytes !== chunk) length = bytes.length
      else {
        length = bytes.length - at
        tail = bytes.slice(at)
      }
      return events
    }
  }
}

export const bad = (reason: FramingError["reason"], detail: string): never => {
  throw new FramingError({ reason, detail })
}

/** @throws FramingError if a frame is longer than the limit, before anything of it is kept */
export const limit = (length: number, maxLength: number): void => {
  if (length > maxLength) bad("TooLong", `a frame of ${length} bytes where at most ${maxLength} are allowed`)
}

export const word = (b: Uint8Array, at: number): number =>
  b[at]! | b[at + 1]! << 8 | b[at + 2]! << 16 | b[at + 3]! << 24

export const setWord = (b: Uint8Array, at: number, value: number): void => {
  b[at] = value
  b[at + 1] = value >>> 8
  b[at + 2] = value >>> 16
  b[at + 3] = value >>> 24
}

export const wordBytes = (value: number): Uint8Array => {
  const b = new Uint8Array(4)
  setWord(b, 0, value)
  return b
}

/** A frame of four bytes is a code; zero means nothing at all. */
export const packetOrCode = (payload: Uint8Array, quickAck: boolean): Event | undefined => {
  if (payload.length !== 4) return { _tag: "Packet", payload, quickAck }
  const code = word(payload, 0)
  return code === 0 ? undefined : { _tag: "TransportError", code }
}
