/**
 * The API as Effect Schemas: every constructor, type, request and result of the layer, for whatever is derived from
 * schemas (JSON, arbitrary values, equivalence, validation of input from outside).
 *
 * Reading and writing TL does not need them: `Api.Updates.decode` and `Api.encodeRequest` are code generated ahead of time.
 * This module holds the whole layer as text and makes a schema when it is first asked for; the same name gives the same
 * schema. Values are the ones of `Api`.
 *
 * ```ts
 * import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
 * import * as Schema from "effect/Schema"
 *
 * const isUpdates = Schema.is(ApiSchema.type("Updates"))
 * ```
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"
import type * as Api from "./Api.ts"
import { table } from "./internal/apiTable.ts"
import * as Tl from "./Tl.ts"
import { TlError } from "./TlError.ts"

// ----- the table

/**
 * One line of TL, split.
 *
 * @category models
 * @since 1.0.0
 */
export interface Combinator {
  readonly name: string
  /** Unsigned. */
  readonly id: number
  /** `X:Type` of a wrapper. */
  readonly generics: ReadonlyArray<string>
  /** Names and types as TL writes them. */
  readonly fields: ReadonlyArray<{ readonly name: string; readonly type: string }>
  /** The type that a constructor belongs to, or the result of a method. */
  readonly result: string
  /** The line itself, without a semicolon. */
  readonly line: string
}

interface Table {
  readonly constructors: ReadonlyMap<string, Combinator>
  readonly methods: ReadonlyMap<string, Combinator>
  readonly types: ReadonlyMap<string, ReadonlyArray<Combinator>>
}

const parse = (line: string): Combinator => {
  const [head, ...words] = line.split(" ") as [string, ...Array<string>]
  const [name, id] = head.split("#") as [string, string]
  const equals = words.indexOf("=")
  const before = words.slice(0, equals)
  return {
    name,
    id: Number.parseInt(id, 16),
    generics: before.filter((w) => w.startsWith("{")),
    fields: before.filter((w) => !w.startsWith("{")).map((w) => {
      const colon = w.indexOf(":")
      return { name: w.slice(0, colon), type: w.slice(colon + 1) }
    }),
    result: words.slice(equals + 1).join(" "),
    line
  }
}

let parsed: Table | undefined

const load = (): Table => {
  if (parsed !== undefined) return parsed
  const [constructorLines, methodLines] = table.trim().split("\n\n") as [string, string]
  const constructors = new Map<string, Combinator>()
  const types = new Map<string, Array<Combinator>>()
  for (const line of constructorLines.split("\n")) {
    const c = parse(line)
    constructors.set(c.name, c)
    const members = types.get(c.result)
    if (members === undefined) types.set(c.result, [c])
    else members.push(c)
  }
  const methods = new Map(methodLines.split("\n").map((line) => [line.slice(0, line.indexOf("#")), parse(line)]))
  return parsed = { constructors, methods, types }
}

/**
 * Every constructor of the layer, in the order of the schema.
 *
 * @category table
 * @since 1.0.0
 */
export const constructors = (): ReadonlyMap<string, Combinator> => load().constructors

/**
 * Every method of the layer, in the order of the schema.
 *
 * @category table
 * @since 1.0.0
 */
export const methods = (): ReadonlyMap<string, Combinator> => load().methods

/**
 * Every type of the layer with its constructors.
 *
 * @category table
 * @since 1.0.0
 */
export const types = (): ReadonlyMap<string, ReadonlyArray<Combinator>> => load().types

// ----- schemas

const unknown = (kind: string, name: string): never => {
  throw new TlError({
    reason: "UnknownConstructor",
    path: [],
    offset: 0,
    expected: `a ${kind} of the API`,
    found: JSON.stringify(name.slice(0, 80))
  })
}

/** Fields whose name does not follow from the key of the value. */
const camelCase = (name: string): string => name.replace(/_([a-zA-Z0-9])/g, (_, c: string) => c.toUpperCase())
const snakeCase = (key: string): string => key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)

const primitives: Readonly<Record<string, Schema.Constraint>> = {
  int: Tl.int,
  long: Tl.long,
  double: Tl.double,
  string: Tl.string,
  bytes: Tl.bytes,
  Bool: Tl.bool,
  int128: Tl.int128,
  int256: Tl.int256
}

const schemaOf = (type_: string): Schema.Constraint => {
  if (Object.hasOwn(primitives, type_)) return primitives[type_]!
  if (type_ === "!X" || type_ === "X") return Tl.rest("!X")
  const vector = /^Vector<(.+)>$/.exec(type_)
  if (vector !== null) return Tl.vector(schemaOf(vector[1]!))
  return Schema.suspend((): Schema.Constraint => type(type_ as keyof Api.Types))
}

const memo = <A>(make: (name: string) => A): (name: string) => A => {
  const made = new Map<string, A>()
  return (name) => {
    let found = made.get(name)
    if (found === undefined) made.set(name, found = make(name))
    return found
  }
}

const combinator = (c: Combinator): Schema.Constraint => {
  const fields: Record<string, Schema.Constraint | Tl.Flags> = {}
  for (const { name, type: text } of c.fields) {
    if (text === "#") {
      fields[name] = Tl.flags
      continue
    }
    const key = camelCase(name)
    const flag = /^(\w+)\.(\d+)\?(.+)$/.exec(text)
    const schema = flag === null
      ? schemaOf(text)
      : flag[3] === "true"
      ? Tl.flagTrue(Number(flag[2]), flag[1])
      : Tl.flag(Number(flag[2]), schemaOf(flag[3]!) as Schema.Top, flag[1])
    fields[key] = snakeCase(key) === name ? schema : Tl.named(name, schema)
  }
  return Tl.constructor(c.name, c.id, fields, { type: c.result, generics: c.generics })
}

const constructorByName = /*#__PURE__*/ memo((name) =>
  combinator(constructors().get(name) ?? unknown("constructor", name))
)

const typeByName = /*#__PURE__*/ memo((name) => {
  const members = types().get(name) ?? unknown("type", name)
  const [first, ...others] = members.map((c) => constructorByName(c.name)) as [Schema.Constraint]
  return others.length === 0 ? first : Tl.union(name, [first, ...others])
})

const paramsByName = /*#__PURE__*/ memo((name) => combinator(methods().get(name) ?? unknown("method", name)))

const responseByName = /*#__PURE__*/ memo((name) => {
  const method = methods().get(name) ?? unknown("method", name)
  return types().has(method.result) ? typeByName(method.result) : schemaOf(method.result)
})

/**
 * The schema of a schema's own values: nothing is transformed.
 *
 * @category models
 * @since 1.0.0
 */
export type Plain<A> = Schema.Codec<A, A>

/**
 * The schema of one constructor.
 *
 * @category schemas
 * @since 1.0.0
 */
export const constructor = <Name extends keyof Api.Constructors>(name: Name): Plain<Api.Constructors[Name]> =>
  constructorByName(name) as Plain<any>

/**
 * The schema of a type: any of its constructors.
 *
 * @throws TlError if the layer has no such type
 * @category schemas
 * @since 1.0.0
 */
export const type = <Name extends keyof Api.Types>(name: Name): Plain<Api.Types[Name]> => typeByName(name) as Plain<any>

/**
 * The schema of the requests of a method, `_tag` included.
 *
 * @category schemas
 * @since 1.0.0
 */
export const params = <M extends Api.AnyMethod>(method: M): Plain<{ readonly _tag: M["tag"] } & Api.Params<M>> =>
  paramsByName(method.tag) as Plain<any>

/**
 * The schema of the results of a method.
 *
 * @category schemas
 * @since 1.0.0
 */
export const response = <M extends Api.AnyMethod>(method: M): Plain<Api.Response<M>> =>
  responseByName(method.tag) as Plain<any>
