/** Frames that TDLib 1.8.65 produced, with their plaintext and the object that it is. */
import { readFileSync } from "node:fs"
import type { ConstructorLayout, Layout } from "../src/internal/layout.ts"
import { resolve } from "../src/internal/layout.ts"

interface Json {
  readonly [key: string]: unknown
}

export interface Frame {
  readonly plaintext: Uint8Array
  readonly padding: number
  readonly object: Json
  /** The TL bytes: the plaintext without its length and padding. */
  readonly tl: Uint8Array
}

const load = (name: string): ReadonlyArray<Frame> =>
  JSON.parse(readFileSync(new URL(`fixtures/${name}`, import.meta.url), "utf8")).map(
    (f: { readonly plaintext: string; readonly padding: number; readonly object: Json }) => {
      const plaintext = hex(f.plaintext)
      const length = new DataView(plaintext.buffer).getUint32(0, true)
      return { plaintext, padding: f.padding, object: f.object, tl: plaintext.slice(4, 4 + length) }
    }
  )

export const hex = (text: string): Uint8Array => {
  const clean = text.replace(/\s/g, "")
  return Uint8Array.from({ length: clean.length / 2 }, (_, i) => Number.parseInt(clean.slice(2 * i, 2 * i + 2), 16))
}

export const frames: ReadonlyArray<Frame> = [
  ...load("tdlib-1.8.65-frames.json"),
  ...load("tdlib-1.8.65-media-frames.json")
]

/** The object of a fixture (snake_case, longs as decimal strings, bytes as hex) as a value. */
export const toValue = (layout: Layout, json: any): unknown => {
  const l = resolve(layout)
  switch (l._tag) {
    case "primitive":
      switch (l.type) {
        case "long":
          return BigInt(json)
        case "bytes":
          return hex(json.bytes)
        default:
          return json
      }
    case "vector":
      return json.map((item: unknown) => toValue(l.item, item))
    case "object":
      return toObject(l.of, json)
    case "union": {
      // Of several constructors with this name the newest is the one that TDLib sends, except below layer 143.
      const named = l.members.filter((m) => m.name === json._)
      const newest = named.reduce((a, b) => a.layer > b.layer ? a : b)
      const narrow = named.find((m) => m.tag === "decryptedMessageMediaDocument_45")
      return toObject(narrow !== undefined && typeof json.size === "number" ? narrow : newest, json)
    }
  }
}

const toObject = (c: ConstructorLayout, json: Json): unknown => {
  const value: Record<string, unknown> = { _tag: c.tag }
  let flags = 0
  for (const f of c.fields) {
    if (f._tag === "flags" || json[f.name] === undefined) continue
    if (f.flag !== undefined) flags |= 1 << f.flag.bit
    value[f.key] = f._tag === "true" ? true : toValue(f.layout, json[f.name])
  }
  if (json["flags"] !== undefined && flags !== json["flags"]) throw new Error(`flags of ${c.tag}: ${flags}`)
  return value
}
