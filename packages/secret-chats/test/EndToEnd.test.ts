import * as Api from "@effect-mtproto/core/Api"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { sendEncrypted } from "@effect-mtproto/secret-chats/sendEncrypted"
import { sendEncryptedService } from "@effect-mtproto/secret-chats/sendEncryptedService"
import { SendPolicy } from "@effect-mtproto/secret-chats/SendPolicy"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Login from "@effect-mtproto/transport/Login"
import { Transport } from "@effect-mtproto/transport/Transport"
import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, Context, Effect, Layer, Redacted, Scope } from "effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { layer } from "./kill/client.ts"
import { eventually } from "./support/Peers.ts"

const ann = "+15550001"
const bob = "+15550002"

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "secret-chats-tcp-"))),
  (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
)

/** Two accounts over TCP, with a chat that is ready. */
const two = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  const server = yield* TestServer.make()
  yield* server.createAccount({ phone: ann, firstName: "Ann" })
  yield* server.createAccount({ phone: bob, firstName: "Bob" })
  const address = { host: server.host, port: server.port, dcId: server.dcId, publicKeyPem: server.publicKeyPem }

  const open = Effect.fnUntraced(function*(phone: string) {
    const filename = Path.join(folder, `${phone}.db`)
    const context = yield* Layer.build(Layer.fresh(layer(address, filename, { accept: "allow" })))
    const chats = Context.get(context, SecretChats.SecretChats)
    const events: Array<SecretChats.SecretChatEvent> = []
    yield* Effect.forkScoped(Effect.ignore(chats.runEvents((event) =>
      Effect.sync(() => {
        events.push(event)
      })
    )))
    const run = <A, E>(effect: Effect.Effect<A, E, Layer.Success<ReturnType<typeof layer>>>) =>
      Effect.provideContext(effect, context)
    return { chats, events, run, texts: () => textsOf(events) }
  })

  const logIn = (phone: string) =>
    Login.phone({ phone: Redacted.make(phone), code: () => Effect.map(server.loginCode(phone), Redacted.make) })

  const a = yield* open(ann)
  const bobScope = yield* Scope.make()
  const b = yield* Scope.provide(open(bob), bobScope)
  yield* a.run(logIn(ann))
  yield* b.run(logIn(bob))
  const transport = yield* a.run(Transport)
  const found = yield* transport.invoke(Api.contacts.resolvePhone({ phone: bob.slice(1) }))
  const { chatId } = yield* a.chats.request(found.users.find((user) => user._tag === "user")!)
  yield* a.chats.awaitReady(chatId)
  yield* eventually(() => b.events.some(({ event }) => event._tag === "ChatReady"))
  return { server, a, b, bobScope, open, chatId }
})

const textsOf = (events: ReadonlyArray<SecretChats.SecretChatEvent>): ReadonlyArray<string> =>
  events.flatMap(({ event }) => event._tag === "NewMessage" ? [event.message.message] : [])

describe("over MTProto and TCP", () => {
  it.live("everything that two people do", () =>
    Effect.gen(function*() {
      const { a, b, chatId, server } = yield* two
      assert.deepStrictEqual(yield* a.chats.keyPicture(chatId), yield* b.chats.keyPicture(chatId))

      yield* a.run(sendEncryptedService(chatId, DecryptedMessage.setMessageTtl(60)))
      yield* a.run(sendEncrypted(chatId, DecryptedMessage.message("hello")))
      yield* b.chats.sendText(chatId, "hi")
      yield* eventually(() => b.texts().length === 1 && a.texts().length === 1)
      assert.strictEqual((yield* b.chats.get(chatId)).ttl, 60)

      const long = Arr.makeBy(2500, (i) => `word${i % 10}`).join(" ").slice(0, 10_000)
      const outcomes = yield* a.run(sendEncrypted(chatId, DecryptedMessage.message(long)))
      assert.isTrue(Array.isArray(outcomes) && outcomes.length === 3)
      yield* eventually(() => b.texts().length === 4)
      assert.strictEqual(b.texts().slice(1).join(""), long)

      for (
        const [code, type, tag] of [
          [400, "DATA_INVALID", "DataInvalid"],
          [403, "USER_IS_BLOCKED", "UserIsBlocked"],
          [500, "MSG_WAIT_FAILED", "MsgWaitFailed"],
          [400, "ENCRYPTION_DECLINED", "EncryptionDeclined"]
        ] as const
      ) {
        yield* server.faults.failNext("messages.sendEncryptedService", {
          code,
          type,
          account: ann,
          times: tag === "MsgWaitFailed" ? 2 : 1
        })
        const error = yield* Effect.flip(a.run(
          Effect.provideService(sendEncryptedService(chatId, DecryptedMessage.noop()), SendPolicy, {
            retries: 1,
            retryDelay: 10,
            floodWaitLimit: 0,
            window: 8
          })
        ))
        assert.strictEqual(error._tag, tag)
      }
      assert.strictEqual((yield* Effect.flip(a.chats.sendText(chatId, "closed")))._tag, "SecretChatClosed")
      yield* eventually(() => b.events.some(({ event }) => event._tag === "ChatClosed"))
      assert.isFalse(b.events.some(({ event }) => event._tag === "MessagesMissing"))
    }), { timeout: 30_000 })

  it.live("a bad line loses nothing, doubles nothing, and keeps the order", () =>
    Effect.gen(function*() {
      const { a, b, chatId, server } = yield* two
      const { faults } = server
      const troubles = [
        faults.dropConnections(),
        faults.dropAnswer("messages.sendEncrypted"),
        faults.disconnectOn("messages.sendEncrypted", "before"),
        faults.disconnectOn("messages.sendEncrypted", "after"),
        faults.duplicateAnswer("messages.sendEncrypted"),
        faults.dropUpdates(bob, 2),
        faults.forgetSessions(ann),
        faults.badServerSalt({ account: ann }),
        faults.updatesTooLong(bob)
      ]
      const count = 60
      for (let i = 0; i < count; i++) {
        if (i % 6 === 3) yield* troubles[Math.floor(i / 6) % troubles.length]!
        yield* Effect.all([
          a.chats.sendText(chatId, `a${i}`),
          i % 3 === 0 ? b.chats.sendText(chatId, `b${i}`) : Effect.void
        ], { concurrency: 2 })
      }
      yield* eventually(() => b.texts().length >= count && a.texts().length >= 20)
      assert.deepStrictEqual(b.texts(), Arr.makeBy(count, (i) => `a${i}`))
      assert.deepStrictEqual(a.texts(), Arr.makeBy(20, (i) => `b${3 * i}`))
    }), { timeout: 60_000 })

  it.live("a side that starts again from its file has everything, and answers", () =>
    Effect.gen(function*() {
      const { a, b, bobScope, chatId, open } = yield* two
      yield* a.chats.sendText(chatId, "before")
      yield* eventually(() => b.texts().length === 1)
      yield* Scope.close(bobScope, yield* Effect.exit(Effect.void))
      yield* Effect.forEach(Arr.makeBy(50, String), (text) => a.chats.sendText(chatId, text), {
        concurrency: "unbounded",
        discard: true
      })
      const again = yield* open(bob)
      yield* eventually(() => again.texts().length === 50)
      assert.deepStrictEqual(again.texts(), Arr.makeBy(50, String))
      yield* again.chats.sendText(chatId, "after")
      yield* eventually(() => a.texts().length === 1)
      assert.deepStrictEqual(a.texts(), ["after"])
      const history = yield* again.chats.messages(chatId, { limit: 3 })
      assert.deepStrictEqual(history.map((m) => m.message.message), ["after", "49", "48"])
    }), { timeout: 30_000 })
})
