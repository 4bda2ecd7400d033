/**
 * Between values as people write them and values of the API, by the schema of the method.
 *
 * What comes in is JSON or the like: `"_"` names constructors, `long` is a decimal string, a safe integer or a bigint,
 * `bytes` is `{ "_": "bytes", "bytes": "<base64>" }` or a text. On the outermost level, where parameters may have come from a
 * form, more is taken: `"1"` and `"true"` for a truth value, a number for a text, `{ "0": …, "1": … }` for a list, `"me"` for
 * oneself. A `random_id` that is left out is filled in.
 *
 * What goes out has longs as strings and bytes as objects.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as ApiMethods from "@effect-mtproto/core/ApiMethods"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import { isTlError, type TlError } from "@effect-mtproto/core/TlError"
import * as TlJson from "@effect-mtproto/core/TlJson"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"

/**
 * @category models
 * @since 1.0.0
 */
export interface Parameters {
  readonly [name: string]: unknown
}

/**
 * A field of a method, without what says when it is there.
 *
 * @category models
 * @since 1.0.0
 */
export interface Field {
  /** In TL, `random_id`. */
  readonly name: string
  /** `long`, `InputPeer`, `Vector<long>`, … */
  readonly type: string
  readonly optional: boolean
}

const fieldsOf = (name: string): ReadonlyArray<Field> =>
  (ApiSchema.methods().get(name)?.fields ?? []).flatMap((field) => {
    if (field.type === "#") return []
    const flag = /^\w+\.\d+\?(.+)$/.exec(field.type)
    return [{ name: field.name, type: flag?.[1] ?? field.type, optional: flag !== null }]
  })

const memo = new Map<string, ReadonlyArray<Field>>()

/**
 * The fields of a method by its name; none if there is no such method.
 *
 * @category queries
 * @since 1.0.0
 */
export const fields = (name: string): ReadonlyArray<Field> => {
  let found = memo.get(name)
  if (found === undefined) {
    found = fieldsOf(name)
    if (found.length > 0) memo.set(name, found)
  }
  return found
}

/**
 * The method of a name; wrappers around other calls (`invokeWithLayer` and its like) are not among them.
 *
 * @category queries
 * @since 1.0.0
 */
export const method = (name: string): Api.AnyMethod | undefined => {
  const found = ApiMethods.byName(name)
  return found === undefined || fields(name).some((field) => field.type === "!X") ? undefined : found
}

let similarNames: Map<string, string> | undefined

/**
 * A method that somebody may have meant: its name in other letters, or without what stands before the dot.
 *
 * @category queries
 * @since 1.0.0
 */
export const similar = (name: string): string | undefined => {
  if (name.length > 64) return undefined
  if (similarNames === undefined) {
    similarNames = new Map()
    for (const whole of ApiMethods.all().keys()) {
      if (method(whole) === undefined) continue
      const small = whole.toLowerCase()
      similarNames.set(small, whole)
      const last = small.slice(small.indexOf(".") + 1)
      // what people send and ask for is in `messages`, whatever else is called the same
      if (!similarNames.has(last) || whole.startsWith("messages.")) similarNames.set(last, whole)
    }
  }
  return similarNames.get(name.toLowerCase().replaceAll("_", ""))
}

const camelCase = (name: string): string => name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase())

const own = (parameters: Parameters, name: string): unknown =>
  Object.hasOwn(parameters, name) ? parameters[name] : undefined

const truths: { readonly [text: string]: boolean } = { true: true, "1": true, false: false, "0": false, "": false }

const isPlain = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)

/** A list that was written as an object with the keys 0, 1, 2, …; anything else as it is. */
const asList = (value: unknown): unknown => {
  if (!isPlain(value)) return value
  const keys = Object.keys(value)
  return keys.every((key, i) => key === String(i)) ? keys.map((key) => value[key]) : value
}

const selves: { readonly [type: string]: string } = {
  InputPeer: "inputPeerSelf",
  InputUser: "inputUserSelf",
  InputDialogPeer: "inputDialogPeer"
}

const coerce = (type: string, value: unknown): unknown => {
  switch (type) {
    case "Bool":
    case "true":
      if (typeof value === "string" && Object.hasOwn(truths, value)) return truths[value]
      return value === 1 ? true : value === 0 ? false : value
    case "string":
      return typeof value === "number" || typeof value === "bigint" ? String(value) : value
    case "InputPeer":
    case "InputUser":
      return value === "me" || value === "self" ? { _: selves[type] } : value
    default:
      return type.startsWith("Vector<") ? asList(value) : value
  }
}

/**
 * Where random numbers come from, for what is left out.
 *
 * @category models
 * @since 1.0.0
 */
export type RandomLong = () => bigint

/**
 * The request of a method with these parameters, by their names in TL or camelCase.
 *
 * Fails for a parameter that is missing, of another type, or that the method does not have.
 *
 * @category conversions
 * @since 1.0.0
 */
export const request = (
  method: Api.AnyMethod,
  parameters: Parameters,
  randomLong: RandomLong
): Result.Result<Api.AnyRequest, TlError> => {
  const given: { [name: string]: unknown } = Object.create(null)
  for (const [key, value] of Object.entries(parameters)) if (key !== "_") given[key] = value
  for (const { name, optional, type } of fields(method.tag)) {
    const key = Object.hasOwn(given, name) ? name : camelCase(name)
    const value = own(given, key)
    if (value !== undefined && value !== null) given[key] = coerce(type, value)
    else if (!optional && name === "random_id") {
      if (type === "long") given[name] = randomLong()
      else if (type === "Vector<long>" && Array.isArray(given["id"])) given[name] = given["id"].map(() => randomLong())
      else if (type === "int") given[name] = Number(BigInt.asIntN(32, randomLong()))
    }
  }
  given["_"] = method.tag
  return attempt(() => {
    const { _tag: _, ...params } = decoderOf(method)(given) as { readonly _tag: string }
    return method(params)
  })
}

const attempt = <A>(run: () => A): Result.Result<A, TlError> => {
  try {
    return Result.succeed(run())
  } catch (error) {
    if (isTlError(error)) return Result.fail(error)
    throw error
  }
}

const decoders = new Map<string, (json: unknown) => unknown>()
const decoderOf = (method: Api.AnyMethod) => {
  let found = decoders.get(method.tag)
  if (found === undefined) {
    decoders.set(method.tag, found = TlJson.decode(ApiSchema.params(method), { onExcess: "error" }))
  }
  return found
}

const encoders = new Map<string, (value: any) => Schema.Json>()

/**
 * The result of a method as JSON.
 *
 * @category conversions
 * @since 1.0.0
 */
export const result = (method: Api.AnyMethod, value: unknown): Result.Result<Schema.Json, TlError> =>
  attempt(() => {
    let found = encoders.get(method.tag)
    if (found === undefined) encoders.set(method.tag, found = TlJson.encode(ApiSchema.response(method)))
    return found(value)
  })

/**
 * Any plain value of ours as JSON in the same style: `_tag` becomes `_`, camelCase becomes snake_case, bigints become
 * strings, bytes become objects. For what has no TL schema: outcomes, chats, events.
 *
 * @category conversions
 * @since 1.0.0
 */
export const toJson = (value: unknown): Schema.Json => {
  if (typeof value === "bigint") return value.toString()
  if (typeof value !== "object" || value === null) return value === undefined ? null : value as Schema.Json
  if (value instanceof Uint8Array) return { _: "bytes", bytes: Buffer.from(value).toString("base64") }
  if (Array.isArray(value)) return value.map(toJson)
  const out: { [key: string]: Schema.Json } = {}
  for (const [key, inner] of Object.entries(value)) {
    if (inner !== undefined) out[key === "_tag" ? "_" : snakeCase(key)] = toJson(inner)
  }
  return out
}

const names = new Map<string, string>()
const snakeCase = (key: string): string => {
  let found = names.get(key)
  if (found === undefined) names.set(key, found = key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`))
  return found
}
