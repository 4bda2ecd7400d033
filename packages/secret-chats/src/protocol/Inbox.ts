/**
 * Messages of the peer that came before their turn, and asking for the missing
 * ones (core.telegram.org/api/end-to-end/seq_no, "Handling gaps").
 *
 * A message that is too early waits, opened but not read, stored before it is
 * acknowledged to the server. For each hole in front of the waiting ones one
 * Resend is sent. Where this departs from TDLib:
 *
 * - What waits is bounded, by count and by bytes. What does not fit is let go,
 *   the furthest first: the peer keeps it until we acknowledge it, so it can be
 *   asked for later. `seen` remembers that it exists.
 * - A request spans at most {@link MAX_SPAN} numbers, for the other side closes
 *   the chat when asked for more than 1000 at once; the rest is asked for when
 *   that has come.
 * - An unanswered request is repeated, {@link RETRY_DELAYS} after the last, and
 *   then no more until the peer shows that it is alive by sending something new.
 *   The hole stays; everything behind it stays stored.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"
import { FileReference } from "./Events.ts"
import { Count, type Sequence } from "./Sequence.ts"

/**
 * Most messages that wait at one time.
 *
 * @since 1.0.0
 * @category constants
 */
export const MAX_PENDING = 1000

/**
 * Most bytes that wait at one time.
 *
 * @since 1.0.0
 * @category constants
 */
export const MAX_PENDING_BYTES = 4 << 20

/**
 * Most messages asked for with one Resend.
 *
 * @since 1.0.0
 * @category constants
 */
export const MAX_SPAN = 500

/**
 * Milliseconds from one Resend for a hole to the next.
 *
 * @since 1.0.0
 * @category constants
 */
export const RETRY_DELAYS: ReadonlyArray<number> = [30_000, 120_000, 600_000, 3_600_000, 21_600_000]

/**
 * Most frames, and bytes of frames, that are kept while there is no key.
 *
 * @since 1.0.0
 * @category constants
 */
export const MAX_EARLY = 64

/**
 * @since 1.0.0
 * @category constants
 */
export const MAX_EARLY_BYTES = 1 << 20

/**
 * A message that waits for earlier ones.
 *
 * @since 1.0.0
 * @category models
 */
export const Pending = Schema.Struct({
  /** Raw number among the peer's messages. */
  index: Count,
  /** The TL bytes of its `decryptedMessageLayer`. */
  payload: Schema.Uint8Array,
  /** Fingerprint of the key it came under. */
  key: Schema.BigInt,
  /** `random_id` of its envelope. */
  randomId: Schema.BigInt,
  /** Server date, unix seconds. */
  date: Schema.Int,
  file: Schema.optionalKey(FileReference),
  /** Its Resend was answered when it arrived, so it counts as Noop when its turn comes. */
  spent: Schema.Boolean
})

/**
 * @since 1.0.0
 * @category models
 */
export interface Pending extends Schema.Schema.Type<typeof Pending> {}

/**
 * A frame that arrived before there was a key to open it with.
 *
 * @since 1.0.0
 * @category models
 */
export const EarlyFrame = Schema.Struct({
  randomId: Schema.BigInt,
  date: Schema.Int,
  bytes: Schema.Uint8Array,
  file: Schema.optionalKey(FileReference)
})

/**
 * @since 1.0.0
 * @category models
 */
export interface EarlyFrame extends Schema.Schema.Type<typeof EarlyFrame> {}

/**
 * The request for the hole in front of the waiting messages.
 *
 * @since 1.0.0
 * @category models
 */
export const Hole = Schema.Struct({
  /** First and last raw number that were asked for. */
  from: Count,
  to: Count,
  /** Requests sent so far. */
  attempts: Schema.Int,
  /** Milliseconds; when to ask again. Absent: asked often enough. */
  retryAt: Schema.optionalKey(Schema.Finite)
})

/**
 * @since 1.0.0
 * @category models
 */
export interface Hole extends Schema.Schema.Type<typeof Hole> {}

/**
 * The part of the inbox that belongs to the head of a chat.
 *
 * @since 1.0.0
 * @category models
 */
export const Head = Schema.Struct({
  /** One more than the highest raw number that came before its turn: so many messages of the peer exist, at least. */
  seen: Count,
  hole: Schema.optionalKey(Hole),
  early: Schema.Array(EarlyFrame)
})

/**
 * @since 1.0.0
 * @category models
 */
export interface Inbox extends Schema.Schema.Type<typeof Head> {
  /** Ascending by index, no index twice. */
  readonly pending: ReadonlyArray<Pending>
  readonly pendingBytes: number
}

/**
 * @since 1.0.0
 * @category constructors
 */
export const initial: Inbox = { seen: 0, early: [], pending: [], pendingBytes: 0 }

/**
 * The inbox of a stored head and its rows, in any order; `undefined` if the rows
 * cannot be waiting messages of this head.
 *
 * @since 1.0.0
 * @category constructors
 */
export const restore = (
  head: Schema.Schema.Type<typeof Head>,
  rows: ReadonlyArray<Pending>,
  sequence: Sequence
): Inbox | undefined => {
  const pending = rows.toSorted((a, b) => a.index - b.index)
  const belong = pending.every((row, i) =>
    row.index > (i === 0 ? sequence.myIn : pending[i - 1]!.index) && row.index < head.seen
  )
  return belong
    ? { ...head, pending, pendingBytes: rows.reduce((n, row) => n + row.payload.length, 0) }
    : undefined
}

/**
 * Notes that the peer's message `index` exists.
 *
 * @since 1.0.0
 * @category transitions
 */
export const see = (inbox: Inbox, index: number): Inbox => index < inbox.seen ? inbox : { ...inbox, seen: index + 1 }

/**
 * Puts a message that does not wait yet where it waits. `evicted` had to make room
 * for it; `held` is false if it is itself the furthest of too many.
 *
 * @since 1.0.0
 * @category transitions
 */
export const hold = (inbox: Inbox, message: Pending): {
  readonly inbox: Inbox
  readonly held: boolean
  readonly evicted: ReadonlyArray<number>
} => {
  const at = inbox.pending.findIndex((p) => p.index > message.index)
  const pending = inbox.pending.toSpliced(at === -1 ? inbox.pending.length : at, 0, message)
  let bytes = inbox.pendingBytes + message.payload.length
  const evicted: Array<number> = []
  while (pending.length > MAX_PENDING || bytes > MAX_PENDING_BYTES) {
    const last = pending.pop()!
    bytes -= last.payload.length
    // nothing came in, so nothing may go out
    if (last === message) return { inbox, held: false, evicted: [] }
    evicted.push(last.index)
  }
  return { inbox: { ...inbox, pending, pendingBytes: bytes }, held: true, evicted }
}

/**
 * Whether the peer's message `index` waits already.
 *
 * @since 1.0.0
 * @category queries
 */
export const isWaiting = (inbox: Inbox, index: number): boolean => inbox.pending.some((p) => p.index === index)

/**
 * Takes the first waiting message out, if its turn has come.
 *
 * @since 1.0.0
 * @category transitions
 */
export const takeReady = (
  inbox: Inbox,
  myIn: number
): { readonly inbox: Inbox; readonly message: Pending } | undefined => {
  const message = inbox.pending[0]
  if (message === undefined || message.index > myIn) return undefined
  return {
    message,
    inbox: {
      ...inbox,
      pending: inbox.pending.slice(1),
      pendingBytes: inbox.pendingBytes - message.payload.length
    }
  }
}

/**
 * What is missing before the first waiting message.
 *
 * @since 1.0.0
 * @category queries
 */
export const missing = (inbox: Inbox, myIn: number): { readonly from: number; readonly to: number } | undefined => {
  const next = inbox.pending[0]?.index ?? inbox.seen
  return next <= myIn ? undefined : { from: myIn, to: next - 1 }
}

/**
 * The peer is alive: it has sent something new. If the hole has been given up,
 * it is asked for again, as often as the first time.
 *
 * @since 1.0.0
 * @category transitions
 */
export const revive = (inbox: Inbox, now: number): Inbox =>
  inbox.hole === undefined || inbox.hole.retryAt !== undefined
    ? inbox
    : { ...inbox, hole: { ...inbox.hole, attempts: 1, ...delayed(now, 1) } }

/**
 * Whether to send a Resend now, and for what. Called at the end of every step,
 * when everything that could be processed is.
 *
 * A hole that shrinks from its front is being answered: its repetition is put off,
 * and counted anew.
 *
 * @since 1.0.0
 * @category transitions
 */
export const ask = (inbox: Inbox, myIn: number, now: number): {
  readonly inbox: Inbox
  readonly request?: { readonly from: number; readonly to: number; readonly attempts: number }
} => {
  const gap = missing(inbox, myIn)
  const hole = inbox.hole
  if (gap === undefined) {
    if (hole === undefined) return { inbox }
    const { hole: _, ...rest } = inbox
    return { inbox: rest }
  }
  if (hole !== undefined && gap.from <= hole.to) {
    if (gap.from > hole.from) {
      const retryAt = delayed(now, 1)
      return { inbox: { ...inbox, hole: { from: gap.from, to: hole.to, attempts: 1, ...retryAt } } }
    }
    if (hole.retryAt === undefined || now < hole.retryAt) return { inbox }
  }
  const attempts = hole !== undefined && gap.from <= hole.to ? hole.attempts + 1 : 1
  const to = Math.min(gap.to, gap.from + MAX_SPAN - 1)
  return {
    inbox: { ...inbox, hole: { from: gap.from, to, attempts, ...delayed(now, attempts) } },
    request: { from: gap.from, to, attempts }
  }
}

const delayed = (now: number, attempts: number): { readonly retryAt?: number } => {
  const delay = RETRY_DELAYS[attempts - 1]
  return delay === undefined ? {} : { retryAt: now + delay }
}

/**
 * Keeps a frame until there is a key; `undefined` if there is no room.
 *
 * @since 1.0.0
 * @category transitions
 */
export const keepEarly = (inbox: Inbox, frame: EarlyFrame): Inbox | undefined => {
  const bytes = inbox.early.reduce((n, f) => n + f.bytes.length, frame.bytes.length)
  if (inbox.early.length >= MAX_EARLY || bytes > MAX_EARLY_BYTES) return undefined
  return { ...inbox, early: [...inbox.early, frame] }
}
