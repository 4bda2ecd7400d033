import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { connect } from "node:net"
import * as Support from "./support.ts"

const noop = JSON.stringify({ _: "decryptedMessageService", action: { _: "decryptedMessageActionNoop" } })

/** Says something to the server, and ends; all that comes back until the server ends too. */
const raw = (base: string, text: string | Uint8Array, end = false) =>
  Effect.promise(async () => {
    const socket = connect({ port: Number(new URL(base).port), host: "127.0.0.1", allowHalfOpen: true })
    const chunks: Array<Buffer> = []
    socket.on("data", (chunk) => chunks.push(chunk))
    socket.on("error", () => {})
    await once(socket, "connect")
    socket.write(text)
    if (end) socket.end()
    await Promise.race([once(socket, "end"), once(socket, "close")])
    socket.destroy()
    return Buffer.concat(chunks).toString()
  })

const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))

layer(Support.World.layer({ limits: { body: 20_000, bodyTime: "2 seconds", fileIdle: "2 seconds" } }), {
  excludeTestServices: true,
  timeout: "60 seconds"
})("clients of every kind", (it) => {
  it.effect("send many requests at once over one connection: answered in order, each sent once", () =>
    Effect.gen(function*() {
      const { ann, chatId, client, telegram } = yield* Support.World
      const before = yield* telegram.callCount("messages.sendEncryptedService")
      const body = `{"peer":${chatId},"message":${noop}}`
      const head = (path: string, more = "") => `POST ${path} HTTP/1.1\r\nhost: x\r\n${more}`
      const one = head(`${ann}/messages.sendEncryptedService`, "content-type: application/json\r\n") +
        `content-length: ${body.length}\r\n\r\n${body}`
      const text = yield* raw(
        client.base,
        one + one + head(`${ann}/nope.nope`, "\r\n") + one +
          `GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`
      )
      assert.deepStrictEqual(statuses(text), [200, 200, 404, 200, 200])
      assert.isBelow(text.indexOf("METHOD_UNKNOWN"), text.indexOf("\"alive\""))
      assert.strictEqual(yield* telegram.callCount("messages.sendEncryptedService"), before + 3)
    }))

  it.effect("speak old and odd forms of HTTP", () =>
    Effect.gen(function*() {
      const { ann, chatId, client } = yield* Support.World
      const path = `${ann}/messages.sendEncryptedService`
      const body = `{"peer":${chatId},"message":${noop}}`
      const json = "content-type: application/json"
      const close = "connection: close"
      const post = (headers: ReadonlyArray<string>, payload: string, version = "1.1") =>
        `POST ${path} HTTP/${version}\r\nhost: x\r\n${[...headers, close].join("\r\n")}\r\n\r\n${payload}`
      const length = `content-length: ${body.length}`
      const form = `peer=${chatId}&message=${encodeURIComponent(noop)}`
      const boundary = "--'()+_,-./:=?"
      const part = (name: string, value: string, more = "") =>
        `--${boundary}\r\ncontent-disposition: form-data; name=${name}${more}\r\n\r\n${value}\r\n`
      const multipart = `${part("\"peer\"", String(chatId))}${part("message", noop)}--${boundary}--\r\n`
      const cases: ReadonlyArray<readonly [what: string, text: string, status: number, end?: boolean]> = [
        ["HTTP/1.0", post([json, length], body, "1.0"), 200],
        ["a charset", post(["content-type: Application/JSON; charset=\"UTF-8\"", length], body), 200],
        ["no content type", post([length], body), 200],
        ["a form without content type", post([`content-length: ${form.length}`], form), 200],
        ["text", post(["content-type: text/plain", length], body), 415],
        ["another charset", post(["content-type: application/json; charset=utf-16", length], body), 415],
        [
          "latin-1",
          post([
            "content-type: application/x-www-form-urlencoded; charset=iso-8859-1",
            `content-length: ${form.length}`
          ], form),
          415
        ],
        [
          "a form",
          post(
            [`content-type: application/x-www-form-urlencoded; charset=utf-8`, `content-length: ${form.length}`],
            form
          ),
          200
        ],
        [
          "broken escapes",
          post([`content-type: application/x-www-form-urlencoded`, "content-length: 13"], "peer=%zz&a=%1"),
          400
        ],
        [
          "chunks with trailers",
          post(
            [json, "transfer-encoding: chunked", "trailer: x-a"],
            `${body.length.toString(16)};ext=1\r\n${body}\r\n0\r\nx-a: 1\r\n\r\n`
          ),
          200
        ],
        ["a wrong chunk", post([json, "transfer-encoding: chunked"], "zz\r\n{}\r\n0\r\n\r\n"), 400],
        ["length and chunks", post([json, length, "transfer-encoding: chunked"], "0\r\n\r\n"), 400],
        ["two lengths", post([json, length, "content-length: 1"], body), 400],
        ["a negative length", post([json, "content-length: -1"], body), 400],
        ["less than was said", post([json, `content-length: ${body.length + 10}`], body), 400, true],
        ["compressed", post([json, "content-encoding: gzip", length], body), 415],
        ["an unknown expectation", post([json, length, "expect: 200-ok"], body), 417],
        [
          "an odd boundary",
          post(
            [`content-type: multipart/form-data; boundary="${boundary}"`, `content-length: ${multipart.length}`],
            multipart
          ),
          200
        ],
        ["a long query", `GET ${path}?${"a=1&".repeat(1_000)} HTTP/1.1\r\nhost: x\r\n${close}\r\n\r\n`, 400],
        ["a list in a query", `GET ${path}?peer[]=1&peer[]=2 HTTP/1.1\r\nhost: x\r\n${close}\r\n\r\n`, 400],
        ["a broken query", `GET ${path}?peer=%E0%A4%A HTTP/1.1\r\nhost: x\r\n${close}\r\n\r\n`, 400],
        ["HEAD", `HEAD ${ann}/getMe HTTP/1.1\r\nhost: x\r\n${close}\r\n\r\n`, 405],
        ["OPTIONS *", `OPTIONS * HTTP/1.1\r\nhost: x\r\n${close}\r\n\r\n`, 204],
        ["an absolute URL", `GET http://x${ann}/getMe HTTP/1.1\r\nhost: x\r\n${close}\r\n\r\n`, 200],
        ["no host", `GET /health HTTP/1.1\r\n${close}\r\n\r\n`, 400],
        ["many headers", `GET /health HTTP/1.1\r\nhost: x\r\n${"x: 1\r\n".repeat(4_000)}\r\n`, 431],
        ["no HTTP", "hello\r\n\r\n", 400],
        ["TLS", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\r\n\r\n", 400]
      ]
      const wrong: Array<string> = []
      for (const [what, text, status, end] of cases) {
        const got = yield* raw(client.base, text, end)
        if (statuses(got).at(-1) !== status) wrong.push(`${what}: ${got.slice(0, 400)}`)
      }
      assert.deepStrictEqual(wrong, [])
      const patient = yield* raw(client.base, post([json, length, "expect: 100-continue"], body))
      assert.deepStrictEqual(statuses(patient), [100, 200])
      assert.strictEqual((yield* client.fetch("/ready")).status, 200)
    }))

  it.effect("ask what is possible, and are told with Allow", () =>
    Effect.gen(function*() {
      const { ann, client } = yield* Support.World
      const ask = (verb: string, path: string) =>
        raw(client.base, `${verb} ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
      const allowed = (text: string) => /^allow: (.*)\r$/im.exec(text)?.[1]
      const bodyOf = (text: string) => text.slice(text.indexOf("\r\n\r\n") + 4)
      for (const path of ["/health", "/ready", "/metrics", "/openapi.json", "/docs"]) {
        const [get, head] = [yield* ask("GET", path), yield* ask("HEAD", path)]
        assert.deepStrictEqual([statuses(get), statuses(head)], [[200], [200]], path)
        assert.strictEqual(bodyOf(head), "", path)
        for (const header of [/^content-type: .*$/im, ...path === "/metrics" ? [] : [/^content-length: .*$/im]]) {
          assert.strictEqual(header.exec(head)?.[0], header.exec(get)?.[0], path)
          assert.match(head, header)
        }
        for (const verb of ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"]) {
          const text = yield* ask(verb, path)
          assert.deepStrictEqual([statuses(text), allowed(text)], [[405], "GET, HEAD, OPTIONS"], `${verb} ${path}`)
          assert.strictEqual(JSON.parse(bodyOf(text)).parameters.type, "HTTP_METHOD_INVALID")
        }
        const options = yield* ask("OPTIONS", path)
        assert.deepStrictEqual([statuses(options), allowed(options)], [[204], "GET, HEAD, OPTIONS"])
        assert.deepStrictEqual(statuses(yield* ask("HEAD", `${path}/`)), [200])
        assert.deepStrictEqual(statuses(yield* ask("POST", `${path}/`)), [405])
        // no path but itself
        for (const other of [`/${path}`, path.toUpperCase(), `${path}/x`]) {
          for (const verb of ["GET", "HEAD", "OPTIONS"]) {
            assert.deepStrictEqual(statuses(yield* ask(verb, other)), [404], `${verb} ${other}`)
          }
        }
      }
      for (const path of [`${ann}/getMe`, "/phonelogin", "/api/5/getSelf", "/botx/madeline"]) {
        const options = yield* ask("OPTIONS", path)
        assert.deepStrictEqual([statuses(options), allowed(options)], [[204], "GET, POST, OPTIONS"])
        // what a GET does may be more than to look
        for (const verb of ["HEAD", "PUT", "PROPFIND"]) {
          const text = yield* ask(verb, path)
          assert.deepStrictEqual([statuses(text), allowed(text)], [[405], "GET, POST, OPTIONS"], `${verb} ${path}`)
        }
      }
      assert.strictEqual(allowed(yield* ask("OPTIONS", "*")), "GET, HEAD, POST, OPTIONS")
      assert.deepStrictEqual(statuses(yield* ask("OPTIONS", "/nothing")), [404])
    }))

  it.effect("call files what they like", () =>
    Effect.gen(function*() {
      const { ann, bob, chatId, client } = yield* Support.World
      const names = ["../../etc/passwd", "a\"b.txt", "имя 😀.txt", "", "x".repeat(300), "con\u0000.txt"]
      for (const name of names) {
        const form = new FormData()
        form.set("peer", String(chatId))
        form.set("caption", "file")
        form.set("file", new Blob([new Uint8Array(100)], { type: "application/x-odd; a=b" }), name)
        const { body, status } = yield* client.fetch(`${ann}/sendEncryptedFile`, { method: "POST", body: form })
        assert.isTrue(status === 200 || status === 400, `${name}: ${JSON.stringify(body)}`)
        assert.notStrictEqual(body.parameters?.type, "INTERNAL")
      }
      const found = yield* client.call(`${bob}/getSecretMessages`, { peer: chatId })
      assert.isArray(found)
    }))
})
