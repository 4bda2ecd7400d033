/**
 * The rules of secret chats on the server: who may do what in which state, and
 * what each device gets to see (core.telegram.org/api/end-to-end). The server
 * never reads what it relays.
 *
 * A chat belongs to two devices, not to two accounts. It is requested by one,
 * offered to every device of the other account that takes requests, and bound
 * to the first that accepts; the other devices see it closed.
 *
 * Functions here change the chat and return what to tell to whom; they know
 * nothing of connections, and time comes in as seconds of unix time.
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as Failure from "./failure.ts"
import type { Account, Authorization, Chat, ChatSide, StoredFile } from "./model.ts"

/** An update for one device. */
export interface Notice {
  readonly to: Authorization
  readonly update: Api.Update
}

/** What a successful call answers, and whom it tells. */
export interface Outcome<A> {
  readonly result: A
  readonly notices: ReadonlyArray<Notice>
}

/** How many files a chat remembers for each side. */
const REMEMBERED_FILES = 1024

// -----------------------------------------------------------------------------
// views
// -----------------------------------------------------------------------------

const common = (chat: Chat, side: ChatSide) => ({
  id: chat.id,
  accessHash: side.accessHash,
  date: chat.date,
  adminId: chat.initiator.account.id,
  participantId: chat.participant.account.id
})

const discarded = (chat: Chat, historyDeleted: boolean): Api.EncryptedChat =>
  historyDeleted
    ? { _tag: "encryptedChatDiscarded", id: chat.id, historyDeleted: true }
    : { _tag: "encryptedChatDiscarded", id: chat.id }

/** The chat as a device sees it. */
export const view = (chat: Chat, device: Authorization): Api.EncryptedChat => {
  if (chat.state === "discarded") return discarded(chat, chat.historyDeleted)
  const initiates = chat.initiator.authorization === device
  if (chat.state === "requested") {
    return initiates
      ? { _tag: "encryptedChatWaiting", ...common(chat, chat.initiator) }
      : { _tag: "encryptedChatRequested", ...common(chat, chat.participant), gA: chat.gA }
  }
  if (initiates) {
    return {
      _tag: "encryptedChat",
      ...common(chat, chat.initiator),
      gAOrB: chat.gB!,
      keyFingerprint: chat.keyFingerprint
    }
  }
  if (chat.participant.authorization === device) {
    return {
      _tag: "encryptedChat",
      ...common(chat, chat.participant),
      gAOrB: chat.gA,
      keyFingerprint: chat.keyFingerprint
    }
  }
  return discarded(chat, true)
}

const notice = (chat: Chat, to: Authorization, date: number): Notice => ({
  to,
  update: { _tag: "updateEncryption", chat: view(chat, to), date }
})

/** The side that a device is bound to, if any. */
const boundSide = (chat: Chat, device: Authorization): ChatSide | undefined =>
  chat.initiator.authorization === device
    ? chat.initiator
    : chat.participant.authorization === device
    ? chat.participant
    : undefined

const otherSide = (chat: Chat, side: ChatSide): ChatSide => side === chat.initiator ? chat.participant : chat.initiator

/** Every device that has heard of the chat and may still need to. */
const audience = (chat: Chat): Array<Authorization> => {
  const devices = chat.participant.authorization !== undefined ? [chat.participant.authorization] : [...chat.offeredTo]
  if (chat.initiator.authorization !== undefined) devices.unshift(chat.initiator.authorization)
  return devices.filter((device) => device.active)
}

// -----------------------------------------------------------------------------
// the life of a chat
// -----------------------------------------------------------------------------

/** A new chat, requested by `device` from `account`. `accessHashes` are two fresh random numbers. */
export const request = (options: {
  readonly id: number
  readonly device: Authorization
  readonly account: Account
  readonly gA: Uint8Array
  readonly accessHashes: readonly [initiator: bigint, participant: bigint]
  readonly now: number
}): Outcome<Chat> => {
  const { account, device, now } = options
  const offeredTo = new Set([...account.authorizations].filter((other) => other.acceptsSecretChats))
  const chat: Chat = {
    id: options.id,
    date: now,
    initiator: {
      account: device.account,
      accessHash: options.accessHashes[0],
      authorization: device,
      files: new Map()
    },
    participant: { account, accessHash: options.accessHashes[1], authorization: undefined, files: new Map() },
    gA: options.gA,
    gB: undefined,
    keyFingerprint: 0n,
    state: offeredTo.size > 0 ? "requested" : "discarded",
    historyDeleted: false,
    offeredTo
  }
  device.chats.add(chat)
  for (const other of offeredTo) other.chats.add(chat)
  return { result: chat, notices: [...offeredTo].map((other) => notice(chat, other, now)) }
}

/** The first device that accepts gets the chat. */
export const accept = (
  chat: Chat | undefined,
  device: Authorization,
  input: { readonly accessHash: bigint; readonly gB: Uint8Array; readonly keyFingerprint: bigint; readonly now: number }
): Outcome<Api.EncryptedChat> | Failure.RpcFailure => {
  if (
    chat === undefined || chat.participant.account !== device.account ||
    chat.participant.accessHash !== input.accessHash
  ) return Failure.badRequest("CHAT_ID_INVALID")
  if (chat.state === "accepted") return Failure.badRequest("ENCRYPTION_ALREADY_ACCEPTED")
  if (chat.state === "discarded") return Failure.badRequest("ENCRYPTION_ALREADY_DECLINED")
  chat.state = "accepted"
  chat.gB = input.gB
  chat.keyFingerprint = input.keyFingerprint
  chat.participant.authorization = device
  device.chats.add(chat)
  const told: Array<Authorization> = []
  if (chat.initiator.authorization !== undefined) told.push(chat.initiator.authorization)
  for (const other of chat.offeredTo) {
    if (other === device) continue
    told.push(other)
    other.chats.delete(chat)
  }
  return {
    result: view(chat, device),
    notices: told.filter((other) => other.active).map((other) => notice(chat, other, input.now))
  }
}

const close = (chat: Chat, historyDeleted: boolean, now: number): ReadonlyArray<Notice> => {
  const told = audience(chat)
  chat.state = "discarded"
  chat.historyDeleted = historyDeleted
  return told.map((device) => notice(chat, device, now))
}

/** Ends a chat, or declines a request. */
export const discard = (
  chat: Chat | undefined,
  device: Authorization,
  input: { readonly historyDeleted: boolean; readonly now: number }
): Outcome<true> | Failure.RpcFailure => {
  const isMember = chat !== undefined &&
    (chat.initiator.authorization === device || chat.participant.account === device.account)
  if (!isMember) return Failure.badRequest("ENCRYPTION_ID_INVALID")
  if (chat.state === "discarded") return Failure.badRequest("ENCRYPTION_ALREADY_DECLINED")
  if (chat.state === "accepted" && boundSide(chat, device) === undefined) {
    return Failure.badRequest("ENCRYPTION_ALREADY_ACCEPTED")
  }
  return { result: true, notices: close(chat, input.historyDeleted, input.now) }
}

/** A device is gone, and with it the keys of its chats: the other sides see them closed. */
export const logOut = (device: Authorization, now: number): ReadonlyArray<Notice> => {
  const notices: Array<Notice> = []
  for (const chat of device.chats) {
    const bound = boundSide(chat, device)
    chat.offeredTo.delete(device)
    if (chat.state === "discarded") {
      if (bound !== undefined) bound.authorization = undefined
      continue
    }
    // a request that was only offered lives on as long as another device may accept it
    if (bound === undefined && chat.offeredTo.size > 0) continue
    for (const each of close(chat, false, now)) if (each.to !== device) notices.push(each)
    if (bound !== undefined) bound.authorization = undefined
  }
  device.chats.clear()
  return notices
}

// -----------------------------------------------------------------------------
// use of a chat
// -----------------------------------------------------------------------------

/** A chat in which a device may speak, seen from that device. */
export interface Line {
  readonly chat: Chat
  readonly from: ChatSide
  readonly to: ChatSide
  readonly recipient: Authorization
}

/** Whether `device` may speak in the chat: only the two devices it is bound to may. */
export const line = (
  chat: Chat | undefined,
  device: Authorization,
  accessHash: bigint
): Line | Failure.RpcFailure => {
  const from = chat === undefined ? undefined : boundSide(chat, device)
  if (chat === undefined || from === undefined || from.accessHash !== accessHash || chat.state === "requested") {
    return Failure.badRequest("CHAT_ID_INVALID")
  }
  if (chat.state === "discarded") return Failure.badRequest("ENCRYPTION_DECLINED")
  const to = otherSide(chat, from)
  if (to.account.deleted) return Failure.forbidden("USER_DELETED")
  if (to.account.blocked.has(from.account.id)) return Failure.forbidden("USER_IS_BLOCKED")
  return { chat, from, to, recipient: to.authorization! }
}

/** Remembers the file of a message. */
export const remember = (side: ChatSide, randomId: bigint, file: StoredFile): void => {
  side.files.set(randomId, file)
  if (side.files.size > REMEMBERED_FILES) side.files.delete(side.files.keys().next().value!)
}
