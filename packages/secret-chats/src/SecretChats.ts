/**
 * The service that most programs use: ask for secret chats, accept or decline them, send, and hear what happens.
 *
 * **Details**
 *
 * `SecretChats.layer` takes in what the server sends, sends what a run of the program before left unsent, resumes key
 * exchanges, and lets timers run out. The programs `sendEncryptedService` and `sendEncrypted` work beside it, over the same
 * store: an engine that is found by the store gives each chat one queue, through which every change of the chat goes,
 * whoever asks for it. So use one `SecretChatStore` layer for all of them, and one `SecretChats` layer for a store.
 *
 * **Nobody is let in by accident.** With the policy `ask`, the default, a request is kept until `accept` or `decline`
 * answers it. A key that was agreed on is authentic only when both people have compared the picture that `keyPicture`
 * gives.
 *
 * **Events** are delivered at least once, in order within a chat, across restarts, until they are confirmed. Whoever
 * handles them tells repeats apart by the message's `randomId`.
 *
 * **Example** (Answering "ping")
 *
 * ```ts
 * import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const chats = yield* SecretChats.SecretChats
 *   yield* chats.runEvents(({ chatId, event }) =>
 *     event._tag === "NewMessage" && event.message.message === "ping"
 *       ? chats.sendText(chatId, "pong")
 *       : Effect.void
 *   )
 * }).pipe(Effect.provide(SecretChats.layer({ accept: "allow" })))
 * ```
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Transport from "@effect-mtproto/transport/Transport"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { downloadEncryptedFile, type DownloadOptions } from "./downloadEncryptedFile.ts"
import type { EncryptedFile, HasFile } from "./EncryptedFile.ts"
import type { FileError } from "./FileError.ts"
import type { FileSource } from "./FileSource.ts"
import { computed, engine as theEngine } from "./internal/acts.ts"
import * as Alarms from "./internal/alarms.ts"
import * as Chats from "./internal/chats.ts"
import * as Deliver from "./internal/deliver.ts"
import * as Receive from "./internal/receive.ts"
import { sendAll } from "./internal/send.ts"
import { fromTransport } from "./internal/serverError.ts"
import type { FileDraft, FileMedia } from "./Media.ts"
import type { Outcome } from "./Outcome.ts"
import type * as Events from "./protocol/Events.ts"
import type { SecretChatError, SecretChatUnknown, StoreError, TransportError } from "./SecretChatError.ts"
import { type MessageState, SecretChatStore } from "./SecretChatStore.ts"
import type { SecretPeer } from "./SecretPeer.ts"
import { sendEncryptedFile, type SentFile } from "./sendEncryptedFile.ts"
import type { UploadOptions } from "./uploadEncryptedFile.ts"

// ----- models

/**
 * Where a chat stands.
 *
 * - `requesting`: we ask for it, the server does not know yet
 * - `waiting`: the other side has not answered yet
 * - `requested`: the other side asks; `accept` or `decline` answers
 * - `accepting`: we said yes, the key is being agreed on
 * - `ready`: messages can be sent
 * - `closed`: for good
 *
 * @category models
 * @since 1.0.0
 */
export type SecretChatState = "requesting" | "waiting" | "requested" | "accepting" | "ready" | "closed"

/**
 * A secret chat, as it is now. No key is in it.
 *
 * @category models
 * @since 1.0.0
 */
export interface SecretChat {
  readonly chatId: number
  /** The other person. */
  readonly userId: bigint
  /** Whether this side asked for the chat. */
  readonly outgoing: boolean
  readonly state: SecretChatState
  /** Why it is closed, in state `closed`. */
  readonly closed?: Events.CloseReason
  /** Unix seconds; when it was created. */
  readonly date: number
  /** Self-destruct timer in seconds, 0 = off. */
  readonly ttl: number
  /** Highest layer that the other side has shown, 0 if none. */
  readonly peerLayer: number
  /** The 36 bytes of the key picture, from `ready` on. The two sides are alone if both have the same. */
  readonly keyHash?: Uint8Array
}

/**
 * The key picture of a chat: what two people compare, by another way than this chat, to know that nobody is between them.
 * It belongs to the first key and stays the same for the life of the chat.
 *
 * @category models
 * @since 1.0.0
 */
export interface KeyPicture {
  /** 36 bytes. */
  readonly hash: Uint8Array
  /** As official clients write it: 32 bytes in hexadecimal, four lines. */
  readonly hex: string
  /** As an SVG document. */
  readonly svg: string
  /** For a terminal with 24-bit colours. */
  readonly terminal: string
  /** For a terminal without colours. */
  readonly letters: string
}

/**
 * Something that happened in a chat.
 *
 * @category models
 * @since 1.0.0
 */
export interface SecretChatEvent {
  readonly chatId: number
  /** Rises in the order in which events were stored; `undefined` for what is never stored (typing). */
  readonly id: bigint | undefined
  readonly event: Events.Event
  /**
   * To be run when the event is dealt with; until then it comes again, with every new run of `events` and after a restart.
   * A crash shortly after a confirmation may bring the event once more.
   */
  readonly confirm: Effect.Effect<void>
}

/**
 * A message of the history.
 *
 * @category models
 * @since 1.0.0
 */
export interface HistoryMessage {
  readonly chatId: number
  /** Rises in the order in which messages were processed; for paging. */
  readonly position: number
  readonly randomId: bigint
  readonly outgoing: boolean
  /** Number among the messages of its side, from 0. */
  readonly index: number
  readonly state: MessageState
  /** Unix seconds. */
  readonly date: number
  /** What the server said, in state `failed`. */
  readonly failure?: string
  readonly message: DecryptedMessage.DecryptedMessage
  /** Where the server has its file: with it, the whole can be given to `download` and `saveEncryptedFile`. */
  readonly file?: Events.FileReference
}

/**
 * Somebody to ask for a chat: an `inputUser`, a `user` of the server API, or the two numbers.
 *
 * @category models
 * @since 1.0.0
 */
export type UserPeer = { readonly userId: bigint; readonly accessHash: bigint } | Api.inputUser | Api.user

/**
 * A request for a chat, for a policy to decide on.
 *
 * @category models
 * @since 1.0.0
 */
export interface ChatRequest {
  readonly chatId: number
  readonly userId: bigint
  /** Unix seconds. */
  readonly date: number
  /** Who asks, if the server told. */
  readonly user: Api.User | undefined
}

/**
 * What to do about a request.
 *
 * - `ask`: keep it; the event `ChatRequested` tells of it, `accept` or `decline` answers it
 * - `allow`: accept it
 * - `none`: let it pass; the other devices of this account can still take it
 *
 * @category models
 * @since 1.0.0
 */
export type AcceptDecision = "ask" | "allow" | "none"

/**
 * One decision for all requests, or a function that is asked about each. It should answer quickly: what comes after the
 * request waits for it.
 *
 * @category models
 * @since 1.0.0
 */
export type AcceptPolicy<R = never> =
  | AcceptDecision
  | ((request: ChatRequest) => Effect.Effect<AcceptDecision, never, R>)

/**
 * @category models
 * @since 1.0.0
 */
export interface Options<R = never> {
  /** Default `ask`. */
  readonly accept?: AcceptPolicy<R> | undefined
}

/**
 * What sending a message gives: the outcome, or several in order if it was sent as several.
 *
 * @category models
 * @since 1.0.0
 */
export type Outcomes = Outcome | readonly [Outcome, Outcome, ...Array<Outcome>]

/**
 * Options of `sendText`; all of them are fields of `decryptedMessage`.
 *
 * @category models
 * @since 1.0.0
 */
export type TextOptions = Omit<DecryptedMessage.Draft, "_tag" | "message" | "media">

// ----- service

/**
 * @category services
 * @since 1.0.0
 */
export class SecretChats extends Context.Service<SecretChats, {
  /**
   * Asks somebody for a secret chat. Answers when the server knows of it, in state `waiting`; `awaitReady` waits for the
   * other person. What identifies the request is stored first, so a crash does not lose it.
   */
  readonly request: (user: UserPeer) => Effect.Effect<SecretChat, SecretChatError>

  /** Accepts a request, and answers when the chat is ready. */
  readonly accept: (peer: SecretPeer) => Effect.Effect<SecretChat, SecretChatError>

  /** Declines a request. It is then declined on every device of this account. */
  readonly decline: (peer: SecretPeer) => Effect.Effect<SecretChat, SecretChatError>

  /**
   * Closes a chat in any state. It is closed here at once, and for good; the effect ends when the server knows too. With
   * `deleteHistory` both sides delete their messages.
   */
  readonly discard: (
    peer: SecretPeer,
    options?: { readonly deleteHistory?: boolean | undefined }
  ) => Effect.Effect<SecretChat, SecretChatError>

  /** Removes a closed chat and its history from the store. */
  readonly forget: (peer: SecretPeer) => Effect.Effect<void, SecretChatError>

  /** Waits until a chat is ready; fails when it is closed instead. */
  readonly awaitReady: (peer: SecretPeer) => Effect.Effect<SecretChat, SecretChatError>

  /** All chats, by id; `all` where they may be very many. */
  readonly list: Effect.Effect<ReadonlyArray<SecretChat>, StoreError>

  /** All chats, by id, read from the store page by page. */
  readonly all: Stream.Stream<SecretChat, StoreError>

  readonly get: (peer: SecretPeer) => Effect.Effect<SecretChat, SecretChatUnknown | StoreError>

  readonly keyPicture: (peer: SecretPeer) => Effect.Effect<KeyPicture, SecretChatError>

  // ----- sending

  /** Sends any message, see `sendEncrypted`. */
  readonly send: (
    peer: SecretPeer,
    message: DecryptedMessage.AnyDraft
  ) => Effect.Effect<Outcomes, SecretChatError>

  /** Sends a text, in parts if it is long. */
  readonly sendText: (
    peer: SecretPeer,
    text: string,
    options?: TextOptions
  ) => Effect.Effect<Outcomes, SecretChatError>

  /** Sends a file, or one that the server has already, see `sendEncryptedFile`. */
  readonly sendFile: <E = never, R = never>(
    peer: SecretPeer,
    message: FileMedia | FileDraft,
    file: FileSource<E, R> | EncryptedFile,
    options?: UploadOptions
  ) => Effect.Effect<SentFile, SecretChatError | FileError | E, R>

  /** The bytes of a file that came with a message, see `downloadEncryptedFile`. */
  readonly download: (
    file: HasFile,
    options?: DownloadOptions
  ) => Stream.Stream<Uint8Array, SecretChatError | FileError>

  /** Sets the self-destruct timer of the chat, for both sides; 0 switches it off. */
  readonly setTtl: (peer: SecretPeer, seconds: number) => Effect.Effect<Outcomes, SecretChatError>

  /** Tells the other side that the content of its messages was opened, which starts their timers. */
  readonly readMessages: (
    peer: SecretPeer,
    randomIds: ReadonlyArray<bigint>
  ) => Effect.Effect<Outcomes, SecretChatError>

  /** Deletes messages on both sides. */
  readonly deleteMessages: (
    peer: SecretPeer,
    randomIds: ReadonlyArray<bigint>
  ) => Effect.Effect<Outcomes, SecretChatError>

  /** Deletes the history on both sides. */
  readonly flushHistory: (peer: SecretPeer) => Effect.Effect<Outcomes, SecretChatError>

  /** Tells the other side that a screenshot was taken. */
  readonly screenshotTaken: (
    peer: SecretPeer,
    randomIds?: ReadonlyArray<bigint>
  ) => Effect.Effect<Outcomes, SecretChatError>

  /** Announces the layer that this software speaks; this happens by itself when it is needed. */
  readonly notifyLayer: (peer: SecretPeer) => Effect.Effect<Outcomes, SecretChatError>

  /** Sends a message without meaning. */
  readonly noop: (peer: SecretPeer) => Effect.Effect<Outcomes, SecretChatError>

  /** Tells the other side that we are typing, or stopped; not more often than every 5 seconds. */
  readonly setTyping: (peer: SecretPeer, typing?: boolean) => Effect.Effect<void, SecretChatError>

  /** Incoming messages with a date up to `maxDate` (unix seconds) were seen by the user. */
  readonly markRead: (peer: SecretPeer, maxDate: number) => Effect.Effect<void, SecretChatError>

  // ----- history

  readonly messages: (peer: SecretPeer, page?: {
    /** Only messages with a smaller position. */
    readonly before?: number | undefined
    /** Only messages with a greater position. */
    readonly after?: number | undefined
    /** Default `newest-first`. */
    readonly order?: "newest-first" | "oldest-first" | undefined
    /** Default 100, at most 1000. */
    readonly limit?: number | undefined
  }) => Effect.Effect<ReadonlyArray<HistoryMessage>, SecretChatUnknown | StoreError>

  readonly message: (
    peer: SecretPeer,
    randomId: bigint
  ) => Effect.Effect<Option.Option<HistoryMessage>, SecretChatUnknown | StoreError>

  // ----- events

  /**
   * Every event that was not confirmed, then every new one, without end. One consumer at a time: each gets all events, and
   * a confirmation by any counts for all. Fails when the transport has ended, for then nothing new can come.
   */
  readonly events: Stream.Stream<SecretChatEvent, StoreError | TransportError>

  /** Runs `handle` for one event after the other, and confirms each when it has succeeded. */
  readonly runEvents: <E, R>(
    handle: (event: SecretChatEvent) => Effect.Effect<unknown, E, R>
  ) => Effect.Effect<never, E | StoreError | TransportError, R>
}>()("@effect-mtproto/secret-chats/SecretChats") {}

// ----- layer

const make = Effect.fnUntraced(function*<R>(options: Options<R>) {
  const services = Context.pick(Crypto, Transport.Transport, SecretChatStore)(
    yield* Effect.context<Crypto | Transport.Transport | SecretChatStore>()
  )
  const here = <A, E>(
    effect: Effect.Effect<A, E, Crypto | Transport.Transport | SecretChatStore>
  ): Effect.Effect<A, E> => Effect.provideContext(effect, services)
  const transport = yield* Transport.Transport
  const engine = yield* theEngine
  // the cryptography may be closed before the store
  yield* Effect.addFinalizer(() => computed(engine))

  const { accept = "ask" } = options
  const decide: Receive.Decide<R> = typeof accept === "function" ? accept : () => Effect.succeed(accept)

  yield* Chats.resume
  yield* Effect.forkScoped(Alarms.run)
  const ended = yield* Deferred.make<never, TransportError>()
  yield* transport.updates.pipe(
    Stream.runForEach((update) => Receive.receive(update, decide)),
    Effect.matchCauseEffect({
      onSuccess: () => Effect.void,
      onFailure: (cause) =>
        Effect.andThen(
          Effect.logDebug("The updates of secret chats have ended", cause),
          Deferred.failCause(ended, Cause.map(cause, fromTransport))
        )
    }),
    Effect.forkScoped
  )

  const send = (peer: SecretPeer, message: DecryptedMessage.AnyDraft) => here(sendAll(peer, message, "message"))
  const events: Stream.Stream<SecretChatEvent, StoreError | TransportError> = Stream.interruptWhen(
    Deliver.stream(engine),
    Deferred.await(ended)
  )

  return SecretChats.of({
    request: Effect.fn("SecretChats.request")((user) => here(Chats.request(user))),
    accept: Effect.fn("SecretChats.accept")((peer) => here(Chats.accept(peer))),
    decline: Effect.fn("SecretChats.decline")((peer) => here(Chats.discard(peer, false))),
    discard: Effect.fn("SecretChats.discard")((peer, how) => here(Chats.discard(peer, how?.deleteHistory === true))),
    forget: Effect.fn("SecretChats.forget")((peer) => here(Chats.forget(peer))),
    awaitReady: Effect.fn("SecretChats.awaitReady")((peer) => here(Chats.awaitReady(peer))),
    list: here(Chats.list),
    all: Stream.provideContext(Chats.all, services),
    get: Effect.fn("SecretChats.get")((peer) => here(Chats.get(peer))),
    keyPicture: Effect.fn("SecretChats.keyPicture")((peer) => here(Chats.keyPicture(peer))),
    send: Effect.fn("SecretChats.send")(send),
    sendText: Effect.fn("SecretChats.sendText")((peer, text, more) => send(peer, DecryptedMessage.message(text, more))),
    sendFile: <E = never, R = never>(
      peer: SecretPeer,
      message: FileMedia | FileDraft,
      file: FileSource<E, R> | EncryptedFile,
      options?: UploadOptions
    ): Effect.Effect<SentFile, SecretChatError | FileError | E, R> =>
      Effect.provideContext(sendEncryptedFile(peer, message, file, options), services),
    download: (file, options) => Stream.provideContext(downloadEncryptedFile(file, options), services),
    setTtl: Effect.fn("SecretChats.setTtl")((peer, seconds) => send(peer, DecryptedMessage.setMessageTtl(seconds))),
    readMessages: Effect.fn("SecretChats.readMessages")((peer, ids) => send(peer, DecryptedMessage.readMessages(ids))),
    deleteMessages: Effect.fn("SecretChats.deleteMessages")((peer, ids) =>
      send(peer, DecryptedMessage.deleteMessages(ids))
    ),
    flushHistory: Effect.fn("SecretChats.flushHistory")((peer) => send(peer, DecryptedMessage.flushHistory())),
    screenshotTaken: Effect.fn("SecretChats.screenshotTaken")((peer, ids) =>
      send(peer, DecryptedMessage.screenshotMessages(ids))
    ),
    // Nobody has to be woken up for these.
    notifyLayer: Effect.fn("SecretChats.notifyLayer")((peer) =>
      here(sendAll(peer, DecryptedMessage.notifyLayer(), "service"))
    ),
    noop: Effect.fn("SecretChats.noop")((peer) => here(sendAll(peer, DecryptedMessage.noop(), "service"))),
    setTyping: Effect.fn("SecretChats.setTyping")((peer, typing = true) => here(Chats.setTyping(peer, typing))),
    markRead: Effect.fn("SecretChats.markRead")((peer, maxDate) => here(Chats.markRead(peer, maxDate))),
    messages: Effect.fn("SecretChats.messages")((peer, page) => here(Chats.messages(peer, page ?? {}))),
    message: Effect.fn("SecretChats.message")((peer, randomId) => here(Chats.message(peer, randomId))),
    events,
    runEvents: (handle) =>
      Effect.andThen(
        Stream.runForEach(events, (event) => Effect.andThen(handle(event), event.confirm)),
        Effect.never
      )
  })
})

/**
 * Provides `SecretChats`, and keeps the chats of the store alive as long as the layer lives.
 *
 * @category layers
 * @since 1.0.0
 */
export const layer = <R = never>(
  options: Options<R> = {}
): Layer.Layer<SecretChats, StoreError, Crypto | Transport.Transport | SecretChatStore | R> =>
  Layer.effect(SecretChats, make(options))
