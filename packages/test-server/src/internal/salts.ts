/**
 * Server salts (core.telegram.org/mtproto/service_messages, "Request for several
 * future salts"). A salt lives for half an hour and is accepted for half an hour
 * more.
 *
 * The first salt comes out of the key exchange; every later one is derived from
 * the authorization key and the number of its half hour. So nothing has to be
 * kept, and a key has the same salts whenever it is asked.
 */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import { readLong, writeInt } from "./bytes.ts"

/** How long a salt is current, in seconds. */
export const LIFETIME = 1800

/** How early a client whose clock is ahead may use the next salt, in seconds. */
const EARLY = 60

/** The greatest number of salts that one request may ask for. */
export const MAXIMUM = 64

export interface SaltSchedule {
  readonly first: bigint
  /** When the first salt became current, in seconds of unix time. */
  readonly since: number
  readonly secret: Uint8Array
  /** The salts around `window`, so that accepting a message costs no hash. */
  cache:
    | { readonly window: number; readonly salts: readonly [previous: bigint, current: bigint, next: bigint] }
    | undefined
}

export const make = (first: bigint, since: number, secret: Uint8Array): SaltSchedule => ({
  first,
  since,
  secret,
  cache: undefined
})

const LABEL = Uint8Array.from("server salt", (c) => c.charCodeAt(0))

const saltOf = (crypto: Crypto["Service"], schedule: SaltSchedule, window: number): bigint => {
  if (window <= 0) return schedule.first
  const number = new Uint8Array(4)
  writeInt(number, 0, window)
  return readLong(crypto.sha256(LABEL, number, schedule.secret), 0)
}

const windowAt = (schedule: SaltSchedule, seconds: number): number =>
  Math.max(0, Math.floor((seconds - schedule.since) / LIFETIME))

const around = (crypto: Crypto["Service"], schedule: SaltSchedule, window: number) => {
  if (schedule.cache?.window !== window) {
    schedule.cache = {
      window,
      salts: [
        saltOf(crypto, schedule, window - 1),
        saltOf(crypto, schedule, window),
        saltOf(crypto, schedule, window + 1)
      ]
    }
  }
  return schedule.cache.salts
}

/** The salt that is current at `seconds` of unix time. */
export const current = (crypto: Crypto["Service"], schedule: SaltSchedule, seconds: number): bigint =>
  around(crypto, schedule, windowAt(schedule, seconds))[1]

/** Whether a message of the client may carry `salt` at `seconds` of unix time. */
export const isAccepted = (
  crypto: Crypto["Service"],
  schedule: SaltSchedule,
  salt: bigint,
  seconds: number
): boolean => {
  const window = windowAt(schedule, seconds)
  const [previous, now, next] = around(crypto, schedule, window)
  return salt === now || salt === previous || (salt === next && windowAt(schedule, seconds + EARLY) > window)
}

export interface FutureSalt {
  readonly validSince: number
  readonly validUntil: number
  readonly salt: bigint
}

/** The current salt and those after it, as many as asked for within bounds. */
export const future = (
  crypto: Crypto["Service"],
  schedule: SaltSchedule,
  seconds: number,
  count: number
): ReadonlyArray<FutureSalt> => {
  const window = windowAt(schedule, seconds)
  return Array.from({ length: Math.min(Math.max(count, 1), MAXIMUM) }, (_, i) => ({
    validSince: schedule.since + (window + i) * LIFETIME,
    validUntil: schedule.since + (window + i + 1) * LIFETIME,
    salt: saltOf(crypto, schedule, window + i)
  }))
}
