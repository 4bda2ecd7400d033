/**
 * Exchanges of keys that something comes between: our process is killed, or TDLib is closed, at every step of one; both sides
 * start one at the same moment; one side is away.
 *
 * The server sees which key each frame is under, and which messages are service messages, so the steps are seen from
 * outside of both programs.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { check, ensure, equal, eventually, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as OurProcess from "../OurProcess.ts"
import * as Peer from "../Peer.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"
import { Tdlib } from "../Tdlib.ts"
import * as TdProcess from "../TdProcess.ts"
import { type Account, World } from "../World.ts"

const numbered = (prefix: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${prefix} ${i + 1}`)

/** More than a key is good for. */
const many = 110

/** The service messages after `mark` that the two sides have handed in, and a wait for the next one. */
const steps = Effect.fnUntraced(function*(chatId: number) {
  const { frames } = yield* World
  return (since: number) =>
    frames.waitFor("service message", (frame) => frame.chatId === chatId && frame.service ? frame : undefined, {
      since
    })
})

/** How many keys each side has used; the first counts from the beginning. */
const counts = (world: World["Service"], chatId: number, accounts: ReadonlyArray<Account>) =>
  accounts.map((account) => Math.max(1, world.keys(account, chatId).length))

const mostRounds = 20

/** Of the texts `numbered` from 1 on, the `n`th three. */
const three = (prefix: string, n: number): ReadonlyArray<string> => numbered(prefix, 3 * n).slice(3 * (n - 1))

/**
 * Talks until a step of the exchange has reached the server. A talk is over within a few milliseconds, and the keys of a
 * step may take longer to compute: whoever is ended at the end of a talk may never come so far.
 */
const untilStep = <A, E, R, E2, R2>(
  step: Effect.Effect<A, E, R>,
  talk: (n: number) => Effect.Effect<unknown, E2, R2>
) =>
  Effect.gen(function*() {
    const talking = yield* Effect.forkChild(Effect.gen(function*() {
      for (let n = 1;; n++) yield* talk(n)
    }))
    // a talk that fails fails all of it; it never ends otherwise
    yield* Effect.raceFirst(step, Fiber.join(talking))
    return talking
  })

/** A message each way. */
const exchange = Effect.fnUntraced(function*(chat: Table.Pairing, word: string) {
  yield* OurChat.sendText(chat.ours, word)
  yield* TdChat.receiveText(chat.td, word)
  yield* TdChat.submit(chat.td, TdChat.text(`${word}, back`))
  yield* OurChat.receiveText(chat.ours, `${word}, back`)
})

/** Both sides have come to write with the same key; they may have to say something more for that. */
const sameKey = <E, R>(
  chatId: number,
  accounts: ReadonlyArray<Account>,
  talk: (n: number) => Effect.Effect<unknown, E, R>
) =>
  Effect.gen(function*() {
    const world = yield* World
    for (let n = 1;; n++) {
      const [ours, theirs] = accounts.map((account) => world.keys(account, chatId).at(-1))
      if (ours === theirs) return
      yield* ensure(n <= mostRounds, `we use the key ${ours}, TDLib uses ${theirs}`)
      yield* talk(n)
    }
  })

/** Our process is killed whenever a step of the exchange has reached the server, until the exchange is done. */
const weAreKilled = (starter: "we start" | "TDLib starts") =>
  Effect.gen(function*() {
    const world = yield* World
    const { accounts, tdlib } = yield* Table.Table
    const account = yield* world.account("Kira")
    const options = world.ours(`interrupted-${starter}`, account)
    const name = `interrupted, ${starter}`
    const both = [account, accounts.tdlib]

    const said: Array<string> = []
    const delivered: Array<string> = []
    const td = yield* check(
      `${name}: a chat with our process, with almost enough messages for a new key`,
      Effect.scoped(Effect.gen(function*() {
        const process = yield* OurProcess.start(options)
        const chat = yield* TdChat.request(tdlib, account.phone)
        yield* process.accept(chat.secretChatId)
        yield* TdChat.ready(tdlib, chat.secretChatId)
        const words = numbered("before", 80)
        yield* process.sendAll(chat.secretChatId, words)
        yield* TdChat.receiveText(chat, words.at(-1)!)
        return chat
      })),
      "30 seconds"
    )
    const id = td.secretChatId
    const next = yield* steps(id)
    const before = counts(world, id, both)
    let mark = world.frames.mark()
    if (starter === "TDLib starts") {
      yield* check(
        `${name}: while we are away`,
        Effect.gen(function*() {
          const words = numbered("while we are away", many)
          for (const text of words) yield* TdChat.submit(td, TdChat.text(text))
          said.push(...words)
          yield* next(mark)
        })
      )
    }
    yield* check(
      `${name}: our process is killed at every step`,
      Effect.gen(function*() {
        for (let round = 1; counts(world, id, both).some((count, i) => count <= before[i]!); round++) {
          yield* ensure(round <= mostRounds, "the exchange does not end")
          yield* Effect.scoped(Effect.gen(function*() {
            const process = yield* OurProcess.start(options)
            const talking = yield* untilStep(
              next(mark),
              Effect.fnUntraced(function*(n) {
                const words = starter === "TDLib starts" || round > 1 ?
                  three(`round ${round}, ours`, n) :
                  numbered(`round ${round}, ours`, many + n).slice(n === 1 ? 0 : many + n - 1)
                yield* process.sendAll(id, words)
                // TDLib goes on with an exchange when something happens in the chat
                yield* TdChat.receiveText(td, words[0]!)
                const theirs = three(`round ${round}, theirs`, n)
                for (const text of theirs) {
                  yield* TdChat.submit(td, TdChat.text(text))
                  said.push(text)
                }
                yield* TdChat.receiveText(td, words.at(-1)!)
                yield* process.waitForText(id, theirs.at(-1)!)
              })
            )
            yield* process.kill
            yield* Fiber.interrupt(talking)
            mark = world.frames.mark()
            delivered.push(...process.delivered(id))
          }))
        }
      }),
      "120 seconds"
    )
    const last = yield* check(`${name}: started once more`, OurProcess.start(options), "20 seconds")
    yield* check(
      `${name}: everything arrived, once and in order, under the new key`,
      Effect.gen(function*() {
        yield* last.send(id, "our last word")
        yield* TdChat.receiveText(td, "our last word")
        yield* TdChat.sendText(td, "their last word")
        yield* last.waitForText(id, "their last word")
        delivered.push(...last.delivered(id))
        const once = [...new Set(delivered)].filter((text) => text.startsWith("round") || text.startsWith("while"))
        // TDLib may have taken one more than it was known to have when it was interrupted
        yield* equal(once.filter((text) => said.includes(text)), said, "our texts")
        const shown = TdChat.texts(td).filter((text) => text.startsWith("round"))
        yield* equal(shown.length, new Set(shown).size, "different texts at TDLib")
        for (let round = 1; shown.some((text) => text.startsWith(`round ${round}, `)); round++) {
          const mine = shown.filter((text) => text.startsWith(`round ${round}, `))
          yield* equal(mine, numbered(`round ${round}, ours`, mine.length), `texts of round ${round}`)
        }
        yield* sameKey(id, both, (n) =>
          Effect.gen(function*() {
            yield* last.send(id, `more ${n}`)
            yield* TdChat.sendText(td, `more ${n}`)
            yield* last.waitForText(id, `more ${n}`)
          }))
        yield* equal((yield* TdChat.current(td)).state._, "secretChatStateReady", "state at TDLib")
      })
    )
  })

/**
 * TDLib is ended and opened again on its database whenever a step has reached the server, until the exchange is done.
 * What it was told shortly before it was killed may never have been written down; what it has reported as sent was.
 */
const theyAreEnded = (starter: "we start" | "TDLib starts", end: "closed" | "killed") =>
  Effect.gen(function*() {
    const world = yield* World
    const library = yield* Tdlib
    const { accounts, ours } = yield* Table.Table
    const account = yield* world.account("Theo")
    const options = yield* world.tdlib(`interrupted-tdlib-${end}-${starter}`, account)
    const open = end === "closed" ? library.client(options) : TdProcess.start(options)
    const name = `interrupted at TDLib (${end}), ${starter}`
    const both = [accounts.ours, account]

    const said: Array<string> = []
    const { chat, known } = yield* check(
      `${name}: a chat with almost enough messages for a new key`,
      Effect.scoped(Effect.gen(function*() {
        const client = yield* open
        const asked = yield* TdChat.request(client, accounts.ours.phone)
        const chat = yield* OurChat.requested(ours, asked.secretChatId)
        yield* OurChat.accept(chat)
        yield* TdChat.ready(client, asked.secretChatId)
        const words = numbered("before", 80)
        for (const text of words) yield* TdChat.submit(asked, TdChat.text(text))
        yield* OurChat.receiveText(chat, words.at(-1)!)
        said.push(...words)
        return { chat, known: asked }
      })),
      "30 seconds"
    )
    const id = known.secretChatId
    const next = yield* steps(id)
    const before = counts(world, id, both)
    let mark = world.frames.mark()
    const spoken: Array<string> = []
    const opened: Array<TdChat.TdChat> = []
    if (starter === "we start") {
      yield* check(
        `${name}: we go on while TDLib is away`,
        Effect.gen(function*() {
          const words = numbered("while TDLib is away", many)
          yield* Effect.forEach(words, (text) => OurChat.sendText(chat, text), { discard: true })
          spoken.push(...words)
          yield* next(mark)
        })
      )
    }
    yield* check(
      `${name}: TDLib is ${end} at every step`,
      Effect.gen(function*() {
        for (let round = 1; counts(world, id, both).some((count, i) => count <= before[i]!); round++) {
          yield* ensure(round <= mostRounds, "the exchange does not end")
          yield* Effect.scoped(Effect.gen(function*() {
            const td = { ...known, client: yield* open }
            opened.push(td)
            const talking = yield* untilStep(
              next(mark),
              Effect.fnUntraced(function*(n) {
                const theirs = starter === "we start" || round > 1 ?
                  three(`round ${round}, theirs`, n) :
                  numbered(`round ${round}, theirs`, many + n).slice(n === 1 ? 0 : many + n - 1)
                for (const text of theirs) {
                  yield* TdChat.submit(td, TdChat.text(text))
                  said.push(text)
                }
                const words = three(`round ${round}, ours`, n)
                for (const text of words) {
                  yield* OurChat.sendText(chat, text)
                  spoken.push(text)
                }
                yield* TdChat.receiveText(td, words.at(-1)!)
                yield* OurChat.receiveText(chat, theirs.at(-1)!)
              })
            )
            yield* Fiber.interrupt(talking)
            mark = world.frames.mark()
          }))
        }
      }),
      "120 seconds"
    )
    yield* check(
      `${name}: everything arrived, once and in order, under the new key`,
      Effect.scoped(Effect.gen(function*() {
        const td = { ...known, client: yield* open }
        yield* OurChat.sendText(chat, "our last word")
        yield* TdChat.receiveText(td, "our last word")
        yield* TdChat.sendText(td, "their last word")
        yield* OurChat.receiveText(chat, "their last word")
        yield* sameKey(id, both, (n) => exchange({ ours: chat, td }, `more ${n}`))
        yield* equal((yield* TdChat.current(td)).state._, "secretChatStateReady", "state at TDLib")
        const mine = OurChat.texts(chat)
        yield* equal(mine.length, new Set(mine).size, "different texts of ours")
        const kept = new Set([...opened, td].flatMap(TdChat.sentTexts))
        const expected = end === "closed" ? said : said.filter((text) => kept.has(text) || mine.includes(text))
        yield* equal(mine.filter((text) => said.includes(text)), expected, "our texts")
        // its history may lack what it has shown shortly before it was closed, and may have what it has not shown any more
        const stored = yield* TdChat.history(td)
        const shown = [...new Set([...opened, td].flatMap((one) => TdChat.texts(one)))]
        // when it is killed, also what it has told us last may be lost; it has acknowledged all of it
        if (end === "closed") {
          yield* equal(spoken.filter((text) => !shown.includes(text) && !stored.includes(text)), [], "lost at TDLib")
        }
        yield* eventually(OurChat.acknowledged(chat))
        for (const list of [shown, stored]) {
          const found = list.filter((text) => spoken.includes(text))
          yield* equal(found, spoken.filter((text) => found.includes(text)), "order at TDLib")
        }
      }))
    )
  })

/** Both start an exchange before either has heard of the other's. */
const collisions = (role: string, chat: Table.Pairing) =>
  Effect.gen(function*() {
    const world = yield* World
    const { accounts, ours } = yield* Table.Table
    const { tamper } = ours
    const id = chat.ours.id
    const both = [accounts.ours, accounts.tdlib]
    for (let round = 1; round <= 3; round++) {
      yield* check(
        `collision, ${role}: both ask for a new key at the same moment, for the ${round}. time`,
        Effect.gen(function*() {
          const before = counts(world, id, both)
          const there = numbered(`${role} ${round}, there`, many)
          const back = numbered(`${role} ${round}, back`, many)
          const atTdlib = chat.td.client.updates.mark()
          const atOurs = ours.events.mark()
          const mark = world.frames.mark()
          tamper.holdOutgoing()
          tamper.holdIncoming()
          yield* Effect.forEach(there, (text) => OurChat.sendText(chat.ours, text), { discard: true })
          // ours is made in the background, and kept back as well
          for (const text of back) yield* TdChat.submit(chat.td, TdChat.text(text))
          yield* world.frames.waitFor(
            "TDLib's request",
            (frame) => frame.phone === accounts.tdlib.phone && frame.chatId === id && frame.service ? frame : undefined,
            { since: mark }
          )
          yield* tamper.heldOutgoing("messages.sendEncryptedService")
          const released = yield* tamper.releaseOutgoing
          tamper.releaseIncoming()
          yield* ensure(released.includes("messages.sendEncryptedService"), "we have not asked for a new key")
          yield* TdChat.receiveText(chat.td, there.at(-1)!)
          yield* OurChat.receiveText(chat.ours, back.at(-1)!)
          for (let n = 1; counts(world, id, both).some((count, i) => count <= before[i]!); n++) {
            yield* exchange(chat, `${role} ${round}, further ${n}`)
          }
          const apart = (text: string) => !text.includes("further")
          yield* equal(TdChat.texts(chat.td, atTdlib).filter(apart), there, "texts at TDLib")
          yield* equal(OurChat.texts(chat.ours, atOurs).filter(apart), back, "our texts")
          yield* sameKey(id, both, (n) => exchange(chat, `${role} ${round}, still further ${n}`))
          yield* equal((yield* TdChat.current(chat.td)).state._, "secretChatStateReady", "state at TDLib")
        }),
        "40 seconds"
      )
    }
  })

/** We are stopped and started again after every message, across a change of the key. */
const restartedAllAlong = Effect.gen(function*() {
  const world = yield* World
  const { accounts, tdlib } = yield* Table.Table
  const account = yield* world.account("Rosa")
  const options = world.ours("interrupted-restarts", account)
  const name = "interrupted, restarts"
  const both = [account, accounts.tdlib]
  const td = yield* check(
    `${name}: a chat that is almost due for a new key`,
    Effect.scoped(Effect.gen(function*() {
      const peer = yield* Peer.make(options)
      const asked = yield* TdChat.request(tdlib, account.phone)
      const chat = yield* OurChat.requested(peer, asked.secretChatId)
      yield* OurChat.accept(chat)
      yield* TdChat.ready(tdlib, asked.secretChatId)
      const words = numbered("before", 88)
      yield* Effect.forEach(words, (text) => OurChat.sendText(chat, text), { discard: true })
      yield* TdChat.receiveText(asked, words.at(-1)!)
      return asked
    })),
    "30 seconds"
  )
  const id = td.secretChatId
  yield* check(
    `${name}: a message each way, a restart, until the key is a new one`,
    Effect.gen(function*() {
      const before = counts(world, id, both)
      for (let round = 1; counts(world, id, both).some((count, i) => count <= before[i]!); round++) {
        yield* ensure(round <= 3 * mostRounds, "no new key")
        yield* Effect.scoped(Effect.gen(function*() {
          const peer = yield* Peer.make(options)
          const chat = OurChat.known(peer, id)
          yield* OurChat.sendText(chat, `${round} there`)
          yield* TdChat.receiveText(td, `${round} there`)
          yield* TdChat.submit(td, TdChat.text(`${round} back`))
          yield* OurChat.receiveText(chat, `${round} back`)
        }))
      }
      const shown = TdChat.texts(td).filter((text) => text.endsWith(" there"))
      yield* equal(shown, shown.map((_, i) => `${i + 1} there`), "texts at TDLib")
      yield* equal((yield* TdChat.current(td)).state._, "secretChatStateReady", "state at TDLib")
    }),
    "90 seconds"
  )
})

/** Exchanges of keys under bad circumstances. */
export const interrupted = scenario(
  "interrupted",
  Effect.gen(function*() {
    const table = yield* Table.Table
    yield* collisions("TDLib created", yield* table.tdlibCreates())
    yield* collisions("we created", yield* table.weCreate())
    yield* restartedAllAlong
    yield* weAreKilled("we start")
    yield* weAreKilled("TDLib starts")
    yield* theyAreEnded("we start", "closed")
    yield* theyAreEnded("TDLib starts", "closed")
    yield* theyAreEnded("we start", "killed")
    yield* theyAreEnded("TDLib starts", "killed")
  }).pipe(Effect.scoped, Effect.provide(Table.layer("interrupted")))
)
