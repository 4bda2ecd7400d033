import * as Factorization from "@effect-mtproto/crypto/Factorization"
import { assert, describe, it } from "@effect/vitest"

const primesFrom = (start: bigint, count: number): ReadonlyArray<bigint> => {
  const primes: Array<bigint> = []
  for (let n = start; primes.length < count; n++) if (Factorization.isPrime(n)) primes.push(n)
  return primes
}

describe("Factorization", () => {
  it("finds a factor where there is one", () => {
    for (const n of [0n, 1n, 2n, 3n, 5n, 7n, 1229739323n, -6n, 1n << 64n]) {
      assert.isUndefined(Factorization.findFactor(n))
    }
    assert.strictEqual(Factorization.findFactor(4n), 2n)
    assert.strictEqual(Factorization.findFactor(21n), 3n)
    assert.strictEqual(Factorization.findFactor(1229739323n ** 2n), 1229739323n)
    assert.deepStrictEqual(Factorization.factorize(179424611n * 179424673n), { p: 179424611n, q: 179424673n })
  })

  it("splits every product of two primes from a spread set", () => {
    const primes = [
      ...primesFrom(2n, 25),
      ...primesFrom((1n << 31n) - 500_000n, 5),
      ...primesFrom((1n << 32n) - 500_000n, 2),
      ...primesFrom((1n << 39n) - 500_000n, 1)
    ]
    for (const [i, p] of primes.entries()) {
      for (const q of primes.slice(i + 1)) {
        if (p * q < 1n << 64n) assert.deepStrictEqual(Factorization.factorize(p * q), { p, q })
      }
      assert.isUndefined(Factorization.factorize(p * p))
    }
  })

  it("splits products as servers make them", () => {
    const primes = Array.from({ length: 12 }, (_, i) => primesFrom(BigInt(i + 10) * 100_000_000n + 12_345n, 1)[0]!)
    for (const [i, p] of primes.entries()) {
      for (const q of primes.slice(i + 1)) assert.deepStrictEqual(Factorization.factorize(p * q), { p, q })
    }
  })

  it("splits every composite below 6000 and knows every prime", () => {
    for (let n = 4; n < 6_000; n++) {
      let smallest = 2
      while (n % smallest !== 0) smallest++
      assert.strictEqual(Factorization.isPrime(BigInt(n)), smallest === n)
      const factor = Factorization.findFactor(BigInt(n))
      assert.strictEqual(factor === undefined, smallest === n)
      if (factor !== undefined) assert.isTrue(factor > 1n && factor < BigInt(n) && BigInt(n) % factor === 0n)
    }
    // strong pseudoprimes to the first bases
    for (const n of [3215031751n, 2152302898747n, 3474749660383n, 341550071728321n, 3825123056546413051n]) {
      assert.isFalse(Factorization.isPrime(n))
      assert.isDefined(Factorization.findFactor(n))
    }
  })
})
