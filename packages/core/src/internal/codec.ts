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

  const read = (r: TlReader): unknown => {
    const start = r.position
    try {
      return (fast ?? compile()).read(r)
    } catch (e) {
      return diagnose(e, () => {
        r.rewind(start)
        return interpreter().read(r)
      })
    }
  }
  const write = (w: TlWriter, value: unknown): void => {
    const start = w.length
    try {
      ;(fast ?? compile()).write(w, value)
    } catch (e) {
      diagnose(e, () => {
        w.reset(start)
        interpreter().write(w, value)
      })
    }
  }
  return {
    read,
    write,
    decode: (bytes) => {
      const r = new TlReader(bytes)
      const value = read(r)
      r.finish()
      return value
    },
    encode: (value) => {
      const w = acquire()
      try {
        write(w, value)
        return w.take()
      } catch (e) {
        w.reset()
        throw e
      } finally {
        idle = w
      }
    }
  }
}

// Encoding is synchronous, so one writer serves all; a getter of a value that encodes something gets another one.
let idle: TlWriter | undefined
const acquire = (): TlWriter => {
  const w = idle ?? new TlWriter()
  idle = undefined
  return w
}

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
