/**
 * A large file from one person to another: how fast, and in how much memory.
 *
 *     node [options] benchmarks/files/large.ts [MiB]
 *
 * The options go to all three processes; the packages must have been built (`pnpm build`).
 *
 * Server, sender and receiver are three processes. The sender makes the bytes as they are asked for; the receiver writes
 * them to a file. Both hash what they see. Memory is the highest resident set of the process, as the system counts it.
 */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"

const size = Math.round(Number(process.argv[2] ?? 1024) * 1024 * 1024)
const script = fileURLToPath(new URL("peer.ts", import.meta.url))

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
  readonly sha256: string
}

const print = (text: string) => void process.stdout.write(`${text}\n`)

const mib = (bytes: number) => (bytes / 1024 / 1024).toFixed(0)

const row = (what: string, report: Report) =>
  `${what}: ${(size / 1e6 / report.seconds).toFixed(1)} MB/s, ${report.cpuSeconds.toFixed(1)} s of CPU, `
  + `${mib(report.maxRss)} MiB at most (${mib(report.baseRss)} MiB before)`

const server = start("server", { SIZE: String(size) })
const { address } = await server.next<{ address: string }>()
const receiver = start("receiver", { ADDRESS: address })
await receiver.next()
const sender = start("sender", { ADDRESS: address, SIZE: String(size) })
const sent = await sender.next<Report>()
const received = await receiver.next<Report>()
for (const { child } of [sender, receiver, server]) child.kill()

print(`${mib(size)} MiB`)
print(row("sent", sent))
print(row("received", received))
if (sent.sha256 !== received.sha256) {
  print("What was received is not what was sent")
  process.exitCode = 1
}
const limit = 150 * 1024 * 1024
if (Math.max(sent.maxRss, received.maxRss) > limit) {
  print(`More than ${mib(limit)} MiB of memory`)
  process.exitCode = 1
}
