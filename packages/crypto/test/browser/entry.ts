// Runs the conformance cases of WebCrypto where it is loaded: in the page, and in a worker that the page starts.
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Frame from "@effect-mtproto/crypto/Frame"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as WebCrypto from "@effect-mtproto/crypto/WebCrypto"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { cases } from "../../src/internal/conformance.ts"
import * as Kernel from "../../src/internal/kernel.ts"

export interface Outcome {
  readonly where: string
  readonly kernel: string
  readonly passed: number
  readonly failures: ReadonlyArray<string>
  /**
   * The longest time, in milliseconds, for which an exponentiation of Diffie-Hellman kept the event loop busy: the least
   * of several, because a busy machine stops whatever runs.
   */
  readonly longestBlock: number
}

const roundTrip = Effect.map(Crypto, (crypto) => {
  const key = SharedKey.make(crypto, crypto.randomBytes(256))
  const payload = crypto.randomBytes(400)
  const frame = Frame.seal(crypto, { key, fromCreator: true, payload })
  const opened = Frame.open(crypto, { keys: [key], fromCreator: true, frame })
  return Result.isSuccess(opened) && crypto.constantTimeEqual(opened.success.payload, payload)
})

const longestBlock = Effect.flatMap(Crypto, (crypto) =>
  Effect.gen(function*() {
    const prime = new Uint8Array(256).fill(255)
    let longest = 0
    let least = Infinity
    let running = true
    const { port1, port2 } = new MessageChannel()
    let last = performance.now()
    port1.addEventListener("message", () => {
      const now = performance.now()
      longest = Math.max(longest, now - last)
      last = now
      if (running) port2.postMessage(0)
    })
    port1.start()
    port2.postMessage(0)
    // a busy machine takes its time from most of them
    for (let i = 1; i <= 20 || (i <= 200 && least > 1.5); i++) {
      longest = 0
      yield* crypto.modPow(prime.subarray(i), prime, prime)
      least = Math.min(least, longest)
    }
    running = false
    return least
  }))

const run = async (where: string): Promise<Outcome> => {
  const failures: Array<string> = []
  const program = Effect.gen(function*() {
    for (const test of cases) {
      const exit = yield* Effect.exit(test.run)
      if (Exit.isFailure(exit)) failures.push(`${test.name}: ${Cause.pretty(exit.cause)}`)
    }
    if (!(yield* roundTrip)) failures.push("a frame did not come back")
    return yield* longestBlock
  })
  const block = await Effect.runPromise(Effect.provide(program, WebCrypto.layer))
  return {
    where,
    kernel: Kernel.make()?.variant ?? "none",
    passed: cases.length + 1 - failures.length,
    failures,
    longestBlock: block
  }
}

if (typeof document === "undefined") {
  run("worker").then((outcome) => globalThis.postMessage(outcome))
} else {
  Reflect.set(globalThis, "runHere", () => run("page"))
  Reflect.set(globalThis, "runInWorker", (url: string) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(url, { type: "module" })
      worker.addEventListener("message", ({ data }) => resolve(data))
      worker.addEventListener("error", ({ message }) => reject(new Error(message)))
    }))
}
