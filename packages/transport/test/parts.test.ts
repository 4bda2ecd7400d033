import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as Zlib from "node:zlib"
import * as Gzip from "../src/internal/gzip.ts"
import * as MessageIds from "../src/internal/messageIds.ts"
import * as Packing from "../src/internal/packing.ts"
import * as ReceivedIds from "../src/internal/receivedIds.ts"
import * as Salts from "../src/internal/salts.ts"
import * as SentPackets from "../src/internal/sentPackets.ts"
import * as Methods from "../src/Methods.ts"

const int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

describe("messageIds", () => {
  it.prop(
    "are divisible by 4, increasing, and tell the time",
    [Schema.Int, Arbitrary.array(Arbitrary.schema(int(1_000_000_000_000, 2_000_000_000_000)), { maxLength: 50 })],
    ([seed, times]) => {
      const ids = MessageIds.make(seed)
      let last = 0n
      for (const time of times.toSorted((a, b) => a - b)) {
        const id = ids.next(time)
        assert.isTrue(id > last)
        assert.strictEqual(id & 3n, 0n)
        assert.isTrue(id < 2n ** 63n)
        assert.approximately(MessageIds.timeOf(id), time, 1)
        last = id
      }
    }
  )

  it("go on when the clock goes back, and start anew when told", () => {
    const ids = MessageIds.make(1)
    const first = ids.next(2_000_000)
    assert.strictEqual(ids.next(1_000_000), first + 4n)
    ids.reset()
    assert.isTrue(ids.next(1_000_000) < first)
  })

  it("have low bits that are no counter", () => {
    const ids = MessageIds.make(1)
    const low = new Set(Array.from({ length: 100 }, (_, i) => ids.next(1_000_000 + i * 1_000) & 0xffffffffn))
    assert.strictEqual(low.size, 100)
    assert.isFalse(low.has(0n))
  })
})

describe("receivedIds", () => {
  it.prop(
    "know every identifier, as long as there are not too many",
    [Arbitrary.array(Arbitrary.schema(int(1, 60)), { maxLength: 300 })],
    ([numbers]) => {
      const ids = ReceivedIds.make(20)
      const seen = new Set<number>()
      for (const n of numbers) {
        const verdict = ids.add(BigInt(n))
        // never processed twice, and forgotten ones are not taken for new
        if (seen.has(n)) assert.notStrictEqual(verdict, "new")
        if (verdict === "new") assert.isFalse(seen.has(n))
        seen.add(n)
        assert.strictEqual(ids.state(BigInt(n)) & 7, verdict === "unknown" ? 1 : 4)
      }
    }
  )

  it("are bounded: the smallest are forgotten", () => {
    const ids = ReceivedIds.make(10)
    for (let i = 1n; i <= 20n; i++) assert.strictEqual(ids.add(i), "new")
    assert.strictEqual(ids.add(10n), "unknown")
    assert.strictEqual(ids.add(11n), "duplicate")
    assert.strictEqual(ids.state(21n), 3)
    ids.clear()
    assert.strictEqual(ids.add(1n), "new")
  })
})

describe("sentPackets", () => {
  it("know the last ones, and give what was in one of them once", () => {
    const packets = SentPackets.make<string>(3)
    for (const [i, content] of ["a", "b", "c", "d"].entries()) packets.add(BigInt(i), content)
    assert.deepStrictEqual([0n, 1n, 2n, 3n, 4n].map(packets.has), [false, true, true, true, false])
    assert.deepStrictEqual([0n, 2n, 2n].map(packets.take), [undefined, "c", undefined])
    assert.isFalse(packets.has(2n))
    packets.clear()
    assert.isFalse(packets.has(3n))
    packets.add(5n, "e")
    assert.strictEqual(packets.take(5n), "e")
  })
})

const salt = (n: number, validSince: number, validUntil: number) => ({ salt: BigInt(n), validSince, validUntil })

describe("salts", () => {
  it("the youngest that is valid already, an expired one rather than none", () => {
    const salts = Salts.make([salt(2, 200, 500), salt(1, 100, 400), salt(3, 300, 600)])
    assert.deepStrictEqual([150, 250, 350, 9_999].map(salts.current), [1n, 2n, 3n, 3n])
    assert.strictEqual(Salts.make([]).current(0), 0n)
  })

  it("a notice replaces what is valid now, and keeps what will be", () => {
    const salts = Salts.make([salt(1, 100, 400), salt(2, 1_000, 2_000)])
    salts.renew(200, 9n)
    assert.deepStrictEqual(salts.all(), [salt(9, 200, 800), salt(2, 1_000, 2_000)])
    assert.deepStrictEqual([300, 1_000].map(salts.current), [9n, 2n])
  })

  it("are low a minute before the last one ends", () => {
    const salts = Salts.make([salt(1, 0, 100)])
    assert.deepStrictEqual([40, 41].map(salts.isLow), [false, true])
    salts.add([salt(2, 50, 500)])
    assert.isFalse(salts.isLow(41))
    assert.isTrue(Salts.make([]).isLow(0))
  })

  it("are not more than 64", () => {
    const salts = Salts.make(Array.from({ length: 100 }, (_, i) => salt(i, i, i + 1)))
    assert.strictEqual(salts.all().length, 64)
    assert.strictEqual(salts.current(9_999), 99n)
  })
})

describe("gzip", () => {
  it.prop("what is deflated is inflated", [Schema.Uint8Array], ([bytes]) => {
    const data = new Uint8Array(2_000)
    data.set(bytes.subarray(0, 2_000))
    assert.deepStrictEqual(Gzip.inflate(Gzip.deflate(data)!, 2_000), data)
  })

  it("only what is long and gets shorter is deflated", () => {
    assert.isUndefined(Gzip.deflate(new Uint8Array(511)))
    assert.isDefined(Gzip.deflate(new Uint8Array(512)))
    assert.isUndefined(Gzip.deflate(crypto.getRandomValues(new Uint8Array(4_096))))
  })

  it("a bomb stops at the limit", () => {
    const bomb = Zlib.gzipSync(new Uint8Array(50_000_000))
    assert.isUndefined(Gzip.inflate(bomb, 1_000_000))
    assert.isUndefined(Gzip.inflate(Zlib.gzipSync(new Uint8Array(1_001)), 1_000))
    assert.isDefined(Gzip.inflate(Zlib.gzipSync(new Uint8Array(1_000)), 1_000))
  })

  it("broken data is no data", () => {
    const packed = Zlib.gzipSync(Uint8Array.of(1, 2, 3))
    for (let length = 0; length < packed.length; length++) {
      assert.isUndefined(Gzip.inflate(packed.subarray(0, length), 1_000))
    }
  })
})

describe("packing", () => {
  it.prop(
    "keeps the order and the bounds",
    [Arbitrary.array(Arbitrary.schema(int(0, 100_000)), { maxLength: 200 })],
    ([sizes]) => {
      const groups = Packing.group(sizes, (size) => size)
      assert.deepStrictEqual(groups.flat(), [...sizes])
      for (const group of groups) {
        const total = group.reduce((sum, size) => sum + 16 + size, 0)
        assert.isTrue(group.length === 1 || total <= 65_536)
      }
    }
  )
})

describe("methods", () => {
  it("encrypted data is not compressed, secrets of one use are not repeated", () => {
    assert.isFalse(Methods.isCompressible("messages.sendEncryptedService"))
    assert.isTrue(Methods.isCompressible("messages.sendMessage"))
    assert.isFalse(Methods.isRepeatable("auth.signIn"))
    assert.isTrue(Methods.isRepeatable("messages.sendEncryptedService"))
  })
})
