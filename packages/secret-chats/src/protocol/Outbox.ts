/**
 * Our messages that the peer has not acknowledged
 * (core.telegram.org/api/end-to-end/seq_no).
 *
 * A message gets its number and is encrypted once; those bytes are stored before
 * they are sent, and sent again unchanged as often as needed. They are forgotten
 * when the peer's `in_seq_no` passes the message, and not when the server has
 * taken it: until then the peer may ask for it again. Nothing is ever taken out
 * of the middle, so what is kept is always the whole range from the first
 * unacknowledged message to the last created one.
 *
 * The one change allowed to a stored message is to replace its content by "delete
 * this message" in the same slot: same number, same acknowledgement, same
 * random id. That happens when it is deleted before the peer has it, or when the
 * server refuses it, so that the peer never meets a hole that nobody can fill.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { ServerError } from "./Events.ts"
import { Count, type Sequence } from "./Sequence.ts"
import type { Rule } from "./Violation.ts"

/**
 * Widest range a peer may ask for (TDLib: SecretChatActor).
 *
 * @since 1.0.0
 * @category constants
 */
export const MAX_RESEND = 1000

/**
 * Milliseconds after which a message that must not be given up is tried again,
 * by the number of refusals in a row; the last one goes on.
 *
 * @since 1.0.0
 * @category constants
 */
export const RETRY_DELAYS: ReadonlyArray<number> = [5_000, 30_000, 120_000, 600_000, 3_600_000]

/**
 * What is remembered of a message that is not acknowledged.
 *
 * @since 1.0.0
 * @category models
 */
export const OutboxRecord = Schema.Struct({
  /** Raw number among our messages. */
  index: Count,
  randomId: Schema.BigInt,
  /**
   * - `message`: ordinary
   * - `action`: service message asked for by the user
   * - `protocol`: service message of the protocol itself
   * - `deleted`: its content was replaced by its own deletion
   */
  kind: Schema.Literals(["message", "action", "protocol", "deleted"]),
  /** Messages of the peer that were processed when it was made. */
  inIndex: Count,
  /** Layer it is written in. A replacement keeps it: a layer that rises and falls again closes the chat. */
  layer: Schema.Int,
  /** 0, and one more for every replacement. */
  revision: Schema.Int
})

/**
 * @since 1.0.0
 * @category models
 */
export interface OutboxRecord extends Schema.Schema.Type<typeof OutboxRecord> {}

/**
 * The part of the outbox that belongs to the head of a chat.
 *
 * @since 1.0.0
 * @category models
 */
export const Head = Schema.Struct({
  /** Milliseconds; when to try again what was refused but must not be given up. */
  retryAt: Schema.optionalKey(Schema.Finite),
  /** Such refusals in a row. */
  refusals: Schema.Int
})

/**
 * @since 1.0.0
 * @category models
 */
export interface Outbox extends Schema.Schema.Type<typeof Head> {
  /** One for each index from `hisIn` to `myOut - 1`, in this order. */
  readonly records: ReadonlyArray<OutboxRecord>
}

/**
 * @since 1.0.0
 * @category constructors
 */
export const initial: Outbox = { records: [], refusals: 0 }

/**
 * The outbox of a stored head and its rows, in any order. The rows must be
 * exactly the unacknowledged messages, otherwise `undefined`: a store that lost
 * one could not answer a Resend.
 *
 * @since 1.0.0
 * @category constructors
 */
export const restore = (
  head: Schema.Schema.Type<typeof Head>,
  rows: ReadonlyArray<OutboxRecord>,
  sequence: Sequence
): Outbox | undefined => {
  const records = rows.toSorted((a, b) => a.index - b.index)
  const complete = records.length === sequence.myOut - sequence.hisIn &&
    records.every((record, i) => record.index === sequence.hisIn + i)
  return complete ? { ...head, records } : undefined
}

/**
 * @since 1.0.0
 * @category transitions
 */
export const append = (outbox: Outbox, record: OutboxRecord): Outbox => ({
  ...outbox,
  records: [...outbox.records, record]
})

/**
 * Forgets everything below `hisIn`.
 *
 * @since 1.0.0
 * @category transitions
 */
export const acknowledge = (
  outbox: Outbox,
  hisIn: number
): { readonly outbox: Outbox; readonly delivered: ReadonlyArray<OutboxRecord> } => {
  const first = outbox.records[0]
  if (first === undefined || first.index >= hisIn) return { outbox, delivered: [] }
  const count = hisIn - first.index
  return {
    outbox: { ...outbox, records: outbox.records.slice(count) },
    delivered: outbox.records.slice(0, count)
  }
}

/**
 * @since 1.0.0
 * @category queries
 */
export const get = (outbox: Outbox, index: number): OutboxRecord | undefined => {
  const first = outbox.records[0]
  return first === undefined ? undefined : outbox.records[index - first.index]
}

/**
 * Judges a range that the peer asks for. All of it must still be kept: a correct
 * peer never asks for what it has acknowledged, and cannot know of what was
 * never made.
 *
 * @since 1.0.0
 * @category queries
 */
export const checkRange = (
  outbox: Outbox,
  range: { readonly from: number; readonly to: number }
): Result.Result<void, Rule> => {
  if (range.to < range.from || range.to - range.from > MAX_RESEND) return Result.fail("resend-range")
  return get(outbox, range.from) === undefined || get(outbox, range.to) === undefined
    ? Result.fail("resend-forgotten")
    : Result.void
}

/**
 * The records that a deletion of `randomIds` (all, if absent) has to replace:
 * ordinary messages whose content still stands (TDLib: service messages, and
 * what was replaced before, stay).
 *
 * @since 1.0.0
 * @category queries
 */
export const replaceable = (outbox: Outbox, randomIds?: ReadonlyArray<bigint>): ReadonlyArray<OutboxRecord> => {
  const wanted = randomIds === undefined ? undefined : new Set(randomIds)
  return outbox.records.filter((r) => r.kind === "message" && (wanted === undefined || wanted.has(r.randomId)))
}

/**
 * Replaces the content of one record by its own deletion.
 *
 * @since 1.0.0
 * @category transitions
 */
export const replace = (
  outbox: Outbox,
  record: OutboxRecord
): { readonly outbox: Outbox; readonly record: OutboxRecord } => {
  const replaced: OutboxRecord = { ...record, kind: "deleted", revision: record.revision + 1 }
  const first = outbox.records[0]!.index
  return {
    outbox: { ...outbox, records: outbox.records.with(record.index - first, replaced) },
    record: replaced
  }
}

/**
 * What to do when the server refuses a message.
 *
 * - `Settled`: the peer has it already, the refusal is of no interest
 * - `Stale`: its content was replaced since; the new content is still to be sent
 * - `Close`: no message will ever be taken again
 * - `Replace`: the user is told, and the slot gets its own deletion as content
 * - `Keep`: belongs to the protocol, or is such a deletion; it is tried again later
 *
 * @since 1.0.0
 * @category models
 */
export type RefusalVerdict = "Settled" | "Stale" | "Close" | "Replace" | "Keep"

/**
 * The errors after which a chat is over.
 *
 * @since 1.0.0
 * @category constants
 */
export const FINAL_ERRORS: ReadonlyArray<string> = ["ENCRYPTION_DECLINED", "USER_DELETED", "INPUT_USER_DEACTIVATED"]

/**
 * Decides about a refusal. TDLib closes the chat at any refusal of a service
 * message, so that one bad action, or a block that is lifted later, ends it; here
 * only what ends it for good does.
 *
 * @since 1.0.0
 * @category queries
 */
export const judgeRefusal = (
  outbox: Outbox,
  sent: { readonly index: number; readonly revision: number },
  error: ServerError
): RefusalVerdict => {
  if (FINAL_ERRORS.includes(error.type)) return "Close"
  const record = get(outbox, sent.index)
  if (record === undefined) return "Settled"
  if (record.revision !== sent.revision) return "Stale"
  return record.kind === "message" || record.kind === "action" ? "Replace" : "Keep"
}

/**
 * Notes a refusal of something that is kept, and when to try again.
 *
 * @since 1.0.0
 * @category transitions
 */
export const postpone = (outbox: Outbox, now: number): Outbox => ({
  ...outbox,
  refusals: outbox.refusals + 1,
  retryAt: now + RETRY_DELAYS[Math.min(outbox.refusals, RETRY_DELAYS.length - 1)]!
})

/**
 * Notes that sending works.
 *
 * @since 1.0.0
 * @category transitions
 */
export const recovered = (outbox: Outbox): Outbox => {
  if (outbox.refusals === 0) return outbox
  return { records: outbox.records, refusals: 0 }
}
