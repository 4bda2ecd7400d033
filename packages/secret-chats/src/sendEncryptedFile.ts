/**
 * Sending a file: it is encrypted with a key of its own and uploaded part by part, then a message is sent that refers to it
 * and holds the key.
 *
 * **Example** (Sending a document)
 *
 * ```ts
 * import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
 * import * as Media from "@effect-mtproto/secret-chats/Media"
 * import { sendEncryptedFile } from "@effect-mtproto/secret-chats/sendEncryptedFile"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const source = yield* FileSource.fromPath("report.pdf")
 *   const media = Media.document({ fileName: "report.pdf", mimeType: "application/pdf" })
 *   const sent = yield* sendEncryptedFile(-147286699, media, source)
 *   // to somebody else, without another upload
 *   yield* sendEncryptedFile(1234, media, sent.encrypted)
 * })
 * ```
 *
 * When the server has lost a part of the upload, the part is supplied again and the message is sent again as a new one, with
 * a new random id; the first one has become its own deletion, and its failure is an event.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { Transport } from "@effect-mtproto/transport/Transport"
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as EncryptedFile from "./EncryptedFile.ts"
import { FileError } from "./FileError.ts"
import type { FileProgress } from "./FileProgress.ts"
import { type FileSource, isFileSource } from "./FileSource.ts"
import { type CallError, fileErrorOf, missingPart } from "./internal/fileCalls.ts"
import { readyChat } from "./internal/fileChat.ts"
import { randomId, sendAll } from "./internal/send.ts"
import * as Upload from "./internal/upload.ts"
import type { FileDraft, FileMedia } from "./Media.ts"
import type { Outcome } from "./Outcome.ts"
import * as Machine from "./protocol/Machine.ts"
import * as Errors from "./SecretChatError.ts"
import type { SecretChatStore } from "./SecretChatStore.ts"
import type { SecretPeer } from "./SecretPeer.ts"
import type { UploadOptions } from "./uploadEncryptedFile.ts"

// ----- models

/**
 * What a sent file came to: the outcome of its message, and the file for further use.
 *
 * @category models
 * @since 1.0.0
 */
export interface SentFile extends Outcome {
  /** To be sent again, or downloaded. */
  readonly encrypted: EncryptedFile.EncryptedFile
  /** The outcomes of further messages, if the text was too long for one. */
  readonly more: ReadonlyArray<Outcome>
}

/**
 * What sending a file tells.
 *
 * @category models
 * @since 1.0.0
 */
export type SendFileEvent = FileProgress | { readonly _tag: "Sent"; readonly sent: SentFile }

/**
 * What sending an album tells: the same of each of its files, `index` says which, from 0.
 *
 * @category models
 * @since 1.0.0
 */
export type SendAlbumEvent = SendFileEvent & { readonly index: number }

/**
 * One file of an album.
 *
 * @category models
 * @since 1.0.0
 */
export interface AlbumItem<out E = never, out R = never> {
  readonly message: FileMedia | FileDraft
  readonly file: FileSource<E, R> | EncryptedFile.EncryptedFile
}

type Services = Crypto | Transport | SecretChatStore

// ----- the message

const isDraft = (message: FileMedia | FileDraft): message is FileDraft => message._tag === "decryptedMessage"

/** TDLib writes no size for photos that would be larger. */
const MAX_PHOTO = 1_000_000_000

/** The message, with what it has to say of the file. */
const describe = (
  message: FileMedia | FileDraft,
  file: { readonly key: Uint8Array; readonly iv: Uint8Array; readonly size: number }
): DecryptedMessage.Draft => {
  const draft: FileDraft = isDraft(message) ? message : { _tag: "decryptedMessage", message: "", media: message }
  const { iv, key, size } = file
  const { media } = draft
  return {
    ...draft,
    media: media._tag === "decryptedMessageMediaPhoto"
      ? { ...media, key, iv, size: size < MAX_PHOTO ? size : 0 }
      : { ...media, key, iv, size: BigInt(size) }
  }
}

/** What would make the upload useless: a chat that is not ready, or a client that cannot be told of such a file. */
const check = (
  peer: SecretPeer,
  message: FileMedia | FileDraft,
  size: number
): Effect.Effect<void, Errors.SecretChatError, Services> =>
  Effect.gen(function*() {
    const state = yield* readyChat(peer)
    const unknown = new Uint8Array(32)
    const draft = describe(message, { key: unknown, iv: unknown, size })
    const content = DecryptedMessage.complete(draft, { randomId: 1n, ttl: 0 })
    const wire = DecryptedMessage.toLayer(Machine.sendingLayer(state), content)
    if (Result.isFailure(wire)) {
      return yield* Effect.fail(new Errors.MessageInvalid({ path: ["media"], problem: wire.failure.message }))
    }
  })

const sizeOf = ({ place, size }: EncryptedFile.EncryptedFile): number =>
  size ?? (place._tag === "Stored" ? Number(place.reference.size) : 0)

/** The first outcome is that of the message with the file. */
const sentFile = (
  file: EncryptedFile.EncryptedFile,
  outcomes: Outcome | readonly [Outcome, Outcome, ...Array<Outcome>]
): SentFile => {
  const [first, ...more]: readonly [Outcome, ...Array<Outcome>] = "_tag" in outcomes ? [outcomes] : outcomes
  return { ...first, encrypted: first.file === undefined ? file : EncryptedFile.stored(file, first.file), more }
}

const sendMessage = (
  peer: SecretPeer,
  message: FileMedia | FileDraft,
  file: EncryptedFile.EncryptedFile
): Effect.Effect<SentFile, Errors.SecretChatError, Services> => {
  const draft = describe(message, { ...Redacted.value(file.key), size: sizeOf(file) })
  const input = Api.InputEncryptedFile.encode(EncryptedFile.toInput(file))
  return Effect.map(sendAll(peer, draft, "file", input), (outcomes) => sentFile(file, outcomes))
}

const asFileError = (error: Errors.SecretChatError): Errors.SecretChatError | FileError => {
  if (error._tag !== "RpcError") return error
  const file = fileErrorOf(error)
  return file === undefined ? error : new FileError({ ...file, sent: error.sent })
}

/** How often parts are supplied again before a message is given up. */
const MAX_REPAIRS = 4

/** Sends the message of an upload; parts that the server has lost are supplied again. */
const sendUploaded = <E, R>(
  peer: SecretPeer,
  message: FileMedia | FileDraft,
  source: FileSource<E, R>,
  options: UploadOptions,
  upload: Upload.Finished<E, R>,
  attempt: number
): Stream.Stream<SendFileEvent, Errors.SecretChatError | FileError | E, Services | R> =>
  Stream.unwrap(Effect.gen(function*() {
    const result = yield* Effect.result(sendMessage(peer, message, upload.file))
    if (Result.isSuccess(result)) {
      yield* upload.forget
      return Stream.succeed({ _tag: "Sent", sent: result.success } as const)
    }
    const error = result.failure
    const missing = error._tag === "RpcError" ? missingPart(error.type) : undefined
    if (missing === undefined || !source.rereadable || attempt >= MAX_REPAIRS) {
      return yield* Effect.fail(asFileError(error))
    }
    // The first message has become its own deletion; under its name no other can be sent.
    const again = isDraft(message) ? withoutName(message) : message
    if (missing === 0) {
      yield* upload.forget
      return uploadAndSend(peer, again, source, options, attempt + 1)
    }
    // One part may have been lost alone; if a second one is missing, more will be.
    yield* upload.repair(missing, attempt > 0)
    return sendUploaded(peer, again, source, options, upload, attempt + 1)
  }))

const withoutName = (draft: FileDraft): FileDraft => {
  const { randomId: _, ...unnamed } = draft
  return unnamed
}

const uploadAndSend = <E, R>(
  peer: SecretPeer,
  message: FileMedia | FileDraft,
  source: FileSource<E, R>,
  options: UploadOptions,
  attempt: number
): Stream.Stream<SendFileEvent, Errors.SecretChatError | FileError | E, Services | R> =>
  Stream.flatMap(
    Upload.run(source, options),
    (event): Stream.Stream<SendFileEvent, Errors.SecretChatError | FileError | E, Services | R> =>
      event._tag === "Progress"
        ? Stream.succeed(event)
        : sendUploaded(peer, message, source, options, event, attempt)
  )

// ----- sending

/**
 * Sends a file, and tells how far it is; the last element holds what came of it.
 *
 * `message` is the medium (see `Media`), or a message with one. `file` is what is to be uploaded, or a file that the server
 * has already: of a message that was sent or received, or uploaded before.
 *
 * @category sending
 * @since 1.0.0
 */
export const sendEncryptedFileStream = <E = never, R = never>(
  peer: SecretPeer,
  message: FileMedia | FileDraft,
  file: FileSource<E, R> | EncryptedFile.EncryptedFile,
  options: UploadOptions = {}
): Stream.Stream<SendFileEvent, Errors.SecretChatError | FileError | E, Services | R> =>
  Stream.unwrap(Effect.gen(function*() {
    if (isFileSource(file)) {
      yield* check(peer, message, file.size ?? 1)
      return uploadAndSend(peer, message, file, options, 0)
    }
    yield* check(peer, message, sizeOf(file))
    const sent = yield* Effect.mapError(sendMessage(peer, message, file), asFileError)
    return Stream.succeed({ _tag: "Sent", sent } as const)
  }))

/**
 * Sends a file.
 *
 * A message that cannot be sent to this chat is refused before anything is uploaded: a chat that is not ready, or a document
 * of more than 2000 MiB to a client below layer 143.
 *
 * @category sending
 * @since 1.0.0
 */
export const sendEncryptedFile: <E = never, R = never>(
  peer: SecretPeer,
  message: FileMedia | FileDraft,
  file: FileSource<E, R> | EncryptedFile.EncryptedFile,
  options?: UploadOptions
) => Effect.Effect<SentFile, Errors.SecretChatError | FileError | E, Services | R> = Effect.fn("sendEncryptedFile")(
  function*(peer, message, file, options) {
    const last = yield* Stream.runLast(sendEncryptedFileStream(peer, message, file, options))
    return (Option.getOrThrow(last) as Extract<SendFileEvent, { readonly _tag: "Sent" }>).sent
  }
)

/**
 * The most files that other clients show as one album.
 *
 * @category constants
 * @since 1.0.0
 */
export const MAX_ALBUM = 10

/**
 * Sends up to 10 files as an album, and tells how far each of them is: `index` says which. All files are uploaded before
 * the first message is sent.
 *
 * @category sending
 * @since 1.0.0
 */
export const sendEncryptedAlbumStream = <E = never, R = never>(
  peer: SecretPeer,
  items: Arr.NonEmptyReadonlyArray<AlbumItem<E, R>>,
  options: Pick<UploadOptions, "concurrency"> = {}
): Stream.Stream<SendAlbumEvent, Errors.SecretChatError | FileError | E, Services | R> =>
  Stream.unwrap(Effect.gen(function*() {
    if (items.length > MAX_ALBUM) {
      const problem = `an album has at most ${MAX_ALBUM} files`
      return yield* Effect.fail(new Errors.MessageInvalid({ path: ["groupedId"], problem }))
    }
    for (const { file, message } of items) {
      yield* check(peer, message, isFileSource(file) ? file.size ?? 1 : sizeOf(file))
    }
    const groupedId = positive(randomId(yield* Crypto))
    const ready: Array<Stream.Stream<SendFileEvent, Errors.SecretChatError | FileError | E, Services | R>> = []
    const uploads = Stream.fromIterable(items.entries(), { chunkSize: 1 }).pipe(
      Stream.flatMap(([index, { file, message }]): Stream.Stream<SendAlbumEvent, CallError | E, Services | R> => {
        const draft: FileDraft = isDraft(message)
          ? { ...message, groupedId }
          : { _tag: "decryptedMessage", message: "", media: message, groupedId }
        if (!isFileSource(file)) {
          ready.push(sendEncryptedFileStream(peer, draft, file))
          return Stream.empty
        }
        return Stream.flatMap(Upload.run(file, options), (event) => {
          if (event._tag === "Progress") return Stream.succeed({ ...event, index })
          ready.push(sendUploaded(peer, draft, file, options, event, 0))
          return Stream.empty
        })
      })
    )
    const sent: Array<SentFile> = []
    const messages = Stream.suspend(() =>
      Stream.fromIterable(ready.entries(), { chunkSize: 1 }).pipe(
        Stream.flatMap(([index, one]) =>
          Stream.map(one, (event) => {
            if (event._tag === "Sent") sent.push(event.sent)
            return { ...event, index }
          })
        ),
        Stream.mapError((error) => withSent(error, sent))
      )
    )
    return Stream.concat(uploads, messages)
  }))

/**
 * Sends up to 10 files as an album: messages of their own that other clients show together (from layer 73 on; older ones
 * show them one by one).
 *
 * All files are uploaded before the first message is sent. If a message fails, `sent` of the error holds the outcomes of
 * those before it.
 *
 * @category sending
 * @since 1.0.0
 */
export const sendEncryptedAlbum: <E = never, R = never>(
  peer: SecretPeer,
  items: Arr.NonEmptyReadonlyArray<AlbumItem<E, R>>,
  options?: Pick<UploadOptions, "concurrency">
) => Effect.Effect<
  Arr.NonEmptyReadonlyArray<SentFile>,
  Errors.SecretChatError | FileError | E,
  Services | R
> = Effect.fn("sendEncryptedAlbum")(function*(peer, items, options) {
  const sent: Array<SentFile> = []
  yield* Stream.runForEach(sendEncryptedAlbumStream(peer, items, options), (event) =>
    Effect.sync(() => {
      if (event._tag === "Sent") sent.push(event.sent)
    }))
  return sent as unknown as Arr.NonEmptyReadonlyArray<SentFile>
})

const positive = (id: bigint): bigint => BigInt.asUintN(63, id) || 1n

const withSent = <E>(
  error: Errors.SecretChatError | FileError | E,
  files: ReadonlyArray<SentFile>
): Errors.SecretChatError | FileError | E => {
  if (files.length === 0) return error
  // Without the files: errors hold no keys.
  const sent = files.flatMap((file): ReadonlyArray<Outcome> => {
    const { encrypted: _, more, ...outcome } = file
    return [outcome, ...more]
  })
  if (error instanceof FileError) return new FileError({ ...error, sent })
  return Errors.isSecretChatError(error) ? Errors.withSent(error, sent) : error
}
