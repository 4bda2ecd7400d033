// Builds the kernel twice, with and without relaxed SIMD, and embeds both as base64 in src/internal/kernelBinary.ts.
// With --check, only compares.
import { execFileSync } from "node:child_process"
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const asc = createRequire(import.meta.url).resolve("assemblyscript/bin/asc.js")
const kernel = fileURLToPath(new URL("../wasm/kernel.as", import.meta.url))
const output = fileURLToPath(new URL("../src/internal/kernelBinary.ts", import.meta.url))
// the compiler wants the extension of TypeScript, whose tools would trip over the source
const folder = mkdtempSync(join(tmpdir(), "kernel-"))
copyFileSync(kernel, join(folder, "kernel.ts"))

// What makes the module smaller without moving anything: the rounds of AES are written in the order in which they are to
// be carried out, and engines keep it.
const passes = "dce,simplify-locals-nonesting,coalesce-locals,vacuum,reorder-locals"

const build = (name, features) => {
  const file = join(folder, `${name}.wasm`)
  const options = `--baseDir ${folder} --outFile ${name}.wasm --runPasses ${passes} --noAssert --runtime stub` +
    " --use abort= --initialMemory 2 --maximumMemory 2"
  const enable = features.flatMap((feature) => ["--enable", feature])
  execFileSync(process.execPath, [asc, "kernel.ts", ...options.split(" "), ...enable], {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit"]
  })
  const text = readFileSync(file).toString("base64")
  console.log(`${name}: ${Math.round(text.length * 0.75)} bytes`)
  return text.match(/.{1,110}/g).map((line) => `  "${line}"`).join(" +\n")
}

const source = `/**
 * The WebAssembly kernel, built from wasm/kernel.as by \`pnpm build:wasm\`: do not edit.
 */

export const relaxed = //
${build("relaxed", ["simd", "relaxed-simd"])}

export const plain = //
${build("plain", ["simd"])}
`
rmSync(folder, { recursive: true })

if (!process.argv.includes("--check")) {
  writeFileSync(output, source)
} else if (readFileSync(output, "utf8") !== source) {
  console.error("stale: src/internal/kernelBinary.ts differs from a fresh build")
  process.exit(1)
}
