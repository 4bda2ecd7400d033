/**
 * How a file is cut into parts (core.telegram.org/api/files).
 *
 * All parts have the same size but the last, which may be shorter. A part size is a multiple of 1 KiB that divides
 * 512 KiB, so all parts but the last are whole blocks of the cipher, and the cipher runs through all of them.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import { FileError } from "../FileError.ts"

const KIB = 1024

/**
 * The cipher's block, in bytes.
 *
 * @category constants
 * @since 1.0.0
 */
export const BLOCK = 16

/**
 * @category constants
 * @since 1.0.0
 */
export const MAX_PART_SIZE: number = 512 * KIB

/**
 * @category constants
 * @since 1.0.0
 */
export const MAX_PARTS = 8000

/**
 * The largest file that can be sent, in bytes (TDLib).
 *
 * @category constants
 * @since 1.0.0
 */
export const MAX_SIZE: number = MAX_PARTS * MAX_PART_SIZE

/**
 * Files above this size, in bytes, are uploaded with `upload.saveBigFilePart`.
 *
 * @category constants
 * @since 1.0.0
 */
export const BIG: number = 10 * KIB * KIB

/**
 * Part sizes are doubled while there would be more parts than this (TDLib).
 *
 * @category constants
 * @since 1.0.0
 */
export const MANY_PARTS = 4000

/**
 * How a file is uploaded. `size` and `parts` are missing while the size of the file is not known: such a file is sent as a
 * big one, in parts of the greatest size.
 *
 * @category models
 * @since 1.0.0
 */
export interface Plan {
  /** Bytes of the plaintext. */
  readonly size: number | undefined
  readonly partSize: number
  readonly parts: number | undefined
  readonly big: boolean
}

/**
 * What the server stores of a file of this size: whole blocks.
 *
 * @category sizes
 * @since 1.0.0
 */
export const paddedSize = (size: number): number => Math.ceil(size / BLOCK) * BLOCK

/**
 * The part size for a file of this size: from 64 KiB, doubled while there would be more than 4000 parts (TDLib).
 *
 * @category sizes
 * @since 1.0.0
 */
export const partSizeOf = (size: number): number => {
  let partSize = 64 * KIB
  while (partSize < MAX_PART_SIZE && paddedSize(size) > MANY_PARTS * partSize) partSize *= 2
  return partSize
}

/**
 * The plan for a file; `size` is `undefined` if it is not known.
 *
 * @category constructors
 * @since 1.0.0
 */
export const plan = (size: number | undefined): Result.Result<Plan, FileError> => {
  if (size === undefined) {
    return Result.succeed({ size, partSize: MAX_PART_SIZE, parts: undefined, big: true })
  }
  if (!(size > 0)) return Result.fail(new FileError({ reason: "empty" }))
  if (!(size <= MAX_SIZE)) return Result.fail(new FileError({ reason: "too-large" }))
  if (!Number.isInteger(size)) return Result.fail(new FileError({ reason: "source-changed" }))
  const partSize = partSizeOf(size)
  return Result.succeed({ size, partSize, parts: Math.ceil(size / partSize), big: size > BIG })
}

/**
 * How the server is asked for a file of this stored size: pieces of 128 KiB, 512 KiB for big files. Both are allowed by
 * every rule of `upload.getFile`.
 *
 * @category sizes
 * @since 1.0.0
 */
export const pieceSizeOf = (stored: number): number => stored > BIG ? MAX_PART_SIZE : 128 * KIB

/**
 * How many parts are under way at a time unless told otherwise: a megabyte of them, but 4 to 16.
 *
 * @category sizes
 * @since 1.0.0
 */
export const concurrencyOf = (partSize: number): number => Math.max(4, Math.min(16, Math.floor(KIB * KIB / partSize)))
