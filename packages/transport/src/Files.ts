/**
 * Files of the cloud, part by part, up and down (core.telegram.org/api/files).
 *
 * Needs a `Transport` only. Parts travel side by side, at most `concurrency` at a
 * time, and are given back in order; no more of a file is in memory than the parts
 * on their way. Interrupting stops it.
 *
 * What is uploaded becomes a file once a method is called with the `InputFile`;
 * until then the server keeps the parts for some hours.
 *
 * The errors that the server documents are typed, `FileReferenceExpired` among them:
 * the message that the file came with has to be fetched anew, for another reference.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import type { FloodWait, RpcError } from "@effect-mtproto/core/RpcError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Transport } from "./Transport.ts"
import type { TransportError } from "./Transport.ts"

/**
 * What is wrong with a file, or with how it is asked for.
 *
 * - `empty`: there is nothing in it.
 * - `too-large`: more than 4000 parts, or the `maxSize` of a download.
 * - `size`: it has not as many bytes as was said.
 * - `part-size`: no part size that servers take.
 * - `cdn`: the server sends to a content delivery network, which is not used: it was
 *   asked not to.
 *
 * @since 1.0.0
 * @category errors
 */
export class FilesError extends Schema.TaggedError<FilesError>()("FilesError", {
  reason: Schema.Literals(["empty", "too-large", "size", "part-size", "cdn"])
}) {
  override get message(): string {
    return explanations[this.reason]
  }
}

const explanations = {
  empty: "An empty file cannot be sent",
  "too-large": "The file is too large",
  size: "The file has another size than was said",
  "part-size": "Parts of this size are not possible",
  cdn: "The server sends to a content delivery network, from which files are not fetched"
}

const KIB = 1_024
const MIB = 1_024 * KIB

/**
 * The largest part of an upload, in bytes.
 *
 * @since 1.0.0
 * @category constants
 */
export const MAX_PART_SIZE: number = 512 * KIB

/**
 * The most parts of a file, for accounts without Premium.
 *
 * @since 1.0.0
 * @category constants
 */
export const MAX_PARTS = 4_000

/** Larger files are uploaded in another way, without a hash. */
const BIG = 10 * MIB

/**
 * How far a transfer has come, in bytes. `total` is missing while nobody knows it.
 *
 * @since 1.0.0
 * @category models
 */
export interface Progress {
  readonly done: number
  readonly total: number | undefined
}

/**
 * @since 1.0.0
 * @category models
 */
export interface UploadOptions {
  readonly name: string
  /** A multiple of 1024 that divides 512 KiB. Default: 128 KiB, more for large files. */
  readonly partSize?: number | undefined
  /** How many parts are under way at a time. Default: two megabytes of them, but 4 to 16. */
  readonly concurrency?: number | undefined
  /** Default: 4000; 8000 for accounts with Premium. */
  readonly maxParts?: number | undefined
  readonly onProgress?: ((progress: Progress) => Effect.Effect<void>) | undefined
}

/**
 * The bytes of a file: all of them, or a stream. A stream whose size is not known
 * can be sent too.
 *
 * @since 1.0.0
 * @category models
 */
export type Source<E = never, R = never> =
  | Uint8Array
  | { readonly stream: Stream.Stream<Uint8Array, E, R>; readonly size?: number | undefined }

/**
 * @since 1.0.0
 * @category errors
 */
export type UploadError =
  | FilesError
  | Api.ErrorOf<typeof Api.upload.saveFilePart>
  | Api.ErrorOf<typeof Api.upload.saveBigFilePart>
  | RpcError
  | FloodWait
  | TransportError

/**
 * Sends a file, and answers with what methods such as `messages.uploadMedia` take.
 *
 * @since 1.0.0
 * @category transfers
 */
export const upload: <E = never, R = never>(
  source: Source<E, R>,
  options: UploadOptions
) => Effect.Effect<Api.InputFile, UploadError | E, Transport | R> = Effect.fn("Files.upload")(
  function*<E, R>(source: Source<E, R>, options: UploadOptions) {
    const transport = yield* Transport
    const size = source instanceof Uint8Array ? source.length : source.size
    const maxParts = options.maxParts ?? MAX_PARTS
    const partSize = options.partSize ?? partSizeOf(size, maxParts)
    if (!isPartSize(partSize)) return yield* new FilesError({ reason: "part-size" })
    if (size === 0) return yield* new FilesError({ reason: "empty" })
    const total = size === undefined ? undefined : Math.ceil(size / partSize)
    if (total !== undefined && total > maxParts) return yield* new FilesError({ reason: "too-large" })
    const isBig = size === undefined || size > BIG
    const fileId = new DataView(globalThis.crypto.getRandomValues(new Uint8Array(8)).buffer).getBigInt64(0)

    const { onProgress } = options
    let done = 0
    let count = 0
    const send = Effect.fnUntraced(function*({ bytes, index, isCopy, isLast }: Part) {
      if (index >= maxParts) return yield* new FilesError({ reason: "too-large" })
      count = Math.max(count, index + 1)
      const { length } = bytes
      const options = isCopy ? { release: [bytes] } : {}
      yield* (isBig
        // a stream whose size is not known tells it with its last part
        ? transport.invoke(
          Api.upload.saveBigFilePart({
            fileId,
            filePart: index,
            fileTotalParts: total ?? (isLast ? index + 1 : -1),
            bytes
          }),
          options
        )
        : transport.invoke(Api.upload.saveFilePart({ fileId, filePart: index, bytes }), options))
      done += length
      if (onProgress !== undefined) yield* onProgress({ done, total: size })
    })

    const parts: Stream.Stream<Part, FilesError | E, R> = source instanceof Uint8Array
      ? Stream.map(Stream.range(0, total! - 1), (index) => ({
        index,
        bytes: source.subarray(index * partSize, (index + 1) * partSize),
        isCopy: false,
        isLast: index === total! - 1
      }))
      : cut(source.stream, partSize, size)
    const concurrency = options.concurrency ?? Math.max(4, Math.min(16, Math.floor(2 * MIB / partSize)))
    yield* Stream.runDrain(Stream.mapEffect(parts, send, { concurrency }))
    const common = { id: fileId, parts: count, name: options.name }
    return isBig
      ? { _tag: "inputFileBig" as const, ...common }
      : { _tag: "inputFile" as const, ...common, md5Checksum: "" }
  }
)

/**
 * @since 1.0.0
 * @category models
 */
export interface DownloadOptions {
  /** The data centre that keeps the file. Default: the account's; the server says if it is another one. */
  readonly dc?: number | undefined
  /** How many bytes the file has, if it is known: then a file that ends earlier or later fails with `size`. */
  readonly size?: number | undefined
  /** Where to begin: a multiple of the part size. */
  readonly offset?: number | undefined
  /** A multiple of 4096 that divides 1 MiB. Default: 512 KiB. */
  readonly partSize?: number | undefined
  /** Default: 4. */
  readonly concurrency?: number | undefined
  /** A file with more bytes fails with `too-large`. Default: 4 GB. */
  readonly maxSize?: number | undefined
  readonly onProgress?: ((progress: Progress) => Effect.Effect<void>) | undefined
}

/**
 * @since 1.0.0
 * @category errors
 */
export type DownloadError =
  | FilesError
  | Api.ErrorOf<typeof Api.upload.getFile>
  | RpcError
  | FloodWait
  | TransportError

/**
 * Fetches a file, in order.
 *
 * @since 1.0.0
 * @category transfers
 */
export const download = (
  location: Api.InputFileLocation,
  options: DownloadOptions = {}
): Stream.Stream<Uint8Array, DownloadError, Transport> =>
  Stream.unwrap(Effect.gen(function*() {
    const transport = yield* Transport
    const { offset = 0, partSize = MAX_PART_SIZE, size } = options
    const maxSize = options.maxSize ?? 4_000 * MIB
    if (
      partSize < 4 * KIB || partSize % (4 * KIB) !== 0 || MIB % partSize !== 0 || offset < 0 || offset % partSize !== 0
    ) {
      return yield* new FilesError({ reason: "part-size" })
    }
    if (size !== undefined && size > maxSize) return yield* new FilesError({ reason: "too-large" })

    const fetch = Effect.fnUntraced(function*(part: number) {
      const at = offset + part * partSize
      if (at > maxSize) return yield* new FilesError({ reason: "too-large" })
      const request = Api.upload.getFile({ location, offset: BigInt(at), limit: partSize })
      const answer = yield* transport.invoke(request, options.dc === undefined ? {} : { dc: options.dc })
      if (answer._tag === "upload.fileCdnRedirect") return yield* new FilesError({ reason: "cdn" })
      if (answer.type._tag === "storage.filePartial") return yield* new FilesError({ reason: "size" })
      const { bytes } = answer
      const expected = size === undefined ? undefined : Math.min(partSize, Math.max(0, size - at))
      if (bytes.length > partSize || (expected !== undefined && bytes.length !== expected)) {
        return yield* new FilesError({ reason: "size" })
      }
      return bytes
    })

    // the last part is short, or empty where the file ends with a whole part; those behind it are empty
    const numbers = size === undefined
      ? Stream.range(0, Math.floor((maxSize - offset) / partSize) + 1)
      : size <= offset
      ? Stream.empty
      : Stream.range(0, Math.ceil((size - offset) / partSize) - 1)
    const parts = Stream.mapEffect(numbers, fetch, { concurrency: options.concurrency ?? 4 }).pipe(
      Stream.takeUntil((bytes) => bytes.length < partSize),
      Stream.filter((bytes) => bytes.length > 0)
    )
    const { onProgress } = options
    if (onProgress === undefined) return parts
    let done = offset
    return Stream.tap(parts, (bytes) => Effect.suspend(() => onProgress({ done: done += bytes.length, total: size })))
  }))

// ----- parts

interface Part {
  readonly index: number
  readonly bytes: Uint8Array
  /** Nobody else has these bytes. */
  readonly isCopy: boolean
  readonly isLast: boolean
}

const isPartSize = (size: number): boolean => size >= KIB && size % KIB === 0 && MAX_PART_SIZE % size === 0

const partSizeOf = (size: number | undefined, maxParts: number): number => {
  if (size === undefined) return MAX_PART_SIZE
  let partSize = 128 * KIB
  while (partSize < MAX_PART_SIZE && size / partSize > maxParts / 4) partSize *= 2
  return partSize
}

/** Cuts a stream into parts of one size; only the last may be shorter. */
const cut = <E, R>(
  stream: Stream.Stream<Uint8Array, E, R>,
  partSize: number,
  size: number | undefined
): Stream.Stream<Part, FilesError | E, R> =>
  Stream.suspend(() => {
    let index = 0
    let seen = 0
    let filled = 0
    let part = new Uint8Array(partSize)
    // one part is held back, because only the last one may be short and has to say so
    const take = (chunk: Uint8Array): ReadonlyArray<Part> => {
      const parts: Array<Part> = []
      seen += chunk.length
      for (let from = 0; from < chunk.length;) {
        if (filled === partSize) {
          parts.push({ index: index++, bytes: part, isCopy: true, isLast: false })
          part = new Uint8Array(partSize)
          filled = 0
        }
        const some = chunk.subarray(from, from + partSize - filled)
        part.set(some, filled)
        filled += some.length
        from += some.length
      }
      return parts
    }
    const wrong = (): FilesError | undefined =>
      size !== undefined && seen !== size ? new FilesError({ reason: "size" }) : undefined
    const pieces = Stream.flatMap(stream, (chunk): Stream.Stream<Part, FilesError> => {
      const parts = take(chunk)
      return size !== undefined && seen > size
        ? Stream.fail(new FilesError({ reason: "size" }))
        : Stream.fromIterable(parts)
    })
    const rest = Stream.suspend((): Stream.Stream<Part, FilesError> => {
      const problem = wrong() ?? (seen === 0 ? new FilesError({ reason: "empty" }) : undefined)
      return problem === undefined
        ? Stream.succeed({ index, bytes: part.subarray(0, filled), isCopy: true, isLast: true })
        : Stream.fail(problem)
    })
    return Stream.concat(pieces, rest)
  })
