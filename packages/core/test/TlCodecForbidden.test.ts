import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as Tl from "@effect-mtproto/core/Tl"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { frames } from "./frames.ts"

describe("where code generation is forbidden", () => {
  const original = globalThis.Function
  let attempts = 0
  beforeAll(() => {
    globalThis.Function = function() {
      attempts++
      throw new EvalError("'unsafe-eval' is not an allowed source of script")
    } as unknown as FunctionConstructor
  })
  afterAll(() => {
    globalThis.Function = original
  })

  it("codecs work all the same, and ask once", () => {
    const messages = TlCodec.make(SecretApi.DecryptedMessageLayer)
    for (const { tl } of frames) assert.deepStrictEqual(messages.encode(messages.decode(tl)), tl)
    const other = TlCodec.make(Tl.constructor("x", 1, { y: Tl.int }))
    assert.deepStrictEqual(other.decode(other.encode({ _tag: "x", y: 2 })), { _tag: "x", y: 2 })
    assert.strictEqual(attempts, 1)
  })
})
