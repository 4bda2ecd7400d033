import { Api } from "@effect-mtproto/core"
import { NodeCrypto } from "@effect-mtproto/crypto"
import { SecretChats, SecretChatStore } from "@effect-mtproto/secret-chats"
import { TestServer } from "@effect-mtproto/test-server"
import { Login, MtprotoTransport, OtherUpdates, SessionStore, Transport } from "@effect-mtproto/transport"
import { Context, Deferred, Effect, Layer, Redacted } from "effect"

type Happening = SecretChats.SecretChatEvent

const account = Effect.fnUntraced(function*(server: TestServer.TestServer["Service"], phone: string) {
  const services = yield* Layer.build(Layer.fresh(
    SecretChats.layer().pipe(
      Layer.provideMerge(OtherUpdates.layer({ unheard: 256 })),
      Layer.provideMerge(
        MtprotoTransport.layer({
          apiId: 12345,
          apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
          datacenters: [{ id: server.dcId, host: server.host, port: server.port }],
          publicKeys: server.publicKeys
        })
      ),
      Layer.provideMerge(Layer.merge(SessionStore.layerMemory, SecretChatStore.layerMemory)),
      Layer.provideMerge(NodeCrypto.layer)
    )
  ))
  const user = yield* Effect.provideContext(
    Login.phone({ phone: Redacted.make(phone), code: () => Effect.map(server.loginCode(phone), Redacted.make) }),
    services
  )
  return { services, user, chats: Context.get(services, SecretChats.SecretChats) }
})

/** Everything that an account has heard, and waiting for what it will hear. */
const journal = Effect.fnUntraced(function*(chats: SecretChats.SecretChats["Service"]) {
  const happened: Array<Happening> = []
  const waiters = new Set<{ readonly is: (h: Happening) => boolean; readonly done: Deferred.Deferred<Happening> }>()
  yield* Effect.forkScoped(chats.runEvents((happening) =>
    Effect.sync(() => {
      happened.push(happening)
      for (const waiter of waiters) {
        if (waiter.is(happening)) {
          waiters.delete(waiter)
          Deferred.doneUnsafe(waiter.done, Effect.succeed(happening))
        }
      }
    })
  ))
  const hears = (is: (h: Happening) => boolean): Effect.Effect<Happening> =>
    Effect.suspend(() => {
      const past = happened.find(is)
      if (past !== undefined) return Effect.succeed(past)
      const waiter = { is, done: Deferred.makeUnsafe<Happening>() }
      waiters.add(waiter)
      return Deferred.await(waiter.done)
    })
  return { happened, hears }
})

/** A server, Ann, for whom scripts run, and Bob, who writes to them. */
export class Accounts extends Context.Service<Accounts>()("test/Accounts", {
  make: Effect.gen(function*() {
    const server = yield* TestServer.make()
    yield* server.createAccount({ phone: "+15550001", firstName: "Ann" })
    yield* server.createAccount({ phone: "+15550002", firstName: "Bob" })
    const ann = yield* account(server, "+15550001")
    const bob = yield* account(server, "+15550002")
    const { happened, hears } = yield* journal(bob.chats)

    /** Bob asks Ann, and whoever is Ann accepts. */
    const request = Effect.gen(function*() {
      const transport = Context.get(bob.services, Transport.Transport)
      const found = yield* transport.invoke(Api.contacts.resolvePhone({ phone: "15550001" }))
      const { chatId } = yield* bob.chats.request(found.users.find((user) => user._tag === "user")!)
      return chatId
    })
    const openChat = Effect.gen(function*() {
      const chatId = yield* request
      while (!(yield* ann.chats.list).some((chat) => chat.chatId === chatId)) yield* Effect.sleep(5)
      yield* ann.chats.accept(chatId)
      yield* bob.chats.awaitReady(chatId)
      return chatId
    })
    const texts = (chatId: number) =>
      happened.flatMap((h) => h.chatId === chatId && h.event._tag === "NewMessage" ? [h.event.message] : [])
    /** Waits for a text that Bob gets. */
    const hearsText = (chatId: number, is: string | RegExp) =>
      Effect.map(
        hears((h) =>
          h.chatId === chatId && h.event._tag === "NewMessage" &&
          (typeof is === "string" ? h.event.message.message === is : is.test(h.event.message.message))
        ),
        ({ event }) => event as Extract<Happening["event"], { readonly _tag: "NewMessage" }>
      )
    return { server, ann, bob, happened, hears, hearsText, texts, request, openChat }
  })
}) {
  static readonly layer = Layer.effect(this, this.make)
}
