import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as RsaPad from "@effect-mtproto/crypto/RsaPad"
import * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import { assert, layer } from "@effect/vitest"
import { Effect, Result } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { hex, mtproto, rsaKeys, sequence, toHex, withCrypto } from "./utils/fixtures.ts"

const read = (crypto: Parameters<typeof RsaPublicKey.fromPem>[0], fingerprint: bigint): RsaPublicKey.RsaPublicKey => {
  const found = rsaKeys.find((key) => BigInt(key.fingerprint) === fingerprint)
  return Result.getOrThrow(RsaPublicKey.fromPem(crypto, found!.pem))
}

const PRODUCTION = -3414540481677951611n
const TEST = -5595554452916591101n
const TDLIB = -7596991558377038078n

layer(NodeCrypto.layer)("RSA", (it) => {
  it.effect("reads keys in both forms and names them", () =>
    withCrypto((crypto) => {
      assert.strictEqual(rsaKeys.length, 12)
      for (const { fingerprint, pem } of rsaKeys) {
        const key = Result.getOrThrow(RsaPublicKey.fromPem(crypto, pem))
        assert.strictEqual(key.fingerprint, BigInt(fingerprint))
        assert.strictEqual(toHex(key.e), "010001")
        const again = Result.getOrThrow(RsaPublicKey.fromPem(crypto, RsaPublicKey.toPem(key)))
        assert.deepStrictEqual(again, key)
        if (pem.includes("RSA PUBLIC KEY")) assert.strictEqual(RsaPublicKey.toPem(key), pem)
        assert.deepStrictEqual(
          RsaPublicKey.fromPem(crypto, `text before\r\n${pem.replaceAll("\n", "\r\n")}`),
          Result.succeed(key)
        )
      }
    }))

  it.effect("refuses what is not a key", () =>
    withCrypto((crypto) => {
      const { pem } = rsaKeys[0]!
      const body = pem.split("\n").slice(1, -2).join("")
      const wrap = (der: Uint8Array) =>
        `-----BEGIN RSA PUBLIC KEY-----\n${Buffer.from(der).toString("base64")}\n-----END RSA PUBLIC KEY-----`
      const der = new Uint8Array(Buffer.from(body, "base64"))
      const texts = [
        "",
        body,
        pem.replace("END RSA", "END"),
        pem.replaceAll("RSA PUBLIC", "EC PUBLIC"),
        pem.replaceAll("RSA PUBLIC KEY", "PUBLIC KEY"),
        pem.replace("MIIB", "M*IB"),
        "x".repeat(20_000) + pem,
        ...Array.from(der, (_, length) => wrap(der.subarray(0, length))),
        wrap(new Uint8Array([...der, 0])),
        // an even modulus, a tiny one, an exponent of one
        wrap(der.map((byte, i) => i === 8 + 256 ? byte & 0xfe : byte)),
        wrap(hex("3006020107020103")),
        wrap(new Uint8Array([...der.subarray(0, der.length - 3), 0, 0, 1]))
      ]
      for (const text of texts) {
        const result = RsaPublicKey.fromPem(crypto, text)
        assert.isTrue(Result.isFailure(result) && result.failure.message.startsWith("Not an RSA key: "), text)
        assert.isTrue(Result.isFailure(RsaPublicKey.privateFromPem(crypto, text)))
      }
    }))

  it.effect("encrypts with RSA_PAD to known results, trying keys until one fits", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const zeros = yield* RsaPad.encrypt(
          crypto,
          read(crypto, PRODUCTION),
          new Uint8Array(144).fill("a".charCodeAt(0)),
          { padding: new Uint8Array(48), temporaryKeys: [new Uint8Array(32)] }
        )
        assert.strictEqual(toHex(zeros), mtproto.rsaPad.zeros)
        const { data, padding, result, temporaryKeys } = mtproto.rsaPad.retry
        const random = { padding: hex(padding), temporaryKeys: temporaryKeys.map(hex) }
        assert.strictEqual(toHex(yield* RsaPad.encrypt(crypto, read(crypto, TEST), hex(data), random)), result)
        const first = { ...random, temporaryKeys: random.temporaryKeys.slice(0, 1) }
        const error = yield* Effect.flip(RsaPad.encrypt(crypto, read(crypto, TEST), hex(data), first))
        assert.strictEqual(error.reason, "CheckFailed")
      })
    ))

  it.effect("computes the raw operation of a key of TDLib's tests", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const key = read(crypto, TDLIB)
        const pem = new TextEncoder().encode(rsaKeys.find(({ fingerprint }) => BigInt(fingerprint) === TDLIB)!.pem)
        const result = yield* crypto.modPow(pem.subarray(0, 256), key.e, key.n)
        assert.strictEqual(
          toHex(crypto.sha256(result)),
          "5369c912d076020a47ae6dc7074ca1a534206f4c1b7ac8bd3effd6d6ffef50b5"
        )
      })
    ))

  it.effect(
    "decrypts both forms with the private key, and refuses changed data",
    () =>
      withCrypto((crypto) =>
        Effect.gen(function*() {
          const encoding = { publicKeyEncoding: { type: "spki", format: "pem" } } as const
          for (const type of ["pkcs1", "pkcs8"] as const) {
            const pair = generateKeyPairSync("rsa", {
              modulusLength: 2048,
              ...encoding,
              privateKeyEncoding: { type, format: "pem" }
            })
            const publicKey = Result.getOrThrow(RsaPublicKey.fromPem(crypto, pair.publicKey))
            const privateKey = Result.getOrThrow(RsaPublicKey.privateFromPem(crypto, pair.privateKey))
            assert.strictEqual(privateKey.fingerprint, publicKey.fingerprint)
            assert.deepStrictEqual(Object.keys(privateKey), ["n", "e", "fingerprint"])
            for (const length of [0, 4, 100, 144]) {
              const data = sequence(length, 3)
              const encrypted = yield* RsaPad.encrypt(crypto, publicKey, data)
              const padded = yield* RsaPad.decrypt(crypto, privateKey, encrypted)
              assert.deepStrictEqual([padded.length, toHex(padded.subarray(0, length))], [192, toHex(data)])
              for (
                const changed of [
                  encrypted.map((byte, i) => i === 200 ? byte ^ 1 : byte),
                  encrypted.subarray(1),
                  new Uint8Array(256).fill(255),
                  new Uint8Array(256),
                  new Uint8Array(0)
                ]
              ) {
                const error = yield* Effect.flip(RsaPad.decrypt(crypto, privateKey, changed))
                assert.strictEqual(error._tag, "RsaPadError")
              }
            }
            for (const length of [4, 96, 232]) {
              const data = sequence(length, 3)
              const encrypted = yield* RsaPad.encryptLegacy(crypto, publicKey, data)
              assert.strictEqual(toHex(yield* RsaPad.decryptLegacy(crypto, privateKey, encrypted)), toHex(data))
              assert.strictEqual(
                (yield* Effect.flip(RsaPad.decrypt(crypto, privateKey, encrypted)))._tag,
                "RsaPadError"
              )
              const changed = encrypted.map((byte, i) => i === 9 ? byte ^ 1 : byte)
              const error = yield* Effect.flip(RsaPad.decryptLegacy(crypto, privateKey, changed))
              assert.strictEqual(error._tag, "RsaPadError")
            }
          }
        })
      ),
    30_000
  )

  it.effect("refuses what does not fit", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const key = read(crypto, PRODUCTION)
        const short = read(crypto, 1914007313702140277n)
        const tries = [
          RsaPad.encrypt(crypto, key, new Uint8Array(145)),
          RsaPad.encrypt(crypto, short, new Uint8Array(4)),
          RsaPad.encrypt(crypto, key, new Uint8Array(4), { padding: new Uint8Array(4), temporaryKeys: [] }),
          RsaPad.encryptLegacy(crypto, key, new Uint8Array(236)),
          RsaPad.encryptLegacy(crypto, short, new Uint8Array(4)),
          RsaPad.encryptLegacy(crypto, key, new Uint8Array(4), new Uint8Array(3))
        ]
        for (const attempt of tries) assert.strictEqual((yield* Effect.flip(attempt)).reason, "InvalidArgument")
      })
    ))
})
