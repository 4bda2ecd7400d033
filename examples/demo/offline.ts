/**
 * What an example needs to run without Telegram: a server on this machine with two accounts, logged in.
 */
import { Api } from "@effect-mtproto/core"
import { NodeCrypto } from "@effect-mtproto/crypto"
import { type SecretChatError, SecretChats, SecretChatStore } from "@effect-mtproto/secret-chats"
import { SqliteClient } from "@effect-mtproto/sql-sqlite"
import { TestServer } from "@effect-mtproto/test-server"
import { Login, MtprotoTransport, SessionStore, SqlVault, Transport } from "@effect-mtproto/transport"
import { Context, Effect, Layer, Redacted, Stream } from "effect"

/** Where an account keeps its sessions and its chats: in memory, or sealed in one file. */
export const inMemory = Layer.merge(SessionStore.layerMemory, SecretChatStore.layerMemory)
export const inFile = (filename: string) =>
  Layer.merge(SessionStore.layerSealedSql(), SecretChatStore.layerSealedSql()).pipe(
    Layer.provide(SqlVault.layer({ passphrase: Redacted.make("correct horse battery staple") })),
    Layer.provide(SqliteClient.layer({ filename }))
  )

/** Crypto, Transport and SecretChatStore of an account, over the given stores. */
export const services = <E>(
  server: TestServer.TestServer["Service"],
  stores: Layer.Layer<SessionStore.SessionStore | SecretChatStore.SecretChatStore, E>
) =>
  MtprotoTransport.layer({
    apiId: 12345,
    apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
    datacenters: [{ id: server.dcId, host: server.host, port: server.port }],
    publicKeys: server.publicKeys
  }).pipe(Layer.provideMerge(stores), Layer.provideMerge(NodeCrypto.layer))

/** A server with two accounts. */
export const server = Effect.gen(function*() {
  const running = yield* TestServer.make()
  yield* running.createAccount({ phone: "+15550001", firstName: "Ann" })
  yield* running.createAccount({ phone: "+15550002", firstName: "Bob" })
  return running
})

/** Logs in with the code that the server would have sent to the phone. */
export const logIn = (running: TestServer.TestServer["Service"], phone: string) =>
  Login.phone({ phone: Redacted.make(phone), code: () => Effect.map(running.loginCode(phone), Redacted.make) })

/** Ann asks Bob, and Bob accepts: the id of the chat. */
export const openChat = Effect.fnUntraced(function*(
  ann: Context.Context<SecretChats.SecretChats | Transport.Transport>,
  bob: Context.Context<SecretChats.SecretChats>
) {
  const chats = Context.get(ann, SecretChats.SecretChats)
  const found = yield* Context.get(ann, Transport.Transport).invoke(Api.contacts.resolvePhone({ phone: "15550002" }))
  const { chatId } = yield* chats.request(found.users.find((user) => user._tag === "user")!)
  const bobs = Context.get(bob, SecretChats.SecretChats)
  yield* bobs.events.pipe(
    Stream.filter(({ event }) => event._tag === "ChatRequested"),
    Stream.take(1),
    Stream.runForEach((request) => Effect.andThen(request.confirm, bobs.accept(request)))
  )
  yield* chats.awaitReady(chatId)
  return chatId
})

/** The next texts that an account receives. */
export const texts = (
  account: Context.Context<SecretChats.SecretChats>,
  count: number
): Effect.Effect<ReadonlyArray<string>, SecretChatError.StoreError | SecretChatError.TransportError> =>
  Context.get(account, SecretChats.SecretChats).events.pipe(
    Stream.tap(({ confirm }) => confirm),
    Stream.map(({ event }) => event._tag === "NewMessage" ? event.message.message : ""),
    Stream.filter((text) => text !== ""),
    Stream.take(count),
    Stream.runCollect
  )
