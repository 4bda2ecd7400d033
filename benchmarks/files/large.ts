/**
 * A large file from one person to another: how fast, and in how much memory.
 *
 *     node [options] benchmarks/files/large.ts [MiB]
 *
 * The options go to all three processes; the packages must have been built (`pnpm build`).
 *
 * Server, sender and receiver are three processes: one sends a file of the disk, the other writes it to another. Memory is
 * the highest resident set of the process, as the system counts it.
 */
import { fork } from "node:child_process"
import { createHash, randomFillSync } from "node:crypto"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const size = Math.round(Number(process.argv[2] ?? 1024) * 1024 * 1024)
const script = fileURLToPath(new URL("peer.mjs", import.meta.url))

const start = (role: string, env: Record<string, string>) => {
  const execArgv = [...process.execArgv, "--import", fileURLToPath(new URL("built.mjs", import.meta.url))]
  const child = fork(script, [role], {
    execArgv,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  const waiting: Array<(value: any) => void> = []
  const arrived: Array<unknown> = []
  child.on("message", (value) => {
    const resolve = waiting.shift()
    if (resolve === undefined) arrived.push(value)
    else resolve(value)
  })
  child.on("exit", (code) => {
    if (code !== 0 && code !== null) process.exit(code)
  })
  const next = <A>(): Promise<A> =>
    arrived.length > 0 ? Promise.resolve(arrived.shift() as A) : new Promise((resolve) => waiting.push(resolve))
  return { child, next }
}

interface Report {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly maxRss: number
  readonly baseRss: number
}

const print = (text: string) => void process.stdout.write(`${text}\n`)

const mib = (bytes: number) => (bytes / 1024 / 1024).toFixed(0)

const row = (what: string, report: Report) =>
  `${what}: ${(size / 1e6 / report.seconds).toFixed(1)} MB/s, ${report.cpuSeconds.toFixed(1)} s of CPU, `
  + `${mib(report.maxRss)} MiB at most (${mib(report.baseRss)} MiB before)`

const folder = Fs.mkdtempSync(join(tmpdir(), "large-file-"))
process.on("exit", () => Fs.rmSync(folder, { recursive: true, force: true }))
const source = join(folder, "source")
const target = join(folder, "target")

const piece = Buffer.alloc(2 ** 20)
const write = (): void => {
  randomFillSync(piece)
  const file = Fs.openSync(source, "wx")
  for (let at = 0; at < size; at += piece.length) {
    piece.writeUInt32LE(at / piece.length)
    Fs.writeSync(file, piece, 0, Math.min(piece.length, size - at))
  }
  Fs.closeSync(file)
}

const hash = (path: string): string => {
  const state = createHash("sha256")
  const file = Fs.openSync(path, "r")
  for (let n = 0; (n = Fs.readSync(file, piece)) > 0;) state.update(piece.subarray(0, n))
  Fs.closeSync(file)
  return state.digest("hex")
}

write()
const server = start("server", { SIZE: String(size) })
const { address } = await server.next<{ address: string }>()
const receiver = start("receiver", { ADDRESS: address, TARGET: target, DATABASE: join(folder, "receiver") })
await receiver.next()
const sender = start("sender", { ADDRESS: address, SOURCE: source, DATABASE: join(folder, "sender") })
const sent = await sender.next<Report>()
const received = await receiver.next<Report>()
for (const { child } of [sender, receiver, server]) child.kill()

print(`${mib(size)} MiB`)
print(row("sent", sent))
print(row("received", received))
if (hash(source) !== hash(target)) {
  print("What was received is not what was sent")
  process.exitCode = 1
}
const limit = 150e6
if (Math.max(sent.maxRss, received.maxRss) > limit) {
  print(`More than ${limit / 1e6} MB of memory`)
  process.exitCode = 1
}
