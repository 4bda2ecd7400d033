/**
 * Where secret chats are kept: keys and counters, messages that are on their way, messages that wait for earlier ones,
 * events that nobody has confirmed yet, and the history.
 *
 * The store is a driver. It moves encoded rows (numbers, bigints, strings, bytes), understands none of them, and never
 * decides anything; everything that does is above it. So a new backend is about three hundred lines, and
 * `SecretChatStoreTest.suite` says whether it is right.
 *
 * **Laws**
 *
 * 1. *Atomic.* {@link Write} is one change of one chat. It happens whole or not at all, whatever fails and whenever the
 *    process dies.
 * 2. *Durable.* When `commit` has succeeded, the write survives. What "survives" covers is the backend's to say:
 *    `layerSql` over a client that synchronises every commit survives power loss.
 * 3. *Optimistic.* A write names the version that it was made from (`expected`, 0 for a chat that is not stored yet) and
 *    raises it by one. If the stored version is another, nothing happens and `commit` fails with `StoreError`
 *    `conflict`. So two processes on one store can never both advance a chat from the same state.
 * 4. *In order.* The changes of a write act in their order; writes of one chat act in the order of their versions.
 * 5. *Grouped.* Concurrent commits may share one transaction; a failure of one of them does not touch the others.
 * 6. *Events.* An event gets an id when its write is committed. Ids rise in commit order: whoever has read up to id n
 *    never finds a new event at or below n. An event stays until it is confirmed.
 * 7. *Lazy confirmations.* `confirm` may become durable later than it returns, with the next commit, after a moment, or
 *    when the store is closed: after a crash an event may come again. It never takes effect for an event that was not
 *    named.
 * 8. *Consistent reads.* `load` shows the chat at one version.
 * 9. *Nothing else.* A failed operation changes nothing, and no error text holds stored data.
 *
 * **Sealed at rest**
 *
 * `layerSealed` wraps any driver, and `layerSealedSql` is the one to use for whatever is kept in a file: everything that
 * is said, every key, every name of a message is encrypted and authenticated for its place before the driver sees it.
 * What stays readable is what the driver has to compare or to put in order: ids of chats, versions, numbers, dates,
 * states and timers. See `docs/storage.md`.
 *
 * **Gotchas**
 *
 * `layerSql` commits in transactions of its own. A `commit` inside `sql.withTransaction` of the same single-connection
 * client would wait for itself.
 *
 * @since 1.0.0
 */
import { Vault } from "@effect-mtproto/crypto/Vault"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Memory from "./internal/storeMemory.ts"
import * as Sealed from "./internal/storeSealed.ts"
import * as Sql from "./internal/storeSql.ts"
import type { StoreError } from "./SecretChatError.ts"

// ----- rows

/**
 * One chat.
 *
 * @category models
 * @since 1.0.0
 */
export interface ChatRow {
  /** Signed 32-bit, as on the server. */
  readonly chatId: number
  /** Rises by one with every write; at least 1. */
  readonly version: number
  /** A short word for lists. */
  readonly phase: string
  /** When the chat needs attention, milliseconds since the epoch; 0 = as soon as it can be had. */
  readonly wakeAt: number | undefined
  readonly head: Uint8Array
}

/**
 * A message of ours that the peer has not acknowledged, with the bytes that are (or were) sent.
 *
 * @category models
 * @since 1.0.0
 */
export interface OutboxRow {
  /** Number among our messages of the chat, from 0. */
  readonly index: number
  readonly randomId: bigint
  readonly unsent: boolean
  /** What the protocol knows about the message. */
  readonly record: Uint8Array
  /** What is sent: the ciphertext and how to send it. */
  readonly packet: Uint8Array
}

/**
 * What the protocol knows about a message of the outbox.
 *
 * @category models
 * @since 1.0.0
 */
export interface RecordRow {
  readonly index: number
  readonly record: Uint8Array
}

/**
 * A message of the peer that waits for earlier ones.
 *
 * @category models
 * @since 1.0.0
 */
export interface PendingRow {
  /** Number among the peer's messages of the chat, from 0. */
  readonly index: number
  readonly data: Uint8Array
}

/**
 * An event that was not confirmed yet.
 *
 * @category models
 * @since 1.0.0
 */
export interface EventRow {
  readonly id: bigint
  readonly chatId: number
  readonly data: Uint8Array
}

/**
 * How far a message of the history is. It only moves to the right: `queued`, `sent`, `received`, `delivered`, `read`,
 * `failed`.
 *
 * @category models
 * @since 1.0.0
 */
export type MessageState = "queued" | "sent" | "received" | "delivered" | "read" | "failed"

/**
 * A message of the history. `(chatId, position)` is unique, and so is `(chatId, outgoing, randomId)`.
 *
 * @category models
 * @since 1.0.0
 */
export interface MessageRow {
  readonly chatId: number
  /** Rises within a chat in the order of processing; a safe integer. */
  readonly position: number
  readonly randomId: bigint
  readonly outgoing: boolean
  /** Number among the messages of its side. */
  readonly index: number
  readonly state: MessageState
  /** Unix seconds. */
  readonly date: number
  /** Why it failed. */
  readonly failure: string | undefined
  readonly data: Uint8Array
  /** What names its file to the server. */
  readonly file?: Uint8Array | undefined
}

/**
 * The self-destruct timer of one message; `(chatId, outgoing, randomId)` is unique.
 *
 * @category models
 * @since 1.0.0
 */
export interface TimerRow {
  readonly chatId: number
  readonly outgoing: boolean
  readonly randomId: bigint
  /** Seconds. */
  readonly ttl: number
  readonly startsOn: "view" | "open"
  /** Server date of the message, unix seconds; `undefined` until it is known. */
  readonly date: number | undefined
  /** Unix seconds; `undefined` until the timer is started. */
  readonly expiresAt: number | undefined
  /** What a layer above the driver wants to have back; at most 1 KiB. */
  readonly note?: Uint8Array | undefined
}

// ----- writes

/**
 * One step of a write.
 *
 * @category models
 * @since 1.0.0
 */
export type Change =
  /** Stores or replaces a message of ours; it is unsent. */
  | {
    readonly _tag: "PutOutbox"
    readonly index: number
    readonly randomId: bigint
    readonly record: Uint8Array
    readonly packet: Uint8Array
  }
  /** `from..to`, both inclusive, were taken by the server; indexes that are not stored are no error. */
  | { readonly _tag: "MarkSent"; readonly from: number; readonly to: number }
  /** `from..to` have to go out again. */
  | { readonly _tag: "MarkUnsent"; readonly from: number; readonly to: number }
  /** Deletes messages of ours below `before`. */
  | { readonly _tag: "ForgetOutbox"; readonly before: number }
  | { readonly _tag: "PutPending"; readonly index: number; readonly data: Uint8Array }
  | { readonly _tag: "DropPending"; readonly index: number }
  /** The data may depend on the id that the event gets: a function without effects, called for every attempt. */
  | { readonly _tag: "AppendEvent"; readonly data: Uint8Array | ((id: bigint) => Uint8Array) }
  /** Adds to the history; a message with the same direction and random id that is there already stays as it is. */
  | { readonly _tag: "PutMessage"; readonly message: Omit<MessageRow, "chatId"> }
  /** Moves a message of ours on; `date` and `file` replace its date and its file. */
  | {
    readonly _tag: "SetMessageState"
    readonly randomId: bigint
    readonly state: MessageState
    readonly date?: number | undefined
    readonly failure?: string | undefined
    readonly file?: Uint8Array | undefined
  }
  /** Messages of one direction with a date up to `maxDate` that were sent, delivered or received have been read. */
  | { readonly _tag: "ReadMessages"; readonly outgoing: boolean; readonly maxDate: number }
  /** Deletes messages of both directions from the history. */
  | { readonly _tag: "DeleteMessages"; readonly randomIds: ReadonlyArray<bigint> }
  | { readonly _tag: "DeleteHistory" }
  /** Adds a timer; one that is there already stays as it is. */
  | { readonly _tag: "PutTimer"; readonly timer: Omit<TimerRow, "chatId" | "expiresAt"> }
  /** Gives the date of a message of ours to its timer. */
  | { readonly _tag: "DateTimer"; readonly randomId: bigint; readonly date: number }
  /**
   * Starts, at `at` (unix seconds), the timers that start on viewing, of messages of one direction with a known date up to
   * `maxDate`. A timer that runs is not started again.
   */
  | { readonly _tag: "StartViewed"; readonly outgoing: boolean; readonly maxDate: number; readonly at: number }
  /** Starts the timers of these messages of one direction. */
  | {
    readonly _tag: "StartOpened"
    readonly outgoing: boolean
    readonly randomIds: ReadonlyArray<bigint>
    readonly at: number
  }
  /** Deletes timers of both directions, all of the chat if `randomIds` is `undefined`. */
  | { readonly _tag: "DropTimers"; readonly randomIds: ReadonlyArray<bigint> | undefined }
  /** Remembers a hash as belonging to this chat; the first chat keeps it. */
  | { readonly _tag: "Remember"; readonly hash: Uint8Array }

/**
 * One change of one chat.
 *
 * @category models
 * @since 1.0.0
 */
export interface Write {
  readonly chatId: number
  /** The version that this write was made from; 0 = the chat must not be stored. */
  readonly expected: number
  /** The new chat; `undefined` forgets the chat with everything that belongs to it, its unconfirmed events excepted. */
  readonly chat: Omit<ChatRow, "chatId" | "version"> | undefined
  readonly changes: ReadonlyArray<Change>
}

/**
 * @category models
 * @since 1.0.0
 */
export interface Committed {
  readonly version: number
  /** The ids of the appended events, in order. */
  readonly events: ReadonlyArray<bigint>
}

/**
 * A chat with what the protocol needs to go on.
 *
 * @category models
 * @since 1.0.0
 */
export interface StoredChat extends ChatRow {
  /** Of every message in the outbox, by index. */
  readonly records: ReadonlyArray<RecordRow>
  /** By index. */
  readonly pending: ReadonlyArray<PendingRow>
}

/**
 * A part of the history, by position.
 *
 * @category models
 * @since 1.0.0
 */
export interface MessageQuery {
  readonly chatId: number
  /** Only messages with a smaller position. */
  readonly before?: number | undefined
  /** Only messages with a greater position. */
  readonly after?: number | undefined
  /** Default `newest-first`. */
  readonly order?: "newest-first" | "oldest-first" | undefined
  /** Default 100, at most 1000. */
  readonly limit?: number | undefined
}

// ----- service

/**
 * What a backend implements.
 *
 * @category models
 * @since 1.0.0
 */
export interface Driver {
  /**
   * Milliseconds between two commits of what the server has sent. While updates keep coming, faster than that, they share
   * a commit; one that comes after a silence, or with something that somebody waits for, does not wait. Default 0.
   */
  readonly pace?: number | undefined

  readonly load: (chatId: number) => Effect.Effect<Option.Option<StoredChat>, StoreError>

  /** Chats by id, from the first id above `after`; `limit` is at most 1000. */
  readonly list: (page: {
    readonly after?: number | undefined
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<ChatRow>, StoreError>

  /** Every chat that needs attention up to a time (milliseconds since the epoch), the most urgent first. */
  readonly wakes: (
    until: number
  ) => Effect.Effect<ReadonlyArray<{ readonly chatId: number; readonly wakeAt: number }>, StoreError>

  /** `alone`: no other commit is about to come, so a store that groups them need not wait for company. */
  readonly commit: (
    write: Write,
    options?: { readonly alone?: boolean | undefined }
  ) => Effect.Effect<Committed, StoreError>

  /** Messages of ours that have to be sent, by index, from the first index above `after`. */
  readonly outboxUnsent: (page: {
    readonly chatId: number
    readonly after?: number | undefined
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<OutboxRow>, StoreError>

  /** Unconfirmed events of all chats, by id, from the first id above `after`. */
  readonly events: (page: {
    readonly after: bigint
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<EventRow>, StoreError>

  readonly confirm: (ids: ReadonlyArray<bigint>) => Effect.Effect<void>

  readonly messages: (query: MessageQuery) => Effect.Effect<ReadonlyArray<MessageRow>, StoreError>

  /** The message of the history with this random id, ours first. */
  readonly message: (chatId: number, randomId: bigint) => Effect.Effect<Option.Option<MessageRow>, StoreError>

  /** Which of these random ids belong to incoming messages of the history. */
  readonly known: (chatId: number, randomIds: ReadonlyArray<bigint>) => Effect.Effect<ReadonlyArray<bigint>, StoreError>

  /** Timers that have run out at `now` (unix seconds), the earliest first. */
  readonly expired: (page: {
    readonly now: number
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<TimerRow>, StoreError>

  /** When the next timer runs out, unix seconds. */
  readonly nextExpiry: Effect.Effect<Option.Option<number>, StoreError>

  /** Whether one of the hashes is remembered for another chat. */
  readonly seenElsewhere: (
    chatId: number,
    hashes: ReadonlyArray<Uint8Array>
  ) => Effect.Effect<boolean, StoreError>
}

/**
 * A driver, and the scope in which work goes on that was begun on behalf of the store, such as sending what is committed.
 * It ends with the store's layer. Programs that use the same store share the same chats: see `SecretChats`.
 *
 * @category services
 * @since 1.0.0
 */
export class SecretChatStore extends Context.Service<SecretChatStore, Driver & { readonly scope: Scope.Scope }>()(
  "@effect-mtproto/secret-chats/SecretChatStore"
) {}

// ----- layers

/**
 * Keeps everything in memory: for tests, and for chats that may end with the process.
 *
 * @category layers
 * @since 1.0.0
 */
export const layerMemory: Layer.Layer<SecretChatStore> = Layer.effect(SecretChatStore, Memory.make)

/**
 * Keeps everything in a SQL database.
 *
 * Tables are created and migrated when the layer is built. A database that a newer version has written is refused with
 * `StoreError` `newer` and not touched.
 *
 * `account` separates the chats of several accounts in one database; it is part of every key. `confirmDelay` is how long a
 * confirmation may wait for a commit that takes it along (default 100 milliseconds).
 *
 * @category layers
 * @since 1.0.0
 */
export const layerSql: (
  options?: Sql.Options
) => Layer.Layer<SecretChatStore, StoreError, SqlClient.SqlClient> = (options) =>
  Layer.effect(SecretChatStore, Sql.make(options ?? {}))

/**
 * Seals everything that is stored through another store's layer with the `Vault`.
 *
 * It passes the suite that the other store passes. What was altered, or moved to another row, chat or account, is
 * `StoreError` `corrupt`; so is all that was stored unsealed. `account` is that of the other store.
 *
 * @category layers
 * @since 1.0.0
 */
export const layerSealed = <E, R>(
  store: Layer.Layer<SecretChatStore, E, R>,
  options?: { readonly account?: string | undefined }
): Layer.Layer<SecretChatStore, E, R | Vault> =>
  Layer.effect(
    SecretChatStore,
    Effect.gen(function*() {
      const inner = yield* SecretChatStore
      return SecretChatStore.of({
        ...Sealed.make(inner, yield* Vault, options?.account ?? ""),
        scope: inner.scope
      })
    })
  ).pipe(Layer.provide(store))

/**
 * `layerSql`, sealed: what to use for chats that are kept in a file or on a server.
 *
 * **Example** (Sessions and chats of an account, sealed, in one file)
 *
 * ```ts
 * const stores = Layer.merge(SessionStore.layerSealedSql(), SecretChatStore.layerSealedSql()).pipe(
 *   Layer.provide(SqlVault.layer({ passphrase: Redacted.make("correct horse battery staple") })),
 *   Layer.provide(SqliteClient.layer({ filename: "account.db" }))
 * )
 * ```
 *
 * @category layers
 * @since 1.0.0
 */
export const layerSealedSql = (
  options?: Sql.Options
): Layer.Layer<SecretChatStore, StoreError, SqlClient.SqlClient | Vault> =>
  layerSealed(layerSql(options), { account: options?.account })
