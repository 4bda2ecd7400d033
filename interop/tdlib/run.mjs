/**
 * Runs the interoperability checks in a network of their own.
 *
 * The real TDLib has Telegram's addresses compiled in. It is started only inside a throw-away network namespace
 * which has a loopback interface and no route at all, so nothing it does can leave the machine. Where such a
 * namespace cannot be made, the checks are skipped, loudly, with status 0.
 *
 * Arguments are handed to `src/main.ts` (names of scenarios to run; none means all).
 */
import { spawn, spawnSync } from "node:child_process"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const here = dirname(fileURLToPath(import.meta.url))

const skip = (reason) => {
  process.stdout.write(`SKIPPED interop:tdlib: ${reason}\n`)
  process.exit(0)
}

if (process.platform !== "linux" || process.arch !== "x64") {
  skip(`the patched libtdjson is the one for linux-x64, this is ${process.platform}-${process.arch}`)
}
if (process.report.getReport().header.glibcVersionRuntime === undefined) {
  skip("the patched libtdjson is the one for glibc")
}

// `ip` lives in a folder that is not on everybody's PATH
const env = { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` }
const probe = (flags) =>
  spawnSync("unshare", [...flags, "sh", "-c", "ip link set lo up"], { env, stdio: "ignore" }).status === 0
const flags = [["-n"], ["-rn"]].find(probe)
if (flags === undefined) {
  skip("a network namespace cannot be made here (unshare and ip are needed, and the right to use them)")
}

const install = spawnSync("npx", ["--yes", "pnpm@12.21.0", "install", "--frozen-lockfile"], {
  cwd: here,
  env,
  stdio: ["ignore", "ignore", "inherit"]
})
if (install.status !== 0) {
  process.stdout.write("FAIL install of interop/tdlib (prebuilt-tdlib, tdl)\n\n0 passed, 1 failed\n")
  process.exit(1)
}

const types = spawnSync("tsc", ["-p", here], { env, stdio: "inherit" })
if (types.status !== 0) {
  process.stdout.write("FAIL type check of interop/tdlib\n\n0 passed, 1 failed\n")
  process.exit(1)
}

const child = spawn(
  "unshare",
  [
    ...flags,
    "sh",
    "-c",
    "ip link set lo up && exec \"$@\"",
    "sh",
    process.execPath,
    join(here, "src", "main.ts"),
    ...process.argv.slice(2)
  ],
  { env, stdio: "inherit" }
)
// Every check has a limit of its own, but what cannot be interrupted can hang for ever.
const minutes = 10
const watch = setTimeout(() => {
  process.stdout.write(`FAIL the whole run: not over after ${minutes} minutes\n`)
  child.kill("SIGKILL")
}, minutes * 60_000)
child.on("exit", (code, signal) => {
  clearTimeout(watch)
  process.exit(signal === null ? code ?? 1 : 1)
})
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal))
