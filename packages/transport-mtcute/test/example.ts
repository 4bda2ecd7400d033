/**
 * Ann has a program with mtcute, Bob has the native client: they hold a secret chat.
 *
 * Run it with `node packages/transport-mtcute/test/example.ts`; it needs no network but the loopback interface.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretChatStore from "@effect-mtproto/secret-chats/SecretChatStore"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MtcuteTransport from "../src/MtcuteTransport.ts"
import { ANN, BOB, closeMtcute, highLevel, logInMtcute, makeMtcute, native } from "./support.ts"

/** Secret chats on a transport. */
const chatsOn = (transport: Layer.Layer<Transport, unknown>) =>
  Effect.map(
    Layer.build(
      Layer.fresh(
        SecretChats.layer({ accept: "allow" }).pipe(
          Layer.provide(Layer.mergeAll(transport, SecretChatStore.layerMemory, NodeCrypto.layer))
        )
      )
    ),
    Context.get(SecretChats.SecretChats)
  )

/** What the next message says, to be awaited. */
const nextText = Effect.fnUntraced(function*(chats: SecretChats.SecretChats["Service"]) {
  const text = yield* Deferred.make<string>()
  yield* Effect.forkScoped(
    Effect.ignore(
      chats.runEvents(({ event }) =>
        event._tag === "NewMessage" ? Deferred.succeed(text, event.message.message) : Effect.void
      )
    )
  )
  return Deferred.await(text)
})

export const main = Effect.gen(function*() {
  const server = yield* TestServer.make()
  yield* server.createAccount({ phone: ANN, firstName: "Ann" })
  yield* server.createAccount({ phone: BOB, firstName: "Bob" })

  const client = yield* Effect.acquireRelease(makeMtcute(server, { withManager: true }), closeMtcute)
  const overMtcute = MtcuteTransport.layer(highLevel(client)).pipe(Layer.provide(SessionStore.layerMemory))
  const ann = yield* chatsOn(overMtcute)
  yield* logInMtcute(client, server, ANN)

  const device = yield* native(server, BOB)
  const bob = yield* chatsOn(Layer.succeed(Transport, device.transport))
  const toAnn = yield* nextText(ann)
  const toBob = yield* nextText(bob)

  const { users } = yield* device.transport.invoke(Api.contacts.resolvePhone({ phone: ANN }))
  const user = users.find((found) => found._tag === "user")!
  const { chatId } = yield* bob.request(user)
  yield* bob.awaitReady(chatId)
  yield* bob.sendText(chatId, "Hello from the native client")
  yield* Console.log(`Ann reads: ${yield* toAnn}`)
  yield* ann.sendText(chatId, "Hello from mtcute")
  const answer = yield* toBob
  yield* Console.log(`Bob reads: ${answer}`)
  return answer
}).pipe(Effect.scoped)

if (import.meta.main) await Effect.runPromise(main)
