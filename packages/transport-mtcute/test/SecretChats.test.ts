/** Secret chats between an account on mtcute's client and one on the native client, whole. */
import * as Api from "@effect-mtproto/core/Api"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { layerMemory } from "@effect-mtproto/secret-chats/SecretChatStore"
import { sendEncryptedService } from "@effect-mtproto/secret-chats/sendEncryptedService"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { Transport } from "@effect-mtproto/transport/Transport"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { main } from "./example.ts"
import { ANN, BOB, mtcute, native, type Server } from "./support.ts"

const eventually = (condition: () => boolean): Effect.Effect<void> =>
  Effect.gen(function*() {
    while (!condition()) yield* Effect.sleep("5 millis")
  })

/** Secret chats on a transport, with the texts that came, over all starts. */
const person = Effect.fnUntraced(function*() {
  const stores = yield* Layer.build(Layer.fresh(layerMemory))
  const texts: Array<string> = []
  const events: Array<string> = []
  let scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const start = (transport: Transport["Service"]) =>
    Effect.gen(function*() {
      const context = yield* Layer.build(Layer.fresh(
        SecretChats.layer({ accept: "allow" }).pipe(
          Layer.provideMerge(
            Layer.mergeAll(Layer.succeedContext(stores), Layer.succeed(Transport, transport), NodeCrypto.layer)
          )
        )
      ))
      const chats = Context.get(context, SecretChats.SecretChats)
      yield* Effect.forkScoped(Effect.ignore(chats.runEvents(({ event }) =>
        Effect.sync(() => {
          events.push(event._tag)
          if (event._tag === "NewMessage") texts.push(event.message.message)
        })
      )))
      return { chats, context }
    }).pipe((effect) => Scope.provide(effect, scope))
  return {
    texts,
    events,
    start,
    stop: Effect.suspend(() => Scope.close(scope, Exit.void)),
    restart: Effect.fnUntraced(function*(transport: Transport["Service"]) {
      scope = yield* Scope.make()
      return yield* start(transport)
    })
  }
})

const live = (
  name: string,
  run: (server: Server) => Effect.Effect<void, unknown, Scope.Scope>
) =>
  it.live(name, () =>
    Effect.gen(function*() {
      const server = yield* TestServer.make()
      yield* server.createAccount({ phone: ANN, firstName: "Ann" })
      yield* server.createAccount({ phone: BOB, firstName: "Bob" })
      yield* run(server)
    }).pipe(Effect.scoped))

const userOf = (transport: Transport["Service"], phone: string) =>
  Effect.flatMap(transport.invoke(Api.contacts.resolvePhone({ phone })), ({ users }) => {
    const user = users[0]
    return user?._tag === "user" ? Effect.succeed(user) : Effect.die("no user")
  })

describe("secret chats over mtcute", () => {
  live("both directions, a restart, and connections that break", (server) =>
    Effect.gen(function*() {
      const annDevice = yield* native(server, ANN)
      const bobDevice = yield* mtcute(server, BOB, { withManager: true })
      const ann = yield* person()
      const bob = yield* person()
      const a = yield* ann.start(annDevice.transport)
      let b = yield* bob.start(bobDevice.transport)

      const { chatId } = yield* a.chats.request(yield* userOf(annDevice.transport, BOB))
      yield* a.chats.awaitReady(chatId)
      yield* eventually(() => bob.events.includes("ChatReady"))
      assert.deepStrictEqual(yield* a.chats.keyPicture(chatId), yield* b.chats.keyPicture(chatId))

      yield* a.chats.sendText(chatId, "to mtcute")
      yield* b.chats.sendText(chatId, "from mtcute")
      yield* Effect.provideContext(sendEncryptedService(chatId, DecryptedMessage.setMessageTtl(60)), b.context)
      yield* eventually(() => ann.texts.length === 1 && bob.texts.length === 1)
      while ((yield* a.chats.get(chatId)).ttl !== 60) yield* Effect.sleep("5 millis")

      // away: what mtcute drops from its differences comes all the same
      yield* bob.stop
      yield* bobDevice.close
      for (const text of ["one", "two", "three"]) yield* a.chats.sendText(chatId, text)
      b = yield* bob.restart(yield* bobDevice.reopen)
      yield* eventually(() => bob.texts.length === 4)

      for (let i = 0; i < 6; i++) {
        if (i % 4 === 1) yield* server.faults.dropConnections()
        if (i % 4 === 2) yield* server.faults.disconnectOn("messages.sendEncrypted", "after")
        if (i % 4 === 3) yield* server.faults.forgetSessions(BOB)
        yield* Effect.all([a.chats.sendText(chatId, `a${i}`), b.chats.sendText(chatId, `b${i}`)], { concurrency: 2 })
      }
      yield* eventually(() => bob.texts.length === 10 && ann.texts.length === 7)
      const six = Array.from({ length: 6 }, (_, i) => i)
      assert.deepStrictEqual(bob.texts, ["to mtcute", "one", "two", "three", ...six.map((i) => `a${i}`)])
      assert.deepStrictEqual(ann.texts, ["from mtcute", ...six.map((i) => `b${i}`)])

      // errors keep their type on the way up
      yield* server.faults.failNext("messages.sendEncrypted", { code: 403, type: "USER_IS_BLOCKED", account: BOB })
      assert.strictEqual((yield* Effect.flip(b.chats.sendText(chatId, "no")))._tag, "UserIsBlocked")

      yield* a.chats.discard(chatId)
      yield* eventually(() => bob.events.includes("ChatClosed"))
      assert.isFalse([...ann.events, ...bob.events].includes("MessagesMissing"))
    }))

  live("a chat that mtcute's side asks for, between two accounts on mtcute", (server) =>
    Effect.gen(function*() {
      const annDevice = yield* mtcute(server, ANN)
      const bobDevice = yield* mtcute(server, BOB)
      const ann = yield* person()
      const bob = yield* person()
      const a = yield* ann.start(annDevice.transport)
      const b = yield* bob.start(bobDevice.transport)
      const { chatId } = yield* a.chats.request(yield* userOf(annDevice.transport, BOB))
      yield* a.chats.awaitReady(chatId)
      yield* a.chats.sendText(chatId, "hello")
      yield* eventually(() => bob.texts.length === 1)
      yield* b.chats.sendText(chatId, "hi")
      yield* eventually(() => ann.texts.length === 1)
      assert.deepStrictEqual([ann.texts, bob.texts], [["hi"], ["hello"]])
    }))

  it.live("the example", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* main, "Hello from mtcute")
    }))
})
