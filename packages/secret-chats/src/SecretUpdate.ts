/**
 * What happens in secret chats, in the shapes of the server API where it has one: for interfaces whose users know updates.
 *
 * | what happened                                    | update                                                                   |
 * | ------------------------------------------------ | ------------------------------------------------------------------------ |
 * | a message, or an action of the other side        | `updateNewEncryptedMessage`, with `decryptedMessage` in place of `bytes` |
 * | a chat was asked for, waits, is ready, is closed | `updateEncryption`                                                       |
 * | typing                                           | `updateEncryptedChatTyping`                                              |
 * | the other side has read                          | `updateEncryptedMessagesRead`                                            |
 * | everything else                                  | `updateSecretChat`, with the event of `SecretChats` in `event`           |
 *
 * That a message of ours was taken by the server is no update: the answer to the call said so.
 *
 * @since 1.0.0
 */
import type * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import type * as Events from "./protocol/Events.ts"
import type { SecretChatEvent } from "./SecretChats.ts"

// ----- models

/**
 * What the other side has done. Some actions are told without the name of the message that carried them.
 *
 * @category models
 * @since 1.0.0
 */
export interface DecryptedAction {
  readonly _tag: "decryptedMessageService"
  readonly randomId?: bigint
  readonly action: DecryptedMessage.DecryptedMessageAction
}

/**
 * @category models
 * @since 1.0.0
 */
export interface NewMessage {
  readonly _tag: "updateNewEncryptedMessage"
  readonly message:
    | {
      readonly _tag: "encryptedMessage"
      readonly randomId: bigint
      readonly chatId: number
      /** Unix seconds. */
      readonly date: number
      readonly file?: { readonly _tag: "encryptedFile" } & Events.FileReference
      readonly decryptedMessage: DecryptedMessage.DecryptedMessage
    }
    | {
      readonly _tag: "encryptedMessageService"
      readonly randomId?: bigint
      readonly chatId: number
      readonly date: number
      readonly decryptedMessage: DecryptedAction
    }
}

/**
 * @category models
 * @since 1.0.0
 */
export interface Encryption {
  readonly _tag: "updateEncryption"
  readonly chat:
    | {
      readonly _tag: "encryptedChatRequested"
      readonly id: number
      readonly date: number
      readonly adminId: bigint
    }
    | { readonly _tag: "encryptedChatWaiting" | "encryptedChat"; readonly id: number; readonly date: number }
    | {
      readonly _tag: "encryptedChatDiscarded"
      readonly id: number
      readonly historyDeleted?: true
      readonly reason: Events.CloseReason
    }
  readonly date: number
}

/**
 * Each names its chat, so that it can be given to whatever wants a chat.
 *
 * @category models
 * @since 1.0.0
 */
export type SecretUpdate =
  | NewMessage
  | Encryption
  | {
    readonly _tag: "updateEncryptedChatTyping"
    readonly chatId: number
    /** What exactly the other side does, where it said so. */
    readonly action?: { readonly _tag: string }
  }
  | {
    readonly _tag: "updateEncryptedMessagesRead"
    readonly chatId: number
    readonly maxDate: number
    readonly date: number
  }
  | { readonly _tag: "updateSecretChat"; readonly chatId: number; readonly event: Events.Event }

/**
 * The names of all of them.
 *
 * @category models
 * @since 1.0.0
 */
export const tags: ReadonlyArray<SecretUpdate["_tag"]> = [
  "updateNewEncryptedMessage",
  "updateEncryption",
  "updateEncryptedChatTyping",
  "updateEncryptedMessagesRead",
  "updateSecretChat"
]

// ----- conversions

const encryption = (date: number, chat: Encryption["chat"]): Encryption => ({ _tag: "updateEncryption", chat, date })

/**
 * The update for an event; `undefined` for what is not told.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fromEvent = (
  { chatId, event }: Pick<SecretChatEvent, "chatId" | "event">
): SecretUpdate | undefined => {
  const { date } = event
  const other: SecretUpdate = { _tag: "updateSecretChat", chatId, event }
  const action = (
    action: DecryptedMessage.DecryptedMessageAction,
    named: { readonly randomId?: bigint } = {}
  ): NewMessage => ({
    _tag: "updateNewEncryptedMessage",
    message: {
      _tag: "encryptedMessageService",
      ...named,
      chatId,
      date,
      decryptedMessage: { _tag: "decryptedMessageService", ...named, action }
    }
  })
  switch (event._tag) {
    case "MessageSent":
      return undefined
    case "NewMessage":
      return {
        _tag: "updateNewEncryptedMessage",
        message: {
          _tag: "encryptedMessage",
          randomId: event.randomId,
          chatId,
          date,
          ...event.file === undefined ? {} : { file: { _tag: "encryptedFile", ...event.file } },
          decryptedMessage: event.message
        }
      }
    case "ChatRequested":
      return encryption(date, { _tag: "encryptedChatRequested", id: chatId, date, adminId: event.userId })
    case "ChatWaiting":
      return encryption(date, { _tag: "encryptedChatWaiting", id: chatId, date })
    case "ChatReady":
      return encryption(date, { _tag: "encryptedChat", id: chatId, date })
    case "ChatClosed":
      return encryption(date, {
        _tag: "encryptedChatDiscarded",
        id: chatId,
        ...event.historyDeleted ? { historyDeleted: true } : {},
        reason: event.reason
      })
    case "Typing":
      return {
        _tag: "updateEncryptedChatTyping",
        chatId,
        ...event.action === undefined ? {} : { action: { _tag: event.action } }
      }
    case "MessagesRead":
      return event.by === "me"
        ? other
        : { _tag: "updateEncryptedMessagesRead", chatId, maxDate: event.maxDate, date }
    case "TtlChanged":
      return event.by === "me" ? other : action(
        { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: event.ttl },
        { randomId: event.randomId }
      )
    case "ContentOpened":
      return event.by === "me"
        ? other
        : action({ _tag: "decryptedMessageActionReadMessages", randomIds: event.randomIds })
    case "MessagesDeleted":
      return event.by === "me"
        ? other
        : action({ _tag: "decryptedMessageActionDeleteMessages", randomIds: event.randomIds })
    case "Screenshot":
      return event.by === "me"
        ? other
        : action({ _tag: "decryptedMessageActionScreenshotMessages", randomIds: event.randomIds })
    case "HistoryFlushed":
      return event.by === "me" ? other : action({ _tag: "decryptedMessageActionFlushHistory" })
    default:
      return other
  }
}
