/**
 * Runs the checks in a network of their own.
 *
 * The clients have Telegram's addresses compiled in. They are started only inside a throw-away network namespace which
 * has a loopback interface and no route at all, so nothing that they do can leave the machine. Where such a namespace
 * cannot be made, the checks are skipped, loudly, with status 0; so is a client that cannot be had.
 *
 * Arguments are handed to `src/main.ts` (names of clients to run; none means all).
 */
import { spawn, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const here = dirname(fileURLToPath(import.meta.url))
const tdlib = join(here, "..", "tdlib")

const skip = (reason) => {
  process.stdout.write(`SKIPPED interop:clients: ${reason}\n`)
  process.exit(0)
}
const fail = (what) => {
  process.stdout.write(`FAIL ${what}\n\n0 passed, 1 failed\n`)
  process.exit(1)
}

if (process.platform !== "linux") skip(`a network namespace needs Linux, this is ${process.platform}`)

// `ip` lives in a folder that is not on everybody's PATH
const env = { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` }
const probe = (flags) =>
  spawnSync("unshare", [...flags, "sh", "-c", "ip link set lo up"], { env, stdio: "ignore" }).status === 0
const flags = [["-n"], ["-rn"]].find(probe)
if (flags === undefined) {
  skip("a network namespace cannot be made here (unshare and ip are needed, and the right to use them)")
}

const install = (cwd) =>
  spawnSync("npx", ["--yes", "pnpm@12.21.0", "install", "--frozen-lockfile"], {
    cwd,
    env,
    stdio: ["ignore", "ignore", "inherit"]
  }).status === 0

if (!install(tdlib)) fail("install of interop/tdlib (prebuilt-tdlib, tdl)")
if (!install(here)) fail("install of interop/clients (mtcute, GramJS)")
if (spawnSync("tsc", ["-p", here], { env, stdio: "inherit" }).status !== 0) fail("type check of interop/clients")

// Telethon is the one that Debian has, for the Python that Debian has
const python = "/usr/bin/python3"
const hasTelethon = () => spawnSync(python, ["-c", "import telethon"], { env, stdio: "ignore" }).status === 0
if (!hasTelethon() && existsSync("/usr/bin/apt-get")) {
  const apt = (...args) =>
    spawnSync("apt-get", args, {
      env: { ...env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: "ignore",
      timeout: 180_000
    })
  if (apt("install", "-y", "-qq", "python3-telethon").status !== 0) {
    apt("update", "-qq")
    apt("install", "-y", "-qq", "python3-telethon")
  }
}

// tg-secret is from PyPI, into a folder of its own, and without the library that it has another adapter for
const tgSecret = join(here, "node_modules", ".tg-secret")
const hasTgSecret = () => existsSync(join(tgSecret, "tg_secret", "__init__.py"))
if (hasTelethon() && !hasTgSecret()) {
  const requirements = join(here, "requirements.txt")
  spawnSync(
    python,
    ["-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "--target", tgSecret, "-r", requirements],
    { env, stdio: "ignore", timeout: 120_000 }
  )
}

const absent = []
if (!hasTelethon()) {
  absent.push("telethon=python3-telethon is not installed, and cannot be")
  absent.push("tgsecret=it needs Telethon")
} else if (!hasTgSecret()) absent.push("tgsecret=tg-secret cannot be installed from PyPI")
if (process.arch !== "x64" || process.report.getReport().header.glibcVersionRuntime === undefined) {
  absent.push("tdlib=the patched libtdjson is the one for linux-x64 with glibc")
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
    "--disable-warning=ExperimentalWarning",
    join(here, "src", "main.ts"),
    ...absent.map((text) => `--absent=${text}`),
    ...process.argv.slice(2)
  ],
  { env: { ...env, PYTHON: python, TG_SECRET: tgSecret }, stdio: "inherit" }
)
child.on("exit", (code, signal) => process.exit(signal === null ? code ?? 1 : 1))
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal))
