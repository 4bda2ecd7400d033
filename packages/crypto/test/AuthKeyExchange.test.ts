import * as AuthKeyExchange from "@effect-mtproto/crypto/AuthKeyExchange"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import { assert, layer } from "@effect/vitest"
import { Result } from "effect"
import { counting, hex, mtproto, sequence, toHex, withCrypto } from "./utils/fixtures.ts"

const TEMPORARY = [
  {
    serverNonce: toHex(sequence(16)),
    newNonce: toHex(sequence(32)),
    key: "0758f1533b615d24f6e8a94a6fcbee0a55eaab2217d7295ca9213d1a2d7d16a6",
    iv: "5a84108e9805656ce864070e166e6218f6783e8511471a5ab7802cf200010203"
  },
  {
    serverNonce: `00${toHex(sequence(15, 0x21))}`,
    newNonce: toHex(sequence(32)),
    key: "0a2d0f607499a866848e41798a34315e4922c39fe55c6caf5bc322c4b8c08c6a",
    iv: "9cb702d4fd6e5d25e864070e166e6218f6783e8511471a5ab7802cf200010203"
  },
  {
    serverNonce: "a5cf4d33f4a11ea877ba4aa573907330",
    newNonce: "311c85db234aa2640afc4a76a735cf5b1f0fd68bd17fa181e1229ad867cc024d",
    key: "f011280887c7bb01df0fc4e17830e0b91fbb8be4b2267cb985ae25f33b527253",
    iv: "3212d579ee35452ed23e0d0c92841aa7d31b2e9bdef2151e80d15860311c85db"
  },
  {
    serverNonce: "8af24c551836e5ed7002f5857e6e71b2",
    newNonce: "3bf48b2d3152f383d82d1f2b32ac7fb5",
    key: "b0b5ffeadff0249fa6292f5ae0351556fd6619ba5dd4809601669292456d3e5a",
    iv: "13fef5bfd8c46b12dfd1753013b86cc012e1ce8ed6f8ecdd7bf36f3a3bf48b2d"
  },
  {
    serverNonce: mtproto.handshake.serverNonce,
    newNonce: mtproto.handshake.newNonce,
    key: mtproto.handshake.tmpKey,
    iv: mtproto.handshake.tmpIv
  }
]

layer(NodeCrypto.layer)("AuthKeyExchange", (it) => {
  it.effect("derives temporary keys", () =>
    withCrypto((crypto) => {
      for (const { iv, key, newNonce, serverNonce } of TEMPORARY) {
        const aes = AuthKeyExchange.temporaryAesKey(crypto, { newNonce: hex(newNonce), serverNonce: hex(serverNonce) })
        assert.deepStrictEqual([toHex(aes.key), toHex(aes.iv)], [key, iv])
      }
    }))

  it.effect("computes nonce hashes and the first salt", () =>
    withCrypto((crypto) => {
      const known = [
        [toHex(sequence(256)), toHex(sequence(32)), [
          "c2ced2b33e593a55d27f4a5dabee7c67",
          "f4318e85bd2ff3be84d9fefce3dce39f",
          "4bf9d7b37db413ee431d28517631cb3d"
        ]],
        [mtproto.handshake.authKey, mtproto.handshake.newNonce, [
          mtproto.handshake.hash1,
          mtproto.handshake.hash2,
          mtproto.handshake.hash3
        ]]
      ] as const
      for (const [authKey, newNonce, hashes] of known) {
        const key = SharedKey.make(crypto, hex(authKey))
        const actual = ([1, 2, 3] as const).map((n) =>
          toHex(AuthKeyExchange.newNonceHash(crypto, hex(newNonce), n, key))
        )
        assert.deepStrictEqual(actual, [...hashes])
      }
      const { newNonce, serverNonce } = mtproto.handshake
      const salt = AuthKeyExchange.serverSalt({ newNonce: hex(newNonce), serverNonce: hex(serverNonce) })
      assert.strictEqual(salt, -97066050441302190n)
    }))

  it.effect("opens the inner data of a recorded handshake and seals it to the same bytes", () =>
    withCrypto((crypto) => {
      const { answerSha1, clientEncrypted, clientPadding, encryptedAnswer, gA, gB, tmpIv, tmpKey } = mtproto.handshake
      const aes = { key: hex(tmpKey), iv: hex(tmpIv) }
      const answer = Result.getOrThrow(AuthKeyExchange.openInner(crypto, aes, hex(encryptedAnswer)))
      assert.deepStrictEqual([answer.length, toHex(crypto.sha1(answer))], [564, answerSha1])
      assert.include(toHex(answer), gA)
      assert.strictEqual(
        toHex(AuthKeyExchange.sealInner(crypto, aes, answer, hex("7607b7374780e1c0"))),
        encryptedAnswer
      )
      const client = Result.getOrThrow(AuthKeyExchange.openInner(crypto, aes, hex(clientEncrypted)))
      assert.include(toHex(client), gB)
      assert.strictEqual(toHex(AuthKeyExchange.sealInner(crypto, aes, client, hex(clientPadding))), clientEncrypted)
    }))

  it.effect("refuses changed inner data after the same work", () =>
    withCrypto((crypto) => {
      const { serverNonce, newNonce } = mtproto.handshake
      const aes = AuthKeyExchange.temporaryAesKey(crypto, { newNonce: hex(newNonce), serverNonce: hex(serverNonce) })
      const counter = counting(crypto)
      for (const length of [4, 12, 40, 60]) {
        const data = sequence(length)
        const sealed = AuthKeyExchange.sealInner(crypto, aes, data)
        assert.deepStrictEqual(AuthKeyExchange.openInner(crypto, aes, sealed), Result.succeed(data))
        // up to the last block that holds data, everything is authenticated
        for (let bit = 0; bit < 8 * (20 + length); bit++) {
          const changed = sealed.map((byte, i) => i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)
          const result = AuthKeyExchange.openInner(counter.service, aes, changed)
          assert.isTrue(Result.isFailure(result) && result.failure._tag === "AnswerError")
          const { ciphers, hashes } = counter.take()
          assert.deepStrictEqual([hashes, ciphers], [4, 1])
        }
        for (let n = 0; n < sealed.length; n++) {
          assert.isTrue(Result.isFailure(AuthKeyExchange.openInner(crypto, aes, sealed.subarray(0, n))))
        }
      }
      assert.throws(() => AuthKeyExchange.sealInner(crypto, aes, new Uint8Array(5)), /multiple of 4/)
      assert.throws(() => AuthKeyExchange.sealInner(crypto, aes, new Uint8Array(8), new Uint8Array(5)), /whole blocks/)
    }))
})
