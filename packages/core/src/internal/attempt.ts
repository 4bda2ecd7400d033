/** Functions that throw `TlError` -> results and Schema issues. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as SchemaIssue from "effect/SchemaIssue"
import { isTlError, type TlError } from "../TlError.ts"

export const attempt = <A>(run: () => A): Result.Result<A, TlError> => {
  try {
    return Result.succeed(run())
  } catch (e) {
    if (isTlError(e)) return Result.fail(e)
    throw e
  }
}

// The issue does not hold the input: it may be a secret, and issues are printed.
export const toIssue = <A>(run: () => A): Effect.Effect<A, SchemaIssue.Issue> =>
  Effect.suspend(() => {
    const result = attempt(run)
    return Result.isSuccess(result)
      ? Effect.succeed(result.success)
      : Effect.fail(new SchemaIssue.InvalidValue({ message: result.failure.message }))
  })
