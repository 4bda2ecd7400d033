/**
 * What programs are told: what happens in secret chats, in the shapes of the API where it has one.
 *
 * | what happened | update |
 * | --- | --- |
 * | a message, or an action of the other side | `updateNewEncryptedMessage`, with `decrypted_message` in place of `bytes` |
 * | a chat was asked for, waits, is ready, is closed | `updateEncryption` |
 * | typing | `updateEncryptedChatTyping` |
 * | the other side has read | `updateEncryptedMessagesRead` |
 * | everything else | `updateSecretChat`, with the event of `SecretChats` in `event` |
 *
 * That a message of ours was taken by the server is no update: the answer to the call said so.
 *
 * @since 1.0.0
 */
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import type * as Events from "@effect-mtproto/secret-chats/protocol/Events"
import type { SecretChatEvent } from "@effect-mtproto/secret-chats/SecretChats"
import type * as Schema from "effect/Schema"
import * as LooseTl from "./LooseTl.ts"

type JsonObject = { readonly [key: string]: Schema.Json }

const file = (reference: Events.FileReference): JsonObject => ({
  _: "encryptedFile",
  ...LooseTl.toJson(reference) as JsonObject
})

const action = (
  chatId: number,
  date: number,
  randomId: bigint | undefined,
  action: DecryptedMessage.DecryptedMessageAction
): JsonObject => ({
  _: "updateNewEncryptedMessage",
  message: {
    _: "encryptedMessageService",
    ...randomId === undefined ? {} : { random_id: randomId.toString() },
    chat_id: chatId,
    date,
    decrypted_message: {
      _: "decryptedMessageService",
      ...randomId === undefined ? {} : { random_id: randomId.toString() },
      action:
        (DecryptedMessage.toJson({ _tag: "decryptedMessageService", randomId: 0n, action }) as JsonObject)["action"]!
    }
  }
})

const chat = (date: number, chat: JsonObject): JsonObject => ({ _: "updateEncryption", chat, date })

/**
 * The update for an event; `undefined` for what is not told.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fromEvent = ({ chatId, event }: Pick<SecretChatEvent, "chatId" | "event">): JsonObject | undefined => {
  const { date } = event
  switch (event._tag) {
    case "MessageSent":
      return undefined
    case "NewMessage":
      return {
        _: "updateNewEncryptedMessage",
        message: {
          _: "encryptedMessage",
          random_id: event.randomId.toString(),
          chat_id: chatId,
          date,
          ...event.file === undefined ? {} : { file: file(event.file) },
          decrypted_message: DecryptedMessage.toJson(event.message)
        }
      }
    case "ChatRequested":
      return chat(date, { _: "encryptedChatRequested", id: chatId, date, admin_id: event.userId.toString() })
    case "ChatWaiting":
      return chat(date, { _: "encryptedChatWaiting", id: chatId, date })
    case "ChatReady":
      return chat(date, { _: "encryptedChat", id: chatId, date })
    case "ChatClosed":
      return chat(date, {
        _: "encryptedChatDiscarded",
        id: chatId,
        ...event.historyDeleted ? { history_deleted: true } : {},
        reason: LooseTl.toJson(event.reason)
      })
    case "Typing":
      return event.action === undefined
        ? { _: "updateEncryptedChatTyping", chat_id: chatId }
        : { _: "updateEncryptedChatTyping", chat_id: chatId, action: { _: event.action } }
    case "MessagesRead":
      return event.by === "peer"
        ? { _: "updateEncryptedMessagesRead", chat_id: chatId, max_date: event.maxDate, date }
        : other(chatId, event)
    case "TtlChanged":
      return event.by === "me" ? other(chatId, event) : action(chatId, date, event.randomId, {
        _tag: "decryptedMessageActionSetMessageTTL",
        ttlSeconds: event.ttl
      })
    case "ContentOpened":
      return event.by === "me" ? other(chatId, event) : action(chatId, date, undefined, {
        _tag: "decryptedMessageActionReadMessages",
        randomIds: event.randomIds
      })
    case "MessagesDeleted":
      return event.by === "me" ? other(chatId, event) : action(chatId, date, undefined, {
        _tag: "decryptedMessageActionDeleteMessages",
        randomIds: event.randomIds
      })
    case "Screenshot":
      return event.by === "me" ? other(chatId, event) : action(chatId, date, undefined, {
        _tag: "decryptedMessageActionScreenshotMessages",
        randomIds: event.randomIds
      })
    case "HistoryFlushed":
      return event.by === "me"
        ? other(chatId, event)
        : action(chatId, date, undefined, { _tag: "decryptedMessageActionFlushHistory" })
    default:
      return other(chatId, event)
  }
}

const other = (chatId: number, event: Events.Event): JsonObject => ({
  _: "updateSecretChat",
  chat_id: chatId,
  event: LooseTl.toJson(event)
})
