/**
 * Where in a value of the API reading failed.
 *
 * Generated readers do not keep track of where they are: it would cost every message something, for the sake of those that
 * are broken. A reader that has failed is run again instead, twice, over a cursor that does not throw: from the failure on
 * it makes up what it returns, and only what it returns at the failure itself differs between the two runs. Where the two
 * values differ is the path.
 *
 * @since 1.0.0
 * @internal
 */
import { TlReader } from "../TlReader.ts"

type Path = ReadonlyArray<string | number>

/** What is returned in place of what could not be read. */
class Mark {
  /** As a word of flags: no flag, or all of them. */
  readonly word: number
  /** As a count of a vector. */
  readonly count: number

  constructor(word: number, count: number) {
    this.word = word
    this.count = count
  }

  valueOf(): number {
    return this.word
  }
}

/** What is returned after that. It is no constructor of anything, so recursion ends. */
const after: any = /*#__PURE__*/ Object.freeze({})

class Locating extends TlReader {
  private readonly mark: any
  private failed = false
  private tooDeep = false

  constructor(bytes: Uint8Array, mark: Mark) {
    super(bytes)
    this.mark = mark
  }

  private attempt<A>(read: () => A, mark: A, later: A): A {
    if (this.failed) return later
    if (this.tooDeep) {
      this.failed = true
      return mark
    }
    try {
      const value = read()
      // a part of it may have failed already
      if (!this.failed) return value
    } catch {
      this.failed = true
    }
    return mark
  }

  private value<A>(read: () => A): A {
    return this.attempt(read, this.mark, after)
  }

  override int(): number {
    return this.value(() => super.int())
  }
  override long(): bigint {
    return this.value(() => super.long())
  }
  override double(): number {
    return this.value(() => super.double())
  }
  override bool(): boolean {
    return this.value(() => super.bool())
  }
  override string(): string {
    return this.value(() => super.string())
  }
  override bytes(): Uint8Array {
    return this.value(() => super.bytes())
  }
  override raw(n: number): Uint8Array {
    return this.value(() => super.raw(n))
  }
  override vector(itemSize: number): number {
    return this.attempt(() => super.vector(itemSize), this.mark.count, 0)
  }
  override expect(id: number, name: string): void {
    this.attempt(() => super.expect(id, name), undefined, undefined)
  }
  override enter(): void {
    if (this.failed) return
    try {
      super.enter()
    } catch {
      // Nothing that is read stands for a level of nesting: the first thing inside it does.
      this.tooDeep = true
    }
  }
  override unknown(type: string, id: number): never {
    if (this.failed) return id as never
    return this.value(() => super.unknown(type, id)) as never
  }
}

const difference = (a: unknown, b: unknown): Path | undefined => {
  if (a instanceof Mark || b instanceof Mark) return []
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || a === b) return undefined
  if (ArrayBuffer.isView(a)) return undefined
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return []
    for (let i = 0; i < a.length; i++) {
      const inside = difference(a[i], b[i])
      if (inside !== undefined) return [i, ...inside]
    }
    return undefined
  }
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return []
  for (const key of keys) {
    const inside = difference((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])
    if (inside !== undefined) return [key, ...inside]
  }
  return undefined
}

/** The path of what `read` cannot read of `bytes`; empty if it is the value itself, or cannot be told. */
export const locate = (read: (r: TlReader) => unknown, bytes: Uint8Array): Path => {
  try {
    return difference(read(new Locating(bytes, new Mark(0, 0))), read(new Locating(bytes, new Mark(-1, 1)))) ?? []
  } catch {
    return []
  }
}
