/**
 * `gzip_packed` (core.telegram.org/mtproto/service_messages): reading with a
 * bound on what comes out, writing only when it helps, and only where the platform
 * can do it at once (Node, Deno, Bun; not browsers).
 */
import type * as ZlibModule from "node:zlib"
import { builtin } from "./builtin.ts"
import * as Inflate from "./inflate.ts"

const Zlib = builtin<typeof ZlibModule>("node:zlib")

/** Below this a header costs more than compression gains. */
const MIN_SIZE = 512
/** Output comes in pieces: of this size where there is much of it, which is twice as fast then. */
const PIECE = 64 * 1024
const SMALL = 4_096

/** Compression has to save a tenth, or the other side works for nothing. */
const MAX_RATIO = 0.9

/**
 * Inflates gzip or zlib data, or answers `undefined` for broken data and for
 * data that would inflate to more than `limit` bytes.
 */
export const inflate = (data: Uint8Array, limit: number): Uint8Array | undefined => {
  if (Zlib === undefined) return Inflate.inflate(data, limit)
  try {
    const out = Zlib.unzipSync(data, {
      maxOutputLength: limit,
      ...(data.length > SMALL ? { chunkSize: PIECE } : {})
    })
    return new Uint8Array(out.buffer, out.byteOffset, out.byteLength)
  } catch {
    return undefined
  }
}

/** Deflates as gzip, or answers `undefined` when it is not worth it. */
export const deflate = (data: Uint8Array): Uint8Array | undefined => {
  if (data.length < MIN_SIZE || Zlib === undefined) return undefined
  const out = Zlib.gzipSync(data, { level: 6 })
  return out.length > data.length * MAX_RATIO ? undefined : new Uint8Array(out.buffer, out.byteOffset, out.byteLength)
}
