/** What is known of a person, a group or a channel, and which of them this account has dialogs with. */
import * as Api from "@effect-mtproto/core/Api"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as Effect from "effect/Effect"
import * as LuaTl from "../LuaTl.ts"
import * as LuaValue from "../LuaValue.ts"
import type { Environment } from "./calls.ts"
import { invalid, Refusal } from "./failure.ts"
import * as People from "./people.ts"

export const user = LuaTl.toLua(ApiSchema.type("User"))
const chat = LuaTl.toLua(ApiSchema.type("Chat"))
const peerTable = LuaTl.toLua(ApiSchema.type("Peer"))
const inputPeer = LuaTl.toLua(ApiSchema.type("InputPeer"))
const fullUser = LuaTl.toLua(ApiSchema.type("UserFull"))
const fullChat = LuaTl.toLua(ApiSchema.type("ChatFull"))
const readPeer = LuaTl.fromLua(ApiSchema.type("InputPeer"))

const nobody = new Refusal(404, "USER_UNKNOWN", "There is nobody like that")
const noChat = new Refusal(404, "CHAT_UNKNOWN", "There is no such group or channel")

export const getUser = Effect.fnUntraced(function*(env: Environment, id: Api.InputUser) {
  const [found] = yield* env.transport.invoke(Api.users.getUsers({ id: [id] }))
  if (found === undefined) return yield* Effect.fail(nobody)
  People.remember(env.people, [found])
  return found
})

/** The peer that is named by any value. */
const named = Effect.fnUntraced(function*({ people, transport }: Environment, value: LuaValue.LuaValue | undefined) {
  const found = yield* People.withNames(people, transport, () => People.findPeer(people, value ?? null))
  if (found !== undefined) return found
  if (!LuaValue.isTable(value)) return yield* Effect.fail(invalid(`A peer is needed, not ${LuaValue.describe(value)}`))
  return yield* Effect.fromResult(readPeer(value))
})

/** Ids as programs for bots write them. */
const botApiId = (peer: Api.Peer): bigint => {
  switch (peer._tag) {
    case "peerUser":
      return peer.userId
    case "peerChat":
      return -peer.chatId
    case "peerChannel":
      return People.channelOffset - peer.channelId
  }
}

const described = (
  type: string,
  peer: Api.Peer,
  input: Api.InputPeer,
  more: { readonly [name: string]: LuaValue.LuaValue | undefined }
): LuaValue.LuaTable =>
  LuaValue.table({
    type,
    bot_api_id: botApiId(peer),
    Peer: peerTable(peer),
    InputPeer: inputPeer(input),
    ...more
  })

const ofUser = (input: Api.InputPeer, found: Api.User): LuaValue.LuaTable =>
  described(
    found._tag === "user" && found.bot === true ? "bot" : "user",
    { _tag: "peerUser", userId: found.id },
    input,
    { user_id: found.id, User: user(found) }
  )

const ofChat = (input: Api.InputPeer, found: Api.Chat): LuaValue.LuaTable => {
  const isChannel = found._tag === "channel" || found._tag === "channelForbidden"
  return described(
    !isChannel ? "chat" : found.megagroup === true ? "supergroup" : "channel",
    isChannel ? { _tag: "peerChannel", channelId: found.id } : { _tag: "peerChat", chatId: found.id },
    input,
    { [isChannel ? "channel_id" : "chat_id"]: found.id, Chat: chat(found) }
  )
}

const inputUser = (peer: Api.InputPeer): Api.InputUser | undefined => {
  switch (peer._tag) {
    case "inputPeerSelf":
      return { _tag: "inputUserSelf" }
    case "inputPeerUser":
      return { ...peer, _tag: "inputUser" }
    default:
      return undefined
  }
}

const theOnly = (chats: ReadonlyArray<Api.Chat>, id: bigint) => {
  const found = chats.find((one) => one.id === id)
  return found === undefined ? Effect.fail(noChat) : Effect.succeed(found)
}

const unsuitable = invalid("A person, a group or a channel is needed")

/** Whoever is named, as a table of `type`, `bot_api_id`, `Peer`, `InputPeer` and the object itself. */
export const get = Effect.fnUntraced(function*(env: Environment, value: LuaValue.LuaValue | undefined) {
  const peer = yield* named(env, value)
  const who = inputUser(peer)
  if (who !== undefined) return ofUser(peer, yield* getUser(env, who))
  if (peer._tag === "inputPeerChat") {
    const answer = yield* env.transport.invoke(Api.messages.getChats({ id: [peer.chatId] }))
    People.remember(env.people, answer)
    return ofChat(peer, yield* theOnly(answer.chats, peer.chatId))
  }
  if (peer._tag !== "inputPeerChannel") return yield* Effect.fail(unsuitable)
  const answer = yield* env.transport.invoke(Api.channels.getChannels({ id: [{ ...peer, _tag: "inputChannel" }] }))
  People.remember(env.people, answer)
  return ofChat(peer, yield* theOnly(answer.chats, peer.channelId))
})

/** The same, with `full`: what the server tells about one at a time. */
export const getFull = Effect.fnUntraced(function*(env: Environment, value: LuaValue.LuaValue | undefined) {
  const peer = yield* named(env, value)
  const who = inputUser(peer)
  if (who !== undefined) {
    const answer = yield* env.transport.invoke(Api.users.getFullUser({ id: who }))
    People.remember(env.people, answer)
    const found = answer.users.find((one) => one.id === answer.fullUser.id)
    if (found === undefined) return yield* Effect.fail(nobody)
    return new Map(ofUser(peer, found)).set("full", fullUser(answer.fullUser))
  }
  if (peer._tag !== "inputPeerChat" && peer._tag !== "inputPeerChannel") return yield* Effect.fail(unsuitable)
  const answer = yield* (peer._tag === "inputPeerChat"
    ? env.transport.invoke(Api.messages.getFullChat({ chatId: peer.chatId }))
    : env.transport.invoke(Api.channels.getFullChannel({ channel: { ...peer, _tag: "inputChannel" } })))
  People.remember(env.people, answer)
  return new Map(ofChat(peer, yield* theOnly(answer.chats, answer.fullChat.id))).set("full", fullChat(answer.fullChat))
})

/** Dialogs that are asked for at once, and at most. */
const PAGE = 100
export const maxDialogs = 10_000

const keyOf = (peer: Api.Peer): string => String(botApiId(peer))

/** How a peer of a page is addressed, for the next page. */
const offsetOf = (people: People.People, peer: Api.Peer): Api.InputPeer => {
  try {
    return People.findPeer(people, peerTable(peer)) ?? { _tag: "inputPeerEmpty" }
  } catch {
    return { _tag: "inputPeerEmpty" }
  }
}

/** Everybody this account has an ordinary dialog with, the latest first. */
export const dialogs = Effect.fnUntraced(function*({ people, transport }: Environment, most: number) {
  const found = new Map<string, Api.Peer>()
  let offset: { readonly offsetDate: number; readonly offsetId: number; readonly offsetPeer: Api.InputPeer } = {
    offsetDate: 0,
    offsetId: 0,
    offsetPeer: { _tag: "inputPeerEmpty" }
  }
  while (found.size < most) {
    const page = yield* transport.invoke(
      Api.messages.getDialogs({ ...offset, limit: Math.min(PAGE, most - found.size), hash: 0n })
    )
    if (page._tag === "messages.dialogsNotModified") break
    People.remember(people, page)
    const before = found.size
    let last: Api.dialog | undefined
    for (const dialog of page.dialogs) {
      if (dialog._tag !== "dialog") continue
      last = dialog
      if (found.size < most) found.set(keyOf(dialog.peer), dialog.peer)
    }
    // A page that brings nothing new is the last, whatever the server says.
    if (page._tag === "messages.dialogs" || last === undefined || found.size === before) break
    const { peer, topMessage } = last
    const message = page.messages.find((one) =>
      one._tag !== "messageEmpty" && one.id === topMessage && keyOf(one.peerId) === keyOf(peer)
    )
    offset = {
      offsetDate: message !== undefined && message._tag !== "messageEmpty" ? message.date : 0,
      offsetId: topMessage,
      offsetPeer: offsetOf(people, peer)
    }
  }
  return LuaValue.sequence([...found.values()].map(peerTable))
})
