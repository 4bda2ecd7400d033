/** Declarations -> Effect Schemas. */
import * as Schema from "effect/Schema"
import * as Tl from "../Tl.ts"
import { toCamel, toSnake } from "./names.ts"
import type { Combinator, Document, Field, Type } from "./tlText.ts"
import { SyntaxProblem } from "./tlText.ts"

export interface Built {
  readonly constructors: Map<string, Schema.Codec<any>>
  readonly types: Map<string, Schema.Codec<any>>
  readonly methods: Map<string, { request: Schema.Codec<any>; result: Schema.Codec<any> | undefined }>
}

const primitives: ReadonlyMap<string, Schema.Codec<any>> = new Map<string, Schema.Codec<any>>([
  ["int", Tl.int],
  ["long", Tl.long],
  ["double", Tl.double],
  ["string", Tl.string],
  ["bytes", Tl.bytes],
  ["int128", Tl.int128],
  ["int256", Tl.int256],
  ["Bool", Tl.bool]
])

// Declared in most schemas, but part of the vocabulary.
const vocabulary = new Set(["boolTrue", "boolFalse", "vector"])

interface Declared {
  readonly tag: string
  readonly combinator: Combinator
}

export const build = (document: Document, idOf: (c: Combinator) => number): Built => {
  const built: Built = { constructors: new Map(), types: new Map(), methods: new Map() }
  const byType = new Map<string, Array<Declared>>()
  const byTag = new Map<string, Declared>()
  const methods = new Map<string, Combinator>()
  const byId = new Map<number, Combinator>()
  // How far the suffixes of a name have been given out: a search from the start would be quadratic.
  const suffixes = new Map<string, number>()
  for (const item of document.items) {
    if (item._tag !== "combinator" || item.combinator.builtin !== undefined) continue
    const combinator = item.combinator
    if (!combinator.isMethod && vocabulary.has(combinator.name)) continue
    if (combinator.isMethod) {
      // Telegram's own schema has methods with the id of another, or of a constructor: forms of one request.
      if (methods.has(combinator.name)) {
        throw new SyntaxProblem(combinator.line, 1, "a method once", `"${combinator.name}" again`)
      }
      methods.set(combinator.name, combinator)
      continue
    }
    const id = idOf(combinator)
    const taken = byId.get(id)
    if (taken !== undefined) {
      const hex = (id >>> 0).toString(16).padStart(8, "0")
      const found = `"${hex}" of ${taken.name}, again in ${combinator.name}`
      throw new SyntaxProblem(combinator.line, 1, "an id that is not taken", found)
    }
    byId.set(id, combinator)
    let tag = combinator.name
    if (byTag.has(tag)) {
      let n = suffixes.get(combinator.name) ?? 2
      while (byTag.has(`${combinator.name}_${n}`)) n++
      tag = `${combinator.name}_${n}`
      suffixes.set(combinator.name, n + 1)
    }
    const declared = { tag, combinator }
    byTag.set(tag, declared)
    const members = byType.get(combinator.result.name)
    if (members === undefined) byType.set(combinator.result.name, [declared])
    else members.push(declared)
  }

  // Nothing is looked up before a codec is made of a schema, so the order of declarations does not matter.
  const constructor = (tag: string) => Schema.suspend(() => built.constructors.get(tag)!)
  const resolve = (type: Type, at: Combinator): Schema.Codec<any> => {
    const unknown = (expected: string): never => {
      throw new SyntaxProblem(at.line, 1, expected, `"${type.name}" in ${at.name}`)
    }
    if (type.generic) return Tl.rest(`!${type.name}`)
    if (type.name === "Object") return Tl.rest("Object")
    if (type.argument !== undefined) {
      const isBare = type.name === "vector"
      if (!isBare && type.name !== "Vector") return unknown("Vector or vector as the only type with an argument")
      const item = resolve(type.argument, at)
      return isBare ? Tl.bareVector(item) : Tl.vector(item)
    }
    const primitive = primitives.get(type.name)
    if (primitive !== undefined) return primitive
    if (type.bare) {
      const members = byType.get(type.name) ?? []
      if (members.length !== 1) return unknown("a type with one constructor behind %")
      return Tl.bare(constructor(members[0]!.tag), `%${type.name}`)
    }
    if (byType.has(type.name)) return Schema.suspend(() => built.types.get(type.name)!)
    return byTag.has(type.name) ? Tl.bare(constructor(type.name)) : unknown("a declared type")
  }

  const object = (tag: string, c: Combinator): Schema.Codec<any> => {
    const fields: Record<string, Schema.Constraint | Tl.Flags> = {}
    for (let i = 0; i < c.fields.length; i++) {
      const field = c.fields[i]!
      const next = c.fields[i + 1]
      const isBlock = isInt(field, "bytes") && next?.name === "body" && next.type?.name === "Object"
      if (isBlock) i++
      const { name } = isBlock ? next : field
      // A flags word is not a property: it keeps its name.
      const key = field.type === undefined ? name : toCamel(name)
      if (key in fields || key === "_tag") {
        throw new SyntaxProblem(c.line, 1, "different names in camelCase", `"${key}" twice in ${c.name}`)
      }
      if (isBlock) fields[key] = Tl.block
      else if (field.type === undefined) fields[key] = Tl.flags
      else {
        const schema = conditional(field, () => resolve(field.type!, c))
        fields[key] = toSnake(key) === name ? schema : Tl.named(name, schema)
      }
    }
    return Tl.constructor(tag, idOf(c), fields, {
      name: c.name,
      type: printed(c.result),
      generics: c.generics.map((g) => `{${g}}`)
    }) as unknown as Schema.Codec<any>
  }

  for (const { combinator, tag } of byTag.values()) built.constructors.set(tag, object(tag, combinator))
  for (const [name, members] of byType) {
    built.types.set(name, Tl.union(name, members.map((m) => built.constructors.get(m.tag)!)))
  }
  for (const c of methods.values()) {
    const answersQuery = c.generics.some((g) => g === `${c.result.name}:Type`)
    built.methods.set(c.name, {
      request: object(c.name, c),
      result: answersQuery ? undefined : resolve(c.result, c)
    })
  }
  return built
}

const isInt = (field: Field, name: string): boolean =>
  field.name === name && field.flag === undefined && field.type?.name === "int"

const conditional = (field: Field, schema: () => Schema.Codec<any>): Schema.Constraint => {
  if (field.flag === undefined) return schema()
  const { bit, word } = field.flag
  if (field.type?.name === "true" && !field.type.bare) return Tl.flagTrue(bit, word)
  return Tl.flag(bit, schema(), word)
}

const printed = (type: Type): string =>
  type.argument === undefined ? type.name : `${type.name}<${printed(type.argument)}>`
