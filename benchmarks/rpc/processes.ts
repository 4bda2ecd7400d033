/** Starting the processes of a comparison, and ending them. */
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import type { Address, Settings } from "./server.ts"

/** A process that answers one message after the other. */
export interface Peer {
  readonly child: ChildProcess
  /** The next message that it sends; fails when it ends before that. */
  readonly next: <A>() => Promise<A>
  readonly ask: <A>(message: unknown) => Promise<A>
  readonly stop: () => Promise<void>
}

/** Starts a program of ours with one JSON argument. */
export const start = (path: string, argument: unknown, execArgv: ReadonlyArray<string> = []): Peer => {
  const child = fork(path, [JSON.stringify(argument)], {
    execArgv: [...execArgv],
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  const messages: Array<unknown> = []
  const waiting: Array<{ readonly resolve: (value: any) => void; readonly reject: (error: Error) => void }> = []
  const failure = () => new Error(`${path} ended with ${child.exitCode ?? child.signalCode}`)
  child.on("message", (message) => {
    const first = waiting.shift()
    if (first === undefined) messages.push(message)
    else first.resolve(message)
  })
  child.on("exit", () => {
    for (const { reject } of waiting.splice(0)) reject(failure())
  })
  const next = <A>(): Promise<A> =>
    new Promise((resolve, reject) => {
      if (messages.length > 0) resolve(messages.shift() as A)
      else if (child.exitCode !== null || child.signalCode !== null) reject(failure())
      else waiting.push({ resolve, reject })
    })
  return {
    child,
    next,
    ask: (message) => {
      const answer = next<any>()
      child.send(message as object)
      return answer
    },
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve()
        child.once("exit", () => resolve())
        child.kill()
      })
  }
}

/** Starts the server and waits until it listens. */
export const startServer = async (
  settings: Settings
): Promise<{ readonly address: Address; readonly process: Peer }> => {
  const process = start(join(import.meta.dirname, "server.ts"), settings)
  return { address: await process.next<Address>(), process }
}
