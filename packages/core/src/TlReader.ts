/**
 * A bounded cursor over TL bytes.
 *
 * Every length and count is checked against what is left before anything is allocated, nesting is limited, and every
 * failure is a {@link TlError}. A reader that has failed is of no further use.
 *
 * **Buffer ownership.** The reader never writes. Byte values longer than 64 bytes are views of the input (copying
 * them would cost more than all the rest of decoding); shorter ones (keys, nonces, hashes) are copies. Call `slice()`
 * on what must outlive the input buffer.
 *
 * Strings are UTF-8; ill-formed bytes are read as U+FFFD and never fail, as in the official clients. Source:
 * core.telegram.org/mtproto/serialize.
 *
 * @since 1.0.0
 */
import { readText } from "./internal/text.ts"
import type { Reason } from "./TlError.ts"
import { TlError } from "./TlError.ts"

/**
 * How deep objects may nest before reading is refused.
 *
 * @category constants
 * @since 1.0.0
 */
export const defaultMaxDepth = 128

/**
 * Byte values up to this length are copied out of the input, longer ones are views of it.
 *
 * @category constants
 * @since 1.0.0
 */
export const copyLimit = 64

const BOOL_TRUE = 0x997275b5 | 0
const BOOL_FALSE = 0xbc799737 | 0
const VECTOR = 0x1cb5c415

// One scratch word turns eight bytes into a bigint or a double without a DataView per reader (66 ns each).
const scratchInts = new Int32Array(2)
const scratchLong = new BigInt64Array(scratchInts.buffer)
const scratchDouble = new Float64Array(scratchInts.buffer)
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
const LOW = littleEndian ? 0 : 1
const HIGH = littleEndian ? 1 : 0

/**
 * A cursor that reads TL bytes. Its methods throw nothing but `TlError`; see the notes above on what it refuses.
 *
 * @category models
 * @since 1.0.0
 */
export class TlReader {
  /** The bytes being read. */
  readonly buffer: Uint8Array
  /** Where the next value starts. */
  position: number
  /** Where reading must stop. */
  readonly end: number
  readonly maxDepth: number
  private readonly start: number
  /** How many levels are open. */
  depth: number

  constructor(buffer: Uint8Array, options?: {
    /** First byte to read; 0 if absent. */
    readonly start?: number | undefined
    /** One past the last byte to read; the length of the buffer if absent. */
    readonly end?: number | undefined
    /** Default {@link defaultMaxDepth}. */
    readonly maxDepth?: number | undefined
  }) {
    const end = options?.end ?? buffer.length
    const start = options?.start ?? 0
    if (!(start >= 0 && start <= end && end <= buffer.length)) {
      throw new RangeError("TlReader: start and end must lie inside the buffer")
    }
    this.buffer = buffer
    this.position = start
    this.start = start
    this.end = end
    this.maxDepth = options?.maxDepth ?? defaultMaxDepth
    this.depth = 0
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.end - this.position
  }

  /** Reads `int`: 32 bits, signed. */
  int(): number {
    const p = this.position
    if (p + 4 > this.end) this.truncated("an int", 4)
    const b = this.buffer
    this.position = p + 4
    return b[p]! | b[p + 1]! << 8 | b[p + 2]! << 16 | b[p + 3]! << 24
  }

  /** Reads `long`: 64 bits, signed. */
  long(): bigint {
    const p = this.position
    if (p + 8 > this.end) this.truncated("a long", 8)
    const b = this.buffer
    scratchInts[LOW] = b[p]! | b[p + 1]! << 8 | b[p + 2]! << 16 | b[p + 3]! << 24
    scratchInts[HIGH] = b[p + 4]! | b[p + 5]! << 8 | b[p + 6]! << 16 | b[p + 7]! << 24
    this.position = p + 8
    return scratchLong[0]!
  }

  /** Reads `double`: IEEE 754, 64 bits. */
  double(): number {
    const p = this.position
    if (p + 8 > this.end) this.truncated("a double", 8)
    const b = this.buffer
    scratchInts[LOW] = b[p]! | b[p + 1]! << 8 | b[p + 2]! << 16 | b[p + 3]! << 24
    scratchInts[HIGH] = b[p + 4]! | b[p + 5]! << 8 | b[p + 6]! << 16 | b[p + 7]! << 24
    this.position = p + 8
    return scratchDouble[0]!
  }

  /** Reads `int128`: 16 bytes as they stand. */
  int128(): Uint8Array {
    return this.raw(16)
  }

  /** Reads `int256`: 32 bytes as they stand. */
  int256(): Uint8Array {
    return this.raw(32)
  }

  /** Reads `Bool`. */
  bool(): boolean {
    const id = this.int()
    if (id === BOOL_TRUE) return true
    if (id === BOOL_FALSE) return false
    return this.unknown("Bool", id)
  }

  /** Reads `string`. */
  string(): string {
    const from = this.position
    const n = this.length()
    const p = this.position
    const text = readText(this.buffer, p, n)
    this.pad(from, p + n)
    return text
  }

  /** Reads `bytes`. */
  bytes(): Uint8Array {
    const from = this.position
    const n = this.length()
    const bytes = this.raw(n)
    this.pad(from, this.position)
    return bytes
  }

  /** Reads all that is left. */
  rest(): Uint8Array {
    return this.raw(this.end - this.position)
  }

  /** Reads an int length and that many bytes, without padding (the body of a message in a container). */
  block(): Uint8Array {
    const n = this.int()
    if (n < 0 || n > this.end - this.position) {
      this.fail("LimitExceeded", `a length of at most ${this.end - this.position}`, `${n}`)
    }
    return this.raw(n)
  }

  /** Reads `n` bytes as they stand. */
  raw(n: number): Uint8Array {
    const p = this.position
    if (p + n > this.end) this.truncated(`${n} bytes`, n)
    this.position = p + n
    const b = this.buffer
    if (n > copyLimit) return new Uint8Array(b.buffer, b.byteOffset + p, n)
    const copy = new Uint8Array(n)
    for (let i = 0; i < n; i++) copy[i] = b[p + i]!
    return copy
  }

  /** Reads the id and the count of `Vector`; each item takes at least `itemSize` bytes, so the count is bounded. */
  vector(itemSize: number): number {
    const id = this.int()
    if (id !== VECTOR) this.unexpected(VECTOR, "Vector", id)
    return this.count(itemSize)
  }

  /** Reads the count of a bare `vector`. */
  count(itemSize: number): number {
    const n = this.int()
    if (n < 0 || n * itemSize > this.end - this.position) {
      this.fail("LimitExceeded", `a count of at most ${Math.floor((this.end - this.position) / itemSize)}`, `${n}`)
    }
    return n
  }

  /** Reads a constructor id that can only be `id`. */
  expect(id: number, name: string): void {
    const found = this.int()
    if (found !== id) this.unexpected(id, name, found)
  }

  /** Opens one level of nesting. */
  enter(): void {
    if (++this.depth > this.maxDepth) {
      this.fail("LimitExceeded", `at most ${this.maxDepth} levels of nesting`, "more")
    }
  }

  /** Closes one level of nesting. */
  leave(): void {
    this.depth--
  }

  /** Goes back to an earlier position. */
  rewind(position: number, depth = 0): void {
    this.position = position
    this.depth = depth
  }

  /** Fails unless all bytes have been read. */
  finish(): void {
    if (this.position !== this.end) {
      this.fail("TrailingBytes", "the end", `${this.end - this.position} more bytes`)
    }
  }

  /** Fails: the id just read is none of the constructors of `type`. */
  unknown(type: string, id: number): never {
    throw new TlError({
      reason: "UnknownConstructor",
      path: [],
      offset: this.position - 4 - this.start,
      expected: `a constructor of ${type}`,
      found: hex(id)
    })
  }

  /** Fails at the present position. */
  fail(reason: Reason, expected: string, found: string): never {
    throw new TlError({ reason, path: [], offset: this.position - this.start, expected, found })
  }

  private unexpected(id: number, name: string, found: number): never {
    throw new TlError({
      reason: "UnknownConstructor",
      path: [],
      offset: this.position - 4 - this.start,
      expected: `${name} (${hex(id)})`,
      found: hex(found)
    })
  }

  private truncated(expected: string, size: number): never {
    this.fail("Truncated", expected, `${this.remaining} bytes instead of ${size}`)
  }

  private length(): number {
    const p = this.position
    const b = this.buffer
    if (p + 4 > this.end) this.truncated("a string length", 4)
    let n = b[p]!
    if (n < 254) {
      this.position = p + 1
    } else {
      if (n === 255) this.fail("LimitExceeded", "a string shorter than 2^24 bytes", "a longer form")
      n = b[p + 1]! | b[p + 2]! << 8 | b[p + 3]! << 16
      this.position = p + 4
    }
    if (this.position + n > this.end) {
      this.fail("Truncated", `${n} bytes`, `${this.remaining} bytes`)
    }
    return n
  }

  // Length and content together fill a multiple of four; what fills the gap is not looked at.
  private pad(from: number, to: number): void {
    const next = from + ((to - from + 3) & ~3)
    if (next > this.end) this.truncated("padding", next - to)
    this.position = next
  }
}

/**
 * Starts reading a byte array, or a part of it.
 *
 * @category constructors
 * @since 1.0.0
 */
export const make = (buffer: Uint8Array, options?: ConstructorParameters<typeof TlReader>[1]): TlReader =>
  new TlReader(buffer, options)

const hex = (id: number): string => `0x${(id >>> 0).toString(16).padStart(8, "0")}`
