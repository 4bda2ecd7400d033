/**
 * A program that sends the texts "0", "1", "2", … into a secret chat, several at a time, and goes on where the run before
 * it stopped: the history says what was committed.
 *
 * It kills itself, without warning, at the point that `KILL_AT` names:
 *
 * - `start`: when everything is loaded
 * - `before-commit:n`, `after-commit:n`: around the n-th commit of this run
 * - `before-call:n`, `after-call:n`: around the n-th call that sends something
 * - `never`
 *
 * Argument: a JSON object with the address of the server, the file, the chat, and how many texts there are.
 */
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as Effect from "effect/Effect"
import { type Address, layer } from "./client.ts"

const { address, chatId, count, filename } = JSON.parse(process.argv[2]!) as {
  readonly address: Address
  readonly filename: string
  readonly chatId: number
  readonly count: number
}
const [point, nth] = (process.env["KILL_AT"] ?? "never").split(":")
const burst = 4

const die = (): void => {
  process.kill(process.pid, "SIGKILL")
  // The signal takes the process away before this loop has gone far.
  while (true);
}

/** Only what this program sends counts, not what loading does. */
let armed = false
const counted = (what: string) => {
  const seen = { before: 0, after: 0 }
  return (when: "before" | "after"): void => {
    if (armed && point === `${when}-${what}` && ++seen[when] === Number(nth)) die()
  }
}

const program = Effect.gen(function*() {
  const chats = yield* SecretChats.SecretChats
  if (point === "start") die()
  const newest = (yield* chats.messages(chatId, { limit: 1 }))[0]
  let next = newest === undefined ? 0 : Number(newest.message.message) + 1
  armed = true
  process.stdout.write("sending\n")
  while (next < count) {
    const texts = Array.from({ length: Math.min(burst, count - next) }, (_, i) => String(next + i))
    yield* Effect.forEach(texts, (text) => chats.sendText(chatId, text), { concurrency: "unbounded", discard: true })
    next += texts.length
  }
  // What a run before left unsent is sent in the background; the program must not end before it.
  yield* chats.noop(chatId)
  process.stdout.write("done\n")
})

await Effect.runPromise(
  Effect.provide(program, layer(address, filename, {}, { commit: counted("commit"), call: counted("call") }))
)
