/** A gateway over real HTTP, before a Telegram server on the loopback address. */
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Gateway from "@effect-mtproto/gateway/Gateway"
import type * as GatewayOptions from "@effect-mtproto/gateway/GatewayOptions"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as SqlVault from "@effect-mtproto/transport/SqlVault"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Tracer from "effect/Tracer"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** The body, parsed if it is JSON. */
  readonly body: any
}

export interface Client {
  readonly base: string
  readonly store: Context.Context<any>
  /** Any request. */
  readonly fetch: (path: string, init?: RequestInit) => Effect.Effect<Reply>
  /** A call with a JSON body; the result, or the failure as a defect. */
  readonly call: (path: string, params?: unknown, headers?: Record<string, string>) => Effect.Effect<any>
  /** The same, with the whole answer. */
  readonly post: (path: string, params?: unknown, headers?: Record<string, string>) => Effect.Effect<Reply>
}

/** A tracer, and the spans that it has made. */
export const tracing = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, layer: Layer.succeed(Tracer.Tracer, tracer) }
}

/** Two accounts, +15550001 and +15550002. */
export const server = Effect.gen(function*() {
  const made = yield* TestServer.make()
  yield* made.createAccount({ phone: "+15550001", firstName: "Ann", username: "annie" })
  yield* made.createAccount({ phone: "+15550002", firstName: "Bob", username: "bobby" })
  return made
})

export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "gateway-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

export type Telegram = TestServer.TestServer["Service"]

const key = Redacted.make(new Uint8Array(32).fill(7))

export const layer = (
  telegram: Pick<Telegram, "host" | "port" | "dcId" | "publicKeys">,
  filename: string,
  options: Omit<GatewayOptions.Options, "telegram"> = {},
  port = 0
) =>
  Gateway.layerHttp({ port, shutdownTime: "20 seconds" }).pipe(
    Layer.provideMerge(Gateway.layer({
      ...options,
      limits: { requestsPerSecond: 0, attemptsPerMinute: 0, ...options.limits },
      telegram: {
        apiId: 12345,
        apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
        datacenters: [{ id: telegram.dcId, host: telegram.host, port: telegram.port }],
        publicKeys: telegram.publicKeys
      }
    })),
    Layer.provide(SqlVault.layer({ key })),
    Layer.provide(
      filename.startsWith("postgres:")
        ? PgClient.layer({ url: Redacted.make(filename) })
        : SqliteClient.layer({ filename })
    ),
    Layer.provide(NodeCrypto.layer)
  )

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Starts a gateway on a SQLite file or a PostgreSQL URL, on any port unless given; it stops with the scope. */
export const start = Effect.fnUntraced(function*(
  telegram: Telegram,
  filename: string,
  options: Omit<GatewayOptions.Options, "telegram"> = {},
  port = 0
) {
  const context = yield* Layer.build(Layer.fresh(layer(telegram, filename, options, port)))
  const { address } = Context.get(context, HttpServer.HttpServer)
  const base = `http://127.0.0.1:${(address as { readonly port: number }).port}`
  const fetched = (path: string, init?: RequestInit) =>
    Effect.promise(async (signal): Promise<Reply> => {
      const response = await fetch(base + path, { signal, ...init })
      return { status: response.status, headers: response.headers, body: parse(await response.text()) }
    })
  const post = (path: string, params: unknown = {}, headers: Record<string, string> = {}) =>
    fetched(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(params)
    })
  const client: Client = {
    base,
    store: context,
    fetch: fetched,
    post,
    call: (path, params, headers) =>
      Effect.flatMap(post(path, params, headers), ({ body, status }) =>
        body?.ok === true
          ? Effect.succeed(body.result)
          : Effect.die(new Error(`${path.replace(/(user|bot)[^/]+/, "$1…")}: ${status} ${JSON.stringify(body)}`)))
  }
  return client
})

/** Logs in, and answers with the path of the session. */
export const logIn = Effect.fnUntraced(function*(telegram: Telegram, client: Client, phone: string) {
  const temporary = yield* client.call("/phonelogin", { phone })
  const code = yield* telegram.loginCode(phone)
  const token = yield* client.call(`/user${temporary}/completephonelogin`, { code })
  return `/user${token}`
})

/** Waits until something is so. */
export const until = <A>(effect: Effect.Effect<A>, matches: (value: A) => boolean): Effect.Effect<A> =>
  effect.pipe(
    Effect.flatMap((value) => matches(value) ? Effect.succeed(value) : Effect.fail("not yet" as const)),
    Effect.retry(Schedule.spaced("50 millis")),
    Effect.timeout("50 seconds"),
    Effect.orDie
  )

/** A chat of two sessions of one gateway, ready. */
export const openChat = Effect.fnUntraced(function*(client: Client, ann: string, bob: string) {
  const { chat_id } = yield* client.call(`${ann}/requestSecretChat`, { user: "+15550002" })
  yield* until(
    client.call(`${bob}/getSecretChats`),
    (chats) => chats.some((chat: any) => chat.chat_id === chat_id && chat.state === "requested")
  )
  yield* client.call(`${bob}/acceptSecretChat`, { peer: chat_id })
  yield* until(client.call(`${ann}/getSecretChat`, { peer: chat_id }), (chat) => chat.state === "ready")
  return chat_id as number
})

/** Two accounts that are logged in, and a chat of theirs. */
export const world = Effect.fnUntraced(function*(options: Omit<GatewayOptions.Options, "telegram"> = {}) {
  const telegram = yield* server
  const filename = join(yield* folder, "gateway.db")
  const client = yield* start(telegram, filename, options)
  const ann = yield* logIn(telegram, client, "+15550001")
  const bob = yield* logIn(telegram, client, "+15550002")
  const chatId = yield* openChat(client, ann, bob)
  return { telegram, filename, client, ann, bob, chatId }
})

/** Updates of a session until one matches; all of them so far. */
export const hear = Effect.fnUntraced(function*(client: Client, session: string, matches: (update: any) => boolean) {
  let found: ReadonlyArray<any> = []
  yield* until(
    Effect.tap(client.call(`${session}/getUpdates`, { limit: 100 }), (updates) =>
      Effect.sync(() => {
        found = updates
      })),
    (updates) => updates.some(({ update }: any) => matches(update))
  )
  return found
})

/** `world` as a service, for the tests of one file. */
export class World extends Context.Service<World, Effect.Success<ReturnType<typeof world>>>()(
  "@effect-mtproto/gateway/test/World"
) {
  static readonly layer = (options?: Omit<GatewayOptions.Options, "telegram">) => Layer.effect(World, world(options))
}
