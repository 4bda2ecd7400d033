/**
 * One of us in a process of its own: our transport, our chats, a SQLite file whose commits survive power loss. It does
 * what it is told to, and says how long that took.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretChatStore from "@effect-mtproto/secret-chats/SecretChatStore"
import { sendEncryptedService } from "@effect-mtproto/secret-chats/sendEncryptedService"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { Account, Address } from "../rpc/server.ts"

/** How the process is started. */
export interface Setup {
  readonly address: Address
  readonly account: Account
  readonly database: string
}

/** What it can be told. */
export type Command =
  /** Asks for so many chats, and waits until all are ready: their numbers. */
  | { readonly _tag: "Open"; readonly phone: string; readonly count: number }
  /** Sends so many messages over these chats, one chat after the other, so many at a time. */
  | { readonly _tag: "Send"; readonly chats: ReadonlyArray<number>; readonly count: number; readonly inFlight: number }
  /** Waits until so many messages were received since the last time, and confirmed. */
  | { readonly _tag: "Receive"; readonly count: number }
  | { readonly _tag: "Memory" }
  /** Goes through all chats of the store. */
  | { readonly _tag: "List" }

/** Milliseconds; CPU of all threads. */
export interface Timing {
  readonly wall: number
  readonly cpu: number
}

const { account, address, database } = JSON.parse(process.argv[2]!) as Setup

const runtime = ManagedRuntime.make(
  SecretChats.layer({ accept: "allow" }).pipe(
    Layer.provideMerge(SecretChatStore.layerSql()),
    Layer.provideMerge(
      MtprotoTransport.layer({
        apiId: 12345,
        apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
        datacenters: [{ id: address.dcId, host: address.host, port: address.port }],
        publicKeys: [address.publicKeyPem]
      })
    ),
    Layer.provide(SessionStore.layerUnsealedSql()),
    Layer.provideMerge(NodeCrypto.layer),
    Layer.provide(SqliteClient.layer({ filename: database }))
  )
)

let received = 0
let wanted: { readonly count: number; readonly done: () => void } | undefined
const arrived = () => {
  received++
  if (wanted !== undefined && received >= wanted.count) wanted.done()
}

const timed = async (run: () => Promise<unknown>): Promise<Timing> => {
  const before = process.cpuUsage()
  const start = performance.now()
  await run()
  const { system, user } = process.cpuUsage(before)
  return { wall: performance.now() - start, cpu: (system + user) / 1e3 }
}

const open = (phone: string, count: number) =>
  Effect.gen(function*() {
    const chats = yield* SecretChats.SecretChats
    const transport = yield* Transport
    const found = yield* transport.invoke(Api.contacts.resolvePhone({ phone }))
    const user = found.users[0] as Api.user
    return yield* Effect.forEach(
      Array.from({ length: count }),
      () => Effect.flatMap(chats.request(user), (chat) => Effect.as(chats.awaitReady(chat.chatId), chat.chatId)),
      { concurrency: 8 }
    )
  })

const send = (chats: ReadonlyArray<number>, count: number, inFlight: number) =>
  Effect.suspend(() => {
    let sent = 0
    const lane = Effect.whileLoop({
      while: () => sent < count,
      body: () =>
        sendEncryptedService(
          chats[sent % chats.length]!,
          DecryptedMessage.message(`message number ${sent++} of a benchmark`)
        ),
      step: () => {}
    })
    return Effect.forEach(Array.from({ length: inFlight }), () => lane, { concurrency: "unbounded", discard: true })
  })

const obey = async (command: Command): Promise<unknown> => {
  switch (command._tag) {
    case "Open":
      return runtime.runPromise(open(command.phone, command.count))
    case "Send":
      return timed(() => runtime.runPromise(send(command.chats, command.count, command.inFlight)))
    case "Receive":
      return timed(() =>
        new Promise<void>((resolve) => {
          const done = () => {
            received -= command.count
            wanted = undefined
            resolve()
          }
          if (received >= command.count) done()
          else wanted = { count: command.count, done }
        })
      )
    case "List":
      return timed(() => runtime.runPromise(SecretChats.SecretChats.use((chats) => Stream.runDrain(chats.all))))
    case "Memory":
      globalThis.gc?.()
      globalThis.gc?.()
      return process.memoryUsage()
  }
}

await runtime.runPromise(Effect.gen(function*() {
  const client = yield* MtprotoTransport.MtprotoTransport
  if ((yield* client.account).userId === undefined) {
    yield* Login.phone({
      phone: Redacted.make(account.phone),
      code: () => Effect.succeed(Redacted.make(account.code))
    })
  }
}))
const events = runtime.runFork(
  Effect.flatMap(SecretChats.SecretChats, (chats) =>
    chats.runEvents(({ event }) =>
      Effect.sync(() => {
        if (event._tag === "NewMessage") arrived()
      })
    ))
)
process.on("message", (command: Command) => {
  obey(command).then((answer) => process.send!(answer), (error) => {
    process.stderr.write(`${String(error)}\n`)
    process.exit(1)
  })
})
process.on("disconnect", () => {
  void runtime.runPromise(Fiber.interrupt(events)).then(() => runtime.dispose()).then(() => process.exit(0))
})
process.send!("ready")
