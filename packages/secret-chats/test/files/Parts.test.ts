import * as Parts from "@effect-mtproto/secret-chats/files/Parts"
import { assert, describe, it } from "@effect/vitest"
import { assertSuccess } from "@effect/vitest/utils"
import { Arbitrary, Result, Schema } from "effect"

const KIB = 1024
const MIB = 1024 * KIB

const reason = (size: number) => {
  const result = Parts.plan(size)
  return Result.isFailure(result) ? result.failure.reason : undefined
}

describe("Parts", () => {
  it("part sizes are those of TDLib", () => {
    for (
      const [size, partSize] of [
        [1, 64],
        [10 * MIB + 1, 64],
        [250 * MIB, 64],
        [250 * MIB + 1, 128],
        [500 * MIB, 128],
        [500 * MIB + 1, 256],
        [1000 * MIB, 256],
        [1000 * MIB + 1, 512],
        [2000 * MIB, 512],
        [Parts.MAX_SIZE, 512]
      ] as const
    ) assert.strictEqual(Parts.partSizeOf(size), partSize * KIB, `${size}`)
  })

  it("plans", () => {
    assertSuccess(Parts.plan(1), { size: 1, partSize: 64 * KIB, parts: 1, big: false })
    assertSuccess(Parts.plan(64 * KIB), { size: 64 * KIB, partSize: 64 * KIB, parts: 1, big: false })
    assertSuccess(Parts.plan(64 * KIB + 1), { size: 64 * KIB + 1, partSize: 64 * KIB, parts: 2, big: false })
    assertSuccess(Parts.plan(10 * MIB), { size: 10 * MIB, partSize: 64 * KIB, parts: 160, big: false })
    assertSuccess(Parts.plan(10 * MIB + 1), { size: 10 * MIB + 1, partSize: 64 * KIB, parts: 161, big: true })
    assertSuccess(Parts.plan(4_194_304_000), { size: 4_194_304_000, partSize: 512 * KIB, parts: 8000, big: true })
    assertSuccess(Parts.plan(undefined), { size: undefined, partSize: 512 * KIB, parts: undefined, big: true })
  })

  it("refuses what cannot be sent", () => {
    assert.strictEqual(reason(0), "empty")
    assert.strictEqual(reason(-1), "empty")
    assert.strictEqual(reason(Number.NaN), "empty")
    assert.strictEqual(reason(4_194_304_001), "too-large")
    assert.strictEqual(reason(Infinity), "too-large")
    assert.strictEqual(reason(1.5), "source-changed")
  })

  it.prop("every plan keeps the rules of the server", {
    size: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Parts.MAX_SIZE })))
  }, ({ size }) => {
    const { big, parts, partSize } = Result.getOrThrow(Parts.plan(size))
    assert.strictEqual(partSize % KIB, 0)
    assert.strictEqual(512 * KIB % partSize, 0)
    assert.isTrue(parts! <= Parts.MAX_PARTS)
    assert.isTrue((parts! - 1) * partSize < size && size <= parts! * partSize)
    assert.strictEqual(big, size > 10 * MIB)
    const stored = Parts.paddedSize(size)
    assert.isTrue(stored % 16 === 0 && stored - size < 16 && stored >= size)
    const piece = Parts.pieceSizeOf(stored)
    assert.isTrue(piece % 4096 === 0 && MIB % piece === 0)
  }, { arbitrary: { runs: 500 } })
})
