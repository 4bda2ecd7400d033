/**
 * The generated reader and writer of mtcute, a development dependency, as an independent opinion. They are not among the
 * package's exports, so they are loaded by path.
 */
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"

interface Binary {
  /** Reads a constructor; methods it does not know. */
  readonly read: (bytes: Uint8Array) => unknown
  /** Writes what `read` or `translate` has made. */
  readonly write: (value: unknown) => Uint8Array
}

/** One of our values as mtcute has it. Longs are both of the things that it takes for one: a number, and two halves. */
export const translate = (value: unknown): unknown => {
  if (typeof value === "bigint") {
    const low = Number(BigInt.asIntN(32, value))
    const high = Number(BigInt.asIntN(32, value >> 32n))
    return Object.assign(Object(Number(value)) as object, { low, high })
  }
  if (Array.isArray(value)) return value.map(translate)
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key === "_tag" ? "_" : key, translate(v)]))
}

export const load = async (): Promise<Binary> => {
  const schema = createRequire(import.meta.url).resolve("@mtcute/core/tl/api-schema.json")
  const folder = dirname(schema)
  const runtime = createRequire(schema).resolve("@mtcute/tl-runtime")
  const [reader, writer, { TlBinaryReader, TlBinaryWriter }] = await Promise.all([
    import(pathToFileURL(join(folder, "binary/reader.js")).href),
    import(pathToFileURL(join(folder, "binary/writer.js")).href),
    import(pathToFileURL(runtime.replace(/index\.c?js$/, "index.js")).href)
  ])
  return {
    read: (bytes) => {
      const r = new TlBinaryReader(reader.__tlReaderMap, bytes)
      const value = r.object()
      if (r.pos !== bytes.length) throw new Error(`${bytes.length - r.pos} bytes left`)
      return value
    },
    write: (value) => TlBinaryWriter.serializeObject(writer.__tlWriterMap, value)
  }
}
