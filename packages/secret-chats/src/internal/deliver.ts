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
import type { Engine } from "./engine.ts"

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
 * Every unconfirmed event, then every new one, without end.
 *
 * @internal
 */
export const stream = (engine: Engine): Stream.Stream<Delivered, StoreError> =>
  Stream.scoped(Stream.fromPull(Effect.gen(function*() {
    let after = 0n
    /** Something was committed since the last reading, or that one did not reach the end. */
    let isFresh = true
    let signal = Deferred.makeUnsafe<void>()
    let typing: Array<Delivered> = []
    const ring = () => {
      isFresh = true
      Deferred.doneUnsafe(signal, Effect.void)
    }
    const subscriber = {
      onStored: ring,
      onTyping: (chatId: number, event: Events.Event) => {
        if (typing.length < maxTyping) typing.push({ chatId, id: undefined, event, confirm: Effect.void })
        ring()
      }
    }
    engine.subscribers.add(subscriber)
    yield* Effect.addFinalizer(() => Effect.sync(() => engine.subscribers.delete(subscriber)))

    const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<Delivered>, StoreError> = Effect.suspend(() => {
      if (!isFresh) return Effect.andThen(Deferred.await(signal), pull)
      // What is committed after this line rings again.
      isFresh = false
      signal = Deferred.makeUnsafe<void>()
      return Effect.flatMap(engine.store.events({ after, limit: page }), (rows) => {
        const found: Array<Delivered> = typing
        typing = []
        isFresh ||= rows.length === page
        for (const row of rows) {
          const event = decoded(engine, row)
          if (Result.isFailure(event)) {
            // Those before it first; it comes again at their end.
            isFresh = true
            return Arr.isArrayNonEmpty(found) ? Effect.succeed(found) : Effect.fail(event.failure)
          }
          found.push(event.success)
          after = row.id
        }
        return Arr.isArrayNonEmpty(found) ? Effect.succeed(found) : pull
      })
    })
    return pull
  })))
