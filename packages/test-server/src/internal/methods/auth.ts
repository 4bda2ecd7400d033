/**
 * `auth.*`: logging in by phone and code, bots by token, logging out, temporary
 * keys, and logins that are passed on to other data centres
 * (core.telegram.org/api/auth, .../api/pfs, .../api/datacenter).
 */
import * as Api from "@effect-mtproto/core/Api"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as MessageKey from "@effect-mtproto/crypto/MessageKey"
import { equals, readInt, readLong, toHex } from "../bytes.ts"
import * as Failure from "../failure.ts"
import { readObject } from "../handshake.ts"
import { type Account, type AuthKey, permanent } from "../model.ts"
import * as World from "../world.ts"
import { anyone, type Call, type Entry, user, type UserCall } from "./method.ts"

const CODE_LIFETIME = 300
const CODE_ATTEMPTS = 5

const sentCode = (phoneCodeHash: string, code: string): Api.auth.SentCode => ({
  _tag: "auth.sentCode",
  type: { _tag: "auth.sentCodeTypeApp", length: code.length },
  phoneCodeHash
})

/** Where an account logs in, if not here. */
const migration = (call: Call, account: Account | undefined, what: "PHONE" | "USER"): Failure.RpcFailure | undefined =>
  account === undefined || account.dc === call.key.dc
    ? undefined
    : Failure.make(303, `${what}_MIGRATE_${account.dc}`)

const sendCode = (call: Call, phoneNumber: string): Api.auth.SentCode | Failure.RpcFailure => {
  const { key, world } = call
  const phone = World.normalizePhone(phoneNumber)
  if (phone === undefined) return Failure.make(406, "PHONE_NUMBER_INVALID")
  const elsewhere = migration(call, world.byPhone.get(phone), "PHONE")
  if (elsewhere !== undefined) return elsewhere
  const phoneCodeHash = toHex(world.crypto.randomBytes(9))
  world.logins.set(phoneCodeHash, {
    phone,
    key: permanent(key) ?? key,
    expiresAt: call.now + CODE_LIFETIME,
    attempts: 0
  })
  if (world.logins.size > world.limits.loginCodes) world.logins.delete(world.logins.keys().next().value!)
  return sentCode(phoneCodeHash, World.codeOf(world, phone))
}

/** The login that a `phone_code_hash` belongs to, on this key and for this number. */
const loginOf = (call: Call, request: { readonly phoneNumber: string; readonly phoneCodeHash: string }) => {
  const login = call.world.logins.get(request.phoneCodeHash)
  return login !== undefined && login.expiresAt >= call.now && login.key === (permanent(call.key) ?? call.key) &&
      login.phone === World.normalizePhone(request.phoneNumber)
    ? login
    : undefined
}

const signIn = (
  call: Call,
  request: Api.Params<typeof Api.auth.signIn>
): Api.auth.Authorization | Failure.RpcFailure => {
  const { world } = call
  const login = loginOf(call, request)
  if (login === undefined) return Failure.badRequest("PHONE_CODE_EXPIRED")
  if (request.phoneCode === undefined || request.phoneCode === "") return Failure.badRequest("PHONE_CODE_EMPTY")
  if (request.phoneCode !== World.codeOf(world, login.phone)) {
    login.attempts++
    if (login.attempts >= CODE_ATTEMPTS) world.logins.delete(request.phoneCodeHash)
    return Failure.badRequest("PHONE_CODE_INVALID")
  }
  const account = world.byPhone.get(login.phone)
  if (account === undefined) return { _tag: "auth.authorizationSignUpRequired" }
  if (account.deleted) return Failure.unauthorized("USER_DEACTIVATED")
  world.logins.delete(request.phoneCodeHash)
  return logIn(world, login.key, account)
}

/** Lets an account in, unless its password is still to come. */
export const logIn = (
  world: World.World,
  key: AuthKey,
  account: Account
): Api.auth.authorization | Failure.RpcFailure => {
  if (account.password !== undefined) {
    key.passwordPending = account
    return Failure.unauthorized("SESSION_PASSWORD_NEEDED")
  }
  World.authorize(world, key, account)
  return { _tag: "auth.authorization", user: World.userOf(world, account, account) }
}

// -----------------------------------------------------------------------------
// several data centres
// -----------------------------------------------------------------------------

const EXPORTED = 128

const exportLogin = (
  call: UserCall,
  request: Api.Params<typeof Api.auth.exportAuthorization>
): Api.auth.ExportedAuthorization | Failure.RpcFailure => {
  const { authorization, world } = call
  const isKnown = world.addresses.some((address) => address.id === request.dcId)
  if (!isKnown || request.dcId === call.key.dc) return Failure.badRequest("DC_ID_INVALID")
  const bytes = world.crypto.randomBytes(EXPORTED)
  const id = World.randomLong(world)
  world.exported.set(id, { authorization, dc: request.dcId, bytes })
  if (world.exported.size > world.limits.loginCodes) world.exported.delete(world.exported.keys().next().value!)
  return { _tag: "auth.exportedAuthorization", id, bytes }
}

const importLogin = (
  call: Call,
  request: Api.Params<typeof Api.auth.importAuthorization>
): Api.auth.Authorization | Failure.RpcFailure => {
  const { world } = call
  const key = permanent(call.key)
  const exported = world.exported.get(request.id)
  if (
    key === undefined || exported?.dc !== key.dc || !exported.authorization.active ||
    !equals(exported.bytes, request.bytes)
  ) return Failure.badRequest("AUTH_BYTES_INVALID")
  world.exported.delete(request.id)
  World.importLogin(world, key, exported.authorization)
  const { account } = exported.authorization
  return { _tag: "auth.authorization", user: World.userOf(world, account, account) }
}

// -----------------------------------------------------------------------------
// temporary keys
// -----------------------------------------------------------------------------

const innerCodec = TlCodec.make(MtprotoApi.bind_auth_key_inner)
const BIND_INNER_LENGTH = 40
const BIND_HEADER = 32
const BIND_ENCRYPTED = 104

/**
 * Opens the blob by which a permanent key vouches for a temporary one. It is a
 * message of MTProto 1.0 in which 16 random bytes stand for salt and session.
 */
const openBinding = (call: Call, key: AuthKey, blob: Uint8Array) => {
  const { crypto } = call.world
  if (blob.length !== BIND_ENCRYPTED || readLong(blob, 0) !== key.key.id) return undefined
  const messageKey = blob.slice(8, 24)
  const aes = MessageKey.deriveV1(crypto, key.key.bytes, messageKey, 0)
  const plain = crypto.aesIgeDecrypt(blob.subarray(24), aes.key, aes.iv).subarray(0, BIND_HEADER + BIND_INNER_LENGTH)
  if (!crypto.constantTimeEqual(MessageKey.computeV1(crypto, plain), messageKey)) return undefined
  const inner = readInt(plain, 28) === BIND_INNER_LENGTH ? readObject(innerCodec, plain.slice(BIND_HEADER)) : undefined
  return inner === undefined ? undefined : { ...inner, msgId: readLong(plain, 16), seqNo: readInt(plain, 24) }
}

const bind = (call: Call, request: Api.Params<typeof Api.auth.bindTempAuthKey>): boolean | Failure.RpcFailure => {
  const { key, world } = call
  if (key.expiresAt === undefined) return Failure.badRequest("TEMP_AUTH_KEY_EMPTY")
  const owner = world.keys.get(request.permAuthKeyId)
  if (owner === undefined || owner.expiresAt !== undefined || owner.dc !== key.dc) {
    return Failure.badRequest("ENCRYPTED_MESSAGE_INVALID")
  }
  if (key.boundTo !== undefined && key.boundTo !== owner) return Failure.badRequest("TEMP_AUTH_KEY_ALREADY_BOUND")
  const inner = openBinding(call, owner, request.encryptedMessage)
  if (
    inner === undefined || inner.msgId !== call.msgId || inner.seqNo !== 0 || inner.nonce !== request.nonce ||
    inner.tempAuthKeyId !== key.key.id || inner.permAuthKeyId !== owner.key.id ||
    inner.tempSessionId !== call.session.id || inner.expiresAt !== request.expiresAt
  ) return Failure.badRequest("ENCRYPTED_MESSAGE_INVALID")
  // the client reckons the end from the moment it asked, the server from the moment it agreed
  if (request.expiresAt <= call.now || request.expiresAt > key.expiresAt + 60) {
    return Failure.badRequest("EXPIRES_AT_INVALID")
  }
  key.boundTo = owner
  owner.temporary.add(key)
  return true
}

export const methods: ReadonlyArray<Entry> = [
  anyone(Api.auth.sendCode, (call, request) =>
    request.apiId <= 0 || request.apiHash === ""
      ? Failure.badRequest("API_ID_INVALID")
      : sendCode(call, request.phoneNumber)),
  anyone(Api.auth.resendCode, (call, request) => {
    const login = loginOf(call, request)
    if (login === undefined) return Failure.badRequest("PHONE_CODE_EXPIRED")
    return sentCode(request.phoneCodeHash, World.codeOf(call.world, login.phone))
  }),
  anyone(Api.auth.cancelCode, (call, request) => {
    if (loginOf(call, request) === undefined) return Failure.badRequest("PHONE_CODE_EXPIRED")
    return call.world.logins.delete(request.phoneCodeHash)
  }),
  anyone(Api.auth.signIn, signIn),
  // accounts are made by whoever runs the server; this is what production says to applications that may not make any
  anyone(Api.auth.signUp, () => Failure.make(406, "UPDATE_APP_TO_LOGIN")),
  anyone(Api.auth.importBotAuthorization, (call, request) => {
    if (request.apiId <= 0 || request.apiHash === "") return Failure.badRequest("API_ID_INVALID")
    const account = call.world.byToken.get(request.botAuthToken)
    const key = permanent(call.key)
    if (account === undefined || account.deleted || key === undefined) return Failure.badRequest("ACCESS_TOKEN_INVALID")
    const elsewhere = migration(call, account, "USER")
    if (elsewhere !== undefined) return elsewhere
    World.authorize(call.world, key, account)
    return { _tag: "auth.authorization", user: World.userOf(call.world, account, account) }
  }),
  user(Api.auth.exportAuthorization, exportLogin),
  anyone(Api.auth.importAuthorization, importLogin),
  anyone(Api.auth.bindTempAuthKey, bind),
  user(Api.auth.dropTempAuthKeys, (call, request) => {
    const owner = permanent(call.key)!
    for (const temporary of owner.temporary) {
      if (temporary !== call.key && !request.exceptAuthKeys.includes(temporary.key.id)) {
        World.removeKey(call.world, temporary)
      }
    }
    return true
  }),
  user(Api.auth.logOut, (call) => {
    World.terminate(call.world, call.authorization)
    return { _tag: "auth.loggedOut" }
  }),
  user(Api.auth.resetAuthorizations, (call) => {
    for (const other of call.authorization.account.authorizations) {
      if (other !== call.authorization) World.terminate(call.world, other)
    }
    return true
  })
]
