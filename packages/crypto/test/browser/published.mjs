// The package as it would be published, used by a stranger's program in a browser: bundled by Vite without a warning, run
// in a page and in a worker, under policies that forbid WebAssembly and code from strings, and in an engine that has
// nothing but what the web has, as Deno. The answers have to be those of NodeCrypto.
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { createContext, runInContext } from "node:vm"
import { build } from "vite"

const here = import.meta.dirname
const crypto = fileURLToPath(new URL("../..", import.meta.url))
const root = fileURLToPath(new URL("../../../..", import.meta.url))

/** The manifest and the compiled files in a folder of their own, with `effect` beside them. */
export const publish = (folder) => {
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-b", crypto],
    {
      encoding: "utf8"
    }
  )
  if (status !== 0) throw new Error(`the package could not be built: ${stdout}`)
  const target = join(folder, "node_modules/@effect-mtproto/crypto")
  mkdirSync(target, { recursive: true })
  cpSync(join(crypto, "dist"), join(target, "dist"), { recursive: true })
  const { publishConfig, ...manifest } = JSON.parse(readFileSync(join(crypto, "package.json"), "utf8"))
  writeFileSync(join(target, "package.json"), JSON.stringify({ ...manifest, ...publishConfig }))
  symlinkSync(realpathSync(join(crypto, "node_modules/effect")), join(folder, "node_modules/effect"))
  for (const name of ["program.js", "whole.js", "compute.js"]) cpSync(join(here, name), join(folder, name))
  return target
}

const bundle = async (folder, entry, warnings) => {
  const warn = (text) => warnings.push(`${entry}: ${text}`)
  const [{ output }] = await build({
    configFile: false,
    logLevel: "warn",
    root: folder,
    customLogger: {
      info: () => {},
      warn,
      warnOnce: warn,
      error: warn,
      clearScreen: () => {},
      hasErrorLogged: () => false,
      hasWarned: false
    },
    build: { write: false, minify: true, lib: { entry, formats: ["es"], fileName: "bundle" } }
  })
  const [chunk, ...others] = output
  if (others.length > 0 || chunk.imports.length > 0 || chunk.dynamicImports.length > 0) warn("is not all in one file")
  return chunk.code
}

/** An engine without Node: the context has what the web's specifications name, and nothing else. */
const withoutNode = (code) => {
  const names = [
    ..."AbortController AbortSignal Event EventTarget MessageChannel TextDecoder TextEncoder URL WebAssembly".split(
      " "
    ),
    ..."atob btoa clearTimeout crypto performance queueMicrotask setTimeout structuredClone".split(" ")
  ]
  return new Promise((resolve, reject) => {
    const context = Object.fromEntries(names.map((name) => [name, globalThis[name]]))
    const postMessage = (value) => "error" in value ? reject(new Error(value.error)) : resolve(value)
    runInContext(code.replace(/\bexport\s*\{\s*\};?\s*$/, ""), createContext({ ...context, postMessage, console }))
  })
}

const policies = [
  { name: "no policy", violations: [] },
  { name: "script-src 'self' 'wasm-unsafe-eval'", violations: [] },
  // both variants of the kernel are refused
  { name: "script-src 'self'", violations: ["wasm-eval", "wasm-eval"] }
]

/** Returns what went wrong. */
export const run = async (browser) => {
  const folder = mkdtempSync(join(tmpdir(), "published-"))
  const failures = []
  const expect = (what, actual, expected) => {
    const [a, b] = [actual, expected].map((value) => JSON.stringify(value, null, 1))
    if (a !== b) failures.push(`${what}: ${a} instead of ${b}`)
  }
  let header
  let code = ""
  const server = createServer((request, response) => {
    const script = request.url === "/program.js"
    response.setHeader("content-type", script ? "text/javascript" : "text/html")
    if (header !== undefined) response.setHeader("content-security-policy", header)
    response.end(script ? code : "<!doctype html><title>program</title><script type=module src=/program.js></script>")
  })
  try {
    const target = publish(folder)
    const warnings = []
    code = await bundle(folder, "program.js", warnings)
    const whole = await bundle(folder, "whole.js", warnings)
    expect("warnings of the bundler", warnings, [])
    for (const text of [code, whole]) {
      expect("replacements of Node's modules", text.includes("browser-external"), false)
    }

    const dist = (name) => import(join(target, "dist", `${name}.js`))
    const [Effect, Result, { compute }, { Crypto }, NodeCrypto, ...rest] = await Promise.all([
      import(join(folder, "node_modules/effect/dist/Effect.js")),
      import(join(folder, "node_modules/effect/dist/Result.js")),
      import("./compute.js"),
      dist("Crypto"),
      dist("NodeCrypto"),
      ...["DiffieHellman", "Frame", "KeyVisualization", "SharedKey"].map(dist)
    ])
    const [DiffieHellman, Frame, KeyVisualization, SharedKey] = rest
    const modules = { Crypto, DiffieHellman, Frame, KeyVisualization, Result, SharedKey }
    const numbers = await Effect.runPromise(Effect.provide(compute(modules, Effect), NodeCrypto.layer))
    expect("numbers of NodeCrypto", [numbers.igeBack, numbers.random], [numbers.sha256, "true"])

    expect("without Node", await withoutNode(code), { numbers, violations: [] })

    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
    for (const { name, violations } of policies) {
      header = name === "no policy" ? undefined : name
      const page = await browser.newPage()
      page.on("pageerror", (error) => failures.push(`${name}: ${error}`))
      await page.goto(`http://127.0.0.1:${server.address().port}/`)
      await page.waitForFunction(() => "answerHere" in globalThis)
      expect(`page, ${name}`, await page.evaluate(() => globalThis.answerHere()), { numbers, violations })
      const worker = await page.evaluate(() => globalThis.answerInWorker("/program.js"))
      expect(`worker, ${name}`, worker, { numbers, violations })
      await page.close()
    }
    console.log(
      `as published: bundle of ${
        Math.round(code.length / 1024)
      } KiB, ${warnings.length} warnings; page and worker under ` +
        `${policies.length} policies, and without Node: ${failures.length} failures`
    )
  } finally {
    server.close()
    rmSync(folder, { recursive: true })
  }
  return failures
}
