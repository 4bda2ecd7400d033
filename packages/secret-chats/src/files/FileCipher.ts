/**
 * A file as one AES-256-IGE stream, part by part (core.telegram.org/api/end-to-end, "Sending encrypted files").
 *
 * The initialisation vector of a part is made of the last blocks of the part before, so parts are encrypted and decrypted
 * in order, and whoever keeps the vector that was reached can go on from there.
 *
 * Everything here is synchronous; the only chance in it is the padding of the last block.
 *
 * @since 1.0.0
 */
import { giveBack } from "@effect-mtproto/core/Memory"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as FileKey from "@effect-mtproto/crypto/FileKey"
import type { AesKey } from "@effect-mtproto/crypto/MessageKey"
import * as Result from "effect/Result"
import { FileError } from "../FileError.ts"
import { BLOCK, MAX_PARTS, paddedSize, type Plan } from "./Parts.ts"

/**
 * One part, encrypted.
 *
 * @category models
 * @since 1.0.0
 */
export interface Part {
  /** From 0. */
  readonly index: number
  /** Ciphertext, whole blocks. */
  readonly bytes: Uint8Array
  /** Bytes of the file in it, without padding. */
  readonly length: number
  readonly isLast: boolean
  /** The initialisation vector it was encrypted with. */
  readonly iv: Uint8Array
  /** The one for the part that follows. */
  readonly nextIv: Uint8Array
}

/**
 * Turns the bytes of a file, in pieces of any size, into encrypted parts.
 *
 * Feed it with `push`, take parts with `pull` until there is none, and after the last piece call `end` and take the rest. A
 * part leaves only when it is known whether it is the last one.
 *
 * @category encryption
 * @since 1.0.0
 */
export class Encryptor {
  readonly plan: Plan
  private readonly crypto: Crypto["Service"]
  private readonly key: Uint8Array
  private iv: Uint8Array
  private index: number
  private readonly pieces: Array<Uint8Array> = []
  /** How much of the first of them has been taken. */
  private taken = 0
  /** The plaintext of one part after the other: no copy of it stays behind. */
  private scratch: Uint8Array = new Uint8Array(0)
  private buffered = 0
  private seen: number
  private ended = false

  /** To go on in the middle, `from` says with which part, and with which initialisation vector. */
  constructor(crypto: Crypto["Service"], plan: Plan, key: AesKey, from?: {
    readonly index: number
    readonly iv: Uint8Array
  }) {
    this.crypto = crypto
    this.plan = plan
    this.key = key.key
    this.iv = from?.iv ?? key.iv
    this.index = from?.index ?? 0
    this.seen = this.index * plan.partSize
  }

  push(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.pieces.push(piece)
    this.buffered += piece.length
    this.seen += piece.length
  }

  end(): void {
    this.ended = true
  }

  /** The next part; `undefined` if more bytes are needed, or the file is over. */
  pull(): Result.Result<Part | undefined, FileError> {
    const { partSize, size } = this.plan
    if (size !== undefined && (this.seen > size || this.ended && this.seen < size)) {
      return Result.fail(new FileError({ reason: "source-changed" }))
    }
    if (this.ended && this.seen === 0) return Result.fail(new FileError({ reason: "empty" }))
    if (this.buffered === 0 || this.buffered <= partSize && !this.ended) return Result.succeed(undefined)
    const { index } = this
    if (index >= MAX_PARTS) return Result.fail(new FileError({ reason: "too-large" }))
    const length = Math.min(this.buffered, partSize)
    const isLast = this.ended && length === this.buffered
    const plaintext = this.take(length)
    const iv = this.iv
    const bytes = this.crypto.aesIgeEncrypt(plaintext, this.key, iv)
    const nextIv = FileKey.nextIv(plaintext, bytes)
    plaintext.fill(0)
    this.iv = nextIv
    this.index++
    return Result.succeed({ index, bytes, length, isLast, iv, nextIv })
  }

  /** The next bytes, padded with random bytes to whole blocks; valid until the next call. */
  private take(length: number): Uint8Array {
    const padded = paddedSize(length)
    if (this.scratch.length < padded) this.scratch = new Uint8Array(padded)
    const out = this.scratch.subarray(0, padded)
    let at = 0
    while (at < length) {
      const piece = this.pieces[0]!
      const some = piece.subarray(this.taken, this.taken + length - at)
      out.set(some, at)
      at += some.length
      this.taken += some.length
      if (this.taken === piece.length) {
        this.pieces.shift()
        this.taken = 0
        giveBack(piece)
      }
    }
    this.buffered -= length
    if (out.length > length) out.set(this.crypto.randomBytes(out.length - length), length)
    return out
  }
}

/**
 * Where decryption stands.
 *
 * @category models
 * @since 1.0.0
 */
export interface Position {
  /** Bytes of ciphertext that were decrypted; whole blocks. */
  readonly offset: number
  readonly iv: Uint8Array
}

/**
 * The position after a piece that was decrypted.
 *
 * @category decryption
 * @since 1.0.0
 */
export const advance = (position: Position, ciphertext: Uint8Array, plaintext: Uint8Array): Position => ({
  offset: position.offset + ciphertext.length,
  // The vector of decryption is the same as that of encryption.
  iv: FileKey.nextIv(plaintext, ciphertext)
})

/**
 * The part of a decrypted piece that belongs to the file: what lies beyond its size is padding.
 *
 * @category decryption
 * @since 1.0.0
 */
export const trim = (size: number, offset: number, plaintext: Uint8Array): Uint8Array =>
  offset + plaintext.length <= size ? plaintext : plaintext.subarray(0, Math.max(0, size - offset))

/**
 * Judges a piece that the server gave: everything that was asked for must be there, and no more.
 *
 * @category decryption
 * @since 1.0.0
 */
export const checkPiece = (
  piece: { readonly stored: number; readonly offset: number; readonly limit: number },
  bytes: Uint8Array
): Result.Result<Uint8Array, FileError> =>
  bytes.length === Math.min(piece.limit, piece.stored - piece.offset) && bytes.length % BLOCK === 0
    ? Result.succeed(bytes)
    : Result.fail(new FileError({ reason: "answer-invalid" }))
