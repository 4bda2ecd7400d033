/** Which secret chat is named, by a number, its digits or any table about it. */
import type { SecretChatUnknown } from "@effect-mtproto/secret-chats/SecretChatError"
import * as SecretPeer from "@effect-mtproto/secret-chats/SecretPeer"
import * as Result from "effect/Result"
import * as LuaValue from "../LuaValue.ts"
import { invalid, type Refusal } from "./failure.ts"

/** Where the id stands in a table of this constructor; those of the history are Lua's own. */
const fieldOf = (tag: string) => tag === "secretMessage" ? "chat_id" : SecretPeer.fieldOf(tag)

const idIn = (value: LuaValue.LuaValue | undefined, depth = 0): LuaValue.LuaValue | undefined => {
  if (!LuaValue.isTable(value)) return value
  const tag = value.get("_")
  const field = tag === undefined
    ? "chat_id"
    : typeof tag === "string"
    ? fieldOf(tag)
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
