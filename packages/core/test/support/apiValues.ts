/** Random values of the API, made from the table of the layer and a seed. */
import * as ApiSchema from "../../src/ApiSchema.ts"

/** A small generator of numbers (mulberry32): the same seed gives the same values everywhere. */
export const random = (seed: number): () => number => {
  let a = seed | 0
  return () => {
    a = a + 0x6d2b79f5 | 0
    let t = Math.imul(a ^ a >>> 15, 1 | a)
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
    return ((t ^ t >>> 14) >>> 0) / 4294967296
  }
}

const camelCase = (name: string): string => name.replace(/_([a-zA-Z0-9])/g, (_, c: string) => c.toUpperCase())

const itemOf = (type: string): string => /^Vector<(.+)>$/.exec(type)?.[1] ?? type

/** How deep the shallowest value of a type is: what ends the making of recursive values. */
const heights = new Map<string, number>()

const height = (c: ApiSchema.Combinator): number => {
  let most = 0
  for (const f of c.fields) {
    if (f.type.includes("?") || f.type.startsWith("Vector<") || !ApiSchema.types().has(f.type)) continue
    most = Math.max(most, heights.get(f.type) ?? Infinity)
  }
  return most + 1
}

const fillHeights = (): void => {
  if (heights.size > 0) return
  for (let changed = true; changed;) {
    changed = false
    for (const [name, members] of ApiSchema.types()) {
      const least = Math.min(...members.map(height))
      if (Number.isFinite(least) && heights.get(name) !== least) {
        heights.set(name, least)
        changed = true
      }
    }
  }
}

export class Values {
  private readonly next: () => number
  private readonly longBits: number
  private readonly leastOptional: number

  constructor(seed: number, options?: {
    /** Keeps longs in that many bits, for readers that cannot hold more. */
    readonly longBits?: number
    /** The least length of conditional vectors, for writers that take an empty one for an absent one. */
    readonly leastOptional?: number
  }) {
    fillHeights()
    this.next = random(seed)
    this.longBits = options?.longBits ?? 63
    this.leastOptional = options?.leastOptional ?? 0
  }

  int(): number {
    const kind = this.next()
    if (kind < 0.1) return -1
    if (kind < 0.2) return -(2 ** 31)
    if (kind < 0.3) return 2 ** 31 - 1
    if (kind < 0.6) return Math.floor(this.next() * 1000)
    return Math.floor(this.next() * 2 ** 32) | 0
  }

  long(): bigint {
    const kind = this.next()
    if (kind < 0.1) return 0n
    const magnitude = BigInt(Math.floor(this.next() * 2 ** 31)) << 32n | BigInt(Math.floor(this.next() * 2 ** 32))
    const value = magnitude >> BigInt(63 - this.longBits)
    return kind < 0.5 ? value : -value - (this.longBits === 63 ? 1n : 0n)
  }

  bytes(length = this.length()): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(this.next() * 256))
  }

  private length(): number {
    const kind = this.next()
    if (kind < 0.15) return 0
    if (kind < 0.9) return Math.floor(this.next() * 40)
    return 250 + Math.floor(this.next() * 20)
  }

  string(): string {
    const alphabet = ["a", "b", " ", "0", "é", "ß", "я", "漢", "🙂", "\n", "\u0000"]
    const ascii = this.next() < 0.5
    return Array.from(
      { length: this.length() },
      () => alphabet[Math.floor(this.next() * (ascii ? 4 : alphabet.length))]!
    ).join("")
  }

  /** A value of the type, as TL writes it; a vector has at least `least` items. */
  value(type: string, depth: number, least = 0): unknown {
    const item = itemOf(type)
    if (item !== type) {
      const count = depth <= 0 ? 0 : Math.floor(this.next() * 3)
      if (least > count) return [this.value(item, depth - 1)]
      return Array.from({ length: count }, () => this.value(item, depth - 1))
    }
    switch (type) {
      case "int":
        return this.int()
      case "long":
        return this.long()
      case "double":
        return this.next() < 0.5 ? this.next() * 1e6 - 5e5 : Math.floor(this.next() * 100)
      case "string":
        return this.string()
      case "bytes":
        return this.bytes()
      case "Bool":
        return this.next() < 0.5
      case "int128":
        return this.bytes(16)
      case "int256":
        return this.bytes(32)
      case "!X":
      case "X":
        return this.bytes(4 * Math.floor(this.next() * 10))
    }
    const members = ApiSchema.types().get(type)
    if (members === undefined) throw new Error(`no type ${type}`)
    const fitting = members.filter((c) => height(c) <= depth)
    const from = fitting.length > 0 ? fitting : members.filter((c) => height(c) === heights.get(type))
    return this.combinator(from[Math.floor(this.next() * from.length)]!, depth - 1)
  }

  /** A value of one constructor or method. */
  combinator(c: ApiSchema.Combinator, depth: number): { readonly _tag: string } {
    const out: Record<string, unknown> = { _tag: c.name }
    const bits = new Map<string, boolean>()
    const density = depth <= 0 ? 0 : this.next()
    for (const { name, type } of c.fields) {
      if (type === "#") continue
      const flag = /^(\w+\.\d+)\?(.+)$/.exec(type)
      if (flag === null) {
        out[camelCase(name)] = this.value(type, depth)
        continue
      }
      // Fields that share a bit are there together.
      let set = bits.get(flag[1]!)
      if (set === undefined) bits.set(flag[1]!, set = this.next() < density)
      if (set) out[camelCase(name)] = flag[2] === "true" ? true : this.value(flag[2]!, depth, this.leastOptional)
    }
    return out as { readonly _tag: string }
  }
}
