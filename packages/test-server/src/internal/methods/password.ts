/**
 * Two-step verification (core.telegram.org/api/srp): a login whose code was right waits on its key for the password.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as Srp from "@effect-mtproto/crypto/Srp"
import * as Effect from "effect/Effect"
import { equals, readLong } from "../bytes.ts"
import * as Failure from "../failure.ts"
import { GENERATOR, PRIME } from "../group.ts"
import { type Account, type AuthKey, permanent } from "../model.ts"
import * as World from "../world.ts"
import { anyone, anyoneComputing, type Call, type Entry, personComputing, type UserCall } from "./method.ts"

const SALT1 = 8
const NEW_SALT1 = 40
const SALT2 = 16
const MAX_HINT = 255

const algorithm = (salt1: Uint8Array, salt2: Uint8Array) => ({
  _tag: "passwordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow" as const,
  salt1,
  salt2,
  g: GENERATOR,
  p: PRIME
})

const group = (call: Call) => DiffieHellman.checkGroup(call.world.crypto, { p: PRIME, g: GENERATOR })

/** Whose password a key may ask about: of the account that it waits to get into, or of its own. */
const subject = (call: Call): { readonly key: AuthKey; readonly account: Account } | undefined => {
  const key = permanent(call.key)
  const account = key?.passwordPending ?? key?.authorization?.account
  return key === undefined || account === undefined ? undefined : { key, account }
}

/** The salts of a password that is yet to be set: always the same, so that it can be seen whether they were kept. */
const newAlgorithm = (call: Call) => {
  const seed = call.world.crypto.sha256(call.world.secret, Uint8Array.of(2))
  return algorithm(seed.subarray(0, SALT1), seed.subarray(SALT1, SALT1 + SALT2))
}

const getPassword = (call: Call): Failure.RpcFailure | Api.account.Password | Effect.Effect<Api.account.Password> => {
  const { world } = call
  const asked = subject(call)
  if (asked === undefined) return Failure.unauthorized("AUTH_KEY_UNREGISTERED")
  const common = {
    newAlgo: newAlgorithm(call),
    newSecureAlgo: {
      _tag: "securePasswordKdfAlgoPBKDF2HMACSHA512iter100000",
      salt: newAlgorithm(call).salt1
    },
    secureRandom: world.crypto.randomBytes(256)
  } as const
  const { account, key } = asked
  const { password } = account
  if (password === undefined) return { _tag: "account.password", ...common }
  return Effect.gen(function*() {
    const challenge = yield* Srp.challenge(world.crypto, yield* group(call), password.verifier)
    const srpId = World.randomLong(world)
    for (const [id, other] of world.passwords) if (other.key === key) world.passwords.delete(id)
    world.passwords.set(srpId, { account, key, challenge })
    if (world.passwords.size > world.limits.loginCodes) world.passwords.delete(world.passwords.keys().next().value!)
    return {
      _tag: "account.password" as const,
      hasPassword: true as const,
      currentAlgo: algorithm(password.salt1, password.salt2),
      srpB: challenge.srpB,
      srpId,
      ...(password.hint === undefined ? {} : { hint: password.hint }),
      ...common
    }
  }).pipe(Effect.orDie)
}

/** Whether the password of an account is known; a challenge is used up either way. */
const check = (
  call: Call,
  account: Account,
  proof: Api.InputCheckPasswordSRP
): Effect.Effect<true | Failure.RpcFailure> => {
  const { world } = call
  const { password } = account
  if (password === undefined) return Effect.succeed(true)
  if (proof._tag === "inputCheckPasswordEmpty") return Effect.succeed(Failure.badRequest("PASSWORD_HASH_INVALID"))
  const open = world.passwords.get(proof.srpId)
  if (open === undefined || open.account !== account || open.key !== permanent(call.key)) {
    return Effect.succeed(Failure.badRequest("SRP_ID_INVALID"))
  }
  world.passwords.delete(proof.srpId)
  return Effect.gen(function*() {
    const isRight = yield* Srp.verify(world.crypto, {
      group: yield* group(call),
      salts: password,
      verifier: password.verifier,
      challenge: open.challenge,
      proof: { a: proof.A, m1: proof.M1 }
    })
    // it may have been changed meanwhile
    if (account.password !== password) return Failure.badRequest("SRP_PASSWORD_CHANGED")
    return isRight ? true as const : Failure.badRequest("PASSWORD_HASH_INVALID")
  }).pipe(Effect.orDie)
}

const checkPassword = (call: Call, request: Api.Params<typeof Api.auth.checkPassword>) => {
  const asked = subject(call)
  if (asked === undefined) return Failure.unauthorized("AUTH_KEY_UNREGISTERED")
  const { account, key } = asked
  return Effect.map(
    check(call, account, request.password),
    (verdict): Api.auth.Authorization | Failure.RpcFailure => {
      if (Failure.isFailure(verdict)) return verdict
      if (account.deleted) return Failure.unauthorized("USER_DEACTIVATED")
      World.authorize(call.world, key, account)
      return { _tag: "auth.authorization", user: World.userOf(call.world, account, account) }
    }
  )
}

/** A password as a client wants it to be; `undefined` if there is to be none. */
const wanted = (
  call: UserCall,
  settings: Api.account.PasswordInputSettings
): Account["password"] | Failure.RpcFailure => {
  const { hint, newAlgo, newPasswordHash } = settings
  if (newPasswordHash === undefined || newPasswordHash.length === 0) return undefined
  const base = newAlgorithm(call)
  if (
    newAlgo?._tag !== base._tag || newAlgo.g !== base.g || !equals(newAlgo.p, base.p) ||
    !equals(newAlgo.salt2, base.salt2) || newAlgo.salt1.length !== NEW_SALT1 ||
    !equals(newAlgo.salt1.subarray(0, SALT1), base.salt1)
  ) return Failure.badRequest("NEW_SALT_INVALID")
  if (newPasswordHash.length !== PRIME.length || readLong(newPasswordHash, 0) === 0n) {
    return Failure.badRequest("NEW_SETTINGS_INVALID")
  }
  return {
    salt1: newAlgo.salt1.slice(),
    salt2: newAlgo.salt2.slice(),
    verifier: newPasswordHash.slice(),
    hint: hint === undefined || hint === "" ? undefined : hint.slice(0, MAX_HINT)
  }
}

export const methods: ReadonlyArray<Entry> = [
  anyoneComputing(Api.account.getPassword, getPassword),
  anyoneComputing(Api.auth.checkPassword, checkPassword),
  anyone(Api.auth.requestPasswordRecovery, () => Failure.badRequest("PASSWORD_RECOVERY_NA")),
  personComputing(Api.account.updatePasswordSettings, (call, request) => {
    const { account } = call.authorization
    return Effect.map(check(call, account, request.password), (verdict) => {
      if (Failure.isFailure(verdict)) return verdict
      const password = wanted(call, request.newSettings)
      if (Failure.isFailure(password)) return password
      account.password = password
      return true
    })
  })
]
