/**
 * The queries that have not ended: those that wait to be sent, in their order, and those that were sent, by identifier.
 */
import type { Outgoing } from "./outgoing.ts"

const MAX_CHECK_DELAY = 60_000

export class Queries {
  readonly sent = new Map<bigint, Outgoing>()
  private queue: Array<Outgoing> = []
  private isSorted = true
  private isResending = false
  /** No query that was sent is to be asked about before. */
  private checkAt = Infinity
  private readonly firstCheck: number

  /** `firstCheck`: how long a query is unanswered before the server is asked about it; the next time after twice as long. */
  constructor(firstCheck: number) {
    this.firstCheck = firstCheck
  }

  // ----- waiting

  /** A new query, behind all others. */
  add(query: Outgoing): void {
    this.queue.push(query)
  }

  /** A query that will be sent under another identifier, in its old place. */
  putBack(query: Outgoing): void {
    this.sent.delete(query.msgId)
    query.state = "queued"
    query.resend = false
    query.checkDelay = this.firstCheck
    this.queue.push(query)
    this.isSorted = false
  }

  remove(query: Outgoing): void {
    if (query.state === "queued") this.queue.splice(this.queue.indexOf(query), 1)
    this.sent.delete(query.msgId)
  }

  get areWaiting(): boolean {
    return this.queue.length > 0
  }

  /** Those that are to be sent now: all, or the first alone. */
  take(first: boolean): ReadonlyArray<Outgoing> {
    if (!this.isSorted) this.queue.sort((a, b) => a.order - b.order)
    this.isSorted = true
    const queue = this.queue
    this.queue = first ? queue.splice(1) : []
    return queue
  }

  // ----- sent

  /** It goes out under a new identifier. */
  send(now: number, query: Outgoing): void {
    query.state = "sent"
    query.checkAt = now + query.checkDelay
    if (query.checkAt < this.checkAt) this.checkAt = query.checkAt
    this.sent.set(query.msgId, query)
  }

  /** The queries of a message that carried them: of their own, or of a container. */
  carriedBy(msgId: bigint): Set<Outgoing> {
    const out = new Set<Outgoing>()
    for (const query of this.sent.values()) if (query.msgId === msgId || query.outerId === msgId) out.add(query)
    return out
  }

  /** It is sent once more as it is. */
  sendAgain(query: Outgoing): void {
    query.resend = true
    this.isResending = true
  }

  get areResending(): boolean {
    return this.isResending
  }

  /** Those that are sent once more as they are, by identifier. */
  takeResending(): ReadonlyArray<Outgoing> {
    if (!this.isResending) return NONE
    this.isResending = false
    return [...this.sent.values()].filter((query) => query.resend).toSorted((a, b) => (a.msgId < b.msgId ? -1 : 1))
  }

  // ----- asking about them

  /** On a new connection everything begins anew: the next question about a query is far away. */
  restartChecks(now: number): void {
    this.checkAt = this.sent.size === 0 ? Infinity : now + this.firstCheck
    for (const query of this.sent.values()) {
      query.checkDelay = this.firstCheck
      query.checkAt = this.checkAt
    }
  }

  /** The identifiers that the server is to be asked about now. */
  takeUnanswered(now: number): ReadonlyArray<bigint> {
    const ids: Array<bigint> = []
    if (now < this.checkAt) return ids
    let next = Infinity
    for (const query of this.sent.values()) {
      if (query.checkAt <= now) {
        ids.push(query.msgId)
        query.checkDelay = Math.min(2 * query.checkDelay, MAX_CHECK_DELAY)
        query.checkAt = now + query.checkDelay
      }
      if (query.checkAt < next) next = query.checkAt
    }
    this.checkAt = next
    return ids
  }

  wakeAt(): number {
    return this.checkAt
  }
}

const NONE: ReadonlyArray<Outgoing> = []
