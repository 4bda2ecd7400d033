/** The gateway in a process of its own, so that its CPU can be told from that of whoever calls it. */
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Gateway from "@effect-mtproto/gateway/Gateway"
import * as GatewayStore from "@effect-mtproto/gateway/GatewayStore"
import * as Sessions from "@effect-mtproto/gateway/Sessions"
import { sendEncryptedService } from "@effect-mtproto/secret-chats/sendEncryptedService"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as SqlVault from "@effect-mtproto/transport/SqlVault"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import type { Address } from "../rpc/server.ts"

/** How the process is started. */
export interface Setup {
  readonly address: Address
  readonly database: string
}

/** What it can be told. */
export type Command =
  /** Sends so many service messages without HTTP, so many at a time. */
  | { readonly _tag: "Direct"; readonly chat: number; readonly count: number; readonly inFlight: number }
  /** CPU of this process so far, in milliseconds, and what its heap holds when all garbage is gone, in bytes. */
  | { readonly _tag: "Look"; readonly collect: boolean }

/** CPU in milliseconds, bytes of the heap. */
export interface Look {
  readonly cpu: number
  readonly heap: number
}

const { address, database } = JSON.parse(process.argv[2]!) as Setup

const runtime = ManagedRuntime.make(
  Gateway.layerHttp({ port: 0 }).pipe(
    Layer.provideMerge(Gateway.layer({
      limits: { requestsPerSecond: 0, attemptsPerMinute: 0 },
      telegram: {
        apiId: 12345,
        apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
        datacenters: [{ id: address.dcId, host: address.host, port: address.port }],
        publicKeys: [address.publicKeyPem]
      }
    })),
    Layer.provide(SqlVault.layer({ key: Redacted.make(new Uint8Array(32).fill(1)) })),
    Layer.provide(SqliteClient.layer({ filename: database })),
    Layer.provide(NodeCrypto.layer)
  )
)

const direct = (chat: number, count: number, inFlight: number) =>
  Effect.gen(function*() {
    const sessions = yield* Sessions.Sessions
    const [session] = yield* GatewayStore.GatewayStore.use((store) => store.sessions)
    let sent = 0
    const lane = Effect.whileLoop({
      while: () => sent < count,
      body: () => {
        sent++
        return sendEncryptedService(chat, DecryptedMessage.noop())
      },
      step: () => {}
    })
    yield* sessions.use(
      session!.id,
      Effect.forEach(Array.from({ length: inFlight }), () => lane, { concurrency: "unbounded", discard: true })
    )
  })

const obey = async (command: Command): Promise<unknown> => {
  switch (command._tag) {
    case "Direct": {
      const start = performance.now()
      await runtime.runPromise(direct(command.chat, command.count, command.inFlight))
      return performance.now() - start
    }
    case "Look": {
      if (command.collect) {
        globalThis.gc?.()
        globalThis.gc?.()
      }
      const { system, user } = process.cpuUsage()
      return { cpu: (system + user) / 1e3, heap: process.memoryUsage().heapUsed } satisfies Look
    }
  }
}

process.on("message", (command: Command) => {
  obey(command).then((answer) => process.send!(answer), (error) => {
    process.stderr.write(`${String(error)}\n`)
    process.exit(1)
  })
})
process.on("disconnect", () => {
  void runtime.dispose().then(() => process.exit(0))
})
const base = await runtime.runPromise(
  HttpServer.HttpServer.useSync(({ address }) => HttpServer.formatAddress(address))
)
process.send!(base)
