/**
 * Factorisation of the `pq` of the key exchange: a product of two primes below
 * 2^32, below 2^63 as servers make it.
 *
 * Shanks's square forms do it in plain numbers: for `N` of 64 bits all its inner
 * values are below `2 sqrt(k N)`, exact in a double. If it should find nothing,
 * Brent's variant of Pollard's rho on BigInt is tried. Both are bounded.
 *
 * @since 1.0.0
 */

const LIMIT = 1n << 64n
const SMALL_PRIMES = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n]
// square-free products of small odd primes: each gives the method another independent chance
const MULTIPLIERS = [1, 3, 5, 7, 11, 15, 21, 33, 35, 55, 77, 105, 165, 231, 385, 1155]
const MAX_FORMS = 600_000
const MAX_RHO = 1 << 18

/**
 * Splits `pq` into `p * q` with `1 < p < q`, or returns `undefined` if it is not
 * such a product: zero, one, a prime, the square of a prime, negative, or 2^64
 * and more. `method`, if given, is tried first: it gets odd composite numbers
 * that have no small factor and are no squares.
 *
 * @since 1.0.0
 * @category factorisation
 */
export const factorize = (
  pq: bigint,
  method?: ((odd: bigint) => bigint | undefined) | undefined
): { readonly p: bigint; readonly q: bigint } | undefined => {
  const factor = findFactor(pq, method)
  if (factor === undefined) return undefined
  const other = pq / factor
  if (factor === other) return undefined
  return factor < other ? { p: factor, q: other } : { p: other, q: factor }
}

/**
 * A proper factor of `n`, or `undefined` if there is none to be found: `n` is
 * prime, less than 4, or not below 2^64.
 *
 * @since 1.0.0
 * @category factorisation
 */
export const findFactor = (
  n: bigint,
  method?: ((odd: bigint) => bigint | undefined) | undefined
): bigint | undefined => {
  if (n < 4n || n >= LIMIT) return undefined
  for (const prime of SMALL_PRIMES) if (n % prime === 0n) return n === prime ? undefined : prime
  if (isPrime(n)) return undefined
  const root = sqrt(n)
  if (root * root === n) return root
  const found = method?.(n)
  if (found !== undefined) return found
  for (const multiplier of MULTIPLIERS) {
    const factor = squareForms(n, multiplier)
    if (factor !== undefined) return factor
  }
  return rho(n)
}

/**
 * Whether `n`, below 2^64, is prime: the strong test to the first twelve prime
 * bases, which is exact in this range.
 *
 * @since 1.0.0
 * @category factorisation
 */
export const isPrime = (n: bigint): boolean => {
  if (n < 2n) return false
  for (const prime of SMALL_PRIMES) if (n % prime === 0n) return n === prime
  let odd = n - 1n
  let twos = 0
  while ((odd & 1n) === 0n) {
    odd >>= 1n
    twos++
  }
  return SMALL_PRIMES.every((base) => {
    let x = power(base, odd, n)
    if (x === 1n || x === n - 1n) return true
    for (let i = 1; i < twos; i++) {
      x = (x * x) % n
      if (x === n - 1n) return true
    }
    return false
  })
}

const power = (base: bigint, exponent: bigint, modulus: bigint): bigint => {
  let result = 1n
  let square = base % modulus
  for (let e = exponent; e > 0n; e >>= 1n) {
    if ((e & 1n) === 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

const gcd = (a: bigint, b: bigint): bigint => {
  while (b !== 0n) [a, b] = [b, a % b]
  return a
}

// the integer square root: a double is close enough to start from for n below 2^75
const sqrt = (n: bigint): bigint => {
  let root = BigInt(Math.floor(Math.sqrt(Number(n))))
  while (root * root > n) root--
  while ((root + 1n) * (root + 1n) <= n) root++
  return root
}

/*
 * The principal cycle of forms of discriminant 4kN is walked by the continued fraction of sqrt(kN): P, Q and b are its
 * complete quotients (P + sqrt(kN)) / Q with integer part b. A form whose Q is a square at an even place has a square
 * root on an ambiguous cycle, whose symmetry point, half as far away, shows a factor. Every P is below sqrt(kN), every Q
 * below 2 sqrt(kN) < 2^39, so doubles are exact; only kN itself needs a BigInt.
 */
const squareForms = (n: bigint, multiplier: number): bigint | undefined => {
  const kn = n * BigInt(multiplier)
  const floor = sqrt(kn)
  const root = Number(floor)
  let p = root
  let before = 1
  let q = Number(kn - floor * floor)
  if (q === 0) return properFactor(n, floor)
  for (let i = 1; i < MAX_FORMS; i++) {
    const b = Math.floor((root + p) / q)
    const next = b * q - p
    const after = before + b * (p - next)
    before = q
    q = after
    p = next
    // squares are 0, 1, 4, 9 mod 16
    if ((i & 1) === 1) {
      const low = q % 16
      if (low === 0 || low === 1 || low === 4 || low === 9) {
        const r = Math.sqrt(q)
        if (r === Math.floor(r) && r > 1) {
          const factor = symmetryPoint(n, kn, root, p, r)
          if (factor !== undefined) return factor
        }
      }
    }
  }
  return undefined
}

const symmetryPoint = (n: bigint, kn: bigint, root: number, p0: number, r: number): bigint | undefined => {
  let p = Math.floor((root - p0) / r) * r + p0
  const wide = BigInt(p)
  let before = r
  let q = Number((kn - wide * wide) / BigInt(r))
  for (let i = 0; i < MAX_FORMS && q !== 0; i++) {
    const b = Math.floor((root + p) / q)
    const next = b * q - p
    if (next === p) return properFactor(n, BigInt(p))
    const after = before + b * (p - next)
    before = q
    q = after
    p = next
  }
  return undefined
}

const properFactor = (n: bigint, candidate: bigint): bigint | undefined => {
  const factor = gcd(n, candidate)
  return factor > 1n && factor < n ? factor : undefined
}

const rho = (n: bigint): bigint | undefined => {
  for (let c = 1n; c < 4n; c++) {
    let y = 2n
    let saved = y
    let product = 1n
    let start = y
    for (let length = 1, total = 0; total < MAX_RHO; length *= 2) {
      saved = y
      for (let done = 0; done < length; done += 128) {
        start = y
        const batch = Math.min(128, length - done)
        for (let i = 0; i < batch; i++) {
          y = (y * y + c) % n
          const difference = saved > y ? saved - y : y - saved
          product = (product * difference) % n
        }
        total += batch
        let factor = gcd(product, n)
        if (factor === 1n) continue
        // several factors, or all of n, came in one batch: walk it again in single steps
        for (let z = start, i = 0; factor === n && i < batch; i++) {
          z = (z * z + c) % n
          factor = gcd(saved > z ? saved - z : z - saved, n)
          if (factor !== 1n && factor !== n) return factor
          if (factor === 1n) factor = n
        }
        if (factor !== n) return factor
        product = 1n
        total = MAX_RHO
        break
      }
    }
  }
  return undefined
}
