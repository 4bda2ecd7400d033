/**
 * One of two programs that talk without end and are killed from outside, at any moment: see `scripts/kill.ts`.
 *
 * It sends the texts `<name> 0`, `<name> 1`, … and goes on where the run before it stopped: the history says what was
 * committed. Told to finish, it says one thing more, waits for the last word of the other side, and prints the texts of both
 * as the history has them; and stays, for the other side may still ask for something.
 *
 * Argument: a JSON object with the address of the server, the file, the chat, the name, and whether to finish.
 */
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as Effect from "effect/Effect"
import { type Address, layer } from "./client.ts"

export interface Argument {
  readonly address: Address
  readonly filename: string
  readonly chatId: number
  readonly name: string
  readonly finish: boolean
}

/** What a program that has finished prints, behind `talking`. */
export interface Transcript {
  readonly outgoing: ReadonlyArray<string>
  readonly incoming: ReadonlyArray<string>
  readonly state: string
}

const lastWord = "the last word"
const burst = 4

const { address, chatId, filename, finish, name } = JSON.parse(process.argv[2]!) as Argument

const history = Effect.gen(function*() {
  const chats = yield* SecretChats.SecretChats
  const texts = { outgoing: [] as Array<string>, incoming: [] as Array<string> }
  let after: number | undefined
  while (true) {
    const page = yield* chats.messages(chatId, { order: "oldest-first", limit: 1000, after })
    for (const { message, outgoing } of page) texts[outgoing ? "outgoing" : "incoming"].push(message.message)
    const last = page.at(-1)
    if (last === undefined) return texts
    after = last.position
  }
})

const program = Effect.gen(function*() {
  const chats = yield* SecretChats.SecretChats
  yield* Effect.forkScoped(chats.runEvents(() => Effect.void))
  let next = (yield* history).outgoing.length
  process.stdout.write("talking\n")
  while (!finish) {
    const texts = Array.from({ length: burst }, (_, i) => `${name} ${next + i}`)
    yield* Effect.forEach(texts, (text) => chats.sendText(chatId, text), { concurrency: "unbounded", discard: true })
    next += texts.length
  }
  yield* chats.sendText(chatId, lastWord)
  let found = yield* history
  while (found.incoming.at(-1) !== lastWord) {
    yield* Effect.sleep("50 millis")
    found = yield* history
  }
  const { state } = yield* chats.get(chatId)
  process.stdout.write(`${JSON.stringify({ ...found, state } satisfies Transcript)}\n`)
  return yield* Effect.never
}).pipe(Effect.scoped)

await Effect.runPromise(Effect.provide(program, layer(address, filename)))
