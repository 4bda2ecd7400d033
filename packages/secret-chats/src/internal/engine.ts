/**
 * The engine: one for every store, shared by every program that uses the store.
 *
 * **How chats are kept in order.** Each chat has an actor, found by its id in the engine, and the engine is found by the
 * store (a weak map from the service to the engine). So `sendEncryptedService` called anywhere, and the `SecretChats`
 * layer, meet in the same actor as long as they were given the same store, and need not know of each other. Two stores over
 * one database, in one process or several, are kept apart by the version of the chat: who comes second starts again from
 * what the first has written.
 *
 * **An actor** takes jobs, makes one transaction of all that wait, commits it, and only then acts on it. Jobs are
 * synchronous functions over a draft, so a whole batch is computed between two commits; a job that fails leaves no trace in
 * the draft, a commit that fails leaves none in memory. Jobs that can wait (the server has taken a message) go along with
 * the next commit, or are committed by themselves after {@link lazyDelay}.
 *
 * **Where the work runs.** In fibers of the store's scope: what was committed is carried on with even if the caller is
 * interrupted, and ends when the store is closed.
 *
 * @since 1.0.0
 */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { Transport } from "@effect-mtproto/transport/Transport"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { Outcome } from "../Outcome.ts"
import * as ChatState from "../protocol/ChatState.ts"
import type * as Events from "../protocol/Events.ts"
import * as Machine from "../protocol/Machine.ts"
import type { Act } from "../protocol/Output.ts"
import { type SecretChatError, StoreError, TransportError } from "../SecretChatError.ts"
import { type Driver, type OutboxRow, SecretChatStore } from "../SecretChatStore.ts"
import type { SendPolicy } from "../SendPolicy.ts"
import * as Keys from "./keys.ts"
import * as Packet from "./packet.ts"
import { type OutboxEntry, Work } from "./work.ts"

/** @internal */
export type Services = Crypto | Transport | SecretChatStore

/** How long what may wait for a commit waits. @internal */
export const lazyDelay = Duration.millis(20)

/** How long a store that failed is left alone by what cannot be given up. */
const retryDelay = Duration.seconds(1)

/** Jobs of one transaction. What is sent does not wait for more than these. */
const maxBatch = 256
/** Updates of one transaction, if there is nothing else. */
const maxUpdates = 512
/** Turns of the event loop for which what has come waits for what comes behind it, in a backlog. */
const maxGathering = 8
/** Attempts against another process that keeps winning. */
const maxConflicts = 16
/** Chats whose state stays in memory after use. */
const maxIdle = 256
const unsentPage = 256

interface Job {
  readonly run: (work: Work) => Result.Result<unknown, unknown>
  /** Called once, after the commit. */
  readonly done: (exit: Exit.Exit<any, any>) => void
  /** Run after the commit, before anything else of the next batch. */
  readonly committed: Effect.Effect<void> | undefined
  /** Stays in the queue while the store cannot be used. */
  readonly persistent: boolean
  /** Can wait for a commit to go along with. */
  readonly lazy: boolean
  taken: boolean
}

/** Whether it takes in what the server has sent: nobody waits for it. */
const isUpdate = (job: Job): boolean => job.committed !== undefined

/** Waits in the line of a chat until the store can be used. */
const lazyJob = (run: Job["run"]): Job => ({
  run,
  done: () => {},
  committed: undefined,
  persistent: true,
  lazy: true,
  taken: false
})

/** Does nothing but have the chat read. */
const look = (): Job => lazyJob(() => Result.succeed(undefined))

/** Somebody who waits for the outcome of a message, and how patient they are. @internal */
export interface Waiter {
  readonly outcome: Deferred.Deferred<Outcome, SecretChatError>
  readonly policy: SendPolicy
}

/** Somebody who waits for a chat to come to a state. @internal */
export interface Observer {
  readonly onState: (state: ChatState.ChatState) => void
  /** Something that the chat waits for could not be done. */
  readonly onTrouble: (error: SecretChatError) => void
}

interface Loaded {
  readonly version: number
  readonly state: ChatState.ChatState
}

/** @internal */
export interface Actor {
  readonly chatId: number
  loaded: Loaded | undefined
  queue: Array<Job>
  lazy: Array<Job>
  draining: boolean
  /** The next transaction has no other to share a commit with. */
  alone: boolean
  /** The last transaction took in more than one update: others may be right behind them. */
  backlog: boolean
  lazyTimer: boolean
  /** Ends a wait for more updates. */
  hurry: (() => void) | undefined
  /** Who waits for the chat to be loaded. */
  asking: number
  /** What is committed and not known to be taken by the server, by index. */
  readonly unsent: Map<number, OutboxEntry>
  /** Ranges that go out again and have to be read from the store. */
  resend: Array<{ readonly from: number; readonly to: number }>
  /** Who waits for the outcome of a message, by index. */
  readonly waiters: Map<number, Waiter>
  /** Who is sending; a token of the run. */
  flushing: object | undefined
  /** Interrupts the pause between two attempts to send. */
  kick: Deferred.Deferred<void> | undefined
  /** Something new is to be sent, and the pause has not begun. */
  kicked: boolean
  /** A commit failed, and may have happened nevertheless. */
  doubtful: boolean
  /** Fibers that act on this chat. */
  activity: number
  readonly observers: Set<Observer>
}

/** @internal */
export interface StoredEvent {
  readonly id: bigint
  readonly chatId: number
  readonly event: Events.Event
}

/** @internal */
export interface Subscriber {
  /** There are new events in the store: these, or, with `undefined`, any. */
  readonly onStored: (events: ReadonlyArray<StoredEvent> | undefined) => void
  readonly onTyping: (chatId: number, event: Events.Event) => void
}

/** @internal */
export interface Engine {
  readonly store: Driver & { readonly scope: Scope.Scope }
  readonly actors: Map<number, Actor>
  readonly subscribers: Set<Subscriber>
  /** When chats want to be woken, milliseconds: those of them who do until `horizon`. The others wait in the store. */
  readonly wakes: Map<number, number>
  horizon: number
  /** Called when an alarm, a wake or a self-destruct timer, may have moved. */
  readonly alarms: Set<() => void>
  /** When updates were taken in last, by `performance.now()`. */
  tookIn: number
  /** Computations under way, for those who want to see their end. */
  readonly computations: Set<Deferred.Deferred<void>>
  /** The group that `messages.getDhConfig` gave last. */
  dh: { readonly version: number; readonly g: number; readonly p: Uint8Array } | undefined
}

/** Carries out an act. @internal */
export type Perform = (engine: Engine, actor: Actor, act: Act) => Effect.Effect<void, never, Services>

const unavailable = (operation: string) => new StoreError({ reason: "unavailable", operation })

// ----- finding

const engines = new WeakMap<object, Engine>()

/** @internal */
export const actorOf = (engine: Engine, chatId: number): Actor => {
  let actor = engine.actors.get(chatId)
  if (actor === undefined) {
    actor = {
      chatId,
      loaded: undefined,
      queue: [],
      lazy: [],
      draining: false,
      alone: false,
      backlog: false,
      lazyTimer: false,
      hurry: undefined,
      asking: 0,
      unsent: new Map(),
      resend: [],
      waiters: new Map(),
      flushing: undefined,
      kick: undefined,
      kicked: false,
      doubtful: false,
      activity: 0,
      observers: new Set()
    }
  } else engine.actors.delete(chatId)
  // Last in the map = used last.
  engine.actors.set(chatId, actor)
  return actor
}

const isIdle = (actor: Actor): boolean =>
  actor.queue.length === 0 && actor.lazy.length === 0 && !actor.draining && !actor.lazyTimer &&
  actor.flushing === undefined &&
  actor.activity === 0 && actor.waiters.size === 0 && actor.observers.size === 0 && actor.unsent.size === 0 &&
  actor.resend.length === 0

const evict = (engine: Engine): void => {
  let excess = engine.actors.size - maxIdle
  if (excess <= 0) return
  for (const [chatId, actor] of engine.actors) {
    if (excess <= 0) return
    if (isIdle(actor)) {
      engine.actors.delete(chatId)
      excess--
    }
  }
}

/**
 * The engine of the store. The first caller makes it; when the store is closed, what waits for a commit is committed.
 *
 * @internal
 */
export const engineOf = (perform: Perform): Effect.Effect<Engine, never, Services> =>
  Effect.suspend(() =>
    Effect.flatMap(SecretChatStore, (store) => {
      const found = engines.get(store)
      if (found !== undefined) return Effect.succeed(found)
      const engine: Engine = {
        store,
        actors: new Map(),
        subscribers: new Set(),
        wakes: new Map(),
        horizon: -Infinity,
        alarms: new Set(),
        tookIn: -Infinity,
        computations: new Set(),
        dh: undefined
      }
      engines.set(store, engine)
      return Effect.flatMap(Effect.context<Services>(), (context) => {
        const close = Effect.andThen(
          Effect.suspend(() =>
            Effect.forEach(
              [...engine.actors.values()].filter((actor) => actor.lazy.length > 0),
              (actor) => runBatch(engine, actor, perform),
              { discard: true }
            )
          ),
          Effect.sync(() => {
            for (const actor of engine.actors.values()) dismiss(actor)
          })
        )
        return Effect.as(Scope.addFinalizer(store.scope, Effect.provideContext(close, context)), engine)
      })
    })
  )

/** Nobody works for those who wait any more; what is stored is taken up by the next run of the program. */
const dismiss = (actor: Actor): void => {
  const error = new TransportError({ reason: "closed", detail: "The store of the secret chats was closed" })
  for (const { outcome } of actor.waiters.values()) Deferred.doneUnsafe(outcome, Exit.fail(error))
  actor.waiters.clear()
  for (const observer of actor.observers) observer.onTrouble(error)
  // The fiber that would have taken them may have been ended before it began.
  actor.draining = false
  fail([...actor.queue.splice(0), ...actor.lazy.splice(0)])
}

/** Messages that another program has sent, or given up: what became of them is in the history. */
const leave = (actor: Actor): void => {
  for (const [index, { outcome }] of actor.waiters) {
    // What has another content by now is a deletion; that it is taken says nothing of the message.
    if (actor.unsent.get(index)?.record.revision === 0) continue
    actor.waiters.delete(index)
    const detail = "Another program that uses the store has taken over the message"
    Deferred.doneUnsafe(outcome, Exit.fail(new TransportError({ reason: "uncertain", detail })))
  }
}

/**
 * Starts a fiber in the scope of the store, with the services of the caller but not as a part of its trace. While the
 * store is closing nothing starts any more.
 *
 * @internal
 */
export const start = <R>(
  engine: Engine,
  effect: Effect.Effect<void, never, R>,
  options?: { readonly startImmediately?: boolean }
): Effect.Effect<void, never, R> =>
  Effect.suspend(() =>
    engine.store.scope.state._tag === "Closed"
      ? Effect.void
      : Effect.asVoid(Effect.forkIn(
        Effect.updateContext<void, never, R, R>(effect, Context.omit(Tracer.ParentSpan) as any),
        engine.store.scope,
        options
      ))
  )

// ----- jobs

/**
 * Puts a job into the queue of a chat. It does not wait for it.
 *
 * @internal
 */
export const enqueue = <A, E>(engine: Engine, perform: Perform, chatId: number, job: {
  readonly run: (work: Work) => Result.Result<A, E>
  readonly done?: ((exit: Exit.Exit<A, E | StoreError>) => void) | undefined
  readonly committed?: Effect.Effect<void> | undefined
  readonly persistent?: boolean | undefined
  readonly lazy?: boolean | undefined
}): Effect.Effect<() => void, never, Services> =>
  Effect.suspend(() => {
    const actor = actorOf(engine, chatId)
    const entry: Job = {
      run: job.run,
      done: job.done ?? (() => {}),
      committed: job.committed,
      persistent: job.persistent === true,
      lazy: job.lazy === true,
      taken: false
    }
    const cancel = () => {
      if (!entry.taken) actor.queue = actor.queue.filter((other) => other !== entry)
    }
    if (entry.lazy) {
      actor.lazy.push(entry)
      return Effect.as(actor.draining ? Effect.void : wakeLater(engine, actor, perform, lazyDelay), cancel)
    }
    actor.queue.push(entry)
    if (!isUpdate(entry) || actor.queue.length >= maxUpdates) actor.hurry?.()
    return Effect.as(wake(engine, actor, perform), cancel)
  })

/**
 * Runs a job and waits for its commit. Interrupted before it was taken into a transaction, it never happened.
 *
 * @internal
 */
export const submit = <A, E>(
  engine: Engine,
  perform: Perform,
  chatId: number,
  run: (work: Work) => Result.Result<A, E>,
  options: { readonly persistent?: boolean | undefined } = {}
): Effect.Effect<A, E | StoreError, Services> =>
  Effect.suspend(() => {
    const deferred = Deferred.makeUnsafe<A, E | StoreError>()
    return Effect.flatMap(
      enqueue(engine, perform, chatId, { ...options, run, done: (exit) => Deferred.doneUnsafe(deferred, exit) }),
      (cancel) => Effect.onInterrupt(Deferred.await(deferred), () => Effect.sync(cancel))
    )
  })

/** Leaves a job to the closing of the store, which commits what waits. @internal */
export const keep = (actor: Actor, run: (work: Work) => Result.Result<unknown, unknown>): void => {
  actor.lazy.push(lazyJob(run))
}

/** Commits what can wait, when nothing has taken it along by then. */
const wakeLater = (
  engine: Engine,
  actor: Actor,
  perform: Perform,
  delay: Duration.Duration
): Effect.Effect<void, never, Services> =>
  Effect.suspend(() => {
    if (actor.lazyTimer) return Effect.void
    actor.lazyTimer = true
    const later = Effect.suspend(() => {
      actor.lazyTimer = false
      return actor.lazy.length === 0 ? Effect.void : wake(engine, actor, perform)
    })
    return start(engine, Effect.andThen(Effect.sleep(delay), later))
  })

const wake = (engine: Engine, actor: Actor, perform: Perform): Effect.Effect<void, never, Services> =>
  Effect.suspend(() => {
    if (actor.draining) return Effect.void
    actor.draining = true
    // Nobody will take the jobs that still wait.
    const abandon = Effect.sync(() => {
      actor.draining = false
      fail([...actor.queue.splice(0), ...actor.lazy.splice(0)])
    })
    if (engine.store.scope.state._tag === "Closed") return abandon
    const loop = Effect.whileLoop({
      while: () => {
        actor.draining = actor.queue.length > 0 || (actor.lazy.length > 0 && !actor.lazyTimer)
        if (!actor.draining) evict(engine)
        return actor.draining
      },
      body: () =>
        isPatient(actor)
          ? Effect.andThen(gather(engine, actor), runBatch(engine, actor, perform))
          : runBatch(engine, actor, perform),
      step: () => {
        actor.alone = false
      }
    })
    // Whoever talks alone need not wait for company.
    actor.alone = isAlone(engine, actor)
    return start(engine, Effect.onInterrupt(loop, () => abandon), { startImmediately: actor.alone })
  })

/** Whether nobody else is sending, so that no job is about to come that could share the commit. */
const isAlone = (engine: Engine, actor: Actor): boolean => {
  if (actor.backlog || actor.queue.length !== 1 || isUpdate(actor.queue[0]!)) return false
  for (const other of engine.actors.values()) {
    if (other.waiters.size > 0 || (other.draining && other !== actor)) return false
  }
  return true
}

/** Whether there are updates in line, and nothing that somebody waits for. */
const isPatient = (actor: Actor): boolean =>
  actor.queue.length > 0 && actor.queue.length < maxUpdates && actor.queue.every(isUpdate)

/**
 * While updates keep coming, those that have come wait for those right behind them, and share their commit: for the pace
 * of the store, or, in a backlog, a few turns. Whatever somebody waits for ends the wait. An update that comes after a
 * silence does not wait.
 */
const gather = (engine: Engine, actor: Actor): Effect.Effect<void> =>
  Effect.suspend(() => {
    const rest = engine.tookIn + (engine.store.pace ?? 0) - performance.now()
    if (rest > 0) return pause(actor, rest)
    if (!actor.backlog) return Effect.void
    let turns = 0
    let seen = -1
    let still = 0
    return Effect.whileLoop({
      while: () => {
        const { length } = actor.queue
        still = length > seen ? 0 : still + 1
        seen = length
        return still < 2 && turns++ < maxGathering && isPatient(actor)
      },
      body: () => Effect.yieldNow,
      step: () => {}
    })
  })

// A disk is spared in real time, even where the program's Clock is a virtual one.
const pause = (actor: Actor, millis: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const leave = () => {
      clearTimeout(timer)
      actor.hurry = undefined
    }
    const end = () => {
      leave()
      resume(Effect.void)
    }
    const timer = setTimeout(end, millis)
    actor.hurry = end
    return Effect.sync(leave)
  })

const fail = (jobs: ReadonlyArray<Job>): void => {
  for (const job of jobs) job.done(Exit.fail(unavailable("commit")))
}

// ----- loading

/** @internal */
export const corrupt = (error: ChatState.StateError): StoreError =>
  new StoreError({ reason: error.problem === "version" ? "newer" : "corrupt", operation: "load" })

/** Reads a chat without taking it into memory. @internal */
export const read = (
  store: Driver,
  chatId: number
): Effect.Effect<Option.Option<Loaded>, StoreError> =>
  Effect.flatMap(store.load(chatId), (stored) => {
    if (Option.isNone(stored)) return Effect.succeed(Option.none())
    const { head, pending, records, version } = stored.value
    return Result.match(
      ChatState.decode({ head, outbox: records.map((row) => row.record), pending: pending.map((row) => row.data) }),
      {
        onFailure: (error) => Effect.fail(corrupt(error)),
        onSuccess: (state) => Effect.succeed(Option.some({ version, state }))
      }
    )
  })

/** 0 if the chat is not stored. */
const storedVersion = (store: Driver, chatId: number): Effect.Effect<number, StoreError> =>
  Effect.map(store.list({ after: chatId - 1, limit: 1 }), ([row]) => row?.chatId === chatId ? row.version : 0)

/** @internal */
export const readEntry = (row: OutboxRow): Effect.Effect<OutboxEntry, StoreError> => {
  const record = ChatState.decodeRecord(row.record)
  if (Result.isFailure(record)) return Effect.fail(corrupt(record.failure))
  const packet = Packet.decode(row.packet)
  return packet === undefined
    ? Effect.fail(new StoreError({ reason: "corrupt", operation: "outboxUnsent" }))
    : Effect.succeed({ record: record.success, packet })
}

const loadUnsent = Effect.fnUntraced(function*(engine: Engine, actor: Actor): Effect.fn.Return<void, StoreError> {
  actor.unsent.clear()
  let after: number | undefined
  while (true) {
    const rows = yield* engine.store.outboxUnsent({ chatId: actor.chatId, after, limit: unsentPage })
    for (const row of rows) actor.unsent.set(row.index, yield* readEntry(row))
    if (rows.length < unsentPage) return
    after = rows.at(-1)!.index
  }
})

/**
 * The state of a chat, loaded if it has to be. Nobody overtakes those who wait for that: messages are numbered in the order
 * of the calls.
 *
 * @internal
 */
export const stateOf = (
  engine: Engine,
  perform: Perform,
  actor: Actor
): Effect.Effect<ChatState.ChatState, StoreError, Services> =>
  Effect.suspend(() =>
    actor.loaded !== undefined && actor.asking === 0
      ? Effect.succeed(actor.loaded.state)
      : Effect.ensuring(
        Effect.suspend(() => {
          actor.asking++
          return submit(engine, perform, actor.chatId, (work) => Result.succeed(work.state))
        }),
        Effect.sync(() => {
          actor.asking--
        })
      )
  )

// ----- batches

const takeJobs = (engine: Engine, actor: Actor): ReadonlyArray<Job> => {
  const limit = actor.queue.every(isUpdate) ? maxUpdates : maxBatch
  const jobs = [...actor.lazy.splice(0), ...actor.queue.splice(0, limit)]
  let updates = 0
  for (const job of jobs) {
    job.taken = true
    if (isUpdate(job)) updates++
  }
  actor.backlog = updates > 1
  if (updates > 0) engine.tookIn = performance.now()
  return jobs
}

const runBatch = (engine: Engine, actor: Actor, perform: Perform): Effect.Effect<void, never, Services> =>
  Effect.suspend(() => {
    const jobs = takeJobs(engine, actor)
    const run = Effect.catchCause(transact(engine, actor, perform, jobs, 0), (cause) => {
      // The store may hold either state now.
      actor.loaded = undefined
      const failed = Cause.findErrorOption(cause)
      const exit = Option.isSome(failed) ? Exit.fail(failed.value) : Exit.failCause(cause as Cause.Cause<never>)
      const retryable = Option.isSome(failed) &&
        (failed.value.reason === "unavailable" || failed.value.reason === "conflict")
      const kept = retryable ? jobs.filter((job) => job.persistent) : []
      const waiting = retryable ? jobs.filter((job) => job.lazy) : []
      // It may have happened, and then there is something to do and to tell, even if nobody uses the chat any more.
      if (actor.doubtful && retryable && kept.length + waiting.length === 0) waiting.push(look())
      const lost = jobs.filter((job) => !kept.includes(job) && !waiting.includes(job))
      for (const job of lost) job.done(exit)
      if (Cause.hasInterrupts(cause)) return Effect.failCause(cause as Cause.Cause<never>)
      actor.queue.unshift(...kept)
      actor.lazy.unshift(...waiting)
      return Effect.gen(function*() {
        if (waiting.length > 0) yield* wakeLater(engine, actor, perform, retryDelay)
        if (lost.some((job) => job.persistent)) {
          // The chat cannot be read, now or later. Holding up the chats behind it would not bring it back.
          yield* Effect.logError(`Secret chat ${actor.chatId} cannot take in what has come for it`, cause)
          for (const job of lost) if (job.persistent && job.committed !== undefined) yield* job.committed
        }
        if (kept.length > 0) {
          yield* Effect.logWarning(`Secret chat ${actor.chatId} cannot be stored now; trying again`, cause)
          yield* Effect.sleep(retryDelay)
        }
      })
    })
    // Who waits is answered even if the store is closed in the middle of it.
    return Effect.onInterrupt(run, () => Effect.sync(() => fail(jobs)))
  })

const transact = (
  engine: Engine,
  actor: Actor,
  perform: Perform,
  jobs: ReadonlyArray<Job>,
  conflicts: number
): Effect.Effect<void, StoreError, Services> =>
  Effect.gen(function*() {
    const { chatId } = actor
    const crypto = yield* Crypto
    const now = yield* Clock.currentTimeMillis
    const fresh = actor.loaded === undefined
    if (fresh) {
      const found = yield* read(engine.store, chatId)
      if (Option.isSome(found)) {
        yield* loadUnsent(engine, actor)
        leave(actor)
        actor.loaded = found.value
      }
    }
    const before = actor.loaded
    const work = new Work({
      state: before?.state ?? ChatState.empty(chatId),
      stored: before !== undefined,
      now,
      crypto
    })
    // Everything outstanding is asked for again.
    if (fresh && before !== undefined) work.step({ _tag: "Start" })

    const results = jobs.map((job) => {
      const savepoint = work.savepoint()
      const result = job.run(work)
      if (Result.isFailure(result)) work.rollback(savepoint)
      return result
    })

    // A chat that is still new has not come to be.
    const exists = before !== undefined || work.state.phase._tag !== "New"
    let stored: ReadonlyArray<StoredEvent> = []
    if (work.isChanged && exists) {
      const incoming = work.incoming
      const known = incoming.length === 0 ? [] : yield* engine.store.known(chatId, incoming)
      const version = before?.version ?? 0
      const committed = yield* Effect.result(
        engine.store.commit(work.write(version, known, isSending(actor, work)), { alone: actor.alone })
      )
      if (Result.isFailure(committed)) {
        if (committed.failure.reason !== "conflict" || conflicts >= maxConflicts) {
          actor.doubtful = committed.failure.reason === "unavailable"
          return yield* Effect.fail(committed.failure)
        }
        // Somebody else has advanced the chat: the same jobs, from there.
        actor.loaded = undefined
        yield* Effect.yieldNow
        return yield* transact(engine, actor, perform, jobs, conflicts + 1)
      }
      actor.loaded = work.forgotten ? undefined : { version: committed.success.version, state: work.state }
      stored = committed.success.events.map((id, i) => ({ id, chatId, event: work.appended[i]! }))
    } else if (work.isDoubtful && !fresh && (yield* storedVersion(engine.store, chatId)) !== before!.version) {
      // Nothing to commit, so nothing to conflict: somebody else has advanced the chat unnoticed.
      actor.loaded = undefined
      return yield* transact(engine, actor, perform, jobs, conflicts + 1)
    }
    actor.doubtful = false
    afterCommit(engine, actor, work)
    // What is to be sent is on its way before anybody hears of anything.
    const isFlushing = (fresh && actor.unsent.size > 0) || work.acts.some((one) => one._tag === "Flush")
    if (isFlushing && !fresh) yield* act(engine, actor, perform, { _tag: "Flush" }, { startImmediately: true })
    jobs.forEach((job, i) => {
      const result = results[i]!
      job.done(Result.isSuccess(result) ? Exit.succeed(result.success) : Exit.fail(result.failure))
    })
    // What is read anew may have events that nobody has heard of: of a commit whose answer was lost, or of another process.
    if ((stored.length > 0 || fresh) && engine.subscribers.size > 0) {
      const news = fresh ? undefined : stored
      yield* start(
        engine,
        Effect.sync(() => {
          for (const subscriber of engine.subscribers) subscriber.onStored(news)
        })
      )
    }
    for (const observer of actor.observers) observer.onState(work.state)
    for (const job of jobs) if (job.committed !== undefined) yield* job.committed
    for (const one of work.acts) if (one._tag !== "Flush") yield* act(engine, actor, perform, one)
    // Whoever made the chat be loaded may have more to send along.
    if (isFlushing && fresh) yield* act(engine, actor, perform, { _tag: "Flush" })
  })

/** Whether messages wait to be sent once the work is committed. */
const isSending = (actor: Actor, work: Work): boolean => {
  const indexes = new Set(actor.unsent.keys())
  for (const entry of work.entries) {
    switch (entry._tag) {
      case "Sealed":
        indexes.add(entry.entry.record.index)
        break
      case "SendAgain":
        return true
      case "Taken":
        if (!entry.again) indexes.delete(entry.record.index)
        break
      case "Forget":
        for (const index of indexes) if (index < entry.before) indexes.delete(index)
        break
    }
  }
  return indexes.size > 0 || actor.resend.length > 0
}

/** When a chat wants to be woken, if that is to be remembered here. @internal */
export const nearWake = (engine: Engine, state: ChatState.ChatState): number | undefined => {
  const wakeAt = Machine.nextWake(state)
  return wakeAt === undefined || wakeAt > engine.horizon ? undefined : wakeAt
}

const afterCommit = (engine: Engine, actor: Actor, work: Work): void => {
  for (const hook of work.hooks) hook()
  let alarm = false
  for (const entry of work.entries) {
    switch (entry._tag) {
      case "Sealed":
        actor.unsent.set(entry.entry.record.index, entry.entry)
        break
      case "SendAgain":
        actor.resend.push({ from: entry.from, to: entry.to })
        break
      case "Taken":
        // Loaded as unsent in this very transaction, perhaps.
        if (!entry.again && actor.unsent.get(entry.record.index)?.record.revision === entry.record.revision) {
          actor.unsent.delete(entry.record.index)
        }
        break
      case "Forget":
        for (const index of actor.unsent.keys()) if (index < entry.before) actor.unsent.delete(index)
        break
      case "Change":
        alarm ||= entry.change._tag === "StartViewed" || entry.change._tag === "StartOpened"
        break
      case "Event":
        if (entry.event._tag === "Typing") {
          for (const subscriber of engine.subscribers) subscriber.onTyping(actor.chatId, entry.event)
        }
        break
    }
  }
  if (work.state.phase._tag === "Closed") {
    actor.unsent.clear()
    actor.resend = []
  }
  const wakeAt = work.forgotten ? undefined : nearWake(engine, work.state)
  if (wakeAt !== engine.wakes.get(actor.chatId)) {
    if (wakeAt === undefined) engine.wakes.delete(actor.chatId)
    else engine.wakes.set(actor.chatId, wakeAt)
    alarm = true
  }
  if (alarm) { for (const ring of engine.alarms) ring() }
}

const act = (
  engine: Engine,
  actor: Actor,
  perform: Perform,
  one: Act,
  options?: { readonly startImmediately?: boolean }
): Effect.Effect<void, never, Services> => {
  switch (one._tag) {
    case "Wipe":
      return Effect.sync(() => Keys.wipe(one.bytes))
    case "Notice":
      return Effect.logDebug(`Secret chat ${actor.chatId}: ${one.notice}`)
    default: {
      actor.activity++
      const ended = Effect.sync(() => {
        actor.activity--
      })
      return start(
        engine,
        Effect.ensuring(
          Effect.catchCause(perform(engine, actor, one), (cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.void
              : Effect.logError(`Secret chat ${actor.chatId}: ${one._tag} failed`, cause)),
          ended
        ),
        options
      )
    }
  }
}
