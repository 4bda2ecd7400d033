// Starts a PostgreSQL server of its own, in a temporary folder, on 127.0.0.1 and a port that is free, and runs the tests
// that need one. Says so in one line, and succeeds, where PostgreSQL is not installed.
//
//   npm run test:postgres
import { spawn, spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

const findBinaries = () => {
  const debian = "/usr/lib/postgresql"
  const versions = existsSync(debian) ? readdirSync(debian).toSorted((a, b) => Number(b) - Number(a)) : []
  const folders = [...versions.map((version) => join(debian, version, "bin")), ...process.env.PATH.split(delimiter)]
  return folders.find((folder) =>
    ["initdb", "postgres", "pg_isready", "createdb"].every((name) => existsSync(join(folder, name)))
  )
}

const bin = findBinaries()
if (bin === undefined) {
  console.log("SKIPPED: PostgreSQL is not installed (Debian: apt-get install postgresql); nothing was tested on it")
  process.exit(0)
}

// PostgreSQL refuses to run as root.
const findUser = () => {
  if (process.getuid() !== 0) return {}
  for (const name of ["postgres", "nobody"]) {
    const id = (flag) => Number(spawnSync("id", [flag, name], { encoding: "utf8" }).stdout)
    if (id("-u") > 0) return { uid: id("-u"), gid: id("-g") }
  }
  throw new Error("There is no user but root to run PostgreSQL as")
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

const user = findUser()
const folder = mkdtempSync(join(tmpdir(), "effect-mtproto-pg-"))
if (user.uid !== undefined) chownSync(folder, user.uid, user.gid)
const as = { ...user, cwd: folder, env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8", TZ: "UTC" } }

let server
let status = 1
try {
  const password = randomBytes(16).toString("hex")
  const passwordFile = join(folder, "password")
  writeFileSync(passwordFile, password, { mode: 0o600 })
  if (user.uid !== undefined) chownSync(passwordFile, user.uid, user.gid)
  const data = join(folder, "data")
  const made = spawnSync(
    join(bin, "initdb"),
    ["-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", passwordFile, "-E", "UTF8", "--locale=C.UTF-8"],
    { ...as, encoding: "utf8" }
  )
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stdout}${made.stderr}${made.error ?? ""}`)
  const port = await freePort()
  let log = ""
  server = spawn(
    join(bin, "postgres"),
    ["-D", data, "-p", String(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"],
    { ...as, stdio: ["ignore", "pipe", "pipe"] }
  )
  for (const stream of [server.stdout, server.stderr]) stream.on("data", (chunk) => log += chunk)
  const isReady = () => spawnSync(join(bin, "pg_isready"), ["-h", "127.0.0.1", "-p", String(port)], as).status === 0
  for (let tries = 0; !isReady(); tries++) {
    if (server.exitCode !== null || tries > 300) throw new Error(`PostgreSQL did not start: ${log}`)
    await sleep(100)
  }
  const tests = spawn("vitest", ["run", "--config", "vitest.postgres.config.ts", ...process.argv.slice(2)], {
    stdio: "inherit",
    env: {
      ...process.env,
      POSTGRES_URL: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
      POSTGRES_CREATEDB: join(bin, "createdb")
    }
  })
  status = await new Promise((resolve) => tests.once("close", (code) => resolve(code ?? 1)))
} finally {
  if (server !== undefined && server.exitCode === null) {
    const closed = new Promise((resolve) => server.once("close", resolve))
    // "Fast shutdown": connections are ended.
    server.kill("SIGINT")
    await closed
  }
  rmSync(folder, { recursive: true, force: true })
}
process.exit(status)
