/**
 * What service messages do, ours and the peer's
 * (core.telegram.org/api/end-to-end, TDLib).
 *
 * | action | ours | the peer's |
 * | --- | --- | --- |
 * | SetMessageTTL | the timer of the chat, for both sides | the same; a negative one turns it off without a word |
 * | ReadMessages | content opened here, their timers start | our messages were opened, their timers start |
 * | DeleteMessages | gone from the history; what the peer has not got yet is replaced | the same |
 * | FlushHistory | the whole history, and all the peer has not got yet | the same |
 * | ScreenshotMessages | told | told |
 * | NotifyLayer | what we announced | what the peer can read |
 * | Typing | nothing | told, never stored |
 * | Noop | nothing | nothing |
 * | Resend, *Key | not to be sent by hand | see `Resend`, `Rekey` |
 *
 * @since 1.0.0
 */
import type { Action } from "./Content.ts"
import type { Draft } from "./Draft.ts"
import * as Layers from "./Layers.ts"
import * as Outbox from "./Outbox.ts"
import * as Rekey from "./Rekey.ts"
import * as Resend from "./Resend.ts"
import * as Ttl from "./Ttl.ts"
import type { Rule } from "./Violation.ts"

/**
 * A service message as an occasion: its random id and when it was sent.
 *
 * @since 1.0.0
 * @category models
 */
export interface Occasion {
  readonly randomId: bigint
  /** Unix seconds. */
  readonly date: number
}

/**
 * The actions that belong to the protocol: sent by hand they would contradict
 * its state.
 *
 * @since 1.0.0
 * @category constants
 */
export const RESERVED: ReadonlySet<Action["_tag"]> = new Set([
  "decryptedMessageActionResend",
  "decryptedMessageActionRequestKey",
  "decryptedMessageActionAcceptKey",
  "decryptedMessageActionAbortKey",
  "decryptedMessageActionCommitKey"
])

/**
 * Notes a new highest layer of the peer.
 *
 * @since 1.0.0
 * @category transitions
 */
export const observeLayer = (d: Draft, layer: number): void => {
  const layers = Layers.observe(d.state.layers, layer)
  if (layers === d.state.layers) return
  d.update({ layers })
  d.emit({ _tag: "LayerChanged", layer: layers.his, date: d.date })
}

/** Replaces everything of ours that the peer has not got and that a deletion names (all, without `randomIds`). */
const replaceUndelivered = (d: Draft, randomIds?: ReadonlyArray<bigint>): void => {
  for (const record of Outbox.replaceable(d.state.outbox, randomIds)) d.replace(record)
}

/**
 * A setting of the timer that the server refused is undone.
 *
 * @since 1.0.0
 * @category transitions
 */
export const withdrawTtl = (d: Draft, randomId: bigint): void => {
  const before = Ttl.current(d.state.ttl)
  const ttl = Ttl.withdraw(d.state.ttl, randomId)
  d.update({ ttl })
  if (Ttl.current(ttl) !== before) {
    d.emit({ _tag: "TtlChanged", by: "me", ttl: Ttl.current(ttl), randomId, date: d.date })
  }
}

const deleteMessages = (d: Draft, by: "me" | "peer", randomIds: ReadonlyArray<bigint>, date: number): void => {
  if (randomIds.length === 0) return
  replaceUndelivered(d, randomIds)
  d.write({ _tag: "DeleteMessages", randomIds })
  d.write({ _tag: "DropTimers", randomIds })
  d.emit({ _tag: "MessagesDeleted", by, randomIds, date })
}

const flushHistory = (d: Draft, by: "me" | "peer", date: number): void => {
  replaceUndelivered(d)
  d.deleteHistory()
  d.emit({ _tag: "HistoryFlushed", by, date })
}

/**
 * What a service message of ours does here. Called before it gets its number:
 * what it deletes is replaced before it is said.
 *
 * @since 1.0.0
 * @category transitions
 */
export const applyOwn = (d: Draft, action: Action, occasion: Occasion): void => {
  switch (action._tag) {
    case "decryptedMessageActionSetMessageTTL":
      d.update({ ttl: Ttl.setByMe(d.state.ttl, occasion.randomId, action.ttlSeconds) })
      return d.emit({ _tag: "TtlChanged", by: "me", ttl: Ttl.current(d.state.ttl), ...occasion })
    case "decryptedMessageActionReadMessages":
      d.write({ _tag: "StartOpened", direction: "incoming", randomIds: action.randomIds, at: d.date })
      return d.emit({ _tag: "ContentOpened", by: "me", randomIds: action.randomIds, date: occasion.date })
    case "decryptedMessageActionDeleteMessages":
      return deleteMessages(d, "me", action.randomIds, occasion.date)
    case "decryptedMessageActionFlushHistory":
      return flushHistory(d, "me", occasion.date)
    case "decryptedMessageActionScreenshotMessages":
      return d.emit({ _tag: "Screenshot", by: "me", randomIds: action.randomIds, date: occasion.date })
  }
}

/**
 * What a service message of the peer does, when its turn has come.
 *
 * @since 1.0.0
 * @category transitions
 */
export const applyPeers = (d: Draft, action: Action, occasion: Occasion): Rule | undefined => {
  switch (action._tag) {
    case "decryptedMessageActionSetMessageTTL":
      d.update({ ttl: Ttl.setByPeer(action.ttlSeconds) })
      if (action.ttlSeconds >= 0) d.emit({ _tag: "TtlChanged", by: "peer", ttl: action.ttlSeconds, ...occasion })
      return undefined
    case "decryptedMessageActionReadMessages":
      // whether these are messages of ours is for the store to know
      d.write({ _tag: "StartOpened", direction: "outgoing", randomIds: action.randomIds, at: occasion.date })
      d.emit({ _tag: "ContentOpened", by: "peer", randomIds: action.randomIds, date: occasion.date })
      return undefined
    case "decryptedMessageActionDeleteMessages":
      deleteMessages(d, "peer", action.randomIds, occasion.date)
      return undefined
    case "decryptedMessageActionFlushHistory":
      flushHistory(d, "peer", occasion.date)
      return undefined
    case "decryptedMessageActionScreenshotMessages":
      d.emit({ _tag: "Screenshot", by: "peer", randomIds: action.randomIds, date: occasion.date })
      return undefined
    case "decryptedMessageActionTyping":
      d.emit({ _tag: "Typing", action: action.action._tag, date: occasion.date })
      return undefined
    case "decryptedMessageActionNotifyLayer":
      observeLayer(d, action.layer)
      return undefined
    case "decryptedMessageActionNoop":
      return undefined
    case "decryptedMessageActionResend":
      return Resend.answer(d, action)
    case "decryptedMessageActionRequestKey":
      return Rekey.requested(d, action)
    case "decryptedMessageActionAcceptKey":
      return Rekey.accepted(d, action)
    case "decryptedMessageActionCommitKey":
      return Rekey.committed(d, action)
    case "decryptedMessageActionAbortKey":
      return Rekey.aborted(d, action)
  }
}
