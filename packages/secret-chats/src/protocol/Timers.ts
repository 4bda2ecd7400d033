/**
 * Self-destruct timers as data.
 *
 * A message with `ttl` > 0 is deleted on both sides, by each side's own clock,
 * `ttl` seconds after the person it was sent to has seen it (TDLib):
 *
 * - "secret media" (`ttl` of 1 to 60 s on a photo, video, animation, audio,
 *   voice or video note) starts when its content is *opened*: here by opening it,
 *   at the sender by ReadMessages.
 * - everything else starts when it is *viewed*: here when it is marked read, at
 *   the sender when `updateEncryptedMessagesRead` comes, counted from the date in
 *   that update and not from its arrival.
 *
 * The machine does not keep messages. It says which timers exist and what starts
 * or ends them ({@link Change}); the store keeps them as rows, so they survive a
 * restart, and reports those that have run out.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"
import type { Message } from "./Content.ts"

/**
 * @since 1.0.0
 * @category models
 */
export const Direction = Schema.Literals(["incoming", "outgoing"])

/**
 * @since 1.0.0
 * @category models
 */
export type Direction = typeof Direction.Type

/**
 * The timer of one message.
 *
 * @since 1.0.0
 * @category models
 */
export const Timer = Schema.Struct({
  direction: Direction,
  randomId: Schema.BigInt,
  /** Seconds, > 0. */
  ttl: Schema.Int,
  startsOn: Schema.Literals(["view", "open"]),
  /** Server date of the message, unix seconds; absent until the server has taken it. */
  date: Schema.optionalKey(Schema.Int),
  /** Unix seconds; absent until it is started. */
  expiresAt: Schema.optionalKey(Schema.Int)
})

/**
 * @since 1.0.0
 * @category models
 */
export interface Timer extends Schema.Schema.Type<typeof Timer> {}

/**
 * A change of the set of timers of a chat. {@link apply} is its meaning.
 *
 * @since 1.0.0
 * @category models
 */
export type Change =
  /** A new timer, not started. */
  | { readonly _tag: "PutTimer"; readonly timer: Timer }
  /** The server took an outgoing message at `date`. */
  | { readonly _tag: "DateTimer"; readonly randomId: bigint; readonly date: number }
  /** Messages with a date up to `maxDate` were viewed at `at` (unix seconds). */
  | {
    readonly _tag: "StartViewed"
    readonly direction: Direction
    readonly maxDate: number
    readonly at: number
  }
  /** The content of these messages was opened at `at` (unix seconds). */
  | {
    readonly _tag: "StartOpened"
    readonly direction: Direction
    readonly randomIds: ReadonlyArray<bigint>
    readonly at: number
  }
  /** These messages are gone; all of them, if `randomIds` is absent. */
  | { readonly _tag: "DropTimers"; readonly randomIds?: ReadonlyArray<bigint> }

const SECRET_MEDIA_TTL = 60

const SECRET_ATTRIBUTES: ReadonlySet<string> = new Set([
  "documentAttributeAnimated",
  "documentAttributeVideo",
  "documentAttributeAudio"
])

/**
 * What starts the timer of a message.
 *
 * @since 1.0.0
 * @category queries
 */
export const startsOn = (message: Message): "view" | "open" => {
  const media = message.media
  if (media === undefined || message.ttl > SECRET_MEDIA_TTL) return "view"
  if (media._tag === "decryptedMessageMediaPhoto") return "open"
  return media._tag === "decryptedMessageMediaDocument" && media.attributes.some((a) => SECRET_ATTRIBUTES.has(a._tag))
    ? "open"
    : "view"
}

/**
 * The timer of a message, if it has one.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make = (direction: Direction, message: Message, date?: number): Timer | undefined =>
  message.ttl <= 0
    ? undefined
    : {
      direction,
      randomId: message.randomId,
      ttl: message.ttl,
      startsOn: startsOn(message),
      ...(date === undefined ? {} : { date })
    }

const start = (timer: Timer, at: number): Timer =>
  timer.expiresAt === undefined ? { ...timer, expiresAt: at + timer.ttl } : timer

/**
 * What a change means for one timer; `undefined` if it is gone. A timer that
 * runs is not started again.
 *
 * @since 1.0.0
 * @category transitions
 */
export const applyOne = (timer: Timer, change: Change): Timer | undefined => {
  switch (change._tag) {
    case "PutTimer":
      return timer
    case "DateTimer":
      return timer.direction === "outgoing" && timer.randomId === change.randomId
        ? { ...timer, date: change.date }
        : timer
    case "StartViewed":
      return timer.direction === change.direction && timer.startsOn === "view" && timer.date !== undefined &&
          timer.date <= change.maxDate
        ? start(timer, change.at)
        : timer
    case "StartOpened":
      return timer.direction === change.direction && change.randomIds.includes(timer.randomId)
        ? start(timer, change.at)
        : timer
    case "DropTimers":
      return change.randomIds === undefined || change.randomIds.includes(timer.randomId) ? undefined : timer
  }
}

/**
 * What a change means for the timers of a chat.
 *
 * @since 1.0.0
 * @category transitions
 */
export const apply = (timers: ReadonlyArray<Timer>, change: Change): ReadonlyArray<Timer> => {
  const next = timers.map((timer) => applyOne(timer, change)).filter((timer) => timer !== undefined)
  return change._tag === "PutTimer" ? [...next, change.timer] : next
}

/**
 * The timers that have run out at `now` (unix seconds), earliest first.
 *
 * @since 1.0.0
 * @category queries
 */
export const expired = (timers: ReadonlyArray<Timer>, now: number): ReadonlyArray<Timer> =>
  timers.filter((timer) => timer.expiresAt !== undefined && timer.expiresAt <= now)
    .toSorted((a, b) => a.expiresAt! - b.expiresAt!)

/**
 * When the next timer runs out, unix seconds.
 *
 * @since 1.0.0
 * @category queries
 */
export const nextExpiry = (timers: ReadonlyArray<Timer>): number | undefined =>
  timers.reduce<number | undefined>(
    (least, { expiresAt }) =>
      expiresAt === undefined || (least !== undefined && least <= expiresAt) ? least : expiresAt,
    undefined
  )
