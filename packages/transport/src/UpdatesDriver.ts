/**
 * Does what the `Updates` state machine asks for: asks the server, writes the
 * state, and hands updates to the consumer. For whoever puts another client
 * behind `Transport`.
 *
 * - The state is written after the consumer's confirmations, many of them at once,
 *   200 ms apart at least. A crash before that brings updates again.
 * - The server is told what it may forget (`messages.receivedQueue`) after that is
 *   written, half a second later.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import { isTlError } from "@effect-mtproto/core/TlError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Alarm from "./internal/alarm.ts"
import * as Skim from "./internal/skim.ts"
import type { SessionStoreError } from "./SessionStore.ts"
import type { TransportError, TransportUpdate } from "./Transport.ts"
import * as Updates from "./Updates.ts"

/**
 * @since 1.0.0
 * @category models
 */
export interface UpdatesDriver {
  /** Has one consumer. */
  readonly stream: Stream.Stream<TransportUpdate, TransportError>
  /** The account is logged in: from the stored state, or from the server's. */
  readonly start: (stored: Updates.State | undefined) => void
  readonly stop: () => void
  /** Ends the stream. */
  readonly fail: (error: TransportError) => void
  /** An object that a session received and that is no service message. */
  readonly onBody: (body: Uint8Array) => void
  /** The result of a call that is itself updates. */
  readonly onResult: (updates: Api.Updates) => void
  readonly onReconnect: () => void
  readonly onSessionCreated: () => void
  /**
   * How far the server may forget what it keeps for this device: as far as it is confirmed and written.
   * `undefined` while that is not known.
   */
  readonly forgettable: () => number | undefined
}

/**
 * Any error of a call; `type` is the server's word for it.
 *
 * @since 1.0.0
 * @category models
 */
export type CallError = { readonly _tag: string; readonly type?: string; readonly message: string }

/**
 * @since 1.0.0
 * @category models
 */
export interface Settings {
  readonly store: { readonly setUpdateState: (state: Updates.State) => Effect.Effect<void, SessionStoreError> }
  /** Milliseconds of a clock that does not jump. */
  readonly now: () => number
  readonly getState: Effect.Effect<Api.updates.State, CallError>
  readonly getDifference: (state: Updates.State) => Effect.Effect<Api.updates.Difference, CallError>
  readonly receivedQueue: (maxQts: number) => Effect.Effect<unknown, CallError>
  readonly options: Partial<Updates.Options>
}

/** How long confirmations are gathered before the server is told. */
const ACK_DELAY = "500 millis"
/** How long confirmations are gathered after a write, so that a stream of updates is not a stream of commits. */
const SAVE_DELAY = "200 millis"

/**
 * @since 1.0.0
 * @category constructors
 */
export const make: (settings: Settings) => Effect.Effect<UpdatesDriver, never, Scope.Scope> = Effect.fnUntraced(
  function*(settings) {
    const { now, store } = settings
    const { wanted } = settings.options
    const scope = yield* Effect.scope
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const makeQueue = Queue.unbounded<TransportUpdate, TransportError>()
    let queue = yield* makeQueue
    let failed = false
    const machine = Updates.make(settings.options)
    const unsaved = Latch.makeUnsafe(false)
    const unacknowledged = Latch.makeUnsafe(false)
    /** Raised when the account changes, so that answers for the one before are ignored. */
    let epoch = 0
    let toSave: Updates.State | undefined
    let saved: Updates.State | undefined
    let acknowledged = 0

    const alarm = yield* Alarm.make({
      now,
      wakeAt: machine.wakeAt.bind(machine),
      fire: () => {
        machine.poll(now())
        run()
      }
    })

    const ask = <A>(request: Effect.Effect<A, CallError>, onSuccess: (value: A) => void): void => {
      const asked = epoch
      const done = (act: () => void) =>
        Effect.sync(() => {
          if (asked !== epoch) return
          act()
          run()
          alarm.rearm()
        })
      const effect = Effect.matchEffect(request, {
        onSuccess: (value) => done(() => onSuccess(value)),
        onFailure: (error) =>
          Effect.andThen(
            Effect.logDebug(`The difference of updates could not be fetched: ${error.message}`),
            done(() => machine.onFailure(now(), error.type?.startsWith("PERSISTENT_TIMESTAMP_") ?? false))
          )
      })
      fork(Effect.forkIn(effect, scope))
    }

    /** Carries out what the machine wants. */
    function run(): void {
      for (const command of machine.commands()) {
        switch (command._tag) {
          case "Deliver": {
            const { position, ...delivery } = command.delivery
            const confirm = Effect.sync(() => {
              machine.confirm(now(), position)
              run()
              alarm.rearm()
            })
            Queue.offerUnsafe(queue, { ...delivery, confirm })
            break
          }
          case "GetState":
            ask(settings.getState, (state) => {
              // nothing before the first state is ours to acknowledge
              if (machine.state === undefined) acknowledged = state.qts
              machine.onState(now(), state)
            })
            break
          case "GetDifference":
            ask(
              settings.getDifference(command.state),
              (difference) => machine.onDifference(now(), difference)
            )
            break
          case "Store":
            toSave = command.state
            unsaved.openUnsafe()
        }
      }
    }

    const act = (change: () => void): void => {
      change()
      run()
      alarm.rearm()
    }

    // What is confirmed is written; many confirmations are one write. A crash before that brings updates again.
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => toSave === undefined || toSave === saved ? Effect.void : store.setUpdateState(toSave)).pipe(
        Effect.catch((error) => Effect.logWarning(error.message))
      )
    )
    yield* Effect.forkScoped(Effect.gen(function*() {
      while (true) {
        yield* unsaved.await
        unsaved.closeUnsafe()
        const state = toSave
        if (state === undefined) continue
        yield* Effect.retry(
          Effect.tapError(store.setUpdateState(state), (error) => Effect.logWarning(error.message)),
          Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("10 seconds")])
        )
        saved = state
        if (state.qts > acknowledged) unacknowledged.openUnsafe()
        yield* Effect.sleep(SAVE_DELAY)
      }
    }))

    // the server may forget only what is written
    yield* Effect.forkScoped(Effect.gen(function*() {
      while (true) {
        yield* unacknowledged.await
        yield* Effect.sleep(ACK_DELAY)
        unacknowledged.closeUnsafe()
        const qts = saved?.qts ?? 0
        if (qts <= acknowledged) continue
        acknowledged = qts
        // not being told costs the server memory, and nobody anything else
        yield* Effect.ignore(settings.receivedQueue(qts))
      }
    }))

    return {
      stream: Stream.suspend(() => Stream.fromQueue(queue)),
      start: (stored) => {
        if (failed) queue = Effect.runSync(makeQueue)
        failed = false
        epoch++
        toSave = undefined
        saved = stored
        // the difference that is asked for now acknowledges it
        acknowledged = stored?.qts ?? 0
        act(() => machine.start(now(), stored))
      },
      stop: () => {
        epoch++
        toSave = undefined
        saved = undefined
        act(() => machine.stop())
      },
      fail: (error) => {
        epoch++
        act(() => machine.stop())
        failed = true
        Queue.failCauseUnsafe(queue, Cause.fail(error))
      },
      onBody: (body) => {
        let updates: Api.Updates
        try {
          updates = wanted === undefined ? Api.Updates.decode(body) : Skim.decode(body, wanted)
        } catch (error) {
          if (!isTlError(error)) throw error
          return act(() => machine.onUnreadable(now()))
        }
        act(() => machine.onUpdates(now(), updates))
      },
      onResult: (updates) => act(() => machine.onUpdates(now(), updates)),
      onReconnect: () => act(() => machine.onReconnect(now())),
      onSessionCreated: () => act(() => machine.onSessionCreated(now())),
      forgettable: () => machine.state === undefined ? undefined : Math.max(acknowledged, saved?.qts ?? 0)
    }
  }
)
