/**
 * Schema -> layout. Annotations are shared by every copy that Schema makes of a node (`optionalKey`, `annotateKey`),
 * so they, not the nodes, are the keys of the memo: one constructor has one layout object wherever it appears.
 */
import type * as SchemaAST from "effect/SchemaAST"
import type { Annotation, ConstructorAnnotation, FieldAnnotation } from "../Tl.ts"
import { TlError } from "../TlError.ts"
import type { ConstructorLayout, FieldLayout, Layout, Primitive, PrimitiveLayout, UnionLayout } from "./layout.ts"
import { resolve } from "./layout.ts"
import { toSnake } from "./names.ts"

const layouts = new WeakMap<Annotation, Layout>()
const constructors = new WeakMap<ConstructorAnnotation, ConstructorLayout>()
const suspended = new WeakMap<SchemaAST.Suspend, Layout>()
const primitives = new Map<Primitive, PrimitiveLayout>()

/** @throws TlError if the schema has no TL form */
export const fromAst = (ast: SchemaAST.AST): Layout => {
  if (ast.encoding !== undefined) return refuse(ast, "a schema without transformations")
  const tl = annotationOf(ast)
  if (ast._tag === "Suspend" && tl === undefined) {
    let layout = suspended.get(ast)
    if (layout === undefined) {
      let inner: Layout | undefined
      layout = { _tag: "ref", get: () => inner ??= fromAst(ast.thunk()) }
      suspended.set(ast, layout)
    }
    return layout
  }
  if (tl === undefined) return refuse(ast, "a schema made with the combinators of Tl")
  let layout = layouts.get(tl)
  if (layout === undefined) {
    layout = compile(ast, tl)
    layouts.set(tl, layout)
  }
  return layout
}

// An annotation stands on the last check of a node with checks, unless it was put there before the check was added.
const annotationOf = (ast: SchemaAST.AST): Annotation | undefined => {
  const checks = ast.checks
  if (checks !== undefined) {
    for (let i = checks.length - 1; i >= 0; i--) {
      const tl = checks[i]!.annotations?.tl
      if (tl !== undefined) return tl as Annotation
    }
  }
  return ast.annotations?.tl as Annotation | undefined
}

const compile = (ast: SchemaAST.AST, tl: Annotation): Layout => {
  switch (tl._tag) {
    case "primitive": {
      let layout = primitives.get(tl.type)
      if (layout === undefined) primitives.set(tl.type, layout = { _tag: "primitive", type: tl.type })
      return layout
    }
    case "vector": {
      if (ast._tag !== "Arrays" || ast.rest.length !== 1) return refuse(ast, "an array schema")
      return { _tag: "vector", boxed: tl.boxed, item: fromAst(ast.rest[0]!) }
    }
    case "bare": {
      const of = resolve(fromAst(tl.of))
      if (of._tag !== "object") return refuse(ast, "one constructor")
      return { _tag: "object", boxed: false, of: of.of, spelling: tl.spelling }
    }
    case "constructor":
      return { _tag: "object", boxed: true, of: constructorLayout(ast, tl) }
    case "union": {
      if (ast._tag !== "Union") return refuse(ast, "a union schema")
      const members: Array<ConstructorLayout> = []
      const layout: UnionLayout = { _tag: "union", name: tl.name, members }
      // Registered before its members are looked at, so that a member can contain the union.
      layouts.set(tl, layout)
      for (const type of ast.types) {
        const member = resolve(fromAst(type))
        if (member._tag === "object" && member.boxed) members.push(member.of)
        else if (member._tag === "union") members.push(...member.members)
        else refuse(ast, `boxed constructors as members of ${tl.name}`)
      }
      const ids = new Set(members.map((m) => m.id))
      const tags = new Set(members.map((m) => m.tag))
      if (ids.size !== members.length || tags.size !== members.length) {
        refuse(ast, `members of ${tl.name} with different ids and tags`)
      }
      return layout
    }
    case "true":
      return refuse(ast, "flagTrue as a field of a constructor")
  }
}

const constructorLayout = (ast: SchemaAST.AST, tl: ConstructorAnnotation): ConstructorLayout => {
  const known = constructors.get(tl)
  if (known !== undefined) return known
  if (ast._tag !== "Objects") return refuse(ast, "a struct schema")
  const types = new Map(ast.propertySignatures.map((p) => [p.name, p.type]))
  const tag = types.get("_tag")
  if (tag?._tag !== "Literal" || typeof tag.literal !== "string") return refuse(ast, "a _tag")
  const fields: Array<FieldLayout> = []
  const layout: ConstructorLayout = {
    tag: tag.literal,
    name: tl.name,
    id: tl.id,
    type: tl.type,
    generics: tl.generics,
    layer: tl.layer,
    fields
  }
  constructors.set(tl, layout)
  const words = new Set<string>()
  for (const { flags, key } of tl.order) {
    if (flags) {
      words.add(key)
      fields.push({ _tag: "flags", name: key })
      continue
    }
    const type = types.get(key)
    if (type === undefined) return refuse(ast, `a field ${key} in ${tl.name}`)
    const annotation = type.context?.annotations?.tlField as FieldAnnotation | undefined
    const flag = annotation?.flag
    const name = annotation?.name ?? toSnake(key)
    if (flag === undefined ? type.context?.isOptional === true : !words.has(flag.word)) {
      return refuse(ast, `a flags word before ${tl.name}.${key}`)
    }
    if (flag !== undefined && !(Number.isInteger(flag.bit) && flag.bit >= 0 && flag.bit < 32)) {
      return refuse(ast, `a bit between 0 and 31 for ${tl.name}.${key}`)
    }
    if (annotationOf(type)?._tag === "true") {
      if (flag === undefined) return refuse(ast, `a bit for ${tl.name}.${key}`)
      fields.push({ _tag: "true", key, name, flag })
    } else {
      fields.push({ _tag: "value", key, name, flag, layout: fromAst(type), spelling: annotation?.spelling })
    }
  }
  return layout
}

const refuse = (ast: SchemaAST.AST, expected: string): never => {
  throw new TlError({
    reason: "NoTlForm",
    path: [],
    offset: 0,
    expected,
    found: `a schema of the kind ${ast._tag}${ast.encoding === undefined ? "" : " with a transformation"}`
  })
}
