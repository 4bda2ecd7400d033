/** Finding the people that are named in parameters. */
import * as Api from "@effect-mtproto/core/Api"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Failure from "../Failure.ts"
import type { GatewayStore } from "../GatewayStore.ts"
import * as LoosePeer from "../LoosePeer.ts"
import * as LooseTl from "../LooseTl.ts"
import type { Params } from "../Params.ts"

const nobody = Failure.make(404, "USER_UNKNOWN", "Nobody is known by that name")

/** Remembers how the people that came with an answer can be addressed. */
export const remember = (
  store: GatewayStore["Service"],
  session: string,
  users: ReadonlyArray<Api.User>
): Effect.Effect<void> =>
  Effect.ignore(store.putPeople(
    session,
    users.flatMap((user) =>
      user._tag === "user" && user.accessHash !== undefined && user.min !== true
        ? [{ id: user.id, accessHash: user.accessHash }]
        : []
    )
  ))

/** Somebody, as the server wants them named. */
export const resolve = Effect.fnUntraced(function*(
  store: GatewayStore["Service"],
  session: string,
  value: unknown
): Effect.fn.Return<Api.inputUser | Api.inputUserSelf, unknown, Transport> {
  const person = yield* Effect.fromResult(LoosePeer.person(value))
  const transport = yield* Transport
  switch (person._tag) {
    case "Self":
      return { _tag: "inputUserSelf" }
    case "Known":
      return { _tag: "inputUser", userId: person.userId, accessHash: person.accessHash }
    case "Id": {
      const accessHash = yield* store.getAccessHash(session, person.userId)
      if (accessHash === undefined) {
        return yield* Failure.make(
          404,
          "USER_UNKNOWN",
          "This session has not met the person with this id: name them by @name, +phone or with the access_hash"
        )
      }
      return { _tag: "inputUser", userId: person.userId, accessHash }
    }
    case "Username":
    case "Phone": {
      const found = person._tag === "Phone"
        ? yield* transport.invoke(Api.contacts.resolvePhone({ phone: person.phone }))
        : yield* transport.invoke(Api.contacts.resolveUsername({ username: person.username }))
      yield* remember(store, session, found.users)
      const { peer } = found
      const user = peer._tag === "peerUser"
        ? found.users.find((one) => one._tag === "user" && one.id === peer.userId)
        : undefined
      return user?._tag === "user"
        ? { _tag: "inputUser", userId: user.id, accessHash: user.accessHash ?? 0n }
        : yield* nobody
    }
  }
})

/** How those of these people are addressed who were met. */
export const known = (
  store: GatewayStore["Service"],
  session: string,
  ids: ReadonlyArray<bigint>
): Effect.Effect<(userId: bigint) => Api.InputUser | undefined, unknown> =>
  ids.length === 0 ? Effect.succeed(() => undefined) : Effect.map(
    Effect.forEach(
      ids,
      (userId) => Effect.map(store.getAccessHash(session, userId), (hash) => [userId, hash] as const)
    ),
    (found) => {
      const hashes = new Map(found)
      return (userId) => {
        const accessHash = hashes.get(userId)
        return accessHash === undefined ? undefined : { _tag: "inputUser", userId, accessHash }
      }
    }
  )

const isName = (value: unknown): boolean =>
  typeof value === "number" || typeof value === "bigint" ||
  (typeof value === "string" && value !== "me" && value !== "self")

const asJson = (user: Api.inputUser | Api.inputUserSelf, type: string) =>
  user._tag === "inputUserSelf"
    ? { _: type === "InputPeer" ? "inputPeerSelf" : "inputUserSelf" }
    : {
      _: type === "InputPeer" ? "inputPeerUser" : "inputUser",
      user_id: user.userId,
      access_hash: user.accessHash
    }

/** The parameters of a method, with everybody who is named by name or number replaced. */
export const resolveAll = Effect.fnUntraced(function*(
  store: GatewayStore["Service"],
  session: string,
  method: string,
  params: Params
): Effect.fn.Return<Params, unknown, Transport> {
  let out: { [name: string]: unknown } | undefined
  for (const { name, type } of LooseTl.fields(method)) {
    const value = params[name]
    if ((type === "InputUser" || type === "InputPeer") && isName(value)) {
      out ??= { ...params }
      out[name] = asJson(yield* resolve(store, session, value), type)
    } else if ((type === "Vector<InputUser>" || type === "Vector<InputPeer>") && Array.isArray(value)) {
      if (!value.some(isName)) continue
      const inner = type.slice("Vector<".length, -1)
      const list: Array<unknown> = []
      for (const one of value) list.push(isName(one) ? asJson(yield* resolve(store, session, one), inner) : one)
      out ??= { ...params }
      out[name] = list
    }
  }
  return out ?? params
})
