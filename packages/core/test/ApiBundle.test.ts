import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
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

  it("of the end-to-end schema holds nothing of the server's", async () => {
    const secret = await bundle(
      "import * as SecretApi from \"@effect-mtproto/core/SecretApi\"\nconsole.log(SecretApi.DecryptedMessageLayer)"
    )
    for (const other of ["messages.sendEncryptedService", "updateNewEncryptedMessage", "req_DH_params"]) {
      assert.notInclude(secret, other)
    }
  })
}, 60_000)

describe("importing, cold", () => {
  it("the end-to-end schema costs at most 60 ms above effect/Schema", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cold-import-"))
    const write = async (name: string, module: string): Promise<string> => {
      const path = join(folder, `${name}.mjs`)
      writeFileSync(path, await bundle(`export * from "${module}"`))
      return pathToFileURL(path).href
    }
    try {
      const secret = await write("secret", "@effect-mtproto/core/SecretApi")
      const schema = await write("schema", "effect/Schema")
      const above = Array.from({ length: 5 }, () => cold(secret) - cold(schema)).toSorted((a, b) => a - b)
      assert.isBelow(above[2]!, 60)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
}, 60_000)

/** CPU milliseconds that a fresh process spends on an import. */
const cold = (url: string): number =>
  Number(execFileSync(process.execPath, [
    "--input-type=module",
    "--eval",
    `const start = process.cpuUsage(); await import(${
      JSON.stringify(url)
    }); const { system, user } = process.cpuUsage(start)
     process.stdout.write(String((system + user) / 1e3))`
  ], { encoding: "utf8" }))
