import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlId from "@effect-mtproto/core/TlId"
import { assert, describe, it } from "@effect/vitest"
import { crc32 } from "../src/internal/crc32.ts"
import { printConstructor } from "../src/internal/print.ts"
import { constructorsOf } from "./ids.ts"

const constructors = constructorsOf(SecretApi)

describe("SecretApi", () => {
  it("has the 85 constructors of ten types", () => {
    assert.strictEqual(constructors.size, 85)
    const types: Record<string, number> = {}
    for (const c of constructors.values()) types[c.type] = (types[c.type] ?? 0) + 1
    assert.deepStrictEqual(
      types,
      {
        DecryptedMessage: 6,
        DecryptedMessageLayer: 1,
        DecryptedMessageMedia: 16,
        DecryptedMessageAction: 13,
        SendMessageAction: 12,
        DocumentAttribute: 10,
        MessageEntity: 20,
        PhotoSize: 3,
        FileLocation: 2,
        InputStickerSet: 2
      }
    )
    assert.strictEqual(new Set([...constructors.values()].map((c) => c.id)).size, 85)
  })

  it("every id is the CRC-32 of its line", () => {
    const different = [...constructors.values()].filter((c) => TlId.compute(printConstructor(c)) !== c.id)
    assert.deepStrictEqual(different.map((c) => c.tag), ["decryptedMessageMediaDocument"])
  })

  it("one id comes from a line whose bytes were not turned into string", () => {
    const line = printConstructor(constructors.get("decryptedMessageMediaDocument")!)
    assert.strictEqual(
      crc32(new TextEncoder().encode(TlId.canonical(line).replace(/(thumb|key|iv):string/g, "$1:bytes"))),
      0x6abd9782
    )
  })

  it("layers", () => {
    const layers = new Set([...constructors.values()].map((c) => c.layer))
    assert.deepStrictEqual([...layers].toSorted((a, b) => a - b), [8, 17, 20, 23, 45, 46, 66, 73, 101, 143, 144])
    assert.strictEqual(SecretApi.layer, 144)
  })
})
