import * as SecretApi from "@effect-mtproto/core/SecretApi"
import { assert, describe, it } from "@effect/vitest"
import { fromLayout } from "../src/internal/codec.ts"
import { fromAst } from "../src/internal/fromSchema.ts"
import { frames, hex, toValue } from "./frames.ts"

const layout = fromAst(SecretApi.DecryptedMessageLayer.ast)

describe.each(["source", "closures"] as const)("frames of TDLib, %s", (mode) => {
  const codec = fromLayout(layout, mode)

  it("decode, compare, encode", () => {
    assert.strictEqual(frames.length, 87)
    for (const frame of frames) {
      assert.strictEqual(frame.plaintext.length, 4 + frame.tl.length + frame.padding)
      const value = codec.decode(frame.tl)
      assert.deepStrictEqual(value, toValue(layout, frame.object))
      assert.deepStrictEqual(codec.encode(value), frame.tl)
    }
  })

  it("the first message of a chat", () => {
    const bytes = hex(
      "8917e31b1faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa490000000000000001000000604116730807060504030201838804f390000000"
    )
    const value = {
      _tag: "decryptedMessageLayer",
      randomBytes: new Uint8Array(31).fill(0xaa),
      layer: 73,
      inSeqNo: 0,
      outSeqNo: 1,
      message: {
        _tag: "decryptedMessageService",
        randomId: 0x0102030405060708n,
        action: { _tag: "decryptedMessageActionNotifyLayer", layer: 144 }
      }
    }
    assert.deepStrictEqual(codec.encode(value), bytes)
    assert.deepStrictEqual(codec.decode(bytes), value)
  })

  it("a text message of layer 144", () => {
    const bytes = hex(
      "8917e31b1faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa9000000002000000030000007446cc91000000001817161514131211000000000654657374313200"
    )
    const value = {
      _tag: "decryptedMessageLayer",
      randomBytes: new Uint8Array(31).fill(0xaa),
      layer: 144,
      inSeqNo: 2,
      outSeqNo: 3,
      message: { _tag: "decryptedMessage", randomId: 0x1112131415161718n, ttl: 0, message: "Test12" }
    }
    assert.deepStrictEqual(codec.encode(value), bytes)
    assert.deepStrictEqual(codec.decode(bytes), value)
  })

  it("a message of layer 46", () => {
    const bytes = hex(
      "8917e31b0ff1c770b657c36af705bdaca4be2c0b2e0000000100000062000000de91b0360000000038507c7cd5fa6f7c000000000654657374313200"
    )
    const value = codec.decode(bytes)
    assert.deepStrictEqual(value, {
      _tag: "decryptedMessageLayer",
      randomBytes: hex("f1c770b657c36af705bdaca4be2c0b"),
      layer: 46,
      inSeqNo: 1,
      outSeqNo: 98,
      message: { _tag: "decryptedMessage_45", randomId: 0x7c6ffad57c7c5038n, ttl: 0, message: "Test12" }
    })
    assert.deepStrictEqual(codec.encode(value), bytes)
  })
})
