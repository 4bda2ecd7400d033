/**
 * Calls of the server: ours and mtcute's client, against the same server, on the loopback interface. Each has a process
 * of its own; the clients take turns, so that the machine is the same for both.
 *
 * CPU time is that of all threads of a client's process: serialising, encrypting, the socket, and collecting garbage.
 */
import { join } from "node:path"
import { type Bench, median } from "../lib/Bench.ts"
import { named } from "../lib/Versions.ts"
import type { Cost, Task } from "./client.ts"
import * as Clients from "./clients.ts"
import { type Peer, start, startServer } from "./processes.ts"
import type { Address } from "./server.ts"
import * as Unwanted from "./unwanted.ts"

/** How long one turn takes, in milliseconds of the slower side. */
const TURN = 300
/** How much a client computes before it is measured, in milliseconds of its own time: on a busy machine others take theirs. */
const WARM_UP = 3000
const LONGEST_WARM_UP = 30_000

type Pair = { readonly ours: Peer; readonly mtcute: Peer }

const compare = async (
  bench: Bench,
  clients: Pair,
  options: {
    readonly method: Task["method"]
    readonly name: string
    readonly inFlight: number
    readonly goal: number
  }
): Promise<void> => {
  const { inFlight, method } = options
  const run = (client: Peer, calls: number) => client.ask<Cost>({ method, calls, inFlight } satisfies Task)
  let calls = Math.max(100, inFlight * 4)
  for (const client of [clients.ours, clients.mtcute]) {
    const start = performance.now()
    for (let spent = 0; spent < WARM_UP && performance.now() - start < LONGEST_WARM_UP;) {
      const { cpu, wall } = await run(client, calls)
      spent += cpu * calls
      calls = Math.max(inFlight * 4, Math.round(TURN / wall))
    }
  }
  const rounds: Array<{ readonly ours: Cost; readonly mtcute: Cost }> = []
  for (let i = 0; i < Math.max(9, bench.rounds / 2); i++) {
    const first = i % 2 === 0 ? "ours" : "mtcute"
    const second = i % 2 === 0 ? "mtcute" : "ours"
    const one = await run(clients[first], calls)
    const two = await run(clients[second], calls)
    rounds.push(first === "ours" ? { ours: one, mtcute: two } : { ours: two, mtcute: one })
  }
  const name = `${options.name}, ${inFlight === 1 ? "one after the other" : `${inFlight} in flight`}`
  const peerName = named("@mtcute/node")
  bench.add({
    name: `${name}: CPU per call`,
    unit: "µs",
    ours: median(rounds.map(({ ours }) => ours.cpu)) * 1e3,
    peer: median(rounds.map(({ mtcute }) => mtcute.cpu)) * 1e3,
    peerName,
    ratio: median(rounds.map(({ mtcute, ours }) => mtcute.cpu / ours.cpu)),
    goal: options.goal
  })
  bench.add({
    name: `${name}: calls`,
    unit: "/s",
    ours: 1e3 / median(rounds.map(({ ours }) => ours.wall)),
    peer: 1e3 / median(rounds.map(({ mtcute }) => mtcute.wall)),
    peerName,
    ratio: median(rounds.map(({ mtcute, ours }) => mtcute.wall / ours.wall)),
    goal: null
  })
}

const exchanges = async (bench: Bench, address: Address): Promise<void> => {
  const warm: Array<readonly [ours: number, mtcute: number]> = []
  for (let i = 0; i < 10 + Math.max(9, bench.rounds); i++) {
    const ours = await Clients.keyTime("ours", address)
    const mtcute = await Clients.keyTime("mtcute", address)
    // The first ones warm up.
    if (i >= 10) warm.push([ours, mtcute])
  }
  const ours = median(warm.map(([a]) => a))
  bench.add({
    name: "connection and key exchange, warm",
    unit: "ms",
    ours,
    peer: 39,
    peerName: "a budget of 39 ms",
    goal: 1
  })
  bench.add({
    name: "connection and key exchange, warm",
    unit: "ms",
    ours,
    peer: median(warm.map(([, b]) => b)),
    peerName: named("@mtcute/node"),
    ratio: median(warm.map(([a, b]) => b / a)),
    goal: null
  })
  const cold: Array<readonly [ours: number, mtcute: number]> = []
  for (let i = 0; i < Math.max(5, bench.rounds / 4); i++) {
    const times: Array<number> = []
    for (const who of ["ours", "mtcute"] as const) {
      const child = start(join(import.meta.dirname, "cold.ts"), { who, address })
      times.push(await child.next<number>())
      await child.stop()
    }
    cold.push([times[0]!, times[1]!])
  }
  bench.add({
    name: "connection and key exchange in a new process",
    unit: "ms",
    ours: median(cold.map(([a]) => a)),
    peer: median(cold.map(([, b]) => b)),
    peerName: named("@mtcute/node"),
    ratio: median(cold.map(([a, b]) => b / a)),
    goal: 2
  })
}

/** What one of many clients holds that are connected and idle. */
const idle = async (bench: Bench, address: Address): Promise<void> => {
  const measure = async (who: "ours" | "mtcute", count: number): Promise<number> => {
    const child = start(join(import.meta.dirname, "idle.ts"), { who, address, count }, ["--expose-gc"])
    const bytes = await child.next<number>()
    await child.stop()
    return bytes
  }
  const name = "resident memory of a connected client, of 1,000"
  const ours = await measure("ours", 1000)
  bench.add({ name, unit: "B", ours, peer: 330_000, peerName: "a budget of 330 KB", goal: 1 })
  // its key exchange takes three times as long
  bench.add({ name, unit: "B", ours, peer: await measure("mtcute", 200), peerName: named("@mtcute/node"), goal: null })
}

export const run = async (bench: Bench): Promise<void> => {
  const { address, process: server } = await startServer({ accounts: 2, stub: true })
  try {
    const client = async (who: "ours" | "mtcute", index: number) => {
      const account = address.accounts[index]!
      const peer = start(join(import.meta.dirname, "client.ts"), { who, address, account })
      await peer.next()
      return peer
    }
    const clients = { ours: await client("ours", 0), mtcute: await client("mtcute", 1) }
    for (const inFlight of [1, 10, 100]) {
      await compare(bench, clients, {
        method: "sendEncryptedService",
        name: `messages.sendEncryptedService, ${Clients.DATA} B`,
        inFlight,
        goal: 3
      })
    }
    for (const inFlight of [1, 10, 100]) {
      await compare(bench, clients, { method: "getConfig", name: "help.getConfig", inFlight, goal: 1.5 })
    }
    await clients.ours.stop()
    await clients.mtcute.stop()
    await exchanges(bench, address)
    await Unwanted.run(bench)
    await idle(bench, address)
  } finally {
    await server.stop()
  }
}
