/** What the simulation has found, each as small as it can be made. */
import * as Machine from "@effect-mtproto/secret-chats/protocol/Machine"
import * as Outbox from "@effect-mtproto/secret-chats/protocol/Outbox"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { layerMemory, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import { sendEncrypted } from "@effect-mtproto/secret-chats/sendEncrypted"
import * as Transport from "@effect-mtproto/transport/Transport"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { noop, NOW, of, ready, receive, send, step, text } from "../protocol/support.ts"
import * as FaultyStore from "../support/FaultyStore.ts"
import { eventually, messagesOf, pair, type Peer, settle, start } from "../support/Peers.ts"
import { Relay } from "../support/Relay.ts"

/** Lets the virtual clock run, so that every pause ends soon. */
const pump = Effect.forever(Effect.andThen(settle, TestClock.adjust("500 millis")))

const tagOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): string | undefined => {
  if (Exit.isSuccess(exit)) return "success"
  const reason = exit.cause.reasons[0]
  return reason?._tag === "Fail" ? reason.error._tag : reason?._tag
}

/** The services of another program on the same store. */
const another = (peer: Peer) =>
  Context.add(
    peer.context,
    SecretChatStore,
    SecretChatStore.of({ ...peer.store })
  )

describe("found by the simulation", () => {
  it.effect("a commit that says it failed, and did not: its events are told without waiting for others", () =>
    Effect.gen(function*() {
      const faults = new FaultyStore.Faults()
      const { alice, bob, chatId } = yield* pair({ bobStore: FaultyStore.layer(faults, layerMemory) })
      yield* settle
      const next = faults.commits + 1
      faults.onCommit = (n) => n === next ? "after" : undefined
      yield* alice.chats.sendText(chatId, "one")
      const clock = yield* Effect.forkScoped(pump)
      yield* eventually(() => messagesOf(bob).includes("one"), "the message")
      yield* Fiber.interrupt(clock)
    }))

  it.effect("a commit that says it failed, and did not: what it wants done is done if nobody uses the chat any more", () =>
    Effect.gen(function*() {
      const faults = new FaultyStore.Faults()
      const { alice, bob, chatId } = yield* pair({ aliceStore: FaultyStore.layer(faults, layerMemory) })
      const clock = yield* Effect.forkScoped(pump)
      // nothing of the beginning waits for a commit any more
      let commits: number
      do {
        commits = faults.commits
        for (let i = 0; i < 5; i++) yield* settle
      } while (faults.commits > commits)
      const next = faults.commits + 1
      faults.onCommit = (n) => n === next ? "after" : undefined
      assert.strictEqual((yield* Effect.flip(alice.chats.discard(chatId)))._tag, "StoreError")
      const isClosed = ({ event }: SecretChats.SecretChatEvent) => event._tag === "ChatClosed"
      yield* eventually(() => alice.events.some(isClosed) && bob.events.some(isClosed), "the end of the chat")
      yield* Fiber.interrupt(clock)
    }))

  it.effect("whoever waits for the server when the store is closed is answered", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const scope = yield* Scope.make()
      const alice = yield* Scope.provide(start(relay, relay.device(1n)), scope)
      yield* start(relay, relay.device(2n), { accept: "allow" })
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 22n })
      yield* alice.chats.awaitReady(chatId)
      yield* settle
      relay.fail("messages.sendEncrypted", { after: Deferred.makeUnsafe() })
      const sending = yield* Effect.forkChild(Effect.exit(alice.chats.sendText(chatId, "one")))
      yield* settle
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(tagOf(yield* Fiber.join(sending)), "TransportError")
    }))

  it.effect("whoever waits for a chat when the store is closed is answered", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const scope = yield* Scope.make()
      const alice = yield* Scope.provide(start(relay, relay.device(1n)), scope)
      relay.device(2n)
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 22n })
      const waiting = yield* Effect.forkChild(Effect.exit(alice.chats.awaitReady(chatId)))
      yield* settle
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(tagOf(yield* Fiber.join(waiting)), "TransportError")
    }))

  it.effect.each([0, 1, 2, 3, 4, 6, 8, 12])(
    "a message that is on its way into the store when that is closed is answered (%d steps before)",
    (steps) =>
      Effect.gen(function*() {
        const relay = new Relay()
        const scope = yield* Scope.make()
        let slow = false
        const store = Layer.effect(
          SecretChatStore,
          Effect.map(SecretChatStore, (inner) =>
            SecretChatStore.of({
              ...inner,
              commit: (write) => slow ? Effect.never : inner.commit(write)
            }))
        ).pipe(Layer.provide(layerMemory))
        const alice = yield* Scope.provide(start(relay, relay.device(1n), { store }), scope)
        yield* start(relay, relay.device(2n), { accept: "allow" })
        const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 22n })
        yield* alice.chats.awaitReady(chatId)
        yield* settle
        // nothing is left that the closing would have to store
        yield* TestClock.adjust("1 second")
        yield* settle
        slow = true
        const sending = yield* Effect.forkChild(Effect.exit(alice.chats.sendText(chatId, "one")))
        for (let i = 0; i < steps; i++) yield* Effect.yieldNow
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(tagOf(yield* Fiber.join(sending)), "StoreError")
      })
  )

  it.effect("a frame that makes no sense to a program which is behind another one is looked at again", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* start(relay, relay.device(1n))
      const bob = yield* start(relay, relay.device(2n))
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 22n })
      yield* settle
      // Bob's program knows of the request; another one on his store accepts it.
      const services = Context.add(
        another(bob),
        Transport.Transport,
        { ...Context.get(bob.context, Transport.Transport), updates: Stream.never }
      )
      const other = yield* Layer.build(
        Layer.fresh(SecretChats.layer().pipe(Layer.provide(Layer.succeedContext(services))))
      )
      yield* Context.get(other, SecretChats.SecretChats).accept(chatId)
      yield* alice.chats.awaitReady(chatId)
      yield* alice.chats.sendText(chatId, "one")
      yield* settle
      assert.deepStrictEqual(messagesOf(bob), ["one"])
    }))

  it.effect("whoever waits for a message that another program has taken over is answered", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId, relay } = yield* pair()
      const hold = Deferred.makeUnsafe<void>()
      relay.fail("messages.sendEncrypted", { after: hold })
      const sending = yield* Effect.forkChild(Effect.exit(alice.chats.sendText(chatId, "one")))
      yield* settle
      // The other program sends "one" as well, for it is unsent; ours learns of it with its next commit.
      yield* Effect.provideContext(
        sendEncrypted(chatId, { _tag: "decryptedMessage", message: "two" }),
        another({ ...alice, context: Context.add(alice.context, Transport.Transport, relayed(alice)) })
      )
      yield* TestClock.adjust("1 second")
      yield* settle
      yield* alice.chats.markRead(chatId, 1)
      yield* settle
      assert.strictEqual(tagOf(yield* Fiber.join(sending)), "TransportError")
      yield* Deferred.succeed(hold, undefined)
      yield* settle
      assert.deepStrictEqual(messagesOf(bob), ["one", "two"])
    }))

  it.effect("a message that another program has given up is not reported as sent when its deletion is", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId, relay } = yield* pair()
      const hold = Deferred.makeUnsafe<void>()
      const lost = { transport: "timeout" } as const
      relay.fail(
        "messages.sendEncrypted",
        { after: hold, code: 500, type: "INTERNAL" },
        // what the other program hears of "one", and of "two" behind it
        { code: 400, type: "DATA_INVALID" },
        { code: 400, type: "MSG_WAIT_FAILED" },
        lost,
        lost
      )
      const sending = yield* Effect.forkChild(Effect.exit(alice.chats.sendText(chatId, "one")))
      yield* settle
      yield* Effect.forkChild(Effect.exit(Effect.provideContext(
        sendEncrypted(chatId, { _tag: "decryptedMessage", message: "two" }),
        another({ ...alice, context: Context.add(alice.context, Transport.Transport, relayed(alice)) })
      )))
      yield* settle
      assert.strictEqual(relay.faultsLeft("messages.sendEncrypted"), 0)
      yield* alice.chats.markRead(chatId, 1)
      yield* Deferred.succeed(hold, undefined)
      yield* settle
      assert.strictEqual(tagOf(yield* Fiber.join(sending)), "TransportError")
      assert.deepStrictEqual(messagesOf(bob), ["two"])
    }))

  it.effect.each([false, true])(
    "a request that the server executes after the chat was discarded is discarded again (answer lost: %s)",
    (loseAnswer) =>
      Effect.gen(function*() {
        const relay = new Relay()
        const alice = yield* start(relay, relay.device(1n))
        const bob = yield* start(relay, relay.device(2n), { accept: "allow" })
        const hold = Deferred.makeUnsafe<void>()
        relay.fail("messages.requestEncryption", { after: hold, loseAnswer })
        const asking = yield* Effect.forkChild(Effect.exit(alice.chats.request({ userId: 2n, accessHash: 22n })))
        yield* eventually(() => relay.faultsLeft("messages.requestEncryption") === 0, "the request")
        const [chat] = yield* alice.chats.list
        yield* alice.chats.discard(chat!.chatId)
        yield* settle
        yield* Deferred.succeed(hold, undefined)
        yield* eventually(() => bob.events.some(({ event }) => event._tag === "ChatClosed"), "the end at bob's side")
        yield* Fiber.join(asking)
        yield* settle
        assert.strictEqual((yield* alice.chats.get(chat!.chatId)).state, "closed")
        // the one that came too early, and the one that counts
        assert.strictEqual(relay.calls("messages.discardEncryption").length, 2)
      })
  )

  it.effect("a message that is asked for while its answer is on the way is sent again", () =>
    Effect.gen(function*() {
      const { alice, bob, bobDevice, chatId, relay } = yield* pair()
      relay.repeats = "relayed"
      const [before, behind] = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()]
      // the other three leave together, the answers are looked at together, and then there is a pause
      relay.fail("messages.sendEncrypted", { after: before }, {}, {}, { after: behind, transport: "timeout" })
      const say = (text: string) => Effect.forkChild(Effect.exit(alice.chats.sendText(chatId, text)))
      yield* say("zero")
      yield* settle
      for (const text of ["one", "two", "three"]) yield* say(text)
      yield* settle
      const { live } = bobDevice
      bobDevice.live = undefined
      yield* Deferred.succeed(before, undefined)
      yield* settle
      // "one" is lost
      const [zero, , two] = bobDevice.queue.splice(0)
      bobDevice.live = live
      for (const { update } of [zero!, two!]) relay.push(bobDevice, update)
      yield* settle
      assert.deepStrictEqual(messagesOf(bob), ["zero"])
      yield* Deferred.succeed(behind, undefined)
      yield* settle
      for (let n = 0; n < 3; n++) {
        yield* TestClock.adjust("1 second")
        yield* settle
      }
      assert.deepStrictEqual(messagesOf(bob), ["zero", "one", "two", "three"])
    }))

  it("a chat that ends does not fail a message that was delivered", () => {
    const state = send(ready("creator"), text(11n)).state
    const record = Outbox.get(state.outbox, 1)!
    const delivered = receive(state, { _tag: "decryptedMessageService", randomId: 5n, action: noop }, { inIndex: 2 })
    assert.deepStrictEqual(of(delivered, "Emit").map(({ event }) => event._tag), ["LayerChanged", "MessageDelivered"])
    const refused = step(delivered.state, {
      _tag: "Refused",
      record,
      error: { code: 400, type: "ENCRYPTION_DECLINED" }
    }, NOW)
    assert.deepStrictEqual(of(refused, "Emit").map(({ event }) => event._tag), ["ChatClosed"])
    assert.strictEqual(Machine.nextWake(refused.state), undefined)
  })
})

describe("found with TDLib at the other side", () => {
  it.effect("a request and its withdrawal that come at once", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* start(relay, relay.device(1n))
      const device = relay.device(2n)
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 22n })
      yield* alice.chats.discard(chatId)
      yield* settle
      assert.strictEqual(device.queue.length, 2)
      const bob = yield* start(relay, device)
      yield* eventually(() => device.queue.length === 0, "both updates")
      yield* settle
      assert.strictEqual((yield* bob.chats.get(chatId)).state, "closed")
      assert.deepStrictEqual(bob.events.map(({ event }) => event._tag), ["ChatRequested", "ChatClosed"])
    }))

  it("a message of the second up to which all was read can be read as well", () => {
    const first = receive(ready("creator"), text(11n), { date: 100 })
    const read = step(first.state, { _tag: "MarkRead", maxDate: 100 })
    assert.deepStrictEqual(of(read, "ReadHistory").map(({ maxDate }) => maxDate), [100])
    assert.deepStrictEqual(step(read.state, { _tag: "MarkRead", maxDate: 100 }).outputs, [])
    // dates have whole seconds
    const second = receive(read.state, { ...text(12n), ttl: 5 }, { date: 100 })
    const again = step(second.state, { _tag: "MarkRead", maxDate: 100 })
    assert.deepStrictEqual(of(again, "ReadHistory").map(({ maxDate }) => maxDate), [100])
    assert.deepStrictEqual(of(again, "StartViewed").map(({ direction, maxDate }) => [direction, maxDate]), [
      ["incoming", 100]
    ])
  })

  it.effect("whoever has heard of an event finds the chat as the event left it", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const hold = Deferred.makeUnsafe<void>()
      let slow: number | undefined
      let isHeld = false
      // the answer of the store takes longer than the event
      const store = Layer.effect(
        SecretChatStore,
        Effect.map(SecretChatStore, (inner) =>
          SecretChatStore.of({
            ...inner,
            commit: (write) =>
              write.chatId === slow && write.changes.some((change) => change._tag === "AppendEvent")
                ? Effect.tap(inner.commit(write), () => {
                  isHeld = true
                  return Deferred.await(hold)
                })
                : inner.commit(write)
          }))
      ).pipe(Layer.provide(layerMemory))
      const alice = yield* start(relay, relay.device(1n), { store })
      const bob = yield* start(relay, relay.device(2n))
      yield* start(relay, relay.device(3n))
      const { chatId } = yield* alice.chats.request({ userId: 2n, accessHash: 22n })
      const other = yield* alice.chats.request({ userId: 3n, accessHash: 33n })
      yield* settle
      slow = chatId
      yield* bob.chats.accept(chatId)
      yield* eventually(() => isHeld, "the key")
      // what happens in another chat lets the events be read
      yield* alice.chats.discard(other.chatId)
      yield* eventually(() => alice.events.some(({ event }) => event._tag === "ChatReady"), "alice's chat")
      assert.strictEqual((yield* alice.chats.get(chatId)).state, "ready")
      assert.deepStrictEqual(yield* alice.chats.keyPicture(chatId), yield* bob.chats.keyPicture(chatId))
      yield* Deferred.succeed(hold, undefined)
    }))
})

/** Calls of another program go by no chain of ours. */
const relayed = (peer: Peer): Transport.Transport["Service"] => {
  const transport = Context.get(peer.context, Transport.Transport)
  return {
    ...transport,
    invoke: (request, options) => transport.invoke(request, { ...options, chain: undefined })
  }
}
