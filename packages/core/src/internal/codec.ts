/** Layout -> codec: generated code where the platform allows it, closures where it does not. */
import { TlError } from "../TlError.ts"
import { TlReader } from "../TlReader.ts"
import { TlWriter } from "../TlWriter.ts"
import { describe } from "./describe.ts"
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

// Becomes true at the first refusal, so that a browser reports one violation of its policy and not one per schema.
let forbidden = false

// A Content-Security-Policy without `unsafe-eval`, and some runtimes, forbid code generation.
const generate = (layout: Layout): Compiled | undefined => {
  if (forbidden) return undefined
  const source = emitUnit(layout)
  try {
    return new Function(source)() as Compiled
  } catch {
    forbidden = true
    return undefined
  }
}

/** Compiles on first use. Errors of the generated code, which does not know where it is, are told by the closures. */
export const fromLayout = (layout: Layout, mode?: Mode): Codec => {
  let fast: Compiled | undefined
  let slow: Compiled | undefined
  const interpreter = () => slow ??= Interpret.make(layout)
  const compile = () => fast = (mode === "closures" ? undefined : generate(layout)) ?? interpreter()

  const tellRead = (e: unknown, r: TlReader, start: number, depth: number): never =>
    diagnose(e, () => {
      r.rewind(start, depth)
      interpreter().read(r)
    })
  const tellWrite = (e: unknown, w: TlWriter, start: number, depth: number, value: unknown): never => {
    try {
      return diagnose(e, () => {
        w.reset(start, depth)
        interpreter().write(w, value)
      })
    } finally {
      w.reset(start, depth)
    }
  }
  return {
    read: (r) => {
      const { depth, position } = r
      try {
        return (fast ?? compile()).read(r)
      } catch (e) {
        return tellRead(e, r, position, depth)
      }
    },
    write: (w, value) => {
      const { depth, length } = w
      try {
        ;(fast ?? compile()).write(w, value)
      } catch (e) {
        tellWrite(e, w, length, depth, value)
      }
    },
    decode: (bytes) => {
      const r = new TlReader(bytes instanceof Uint8Array ? bytes : refuseBytes(bytes))
      let value: unknown
      try {
        value = (fast ?? compile()).read(r)
      } catch (e) {
        tellRead(e, r, 0, 0)
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
          tellWrite(e, w, 0, 0, value)
        } finally {
          idle = w
        }
      }
      const bytes = w.take()
      idle = w
      return bytes
    }
  }
}

const refuseBytes = (value: unknown): never => {
  const expected = "bytes (a Uint8Array)"
  throw new TlError({ reason: "InvalidValue", path: [], offset: 0, expected, found: describe(value, expected) })
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
