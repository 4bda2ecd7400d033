/** Layout -> codec: generated code where the platform allows it, closures where it does not. */
import { TlError } from "../TlError.ts"
import { TlReader } from "../TlReader.ts"
import { TlWriter } from "../TlWriter.ts"
import { emitUnit } from "./emit.ts"
import * as Interpret from "./interpret.ts"
import type { Layout } from "./layout.ts"

export interface Codec {
  readonly encode: (value: any) => Uint8Array
  readonly decode: (bytes: Uint8Array) => any
  readonly write: (writer: TlWriter, value: any) => void
  readonly read: (reader: TlReader) => any
}

interface Compiled {
  readonly read: (r: TlReader) => unknown
  readonly write: (w: TlWriter, value: unknown) => void
}

/** How codecs are made of layouts. */
export type Mode = "source" | "closures"

const generate = (layout: Layout): Compiled => new Function(emitUnit(layout))() as Compiled

/** A Content-Security-Policy without `unsafe-eval` and some runtimes forbid code generation. */
export const detectMode = (): Mode => {
  try {
    return new Function("return 1")() === 1 ? "source" : "closures"
  } catch {
    return "closures"
  }
}

let detected: Mode | undefined

/** Compiles on first use. Errors of the generated code, which does not know where it is, are told by the closures. */
export const fromLayout = (layout: Layout, mode?: Mode): Codec => {
  let fast: Compiled | undefined
  let slow: Compiled | undefined
  const interpreter = () => slow ??= Interpret.make(layout)
  const compile = () => fast = (mode ?? (detected ??= detectMode())) === "source" ? generate(layout) : interpreter()

  const tellRead = (e: unknown, r: TlReader, start: number): never =>
    diagnose(e, () => {
      r.rewind(start)
      interpreter().read(r)
    })
  const tellWrite = (e: unknown, w: TlWriter, start: number, value: unknown): never =>
    diagnose(e, () => {
      w.reset(start)
      interpreter().write(w, value)
    })
  return {
    read: (r) => {
      const start = r.position
      try {
        return (fast ?? compile()).read(r)
      } catch (e) {
        return tellRead(e, r, start)
      }
    },
    write: (w, value) => {
      const start = w.length
      try {
        ;(fast ?? compile()).write(w, value)
      } catch (e) {
        tellWrite(e, w, start, value)
      }
    },
    decode: (bytes) => {
      const r = new TlReader(bytes)
      let value: unknown
      try {
        value = (fast ?? compile()).read(r)
      } catch (e) {
        tellRead(e, r, 0)
      }
      r.finish()
      return value
    },
    encode: (value) => {
      const w = idle ?? new TlWriter()
      // A getter of the value that encodes something gets another writer.
      idle = undefined
      try {
        ;(fast ?? compile()).write(w, value)
      } catch (e) {
        try {
          tellWrite(e, w, 0, value)
        } finally {
          w.reset()
          idle = w
        }
      }
      const bytes = w.take()
      idle = w
      return bytes
    }
  }
}

// Encoding is synchronous, so one writer serves all.
let idle: TlWriter | undefined

// Doing the same again with closures gives the same failure and its path. Whatever else goes wrong (a getter that
// throws, a proxy) is still the value's fault.
const diagnose = (e: unknown, again: () => unknown): never => {
  let cause = e
  try {
    again()
  } catch (told) {
    cause = told
  }
  if (cause instanceof TlError) throw cause
  throw new TlError({
    reason: "InvalidValue",
    path: [],
    offset: 0,
    expected: "a readable value",
    found: cause instanceof Error ? cause.name : typeof cause
  })
}
