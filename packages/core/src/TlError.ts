/**
 * The one error of everything that reads or writes TL.
 *
 * It says where (a path of field names and list indexes, and a byte offset), what was expected and what was found.
 * It never holds a value that was read or written, so it can be logged: `found` names types, lengths and
 * constructor ids.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * What kind of rule the bytes or the value break.
 *
 * - `Truncated`: the bytes end before the value does
 * - `TrailingBytes`: the value ends before the bytes do
 * - `UnknownConstructor`: a constructor id, or a `_tag`, that the type does not have
 * - `InvalidValue`: a value that the type does not admit (wrong type, out of range, missing)
 * - `LimitExceeded`: a length, count, nesting depth or total size over its bound
 * - `NoTlForm`: the schema itself has no TL form
 *
 * @category models
 * @since 1.0.0
 */
export const Reason = Schema.Literals([
  "Truncated",
  "TrailingBytes",
  "UnknownConstructor",
  "InvalidValue",
  "LimitExceeded",
  "NoTlForm"
])

/**
 * @category models
 * @since 1.0.0
 */
export type Reason = typeof Reason.Type

/**
 * A TL value that cannot be read or written.
 *
 * `path` leads from the outermost value to the place of failure; `offset` counts bytes from the start of the value.
 *
 * @category errors
 * @since 1.0.0
 */
export class TlError extends Schema.TaggedError<TlError>()("TlError", {
  reason: Reason,
  path: Schema.Array(Schema.Union([Schema.String, Schema.Int])),
  offset: Schema.Int,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `TL: expected ${this.expected}, found ${this.found} at ${formatPath(this.path)} (byte ${this.offset})`
  }
}

/**
 * Tells a `TlError` from anything else.
 *
 * @category guards
 * @since 1.0.0
 */
export const isTlError = (u: unknown): u is TlError => u instanceof TlError

const formatPath = (path: ReadonlyArray<string | number>): string =>
  path.length === 0
    ? "the top level"
    : path.map((key, i) => typeof key === "number" ? `[${key}]` : i === 0 ? key : `.${key}`).join("")
