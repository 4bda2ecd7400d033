/** Two people over TCP, with a chat that is ready, and what files need. */
import * as Api from "@effect-mtproto/core/Api"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as FileTransfers from "@effect-mtproto/secret-chats/FileTransfers"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { layerMemory } from "@effect-mtproto/secret-chats/SecretChatStore"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as NodePath from "node:path"
import { eventually } from "../support/Peers.ts"

export const ann = "+15550001"
export const bob = "+15550002"

export type Services = Layer.Success<ReturnType<typeof person>>

export interface Person {
  readonly chats: SecretChats.SecretChats["Service"]
  readonly transport: Transport["Service"]
  readonly events: Array<SecretChats.SecretChatEvent>
  readonly run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Services>>
  /** The newest messages that came. */
  readonly messages: () => ReadonlyArray<Message>
}

export type Message = Extract<SecretChats.SecretChatEvent["event"], { readonly _tag: "NewMessage" }>

const person = (server: TestServer.TestServer["Service"]) =>
  SecretChats.layer({ accept: "allow" }).pipe(
    Layer.provideMerge(layerMemory),
    Layer.provideMerge(MtprotoTransport.layer({
      apiId: 12345,
      apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
      datacenters: server.datacenters,
      publicKeys: [server.publicKeyPem]
    })),
    Layer.provide(SessionStore.layerMemory),
    Layer.provideMerge(Layer.mergeAll(NodeCrypto.layer, NodeServices.layer, FileTransfers.layerMemory))
  )

const open = Effect.fnUntraced(function*(server: TestServer.TestServer["Service"], phone: string) {
  const context = yield* Layer.build(Layer.fresh(person(server)))
  const chats = Context.get(context, SecretChats.SecretChats)
  const events: Array<SecretChats.SecretChatEvent> = []
  yield* Effect.forkScoped(Effect.ignore(chats.runEvents((event) =>
    Effect.sync(() => {
      events.push(event)
    })
  )))
  const run = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideContext(effect, context)
  yield* run(
    Login.phone({ phone: Redacted.make(phone), code: () => Effect.map(server.loginCode(phone), Redacted.make) })
  )
  const one: Person = {
    chats,
    transport: Context.get(context, Transport),
    events,
    run,
    messages: () => events.flatMap(({ event }) => event._tag === "NewMessage" ? [event] : [])
  }
  return one
})

export interface Two {
  readonly server: TestServer.TestServer["Service"]
  readonly a: Person
  readonly b: Person
  readonly chatId: number
}

/** With further data centres, in the first of which Bob lives. */
export const twoIn = (...otherDcs: ReadonlyArray<number>): Effect.Effect<Two, any, Scope.Scope> =>
  Effect.gen(function*() {
    const server = yield* TestServer.make({ otherDcs })
    yield* server.createAccount({ phone: ann, firstName: "Ann" })
    yield* server.createAccount({ phone: bob, firstName: "Bob", dc: otherDcs[0] })
    const a = yield* open(server, ann)
    const b = yield* open(server, bob)
    const found = yield* a.transport.invoke(Api.contacts.resolvePhone({ phone: bob.slice(1) }))
    const { chatId } = yield* a.chats.request(found.users.find((user) => user._tag === "user")!)
    yield* a.chats.awaitReady(chatId)
    yield* eventually(() => b.events.some(({ event }) => event._tag === "ChatReady"))
    return { server, a, b, chatId }
  })

export const two: Effect.Effect<Two, any, Scope.Scope> = twoIn()

/** A folder that goes when the scope ends. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(NodePath.join(Os.tmpdir(), "secret-chats-files-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

/** Bytes that tell from which place they are, the same for the same seed. */
export const bytesOf = (length: number, seed = 1): Uint8Array => {
  const words = new Uint32Array(Math.ceil(length / 4))
  let x = seed
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    words[i] = x
  }
  return new Uint8Array(words.buffer, 0, length)
}

/** Compares without printing megabytes. */
export const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

export { eventually }
