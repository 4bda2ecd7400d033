/** Layout -> JSON in the form of the HTTP API. */
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import type { Reason } from "../TlError.ts"
import { TlError } from "../TlError.ts"
import { defaultMaxDepth } from "../TlReader.ts"
import { describe } from "./describe.ts"
import type { ConstructorLayout, Layout, Primitive } from "./layout.ts"

export interface Options {
  readonly onMissing: "error" | "default"
  readonly onExcess: "ignore" | "error"
}

export interface JsonCodec {
  readonly encode: (value: any) => unknown
  readonly decode: (json: unknown, options: Options) => any
}

type Path = Array<string | number>
interface Reading extends Options {
  readonly path: Path
}
type Encode = (value: any, path: Path) => unknown
type Decode = (json: any, reading: Reading) => unknown
interface Node {
  readonly encode: Encode
  readonly decode: Decode
  /** The value of a field that is left out, where one is asked for. */
  readonly zero: (() => unknown) | undefined
}

export const make = (layout: Layout): JsonCodec => {
  const node = nodeOf(layout)
  return {
    encode: (value) => node.encode(value, []),
    decode: (json, options) => node.decode(json, { ...options, path: [] })
  }
}

const nodes = new WeakMap<object, Node>()

const nodeOf = (layout: Layout): Node => {
  const key = layout._tag === "object" ? layout.of : layout
  let node = nodes.get(key)
  if (node === undefined) nodes.set(key, node = compile(layout))
  return node
}

// Recursive layouts meet themselves while they are being compiled.
const later = (layout: Layout): Node => {
  let inner: Node | undefined
  const get = () => inner ??= nodeOf(layout)
  return {
    encode: (value, path) => get().encode(value, path),
    decode: (json, reading) => get().decode(json, reading),
    zero: layout._tag === "primitive" || layout._tag === "vector" ? nodeOf(layout).zero : undefined
  }
}

const compile = (layout: Layout): Node => {
  switch (layout._tag) {
    case "primitive":
      return primitives[layout.type]
    case "ref":
      return later(layout.get())
    case "vector": {
      const item = later(layout.item)
      return {
        encode: (value, path) => {
          if (!Array.isArray(value)) invalid(path, "an array", value)
          return value.map((v: unknown, i: number) => at(path, i, () => item.encode(v, path)))
        },
        decode: (json, reading) => {
          if (!Array.isArray(json)) invalid(reading.path, "an array", json)
          return json.map((v: unknown, i: number) => at(reading.path, i, () => item.decode(v, reading)))
        },
        zero: () => []
      }
    }
    case "object":
      return objectNode(layout.of)
    case "union": {
      const members = new Map<unknown, Node>()
      for (const m of layout.members) members.set(m.tag, later({ _tag: "object", boxed: true, of: m }))
      return {
        encode: (value, path) => {
          const member = members.get(tagOf(value, "_tag", layout.name, path))
          if (member === undefined) return unknownTag(path, layout.name, value._tag)
          return member.encode(value, path)
        },
        decode: (json, reading) => {
          const member = members.get(tagOf(json, "_", layout.name, reading.path))
          if (member === undefined) return unknownTag(reading.path, layout.name, json._)
          return member.decode(json, reading)
        },
        zero: undefined
      }
    }
  }
}

const objectNode = (c: ConstructorLayout): Node => {
  const fields = c.fields.flatMap((f) => {
    if (f._tag === "flags") return []
    return [{ ...f, node: f._tag === "true" ? primitives.bool : later(f.layout) }]
  })
  const known = new Set(["_", ...c.fields.map((f) => f.name), ...fields.map((f) => f.key)])
  return {
    encode: (value, path) => {
      const tag = tagOf(value, "_tag", c.tag, path)
      if (tag !== c.tag) unknownTag(path, c.tag, tag)
      const json: Record<string, unknown> = { _: c.tag }
      for (const f of fields) {
        const v = value[f.key]
        if (f.flag !== undefined && v === undefined || f._tag === "true" && v === false) continue
        define(json, f.name, at(path, f.key, () => f.node.encode(v, path)))
      }
      return json
    },
    decode: (json, reading) => {
      const tag = tagOf(json, "_", c.tag, reading.path)
      if (tag !== c.tag) unknownTag(reading.path, c.tag, tag)
      const value: Record<string, unknown> = { _tag: c.tag }
      for (const f of fields) {
        const v = own(json, f.name) ?? own(json, f.key)
        if (v === undefined || v === null) {
          if (f.flag !== undefined) continue
          if (reading.onMissing === "default" && f.node.zero !== undefined) {
            define(value, f.key, f.node.zero())
            continue
          }
        }
        const decoded = at(reading.path, f.name, () => f.node.decode(v, reading))
        if (f._tag === "true" && decoded === false) continue
        define(value, f.key, decoded)
      }
      if (reading.onExcess === "error") {
        for (const key of Object.keys(json)) {
          if (!known.has(key)) {
            at(reading.path, key, () => fail("InvalidValue", reading.path, `no such field in ${c.tag}`, "one"))
          }
        }
      }
      return value
    },
    zero: undefined
  }
}

// ----- primitives

const bytesNode = (size: number | undefined): Node => {
  const check = (bytes: Uint8Array, path: Path) => {
    if (size !== undefined && bytes.length !== size) {
      fail("InvalidValue", path, `${size} bytes`, `${bytes.length} bytes`)
    }
    return bytes
  }
  return {
    encode: (value, path) => {
      if (!(value instanceof Uint8Array)) return invalid(path, "a Uint8Array", value)
      return { _: "bytes", bytes: Base64.encode(check(value, path)) }
    },
    decode: (json, { path }) => {
      // A bare string stands for its UTF-8 bytes, as it did in MadelineProto.
      if (typeof json === "string") return check(new TextEncoder().encode(json), path)
      if (typeof json !== "object" || json === null || json._ !== "bytes" || typeof json.bytes !== "string") {
        return invalid(path, "{ _: \"bytes\", bytes: base64 } or a string", json)
      }
      const bytes = Base64.decode(json.bytes)
      if (Result.isFailure(bytes)) return fail("InvalidValue", path, "base64", "something else")
      return check(bytes.success, path)
    },
    zero: size === undefined ? () => new Uint8Array(0) : undefined
  }
}

const specials: { readonly [text: string]: number } = { NaN, Infinity, "-Infinity": -Infinity }
const anyBytes = bytesNode(undefined)

const primitives: { readonly [type in Primitive]: Node } = {
  int: {
    encode: (value, path) => isInt(value) ? value : invalid(path, "an int32", value),
    decode: (json, { path }) => {
      const value = typeof json === "string" && /^-?\d{1,10}$/.test(json) ? Number(json) : json
      return isInt(value) ? value : invalid(path, "an int32", json)
    },
    zero: () => 0
  },
  long: {
    encode: (value, path) => isLong(value) ? value.toString() : invalid(path, "an int64 as bigint", value),
    decode: (json, { path }) => {
      const value = typeof json === "string" && /^-?\d{1,19}$/.test(json) || Number.isSafeInteger(json)
        ? BigInt(json)
        : json
      return isLong(value) ? value : invalid(path, "an int64 as decimal string or safe integer", json)
    },
    zero: () => 0n
  },
  double: {
    encode: (value, path) => {
      if (typeof value !== "number") return invalid(path, "a number", value)
      return Number.isFinite(value) ? value : String(value)
    },
    decode: (json, { path }) => {
      if (typeof json === "number") return json
      if (typeof json === "string") {
        if (Object.hasOwn(specials, json)) return specials[json]
        if (/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(json)) return Number(json)
      }
      return invalid(path, "a number", json)
    },
    zero: () => 0
  },
  string: {
    encode: (value, path) => typeof value === "string" ? value : invalid(path, "a string", value),
    decode: (json, { path }) => typeof json === "string" ? json : invalid(path, "a string", json),
    zero: () => ""
  },
  bool: {
    encode: (value, path) => typeof value === "boolean" ? value : invalid(path, "a boolean", value),
    decode: (json, { path }) => typeof json === "boolean" ? json : invalid(path, "a boolean", json),
    zero: () => false
  },
  int128: bytesNode(16),
  int256: bytesNode(32),
  bytes: anyBytes,
  rest: anyBytes,
  block: anyBytes
}

const isInt = (value: unknown): value is number => typeof value === "number" && (value | 0) === value

const isLong = (value: unknown): value is bigint => typeof value === "bigint" && BigInt.asIntN(64, value) === value

// ----- helpers

const at = <A>(path: Path, key: string | number, run: () => A): A => {
  if (path.length >= 2 * defaultMaxDepth) {
    return fail("LimitExceeded", path, `at most ${defaultMaxDepth} levels of nesting`, "more")
  }
  path.push(key)
  const result = run()
  path.pop()
  return result
}

const own = (json: any, key: string): unknown => Object.hasOwn(json, key) ? json[key] : undefined

// Assignment to `__proto__` would change the prototype.
const define = (object: Record<string, unknown>, key: string, value: unknown): void => {
  if (key === "__proto__") Object.defineProperty(object, key, { value, enumerable: true })
  else object[key] = value
}

const tagOf = (value: any, key: "_" | "_tag", type: string, path: Path): string => {
  const tag = typeof value === "object" && value !== null ? value[key] : undefined
  return typeof tag === "string" ? tag : invalid(path, `an object of ${type} with ${key}`, value)
}

const unknownTag = (path: Path, type: string, tag: string): never =>
  fail("UnknownConstructor", path, `a constructor of ${type}`, JSON.stringify(tag.slice(0, 80)))

const invalid = (path: Path, expected: string, value: unknown): never =>
  fail("InvalidValue", path, expected, describe(value, expected))

const fail = (reason: Reason, path: Path, expected: string, found: string): never => {
  throw new TlError({ reason, path: [...path], offset: 0, expected, found })
}
