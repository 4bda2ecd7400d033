/**
 * SHA-1, SHA-256 (FIPS 180-4) and MD5 (RFC 1321) in plain TypeScript,
 * synchronous: the web's own hashes are promises, too slow and of the wrong
 * shape for message keys. None of them looks anything up by secret index.
 */

type Compress = (state: Int32Array, block: Int32Array) => void

interface Algorithm {
  readonly initial: ReadonlyArray<number>
  readonly bigEndian: boolean
  readonly compress: Compress
}

const make = ({ bigEndian, compress, initial }: Algorithm) => (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const state = Int32Array.from(initial)
  const block = new Int32Array(16)
  const bytes = new Uint8Array(64)
  const view = new DataView(bytes.buffer)
  const flush = () => {
    for (let i = 0; i < 16; i++) block[i] = view.getInt32(4 * i, !bigEndian)
    compress(state, block)
  }
  let used = 0
  let total = 0
  for (const part of parts) {
    total += part.length
    for (let offset = 0; offset < part.length;) {
      const n = Math.min(64 - used, part.length - offset)
      bytes.set(part.subarray(offset, offset + n), used)
      used += n
      offset += n
      if (used === 64) {
        flush()
        used = 0
      }
    }
  }
  bytes.fill(0, used)
  bytes[used] = 0x80
  if (used >= 56) {
    flush()
    bytes.fill(0)
  }
  const high = Math.floor(total / 0x20000000)
  const low = total << 3
  view.setInt32(56, bigEndian ? high : low, !bigEndian)
  view.setInt32(60, bigEndian ? low : high, !bigEndian)
  flush()
  const out = new Uint8Array(4 * state.length)
  const result = new DataView(out.buffer)
  for (let i = 0; i < state.length; i++) result.setInt32(4 * i, state[i]!, !bigEndian)
  bytes.fill(0)
  block.fill(0)
  return out
}

const primes = (count: number): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n)
  return found
}

// the first 32 bits of the fraction; a double holds 52, and the whole part of these roots takes at most 5
const fraction = (x: number): number => ((x - Math.floor(x)) * 2 ** 32) | 0

const K256 = Int32Array.from(primes(64), (prime) => fraction(Math.cbrt(prime)))

export const sha256 = make({
  initial: primes(8).map((prime) => fraction(Math.sqrt(prime))),
  bigEndian: true,
  compress: (state, block) => {
    const w = schedule
    for (let i = 0; i < 16; i++) w[i] = block[i]!
    for (let i = 16; i < 64; i++) {
      const a = w[i - 15]!
      const b = w[i - 2]!
      const s0 = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3)
      const s1 = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10)
      w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0
    }
    let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!
    let e = state[4]!, f = state[5]!, g = state[6]!, h = state[7]!
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K256[i]! + w[i]!) | 0
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
      h = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + t2) | 0
    }
    state[0]! += a
    state[1]! += b
    state[2]! += c
    state[3]! += d
    state[4]! += e
    state[5]! += f
    state[6]! += g
    state[7]! += h
    w.fill(0)
  }
})

const schedule = new Int32Array(80)

export const sha1 = make({
  initial: [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0],
  bigEndian: true,
  compress: (state, block) => {
    const w = schedule
    for (let i = 0; i < 16; i++) w[i] = block[i]!
    for (let i = 16; i < 80; i++) {
      const x = w[i - 3]! ^ w[i - 8]! ^ w[i - 14]! ^ w[i - 16]!
      w[i] = (x << 1) | (x >>> 31)
    }
    let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!, e = state[4]!
    for (let i = 0; i < 80; i++) {
      const f = i < 20
        ? ((b & c) | (~b & d)) + 0x5a827999
        : i < 40
        ? (b ^ c ^ d) + 0x6ed9eba1
        : i < 60
        ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
        : (b ^ c ^ d) + 0xca62c1d6
      const t = (((a << 5) | (a >>> 27)) + f + e + w[i]!) | 0
      e = d
      d = c
      c = (b << 30) | (b >>> 2)
      b = a
      a = t
    }
    state[0]! += a
    state[1]! += b
    state[2]! += c
    state[3]! += d
    state[4]! += e
    w.fill(0)
  }
})

const K5 = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0)
const SHIFTS = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]]

export const md5 = make({
  initial: [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476],
  bigEndian: false,
  compress: (state, block) => {
    let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!
    for (let i = 0; i < 64; i++) {
      const round = i >> 4
      const f = round === 0
        ? (b & c) | (~b & d)
        : round === 1
        ? (b & d) | (c & ~d)
        : round === 2
        ? b ^ c ^ d
        : c ^ (b | ~d)
      const word = round === 0 ? i : round === 1 ? 5 * i + 1 : round === 2 ? 3 * i + 5 : 7 * i
      const t = (a + f + K5[i]! + block[word & 15]!) | 0
      const shift = SHIFTS[round]![i & 3]!
      a = d
      d = c
      c = b
      b = (b + ((t << shift) | (t >>> (32 - shift)))) | 0
    }
    state[0]! += a
    state[1]! += b
    state[2]! += c
    state[3]! += d
  }
})

/** Equality in time that depends on the lengths only, as far as an optimising engine leaves it so. */
export const constantTimeEqual = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}
