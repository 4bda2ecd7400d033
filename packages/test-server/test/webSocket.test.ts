import type { Crypto as Service } from "@effect-mtproto/crypto/Crypto"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as WebSocket from "../src/internal/webSocket.ts"

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0))
const text = (data: Uint8Array | undefined): string => String.fromCharCode(...(data ?? []))

/** The request of RFC 6455, section 1.3, for our path and subprotocol. */
const request = (change: (lines: Array<string>) => Array<string> = (lines) => lines): Uint8Array =>
  bytes(
    `${
      change([
        "GET /apiws HTTP/1.1",
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: chat, binary",
        "Sec-WebSocket-Version: 13"
      ]).join("\r\n")
    }\r\n\r\n`
  )

const MASK = [0x37, 0xfa, 0x21, 0x3d]

const frame = (opcode: number, payload: Uint8Array, final = true): Uint8Array => {
  const { length } = payload
  const size = length < 126 ? [length] : [126, length >> 8, length & 255]
  return Uint8Array.of(
    (final ? 128 : 0) | opcode,
    128 | size[0]!,
    ...size.slice(1),
    ...MASK,
    ...payload.map((byte, i) => byte ^ MASK[i & 3]!)
  )
}

const withWire = (name: string, run: (make: () => WebSocket.Wire) => void) =>
  it.effect(name, () =>
    Effect.gen(function*() {
      const crypto: Service["Service"] = yield* Crypto
      run(() => WebSocket.make(crypto, 1_000))
    }).pipe(Effect.provide(NodeCrypto.layer)))

describe("WebSocket", () => {
  withWire("the answer of RFC 6455, and frames after it", (make) => {
    const wire = make()
    const answer = text(wire.push(request()).reply)
    assert.match(answer, /^HTTP\/1\.1 101 /)
    assert.include(answer, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
    assert.include(answer, "\r\nSec-WebSocket-Protocol: binary\r\n")
    // the masked frame of section 5.7
    const hello = Uint8Array.of(0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58)
    assert.deepStrictEqual(wire.push(hello).data.map(text), ["Hello"])
    assert.deepStrictEqual(wire.wrap(bytes("Hello")), Uint8Array.of(0x82, 5, ...bytes("Hello")))
    assert.deepStrictEqual([...wire.wrap(new Uint8Array(300))].slice(0, 4), [0x82, 126, 1, 44])
    assert.deepStrictEqual([...wire.wrap(new Uint8Array(70_000))].slice(0, 10), [0x82, 127, 0, 0, 0, 0, 0, 1, 17, 112])
  })

  withWire("however it is cut, in fragments, with pings between", (make) => {
    const payload = Uint8Array.from({ length: 400 }, (_, i) => i & 255)
    const stream = Uint8Array.of(
      ...request(),
      ...frame(2, payload.subarray(0, 100), false),
      ...frame(9, bytes("ping")),
      ...frame(0, payload.subarray(100)),
      ...frame(10, new Uint8Array(0))
    )
    for (const step of [1, 3, 100, stream.length]) {
      const wire = make()
      const out: Array<number> = []
      let replies = ""
      for (let i = 0; i < stream.length; i += step) {
        const { data, end, reply } = wire.push(stream.subarray(i, i + step))
        for (const part of data) out.push(...part)
        replies += text(reply)
        assert.isFalse(end)
      }
      assert.deepStrictEqual(Uint8Array.from(out), payload)
      assert.include(replies, "\x8a\x04ping")
    }
  })

  withWire("a close is answered, and ends it", (make) => {
    const wire = make()
    wire.push(request())
    const { data, end, reply } = wire.push(Uint8Array.of(...frame(2, bytes("x")), ...frame(8, new Uint8Array(0))))
    assert.deepStrictEqual(data.map(text), ["x"])
    assert.deepStrictEqual([...reply!], [0x88, 2, 0x03, 0xe8])
    assert.isTrue(end)
    assert.deepStrictEqual(wire.push(bytes("more")), { data: [], reply: undefined, end: false })
  })

  withWire("requests for something else are refused", (make) => {
    const without = (word: string) => (lines: Array<string>) => lines.filter((line) => !line.includes(word))
    for (const word of ["Upgrade:", "Connection:", "Key", "Protocol", "Version"]) {
      const { end, reply } = make().push(request(without(word)))
      assert.match(text(reply), /^HTTP\/1\.1 400 /, word)
      assert.isTrue(end)
    }
    const elsewhere = request((lines) => ["GET /other HTTP/1.1", ...lines.slice(1)])
    assert.match(text(make().push(elsewhere).reply), / 400 /)
    const endless = make().push(Uint8Array.of(...bytes("GET /"), ...new Uint8Array(9_000).fill(0x61)))
    assert.match(text(endless.reply), / 431 /)
  })

  withWire("frames without a mask, and frames that are too long, end it", (make) => {
    for (const bad of [Uint8Array.of(0x82, 1, 0), Uint8Array.of(0x82, 0xfe, 0xff, 0xff), frame(1, bytes("text"))]) {
      const wire = make()
      wire.push(request())
      assert.isTrue(wire.push(bad).end)
    }
  })

  withWire("everything else is left as it is", (make) => {
    const wire = make()
    assert.deepStrictEqual(wire.push(bytes("GE")), { data: [], reply: undefined, end: false })
    assert.deepStrictEqual(wire.push(bytes("X")).data.map(text), ["GEX"])
    assert.deepStrictEqual(wire.push(bytes("GET ")).data.map(text), ["GET "])
    assert.deepStrictEqual(wire.wrap(bytes("out")), bytes("out"))
  })
})
