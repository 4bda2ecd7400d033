/**
 * A growing cursor that writes TL bytes in one pass.
 *
 * **Buffer ownership.** {@link TlWriter.take} hands out a view of what was written and never writes there again, so
 * the view stays valid. Several small results may lie in one buffer of 64 KiB (a buffer of its own costs more than
 * the encoding): use the view, not its `.buffer`, and `slice()` what you transfer or wipe.
 *
 * Values are checked as they are written (type and range); a value that has no TL form is a {@link TlError}. Lone
 * surrogates in strings are written as U+FFFD. Source: core.telegram.org/mtproto/serialize.
 *
 * @since 1.0.0
 */
import { describe } from "./internal/describe.ts"
import { utf8Length, writeAscii, writeText } from "./internal/text.ts"
import type { Reason } from "./TlError.ts"
import { TlError } from "./TlError.ts"
import { defaultMaxDepth } from "./TlReader.ts"

/**
 * How many bytes one value may take.
 *
 * @category constants
 * @since 1.0.0
 */
export const defaultMaxSize = 1 << 28

/**
 * The longest `string` or `bytes`, in bytes.
 *
 * @category constants
 * @since 1.0.0
 */
export const maxBytesLength = (1 << 24) - 1

const SLAB = 65536
/** A buffer that one large result has grown serves the next ones up to this size. */
const KEEP = 131072
const NOTHING = new Uint8Array(0)
const NO_VIEW = new DataView(NOTHING.buffer)

const BOOL_TRUE = 0x997275b5 | 0
const BOOL_FALSE = 0xbc799737 | 0
const VECTOR = 0x1cb5c415

/**
 * A growing cursor that writes TL bytes. Its methods throw nothing but `TlError`, and keep nothing that they were given.
 *
 * @category models
 * @since 1.0.0
 */
export class TlWriter {
  private buffer: Uint8Array
  /** What an earlier result has grown; see `take`. */
  private grown: Uint8Array
  /** The buffer of small results, while a large one is written, and where the next of them begins there. */
  private slab: Uint8Array
  private slabStart: number
  private view: DataView
  private start: number
  private position: number
  /** The end of the buffer, or of what one value may take. */
  private limit: number
  /** How many levels are open. */
  depth: number
  readonly maxSize: number
  readonly maxDepth: number

  constructor(options?: {
    /** How many bytes one value may take; default {@link defaultMaxSize}. */
    readonly maxSize?: number | undefined
    /** How deep objects may nest; default as in `TlReader`. */
    readonly maxDepth?: number | undefined
  }) {
    this.buffer = NOTHING
    this.grown = NOTHING
    this.slab = NOTHING
    this.slabStart = 0
    this.view = NO_VIEW
    this.start = 0
    this.position = 0
    this.limit = 0
    this.depth = 0
    this.maxSize = options?.maxSize ?? defaultMaxSize
    this.maxDepth = options?.maxDepth ?? defaultMaxDepth
  }

  /** How many bytes have been written since the last `take`. */
  get length(): number {
    return this.position - this.start
  }

  /** Returns what has been written since the last `take`. */
  take(): Uint8Array {
    const { buffer, position, start } = this
    this.depth = 0
    if (buffer.length <= SLAB) {
      if (position - start > SLAB / 2) {
        // Nearly all of its buffer, whose memory its last reader may give back: nothing else is written there.
        this.buffer = NOTHING
        this.view = NO_VIEW
        this.start = this.position = this.limit = 0
        return buffer.subarray(start, position)
      }
      this.start = position
      this.limit = Math.min(buffer.length, position + this.maxSize)
      return new Uint8Array(buffer.buffer, start, position - start)
    }
    // Small results go on where they were.
    const { slab } = this
    this.slab = NOTHING
    this.buffer = slab
    this.view = slab === NOTHING ? NO_VIEW : new DataView(slab.buffer)
    this.start = this.position = this.slabStart
    this.limit = slab === NOTHING ? 0 : Math.min(slab.length, this.slabStart + this.maxSize)
    this.slabStart = 0
    // A very large result keeps its buffer; others are copied out, which costs less than growing once more.
    if (buffer.length > KEEP) return buffer.subarray(start, position)
    this.grown = buffer
    return buffer.slice(start, position)
  }

  /** What has been written since the last `take`, where it stands: of use until the next thing is written. */
  peek(): Uint8Array {
    return new Uint8Array(this.buffer.buffer, this.buffer.byteOffset + this.start, this.position - this.start)
  }

  /** Overwrites what has been written since the last `take`, and forgets it. */
  wipe(): void {
    const { buffer, position, start, view } = this
    let p = start
    // a call costs more than a few words
    if (position - start > 256) buffer.fill(0, start, position)
    else {
      for (; p + 8 <= position; p += 8) view.setFloat64(p, 0)
      for (; p < position; p++) buffer[p] = 0
    }
    this.reset()
  }

  /** Forgets what has been written since the last `take`, or since `length` and `depth` were what is given. */
  reset(length = 0, depth = 0): void {
    this.position = this.start + length
    this.depth = depth
  }

  /** Writes a constructor id, or any other word that needs no check. */
  id(id: number): void {
    let p = this.position
    if (p + 4 > this.limit) p = this.grow(4)
    this.view.setInt32(p, id, true)
    this.position = p + 4
  }

  /** Writes `int`: 32 bits, signed. */
  int(value: number): void {
    if (typeof value !== "number" || (value | 0) !== value) this.invalid("an int32", value)
    let p = this.position
    if (p + 4 > this.limit) p = this.grow(4)
    this.view.setInt32(p, value, true)
    this.position = p + 4
  }

  /** Writes `long`: 64 bits, signed. */
  long(value: bigint): void {
    if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) this.invalid("an int64 as bigint", value)
    let p = this.position
    if (p + 8 > this.limit) p = this.grow(8)
    this.view.setBigInt64(p, value, true)
    this.position = p + 8
  }

  /** Writes `double`: IEEE 754, 64 bits. */
  double(value: number): void {
    if (typeof value !== "number") this.invalid("a number", value)
    let p = this.position
    if (p + 8 > this.limit) p = this.grow(8)
    this.view.setFloat64(p, value, true)
    this.position = p + 8
  }

  /** Writes `int128`: 16 bytes as they stand. */
  int128(value: Uint8Array): void {
    if (!(value instanceof Uint8Array) || value.length !== 16) this.invalid("16 bytes", value)
    this.raw(value)
  }

  /** Writes `int256`: 32 bytes as they stand. */
  int256(value: Uint8Array): void {
    if (!(value instanceof Uint8Array) || value.length !== 32) this.invalid("32 bytes", value)
    this.raw(value)
  }

  /** Writes `Bool`. */
  bool(value: boolean): void {
    if (value === true) this.id(BOOL_TRUE)
    else if (value === false) this.id(BOOL_FALSE)
    else this.invalid("a boolean", value)
  }

  /** Writes `string`. */
  string(value: string): void {
    if (typeof value !== "string") this.invalid("a string", value)
    const chars = value.length
    if (chars > maxBytesLength) this.fail("LimitExceeded", "less than 2^24 bytes", `${chars} characters`)
    let p = this.position
    // A UTF-16 unit takes at most three bytes; only long strings, and the last ones of a buffer, are worth counting.
    const room = 8 + (chars > 5000 ? utf8Length(value) : chars * 3)
    if (p + room > this.limit) p = this.grow(bytesSize(utf8Length(value)))
    const b = this.buffer
    if (chars < 254) {
      let n = chars > 20 ? -1 : writeAscii(b, p + 1, value)
      if (n === -1) n = writeText(b, p + 1, value)
      if (n < 254) {
        b[p] = n
        this.pad(p, p + 1 + n)
        return
      }
      b.copyWithin(p + 4, p + 1, p + 1 + n)
      this.long24(p, n)
      this.pad(p, p + 4 + n)
      return
    }
    const n = writeText(b, p + 4, value)
    this.long24(p, n)
    this.pad(p, p + 4 + n)
  }

  /** Writes `bytes`. */
  bytes(value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) this.invalid("bytes (a Uint8Array)", value)
    const n = value.length
    const size = bytesSize(n)
    let p = this.position
    if (p + size > this.limit) p = this.grow(size)
    const b = this.buffer
    if (n < 254) {
      b[p] = n
      if (n < 32) { for (let i = 0; i < n; i++) b[p + 1 + i] = value[i]! }
      else b.set(value, p + 1)
      this.pad(p, p + 1 + n)
    } else {
      this.long24(p, n)
      b.set(value, p + 4)
      this.pad(p, p + 4 + n)
    }
  }

  /** Writes bytes as they stand. */
  raw(value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) this.invalid("bytes (a Uint8Array)", value)
    const n = value.length
    let p = this.position
    if (p + n > this.limit) p = this.grow(n)
    this.buffer.set(value, p)
    this.position = p + n
  }

  /** Writes an int length and that many bytes, without padding (the body of a message in a container). */
  block(value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) this.invalid("bytes (a Uint8Array)", value)
    this.int(value.length)
    this.raw(value)
  }

  /** Writes the id and the count of `Vector`; returns the count. */
  vector(items: ReadonlyArray<unknown>): number {
    this.id(VECTOR)
    return this.count(items)
  }

  /** Writes the count of a bare `vector`; returns it. */
  count(items: ReadonlyArray<unknown>): number {
    if (!Array.isArray(items)) this.invalid("an array", items)
    this.id(items.length)
    return items.length
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

  /** Fails: `value` is none of the constructors of `type`. */
  unknown(type: string, value: unknown): never {
    const tag = typeof value === "object" && value !== null ? (value as { readonly _tag?: unknown })._tag : undefined
    if (typeof tag === "string") {
      this.fail("UnknownConstructor", `a constructor of ${type}`, `_tag ${JSON.stringify(tag.slice(0, 80))}`)
    }
    return this.invalid(`an object of ${type} with a _tag`, value)
  }

  /** Fails: `value` is not what the type asks for. */
  invalid(expected: string, value: unknown): never {
    return this.fail("InvalidValue", expected, describe(value, expected))
  }

  /** Fails at the present position. */
  fail(reason: Reason, expected: string, found: string): never {
    throw new TlError({ reason, path: [], offset: this.position - this.start, expected, found })
  }

  private long24(p: number, n: number): void {
    if (n > maxBytesLength) this.fail("LimitExceeded", "less than 2^24 bytes", `${n} bytes`)
    this.view.setUint32(p, (n << 8 | 0xfe) >>> 0, true)
  }

  private pad(from: number, to: number): void {
    const next = from + ((to - from + 3) & ~3)
    const b = this.buffer
    for (let i = to; i < next; i++) b[i] = 0
    this.position = next
  }

  // Moves the value being written to a buffer with room for `size` more bytes; returns the new position.
  private grow(size: number): number {
    const length = this.position - this.start
    const needed = length + size
    if (!(needed <= this.maxSize)) {
      this.fail("LimitExceeded", `a value of at most ${this.maxSize} bytes`, `at least ${needed}`)
    }
    const buffer = needed <= SLAB / 2
      ? new Uint8Array(SLAB)
      : needed <= this.grown.length
      ? this.grown
      : new Uint8Array(Math.max(needed + 1024, 2 * length))
    buffer.set(this.buffer.subarray(this.start, this.position))
    if (this.buffer.length === SLAB && buffer.length > SLAB) {
      this.slab = this.buffer
      this.slabStart = this.start
    }
    this.buffer = buffer
    this.view = new DataView(buffer.buffer)
    this.start = 0
    this.position = length
    this.limit = Math.min(buffer.length, this.maxSize)
    return length
  }
}

/**
 * A writer of its own, for several values one after the other.
 *
 * @category constructors
 * @since 1.0.0
 */
export const make = (options?: ConstructorParameters<typeof TlWriter>[0]): TlWriter => new TlWriter(options)

// Length, content and padding of a byte string of `n` bytes.
const bytesSize = (n: number): number => n < 254 ? n + 4 & ~3 : n + 7 & ~3
