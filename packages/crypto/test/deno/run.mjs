// Runs the conformance suite of WebCrypto in Deno, and the package as it would be published, from its node_modules: the
// answers have to be those of NodeCrypto. Deno may read the folder and nothing else: no network, no environment.
//
// Deno is the one that DENO names, the one on the PATH, or is fetched from npm into a folder that is thrown away. Where it
// cannot be had, this says so loudly and passes, because nothing was tested and nothing was broken.
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "vite"
import { publish } from "../browser/published.mjs"

const VERSION = "2.9.6"

const browser = fileURLToPath(new URL("../browser", import.meta.url))
// Deno resolves links, and what they lead to has to be readable
const root = fileURLToPath(new URL("../../../..", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "deno-"))

const works = (command) =>
  command !== undefined && spawnSync(command, ["--version"], { stdio: "ignore", timeout: 60_000 }).status === 0

const find = () => {
  const found = [process.env.DENO, "deno"].find(works)
  if (found !== undefined) return found
  const prefix = join(folder, "installed")
  const { status } = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--prefix", prefix, `deno@${VERSION}`], {
    stdio: "ignore",
    timeout: 180_000
  })
  const installed = join(prefix, "node_modules/.bin/deno")
  return status === 0 && works(installed) ? installed : undefined
}

const conformance = `
globalThis.postMessage = (outcome) => {
  console.log(JSON.stringify(outcome))
  Deno.exit(0)
}
await import("./entry.js")
`

const program = (layer, answer) => `
import { compute } from "./compute.js"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as Frame from "@effect-mtproto/crypto/Frame"
import * as KeyVisualization from "@effect-mtproto/crypto/KeyVisualization"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as Layer from "@effect-mtproto/crypto/${layer}"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
const modules = { Crypto, DiffieHellman, Frame, KeyVisualization, Result, SharedKey }
console.log(JSON.stringify(await Effect.runPromise(Effect.provide(compute(modules, Effect), Layer.layer))))
${answer}
`

const failures = []
try {
  const deno = find()
  if (deno === undefined) {
    console.error("!!! SKIPPED: there is no Deno and it could not be installed; the tests in Deno did NOT run")
    rmSync(folder, { recursive: true, force: true })
    process.exit(0)
  }
  const run = (what, file) => {
    const rights = ["--no-prompt", "--no-remote", "--no-config", "--node-modules-dir=manual"]
    const { status, stderr, stdout } = spawnSync(deno, [
      "run",
      ...rights,
      `--allow-read=${folder},${root}`,
      join(folder, file)
    ], {
      cwd: folder,
      encoding: "utf8",
      timeout: 120_000,
      env: { PATH: process.env.PATH, HOME: folder, NO_COLOR: "1" }
    })
    if (status === 0) return JSON.parse(stdout)
    failures.push(`${what}: ended with ${status}: ${stderr}`)
    return undefined
  }

  publish(folder)
  await build({
    logLevel: "error",
    configFile: false,
    root: browser,
    build: {
      outDir: folder,
      emptyOutDir: false,
      target: "es2022",
      lib: { entry: join(browser, "entry.ts"), formats: ["es"], fileName: "entry" }
    }
  })
  cpSync(join(browser, "compute.js"), join(folder, "compute.js"))
  writeFileSync(join(folder, "conformance.js"), conformance)
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
  writeFileSync(join(folder, "web.js"), program("WebCrypto", "Deno.exit(0)"))
  writeFileSync(join(folder, "node.js"), program("NodeCrypto", ""))

  console.log(spawnSync(deno, ["--version"], { encoding: "utf8" }).stdout.split("\n")[0])
  const outcome = run("conformance", "conformance.js")
  if (outcome !== undefined) {
    console.log(`WebCrypto: ${outcome.passed} passed, ${outcome.failures.length} failed, kernel ${outcome.kernel}`)
    failures.push(...outcome.failures)
  }
  const numbers = run("as published", "web.js")
  const expected = spawnSync(process.execPath, [join(folder, "node.js")], { encoding: "utf8", cwd: folder })
  if (expected.status !== 0) failures.push(`the same on Node: ended with ${expected.status}: ${expected.stderr}`)
  else if (numbers !== undefined && JSON.stringify(numbers) !== expected.stdout.trim()) {
    failures.push(`as published: ${JSON.stringify(numbers)} instead of ${expected.stdout}`)
  } else if (numbers !== undefined) {
    console.log(`as published: ${Object.keys(numbers).length} numbers are those of Node`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
for (const failure of failures) console.error(failure)
process.exit(failures.length === 0 ? 0 : 1)
