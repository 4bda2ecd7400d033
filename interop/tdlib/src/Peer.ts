/**
 * One of us: our transport, our secret chats, a SQLite file; and a bad network in between, for those who ask for it.
 */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretChatStore from "@effect-mtproto/secret-chats/SecretChatStore"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import * as Transport from "@effect-mtproto/transport/Transport"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as EventLog from "./EventLog.ts"
import * as Tamper from "./Tamper.ts"

/** What is needed to start one of us; plain data, so that it can be told to another process. */
export interface Options {
  readonly name: string
  readonly phone: string
  readonly code: string
  /** Path of the SQLite file. Started again with the same file, it is the same device. */
  readonly database: string
  readonly server: { readonly host: string; readonly port: number; readonly dc: number; readonly key: string }
}

/** The transport and everything below it. */
const layerNative = (options: Options) =>
  MtprotoTransport.layer({
    apiId: 12345,
    apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
    datacenters: [{ id: options.server.dc, host: options.server.host, port: options.server.port }],
    publicKeys: [options.server.key]
  }).pipe(
    Layer.provideMerge(SessionStore.layerUnsealedSql()),
    Layer.provideMerge(NodeCrypto.layer),
    Layer.provideMerge(SqliteClient.layer({ filename: options.database }))
  )

/** Logs in, unless the file says that this has been done. */
const login = Effect.fnUntraced(function*(options: Options) {
  const client = yield* MtprotoTransport.MtprotoTransport
  const account = yield* client.account
  if (account.userId !== undefined) return account.userId
  const user = yield* Login.phone({
    phone: Redacted.make(options.phone),
    code: () => Effect.succeed(Redacted.make(options.code))
  })
  return user.id
})

/** One of us, logged in, and everything that happened. */
export interface Peer {
  readonly name: string
  readonly userId: bigint
  readonly chats: SecretChats.SecretChats["Service"]
  readonly invoke: Transport.Transport["Service"]["invoke"]
  readonly events: EventLog.EventLog<SecretChats.SecretChatEvent>
  /** What the functions of the library that are no methods of `chats` need. */
  readonly services: Context.Context<Crypto | SecretChatStore.SecretChatStore | Transport.Transport>
  readonly tamper: Tamper.Tamper
}

/** Starts one of us, and stops it in an orderly way when the scope ends. */
export const make = Effect.fnUntraced(function*(
  options: Options,
  /** Runs before an event is confirmed. */
  onEvent: (event: SecretChats.SecretChatEvent) => Effect.Effect<void> = () => Effect.void
) {
  const native = yield* Layer.build(layerNative(options))
  const userId = yield* Effect.provideContext(login(options), native)
  const [tamper, layerTamper] = Tamper.make()
  const context = yield* Layer.build(
    SecretChats.layer().pipe(
      Layer.provideMerge(SecretChatStore.layerSql()),
      Layer.provideMerge(layerTamper),
      Layer.provide(Layer.succeedContext(native))
    )
  )
  const chats = Context.get(context, SecretChats.SecretChats)
  const events = EventLog.make<SecretChats.SecretChatEvent>(options.name, ({ event }) => event._tag)
  yield* Effect.forkScoped(Effect.tapCause(
    chats.runEvents((event) => Effect.andThen(onEvent(event), Effect.sync(() => events.push(event)))),
    (cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("events have ended", cause)
  ))
  return {
    name: options.name,
    userId,
    chats,
    invoke: Context.get(context, Transport.Transport).invoke,
    events,
    services: Context.merge(native, context),
    tamper
  } satisfies Peer
})
