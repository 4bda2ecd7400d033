/**
 * Giving the memory of large arrays back without waiting for the garbage collector.
 *
 * Engines collect the memory behind byte arrays late: some tens of megabytes of them pile up before they look. Whoever
 * moves files made of such arrays, and knows when an array has been read for the last time, says so here. An array that
 * was given back has no bytes any more; small ones are left to the collector, which is cheaper.
 *
 * @since 1.0.0
 */

/** Below this size, in bytes, an array is not worth it. */
const LEAST = 16_384

/** What a view may leave out of its buffer: the head of a message with nothing else in it. */
const SLACK = 31

const lent = new WeakSet<ArrayBufferLike>()

const isWhole = (bytes: Uint8Array, slack: number): boolean =>
  bytes.length >= LEAST && bytes.buffer.byteLength - bytes.length <= slack

/**
 * Gives back the memory of an array that the caller owns and that nobody reads any more. Arrays that share their memory
 * with others are left alone: only those are given back that take all of their buffer but for `slack` bytes at most.
 *
 * @category releasing
 * @since 1.0.0
 */
export const release = (bytes: Uint8Array, slack: number = SLACK): void => {
  if (!isWhole(bytes, slack)) return
  const buffer = bytes.buffer as ArrayBuffer & { readonly transfer?: (length: number) => ArrayBuffer }
  // a SharedArrayBuffer has no such method, older engines have none either
  buffer.transfer?.(0)
}

/**
 * Marks an array that is handed to somebody who may be its last reader: see `giveBack`.
 *
 * @category releasing
 * @since 1.0.0
 */
export const lend = (bytes: Uint8Array): void => {
  if (isWhole(bytes, SLACK)) lent.add(bytes.buffer)
}

/**
 * Releases an array, or the rest of a message with nothing else in it, if it was lent; any other is left alone, for
 * somebody may keep it.
 *
 * @category releasing
 * @since 1.0.0
 */
export const giveBack = (bytes: Uint8Array): void => {
  if (lent.delete(bytes.buffer)) release(bytes)
}
