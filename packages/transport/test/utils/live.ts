/**
 * Clients of a real server over TCP, for tests.
 */
import type * as Crypto from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { TestServer } from "@effect-mtproto/test-server/TestServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Login from "../../src/Login.ts"
import * as MtprotoTransport from "../../src/MtprotoTransport.ts"
import * as SessionStore from "../../src/SessionStore.ts"
import { Transport } from "../../src/Transport.ts"

export type Services =
  | Transport
  | MtprotoTransport.MtprotoTransport
  | Crypto.Crypto
  | SessionStore.SessionStore

export interface Client {
  readonly context: Context.Context<Services>
  readonly transport: Transport["Service"]
  readonly mtproto: MtprotoTransport.MtprotoTransport["Service"]
  readonly store: SessionStore.SessionStore["Service"]
  readonly run: <A, E>(effect: Effect.Effect<A, E, Services>) => Effect.Effect<A, E>
}

/** Options that make a client of the test server, quick enough for tests. */
export const options = (
  server: TestServer["Service"],
  overrides: Partial<MtprotoTransport.Options> = {}
): MtprotoTransport.Options => ({
  apiId: 1,
  apiHash: Redacted.make("hash"),
  datacenters: [{ id: server.dcId, host: server.host, port: server.port }],
  publicKeys: server.publicKeys,
  stateCheck: "200 millis",
  retryDelay: "20 millis",
  maxBackoff: "300 millis",
  ...overrides
})

/** A client that lives in the scope. */
export const makeClient = Effect.fnUntraced(function*<E = never>(
  overrides: Partial<MtprotoTransport.Options> = {},
  store: Layer.Layer<SessionStore.SessionStore, E> | typeof SessionStore.layerMemory = SessionStore.layerMemory
) {
  const server = yield* TestServer
  const layer = MtprotoTransport.layer(options(server, overrides)).pipe(
    Layer.provideMerge(Layer.merge(NodeCrypto.layer, store))
  )
  // every client has its own
  const context = yield* Layer.build(Layer.fresh(layer))
  const client: Client = {
    context,
    transport: Context.get(context, Transport),
    mtproto: Context.get(context, MtprotoTransport.MtprotoTransport),
    store: Context.get(context, SessionStore.SessionStore),
    run: (effect) => Effect.provide(effect, context)
  }
  return client
})

/** Logs a client in with the code that the server has for the number. */
export const logIn = Effect.fnUntraced(function*(client: Client, phone: string) {
  const server = yield* TestServer
  return yield* client.run(Login.phone({
    phone: Redacted.make(phone),
    code: () => Effect.map(Effect.orDie(server.loginCode(phone)), Redacted.make)
  }))
})
