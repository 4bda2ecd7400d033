/**
 * The processes of `large.ts`. Plain JavaScript: where Node strips types it keeps the compiler in memory, some 16 MiB.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { saveEncryptedFile } from "@effect-mtproto/secret-chats/downloadEncryptedFile"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretChatStore from "@effect-mtproto/secret-chats/SecretChatStore"
import { sendEncryptedFile } from "@effect-mtproto/secret-chats/sendEncryptedFile"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Fs from "node:fs"

const phones = { sender: "+15550001", receiver: "+15550002" }
const role = process.argv[2]
const size = Number(process.env["SIZE"] ?? 0)

const tell = (value) => Effect.sync(() => void process.send(value))

// ----- the server

const serve = Effect.gen(function*() {
  const TestServer = yield* Effect.promise(() => import("@effect-mtproto/test-server/TestServer"))
  // Parts and the file made of them.
  const server = yield* TestServer.make({ limits: { fileBytes: 3 * size + 2 ** 30, calls: 10, callBytes: 2 ** 20 } })
  const codes = {}
  for (const [name, phone] of Object.entries(phones)) {
    yield* server.createAccount({ phone, firstName: name })
    codes[phone] = yield* server.loginCode(phone)
  }
  const { dcId, host, port, publicKeyPem } = server
  yield* tell({ address: JSON.stringify({ dcId, host, port, publicKeyPem, codes }) })
  return yield* Effect.never
})

// ----- the people

const layer = ({ dcId, host, port, publicKeyPem }) =>
  SecretChats.layer({ accept: "allow" }).pipe(
    Layer.provideMerge(SecretChatStore.layerSql()),
    Layer.provideMerge(MtprotoTransport.layer({
      apiId: 12345,
      apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
      datacenters: [{ id: dcId, host, port }],
      publicKeys: [publicKeyPem]
    })),
    Layer.provide(SessionStore.layerUnsealedSql()),
    Layer.provideMerge(Layer.mergeAll(NodeCrypto.layer, NodeServices.layer)),
    Layer.provide(SqliteClient.layer({ filename: process.env["DATABASE"] }))
  )

const logIn = (phone, { codes }) =>
  Login.phone({ phone: Redacted.make(phone), code: () => Effect.succeed(Redacted.make(codes[phone])) })

/** The highest resident set of this process, in bytes: what was there before the program was loaded does not count. */
const peak = () => {
  const status = Fs.existsSync("/proc/self/status") ? Fs.readFileSync("/proc/self/status", "utf8") : ""
  const found = /VmHWM:\s+(\d+)/.exec(status)
  return found === null ? process.resourceUsage().maxRSS * 1024 : Number(found[1]) * 1024
}

const measured = (effect) =>
  Effect.gen(function*() {
    const baseRss = process.memoryUsage.rss()
    const before = process.cpuUsage()
    const started = performance.now()
    yield* effect
    const seconds = (performance.now() - started) / 1000
    const { system, user } = process.cpuUsage(before)
    yield* tell({ seconds, cpuSeconds: (system + user) / 1e6, maxRss: peak(), baseRss })
  })

const sender = (address) =>
  Effect.gen(function*() {
    yield* logIn(phones.sender, address)
    const chats = yield* SecretChats.SecretChats
    const transport = yield* Transport
    const found = yield* transport.invoke(Api.contacts.resolvePhone({ phone: phones.receiver.slice(1) }))
    const { chatId } = yield* chats.request(found.users.find((user) => user._tag === "user"))
    yield* chats.awaitReady(chatId)
    yield* measured(
      Effect.flatMap(
        FileSource.fromPath(process.env["SOURCE"]),
        (source) => sendEncryptedFile(chatId, Media.document(), source)
      )
    )
    return yield* Effect.never
  })

const receiver = (address) =>
  Effect.gen(function*() {
    yield* logIn(phones.receiver, address)
    const chats = yield* SecretChats.SecretChats
    yield* tell({})
    return yield* chats.runEvents(({ event }) =>
      event._tag === "NewMessage" ? measured(saveEncryptedFile(event, process.env["TARGET"])) : Effect.void
    )
  })

process.on("SIGTERM", () => process.exit(0))
process.on("disconnect", () => process.exit(0))
if (role === "server") await Effect.runPromise(Effect.scoped(serve))
else {
  const address = JSON.parse(process.env["ADDRESS"])
  const program = role === "sender" ? sender(address) : receiver(address)
  await Effect.runPromise(Effect.provide(program, layer(address)))
}
