import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as KeyVisualization from "@effect-mtproto/crypto/KeyVisualization"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Bytes from "../src/internal/bytes.ts"
import { hex, mtproto, sequence, toHex, withCrypto } from "./utils/fixtures.ts"

const prime = DiffieHellman.wellKnownPrime()
const p = Bytes.toBigInt(prime)
const bytes = (value: bigint, length = 256): Uint8Array => Bytes.fromBigInt(value, length)

// a prime that is its own verdict: for rules that need primes which nobody has found yet
const trusting = (crypto: Parameters<typeof DiffieHellman.checkGroup>[0]) => {
  const asked: Array<string> = []
  return {
    asked,
    service: {
      ...crypto,
      isSafePrime: (candidate: Uint8Array) => {
        asked.push(toHex(candidate))
        return Effect.succeed(true)
      }
    }
  }
}

const failure = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<E, A> => Effect.flip(self)

layer(NodeCrypto.layer)("DiffieHellman", (it) => {
  it.effect("accepts the well-known prime with the generators 3, 4 and 7 only", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        for (const g of [3, 4, 7]) {
          const group = yield* DiffieHellman.checkGroup(crypto, { p: prime, g })
          assert.deepStrictEqual([toHex(group.p), group.g], [toHex(prime), g])
        }
        for (const g of [-3, 0, 1, 2, 5, 6, 8, 3.5, Number.NaN, 1000]) {
          const error = yield* failure(DiffieHellman.checkGroup(crypto, { p: prime, g }))
          assert.deepStrictEqual([error._tag, "check" in error && error.check], ["DiffieHellmanError", "generator"])
        }
      })
    ))

  it.effect("checks the generator by the residue of the prime", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const rules: Readonly<Record<number, readonly [number, ReadonlyArray<number>]>> = {
          2: [8, [7]],
          3: [3, [2]],
          4: [1, [0]],
          5: [5, [1, 4]],
          6: [24, [19, 23]],
          7: [7, [3, 5, 6]]
        }
        const trust = trusting(crypto)
        // 840 = lcm of the moduli: every residue is met
        for (let i = 0n; i < 840n; i++) {
          const candidate = p - i
          for (let g = 2; g <= 7; g++) {
            const [modulus, residues] = rules[g]!
            const expected = residues.includes(Number(candidate % BigInt(modulus)))
            const result = yield* Effect.exit(DiffieHellman.checkGroup(trust.service, { p: bytes(candidate), g }))
            assert.strictEqual(result._tag === "Success", expected, `${g} ${i}`)
          }
        }
      })
    ))

  it.effect("refuses moduli that are not 2048-bit safe primes", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const moduli = [
          bytes(0n, 0),
          bytes(23n),
          bytes(p >> 1n),
          bytes(p, 257).map((byte, i) => i === 0 ? 1 : byte),
          bytes((1n << 2048n) - 1n),
          bytes(p - 12n),
          // prime, but half of it is not
          bytes((1n << 2048n) - 1946117n)
        ]
        for (const modulus of moduli) {
          const error = yield* failure(DiffieHellman.checkGroup(crypto, { p: modulus, g: 4 }))
          assert.deepStrictEqual([error._tag, "check" in error && error.check], ["DiffieHellmanError", "prime"])
        }
        // leading zeros do not matter
        const group = yield* DiffieHellman.checkGroup(crypto, { p: bytes(p, 300), g: 3 })
        assert.strictEqual(group.p.length, 256)
        // the length is looked at before any work
        const trust = trusting(crypto)
        yield* failure(DiffieHellman.checkGroup(trust.service, { p: bytes(p >> 1n), g: 4 }))
        assert.deepStrictEqual(trust.asked, [])
      })
    ), 30_000)

  it.effect("accepts other safe primes", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        // the greatest safe prime of 2048 bits
        const other = bytes((1n << 2048n) - 1942289n)
        for (const g of [2, 3, 4, 6, 7]) yield* DiffieHellman.checkGroup(crypto, { p: other, g })
        const error = yield* failure(DiffieHellman.checkGroup(crypto, { p: other, g: 5 }))
        assert.strictEqual(error._tag, "DiffieHellmanError")
      })
    ), 30_000)

  it.effect("accepts public values from 2^1984 to p - 2^1984", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const group = yield* DiffieHellman.checkGroup(crypto, { p: prime, g: 3 })
        const low = 1n << 1984n
        for (const value of [low, low + 1n, p >> 1n, p - low - 1n, p - low]) {
          const padded = yield* DiffieHellman.checkPublicValue(group, Bytes.stripLeadingZeros(bytes(value)))
          assert.strictEqual(Bytes.toBigInt(padded), value)
          assert.strictEqual(padded.length, 256)
          yield* DiffieHellman.checkPublicValue(group, bytes(value, 300))
        }
        const refused = [0n, 1n, 2n, low - 1n, p - low + 1n, p - 2n, p - 1n, p, p + low, (1n << 2048n) - 1n]
        const values = [...refused.map((value) => bytes(value)), bytes(1n << 2048n, 257), new Uint8Array(100_000)]
        for (const value of values) {
          const error = yield* failure(DiffieHellman.checkPublicValue(group, value))
          assert.strictEqual(error.check, "publicValue")
          yield* failure(DiffieHellman.agree(crypto, group, sequence(256), value))
        }
      })
    ))

  it.effect("agrees on a known key from both sides", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const exponent = (letter: string): Uint8Array =>
          Bytes.concat(Array.from({ length: 8 }, (_, i) => crypto.sha256(Uint8Array.of(letter.charCodeAt(0), i))))
        const group = yield* DiffieHellman.checkGroup(crypto, { p: prime, g: 3 })
        const a = exponent("a")
        const b = exponent("b")
        const gA = yield* DiffieHellman.publicValue(crypto, group, a)
        const gB = yield* DiffieHellman.publicValue(crypto, group, b)
        assert.strictEqual(toHex(crypto.sha256(gA)), "42f12a4fa481f27c25dc1f4c26e67300f89a524c83adff28211cb51d62891411")
        assert.strictEqual(toHex(crypto.sha256(gB)), "cfd67c81a146f071842aae3a287644222ed74a159f01173d49190264bd39f32c")
        for (const [secret, value] of [[a, gB], [b, gA]] as const) {
          const key = yield* DiffieHellman.agree(crypto, group, secret, value)
          assert.strictEqual(key.id, -8589294635766278584n)
          assert.strictEqual(toHex(crypto.sha1(key.bytes)), "628008113fe03772243460634896fb6b09b2cc88")
          assert.strictEqual(
            toHex(KeyVisualization.keyHash(crypto, key)),
            "628008113fe03772243460634896fb6b6e029a64e5637e2ac80276a0b7e557a463728308"
          )
        }
      })
    ))

  it.effect("agrees on the key of a recorded handshake", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const { auxHash, authKey, authKeyId, b, gA, gB } = mtproto.handshake
        const group = yield* DiffieHellman.checkGroup(crypto, { p: prime, g: 3 })
        assert.strictEqual(toHex(yield* DiffieHellman.publicValue(crypto, group, hex(b))), gB)
        const key = yield* DiffieHellman.agree(crypto, group, hex(b), hex(gA))
        assert.strictEqual(toHex(key.bytes), authKey)
        assert.deepStrictEqual([key.id, key.auxHash], [authKeyId, auxHash].map((text) => Bytes.readLong(hex(text), 0)))
      })
    ))

  it.effect("pads a key that has leading zeros", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const group = yield* DiffieHellman.checkGroup(crypto, { p: prime, g: 3 })
        // the exponent 1 makes the key equal to the peer's value, which may start with seven zeros
        const one = bytes(1n)
        const value = Bytes.stripLeadingZeros(bytes((1n << 1984n) + 12345n))
        assert.strictEqual(value.length, 249)
        const key = yield* DiffieHellman.agree(crypto, group, one, value)
        assert.strictEqual(key.bytes.length, 256)
        assert.strictEqual(toHex(key.bytes.subarray(0, 8)), "0000000000000001")
        assert.strictEqual(key.id, SharedKey.make(crypto, bytes((1n << 1984n) + 12345n)).id)
      })
    ))

  it.effect("generates different values, from local and server bytes together", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const group = yield* DiffieHellman.checkGroup(crypto, { p: prime, g: 3 })
        const seeded = () => TestCrypto.make(crypto, { seed: "mix" })
        const alone = yield* DiffieHellman.generate(seeded(), group)
        const mixed = yield* DiffieHellman.generate(seeded(), group, sequence(256, 1))
        assert.deepStrictEqual(mixed.secret, alone.secret.map((byte, i) => byte ^ ((i + 1) & 255)))
        assert.deepStrictEqual(DiffieHellman.mixExponent(alone.secret), alone.secret)
        assert.deepStrictEqual(
          DiffieHellman.mixExponent(new Uint8Array(256), sequence(258)),
          sequence(256).map((byte, i) => i < 2 ? byte ^ i : byte)
        )
        assert.throws(() => DiffieHellman.mixExponent(new Uint8Array(255)), /256 random bytes/)
        const first = yield* DiffieHellman.generate(crypto, group)
        const second = yield* DiffieHellman.generate(crypto, group)
        assert.notStrictEqual(toHex(first.secret), toHex(second.secret))
        const ours = yield* DiffieHellman.agree(crypto, group, first.secret, second.publicValue)
        const theirs = yield* DiffieHellman.agree(crypto, group, second.secret, first.publicValue)
        assert.strictEqual(toHex(ours.bytes), toHex(theirs.bytes))
      })
    ))

  it.effect("gives up when every value it draws is outside the range", () =>
    withCrypto((crypto) =>
      Effect.gen(function*() {
        const group = yield* DiffieHellman.checkGroup(crypto, { p: prime, g: 3 })
        let drawn = 0
        const stuck = {
          ...crypto,
          randomBytes: (length: number) => {
            drawn++
            return new Uint8Array(length)
          }
        }
        const error = yield* failure(DiffieHellman.generate(stuck, group))
        assert.deepStrictEqual([error._tag, drawn], ["DiffieHellmanError", 4])
      })
    ))
})
