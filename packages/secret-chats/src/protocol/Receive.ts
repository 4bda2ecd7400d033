/**
 * The way of a message of the peer, from the opened frame to its effect.
 *
 * The frame was opened before this: whoever wrote it has the key, and nothing in
 * it was changed on the way. Then, in this order (core.telegram.org/api/end-to-end,
 * TDLib: SecretChatActor):
 *
 * 1. The wrapper is read; its layer raises what is known of the peer, even if the
 *    message turns out to be old.
 * 2. Sign and parity of both numbers.
 * 3. An old number: dropped, its content is not looked at.
 * 4. A number ahead: the message waits. Only a Resend in it is acted on.
 * 5. Its turn: acknowledgement and layer are judged, then what it acknowledges is
 *    forgotten, the old key given up if this was the first message under the new
 *    one, and its content takes effect.
 * 6. Then the turn of those that wait may have come, each judged like this.
 *
 * Deliberate choices where the sources differ or are silent:
 *
 * - A `random_id` inside that is not the one outside is reported, and the inner
 *   one counts: it is the authentic one.
 * - A message with `random_id` 0 keeps its number, its content is dropped.
 * - Content that cannot be read keeps its number and is shown as unsupported.
 * - A layer above ours is no fault: content we cannot read shows as unsupported.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Actions from "./Actions.ts"
import type { Draft } from "./Draft.ts"
import * as Inbox from "./Inbox.ts"
import type { Input } from "./Input.ts"
import * as Outbox from "./Outbox.ts"
import * as Rekey from "./Rekey.ts"
import * as Resend from "./Resend.ts"
import * as Sequence from "./Sequence.ts"
import * as Timers from "./Timers.ts"
import * as Ttl from "./Ttl.ts"
import type { Rule } from "./Violation.ts"
import * as Wrapper from "./Wrapper.ts"

type Numbered = Sequence.RawNumbers & Wrapper.Wrapper

/** Wrapper and raw numbers of a message. */
const parse = (d: Draft, payload: Uint8Array): Result.Result<Numbered, Rule> => {
  const wrapper = Wrapper.read(payload)
  if (Result.isFailure(wrapper)) return Result.fail(wrapper.failure)
  const raw = Sequence.fromWire(d.state.role, wrapper.success)
  return Result.isFailure(raw) ? Result.fail(raw.failure) : Result.succeed({ ...wrapper.success, ...raw.success })
}

/**
 * A frame was opened while the chat is ready.
 *
 * @since 1.0.0
 * @category transitions
 */
export const received = (d: Draft, input: Extract<Input, { _tag: "Received" }>): Rule | undefined => {
  const wrapper = Wrapper.read(input.payload)
  if (Result.isFailure(wrapper)) return wrapper.failure
  Actions.observeLayer(d, wrapper.success.layer)
  const raw = Sequence.fromWire(d.state.role, wrapper.success)
  if (Result.isFailure(raw)) return raw.failure
  const message: Numbered = { ...wrapper.success, ...raw.success }
  const verdict = Sequence.classify(d.state.sequence, message)
  if (Result.isFailure(verdict)) return verdict.failure
  switch (verdict.success) {
    case "Duplicate":
      d.notice("duplicate")
      return undefined
    case "Gap":
      return wait(d, message, input)
    case "InOrder":
      return take(d, message, input) ?? drain(d)
  }
}

const wait = (d: Draft, message: Numbered, input: Extract<Input, { _tag: "Received" }>): Rule | undefined => {
  if (Inbox.isWaiting(d.state.inbox, message.outIndex)) {
    d.notice("duplicate")
    return undefined
  }
  const action = message.content?._tag === "decryptedMessageService" ? message.content.action : undefined
  const pending: Inbox.Pending = {
    index: message.outIndex,
    payload: input.payload,
    key: input.key,
    randomId: input.randomId,
    date: input.date,
    ...(input.file === undefined ? {} : { file: input.file }),
    spent: action?._tag === "decryptedMessageActionResend"
  }
  const alive = Inbox.revive(d.state.inbox, d.now)
  const { evicted, held, inbox } = Inbox.hold(Inbox.see(alive, message.outIndex), pending)
  d.update({ inbox })
  for (const index of evicted) d.write({ _tag: "Release", index })
  if (held) d.write({ _tag: "Hold", pending })
  if (!held || evicted.length > 0) d.notice("too-far-ahead")
  // even if there was no room: the peer may be waiting for nothing else
  return action?._tag === "decryptedMessageActionResend" ? Resend.answer(d, action) : undefined
}

/** Those that waited and whose turn has come. */
const drain = (d: Draft): Rule | undefined => {
  for (;;) {
    const next = Inbox.takeReady(d.state.inbox, d.state.sequence.myIn)
    if (next === undefined) return undefined
    d.update({ inbox: next.inbox })
    d.write({ _tag: "Release", index: next.message.index })
    const message = parse(d, next.message.payload)
    if (Result.isFailure(message)) return message.failure
    const verdict = Sequence.classify(d.state.sequence, message.success)
    if (Result.isFailure(verdict)) return verdict.failure
    const broken = take(d, message.success, next.message)
    if (broken !== undefined) return broken
  }
}

/** A message whose turn it is. */
const take = (
  d: Draft,
  message: Numbered,
  envelope: Pick<Inbox.Pending, "key" | "randomId" | "date" | "file"> & { readonly spent?: boolean }
): Rule | undefined => {
  const { delivered, outbox } = Outbox.acknowledge(d.state.outbox, message.inIndex)
  d.update({ sequence: Sequence.advance(d.state.sequence, message), outbox })
  if (delivered.length > 0) d.write({ _tag: "Forget", before: message.inIndex })
  for (const { index, kind, randomId } of delivered) {
    if (kind === "message" || kind === "action") {
      d.update({ ttl: Ttl.settle(d.state.ttl, randomId) })
      d.emit({ _tag: "MessageDelivered", randomId, index, date: envelope.date })
    }
  }
  Rekey.used(d, envelope.key)
  const content = message.content
  if (content === undefined) {
    d.emit({
      _tag: "UnsupportedMessage",
      randomId: envelope.randomId,
      index: message.outIndex,
      date: envelope.date
    })
    return undefined
  }
  if (content.randomId !== envelope.randomId) d.notice("random-id-differs")
  if (content._tag === "decryptedMessageService") {
    if (envelope.spent === true) return undefined
    return Actions.applyPeers(d, content.action, { randomId: content.randomId, date: envelope.date })
  }
  if (content.randomId === 0n) {
    d.notice("random-id-zero")
    return undefined
  }
  d.emit({
    _tag: "NewMessage",
    randomId: content.randomId,
    index: message.outIndex,
    date: envelope.date,
    message: content,
    ...(envelope.file === undefined ? {} : { file: envelope.file })
  })
  // it has not been read, even if everything else of its second has
  if (envelope.date <= d.state.readUntil) d.update({ readUntil: envelope.date - 1 })
  const timer = Timers.make("incoming", content, envelope.date)
  if (timer !== undefined) d.write({ _tag: "PutTimer", timer })
  return undefined
}
