/**
 * What is known about methods and results of the API and cannot be read from its
 * schema: for whoever puts another client behind `Transport`.
 *
 * @since 1.0.0
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

/**
 * Whether a method, by its name in TL, may be executed twice without harm.
 *
 * @since 1.0.0
 * @category predicates
 */
export const isRepeatable = (tag: string): boolean => !ONCE.has(tag)

/** Encrypted and packed data only grows. */
const DENSE = new Set([
  "messages.sendEncrypted",
  "messages.sendEncryptedService",
  "messages.sendEncryptedFile",
  "upload.saveFilePart",
  "upload.saveBigFilePart"
])

/**
 * Whether compressing a request of this method can make it smaller.
 *
 * @since 1.0.0
 * @category predicates
 */
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

/**
 * Whether a constructor, by its name in TL, is one of the type `Updates`.
 *
 * @since 1.0.0
 * @category predicates
 */
export const isUpdatesTag = (tag: unknown): boolean => UPDATES.has(tag as string)

/**
 * Whether a result is updates, which count in the order of all updates.
 *
 * @since 1.0.0
 * @category predicates
 */
export const isUpdates = (result: unknown): result is Api.Updates =>
  typeof result === "object" && result !== null && "_tag" in result && isUpdatesTag(result._tag)

/** Errors that mean that the login is over, whatever was called. */
const LOGGED_OUT = new Set([
  "AUTH_KEY_UNREGISTERED",
  "AUTH_KEY_INVALID",
  "SESSION_REVOKED",
  "SESSION_EXPIRED",
  "USER_DEACTIVATED",
  "USER_DEACTIVATED_BAN"
])

/**
 * Whether an error of the server means that the login is over, whatever was called.
 *
 * @since 1.0.0
 * @category predicates
 */
export const isLoggedOut = (type: string): boolean => LOGGED_OUT.has(type)

/**
 * The error of a session that two programs have used at the same time.
 *
 * @since 1.0.0
 * @category constants
 */
export const DUPLICATED = "AUTH_KEY_DUPLICATED"
