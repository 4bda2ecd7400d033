/**
 * A client in a process of its own, ours or mtcute's, that moves one file of the cloud up and down. What comes down is
 * compared with what went up, outside of what is timed.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Files from "@effect-mtproto/transport/Files"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import * as Mtcute from "../lib/Mtcute.ts"
import type { Account, Address } from "../rpc/server.ts"

export interface Setup {
  readonly who: "ours" | "mtcute"
  readonly address: Address
  readonly account: Account
  readonly size: number
}

/** A download is one of the file that was uploaded last. */
export type Task = "upload" | "download"

/** Milliseconds; CPU of all threads of this process. */
export interface Timing {
  readonly wall: number
  readonly cpu: number
  readonly sha256: string
}

const API_ID = 12345
const API_HASH = "0123456789abcdef0123456789abcdef"

interface Client {
  /** Makes a document of what it has uploaded. */
  readonly upload: (bytes: Uint8Array) => Promise<() => Promise<unknown>>
  readonly download: () => Promise<ReadonlyArray<Uint8Array>>
}

const ours = async ({ account, address }: Setup): Promise<Client> => {
  const runtime = ManagedRuntime.make(
    MtprotoTransport.layer({
      apiId: API_ID,
      apiHash: Redacted.make(API_HASH),
      datacenters: [{ id: address.dcId, host: address.host, port: address.port }],
      publicKeys: [address.publicKeyPem]
    }).pipe(Layer.provide(SessionStore.layerMemory), Layer.provideMerge(NodeCrypto.layer))
  )
  await runtime.runPromise(Login.phone({
    phone: Redacted.make(account.phone),
    code: () => Effect.succeed(Redacted.make(account.code))
  }))
  const { invoke } = await runtime.runPromise(Transport)
  let document: Api.document | undefined
  return {
    upload: async (bytes) => {
      const file = await runtime.runPromise(Files.upload(bytes, { name: "bench.bin" }))
      return async () => {
        const media = await runtime.runPromise(invoke(Api.messages.uploadMedia({
          peer: { _tag: "inputPeerSelf" },
          media: {
            _tag: "inputMediaUploadedDocument",
            file,
            mimeType: "application/octet-stream",
            attributes: [{ _tag: "documentAttributeFilename", fileName: "bench.bin" }]
          }
        })))
        if (media._tag === "messageMediaDocument" && media.document?._tag === "document") document = media.document
      }
    },
    download: () => {
      const { accessHash, dcId: dc, fileReference, id, size } = document!
      const location = { _tag: "inputDocumentFileLocation", id, accessHash, fileReference, thumbSize: "" } as const
      return runtime.runPromise(Stream.runCollect(Files.download(location, { dc, size: Number(size) })))
    }
  }
}

const mtcute = async ({ account, address }: Setup): Promise<Client> => {
  const [library, { NodeCryptoProvider }, internals] = await Promise.all([
    import("@mtcute/node") as Promise<any>,
    import("@mtcute/node/utils.js") as Promise<any>,
    Mtcute.loadInternals()
  ])
  const provider = new NodeCryptoProvider()
  await provider.initialize()
  internals.addPublicKey(provider, address.publicKeyPem)
  const dc = { id: address.dcId, ipAddress: address.host, port: address.port }
  const client = new library.TelegramClient({
    apiId: API_ID,
    apiHash: API_HASH,
    storage: new library.MemoryStorage(),
    crypto: provider,
    defaultDcs: { main: dc, media: { ...dc, mediaOnly: true } },
    logLevel: 1,
    disableUpdates: true
  })
  await client.connect()
  const code = () => Promise.resolve(account.code)
  await client.start({ phone: `+${account.phone}`, code, codeSentCallback: () => {} })
  let document: any
  return {
    upload: async (file) => {
      const { inputFile } = await client.uploadFile({
        file,
        fileName: "bench.bin",
        fileMime: "application/octet-stream"
      })
      return async () => {
        const media = await client.call({
          _: "messages.uploadMedia",
          peer: { _: "inputPeerSelf" },
          media: {
            _: "inputMediaUploadedDocument",
            file: inputFile,
            mimeType: "application/octet-stream",
            attributes: [{ _: "documentAttributeFilename", fileName: "bench.bin" }]
          }
        })
        document = media.document
      }
    },
    download: async () => {
      const { accessHash, dcId, fileReference, id, size } = document
      const location = { _: "inputDocumentFileLocation", id, accessHash, fileReference, thumbSize: "" }
      const chunks: Array<Uint8Array> = []
      const parameters = { dcId, fileSize: Number(size) }
      for await (const chunk of client.downloadAsIterable(location, parameters)) chunks.push(chunk)
      return chunks
    }
  }
}

const hash = (chunks: ReadonlyArray<Uint8Array>): string => {
  const state = createHash("sha256")
  for (const chunk of chunks) state.update(chunk)
  return state.digest("hex")
}

const timed = async <A>(run: () => Promise<A>): Promise<[A, Omit<Timing, "sha256">]> => {
  const before = process.cpuUsage()
  const start = performance.now()
  const result = await run()
  const wall = performance.now() - start
  const { system, user } = process.cpuUsage(before)
  return [result, { wall, cpu: (system + user) / 1e3 }]
}

const setup = JSON.parse(process.argv[2]!) as Setup
const client = await (setup.who === "ours" ? ours : mtcute)(setup)
// Alike in every run, and nothing that compresses.
const content = new Uint8Array(setup.size)
for (let i = 0, x = 1; i < content.length; i++) {
  x = Math.imul(x, 1_103_515_245) + 12_345
  content[i] = x >>> 16
}

const obey = async (task: Task): Promise<Timing> => {
  if (task === "upload") {
    const [finish, cost] = await timed(() => client.upload(content))
    await finish()
    return { ...cost, sha256: hash([content]) }
  }
  const [chunks, cost] = await timed(() => client.download())
  return { ...cost, sha256: hash(chunks) }
}

process.on("message", (task: Task) => {
  obey(task).then((timing) => process.send!(timing), (error) => {
    process.stderr.write(`${setup.who}: ${String(error)}\n`)
    process.exit(1)
  })
})
process.on("disconnect", () => process.exit(0))
process.send!("ready")
