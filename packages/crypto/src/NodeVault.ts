/**
 * `Vault` on Node: XAES-256-GCM (AES-256-GCM with nonces of 24 random bytes) for values and for the wrapped master key,
 * HMAC-SHA-256 for lookups, HKDF-SHA-256 between keys of different use, Argon2id for passphrases, all of `node:crypto`.
 *
 * **Gotchas**
 *
 * Passphrases need a Node with Argon2 (24.7 or later); keys work with any.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as NodeCrypto from "node:crypto"
import * as Random from "./internal/random.ts"
import * as Xaes from "./internal/xaes.ts"
import { argon2Defaults, type Argon2Parameters, type Secret, Vault, VaultError } from "./Vault.ts"

/**
 * Where the wrapped master key is kept: one line of text.
 *
 * @since 1.0.0
 * @category models
 */
export interface Storage {
  readonly read: Effect.Effect<string | undefined, VaultError>
  /** Stores the line unless there is one already. */
  readonly insert: (entry: string) => Effect.Effect<void, VaultError>
  /** Puts `next` in the place of `previous`; `false`, and no change, if that is not what is stored. */
  readonly replace: (previous: string, next: string) => Effect.Effect<boolean, VaultError>
}

const KEY_LENGTH = 32
const VALUE_VERSION = 1
const MAX_ENTRY = 1024

const invalid = (description: string) => new VaultError({ reason: "invalid", description })
const corrupt = () => new VaultError({ reason: "corrupt", description: "What is stored is not the entry of a vault" })
const wrong = () => new VaultError({ reason: "wrong-secret", description: "The vault does not open with this secret" })

const randomBytes = Random.makePooled((array) => NodeCrypto.randomFillSync(array))

const utf8 = new TextEncoder()

/** UTF-8 would spell strings with half a surrogate pair alike. */
const place = (context: string): Uint8Array => Buffer.from(context, "utf16le")

// ----- the secret

const isWithin = (value: number, minimum: number, maximum: number): boolean =>
  Number.isInteger(value) && value >= minimum && value <= maximum

const isUsable = ({ memory, parallelism, passes }: Argon2Parameters): boolean =>
  isWithin(parallelism, 1, 16) && isWithin(memory, 8 * parallelism, 2 ** 21) && isWithin(passes, 1, 64)

const derive = (key: Uint8Array, purpose: string): Uint8Array =>
  new Uint8Array(NodeCrypto.hkdfSync("sha256", key, new Uint8Array(0), `effect-mtproto vault ${purpose}`, KEY_LENGTH))

const argon2 = (
  passphrase: string,
  salt: Uint8Array,
  { memory, parallelism, passes }: Argon2Parameters
): Effect.Effect<Uint8Array, VaultError> =>
  Effect.callback<Uint8Array, VaultError>((resume) => {
    const unavailable = (description: string, cause?: unknown) =>
      resume(Effect.fail(
        new VaultError({ reason: "unavailable", description, ...(cause === undefined ? {} : { cause }) })
      ))
    // Older engines do not have it, whatever the types say.
    const run = NodeCrypto.argon2 as typeof NodeCrypto.argon2 | undefined
    if (run === undefined) return unavailable("A passphrase needs Argon2, which this version of Node does not have")
    // One spelling for what looks alike.
    const message = utf8.encode(passphrase.normalize("NFC"))
    try {
      run("argon2id", { message, nonce: salt, parallelism, memory, passes, tagLength: KEY_LENGTH }, (error, key) => {
        message.fill(0)
        if (error !== null && error !== undefined) unavailable("Argon2 could not be run", error)
        else resume(Effect.succeed(new Uint8Array(key)))
      })
    } catch (error) {
      message.fill(0)
      unavailable("Argon2 could not be run", error)
    }
  })

/** The key that wraps, for the entry that begins with `head`. */
const wrappingKey = (secret: Secret, head: Head): Effect.Effect<Uint8Array, VaultError> =>
  Effect.suspend(() => {
    if ("key" in secret) {
      if (head._tag !== "key") return Effect.fail(wrong())
      const key = Redacted.value(secret.key)
      return key.length === KEY_LENGTH
        ? Effect.succeed(derive(key, "wrap"))
        : Effect.fail(invalid(`The key of a vault has ${KEY_LENGTH} bytes`))
    }
    if (head._tag !== "argon2id") return Effect.fail(wrong())
    const passphrase = Redacted.value(secret.passphrase)
    if (passphrase.length === 0) return Effect.fail(invalid("The passphrase is empty"))
    return argon2(passphrase, head.salt, head.parameters)
  })

// ----- the entry: vault:1:key:<sealed> or vault:1:argon2id:m=65536,t=3,p=4:<salt>:<sealed>

type Head =
  | { readonly _tag: "key" }
  | { readonly _tag: "argon2id"; readonly parameters: Argon2Parameters; readonly salt: Uint8Array }

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")

const writeHead = (head: Head): string => {
  if (head._tag === "key") return "vault:1:key"
  const { memory, parallelism, passes } = head.parameters
  return `vault:1:argon2id:m=${memory},t=${passes},p=${parallelism}:${base64(head.salt)}`
}

const entryPattern =
  /^vault:1:(?:key|argon2id:m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,9}):([A-Za-z0-9_-]{22})):([A-Za-z0-9_-]{96})$/

const readEntry = (
  entry: string
): Effect.Effect<{ readonly head: Head; readonly sealed: Uint8Array }, VaultError> => {
  const match = entry.length > MAX_ENTRY ? null : entryPattern.exec(entry)
  if (match === null) {
    const version = /^vault:(\d{1,9}):/.exec(entry.slice(0, MAX_ENTRY))?.[1]
    return Effect.fail(
      version === undefined || Number(version) <= 1 ? corrupt() : new VaultError({
        reason: "newer",
        description: "The vault was written by a newer version of this software"
      })
    )
  }
  const sealed = new Uint8Array(Buffer.from(match[5]!, "base64url"))
  if (match[4] === undefined) return Effect.succeed({ head: { _tag: "key" }, sealed })
  const parameters = { memory: Number(match[1]), passes: Number(match[2]), parallelism: Number(match[3]) }
  return isUsable(parameters)
    ? Effect.succeed({
      head: { _tag: "argon2id", parameters, salt: new Uint8Array(Buffer.from(match[4], "base64url")) },
      sealed
    })
    : Effect.fail(corrupt())
}

const wrap = Effect.fnUntraced(function*(master: Uint8Array, secret: Secret): Effect.fn.Return<string, VaultError> {
  const parameters = { ...argon2Defaults, ...("passphrase" in secret ? secret.argon2 : undefined) }
  if (!isUsable(parameters)) return yield* invalid("The parameters of Argon2 are out of range")
  const head: Head = "key" in secret
    ? { _tag: "key" }
    : { _tag: "argon2id", parameters, salt: randomBytes(16) }
  const key = yield* wrappingKey(secret, head)
  const nonce = randomBytes(Xaes.NONCE_LENGTH)
  const text = writeHead(head)
  const sealed = Xaes.make(key).seal(nonce, utf8.encode(text), master)
  key.fill(0)
  return `${text}:${base64(Buffer.concat([nonce, sealed]))}`
})

const unwrap = Effect.fnUntraced(function*(entry: string, secret: Secret): Effect.fn.Return<Uint8Array, VaultError> {
  const { head, sealed } = yield* readEntry(entry)
  const key = yield* wrappingKey(secret, head)
  const master = Xaes.make(key).open(
    sealed.subarray(0, Xaes.NONCE_LENGTH),
    utf8.encode(writeHead(head)),
    sealed.subarray(Xaes.NONCE_LENGTH)
  )
  key.fill(0)
  return master ?? (yield* wrong())
})

/** The master key and its entry. */
const open = Effect.fnUntraced(function*(
  secret: Secret,
  storage: Storage
): Effect.fn.Return<readonly [Uint8Array, string], VaultError> {
  const found = yield* storage.read
  if (found !== undefined) return [yield* unwrap(found, secret), found]
  const fresh = randomBytes(KEY_LENGTH)
  const entry = yield* wrap(fresh, secret)
  yield* storage.insert(entry)
  // Somebody else may have been quicker.
  const stored = yield* storage.read
  if (stored === entry) return [fresh, entry]
  fresh.fill(0)
  return stored === undefined ? yield* corrupt() : [yield* unwrap(stored, secret), stored]
})

// ----- values

/**
 * Opens the vault of a storage, or makes one there if it has none. The master key is overwritten when the scope ends.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make = Effect.fn("NodeVault.make")(function*(options: {
  readonly secret: Secret
  readonly storage: Storage
}): Effect.fn.Return<Vault["Service"], VaultError, Scope.Scope> {
  const { secret, storage } = options
  const [master, entry] = yield* Effect.acquireRelease(
    open(secret, storage),
    ([key]) => Effect.sync(() => key.fill(0))
  )
  let current = entry

  const sealing = derive(master, "seal")
  const xaes = Xaes.make(sealing)
  sealing.fill(0)
  const hashing = derive(master, "mac")
  const macKey = NodeCrypto.createSecretKey(hashing)
  hashing.fill(0)

  return Vault.of({
    seal: (context, data) => {
      const nonce = randomBytes(Xaes.NONCE_LENGTH)
      const sealed = xaes.seal(nonce, place(context), data)
      const out = new Uint8Array(1 + Xaes.NONCE_LENGTH + sealed.length)
      out[0] = VALUE_VERSION
      out.set(nonce, 1)
      out.set(sealed, 1 + Xaes.NONCE_LENGTH)
      return out
    },
    open: (context, sealed) =>
      sealed[0] === VALUE_VERSION && sealed.length >= 1 + Xaes.NONCE_LENGTH + Xaes.TAG_LENGTH
        ? xaes.open(
          sealed.subarray(1, 1 + Xaes.NONCE_LENGTH),
          place(context),
          sealed.subarray(1 + Xaes.NONCE_LENGTH)
        )
        : undefined,
    mac: (context, data) => {
      const at = place(context)
      const length = new Uint8Array(4)
      new DataView(length.buffer).setUint32(0, at.length)
      const digest = NodeCrypto.createHmac("sha256", macKey).update(length).update(at).update(data).digest()
      return new Uint8Array(digest)
    },
    rewrap: Effect.fn("Vault.rewrap")(function*(next) {
      const replacement = yield* wrap(master, next)
      if (!(yield* storage.replace(current, replacement))) {
        return yield* new VaultError({
          reason: "conflict",
          description: "The secret of the vault was changed by somebody else"
        })
      }
      current = replacement
    })
  })
})

/**
 * A vault that ends with its layer: over a store in memory, and in tests.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerMemory: Layer.Layer<Vault> = Layer.effect(
  Vault,
  Effect.suspend(() => {
    let stored: string | undefined
    const storage: Storage = {
      read: Effect.sync(() => stored),
      insert: (entry) =>
        Effect.sync(() => {
          stored ??= entry
        }),
      replace: (previous, next) =>
        Effect.sync(() => {
          if (stored !== previous) return false
          stored = next
          return true
        })
    }
    const key = Redacted.make(randomBytes(KEY_LENGTH), { label: "vaultKey" })
    return Effect.orDie(make({ secret: { key }, storage }))
  })
)
