import * as MessageKey from "@effect-mtproto/crypto/MessageKey"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { assert, layer } from "@effect/vitest"
import { hex, mtproto, secretChats, sequence, toHex, withCrypto } from "./utils/fixtures.ts"

const SECRET_KDF = {
  v2: [
    [
      0,
      "5d8a7a5d8df6f2c1b0fc265cafce6fa489fb54fff123dd9e8ab41eeb4076911b",
      "15e6797e79c0b6fcba6bca8da1ccadcca3317c46124ca726dc0bbd310c2dfdc3"
    ],
    [
      8,
      "74c42b6c20823ec4e1660041ae95701264c4797c9969642b108cd6b3f4b3db82",
      "a119bf2e9527018c657ba17c40d58e962b3303f8f5a8df1f46fd73050c8314ad"
    ]
  ],
  v1: [
    [
      0,
      "82708bcef5d811fb01d37289199c9496bdd591523010632ad4369346c823e5e1",
      "714fe7eee437673272f4caeef925999110a3c7c1ee6154f7d54f0e44a8617abc"
    ],
    [
      8,
      "d76e1b47e451bd7ecbeb6f02d8e9839390fb0e8db5de395a295a52432c938cb5",
      "61b6a8ef23e91a154760989a14f49523b60a8f72bb35b02f56c75bc95e2af68b"
    ]
  ]
} as const

layer(NodeCrypto.layer)("MessageKey", (it) => {
  it.effect("derives the AES keys of both versions and directions", () =>
    withCrypto((crypto) => {
      for (const { authKey, msgKey, v1, v2 } of mtproto.kdf) {
        for (const { iv, key, x } of v2) {
          const aes = MessageKey.derive(crypto, hex(authKey), hex(msgKey), x)
          assert.strictEqual(toHex(aes.key), key)
          assert.strictEqual(toHex(aes.iv), iv)
        }
        for (const { iv, key, x } of v1) {
          const aes = MessageKey.deriveV1(crypto, hex(authKey), hex(msgKey), x)
          assert.strictEqual(toHex(aes.key), key)
          assert.strictEqual(toHex(aes.iv), iv)
        }
      }
      for (const [x, key, iv] of SECRET_KDF.v2) {
        const aes = MessageKey.derive(crypto, sequence(256), sequence(16, 16), x)
        assert.strictEqual(toHex(aes.key), key)
        assert.strictEqual(toHex(aes.iv), iv)
      }
      for (const [x, key, iv] of SECRET_KDF.v1) {
        const aes = MessageKey.deriveV1(crypto, sequence(256), sequence(16, 16), x)
        assert.strictEqual(toHex(aes.key), key)
        assert.strictEqual(toHex(aes.iv), iv)
      }
    }))

  it.effect("computes message keys over padding in 2.0 and without it in 1.0", () =>
    withCrypto((crypto) => {
      const key = sequence(256)
      const plaintext = hex(secretChats.notifyLayer.plaintext)
      assert.strictEqual(toHex(MessageKey.compute(crypto, key, plaintext, 0)), "7838ec3b1d4ce8b09280b701082d3914")
      assert.strictEqual(toHex(MessageKey.compute(crypto, key, plaintext, 8)), "2a902e50e84834a57a2d04ebfcf01173")
      assert.strictEqual(
        toHex(MessageKey.computeV1(crypto, plaintext.subarray(0, 72))),
        "b55d28f3b7cd58fa1a916285f425c7f5"
      )
      assert.strictEqual(
        toHex(MessageKey.computeV1(crypto, new TextEncoder().encode("bind-message-test-payload"))),
        "fc11a3669566de22b87f66550dc3de6d"
      )
      const hello = new Uint8Array(64)
      hello.set(new TextEncoder().encode("Hello, world! This data should remain secure!"))
      assert.strictEqual(
        toHex(MessageKey.computeLarge(crypto, key, hello, 0)),
        "021d57cdcecd9b33a81729d46db54019a2bfd7f744f9b96c8d744ce4734566db"
      )
    }))

  it.effect("derives the keys of two packets that TDLib made", () =>
    withCrypto((crypto) => {
      const key = hex(secretChats.tdlib.key)
      for (const packet of secretChats.tdlib.packets) {
        const plaintext = hex(packet.plaintext)
        const messageKey = MessageKey.compute(crypto, key, plaintext, 8)
        const aes = MessageKey.derive(crypto, key, messageKey, 8)
        assert.strictEqual(toHex(messageKey), packet.messageKey)
        assert.strictEqual(toHex(aes.key), packet.aesKey)
        assert.strictEqual(toHex(aes.iv), packet.aesIv)
        assert.strictEqual(toHex(crypto.aesIgeEncrypt(plaintext, aes.key, aes.iv)), packet.packet.slice(48))
        assert.strictEqual(
          toHex(crypto.aesIgeDecrypt(hex(packet.packet).subarray(24), aes.key, aes.iv)),
          packet.plaintext
        )
      }
    }))
})
