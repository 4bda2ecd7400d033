/**
 * How far a transfer is.
 *
 * @since 1.0.0
 */

/**
 * @category models
 * @since 1.0.0
 */
export interface FileProgress {
  readonly _tag: "Progress"
  /** Bytes of the file that are through, in order and without gaps. */
  readonly transferred: number
  /** Bytes of the whole file, if that is known. */
  readonly total: number | undefined
}

/**
 * @category constructors
 * @since 1.0.0
 */
export const make = (transferred: number, total: number | undefined): FileProgress => ({
  _tag: "Progress",
  transferred,
  total
})
