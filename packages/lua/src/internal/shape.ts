/**
 * What a schema made with `Tl` looks like to Lua: read from its annotations, once for each.
 */
import type * as Tl from "@effect-mtproto/core/Tl"
import type * as SchemaAST from "effect/SchemaAST"

export type Primitive = (Tl.Annotation & { readonly _tag: "primitive" })["type"]

export type Shape =
  | { readonly _tag: "primitive"; readonly type: Primitive }
  | { readonly _tag: "list"; readonly item: () => Shape }
  | Objects

/** One of several constructors, or a single one. */
export interface Objects {
  readonly _tag: "objects"
  /** The TL type. */
  readonly type: string
  readonly members: ReadonlyMap<string, Constructor>
}

export interface Constructor {
  readonly tag: string
  readonly fields: ReadonlyArray<Field>
}

export interface Field {
  /** As a property of values. */
  readonly key: string
  /** In TL, and in Lua. */
  readonly name: string
  readonly isOptional: boolean
  /** `flags.n?true`. */
  readonly isTrue: boolean
  readonly shape: () => Shape
}

const shapes = new WeakMap<Tl.Annotation, Shape>()

const lazily = (ast: SchemaAST.AST): () => Shape => {
  let shape: Shape | undefined
  return () => shape ??= of(ast)
}

const snakeCase = (key: string): string => key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)

// An annotation stands on the last check of a node that has checks.
const annotationOf = (ast: SchemaAST.AST): Tl.Annotation | undefined => {
  for (const check of ast.checks?.toReversed() ?? []) {
    const tl = check.annotations?.tl
    if (tl !== undefined) return tl as Tl.Annotation
  }
  return ast.annotations?.tl as Tl.Annotation | undefined
}

/** @throws TypeError if the schema is not made of `Tl`'s parts */
export const of = (ast: SchemaAST.AST): Shape => {
  const tl = annotationOf(ast)
  if (tl === undefined) {
    if (ast._tag === "Suspend") return of(ast.thunk())
    throw new TypeError(`A schema made with the combinators of Tl is needed, not one of the kind ${ast._tag}`)
  }
  let shape = shapes.get(tl)
  if (shape === undefined) shapes.set(tl, shape = compile(ast, tl))
  return shape
}

const compile = (ast: SchemaAST.AST, tl: Tl.Annotation): Shape => {
  switch (tl._tag) {
    case "primitive":
      return { _tag: "primitive", type: tl.type }
    case "true":
      return { _tag: "primitive", type: "bool" }
    case "vector":
      return { _tag: "list", item: lazily((ast as SchemaAST.Arrays).rest[0]!) }
    case "bare":
      return of(tl.of)
    case "constructor":
      return { _tag: "objects", type: tl.type, members: new Map([constructor(ast as SchemaAST.Objects, tl)]) }
    case "union": {
      const members = new Map<string, Constructor>()
      for (const type of (ast as SchemaAST.Union).types) {
        const member = of(type)
        if (member._tag === "objects") { for (const [tag, one] of member.members) members.set(tag, one) }
      }
      return { _tag: "objects", type: tl.name, members }
    }
  }
}

const constructor = (ast: SchemaAST.Objects, tl: Tl.ConstructorAnnotation): [string, Constructor] => {
  const types = new Map(ast.propertySignatures.map((p) => [p.name, p.type]))
  const tag = (types.get("_tag") as SchemaAST.Literal).literal as string
  const fields = tl.order.flatMap(({ flags, key }): ReadonlyArray<Field> => {
    const type = types.get(key)
    if (flags || type === undefined) return []
    const annotation = type.context?.annotations?.tlField as Tl.FieldAnnotation | undefined
    return [{
      key,
      name: annotation?.name ?? snakeCase(key),
      isOptional: annotation?.flag !== undefined,
      isTrue: annotationOf(type)?._tag === "true",
      shape: lazily(type)
    }]
  })
  return [tag, { tag, fields }]
}
