/**
 * Constructor ids: the CRC-32 of the constructor's line in its canonical form.
 *
 * The canonical form is the line without id, semicolon, braces and angle brackets, with `string` for `bytes` (except in
 * `Vector<bytes>`), and without the fields `flags.n?true` that occupy no bytes. Source:
 * core.telegram.org/mtproto/TL-formal, core.telegram.org/mtproto/TL-optargs.
 *
 * @since 1.0.0
 */
import { crc32 } from "./internal/crc32.ts"

/**
 * The text whose checksum is the id: `inputUser#f21158c6 user_id:long access_hash:long = InputUser;` becomes
 * `inputUser user_id:long access_hash:long = InputUser`.
 *
 * @category combinators
 * @since 1.0.0
 */
export const canonical = (line: string): string =>
  line
    .replace(/;.*$/, "")
    .replace(/^([\w.]+)#[0-9a-fA-F]+/, "$1")
    .replace(/ \w+:\w+\.\d+\?true\b/g, "")
    .replace(/([:?])bytes\b/g, "$1string")
    .replace(/</g, " ")
    .replace(/[>{}]/g, "")
    .replace(/\s+/g, " ")
    .trim()

/**
 * The id of the constructor or method that a TL line declares, unsigned.
 *
 * @category constructors
 * @since 1.0.0
 */
export const compute = (line: string): number => crc32(new TextEncoder().encode(canonical(line)))

/**
 * The id as TL text writes it: eight hexadecimal digits.
 *
 * @category combinators
 * @since 1.0.0
 */
export const format = (id: number): string => (id >>> 0).toString(16).padStart(8, "0")
