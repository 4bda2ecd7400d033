/**
 * `auth.*LoginToken`: logging in by a code that another device accepts
 * (core.telegram.org/api/qr-login).
 */
import * as Api from "@effect-mtproto/core/Api"
import { toHex } from "../bytes.ts"
import * as Failure from "../failure.ts"
import { permanent } from "../model.ts"
import * as World from "../world.ts"
import { describe } from "./account.ts"
import * as Auth from "./auth.ts"
import { anyone, type Call, type Entry, person } from "./method.ts"

/** How long a code can be accepted, in seconds. */
const LIFETIME = 30
const LENGTH = 32

/** Lets a device in whose code was accepted. */
const logIn = (call: Call, token: World.LoginToken): Api.auth.LoginToken | Failure.RpcFailure => {
  const { acceptedBy } = token
  const key = permanent(call.key)
  if (acceptedBy === undefined || acceptedBy.deleted || key === undefined) {
    return Failure.badRequest("AUTH_TOKEN_INVALID")
  }
  if (acceptedBy.dc !== key.dc) {
    return { _tag: "auth.loginTokenMigrateTo", dcId: acceptedBy.dc, token: token.bytes }
  }
  call.world.loginTokens.delete(token.name)
  const authorization = Auth.logIn(call.world, key, acceptedBy)
  return Failure.isFailure(authorization) ? authorization : { _tag: "auth.loginTokenSuccess", authorization }
}

const exportToken = (
  call: Call,
  request: Api.Params<typeof Api.auth.exportLoginToken>
): Api.auth.LoginToken | Failure.RpcFailure => {
  if (request.apiId <= 0 || request.apiHash === "") return Failure.badRequest("API_ID_INVALID")
  const { world } = call
  const key = permanent(call.key)
  if (key === undefined) return Failure.unauthorized("AUTH_KEY_PERM_EMPTY")
  for (const known of world.loginTokens.values()) {
    if (known.key !== key) continue
    if (known.acceptedBy !== undefined) return logIn(call, known)
    world.loginTokens.delete(known.name)
  }
  const token = world.crypto.randomBytes(LENGTH)
  const expiresAt = call.now + LIFETIME
  const name = toHex(token)
  world.loginTokens.set(name, { name, bytes: token, key, expiresAt, acceptedBy: undefined })
  if (world.loginTokens.size > world.limits.loginCodes) {
    world.loginTokens.delete(world.loginTokens.keys().next().value!)
  }
  return { _tag: "auth.loginToken", expires: expiresAt, token }
}

export const methods: ReadonlyArray<Entry> = [
  anyone(Api.auth.exportLoginToken, exportToken),
  anyone(Api.auth.importLoginToken, (call, request) => {
    const token = call.world.loginTokens.get(toHex(request.token))
    // on another data centre it comes with another key, once it was accepted
    const isKnown = token !== undefined && (token.key === permanent(call.key) || token.acceptedBy?.dc === call.key.dc)
    if (!isKnown) return Failure.badRequest("AUTH_TOKEN_INVALID")
    return token.expiresAt < call.now ? Failure.badRequest("AUTH_TOKEN_EXPIRED") : logIn(call, token)
  }),
  person(Api.auth.acceptLoginToken, (call, request) => {
    const token = call.world.loginTokens.get(toHex(request.token))
    if (token === undefined) return Failure.badRequest("AUTH_TOKEN_INVALIDX")
    if (token.acceptedBy !== undefined) return Failure.badRequest("AUTH_TOKEN_ALREADY_ACCEPTED")
    if (token.expiresAt < call.now) return Failure.badRequest("AUTH_TOKEN_EXPIRED")
    token.acceptedBy = call.authorization.account
    World.sendToKey(call.world, token.key, { _tag: "updateLoginToken" })
    // there is no login of its own yet: that begins when the other device asks
    return { ...describe(call, call.authorization), hash: 0n, dateCreated: call.now }
  })
]
