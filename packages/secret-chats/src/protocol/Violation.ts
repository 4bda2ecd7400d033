/**
 * Rules that a correct peer never breaks. Breaking one closes the chat: the
 * frame was authentic, so it is the peer's software that is wrong, or hostile,
 * and nothing that follows can be trusted to be complete.
 *
 * What is not authentic (a frame under an unknown key, a wrong message key, a bad
 * padding) breaks no rule: it is dropped and changes nothing. TDLib closes the
 * chat at a wrong message key; then whoever can alter one byte on the way can end
 * a chat. Dropping leaves a hole, and a hole is healed by Resend.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * The rule that was broken.
 *
 * - `wrapper`: an authentic frame does not hold a readable
 *   `decryptedMessageLayer`, so its number is not known (TDLib closes too)
 * - `random-bytes`: fewer than 15 random bytes in the wrapper
 *   (core.telegram.org/api/end-to-end; TDLib does not look)
 * - `in-seq-negative`, `parity`: impossible sequence numbers
 *   (core.telegram.org/api/end-to-end/seq_no)
 * - `in-seq-fell`: the peer takes back an acknowledgement
 * - `in-seq-ahead`: the peer acknowledges what was never sent
 * - `layer-fell`: a wrapper's layer is below that of the one before it (TDLib)
 * - `resend-parity`, `resend-range`, `resend-forgotten`: a request to send again
 *   that is malformed, too wide, or names what the peer has acknowledged or what
 *   was never sent (TDLib)
 * - `rekey-request`, `rekey-accept`, `rekey-commit`, `rekey-abort`: a step of a
 *   key exchange that its state does not admit (core.telegram.org/api/end-to-end/pfs)
 * - `rekey-fingerprint`: the two sides computed different keys
 * - `rekey-public-value`: an answer with a public value that is out of range, our
 *   own, or known from another chat
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
