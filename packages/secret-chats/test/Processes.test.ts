import * as Api from "@effect-mtproto/core/Api"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { layerSealedSql, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Login from "@effect-mtproto/transport/Login"
import * as SqlVault from "@effect-mtproto/transport/SqlVault"
import { Transport } from "@effect-mtproto/transport/Transport"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { layer } from "./kill/client.ts"
import { eventually } from "./support/Peers.ts"
import * as Processes from "./support/processes.ts"

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "secret-chats-processes-"))),
  (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
)

describe("two processes on one store", () => {
  it.live("that race for every version of a chat: one wins each, the other is told", () =>
    Effect.gen(function*() {
      const filename = Path.join(yield* temporaryFolder, "store.db")
      const until = 120
      const [one, two] = yield* Processes.race({ filename }, 1, until)
      const won = [...one!.won, ...two!.won].toSorted((a, b) => a - b)
      assert.deepStrictEqual(won, Array.from({ length: until }, (_, i) => i + 1))
      assert.isAbove(one!.won.length, 0)
      assert.isAbove(two!.won.length, 0)
      yield* Effect.gen(function*() {
        const store = yield* SecretChatStore
        const { pending, version } = Option.getOrThrow(yield* store.load(1))
        assert.strictEqual(version, until)
        const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
        assert.deepStrictEqual(
          pending.map((row) => text(row.data)),
          won.map((n) => one!.won.includes(n) ? "one" : "two")
        )
        const events = yield* store.events({ after: 0n, limit: 1000 })
        assert.deepStrictEqual(events.map((row) => text(row.data)), pending.map((row) => text(row.data)))
      }).pipe(Effect.provide(
        layerSealedSql().pipe(
          Layer.provide(SqlVault.layer({ key: Redacted.make(new Uint8Array(32)) })),
          Layer.provide(SqliteClient.layer({ filename }))
        )
      ))
    }), { timeout: 60_000 })

  it.live(
    "that send into one chat at the same time do not harm it: everything arrives, once, in order",
    () =>
      Effect.gen(function*() {
        const folder = yield* temporaryFolder
        const server = yield* TestServer.make()
        yield* server.createAccount({ phone: "+15550001", firstName: "Ann" })
        yield* server.createAccount({ phone: "+15550002", firstName: "Bob" })
        const address = { host: server.host, port: server.port, dcId: server.dcId, publicKeyPem: server.publicKeyPem }
        const logIn = (phone: string) =>
          Login.phone({ phone: Redacted.make(phone), code: () => Effect.map(server.loginCode(phone), Redacted.make) })

        const bob = yield* Layer.build(layer(address, Path.join(folder, "bob.db"), { accept: "allow" }))
        yield* Effect.provideContext(logIn("+15550002"), bob)
        const bobs = Context.get(bob, SecretChats.SecretChats)
        const received: Array<string> = []
        yield* Effect.forkScoped(bobs.runEvents(({ event }) =>
          Effect.sync(() => {
            if (event._tag === "NewMessage") received.push(event.message.message)
          })
        ))

        const filename = Path.join(folder, "ann.db")
        const chatId = yield* Effect.gen(function*() {
          yield* logIn("+15550001")
          const chats = yield* SecretChats.SecretChats
          const transport = yield* Transport
          const found = yield* transport.invoke(Api.contacts.resolvePhone({ phone: "15550002" }))
          const chat = yield* chats.request(found.users.find((other) => other._tag === "user")!)
          yield* chats.awaitReady(chat.chatId)
          return chat.chatId
        }).pipe(Effect.provide(layer(address, filename)))

        const sender = new URL("./processes/sender.ts", import.meta.url)
        const names = ["one", "two"]
        // A store of sessions serves one program at a time; what two share here is the store of chats.
        const senders = yield* Effect.forEach(names, (name) => {
          const sessions = Path.join(folder, `${name}.db`)
          Fs.copyFileSync(filename, sessions)
          return Processes.run(sender, { address, filename, sessions, chatId, name })
        })
        for (const one of senders) {
          yield* one.says("ready\n")
        }
        for (const one of senders) one.tell()
        for (const one of senders) yield* one.says("done\n")
        yield* eventually(() => received.length >= 20, `20 messages, not ${received.length}`)
        // The chat is as good as before: Bob's answer reaches whoever takes it in, and acknowledges everything.
        yield* bobs.sendText(chatId, "got all that")
        for (const one of senders) one.tell()
        yield* eventually(() => senders.every((one) => one.code() === 0), "the end of the programs")
        for (const name of names) {
          const mine = received.filter((text) => text.startsWith(name))
          assert.deepStrictEqual(mine, Array.from({ length: 10 }, (_, i) => `${name} ${i}`))
        }
        assert.strictEqual(received.length, 20)
        assert.strictEqual((yield* bobs.get(chatId)).state, "ready")
        yield* Effect.gen(function*() {
          const chats = yield* SecretChats.SecretChats
          assert.strictEqual((yield* chats.get(chatId)).state, "ready")
          const sent = (yield* chats.messages(chatId)).filter((message) => message.outgoing)
          assert.strictEqual(sent.length, 20)
          yield* chats.sendText(chatId, "and one more")
        }).pipe(Effect.provide(layer(address, filename)))
        yield* eventually(() => received.at(-1) === "and one more", "the last message")
      }),
    { timeout: 60_000 }
  )
})
