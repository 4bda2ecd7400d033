/**
 * Everything that can go wrong with a secret chat, one class an error, so that `Effect.catchTag` works.
 *
 * **Errors of the server** keep what the server said: `code` (400, 403, 420, 500) and `type` (`DATA_INVALID`). Each
 * documented one has its own class; any other is an {@link RpcError}.
 *
 * **Local errors** were found before anything was sent, or say that the store or the network could not do its part.
 *
 * Each error has a field `sent`: when a long text is sent in parts, or many ids in several actions, and part k fails, it
 * holds the k-1 outcomes that were already obtained; it is empty in every other case.
 *
 * No error holds a key, a plaintext or a phone number, and every message is a sentence for a person.
 *
 * @since 1.0.0
 */
import * as CryptoErrors from "@effect-mtproto/crypto/CryptoError"
import * as Transport from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Outcome } from "./Outcome.ts"
import * as Events from "./protocol/Events.ts"

const identifier = (tag: string) => `@effect-mtproto/secret-chats/SecretChatError/${tag}`

const sentField = { sent: Schema.Array(Outcome).pipe(Schema.withConstructorDefault(Effect.succeed([]))) }

const serverFields = {
  /** 400, 403, 420, 500, … */
  code: Schema.Int,
  /** The string of the server, as it came. */
  type: Schema.String,
  ...sentField
}

const after = ({ sent }: { readonly sent: ReadonlyArray<unknown> }): string =>
  sent.length === 0 ? "" : `; ${sent.length} part${sent.length === 1 ? " was" : "s were"} sent before`

const said = (
  what: string,
  error: { readonly code: number; readonly type: string; readonly sent: ReadonlyArray<unknown> }
): string => `${what} (${error.code} ${error.type})${after(error)}`

// ----- documented errors of the server

/**
 * The server rejected the encrypted data (`DATA_INVALID`).
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class DataInvalid
  extends Schema.TaggedError<DataInvalid>(identifier("DataInvalid"))("DataInvalid", serverFields)
{
  override get message(): string {
    return said("The server rejected the encrypted data", this)
  }
}

/**
 * The chat was declined or discarded (`ENCRYPTION_DECLINED`); it is closed.
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class EncryptionDeclined
  extends Schema.TaggedError<EncryptionDeclined>(identifier("EncryptionDeclined"))("EncryptionDeclined", serverFields)
{
  override get message(): string {
    return said("The secret chat was declined", this)
  }
}

/**
 * A call that this one had to wait for failed (`MSG_WAIT_FAILED`), or took too long (`MSG_WAIT_TIMEOUT`), again and again:
 * it was retried a bounded number of times before.
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class MsgWaitFailed
  extends Schema.TaggedError<MsgWaitFailed>(identifier("MsgWaitFailed"))("MsgWaitFailed", serverFields)
{
  override get message(): string {
    return said("A call that this one waits for failed", this)
  }
}

/**
 * The other side blocked us (`USER_IS_BLOCKED`).
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class UserIsBlocked
  extends Schema.TaggedError<UserIsBlocked>(identifier("UserIsBlocked"))("UserIsBlocked", serverFields)
{
  override get message(): string {
    return said("The other side has blocked this account", this)
  }
}

/**
 * The server does not know this chat for this device (`CHAT_ID_INVALID`).
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class ChatIdInvalid
  extends Schema.TaggedError<ChatIdInvalid>(identifier("ChatIdInvalid"))("ChatIdInvalid", serverFields)
{
  override get message(): string {
    return said("The server does not know this secret chat", this)
  }
}

/**
 * The server does not know this secret chat (`ENCRYPTION_ID_INVALID`).
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class EncryptionIdInvalid extends Schema.TaggedError<EncryptionIdInvalid>(identifier("EncryptionIdInvalid"))(
  "EncryptionIdInvalid",
  serverFields
) {
  override get message(): string {
    return said("The server does not know this secret chat", this)
  }
}

/**
 * The chat was accepted before, usually on another device of this account (`ENCRYPTION_ALREADY_ACCEPTED`).
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class EncryptionAlreadyAccepted
  extends Schema.TaggedError<EncryptionAlreadyAccepted>(identifier("EncryptionAlreadyAccepted"))(
    "EncryptionAlreadyAccepted",
    serverFields
  )
{
  override get message(): string {
    return said("The secret chat was already accepted on another device", this)
  }
}

/**
 * The chat was declined or withdrawn before (`ENCRYPTION_ALREADY_DECLINED`).
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class EncryptionAlreadyDeclined
  extends Schema.TaggedError<EncryptionAlreadyDeclined>(identifier("EncryptionAlreadyDeclined"))(
    "EncryptionAlreadyDeclined",
    serverFields
  )
{
  override get message(): string {
    return said("The secret chat was already declined", this)
  }
}

/**
 * The account of the other side was deleted (`USER_DELETED`); the chat is closed.
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class UserDeleted
  extends Schema.TaggedError<UserDeleted>(identifier("UserDeleted"))("UserDeleted", serverFields)
{
  override get message(): string {
    return said("The account of the other side was deleted", this)
  }
}

/**
 * The encrypted data is too long (`DATA_TOO_LONG`), for the server or already for the transport.
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class DataTooLong
  extends Schema.TaggedError<DataTooLong>(identifier("DataTooLong"))("DataTooLong", serverFields)
{
  override get message(): string {
    return said("The encrypted message is too long", this)
  }
}

/**
 * An empty file was given (`FILE_EMTPY`, which is how the server spells it).
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class FileEmpty extends Schema.TaggedError<FileEmpty>(identifier("FileEmpty"))("FileEmpty", serverFields) {
  override get message(): string {
    return said("The file is empty", this)
  }
}

/**
 * The checksum given with the file is not that of its encrypted bytes (`MD5_CHECKSUM_INVALID`).
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class Md5ChecksumInvalid
  extends Schema.TaggedError<Md5ChecksumInvalid>(identifier("Md5ChecksumInvalid"))("Md5ChecksumInvalid", serverFields)
{
  override get message(): string {
    return said("The checksum of the file does not match", this)
  }
}

/**
 * Too many calls (`FLOOD_WAIT_%d`): the call is allowed again after `seconds`. Shorter waits than the limit of
 * `SendPolicy` are waited for and never seen.
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class FloodWait extends Schema.TaggedError<FloodWait>(identifier("FloodWait"))("FloodWait", {
  ...serverFields,
  seconds: Schema.Int
}) {
  override get message(): string {
    return said(`The server asks to wait ${this.seconds} seconds`, this)
  }
}

/**
 * Any other error of the server.
 *
 * @category errors of the server
 * @since 1.0.0
 */
export class RpcError extends Schema.TaggedError<RpcError>(identifier("RpcError"))("RpcError", serverFields) {
  override get message(): string {
    return said("The server refused the call", this)
  }
}

// ----- local errors

/**
 * What was given as peer names no secret chat of this store.
 *
 * @category local errors
 * @since 1.0.0
 */
export class SecretChatUnknown
  extends Schema.TaggedError<SecretChatUnknown>(identifier("SecretChatUnknown"))("SecretChatUnknown", {
    /** The id that is not in the store; absent if what was given cannot name a secret chat at all. */
    chatId: Schema.optionalKey(Schema.Int),
    ...sentField
  })
{
  override get message(): string {
    return this.chatId === undefined
      ? "What was given as peer does not name a secret chat"
      : `There is no secret chat ${this.chatId} in this store${after(this)}`
  }
}

/**
 * The states of a chat in which nothing can be sent yet.
 *
 * @category models
 * @since 1.0.0
 */
export const PendingState = Schema.Literals(["requesting", "waiting", "requested", "accepting"])

/**
 * The chat has no key yet: it is being requested (`requesting`, `waiting` for the other side), was `requested` by the other
 * side and not accepted here, or is being accepted (`accepting`).
 *
 * @category local errors
 * @since 1.0.0
 */
export class SecretChatNotReady
  extends Schema.TaggedError<SecretChatNotReady>(identifier("SecretChatNotReady"))("SecretChatNotReady", {
    chatId: Schema.Int,
    state: PendingState,
    ...sentField
  })
{
  override get message(): string {
    return `Secret chat ${this.chatId} is not ready: it is ${this.state}${after(this)}`
  }
}

/**
 * Why a chat is closed, as the end of a sentence.
 *
 * @category formatting
 * @since 1.0.0
 */
export const describeReason = (reason: Events.CloseReason): string => {
  switch (reason._tag) {
    case "ByMe":
      return "it was closed here"
    case "ByPeer":
      return "the other side closed it"
    case "Declined":
      return "the other side declined the request"
    case "Withdrawn":
      return "the request is gone: it was withdrawn, or another device of this account took it"
    case "TakenElsewhere":
      return "another device of this account took it"
    case "Violation":
      return `the other side broke a rule of the protocol (${reason.rule})`
    case "KeyCheck":
      return `the key exchange failed a check (${reason.check})`
    case "PeerGone":
      return "the account of the other side was deleted"
    case "Refused":
      return `the server refused it (${reason.error.code} ${reason.error.type})`
  }
}

/**
 * The chat is closed and stays closed; a new one has to be requested.
 *
 * @category local errors
 * @since 1.0.0
 */
export class SecretChatClosed
  extends Schema.TaggedError<SecretChatClosed>(identifier("SecretChatClosed"))("SecretChatClosed", {
    chatId: Schema.Int,
    reason: Events.CloseReason,
    ...sentField
  })
{
  override get message(): string {
    return `Secret chat ${this.chatId} is closed: ${describeReason(this.reason)}${after(this)}`
  }
}

/**
 * The message cannot be sent as it is. `path` leads to the part that is wrong.
 *
 * @category local errors
 * @since 1.0.0
 */
export class MessageInvalid extends Schema.TaggedError<MessageInvalid>(identifier("MessageInvalid"))("MessageInvalid", {
  path: Schema.Array(Schema.Union([Schema.String, Schema.Int])),
  problem: Schema.String,
  ...sentField
}) {
  override get message(): string {
    const where = this.path.length === 0 ? "The message" : `The message, at ${this.path.join(".")},`
    return `${where} cannot be sent: ${this.problem}${after(this)}`
  }
}

/**
 * Why the store failed.
 *
 * - `unavailable`: the store could not be read or written; nothing changed, or the whole write happened
 * - `conflict`: another process keeps changing the same chat
 * - `corrupt`: a stored row cannot be read
 * - `newer`: the store was written by a newer version and is left alone
 * - `invalid`: the store was asked for something that it cannot hold
 *
 * @category models
 * @since 1.0.0
 */
export const StoreErrorReason = Schema.Literals(["unavailable", "conflict", "corrupt", "newer", "invalid"])

/**
 * The store failed.
 *
 * @category local errors
 * @since 1.0.0
 */
export class StoreError extends Schema.TaggedError<StoreError>(identifier("StoreError"))("StoreError", {
  reason: StoreErrorReason,
  /** What was being done, `load`, `commit`, … */
  operation: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
  ...sentField
}) {
  override get message(): string {
    const what = {
      unavailable: "could not be read or written",
      conflict: "is being changed by another process",
      corrupt: "holds something that cannot be read",
      newer: "was written by a newer version",
      invalid: "cannot hold what it was given"
    }
    return `The secret chat store ${what[this.reason]} (${this.operation})${after(this)}`
  }
}

/**
 * The network could not do its part. A message that was being sent is stored and keeps its place: it goes out when
 * sending works again, so sending it a second time would show it twice.
 *
 * @category local errors
 * @since 1.0.0
 */
export class TransportError extends Schema.TaggedError<TransportError>(identifier("TransportError"))("TransportError", {
  reason: Transport.TransportErrorReason,
  detail: Schema.String,
  ...sentField
}) {
  override get message(): string {
    return `${this.detail}${after(this)}`
  }
}

/**
 * A cryptographic operation could not be done.
 *
 * @category local errors
 * @since 1.0.0
 */
export class CryptoError extends Schema.TaggedError<CryptoError>(identifier("CryptoError"))("CryptoError", {
  operation: Schema.String,
  reason: CryptoErrors.Reason,
  description: Schema.String,
  ...sentField
}) {
  override get message(): string {
    return `${this.operation}: ${this.description}${after(this)}`
  }
}

// ----- unions

/**
 * What the server can say to any call about secret chats.
 *
 * @category models
 * @since 1.0.0
 */
export type ServerError =
  | DataInvalid
  | EncryptionDeclined
  | MsgWaitFailed
  | UserIsBlocked
  | ChatIdInvalid
  | EncryptionIdInvalid
  | EncryptionAlreadyAccepted
  | EncryptionAlreadyDeclined
  | UserDeleted
  | DataTooLong
  | FileEmpty
  | Md5ChecksumInvalid
  | FloodWait
  | RpcError

/**
 * What can be found without the server.
 *
 * @category models
 * @since 1.0.0
 */
export type LocalError =
  | SecretChatUnknown
  | SecretChatNotReady
  | SecretChatClosed
  | MessageInvalid
  | StoreError
  | TransportError
  | CryptoError

/**
 * Everything that can go wrong with a secret chat.
 *
 * @category models
 * @since 1.0.0
 */
export type SecretChatError = ServerError | LocalError

const classes = {
  DATA_INVALID: DataInvalid,
  ENCRYPTION_DECLINED: EncryptionDeclined,
  MSG_WAIT_FAILED: MsgWaitFailed,
  MSG_WAIT_TIMEOUT: MsgWaitFailed,
  USER_IS_BLOCKED: UserIsBlocked,
  CHAT_ID_INVALID: ChatIdInvalid,
  ENCRYPTION_ID_INVALID: EncryptionIdInvalid,
  ENCRYPTION_ALREADY_ACCEPTED: EncryptionAlreadyAccepted,
  ENCRYPTION_ALREADY_DECLINED: EncryptionAlreadyDeclined,
  USER_DELETED: UserDeleted,
  DATA_TOO_LONG: DataTooLong,
  FILE_EMTPY: FileEmpty,
  FILE_EMPTY: FileEmpty,
  MD5_CHECKSUM_INVALID: Md5ChecksumInvalid
} as const

const all: ReadonlyArray<abstract new(...args: any) => SecretChatError> = [
  ...Object.values(classes),
  FloodWait,
  RpcError,
  SecretChatUnknown,
  SecretChatNotReady,
  SecretChatClosed,
  MessageInvalid,
  StoreError,
  TransportError,
  CryptoError
]

/**
 * @category guards
 * @since 1.0.0
 */
export const isSecretChatError = (value: unknown): value is SecretChatError =>
  all.some((constructor) => value instanceof constructor)

const floodWait = /^FLOOD_(?:PREMIUM_)?WAIT_(\d{1,9})$/

/**
 * The error for what the server said.
 *
 * @category constructors
 * @since 1.0.0
 */
export const fromServer = (answer: { readonly code: number; readonly type: string }): ServerError => {
  const { code, type } = answer
  const flood = floodWait.exec(type)
  if (flood !== null) return new FloodWait({ code, type, seconds: Number(flood[1]) })
  if (Object.hasOwn(classes, type)) return new classes[type as keyof typeof classes]({ code, type })
  return new RpcError({ code, type })
}

/**
 * The same error, with the outcomes that were obtained before it.
 *
 * @category combinators
 * @since 1.0.0
 */
export const withSent = <E extends SecretChatError>(error: E, outcomes: ReadonlyArray<Outcome>): E => {
  if (outcomes.length === 0) return error
  const constructor = error.constructor as new(fields: object) => E
  return new constructor({ ...error, sent: outcomes })
}
