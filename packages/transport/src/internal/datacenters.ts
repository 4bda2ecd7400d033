/**
 * The clients of the data centres, made when they are first needed: the one that
 * the account lives in, and others beside it for the files that are kept there.
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Datacenter } from "../Datacenter.ts"
import type { SessionStoreError } from "../SessionStore.ts"
import { TransportError } from "../Transport.ts"
import type { DcClient } from "./dcClient.ts"

type Problem = TransportError | SessionStoreError

export interface Datacenters {
  readonly mainId: () => number
  readonly main: () => DcClient
  /** The client of another data centre, which gets no updates. */
  readonly side: (id: number) => Effect.Effect<DcClient, Problem>
  /** Moves to another data centre. Calls that are under way there where we were end as `closed`. */
  readonly migrate: (id: number) => Effect.Effect<void, Problem>
  /** Ends all calls with this error, and speaks with no server any more. */
  readonly giveUp: (error: TransportError) => void
  /** Starts anew where we are, with a key as the store has it. */
  readonly reopen: Effect.Effect<void, Problem>
}

interface Open {
  readonly id: number
  readonly client: DcClient
  readonly scope: Scope.Closeable
}

/** How a client is to be made. */
export interface Place {
  readonly id: number
  readonly addresses: () => ReadonlyArray<Datacenter>
  readonly isMain: boolean
  readonly onFatal: () => void
}

/** The addresses that a configuration names and that can be used here. */
export const addressesOf = (
  config: Api.Config,
  options: { readonly ipv6: boolean; readonly obfuscated: boolean }
): ReadonlyArray<Datacenter> =>
  config.dcOptions.flatMap((option) =>
    option.cdn === true || option.mediaOnly === true || option.secret !== undefined ||
      (option.ipv6 === true && !options.ipv6) || (option.tcpoOnly === true && !options.obfuscated)
      ? []
      : [{ id: option.id, host: option.ipAddress, port: option.port }]
  )

export const make: (options: {
  readonly datacenters: ReadonlyArray<Datacenter>
  readonly initial: number
  readonly makeClient: (place: Place) => Effect.Effect<DcClient, SessionStoreError, Scope.Scope>
  /** Asks a server where the data centres are. */
  readonly fetch: (client: DcClient) => Effect.Effect<ReadonlyArray<Datacenter>>
  /** Remembers where the account lives. */
  readonly save: (id: number) => Effect.Effect<void, SessionStoreError>
}) => Effect.Effect<Datacenters, Problem, Scope.Scope> = Effect.fnUntraced(
  function*({ datacenters, fetch, initial, makeClient, save }) {
    const parent = yield* Effect.scope
    const lock = yield* Semaphore.make(1)
    let known = datacenters
    let main: Open | undefined
    const sides = new Map<number, Open>()

    const addresses = (id: number) => known.filter((candidate) => candidate.id === id)

    const open = Effect.fnUntraced(function*(id: number, isMain: boolean) {
      if (addresses(id).length === 0 && main !== undefined) {
        const more = yield* fetch(main.client)
        // what was configured stays: it may know a better way
        known = [...known, ...more.filter((found) => addresses(found.id).length === 0)]
      }
      if (addresses(id).length === 0) {
        return yield* new TransportError({
          reason: "configuration",
          detail: `the address of data centre ${id} is not known`
        })
      }
      const scope = yield* Scope.fork(parent)
      const place: Place = { id, isMain, addresses: () => addresses(id), onFatal: () => sides.delete(id) }
      const client = yield* Effect.onError(
        Scope.provide(makeClient(place), scope),
        () => Scope.close(scope, Exit.void)
      )
      const opened: Open = { id, client, scope }
      return opened
    })

    const closeSide = (id: number) =>
      Effect.suspend(() => {
        const side = sides.get(id)
        sides.delete(id)
        return side === undefined ? Effect.void : Scope.close(side.scope, Exit.void)
      })

    const home = yield* open(initial, true)
    main = home
    let current = home

    const replace = Effect.fnUntraced(function*(id: number) {
      yield* closeSide(id)
      const next = yield* open(id, true)
      yield* save(id)
      const previous = current
      main = current = next
      yield* Scope.close(previous.scope, Exit.void)
    }, Effect.uninterruptible)

    return {
      giveUp: (error) => {
        for (const { client } of [current, ...sides.values()]) client.giveUp(error)
      },
      mainId: () => current.id,
      main: () => current.client,
      side: (id) =>
        Effect.suspend(() => {
          const side = sides.get(id)
          if (side !== undefined) return Effect.succeed(side.client)
          return lock.withPermit(Effect.suspend(() => {
            const made = sides.get(id)
            if (made !== undefined) return Effect.succeed(made.client)
            return Effect.map(Effect.uninterruptible(open(id, false)), (opened) => {
              sides.set(id, opened)
              return opened.client
            })
          }))
        }),
      // several calls may have been sent away at the same time
      migrate: (id) => lock.withPermit(Effect.suspend(() => current.id === id ? Effect.void : replace(id))),
      reopen: lock.withPermit(Effect.suspend(() =>
        Effect.andThen(
          Effect.forEach([...sides.keys()], closeSide, { discard: true }),
          replace(current.id)
        )
      ))
    }
  }
)
