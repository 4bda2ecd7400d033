/**
 * The gateway: an HTTP server over the accounts of a database.
 *
 * ```ts
 * import * as Gateway from "@effect-mtproto/gateway/Gateway"
 * import * as GatewayOptions from "@effect-mtproto/gateway/GatewayOptions"
 * import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
 * import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
 * import * as SqlVault from "@effect-mtproto/transport/SqlVault"
 * import * as Layer from "effect/Layer"
 *
 * const live = Gateway.layerHttp({ port: 9503 }).pipe(
 *   Layer.provide(Gateway.layer({ telegram: { apiId, apiHash } })),
 *   Layer.provide(SqlVault.layerConfig()),
 *   Layer.provide(SqliteClient.layer({ filename: "gateway.db" })),
 *   Layer.provide(NodeCrypto.layer)
 * )
 * ```
 *
 * What it serves is described by `GatewayApi`, and for programs at `/openapi.json`.
 *
 * @since 1.0.0
 */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import { Vault } from "@effect-mtproto/crypto/Vault"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Tracer from "effect/Tracer"
import { createServer } from "node:http"
import * as Envelope from "./Envelope.ts"
import * as Failure from "./Failure.ts"
import * as GatewayOptions from "./GatewayOptions.ts"
import * as GatewayStore from "./GatewayStore.ts"
import * as Body from "./internal/body.ts"
import type * as Call from "./internal/call.ts"
import * as Gate from "./internal/gate.ts"
import * as Idempotency from "./internal/idempotency.ts"
import * as Logins from "./internal/logins.ts"
import * as Metrics from "./internal/metrics.ts"
import * as Operations from "./internal/operations.ts"
import * as Rates from "./internal/rates.ts"
import { timedOut } from "./internal/sending.ts"
import * as System from "./internal/system.ts"
import * as Webhooks from "./internal/webhooks.ts"
import * as Json from "./Json.ts"
import * as Params from "./Params.ts"
import * as Route from "./Route.ts"
import * as Sessions from "./Sessions.ts"
import * as Token from "./Token.ts"

/**
 * The gateway behind the HTTP server: what answers requests.
 *
 * @category services
 * @since 1.0.0
 */
export class Gateway extends Context.Service<Gateway, {
  /** Answers one request. It never fails. */
  readonly handle: (
    request: HttpServerRequest.HttpServerRequest
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, never, Scope.Scope>
  /** Whether requests can be answered: the database is there, and the gateway is not about to stop. */
  readonly ready: Effect.Effect<boolean>
  /** Sends those home who wait for updates, and turns new requests away. */
  readonly stop: Effect.Effect<void>
}>()("@effect-mtproto/gateway/Gateway") {}

/** Who a token belongs to is remembered this long, in milliseconds. */
const REMEMBERED = 5_000
const MAX_REMEMBERED = 10_000

const stopping = new Failure.Failure({
  code: 503,
  type: "STOPPING",
  description: "The gateway is about to stop",
  retryAfter: 5,
  transient: true
})
const adminOnly = Failure.make(401, "ADMIN_TOKEN_REQUIRED", "Logins need the admin token of this gateway")
const otherSession = Failure.make(403, "SESSION_FORBIDDEN", "This token does not belong to this session")
const crossSite = Failure.make(403, "ORIGIN_FORBIDDEN", "Pages of this origin may not call this gateway")
const wrongMethod = (route: Route.Route) =>
  Failure.make(405, "HTTP_METHOD_INVALID", `Only ${Route.allow(route)} are possible here`)
const malformedPath = Failure.badRequest("The path is malformed", "PATH_INVALID")
const tooMany = (wait: number) =>
  new Failure.Failure({
    code: 429,
    type: "TOO_MANY_REQUESTS",
    description: `Too Many Requests: retry after ${Math.ceil(wait / 1_000)}`,
    retryAfter: Math.ceil(wait / 1_000),
    transient: true
  })

/** What a span tells of a request. */
interface Seen {
  route: string
  method: string
  session: string
}

/** Routes without what was sent in their place: a token, a name that no method has. */
const routeNames: { readonly [tag in Route.Route["_tag"]]: string } = {
  NotFound: "",
  Malformed: "",
  System: "",
  Server: "",
  PhoneLogin: "/phonelogin",
  Session: "/{kind}{token}/{method}",
  Alias: "/api/{session}/{method}"
}

/** Tells the span around a request, if there is one, what became of it. */
const annotate = (context: Context.Context<never>, verb: string, seen: Seen, status: number): void => {
  const span = Context.getOrUndefined(context, Tracer.ParentSpan)
  if (span?._tag !== "Span") return
  span.attribute("http.request.method", verb)
  span.attribute("http.response.status_code", status)
  if (seen.route !== "") span.attribute("http.route", seen.route)
  if (seen.session !== "") span.attribute("gateway.session", seen.session)
  if (seen.method !== "" && Operations.isKnown(seen.method)) span.attribute("gateway.method", seen.method)
}

const utf8 = new TextEncoder()

const common = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

const bearer = (request: HttpServerRequest.HttpServerRequest): string | undefined => {
  const header = request.headers["authorization"] ?? ""
  const token = /^Bearer +(\S+)$/i.exec(header)?.[1]
  if (token !== undefined) return token
  const basic = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header)?.[1]
  if (basic === undefined) return undefined
  const text = Buffer.from(basic, "base64").toString("utf8")
  const colon = text.indexOf(":")
  return colon < 0 ? undefined : text.slice(colon + 1)
}

const make = Effect.gen(function*() {
  const options = yield* GatewayOptions.GatewayOptions
  const store = yield* GatewayStore.GatewayStore
  const sessions = yield* Sessions.Sessions
  const crypto = yield* Crypto
  const vault = yield* Vault
  const { limits } = options
  const latch = yield* Latch.make(false)
  let isStopping = false
  let inFlight = 0
  const leave = Effect.sync(() => {
    inFlight--
  })

  const requestRates = Rates.make({ rate: limits.requestsPerSecond, burst: 2 * limits.requestsPerSecond })
  const attemptRates = Rates.make({ rate: limits.attemptsPerMinute / 60, burst: limits.attemptsPerMinute })

  // ----- whose token

  interface Known {
    readonly session: GatewayStore.Session
    readonly until: number
  }
  const known = new Map<string, Known>()

  const forgetToken = (id: string) => {
    for (const [name, entry] of known) if (entry.session.id === id) known.delete(name)
  }

  const findSession = (
    kind: Token.Kind,
    token: Redacted.Redacted<string>,
    now: number
  ): Effect.Effect<GatewayStore.Session | undefined, GatewayStore.GatewayStoreError> => {
    const text = Redacted.value(token)
    if (!Token.isPlausible(kind, text)) return Effect.undefined
    // found by a hash, so how long it takes says nothing of the tokens of others
    const name = kind + Buffer.from(crypto.sha256(utf8.encode(text))).toString("latin1")
    const entry = known.get(name)
    if (entry !== undefined && entry.until > now) return Effect.succeed(entry.session)
    return Effect.map(store.findSession(kind, Token.hash(vault, kind, token)), (session) => {
      if (session === undefined) known.delete(name)
      else {
        if (known.size >= MAX_REMEMBERED) known.clear()
        known.set(name, { session, until: now + REMEMBERED })
      }
      return session
    })
  }

  // ----- the parts that operations work with

  const performNow = (call: Call.Call, method: string, kind: "user" | "bot"): Effect.Effect<Call.Answer, unknown> => {
    const params = Operations.prepare(method, call.params)
    return Result.isFailure(params)
      ? Effect.fail(params.failure)
      : Operations.find(kind, method, call.session.record.state)(gateway, { ...call, params: params.success })
  }

  /** What the answer of a webhook asks for. Its result is told to nobody. */
  const onAnswer: Webhooks.OnAnswer = (id, body) =>
    Effect.gen(function*() {
      const parsed = Json.parse(body)
      if (Result.isFailure(parsed) || !Operations.isCall(parsed.success)) return
      const session = yield* store.getSession(id)
      if (session === undefined) return
      const { method, ...params } = parsed.success
      const name = method.replaceAll("->", ".")
      if (Operations.isEndless(name) && !Operations.isSend(name)) return
      const turn = Operations.isSend(name) ? sessions.enter(id) : Gate.none
      const scope = yield* Effect.scope
      yield* performNow(
        { session, params, file: undefined, request: undefined, scope, turn, randomId: undefined },
        name,
        session.kind
      ).pipe(Effect.timeout(limits.requestTime), Effect.ensuring(Effect.sync(turn.end)))
    }).pipe(
      Effect.scoped,
      Effect.catchCause((cause) =>
        Effect.logWarning(`What a webhook asked for could not be done: ${Failure.fromCause(cause).description}`)
      )
    )

  const webhooks = yield* Webhooks.make(options, store, sessions, onAnswer)
  const gateway: Call.Gateway = {
    crypto,
    vault,
    options,
    store,
    sessions,
    webhooks,
    stopping: latch.await,
    forgetToken
  }
  const idempotency = Idempotency.make(gateway)

  for (const { id, record } of yield* store.sessions) {
    if (record.webhook !== undefined) yield* webhooks.start(id, record.webhook)
  }
  yield* Effect.forkScoped(
    Effect.forever(Effect.gen(function*() {
      yield* Effect.ignore(store.expireRequests(Idempotency.LIFE))
      yield* Effect.ignore(Logins.sweep(gateway, yield* Clock.currentTimeMillis))
      yield* Effect.sleep("1 hour")
    }))
  )

  // ----- rights

  const addressOf = (request: HttpServerRequest.HttpServerRequest): string =>
    Option.getOrElse(request.remoteAddress, () => "unknown")

  const attempt = (request: HttpServerRequest.HttpServerRequest) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const wait = attemptRates.take(addressOf(request), now)
      return wait === 0 ? Effect.void : Effect.fail(tooMany(wait))
    })

  const needAdmin = (request: HttpServerRequest.HttpServerRequest) =>
    Effect.suspend(() => {
      const { adminToken } = options
      if (adminToken === undefined) return Effect.void
      const given = request.headers["x-admin-token"] ?? bearer(request) ?? ""
      return Token.isEqual(crypto, adminToken, given) ? Effect.void : Effect.fail(adminOnly)
    })

  const stranger = Effect.fnUntraced(function*(
    request: HttpServerRequest.HttpServerRequest,
    kind: Token.Kind,
    token: Redacted.Redacted<string>,
    now: number
  ) {
    yield* attempt(request)
    if (kind === "user" || !Token.isPlausible("bot", Redacted.value(token))) {
      return yield* kind === "user" ? Failure.wrongToken : Failure.wrongBotToken
    }
    yield* needAdmin(request)
    // Telegram is asked about what may be a bot's, and not told of a person's token in the wrong place
    if ((yield* findSession("user", token, now)) !== undefined) return yield* Failure.wrongBotToken
    return yield* Logins.bot(gateway, token)
  })

  const authorize = (
    request: HttpServerRequest.HttpServerRequest,
    kind: Token.Kind,
    token: Redacted.Redacted<string>,
    now: number
  ): Effect.Effect<GatewayStore.Session, unknown> =>
    Redacted.value(token) === ""
      ? Effect.fail(Failure.noToken)
      : Effect.flatMapEager(findSession(kind, token, now), (found): Effect.Effect<GatewayStore.Session, unknown> => {
        if (found === undefined) return stranger(request, kind, token, now)
        const wait = requestRates.take(found.id, now)
        return wait === 0 ? Effect.succeed(found) : Effect.fail(tooMany(wait))
      })

  // ----- one request

  /** Whose session a route is about. */
  const owner = (
    request: HttpServerRequest.HttpServerRequest,
    route: Extract<Route.Route, { readonly _tag: "Session" | "Alias" }>,
    now: number
  ): Effect.Effect<GatewayStore.Session, unknown> => {
    if (route._tag === "Session") return authorize(request, route.kind, route.token, now)
    const named = Redacted.value(route.session)
    const isToken = Token.isPlausible("user", named) && named.includes(":")
    const token = isToken ? named : bearer(request)
    if (token === undefined) return Effect.fail(Failure.noToken)
    return Effect.flatMap(
      authorize(request, "user", Redacted.make(token, { label: "token" }), now),
      (session) =>
        isToken || named === String(session.record.userId) ? Effect.succeed(session) : Effect.fail(otherSession)
    )
  }

  // Between a request and its answer stand few effects: what can be said at once is said by plain functions.
  const answer = (
    request: HttpServerRequest.HttpServerRequest,
    route: Route.Route,
    query: string,
    seen: Seen,
    context: Context.Context<Scope.Scope>
  ): Effect.Effect<Call.Answer, unknown> => {
    if (route._tag === "NotFound") return Effect.fail(Failure.notFound)
    if (route._tag === "Malformed") return Effect.fail(malformedPath)
    if (route._tag === "System" || route._tag === "Server") return Effect.fail(wrongMethod(route))
    if (request.method !== "GET" && request.method !== "POST") return Effect.fail(wrongMethod(route))
    const asked = Params.fromQuery(query)
    if (Result.isFailure(asked)) return Effect.fail(asked.failure)
    const fromQuery = asked.success

    if (route._tag === "PhoneLogin") {
      return attempt(request).pipe(
        Effect.andThen(needAdmin(request)),
        Effect.andThen(Body.read(
          request,
          limits,
          (body) => limited(Logins.phone(gateway, Params.merge(fromQuery, body)))
        ))
      )
    }
    const scope = Context.get(context, Scope.Scope)
    const now = Context.get(context, Clock.Clock).currentTimeMillisUnsafe()
    return Effect.flatMapEager(owner(request, route, now), (session) => {
      seen.session = session.id
      return call(request, route, session, fromQuery, seen, scope)
    })
  }

  const call = (
    request: HttpServerRequest.HttpServerRequest,
    route: Extract<Route.Route, { readonly _tag: "Session" | "Alias" }>,
    session: GatewayStore.Session,
    fromQuery: Params.Params,
    seen: Seen,
    scope: Scope.Scope
  ): Effect.Effect<Call.Answer, unknown> =>
    Body.read(request, limits, (body, file) => {
      let params = Params.merge(fromQuery, body)
      let { method } = route
      if (route._tag === "Alias") {
        method = method.replace(/^api\./, "")
        if (Json.isObject(params["data"])) {
          const { data, ...rest } = params
          params = Params.merge(rest, data as Params.Params)
        }
      } else if (route.kind === "bot" && method.toLowerCase() === "madeline") {
        const asked = Params.fromBot(params)
        if (Result.isFailure(asked)) return Effect.fail(asked.failure)
        method = asked.success.method
        params = asked.success.params
      }
      seen.method = method
      // here the request is accepted: what is sent goes out in this order
      const isSend = Operations.isSend(method)
      const turn = isSend ? sessions.enter(session.id) : Gate.none
      const run = (randomId: bigint | undefined) => {
        const performed = performNow({ session, params, file, request, scope, turn, randomId }, method, session.kind)
        return Operations.isEndless(method) ? performed : limited(performed)
      }
      const key = request.headers["idempotency-key"]
      const effect = key === undefined
        ? Effect.suspend(() => run(undefined))
        : Effect.flatMap(
          Effect.fromResult(Operations.prepare(method, params)),
          (prepared) =>
            idempotency.perform({ session, key, method, params: prepared, fileName: file?.name, isSend, run })
        )
      return isSend ? Effect.ensuring(effect, Effect.sync(turn.end)) : effect
    })

  const limited = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.timeoutOrElse(effect, { duration: limits.requestTime, orElse: () => Effect.fail(timedOut) })

  const corsHeaders = (
    request: HttpServerRequest.HttpServerRequest
  ): { readonly [name: string]: string } | undefined => {
    const origin = request.headers["origin"]
    if (origin === undefined || options.cors === undefined) return undefined
    if (!options.cors.includes(origin) && !options.cors.includes("*")) return undefined
    return {
      "access-control-allow-origin": origin,
      "access-control-allow-methods": "GET, POST",
      "access-control-allow-headers": "content-type, authorization, idempotency-key, x-admin-token, last-event-id",
      vary: "origin"
    }
  }

  const handleIn = (
    request: HttpServerRequest.HttpServerRequest,
    context: Context.Context<Scope.Scope>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
    const begun = performance.now()
    const { url } = request
    const mark = url.indexOf("?")
    const path = mark < 0 ? url : url.slice(0, mark)
    const route = Route.parse(path)
    const style: Envelope.Style = route._tag === "Alias" ? "success" : "ok"
    const cors = corsHeaders(request)
    const headers = cors === undefined ? common : { ...common, ...cors }
    const allow = Route.allow(route)
    if (request.method === "OPTIONS" && allow !== "") {
      return Effect.succeed(HttpServerResponse.empty({ status: 204, headers: { ...headers, allow } }))
    }
    inFlight++
    const site = request.headers["sec-fetch-site"]
    const refused = isStopping
      ? Effect.fail(stopping)
      : cors === undefined && (site === "cross-site" || site === "same-site")
      ? Effect.fail(crossSite)
      : undefined
    const kind = route._tag === "Session" ? route.kind : ""
    const name = route._tag === "System" ? route.path : routeNames[route._tag].replace("{kind}", kind)
    const seen: Seen = { route: name, method: "", session: "" }
    const finish = (made: HttpServerResponse.HttpServerResponse) => {
      // a connection that is kept would keep the server from closing
      const response = isStopping ? HttpServerResponse.setHeader(made, "connection", "close") : made
      annotate(context, request.method, seen, response.status)
      Metrics.requestsOf(response.status).updateUnsafe(1, context)
      Metrics.requestTime.updateUnsafe((performance.now() - begun) / 1_000, context)
      return Effect.succeed(response)
    }
    const answered = refused ?? answer(request, route, mark < 0 ? "" : url.slice(mark + 1), seen, context)
    return Effect.matchCauseEffect(
      // a client that goes ends the fiber: nothing behind this line is run then
      Effect.ensuring(answered, leave),
      {
        onSuccess: (found) =>
          finish(
            found._tag === "Response"
              ? HttpServerResponse.setHeaders(found.response, headers)
              : HttpServerResponse.text(Envelope.success(style, found.value), {
                contentType: "application/json",
                headers
              })
          ),
        onFailure: (cause) => {
          // nobody is there any more to be answered
          if (Cause.hasInterrupts(cause)) return Effect.interrupt
          const failure = Failure.fromCause(cause)
          const response = HttpServerResponse.text(Envelope.failure(style, failure), {
            status: failure.code,
            contentType: "application/json",
            headers: {
              ...headers,
              ...failure.retryAfter === undefined ? {} : { "retry-after": String(failure.retryAfter) },
              ...failure.contentRange === undefined ? {} : { "content-range": failure.contentRange },
              ...failure.code === 405 ? { allow } : {}
            }
          })
          return failure === Failure.internal
            ? Effect.andThen(
              Effect.logError("A request has failed", withoutFailures(cause)),
              Effect.suspend(() => finish(response))
            )
            : finish(response)
        }
      }
    )
  }

  const handle: Gateway["Service"]["handle"] = (request) =>
    Effect.withFiber((fiber) => handleIn(request, fiber.context as Context.Context<Scope.Scope>))

  return Gateway.of({
    handle,
    ready: Effect.gen(function*() {
      yield* Metric.update(Metrics.openSessions, yield* sessions.count)
      yield* Metric.update(Metrics.inFlight, inFlight)
      return !isStopping && Exit.isSuccess(yield* Effect.exit(Effect.timeout(store.check, "2 seconds")))
    }),
    stop: Effect.suspend(() => {
      isStopping = true
      return latch.open
    })
  })
})

/** Defects only: values of typed errors may hold what was sent. */
const withoutFailures = (cause: Cause.Cause<unknown>): Cause.Cause<never> =>
  Cause.fromReasons(cause.reasons.filter((reason) => !Cause.isFailReason(reason))) as Cause.Cause<never>

/**
 * The gateway without a server.
 *
 * @category layers
 * @since 1.0.0
 */
export const layer = (
  options: GatewayOptions.Options
): Layer.Layer<
  Gateway | GatewayStore.GatewayStore | Sessions.Sessions,
  GatewayStore.GatewayStoreError,
  Crypto | Vault | SqlClient.SqlClient
> => {
  const made = GatewayOptions.make(options)
  return Layer.effect(Gateway, make).pipe(
    Layer.provideMerge(Sessions.layer),
    Layer.provideMerge(GatewayStore.layer({ maxUpdates: made.limits.updates })),
    Layer.provide(Layer.succeed(GatewayOptions.GatewayOptions, made))
  )
}

/** A span of its own: that of the HTTP server would hold the URL, and with it the token. */
const traced = (gateway: Gateway["Service"], request: HttpServerRequest.HttpServerRequest) =>
  Effect.withFiber<HttpServerResponse.HttpServerResponse, never, Scope.Scope>((fiber) =>
    // without a tracer nobody sees it
    Context.getOrUndefined(fiber.context, Tracer.Tracer) === undefined
      ? gateway.handle(request)
      : Effect.withSpan(gateway.handle(request), "Gateway.request", { kind: "server", captureStackTrace: false })
  )

const isUnrouted = (error: unknown): boolean =>
  typeof error === "object" && error !== null &&
  (error as { readonly reason?: { readonly _tag?: unknown } }).reason?._tag === "RouteNotFound"

/** Paths of which all belong to the gateway, and none to health, metrics or the description of the API. */
const isCall = /^\/(?:user|bot|api\/)/

/**
 * Routes of the gateway, for a server of one's own.
 *
 * @category layers
 * @since 1.0.0
 */
export const layerRoutes: Layer.Layer<never, never, Gateway | HttpRouter.HttpRouter> = Layer.unwrap(
  Effect.map(Gateway, (gateway) =>
    Layer.mergeAll(
      System.layer(gateway.ready),
      // not for every method: a HEAD goes to the GET of the same path
      HttpRouter.add("GET", "/*", (request) => traced(gateway, request)),
      HttpRouter.add("POST", "/*", (request) => traced(gateway, request)),
      // all other methods, and what the router cannot even read as a path, are told so like everything else
      HttpRouter.use((router) =>
        router.addGlobalMiddleware((effect) =>
          Effect.matchCauseEffect(effect, {
            onSuccess: Effect.succeed,
            onFailure: (cause) =>
              cause.reasons.some((reason) => Cause.isFailReason(reason) && isUnrouted(reason.error))
                ? Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => traced(gateway, request))
                : Effect.failCause(cause)
          })
        )
      )
    ))
)

/**
 * Where the server listens.
 *
 * @category models
 * @since 1.0.0
 */
export interface HttpOptions {
  /** Default 127.0.0.1: only this machine. */
  readonly host?: string | undefined
  /** Default 9503; 0 is any free one. */
  readonly port?: number | undefined
  /** How long requests under way may take when the gateway stops. Default 20 seconds. */
  readonly shutdownTime?: Duration.Input | undefined
}

/**
 * Serves the gateway over HTTP. When the layer ends, requests under way are answered first.
 *
 * @category layers
 * @since 1.0.0
 */
export const layerHttp = (
  options: HttpOptions = {}
): Layer.Layer<HttpServer.HttpServer, ServeError, Gateway> => {
  const server = NodeHttpServer.layer(
    () => {
      const server = createServer({
        // bodies have times of their own, see `Limits`
        requestTimeout: 0,
        headersTimeout: 10_000,
        keepAliveTimeout: 65_000,
        connectionsCheckingInterval: 2_000,
        maxHeaderSize: 16 * 1024
      })
      // A server that closes ends the connections that are idle then, not those that become so a moment later.
      server.on("request", (_, response) => {
        response.once("close", () => {
          if (!server.listening) setImmediate(() => server.closeIdleConnections())
        })
      })
      return server
    },
    {
      host: options.host ?? "127.0.0.1",
      port: options.port ?? 9503,
      gracefulShutdownTimeout: options.shutdownTime ?? "20 seconds",
      websocket: { maxPayload: 64 * 1024 }
    }
  )
  const served = Layer.unwrap(Effect.gen(function*() {
    const gateway = yield* Gateway
    const routed = yield* Effect.provideService(HttpRouter.toHttpEffect(layerRoutes), HttpRouter.RouterConfig, {
      maxParamLength: 2048,
      ignoreDuplicateSlashes: false,
      caseSensitive: true
    })
    // The router would lead them here too, at the cost of another few steps.
    return HttpServer.serve(
      Effect.flatMap(
        HttpServerRequest.HttpServerRequest,
        (request) =>
          (request.method === "POST" || request.method === "GET") && isCall.test(request.url)
            ? Effect.interruptible(traced(gateway, request))
            : routed
      )
    )
  }))
  // ends first: those who wait for updates would keep the server from closing
  const stopped = Layer.effectDiscard(
    Effect.flatMap(Gateway, (gateway) => Effect.addFinalizer(() => gateway.stop))
  )
  return Layer.provide(stopped, served).pipe(
    Layer.provideMerge(server),
    Layer.provide(Layer.succeed(HttpMiddleware.TracerDisabledWhen, () => true))
  ) as Layer.Layer<HttpServer.HttpServer, ServeError, Gateway>
}
