/**
 * Receiving the file of a message, as a stream of bytes or into a file.
 *
 * Key fingerprint and sizes are checked before the first byte. File encryption has no authentication of its own: a server
 * that wants to can garble what comes after any point, so treat the content as what it is, something from outside.
 *
 * @since 1.0.0
 */
import { release } from "@effect-mtproto/core/Memory"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { Transport } from "@effect-mtproto/transport/Transport"
import * as ByteSize from "effect/ByteSize"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as EncryptedFile from "./EncryptedFile.ts"
import { FileError } from "./FileError.ts"
import * as FileProgress from "./FileProgress.ts"
import * as Download from "./internal/download.ts"
import * as State from "./internal/fileState.ts"
import type { SecretChatError } from "./SecretChatError.ts"

/**
 * Where a download stopped, and what it needs to go on from there. The vector is no secret without the key, but says
 * something of the content: it holds the last 16 bytes before the offset.
 *
 * @category models
 * @since 1.0.0
 */
export interface DownloadPosition {
  /** Bytes from the beginning, as it was given: pieces begin at certain offsets only. */
  readonly offset: number
  /** 32 bytes. */
  readonly iv: Redacted.Redacted<Uint8Array>
}

/**
 * @category models
 * @since 1.0.0
 */
export interface DownloadOptions {
  /** How many pieces are under way at a time; by default a megabyte of them, but 4 to 16. Memory grows with it. */
  readonly concurrency?: number | undefined
  /**
   * Accept files with more padding than needed, as some third-party clients make them. Default `false`: the stored size must
   * be exactly that of the file in whole blocks.
   */
  readonly anyPadding?: boolean | undefined
}

/**
 * A piece of a download: bytes of the file, and where one can go on after them.
 *
 * @category models
 * @since 1.0.0
 */
export interface DownloadPiece extends Omit<FileProgress.FileProgress, "_tag"> {
  readonly bytes: Uint8Array
  readonly position: DownloadPosition
}

type Error = SecretChatError | FileError

const open = (
  source: EncryptedFile.HasFile,
  options: DownloadOptions
): Effect.Effect<Download.Checked, FileError, Crypto> =>
  Effect.gen(function*() {
    const file = yield* Effect.fromResult(EncryptedFile.from(source))
    return yield* Effect.fromResult(Download.check(yield* Crypto, file, options.anyPadding === true))
  })

const pieces = (
  file: Download.Checked,
  options: DownloadOptions & { readonly from?: DownloadPosition | undefined }
): Stream.Stream<DownloadPiece, Error, Crypto | Transport> => {
  const { concurrency, from } = options
  if (from !== undefined && !(Download.canStartAt(file, from.offset) && Redacted.value(from.iv).length === 32)) {
    return Stream.fail(new FileError({ reason: "state" }))
  }
  const start = from === undefined ? undefined : { offset: from.offset, iv: Redacted.value(from.iv) }
  return Stream.map(Download.run(file, { from: start, concurrency }), ({ bytes, position: { iv, offset } }) => ({
    bytes,
    transferred: Math.min(offset, file.size),
    total: file.size,
    position: { offset, iv: Redacted.make(iv, { label: "file position" }) }
  }))
}

// ----- as a stream

/**
 * The bytes of a file, in order. What the consumer does not ask for is not downloaded, but for a few pieces ahead.
 *
 * @category files
 * @since 1.0.0
 */
export const downloadEncryptedFile = (
  file: EncryptedFile.HasFile,
  options: DownloadOptions = {}
): Stream.Stream<Uint8Array, Error, Crypto | Transport> =>
  Stream.map(downloadEncryptedFilePieces(file, options), ({ bytes }) => bytes)

/**
 * The same, and with each piece how far the download is and how to go on after it: give its `position` as `from` to a later
 * call.
 *
 * @category files
 * @since 1.0.0
 */
export const downloadEncryptedFilePieces = (
  file: EncryptedFile.HasFile,
  options: DownloadOptions & { readonly from?: DownloadPosition | undefined } = {}
): Stream.Stream<DownloadPiece, Error, Crypto | Transport> =>
  Stream.unwrap(Effect.map(open(file, options), (checked) => pieces(checked, options)))

// ----- into a file

/**
 * @category models
 * @since 1.0.0
 */
export interface SaveOptions extends DownloadOptions {
  /** Replace what is at the path. Default `false`: fail with `target-exists`. */
  readonly overwrite?: boolean | undefined
}

/** Reserved by the name of the file on the server, which is the same after a restart. */
const temporaryName = (path: Path.Path, target: string, id: bigint): string =>
  path.join(path.dirname(target), `.${path.basename(target)}.${BigInt.asUintN(64, id).toString(16)}.part`)

/**
 * Downloads into a file, and tells how far it is.
 *
 * The content is written to a hidden file in the same folder, which only the owner can read (mode 0600), and appears at
 * `target` at once and whole when all of it is there and on the disk. An interrupted download goes on where it stopped when
 * it is started again, in this process or, with `FileTransfers.layerSealed`, in another; any other failure removes
 * what was written.
 *
 * Do not make `target` of the name that the sender gave to the file.
 *
 * @category files
 * @since 1.0.0
 */
export const saveEncryptedFileStream = (
  source: EncryptedFile.HasFile,
  target: string,
  options: SaveOptions = {}
): Stream.Stream<
  FileProgress.FileProgress,
  Error | PlatformError,
  Crypto | Transport | FileSystem.FileSystem | Path.Path
> =>
  Stream.unwrap(Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const file = yield* open(source, options)
    const exists = new FileError({ reason: "target-exists" })
    if (options.overwrite !== true && (yield* fs.exists(target))) return yield* Effect.fail(exists)
    const temporary = temporaryName(path, target, file.reference.id)
    const name = path.resolve(temporary)

    const begun = yield* reopen(fs, temporary, yield* State.downloads.load(name), file)
    const handle = begun?.handle
      ?? (yield* Effect.andThen(
        fs.remove(temporary, { force: true }),
        fs.open(temporary, { flag: "wx", mode: 0o600 })
      ))
    let reached: State.DownloadState = begun?.state ?? { v: 1, offset: 0, iv: file.iv }
    let noted: State.Noted = { bytes: reached.offset, at: yield* Clock.currentTimeMillis }
    let isPublished = false
    const from = { offset: reached.offset, iv: Redacted.make(reached.iv, { label: "file position" }) }
    /** What is remembered must be on the disk before. */
    const remember = Effect.suspend(() => {
      const now = reached
      return Effect.andThen(handle.sync, State.downloads.save(name, now))
    })

    const publish = Effect.gen(function*() {
      yield* handle.sync
      // Nobody may have put another file under the temporary name meanwhile.
      const mine = yield* handle.stat
      const there = yield* fs.stat(temporary)
      const isSame = Option.getOrUndefined(mine.ino) === Option.getOrUndefined(there.ino) && mine.dev === there.dev
      if (!isSame || ByteSize.toBigInt(mine.size) !== BigInt(file.size)) {
        return yield* Effect.fail(new FileError({ reason: "target-changed" }))
      }
      if (options.overwrite === true) yield* fs.rename(temporary, target)
      else {
        // Unlike renaming, this never replaces anything.
        yield* fs.link(temporary, target).pipe(
          Effect.mapError((error) => error.reason._tag === "AlreadyExists" ? exists : error)
        )
        yield* fs.remove(temporary)
      }
      isPublished = true
      yield* State.downloads.remove(name)
    })

    return pieces(file, { ...options, from }).pipe(
      Stream.mapEffect(({ bytes, position, total, transferred }) =>
        Effect.gen(function*() {
          yield* handle.writeAll(bytes)
          release(bytes)
          reached = { v: 1, offset: position.offset, iv: Redacted.value(position.iv) }
          const at = yield* Clock.currentTimeMillis
          if (State.isDue(noted, reached.offset, at)) {
            noted = { bytes: reached.offset, at }
            yield* remember
          }
          return FileProgress.make(transferred, total)
        })
      ),
      Stream.concat(Stream.fromEffectDrain(Effect.uninterruptible(publish))),
      Stream.onExit((exit) =>
        isPublished
          ? Effect.void
          : Effect.ignore(
            isWorthKeeping(exit)
              ? remember
              : Effect.andThen(fs.remove(temporary, { force: true }), State.downloads.remove(name))
          )
      )
    )
  }))

/**
 * Downloads into a file.
 *
 * @category files
 * @since 1.0.0
 */
export const saveEncryptedFile: (
  source: EncryptedFile.HasFile,
  target: string,
  options?: SaveOptions
) => Effect.Effect<void, Error | PlatformError, Crypto | Transport | FileSystem.FileSystem | Path.Path> = Effect.fn(
  "saveEncryptedFile"
)((source, target, options) => Stream.runDrain(saveEncryptedFileStream(source, target, options)))

/** The temporary file of an earlier run, if it holds what its state says; whatever is wrong with it, we begin anew. */
const reopen = (
  fs: FileSystem.FileSystem,
  temporary: string,
  state: State.DownloadState | undefined,
  file: Download.Checked
): Effect.Effect<
  { readonly handle: FileSystem.File; readonly state: State.DownloadState } | undefined,
  never,
  Scope.Scope
> => {
  if (state === undefined || state.iv.length !== 32 || !Download.canStartAt(file, state.offset)) return Effect.undefined
  return Effect.gen(function*() {
    const handle = yield* fs.open(temporary, { flag: "r+", noFollow: true })
    const info = yield* handle.stat
    if (info.type !== "File" || ByteSize.toBigInt(info.size) < BigInt(Math.min(state.offset, file.size))) {
      return undefined
    }
    yield* handle.truncate(Math.min(state.offset, file.size))
    yield* handle.seek(BigInt(state.offset), "start")
    return { handle, state }
  }).pipe(Effect.catch(() => Effect.undefined))
}

/**
 * An interruption, a consumer that stopped listening, or trouble with the network: what was written is right, and the rest
 * can still come.
 */
const isWorthKeeping = (exit: Exit.Exit<unknown, Error | PlatformError>): boolean =>
  Exit.isSuccess(exit) || Option.match(Exit.findErrorOption(exit), {
    onNone: () => Exit.hasInterrupts(exit),
    onSome: (error) => error._tag === "TransportError" || error._tag === "FloodWait" || error._tag === "RpcError"
  })
