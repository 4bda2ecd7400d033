/**
 * A program that sends ten texts, "<name> 0", "<name> 1", …, into a secret chat, two at a time, once it reads a line. It
 * ends when it reads another.
 *
 * Argument: a JSON object with the address of the server, the file with the chats, the file with the
 * sessions, the chat and the name.
 */
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { type Address, layerApart } from "../kill/client.ts"

const { address, chatId, filename, name, sessions } = JSON.parse(process.argv[2]!) as {
  readonly address: Address
  readonly filename: string
  readonly sessions: string
  readonly chatId: number
  readonly name: string
}

const line = Effect.promise(() => once(process.stdin, "data"))

const program = Effect.gen(function*() {
  const chats = yield* SecretChats.SecretChats
  process.stdout.write("ready\n")
  yield* line
  for (let i = 0; i < 10; i += 2) {
    yield* Effect.all([chats.sendText(chatId, `${name} ${i}`), chats.sendText(chatId, `${name} ${i + 1}`)], {
      concurrency: 2
    })
  }
  process.stdout.write("done\n")
  yield* line
})

await Effect.runPromise(Effect.provide(program, layerApart(address, filename, sessions)))
process.exit(0)
