import * as Padding from "@effect-mtproto/crypto/Padding"
import { assert, describe, it } from "@effect/vitest"

// length before padding, padding
const SAMPLES = [
  [36, 28],
  [52, 12],
  [56, 72],
  [116, 12],
  [180, 12],
  [244, 12],
  [372, 12],
  [376, 136],
  [500, 12],
  [756, 12],
  [1012, 12],
  [1268, 12],
  [1272, 456],
  [1716, 12],
  [1720, 456],
  [2164, 12],
  [10000, 240]
] as const

describe("Padding", () => {
  it("follows the ladder of TDLib", () => {
    for (const [length, padding] of SAMPLES) assert.strictEqual(Padding.bucketed(length), padding)
  })

  it("always makes whole blocks within the limits", () => {
    for (let length = 0; length < 5_000; length++) {
      for (const padding of [Padding.bucketed(length), Padding.minimal(length)]) {
        assert.strictEqual((length + padding) % 16, 0)
        assert.isAtLeast(padding, Padding.MIN_PADDING)
        assert.isAtMost(padding, Padding.MAX_PADDING)
      }
      assert.isBelow(Padding.minimal(length), 28)
    }
  })
})
