/** Updates, as programs fetch them: by asking, as Server-Sent Events, over a WebSocket, or posted to a webhook. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import * as AllowedUpdates from "../AllowedUpdates.ts"
import * as Failure from "../Failure.ts"
import type { Update } from "../GatewayStore.ts"
import * as Json from "../Json.ts"
import * as Params from "../Params.ts"
import { type Call, type Gateway, json, type Operation, response } from "./call.ts"
import { bodyOf } from "./webhooks.ts"

const MAX_ID = 2 ** 53 - 1
const PAGE = 100
/** So often something is sent where nothing happens, so that proxies keep the connection, in milliseconds. */
const HEARTBEAT = 15_000

const hooked = Failure.make(
  409,
  "WEBHOOK_ACTIVE",
  "Updates are posted to a webhook; call deleteWebhook to fetch them in another way"
)

/** Nobody else takes the updates of this session. */
const free = ({ store }: Gateway, session: string) =>
  Effect.flatMap(
    store.getSession(session),
    (now) => now?.record.webhook === undefined ? Effect.void : Effect.fail(hooked)
  )

/** `allowed_updates`: what is chosen once holds until something else is. */
const choose = Effect.fnUntraced(function*(gateway: Gateway, { params, session }: Call) {
  const given = params["allowed_updates"]
  if (given === undefined || given === null) return
  const names = yield* Effect.fromResult(AllowedUpdates.parse(given))
  const now = session.record.allowedUpdates ?? []
  if (names.length === now.length && names.every((name, i) => name === now[i])) return
  yield* gateway.sessions.choose(session.id, names)
  gateway.forgetToken(session.id)
})

// ----- asking

const raw = (updates: ReadonlyArray<Update>) => updates.map((update) => JSON.parse(bodyOf(update)) as unknown)

export const getUpdates: Operation = Effect.fnUntraced(function*(gateway, call) {
  const { params, scope, session } = call
  const { store } = gateway
  const offset = yield* Effect.fromResult(Params.int(params, "offset", { min: -MAX_ID, max: MAX_ID, fallback: 0 }))
  const limit = yield* Effect.fromResult(Params.int(params, "limit", { min: 1, max: PAGE, fallback: PAGE }))
  const timeout = yield* Effect.fromResult(Params.int(params, "timeout", { min: 0, max: 60, fallback: 0 }))
  yield* free(gateway, session.id)
  yield* choose(gateway, call)
  if (offset > 0) yield* store.acknowledge(session.id, offset)
  // what is new comes only while the session is open
  const opened = yield* Effect.result(Scope.provide(gateway.sessions.open(session.id), scope))
  const look = Effect.gen(function*() {
    while (true) {
      const signal = yield* store.signal(session.id)
      const found = yield* store.updates(session.id, offset, limit)
      // what is stored can be had even while Telegram cannot be reached
      if (found.length > 0 || timeout === 0) return found
      if (Result.isFailure(opened)) return yield* Effect.fail(opened.failure)
      yield* signal
    }
  })
  const found = timeout === 0 ? yield* look : yield* Effect.raceFirst(
    Effect.timeoutOrElse(look, { duration: timeout * 1_000, orElse: () => Effect.succeed([]) }),
    Effect.as(gateway.stopping, [])
  )
  return json(raw(found))
})

// ----- streams

/** Every update from a number on, and then every new one; empty pages are heartbeats. */
const follow = ({ stopping, store }: Gateway, session: string, from: number) =>
  Stream.unfold(from, (next: number) =>
    Effect.gen(function*() {
      const signal = yield* store.signal(session)
      const found = yield* store.updates(session, next, PAGE)
      if (found.length > 0) return [found, found.at(-1)!.id + 1] as const
      yield* Effect.raceFirst(signal, Effect.sleep(HEARTBEAT))
      return [found, next] as const
    })).pipe(Stream.interruptWhen(stopping))

const startOf = (call: Call) => {
  const last = call.request?.headers["last-event-id"]
  const params = last === undefined || last === "" ? call.params : { offset: last }
  return Effect.map(
    Effect.fromResult(Params.int(params, "offset", { min: 0, max: MAX_ID - 1, fallback: 0 })),
    (number) => params === call.params ? number : number + 1
  )
}

/** The same for Server-Sent Events: what was seen before `Last-Event-ID` is acknowledged. */
export const events: Operation = Effect.fnUntraced(function*(gateway, call) {
  const { scope, session } = call
  const from = yield* startOf(call)
  yield* free(gateway, session.id)
  yield* choose(gateway, call)
  yield* Scope.provide(gateway.sessions.open(session.id), scope)
  if (from > 0) yield* gateway.store.acknowledge(session.id, from)
  const utf8 = new TextEncoder()
  const body = Stream.concat(
    // so that the client knows that it is connected, and waits a second before it comes again
    Stream.succeed(utf8.encode("retry: 1000\n\n")),
    Stream.map(follow(gateway, session.id, from), (updates) =>
      utf8.encode(
        updates.length === 0
          ? ":\n\n"
          : updates.map((update) => `id: ${update.id}\ndata: ${bodyOf(update)}\n\n`).join("")
      ))
  )
  return response(HttpServerResponse.stream(body, {
    contentType: "text/event-stream",
    headers: { "x-accel-buffering": "no" }
  }))
})

/** The same over a WebSocket; the client acknowledges with `{"ack": number}`. */
export const webSocket: Operation = Effect.fnUntraced(function*(gateway, call) {
  const { request, scope, session } = call
  if (request === undefined || request.headers["upgrade"]?.toLowerCase() !== "websocket") {
    return yield* Failure.make(426, "UPGRADE_REQUIRED", "This path is a WebSocket")
  }
  const from = yield* startOf(call)
  yield* free(gateway, session.id)
  yield* choose(gateway, call)
  yield* Scope.provide(gateway.sessions.open(session.id), scope)
  if (from > 0) yield* gateway.store.acknowledge(session.id, from)
  yield* Effect.scoped(Effect.gen(function*() {
    const socket = yield* request.upgrade
    const reader = yield* socket.reader
    const writer = yield* socket.writer
    const writing = Stream.runForEach(
      follow(gateway, session.id, from),
      (updates) => Effect.forEach(updates, (update) => writer.write(bodyOf(update)), { discard: true })
    )
    const reading = Effect.forever(
      Effect.flatMap(
        reader.pull,
        (frames) => Effect.forEach(frames, (frame) => acknowledge(gateway, session.id, frame), { discard: true })
      )
    )
    yield* Effect.raceFirst(
      Effect.andThen(writing, writer.write(new Socket.CloseEvent(1001, "the gateway stops"))),
      reading
    )
  })).pipe(Effect.catchTag("SocketError", () => Effect.void))
  return response(HttpServerResponse.empty())
})

const acknowledge = ({ store }: Gateway, session: string, frame: string | Uint8Array) => {
  const text = typeof frame === "string" ? frame : new TextDecoder().decode(frame)
  const parsed = text.length > 256 ? undefined : Json.parse(text)
  if (parsed === undefined || Result.isFailure(parsed) || !Json.isObject(parsed.success)) return Effect.void
  const { ack } = parsed.success
  return typeof ack === "number" && Number.isSafeInteger(ack) && ack > 0 && ack < MAX_ID
    ? store.acknowledge(session, ack + 1)
    : Effect.void
}

// ----- webhooks

const wrongUrl = Failure.badRequest(
  "Parameter url: expected an http or https URL without user and password",
  "URL_INVALID"
)

const urlOf = (text: string): URL | undefined => {
  try {
    const url = new URL(text)
    return (url.protocol === "https:" || url.protocol === "http:") && url.username === "" && url.password === ""
      ? url
      : undefined
  } catch {
    return undefined
  }
}

/** An empty `url` takes the webhook away. The secret that signatures are made with is made up unless given. */
export const setWebhook: Operation = Effect.fnUntraced(function*(gateway, call) {
  const { params, session } = call
  const text = yield* Effect.fromResult(Params.text(params, "url", { max: 2048 }))
  if (text === "") return yield* deleteWebhook(gateway, call)
  const url = urlOf(text)
  if (url === undefined) return yield* wrongUrl
  const given = yield* Effect.fromResult(
    Params.text(params, "secret", {
      max: 256,
      fallback: typeof params["secret_token"] === "string" ? params["secret_token"] : ""
    })
  )
  yield* choose(gateway, call)
  const secret = given === "" ? Buffer.from(gateway.crypto.randomBytes(32)).toString("base64url") : given
  const webhook = { url: url.href, secret }
  yield* gateway.store.updateSession(session.id, (record) => ({ ...record, webhook }))
  gateway.forgetToken(session.id)
  yield* gateway.webhooks.start(session.id, webhook)
  return json(given === "" ? { url: url.href, secret } : { url: url.href })
})

export const deleteWebhook: Operation = Effect.fnUntraced(function*(gateway, { session }) {
  yield* gateway.webhooks.stop(session.id)
  yield* gateway.store.updateSession(session.id, ({ webhook: _webhook, ...record }) => record)
  gateway.forgetToken(session.id)
  return json(true)
})

export const getWebhookInfo: Operation = Effect.fnUntraced(function*(gateway, { session }) {
  const now = yield* gateway.store.getSession(session.id)
  const { lastError, lastErrorDate } = gateway.webhooks.standing(session.id)
  return json({
    url: now?.record.webhook?.url ?? "",
    pending_update_count: yield* gateway.store.countUpdates(session.id),
    allowed_updates: now?.record.allowedUpdates ?? [],
    ...lastError === undefined ? {} : { last_error_date: lastErrorDate, last_error_message: lastError }
  })
})
