/**
 * Asking for missing messages, and sending messages again
 * (core.telegram.org/api/end-to-end/seq_no, "Handling gaps").
 *
 * A request is answered the moment it arrives, even if the message that carries
 * it is itself too early: when both sides miss something, each would otherwise
 * wait for the other's answer. It is answered once: what waits with an answered
 * request in it counts as Noop when its turn comes. A duplicate is not looked
 * into at all.
 *
 * The answer is the stored bytes, as they were: numbers, random id and content
 * (or the deletion that has replaced it). Nothing else can stand in for them, so
 * a request for what is no longer kept ends the chat.
 *
 * @since 1.0.0
 */
import type * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as Result from "effect/Result"
import type { Draft } from "./Draft.ts"
import * as Inbox from "./Inbox.ts"
import * as Outbox from "./Outbox.ts"
import * as Sequence from "./Sequence.ts"
import type { Rule } from "./Violation.ts"

/**
 * Asks for what is missing, if it is time to.
 *
 * @since 1.0.0
 * @category transitions
 */
export const ask = (d: Draft): void => {
  const { inbox, request } = Inbox.ask(d.state.inbox, d.state.sequence.myIn, d.now)
  // a message that changes nothing is not to cost a commit
  if (inbox !== d.state.inbox) d.update({ inbox })
  if (request === undefined) return
  d.sealProtocol({ _tag: "decryptedMessageActionResend", ...Sequence.rangeToWire(d.state.role, request) })
  d.emit({ _tag: "MessagesMissing", ...request, date: d.date })
}

/**
 * Sends again what the peer misses.
 *
 * @since 1.0.0
 * @category transitions
 */
export const answer = (d: Draft, action: SecretApi.decryptedMessageActionResend): Rule | undefined => {
  const range = Sequence.rangeFromWire(d.state.role, action)
  if (Result.isFailure(range)) return range.failure
  const check = Outbox.checkRange(d.state.outbox, range.success)
  if (Result.isFailure(check)) return check.failure
  d.write({ _tag: "SendAgain", ...range.success })
  d.act({ _tag: "Flush" })
  return undefined
}
