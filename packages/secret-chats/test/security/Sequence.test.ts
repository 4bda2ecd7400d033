/** Requirements 14 to 21 of `docs/security.md`: numbers, gaps, and what is stored before it is sent. */
import type { SecretApi } from "@effect-mtproto/core"
import * as Inbox from "@effect-mtproto/secret-chats/protocol/Inbox"
import { layerMemory, type SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as Core from "../protocol/support.ts"
import * as FaultyStore from "../support/FaultyStore.ts"
import { eventually, settle } from "../support/Peers.ts"
import { closed, drained, program, quiet, roles, type Scene, scene, service, text, texts } from "./HandPeer.ts"

/** `x` of the program under test: its parity in the numbers of the other side. */
const parityOf = ({ hand }: Scene): 0 | 1 => hand.role === "creator" ? 1 : 0

const resend = (scene: Scene, from: number, to: number): SecretApi.DecryptedMessage => {
  // The numbers of whoever is to send again: the parity of the side that asks.
  const parity = 1 - parityOf(scene)
  return service({
    _tag: "decryptedMessageActionResend",
    startSeqNo: 2 * from + parity,
    endSeqNo: 2 * to + parity
  })
}

/** The frames of the program under test, in the order in which the server got them. */
const sentFrames = ({ relay, target }: Scene) =>
  relay.log.filter(({ device }) => device === target).flatMap(({ request }) =>
    "data" in request
      ? [{
        randomId: (request as unknown as { readonly randomId: bigint }).randomId,
        data: Buffer.from(request.data as Uint8Array).toString("hex"),
        method: request._tag
      }]
      : []
  )

describe("numbers", () => {
  it.live("R14 a wrong parity, of either number, in both roles: closed, and every key is overwritten", () =>
    Effect.gen(function*() {
      for (const role of roles) {
        for (const field of ["inSeqNo", "outSeqNo"] as const) {
          const made = yield* scene(role)
          const right = made.hand.role === "creator" ? { inSeqNo: 0, outSeqNo: 1 } : { inSeqNo: 1, outSeqNo: 0 }
          made.hand.send(text("x"), { ...right, [field]: right[field] ^ 1 })
          assert.deepStrictEqual(yield* closed(made), { _tag: "Violation", rule: "parity" })
          assert.deepStrictEqual(texts(made), [])
        }
        const stepped = Core.step(Core.ready(role), {
          _tag: "Received",
          payload: Core.encodePayload({ inSeqNo: 6, outSeqNo: 6, message: Core.text(1n) }),
          key: Core.firstKey.fingerprint,
          randomId: 1n,
          date: 1
        })
        assert.strictEqual(Core.violated(stepped), "parity")
        assert.isAtLeast(Core.of(stepped, "Wipe").length, 1)
      }
    }))

  it.live("R15 a number that was there already: dropped, and nothing that is in it takes effect", () =>
    Effect.gen(function*() {
      const made = yield* scene("creator")
      const { chatId, hand, peer } = made
      hand.send(text("first", 1n))
      hand.send(text("second", 2n))
      yield* eventually(() => texts(made).length === 2)
      yield* quiet(made)
      const before = yield* peer.store.load(chatId)
      const { length } = peer.events
      const contents: ReadonlyArray<SecretApi.DecryptedMessage> = [
        text("another first", 3n),
        service({ _tag: "decryptedMessageActionDeleteMessages", randomIds: [1n, 2n] }),
        service({ _tag: "decryptedMessageActionFlushHistory" }),
        service({ _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 1 }),
        service({ _tag: "decryptedMessageActionRequestKey", exchangeId: 1n, gA: new Uint8Array(256).fill(5) }),
        service({ _tag: "decryptedMessageActionCommitKey", exchangeId: 1n, keyFingerprint: 1n }),
        resend(made, 0, 0),
        resend(made, 0, 5000)
      ]
      for (const content of contents) {
        for (const outIndex of [0, 1]) hand.send(content, { outIndex, inIndex: outIndex === 0 ? 0 : 900 })
      }
      yield* drained(made)
      assert.deepStrictEqual(yield* peer.store.load(chatId), before)
      assert.strictEqual(peer.events.length, length)
      assert.strictEqual(sentFrames(made).length, 1)
      assert.strictEqual((yield* peer.chats.messages(chatId)).length, 2)
    }))

  it.live("R15 and a frame that the server repeats: the same", () =>
    Effect.gen(function*() {
      const made = yield* scene("acceptor")
      const { hand } = made
      const frame = hand.seal(hand.payload(text("once")))
      for (let i = 0; i < 20; i++) hand.push(frame)
      yield* drained(made)
      assert.deepStrictEqual(texts(made), ["once"])
    }))
})

describe("gaps", () => {
  it.live("R16 what is ahead waits, the hole is asked for once, in the numbers of the other side, ends inclusive", () =>
    Effect.gen(function*() {
      for (const role of roles) {
        const made = yield* scene(role)
        const { hand } = made
        hand.send(text("0"))
        for (const index of [5, 4, 6, 5]) hand.send(text(`${index}`), { outIndex: index })
        yield* drained(made)
        assert.deepStrictEqual(texts(made), ["0"])
        const asked = hand.heard().flatMap(({ message }) =>
          "action" in message && message.action._tag === "decryptedMessageActionResend" ? [message.action] : []
        )
        const parity = parityOf(made)
        // The first that was ahead was number 5; 4 came without being asked for.
        assert.deepStrictEqual(asked, [{
          _tag: "decryptedMessageActionResend",
          startSeqNo: 2 + parity,
          endSeqNo: 8 + parity
        }])
        for (const index of [3, 1, 2]) hand.send(text(`${index}`), { outIndex: index, inIndex: 1 })
        yield* eventually(() => texts(made).length === 7)
        assert.deepStrictEqual(texts(made), ["0", "1", "2", "3", "4", "5", "6"])
        assert.strictEqual(hand.actions().filter((action) => action === "Resend").length, 1)
      }
    }))

  it("R16 what waits is bounded in number and in bytes, and no request is wider than the other side will answer", () => {
    let inbox = Inbox.initial
    for (let i = 5000; i > 1; i--) {
      inbox = Inbox.hold(Inbox.see(inbox, i), Core.waiting(i, 5000)).inbox
      assert.isAtMost(inbox.pending.length, Inbox.MAX_PENDING)
      assert.isAtMost(inbox.pendingBytes, Inbox.MAX_PENDING_BYTES)
    }
    // The nearest are those that are kept.
    assert.strictEqual(inbox.pending[0]!.index, 2)
    const { request } = Inbox.ask(Inbox.see(Inbox.initial, 1 << 29), 0, 0)
    assert.isAtMost(request!.to - request!.from, 1000)
  })

  it.live("R17 in_seq_no never falls, and never acknowledges what was not sent", () =>
    Effect.gen(function*() {
      for (const role of roles) {
        const fell = yield* scene(role)
        fell.hand.send(text("has seen one"), { inIndex: 1 })
        fell.hand.send(text("has seen none"), { inIndex: 0 })
        assert.deepStrictEqual(yield* closed(fell), { _tag: "Violation", rule: "in-seq-fell" })

        const ahead = yield* scene(role)
        ahead.hand.send(text("has seen all"), { inIndex: 1 })
        yield* eventually(() => texts(ahead).length === 1)
        ahead.hand.send(text("has seen one more than all"), { inIndex: 2 })
        assert.deepStrictEqual(yield* closed(ahead), { _tag: "Violation", rule: "in-seq-ahead" })
      }
    }))

  it.live("R18 the layer of the wrapper never falls", () =>
    Effect.gen(function*() {
      for (const role of roles) {
        const made = yield* scene(role)
        made.hand.send(text("73"), { layer: 73 })
        made.hand.send(text("101"), { layer: 101 })
        made.hand.send(text("100"), { layer: 100 })
        assert.deepStrictEqual(yield* closed(made), { _tag: "Violation", rule: "layer-fell" })
        assert.deepStrictEqual(texts(made), ["73", "101"])
      }
    }))

  it.live("R19 a request to send again is answered at once, even from behind a gap, and once, with the same bytes", () =>
    Effect.gen(function*() {
      for (const role of roles) {
        const made = yield* scene(role)
        const { chatId, hand, peer } = made
        for (const one of ["a", "b", "c"]) yield* peer.chats.sendText(chatId, one)
        yield* quiet(made)
        const before = sentFrames(made)
        assert.strictEqual(before.length, 4)
        // Number 3 of the other side, while 0 to 2 are missing.
        hand.send(resend(made, 1, 2), { outIndex: 3, inIndex: 1 })
        yield* eventually(() => sentFrames(made).length >= 7, "two again, and a request of our own")
        yield* quiet(made)
        const again = sentFrames(made).slice(4).filter(({ data }) => before.some((frame) => frame.data === data))
        assert.deepStrictEqual(again, before.slice(1, 3))
        const { length } = sentFrames(made)
        // When its turn comes it is spent.
        for (let i = 0; i < 3; i++) hand.send(text(`${i}`), { outIndex: i, inIndex: 1 })
        yield* eventually(() => texts(made).length === 3)
        yield* quiet(made)
        assert.strictEqual(sentFrames(made).length, length)
      }
    }))

  it.live.each<readonly [string, string, (scene: Scene) => SecretApi.DecryptedMessage]>([
    ["of more than 1000", "resend-range", (made) => resend(made, 0, 1001)],
    ["the wrong way round", "resend-range", (made) => resend(made, 1, 0)],
    ["of the future", "resend-forgotten", (made) => resend(made, 0, 50)],
    ["of the past", "resend-forgotten", (made) => resend(made, -5, 0)],
    [
      "in the numbers of the wrong side",
      "resend-parity",
      (made) => service({ _tag: "decryptedMessageActionResend", startSeqNo: parityOf(made), endSeqNo: parityOf(made) })
    ]
  ])("R19 %s: closed", ([, rule, content]) =>
    Effect.gen(function*() {
      for (const role of roles) {
        const made = yield* scene(role)
        made.hand.send(content(made), { inIndex: 0 })
        assert.deepStrictEqual((yield* closed(made)) as object, { _tag: "Violation", rule })
      }
    }))

  it.live("R20 a message that is deleted before the other side has it becomes its own deletion, in the same slot", () =>
    Effect.gen(function*() {
      for (const role of roles) {
        const made = yield* scene(role)
        const { chatId, hand, peer, relay } = made
        // Not sent: the network is down.
        relay.down = "closed"
        yield* Effect.flip(peer.chats.sendText(chatId, "never to be seen"))
        const [queued] = yield* peer.chats.messages(chatId)
        yield* Effect.flip(peer.chats.deleteMessages(chatId, [queued!.randomId]))
        relay.down = undefined
        // Sent and refused by the server: the third call from here.
        relay.fail("messages.sendEncrypted", {}, {}, { code: 400, type: "DATA_INVALID" })
        assert.strictEqual((yield* Effect.flip(peer.chats.sendText(chatId, "refused")))._tag, "DataInvalid")
        yield* eventually(
          () => hand.actions().filter((action) => action === "DeleteMessages").length === 3,
          "the deletions"
        )
        const heard = hand.heard()
        // NotifyLayer, then every number without a hole.
        assert.deepStrictEqual(
          heard.map(({ outSeqNo }) => outSeqNo >> 1).toSorted((a, b) => a - b),
          Array.from({ length: 4 }, (_, i) => i)
        )
        const slots = heard.flatMap(({ message, outSeqNo }) =>
          "action" in message && message.action._tag === "decryptedMessageActionDeleteMessages"
            ? [{ index: outSeqNo >> 1, randomId: message.randomId, ids: message.action.randomIds }]
            : []
        )
        assert.deepStrictEqual(slots[0], { index: 1, randomId: queued!.randomId, ids: [queued!.randomId] })
        assert.deepStrictEqual(slots.at(-1)!.ids, [slots.at(-1)!.randomId])
        assert.isFalse(heard.some(({ message }) => message._tag === "decryptedMessage"))
      }
    }))
})

describe("before the network", () => {
  it.live("R21 at the moment of the call the number, the random id and the very bytes are stored", () =>
    Effect.gen(function*() {
      const seen: Array<boolean> = []
      const made = yield* scene("creator")
      const { chatId, peer, relay, target } = made
      const execute = relay["execute"].bind(relay)
      let stored: ReadonlyArray<{ readonly randomId: bigint; readonly packet: Uint8Array }> = []
      const watch = Effect.gen(function*() {
        stored = yield* peer.store.outboxUnsent({ chatId, limit: 1000 })
      })
      // The in-memory store answers at once.
      relay["execute"] = (device, request) => {
        if (device === target && "data" in request) {
          Effect.runFork(watch)
          const row = stored.find(({ randomId }) => randomId === request.randomId)
          seen.push(row !== undefined && Buffer.from(row.packet).includes(Buffer.from(request.data)))
        }
        return execute(device, request)
      }
      for (let i = 0; i < 5; i++) yield* peer.chats.sendText(chatId, `${i}`)
      yield* Effect.forEach(Array.from({ length: 20 }), (_, i) => peer.chats.sendText(chatId, `together ${i}`), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(seen, Array.from({ length: 25 }, () => true))
    }))

  it.live("R21 a commit that fails sends nothing, and uses up no number", () =>
    Effect.gen(function*() {
      const faults = new FaultyStore.Faults()
      const made = yield* scene("acceptor", { store: FaultyStore.layer(faults, layerMemory) })
      const { chatId, hand, peer } = made
      const { length } = sentFrames(made)
      faults.onCommit = () => "before"
      assert.strictEqual((yield* Effect.flip(peer.chats.sendText(chatId, "x")))._tag, "StoreError")
      yield* settle
      assert.strictEqual(sentFrames(made).length, length)
      faults.onCommit = () => undefined
      yield* peer.chats.sendText(chatId, "y")
      yield* eventually(() => hand.heard().length === 2)
      assert.deepStrictEqual(hand.heard().map(({ outSeqNo }) => outSeqNo >> 1), [0, 1])
    }))

  it.live("R21 killed between commit and call: another program on the same store sends the same bytes, and the server's RANDOM_ID_DUPLICATE is success", () =>
    Effect.gen(function*() {
      for (const lost of ["the call", "the answer"] as const) {
        // One store for both programs.
        const store = Layer.succeedContext(yield* Layer.build(layerMemory)) as Layer.Layer<SecretChatStore>
        const made = yield* scene("creator", { store })
        const { chatId, hand, peer, relay, target } = made
        const before = sentFrames(made).length
        if (lost === "the call") relay.down = "closed"
        else relay.fail("messages.sendEncrypted", { loseAnswer: true }, { transport: "closed" })
        const error = yield* Effect.flip(peer.chats.sendText(chatId, "once"))
        assert.strictEqual(error._tag, "TransportError")
        const [row] = yield* peer.store.outboxUnsent({ chatId, limit: 10 })
        relay.down = undefined
        const second = yield* program(relay, target, {
          store: Layer.effect(
            Context.Service<SecretChatStore, SecretChatStore["Service"]>(
              "@effect-mtproto/secret-chats/SecretChatStore"
            ),
            Effect.sync(() => ({ ...peer.store }))
          )
        })
        yield* eventually(() => hand.heard().some(({ message }) => message._tag === "decryptedMessage"), "the message")
        yield* settle
        const frames = sentFrames(made).slice(before)
        assert.isAtLeast(frames.length, 1)
        // Sent once or twice, always the stored bytes under the stored name.
        for (const { data, randomId } of frames) {
          assert.strictEqual(randomId, row!.randomId)
          assert.isTrue(Buffer.from(row!.packet).includes(Buffer.from(data, "hex")))
        }
        yield* quiet({ ...made, peer: second })
        assert.strictEqual(hand.heard().filter(({ message }) => message._tag === "decryptedMessage").length, 1)
      }
    }))

  it.live("R21 what has been received is stored before it is acknowledged to the server", () =>
    Effect.gen(function*() {
      const faults = new FaultyStore.Faults()
      const made = yield* scene("creator", { store: FaultyStore.layer(faults, layerMemory) })
      const { hand, target } = made
      faults.onCommit = () => "before"
      hand.send(text("kept by the server"))
      yield* settle
      assert.strictEqual(target.queue.length, 1)
      assert.deepStrictEqual(texts(made), [])
      faults.onCommit = () => undefined
      yield* eventually(() => texts(made).length === 1, "the second attempt")
      yield* eventually(() => target.queue.length === 0)
    }))
})
