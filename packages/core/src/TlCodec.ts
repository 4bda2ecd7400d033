/**
 * Binary codecs derived from schemas made with `Tl`.
 *
 * A schema is compiled once, on first use, into straight-line source (`new Function`); where code generation is
 * forbidden (a Content-Security-Policy without `unsafe-eval`) closures do the same work, chosen automatically.
 *
 * The functions of a codec are synchronous and throw nothing but `TlError`; {@link decodeResult} and
 * {@link encodeResult} return it instead. What is decoded may share memory with the input, and what is encoded with
 * other encoded values: see the notes on buffer ownership in `TlReader` and `TlWriter`.
 *
 * @since 1.0.0
 */
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { attempt, toIssue } from "./internal/attempt.ts"
import { fromLayout } from "./internal/codec.ts"
import { fromAst } from "./internal/fromSchema.ts"
import type { Layout } from "./internal/layout.ts"
import type { TlError } from "./TlError.ts"
import type { TlReader } from "./TlReader.ts"
import { TlWriter } from "./TlWriter.ts"

/**
 * Reads and writes one TL type. The functions throw nothing but `TlError`.
 *
 * @category models
 * @since 1.0.0
 */
export interface TlCodec<in out A> {
  /** The bytes of a value. */
  readonly encode: (value: A) => Uint8Array
  /** The value that the bytes are, all of them. */
  readonly decode: (bytes: Uint8Array) => A
  /** Writes a value at the position of the writer. */
  readonly write: (writer: TlWriter, value: A) => void
  /** Reads a value at the position of the reader, and leaves what follows. */
  readonly read: (reader: TlReader) => A
}

const codecs = new WeakMap<Layout, TlCodec<any>>()

/**
 * The codec of a schema; the same schema gives the same codec. Nothing is compiled before the first value.
 *
 * @throws TlError with the reason `NoTlForm` if the schema is not made of `Tl`'s parts
 * @category constructors
 * @since 1.0.0
 */
export const make = <A>(schema: Schema.Schema<A>): TlCodec<A> => {
  const layout = fromAst(schema.ast)
  let codec = codecs.get(layout)
  if (codec === undefined) {
    codec = fromLayout(layout)
    codecs.set(layout, codec)
  }
  return codec
}

/**
 * The bytes of a value of the schema. The function throws nothing but `TlError`.
 *
 * @category encoding
 * @since 1.0.0
 */
export const encode = <A>(schema: Schema.Schema<A>): (value: A) => Uint8Array => make(schema).encode

/**
 * The value that the bytes are, all of them. The function throws nothing but `TlError`, for any bytes.
 *
 * @category decoding
 * @since 1.0.0
 */
export const decode = <A>(schema: Schema.Schema<A>): (bytes: Uint8Array) => A => make(schema).decode

// What `withEncoded` lends, up to a size that is worth keeping.
let lent: TlWriter | undefined
const MOST_LENT = 65_536

/**
 * Hands the bytes of a value to `use`, in memory that is only lent: it is overwritten when `use` is done. For bytes that
 * are worked on at once and are not to stay, such as what is about to be encrypted; no array is made for them.
 *
 * `use` must not keep the bytes, nor return a part of them.
 *
 * @throws TlError if the value cannot be written, and what `use` throws
 * @category encoding
 * @since 1.0.0
 */
export const withEncoded = <A, B>(codec: TlCodec<A>, value: NoInfer<A>, use: (bytes: Uint8Array) => B): B => {
  const writer = lent ?? new TlWriter()
  // a getter of the value, or `use`, that comes back here gets another writer
  lent = undefined
  try {
    codec.write(writer, value)
    return use(writer.peek())
  } finally {
    if (writer.length <= MOST_LENT) lent = writer
    writer.wipe()
  }
}

/**
 * {@link encode} that returns the `TlError` instead of throwing it.
 *
 * @category encoding
 * @since 1.0.0
 */
export const encodeResult = <A>(schema: Schema.Schema<A>): (value: A) => Result.Result<Uint8Array, TlError> => {
  const codec = make(schema)
  return (value) => attempt(() => codec.encode(value))
}

/**
 * {@link decode} that returns the `TlError` instead of throwing it: for bytes from outside.
 *
 * @category decoding
 * @since 1.0.0
 */
export const decodeResult = <A>(schema: Schema.Schema<A>): (bytes: Uint8Array) => Result.Result<A, TlError> => {
  const codec = make(schema)
  return (bytes) => attempt(() => codec.decode(bytes))
}

/**
 * The schema whose encoded side is bytes, for use with all that Schema offers.
 *
 * @category schemas
 * @since 1.0.0
 */
export const toSchema = <S extends Schema.Constraint>(
  schema: S
): Schema.decodeTo<Schema.toType<S>, Schema.Uint8Array> => {
  const codec = make(schema as unknown as Schema.Schema<S["Type"]>)
  return Schema.Uint8Array.pipe(Schema.decodeTo(
    Schema.toType(schema),
    SchemaTransformation.transformEffect({
      decode: (bytes: Uint8Array) => toIssue(() => codec.decode(bytes)),
      encode: (value: S["Type"]) => toIssue(() => codec.encode(value))
    }) as never
  ))
}
