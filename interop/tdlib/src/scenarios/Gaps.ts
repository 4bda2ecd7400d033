/**
 * Messages that are lost, doubled or overtaken on their way, in both directions.
 *
 * The way is disturbed between our secret chats and our transport, so both TDLib and we face it.
 */
import * as Effect from "effect/Effect"
import { check, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"

const numbered = (prefix: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${prefix} ${i + 1}`)

/** We send `words`; TDLib must show exactly these, in order. */
const weSend = Effect.fnUntraced(function*(chat: Table.Pairing, words: ReadonlyArray<string>) {
  const since = chat.td.client.updates.mark()
  yield* Effect.forEach(words, (word) => OurChat.sendText(chat.ours, word))
  yield* TdChat.receiveText(chat.td, words.at(-1)!)
  yield* equal(TdChat.texts(chat.td, since), words, "texts at TDLib")
})

/** TDLib sends `words`; we must deliver exactly these, in order. */
const theySend = Effect.fnUntraced(function*(chat: Table.Pairing, words: ReadonlyArray<string>) {
  const since = chat.ours.peer.events.mark()
  yield* Effect.forEach(words, (word) => TdChat.sendText(chat.td, word))
  yield* OurChat.receiveText(chat.ours, words.at(-1)!)
  yield* equal(OurChat.texts(chat.ours, since), words, "our texts")
})

const play = (name: string, chat: Table.Pairing) =>
  Effect.gen(function*() {
    const { tamper } = chat.ours.peer

    yield* check(
      `gap, ${name}: TDLib asks for one lost message and we send it again`,
      Effect.suspend(() => {
        tamper.loseOutgoing(1)
        return weSend(chat, ["lost by the way", "behind the lost one"])
      })
    )
    yield* check(
      `gap, ${name}: TDLib asks for three lost messages in one hole`,
      Effect.suspend(() => {
        tamper.loseOutgoing(3)
        return weSend(chat, numbered("three lost", 5))
      })
    )
    yield* check(
      `gap, ${name}: we ask TDLib for one lost message`,
      Effect.suspend(() => {
        tamper.loseIncoming(1)
        return theySend(chat, ["lost to us", "behind the one lost to us"])
      })
    )
    yield* check(
      `gap, ${name}: we ask TDLib for three lost messages in one hole`,
      Effect.suspend(() => {
        tamper.loseIncoming(3)
        return theySend(chat, numbered("three lost to us", 5))
      })
    )
    yield* check(
      `gap, ${name}: holes on both sides at once are filled`,
      Effect.gen(function*() {
        const atTdlib = chat.td.client.updates.mark()
        const atOurs = chat.ours.peer.events.mark()
        tamper.loseOutgoing(1)
        tamper.loseIncoming(1)
        yield* OurChat.sendText(chat.ours, "crossing 1")
        yield* TdChat.sendText(chat.td, "crossing back 1")
        yield* OurChat.sendText(chat.ours, "crossing 2")
        yield* TdChat.sendText(chat.td, "crossing back 2")
        yield* TdChat.receiveText(chat.td, "crossing 2")
        yield* OurChat.receiveText(chat.ours, "crossing back 2")
        yield* equal(TdChat.texts(chat.td, atTdlib), ["crossing 1", "crossing 2"], "texts at TDLib")
        yield* equal(OurChat.texts(chat.ours, atOurs), ["crossing back 1", "crossing back 2"], "our texts")
      })
    )
    yield* check(
      `gap, ${name}: a message that comes twice is shown once by TDLib`,
      Effect.suspend(() => {
        tamper.doubleOutgoing(1)
        return weSend(chat, ["twice", "after twice"])
      })
    )
    yield* check(
      `gap, ${name}: a message that comes twice is delivered once by us`,
      Effect.suspend(() => {
        tamper.doubleIncoming(1)
        return theySend(chat, ["twice to us", "after twice to us"])
      })
    )
    yield* check(
      `gap, ${name}: two messages that change places are shown in order by TDLib`,
      Effect.suspend(() => {
        tamper.swapOutgoing()
        return weSend(chat, ["overtaken", "overtaking", "behind both"])
      })
    )
    yield* check(
      `gap, ${name}: two messages that change places are delivered in order by us`,
      Effect.suspend(() => {
        tamper.swapIncoming()
        return theySend(chat, ["overtaken on the way to us", "overtaking on the way to us", "behind both of ours"])
      })
    )
    yield* check(
      `gap, ${name}: a service message lost on the way to TDLib takes effect after all`,
      Effect.gen(function*() {
        tamper.loseOutgoing(1)
        yield* OurChat.act(chat.ours, { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 86_400 })
        yield* weSend(chat, ["behind the lost timer"])
        const state = yield* chat.td.client.invoke({ _: "getChat", chat_id: chat.td.chatId })
        yield* equal(state.message_auto_delete_time, 86_400, "timer at TDLib")
        yield* OurChat.act(chat.ours, { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 0 })
      })
    )
    yield* check(
      `gap, ${name}: a lost message that TDLib deleted meanwhile leaves no hole`,
      Effect.gen(function*() {
        const since = chat.ours.peer.events.mark()
        tamper.loseIncoming(1)
        const message = yield* TdChat.sendText(chat.td, "never to be read")
        yield* chat.td.client.invoke({
          _: "deleteMessages",
          chat_id: chat.td.chatId,
          message_ids: [message.id],
          revoke: true
        })
        yield* TdChat.sendText(chat.td, "behind the deleted one")
        yield* OurChat.receiveText(chat.ours, "behind the deleted one")
        // TDLib may answer with the message itself: a deletion right behind the sending is sometimes not told to the peer
        const shown = OurChat.texts(chat.ours, since)
        yield* equal(shown.filter((found) => found !== "never to be read"), ["behind the deleted one"], "our texts")
      })
    )
    yield* check(
      `gap, ${name}: the chat lives on after all of them`,
      Effect.gen(function*() {
        yield* weSend(chat, numbered("whole again", 3))
        yield* theySend(chat, numbered("whole again, back", 3))
        yield* equal((yield* TdChat.current(chat.td)).state._, "secretChatStateReady", "state at TDLib")
      })
    )
  })

/** Losses, doubles and reordering, with us in both roles. */
export const gaps = scenario(
  "gaps",
  Effect.gen(function*() {
    const table = yield* Table.Table
    yield* play("TDLib created", yield* table.tdlibCreates())
    yield* play("we created", yield* table.weCreate())
  }).pipe(Effect.provide(Table.layer("gaps")))
)
