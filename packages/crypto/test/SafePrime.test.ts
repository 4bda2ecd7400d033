import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Bytes from "../src/internal/bytes.ts"
import * as SafePrime from "../src/internal/safePrime.ts"

const counted = (verdict: (n: number) => Promise<boolean>) => {
  let calls = 0
  return { check: SafePrime.make(() => verdict(++calls)), calls: () => calls }
}

// 11 mod 12, and more than 32 bits
const candidate = (i: number): Uint8Array => Bytes.fromBigInt(11n + 12n * (10n ** 12n + BigInt(i)), 8)

describe("safe-prime checks", () => {
  it.effect("test a number once, however often and however many ask", () =>
    Effect.gen(function*() {
      const { calls, check } = counted(() => new Promise((resolve) => setImmediate(() => resolve(true))))
      const verdicts = yield* Effect.all(Array.from({ length: 8 }, () => check(candidate(0))), {
        concurrency: "unbounded"
      })
      assert.isTrue(verdicts.every((verdict) => verdict))
      assert.isTrue(yield* check(Bytes.concat([new Uint8Array(5), candidate(0)])))
      assert.strictEqual(calls(), 1)
    }))

  it.effect("test nothing that the last digits rule out", () =>
    Effect.gen(function*() {
      const { calls, check } = counted(() => Promise.resolve(true))
      for (let i = 1n; i < 12n; i++) {
        assert.isFalse(yield* check(Bytes.fromBigInt(Bytes.toBigInt(candidate(0)) + i, 8)))
      }
      assert.strictEqual(calls(), 0)
    }))

  it.effect("forget the oldest verdicts, and failures at once", () =>
    Effect.gen(function*() {
      const { calls, check } = counted((n) => n === 1 ? Promise.reject(new Error("no")) : Promise.resolve(false))
      const error = yield* Effect.flip(check(candidate(0)))
      assert.deepStrictEqual([error._tag, error.reason], ["CryptoError", "Unavailable"])
      for (let i = 0; i < 65; i++) assert.isFalse(yield* check(candidate(i)))
      assert.strictEqual(calls(), 1 + 65)
      yield* check(candidate(64))
      assert.strictEqual(calls(), 1 + 65)
      yield* check(candidate(0))
      assert.strictEqual(calls(), 1 + 66)
    }))
})
