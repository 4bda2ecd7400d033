/**
 * Two devices of our account: one takes the chat, the other is told.
 */
import * as Effect from "effect/Effect"
import { check, ensure, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Peer from "../Peer.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"
import { World } from "../World.ts"

const play = Effect.gen(function*() {
  const world = yield* World
  const { accounts, ours: phone, tdlib } = yield* Table.Table
  const tablet = yield* check(
    "devices: a second device logs in",
    Peer.make(world.ours("devices-tablet", accounts.ours))
  )
  const td = yield* check("devices: TDLib asks for a chat", TdChat.request(tdlib, accounts.ours.phone))
  const onPhone = yield* check("devices: the first device is asked", OurChat.requested(phone, td.secretChatId))
  const onTablet = yield* check("devices: the second device is asked", OurChat.requested(tablet, td.secretChatId))
  yield* check("devices: the second device accepts", OurChat.accept(onTablet))
  yield* check(
    "devices: the first device is told that the chat is gone",
    Effect.gen(function*() {
      const { reason } = yield* OurChat.closed(onPhone)
      yield* ensure(reason._tag === "Withdrawn" || reason._tag === "TakenElsewhere", reason._tag)
    })
  )
  yield* check(
    "devices: the chat lives on the second device",
    Effect.gen(function*() {
      yield* TdChat.ready(tdlib, td.secretChatId)
      yield* OurChat.sendText(onTablet, "from the tablet")
      yield* TdChat.receiveText(td, "from the tablet")
      yield* TdChat.sendText(td, "to the tablet")
      yield* OurChat.receiveText(onTablet, "to the tablet")
    })
  )
  yield* check(
    "devices: the first device has no message of it",
    equal(OurChat.texts(onPhone), [], "texts")
  )
  yield* check(
    "devices: both accept at once, one of them gets the chat",
    Effect.gen(function*() {
      const second = yield* TdChat.request(tdlib, accounts.ours.phone)
      const here = yield* OurChat.requested(phone, second.secretChatId)
      const there = yield* OurChat.requested(tablet, second.secretChatId)
      const results = yield* Effect.all([Effect.result(OurChat.accept(here)), Effect.result(OurChat.accept(there))], {
        concurrency: 2
      })
      yield* TdChat.ready(tdlib, second.secretChatId)
      const won = results.map((result) => result._tag === "Success")
      yield* equal(won.filter(Boolean).length, 1, "devices that got the chat")
      const winner = won[0] === true ? here : there
      yield* OurChat.sendText(winner, "I have it")
      yield* TdChat.receiveText(second, "I have it")
      yield* OurChat.closed(won[0] === true ? there : here)
    })
  )
})

/** Several devices of one account. */
export const devices = scenario("devices", Effect.scoped(Effect.provide(play, Table.layer("devices"))))
