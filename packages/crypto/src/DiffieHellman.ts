/**
 * Diffie-Hellman key agreement of MTProto and of secret chats, with every check
 * that core.telegram.org/mtproto/security_guidelines asks for.
 *
 * A group must pass {@link checkGroup} before anything can be computed in it,
 * and every public value, our own as well as the peer's, must lie in the safe
 * range. The shared key always has 256 bytes, leading zeros included.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Crypto } from "./Crypto.ts"
import { type CryptoError, invalidArgument } from "./CryptoError.ts"
import * as Bytes from "./internal/bytes.ts"
import { WELL_KNOWN_PRIME } from "./internal/prime.ts"
import * as SharedKey from "./SharedKey.ts"

const TypeId = "~@effect-mtproto/crypto/DiffieHellman/Group" as const
const LENGTH = 256
// 2^1984 as a number of 256 bytes has its only bit at the end of byte 7
const MARGIN_BYTE = 7

/**
 * A value of the agreement that a check refused.
 *
 * - `prime`: not a 2048-bit safe prime
 * - `generator`: not one of 2 to 7, or not a quadratic residue
 * - `publicValue`: outside `2^1984 <= v <= p - 2^1984`
 *
 * @since 1.0.0
 * @category errors
 */
export class DiffieHellmanError extends Schema.TaggedError<DiffieHellmanError>()("DiffieHellmanError", {
  check: Schema.Literals(["prime", "generator", "publicValue"])
}) {
  override get message(): string {
    switch (this.check) {
      case "prime":
        return "The Diffie-Hellman modulus is not a 2048-bit safe prime"
      case "generator":
        return "The Diffie-Hellman generator does not fit its modulus"
      case "publicValue":
        return "A Diffie-Hellman public value is outside the safe range"
    }
  }
}

/**
 * A modulus and generator as they come from a server: `p` big-endian, `g` small.
 *
 * @since 1.0.0
 * @category models
 */
export interface Parameters {
  readonly p: Uint8Array
  readonly g: number
}

/**
 * A group that passed every check. Made by {@link checkGroup} only.
 *
 * @since 1.0.0
 * @category models
 */
export interface Group extends Parameters {
  readonly [TypeId]: typeof TypeId
}

/**
 * A secret exponent of 2048 bits and its public value `g ^ secret mod p`, both
 * 256 bytes.
 *
 * @since 1.0.0
 * @category models
 */
export interface KeyPair {
  readonly secret: Uint8Array
  readonly publicValue: Uint8Array
}

/**
 * The 2048-bit safe prime that Telegram's servers use, with generator 3.
 *
 * @since 1.0.0
 * @category constants
 */
export const wellKnownPrime: () => Uint8Array = () => new Uint8Array(WELL_KNOWN_PRIME)

/**
 * Checks a modulus and generator: `p` has exactly 2048 bits, `g` is one of 2 to
 * 7 and a quadratic residue mod `p`, `p` and `(p - 1) / 2` are prime.
 *
 * The verdict on a prime is cached by `crypto`; the rest costs nothing, and is
 * checked every time.
 *
 * @since 1.0.0
 * @category checks
 */
export const checkGroup: (
  crypto: Crypto["Service"],
  parameters: Parameters
) => Effect.Effect<Group, DiffieHellmanError | CryptoError> = Effect.fnUntraced(function*(crypto, parameters) {
  const p = Bytes.stripLeadingZeros(parameters.p)
  if (p.length !== LENGTH || p[0]! < 0x80) return yield* new DiffieHellmanError({ check: "prime" })
  if (!isResidue(p, parameters.g)) return yield* new DiffieHellmanError({ check: "generator" })
  if (!(yield* crypto.isSafePrime(p))) return yield* new DiffieHellmanError({ check: "prime" })
  return { [TypeId]: TypeId, p, g: parameters.g }
})

const remainder = (p: Uint8Array, divisor: number): number => {
  let rest = 0
  for (let i = 0; i < p.length; i++) rest = (rest * 256 + p[i]!) % divisor
  return rest
}

const isResidue = (p: Uint8Array, g: number): boolean => {
  switch (g) {
    case 2:
      return remainder(p, 8) === 7
    case 3:
      return remainder(p, 3) === 2
    case 4:
      return true
    case 5:
      return [1, 4].includes(remainder(p, 5))
    case 6:
      return [19, 23].includes(remainder(p, 24))
    case 7:
      return [3, 5, 6].includes(remainder(p, 7))
    default:
      return false
  }
}

/**
 * Checks that a public value lies in `2^1984 <= v <= p - 2^1984` and returns it
 * left-padded to 256 bytes. Values with and without leading zeros are accepted.
 *
 * @since 1.0.0
 * @category checks
 */
export const checkPublicValue = (
  group: Group,
  value: Uint8Array
): Effect.Effect<Uint8Array, DiffieHellmanError> =>
  Effect.suspend(() => {
    const padded = value.length > 2 * LENGTH ? undefined : Bytes.toLength(value, LENGTH)
    return padded !== undefined && isInRange(group.p, padded)
      ? Effect.succeed(padded)
      : Effect.fail(new DiffieHellmanError({ check: "publicValue" }))
  })

const isInRange = (p: Uint8Array, value: Uint8Array): boolean => {
  const margin = new Uint8Array(LENGTH)
  margin[MARGIN_BYTE] = 1
  // p has its top bit set, so p - 2^1984 only borrows inside the first eight bytes
  const greatest = new Uint8Array(p)
  let i = MARGIN_BYTE
  while (i > 0 && greatest[i] === 0) greatest[i--] = 0xff
  greatest[i]!--
  return Bytes.compare(value, margin) >= 0 && Bytes.compare(value, greatest) <= 0
}

/**
 * Draws a secret exponent and computes its public value, again until the value
 * lies in the safe range.
 *
 * `serverRandom` are the random bytes that a server offers for the exponent
 * (`messages.getDhConfig`). They are mixed into 2048 bits of `crypto`'s own, so
 * that hostile ones do no harm; they are never used alone.
 *
 * @since 1.0.0
 * @category key agreement
 */
export const generate: (
  crypto: Crypto["Service"],
  group: Group,
  serverRandom?: Uint8Array | undefined
) => Effect.Effect<KeyPair, DiffieHellmanError | CryptoError> = Effect.fnUntraced(
  function*(crypto, group, serverRandom) {
    const generator = Uint8Array.of(group.g)
    // a value outside the range has probability 2^-63: more than a few of them is not bad luck
    for (let attempt = 0; attempt < 4; attempt++) {
      const secret = mixExponent(crypto.randomBytes(LENGTH), serverRandom)
      const publicValue = yield* crypto.modPow(generator, secret, group.p)
      if (isInRange(group.p, publicValue)) return { secret, publicValue }
      secret.fill(0)
    }
    return yield* new DiffieHellmanError({ check: "publicValue" })
  }
)

/**
 * Mixes random bytes of a server into 256 local ones by exclusive or: as long
 * as the local ones are random and unknown to the server, so is the result.
 *
 * Server bytes beyond 256 wrap around, so that all of them count.
 *
 * @since 1.0.0
 * @category key agreement
 */
export const mixExponent = (local: Uint8Array, serverRandom?: Uint8Array | undefined): Uint8Array => {
  if (local.length !== LENGTH) throw invalidArgument("DiffieHellman.mixExponent", "an exponent has 256 random bytes")
  const secret = new Uint8Array(local)
  if (serverRandom !== undefined) {
    for (let i = 0; i < serverRandom.length; i++) secret[i % LENGTH]! ^= serverRandom[i]!
  }
  return secret
}

/**
 * Computes the public value of a secret exponent, and checks its range.
 *
 * @since 1.0.0
 * @category key agreement
 */
export const publicValue: (
  crypto: Crypto["Service"],
  group: Group,
  secret: Uint8Array
) => Effect.Effect<Uint8Array, DiffieHellmanError | CryptoError> = Effect.fnUntraced(
  function*(crypto, group, secret) {
    return yield* checkPublicValue(group, yield* crypto.modPow(Uint8Array.of(group.g), secret, group.p))
  }
)

/**
 * Checks the peer's public value and computes the shared key from it and our
 * secret exponent.
 *
 * @since 1.0.0
 * @category key agreement
 */
export const agree: (
  crypto: Crypto["Service"],
  group: Group,
  secret: Uint8Array,
  peerValue: Uint8Array
) => Effect.Effect<SharedKey.SharedKey, DiffieHellmanError | CryptoError> = Effect.fnUntraced(
  function*(crypto, group, secret, peerValue) {
    const value = yield* checkPublicValue(group, peerValue)
    const bytes = yield* crypto.modPow(value, secret, group.p)
    const key = SharedKey.make(crypto, bytes)
    bytes.fill(0)
    return key
  }
)
