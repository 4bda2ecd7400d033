/**
 * What names a session, and proves that one may use it.
 *
 * A token of a person is `<user id>:<secret>`, the secret being 32 random bytes in base64url; before the login is complete
 * it is the secret alone. A bot's token is the one that BotFather gave. Tokens are stored as a keyed hash, so that whoever
 * reads the database can neither use nor try them, and are compared in constant time.
 *
 * @since 1.0.0
 */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { Vault } from "@effect-mtproto/crypto/Vault"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Redacted from "effect/Redacted"

/**
 * @category models
 * @since 1.0.0
 */
export type Kind = "user" | "bot"

const SECRET_BYTES = 32
/** Longer ones were never issued. */
const MAX_LENGTH = 256

/**
 * A token for a login that is under way.
 *
 * @category constructors
 * @since 1.0.0
 */
export const temporary = (crypto: Crypto["Service"]): Redacted.Redacted<string> =>
  Redacted.make(Base64Url.encode(crypto.randomBytes(SECRET_BYTES)), { label: "token" })

/**
 * A token for an account that is logged in.
 *
 * @category constructors
 * @since 1.0.0
 */
export const permanent = (crypto: Crypto["Service"], userId: bigint): Redacted.Redacted<string> =>
  Redacted.make(`${userId}:${Base64Url.encode(crypto.randomBytes(SECRET_BYTES))}`, { label: "token" })

const patterns: { readonly [kind in Kind]: RegExp } = {
  user: /^(?:\d{1,19}:)?[A-Za-z0-9_-]{43}$/,
  bot: /^\d{1,19}:[A-Za-z0-9_-]{20,200}$/
}

/**
 * Whether a text can be a token at all.
 *
 * @category guards
 * @since 1.0.0
 */
export const isPlausible = (kind: Kind, token: string): boolean =>
  token.length <= MAX_LENGTH && patterns[kind].test(token)

const utf8 = new TextEncoder()

/**
 * What is stored in place of a token: 32 bytes.
 *
 * @category hashing
 * @since 1.0.0
 */
export const hash = (vault: Vault["Service"], kind: Kind, token: Redacted.Redacted<string>): Uint8Array =>
  vault.mac(`gateway token ${kind}`, utf8.encode(Redacted.value(token)))

/**
 * Whether two secrets of any length are equal; how long it takes does not depend on where they differ.
 *
 * @category guards
 * @since 1.0.0
 */
export const isEqual = (crypto: Crypto["Service"], left: Redacted.Redacted<string>, right: string): boolean =>
  crypto.constantTimeEqual(
    crypto.sha256(utf8.encode(Redacted.value(left))),
    crypto.sha256(utf8.encode(right))
  )
