/** Emits the layer as TL text: what schemas are made from at run time. */
import type { Model } from "./model.ts"
import { header } from "./text.ts"

export const emitTable = (model: Model): string =>
  [
    header(model, "The layer as TL text: constructors, an empty line, methods.", true),
    "export const table: string = `\\",
    ...model.constructors.map((c) => c.line),
    "",
    ...model.methods.map((m) => m.line),
    "`",
    ""
  ].join("\n")
