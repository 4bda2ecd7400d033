/**
 * What a schema looks like on the wire: the small description that readers, writers, the JSON codec, the printer and
 * the source emitter work on. Plain data, no Schema in it.
 */

import { TlError } from "../TlError.ts"

export type Primitive =
  | "int"
  | "long"
  | "double"
  | "int128"
  | "int256"
  | "string"
  | "bytes"
  | "bool"
  /** all that is left */
  | "rest"
  /** an int length, then that many bytes */
  | "block"

export type Layout =
  | PrimitiveLayout
  | VectorLayout
  | ObjectLayout
  | UnionLayout
  | RefLayout

export interface PrimitiveLayout {
  readonly _tag: "primitive"
  readonly type: Primitive
}

export interface VectorLayout {
  readonly _tag: "vector"
  readonly boxed: boolean
  readonly item: Layout
}

/** One constructor; boxed = its id stands before the fields. */
export interface ObjectLayout {
  readonly _tag: "object"
  readonly boxed: boolean
  readonly of: ConstructorLayout
  /** How TL text spells a bare type, where that is not the name of the constructor (`%Message`). */
  readonly spelling?: string | undefined
}

/** One of several constructors, always boxed. Also what a recursive type's placeholder resolves to. */
export interface UnionLayout {
  readonly _tag: "union"
  readonly name: string
  readonly members: ReadonlyArray<ConstructorLayout>
}

/** A layout not known yet when the reference was made (recursive types). */
export interface RefLayout {
  readonly _tag: "ref"
  readonly get: () => Layout
}

export interface ConstructorLayout {
  /** The value's `_tag`. */
  readonly tag: string
  /** The name in TL, the same as `tag` except for superseded constructors. */
  readonly name: string
  /** The constructor id as an unsigned number. */
  readonly id: number
  /** The TL type that the constructor belongs to. */
  readonly type: string
  /** Generic parameters as TL writes them, such as `{X:Type}`; empty if there are none. */
  readonly generics: ReadonlyArray<string>
  /** The layer that introduced the constructor; 0 if it does not matter. */
  readonly layer: number
  /** In wire order. */
  readonly fields: ReadonlyArray<FieldLayout>
}

export type FieldLayout =
  /** `flags:#`: computed when written, not part of the value */
  | { readonly _tag: "flags"; readonly name: string }
  /** `name:flags.n?true`: no bytes */
  | { readonly _tag: "true"; readonly key: string; readonly name: string; readonly flag: Flag }
  | {
    readonly _tag: "value"
    readonly key: string
    readonly name: string
    /** Present if the field is conditional. */
    readonly flag: Flag | undefined
    readonly layout: Layout
    /** How TL spells the type where the layout alone does not say it (`!X`, `Object`). */
    readonly spelling: string | undefined
  }

export interface Flag {
  /** The TL name of the flags word. */
  readonly word: string
  readonly bit: number
}

export const resolve = (layout: Layout): Exclude<Layout, RefLayout> => {
  let l = layout
  while (l._tag === "ref") l = l.get()
  return l
}

/**
 * The least number of bytes that an item of a vector takes: what bounds the count.
 *
 * @throws TlError if that is none: a count would make memory out of nothing
 */
export const itemSize = (item: Layout): number => {
  const size = minSize(item, 0)
  if (size > 0) return size
  throw new TlError({
    reason: "NoTlForm",
    path: [],
    offset: 0,
    expected: "vector items that take at least one byte",
    found: "items that can be empty"
  })
}

const minSize = (layout: Layout, depth: number): number => {
  switch (layout._tag) {
    case "primitive":
      switch (layout.type) {
        case "long":
        case "double":
          return 8
        case "int128":
          return 16
        case "int256":
          return 32
        case "rest":
          return 0
        default:
          return 4
      }
    case "vector":
      return layout.boxed ? 8 : 4
    case "object": {
      let n = layout.boxed ? 4 : 0
      for (const f of layout.of.fields) {
        if (f._tag === "flags") n += 4
        // A bare type that contains itself has no end; whatever is said of its size is true.
        else if (f._tag === "value" && f.flag === undefined && depth < 32) n += minSize(f.layout, depth + 1)
      }
      return n
    }
    case "union":
      return 4
    case "ref":
      return depth < 32 ? minSize(resolve(layout), depth + 1) : 4
  }
}
