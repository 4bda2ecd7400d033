/**
 * `Transport` over a client of mtcute that a program already has.
 *
 * ```ts
 * const client = new TelegramClient({ apiId, apiHash, storage: "bot.session" })
 * const TransportLayer = MtcuteTransport.layer(client).pipe(Layer.provide(SessionStore.layerSql({ name: "mtcute" })))
 * ```
 *
 * The client stays the program's own: it logs in, reconnects, and goes on working for
 * everything else. The transport sends its calls through it as bytes, and reads what it
 * receives. It connects the client if that has not been done, and never closes it; when
 * the program does (`disconnect`, `destroy`), everything here ends with `closed`.
 *
 * - **Updates.** mtcute drops the encrypted messages of a difference. So the transport
 *   keeps a state of updates of its own and asks for its own differences. The state is in
 *   the `SessionStore`, which has to be another one than that of a native client, and
 *   moves on only with what the consumer has confirmed. While the transport lives, mtcute
 *   is kept from confirming encrypted messages on its own; so build the layer before the
 *   client is connected or started.
 * - **Login.** mtcute's business. Updates begin with it, if it is not done before. When it
 *   has ended on the server, the updates fail with `unauthorized`, and begin again for the
 *   next run of the stream after another login.
 * - **Calls.** Flood waits and internal errors of the server are handled here, by the same
 *   rules as in the native client, not by mtcute's middlewares. The calls of one chain go
 *   one at a time. What must not be executed twice is in mtcute's hands when a connection
 *   breaks: `uncertain` does not happen.
 *
 * It uses tables of mtcute that are public by type and underscored by name, so it is made
 * for 0.30; a client of another layer than `Api.layer` is refused.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import * as RpcError from "@effect-mtproto/core/RpcError"
import { isTlError } from "@effect-mtproto/core/TlError"
import * as Methods from "@effect-mtproto/transport/Methods"
import { MAX_BODY } from "@effect-mtproto/transport/Session"
import { orTransportError, SessionStore } from "@effect-mtproto/transport/SessionStore"
import { type InvokeOptions, millisOf, Transport, TransportError } from "@effect-mtproto/transport/Transport"
import * as UpdatesDriver from "@effect-mtproto/transport/UpdatesDriver"
import type { BaseTelegramClient, TelegramClient, tl } from "@mtcute/node"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Chains from "./internal/chains.ts"
import { interpose } from "./internal/interpose.ts"
import * as Ownership from "./internal/ownership.ts"
import * as RawCalls from "./internal/rawCalls.ts"

/**
 * Everything has a default.
 *
 * @since 1.0.0
 * @category models
 */
export interface Options {
  /** How long a call may take. Default: 60 seconds. */
  readonly callTimeout?: Duration.Input | undefined
  /** Flood waits up to this are waited for. Default: 30 seconds. */
  readonly floodWaitLimit?: Duration.Input | undefined
  /** How often a call is tried again after an internal error of the server. Default: 5. */
  readonly maxRetries?: number | undefined
  /** The pause before the first of these; it doubles. Default: 1 second. */
  readonly retryDelay?: Duration.Input | undefined
  /** The kinds of updates that are delivered, such as `Updates.ofSecretChats`; the others are only counted. Default: all. */
  readonly updates?: ReadonlyArray<Api.Update["_tag"]> | undefined
  /** How many updates may wait for their confirmation. Default: 1024. */
  readonly maxUnconfirmed?: number | undefined
  /** More missed changes of the ordinary message box than this are skipped, not fetched. Default: 1000. */
  readonly maxMissed?: number | undefined
}

/**
 * A client of mtcute's: either of the two that it has, but not the port of one in a worker.
 *
 * @since 1.0.0
 * @category models
 */
export type Client = TelegramClient | BaseTelegramClient

const FLOOD = /^(?:FLOOD_WAIT|FLOOD_PREMIUM_WAIT|SLOWMODE_WAIT|FLOOD_TEST_PHONE_WAIT)_(\d+)$/
/** Internal errors that say something about the call, not about the server's health. */
const MEANT = /^(?:AUTH_RESTART|PERSISTENT_TIMESTAMP_)/
const MAX_FLOOD_WAITS = 5
const MAX_DELAY = 60_000

const closed = new TransportError({ reason: "closed", detail: "the transport was closed" })
const clientClosed = new TransportError({ reason: "closed", detail: "the mtcute client was closed" })
const duplicated = new TransportError({
  reason: "duplicated",
  detail: "two programs used the session at the same time, so Telegram has ended it: log in again"
})
const loggedOut = (type: string) =>
  new TransportError({ reason: "unauthorized", detail: `the login has ended on the server: ${type}` })

/**
 * Makes the transport. It lives in the scope; the client does not end with it.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make: (
  client: Client,
  options?: Options
) => Effect.Effect<Transport["Service"], TransportError, SessionStore | Scope.Scope> = Effect.fnUntraced(
  function*(outer, options = {}) {
    const client = yield* checked(outer)
    const { mt } = client
    const store = yield* SessionStore
    const clock = yield* Clock.Clock
    const scope = yield* Effect.scope
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const callTimeout = millisOf(options.callTimeout, 60_000)
    const floodWaitLimit = millisOf(options.floodWaitLimit, 30_000)
    const retryDelay = millisOf(options.retryDelay, 1_000)
    const maxRetries = options.maxRetries ?? 5
    // two programs on one store would confirm each other's messages
    yield* orTransportError(store.lock)

    let ended: TransportError | undefined
    let connected = client.isConnected
    let usable = connected
    const pending = new Set<(error: TransportError) => void>()
    const chains = Chains.make()

    const end = (error: TransportError): void => {
      if (ended !== undefined) return
      ended = error
      updates.fail(error)
      for (const fail of pending) fail(error)
    }

    // ----- calls

    const send = (tag: string, body: Uint8Array, dc: number | undefined) =>
      Effect.callback<Uint8Array | RawCalls.ErrorAnswer, TransportError>((resume, signal) => {
        if (ended !== undefined) return resume(Effect.fail(ended))
        const finish = (result: Effect.Effect<Uint8Array | RawCalls.ErrorAnswer, TransportError>): void => {
          if (pending.delete(fail)) resume(result)
        }
        const fail = (error: TransportError): void => finish(Effect.fail(error))
        pending.add(fail)
        RawCalls.call(mt, tag, body, {
          abortSignal: signal,
          floodSleepThreshold: 0,
          maxRetryCount: 0,
          ...(dc === undefined ? {} : { dcId: dc })
        }).then(
          (answer) => finish(Effect.succeed(answer)),
          (cause) => {
            if (client.isConnected) {
              fail(new TransportError({ reason: "unreachable", detail: "mtcute has given the call up", cause }))
            } else {
              end(clientClosed)
            }
          }
        )
        return Effect.sync(() => {
          pending.delete(fail)
        })
      })

    const call = Effect.fnUntraced(function*(method: Api.AnyMethod, body: Uint8Array, init: InvokeOptions) {
      const limit = millisOf(init.floodWaitLimit, floodWaitLimit)
      const repeatable = init.repeatable ?? Methods.isRepeatable(method.tag)
      let floods = 0
      let retries = 0
      while (true) {
        const answer = yield* send(method.tag, body, init.dc)
        if (answer instanceof Uint8Array) return answer
        const { errorCode: code, errorMessage: message } = answer
        const flood = FLOOD.exec(message)
        const wait = flood !== null
          // a wait of 0 seconds would make a busy loop
          ? Math.max(1, Number(flood[1])) * 1_000
          : Math.min(retryDelay * 2 ** retries, MAX_DELAY)
        const again = flood !== null
          ? wait <= limit && ++floods <= MAX_FLOOD_WAITS
          : repeatable && (code >= 500 || code < 0) && !MEANT.test(message) && ++retries <= maxRetries
        if (!again) return yield* Effect.fail(RpcError.fromServer({ method, code, message }))
        yield* Effect.sleep(wait)
      }
    })

    const invoke: Transport["Service"]["invoke"] = <const M extends Api.AnyRequest>(
      request: M,
      init: InvokeOptions = {}
    ) =>
      // which errors a method documents is known to its type only
      Effect.suspend(() => {
        const body = encode(request, init.withoutUpdates === true)
        if (body instanceof TransportError) return Effect.fail(body)
        const method = Api.methodOf(request)
        const answered = call(method, body, init)
        return (init.chain === undefined ? answered : chains.behind(init.chain, answered)).pipe(
          Effect.flatMap((bytes) => RawCalls.readResult(request, bytes)),
          Effect.tap((result) => Effect.sync(() => Methods.isUpdates(result) && updates.onResult(result))),
          Effect.timeoutOrElse({
            duration: millisOf(init.timeout, callTimeout),
            orElse: () =>
              Effect.fail(
                usable
                  ? new TransportError({ reason: "timeout", detail: "the server did not answer in time" })
                  : new TransportError({ reason: "unreachable", detail: "no connection to the server in time" })
              )
          }),
          Effect.mapError((error) =>
            error._tag === "TransportError" ? new TransportError({ ...error, method: method.tag }) : error
          ),
          Effect.withSpan("MtcuteTransport.invoke", { kind: "client", attributes: { method: method.tag } }, {
            captureStackTrace: false
          })
        )
      }) as ReturnType<typeof invoke<M>>

    // ----- updates

    const updates = yield* UpdatesDriver.make({
      store,
      now: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
      getState: invoke(Api.updates.getState()),
      getDifference: ({ date, pts, qts }) =>
        invoke(Api.updates.getDifference({ pts, date, qts, ptsTotalLimit: options.maxMissed ?? 1_000 })),
      receivedQueue: (maxQts) => invoke(Api.messages.receivedQueue({ maxQts })),
      options: {
        ...(options.maxUnconfirmed === undefined ? {} : { window: options.maxUnconfirmed }),
        wanted: options.updates && new Set(options.updates)
      }
    })
    const onUpdates = (object: tl.TypeUpdates): void => updates.onBody(RawCalls.serialise(mt, object))

    let isLoggedIn = false
    /** Begins with the updates of the login that mtcute has. */
    const begin = Effect.fnUntraced(function*(userId: number) {
      const dc = mt.network.getPrimaryDcId()
      const key = yield* promised(() => Promise.resolve(mt.storage.provider.authKeys.get(dc)))
      if (key === null) {
        return yield* new TransportError({ reason: "configuration", detail: "mtcute has no key for its login" })
      }
      const digest = new Uint8Array(mt.crypto.sha256(key))
      const state = yield* orTransportError(Ownership.claim(store, { dc, userId: BigInt(userId), digest }))
      isLoggedIn = true
      updates.start(state)
    })

    const onError = ({ errorMessage }: RawCalls.ErrorAnswer): void => {
      if (!isLoggedIn) return
      if (errorMessage === Methods.DUPLICATED) {
        isLoggedIn = false
        updates.fail(duplicated)
      } else if (Methods.isLoggedOut(errorMessage)) {
        isLoggedIn = false
        updates.fail(loggedOut(errorMessage))
      }
    }

    const takeBack = interpose(mt, {
      forgettable: updates.forgettable,
      onUpdates,
      onError,
      onLogin: (userId) => {
        const begins = Effect.catch(begin(userId), (error) => Effect.sync(() => updates.fail(error)))
        fork(Effect.forkIn(begins, scope))
      },
      onLogout: () => {
        isLoggedIn = false
        updates.stop()
      }
    })
    const onUsable = (): void => {
      usable = true
      if (connected) updates.onReconnect()
      connected = true
    }
    const onConnecting = (): void => {
      usable = false
    }
    const onStop = (): void => end(clientClosed)
    mt.onUpdate.add(onUpdates)
    mt.onUsable.add(onUsable)
    mt.onConnecting.add(onConnecting)
    client.stopSignal.addEventListener("abort", onStop)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        takeBack()
        mt.onUpdate.remove(onUpdates)
        mt.onUsable.remove(onUsable)
        mt.onConnecting.remove(onConnecting)
        client.stopSignal.removeEventListener("abort", onStop)
        end(closed)
      })
    )

    yield* promised(() => client.connect())
    const self = yield* promised(() => client.storage.self.fetch())
    if (self !== null && !isLoggedIn) yield* begin(self.userId)

    return Transport.of({ invoke, updates: updates.stream })
  }
)

/**
 * The transport as a layer.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer = (
  client: Client,
  options?: Options
): Layer.Layer<Transport, TransportError, SessionStore> => Layer.effect(Transport, make(client, options))

// ----- parts

const checked = (outer: Client): Effect.Effect<BaseTelegramClient, TransportError> => {
  const refuse = (detail: string) => Effect.fail(new TransportError({ reason: "configuration", detail }))
  const client = ("mt" in outer ? outer : outer._client) as BaseTelegramClient
  if (!("mt" in client)) return refuse("a client in a worker has no network that calls could go through")
  if (client.destroyed || client.stopSignal.aborted) return Effect.fail(clientClosed)
  if (client.mt._layer !== Api.layer) {
    return refuse(`mtcute speaks layer ${client.mt._layer}, this transport ${Api.layer}`)
  }
  if (client.params.disableUpdates === true) return refuse("a client without updates has no secret chats")
  return Effect.succeed(client)
}

const promised = <A>(run: () => Promise<A>): Effect.Effect<A, TransportError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new TransportError({ reason: "unreachable", detail: "mtcute failed to connect", cause })
  })

const encode = (request: Api.AnyRequest, withoutUpdates: boolean): Uint8Array | TransportError => {
  const method = request._tag
  let body: Uint8Array
  try {
    body = Api.encodeRequest(request)
  } catch (error) {
    if (!isTlError(error)) throw error
    return new TransportError({ reason: "invalid-request", detail: error.message, method })
  }
  if (withoutUpdates) body = Api.wrap(Api.invokeWithoutUpdates, {}, body)
  return body.length <= MAX_BODY ? body : new TransportError({
    reason: "too-large",
    detail: `a request of ${body.length} bytes, at most ${MAX_BODY} are possible`,
    method
  })
}
