/**
 * We talk to TDLib over a server that misbehaves towards us: nothing is lost, doubled or reordered.
 */
import * as Effect from "effect/Effect"
import { check, ensure, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"
import { World } from "../World.ts"

const play = Effect.gen(function*() {
  const { server } = yield* World
  const { faults } = server
  const table = yield* Table.Table
  const chat = yield* table.tdlibCreates()
  const { phone } = table.accounts.ours
  const us = { account: phone }

  /** Three messages each way, in order, whatever happens on the way. */
  const talk = Effect.fnUntraced(function*(word: string) {
    const there = [1, 2, 3].map((n) => `${word} ${n}`)
    const back = [1, 2, 3].map((n) => `${word} back ${n}`)
    const atTdlib = chat.td.client.updates.mark()
    const atOurs = chat.ours.peer.events.mark()
    yield* Effect.forEach(there, (text) => OurChat.sendText(chat.ours, text), { concurrency: "unbounded" })
    yield* Effect.forEach(back, (text) => TdChat.submit(chat.td, TdChat.text(text)))
    yield* TdChat.receiveText(chat.td, there.at(-1)!)
    yield* OurChat.receiveText(chat.ours, back.at(-1)!)
    yield* equal(TdChat.texts(chat.td, atTdlib), there, "texts at TDLib")
    yield* equal(OurChat.texts(chat.ours, atOurs), back, "our texts")
  })
  const sending = "messages.sendEncrypted"

  yield* check("weather: fair", talk("fair"))
  yield* check(
    "weather: our connection breaks",
    Effect.andThen(faults.dropConnections(phone), talk("broken")),
    "20 seconds"
  )
  yield* check(
    "weather: our connection breaks before a message is taken",
    Effect.andThen(faults.disconnectOn(sending, "before", us), talk("before")),
    "20 seconds"
  )
  yield* check(
    "weather: our connection breaks after a message is taken",
    Effect.andThen(faults.disconnectOn(sending, "after", us), talk("after")),
    "20 seconds"
  )
  yield* check(
    "weather: an answer is lost",
    Effect.andThen(faults.dropAnswer(sending, us), talk("lost answer")),
    "20 seconds"
  )
  yield* check("weather: an answer comes twice", Effect.andThen(faults.duplicateAnswer(sending, us), talk("double")))
  yield* check("weather: an answer is late", Effect.andThen(faults.delayNext(sending, "1200 millis", us), talk("late")))
  yield* check("weather: the salt is refused", Effect.andThen(faults.badServerSalt(us), talk("salt")))
  yield* check(
    "weather: our sessions are forgotten",
    Effect.andThen(faults.forgetSessions(phone), talk("session")),
    "20 seconds"
  )
  yield* check(
    "weather: updates are not pushed to us",
    Effect.andThen(faults.dropUpdates(phone, 2), talk("not pushed")),
    "20 seconds"
  )
  yield* check(
    "weather: a number of the queue is skipped",
    Effect.andThen(faults.qtsGap(phone), talk("skipped")),
    "20 seconds"
  )
  yield* check(
    "weather: updatesTooLong in place of updates",
    Effect.gen(function*() {
      yield* faults.dropUpdates(phone, 3)
      const since = chat.ours.peer.events.mark()
      const words = [1, 2, 3].map((n) => `too long ${n}`)
      yield* Effect.forEach(words, (word) => TdChat.sendText(chat.td, word))
      yield* faults.updatesTooLong(phone)
      yield* OurChat.receiveText(chat.ours, words.at(-1)!)
      yield* equal(OurChat.texts(chat.ours, since), words, "our texts")
    })
  )
  yield* check(
    "weather: a flood wait is waited for",
    Effect.andThen(faults.failNext(sending, { ...us, code: 420, type: "FLOOD_WAIT_1" }), talk("flood"))
  )
  yield* check(
    "weather: an internal error is tried again",
    Effect.andThen(faults.failNext(sending, { ...us, code: 500, type: "INTERNAL_SERVER_ERROR" }), talk("internal"))
  )
  yield* check(
    "weather: MSG_WAIT_FAILED is tried again",
    Effect.andThen(faults.failNext(sending, { ...us, code: 400, type: "MSG_WAIT_FAILED" }), talk("wait"))
  )
  yield* check(
    "weather: a message that is refused for good fails, is never shown, and leaves no hole",
    Effect.gen(function*() {
      yield* faults.failNext(sending, { ...us, code: 400, type: "DATA_INVALID" })
      const error = yield* Effect.flip(OurChat.sendText(chat.ours, "refused"))
      yield* equal(error._tag, "DataInvalid", "error")
      yield* talk("after the refusal")
      yield* ensure(!TdChat.texts(chat.td).includes("refused"), "TDLib shows the refused message")
    })
  )
  yield* check(
    "weather: every message that TDLib has is reported as delivered",
    Effect.gen(function*() {
      const outcomes = yield* OurChat.sendText(chat.ours, "the last one")
      yield* TdChat.receiveText(chat.td, "the last one")
      yield* TdChat.sendText(chat.td, "confirmed")
      yield* OurChat.report(chat.ours, "MessageDelivered", (event) => event.randomId === outcomes[0]!.randomId)
    })
  )
})

/** A misbehaving server between us and TDLib. */
export const weather = scenario("weather", Effect.provide(play, Table.layer("weather")))
