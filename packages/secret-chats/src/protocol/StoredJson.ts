/**
 * Writes the JSON that `Schema.toCodecJson` writes, for values that are stored with every message: what is a number or a
 * string is written as it is, and what has not changed since the last time is not written again. Reading, which is rare,
 * is the schemas' work.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * Writes one value.
 *
 * @since 1.0.0
 * @category models
 */
export type Write<A> = (value: A) => string

/** A number or a text as it stands in JSON; `undefined` for anything else. */
const primitive = (value: unknown): string | undefined => {
  switch (typeof value) {
    case "number":
      // What JSON has no number for is the schema's to write, or to refuse.
      return Number.isFinite(value) ? String(value) : undefined
    case "bigint":
      return `"${value}"`
    case "boolean":
      return String(value)
    case "string":
      return JSON.stringify(value)
    default:
      return undefined
  }
}

/**
 * What `Schema` writes; kept for as long as the value lives, which must not change.
 *
 * @since 1.0.0
 * @category constructors
 */
export const any = <A, I>(schema: Schema.Codec<A, I>): Write<A> => {
  const encode = Schema.encodeSync(Schema.toCodecJson(schema))
  const kept = new WeakMap<object, string>()
  return (value) => {
    const text = primitive(value)
    if (text !== undefined) return text
    if (typeof value !== "object" || value === null) return JSON.stringify(encode(value))
    let found = kept.get(value)
    if (found === undefined) kept.set(value, found = JSON.stringify(encode(value)))
    return found
  }
}

/**
 * A struct, field by field. `parts` are the fields that are written in another way than by {@link any}: structs of which
 * some fields change with every message.
 *
 * @since 1.0.0
 * @category constructors
 */
export const struct = <Fields extends Schema.Struct.Fields>(
  fields: Fields,
  parts: { readonly [K in keyof Fields]?: Write<any> } = {}
): Write<Schema.Struct.Type<Fields>> => {
  const writers = Object.entries(fields).map(([name, field]) => ({
    name,
    label: `${JSON.stringify(name)}:`,
    write: parts[name] ?? any(field as Schema.Codec<any, any>)
  }))
  return (value) => {
    let text = ""
    for (const { label, name, write } of writers) {
      const part = (value as Record<string, unknown>)[name]
      if (part !== undefined) text += `${text === "" ? "" : ","}${label}${write(part)}`
    }
    return `{${text}}`
  }
}

/**
 * An object whose fields are all numbers and texts; `undefined` for any other.
 *
 * @since 1.0.0
 * @category constructors
 */
export const flat = (value: object): string | undefined => {
  let text = ""
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue
    const part = primitive(field)
    if (part === undefined) return undefined
    text += `${text === "" ? "" : ","}${JSON.stringify(name)}:${part}`
  }
  return `{${text}}`
}
