/** One of us in a process of its own, who sends a file over a secret chat or downloads the one that came. */
import * as Api from "@effect-mtproto/core/Api"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { saveEncryptedFile } from "@effect-mtproto/secret-chats/downloadEncryptedFile"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { layerMemory } from "@effect-mtproto/secret-chats/SecretChatStore"
import { sendEncryptedFile } from "@effect-mtproto/secret-chats/sendEncryptedFile"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type { Command, Downloaded, Setup } from "./encrypted.ts"

const { account, address, directory } = JSON.parse(process.argv[2]!) as Setup
mkdirSync(directory, { recursive: true })

const runtime = ManagedRuntime.make(
  SecretChats.layer({ accept: "allow" }).pipe(
    Layer.provideMerge(layerMemory),
    Layer.provideMerge(MtprotoTransport.layer({
      apiId: 12345,
      apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
      datacenters: [{ id: address.dcId, host: address.host, port: address.port }],
      publicKeys: [address.publicKeyPem]
    })),
    Layer.provide(SessionStore.layerMemory),
    Layer.provideMerge(Layer.mergeAll(NodeCrypto.layer, NodeFileSystem.layer, NodePath.layer))
  )
)

type Message = Extract<SecretChats.SecretChatEvent["event"], { readonly _tag: "NewMessage" }>
const arrived = Deferred.makeUnsafe<Message>()

const send = (phone: string, path: string) =>
  Effect.gen(function*() {
    const chats = yield* SecretChats.SecretChats
    const transport = yield* Transport
    const found = yield* transport.invoke(Api.contacts.resolvePhone({ phone }))
    const { chatId } = yield* chats.request(found.users[0] as Api.user)
    yield* chats.awaitReady(chatId)
    const media = Media.document({ fileName: "bench.bin", mimeType: "application/octet-stream" })
    yield* sendEncryptedFile(chatId, media, yield* FileSource.fromPath(path), { resume: false })
  })

let count = 0
const download = Effect.gen(function*() {
  const message = yield* Deferred.await(arrived)
  const path = join(directory, `received-${count++}`)
  const before = process.cpuUsage()
  const start = performance.now()
  yield* saveEncryptedFile(message, path)
  const wall = performance.now() - start
  const { system, user } = process.cpuUsage(before)
  const done: Downloaded = { wall, cpu: (system + user) / 1e3, path }
  return done
})

await runtime.runPromise(Login.phone({
  phone: Redacted.make(account.phone),
  code: () => Effect.succeed(Redacted.make(account.code))
}))
runtime.runFork(
  Effect.flatMap(
    SecretChats.SecretChats,
    (chats) =>
      chats.runEvents(({ event }) =>
        event._tag === "NewMessage" ? Effect.asVoid(Deferred.succeed(arrived, event)) : Effect.void
      )
  )
)

process.on("message", (command: Command) => {
  runtime.runPromise(command._tag === "Send" ? send(command.phone, command.path) : download).then(
    (answer) => process.send!(answer ?? "done"),
    (error) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(1)
    }
  )
})
process.on("disconnect", () => process.exit(0))
process.send!("ready")
