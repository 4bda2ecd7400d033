/**
 * What names a secret chat or a person, in all the forms that are taken from outside.
 *
 * A secret chat: its id as a number or in digits, the dialog id of bot-style interfaces, an `inputEncryptedChat`, an
 * `encryptedMessage`, an `encryptedChat`, an update about a secret chat (also those of this gateway), what a send returned.
 *
 * A person: an `inputUser`, an `inputPeerUser`, a `user`, `{ user_id, access_hash }`, an id, `@name`, a phone number with `+`,
 * `me`.
 *
 * A group or channel of ordinary chats: its id as bot-style interfaces write it, `-id` for a basic group and
 * `-1000000000000 - id` for a channel or supergroup.
 *
 * @since 1.0.0
 */
import type { SecretChatUnknown } from "@effect-mtproto/secret-chats/SecretChatError"
import * as SecretPeer from "@effect-mtproto/secret-chats/SecretPeer"
import * as Result from "effect/Result"
import * as Failure from "./Failure.ts"

interface Plain {
  readonly [key: string]: unknown
}

const isPlain = (value: unknown): value is Plain =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)

// ----- secret chats

const invalidConstructor = Failure.badRequest("Invalid constructor given", "PEER_INVALID")

const idIn = (value: Plain, depth: number): Result.Result<unknown, Failure.Failure> => {
  const tag = value["_"] ?? value["_tag"]
  if (tag === undefined) {
    // `{ "update_id": …, "update": … }`, as getUpdates gives it
    return isPlain(value["update"]) && depth === 0
      ? idIn(value["update"], 1)
      : Result.succeed(value["chat_id"] ?? value["chatId"])
  }
  const where = typeof tag === "string" ? SecretPeer.fieldOf(tag) : undefined
  switch (where) {
    case undefined:
      return Result.fail(invalidConstructor)
    case "chat_id":
      return Result.succeed(value["chat_id"] ?? value["chatId"])
    case "id":
      return Result.succeed(value["id"])
    default: {
      const inner = value[where]
      return isPlain(inner) && depth < 2 ? idIn(inner, depth + 1) : Result.fail(invalidConstructor)
    }
  }
}

/**
 * The id of the secret chat that is named.
 *
 * @category parsing
 * @since 1.0.0
 */
export const chatId = (value: unknown): Result.Result<number, Failure.Failure | SecretChatUnknown> => {
  if (value === undefined || value === null) {
    return Result.fail(Failure.badRequest("Missing required parameter peer", "PEER_INVALID"))
  }
  const id = isPlain(value) ? idIn(value, 0) : Result.succeed(value)
  if (Result.isFailure(id)) return Result.fail(id.failure)
  const name = id.success
  return typeof name === "number" || typeof name === "bigint" || typeof name === "string"
    ? SecretPeer.chatId(name)
    : Result.fail(Failure.badRequest("What was given as peer does not name a secret chat", "PEER_INVALID"))
}

// ----- people

/**
 * A person, as named; some have to be looked up.
 *
 * @category models
 * @since 1.0.0
 */
export type Person =
  | { readonly _tag: "Self" }
  | { readonly _tag: "Known"; readonly userId: bigint; readonly accessHash: bigint }
  | { readonly _tag: "Id"; readonly userId: bigint }
  | { readonly _tag: "Username"; readonly username: string }
  | { readonly _tag: "Phone"; readonly phone: string }

const long = (value: unknown): bigint | undefined => {
  if (typeof value === "string" && /^-?\d{1,19}$/.test(value)) return long(BigInt(value))
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : undefined
  return typeof value === "bigint" && BigInt.asIntN(64, value) === value ? value : undefined
}

const people = new Set(["inputUser", "inputPeerUser", "user", "peerUser", "inputUserSelf", "inputPeerSelf", "userFull"])

const noPerson = Result.fail(
  Failure.badRequest("What was given as user does not name anybody", "USER_INVALID")
)

/**
 * Who is named.
 *
 * @category parsing
 * @since 1.0.0
 */
export const person = (value: unknown): Result.Result<Person, Failure.Failure> => {
  if (value === undefined || value === null) {
    return Result.fail(Failure.badRequest("Missing required parameter user", "USER_INVALID"))
  }
  if (isPlain(value)) {
    const tag = value["_"] ?? value["_tag"]
    if (tag !== undefined && !people.has(tag as string)) return Result.fail(invalidConstructor)
    if (tag === "inputUserSelf" || tag === "inputPeerSelf") return Result.succeed({ _tag: "Self" })
    const userId = long(value["user_id"] ?? value["userId"] ?? value["id"])
    if (userId === undefined || userId <= 0n) return noPerson
    const accessHash = long(value["access_hash"] ?? value["accessHash"])
    return Result.succeed(accessHash === undefined ? { _tag: "Id", userId } : { _tag: "Known", userId, accessHash })
  }
  if (typeof value === "string") {
    if (value === "me" || value === "self") return Result.succeed({ _tag: "Self" })
    const username = /^(?:@|(?:https?:\/\/)?t\.me\/)([A-Za-z][A-Za-z0-9_]{3,31})$/.exec(value)?.[1]
    if (username !== undefined) return Result.succeed({ _tag: "Username", username })
    // a plus sign in a form is a blank, unless somebody has escaped it
    const phone = /^[+ ][\d ().-]{5,30}$/.test(value) ? value.replace(/\D/g, "") : ""
    if (phone.length >= 5 && phone.length <= 15) return Result.succeed({ _tag: "Phone", phone })
  }
  const userId = long(value)
  return userId !== undefined && userId > 0n ? Result.succeed({ _tag: "Id", userId }) : noPerson
}

// ----- groups and channels

/**
 * A person, a basic group, or a channel; supergroups are channels.
 *
 * @category models
 * @since 1.0.0
 */
export type Peer =
  | Person
  | { readonly _tag: "Group"; readonly chatId: bigint }
  | { readonly _tag: "Channel"; readonly channelId: bigint }

const channelOffset = -1_000_000_000_000n
/** Below the last channel are secret chats and what else bot-style interfaces number. */
const lastChannel = -1_997_852_516_352n

const noPeer = Result.fail(
  Failure.badRequest("What was given as peer does not name an ordinary chat", "PEER_INVALID")
)

/**
 * Who is named, or which group or channel: what is below zero is one of those.
 *
 * @category parsing
 * @since 1.0.0
 */
export const peer = (value: unknown): Result.Result<Peer, Failure.Failure> => {
  const id = long(value)
  if (id === undefined || id >= 0n) return person(value)
  if (id > channelOffset) return Result.succeed({ _tag: "Group", chatId: -id })
  return id < channelOffset && id >= lastChannel
    ? Result.succeed({ _tag: "Channel", channelId: channelOffset - id })
    : noPeer
}

/**
 * Which channel is named, where nothing else can be: then its id may stand without the offset.
 *
 * @category parsing
 * @since 1.0.0
 */
export const channel = (value: unknown): Result.Result<Peer, Failure.Failure> => {
  const id = long(value)
  return id !== undefined && id > 0n ? Result.succeed({ _tag: "Channel", channelId: id }) : peer(value)
}

/**
 * The id of a channel as bot-style interfaces write it.
 *
 * @category conversions
 * @since 1.0.0
 */
export const channelDialogId = (channelId: bigint): bigint => channelOffset - channelId
