/**
 * What has to be done after a step.
 *
 * Outputs of kind `Write` belong into the transaction that stores the new state;
 * outputs of kind `Act` are carried out after it, and are produced again by
 * `Start` until their answer has come, so they are never stored.
 *
 * @since 1.0.0
 */
import type { ChatKey, Dh, EarlyFrame, KeyPair, OutboxRecord, Pending } from "./ChatState.ts"
import type { Event } from "./Events.ts"
import type { Purpose } from "./Input.ts"

/**
 * @since 1.0.0
 * @category models
 */
export type Write =
  /**
   * Serialise, encrypt and store one message: a new row, or with
   * `record.revision > 0` a replacement of the row with the same index.
   *
   * `content` is a wire value of layer `record.layer`. The plaintext is
   * `decryptedMessageLayer { random_bytes, layer, in_seq_no, out_seq_no, message }`
   * with 31 fresh random bytes.
   */
  | {
    readonly _tag: "Seal"
    readonly record: OutboxRecord
    readonly key: ChatKey
    readonly inSeqNo: number
    readonly outSeqNo: number
    readonly content: unknown
    readonly via: "message" | "service" | "file"
    readonly silent: boolean
  }
  /** Delete the rows of our messages with an index below `before`. */
  | { readonly _tag: "Forget"; readonly before: number }
  /** Mark the rows of our messages `from..to` as unsent: they go out again, the same bytes. */
  | { readonly _tag: "SendAgain"; readonly from: number; readonly to: number }
  /** Store a row of a message that came before its turn. */
  | { readonly _tag: "Hold"; readonly pending: Pending }
  /** Delete that row. */
  | { readonly _tag: "Release"; readonly index: number }
  /** Store an event for delivery; `Typing` is delivered without storing. */
  | { readonly _tag: "Emit"; readonly event: Event }
  /** Delete these messages, of both sides, from the stored history. */
  | { readonly _tag: "DeleteMessages"; readonly randomIds: ReadonlyArray<bigint> }
  /** Delete the stored history. */
  | { readonly _tag: "DeleteHistory" }
  /** Remember a value of a key exchange of this chat, to recognise it in others. */
  | { readonly _tag: "Remember"; readonly value: Uint8Array }

/**
 * @since 1.0.0
 * @category models
 */
export type Act =
  /** Send every unsent row of the chat, in order. */
  | { readonly _tag: "Flush" }
  /** Make a key pair; without `dh`, in the group that `messages.getDhConfig` gives, checked. */
  | { readonly _tag: "GenerateKeyPair"; readonly purpose: Purpose; readonly dh?: Dh }
  /** Compute a shared key; without `own`, make a key pair first. */
  | {
    readonly _tag: "AgreeOnKey"
    readonly purpose: Purpose
    readonly dh?: Dh
    readonly own?: KeyPair
    readonly peerValue: Uint8Array
  }
  | {
    readonly _tag: "RequestEncryption"
    readonly userId: bigint
    readonly userAccessHash: bigint
    readonly publicValue: Uint8Array
  }
  | { readonly _tag: "AcceptEncryption"; readonly publicValue: Uint8Array; readonly fingerprint: bigint }
  | { readonly _tag: "DiscardEncryption"; readonly deleteHistory: boolean }
  | { readonly _tag: "ReadHistory"; readonly maxDate: number }
  /** Open these frames now, feed each back as `Received`, then `Reopened`. */
  | { readonly _tag: "Reopen"; readonly frames: ReadonlyArray<EarlyFrame> }
  /** Overwrite with zeros: nothing refers to it any more. */
  | { readonly _tag: "Wipe"; readonly bytes: Uint8Array }
  /** For the log: something harmless but odd was ignored. Holds no secret. */
  | { readonly _tag: "Notice"; readonly notice: Notice }

/**
 * What was ignored.
 *
 * @since 1.0.0
 * @category models
 */
export type Notice =
  | "not-ready"
  | "duplicate"
  | "too-far-ahead"
  | "early-frames-full"
  | "random-id-differs"
  | "random-id-zero"
  | "stale-result"
  | "unexpected-server-chat"

/**
 * @since 1.0.0
 * @category models
 */
export type Output = Write | Act
