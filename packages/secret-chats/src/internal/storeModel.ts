/**
 * What the backends of the store have in common.
 *
 * @since 1.0.0
 */
import type { MessageState } from "../SecretChatStore.ts"

/** States as numbers that only grow; gaps leave room. @internal */
export const stateRank: Readonly<Record<MessageState, number>> = {
  queued: 0,
  sent: 10,
  received: 15,
  delivered: 20,
  read: 30,
  failed: 40
}

const byRank = new Map(Object.entries(stateRank).map(([state, rank]) => [rank, state as MessageState]))

/** @internal */
export const stateOfRank = (rank: number): MessageState | undefined => byRank.get(rank)

/** @internal */
export const maxPage = 1000

/** @internal */
export const pageSize = (limit: number | undefined): number =>
  limit === undefined || !(limit >= 0) ? 100 : Math.min(Math.trunc(limit), maxPage)
