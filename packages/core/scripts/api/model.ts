/**
 * The model of the server API that every emitter works from: constructors, methods, types and documented errors of one
 * layer, read from the `api-schema.json` that `@mtcute/core` ships, checked and put into a fixed order.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import * as TlId from "../../src/TlId.ts"
import { additions, type DocumentedError } from "./errors.ts"

// ----- the file as it is shipped

interface RawArgument {
  readonly name: string
  readonly type: string
  readonly typeModifiers?: { readonly isVector?: boolean; readonly predicate?: string }
}

interface RawEntry {
  readonly kind: "class" | "method"
  readonly name: string
  readonly id: number
  readonly type: string
  readonly arguments: ReadonlyArray<RawArgument>
  readonly typeModifiers?: { readonly isVector?: boolean }
  readonly generics?: ReadonlyArray<unknown>
  readonly throws?: ReadonlyArray<{ readonly code: number; readonly name: string }>
}

// ----- the model

/** The type of a value on the wire. */
export type TlType =
  | { readonly kind: "int" | "long" | "double" | "string" | "bytes" | "bool" | "int128" | "int256" }
  /** The rest of the message: the query of a wrapper. */
  | { readonly kind: "rest" }
  | { readonly kind: "vector"; readonly item: TlType }
  | { readonly kind: "type"; readonly name: string }

export interface Field {
  /** As TL spells it. */
  readonly tl: string
  /** The key in the value, camelCase. */
  readonly key: string
  readonly type: TlType
  /** Set when the field depends on bit `bit` of the flags field named `field`. */
  readonly flag?: { readonly field: string; readonly bit: number }
}

/** One word on the wire after the constructor id: a field, a flags word, or nothing (a bare flag). */
export type Slot =
  | { readonly kind: "flags"; readonly tl: string }
  | { readonly kind: "true"; readonly field: Field }
  | { readonly kind: "field"; readonly field: Field }

export interface Combinator {
  readonly name: string
  readonly id: number
  readonly slots: ReadonlyArray<Slot>
  /** The TL line without a semicolon. */
  readonly line: string
}

export interface Constructor extends Combinator {
  readonly type: string
}

export interface Method extends Combinator {
  readonly result: TlType
  /** True for `invokeWithLayer` and its like, whose last field is another request. */
  readonly wrapper: boolean
  readonly errors: ReadonlyArray<DocumentedError>
}

export interface Model {
  readonly layer: number
  /** Package and version that the model was read from. */
  readonly source: string
  readonly constructors: ReadonlyArray<Constructor>
  readonly methods: ReadonlyArray<Method>
  /** Constructors by the type that they belong to. */
  readonly types: ReadonlyMap<string, ReadonlyArray<Constructor>>
  /** Namespaces in alphabetical order; the names without one are in `""`. */
  readonly namespaces: ReadonlyArray<string>
}

// ----- names

/** `messages.dhConfig` -> `messages`, `user` -> ``. */
export const namespaceOf = (name: string): string => name.includes(".") ? name.slice(0, name.indexOf(".")) : ""

/** `messages.dhConfig` -> `dhConfig`. */
export const localOf = (name: string): string => name.slice(name.indexOf(".") + 1)

/** `g_a_or_b` -> `gAOrB`. */
export const camelCase = (name: string): string => name.replace(/_([a-zA-Z0-9])/g, (_, c: string) => c.toUpperCase())

// ----- reading

/**
 * Entries that are in the file and not in the layer: mtcute's own extensions, and two constructors that exist only to
 * read file ids of old bots (renamed, so that their ids are not the CRC32 of their lines).
 */
const isForeign = (entry: RawEntry): boolean => namespaceOf(entry.name) === "mtcute" || entry.name.endsWith("Legacy")

const primitives: Record<string, TlType> = {
  int: { kind: "int" },
  long: { kind: "long" },
  // mtcute's name for longs whose values fit a double. On the wire, and in TL, they are longs.
  int53: { kind: "long" },
  double: { kind: "double" },
  string: { kind: "string" },
  bytes: { kind: "bytes" },
  Bool: { kind: "bool" },
  int128: { kind: "int128" },
  int256: { kind: "int256" },
  "!X": { kind: "rest" },
  X: { kind: "rest" }
}

const toType = (name: string, isVector: boolean | undefined): TlType => {
  const item: TlType = Object.hasOwn(primitives, name) ? primitives[name]! : { kind: "type", name }
  return isVector === true ? { kind: "vector", item } : item
}

const typeText = (type: string, modifiers: RawArgument["typeModifiers"]): string => {
  const bare = type === "int53" ? "long" : type
  const value = modifiers?.isVector === true ? `Vector<${bare}>` : bare
  return modifiers?.predicate === undefined ? value : `${modifiers.predicate}?${value}`
}

const lineOf = (entry: RawEntry): string => {
  const parts = [`${entry.name}#${entry.id.toString(16)}`]
  if (entry.generics !== undefined) parts.push("{X:Type}")
  for (const a of entry.arguments) parts.push(`${a.name}:${typeText(a.type, a.typeModifiers)}`)
  return `${parts.join(" ")} = ${typeText(entry.type, entry.typeModifiers)}`
}

const fail = (entry: RawEntry, problem: string): never => {
  throw new Error(`${entry.name}: ${problem}`)
}

const slotsOf = (entry: RawEntry): ReadonlyArray<Slot> => {
  const flags = new Set<string>()
  const keys = new Set<string>()
  return entry.arguments.map((a, index): Slot => {
    if (a.type === "#") {
      flags.add(a.name)
      return { kind: "flags", tl: a.name }
    }
    const key = camelCase(a.name)
    if (keys.has(key) || key === "_tag") fail(entry, `two fields are called ${key}`)
    keys.add(key)
    const match = /^(\w+)\.(\d+)$/.exec(a.typeModifiers?.predicate ?? "")
    const flag = match === null ? undefined : { field: match[1]!, bit: Number(match[2]) }
    if (flag !== undefined && !flags.has(flag.field)) fail(entry, `${a.name} depends on an unknown ${flag.field}`)
    if (a.type === "true") {
      if (flag === undefined) fail(entry, `${a.name} is a bare flag without a bit`)
      return { kind: "true", field: { tl: a.name, key, type: { kind: "bool" }, flag: flag! } }
    }
    const type = toType(a.type, a.typeModifiers?.isVector)
    if (type.kind === "rest" && index !== entry.arguments.length - 1) fail(entry, "a query that is not the last field")
    return { kind: "field", field: { tl: a.name, key, type, ...(flag === undefined ? {} : { flag }) } }
  })
}

const errorsOf = (entry: RawEntry): ReadonlyArray<DocumentedError> => {
  const seen = new Map<string, DocumentedError>()
  const all = [...(entry.throws ?? []).map((e) => ({ code: e.code, type: e.name })), ...additions(entry.name)]
  for (const e of all) seen.set(`${e.type} ${e.code}`, e)
  return [...seen.values()].toSorted((a, b) => a.type < b.type ? -1 : a.type > b.type ? 1 : a.code - b.code)
}

export const load = (): Model => {
  const require = createRequire(import.meta.url)
  const path = require.resolve("@mtcute/core/tl/api-schema.json")
  const raw = JSON.parse(readFileSync(path, "utf8")) as { readonly l: number; readonly e: ReadonlyArray<RawEntry> }
  const pkg = JSON.parse(readFileSync(path.replace(/tl[\\/]api-schema\.json$/, "package.json"), "utf8")) as {
    readonly name: string
    readonly version: string
  }
  const constructors: Array<Constructor> = []
  const methods: Array<Method> = []
  for (const entry of raw.e) {
    if (isForeign(entry)) continue
    const line = lineOf(entry)
    if (TlId.compute(line) !== entry.id) fail(entry, `the id of "${line}" is not the CRC32 of the line`)
    const base = { name: entry.name, id: entry.id, slots: slotsOf(entry), line }
    if (entry.kind === "class") {
      constructors.push({ ...base, type: entry.type })
    } else {
      const result = toType(entry.type, entry.typeModifiers?.isVector)
      methods.push({ ...base, result, wrapper: result.kind === "rest", errors: errorsOf(entry) })
    }
  }
  const types = new Map<string, Array<Constructor>>()
  for (const c of constructors) {
    const members = types.get(c.type)
    if (members === undefined) types.set(c.type, [c])
    else members.push(c)
  }
  const namespaces = new Set<string>()
  for (const c of [...constructors, ...methods]) namespaces.add(namespaceOf(c.name))
  for (const t of types.keys()) namespaces.add(namespaceOf(t))
  const known = (type: TlType): boolean =>
    type.kind === "vector" ? known(type.item) : type.kind !== "type" || types.has(type.name)
  for (const c of [...constructors, ...methods]) {
    for (const s of c.slots) {
      if (s.kind === "field" && !known(s.field.type)) throw new Error(`${c.name}.${s.field.tl}: unknown type`)
    }
  }
  return {
    layer: raw.l,
    source: `${pkg.name}@${pkg.version}`,
    constructors,
    methods,
    types,
    namespaces: [...namespaces].toSorted()
  }
}
