/** Moves a file up or down, and kills itself on the way if it is told to. Says what came of it in one line of JSON. */
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as NodeVault from "@effect-mtproto/crypto/NodeVault"
import { Vault } from "@effect-mtproto/crypto/Vault"
import { saveEncryptedFileStream } from "@effect-mtproto/secret-chats/downloadEncryptedFile"
import * as EncryptedFile from "@effect-mtproto/secret-chats/EncryptedFile"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as FileTransfers from "@effect-mtproto/secret-chats/FileTransfers"
import { uploadEncryptedFileStream } from "@effect-mtproto/secret-chats/uploadEncryptedFile"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"

export interface Argument {
  readonly datacenter: { readonly id: number; readonly host: string; readonly port: number }
  readonly publicKey: string
  readonly phone: string
  readonly code: string
  /** The folder of the states. */
  readonly states: string
  /** After so many bytes; never if it is missing. */
  readonly killAt?: number
  readonly task:
    | { readonly _tag: "Upload"; readonly path: string }
    | { readonly _tag: "Download"; readonly target: string; readonly file: StoredFile }
}

/** A file of the server; binary as base64, long numbers as decimals. */
export interface StoredFile {
  readonly size: number
  readonly key: string
  readonly iv: string
  readonly id: string
  readonly accessHash: string
  readonly stored: string
  readonly dcId: number
  readonly keyFingerprint: number
}

/** Where it began, and the key of an upload. */
export interface Done {
  readonly first: number
  readonly file?: StoredFile | undefined
}

const { code, datacenter, killAt = Infinity, phone, publicKey, states, task } = JSON.parse(process.argv[2]!) as Argument

/** A vault whose wrapped key is in a file. */
const entry = `${states}.vault`
const vault = Layer.effect(
  Vault,
  NodeVault.make({
    secret: { key: Redacted.make(new Uint8Array(32).fill(7)) },
    storage: {
      read: Effect.sync(() => Fs.existsSync(entry) ? Fs.readFileSync(entry, "utf8") : undefined),
      insert: (text) => Effect.sync(() => Fs.writeFileSync(entry, text, { flag: "wx" })),
      replace: () => Effect.succeed(false)
    }
  })
)

const transfers = FileTransfers.layerSealed.pipe(
  Layer.provide(KeyValueStore.layerFileSystem(states)),
  Layer.provide(vault)
)

const layer = MtprotoTransport.layer({
  apiId: 12345,
  apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
  datacenters: [datacenter],
  publicKeys: [publicKey]
}).pipe(
  Layer.provide(SessionStore.layerMemory),
  Layer.provideMerge(transfers),
  Layer.provideMerge(Layer.mergeAll(NodeCrypto.layer, NodeServices.layer))
)

let first = Infinity
const watch = (transferred: number): void => {
  first = Math.min(first, transferred)
  if (transferred >= killAt) process.kill(process.pid, "SIGKILL")
}

const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"))

const upload = (path: string) =>
  Effect.gen(function*() {
    const source = yield* FileSource.fromPath(path)
    yield* Stream.runForEach(uploadEncryptedFileStream(source), (event) =>
      Effect.sync(() => {
        if (event._tag === "Progress") return watch(event.transferred)
        const { input } = event.file.place as Extract<
          EncryptedFile.EncryptedFile["place"],
          { readonly _tag: "Uploaded" }
        >
        const { iv, key } = Redacted.value(event.file.key)
        const base64 = (array: Uint8Array) => Buffer.from(array).toString("base64")
        const file: StoredFile = {
          size: event.file.size!,
          key: base64(key),
          iv: base64(iv),
          id: String(input.id),
          accessHash: String(input.parts),
          stored: "0",
          dcId: 0,
          keyFingerprint: input.keyFingerprint
        }
        process.stdout.write(JSON.stringify({ first, file } satisfies Done))
      }))
  })

const download = (file: StoredFile, target: string) =>
  Effect.gen(function*() {
    const encrypted = EncryptedFile.make({
      size: file.size,
      key: Redacted.make({ key: bytes(file.key), iv: bytes(file.iv) }),
      place: {
        _tag: "Stored",
        reference: {
          id: BigInt(file.id),
          accessHash: BigInt(file.accessHash),
          size: BigInt(file.stored),
          dcId: file.dcId,
          keyFingerprint: file.keyFingerprint
        }
      }
    })
    yield* Stream.runForEach(
      saveEncryptedFileStream(encrypted, target),
      ({ transferred }) => Effect.sync(() => watch(transferred))
    )
    process.stdout.write(JSON.stringify({ first } satisfies Done))
  })

const logIn = Login.phone({ phone: Redacted.make(phone), code: () => Effect.succeed(Redacted.make(code)) })

await Effect.runPromise(
  Effect.andThen(logIn, task._tag === "Upload" ? upload(task.path) : download(task.file, task.target)).pipe(
    Effect.provide(layer)
  )
)
process.exit(0)
