import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Compose from "../compose.ts"
import * as Standalone from "../standalone.ts"
import * as SwapLayers from "../swap-layers.ts"

describe("examples", () => {
  it("two-accounts is the main job", () => {
    const run = spawnSync(process.execPath, [fileURLToPath(new URL("../two-accounts.ts", import.meta.url))], {
      encoding: "utf8",
      timeout: 60_000
    })
    assert.strictEqual(run.status, 0, run.stdout + run.stderr)
    assert.match(run.stdout, /^secret messages: (\d+) sent, \1 received, 0 lost, 0 duplicated\n$/m)
    assert.strictEqual(run.stderr, "")
  })

  it.live("compose: two alerts are acknowledged", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Compose.main, ["disk 1 is 91 % full", "disk 1 is 97 % full"])
    }))

  const expected = { answer: "delivered", read: "The code is 4711", refused: "not wanted" }
  it.live("swap-layers: the program in memory", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* SwapLayers.inMemory, expected as never)
    }))
  it.live("swap-layers: the same program on files", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* SwapLayers.inFiles, expected as never)
    }))

  it.live("standalone: core and crypto alone", () =>
    Effect.gen(function*() {
      const { damaged, json, opened } = yield* Standalone.main
      assert.deepStrictEqual(json, { _: "point", x: 3, y: -4, label: "here" })
      assert.deepStrictEqual(opened.message, {
        _tag: "decryptedMessageService",
        randomId: 4711n,
        action: { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 60 }
      })
      assert.isTrue(damaged)
    }))
})
