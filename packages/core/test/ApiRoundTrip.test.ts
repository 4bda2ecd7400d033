import * as Api from "@effect-mtproto/core/Api"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as TlError from "@effect-mtproto/core/TlError"
import * as TlJson from "@effect-mtproto/core/TlJson"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { random, Values } from "./support/apiValues.ts"
import * as Mtcute from "./support/mtcute.ts"

const valueOf = (name: string): any =>
  name.split(".").reduce((value: any, key) => value[key], Api as unknown as Record<string, unknown>)

const typeOf = (name: string): Api.TypeCodec<any> => valueOf(name)
const methodOf = (name: string): Api.AnyMethod => valueOf(name)

/** Values of each constructor; the shapes of flags that they have differ. */
const rounds = 6

/** Writes and reads `value`, and writes what was read. */
const turn = (codec: TlCodec.TlCodec<any>, value: unknown) => {
  const bytes = codec.encode(value).slice()
  const read = codec.decode(bytes)
  return { bytes, again: codec.encode(read).slice(), read: { ...read } as unknown }
}

describe("what is written is read again", () => {
  it("every constructor", () => {
    const values = new Values(1)
    for (const c of ApiSchema.constructors().values()) {
      const codec = typeOf(c.result)
      for (let i = 0; i < rounds; i++) {
        const value = values.combinator(c, i)
        const { again, bytes, read } = turn(codec, value)
        assert.deepStrictEqual(read, value, c.name)
        assert.deepStrictEqual(again, bytes, c.name)
      }
    }
  })

  it("every request", () => {
    const values = new Values(2)
    for (const c of ApiSchema.methods().values()) {
      const { params } = methodOf(c.name)
      for (let i = 0; i < rounds; i++) {
        const value = values.combinator(c, i)
        const { again, bytes, read } = turn(params, value)
        assert.deepStrictEqual(read, value, c.name)
        assert.deepStrictEqual(again, bytes, c.name)
      }
    }
  })

  it("every result", () => {
    const values = new Values(3)
    for (const c of ApiSchema.methods().values()) {
      const { response } = methodOf(c.name)
      for (let i = 0; i < rounds; i++) {
        const value = values.value(c.result, i)
        const bytes = response.encode(value).slice()
        assert.deepStrictEqual(response.decode(bytes), value, c.name)
      }
    }
  })

  it("every request, through a table of all methods", () => {
    const values = new Values(4)
    const all = [...ApiSchema.methods().keys()].map(methodOf)
    const table = Api.methodTable(all)
    for (const c of ApiSchema.methods().values()) {
      const request = table.decode(methodOf(c.name).params.encode(values.combinator(c, 2)))
      assert.strictEqual(Api.methodOf(request).tag, c.name)
      assert.strictEqual(request._tag, c.name)
    }
  })
})

describe("what was damaged", () => {
  it("is a value or a TlError, never anything else", () => {
    const values = new Values(9)
    const next = random(10)
    let refused = 0
    for (const c of ApiSchema.constructors().values()) {
      const codec = typeOf(c.result)
      const bytes = codec.encode(values.combinator(c, 3)).slice()
      for (let i = 0; i < 4; i++) {
        const damaged = bytes.slice(0, i === 0 ? Math.floor(next() * bytes.length) : bytes.length)
        for (let k = 0; k < i && damaged.length > 0; k++) {
          damaged[Math.floor(next() * damaged.length)] = next() < 0.5 ? 0xff : Math.floor(next() * 256)
        }
        try {
          codec.decode(damaged)
        } catch (error) {
          assert.isTrue(TlError.isTlError(error), c.name)
          refused++
        }
      }
    }
    assert.isAbove(refused, 2000)
  })
})

describe("schemas", () => {
  it("give the same bytes and values as the generated code", { timeout: 60_000 }, () => {
    const values = new Values(5)
    for (const [name, members] of ApiSchema.types()) {
      const generated = typeOf(name)
      const derived = TlCodec.make(ApiSchema.type(name as keyof Api.Types))
      for (const c of members) {
        const value = values.combinator(c, 3)
        const bytes = generated.encode(value).slice()
        assert.deepStrictEqual(derived.encode(value as never).slice(), bytes, c.name)
        assert.deepStrictEqual<unknown>(derived.decode(bytes), value, c.name)
      }
    }
  })

  it("accept the values of every constructor and refuse others", () => {
    const values = new Values(6)
    for (const c of ApiSchema.constructors().values()) {
      const is = Schema.is(ApiSchema.constructor(c.name as keyof Api.Constructors))
      assert.isTrue(is(values.combinator(c, 2)), c.name)
      assert.isFalse(is({ _tag: "vector" }), c.name)
    }
  })

  it("tell JSON and equality of every constructor", { timeout: 60_000 }, () => {
    const values = new Values(11)
    for (const [name, members] of ApiSchema.types()) {
      const schema = ApiSchema.type(name as keyof Api.Types) as ApiSchema.Plain<unknown>
      const same = Schema.toEquivalence(schema)
      const [encode, decode] = [TlJson.encode(schema), TlJson.decode(schema)]
      for (const c of members) {
        const value = values.combinator(c, 2)
        const read = decode(JSON.parse(JSON.stringify(encode(value))))
        assert.deepStrictEqual(read, value, c.name)
        assert.isTrue(same(value, read), c.name)
        assert.isFalse(same(value, { _tag: "vector" }), c.name)
      }
    }
  })

  it.effect("generate values that can be written and read again", () =>
    Effect.gen(function*() {
      // types whose fields share bits, and every twentieth of the others
      const names = [...ApiSchema.types().keys()].filter((_, i) => i % 20 === 0)
      for (const name of ["User", "StarGift", "PeerSettings", "auth.Authorization", "account.Password", ...names]) {
        const schema = ApiSchema.type(name as keyof Api.Types) as ApiSchema.Plain<unknown>
        const codec = TlCodec.make(schema)
        for (const value of yield* Arbitrary.sampleEffect(Arbitrary.schema(schema), { count: 3, seed: name })) {
          const read = codec.decode(codec.encode(value).slice())
          assert.isTrue(Schema.toEquivalence(schema)(read, value), name)
        }
      }
    }), { timeout: 60_000 })

  it("refuse fields of one bit that are not together", () => {
    const is = Schema.is(ApiSchema.constructor("updateNewAuthorization"))
    const value = { _tag: "updateNewAuthorization", hash: 1n } as const
    assert.isTrue(is(value))
    assert.isTrue(is({ ...value, unconfirmed: true, date: 1, device: "a", location: "b" }))
    assert.isFalse(is({ ...value, unconfirmed: true, date: 1, device: "a" }))
  })

  it("describe requests and results", () => {
    const request = { _tag: "messages.receivedQueue", maxQts: 1 } as const
    assert.isTrue(Schema.is(ApiSchema.params(Api.messages.receivedQueue))(request))
    assert.isTrue(Schema.is(ApiSchema.response(Api.messages.receivedQueue))([1n]))
    assert.isFalse(Schema.is(ApiSchema.response(Api.messages.receivedQueue))([1]))
    assert.isTrue(
      Schema.is(ApiSchema.response(Api.updates.getState))({
        _tag: "updates.state",
        pts: 1,
        qts: 2,
        date: 3,
        seq: 4,
        unreadCount: 5
      })
    )
  })

  it("are made once", () => {
    assert.strictEqual(ApiSchema.type("Updates"), ApiSchema.type("Updates"))
    assert.strictEqual(ApiSchema.constructor("user"), ApiSchema.constructor("user"))
  })
})

describe("mtcute's reader and writer", () => {
  // Ids of users and chats are doubles there, and an empty conditional vector is not written.
  const options = { longBits: 52, leastOptional: 1 }

  it("read and write the same bytes for every constructor", async () => {
    const mtcute = await Mtcute.load()
    const values = new Values(7, options)
    for (const c of ApiSchema.constructors().values()) {
      const value = values.combinator(c, 3)
      const bytes = typeOf(c.result).encode(value).slice()
      const read = mtcute.read(bytes)
      assert.strictEqual((read as { readonly _: string })._, c.name)
      assert.deepStrictEqual(Uint8Array.from(mtcute.write(read)), bytes, c.name)
      assert.deepStrictEqual(Uint8Array.from(mtcute.write(Mtcute.translate(value))), bytes, c.name)
    }
  })

  it("write the same bytes for every request", async () => {
    const mtcute = await Mtcute.load()
    const values = new Values(8, options)
    for (const c of ApiSchema.methods().values()) {
      // The query of a wrapper is an object there and bytes here.
      if (c.fields.some((f) => f.type === "!X")) continue
      const value = values.combinator(c, 3)
      const bytes = methodOf(c.name).params.encode(value).slice()
      assert.deepStrictEqual(Uint8Array.from(mtcute.write(Mtcute.translate(value))), bytes, c.name)
    }
  })
})
