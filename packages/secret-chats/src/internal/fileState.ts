/**
 * What is kept of a transfer, so that it can go on.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { FileError } from "../FileError.ts"
import { FileTransfers } from "../FileTransfers.ts"

/** An upload: everything before part `next` is with the server. @internal */
export const UploadState = Schema.Struct({
  v: Schema.Literal(1),
  fileId: Schema.BigInt,
  key: Schema.Uint8Array,
  iv: Schema.Uint8Array,
  size: Schema.Int,
  next: Schema.Int,
  nextIv: Schema.Uint8Array
})

/** @internal */
export interface UploadState extends Schema.Schema.Type<typeof UploadState> {}

/** A download to a file: everything before `offset` is in it, and on the disk. @internal */
export const DownloadState = Schema.Struct({
  v: Schema.Literal(1),
  offset: Schema.Int,
  iv: Schema.Uint8Array
})

/** @internal */
export interface DownloadState extends Schema.Schema.Type<typeof DownloadState> {}

const utf8 = new TextEncoder()
const text = new TextDecoder()

const store = <S extends Schema.Codec<any, any>>(prefix: string, schema: S) => {
  const json = Schema.fromJsonString(Schema.toCodecJson(schema))
  const encode = Schema.encodeSync(json)
  const decode = Schema.decodeUnknownResult(json)
  return {
    /** `undefined` if there is none that can be read: then the transfer begins anew. */
    load: (name: string): Effect.Effect<S["Type"] | undefined, FileError> =>
      Effect.gen(function*() {
        const transfers = yield* FileTransfers
        const bytes = yield* transfers.load(prefix + name)
        if (bytes === undefined) return undefined
        const state = decode(text.decode(bytes))
        return Result.isSuccess(state) ? state.success : undefined
      }),
    save: (name: string, state: S["Type"]): Effect.Effect<void, FileError> =>
      Effect.gen(function*() {
        const transfers = yield* FileTransfers
        yield* transfers.save(prefix + name, utf8.encode(encode(state)))
      }),
    remove: (name: string): Effect.Effect<void, FileError> =>
      Effect.gen(function*() {
        const transfers = yield* FileTransfers
        yield* transfers.remove(prefix + name)
      })
  }
}

/** @internal */
export const uploads = store("upload/", UploadState)

/** @internal */
export const downloads = store("download/", DownloadState)

/** The state is written after so many bytes, or so many milliseconds, whatever comes first. */
const CHECKPOINT = 8 * 1024 * 1024
const CHECKPOINT_TIME = 10_000

/** How far the last state that was written says that a transfer is, in bytes, and when that was. @internal */
export interface Noted {
  readonly at: number
  readonly bytes: number
}

/** Whether the state is to be written again. @internal */
export const isDue = (noted: Noted, bytes: number, now: number): boolean =>
  bytes - noted.bytes >= CHECKPOINT || bytes > noted.bytes && now - noted.at >= CHECKPOINT_TIME
