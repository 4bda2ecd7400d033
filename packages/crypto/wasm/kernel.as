// The WebAssembly kernel: AES-256-IGE, SHA-256, the key derivation of MTProto 2.0, the XOR passes of IGE by CBC, and
// factorisation. AssemblyScript, without its runtime: everything lives at fixed addresses.
//
// AES BY VECTOR PERMUTATION
//
// A table of 16 bytes in a vector register is looked up by `swizzle` in constant time, so AES is done in nibbles.
//
// Let F = GF(16) = GF(2)[x]/(x^4 + x + 1), a = 2, and K = F[t]/(t^2 + a t + a), a field of 256 elements k + i t, written
// as the byte 16 i + k. The trace of t is a and so is its norm, hence
//
//   N(k + i t) = k^2 + a i k + a i^2 = k^2 + a i j,  with j = i + k,
//   1/(k + i t) = ((k + a i) + i t) / N.
//
// Put io = j + 1/(1/i + a/k) and jo = i + 1/(1/j + a/k). Multiplying out, io = N/(k + a i) and jo = N/(k + a j). So with
// A = 1/io and B = 1/jo, k/N = (A + B)/a and i/N = (A + k/N)/a, and
//
//   1/(k + i t) = A + (A/a + (A + B)/a^2) t,
//
// linear in A and B. Any linear map of the inverse is therefore u[io] + v[jo] for two tables of 16 bytes, and the
// inverse itself costs five look-ups: 1/i, a/k, 1/j, and the two outer reciprocals. Infinity is written as 0x80: added
// to anything it keeps the top bit, for which a swizzle yields 0 = 1/infinity, and infinity + infinity = 0 leads to
// 1/0 = infinity again, which is what x = 0 needs (A = B = 0). Indices are thus always 0 to 15 or at least 0x80, where
// the relaxed swizzle is defined like the plain one.
//
// An isomorphism T from the field of AES to K is found by looking for a root of its polynomial in K. The state stays in
// K from the first round to the last: round keys are transformed once, the maps of SubBytes and MixColumns go into the
// output tables, ShiftRows into the masks that MixColumns needs anyway. The constant 0x63 of SubBytes passes MixColumns
// unchanged and goes into the round keys. Decryption keeps the state in K after the inverse affine map instead, with the
// four coefficients of the inverse MixColumns as four pairs of tables, and its constant in the keys too.
//
// In IGE the block cipher's input is plaintext + previous ciphertext. Both are brought to K apart, the ciphertext by a
// second pair of output tables, so that no change of basis is on the chain from block to block.
//
// ONE PERMUTATION LESS
//
// A round ends with a sum of four permuted vectors, c0 P0 + c1 P1 + c2 P2 + c3 P3, where each P holds ShiftRows and a
// rotation of the columns. SubBytes does not care where a byte is. So if the state is kept permuted by Q, and Q is
// followed by one of the four, that one needs no permutation at all: the next state is kept permuted by Q' = Pm^-1 Q, and
// the others become Q^-1 P Q'. Pm^4 is nothing or a rotation of the columns, which all of them commute with, so the masks
// recur after four rounds and Q after eight. The coefficient that is ready last is the one to leave alone: 3 in
// encryption, where it is the sum of two others, 14 in decryption. Round keys are kept permuted like the state that they
// are added to.
//
// ORDER
//
// A block is one chain of dependent instructions, so what counts is how long each has to wait: for its operands, and for
// one of the two units that permute. The statements of a round are in the order in which a processor should take them.
// The build therefore leaves out the optimisations that would reorder them.

// ---- memory -------------------------------------------------------------------------------------------------------

@inline const INV: usize = 16
@inline const INVA: usize = 32
@inline const IN_LO: usize = 48
@inline const IN_HI: usize = 64
@inline const E1U: usize = 80
@inline const E1V: usize = 96
@inline const E2U: usize = 112
@inline const E2V: usize = 128
@inline const EOU: usize = 144
@inline const EOV: usize = 160
@inline const EM: usize = 176 // 4 masks: the permutations of a round
@inline const DIN_LO: usize = 240
@inline const DIN_HI: usize = 256
@inline const DU: usize = 272 // 14, 11, 13, 9: pairs of 32 bytes
@inline const DOU: usize = 400
@inline const DOV: usize = 416
@inline const DLU: usize = 432
@inline const DLV: usize = 448
@inline const DM: usize = 464 // 4 masks
@inline const LOW: usize = 528
@inline const SHA_K: usize = 544 // 64 words

// Everything from here to the data is derived from keys, and wiped by `wipe`.
@inline const SECRET: usize = 800
@inline const RAW: usize = 800 // 15 round keys in K
@inline const EK: usize = 1040 // 14 in K, the last in both forms
@inline const EK_LAST: usize = 1264
@inline const EK_LAST_K: usize = 1280
@inline const DK: usize = 1296
@inline const DK_LAST: usize = 1520
@inline const DK_LAST_K: usize = 1536
@inline const KEY: usize = 1552
@inline const IV: usize = 1584
@inline const SHA_STATE: usize = 1616
@inline const SHA_W: usize = 1648 // 64 words
@inline const BLOCK_A: usize = 1904 // the blocks of the key derivation
@inline const BLOCK_B: usize = 1968
@inline const PAIRS: usize = 2032 // their 64 words side by side
@inline const SHARED: usize = 2544 // the shared key, 256 bytes
@inline const SECRET_END: usize = 2800

@inline const TO_K: usize = 3072 // 256 bytes, used by `init` only
@inline const FROM_K: usize = 3328

// tables of the key schedule
@inline const KEY_CONSTANTS: usize = 2816 // 7 vectors
@inline const C63: usize = 2928
@inline const LAST_ROTATED: usize = 2944
@inline const LAST_WORD: usize = 2960
@inline const OUT_LO: usize = 2976
@inline const OUT_HI: usize = 2992
@inline const KDU: usize = 3584 // 14, 11, 13, 9, 1: pairs of 32 bytes
@inline const KM: usize = 3744 // 4 masks

// the masks of a round for a permuted state, four times 64 bytes, the one of the last round, and eight of the keys
@inline const EP: usize = 81920
@inline const EP_LAST: usize = 82176
@inline const EP_KEY: usize = 82192
@inline const DP: usize = 82336
@inline const DP_LAST: usize = 82592
@inline const DP_KEY: usize = 82608

// 32 bytes before the data belong to it: history, key or header
@inline const DATA: usize = 4096
@inline const MSG_KEY: usize = 4080
@inline const SECOND: usize = 40960

// ---- field arithmetic and tables ----------------------------------------------------------------------------------

function mulNibble(a: u32, b: u32): u32 {
  let r: u32 = 0
  for (let i = 0; i < 4; i++) {
    if ((b >> i) & 1) r ^= a << i
  }
  for (let i = 6; i >= 4; i--) {
    if ((r >> i) & 1) r ^= 0x13 << (i - 4)
  }
  return r
}

function invNibble(a: u32): u32 {
  for (let b: u32 = 1; b < 16; b++) {
    if (mulNibble(a, b) == 1) return b
  }
  return 0
}

function mulK(x: u32, y: u32): u32 {
  const i = x >> 4, k = x & 15, l = y >> 4, m = y & 15
  // (k + i t)(m + l t) with t^2 = a t + a
  const top = mulNibble(mulNibble(i, l), 2)
  return ((mulNibble(i, m) ^ mulNibble(k, l) ^ top) << 4) | (mulNibble(k, m) ^ top)
}

function mulAes(a: u32, b: u32): u32 {
  let r: u32 = 0
  for (let i = 0; i < 8; i++) {
    if ((b >> i) & 1) r ^= a
    a = (a << 1) ^ ((a >> 7) * 0x11b)
  }
  return r
}

function rotl8(x: u32, n: u32): u32 {
  return ((x << n) | (x >> (8 - n))) & 255
}

// the linear part of the affine map of SubBytes, and its inverse (FIPS 197, 5.1.1)
function affine(x: u32): u32 {
  return x ^ rotl8(x, 1) ^ rotl8(x, 2) ^ rotl8(x, 3) ^ rotl8(x, 4)
}

function inverseAffine(x: u32): u32 {
  return rotl8(x, 1) ^ rotl8(x, 3) ^ rotl8(x, 6)
}

// the field of AES to K and back
function toK(x: u32): u32 {
  return load<u8>(TO_K + x)
}

function fromK(x: u32): u32 {
  return load<u8>(FROM_K + x)
}

// what a pair of output tables applies to the inverse, an element of the field of AES
// kinds: 0 SubBytes; 1 identity
// target: 0 the field of AES; 1 K; 2 K after the inverse affine map
function outputMap(inverse: u32, kind: i32, factor: u32, target: i32): u32 {
  const value = mulAes(kind == 0 ? affine(inverse) : inverse, factor)
  return target == 0 ? value : toK(target == 1 ? value : inverseAffine(value))
}

function outputTables(u: usize, kind: i32, factor: u32, target: i32): void {
  const overA = invNibble(2)
  const overA2 = mulNibble(overA, overA)
  for (let n: u32 = 0; n < 16; n++) {
    const r = invNibble(n)
    const fromA = ((mulNibble(r, overA) ^ mulNibble(r, overA2)) << 4) | r
    const fromB = mulNibble(r, overA2) << 4
    store<u8>(u + n, <u8> outputMap(fromK(fromA), kind, factor, target))
    store<u8>(u + 16 + n, <u8> outputMap(fromK(fromB), kind, factor, target))
  }
}

// K to K by way of a factor and the inverse affine map, as tables for the two nibbles
function keyTables(to: usize, factor: u32): void {
  for (let n: u32 = 0; n < 16; n++) {
    store<u8>(to + n, <u8> toK(inverseAffine(mulAes(fromK(n), factor))))
    store<u8>(to + 16 + n, <u8> toK(inverseAffine(mulAes(fromK(n << 4), factor))))
  }
}

/** Computes the tables. Called once, first. */
export function init(): void {
  // a root of x^8 + x^4 + x^3 + x + 1 in K
  let root: u32 = 2
  for (; root < 256; root++) {
    const x2 = mulK(root, root)
    const x3 = mulK(x2, root)
    const x4 = mulK(x2, x2)
    const x8 = mulK(x4, x4)
    if ((x8 ^ x4 ^ x3 ^ root ^ 1) == 0) break
  }
  for (let n: u32 = 0; n < 256; n++) {
    let image: u32 = 0
    let power: u32 = 1
    for (let bit = 0; bit < 8; bit++) {
      if ((n >> bit) & 1) image ^= power
      power = mulK(power, root)
    }
    store<u8>(TO_K + n, <u8> image)
    store<u8>(FROM_K + image, <u8> n)
  }
  for (let n: u32 = 0; n < 16; n++) {
    const r = invNibble(n)
    store<u8>(INV + n, n == 0 ? 0x80 : <u8> r)
    store<u8>(INVA + n, n == 0 ? 0x80 : <u8> mulNibble(2, r))
    store<u8>(IN_LO + n, <u8> toK(n))
    store<u8>(IN_HI + n, <u8> toK(n << 4))
    store<u8>(DIN_LO + n, <u8> toK(inverseAffine(n)))
    store<u8>(DIN_HI + n, <u8> toK(inverseAffine(n << 4)))
    store<u8>(LOW + n, 15)
    store<u8>(OUT_LO + n, <u8> fromK(n))
    store<u8>(OUT_HI + n, <u8> fromK(n << 4))
    store<u8>(C63 + n, <u8> toK(0x63))
    store<u8>(LAST_WORD + n, <u8> (12 + (n & 3)))
    store<u8>(LAST_ROTATED + n, <u8> (12 + ((n + 1) & 3)))
  }
  outputTables(E1U, 0, 1, 1)
  outputTables(E2U, 0, 2, 1)
  outputTables(EOU, 0, 1, 0)
  outputTables(DU, 1, 14, 2)
  outputTables(DU + 32, 1, 11, 2)
  outputTables(DU + 64, 1, 13, 2)
  outputTables(DU + 96, 1, 9, 2)
  outputTables(DOU, 1, 1, 0)
  outputTables(DLU, 1, 1, 2)
  keyTables(KDU, 14)
  keyTables(KDU + 32, 11)
  keyTables(KDU + 64, 13)
  keyTables(KDU + 96, 9)
  keyTables(KDU + 128, 1)
  for (let i: u32 = 0; i < 7; i++) {
    for (let n: u32 = 0; n < 16; n++) {
      store<u8>(KEY_CONSTANTS + 16 * i + n, <u8> toK((n & 3) == 0 ? 0x63 ^ (1 << i) : 0x63))
    }
  }
  for (let m = 0; m < 4; m++) {
    for (let c = 0; c < 4; c++) {
      for (let r = 0; r < 4; r++) {
        // the row that the m-th coefficient of MixColumns takes, and its column before ShiftRows or its inverse
        const row = (r + m) & 3
        store<u8>(EM + 16 * m + 4 * c + r, <u8> (4 * ((c + row) & 3) + row))
        store<u8>(DM + 16 * m + 4 * c + r, <u8> (4 * ((c - row) & 3) + row))
        // the same of InvMixColumns of a key, with ShiftRows after it
        store<u8>(KM + 16 * m + 4 * c + r, <u8> (4 * ((c + r) & 3) + row))
      }
    }
  }
  permutations(EM, 1, EP)
  permutations(DM, 0, DP)
  // SHA-256: the first 32 bits of the fractions of the cube roots of the first primes
  let prime: u32 = 2
  for (let i = 0; i < 64; i++) {
    store<u32>(SHA_K + 4 * i, cubeRootFraction(prime))
    prime++
    for (; !isSmallPrime(prime); prime++) {}
  }
}

/**
 * From the four masks of a round, of which the `kept`-th is not to be needed, to the masks of four rounds, of the last
 * round, and Q of eight, by which round keys are permuted.
 */
function permutations(masks: usize, kept: usize, to: usize): void {
  const keys = to + 272
  for (let n: usize = 0; n < 16; n++) store<u8>(keys + n, <u8> n)
  for (let round: usize = 0; round < 8; round++) {
    const q = keys + 16 * round, next = keys + 16 * ((round + 1) & 7)
    for (let n: usize = 0; n < 16; n++) {
      // Q'[n] = Pm^-1[Q[n]]
      store<u8>(next + n, <u8> indexOf(masks + 16 * kept, load<u8>(q + n)))
    }
    for (let m: usize = 0; m < 4; m++) permuted(to + 64 * (round & 3) + 16 * m, q, masks + 16 * m, next)
  }
  // thirteen rounds precede the last, which has ShiftRows only, and whose result is not permuted
  for (let n: usize = 0; n < 16; n++) store<u8>(to + 256 + n, <u8> indexOf(keys + 80, load<u8>(masks + n)))
}

// to[n] = q^-1[mask[next[n]]]
function permuted(to: usize, q: usize, mask: usize, next: usize): void {
  for (let n: usize = 0; n < 16; n++) {
    store<u8>(to + n, <u8> indexOf(q, load<u8>(mask + load<u8>(next + n))))
  }
}

function indexOf(mask: usize, value: u32): u32 {
  for (let n: u32 = 0; n < 16; n++) {
    if (load<u8>(mask + n) == value) return n
  }
  return 16
}

function isSmallPrime(n: u32): bool {
  for (let i: u32 = 2; i * i <= n; i++) if (n % i == 0) return false
  return true
}

// floor(2^32 cbrt(n)) mod 2^32 by bisection: the cube of the answer has less than 106 bits, compared in two halves
function cubeRootFraction(n: u32): u32 {
  let low: u64 = 0
  let bit: u64 = 1 << 34
  for (; bit != 0; bit >>= 1) {
    const x = low | bit
    // x^3 <= n 2^96, with x^2 = h 2^32 + l
    const h = x >> 32, l = x & 0xffffffff
    const ll = l * l
    const cross = 2 * h * l + (ll >> 32)
    const s0 = ll & 0xffffffff
    const s1 = cross & 0xffffffff
    const s2 = h * h + (cross >> 32)
    // multiply (s2, s1, s0) by (h, l)
    const t0 = s0 * l
    const t1 = s1 * l + (t0 >> 32)
    const carry1 = s0 * h + (t1 & 0xffffffff)
    const t2 = s2 * l + (t1 >> 32) + s1 * h + (carry1 >> 32)
    const top = s2 * h + (t2 >> 32)
    if (top < n) low = x
  }
  return <u32> low
}

// ---- AES ----------------------------------------------------------------------------------------------------------

@inline
function look(table: v128, index: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(table, index)
  return i8x16.swizzle(table, index)
}

@inline
function high(x: v128, low: v128): v128 {
  return v128.and(i16x8.shr_u(x, 4), low)
}

// a linear map of bytes given by its tables for the two nibbles
@inline
function linear(x: v128, tableLow: v128, tableHigh: v128, low: v128): v128 {
  return v128.xor(look(tableLow, v128.and(x, low)), look(tableHigh, high(x, low)))
}

function encryptionBasis(x: v128): v128 {
  return linear(x, v128.load(0, IN_LO), v128.load(0, IN_HI), v128.load(0, LOW))
}

function decryptionBasis(x: v128): v128 {
  return linear(x, v128.load(0, DIN_LO), v128.load(0, DIN_HI), v128.load(0, LOW))
}

// KEY SCHEDULE
//
// Sums commute with the change of basis, and the tables of the rounds give SubBytes in K, so the schedule stays in K as
// well. Each step makes the next four words: the sum of the words eight to five before up to each, which waits for
// nothing, and SubBytes of the latest word.
@inline
function keyStep(
  latest: v128, before: v128, word: v128, constant: v128, low: v128, inv: v128, inva: v128, e1u: v128, e1v: v128
): v128 {
  const x = look(latest, word)
  const k = v128.and(x, low), i = high(x, low), j = v128.xor(i, k)
  const ak = look(inva, k)
  const io = v128.xor(look(inv, v128.xor(look(inv, i), ak)), j)
  const jo = v128.xor(look(inv, v128.xor(look(inv, j), ak)), i)
  const zero = i64x2.splat(0)
  const pairs = v128.xor(before, i8x16.shuffle(zero, before, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27))
  const sums = v128.xor(pairs, i8x16.shuffle(zero, pairs, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23))
  return v128.xor(v128.xor(v128.xor(sums, constant), look(e1u, io)), look(e1v, jo))
}

function expandRaw(): void {
  const low = v128.load(0, LOW), inv = v128.load(0, INV), inva = v128.load(0, INVA)
  const e1u = v128.load(0, E1U), e1v = v128.load(0, E1V)
  const rotated = v128.load(0, LAST_ROTATED), word = v128.load(0, LAST_WORD), constant = v128.load(0, C63)
  let even = encryptionBasis(v128.load(0, KEY)), odd = encryptionBasis(v128.load(0, KEY + 16))
  v128.store(0, even, RAW)
  v128.store(0, odd, RAW + 16)
  for (let i: usize = 0; i < 96; i += 16) {
    even = keyStep(odd, even, rotated, v128.load(i, KEY_CONSTANTS), low, inv, inva, e1u, e1v)
    odd = keyStep(even, odd, word, constant, low, inv, inva, e1u, e1v)
    v128.store(2 * i, even, RAW + 32)
    v128.store(2 * i, odd, RAW + 48)
  }
  even = keyStep(odd, even, rotated, v128.load(0, KEY_CONSTANTS + 96), low, inv, inva, e1u, e1v)
  v128.store(0, even, RAW + 224)
}

/** Round keys for encryption from the 32 bytes at KEY. */
export function expandEncryption(): void {
  expandRaw()
  const constant = v128.load(0, C63)
  v128.store(0, v128.load(0, RAW), EK)
  // the other keys are added before the permutations of their round, of which there is none where they are added
  for (let r: usize = 16; r < 224; r += 16) {
    v128.store(r, look(v128.xor(v128.load(r, RAW), constant), v128.load(r & 112, EP_KEY)), EK)
  }
  const inverse = look(v128.load(0, DM), v128.load(0, EP_KEY + 80))
  const last = look(v128.xor(v128.load(0, RAW + 224), constant), inverse)
  v128.store(0, linear(last, v128.load(0, OUT_LO), v128.load(0, OUT_HI), v128.load(0, LOW)), EK_LAST)
  v128.store(0, last, EK_LAST_K)
}

/** Round keys for decryption from the 32 bytes at KEY. */
export function expandDecryption(): void {
  expandRaw()
  const low = v128.load(0, LOW)
  const constant = decryptionBasis(i8x16.splat(0x63))
  const first = linear(v128.load(0, RAW + 224), v128.load(0, KDU + 128), v128.load(0, KDU + 144), low)
  v128.store(0, v128.xor(first, constant), DK)
  // the middle keys go through InvMixColumns, and are added before the inverse ShiftRows
  for (let r: usize = 16; r < 224; r += 16) {
    const key = v128.load(RAW + 224 - r)
    const k = v128.and(key, low), i = high(key, low)
    const e = v128.xor(look(v128.load(0, KDU), k), look(v128.load(0, KDU + 16), i))
    const b = v128.xor(look(v128.load(0, KDU + 32), k), look(v128.load(0, KDU + 48), i))
    const d = v128.xor(look(v128.load(0, KDU + 64), k), look(v128.load(0, KDU + 80), i))
    const n = v128.xor(look(v128.load(0, KDU + 96), k), look(v128.load(0, KDU + 112), i))
    const eb = v128.xor(look(e, v128.load(0, KM)), look(b, v128.load(0, KM + 16)))
    const dn = v128.xor(look(d, v128.load(0, KM + 32)), look(n, v128.load(0, KM + 48)))
    const sum = v128.xor(v128.xor(eb, constant), dn)
    v128.store(r, look(sum, v128.load((r - 16) & 112, DP_KEY)), DK)
  }
  const last = look(v128.load(0, KEY), look(v128.load(0, EM), v128.load(0, DP_KEY + 80)))
  v128.store(0, last, DK_LAST)
  v128.store(0, decryptionBasis(last), DK_LAST_K)
}

// One round, thirteen times over: a loop costs five percent.
@inline
function encryptionRound(
  x: v128, key: v128, low: v128, inv: v128, inva: v128, e1u: v128, e1v: v128, e2u: v128, e2v: v128,
  m0: v128, m2: v128, m3: v128
): v128 {
  const k = v128.and(x, low)
  const shifted = i16x8.shr_u(x, 4)
  const i = v128.and(shifted, low)
  const ak = look(inva, k)
  const j = v128.xor(i, k)
  const overI = look(inv, i)
  const overJ = look(inv, j)
  const p = v128.xor(overI, ak)
  const q = v128.xor(overJ, ak)
  const overP = look(inv, p)
  const overQ = look(inv, q)
  const io = v128.xor(overP, j)
  const jo = v128.xor(overQ, i)
  const u1 = look(e1u, io)
  const v1 = look(e1v, jo)
  const u2 = look(e2u, io)
  const v2 = look(e2v, jo)
  const one = v128.xor(u1, v1)
  const s2 = look(one, m2)
  const s3 = look(one, m3)
  const two = v128.xor(u2, v2)
  const keyed = v128.xor(two, key)
  const s0 = look(two, m0)
  const three = v128.xor(one, keyed)
  return v128.xor(v128.xor(s2, three), v128.xor(s0, s3))
}

/** AES-256-IGE over `length` bytes at `ptr`, in place; IV is advanced. */
export function igeEncrypt(ptr: usize, length: usize): void {
  const low = v128.load(0, LOW), inv = v128.load(0, INV), inva = v128.load(0, INVA)
  const e1u = v128.load(0, E1U), e1v = v128.load(0, E1V), e2u = v128.load(0, E2U), e2v = v128.load(0, E2V)
  const a0 = v128.load(0, EP), b0 = v128.load(0, EP + 32), c0 = v128.load(0, EP + 48)
  const a1 = v128.load(0, EP + 64), b1 = v128.load(0, EP + 96), c1 = v128.load(0, EP + 112)
  const a2 = v128.load(0, EP + 128), b2 = v128.load(0, EP + 160), c2 = v128.load(0, EP + 176)
  const a3 = v128.load(0, EP + 192), b3 = v128.load(0, EP + 224), c3 = v128.load(0, EP + 240)
  let cipherK = encryptionBasis(v128.load(0, IV))
  let previous = v128.load(0, IV + 16)
  let previousK = encryptionBasis(previous)
  const end = ptr + length
  for (; ptr < end; ptr += 16) {
    const plain = v128.load(ptr)
    const plainK = linear(plain, v128.load(0, IN_LO), v128.load(0, IN_HI), low)
    let x = v128.xor(v128.xor(plainK, v128.load(0, EK)), cipherK)
    x = encryptionRound(x, v128.load(0, EK + 16), low, inv, inva, e1u, e1v, e2u, e2v, a0, b0, c0)
    x = encryptionRound(x, v128.load(0, EK + 32), low, inv, inva, e1u, e1v, e2u, e2v, a1, b1, c1)
    x = encryptionRound(x, v128.load(0, EK + 48), low, inv, inva, e1u, e1v, e2u, e2v, a2, b2, c2)
    x = encryptionRound(x, v128.load(0, EK + 64), low, inv, inva, e1u, e1v, e2u, e2v, a3, b3, c3)
    x = encryptionRound(x, v128.load(0, EK + 80), low, inv, inva, e1u, e1v, e2u, e2v, a0, b0, c0)
    x = encryptionRound(x, v128.load(0, EK + 96), low, inv, inva, e1u, e1v, e2u, e2v, a1, b1, c1)
    x = encryptionRound(x, v128.load(0, EK + 112), low, inv, inva, e1u, e1v, e2u, e2v, a2, b2, c2)
    x = encryptionRound(x, v128.load(0, EK + 128), low, inv, inva, e1u, e1v, e2u, e2v, a3, b3, c3)
    x = encryptionRound(x, v128.load(0, EK + 144), low, inv, inva, e1u, e1v, e2u, e2v, a0, b0, c0)
    x = encryptionRound(x, v128.load(0, EK + 160), low, inv, inva, e1u, e1v, e2u, e2v, a1, b1, c1)
    x = encryptionRound(x, v128.load(0, EK + 176), low, inv, inva, e1u, e1v, e2u, e2v, a2, b2, c2)
    x = encryptionRound(x, v128.load(0, EK + 192), low, inv, inva, e1u, e1v, e2u, e2v, a3, b3, c3)
    x = encryptionRound(x, v128.load(0, EK + 208), low, inv, inva, e1u, e1v, e2u, e2v, a0, b0, c0)
    const k = v128.and(x, low)
    const shifted = i16x8.shr_u(x, 4)
    const i = v128.and(shifted, low)
    const ak = look(inva, k)
    const j = v128.xor(i, k)
    const overI = look(inv, i)
    const overJ = look(inv, j)
    const p = v128.xor(overI, ak)
    const q = v128.xor(overJ, ak)
    const overP = look(inv, p)
    const overQ = look(inv, q)
    const io = v128.xor(overP, j)
    const jo = v128.xor(overQ, i)
    const mask = v128.load(0, EP_LAST)
    const outK = v128.xor(v128.xor(look(e1u, io), v128.load(0, EK_LAST_K)), look(e1v, jo))
    cipherK = v128.xor(look(outK, mask), previousK)
    const out = v128.xor(v128.xor(look(v128.load(0, EOU), io), v128.load(0, EK_LAST)), look(v128.load(0, EOV), jo))
    v128.store(ptr, v128.xor(look(out, mask), previous))
    previous = plain
    previousK = plainK
  }
  if (length != 0) v128.store(0, v128.load(end - 16), IV)
  v128.store(0, previous, IV + 16)
}

@inline
function decryptionRound(
  x: v128, key: v128, low: v128, inv: v128, inva: v128, m1: v128, m2: v128, m3: v128
): v128 {
  const k = v128.and(x, low)
  const shifted = i16x8.shr_u(x, 4)
  const i = v128.and(shifted, low)
  const ak = look(inva, k)
  const j = v128.xor(i, k)
  const overI = look(inv, i)
  const overJ = look(inv, j)
  const p = v128.xor(overI, ak)
  const q = v128.xor(overJ, ak)
  const overP = look(inv, p)
  const overQ = look(inv, q)
  const io = v128.xor(overP, j)
  const jo = v128.xor(overQ, i)
  const bu = look(v128.load(0, DU + 32), io)
  const du = look(v128.load(0, DU + 64), io)
  const bv = look(v128.load(0, DU + 48), jo)
  const dv = look(v128.load(0, DU + 80), jo)
  const b = v128.xor(bu, bv)
  const d = v128.xor(du, dv)
  const s1 = look(b, m1)
  const s2 = look(d, m2)
  const nu = look(v128.load(0, DU + 96), io)
  const nv = look(v128.load(0, DU + 112), jo)
  const n = v128.xor(nu, nv)
  const s3 = look(n, m3)
  const eu = look(v128.load(0, DU), io)
  const keyed = v128.xor(eu, key)
  const ev = look(v128.load(0, DU + 16), jo)
  const e = v128.xor(keyed, ev)
  return v128.xor(v128.xor(s1, s2), v128.xor(e, s3))
}

/** The inverse of `igeEncrypt`. */
export function igeDecrypt(ptr: usize, length: usize): void {
  const low = v128.load(0, LOW), inv = v128.load(0, INV), inva = v128.load(0, INVA)
  const a0 = v128.load(0, DP + 16), b0 = v128.load(0, DP + 32), c0 = v128.load(0, DP + 48)
  const a1 = v128.load(0, DP + 80), b1 = v128.load(0, DP + 96), c1 = v128.load(0, DP + 112)
  const a2 = v128.load(0, DP + 144), b2 = v128.load(0, DP + 160), c2 = v128.load(0, DP + 176)
  const a3 = v128.load(0, DP + 208), b3 = v128.load(0, DP + 224), c3 = v128.load(0, DP + 240)
  let plainK = decryptionBasis(v128.load(0, IV + 16))
  let previous = v128.load(0, IV)
  let previousK = decryptionBasis(previous)
  const end = ptr + length
  for (; ptr < end; ptr += 16) {
    const cipher = v128.load(ptr)
    const cipherK = linear(cipher, v128.load(0, DIN_LO), v128.load(0, DIN_HI), low)
    let x = v128.xor(v128.xor(cipherK, v128.load(0, DK)), plainK)
    x = decryptionRound(x, v128.load(0, DK + 16), low, inv, inva, a0, b0, c0)
    x = decryptionRound(x, v128.load(0, DK + 32), low, inv, inva, a1, b1, c1)
    x = decryptionRound(x, v128.load(0, DK + 48), low, inv, inva, a2, b2, c2)
    x = decryptionRound(x, v128.load(0, DK + 64), low, inv, inva, a3, b3, c3)
    x = decryptionRound(x, v128.load(0, DK + 80), low, inv, inva, a0, b0, c0)
    x = decryptionRound(x, v128.load(0, DK + 96), low, inv, inva, a1, b1, c1)
    x = decryptionRound(x, v128.load(0, DK + 112), low, inv, inva, a2, b2, c2)
    x = decryptionRound(x, v128.load(0, DK + 128), low, inv, inva, a3, b3, c3)
    x = decryptionRound(x, v128.load(0, DK + 144), low, inv, inva, a0, b0, c0)
    x = decryptionRound(x, v128.load(0, DK + 160), low, inv, inva, a1, b1, c1)
    x = decryptionRound(x, v128.load(0, DK + 176), low, inv, inva, a2, b2, c2)
    x = decryptionRound(x, v128.load(0, DK + 192), low, inv, inva, a3, b3, c3)
    x = decryptionRound(x, v128.load(0, DK + 208), low, inv, inva, a0, b0, c0)
    const k = v128.and(x, low)
    const shifted = i16x8.shr_u(x, 4)
    const i = v128.and(shifted, low)
    const ak = look(inva, k)
    const j = v128.xor(i, k)
    const overI = look(inv, i)
    const overJ = look(inv, j)
    const p = v128.xor(overI, ak)
    const q = v128.xor(overJ, ak)
    const overP = look(inv, p)
    const overQ = look(inv, q)
    const io = v128.xor(overP, j)
    const jo = v128.xor(overQ, i)
    const mask = v128.load(0, DP_LAST)
    const outK = v128.xor(v128.xor(look(v128.load(0, DLU), io), v128.load(0, DK_LAST_K)), look(v128.load(0, DLV), jo))
    plainK = v128.xor(look(outK, mask), previousK)
    const out = v128.xor(v128.xor(look(v128.load(0, DOU), io), v128.load(0, DK_LAST)), look(v128.load(0, DOV), jo))
    v128.store(ptr, v128.xor(look(out, mask), previous))
    previous = cipher
    previousK = cipherK
  }
  v128.store(0, previous, IV)
  if (length != 0) v128.store(0, v128.load(end - 16), IV + 16)
}

// ---- IGE by way of CBC: see nodeIge.ts ----------------------------------------------------------------------------

/**
 * SECOND[i] = DATA[i] ^ DATA[i - 2 blocks], for `length` bytes; 32 bytes of history are before DATA. Blocks are loaded once:
 * a load at the same offset in its page as a store just before has to wait for it.
 */
export function differences(length: usize): void {
  let a = v128.load(0, DATA - 32)
  let b = v128.load(0, DATA - 16)
  let i: usize = 0
  for (; i + 64 <= length; i += 64) {
    const c = v128.load(i, DATA)
    const d = v128.load(i, DATA + 16)
    const e = v128.load(i, DATA + 32)
    const f = v128.load(i, DATA + 48)
    v128.store(i, v128.xor(c, a), SECOND)
    v128.store(i, v128.xor(d, b), SECOND + 16)
    v128.store(i, v128.xor(e, c), SECOND + 32)
    v128.store(i, v128.xor(f, d), SECOND + 48)
    a = e
    b = f
  }
  for (; i < length; i += 16) {
    const c = v128.load(i, DATA)
    v128.store(i, v128.xor(c, a), SECOND)
    a = b
    b = c
  }
}

/** SECOND[i] ^= DATA[i - 1 block], for `length` bytes; the last two blocks of DATA become its history. */
export function restore(length: usize): void {
  let a = v128.load(0, DATA - 16)
  let i: usize = 0
  for (; i + 64 <= length; i += 64) {
    const b = v128.load(i, DATA)
    const c = v128.load(i, DATA + 16)
    const d = v128.load(i, DATA + 32)
    const e = v128.load(i, DATA + 48)
    v128.store(i, v128.xor(v128.load(i, SECOND), a), SECOND)
    v128.store(i, v128.xor(v128.load(i, SECOND + 16), b), SECOND + 16)
    v128.store(i, v128.xor(v128.load(i, SECOND + 32), c), SECOND + 32)
    v128.store(i, v128.xor(v128.load(i, SECOND + 48), d), SECOND + 48)
    a = e
  }
  for (; i < length; i += 16) {
    v128.store(i, v128.xor(v128.load(i, SECOND), a), SECOND)
    a = v128.load(i, DATA)
  }
  const last = v128.load(length, DATA - 16)
  v128.store(0, v128.load(length, DATA - 32), DATA - 32)
  v128.store(0, last, DATA - 16)
}

/** The history of the first piece: nothing, and the second half of IV. */
export function startHistory(): void {
  v128.store(0, i64x2.splat(0), DATA - 32)
  v128.store(0, v128.load(0, IV + 16), DATA - 16)
}

// ---- SHA-256 ------------------------------------------------------------------------------------------------------

function shaInit(): void {
  // the first 32 bits of the fractions of the square roots of the first eight primes
  store<u32>(SHA_STATE, 0x6a09e667, 0)
  store<u32>(SHA_STATE, 0xbb67ae85, 4)
  store<u32>(SHA_STATE, 0x3c6ef372, 8)
  store<u32>(SHA_STATE, 0xa54ff53a, 12)
  store<u32>(SHA_STATE, 0x510e527f, 16)
  store<u32>(SHA_STATE, 0x9b05688c, 20)
  store<u32>(SHA_STATE, 0x1f83d9ab, 24)
  store<u32>(SHA_STATE, 0x5be0cd19, 28)
}

@inline
function sigma0(x: u32): u32 {
  return rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3)
}

@inline
function sigma1(x: u32): u32 {
  return rotr<u32>(x, 17) ^ rotr<u32>(x, 19) ^ (x >> 10)
}

// one round; the caller renames the variables instead of moving them
@inline
function roundT1(e: u32, f: u32, g: u32, h: u32, kw: u32): u32 {
  return h + (rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25)) + (g ^ (e & (f ^ g))) + kw
}

@inline
function roundT2(a: u32, b: u32, c: u32): u32 {
  return (rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22)) + (b ^ ((a ^ b) & (b ^ c)))
}

function compress(ptr: usize): void {
  for (let i: usize = 0; i < 64; i += 4) store<u32>(SHA_W + i, bswap<u32>(load<u32>(ptr + i)))
  for (let i: usize = 64; i < 256; i += 4) {
    store<u32>(
      i,
      load<u32>(i, SHA_W - 64) + sigma0(load<u32>(i, SHA_W - 60)) + load<u32>(i, SHA_W - 28) +
        sigma1(load<u32>(i, SHA_W - 8)),
      SHA_W
    )
  }
  let a = load<u32>(SHA_STATE, 0), b = load<u32>(SHA_STATE, 4), c = load<u32>(SHA_STATE, 8)
  let d = load<u32>(SHA_STATE, 12), e = load<u32>(SHA_STATE, 16), f = load<u32>(SHA_STATE, 20)
  let g = load<u32>(SHA_STATE, 24), h = load<u32>(SHA_STATE, 28)
  for (let i: usize = 0; i < 256; i += 32) {
    let t = roundT1(e, f, g, h, load<u32>(i, SHA_K) + load<u32>(i, SHA_W))
    d += t
    h = t + roundT2(a, b, c)
    t = roundT1(d, e, f, g, load<u32>(i, SHA_K + 4) + load<u32>(i, SHA_W + 4))
    c += t
    g = t + roundT2(h, a, b)
    t = roundT1(c, d, e, f, load<u32>(i, SHA_K + 8) + load<u32>(i, SHA_W + 8))
    b += t
    f = t + roundT2(g, h, a)
    t = roundT1(b, c, d, e, load<u32>(i, SHA_K + 12) + load<u32>(i, SHA_W + 12))
    a += t
    e = t + roundT2(f, g, h)
    t = roundT1(a, b, c, d, load<u32>(i, SHA_K + 16) + load<u32>(i, SHA_W + 16))
    h += t
    d = t + roundT2(e, f, g)
    t = roundT1(h, a, b, c, load<u32>(i, SHA_K + 20) + load<u32>(i, SHA_W + 20))
    g += t
    c = t + roundT2(d, e, f)
    t = roundT1(g, h, a, b, load<u32>(i, SHA_K + 24) + load<u32>(i, SHA_W + 24))
    f += t
    b = t + roundT2(c, d, e)
    t = roundT1(f, g, h, a, load<u32>(i, SHA_K + 28) + load<u32>(i, SHA_W + 28))
    e += t
    a = t + roundT2(b, c, d)
  }
  store<u32>(SHA_STATE, load<u32>(SHA_STATE, 0) + a, 0)
  store<u32>(SHA_STATE, load<u32>(SHA_STATE, 4) + b, 4)
  store<u32>(SHA_STATE, load<u32>(SHA_STATE, 8) + c, 8)
  store<u32>(SHA_STATE, load<u32>(SHA_STATE, 12) + d, 12)
  store<u32>(SHA_STATE, load<u32>(SHA_STATE, 16) + e, 16)
  store<u32>(SHA_STATE, load<u32>(SHA_STATE, 20) + f, 20)
  store<u32>(SHA_STATE, load<u32>(SHA_STATE, 24) + g, 24)
  store<u32>(SHA_STATE, load<u32>(SHA_STATE, 28) + h, 28)
}

function shaFinish(): void {
  for (let i: usize = 0; i < 32; i += 4) store<u32>(SHA_STATE + i, bswap<u32>(load<u32>(SHA_STATE + i)))
}

/** Starts a SHA-256. */
export function shaStart(): void {
  shaInit()
}

/** Goes on with whole blocks: `length` is a multiple of 64. */
export function shaBlocks(ptr: usize, length: usize): void {
  const end = ptr + length
  for (; ptr < end; ptr += 64) compress(ptr)
}

/** Ends with the `length` bytes at `ptr` (room for up to 128 after them is used); `total` is of the whole. Digest at SHA_STATE. */
export function shaEnd(ptr: usize, length: usize, total: f64): void {
  const whole = length & ~63
  shaBlocks(ptr, whole)
  ptr += whole
  length -= whole
  store<u8>(ptr + length, 0x80)
  const size: usize = length < 56 ? 64 : 128
  memory.fill(ptr + length + 1, 0, size - length - 1)
  store<u64>(ptr + size - 8, bswap<u64>(<u64> total << 3))
  shaBlocks(ptr, size)
  shaFinish()
}

// ---- messages of MTProto 2.0 --------------------------------------------------------------------------------------

/** Puts the part of the shared key that is hashed with a message before DATA. */
export function prepare(x: usize): void {
  v128.store(0, v128.load(x, SHARED + 88), DATA - 32)
  v128.store(0, v128.load(x, SHARED + 104), DATA - 16)
}

// KEY DERIVATION
//
// Its two hashes, a = SHA256(msg_key | K[x, x + 36)) and b = SHA256(K[40 + x, 76 + x) | msg_key), are exactly one block
// each, so they are computed side by side: a word of a is in lane 0 of a vector and that of b in lane 2. The lanes above
// them hold copies wherever something is rotated: then a shift of 64 bits rotates the lower 32, and whatever it leaves in
// the upper ones is never read.

@inline
function twice(x: v128): v128 {
  return i32x4.shuffle(x, x, 0, 0, 2, 2)
}

@inline
function pairT1(e: v128, f: v128, g: v128, h: v128, i: usize): v128 {
  const ee = twice(e)
  const sum = v128.xor(v128.xor(i64x2.shr_u(ee, 6), i64x2.shr_u(ee, 11)), i64x2.shr_u(ee, 25))
  const word = i32x4.add(v128.load32x2_u(2 * i, PAIRS), v128.load32_splat(i, SHA_K))
  const choice = v128.xor(g, v128.and(e, v128.xor(f, g)))
  return i32x4.add(sum, i32x4.add(choice, i32x4.add(h, word)))
}

@inline
function pairT2(a: v128, b: v128, c: v128): v128 {
  const aa = twice(a)
  const sum = v128.xor(v128.xor(i64x2.shr_u(aa, 2), i64x2.shr_u(aa, 13)), i64x2.shr_u(aa, 22))
  return i32x4.add(sum, v128.xor(b, v128.and(v128.xor(a, b), v128.xor(b, c))))
}

@inline
function rotate(x: v128, n: i32): v128 {
  return v128.or(i32x4.shr_u(x, n), i32x4.shl(x, 32 - n))
}

@inline
function joined(x: v128, y: v128): v128 {
  return i8x16.shuffle(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)
}

// the next two words from the 15th and 16th before them, the 14th, the 7th, 6th and 5th, and the last two
@inline
function nextPair(w16: v128, w14: v128, w8: v128, w6: v128, w2: v128, to: usize): v128 {
  const w15 = joined(w16, w14)
  const s0 = v128.xor(v128.xor(rotate(w15, 7), rotate(w15, 18)), i32x4.shr_u(w15, 3))
  const s1 = v128.xor(v128.xor(rotate(w2, 17), rotate(w2, 19)), i32x4.shr_u(w2, 10))
  const next = i32x4.add(i32x4.add(i32x4.add(w16, s0), joined(w8, w6)), s1)
  v128.store(to, next, PAIRS)
  return next
}

@inline
function firstPair(a: v128, b: v128, to: usize): v128 {
  const pair = i8x16.shuffle(a, b, 3, 2, 1, 0, 19, 18, 17, 16, 7, 6, 5, 4, 23, 22, 21, 20)
  v128.store(to, pair, PAIRS)
  return pair
}

@inline
function secondPair(a: v128, b: v128, to: usize): v128 {
  const pair = i8x16.shuffle(a, b, 11, 10, 9, 8, 27, 26, 25, 24, 15, 14, 13, 12, 31, 30, 29, 28)
  v128.store(to, pair, PAIRS)
  return pair
}

// the schedule of both, two words of each at a time: the latest that they depend on are two words back
function pairSchedule(): void {
  let a = v128.load(0, BLOCK_A), b = v128.load(0, BLOCK_B)
  let w0 = firstPair(a, b, 0), w1 = secondPair(a, b, 16)
  a = v128.load(0, BLOCK_A + 16)
  b = v128.load(0, BLOCK_B + 16)
  let w2 = firstPair(a, b, 32), w3 = secondPair(a, b, 48)
  a = v128.load(0, BLOCK_A + 32)
  b = v128.load(0, BLOCK_B + 32)
  let w4 = firstPair(a, b, 64), w5 = secondPair(a, b, 80)
  a = v128.load(0, BLOCK_A + 48)
  b = v128.load(0, BLOCK_B + 48)
  let w6 = firstPair(a, b, 96), w7 = secondPair(a, b, 112)
  for (let i: usize = 128; i < 512; i += 128) {
    w0 = nextPair(w0, w1, w4, w5, w7, i)
    w1 = nextPair(w1, w2, w5, w6, w0, i + 16)
    w2 = nextPair(w2, w3, w6, w7, w1, i + 32)
    w3 = nextPair(w3, w4, w7, w0, w2, i + 48)
    w4 = nextPair(w4, w5, w0, w1, w3, i + 64)
    w5 = nextPair(w5, w6, w1, w2, w4, i + 80)
    w6 = nextPair(w6, w7, w2, w3, w5, i + 96)
    w7 = nextPair(w7, w0, w3, w4, w6, i + 112)
  }
}

// two words of a to `toA`, of b to `toB`
@inline
function storePair(toA: usize, toB: usize, first: v128, second: v128): void {
  const bytes = i8x16.shuffle(first, second, 3, 2, 1, 0, 19, 18, 17, 16, 11, 10, 9, 8, 27, 26, 25, 24)
  v128.store64_lane(toA, bytes, 0)
  v128.store64_lane(toB, bytes, 1)
}

/**
 * The key derivation of MTProto 2.0: from the shared key at SHARED and the message key at MSG_KEY to KEY and IV.
 */
export function derive(x: usize): void {
  const messageKey = v128.load(0, MSG_KEY)
  v128.store(0, messageKey, BLOCK_A)
  copy36(BLOCK_A + 16, SHARED + x)
  copy36(BLOCK_B, SHARED + 40 + x)
  v128.store(0, messageKey, BLOCK_B + 36)
  store<u32>(0, 0x80, BLOCK_A + 52)
  store<u32>(0, 0x80, BLOCK_B + 52)
  store<u64>(0, bswap<u64>(416), BLOCK_A + 56)
  store<u64>(0, bswap<u64>(416), BLOCK_B + 56)
  pairSchedule()
  const a0 = i32x4.splat(0x6a09e667), b0 = i32x4.splat(0xbb67ae85)
  const c0 = i32x4.splat(0x3c6ef372), d0 = i32x4.splat(0xa54ff53a)
  const e0 = i32x4.splat(0x510e527f), f0 = i32x4.splat(0x9b05688c)
  const g0 = i32x4.splat(0x1f83d9ab), h0 = i32x4.splat(0x5be0cd19)
  let a = a0, b = b0, c = c0, d = d0, e = e0, f = f0, g = g0, h = h0
  for (let i: usize = 0; i < 256; i += 32) {
    let t = pairT1(e, f, g, h, i)
    d = i32x4.add(d, t)
    h = i32x4.add(t, pairT2(a, b, c))
    t = pairT1(d, e, f, g, i + 4)
    c = i32x4.add(c, t)
    g = i32x4.add(t, pairT2(h, a, b))
    t = pairT1(c, d, e, f, i + 8)
    b = i32x4.add(b, t)
    f = i32x4.add(t, pairT2(g, h, a))
    t = pairT1(b, c, d, e, i + 12)
    a = i32x4.add(a, t)
    e = i32x4.add(t, pairT2(f, g, h))
    t = pairT1(a, b, c, d, i + 16)
    h = i32x4.add(h, t)
    d = i32x4.add(t, pairT2(e, f, g))
    t = pairT1(h, a, b, c, i + 20)
    g = i32x4.add(g, t)
    c = i32x4.add(t, pairT2(d, e, f))
    t = pairT1(g, h, a, b, i + 24)
    f = i32x4.add(f, t)
    b = i32x4.add(t, pairT2(c, d, e))
    t = pairT1(f, g, h, a, i + 28)
    e = i32x4.add(e, t)
    a = i32x4.add(t, pairT2(b, c, d))
  }
  // the key is a[0, 8) b[8, 24) a[24, 32), the IV the rest
  storePair(KEY, IV, i32x4.add(a, a0), i32x4.add(b, b0))
  storePair(IV + 8, KEY + 8, i32x4.add(c, c0), i32x4.add(d, d0))
  storePair(IV + 16, KEY + 16, i32x4.add(e, e0), i32x4.add(f, f0))
  storePair(KEY + 24, IV + 24, i32x4.add(g, g0), i32x4.add(h, h0))
}

@inline
function copy36(to: usize, from: usize): void {
  v128.store(to, v128.load(from))
  v128.store(to, v128.load(from, 16), 16)
  store<u32>(to, load<u32>(from, 32), 32)
}

/** Derives, encrypts `length` bytes at DATA, and leaves nothing but the ciphertext and MSG_KEY. */
export function encryptMessage(x: usize, length: usize): void {
  derive(x)
  expandEncryption()
  igeEncrypt(DATA, length)
  clear(SECRET, SECRET_END)
  // what is left of the key before the header
  store<u64>(0, 0, DATA - 32)
}

/**
 * A message by way of CBC, first half: derives, and prepares for a cipher with the key at KEY and the IV at IV that
 * encrypts the `length` bytes at SECOND and two blocks of zeros after them. They make room in the cipher's output for
 * the header of the packet, which is to replace it.
 */
export function startMessage(x: usize, length: usize): void {
  derive(x)
  v128.store(0, v128.load(0, DATA - 32), BLOCK_A)
  v128.store(0, v128.load(0, DATA - 16), BLOCK_A + 16)
  startHistory()
  differences(length)
  v128.store(length, i64x2.splat(0), SECOND)
  v128.store(length, i64x2.splat(0), SECOND + 16)
}

/**
 * Second half: from the cipher's output to the packet, 24 bytes before SECOND, and 8 bytes of zeros after it; leaves
 * nothing else.
 */
export function endMessage(length: usize): void {
  restore(length)
  store<u64>(0, load<u64>(0, BLOCK_A + 8), SECOND - 24)
  v128.store(0, v128.load(0, BLOCK_A + 16), SECOND - 16)
  v128.store(length, i64x2.splat(0), SECOND)
  wipe(length)
}

/** Derives, decrypts `length` bytes at DATA, and prepares for their hash. */
export function decryptMessage(x: usize, length: usize): void {
  derive(x)
  expandDecryption()
  igeDecrypt(DATA, length)
  prepare(x)
}

// ---- whole calls, and what they overwrite -------------------------------------------------------------------------

/** AES-256-IGE over `length` bytes at DATA with the key at KEY; leaves nothing but the ciphertext. */
export function encryptData(length: usize): void {
  expandEncryption()
  igeEncrypt(DATA, length)
  clear(RAW, DK)
  clear(KEY, KEY + 64)
}

/** The inverse of `encryptData`; leaves nothing but the plaintext. */
export function decryptData(length: usize): void {
  expandDecryption()
  igeDecrypt(DATA, length)
  clear(RAW, EK)
  clear(DK, KEY + 64)
}

// for short areas of whole blocks: `memory.fill` is a call
@inline
function clear(from: usize, to: usize): void {
  for (; from < to; from += 16) v128.store(from, i64x2.splat(0))
}

/** Overwrites everything derived from keys. */
export function wipeKeys(): void {
  clear(SECRET, SECRET_END)
}

/** Overwrites everything derived from keys, `length` bytes of data and the 32 before them. */
export function wipe(length: usize): void {
  clear(SECRET, SECRET_END)
  wipeData(length)
}

/** Overwrites `length` bytes of data and the 32 before them. */
export function wipeData(length: usize): void {
  if (length <= 1024) clear(DATA - 32, DATA + length)
  // beyond whole blocks, `clear` has overwritten up to 15 bytes more
  else memory.fill(DATA - 32, 0, length + 32)
}

// ---- factorisation ------------------------------------------------------------------------------------------------


// the high half of a product
@inline
function mulHigh(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32
  const low = a0 * b0
  const m1 = a1 * b0 + (low >> 32)
  const m2 = a0 * b1 + (m1 & 0xffffffff)
  return a1 * b1 + (m1 >> 32) + (m2 >> 32)
}

@inline
function squareHigh(a: u64): u64 {
  const a0 = a & 0xffffffff, a1 = a >> 32
  const cross = a0 * a1
  const m1 = cross + (a0 * a0 >> 32)
  const m2 = cross + (m1 & 0xffffffff)
  return a1 * a1 + (m1 >> 32) + (m2 >> 32)
}

// P. Montgomery's reduction of a product to (product / 2^64) mod n, for `inverse` n = 1 mod 2^64: what is subtracted
// has the same low half. Which of two numbers is greater is as good as random here, so nothing branches on it.
@inline
function reduce(high: u64, low: u64, n: u64, inverse: u64): u64 {
  const t = mulHigh(low * inverse, n)
  return high - t + select<u64>(n, 0, high < t)
}

// a b / 2^64 mod n, for a, b < n
@inline
function montgomery(a: u64, b: u64, n: u64, inverse: u64): u64 {
  return reduce(mulHigh(a, b), a * b, n, inverse)
}

@inline
function montgomerySquare(a: u64, n: u64, inverse: u64): u64 {
  return reduce(squareHigh(a), a * a, n, inverse)
}

@inline
function addSmall(a: u64, b: u64, n: u64): u64 {
  const rest = n - b
  return a - rest + select<u64>(0, n, a >= rest)
}

@inline
function distance(a: u64, b: u64): u64 {
  return select<u64>(a - b, b - a, a > b)
}

function gcd(a: u64, b: u64): u64 {
  while (b != 0) {
    const t = a % b
    a = b
    b = t
  }
  return a
}

/**
 * A proper factor of an odd composite n > 7, or 0: Brent's variant of Pollard's rho in Montgomery form, one gcd for
 * 64 steps, at most `limit` steps for each of a few constants.
 */
export function factor(n: u64, limit: u32): u64 {
  // Newton's iteration doubles the number of right bits: n is its own inverse mod 8
  let inverse = n
  for (let i = 0; i < 5; i++) inverse *= 2 - n * inverse
  for (let c: u64 = 1; c < 8; c++) {
    let y: u64 = 2 + c, saved = y, product: u64 = c, start = y
    let length: u32 = 1
    for (let total: u32 = 0; total < limit;) {
      saved = y
      for (let done: u32 = 0; done < length; done += 64) {
        start = y
        const batch: u32 = min<u32>(64, length - done)
        for (let i: u32 = 0; i < batch; i++) {
          y = addSmall(montgomerySquare(y, n, inverse), c, n)
          product = montgomery(product, distance(y, saved), n, inverse)
        }
        total += batch
        let d = gcd(product, n)
        if (d == 1) continue
        if (d != n) return d
        // all of n came in one batch: walk it again in single steps
        d = 1
        for (let i: u32 = 0; i < batch && d == 1; i++) {
          start = addSmall(montgomerySquare(start, n, inverse), c, n)
          d = gcd(distance(start, saved), n)
        }
        if (d != 1 && d != n) return d
        total = limit
        break
      }
      length <<= 1
    }
  }
  return 0
}
