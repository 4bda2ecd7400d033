/**
 * Calls on their way to an answer, as a state machine over a `Session`: which of
 * the server's errors are tried again and when, what is waited for, and in which
 * order the calls of one chain go out.
 *
 * Pure and synchronous; times are milliseconds of the caller's clock.
 *
 * - `FLOOD_WAIT_X` and its like are waited for up to the limit of the call.
 * - Internal errors (500 and negative codes) are tried again after 1, 2, 4, ...
 *   seconds, a bounded number of times, if the call may be executed twice.
 * - At most `maxInFlight` calls are with the session; the others wait their turn.
 * - A call ends at its deadline, wherever it is.
 * - The calls of a chain are executed in the order of their start: each one is
 *   sent behind the one before it (`invokeAfterMsg`), and not before that one has
 *   been sent. While a call waits to be tried again, those behind it wait too.
 *   When a call fails, those that were already behind it fail with
 *   `MSG_WAIT_FAILED`, by the server or, if they were not sent yet, here; but not
 *   when the server has only lost track of the order.
 *
 * @since 1.0.0
 */
import type * as Session from "./Session.ts"

/**
 * @since 1.0.0
 * @category models
 */
export interface Init {
  /** The serialised method, perhaps `gzip_packed`. */
  readonly body: Uint8Array
  /** Whether executing it twice does no harm. */
  readonly repeatable: boolean
  readonly chain?: string | undefined
  /** The longest flood wait that is waited for, in milliseconds. */
  readonly floodWaitLimit: number
  /** When the call ends as `Expired`; `Infinity` for never. */
  readonly deadline: number
}

/**
 * A call that has not ended.
 *
 * @since 1.0.0
 * @category models
 */
export interface Call {
  readonly init: Init
}

/**
 * How a call ended.
 *
 * @since 1.0.0
 * @category models
 */
export type Outcome =
  | { readonly _tag: "Success"; readonly call: Call; readonly result: Uint8Array }
  | { readonly _tag: "Error"; readonly call: Call; readonly code: number; readonly message: string }
  | { readonly _tag: "Uncertain"; readonly call: Call }
  | { readonly _tag: "Rejected"; readonly call: Call; readonly reason: string }
  | { readonly _tag: "Expired"; readonly call: Call }

/**
 * @since 1.0.0
 * @category models
 */
export interface Options {
  /** How often a call is tried again after an internal error of the server. */
  readonly maxRetries: number
  /** The wait before the first of them, in milliseconds; it doubles. */
  readonly retryDelay: number
  /** How many flood waits one call waits for. */
  readonly maxFloodWaits: number
  /** How many calls may be with the session at the same time. */
  readonly maxInFlight: number
}

/**
 * @since 1.0.0
 * @category constants
 */
export const defaultOptions: Options = { maxRetries: 5, retryDelay: 1_000, maxFloodWaits: 5, maxInFlight: 512 }

/**
 * @since 1.0.0
 * @category models
 */
export interface Calls {
  /** How many calls have not ended. */
  readonly size: number
  /** How many calls are with the session. */
  readonly inFlight: number
  /** Whether one of those must not be executed twice. */
  readonly hasDelicate: boolean
  /** While held, nothing more is given to the session. */
  hold(held: boolean): void
  submit(now: number, init: Init): Call
  /** The answer is not wanted any more. No outcome will come. */
  cancel(call: Call): void
  /** From now on calls go through this session; what is under way is sent anew. */
  bind(now: number, session: Session.Session): void
  /** Takes an event of the session about a query. */
  handle(now: number, event: QueryEvent): Outcome | undefined
  /** Sends what has waited long enough, and ends what has waited too long. */
  poll(now: number): Array<Outcome>
  /** When `poll` has something to do. */
  wakeAt(): number
  /** Ends all calls without an outcome. */
  clear(): Array<Call>
}

/**
 * @since 1.0.0
 * @category models
 */
export type QueryEvent = Extract<Session.Event, { readonly query: Session.Query }>

class CallImpl implements Call {
  readonly init: Init
  query: Session.Query | undefined
  retryAt = 0
  retries = 0
  floodWaits = 0
  /** The call before it in the chain ended with an error. */
  orphaned = false
  ended = false
  constructor(init: Init) {
    this.init = init
  }
}

const FLOOD = /^(?:FLOOD_WAIT|FLOOD_PREMIUM_WAIT|SLOWMODE_WAIT|FLOOD_TEST_PHONE_WAIT)_(\d+)$/
/** Internal errors that say something about the call, not about the server's health. */
const MEANT = /^(?:AUTH_RESTART|PERSISTENT_TIMESTAMP_)/
const MAX_DELAY = 60_000
const WAIT_FAILED = "MSG_WAIT_FAILED"

/**
 * @since 1.0.0
 * @category constructors
 */
export const make = (options?: Partial<Options> | undefined): Calls => new CallsImpl({ ...defaultOptions, ...options })

class CallsImpl implements Calls {
  readonly options: Options
  session: Session.Session | undefined
  readonly calls = new Set<CallImpl>()
  readonly byQuery = new Map<Session.Query, CallImpl>()
  readonly chains = new Map<string, Array<CallImpl>>()
  /** The calls that are not with the session. */
  readonly waiting = new Set<CallImpl>()
  /** Calls whose predecessor has failed since the last `poll`. */
  readonly orphans = new Set<CallImpl>()
  /** No deadline is earlier than this. */
  nextDeadline = Infinity
  held = false

  constructor(options: Options) {
    this.options = options
  }

  get size(): number {
    return this.calls.size
  }

  get inFlight(): number {
    return this.byQuery.size
  }

  get hasDelicate(): boolean {
    for (const call of this.byQuery.values()) if (!call.init.repeatable) return true
    return false
  }

  hold(held: boolean): void {
    this.held = held
  }

  submit(now: number, init: Init): Call {
    const call = new CallImpl(init)
    this.calls.add(call)
    if (init.deadline < this.nextDeadline) this.nextDeadline = init.deadline
    if (init.chain !== undefined) {
      const chain = this.chains.get(init.chain)
      if (chain === undefined) this.chains.set(init.chain, [call])
      else chain.push(call)
    }
    this.wait(call, -Infinity)
    this.send(now, call)
    return call
  }

  cancel(handle: Call): void {
    const call = handle as CallImpl
    if (call.ended) return
    this.drop(call)
  }

  bind(now: number, session: Session.Session): void {
    this.session = session
    this.byQuery.clear()
    for (const call of this.calls) this.wait(call, call.query === undefined ? call.retryAt : now)
    this.poll(now)
  }

  handle(now: number, event: QueryEvent): Outcome | undefined {
    const call = this.byQuery.get(event.query)
    if (call === undefined) return undefined
    switch (event._tag) {
      case "Answered":
        this.end(call, false)
        return { _tag: "Success", call, result: event.result }
      case "Uncertain":
        this.end(call, true)
        return { _tag: "Uncertain", call }
      case "Rejected":
        this.end(call, true)
        return { _tag: "Rejected", call, reason: event.reason }
      case "Failed": {
        const retryAt = this.retryTime(now, call, event)
        // an error now is worth more than a time-out later
        if (retryAt === undefined || retryAt >= call.init.deadline) {
          this.end(call, true)
          return { _tag: "Error", call, code: event.code, message: event.message }
        }
        this.byQuery.delete(event.query)
        this.wait(call, retryAt)
        this.send(now, call)
        return undefined
      }
    }
  }

  poll(now: number): Array<Outcome> {
    const out = now >= this.nextDeadline ? this.expire(now) : []
    for (const call of this.orphans) {
      // one that was sent gets its answer from the server
      if (call.query === undefined) {
        this.end(call, true)
        out.push({ _tag: "Error", call, code: 400, message: WAIT_FAILED })
      }
      this.orphans.delete(call)
    }
    if (this.session !== undefined) {
      for (const call of this.waiting) {
        if (!this.hasRoom()) break
        this.send(now, call)
      }
    }
    return out
  }

  wakeAt(): number {
    if (this.orphans.size > 0) return -Infinity
    let at = this.nextDeadline
    if (this.session === undefined || !this.hasRoom()) return at
    for (const call of this.waiting) {
      if (at === -Infinity) break
      if (call.retryAt < at && this.isFree(call)) at = call.retryAt
    }
    return at
  }

  clear(): Array<Call> {
    const calls = [...this.calls]
    for (const call of calls) call.ended = true
    this.calls.clear()
    this.byQuery.clear()
    this.chains.clear()
    this.waiting.clear()
    this.orphans.clear()
    this.nextDeadline = Infinity
    return calls
  }

  private hasRoom(): boolean {
    return !this.held && this.byQuery.size < this.options.maxInFlight
  }

  private expire(now: number): Array<Outcome> {
    const out: Array<Outcome> = []
    let next = Infinity
    for (const call of this.calls) {
      const { deadline } = call.init
      if (deadline <= now) out.push({ _tag: "Expired", call })
      else if (deadline < next) next = deadline
    }
    for (const { call } of out) this.drop(call as CallImpl)
    this.nextDeadline = next
    return out
  }

  private drop(call: CallImpl): void {
    if (call.query !== undefined) this.session?.cancel(call.query)
    this.end(call, false)
  }

  /** When a call that failed is to be tried again, if at all. */
  private retryTime(now: number, call: CallImpl, event: { readonly code: number; readonly message: string }) {
    const flood = FLOOD.exec(event.message)
    if (flood !== null) {
      // a wait of 0 seconds would make a busy loop
      const wait = Math.max(1, Number(flood[1])) * 1_000
      return wait <= call.init.floodWaitLimit && ++call.floodWaits <= this.options.maxFloodWaits
        ? now + wait
        : undefined
    }
    if (event.message === WAIT_FAILED) {
      // without a failed call before it, the server has only lost track of the order
      const lost = call.query?.waits === true && !call.orphaned
      return lost && ++call.retries <= this.options.maxRetries ? now : undefined
    }
    const internal = event.code >= 500 || event.code < 0
    if (!internal || !call.init.repeatable || MEANT.test(event.message)) return undefined
    if (++call.retries > this.options.maxRetries) return undefined
    return now + Math.min(this.options.retryDelay * 2 ** (call.retries - 1), MAX_DELAY)
  }

  private wait(call: CallImpl, until: number): void {
    call.query = undefined
    call.retryAt = until
    this.waiting.add(call)
  }

  /** Gives a call to the session if its time has come, and then what was waiting behind it. */
  private send(now: number, call: CallImpl): void {
    const { body, chain: name, repeatable } = call.init
    if (this.session === undefined || call.ended || call.query !== undefined || call.retryAt > now) return
    if (this.orphans.has(call)) return
    if (!this.hasRoom()) return
    const chain = name === undefined ? undefined : this.chains.get(name)
    const index = chain?.indexOf(call) ?? 0
    const before = index > 0 ? chain![index - 1]! : undefined
    if (before !== undefined && before.query === undefined) return
    this.waiting.delete(call)
    call.query = this.session.query(body, { repeatable, after: before?.query })
    this.byQuery.set(call.query, call)
    const next = chain?.[index + 1]
    if (next !== undefined) this.send(now, next)
  }

  private isFree(call: CallImpl): boolean {
    if (call.init.chain === undefined) return true
    const chain = this.chains.get(call.init.chain)!
    const index = chain.indexOf(call)
    return index === 0 || chain[index - 1]!.query !== undefined
  }

  private end(call: CallImpl, failed: boolean): void {
    call.ended = true
    this.calls.delete(call)
    this.waiting.delete(call)
    this.orphans.delete(call)
    if (call.query !== undefined) this.byQuery.delete(call.query)
    const name = call.init.chain
    if (name === undefined) return
    const chain = this.chains.get(name)!
    const index = chain.indexOf(call)
    chain.splice(index, 1)
    const next = chain[index]
    if (chain.length === 0) this.chains.delete(name)
    else if (next !== undefined && failed) {
      next.orphaned = true
      this.orphans.add(next)
    }
  }
}
