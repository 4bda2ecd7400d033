// Runs the conformance suite of WebCrypto in Chromium, in a page and in a worker, from a bundle made by Vite.
// Then the package as it would be published: see published.mjs. The browser is Debian's, or the one that CHROMIUM names.
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { chromium } from "playwright-core"
import { build } from "vite"
import * as Published from "./published.mjs"

/** In milliseconds. */
const LONGEST_BLOCK = 2

const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) =>
  path !== undefined && existsSync(path)
)
if (executablePath === undefined) {
  console.error("no Chromium: install Debian's package `chromium`, or name one in CHROMIUM")
  process.exit(1)
}

const folder = mkdtempSync(join(tmpdir(), "browser-"))
await build({
  logLevel: "error",
  configFile: false,
  root: fileURLToPath(new URL("../..", import.meta.url)),
  build: {
    outDir: folder,
    emptyOutDir: false,
    target: "es2022",
    lib: { entry: fileURLToPath(new URL("entry.ts", import.meta.url)), formats: ["es"], fileName: "entry" }
  }
})
const bundle = readFileSync(join(folder, "entry.js"))
console.log(`bundle: ${Math.round(statSync(join(folder, "entry.js")).size / 1024)} KiB`)
rmSync(folder, { recursive: true })

const server = createServer((request, response) => {
  const script = request.url === "/entry.js"
  response.setHeader("content-type", script ? "text/javascript" : "text/html")
  response.end(script ? bundle : "<!doctype html><title>crypto</title><script type=module src=/entry.js></script>")
})
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] })
let failed = 0
try {
  const page = await browser.newPage()
  page.on("pageerror", (error) => console.error(error))
  await page.goto(`http://127.0.0.1:${server.address().port}/`)
  await page.waitForFunction(() => "runHere" in globalThis)
  console.log(`Chromium ${browser.version()}`)
  for (
    const outcome of [
      await page.evaluate(() => globalThis.runHere()),
      await page.evaluate(() => globalThis.runInWorker("/entry.js"))
    ]
  ) {
    const block = outcome.longestBlock.toFixed(1)
    console.log(
      `${outcome.where}: ${outcome.passed} passed, ${outcome.failures.length} failed, kernel ` +
        `${outcome.kernel}, longest block ${block} ms`
    )
    for (const failure of outcome.failures) console.error(failure)
    failed += outcome.failures.length
    if (outcome.longestBlock > LONGEST_BLOCK) {
      console.error(`the event loop was kept busy for more than ${LONGEST_BLOCK} ms`)
      failed++
    }
  }
  for (const failure of await Published.run(browser)) {
    console.error(failure)
    failed++
  }
} finally {
  await browser.close()
  server.close()
}
process.exit(failed === 0 ? 0 : 1)
