/**
 * Trying a script without Telegram: a server on this machine, Ann, for whom the script runs, and Bob, who writes what is
 * typed. Everything is in memory.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import type * as LuaHost from "@effect-mtproto/lua/LuaHost"
import * as LuaScript from "@effect-mtproto/lua/LuaScript"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretChatStore from "@effect-mtproto/secret-chats/SecretChatStore"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as OtherUpdates from "@effect-mtproto/transport/OtherUpdates"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type { PlatformError } from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { Account } from "../Account.ts"

const ann = "+15550001"
const bob = "+15550002"

const account = Effect.fnUntraced(function*(
  server: TestServer.TestServer["Service"],
  phone: string,
  accept: SecretChats.AcceptDecision
) {
  const services = yield* Layer.build(Layer.fresh(
    SecretChats.layer({ accept }).pipe(
      Layer.provideMerge(OtherUpdates.layer({ unheard: 256 })),
      Layer.provideMerge(MtprotoTransport.layer({
        apiId: 12345,
        apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
        datacenters: [{ id: server.dcId, host: server.host, port: server.port }],
        publicKeys: server.publicKeys
      })),
      Layer.provideMerge(Layer.merge(SessionStore.layerMemory, SecretChatStore.layerMemory)),
      Layer.provideMerge(NodeCrypto.layer)
    )
  ))
  yield* Effect.provideContext(
    Login.phone({ phone: Redacted.make(phone), code: () => Effect.map(server.loginCode(phone), Redacted.make) }),
    services
  )
  return services
})

/** What something is waiting for, asked again whenever anything has happened. */
const makeWaiting = () => {
  const waiting = new Set<{ readonly is: () => boolean; readonly done: Deferred.Deferred<void> }>()
  return {
    happened: Effect.sync(() => {
      for (const one of waiting) {
        if (one.is()) {
          waiting.delete(one)
          Deferred.doneUnsafe(one.done, Effect.void)
        }
      }
    }),
    until: (is: () => boolean): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (is()) return Effect.void
        const one = { is, done: Deferred.makeUnsafe<void>() }
        waiting.add(one)
        return Deferred.await(one.done)
      })
  }
}

export const run = Effect.fnUntraced(function*(
  script: LuaScript.LuaScript,
  options: {
    readonly host: Layer.Layer<LuaHost.LuaHost, PlatformError, Account>
    readonly run: LuaScript.RunOptions
    readonly accept: SecretChats.AcceptDecision
  }
) {
  const server = yield* TestServer.make()
  yield* server.createAccount({ phone: ann, firstName: "Ann" })
  yield* server.createAccount({ phone: bob, firstName: "Bob" })
  const anns = yield* account(server, ann, options.accept)
  const bobs = yield* account(server, bob, "allow")
  const chats = Context.get(bobs, SecretChats.SecretChats)
  const { happened, until } = makeWaiting()

  // ----- Bob

  let chat: number | undefined
  let isListening = false
  const heard = new Set<bigint>()
  /** What the script has not dealt with. */
  const pending = new Set<bigint>()
  yield* chats.runEvents(({ chatId, event }) =>
    Effect.gen(function*() {
      if (event._tag === "ChatReady") {
        chat = chatId
        yield* Console.log("Bob has a secret chat with Ann")
      } else if (event._tag === "NewMessage") {
        heard.add(event.randomId)
        yield* Console.log(
          `Bob reads: ${event.message.message === "" ? event.message.media?._tag : event.message.message}`
        )
      } else if (event._tag === "ChatClosed" || ("by" in event && event.by === "peer")) {
        yield* Console.log(`Bob sees: ${event._tag}`)
      }
      yield* happened
    })
  ).pipe(Effect.tapCause(Effect.logDebug), Effect.forkScoped)

  const says = Effect.fnUntraced(function*(text: string) {
    yield* until(() => chat !== undefined)
    const outcomes = yield* chats.sendText(chat!, text)
    for (const { randomId } of Array.isArray(outcomes) ? outcomes : [outcomes]) pending.add(randomId)
  })
  const { stdin } = yield* Stdio.Stdio
  const typing = stdin.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.filter((line) => line.trim() !== ""),
    Stream.runForEach((line) =>
      Effect.catch(says(line), (error) => Console.error(`Bob could not write: ${error.message}`))
    )
  )

  // ----- the script

  yield* Console.log(
    `The script runs for Ann (${ann}). Bob (${bob}) asks her for a secret chat, and writes what you type`
  )
  const transport = Context.get(bobs, Transport)
  const found = yield* transport.invoke(Api.contacts.resolvePhone({ phone: ann.slice(1) }))
  yield* chats.request(found.users.find((user) => user._tag === "user")!)

  const running = yield* LuaScript.run(script, {
    ...options.run,
    onListening: Effect.suspend(() => {
      isListening = true
      return happened
    }),
    onDelivered: ({ event }) =>
      Effect.suspend(() => {
        if (event._tag === "NewMessage") pending.delete(event.randomId)
        return happened
      })
  }).pipe(
    Effect.provide(options.host),
    Effect.provideContext(anns),
    Effect.forkScoped({ startImmediately: true })
  )

  /** When nothing more is typed, and everything is answered. */
  const settled = Effect.gen(function*() {
    yield* typing
    yield* until(() => isListening && pending.size === 0)
  })
  yield* Effect.raceFirst(Fiber.join(running), settled)
  const sent = new Set<bigint>()
  const theirs = Context.get(anns, SecretChats.SecretChats)
  for (const { chatId, state } of yield* theirs.list) {
    if (state !== "ready") continue
    for (const message of yield* theirs.messages(chatId, { limit: 1000 })) {
      if (message.outgoing) sent.add(message.randomId)
    }
  }
  yield* Effect.timeoutOption(until(() => [...sent].every((id) => heard.has(id))), "10 seconds")
}, Effect.scoped)
