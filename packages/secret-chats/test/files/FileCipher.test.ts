import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as CryptoService from "@effect-mtproto/crypto/Crypto"
import * as FileKey from "@effect-mtproto/crypto/FileKey"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import * as FileCipher from "@effect-mtproto/secret-chats/files/FileCipher"
import * as Parts from "@effect-mtproto/secret-chats/files/Parts"
import { assert, layer } from "@effect/vitest"
import { Arbitrary, Effect, Result, Schema } from "effect"
import { bytesOf, same } from "./support.ts"

const KIB = 1024

/** Small parts, so that files of some kilobytes have many. */
const planOf = (size: number): Parts.Plan => ({ size, partSize: KIB, parts: Math.ceil(size / KIB), big: false })

/** Cuts at places drawn from `cuts`. */
const split = (bytes: Uint8Array, cuts: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

const encrypt = (
  crypto: Crypto["Service"],
  plan: Parts.Plan,
  key: { readonly key: Uint8Array; readonly iv: Uint8Array },
  pieces: ReadonlyArray<Uint8Array>,
  from?: { readonly index: number; readonly iv: Uint8Array }
): ReadonlyArray<FileCipher.Part> => {
  const encryptor = new FileCipher.Encryptor(crypto, plan, key, from)
  const parts: Array<FileCipher.Part> = []
  const drain = () => {
    while (true) {
      const part = Result.getOrThrow(encryptor.pull())
      if (part === undefined) return
      parts.push(part)
    }
  }
  for (const piece of pieces) {
    encryptor.push(piece)
    drain()
  }
  encryptor.end()
  drain()
  return parts
}

const reasonOf = (encryptor: FileCipher.Encryptor) => {
  const result = encryptor.pull()
  return Result.isFailure(result) ? result.failure.reason : result.success === undefined ? "none" : "part"
}

layer(TestCrypto.layer({ seed: "files" }))("FileCipher", (it) => {
  const withCrypto = (f: (crypto: Crypto["Service"]) => void) => Effect.map(CryptoService.Crypto, f)

  it.effect.prop("any split gives the parts of one encryption of the whole", {
    size: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20 * KIB }))),
    cuts: Arbitrary.schema(Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 * KIB })))),
    known: Arbitrary.schema(Schema.Boolean)
  }, ({ cuts, known, size }) =>
    withCrypto((crypto) => {
      const key = FileKey.generate(crypto)
      const bytes = bytesOf(size, size)
      const plan = known ? planOf(size) : { ...planOf(size), size: undefined, parts: undefined }
      const parts = encrypt(crypto, plan, key, split(bytes, cuts))
      assert.deepStrictEqual(
        parts.map((part) => part.index),
        Array.from({ length: Math.ceil(size / KIB) }, (_, i) => i)
      )
      assert.isTrue(parts.every((part, i) => part.isLast === (i === parts.length - 1)))
      assert.strictEqual(parts.reduce((sum, part) => sum + part.length, 0), size)
      const encrypted = Buffer.concat(parts.map((part) => part.bytes))
      assert.strictEqual(encrypted.length, Parts.paddedSize(size))

      const padded = crypto.aesIgeDecrypt(encrypted, key.key, key.iv)
      assert.isTrue(same(padded.subarray(0, size), bytes))
      assert.isTrue(same(crypto.aesIgeEncrypt(padded, key.key, key.iv), encrypted))

      let position: FileCipher.Position = { offset: 0, iv: key.iv }
      const out: Array<Uint8Array> = []
      for (const part of parts) {
        const plaintext = crypto.aesIgeDecrypt(part.bytes, key.key, position.iv)
        out.push(FileCipher.trim(size, position.offset, plaintext))
        position = FileCipher.advance(position, part.bytes, plaintext)
        assert.deepStrictEqual(position.iv, part.nextIv)
      }
      assert.isTrue(same(Buffer.concat(out), bytes))
    }), { arbitrary: { runs: 150 } })

  it.effect("goes on in the middle with the vector that was reached", () =>
    withCrypto((crypto) => {
      const key = FileKey.generate(crypto)
      // Whole blocks, so that no random padding differs.
      const bytes = bytesOf(5 * KIB + 32)
      const parts = encrypt(crypto, planOf(bytes.length), key, [bytes])
      for (const { index, iv } of parts) {
        const rest = encrypt(crypto, planOf(bytes.length), key, [bytes.subarray(index * KIB)], { index, iv })
        assert.deepStrictEqual(rest, parts.slice(index))
      }
    }))

  it.effect("pads with random bytes", () =>
    withCrypto((crypto) => {
      const key = FileKey.generate(crypto)
      const paddings = [1, 2].map(() => {
        const [part] = encrypt(crypto, planOf(1), key, [bytesOf(1)])
        return Buffer.from(crypto.aesIgeDecrypt(part!.bytes, key.key, key.iv).subarray(1)).toString("hex")
      })
      assert.strictEqual(new Set([...paddings, "00".repeat(15)]).size, 3)
    }))

  it.effect("a part waits until it is known whether it is the last", () =>
    withCrypto((crypto) => {
      const encryptor = new FileCipher.Encryptor(crypto, planOf(2 * KIB), FileKey.generate(crypto))
      assert.strictEqual(reasonOf(encryptor), "none")
      encryptor.push(bytesOf(KIB))
      assert.strictEqual(reasonOf(encryptor), "none")
      encryptor.push(bytesOf(KIB))
      assert.strictEqual(reasonOf(encryptor), "part")
      assert.strictEqual(reasonOf(encryptor), "none")
      encryptor.end()
      assert.strictEqual(Result.getOrThrow(encryptor.pull())!.isLast, true)
      assert.strictEqual(reasonOf(encryptor), "none")
    }))

  it.effect("a source that does not keep its word is found out", () =>
    withCrypto((crypto) => {
      const make = (size: number | undefined) =>
        new FileCipher.Encryptor(crypto, { ...planOf(size ?? 1), size }, FileKey.generate(crypto))
      const short = make(100)
      short.push(bytesOf(99))
      assert.strictEqual(reasonOf(short), "none")
      short.end()
      assert.strictEqual(reasonOf(short), "source-changed")
      const long = make(100)
      long.push(bytesOf(101))
      assert.strictEqual(reasonOf(long), "source-changed")
      const nothing = make(undefined)
      nothing.push(new Uint8Array(0))
      nothing.end()
      assert.strictEqual(reasonOf(nothing), "empty")
      const late = new FileCipher.Encryptor(crypto, { ...planOf(1), size: undefined }, FileKey.generate(crypto), {
        index: Parts.MAX_PARTS,
        iv: new Uint8Array(32)
      })
      late.push(bytesOf(2 * KIB))
      assert.strictEqual(reasonOf(late), "too-large")
    }))

  it("pieces of the wrong size are refused", () => {
    const piece = { stored: 100 * 16, offset: 0, limit: KIB }
    const verdict = (p: typeof piece, length: number) =>
      Result.isSuccess(FileCipher.checkPiece(p, new Uint8Array(length)))
    assert.isTrue(verdict(piece, KIB))
    assert.isFalse(verdict(piece, KIB - 16))
    assert.isFalse(verdict(piece, KIB + 16))
    assert.isFalse(verdict(piece, 0))
    assert.isTrue(verdict({ ...piece, offset: KIB }, 576))
    assert.isFalse(verdict({ ...piece, offset: KIB }, 560))
    assert.isFalse(verdict({ ...piece, offset: KIB }, KIB))
  })
})
