/**
 * What HTTP costs on top of the service: `messages.sendEncryptedService` through the gateway against the same program called
 * directly in the same process, over the same session, store and server. The caller, the server and the other side are
 * processes of their own, so the CPU is that of the gateway alone.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { Agent, request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Bench, median } from "../lib/Bench.ts"
import { start, startServer } from "../rpc/processes.ts"
import type { Command as PeerCommand, Setup as PeerSetup } from "../secret-chats/peer.ts"
import type { Command, Look, Setup } from "./host.ts"

const noop = JSON.stringify({ _: "decryptedMessageService", action: { _: "decryptedMessageActionNoop" } })

/** A message is remembered until the other side has said something: so often it does. */
const ROUND = 250

/** So many requests leave the gateway no larger than a quarter of them. */
const MANY = 100_000
/** How much of it may be noise, in bytes. */
const NOISE = 4 * 1024 * 1024

export const run = async (bench: Bench): Promise<void> => {
  const isQuick = bench.rounds < 20
  const directory = mkdtempSync(join(tmpdir(), "bench-gateway-"))
  const { address, process: server } = await startServer({ accounts: 2 })
  const [ann, bob] = address.accounts as unknown as readonly [typeof address.accounts[0], typeof address.accounts[0]]
  const host = start(
    join(import.meta.dirname, "host.ts"),
    { address, database: join(directory, "gateway.db") } satisfies Setup,
    ["--expose-gc"]
  )
  const other = start(
    join(import.meta.dirname, "../secret-chats/peer.ts"),
    { address, account: bob!, database: join(directory, "bob.db") } satisfies PeerSetup
  )
  try {
    const base = await host.next<string>()
    await other.next<string>()
    const agent = new Agent({ keepAlive: true, maxSockets: 200 })
    const { hostname, port } = new URL(base)

    const post = (path: string, type: string, body: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const sent = request(
          {
            agent,
            hostname,
            port,
            path,
            method: "POST",
            headers: { "content-type": type, "content-length": Buffer.byteLength(body) }
          },
          (response) => {
            let text = ""
            response.setEncoding("utf8")
            response.on("data", (chunk: string) => {
              text += chunk
            })
            response.on("end", () =>
              response.statusCode === 200 ? resolve(text) : reject(new Error(`${response.statusCode} ${text}`)))
          }
        )
        sent.on("error", reject)
        sent.end(body)
      })
    const form = async (path: string, params: Record<string, string>): Promise<any> =>
      JSON.parse(await post(path, "application/x-www-form-urlencoded", new URLSearchParams(params).toString())).result

    const temporary: string = await form("/phonelogin", { phone: `+${ann!.phone}` })
    const session = `/user${await form(`/user${temporary}/completephonelogin`, { code: ann!.code })}`
    await form(`${session}/setPolicy`, { accept: "allow" })
    await form(`${session}/getUpdates`, {})
    const [chat] = await other.ask<ReadonlyArray<number>>(
      { _tag: "Open", phone: ann!.phone, count: 1 } satisfies PeerCommand
    )

    const body = `{"peer":${chat!},"message":${noop}}`
    const path = `${session}/messages.sendEncryptedService`
    const send = () => post(path, "application/json", body)
    const acknowledge = () => other.ask({ _tag: "Send", chats: [chat!], count: 1, inFlight: 1 } satisfies PeerCommand)
    const look = (collect = false) => host.ask<Look>({ _tag: "Look", collect } satisfies Command)

    const parallel = async (count: number, inFlight: number, call: () => Promise<unknown>, times?: Array<number>) => {
      let begun = 0
      const lane = async () => {
        while (begun < count) {
          begun++
          const at = performance.now()
          await call()
          times?.push(performance.now() - at)
        }
      }
      await Promise.all(Array.from({ length: inFlight }, lane))
    }

    // ----- requests a second, and the CPU of one

    const IN_FLIGHT = 64
    const through = async (count: number) => {
      const before = await look()
      const at = performance.now()
      await parallel(count, IN_FLIGHT, send)
      const wall = performance.now() - at
      return { wall, cpu: (await look()).cpu - before.cpu }
    }
    const directly = async (count: number) => {
      const before = await look()
      const wall = await host.ask<number>({ _tag: "Direct", chat: chat!, count, inFlight: IN_FLIGHT } satisfies Command)
      return { wall, cpu: (await look()).cpu - before.cpu }
    }
    for (let i = 0; i < (isQuick ? 4 : 8); i++) {
      await through(ROUND)
      await directly(ROUND)
      await acknowledge()
    }
    const rounds = isQuick ? 4 : 20
    const ratios: Array<number> = []
    const rates: { readonly ours: Array<number>; readonly theirs: Array<number> } = { ours: [], theirs: [] }
    const overheads: Array<number> = []
    for (let i = 0; i < rounds; i++) {
      const first = i % 2 === 0 ? await through(ROUND) : undefined
      const theirs = await directly(ROUND)
      const ours = first ?? await through(ROUND)
      await acknowledge()
      rates.ours.push(ROUND / ours.wall * 1e3)
      rates.theirs.push(ROUND / theirs.wall * 1e3)
      ratios.push(theirs.wall / ours.wall)
      overheads.push((ours.cpu - theirs.cpu) / ROUND * 1e3)
    }
    bench.add({
      name: "messages.sendEncryptedService over HTTP, 64 connections",
      unit: "/s",
      ours: median(rates.ours),
      peer: median(rates.theirs),
      peerName: "the service called directly",
      ratio: median(ratios),
      goal: null
    })
    bench.add({
      name: "messages.sendEncryptedService over HTTP: CPU beyond that of the service",
      unit: "µs",
      ours: Math.max(1, median(overheads)),
      peer: 250,
      peerName: "a budget",
      goal: 1
    })

    // ----- how late the latest are

    const times: Array<number> = []
    await parallel(400, 200, send)
    await acknowledge()
    for (let i = 0; i < (isQuick ? 2 : 10); i++) {
      await parallel(1_000, 200, send, times)
      await acknowledge()
    }
    const sorted = times.toSorted((a, b) => a - b)
    bench.add({
      name: "messages.sendEncryptedService over HTTP: the 99th percentile of 200 connections",
      unit: "ms",
      ours: sorted[Math.floor(sorted.length * 0.99)]!,
      peer: 10 * median(times),
      peerName: "ten times the median",
      goal: 1
    })

    // ----- what stays in memory

    // every tenth request sends; the others ask for what is stored
    let asked = 0
    const mixed = () => ++asked % 10 === 0 ? send() : form(`${session}/getSecretChat`, { peer: String(chat!) })
    const count = isQuick ? MANY / 20 : MANY
    let early = 0
    for (let done = 0; done < count; done += 10 * ROUND) {
      await parallel(10 * ROUND, 64, mixed)
      await acknowledge()
      if (early === 0 && done + 10 * ROUND >= count / 4) early = (await look(true)).heap
    }
    const { heap } = await look(true)
    bench.add({
      name: `memory that ${count.toLocaleString("en")} requests leave behind, from a quarter of them on`,
      unit: "B",
      ours: Math.max(1, heap - early),
      peer: NOISE,
      peerName: "a budget",
      goal: 1
    })
    agent.destroy()
  } finally {
    await host.stop()
    await other.stop()
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}
