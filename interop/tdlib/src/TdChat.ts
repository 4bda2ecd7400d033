/**
 * A secret chat as TDLib shows it: what the checks do with one, and the updates they look for.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Td from "tdlib-types"
import type { EventMissing, Mark } from "./EventLog.ts"
import { type Client, TdlibError } from "./Tdlib.ts"

/** A secret chat of a TDLib client. `chatId` names the dialog, `secretChatId` is the number both sides know. */
export interface TdChat {
  readonly client: Client
  readonly chatId: number
  readonly secretChatId: number
}

/** A state change of a secret chat. */
export const secretChatUpdate =
  (id: number, state?: Td.SecretChatState["_"]) => (update: Td.Update): Td.secretChat | undefined =>
    update._ === "updateSecretChat" && update.secret_chat.id === id &&
      (state === undefined || update.secret_chat.state._ === state)
      ? update.secret_chat
      : undefined

/** Waits until the chat is ready. */
export const ready = (
  client: Client,
  secretChatId: number,
  since?: Mark
): Effect.Effect<Td.secretChat, EventMissing> =>
  client.updates.waitFor(`ready secret chat ${secretChatId}`, secretChatUpdate(secretChatId, "secretChatStateReady"), {
    since
  })

/** Waits until the chat is closed. */
export const closed = (chat: TdChat, since?: Mark): Effect.Effect<Td.secretChat, EventMissing> =>
  chat.client.updates.waitFor(
    `closed secret chat ${chat.secretChatId}`,
    secretChatUpdate(chat.secretChatId, "secretChatStateClosed"),
    { since }
  )

/** What TDLib holds of the chat now. */
export const current = (chat: TdChat): Effect.Effect<Td.secretChat, TdlibError> =>
  chat.client.invoke({ _: "getSecretChat", secret_chat_id: chat.secretChatId })

/** Asks the user with this phone number for a secret chat. */
export const request = Effect.fnUntraced(function*(client: Client, phone: string) {
  const user = yield* client.invoke({ _: "searchUserByPhoneNumber", phone_number: phone, only_local: false })
  const chat = yield* client.invoke({ _: "createNewSecretChat", user_id: user.id })
  if (chat.type._ !== "chatTypeSecret") return yield* Effect.die(new Error(`not a secret chat: ${chat.type._}`))
  return { client, chatId: chat.id, secretChatId: chat.type.secret_chat_id } satisfies TdChat
})

/** The dialog TDLib made for a secret chat that somebody else asked for. */
export const incoming = (client: Client, secretChatId: number): Effect.Effect<TdChat, EventMissing> =>
  client.updates.waitFor(
    `dialog of secret chat ${secretChatId}`,
    (update) =>
      update._ === "updateNewChat" && update.chat.type._ === "chatTypeSecret" &&
        update.chat.type.secret_chat_id === secretChatId
        ? { client, chatId: update.chat.id, secretChatId }
        : undefined
  )

/** Any incoming message of the chat, turned into something by `select`. */
export const received =
  <A>(chat: TdChat, select: (message: Td.message) => A | undefined) => (update: Td.Update): A | undefined =>
    update._ === "updateNewMessage" && update.message.chat_id === chat.chatId && !update.message.is_outgoing
      ? select(update.message)
      : undefined

/** Waits for an incoming message of the chat. */
export const receive = <A>(chat: TdChat, what: string, select: (message: Td.message) => A | undefined, since?: Mark) =>
  chat.client.updates.waitFor(what, received(chat, select), { since })

/** Text of a message, if it is one. */
export const textOf = (message: Td.message): string | undefined =>
  message.content._ === "messageText" ? message.content.text.text : undefined

/** Waits for an incoming text. */
export const receiveText = (
  chat: TdChat,
  text: string,
  within?: Duration.Input
): Effect.Effect<Td.message, EventMissing> =>
  chat.client.updates.waitFor(
    `text ${JSON.stringify(text.slice(0, 40))}`,
    received(chat, (message) => textOf(message) === text ? message : undefined),
    { within }
  )

/** All incoming texts of the chat, in the order in which TDLib delivered them. */
export const texts = (chat: TdChat, since?: Mark): ReadonlyArray<string> =>
  chat.client.updates.seen(received(chat, textOf), since)

/** All incoming texts of the chat that TDLib has stored, the oldest first. */
export const history = Effect.fnUntraced(function*(chat: TdChat) {
  const found: Array<string> = []
  let from = 0
  while (true) {
    const page = yield* chat.client.invoke({
      _: "getChatHistory",
      chat_id: chat.chatId,
      from_message_id: from,
      offset: 0,
      limit: 100,
      only_local: true
    })
    const messages = page.messages.filter((message) => message !== undefined && message !== null)
    if (messages.length === 0) return found.toReversed()
    for (const message of messages) {
      const text = message.is_outgoing ? undefined : textOf(message)
      if (text !== undefined) found.push(text)
    }
    from = messages.at(-1)!.id
  }
})

/** Hands a message to TDLib, does not wait for the server. */
export const submit = (
  chat: TdChat,
  content: Td.InputMessageContent$Input,
  options?: { readonly replyTo?: number; readonly silent?: boolean }
): Effect.Effect<Td.message, TdlibError> =>
  chat.client.invoke({
    _: "sendMessage",
    chat_id: chat.chatId,
    ...(options?.replyTo === undefined
      ? {}
      : { reply_to: { _: "inputMessageReplyToMessage", message_id: options.replyTo } as const }),
    options: { _: "messageSendOptions", disable_notification: options?.silent ?? false },
    input_message_content: content
  })

/** Waits until TDLib knows what became of a submitted message. */
export const sent = (chat: TdChat, message: Td.message): Effect.Effect<Td.message, EventMissing | TdlibError> =>
  chat.client.updates.waitFor(
    `send result of message ${message.id}`,
    (update) =>
      (update._ === "updateMessageSendSucceeded" || update._ === "updateMessageSendFailed") &&
        update.old_message_id === message.id
        ? update
        : undefined
  ).pipe(
    Effect.flatMap((update) =>
      update._ === "updateMessageSendSucceeded"
        ? Effect.succeed(update.message)
        : Effect.fail(new TdlibError({ method: "sendMessage", code: update.error.code, message: update.error.message }))
    )
  )

/** All texts of the chat that TDLib has reported as sent. */
export const sentTexts = (chat: TdChat): ReadonlyArray<string> =>
  chat.client.updates.seen((update) =>
    update._ === "updateMessageSendSucceeded" && update.message.chat_id === chat.chatId
      ? textOf(update.message)
      : undefined
  )

/** Content of a text message. */
export const text = (
  value: string,
  entities: ReadonlyArray<
    { readonly offset: number; readonly length: number; readonly type: Td.TextEntityType$Input }
  > = []
): Td.inputMessageText$Input => ({
  _: "inputMessageText",
  text: {
    _: "formattedText",
    text: value,
    entities: entities.map((entity) => ({ _: "textEntity", ...entity }))
  }
})

/** Sends a text and waits until the server has it. */
export const sendText = (chat: TdChat, value: string) =>
  Effect.flatMap(submit(chat, text(value)), (message) => sent(chat, message))

/** Waits until a message of the chat is deleted for good. */
export const deleted = (chat: TdChat, messageId: number): Effect.Effect<void, EventMissing> =>
  Effect.asVoid(
    chat.client.updates.waitFor(`deletion of message ${messageId}`, (update) =>
      update._ === "updateDeleteMessages" && update.chat_id === chat.chatId && update.is_permanent &&
        update.message_ids.includes(messageId)
        ? update
        : undefined)
  )

/** Waits until TDLib took the dialog out of the chat list, as it does when the other side deletes the history. */
export const historyGone = (chat: TdChat): Effect.Effect<void, EventMissing> =>
  Effect.asVoid(
    chat.client.updates.waitFor("removal of the dialog", (update) =>
      update._ === "updateChatLastMessage" && update.chat_id === chat.chatId && update.last_message === undefined
        ? update
        : undefined)
  )
