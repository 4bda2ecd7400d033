/** A peer on a file, that can be stopped and started again. */
import { layerSql } from "@effect-mtproto/secret-chats/SecretChatStore"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as FaultyStore from "./FaultyStore.ts"
import { eventually, type Peer, start } from "./Peers.ts"
import type { Relay } from "./Relay.ts"

const temporaryFile = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "secret-chats-"))),
  (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
).pipe(Effect.map((folder) => Path.join(folder, "store.db")))

export const sqlite = (filename: string) => layerSql().pipe(Layer.provide(SqliteClient.layer({ filename })))

/** A peer that can be stopped and started again on the same file. */
export const restartable = Effect.fnUntraced(function*(
  relay: Relay,
  userId: bigint,
  options: Parameters<typeof start>[2] = {}
) {
  const filename = yield* temporaryFile
  const device = relay.device(userId)
  const faults = new FaultyStore.Faults()
  let scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const run = Effect.suspend(() =>
    Scope.provide(start(relay, device, { ...options, store: FaultyStore.layer(faults, sqlite(filename)) }), scope)
  )
  const peers: Array<Peer> = [yield* run]
  return {
    device,
    faults,
    filename,
    peers,
    peer: () => peers.at(-1)!,
    /** The texts that arrived, over all runs, in order; repeated events are told apart by their random id. */
    texts: () => {
      const seen = new Set<bigint>()
      return peers.flatMap((peer) => peer.events).flatMap(({ event }) => {
        if (event._tag !== "NewMessage" || seen.has(event.randomId)) return []
        seen.add(event.randomId)
        return [event.message.message]
      })
    },
    stop: Effect.suspend(() => Scope.close(scope, Exit.void)),
    restart: Effect.gen(function*() {
      yield* Scope.close(scope, Exit.void)
      scope = yield* Scope.make()
      peers.push(yield* run)
    })
  }
})

export const chatOf = Effect.fnUntraced(function*(alice: Peer, bob: Peer) {
  const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 0n })
  yield* alice.chats.awaitReady(chatId)
  yield* eventually(() => bob.events.some(({ event }) => event._tag === "ChatReady"), "bob's chat")
  return chatId
})
