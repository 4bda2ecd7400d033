/**
 * Calls of the server about parts of files, and what its errors mean.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { FileError } from "../FileError.ts"
import type * as Errors from "../SecretChatError.ts"
import { SendPolicy } from "../SendPolicy.ts"
import { type InvokeError, isTransportError, judge, saidBy, translate } from "./serverError.ts"

/** @internal */
export type CallError = Errors.ServerError | Errors.TransportError | FileError

const part = /^FILE_PART_(\d{1,9})_MISSING$/

/** The part that the server lacks; 0 if it cannot make anything of what it has. @internal */
export const missingPart = (type: string): number | undefined => {
  const found = part.exec(type)
  if (found !== null) return Number(found[1])
  return type === "FILE_PART_INVALID" || type === "FILE_PART_LENGTH_INVALID" ? 0 : undefined
}

const refusedParts = /^FILE_PARTS?_[A-Z_]+$/
const gone =
  /^(?:FILE_ID_INVALID|LOCATION_INVALID|FILE_REFERENCE_[A-Z]+|FILEREF_UPGRADE_NEEDED|LOCATION_NOT_AVAILABLE)$/
const elsewhere = /^FILE_MIGRATE_(\d{1,9})$/

/** The error of the file that the server's answer stands for, if it is about the file. @internal */
export const fileErrorOf = (
  error: { readonly code: number; readonly type: string },
  index?: number
): FileError | undefined => {
  const { code, type } = error
  const said = { code, type }
  const missing = missingPart(type)
  if (missing !== undefined && index === undefined) {
    return new FileError({ reason: "part-missing", part: missing, ...said })
  }
  if (refusedParts.test(type)) {
    return new FileError({ reason: "part-refused", ...said, ...(index === undefined ? {} : { part: index }) })
  }
  if (gone.test(type)) return new FileError({ reason: "unavailable", ...said })
  const migrate = elsewhere.exec(type)
  return migrate === null ? undefined : new FileError({ reason: "other-datacenter", dc: Number(migrate[1]), ...said })
}

/**
 * Makes a call that may be repeated: once more after a timeout or an error of the server itself, as `SendPolicy` allows.
 *
 * @internal
 */
export const invoke = Effect.fnUntraced(function*<const M extends Api.AnyRequest>(
  request: M,
  options: {
    /** The part that it is about. */
    readonly index?: number | undefined
    /** The data centre that keeps the file. */
    readonly dc?: number | undefined
    /** Nobody else reads these arrays of the request. */
    readonly release?: ReadonlyArray<Uint8Array> | undefined
  } = {}
): Effect.fn.Return<Api.Response<M>, CallError, Transport> {
  const transport = yield* Transport
  const { floodWaitLimit, retries, retryDelay } = yield* SendPolicy
  const { dc, index, release } = options
  for (let attempt = 1;; attempt++) {
    const result = yield* Effect.result(
      transport.invoke(request, { floodWaitLimit, repeatable: true, dc, release }) as Effect.Effect<
        Api.Response<M>,
        InvokeError
      >
    )
    if (Result.isSuccess(result)) return result.success
    const error = result.failure
    const verdict = judge(error)
    const again = isTransportError(error)
      ? error.reason === "timeout" || error.reason === "uncertain"
      : verdict === "transient" || verdict === "wait"
    if (again && attempt <= retries) {
      yield* Effect.sleep(Duration.times(Duration.fromInputUnsafe(retryDelay), 2 ** (attempt - 1)))
      continue
    }
    if (isTransportError(error)) return yield* Effect.fail(translate(error))
    return yield* Effect.fail(fileErrorOf(saidBy(error), index) ?? translate(error))
  }
})
