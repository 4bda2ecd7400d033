/**
 * One transaction of one chat in the making: steps of the machine, one after the other, and what they want written.
 *
 * Synchronous and without effects beyond drawing random bytes: it can be thrown away and made again from a newer state,
 * which is what happens when another process was faster.
 *
 * @since 1.0.0
 */
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { isTlError } from "@effect-mtproto/core/TlError"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as CryptoErrors from "@effect-mtproto/crypto/CryptoError"
import * as Frame from "@effect-mtproto/crypto/Frame"
import * as Result from "effect/Result"
import * as ChatState from "../protocol/ChatState.ts"
import type * as Content from "../protocol/Content.ts"
import * as Events from "../protocol/Events.ts"
import type { Input } from "../protocol/Input.ts"
import * as Machine from "../protocol/Machine.ts"
import type { OutboxRecord } from "../protocol/Outbox.ts"
import type { Act, Output, Write as MachineWrite } from "../protocol/Output.ts"
import * as Wrapper from "../protocol/Wrapper.ts"
import * as Errors from "../SecretChatError.ts"
import type { Change, Write } from "../SecretChatStore.ts"
import * as HistoryFile from "./historyFile.ts"
import { hashOf, sharedKey } from "./keys.ts"
import * as Packet from "./packet.ts"
import { isOutstanding, publicState, refused } from "./state.ts"

/** A message of ours as it is sent. @internal */
export interface OutboxEntry {
  readonly record: OutboxRecord
  readonly packet: Packet.Packet
}

type Seal = Extract<MachineWrite, { readonly _tag: "Seal" }>

/** What a job left behind, in order. @internal */
export type Entry =
  | { readonly _tag: "Sealed"; readonly entry: OutboxEntry }
  | { readonly _tag: "SendAgain"; readonly from: number; readonly to: number }
  | { readonly _tag: "Forget"; readonly before: number }
  | { readonly _tag: "Taken"; readonly record: OutboxRecord; readonly packet?: Packet.Packet; readonly again: boolean }
  | { readonly _tag: "Event"; readonly event: Events.Event }
  | { readonly _tag: "Outgoing"; readonly index: number; readonly message: Content.Message }
  | { readonly _tag: "Change"; readonly change: Change }

/** Positions of one version; far more than one transaction can need. */
const positionsPerVersion = 65_536

const wrapper = TlCodec.make(SecretApi.DecryptedMessageLayer)

/** The stored form of a message in the history: boxed TL, the current constructor. @internal */
export const encodeMessage: (message: Content.Message) => Uint8Array = TlCodec.encode(SecretApi.DecryptedMessage)

/** @internal */
export type StepError =
  | Errors.SecretChatNotReady
  | Errors.SecretChatClosed
  | Errors.MessageInvalid
  | Errors.CryptoError

interface Savepoint {
  readonly state: ChatState.ChatState
  readonly entries: number
  readonly acts: number
  readonly hooks: number
}

/** @internal */
export class Work {
  state: ChatState.ChatState
  /** Whether the chat is in the store. */
  readonly stored: boolean
  readonly now: number
  readonly entries: Array<Entry> = []
  readonly acts: Array<Act> = []
  /** Called after the commit, before anybody hears of it. */
  readonly hooks: Array<() => void> = []
  forgotten = false
  /** Something that came could not be made use of. If the state is out of date, that may be why. */
  isDoubtful = false
  readonly crypto: Crypto["Service"]
  private readonly initial: ChatState.ChatState

  constructor(options: {
    readonly state: ChatState.ChatState
    readonly stored: boolean
    readonly now: number
    readonly crypto: Crypto["Service"]
  }) {
    this.state = this.initial = options.state
    this.stored = options.stored
    this.now = options.now
    this.crypto = options.crypto
  }

  get chatId(): number {
    return this.state.chatId
  }

  /** Whether there is something to commit. */
  get isChanged(): boolean {
    return this.forgotten || this.state !== this.initial || this.entries.some((entry) => !isTyping(entry))
  }

  savepoint(): Savepoint {
    return { state: this.state, entries: this.entries.length, acts: this.acts.length, hooks: this.hooks.length }
  }

  rollback(to: Savepoint): void {
    this.state = to.state
    this.entries.length = to.entries
    this.acts.length = to.acts
    this.hooks.length = to.hooks
  }

  /** The chat, and all that belongs to it, is to be deleted. */
  forget(): void {
    this.forgotten = true
  }

  /** Calls `hook` once this work is committed; never if it is not. */
  onCommit(hook: () => void): void {
    this.hooks.push(hook)
  }

  /** The record of a message of ours, if it is still kept in this revision. */
  current(record: OutboxRecord): boolean {
    const { records } = this.state.outbox
    const first = records[0]?.index ?? 0
    return records[record.index - first]?.revision === record.revision
  }

  /** One step. When it fails the work is as it was before; the file belongs to the message that is sent by it. */
  step(input: Input, file?: Uint8Array): Result.Result<ReadonlyArray<Output>, StepError> {
    const entropy = this.crypto.randomBytes(Machine.entropyBytes)
    const stepped = Machine.step(this.state, input, { now: this.now, entropy })
    if (Result.isFailure(stepped)) return Result.fail(refused(this.state, stepped.failure))
    const savepoint = this.savepoint()
    if (isUseless(input, stepped.success, this.state)) this.isDoubtful = true
    this.state = stepped.success.state
    try {
      for (const output of stepped.success.outputs) this.take(output, file)
    } catch (error) {
      this.rollback(savepoint)
      if (isTlError(error)) {
        return Result.fail(new Errors.MessageInvalid({ path: error.path, problem: `expected ${error.expected}` }))
      }
      if (error instanceof CryptoErrors.CryptoError) {
        const { description, operation, reason } = error
        return Result.fail(new Errors.CryptoError({ operation, reason, description }))
      }
      throw error
    }
    if (input._tag === "Send" && input.content._tag === "decryptedMessage") {
      const message = input.content
      const sealed = stepped.success.outputs.find((output): output is Seal =>
        output._tag === "Seal" && output.record.randomId === message.randomId && output.record.revision === 0
      )
      if (sealed !== undefined) this.entries.push({ _tag: "Outgoing", index: sealed.record.index, message })
    }
    return Result.succeed(stepped.success.outputs)
  }

  /** Opens a frame of the peer and takes it in; a frame that cannot be opened changes nothing. */
  receive(frame: {
    readonly bytes: Uint8Array
    readonly randomId: bigint
    readonly date: number
    readonly file?: Events.FileReference
  }): Result.Result<void, StepError> {
    const { bytes, ...envelope } = frame
    const keys = Machine.readingKeys(this.state)
    if (keys.length === 0) return discard(this.step({ _tag: "ReceivedEarly", frame }))
    const opened = Frame.open(this.crypto, {
      keys: keys.map((key) => sharedKey(this.crypto, key)),
      fromCreator: this.state.role !== "creator",
      frame: bytes
    })
    if (Result.isFailure(opened)) {
      this.isDoubtful = true
      return Result.void
    }
    const { key, payload } = opened.success
    return discard(this.step({ _tag: "Received", payload, key: key.id, ...envelope }))
  }

  /**
   * Notes that the server has taken a message of ours. With a file: `packet` is how it is sent if it has to go out again,
   * and the history has to know where the file is.
   */
  taken(
    record: OutboxRecord,
    date: number,
    file?: { readonly packet: Packet.Packet; readonly reference: Events.FileReference },
    again = false
  ): Result.Result<void, StepError> {
    // An answer to bytes that were replaced meanwhile says nothing about the new ones.
    if (this.current(record)) {
      this.entries.push({ _tag: "Taken", record, again, ...(file === undefined ? {} : { packet: file.packet }) })
      if (file !== undefined) {
        const { randomId } = record
        this.change({ _tag: "SetMessageState", randomId, state: "sent", file: HistoryFile.encode(file.reference) })
      }
    }
    return discard(this.step({ _tag: "Sent", record, date }))
  }

  /** The events of the last {@link write}, in the order in which it appends them. */
  appended: ReadonlyArray<Events.Event> = []

  /** Random ids of the incoming messages that are new in this work. */
  get incoming(): ReadonlyArray<bigint> {
    return this.entries.flatMap((entry) =>
      entry._tag === "Event" && entry.event._tag === "NewMessage" ? [entry.event.randomId] : []
    )
  }

  /**
   * The transaction. `known` are random ids of incoming messages that the history has already: a second message with such
   * an id is neither stored nor reported. `isSending` says whether messages wait to be sent afterwards.
   */
  write(expected: number, known: ReadonlyArray<bigint>, isSending: boolean): Write {
    if (this.forgotten) {
      this.appended = []
      return { chatId: this.chatId, expected, chat: undefined, changes: [] }
    }
    const version = expected + 1
    const changes: Array<Change> = []
    const appended: Array<Events.Event> = []
    this.appended = appended
    const seen = new Set(known)
    let position = version * positionsPerVersion
    // Where the last change of the outbox stands, so that one range says that a row of messages was taken.
    let outbox = -1
    for (const entry of this.entries) {
      switch (entry._tag) {
        case "Sealed": {
          const { packet, record } = entry.entry
          outbox = changes.push({
            _tag: "PutOutbox",
            index: record.index,
            randomId: record.randomId,
            record: ChatState.encodeRecord(record),
            packet: Packet.encode(packet)
          }) - 1
          break
        }
        case "Taken": {
          const { index } = entry.record
          if (entry.packet !== undefined) {
            outbox = changes.push({
              _tag: "PutOutbox",
              index,
              randomId: entry.record.randomId,
              record: ChatState.encodeRecord(entry.record),
              packet: Packet.encode(entry.packet)
            }) - 1
          }
          if (entry.again) break
          const last = changes[outbox]
          if (last?._tag === "MarkSent" && last.to + 1 === index) changes[outbox] = { ...last, to: index }
          else outbox = changes.push({ _tag: "MarkSent", from: index, to: index }) - 1
          break
        }
        case "SendAgain":
          outbox = changes.push({ _tag: "MarkUnsent", from: entry.from, to: entry.to }) - 1
          break
        case "Forget":
          changes.push({ _tag: "ForgetOutbox", before: entry.before })
          break
        case "Outgoing":
          changes.push({
            _tag: "PutMessage",
            message: {
              position: position++,
              randomId: entry.message.randomId,
              outgoing: true,
              index: entry.index,
              state: "queued",
              date: Math.floor(this.now / 1000),
              failure: undefined,
              data: encodeMessage(entry.message)
            }
          })
          break
        case "Event": {
          const { event } = entry
          if (event._tag === "Typing") break
          if (event._tag === "NewMessage") {
            if (seen.has(event.randomId)) break
            seen.add(event.randomId)
            changes.push({
              _tag: "PutMessage",
              message: {
                position: position++,
                randomId: event.randomId,
                outgoing: false,
                index: event.index,
                state: "received",
                date: event.date,
                failure: undefined,
                data: encodeMessage(event.message),
                ...(event.file === undefined ? {} : { file: HistoryFile.encode(event.file) })
              }
            })
          }
          appended.push(event)
          changes.push({ _tag: "AppendEvent", data: Events.encode(event) }, ...historyOf(event))
          break
        }
        case "Change":
          changes.push(entry.change)
          break
      }
    }
    const wakeAt = isSending || isOutstanding(this.state) ? 0 : Machine.nextWake(this.state)
    return {
      chatId: this.chatId,
      expected,
      chat: { phase: publicState(this.state), wakeAt, head: ChatState.encode(this.state) },
      changes
    }
  }

  private take(output: Output, file: Uint8Array | undefined): void {
    switch (output._tag) {
      case "Seal":
        this.entries.push({ _tag: "Sealed", entry: this.seal(output, file) })
        return
      case "Forget":
        this.entries.push({ _tag: "Forget", before: output.before })
        return
      case "SendAgain":
        this.entries.push({ _tag: "SendAgain", from: output.from, to: output.to })
        return
      case "Emit":
        this.entries.push({ _tag: "Event", event: output.event })
        return
      case "Hold":
        this.change({
          _tag: "PutPending",
          index: output.pending.index,
          data: ChatState.encodePending(output.pending)
        })
        return
      case "Release":
        this.change({ _tag: "DropPending", index: output.index })
        return
      case "DeleteMessages":
        this.change({ _tag: "DeleteMessages", randomIds: output.randomIds })
        return
      case "DeleteHistory":
        this.change({ _tag: "DeleteHistory" })
        return
      case "Remember":
        this.change({ _tag: "Remember", hash: hashOf(this.crypto, output.value) })
        return
      case "PutTimer": {
        const { date, direction, randomId, startsOn, ttl } = output.timer
        this.change({
          _tag: "PutTimer",
          timer: { outgoing: direction === "outgoing", randomId, ttl, startsOn, date }
        })
        return
      }
      case "DateTimer":
        this.change({ _tag: "DateTimer", randomId: output.randomId, date: output.date })
        return
      case "StartViewed":
        this.change({
          _tag: "StartViewed",
          outgoing: output.direction === "outgoing",
          maxDate: output.maxDate,
          at: output.at
        })
        return
      case "StartOpened":
        this.change({
          _tag: "StartOpened",
          outgoing: output.direction === "outgoing",
          randomIds: output.randomIds,
          at: output.at
        })
        return
      case "DropTimers":
        this.change({ _tag: "DropTimers", randomIds: output.randomIds })
        return
      case "Reopen":
        // In the same transaction, and before anything that came later.
        for (const frame of output.frames) this.receive(frame)
        this.step({ _tag: "Reopened" })
        return
      default:
        this.acts.push(output)
    }
  }

  private change(change: Change): void {
    this.entries.push({ _tag: "Change", change })
  }

  private seal(output: Seal, file: Uint8Array | undefined): OutboxEntry {
    const { content, inSeqNo, key, outSeqNo, record, silent, via } = output
    const data = TlCodec.withEncoded(wrapper, {
      _tag: "decryptedMessageLayer",
      randomBytes: this.crypto.randomBytes(Wrapper.RANDOM_BYTES),
      layer: record.layer,
      inSeqNo,
      outSeqNo,
      message: content
    }, (payload) =>
      Frame.seal(this.crypto, {
        key: sharedKey(this.crypto, key),
        fromCreator: this.state.role === "creator",
        payload
      }))
    return { record, packet: { via, silent, ...(via === "file" && file !== undefined ? { file } : {}), data } }
  }
}

const discard = <E>(result: Result.Result<unknown, E>): Result.Result<void, E> => Result.map(result, () => undefined)

/** Whether something from outside has left no trace. What came before, and comes again, never does. */
const isUseless = (input: Input, { outputs, state }: Machine.Step, before: ChatState.ChatState): boolean =>
  ["Received", "ReceivedEarly", "ServerChat"].includes(input._tag) && state === before &&
  outputs.every((output) => output._tag === "Notice" && output.notice !== "duplicate")

const isTyping = (entry: Entry): boolean => entry._tag === "Event" && entry.event._tag === "Typing"

/** What an event means for the messages of the history. */
const historyOf = (event: Events.Event): ReadonlyArray<Change> => {
  switch (event._tag) {
    case "MessageSent":
      return [{ _tag: "SetMessageState", randomId: event.randomId, state: "sent", date: event.date }]
    case "MessageDelivered":
      return [{ _tag: "SetMessageState", randomId: event.randomId, state: "delivered" }]
    case "MessageFailed":
      return [{
        _tag: "SetMessageState",
        randomId: event.randomId,
        state: "failed",
        failure: `${event.error.code} ${event.error.type}`
      }]
    case "MessagesRead":
      return [{ _tag: "ReadMessages", outgoing: event.by === "peer", maxDate: event.maxDate }]
    default:
      return []
  }
}
