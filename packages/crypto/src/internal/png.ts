/**
 * A PNG encoder for small pictures of four colours (ISO 15948): palette, two
 * bits a pixel, stored without compression.
 */
import * as Bytes from "./bytes.ts"

export const encodePng = (picture: {
  readonly width: number
  readonly height: number
  readonly palette: readonly [string, string, string, string]
  readonly pixel: (x: number, y: number) => number
}): Uint8Array => {
  const { height, width } = picture
  const stride = 1 + Math.ceil(width / 4)
  const rows = new Uint8Array(stride * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      rows[y * stride + 1 + (x >> 2)]! |= picture.pixel(x, y) << (6 - 2 * (x & 3))
    }
  }
  const header = Bytes.concat([int(width), int(height), Uint8Array.of(2, 3, 0, 0, 0)])
  const palette = Uint8Array.from(
    picture.palette.flatMap((color) => [0, 2, 4].map((i) => Number.parseInt(color.slice(i, i + 2), 16)))
  )
  return Bytes.concat([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    chunk("PLTE", palette),
    chunk("IDAT", zlibStored(rows)),
    chunk("IEND", new Uint8Array(0))
  ])
}

const int = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)

const chunk = (type: string, data: Uint8Array): Uint8Array => {
  const body = Bytes.concat([Uint8Array.from(type, (letter) => letter.charCodeAt(0)), data])
  return Bytes.concat([int(data.length), body, int(crc32(body))])
}

// RFC 1950 around stored blocks of RFC 1951
const zlibStored = (data: Uint8Array): Uint8Array => {
  const parts: Array<Uint8Array> = [Uint8Array.of(0x78, 0x01)]
  for (let start = 0; start < data.length; start += 65535) {
    const block = data.subarray(start, start + 65535)
    const last = start + 65535 >= data.length ? 1 : 0
    parts.push(Uint8Array.of(last, block.length, block.length >> 8, ~block.length, ~block.length >> 8), block)
  }
  let a = 1
  let b = 0
  for (const byte of data) {
    a = (a + byte) % 65521
    b = (b + a) % 65521
  }
  parts.push(int((b << 16) | a))
  return Bytes.concat(parts)
}

const crc32 = (data: Uint8Array): number => {
  let crc = -1
  for (const byte of data) {
    crc ^= byte
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
