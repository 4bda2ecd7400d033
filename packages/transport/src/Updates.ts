/**
 * The order of updates as a state machine (core.telegram.org/api/updates): what
 * the server pushes and what `updates.getDifference` returns go in; updates in
 * order, without gaps and without duplicates come out, and the state to store.
 *
 * Pure and synchronous; times are milliseconds of the caller's clock.
 *
 * The state is four numbers: `qts` counts what is sent to this device alone
 * (encrypted messages), `pts` the ordinary message box, `seq` the other updates,
 * `date` goes back to the server. The rules:
 *
 * - An update that is not the next of its counter waits, and everything behind
 *   it waits too, so that order between counters is kept: an `updateEncryption`
 *   is never overtaken by the messages of its chat. What is missing may still
 *   come for 0.7 s; then the difference is asked for.
 * - The difference is also asked for at the start, after every reconnection,
 *   when the server says `updatesTooLong` or made a new session, when an update
 *   could not be read, and after a quarter of an hour of silence.
 * - In a difference, chats that are opened come before encrypted messages and
 *   chats that are closed come after them. Encrypted messages have no `qts`
 *   there; they get one that never confirms a later message.
 * - Every update has a position. The state that is stored is the one after the
 *   last position before which everything is confirmed.
 * - At most `window` updates wait for confirmation. What comes then is dropped,
 *   and fetched as a difference when the consumer has caught up: bounded memory,
 *   nothing lost.
 * - What the consumer does not want (`wanted`) is counted like everything else, but
 *   not delivered: it counts as confirmed.
 *
 * The ordinary message box is kept in order as well, but not at any price: when
 * the server says that the difference is too long, `pts` jumps and an
 * `updatePtsChanged` marks the place.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as Arrivals from "./internal/arrivals.ts"

/**
 * What `updates.getState` counts.
 *
 * @since 1.0.0
 * @category models
 */
export interface State {
  readonly pts: number
  readonly qts: number
  readonly date: number
  readonly seq: number
}

/**
 * @since 1.0.0
 * @category models
 */
export interface Options {
  /** How many updates may wait for confirmation. */
  readonly window: number
  /** How long a missing update may still come, in milliseconds. */
  readonly gapWait: number
  /** After this long without updates the difference is asked for, in milliseconds. */
  readonly silence: number
  /** The kinds of updates that are delivered; all where it is left out. */
  readonly wanted?: ReadonlySet<Api.Update["_tag"]> | undefined
}

/**
 * @since 1.0.0
 * @category constants
 */
export const defaultOptions: Options = { window: 1_024, gapWait: 700, silence: 15 * 60_000 }

/**
 * The updates that secret chats are made of.
 *
 * @since 1.0.0
 * @category constants
 */
export const ofSecretChats: ReadonlyArray<Api.Update["_tag"]> = [
  "updateNewEncryptedMessage",
  "updateEncryption",
  "updateEncryptedChatTyping",
  "updateEncryptedMessagesRead"
]

/**
 * An update in its place.
 *
 * @since 1.0.0
 * @category models
 */
export interface Delivery {
  readonly position: number
  readonly update: Api.Update
  readonly date: number
  readonly users: ReadonlyArray<Api.User>
  readonly chats?: ReadonlyArray<Api.Chat> | undefined
}

/**
 * What the driver has to do. The answers to `GetState` and `GetDifference` come
 * back by `onState`, `onDifference` or `onFailure`; there is never more than one
 * of them under way.
 *
 * @since 1.0.0
 * @category models
 */
export type Command =
  | { readonly _tag: "Deliver"; readonly delivery: Delivery }
  | { readonly _tag: "GetState" }
  | { readonly _tag: "GetDifference"; readonly state: State }
  | { readonly _tag: "Store"; readonly state: State }

/**
 * @since 1.0.0
 * @category models
 */
export interface Updates {
  /** Starts with the stored state, or with the server's when there is none. */
  start(now: number, stored: State | undefined): void
  /** Forgets everything; the account is logged out. */
  stop(): void
  /** Another connection was made. */
  onReconnect(now: number): void
  /** The server made a new session: what it pushed before may be missing. */
  onSessionCreated(now: number): void
  onUpdates(now: number, updates: Api.Updates): void
  /** Something that should have been updates could not be read. */
  onUnreadable(now: number): void
  onState(now: number, state: State): void
  onDifference(now: number, difference: Api.updates.Difference): void
  /** The request failed; `stale` if the server does not accept the state that was sent. */
  onFailure(now: number, stale?: boolean): void
  confirm(now: number, position: number): void
  poll(now: number): void
  /** When `poll` has something to do. */
  wakeAt(): number
  commands(): Array<Command>
  /** The state after the last delivered update. */
  readonly state: State | undefined
  /** The state after the last update before which everything is confirmed. */
  readonly confirmed: State | undefined
}

type Phase = "stopped" | "state" | "difference" | "live" | "retry" | "behind"

interface Entry {
  after: State | undefined
  confirmed: boolean
}

const MAX_HELD = 1_000
const FIRST_RETRY = 1_000
const LAST_RETRY = 60_000
/** After so many differences that do not close a gap, the server is believed that there is nothing in it. */
const MAX_STUCK = 3
/** A counter that falls by more than this was reset by the server. */
const RESET = 1_000_009

/**
 * @since 1.0.0
 * @category constructors
 */
export const make = (options?: Partial<Options> | undefined): Updates => new Machine({ ...defaultOptions, ...options })

class Machine implements Updates {
  state: State | undefined
  confirmed: State | undefined
  readonly options: Options
  phase: Phase = "stopped"
  /** What failed and is tried again. */
  wanted: "state" | "difference" = "difference"
  again = false
  held: Array<Arrivals.Arrival> = []
  gapSince: number | undefined
  stuck = 0
  lastReceived = 0
  retryAt = 0
  retryDelay = FIRST_RETRY
  journal: Array<Entry> = []
  /** The position of the first entry of the journal. */
  first = 0
  out: Array<Command> = []

  constructor(options: Options) {
    this.options = options
  }

  // ----- life

  start(now: number, stored: State | undefined): void {
    this.stop()
    this.lastReceived = now
    this.state = stored
    this.confirmed = stored
    if (stored === undefined) this.askState()
    else this.askDifference()
  }

  stop(): void {
    this.phase = "stopped"
    this.state = undefined
    this.confirmed = undefined
    this.held = []
    this.gapSince = undefined
    this.again = false
    this.stuck = 0
    this.retryDelay = FIRST_RETRY
    this.first += this.journal.length
    this.journal = []
    this.out = this.out.filter((command) => command._tag === "Deliver")
  }

  commands(): Array<Command> {
    const out = this.out
    this.out = []
    return out
  }

  wakeAt(): number {
    switch (this.phase) {
      case "live":
        return Math.min(
          this.gapSince === undefined ? Infinity : this.gapSince + this.options.gapWait,
          this.lastReceived + this.options.silence
        )
      case "retry":
        return this.retryAt
      default:
        return Infinity
    }
  }

  poll(now: number): void {
    if (now < this.wakeAt()) return
    if (this.phase === "retry") {
      if (this.wanted === "state") this.askState()
      else this.askDifference()
    } else if (this.phase === "live") {
      this.lastReceived = now
      this.askDifference()
    }
  }

  // ----- input

  onReconnect(now: number): void {
    this.lastReceived = now
    if (this.phase === "live") this.askDifference()
    else if (this.phase === "difference") this.again = true
    else if (this.phase === "retry") this.retryAt = now
  }

  onSessionCreated(now: number): void {
    // a difference that is under way is answered by the new session, so it misses nothing
    if (this.phase === "live") this.onReconnect(now)
  }

  onUnreadable(now: number): void {
    if (this.phase === "live") this.fail(now)
    else if (this.phase === "difference") this.again = true
  }

  onUpdates(now: number, updates: Api.Updates): void {
    this.lastReceived = now
    if (updates._tag === "updatesTooLong") {
      if (this.phase === "live") this.askDifference()
      else if (this.phase === "difference") this.again = true
      return
    }
    const arrival = Arrivals.fromUpdates(updates)
    if (this.phase === "stopped") {
      // before a login only what has no counter can come, such as `updateLoginToken`
      for (const inner of arrival._tag === "Batch" ? arrival.items : [arrival]) {
        if (inner._tag === "Update" && inner.box === undefined) this.deliver(inner)
      }
      return
    }
    if (this.phase === "behind") return
    if (this.journal.length >= this.options.window) {
      this.held = []
      this.gapSince = undefined
      if (this.phase === "live") this.phase = "behind"
      else this.again = true
      return
    }
    this.held.push(arrival)
    if (this.held.length > MAX_HELD) {
      this.held = []
      this.gapSince = undefined
      if (this.phase === "live") this.askDifference()
      else this.again = true
    } else if (this.phase === "live") {
      this.drain(now)
    }
  }

  onState(now: number, state: State): void {
    const { date, pts, qts, seq } = state
    this.retryDelay = FIRST_RETRY
    this.lastReceived = now
    // a state that is asked for again must not skip messages for this device
    this.state = { pts, qts: this.state?.qts ?? qts, date, seq }
    this.settle()
    this.askDifference()
  }

  onDifference(now: number, difference: Api.updates.Difference): void {
    const before = this.state
    if (before === undefined || this.phase !== "difference") return
    this.lastReceived = now
    switch (difference._tag) {
      case "updates.differenceEmpty":
        this.state = { ...before, date: difference.date, seq: difference.seq }
        this.settle()
        return this.caughtUp(now)
      case "updates.difference":
        this.take(before, difference, difference.state)
        return this.caughtUp(now)
      case "updates.differenceSlice": {
        const taken = this.take(before, difference, difference.intermediateState)
        if (taken === 0 && sameState(before, this.state!)) return this.fail(now)
        this.retryDelay = FIRST_RETRY
        return this.askDifference()
      }
      case "updates.differenceTooLong": {
        if (difference.pts === before.pts) return this.fail(now)
        this.retryDelay = FIRST_RETRY
        this.deliver({
          _tag: "Update",
          update: { _tag: "updatePtsChanged" },
          date: before.date,
          users: [],
          value: 0,
          count: 0
        })
        this.state = { ...before, pts: difference.pts }
        this.settle()
        return this.askDifference()
      }
    }
  }

  onFailure(now: number, stale = false): void {
    if (this.phase !== "state" && this.phase !== "difference") return
    this.wanted = this.phase === "state" || stale ? "state" : "difference"
    this.fail(now, this.wanted)
  }

  confirm(now: number, position: number): void {
    const entry = this.journal[position - this.first]
    if (entry === undefined || entry.confirmed) return
    entry.confirmed = true
    let count = 0
    let state: State | undefined
    while (count < this.journal.length && this.journal[count]!.confirmed) state = this.journal[count++]!.after
    if (count === 0) return
    this.journal.splice(0, count)
    this.first += count
    this.storeState(state)
    if (this.phase === "behind" && this.journal.length <= this.options.window / 2) {
      this.lastReceived = now
      this.askDifference()
    }
  }

  // ----- the difference

  private askState(): void {
    this.phase = "state"
    this.out.push({ _tag: "GetState" })
  }

  private askDifference(): void {
    this.gapSince = undefined
    if (this.journal.length >= this.options.window) {
      this.phase = "behind"
      this.held = []
      return
    }
    this.phase = "difference"
    this.again = false
    this.out.push({ _tag: "GetDifference", state: this.state! })
  }

  private fail(now: number, wanted: "state" | "difference" = "difference"): void {
    this.phase = "retry"
    this.wanted = wanted
    this.retryAt = now + this.retryDelay
    this.retryDelay = Math.min(2 * this.retryDelay, LAST_RETRY)
  }

  /** Delivers a difference, and answers how many updates that were. */
  private take(before: State, difference: Difference, after: Api.updates.State): number {
    const arrivals = Arrivals.fromDifference(difference, before.qts, after)
    for (const arrival of arrivals) {
      if (arrival.box === "qts") this.state = { ...this.state!, qts: arrival.value }
      this.deliver(arrival)
    }
    const fell = before.qts - after.qts > RESET
    this.state = {
      pts: after.pts,
      qts: fell ? after.qts : Math.max(before.qts, after.qts),
      date: after.date,
      seq: after.seq
    }
    this.settle()
    return arrivals.length
  }

  private caughtUp(now: number): void {
    this.retryDelay = FIRST_RETRY
    if (this.again) return this.askDifference()
    this.phase = "live"
    this.drain(now)
    if (this.held.length === 0) {
      this.stuck = 0
    } else if (++this.stuck >= MAX_STUCK) {
      this.stuck = 0
      this.apply(this.held.shift()!)
      this.drain(now)
    }
  }

  // ----- order

  /** Applies what is held as far as it is in order. */
  private drain(now: number): void {
    while (this.held.length > 0) {
      const head = this.held[0]!
      const verdict = this.judge(head)
      if (verdict === "gap") {
        // something behind may fill the very gap
        const filler = this.held.findIndex((other) =>
          Arrivals.counterOf(other) === Arrivals.counterOf(head) && this.judge(other) === "next"
        )
        if (filler < 0) break
        this.apply(this.held.splice(filler, 1)[0]!)
      } else {
        this.held.shift()
        if (verdict === "next") this.apply(head)
      }
    }
    if (this.held.length === 0) this.gapSince = undefined
    else this.gapSince ??= now
  }

  private judge(arrival: Arrivals.Arrival): "next" | "old" | "gap" {
    const state = this.state!
    switch (arrival._tag) {
      case "Batch":
        return arrival.start === 0 ? "next" : judgeValue(state.seq, arrival.start, 1)
      case "End":
        return "next"
      case "Update":
      case "Count": {
        if (arrival.box === undefined || arrival.value === 0) return "next"
        return judgeValue(state[arrival.box], arrival.value, arrival.count)
      }
    }
  }

  private apply(arrival: Arrivals.Arrival): void {
    switch (arrival._tag) {
      case "Batch":
        this.held.unshift(...arrival.items)
        return
      case "End":
        this.state = { ...this.state!, seq: arrival.seq, date: arrival.date }
        return this.settle()
      case "Update":
      case "Count":
        if (arrival.box !== undefined && arrival.value !== 0) {
          this.state = counted(this.state!, arrival.box, arrival.value)
        }
        if (arrival._tag === "Update") this.deliver(arrival)
        else this.settle()
    }
  }

  // ----- delivery and confirmation

  private deliver(arrival: Arrivals.Single): void {
    const { chats, date, update, users } = arrival
    if (this.options.wanted?.has(update._tag) === false) return this.settle()
    const position = this.first + this.journal.length
    this.journal.push({ after: this.state, confirmed: false })
    const delivery = chats === undefined ? { position, update, date, users } : { position, update, date, users, chats }
    this.out.push({ _tag: "Deliver", delivery })
  }

  /** The state changed without a delivery: what is confirmed next confirms this too. */
  private settle(): void {
    const last = this.journal.at(-1)
    if (last === undefined) this.storeState(this.state)
    else last.after = this.state
  }

  private storeState(state: State | undefined): void {
    if (state === undefined || (this.confirmed !== undefined && sameState(state, this.confirmed))) return
    this.confirmed = state
    this.out.push({ _tag: "Store", state })
  }
}

type Difference = Api.updates.difference | Api.updates.differenceSlice

const judgeValue = (known: number, value: number, count: number): "next" | "old" | "gap" => {
  if (value - count === known || known - value > RESET) return "next"
  return value <= known ? "old" : "gap"
}

const counted = ({ date, pts, qts, seq }: State, box: Arrivals.Box, value: number): State =>
  box === "pts" ? { pts: value, qts, date, seq } : { pts, qts: value, date, seq }

const sameState = (a: State, b: State): boolean =>
  a.pts === b.pts && a.qts === b.qts && a.date === b.date && a.seq === b.seq
