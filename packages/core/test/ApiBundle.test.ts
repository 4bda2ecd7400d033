import { assert, describe, it } from "@effect/vitest"
import { fileURLToPath } from "node:url"
import { build } from "vite"

/** What a bundler makes of a program. */
const bundle = async (source: string): Promise<string> => {
  const entry = fileURLToPath(new URL("./entry.virtual.ts", import.meta.url))
  const result = await build({
    configFile: false,
    logLevel: "error",
    plugins: [{
      name: "entry",
      enforce: "pre",
      resolveId: (id) => id === entry ? id : undefined,
      load: (id) => id === entry ? source : undefined
    }],
    build: { write: false, minify: true, lib: { entry, formats: ["es"], fileName: "bundle" } }
  })
  if (!Array.isArray(result)) throw new Error("no output")
  return result.flatMap((r) => r.output).map((o) => o.type === "chunk" ? o.code : "").join("")
}

const api = "import * as Api from \"@effect-mtproto/core/Api\"\n"

describe("a bundle", () => {
  it("of one method holds this method only", async () => {
    const nothing = await bundle(
      "import * as Schema from \"effect/Schema\"\nconsole.log(Schema.Struct({ a: Schema.Int }))"
    )
    const one = await bundle(
      `${api}console.log(Api.encodeRequest(Api.messages.sendEncryptedService(globalThis.params)))`
    )
    assert.include(one, "messages.sendEncryptedService")
    for (const other of ["messages.sendEncryptedFile", "messages.sendMessage", "account.getPassword", "updateShort"]) {
      assert.notInclude(one, other)
    }
    // Reader, writer, errors and the method, next to what Schema costs anyway.
    assert.isBelow(one.length - nothing.length, 32_000)
  })

  it("of the updates reads all of them and holds no method", async () => {
    const updates = await bundle(`${api}console.log(Api.Updates.decode(globalThis.bytes))`)
    for (const name of ["updateNewEncryptedMessage", "updateShortSentMessage", "pageBlockTable"]) {
      assert.include(updates, name)
    }
    assert.notInclude(updates, "messages.sendEncryptedService")
    assert.isBelow(updates.length, 600_000)
  })
}, 60_000)
