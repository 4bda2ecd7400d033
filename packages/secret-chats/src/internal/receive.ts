/**
 * Taking in what the server sends: each update becomes a job of its chat, in order, and is confirmed when that job is
 * committed. Chats do not wait for each other.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import type { TransportUpdate } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { engine as theEngine, perform } from "./acts.ts"
import { enqueue, type Services } from "./engine.ts"
import * as HistoryFile from "./historyFile.ts"
import { serverChat } from "./state.ts"
import type { Work } from "./work.ts"

/**
 * What to do about somebody who asks for a chat.
 *
 * - `ask`: keep the request; the event `ChatRequested` says so, `accept` or `decline` answers it
 * - `allow`: accept it
 * - `none`: let it pass; another device of the account can still take it
 *
 * @internal
 */
export type Decision = "ask" | "allow" | "none"

/** @internal */
export type Decide<R> = (request: {
  readonly chatId: number
  readonly userId: bigint
  readonly date: number
  readonly user: Api.User | undefined
}) => Effect.Effect<Decision, never, R>

type Update = Pick<TransportUpdate, "update" | "users" | "confirm">

/** A job for a chat that may be unknown or gone; nothing it meets is an error. */
const take = (
  chatId: number,
  confirm: Effect.Effect<void>,
  run: (work: Work) => void
): Effect.Effect<void, never, Services> =>
  Effect.flatMap(theEngine, (engine) =>
    Effect.asVoid(enqueue(engine, perform, chatId, {
      run: (work) => {
        run(work)
        return Result.void
      },
      committed: confirm,
      persistent: true
    })))

/** Whether the chat has come to be, even if only just now, in the transaction that this belongs to. */
const exists = (work: Work): boolean => work.stored || work.state.phase._tag !== "New"

const frame = (
  message: Api.encryptedMessage | Api.encryptedMessageService,
  confirm: Effect.Effect<void>
): Effect.Effect<void, never, Services> =>
  take(message.chatId, confirm, (work) => {
    // Without the chat there is no key; a closed one has forgotten it.
    if (!exists(work) || work.state.phase._tag === "Closed") return
    const { bytes, date, randomId } = message
    const file = message._tag === "encryptedMessage" && message.file._tag === "encryptedFile"
      ? { file: HistoryFile.reference(message.file) }
      : {}
    work.receive({ bytes, date, randomId, ...file })
  })

const requested = Effect.fnUntraced(function*<R>(
  chat: Api.encryptedChatRequested,
  { confirm, users }: Update,
  decide: Decide<R>
): Effect.fn.Return<void, never, Services | R> {
  const { adminId: userId, date, id: chatId } = chat
  const decision = yield* decide({ chatId, userId, date, user: users.find((user) => user.id === userId) })
  yield* take(chatId, confirm, (work) => {
    // A request that is known has been decided on before.
    if (!work.stored && decision === "none") return
    work.step({ _tag: "ServerChat", chat: serverChat(chat) })
    if (!work.stored && decision === "allow" && work.state.phase._tag === "Requested") work.step({ _tag: "Accept" })
  })
})

/**
 * Takes in one update. Returns when it is in line, not when it is stored; updates that are not about secret chats are
 * confirmed at once.
 *
 * @internal
 */
export const receive = <R>(
  incoming: Update,
  decide: Decide<R>
): Effect.Effect<void, never, Services | R> => {
  const { confirm, update } = incoming
  switch (update._tag) {
    case "updateNewEncryptedMessage":
      return frame(update.message, confirm)
    case "updateEncryption":
      return update.chat._tag === "encryptedChatRequested"
        ? requested(update.chat, incoming, decide)
        : take(update.chat.id, confirm, (work) => {
          if (exists(work)) work.step({ _tag: "ServerChat", chat: serverChat((update as Api.updateEncryption).chat) })
        })
    case "updateEncryptedMessagesRead": {
      const { chatId, date, maxDate } = update
      return take(chatId, confirm, (work) => {
        if (exists(work)) work.step({ _tag: "ReadByPeer", maxDate, date })
      })
    }
    case "updateEncryptedChatTyping":
      return take(update.chatId, confirm, (work) => {
        if (exists(work)) work.step({ _tag: "TypingByPeer" })
      })
    default:
      return confirm
  }
}
