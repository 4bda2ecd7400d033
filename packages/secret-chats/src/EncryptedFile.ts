/**
 * A file as the server has it, with the key that only the two sides have.
 *
 * One is obtained by uploading or sending a file, or from a message that came with one; it can be sent again, to any chat,
 * without another upload, and downloaded.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import type * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import type { AesKey } from "@effect-mtproto/crypto/MessageKey"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { FileError } from "./FileError.ts"
import type { Event, FileReference } from "./protocol/Events.ts"

const TypeId = "~@effect-mtproto/secret-chats/EncryptedFile"

/**
 * @category models
 * @since 1.0.0
 */
export interface EncryptedFile {
  readonly [TypeId]: typeof TypeId
  /** Bytes of the plaintext; `undefined` for photos of unknown size. */
  readonly size: number | undefined
  readonly key: Redacted.Redacted<AesKey>
  /**
   * - `Uploaded`: in parts, which the server keeps for some hours, until a message refers to them
   * - `Stored`: as a file of the server
   */
  readonly place:
    | { readonly _tag: "Uploaded"; readonly input: Api.inputEncryptedFileUploaded | Api.inputEncryptedFileBigUploaded }
    | { readonly _tag: "Stored"; readonly reference: FileReference }
}

/**
 * What has a file: a message with what the server sent beside it, the event `NewMessage`, a `SecretChatEvent`, or such a
 * file itself.
 *
 * @category models
 * @since 1.0.0
 */
export type HasFile =
  | EncryptedFile
  | { readonly message: DecryptedMessage.DecryptedMessage; readonly file?: FileReference }
  | { readonly event: Event }

/**
 * @category guards
 * @since 1.0.0
 */
export const isEncryptedFile = (value: unknown): value is EncryptedFile =>
  typeof value === "object" && value !== null && TypeId in value

/**
 * @category constructors
 * @since 1.0.0
 */
export const make = (options: {
  readonly size: number | undefined
  readonly key: Redacted.Redacted<AesKey>
  readonly place: EncryptedFile["place"]
}): EncryptedFile => ({ [TypeId]: TypeId, size: options.size, key: options.key, place: options.place })

const noFile = Result.fail(new FileError({ reason: "no-file" }))

/**
 * The file of a message. Fails with `no-file` if there is none, with `key-invalid` or `size-mismatch` if the message
 * describes it in a way that makes no sense.
 *
 * @category constructors
 * @since 1.0.0
 */
export const from = (value: HasFile): Result.Result<EncryptedFile, FileError> => {
  if (isEncryptedFile(value)) return Result.succeed(value)
  if ("event" in value) return value.event._tag === "NewMessage" ? from(value.event) : noFile
  const { file, message: { media } } = value
  if (media?._tag !== "decryptedMessageMediaPhoto" && media?._tag !== "decryptedMessageMediaDocument") return noFile
  if (file === undefined) return noFile
  const { iv, key } = media
  if (key.length !== 32 || iv.length !== 32) return Result.fail(new FileError({ reason: "key-invalid" }))
  const size = Number(media.size)
  if (size < 0) return Result.fail(new FileError({ reason: "size-mismatch" }))
  return Result.succeed(make({
    // 0 is how clients write "unknown".
    size: size === 0 ? undefined : size,
    key: Redacted.make({ key, iv }, { label: "file key" }),
    place: { _tag: "Stored", reference: file }
  }))
}

/**
 * How the file is named to the server when a message with it is sent.
 *
 * @category conversions
 * @since 1.0.0
 */
export const toInput = ({ place }: EncryptedFile): Api.InputEncryptedFile =>
  place._tag === "Uploaded"
    ? place.input
    : { _tag: "inputEncryptedFile", id: place.reference.id, accessHash: place.reference.accessHash }

/**
 * The same file, now that the server keeps it under a reference.
 *
 * @category combinators
 * @since 1.0.0
 */
export const stored = (file: EncryptedFile, reference: FileReference): EncryptedFile =>
  make({ ...file, place: { _tag: "Stored", reference } })
