/**
 * One program, two worlds: it asks for `Crypto`, `Transport` and `SecretChatStore` and names no implementation, so a test
 * gives it memory where production gives it a file.
 *
 * Run it with `node examples/swap-layers.ts`; the test beside it runs the same program.
 */
import { DecryptedMessage } from "@effect-mtproto/core"
import { SecretChats, sendEncrypted, sendEncryptedService } from "@effect-mtproto/secret-chats"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Offline from "./demo/offline.ts"

/** Hands over a secret that disappears. This is the program under test; nothing below is part of it. */
export const deliver = Effect.fnUntraced(function*(chatId: number, secret: string) {
  yield* sendEncryptedService(chatId, DecryptedMessage.setMessageTtl(30))
  yield* sendEncrypted(chatId, DecryptedMessage.message(secret, { silent: true }))
  return "delivered" as const
}, Effect.catchTag(["EncryptionDeclined", "SecretChatClosed"], () => Effect.succeed("not wanted" as const)))

/** Runs the program between two accounts whose stores are given; answers with what came out, and what the other side read. */
export const run = <E>(storesOf: (name: string) => Parameters<typeof Offline.services<E>>[1]) =>
  Effect.gen(function*() {
    const server = yield* Offline.server
    const account = Effect.fnUntraced(function*(name: string, phone: string) {
      const services = yield* Layer.build(Layer.fresh(
        Layer.provideMerge(SecretChats.layer(), Offline.services(server, storesOf(name)))
      ))
      yield* Effect.provideContext(Offline.logIn(server, phone), services)
      return services
    })
    const ann = yield* account("ann", "+15550001")
    const bob = yield* account("bob", "+15550002")
    const chatId = yield* Offline.openChat(ann, bob)
    const answer = yield* Effect.provideContext(deliver(chatId, "The code is 4711"), ann)
    const [read] = yield* Offline.texts(bob, 1)
    yield* server.faults.failNext("messages.sendEncryptedService", { code: 400, type: "ENCRYPTION_DECLINED" })
    const refused = yield* Effect.provideContext(deliver(chatId, "Another one"), ann)
    return { answer, read, refused }
  }).pipe(Effect.scoped)

/** In memory, as in a test. */
export const inMemory = run(() => Offline.inMemory)

/** In SQLite files, as in production. */
export const inFiles = Effect.acquireUseRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "swap-layers-"))),
  (folder) => run((name) => Offline.inFile(join(folder, `${name}.db`))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

if (import.meta.main) {
  NodeRuntime.runMain(Effect.gen(function*() {
    yield* Console.log("in memory:", yield* inMemory)
    yield* Console.log("in files: ", yield* inFiles)
  }))
}
