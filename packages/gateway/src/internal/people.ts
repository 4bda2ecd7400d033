/** Finding the people, groups and channels that are named in parameters. */
import * as Api from "@effect-mtproto/core/Api"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Failure from "../Failure.ts"
import type { GatewayStore } from "../GatewayStore.ts"
import * as LoosePeer from "../LoosePeer.ts"
import * as LooseTl from "../LooseTl.ts"
import type { Params } from "../Params.ts"

const nobody = Failure.make(404, "USER_UNKNOWN", "Nobody is known by that name")

/** Remembers how the people and channels that came with an answer can be addressed. */
export const remember = (
  store: GatewayStore["Service"],
  session: string,
  users: ReadonlyArray<Api.User>,
  chats: ReadonlyArray<Api.Chat> = []
): Effect.Effect<void> =>
  Effect.ignore(store.putPeople(session, [
    ...users.flatMap((user) =>
      user._tag === "user" && user.accessHash !== undefined && user.min !== true
        ? [{ id: user.id, accessHash: user.accessHash }]
        : []
    ),
    ...chats.flatMap((chat) =>
      (chat._tag === "channel" && chat.accessHash !== undefined && chat.min !== true) ||
        chat._tag === "channelForbidden"
        // channels and people share one range of ids, dialog ids do not
        ? [{ id: LoosePeer.channelDialogId(chat.id), accessHash: chat.accessHash ?? 0n }]
        : []
    )
  ]))

/** Somebody, as the server wants them named. */
export const resolve = Effect.fnUntraced(function*(
  store: GatewayStore["Service"],
  session: string,
  value: unknown
): Effect.fn.Return<Api.inputUser | Api.inputUserSelf, unknown, Transport> {
  const person = yield* Effect.fromResult(LoosePeer.person(value))
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
      const found = yield* lookUp(store, session, person)
      return found._tag === "inputUser" ? found : yield* nobody
    }
  }
})

type Asked = Extract<LoosePeer.Person, { readonly _tag: "Username" | "Phone" }>
type Found = Api.inputUser | Api.inputUserSelf | Api.inputPeerChat | Api.inputChannel

/** Asks Telegram whose name or number this is. */
const lookUp = Effect.fnUntraced(function*(
  store: GatewayStore["Service"],
  session: string,
  asked: Asked
): Effect.fn.Return<Found, unknown, Transport> {
  const transport = yield* Transport
  const { chats, peer, users } = asked._tag === "Phone"
    ? yield* transport.invoke(Api.contacts.resolvePhone({ phone: asked.phone }))
    : yield* transport.invoke(Api.contacts.resolveUsername({ username: asked.username }))
  yield* remember(store, session, users, chats)
  if (peer._tag === "peerUser") {
    const user = users.find((one) => one._tag === "user" && one.id === peer.userId)
    if (user?._tag === "user") return { _tag: "inputUser", userId: user.id, accessHash: user.accessHash ?? 0n }
  } else if (peer._tag === "peerChannel") {
    const channel = chats.find((one) => one._tag === "channel" && one.id === peer.channelId)
    if (channel?._tag === "channel") {
      return { _tag: "inputChannel", channelId: channel.id, accessHash: channel.accessHash ?? 0n }
    }
  }
  return yield* nobody
})

/** Somebody, a group or a channel. A basic group needs no access hash, so it need not have been met. */
const resolvePeer = Effect.fnUntraced(function*(
  store: GatewayStore["Service"],
  session: string,
  value: unknown,
  type: string
): Effect.fn.Return<Found, unknown, Transport> {
  const peer = yield* Effect.fromResult(type === "InputChannel" ? LoosePeer.channel(value) : LoosePeer.peer(value))
  switch (peer._tag) {
    case "Group":
      return { _tag: "inputPeerChat", chatId: peer.chatId }
    case "Channel": {
      const accessHash = yield* store.getAccessHash(session, LoosePeer.channelDialogId(peer.channelId))
      if (accessHash !== undefined) return { _tag: "inputChannel", channelId: peer.channelId, accessHash }
      return yield* Failure.make(
        404,
        "CHANNEL_UNKNOWN",
        "This session has not met the channel with this id: name it by @name or with the access_hash"
      )
    }
    case "Username":
      return yield* lookUp(store, session, peer)
    default:
      return yield* resolve(store, session, value)
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

const wrongKind: { readonly [type: string]: string } = {
  InputUser: "Nobody is known by that name: it is that of a group or channel",
  InputChannel: "There is no channel of that name"
}

/** As a value of the type that is wanted. */
const asJson = (found: Found, type: string): Result.Result<object, Failure.Failure> => {
  const isPeer = type === "InputPeer"
  switch (found._tag) {
    case "inputUserSelf":
      if (type !== "InputChannel") return Result.succeed({ _: isPeer ? "inputPeerSelf" : "inputUserSelf" })
      break
    case "inputUser":
      if (type !== "InputChannel") {
        const { accessHash, userId } = found
        return Result.succeed({ _: isPeer ? "inputPeerUser" : "inputUser", user_id: userId, access_hash: accessHash })
      }
      break
    case "inputPeerChat":
      if (isPeer) return Result.succeed({ _: "inputPeerChat", chat_id: found.chatId })
      break
    case "inputChannel":
      if (type !== "InputUser") {
        const { accessHash, channelId } = found
        return Result.succeed({
          _: isPeer ? "inputPeerChannel" : "inputChannel",
          channel_id: channelId,
          access_hash: accessHash
        })
      }
  }
  return Result.fail(Failure.badRequest(wrongKind[type]!, "PEER_INVALID"))
}

const named = new Set(["InputUser", "InputPeer", "InputChannel"])

/** The parameters of a method, with everybody who is named by name or number replaced. */
export const resolveAll = Effect.fnUntraced(function*(
  store: GatewayStore["Service"],
  session: string,
  method: string,
  params: Params
): Effect.fn.Return<Params, unknown, Transport> {
  const find = (value: unknown, type: string) =>
    Effect.flatMap(resolvePeer(store, session, value, type), (found) => Effect.fromResult(asJson(found, type)))
  let out: { [name: string]: unknown } | undefined
  for (const { name, type } of LooseTl.fields(method)) {
    const value = params[name]
    if (named.has(type) && isName(value)) {
      out ??= { ...params }
      out[name] = yield* find(value, type)
    } else if (type.startsWith("Vector<") && Array.isArray(value)) {
      const inner = type.slice("Vector<".length, -1)
      if (!named.has(inner) || !value.some(isName)) continue
      const list: Array<unknown> = []
      for (const one of value) list.push(isName(one) ? yield* find(one, inner) : one)
      out ??= { ...params }
      out[name] = list
    }
  }
  return out ?? params
})
