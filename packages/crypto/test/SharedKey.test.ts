import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import { assert, layer } from "@effect/vitest"
import { inspect } from "node:util"
import { sequence, toHex, withCrypto } from "./utils/fixtures.ts"

layer(NodeCrypto.layer)("SharedKey", (it) => {
  it.effect("is named by the hash of its bytes, which it copies", () =>
    withCrypto((crypto) => {
      const bytes = sequence(256)
      const key = SharedKey.make(crypto, bytes)
      bytes.fill(0)
      assert.strictEqual(toHex(key.bytes), toHex(sequence(256)))
      assert.strictEqual(key.id, -3972359982579920590n)
      assert.strictEqual(BigInt.asUintN(64, key.auxHash).toString(16), "688ef7b7bdd61649")
    }))

  it.effect("never prints its bytes", () =>
    withCrypto((crypto) => {
      const key = SharedKey.make(crypto, new Uint8Array(256).fill(0xab))
      const printed = [
        String(key),
        JSON.stringify({ key }),
        inspect({ key }, { depth: 9, showHidden: false }),
        `${key}`
      ]
      for (const text of printed) {
        assert.include(text, "<redacted>")
        assert.notMatch(text, /171|ab,|abab/)
      }
      assert.deepStrictEqual(Object.keys(key), ["id", "auxHash"])
    }))

  it.effect("is wiped on request", () =>
    withCrypto((crypto) => {
      const key = SharedKey.make(crypto, sequence(256))
      SharedKey.wipe(key)
      assert.isTrue(key.bytes.every((byte) => byte === 0))
    }))
})
