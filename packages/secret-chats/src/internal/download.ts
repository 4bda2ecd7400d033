/**
 * Downloading a file: pieces are asked for several at a time, and decrypted in order.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import { giveBack } from "@effect-mtproto/core/Memory"
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
import * as Tidy from "./tidy.ts"

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

/** A server that sends us from one place to another for ever is not followed. */
const MAX_DETOURS = 64

/** Gives pieces of a file as they are stored. */
const getter = (file: Checked) => {
  const { accessHash, id } = file.reference
  // straight to where the file is kept; without one, the account's own data centre sends us there with every piece
  let detours = 0
  let dc: number | undefined = file.reference.dcId > 0 ? file.reference.dcId : undefined
  const ask = Effect.fnUntraced(function*(offset: number, limit: number) {
    const location = { _tag: "inputEncryptedFileLocation", id, accessHash } as const
    while (true) {
      const asked = dc
      const answer = yield* Effect.result(
        invoke(Api.upload.getFile({ location, offset: BigInt(offset), limit }), { dc })
      )
      if (Result.isSuccess(answer)) return answer.success
      const error = answer.failure
      const moved = error._tag === "FileError" && error.reason === "other-datacenter" && error.dc !== asked
        ? error.dc
        : undefined
      // its address is not known
      const isUnknown = error._tag === "TransportError" && error.reason === "configuration"
      if (asked === undefined || ++detours > MAX_DETOURS || moved === undefined && !isUnknown) {
        return yield* Effect.fail(error)
      }
      if (dc === asked) dc = moved
    }
  })
  return (offset: number, limit: number) =>
    Effect.gen(function*() {
      const answer = yield* ask(offset, limit)
      // Redirections are for clients that say they understand them.
      if (answer._tag !== "upload.file") return yield* Effect.fail(new FileError({ reason: "answer-invalid" }))
      return yield* Effect.fromResult(FileCipher.checkPiece({ stored: file.stored, offset, limit }, answer.bytes))
    })
}

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
    yield* Tidy.before(file.stored)
    const get = getter(file)
    const limit = Parts.pieceSizeOf(file.stored)
    const concurrency = options.concurrency ?? Parts.concurrencyOf(limit)
    let position: FileCipher.Position = options.from ?? { offset: 0, iv: file.iv }
    // The padding alone is not worth a call.
    const end = Math.min(file.stored, Parts.paddedSize(file.size))
    const offsets = function*() {
      for (let offset = position.offset; offset < end; offset += limit) yield offset
    }
    return Stream.fromIterable({ [Symbol.iterator]: offsets }, { chunkSize: 1 }).pipe(
      Stream.mapEffect((offset) => get(offset, limit), { concurrency }),
      Stream.mapEffect((ciphertext) =>
        Effect.map(crypto.aesIgeDecryptLarge(ciphertext, file.key, position.iv), (plaintext): Piece => {
          const bytes = FileCipher.trim(file.size, position.offset, plaintext)
          position = FileCipher.advance(position, ciphertext, plaintext)
          giveBack(ciphertext)
          return { bytes, position }
        })
      ),
      Stream.catchTag("CryptoError", (error) => {
        const { description, operation, reason } = error
        return Stream.fail(new Errors.CryptoError({ operation, reason, description }))
      })
    )
  }))
