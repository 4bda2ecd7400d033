/** Starting the thread of a script. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads"
import { prelude } from "./prelude.ts"
import type { Answer, Limits, Order, Report } from "./protocol.ts"

let compiled: WebAssembly.Module | undefined

/** Lua itself, compiled once for all threads. */
const module = (): WebAssembly.Module => {
  if (compiled === undefined) {
    const path = createRequire(import.meta.url).resolve("wasmoon/dist/glue.wasm")
    compiled = new WebAssembly.Module(readFileSync(path))
  }
  return compiled
}

export interface Thread {
  /** Tells the script something. */
  readonly tell: (message: Order | Answer) => void
  /** What comes from the thread, one listener at a time; a reason when the thread is gone. */
  readonly listen: (listener: (report: Report | { readonly tag: "gone"; readonly why: string }) => void) => void
  readonly end: () => Promise<void>
  /** Where the script was last seen; 0 if that is not known. */
  readonly line: () => number
}

export const start = (options: {
  readonly limits: Limits
  readonly methods: ReadonlyArray<string>
  readonly functions: ReadonlyArray<string>
  readonly strict: boolean
}): Thread => {
  const shared = new Int32Array(new SharedArrayBuffer(8))
  const { port1, port2 } = new MessageChannel()
  const port: MessagePort = port1
  // Beside the source lies the source, beside what was built what was built.
  const file = import.meta.url.endsWith(".ts") ? "./thread.ts" : "./thread.js"
  const worker = new Worker(new URL(file, import.meta.url), {
    workerData: { module: module(), port: port2, shared, prelude, ...options },
    transferList: [port2],
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 }
  })
  const waiting: Array<Report | { readonly tag: "gone"; readonly why: string }> = []
  let listener: ((report: Report | { readonly tag: "gone"; readonly why: string }) => void) | undefined
  const hear = (report: Report | { readonly tag: "gone"; readonly why: string }) => {
    if (listener === undefined) {
      waiting.push(report)
      return
    }
    const to = listener
    listener = undefined
    to(report)
  }
  let why = "it has ended"
  port.on("message", hear)
  worker.on("error", (error: unknown) => {
    why = error instanceof Error ? error.message : String(error)
  })
  worker.on("exit", () => {
    // Its last words may still be on their way.
    for (let rest = receiveMessageOnPort(port); rest !== undefined; rest = receiveMessageOnPort(port)) {
      hear(rest.message as Report)
    }
    port.close()
    hear({ tag: "gone", why })
  })
  return {
    tell: (message) => {
      port.postMessage(message)
      Atomics.add(shared, 0, 1)
      Atomics.notify(shared, 0)
    },
    listen: (next) => {
      const report = waiting.shift()
      if (report === undefined) listener = next
      else next(report)
    },
    end: () => worker.terminate().then(() => undefined),
    line: () => Atomics.load(shared, 1)
  }
}
