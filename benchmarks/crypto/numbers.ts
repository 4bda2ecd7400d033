/** Factorisation and Diffie-Hellman. */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as Effect from "effect/Effect"
import { assertEqualBytes, type Bench, cpu, median } from "../lib/Bench.ts"
import * as Mtcute from "../lib/Mtcute.ts"
import { named } from "../lib/Versions.ts"

const isPrime = (n: bigint): boolean => {
  for (const base of [2n, 3n, 5n, 7n, 11n]) {
    // enough for numbers below 2^32
    let power = 1n
    let square = base % n
    for (let e = n - 1n; e > 0n; e >>= 1n) {
      if ((e & 1n) === 1n) power = power * square % n
      square = square * square % n
    }
    if (power !== 1n) return false
  }
  return true
}

/** A prime of 31 bits, so that products have 61 or 62, as servers send them. */
const prime = (crypto: Crypto["Service"]): bigint => {
  for (;;) {
    const [a, b, c, d] = crypto.randomBytes(4) as unknown as [number, number, number, number]
    const n = BigInt((a & 0x3f | 0x40) * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + (d | 1))
    if (isPrime(n)) return n
  }
}

export const run = async (bench: Bench, crypto: Crypto["Service"]): Promise<void> => {
  const [internals, provider] = await Promise.all([Mtcute.loadInternals(), Mtcute.loadProvider()])
  const { fromBytes, modPowBinary, toBytes } = internals.bigint

  // Both work on the same numbers; which of them are hard differs, so a run goes through several.
  const numbers = Array.from({ length: 200 }, () => {
    const p = prime(crypto)
    const q = prime(crypto)
    return { pq: p * q, least: p < q ? p : q }
  })
  const times: Array<number> = []
  const theirTimes: Array<number> = []
  for (const lap of ["warm up", "measure"]) {
    for (const { least, pq } of lap === "warm up" ? numbers.slice(0, 60) : numbers) {
      const start = cpu()
      const ours = Effect.runSync(crypto.factorize(pq))
      const middle = cpu()
      const theirs = internals.factorize(provider, toBytes(pq))
      const end = cpu()
      if (ours.p !== least || fromBytes(theirs[0]) !== least) throw new Error(`wrong factors of ${pq}`)
      if (lap === "warm up") continue
      times.push(middle - start)
      theirTimes.push(end - middle)
    }
  }
  bench.add({
    name: "factorise pq (median of 200)",
    unit: "ms",
    ours: median(times),
    peer: median(theirTimes),
    peerName: named("@mtcute/core"),
    goal: 8
  })
  bench.add({
    name: "factorise pq (median of 200)",
    unit: "ms",
    ours: median(times),
    peer: 1,
    peerName: "a budget of 1 ms",
    goal: 1
  })

  const p = DiffieHellman.wellKnownPrime()
  const exponent = crypto.randomBytes(256)
  const base = crypto.randomBytes(256)
  base[0] = 0x40
  const ours = (): Promise<Uint8Array> => Effect.runPromise(crypto.modPow(base, exponent, p))
  const theirs = (): Uint8Array => toBytes(modPowBinary(fromBytes(base), fromBytes(exponent), fromBytes(p)), 256)
  await bench.compare({
    name: "Diffie-Hellman, 2048 bits",
    unit: "ms",
    async: true,
    ours,
    peers: [{ name: named("@mtcute/core"), run: theirs, goal: 3.5 }],
    check: async () => assertEqualBytes("modPow", await ours(), theirs())
  })

  const blocked: Array<number> = []
  for (let i = 0; i < 20; i++) blocked.push(await longestBlock(ours))
  bench.add({
    name: "Diffie-Hellman: longest block of the event loop (median of 20)",
    unit: "ms",
    ours: median(blocked),
    peer: 2,
    peerName: "a budget of 2 ms",
    goal: 1
  })
}

/** The longest time that this thread is busy between two turns of the event loop while something runs. */
const longestBlock = async (work: () => Promise<unknown>): Promise<number> => {
  let running = true
  let last = cpu()
  let longest = 0
  const tick = (): void => {
    const now = cpu()
    longest = Math.max(longest, now - last)
    last = now
    if (running) setImmediate(tick)
  }
  setImmediate(tick)
  await work()
  running = false
  return longest
}
