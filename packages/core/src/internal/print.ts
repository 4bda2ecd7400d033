/** Layout -> TL text. */
import type { ConstructorLayout, FieldLayout, Layout } from "./layout.ts"
import { resolve } from "./layout.ts"

/** `name#id fields = Type`, without the semicolon. */
export const printConstructor = (c: ConstructorLayout): string =>
  [
    `${c.name}#${c.id.toString(16).padStart(8, "0")}`,
    ...c.generics,
    ...c.fields.map(printField),
    "=",
    c.type
  ].join(" ")

const printField = (f: FieldLayout): string => {
  switch (f._tag) {
    case "flags":
      return `${f.name}:#`
    case "true":
      return `${f.name}:${f.flag.word}.${f.flag.bit}?true`
    case "value": {
      if (f.layout._tag === "primitive" && f.layout.type === "block") return `bytes:int ${f.name}:Object`
      const flag = f.flag === undefined ? "" : `${f.flag.word}.${f.flag.bit}?`
      return `${f.name}:${flag}${f.spelling ?? printType(f.layout)}`
    }
  }
}

/** The name of a type as a field has it. */
export const printType = (layout: Layout): string => {
  const l = resolve(layout)
  switch (l._tag) {
    case "primitive":
      switch (l.type) {
        case "bool":
          return "Bool"
        case "rest":
        case "block":
          return "Object"
        default:
          return l.type
      }
    case "vector":
      return `${l.boxed ? "Vector" : "vector"}<${printType(l.item)}>`
    case "union":
      return l.name
    case "object":
      return l.boxed ? l.of.type : l.spelling ?? l.of.name
  }
}
