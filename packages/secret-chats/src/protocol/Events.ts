/**
 * What the user of a chat sees, in the order in which it happened.
 *
 * An event belongs to the transaction that caused it and is delivered at least
 * once; whoever consumes events tells repeats apart by their content (`index`,
 * `randomId`). Only `Typing` is never stored.
 *
 * `date` is unix seconds: of the server where it came with a message, of the
 * local clock otherwise. `index` is the raw sequence number of a message among
 * those of its side.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Content from "./Content.ts"
import * as StoredJson from "./StoredJson.ts"
import { Rule } from "./Violation.ts"

/**
 * Who did it.
 *
 * @since 1.0.0
 * @category models
 */
export const Side = Schema.Literals(["me", "peer"])

/**
 * @since 1.0.0
 * @category models
 */
export type Side = typeof Side.Type

/**
 * An error as the server said it: `code` (400, 403, 420, 500) and `type`
 * ("ENCRYPTION_DECLINED").
 *
 * @since 1.0.0
 * @category models
 */
export const ServerError = Schema.Struct({ code: Schema.Int, type: Schema.String })

/**
 * @since 1.0.0
 * @category models
 */
export interface ServerError extends Schema.Schema.Type<typeof ServerError> {}

/**
 * Why a chat is closed.
 *
 * - `ByMe`: discarded, declined or cancelled here
 * - `ByPeer`: discarded by the peer
 * - `Declined`: the peer refused our request
 * - `Withdrawn`: a request to us is gone: whoever asked has cancelled it, or
 *   another device of this account took it (the server does not say which)
 * - `TakenElsewhere`: another device of this account took it
 * - `Violation`: the peer broke a rule of the protocol
 * - `KeyCheck`: the first key exchange failed a check
 * - `PeerGone`: the account of the peer was deleted
 * - `Refused`: the server refused to create, accept or carry on the chat
 *
 * @since 1.0.0
 * @category models
 */
export const CloseReason = Schema.Union([
  Schema.TaggedStruct("ByMe", {}),
  Schema.TaggedStruct("ByPeer", {}),
  Schema.TaggedStruct("Declined", {}),
  Schema.TaggedStruct("Withdrawn", {}),
  Schema.TaggedStruct("TakenElsewhere", {}),
  Schema.TaggedStruct("Violation", { rule: Rule }),
  Schema.TaggedStruct("KeyCheck", {
    check: Schema.Literals(["parameters", "public-value", "fingerprint", "chat-id"])
  }),
  Schema.TaggedStruct("PeerGone", {}),
  Schema.TaggedStruct("Refused", { error: ServerError })
])

/**
 * @since 1.0.0
 * @category models
 */
export type CloseReason = typeof CloseReason.Type

/**
 * The file that came beside an encrypted message (`encryptedFile`).
 *
 * @since 1.0.0
 * @category models
 */
export const FileReference = Schema.Struct({
  id: Schema.BigInt,
  accessHash: Schema.BigInt,
  size: Schema.BigInt,
  dcId: Schema.Int,
  keyFingerprint: Schema.Int
})

/**
 * @since 1.0.0
 * @category models
 */
export interface FileReference extends Schema.Schema.Type<typeof FileReference> {}

const date = Schema.Int
const randomId = Schema.BigInt
const randomIds = Schema.Array(Schema.BigInt)
const index = Schema.Int

/**
 * - `ChatRequested`: somebody asks for a chat; nothing happens until it is accepted or declined
 * - `ChatWaiting`: the server knows our request, the peer has not answered
 * - `ChatReady`: a key is agreed on. `keyHash` is the 36 bytes of the key picture, for the life of the chat
 * - `ChatClosed`
 * - `NewMessage`
 * - `UnsupportedMessage`: a message of the peer that cannot be read here
 * - `MessageSent`: the server took a message
 * - `MessageDelivered`: the peer's client has processed it, for it acknowledged its number
 * - `MessageFailed`: the server refused it for good; the peer will not see it
 * - `TtlChanged`: the self-destruct timer of the chat in seconds, 0 = off; one setting for both sides
 * - `ContentOpened`: media of these messages was opened; by the peer: of ours
 * - `MessagesRead`: messages with a date up to `maxDate` were read; by the peer: ours
 * - `MessagesDeleted`, `HistoryFlushed`, `Screenshot`
 * - `Typing`: never stored. `action` is the TL name of what the peer does, absent when only the server's signal came
 * - `MessagesExpired`: their self-destruct time has come
 * - `LayerChanged`: the highest layer the peer has shown
 * - `Rekeyed`: new keys are in use for sending
 * - `RekeyAbandoned`: an exchange ended without a new key, the present one stays
 * - `MessagesMissing`: these numbers of the peer have been asked for `attempts` times; what follows them waits
 *
 * @since 1.0.0
 * @category models
 */
export const Event = Schema.Union([
  Schema.TaggedStruct("ChatRequested", { userId: Schema.BigInt, date }),
  Schema.TaggedStruct("ChatWaiting", { date }),
  Schema.TaggedStruct("ChatReady", { keyHash: Schema.Uint8Array, date }),
  Schema.TaggedStruct("ChatClosed", { reason: CloseReason, historyDeleted: Schema.Boolean, date }),
  Schema.TaggedStruct("NewMessage", {
    randomId,
    index,
    date,
    message: Content.Message,
    file: Schema.optionalKey(FileReference)
  }),
  Schema.TaggedStruct("UnsupportedMessage", { randomId, index, date }),
  Schema.TaggedStruct("MessageSent", { randomId, index, date }),
  Schema.TaggedStruct("MessageDelivered", { randomId, index, date }),
  Schema.TaggedStruct("MessageFailed", { randomId, index, error: ServerError, date }),
  Schema.TaggedStruct("TtlChanged", { by: Side, ttl: Schema.Int, randomId, date }),
  Schema.TaggedStruct("ContentOpened", { by: Side, randomIds, date }),
  Schema.TaggedStruct("MessagesRead", { by: Side, maxDate: Schema.Int, date }),
  Schema.TaggedStruct("MessagesDeleted", { by: Side, randomIds, date }),
  Schema.TaggedStruct("HistoryFlushed", { by: Side, date }),
  Schema.TaggedStruct("Screenshot", { by: Side, randomIds, date }),
  Schema.TaggedStruct("Typing", { action: Schema.optionalKey(Schema.String), date }),
  Schema.TaggedStruct("MessagesExpired", {
    direction: Schema.Literals(["incoming", "outgoing"]),
    randomIds,
    date
  }),
  Schema.TaggedStruct("LayerChanged", { layer: Schema.Int, date }),
  Schema.TaggedStruct("Rekeyed", { startedBy: Side, date }),
  Schema.TaggedStruct("RekeyAbandoned", { reason: Schema.Literals(["ByPeer", "Collision", "PublicValue"]), date }),
  Schema.TaggedStruct("MessagesMissing", { from: index, to: index, attempts: Schema.Int, date })
])

/**
 * @since 1.0.0
 * @category models
 */
export type Event = typeof Event.Type

/**
 * A stored event that cannot be read.
 *
 * @since 1.0.0
 * @category errors
 */
export class EventError extends Schema.TaggedError<EventError>()("EventError", {}) {
  override get message(): string {
    return "A stored event of a secret chat is malformed"
  }
}

const Stored = Schema.fromJsonString(Schema.toCodecJson(Schema.Struct({ v: Schema.Literal(1), event: Event })))
const encodeStored = Schema.encodeSync(Stored)
const decodeStored = Schema.decodeUnknownResult(Stored)
const utf8 = new TextEncoder()
const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * The stored form of an event.
 *
 * @since 1.0.0
 * @category codecs
 */
export const encode = (event: Event): Uint8Array => {
  const text = plain(event)
  return utf8.encode(text === undefined ? encodeStored({ v: 1, event }) : `{"v":1,"event":${text}}`)
}

/** Most events, and messages without media, are made of numbers and texts. */
const plain = (event: Event): string | undefined => {
  if (event._tag !== "NewMessage") return StoredJson.flat(event)
  if (event.file !== undefined) return undefined
  const { message: content, ...rest } = event
  const message = StoredJson.flat(content)
  return message === undefined ? undefined : `${StoredJson.flat(rest)!.slice(0, -1)},"message":${message}}`
}

/**
 * @since 1.0.0
 * @category codecs
 */
export const decode = (bytes: Uint8Array): Result.Result<Event, EventError> => {
  let text: string
  try {
    text = utf8Strict.decode(bytes)
  } catch {
    return Result.fail(new EventError())
  }
  const result = decodeStored(text)
  return Result.isSuccess(result) ? Result.succeed(result.success.event) : Result.fail(new EventError())
}
