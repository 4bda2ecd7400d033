/**
 * What the server's clock says, learnt from the identifiers of its messages.
 */
import * as MessageIds from "./messageIds.ts"

/** How far the time of a message may lie from the server's clock, in milliseconds. */
const OLDEST = 300_000
const NEWEST = 30_000
/** An answer that is so much older than its question shows that the clock was set back. */
const FELL = 15n << 32n

export class ServerClock {
  /** The server's clock minus ours, in milliseconds. */
  offset: number
  /** Whether `offset` was measured, and is not only remembered. */
  synchronised: boolean

  constructor(offset: number, synchronised: boolean) {
    this.offset = offset
    this.synchronised = synchronised
  }

  /** Unix time of the server, in seconds. */
  seconds(now: number): number {
    return Math.floor((now + this.offset) / 1_000)
  }

  /** Whether a message is of our time; learns from it if so. */
  observe(now: number, msgId: bigint): boolean {
    if (!this.synchronised) {
      this.set(now, msgId)
      return true
    }
    const offset = MessageIds.timeOf(msgId) - now
    const ahead = offset - this.offset
    if (ahead < -OLDEST || ahead > NEWEST) return false
    // messages can be late but not early, so the greatest difference is the nearest to the truth
    if (ahead > 0) this.offset = offset
    return true
  }

  /** Compares an answer with its question, which cannot be younger. */
  compare(now: number, answerId: bigint, questionId: bigint): void {
    if (answerId + FELL < questionId) this.set(now, answerId)
  }

  /** Believes a message without doubt. */
  set(now: number, msgId: bigint): void {
    this.synchronised = true
    this.offset = MessageIds.timeOf(msgId) - now
  }
}
