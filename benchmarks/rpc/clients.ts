/** A client of ours and one of mtcute, each ready to call. Nothing is kept on disk. */
import * as Api from "@effect-mtproto/core/Api"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Mtcute from "../lib/Mtcute.ts"
import type { Account, Address } from "./server.ts"

const API_ID = 12345
const API_HASH = "0123456789abcdef0123456789abcdef"

/** What is compared: a number of calls, so many of them at a time. */
export interface Client {
  readonly logIn: (account: Account) => Promise<void>
  readonly getConfig: (calls: number, inFlight: number) => Promise<void>
  readonly sendEncryptedService: (calls: number, inFlight: number) => Promise<void>
  readonly close: () => Promise<void>
}

/** What `messages.sendEncryptedService` carries: as long as the frame of a short text, and as random. */
export const DATA = 216
const data = crypto.getRandomValues(new Uint8Array(DATA))

/** Called when a client has agreed on a key and keeps it. */
export type OnKey = () => void

const layerStore = (onKey: OnKey) =>
  Layer.effect(
    SessionStore.SessionStore,
    Effect.map(SessionStore.SessionStore, (store) => ({
      ...store,
      setAuthKey: (...args: Parameters<typeof store.setAuthKey>) =>
        Effect.andThen(Effect.sync(onKey), store.setAuthKey(...args))
    }))
  ).pipe(Layer.provide(SessionStore.layerMemory))

export const ours = async (address: Address, onKey: OnKey = () => {}): Promise<Client> => {
  const runtime = ManagedRuntime.make(
    MtprotoTransport.layer({
      apiId: API_ID,
      apiHash: Redacted.make(API_HASH),
      datacenters: [{ id: address.dcId, host: address.host, port: address.port }],
      publicKeys: [address.publicKeyPem],
      // as mtcute speaks by itself: the intermediate framing, not hidden
      obfuscated: false
    }).pipe(Layer.provide(layerStore(onKey)), Layer.provideMerge(NodeCrypto.layer))
  )
  const transport = await runtime.runPromise(Transport)
  let randomId = 1n
  const config = Effect.suspend(() => transport.invoke(Api.help.getConfig()))
  const peer: Api.inputEncryptedChat = { _tag: "inputEncryptedChat", chatId: 1, accessHash: 1n }
  const send = Effect.suspend(() =>
    transport.invoke(Api.messages.sendEncryptedService({ peer, randomId: randomId++, data }))
  )
  const repeat = (call: Effect.Effect<unknown, unknown>) => (calls: number, inFlight: number) => {
    let left = calls
    const loop = Effect.whileLoop({ while: () => left-- > 0, body: () => call, step: () => {} })
    return runtime.runPromise(
      inFlight === 1
        ? loop
        : Effect.forEach(Array.from({ length: inFlight }), () => loop, { concurrency: "unbounded", discard: true })
    )
  }
  return {
    logIn: ({ code, phone }) =>
      runtime.runPromise(Effect.asVoid(Login.phone({
        phone: Redacted.make(phone),
        code: () => Effect.succeed(Redacted.make(code))
      }))),
    getConfig: repeat(config),
    sendEncryptedService: repeat(send),
    close: () => runtime.dispose()
  }
}

/** Milliseconds until a new client has agreed on a key: connection and key exchange. */
export const keyTime = async (who: "ours" | "mtcute", address: Address): Promise<number> => {
  const begin = performance.now()
  let client: Client | undefined
  const time = await new Promise<number>((resolve, reject) => {
    ;(who === "ours" ? ours : mtcute)(address, () => resolve(performance.now() - begin)).then((made) => {
      client = made
    }, reject)
  })
  // A client that is closed before it is whole never ends.
  while (client === undefined) await new Promise((resolve) => setImmediate(resolve))
  await client.close()
  return time
}

export const mtcute = async (address: Address, onKey: OnKey = () => {}): Promise<Client> => {
  const [library, { NodeCryptoProvider }, Long, internals] = await Promise.all([
    import("@mtcute/node") as Promise<any>,
    import("@mtcute/node/utils.js") as Promise<any>,
    Mtcute.loadLong(),
    Mtcute.loadInternals()
  ])
  const provider = new NodeCryptoProvider()
  await provider.initialize()
  internals.addPublicKey(provider, address.publicKeyPem)
  const dc = { id: address.dcId, ipAddress: address.host, port: address.port }
  const storage = new library.MemoryStorage()
  const set = storage.authKeys.set.bind(storage.authKeys)
  storage.authKeys.set = (...args: ReadonlyArray<unknown>) => {
    if (args[1] !== null) onKey()
    return set(...args)
  }
  const client = new library.BaseTelegramClient({
    apiId: API_ID,
    apiHash: API_HASH,
    storage,
    crypto: provider,
    defaultDcs: { main: dc, media: { ...dc, mediaOnly: true } },
    logLevel: 1,
    disableUpdates: true
  })
  await client.connect()
  const peer = { _: "inputEncryptedChat", chatId: 1, accessHash: new Long(1, 0) }
  let randomId = 1
  const repeat = (call: () => Promise<unknown>) => async (calls: number, inFlight: number) => {
    let left = calls
    const loop = async () => {
      // one after the other in each lane: this is what is measured
      while (left-- > 0) await call()
    }
    await Promise.all(Array.from({ length: inFlight }, loop))
  }
  return {
    logIn: async ({ code: phoneCode, phone: phoneNumber }) => {
      const { phoneCodeHash } = await client.call({
        _: "auth.sendCode",
        phoneNumber,
        apiId: API_ID,
        apiHash: API_HASH,
        settings: { _: "codeSettings" }
      })
      await client.call({ _: "auth.signIn", phoneNumber, phoneCodeHash, phoneCode })
    },
    getConfig: repeat(() => client.call({ _: "help.getConfig" })),
    sendEncryptedService: repeat(() =>
      client.call({ _: "messages.sendEncryptedService", peer, randomId: new Long(randomId++, 1), data })
    ),
    close: async () => {
      await client.disconnect()
      await client.destroy()
    }
  }
}
