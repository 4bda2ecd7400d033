/**
 * The native MTProto client as a `Transport`.
 *
 * ```ts
 * const TransportLayer = MtprotoTransport.layer({ apiId, apiHash }).pipe(
 *   Layer.provide(SessionStore.layerSql()),
 *   Layer.provide(SqlVault.layer({ passphrase })),
 *   Layer.provide(SqliteClient.layer({ filename })),
 *   Layer.provide(NodeCrypto.layer)
 * )
 * ```
 *
 * - The connection is made in the background and made again, with growing and
 *   jittered pauses, for as long as the layer lives; calls wait for it. A dead
 *   network is noticed within 15 seconds.
 * - Keys, salts and the state of updates are kept in the `SessionStore`.
 * - Before a login only a few methods are allowed; see `Login`. Once logged in,
 *   updates flow: what was missed is fetched first.
 * - When the server moves the account to another data centre, so does the client.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import { Abridged } from "@effect-mtproto/core/framing/Abridged"
import { Full } from "@effect-mtproto/core/framing/Full"
import { Intermediate } from "@effect-mtproto/core/framing/Intermediate"
import { PaddedIntermediate } from "@effect-mtproto/core/framing/PaddedIntermediate"
import { lend, release } from "@effect-mtproto/core/Memory"
import * as RpcError from "@effect-mtproto/core/RpcError"
import { isTlError } from "@effect-mtproto/core/TlError"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type * as Calls from "./Calls.ts"
import * as Datacenter from "./Datacenter.ts"
import * as Bytes from "./internal/bytes.ts"
import * as Datacenters from "./internal/datacenters.ts"
import * as DcClient from "./internal/dcClient.ts"
import * as Gzip from "./internal/gzip.ts"
import * as Service from "./internal/service.ts"
import * as Methods from "./Methods.ts"
import type * as Proxy from "./Proxy.ts"
import * as ServerKeys from "./ServerKeys.ts"
import * as Session from "./Session.ts"
import { type Account, orTransportError, SessionStore } from "./SessionStore.ts"
import { type InvokeOptions, millisOf, Transport, TransportError, type TransportUpdate } from "./Transport.ts"
import * as UpdatesDriver from "./UpdatesDriver.ts"

/**
 * What the server is told about this program. Users see it in the list of their
 * devices.
 *
 * @since 1.0.0
 * @category models
 */
export interface Device {
  readonly deviceModel: string
  readonly systemVersion: string
  readonly appVersion: string
  readonly systemLangCode: string
  readonly langCode: string
}

/**
 * Everything but the first two has a default.
 *
 * @since 1.0.0
 * @category models
 */
export interface Options {
  /** From https://my.telegram.org. */
  readonly apiId: number
  readonly apiHash: Redacted.Redacted<string>
  /** Telegram's test servers instead of the production ones: other addresses, keys and accounts. */
  readonly testServers?: boolean | undefined
  /**
   * The addresses of the servers. Several of one data centre are tried in turn; data centres that are not among them
   * are asked for when they are needed. Default: Telegram's, over IPv4.
   */
  readonly datacenters?: ReadonlyArray<Datacenter.Datacenter> | undefined
  /** The data centre to begin with when the store knows none. Default: the second of Telegram's, else the first given. */
  readonly dc?: number | undefined
  /** The RSA keys of the servers, as PEM or read. Default: Telegram's. */
  readonly publicKeys?: ReadonlyArray<string | RsaPublicKey.RsaPublicKey> | undefined
  readonly device?: Partial<Device> | undefined
  /** Hides MTProto from filters on the way. Default: true. */
  readonly obfuscated?: boolean | undefined
  /**
   * How packets are cut out of the stream. `full` is never obfuscated, so `obfuscated` has to be `false` for it.
   * Default: `intermediate`.
   */
  readonly framing?: "abridged" | "intermediate" | "padded" | "full" | undefined
  /** What stands between this program and the servers. MTProto proxies are always obfuscated. */
  readonly proxy?: Proxy.Proxy | undefined
  /**
   * Forward secrecy on the way to the server: what is sent is encrypted with keys that live a day at most and are never
   * stored, so that whoever gets hold of the store cannot read what was recorded before. Costs a second key exchange at
   * every start. Default: false. The life of the keys is a day unless given.
   */
  readonly forwardSecrecy?: boolean | { readonly keyLife: Duration.Input } | undefined
  /** How long a call may take. Default: 60 seconds. */
  readonly callTimeout?: Duration.Input | undefined
  /** Flood waits up to this are waited for. Default: 30 seconds. */
  readonly floodWaitLimit?: Duration.Input | undefined
  /** How many calls may be with the server at the same time; others wait their turn. Default: 512. */
  readonly maxInFlight?: number | undefined
  /** How often a call is tried again after an internal error of the server. Default: 5. */
  readonly maxRetries?: number | undefined
  /** The pause before the first of these; it doubles. Default: 1 second. */
  readonly retryDelay?: Duration.Input | undefined
  /** How long opening a connection may take. Default: 10 seconds. */
  readonly openTimeout?: Duration.Input | undefined
  /** How long agreeing on a key may take. Default: 20 seconds. */
  readonly exchangeTimeout?: Duration.Input | undefined
  /** The longest pause between two connections. Default: 30 seconds. */
  readonly maxBackoff?: Duration.Input | undefined
  /** A ping is sent after this long without a packet from the server. Default: 7 seconds. */
  readonly pingInterval?: Duration.Input | undefined
  /** The connection is dead if nothing came for this long after a ping. Default: 7 seconds. */
  readonly pongTimeout?: Duration.Input | undefined
  /** The server is asked about a call that is unanswered for this long. Default: 2 seconds. */
  readonly stateCheck?: Duration.Input | undefined
  /**
   * The kinds of updates that are delivered, such as `Updates.ofSecretChats`. The others are counted, so that nothing is
   * missed, but neither kept nor read. Default: all.
   */
  readonly updates?: ReadonlyArray<Api.Update["_tag"]> | undefined
  /** How many updates may wait for their confirmation. Default: 1024. */
  readonly maxUnconfirmed?: number | undefined
  /** More missed changes of the ordinary message box than this are skipped, not fetched. Default: 1000. */
  readonly maxMissed?: number | undefined
}

/**
 * The client behind the transport, for what is more than calls and updates.
 *
 * @since 1.0.0
 * @category services
 */
export class MtprotoTransport extends Context.Service<MtprotoTransport, {
  readonly invoke: Transport["Service"]["invoke"]
  readonly updates: Stream.Stream<TransportUpdate, TransportError>
  readonly apiId: number
  readonly apiHash: Redacted.Redacted<string>
  /** Where the account lives, and whose it is; `userId` is absent while nobody is logged in. */
  readonly account: Effect.Effect<Account>
  /** The server has accepted a login of this user: it is remembered, and updates begin to flow. `Login` does this. */
  readonly signedIn: (userId: bigint) => Effect.Effect<void, TransportError>
  /** What the clock of the server shows, in milliseconds of unix time. */
  readonly serverTime: Effect.Effect<number>
  /** Moves to another data centre, as the server asks for while nobody is logged in. `Login` does this. */
  readonly moveTo: (dc: number) => Effect.Effect<void, TransportError>
  /** Calls the listener when another device has accepted a login token, until the returned function is called. */
  readonly onLoginToken: (listener: () => void) => () => void
  /** The login has ended: the keys are forgotten, and a new one is agreed on. `Login` does this. */
  readonly signedOut: Effect.Effect<void, TransportError>
}>()("@effect-mtproto/transport/MtprotoTransport") {}

const device: Device = {
  deviceModel: "effect-mtproto",
  systemVersion: "Node.js",
  appVersion: "0.1.0",
  systemLangCode: "en",
  langCode: "en"
}

const DAY = 86_400_000
const duplicated = new TransportError({
  reason: "duplicated",
  detail: "two programs used the session at the same time, so Telegram has ended it: log in again"
})

const framings = { abridged: Abridged, intermediate: Intermediate, padded: PaddedIntermediate, full: Full }

const TEST_DC = 10_000
const MAX_MIGRATIONS = 3
const MIGRATION = /^(?:PHONE|NETWORK|USER)_MIGRATE_(\d+)$/
const KEPT_ELSEWHERE = /^(?:FILE|STATS)_MIGRATE_(\d+)$/

/**
 * Makes the client. Its fibers live in the scope.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make: (
  options: Options
) => Effect.Effect<MtprotoTransport["Service"], TransportError, Crypto | SessionStore | Scope.Scope> = Effect
  .fnUntraced(
    function*(options) {
      const crypto = yield* Crypto
      const store = yield* SessionStore
      const isTest = options.testServers === true
      const datacenters = options.datacenters ?? (isTest ? Datacenter.test : Datacenter.production)
      const obfuscated = options.obfuscated ?? true
      if (!obfuscated && options.proxy?._tag === "Mtproto") {
        return yield* new TransportError({ reason: "configuration", detail: "MTProto proxies are always obfuscated" })
      }
      if (obfuscated && options.framing === "full") {
        return yield* new TransportError({ reason: "configuration", detail: "the full framing cannot be obfuscated" })
      }
      const usesIpv6 = datacenters.some(({ host }) => host.includes(":"))
      const publicKeys = yield* readKeys(
        crypto,
        options.publicKeys ?? [isTest ? ServerKeys.test : ServerKeys.production]
      )
      const callTimeout = millisOf(options.callTimeout, 60_000)
      const floodWaitLimit = millisOf(options.floodWaitLimit, 30_000)

      // before anything else: a second program would make the server end the login
      const lease = yield* orTransportError(store.lock)
      const stored = yield* orTransportError(store.account)
      const initial = stored?.dc ?? options.dc ??
        (options.datacenters === undefined ? Datacenter.first : datacenters[0]?.id)
      if (initial === undefined) {
        return yield* new TransportError({ reason: "configuration", detail: "no data centre is configured" })
      }
      let userId = stored?.userId
      const loginListeners = new Set<() => void>()

      let updates: UpdatesDriver.UpdatesDriver | undefined
      const makeClient = (place: Datacenters.Place) =>
        DcClient.make({
          crypto,
          store,
          id: place.id,
          addresses: place.addresses,
          publicKeys,
          wireDc: place.id + (isTest ? TEST_DC : 0),
          obfuscated,
          framing: options.framing && framings[options.framing],
          proxy: options.proxy,
          temporaryKeys: options.forwardSecrecy === undefined || options.forwardSecrecy === false
            ? undefined
            : Math.floor(
              millisOf(options.forwardSecrecy === true ? undefined : options.forwardSecrecy.keyLife, DAY) / 1_000
            ),
          header: writeHeader(options),
          limits: {
            pingInterval: millisOf(options.pingInterval, Session.defaultLimits.pingInterval),
            pongTimeout: millisOf(options.pongTimeout, Session.defaultLimits.pongTimeout),
            stateCheck: millisOf(options.stateCheck, Session.defaultLimits.stateCheck)
          },
          calls: {
            maxInFlight: options.maxInFlight ?? 512,
            maxRetries: options.maxRetries ?? 5,
            retryDelay: millisOf(options.retryDelay, 1_000)
          },
          openTimeout: millisOf(options.openTimeout, 10_000),
          exchangeTimeout: millisOf(options.exchangeTimeout, 20_000),
          maxBackoff: millisOf(options.maxBackoff, 30_000),
          // a login that was carried over to another data centre can be carried over again
          isLoggedIn: () => place.isMain && userId !== undefined,
          onUpdate: (body) => {
            if (!place.isMain) return
            if (userId === undefined && isLoginToken(body)) { for (const listener of loginListeners) listener() }
            updates?.onBody(body)
          },
          onReconnect: () => place.isMain && updates?.onReconnect(),
          onSessionCreated: () => place.isMain && updates?.onSessionCreated(),
          onFatal: (error) => place.isMain ? updates?.fail(error) : place.onFatal()
        })

      const pool = yield* orTransportError(Datacenters.make({
        datacenters,
        initial,
        makeClient,
        fetch: (client) =>
          Effect.orElseSucceed(
            Effect.map(
              ask(client, Api.help.getConfig()),
              (config) => Datacenters.addressesOf(config, { ipv6: usesIpv6, obfuscated })
            ),
            () => []
          ),
        save: (dc) => store.setAccount(userId === undefined ? { dc } : { dc, userId })
      }))

      /** Carries the login over to another data centre. */
      const carryOver = Effect.fnUntraced(function*(dc: number, client: DcClient.DcClient) {
        for (let attempt = 1;; attempt++) {
          const { bytes, id } = yield* ask(pool.main(), Api.auth.exportAuthorization({ dcId: dc }))
          const imported = yield* Effect.result(ask(client, Api.auth.importAuthorization({ id, bytes })))
          if (Result.isSuccess(imported)) return
          const error = imported.failure
          // what was exported is good for a short time only
          const isLate = error._tag === "ServerError" && error.text === "AUTH_BYTES_INVALID"
          if (!isLate || attempt >= MAX_MIGRATIONS) return yield* Effect.fail(error)
        }
      })
      const carrying = yield* Semaphore.make(1)

      /** One call at another data centre than the account's. */
      const callAt = <A>(
        dc: number,
        init: Calls.Init,
        read: Read<A>
      ): Effect.Effect<A, DcClient.ServerError | TransportError> => {
        if (dc === pool.mainId()) return call(init, read, 0)
        const quiet = { ...init, body: Service.withoutUpdates(init.body) }
        return Effect.tap(
          Effect.flatMap(
            orTransportError(pool.side(dc)),
            (client) =>
              Effect.catchTag(client.call(quiet, read), "ServerError", (error) => {
                if (userId === undefined || error.text !== "AUTH_KEY_UNREGISTERED") return Effect.fail(error)
                // of many calls that find this out at the same time, one does it
                return carrying.withPermit(Effect.catchTag(client.call(quiet, read), "ServerError", (again) =>
                  again.text === "AUTH_KEY_UNREGISTERED"
                    ? Effect.andThen(carryOver(dc, client), client.call(quiet, read))
                    : Effect.fail(again)))
              })
          ),
          () => Effect.sync(() => discard(quiet.body))
        )
      }

      /** One call, wherever the server sends us for it. */
      const call = <A>(
        init: Calls.Init,
        read: Read<A>,
        migrations: number,
        at?: number
      ): Effect.Effect<A, DcClient.ServerError | TransportError> =>
        Effect.catch(pool.main().call(init, read, at), (error) => {
          if (error._tag !== "ServerError") return Effect.fail(error)
          const dc = error.code === 303 && migrations < MAX_MIGRATIONS ? MIGRATION.exec(error.text)?.[1] : undefined
          if (dc !== undefined) {
            return Effect.andThen(orTransportError(pool.migrate(Number(dc))), () => call(init, read, migrations + 1))
          }
          const kept = error.code === 303 ? KEPT_ELSEWHERE.exec(error.text)?.[1] : undefined
          if (kept !== undefined && Number(kept) !== pool.mainId()) {
            // of a data centre that we cannot reach, the server's own word says more
            return Effect.catchTag(
              callAt(Number(kept), init, read),
              "TransportError",
              (problem) => Effect.fail(problem.reason === "configuration" ? error : problem)
            )
          }
          if (error.text === Methods.DUPLICATED) {
            updates?.fail(duplicated)
            return Effect.fail(duplicated)
          }
          if (userId !== undefined && Methods.isLoggedOut(error.text)) {
            updates?.fail(
              new TransportError({ reason: "unauthorized", detail: `the login has ended on the server: ${error.text}` })
            )
          }
          return Effect.fail(error)
        })

      const onResult = (result: Api.Updates) => updates?.onResult(result)

      const invoke: MtprotoTransport["Service"]["invoke"] = <const M extends Api.AnyRequest>(
        request: M,
        invokeOptions: InvokeOptions = {}
      ) =>
        // which errors a method documents is known to its type only
        Effect.withFiber((fiber) => {
          const body = encode(request, invokeOptions.withoutUpdates === true)
          if (body instanceof TransportError) return Effect.fail(body)
          const method = Api.methodOf(request)
          const timeout = millisOf(invokeOptions.timeout, callTimeout)
          const at = pool.main().now()
          const init = {
            body,
            repeatable: invokeOptions.repeatable ?? Methods.isRepeatable(method.tag),
            chain: invokeOptions.chain,
            floodWaitLimit: millisOf(invokeOptions.floodWaitLimit, floodWaitLimit),
            deadline: at + timeout
          }
          const { dc } = invokeOptions
          const read = (bytes: Uint8Array) => {
            // who calls may be the last to read it
            lend(bytes)
            discard(body)
            if (invokeOptions.release !== undefined) { for (const array of invokeOptions.release) release(array) }
            return decode(request, bytes, onResult)
          }
          const answered = Effect.catch(
            dc === undefined ? call(init, read, 0, at) : callAt(dc, init, read),
            (error) => Effect.fail(toError(method, error))
          )
          // a span costs as much as all the rest, and without a tracer nobody sees it
          return Context.getOrUndefined(fiber.context, Tracer.Tracer) === undefined ? answered : answered.pipe(
            Effect.withSpan("MtprotoTransport.invoke", { kind: "client", attributes: { method: method.tag } }, {
              captureStackTrace: false
            })
          )
        }) as ReturnType<typeof invoke<M>>

      updates = yield* UpdatesDriver.make({
        store,
        now: () => pool.main().now(),
        getState: invoke(Api.updates.getState()),
        getDifference: ({ date, pts, qts }) =>
          invoke(Api.updates.getDifference({ pts, date, qts, ptsTotalLimit: options.maxMissed ?? 1_000 })),
        receivedQueue: (maxQts) => invoke(Api.messages.receivedQueue({ maxQts })),
        options: {
          ...(options.maxUnconfirmed === undefined ? {} : { window: options.maxUnconfirmed }),
          wanted: options.updates && new Set(options.updates)
        }
      })
      if (userId !== undefined) updates.start(yield* orTransportError(store.updateState))

      const driver = updates
      yield* Effect.forkScoped(Effect.catch(orTransportError(lease.lost), (error) =>
        Effect.sync(() => {
          pool.giveUp(error)
          driver.fail(error)
        })))
      return MtprotoTransport.of({
        invoke,
        updates: driver.stream,
        apiId: options.apiId,
        apiHash: options.apiHash,
        account: Effect.sync(() => userId === undefined ? { dc: pool.mainId() } : { dc: pool.mainId(), userId }),
        signedIn: (user) =>
          Effect.gen(function*() {
            yield* orTransportError(store.setAccount({ dc: pool.mainId(), userId: user }))
            userId = user
            driver.start(undefined)
          }),
        serverTime: Effect.sync(() => pool.main().serverNow()),
        moveTo: (dc) => orTransportError(pool.migrate(dc)),
        onLoginToken: (listener) => {
          // one of its own, so that the same function can be given twice
          const own = () => listener()
          loginListeners.add(own)
          return () => loginListeners.delete(own)
        },
        signedOut: Effect.gen(function*() {
          driver.stop()
          userId = undefined
          yield* orTransportError(store.clear)
          yield* orTransportError(pool.reopen)
        })
      })
    }
  )

/**
 * The client as a `Transport`, and as itself for `Login`.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<Transport | MtprotoTransport, TransportError, Crypto | SessionStore> =>
  Layer.effectContext(Effect.map(make(options), (client) =>
    Context.make(MtprotoTransport, client).pipe(
      Context.add(Transport, Transport.of({ invoke: client.invoke, updates: client.updates }))
    )))

/**
 * `layer` with options from the configuration. See `config` for a ready one.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<Transport | MtprotoTransport, TransportError | Config.ConfigError, Crypto | SessionStore> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))

/**
 * Options from the environment: `TELEGRAM_API_ID`, `TELEGRAM_API_HASH`, and
 * `TELEGRAM_TEST_SERVERS` (false unless given).
 *
 * @since 1.0.0
 * @category configuration
 */
export const config: Config.Config<Options> = Config.all({
  apiId: Config.Int("TELEGRAM_API_ID"),
  apiHash: Config.Redacted("TELEGRAM_API_HASH"),
  testServers: Config.withDefault(Config.Boolean("TELEGRAM_TEST_SERVERS"), false)
})

// ----- parts

type Read<A> = (result: Uint8Array) => Effect.Effect<A, TransportError>

const readKeys = Effect.fnUntraced(
  function*(crypto: Crypto["Service"], keys: ReadonlyArray<string | RsaPublicKey.RsaPublicKey>) {
    const out: Array<RsaPublicKey.RsaPublicKey> = []
    for (const key of keys) {
      if (typeof key !== "string") {
        out.push(key)
        continue
      }
      const read = RsaPublicKey.fromPem(crypto, key)
      if (Result.isFailure(read)) {
        return yield* new TransportError({ reason: "configuration", detail: read.failure.message })
      }
      out.push(read.success)
    }
    return out
  }
)

/** `invokeWithLayer` and `initConnection` as they stand before a query. */
const writeHeader = (options: Options): Uint8Array => {
  const init = Api.wrap(
    Api.initConnection,
    { ...device, ...options.device, apiId: options.apiId, langPack: "" },
    new Uint8Array(0)
  )
  return Api.wrap(Api.invokeWithLayer, { layer: Api.layer }, init)
}

/** `updateShort` with `updateLoginToken`. */
const isLoginToken = (body: Uint8Array): boolean =>
  body.length === 12 && Bytes.readInt(body, 0) === UPDATE_SHORT &&
  Bytes.readInt(body, 4) === UPDATE_LOGIN_TOKEN

const UPDATE_SHORT = 0x78d4dec1
const UPDATE_LOGIN_TOKEN = 0x564fe691

/** A call of the client's own. */
const ask = <const M extends Api.AnyRequest>(
  client: DcClient.DcClient,
  request: M
): Effect.Effect<Api.Response<M>, DcClient.ServerError | TransportError> =>
  client.call({
    body: Api.encodeRequest(request),
    repeatable: Methods.isRepeatable(request._tag),
    floodWaitLimit: OWN_TIMEOUT,
    deadline: client.now() + OWN_TIMEOUT
  }, (bytes) => decode(request, bytes, () => {}))

const OWN_TIMEOUT = 30_000

/** Smaller requests share such a buffer with others. */
const SHARED_BUFFER = 65_536
/** What is written into a large buffer of its own leaves so much of it free, at most. */
const WRITER_SLACK = 2_048

/** Gives back the memory of a request that we have written. */
const discard = (body: Uint8Array): void => {
  if (body.buffer.byteLength > SHARED_BUFFER) release(body, WRITER_SLACK)
}

const encode = (request: Api.AnyRequest, withoutUpdates: boolean): Uint8Array | TransportError => {
  const method = request._tag
  let plain: Uint8Array
  try {
    plain = Api.encodeRequest(request)
  } catch (error) {
    if (!isTlError(error)) throw error
    return new TransportError({ reason: "invalid-request", detail: error.message, method })
  }
  const deflated = Methods.isCompressible(method) ? Gzip.deflate(plain) : undefined
  const packed = deflated === undefined ? plain : Service.writePacked(deflated)
  const body = withoutUpdates ? Service.withoutUpdates(packed) : packed
  return body.length <= Session.MAX_BODY ? body : new TransportError({
    reason: "too-large",
    detail: `a request of ${body.length} bytes, at most ${Session.MAX_BODY} are possible`,
    method
  })
}

const decode = <M extends Api.AnyRequest>(
  request: M,
  bytes: Uint8Array,
  onUpdates: (updates: Api.Updates) => void
): Effect.Effect<Api.Response<M>, TransportError> => {
  try {
    const result = Api.decodeResponse(request, bytes)
    if (Methods.isUpdates(result)) onUpdates(result)
    return Effect.succeed(result)
  } catch (error) {
    if (!isTlError(error)) throw error
    return Effect.fail(
      new TransportError({
        reason: "protocol",
        detail: "the answer cannot be read",
        method: request._tag,
        cause: error
      })
    )
  }
}

const toError = (method: Api.AnyMethod, error: DcClient.ServerError | TransportError) => {
  if (error._tag === "TransportError") return new TransportError({ ...error, method: method.tag })
  const documented = RpcError.fromServer({ method, code: error.code, message: error.text })
  // a migration that could not be followed is an error like any other
  return RpcError.isMigrate(documented) && !method.errors.some(({ type }) => type.endsWith("_MIGRATE_%d"))
    ? new RpcError.RpcError({ code: documented.code, type: documented.type, method: method.tag })
    : documented
}
