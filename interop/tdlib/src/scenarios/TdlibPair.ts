/**
 * TDLib talks to TDLib: judges the test server alone.
 */
import * as Effect from "effect/Effect"
import { check, ensure, equal, scenario } from "../Checks.ts"
import * as TdChat from "../TdChat.ts"
import { Tdlib } from "../Tdlib.ts"
import { World } from "../World.ts"

const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix} ${i + 1}`)

const play = Effect.gen(function*() {
  const world = yield* World
  const tdlib = yield* Tdlib
  const annaAccount = yield* world.account("Anna")
  const bertAccount = yield* world.account("Bert")
  const annaOptions = yield* world.tdlib("pair-anna", annaAccount)
  const bertOptions = yield* world.tdlib("pair-bert", bertAccount)

  const anna = yield* check("pair: TDLib logs in", tdlib.client(annaOptions), "30 seconds")
  const bert = yield* check("pair: a second TDLib logs in", tdlib.client(bertOptions), "30 seconds")

  const chat = yield* check(
    "pair: TDLib asks another account for a secret chat",
    TdChat.request(anna, bertAccount.phone)
  )
  const other = yield* check("pair: the other TDLib is told of it", TdChat.incoming(bert, chat.secretChatId))
  const atBert = yield* check("pair: the acceptor's chat becomes ready", TdChat.ready(bert, chat.secretChatId))
  const atAnna = yield* check("pair: the creator's chat becomes ready", TdChat.ready(anna, chat.secretChatId))
  yield* check("pair: both sides show the same key", equal(atAnna.key_hash, atBert.key_hash, "key_hash"))
  yield* check("pair: the roles are told apart", equal([atAnna.is_outbound, atBert.is_outbound], [true, false]))

  yield* check(
    "pair: text from the creator",
    Effect.andThen(TdChat.sendText(chat, "from anna"), TdChat.receiveText(other, "from anna"))
  )
  yield* check(
    "pair: text from the acceptor",
    Effect.andThen(TdChat.sendText(other, "from bert"), TdChat.receiveText(chat, "from bert"))
  )
  yield* check(
    "pair: bold text",
    Effect.gen(function*() {
      yield* TdChat.submit(
        chat,
        TdChat.text("bold text", [{ offset: 0, length: 4, type: { _: "textEntityTypeBold" } }])
      )
      const message = yield* TdChat.receiveText(other, "bold text")
      yield* equal(
        message.content._ === "messageText" && message.content.text.entities.map((e) => [e.offset, e.length, e.type._]),
        [[0, 4, "textEntityTypeBold"]]
      )
    })
  )
  yield* check(
    "pair: typing is shown",
    Effect.gen(function*() {
      // TDLib shows it in an opened chat only
      yield* bert.invoke({ _: "openChat", chat_id: other.chatId })
      yield* anna.invoke({ _: "sendChatAction", chat_id: chat.chatId, action: { _: "chatActionTyping" } })
      yield* bert.updates.waitFor(
        "typing",
        (u) => u._ === "updateChatAction" && u.chat_id === other.chatId ? u : undefined
      )
      yield* bert.invoke({ _: "closeChat", chat_id: other.chatId })
    })
  )
  yield* check(
    "pair: a timer is set for both sides",
    Effect.gen(function*() {
      yield* anna.invoke({ _: "setChatMessageAutoDeleteTime", chat_id: chat.chatId, message_auto_delete_time: 1 })
      yield* TdChat.receive(
        other,
        "timer message",
        (m) =>
          m.content._ === "messageChatSetMessageAutoDeleteTime" && m.content.message_auto_delete_time === 1
            ? m
            : undefined
      )
    })
  )
  yield* check(
    "pair: the timer deletes a read message on both sides",
    Effect.gen(function*() {
      const message = yield* TdChat.sendText(chat, "soon gone")
      const seen = yield* TdChat.receiveText(other, "soon gone")
      yield* bert.invoke({ _: "viewMessages", chat_id: other.chatId, message_ids: [seen.id], force_read: true })
      yield* TdChat.deleted(other, seen.id)
      yield* TdChat.deleted(chat, message.id)
    })
  )
  yield* check(
    "pair: the timer is taken off",
    Effect.gen(function*() {
      yield* bert.invoke({ _: "setChatMessageAutoDeleteTime", chat_id: other.chatId, message_auto_delete_time: 0 })
      yield* TdChat.receive(
        chat,
        "timer message",
        (m) =>
          m.content._ === "messageChatSetMessageAutoDeleteTime" && m.content.message_auto_delete_time === 0
            ? m
            : undefined
      )
    })
  )
  yield* check(
    "pair: reading is reported",
    // dates have whole seconds and TDLib reports rising ones only: this is more than a second after the last reading
    Effect.gen(function*() {
      const message = yield* TdChat.sendText(chat, "read me")
      const seen = yield* TdChat.receiveText(other, "read me")
      yield* bert.invoke({ _: "viewMessages", chat_id: other.chatId, message_ids: [seen.id], force_read: true })
      yield* anna.updates.waitFor(
        "read receipt",
        (u) =>
          u._ === "updateChatReadOutbox" && u.chat_id === chat.chatId && u.last_read_outbox_message_id >= message.id
            ? u
            : undefined
      )
    })
  )
  yield* check(
    "pair: a message is deleted at both sides",
    Effect.gen(function*() {
      const message = yield* TdChat.sendText(chat, "delete me")
      const seen = yield* TdChat.receiveText(other, "delete me")
      yield* anna.invoke({ _: "deleteMessages", chat_id: chat.chatId, message_ids: [message.id], revoke: true })
      yield* TdChat.deleted(other, seen.id)
    })
  )
  yield* check(
    "pair: 130 messages each way arrive in order, over a rekey",
    Effect.gen(function*() {
      const there = numbered("there", 130)
      const back = numbered("back", 130)
      yield* Effect.forEach(there, (value) => TdChat.submit(chat, TdChat.text(value)))
      yield* Effect.forEach(back, (value) => TdChat.submit(other, TdChat.text(value)))
      yield* TdChat.receiveText(other, there.at(-1)!)
      yield* TdChat.receiveText(chat, back.at(-1)!)
      yield* equal(TdChat.texts(other).filter((t) => t.startsWith("there")), there)
      yield* equal(TdChat.texts(chat).filter((t) => t.startsWith("back")), back)
    }),
    "20 seconds"
  )
  yield* check(
    "pair: messages sent while the peer is away arrive when it comes back",
    Effect.gen(function*() {
      const carlAccount = yield* world.account("Carl")
      const carlOptions = yield* world.tdlib("pair-carl", carlAccount)
      const asked = yield* Effect.scoped(Effect.gen(function*() {
        const carl = yield* tdlib.client(carlOptions)
        const fresh = yield* TdChat.request(anna, carlAccount.phone)
        yield* TdChat.ready(carl, fresh.secretChatId)
        yield* TdChat.ready(anna, fresh.secretChatId)
        yield* TdChat.sendText(fresh, "while here")
        yield* TdChat.receiveText(yield* TdChat.incoming(carl, fresh.secretChatId), "while here")
        return fresh
      }))
      const away = numbered("away", 3)
      yield* Effect.forEach(away, (value) => TdChat.sendText(asked, value))
      const carl = yield* tdlib.client(carlOptions)
      const chatAtCarl = yield* TdChat.incoming(carl, asked.secretChatId)
      yield* TdChat.receiveText(chatAtCarl, away.at(-1)!)
      yield* equal(TdChat.texts(chatAtCarl).filter((t) => t.startsWith("away")), away)
    }),
    "20 seconds"
  )
  yield* check(
    "pair: history is flushed at both sides",
    Effect.gen(function*() {
      yield* TdChat.sendText(chat, "before the flush")
      const seen = yield* TdChat.receiveText(other, "before the flush")
      yield* anna.invoke({ _: "deleteChatHistory", chat_id: chat.chatId, remove_from_chat_list: false, revoke: true })
      yield* TdChat.deleted(other, seen.id)
    })
  )
  yield* check(
    "pair: a chat is closed for both sides",
    Effect.gen(function*() {
      yield* bert.invoke({ _: "closeSecretChat", secret_chat_id: other.secretChatId })
      yield* TdChat.closed(other)
      yield* TdChat.closed(chat)
      const now = yield* TdChat.current(chat)
      yield* ensure(now.state._ === "secretChatStateClosed", `state ${now.state._}`)
    })
  )
})

/** TDLib <-> TDLib. */
export const tdlibPair = scenario("pair", Effect.scoped(play))
