/**
 * Our side in a process of its own, which can be killed.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Child from "./Child.ts"
import * as EventLog from "./EventLog.ts"
import type { Command, Report } from "./ourProcessMain.ts"
import type { Options } from "./Peer.ts"

/** A running process of ours. */
export interface OurProcess {
  /** Accepts the chat once it is asked for, and waits until it is ready. */
  readonly accept: (chatId: number) => Effect.Effect<void, EventLog.EventMissing>
  /** Sends a text and waits until the server has it. */
  readonly send: (chatId: number, text: string) => Effect.Effect<void, EventLog.EventMissing>
  /** Sends texts one after the other, does not wait. */
  readonly sendAll: (chatId: number, texts: ReadonlyArray<string>) => Effect.Effect<void>
  readonly waitForText: (chatId: number, text: string) => Effect.Effect<void, EventLog.EventMissing>
  /** SIGKILL, awaited. */
  readonly kill: Effect.Effect<void>
  /** Texts whose sending was reported as done. */
  readonly acknowledged: () => ReadonlyArray<string>
  /** Texts that were delivered, in order. */
  readonly delivered: (chatId: number) => ReadonlyArray<string>
}

/** Starts the process, waits until it is logged in; kills it when the scope ends. */
export const start = (
  options: Options
): Effect.Effect<OurProcess, EventLog.EventMissing, Scope.Scope> =>
  Effect.gen(function*() {
    const reports = EventLog.make<Report>(`process ${options.name}`, (report) => report.tag)
    const child = yield* Child.start("ourProcessMain.ts")
    child.on("message", (message) => reports.push(message as Report))
    const tell = (command: Command) => Child.tell(child, command)
    yield* tell({ tag: "start", options })
    yield* reports.waitFor("start", (report) => report.tag === "started" ? report : undefined)
    return {
      accept: (chatId) =>
        Effect.andThen(
          tell({ tag: "accept", chatId }),
          reports.waitFor(
            "acceptance",
            (report) => report.tag === "ready" && report.chatId === chatId ? true : undefined
          )
        ).pipe(Effect.asVoid),
      send: (chatId, text) =>
        Effect.andThen(
          tell({ tag: "send", chatId, texts: [text] }),
          reports.waitFor("send result", (report) => report.tag === "sent" && report.text === text ? true : undefined)
        ).pipe(Effect.asVoid),
      sendAll: (chatId, texts) => tell({ tag: "send", chatId, texts }),
      waitForText: (chatId, text) =>
        Effect.asVoid(
          reports.waitFor(
            `text ${JSON.stringify(text)}`,
            (report) => report.tag === "text" && report.chatId === chatId && report.text === text ? true : undefined
          )
        ),
      kill: Child.kill(child),
      acknowledged: () => reports.seen((report) => report.tag === "sent" ? report.text : undefined),
      delivered: (chatId) =>
        reports.seen((report) => report.tag === "text" && report.chatId === chatId ? report.text : undefined)
    }
  })
