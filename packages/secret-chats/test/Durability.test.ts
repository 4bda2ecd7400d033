import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { layerMemory, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import { sendEncrypted } from "@effect-mtproto/secret-chats/sendEncrypted"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, Context, Effect, Exit, Layer, Scope } from "effect"
import { SqlClient } from "effect/sql"
import { eventually, settle, start } from "./support/Peers.ts"
import { Relay } from "./support/Relay.ts"
import { chatOf, restartable, sqlite } from "./support/Restartable.ts"

const isReady = ({ event }: { readonly event: { readonly _tag: string } }) => event._tag === "ChatReady"

describe("restart", () => {
  it.live("a conversation goes on from the file, on both sides", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* restartable(relay, 1n)
      const bob = yield* restartable(relay, 2n, { accept: "allow" })
      const chatId = yield* chatOf(alice.peer(), bob.peer())
      const picture = yield* alice.peer().chats.keyPicture(chatId)
      for (let i = 0; i < 4; i++) {
        yield* alice.peer().chats.sendText(chatId, `a${i}`)
        yield* bob.peer().chats.sendText(chatId, `b${i}`)
        yield* (i % 2 === 0 ? alice.restart : bob.restart)
      }
      yield* eventually(() => bob.texts().length === 4 && alice.texts().length === 4)
      assert.deepStrictEqual(bob.texts(), ["a0", "a1", "a2", "a3"])
      assert.deepStrictEqual(alice.texts(), ["b0", "b1", "b2", "b3"])
      assert.deepStrictEqual(yield* alice.peer().chats.keyPicture(chatId), picture)
      assert.deepStrictEqual(yield* bob.peer().chats.keyPicture(chatId), picture)
    }))

  it.live("what was committed and not sent is sent at the next start", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* restartable(relay, 1n)
      const bob = yield* restartable(relay, 2n, { accept: "allow" })
      const chatId = yield* chatOf(alice.peer(), bob.peer())
      relay.down = "closed"
      for (const text of ["one", "two", "three"]) {
        assert.strictEqual((yield* Effect.flip(alice.peer().chats.sendText(chatId, text)))._tag, "TransportError")
      }
      yield* alice.stop
      relay.down = undefined
      yield* alice.restart
      yield* eventually(() => bob.texts().length === 3)
      assert.deepStrictEqual(bob.texts(), ["one", "two", "three"])
    }))

  it.live("what arrived while this side was away, or was not confirmed, arrives once", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* restartable(relay, 1n)
      const bob = yield* restartable(relay, 2n, { accept: "allow" })
      const chatId = yield* chatOf(alice.peer(), bob.peer())
      yield* bob.stop
      for (let i = 0; i < 10; i++) yield* alice.peer().chats.sendText(chatId, `${i}`)
      yield* bob.restart
      yield* eventually(() => bob.texts().length === 10)
      assert.deepStrictEqual(bob.texts(), Arr.makeBy(10, String))
      yield* eventually(() => bob.device.queue.length === 0)
    }))

  it.live("the key exchange goes on wherever it was interrupted", () =>
    Effect.gen(function*() {
      const steps = [
        ["messages.getDhConfig", "alice"],
        ["messages.requestEncryption", "alice"],
        ["messages.getDhConfig", "bob"],
        ["messages.acceptEncryption", "bob"]
      ] as const
      for (const [method, who] of steps) {
        for (const fault of [{ transport: "closed" as const }, { loseAnswer: true }]) {
          const relay = new Relay()
          const alice = yield* restartable(relay, 1n)
          const bob = yield* restartable(relay, 2n, { accept: "allow" })
          const hit = who === "alice" ? alice : bob
          // The other side asks for the group first.
          if (method === "messages.getDhConfig" && who === "bob") relay.fail(method, {}, fault)
          else relay.fail(method, fault)
          const requested = yield* Effect.forkChild(
            Effect.exit(alice.peer().chats.request({ userId: 2n, accessHash: 0n }))
          )
          yield* eventually(() => relay.faultsLeft(method) === 0, `the fault in ${method}`)
          yield* settle
          yield* hit.restart
          yield* eventually(
            () => [alice, bob].every(({ peers }) => peers.some(({ events }) => events.some(isReady))),
            `${method} of ${who} ${JSON.stringify(fault)}`
          )
          const [chat] = yield* alice.peer().chats.list
          yield* alice.peer().chats.sendText(chat!.chatId, "hello")
          yield* eventually(() => bob.texts().length === 1)
          yield* bob.peer().chats.sendText(chat!.chatId, "hi")
          yield* eventually(() => alice.texts().length === 1)
          assert.deepStrictEqual(
            yield* alice.peer().chats.keyPicture(chat!.chatId),
            yield* bob.peer().chats.keyPicture(chat!.chatId)
          )
          yield* alice.stop
          yield* bob.stop
          void requested
        }
      }
    }), { timeout: 60_000 })

  it.live("a program that ends as soon as each message is sent comes to a new key as well", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* restartable(relay, 1n)
      const bob = yield* restartable(relay, 2n, { accept: "allow" })
      const chatId = yield* chatOf(alice.peer(), bob.peer())
      const texts = Arr.makeBy(101, String)
      yield* Effect.forEach(texts, (text) => alice.peer().chats.sendText(chatId, text), { concurrency: "unbounded" })
      // A run to make the key pair, one to send RequestKey, one to answer AcceptKey; more if bob takes his time.
      const isDone = () => bob.peer().events.some(({ event }) => event._tag === "Rekeyed")
      for (let i = 0; !isDone(); i++) {
        assert.isBelow(i, 50, "no new key")
        yield* alice.restart
        yield* alice.peer().chats.sendText(chatId, `run ${i}`)
        texts.push(`run ${i}`)
        yield* alice.stop
        yield* settle
      }
      yield* eventually(() => bob.texts().length === texts.length)
      assert.deepStrictEqual(bob.texts(), texts)
    }))

  it.live("a discard that the server has not heard of is told at the next start", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* restartable(relay, 1n)
      const bob = yield* restartable(relay, 2n, { accept: "allow" })
      const chatId = yield* chatOf(alice.peer(), bob.peer())
      relay.fail("messages.discardEncryption", { transport: "closed" })
      const error = yield* Effect.flip(alice.peer().chats.discard(chatId, { deleteHistory: true }))
      assert.strictEqual(error._tag, "TransportError")
      assert.strictEqual((yield* alice.peer().chats.get(chatId)).state, "closed")
      yield* alice.restart
      yield* eventually(() => bob.peer().events.some(({ event }) => event._tag === "ChatClosed"))
      const [request] = relay.calls("messages.discardEncryption")
      assert.deepInclude(request as object, { chatId, deleteHistory: true })
    }))
})

describe("a commit that fails", () => {
  for (const when of ["before", "after"] as const) {
    it.live(`${when === "before" ? "without having happened" : "although it happened"} loses and repeats nothing`, () =>
      Effect.gen(function*() {
        const relay = new Relay()
        const alice = yield* restartable(relay, 1n)
        const bob = yield* restartable(relay, 2n, { accept: "allow" })
        const chatId = yield* chatOf(alice.peer(), bob.peer())
        const sent: Array<string> = []
        for (let i = 0; i < 20; i++) {
          let failed = false
          alice.faults.onCommit = () => {
            if (failed || i % 3 !== 0) return undefined
            failed = true
            return when
          }
          const exit = yield* Effect.exit(alice.peer().chats.sendText(chatId, `${i}`))
          // A commit that happened is carried on with, whatever was said of it.
          if (Exit.isSuccess(exit) || when === "after") sent.push(`${i}`)
        }
        alice.faults.onCommit = () => undefined
        yield* alice.peer().chats.sendText(chatId, "end")
        yield* eventually(() => bob.texts().includes("end"))
        assert.deepStrictEqual(bob.texts(), [...sent, "end"])
      }))

    it.live(`at the receiver, ${when === "before" ? "without having happened" : "although it happened"}`, () =>
      Effect.gen(function*() {
        const relay = new Relay()
        const alice = yield* restartable(relay, 1n)
        const bob = yield* restartable(relay, 2n, { accept: "allow" })
        const chatId = yield* chatOf(alice.peer(), bob.peer())
        let n = 0
        bob.faults.onCommit = () => (++n === 2 ? when : undefined)
        for (let i = 0; i < 5; i++) yield* alice.peer().chats.sendText(chatId, `${i}`)
        yield* eventually(() => bob.texts().length === 5)
        assert.deepStrictEqual(bob.texts(), ["0", "1", "2", "3", "4"])
        yield* eventually(() => bob.device.queue.length === 0)
      }))
  }
})

describe("two engines on one database", () => {
  it.live("both send on the same chat; every message arrives once, each side's in its order", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* restartable(relay, 1n)
      const bob = yield* restartable(relay, 2n, { accept: "allow" })
      const chatId = yield* chatOf(alice.peer(), bob.peer())
      yield* settle
      // The same device and file, another store: as another process would have it.
      const second = yield* Layer.build(Layer.fresh(
        Layer.mergeAll(sqlite(alice.filename), NodeCrypto.layer, relay.connect(alice.device))
      ))
      const send = (text: string) =>
        Effect.provideContext(sendEncrypted(chatId, DecryptedMessage.message(text)), second)
      const ours = Effect.forEach(Arr.makeBy(15, (i) => `one${i}`), (text) => alice.peer().chats.sendText(chatId, text))
      const theirs = Effect.forEach(Arr.makeBy(15, (i) => `two${i}`), send)
      yield* Effect.all([ours, theirs], { concurrency: 2, discard: true })
      yield* eventually(() => bob.texts().length === 30)
      const texts = bob.texts()
      assert.deepStrictEqual(texts.filter((text) => text.startsWith("one")), Arr.makeBy(15, (i) => `one${i}`))
      assert.deepStrictEqual(texts.filter((text) => text.startsWith("two")), Arr.makeBy(15, (i) => `two${i}`))
    }))
})

describe("malformed frames", () => {
  it.live(
    "every single bit of a frame flipped: nothing happens, and the store is the same byte for byte",
    () =>
      Effect.gen(function*() {
        const relay = new Relay()
        const alice = yield* restartable(relay, 1n)
        const bob = yield* restartable(relay, 2n, { accept: "allow" })
        const chatId = yield* chatOf(alice.peer(), bob.peer())
        yield* settle
        // A frame that the server keeps from Bob.
        const push = relay.push.bind(relay)
        let frame: Uint8Array | undefined
        relay.push = (device, update) => {
          if (device === bob.device && update._tag === "updateNewEncryptedMessage") frame ??= update.message.bytes
          else push(device, update)
        }
        const outcome = yield* alice.peer().chats.sendText(chatId, "untouched")
        relay.push = push
        assert.isDefined(frame)
        yield* settle
        yield* eventually(() => bob.device.queue.length === 0)

        const dump = Effect.gen(function*() {
          const sql = yield* SqliteClient.SqliteClient
          const tables = yield* sql<{ name: string }>`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`
          return yield* Effect.forEach(tables, ({ name }) => sql`SELECT * FROM ${sql(name)} ORDER BY 1, 2, 3`.values)
        }).pipe(
          Effect.provideService(SqlClient.SafeIntegers, true),
          Effect.provide(SqliteClient.layer({ filename: bob.filename, readonly: true }))
        )
        // Confirmations are stored a moment later.
        yield* Effect.sleep("200 millis")
        const before = yield* dump
        const { commits } = bob.faults

        for (let bit = 0; bit < frame!.length * 8; bit++) {
          const flipped = frame!.slice()
          flipped[bit >> 3]! ^= 1 << (bit & 7)
          relay.inject(bob.device, chatId, flipped)
        }
        for (const length of [0, 1, 7, 8, 23, 24, 25, 39, 40, frame!.length - 16, frame!.length - 1]) {
          relay.inject(bob.device, chatId, frame!.slice(0, length))
        }
        relay.inject(bob.device, chatId, new Uint8Array(40))
        relay.inject(bob.device, chatId, new Uint8Array(1 << 20).fill(1))
        yield* eventually(() => bob.device.queue.length === 0)
        assert.deepStrictEqual(yield* dump, before)
        assert.strictEqual(bob.faults.commits, commits)
        assert.deepStrictEqual(bob.texts(), [])

        relay.inject(bob.device, chatId, frame!, (outcome as { randomId: bigint }).randomId)
        yield* eventually(() => bob.texts().length === 1)
        assert.deepStrictEqual(bob.texts(), ["untouched"])
      }),
    { timeout: 60_000 }
  )
})

describe("a chat that cannot be read", () => {
  it.live("is a StoreError of its own, and does not hold up the others", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* restartable(relay, 1n)
      const bob = yield* restartable(relay, 2n, { accept: "allow" })
      const first = yield* chatOf(alice.peer(), bob.peer())
      const { chatId: second } = yield* alice.peer().chats.request({ userId: 2n, accessHash: 0n })
      yield* alice.peer().chats.awaitReady(second)
      yield* settle
      yield* bob.stop
      yield* Effect.gen(function*() {
        const sql = yield* SqliteClient.SqliteClient
        yield* sql`UPDATE secret_chats SET head = ${new TextEncoder().encode("{\"v\":1}")} WHERE chat_id = ${first}`
      }).pipe(Effect.provide(SqliteClient.layer({ filename: bob.filename })))
      yield* bob.restart
      const error = yield* Effect.flip(bob.peer().chats.sendText(first, "x"))
      assert.deepInclude(error, { _tag: "StoreError", reason: "corrupt" })
      yield* alice.peer().chats.sendText(first, "to the broken one")
      yield* alice.peer().chats.sendText(second, "to the whole one")
      yield* eventually(() => bob.texts().length === 1)
      assert.deepStrictEqual(bob.texts(), ["to the whole one"])
      yield* eventually(() => bob.device.queue.length === 0)
    }))
})

describe("closing the store", () => {
  it.live("notes what the server has taken, so that nothing is sent again", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* restartable(relay, 1n)
      const bob = yield* restartable(relay, 2n, { accept: "allow" })
      const chatId = yield* chatOf(alice.peer(), bob.peer())
      yield* alice.peer().chats.sendText(chatId, "once")
      yield* alice.stop
      const sent = relay.calls("messages.sendEncrypted", alice.device).length
      yield* alice.restart
      yield* settle
      assert.strictEqual(relay.calls("messages.sendEncrypted", alice.device).length, sent)
      const unsent = yield* Context.get(alice.peer().context, SecretChatStore).outboxUnsent({ chatId, limit: 10 })
      assert.deepStrictEqual(unsent, [])
    }))

  it.live("ends what waits with an error instead of leaving it", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const device = relay.device(1n)
      const scope = yield* Scope.make()
      const alice = yield* Scope.provide(start(relay, device, { store: layerMemory }), scope)
      yield* Scope.close(scope, Exit.void)
      const exit = yield* Effect.exit(alice.chats.request({ userId: 1n, accessHash: 0n }))
      assert.isTrue(Exit.isFailure(exit))
    }))
})
