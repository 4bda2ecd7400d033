/**
 * Updates for two: those of secret chats for `SecretChats`, all others for somebody else.
 *
 * `Transport.updates` has one consumer. This layer stands on top of a `Transport` and provides one whose `updates` are those of
 * secret chats, beside a second stream with everything else: messages of ordinary chats, who is online, what was read.
 *
 * ```ts
 * const account = SecretChats.layer().pipe(
 *   Layer.provideMerge(OtherUpdates.layer()),
 *   Layer.provideMerge(MtprotoTransport.layer(config))
 * )
 *
 * const program = Effect.gen(function*() {
 *   const others = yield* OtherUpdates.OtherUpdates
 *   yield* others.run((updates) => store(updates))
 * })
 * ```
 *
 * **Laws**
 *
 * 1. What `updates` of the underlying transport promises holds for each of the two streams: in order, and at least once. Nothing
 *    is said about the order between them.
 * 2. An update is confirmed by whoever gets it, after storing what comes of it. The server forgets what is confirmed without a
 *    gap, whichever stream it was in.
 * 3. Neither stream waits for the other, as long as fewer updates than the window of the transport wait for their confirmation
 *    (1024 in `MtprotoTransport`). Where nobody may be listening to the others, give a limit: {@link Options}.
 * 4. What is about the moment only, {@link isMomentary}, is let go when more than 256 updates wait.
 *
 * Nothing arrives in either stream unless the first one, of `Transport`, is consumed: `SecretChats.layer` does that.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Transport, type TransportError, type TransportUpdate } from "./Transport.ts"

// ----- which is which

const secret: ReadonlySet<string> = new Set<Api.Update["_tag"]>([
  "updateNewEncryptedMessage",
  "updateEncryption",
  "updateEncryptedChatTyping",
  "updateEncryptedMessagesRead"
])

/**
 * Whether an update is about secret chats.
 *
 * @category guards
 * @since 1.0.0
 */
export const isSecret = (update: Pick<Api.Update, "_tag">): boolean => secret.has(update._tag)

const momentary: ReadonlySet<string> = new Set<Api.Update["_tag"]>([
  "updateUserStatus",
  "updateUserTyping",
  "updateChatUserTyping",
  "updateChannelUserTyping"
])

/**
 * Whether an update is about the moment only: who is online, who is typing.
 *
 * @category guards
 * @since 1.0.0
 */
export const isMomentary = (update: Pick<Api.Update, "_tag">): boolean => momentary.has(update._tag)

// ----- who it is about

const idsOf = (value: unknown, ids: Set<bigint>): void => {
  if (typeof value === "bigint") ids.add(value)
  else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    for (const inner of Object.values(value)) idsOf(inner, ids)
  }
}

/**
 * Of the users and chats that came with an update those that it names. Many updates may have come together, with the users and
 * chats of all of them.
 *
 * @category queries
 * @since 1.0.0
 */
export const about = (
  { chats = [], update, users }: Pick<TransportUpdate, "update" | "users" | "chats">
): { readonly users: ReadonlyArray<Api.User>; readonly chats: ReadonlyArray<Api.Chat> } => {
  if (users.length === 0 && chats.length === 0) return { users, chats }
  const ids = new Set<bigint>()
  idsOf(update, ids)
  return { users: users.filter(({ id }) => ids.has(id)), chats: chats.filter(({ id }) => ids.has(id)) }
}

// ----- service

/**
 * @category services
 * @since 1.0.0
 */
export class OtherUpdates extends Context.Service<OtherUpdates, {
  /**
   * Every update that is not about secret chats. One consumer at a time; what it does not confirm comes to the next one, and
   * after a restart.
   */
  readonly updates: Stream.Stream<TransportUpdate, TransportError>
  /**
   * Hands them over in order, as many at once as there are, and confirms them when `handle` has succeeded. When it fails, it is
   * called again with the same, after a pause that grows from 0.1 to 10 seconds.
   */
  readonly run: <E, R>(
    handle: (updates: Arr.NonEmptyReadonlyArray<TransportUpdate>) => Effect.Effect<unknown, E, R>
  ) => Effect.Effect<void, TransportError, R>
}>()("@effect-mtproto/transport/OtherUpdates") {}

/**
 * @category models
 * @since 1.0.0
 */
export interface Options {
  /**
   * How many updates wait for a consumer while there is none; the oldest beyond are let go, which confirms them. Default: all,
   * so that there has to be a consumer, or nothing comes any more when the window of the transport is full.
   */
  readonly unheard?: number | undefined
}

const MAX_MOMENTARY = 256

const make = Effect.fnUntraced(function*({ unheard = Infinity }: Options) {
  const transport = yield* Transport
  const queue = yield* Queue.unbounded<TransportUpdate, TransportError>()
  let consumers = 0

  /** Puts others in line, and answers with those that are let go. */
  const put = (others: ReadonlyArray<TransportUpdate>): ReadonlyArray<TransportUpdate> => {
    const released: Array<TransportUpdate> = []
    for (const other of others) {
      if (Queue.sizeUnsafe(queue) >= MAX_MOMENTARY && isMomentary(other.update)) released.push(other)
      else Queue.offerUnsafe(queue, other)
    }
    while (consumers === 0 && Queue.sizeUnsafe(queue) > unheard) {
      const oldest = Queue.takeUnsafe(queue)
      if (oldest?._tag !== "Success") break
      released.push(oldest.value)
    }
    return released
  }

  const kept = Stream.transformPull(transport.updates, (source) => {
    const pull: typeof source = Effect.flatMap(source, (updates) => {
      if (updates.every(({ update }) => isSecret(update))) return Effect.succeed(updates)
      const mine = updates.filter(({ update }) => isSecret(update))
      const released = put(updates.filter(({ update }) => !isSecret(update)))
      return Effect.andThen(
        Effect.forEach(released, ({ confirm }) => confirm, { discard: true }),
        Arr.isArrayNonEmpty(mine) ? Effect.succeed(mine) : pull
      )
    })
    return Effect.succeed(pull)
  }).pipe(Stream.onError((cause) => Queue.failCause(queue, cause)))

  /** What a consumer has and did not confirm. */
  const taken = new Set<TransportUpdate>()
  const watched = (update: TransportUpdate): TransportUpdate => {
    const own: TransportUpdate = {
      ...update,
      confirm: Effect.andThen(Effect.sync(() => taken.delete(own)), update.confirm)
    }
    taken.add(own)
    return own
  }
  const updates = Stream.unwrap(Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => consumers++),
      () => Effect.sync(() => consumers--)
    ),
    () => Stream.concat(Stream.fromIterable([...taken]), Stream.map(Stream.fromQueue(queue), watched))
  ))

  return Context.make(Transport, Transport.of({ invoke: transport.invoke, updates: kept })).pipe(
    Context.add(
      OtherUpdates,
      OtherUpdates.of({
        updates,
        run: (handle) =>
          Stream.runForEachArray(updates, (taken) =>
            Effect.suspend(() => handle(taken)).pipe(
              Effect.tapError((error) =>
                Effect.logWarning("Updates could not be taken in, they are tried again", error)
              ),
              Effect.retry(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("10 seconds")])),
              Effect.orDie,
              Effect.andThen(Effect.forEach(taken, ({ confirm }) => confirm, { discard: true }))
            ))
      })
    )
  )
})

/**
 * A `Transport` over a `Transport`, without the updates that `OtherUpdates` has.
 *
 * @category layers
 * @since 1.0.0
 */
export const layer = (options: Options = {}): Layer.Layer<Transport | OtherUpdates, never, Transport> =>
  Layer.effectContext(make(options))
