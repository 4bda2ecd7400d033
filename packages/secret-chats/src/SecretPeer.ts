/**
 * What names a secret chat, in every form in which a program may have it at hand:
 *
 * - the id of the chat, a signed 32-bit number (about half of all ids are negative), as a number, a bigint or a decimal
 *   string
 * - the dialog id that bot-style interfaces show, `-2000000000000 + id`; the two ranges do not overlap
 * - an `InputEncryptedChat`, with or without `_tag`
 * - an `EncryptedChat`, `EncryptedMessage` or any update about a secret chat
 * - anything with a `chatId`: a `SecretChat`, an `Outcome`, an event, a message of the history
 *
 * The id alone decides; access hashes come from the store.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as Result from "effect/Result"
import { SecretChatUnknown } from "./SecretChatError.ts"

/**
 * Anything that names a secret chat.
 *
 * @category models
 * @since 1.0.0
 */
export type SecretPeer =
  | number
  | bigint
  | string
  | { readonly chatId: number }
  | Api.InputEncryptedChat
  | Api.EncryptedChat
  | Api.EncryptedMessage
  | Api.updateNewEncryptedMessage
  | Api.updateEncryption
  | Api.updateEncryptedChatTyping
  | Api.updateEncryptedMessagesRead

/**
 * Dialog ids of secret chats are this far below their ids.
 *
 * @category constants
 * @since 1.0.0
 */
export const dialogOffset = -2_000_000_000_000

const min = -(2 ** 31)
const max = 2 ** 31 - 1

const isChatId = (n: number): boolean => Number.isInteger(n) && n >= min && n <= max && n !== 0

const fromNumber = (n: number): number | undefined => {
  if (isChatId(n)) return n
  const rebased = n - dialogOffset
  return isChatId(rebased) ? rebased : undefined
}

const fromObject = (value: { readonly [key: string]: unknown }): unknown => {
  switch (value["_tag"]) {
    case "encryptedChatEmpty":
    case "encryptedChatWaiting":
    case "encryptedChatRequested":
    case "encryptedChat":
    case "encryptedChatDiscarded":
      return value["id"]
    case "updateEncryption":
      return idOf(value["chat"])
    case "updateNewEncryptedMessage":
      return idOf(value["message"])
    default:
      return value["chatId"]
  }
}

const idOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null ? fromObject(value as { readonly [key: string]: unknown }) : undefined

const numeric = /^[+-]?\d{1,16}$/

/**
 * The id of the chat that is named; the chat need not be in any store.
 *
 * Anything that cannot name a secret chat gives `SecretChatUnknown` without a `chatId`.
 *
 * @category conversions
 * @since 1.0.0
 */
export const chatId = (peer: SecretPeer): Result.Result<number, SecretChatUnknown> => {
  const id = typeof peer === "object" ? idOf(peer) : peer
  let found: number | undefined
  if (typeof id === "number") found = fromNumber(id)
  else if (typeof id === "bigint") found = id >= -(2n ** 53n) && id <= 2n ** 53n ? fromNumber(Number(id)) : undefined
  else if (typeof id === "string" && numeric.test(id)) found = fromNumber(Number(id))
  return found === undefined ? Result.fail(new SecretChatUnknown({})) : Result.succeed(found)
}

/**
 * The dialog id of a chat, for interfaces that use one id for all kinds of chats.
 *
 * @category conversions
 * @since 1.0.0
 */
export const dialogId = (id: number): number => dialogOffset + id

/** Constructors that name a chat in the spelling of TL, and the field that says which, or that holds what says which. */
const fields = {
  inputEncryptedChat: "chat_id",
  encryptedMessage: "chat_id",
  encryptedMessageService: "chat_id",
  updateEncryptedChatTyping: "chat_id",
  updateEncryptedMessagesRead: "chat_id",
  updateSecretChat: "chat_id",
  secretChat: "chat_id",
  "messages.sentEncryptedMessage": "chat_id",
  "messages.sentEncryptedFile": "chat_id",
  encryptedChatEmpty: "id",
  encryptedChatWaiting: "id",
  encryptedChatRequested: "id",
  encryptedChat: "id",
  encryptedChatDiscarded: "id",
  updateEncryption: "chat",
  updateNewEncryptedMessage: "message",
  updateNewOutgoingEncryptedMessage: "message"
} as const

/**
 * For interfaces that take objects in the spelling of TL (`_`, `chat_id`): where the id of the chat stands in an object of
 * this constructor. `chat` and `message` hold an object to look into in turn; `undefined` if it names no chat.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fieldOf = (constructor: string): "chat_id" | "id" | "chat" | "message" | undefined =>
  Object.hasOwn(fields, constructor) ? fields[constructor as keyof typeof fields] : undefined
