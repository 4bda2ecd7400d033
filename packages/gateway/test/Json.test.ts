import * as Json from "@effect-mtproto/gateway/Json"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const ok = (text: string, options?: Json.Options) => {
  const result = Json.parse(text, options)
  if (Result.isFailure(result)) throw result.failure
  return result.success
}
const reason = (text: string, options?: Json.Options) => {
  const result = Json.parse(text, options)
  return Result.isFailure(result) ? result.failure.reason : "ok"
}

describe("Json", () => {
  it.effect.prop("reads what JSON.stringify writes", [Arbitrary.schema(Schema.Json)], ([value]) =>
    Effect.sync(() => {
      const text = JSON.stringify(value)
      const plain = (_: string, inner: unknown) => typeof inner === "bigint" ? Number(inner) : inner
      assert.strictEqual(JSON.stringify(ok(text), plain), text)
    }))

  it("keeps integers that a number cannot hold", () => {
    assert.deepStrictEqual(ok("[9223372036854775807,-9223372036854775808,9007199254740991,-0,1e2,1.5]"), [
      9223372036854775807n,
      -9223372036854775808n,
      9007199254740991,
      0,
      100,
      1.5
    ])
  })

  it("refuses what is no JSON", () => {
    const texts = [
      "",
      "{",
      "[1,]",
      "{\"a\":1,}",
      "{a:1}",
      "{'a':1}",
      "NaN",
      "Infinity",
      "-",
      "01",
      "1.",
      ".5",
      "+1",
      "1 2",
      "tru",
      "\"\n\"",
      "\"\\x\"",
      "\"\\u12g4\"",
      "\"",
      "[1 2]",
      "{\"a\" 1}",
      "/* */1"
    ]
    for (const text of texts) assert.strictEqual(reason(text), "syntax", text)
  })

  it("takes a comma before a closing bracket where that is asked for", () => {
    assert.deepEqual(ok("{\"peer\": 1, \"message\": [2, ], }", { trailingCommas: true }), { peer: 1, message: [2] })
    assert.strictEqual(reason("{,}", { trailingCommas: true }), "syntax")
    assert.strictEqual(reason("[1,,]", { trailingCommas: true }), "syntax")
  })

  it("says what is wrong with the rest", () => {
    assert.strictEqual(reason("{\"a\":1,\"\\u0061\":2}"), "duplicate-key")
    assert.strictEqual(reason("[".repeat(65) + "]".repeat(65)), "depth")
    assert.strictEqual(reason("[".repeat(1_000_000)), "depth")
    assert.strictEqual(reason("1e999"), "number")
    assert.strictEqual(reason("9".repeat(100_000)), "number")
  })

  it("gives no meaning to special keys", () => {
    const value = ok("{\"__proto__\":{\"a\":1},\"constructor\":2}") as { readonly [key: string]: unknown }
    assert.deepStrictEqual(Object.keys(value), ["__proto__", "constructor"])
    assert.isUndefined(value["a"])
    assert.isUndefined(value["toString"])
  })
})
