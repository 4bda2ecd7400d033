/**
 * Sequence numbers (core.telegram.org/api/end-to-end/seq_no).
 *
 * Both sides number their own messages 0, 1, 2, ... (raw numbers). On the wire a
 * raw number is doubled, and its lowest bit says who counts: with `x` = 0 for
 * the creator of the chat and 1 for the acceptor, whoever sends writes
 *
 * ```
 * in_seq_no  = 2 * (messages of the other side processed) + x
 * out_seq_no = 2 * (own messages before this one)         + 1 - x
 * ```
 *
 * so that `in_seq_no` is at the same time the acknowledgement of everything
 * below it. A number is given when a message is made and never changes, not when
 * it is sent again, and not when its content is replaced.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Rule } from "./Violation.ts"

/**
 * `creator` called `messages.requestEncryption`.
 *
 * @since 1.0.0
 * @category models
 */
export const Role = Schema.Literals(["creator", "acceptor"])

/**
 * @since 1.0.0
 * @category models
 */
export type Role = typeof Role.Type

/**
 * How many messages one side can number, so that twice the number is an int32.
 *
 * @since 1.0.0
 * @category constants
 */
export const CAPACITY = 0x40000000

/**
 * A number of messages.
 *
 * @since 1.0.0
 * @category models
 */
export const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: CAPACITY }))

/**
 * The raw counters of one chat.
 *
 * @since 1.0.0
 * @category models
 */
export const Sequence = Schema.Struct({
  /** Messages of the peer processed in order. */
  myIn: Count,
  /** Messages of ours created. */
  myOut: Count,
  /** Messages of ours the peer has acknowledged. */
  hisIn: Count,
  /** Layer of the last message processed in order. */
  inOrderLayer: Schema.Int
})

/**
 * @since 1.0.0
 * @category models
 */
export interface Sequence extends Schema.Schema.Type<typeof Sequence> {}

/**
 * @since 1.0.0
 * @category constructors
 */
export const initial: Sequence = { myIn: 0, myOut: 0, hisIn: 0, inOrderLayer: 0 }

/**
 * What a message carries on the wire.
 *
 * @since 1.0.0
 * @category models
 */
export interface WireNumbers {
  readonly inSeqNo: number
  readonly outSeqNo: number
}

/**
 * The same as raw numbers: `inIndex` messages of ours are acknowledged,
 * `outIndex` is the number of the message itself.
 *
 * @since 1.0.0
 * @category models
 */
export interface RawNumbers {
  readonly inIndex: number
  readonly outIndex: number
}

/**
 * `x` of the protocol.
 *
 * @since 1.0.0
 * @category numbers
 */
export const x = (role: Role): 0 | 1 => role === "creator" ? 0 : 1

/**
 * Numbers of a message that we make.
 *
 * @since 1.0.0
 * @category numbers
 */
export const toWire = (role: Role, raw: RawNumbers): WireNumbers => ({
  inSeqNo: 2 * raw.inIndex + x(role),
  outSeqNo: 2 * raw.outIndex + (1 - x(role))
})

/**
 * Numbers of a message that the peer made, for us in `role`. Signs and parities
 * are fixed by who the peer is; a wrong one is a violation.
 *
 * A negative `out_seq_no` of the right parity is left to {@link classify}, where
 * it is older than everything (TDLib: the same).
 *
 * @since 1.0.0
 * @category numbers
 */
export const fromWire = (role: Role, wire: WireNumbers): Result.Result<RawNumbers, Rule> => {
  if (wire.inSeqNo < 0) return Result.fail("in-seq-negative")
  if ((wire.inSeqNo & 1) !== 1 - x(role) || (wire.outSeqNo & 1) !== x(role)) return Result.fail("parity")
  return Result.succeed({ inIndex: wire.inSeqNo >> 1, outIndex: wire.outSeqNo >> 1 })
}

/**
 * What to do with a message of the peer.
 *
 * - `Duplicate`: processed before; dropped without looking at its content
 * - `Gap`: earlier ones are missing; it waits
 * - `InOrder`: its turn
 *
 * @since 1.0.0
 * @category models
 */
export type Verdict = "Duplicate" | "Gap" | "InOrder"

/**
 * The decision table for a message of the peer, in its order of precedence
 * (TDLib: SecretChatActor). What it acknowledges, and its layer, are judged only
 * when its turn has come.
 *
 * @since 1.0.0
 * @category numbers
 */
export const classify = (
  sequence: Sequence,
  message: RawNumbers & { readonly layer: number }
): Result.Result<Verdict, Rule> => {
  if (message.outIndex < sequence.myIn) return Result.succeed("Duplicate")
  if (message.outIndex > sequence.myIn) return Result.succeed("Gap")
  if (message.inIndex < sequence.hisIn) return Result.fail("in-seq-fell")
  if (message.inIndex > sequence.myOut) return Result.fail("in-seq-ahead")
  if (message.layer < sequence.inOrderLayer) return Result.fail("layer-fell")
  return Result.succeed("InOrder")
}

/**
 * The counters after a message that was `InOrder`.
 *
 * @since 1.0.0
 * @category numbers
 */
export const advance = (sequence: Sequence, message: RawNumbers & { readonly layer: number }): Sequence => ({
  myIn: message.outIndex + 1,
  myOut: sequence.myOut,
  hisIn: message.inIndex,
  inOrderLayer: message.layer
})

/**
 * A range of messages, both ends inclusive, as a Resend action carries it: the
 * numbers are of whoever is to send again, so their parity is the `x` of the
 * side that asks.
 *
 * @since 1.0.0
 * @category numbers
 */
export const rangeToWire = (
  role: Role,
  range: { readonly from: number; readonly to: number }
): { readonly startSeqNo: number; readonly endSeqNo: number } => ({
  startSeqNo: 2 * range.from + x(role),
  endSeqNo: 2 * range.to + x(role)
})

/**
 * The range of a Resend action that the peer sent to us in `role`.
 *
 * @since 1.0.0
 * @category numbers
 */
export const rangeFromWire = (
  role: Role,
  wire: { readonly startSeqNo: number; readonly endSeqNo: number }
): Result.Result<{ readonly from: number; readonly to: number }, Rule> =>
  (wire.startSeqNo & 1) !== 1 - x(role) || (wire.endSeqNo & 1) !== 1 - x(role)
    ? Result.fail("resend-parity")
    : Result.succeed({ from: wire.startSeqNo >> 1, to: wire.endSeqNo >> 1 })
