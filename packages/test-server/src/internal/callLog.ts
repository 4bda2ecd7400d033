/**
 * The calls that the server received, for assertions: the latest ones within a
 * bound of number and bytes, and a count of every method.
 */
import type * as Api from "@effect-mtproto/core/Api"

/** A call as the server saw it. */
export interface Call {
  /** The method, as `messages.sendEncrypted`; an unknown one by its constructor, as `#1234abcd`. */
  readonly method: string
  /** The decoded request; `undefined` if its bytes could not be read. */
  readonly request: Api.AnyRequest | undefined
  /** The phone number of the account that called; `undefined` before login. */
  readonly phone: string | undefined
  /** The API layer that the call was made with. */
  readonly layer: number
  /** Milliseconds of unix time. */
  readonly at: number
  /** `ok`, or the name of the error that was answered. */
  readonly outcome: string
}

interface Waiter {
  readonly method: string
  readonly count: number
  readonly done: () => void
}

export interface CallLog {
  readonly capacity: number
  readonly maxBytes: number
  readonly counts: Map<string, number>
  entries: Array<{ readonly call: Call; readonly size: number }>
  head: number
  bytes: number
  waiters: Array<Waiter>
  /** Told of every call. */
  listener: ((call: Call) => void) | undefined
}

export const make = (capacity: number, maxBytes: number): CallLog => ({
  capacity,
  maxBytes,
  counts: new Map(),
  entries: [],
  head: 0,
  bytes: 0,
  waiters: [],
  listener: undefined
})

/** Hostile clients can name any number of methods that do not exist. */
const MAX_COUNTED = 4096

export const count = (log: CallLog, method: string): number => log.counts.get(method) ?? 0

/** Adds a call; `size` is what it keeps alive, in bytes. */
export const record = (log: CallLog, call: Call, size: number): void => {
  if (log.counts.size < MAX_COUNTED || log.counts.has(call.method)) {
    log.counts.set(call.method, count(log, call.method) + 1)
  }
  log.entries.push({ call, size })
  log.bytes += size
  while (log.entries.length - log.head > log.capacity || (log.bytes > log.maxBytes && log.head < log.entries.length)) {
    log.bytes -= log.entries[log.head]!.size
    log.head++
  }
  if (log.head >= 1024 && log.head * 2 >= log.entries.length) {
    log.entries = log.entries.slice(log.head)
    log.head = 0
  }
  log.listener?.(call)
  if (log.waiters.length > 0) wake(log)
}

const wake = (log: CallLog): void => {
  const ready = log.waiters.filter((waiter) => count(log, waiter.method) >= waiter.count)
  if (ready.length === 0) return
  log.waiters = log.waiters.filter((waiter) => !ready.includes(waiter))
  for (const waiter of ready) waiter.done()
}

/** Calls back once `method` has been called `count` times in all. Returns how to give up. */
export const wait = (log: CallLog, method: string, times: number, done: () => void): () => void => {
  if (count(log, method) >= times) {
    done()
    return () => undefined
  }
  const waiter: Waiter = { method, count: times, done }
  log.waiters.push(waiter)
  return () => {
    log.waiters = log.waiters.filter((other) => other !== waiter)
  }
}

/** The calls that are remembered, oldest first. */
export const list = (log: CallLog, method: string | undefined): ReadonlyArray<Call> => {
  const calls: Array<Call> = []
  for (let i = log.head; i < log.entries.length; i++) {
    const { call } = log.entries[i]!
    if (method === undefined || call.method === method) calls.push(call)
  }
  return calls
}

/** Forgets all calls and counts. */
export const clear = (log: CallLog): void => {
  log.entries = []
  log.head = 0
  log.bytes = 0
  log.counts.clear()
}
