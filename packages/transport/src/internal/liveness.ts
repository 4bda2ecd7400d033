/**
 * Whether the server is still there: after a silence it is asked (`ping_delay_disconnect`, which also makes it close a
 * connection that we have lost), and after more silence the connection is dead.
 */
import type { Limits } from "../Session.ts"

/** A packet that takes longer to arrive is as good as none. */
const SLOWEST_PACKET = 60_000
/** After so much more silence than we bear, in seconds, the server closes the connection itself. */
const SERVER_PATIENCE = 20

export class Liveness {
  private heardAt = 0
  /** When a packet came last that was the server's. */
  private provenAt = 0
  private pingSentAt: number | undefined
  private readonly limits: Limits

  constructor(limits: Limits) {
    this.limits = limits
  }

  /** A packet came that was the server's, or a connection was made. */
  prove(now: number): void {
    this.heardAt = this.provenAt = now
    this.pingSentAt = undefined
  }

  /** Bytes came that are no whole packet yet. */
  stir(now: number): void {
    if (now >= this.provenAt + SLOWEST_PACKET) return
    this.heardAt = now
    this.pingSentAt = undefined
  }

  poll(now: number): "ping" | "dead" | undefined {
    if (now < this.wakeAt()) return undefined
    if (this.pingSentAt === undefined) {
      this.pingSentAt = now
      return "ping"
    }
    this.pingSentAt = undefined
    return "dead"
  }

  wakeAt(): number {
    return this.pingSentAt === undefined
      ? this.heardAt + this.limits.pingInterval
      : this.pingSentAt + this.limits.pongTimeout
  }

  /** A ping of the last session is not answered in this one. */
  forgetPing(): void {
    this.pingSentAt = undefined
  }

  /** What the server is told: how long it may wait for us, in seconds. */
  disconnectDelay(): number {
    return Math.ceil((this.limits.pingInterval + this.limits.pongTimeout) / 1000) + SERVER_PATIENCE
  }
}
