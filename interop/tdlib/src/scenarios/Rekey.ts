/**
 * Forward secrecy: the key of a chat changes under traffic, nothing is lost, the picture of the key stays.
 *
 * Every frame begins with the fingerprint of its key, so the changes are seen from outside of both programs.
 */
import * as Effect from "effect/Effect"
import { check, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"

const numbered = (prefix: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${prefix} ${i + 1}`)

/** Both sides send `count` messages, one after the other; all must arrive in order. */
const pingPong = Effect.fnUntraced(function*(chat: Table.Pairing, word: string, count: number) {
  const there = numbered(`${word}, there`, count)
  const back = numbered(`${word}, back`, count)
  const atTdlib = chat.td.client.updates.mark()
  const atOurs = chat.ours.peer.events.mark()
  for (let i = 0; i < count; i++) {
    yield* OurChat.sendText(chat.ours, there[i]!)
    yield* TdChat.receiveText(chat.td, there[i]!)
    yield* TdChat.submit(chat.td, TdChat.text(back[i]!))
    yield* OurChat.receiveText(chat.ours, back[i]!)
  }
  yield* equal(TdChat.texts(chat.td, atTdlib), there, "texts at TDLib")
  yield* equal(OurChat.texts(chat.ours, atOurs), back, "our texts")
})

/** Both sides send `count` messages at full speed, at the same time; all must arrive in order. */
const flood = Effect.fnUntraced(function*(chat: Table.Pairing, word: string, count: number) {
  const there = numbered(`${word}, there`, count)
  const back = numbered(`${word}, back`, count)
  const atTdlib = chat.td.client.updates.mark()
  const atOurs = chat.ours.peer.events.mark()
  yield* Effect.all([
    Effect.forEach(there, (text) => OurChat.sendText(chat.ours, text), { discard: true }),
    Effect.forEach(back, (text) => TdChat.submit(chat.td, TdChat.text(text)), { discard: true })
  ], { concurrency: 2, discard: true })
  yield* TdChat.receiveText(chat.td, there.at(-1)!, "30 seconds")
  yield* OurChat.receiveText(chat.ours, back.at(-1)!, "30 seconds")
  yield* equal(TdChat.texts(chat.td, atTdlib), there, "texts at TDLib")
  yield* equal(OurChat.texts(chat.ours, atOurs), back, "our texts")
})

const fingerprints = (chat: Table.Pairing) => chat.ours.peer.tamper.fingerprints(chat.ours.id)

/**
 * Goes on talking until something holds. An exchange of keys takes three messages, and TDLib takes its steps at the next
 * message only: a burst may be over, all of it under the old key, before the exchange has ended, and how many messages that
 * takes depends on who is faster. The check around it has the time limit.
 */
const until = Effect.fnUntraced(function*<E, R>(
  holds: () => boolean,
  next: (n: number) => Effect.Effect<unknown, E, R>
) {
  for (let n = 1; !holds(); n++) {
    yield* next(n)
    yield* Effect.sleep("20 millis")
  }
})

/** Talks on until both sides have shown the same keys, and ours has told of each. */
const settled = Effect.fnUntraced(function*(chat: Table.Pairing, word: string) {
  yield* pingPong(chat, word, 3)
  yield* until(
    () => {
      const { incoming, outgoing } = fingerprints(chat)
      return outgoing.length === incoming.length && reported(chat).length === outgoing.length - 1
    },
    (n) => pingPong(chat, `${word}, further ${n}`, 1)
  )
})

/** Who has started each change of the key, as we were told. */
const reported = (chat: Table.Pairing) =>
  chat.ours.peer.events.seen(({ chatId, event }) =>
    chatId === chat.ours.id && event._tag === "Rekeyed" ? event.startedBy : undefined
  )

const play = (name: string, chat: Table.Pairing) =>
  Effect.gen(function*() {
    const picture = yield* OurChat.keyHash(chat.ours)
    const ours = () => fingerprints(chat).outgoing.length
    const theirs = () => fingerprints(chat).incoming.length
    yield* check(
      `rekey, ${name}: a new key after more than 100 messages, one at a time`,
      Effect.gen(function*() {
        yield* pingPong(chat, "first hundred", 60)
        yield* until(
          () => ours() > 1 && theirs() > 1,
          (n) => pingPong(chat, `after the first hundred, ${n}`, 1)
        )
      }),
      "30 seconds"
    )
    yield* check(
      `rekey, ${name}: many keys in a row under traffic from both sides`,
      Effect.gen(function*() {
        const before = ours()
        yield* until(() => ours() - before >= 4, (n) => flood(chat, `flood ${n}`, 300))
      }),
      "60 seconds"
    )
    yield* check(
      `rekey, ${name}: both sides went through the same keys`,
      Effect.gen(function*() {
        yield* settled(chat, "last")
        const { incoming, outgoing } = fingerprints(chat)
        yield* equal(outgoing, incoming, "keys")
      })
    )
    yield* check(
      `rekey, ${name}: we only send, and keys change`,
      Effect.gen(function*() {
        const before = ours()
        const words = numbered(`${name}, one way`, 150)
        const since = chat.td.client.updates.mark()
        yield* Effect.forEach(words, (text) => OurChat.sendText(chat.ours, text), { discard: true })
        yield* TdChat.receiveText(chat.td, words.at(-1)!)
        yield* equal(TdChat.texts(chat.td, since), words, "texts at TDLib")
        yield* until(() => ours() > before, (n) =>
          Effect.andThen(
            OurChat.sendText(chat.ours, `${name}, one way further ${n}`),
            TdChat.receiveText(chat.td, `${name}, one way further ${n}`)
          ))
      }),
      "30 seconds"
    )
    yield* check(
      `rekey, ${name}: we only listen, and keys change`,
      Effect.gen(function*() {
        // or TDLib's first message would show the key that it has from the check before
        yield* settled(chat, "between the ways")
        const before = theirs()
        const words = numbered(`${name}, other way`, 150)
        const since = chat.ours.peer.events.mark()
        yield* Effect.forEach(words, (text) => TdChat.submit(chat.td, TdChat.text(text)), { discard: true })
        yield* OurChat.receiveText(chat.ours, words.at(-1)!, "20 seconds")
        yield* equal(OurChat.texts(chat.ours, since), words, "our texts")
        yield* until(() => theirs() > before, (n) =>
          Effect.andThen(
            TdChat.submit(chat.td, TdChat.text(`${name}, other way further ${n}`)),
            OurChat.receiveText(chat.ours, `${name}, other way further ${n}`)
          ))
      }),
      "30 seconds"
    )
    yield* check(
      `rekey, ${name}: every new key was reported`,
      Effect.gen(function*() {
        yield* settled(chat, "after one way")
        const starters = reported(chat)
        yield* equal(starters.length, ours() - 1, `events (started by ${starters.join(", ")})`)
      })
    )
    yield* check(
      `rekey, ${name}: no key came back`,
      Effect.gen(function*() {
        const { incoming, outgoing } = fingerprints(chat)
        yield* equal(new Set(outgoing).size, outgoing.length, "our keys")
        yield* equal(new Set(incoming).size, incoming.length, "TDLib's keys")
      })
    )
    yield* check(
      `rekey, ${name}: the picture is still the one of the first key`,
      Effect.gen(function*() {
        const now = yield* OurChat.keyHash(chat.ours)
        yield* equal(now, picture, "our picture")
        yield* equal(
          (yield* TdChat.current(chat.td)).key_hash,
          Buffer.from(picture).toString("base64"),
          "TDLib's picture"
        )
      })
    )
    yield* check(
      `rekey, ${name}: a message lost during the traffic is asked for across keys`,
      Effect.gen(function*() {
        chat.ours.peer.tamper.loseOutgoing(1)
        chat.ours.peer.tamper.loseIncoming(1)
        yield* flood(chat, "with losses", 80)
      }),
      "30 seconds"
    )
  })

/** Changes of the key, with us in both roles. */
export const rekey = scenario(
  "rekey",
  Effect.gen(function*() {
    const table = yield* Table.Table
    yield* play("TDLib created", yield* table.tdlibCreates())
    yield* play("we created", yield* table.weCreate())
  }).pipe(Effect.provide(Table.layer("rekey")))
)
