/**
 * A `Transport` in memory, for testing what is built on one: a function answers
 * the calls, and the test pushes the updates.
 *
 * ```ts
 * const layer = TransportTest.layer((request) =>
 *   request._tag === "messages.sendEncryptedService"
 *     ? Effect.succeed({ _tag: "messages.sentEncryptedMessage", date: 1 })
 *     : Effect.fail(TransportTest.unexpected(request))
 * )
 * ```
 *
 * It keeps the laws of `Transport` that a single process can: calls of one chain
 * are handed to the function one after the other, updates come in order, and
 * after `restart` those that were not confirmed come again.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import * as RpcError from "@effect-mtproto/core/RpcError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Transport from "./Transport.ts"

/**
 * Answers a call: with its result as a plain value, or with an error of the
 * server or of the transport.
 *
 * @since 1.0.0
 * @category models
 */
export type Handler = (
  request: Api.AnyRequest,
  options: Transport.InvokeOptions
) => Effect.Effect<unknown, { readonly _tag: string }>

/**
 * What a test sees of the double.
 *
 * @since 1.0.0
 * @category services
 */
export class TransportTest extends Context.Service<TransportTest, {
  /** Appends an update to the stream. */
  readonly push: (
    update: Api.Update,
    options?: {
      readonly date?: number | undefined
      readonly users?: ReadonlyArray<Api.User> | undefined
      readonly chats?: ReadonlyArray<Api.Chat> | undefined
    }
  ) => Effect.Effect<void>
  /** Every request so far, in the order in which they were made. */
  readonly requests: Effect.Effect<ReadonlyArray<Api.AnyRequest>>
  /** The updates before which everything is confirmed, in order. */
  readonly confirmed: Effect.Effect<ReadonlyArray<Api.Update>>
  /** Replaces the function that answers. */
  readonly handle: (handler: Handler) => Effect.Effect<void>
  /** What a restart of a client does: all updates that are not confirmed come again. */
  readonly restart: Effect.Effect<void>
  /** Ends the stream of updates, and every later call, with this error. */
  readonly fail: (error: Transport.TransportError) => Effect.Effect<void>
}>()("@effect-mtproto/transport/TransportTest") {}

/**
 * The error for a call that the test did not expect.
 *
 * @since 1.0.0
 * @category constructors
 */
export const unexpected = (request: Api.AnyRequest): RpcError.RpcError =>
  new RpcError.RpcError({ code: 400, type: "METHOD_INVALID", method: request._tag })

interface Entry extends Omit<Transport.TransportUpdate, "confirm"> {
  confirmed: boolean
}

/**
 * @since 1.0.0
 * @category layers
 */
export const layer = (handler: Handler): Layer.Layer<Transport.Transport | TransportTest> =>
  Layer.effectContext(Effect.gen(function*() {
    let answer = handler
    let failure: Transport.TransportError | undefined
    let entries: Array<Entry> = []
    const requests: Array<Api.AnyRequest> = []
    const confirmed: Array<Api.Update> = []
    const chains = new Map<string, Semaphore.Semaphore>()
    const queue = yield* Queue.unbounded<Transport.TransportUpdate, Transport.TransportError>()

    const deliver = (entry: Entry): void => {
      const confirm = Effect.sync(() => {
        entry.confirmed = true
        while (entries[0]?.confirmed === true) confirmed.push(entries.shift()!.update)
      })
      const { confirmed: _, ...update } = entry
      Queue.offerUnsafe(queue, { ...update, confirm })
    }

    const invoke = (
      request: Api.AnyRequest,
      options: Transport.InvokeOptions = {}
    ): Effect.Effect<unknown, { readonly _tag: string }> =>
      Effect.suspend(() => {
        if (failure !== undefined) return Effect.fail(failure)
        // what cannot be serialised is a mistake of the code under test, so it may throw
        Api.encodeRequest(request)
        requests.push(request)
        const call = Effect.suspend(() => answer(request, options))
        if (options.chain === undefined) return call
        const chain = chains.get(options.chain) ?? Semaphore.makeUnsafe(1)
        chains.set(options.chain, chain)
        return chain.withPermit(call)
      })

    return Context.make(
      Transport.Transport,
      Transport.Transport.of({
        invoke: invoke as Transport.Transport["Service"]["invoke"],
        updates: Stream.fromQueue(queue)
      })
    ).pipe(Context.add(
      TransportTest,
      TransportTest.of({
        push: (update, options) =>
          Effect.sync(() => {
            const { chats, date = 0, users = [] } = options ?? {}
            const entry = { update, date, users, ...chats === undefined ? {} : { chats }, confirmed: false }
            entries.push(entry)
            deliver(entry)
          }),
        requests: Effect.sync(() => [...requests]),
        confirmed: Effect.sync(() => [...confirmed]),
        handle: (next) =>
          Effect.sync(() => {
            answer = next
          }),
        restart: Effect.gen(function*() {
          yield* Effect.ignore(Queue.clear(queue))
          entries = entries.map((entry) => ({ ...entry, confirmed: false }))
          for (const entry of entries) deliver(entry)
        }),
        fail: (error) =>
          Effect.suspend(() => {
            failure = error
            return Queue.fail(queue, error)
          })
      })
    ))
  }))
