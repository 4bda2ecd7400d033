/**
 * The picture by which two people compare the key of their secret chat
 * (core.telegram.org/api/end-to-end, "Key visualization").
 *
 * 36 bytes of hashes of the *first* key of the chat make 144 squares of four
 * colours, 12 by 12; rekeying does not change it. Official clients show the
 * same picture, and the first 32 bytes as text. The 8-byte key fingerprint is no
 * substitute.
 *
 * @since 1.0.0
 */
import type { Crypto } from "./Crypto.ts"
import { invalidArgument } from "./CryptoError.ts"
import * as Bytes from "./internal/bytes.ts"
import { encodePng } from "./internal/png.ts"
import type { SharedKey } from "./SharedKey.ts"

/**
 * The length of a key hash, in bytes.
 *
 * @since 1.0.0
 * @category constants
 */
export const LENGTH = 36

/**
 * The number of squares in a row and in a column.
 *
 * @since 1.0.0
 * @category constants
 */
export const SIZE = 12

/**
 * The four colours, as `RRGGBB`.
 *
 * @since 1.0.0
 * @category constants
 */
export const COLORS: readonly [string, string, string, string] = ["FFFFFF", "D5E6F3", "2D5775", "2F99C9"]

/**
 * A square: an index into {@link COLORS}.
 *
 * @since 1.0.0
 * @category models
 */
export type Color = 0 | 1 | 2 | 3

/**
 * The key hash of a chat's first key: 16 bytes of its SHA-1, then 20 bytes of
 * its SHA-256. It is not secret between the two people, but need not be shown to
 * others.
 *
 * @since 1.0.0
 * @category constructors
 */
export const keyHash = (crypto: Crypto["Service"], key: SharedKey): Uint8Array =>
  Bytes.concat([crypto.sha1(key.bytes).subarray(0, 16), crypto.sha256(key.bytes).subarray(0, 20)])

const COORDINATES = Array.from({ length: SIZE }, (_, i) => i)

/**
 * The squares, row by row. Throws `CryptoError` unless the hash has 36 bytes.
 *
 * @since 1.0.0
 * @category rendering
 */
export const toGrid = (hash: Uint8Array): ReadonlyArray<ReadonlyArray<Color>> => {
  if (hash.length !== LENGTH) throw invalidArgument("KeyVisualization.toGrid", `a key hash has ${LENGTH} bytes`)
  return COORDINATES.map((row) =>
    COORDINATES.map((column) => {
      // two bits a square, the lowest pair of each byte first
      const i = row * SIZE + column
      return ((hash[i >> 2]! >> (2 * (i & 3))) & 3) as Color
    })
  )
}

/**
 * The picture as an SVG document. `size` is its width and height in pixels
 * (default 264).
 *
 * @since 1.0.0
 * @category rendering
 */
export const toSvg = (hash: Uint8Array, options?: { readonly size?: number | undefined }): string => {
  const size = options?.size ?? 264
  const paths = COLORS.map(() => "")
  toGrid(hash).forEach((row, y) => {
    for (let x = 0; x < SIZE;) {
      const color = row[x]!
      const start = x
      while (x < SIZE && row[x] === color) x++
      paths[color] += `M${start} ${y}h${x - start}v1h-${x - start}z`
    }
  })
  const shapes = paths.flatMap((path, i) => path === "" ? [] : [`<path fill="#${COLORS[i]}" d="${path}"/>`])
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}" viewBox="0 0 ${SIZE} ${SIZE}"` +
    ` shape-rendering="crispEdges"><title>Encryption key</title>${shapes.join("")}</svg>`
}

/**
 * The picture as a PNG file, `scale` pixels a square (default 22, 1 to 256).
 *
 * @since 1.0.0
 * @category rendering
 */
export const toPng = (hash: Uint8Array, options?: { readonly scale?: number | undefined }): Uint8Array => {
  const scale = options?.scale ?? 22
  if (!Number.isInteger(scale) || scale < 1 || scale > 256) {
    throw invalidArgument("KeyVisualization.toPng", "the scale must be 1 to 256")
  }
  const grid = toGrid(hash)
  return encodePng({
    width: SIZE * scale,
    height: SIZE * scale,
    palette: COLORS,
    pixel: (x, y) => grid[Math.floor(y / scale)]![Math.floor(x / scale)]!
  })
}

/**
 * The picture for a terminal: two columns of characters a square, or, in colour,
 * two rows of squares a line of half blocks. The last line ends without a line
 * break.
 *
 * `colors` is what the terminal can show: `"truecolor"` (24 bits), `"256"`, or
 * `"none"`, which writes a letter for each colour: `.` white, `-` light, `#`
 * dark, `o` blue.
 *
 * @since 1.0.0
 * @category rendering
 */
export const toTerminal = (
  hash: Uint8Array,
  options: { readonly colors: "truecolor" | "256" | "none" }
): string => {
  const grid = toGrid(hash)
  const lines: Array<string> = []
  if (options.colors === "none") {
    for (const row of grid) lines.push(row.map((color) => LETTERS[color]!.repeat(2)).join(""))
    return lines.join("\n")
  }
  const codes = options.colors === "truecolor" ? TRUECOLOR : INDEXED
  for (let y = 0; y < SIZE; y += 2) {
    let line = ""
    for (let x = 0; x < SIZE; x++) {
      // the upper half is the foreground, the lower the background; doubled, so that squares are square
      line += `\x1b[38;${codes[grid[y]![x]!]};48;${codes[grid[y + 1]![x]!]}m\u2580\u2580`
    }
    lines.push(`${line}\x1b[0m`)
  }
  return lines.join("\n")
}

const LETTERS = [".", "-", "#", "o"]
const TRUECOLOR = COLORS.map((color) =>
  `2;${[0, 2, 4].map((i) => Number.parseInt(color.slice(i, i + 2), 16)).join(";")}`
)
// the nearest entries of the 6x6x6 cube
const INDEXED = ["5;231", "5;195", "5;24", "5;38"]

/**
 * The first 32 bytes as text, in the grouping that Telegram for Android shows:
 * four lines of eight bytes, in two groups of four.
 *
 * @since 1.0.0
 * @category rendering
 */
export const toHex = (hash: Uint8Array): string => {
  if (hash.length !== LENGTH) throw invalidArgument("KeyVisualization.toHex", `a key hash has ${LENGTH} bytes`)
  const hex = Array.from(hash.subarray(0, 32), (byte) => byte.toString(16).padStart(2, "0").toUpperCase())
  const group = (start: number): string => hex.slice(start, start + 4).join(" ")
  return [0, 8, 16, 24].map((start) => `${group(start)}  ${group(start + 4)}`).join("\n")
}
