/**
 * What can go wrong with a test server itself, as opposed to what it answers to
 * its clients.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * Why an operation on the server failed.
 *
 * - `Listen`: the address cannot be listened on
 * - `InvalidKey`: the RSA key given is not one that can be used
 * - `InvalidPhone`: not a phone number
 * - `PhoneTaken`, `UsernameTaken`, `TokenTaken`, `IdTaken`: another account has it
 * - `UnknownAccount`: no account has this phone number
 * - `UnknownDc`: the server has no data centre of this number
 * - `Store`: what the server keeps cannot be read or written
 *
 * @since 1.0.0
 * @category models
 */
export const Reason = Schema.Literals([
  "Listen",
  "InvalidKey",
  "InvalidPhone",
  "PhoneTaken",
  "UsernameTaken",
  "TokenTaken",
  "IdTaken",
  "UnknownAccount",
  "UnknownDc",
  "Store"
])

/**
 * @since 1.0.0
 * @category models
 */
export type Reason = typeof Reason.Type

/**
 * The server could not be started, or could not do what it was told.
 *
 * @since 1.0.0
 * @category errors
 */
export class TestServerError extends Schema.TaggedError<TestServerError>()("TestServerError", {
  reason: Reason,
  /** One sentence for a person. */
  detail: Schema.String
}) {
  override get message(): string {
    return `Test server: ${this.detail}`
  }
}
