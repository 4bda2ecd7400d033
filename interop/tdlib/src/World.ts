/**
 * What every scenario stands in: a folder that goes away, the test server, and TDLib patched to trust it.
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import type { TestServerError } from "@effect-mtproto/test-server/TestServerError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as EventLog from "./EventLog.ts"
import * as Libtdjson from "./Libtdjson.ts"
import * as Namespace from "./Namespace.ts"
import type * as Peer from "./Peer.ts"
import * as Tdlib from "./Tdlib.ts"

/** An account of the test server. */
export interface Account {
  readonly id: bigint
  readonly phone: string
  readonly code: string
}

/** A part of a file that an account uploaded, and what came of it. */
export interface UploadedPart {
  readonly phone: string | undefined
  readonly fileId: bigint
  readonly part: number
  /** How many parts the file has, or -1; only big files say so. */
  readonly total: number | undefined
  readonly bytes: number
  readonly outcome: string
}

/** A message of a secret chat that an account handed to the server. */
export interface Frame {
  readonly phone: string | undefined
  readonly chatId: number
  /** Whether it went by the method for service messages: NotifyLayer, Resend, the steps of a key exchange, Noop... */
  readonly service: boolean
  /** Fingerprint of its key (hex). */
  readonly key: string
}

/** The server's side of the world, and a folder for everybody's files. */
export class World extends Context.Service<World, {
  readonly server: TestServer.TestServer["Service"]
  readonly directory: string
  /** Every part that an account uploaded, in the order in which the server was asked. */
  readonly uploads: (account: Account) => ReadonlyArray<UploadedPart>
  /** Every message of a secret chat that the server took; what was sent again is not there again. */
  readonly frames: EventLog.EventLog<Frame>
  /** Keys that an account has used in a chat, in the order of their first use. */
  readonly keys: (account: Account, chatId: number) => ReadonlyArray<string>
  /** A fresh account. */
  readonly account: (firstName: string) => Effect.Effect<Account, TestServerError>
  /** Options of a TDLib client for an account; the same name opens the same files again. */
  readonly tdlib: (name: string, account: Account) => Effect.Effect<Tdlib.ClientOptions>
  /** Options of one of us for an account; the same name is the same device again. */
  readonly ours: (name: string, account: Account) => Peer.Options
}>()("@effect-mtproto/interop-tdlib/World") {}

/** Either request that uploads a part. */
type Part =
  & Api.AnyRequest
  & Api.Params<typeof Api.upload.saveFilePart>
  & Partial<Api.Params<typeof Api.upload.saveBigFilePart>>

/** Either request that carries a message. */
type Sending = Api.AnyRequest & { readonly peer: Api.InputEncryptedChat; readonly data: Uint8Array }

const make = Effect.gen(function*() {
  yield* Namespace.assertIsolated
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "interop-tdlib-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  // TDLib's addresses end in :443 of 127.0.0.0/8, and its first data center is number 1
  const uploads: Array<UploadedPart> = []
  const known = new Set<string>()
  const frames = EventLog.make<Frame>("server", ({ service }) => service ? "service message" : "message")
  const server = yield* TestServer.make({
    host: "0.0.0.0",
    port: 443,
    dcId: 1,
    onCall: ({ outcome, phone, request }) =>
      Effect.sync(() => {
        if (request !== undefined && "data" in request && request._tag.startsWith("messages.sendEncrypted")) {
          if (outcome !== "ok") return
          const { data, peer } = request as Sending
          // key and message key
          const head = Buffer.from(data.subarray(0, 24)).toString("hex")
          if (known.has(head)) return
          known.add(head)
          frames.push({
            phone,
            chatId: peer.chatId,
            service: request._tag === "messages.sendEncryptedService",
            key: head.slice(0, 16)
          })
        }
        if (request?._tag !== "upload.saveFilePart" && request?._tag !== "upload.saveBigFilePart") return
        const { bytes, fileId, filePart, fileTotalParts } = request as Part
        uploads.push({ phone, fileId, part: filePart, total: fileTotalParts, bytes: bytes.length, outcome })
      })
  })
  let accounts = 0
  return World.of({
    server,
    directory,
    frames,
    keys: (account, chatId) => [
      ...new Set(
        frames.seen((frame) => frame.phone === account.phone && frame.chatId === chatId ? frame.key : undefined)
      )
    ],
    uploads: ({ phone }) => uploads.filter((part) => part.phone === phone),
    account: (firstName) =>
      Effect.gen(function*() {
        const phone = `99966${String(10000 + ++accounts)}`
        const { id } = yield* server.createAccount({ phone, firstName })
        return { id, phone, code: yield* server.loginCode(phone) }
      }),
    tdlib: (name, account) =>
      Effect.gen(function*() {
        const folder = join(directory, name)
        yield* Effect.promise(() => mkdir(folder, { recursive: true }))
        return { name, directory: folder, phone: account.phone, code: account.code }
      }),
    ours: (name, account) => ({
      name,
      phone: account.phone,
      code: account.code,
      database: join(directory, `${name}.db`),
      server: { host: "127.0.0.1", port: server.port, dc: server.dcId, key: server.publicKeyPem }
    })
  })
})

/** The server on port 443 of the namespace. */
export const layer = Layer.effect(World, make)

/** TDLib, patched to trust the server of the world. */
export const layerTdlib = Layer.unwrap(Effect.gen(function*() {
  const { directory, server } = yield* World
  return Tdlib.layer(yield* Libtdjson.install(directory, server.publicKeys[0]!))
}))
