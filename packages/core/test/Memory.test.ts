import * as Memory from "@effect-mtproto/core/Memory"
import { TlWriter } from "@effect-mtproto/core/TlWriter"
import { assert, describe, it } from "@effect/vitest"

const SIZE = 65_536

describe("Memory", () => {
  it("releases an array that is all of its buffer, and no other", () => {
    const whole = new Uint8Array(SIZE)
    Memory.release(whole)
    assert.strictEqual(whole.length, 0)

    const shared = new Uint8Array(SIZE + 32)
    for (const view of [shared.subarray(32), shared.subarray(0, SIZE), shared.subarray(7, 20_000)]) {
      Memory.release(view)
    }
    assert.strictEqual(shared.length, SIZE + 32)

    const small = new Uint8Array(1000)
    Memory.release(small)
    assert.strictEqual(small.length, 1000)
  })

  it("takes the head of a message for nothing, and more if it is told so", () => {
    const answer = new Uint8Array(SIZE)
    Memory.release(answer.subarray(28, SIZE - 3))
    assert.strictEqual(answer.length, 0)
    const written = new Uint8Array(SIZE)
    Memory.release(written.subarray(0, SIZE - 1000))
    assert.strictEqual(written.length, SIZE)
    Memory.release(written.subarray(0, SIZE - 1000), 1024)
    assert.strictEqual(written.length, 0)
  })

  it("gives back what was lent, and nothing else", () => {
    const kept = new Uint8Array(SIZE)
    Memory.giveBack(kept)
    assert.strictEqual(kept.length, SIZE)
    Memory.lend(kept)
    Memory.giveBack(kept.subarray(0, 100))
    assert.strictEqual(kept.length, SIZE)
    // lent once, for one reader
    Memory.giveBack(kept)
    assert.strictEqual(kept.length, SIZE)
    Memory.lend(kept)
    Memory.giveBack(kept)
    assert.strictEqual(kept.length, 0)
  })

  it("leaves memory alone that is shared between threads", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(SIZE))
    Memory.release(shared)
    assert.strictEqual(shared.length, SIZE)
  })

  it("of a result of any size can be given back while its writer goes on", () => {
    const writer = new TlWriter()
    for (const size of [10, 16_384, 32_700, 32_768, 40_000, 64_500, 65_536, 131_072, 10]) {
      writer.bytes(new Uint8Array(size).fill(7))
      const result = writer.take()
      assert.isAtLeast(result.length, size)
      assert.isTrue(result.includes(7))
      if (size >= 16_384) Memory.release(result, 2048)
    }
  })
})
