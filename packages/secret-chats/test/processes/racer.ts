/**
 * A program that advances one chat of a store as often as it can, until the chat has the wanted version: loads it, and
 * commits from the version it saw. It waits for a line on its input before it begins, and prints what came of it.
 *
 * Argument: a JSON object with the name of the program, the chat, the version, and a file or the URL of a PostgreSQL.
 */
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as SqlVault from "@effect-mtproto/transport/SqlVault"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { once } from "node:events"
import { layerSealedSql, SecretChatStore } from "../../src/SecretChatStore.ts"

const { chatId, filename, name, until, url } = JSON.parse(process.argv[2]!) as {
  readonly name: string
  readonly chatId: number
  readonly until: number
  readonly filename?: string
  readonly url?: string
}

const client = url === undefined
  ? SqliteClient.layer({ filename: filename! })
  : PgClient.layer({ url: Redacted.make(url) })

const program = Effect.gen(function*() {
  const store = yield* SecretChatStore
  process.stdout.write("ready\n")
  yield* Effect.promise(() => once(process.stdin, "data"))
  const won: Array<number> = []
  let lost = 0
  while (true) {
    const version = Option.match(yield* store.load(chatId), { onNone: () => 0, onSome: (chat) => chat.version })
    if (version >= until) break
    const result = yield* Effect.result(store.commit({
      chatId,
      expected: version,
      chat: { phase: "ready", wakeAt: undefined, head: new TextEncoder().encode(name) },
      changes: [
        { _tag: "PutPending", index: version, data: new TextEncoder().encode(name) },
        { _tag: "AppendEvent", data: new TextEncoder().encode(name) }
      ]
    }))
    if (result._tag === "Success") won.push(result.success.version)
    else if (result.failure.reason === "conflict") lost++
    else return yield* Effect.fail(result.failure)
    // The other one gets its turn at the lock.
    yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, Math.random() * 3)))
  }
  process.stdout.write(`${JSON.stringify({ won, lost })}\n`)
})

await Effect.runPromise(Effect.provide(
  program,
  layerSealedSql().pipe(
    Layer.provide(SqlVault.layer({ key: Redacted.make(new Uint8Array(32)) })),
    Layer.provide(client)
  )
))
process.exit(0)
