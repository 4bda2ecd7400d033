/**
 * Every service action, and the signals that travel beside the messages.
 */
import type { DecryptedMessageAction } from "@effect-mtproto/core/DecryptedMessage"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import type * as Td from "tdlib-types"
import { check, ensure, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"
import * as TdFiles from "../TdFiles.ts"
import { World } from "../World.ts"

/** Proves that both directions still work, in order behind whatever was sent before. */
const stillAlive = Effect.fnUntraced(function*(chat: Table.Pairing, word: string) {
  yield* OurChat.sendText(chat.ours, `${word}: still here`)
  yield* TdChat.receiveText(chat.td, `${word}: still here`)
  yield* TdChat.sendText(chat.td, `${word}: here too`)
  yield* OurChat.receiveText(chat.ours, `${word}: here too`)
  yield* equal((yield* TdChat.current(chat.td)).state._, "secretChatStateReady", "state at TDLib")
})

const timer = (seconds: number) => (message: Td.message) =>
  message.content._ === "messageChatSetMessageAutoDeleteTime" && message.content.message_auto_delete_time === seconds
    ? message
    : undefined

const play = Effect.gen(function*() {
  const table = yield* Table.Table
  const { directory } = yield* World
  const chat = yield* table.tdlibCreates()
  const { ours, td } = chat
  const { client } = td

  yield* check(
    "action: SetMessageTTL, ours to TDLib",
    Effect.gen(function*() {
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 3600 })
      yield* TdChat.receive(td, "timer message", timer(3600))
      const state = yield* client.invoke({ _: "getChat", chat_id: td.chatId })
      yield* equal(state.message_auto_delete_time, 3600, "timer at TDLib")
    })
  )
  yield* check(
    "action: TDLib's messages carry the timer we set",
    Effect.gen(function*() {
      yield* TdChat.sendText(td, "with a timer")
      const message = yield* OurChat.receiveText(ours, "with a timer")
      yield* equal(message.ttl, 3600, "ttl")
    })
  )
  yield* check(
    "action: SetMessageTTL, TDLib to ours",
    Effect.gen(function*() {
      yield* client.invoke({
        _: "setChatMessageAutoDeleteTime",
        chat_id: td.chatId,
        message_auto_delete_time: 60
      })
      const event = yield* OurChat.report(ours, "TtlChanged", (found) => found.by === "peer")
      yield* equal(event.ttl, 60, "ttl")
    })
  )
  yield* check(
    "action: SetMessageTTL 0 takes the timer off",
    Effect.gen(function*() {
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 0 })
      yield* TdChat.receive(td, "timer message", timer(0))
      yield* TdChat.sendText(td, "without a timer")
      const message = yield* OurChat.receiveText(ours, "without a timer")
      yield* equal(message.ttl, 0, "ttl")
    })
  )
  yield* check(
    "action: a message with its own timer disappears at TDLib after it was read",
    Effect.gen(function*() {
      yield* OurChat.send(ours, { message: "gone in a second", ttl: 1 })
      const seen = yield* TdChat.receiveText(td, "gone in a second")
      yield* client.invoke({ _: "viewMessages", chat_id: td.chatId, message_ids: [seen.id], force_read: true })
      yield* TdChat.deleted(td, seen.id)
    })
  )
  yield* check(
    "action: a timer lets TDLib's message disappear at both sides after we read it",
    Effect.gen(function*() {
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 1 })
      yield* TdChat.receive(td, "timer message", timer(1))
      const message = yield* TdChat.sendText(td, "read and gone")
      const seen = yield* OurChat.receiveText(ours, "read and gone")
      yield* OurChat.read(ours, seen.date)
      yield* OurChat.report(
        ours,
        "MessagesExpired",
        (event) => event.direction === "incoming" && event.randomIds.includes(seen.randomId)
      )
      yield* TdChat.deleted(td, message.id)
    })
  )
  yield* check(
    "action: a timer lets our message disappear at both sides after TDLib read it",
    Effect.gen(function*() {
      const [outcome] = yield* OurChat.send(ours, { message: "read there and gone", ttl: 1 })
      const seen = yield* TdChat.receiveText(td, "read there and gone")
      yield* client.invoke({ _: "viewMessages", chat_id: td.chatId, message_ids: [seen.id], force_read: true })
      yield* TdChat.deleted(td, seen.id)
      yield* OurChat.report(
        ours,
        "MessagesExpired",
        (event) => event.direction === "outgoing" && event.randomIds.includes(outcome!.randomId)
      )
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 0 })
    })
  )
  yield* check(
    "action: DeleteMessages, ours to TDLib",
    Effect.gen(function*() {
      const [outcome] = yield* OurChat.sendText(ours, "we delete this")
      const seen = yield* TdChat.receiveText(td, "we delete this")
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionDeleteMessages", randomIds: [outcome!.randomId] })
      yield* TdChat.deleted(td, seen.id)
    })
  )
  yield* check(
    "action: DeleteMessages of TDLib's own message, ours to TDLib",
    Effect.gen(function*() {
      const message = yield* TdChat.sendText(td, "we delete this of yours")
      const seen = yield* OurChat.receiveText(ours, "we delete this of yours")
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionDeleteMessages", randomIds: [seen.randomId] })
      yield* TdChat.deleted(td, message.id)
    })
  )
  yield* check(
    "action: DeleteMessages, TDLib to ours",
    Effect.gen(function*() {
      const message = yield* TdChat.sendText(td, "they delete this")
      const seen = yield* OurChat.receiveText(ours, "they delete this")
      yield* client.invoke({ _: "deleteMessages", chat_id: td.chatId, message_ids: [message.id], revoke: true })
      yield* OurChat.report(
        ours,
        "MessagesDeleted",
        (event) => event.by === "peer" && event.randomIds.includes(seen.randomId)
      )
    })
  )
  yield* check(
    "action: ScreenshotMessages, ours to TDLib",
    Effect.gen(function*() {
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionScreenshotMessages", randomIds: [] })
      yield* TdChat.receive(td, "screenshot message", (m) => m.content._ === "messageScreenshotTaken" ? m : undefined)
    })
  )
  yield* check(
    "action: ReadMessages, ours to TDLib",
    Effect.gen(function*() {
      // only some kinds of content are opened; a voice note is one
      const path = join(directory, "actions.ogg")
      yield* Effect.promise(() => writeFile(path, "a voice"))
      const submitted = yield* TdChat.submit(td, TdFiles.voiceNote.input(path, ""))
      const message = yield* TdChat.sent(td, submitted)
      const { randomId } = yield* OurChat.report(
        ours,
        "NewMessage",
        (event) => event.message.media?._tag === "decryptedMessageMediaDocument"
      )
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionReadMessages", randomIds: [randomId] })
      yield* client.updates.waitFor(
        "opened content",
        (u) =>
          u._ === "updateMessageContentOpened" && u.chat_id === td.chatId && u.message_id === message.id ? u : undefined
      )
    })
  )
  yield* check(
    "action: ReadMessages of an unknown message is ignored by TDLib",
    Effect.gen(function*() {
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionReadMessages", randomIds: [1n, 2n] })
      yield* stillAlive(chat, "unknown read")
    })
  )
  yield* check(
    "action: Typing inside the chat is ignored by TDLib",
    Effect.gen(function*() {
      yield* OurChat.act(ours, {
        _tag: "decryptedMessageActionTyping",
        action: { _tag: "sendMessageTypingAction" }
      })
      yield* stillAlive(chat, "typing action")
    })
  )
  yield* check(
    "action: Noop",
    Effect.andThen(OurChat.act(ours, { _tag: "decryptedMessageActionNoop" }), stillAlive(chat, "noop"))
  )
  yield* check(
    "action: NotifyLayer",
    Effect.andThen(
      OurChat.act(ours, { _tag: "decryptedMessageActionNotifyLayer", layer: 144 }),
      stillAlive(chat, "layer")
    )
  )
  yield* check(
    "action: the protocol's own actions cannot be sent by hand, and the chat lives on",
    Effect.gen(function*() {
      const own: ReadonlyArray<DecryptedMessageAction> = [
        { _tag: "decryptedMessageActionAbortKey", exchangeId: 12345n },
        { _tag: "decryptedMessageActionCommitKey", exchangeId: 1n, keyFingerprint: 2n },
        { _tag: "decryptedMessageActionResend", startSeqNo: 0, endSeqNo: 2 }
      ]
      for (const action of own) {
        const error = yield* Effect.flip(OurChat.act(ours, action))
        yield* equal(error._tag, "MessageInvalid", `${action._tag}: error`)
      }
      yield* stillAlive(chat, "own actions")
    })
  )
  yield* check(
    "signal: typing, ours to TDLib",
    Effect.gen(function*() {
      const since = client.updates.mark()
      // TDLib shows it in an opened chat only
      yield* client.invoke({ _: "openChat", chat_id: td.chatId })
      yield* OurChat.typing(ours)
      yield* client.updates.waitFor(
        "typing",
        (u) =>
          u._ === "updateChatAction" && u.chat_id === td.chatId && u.action._ === "chatActionTyping" ? u : undefined,
        {
          since
        }
      )
      yield* client.invoke({ _: "closeChat", chat_id: td.chatId })
    })
  )
  yield* check(
    "signal: typing, TDLib to ours",
    Effect.gen(function*() {
      yield* client.invoke({ _: "sendChatAction", chat_id: td.chatId, action: { _: "chatActionTyping" } })
      yield* OurChat.report(ours, "Typing")
    })
  )
  yield* check(
    "signal: read receipt, ours to TDLib",
    Effect.gen(function*() {
      const message = yield* TdChat.sendText(td, "we read this")
      const seen = yield* OurChat.receiveText(ours, "we read this")
      yield* OurChat.read(ours, seen.date)
      yield* client.updates.waitFor(
        "read receipt",
        (u) =>
          u._ === "updateChatReadOutbox" && u.chat_id === td.chatId && u.last_read_outbox_message_id >= message.id
            ? u
            : undefined
      )
    })
  )
  yield* check(
    "signal: read receipt, TDLib to ours",
    Effect.gen(function*() {
      yield* OurChat.sendText(ours, "they read this")
      const seen = yield* TdChat.receiveText(td, "they read this")
      yield* client.invoke({ _: "viewMessages", chat_id: td.chatId, message_ids: [seen.id], force_read: true })
      yield* OurChat.report(ours, "MessagesRead", (event) => event.by === "peer")
    })
  )
  yield* check(
    "action: FlushHistory, TDLib to ours",
    Effect.gen(function*() {
      yield* client.invoke({ _: "deleteChatHistory", chat_id: td.chatId, remove_from_chat_list: false, revoke: true })
      yield* OurChat.report(ours, "HistoryFlushed", (event) => event.by === "peer")
    })
  )
  yield* check(
    "action: FlushHistory, ours to TDLib",
    Effect.gen(function*() {
      const message = yield* TdChat.sendText(td, "to be flushed")
      yield* OurChat.receiveText(ours, "to be flushed")
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionFlushHistory" })
      yield* TdChat.deleted(td, message.id)
    })
  )
  yield* check("action: the chat lives on after all of them", stillAlive(chat, "all"))
  yield* check(
    "action: one DeleteMessages deletes several messages at TDLib",
    Effect.gen(function*() {
      const outcomes = yield* Effect.forEach(
        ["first", "second", "third"],
        (word) => OurChat.sendText(ours, `${word} of three`)
      )
      const seen = yield* Effect.forEach(
        ["first", "second", "third"],
        (word) => TdChat.receiveText(td, `${word} of three`)
      )
      yield* OurChat.act(ours, {
        _tag: "decryptedMessageActionDeleteMessages",
        randomIds: outcomes.flatMap((list) => list.map(({ randomId }) => randomId))
      })
      yield* Effect.forEach(seen, (message) => TdChat.deleted(td, message.id))
      yield* ensure(seen.length === 3, "three messages")
    })
  )
  yield* check(
    "action: with a timer on both sides, messages of both disappear at both after they were read",
    Effect.gen(function*() {
      yield* client.invoke({ _: "setChatMessageAutoDeleteTime", chat_id: td.chatId, message_auto_delete_time: 1 })
      yield* OurChat.report(ours, "TtlChanged", (event) => event.by === "peer" && event.ttl === 1)
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 1 })
      const [mine] = yield* OurChat.sendText(ours, "both, ours")
      const theirs = yield* TdChat.sendText(td, "both, theirs")
      const atTdlib = yield* TdChat.receiveText(td, "both, ours")
      const here = yield* OurChat.receiveText(ours, "both, theirs")
      yield* equal(here.ttl, 1, "ttl")
      yield* OurChat.read(ours, here.date)
      yield* client.invoke({ _: "viewMessages", chat_id: td.chatId, message_ids: [atTdlib.id], force_read: true })
      yield* TdChat.deleted(td, atTdlib.id)
      yield* TdChat.deleted(td, theirs.id)
      for (const [direction, randomId] of [["outgoing", mine!.randomId], ["incoming", here.randomId]] as const) {
        yield* OurChat.report(
          ours,
          "MessagesExpired",
          (event) => event.direction === direction && event.randomIds.includes(randomId)
        )
        const left = yield* ours.peer.chats.message(ours.id, randomId)
        yield* ensure(Option.isNone(left), "it is still in our history")
      }
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 0 })
    })
  )
})

/** Service actions and signals. */
export const actions = scenario("actions", Effect.provide(play, Table.layer("actions")))
