/**
 * The clients of the data centres, made when they are first needed, and which of
 * them is the one that the account lives in.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Datacenter } from "../Datacenter.ts"
import type { SessionStoreError } from "../SessionStore.ts"
import { TransportError } from "../Transport.ts"
import type { DcClient } from "./dcClient.ts"

export interface Datacenters {
  readonly mainId: () => number
  readonly main: () => DcClient
  /** Moves to another data centre. Calls that are under way there where we were end as `closed`. */
  readonly migrate: (id: number) => Effect.Effect<void, TransportError | SessionStoreError>
  /** Ends all calls with this error, and speaks with no server any more. */
  readonly giveUp: (error: TransportError) => void
  /** Starts anew where we are, with a key as the store has it. */
  readonly reopen: Effect.Effect<void, TransportError | SessionStoreError>
}

interface Open {
  readonly id: number
  readonly client: DcClient
  readonly scope: Scope.Closeable
}

export const make: (options: {
  readonly datacenters: ReadonlyArray<Datacenter>
  readonly initial: number
  readonly makeClient: (datacenter: Datacenter) => Effect.Effect<DcClient, SessionStoreError, Scope.Scope>
  /** Remembers where the account lives. */
  readonly save: (id: number) => Effect.Effect<void, SessionStoreError>
}) => Effect.Effect<Datacenters, TransportError | SessionStoreError, Scope.Scope> = Effect.fnUntraced(
  function*({ datacenters, initial, makeClient, save }) {
    const parent = yield* Effect.scope
    const lock = yield* Semaphore.make(1)

    const open = Effect.fnUntraced(function*(id: number) {
      const datacenter = datacenters.find((candidate) => candidate.id === id)
      if (datacenter === undefined) {
        return yield* new TransportError({
          reason: "configuration",
          detail: `the account lives in data centre ${id}, whose address is not configured`
        })
      }
      const scope = yield* Scope.fork(parent)
      const client = yield* Scope.provide(makeClient(datacenter), scope)
      const opened: Open = { id, client, scope }
      return opened
    })

    let main = yield* open(initial)

    const replace = Effect.fnUntraced(function*(id: number) {
      const next = yield* open(id)
      yield* save(id)
      const previous = main
      main = next
      yield* Scope.close(previous.scope, Exit.void)
    }, Effect.uninterruptible)

    return {
      giveUp: (error) => main.client.giveUp(error),
      mainId: () => main.id,
      main: () => main.client,
      // several calls may have been sent away at the same time
      migrate: (id) => lock.withPermit(Effect.suspend(() => main.id === id ? Effect.void : replace(id))),
      reopen: lock.withPermit(Effect.suspend(() => replace(main.id)))
    }
  }
)
