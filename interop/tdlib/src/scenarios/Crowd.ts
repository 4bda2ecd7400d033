/**
 * Many chats between the same two accounts, at the same time: nothing of one gets into another.
 */
import * as Effect from "effect/Effect"
import { check, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Peer from "../Peer.ts"
import type * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"
import { Tdlib } from "../Tdlib.ts"
import { World } from "../World.ts"

const size = 12
const all = { concurrency: "unbounded" } as const

const numbered = (prefix: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${prefix} ${i + 1}`)

/** Ten messages each way in every chat, all at once. */
const talk = (chats: ReadonlyArray<Table.Pairing>, word: string) =>
  Effect.forEach(chats, ({ ours, td }) =>
    Effect.gen(function*() {
      const there = numbered(`${word}, ${ours.id}, there`, 10)
      const back = numbered(`${word}, ${ours.id}, back`, 10)
      const atTdlib = td.client.updates.mark()
      const atOurs = ours.peer.events.mark()
      yield* Effect.all([
        Effect.forEach(there, (text) => OurChat.sendText(ours, text), { discard: true }),
        Effect.forEach(back, (text) => TdChat.submit(td, TdChat.text(text)), { discard: true })
      ], { concurrency: 2, discard: true })
      yield* TdChat.receiveText(td, there.at(-1)!, "20 seconds")
      yield* OurChat.receiveText(ours, back.at(-1)!, "20 seconds")
      yield* equal(TdChat.texts(td, atTdlib), there, `texts at TDLib in chat ${ours.id}`)
      yield* equal(OurChat.texts(ours, atOurs), back, `our texts in chat ${ours.id}`)
    }), { ...all, discard: true })

const play = Effect.gen(function*() {
  const world = yield* World
  const library = yield* Tdlib
  const accounts = { ours: yield* world.account("Olaf"), tdlib: yield* world.account("Tilda") }
  const tdlib = yield* check(
    "crowd: TDLib logs in",
    Effect.flatMap(world.tdlib("crowd-tdlib", accounts.tdlib), library.client),
    "30 seconds"
  )
  const options = world.ours("crowd-ours", accounts.ours)

  const chats = yield* Effect.scoped(Effect.gen(function*() {
    const peer = yield* check("crowd: we log in", Peer.make(options), "30 seconds")
    const asked = yield* check(
      `crowd: TDLib asks for ${size} chats at once`,
      Effect.forEach(Array.from({ length: size }), () =>
        Effect.gen(function*() {
          const td = yield* TdChat.request(tdlib, accounts.ours.phone)
          const ours = yield* OurChat.requested(peer, td.secretChatId)
          yield* OurChat.accept(ours)
          yield* TdChat.ready(tdlib, td.secretChatId)
          yield* OurChat.ready(ours)
          return { ours: OurChat.known(peer, ours.id), td }
        }), all),
      "40 seconds"
    )
    const made = yield* check(
      `crowd: we ask for ${size} chats at once`,
      Effect.forEach(Array.from({ length: size }), () =>
        Effect.gen(function*() {
          const ours = yield* OurChat.request(peer, accounts.tdlib.phone)
          const td = yield* TdChat.incoming(tdlib, ours.id)
          yield* TdChat.ready(tdlib, ours.id)
          yield* OurChat.ready(ours)
          return { ours, td }
        }), all),
      "40 seconds"
    )
    const chats = [...asked, ...made]
    yield* check(
      "crowd: every chat has a key of its own, the same at both sides",
      Effect.gen(function*() {
        const pictures = yield* Effect.forEach(chats, ({ ours }) => OurChat.keyHash(ours))
        const texts = pictures.map((hash) => Buffer.from(hash).toString("base64"))
        yield* equal(new Set(texts).size, 2 * size, "different keys")
        const theirs = yield* Effect.forEach(chats, ({ td }) => Effect.map(TdChat.current(td), (now) => now.key_hash))
        yield* equal(theirs, texts, "pictures at TDLib")
      })
    )
    yield* check("crowd: all of them talk at once", talk(chats, "first"), "40 seconds")
    yield* check(
      "crowd: every third is closed by us, every third by TDLib",
      Effect.forEach(chats, ({ ours, td }, i) =>
        Effect.gen(function*() {
          if (i % 3 === 0) yield* OurChat.discard(ours)
          if (i % 3 === 1) yield* tdlib.invoke({ _: "closeSecretChat", secret_chat_id: td.secretChatId })
          if (i % 3 === 2) return
          yield* TdChat.closed(td)
          yield* OurChat.closed(ours)
        }), { ...all, discard: true }),
      "20 seconds"
    )
    const left = chats.filter((_, i) => i % 3 === 2)
    yield* check("crowd: the others go on", talk(left, "second"), "40 seconds")
    return left
  }))
  yield* check(
    "crowd: while we are away, TDLib says something in each of them",
    Effect.forEach(
      chats,
      ({ ours, td }) => Effect.forEach(numbered(`away, ${ours.id}`, 5), (text) => TdChat.sendText(td, text)),
      { ...all, discard: true }
    )
  )
  yield* Effect.scoped(Effect.gen(function*() {
    const peer = yield* check("crowd: we come back", Peer.make(options), "30 seconds")
    const again = chats.map(({ ours, td }) => ({ ours: OurChat.known(peer, ours.id), td }))
    yield* check(
      "crowd: we get all of it, each in its chat",
      Effect.forEach(again, ({ ours }) =>
        Effect.gen(function*() {
          const words = numbered(`away, ${ours.id}`, 5)
          yield* OurChat.receiveText(ours, words.at(-1)!)
          yield* equal(OurChat.texts(ours).filter((text) => text.startsWith("away")), words, `texts of ${ours.id}`)
        }), { discard: true })
    )
    yield* check("crowd: they talk on", talk(again, "third"), "40 seconds")
    yield* check(
      "crowd: the list has them, and the closed ones",
      Effect.gen(function*() {
        const list = yield* peer.chats.list
        const ready = list.filter(({ state }) => state === "ready").map(({ chatId }) => chatId)
        yield* equal(
          ready.toSorted((a, b) => a - b),
          again.map(({ ours }) => ours.id).toSorted((a, b) => a - b),
          "ready"
        )
        yield* equal(list.length, 2 * size, "chats")
      })
    )
  }))
})

/** Many chats at once. */
export const crowd = scenario("crowd", Effect.scoped(play))
