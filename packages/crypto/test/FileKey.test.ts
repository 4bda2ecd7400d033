import * as FileKey from "@effect-mtproto/crypto/FileKey"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { assert, layer } from "@effect/vitest"
import { sequence, toHex, withCrypto } from "./utils/fixtures.ts"

layer(NodeCrypto.layer)("FileKey", (it) => {
  it.effect("has the known fingerprint", () =>
    withCrypto((crypto) => {
      assert.strictEqual(FileKey.fingerprint(crypto, { key: sequence(32), iv: sequence(32, 32) }), -217561997)
      assert.throws(() => FileKey.fingerprint(crypto, { key: sequence(31), iv: sequence(32) }), /32 bytes each/)
    }))

  it.effect("is drawn at random", () =>
    withCrypto((crypto) => {
      const a = FileKey.generate(crypto)
      const b = FileKey.generate(crypto)
      assert.deepStrictEqual([a.key.length, a.iv.length], [32, 32])
      assert.strictEqual(new Set([a.key, a.iv, b.key, b.iv].map(toHex)).size, 4)
    }))

  it.effect("carries its vector from part to part", () =>
    withCrypto((crypto) => {
      const { iv, key } = FileKey.generate(crypto)
      const file = crypto.randomBytes(4096 + 48)
      const whole = crypto.aesIgeEncrypt(file, key, iv)
      let current = iv
      let encrypted = ""
      for (let start = 0; start < file.length; start += 1024) {
        const part = file.subarray(start, start + 1024)
        const sealed = crypto.aesIgeEncrypt(part, key, current)
        current = FileKey.nextIv(part, sealed)
        encrypted += toHex(sealed)
      }
      assert.strictEqual(encrypted, toHex(whole))
      assert.throws(() => FileKey.nextIv(new Uint8Array(0), new Uint8Array(0)), /whole blocks/)
      assert.throws(() => FileKey.nextIv(new Uint8Array(16), new Uint8Array(32)), /whole blocks/)
    }))
})
