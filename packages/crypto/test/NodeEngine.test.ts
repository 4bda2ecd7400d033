import * as Crypto from "@effect-mtproto/crypto/Crypto"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import * as Layer from "effect/Layer"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Aes from "../src/internal/aes.ts"
import * as ModPow from "../src/internal/modPow.ts"
import * as NodeIge from "../src/internal/nodeIge.ts"
import * as NodeModPow from "../src/internal/nodeModPow.ts"
import { sequence, toHex } from "./utils/fixtures.ts"

const prime = DiffieHellman.wellKnownPrime()

describe("NodeCrypto", () => {
  it("both ways of encryption give the same bytes at every size", () => {
    const key = sequence(32)
    const iv = sequence(32, 100)
    for (let blocks = 0; blocks < 200; blocks++) {
      const data = sequence(16 * blocks, blocks)
      assert.strictEqual(toHex(NodeIge.igeEncrypt(data, key, iv)), toHex(Aes.igeEncrypt(data, key, iv)))
    }
    for (const length of [32 * 1024 - 16, 32 * 1024, 32 * 1024 + 16, 3 * 32 * 1024]) {
      const data = sequence(length)
      assert.strictEqual(toHex(NodeIge.igeEncrypt(data, key, iv)), toHex(Aes.igeEncrypt(data, key, iv)))
    }
  })

  it.live("long data is decrypted in slices, or on the thread, while the event loop turns", () =>
    Effect.gen(function*() {
      const key = sequence(32)
      const iv = sequence(32, 100)
      const data = sequence(16 * 65536)
      for (const decryptOnThread of [false, true]) {
        yield* Effect.gen(function*() {
          const crypto = yield* Crypto.Crypto
          const encrypted = crypto.aesIgeEncrypt(data, key, iv)
          let turns = 0
          let running = true
          const turn = () => {
            turns++
            if (running) setImmediate(turn)
          }
          setImmediate(turn)
          const decrypted = yield* crypto.aesIgeDecryptLarge(encrypted, key, iv)
          running = false
          assert.isTrue(crypto.constantTimeEqual(decrypted, data))
          assert.isAtLeast(turns, 15)
        }).pipe(Effect.provide(NodeCrypto.layerWith({ decryptOnThread }), { local: true }))
      }
    }))

  it.live("the first exponentiations, which are done without a thread, let the event loop turn as well", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto.Crypto
      let turns = 0
      let running = true
      const turn = () => {
        turns++
        if (running) setImmediate(turn)
      }
      setImmediate(turn)
      const secret = sequence(256, 1)
      const result = yield* crypto.modPow(Uint8Array.of(3), secret, prime)
      running = false
      // two digits of 1024 bits, and a shift between them
      assert.isAtLeast(turns, 2)
      assert.strictEqual(toHex(result), toHex(ModPow.modPow(Uint8Array.of(3), secret, prime)))
    }).pipe(Effect.provide(NodeCrypto.layer, { local: true })))

  it.live("exponentiation in slices equals that in one piece", () =>
    Effect.gen(function*() {
      for (const length of [64, 100, 256, 300]) {
        const modulus = sequence(length, 9)
        modulus[0] = 0xf1
        modulus[length - 1]! |= 1
        for (const size of [1, 4, 63, 64, 65, 128, 200, 256]) {
          const zeros = sequence(size)
          zeros.fill(0, 1)
          for (const exponent of [sequence(size, 5), zeros, new Uint8Array(size)]) {
            for (const base of [sequence(length, 2), Uint8Array.of(1), modulus]) {
              const sliced = yield* Effect.promise(() => NodeModPow.modPowSliced(base, exponent, modulus))
              assert.strictEqual(toHex(sliced), toHex(NodeModPow.modPowSync(base, exponent, modulus)))
            }
          }
        }
      }
    }))

  it.live("modular exponentiation and primality leave the event loop free", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto.Crypto
      // the first use starts the thread
      yield* crypto.modPow(Uint8Array.of(3), sequence(256), prime)
      let turns = 0
      let running = true
      const turn = () => {
        turns++
        if (running) setImmediate(turn)
      }
      setImmediate(turn)
      yield* Effect.all(
        Array.from({ length: 20 }, (_, i) => crypto.modPow(Uint8Array.of(3), sequence(256, i), prime)),
        { concurrency: "unbounded" }
      )
      const other = DiffieHellman.wellKnownPrime()
      other[255]! -= 12
      yield* crypto.isSafePrime(other)
      running = false
      // on this thread the loop would turn once for all of them
      assert.isAbove(turns, 20)
    }).pipe(Effect.provide(NodeCrypto.layer)))

  it.live("a closed layer fails its work with a typed error", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(NodeCrypto.layer, scope)
      const crypto = yield* Effect.provideContext(Crypto.Crypto, context)
      const running = yield* Effect.forkChild(
        Effect.exit(crypto.modPow(Uint8Array.of(3), new Uint8Array(1024).fill(255), new Uint8Array(1024).fill(255))),
        { startImmediately: true }
      )
      yield* Scope.close(scope, Exit.void)
      const during = yield* Fiber.join(running)
      assert.isTrue(Exit.isFailure(during))
      const after = yield* Effect.flip(crypto.modPow(Uint8Array.of(3), sequence(256), prime))
      assert.deepStrictEqual([after._tag, after.reason], ["CryptoError", "Unavailable"])
    }))

  it("does not keep the process alive, nor need its thread", () => {
    const url = (name: string) => JSON.stringify(new URL(`../src/${name}.ts`, import.meta.url).href)
    const program = `
      import * as Effect from "effect/Effect"
      import * as Layer from "effect/Layer"
      import * as Scope from "effect/Scope"
      import { Crypto } from ${url("Crypto")}
      import * as NodeCrypto from ${url("NodeCrypto")}
      const scope = Scope.makeUnsafe()
      const context = await Effect.runPromise(Layer.buildWithScope(NodeCrypto.layer, scope))
      const crypto = await Effect.runPromise(Effect.provideContext(Crypto, context))
      const odd = new Uint8Array(256).fill(255)
      const result = await Effect.runPromise(crypto.modPow(odd.slice(1), odd, odd))
      const large = crypto.aesIgeDecryptLarge(new Uint8Array(200000), odd.slice(0, 32), odd.slice(0, 32))
      console.log(result.length, (await Effect.runPromise(large)).length)
    `
    const run = (...flags: ReadonlyArray<string>) =>
      spawnSync(process.execPath, [...flags, "--input-type=module-typescript", "--eval", program], {
        cwd: fileURLToPath(new URL("..", import.meta.url)),
        encoding: "utf8",
        timeout: 20_000
      })
    const { status, stdout } = run()
    assert.deepStrictEqual([status, stdout], [0, "256 200000\n"])
    // where threads are forbidden, the same is done without them
    const forbidden = run("--permission", "--allow-fs-read=*", "--no-warnings")
    assert.deepStrictEqual([forbidden.status, forbidden.stdout], [0, "256 200000\n"])
  })
})

describe("TestCrypto", () => {
  const draw = (seed: string | number) =>
    Effect.gen(function*() {
      const crypto = yield* Crypto.Crypto
      return [3, 16, 1000].map((length) => toHex(crypto.randomBytes(length))).join()
    }).pipe(Effect.provide(TestCrypto.layer({ seed }), { local: true }))

  it.effect("draws the same bytes from the same seed, and others from another", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* draw("a"), yield* draw("a"))
      assert.notStrictEqual(yield* draw("a"), yield* draw("b"))
      assert.strictEqual(yield* draw(1), yield* draw(1))
    }))
})
