/**
 * Judges all clients, at the same time, and ends with `N passed, N failed`.
 *
 * Arguments name the clients to run; without arguments all of them run. `--absent=name=reason` says that one is not
 * there.
 */
import * as Effect from "effect/Effect"
import * as Namespace from "../../tdlib/src/Namespace.ts"
import { gramjs } from "./Gramjs.ts"
import { counts, judge, type Judgement } from "./Judge.ts"
import { mtcute } from "./Mtcute.ts"
import { tdlib } from "./Tdlib.ts"
import { telethon } from "./Telethon.ts"
import { tgSecret } from "./TgSecret.ts"

await Effect.runPromise(Namespace.assertIsolated)

const clients: ReadonlyArray<Judgement> = [mtcute, gramjs, telethon, tdlib, tgSecret]

const absent = new Map(
  process.argv.slice(2).flatMap((argument) => {
    const found = /^--absent=(\w+)=(.*)$/.exec(argument)
    return found === null ? [] : [[found[1]!, found[2]!] as const]
  })
)
const chosen = process.argv.slice(2).filter((argument) => !argument.startsWith("--"))
const unknown = chosen.filter((name) => !clients.some((client) => client.name === name))
if (unknown.length > 0) {
  process.stderr.write(
    `no such client: ${unknown.join(", ")}; there are ${clients.map(({ name }) => name).join(", ")}\n`
  )
  process.exit(2)
}

// a client that breaks in the background is its own affair: its checks say what became of it
process.on("unhandledRejection", (error) => process.stderr.write(`unhandled: ${String(error)}\n`))

await Promise.all(
  clients.filter(({ name }) => chosen.length === 0 || chosen.includes(name)).map((client) => {
    const reason = absent.get(client.name)
    if (reason === undefined) return judge(client)
    process.stdout.write(`SKIPPED ${client.name}: ${reason}\n`)
    return Promise.resolve()
  })
)

process.stdout.write(
  `\n${counts.passed} passed, ${counts.failed} failed\n`,
  () => process.exit(counts.failed === 0 ? 0 : 1)
)
