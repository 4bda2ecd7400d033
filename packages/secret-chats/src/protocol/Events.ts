/**
 * What the user of a chat sees, in the order in which it happened.
 *
 * An event belongs to the transaction that caused it and is delivered at least
 * once; whoever consumes events tells repeats apart by `randomId`. Only `Typing`
 * is never stored.
 *
 * @since 1.0.0
 */
import type { Content, Message, Service } from "./Content.ts"
import type { Rule } from "./Violation.ts"

/**
 * Who did it.
 *
 * @since 1.0.0
 * @category models
 */
export type Side = "me" | "peer"

/**
 * Why a chat is closed.
 *
 * - `ByMe`: discarded or declined here
 * - `ByPeer`: discarded by the peer while it was open
 * - `Declined`: the peer refused our request
 * - `Withdrawn`: a request that was never answered here is gone: the requester
 *   cancelled it, or another device of this account took it (the server does
 *   not say which)
 * - `TakenElsewhere`: another device of this account accepted the chat
 * - `Violation`: the peer broke a rule of the protocol
 * - `KeyCheck`: the first key exchange failed a check
 * - `PeerGone`: the account of the peer was deleted
 * - `Refused`: the server refused to create, accept or carry on the chat
 *
 * @since 1.0.0
 * @category models
 */
export type CloseReason =
  | { readonly _tag: "ByMe" }
  | { readonly _tag: "ByPeer" }
  | { readonly _tag: "Declined" }
  | { readonly _tag: "Withdrawn" }
  | { readonly _tag: "TakenElsewhere" }
  | { readonly _tag: "Violation"; readonly rule: Rule }
  | { readonly _tag: "KeyCheck"; readonly check: "parameters" | "public-value" | "fingerprint" | "chat-id" }
  | { readonly _tag: "PeerGone" }
  | { readonly _tag: "Refused"; readonly code: number; readonly type: string }

/**
 * An error as the server said it: code (400, 403, 420, 500) and type
 * ("ENCRYPTION_DECLINED").
 *
 * @since 1.0.0
 * @category models
 */
export interface ServerError {
  readonly code: number
  readonly type: string
}

/**
 * The file that came beside an encrypted message (`encryptedFile`).
 *
 * @since 1.0.0
 * @category models
 */
export interface FileReference {
  readonly id: bigint
  readonly accessHash: bigint
  readonly size: bigint
  readonly dcId: number
  readonly keyFingerprint: number
}

/**
 * `date` is unix seconds of the server where it came with a message, and the
 * local clock (in seconds) otherwise.
 *
 * @since 1.0.0
 * @category models
 */
export type Event =
  /** The peer asks for a chat; nothing happens until it is accepted or declined. */
  | { readonly _tag: "ChatRequested"; readonly userId: bigint; readonly date: number }
  /** The server knows our request; the peer has not answered yet. */
  | { readonly _tag: "ChatWaiting"; readonly date: number }
  /** Keys are agreed on. `keyHash` is the 36 bytes of the key picture, the same for the life of the chat. */
  | { readonly _tag: "ChatReady"; readonly keyHash: Uint8Array; readonly date: number }
  | {
    readonly _tag: "ChatClosed"
    readonly reason: CloseReason
    readonly historyDeleted: boolean
    readonly date: number
  }
  | {
    readonly _tag: "NewMessage"
    readonly randomId: bigint
    readonly date: number
    /** Raw number among the peer's messages, starting at 0. */
    readonly index: number
    readonly message: Message
    readonly file?: FileReference
  }
  /** A numbered message of the peer that this version cannot read (unknown constructor, or malformed content). */
  | { readonly _tag: "UnsupportedMessage"; readonly randomId: bigint; readonly date: number; readonly index: number }
  /** The server took the message. */
  | { readonly _tag: "MessageSent"; readonly randomId: bigint; readonly index: number; readonly date: number }
  /** The peer's client has processed the message (it acknowledged its sequence number). */
  | { readonly _tag: "MessageDelivered"; readonly randomId: bigint; readonly index: number; readonly date: number }
  /** The server refused the message for good; the peer will not see it. */
  | { readonly _tag: "MessageFailed"; readonly randomId: bigint; readonly index: number; readonly error: ServerError }
  /** The self-destruct timer of the chat, seconds, 0 = off; one setting for both sides. */
  | {
    readonly _tag: "TtlChanged"
    readonly by: Side
    readonly ttl: number
    readonly randomId: bigint
    readonly date: number
  }
  /** By the peer: our messages whose content was opened. */
  | {
    readonly _tag: "ContentOpened"
    readonly by: Side
    readonly randomIds: ReadonlyArray<bigint>
    readonly date: number
  }
  /** By the peer: our messages up to `maxDate` were read at `date`; by me: the reverse. */
  | { readonly _tag: "MessagesRead"; readonly by: Side; readonly maxDate: number; readonly date: number }
  | {
    readonly _tag: "MessagesDeleted"
    readonly by: Side
    readonly randomIds: ReadonlyArray<bigint>
    readonly date: number
  }
  | { readonly _tag: "HistoryFlushed"; readonly by: Side; readonly date: number }
  | { readonly _tag: "Screenshot"; readonly by: Side; readonly randomIds: ReadonlyArray<bigint>; readonly date: number }
  /** Never stored. `action` is the TL name of what the peer is doing, absent when only the server's signal came. */
  | { readonly _tag: "Typing"; readonly action?: string; readonly date: number }
  /** Messages whose self-destruct time came. */
  | {
    readonly _tag: "MessagesExpired"
    readonly direction: "incoming" | "outgoing"
    readonly randomIds: ReadonlyArray<bigint>
    readonly date: number
  }
  /** The highest layer the peer ever announced. */
  | { readonly _tag: "LayerChanged"; readonly layer: number; readonly date: number }
  /** New keys are in use for sending. */
  | { readonly _tag: "Rekeyed"; readonly startedBy: Side; readonly date: number }
  /** A key exchange ended without a new key; the present key stays. */
  | { readonly _tag: "RekeyAbandoned"; readonly reason: RekeyAbandoned; readonly date: number }
  /** Numbers `from..to` of the peer are missing and have been asked for `attempts` times; later ones wait. */
  | {
    readonly _tag: "MessagesMissing"
    readonly from: number
    readonly to: number
    readonly attempts: number
    readonly date: number
  }

/**
 * Why a key exchange was abandoned.
 *
 * - `ByPeer`: the peer sent AbortKey
 * - `Collision`: both sides started with the same exchange id
 * - `PublicValue`: the peer's value is out of range, our own, or was already
 *   seen in another chat of this store (unknown key-share)
 *
 * @since 1.0.0
 * @category models
 */
export type RekeyAbandoned = "ByPeer" | "Collision" | "PublicValue" | "Busy"

export type { Content, Message, Service }
