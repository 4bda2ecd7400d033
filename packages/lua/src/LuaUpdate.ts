/**
 * What a script is told: what happens in secret chats, as tables in the shapes of the API where it has one.
 *
 * | what happened                                    | `_`                                                                  |
 * | ------------------------------------------------ | -------------------------------------------------------------------- |
 * | a message, or an action of the other side        | `updateNewEncryptedMessage`, with `message.decrypted_message`        |
 * | a chat was asked for, waits, is ready, is closed | `updateEncryption`                                                   |
 * | typing                                           | `updateEncryptedChatTyping`                                          |
 * | the other side has read                          | `updateEncryptedMessagesRead`                                        |
 * | everything else                                  | `updateSecretChat`, with the event of `SecretChats` in `event`       |
 *
 * Each of them can be given to a function that wants a chat. That a message of ours was taken by the server is no update: the
 * answer to the call said so.
 *
 * @since 1.0.0
 */
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import type * as Events from "@effect-mtproto/secret-chats/protocol/Events"
import type { SecretChatEvent } from "@effect-mtproto/secret-chats/SecretChats"
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

const chat = (date: number, fields: { readonly [name: string]: LuaValue.LuaValue | undefined }): LuaValue.LuaTable =>
  LuaValue.table({ _: "updateEncryption", chat: LuaValue.table(fields), date: BigInt(date) })

const action = (
  chatId: number,
  date: number,
  randomId: bigint | undefined,
  what: DecryptedMessage.DecryptedMessageAction
): LuaValue.LuaTable => {
  const decrypted = new Map(
    message({ _tag: "decryptedMessageService", randomId: randomId ?? 0n, action: what }) as LuaValue.LuaTable
  )
  if (randomId === undefined) decrypted.delete("random_id")
  return LuaValue.table({
    _: "updateNewEncryptedMessage",
    message: LuaValue.table({
      _: "encryptedMessageService",
      random_id: randomId,
      chat_id: BigInt(chatId),
      date: BigInt(date),
      decrypted_message: decrypted
    })
  })
}

const other = (chatId: number, event: Events.Event): LuaValue.LuaTable =>
  LuaValue.table({ _: "updateSecretChat", chat_id: BigInt(chatId), event: plain(event) })

/**
 * The update for an event; `undefined` for what is not told.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fromEvent = (
  { chatId, event }: Pick<SecretChatEvent, "chatId" | "event">
): LuaValue.LuaTable | undefined => {
  const id = BigInt(chatId)
  const date = BigInt(event.date)
  switch (event._tag) {
    case "MessageSent":
      return undefined
    case "NewMessage":
      return LuaValue.table({
        _: "updateNewEncryptedMessage",
        message: LuaValue.table({
          _: "encryptedMessage",
          random_id: event.randomId,
          chat_id: id,
          date,
          file: event.file === undefined ? undefined : plain({ _tag: "encryptedFile", ...event.file }),
          decrypted_message: message(event.message)
        })
      })
    case "ChatRequested":
      return chat(event.date, { _: "encryptedChatRequested", id, date, admin_id: event.userId })
    case "ChatWaiting":
      return chat(event.date, { _: "encryptedChatWaiting", id, date })
    case "ChatReady":
      return chat(event.date, { _: "encryptedChat", id, date })
    case "ChatClosed":
      return chat(event.date, {
        _: "encryptedChatDiscarded",
        id,
        history_deleted: event.historyDeleted ? true : undefined,
        reason: plain(event.reason)
      })
    case "Typing":
      return LuaValue.table({
        _: "updateEncryptedChatTyping",
        chat_id: id,
        action: event.action === undefined ? undefined : LuaValue.table({ _: event.action })
      })
    case "MessagesRead":
      return event.by === "me"
        ? other(chatId, event)
        : LuaValue.table({ _: "updateEncryptedMessagesRead", chat_id: id, max_date: BigInt(event.maxDate), date })
    case "TtlChanged":
      return event.by === "me" ? other(chatId, event) : action(chatId, event.date, event.randomId, {
        _tag: "decryptedMessageActionSetMessageTTL",
        ttlSeconds: event.ttl
      })
    case "ContentOpened":
      return event.by === "me" ? other(chatId, event) : action(chatId, event.date, undefined, {
        _tag: "decryptedMessageActionReadMessages",
        randomIds: event.randomIds
      })
    case "MessagesDeleted":
      return event.by === "me" ? other(chatId, event) : action(chatId, event.date, undefined, {
        _tag: "decryptedMessageActionDeleteMessages",
        randomIds: event.randomIds
      })
    case "Screenshot":
      return event.by === "me" ? other(chatId, event) : action(chatId, event.date, undefined, {
        _tag: "decryptedMessageActionScreenshotMessages",
        randomIds: event.randomIds
      })
    case "HistoryFlushed":
      return event.by === "me"
        ? other(chatId, event)
        : action(chatId, event.date, undefined, { _tag: "decryptedMessageActionFlushHistory" })
    default:
      return other(chatId, event)
  }
}
