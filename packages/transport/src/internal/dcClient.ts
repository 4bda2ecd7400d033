/**
 * The client of one data centre: keeps a connection to it, agrees on a key when
 * there is none, and carries calls and updates between the session and those who
 * use it. What decides is in `Session` and `Calls`; this file only drives them.
 */
import type { Framing } from "@effect-mtproto/core/Framing"
import * as Memory from "@effect-mtproto/core/Memory"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { RsaPublicKey } from "@effect-mtproto/crypto/RsaPublicKey"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type * as AuthKeyExchange from "../AuthKeyExchange.ts"
import * as Calls from "../Calls.ts"
import * as Connection from "../Connection.ts"
import type { Datacenter } from "../Datacenter.ts"
import type * as Proxy from "../Proxy.ts"
import * as Session from "../Session.ts"
import type { SessionStore, SessionStoreError } from "../SessionStore.ts"
import { TransportError } from "../Transport.ts"
import * as Alarm from "./alarm.ts"
import * as Keys from "./keys.ts"
import * as Signal from "./signal.ts"

/** An error of the API as it came, before it is known which method documents it. */
export class ServerError {
  readonly _tag = "ServerError"
  readonly code: number
  readonly text: string
  constructor(code: number, text: string) {
    this.code = code
    this.text = text
  }
}

export interface Settings {
  readonly crypto: Crypto["Service"]
  readonly store: SessionStore["Service"]
  readonly id: number
  /** The addresses of the data centre, tried in turn; at least one. */
  readonly addresses: () => ReadonlyArray<Datacenter>
  readonly publicKeys: ReadonlyArray<RsaPublicKey>
  /** The number of the data centre as it stands in the key exchange and in obfuscated headers. */
  readonly wireDc: number
  readonly obfuscated: boolean
  readonly framing: Framing | undefined
  readonly proxy: Proxy.Proxy | undefined
  /** How long temporary keys live, in seconds; without, the permanent key encrypts everything. */
  readonly temporaryKeys: number | undefined
  /** `invokeWithLayer` and `initConnection` without their query. */
  readonly header: Uint8Array
  readonly limits: Partial<Session.Limits>
  readonly calls: Partial<Calls.Options>
  readonly openTimeout: number
  readonly exchangeTimeout: number
  readonly maxBackoff: number
  /** Whether losing the key would lose a login. */
  readonly isLoggedIn: () => boolean
  readonly onUpdate: (body: Uint8Array) => void
  /** A connection was made; not the first one. */
  readonly onReconnect: () => void
  readonly onSessionCreated: () => void
  /** There will be no connection any more. */
  readonly onFatal: (error: TransportError) => void
}

export interface DcClient {
  /** `read` makes the answer of the bytes that came; `at` is the time, where it is known already. */
  readonly call: <A>(
    init: Calls.Init,
    read: (result: Uint8Array) => Effect.Effect<A, TransportError>,
    at?: number
  ) => Effect.Effect<A, ServerError | TransportError>
  /** Ends all calls with this error, and speaks with the server no more. */
  readonly giveUp: (error: TransportError) => void
  readonly now: () => number
  /** What the server's clock shows. */
  readonly serverNow: () => number
}

const FIRST_BACKOFF = 250
const MAX_EXCHANGES = 5
const SEND_TIMEOUT = 14_000

const CODE_FLOOD = -429
const CODE_WRONG_DC = -444
const FLOOD_BACKOFF = 1_000

/** A young permanent key may not have reached every machine of the server. */
const YOUNG_KEY = 60_000
/** How long calls under way get to end before they are sent anew with another key. */
const DRAIN = 5_000
/** The pause before what must not be sent anew is looked at again. */
const DRAIN_AGAIN = 1_000
/** So long before its end a temporary key is given up whatever is under way. */
const LAST_MOMENT = 60_000

/** The server did not take a temporary key. */
class BindingError {
  readonly _tag = "BindingError"
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  get message(): string {
    return `The server refused a temporary key: ${this.text}`
  }
}

/** Another key is ready: the connection ends so that the next one begins with it. */
class Renewed {
  readonly _tag = "Renewed"
  readonly message = "Another temporary key is ready"
}

type Failure =
  | Connection.ConnectionError
  | AuthKeyExchange.AuthKeyExchangeError
  | SessionStoreError
  | BindingError
  | Renewed

export const make: (settings: Settings) => Effect.Effect<DcClient, SessionStoreError, Scope.Scope> = Effect.fnUntraced(
  function*(settings) {
    const { crypto, id: dcId, store } = settings
    const clock = yield* Clock.Clock
    // wall time that never jumps: its error is part of the offset to the server's clock
    const started = clock.currentTimeMillisUnsafe() - Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const now = (): number => started + Number(clock.monotonicTimeNanosUnsafe()) / 1e6

    const calls = Calls.make(settings.calls)
    const pending = new Map<Calls.Call, Caller>()
    const writable = Signal.make()
    const saltsChanged = Latch.makeUnsafe(false)
    let session: Session.Session | undefined
    let connected = false
    /** Since when a packet is being written to the socket. */
    let sendingSince: number | undefined
    let stalled: Deferred.Deferred<never, Connection.ConnectionError | Renewed> | undefined
    let permanent: Keys.PermanentKey | undefined
    /** The temporary key of the session. */
    let temporary: Keys.TemporaryKey | undefined
    /** The temporary key that the next session begins with. */
    let spare: Keys.TemporaryKey | undefined
    const temporaryChanged = Latch.makeUnsafe(false)
    let connections = 0
    /** Connections in a row that came to nothing; says which address is next. */
    let failures = 0
    let lastFailure = ""
    let fatal: TransportError | undefined

    const makeSession = (key: SharedKey.SharedKey, rest: Omit<Session.Options, "key" | "header" | "limits">) => {
      session = Session.make(crypto, { key, header: settings.header, limits: settings.limits, ...rest })
      calls.bind(now(), session)
      return session
    }

    const stored = yield* store.authKey(dcId)
    if (stored !== undefined) {
      permanent = { key: SharedKey.make(crypto, Redacted.value(stored.key)), createdAt: stored.createdAt * 1_000 }
      if (settings.temporaryKeys === undefined) {
        makeSession(permanent.key, {
          salts: stored.salts,
          timeOffset: stored.timeOffset,
          // the clock may have been set since
          synchronised: false
        })
      }
    }

    // ----- calls

    const complete = (outcome: Calls.Outcome): void => {
      const caller = pending.get(outcome.call)
      if (caller === undefined) return
      pending.delete(outcome.call)
      caller.resume(
        outcome._tag === "Success" ? caller.read(outcome.result) : toFailure(outcome, connected, lastFailure)
      )
    }

    const failAll = (error: TransportError): void => {
      const callers = [...pending.values()]
      pending.clear()
      calls.clear()
      for (const { resume } of callers) resume(Effect.fail(error))
    }

    const alarm = yield* Alarm.make({
      now,
      wakeAt: () =>
        Math.min(
          calls.wakeAt(),
          sendingSince === undefined ? session?.wakeAt() ?? Infinity : sendingSince + SEND_TIMEOUT
        ),
      fire: () => {
        for (const outcome of calls.poll(now())) complete(outcome)
        // a network that is gone does not fail a write, it only never ends it
        if (sendingSince !== undefined && now() >= sendingSince + SEND_TIMEOUT && stalled !== undefined) {
          sendingSince = undefined
          Deferred.doneUnsafe(stalled, Effect.fail(new Connection.ConnectionError({ reason: "silent" })))
        }
        writable.raise()
      }
    })

    const call: DcClient["call"] = (init, read, at) =>
      Effect.callback((resume) => {
        if (fatal !== undefined) return resume(Effect.fail(fatal))
        const handle = calls.submit(at ?? now(), init)
        pending.set(handle, { resume, read })
        // who writes looks at the timers as well; while nobody does, the call's own time still runs
        if (connected) writable.raise()
        else alarm.rearm()
        return Effect.sync(() => {
          if (!pending.delete(handle)) return
          calls.cancel(handle)
          writable.raise()
        })
      })

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        fatal ??= new TransportError({ reason: "closed", detail: "the transport was closed" })
        failAll(fatal)
      })
    )

    // ----- one connection

    /** Hands the session's events on, and answers why the connection has to end, if it has to. */
    const dispatch = (
      current: Session.Session,
      time: number
    ): Connection.ConnectionError | BindingError | undefined => {
      let end: Connection.ConnectionError | BindingError | undefined
      for (const event of current.events()) {
        switch (event._tag) {
          case "Update":
            settings.onUpdate(event.body)
            break
          case "Created":
            settings.onSessionCreated()
            break
          case "Salts":
            saltsChanged.openUnsafe()
            break
          case "Bound":
            break
          case "BindingFailed":
            end = new BindingError(event.message)
            break
          case "Close":
            end = new Connection.ConnectionError({ reason: event.reason === "dead" ? "silent" : "refused" })
            break
          default: {
            const outcome = calls.handle(time, event)
            if (outcome !== undefined) complete(outcome)
          }
        }
      }
      return end
    }

    const read = Effect.fnUntraced(function*(connection: Connection.Connection, current: Session.Session) {
      while (true) {
        const packets = yield* connection.receive
        const time = now()
        for (const packet of packets) current.receive(time, packet)
        connection.done(packets)
        const end = dispatch(current, time)
        if (end !== undefined) return yield* Effect.fail(end)
        if (Math.min(calls.wakeAt(), current.wakeAt()) <= time) writable.raise()
        else alarm.rearm()
      }
    })

    const write = Effect.fnUntraced(function*(connection: Connection.Connection, current: Session.Session) {
      while (true) {
        // lowered first: what comes while sending is sent in the next turn
        writable.lower()
        const time = now()
        for (const outcome of calls.poll(time)) complete(outcome)
        const packets = current.poll(time)
        const end = dispatch(current, time)
        if (end !== undefined) return yield* Effect.fail(end)
        if (packets.length > 0) {
          sendingSince = time
          alarm.rearm()
          yield* connection.send(packets, () => {
            sendingSince = now()
          })
          sendingSince = undefined
          for (const packet of packets) Memory.release(packet)
        }
        alarm.rearm()
        yield* writable.raised
      }
    })

    const openConnection = Effect.suspend(() => {
      const addresses = settings.addresses()
      return Connection.open(crypto, addresses[failures % addresses.length]!, {
        openTimeout: settings.openTimeout,
        framing: settings.framing,
        proxy: settings.proxy,
        obfuscation: settings.obfuscated ? { dcId: settings.wireDc } : undefined,
        onBytes: () => session?.stir(now())
      })
    })

    const keys = Keys.make({ ...settings, now, openConnection })

    /** Begins a session, with keys that are agreed on first where there are none. */
    const begin = Effect.fnUntraced(function*(connection: Connection.Connection) {
      if (permanent === undefined) {
        const { key, salts, time, timeOffset } = yield* keys.agree(connection)
        yield* store.setAuthKey(dcId, {
          key: Redacted.make(key.bytes, { label: "authKey" }),
          createdAt: Math.floor(time / 1_000),
          timeOffset,
          salts
        })
        permanent = { key, createdAt: time }
        if (settings.temporaryKeys === undefined) return makeSession(key, { salts, timeOffset, synchronised: true })
      }
      const made: Keys.TemporaryKey = spare !== undefined && spare.endsAt > now()
        ? spare
        : yield* keys.agreeForNow(connection, settings.temporaryKeys!)
      spare = undefined
      temporary = made
      temporaryChanged.openUnsafe()
      const { expiresAt, key, salts, timeOffset } = made
      return makeSession(key, {
        salts,
        timeOffset,
        synchronised: true,
        binding: { permanentKey: permanent.key, expiresAt }
      })
    })

    const connect = Effect.gen(function*() {
      const connection = yield* openConnection
      if (temporary !== undefined && temporary.endsAt <= now()) session = temporary = undefined
      const current = session ?? (yield* begin(connection))
      if (fatal !== undefined) return yield* Effect.fail(new Renewed())
      current.attach(now())
      connected = true
      if (connections++ > 0) settings.onReconnect()
      stalled = Deferred.makeUnsafe()
      const ends = Effect.raceFirst(read(connection, current), write(connection, current))
      return yield* Effect.raceFirst(ends, Deferred.await(stalled))
    }).pipe(
      Effect.scoped,
      Effect.ensuring(Effect.sync(() => {
        session?.detach()
        connected = false
        sendingSince = undefined
      }))
    )

    // ----- again and again

    const giveUp = (error: TransportError): void => {
      fatal = error
      failAll(error)
      settings.onFatal(error)
    }

    /** The same from outside, whatever the connection is doing. */
    const stop = (error: TransportError): void => {
      fatal ??= error
      failAll(fatal)
      if (stalled !== undefined) Deferred.doneUnsafe(stalled, Effect.fail(new Renewed()))
    }

    // ----- the next temporary key, made beside the one in use

    const renew = Effect.fnUntraced(function*(life: number) {
      while (true) {
        temporaryChanged.closeUnsafe()
        const current = temporary
        if (current === undefined) {
          yield* temporaryChanged.await
          continue
        }
        yield* Effect.raceFirst(Effect.sleep(Math.max(0, current.renewAt - now())), temporaryChanged.await)
        if (temporary !== current || now() < current.renewAt) continue
        const made = yield* Effect.result(
          Effect.scoped(Effect.flatMap(openConnection, (connection) => keys.agreeForNow(connection, life)))
        )
        if (Result.isFailure(made)) {
          yield* Effect.logDebug(`No temporary key was agreed on yet: ${made.failure.message}`)
          yield* Effect.sleep(settings.maxBackoff)
          continue
        }
        yield* drain(current)
        if (temporary === current) {
          spare = made.success
          session = temporary = undefined
          if (stalled !== undefined) Deferred.doneUnsafe(stalled, Effect.fail(new Renewed()))
        }
        release()
      }
    })

    const release = (): void => {
      calls.hold(false)
      writable.raise()
      alarm.rearm()
    }

    /** Waits until no call would be executed twice, or until the key cannot wait any longer. */
    const drain = Effect.fnUntraced(function*(current: Keys.TemporaryKey) {
      while (temporary === current) {
        const until = now() + DRAIN
        calls.hold(true)
        while (calls.inFlight > 0 && now() < until) yield* Effect.sleep(DRAIN_POLL)
        if (!calls.hasDelicate || now() >= current.endsAt - LAST_MOMENT) return
        release()
        yield* Effect.sleep(DRAIN_AGAIN)
      }
    })

    if (settings.temporaryKeys !== undefined) {
      yield* Effect.forkScoped(Effect.tapCause(renew(settings.temporaryKeys), Effect.logError))
    }

    yield* Effect.forkScoped(
      Effect.gen(function*() {
        let attempts = 0
        let unknownKey = 0
        let exchanges = 0
        while (true) {
          if (fatal !== undefined) return
          const before = session
          const seen = before?.authenticated ?? 0
          const failure = (yield* Effect.flip(connect)) as Failure
          yield* Effect.logDebug(`MTProto connection to data centre ${dcId} ended: ${failure.message}`)
          failures++
          lastFailure = failure.message
          // only what the server proved it sent shows that the connection was good
          const proven = (session?.authenticated ?? 0) - (session === before ? seen : 0)
          if (proven > 0 && failure._tag !== "BindingError") {
            failures =
              attempts =
              unknownKey =
              exchanges =
                0
          }

          const code = failure._tag === "ConnectionError" ? failure.code : undefined
          if (failure._tag === "Renewed") continue
          if (temporary !== undefined && (code === Keys.CODE_UNKNOWN || failure._tag === "BindingError")) {
            // the temporary key is the first to be suspected, and costs nothing but another one
            session = temporary = undefined
            const suspicious = failure._tag === "BindingError" && failure.text === "ENCRYPTED_MESSAGE_INVALID" &&
              permanent !== undefined && now() - permanent.createdAt > YOUNG_KEY
            if (suspicious && (yield* keys.isForgotten(permanent!.key))) {
              if (settings.isLoggedIn()) return giveUp(forgotten)
              permanent = undefined
              yield* Effect.ignore(store.removeAuthKey(dcId))
            } else if (++exchanges >= MAX_EXCHANGES) {
              exchanges = 0
              failAll(new TransportError({ reason: "handshake", detail: failure.message }))
            }
          } else if (session !== undefined && code === Keys.CODE_UNKNOWN && ++unknownKey >= Keys.UNKNOWN_TIMES) {
            if (settings.isLoggedIn()) return giveUp(forgotten)
            // a key that nobody has logged in with is forgotten by servers after a while
            session = permanent = undefined
            unknownKey = 0
            yield* Effect.ignore(store.removeAuthKey(dcId))
          } else if (code === CODE_WRONG_DC) {
            return giveUp(
              new TransportError({
                reason: "configuration",
                detail: "this is not the data centre that it is taken for"
              })
            )
          } else if (failure._tag === "AuthKeyExchangeError" && failure.problem === "fingerprint") {
            return giveUp(new TransportError({ reason: "handshake", detail: failure.message }))
          } else if (failure._tag === "SessionStoreError") {
            failAll(new TransportError({ reason: "store", detail: failure.message, cause: failure }))
          } else if (session === undefined && failure._tag !== "ConnectionError" || code === Keys.CODE_UNKNOWN) {
            if (++exchanges >= MAX_EXCHANGES) {
              exchanges = 0
              failAll(new TransportError({ reason: "handshake", detail: failure.message }))
            }
          }
          const least = code === CODE_FLOOD ? FLOOD_BACKOFF : 0
          const backoff = Math.min(FIRST_BACKOFF * 2 ** attempts++, settings.maxBackoff)
          yield* Effect.sleep(Math.max(least, backoff) * (yield* Random.nextBetween(0.5, 1)))
        }
      }).pipe(Effect.tapCause(Effect.logError))
    )

    yield* Effect.forkScoped(Effect.gen(function*() {
      while (true) {
        yield* saltsChanged.await
        saltsChanged.closeUnsafe()
        // those of a temporary key go with it
        if (session === undefined || settings.temporaryKeys !== undefined) continue
        yield* Effect.ignore(store.setSalts(dcId, session.salts, session.timeOffset), { log: "Warn" })
      }
    }))

    return { call, now, giveUp: stop, serverNow: () => now() + (session?.timeOffset ?? 0) }
  }
)

const forgotten = new TransportError({
  reason: "unauthorized",
  detail: "the server does not know the authorization key"
})

const DRAIN_POLL = 20

interface Caller {
  readonly resume: (result: Effect.Effect<any, ServerError | TransportError>) => void
  readonly read: (result: Uint8Array) => Effect.Effect<unknown, TransportError>
}

const toFailure = (
  outcome: Exclude<Calls.Outcome, { readonly _tag: "Success" }>,
  connected: boolean,
  lastFailure: string
): Effect.Effect<never, ServerError | TransportError> => {
  switch (outcome._tag) {
    case "Error":
      return Effect.fail(new ServerError(outcome.code, outcome.message))
    case "Uncertain":
      return Effect.fail(
        new TransportError({
          reason: "uncertain",
          detail: "the server may or may not have executed the call, and it must not be repeated"
        })
      )
    case "Rejected":
      return Effect.fail(new TransportError({ reason: "protocol", detail: outcome.reason }))
    case "Expired":
      return Effect.fail(
        connected
          ? new TransportError({ reason: "timeout", detail: "the server did not answer in time" })
          : new TransportError({
            reason: "unreachable",
            detail: `no connection to the server in time${lastFailure === "" ? "" : ` (${lastFailure})`}`
          })
      )
  }
}
