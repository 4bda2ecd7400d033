/** CRC-32 of IEEE 802.3 (the one of zlib): constructor ids and the check of the full framing. */

let table: Uint32Array | undefined

const makeTable = (): Uint32Array => {
  const t = new Uint32Array(256)
  for (let i = 0; i < 256; i++) {
    let c = i
    for (let k = 0; k < 8; k++) c = c & 1 ? c >>> 1 ^ 0xedb88320 : c >>> 1
    t[i] = c
  }
  return t
}

/** Unsigned. Give the result of an earlier part as `seed` to go on. */
export const crc32 = (bytes: Uint8Array, seed = 0): number => {
  const t = table ??= makeTable()
  let c = ~seed
  for (let i = 0; i < bytes.length; i++) c = c >>> 8 ^ t[(c ^ bytes[i]!) & 255]!
  return ~c >>> 0
}
