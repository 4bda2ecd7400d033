/** Two transports on one server: the native one, and mtcute's. */
import * as Api from "@effect-mtproto/core/Api"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import type * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import { Transport, type TransportUpdate } from "@effect-mtproto/transport/Transport"
import { BaseTelegramClient, MemoryStorage, TcpTransport, TelegramClient } from "@mtcute/node"
import { addPublicKey, NodeCryptoProvider } from "@mtcute/node/utils.js"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as MtcuteTransport from "../src/MtcuteTransport.ts"

export type Server = TestServer.TestServer["Service"]

export const ANN = "15550001"
export const BOB = "15550002"

/** mtcute has addresses of Telegram compiled in: here it connects to the server under test, or not at all. */
class OnlyLoopback extends TcpTransport {
  override connect(dc: Parameters<TcpTransport["connect"]>[0]): ReturnType<TcpTransport["connect"]> {
    return dc.ipAddress === "127.0.0.1" ? super.connect(dc) : Promise.reject(new Error(`not ${dc.ipAddress}`))
  }
}

/** A client of mtcute's for this server. */
export const makeMtcute = Effect.fnUntraced(function*(
  server: Server,
  options: { readonly storage?: MemoryStorage; readonly withManager?: boolean; readonly disableUpdates?: boolean } = {}
) {
  const crypto = new NodeCryptoProvider()
  yield* Effect.promise(() => crypto.initialize())
  addPublicKey(crypto, server.publicKeyPem)
  const dc = { id: server.dcId, ipAddress: server.host, port: server.port }
  return new BaseTelegramClient({
    apiId: 1,
    apiHash: "hash",
    storage: options.storage ?? new MemoryStorage(),
    crypto,
    transport: new OnlyLoopback(),
    defaultDcs: { main: dc, media: { ...dc, mediaOnly: true } },
    reconnectionStrategy: () => 50,
    network: { floodControl: false },
    logLevel: 0,
    disableUpdates: options.disableUpdates ?? false,
    ...(options.withManager === true ? {} : { updates: false as const })
  })
})

/** The one with the methods for people, over another. */
export const highLevel = (client: BaseTelegramClient): TelegramClient => new TelegramClient({ client })

export const logInMtcute = Effect.fnUntraced(function*(client: BaseTelegramClient, server: Server, phone: string) {
  const phoneCode = yield* Effect.orDie(server.loginCode(phone))
  yield* Effect.promise(async () => {
    const sent = await client.call({
      _: "auth.sendCode",
      phoneNumber: phone,
      apiId: 1,
      apiHash: "hash",
      settings: { _: "codeSettings" }
    })
    if (sent._ !== "auth.sentCode") throw new Error(sent._)
    const { phoneCodeHash } = sent
    await client.notifyLoggedIn(
      await client.call({ _: "auth.signIn", phoneNumber: phone, phoneCodeHash, phoneCode })
    )
  })
})

export const closeMtcute = (client: BaseTelegramClient): Effect.Effect<void> => Effect.promise(() => client.destroy())

/** An account that is logged in, and can be closed and opened again. */
export interface Device {
  readonly transport: Transport["Service"]
  readonly store: SessionStore.SessionStore["Service"]
  readonly close: Effect.Effect<void>
  readonly reopen: Effect.Effect<Transport["Service"]>
}

/** Opens a transport over and over on the same store, each time in a scope of its own. */
const device = Effect.fnUntraced(function*(
  open: (store: Layer.Layer<SessionStore.SessionStore>) => Effect.Effect<Transport["Service"], unknown, Scope.Scope>
) {
  const store = Context.get(
    yield* Layer.build(Layer.fresh(SessionStore.layerMemory)),
    SessionStore.SessionStore
  )
  let scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const again = Effect.suspend(() =>
    Effect.orDie(Scope.provide(open(Layer.succeed(SessionStore.SessionStore, store)), scope))
  )
  const close = Effect.suspend(() => Scope.close(scope, Exit.void))
  const made: Device = {
    transport: yield* again,
    store,
    close,
    reopen: Effect.gen(function*() {
      yield* close
      scope = yield* Scope.make()
      return yield* again
    })
  }
  return made
})

export type Kind = "native" | "mtcute"

export const native = (server: Server, phone: string, options: Partial<MtprotoTransport.Options> = {}) => {
  let isLoggedIn = false
  return device((store) =>
    Effect.gen(function*() {
      const layer = MtprotoTransport.layer({
        apiId: 1,
        apiHash: Redacted.make("hash"),
        datacenters: [{ id: server.dcId, host: server.host, port: server.port }],
        publicKeys: server.publicKeys,
        stateCheck: "200 millis",
        retryDelay: "20 millis",
        maxBackoff: "300 millis",
        ...options
      }).pipe(Layer.provideMerge(Layer.merge(NodeCrypto.layer, store)))
      const context = yield* Layer.build(Layer.fresh(layer))
      if (!isLoggedIn) {
        yield* Effect.provideContext(
          Login.phone({
            phone: Redacted.make(phone),
            code: () => Effect.map(Effect.orDie(server.loginCode(phone)), Redacted.make)
          }),
          context
        )
      }
      isLoggedIn = true
      return Context.get(context, Transport)
    })
  )
}

export const mtcute = (
  server: Server,
  phone: string,
  options: MtcuteTransport.Options & {
    readonly withManager?: boolean
    readonly onClient?: (client: BaseTelegramClient) => void
  } = {}
) => {
  const storage = new MemoryStorage()
  let isLoggedIn = false
  return device((store) =>
    Effect.gen(function*() {
      const client = yield* Effect.acquireRelease(
        makeMtcute(server, { storage, withManager: options.withManager ?? false }),
        closeMtcute
      )
      if (!isLoggedIn) yield* logInMtcute(client, server, phone)
      isLoggedIn = true
      options.onClient?.(client)
      const layer = MtcuteTransport.layer(client, { retryDelay: "20 millis", ...options }).pipe(Layer.provide(store))
      return Context.get(yield* Layer.build(Layer.fresh(layer)), Transport)
    })
  )
}

/** The updates of a transport, one by one. */
export const inbox = Effect.fnUntraced(function*(transport: Transport["Service"]) {
  const queue = yield* Queue.unbounded<TransportUpdate>()
  yield* Effect.forkScoped(Effect.ignore(
    Stream.runForEach(transport.updates, (update) => Queue.offer(queue, update))
  ))
  return { take: Queue.take(queue), takeN: (n: number) => Effect.replicateEffect(Queue.take(queue), n) }
})

/** In the safe range, and that is all that the server checks. */
const publicValue = new Uint8Array(256).fill(0x11)

/** A secret chat as far as the server knows it, from one to the other; the keys are nobody's. */
export const openChat = Effect.fnUntraced(function*(
  from: Transport["Service"],
  to: Transport["Service"],
  phone: string,
  inboxes: { readonly from: Effect.Effect<TransportUpdate>; readonly to: Effect.Effect<TransportUpdate> },
  randomId = 4711
) {
  const { users } = yield* from.invoke(Api.contacts.resolvePhone({ phone }))
  const user = users[0]
  if (user?._tag !== "user") return yield* Effect.die("no user")
  yield* from.invoke(Api.messages.requestEncryption({
    userId: { _tag: "inputUser", userId: user.id, accessHash: user.accessHash! },
    randomId,
    gA: publicValue
  }))
  const requested = yield* inboxes.to
  if (requested.update._tag !== "updateEncryption" || requested.update.chat._tag !== "encryptedChatRequested") {
    return yield* Effect.die(requested.update)
  }
  yield* requested.confirm
  const { accessHash, id } = requested.update.chat
  yield* to.invoke(Api.messages.acceptEncryption({
    peer: { _tag: "inputEncryptedChat", chatId: id, accessHash },
    gB: publicValue,
    keyFingerprint: 1n
  }))
  const accepted = yield* inboxes.from
  if (accepted.update._tag !== "updateEncryption" || accepted.update.chat._tag !== "encryptedChat") {
    return yield* Effect.die(accepted.update)
  }
  yield* accepted.confirm
  const { accessHash: fromHash } = accepted.update.chat
  const peer: Api.InputEncryptedChat = { _tag: "inputEncryptedChat", chatId: id, accessHash: fromHash }
  return (...numbers: ReadonlyArray<number>) =>
    Effect.forEach(numbers, (n) =>
      from.invoke(
        Api.messages.sendEncryptedService({ peer, randomId: BigInt(n), data: new Uint8Array(64).fill(n) }),
        { chain: "chat" }
      ), { discard: true })
})

/** The numbers that `openChat`'s function has sent. */
export const numberOf = ({ update }: TransportUpdate): number =>
  update._tag === "updateNewEncryptedMessage" ? Number(update.message.randomId) : -1
