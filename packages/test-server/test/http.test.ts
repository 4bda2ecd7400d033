import * as Api from "@effect-mtproto/core/Api"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Agent, request } from "node:http"
import { connect } from "node:net"
import { Client, logIn } from "./support/client.ts"
import { withServer } from "./support/fixture.ts"
import { exchange } from "./support/keyExchange.ts"
import { arrivals, type Wire } from "./support/wire.ts"

interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: Uint8Array
}

const ask = (
  server: { readonly host: string; readonly port: number },
  options: { readonly method?: string; readonly path?: string; readonly body?: Uint8Array; readonly agent?: Agent }
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = request({
      host: server.host,
      port: server.port,
      method: options.method ?? "POST",
      path: options.path ?? "/api",
      agent: options.agent,
      headers: options.body === undefined ? {} : { "Content-Length": options.body.length }
    }, (response) => {
      const chunks: Array<Uint8Array> = []
      response.on("data", (chunk: Uint8Array) => chunks.push(chunk))
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: new Uint8Array(Buffer.concat(chunks))
        }))
    })
    sent.on("error", reject)
    sent.end(options.body)
  })

/** A client's connections: one request for each packet, over as many sockets as it takes. */
const wire = (server: { readonly host: string; readonly port: number }, asked: Array<Answer> = []) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const agent = new Agent({ keepAlive: true })
      const { emit, next, subscribe } = arrivals()
      const made: Wire = {
        socket: undefined as never,
        send: (body) => {
          ask(server, { body, agent }).then((answer) => {
            asked.push(answer)
            if (answer.status !== 200) emit({ _tag: "TransportError", code: -answer.status })
            else if (answer.body.length > 0) emit({ _tag: "Packet", payload: answer.body, quickAck: false })
          }, () => emit({ _tag: "Closed" }))
        },
        sendRaw: () => undefined,
        next,
        subscribe,
        close: () => agent.destroy()
      }
      return made
    }),
    ({ close }) => Effect.sync(close)
  )

const httpWait = (maxWait: number, maxDelay = 0, waitAfter = 0) =>
  TlCodec.encode(MtprotoApi.http_wait)({ _tag: "http_wait", maxDelay, waitAfter, maxWait })

const start = (server: Parameters<typeof logIn>[0], crypto: Client["crypto"], asked: Array<Answer> = []) =>
  Effect.gen(function*() {
    const over = yield* wire(server, asked)
    const made = yield* exchange(crypto, over, { publicKey: server.publicKeys[0]!, dc: server.dcId })
    return new Client(crypto, over, made.key, made.salt)
  })

describe("HTTP", () => {
  withServer("a key is made, and calls are answered, over requests", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* start(server, crypto)
      const user = yield* logIn(server, client, "9996620001")
      assert.strictEqual(user.phone, "9996620001")
      const config = yield* client.call(Api.help.getConfig())
      assert.strictEqual(config._tag, "config")
    }))

  withServer("an update comes over the request that waits", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* start(server, crypto)
      yield* logIn(server, client, "9996620002")
      yield* server.createAccount({ phone: "9996620003", firstName: "b" })
      yield* client.call(Api.updates.getState())
      client.send(httpWait(25_000, 5, 5), { content: false })
      // the answers of both calls must not use up the request that waits
      yield* client.call(Api.help.getConfig())
      yield* server.sendMessage("9996620003", "9996620002", "hello")
      const update = yield* client.takeFirst((message) => message.updates)
      assert.include(JSON.stringify(update, (_, value) => typeof value === "bigint" ? `${value}` : value), "hello")
    }))

  withServer(
    "a wait ends with nothing, and what brings no query is answered at once",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const asked: Array<Answer> = []
        const client = yield* start(server, crypto, asked)
        yield* client.call(Api.help.getNearestDc()).pipe(Effect.exit)
        const acks = TlCodec.encode(MtprotoApi.msgs_ack)({ _tag: "msgs_ack", msgIds: client.received })
        const before = asked.length
        client.send(acks, { content: false })
        while (asked.length < before + 1) yield* Effect.yieldNow
        assert.deepStrictEqual([asked[before]!.status, asked[before]!.body.length], [200, 0])
        client.send(httpWait(1), { content: false })
        while (asked.length < before + 2) yield* Effect.yieldNow
        assert.deepStrictEqual([asked[before + 1]!.status, asked[before + 1]!.body.length], [200, 0])
      })
  )

  withServer(
    "an unknown key is the status 404; what is no packet, no path, no method is refused",
    ({ server }) =>
      Effect.gen(function*() {
        const status = (options: Parameters<typeof ask>[1]) =>
          Effect.map(Effect.promise(() => ask(server, options)), (answer) => answer.status)
        assert.strictEqual(yield* status({ body: new Uint8Array(104).fill(7) }), 404)
        // as a client behind a caching proxy writes it
        assert.strictEqual(yield* status({ body: new Uint8Array(4), path: "HTTP://127.0.0.1:80/api" }), 400)
        assert.strictEqual(yield* status({ body: new Uint8Array(4) }), 400)
        assert.strictEqual(yield* status({ body: new Uint8Array(0) }), 400)
        assert.strictEqual(yield* status({ body: new Uint8Array(40), path: "/other" }), 404)
        assert.strictEqual(yield* status({ method: "HEAD" }), 405)
        assert.strictEqual(yield* status({ body: new Uint8Array(2 * 1024 * 1024 + 4) }), 413)
      })
  )

  withServer("a page of another origin may ask", ({ server }) =>
    Effect.gen(function*() {
      const answer = yield* Effect.promise(() => ask(server, { method: "OPTIONS", path: "/apiw1" }))
      assert.strictEqual(answer.status, 204)
      assert.strictEqual(answer.headers["access-control-allow-origin"], "*")
      assert.strictEqual(answer.headers["access-control-allow-methods"], "POST, OPTIONS")
    }))

  const closes: ReadonlyArray<readonly [string, string]> = [
    ["a head that does not end", `POST /api HTTP/1.1\r\nX: ${"x".repeat(20_000)}`],
    ["what is no request", "POST \r\n\r\n\r\n"],
    ["a length that is none", "POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"]
  ]
  for (const [what, text] of closes) {
    withServer(`${what} ends the connection`, ({ server }) =>
      Effect.callback<void>((resume) => {
        const socket = connect(server.port, server.host, () => socket.write(text))
        socket.on("error", () => undefined)
        socket.on("close", () => resume(Effect.void))
      }).pipe(
        Effect.andThen(Effect.promise(() => ask(server, { method: "OPTIONS" }))),
        Effect.map(({ status }) => assert.strictEqual(status, 204))
      ))
  }
})
