import * as Api from "@effect-mtproto/core/Api"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as TlId from "@effect-mtproto/core/TlId"
import * as TlJson from "@effect-mtproto/core/TlJson"
import * as TlParser from "@effect-mtproto/core/TlParser"
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { printConstructor } from "../src/internal/print.ts"
import { frames, hex } from "./frames.ts"
import { constructorsOf } from "./ids.ts"

const parse = (text: string) => Result.getOrThrow(TlParser.parse(text))
const problem = (text: string) => {
  const result = Result.flatMap(TlParser.parse(text), TlParser.schemas)
  return Result.isFailure(result) ? result.failure.message : undefined
}

const sample = `// built-in
int ? = Int;
long ? = Long;
double ? = Double;
string ? = String;
bytes = Bytes;
int128 4*[ int ] = Int128;
vector#1cb5c415 {t:Type} # [ t ] = Vector t;
boolFalse#bc799737 = Bool;
boolTrue#997275b5 = Bool;
true#3fedd339 = True;

---types---

leaf#1 = Tree;
node#2 flags:# left:Tree right:flags.0?Tree same_size:flags.1?true flags2:# tags:flags2.31?Vector<bytes> = Tree; // grows
geo.point#a0b0c0d0 lat:double long:double = geo.Point;
pair x:geo.point y:%geo.Point list:vector<%geo.Point> all:Vector<Vector<long>> ok:Bool id:int128 = Pair;
message#5bb8e511 msg_id:long seqno:int bytes:int body:Object = Message;

---functions---
invokeAfterMsg#cb9f372d {X:Type} msg_id:long query:!X = X;
geo.find#cafe srp_B:bytes M1:bytes a:%Pair = Vector<geo.Point>;
geo.ping = Bool;`

describe("TlParser", () => {
  it("prints what it read", () => {
    assert.strictEqual(TlParser.print(parse(sample)), sample)
    assert.strictEqual(TlParser.print(parse("")), "")
  })

  it("forgives spaces", () => {
    assert.strictEqual(
      TlParser.print(parse("  a#01   x:int\t=  A ;  // why\r\n\r\n")),
      "a#01 x:int = A; // why\n\n"
    )
  })

  it("reads declarations", () => {
    const combinators = parse(sample).items.flatMap((item) => item._tag === "combinator" ? [item.combinator] : [])
    const named = (name: string) => combinators.find((c) => c.name === name)
    assert.deepStrictEqual(named("node")?.fields, [
      { name: "flags", flag: undefined, type: undefined },
      { name: "left", flag: undefined, type: { name: "Tree", bare: false, generic: false, argument: undefined } },
      {
        name: "right",
        flag: { word: "flags", bit: 0 },
        type: { name: "Tree", bare: false, generic: false, argument: undefined }
      },
      {
        name: "same_size",
        flag: { word: "flags", bit: 1 },
        type: { name: "true", bare: false, generic: false, argument: undefined }
      },
      { name: "flags2", flag: undefined, type: undefined },
      {
        name: "tags",
        flag: { word: "flags2", bit: 31 },
        type: {
          name: "Vector",
          bare: false,
          generic: false,
          argument: { name: "bytes", bare: false, generic: false, argument: undefined }
        }
      }
    ])
    assert.isFalse(named("pair")!.isMethod)
    assert.isTrue(named("geo.ping")!.isMethod)
    assert.deepStrictEqual(named("invokeAfterMsg")!.generics, ["X:Type"])
    assert.strictEqual(TlParser.idOf(named("node")!), 2)
    assert.strictEqual(TlParser.idOf(named("geo.ping")!), TlId.compute("geo.ping = Bool"))
  })

  it("makes schemas", () => {
    const { constructors, methods, types } = Result.getOrThrow(TlParser.schemas(parse(sample)))
    assert.deepStrictEqual([...constructors.keys()], ["true", "leaf", "node", "geo.point", "pair", "message"])
    assert.deepStrictEqual([...types.keys()], ["True", "Tree", "geo.Point", "Pair", "Message"])
    assert.deepStrictEqual([...methods.keys()], ["invokeAfterMsg", "geo.find", "geo.ping"])

    const tree = {
      _tag: "node",
      left: { _tag: "leaf" },
      right: { _tag: "node", left: { _tag: "leaf" }, tags: [Uint8Array.of(1)] },
      sameSize: true
    }
    const codec = TlCodec.make(types.get("Tree")!)
    const bytes = codec.encode(tree)
    assert.deepStrictEqual(
      bytes,
      hex("02000000 03000000 01000000 02000000 00000000 01000000 00000080 15c4b51c 01000000 01010000 00000000")
    )
    assert.deepStrictEqual(codec.decode(bytes), tree)

    const point = (lat: number) => ({ _tag: "geo.point", lat, long: 0 })
    const pair = {
      _tag: "pair",
      x: point(1),
      y: point(2),
      list: [point(3)],
      all: [[1n], []],
      ok: true,
      id: new Uint8Array(16)
    }
    const pairs = TlCodec.make(constructors.get("pair")!)
    assert.deepStrictEqual(pairs.decode(pairs.encode(pair)), pair)
    // Bare: 16 bytes each, without an id.
    assert.strictEqual(pairs.encode(pair).length, 4 + 16 + 16 + (4 + 16) + (8 + 8 + 8 + 8) + 4 + 16)

    const find = methods.get("geo.find")!
    const request = { _tag: "geo.find", srpB: Uint8Array.of(1), M1: Uint8Array.of(2), a: pair }
    assert.deepStrictEqual(TlCodec.decode(find.request)(TlCodec.encode(find.request)(request)), request)
    assert.deepStrictEqual(
      (TlJson.encode(find.request)(request) as { readonly [key: string]: unknown })["srp_B"],
      { _: "bytes", bytes: "AQ==" }
    )
    assert.deepStrictEqual(TlCodec.decode(find.result!)(TlCodec.encode(find.result!)([point(1)])), [point(1)])

    const wrapper = methods.get("invokeAfterMsg")!
    assert.isUndefined(wrapper.result)
    const wrapped = { _tag: "invokeAfterMsg", msgId: 1n, query: Uint8Array.of(1, 2, 3, 4) }
    assert.deepStrictEqual(
      TlCodec.encode(wrapper.request)(wrapped),
      hex("2d379fcb 0100000000000000 01020304")
    )
    const message = { _tag: "message", msgId: 1n, seqno: 2, body: Uint8Array.of(1, 2, 3, 4) }
    assert.deepStrictEqual(
      TlCodec.encode(constructors.get("message")!)(message),
      hex("11e5b85b 0100000000000000 02000000 04000000 01020304")
    )
  })

  it("prints schemas as the text that they came from", () => {
    const lines = sample.split("\n").filter((line) => /^(leaf|node|geo\.point|message)#/.test(line))
    const { constructors } = Result.getOrThrow(TlParser.schemas(parse(sample)))
    const printed = [...constructorsOf(Object.fromEntries(constructors)).values()].map(printConstructor)
    for (const line of lines) {
      const [, name, id, rest] = /^([\w.]+)#(\w+)(.*);/.exec(line)!
      assert.include(printed, `${name}#${id!.padStart(8, "0")}${rest}`)
    }
  })

  it("prints any schema of Tl", () => {
    assert.strictEqual(
      TlParser.printSchema(SecretApi.InputStickerSet),
      "inputStickerSetShortName#861cc8a0 short_name:string = InputStickerSet;\ninputStickerSetEmpty#ffb62b95 = InputStickerSet;"
    )
    assert.strictEqual(
      TlParser.printSchema(MtprotoApi.msg_container),
      "msg_container#73f1f8dc messages:vector<%Message> = MessageContainer;"
    )
  })

  it("tells constructors with one name apart", () => {
    const { constructors } = Result.getOrThrow(TlParser.schemas(parse("a#1 = A;\na#2 x:int = A;")))
    assert.deepStrictEqual([...constructors.keys()], ["a", "a_2"])
    assert.deepStrictEqual(TlCodec.encode(constructors.get("a_2")!)({ _tag: "a_2", x: 1 }), hex("0200000001000000"))
  })

  it("refuses what is declared twice", () => {
    assert.match(
      problem("a#1 x:int = A;\n\na#1 x:int = A;")!,
      /an id that is not taken, found "00000001" of a, .* in line 3/
    )
    assert.match(problem("a x:int = A;\na x:int = A;")!, /an id that is not taken/)
    assert.match(problem("a#1 = A;\nb#1 = B;")!, /found "00000001" of a, again in b in line 2/)
    // a method may have the id of another, or of a constructor: Telegram's own schema has such
    assert.isUndefined(problem("a#1 = A;\n---functions---\nb#1 = A;\nc#1 = A;"))
    assert.match(problem("a#1 = A;\n---functions---\nb#2 = A;\nb#3 = A;")!, /a method once, found "b" again in line 4/)
  })

  it("takes names that stand many times in time that grows with their number", () => {
    const text = (count: number) => Array.from({ length: count }, (_, i) => `a#${(i + 1).toString(16)} = A;`).join("\n")
    const cpuOf = (count: number) => {
      const document = parse(text(count))
      const start = process.cpuUsage()
      const { constructors } = Result.getOrThrow(TlParser.schemas(document))
      const { system, user } = process.cpuUsage(start)
      return { constructors, cpu: system + user }
    }
    cpuOf(2000)
    const few = cpuOf(5000)
    const { constructors, cpu } = cpuOf(20_000)
    // four times as many; a search through all earlier names takes sixteen times as long
    assert.isBelow(cpu / few.cpu, 12)
    assert.strictEqual([...constructors.keys()].at(-1), "a_20000")
  })

  it("says where text is not TL", () => {
    assert.strictEqual(
      problem("a#1 = A"),
      "TL text: expected a semicolon, found the end of the line in line 1, column 8"
    )
    assert.strictEqual(
      problem("\na#xyz = A;"),
      "TL text: expected an id of up to eight hexadecimal digits, found \"xyz = A;\" in line 2, column 3"
    )
    assert.match(problem("a#123456789 = A;")!, /eight hexadecimal digits/)
    assert.match(problem("= A;")!, /expected a name, found "= A;"/)
    assert.match(problem("a x = A;")!, /expected a colon/)
    assert.match(problem("a x: = A;")!, /expected a type/)
    assert.match(problem("a x:flags.0?int = A;")!, /a flags word that stands before/)
    assert.match(problem("a flags:# x:flags.32?int = A;")!, /a bit from 0 to 31/)
    assert.match(problem("a flags:# x:flags.100?int = A;")!, /expected a bit/)
    assert.match(problem("a {X} = A;")!, /a generic parameter/)
    assert.match(problem("a x:int x:int = A;")!, /a new field name, found "x:int = A;"/)
    assert.match(problem("a x:Vector<int = A;")!, /expected >/)
    assert.match(problem("a = A; b = B;")!, /a comment or the end of the line/)
    assert.match(problem(`a x:${"Vector<".repeat(100)}int${">".repeat(100)} = A;`)!, /fewer arguments/)
  })

  it("says what cannot become a schema", () => {
    assert.match(problem("a x:B = A;")!, /expected a declared type, found "B" in a in line 1/)
    assert.match(problem("a x:b = A;")!, /expected a declared type, found "b" in a/)
    assert.match(
      problem("a = A;\nb = A;\nc x:%A = C;")!,
      /a type with one constructor behind %, found "A" in c in line 3/
    )
    assert.match(problem("a x:Maybe<int> = A;")!, /Vector or vector/)
    assert.match(problem("a a_b:int aB:int = A;")!, /"aB" twice in a/)
    assert.match(problem("---functions---\na = B;")!, /declared type/)
  })

  it.prop("any text gives a document or an error", { text: Schema.String }, ({ text }) => {
    const result = TlParser.parse(text)
    if (Result.isSuccess(result)) {
      assert.deepStrictEqual(parse(TlParser.print(result.success)).items.length, result.success.items.length)
    }
  })
})

describe.each([
  { name: "SecretApi", module: SecretApi },
  { name: "MtprotoApi", module: MtprotoApi }
])("$name as text", ({ module }) => {
  const lines = [...constructorsOf(module).values()].map((c) => `${printConstructor(c)};`)
  const text = lines.join("\n")

  it("round trip", () => {
    assert.strictEqual(TlParser.print(parse(text)), text)
    const { constructors } = Result.getOrThrow(TlParser.schemas(parse(text)))
    const again = [...constructorsOf(Object.fromEntries(constructors)).values()].map((c) => `${printConstructor(c)};`)
    assert.deepStrictEqual(again, lines)
  })
})

describe("the layer as text", () => {
  const lines = (combinators: Iterable<ApiSchema.Combinator>) => Array.from(combinators, ({ line }) => `${line};`)
  const text = [
    ...lines(ApiSchema.constructors().values()),
    "",
    "---functions---",
    "",
    ...lines(ApiSchema.methods().values())
  ].join("\n")

  it("round trip", () => {
    assert.strictEqual(TlParser.print(parse(text)), text)
  })

  it("makes schemas that write what the generated code writes", () => {
    const { methods, types } = Result.getOrThrow(TlParser.schemas(parse(text)))
    assert.deepStrictEqual([types.size, methods.size], [ApiSchema.types().size, ApiSchema.methods().size])
    const updates = TlCodec.make(types.get("Updates")!)
    const value: Api.Updates = {
      _tag: "updateShort",
      date: 5,
      update: {
        _tag: "updateNewEncryptedMessage",
        qts: 7,
        message: {
          _tag: "encryptedMessageService",
          randomId: 1n,
          chatId: 2,
          date: 3,
          bytes: hex("01020304")
        }
      }
    }
    const bytes = Api.Updates.encode(value).slice()
    assert.deepStrictEqual(updates.encode(value).slice(), bytes)
    assert.deepStrictEqual(updates.decode(bytes), value)
  })
})

it("a schema from text reads the frames of TDLib", () => {
  const text = [...constructorsOf(SecretApi).values()].map((c) => `${printConstructor(c)};`).join("\n")
  const { types } = Result.getOrThrow(TlParser.schemas(parse(text)))
  const codec = TlCodec.make(types.get("DecryptedMessageLayer")!)
  for (const frame of frames) assert.deepStrictEqual(codec.encode(codec.decode(frame.tl)), frame.tl)
})
