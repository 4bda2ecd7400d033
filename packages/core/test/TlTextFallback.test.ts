import { afterAll, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import type * as Reader from "../src/TlReader.ts"
import type * as Writer from "../src/TlWriter.ts"

// Browsers have no Buffer: TextEncoder and TextDecoder do its work.
describe("strings without Buffer", () => {
  let TlReader: typeof Reader.TlReader
  let TlWriter: typeof Writer.TlWriter
  const original = globalThis.Buffer
  beforeAll(async () => {
    vi.resetModules()
    const reader = import("../src/TlReader.ts")
    const writer = import("../src/TlWriter.ts")
    vi.stubGlobal("Buffer", undefined)
    try {
      TlReader = (await reader).TlReader
      TlWriter = (await writer).TlWriter
    } finally {
      vi.stubGlobal("Buffer", original)
    }
  })
  afterAll(() => vi.unstubAllGlobals())

  it.each([
    "",
    "a",
    "exactly 16 bytes",
    "more than sixteen bytes",
    "é".repeat(8),
    "ж".repeat(127),
    "😀".repeat(3000),
    "\u{feff}mark",
    "x".repeat(100_000)
  ])("%s", (text) => {
    const w = new TlWriter()
    w.string(text)
    w.int(7)
    const bytes = w.take()
    const utf8 = new TextEncoder().encode(text)
    const head = utf8.length < 254 ? 1 : 4
    assert.deepStrictEqual(bytes.subarray(head, head + utf8.length), utf8)
    const r = new TlReader(bytes)
    assert.strictEqual(r.string(), text)
    assert.strictEqual(r.int(), 7)
    r.finish()
  })

  it("really is what runs here", () => {
    const decode = vi.spyOn(TextDecoder.prototype, "decode")
    const w = new TlWriter()
    w.string("more than sixteen bytes")
    assert.strictEqual(new TlReader(w.take()).string(), "more than sixteen bytes")
    assert.strictEqual(decode.mock.calls.length, 1)
    decode.mockRestore()
  })

  it("ill-formed text", () => {
    const w = new TlWriter()
    w.string("a\ud800b")
    w.string("\udc00".repeat(6000))
    const r = new TlReader(w.take())
    assert.strictEqual(r.string(), "a\u{fffd}b")
    assert.strictEqual(r.string(), "\u{fffd}".repeat(6000))
    assert.strictEqual(new TlReader(Uint8Array.of(2, 0xc3, 0x28, 0)).string(), "\u{fffd}(")
  })
})
