/**
 * Handing out events: what is stored, in the order of its commits, and what is never stored as it happens.
 *
 * @since 1.0.0
 */
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Events from "../protocol/Events.ts"
import { StoreError } from "../SecretChatError.ts"
import type { EventRow } from "../SecretChatStore.ts"
import type { Engine, StoredEvent } from "./engine.ts"

/** @internal */
export interface Delivered {
  readonly chatId: number
  /** Rises in the order of the commits; `undefined` for what is not stored. */
  readonly id: bigint | undefined
  readonly event: Events.Event
  readonly confirm: Effect.Effect<void>
}

const page = 256
/** Typing signals that wait for a slow consumer. */
const maxTyping = 256
/** Events in line for a slow consumer; beyond it they wait in the store. */
const maxLine = 1024

const decoded = (engine: Engine, row: EventRow): Result.Result<Delivered, StoreError> =>
  Result.mapBoth(Events.decode(row.data), {
    onSuccess: (event) => ({
      chatId: row.chatId,
      id: row.id,
      event,
      confirm: engine.store.confirm([row.id])
    }),
    onFailure: () => new StoreError({ reason: "corrupt", operation: "events" })
  })

/**
 * These hold nothing that lives on in the state of a chat: what a consumer does to one does nothing to the chat.
 */
const isFree = ({ event: { _tag } }: StoredEvent): boolean =>
  _tag === "NewMessage" || _tag === "MessageSent" || _tag === "MessageDelivered"

/**
 * Every unconfirmed event, then every new one, without end.
 *
 * What was just committed is handed on as it is if it follows what was handed out last; ids have no holes, so nothing can
 * be between them. Everything else is read from the store.
 *
 * @internal
 */
export const stream = (engine: Engine): Stream.Stream<Delivered, StoreError> =>
  Stream.scoped(Stream.fromPull(Effect.gen(function*() {
    /** The last event that was read from the store, or stands in line. */
    let after = 0n
    /** Something was committed since the last reading, or that one did not reach the end. */
    let isFresh = true
    let signal = Deferred.makeUnsafe<void>()
    let line: Array<Delivered> = []
    let typing = 0
    const ring = () => Deferred.doneUnsafe(signal, Effect.void)
    const subscriber = {
      onStored: (events: ReadonlyArray<StoredEvent> | undefined) => {
        if (isFresh) return ring()
        const first = events?.[0]
        // It was found by a reading already.
        if (first !== undefined && first.id <= after) return
        const last = events?.at(-1)
        if (
          events === undefined || first === undefined || last === undefined || first.id !== after + 1n ||
          last.id !== after + BigInt(events.length) || line.length > maxLine || !events.every(isFree)
        ) {
          isFresh = true
          return ring()
        }
        for (const { chatId, event, id } of events) {
          line.push({ chatId, id, event, confirm: engine.store.confirm([id]) })
        }
        after = last.id
        ring()
      },
      onTyping: (chatId: number, event: Events.Event) => {
        if (typing >= maxTyping) return
        typing++
        line.push({ chatId, id: undefined, event, confirm: Effect.void })
        ring()
      }
    }
    engine.subscribers.add(subscriber)
    yield* Effect.addFinalizer(() => Effect.sync(() => engine.subscribers.delete(subscriber)))

    const take = (): Array<Delivered> => {
      const found = line
      line = []
      typing = 0
      return found
    }

    const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<Delivered>, StoreError> = Effect.suspend(() => {
      const found = take()
      if (Arr.isArrayNonEmpty(found)) return Effect.succeed(found)
      // What is committed after this line rings again.
      signal = Deferred.makeUnsafe<void>()
      if (!isFresh) return Effect.andThen(Deferred.await(signal), pull)
      isFresh = false
      const from = after
      return Effect.flatMap(engine.store.events({ after, limit: page }), (rows) => {
        isFresh ||= rows.length === page
        // Nothing that was committed meanwhile stands in line before what was committed earlier.
        const waiting = take()
        const read: Array<Delivered> = waiting.filter((one) => one.id === undefined)
        after = from
        for (const row of rows) {
          const event = decoded(engine, row)
          if (Result.isFailure(event)) {
            // Those before it first; it comes again at their end.
            isFresh = true
            return Arr.isArrayNonEmpty(read) ? Effect.succeed(read) : Effect.fail(event.failure)
          }
          read.push(event.success)
          after = row.id
        }
        for (const one of waiting) {
          if (one.id === undefined || one.id <= after) continue
          if (one.id === after + 1n) {
            read.push(one)
            after = one.id
          } else isFresh = true
        }
        return Arr.isArrayNonEmpty(read) ? Effect.succeed(read) : pull
      })
    })
    return pull
  })))
