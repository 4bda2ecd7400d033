import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as Tl from "@effect-mtproto/core/Tl"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { TlError } from "@effect-mtproto/core/TlError"
import { TlReader } from "@effect-mtproto/core/TlReader"
import { TlWriter } from "@effect-mtproto/core/TlWriter"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { fromLayout } from "../src/internal/codec.ts"
import { fromAst } from "../src/internal/fromSchema.ts"
import { frames, hex } from "./frames.ts"

// ----- a schema with every kind of field

const Leaf = Tl.constructor("leaf", 0x00000001, {})
const Point = Tl.constructor("geo.point", 0xfffffffe, { lat: Tl.double, long: Tl.double })
interface Branch {
  readonly _tag: "branch"
  readonly left?: Tree
  readonly right: Tree
}
type Tree = typeof Leaf.Type | Branch
const Branch = Tl.constructor("branch", 0x00000002, {
  flags: Tl.flags,
  left: Tl.flag(0, Schema.suspend((): Schema.Codec<Tree> => Tree)),
  right: Schema.suspend((): Schema.Codec<Tree> => Tree)
})
const Tree: Schema.Codec<Tree> = Tl.union("Tree", [Leaf, Branch])
const Everything = Tl.constructor("everything", 0xabcdef01, {
  flags: Tl.flags,
  a: Tl.int,
  early: Tl.flag(3, Tl.string),
  b: Tl.long,
  on: Tl.flagTrue(0),
  c: Tl.double,
  d: Tl.string,
  e: Tl.bytes,
  f: Tl.bool,
  g: Tl.int128,
  h: Tl.int256,
  // two fields and a mark on one bit
  twin: Tl.flag(31, Tl.int),
  otherTwin: Tl.flag(31, Tl.string),
  marked: Tl.flagTrue(31),
  boxed: Point,
  bare: Tl.bare(Point),
  flags2: Tl.flags,
  late: Tl.flag(1, Tl.vector(Tl.bytes), "flags2"),
  points: Tl.bareVector(Tl.bare(Point)),
  nested: Tl.vector(Tl.vector(Tl.long)),
  tree: Tree,
  block: Tl.block,
  maybe: Tl.flag(2, Point, "flags2"),
  rest: Tl.rest()
})
type Everything = typeof Everything.Type

const sample: Everything = {
  _tag: "everything",
  a: -5,
  early: "é",
  b: 2n ** 40n,
  on: true,
  c: 0.1,
  d: "text",
  e: Uint8Array.of(1, 2, 3),
  f: true,
  g: new Uint8Array(16).fill(1),
  h: new Uint8Array(32).fill(2),
  twin: 7,
  otherTwin: "t",
  marked: true,
  boxed: { _tag: "geo.point", lat: 1, long: 2 },
  bare: { _tag: "geo.point", lat: 3, long: 4 },
  late: [Uint8Array.of(9)],
  points: [{ _tag: "geo.point", lat: 5, long: 6 }],
  nested: [[1n, 2n], []],
  tree: { _tag: "branch", right: { _tag: "branch", left: { _tag: "leaf" }, right: { _tag: "leaf" } } },
  block: Uint8Array.of(1, 2, 3, 4),
  maybe: { _tag: "geo.point", lat: 7, long: 8 },
  rest: Uint8Array.of(5, 6, 7)
}

const errorOf = (run: () => unknown): TlError => {
  try {
    run()
  } catch (e) {
    if (e instanceof TlError) return e
    throw e
  }
  throw new Error("no error")
}
/** A value or a TlError; anything else is thrown. */
const outcome = <A>(run: () => A): Result.Result<A, TlError> => {
  try {
    return Result.succeed(run())
  } catch (e) {
    if (e instanceof TlError) return Result.fail(e)
    throw e
  }
}

describe.each(["source", "closures"] as const)("TlCodec, %s", (mode) => {
  const codecOf = (schema: Schema.Constraint) => fromLayout(fromAst(schema.ast), mode)
  const everything = codecOf(Everything)
  const messages = codecOf(SecretApi.DecryptedMessageLayer)

  it("every kind of field, byte by byte", () => {
    const bytes = everything.encode(sample)
    assert.deepStrictEqual(
      bytes,
      hex(`
        01efcdab 09000080 fbffffff 02c3a900 0000000000010000 9a9999999999b93f 0474657874000000 03010203 b5757299
        ${"01".repeat(16)} ${"02".repeat(32)} 07000000 01740000
        feffffff 000000000000f03f 0000000000000040 0000000000000840 0000000000001040
        06000000 15c4b51c 01000000 01090000 01000000 0000000000001440 0000000000001840
        15c4b51c 02000000 15c4b51c 02000000 0100000000000000 0200000000000000 15c4b51c 00000000
        02000000 00000000 02000000 01000000 01000000 01000000
        04000000 01020304 feffffff 0000000000001c40 0000000000002040 050607
      `)
    )
    assert.deepStrictEqual(everything.decode(bytes), sample)
  })

  it("without what is conditional", () => {
    const { early: _1, late: _2, marked: _3, maybe: _4, on: _5, otherTwin: _6, twin: _7, ...least } = sample
    const bytes = everything.encode(least)
    assert.deepStrictEqual(bytes.subarray(4, 8), hex("00000000"))
    assert.deepStrictEqual(everything.decode(bytes), least)
    assert.deepStrictEqual(Object.keys(everything.decode(bytes)).toSorted(), Object.keys(least).toSorted())
    assert.deepStrictEqual(everything.encode({ ...least, early: undefined, on: undefined, maybe: undefined }), bytes)
    assert.deepStrictEqual(everything.encode({ ...least, on: false }), bytes)
  })

  it("fields that share a bit go together", () => {
    const { twin: _, ...half } = sample
    assert.strictEqual(
      errorOf(() => everything.encode(half)).message,
      "TL: expected an int32, found nothing at twin (byte 96)"
    )
    const { marked: __, ...unmarked } = sample
    // The bit is set by the other two.
    assert.isTrue(everything.decode(everything.encode(unmarked)).marked)
  })

  it("says where reading fails", () => {
    const bytes = everything.encode(sample)
    const damage = (at: number, value: number) => {
      const copy = Uint8Array.from(bytes)
      copy[at] = value
      return errorOf(() => everything.decode(copy)).message
    }
    assert.strictEqual(damage(0, 0), "TL: expected everything (0xabcdef01), found 0xabcdef00 at the top level (byte 0)")
    assert.match(
      damage(12, 255),
      /expected a string shorter than 2\^24 bytes, found a longer form at early \(byte 12\)/
    )
    const at = bytes.length - 3 - 20 - 8 - 24
    assert.match(damage(at, 9), /expected a constructor of Tree, found 0x00000009 at tree \(byte/)
    assert.match(damage(at + 16, 9), /a constructor of Tree, found 0x00000009 at tree\.right\.left \(byte/)
    const error = errorOf(() => everything.decode(Uint8Array.from(bytes).subarray(0, 130)))
    assert.deepStrictEqual([error.reason, error.path], ["Truncated", ["bare", "lat"]])
    const items = errorOf(() =>
      codecOf(Tl.vector(Tl.vector(Tl.bool))).decode(
        hex("15c4b51c 02000000 15c4b51c 00000000 15c4b51c 02000000 b5757299 00000000")
      )
    )
    assert.deepStrictEqual(items.path, [1, 1])
    assert.strictEqual(items.message, "TL: expected a constructor of Bool, found 0x00000000 at [1][1] (byte 28)")
  })

  it("says where writing fails", () => {
    const wrong = (change: object) => errorOf(() => everything.encode({ ...sample, ...change }))
    assert.strictEqual(wrong({ a: "5" }).message, "TL: expected an int32, found a string at a (byte 8)")
    assert.deepStrictEqual(wrong({ nested: [[1n], [2n, 3]] }).path, ["nested", 1, 1])
    assert.deepStrictEqual(wrong({ points: [sample.bare, { _tag: "geo.point", lat: 1 }] }).path, ["points", 1, "long"])
    assert.strictEqual(
      wrong({ tree: { _tag: "branch", right: { _tag: "bush" } } }).message,
      "TL: expected a constructor of Tree, found _tag \"bush\" at tree.right (byte 224)"
    )
    assert.strictEqual(
      wrong({ tree: undefined }).message,
      "TL: expected an object of Tree with a _tag, found nothing at tree (byte 216)"
    )
    assert.deepStrictEqual(wrong({ boxed: { _tag: "leaf" } }).path, ["boxed"])
    assert.deepStrictEqual(wrong({ bare: null }).path, ["bare"])
    assert.deepStrictEqual(wrong({ points: "x" }).path, ["points"])
    assert.strictEqual(errorOf(() => everything.encode(undefined)).reason, "InvalidValue")
    assert.strictEqual(errorOf(() => everything.encode({ ...sample, _tag: "x" })).reason, "UnknownConstructor")
  })

  it("a value that throws when it is looked at is the value's fault", () => {
    const hostile = {
      ...sample,
      get d(): string {
        throw new RangeError("boo")
      }
    }
    const error = errorOf(() => everything.encode(hostile))
    assert.strictEqual(error.message, "TL: expected a readable value, found RangeError at the top level (byte 0)")
    assert.deepStrictEqual(everything.decode(everything.encode(sample)), sample)
  })

  it("what is not bytes is refused", () => {
    assert.strictEqual(
      errorOf(() => everything.decode("bytes" as never)).message,
      "TL: expected bytes (a Uint8Array), found a string at the top level (byte 0)"
    )
    assert.strictEqual(errorOf(() => everything.decode(undefined as never)).reason, "InvalidValue")
  })

  it("a getter that encodes does not disturb", () => {
    const nested = {
      ...sample,
      get d() {
        return String(everything.encode(sample).length)
      }
    }
    assert.strictEqual(everything.decode(everything.encode(nested)).d, String(everything.encode(sample).length))
    assert.deepStrictEqual(
      errorOf(() =>
        everything.encode({
          ...nested,
          e: 5,
          get d() {
            return nested.d
          }
        })
      ).path,
      ["e"]
    )
    assert.deepStrictEqual(everything.decode(everything.encode(sample)), sample)
  })

  it("reads and writes in the middle of others", () => {
    const codec = codecOf(SecretApi.InputStickerSet)
    const w = new TlWriter()
    w.int(1)
    codec.write(w, { _tag: "inputStickerSetShortName", shortName: "cats" })
    const { length } = w
    errorOf(() => codec.write(w, { _tag: "inputStickerSetShortName", shortName: 5 }))
    assert.strictEqual(w.length, length)
    w.int(2)
    const r = new TlReader(w.take())
    assert.strictEqual(r.int(), 1)
    assert.deepStrictEqual(codec.read(r), { _tag: "inputStickerSetShortName", shortName: "cats" })
    assert.strictEqual(r.int(), 2)
    r.finish()
  })

  it("depth: 128 levels and no more, on both sides", () => {
    const tree = (depth: number): Tree => depth === 1 ? { _tag: "leaf" } : { _tag: "branch", right: tree(depth - 1) }
    const codec = codecOf(Tree)
    const bytes = codec.encode(tree(128))
    assert.deepStrictEqual(codec.decode(bytes), tree(128))
    assert.strictEqual(errorOf(() => codec.encode(tree(129))).reason, "LimitExceeded")
    const bomb = new Uint8Array(8 * 100_000)
    for (let i = 0; i < bomb.length; i += 8) bomb[i] = 2
    const error = errorOf(() => codec.decode(bomb))
    assert.strictEqual(error.reason, "LimitExceeded")
    assert.strictEqual(error.path.length, 128)
    const loop: { _tag: "branch"; right: unknown } = { _tag: "branch", right: undefined }
    loop.right = loop
    assert.strictEqual(errorOf(() => codec.encode(loop)).reason, "LimitExceeded")
  })

  it("counts are bounded by what is left", () => {
    const bomb = (schema: Schema.Constraint, ...words: ReadonlyArray<number>) => {
      const error = errorOf(() => codecOf(schema).decode(new Uint8Array(new Int32Array(words).buffer)))
      return `${error.reason} ${error.expected}`
    }
    assert.strictEqual(bomb(Tl.vector(Tl.int), 0x1cb5c415, 0x7fffffff, 0), "LimitExceeded a count of at most 1")
    assert.strictEqual(bomb(Tl.vector(Tl.long), 0x1cb5c415, 2, 0, 0, 0), "LimitExceeded a count of at most 1")
    assert.strictEqual(bomb(Tl.bareVector(Tl.bare(Point)), 1, 0, 0, 0), "LimitExceeded a count of at most 0")
    assert.strictEqual(bomb(Tl.vector(Tree), 0x1cb5c415, -1), "LimitExceeded a count of at most 0")
    assert.strictEqual(bomb(Tl.vector(Point), 0x1cb5c415, 2, 0, 0, 0, 0, 0), "LimitExceeded a count of at most 1")
  })

  it("truncation at every byte", () => {
    for (
      const [codec, bytes] of [
        [everything, everything.encode(sample).slice(0, -3)],
        ...frames.slice(0, 90).filter((_, i) => i % 6 === 0 || i > 78).map((f) => [messages, f.tl] as const)
      ] as const
    ) {
      for (let end = 0; end < bytes.length; end++) {
        const result = outcome(() => codec.decode(bytes.subarray(0, end)))
        // Only what ends in "all that is left" can be shorter.
        if (codec === everything && Result.isSuccess(result)) assert.isAtLeast(end, bytes.length)
        else if (Result.isSuccess(result)) assert.fail(`${end} of ${bytes.length} bytes are a value`)
        else assert.oneOf(result.failure.reason, ["Truncated", "LimitExceeded"])
      }
    }
  })

  it("bytes behind", () => {
    const [frame] = frames
    const error = errorOf(() => messages.decode(new Uint8Array([...frame!.tl, 0])))
    assert.strictEqual(
      error.message,
      `TL: expected the end, found 1 more bytes at the top level (byte ${frame!.tl.length})`
    )
  })

  it("every flipped bit gives a value that can be written, or a TlError", () => {
    let values = 0
    let errors = 0
    const check = (codec: typeof messages, bytes: Uint8Array) => {
      const copy = Uint8Array.from(bytes)
      for (let bit = 0; bit < copy.length * 8; bit++) {
        copy[bit >> 3]! ^= 1 << (bit & 7)
        const result = outcome(() => codec.decode(copy))
        if (Result.isSuccess(result)) {
          values++
          assert.deepStrictEqual(codec.decode(codec.encode(result.success)), result.success)
        } else errors++
        copy[bit >> 3]! ^= 1 << (bit & 7)
      }
    }
    check(everything, everything.encode(sample))
    for (const frame of frames.slice(-9)) check(messages, frame.tl)
    check(messages, frames[0]!.tl)
    check(messages, frames[1]!.tl)
    assert.isAbove(values, 1000)
    assert.isAbove(errors, 1000)
  })

  it("random bytes behind every constructor id", () => {
    let state = 1
    const random = () => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) >>> 24
    let errors = 0
    for (const schema of [SecretApi.DecryptedMessage, SecretApi.DecryptedMessageMedia, SecretApi.DocumentAttribute]) {
      const codec = codecOf(schema)
      for (const member of schema.members) {
        for (let round = 0; round < 20; round++) {
          const w = new TlWriter()
          w.id(Tl.constructorId(member)!)
          for (let i = 0; i < 30; i++) w.id(random() < 100 ? random() & 3 : random() << 24 | random() << 16 | random())
          const result = outcome(() => codec.decode(w.take()))
          if (Result.isFailure(result)) errors++
        }
      }
    }
    assert.isAbove(errors, 100)
  })

  it.prop("round trip: messages", { value: SecretApi.DecryptedMessageLayer }, ({ value }) => {
    const bytes = messages.encode(value)
    const decoded = messages.decode(bytes)
    assert.deepStrictEqual(decoded, value)
    assert.deepStrictEqual(messages.encode(decoded), bytes)
    assert.strictEqual(bytes.length % 4, 0)
  })

  it.prop("round trip: everything", { value: Everything }, ({ value }) => {
    const whole = value.twin === undefined && value.otherTwin === undefined
      ? value
      : { ...value, twin: value.twin ?? 0, otherTwin: value.otherTwin ?? "", marked: true as const }
    const { otherTwin: _1, twin: _2, marked: _3, ...without } = value
    const canonical = value.marked === true && whole === value ? without : whole
    const bytes = everything.encode(canonical)
    assert.deepStrictEqual(everything.decode(bytes), canonical)
    assert.deepStrictEqual(everything.encode(everything.decode(bytes)), bytes)
  })
})

describe("both modes", () => {
  it.prop("give the same bytes and the same errors", {
    value: SecretApi.DecryptedMessageLayer,
    at: Schema.Int,
    with: Schema.Int
  }, (
    { at, value, with: other }
  ) => {
    const layout = fromAst(SecretApi.DecryptedMessageLayer.ast)
    const [a, b] = [fromLayout(layout, "source"), fromLayout(layout, "closures")]
    const bytes = Uint8Array.from(a.encode(value))
    assert.deepStrictEqual(b.encode(value), bytes)
    bytes[Math.abs(at) % bytes.length] = other
    const [x, y] = [outcome(() => a.decode(bytes)), outcome(() => b.decode(bytes))]
    if (Result.isFailure(x) && Result.isFailure(y)) assert.strictEqual(x.failure.message, y.failure.message)
    else assert.deepStrictEqual(x, y)
  })
})

describe("the interface", () => {
  it("compiles a schema once", () => {
    assert.strictEqual(TlCodec.make(SecretApi.DecryptedMessage), TlCodec.make(SecretApi.DecryptedMessage))
    assert.strictEqual(TlCodec.make(Tree), TlCodec.make(Tree))
  })

  it("results", () => {
    const encode = TlCodec.encodeResult(SecretApi.InputStickerSet)
    const decode = TlCodec.decodeResult(SecretApi.InputStickerSet)
    const value: SecretApi.InputStickerSet = { _tag: "inputStickerSetShortName", shortName: "cats" }
    assert.deepStrictEqual(Result.flatMap(encode(value), decode), Result.succeed(value))
    assert.isTrue(Result.isFailure(decode(new Uint8Array(3))))
    assert.isTrue(Result.isFailure(encode({ _tag: "inputStickerSetShortName", shortName: 1 as never })))
  })

  it.effect("is a schema", () =>
    Effect.gen(function*() {
      const schema = TlCodec.toSchema(SecretApi.InputStickerSet)
      const value = { _tag: "inputStickerSetShortName", shortName: "cats" } as const
      const bytes = yield* Schema.encodeEffect(schema)(value)
      assert.deepStrictEqual(yield* Schema.decodeEffect(schema)(bytes), value)
      const error = yield* Effect.flip(Schema.decodeEffect(schema)(bytes.subarray(1)))
      assert.match(error.message, /expected a constructor of InputStickerSet/)
      // All combinators of Schema apply.
      const Name = schema.pipe(Schema.decodeTo(
        Schema.String,
        SchemaTransformation.transform({
          decode: (set: SecretApi.InputStickerSet) => set._tag === "inputStickerSetEmpty" ? "" : set.shortName,
          encode: (shortName: string): SecretApi.InputStickerSet => ({ _tag: "inputStickerSetShortName", shortName })
        })
      ))
      assert.strictEqual(yield* Schema.decodeEffect(Name)(bytes), "cats")
      const short = TlCodec.toSchema(Tl.string.check(Schema.isMaxLength(2)))
      assert.isTrue(Result.isSuccess(yield* Effect.result(Schema.decodeEffect(short)(hex("02616200")))))
      assert.isTrue(Result.isFailure(yield* Effect.result(Schema.decodeEffect(short)(hex("03616263")))))
    }))

  it("lends the bytes of a value, and overwrites them", () => {
    const codec = TlCodec.make(Tl.bytes)
    for (const size of [0, 1, 7, 300, 5000, 100_000]) {
      const value = new Uint8Array(size).fill(7)
      let lent: Uint8Array = new Uint8Array(0)
      const copy = TlCodec.withEncoded(codec, value, (bytes) => {
        lent = bytes
        return bytes.slice()
      })
      assert.deepStrictEqual(copy, codec.encode(value))
      assert.isTrue(lent.length === copy.length && lent.every((byte) => byte === 0))
    }
  })

  it("lends other memory to whoever lends meanwhile", () => {
    const codec = TlCodec.make(Tl.string)
    const [outer, inner] = TlCodec.withEncoded(codec, "outer", (bytes) => {
      const inner = TlCodec.withEncoded(codec, "in", (within) => within.slice())
      return [bytes.slice(), inner]
    })
    assert.deepStrictEqual([outer, inner], [codec.encode("outer"), codec.encode("in")])
  })

  it("what uses lent bytes may throw, and what cannot be written is a TlError", () => {
    const codec = TlCodec.make(Tl.string)
    let lent: Uint8Array = new Uint8Array(0)
    const failing = () =>
      TlCodec.withEncoded(codec, "secret", (bytes) => {
        lent = bytes
        throw new RangeError("not today")
      })
    assert.throws(failing, RangeError, "not today")
    assert.isTrue(lent.length > 0 && lent.every((byte) => byte === 0))
    assert.throws(() => TlCodec.withEncoded(codec, 1 as never, () => undefined), TlError)
    assert.deepStrictEqual(TlCodec.withEncoded(codec, "ab", (bytes) => bytes.slice()), hex("02616200"))
  })

  it("schemas compare, generate and validate", () => {
    const same = Schema.toEquivalence(Everything)
    assert.isTrue(same(sample, { ...sample, e: Uint8Array.of(1, 2, 3) }))
    assert.isFalse(same(sample, { ...sample, e: Uint8Array.of(1, 2, 4) }))
    assert.isTrue(Schema.is(Everything)(sample))
    assert.isFalse(Schema.is(Everything)({ ...sample, g: new Uint8Array(15) }))
    assert.isFalse(Schema.is(Everything)({ ...sample, a: 2 ** 31 }))
    assert.isFalse(Schema.is(Everything)({ ...sample, b: 2n ** 63n }))
    assert.isFalse(Schema.is(Everything)({ ...sample, d: "\ud800" }))
    assert.isTrue(Arbitrary.isArbitrary(Arbitrary.schema(Everything)))
    assert.deepStrictEqual(Leaf.make({}), { _tag: "leaf" })
  })

  it("refuses schemas that have no TL form", () => {
    const refused = (schema: Schema.Schema<any>) =>
      errorOf(() => {
        const codec = TlCodec.make(schema)
        codec.decode(new Uint8Array(64))
      })
    const reasons = [
      refused(Schema.String),
      refused(Schema.Struct({ a: Tl.int })),
      refused(Tl.constructor("x", 1, { a: Schema.Number })),
      refused(Tl.constructor("x", 1, { a: Schema.optionalKey(Tl.int) })),
      refused(Tl.constructor("x", 1, { a: Tl.flag(0, Tl.int) })),
      refused(Tl.constructor("x", 1, { flags: Tl.flags, a: Tl.flag(32, Tl.int) })),
      refused(Tl.constructor("x", 1, { a: Tl.flag(0, Tl.int), flags: Tl.flags })),
      refused(Tl.union("U", [Leaf, Tl.int])),
      refused(Tl.union("U", [Leaf, Tl.constructor("other", 1, {})])),
      refused(Tl.union("U", [Leaf, Tl.constructor("leaf", 2, {})])),
      refused(Tl.bare(Tree)),
      refused(Tl.bareVector(Tl.bare(Leaf))),
      refused(Schema.toCodecJson(Tl.long)),
      refused(Point.mapFields((f) => f))
    ].map((e) => e.reason)
    assert.deepStrictEqual(new Set(reasons), new Set(["NoTlForm"]))
  })

  it("a check behind the combinators of Tl does not hide them", () => {
    const Short = Tl.string.check(Schema.isMaxLength(3))
    assert.deepStrictEqual(TlCodec.encode(Short)("ab"), hex("02616200"))
    const Named = Tl.long.pipe(Schema.brand("UserId"))
    assert.deepStrictEqual(TlCodec.decode(Named)(hex("0500000000000000")), 5n as typeof Named.Type)
  })
})
