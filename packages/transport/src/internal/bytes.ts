/**
 * Byte-array helpers of this package. Everything on the wire is little-endian.
 */

export const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
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

export const equals = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Eight bytes as a TL `long`: signed. */
export const readLong = (bytes: Uint8Array, offset: number): bigint =>
  new DataView(bytes.buffer, bytes.byteOffset + offset, 8).getBigInt64(0, true)

export const writeLong = (bytes: Uint8Array, offset: number, value: bigint): void =>
  new DataView(bytes.buffer, bytes.byteOffset + offset, 8).setBigInt64(0, value, true)

export const readInt = (bytes: Uint8Array, offset: number): number =>
  bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)

export const writeInt = (bytes: Uint8Array, offset: number, value: number): void => {
  bytes[offset] = value
  bytes[offset + 1] = value >> 8
  bytes[offset + 2] = value >> 16
  bytes[offset + 3] = value >> 24
}

/** A TL constructor id, as the unsigned number it is written as in schemas. */
export const readId = (bytes: Uint8Array, offset = 0): number =>
  bytes.length < offset + 4 ? 0 : readInt(bytes, offset) >>> 0

/** A number as big-endian bytes without leading zeros. */
export const bigEndian = (value: bigint): Uint8Array => {
  const hex = value.toString(16)
  const padded = hex.length % 2 === 0 ? hex : `0${hex}`
  const out = new Uint8Array(padded.length / 2)
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(padded.slice(2 * i, 2 * i + 2), 16)
  return out
}

export const fromBigEndian = (bytes: Uint8Array): bigint => {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return value
}
