/**
 * Downloading a file: pieces are asked for several at a time, and decrypted in order.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as FileKey from "@effect-mtproto/crypto/FileKey"
import type { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { EncryptedFile } from "../EncryptedFile.ts"
import { FileError } from "../FileError.ts"
import * as FileCipher from "../files/FileCipher.ts"
import * as Parts from "../files/Parts.ts"
import type { FileReference } from "../protocol/Events.ts"
import * as Errors from "../SecretChatError.ts"
import { type CallError, invoke } from "./fileCalls.ts"

/** A file whose description holds together. @internal */
export interface Checked {
  readonly reference: FileReference
  /** Bytes on the server. */
  readonly stored: number
  /** Bytes of the file; of photos of unknown size, all that are stored. */
  readonly size: number
  readonly key: Uint8Array
  readonly iv: Uint8Array
}

/**
 * What can be checked before the first byte. Nothing else says later whether the bytes are the right ones: file encryption
 * has no authentication of its own, only the key and the size are authentic, for they stand in the message.
 *
 * @internal
 */
export const check = (
  crypto: Crypto["Service"],
  file: EncryptedFile,
  anyPadding: boolean
): Result.Result<Checked, FileError> => {
  // What was uploaded only has no address to download it from.
  if (file.place._tag !== "Stored") return Result.fail(new FileError({ reason: "unavailable" }))
  const { reference } = file.place
  const { iv, key } = Redacted.value(file.key)
  if (key.length !== 32 || iv.length !== 32) return Result.fail(new FileError({ reason: "key-invalid" }))
  if (FileKey.fingerprint(crypto, { key, iv }) !== reference.keyFingerprint) {
    return Result.fail(new FileError({ reason: "key-fingerprint" }))
  }
  const stored = Number(reference.size)
  const size = file.size ?? stored
  const padded = Parts.paddedSize(size)
  const fits = stored > 0 && stored <= Parts.MAX_SIZE && stored % Parts.BLOCK === 0
    && (anyPadding ? stored >= padded : stored === padded)
  return fits
    ? Result.succeed({ reference, stored, size, key, iv })
    : Result.fail(new FileError({ reason: "size-mismatch" }))
}

/** Whether a download can go on at this offset: pieces begin at multiples of their size. @internal */
export const canStartAt = ({ stored }: Checked, offset: number): boolean =>
  Number.isInteger(offset) && offset >= 0 &&
  (offset === stored || offset < stored && offset % Parts.pieceSizeOf(stored) === 0)

/** Bytes of the file, and where the cipher stands after them. @internal */
export interface Piece {
  readonly bytes: Uint8Array
  readonly position: FileCipher.Position
}

const get = (file: Checked, offset: number, limit: number) =>
  Effect.gen(function*() {
    const { accessHash, id } = file.reference
    const answer = yield* invoke(Api.upload.getFile({
      location: { _tag: "inputEncryptedFileLocation", id, accessHash },
      offset: BigInt(offset),
      limit
    }))
    // Redirections are for clients that say they understand them.
    if (answer._tag !== "upload.file") return yield* Effect.fail(new FileError({ reason: "answer-invalid" }))
    return yield* Effect.fromResult(FileCipher.checkPiece({ stored: file.stored, offset, limit }, answer.bytes))
  })

/**
 * The file from a position on.
 *
 * @internal
 */
export const run = (
  file: Checked,
  options: { readonly from?: FileCipher.Position | undefined; readonly concurrency?: number | undefined }
): Stream.Stream<Piece, CallError | Errors.CryptoError, Crypto | Transport> =>
  Stream.unwrap(Effect.gen(function*() {
    const crypto = yield* Crypto
    const limit = Parts.pieceSizeOf(file.stored)
    const concurrency = options.concurrency ?? Parts.concurrencyOf(limit)
    let position: FileCipher.Position = options.from ?? { offset: 0, iv: file.iv }
    // The padding alone is not worth a call.
    const end = Math.min(file.stored, Parts.paddedSize(file.size))
    const offsets = function*() {
      for (let offset = position.offset; offset < end; offset += limit) yield offset
    }
    return Stream.fromIterable({ [Symbol.iterator]: offsets }, { chunkSize: 1 }).pipe(
      Stream.mapEffect((offset) => get(file, offset, limit), { concurrency }),
      Stream.mapEffect((ciphertext) =>
        Effect.map(crypto.aesIgeDecryptLarge(ciphertext, file.key, position.iv), (plaintext): Piece => {
          const bytes = FileCipher.trim(file.size, position.offset, plaintext)
          position = FileCipher.advance(position, ciphertext, plaintext)
          return { bytes, position }
        })
      ),
      Stream.catchTag("CryptoError", (error) => {
        const { description, operation, reason } = error
        return Stream.fail(new Errors.CryptoError({ operation, reason, description }))
      })
    )
  }))
