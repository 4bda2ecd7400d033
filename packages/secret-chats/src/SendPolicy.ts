/**
 * How patient sending is.
 *
 * @since 1.0.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"

/**
 * Limits of sending. Provide other values around a send, or around a layer for everything that it does:
 * `Effect.provideService(send, SendPolicy, …)`.
 *
 * @category references
 * @since 1.0.0
 */
export interface SendPolicy {
  /**
   * How often a message is sent again, the same bytes, after `MSG_WAIT_FAILED`, `MSG_WAIT_TIMEOUT` or an internal error of
   * the server, before the error is reported. Default 3.
   */
  readonly retries: number
  /** The pause before the second repetition; it doubles with each further one. Default 200 milliseconds. */
  readonly retryDelay: Duration.Input
  /** Flood waits up to this long are waited for. Default 60 seconds. */
  readonly floodWaitLimit: Duration.Input
  /** How many messages of one chat are on their way at a time. Default 64. */
  readonly window: number
}

/**
 * @category references
 * @since 1.0.0
 */
export const SendPolicy: Context.Reference<SendPolicy> = Context.Reference<SendPolicy>(
  "@effect-mtproto/secret-chats/SendPolicy",
  { defaultValue: () => ({ retries: 3, retryDelay: "200 millis", floodWaitLimit: "60 seconds", window: 64 }) }
)
