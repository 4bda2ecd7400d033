/**
 * The values that Lua and the host hand to each other, as plain data.
 *
 * | Lua      | here                                                                                     |
 * | -------- | ---------------------------------------------------------------------------------------- |
 * | nil      | `null`                                                                                   |
 * | boolean  | `boolean`                                                                                |
 * | integer  | `bigint`, signed, 64 bits, exact                                                         |
 * | float    | `number`                                                                                 |
 * | string   | a byte string: a `string` with one character of U+0000 to U+00FF for each byte           |
 * | table    | a `Map` of its entries; metatables stay behind, and none of their functions is called    |
 *
 * A Lua string is bytes, not text: {@link fromText} and {@link toText} go by UTF-8, {@link fromBytes} and {@link toBytes}
 * by nothing. Functions, coroutines and userdata cannot be handed over, nor can tables that contain themselves.
 *
 * @since 1.0.0
 */

/**
 * A string of Lua: one character of U+0000 to U+00FF for each byte.
 *
 * @category models
 * @since 1.0.0
 */
export type ByteString = string

/**
 * @category models
 * @since 1.0.0
 */
export type LuaKey = boolean | bigint | number | ByteString

/**
 * @category models
 * @since 1.0.0
 */
export type LuaTable = ReadonlyMap<LuaKey, LuaValue>

/**
 * @category models
 * @since 1.0.0
 */
export type LuaValue = null | boolean | bigint | number | ByteString | LuaTable

// ----- strings

const utf8 = new TextEncoder()
const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * @category strings
 * @since 1.0.0
 */
export const fromBytes = (bytes: Uint8Array): ByteString =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")

/**
 * @category strings
 * @since 1.0.0
 */
export const toBytes = (bytes: ByteString): Uint8Array => {
  const out = new Uint8Array(bytes.length)
  for (let i = 0; i < bytes.length; i++) out[i] = bytes.charCodeAt(i)
  return out
}

/**
 * The UTF-8 bytes of a text; a lone surrogate becomes U+FFFD.
 *
 * @category strings
 * @since 1.0.0
 */
export const fromText = (text: string): ByteString => fromBytes(utf8.encode(text))

/**
 * The text that the bytes are in UTF-8; `undefined` if they are not.
 *
 * @category strings
 * @since 1.0.0
 */
export const toText = (bytes: ByteString): string | undefined => {
  try {
    return utf8Strict.decode(toBytes(bytes))
  } catch {
    return undefined
  }
}

/**
 * For people: what is not UTF-8 becomes U+FFFD.
 *
 * @category strings
 * @since 1.0.0
 */
export const toDisplay = (bytes: ByteString): string => Buffer.from(bytes, "latin1").toString("utf8")

// ----- tables

/**
 * @category guards
 * @since 1.0.0
 */
export const isTable = (value: unknown): value is LuaTable => value instanceof Map

/**
 * A table with these fields; names are ASCII, and what is `undefined` is left out.
 *
 * @category tables
 * @since 1.0.0
 */
export const table = (fields: { readonly [name: string]: LuaValue | undefined }): LuaTable => {
  const made = new Map<LuaKey, LuaValue>()
  for (const name of Object.keys(fields)) {
    const value = fields[name]
    if (value !== undefined && value !== null) made.set(name, value)
  }
  return made
}

/**
 * A sequence: the keys 1 to n.
 *
 * @category tables
 * @since 1.0.0
 */
export const sequence = (values: ReadonlyArray<LuaValue>): LuaTable => {
  const made = new Map<LuaKey, LuaValue>()
  for (let i = 0; i < values.length; i++) made.set(BigInt(i + 1), values[i]!)
  return made
}

/**
 * A field of a table; `undefined` if there is none, or the value is no table.
 *
 * @category tables
 * @since 1.0.0
 */
export const get = (value: LuaValue | undefined, name: string): LuaValue | undefined =>
  isTable(value) ? value.get(name) : undefined

/**
 * What kind of value it is, in the words of Lua.
 *
 * @category guards
 * @since 1.0.0
 */
export const describe = (value: LuaValue | undefined): string => {
  if (value === null || value === undefined) return "nil"
  switch (typeof value) {
    case "bigint":
      return "an integer"
    case "number":
      return "a float"
    case "string":
      return "a string"
    case "boolean":
      return "a boolean"
    default:
      return "a table"
  }
}
