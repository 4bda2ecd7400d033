/**
 * A secret chat as a pure state machine: `step(state, input, ambient)` gives the
 * next state and what has to be done.
 *
 * Nothing in here reads a clock, draws a random number, computes with big
 * numbers, encrypts, stores or sends. Time and random bytes come in beside the
 * input, heavy computations go out as requests and come back as inputs, and
 * messages go out as values to be sealed.
 *
 * The parts, one rule of the protocol each: `Handshake` (how a chat comes about),
 * `Sequence` (numbers), `Receive` (the way of an incoming message), `Inbox` and
 * `Resend` (gaps), `Outbox` (what the peer has not acknowledged), `Layers`,
 * `Rekey`, `Actions` (what service messages do), `Timers`, `Chunks` (long texts).
 * `Draft` is what they all write into.
 *
 * A fault of the peer or of the server is never a failure of `step`: it is a
 * transition, to phase Closed if need be. A `Refusal` is a fault of the caller,
 * and changes nothing.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Actions from "./Actions.ts"
import type { ChatState } from "./ChatState.ts"
import { Draft, ENTROPY_BYTES } from "./Draft.ts"
import * as Handshake from "./Handshake.ts"
import type { Ambient, Input } from "./Input.ts"
import * as Keys from "./Keys.ts"
import * as Layers from "./Layers.ts"
import * as Outbox from "./Outbox.ts"
import type { Output } from "./Output.ts"
import * as Receive from "./Receive.ts"
import * as Rekey from "./Rekey.ts"
import * as Resend from "./Resend.ts"
import * as Sequence from "./Sequence.ts"
import * as Timers from "./Timers.ts"
import * as Ttl from "./Ttl.ts"
import type { Rule } from "./Violation.ts"

/**
 * How many random bytes go into every step.
 *
 * @since 1.0.0
 * @category constants
 */
export const entropyBytes: number = ENTROPY_BYTES

/**
 * @since 1.0.0
 * @category models
 */
export interface Step {
  readonly state: ChatState
  /** The `Write`s in order, then the `Act`s in order. */
  readonly outputs: ReadonlyArray<Output>
}

/**
 * The caller asked for something that this chat cannot do now. Nothing changed.
 *
 * - `not-ready`: there is no key yet
 * - `closed`: the chat is closed
 * - `phase`: there is nothing to request, accept or discard
 * - `random-id`: 0, or the random id of a message that is still under way
 * - `reserved`: an action that only the protocol itself may send
 * - `layer`: the peer's client is too old for the content
 * - `exhausted`: all sequence numbers are used up
 *
 * @since 1.0.0
 * @category errors
 */
export class Refusal extends Schema.TaggedError<Refusal>()("Refusal", {
  reason: Schema.Literals(["not-ready", "closed", "phase", "random-id", "reserved", "layer", "exhausted"]),
  /** One sentence for a person. */
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }
}

const refuse = (reason: Refusal["reason"], detail: string) => new Refusal({ reason, detail })

/**
 * One step of a chat. Total: it never throws for any input that its type admits.
 *
 * @since 1.0.0
 * @category running
 */
export const step = (state: ChatState, input: Input, ambient: Ambient): Result.Result<Step, Refusal> => {
  const d = new Draft(state, ambient)
  const refusal = run(d, input)
  if (refusal !== undefined) return Result.fail(refusal)
  settle(d, input)
  return Result.succeed({ state: d.state, outputs: d.outputs })
}

const run = (d: Draft, input: Input): Refusal | undefined => {
  switch (input._tag) {
    case "Start":
      start(d)
      return undefined
    case "Tick":
      tick(d)
      return undefined
    case "Request":
      if (d.state.phase._tag !== "New") return refuse("phase", "This secret chat exists already")
      Handshake.request(d, input)
      return undefined
    case "Accept":
      if (d.state.phase._tag === "Closed") return refuse("closed", "The secret chat is closed")
      if (d.state.phase._tag !== "Requested") {
        return refuse("phase", "There is no request to accept in this secret chat")
      }
      Handshake.accept(d, d.state.phase.peerValue)
      return undefined
    case "Discard":
      if (d.state.phase._tag === "New") return refuse("phase", "There is no secret chat to discard")
      if (d.state.phase._tag !== "Closed") Handshake.discard(d, input.deleteHistory)
      return undefined
    case "Send":
      return send(d, input)
    case "MarkRead":
      markRead(d, input.maxDate)
      return undefined
    case "Expired":
      expired(d, input)
      return undefined
    case "KeyPairGenerated":
      if (input.purpose._tag === "First") Handshake.keyPairGenerated(d, input.dh, input.own)
      else if (d.isReady) Rekey.keyPairGenerated(d, input.purpose.exchangeId, input.own)
      else d.wipe(input.own.secret)
      return undefined
    case "KeyAgreed":
      if (input.purpose._tag === "First") Handshake.agreed(d, input)
      else if (d.isReady) judge(d, Rekey.agreed(d, input.purpose.exchangeId, input))
      else {
        d.wipe(input.own.secret)
        d.wipe(input.key)
      }
      return undefined
    case "KeyRefused":
      if (input.purpose._tag === "First") Handshake.keyRefused(d, input)
      else if (d.isReady) judge(d, Rekey.refused(d, input.purpose.exchangeId))
      return undefined
    case "ServerChat":
      Handshake.serverChat(d, input.chat)
      return undefined
    case "HandshakeRefused":
      Handshake.refused(d, input.error, input.repeated)
      return undefined
    case "Probed":
      Handshake.probed(d, input.error)
      return undefined
    case "DiscardDone":
      if (d.state.phase._tag === "Closed") d.update({ phase: { ...d.state.phase, discard: false } })
      return undefined
    case "Sent":
      sent(d, input)
      return undefined
    case "Refused":
      refused(d, input)
      return undefined
    case "ReceivedEarly":
      Handshake.receivedEarly(d, input.frame)
      return undefined
    case "Reopened":
      d.update({ inbox: { ...d.state.inbox, early: [] } })
      return undefined
    case "Received":
      // a frame under the key that we offered: the server did take our acceptance
      Handshake.confirmed(d)
      if (d.isReady) judge(d, Receive.received(d, input))
      else d.notice("not-ready")
      return undefined
    case "ReadByPeer":
      readByPeer(d, input.maxDate, input.date)
      return undefined
    case "TypingByPeer":
      if (d.isReady) d.emit({ _tag: "Typing", date: d.date })
      return undefined
  }
}

/** A broken rule closes the chat, and the server is told. */
const judge = (d: Draft, broken: Rule | undefined): void => {
  if (broken !== undefined) d.close({ _tag: "Violation", rule: broken }, { discard: true, deleteHistory: false })
}

/** What a chat does of its own accord, at the end of every step. */
const settle = (d: Draft, input: Input): void => {
  if (!d.isReady) return
  if (Layers.isDue(d.state.layers)) {
    d.update({ layers: Layers.announce(d.state.layers) })
    d.sealProtocol({ _tag: "decryptedMessageActionNotifyLayer", layer: Layers.MINE })
  }
  Resend.ask(d)
  Rekey.settle(d)
  // only what uses a key, or the passing of time, makes it due
  switch (input._tag) {
    case "Start":
    case "Tick":
    case "Send":
    case "Received":
      if (Rekey.isDue(d.state.keys!, d.now)) Rekey.start(d)
  }
}

const start = (d: Draft): void => {
  Handshake.restart(d)
  if (!d.isReady) return
  Rekey.resume(d)
  if (d.state.inbox.early.length > 0) d.act({ _tag: "Reopen", frames: d.state.inbox.early })
  d.act({ _tag: "Flush" })
}

const tick = (d: Draft): void => {
  const { retryAt, ...outbox } = d.state.outbox
  if (retryAt === undefined || d.now < retryAt) return
  d.update({ outbox })
  d.act({ _tag: "Flush" })
}

// ----- messages of ours

const send = (d: Draft, { content, via }: Extract<Input, { _tag: "Send" }>): Refusal | undefined => {
  if (d.state.phase._tag === "Closed") return refuse("closed", "The secret chat is closed")
  if (!d.isReady) return refuse("not-ready", "The secret chat is not ready: the key exchange has not ended")
  if (d.state.sequence.myOut >= Sequence.CAPACITY) {
    return refuse("exhausted", "This secret chat has used up its sequence numbers; start a new one")
  }
  if (content.randomId === 0n) return refuse("random-id", "The random id of a message must not be 0")
  if (d.state.outbox.records.some((record) => record.randomId === content.randomId)) {
    return refuse("random-id", "A message with this random id is under way already")
  }
  if (content._tag === "decryptedMessage") {
    const sealed = d.seal(content, { kind: "message", via })
    if (Result.isFailure(sealed)) return refuse("layer", sealed.failure)
    const timer = Timers.make("outgoing", content)
    if (timer !== undefined) d.write({ _tag: "PutTimer", timer })
    return undefined
  }
  if (Actions.RESERVED.has(content.action._tag)) {
    return refuse("reserved", "This action belongs to the protocol itself and cannot be sent by hand")
  }
  Actions.applyOwn(d, content.action, { randomId: content.randomId, date: d.date })
  const sealed = d.seal(content, { kind: "action", via })
  return Result.isFailure(sealed) ? refuse("layer", sealed.failure) : undefined
}

const sent = (d: Draft, { date, record }: Extract<Input, { _tag: "Sent" }>): void => {
  if (!d.isReady) return
  d.update({ outbox: Outbox.recovered(d.state.outbox) })
  const present = Outbox.get(d.state.outbox, record.index)
  // an answer to a content that was replaced since says nothing of the new one
  if (present !== undefined && present.revision !== record.revision) return
  if (record.kind !== "message" && record.kind !== "action") return
  const { index, randomId } = record
  d.update({ ttl: Ttl.settle(d.state.ttl, randomId) })
  d.emit({ _tag: "MessageSent", randomId, index, date })
  d.write({ _tag: "DateTimer", randomId, date })
  const read = d.state.readByPeer
  if (read !== undefined && date <= read.maxDate) {
    d.write({ _tag: "StartViewed", direction: "outgoing", maxDate: read.maxDate, at: read.date })
  }
}

const refused = (d: Draft, { error, record }: Extract<Input, { _tag: "Refused" }>): void => {
  if (!d.isReady) return
  const { index, kind, randomId } = record
  const failed = () => {
    if (kind === "message" || kind === "action") {
      d.emit({ _tag: "MessageFailed", randomId, index, error, date: d.date })
      d.write({ _tag: "DropTimers", randomIds: [randomId] })
    }
  }
  switch (Outbox.judgeRefusal(d.state.outbox, record, error)) {
    case "Settled":
      return
    case "Stale":
      return d.act({ _tag: "Flush" })
    case "Close":
      // the peer may have it, in spite of the refusal: what is acknowledged has not failed
      if (Outbox.get(d.state.outbox, index)?.revision === record.revision) failed()
      return d.close(
        error.type === "ENCRYPTION_DECLINED" ? { _tag: "ByPeer" } : { _tag: "PeerGone" },
        { discard: true, deleteHistory: false }
      )
    case "Replace":
      failed()
      d.replace(Outbox.get(d.state.outbox, index)!)
      return Actions.withdrawTtl(d, randomId)
    case "Keep":
      return d.update({ outbox: Outbox.postpone(d.state.outbox, d.now) })
  }
}

// ----- reading and self-destruction

const markRead = (d: Draft, maxDate: number): void => {
  if (maxDate <= d.state.readUntil) return
  d.update({ readUntil: maxDate })
  d.write({ _tag: "StartViewed", direction: "incoming", maxDate, at: d.date })
  d.emit({ _tag: "MessagesRead", by: "me", maxDate, date: d.date })
  if (d.isReady) d.act({ _tag: "ReadHistory", maxDate })
}

const readByPeer = (d: Draft, maxDate: number, date: number): void => {
  const before = d.state.readByPeer
  if (before !== undefined && maxDate <= before.maxDate) return
  d.update({ readByPeer: { maxDate, date } })
  d.write({ _tag: "StartViewed", direction: "outgoing", maxDate, at: date })
  d.emit({ _tag: "MessagesRead", by: "peer", maxDate, date })
}

const expired = (d: Draft, { direction, randomIds }: Extract<Input, { _tag: "Expired" }>): void => {
  if (randomIds.length === 0) return
  // each side deletes by its own clock; the peer is not told
  d.write({ _tag: "DeleteMessages", randomIds })
  d.write({ _tag: "DropTimers", randomIds })
  d.emit({ _tag: "MessagesExpired", direction, randomIds, date: d.date })
}

// ----- queries

/**
 * The keys a frame of the peer may have been written with.
 *
 * @since 1.0.0
 * @category queries
 */
export const readingKeys = (state: ChatState): ReadonlyArray<Keys.ChatKey> =>
  state.keys !== undefined ? Keys.reading(state.keys) : state.phase._tag === "Confirming" ? [state.phase.key] : []

/**
 * The layer messages are written in: `DecryptedMessage.toLayer` of it tells
 * whether a message can be sent.
 *
 * @since 1.0.0
 * @category queries
 */
export const sendingLayer = (state: ChatState): number => Layers.sending(state.layers)

/**
 * The self-destruct timer of the chat in seconds, 0 = off: what a new message
 * takes as its `ttl`.
 *
 * @since 1.0.0
 * @category queries
 */
export const ttl = (state: ChatState): number => Ttl.current(state.ttl)

/**
 * When to step with `Tick`, in milliseconds; `undefined` if nothing waits.
 *
 * @since 1.0.0
 * @category queries
 */
export const nextWake = (state: ChatState): number | undefined => {
  const { hole } = state.inbox
  const { retryAt } = state.outbox
  if (hole?.retryAt === undefined) return retryAt
  return retryAt === undefined ? hole.retryAt : Math.min(retryAt, hole.retryAt)
}

export type { Ambient, Input } from "./Input.ts"
export type { Act, Output, Write } from "./Output.ts"
