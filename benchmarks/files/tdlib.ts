/**
 * The same as `secret.ts` with the real TDLib, of `interop/tdlib`: it downloads. It is loaded only in a network that is
 * loopback only.
 */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import * as Effect from "effect/Effect"
import { mkdirSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Downloaded, Setup } from "./encrypted.ts"

const folder = join(import.meta.dirname, "../../interop/tdlib")
const load = (name: string): Promise<any> => import(pathToFileURL(join(folder, "src", name)).href)
const tdl = createRequire(join(folder, "package.json"))("tdl")

const { account, address, directory } = JSON.parse(process.argv[2]!) as Setup
const [Namespace, Libtdjson] = await Promise.all([load("Namespace.ts"), load("Libtdjson.ts")])
mkdirSync(directory, { recursive: true })

const key = await Effect.runPromise(Effect.provide(
  Effect.flatMap(Crypto, (crypto) => Effect.fromResult(RsaPublicKey.fromPem(crypto, address.publicKeyPem))),
  NodeCrypto.layer
))
await Effect.runPromise(Namespace.assertIsolated)
const tdjson = await Effect.runPromise(Libtdjson.install(directory, key) as Effect.Effect<string>)
tdl.configure({ tdjson, verbosityLevel: 0 })
const client = tdl.createClient({
  apiId: 12345,
  apiHash: "0123456789abcdef0123456789abcdef",
  databaseDirectory: join(directory, "database"),
  filesDirectory: join(directory, "files"),
  tdlibParameters: {
    use_message_database: true,
    use_secret_chats: true,
    use_chat_info_database: true,
    use_file_database: true,
    system_language_code: "en",
    application_version: "1.0",
    device_model: "benchmark",
    system_version: "test"
  }
})

let arrive: (file: number) => void
const arrived = new Promise<number>((resolve) => {
  arrive = resolve
})
client.on("error", () => undefined)
client.on("update", (update: any) => {
  if (update._ !== "updateNewMessage" || update.message.content._ !== "messageDocument") return
  arrive(update.message.content.document.document.id)
})

await client.login({
  type: "user",
  getPhoneNumber: () => Promise.resolve(account.phone),
  getAuthCode: () => Promise.resolve(account.code)
})
await client.invoke({ _: "setOption", name: "online", value: { _: "optionValueBoolean", value: true } })

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
