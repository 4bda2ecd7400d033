/**
 * `account.*`: the logins of an account.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as Failure from "../failure.ts"
import type { Authorization } from "../model.ts"
import * as World from "../world.ts"
import { type Entry, user, type UserCall } from "./method.ts"

/** The login with this number; 0 is the one that calls. */
const find = (call: UserCall, hash: bigint): Authorization | undefined =>
  hash === 0n
    ? call.authorization
    : [...call.authorization.account.authorizations].find((other) => other.hash === hash)

/** A login, for its account. */
export const describe = (call: UserCall, authorization: Authorization): Api.Authorization => {
  const { client } = authorization.key
  return {
    _tag: "authorization",
    ...(authorization === call.authorization ? { current: true } : {}),
    ...(authorization.acceptsSecretChats ? {} : { encryptedRequestsDisabled: true }),
    hash: authorization === call.authorization ? 0n : authorization.hash,
    deviceModel: client?.deviceModel ?? "",
    platform: "",
    systemVersion: client?.systemVersion ?? "",
    apiId: client?.apiId ?? 0,
    appName: "",
    appVersion: client?.appVersion ?? "",
    dateCreated: authorization.createdAt,
    dateActive: call.now,
    ip: "127.0.0.1",
    country: "",
    region: ""
  }
}

export const methods: ReadonlyArray<Entry> = [
  user(Api.account.updateStatus, () => true),
  user(Api.account.getAuthorizations, (call) => ({
    _tag: "account.authorizations",
    authorizationTtlDays: 180,
    authorizations: [...call.authorization.account.authorizations].map((other) => describe(call, other))
  })),
  user(Api.account.changeAuthorizationSettings, (call, request) => {
    const authorization = find(call, request.hash)
    if (authorization === undefined) return Failure.badRequest("HASH_INVALID")
    if (request.encryptedRequestsDisabled !== undefined) {
      authorization.acceptsSecretChats = !request.encryptedRequestsDisabled
    }
    return true
  }),
  user(Api.account.resetAuthorization, (call, request) => {
    const authorization = request.hash === 0n ? undefined : find(call, request.hash)
    if (authorization === undefined || authorization === call.authorization) return Failure.badRequest("HASH_INVALID")
    World.terminate(call.world, authorization)
    return true
  })
]
