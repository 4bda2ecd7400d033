/**
 * One side is away, restarts, or is killed; nothing is lost, doubled or reordered.
 */
import * as Effect from "effect/Effect"
import { check, ensure, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as OurProcess from "../OurProcess.ts"
import * as Peer from "../Peer.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"
import { Tdlib } from "../Tdlib.ts"
import { World } from "../World.ts"

const numbered = (prefix: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${prefix} ${i + 1}`)

/** TDLib goes away and comes back. */
const theyAreAway = Effect.gen(function*() {
  const world = yield* World
  const tdlib = yield* Tdlib
  const { accounts, ours } = yield* Table.Table
  const options = yield* world.tdlib("away-tdlib", yield* world.account("Tessa"))

  const first = yield* check(
    "away: a chat with a TDLib that then goes away",
    Effect.scoped(Effect.gen(function*() {
      const client = yield* tdlib.client(options)
      const td = yield* TdChat.request(client, accounts.ours.phone)
      const chat = yield* OurChat.requested(ours, td.secretChatId)
      yield* OurChat.accept(chat)
      yield* TdChat.ready(client, td.secretChatId)
      yield* OurChat.sendText(chat, "while TDLib is here")
      yield* TdChat.receiveText(td, "while TDLib is here")
      yield* TdChat.sendText(td, "TDLib says so")
      yield* OurChat.receiveText(chat, "TDLib says so")
      return { chat, td }
    }))
  )
  const away = numbered("while TDLib is away", 12)
  yield* check(
    "away: the server takes what we send to an absent TDLib",
    Effect.forEach(away, (text) => OurChat.sendText(first.chat, text))
  )
  yield* check(
    "away: we set a timer and delete a message while TDLib is away",
    Effect.gen(function*() {
      const [outcome] = yield* OurChat.sendText(first.chat, "deleted before it was seen")
      yield* OurChat.act(first.chat, {
        _tag: "decryptedMessageActionDeleteMessages",
        randomIds: [outcome!.randomId]
      })
      yield* OurChat.act(first.chat, { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 7200 })
    })
  )
  const client = yield* check("away: TDLib comes back", tdlib.client(options), "20 seconds")
  const td = { ...first.td, client }
  yield* check(
    "away: TDLib gets everything, in order",
    Effect.gen(function*() {
      yield* TdChat.receiveText(td, away.at(-1)!)
      yield* TdChat.receive(
        td,
        "timer message",
        (m) =>
          m.content._ === "messageChatSetMessageAutoDeleteTime" && m.content.message_auto_delete_time === 7200
            ? m
            : undefined
      )
      yield* equal(TdChat.texts(td).filter((text) => text.startsWith("while TDLib is away")), away, "texts at TDLib")
    })
  )
  yield* check(
    "away: the chat goes on with the TDLib that came back",
    Effect.gen(function*() {
      yield* TdChat.sendText(td, "back again")
      yield* OurChat.receiveText(first.chat, "back again")
      yield* OurChat.sendText(first.chat, "welcome back")
      yield* TdChat.receiveText(td, "welcome back")
    })
  )
})

/** We stop in an orderly way and start again on the same database. */
const weAreAway = Effect.gen(function*() {
  const world = yield* World
  const { tdlib } = yield* Table.Table
  const account = yield* world.account("Otto")
  const options = world.ours("restart-ours", account)

  const { id, td } = yield* check(
    "restart: a chat with us, who then go away",
    Effect.scoped(Effect.gen(function*() {
      const peer = yield* Peer.make(options)
      const asked = yield* TdChat.request(tdlib, account.phone)
      const chat = yield* OurChat.requested(peer, asked.secretChatId)
      yield* OurChat.accept(chat)
      yield* TdChat.ready(tdlib, asked.secretChatId)
      yield* OurChat.sendText(chat, "while we are here")
      yield* TdChat.receiveText(asked, "while we are here")
      return { id: chat.id, td: asked }
    }))
  )
  const away = numbered("while we are away", 12)
  yield* check(
    "restart: the server takes what TDLib sends to us while we are away",
    Effect.forEach(away, (text) => TdChat.sendText(td, text))
  )
  yield* check(
    "restart: started again, we get everything, once and in order",
    Effect.scoped(Effect.gen(function*() {
      const peer = yield* Peer.make(options)
      const chat = OurChat.known(peer, id)
      yield* OurChat.receiveText(chat, away.at(-1)!)
      yield* equal(OurChat.texts(chat).filter((text) => text.startsWith("while we are away")), away, "our texts")
      yield* OurChat.sendText(chat, "we are back")
      yield* TdChat.receiveText(td, "we are back")
    }))
  )
  yield* check(
    "restart: the key picture is the same after a restart",
    Effect.scoped(Effect.gen(function*() {
      const peer = yield* Peer.make(options)
      const hash = yield* OurChat.keyHash(OurChat.known(peer, id))
      yield* equal(Buffer.from(hash).toString("base64"), (yield* TdChat.current(td)).key_hash, "key_hash")
    }))
  )
  yield* check(
    "restart: five restarts with a message each way in between",
    Effect.forEach(numbered("restart", 5), (word) =>
      Effect.scoped(Effect.gen(function*() {
        const peer = yield* Peer.make(options)
        const chat = OurChat.known(peer, id)
        yield* OurChat.sendText(chat, `${word}, there`)
        yield* TdChat.receiveText(td, `${word}, there`)
        yield* TdChat.sendText(td, `${word}, back`)
        yield* OurChat.receiveText(chat, `${word}, back`)
      }))),
    "30 seconds"
  )
})

const rounds = 6
const burst = 25

/** Our process is killed with SIGKILL in the middle of sending and receiving. */
const weAreKilled = Effect.gen(function*() {
  const world = yield* World
  const { tdlib } = yield* Table.Table
  const account = yield* world.account("Kurt")
  const options = world.ours("killed", account)

  const td = yield* check(
    "kill: a chat with our process",
    Effect.scoped(Effect.gen(function*() {
      const process = yield* OurProcess.start(options)
      const chat = yield* TdChat.request(tdlib, account.phone)
      yield* process.accept(chat.secretChatId)
      yield* TdChat.ready(tdlib, chat.secretChatId)
      yield* process.send(chat.secretChatId, "alive")
      yield* TdChat.receiveText(chat, "alive")
      return chat
    }))
  )
  const acknowledged: Array<string> = []
  const delivered: Array<string> = []
  const sentByTdlib: Array<string> = []

  for (let round = 1; round <= rounds; round++) {
    yield* check(
      `kill: round ${round}, killed while ${burst} messages go each way`,
      Effect.scoped(Effect.gen(function*() {
        const process = yield* OurProcess.start(options)
        const ours = numbered(`kill ${round}, ours`, burst)
        const theirs = numbered(`kill ${round}, theirs`, burst)
        yield* process.sendAll(td.secretChatId, ours)
        yield* Effect.forEach(theirs, (text) => TdChat.submit(td, TdChat.text(text)))
        sentByTdlib.push(...theirs)
        // a different moment in every round: after so many of our messages have reached TDLib
        yield* TdChat.receiveText(td, ours[(round * 4) % burst]!)
        yield* process.kill
        acknowledged.push(...process.acknowledged())
        delivered.push(...process.delivered(td.secretChatId))
      })),
      "20 seconds"
    )
  }
  const last = yield* check("kill: started once more", OurProcess.start(options), "20 seconds")
  yield* check(
    "kill: TDLib has everything that was acknowledged, once and in order",
    Effect.gen(function*() {
      yield* last.send(td.secretChatId, "the last word")
      yield* TdChat.receiveText(td, "the last word")
      const shown = TdChat.texts(td).filter((text) => text.startsWith("kill "))
      yield* equal(shown.length, new Set(shown).size, "different texts")
      for (let round = 1; round <= rounds; round++) {
        const mine = shown.filter((text) => text.startsWith(`kill ${round}, `))
        yield* equal(mine, numbered(`kill ${round}, ours`, mine.length), `texts of round ${round}`)
      }
      yield* equal(acknowledged.filter((text) => !shown.includes(text)), [], "acknowledged but not shown")
    })
  )
  yield* check(
    "kill: we have everything that TDLib sent, in order",
    Effect.gen(function*() {
      yield* TdChat.sendText(td, "their last word")
      yield* last.waitForText(td.secretChatId, "their last word")
      delivered.push(...last.delivered(td.secretChatId))
      // events are delivered at least once: the first appearance of each counts
      const once = [...new Set(delivered)].filter((text) => text.startsWith("kill "))
      yield* equal(once, sentByTdlib, "our texts")
    })
  )
  yield* check(
    "kill: the chat is alive at TDLib",
    Effect.gen(function*() {
      const now = yield* TdChat.current(td)
      yield* ensure(now.state._ === "secretChatStateReady", now.state._)
    })
  )
})

/** Absence, restarts and kills. */
export const absence = scenario(
  "absence",
  Effect.scoped(Effect.gen(function*() {
    yield* theyAreAway
    yield* weAreAway
    yield* weAreKilled
  })).pipe(Effect.provide(Table.layer("absence")))
)
