/**
 * TDLib in a process of its own, which can be killed.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import type * as Td from "tdlib-types"
import * as Child from "./Child.ts"
import * as EventLog from "./EventLog.ts"
import { type Client, type ClientOptions, type Invoke, Tdlib, TdlibError } from "./Tdlib.ts"
import type { Command, Report } from "./tdProcessMain.ts"

/** A client like any other, and its end. */
export interface TdProcess extends Client {
  /** SIGKILL, awaited. */
  readonly kill: Effect.Effect<void>
}

/** Starts the process, waits until it is logged in; kills it when the scope ends. */
export const start = (
  options: ClientOptions
): Effect.Effect<TdProcess, EventLog.EventMissing, Scope.Scope | Tdlib> =>
  Effect.gen(function*() {
    const { library } = yield* Tdlib
    const reports = EventLog.make<Report>(`process ${options.name}`, (report) => report.tag)
    const updates = EventLog.make<Td.Update>(options.name, (update) => update._)
    const child = yield* Child.start("tdProcessMain.ts")
    child.on("message", (message) => {
      const report = message as Report
      if (report.tag === "update") updates.push(report.update as Td.Update)
      else reports.push(report)
    })
    const tell = (command: Command) => Child.tell(child, command)
    yield* tell({ tag: "start", options, library })
    const { userId } = yield* reports.waitFor("start", (report) => report.tag === "started" ? report : undefined, {
      within: "20 seconds"
    })

    let calls = 0
    const invoke = ((query: { readonly _: string }) =>
      Effect.gen(function*() {
        const call = ++calls
        yield* tell({ tag: "invoke", call, query })
        const report = yield* reports.waitFor(
          `answer to ${query._}`,
          (report) => report.tag === "answer" && report.call === call ? report : undefined
        ).pipe(Effect.mapError(({ message }) => new TdlibError({ method: query._, code: 0, message })))
        if (report.error !== undefined) return yield* new TdlibError({ method: query._, ...report.error })
        return report.value
      })) as Invoke

    return {
      name: options.name,
      userId,
      filesDirectory: join(options.directory, "files"),
      invoke,
      updates,
      kill: Child.kill(child)
    }
  })
