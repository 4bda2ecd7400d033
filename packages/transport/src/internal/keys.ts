/**
 * The authorization keys of a client: agreeing on them, and finding out whether the server has forgotten one.
 */
import * as Api from "@effect-mtproto/core/Api"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Packet from "@effect-mtproto/crypto/Packet"
import type { RsaPublicKey } from "@effect-mtproto/crypto/RsaPublicKey"
import type { SharedKey } from "@effect-mtproto/crypto/SharedKey"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as AuthKeyExchange from "../AuthKeyExchange.ts"
import * as Connection from "../Connection.ts"
import * as Session from "../Session.ts"
import * as MessageIds from "./messageIds.ts"

export interface PermanentKey {
  readonly key: SharedKey
  /** By our clock, in milliseconds. */
  readonly createdAt: number
}

export interface TemporaryKey {
  readonly key: SharedKey
  readonly salts: ReadonlyArray<Session.Salt>
  readonly timeOffset: number
  /** By the server's clock, in seconds. */
  readonly expiresAt: number
  /** By our clock, in milliseconds. */
  readonly endsAt: number
  readonly renewAt: number
}

/** What a server says about a key that it does not know. */
export const CODE_UNKNOWN = -404
/** It may have lost it on one machine only, so it has to say it so many times in a row. */
export const UNKNOWN_TIMES = 2

/** So long before its end, in seconds, a temporary key is replaced; and at most so much earlier. */
const RENEW_EARLY = 3_600
const RENEW_JITTER = 600

/** How long the first salt of a key is known to be good, in seconds. */
const SALT_LIFE = 600

export interface Settings {
  readonly crypto: Crypto["Service"]
  readonly publicKeys: ReadonlyArray<RsaPublicKey>
  readonly wireDc: number
  readonly header: Uint8Array
  readonly exchangeTimeout: number
  readonly now: () => number
  readonly openConnection: Effect.Effect<Connection.Connection, Connection.ConnectionError, Scope.Scope>
}

export const make = (settings: Settings) => {
  const { crypto, now, openConnection } = settings

  /** Agrees on a key; `expiresIn` makes it a temporary one that lives so many seconds. */
  const agree = Effect.fnUntraced(function*(connection: Connection.Connection, expiresIn?: number) {
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
      AuthKeyExchange.run(crypto, { publicKeys: settings.publicKeys, dc: settings.wireDc, expiresIn }, ask),
      {
        duration: settings.exchangeTimeout,
        orElse: () => Effect.fail(new Connection.ConnectionError({ reason: "silent" }))
      }
    )
    const time = now()
    const seconds = Math.floor(agreed.serverTime)
    return {
      key: agreed.key,
      time,
      seconds,
      timeOffset: agreed.serverTime * 1_000 - time,
      salts: [{ salt: agreed.serverSalt, validSince: seconds, validUntil: seconds + SALT_LIFE }]
    }
  })

  const agreeForNow = Effect.fnUntraced(function*(connection: Connection.Connection, life: number) {
    const { key, salts, seconds, time, timeOffset } = yield* agree(connection, life)
    const early = Math.min(life / 4, RENEW_EARLY) + (yield* Random.nextBetween(0, Math.min(life / 24, RENEW_JITTER)))
    const made: TemporaryKey = {
      key,
      salts,
      timeOffset,
      expiresAt: seconds + life,
      endsAt: time + life * 1_000,
      renewAt: time + (life - early) * 1_000
    }
    return made
  })

  /** Speaks once with a key; fails with `undefined` as soon as the server has proved that it knows it. */
  const probe = (key: SharedKey): Effect.Effect<never, Connection.ConnectionError | undefined> =>
    Effect.gen(function*() {
      const connection = yield* openConnection
      const trial = Session.make(crypto, {
        key,
        header: settings.header,
        salts: [],
        timeOffset: 0,
        synchronised: false
      })
      trial.query(Api.encodeRequest(Api.help.getNearestDc()), { repeatable: true })
      trial.attach(now())
      yield* connection.send(trial.poll(now()))
      while (true) {
        for (const packet of yield* connection.receive) trial.receive(now(), packet)
        if (trial.authenticated > 0) return yield* Effect.fail(undefined)
      }
    }).pipe(
      Effect.scoped,
      Effect.timeoutOrElse({ duration: settings.exchangeTimeout, orElse: () => Effect.fail(undefined) })
    )

  /** Whether the server says, twice in a row, that it does not know a key. Anything else is no proof. */
  const isForgotten = Effect.fnUntraced(function*(key: SharedKey) {
    for (let i = 0; i < UNKNOWN_TIMES; i++) {
      const failure = yield* Effect.flip(probe(key))
      if (failure?.code !== CODE_UNKNOWN) return false
    }
    return true
  })

  return { agree, agreeForNow, isForgotten }
}
