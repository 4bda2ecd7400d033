/**
 * Parameters of a request, from wherever they come: query, url-encoded or multipart form, JSON.
 *
 * They are merged, a body over the query. As the documentation has it for users, every text is tried as JSON and replaced
 * only if it is an array or an object; so `peer=-147286699` works and the text `123` stays a text. Bots give `params` as JSON.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Failure from "./Failure.ts"
import * as Json from "./Json.ts"

/**
 * @category models
 * @since 1.0.0
 */
export interface Params {
  readonly [name: string]: unknown
}

type Parsed = Result.Result<Params, Failure.Failure>

const MAX_PAIRS = 256

const duplicate = (): Parsed => Result.fail(Failure.badRequest("A parameter is given twice", "PARAMETERS_INVALID"))

const empty: Params = Object.freeze(Object.create(null))

const MAX_DEPTH = 8

/** The name in front of the brackets, and what is in each of them; `undefined` if there are none. */
const bracketed = (name: string): ReadonlyArray<string> | undefined => {
  const [, base, brackets] = /^([^[\]]+)((?:\[[^[\]]*\])+)$/.exec(name) ?? []
  return base === undefined ? undefined : [base, ...brackets!.slice(1, -1).split("][")]
}

interface Tree {
  [name: string]: string | Tree
}

/** What has the keys 0, 1, 2, … is a list. An object within a list may be written as JSON. */
const grown = (tree: Tree): unknown => {
  const keys = Object.keys(tree)
  for (const key of keys) {
    const value = tree[key]!
    if (typeof value === "object") tree[key] = grown(value) as Tree
    else if (/^\s*\{/.test(value)) {
      const parsed = Json.parse(value)
      if (Result.isSuccess(parsed)) tree[key] = parsed.success as Tree
    }
  }
  return keys.every((key, i) => key === String(i)) ? Object.values(tree) : tree
}

/**
 * Pairs of a query or a form. `id[]=1&id[]=2` and `id[0]=1&id[1]=2` are lists, `a[b]=1` is an object, `a[0][b]=1` a list of
 * objects; anything else that is given twice is an error.
 *
 * @category parsing
 * @since 1.0.0
 */
export const fromPairs = (pairs: Iterable<readonly [string, string]>): Parsed => {
  const out: { [name: string]: any } = Object.create(null)
  const trees = new Map<string, Tree>()
  let count = 0
  for (const [name, value] of pairs) {
    if (++count > MAX_PAIRS) {
      return Result.fail(Failure.badRequest(`There are more than ${MAX_PAIRS} parameters`, "PARAMETERS_INVALID"))
    }
    const path = bracketed(name)
    if (path === undefined || path.length > MAX_DEPTH) {
      if (name in out || trees.has(name)) return duplicate()
      out[name] = value
      continue
    }
    const [base, ...keys] = path as [string, ...Array<string>]
    if (base in out) return duplicate()
    let tree = trees.get(base)
    if (tree === undefined) trees.set(base, tree = Object.create(null) as Tree)
    for (const [i, key] of keys.entries()) {
      const at: string = key === "" ? String(Object.keys(tree).length) : key
      const inner: string | Tree | undefined = tree[at]
      if (i === keys.length - 1) {
        if (inner !== undefined) return duplicate()
        tree[at] = value
      } else if (typeof inner === "string") return duplicate()
      else tree = inner ?? (tree[at] = Object.create(null) as Tree)
    }
  }
  for (const [base, tree] of trees) out[base] = grown(tree)
  return Result.succeed(out)
}

/**
 * The query of a URL, without `?`.
 *
 * @category parsing
 * @since 1.0.0
 */
export const fromQuery = (query: string): Parsed =>
  query === "" ? Result.succeed(empty) : fromPairs(new URLSearchParams(query))

/**
 * A JSON body: an object.
 *
 * @category parsing
 * @since 1.0.0
 */
export const fromJson = (text: string): Parsed => {
  const parsed = Json.parse(text)
  if (Result.isFailure(parsed)) return Result.fail(Failure.fromError(parsed.failure))
  return Json.isObject(parsed.success)
    ? Result.succeed(parsed.success)
    : Result.fail(Failure.badRequest("The JSON body is not an object", "PARAMETERS_INVALID"))
}

/**
 * @category combinators
 * @since 1.0.0
 */
export const merge = (query: Params, body: Params): Params => Object.assign(Object.create(null), query, body)

/** Names under which bots' programs know the parameters. */
const aliases: ReadonlyArray<readonly [string, string]> = [
  ["chat_id", "peer"],
  ["text", "message"],
  ["reply_to_message_id", "reply_to_msg_id"],
  ["disable_notification", "silent"],
  ["disable_web_page_preview", "no_webpage"]
]

/**
 * Parameters under the names that the method has.
 *
 * @category combinators
 * @since 1.0.0
 */
export const rename = (params: Params, has: (name: string) => boolean): Params => {
  let out: { [name: string]: unknown } | undefined
  for (const [from, to] of aliases) {
    if (!(from in params) || has(from) || !has(to) || to in params) continue
    out ??= Object.assign(Object.create(null), params)
    out![to] = params[from]
    delete out![from]
  }
  return out ?? params
}

const looksLikeJson = /^\s*[{[]/

/**
 * Texts that are JSON arrays or objects become those, except where a text is wanted.
 *
 * @category parsing
 * @since 1.0.0
 */
export const open = (params: Params, isText: (name: string) => boolean): Parsed => {
  let out: { [name: string]: unknown } | undefined
  for (const name of Object.keys(params)) {
    const value = params[name]
    if (typeof value !== "string" || !looksLikeJson.test(value) || isText(name)) continue
    const parsed = Json.parse(value)
    if (Result.isSuccess(parsed)) {
      out ??= Object.assign(Object.create(null), params)
      out![name] = parsed.success
    } else if (parsed.failure.reason !== "syntax") return Result.fail(Failure.fromError(parsed.failure))
  }
  return Result.succeed(out ?? params)
}

/**
 * What a bot asks for: `method`, and `params` as a text of JSON, in which a comma may stand before a closing bracket, or as
 * an object.
 *
 * @category parsing
 * @since 1.0.0
 */
export const fromBot = (
  params: Params
): Result.Result<{ readonly method: string; readonly params: Params }, Failure.Failure> => {
  const { method, params: given } = params
  if (typeof method !== "string" || method === "") return Result.fail(Failure.noMethod)
  const named = method.replaceAll("->", ".")
  if (given === undefined || given === null || given === "") return Result.succeed({ method: named, params: empty })
  if (Json.isObject(given)) return Result.succeed({ method: named, params: given })
  if (typeof given !== "string") return Result.fail(Failure.unparsable)
  const parsed = Json.parse(given, { trailingCommas: true })
  if (Result.isFailure(parsed)) {
    return Result.fail(parsed.failure.reason === "syntax" ? Failure.unparsable : Failure.fromError(parsed.failure))
  }
  return Json.isObject(parsed.success)
    ? Result.succeed({ method: named, params: parsed.success })
    : Result.fail(Failure.unparsable)
}

// ----- single parameters

const invalid = (name: string, expected: string): Result.Result<never, Failure.Failure> =>
  Result.fail(Failure.badRequest(`Parameter ${name}: expected ${expected}`, "PARAMETERS_INVALID"))

/**
 * A whole number within bounds, also in digits; `fallback` if it is not given.
 *
 * @category parameters
 * @since 1.0.0
 */
export const int = (
  params: Params,
  name: string,
  options: { readonly min: number; readonly max: number; readonly fallback?: number | undefined }
): Result.Result<number, Failure.Failure> => {
  const { fallback, max, min } = options
  const given = params[name]
  if (given === undefined || given === null || given === "") {
    return fallback === undefined ? invalid(name, "a whole number, found nothing") : Result.succeed(fallback)
  }
  const value = typeof given === "string" && /^-?\d{1,16}$/.test(given) ? Number(given) : given
  return typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max
    ? Result.succeed(value)
    : invalid(name, `a whole number from ${min} to ${max}`)
}

/**
 * A long, as a number or in digits.
 *
 * @category parameters
 * @since 1.0.0
 */
export const long = (params: Params, name: string): Result.Result<bigint, Failure.Failure> => {
  const given = params[name]
  const value = typeof given === "string" && /^-?\d{1,19}$/.test(given)
    ? BigInt(given)
    : typeof given === "number" && Number.isSafeInteger(given)
    ? BigInt(given)
    : given
  return typeof value === "bigint" && BigInt.asIntN(64, value) === value
    ? Result.succeed(value)
    : invalid(name, "an int64 as decimal string or safe integer")
}

/**
 * A text; numbers are taken as their digits.
 *
 * @category parameters
 * @since 1.0.0
 */
export const text = (
  params: Params,
  name: string,
  options: { readonly max: number; readonly fallback?: string | undefined }
): Result.Result<string, Failure.Failure> => {
  const given = params[name]
  if (given === undefined || given === null) {
    return options.fallback === undefined ? invalid(name, "a text, found nothing") : Result.succeed(options.fallback)
  }
  const value = typeof given === "number" || typeof given === "bigint" ? String(given) : given
  if (typeof value !== "string") return invalid(name, "a text")
  return value.length <= options.max ? Result.succeed(value) : invalid(name, `at most ${options.max} characters`)
}

/**
 * A truth value, also as `1`, `0`, `"true"` and `"false"`.
 *
 * @category parameters
 * @since 1.0.0
 */
export const flag = (params: Params, name: string): Result.Result<boolean, Failure.Failure> => {
  switch (params[name]) {
    case undefined:
    case null:
    case false:
    case 0:
    case "":
    case "0":
    case "false":
      return Result.succeed(false)
    case true:
    case 1:
    case "1":
    case "true":
      return Result.succeed(true)
    default:
      return invalid(name, "true or false")
  }
}
