/**
 * The same as `secret.ts` with the real TDLib, of `interop/tdlib`: it downloads. It is loaded only in a network that is
 * loopback only.
 */
import * as Tdlib from "../lib/Tdlib.ts"
import type { Downloaded, Setup } from "./encrypted.ts"

const { account, address, directory } = JSON.parse(process.argv[2]!) as Setup
const client = await Tdlib.create(address, directory)

let arrive: (file: number) => void
const arrived = new Promise<number>((resolve) => {
  arrive = resolve
})
client.on("update", (update: any) => {
  if (update._ !== "updateNewMessage" || update.message.content._ !== "messageDocument") return
  arrive(update.message.content.document.document.id)
})

await Tdlib.login(client, account)

const download = async (): Promise<Downloaded> => {
  const id = await arrived
  await client.invoke({ _: "deleteFile", file_id: id })
  const before = process.cpuUsage()
  const start = performance.now()
  const file = await client.invoke({
    _: "downloadFile",
    file_id: id,
    priority: 32,
    offset: 0,
    limit: 0,
    synchronous: true
  })
  const wall = performance.now() - start
  const { system, user } = process.cpuUsage(before)
  return { wall, cpu: (system + user) / 1e3, path: file.local.path }
}

process.on("message", () => {
  download().then((answer) => process.send!(answer), (error) => {
    process.stderr.write(`${String(error)}\n`)
    process.exit(1)
  })
})
process.on("disconnect", () => {
  void client.close().then(() => process.exit(0))
})
process.send!("ready")
