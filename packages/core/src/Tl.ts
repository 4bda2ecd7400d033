/**
 * The vocabulary of TL: Effect Schemas that know their form on the wire.
 *
 * Values are plain readonly objects: `_tag` is the name of the TL constructor, fields are in camelCase, `int` is a
 * number, `long` a bigint, byte strings are `Uint8Array`. The Schemas are ordinary ones: `Schema.is` validates,
 * `Arbitrary.schema` generates, `Schema.toEquivalence` compares. What the wire needs besides is kept in the annotation
 * `tl`, from which `TlCodec`, `TlJson` and the printer of `TlParser` are derived.
 *
 * ```ts
 * import * as Tl from "@effect-mtproto/core/Tl"
 * import * as TlCodec from "@effect-mtproto/core/TlCodec"
 *
 * const InputUser = Tl.constructor("inputUser", 0xf21158c6, { userId: Tl.long, accessHash: Tl.long })
 * const Draft = Tl.constructor("draft", 0x3fccf7ef, {
 *   flags: Tl.flags,
 *   noWebpage: Tl.flagTrue(1),
 *   replyTo: Tl.flag(0, Tl.int),
 *   to: InputUser,
 *   message: Tl.string
 * })
 * const bytes = TlCodec.encode(Draft)({ _tag: "draft", to: { _tag: "inputUser", userId: 1n, accessHash: 2n }, message: "hi" })
 * ```
 *
 * A field whose schema is a constructor or a union is boxed (its id stands before it); {@link bare} takes the id away.
 * Recursive types use `Schema.suspend`. Source: core.telegram.org/mtproto/TL and core.telegram.org/mtproto/serialize.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaGetter from "effect/SchemaGetter"
import type * as Struct from "effect/Struct"
import type { Primitive } from "./internal/layout.ts"

// ----- annotations

/**
 * What the annotation `tl` of a schema says about its form on the wire.
 *
 * @category models
 * @since 1.0.0
 */
export type Annotation =
  | { readonly _tag: "primitive"; readonly type: Primitive }
  | { readonly _tag: "true" }
  | { readonly _tag: "vector"; readonly boxed: boolean }
  | { readonly _tag: "bare"; readonly of: SchemaAST.AST; readonly spelling: string | undefined }
  | { readonly _tag: "union"; readonly name: string }
  | ConstructorAnnotation

/**
 * What the schema of a constructor says of it: name, id, type, and the order of its fields on the wire.
 *
 * @category models
 * @since 1.0.0
 */
export interface ConstructorAnnotation {
  readonly _tag: "constructor"
  readonly name: string
  readonly id: number
  readonly type: string
  readonly generics: ReadonlyArray<string>
  readonly layer: number
  /** Property names and flags words in wire order. */
  readonly order: ReadonlyArray<{ readonly key: string; readonly flags: boolean }>
}

/**
 * What the key annotation `tlField` says about a field of a constructor.
 *
 * @category models
 * @since 1.0.0
 */
export interface FieldAnnotation {
  /** The TL name, where it is not the property name in snake_case. */
  readonly name?: string | undefined
  /** The bit that says whether the field is there. */
  readonly flag?: { readonly word: string; readonly bit: number } | undefined
  /** The TL type, where it is not the one of the schema (`!X`, `Object`). */
  readonly spelling?: string | undefined
}

declare module "effect/Schema" {
  namespace Annotations {
    interface Annotations {
      /** Form of the schema on the wire; written by the combinators of `@effect-mtproto/core/Tl`. */
      readonly tl?: Annotation | undefined
      /** Place of a field on the wire; written by the combinators of `@effect-mtproto/core/Tl`. */
      readonly tlField?: FieldAnnotation | undefined
    }
  }
}

// ----- primitives

/**
 * `int`: 32 bits, signed.
 *
 * @category primitives
 * @since 1.0.0
 */
export const int: Schema.Int = Schema.Int.check(Schema.isInt32()).annotate({ tl: { _tag: "primitive", type: "int" } })

/**
 * `long`: 64 bits, signed, as a bigint.
 *
 * @category primitives
 * @since 1.0.0
 */
export const long: Schema.BigInt = Schema.BigInt
  .check(Schema.isBetweenBigInt({ minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n }))
  .annotate({ tl: { _tag: "primitive", type: "long" } })

/**
 * `double`: IEEE 754, 64 bits; NaN and the infinities included.
 *
 * @category primitives
 * @since 1.0.0
 */
export const double: Schema.Number = Schema.Number.annotate({ tl: { _tag: "primitive", type: "double" } })

/**
 * `string`: UTF-8 on the wire, shorter than 2^24 bytes. The schema admits well-formed strings only; the binary codec
 * writes a lone surrogate as U+FFFD.
 *
 * @category primitives
 * @since 1.0.0
 */
export const string: Schema.String = Schema.String
  .check(Schema.makeFilter((s) => !/\p{Surrogate}/u.test(s), { expected: "a string without lone surrogates" }))
  .annotate({ tl: { _tag: "primitive", type: "string" } })

/**
 * `bytes`: shorter than 2^24. What is decoded may be a view of the input, see `TlReader`.
 *
 * @category primitives
 * @since 1.0.0
 */
export const bytes: Schema.Uint8Array = Schema.Uint8Array.annotate({ tl: { _tag: "primitive", type: "bytes" } })

/**
 * `Bool`: `boolTrue` or `boolFalse`.
 *
 * @category primitives
 * @since 1.0.0
 */
export const bool: Schema.Boolean = Schema.Boolean.annotate({ tl: { _tag: "primitive", type: "bool" } })

/**
 * A schema of byte arrays of one length.
 *
 * @category models
 * @since 1.0.0
 */
export interface FixedBytes extends Schema.declare<Uint8Array, Uint8Array> {}

const fixedBytes = (type: "int128" | "int256", length: number): FixedBytes =>
  Schema.declare((u): u is Uint8Array => u instanceof Uint8Array && u.length === length, {
    expected: `${length} bytes`,
    tl: { _tag: "primitive", type },
    toCodecJson: () =>
      Schema.link<Uint8Array>()(Schema.Uint8ArrayFromBase64, {
        decode: SchemaGetter.passthrough(),
        encode: SchemaGetter.passthrough()
      }),
    toCodecArbitrary: () =>
      Schema.link<Uint8Array>()(
        Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))).check(
          Schema.isBetweenLength(length, length)
        ),
        {
          decode: SchemaGetter.transform((numbers) => Uint8Array.from(numbers)),
          encode: SchemaGetter.transform((array: Uint8Array) => Array.from(array))
        }
      )
  })

/**
 * `int128`: 16 bytes as they stand.
 *
 * @category primitives
 * @since 1.0.0
 */
export const int128: FixedBytes = fixedBytes("int128", 16)

/**
 * `int256`: 32 bytes as they stand.
 *
 * @category primitives
 * @since 1.0.0
 */
export const int256: FixedBytes = fixedBytes("int256", 32)

/**
 * An object of a type that only the context knows (`!X`, `Object`): all the bytes that are left. It can only be the
 * last field of the outermost object.
 *
 * @category primitives
 * @since 1.0.0
 */
export const rest = (spelling = "Object"): Schema.Uint8Array =>
  Schema.Uint8Array.annotate({ tl: { _tag: "primitive", type: "rest" } }).annotateKey({ tlField: { spelling } })

/**
 * `bytes:int body:Object`: an int length and an object of that length, kept as bytes. The length is not part of the
 * value.
 *
 * @category primitives
 * @since 1.0.0
 */
export const block: Schema.Uint8Array = Schema.Uint8Array.annotate({ tl: { _tag: "primitive", type: "block" } })

// ----- vectors

/**
 * `Vector<t>`: id, count, items.
 *
 * @category vectors
 * @since 1.0.0
 */
export const vector = <S extends Schema.Constraint>(item: S): Schema.$Array<S> =>
  Schema.Array(item).annotate({ tl: { _tag: "vector", boxed: true } })

/**
 * `vector<t>`: count, items.
 *
 * @category vectors
 * @since 1.0.0
 */
export const bareVector = <S extends Schema.Constraint>(item: S): Schema.$Array<S> =>
  Schema.Array(item).annotate({ tl: { _tag: "vector", boxed: false } })

// ----- conditional fields

/**
 * The marker of a flags word (`flags:#`): it says where the word stands. Values do not have it, it is computed from
 * the fields that are there.
 *
 * @category fields
 * @since 1.0.0
 */
export interface Flags {
  readonly "~@effect-mtproto/core/Tl/Flags": true
}

/**
 * `flags:#`. The property name under which it stands in {@link constructor} is the name of the word.
 *
 * @category fields
 * @since 1.0.0
 */
export const flags: Flags = { "~@effect-mtproto/core/Tl/Flags": true }

/**
 * `flags.bit?t`: there if the bit is set. The key is absent from a decoded value if the bit is not set; when encoding,
 * absent and undefined are the same.
 *
 * @category fields
 * @since 1.0.0
 */
export const flag = <S extends Schema.Constraint & { readonly annotateKey: unknown }>(
  bit: number,
  schema: S,
  word = "flags"
): Schema.optionalKey<S> =>
  annotateField(Schema.optionalKey(schema as never) as unknown as Schema.optionalKey<S>, { flag: { word, bit } })

/**
 * The schema of {@link flagTrue}.
 *
 * @category models
 * @since 1.0.0
 */
export interface True extends Schema.optionalKey<Schema.Literal<true>> {}

/**
 * `flags.bit?true`: the bit itself, no bytes. The key is absent if the bit is not set; it is set for `true` only.
 *
 * @category fields
 * @since 1.0.0
 */
export const flagTrue = (bit: number, word = "flags"): True =>
  annotateField(Schema.optionalKey(Schema.Literal(true).annotate({ tl: { _tag: "true" } })), { flag: { word, bit } })

/**
 * Gives a field a TL name that is not its property name in snake_case (`srp_B`, `M1`).
 *
 * @category fields
 * @since 1.0.0
 */
export const named = <S extends Schema.Constraint>(name: string, schema: S): S => annotateField(schema, { name })

const annotateField = <S extends Schema.Constraint>(schema: S, add: FieldAnnotation): S => {
  const before = schema.ast.context?.annotations?.tlField
  return (schema as unknown as { annotateKey(a: Schema.Annotations.Key<unknown>): S })
    .annotateKey({ ...schema.ast.context?.annotations, tlField: { ...before, ...add } })
}

// ----- objects

/**
 * The fields of {@link constructor}, in wire order.
 *
 * @category models
 * @since 1.0.0
 */
export interface Fields {
  readonly [key: string]: Schema.Constraint | Flags
}

/**
 * The fields that values have.
 *
 * @category models
 * @since 1.0.0
 */
export type ValueFields<F extends Fields> = {
  readonly [K in keyof F as F[K] extends Flags ? never : K]: F[K] extends Schema.Constraint ? F[K] : never
}

/**
 * The schema of the values of one constructor.
 *
 * @category models
 * @since 1.0.0
 */
export interface Constructor<Tag extends string, F extends Schema.Struct.Fields>
  extends Schema.Struct<Struct.Simplify<{ readonly _tag: Schema.tag<Tag> } & F>>
{}

/**
 * One constructor: `name#id fields = Type`.
 *
 * `tag` is the value's `_tag` and, unless `options.name` says otherwise, the name in TL.
 *
 * @category objects
 * @since 1.0.0
 */
export const constructor = <const Tag extends string, const F extends Fields>(
  tag: Tag,
  id: number,
  fields: F,
  options?: {
    /** The name in TL; needed where several versions of a constructor exist side by side. */
    readonly name?: string | undefined
    /** The TL type; by default the name with a capital letter. */
    readonly type?: string | undefined
    /** Generic parameters such as `{X:Type}`. */
    readonly generics?: ReadonlyArray<string> | undefined
    /** The layer that introduced the constructor; 0 if it does not matter. */
    readonly layer?: number | undefined
  }
): Constructor<Tag, ValueFields<F>> => {
  const values: Record<string, Schema.Constraint> = {}
  const order: Array<{ readonly key: string; readonly flags: boolean }> = []
  for (const key of Object.keys(fields)) {
    const field = fields[key]!
    const isWord = "~@effect-mtproto/core/Tl/Flags" in field
    order.push({ key, flags: isWord })
    if (!isWord) values[key] = field as Schema.Constraint
  }
  const name = options?.name ?? tag
  const annotation: ConstructorAnnotation = {
    _tag: "constructor",
    name,
    id: id >>> 0,
    type: options?.type ?? capitalize(name),
    generics: options?.generics ?? [],
    layer: options?.layer ?? 0,
    order
  }
  const schema = Schema.TaggedStruct(tag, values).annotate({ tl: annotation })
  return together(schema as never, values) as unknown as Constructor<Tag, ValueFields<F>>
}

// Fields that share a bit are there together, or none of them is: nothing else can be written and read again.
const together = (schema: Schema.Top, fields: Readonly<Record<string, Schema.Constraint>>): Schema.Top => {
  const bits = new Map<string, Array<string>>()
  for (const key of Object.keys(fields)) {
    const flag = (fields[key]!.ast.context?.annotations?.tlField as FieldAnnotation | undefined)?.flag
    if (flag === undefined) continue
    const bit = `${flag.word}.${flag.bit}`
    bits.set(bit, [...bits.get(bit) ?? [], key])
  }
  const groups = [...bits.values()].filter((keys) => keys.length > 1)
  if (groups.length === 0) return schema
  return schema.check(
    Schema.makeFilter((value) => {
      const object = value as Readonly<Record<string, unknown>>
      const torn = groups.find((keys) =>
        keys.some((key) => (object[key] === undefined) !== (object[keys[0]!] === undefined))
      )
      return torn === undefined ? undefined : `${torn.join(" and ")} go together`
    })
  )
}

/**
 * The same constructor with narrower schemas for some of its fields. The wire form must stay what it is.
 *
 * @category objects
 * @since 1.0.0
 */
export const narrow = <F extends Schema.Struct.Fields, const O extends { readonly [K in keyof F]?: Schema.Constraint }>(
  schema: Schema.Struct<F>,
  fields: O
): Schema.Struct<Struct.Simplify<Omit<F, keyof O> & O>> => {
  const tl = schema.ast.annotations?.tl
  const all = { ...schema.fields, ...fields } as Readonly<Record<string, Schema.Constraint>>
  // A copy, for the annotation is the identity of a layout.
  const narrowed = Schema.Struct(all).annotate({ tl: tl === undefined ? undefined : { ...tl } })
  return together(narrowed as never, all) as never
}

/**
 * Any of several constructors: a boxed TL type. Members may be unions themselves.
 *
 * @category objects
 * @since 1.0.0
 */
export const union = <const Members extends ReadonlyArray<Schema.Constraint>>(
  name: string,
  members: Members
): Schema.Union<Members> => Schema.Union(members).annotate({ tl: { _tag: "union", name } })

/**
 * `%Type` or a type in lower case: the fields of a constructor without its id. `spelling` is for the printer.
 *
 * @category objects
 * @since 1.0.0
 */
export const bare = <S extends Schema.Constraint>(schema: S, spelling?: string): S =>
  (schema as unknown as { annotate(a: Schema.Annotations.Annotations): S })
    .annotate({ tl: { _tag: "bare", of: schema.ast, spelling } })

/**
 * The id of a constructor, unsigned; undefined for every other schema.
 *
 * @category getters
 * @since 1.0.0
 */
export const constructorId = (schema: Schema.Constraint): number | undefined => {
  const tl = schema.ast.annotations?.tl as Annotation | undefined
  return tl?._tag === "constructor" ? tl.id : undefined
}

const capitalize = (name: string): string => {
  const at = name.lastIndexOf(".") + 1
  return name.slice(0, at) + name.charAt(at).toUpperCase() + name.slice(at + 1)
}
