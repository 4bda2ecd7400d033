/**
 * Everything one device knows about one secret chat, as a plain immutable value.
 *
 * The value is stored in three parts, so that a commit writes only what changed:
 *
 * - the head: phase, keys, counters (about 1 KB)
 * - one row for each message of ours that the peer has not acknowledged; beside
 *   it the store keeps the encrypted bytes
 * - one row for each message of the peer that arrived before its turn
 *
 * All of them hold secrets or content: they are to be stored sealed.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Inbox from "./Inbox.ts"
import { Dh, Keys } from "./Keys.ts"
import * as Layers from "./Layers.ts"
import * as Outbox from "./Outbox.ts"
import { Phase } from "./Phase.ts"
import * as Sequence from "./Sequence.ts"
import * as StoredJson from "./StoredJson.ts"
import * as Ttl from "./Ttl.ts"

const Head = Schema.Struct({
  /** Signed 32-bit number, chosen by the creator, the same on both sides. */
  chatId: Schema.Int,
  role: Sequence.Role,
  /** The other person; 0 while unknown. */
  userId: Schema.BigInt,
  /** Access hash of the user, needed for the request; 0 while unknown. */
  userAccessHash: Schema.BigInt,
  /** Access hash of the chat, part of every request; 0 while unknown. */
  accessHash: Schema.BigInt,
  /** Unix seconds of the server; when the chat was created. */
  date: Schema.Int,
  phase: Phase,
  dh: Schema.optionalKey(Dh),
  /** Present exactly in phase Ready. */
  keys: Schema.optionalKey(Keys),
  /** The 36 bytes of the key picture: of the first key, for the life of the chat. */
  keyHash: Schema.optionalKey(Schema.Uint8Array),
  sequence: Sequence.Sequence,
  layers: Layers.Layers,
  /** Self-destruct timer of the chat. */
  ttl: Ttl.Ttl,
  inbox: Inbox.Head,
  outbox: Outbox.Head,
  /** Date of the newest message of the peer that was reported as read. */
  readUntil: Schema.Int,
  /** Up to which date, and when, the peer has read ours. */
  readByPeer: Schema.optionalKey(Schema.Struct({ maxDate: Schema.Int, date: Schema.Int }))
})

/**
 * @since 1.0.0
 * @category models
 */
export interface ChatState extends Omit<Schema.Schema.Type<typeof Head>, "inbox" | "outbox"> {
  readonly inbox: Inbox.Inbox
  readonly outbox: Outbox.Outbox
}

/**
 * A chat of which nothing is known but its id.
 *
 * @since 1.0.0
 * @category constructors
 */
export const empty = (chatId: number): ChatState => ({
  chatId,
  role: "creator",
  userId: 0n,
  userAccessHash: 0n,
  accessHash: 0n,
  date: 0,
  phase: { _tag: "New" },
  sequence: Sequence.initial,
  layers: Layers.initial,
  ttl: Ttl.initial,
  inbox: Inbox.initial,
  outbox: Outbox.initial,
  readUntil: 0
})

/**
 * A stored part of a chat that cannot be read. Nothing of its content is in the
 * error.
 *
 * - `malformed`: not what this software writes
 * - `version`: written by a later version of it
 * - `rows`: the rows do not belong to the head
 *
 * @since 1.0.0
 * @category errors
 */
export class StateError extends Schema.TaggedError<StateError>()("StateError", {
  part: Schema.Literals(["head", "outbox", "pending"]),
  problem: Schema.Literals(["malformed", "version", "rows"])
}) {
  override get message(): string {
    switch (this.problem) {
      case "malformed":
        return `The stored ${this.part} of a secret chat is malformed`
      case "version":
        return `The stored ${this.part} of a secret chat was written by a later version of this software`
      case "rows":
        return `The stored ${this.part} of a secret chat does not belong to its head`
    }
  }
}

const VERSION = 1

const utf8 = new TextEncoder()
const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const readVersion = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Struct({ v: Schema.Int })))

/** JSON in an envelope that names its version; an older one gets its own reader here. */
const stored = <A, I>(
  part: StateError["part"],
  schema: Schema.Codec<A, I>,
  write: StoredJson.Write<A> = StoredJson.any(schema)
) => {
  const codec = Schema.fromJsonString(Schema.toCodecJson(Schema.Struct({ v: Schema.Literal(VERSION), value: schema })))
  const read = Schema.decodeUnknownResult(codec)
  return {
    encode: (value: A): Uint8Array => utf8.encode(`{"v":${VERSION},"value":${write(value)}}`),
    decode: (bytes: Uint8Array): Result.Result<A, StateError> => {
      let text: string
      try {
        text = utf8Strict.decode(bytes)
      } catch {
        return Result.fail(new StateError({ part, problem: "malformed" }))
      }
      const result = read(text)
      if (Result.isSuccess(result)) return Result.succeed(result.success.value)
      const version = readVersion(text)
      return Result.fail(
        new StateError({
          part,
          problem: Result.isSuccess(version) && version.success.v > VERSION ? "version" : "malformed"
        })
      )
    }
  }
}

const Summary = Schema.Struct({
  chatId: Head.fields.chatId,
  role: Head.fields.role,
  userId: Head.fields.userId,
  date: Head.fields.date,
  phase: Head.fields.phase,
  keyHash: Head.fields.keyHash,
  layers: Head.fields.layers,
  ttl: Head.fields.ttl
})

/**
 * What a list of chats shows: the part of the head that needs none of its keys.
 *
 * @since 1.0.0
 * @category models
 */
export interface Summary extends Schema.Schema.Type<typeof Summary> {}

const head = stored(
  "head",
  Head,
  StoredJson.struct(Head.fields, {
    keys: StoredJson.struct(Keys.fields),
    sequence: StoredJson.struct(Sequence.Sequence.fields),
    layers: StoredJson.struct(Layers.Layers.fields),
    inbox: StoredJson.struct(Inbox.Head.fields),
    outbox: StoredJson.struct(Outbox.Head.fields)
  })
)
const summary = stored("head", Summary)
const record = stored("outbox", Outbox.OutboxRecord, StoredJson.struct(Outbox.OutboxRecord.fields))
const pending = stored("pending", Inbox.Pending)

/**
 * The stored form of the head of a chat.
 *
 * @since 1.0.0
 * @category codecs
 */
export const encode = (state: ChatState): Uint8Array => head.encode(state)

/**
 * The summary of a chat from its stored head.
 *
 * @since 1.0.0
 * @category codecs
 */
export const decodeSummary: (head: Uint8Array) => Result.Result<Summary, StateError> = summary.decode

/**
 * The stored form of a row of the outbox.
 *
 * @since 1.0.0
 * @category codecs
 */
export const encodeRecord: (record: Outbox.OutboxRecord) => Uint8Array = record.encode

/**
 * @since 1.0.0
 * @category codecs
 */
export const decodeRecord: (bytes: Uint8Array) => Result.Result<Outbox.OutboxRecord, StateError> = record.decode

/**
 * The stored form of a message that waits for its turn.
 *
 * @since 1.0.0
 * @category codecs
 */
export const encodePending: (pending: Inbox.Pending) => Uint8Array = pending.encode

/**
 * @since 1.0.0
 * @category codecs
 */
export const decodePending: (bytes: Uint8Array) => Result.Result<Inbox.Pending, StateError> = pending.decode

/** What the phases rely on, beyond their own fields. */
const isCoherent = ({ dh, keyHash, keys, phase, sequence }: Schema.Schema.Type<typeof Head>): boolean => {
  if ((phase._tag === "Ready") !== (keys !== undefined)) return false
  if (sequence.hisIn > sequence.myOut) return false
  switch (phase._tag) {
    case "Waiting":
    case "Agreeing":
      return dh !== undefined
    case "Confirming":
    case "Ready":
      return dh !== undefined && keyHash !== undefined
    default:
      return true
  }
}

/**
 * A chat from its stored parts. Rows may come in any order; they must be exactly
 * those that belong to the head, for a chat that continues without one of them
 * breaks later, and at the peer.
 *
 * @since 1.0.0
 * @category codecs
 */
export const decode = (parts: {
  readonly head: Uint8Array
  readonly outbox: ReadonlyArray<Uint8Array>
  readonly pending: ReadonlyArray<Uint8Array>
}): Result.Result<ChatState, StateError> => {
  const top = head.decode(parts.head)
  if (Result.isFailure(top)) return Result.fail(top.failure)
  const state = top.success
  if (!isCoherent(state)) return Result.fail(new StateError({ part: "head", problem: "malformed" }))
  const records = Result.all(parts.outbox.map(decodeRecord))
  if (Result.isFailure(records)) return Result.fail(records.failure)
  const outbox = Outbox.restore(state.outbox, records.success, state.sequence)
  if (outbox === undefined) return Result.fail(new StateError({ part: "outbox", problem: "rows" }))
  const waiting = Result.all(parts.pending.map(decodePending))
  if (Result.isFailure(waiting)) return Result.fail(waiting.failure)
  const inbox = Inbox.restore(state.inbox, waiting.success, state.sequence)
  if (inbox === undefined) return Result.fail(new StateError({ part: "pending", problem: "rows" }))
  return Result.succeed({ ...state, inbox, outbox })
}
