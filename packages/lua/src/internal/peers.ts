/** Which secret chat is named, by a number, its digits or any table about it. */
import type { SecretChatUnknown } from "@effect-mtproto/secret-chats/SecretChatError"
import * as SecretPeer from "@effect-mtproto/secret-chats/SecretPeer"
import * as Result from "effect/Result"
import * as LuaValue from "../LuaValue.ts"
import { invalid, type Refusal } from "./failure.ts"

/** Where the id stands in tables that name a chat. */
const fields: { readonly [constructor: string]: string } = {
  inputEncryptedChat: "chat_id",
  encryptedMessage: "chat_id",
  encryptedMessageService: "chat_id",
  updateEncryptedChatTyping: "chat_id",
  updateEncryptedMessagesRead: "chat_id",
  updateSecretChat: "chat_id",
  secretChat: "chat_id",
  secretMessage: "chat_id",
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
}

const idIn = (value: LuaValue.LuaValue | undefined, depth = 0): LuaValue.LuaValue | undefined => {
  if (!LuaValue.isTable(value)) return value
  const tag = value.get("_")
  const field = tag === undefined
    ? "chat_id"
    : typeof tag === "string" && Object.hasOwn(fields, tag)
    ? fields[tag]
    : undefined
  return field === undefined || depth > 2 ? undefined : idIn(value.get(field), depth + 1)
}

export const chatId = (
  value: LuaValue.LuaValue | undefined
): Result.Result<number, SecretChatUnknown | Refusal> => {
  if (value === undefined || value === null) return Result.fail(invalid("peer: is missing"))
  const id = idIn(value)
  return typeof id === "bigint" || typeof id === "number" || typeof id === "string"
    ? SecretPeer.chatId(id)
    : Result.fail(invalid(`peer: a secret chat is needed, not ${LuaValue.describe(value)}`))
}
