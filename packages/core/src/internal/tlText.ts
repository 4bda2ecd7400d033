/** Text -> declarations. Line by line: a declaration may not span lines in any schema of Telegram. */

export interface Document {
  readonly items: ReadonlyArray<Item>
}

export type Item =
  /** A comment or an empty line, as it stands. */
  | { readonly _tag: "text"; readonly text: string }
  | { readonly _tag: "section"; readonly name: "types" | "functions" }
  | {
    readonly _tag: "combinator"
    readonly combinator: Combinator
    /** A comment behind the semicolon. */
    readonly comment: string
  }

export interface Combinator {
  readonly name: string
  /** The id as it is written, without `#`. */
  readonly idText: string | undefined
  readonly isMethod: boolean
  /** `X:Type` of `{X:Type}`. */
  readonly generics: ReadonlyArray<string>
  readonly fields: ReadonlyArray<Field>
  readonly result: Type
  /** The whole declaration, if it declares a built-in type (`int ? = Int`, `vector`, `int128 4*[ int ] = Int128`). */
  readonly builtin: string | undefined
  readonly line: number
}

export interface Field {
  readonly name: string
  readonly flag: { readonly word: string; readonly bit: number } | undefined
  /** Undefined for a flags word, `name:#`. */
  readonly type: Type | undefined
}

export interface Type {
  readonly name: string
  /** `%Type` */
  readonly bare: boolean
  /** `!X` */
  readonly generic: boolean
  /** `t` of `Vector<t>` */
  readonly argument: Type | undefined
}

export class SyntaxProblem extends Error {
  readonly line: number
  readonly column: number
  readonly expected: string
  readonly found: string
  constructor(line: number, column: number, expected: string, found: string) {
    super(expected)
    this.line = line
    this.column = column
    this.expected = expected
    this.found = found
  }
}

const sections = { "---types---": "types", "---functions---": "functions" } as const

export const parseDocument = (text: string): Document => {
  const items: Array<Item> = []
  let isMethod = false
  text.split("\n").forEach((raw, i) => {
    const line = raw.replace(/\r$/, "")
    const trimmed = line.trim()
    if (trimmed === "" || trimmed.startsWith("//")) items.push({ _tag: "text", text: line })
    else if (Object.hasOwn(sections, trimmed)) {
      const name = sections[trimmed as keyof typeof sections]
      isMethod = name === "functions"
      items.push({ _tag: "section", name })
    } else {
      const scanner = new Scanner(line, i + 1)
      items.push({ _tag: "combinator", ...combinator(scanner, isMethod) })
    }
  })
  return { items }
}

// Deeper than any schema, and far from the end of the stack.
const MAX_TYPE_DEPTH = 16

class Scanner {
  readonly text: string
  readonly line: number
  at = 0
  constructor(text: string, line: number) {
    this.text = text
    this.line = line
  }
  space(): void {
    while (this.text[this.at] === " " || this.text[this.at] === "\t") this.at++
  }
  /** Takes what the (sticky) pattern matches. */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const match = pattern.exec(this.text)
    if (match === null) return undefined
    this.at += match[0].length
    return match[0]
  }
  need(pattern: RegExp, expected: string): string {
    return this.take(pattern) ?? this.fail(expected)
  }
  fail(expected: string, at = this.at): never {
    const rest = this.text.slice(at).trimStart()
    throw new SyntaxProblem(this.line, at + 1, expected, rest === "" ? "the end of the line" : `"${rest.slice(0, 20)}"`)
  }
}

const NAME = /[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*/y
const FIELD = /[A-Za-z_]\w*/y
const ID = /[0-9a-fA-F]{1,8}\b/y
const NUMBER = /\d{1,2}\b/y
const GENERIC = /[A-Za-z_]\w*:Type(?=\})/y
const END = /;[ \t]*/y
// `int ? = Int`, `vector {t:Type} # [ t ] = Vector t`, `int128 4*[ int ] = Int128`, `bytes = Bytes`.
const BUILTIN =
  /(?:(?:int|long|double|string|bytes|int128|int256|object|function) (?:\? )?=|vector(?:#[0-9a-fA-F]{1,8})? \{|\w+ \d+\*\[)[^;]*/y

const combinator = (s: Scanner, isMethod: boolean): { combinator: Combinator; comment: string } => {
  s.space()
  const builtin = s.take(BUILTIN)
  if (builtin !== undefined) {
    const comment = end(s)
    const [name] = builtin.split(/[ #]/, 1) as [string]
    const result: Type = { name: builtin.split("= ", 2)[1] ?? name, bare: false, generic: false, argument: undefined }
    return {
      combinator: {
        name,
        idText: undefined,
        isMethod,
        generics: [],
        fields: [],
        result,
        builtin: builtin.trimEnd(),
        line: s.line
      },
      comment
    }
  }
  const name = s.need(NAME, "a name")
  const idText = s.take(/#/y) === undefined ? undefined : s.need(ID, "an id of up to eight hexadecimal digits")
  const generics: Array<string> = []
  const fields: Array<Field> = []
  const words = new Set<string>()
  for (;;) {
    s.space()
    if (s.take(/=/y) !== undefined) break
    if (s.take(/\{/y) !== undefined) {
      generics.push(s.need(GENERIC, "a generic parameter, X:Type"))
      s.need(/\}/y, "}")
      continue
    }
    const start = s.at
    const field = fieldOf(s, words)
    if (fields.some((f) => f.name === field.name)) s.fail("a new field name", start)
    if (field.type === undefined) words.add(field.name)
    fields.push(field)
  }
  s.space()
  const result = typeOf(s, 0)
  const comment = end(s)
  return { combinator: { name, idText, isMethod, generics, fields, result, builtin: undefined, line: s.line }, comment }
}

const end = (s: Scanner): string => {
  s.space()
  s.need(END, "a semicolon")
  const comment = s.text.slice(s.at).trimEnd()
  if (comment !== "" && !comment.startsWith("//")) s.fail("a comment or the end of the line")
  return comment
}

const fieldOf = (s: Scanner, words: ReadonlySet<string>): Field => {
  const name = s.need(FIELD, "a field or =")
  s.need(/:/y, "a colon")
  if (s.take(/#(?![\w.])/y) !== undefined) return { name, flag: undefined, type: undefined }
  const start = s.at
  if (s.take(/[A-Za-z_]\w*\.\d+\?/y) === undefined) return { name, flag: undefined, type: typeOf(s, 0) }
  s.at = start
  const word = s.need(FIELD, "a flags word")
  if (!words.has(word)) s.fail("a flags word that stands before", start)
  s.need(/\./y, "a dot")
  const bit = Number(s.need(NUMBER, "a bit"))
  if (bit > 31) s.fail("a bit from 0 to 31", start)
  s.need(/\?/y, "?")
  return { name, flag: { word, bit }, type: typeOf(s, 0) }
}

const typeOf = (s: Scanner, depth: number): Type => {
  if (depth > MAX_TYPE_DEPTH) s.fail("a type with fewer arguments")
  const generic = s.take(/!/y) !== undefined
  const bare = s.take(/%/y) !== undefined
  const name = s.need(NAME, "a type")
  if (s.take(/</y) === undefined) return { name, bare, generic, argument: undefined }
  const argument = typeOf(s, depth + 1)
  s.need(/>/y, ">")
  return { name, bare, generic, argument }
}
