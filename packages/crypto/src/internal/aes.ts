/**
 * AES-256 and its IGE and CTR modes in plain TypeScript, for engines that offer
 * nothing better.
 *
 * Rounds work on columns as little-endian 32-bit words, with one table of 256
 * words per row (FIPS 197, 5.1 and 5.3.5). The tables are computed on first use
 * from the arithmetic of GF(2^8); look-ups by secret index mean that this code
 * is *not* constant time with respect to the cache.
 */
import type { CryptoError } from "../CryptoError.ts"
import { invalidArgument } from "../CryptoError.ts"

type Quad = readonly [Int32Array, Int32Array, Int32Array, Int32Array]

interface Tables {
  readonly sbox: Uint8Array
  readonly inverse: Uint8Array
  readonly enc: Quad
  readonly dec: Quad
}

let cached: Tables | undefined

const tables = (): Tables => cached ??= makeTables()

const makeTables = (): Tables => {
  // powers of the generator 3, and their inverse: multiplication becomes addition of logarithms
  const exp = new Uint8Array(510)
  const log = new Uint8Array(256)
  for (let i = 0, x = 1; i < 255; i++) {
    exp[i] = x
    exp[i + 255] = x
    log[x] = i
    x ^= ((x << 1) ^ (x >> 7 ? 0x11b : 0)) & 0xff
  }
  const mul = (a: number, b: number): number => a === 0 || b === 0 ? 0 : exp[log[a]! + log[b]!]!
  const sbox = new Uint8Array(256)
  const inverse = new Uint8Array(256)
  const enc: Quad = [new Int32Array(256), new Int32Array(256), new Int32Array(256), new Int32Array(256)]
  const dec: Quad = [new Int32Array(256), new Int32Array(256), new Int32Array(256), new Int32Array(256)]
  for (let i = 0; i < 256; i++) {
    const inv = i === 0 ? 0 : exp[255 - log[i]!]!
    const spread = inv * 0x101
    const s = (inv ^ (spread >> 4) ^ (spread >> 5) ^ (spread >> 6) ^ (spread >> 7) ^ 0x63) & 0xff
    sbox[i] = s
    inverse[s] = i
  }
  for (let i = 0; i < 256; i++) {
    const s = sbox[i]!
    const r = inverse[i]!
    let e = mul(s, 2) | (s << 8) | (s << 16) | (mul(s, 3) << 24)
    let d = mul(r, 14) | (mul(r, 9) << 8) | (mul(r, 13) << 16) | (mul(r, 11) << 24)
    for (let row = 0; row < 4; row++) {
      enc[row]![i] = e
      dec[row]![i] = d
      e = (e << 8) | (e >>> 24)
      d = (d << 8) | (d >>> 24)
    }
  }
  return { sbox, inverse, enc, dec }
}

const ROUNDS = 14
const WORDS = 4 * (ROUNDS + 1)

const expandKey = (key: Uint8Array): Int32Array => {
  const { sbox } = tables()
  const w = new Int32Array(WORDS)
  for (let i = 0; i < 8; i++) {
    w[i] = key[4 * i]! | (key[4 * i + 1]! << 8) | (key[4 * i + 2]! << 16) | (key[4 * i + 3]! << 24)
  }
  const sub = (x: number): number =>
    sbox[x & 255]! | (sbox[(x >>> 8) & 255]! << 8) | (sbox[(x >>> 16) & 255]! << 16) | (sbox[x >>> 24]! << 24)
  let rcon = 1
  for (let i = 8; i < WORDS; i++) {
    let t = w[i - 1]!
    if (i % 8 === 0) {
      t = sub((t >>> 8) | (t << 24)) ^ rcon
      rcon <<= 1
    } else if (i % 8 === 4) {
      t = sub(t)
    }
    w[i] = w[i - 8]! ^ t
  }
  return w
}

// The equivalent inverse cipher: round keys in reverse order, the middle ones through the inverse MixColumns.
const expandInverseKey = (key: Uint8Array): Int32Array => {
  const { dec, sbox } = tables()
  const w = expandKey(key)
  const out = new Int32Array(WORDS)
  for (let round = 0; round <= ROUNDS; round++) {
    for (let column = 0; column < 4; column++) {
      const x = w[4 * (ROUNDS - round) + column]!
      out[4 * round + column] = round === 0 || round === ROUNDS
        ? x
        : dec[0][sbox[x & 255]!]! ^ dec[1][sbox[(x >>> 8) & 255]!]! ^ dec[2][sbox[(x >>> 16) & 255]!]! ^
          dec[3][sbox[x >>> 24]!]!
    }
  }
  w.fill(0)
  return out
}

/** A copy of `bytes` as aligned words. */
const toWords = (bytes: Uint8Array): Int32Array => {
  const words = new Int32Array((bytes.length + 3) >> 2)
  new Uint8Array(words.buffer).set(bytes)
  return words
}

export const igeProblem = (
  operation: string,
  data: Uint8Array,
  key: Uint8Array,
  iv: Uint8Array
): CryptoError | undefined => lengthsProblem(operation, data.length, key, iv)

const lengthsProblem = (
  operation: string,
  length: number,
  key: Uint8Array,
  iv: Uint8Array
): CryptoError | undefined => {
  if (length % 16 !== 0) return invalidArgument(operation, "the data must be whole blocks of 16 bytes")
  if (key.length !== 32) return invalidArgument(operation, "the key must have 32 bytes")
  return iv.length === 32 ? undefined : invalidArgument(operation, "the initialisation vector must have 32 bytes")
}

export const checkIge = (operation: string, data: Uint8Array, key: Uint8Array, iv: Uint8Array): void =>
  checkIgeLengths(operation, data.length, key, iv)

export const checkIgeLengths = (operation: string, length: number, key: Uint8Array, iv: Uint8Array): void => {
  const problem = lengthsProblem(operation, length, key, iv)
  if (problem !== undefined) throw problem
}

export const igeEncrypt = (data: Uint8Array, key: Uint8Array, iv: Uint8Array): Uint8Array => {
  checkIge("Crypto.aesIgeEncrypt", data, key, iv)
  const { enc: [T0, T1, T2, T3], sbox: S } = tables()
  const k = expandKey(key)
  const w = toWords(data)
  const v = toWords(iv)
  let c0 = v[0]!, c1 = v[1]!, c2 = v[2]!, c3 = v[3]!
  let p0 = v[4]!, p1 = v[5]!, p2 = v[6]!, p3 = v[7]!
  for (let i = 0; i < w.length; i += 4) {
    const x0 = w[i]!, x1 = w[i + 1]!, x2 = w[i + 2]!, x3 = w[i + 3]!
    let s0 = x0 ^ c0 ^ k[0]!, s1 = x1 ^ c1 ^ k[1]!, s2 = x2 ^ c2 ^ k[2]!, s3 = x3 ^ c3 ^ k[3]!
    for (let r = 4; r < 56; r += 4) {
      const t0 = T0[s0 & 255]! ^ T1[(s1 >>> 8) & 255]! ^ T2[(s2 >>> 16) & 255]! ^ T3[s3 >>> 24]! ^ k[r]!
      const t1 = T0[s1 & 255]! ^ T1[(s2 >>> 8) & 255]! ^ T2[(s3 >>> 16) & 255]! ^ T3[s0 >>> 24]! ^ k[r + 1]!
      const t2 = T0[s2 & 255]! ^ T1[(s3 >>> 8) & 255]! ^ T2[(s0 >>> 16) & 255]! ^ T3[s1 >>> 24]! ^ k[r + 2]!
      s3 = T0[s3 & 255]! ^ T1[(s0 >>> 8) & 255]! ^ T2[(s1 >>> 16) & 255]! ^ T3[s2 >>> 24]! ^ k[r + 3]!
      s0 = t0
      s1 = t1
      s2 = t2
    }
    c0 = (S[s0 & 255]! | (S[(s1 >>> 8) & 255]! << 8) | (S[(s2 >>> 16) & 255]! << 16) | (S[s3 >>> 24]! << 24)) ^
      k[56]! ^ p0
    c1 = (S[s1 & 255]! | (S[(s2 >>> 8) & 255]! << 8) | (S[(s3 >>> 16) & 255]! << 16) | (S[s0 >>> 24]! << 24)) ^
      k[57]! ^ p1
    c2 = (S[s2 & 255]! | (S[(s3 >>> 8) & 255]! << 8) | (S[(s0 >>> 16) & 255]! << 16) | (S[s1 >>> 24]! << 24)) ^
      k[58]! ^ p2
    c3 = (S[s3 & 255]! | (S[(s0 >>> 8) & 255]! << 8) | (S[(s1 >>> 16) & 255]! << 16) | (S[s2 >>> 24]! << 24)) ^
      k[59]! ^ p3
    w[i] = c0
    w[i + 1] = c1
    w[i + 2] = c2
    w[i + 3] = c3
    p0 = x0
    p1 = x1
    p2 = x2
    p3 = x3
  }
  k.fill(0)
  v.fill(0)
  return new Uint8Array(w.buffer)
}

export const igeDecrypt = (data: Uint8Array, key: Uint8Array, iv: Uint8Array): Uint8Array => {
  checkIge("Crypto.aesIgeDecrypt", data, key, iv)
  const { dec: [T0, T1, T2, T3], inverse: S } = tables()
  const k = expandInverseKey(key)
  const w = toWords(data)
  const v = toWords(iv)
  let c0 = v[0]!, c1 = v[1]!, c2 = v[2]!, c3 = v[3]!
  let p0 = v[4]!, p1 = v[5]!, p2 = v[6]!, p3 = v[7]!
  for (let i = 0; i < w.length; i += 4) {
    const x0 = w[i]!, x1 = w[i + 1]!, x2 = w[i + 2]!, x3 = w[i + 3]!
    let s0 = x0 ^ p0 ^ k[0]!, s1 = x1 ^ p1 ^ k[1]!, s2 = x2 ^ p2 ^ k[2]!, s3 = x3 ^ p3 ^ k[3]!
    for (let r = 4; r < 56; r += 4) {
      const t0 = T0[s0 & 255]! ^ T1[(s3 >>> 8) & 255]! ^ T2[(s2 >>> 16) & 255]! ^ T3[s1 >>> 24]! ^ k[r]!
      const t1 = T0[s1 & 255]! ^ T1[(s0 >>> 8) & 255]! ^ T2[(s3 >>> 16) & 255]! ^ T3[s2 >>> 24]! ^ k[r + 1]!
      const t2 = T0[s2 & 255]! ^ T1[(s1 >>> 8) & 255]! ^ T2[(s0 >>> 16) & 255]! ^ T3[s3 >>> 24]! ^ k[r + 2]!
      s3 = T0[s3 & 255]! ^ T1[(s2 >>> 8) & 255]! ^ T2[(s1 >>> 16) & 255]! ^ T3[s0 >>> 24]! ^ k[r + 3]!
      s0 = t0
      s1 = t1
      s2 = t2
    }
    p0 = (S[s0 & 255]! | (S[(s3 >>> 8) & 255]! << 8) | (S[(s2 >>> 16) & 255]! << 16) | (S[s1 >>> 24]! << 24)) ^
      k[56]! ^ c0
    p1 = (S[s1 & 255]! | (S[(s0 >>> 8) & 255]! << 8) | (S[(s3 >>> 16) & 255]! << 16) | (S[s2 >>> 24]! << 24)) ^
      k[57]! ^ c1
    p2 = (S[s2 & 255]! | (S[(s1 >>> 8) & 255]! << 8) | (S[(s0 >>> 16) & 255]! << 16) | (S[s3 >>> 24]! << 24)) ^
      k[58]! ^ c2
    p3 = (S[s3 & 255]! | (S[(s2 >>> 8) & 255]! << 8) | (S[(s1 >>> 16) & 255]! << 16) | (S[s0 >>> 24]! << 24)) ^
      k[59]! ^ c3
    w[i] = p0
    w[i + 1] = p1
    w[i + 2] = p2
    w[i + 3] = p3
    c0 = x0
    c1 = x1
    c2 = x2
    c3 = x3
  }
  k.fill(0)
  v.fill(0)
  return new Uint8Array(w.buffer)
}

export const checkCtr = (key: Uint8Array, iv: Uint8Array): void => {
  if (key.length !== 32) throw invalidArgument("Crypto.aesCtr", "the key must have 32 bytes")
  if (iv.length !== 16) throw invalidArgument("Crypto.aesCtr", "the initial counter must have 16 bytes")
}

const increment = (counter: Uint8Array): void => {
  for (let i = counter.length - 1; i >= 0; i--) {
    counter[i]!++
    if (counter[i] !== 0) return
  }
}

export const ctr = (key: Uint8Array, iv: Uint8Array): (data: Uint8Array) => Uint8Array => {
  checkCtr(key, iv)
  const k = expandKey(key)
  const counter = new Uint8Array(iv)
  const keystream = new Uint8Array(16)
  const words = new Int32Array(keystream.buffer)
  let used = 16
  return (data) => {
    const out = new Uint8Array(data.length)
    for (let i = 0; i < data.length;) {
      if (used === 16) {
        keystream.set(counter)
        encryptBlock(k, words)
        increment(counter)
        used = 0
      }
      const n = Math.min(16 - used, data.length - i)
      for (let j = 0; j < n; j++) out[i + j] = data[i + j]! ^ keystream[used + j]!
      used += n
      i += n
    }
    return out
  }
}

/** One block in place. */
const encryptBlock = (k: Int32Array, words: Int32Array): void => {
  const { enc: [T0, T1, T2, T3], sbox: S } = tables()
  let s0 = words[0]! ^ k[0]!, s1 = words[1]! ^ k[1]!, s2 = words[2]! ^ k[2]!, s3 = words[3]! ^ k[3]!
  for (let r = 4; r < 56; r += 4) {
    const t0 = T0[s0 & 255]! ^ T1[(s1 >>> 8) & 255]! ^ T2[(s2 >>> 16) & 255]! ^ T3[s3 >>> 24]! ^ k[r]!
    const t1 = T0[s1 & 255]! ^ T1[(s2 >>> 8) & 255]! ^ T2[(s3 >>> 16) & 255]! ^ T3[s0 >>> 24]! ^ k[r + 1]!
    const t2 = T0[s2 & 255]! ^ T1[(s3 >>> 8) & 255]! ^ T2[(s0 >>> 16) & 255]! ^ T3[s1 >>> 24]! ^ k[r + 2]!
    s3 = T0[s3 & 255]! ^ T1[(s0 >>> 8) & 255]! ^ T2[(s1 >>> 16) & 255]! ^ T3[s2 >>> 24]! ^ k[r + 3]!
    s0 = t0
    s1 = t1
    s2 = t2
  }
  words[0] = (S[s0 & 255]! | (S[(s1 >>> 8) & 255]! << 8) | (S[(s2 >>> 16) & 255]! << 16) | (S[s3 >>> 24]! << 24)) ^
    k[56]!
  words[1] = (S[s1 & 255]! | (S[(s2 >>> 8) & 255]! << 8) | (S[(s3 >>> 16) & 255]! << 16) | (S[s0 >>> 24]! << 24)) ^
    k[57]!
  words[2] = (S[s2 & 255]! | (S[(s3 >>> 8) & 255]! << 8) | (S[(s0 >>> 16) & 255]! << 16) | (S[s1 >>> 24]! << 24)) ^
    k[58]!
  words[3] = (S[s3 & 255]! | (S[(s0 >>> 8) & 255]! << 8) | (S[(s1 >>> 16) & 255]! << 16) | (S[s2 >>> 24]! << 24)) ^
    k[59]!
}
