/**
 * The error of the {@link Crypto} service and of the modules built on it.
 *
 * A failed integrity check is never a `CryptoError`: those are the opaque
 * errors of `Frame`, `Packet` and `RsaPad`, which tell an attacker nothing. A
 * `CryptoError` names a wrong argument, a value that a check refused, or an
 * engine that could not do its work. Its text holds no key and no plaintext.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * Why an operation failed.
 *
 * - `InvalidArgument`: a length or range that the operation does not take
 * - `CheckFailed`: a value from outside that a required check refused
 * - `Exhausted`: the work limit was reached before an answer
 * - `Unavailable`: the engine under the layer could not do it
 *
 * @since 1.0.0
 * @category models
 */
export const Reason = Schema.Literals(["InvalidArgument", "CheckFailed", "Exhausted", "Unavailable"])

/**
 * @since 1.0.0
 * @category models
 */
export type Reason = typeof Reason.Type

/**
 * A cryptographic operation that could not be done.
 *
 * @since 1.0.0
 * @category errors
 */
export class CryptoError extends Schema.TaggedError<CryptoError>()("CryptoError", {
  /** The operation, as `Module.function`. */
  operation: Schema.String,
  reason: Reason,
  /** What was wrong, in words; never key material. */
  description: Schema.String
}) {
  override get message(): string {
    return `${this.operation}: ${this.description}`
  }
}

/** @internal */
export const invalidArgument = (operation: string, description: string): CryptoError =>
  new CryptoError({ operation, reason: "InvalidArgument", description })

/** @internal */
export const checkFailed = (operation: string, description: string): CryptoError =>
  new CryptoError({ operation, reason: "CheckFailed", description })
