import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as TlId from "@effect-mtproto/core/TlId"
import { TlReader } from "@effect-mtproto/core/TlReader"
import { assert, describe, it } from "@effect/vitest"
import type { ConstructorLayout } from "../src/internal/layout.ts"
import { printConstructor } from "../src/internal/print.ts"
import { hex } from "./frames.ts"
import { constructorsOf } from "./ids.ts"

const constructors = constructorsOf(MtprotoApi)

describe("MtprotoApi", () => {
  it("every id is the CRC-32 of its line", () => {
    assert.strictEqual(constructors.size, 52)
    // Its id was made with the name of the constructor in place of the bare type.
    const line = (c: ConstructorLayout) => printConstructor(c).replace("%Message", "message")
    const different = [...constructors.values()].filter((c) => TlId.compute(line(c)) !== c.id)
    assert.deepStrictEqual(different.map((c) => c.tag), [])
  })

  it("resPQ, from the unencrypted packet of the documentation", () => {
    const packet = hex(
      "000000000000000001c8831ec97ae55140000000632416053e0549828cca27e966b301a48fece2fca5cf4d33f4a11ea877ba4aa5739073300817ed48941a08f98100000015c4b51c01000000216be86c022bb4c3"
    )
    const value = TlCodec.decode(MtprotoApi.resPQ)(packet.subarray(20))
    assert.deepStrictEqual(value, {
      _tag: "resPQ",
      nonce: hex("3e0549828cca27e966b301a48fece2fc"),
      serverNonce: hex("a5cf4d33f4a11ea877ba4aa573907330"),
      pq: hex("17ed48941a08f981"),
      serverPublicKeyFingerprints: [BigInt.asIntN(64, 0xc3b42b026ce86b21n)]
    })
    assert.deepStrictEqual(TlCodec.encode(MtprotoApi.resPQ)(value), packet.slice(20))
  })

  it("an answer with bytes behind it, as servers send them", () => {
    const bytes = new Uint8Array([
      ...TlCodec.encode(MtprotoApi.req_pq)({ _tag: "req_pq", nonce: new Uint8Array(16) }),
      1,
      2,
      3
    ])
    const reader = new TlReader(bytes)
    assert.strictEqual(TlCodec.make(MtprotoApi.HandshakeRequest).read(reader)._tag, "req_pq")
    assert.strictEqual(reader.remaining, 3)
  })

  it("containers: a bare vector of bare messages, whose bodies stay bytes", () => {
    const pong = TlCodec.encode(MtprotoApi.pong)({ _tag: "pong", msgId: 1n, pingId: 2n })
    const value: MtprotoApi.msg_container = {
      _tag: "msg_container",
      messages: [
        { _tag: "message", msgId: 5n, seqno: 1, body: pong },
        { _tag: "message", msgId: 9n, seqno: 2, body: new Uint8Array(0) }
      ]
    }
    const bytes = TlCodec.encode(MtprotoApi.ServerMessage)(value)
    assert.deepStrictEqual(
      bytes,
      hex(
        "dcf8f173 02000000 0500000000000000 01000000 14000000 c5737734 0100000000000000 0200000000000000 0900000000000000 02000000 00000000"
      )
    )
    assert.deepStrictEqual(TlCodec.decode(MtprotoApi.ServerMessage)(bytes), value)
  })

  it("future salts: a bare vector of bare objects", () => {
    const value: MtprotoApi.future_salts = {
      _tag: "future_salts",
      reqMsgId: 1n,
      now: 2,
      salts: [{ _tag: "future_salt", validSince: 3, validUntil: 4, salt: 5n }]
    }
    const bytes = TlCodec.encode(MtprotoApi.future_salts)(value)
    assert.deepStrictEqual(
      bytes,
      hex("950850ae 0100000000000000 02000000 01000000 03000000 04000000 0500000000000000")
    )
    assert.deepStrictEqual(TlCodec.decode(MtprotoApi.future_salts)(bytes), value)
  })

  it("the result of a request is all that follows", () => {
    const value: MtprotoApi.rpc_result = { _tag: "rpc_result", reqMsgId: 7n, result: hex("b5757299") }
    const bytes = TlCodec.encode(MtprotoApi.rpc_result)(value)
    assert.deepStrictEqual(bytes, hex("016d5cf3 0700000000000000 b5757299"))
    assert.deepStrictEqual(TlCodec.decode(MtprotoApi.rpc_result)(bytes), value)
  })

  it("ids tell service messages from the API", () => {
    const id = MtprotoApi.idOf(hex("016d5cf3"))!
    assert.strictEqual(id, 0xf35c6d01)
    assert.isTrue(MtprotoApi.isServerMessage(id))
    assert.isFalse(MtprotoApi.isClientMessage(id))
    assert.isTrue(MtprotoApi.isClientMessage(0x7abe77ec))
    assert.isFalse(MtprotoApi.isServerMessage(0x74ae4240))
    assert.isUndefined(MtprotoApi.idOf(hex("016d5c")))
  })
})
