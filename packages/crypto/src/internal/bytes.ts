/**
 * Byte-array helpers shared by the modules of this package.
 */

export const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

/** Reads an unsigned big-endian number. */
export const toBigInt = (bytes: Uint8Array): bigint => {
  if (bytes.length === 0) return 0n
  let hex = "0x"
  for (let i = 0; i < bytes.length; i++) hex += HEX[bytes[i]!]
  return BigInt(hex)
}

const HEX: ReadonlyArray<string> = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"))

export const toHex = (bytes: Uint8Array): string => {
  let hex = ""
  for (let i = 0; i < bytes.length; i++) hex += HEX[bytes[i]!]
  return hex
}

/** Writes an unsigned big-endian number, left-padded to `length`; the value must fit. */
export const fromBigInt = (value: bigint, length: number): Uint8Array => {
  const out = new Uint8Array(length)
  const hex = value.toString(16)
  let end = hex.length
  for (let i = length - 1; i >= 0 && end > 0; i--) {
    out[i] = Number.parseInt(hex.slice(Math.max(0, end - 2), end), 16)
    end -= 2
  }
  return out
}

/** Without leading zero bytes; zero becomes the empty array. */
export const stripLeadingZeros = (bytes: Uint8Array): Uint8Array => {
  let start = 0
  while (start < bytes.length && bytes[start] === 0) start++
  return bytes.slice(start)
}

/** Left-pads to `length`, or drops leading zeros down to it; undefined if the number does not fit. */
export const toLength = (bytes: Uint8Array, length: number): Uint8Array | undefined => {
  const extra = bytes.length - length
  if (extra <= 0) {
    const out = new Uint8Array(length)
    out.set(bytes, -extra)
    return out
  }
  for (let i = 0; i < extra; i++) if (bytes[i] !== 0) return undefined
  return bytes.slice(extra)
}

// a view for each call would cost more than all the rest
const scratch = new DataView(new ArrayBuffer(8))
const scratchBytes = new Uint8Array(scratch.buffer)

/** Eight bytes as a TL `long`: little-endian, signed. */
export const readLong = (bytes: Uint8Array, offset: number): bigint => {
  if (offset + 8 > bytes.length) throw new RangeError("the array is too short")
  for (let i = 0; i < 8; i++) scratchBytes[i] = bytes[offset + i]!
  return scratch.getBigInt64(0, true)
}

export const writeLong = (bytes: Uint8Array, offset: number, value: bigint): void => {
  scratch.setBigInt64(0, value, true)
  for (let i = 0; i < 8; i++) bytes[offset + i] = scratchBytes[i]!
}

export const readInt = (bytes: Uint8Array, offset: number): number =>
  bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)

export const writeInt = (bytes: Uint8Array, offset: number, value: number): void => {
  bytes[offset] = value
  bytes[offset + 1] = value >> 8
  bytes[offset + 2] = value >> 16
  bytes[offset + 3] = value >> 24
}

/** -1, 0 or 1 for unsigned big-endian numbers of equal length. Not constant time. */
export const compare = (a: Uint8Array, b: Uint8Array): number => {
  for (let i = 0; i < a.length; i++) {
    if (a[i]! !== b[i]!) return a[i]! < b[i]! ? -1 : 1
  }
  return 0
}
