/**
 * Byte-array helpers of this package.
 */

const HEX: ReadonlyArray<string> = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"))

export const toHex = (bytes: Uint8Array): string => {
  let hex = ""
  for (const byte of bytes) hex += HEX[byte]!
  return hex
}

export const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (parts.length === 1) return parts[0]!
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

/** Compares bytes of messages that are public to both sides; not for secrets. */
export const equals = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** An unsigned big-endian number. */
export const toBigInt = (bytes: Uint8Array): bigint => bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`)

/** An unsigned big-endian number, left-padded with zeros to `length`; the value must fit. */
export const fromBigInt = (value: bigint, length: number): Uint8Array => {
  const out = new Uint8Array(length)
  for (let i = length - 1, rest = value; i >= 0 && rest > 0n; i--, rest >>= 8n) out[i] = Number(rest & 0xffn)
  return out
}

/** Left-pads with zeros, or drops leading zeros, to exactly `length`; `undefined` if the number does not fit. */
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

/** Eight bytes as a signed little-endian number: a TL `long`. */
export const readLong = (bytes: Uint8Array, offset: number): bigint =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigInt64(offset, true)

/** Four bytes as a signed little-endian number: a TL `int`. */
export const readInt = (bytes: Uint8Array, offset: number): number =>
  bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)

export const writeLong = (bytes: Uint8Array, offset: number, value: bigint): void =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length).setBigInt64(offset, value, true)

export const writeInt = (bytes: Uint8Array, offset: number, value: number): void => {
  bytes[offset] = value
  bytes[offset + 1] = value >> 8
  bytes[offset + 2] = value >> 16
  bytes[offset + 3] = value >> 24
}
