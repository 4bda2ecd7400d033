import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Zlib from "node:zlib"
import { inflate } from "../src/internal/inflate.ts"

/** Bytes that compress: every one is one of a few, with repetitions near and far. */
const compressible = (seed: Uint8Array, length: number): Uint8Array => {
  const out = new Uint8Array(length)
  let state = 1
  for (const byte of seed) state = (Math.imul(state, 31) + byte + 1) >>> 0
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const back = 1 + (state >>> 17)
    out[i] = (state & 64) !== 0 && back < i ? out[i - back]! : (state >>> 8) & ((state & 128) === 0 ? 7 : 255)
  }
  return out
}

const { Z_FILTERED, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE } = Zlib.constants
const ways: ReadonlyArray<Zlib.ZlibOptions> = [
  {},
  { level: 0 },
  { level: 1 },
  { level: 9 },
  { strategy: Z_FIXED },
  { strategy: Z_HUFFMAN_ONLY },
  { strategy: Z_RLE },
  { strategy: Z_FILTERED }
]

describe("inflate", () => {
  const check = (seed: Uint8Array, length: number): void => {
    const data = compressible(seed, length)
    for (const way of ways) {
      for (const pack of [Zlib.gzipSync, Zlib.deflateSync]) {
        const read = inflate(pack(data, way), length)
        assert.isTrue(read !== undefined && Buffer.compare(read, data) === 0)
      }
    }
  }

  it.prop("reads what zlib writes, in every way", [Schema.Uint8Array], ([seed]) => {
    for (const length of [0, 1, 300]) check(seed, length)
  })

  it("over several blocks", () => {
    check(Uint8Array.of(1), 70_000)
  })

  it("stops at the limit", () => {
    for (const pack of [Zlib.gzipSync, Zlib.deflateSync]) {
      const bomb = pack(new Uint8Array(20_000_000))
      assert.isUndefined(inflate(bomb, 1_000_000))
      assert.isUndefined(inflate(pack(new Uint8Array(1_001)), 1_000))
      assert.strictEqual(inflate(pack(new Uint8Array(1_000)), 1_000)?.length, 1_000)
    }
  })

  it("header fields of gzip are skipped", () => {
    const plain = Zlib.gzipSync("hello")
    const head = Buffer.from(plain.subarray(0, 10))
    head[3] = 2 | 4 | 8 | 16
    const packed = Buffer.concat([
      head,
      Buffer.of(3, 0, 9, 9, 9),
      Buffer.from("name\0comment\0"),
      Buffer.of(7, 7),
      plain.subarray(10)
    ])
    assert.strictEqual(Buffer.from(inflate(packed, 10)!).toString(), "hello")
  })

  it("what is broken is no data, and never an exception", () => {
    const data = compressible(Uint8Array.of(5), 400)
    for (const way of ways) {
      for (const pack of [Zlib.gzipSync, Zlib.deflateSync]) {
        const packed = pack(data, way)
        for (let length = 0; length < packed.length; length++) {
          assert.isUndefined(inflate(packed.subarray(0, length), 1_000))
        }
        for (let at = 0; at < packed.length; at++) {
          const flipped = Uint8Array.from(packed)
          flipped[at]! ^= 1 << (at % 8)
          const read = inflate(flipped, 1_000)
          // only what says nothing about the data may change: the time, the system
          assert.isTrue(read === undefined || Buffer.compare(read, data) === 0)
        }
      }
    }
  })

  it.prop("whatever comes", [Schema.Uint8Array], ([bytes]) => {
    inflate(bytes, 1_000)
    inflate(Uint8Array.from([0x78, 0x9c, ...bytes]), 1_000)
    inflate(Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, ...bytes]), 1_000)
  })
})
