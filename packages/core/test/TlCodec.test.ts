import * as Tl from "@effect-mtproto/core/Tl"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { assert, describe, it } from "@effect/vitest"

const InputUser = Tl.constructor("inputUser", 0xf21158c6, { userId: Tl.long, accessHash: Tl.long })
const Draft = Tl.constructor("draft", 0x3fccf7ef, {
  flags: Tl.flags,
  noWebpage: Tl.flagTrue(1),
  replyTo: Tl.flag(0, Tl.int),
  to: InputUser,
  message: Tl.string,
  ids: Tl.vector(Tl.long)
})

describe("TlCodec", () => {
  it("round trip", () => {
    const value: typeof Draft.Type = {
      _tag: "draft",
      noWebpage: true,
      to: { _tag: "inputUser", userId: 1n, accessHash: -2n },
      message: "hello, this is a message",
      ids: [1n, 2n]
    }
    const bytes = TlCodec.encode(Draft)(value)
    assert.deepStrictEqual(TlCodec.decode(Draft)(bytes), value)
  })
})
