/**
 * What a page does with the packages: logs an account in over a WebSocket, waits for a secret chat, answers what it is
 * told. `run.mjs` calls it in Chromium, `Bundle.test.ts` looks at what a bundler makes of it.
 */
import * as WebCrypto from "@effect-mtproto/crypto/WebCrypto"
import type { SecretChatError } from "@effect-mtproto/secret-chats/SecretChatError"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretChatStore from "@effect-mtproto/secret-chats/SecretChatStore"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import * as WebSockets from "@effect-mtproto/transport/WebSockets"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

export interface Account {
  readonly dcId: number
  readonly host: string
  readonly port: number
  readonly publicKeyPem: string
  readonly phone: string
  readonly code: string
}

/** Answers with the first text that arrives, after it has been answered itself. */
const run = (account: Account): Promise<string> => {
  const transport = MtprotoTransport.layer({
    apiId: 1,
    apiHash: Redacted.make("hash"),
    datacenters: [{ id: account.dcId, host: account.host, port: account.port }],
    publicKeys: [account.publicKeyPem]
  }).pipe(
    Layer.provide(WebSockets.layer({ url: WebSockets.plainUrlOf })),
    Layer.provideMerge(Layer.merge(WebCrypto.layer, SessionStore.layerMemory))
  )
  const layer = SecretChats.layer({ accept: "allow" }).pipe(
    Layer.provide(SecretChatStore.layerMemory),
    Layer.provideMerge(transport)
  )
  return Effect.gen(function*() {
    yield* Login.phone({
      phone: Redacted.make(account.phone),
      code: () => Effect.succeed(Redacted.make(account.code))
    })
    const chats = yield* SecretChats.SecretChats
    const heard = yield* Deferred.make<string, SecretChatError>()
    yield* Effect.forkScoped(Effect.ignore(chats.runEvents(({ chatId, event }) =>
      event._tag === "NewMessage"
        ? chats.sendText(chatId, `${event.message.message}, from a browser`).pipe(
          Effect.as(event.message.message),
          Effect.exit,
          Effect.flatMap((exit) => Deferred.done(heard, exit))
        )
        : Effect.void
    )))
    return yield* Deferred.await(heard)
  }).pipe(Effect.scoped, Effect.provide(layer), Effect.runPromise)
}

Object.assign(globalThis, { run })
