/**
 * What can go wrong with a script.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * - `syntax`: the text is not Lua
 * - `runtime`: an error that the script raised and did not catch
 * - `limit`: the script took more memory, instructions or time than it was given; `limit` says which. Nothing of it runs
 *   any more: a script cannot catch this, except that it is short of memory
 * - `conversion`: a value cannot be handed over between Lua and the host
 * - `host`: the thread of the script could not be started, or is gone
 *
 * @category models
 * @since 1.0.0
 */
export const LuaErrorKind = Schema.Literals(["syntax", "runtime", "limit", "conversion", "host"])

/**
 * @category models
 * @since 1.0.0
 */
export type LuaErrorKind = typeof LuaErrorKind.Type

/**
 * What a script can run out of. `stack` is the nesting of calls into the host's functions and Lua's own C functions.
 *
 * @category models
 * @since 1.0.0
 */
export const LuaLimit = Schema.Literals(["memory", "instructions", "time", "stack"])

/**
 * @category models
 * @since 1.0.0
 */
export type LuaLimit = typeof LuaLimit.Type

/**
 * @category errors
 * @since 1.0.0
 */
export class LuaError extends Schema.TaggedError<LuaError>("@effect-mtproto/lua/LuaError")("LuaError", {
  kind: LuaErrorKind,
  /** One sentence, without the place. */
  detail: Schema.String,
  /** The name of the script, if it is about one. */
  script: Schema.optionalKey(Schema.String),
  /** The line of the script, from 1, where it is known. */
  line: Schema.optionalKey(Schema.Int),
  /** In kind `limit`. */
  limit: Schema.optionalKey(LuaLimit),
  /** The calls that led there, as Lua writes them. */
  traceback: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    if (this.script === undefined) return this.detail
    return `${this.script}${this.line === undefined ? "" : `:${this.line}`}: ${this.detail}`
  }
}
