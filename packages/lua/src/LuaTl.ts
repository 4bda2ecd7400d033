/**
 * Values of TL as values of Lua and back, by the schema.
 *
 * | TL                 | to Lua                        | from Lua                                                          |
 * | ------------------ | ----------------------------- | ----------------------------------------------------------------- |
 * | `int`, `long`      | integer                       | an integer, a float that is whole and exact, a decimal string      |
 * | `double`           | float                         | any number, NaN and the infinities included; a decimal string      |
 * | `string`           | string, UTF-8                 | a string that is UTF-8; an integer means its digits                |
 * | `bytes`            | string                        | any string                                                        |
 * | `int128`, `int256` | string of 16 or 32 bytes      | the same                                                          |
 * | `Bool`             | boolean                       | a boolean                                                         |
 * | `flags.n?true`     | `true`, or left out           | `true`, `false` or left out                                       |
 * | `Vector<t>`        | a sequence from 1             | a sequence from 1 or from 0, without holes; `{}` is empty          |
 * | a constructor      | a table, `_` is its name      | the same; `_` may be left out where the type has one constructor  |
 *
 * Fields have their TL names (`random_id`); the names of properties (`randomId`) are understood. A field that may be left
 * out is left out by nil; fields that the constructor does not have are ignored.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Shape from "./internal/shape.ts"
import { LuaError } from "./LuaError.ts"
import * as LuaValue from "./LuaValue.ts"

/**
 * @category models
 * @since 1.0.0
 */
export interface FromLuaOptions {
  /**
   * Is asked first for every object, by its TL type (`InputUser`): answers with the value of TL, or with `undefined` to let
   * the table be read as it is. This is how an id may stand for what it names.
   */
  readonly resolve?: ((type: string, value: LuaValue.LuaValue) => unknown) | undefined
  /** Other names of fields, for constructors that have no field of that name, in the order in which they are looked for. */
  readonly aliases?: { readonly [field: string]: ReadonlyArray<string> } | undefined
}

/**
 * The value of Lua for a value of this schema.
 *
 * @throws TypeError if the schema is not made of `Tl`'s parts
 * @category conversions
 * @since 1.0.0
 */
export const toLua = <A>(schema: Schema.Schema<A>): (value: A) => LuaValue.LuaValue => {
  const shape = Shape.of(schema.ast)
  return (value) => write(shape, value)
}

/**
 * The value of this schema that a value of Lua means, or a {@link LuaError} of the kind `conversion` that says where it does
 * not fit.
 *
 * @throws TypeError if the schema is not made of `Tl`'s parts
 * @category conversions
 * @since 1.0.0
 */
export const fromLua = <A>(
  schema: Schema.Schema<A>,
  options: FromLuaOptions = {}
): (value: LuaValue.LuaValue) => Result.Result<A, LuaError> => {
  const shape = Shape.of(schema.ast)
  return (value) => {
    try {
      return Result.succeed(read(shape, value, { path: [], ...options }) as A)
    } catch (error) {
      if (error instanceof Misfit) return Result.fail(new LuaError({ kind: "conversion", detail: error.message }))
      throw error
    }
  }
}

// ----- to Lua

const write = (shape: Shape.Shape, value: any): LuaValue.LuaValue => {
  switch (shape._tag) {
    case "primitive":
      switch (shape.type) {
        case "int":
          return BigInt(value)
        case "string":
          return LuaValue.fromText(value)
        case "long":
        case "double":
        case "bool":
          return value
        default:
          return LuaValue.fromBytes(value)
      }
    case "list": {
      const item = shape.item()
      return LuaValue.sequence((value as ReadonlyArray<unknown>).map((one) => write(item, one)))
    }
    case "objects": {
      const constructor = shape.members.get(value._tag)
      if (constructor === undefined) throw new TypeError(`${shape.type} has no constructor ${String(value._tag)}`)
      const table = new Map<LuaValue.LuaKey, LuaValue.LuaValue>([["_", constructor.tag]])
      for (const { isTrue, key, name, shape: of } of constructor.fields) {
        const field = value[key]
        if (field === undefined || isTrue && field !== true) continue
        table.set(name, write(of(), field))
      }
      return table
    }
  }
}

// ----- from Lua

class Misfit extends Error {}

interface Reading {
  readonly path: Array<string | number>
  readonly resolve?: FromLuaOptions["resolve"]
  readonly aliases?: FromLuaOptions["aliases"]
}

const maxDepth = 64

const misfit = (path: Reading["path"], needed: string, value: LuaValue.LuaValue | undefined): never => {
  throw new Misfit(`${place(path)}${needed} is needed, not ${shown(value)}`)
}

const place = (path: Reading["path"]): string => {
  let text = ""
  for (const step of path) text += typeof step === "number" ? `[${step}]` : text === "" ? step : `.${step}`
  return text === "" ? "" : `${text}: `
}

/** Numbers and kinds only: what a script sends may be secret. */
const shown = (value: LuaValue.LuaValue | undefined): string => {
  if (typeof value === "bigint" || typeof value === "number") return String(value)
  return LuaValue.describe(value)
}

const inside = <A>(reading: Reading, step: string | number, run: () => A): A => {
  if (reading.path.length >= maxDepth) throw new Misfit(`${place(reading.path)}nested too deeply`)
  reading.path.push(step)
  const result = run()
  reading.path.pop()
  return result
}

const decimal = /^[+-]?\d{1,20}$/
const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/

/** Numbers that Lua may write in either form. */
const integer = (value: LuaValue.LuaValue): bigint | undefined => {
  if (typeof value === "bigint") return value
  // Beyond 2^53 a float is not the number that was meant.
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : undefined
  return typeof value === "string" && decimal.test(value) ? BigInt(value.replace("+", "")) : undefined
}

const fixed = (size: number, value: LuaValue.LuaValue, path: Reading["path"]): Uint8Array => {
  if (typeof value !== "string") return misfit(path, `a string of ${size} bytes`, value)
  if (value.length !== size) {
    throw new Misfit(`${place(path)}a string of ${size} bytes is needed, not of ${value.length}`)
  }
  return LuaValue.toBytes(value)
}

const primitive = (type: Shape.Primitive, value: LuaValue.LuaValue, { path }: Reading): unknown => {
  switch (type) {
    case "int": {
      const found = integer(value)
      if (found === undefined || BigInt.asIntN(32, found) !== found) return misfit(path, "a 32-bit integer", value)
      return Number(found)
    }
    case "long": {
      const found = integer(value)
      if (found === undefined || BigInt.asIntN(64, found) !== found) return misfit(path, "a 64-bit integer", value)
      return found
    }
    case "double":
      if (typeof value === "number") return value
      if (typeof value === "bigint") return Number(value)
      if (typeof value === "string" && number.test(value)) return Number(value)
      return misfit(path, "a number", value)
    case "bool":
      return typeof value === "boolean" ? value : misfit(path, "a boolean", value)
    case "string": {
      if (typeof value === "bigint") return value.toString()
      if (typeof value !== "string") return misfit(path, "a string", value)
      const text = LuaValue.toText(value)
      if (text === undefined) throw new Misfit(`${place(path)}a string in UTF-8 is needed, these bytes are none`)
      return text
    }
    case "int128":
      return fixed(16, value, path)
    case "int256":
      return fixed(32, value, path)
    default:
      return typeof value === "string" ? LuaValue.toBytes(value) : misfit(path, "a string", value)
  }
}

const list = (item: Shape.Shape, value: LuaValue.LuaValue, reading: Reading): ReadonlyArray<unknown> => {
  if (!LuaValue.isTable(value)) return misfit(reading.path, "a sequence", value)
  // In 2018 arrays of the host began at 0, and scripts have kept to it.
  const first = value.has(0n) ? 0 : 1
  const items: Array<unknown> = []
  for (let i = 0; i < value.size; i++) {
    const one = value.get(BigInt(first + i))
    if (one === undefined || one === null) {
      throw new Misfit(`${place(reading.path)}a sequence without holes and other keys is needed`)
    }
    items.push(inside(reading, first + i, () => read(item, one, reading)))
  }
  return items
}

const aliased = (
  { fields }: Shape.Constructor,
  value: LuaValue.LuaTable,
  name: string,
  { aliases }: Reading
): LuaValue.LuaValue | undefined => {
  if (aliases === undefined || !Object.hasOwn(aliases, name)) return undefined
  for (const alias of aliases[name]!) {
    const found = value.get(alias)
    if (found !== undefined && !fields.some((field) => field.name === alias)) return found
  }
  return undefined
}

const object = (shape: Shape.Objects, value: LuaValue.LuaValue, reading: Reading): unknown => {
  const { path } = reading
  const resolved = reading.resolve?.(shape.type, value)
  if (resolved !== undefined) return resolved
  if (!LuaValue.isTable(value)) return misfit(path, `a table of ${shape.type}`, value)
  const tag = value.get("_")
  let constructor: Shape.Constructor | undefined
  if (tag === undefined && shape.members.size === 1) constructor = shape.members.values().next().value
  else if (typeof tag === "string") {
    constructor = shape.members.get(tag)
    if (constructor === undefined) {
      throw new Misfit(`${place(path)}${JSON.stringify(LuaValue.toDisplay(tag.slice(0, 80)))} is no ${shape.type}`)
    }
  }
  if (constructor === undefined) {
    throw new Misfit(`${place(path)}a table of ${shape.type} needs a field _ with the name of its constructor`)
  }
  const made: Record<string, unknown> = { _tag: constructor.tag }
  for (const { isOptional, isTrue, key, name, shape: of } of constructor.fields) {
    const field = value.get(name) ?? value.get(key) ?? aliased(constructor, value, name, reading)
    if (field === undefined || field === null) {
      if (isOptional) continue
      throw new Misfit(`${place([...path, name])}is missing`)
    }
    const converted = inside(reading, name, () => read(of(), field, reading))
    if (!isTrue || converted === true) made[key] = converted
  }
  return made
}

const read = (shape: Shape.Shape, value: LuaValue.LuaValue, reading: Reading): unknown => {
  switch (shape._tag) {
    case "primitive":
      return primitive(shape.type, value, reading)
    case "list":
      return list(shape.item(), value, reading)
    case "objects":
      return object(shape, value, reading)
  }
}
