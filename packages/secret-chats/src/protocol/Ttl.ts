/**
 * The self-destruct timer of the chat: one setting that both sides share, set by
 * whoever sent SetMessageTTL last.
 *
 * A setting of ours counts from the moment it is made, but the server may refuse
 * the message, and then the peer never hears of it. So the last value that is
 * certain is remembered as long as there are settings of ours behind it that are
 * not: if one of them is refused, the timer is what it would be without it.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * @since 1.0.0
 * @category models
 */
export const Ttl = Schema.Struct({
  /** Seconds, 0 = off: the last setting that both sides know. */
  certain: Schema.Int,
  /** Settings of ours after it that the server has not taken yet, oldest first. */
  pending: Schema.Array(Schema.Struct({ randomId: Schema.BigInt, seconds: Schema.Int }))
})

/**
 * @since 1.0.0
 * @category models
 */
export interface Ttl extends Schema.Schema.Type<typeof Ttl> {}

/**
 * @since 1.0.0
 * @category constructors
 */
export const initial: Ttl = { certain: 0, pending: [] }

/**
 * The timer that counts, in seconds; 0 = off.
 *
 * @since 1.0.0
 * @category queries
 */
export const current = (ttl: Ttl): number => ttl.pending.at(-1)?.seconds ?? ttl.certain

/**
 * The peer has set it.
 *
 * @since 1.0.0
 * @category transitions
 */
export const setByPeer = (seconds: number): Ttl => ({ certain: Math.max(0, seconds), pending: [] })

/**
 * We set it, with the message `randomId`.
 *
 * @since 1.0.0
 * @category transitions
 */
export const setByMe = (ttl: Ttl, randomId: bigint, seconds: number): Ttl => ({
  ...ttl,
  pending: [...ttl.pending, { randomId, seconds: Math.max(0, seconds) }]
})

/**
 * The message `randomId` was taken by the server, or acknowledged by the peer.
 *
 * @since 1.0.0
 * @category transitions
 */
export const settle = (ttl: Ttl, randomId: bigint): Ttl => {
  const at = ttl.pending.findIndex((setting) => setting.randomId === randomId)
  return at === -1 ? ttl : { certain: ttl.pending[at]!.seconds, pending: ttl.pending.slice(at + 1) }
}

/**
 * The message `randomId` was refused.
 *
 * @since 1.0.0
 * @category transitions
 */
export const withdraw = (ttl: Ttl, randomId: bigint): Ttl =>
  ttl.pending.some((setting) => setting.randomId === randomId)
    ? { ...ttl, pending: ttl.pending.filter((setting) => setting.randomId !== randomId) }
    : ttl
