/** Puts readers and writers of one layout behind the interface of a codec. */
import type { TlCodec } from "../TlCodec.ts"
import { TlError } from "../TlError.ts"
import { TlReader } from "../TlReader.ts"
import { TlWriter } from "../TlWriter.ts"
import type { Interpreter } from "./interpret.ts"
import * as Interpret from "./interpret.ts"
import type { Layout } from "./layout.ts"

let idle: TlWriter | undefined = new TlWriter()

export const fromLayout = (layout: Layout): TlCodec<any> => {
  let made: Interpreter | undefined
  return fromInterpreter(() => made ??= Interpret.make(layout))
}

export const fromInterpreter = (get: () => Interpreter): TlCodec<any> => {
  const read = (reader: TlReader): unknown => get().read(reader)
  const write = (writer: TlWriter, value: unknown): void => get().write(writer, value)
  return {
    read,
    write,
    decode: (bytes) => {
      const reader = new TlReader(bytes)
      const value = read(reader)
      reader.finish()
      return value
    },
    encode: (value) => {
      const writer = idle ?? new TlWriter()
      idle = undefined
      try {
        write(writer, value)
        return writer.take()
      } catch (e) {
        writer.reset()
        throw e instanceof TlError ? e : e
      } finally {
        idle = writer
      }
    }
  }
}
