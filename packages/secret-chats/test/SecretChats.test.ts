import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import type * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { layerMemory } from "@effect-mtproto/secret-chats/SecretChatStore"
import { sendEncrypted, sendEncryptedStream } from "@effect-mtproto/secret-chats/sendEncrypted"
import { sendEncryptedService, sendEncryptedServiceStream } from "@effect-mtproto/secret-chats/sendEncryptedService"
import { TransportError } from "@effect-mtproto/transport/Transport"
import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, Deferred, Effect, Fiber, Option, Queue, Stream } from "effect"
import * as FaultyStore from "./support/FaultyStore.ts"
import { eventually, messagesOf, pair, type Peer, settle, start } from "./support/Peers.ts"
import { Relay } from "./support/Relay.ts"

const tagsOf = (peer: Peer) => peer.events.map(({ event }) => event._tag)

const has = (peer: Peer, tag: string) =>
  eventually(() => peer.events.some(({ event }) => event._tag === tag), `${tag} of ${tagsOf(peer).join(", ")}`)

describe("coming to a chat", () => {
  it.live("asked, accepted, ready: both see the same picture, and who is who", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId } = yield* pair()
      const pictures = [yield* alice.chats.keyPicture(chatId), yield* bob.chats.keyPicture(chatId)] as const
      assert.deepStrictEqual(pictures[0], pictures[1])
      assert.strictEqual(pictures[0].hash.length, 36)
      assert.match(pictures[0].svg, /^<svg/)
      assert.strictEqual(pictures[0].letters.split("\n").length, 12)
      assert.deepInclude(yield* alice.chats.get(chatId), { chatId, userId: 2n, outgoing: true, state: "ready", ttl: 0 })
      assert.deepInclude(yield* bob.chats.get(chatId), { chatId, userId: 1n, outgoing: false, state: "ready" })
      assert.deepStrictEqual((yield* alice.chats.list).map((chat) => chat.chatId), [chatId])
      assert.deepStrictEqual(tagsOf(alice).slice(0, 2), ["ChatWaiting", "ChatReady"])
      assert.deepStrictEqual(tagsOf(bob).slice(0, 2), ["ChatRequested", "ChatReady"])
    }))

  it.live("with the policy ask nothing is accepted before the user says so", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* start(relay, relay.device(1n))
      const bob = yield* start(relay, relay.device(2n))
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 0n })
      yield* has(bob, "ChatRequested")
      yield* settle
      assert.strictEqual(relay.calls("messages.acceptEncryption").length, 0)
      assert.strictEqual((yield* bob.chats.get(chatId)).state, "requested")
      const waiting = yield* Effect.forkChild(alice.chats.awaitReady(chatId))
      assert.strictEqual((yield* bob.chats.accept(chatId)).state, "ready")
      assert.strictEqual((yield* Fiber.join(waiting)).state, "ready")
      // Saying yes twice is saying yes.
      assert.strictEqual((yield* bob.chats.accept(chatId)).state, "ready")
      assert.strictEqual(relay.calls("messages.acceptEncryption").length, 1)
    }))

  it.live("with the policy none a request leaves no trace, and another device can take it", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* start(relay, relay.device(1n))
      const phone = relay.device(2n)
      const bobPhone = yield* start(relay, phone, { accept: "none" })
      const bobDesk = yield* start(relay, relay.device(2n), { accept: "allow" })
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 0n })
      yield* alice.chats.awaitReady(chatId)
      yield* has(bobDesk, "ChatReady")
      yield* settle
      assert.deepStrictEqual(yield* bobPhone.chats.list, [])
      assert.deepStrictEqual(phone.queue, [])
    }))

  it.live("a policy can be a function of who asks", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const asked: Array<SecretChats.ChatRequest> = []
      const alice = yield* start(relay, relay.device(1n))
      const eve = yield* start(relay, relay.device(3n))
      const bob = yield* start(relay, relay.device(2n), {
        accept: (request) =>
          Effect.sync(() => {
            asked.push(request)
            return request.userId === 1n ? "allow" : "ask"
          })
      })
      const one = yield* alice.chats.request({ userId: 2n, accessHash: 0n })
      const two = yield* eve.chats.request({ _tag: "inputUser", userId: 2n, accessHash: 0n })
      yield* alice.chats.awaitReady(one.chatId)
      yield* eventually(() => asked.length === 2)
      yield* settle
      assert.strictEqual((yield* bob.chats.get(two.chatId)).state, "requested")
      assert.deepStrictEqual(asked.map((request) => request.userId), [1n, 3n])
    }))

  it.live("declined", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* start(relay, relay.device(1n))
      const bob = yield* start(relay, relay.device(2n))
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 0n })
      yield* has(bob, "ChatRequested")
      assert.strictEqual((yield* bob.chats.decline(chatId)).state, "closed")
      const error = yield* Effect.flip(alice.chats.awaitReady(chatId))
      assert.deepInclude(error, { _tag: "SecretChatClosed", reason: { _tag: "Declined" } })
    }))

  it.live("withdrawn before it was accepted: EncryptionAlreadyDeclined", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* start(relay, relay.device(1n))
      const bob = yield* start(relay, relay.device(2n))
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 0n })
      yield* has(bob, "ChatRequested")
      relay.fail("messages.acceptEncryption", { code: 400, type: "ENCRYPTION_ALREADY_DECLINED" })
      assert.strictEqual((yield* Effect.flip(bob.chats.accept(chatId)))._tag, "EncryptionAlreadyDeclined")
      assert.strictEqual((yield* bob.chats.get(chatId)).state, "closed")
    }))

  it.live("taken by another device: EncryptionAlreadyAccepted, and the chat is not discarded", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* start(relay, relay.device(1n))
      const bob = yield* start(relay, relay.device(2n))
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 0n })
      yield* has(bob, "ChatRequested")
      relay.fail("messages.acceptEncryption", { code: 400, type: "ENCRYPTION_ALREADY_ACCEPTED" })
      assert.strictEqual((yield* Effect.flip(bob.chats.accept(chatId)))._tag, "EncryptionAlreadyAccepted")
      yield* settle
      assert.strictEqual(relay.calls("messages.discardEncryption").length, 0)
    }))

  it.live("a refused request is the server's error", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* start(relay, relay.device(1n))
      relay.fail("messages.requestEncryption", { code: 403, type: "USER_IS_BLOCKED" })
      assert.deepInclude(yield* Effect.flip(alice.chats.request({ userId: 2n, accessHash: 0n })), {
        _tag: "UserIsBlocked",
        code: 403
      })
      const unknown = yield* Effect.flip(alice.chats.request({ userId: 9n, accessHash: 0n }))
      assert.deepInclude(unknown, { _tag: "RpcError", code: 400, type: "USER_ID_INVALID" })
      relay.fail("messages.getDhConfig", { code: 400, type: "RANDOM_LENGTH_INVALID" })
      assert.deepInclude(yield* Effect.flip(alice.chats.request({ userId: 2n, accessHash: 0n })), {
        _tag: "RpcError",
        type: "RANDOM_LENGTH_INVALID"
      })
    }))

  it.live("lost answers in every call of the key exchange", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      for (const method of ["messages.getDhConfig", "messages.requestEncryption", "messages.acceptEncryption"]) {
        relay.fail(method, { loseAnswer: true }, { transport: "timeout" })
      }
      const alice = yield* start(relay, relay.device(1n))
      const bob = yield* start(relay, relay.device(2n), { accept: "allow" })
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 0n })
      yield* alice.chats.awaitReady(chatId)
      yield* alice.chats.sendText(chatId, "made it")
      yield* eventually(() => messagesOf(bob).length === 1)
      yield* bob.chats.sendText(chatId, "me too")
      yield* eventually(() => messagesOf(alice).length === 1)
      assert.deepStrictEqual(yield* alice.chats.keyPicture(chatId), yield* bob.chats.keyPicture(chatId))
    }), { timeout: 20_000 })

  it.live("a group that is not safe closes the chat before anything is computed in it", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const bad = new Relay()
      // The relay knows the group by its version; a foreign one is answered through a fault of its own.
      const alice = yield* start(bad, bad.device(1n))
      bad.device(2n)
      ;(bad as any).execute = (_: unknown, request: { readonly _tag: string }) =>
        request._tag === "messages.getDhConfig"
          ? {
            result: {
              _tag: "messages.dhConfig",
              g: 3,
              p: new Uint8Array(256).fill(0xff),
              version: 1,
              random: new Uint8Array(256)
            }
          }
          : { error: { code: 400, type: "METHOD_INVALID" } }
      const error = yield* Effect.flip(alice.chats.request({ userId: 2n, accessHash: 0n }))
      assert.deepInclude(error, { _tag: "SecretChatClosed", reason: { _tag: "KeyCheck", check: "parameters" } })
      assert.strictEqual(relay.log.length, 0)
    }))

  it.live("closing deletes what both sides have, and forgetting removes the chat", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId } = yield* pair()
      yield* alice.chats.sendText(chatId, "secret")
      yield* eventually(() => messagesOf(bob).length === 1)
      assert.strictEqual((yield* bob.chats.messages(chatId)).length, 1)
      assert.strictEqual((yield* Effect.flip(alice.chats.forget(chatId)))._tag, "MessageInvalid")
      yield* alice.chats.discard(chatId, { deleteHistory: true })
      yield* has(bob, "ChatClosed")
      assert.deepStrictEqual(yield* alice.chats.messages(chatId), [])
      assert.deepStrictEqual(yield* bob.chats.messages(chatId), [])
      yield* alice.chats.forget(chatId)
      assert.strictEqual((yield* Effect.flip(alice.chats.get(chatId)))._tag, "SecretChatUnknown")
      assert.deepStrictEqual(yield* alice.chats.list, [])
    }))
})

describe("sending", () => {
  it.live("every action arrives as what it is", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId } = yield* pair()
      yield* alice.chats.sendText(chatId, "one")
      yield* eventually(() => messagesOf(bob).length === 1)
      const randomId = bob.events.flatMap(({ event }) => event._tag === "NewMessage" ? [event.randomId] : [])[0]!
      yield* bob.chats.readMessages(chatId, [randomId])
      yield* alice.chats.setTtl(chatId, 60)
      yield* alice.chats.screenshotTaken(chatId, [randomId])
      yield* alice.chats.deleteMessages(chatId, [randomId])
      yield* alice.chats.notifyLayer(chatId)
      yield* alice.chats.noop(chatId)
      yield* alice.chats.flushHistory(chatId)
      yield* has(bob, "HistoryFlushed")
      yield* has(alice, "ContentOpened")
      const actions = bob.events.filter(({ event }) => "by" in event && event.by === "peer").map(({ event }) =>
        event._tag
      )
      assert.deepStrictEqual(actions, ["TtlChanged", "Screenshot", "MessagesDeleted", "HistoryFlushed"])
      assert.strictEqual((yield* bob.chats.get(chatId)).ttl, 60)
      assert.deepStrictEqual(yield* bob.chats.messages(chatId), [])
    }))

  it.live("a message without a timer gets that of the chat", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId } = yield* pair()
      yield* bob.chats.setTtl(chatId, 30)
      yield* has(alice, "TtlChanged")
      yield* alice.chats.sendText(chatId, "chat's")
      yield* alice.chats.sendText(chatId, "own", { ttl: 5 })
      yield* eventually(() => messagesOf(bob).length === 2)
      const ttls = bob.events.flatMap(({ event }) => event._tag === "NewMessage" ? [event.message.ttl] : [])
      assert.deepStrictEqual(ttls, [30, 5])
    }))

  it.live("the programs and the service share one order, and the outcomes tell it", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId } = yield* pair()
      const outcomes = yield* Effect.forEach(Arr.makeBy(30, (i) => i), (i) =>
        i % 3 === 0
          ? alice.chats.sendText(chatId, `${i}`)
          : i % 3 === 1
          ? alice.run(sendEncrypted(chatId, DecryptedMessage.message(`${i}`)))
          : alice.run(sendEncryptedService({ chatId }, DecryptedMessage.message(`${i}`))), { concurrency: "unbounded" })
      yield* eventually(() => messagesOf(bob).length === 30)
      const byIndex = outcomes.flat().map((outcome, i) => [outcome.index, String(i)] as const)
        .toSorted((a, b) => a[0] - b[0])
      assert.deepStrictEqual(messagesOf(bob), byIndex.map(([, text]) => text))
      assert.deepStrictEqual(
        bob.events.flatMap(({ event }) => event._tag === "NewMessage" ? [event.randomId] : []).toSorted(),
        outcomes.flat().map((outcome) => outcome.randomId).toSorted()
      )
    }))

  it.live("concurrent sends share commits", () =>
    Effect.gen(function*() {
      const faults = new FaultyStore.Faults()
      const { alice, bob, chatId } = yield* pair({ aliceStore: FaultyStore.layer(faults, layerMemory) })
      const before = faults.commits
      yield* Effect.forEach(Arr.makeBy(100, (i) => i), (i) => alice.chats.sendText(chatId, `${i}`), {
        concurrency: "unbounded",
        discard: true
      })
      yield* eventually(() => messagesOf(bob).length === 100)
      // One for the messages, and a few for answers, acknowledgements and the key exchange that a hundred messages start.
      assert.isBelow(faults.commits - before, 20)
    }))

  it.live("one after the other costs one commit each", () =>
    Effect.gen(function*() {
      const faults = new FaultyStore.Faults()
      const { alice, chatId } = yield* pair({ aliceStore: FaultyStore.layer(faults, layerMemory) })
      const before = faults.commits
      for (let i = 0; i < 20; i++) yield* alice.chats.sendText(chatId, `${i}`)
      assert.isAtMost(faults.commits - before, 24)
    }))

  const text = Arr.makeBy(1500, (i) => `word${i}`).join(" ")
  const long = text.slice(0, 10_000)

  it.live("a text of 10,000 characters with entities arrives in parts that make the whole", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId } = yield* pair()
      const entities = [
        { _tag: "messageEntityBold", offset: 0, length: 5 },
        { _tag: "messageEntityItalic", offset: 4000, length: 5000 },
        { _tag: "messageEntityTextUrl", offset: 9990, length: 10, url: "https://example.org" }
      ] as const
      const outcomes = yield* alice.run(
        sendEncrypted(chatId, DecryptedMessage.message(long, { entities, silent: true }))
      )
      assert.isTrue(Array.isArray(outcomes) && outcomes.length === 3)
      yield* eventually(() => messagesOf(bob).length === 3)
      const parts = bob.events.flatMap(({ event }) => event._tag === "NewMessage" ? [event.message] : [])
      assert.strictEqual(parts.map((part) => part.message).join(""), long)
      assert.isTrue(parts.every((part) => part.message.length <= 4096 && part.silent === true))
      let offset = 0
      const rebased = parts.flatMap((part) => {
        const mine = (part.entities ?? []).map((entity) => ({ ...entity, offset: entity.offset + offset }))
        offset += part.message.length
        return mine
      })
      const covered = (tag: string) =>
        rebased.filter((entity) => entity._tag === tag).reduce((sum, entity) => sum + entity.length, 0)
      assert.strictEqual(covered("messageEntityBold"), 5)
      assert.strictEqual(covered("messageEntityItalic"), 5000)
      assert.strictEqual(covered("messageEntityTextUrl"), 10)
    }))

  it.live("a stream gives each outcome as it happens, and sends only what is asked for", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId } = yield* pair()
      const stream = sendEncryptedStream(chatId, DecryptedMessage.message(long))
      const first = yield* alice.run(Stream.runCollect(Stream.take(stream, 1)))
      assert.strictEqual(first.length, 1)
      yield* eventually(() => messagesOf(bob).length === 1)
      yield* settle
      assert.strictEqual(messagesOf(bob).length, 1)
      const ids = Arr.makeBy(250, (i) => BigInt(i + 1))
      const outcomes = yield* alice.run(
        Stream.runCollect(sendEncryptedServiceStream(chatId, DecryptedMessage.readMessages(ids)))
      )
      assert.strictEqual(outcomes.length, 3)
    }))

  it.live("whoever is interrupted before the commit has sent nothing; after it, all of it", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId, relay } = yield* pair()
      const gate = yield* Deferred.make<void>()
      relay.fail("messages.sendEncrypted", { after: gate })
      const sent = yield* Effect.forkChild(alice.chats.sendText(chatId, "sent"))
      yield* settle
      // While another message is under way, a commit waits a turn for company.
      const never = yield* Effect.forkChild(alice.chats.sendText(chatId, "never"), { startImmediately: true })
      yield* Fiber.interrupt(never)
      yield* Fiber.interrupt(sent)
      yield* Deferred.succeed(gate, undefined)
      yield* eventually(() => messagesOf(bob).includes("sent"))
      yield* alice.chats.sendText(chatId, "after")
      yield* eventually(() => messagesOf(bob).includes("after"))
      assert.deepStrictEqual(messagesOf(bob), ["sent", "after"])
    }))

  it.live("more than a hundred messages change the keys, and nothing is lost on the way", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId } = yield* pair()
      const before = yield* alice.chats.keyPicture(chatId)
      for (let i = 0; i < 130; i++) {
        yield* alice.chats.sendText(chatId, `a${i}`)
        if (i % 10 === 0) yield* bob.chats.sendText(chatId, `b${i}`)
      }
      yield* has(alice, "Rekeyed")
      yield* has(bob, "Rekeyed")
      yield* alice.chats.sendText(chatId, "after")
      yield* eventually(() => messagesOf(bob).length === 131)
      assert.deepStrictEqual(messagesOf(bob), [...Arr.makeBy(130, (i) => `a${i}`), "after"])
      yield* eventually(() => messagesOf(alice).length === 13)
      assert.deepStrictEqual(yield* alice.chats.keyPicture(chatId), before)
    }), { timeout: 20_000 })
})

describe("receiving", () => {
  it.live("a message that was lost on the way is asked for again", () =>
    Effect.gen(function*() {
      const { alice, bob, bobDevice, chatId, relay } = yield* pair()
      const push = relay.push.bind(relay)
      let drop = true
      relay.push = (device, update) => {
        if (device === bobDevice && drop && update._tag === "updateNewEncryptedMessage") {
          drop = false
          return
        }
        push(device, update)
      }
      for (const text of ["lost", "two", "three"]) yield* alice.chats.sendText(chatId, text)
      // The relay knows the random id of the lost one; a real server delivers a resend, and so must it.
      relay.chats.get(chatId)!.seen.clear()
      yield* eventually(() => messagesOf(bob).length === 3)
      assert.deepStrictEqual(messagesOf(bob), ["lost", "two", "three"])
    }))

  it.live("what comes twice happens once", () =>
    Effect.gen(function*() {
      const { alice, bob, bobDevice, chatId, relay } = yield* pair()
      const push = relay.push.bind(relay)
      relay.push = (device, update) => {
        push(device, update)
        if (device === bobDevice && update._tag === "updateNewEncryptedMessage") push(device, update)
      }
      for (let i = 0; i < 5; i++) yield* alice.chats.sendText(chatId, `${i}`)
      yield* eventually(() => messagesOf(bob).length >= 5)
      yield* settle
      assert.deepStrictEqual(messagesOf(bob), ["0", "1", "2", "3", "4"])
      assert.strictEqual((yield* bob.chats.messages(chatId)).length, 5)
    }))

  it.live("typing is told and never stored; reading is told and kept", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId } = yield* pair()
      yield* alice.chats.setTyping(chatId)
      yield* has(bob, "Typing")
      assert.isUndefined(bob.events.find(({ event }) => event._tag === "Typing")!.id)
      yield* alice.chats.sendText(chatId, "read me")
      yield* eventually(() => messagesOf(bob).length === 1)
      const { date } = (yield* bob.chats.messages(chatId))[0]!
      yield* bob.chats.markRead(chatId, date)
      yield* has(alice, "MessagesRead")
      yield* eventually(() => alice.events.some(({ event }) => event._tag === "MessagesRead"))
      assert.strictEqual((yield* alice.chats.messages(chatId))[0]!.state, "read")
      assert.strictEqual((yield* bob.chats.messages(chatId))[0]!.state, "read")
    }))

  it.live("the history follows a message: queued, sent, delivered", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId, relay } = yield* pair()
      const gate = yield* Deferred.make<void>()
      relay.fail("messages.sendEncrypted", { after: gate })
      const sending = yield* Effect.forkChild(
        alice.chats.send(chatId, DecryptedMessage.message("x", { randomId: 99n }))
      )
      const state = Effect.map(alice.chats.message(chatId, 99n), Option.map((m) => m.state))
      yield* settle
      assert.deepStrictEqual(yield* state, Option.some("queued"))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(sending)
      yield* has(alice, "MessageSent")
      assert.deepStrictEqual(yield* state, Option.some("sent"))
      yield* eventually(() => messagesOf(bob).length === 1)
      yield* bob.chats.sendText(chatId, "got it")
      yield* has(alice, "MessageDelivered")
      assert.deepStrictEqual(yield* state, Option.some("delivered"))
      const page = yield* bob.chats.messages(chatId, { order: "oldest-first" })
      assert.deepStrictEqual(page.map((m) => [m.message.message, m.outgoing]), [["x", false], ["got it", true]])
    }))

  it.live("updates that are not about secret chats, or about unknown ones, are confirmed and nothing else", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const device = relay.device(1n)
      const alice = yield* start(relay, device)
      relay.push(device, { _tag: "updateConfig" })
      relay.inject(device, 4711, new Uint8Array(152))
      relay.push(device, { _tag: "updateEncryptedChatTyping", chatId: 4711 })
      relay.push(device, { _tag: "updateEncryptedMessagesRead", chatId: 4711, maxDate: 1, date: 1 })
      relay.push(device, { _tag: "updateEncryption", chat: { _tag: "encryptedChatDiscarded", id: 4711 }, date: 1 })
      relay.push(device, { _tag: "updateEncryption", chat: { _tag: "encryptedChatEmpty", id: 4711 }, date: 1 })
      yield* eventually(() => device.queue.length === 0)
      assert.deepStrictEqual(yield* alice.chats.list, [])
      assert.deepStrictEqual(alice.events, [])
    }))
})

describe("events", () => {
  it.live("come again until they are confirmed, in order", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* start(relay, relay.device(1n))
      const bob = yield* start(relay, relay.device(2n), { accept: "allow", listen: false })
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 0n })
      yield* alice.chats.awaitReady(chatId)
      for (let i = 0; i < 5; i++) yield* alice.chats.sendText(chatId, `${i}`)
      const texts = (n: number, confirm: boolean) =>
        bob.chats.events.pipe(
          Stream.filter(({ event }) => event._tag === "NewMessage"),
          Stream.take(n),
          Stream.tap((event) => confirm ? event.confirm : Effect.void),
          Stream.runCollect,
          Effect.map((events) => events.map(({ event }) => event._tag === "NewMessage" ? event.message.message : ""))
        )
      assert.deepStrictEqual(yield* texts(5, false), ["0", "1", "2", "3", "4"])
      assert.deepStrictEqual(yield* texts(2, true), ["0", "1"])
      assert.deepStrictEqual(yield* texts(3, false), ["2", "3", "4"])
    }))

  it.live("runEvents confirms what was handled, and stops at what was not", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* start(relay, relay.device(1n))
      const bob = yield* start(relay, relay.device(2n), { accept: "allow", listen: false })
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 0n })
      yield* alice.chats.awaitReady(chatId)
      for (const text of ["good", "bad", "good again"]) yield* alice.chats.sendText(chatId, text)
      const seen: Array<string> = []
      const until = (last: string) =>
        Effect.flip(bob.chats.runEvents(({ event }) => {
          if (event._tag !== "NewMessage") return Effect.void
          seen.push(event.message.message)
          return event.message.message === last ? Effect.fail(last) : Effect.void
        }))
      assert.strictEqual(yield* until("bad"), "bad")
      assert.strictEqual(yield* until("good again"), "good again")
      assert.deepStrictEqual(seen, ["good", "bad", "bad", "good again"])
    }))

  it.live("end with an error when the transport has ended", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const device = relay.device(1n)
      const alice = yield* start(relay, device, { listen: false })
      const reading = yield* Effect.forkChild(Effect.flip(Stream.runDrain(alice.chats.events)), {
        startImmediately: true
      })
      yield* Queue.fail(device.live!, new TransportError({ reason: "unauthorized", detail: "Logged out" }))
      assert.deepInclude(yield* Fiber.join(reading), { _tag: "TransportError", reason: "unauthorized" })
    }))
})
