/**
 * Reading and writing TL by its text, constructor by constructor.
 *
 * `Api` has generated code for the layer of today. For the few objects that have another form in an older layer, and
 * for whatever contains them, this goes through the fields as their line of TL lists them: slower, but nothing has to
 * be compiled for a client that comes once.
 */
import type { Combinator } from "@effect-mtproto/core/ApiSchema"
import { type TlReader } from "@effect-mtproto/core/TlReader"
import { type TlWriter } from "@effect-mtproto/core/TlWriter"

/** A value of TL: `_tag` and fields in camelCase. */
export type Value = { readonly _tag: string } & Readonly<Record<string, unknown>>

/** Where constructors are looked up. */
export interface Dictionary {
  /** For writing. */
  readonly byName: (name: string) => Combinator | undefined
  /** For reading. */
  readonly byId: (id: number) => Combinator | undefined
}

type Kind = "int" | "long" | "double" | "string" | "bytes" | "Bool" | "int128" | "int256" | "rest" | "boxed"

interface Type {
  readonly kind: Kind | "vector"
  readonly item: Type | undefined
  /** As in TL. */
  readonly name: string
}

interface Field {
  readonly key: string
  readonly type: Type | "flags" | "true"
  /** The word of flags and the bit in it. */
  readonly flag: { readonly word: string; readonly bit: number } | undefined
}

const KINDS: ReadonlySet<string> = new Set(["int", "long", "double", "string", "bytes", "Bool", "int128", "int256"])

const typeOf = (text: string): Type => {
  const vector = /^Vector<(.+)>$/.exec(text)
  if (vector !== null) return { kind: "vector", item: typeOf(vector[1]!), name: text }
  if (text === "!X" || text === "X") return { kind: "rest", item: undefined, name: text }
  return { kind: KINDS.has(text) ? text as Kind : "boxed", item: undefined, name: text }
}

const camelCase = (name: string): string => name.replace(/_([a-zA-Z0-9])/g, (_, c: string) => c.toUpperCase())

const layouts = new WeakMap<Combinator, ReadonlyArray<Field>>()

const layoutOf = (combinator: Combinator): ReadonlyArray<Field> => {
  const known = layouts.get(combinator)
  if (known !== undefined) return known
  const layout = combinator.fields.map(({ name, type }): Field => {
    if (type === "#") return { key: name, type: "flags", flag: undefined }
    const flag = /^(\w+)\.(\d+)\?(.+)$/.exec(type)
    return {
      key: camelCase(name),
      type: flag?.[3] === "true" ? "true" : typeOf(flag === null ? type : flag[3]!),
      flag: flag === null ? undefined : { word: flag[1]!, bit: Number(flag[2]) }
    }
  })
  layouts.set(combinator, layout)
  return layout
}

// -----------------------------------------------------------------------------
// writing
// -----------------------------------------------------------------------------

const isSet = (field: Field, value: Value): boolean =>
  field.type === "true" ? value[field.key] === true : value[field.key] !== undefined

/** Writes the fields of an object; what the form has no field for is left out. */
const writeFields = (w: TlWriter, dictionary: Dictionary, combinator: Combinator, value: Value): void => {
  const layout = layoutOf(combinator)
  for (const field of layout) {
    if (field.type === "flags") {
      let word = 0
      for (const other of layout) {
        if (other.flag?.word === field.key && isSet(other, value)) word |= 1 << other.flag.bit
      }
      w.int(word)
    } else if (field.type !== "true" && (field.flag === undefined || isSet(field, value))) {
      writeType(w, dictionary, field.type, value[field.key])
    }
  }
}

const writeType = (w: TlWriter, dictionary: Dictionary, type: Type, value: any): void => {
  switch (type.kind) {
    case "int":
      return w.int(value)
    case "long":
      return w.long(value)
    case "double":
      return w.double(value)
    case "string":
      return w.string(value)
    case "bytes":
      return w.bytes(value)
    case "Bool":
      return w.bool(value)
    case "int128":
    case "int256":
    case "rest":
      return w.raw(value)
    case "vector":
      w.vector(value)
      for (const item of value) writeType(w, dictionary, type.item!, item)
      return
    case "boxed": {
      const combinator = dictionary.byName((value as Value)._tag) ?? w.unknown(type.name, value)
      w.enter()
      w.id(combinator.id)
      writeFields(w, dictionary, combinator, value)
      w.leave()
      return
    }
  }
}

/** Writes a value of a type, which is named as in TL. */
export const write = (w: TlWriter, dictionary: Dictionary, type: string, value: unknown): void =>
  writeType(w, dictionary, typeOf(type), value)

// -----------------------------------------------------------------------------
// reading
// -----------------------------------------------------------------------------

const SIZES: Readonly<Partial<Record<Type["kind"], number>>> = { long: 8, double: 8, int128: 16, int256: 32 }

const readFields = (r: TlReader, dictionary: Dictionary, combinator: Combinator): Value => {
  const value: Record<string, unknown> & { _tag: string } = { _tag: combinator.name }
  const words = new Map<string, number>()
  for (const { flag, key, type } of layoutOf(combinator)) {
    if (type === "flags") words.set(key, r.int())
    else if (flag === undefined || ((words.get(flag.word) ?? 0) & (1 << flag.bit)) !== 0) {
      value[key] = type === "true" ? true : readType(r, dictionary, type)
    }
  }
  return value
}

const readType = (r: TlReader, dictionary: Dictionary, type: Type): unknown => {
  switch (type.kind) {
    case "int":
      return r.int()
    case "long":
      return r.long()
    case "double":
      return r.double()
    case "string":
      return r.string()
    case "bytes":
      return r.bytes()
    case "Bool":
      return r.bool()
    case "int128":
      return r.raw(16)
    case "int256":
      return r.raw(32)
    case "rest":
      return r.rest()
    case "vector": {
      const count = r.vector(SIZES[type.item!.kind] ?? 4)
      const items: Array<unknown> = []
      for (let i = 0; i < count; i++) items.push(readType(r, dictionary, type.item!))
      return items
    }
    case "boxed": {
      const id = r.int() >>> 0
      const combinator = dictionary.byId(id)
      if (combinator === undefined || combinator.result !== type.name) return r.unknown(type.name, id)
      r.enter()
      const value = readFields(r, dictionary, combinator)
      r.leave()
      return value
    }
  }
}

/** Reads a request: the id of the method has been read already. */
export const readRequest = (r: TlReader, dictionary: Dictionary, method: Combinator): Value =>
  readFields(r, dictionary, method)
