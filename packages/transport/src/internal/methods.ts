/**
 * What is known about methods of the API and cannot be read from its schema.
 */
import type * as Api from "@effect-mtproto/core/Api"

/** One-time secrets: a second execution fails, or counts as another attempt to guess. */
const ONCE = new Set([
  "auth.signIn",
  "auth.signUp",
  "auth.checkPassword",
  "auth.recoverPassword",
  "auth.importLoginToken",
  "auth.acceptLoginToken",
  "auth.importAuthorization"
])

export const isRepeatable = (tag: string): boolean => !ONCE.has(tag)

/** Encrypted and packed data only grows. */
const DENSE = new Set([
  "messages.sendEncrypted",
  "messages.sendEncryptedService",
  "messages.sendEncryptedFile",
  "upload.saveFilePart",
  "upload.saveBigFilePart"
])

export const isCompressible = (tag: string): boolean => !DENSE.has(tag)

const UPDATES = new Set([
  "updatesTooLong",
  "updateShort",
  "updateShortMessage",
  "updateShortChatMessage",
  "updateShortSentMessage",
  "updatesCombined",
  "updates"
])

/** Whether a result is updates, which count in the order of all updates. */
export const isUpdates = (result: unknown): result is Api.Updates =>
  typeof result === "object" && result !== null && "_tag" in result && UPDATES.has(result._tag as string)
