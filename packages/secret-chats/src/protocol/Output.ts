/**
 * What has to be done after a step.
 *
 * A `Write` belongs into the transaction that stores the new state, in the given
 * order. An `Act` is carried out after that transaction is durable; it is never
 * stored, for `Start` gives it again until its answer has come.
 *
 * @since 1.0.0
 */
import type * as SecretApi from "@effect-mtproto/core/SecretApi"
import type { Event } from "./Events.ts"
import type { EarlyFrame, Pending } from "./Inbox.ts"
import type { Purpose, Via } from "./Input.ts"
import type { ChatKey, Dh, KeyPair } from "./Keys.ts"
import type { OutboxRecord } from "./Outbox.ts"
import type * as Timers from "./Timers.ts"

/**
 * - `Seal`: serialise, encrypt and store one message, unsent: a new row, or with
 *   `record.revision` > 0 in place of the row with the same index. The plaintext
 *   is `decryptedMessageLayer` with `Wrapper.RANDOM_BYTES` fresh random bytes,
 *   layer `record.layer`, the two numbers, and `content`
 * - `Forget`: delete the rows of our messages with an index below `before`
 * - `SendAgain`: mark the rows `from..to` of our messages as unsent
 * - `Hold`: store a row of a message that came before its turn
 * - `Release`: delete that row
 * - `Emit`: store an event for delivery (`Typing`: deliver it without storing)
 * - `DeleteMessages`, `DeleteHistory`: remove these messages of both sides (service
 *   messages stay), or all, from the stored history
 * - `Remember`: keep a public value of this chat, to recognise it in others
 * - changes of the timers, see `Timers`
 *
 * @since 1.0.0
 * @category models
 */
export type Write =
  | {
    readonly _tag: "Seal"
    readonly record: OutboxRecord
    readonly key: ChatKey
    readonly inSeqNo: number
    readonly outSeqNo: number
    readonly content: SecretApi.DecryptedMessage
    readonly via: Via
    readonly silent: boolean
  }
  | { readonly _tag: "Forget"; readonly before: number }
  | { readonly _tag: "SendAgain"; readonly from: number; readonly to: number }
  | { readonly _tag: "Hold"; readonly pending: Pending }
  | { readonly _tag: "Release"; readonly index: number }
  | { readonly _tag: "Emit"; readonly event: Event }
  | { readonly _tag: "DeleteMessages"; readonly randomIds: ReadonlyArray<bigint> }
  | { readonly _tag: "DeleteHistory" }
  | { readonly _tag: "Remember"; readonly value: Uint8Array }
  | Timers.Change

/**
 * - `Flush`: send every unsent row of the chat, in order
 * - `GenerateKeyPair`: make a key pair; without `dh`, in the group that
 *   `messages.getDhConfig` gives, after checking it
 * - `AgreeOnKey`: check `peerValue` and compute the shared key; without `own`,
 *   make a key pair first; without `dh`, as above
 * - `RequestEncryption`, `AcceptEncryption`, `DiscardEncryption`, `ReadHistory`:
 *   calls of the server API
 * - `Probe`: a call of the server API that needs the chat to be ours and that
 *   nobody notices: setEncryptedTyping, of not typing. Its answer is fed back
 * - `Reopen`: open these frames, feed each back as `Received`, then `Reopened`
 * - `Wipe`: overwrite with zeros; nothing refers to it any more
 * - `Notice`: for the log, something odd but harmless; holds no secret
 *
 * @since 1.0.0
 * @category models
 */
export type Act =
  | { readonly _tag: "Flush" }
  | { readonly _tag: "GenerateKeyPair"; readonly purpose: Purpose; readonly dh?: Dh }
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
  | { readonly _tag: "Probe" }
  | { readonly _tag: "ReadHistory"; readonly maxDate: number }
  | { readonly _tag: "Reopen"; readonly frames: ReadonlyArray<EarlyFrame> }
  | { readonly _tag: "Wipe"; readonly bytes: Uint8Array }
  | { readonly _tag: "Notice"; readonly notice: Notice }

/**
 * What was ignored.
 *
 * - `not-ready`: a message for a chat that is not ready or is closed
 * - `duplicate`: a message whose number was processed before, or waits already
 * - `too-far-ahead`: no room for a message that is far before its turn; it can be
 *   asked for later
 * - `early-frames-full`: no room for a frame that came before there was a key
 * - `random-id-differs`: the envelope names the message differently (TDLib does
 *   not compare; the inner one, which is authentic, counts)
 * - `random-id-zero`: a message without a name; its content is dropped
 * - `stale-result`: the result of a computation that nobody waits for any more
 * - `unexpected-chat`: the server describes the chat in a way that does not fit
 *   its phase
 * - `key-request-refused`: a key exchange was declined with AbortKey
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
  | "unexpected-chat"
  | "key-request-refused"

/**
 * @since 1.0.0
 * @category models
 */
export type Output = Write | Act
