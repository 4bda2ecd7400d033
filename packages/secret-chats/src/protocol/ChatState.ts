/**
 * Everything one device knows about one secret chat, as a plain immutable value.
 *
 * The value has three parts that are stored apart, so that a commit writes only
 * what changed:
 *
 * - the head: phase, keys, counters, timers of the protocol (about 1 KB)
 * - one row per message of ours that the peer has not acknowledged
 *   (`outbox`), beside which the store keeps the ciphertext
 * - one row per message of the peer that arrived before its turn (`pending`)
 *
 * @since 1.0.0
 */
import type { CloseReason, FileReference } from "./Events.ts"

/**
 * `creator` called `messages.requestEncryption`; `x` of the protocol is 0 for
 * the creator and 1 for the acceptor.
 *
 * @since 1.0.0
 * @category models
 */
export type Role = "creator" | "acceptor"

/**
 * Parameters of the first key exchange; every later one uses the same.
 *
 * @since 1.0.0
 * @category models
 */
export interface Dh {
  readonly version: number
  readonly g: number
  readonly p: Uint8Array
}

/**
 * A secret exponent and its public value.
 *
 * @since 1.0.0
 * @category models
 */
export interface KeyPair {
  readonly secret: Uint8Array
  readonly publicValue: Uint8Array
}

/**
 * A shared key of 256 bytes and its fingerprint, a signed 64-bit integer.
 *
 * @since 1.0.0
 * @category models
 */
export interface ChatKey {
  readonly bytes: Uint8Array
  readonly fingerprint: bigint
}

/**
 * Where the life of a chat stands.
 *
 * ```
 * New -> Requesting -> Waiting -> Agreeing -> Ready -> Closed     (creator)
 * New -> Requested -> Accepting -> Confirming -> Ready -> Closed  (acceptor)
 * ```
 *
 * @since 1.0.0
 * @category models
 */
export type Phase =
  | { readonly _tag: "New" }
  /** Creator: a key pair is being made. */
  | { readonly _tag: "Requesting" }
  /** Creator: `own` is stored, the request is sent (again, if `known` is false); the answer of the peer is awaited. */
  | { readonly _tag: "Waiting"; readonly own: KeyPair; readonly known: boolean }
  /** Creator: the peer answered, the shared key is being computed. */
  | {
    readonly _tag: "Agreeing"
    readonly own: KeyPair
    readonly peerValue: Uint8Array
    readonly fingerprint: bigint
  }
  /** Acceptor: somebody asks; the user decides. */
  | { readonly _tag: "Requested"; readonly peerValue: Uint8Array }
  /** Acceptor: the user said yes, the shared key is being computed. */
  | { readonly _tag: "Accepting"; readonly peerValue: Uint8Array }
  /** Acceptor: the key is stored, the server is being told. */
  | {
    readonly _tag: "Confirming"
    readonly publicValue: Uint8Array
    readonly key: ChatKey
    /** The server said that the chat was accepted before; by us, if an earlier answer was lost. */
    readonly uncertain: boolean
  }
  | { readonly _tag: "Ready" }
  | {
    readonly _tag: "Closed"
    readonly reason: CloseReason
    /** The server has still to be told. */
    readonly discard: "no" | "pending"
    readonly deleteHistory: boolean
  }

/**
 * Raw counters (core.telegram.org/api/end-to-end/seq_no).
 *
 * @since 1.0.0
 * @category models
 */
export interface Sequence {
  /** Messages of the peer processed in order. */
  readonly myIn: number
  /** Messages of ours created. */
  readonly myOut: number
  /** Messages of ours the peer has acknowledged. */
  readonly hisIn: number
  /** Layer of the last message processed in order; it never falls. */
  readonly inOrderLayer: number
}

/**
 * @since 1.0.0
 * @category models
 */
export interface Layers {
  /** Highest layer seen from the peer. */
  readonly his: number
  /** Layer we last announced with NotifyLayer; 0 = never. */
  readonly announced: number
}

/**
 * A message of ours that the peer has not acknowledged.
 *
 * - `message`: ordinary; can be rewritten into a self-delete
 * - `action`: service message asked for by the user; rewritten only if the
 *   server refuses it
 * - `protocol`: service message of the protocol itself; never rewritten
 * - `deleted`: already rewritten
 *
 * @since 1.0.0
 * @category models
 */
export interface OutboxRecord {
  /** Raw number among our messages. */
  readonly index: number
  readonly randomId: bigint
  readonly kind: "message" | "action" | "protocol" | "deleted"
  /** `myIn` when it was made: part of its sequence numbers for ever. */
  readonly inIndex: number
  /** Layer it was written in. A rewrite keeps it, for a layer that rises and falls again closes the chat. */
  readonly layer: number
  /** 0, and one more for every rewrite: tells answers to an old content from answers to the new. */
  readonly revision: number
  /** Of SetMessageTTL: what the timer was before. */
  readonly ttlBefore?: number
}

/**
 * A message of the peer that waits for earlier ones, opened but not read.
 *
 * @since 1.0.0
 * @category models
 */
export interface Pending {
  /** Raw number among the peer's messages. */
  readonly index: number
  /** The TL bytes of the `decryptedMessageLayer`. */
  readonly payload: Uint8Array
  /** Fingerprint of the key it came under. */
  readonly key: bigint
  readonly date: number
  readonly file?: FileReference
  /** Its Resend was answered when it arrived: it counts as Noop when its turn comes. */
  readonly spent: boolean
}

/**
 * A frame that arrived before there was a key to open it with.
 *
 * @since 1.0.0
 * @category models
 */
export interface EarlyFrame {
  readonly randomId: bigint
  readonly date: number
  readonly bytes: Uint8Array
  readonly file?: FileReference
}

/**
 * The request for the hole in front of us, if there is one.
 *
 * @since 1.0.0
 * @category models
 */
export interface Hole {
  /** First and last raw number asked for. */
  readonly from: number
  readonly to: number
  /** Requests sent so far. */
  readonly attempts: number
  /** Milliseconds; when to ask again. Absent: asked often enough. */
  readonly retryAt?: number
}

/**
 * @since 1.0.0
 * @category models
 */
export interface Inbox {
  /** Highest raw number ever seen from the peer plus one: what must exist even if it had to be let go. */
  readonly seen: number
  /** Ascending by index, bounded by count and bytes. */
  readonly pending: ReadonlyArray<Pending>
  readonly pendingBytes: number
  readonly hole?: Hole
  readonly early: ReadonlyArray<EarlyFrame>
}

/**
 * @since 1.0.0
 * @category models
 */
export interface Outbox {
  /** One for every index from `hisIn` to `myOut - 1`, in this order, without a hole. */
  readonly records: ReadonlyArray<OutboxRecord>
  /** Milliseconds; the server refused something that cannot be given up, try again then. */
  readonly retryAt?: number
  readonly refusals: number
}

/**
 * A key exchange under way (core.telegram.org/api/end-to-end/pfs).
 *
 * @since 1.0.0
 * @category models
 */
export type Exchange =
  | { readonly _tag: "Idle" }
  /** We start: a key pair is being made. */
  | { readonly _tag: "Starting"; readonly exchangeId: bigint }
  /** RequestKey is sent. */
  | { readonly _tag: "Requested"; readonly exchangeId: bigint; readonly own: KeyPair }
  /** RequestKey received, the new key is being computed. */
  | { readonly _tag: "Answering"; readonly exchangeId: bigint; readonly peerValue: Uint8Array }
  /** AcceptKey is sent. */
  | { readonly _tag: "Answered"; readonly exchangeId: bigint; readonly key: ChatKey }
  /** AcceptKey received, the new key is being computed. */
  | {
    readonly _tag: "Committing"
    readonly exchangeId: bigint
    readonly own: KeyPair
    readonly peerValue: Uint8Array
    readonly fingerprint: bigint
  }

/**
 * @since 1.0.0
 * @category models
 */
export interface Keys {
  /** The key we send with. */
  readonly current: ChatKey
  /** The key before it, until the first message in order under `current` shows that nothing needs it. */
  readonly previous?: ChatKey
  readonly exchange: Exchange
  /** Messages sent and received since `current` is in use. */
  readonly uses: number
  /** Milliseconds; since when `current` is in use. */
  readonly since: number
}

/**
 * @since 1.0.0
 * @category models
 */
export interface ChatState {
  readonly chatId: number
  readonly role: Role
  /** The other person; 0 while unknown. */
  readonly userId: bigint
  /** Access hash of the user, needed for the request only; 0 while unknown. */
  readonly userAccessHash: bigint
  /** Access hash of the chat, part of every request; 0 while unknown. */
  readonly accessHash: bigint
  /** Unix seconds; when the chat was created. */
  readonly date: number
  readonly phase: Phase
  readonly dh?: Dh
  /** Present in phase Ready. */
  readonly keys?: Keys
  /** The 36 bytes of the key picture: of the first key, for ever. */
  readonly keyHash?: Uint8Array
  readonly sequence: Sequence
  readonly layers: Layers
  readonly ttl: number
  readonly inbox: Inbox
  readonly outbox: Outbox
  /** Date of the newest message of the peer that was reported as read. */
  readonly readUntil: number
}

/**
 * A chat about which nothing is known but its id.
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
  sequence: { myIn: 0, myOut: 0, hisIn: 0, inOrderLayer: 0 },
  layers: { his: 0, announced: 0 },
  ttl: 0,
  inbox: { seen: 0, pending: [], pendingBytes: 0, early: [] },
  outbox: { records: [], refusals: 0 },
  readUntil: 0
})
