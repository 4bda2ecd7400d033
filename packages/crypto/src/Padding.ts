/**
 * How many random bytes follow the payload inside an encrypted message.
 *
 * MTProto 2.0 (core.telegram.org/mtproto/description) wants 12 to 1024 bytes of
 * padding and whole blocks of 16. Official clients round up to one of a few
 * sizes, so that the length on the wire says little about the content; so does
 * {@link bucketed}. {@link minimal} is the least that the protocol allows.
 *
 * @since 1.0.0
 */

/**
 * The least number of padding bytes that a receiver accepts.
 *
 * @since 1.0.0
 * @category constants
 */
export const MIN_PADDING = 12

/**
 * The greatest number of padding bytes that a receiver accepts.
 *
 * @since 1.0.0
 * @category constants
 */
export const MAX_PADDING = 1024

const SIZES = [64, 128, 192, 256, 384, 512, 768, 1024, 1280]
const LAST = 1280
const STEP = 448

/**
 * The padding, in bytes, that brings `length` bytes to the next size of the
 * ladder 64, 128, 192, 256, 384, 512, 768, 1024, 1280, then steps of 448: what
 * TDLib does. Between 12 and 471.
 *
 * @since 1.0.0
 * @category padding
 */
export const bucketed = (length: number): number => {
  const least = length + minimal(length)
  for (const size of SIZES) if (least <= size) return size - length
  return Math.ceil((least - LAST) / STEP) * STEP + LAST - length
}

/**
 * The least padding that makes whole blocks: between 12 and 27 bytes.
 *
 * @since 1.0.0
 * @category padding
 */
export const minimal = (length: number): number => MIN_PADDING + ((16 - ((length + MIN_PADDING) & 15)) & 15)
