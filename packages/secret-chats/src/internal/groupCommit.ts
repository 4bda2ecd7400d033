/**
 * Group commit: callers that arrive while a transaction runs share the next one.
 *
 * One batch runs at a time. A caller that is interrupted before its request was taken into a batch takes it back;
 * afterwards the batch goes on without it. Batches run in the scope and context of the store, not in a caller's fiber: no
 * caller's end can stop the commits of others, and no caller's own transaction swallows them.
 *
 * @since 1.0.0
 */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

interface Request<A, B, E> {
  readonly input: A
  readonly deferred: Deferred.Deferred<B, E>
  taken: boolean
}

/**
 * `run` carries out a batch and gives one exit an input, in order. When the scope has ended every request gets `closed`.
 *
 * @internal
 */
export const make = <A, B, E, R>(options: {
  readonly scope: Scope.Scope
  readonly context: Context.Context<R>
  readonly maxBatch: number
  readonly run: (inputs: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<Exit.Exit<B, E>>, never, R>
  readonly closed: () => E
}): Effect.Effect<(input: A, alone?: boolean) => Effect.Effect<B, E>> => {
  let queue: Array<Request<A, B, E>> = []
  let running = false
  let closed = false

  const batch = Effect.suspend(() => {
    const requests = queue.slice(0, options.maxBatch)
    queue = queue.slice(options.maxBatch)
    for (const request of requests) request.taken = true
    return Effect.onExit(
      options.run(requests.map((request) => request.input)),
      (exit) =>
        Effect.sync(() => {
          requests.forEach((request, i) => {
            Deferred.doneUnsafe(request.deferred, Exit.isSuccess(exit) ? exit.value[i]! : exit as Exit.Exit<never>)
          })
        })
    )
  })

  const loop: Effect.Effect<void, never, R> = Effect.whileLoop({
    while: () => {
      running = queue.length > 0
      return running
    },
    body: () => Effect.uninterruptible(batch),
    step: () => {}
  })

  const detached = Effect.updateContext<void, never, R, never>(loop, () => options.context)

  const submit = (input: A, alone = false): Effect.Effect<B, E> =>
    Effect.suspend(() => {
      if (closed) return Effect.fail(options.closed())
      const request: Request<A, B, E> = { input, deferred: Deferred.makeUnsafe(), taken: false }
      queue.push(request)
      const wait = Effect.onInterrupt(Deferred.await(request.deferred), () =>
        Effect.sync(() => {
          if (!request.taken) queue = queue.filter((other) => other !== request)
        }))
      // While the scope closes nothing can be forked into it, but what the store needs is still there.
      if (options.scope.state._tag === "Closed") return Effect.andThen(detached, wait)
      if (running) return wait
      running = true
      // The fiber starts after those that are ready to run now, so that they come along; if there are none, at once.
      return Effect.andThen(Effect.forkIn(detached, options.scope, { startImmediately: alone }), wait)
    })

  return Effect.as(
    Scope.addFinalizer(
      options.scope,
      Effect.sync(() => {
        closed = true
        for (const request of queue) Deferred.doneUnsafe(request.deferred, Exit.fail(options.closed()))
        queue = []
      })
    ),
    submit
  )
}
