/**
 * A secret chat between two fresh TDLib clients.
 */
import * as Effect from "effect/Effect"
import * as TdChat from "./TdChat.ts"
import { Tdlib } from "./Tdlib.ts"
import { World } from "./World.ts"

/** Two clients log in to new accounts and open a chat; `one` is the creator's view of it, `two` the acceptor's. */
export const make = Effect.fnUntraced(function*(purpose: string) {
  const world = yield* World
  const tdlib = yield* Tdlib
  const [accountOne, accountTwo] = yield* Effect.all([world.account("One"), world.account("Two")])
  const clientOne = yield* Effect.flatMap(world.tdlib(`${purpose}-one`, accountOne), tdlib.client)
  const clientTwo = yield* Effect.flatMap(world.tdlib(`${purpose}-two`, accountTwo), tdlib.client)
  const one = yield* TdChat.request(clientOne, accountTwo.phone)
  const two = yield* TdChat.incoming(clientTwo, one.secretChatId)
  yield* TdChat.ready(clientTwo, one.secretChatId)
  yield* TdChat.ready(clientOne, one.secretChatId)
  return { accountOne, accountTwo, one, two }
})
