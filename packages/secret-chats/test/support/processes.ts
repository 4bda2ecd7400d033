/** Programs that are started at the same time. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { eventually } from "./Peers.ts"

export interface Running {
  readonly out: () => string
  readonly says: (text: string) => Effect.Effect<void>
  readonly tell: () => void
  readonly code: () => number | null
}

/** A program, and all that it has said so far. */
export interface Launched {
  readonly child: ChildProcessWithoutNullStreams
  readonly out: () => string
}

/** Starts a program of this folder's parent. */
export const launch = (program: URL, argument: unknown): Launched => {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", program.pathname, JSON.stringify(argument)],
    { stdio: ["pipe", "pipe", "pipe"] }
  )
  let out = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      out += chunk.toString()
    })
  }
  child.stdin.on("error", () => {})
  return { child, out: () => out }
}

/** Runs such a program; it ends with the scope at the latest. */
export const run = (program: URL, argument: unknown): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { child, out } = launch(program, argument)
      const running: Running = {
        out,
        says: (text) =>
          eventually(() => {
            if (child.exitCode !== null && !out().includes(text)) throw new Error(`ended without "${text}": ${out()}`)
            return out().includes(text)
          }, `"${text}", not ${JSON.stringify(out())}`),
        tell: () => child.stdin.write("go\n"),
        code: () => child.exitCode
      }
      return { child, running }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  ).pipe(Effect.map(({ running }) => running))

const racer = new URL("../processes/racer.ts", import.meta.url)

/** Two processes that race for every version of a chat; answers with the versions that each has won. */
export const race = Effect.fnUntraced(function*(
  place: { readonly filename: string } | { readonly url: string },
  chatId: number,
  until: number
) {
  const racers = yield* Effect.forEach(["one", "two"], (name) => run(racer, { ...place, name, chatId, until }))
  for (const one of racers) yield* one.says("ready\n")
  for (const one of racers) one.tell()
  for (const one of racers) yield* one.says("}\n")
  return racers.map((one) => JSON.parse(one.out().slice("ready\n".length)) as { won: Array<number>; lost: number })
})
