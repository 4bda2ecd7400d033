/**
 * What a server answers instead of a result: a code, a string such as `DATA_INVALID` or `FLOOD_WAIT_17`, and the method
 * that was called.
 *
 * Every error that the API documents has its own tag, the string in PascalCase: `DATA_INVALID` is a value with
 * `_tag: "DataInvalid"`, so `Effect.catchTag("DataInvalid", ...)` works. A number in the string becomes a field:
 * `SLOWMODE_WAIT_30` is a `SlowmodeWait` with `seconds: 30`. The types of all of them are exported here under their tags;
 * their classes are made on first use (there are hundreds), see {@link classOf}.
 *
 * {@link fromServer} gives an error its own tag only where the called method documents it, so that the error channel of a
 * call says exactly what can come. Two families can come from any method: {@link FloodWait} and {@link Migrate}.
 * Everything else is an {@link RpcError}, with the same fields.
 *
 * Source: core.telegram.org/api/errors.
 *
 * @since 1.0.0
 */
import type * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"
import type { ByName, FileMigrate, NetworkMigrate, PhoneMigrate, StatsMigrate, UserMigrate } from "./api/errors.ts"
import { parameters, parse, tagOf, words } from "./internal/rpcErrorName.ts"

export type * from "./api/errors.ts"

// ----- the shape of all of them

/**
 * A documented error of the server.
 *
 * @category models
 * @since 1.0.0
 */
export interface Documented<Tag extends string, Type extends string> extends Cause.YieldableError {
  readonly _tag: Tag
  /** 303, 400, 401, 403, 404, 406, 420, 500 or a negative number. */
  readonly code: number
  /** The string of the server, as it came. */
  readonly type: Type
  /** The method that was called, `messages.sendEncryptedService`. */
  readonly method: string
}

/**
 * The documented error with this name; a number in the name is written `%d`.
 *
 * @category models
 * @since 1.0.0
 */
export type Name = keyof ByName

const message = (self: { readonly code: number; readonly type: string; readonly method: string }): string => {
  const { name, parameter } = parse(self.type)
  const what = `(${self.code} ${self.type})`
  if (parameter !== undefined && parameters[name] === "seconds") {
    return `Telegram asks to wait ${parameter} seconds before ${self.method} is called again ${what}`
  }
  if (parameter !== undefined && parameters[name] === "dc") {
    return `Telegram wants ${self.method} to be called on data centre ${parameter} ${what}`
  }
  return `Telegram refused ${self.method}: ${words(name)} ${what}`
}

const fields = { code: Schema.Int, type: Schema.String, method: Schema.String }

const identifier = (tag: string) => `@effect-mtproto/core/RpcError/${tag}`

// ----- the errors that any method can give

/**
 * An error of the server that the documentation of the called method does not name.
 *
 * @category errors
 * @since 1.0.0
 */
export class RpcError extends Schema.TaggedError<RpcError>(identifier("RpcError"))("RpcError", fields) {
  override get message(): string {
    return message(this)
  }
  /** The number in the error's string, if the documentation knows one there. */
  get parameter(): number | undefined {
    return parse(this.type).parameter
  }
}

/**
 * Too many calls: the same call is allowed again after `seconds`. Any method can answer it (`FLOOD_WAIT_%d`, code 420).
 *
 * @category errors
 * @since 1.0.0
 */
export class FloodWait extends Schema.TaggedError<FloodWait>(identifier("FloodWait"))("FloodWait", {
  ...fields,
  seconds: Schema.Int
}) {
  override get message(): string {
    return message(this)
  }
}

/**
 * The call belongs to another data centre (code 303, `PHONE_MIGRATE_%d` and its like); its number is in `dc`.
 *
 * @category models
 * @since 1.0.0
 */
export type Migrate = FileMigrate | NetworkMigrate | PhoneMigrate | StatsMigrate | UserMigrate

/**
 * True for the errors that send the caller to another data centre.
 *
 * @category guards
 * @since 1.0.0
 */
export const isMigrate = (error: { readonly _tag: string }): error is Migrate => /^[A-Z][a-z]+Migrate$/.test(error._tag)

/**
 * Everything that {@link fromServer} can give.
 *
 * @category models
 * @since 1.0.0
 */
export type AnyRpcError = RpcError | ByName[Name]

// ----- classes on demand

/**
 * The class of a documented error: a `Schema.TaggedError`, so it is a schema too.
 *
 * @category models
 * @since 1.0.0
 */
export interface DocumentedClass<E extends { readonly _tag: string }> extends Schema.Codec<E, Encoded<E>> {
  new(fields: Omit<Encoded<E>, "_tag">): E
}

/**
 * What a documented error is in JSON.
 *
 * @category models
 * @since 1.0.0
 */
export type Encoded<E> = { readonly [K in Exclude<keyof E, keyof Cause.YieldableError>]: E[K] }

/** Tags of two documented names, one with a number and one without: the number may be missing. */
const optionalNumber = [
  "EmailUnconfirmed",
  "AllowPaymentRequired",
  "AuthRestart",
  "FileReferenceEmpty",
  "FileReferenceExpired",
  "FileReferenceInvalid"
]

let numbers: ReadonlyMap<string, string> | undefined

const numberOf = (tag: string): string | undefined => {
  numbers ??= new Map(Object.entries(parameters).map(([name, field]) => [tagOf(name), field]))
  return numbers.get(tag)
}

const classes = /*#__PURE__*/ new Map<string, DocumentedClass<any>>()

const makeClass = (tag: string): DocumentedClass<any> => {
  const number = numberOf(tag)
  const schema = optionalNumber.includes(tag) ? Schema.optionalKey(Schema.Int) : Schema.Int
  const all: typeof fields = number === undefined ? fields : { ...fields, [number]: schema }
  class ServerError extends Schema.TaggedError<ServerError>(identifier(tag))(tag, all) {
    override get message(): string {
      return message(this)
    }
  }
  return ServerError as any
}

const classOfName = (name: string): DocumentedClass<any> => {
  const tag = tagOf(name)
  if (tag === "FloodWait") return FloodWait as any
  let found = classes.get(tag)
  if (found === undefined) classes.set(tag, found = makeClass(tag))
  return found
}

/**
 * The class of the documented error `name`, made on first use. `RpcError.classOf("DATA_INVALID")` is a schema and a
 * constructor like any `Schema.TaggedError`; the same name always gives the same class.
 *
 * @category schemas
 * @since 1.0.0
 */
export const classOf = <N extends Name>(name: N): DocumentedClass<ByName[N]> => classOfName(name)

const instance = (name: string, parameter: number | undefined, all: Fields): any => {
  const field = parameter === undefined ? undefined : numberOf(tagOf(name))
  return new (classOfName(name))(field === undefined ? all : { ...all, [field]: parameter })
}

interface Fields {
  readonly code: number
  readonly type: string
  readonly method: string
}

const defaultCode = (name: string): number => name.includes("_WAIT_%d") ? 420 : name.endsWith("_MIGRATE_%d") ? 303 : 400

/**
 * A documented error by name, for test doubles and servers: `RpcError.make("SLOWMODE_WAIT_%d", { method, parameter: 30 })`.
 * The code is 400 (420 for waits, 303 for migrations) unless given; the number is 0 unless given.
 *
 * @category constructors
 * @since 1.0.0
 */
export const make = <N extends Name>(name: N, options: {
  readonly method: string
  readonly code?: number | undefined
  readonly parameter?: number | undefined
}): ByName[N] => {
  const parameter = Object.hasOwn(parameters, name) ? options.parameter ?? 0 : undefined
  return instance(name, parameter, {
    code: options.code ?? defaultCode(name),
    type: parameter === undefined ? name : name.replace("%d", String(parameter)),
    method: options.method
  })
}

// ----- from the wire

/**
 * One error in the documentation of a method; `%d` in `type` stands for a number.
 *
 * @category models
 * @since 1.0.0
 */
export interface Documentation {
  readonly code: number
  readonly type: string
}

/** The key of the type of the errors of a method; nothing stands there at run time. */
declare const ErrorsId: unique symbol

/**
 * What errors come from: a method with its documentation. Every method of the API is one.
 *
 * @category models
 * @since 1.0.0
 */
export interface Source<out E> {
  readonly tag: string
  readonly errors: ReadonlyArray<Documentation>
  readonly [ErrorsId]?: E
}

/**
 * Errors that come from any method, whatever its documentation says.
 *
 * @category models
 * @since 1.0.0
 */
export type General = RpcError | FloodWait | Migrate

/** Server text that a log line can take. */
const maxTypeLength = 256

/**
 * Reads an error of the server: its documented class if the method documents it, {@link FloodWait} or {@link Migrate}
 * from any method, {@link RpcError} otherwise. The code does not decide: servers send the same name with several.
 *
 * @category constructors
 * @since 1.0.0
 */
export const fromServer = <E = never>(options: {
  readonly method: Source<E>
  readonly code: number
  readonly message: string
}): E | General => {
  const type = options.message.slice(0, maxTypeLength)
  const { name, parameter } = parse(type)
  const all = { code: options.code, type, method: options.method.tag }
  const isGeneral = name === "FLOOD_WAIT_%d" || name.endsWith("_MIGRATE_%d")
  return isGeneral || options.method.errors.some((e) => e.type === name) ?
    instance(name, parameter, all) :
    new RpcError(all)
}

/**
 * The schema of everything that a call of `method` can answer instead of a result, migrations excepted: they are for the
 * connection, not for the caller.
 *
 * @category schemas
 * @since 1.0.0
 */
export const schemaOf = <E>(method: Source<E>): Schema.Codec<E | RpcError | FloodWait, unknown> => {
  const documented = new Set(method.errors.map((e) => classOfName(e.type)))
  return Schema.Union([...documented, RpcError, FloodWait]) as any
}
