/**
 * JSON codecs derived from schemas made with `Tl`, in the form that users of the HTTP API know.
 *
 * - `"_"` names the constructor, fields have their TL names (`random_id`)
 * - `long` is a decimal string; a number is accepted where it is exact
 * - `bytes` is `{ "_": "bytes", "bytes": "<base64>" }`; a plain string is accepted and means its UTF-8 bytes
 * - `double` is a number, or one of the strings `NaN`, `Infinity`, `-Infinity`
 * - conditional fields are left out when they are not set; `null` is the same as leaving out
 * - property names of the value (`randomId`) are accepted in place of TL names
 *
 * ```ts
 * import * as SecretApi from "@effect-mtproto/core/SecretApi"
 * import * as TlJson from "@effect-mtproto/core/TlJson"
 *
 * TlJson.encode(SecretApi.DecryptedMessage)({
 *   _tag: "decryptedMessageService",
 *   randomId: 5n,
 *   action: { _tag: "decryptedMessageActionReadMessages", randomIds: [7n] }
 * })
 * // { _: "decryptedMessageService", random_id: "5", action: { _: "decryptedMessageActionReadMessages", random_ids: ["7"] } }
 * ```
 *
 * The functions throw nothing but `TlError`, whose path is made of TL names when decoding; its offset is 0.
 *
 * @since 1.0.0
 */
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { attempt, toIssue } from "./internal/attempt.ts"
import { fromAst } from "./internal/fromSchema.ts"
import * as Json from "./internal/json.ts"
import type { TlError } from "./TlError.ts"

/**
 * How JSON is read.
 *
 * @category models
 * @since 1.0.0
 */
export interface DecodeOptions {
  /**
   * What a missing field becomes: an error (the default), or zero, the empty string, no bytes, an empty list or false,
   * where its type has such a value.
   */
  readonly onMissing?: "error" | "default" | undefined
  /** What fields do that the constructor does not have: they are ignored (the default), or an error. */
  readonly onExcess?: "ignore" | "error" | undefined
}

/**
 * The JSON of a value of the schema. The function throws nothing but `TlError`.
 *
 * @throws TlError with the reason `NoTlForm` if the schema is not made of `Tl`'s parts
 * @category encoding
 * @since 1.0.0
 */
export const encode = <A>(schema: Schema.Schema<A>): (value: A) => Schema.Json => {
  const codec = Json.make(fromAst(schema.ast))
  return (value) => codec.encode(value) as Schema.Json
}

/**
 * The value that a JSON is. The function throws nothing but `TlError`, with the path of the part that is wrong.
 *
 * @throws TlError with the reason `NoTlForm` if the schema is not made of `Tl`'s parts
 * @category decoding
 * @since 1.0.0
 */
export const decode = <A>(schema: Schema.Schema<A>, options?: DecodeOptions): (json: unknown) => A => {
  const codec = Json.make(fromAst(schema.ast))
  const { onExcess = "ignore", onMissing = "error" } = options ?? {}
  return (json) => codec.decode(json, { onExcess, onMissing })
}

/**
 * {@link decode} that returns the `TlError` instead of throwing it: for JSON from outside.
 *
 * @category decoding
 * @since 1.0.0
 */
export const decodeResult = <A>(
  schema: Schema.Schema<A>,
  options?: DecodeOptions
): (json: unknown) => Result.Result<A, TlError> => {
  const run = decode(schema, options)
  return (json) => attempt(() => run(json))
}

/**
 * The schema whose encoded side is this JSON, for use with all that Schema offers.
 *
 * @category schemas
 * @since 1.0.0
 */
export const toSchema = <S extends Schema.Constraint>(
  schema: S,
  options?: DecodeOptions
): Schema.decodeTo<Schema.toType<S>, Schema.Codec<Schema.Json>> => {
  const typed = schema as unknown as Schema.Schema<S["Type"]>
  const read = decode(typed, options)
  const write = encode(typed)
  return Schema.Json.pipe(Schema.decodeTo(
    Schema.toType(schema),
    SchemaTransformation.transformEffect({
      decode: (json: Schema.Json) => toIssue(() => read(json)),
      encode: (value: S["Type"]) => toIssue(() => write(value))
    }) as never
  )) as never
}
