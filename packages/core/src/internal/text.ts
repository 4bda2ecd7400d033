/**
 * UTF-8 as TL strings need it. Node's `Buffer` methods are the fastest for all but the shortest strings; where they
 * are missing (browsers), `TextEncoder` and `TextDecoder` do the same. Both replace what is not valid: lone
 * surrogates become U+FFFD when written, ill-formed bytes become U+FFFD when read.
 */

interface NodeBuffer {
  readonly utf8Slice: (this: Uint8Array, start: number, end: number) => string
  readonly utf8Write: (this: Uint8Array, text: string, offset: number, length: number) => number
}

interface NodeBufferConstructor {
  readonly prototype: NodeBuffer
}

const nodeBuffer: NodeBuffer | undefined = (() => {
  const candidate = (globalThis as { readonly Buffer?: NodeBufferConstructor }).Buffer?.prototype
  return typeof candidate?.utf8Slice === "function" && typeof candidate.utf8Write === "function" ? candidate : undefined
})()

const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
const encoder = new TextEncoder()
const chars = String.fromCharCode

const nativeSlice = nodeBuffer?.utf8Slice
const nativeWrite = nodeBuffer?.utf8Write

/** Reads UTF-8 between two offsets that the caller has checked. */
const sliceText: (bytes: Uint8Array, start: number, end: number) => string = nativeSlice === undefined
  ? (bytes, start, end) => decoder.decode(bytes.subarray(start, end))
  : (bytes, start, end) => nativeSlice.call(bytes, start, end)

/** Writes UTF-8 at an offset behind which the caller has reserved three bytes per UTF-16 unit; returns the length. */
export const writeText: (bytes: Uint8Array, offset: number, text: string) => number = nativeWrite === undefined
  ? (bytes, offset, text) => encoder.encodeInto(text, bytes.subarray(offset)).written
  : (bytes, offset, text) => nativeWrite.call(bytes, text, offset, bytes.length - offset)

/**
 * Reads UTF-8 between two offsets that the caller has checked.
 *
 * Up to 16 ASCII bytes go through one `String.fromCharCode` of fixed arity: half the cost of any native call.
 */
export const readText = (b: Uint8Array, p: number, n: number): string => {
  if (n > 16) return sliceText(b, p, p + n)
  let any = 0
  for (let i = p, end = p + n; i < end; i++) any |= b[i]!
  if (any > 127) return sliceText(b, p, p + n)
  switch (n) {
    case 0:
      return ""
    case 1:
      return chars(b[p]!)
    case 2:
      return chars(b[p]!, b[p + 1]!)
    case 3:
      return chars(b[p]!, b[p + 1]!, b[p + 2]!)
    case 4:
      return chars(b[p]!, b[p + 1]!, b[p + 2]!, b[p + 3]!)
    case 5:
      return chars(b[p]!, b[p + 1]!, b[p + 2]!, b[p + 3]!, b[p + 4]!)
    case 6:
      return chars(b[p]!, b[p + 1]!, b[p + 2]!, b[p + 3]!, b[p + 4]!, b[p + 5]!)
    case 7:
      return chars(b[p]!, b[p + 1]!, b[p + 2]!, b[p + 3]!, b[p + 4]!, b[p + 5]!, b[p + 6]!)
    case 8:
      return chars(b[p]!, b[p + 1]!, b[p + 2]!, b[p + 3]!, b[p + 4]!, b[p + 5]!, b[p + 6]!, b[p + 7]!)
    default:
      return readAscii(b, p, n)
  }
}

// Apart from `readText` so that the common case stays small enough to be inlined.
const readAscii = (b: Uint8Array, p: number, n: number): string => {
  const a0 = b[p]!, a1 = b[p + 1]!, a2 = b[p + 2]!, a3 = b[p + 3]!
  const a4 = b[p + 4]!, a5 = b[p + 5]!, a6 = b[p + 6]!, a7 = b[p + 7]!, a8 = b[p + 8]!
  const q = p + 9
  switch (n) {
    case 9:
      return chars(a0, a1, a2, a3, a4, a5, a6, a7, a8)
    case 10:
      return chars(a0, a1, a2, a3, a4, a5, a6, a7, a8, b[q]!)
    case 11:
      return chars(a0, a1, a2, a3, a4, a5, a6, a7, a8, b[q]!, b[q + 1]!)
    case 12:
      return chars(a0, a1, a2, a3, a4, a5, a6, a7, a8, b[q]!, b[q + 1]!, b[q + 2]!)
    case 13:
      return chars(a0, a1, a2, a3, a4, a5, a6, a7, a8, b[q]!, b[q + 1]!, b[q + 2]!, b[q + 3]!)
    case 14:
      return chars(a0, a1, a2, a3, a4, a5, a6, a7, a8, b[q]!, b[q + 1]!, b[q + 2]!, b[q + 3]!, b[q + 4]!)
    case 15:
      return chars(a0, a1, a2, a3, a4, a5, a6, a7, a8, b[q]!, b[q + 1]!, b[q + 2]!, b[q + 3]!, b[q + 4]!, b[q + 5]!)
    default:
      return chars(
        a0,
        a1,
        a2,
        a3,
        a4,
        a5,
        a6,
        a7,
        a8,
        b[q]!,
        b[q + 1]!,
        b[q + 2]!,
        b[q + 3]!,
        b[q + 4]!,
        b[q + 5]!,
        b[q + 6]!
      )
  }
}

/** Writes a short string if all of it is ASCII; returns -1 at the first character that is not. */
export const writeAscii = (bytes: Uint8Array, offset: number, text: string): number => {
  const n = text.length
  for (let i = 0; i < n; i++) {
    const c = text.charCodeAt(i)
    if (c > 127) return -1
    bytes[offset + i] = c
  }
  return n
}

const countUtf8 = (text: string): number => {
  let n = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c < 0x80) n += 1
    else if (c < 0x800) n += 2
    else if (c >= 0xd800 && c < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      n += 4
      i++
    } else n += 3
  }
  return n
}

/** The length of a string in UTF-8, with lone surrogates counted as U+FFFD. */
export const utf8Length: (text: string) => number = nodeBuffer === undefined || Buffer.byteLength === undefined
  ? countUtf8
  : (text) => Buffer.byteLength(text, "utf8")
