/**
 * What can happen to a chat.
 *
 * @since 1.0.0
 */
import type { Dh, EarlyFrame, KeyPair } from "./ChatState.ts"
import type { Content } from "./Content.ts"
import type { FileReference, ServerError } from "./Events.ts"

/**
 * Time and chance, which the machine does not have by itself.
 *
 * @since 1.0.0
 * @category models
 */
export interface Ambient {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** `Machine.entropyBytes` fresh random bytes; used for random ids and exchange ids, never twice. */
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
  | { readonly _tag: "encryptedChatDiscarded"; readonly id: number; readonly historyDeleted?: boolean }

/**
 * For which exchange something is computed; comes back with the result, so that
 * a result which nobody waits for any more is recognised and dropped.
 *
 * @since 1.0.0
 * @category models
 */
export type Purpose =
  | { readonly _tag: "First" }
  | { readonly _tag: "Rekey"; readonly exchangeId: bigint }

/**
 * @since 1.0.0
 * @category models
 */
export type Input =
  // ------------------------------------------------------------ running
  /** The chat was loaded from the store: everything outstanding is asked for again. */
  | { readonly _tag: "Start" }
  /** `Machine.nextWake` has come. */
  | { readonly _tag: "Tick" }
  // ------------------------------------------------------------ the user
  /** Ask somebody for a chat; only in phase New. */
  | { readonly _tag: "Request"; readonly userId: bigint; readonly userAccessHash: bigint }
  /** Say yes to a request. */
  | { readonly _tag: "Accept" }
  /** Close the chat, decline or cancel a request. */
  | { readonly _tag: "Discard"; readonly deleteHistory: boolean }
  /** Send one message; `content.randomId` is its name on both sides and must not be 0. */
  | {
    readonly _tag: "Send"
    readonly content: Content
    readonly via: "message" | "service" | "file"
  }
  /** Incoming messages with a server date up to `maxDate` were seen by the user at `now`. */
  | { readonly _tag: "MarkRead"; readonly maxDate: number }
  /** Self-destruct timers of these messages ran out. */
  | {
    readonly _tag: "Expired"
    readonly direction: "incoming" | "outgoing"
    readonly randomIds: ReadonlyArray<bigint>
  }
  // ------------------------------------------------------------ computations
  /** Answer to `GenerateKeyPair`. */
  | { readonly _tag: "KeyPairGenerated"; readonly purpose: Purpose; readonly dh: Dh; readonly own: KeyPair }
  /** Answer to `AgreeOnKey`. */
  | {
    readonly _tag: "KeyAgreed"
    readonly purpose: Purpose
    readonly dh: Dh
    /** The pair that was used: the given one, or the one that was generated. */
    readonly own: KeyPair
    readonly key: Uint8Array
    readonly fingerprint: bigint
    /** `KeyVisualization` bytes of `key`. */
    readonly keyHash: Uint8Array
    /** The peer's value or the new key was seen in another chat of this store. */
    readonly seenElsewhere: boolean
  }
  /**
   * A computation was refused: the group failed its checks (`parameters`), a
   * public value is out of range (`public-value`), or the server refused to
   * give the parameters (`error`). Lost connections are not failures: try again.
   */
  | {
    readonly _tag: "KeyFailed"
    readonly purpose: Purpose
    readonly check: "parameters" | "public-value" | "server"
    readonly error?: ServerError
  }
  // ------------------------------------------------------------ the server
  /** `updateEncryption`, or the answer to requestEncryption or acceptEncryption. */
  | { readonly _tag: "ServerChat"; readonly chat: ServerChat }
  /** requestEncryption or acceptEncryption failed for good. */
  | { readonly _tag: "HandshakeRefused"; readonly error: ServerError }
  /** discardEncryption was answered, with whatever. */
  | { readonly _tag: "DiscardDone" }
  /** A message was taken by the server. */
  | { readonly _tag: "Sent"; readonly index: number; readonly revision: number; readonly date: number }
  /** A message was refused by the server, after all retries. */
  | { readonly _tag: "Refused"; readonly index: number; readonly revision: number; readonly error: ServerError }
  /** A frame that no key of `Machine.readingKeys` can have written, while the chat is not ready. */
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
