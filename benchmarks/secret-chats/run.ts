/** The run itself, in its own network: prints one row as JSON a line. */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { type Bench, median } from "../lib/Bench.ts"
import { type Peer, start, startServer } from "../rpc/processes.ts"
import type { Address } from "../rpc/server.ts"
import type { Command, Setup, Timing } from "./peer.ts"

export type Figure = Parameters<Bench["add"]>[0]

/** The last one: only rows with this in their name, for whoever looks for what is slow. */
const [roundsText, mode, only = ""] = process.argv.slice(2) as [string, "tdlib" | "alone", string?]
const rounds = Math.max(3, Math.min(7, Math.round(Number(roundsText) / 6)))

const add = (figure: Figure): void => {
  process.stdout.write(`${JSON.stringify(figure)}\n`)
}

const TDLIB = "TDLib 1.8.65"
const ELSEWHERE = `a budget: ${TDLIB} on another day`

const directory = mkdtempSync(join(tmpdir(), "bench-secret-chats-"))

/** Everybody who was started: told of by name when it is late, and stopped when the run ends. */
const names = new Map<Peer, string>()

const begin = async (
  program: "peer.ts" | "tdlib.ts",
  setup: Setup,
  flags: ReadonlyArray<string> = ["--expose-gc"]
): Promise<Peer> => {
  const peer = start(join(import.meta.dirname, program), setup, flags)
  names.set(peer, `${program} at ${basename(setup.database)}`)
  await within(`${names.get(peer)!}, to start`, peer.next())
  return peer
}

/** What has not come after this long does not come: the run ends with a word about what was waited for. */
const patience = 60_000

const within = <A>(what: string, promise: Promise<A>): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing for ${patience / 1e3} s`)), patience)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

const ask = <A>(peer: Peer, command: Command): Promise<A> =>
  within(`${names.get(peer)!}, told to ${command._tag}`, peer.ask<A>(command))

/** Lets a peer end in an orderly way. */
const end = (peer: Peer): Promise<void> =>
  within(
    `${names.get(peer)!}, to end`,
    new Promise((resolve) => {
      peer.child.once("exit", () => resolve())
      peer.child.disconnect()
    })
  )

/** Commits to the disk while something is done; `undefined` where there is no strace. */
const fsyncs = async (peer: Peer, work: () => Promise<unknown>): Promise<number | undefined> => {
  const file = join(directory, "strace")
  const tracer = spawn("strace", ["-f", "-e", "trace=fsync,fdatasync", "-o", file, "-p", String(peer.child.pid)], {
    stdio: ["ignore", "ignore", "pipe"]
  })
  const attached = await new Promise<boolean>((resolve) => {
    tracer.once("error", () => resolve(false))
    tracer.once("exit", () => resolve(false))
    tracer.stderr.once("data", () => resolve(true))
  })
  if (!attached) return undefined
  const ended = new Promise((resolve) => tracer.once("exit", resolve))
  try {
    await work()
  } finally {
    tracer.kill("SIGINT")
  }
  await within("the end of strace", ended)
  return readFileSync(file, "utf8").split("\n").filter((line) => /f(data)?sync\(/.test(line)).length
}

interface Side {
  readonly sender: Peer
  readonly receiver: Peer
  readonly chats: ReadonlyArray<number>
}

interface Sending {
  readonly name: string
  readonly count: number
  readonly inFlight: number
  readonly chats: number
  readonly goal: number
  /** A second, and commits a message, of TDLib elsewhere. */
  readonly rate: number
  readonly syncs: number
}

const sendings: ReadonlyArray<Sending> = [
  { name: "one chat, one after the other", count: 500, inFlight: 1, chats: 1, goal: 4, rate: 215, syncs: 1.08 },
  { name: "one chat, 100 in flight", count: 2000, inFlight: 100, chats: 1, goal: 1.5, rate: 1724, syncs: 0.06 },
  { name: "one chat, 500 at once", count: 500, inFlight: 500, chats: 1, goal: 1.5, rate: 2131, syncs: 0.046 },
  { name: "100 chats at once", count: 2000, inFlight: 100, chats: 100, goal: 1.5, rate: 1724, syncs: 0.06 }
]

const send = async (side: Side, sending: Sending): Promise<Timing> => {
  const arrived = ask<Timing>(side.receiver, { _tag: "Receive", count: sending.count })
  const timing = await ask<Timing>(side.sender, {
    _tag: "Send",
    chats: side.chats.slice(0, sending.chats),
    count: sending.count,
    inFlight: sending.inFlight
  })
  await arrived
  return timing
}

/** The receiver stands still while messages gather at the server and in its socket; then it takes in all of them. */
const receive = async (side: Side, count: number): Promise<Timing> => {
  const { receiver, sender } = side
  receiver.child.kill("SIGSTOP")
  await ask(sender, { _tag: "Send", chats: side.chats.slice(0, 1), count, inFlight: 100 })
  const start = performance.now()
  receiver.child.kill("SIGCONT")
  const { cpu } = await ask<Timing>(receiver, { _tag: "Receive", count })
  return { wall: performance.now() - start, cpu }
}

/** Rounds before those that count: until the code that a message goes through is compiled. */
const warmUp = 4

const compare = async (ours: Side, theirs: Side | undefined): Promise<void> => {
  const peerName = theirs === undefined ? ELSEWHERE : TDLIB
  for (const sending of sendings.filter(({ name }) => name.includes(only))) {
    const times: Array<readonly [ours: number, theirs: number]> = []
    for (let i = 0; i < rounds + warmUp; i++) {
      const mine = (await send(ours, sending)).wall
      const other = theirs === undefined ? sending.count / sending.rate * 1e3 : (await send(theirs, sending)).wall
      if (i >= warmUp) times.push([mine, other])
    }
    add({
      name: `durable sends: ${sending.name}`,
      unit: "/s",
      ours: sending.count / median(times.map(([a]) => a)) * 1e3,
      peer: sending.count / median(times.map(([, b]) => b)) * 1e3,
      peerName,
      ratio: median(times.map(([a, b]) => b / a)),
      goal: sending.goal
    })
    const mine = await fsyncs(ours.sender, () => send(ours, sending))
    const other = theirs === undefined
      ? sending.syncs * sending.count
      : await fsyncs(theirs.sender, () => send(theirs, sending))
    if (mine !== undefined && other !== undefined) {
      add({
        name: `fsyncs a message sent: ${sending.name}`,
        unit: "fsync",
        ours: mine / sending.count,
        peer: other / sending.count,
        peerName,
        goal: 1
      })
    }
  }
  if (!"received".includes(only)) return
  const count = 1000
  const times: Array<readonly [ours: number, theirs: number]> = []
  for (let i = 0; i < rounds + warmUp; i++) {
    const mine = (await receive(ours, count)).wall
    const other = theirs === undefined ? count / 5790 * 1e3 : (await receive(theirs, count)).wall
    if (i >= warmUp) times.push([mine, other])
  }
  add({
    name: "received and committed",
    unit: "/s",
    ours: count / median(times.map(([a]) => a)) * 1e3,
    peer: count / median(times.map(([, b]) => b)) * 1e3,
    peerName,
    ratio: median(times.map(([a, b]) => b / a)),
    goal: 1
  })
  const mine = await fsyncs(ours.receiver, () => receive(ours, count))
  const other = theirs === undefined ? 0.02 * count : await fsyncs(theirs.receiver, () => receive(theirs, count))
  if (mine !== undefined && other !== undefined) {
    add({
      name: "fsyncs a message received",
      unit: "fsync",
      ours: mine / count,
      peer: other / count,
      peerName,
      goal: 1
    })
  }
}

/** Fills a store with copies of a chat that is ready and idle, up to a number of chats. */
const fill = (database: string, chats: number): void => {
  const db = new DatabaseSync(database)
  db.prepare(
    `WITH RECURSIVE n(i) AS (
       SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ? - (SELECT count(*) FROM secret_chats)
     )
     INSERT OR IGNORE INTO secret_chats (account, chat_id, version, phase, wake_at, head)
     SELECT account, -2000000000 + i + (SELECT count(*) FROM secret_chats), version, phase, ?, head
     FROM n, (SELECT * FROM secret_chats ORDER BY chat_id DESC LIMIT 1)`
  ).run(chats, Date.now() + 7 * 86_400_000)
  db.close()
}

const growth = async (ours: Side, setup: Setup): Promise<void> => {
  const chat = ours.chats[0]!
  const count = 2000
  let sender = ours.sender
  const figures: Array<
    {
      readonly chats: number
      readonly cpu: number
      readonly heap: number
      readonly begin: number
      readonly list: number
    }
  > = []
  for (const chats of [1, 1_000, 100_000]) {
    await end(sender)
    if (chats > 1) fill(setup.database, chats)
    const started = performance.now()
    sender = await begin("peer.ts", setup)
    const wall = performance.now() - started
    const memory = await ask<NodeJS.MemoryUsage>(sender, { _tag: "Memory" })
    const { wall: list } = await ask<Timing>(sender, { _tag: "List" })
    const cpu: Array<number> = []
    for (let i = 0; i < rounds + 2; i++) {
      const arrived = ask<Timing>(ours.receiver, { _tag: "Receive", count })
      const timing = await ask<Timing>(sender, { _tag: "Send", chats: [chat], count, inFlight: 100 })
      await arrived
      if (i > 1) cpu.push(timing.cpu / count)
    }
    figures.push({ chats, cpu: median(cpu), heap: memory.heapUsed + memory.external, begin: wall, list })
  }
  await end(sender)
  const [one, thousand, most] = figures as [typeof figures[0], typeof figures[0], typeof figures[0]]
  for (const figure of [thousand, most]) {
    add({
      name: `CPU per message sent, ${figure.chats.toLocaleString("en")} chats in the store`,
      unit: "µs",
      ours: figure.cpu * 1e3,
      peer: one.cpu * 1e3,
      peerName: "100 chats in the store alone",
      goal: 0.8
    })
  }
  add({
    name: "memory of an idle chat, 100,000 in the store",
    unit: "B",
    ours: Math.max(1, (most.heap - one.heap) / most.chats),
    peer: 4096,
    peerName: "a budget of 4 KiB",
    goal: 1
  })
  add({
    name: "start of a client, 100,000 chats in the store",
    unit: "ms",
    ours: most.begin,
    peer: one.begin,
    peerName: "100 chats in the store alone",
    goal: 0.8
  })
  add({
    name: "all of 100,000 chats, listed page by page",
    unit: "ms",
    ours: most.list,
    peer: 5_000,
    peerName: "a budget of 50 µs a chat",
    goal: 1
  })
}

// TDLib's addresses end in :443, and its first data centre is number 1.
const { address, process: server } = await startServer(
  mode === "tdlib" ? { accounts: 4, host: "0.0.0.0", port: 443, dcId: 1 } : { accounts: 2 }
)
try {
  const here: Address = mode === "tdlib" ? { ...address, host: "127.0.0.1" } : address
  const setup = (index: number, name: string): Setup => ({
    address: here,
    account: here.accounts[index]!,
    database: join(directory, name)
  })
  const pair = async (
    program: "peer.ts" | "tdlib.ts",
    first: number,
    name: string,
    chats: number
  ): Promise<Side> => {
    const receiver = await begin(program, setup(first + 1, `${name}-receiver`))
    const sender = await begin(program, setup(first, `${name}-sender`))
    const { phone } = here.accounts[first + 1]!
    return { sender, receiver, chats: await ask(sender, { _tag: "Open", phone, count: chats }) }
  }
  const ours = await pair("peer.ts", 0, "ours", 100)
  const theirs = mode === "tdlib" ? await pair("tdlib.ts", 2, "tdlib", 100) : undefined
  await compare(ours, theirs)
  if (theirs !== undefined) { for (const peer of [theirs.sender, theirs.receiver]) await end(peer) }
  if ("growth".includes(only)) await growth(ours, setup(0, "ours-sender"))
  await end(ours.receiver)
} finally {
  for (const peer of names.keys()) {
    // One that stands still does not hear anything else.
    peer.child.kill("SIGKILL")
    await peer.stop()
  }
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
}
process.exit(0)
