/**
 * The salts of one authorization key (core.telegram.org/mtproto/service_messages,
 * "Request for several future salts"). Times are the server's, in seconds.
 */
import type { Salt } from "../Session.ts"

/** How long a salt is taken as valid when the server gave it without a time. */
const ASSUMED = 600
/** New salts are asked for when the known ones end within this time. */
const MARGIN = 60
const KEEP = 64

export interface Salts {
  /** The salt to send with. An expired one is better than none: the server answers with a good one. */
  current(time: number): bigint
  /** A salt from the key exchange or a notice of the server, valid from now on. */
  renew(time: number, salt: bigint): void
  add(salts: ReadonlyArray<Salt>): void
  isLow(time: number): boolean
  all(): ReadonlyArray<Salt>
}

export const make = (initial: ReadonlyArray<Salt>): Salts => {
  let salts: Array<Salt> = []

  const add = (more: ReadonlyArray<Salt>): void => {
    const known = new Map(salts.map((salt) => [salt.salt, salt]))
    for (const salt of more) known.set(salt.salt, salt)
    salts = [...known.values()].toSorted((a, b) => a.validSince - b.validSince).slice(-KEEP)
  }
  add(initial)

  return {
    current(time) {
      // the youngest that is valid already: the old one of two overlapping salts ends first
      while (salts.length > 1 && salts[1]!.validSince <= time) salts.shift()
      return salts.length === 0 ? 0n : salts[0]!.salt
    },
    renew(time, salt) {
      const known = salts.find((other) => other.salt === salt)
      const validUntil = Math.max(known?.validUntil ?? 0, time + ASSUMED)
      salts = [
        { salt, validSince: time, validUntil },
        ...salts.filter((other) => other.validSince > time && other.salt !== salt)
      ]
    },
    add,
    isLow(time) {
      let end = 0
      for (const salt of salts) if (salt.validUntil > end) end = salt.validUntil
      return end - time < MARGIN
    },
    all: () => salts
  }
}
