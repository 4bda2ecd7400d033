/** Files of secret chats, in a network of their own: prints one row as JSON a line. */
import { createHash } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { median } from "../lib/Bench.ts"
import type { Figure } from "../lib/Isolated.ts"
import { type Peer, start } from "../rpc/processes.ts"
import type { Address } from "../rpc/server.ts"
import type { Settings } from "./server.ts"

/** How a process is started. */
export interface Setup {
  readonly address: Address
  readonly account: Address["accounts"][number]
  readonly directory: string
}

/** What it can be told. */
export type Command =
  /** Asks for a chat and sends a file there. */
  | { readonly _tag: "Send"; readonly phone: string; readonly path: string }
  /** Waits for the file, once, and downloads it, again and again. */
  | { readonly _tag: "Download" }

/** A download, and what it has come to. */
export interface Downloaded {
  /** Milliseconds; CPU of all threads. */
  readonly wall: number
  readonly cpu: number
  readonly path: string
}

const SIZE = 20 * 1024 * 1024
const rounds = Math.max(3, Math.min(7, Math.round(Number(process.argv[2]) / 6)))

const add = (figure: Figure): void => void process.stdout.write(`${JSON.stringify(figure)}\n`)

const directory = mkdtempSync(join(tmpdir(), "bench-files-"))
const content = new Uint8Array(SIZE)
for (let at = 0; at < SIZE; at += 65_536) crypto.getRandomValues(content.subarray(at, at + 65_536))
const source = join(directory, "source.bin")
writeFileSync(source, content)
const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")
const expected = hash(content)

// TDLib's addresses end in :443, and its first data centre is number 1.
const settings: Settings = { accounts: 3, host: "0.0.0.0", port: 443, dcId: 1 }
const server = start(join(import.meta.dirname, "server.ts"), settings)
try {
  const address = await server.next<Address>()
  const begin = async (program: "secret.ts" | "tdlib.ts", index: number): Promise<Peer> => {
    const account = address.accounts[index]!
    const setup: Setup = { address, account, directory: join(directory, String(index)) }
    const peer = start(join(import.meta.dirname, program), setup)
    await peer.next()
    return peer
  }
  const ours = await begin("secret.ts", 0)
  const tdlib = await begin("tdlib.ts", 1)
  const sender = await begin("secret.ts", 2)
  for (const index of [0, 1]) {
    await sender.ask({ _tag: "Send", phone: address.accounts[index]!.phone, path: source } satisfies Command)
  }
  const times: Array<readonly [ours: Downloaded, tdlib: Downloaded]> = []
  const download = async (peer: Peer): Promise<Downloaded> => {
    const done = await peer.ask<Downloaded>({ _tag: "Download" } satisfies Command)
    if (hash(readFileSync(done.path)) !== expected) throw new Error("what was received is not what was sent")
    rmSync(done.path)
    return done
  }
  for (let i = 0; i < rounds + 1; i++) {
    const mine = await download(ours)
    const other = await download(tdlib)
    if (i > 0) times.push([mine, other])
  }
  const row = { name: "file of a secret chat, 20 MiB, download to the disk", peerName: "TDLib 1.8.65" }
  add({
    ...row,
    unit: "MB/s",
    ours: SIZE / 1e3 / median(times.map(([a]) => a.wall)),
    peer: SIZE / 1e3 / median(times.map(([, b]) => b.wall)),
    ratio: median(times.map(([a, b]) => b.wall / a.wall)),
    goal: 2
  })
  add({
    ...row,
    name: `${row.name}: CPU`,
    unit: "ms",
    ours: median(times.map(([a]) => a.cpu)),
    peer: median(times.map(([, b]) => b.cpu)),
    ratio: median(times.map(([a, b]) => b.cpu / a.cpu)),
    goal: null
  })
  for (const peer of [sender, ours, tdlib]) await peer.stop()
} finally {
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
}
process.exit(0)
