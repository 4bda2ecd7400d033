/**
 * TL text: reading schemas at run time (other layers, tools) and writing them.
 *
 * {@link parse} turns text into a {@link Document}, {@link print} turns it back into the same text; {@link schemas} makes
 * Effect Schemas of it, so that all that is derived from schemas works for a layer that was unknown at build time:
 *
 * ```ts
 * import * as TlCodec from "@effect-mtproto/core/TlCodec"
 * import * as TlParser from "@effect-mtproto/core/TlParser"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const document = yield* Effect.fromResult(TlParser.parse("point#0a0b0c0d x:int y:int = Point;"))
 *   const { constructors } = yield* Effect.fromResult(TlParser.schemas(document))
 *   return TlCodec.encode(constructors.get("point")!)({ _tag: "point", x: 1, y: 2 })
 * })
 * ```
 *
 * The part of TL that schemas of Telegram use is understood: combinators with or without an id, `flags:#`, `flags.n?t`,
 * `Vector` and `vector`, bare types (`%Type`, `type`), `!X` and `Object`, the sections, and the declarations of built-in
 * types, which are kept but define nothing. Source: core.telegram.org/mtproto/TL, core.telegram.org/mtproto/TL-optargs.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { fromAst } from "./internal/fromSchema.ts"
import { resolve } from "./internal/layout.ts"
import { printConstructor } from "./internal/print.ts"
import { build } from "./internal/tlSchemas.ts"
import { parseDocument, SyntaxProblem } from "./internal/tlText.ts"
import type { Combinator, Document, Field, Type } from "./internal/tlText.ts"
import * as TlId from "./TlId.ts"

export type {
  /**
   * A constructor or a method: one declaration.
   *
   * @category models
   * @since 1.0.0
   */
  Combinator,
  /**
   * Everything that stands in a text, in its order.
   *
   * @category models
   * @since 1.0.0
   */
  Document,
  /**
   * A field of a combinator.
   *
   * @category models
   * @since 1.0.0
   */
  Field,
  /**
   * A line of a text.
   *
   * @category models
   * @since 1.0.0
   */
  Item,
  /**
   * The type of a field or of a result.
   *
   * @category models
   * @since 1.0.0
   */
  Type
} from "./internal/tlText.ts"

/**
 * Text that is not TL, or TL that cannot become schemas.
 *
 * @category errors
 * @since 1.0.0
 */
export class TlParseError extends Schema.TaggedError<TlParseError>()("TlParseError", {
  /** From 1; 0 if no place in a text is meant. */
  line: Schema.Int,
  /** From 1. */
  column: Schema.Int,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    const place = this.line === 0 ? "" : ` in line ${this.line}, column ${this.column}`
    return `TL text: expected ${this.expected}, found ${this.found}${place}`
  }
}

/**
 * Reads TL text.
 *
 * @category decoding
 * @since 1.0.0
 */
export const parse = (text: string): Result.Result<Document, TlParseError> => caught(() => parseDocument(text))

/**
 * The text of a document. What {@link parse} read from a text with single spaces between words is that text.
 *
 * @category encoding
 * @since 1.0.0
 */
export const print = (document: Document): string =>
  document.items.map((item) => {
    switch (item._tag) {
      case "text":
        return item.text
      case "section":
        return `---${item.name}---`
      case "combinator":
        return `${printCombinator(item.combinator)};${item.comment === "" ? "" : ` ${item.comment}`}`
    }
  }).join("\n")

/**
 * One declaration, without its semicolon.
 *
 * @category encoding
 * @since 1.0.0
 */
export const printCombinator = (c: Combinator): string => {
  if (c.builtin !== undefined) return c.builtin
  return [
    c.idText === undefined ? c.name : `${c.name}#${c.idText}`,
    ...c.generics.map((g) => `{${g}}`),
    ...c.fields.map(printField),
    "=",
    printType(c.result)
  ].join(" ")
}

const printField = (f: Field): string => {
  if (f.type === undefined) return `${f.name}:#`
  const flag = f.flag === undefined ? "" : `${f.flag.word}.${f.flag.bit}?`
  return `${f.name}:${flag}${printType(f.type)}`
}

/**
 * A type as a field has it.
 *
 * @category encoding
 * @since 1.0.0
 */
export const printType = (t: Type): string =>
  `${t.generic ? "!" : ""}${t.bare ? "%" : ""}${t.name}${t.argument === undefined ? "" : `<${printType(t.argument)}>`}`

/**
 * The id of a combinator: the one that it states, or the one that follows from its text.
 *
 * @category getters
 * @since 1.0.0
 */
export const idOf = (c: Combinator): number =>
  c.idText === undefined ? TlId.compute(printCombinator(c)) : Number.parseInt(c.idText, 16)

/**
 * Schemas under the names of a document.
 *
 * @category models
 * @since 1.0.0
 */
export interface Schemas {
  readonly constructors: ReadonlyMap<string, Schema.Codec<any>>
  /** Unions of all constructors of a type. */
  readonly types: ReadonlyMap<string, Schema.Codec<any>>
  readonly methods: ReadonlyMap<string, {
    /** The request, with the id of the method. */
    readonly request: Schema.Codec<any>
    /** What it answers; undefined for a method that answers whatever the query inside it does. */
    readonly result: Schema.Codec<any> | undefined
  }>
}

/**
 * Makes schemas. All types that a document mentions must be declared in it.
 *
 * Two constructors with the same name and different ids are told apart by a suffix, `name_2`, in the order of the text.
 * An id that two constructors have, or a name that two methods have, is an error; ids of methods are not compared, because
 * Telegram's own schema has some twice.
 *
 * @category conversions
 * @since 1.0.0
 */
export const schemas = (document: Document): Result.Result<Schemas, TlParseError> => caught(() => build(document, idOf))

/**
 * The TL text of a schema made with `Tl`: one line, with its id, for every constructor; nothing for other types.
 *
 * @throws TlError with the reason `NoTlForm` if the schema is not made of `Tl`'s parts
 * @category encoding
 * @since 1.0.0
 */
export const printSchema = (schema: Schema.Constraint): string => {
  const layout = resolve(fromAst(schema.ast))
  const constructors = layout._tag === "union" ? layout.members : layout._tag === "object" ? [layout.of] : []
  return constructors.map((c) => `${printConstructor(c)};`).join("\n")
}

const caught = <A>(run: () => A): Result.Result<A, TlParseError> => {
  try {
    return Result.succeed(run())
  } catch (e) {
    if (!(e instanceof SyntaxProblem)) throw e
    const { column, expected, found, line } = e
    return Result.fail(new TlParseError({ line, column, expected, found }))
  }
}
