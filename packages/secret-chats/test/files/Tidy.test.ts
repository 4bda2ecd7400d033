import { assert, describe, it } from "@effect/vitest"
import * as Tidy from "../../src/internal/tidy.ts"

const MIB = 1024 * 1024

describe("memory before a large transfer", () => {
  it("is collected where that is short and gives something back", () => {
    const isWorthIt = (used: number, total: number) => Tidy.isWorthIt({ heapUsed: used * MIB, heapTotal: total * MIB })
    assert.isTrue(isWorthIt(30, 60))
    // nothing to give back
    assert.isFalse(isWorthIt(30, 40))
    // too much to go through
    assert.isFalse(isWorthIt(200, 300))
  })
})
