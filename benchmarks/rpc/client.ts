/** One client in a process of its own: it calls when it is told to, and says what the calls cost. */
import * as Clients from "./clients.ts"
import type { Account, Address } from "./server.ts"

/** So many calls of a method, so many of them at a time. */
export interface Task {
  readonly method: "getConfig" | "sendEncryptedService"
  readonly calls: number
  readonly inFlight: number
}

/** Milliseconds for each call. */
export interface Cost {
  readonly wall: number
  /** Of all threads of this process. */
  readonly cpu: number
}

const { account, address, who } = JSON.parse(process.argv[2]!) as {
  readonly who: "ours" | "mtcute"
  readonly address: Address
  readonly account: Account
}

const cpu = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e3
}

const client = await (who === "ours" ? Clients.ours : Clients.mtcute)(address)
await client.logIn(account)
process.on("message", async ({ calls, inFlight, method }: Task) => {
  const before = cpu()
  const start = performance.now()
  await client[method](calls, inFlight)
  const cost: Cost = { wall: (performance.now() - start) / calls, cpu: (cpu() - before) / calls }
  process.send!(cost)
})
process.on("disconnect", () => process.exit(0))
process.send!("ready")
