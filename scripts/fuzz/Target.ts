/** What can be fuzzed, and the inputs that it is fed with. */

/** A source of numbers in [0, 1): the same seed gives the same ones everywhere. */
export type Random = () => number

/**
 * Something that reads bytes from outside.
 *
 * It may answer anything, and may fail in the way it documents: what `isExpected` accepts is a refusal, anything else that
 * is thrown is a violation.
 */
export interface Target {
  /** `package/Module.function`. */
  readonly name: string
  /** Valid inputs, to be damaged. */
  readonly seeds: ReadonlyArray<Uint8Array>
  /** Reads one input. May return a promise; a failed `Result` is a refusal like any other. */
  readonly run: (input: Uint8Array, random: Random) => unknown
  readonly isExpected: (error: unknown) => boolean
  /** Work that is known to take longer, off the event loop: its time is not limited. */
  readonly slow?: boolean | undefined
  /** Of how many cases one is run; for targets that take milliseconds. */
  readonly rarity?: number | undefined
}

/** A module of `targets/`: what it needs may have to be made first. */
export interface TargetModule {
  readonly make: () => Promise<ReadonlyArray<Target>> | ReadonlyArray<Target>
}

/** mulberry32 */
export const random = (seed: number): Random => {
  let a = seed | 0
  return () => {
    a = a + 0x6d2b79f5 | 0
    let t = Math.imul(a ^ a >>> 15, 1 | a)
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
    return ((t ^ t >>> 14) >>> 0) / 4294967296
  }
}

/** A seed for one case, from the seed of the run, the target and the number of the case (FNV-1a). */
export const caseSeed = (seed: number, target: string, index: number): number => {
  let h = 0x811c9dc5
  for (const part of `${seed}/${target}/${index}`) h = Math.imul(h ^ part.codePointAt(0)!, 0x01000193)
  return h
}

export const below = (next: Random, n: number): number => Math.floor(next() * n)

export const pick = <A>(next: Random, list: ReadonlyArray<A>): A => list[below(next, list.length)]!

export const bytes = (next: Random, length: number): Uint8Array => Uint8Array.from({ length }, () => below(next, 256))

/** Mostly short, sometimes long, often whole words or whole blocks. */
const length = (next: Random): number => {
  const kind = next()
  const n = kind < 0.5 ? below(next, 64) : kind < 0.9 ? below(next, 1024) : below(next, 20_000)
  return next() < 0.3 ? n & ~3 : next() < 0.3 ? n & ~15 : n
}

/** Words that break things: counts, lengths and sizes at their edges. */
const words = [0, 1, -1, 0x7fffffff, -0x80000000, 0x1cb5c415, 0xffff, 0x10000, 0xff_ffff, 0x100_0000, 0x3072cfa1]

const mutations: ReadonlyArray<(next: Random, input: Uint8Array, seeds: ReadonlyArray<Uint8Array>) => Uint8Array> = [
  function flipBit(next, input) {
    const at = below(next, input.length)
    input[at]! ^= 1 << below(next, 8)
    return input
  },
  function setByte(next, input) {
    input[below(next, input.length)] = pick(next, [0, 1, 127, 128, 253, 254, 255, below(next, 256)])
    return input
  },
  function setWord(next, input) {
    if (input.length < 4) return input
    const at = next() < 0.8 ? below(next, input.length >> 2) * 4 : below(next, input.length - 3)
    new DataView(input.buffer, input.byteOffset).setInt32(
      at,
      next() < 0.8 ? pick(next, words) : below(next, 2 ** 32) | 0,
      true
    )
    return input
  },
  function truncate(next, input) {
    return input.slice(0, below(next, input.length))
  },
  function extend(next, input) {
    return concat(input, bytes(next, length(next)))
  },
  function remove(next, input) {
    const from = below(next, input.length)
    const to = Math.min(input.length, from + 1 + below(next, 32))
    return concat(input.subarray(0, from), input.subarray(to))
  },
  function repeat(next, input) {
    const from = below(next, input.length)
    const part = input.subarray(from, from + 4 + below(next, 32))
    const parts: Array<Uint8Array> = [input.subarray(0, from)]
    for (let n = 1 + below(next, next() < 0.1 ? 1000 : 4); n >= 0; n--) parts.push(part)
    return concat(...parts, input.subarray(from))
  },
  function splice(next, input, seeds) {
    const other = pick(next, seeds)
    return concat(input.subarray(0, below(next, input.length)), other.subarray(below(next, other.length)))
  }
]

/** One input: noise, a valid input as it is, or one that has been damaged a few times. */
export const makeInput = (next: Random, seeds: ReadonlyArray<Uint8Array>): Uint8Array => {
  const kind = next()
  if (seeds.length === 0 || kind < 0.2) return bytes(next, length(next))
  let result: Uint8Array = pick(next, seeds).slice()
  if (kind < 0.25) return result
  for (let n = 1 + below(next, 4); n > 0 && result.length > 0; n--) result = pick(next, mutations)(next, result, seeds)
  return result
}

export const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

export const text = (source: string): Uint8Array => new TextEncoder().encode(source)
export const asText = (input: Uint8Array): string => new TextDecoder().decode(input)
