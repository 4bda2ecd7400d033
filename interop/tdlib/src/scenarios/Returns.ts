/**
 * What happens at TDLib while we are away takes effect when we come back, and what we began before goes on.
 */
import type * as Events from "@effect-mtproto/secret-chats/protocol/Events"
import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { copyFile, rm } from "node:fs/promises"
import { check, ensure, equal, eventually, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Peer from "../Peer.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"
import { World } from "../World.ts"

/** Copies a SQLite database that nobody has open. */
const copy = (from: string, to: string) =>
  Effect.promise(async () => {
    for (const suffix of ["", "-wal", "-shm"]) {
      await rm(to + suffix, { force: true })
      if (existsSync(from + suffix)) await copyFile(from + suffix, to + suffix)
    }
  })

const play = Effect.gen(function*() {
  const world = yield* World
  const { tdlib } = yield* Table.Table
  const account = yield* world.account("Rita")
  const options = world.ours("returns-away", account)

  /** A new chat with us, who then go away; `before` happens in it. */
  const chatWithUs = <A, E, R>(
    name: string,
    before: (chat: OurChat.OurChat, td: TdChat.TdChat) => Effect.Effect<A, E, R>
  ) =>
    check(
      `returns: ${name}: a chat with us, who then go away`,
      Effect.scoped(Effect.gen(function*() {
        const peer = yield* Peer.make(options)
        const td = yield* TdChat.request(tdlib, account.phone)
        const chat = yield* OurChat.requested(peer, td.secretChatId)
        yield* OurChat.accept(chat)
        yield* TdChat.ready(tdlib, td.secretChatId)
        return { td, value: yield* before(chat, td) }
      })),
      "20 seconds"
    )
  /** We come back. */
  const back = <A, E, R>(
    name: string,
    td: TdChat.TdChat,
    use: (chat: OurChat.OurChat) => Effect.Effect<A, E, R>
  ) =>
    check(
      `returns: ${name}`,
      Effect.scoped(Effect.gen(function*() {
        const peer = yield* Peer.make(options)
        return yield* use(OurChat.known(peer, td.secretChatId))
      })),
      "20 seconds"
    )
  /** The texts of our history, the oldest first. */
  const history = (chat: OurChat.OurChat) =>
    Effect.map(
      chat.peer.chats.messages(chat.id, { order: "oldest-first" }),
      (rows) => rows.map(({ message }) => message.message)
    )
  const view = (td: TdChat.TdChat, message: { readonly id: number }) =>
    tdlib.invoke({ _: "viewMessages", chat_id: td.chatId, message_ids: [message.id], force_read: true })

  const deleting = yield* chatWithUs("deletions", (_, td) =>
    Effect.gen(function*() {
      return yield* TdChat.sendText(td, "deleted while you are away")
    }))
  yield* check(
    "returns: TDLib deletes, and sends and deletes, while we are away",
    Effect.gen(function*() {
      const { td, value } = deleting
      const short = yield* TdChat.sendText(td, "sent and deleted while you are away")
      yield* TdChat.sendText(td, "stays")
      yield* tdlib.invoke({
        _: "deleteMessages",
        chat_id: td.chatId,
        message_ids: [value.id, short.id],
        revoke: true
      })
    })
  )
  yield* back("only what was not deleted is in our history", deleting.td, (chat) =>
    Effect.gen(function*() {
      yield* OurChat.receiveText(chat, "stays")
      yield* eventually(Effect.flatMap(history(chat), (texts) => equal(texts, ["stays"], "our history")))
    }))

  const flushing = yield* chatWithUs("the history is flushed", (chat, td) =>
    Effect.gen(function*() {
      yield* TdChat.sendText(td, "theirs")
      yield* OurChat.receiveText(chat, "theirs")
      yield* OurChat.sendText(chat, "ours")
      yield* TdChat.receiveText(td, "ours")
    }))
  yield* check(
    "returns: TDLib flushes the history while we are away",
    Effect.gen(function*() {
      const { td } = flushing
      yield* tdlib.invoke({ _: "deleteChatHistory", chat_id: td.chatId, remove_from_chat_list: false, revoke: true })
      yield* TdChat.sendText(td, "after the flush")
    })
  )
  yield* back("our history begins after the flush", flushing.td, (chat) =>
    Effect.gen(function*() {
      yield* OurChat.receiveText(chat, "after the flush")
      yield* OurChat.report(chat, "HistoryFlushed", (event) => event.by === "peer")
      yield* eventually(Effect.flatMap(history(chat), (texts) => equal(texts, ["after the flush"], "our history")))
    }))

  const timing = yield* chatWithUs("timers", (chat, td) =>
    Effect.gen(function*() {
      yield* OurChat.act(chat, { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 2 })
      yield* TdChat.receive(
        td,
        "timer message",
        (m) => m.content._ === "messageChatSetMessageAutoDeleteTime" ? m : undefined
      )
      const theirs = yield* TdChat.sendText(td, "read by us before we went away")
      const { date, randomId } = yield* OurChat.receiveText(chat, "read by us before we went away")
      yield* OurChat.sendText(chat, "read by TDLib while we are away")
      const ours = yield* TdChat.receiveText(td, "read by TDLib while we are away")
      yield* OurChat.read(chat, date)
      // until TDLib knows of it
      yield* tdlib.updates.waitFor(
        "read receipt",
        (u) =>
          u._ === "updateChatReadOutbox" && u.chat_id === td.chatId && u.last_read_outbox_message_id >= theirs.id
            ? u
            : undefined
      )
      return { ours, randomId, theirs }
    }))
  yield* check(
    "returns: timers run out at TDLib while we are away",
    Effect.gen(function*() {
      const { td, value } = timing
      yield* view(td, value.ours)
      yield* TdChat.deleted(td, value.ours.id)
      yield* TdChat.deleted(td, value.theirs.id)
    })
  )
  yield* back(
    "timers that ran out while we were away have run out at our side",
    timing.td,
    (chat) =>
      Effect.gen(function*() {
        for (const direction of ["incoming", "outgoing"] as const) {
          yield* OurChat.report(chat, "MessagesExpired", (event) => event.direction === direction)
        }
        yield* eventually(Effect.flatMap(history(chat), (texts) => equal(texts, [], "our history")))
      })
  )

  const closing = yield* chatWithUs(
    "the chat is closed",
    (chat, td) => Effect.andThen(TdChat.sendText(td, "before the end"), OurChat.receiveText(chat, "before the end"))
  )
  yield* check(
    "returns: TDLib says one thing more and closes the chat while we are away",
    Effect.gen(function*() {
      yield* TdChat.sendText(closing.td, "the last thing")
      yield* tdlib.invoke({ _: "closeSecretChat", secret_chat_id: closing.td.secretChatId })
    })
  )
  yield* back("we hear the last thing, or not, and the chat is closed", closing.td, (chat) =>
    Effect.gen(function*() {
      const { reason } = yield* OurChat.closed(chat)
      yield* equal(reason._tag, "ByPeer" satisfies Events.CloseReason["_tag"], "reason")
      const error = yield* Effect.flip(OurChat.sendText(chat, "too late"))
      yield* equal(error._tag, "SecretChatClosed", "error")
    }))

  const saved = yield* chatWithUs(
    "an old database",
    (chat, td) => Effect.andThen(OurChat.sendText(chat, "before the copy"), TdChat.receiveText(td, "before the copy"))
  )
  yield* check(
    "returns: more is said after our database was copied",
    Effect.gen(function*() {
      yield* copy(options.database, `${options.database}.copy`)
      yield* Effect.scoped(Effect.gen(function*() {
        const chat = OurChat.known(yield* Peer.make(options), saved.td.secretChatId)
        for (const text of ["after the copy 1", "after the copy 2"]) {
          yield* OurChat.sendText(chat, text)
          yield* TdChat.receiveText(saved.td, text)
        }
      }))
      yield* copy(`${options.database}.copy`, options.database)
    })
  )
  yield* back(
    "with the copy put back, TDLib's next message shows that numbers were lost, and the chat ends",
    saved.td,
    (chat) =>
      Effect.gen(function*() {
        yield* TdChat.submit(saved.td, TdChat.text("as you said"))
        const { reason } = yield* OurChat.closed(chat)
        yield* equal(reason, { _tag: "Violation", rule: "in-seq-ahead" } satisfies Events.CloseReason, "reason")
        yield* TdChat.closed(saved.td)
      })
  )

  const asked = yield* check(
    "returns: TDLib asks for two chats while we are away, and takes one back",
    Effect.gen(function*() {
      const kept = yield* TdChat.request(tdlib, account.phone)
      const taken = yield* TdChat.request(tdlib, account.phone)
      // a request, and then its withdrawal
      yield* eventually(Effect.gen(function*() {
        const found = (yield* world.server.secretChats).find(({ id }) => id === taken.secretChatId)
        yield* equal(found?.state, "requested", "state at the server")
      }))
      yield* tdlib.invoke({ _: "closeSecretChat", secret_chat_id: taken.secretChatId })
      return { kept, taken }
    })
  )
  yield* back("the one can be accepted, the other is withdrawn", asked.kept, (chat) =>
    Effect.gen(function*() {
      yield* OurChat.requested(chat.peer, asked.kept.secretChatId)
      yield* OurChat.accept(chat)
      yield* TdChat.ready(tdlib, asked.kept.secretChatId)
      yield* OurChat.sendText(chat, "a late yes")
      yield* TdChat.receiveText(asked.kept, "a late yes")
      yield* eventually(Effect.gen(function*() {
        const other = yield* Effect.result(chat.peer.chats.get(asked.taken.secretChatId))
        const state = other._tag === "Success" ? other.success.state : other.failure._tag
        yield* ensure(["closed", "SecretChatUnknown"].includes(state), `the chat that was taken back is ${state}`)
      }))
    }))

  const unanswered = yield* check(
    "returns: we ask TDLib for a chat, and go away before it answers",
    Effect.scoped(Effect.gen(function*() {
      const { accounts } = yield* Table.Table
      const peer = yield* Peer.make(options)
      return (yield* OurChat.request(peer, accounts.tdlib.phone)).id
    }))
  )
  const incoming = yield* check(
    "returns: TDLib accepts while we are away, and has something to say",
    Effect.gen(function*() {
      const td = yield* TdChat.incoming(tdlib, unanswered)
      yield* TdChat.ready(tdlib, unanswered)
      yield* TdChat.sendText(td, "you are welcome")
      return td
    })
  )
  yield* back(
    "the chat is ready when we come back, and has the first message",
    incoming,
    (chat) =>
      Effect.gen(function*() {
        yield* OurChat.ready(chat)
        yield* OurChat.receiveText(chat, "you are welcome")
        yield* equal(
          Buffer.from(yield* OurChat.keyHash(chat)).toString("base64"),
          (yield* TdChat.current(incoming)).key_hash,
          "key picture"
        )
        yield* OurChat.sendText(chat, "thank you")
        yield* TdChat.receiveText(incoming, "thank you")
      })
  )
})

/** Absence with consequences. */
export const returns = scenario("returns", Effect.provide(play, Table.layer("returns")))
