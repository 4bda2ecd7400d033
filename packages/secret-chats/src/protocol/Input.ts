/**
 * What can happen to a chat.
 *
 * @since 1.0.0
 */
import type { Content } from "./Content.ts"
import type { FileReference, ServerError } from "./Events.ts"
import type { EarlyFrame } from "./Inbox.ts"
import type { Dh, KeyPair } from "./Keys.ts"
import type { OutboxRecord } from "./Outbox.ts"

/**
 * Time and chance, which the machine does not have by itself.
 *
 * @since 1.0.0
 * @category models
 */
export interface Ambient {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** `Machine.entropyBytes` fresh random bytes, used for random ids and exchange ids; never the same bytes twice. */
  readonly entropy: Uint8Array
}

/**
 * `EncryptedChat` of the server API.
 *
 * @since 1.0.0
 * @category models
 */
export type ServerChat =
  | { readonly _tag: "encryptedChatEmpty"; readonly id: number }
  | {
    readonly _tag: "encryptedChatWaiting"
    readonly id: number
    readonly accessHash: bigint
    readonly date: number
    readonly adminId: bigint
    readonly participantId: bigint
  }
  | {
    readonly _tag: "encryptedChatRequested"
    readonly id: number
    readonly accessHash: bigint
    readonly date: number
    readonly adminId: bigint
    readonly participantId: bigint
    readonly gA: Uint8Array
    readonly folderId?: number
  }
  | {
    readonly _tag: "encryptedChat"
    readonly id: number
    readonly accessHash: bigint
    readonly date: number
    readonly adminId: bigint
    readonly participantId: bigint
    readonly gAOrB: Uint8Array
    readonly keyFingerprint: bigint
  }
  | { readonly _tag: "encryptedChatDiscarded"; readonly id: number; readonly historyDeleted?: true }

/**
 * For which exchange something is computed. It comes back with the result, so
 * that a result which nobody waits for any more is recognised.
 *
 * @since 1.0.0
 * @category models
 */
export type Purpose =
  | { readonly _tag: "First" }
  | { readonly _tag: "Rekey"; readonly exchangeId: bigint }

/**
 * Which call of the server API carries a message: `sendEncrypted`,
 * `sendEncryptedService` or `sendEncryptedFile`.
 *
 * @since 1.0.0
 * @category models
 */
export type Via = "message" | "service" | "file"

/**
 * @since 1.0.0
 * @category models
 */
export type Input =
  // ----- running
  /** The chat was loaded from the store: everything outstanding is asked for again. */
  | { readonly _tag: "Start" }
  /** `Machine.nextWake` has come. */
  | { readonly _tag: "Tick" }
  // ----- the user
  /** Ask somebody for a chat; in phase New only. */
  | { readonly _tag: "Request"; readonly userId: bigint; readonly userAccessHash: bigint }
  /** Say yes to a request. */
  | { readonly _tag: "Accept" }
  /** Close the chat, decline or cancel a request. */
  | { readonly _tag: "Discard"; readonly deleteHistory: boolean }
  /** Send a message. `content.randomId` is its name on both sides: not 0, and not in use. */
  | { readonly _tag: "Send"; readonly content: Content; readonly via: Via }
  /** The user has seen the incoming messages with a server date up to `maxDate`. */
  | { readonly _tag: "MarkRead"; readonly maxDate: number }
  /** The self-destruct timers of these messages have run out. */
  | {
    readonly _tag: "Expired"
    readonly direction: "incoming" | "outgoing"
    readonly randomIds: ReadonlyArray<bigint>
  }
  // ----- computations
  /** Answer to `GenerateKeyPair`. */
  | { readonly _tag: "KeyPairGenerated"; readonly purpose: Purpose; readonly dh: Dh; readonly own: KeyPair }
  /** Answer to `AgreeOnKey`. */
  | {
    readonly _tag: "KeyAgreed"
    readonly purpose: Purpose
    readonly dh: Dh
    /** The pair that was used: the one that was given, or the one that was made. */
    readonly own: KeyPair
    /** 256 bytes. */
    readonly key: Uint8Array
    readonly fingerprint: bigint
    /** The 36 bytes of the key picture of `key`. */
    readonly keyHash: Uint8Array
    /** The peer's value is known from another chat of this store. */
    readonly seenElsewhere: boolean
  }
  /**
   * A computation was refused: the group failed its checks, a public value is
   * out of range, or the server would not give the group (`error`). A lost
   * connection is not a refusal: try again.
   */
  | {
    readonly _tag: "KeyRefused"
    readonly purpose: Purpose
    readonly check: "parameters" | "public-value" | "server"
    readonly error?: ServerError
  }
  // ----- the server
  /** `updateEncryption`, or the answer to requestEncryption or acceptEncryption. */
  | { readonly _tag: "ServerChat"; readonly chat: ServerChat }
  /**
   * requestEncryption or acceptEncryption was refused. `repeated`: an earlier
   * attempt of the same call ended without an answer, so it may have worked.
   */
  | { readonly _tag: "HandshakeRefused"; readonly error: ServerError; readonly repeated: boolean }
  /** The server has answered to `Probe`: with a refusal, or with a yes. */
  | { readonly _tag: "Probed"; readonly error?: ServerError }
  /** discardEncryption was answered, with whatever. */
  | { readonly _tag: "DiscardDone" }
  /** The server took a message. `record` is the one that was stored with the bytes that were sent. */
  | { readonly _tag: "Sent"; readonly record: OutboxRecord; readonly date: number }
  /** The server refused a message, after all retries. */
  | { readonly _tag: "Refused"; readonly record: OutboxRecord; readonly error: ServerError }
  /** A frame came while there is no key that could open it. */
  | { readonly _tag: "ReceivedEarly"; readonly frame: EarlyFrame }
  /** The frames of `Reopen` have all been fed back. */
  | { readonly _tag: "Reopened" }
  /** A frame was opened. */
  | {
    readonly _tag: "Received"
    /** The TL bytes inside the frame. */
    readonly payload: Uint8Array
    /** Fingerprint of the key that opened it. */
    readonly key: bigint
    /** `random_id` of the envelope. */
    readonly randomId: bigint
    /** Server date, unix seconds. */
    readonly date: number
    readonly file?: FileReference
  }
  /** `updateEncryptedMessagesRead`. */
  | { readonly _tag: "ReadByPeer"; readonly maxDate: number; readonly date: number }
  /** `updateEncryptedChatTyping`. */
  | { readonly _tag: "TypingByPeer" }
