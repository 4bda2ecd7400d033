/**
 * Files: those of the cloud against mtcute, those of secret chats against TDLib, each on one test server and in a process
 * of its own. Clients take turns, so that the machine is the same for both, and what arrives has to be what was sent.
 *
 * The comparison with TDLib runs in a network namespace that is loopback only, for TDLib has Telegram's addresses compiled
 * in. Where that cannot be had, or TDLib is not installed (`npm run interop:tdlib` does that), a line says so.
 */
import { join } from "node:path"
import { type Bench, median } from "../lib/Bench.ts"
import * as Isolated from "../lib/Isolated.ts"
import { named } from "../lib/Versions.ts"
import { start } from "../rpc/processes.ts"
import type { Address } from "../rpc/server.ts"
import type { Setup, Task, Timing } from "./cloud.ts"
import type { Settings } from "./server.ts"

const SIZE = 12 * 1024 * 1024

const cloud = async (bench: Bench): Promise<void> => {
  const settings: Settings = { accounts: 2 }
  const server = start(join(import.meta.dirname, "server.ts"), settings)
  try {
    const address = await server.next<Address>()
    const client = async (who: Setup["who"], index: number) => {
      const setup: Setup = { who, address, account: address.accounts[index]!, size: SIZE }
      const peer = start(join(import.meta.dirname, "cloud.ts"), setup)
      await peer.next()
      return peer
    }
    const ours = await client("ours", 0)
    const mtcute = await client("mtcute", 1)
    for (const task of ["upload", "download"] as const satisfies ReadonlyArray<Task>) {
      const rounds: Array<readonly [ours: Timing, mtcute: Timing]> = []
      const count = Math.max(5, Math.min(9, Math.round(bench.rounds / 4)))
      for (let i = 0; i < count + 2; i++) {
        const first = i % 2 === 0 ? ours : mtcute
        const one = await first.ask<Timing>(task)
        const two = await (first === ours ? mtcute : ours).ask<Timing>(task)
        const round = first === ours ? [one, two] as const : [two, one] as const
        if (round[0].sha256 !== round[1].sha256) throw new Error(`${task}: the bytes differ`)
        // the first ones warm up
        if (i > 1) rounds.push(round)
      }
      const name = `file of the cloud, 12 MiB, ${task}`
      const peerName = named("@mtcute/node")
      bench.add({
        name,
        unit: "MB/s",
        ours: SIZE / 1e3 / median(rounds.map(([a]) => a.wall)),
        peer: SIZE / 1e3 / median(rounds.map(([, b]) => b.wall)),
        peerName,
        ratio: median(rounds.map(([a, b]) => b.wall / a.wall)),
        goal: 1.5
      })
      bench.add({
        name: `${name}: CPU`,
        unit: "ms",
        ours: median(rounds.map(([a]) => a.cpu)),
        peer: median(rounds.map(([, b]) => b.cpu)),
        peerName,
        ratio: median(rounds.map(([a, b]) => b.cpu / a.cpu)),
        goal: null
      })
    }
    await ours.stop()
    await mtcute.stop()
  } finally {
    await server.stop()
  }
}

export const run = async (bench: Bench): Promise<void> => {
  await cloud(bench)
  const problem = await Isolated.run(join(import.meta.dirname, "encrypted.ts"), [String(bench.rounds)], bench)
  if (problem !== undefined) process.stdout.write(`SKIPPED TDLib in benchmarks/files: ${problem}\n`)
}
