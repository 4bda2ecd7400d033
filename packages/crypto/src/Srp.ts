/**
 * Two-step verification: the SRP of core.telegram.org/api/srp, for the client,
 * and for a server that checks it.
 *
 * The password never leaves this module; what is sent proves that it is known.
 * Every check on the server's values is made before the password is used.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Crypto } from "./Crypto.ts"
import { checkFailed, type CryptoError, invalidArgument } from "./CryptoError.ts"
import * as DiffieHellman from "./DiffieHellman.ts"
import * as Bytes from "./internal/bytes.ts"

const LENGTH = 256
const ITERATIONS = 100_000
// a random number of 2048 bits is shorter with probability 2^-64
const MIN_B = 248

/**
 * The parameters of
 * `passwordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow`.
 *
 * @since 1.0.0
 * @category models
 */
export interface Algorithm extends DiffieHellman.Parameters {
  readonly salt1: Uint8Array
  readonly salt2: Uint8Array
}

/**
 * What `inputCheckPasswordSRP` carries.
 *
 * @since 1.0.0
 * @category models
 */
export interface Proof {
  /** `A`, 256 bytes. */
  readonly a: Uint8Array
  /** `M1`, 32 bytes. */
  readonly m1: Uint8Array
}

/**
 * Makes the proof for the password.
 *
 * `srpB` is `srp_B` as the server sent it. `secret` replaces the 256 random
 * bytes of the exponent.
 *
 * Fails with `DiffieHellmanError` if the group is not safe, and with
 * `CryptoError` if `srp_B` is not.
 *
 * @since 1.0.0
 * @category client
 */
export const prove: (crypto: Crypto["Service"], options: {
  readonly algorithm: Algorithm
  readonly srpB: Uint8Array
  readonly password: Redacted.Redacted<string>
  readonly secret?: Uint8Array | undefined
}) => Effect.Effect<Proof, CryptoError | DiffieHellman.DiffieHellmanError> = Effect.fnUntraced(
  function*(crypto, { algorithm, password, secret, srpB }) {
    const group = yield* DiffieHellman.checkGroup(crypto, algorithm)
    const b = checkB(group.p, srpB)
    if (b === undefined) return yield* checkFailed("Srp.prove", "the server's value is out of range")
    const pair = secret === undefined
      ? yield* DiffieHellman.generate(crypto, group)
      : { secret, publicValue: yield* unchecked(crypto, group, secret) }
    const u = crypto.sha256(pair.publicValue, b)
    if (u.every((byte) => byte === 0)) return yield* checkFailed("Srp.prove", "the scrambling number is zero")
    const x = yield* passwordHash(crypto, algorithm, password)
    const p = Bytes.toBigInt(group.p)
    const v = Bytes.toBigInt(yield* crypto.modPow(Uint8Array.of(group.g), x, group.p))
    const k = multiplier(crypto, group)
    // made non-negative: k v may exceed B
    const t = (((Bytes.toBigInt(b) - k * v) % p) + p) % p
    const exponent = Bytes.toBigInt(pair.secret) + Bytes.toBigInt(u) * Bytes.toBigInt(x)
    const exponentBytes = Bytes.fromBigInt(exponent, LENGTH + 1)
    const shared = yield* crypto.modPow(Bytes.fromBigInt(t, LENGTH), exponentBytes, group.p)
    const m1 = computeM1(crypto, group, algorithm, pair.publicValue, b, crypto.sha256(shared))
    x.fill(0)
    exponentBytes.fill(0)
    shared.fill(0)
    return { a: pair.publicValue, m1 }
  }
)

// A given exponent is for reproducing a known proof, where a small public value is no danger to a stored secret.
const unchecked = (
  crypto: Crypto["Service"],
  group: DiffieHellman.Group,
  secret: Uint8Array
): Effect.Effect<Uint8Array, CryptoError> =>
  secret.length === LENGTH
    ? crypto.modPow(Uint8Array.of(group.g), secret, group.p)
    : Effect.fail(invalidArgument("Srp.prove", "the secret exponent must have 256 bytes"))

/**
 * The verifier `v` of a password: what the server stores, and what setting a
 * new password sends as `new_password_hash`, 256 bytes.
 *
 * For a new password, `salt1` is the server's followed by 32 random bytes: see
 * {@link newSalt}.
 *
 * @since 1.0.0
 * @category client
 */
export const verifier: (crypto: Crypto["Service"], options: {
  readonly algorithm: Algorithm
  readonly password: Redacted.Redacted<string>
}) => Effect.Effect<Uint8Array, CryptoError | DiffieHellman.DiffieHellmanError> = Effect.fnUntraced(
  function*(crypto, { algorithm, password }) {
    const group = yield* DiffieHellman.checkGroup(crypto, algorithm)
    const x = yield* passwordHash(crypto, algorithm, password)
    const v = yield* crypto.modPow(Uint8Array.of(group.g), x, group.p)
    x.fill(0)
    return v
  }
)

/**
 * The first salt of a new password: the server's, and 32 random bytes.
 *
 * @since 1.0.0
 * @category client
 */
export const newSalt = (crypto: Crypto["Service"], salt1: Uint8Array): Uint8Array =>
  Bytes.concat([salt1, crypto.randomBytes(32)])

/**
 * The hash `PH2` of a password, 32 bytes: the secret exponent `x`.
 *
 * @since 1.0.0
 * @category client
 */
export const passwordHash: (
  crypto: Crypto["Service"],
  salts: { readonly salt1: Uint8Array; readonly salt2: Uint8Array },
  password: Redacted.Redacted<string>
) => Effect.Effect<Uint8Array, CryptoError> = Effect.fnUntraced(function*(crypto, { salt1, salt2 }, password) {
  const salted = (data: Uint8Array, salt: Uint8Array): Uint8Array => crypto.sha256(salt, data, salt)
  const first = salted(salted(new TextEncoder().encode(Redacted.value(password)), salt1), salt2)
  const stretched = yield* crypto.pbkdf2Sha512(first, salt1, ITERATIONS, 64)
  return salted(stretched, salt2)
})

/**
 * A server's challenge: `B`, and the secret that belongs to it.
 *
 * @since 1.0.0
 * @category models
 */
export interface Challenge {
  /** `srp_B`, 256 bytes. */
  readonly srpB: Uint8Array
  readonly secret: Uint8Array
}

/**
 * Makes a challenge for a verifier, on the server's side.
 *
 * @since 1.0.0
 * @category server
 */
export const challenge: (
  crypto: Crypto["Service"],
  group: DiffieHellman.Group,
  v: Uint8Array
) => Effect.Effect<Challenge, CryptoError | DiffieHellman.DiffieHellmanError> = Effect.fnUntraced(
  function*(crypto, group, v) {
    const p = Bytes.toBigInt(group.p)
    for (let attempt = 0; attempt < 4; attempt++) {
      const pair = yield* DiffieHellman.generate(crypto, group)
      const b = (multiplier(crypto, group) * Bytes.toBigInt(v) + Bytes.toBigInt(pair.publicValue)) % p
      const srpB = Bytes.fromBigInt(b, LENGTH)
      if (checkB(group.p, srpB) !== undefined) return { srpB, secret: pair.secret }
    }
    return yield* checkFailed("Srp.challenge", "no challenge in the required range was found")
  }
)

/**
 * Whether a proof is right for a verifier and a challenge, on the server's side.
 * A challenge must be used once only.
 *
 * @since 1.0.0
 * @category server
 */
export const verify: (crypto: Crypto["Service"], options: {
  readonly group: DiffieHellman.Group
  readonly salts: { readonly salt1: Uint8Array; readonly salt2: Uint8Array }
  readonly verifier: Uint8Array
  readonly challenge: Challenge
  readonly proof: Proof
}) => Effect.Effect<boolean, CryptoError> = Effect.fnUntraced(
  function*(crypto, { challenge: { secret, srpB }, group, proof, salts, verifier: v }) {
    const a = proof.a.length > LENGTH ? undefined : Bytes.toLength(proof.a, LENGTH)
    if (a === undefined) return false
    const p = Bytes.toBigInt(group.p)
    const value = Bytes.toBigInt(a)
    if (value <= 1n || value >= p - 1n) return false
    const u = crypto.sha256(a, srpB)
    const vu = Bytes.toBigInt(yield* crypto.modPow(v, u, group.p))
    const shared = yield* crypto.modPow(Bytes.fromBigInt((value * vu) % p, LENGTH), secret, group.p)
    const expected = computeM1(crypto, group, salts, a, srpB, crypto.sha256(shared))
    shared.fill(0)
    return crypto.constantTimeEqual(expected, proof.m1)
  }
)

const multiplier = (crypto: Crypto["Service"], group: DiffieHellman.Group): bigint =>
  Bytes.toBigInt(crypto.sha256(group.p, Bytes.fromBigInt(BigInt(group.g), LENGTH)))

const computeM1 = (
  crypto: Crypto["Service"],
  group: DiffieHellman.Group,
  salts: { readonly salt1: Uint8Array; readonly salt2: Uint8Array },
  a: Uint8Array,
  b: Uint8Array,
  key: Uint8Array
): Uint8Array => {
  const hp = crypto.sha256(group.p)
  const hg = crypto.sha256(Bytes.fromBigInt(BigInt(group.g), LENGTH))
  const mixed = hp.map((byte, i) => byte ^ hg[i]!)
  return crypto.sha256(mixed, crypto.sha256(salts.salt1), crypto.sha256(salts.salt2), a, b, key)
}

/** `srp_B` on 256 bytes, if 0 < B < p and it is not suspiciously short. */
const checkB = (p: Uint8Array, srpB: Uint8Array): Uint8Array | undefined => {
  if (srpB.length < MIN_B || srpB.length > LENGTH) return undefined
  const b = Bytes.toLength(srpB, LENGTH)!
  return b.some((byte) => byte !== 0) && Bytes.compare(b, p) < 0 ? b : undefined
}
