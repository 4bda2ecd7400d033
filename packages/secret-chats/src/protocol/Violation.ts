/**
 * Rules that a correct peer never breaks. Breaking one closes the chat.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * The rule that was broken.
 *
 * - `wrapper`: an authenticated frame does not hold a readable
 *   `decryptedMessageLayer` (TDLib closes too)
 * - `random-bytes`: fewer than 15 random bytes in the wrapper
 *   (core.telegram.org/api/end-to-end)
 * - `in-seq-negative`, `parity`: impossible sequence numbers
 *   (core.telegram.org/api/end-to-end/seq_no)
 * - `in-seq-fell`: the peer takes back an acknowledgement
 * - `in-seq-ahead`: the peer acknowledges what was never sent
 * - `layer-fell`: the wrapper's layer fell (TDLib: SecretChatActor)
 * - `resend-parity`, `resend-range`, `resend-forgotten`: a request to send again
 *   that makes no sense, is wider than 1000, or names what the peer has
 *   acknowledged or was never sent
 * - `rekey-request`, `rekey-accept`, `rekey-commit`, `rekey-abort`: a step of a
 *   key exchange that does not belong to the state of the exchange
 *   (core.telegram.org/api/end-to-end/pfs)
 * - `rekey-fingerprint`: both sides computed different keys
 * - `rekey-public-value`: a public value that no honest peer sends
 *
 * @since 1.0.0
 * @category models
 */
export const Rule = Schema.Literals([
  "wrapper",
  "random-bytes",
  "in-seq-negative",
  "parity",
  "in-seq-fell",
  "in-seq-ahead",
  "layer-fell",
  "resend-parity",
  "resend-range",
  "resend-forgotten",
  "rekey-request",
  "rekey-accept",
  "rekey-commit",
  "rekey-abort",
  "rekey-fingerprint",
  "rekey-public-value"
])

/**
 * @since 1.0.0
 * @category models
 */
export type Rule = typeof Rule.Type
