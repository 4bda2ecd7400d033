/**
 * How a chat ends, from both sides.
 */
import * as Effect from "effect/Effect"
import { check, ensure, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"

const play = Effect.gen(function*() {
  const table = yield* Table.Table

  const first = yield* table.tdlibCreates()
  yield* check(
    "closing: we discard and TDLib's chat closes",
    Effect.andThen(OurChat.discard(first.ours), TdChat.closed(first.td))
  )
  yield* check("closing: our chat is closed too", OurChat.closed(first.ours))
  yield* check(
    "closing: we cannot send into a chat that we discarded",
    Effect.gen(function*() {
      const error = yield* Effect.flip(OurChat.sendText(first.ours, "too late"))
      yield* equal(error._tag, "SecretChatClosed", "error")
    })
  )
  yield* check(
    "closing: TDLib cannot send into a chat that we discarded",
    Effect.gen(function*() {
      const error = yield* Effect.flip(TdChat.sendText(first.td, "too late"))
      yield* ensure(error._tag === "TdlibError", error._tag)
    })
  )

  const second = yield* table.weCreate()
  yield* check(
    "closing: TDLib closes and so does our chat",
    Effect.gen(function*() {
      yield* second.td.client.invoke({ _: "closeSecretChat", secret_chat_id: second.td.secretChatId })
      yield* OurChat.closed(second.ours)
    })
  )
  yield* check(
    "closing: we cannot send into a chat that TDLib closed",
    Effect.gen(function*() {
      const error = yield* Effect.flip(OurChat.sendText(second.ours, "too late"))
      yield* equal(error._tag, "SecretChatClosed", "error")
    })
  )

  const third = yield* table.tdlibCreates(", deleted")
  yield* check(
    "closing: TDLib deletes the chat and ours closes",
    Effect.gen(function*() {
      yield* OurChat.sendText(third.ours, "before the end")
      yield* TdChat.receiveText(third.td, "before the end")
      yield* third.td.client.invoke({
        _: "deleteChatHistory",
        chat_id: third.td.chatId,
        remove_from_chat_list: true,
        revoke: true
      })
      yield* third.td.client.invoke({ _: "closeSecretChat", secret_chat_id: third.td.secretChatId })
      yield* OurChat.closed(third.ours)
    })
  )

  const fourth = yield* table.tdlibCreates(", with history")
  yield* check(
    "closing: we discard with the history and TDLib removes it",
    Effect.gen(function*() {
      yield* TdChat.sendText(fourth.td, "history")
      yield* OurChat.receiveText(fourth.ours, "history")
      yield* OurChat.discard(fourth.ours, { deleteHistory: true })
      yield* TdChat.closed(fourth.td)
      yield* TdChat.historyGone(fourth.td)
    })
  )
  yield* check(
    "closing: a new chat with the same user works",
    Effect.gen(function*() {
      const fresh = yield* table.tdlibCreates(", again")
      yield* OurChat.sendText(fresh.ours, "a new beginning")
      yield* TdChat.receiveText(fresh.td, "a new beginning")
    })
  )
})

/** Ends of chats. */
export const closing = scenario("closing", Effect.provide(play, Table.layer("closing")))
