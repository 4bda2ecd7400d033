/**
 * Reading deflated data (RFC 1951) in its gzip (RFC 1952) and zlib (RFC 1950) wrappings, for where the platform has
 * nothing synchronous to do that with: browsers. Bounded: it stops as soon as the result would exceed its limit.
 */

/** Codes of one alphabet: how many there are of each length, and the symbols in the order of their codes. */
interface Codes {
  readonly counts: Uint16Array
  readonly symbols: Uint16Array
}

class Malformed extends Error {}

const LONGEST_CODE = 15
const END = 256

const LENGTHS = [
  3,
  4,
  5,
  6,
  7,
  8,
  9,
  10,
  11,
  13,
  15,
  17,
  19,
  23,
  27,
  31,
  35,
  43,
  51,
  59,
  67,
  83,
  99,
  115,
  131,
  163,
  195,
  227,
  258
]
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
const DISTANCES = [
  1,
  2,
  3,
  4,
  5,
  7,
  9,
  13,
  17,
  25,
  33,
  49,
  65,
  97,
  129,
  193,
  257,
  385,
  513,
  769,
  1025,
  1537,
  2049,
  3073,
  4097,
  6145,
  8193,
  12289,
  16385,
  24577
]
const DISTANCE_BITS = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13]
/** The order in which the lengths of the codes for code lengths are written. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

/** Canonical codes from their lengths; a set that leaves codes over is allowed for a single one only. */
const makeCodes = (lengths: ReadonlyArray<number>): Codes => {
  const counts = new Uint16Array(LONGEST_CODE + 1)
  for (const length of lengths) counts[length]!++
  let left = 1
  for (let length = 1; length <= LONGEST_CODE; length++) {
    left = (left << 1) - counts[length]!
    if (left < 0) throw new Malformed()
  }
  const used = lengths.length - counts[0]!
  if (left > 0 && used > 1) throw new Malformed()
  counts[0] = 0
  const offsets = new Uint16Array(LONGEST_CODE + 2)
  for (let length = 1; length <= LONGEST_CODE; length++) offsets[length + 1] = offsets[length]! + counts[length]!
  const symbols = new Uint16Array(used)
  lengths.forEach((length, symbol) => {
    if (length !== 0) symbols[offsets[length]!++] = symbol
  })
  return { counts, symbols }
}

const fixed = (() => {
  let made: readonly [literals: Codes, distances: Codes] | undefined
  return () =>
    made ??= [
      makeCodes(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8))),
      makeCodes(Array.from({ length: 32 }, () => 5))
    ]
})()

class Inflater {
  readonly input: Uint8Array
  readonly limit: number
  position: number
  bits = 0
  bitCount = 0
  out: Uint8Array
  size = 0

  constructor(input: Uint8Array, start: number, limit: number) {
    this.input = input
    this.position = start
    this.limit = limit
    this.out = new Uint8Array(Math.min(limit, Math.max(1_024, 4 * input.length)))
  }

  run(): Uint8Array {
    let isLast = false
    while (!isLast) {
      isLast = this.read(1) === 1
      switch (this.read(2)) {
        case 0:
          this.stored()
          break
        case 1:
          this.block(...fixed())
          break
        case 2:
          this.block(...this.codes())
          break
        default:
          throw new Malformed()
      }
    }
    return this.out.slice(0, this.size)
  }

  /** Bits of a number, the lowest first. */
  read(count: number): number {
    while (this.bitCount < count) {
      if (this.position >= this.input.length) throw new Malformed()
      this.bits |= this.input[this.position++]! << this.bitCount
      this.bitCount += 8
    }
    const value = this.bits & ((1 << count) - 1)
    this.bits >>>= count
    this.bitCount -= count
    return value
  }

  symbol({ counts, symbols }: Codes): number {
    let code = 0
    let first = 0
    let index = 0
    for (let length = 1; length <= LONGEST_CODE; length++) {
      code |= this.read(1)
      const count = counts[length]!
      if (code - count < first) return symbols[index + code - first]!
      index += count
      first = (first + count) << 1
      code <<= 1
    }
    throw new Malformed()
  }

  grow(more: number): void {
    const size = this.size + more
    if (size > this.limit) throw new Malformed()
    if (size <= this.out.length) return
    const larger = new Uint8Array(Math.min(this.limit, Math.max(size, 2 * this.out.length)))
    larger.set(this.out)
    this.out = larger
  }

  stored(): void {
    this.bits = 0
    this.bitCount = 0
    const { input, position } = this
    if (position + 4 > input.length) throw new Malformed()
    const length = input[position]! | (input[position + 1]! << 8)
    const complement = input[position + 2]! | (input[position + 3]! << 8)
    if (length !== (complement ^ 0xffff) || position + 4 + length > input.length) throw new Malformed()
    this.grow(length)
    this.out.set(input.subarray(position + 4, position + 4 + length), this.size)
    this.size += length
    this.position = position + 4 + length
  }

  /** The codes that a block brings along. */
  codes(): [literals: Codes, distances: Codes] {
    const literalCount = this.read(5) + 257
    const distanceCount = this.read(5) + 1
    const lengthCount = this.read(4) + 4
    if (literalCount > 286 || distanceCount > 30) throw new Malformed()
    const lengths = Array.from({ length: 19 }, () => 0)
    for (let i = 0; i < lengthCount; i++) lengths[ORDER[i]!] = this.read(3)
    const lengthCodes = makeCodes(lengths)
    const all: Array<number> = []
    while (all.length < literalCount + distanceCount) {
      const symbol = this.symbol(lengthCodes)
      if (symbol < 16) {
        all.push(symbol)
        continue
      }
      const previous = all.at(-1)
      if (symbol === 16 && previous === undefined) throw new Malformed()
      const repeated = symbol === 16 ? previous! : 0
      const times = symbol === 16 ? 3 + this.read(2) : symbol === 17 ? 3 + this.read(3) : 11 + this.read(7)
      for (let i = 0; i < times; i++) all.push(repeated)
    }
    if (all.length > literalCount + distanceCount || all[END] === 0) throw new Malformed()
    return [makeCodes(all.slice(0, literalCount)), makeCodes(all.slice(literalCount))]
  }

  block(literals: Codes, distances: Codes): void {
    while (true) {
      const symbol = this.symbol(literals)
      if (symbol === END) return
      if (symbol < END) {
        this.grow(1)
        this.out[this.size++] = symbol
        continue
      }
      const base = LENGTHS[symbol - 257]
      if (base === undefined) throw new Malformed()
      const length = base + this.read(LENGTH_BITS[symbol - 257]!)
      const which = this.symbol(distances)
      if (which >= DISTANCES.length) throw new Malformed()
      const distance = DISTANCES[which]! + this.read(DISTANCE_BITS[which]!)
      if (distance > this.size) throw new Malformed()
      this.grow(length)
      // what is copied may overlap with what it is copied to
      for (let i = 0; i < length; i++, this.size++) this.out[this.size] = this.out[this.size - distance]!
    }
  }

  /** The number that follows the data, of four bytes. */
  trailer(bigEndian: boolean): number {
    const { input, position } = this
    if (position + 4 > input.length) throw new Malformed()
    this.position += 4
    return new DataView(input.buffer, input.byteOffset + position, 4).getUint32(0, !bigEndian)
  }
}

// ----- wrappings

const HAS_CRC = 2
const HAS_EXTRA = 4
const HAS_NAME = 8
const HAS_COMMENT = 16

/** Where the data of a gzip member begins. */
const skipHeader = (data: Uint8Array): number => {
  if (data.length < 18 || data[2] !== 8) throw new Malformed()
  const flags = data[3]!
  let at = 10
  if ((flags & HAS_EXTRA) !== 0) at += 2 + (data[at]! | (data[at + 1]! << 8))
  for (const text of [HAS_NAME, HAS_COMMENT]) {
    if ((flags & text) === 0) continue
    const end = data.indexOf(0, at)
    if (end < 0) throw new Malformed()
    at = end + 1
  }
  return (flags & HAS_CRC) === 0 ? at : at + 2
}

const crcTable = (() => {
  let table: Uint32Array | undefined
  return () =>
    table ??= Uint32Array.from({ length: 256 }, (_, n) => {
      let c = n
      for (let k = 0; k < 8; k++) c = (c & 1) === 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
      return c
    })
})()

const crc32 = (bytes: Uint8Array): number => {
  const table = crcTable()
  let crc = 0xffffffff
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

const adler32 = (bytes: Uint8Array): number => {
  let a = 1
  let b = 0
  for (let i = 0; i < bytes.length; i++) {
    a = (a + bytes[i]!) % 65_521
    b = (b + a) % 65_521
  }
  return ((b << 16) | a) >>> 0
}

/** Inflates gzip or zlib data; `undefined` for broken data, and for more than `limit` bytes. */
export const inflate = (data: Uint8Array, limit: number): Uint8Array | undefined => {
  try {
    const isGzip = data[0] === 0x1f && data[1] === 0x8b
    if (!isGzip && (data.length < 6 || (data[0]! & 15) !== 8 || (data[0]! * 256 + data[1]!) % 31 !== 0)) {
      return undefined
    }
    if (!isGzip && (data[1]! & 32) !== 0) return undefined
    const inflater = new Inflater(data, isGzip ? skipHeader(data) : 2, limit)
    const out = inflater.run()
    if (isGzip) {
      return inflater.trailer(false) === crc32(out) && inflater.trailer(false) === out.length ? out : undefined
    }
    return inflater.trailer(true) === adler32(out) ? out : undefined
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}
