import { DecryptedMessage, SecretApi, TlCodec } from "@effect-mtproto/core"
import { RawMessage } from "@effect-mtproto/secret-chats"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result } from "effect"

const encode = TlCodec.encode(SecretApi.DecryptedMessage)
const layer = (message: SecretApi.DecryptedMessage) =>
  TlCodec.encode(SecretApi.DecryptedMessageLayer)({
    _tag: "decryptedMessageLayer",
    randomBytes: new Uint8Array(16),
    layer: 8,
    inSeqNo: 77,
    outSeqNo: 99,
    message
  })

describe("RawMessage", () => {
  it.prop("the message of any constructor, also with a layer around it", [
    Arbitrary.schema(SecretApi.DecryptedMessage)
  ], ([message]) => {
    const { randomId, ...rest } = DecryptedMessage.fromWire(message)
    const expected = Result.succeed(randomId === 0n ? rest : { ...rest, randomId })
    assert.deepStrictEqual(RawMessage.fromBytes(encode(message)), expected as never)
    assert.deepStrictEqual(RawMessage.fromBytes(layer(message)), expected as never)
  })

  it("anything else is refused, and says why", () => {
    const whole = encode({ _tag: "decryptedMessage", randomId: 1n, ttl: 0, message: "x" })
    const frame = new Uint8Array(8 + 16 + 64).fill(0x5a)
    for (const bytes of [new Uint8Array(0), frame, whole.subarray(0, -4), Uint8Array.of(...whole, 0, 0, 0, 0)]) {
      const result = RawMessage.fromBytes(bytes)
      assert(Result.isFailure(result))
      assert.match(
        result.failure.message,
        /at data, cannot be sent: this is no serialised DecryptedMessage\. What is encrypted/
      )
    }
    const large = RawMessage.fromBytes(new Uint8Array(2 ** 20 + 1))
    assert(Result.isFailure(large))
    assert.match(large.failure.message, /more than 1048576 bytes/)
  })
})
