/**
 * What a script is told: what happens in secret chats, see `SecretUpdate`, and every other update of the account, as tables.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import type { SecretChatEvent } from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretUpdate from "@effect-mtproto/secret-chats/SecretUpdate"
import * as LuaTl from "./LuaTl.ts"
import * as LuaValue from "./LuaValue.ts"

const message = LuaTl.toLua(DecryptedMessage.AnyMessage)

/** Any plain value; for events, which are none of TL. */
const plain = (value: unknown): LuaValue.LuaValue | undefined => {
  switch (typeof value) {
    case "bigint":
    case "boolean":
      return value
    case "number":
      return Number.isSafeInteger(value) ? BigInt(value) : value
    case "string":
      return LuaValue.fromText(value)
    case "object":
      if (value === null) return undefined
      if (value instanceof Uint8Array) return LuaValue.fromBytes(value)
      if (Array.isArray(value)) return LuaValue.sequence(value.map((one) => plain(one) ?? null))
      return LuaValue.table(Object.fromEntries(
        Object.entries(value).map(([key, item]) => [
          key === "_tag" ? "_" : key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
          plain(item)
        ])
      ))
    default:
      return undefined
  }
}

const decrypted = (what: SecretUpdate.NewMessage["message"]["decryptedMessage"]): LuaValue.LuaTable => {
  if (what._tag === "decryptedMessage") return message(what) as LuaValue.LuaTable
  const made = new Map(message({ ...what, randomId: what.randomId ?? 0n }) as LuaValue.LuaTable)
  if (what.randomId === undefined) made.delete("random_id")
  return made
}

/**
 * The update for an event; `undefined` for what is not told.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fromEvent = (
  happening: Pick<SecretChatEvent, "chatId" | "event">
): LuaValue.LuaTable | undefined => {
  const update = SecretUpdate.fromEvent(happening)
  if (update === undefined) return undefined
  if (update._tag !== "updateNewEncryptedMessage") return plain(update) as LuaValue.LuaTable
  const { decryptedMessage, ...outer } = update.message
  return LuaValue.table({
    _: update._tag,
    message: new Map(plain(outer) as LuaValue.LuaTable).set("decrypted_message", decrypted(decryptedMessage))
  })
}

const other = LuaTl.toLua(ApiSchema.type("Update"))

/**
 * An update that is not about secret chats.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fromUpdate = (update: Api.Update): LuaValue.LuaTable => other(update) as LuaValue.LuaTable
