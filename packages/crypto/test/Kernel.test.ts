import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as CryptoTest from "@effect-mtproto/crypto/CryptoTest"
import * as Factorization from "@effect-mtproto/crypto/Factorization"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as WebCrypto from "@effect-mtproto/crypto/WebCrypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { createHash } from "node:crypto"
import * as Aes from "../src/internal/aes.ts"
import * as Hashes from "../src/internal/hashes.ts"
import * as Kernel from "../src/internal/kernel.ts"
import * as Message from "../src/internal/message.ts"
import * as NodeIge from "../src/internal/nodeIge.ts"
import { sequence, toHex } from "./utils/fixtures.ts"

const random = (length: number, seed: number): Uint8Array => {
  let state = seed >>> 0
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 123457567) + 987651241) >>> 0
    return state >>> 23
  })
}

const plain = { sha1: Hashes.sha1, sha256: Hashes.sha256, aesIgeEncrypt: Aes.igeEncrypt, aesIgeDecrypt: Aes.igeDecrypt }
const generic = Message.make(plain)

// the engine that the tests run on has both
const variants = (["relaxed", "plain"] as const).map((variant) => {
  const kernel = Kernel.makeVariant(variant)
  if (kernel === undefined) throw new Error(`the ${variant} kernel does not start`)
  return kernel
})

for (const kernel of variants) {
  describe(`kernel, ${kernel.variant}`, () => {
    it("AES-256-IGE equals the plain code for random keys, both ways", () => {
      for (let i = 0; i < 500; i++) {
        const length = 16 * (i % 40)
        const [data, key, iv] = [random(length, i), random(32, i + 1000), random(32, i + 2000)] as const
        assert.strictEqual(toHex(kernel.igeEncrypt(data, key, iv)), toHex(Aes.igeEncrypt(data, key, iv)))
        assert.strictEqual(toHex(kernel.igeDecrypt(data, key, iv)), toHex(Aes.igeDecrypt(data, key, iv)))
      }
    })

    it("every byte at every place goes through the rounds", () => {
      // the S-box and its inverse at all of their 256 inputs
      const key = random(32, 5)
      const iv = new Uint8Array(32)
      for (let byte = 0; byte < 256; byte++) {
        for (const data of [new Uint8Array(16).fill(byte), sequence(16, byte)]) {
          assert.strictEqual(toHex(kernel.igeEncrypt(data, key, iv)), toHex(Aes.igeEncrypt(data, key, iv)))
          assert.strictEqual(toHex(kernel.igeDecrypt(data, key, iv)), toHex(Aes.igeDecrypt(data, key, iv)))
        }
      }
    })

    it("data of more than one piece", () => {
      for (const length of [32752, 32768, 32784, 65520, 65536, 65552, 200_000]) {
        const [data, key, iv] = [random(length, length), random(32, 1), random(32, 2)] as const
        const expected = toHex(Aes.igeEncrypt(data, key, iv))
        assert.strictEqual(toHex(kernel.igeEncrypt(data, key, iv)), expected)
        assert.strictEqual(toHex(kernel.igeEncryptByCbc(data, key, iv, NodeIge.messageEngine.cbc)), expected)
        assert.strictEqual(toHex(kernel.igeDecrypt(data, key, iv)), toHex(Aes.igeDecrypt(data, key, iv)))
      }
    })

    it("SHA-256 at every length to 300, in parts, and beyond one piece", () => {
      for (let length = 0; length < 300; length++) {
        const data = random(length, length)
        const expected = createHash("sha256").update(data).digest("hex")
        assert.strictEqual(toHex(kernel.sha256(data)), expected)
        const cut = length >> 1
        assert.strictEqual(toHex(kernel.sha256(data.subarray(0, cut), data.subarray(cut))), expected)
      }
      for (const length of [65535, 65536, 65537, 65536 + 63, 150_000]) {
        const data = random(length, 3)
        const parts = [data.subarray(0, 7), data.subarray(7)]
        assert.strictEqual(toHex(kernel.sha256(...parts)), createHash("sha256").update(data).digest("hex"))
      }
    })

    it("messages equal those made from primitives, with and without the help of an engine", () => {
      for (let i = 0; i < 130; i++) {
        const length = i < 120 ? 16 * i : 16 * (i - 119) * 180
        const [shared, plaintext] = [random(256, i + 1), random(length, i + 500)] as const
        const x = i % 2 === 0 ? 0 : 8
        const packet = generic.messageEncrypt(shared, plaintext, x)
        const opened = generic.messageDecrypt(shared, packet, x)
        const halves = [plaintext.subarray(0, length >> 1), plaintext.subarray(length >> 1)]
        assert.strictEqual(toHex(generic.messageEncrypt(shared, halves, x)), toHex(packet))
        for (const engine of [undefined, NodeIge.messageEngine]) {
          assert.strictEqual(toHex(kernel.messageEncrypt(shared, plaintext, x, engine)), toHex(packet))
          const parts = [plaintext.subarray(0, length >> 2), new Uint8Array(0), plaintext.subarray(length >> 2)]
          assert.strictEqual(toHex(kernel.messageEncrypt(shared, parts, x, engine)), toHex(packet))
          const actual = kernel.messageDecrypt(shared, packet, x, engine)
          assert.strictEqual(toHex(actual.plaintext), toHex(plaintext))
          assert.strictEqual(toHex(actual.large), toHex(opened.large))
        }
      }
      assert.throws(() => kernel.messageEncrypt(new Uint8Array(255), new Uint8Array(16), 0), /256 bytes/)
      assert.throws(() => kernel.messageEncrypt(new Uint8Array(256), new Uint8Array(15), 0), /whole blocks/)
      const uneven = [new Uint8Array(4), new Uint8Array(13)]
      assert.throws(() => kernel.messageEncrypt(new Uint8Array(256), uneven, 0), /whole blocks/)
      assert.throws(() => kernel.messageDecrypt(new Uint8Array(256), new Uint8Array(23), 0), /whole blocks/)
    })

    it("leaves nothing of keys and data behind", () => {
      // bytes that neither the tables nor the constants hold in a row
      const marker = new Uint8Array(256).fill(0xa7)
      const holds = (bytes: string) => Buffer.from(kernel.memory).toString("latin1").includes(bytes)
      const clean = Buffer.from(kernel.memory).toString("latin1")
      const key = marker.subarray(0, 32)
      const data = new Uint8Array(4096).fill(0xa7)
      const operations: ReadonlyArray<() => unknown> = [
        () => kernel.igeEncrypt(data, key, key),
        () => kernel.igeDecrypt(data, key, key),
        () => kernel.igeEncryptByCbc(data, key, key, NodeIge.messageEngine.cbc),
        () => kernel.messageEncrypt(marker, data, 0),
        () => kernel.messageEncrypt(marker, [data.subarray(0, 4), data.subarray(4, 64)], 8),
        () => kernel.igeEncrypt(new Uint8Array(70_000).fill(0xa7).subarray(0, 69_984), key, key),
        () => kernel.igeDecrypt(new Uint8Array(70_000).fill(0xa7).subarray(0, 69_984), key, key),
        () => kernel.igeEncryptByCbc(new Uint8Array(69_984).fill(0xa7), key, key, NodeIge.messageEngine.cbc),
        () => kernel.messageEncrypt(marker, data, 0, NodeIge.messageEngine),
        () => kernel.messageDecrypt(marker, new Uint8Array(24 + 64).fill(0xa7), 8),
        () => kernel.sha256(data)
      ]
      for (const operation of operations) {
        operation()
        assert.isFalse(holds("\xa7\xa7\xa7\xa7"))
        // below the data, memory is as it was before: no round key, no schedule
        assert.strictEqual(Buffer.from(kernel.memory).toString("latin1").slice(0, 4064), clean.slice(0, 4064))
      }
    })

    it("factorises", () => {
      let prime = 1_500_000_000n
      const next = () => {
        do prime += 1n
        while (!Factorization.isPrime(prime))
        return prime
      }
      for (let i = 0; i < 60; i++) {
        const p = next()
        prime += 7_654_321n
        const q = next()
        const factor = kernel.factor(p * q)
        assert.isTrue(factor === p || factor === q, `${p} ${q}`)
        assert.deepStrictEqual(Factorization.factorize(p * q, kernel.factor), { p, q })
      }
      // beyond 2^63, where sums of two residues have 65 bits
      for (
        const [p, q] of [[4294967279n, 4294967291n], [3037000507n, 4294967291n], [167n, 61952606314336663n]] as const
      ) {
        assert.isTrue(p * q >= 1n << 63n)
        assert.deepStrictEqual(Factorization.factorize(p * q, (n) => kernel.factor(n) ?? assert.fail(String(n))), {
          p,
          q
        })
      }
      for (const n of [15n, 21n, 35n, 41n * 43n, 3037000453n * 3037000493n, 41n * 224945657238438193n]) {
        const factor = kernel.factor(n)
        assert.isTrue(factor !== undefined && factor > 1n && factor < n && n % factor === 0n, String(n))
      }
    })
  })
}

const without = <E>(layer: Layer.Layer<Crypto, E>): Layer.Layer<Crypto, E> =>
  Layer.effectContext(
    Effect.scope.pipe(Effect.flatMap((scope) => {
      const { WebAssembly } = globalThis
      return Effect.acquireUseRelease(
        Effect.sync(() => Reflect.set(globalThis, "WebAssembly", undefined)),
        () => Layer.buildWithScope(Layer.fresh(layer), scope),
        () => Effect.sync(() => Reflect.set(globalThis, "WebAssembly", WebAssembly))
      )
    }))
  )

CryptoTest.suite("NodeCrypto without WebAssembly", without(NodeCrypto.layer))
CryptoTest.suite("WebCrypto without WebAssembly", without(WebCrypto.layer))
