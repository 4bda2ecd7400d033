/**
 * Just enough DER to read and write RSA keys: sequences, integers, bit and octet
 * strings. Reading is strict and bounded by the input.
 */
import * as Bytes from "./bytes.ts"

export const SEQUENCE = 0x30
export const INTEGER = 0x02
export const BIT_STRING = 0x03
export const OCTET_STRING = 0x04

export interface Element {
  readonly tag: number
  readonly content: Uint8Array
}

/** All elements of `bytes`, one after the other, or undefined if they are not well-formed DER. */
export const read = (bytes: Uint8Array): ReadonlyArray<Element> | undefined => {
  const elements: Array<Element> = []
  let offset = 0
  while (offset < bytes.length) {
    if (bytes.length - offset < 2) return undefined
    const tag = bytes[offset]!
    let length = bytes[offset + 1]!
    offset += 2
    if (length >= 0x80) {
      const size = length & 0x7f
      if (size === 0 || size > 3 || bytes.length - offset < size) return undefined
      length = 0
      for (let i = 0; i < size; i++) length = (length << 8) | bytes[offset++]!
    }
    if (length > bytes.length - offset) return undefined
    elements.push({ tag, content: bytes.subarray(offset, offset + length) })
    offset += length
  }
  return elements
}

/** The elements inside the only element of `bytes`, which must be a sequence. */
export const readSequence = (bytes: Uint8Array): ReadonlyArray<Element> | undefined => {
  const outer = read(bytes)
  return outer?.length === 1 && outer[0]!.tag === SEQUENCE ? read(outer[0]!.content) : undefined
}

/** The value of a non-negative integer, without leading zeros. */
export const readUnsigned = (element: Element | undefined): Uint8Array | undefined =>
  element !== undefined && element.tag === INTEGER && element.content.length > 0 && element.content[0]! < 0x80
    ? Bytes.stripLeadingZeros(element.content)
    : undefined

export const write = (tag: number, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const content = Bytes.concat(parts)
  const n = content.length
  const header = n < 0x80
    ? [tag, n]
    : n < 0x100
    ? [tag, 0x81, n]
    : n < 0x10000
    ? [tag, 0x82, n >> 8, n & 0xff]
    : [tag, 0x83, n >> 16, (n >> 8) & 0xff, n & 0xff]
  return Bytes.concat([Uint8Array.from(header), content])
}

export const writeUnsigned = (value: Uint8Array): Uint8Array => {
  const minimal = Bytes.stripLeadingZeros(value)
  return minimal.length === 0 || minimal[0]! >= 0x80
    ? write(INTEGER, Uint8Array.of(0), minimal)
    : write(INTEGER, minimal)
}
