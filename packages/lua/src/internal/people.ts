/** Who is named: people by id, `@name`, `+phone`, `me`, or by the tables that the server gave. */
import * as Api from "@effect-mtproto/core/Api"
import type { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as LuaValue from "../LuaValue.ts"
import { Refusal } from "./failure.ts"

type Person = Api.inputUser | Api.inputUserSelf

/** People that are remembered. */
const capacity = 10_000

export interface People {
  readonly hashes: Map<bigint, bigint>
  readonly channels: Map<bigint, bigint>
  /** By `@name` and `+phone`. */
  readonly names: Map<string, Person | Api.inputChannel>
  /** Messages that were asked for to learn who wrote them. */
  readonly asked: Set<number>
}

export const make = (): People => ({ hashes: new Map(), channels: new Map(), names: new Map(), asked: new Set() })

const keep = <K, V>(map: Map<K, V>, key: K, value: V): void => {
  map.delete(key)
  map.set(key, value)
  if (map.size > capacity) map.delete(map.keys().next().value!)
}

/** Remembers how those can be addressed that came with an answer, or an update. */
export const remember = (people: People, value: unknown): void => {
  if (typeof value !== "object" || value === null) return
  const chats = "chats" in value && Array.isArray(value.chats) ? value.chats : []
  for (const chat of chats as ReadonlyArray<Api.Chat>) {
    if (chat._tag === "channel" && chat.accessHash !== undefined && chat.min !== true) {
      keep(people.channels, chat.id, chat.accessHash)
    }
  }
  const users = Array.isArray(value) ? value : "users" in value && Array.isArray(value.users) ? value.users : [value]
  for (const user of users as ReadonlyArray<Api.User>) {
    if (user?._tag === "user" && user.accessHash !== undefined && user.min !== true) {
      keep(people.hashes, user.id, user.accessHash)
    }
  }
}

/** A name, or the writer of a message, that has to be asked for. */
export class NeedsLookup extends Error {
  readonly who: string | number
  constructor(who: string | number) {
    super("A name has to be looked up")
    this.who = who
  }
}

const nobody = new Refusal(404, "USER_UNKNOWN", "Nobody is known by that name")
const noPerson = new Refusal(400, "PARAMETERS_INVALID", "A person is needed; this is the name of a group or channel")

const isName = (value: LuaValue.LuaValue): value is string =>
  typeof value === "string" && /^(@\w{1,64}|\+[\d ()-]{5,30})$/.test(value)

const byName = (people: People, name: string): Person | Api.inputChannel => {
  const known = people.names.get(name)
  if (known === undefined) throw new NeedsLookup(name)
  return known
}

const long = (value: LuaValue.LuaValue | undefined): bigint | undefined => {
  if (typeof value === "bigint") return value
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : undefined
  return typeof value === "string" && /^-?\d{1,19}$/.test(value) ? BigInt(value) : undefined
}

const stranger = new Refusal(
  404,
  "USER_UNKNOWN",
  "Nobody with this id was met: name them by @name, +phone or a table with access_hash"
)

/** Somebody who was met. */
export const known = (people: People, userId: bigint): Api.inputUser | undefined => {
  const accessHash = people.hashes.get(userId)
  return accessHash === undefined ? undefined : { _tag: "inputUser", userId, accessHash }
}

const byId = (people: People, userId: bigint): Person => {
  const accessHash = people.hashes.get(userId)
  if (accessHash === undefined) throw stranger
  return { _tag: "inputUser", userId, accessHash }
}

// ----- whole updates

const messages: ReadonlySet<unknown> = new Set([
  "updateNewMessage",
  "updateEditMessage",
  "updateNewChannelMessage",
  "updateEditChannelMessage",
  "updateNewScheduledMessage"
])

/** What an update or a message is about: the person or chat that an answer would go to. */
const subjectOf = (value: LuaValue.LuaTable): LuaValue.LuaValue | undefined => {
  const tag = value.get("_")
  if (messages.has(tag)) return LuaValue.get(LuaValue.get(value, "message"), "peer_id")
  if (tag === "message" || tag === "messageService") return value.get("peer_id")
  if (typeof tag !== "string" || !tag.startsWith("update")) return undefined
  const peer = value.get("peer")
  if (peer !== undefined) return peer
  const [name, id] = (["channel_id", "chat_id", "user_id"] as const).map((key) => [key, value.get(key)] as const)
    .find(([, id]) => id !== undefined) ?? []
  if (id === undefined) return undefined
  const constructors = { channel_id: "peerChannel", chat_id: "peerChat", user_id: "peerUser" } as const
  return LuaValue.table({ _: constructors[name!], [name!]: id })
}

/** The number of the message that an update is about. */
const messageOf = (value: LuaValue.LuaTable): number | undefined => {
  const id = LuaValue.get(value.get("message") ?? value, "id")
  return typeof id === "bigint" && LuaValue.isTable(value.get("message") ?? value) ? Number(id) : undefined
}

const withMessage = <A>(people: People, value: LuaValue.LuaTable, run: () => A): A => {
  try {
    return run()
  } catch (error) {
    // an update may name somebody without saying how to address them; the message itself says more
    const message = error === stranger ? messageOf(value) : undefined
    if (message === undefined || people.asked.has(message)) throw error
    throw new NeedsLookup(message)
  }
}

/** Ids as programs for bots write those of groups and channels. */
export const channelOffset = -1_000_000_000_000n

const inputChannel = (people: People, channelId: bigint): Api.inputChannel => {
  const accessHash = people.channels.get(channelId)
  if (accessHash === undefined) {
    throw new Refusal(404, "CHAT_UNKNOWN", "No channel with this id was met: name it by a table with access_hash")
  }
  return { _tag: "inputChannel", channelId, accessHash }
}

/**
 * The channel that is named; `undefined` if it is a table to be read as it is.
 *
 * @throws Refusal
 */
export const findChannel = (people: People, value: LuaValue.LuaValue): Api.inputChannel | undefined => {
  if (isName(value)) {
    const known = byName(people, value)
    return known._tag === "inputChannel" ? known : undefined
  }
  if (!LuaValue.isTable(value)) {
    const id = long(value)
    return id === undefined ? undefined : inputChannel(people, id < channelOffset ? channelOffset - id : id)
  }
  const subject = subjectOf(value)
  if (subject !== undefined) return findChannel(people, subject)
  const tag = value.get("_")
  const id = long(tag === "channel" ? value.get("id") : tag === "peerChannel" ? value.get("channel_id") : undefined)
  return id === undefined ? undefined : inputChannel(people, id)
}

/**
 * The person, group or channel that is named; `undefined` if it is a table to be read as it is.
 *
 * @throws Refusal | NeedsLookup
 */
export const findPeer = (people: People, value: LuaValue.LuaValue): Api.InputPeer | undefined => {
  if (isName(value)) {
    const known = byName(people, value)
    return known._tag === "inputChannel" ? { ...known, _tag: "inputPeerChannel" } : asPeer(known)
  }
  if (!LuaValue.isTable(value)) {
    const id = long(value)
    if (id === undefined || id >= 0n) {
      return asPeer(find(people, value)!)
    }
    return id < channelOffset
      ? { ...inputChannel(people, channelOffset - id), _tag: "inputPeerChannel" }
      : { _tag: "inputPeerChat", chatId: -id }
  }
  const subject = subjectOf(value)
  if (subject !== undefined) return withMessage(people, value, () => findPeer(people, subject))
  switch (value.get("_")) {
    case "chat":
    case "peerChat": {
      const chatId = long(value.get("chat_id") ?? value.get("id"))
      return chatId === undefined ? undefined : { _tag: "inputPeerChat", chatId }
    }
    case "channel":
    case "peerChannel":
      return { ...findChannel(people, value)!, _tag: "inputPeerChannel" }
    default: {
      const found = find(people, value)
      return found === undefined ? undefined : asPeer(found)
    }
  }
}

/**
 * The person that is named; `undefined` if it is a table to be read as it is.
 *
 * @throws Refusal | NeedsLookup
 */
export const find = (people: People, value: LuaValue.LuaValue): Person | undefined => {
  if (LuaValue.isTable(value)) {
    const subject = subjectOf(value)
    if (subject !== undefined) return withMessage(people, value, () => find(people, subject))
    const tag = value.get("_")
    if (tag === "inputUserSelf" || tag === "inputPeerSelf") return { _tag: "inputUserSelf" }
    const isSelf = tag === "user" && value.get("self") === true
    if (isSelf) return { _tag: "inputUserSelf" }
    const userId = long(tag === "user" ? value.get("id") : value.get("user_id"))
    if (userId === undefined) return undefined
    const accessHash = long(value.get("access_hash"))
    if (tag === "user" || tag === "inputUser" || tag === "inputPeerUser" || tag === undefined || tag === "peerUser") {
      return accessHash === undefined ? byId(people, userId) : { _tag: "inputUser", userId, accessHash }
    }
    return undefined
  }
  if (value === "me" || value === "self") return { _tag: "inputUserSelf" }
  const id = long(value)
  if (id !== undefined && !(typeof value === "string" && value.startsWith("+"))) return byId(people, id)
  if (isName(value)) {
    const known = byName(people, value)
    if (known._tag === "inputChannel") throw noPerson
    return known
  }
  throw nobody
}

const lookUp = Effect.fnUntraced(function*(people: People, transport: Transport["Service"], name: string | number) {
  if (typeof name === "number") {
    if (people.asked.size >= capacity) people.asked.clear()
    people.asked.add(name)
    const found = yield* transport.invoke(Api.messages.getMessages({ id: [{ _tag: "inputMessageID", id: name }] }))
    return remember(people, found)
  }
  const found = name.startsWith("+")
    ? yield* transport.invoke(Api.contacts.resolvePhone({ phone: name.replace(/\D/g, "") }))
    : yield* transport.invoke(Api.contacts.resolveUsername({ username: name.slice(1) }))
  remember(people, found)
  const { peer } = found
  if (peer._tag === "peerChannel" && people.channels.has(peer.channelId)) {
    keep(people.names, name, inputChannel(people, peer.channelId))
    return
  }
  const user = peer._tag === "peerUser"
    ? found.users.find((one) => one._tag === "user" && one.id === peer.userId)
    : undefined
  if (user?._tag !== "user") return yield* Effect.fail(nobody)
  keep(people.names, name, { _tag: "inputUser", userId: user.id, accessHash: user.accessHash ?? 0n })
})

/** Runs what may need names, after looking up those it needs. */
export const withNames = <A>(
  people: People,
  transport: Transport["Service"],
  run: () => A
): Effect.Effect<A, unknown> =>
  Effect.suspend((): Effect.Effect<A, unknown> => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      return error instanceof NeedsLookup
        ? Effect.andThen(lookUp(people, transport, error.who), withNames(people, transport, run))
        : Effect.fail(error)
    }
  })

export const asPeer = (person: Person): Api.InputPeer =>
  person._tag === "inputUserSelf" ? { _tag: "inputPeerSelf" } : { ...person, _tag: "inputPeerUser" }
