// Packs every package as it would be published, installs the archives with npm in a folder outside the workspace, and
// uses them there as a stranger would: every module is imported, the examples run and type-check, the commands answer.
//
//   npm run test:packed
import { spawn, spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const json = (path) => JSON.parse(readFileSync(path, "utf8"))
let passed = 0
let failed = 0

const run = (what, command, args, cwd) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 300_000 })
  if (status === 0) {
    passed++
    console.log(`ok: ${what}`)
  } else {
    failed++
    console.log(`FAILED (${status}): ${what}\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`)
  }
  return status === 0
}

const check = async (what, test) => {
  try {
    await test()
    passed++
    console.log(`ok: ${what}`)
  } catch (error) {
    failed++
    console.log(`FAILED: ${what}\n${error instanceof Error ? error.message : error}`)
  }
}

/** The gateway with a server of its own: the first call of its README, and its end when it is asked to. */
const gateway = (app) => async () => {
  const args = ["--test-server", "--port", "0"]
  const child = spawn(join(app, "node_modules/.bin/effect-mtproto-gateway"), args, { cwd: app })
  const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(code ?? signal)))
  try {
    let text = ""
    const settings = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`it does not start\n${text}`)), 60_000)
      const read = (chunk) => {
        text += chunk
        const line = /^export (GATEWAY=.*)$/m.exec(text)?.[1]
        if (line === undefined) return
        clearTimeout(timer)
        resolve(Object.fromEntries(line.split(" ").map((one) => one.split("=", 2))))
      }
      child.stdout.setEncoding("utf8").on("data", read)
      child.stderr.setEncoding("utf8").on("data", read)
      void ended.then((code) => reject(new Error(`it ended with ${code}\n${text}`)))
    })
    const message = "{\"_\": \"decryptedMessageService\", \"action\": {\"_\": \"decryptedMessageActionNoop\"}}"
    const { ANN, CHAT, GATEWAY } = settings
    const call = ["-sS", `${GATEWAY}${ANN}/messages.sendEncryptedService`, "-d", `peer=${CHAT}`, "-d"]
    const { stderr, stdout } = spawnSync("curl", [...call, `message=${message}`], { encoding: "utf8", timeout: 30_000 })
    if (!stdout.startsWith("{\"ok\":true,\"result\":{\"_\":\"messages.sentEncryptedMessage\"")) {
      throw new Error(stdout + stderr)
    }
  } finally {
    child.kill("SIGTERM")
  }
  const code = await ended
  if (code !== 0 && code !== 130 && code !== 143) throw new Error(`it ended with ${code}`)
}

/** A script of Lua before a server of its own. */
const lua = (app) => () => {
  const script = join(app, "script.lua")
  writeFileSync(script, "print('self is ' .. get_self().first_name)\n")
  const args = ["lua", "--test-server", script]
  const command = join(app, "node_modules/.bin/secret-chats")
  const { status, stderr, stdout } = spawnSync(command, args, {
    cwd: app,
    encoding: "utf8",
    input: "",
    timeout: 60_000
  })
  if (status !== 0 || !stdout.includes("self is Ann")) throw new Error(`${status}\n${stdout}\n${stderr}`)
}

const packages = readdirSync(join(root, "packages"))
  .map((folder) => ({
    folder: join(root, "packages", folder),
    manifest: join(root, "packages", folder, "package.json")
  }))
  .filter(({ manifest }) => existsSync(manifest))
  .map(({ folder, manifest }) => ({ folder, ...json(manifest) }))
  .filter((entry) => entry.private !== true)

const work = mkdtempSync(join(tmpdir(), "packed-"))
try {
  const archives = join(work, "archives")
  const app = join(work, "app")
  mkdirSync(archives)
  mkdirSync(app)

  const ready = run("build", "pnpm", ["run", "build"], root) &&
    packages.every(({ folder, name }) => run(`pack ${name}`, "pnpm", ["pack", "--pack-destination", archives], folder))
  if (ready) {
    // peers in the versions that the workspace is tested with
    const pinned = [...new Set(packages.flatMap((entry) => Object.keys(entry.peerDependencies ?? {})))].map((name) => {
      const places = [root, ...packages.map(({ folder }) => folder)].map((folder) => join(folder, "node_modules", name))
      return `${name}@${json(join(places.find((place) => existsSync(place)), "package.json")).version}`
    })
    writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }))
    const files = readdirSync(archives).map((file) => join(archives, file))
    const types = `@types/node@${json(join(root, "node_modules/@types/node/package.json")).version}`
    const install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...files, ...pinned, types]
    if (run("install", "npm", install, app)) {
      for (const { manifest } of packages.map(({ name }) => ({ manifest: join(app, "node_modules", name) }))) {
        const { bin, exports, name } = json(join(manifest, "package.json"))
        const modules = readdirSync(join(manifest, "dist"))
          .filter((file) => file.endsWith(".js") && file !== "main.js" && exports[`./${file.slice(0, -3)}`] !== null)
          .map((file) => `${name}/${file.slice(0, -3)}`)
        const imports = [name, ...modules].map((module) => `await import(${JSON.stringify(module)})`).join("\n")
        run(`import ${name} and its ${modules.length} modules`, process.execPath, [
          "--input-type=module",
          "-e",
          imports
        ], app)
        for (const command of Object.keys(bin ?? {})) {
          run(`${command} --help`, join(app, "node_modules/.bin", command), ["--help"], app)
        }
      }
      await check("effect-mtproto-gateway --test-server, and a call with curl", gateway(app))
      await check("secret-chats lua --test-server", lua(app))
      for (const file of ["standalone.ts", "swap-layers.ts", "compose.ts", "demo"]) {
        cpSync(join(root, "examples", file), join(app, file), { recursive: true })
      }
      for (const file of ["standalone.ts", "swap-layers.ts", "compose.ts"]) {
        run(`examples/${file}`, process.execPath, [file], app)
      }
      const compilerOptions = {
        module: "nodenext",
        target: "es2024",
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
        allowImportingTsExtensions: true,
        types: ["node"]
      }
      writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts", "demo/*.ts"] }))
      run("type-check", process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", app], app)
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}

console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
