/**
 * What every client is judged with: named checks, and a server that it talks to.
 *
 * A check is a function under a time limit; it prints `PASS name` or `FAIL name` with the cause. Nothing waits for time
 * to pass: what is waited for is an answer, an update, or a call that the server has seen.
 */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Scope from "effect/Scope"
import { availableParallelism, loadavg } from "node:os"

type Server = TestServer.TestServer["Service"]

/** Limits are for a quiet machine; on a busy one everything takes longer. */
const patience = (): number => Math.min(4, Math.max(1, (loadavg()[0] ?? 0) / availableParallelism()))

/** An account of the server. */
export interface Account {
  readonly id: bigint
  readonly phone: string
  readonly code: string
}

/** A client's server and its checks. */
export interface Judge {
  readonly name: string
  readonly server: Server
  readonly crypto: Crypto["Service"]
  /** Runs one named check. What follows a failed one builds on it, so it ends the client's run. */
  readonly check: <A>(name: string, run: () => Promise<A>, seconds?: number) => Promise<A>
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
  /** Runs something that is closed when the client's run ends. */
  readonly open: <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Promise<A>
  /** A fresh account. */
  readonly account: (options?: Partial<TestServer.AccountOptions>) => Promise<Account>
  /** Waits until an account has called a method. */
  readonly called: (account: Account, method: string) => Promise<void>
  /** Something to do when the run ends, whether it failed or not. */
  readonly atEnd: (run: () => unknown) => void
}

/** Counts of all clients. */
export const counts = { passed: 0, failed: 0, skipped: 0 }

const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const start = performance.now()
const stamp = (): string => ((performance.now() - start) / 1000).toFixed(2).padStart(7)

/** Ends a client's run: the check that failed has been printed. */
class CheckFailed extends Error {}

const describe = (error: unknown): string => {
  if (error instanceof Error) return error.stack ?? error.message
  return typeof error === "string" ? error : JSON.stringify(error) ?? String(error)
}

/** A promise, given up after some time. */
export const within = async <A>(promise: Promise<A>, seconds: number, what: string): Promise<A> => {
  const late = Promise.withResolvers<never>()
  const millis = seconds * 1000 * patience()
  const timer = setTimeout(() => late.reject(new Error(`${what}: not within ${Math.round(millis / 1000)} s`)), millis)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Fails the check unless both are the same. */
export const equal = (actual: unknown, expected: unknown, what: string): void => {
  const show = (value: unknown): string =>
    JSON.stringify(value, (_, part: unknown) => typeof part === "bigint" ? `${part}n` : part) ?? String(value)
  if (show(actual) !== show(expected)) throw new Error(`${what}: found ${show(actual)}, expected ${show(expected)}`)
}

/** Fails the check unless bytes are the same. */
export const sameBytes = (actual: Uint8Array, expected: Uint8Array, what: string): void => {
  if (Buffer.compare(actual, expected) !== 0) {
    throw new Error(`${what}: ${actual.length} bytes, not the ${expected.length} that were expected`)
  }
}

/** Bytes that are easy to tell from others. */
export const sample = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed) & 255)

/** Events that are kept until somebody asks for them. */
export const inbox = <A>() => {
  const events: Array<A> = []
  const waiters = new Set<() => void>()
  return {
    push: (event: A): void => {
      events.push(event)
      for (const wake of waiters) wake()
    },
    events,
    /** The first event that fits; waits for it, at most so many seconds. */
    find: (what: string, matches: (event: A) => boolean, seconds = 20): Promise<A> => {
      const found = events.find(matches)
      if (found !== undefined) return Promise.resolve(found)
      const { promise, resolve } = Promise.withResolvers<A>()
      const wake = (): void => {
        const event = events.find(matches)
        if (event !== undefined) resolve(event)
      }
      waiters.add(wake)
      return within(promise, seconds, what).finally(() => waiters.delete(wake))
    }
  }
}

let phones = 0

/** How a client is judged. */
export interface Judgement {
  readonly name: string
  readonly server: TestServer.Options
  readonly run: (judge: Judge) => Promise<void>
}

/** Judges one client on a server of its own. Never fails. */
export const judge = async ({ name, run, server: options }: Judgement): Promise<void> => {
  const runtime = ManagedRuntime.make(Layer.merge(TestServer.layer(options), NodeCrypto.layer))
  const scope = Scope.makeUnsafe()
  const endings: Array<() => unknown> = [() => Effect.runPromise(Scope.close(scope, Exit.void))]
  try {
    const server = await runtime.runPromise(Effect.service(TestServer.TestServer))
    const crypto = await runtime.runPromise(Effect.service(Crypto))
    const account: Judge["account"] = (more) =>
      runtime.runPromise(Effect.gen(function*() {
        const phone = more?.phone ?? `99966${10_000 + ++phones}`
        const { id } = yield* server.createAccount({ firstName: `${name} ${phones}`, ...more, phone })
        return { id, phone, code: yield* server.loginCode(phone) }
      }))
    await run({
      name,
      server,
      crypto,
      account,
      called: async ({ phone }, method) => {
        for (;;) {
          const calls = await runtime.runPromise(server.calls(method))
          if (calls.some((call) => call.phone === phone)) return
          await runtime.runPromise(server.awaitCalls(method, calls.length + 1))
        }
      },
      atEnd: (ending) => {
        endings.unshift(ending)
      },
      run: (effect) => runtime.runPromise(effect),
      open: (effect) => runtime.runPromise(Scope.provide(effect, scope)),
      check: async (what, body, seconds = 20) => {
        const began = performance.now()
        try {
          const result = await within(body(), seconds, "the check")
          counts.passed++
          print(`${stamp()} PASS ${name}: ${what} (${Math.round(performance.now() - began)} ms)`)
          return result
        } catch (error) {
          counts.failed++
          print(`${stamp()} FAIL ${name}: ${what}\n${describe(error).replace(/^/gm, "          ")}`)
          throw new CheckFailed()
        }
      }
    })
  } catch (error) {
    if (!(error instanceof CheckFailed)) {
      counts.failed++
      print(`${stamp()} FAIL ${name}: the whole run\n${describe(error).replace(/^/gm, "          ")}`)
    } else print(`        ${name}: the rest was not run`)
  }
  for (const ending of endings) {
    await within(Promise.resolve().then(ending), 5, "closing").catch((error: unknown) =>
      print(`        ${name}: closing failed: ${describe(error)}`)
    )
  }
  await runtime.dispose()
}
