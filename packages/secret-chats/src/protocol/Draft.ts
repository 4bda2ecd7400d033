/**
 * What a step is building: the next state and the outputs so far.
 *
 * A draft is a small mutable cursor that lives inside one step and is never seen
 * from outside. It holds the few moves that every rule needs, so that none of
 * them can be half done: making a message (number, record, use of the key),
 * replacing one, becoming ready, closing.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import type { ChatState } from "./ChatState.ts"
import * as Content from "./Content.ts"
import type { CloseReason, Event } from "./Events.ts"
import * as Inbox from "./Inbox.ts"
import type { Ambient, Via } from "./Input.ts"
import * as Keys from "./Keys.ts"
import * as Layers from "./Layers.ts"
import * as Outbox from "./Outbox.ts"
import type { Act, Notice, Output, Write } from "./Output.ts"
import * as Phase from "./Phase.ts"
import * as Sequence from "./Sequence.ts"

/**
 * Random bytes one step may use: eight 64-bit numbers. A step makes at most one
 * message of each kind of its own accord (NotifyLayer, AbortKey, Resend, Noop,
 * one step of a key exchange) and one exchange id.
 *
 * @since 1.0.0
 * @category constants
 */
export const ENTROPY_BYTES = 64

/**
 * @since 1.0.0
 * @category models
 */
export class Draft {
  state: ChatState
  /** The key in use for sending is new in this step, and nothing was sent with it yet. */
  silentSinceSwap = false
  /** An exchange of the peer that is to be declined at the end of the step. */
  abort: bigint | undefined = undefined
  readonly now: number
  private readonly writes: Array<Write> = []
  private acts: Array<Act> = []
  private readonly entropy: DataView
  private used = 0
  private flush = false

  constructor(state: ChatState, ambient: Ambient) {
    this.state = state
    this.now = ambient.now
    this.entropy = new DataView(ambient.entropy.buffer, ambient.entropy.byteOffset, ambient.entropy.byteLength)
  }

  /** The local clock in unix seconds. */
  get date(): number {
    return Math.floor(this.now / 1000)
  }

  get isReady(): boolean {
    return this.state.phase._tag === "Ready"
  }

  update(part: Partial<ChatState>): void {
    this.state = { ...this.state, ...part }
  }

  write(output: Write): void {
    this.writes.push(output)
  }

  act(output: Act): void {
    if (output._tag === "Flush") this.flush = true
    else this.acts.push(output)
  }

  emit(event: Event): void {
    this.writes.push({ _tag: "Emit", event })
  }

  notice(notice: Notice): void {
    this.acts.push({ _tag: "Notice", notice })
  }

  wipe(bytes: Uint8Array): void {
    this.acts.push({ _tag: "Wipe", bytes })
  }

  /** A random 64-bit number, signed, not 0. */
  randomLong(): bigint {
    const long = this.entropy.getBigInt64(this.used, true)
    this.used += 8
    return long === 0n ? 1n : long
  }

  get outputs(): ReadonlyArray<Output> {
    return this.flush ? [...this.writes, ...this.acts, { _tag: "Flush" }] : [...this.writes, ...this.acts]
  }

  // ----- messages of ours

  /**
   * Makes a message: it gets its number and its layer now, and keeps them. Fails
   * with one sentence if the peer's client is too old for it; nothing has changed
   * then.
   */
  seal(content: Content.Content, options: {
    readonly kind: "message" | "action" | "protocol"
    readonly via: Via
  }): Result.Result<void, string> {
    const { layers, role, sequence } = this.state
    const keys = this.state.keys!
    // after 2^30 messages the chat is mute: a number must not come twice
    if (sequence.myOut >= Sequence.CAPACITY) return Result.fail("This secret chat has used up its sequence numbers")
    const layer = Layers.sending(layers)
    const wire = Content.toWire(layer, content)
    if (Result.isFailure(wire)) return Result.fail(wire.failure)
    const record: Outbox.OutboxRecord = {
      index: sequence.myOut,
      randomId: content.randomId,
      kind: options.kind,
      inIndex: sequence.myIn,
      layer,
      revision: 0
    }
    this.write({
      _tag: "Seal",
      record,
      key: keys.current,
      ...Sequence.toWire(role, { inIndex: record.inIndex, outIndex: record.index }),
      content: wire.success,
      via: options.via,
      silent: content._tag === "decryptedMessage" && content.silent === true
    })
    this.update({
      sequence: { ...sequence, myOut: sequence.myOut + 1 },
      outbox: Outbox.append(this.state.outbox, record),
      keys: { ...keys, uses: keys.uses + 1 }
    })
    this.silentSinceSwap = false
    this.flush = true
    return Result.void
  }

  /** Makes a service message of the protocol itself; every layer in use has them all. */
  sealProtocol(action: Content.Action): void {
    this.seal(Content.service(this.randomLong(), action), { kind: "protocol", via: "service" })
  }

  /**
   * Replaces the content of an unacknowledged message by its own deletion: same
   * numbers, same random id, the key it was made with; no file, no notification.
   *
   * The key matters: the peer gives up the old key when it sees the new one in
   * order. A message from before the switch that came back under the new key would
   * make it do so while others under the old key are still missing. (TDLib takes
   * the present key.)
   */
  replace(record: Outbox.OutboxRecord): void {
    const replaced = Outbox.replace(this.state.outbox, record)
    this.write({
      _tag: "Seal",
      record: replaced.record,
      key: Keys.writing(this.state.keys!, record.index),
      ...Sequence.toWire(this.state.role, { inIndex: record.inIndex, outIndex: record.index }),
      content: Content.selfDelete(record.randomId),
      via: "message",
      silent: true
    })
    this.update({ outbox: replaced.outbox })
    this.flush = true
  }

  /** Removes the stored history and what would delete parts of it later. */
  deleteHistory(): void {
    this.write({ _tag: "DeleteHistory" })
    this.write({ _tag: "DropTimers" })
  }

  // ----- the life of the chat

  /** The key is agreed on: the first message says which layer we speak. */
  becomeReady(key: Keys.ChatKey, keyHash: Uint8Array): void {
    this.update({
      phase: { _tag: "Ready" },
      keys: Keys.initial(key, this.now),
      keyHash,
      layers: Layers.announce(this.state.layers)
    })
    this.emit({ _tag: "ChatReady", keyHash, date: this.date })
    this.sealProtocol({ _tag: "decryptedMessageActionNotifyLayer", layer: Layers.MINE })
    if (this.state.inbox.early.length > 0) this.act({ _tag: "Reopen", frames: this.state.inbox.early })
  }

  /**
   * Ends the chat: no key, no message under way, nothing waiting is left. What is
   * in the history stays, and its timers run on, unless `deleteHistory`.
   * `discard`: the server has to be told.
   */
  close(reason: CloseReason, options: { readonly discard: boolean; readonly deleteHistory: boolean }): void {
    const { keys, phase, ...kept } = this.state
    // what was to be computed or sent is of no use any more
    this.acts = this.acts.filter((act) => act._tag === "Wipe" || act._tag === "Notice")
    for (const secret of Phase.secrets(phase)) this.wipe(secret)
    if (keys !== undefined) { for (const secret of Keys.secrets(keys)) this.wipe(secret) }
    for (const { index } of this.state.inbox.pending) this.write({ _tag: "Release", index })
    this.write({ _tag: "Forget", before: this.state.sequence.myOut })
    if (options.deleteHistory) this.deleteHistory()
    this.emit({ _tag: "ChatClosed", reason, historyDeleted: options.deleteHistory, date: this.date })
    this.state = {
      ...kept,
      phase: { _tag: "Closed", reason, ...options },
      sequence: { ...kept.sequence, hisIn: kept.sequence.myOut },
      inbox: Inbox.initial,
      outbox: Outbox.initial
    }
    this.flush = false
    if (options.discard) this.act({ _tag: "DiscardEncryption", deleteHistory: options.deleteHistory })
  }
}
