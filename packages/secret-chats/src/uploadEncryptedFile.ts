/**
 * Uploading a file for a secret chat, encrypted with a key of its own, without sending it yet.
 *
 * It is read, encrypted and sent part by part, several parts at a time; the whole file is never in memory. What was
 * uploaded is sent with `sendEncryptedFile`, soon: the server keeps parts for some hours only.
 *
 * An upload from a source that can be read again goes on where it was interrupted when it is started again, in this process
 * or, with `FileTransfers.layerSealed`, in another.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as EncryptedFile from "./EncryptedFile.ts"
import type { FileError } from "./FileError.ts"
import type { FileProgress } from "./FileProgress.ts"
import type { FileSource } from "./FileSource.ts"
import { invoke } from "./internal/fileCalls.ts"
import { readyChat } from "./internal/fileChat.ts"
import { fileReference } from "./internal/flush.ts"
import * as Upload from "./internal/upload.ts"
import type { SecretChatError } from "./SecretChatError.ts"
import type { SecretChatStore } from "./SecretChatStore.ts"
import type { SecretPeer } from "./SecretPeer.ts"

/**
 * @category models
 * @since 1.0.0
 */
export interface UploadOptions {
  /** How many parts are under way at a time; by default a megabyte of them, but 4 to 16. Memory grows with it. */
  readonly concurrency?: number | undefined
  /**
   * The name under which the state is kept while the upload is under way: the same name must mean the same content. By
   * default that of the source, which for files is made of path, size and time of change. `false` keeps none.
   */
  readonly resume?: string | false | undefined
}

/**
 * What an upload tells.
 *
 * @category models
 * @since 1.0.0
 */
export type UploadEvent = FileProgress | { readonly _tag: "Uploaded"; readonly file: EncryptedFile.EncryptedFile }

/**
 * Uploads a file, and tells how far it is; the last element holds the file.
 *
 * @category files
 * @since 1.0.0
 */
export const uploadEncryptedFileStream = <E, R>(
  source: FileSource<E, R>,
  options: UploadOptions = {}
): Stream.Stream<UploadEvent, SecretChatError | FileError | E, Crypto | Transport | R> =>
  Stream.mapEffect(
    Upload.run(source, options),
    (event): Effect.Effect<UploadEvent, FileError> =>
      event._tag === "Progress"
        ? Effect.succeed(event)
        : Effect.as(event.forget, { _tag: "Uploaded", file: event.file })
  )

/**
 * Uploads a file.
 *
 * @category files
 * @since 1.0.0
 */
export const uploadEncryptedFile: <E, R>(
  source: FileSource<E, R>,
  options?: UploadOptions
) => Effect.Effect<EncryptedFile.EncryptedFile, SecretChatError | FileError | E, Crypto | Transport | R> = Effect.fn(
  "uploadEncryptedFile"
)(function*(source, options) {
  const last = Option.getOrThrow(yield* Stream.runLast(uploadEncryptedFileStream(source, options)))
  return (last as Extract<UploadEvent, { readonly _tag: "Uploaded" }>).file
})

/**
 * Makes a file of the server of what was uploaded, for a chat, without a message (`messages.uploadEncryptedFile`): it is
 * kept from then on. A file that is one already stays as it is.
 *
 * @category files
 * @since 1.0.0
 */
export const registerEncryptedFile: (
  peer: SecretPeer,
  file: EncryptedFile.EncryptedFile
) => Effect.Effect<
  EncryptedFile.EncryptedFile,
  SecretChatError | FileError,
  Crypto | Transport | SecretChatStore
> = Effect.fn("registerEncryptedFile")(function*(peer, file) {
  if (file.place._tag === "Stored") return file
  const { accessHash, chatId } = yield* readyChat(peer)
  const chat = { _tag: "inputEncryptedChat", chatId, accessHash } as const
  const answer = yield* invoke(Api.messages.uploadEncryptedFile({ peer: chat, file: file.place.input }))
  return answer._tag === "encryptedFile" ? EncryptedFile.stored(file, fileReference(answer)) : file
})
