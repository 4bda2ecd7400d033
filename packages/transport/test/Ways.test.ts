import * as Api from "@effect-mtproto/core/Api"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { hmacSha256 } from "../src/internal/fakeTls.ts"
import * as Tunnel from "../src/internal/tunnel.ts"
import type * as MtprotoTransport from "../src/MtprotoTransport.ts"
import * as Proxy from "../src/Proxy.ts"
import * as WebSockets from "../src/WebSockets.ts"
import { fromHex, toHex } from "./utils/bytes.ts"
import { withCrypto } from "./utils/check.ts"
import { makeClient } from "./utils/live.ts"
import * as Proxies from "./utils/proxies.ts"

const getConfig = Api.help.getConfig()

const live = <A, E>(name: string, run: Effect.Effect<A, E, TestServer.TestServer | Crypto | Scope.Scope>) =>
  it.live(name, () => run.pipe(Effect.scoped, Effect.provide([TestServer.layer(), NodeCrypto.layer])))

/** A client that is connected this way can call, answers of all sizes included. */
const works = Effect.fnUntraced(function*(options: Partial<MtprotoTransport.Options>) {
  const server = yield* TestServer.TestServer
  const client = yield* makeClient({ ...options, callTimeout: "10 seconds" })
  yield* server.answer(Api.messages.getDhConfig, ({ randomLength }) => ({
    _tag: "messages.dhConfigNotModified",
    random: new Uint8Array(randomLength).fill(5)
  }))
  for (const randomLength of [0, 300, 70_000]) {
    const { random } = yield* client.transport.invoke(Api.messages.getDhConfig({ version: 0, randomLength }))
    assert.strictEqual(random.length, randomLength)
  }
  return client
})

describe("MtprotoTransport: framings", () => {
  for (const framing of ["abridged", "intermediate", "padded", "full"] as const) {
    for (const obfuscated of framing === "full" ? [false] : [true, false]) {
      live(`${framing}${obfuscated ? ", obfuscated" : ""}`, works({ framing, obfuscated }))
    }
  }

  live(
    "what contradicts itself is refused",
    Effect.gen(function*() {
      const error = yield* Effect.flip(makeClient({ framing: "full" }))
      assert.deepInclude(error, { _tag: "TransportError", reason: "configuration" })
      const proxy = Result.getOrThrow(
        Proxy.mtproto({ host: "127.0.0.1", port: 1, secret: Redacted.make("00".repeat(16)) })
      )
      assert.deepInclude(yield* Effect.flip(makeClient({ obfuscated: false, proxy })), { reason: "configuration" })
    })
  )
})

describe("MtprotoTransport: WebSockets", () => {
  live(
    "in place of TCP",
    Effect.provide(works({}), WebSockets.layer({ url: WebSockets.plainUrlOf }))
  )

  it("Telegram's are found by name", () => {
    assert.strictEqual(WebSockets.urlOf({ id: 2, host: "x", port: 1 }), "wss://venus.web.telegram.org/apiws")
    assert.strictEqual(
      WebSockets.urlOf({ id: 1, host: "x", port: 1 }, { testServers: true }),
      "wss://pluto.web.telegram.org/apiws_test"
    )
    assert.strictEqual(WebSockets.urlOf({ id: 9, host: "::1", port: 5 }), "ws://[::1]:5/apiws")
  })
})

describe("MtprotoTransport: IPv6", () => {
  it.live("an address of it", () =>
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      assert.strictEqual(server.host, "::1")
      yield* works({})
    }).pipe(Effect.scoped, Effect.provide(TestServer.layer({ host: "::1" }))))
})

const secret = fromHex("00112233445566778899aabbccddeeff")

const mtproto = (running: Proxies.Running, text: string) =>
  Result.getOrThrow(Proxy.mtproto({ host: running.host, port: running.port, secret: Redacted.make(text) }))

describe("MtprotoTransport: proxies", () => {
  live(
    "SOCKS5, without and with a password",
    Effect.gen(function*() {
      const open = yield* Proxies.socks5()
      yield* works({ proxy: { _tag: "Socks5", ...open } })
      assert.deepStrictEqual(open.asked, ["1.127.0.0.1"])
      const closed = yield* Proxies.socks5({ username: "ann", password: "secret" })
      const login = { username: "ann", password: Redacted.make("secret") }
      yield* works({ proxy: { _tag: "Socks5", ...closed, ...login } })
    })
  )

  live(
    "HTTP, without and with a password",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      const open = yield* Proxies.http()
      yield* works({ proxy: { _tag: "Http", ...open } })
      assert.deepStrictEqual(open.asked, [`CONNECT 127.0.0.1:${server.port} HTTP/1.1`])
      const closed = yield* Proxies.http("ann:secret")
      yield* works({ proxy: { _tag: "Http", ...closed, username: "ann", password: Redacted.make("secret") } })
    })
  )

  live(
    "MTProto, plain, with padding, and as TLS",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      const crypto = yield* Crypto
      const plain = yield* Proxies.mtproto(crypto, { secret, server })
      yield* works({ proxy: mtproto(plain, toHex(secret)) })
      assert.deepStrictEqual(plain.asked, ["intermediate 2"])
      const padded = yield* Proxies.mtproto(crypto, { secret, server })
      yield* works({ proxy: mtproto(padded, `dd${toHex(secret)}`) })
      assert.deepStrictEqual(padded.asked, ["padded intermediate 2"])
      const tls = yield* Proxies.mtproto(crypto, { secret, server, domain: "www.example.org" })
      const domain = toHex(new TextEncoder().encode("www.example.org"))
      yield* works({ proxy: mtproto(tls, `ee${toHex(secret)}${domain}`) })
      assert.deepStrictEqual(tls.asked, ["hello", "record 20", "padded intermediate 2"])
    })
  )

  live(
    "that refuse: the call ends in time, and says why",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      const crypto = yield* Crypto
      const socks = yield* Proxies.socks5({ username: "ann", password: "secret" })
      const login = { username: "ann", password: Redacted.make("wrong") }
      const http = yield* Proxies.http("ann:secret")
      const tls = yield* Proxies.mtproto(crypto, { secret, server, domain: "a.example" })
      const refused = Effect.fnUntraced(function*(proxy: Proxy.Proxy) {
        const client = yield* makeClient({ proxy })
        const error = yield* Effect.flip(client.transport.invoke(getConfig, { timeout: "1 second" }))
        assert.strictEqual(error._tag === "TransportError" ? error.reason : error._tag, "unreachable")
        assert.notInclude(error.message, "wrong")
        return error.message
      })
      assert.include(yield* refused({ _tag: "Socks5", ...socks, ...login }), "user name and password")
      assert.include(yield* refused({ _tag: "Socks5", host: socks.host, port: socks.port }), "another way to log in")
      assert.include(yield* refused({ _tag: "Http", ...http, ...login }), "user name and password")
      yield* refused({ _tag: "Socks5", host: http.host, port: http.port })
      const domain = toHex(new TextEncoder().encode("a.example"))
      yield* refused(mtproto(tls, `ee${"11".repeat(16)}${domain}`))
      assert.include(tls.asked, "stranger")
    })
  )
})

describe("Proxy", () => {
  const read = (url: string) => Proxy.fromUrl(Redacted.make(url))

  it("links and URLs", () => {
    assert.deepStrictEqual(Result.getOrThrow(read("socks5://10.0.0.1")), {
      _tag: "Socks5",
      host: "10.0.0.1",
      port: 1080
    })
    const http = Result.getOrThrow(read("http://ann:s%20t@[::1]:3128"))
    assert.deepInclude(http, { _tag: "Http", host: "::1", port: 3128, username: "ann" })
    assert.strictEqual(http._tag === "Http" ? Redacted.value(http.password!) : "", "s t")
    for (
      const url of [
        `tg://proxy?server=p.example&port=443&secret=dd${toHex(secret)}`,
        `https://t.me/proxy?server=p.example&port=443&secret=dd${toHex(secret)}`,
        "tg://proxy?server=p.example&port=443&secret=3QARIjNEVWZ3iJmqu8zd7v8"
      ]
    ) {
      const proxy = Result.getOrThrow(read(url))
      assert.deepInclude(proxy, { _tag: "Mtproto", host: "p.example", port: 443, padded: true })
      assert.deepStrictEqual(proxy._tag === "Mtproto" ? Redacted.value(proxy.secret) : undefined, secret)
    }
    const tls = Result.getOrThrow(read(`tg://proxy?server=p&port=1&secret=ee${toHex(secret)}612e6578616d706c65`))
    assert.deepInclude(tls, { domain: "a.example" })
    assert.deepInclude(Result.getOrThrow(read("tg://socks?server=s&port=9&user=u&pass=p")), { username: "u", port: 9 })
  })

  it("what is none", () => {
    for (
      const url of [
        "",
        "nonsense",
        "ftp://x",
        "https://t.me/other?server=s&port=1",
        "tg://proxy?server=s&port=0&secret=00",
        "tg://proxy?server=s&port=1&secret=00",
        `tg://proxy?server=s&port=1&secret=ee${toHex(secret)}`,
        `tg://proxy?server=s&port=1&secret=cc${toHex(secret)}`
      ]
    ) {
      const proxy = read(url)
      assert.isTrue(Result.isFailure(proxy), url)
      if (Result.isFailure(proxy) && url !== "") assert.notInclude(JSON.stringify(proxy.failure), url)
    }
  })
})

describe("what is said to proxies", () => {
  const target = { host: "2001:67c:4e8:f002::a", port: 443 }

  it("SOCKS5: byte by byte, however the answers are cut", () => {
    const tunnel = Tunnel.socks5(target, { username: "u", password: "pw" })
    assert.strictEqual(toHex(tunnel.first), "05020002")
    const sent: Array<string> = []
    let rest: Uint8Array | undefined
    for (const byte of fromHex("0502" + "0100" + "0500000161626364" + "0050" + "ff")) {
      if (rest !== undefined) break
      const step = tunnel.push(Uint8Array.of(byte))
      if (step._tag === "More" && step.send !== undefined) sent.push(toHex(step.send))
      if (step._tag === "Open") rest = step.rest
    }
    assert.deepStrictEqual(sent, ["010175027077", "05010004" + "2001067c04e8f002000000000000000a" + "01bb"])
    assert.deepStrictEqual(rest, new Uint8Array(0))
    const named = Tunnel.socks5({ host: "a.b", port: 1 }, undefined)
    const step = named.push(fromHex("0500"))
    assert.strictEqual(step._tag === "More" ? toHex(step.send!) : "", "0501000303612e620001")
    const open = named.push(fromHex("05000003026162005099"))
    assert.deepStrictEqual(open, { _tag: "Open", rest: Uint8Array.of(0x99) })
  })

  it("nonsense ends in a reason, and does not pile up", () => {
    for (const make of [() => Tunnel.socks5(target, undefined), () => Tunnel.http(target, undefined)]) {
      for (const bytes of [new Uint8Array(64).fill(0x41), fromHex("04000000"), new Uint8Array(100_000).fill(0x20)]) {
        const tunnel = make()
        let step = tunnel.push(bytes)
        for (let i = 0; i < 5_000 && step._tag === "More"; i++) step = tunnel.push(bytes)
        assert.strictEqual(step._tag, "Failed")
      }
    }
  })

  it("HTTP: what follows the answer belongs to the server", () => {
    const tunnel = Tunnel.http(target, { username: "u", password: "p" })
    assert.strictEqual(
      new TextDecoder().decode(tunnel.first),
      "CONNECT [2001:67c:4e8:f002::a]:443 HTTP/1.1\r\nHost: [2001:67c:4e8:f002::a]:443\r\n" +
        "Proxy-Authorization: Basic dTpw\r\n\r\n"
    )
    const step = tunnel.push(new TextEncoder().encode("HTTP/1.0 200 ok\r\n\r\nrest"))
    assert.deepStrictEqual(step, { _tag: "Open", rest: new TextEncoder().encode("rest") })
  })

  withCrypto("HMAC-SHA-256 (RFC 4231, test cases 1 and 6)", (crypto) => {
    assert.strictEqual(
      toHex(hmacSha256(crypto, new Uint8Array(20).fill(0x0b), new TextEncoder().encode("Hi There"))),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    )
    assert.strictEqual(
      toHex(hmacSha256(
        crypto,
        new Uint8Array(131).fill(0xaa),
        new TextEncoder().encode("Test Using Larger Than Block-Size Key - Hash Key First")
      )),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    )
  })
})
