import { assert, describe, it } from "@effect/vitest"
import { bundle } from "./browser/bundle.ts"

describe("a bundle for a browser", () => {
  it("of transport and secret chats needs nothing of Node", { timeout: 60_000 }, async () => {
    const { code, warnings } = await bundle()
    assert.deepStrictEqual(warnings, [])
    assert.notMatch(code, /(?:from|import\(?|require\()\s*["'`]node:/)
    assert.notInclude(code, "__vite-browser-external")
  })
})
