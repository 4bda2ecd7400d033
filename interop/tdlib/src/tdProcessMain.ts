/**
 * TDLib as a process: started by `TdProcess`, told what to do and reporting over the channel to its parent.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Tdlib from "./Tdlib.ts"

/** What the parent may say; `start` comes first, and once. */
export type Command =
  | { readonly tag: "start"; readonly options: Tdlib.ClientOptions; readonly library: string }
  | { readonly tag: "invoke"; readonly call: number; readonly query: { readonly _: string } }

/** What the parent is told. */
export type Report =
  | { readonly tag: "started"; readonly userId: number }
  | { readonly tag: "update"; readonly update: unknown }
  | {
    readonly tag: "answer"
    readonly call: number
    readonly value?: unknown
    readonly error?: { readonly code: number; readonly message: string }
  }

const tell = (report: Report): void => void process.send!(report)

const die = (): never => {
  process.kill(process.pid, "SIGKILL")
  throw new Error("killed")
}
process.on("disconnect", die)

const serve = (options: Tdlib.ClientOptions) =>
  Effect.gen(function*() {
    const { client } = yield* Tdlib.Tdlib
    const { invoke, updates, userId } = yield* client(options)
    yield* Effect.sync(() => {
      process.on("message", (message) => {
        const command = message as Command
        if (command.tag !== "invoke") return
        const { call, query } = command
        // the parent has checked the query against its method
        const answer = (invoke as (query: { readonly _: string }) => Effect.Effect<unknown, Tdlib.TdlibError>)(query)
        void Effect.runPromise(Effect.match(answer, {
          onFailure: ({ code, message }) => tell({ tag: "answer", call, error: { code, message } }),
          onSuccess: (value) => tell({ tag: "answer", call, value })
        }))
      })
    })
    // all that there was and will be: nothing is ever found in it
    yield* Effect.forkChild(updates.waitFor("end", (update): true | undefined => {
      tell({ tag: "update", update })
      return undefined
    }, { within: "1 hour" }))
    tell({ tag: "started", userId })
    return yield* Effect.never
  })

process.once("message", (message) => {
  const command = message as Command
  if (command.tag !== "start") return die()
  const program = serve(command.options).pipe(Effect.scoped, Effect.provide(Tdlib.layer(command.library)))
  void Effect.runPromise(Effect.tapCause(program, (cause) => Effect.logError(Cause.pretty(cause)))).catch(die)
})
