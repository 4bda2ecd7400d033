/**
 * Named checks, printed as they end.
 *
 * `check` runs an effect under a time limit and prints `PASS name` or `FAIL name` with the cause. A failed check ends
 * the scenario it belongs to (what follows builds on it), the other scenarios go on. The summary counts every check,
 * and every scenario that did not reach its end counts as one failure more.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { patient } from "./Patience.ts"

/** A check failed; the rest of its scenario is not run. */
export class CheckFailed extends Data.TaggedError("CheckFailed")<{ readonly name: string }> {}

/** What a check found that it should not have. */
export class Unexpected extends Data.TaggedError("Unexpected")<{ readonly message: string }> {}

/** Counts and prints. */
export class Checks extends Context.Service<Checks, {
  readonly passed: (name: string, millis: number) => void
  readonly failed: (name: string, why: string) => void
  readonly counts: () => { readonly passed: number; readonly failed: number }
}>()("@effect-mtproto/interop-tdlib/Checks") {}

const print = (line: string) => process.stdout.write(line + "\n")

/** Checks that print to standard output. */
export const make = (): Checks["Service"] => {
  let passed = 0
  let failed = 0
  const start = performance.now()
  const stamp = () => ((performance.now() - start) / 1000).toFixed(3).padStart(8)
  return {
    passed: (name, millis) => {
      passed++
      print(`${stamp()} PASS ${name} (${Math.round(millis)} ms)`)
    },
    failed: (name, why) => {
      failed++
      print(`${stamp()} FAIL ${name}\n${why.replace(/^/gm, "           ")}`)
    },
    counts: () => ({ passed, failed })
  }
}

/** Fails the check with a text. */
export const fail = (message: string): Effect.Effect<never, Unexpected> => Effect.fail(new Unexpected({ message }))

/** Fails the check unless `condition` holds. */
export const ensure = (condition: boolean, message: string): Effect.Effect<void, Unexpected> =>
  condition ? Effect.void : fail(message)

const show = (value: unknown): string =>
  JSON.stringify(
    value,
    (_, v: unknown) =>
      typeof v === "bigint" ? `${v}n` : v instanceof Uint8Array ? `0x${Buffer.from(v).toString("hex")}` : v
  ) ?? String(value)

/** What is different; of long lists, where they begin to be. */
const difference = (actual: unknown, expected: unknown): string => {
  if (Array.isArray(actual) && Array.isArray(expected) && Math.max(actual.length, expected.length) > 12) {
    const at = expected.findIndex((value, i) => show(value) !== show(actual[i]))
    const from = at === -1 ? expected.length : at
    const part = (list: ReadonlyArray<unknown>) => show(list.slice(Math.max(0, from - 1), from + 4))
    return `${actual.length} and not ${expected.length} long; from ${from} on found ${part(actual)}, expected ${
      part(expected)
    }`
  }
  return `found ${show(actual)}, expected ${show(expected)}`
}

/** Fails the check unless both values print the same. */
export const equal = (actual: unknown, expected: unknown, what = "value"): Effect.Effect<void, Unexpected> =>
  show(actual) === show(expected) ? Effect.void : fail(`${what}: ${difference(actual, expected)}`)

/**
 * Tries until it succeeds: for what comes true a little later than what was waited for. Fails as the last attempt has failed,
 * when `limit` is over.
 */
export const eventually = <A, E, R>(
  attempt: Effect.Effect<A, E, R>,
  limit: Duration.Input = "10 seconds"
): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const end = (yield* Clock.currentTimeMillis) + Duration.toMillis(patient(limit))
    while (true) {
      const result = yield* Effect.result(attempt)
      if (Result.isSuccess(result)) return result.success
      if ((yield* Clock.currentTimeMillis) > end) return yield* Effect.fail(result.failure)
      yield* Effect.sleep("20 millis")
    }
  })

/** Runs one named check; `limit` is what it may take on a quiet machine. */
export const check = <A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R>,
  limit: Duration.Input = "15 seconds"
): Effect.Effect<A, CheckFailed, R | Checks> =>
  Effect.gen(function*() {
    const checks = yield* Checks
    const start = yield* Clock.currentTimeMillis
    const exit = yield* Effect.exit(Effect.timeout(effect, patient(limit)))
    if (Exit.isSuccess(exit)) {
      checks.passed(name, (yield* Clock.currentTimeMillis) - start)
      return exit.value
    }
    if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
    checks.failed(name, Cause.pretty(exit.cause))
    return yield* new CheckFailed({ name })
  })

/** Runs the checks of one scenario; never fails. */
export const scenario = <E, R>(
  name: string,
  effect: Effect.Effect<void, E, R>
): Effect.Effect<void, never, R | Checks> =>
  Effect.gen(function*() {
    const checks = yield* Checks
    const exit = yield* Effect.exit(effect)
    if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return
    const failed = exit.cause.reasons.filter(Cause.isFailReason).map((reason) => reason.error)
    checks.failed(
      `${name}: the rest of the scenario`,
      failed.some((error) => error instanceof CheckFailed)
        ? "not run, a check before it failed"
        : Cause.pretty(exit.cause)
    )
  })
