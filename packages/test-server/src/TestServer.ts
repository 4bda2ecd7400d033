/**
 * A Telegram server in one process, to test programs offline.
 *
 * It speaks real MTProto over TCP and WebSocket on the loopback address: every
 * framing and the obfuscation, the whole key exchange, encrypted sessions with
 * acknowledgements, salts, containers and re-sending. Of the API it has what
 * logging in, messages between two accounts, secret chats, files and updates
 * need, in the layer that a client announces; any other method is answered 400
 * `METHOD_INVALID`, or with what {@link TestServer.answer} was told.
 *
 * ```ts
 * import * as TestServer from "@effect-mtproto/test-server/TestServer"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const server = yield* TestServer.TestServer
 *   yield* server.createAccount({ phone: "+15550001", firstName: "Ann" })
 *   // connect a client to server.host, server.port, trusting server.publicKeys
 *   const code = yield* server.loginCode("+15550001")
 *   yield* server.faults.failNext("messages.sendEncrypted", { code: 420, type: "FLOOD_WAIT_3" })
 *   return code
 * }).pipe(Effect.provide(TestServer.layer()))
 * ```
 *
 * Laws:
 *
 * 1. Every server is its own: accounts, keys, chats, faults. The only thing that
 *    servers share is their RSA key, unless one is given.
 * 2. Time is Effect's `Clock`, so that `TestClock` moves it. Nothing happens by
 *    time alone but what the protocol says: salts, expiry, delays.
 * 3. When `createAccount`, a fault or any other order has returned, it is in
 *    force.
 * 4. What clients send is bounded ({@link Limits}) and cannot stop the server, nor
 *    show one account what belongs to another.
 * 5. Closing the scope breaks off every connection and forgets everything, except
 *    for a server with a database ({@link makeSql}): the next one goes on there.
 *
 * The numbers of messages, chats and accounts are not secret, and neither are the
 * login codes: nothing here protects anything.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Call as Call_ } from "./internal/callLog.ts"
import * as Control from "./internal/control.ts"
import * as DevelopmentKey from "./internal/developmentKey.ts"
import * as Engine from "./internal/engine.ts"
import type { RpcFailure as RpcFailure_ } from "./internal/failure.ts"
import type { HandshakeFault as HandshakeFault_ } from "./internal/faults.ts"
import * as Files from "./internal/files.ts"
import * as KeyExchange from "./internal/keyExchange.ts"
import { defaults as defaultLimits_, type Limits as Limits_ } from "./internal/limits.ts"
import * as Listener from "./internal/listener.ts"
import * as Session from "./internal/session.ts"
import * as Store from "./internal/store.ts"
import * as World from "./internal/world.ts"
import { TestServerError } from "./TestServerError.ts"

// -----------------------------------------------------------------------------
// options
// -----------------------------------------------------------------------------

/**
 * The bounds within which the server stays, whatever clients do.
 *
 * @since 1.0.0
 * @category models
 */
export interface Limits extends Limits_ {}

/**
 * The limits that hold unless others are given: enough for load tests on one
 * machine.
 *
 * @since 1.0.0
 * @category constants
 */
export const defaultLimits: Limits = defaultLimits_

/**
 * How a server is set up. Every field has a default.
 *
 * @since 1.0.0
 * @category models
 */
export interface Options {
  /** The address to listen on; `127.0.0.1` unless given. */
  readonly host?: string | undefined
  /** The port to listen on; any free one unless given. */
  readonly port?: number | undefined
  /** The number of the main data centre; 2 unless given. */
  readonly dcId?: number | undefined
  /**
   * Further data centres, each at a port of its own: accounts can live there, and logins are passed from one to the
   * other, as in production. None unless given.
   */
  readonly otherDcs?: ReadonlyArray<number | { readonly id: number; readonly port: number }> | undefined
  /** Whether it is one of the test data centres: clients then add 10000 to its number. */
  readonly testMode?: boolean | undefined
  /** The RSA private key, as PEM; a published one unless given. */
  readonly privateKey?: string | undefined
  /** The limits that differ from {@link defaultLimits}. */
  readonly limits?: Partial<Limits> | undefined
  /** The engine and its random bytes; `NodeCrypto` unless given. */
  readonly crypto?: Crypto["Service"] | undefined
  /** Told of every call that was answered, for logs. */
  readonly onCall?: ((call: Call) => Effect.Effect<void>) | undefined
}

/**
 * An account to make.
 *
 * @since 1.0.0
 * @category models
 */
export interface AccountOptions {
  /** 5 to 15 digits; a plus sign, blanks, brackets, dots and dashes are ignored. */
  readonly phone: string
  readonly firstName: string
  readonly lastName?: string | undefined
  readonly username?: string | undefined
  /** The number of the user; the next free one unless given. */
  readonly id?: bigint | undefined
  /** The login code; a random one of five digits unless given. */
  readonly code?: string | undefined
  /** Makes the account a bot, which logs in with this token. */
  readonly botToken?: string | undefined
  /** Turns two-step verification on. */
  readonly password?: Redacted.Redacted<string> | string | undefined
  /** What the account sees before it enters the password. */
  readonly passwordHint?: string | undefined
  /** The data centre where it logs in; the main one unless given. Elsewhere it is sent there. */
  readonly dc?: number | undefined
}

/**
 * Where a data centre listens.
 *
 * @since 1.0.0
 * @category models
 */
export interface Datacenter {
  readonly id: number
  readonly host: string
  readonly port: number
}

/**
 * An account of the server.
 *
 * @since 1.0.0
 * @category models
 */
export interface Account {
  readonly id: bigint
  /** Digits only. */
  readonly phone: string
  readonly firstName: string
  readonly lastName?: string
  readonly username?: string
  readonly isBot: boolean
}

// -----------------------------------------------------------------------------
// observation
// -----------------------------------------------------------------------------

/**
 * A call that the server answered: method, decoded request, account, layer, time,
 * and `ok` or the name of the error.
 *
 * @since 1.0.0
 * @category models
 */
export interface Call extends Call_ {}

/**
 * What the server has done, and what it holds.
 *
 * @since 1.0.0
 * @category models
 */
export interface Counters extends Readonly<World.Counters> {
  readonly connections: number
  readonly sessions: number
  readonly keys: number
  readonly chats: number
  readonly fileBytes: number
}

/**
 * An ordinary message of an account.
 *
 * @since 1.0.0
 * @category models
 */
export interface Message {
  /** Its number, which is the account's own: the other one has another for the same message. */
  readonly id: number
  /** Phone numbers: who sent it, and the other account; the own one for saved messages. */
  readonly from: string
  readonly with: string
  readonly text: string
  /** Seconds of unix time. */
  readonly date: number
  readonly file?: Uint8Array
}

/**
 * A secret chat, as the server knows it.
 *
 * @since 1.0.0
 * @category models
 */
export interface SecretChat {
  readonly id: number
  readonly state: "requested" | "accepted" | "discarded"
  /** Phone numbers. */
  readonly initiator: string
  readonly participant: string
}

/**
 * A login of an account.
 *
 * @since 1.0.0
 * @category models
 */
export interface Device {
  /** As in `account.getAuthorizations`. */
  readonly hash: bigint
  /** The number of the last encrypted message that was sent to it. */
  readonly qts: number
  readonly unconfirmedMessages: number
  readonly unconfirmedUpdates: number
  readonly sessions: number
  /** How many of the sessions are connected. */
  readonly connections: number
  /** Messages of the server that wait for acknowledgement. */
  readonly unacknowledged: number
}

// -----------------------------------------------------------------------------
// faults
// -----------------------------------------------------------------------------

/**
 * Which value of the key exchange the server gets wrong, or which step it refuses
 * with -404. `dhGen.retry` and `dhGen.fail` are answers that the protocol allows.
 *
 * @since 1.0.0
 * @category models
 */
export type HandshakeFault = HandshakeFault_

/**
 * How often a fault strikes, and whom.
 *
 * @since 1.0.0
 * @category models
 */
export interface FaultOptions {
  /** Once unless given. */
  readonly times?: number | undefined
  /** A phone number: strike only this account. Calls before login belong to none. */
  readonly account?: string | undefined
}

/**
 * A method: its name, or the function of `Api`.
 *
 * @since 1.0.0
 * @category models
 */
export type Method = string | Api.AnyMethod

/**
 * What the server can be told to do wrong. An order is used up by the calls or
 * packets that it spoils; orders for the same call are used in the order in which
 * they were given.
 *
 * Orders that name an account fail with {@link TestServerError} if there is none.
 *
 * @since 1.0.0
 * @category models
 */
export interface Faults {
  /** The next call is answered with an error, and not executed. */
  readonly failNext: (
    method: Method,
    error: FaultOptions & { readonly code: number; readonly type: string }
  ) => Effect.Effect<void, TestServerError>
  /** The next call is executed, but its answer is kept back until the client asks for it or connects again. */
  readonly dropAnswer: (method: Method, options?: FaultOptions) => Effect.Effect<void, TestServerError>
  /** The next call is executed late. After a second or more it is acknowledged first. */
  readonly delayNext: (
    method: Method,
    duration: Duration.Input,
    options?: FaultOptions
  ) => Effect.Effect<void, TestServerError>
  /** The answer to the next call is sent twice, as the same message. */
  readonly duplicateAnswer: (method: Method, options?: FaultOptions) => Effect.Effect<void, TestServerError>
  /** In place of the next answer `msg_detailed_info` is sent; the answer follows when it is asked for. */
  readonly announceAnswer: (method: Method, options?: FaultOptions) => Effect.Effect<void, TestServerError>
  /** The connection breaks before the next call is executed, or after, but before it is answered. */
  readonly disconnectOn: (
    method: Method,
    when: "before" | "after",
    options?: FaultOptions
  ) => Effect.Effect<void, TestServerError>
  /** Breaks off all connections, or those of one account. Returns how many. */
  readonly dropConnections: (phone?: string) => Effect.Effect<number, TestServerError>
  /** The next packet is refused for its salt, whatever that is. */
  readonly badServerSalt: (options?: FaultOptions) => Effect.Effect<void, TestServerError>
  /** The next packet is refused with this code of `bad_msg_notification`. */
  readonly badMessage: (code: number, options?: FaultOptions) => Effect.Effect<void, TestServerError>
  /** The next encrypted packet, of whomever, is answered with a transport error (-404, -429), and the connection closed. */
  readonly transportError: (code: number, options?: { readonly times?: number }) => Effect.Effect<void>
  /** The next key exchange that gets so far is spoiled. */
  readonly handshake: (fault: HandshakeFault, options?: { readonly times?: number }) => Effect.Effect<void>
  /** The sessions of an account are forgotten; the next packet of each is answered with `new_session_created`. */
  readonly forgetSessions: (phone: string) => Effect.Effect<void, TestServerError>
  /** The next encrypted message to an account has a `qts` that is so much too high. */
  readonly qtsGap: (phone: string, by?: number) => Effect.Effect<void, TestServerError>
  /** So many encrypted messages to an account are queued, but not pushed. */
  readonly dropUpdates: (phone: string, count?: number) => Effect.Effect<void, TestServerError>
  /**
   * So many updates to an account come late: each after the next message of its session, whatever that is. Answers come
   * in another order with `delayNext`.
   */
  readonly reorder: (phone: string, count?: number) => Effect.Effect<void, TestServerError>
  /** Sends `updatesTooLong` to an account in place of all updates that are on their way. */
  readonly updatesTooLong: (phone: string) => Effect.Effect<void, TestServerError>
  /** The next call of `updates.getDifference` is answered with `updates.differenceTooLong`. */
  readonly differenceTooLong: (times?: number) => Effect.Effect<void>
  /** Differences have at most so many messages and updates, so that they come in slices; `undefined` lifts it. */
  readonly differenceLimit: (limit: number | undefined) => Effect.Effect<void>
  /**
   * Puts the server's clock ahead by so many milliseconds, or behind if negative. The message identifiers of a session
   * never go back, so a clock that is put back shows in new sessions only.
   */
  readonly clockSkew: (millis: number) => Effect.Effect<void>
  /** Which results are compressed: those it pays for (the default), all, or none. */
  readonly gzip: (mode: "auto" | "always" | "never") => Effect.Effect<void>
  /** Whether plain answers carry random bytes after their object (the default, as in production). */
  readonly trailingBytes: (enabled: boolean) => Effect.Effect<void>
  /** Whether messages that are ready together travel in one container (the default). */
  readonly containers: (enabled: boolean) => Effect.Effect<void>
  /** Switches checks of incoming messages: age, salt, sequence numbers. All are on by default. */
  readonly acceptance: (checks: {
    readonly time?: boolean
    readonly salt?: boolean
    readonly sequence?: boolean
  }) => Effect.Effect<void>
  /** Takes back every order that has not been used up. Modes stay. */
  readonly clear: Effect.Effect<void>
}

/**
 * An error in place of a result, as `rpc_error` on the wire.
 *
 * @since 1.0.0
 * @category models
 */
export interface RpcFailure extends RpcFailure_ {}

// -----------------------------------------------------------------------------
// the service
// -----------------------------------------------------------------------------

/**
 * A running server.
 *
 * @since 1.0.0
 * @category services
 */
export class TestServer extends Context.Service<TestServer, {
  readonly host: string
  readonly port: number
  readonly dcId: number
  /** All data centres, the main one first. */
  readonly datacenters: ReadonlyArray<Datacenter>
  readonly testMode: boolean
  /** What a client has to trust. */
  readonly publicKeys: ReadonlyArray<RsaPublicKey.RsaPublicKey>
  /** The same, as PEM. */
  readonly publicKeyPem: string

  /** Makes an account. Accounts are made here only: clients cannot sign up. */
  readonly createAccount: (options: AccountOptions) => Effect.Effect<Account, TestServerError>
  /** The account with a phone number. */
  readonly account: (phone: string) => Effect.Effect<Account, TestServerError>
  /** The code by which a phone number logs in. It stays the same; numbers without an account have one too. */
  readonly loginCode: (phone: string) => Effect.Effect<string, TestServerError>
  /** Turns two-step verification of an account on, changes the password, or turns it off. */
  readonly setPassword: (
    phone: string,
    password: Redacted.Redacted<string> | string | undefined,
    hint?: string
  ) => Effect.Effect<void, TestServerError>
  /** Deletes an account: its logins end, its chats stay as they are, and messages to it fail with `USER_DELETED`. */
  readonly deleteAccount: (phone: string) => Effect.Effect<void, TestServerError>
  /** Ends all logins of an account: its calls fail with `AUTH_KEY_UNREGISTERED`, its secret chats are closed. */
  readonly logOut: (phone: string) => Effect.Effect<void, TestServerError>
  /** Writes down what has changed, now; a server without a database has nothing to write to. */
  readonly save: Effect.Effect<void, TestServerError>
  /** Sends an ordinary message, as if a client of `from` had sent it. Both are phone numbers. */
  readonly sendMessage: (from: string, to: string, text: string) => Effect.Effect<void, TestServerError>
  /** The ordinary messages of an account, oldest first. */
  readonly messages: (phone: string) => Effect.Effect<ReadonlyArray<Message>, TestServerError>
  /** Answers a method that the server does not have, or in place of the answer that it has. */
  readonly answer: <M extends Api.AnyMethod>(
    method: M,
    respond: (params: Api.Params<M>) => Api.Response<M> | RpcFailure
  ) => Effect.Effect<void>

  /** The calls that are remembered, oldest first. */
  readonly calls: (method?: Method) => Effect.Effect<ReadonlyArray<Call>>
  /** How often a method has been called, since the start or the last `clearCalls`. */
  readonly callCount: (method: Method) => Effect.Effect<number>
  readonly clearCalls: Effect.Effect<void>
  /** Waits until a method has been called so often in all, once unless given. */
  readonly awaitCalls: (method: Method, count?: number) => Effect.Effect<ReadonlyArray<Call>>
  readonly counters: Effect.Effect<Counters>
  readonly secretChats: Effect.Effect<ReadonlyArray<SecretChat>>
  /** The logins of an account. */
  readonly devices: (phone: string) => Effect.Effect<ReadonlyArray<Device>, TestServerError>

  readonly faults: Faults
}>()("@effect-mtproto/test-server/TestServer") {}

/**
 * An error in place of a result, for the functions given to `TestServer.answer`.
 *
 * @since 1.0.0
 * @category constructors
 */
export const rpcError: (code: number, type: string) => RpcFailure = Control.failure

const SWEEP = "30 seconds"
const SAVE = "1 second"

/**
 * Starts a server, which runs until the scope closes.
 *
 * Fails with {@link TestServerError} if the address cannot be listened on or the
 * RSA key cannot be used.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make: (
  options?: Options
) => Effect.Effect<TestServer["Service"], TestServerError, Scope.Scope> = Effect.fn("TestServer.make")(
  (options) => start(options ?? {}, undefined)
)

/**
 * Starts a server that keeps its state in a database: it goes on where the last one stopped, and clients notice no
 * more than that their connections broke.
 *
 * Kept are accounts, keys, logins, sessions, secret chats, updates that wait, messages and files; not kept are faults,
 * the log of calls, and what answers methods. It is written once a second if something has changed, and when the scope
 * closes; what happened after the last time is lost if the process is killed. Give the same `port` and `privateKey`
 * again.
 *
 * The database has to be one of SQLite, and one server may use it at a time. Fails with {@link TestServerError} if
 * what is in it cannot be read.
 *
 * @since 1.0.0
 * @category constructors
 */
export const makeSql: (
  options?: Options
) => Effect.Effect<TestServer["Service"], TestServerError, Scope.Scope | SqlClient.SqlClient> = Effect.fn(
  "TestServer.makeSql"
)(
  function*(options) {
    return yield* start(options ?? {}, yield* SqlClient.SqlClient)
  }
)

const storeFailed = (error: unknown): TestServerError =>
  new TestServerError({
    reason: "Store",
    detail: `its database cannot be used (${error instanceof Error ? error.message : String(error)})`
  })

const start = Effect.fnUntraced(
  function*(options: Options, sql: SqlClient.SqlClient | undefined) {
    const crypto = options.crypto ?? Context.get(yield* Layer.build(NodeCrypto.layer), Crypto)
    const pem = options.privateKey ?? DevelopmentKey.pem
    const key = yield* privateKey(crypto, pem)
    const clock = yield* Clock.Clock
    const dcId = options.dcId ?? 2
    const testMode = options.testMode ?? false
    const settings: World.Settings = {
      rules: Session.defaultRules,
      gzip: "auto",
      trailingBytes: true,
      clockSkew: 0
    }
    const world = World.make({
      crypto,
      clock: () => clock.currentTimeMillisUnsafe() + settings.clockSkew,
      dcId,
      testMode,
      limits: { ...defaultLimits, ...options.limits },
      settings
    })
    const store = sql === undefined ? undefined : yield* Store.open(sql, world).pipe(
      Effect.catchCause((cause) => Effect.fail(storeFailed(Cause.squash(cause))))
    )
    const saving = yield* Semaphore.make(1)
    const save = store === undefined
      ? Effect.void
      : Semaphore.withPermit(saving, Effect.mapError(Store.save(store, world), storeFailed))
    const saveOrReport = Effect.catch(save, (error) => Effect.logError(error))
    // the last thing that happens: connections are closed by then
    yield* Effect.addFinalizer(() => saveOrReport)
    const runFork = yield* FiberSet.makeRuntime<never>()
    const { onCall } = options
    if (onCall !== undefined) {
      world.calls.listener = (call) => {
        runFork(onCall(call))
      }
    }
    const run = <A>(effect: Effect.Effect<A>, done: (result: A) => void): void => {
      runFork(effect).addObserver((exit) => {
        // the server is stopping: nobody waits for the answer
        if (Exit.isSuccess(exit)) done(exit.value)
      })
    }
    const engine: Engine.Engine = Engine.make({
      world,
      stubs: new Map(),
      run: (effect, done) =>
        run(effect, (result) => {
          done(result)
          Engine.settle(engine)
        }),
      report: (error) => {
        runFork(Effect.logError("an answer could not be made", error))
      },
      after: (millis, run) => {
        const fiber = runFork(Effect.andThen(
          Effect.sleep(millis),
          Effect.sync(() => {
            run()
            Engine.settle(engine)
          })
        ))
        return () => fiber.interruptUnsafe()
      }
    })
    Engine.adopt(engine)
    const listen = (dc: number, port: number) =>
      Listener.listen({
        engine,
        exchanges: KeyExchange.make({ crypto, key, pem, dc }),
        host: options.host ?? "127.0.0.1",
        port,
        run
      }).pipe(
        Effect.map((address): Datacenter => ({ id: dc, host: reachable(address.address), port: address.port })),
        Effect.mapError((error) =>
          new TestServerError({ reason: "Listen", detail: `it cannot listen there (${error.message})` })
        )
      )
    const main = yield* listen(dcId, options.port ?? 0)
    const others = new Map(
      (options.otherDcs ?? []).map((dc) => typeof dc === "number" ? [dc, 0] as const : [dc.id, dc.port] as const)
    )
    others.delete(dcId)
    const datacenters = [main, ...yield* Effect.forEach(others, ([dc, port]) => listen(dc, port))]
    world.addresses = datacenters
    runFork(Effect.forever(Effect.andThen(
      Effect.sleep(SWEEP),
      Effect.sync(() => {
        Engine.sweep(engine)
        Files.expire(world.files, World.seconds(world))
        Engine.settle(engine)
      })
    )))
    if (store !== undefined) runFork(Effect.forever(Effect.andThen(Effect.sleep(SAVE), saveOrReport)))
    const publicKey: RsaPublicKey.RsaPublicKey = { n: key.n, e: key.e, fingerprint: key.fingerprint }
    return TestServer.of({
      ...Control.make(engine),
      save,
      host: main.host,
      port: main.port,
      dcId,
      datacenters,
      testMode,
      publicKeys: [publicKey],
      publicKeyPem: RsaPublicKey.toPem(publicKey)
    })
  }
)

/** An address that leads to a server which listens on all of its machine's. */
const reachable = (address: string): string => address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address

const privateKey = (
  crypto: Crypto["Service"],
  pem: string
): Effect.Effect<RsaPublicKey.RsaPrivateKey, TestServerError> => {
  const key = RsaPublicKey.privateFromPem(crypto, pem)
  const problem = Result.isFailure(key)
    ? key.failure.message
    : key.success.n.length === 256
    ? undefined
    : "The key must have 2048 bits"
  return problem === undefined
    ? Effect.fromResult(key).pipe(Effect.orDie)
    : Effect.fail(new TestServerError({ reason: "InvalidKey", detail: problem }))
}

/**
 * A server that runs as long as the layer.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<TestServer, TestServerError> =>
  Layer.effect(TestServer, make(options))

/**
 * A server that keeps its state in a database: see {@link makeSql}.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerSql = (options?: Options): Layer.Layer<TestServer, TestServerError, SqlClient.SqlClient> =>
  Layer.effect(TestServer, makeSql(options))
