/**
 * Where the bytes of a file come from.
 *
 * A source is read as a stream, never as a whole. Sources that can be read again, from any offset, allow an interrupted
 * upload to go on where it stopped, and a part that the server has lost to be supplied again; `fromBytes` and `fromPath`
 * are such. `fromStream` can be read once.
 *
 * @since 1.0.0
 */
import { lend } from "@effect-mtproto/core/Memory"
import * as ByteSize from "effect/ByteSize"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { FileError } from "./FileError.ts"

const TypeId = "~@effect-mtproto/secret-chats/FileSource"

/**
 * @category models
 * @since 1.0.0
 */
export interface FileSource<out E = never, out R = never> {
  readonly [TypeId]: typeof TypeId
  /** Bytes, if that is known. */
  readonly size: number | undefined
  /** Whether `read` can be called more than once, and with an offset. */
  readonly rereadable: boolean
  /** Two sources with one name have the same content: under it the state of an interrupted upload is kept. */
  readonly name: string | undefined
  /** The bytes from `offset` on, in pieces of any size. */
  readonly read: (offset: number) => Stream.Stream<Uint8Array, E, R>
}

/**
 * @category guards
 * @since 1.0.0
 */
export const isFileSource = (value: unknown): value is FileSource<unknown, unknown> =>
  typeof value === "object" && value !== null && TypeId in value

/**
 * A source of one's own.
 *
 * @category constructors
 * @since 1.0.0
 */
export const make = <E = never, R = never>(options: {
  readonly size?: number | undefined
  readonly rereadable: boolean
  readonly name?: string | undefined
  readonly read: (offset: number) => Stream.Stream<Uint8Array, E, R>
}): FileSource<E, R> => ({
  [TypeId]: TypeId,
  size: options.size,
  rereadable: options.rereadable,
  name: options.name,
  read: options.read
})

/**
 * Bytes that are in memory anyway. They must not be changed while they are sent.
 *
 * @category constructors
 * @since 1.0.0
 */
export const fromBytes = (bytes: Uint8Array): FileSource =>
  make({
    size: bytes.length,
    rereadable: true,
    read: (offset) => offset >= bytes.length ? Stream.empty : Stream.succeed(bytes.subarray(offset))
  })

/** Pieces in which files are read. */
const CHUNK = 256 * 1024

/**
 * A file of this machine. What is no regular file (a pipe, for example) can be read once.
 *
 * The name of the source is made of path, size, number and time of change, so an upload never goes on with a file that was
 * replaced or changed meanwhile.
 *
 * @category constructors
 * @since 1.0.0
 */
export const fromPath: (
  path: string
) => Effect.Effect<FileSource<PlatformError | FileError>, PlatformError, FileSystem.FileSystem> = Effect.fnUntraced(
  function*(path) {
    const fs = yield* FileSystem.FileSystem
    const info = yield* fs.stat(path)
    if (info.type !== "File") return fromStream(fs.stream(path, { chunkSize: CHUNK }))
    const size = Number(ByteSize.toBigInt(info.size))
    const changed = Option.match(info.mtime, { onNone: () => 0, onSome: (date) => date.getTime() })
    return make({
      size,
      rereadable: true,
      name: JSON.stringify([yield* fs.realPath(path), size, changed, String(Option.getOrElse(info.ino, () => 0n))]),
      read: (offset) => Stream.unwrap(Effect.map(fs.open(path), (file) => contentOf(file, offset)))
    })
  }
)

/** A file from some point on, in arrays that are given back by whoever encrypts them. */
const contentOf = (file: FileSystem.File, offset: number): Stream.Stream<Uint8Array, PlatformError> =>
  Stream.fromPull(Effect.as(
    file.seek(BigInt(offset), "start"),
    Effect.suspend(() => {
      const bytes = new Uint8Array(CHUNK)
      return Effect.flatMap(file.read(bytes), (read) => {
        const size = Number(read)
        if (size === 0) return Cause.done()
        lend(bytes)
        return Effect.succeed([size === CHUNK ? bytes : bytes.subarray(0, size)] as const)
      })
    })
  ))

/**
 * A stream of bytes, which is read once: an upload that is interrupted begins anew.
 *
 * With `size`, in bytes, the file is sent as any other of that size. Without it, it is sent as a big file whose length
 * shows at its end.
 *
 * @category constructors
 * @since 1.0.0
 */
export const fromStream = <E, R>(
  stream: Stream.Stream<Uint8Array, E, R>,
  options: { readonly size?: number | undefined } = {}
): FileSource<E | FileError, R> => {
  let consumed = false
  return make({
    size: options.size,
    rereadable: false,
    read: (offset): Stream.Stream<Uint8Array, E | FileError, R> =>
      Stream.suspend((): Stream.Stream<Uint8Array, E | FileError, R> => {
        if (consumed || offset > 0) return Stream.fail(new FileError({ reason: "source-consumed" }))
        consumed = true
        return stream
      })
  })
}
