/**
 * How a chat ends, from both sides.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { check, ensure, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"

const numbered = (prefix: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${prefix} ${i + 1}`)

/** "sent", or the tag of the error. */
const outcome = <A, E extends { readonly _tag: string }, R>(
  send: Effect.Effect<A, E, R>
): Effect.Effect<string, never, R> => Effect.match(send, { onFailure: (error) => error._tag, onSuccess: () => "sent" })

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
  const fifth = yield* table.tdlibCreates(", in the middle")
  yield* check(
    "closing: TDLib closes while 60 messages of ours are on their way: each is answered, none is shown out of order",
    Effect.gen(function*() {
      const words = numbered("on its way", 60)
      const sending = yield* Effect.forkChild(
        Effect.forEach(words, (word) => outcome(OurChat.sendText(fifth.ours, word)), { concurrency: "unbounded" })
      )
      yield* TdChat.receiveText(fifth.td, words[4]!)
      yield* fifth.td.client.invoke({ _: "closeSecretChat", secret_chat_id: fifth.td.secretChatId })
      const { reason } = yield* OurChat.closed(fifth.ours)
      yield* equal(reason._tag, "ByPeer", "reason")
      const outcomes = yield* Fiber.join(sending)
      const strange = outcomes.filter((tag) => !["sent", "SecretChatClosed", "EncryptionDeclined"].includes(tag))
      yield* equal(strange, [], "outcomes")
      const shown = TdChat.texts(fifth.td)
      yield* equal(shown, words.slice(0, shown.length), "texts at TDLib")
    })
  )

  const sixth = yield* table.weCreate(", in the middle")
  yield* check(
    "closing: we close while 60 messages of TDLib are on their way: what we have heard is in order",
    Effect.gen(function*() {
      const words = numbered("on its way to us", 60)
      for (const word of words) yield* TdChat.submit(sixth.td, TdChat.text(word))
      yield* OurChat.receiveText(sixth.ours, words[4]!)
      yield* OurChat.discard(sixth.ours)
      yield* TdChat.closed(sixth.td)
      yield* OurChat.closed(sixth.ours)
      const heard = OurChat.texts(sixth.ours)
      yield* equal(heard, words.slice(0, heard.length), "our texts")
    })
  )

  const seventh = yield* table.tdlibCreates(", at once")
  yield* check(
    "closing: both close at the same moment",
    Effect.gen(function*() {
      const [ours] = yield* Effect.all([
        Effect.result(OurChat.discard(seventh.ours)),
        Effect.result(
          seventh.td.client.invoke({ _: "closeSecretChat", secret_chat_id: seventh.td.secretChatId })
        )
      ], { concurrency: 2 })
      yield* equal(ours._tag, "Success", "our result")
      yield* OurChat.closed(seventh.ours)
      yield* TdChat.closed(seventh.td)
    })
  )

  const eighth = yield* table.tdlibCreates(", with a rekey under way")
  yield* check(
    "closing: TDLib closes in the middle of an exchange of keys",
    Effect.gen(function*() {
      const { tamper } = eighth.ours.peer
      tamper.holdIncoming()
      yield* Effect.forEach(numbered("towards an exchange", 105), (word) => OurChat.sendText(eighth.ours, word))
      yield* TdChat.receiveText(eighth.td, "towards an exchange 105")
      yield* eighth.td.client.invoke({ _: "closeSecretChat", secret_chat_id: eighth.td.secretChatId })
      tamper.releaseIncoming()
      yield* OurChat.closed(eighth.ours)
      yield* TdChat.closed(eighth.td)
    }),
    "20 seconds"
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
