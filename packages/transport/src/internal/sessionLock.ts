/**
 * What keeps two programs from using one session at the same time: a row that
 * its holder changes every few seconds.
 *
 * Whoever finds the row taken watches it. If it changes, its holder is alive, and
 * the session is `locked`; if it has not changed for as long as `PATIENCE`, its
 * holder is gone. Only durations are measured, so the clocks of two machines may
 * disagree. A holder that is a process of the same machine is asked for directly,
 * so that a program that crashed can be started again at once.
 *
 * A holder that was frozen, or could not reach the database, learns from its next
 * beat that the lease is lost, and has to stop.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import type * as Fs from "node:fs"
import type * as Os from "node:os"
import type { Lease, SessionStoreError } from "../SessionStore.ts"
import { builtin } from "./builtin.ts"

/** How often a holder shows that it is alive, in milliseconds. */
export const BEAT = 5_000
/** A holder that has not shown that for so long is gone. */
export const PATIENCE = 15_000
/** A holder gives up before somebody else may think that it is gone. */
const DEADLINE = 12_000
const LOOK = 250

/** A process, by what tells it apart from all others. */
export interface Holder {
  /** The machine, and the part of it in which process numbers are unique; empty if unknown. */
  readonly machine: string
  readonly pid: number
}

/** What the row says. */
export interface Row extends Holder {
  readonly owner: string
  readonly beat: number
}

/**
 * What is known about a holder without watching: `gone` only if it is a process of
 * this machine that does not exist any more.
 */
export const standing = (row: Holder, self: Holder, exists: (pid: number) => boolean): "gone" | "unknown" =>
  row.machine !== "" && row.machine === self.machine && row.pid !== self.pid && !exists(row.pid) ? "gone" : "unknown"

/** This process. Process numbers are unique within one namespace of one boot of one machine. */
export const self = (): Holder => {
  const pid = globalThis.process?.pid ?? 0
  try {
    const fs = builtin<typeof Fs>("node:fs")
    if (fs === undefined) return { machine: "", pid }
    if (globalThis.process.platform === "linux") {
      const boot = fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
      return { machine: `${boot} ${fs.readlinkSync("/proc/self/ns/pid")}`, pid }
    }
    return { machine: builtin<typeof Os>("node:os")?.hostname() ?? "", pid }
  } catch {
    return { machine: "", pid }
  }
}

const exists = (pid: number): boolean => {
  try {
    globalThis.process.kill(pid, 0)
    return true
  } catch (error) {
    // it exists, and belongs to somebody else
    return (error as { readonly code?: unknown }).code !== "ESRCH"
  }
}

type ErrorClass = typeof SessionStoreError

const OPERATION = "lock the session"

export const locked = (Failure: ErrorClass, holder?: Holder): SessionStoreError =>
  new Failure({
    reason: "locked",
    operation: OPERATION,
    ...(holder === undefined || holder.pid === 0 ? {} : { holder: holder.pid })
  })

export const make = (
  sql: SqlClient.SqlClient,
  name: string,
  Failure: ErrorClass
): Effect.Effect<Lease, SessionStoreError, Scope.Scope> =>
  Effect.gen(function*() {
    const me: Row = { owner: globalThis.crypto.randomUUID(), beat: 0, ...self() }

    const guard = <A>(effect: Effect.Effect<A, SqlError.SqlError>): Effect.Effect<A, SessionStoreError> =>
      Effect.mapError(
        Effect.provideService(effect, SqlClient.SafeIntegers, false),
        (cause) => new Failure({ reason: "unavailable", operation: OPERATION, cause })
      )

    const read = Effect.map(
      guard(sql<Row>`SELECT owner, machine, pid, beat FROM mtproto_session_lock WHERE name = ${name}`),
      (rows): Row | undefined => rows[0] === undefined ? undefined : { ...rows[0], beat: Number(rows[0].beat) }
    )
    const insert = guard(sql`INSERT INTO mtproto_session_lock (name, owner, machine, pid, beat)
      VALUES (${name}, ${me.owner}, ${me.machine}, ${me.pid}, ${me.beat}) ON CONFLICT DO NOTHING RETURNING owner`)
    const takeOver = (row: Row) =>
      guard(sql`UPDATE mtproto_session_lock
        SET owner = ${me.owner}, machine = ${me.machine}, pid = ${me.pid}, beat = ${me.beat}
        WHERE name = ${name} AND owner = ${row.owner} AND beat = ${row.beat} RETURNING owner`)
    const beat = guard(sql`UPDATE mtproto_session_lock SET beat = beat + 1
      WHERE name = ${name} AND owner = ${me.owner} RETURNING owner`)
    const release = sql`DELETE FROM mtproto_session_lock WHERE name = ${name} AND owner = ${me.owner}`

    /** Waits until a holder has shown that it is alive, which is an error, or not for long enough. */
    const watch = Effect.fnUntraced(function*(row: Row) {
      const until = (yield* Clock.currentTimeMillis) + PATIENCE
      while ((yield* Clock.currentTimeMillis) < until) {
        yield* Effect.sleep(LOOK)
        const next = yield* read
        if (next === undefined) return
        if (next.owner !== row.owner || next.beat !== row.beat) return yield* locked(Failure, next)
      }
    })

    const acquire = Effect.gen(function*() {
      while (true) {
        if ((yield* insert).length > 0) return
        const row = yield* read
        // it was given back just now
        if (row === undefined) continue
        if (standing(row, me, exists) === "unknown") yield* watch(row)
        if ((yield* takeOver(row)).length > 0) return
      }
    })

    yield* Effect.acquireRelease(acquire, () => Effect.ignore(release, { log: "Warn" }), { interruptible: true })

    const lost = yield* Deferred.make<never, SessionStoreError>()
    yield* Effect.forkScoped(Effect.gen(function*() {
      let alive = yield* Clock.currentTimeMillis
      while (true) {
        yield* Effect.sleep(BEAT)
        const before = yield* Clock.currentTimeMillis
        const beaten = yield* Effect.result(Effect.timeout(beat, BEAT))
        if (beaten._tag === "Success") {
          if (beaten.success.length === 0) return yield* Deferred.fail(lost, locked(Failure))
          alive = before
        } else if ((yield* Clock.currentTimeMillis) - alive > DEADLINE - BEAT) {
          return yield* Deferred.fail(
            lost,
            new Failure({ reason: "unavailable", operation: OPERATION, cause: beaten.failure })
          )
        }
      }
    }))
    return { lost: Deferred.await(lost) }
  })
