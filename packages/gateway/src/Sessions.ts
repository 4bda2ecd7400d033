/**
 * The accounts of a gateway: one runtime for each session, with its connection to Telegram and its secret chats.
 *
 * A runtime is opened when somebody needs it, and closed when nobody has for a while; what Telegram has for it meanwhile is
 * fetched at the next opening. Only one process has it at a time: the lease in the session store sees to that, and the
 * second one answers 503.
 *
 * While it is open, what happens in its secret chats, and every other update of the account, is put into the inbox of updates,
 * and only then confirmed.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { Vault } from "@effect-mtproto/crypto/Vault"
import * as Errors from "@effect-mtproto/secret-chats/SecretChatError"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretChatStore from "@effect-mtproto/secret-chats/SecretChatStore"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as OtherUpdates from "@effect-mtproto/transport/OtherUpdates"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import type { Transport } from "@effect-mtproto/transport/Transport"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as LayerMap from "effect/LayerMap"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as AllowedUpdates from "./AllowedUpdates.ts"
import * as Failure from "./Failure.ts"
import { GatewayOptions } from "./GatewayOptions.ts"
import { GatewayStore, type GatewayStoreError, type NewUpdate } from "./GatewayStore.ts"
import * as Gate from "./internal/gate.ts"
import * as Metrics from "./internal/metrics.ts"
import * as People from "./internal/people.ts"
import * as LooseTl from "./LooseTl.ts"
import * as Update from "./Update.ts"

/**
 * What a runtime provides.
 *
 * @category models
 * @since 1.0.0
 */
export type Services =
  | Crypto
  | Transport
  | MtprotoTransport.MtprotoTransport
  | SecretChatStore.SecretChatStore
  | SecretChats.SecretChats
  | SessionStore.SessionStore
  | Runtime

/**
 * What belongs to one opening of a session.
 *
 * @category services
 * @since 1.0.0
 */
export class Runtime extends Context.Service<Runtime, {
  readonly id: string
  /** Chats to which something was sent already, which therefore are loaded. */
  readonly warm: Set<number>
  /** Called with what becomes of messages that requests with an `Idempotency-Key` have sent. */
  readonly watched: Map<bigint, (outcome: LooseOutcome) => Effect.Effect<void>>
  /** Whether an update of this name is wanted. */
  wants: (tag: string) => boolean
}>()("@effect-mtproto/gateway/Sessions/Runtime") {}

/** What an event tells of a message of ours. */
export type LooseOutcome =
  | { readonly _tag: "Sent"; readonly json: unknown }
  | { readonly _tag: "Failed"; readonly error: { readonly code: number; readonly type: string } }

type OpenError =
  | GatewayStoreError
  | SessionStore.SessionStoreError
  | Layer.Error<ReturnType<typeof MtprotoTransport.layer>>
  | Layer.Error<ReturnType<typeof SecretChatStore.layerSealedSql>>

/** @category services @since 1.0.0 */
export class Sessions extends Context.Service<Sessions, {
  /** Runs an effect with the services of a session, which stays open at least as long. */
  readonly use: <A, E, R>(
    id: string,
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | OpenError, Exclude<R, Services>>
  /**
   * The same, for what needs nothing but the services of the session, and more cheaply: of what surrounds it, it sees the
   * tracer, the span, the clock and what concerns logging.
   */
  readonly run: <A, E>(id: string, effect: Effect.Effect<A, E, Services>) => Effect.Effect<A, E | OpenError>
  /** The services of a session, open as long as the scope is. */
  readonly open: (id: string) => Effect.Effect<Context.Context<Services>, OpenError, Scope.Scope>
  /** Closes a session; whoever needs it next opens it again. */
  readonly close: (id: string) => Effect.Effect<void>
  /** Chooses the updates that are put into the inbox from now on, see `AllowedUpdates`. */
  readonly choose: (id: string, names: ReadonlyArray<string>) => Effect.Effect<void, GatewayStoreError>
  /** Puts what is to be done first in, first out for each session; see `Gate`. */
  readonly enter: (id: string) => Gate.Turn
  /** How many are open. */
  readonly count: Effect.Effect<number>
}>()("@effect-mtproto/gateway/Sessions") {}

// ----- from events to updates

/** Updates of secret chats are stored no more often than this; the first one after a pause at once. */
const PACE = "5 millis"

/** Takes in what happens in the secret chats of a session. */
const pump = (id: string, closed: Effect.Effect<void>) =>
  Effect.gen(function*() {
    const store = yield* GatewayStore
    const chats = yield* SecretChats.SecretChats
    const runtime = yield* Runtime
    const { watched } = runtime
    for (const { key, randomId } of yield* store.pendingRequests(id)) {
      watched.set(randomId, recordOutcome(store, id, key))
    }

    const takeIn = Effect.fnUntraced(function*(events: ReadonlyArray<SecretChats.SecretChatEvent>) {
      const updates: Array<NewUpdate> = []
      for (const { chatId, event, id: number } of events) {
        if (event._tag === "MessageSent" || event._tag === "MessageFailed") {
          const tell = watched.get(event.randomId)
          if (tell !== undefined) {
            watched.delete(event.randomId)
            yield* tell(outcomeOf(chatId, event))
          }
        }
        if (event._tag === "NewMessage" && event.file !== undefined) {
          yield* store.putFile(id, chatId, event.randomId, JSON.stringify(LooseTl.toJson(event.file)))
        }
        const update = Update.fromEvent({ chatId, event })
        if (update === undefined || !runtime.wants(update["_"] as string)) continue
        const json = JSON.stringify(update)
        updates.push(number === undefined ? { json } : { source: String(number), json })
      }
      yield* store.append(id, updates)
      yield* Effect.forEach(events, (event) => event.confirm, { discard: true })
      yield* Metric.update(Metrics.updates, updates.length)
      // what comes in the meantime is stored together: when there is much, commits cost more than what is in them
      yield* Effect.sleep(PACE)
    })

    yield* Stream.runForEachArray(chats.events, takeIn).pipe(
      // a database that is busy, or away for a moment
      Effect.retry({
        schedule: Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("10 seconds")]),
        while: (error) => error._tag === "StoreError"
      }),
      Effect.onExit((exit) =>
        Exit.isSuccess(exit) || Exit.hasInterrupts(exit)
          ? Effect.void
          : Effect.andThen(Effect.logDebug("The updates of a session have ended", exit.cause), closed)
      ),
      Effect.ignore,
      Effect.forkScoped
    )
  })

/** Takes in all other updates of a session. */
const pumpOthers = (id: string) =>
  Effect.gen(function*() {
    const store = yield* GatewayStore
    const runtime = yield* Runtime
    const others = yield* OtherUpdates.OtherUpdates
    const met = new Set([""])
    yield* Effect.forkScoped(Effect.ignore(others.run(Effect.fnUntraced(function*(taken) {
      const isNew = (one: Api.User | Api.Chat) => {
        const name = one._tag === "user" || one._tag === "channel" ? `${one._tag} ${one.id} ${one.accessHash}` : ""
        if (met.has(name)) return false
        if (met.size >= 10_000) met.clear()
        met.add(name)
        return true
      }
      const strangers = taken.flatMap(({ users }) => users).filter(isNew)
      const channels = taken.flatMap(({ chats }) => chats ?? []).filter(isNew)
      // whoever is met can be named by id, also if the update itself is not wanted
      if (strangers.length + channels.length > 0) yield* People.remember(store, id, strangers, channels)
      const updates = taken.flatMap((one): ReadonlyArray<NewUpdate> =>
        runtime.wants(one.update._tag) ? [{ json: JSON.stringify(Update.fromOther(one)), other: true }] : []
      )
      yield* store.append(id, updates)
      yield* Metric.update(Metrics.updates, updates.length)
    }))))
  })

const outcomeOf = (
  chatId: number,
  event: Extract<SecretChats.SecretChatEvent["event"], { readonly _tag: "MessageSent" | "MessageFailed" }>
): LooseOutcome =>
  event._tag === "MessageFailed"
    ? { _tag: "Failed", error: event.error }
    : {
      _tag: "Sent",
      json: {
        _: "messages.sentEncryptedMessage",
        date: event.date,
        chat_id: chatId,
        random_id: event.randomId.toString(),
        index: event.index
      }
    }

/** Remembers the answer to a request, as the request itself would. */
export const recordOutcome =
  (store: GatewayStore["Service"], id: string, key: Uint8Array) => (outcome: LooseOutcome): Effect.Effect<void> => {
    if (outcome._tag === "Sent") {
      return Effect.ignore(store.endRequest(id, key, { status: 200, body: JSON.stringify({ result: outcome.json }) }))
    }
    const { code, description, type } = Failure.fromError(Errors.fromServer(outcome.error))
    // a flood is no answer: the same may be asked for again
    if (code === 429) return Effect.void
    return Effect.ignore(
      store.endRequest(id, key, { status: code, body: JSON.stringify({ failure: { code, type, description } }) })
    )
  }

// ----- what surrounds a call

/** What whoever calls may have chosen, and what holds within a session too. */
const chosen: ReadonlyArray<Context.Key<any, any>> = [
  Tracer.Tracer,
  Tracer.ParentSpan,
  References.TracerEnabled,
  Clock.Clock,
  Logger.CurrentLoggers,
  References.MinimumLogLevel,
  References.CurrentLogLevel,
  References.CurrentLogAnnotations,
  References.CurrentLogSpans
]

/** To put two contexts together with each call would cost more than the rest of its way; few values ever differ. */
const surrounded = <Services>(
  services: Context.Context<Services>,
  current: Context.Context<never>
): Context.Context<Services> => {
  let context = services as Context.Context<any>
  for (const key of chosen) {
    const value = Context.getOrUndefined(current as Context.Context<any>, key)
    if (value !== undefined && value !== Context.getOrUndefined(context, key)) {
      context = Context.add(context, key, value)
    }
  }
  return context
}

// ----- the layer

type Base = Crypto | Vault | SqlClient.SqlClient | GatewayStore | GatewayOptions

const make = Effect.gen(function*() {
  const options = yield* GatewayOptions
  const store = yield* GatewayStore
  const scope = yield* Effect.scope
  const surroundings = yield* Effect.context<never>()
  const gates = Gate.make()
  let opened = 0
  const counted = Layer.effectDiscard(Effect.acquireRelease(
    Effect.sync(() => ++opened),
    () => Effect.sync(() => --opened)
  ))

  const accept = (id: string) => (request: SecretChats.ChatRequest): Effect.Effect<SecretChats.AcceptDecision> =>
    Effect.map(Effect.orElseSucceed(store.getSession(id), () => undefined), (session) => {
      const policy = session?.record.policy ?? "ask"
      return typeof policy === "string" ? policy : policy.includes(request.userId) ? "allow" : "ask"
    })

  const runtimes = new Map<string, Runtime["Service"]>()
  const runtimeOf = (id: string) =>
    Effect.gen(function*() {
      const runtime = Runtime.of({ id, warm: new Set(), watched: new Map(), wants: () => true })
      yield* Effect.acquireRelease(
        Effect.sync(() => runtimes.set(id, runtime)),
        () => Effect.sync(() => runtimes.get(id) === runtime && runtimes.delete(id))
      )
      const session = yield* store.getSession(id)
      runtime.wants = AllowedUpdates.filter(session?.record.allowedUpdates)
      return runtime
    })

  const layerOf = (id: string): Layer.Layer<Services, OpenError, Base> => {
    // it cannot be closed from within: closing waits for what runs in it
    const closed = Effect.asVoid(Effect.forkIn(Effect.suspend(() => close(id)), scope))
    return Layer.mergeAll(counted, Layer.effectDiscard(pump(id, closed)), Layer.effectDiscard(pumpOthers(id))).pipe(
      Layer.provideMerge(SecretChats.layer({ accept: accept(id) })),
      Layer.provideMerge(SecretChatStore.layerSealedSql({ account: id })),
      Layer.provideMerge(OtherUpdates.layer()),
      Layer.provideMerge(MtprotoTransport.layer(options.telegram)),
      Layer.provideMerge(SessionStore.layerSealedSql({ name: id })),
      Layer.provideMerge(Layer.effect(Runtime, runtimeOf(id))),
      Layer.provideMerge(Layer.effectContext(Effect.map(Crypto, (crypto) => Context.make(Crypto, crypto))))
    ) as Layer.Layer<Services, OpenError, Base>
  }

  const map: LayerMap.LayerMap<string, Services, OpenError> = yield* LayerMap.make(layerOf)

  // One reference for each session is held as long as it is not idle: to take and return one for each request would cost
  // more than most requests do.
  interface Held {
    readonly context: Context.Context<Services>
    /** The same with what surrounds the gateway. */
    readonly whole: Context.Context<Services>
    inUse: number
    lastUsed: number
  }
  const held = new Map<string, Held>()
  const holders = yield* FiberMap.make<string>()
  const idle = Duration.toMillis(Duration.fromInputUnsafe(options.idle ?? "5 minutes"))

  const hold = (id: string) =>
    Effect.scoped(Effect.gen(function*() {
      const context = yield* map.contextEffect(id)
      const entry: Held = {
        context,
        whole: Context.merge(surroundings, context),
        inUse: 0,
        lastUsed: performance.now()
      }
      held.set(id, entry)
      while (true) {
        const rest = idle - (performance.now() - entry.lastUsed)
        if (entry.inUse === 0 && rest <= 0) break
        yield* Effect.sleep(Math.max(rest, 10))
      }
      // nobody can take it any more when its closing begins
      held.delete(id)
    })).pipe(
      Effect.ensuring(Effect.sync(() => held.delete(id))),
      Effect.ignore
    )

  /** Once opened, a session stays open until it is idle. */
  const keep = (id: string) =>
    Effect.suspend(() => {
      const entry = held.get(id)
      if (entry === undefined) return Effect.asVoid(FiberMap.run(holders, id, hold(id), { onlyIfMissing: true }))
      entry.lastUsed = performance.now()
      return Effect.void
    })

  const close = (id: string) =>
    Effect.suspend(() => {
      held.delete(id)
      return Effect.andThen(FiberMap.remove(holders, id), map.invalidate(id))
    })

  /** A session is not idle while it is used. */
  const using = <A, E, R>(entry: Held, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    entry.inUse++
    return Effect.ensuring(
      effect,
      Effect.sync(() => {
        entry.inUse--
        entry.lastUsed = performance.now()
      })
    )
  }

  const run: Sessions["Service"]["run"] = (id, effect) =>
    Effect.suspend(() => {
      const entry = held.get(id)
      if (entry === undefined) return use(id, effect) as Effect.Effect<any, any>
      return using(
        entry,
        Effect.updateContext(effect, (current: Context.Context<never>) => surrounded(entry.whole, current))
      )
    })

  const use = <A, E, R>(id: string, effect: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      const entry = held.get(id)
      if (entry !== undefined) return using(entry, Effect.provideContext(effect, entry.context))
      return Effect.scoped(
        Effect.flatMap(map.contextEffect(id), (context) =>
          Effect.andThen(keep(id), Effect.provideContext(effect, context)))
      )
    })

  return Sessions.of({
    use: use as Sessions["Service"]["use"],
    run,
    open: (id) => Effect.tap(map.contextEffect(id), () => keep(id)),
    close,
    choose: (id, allowedUpdates) =>
      Effect.andThen(
        store.updateSession(id, (record) => ({ ...record, allowedUpdates })),
        Effect.sync(() => {
          const runtime = runtimes.get(id)
          if (runtime !== undefined) runtime.wants = AllowedUpdates.filter(allowedUpdates)
        })
      ),
    enter: (id) => gates.enter(id),
    count: Effect.sync(() => opened)
  })
})

/**
 * @category layers
 * @since 1.0.0
 */
export const layer: Layer.Layer<Sessions, never, Base> = Layer.effect(Sessions, make)
