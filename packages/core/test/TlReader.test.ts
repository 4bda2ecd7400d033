import * as Tl from "@effect-mtproto/core/Tl"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { TlError } from "@effect-mtproto/core/TlError"
import { copyLimit, TlReader } from "@effect-mtproto/core/TlReader"
import { TlWriter } from "@effect-mtproto/core/TlWriter"
import { assert, describe, it } from "@effect/vitest"
import { hex } from "./frames.ts"

const errorOf = (run: () => unknown): TlError => {
  try {
    run()
  } catch (e) {
    if (e instanceof TlError) return e
    throw e
  }
  throw new Error("no error")
}
const written = (write: (w: TlWriter) => void) => {
  const w = new TlWriter()
  write(w)
  return w.take()
}
const filled = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7 + 1)

describe("primitives", () => {
  it.each([
    [0, "00000000"],
    [1, "01000000"],
    [67305985, "01020304"],
    [-1, "ffffffff"],
    [2147483647, "ffffff7f"],
    [-2147483648, "00000080"]
  ])("int %d", (value, bytes) => {
    assert.deepStrictEqual(written((w) => w.int(value)), hex(bytes))
    assert.strictEqual(new TlReader(hex(bytes)).int(), value)
  })

  it.each([
    [-1n, "ffffffffffffffff"],
    [8671175386481439762n, "1234567812345678"],
    [-6700480189419895787n, "15c415b5c41c03a3"],
    [2n ** 63n - 1n, "ffffffffffffff7f"],
    [-(2n ** 63n), "0000000000000080"]
  ])("long %d", (value, bytes) => {
    assert.deepStrictEqual(written((w) => w.long(value)), hex(bytes))
    assert.strictEqual(new TlReader(hex(bytes)).long(), value)
  })

  it.each([
    [1, "000000000000f03f"],
    [10.5, "0000000000002540"],
    [8.8, "9a99999999992140"],
    [-0, "0000000000000080"],
    [Infinity, "000000000000f07f"]
  ])("double %d", (value, bytes) => {
    assert.deepStrictEqual(written((w) => w.double(value)), hex(bytes))
    assert.isTrue(Object.is(new TlReader(hex(bytes)).double(), value))
  })

  it("NaN", () => {
    assert.isNaN(new TlReader(written((w) => w.double(Number.NaN))).double())
  })

  it.each([[hex("010203"), "03010203"], [hex("01020304"), "0401020304000000"], [new Uint8Array(0), "00000000"]])(
    "bytes %s",
    (value, bytes) => {
      assert.deepStrictEqual(written((w) => w.bytes(value)), hex(bytes))
      assert.deepStrictEqual(new TlReader(hex(bytes)).bytes(), value)
    }
  )

  it.each([
    [250, "fa", 1],
    [253, "fd", 2],
    [254, "fefe0000", 2],
    [255, "feff0000", 1],
    [1000, "fee80300", 0],
    [65536, "fe000001", 0]
  ])("bytes of length %d", (length, head, padding) => {
    const bytes = written((w) => w.bytes(filled(length)))
    assert.deepStrictEqual(bytes, new Uint8Array([...hex(head), ...filled(length), ...new Uint8Array(padding)]))
    const reader = new TlReader(bytes)
    assert.deepStrictEqual(reader.bytes(), filled(length))
    assert.strictEqual(reader.remaining, 0)
  })

  it("strings", () => {
    assert.deepStrictEqual(written((w) => w.string("test")), hex("0474657374000000"))
    const texts = [
      ...Array.from({ length: 40 }, (_, n) => "abcdefghijklmnopqrstuvwxyz0123456789ABCD".slice(0, n)),
      ...Array.from({ length: 40 }, (_, n) => "é".repeat(n)),
      "x".repeat(253),
      "x".repeat(254),
      // 127 characters of two bytes: short as characters, long as bytes
      "ж".repeat(126),
      "ж".repeat(127),
      "ж".repeat(253),
      "😀".repeat(1000),
      "\u{feff}byte order mark",
      "nul\u0000inside",
      "x".repeat(100_000)
    ]
    for (const text of texts) {
      const bytes = written((w) => w.string(text))
      assert.deepStrictEqual(bytes, written((w) => w.bytes(new TextEncoder().encode(text))))
      const reader = new TlReader(bytes)
      assert.strictEqual(reader.string(), text)
      assert.strictEqual(reader.remaining, 0)
    }
  })

  it("strings that are not UTF-8 are read with replacement characters, lone surrogates written so", () => {
    assert.strictEqual(new TlReader(hex("03ff4142")).string(), "\u{fffd}AB")
    assert.strictEqual(new TlReader(hex("02c328 00")).string(), "\u{fffd}(")
    assert.deepStrictEqual(written((w) => w.string("\ud800")), hex("03efbfbd"))
    assert.deepStrictEqual(written((w) => w.string("a\udc00b")), hex("0561efbfbd620000"))
    assert.deepStrictEqual(
      written((w) => w.string("\ud800".repeat(600))),
      written((w) => w.string("\u{fffd}".repeat(600)))
    )
  })

  it("a long form with a short length is read", () => {
    const reader = new TlReader(hex("fe030000 01020300"))
    assert.deepStrictEqual(reader.bytes(), hex("010203"))
    assert.strictEqual(reader.remaining, 0)
  })

  it("padding is not looked at", () => {
    assert.deepStrictEqual(new TlReader(hex("01ffaabb")).bytes(), hex("ff"))
  })

  it("booleans, int128, int256, vectors", () => {
    assert.deepStrictEqual(written((w) => w.bool(true)), hex("b5757299"))
    assert.deepStrictEqual(written((w) => w.bool(false)), hex("379779bc"))
    assert.isTrue(new TlReader(hex("b5757299")).bool())
    assert.isFalse(new TlReader(hex("379779bc")).bool())
    assert.deepStrictEqual(new TlReader(written((w) => w.int128(filled(16)))).int128(), filled(16))
    assert.deepStrictEqual(new TlReader(written((w) => w.int256(filled(32)))).int256(), filled(32))
    const Ints = Tl.vector(Tl.int)
    assert.deepStrictEqual(TlCodec.encode(Ints)([1, 2]), hex("15c4b51c020000000100000002000000"))
    assert.deepStrictEqual(TlCodec.decode(Ints)(hex("15c4b51c020000000100000002000000")), [1, 2])
  })
})

describe("ownership", () => {
  it("short byte values are copies, long ones views", () => {
    const bytes = written((w) => {
      w.bytes(filled(copyLimit))
      w.bytes(filled(copyLimit + 1))
    })
    const reader = new TlReader(bytes)
    const [short, long] = [reader.bytes(), reader.bytes()]
    bytes.fill(0)
    assert.deepStrictEqual(short, filled(copyLimit))
    assert.deepStrictEqual(long, new Uint8Array(copyLimit + 1))
    assert.strictEqual(long.buffer, bytes.buffer)
  })

  it("a Buffer gives plain arrays", () => {
    const bytes = Buffer.from(written((w) => w.bytes(filled(200))))
    assert.strictEqual(Object.getPrototypeOf(new TlReader(bytes).bytes()), Uint8Array.prototype)
    assert.strictEqual(Object.getPrototypeOf(written((w) => w.int(1))), Uint8Array.prototype)
  })

  it("what was taken stays what it is", () => {
    const w = new TlWriter()
    const taken: Array<Uint8Array> = []
    for (let i = 0; i < 3000; i++) {
      w.int(i)
      w.bytes(filled(i % 300))
      if (i % 7 === 0) w.reset()
      else taken.push(w.take())
    }
    let at = 0
    for (let i = 0; i < 3000; i++) {
      if (i % 7 === 0) continue
      const reader = new TlReader(taken[at++]!)
      assert.strictEqual(reader.int(), i)
      assert.deepStrictEqual(reader.bytes(), filled(i % 300))
      reader.finish()
    }
  })

  it("grows through any size", () => {
    const w = new TlWriter()
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 40_000; i++) w.int(i)
      assert.strictEqual(w.length, 160_000)
      w.bytes(filled(200_000))
      const reader = new TlReader(w.take())
      for (let i = 0; i < 40_000; i++) if (reader.int() !== i) assert.fail(`int ${i}`)
      assert.deepStrictEqual(reader.bytes(), filled(200_000))
      reader.finish()
    }
  })

  it("results of every size, in any order, stay apart", () => {
    const w = new TlWriter()
    const sizes = [10, 40_000, 70_000, 20, 66_000, 120_000, 130_000, 200_000, 35_000, 5, 33_000, 90_000]
    const taken = [...sizes, ...sizes.toReversed()].map((size, i) => {
      w.raw(new Uint8Array(size).fill(i + 1))
      return w.take()
    })
    taken.forEach((bytes, i) => {
      const size = [...sizes, ...sizes.toReversed()][i]!
      assert.deepStrictEqual(bytes, new Uint8Array(size).fill(i + 1))
    })
  })

  it("reads a part of a buffer", () => {
    const bytes = new Uint8Array([9, 9, 9, ...hex("03010203"), ...hex("0100000002000000"), 9])
    const reader = new TlReader(bytes, { start: 3, end: 15 })
    assert.deepStrictEqual(reader.bytes(), hex("010203"))
    assert.strictEqual(reader.int(), 1)
    assert.strictEqual(
      errorOf(() => reader.long()).message,
      "TL: expected a long, found 4 bytes instead of 8 at the top level (byte 8)"
    )
    assert.throws(() => new TlReader(bytes, { start: 20 }), RangeError)
    assert.throws(() => new TlReader(bytes, { end: 17 }), RangeError)
  })
})

describe("refusals", () => {
  it("truncation", () => {
    for (
      const [bytes, read] of [
        ["000000", (r: TlReader) => r.int()],
        ["00000000000000", (r: TlReader) => r.long()],
        ["00000000000000", (r: TlReader) => r.double()],
        ["00".repeat(15), (r: TlReader) => r.int128()],
        ["00".repeat(31), (r: TlReader) => r.int256()],
        ["0201", (r: TlReader) => r.bytes()],
        ["04010203", (r: TlReader) => r.bytes()],
        ["0401020304000", (r: TlReader) => r.bytes()],
        ["fe0400000102", (r: TlReader) => r.string()],
        ["fe", (r: TlReader) => r.string()],
        ["15c4b5", (r: TlReader) => r.vector(4)]
      ] as const
    ) {
      assert.strictEqual(errorOf(() => read(new TlReader(hex(bytes)))).reason, "Truncated", bytes)
    }
  })

  it("limits", () => {
    assert.strictEqual(errorOf(() => new TlReader(hex("ff00000000000000")).bytes()).reason, "LimitExceeded")
    const bomb = new TlReader(hex("15c4b51c ffffff7f 00000000"))
    assert.strictEqual(
      errorOf(() => bomb.vector(4)).message,
      "TL: expected a count of at most 1, found 2147483647 at the top level (byte 8)"
    )
    assert.strictEqual(errorOf(() => new TlReader(hex("15c4b51c ffffffff 00000000")).vector(4)).reason, "LimitExceeded")
    assert.strictEqual(errorOf(() => new TlReader(hex("ffffff7f")).block()).reason, "LimitExceeded")
    assert.strictEqual(errorOf(() => new TlReader(hex("ffffffff")).block()).reason, "LimitExceeded")
    const deep = new TlReader(new Uint8Array(0), { maxDepth: 2 })
    deep.enter()
    deep.enter()
    assert.strictEqual(errorOf(() => deep.enter()).reason, "LimitExceeded")
  })

  it("ids", () => {
    assert.strictEqual(
      errorOf(() => new TlReader(hex("00000001")).bool()).message,
      "TL: expected a constructor of Bool, found 0x01000000 at the top level (byte 0)"
    )
    assert.strictEqual(
      errorOf(() => new TlReader(hex("0000000100000000")).vector(4)).message,
      "TL: expected Vector (0x1cb5c415), found 0x01000000 at the top level (byte 0)"
    )
  })

  it("trailing bytes", () => {
    const reader = new TlReader(hex("0000000001"))
    reader.int()
    assert.strictEqual(errorOf(() => reader.finish()).reason, "TrailingBytes")
  })

  it("values that have no form", () => {
    const wrong: ReadonlyArray<readonly [unknown, (w: TlWriter) => (value: never) => void]> = [
      ["1", (w) => w.int.bind(w)],
      [1.5, (w) => w.int.bind(w)],
      [2 ** 31, (w) => w.int.bind(w)],
      [Number.NaN, (w) => w.int.bind(w)],
      [1n, (w) => w.int.bind(w)],
      [Symbol.iterator, (w) => w.int.bind(w)],
      [1, (w) => w.long.bind(w)],
      [2n ** 63n, (w) => w.long.bind(w)],
      [-(2n ** 63n) - 1n, (w) => w.long.bind(w)],
      ["1", (w) => w.double.bind(w)],
      [1, (w) => w.string.bind(w)],
      [undefined, (w) => w.string.bind(w)],
      ["a", (w) => w.bytes.bind(w)],
      [[1, 2], (w) => w.bytes.bind(w)],
      [new ArrayBuffer(4), (w) => w.bytes.bind(w)],
      [new Uint16Array(8), (w) => w.int128.bind(w)],
      [new Uint8Array(15), (w) => w.int128.bind(w)],
      [new Uint8Array(16), (w) => w.int256.bind(w)],
      [1, (w) => w.bool.bind(w)],
      [{ length: 1 }, (w) => w.vector.bind(w)],
      ["ab", (w) => w.count.bind(w)],
      ["ab", (w) => w.raw.bind(w)],
      ["ab", (w) => w.block.bind(w)]
    ]
    for (const [value, method] of wrong) {
      const w = new TlWriter()
      assert.strictEqual(errorOf(() => method(w)(value as never)).reason, "InvalidValue")
    }
  })

  it("a number of another kind is not said to be out of range", () => {
    const found = (write: (w: TlWriter) => void) => errorOf(() => written(write)).found
    assert.strictEqual(found((w) => w.long(1 as never)), "a number")
    assert.strictEqual(found((w) => w.long(1n << 63n)), "a bigint out of range")
    assert.strictEqual(found((w) => w.int(1n as never)), "a bigint")
    assert.strictEqual(found((w) => w.int(2 ** 31)), "an integer out of range")
    assert.strictEqual(found((w) => w.int(0.5)), "a number that is not an integer")
    assert.strictEqual(found((w) => w.string(5 as never)), "a number")
    assert.strictEqual(found((w) => w.double(5n as never)), "a bigint")
    assert.strictEqual(found((w) => w.bytes(0.5 as never)), "a number")
  })

  it("sizes", () => {
    const w = new TlWriter({ maxSize: 100 })
    w.bytes(new Uint8Array(60))
    assert.strictEqual(errorOf(() => w.bytes(new Uint8Array(36))).reason, "LimitExceeded")
    w.bytes(new Uint8Array(35))
    assert.strictEqual(w.take().length, 100)
    for (let i = 0; i < 25; i++) w.int(i)
    assert.strictEqual(errorOf(() => w.int(0)).reason, "LimitExceeded")
    w.reset()
    w.string("ж".repeat(49))
    assert.strictEqual(w.take().length, 100)
    const long = new Uint8Array(1 << 24)
    assert.strictEqual(errorOf(() => new TlWriter().bytes(long)).reason, "LimitExceeded")
    assert.strictEqual(errorOf(() => new TlWriter().string("x".repeat(1 << 24))).reason, "LimitExceeded")
    assert.strictEqual(errorOf(() => new TlWriter().string("ж".repeat(1 << 23))).reason, "LimitExceeded")
    assert.strictEqual(new TlReader(written((x) => x.bytes(long.subarray(1)))).bytes().length, (1 << 24) - 1)
  })

  it("errors are told without what was read or written", () => {
    const secret = "my secret text"
    const messages = [
      errorOf(() => new TlWriter().int(secret as never)).message,
      errorOf(() => new TlWriter().long(secret as never)).message,
      errorOf(() => new TlWriter().bytes(secret as never)).message,
      errorOf(() => new TlWriter().vector(secret as never)).message
    ]
    for (const message of messages) assert.notInclude(message, "secret")
  })
})
