/**
 * JSON as it comes from strangers.
 *
 * `JSON.parse` rounds integers above 2^53, lets the last of two equal keys win, and nests as deep as its input. Here
 * integers are exact (those that a number cannot hold are a `bigint`), a key that is given twice is an error, and depth is
 * bounded. In every other respect the language is that of RFC 8259: no comments, no `NaN`, no single quotes. Numbers that
 * no double can hold are an error too.
 *
 * The documentation that this gateway is faithful to shows `params` with a comma before the closing brace; where that is
 * what people copy, `trailingCommas` takes it.
 *
 * Objects have no prototype, so no key means anything but itself.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/**
 * A value that was read.
 *
 * @category models
 * @since 1.0.0
 */
export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | ReadonlyArray<Json>
  | { readonly [key: string]: Json }

/**
 * The text is not JSON, or not such as is taken here. `offset` counts UTF-16 units.
 *
 * @category errors
 * @since 1.0.0
 */
export class JsonError extends Schema.TaggedError<JsonError>()("JsonError", {
  reason: Schema.Literals(["syntax", "depth", "duplicate-key", "number"]),
  offset: Schema.Int
}) {
  override get message(): string {
    return `${sentences[this.reason]} (at character ${this.offset})`
  }
}

const sentences = {
  syntax: "This is not JSON",
  depth: "The JSON is nested too deeply",
  "duplicate-key": "A key of the JSON is given twice",
  number: "A number of the JSON is too large"
}

/**
 * @category models
 * @since 1.0.0
 */
export interface Options {
  /** Levels of arrays and objects. Default 64. */
  readonly maxDepth?: number | undefined
  /** Take a comma before a closing bracket. Default false. */
  readonly trailingCommas?: boolean | undefined
}

const numberPattern = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
/** Up to the next quote, escape or control character. */
// oxlint-disable-next-line no-control-regex
const plainPattern = /[^"\\\u0000-\u001f]*/y
const hexPattern = /[0-9a-fA-F]{4}/y
const escapes: { readonly [char: string]: string } = {
  "\"": "\"",
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t"
}
/** Longer integers mean nothing to anybody, and reading them costs more than their length. */
const MAX_DIGITS = 64

class Reader {
  readonly text: string
  readonly maxDepth: number
  readonly trailingCommas: boolean
  at = 0

  constructor(text: string, options: Options) {
    this.text = text
    this.maxDepth = options.maxDepth ?? 64
    this.trailingCommas = options.trailingCommas === true
  }

  fail(reason: JsonError["reason"]): never {
    throw new JsonError({ reason, offset: this.at })
  }

  space(): void {
    const { text } = this
    for (;;) {
      const c = text.charCodeAt(this.at)
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return
      this.at++
    }
  }

  value(depth: number): Json {
    this.space()
    switch (this.text[this.at]) {
      case "{":
        return this.object(depth)
      case "[":
        return this.array(depth)
      case "\"":
        return this.string()
      case "t":
        return this.word("true", true)
      case "f":
        return this.word("false", false)
      case "n":
        return this.word("null", null)
      default:
        return this.number()
    }
  }

  word<A extends Json>(text: string, value: A): A {
    if (!this.text.startsWith(text, this.at)) this.fail("syntax")
    this.at += text.length
    return value
  }

  number(): number | bigint {
    numberPattern.lastIndex = this.at
    const match = numberPattern.exec(this.text)
    if (match === null) return this.fail("syntax")
    const [digits, fraction, exponent] = match
    if (fraction === undefined && exponent === undefined) {
      const value = Number(digits)
      if (Number.isSafeInteger(value)) {
        this.at = numberPattern.lastIndex
        return value === 0 ? 0 : value
      }
      if (digits.length > MAX_DIGITS) this.fail("number")
      this.at = numberPattern.lastIndex
      return BigInt(digits)
    }
    const value = Number(digits)
    if (!Number.isFinite(value)) this.fail("number")
    this.at = numberPattern.lastIndex
    return value
  }

  string(): string {
    this.at++
    let out = ""
    for (;;) {
      plainPattern.lastIndex = this.at
      out += plainPattern.exec(this.text)![0]
      this.at = plainPattern.lastIndex
      const c = this.text[this.at]
      if (c === "\"") {
        this.at++
        return out
      }
      if (c !== "\\") return this.fail("syntax")
      const escaped = this.text[this.at + 1] ?? ""
      if (escaped === "u") {
        hexPattern.lastIndex = this.at + 2
        const hex = hexPattern.exec(this.text)
        if (hex === null) return this.fail("syntax")
        out += String.fromCharCode(Number.parseInt(hex[0], 16))
        this.at += 6
      } else {
        const char = Object.hasOwn(escapes, escaped) ? escapes[escaped] : undefined
        if (char === undefined) return this.fail("syntax")
        out += char
        this.at += 2
      }
    }
  }

  /** After an element: whether another one follows. */
  next(close: string): boolean {
    this.space()
    const c = this.text[this.at]
    if (c === close) {
      this.at++
      return false
    }
    if (c !== ",") this.fail("syntax")
    this.at++
    if (!this.trailingCommas) return true
    this.space()
    if (this.text[this.at] !== close) return true
    this.at++
    return false
  }

  open(close: string, depth: number): boolean {
    if (depth >= this.maxDepth) this.fail("depth")
    this.at++
    this.space()
    if (this.text[this.at] !== close) return true
    this.at++
    return false
  }

  array(depth: number): ReadonlyArray<Json> {
    const out: Array<Json> = []
    if (!this.open("]", depth)) return out
    do out.push(this.value(depth + 1))
    while (this.next("]"))
    return out
  }

  object(depth: number): { readonly [key: string]: Json } {
    const out: { [key: string]: Json } = Object.create(null)
    if (!this.open("}", depth)) return out
    do {
      this.space()
      if (this.text[this.at] !== "\"") this.fail("syntax")
      const start = this.at
      const key = this.string()
      if (key in out) {
        this.at = start
        this.fail("duplicate-key")
      }
      this.space()
      if (this.text[this.at] !== ":") this.fail("syntax")
      this.at++
      out[key] = this.value(depth + 1)
    } while (this.next("}"))
    return out
  }
}

/**
 * @category parsing
 * @since 1.0.0
 */
export const parse = (text: string, options: Options = {}): Result.Result<Json, JsonError> => {
  const reader = new Reader(text, options)
  try {
    const value = reader.value(0)
    reader.space()
    return reader.at === text.length ? Result.succeed(value) : reader.fail("syntax")
  } catch (error) {
    if (error instanceof JsonError) return Result.fail(error)
    throw error
  }
}

/**
 * Writes a value; integers that a double cannot hold are written as strings, as the longs of the API are.
 *
 * @category writing
 * @since 1.0.0
 */
export const stringify = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => typeof inner === "bigint" ? inner.toString() : inner)

/**
 * @category guards
 * @since 1.0.0
 */
export const isObject = (value: unknown): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value)
