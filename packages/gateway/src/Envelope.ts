/**
 * The bodies of answers.
 *
 * - `{"ok":true,"result":…}` and `{"ok":false,"error_code":N,"description":"…"}`, with `parameters` for programs:
 *   `type` (`DATA_INVALID`), `retry_after` (seconds), `sent` (what was sent before a part of a long message failed)
 * - under `/api/…`: `{"success":true,"response":…,"errors":[]}`
 *
 * @since 1.0.0
 */
import type { Failure } from "./Failure.ts"
import * as Json from "./Json.ts"

/**
 * `ok`: as documented for `/user…` and `/bot…`; `success`: as under `/api/…`.
 *
 * @category models
 * @since 1.0.0
 */
export type Style = "ok" | "success"

/**
 * @category writing
 * @since 1.0.0
 */
export const success = (style: Style, result: unknown): string =>
  style === "ok"
    ? `{"ok":true,"result":${Json.stringify(result ?? null)}}`
    : `{"success":true,"response":${Json.stringify(result ?? null)},"errors":[]}`

/**
 * @category writing
 * @since 1.0.0
 */
export const failure = (style: Style, error: Failure): string => {
  const { code, description, retryAfter, sent, type } = error
  const parameters = {
    type,
    ...(retryAfter === undefined ? {} : { retry_after: retryAfter }),
    ...(sent === undefined ? {} : { sent })
  }
  return Json.stringify(
    style === "ok"
      ? { ok: false, error_code: code, description, parameters }
      : { success: false, response: null, errors: [{ exception: type, message: description, code, parameters }] }
  )
}
