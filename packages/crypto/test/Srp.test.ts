import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Srp from "@effect-mtproto/crypto/Srp"
import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Bytes from "../src/internal/bytes.ts"
import { hex, mtproto, sequence, toHex, withCrypto } from "./utils/fixtures.ts"

const p = DiffieHellman.wellKnownPrime()
const algorithm = (salts: { readonly salt1: string; readonly salt2: string }): Srp.Algorithm => ({
  p,
  g: 3,
  salt1: hex(salts.salt1),
  salt2: hex(salts.salt2)
})

layer(NodeCrypto.layer)("Srp", (it) => {
  it.effect("makes known proofs", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        assert.strictEqual(mtproto.srp.length, 3)
        for (const vector of mtproto.srp) {
          const password = Redacted.make(vector.password)
          const hash = yield* Srp.passwordHash(crypto, algorithm(vector), password)
          assert.strictEqual(toHex(hash), vector.PH2)
          const prove = (salt1: string) =>
            Srp.prove(crypto, {
              algorithm: algorithm({ ...vector, salt1 }),
              srpB: hex(vector.B),
              password,
              secret: hex(vector.a)
            })
          const proof = yield* prove(vector.salt1)
          assert.strictEqual(toHex(proof.m1), vector.M1)
          if (vector.A !== undefined) assert.strictEqual(toHex(proof.a), vector.A)
          if (vector.u !== undefined) assert.strictEqual(toHex(crypto.sha256(proof.a, hex(vector.B))), vector.u)
          if (vector.M1extended !== undefined) {
            assert.strictEqual(toHex((yield* prove(vector.salt1 + vector.a.slice(0, 64))).m1), vector.M1extended)
          }
          if (vector.v !== undefined) {
            const verifier = yield* Srp.verifier(crypto, { algorithm: algorithm(vector), password })
            assert.strictEqual(toHex(verifier), vector.v)
          }
        }
      })
    ), 30_000)

  it.effect("makes known verifiers for new passwords", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        for (const { password, v, ...salts } of mtproto.srpNew) {
          const options = { algorithm: algorithm(salts), password: Redacted.make(password) }
          assert.strictEqual(toHex(yield* Srp.verifier(crypto, options)), v)
        }
        const salt = Srp.newSalt(crypto, sequence(8))
        assert.deepStrictEqual([salt.length, toHex(salt.subarray(0, 8))], [40, toHex(sequence(8))])
      })
    ), 30_000)

  it.effect(
    "a server accepts the right password and nothing else",
    () =>
      withCrypto((crypto) =>
        Effect.gen(function*() {
          const options = algorithm({ salt1: "0011223344556677", salt2: "8899aabbccddeeff" })
          const group = yield* DiffieHellman.checkGroup(crypto, options)
          const verifier = yield* Srp.verifier(crypto, { algorithm: options, password: Redacted.make("пароль") })
          const challenge = yield* Srp.challenge(crypto, group, verifier)
          const prove = (password: string) =>
            Srp.prove(crypto, { algorithm: options, srpB: challenge.srpB, password: Redacted.make(password) })
          const verify = (proof: Srp.Proof) => Srp.verify(crypto, { group, salts: options, verifier, challenge, proof })
          const proof = yield* prove("пароль")
          assert.isTrue(yield* verify(proof))
          assert.isFalse(yield* verify(yield* prove("Пароль")))
          assert.isFalse(yield* verify({ ...proof, m1: proof.m1.map((byte, i) => i === 31 ? byte ^ 1 : byte) }))
          assert.isFalse(yield* verify({ ...proof, m1: proof.m1.subarray(1) }))
          assert.isFalse(yield* verify({ ...proof, a: sequence(300) }))
          // public values that would fix the shared secret
          for (const a of [0n, 1n, Bytes.toBigInt(p) - 1n, Bytes.toBigInt(p)]) {
            assert.isFalse(yield* verify({ ...proof, a: Bytes.fromBigInt(a, 256) }))
          }
        })
      ),
    30_000
  )

  it.effect("checks the server's values before using the password", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const vector = mtproto.srp[0]!
        const guarded = { ...crypto, pbkdf2Sha512: () => Effect.die("the password was used") }
        const prove = (change: { readonly g?: number; readonly p?: Uint8Array; readonly srpB?: Uint8Array }) =>
          Effect.flip(Srp.prove(guarded, {
            algorithm: { ...algorithm(vector), ...change },
            srpB: change.srpB ?? hex(vector.B),
            password: Redacted.make("x")
          }))
        assert.strictEqual((yield* prove({ g: 2 }))._tag, "DiffieHellmanError")
        assert.strictEqual((yield* prove({ p: sequence(256, 128) }))._tag, "DiffieHellmanError")
        const values = [
          new Uint8Array(0),
          new Uint8Array(256),
          sequence(247, 1),
          p,
          new Uint8Array(256).fill(255),
          new Uint8Array(257)
        ]
        for (const srpB of values) {
          const error = yield* prove({ srpB })
          assert.strictEqual(error._tag, "CryptoError")
        }
      })
    ))

  it.effect("pads a short srp_B", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const vector = mtproto.srp[1]!
        const prove = (srpB: Uint8Array) =>
          Srp.prove(crypto, {
            algorithm: algorithm(vector),
            srpB,
            password: Redacted.make(vector.password),
            secret: hex(vector.a)
          })
        const short = sequence(250, 1)
        const long = Bytes.toLength(short, 256)!
        assert.strictEqual(toHex((yield* prove(short)).m1), toHex((yield* prove(long)).m1))
      })
    ), 30_000)
})
