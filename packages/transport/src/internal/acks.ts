/**
 * The acknowledgements that we owe the server. They travel with other messages where there are any, and wait a while for
 * such company; many of them do not wait.
 */
import type { Limits } from "../Session.ts"
import { MAX_IDS } from "./service.ts"

export class Acks {
  private ids: Array<bigint> = []
  private at = Infinity
  private readonly limits: Limits

  constructor(limits: Limits) {
    this.limits = limits
  }

  add(msgId: bigint): void {
    this.ids.push(msgId)
  }

  /** What is owed now has to go out in time. */
  hold(now: number): void {
    if (this.ids.length > 0 && this.at === Infinity) this.at = now + this.limits.ackDelay
  }

  /** The server may have closed the last connection before it read what was sent there. */
  hasten(now: number): void {
    if (this.ids.length > 0) this.at = now
  }

  /** The identifiers of each `msgs_ack` that is to go out now, beside so many other messages. */
  take(now: number, company: number): ReadonlyArray<ReadonlyArray<bigint>> {
    const { length } = this.ids
    if (length === 0) return NONE
    const { ackCompany, ackThreshold } = this.limits
    const isDue = company > 1 || (company === 1 && length >= ackCompany) || length >= ackThreshold || now >= this.at
    if (!isDue) return NONE
    const out: Array<ReadonlyArray<bigint>> = []
    for (let i = 0; i < length; i += MAX_IDS) out.push(this.ids.slice(i, i + MAX_IDS))
    this.clear()
    return out
  }

  wakeAt(): number {
    return this.ids.length >= this.limits.ackThreshold ? -Infinity : this.at
  }

  clear(): void {
    this.ids = []
    this.at = Infinity
  }
}

const NONE: ReadonlyArray<ReadonlyArray<bigint>> = []
