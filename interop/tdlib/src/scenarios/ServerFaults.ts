/**
 * TDLib talks to TDLib over a server that misbehaves: judges how the server breaks things, and how it recovers.
 */
import * as Effect from "effect/Effect"
import { check, ensure, equal, scenario } from "../Checks.ts"
import * as TdChat from "../TdChat.ts"
import * as TdPair from "../TdPair.ts"
import { World } from "../World.ts"

const play = Effect.gen(function*() {
  const { server } = yield* World
  const { accountOne, accountTwo, one, two } = yield* check(
    "faults: a chat between two TDLibs",
    TdPair.make("faults"),
    "30 seconds"
  )
  const { faults } = server
  /** Other scenarios use the same server. */
  const ofOne = { account: accountOne.phone }

  /** Three messages there and one back, in order, whatever happens on the way. */
  const talk = Effect.fnUntraced(function*(word: string) {
    const since = two.client.updates.mark()
    const words = [1, 2, 3].map((n) => `${word} ${n}`)
    yield* Effect.forEach(words, (text) => TdChat.submit(one, TdChat.text(text)))
    yield* TdChat.receiveText(two, words.at(-1)!)
    yield* equal(TdChat.texts(two, since), words, "texts")
    yield* TdChat.submit(two, TdChat.text(`${word} back`))
    yield* TdChat.receiveText(one, `${word} back`)
  })

  yield* check(
    "faults: the configuration is asked for a few times only",
    Effect.gen(function*() {
      const count = yield* server.callCount("help.getConfig")
      yield* ensure(count < 30, `help.getConfig was called ${count} times`)
    })
  )
  yield* check(
    "faults: all connections break",
    Effect.andThen(
      Effect.andThen(faults.dropConnections(accountOne.phone), faults.dropConnections(accountTwo.phone)),
      talk("broken")
    ),
    "20 seconds"
  )
  yield* check(
    "faults: the connection breaks before a message is taken",
    Effect.andThen(faults.disconnectOn("messages.sendEncrypted", "before", ofOne), talk("before")),
    "20 seconds"
  )
  yield* check(
    "faults: the connection breaks after a message is taken",
    Effect.andThen(faults.disconnectOn("messages.sendEncrypted", "after", ofOne), talk("after")),
    "20 seconds"
  )
  yield* check(
    "faults: an answer comes twice",
    Effect.andThen(faults.duplicateAnswer("messages.sendEncrypted", ofOne), talk("double"))
  )
  yield* check(
    "faults: an answer is announced and asked for",
    Effect.andThen(faults.announceAnswer("messages.sendEncrypted", ofOne), talk("announced")),
    "20 seconds"
  )
  yield* check(
    "faults: an answer is late",
    Effect.andThen(faults.delayNext("messages.sendEncrypted", "1500 millis", ofOne), talk("late"))
  )
  yield* check("faults: the salt is refused", Effect.andThen(faults.badServerSalt(ofOne), talk("salt")))
  yield* check(
    "faults: the sequence number is refused",
    Effect.andThen(faults.badMessage(32, ofOne), talk("sequence")),
    "20 seconds"
  )
  yield* check(
    "faults: sessions are forgotten",
    Effect.andThen(faults.forgetSessions(accountTwo.phone), talk("session")),
    "20 seconds"
  )
  yield* check(
    "faults: updates are not pushed, the difference has them",
    Effect.gen(function*() {
      yield* faults.dropUpdates(accountTwo.phone, 2)
      yield* talk("not pushed")
    }),
    "20 seconds"
  )
  yield* check(
    "faults: updatesTooLong in place of updates",
    Effect.gen(function*() {
      yield* faults.dropUpdates(accountTwo.phone, 3)
      yield* Effect.forEach([1, 2, 3], (n) => TdChat.sendText(one, `too long ${n}`))
      yield* faults.updatesTooLong(accountTwo.phone)
      yield* TdChat.receiveText(two, "too long 3")
    })
  )
  yield* check(
    "faults: the difference comes in slices",
    Effect.gen(function*() {
      const words = Array.from({ length: 10 }, (_, i) => `slice ${i + 1}`)
      yield* faults.differenceLimit(3)
      yield* faults.dropUpdates(accountTwo.phone, words.length)
      const since = two.client.updates.mark()
      yield* Effect.forEach(words, (word) => TdChat.sendText(one, word))
      yield* faults.updatesTooLong(accountTwo.phone)
      yield* TdChat.receiveText(two, words.at(-1)!)
      yield* equal(TdChat.texts(two, since), words, "texts")
    }).pipe(Effect.ensuring(faults.differenceLimit(undefined)))
  )
  yield* check(
    "faults: a message is refused for a while (FLOOD_WAIT_1)",
    Effect.andThen(
      faults.failNext("messages.sendEncrypted", { ...ofOne, code: 420, type: "FLOOD_WAIT_1" }),
      talk("flood")
    )
  )
  yield* check(
    "faults: a message meets an internal error",
    Effect.andThen(
      faults.failNext("messages.sendEncrypted", { ...ofOne, code: 500, type: "INTERNAL_SERVER_ERROR" }),
      talk("internal")
    ),
    "20 seconds"
  )
  yield* check(
    "faults: everything is compressed",
    Effect.andThen(faults.gzip("always"), talk("gzip")).pipe(Effect.ensuring(faults.gzip("auto")))
  )
  yield* check(
    "faults: no containers",
    Effect.andThen(faults.containers(false), talk("single")).pipe(Effect.ensuring(faults.containers(true)))
  )
  yield* check(
    "faults: a message that is refused for good leaves no hole",
    Effect.gen(function*() {
      yield* faults.failNext("messages.sendEncrypted", { ...ofOne, code: 400, type: "DATA_INVALID" })
      const message = yield* TdChat.submit(one, TdChat.text("refused"))
      const error = yield* Effect.flip(TdChat.sent(one, message))
      yield* ensure(error.message.includes("DATA_INVALID"), error.message)
      yield* talk("after the refusal")
    })
  )
})

/** TDLib <-> TDLib over a misbehaving server. */
export const serverFaults = scenario("faults", Effect.scoped(play))
