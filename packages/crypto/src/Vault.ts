/**
 * Seals what is stored, so that a stolen database, disk or backup gives nothing away.
 *
 * A vault has one random **master key**. Values are sealed under keys derived from it; the master key itself is stored
 * next to them, wrapped by a {@link Secret}: a passphrase (through Argon2id) or a key of 32 bytes. Changing the secret
 * wraps the master key anew and leaves every sealed value as it is.
 *
 * A sealed value is bound to a **context**, the place where it belongs (table, account, row): moved to another place it
 * does not open. What cannot be noticed: a value that is gone, and a value replaced by an older one of the same place.
 *
 * Layers: `NodeVault.layerMemory`, and `SqlVault` in `@effect-mtproto/transport`.
 *
 * @since 1.0.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/**
 * A vault that cannot be opened or changed. Nothing was changed when it is reported.
 *
 * - `wrong-secret`: the passphrase or key does not open it (or its entry was tampered with, which looks the same)
 * - `invalid`: the given secret is none: an empty passphrase, a key that has not 32 bytes, parameters out of range
 * - `corrupt`: what is stored is not the entry of a vault
 * - `newer`: the entry was written by a newer version of this software
 * - `conflict`: somebody else has changed the secret meanwhile
 * - `unavailable`: the storage failed, or the engine has no Argon2
 *
 * @since 1.0.0
 * @category errors
 */
export class VaultError extends Schema.TaggedError<VaultError>()("VaultError", {
  reason: Schema.Literals(["wrong-secret", "invalid", "corrupt", "newer", "conflict", "unavailable"]),
  /** What was wrong, in words; never the secret. */
  description: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return this.description
  }
}

/**
 * The cost of guessing a passphrase once. Kept beside the wrapped key, so that it can be raised later.
 *
 * @since 1.0.0
 * @category models
 */
export interface Argon2Parameters {
  /** KiB; default 65536 (64 MiB). From 8 for each lane to 2097152 (2 GiB). */
  readonly memory: number
  /** Default 3; 1 to 64. */
  readonly passes: number
  /** Lanes; default 4; 1 to 16. */
  readonly parallelism: number
}

/**
 * The parameters of RFC 9106 for where memory is not plentiful: about half a second of one core.
 *
 * @since 1.0.0
 * @category models
 */
export const argon2Defaults: Argon2Parameters = { memory: 65_536, passes: 3, parallelism: 4 }

/**
 * What opens a vault: a passphrase that a person knows, or 32 random bytes that a machine keeps elsewhere (an environment
 * variable, a key management service).
 *
 * `argon2` counts when the vault is made or its secret is changed; to open a vault, what is stored beside the wrapped
 * key counts.
 *
 * @since 1.0.0
 * @category models
 */
export type Secret =
  | {
    readonly passphrase: Redacted.Redacted<string>
    readonly argon2?: Partial<Argon2Parameters> | undefined
  }
  | { readonly key: Redacted.Redacted<Uint8Array> }

/**
 * An open vault.
 *
 * @since 1.0.0
 * @category services
 */
export class Vault extends Context.Service<Vault, {
  /** Encrypts and authenticates `data` for one place: {@link overhead} bytes longer, different each time. */
  readonly seal: (context: string, data: Uint8Array) => Uint8Array

  /** What was sealed for this place; `undefined` for anything else. */
  readonly open: (context: string, sealed: Uint8Array) => Uint8Array | undefined

  /** A keyed hash of 32 bytes, equal for equal data of one context: to find again what must not be readable. */
  readonly mac: (context: string, data: Uint8Array) => Uint8Array

  /**
   * Changes the secret: wraps the master key anew. Sealed values stay as they are, and open vaults stay open.
   *
   * **Gotchas**
   *
   * Whoever has an older copy of the database still opens that copy with the old secret.
   */
  readonly rewrap: (secret: Secret) => Effect.Effect<void, VaultError>
}>()("@effect-mtproto/crypto/Vault") {}

/**
 * How much longer a sealed value is: a version byte, a nonce of 24 bytes, a tag of 16.
 *
 * @since 1.0.0
 * @category models
 */
export const overhead = 41

const decodeKey = (text: string): Uint8Array | undefined => {
  const hex = /^[0-9a-f]{64}$/i.test(text)
  if (!hex && !/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return undefined
  if (hex) return Uint8Array.from(text.match(/../g)!, (pair) => parseInt(pair, 16))
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/").replace(/=$/, ""))
  return Uint8Array.from(binary, (char) => char.charCodeAt(0))
}

/**
 * Reads the secret from the configuration, by default from the environment: `VAULT_KEY` (32 bytes in hexadecimal or
 * base64), else `VAULT_PASSPHRASE`.
 *
 * @since 1.0.0
 * @category configuration
 */
export const secretConfig: Config.Config<Secret> = Config.orElse(
  Config.map(Config.Redacted("VAULT_KEY"), (text): Secret => {
    // An unusable key is refused when the vault is opened; there is a fitting error for it there.
    const key = decodeKey(Redacted.value(text).trim()) ?? new Uint8Array(0)
    return { key: Redacted.make(key, { label: "vaultKey" }) }
  }),
  () => Config.map(Config.Redacted("VAULT_PASSPHRASE"), (passphrase): Secret => ({ passphrase }))
)
