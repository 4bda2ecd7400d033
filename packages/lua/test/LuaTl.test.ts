import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as Tl from "@effect-mtproto/core/Tl"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as LuaTl from "@effect-mtproto/lua/LuaTl"
import * as LuaValue from "@effect-mtproto/lua/LuaValue"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"

const Item = Tl.constructor("item", 2, { name: Tl.string })
const Other = Tl.constructor("other", 3, {})
const Everything = Tl.constructor("everything", 1, {
  flags: Tl.flags,
  anInt: Tl.int,
  aLong: Tl.long,
  aDouble: Tl.double,
  aString: Tl.string,
  someBytes: Tl.bytes,
  aBool: Tl.bool,
  small: Tl.int128,
  large: Tl.int256,
  longs: Tl.vector(Tl.long),
  bare: Tl.bareVector(Item),
  item: Item,
  either: Tl.union("Either", [Item, Other]),
  maybe: Tl.flag(0, Tl.int),
  yes: Tl.flagTrue(1),
  M1: Tl.named("M1", Tl.bytes)
})

const value: typeof Everything.Type = {
  _tag: "everything",
  anInt: -2147483648,
  aLong: -(2n ** 63n),
  aDouble: 0.5,
  aString: "žluť 🦊",
  someBytes: Uint8Array.of(0, 128, 255),
  aBool: false,
  small: new Uint8Array(16).fill(0xfe),
  large: new Uint8Array(32).fill(0xff),
  longs: [2n ** 63n - 1n, 0n],
  bare: [{ _tag: "item", name: "x" }],
  item: { _tag: "item", name: "" },
  either: { _tag: "other" },
  maybe: 7,
  yes: true,
  M1: new Uint8Array(0)
}
const text = LuaValue.fromText
const lua = LuaValue.table({
  _: "everything",
  an_int: -2147483648n,
  a_long: -(2n ** 63n),
  a_double: 0.5,
  a_string: text("žluť 🦊"),
  some_bytes: "\x00\x80\xff",
  a_bool: false,
  small: "\xfe".repeat(16),
  large: "\xff".repeat(32),
  longs: LuaValue.sequence([2n ** 63n - 1n, 0n]),
  bare: LuaValue.sequence([LuaValue.table({ _: "item", name: "x" })]),
  item: LuaValue.table({ _: "item", name: "" }),
  either: LuaValue.table({ _: "other" }),
  maybe: 7n,
  yes: true,
  M1: ""
})

const read = <A>(schema: Schema.Schema<A>, given: LuaValue.LuaValue): A =>
  Result.getOrThrow(LuaTl.fromLua(schema)(given))
const refused = (schema: Schema.Schema<any>, given: LuaValue.LuaValue): string => {
  const result = LuaTl.fromLua(schema)(given)
  assert(Result.isFailure(result))
  assert.strictEqual(result.failure.kind, "conversion")
  return result.failure.message
}
const withField = (name: string, field: LuaValue.LuaValue): LuaValue.LuaTable => new Map(lua).set(name, field)

describe("LuaTl", () => {
  it("every type, both ways", () => {
    assert.deepStrictEqual(LuaTl.toLua(Everything)(value), lua)
    assert.deepStrictEqual(read(Everything, lua), value)
    assert.deepStrictEqual(
      TlCodec.decode(Everything)(TlCodec.encode(Everything)(read(Everything, lua))),
      value
    )
  })

  it("what may be left out", () => {
    const without = new Map(lua)
    for (const name of ["maybe", "yes"]) without.delete(name)
    const { maybe: _, yes: __, ...rest } = value
    assert.deepStrictEqual(LuaTl.toLua(Everything)(rest), without)
    assert.deepStrictEqual(read(Everything, without), rest)
    assert.deepStrictEqual(read(Everything, without.set("yes", false).set("ignored", 1n).set(1n, 2n)), rest)
    without.delete("_")
    assert.deepStrictEqual(read(Everything, without), rest)
  })

  it("other names of fields, where the constructor has no field of that name", () => {
    const aliases = { name: ["title", "a_string"], a_string: ["name"], someBytes: ["x"] }
    const give = (given: LuaValue.LuaTable) => Result.getOrThrow(LuaTl.fromLua(Everything, { aliases })(given))
    const renamed = new Map(lua).set("name", "by another name").set("item", LuaValue.table({ title: "also nested" }))
    renamed.delete("a_string")
    assert.deepInclude(give(renamed), {
      aString: "by another name",
      item: { _tag: "item", name: "also nested" }
    })
    // what is named rightly goes before
    assert.strictEqual(give(renamed.set("a_string", "right")).aString, "right")
    assert.deepStrictEqual(give(lua), value)
  })

  it("names of properties are understood", () => {
    const renamed = new Map(lua)
    renamed.delete("an_int")
    assert.deepStrictEqual(read(Everything, renamed.set("anInt", -2147483648n)), value)
  })

  it("other spellings of numbers and sequences", () => {
    const cases: ReadonlyArray<readonly [Schema.Schema<any>, LuaValue.LuaValue, unknown]> = [
      [Tl.int, 5, 5],
      [Tl.int, "-5", -5],
      [Tl.int, -0, 0],
      [Tl.long, 2 ** 53 - 1, 2n ** 53n - 1n],
      [Tl.long, "9223372036854775807", 2n ** 63n - 1n],
      [Tl.long, "-9223372036854775808", -(2n ** 63n)],
      [Tl.double, 3n, 3],
      [Tl.double, "1e3", 1000],
      [Tl.double, Infinity, Infinity],
      [Tl.string, 42n, "42"],
      [Tl.bytes, "\xff", Uint8Array.of(255)],
      [Tl.vector(Tl.int), new Map([[0n, 4n], [1n, 5n]]), [4, 5]],
      [Tl.vector(Tl.int), new Map(), []],
      [Item, LuaValue.table({ name: "x" }), { _tag: "item", name: "x" }],
      [Tl.rest(), "ab", Uint8Array.of(97, 98)]
    ]
    for (const [schema, given, expected] of cases) assert.deepStrictEqual(read(schema, given), expected)
    assert.isNaN(read(Tl.double, NaN))
  })

  it("what does not fit is said, with its place", () => {
    const cases: ReadonlyArray<readonly [string, LuaValue.LuaValue, string]> = [
      ["an_int", 2n ** 31n, "an_int: a 32-bit integer is needed, not 2147483648"],
      ["an_int", 1.5, "an_int: a 32-bit integer is needed, not 1.5"],
      ["an_int", NaN, "an_int: a 32-bit integer is needed, not NaN"],
      ["an_int", "1.0", "an_int: a 32-bit integer is needed, not a string"],
      ["an_int", true, "an_int: a 32-bit integer is needed, not a boolean"],
      ["a_long", 2 ** 53, "a_long: a 64-bit integer is needed, not 9007199254740992"],
      ["a_long", -Infinity, "a_long: a 64-bit integer is needed, not -Infinity"],
      ["a_long", "9223372036854775808", "a_long: a 64-bit integer is needed, not a string"],
      ["a_long", "0x10", "a_long: a 64-bit integer is needed, not a string"],
      ["a_double", "nan", "a_double: a number is needed, not a string"],
      ["a_string", "\xff\xfe", "a_string: a string in UTF-8 is needed, these bytes are none"],
      ["a_string", "\xed\xa0\x80", "a_string: a string in UTF-8 is needed, these bytes are none"],
      ["a_string", 1.5, "a_string: a string is needed, not 1.5"],
      ["some_bytes", 1n, "some_bytes: a string is needed, not 1"],
      ["a_bool", 1n, "a_bool: a boolean is needed, not 1"],
      ["yes", "true", "yes: a boolean is needed, not a string"],
      ["small", "x", "small: a string of 16 bytes is needed, not of 1"],
      ["large", 1n, "large: a string of 32 bytes is needed, not 1"],
      ["longs", "x", "longs: a sequence is needed, not a string"],
      ["longs", LuaValue.sequence([1n, "x"]), "longs[2]: a 64-bit integer is needed, not a string"],
      ["longs", new Map([[1n, 1n], [3n, 1n]]), "longs: a sequence without holes and other keys is needed"],
      [
        "longs",
        new Map<LuaValue.LuaKey, LuaValue.LuaValue>([[1n, 1n], ["n", 1n]]),
        "longs: a sequence without holes and other keys is needed"
      ],
      ["bare", LuaValue.sequence([LuaValue.table({})]), "bare[1].name: is missing"],
      ["item", "x", "item: a table of Item is needed, not a string"],
      ["either", LuaValue.table({}), "either: a table of Either needs a field _ with the name of its constructor"],
      ["either", LuaValue.table({ _: "bad\xff" }), "either: \"bad\ufffd\" is no Either"]
    ]
    for (const [name, field, message] of cases) assert.strictEqual(refused(Everything, withField(name, field)), message)
    assert.strictEqual(refused(Everything, "x"), "a table of Everything is needed, not a string")
    const missing = new Map(lua)
    missing.delete("a_bool")
    assert.strictEqual(refused(Everything, missing), "a_bool: is missing")
    assert.throws(() => LuaTl.toLua(Schema.String), TypeError)
    assert.throws(() => LuaTl.toLua(Item)({ _tag: "no" } as never), TypeError)
  })

  it("a table that contains itself ends", () => {
    const button = new Map<LuaValue.LuaKey, LuaValue.LuaValue>([["_", "pageBlockDetails"], ["open", true]])
    button.set("title", LuaValue.table({ _: "textEmpty" })).set("blocks", LuaValue.sequence([button]))
    assert.include(refused(ApiSchema.type("PageBlock"), button), "nested too deeply")
  })

  it("something else may stand for an object", () => {
    const resolve = (type: string, given: LuaValue.LuaValue) =>
      type === "Item" && typeof given === "bigint" ? { _tag: "item", name: `number ${given}` } : undefined
    assert.deepStrictEqual(
      Result.getOrThrow(
        LuaTl.fromLua(Tl.vector(Item), { resolve })(LuaValue.sequence([
          5n,
          LuaValue.table({ name: "x" })
        ]))
      ),
      [{ _tag: "item", name: "number 5" }, { _tag: "item", name: "x" }]
    )
  })

  it.prop("every secret message survives", [Arbitrary.schema(SecretApi.DecryptedMessage)], ([message]) => {
    const there = LuaTl.toLua(SecretApi.DecryptedMessage)(message)
    const back = read(SecretApi.DecryptedMessage, there)
    assert.deepStrictEqual(
      TlCodec.encode(SecretApi.DecryptedMessage)(back),
      TlCodec.encode(SecretApi.DecryptedMessage)(message)
    )
  }, { arbitrary: { runs: 60 } })

  it("updates of the server survive", () => {
    const update = {
      _tag: "updateNewEncryptedMessage",
      message: {
        _tag: "encryptedMessage",
        randomId: -1n,
        chatId: -147286699,
        date: 1,
        bytes: Uint8Array.of(1),
        file: { _tag: "encryptedFileEmpty" }
      },
      qts: 3
    } as const
    const schema = ApiSchema.type("Update")
    assert.deepStrictEqual(read(schema, LuaTl.toLua(schema)(update)), update)
    assert.deepStrictEqual(
      LuaTl.toLua(DecryptedMessage.AnyMessage)({
        _tag: "decryptedMessageService",
        randomId: 1n,
        action: { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 60 }
      }),
      LuaValue.table({
        _: "decryptedMessageService",
        random_id: 1n,
        action: LuaValue.table({ _: "decryptedMessageActionSetMessageTTL", ttl_seconds: 60n })
      })
    )
  })
})
