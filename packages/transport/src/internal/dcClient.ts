/**
 * The client of one data centre: keeps a connection to it, agrees on a key when
 * there is none, and carries calls and updates between the session and those who
 * use it. What decides is in `Session` and `Calls`; this file only drives them.
 */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Packet from "@effect-mtproto/crypto/Packet"
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
import * as AuthKeyExchange from "../AuthKeyExchange.ts"
import * as Calls from "../Calls.ts"
import * as Connection from "../Connection.ts"
import type { Datacenter } from "../Datacenter.ts"
import * as Session from "../Session.ts"
import type { SessionStore, SessionStoreError } from "../SessionStore.ts"
import { TransportError } from "../Transport.ts"
import * as Alarm from "./alarm.ts"
import * as MessageIds from "./messageIds.ts"

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
  readonly datacenter: Datacenter
  readonly publicKeys: ReadonlyArray<RsaPublicKey>
  /** The number of the data centre as it stands in the key exchange and in obfuscated headers. */
  readonly wireDc: number
  readonly obfuscated: boolean
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
  readonly call: (init: Calls.Init) => Effect.Effect<Uint8Array, ServerError | TransportError>
  readonly now: () => number
}

const FIRST_BACKOFF = 250
/** A server that does not know our key may have lost it on one machine only. */
const UNKNOWN_KEY = 2
const MAX_EXCHANGES = 5
const SEND_TIMEOUT = 14_000

const CODE_UNKNOWN_KEY = -404
const CODE_FLOOD = -429
const CODE_WRONG_DC = -444
const FLOOD_BACKOFF = 1_000

type Failure = Connection.ConnectionError | AuthKeyExchange.AuthKeyExchangeError | SessionStoreError

export const make: (settings: Settings) => Effect.Effect<DcClient, SessionStoreError, Scope.Scope> = Effect.fnUntraced(
  function*(settings) {
    const { crypto, datacenter, store } = settings
    const clock = yield* Clock.Clock
    // wall time that never jumps: its error is part of the offset to the server's clock
    const started = clock.currentTimeMillisUnsafe() - Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const now = (): number => started + Number(clock.monotonicTimeNanosUnsafe()) / 1e6

    const calls = Calls.make(settings.calls)
    const pending = new Map<Calls.Call, (result: Effect.Effect<Uint8Array, ServerError | TransportError>) => void>()
    const writable = Latch.makeUnsafe(false)
    const saltsChanged = Latch.makeUnsafe(false)
    let session: Session.Session | undefined
    let connected = false
    /** Since when a packet is being written to the socket. */
    let sendingSince: number | undefined
    let stalled: Deferred.Deferred<never, Connection.ConnectionError> | undefined
    let connections = 0
    let fatal: TransportError | undefined

    const makeSession = (key: SharedKey.SharedKey, rest: Omit<Session.Options, "key" | "header" | "limits">) => {
      session = Session.make(crypto, { key, header: settings.header, limits: settings.limits, ...rest })
      calls.bind(now(), session)
      return session
    }

    const stored = yield* store.authKey(datacenter.id)
    if (stored !== undefined) {
      makeSession(SharedKey.make(crypto, Redacted.value(stored.key)), {
        salts: stored.salts,
        timeOffset: stored.timeOffset,
        // the clock may have been set since
        synchronised: false
      })
    }

    // ----- calls

    const complete = (outcome: Calls.Outcome): void => {
      const resume = pending.get(outcome.call)
      pending.delete(outcome.call)
      resume?.(toEffect(outcome, connected))
    }

    const failAll = (error: TransportError): void => {
      const resumes = [...pending.values()]
      pending.clear()
      calls.clear()
      for (const resume of resumes) resume(Effect.fail(error))
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
        writable.openUnsafe()
      }
    })

    const call: DcClient["call"] = (init) =>
      Effect.callback((resume) => {
        if (fatal !== undefined) return resume(Effect.fail(fatal))
        const handle = calls.submit(now(), init)
        pending.set(handle, resume)
        writable.openUnsafe()
        alarm.rearm()
        return Effect.sync(() => {
          if (!pending.delete(handle)) return
          calls.cancel(handle)
          writable.openUnsafe()
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
    const dispatch = (current: Session.Session): Connection.ConnectionError | undefined => {
      let end: Connection.ConnectionError | undefined
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
          case "Close":
            end = new Connection.ConnectionError({ reason: event.reason === "dead" ? "silent" : "refused" })
            break
          default: {
            const outcome = calls.handle(now(), event)
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
        const end = dispatch(current)
        if (end !== undefined) return yield* end
        if (Math.min(calls.wakeAt(), current.wakeAt()) <= time) writable.openUnsafe()
        alarm.rearm()
      }
    })

    const write = Effect.fnUntraced(function*(connection: Connection.Connection, current: Session.Session) {
      while (true) {
        // closed first: what comes while sending is sent in the next turn
        writable.closeUnsafe()
        const time = now()
        for (const outcome of calls.poll(time)) complete(outcome)
        const packets = current.poll(time)
        const end = dispatch(current)
        if (end !== undefined) return yield* end
        if (packets.length > 0) {
          sendingSince = time
          yield* connection.send(packets)
          sendingSince = undefined
        }
        alarm.rearm()
        yield* writable.await
      }
    })

    const exchange = Effect.fnUntraced(function*(connection: Connection.Connection) {
      const ids = MessageIds.make(0)
      const ask = Effect.fnUntraced(function*(body: Uint8Array) {
        yield* connection.send([Packet.sealPlain({ msgId: ids.next(now()), body })])
        while (true) {
          for (const packet of yield* connection.receive) {
            const opened = Packet.openPlain(packet)
            if (Result.isSuccess(opened)) return opened.success.body
          }
        }
      })
      const agreed = yield* Effect.timeoutOrElse(
        AuthKeyExchange.run(crypto, { publicKeys: settings.publicKeys, dc: settings.wireDc }, ask),
        {
          duration: settings.exchangeTimeout,
          orElse: () => Effect.fail(new Connection.ConnectionError({ reason: "silent" }))
        }
      )
      const time = now()
      const timeOffset = agreed.serverTime * 1_000 - time
      const seconds = Math.floor(agreed.serverTime)
      const salts = [{ salt: agreed.serverSalt, validSince: seconds, validUntil: seconds + SALT_LIFE }]
      yield* store.setAuthKey(datacenter.id, {
        key: Redacted.make(agreed.key.bytes, { label: "authKey" }),
        createdAt: Math.floor(time / 1_000),
        timeOffset,
        salts
      })
      return makeSession(agreed.key, { salts, timeOffset, synchronised: true })
    })

    const connect = Effect.gen(function*() {
      const connection = yield* Connection.open(crypto, datacenter, {
        openTimeout: settings.openTimeout,
        obfuscation: settings.obfuscated ? { dcId: settings.wireDc } : undefined
      })
      const current = session ?? (yield* exchange(connection))
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

    yield* Effect.forkScoped(
      Effect.gen(function*() {
        let attempts = 0
        let unknownKey = 0
        let exchanges = 0
        while (true) {
          const before = session
          const seen = before?.authenticated ?? 0
          const failure = (yield* Effect.flip(connect)) as Failure
          yield* Effect.logDebug(`MTProto connection to data centre ${datacenter.id} ended: ${failure.message}`)
          // only what the server proved it sent shows that the connection was good
          const proven = (session?.authenticated ?? 0) - (session === before ? seen : 0)
          if (proven > 0) attempts = unknownKey = exchanges = 0

          const code = failure._tag === "ConnectionError" ? failure.code : undefined
          if (session !== undefined && code === CODE_UNKNOWN_KEY && ++unknownKey >= UNKNOWN_KEY) {
            if (settings.isLoggedIn()) {
              return giveUp(
                new TransportError({ reason: "unauthorized", detail: "the server does not know the authorization key" })
              )
            }
            // a key that nobody has logged in with is forgotten by servers after a while
            session = undefined
            unknownKey = 0
            yield* Effect.ignore(store.removeAuthKey(datacenter.id))
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
          } else if (session === undefined && failure._tag !== "ConnectionError" || code === CODE_UNKNOWN_KEY) {
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
        if (session === undefined) continue
        yield* Effect.ignore(store.setSalts(datacenter.id, session.salts, session.timeOffset), { log: "Warn" })
      }
    }))

    return { call, now }
  }
)

/** How long the first salt of a key is known to be good, in seconds. */
const SALT_LIFE = 600

const toEffect = (
  outcome: Calls.Outcome,
  connected: boolean
): Effect.Effect<Uint8Array, ServerError | TransportError> => {
  switch (outcome._tag) {
    case "Success":
      return Effect.succeed(outcome.result)
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
          : new TransportError({ reason: "unreachable", detail: "no connection to the server in time" })
      )
  }
}
