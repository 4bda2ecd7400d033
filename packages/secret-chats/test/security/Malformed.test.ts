/**
 * What a peer that owns the keys can do wrong, and what a server can make of its frames: the cases of `docs/bad-input.md`,
 * by their numbers, thrown at a running program in both roles.
 */
import type { SecretApi } from "@effect-mtproto/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually, settle } from "../support/Peers.ts"
import { drained, roles, type Scene, scene, service, text, texts } from "./HandPeer.ts"

/** The frame is dropped: nothing is stored. The hole that it leaves is asked for and filled. */
const heals = (damage: (scene: Scene, payload: Uint8Array) => Uint8Array) => (scene: Scene) =>
  Effect.gen(function*() {
    const { chatId, hand, peer } = scene
    const before = yield* peer.store.load(chatId)
    const events = peer.events.length
    const payload = hand.payload(text("the honest one"))
    hand.push(damage(scene, payload))
    yield* drained(scene)
    assert.deepStrictEqual(yield* peer.store.load(chatId), before)
    assert.strictEqual(peer.events.length, events)
    assert.strictEqual((yield* peer.chats.get(chatId)).state, "ready")

    const missing = hand.out++
    hand.send(text("behind it"))
    yield* eventually(() => hand.actions().includes("Resend"), "a request to send again")
    const x = hand.role === "creator" ? 1 : 0
    const number = 2 * missing + x
    assert.deepInclude(hand.lastAction("decryptedMessageActionResend"), { startSeqNo: number, endSeqNo: number })
    hand.push(hand.seal(payload))
    yield* eventually(() => texts(scene).length === 2, "both messages")
    assert.deepStrictEqual(texts(scene), ["the honest one", "behind it"])
    yield* lives(scene)
  })

/** The chat is closed with this rule, the server is told, and nothing is said or taken any more. */
const closes =
  (rule: string, act: (scene: Scene) => Effect.Effect<unknown, any> | void) =>
  (scene: Scene): Effect.Effect<void, any> =>
    Effect.gen(function*() {
      const { chatId, hand, peer, relay, target } = scene
      const effect = act(scene)
      if (effect !== undefined) yield* effect
      yield* eventually(() => peer.events.some(({ event }) => event._tag === "ChatClosed"), "the end of the chat")
      yield* drained(scene)
      const reason = { _tag: "Violation", rule }
      const last = peer.events.at(-1)!.event
      assert.deepInclude(last as object, { _tag: "ChatClosed", reason, historyDeleted: false })
      assert.deepInclude((yield* peer.chats.get(chatId)) as object, { state: "closed", closed: reason })
      assert.deepInclude(relay.calls("messages.discardEncryption", target)[0] as object, { chatId })
      assert.deepInclude((yield* Effect.flip(peer.chats.sendText(chatId, "too late"))) as object, {
        _tag: "SecretChatClosed",
        reason
      })
      const events = peer.events.length
      hand.send(text("after the end"))
      yield* drained(scene)
      assert.strictEqual(peer.events.length, events)
    })

/** Messages go both ways. */
const lives = (scene: Scene): Effect.Effect<void, any> =>
  Effect.gen(function*() {
    const { chatId, hand, peer } = scene
    assert.strictEqual((yield* peer.chats.get(chatId)).state, "ready")
    hand.send(text("still here"))
    yield* eventually(() => texts(scene).at(-1) === "still here", "the chat to go on")
    const heard = hand.heard().length
    yield* peer.chats.sendText(chatId, "me too")
    yield* eventually(() => hand.heard().length > heard, "an answer")
  })

/** The message is taken, and the chat goes on. */
const accepts = (act: (scene: Scene) => void, shown: ReadonlyArray<string>) => (scene: Scene) =>
  Effect.gen(function*() {
    act(scene)
    yield* drained(scene)
    assert.deepStrictEqual(texts(scene), shown)
    yield* lives(scene)
  })

const flip = (frame: Uint8Array, at: number): Uint8Array => {
  frame[at]! ^= 1
  return frame
}

/** What the peer says first, so that there is something before the case. */
const begun = (scene: Scene) =>
  Effect.gen(function*() {
    scene.hand.send(text("first"))
    yield* eventually(() => texts(scene).length === 1)
  })

const after = (act: (scene: Scene) => Effect.Effect<unknown, any> | void) => (scene: Scene) =>
  Effect.andThen(begun(scene), Effect.suspend(() => act(scene) ?? Effect.void))

const cases: ReadonlyArray<readonly [string, (scene: Scene) => Effect.Effect<unknown, any>]> = [
  ["01 a flipped byte of the ciphertext: dropped, healed", heals(({ hand }, p) => flip(hand.seal(p), 60))],
  ["02 a flipped byte of the message key: dropped, healed", heals(({ hand }, p) => flip(hand.seal(p), 12))],
  ["03 truncated by 16 bytes: dropped, healed", heals(({ hand }, p) => hand.seal(p).slice(0, -16))],
  [
    "04 written in the direction of the other side: dropped, healed",
    heals(({ hand }, p) => hand.seal(p, { x: hand.x === 0 ? 8 : 0 }))
  ],
  [
    "05 padding of less than 12 bytes: dropped, healed",
    heals(({ hand }, p) => hand.seal(p, { padding: (16 - ((4 + p.length) & 15)) & 15 || 0 }))
  ],
  [
    "06 padding of more than 1024 bytes: dropped, healed",
    heals(({ hand }, p) => hand.seal(p, { padding: 1040 - ((4 + p.length) & 15) || 1040 }))
  ],
  ["07 MTProto 1.0: dropped, healed", heals(({ hand }, p) => hand.seal(p, { version: 1 }))],
  [
    "08 a key that nobody knows: dropped, healed",
    heals(({ hand }, p) => {
      const frame = hand.seal(p)
      frame.set([1, 2, 3, 4, 5, 6, 7, 8])
      return frame
    })
  ],
  [
    "09 out_seq_no of the wrong parity: closed",
    closes("parity", after(({ hand }) => hand.send(text("x"), { outSeqNo: 2 + (hand.role === "creator" ? 0 : 1) })))
  ],
  [
    "10 in_seq_no of the wrong parity: closed",
    closes("parity", after(({ hand }) => hand.send(text("x"), { inSeqNo: hand.role === "creator" ? 1 : 0 })))
  ],
  [
    "11 in_seq_no above what was sent: closed",
    closes("in-seq-ahead", after(({ hand }) => hand.send(text("x"), { inIndex: 999 })))
  ],
  [
    "12 in_seq_no that falls: closed",
    closes("in-seq-fell", after(({ hand }) => hand.send(text("x"), { inIndex: 0 })))
  ],
  [
    "13 the same out_seq_no again with another text: dropped",
    after((scene) => accepts(({ hand }) => hand.send(text("another"), { outIndex: 0 }), ["first"])(scene))
  ],
  [
    "14 a gap that is never filled: asked for, nothing shown, the chat lives",
    (scene) =>
      Effect.gen(function*() {
        const { chatId, hand, peer } = scene
        hand.send(text("far ahead"), { outIndex: 5 })
        yield* eventually(() => hand.actions().includes("Resend"))
        yield* settle
        assert.deepStrictEqual(texts(scene), [])
        assert.strictEqual((yield* peer.chats.get(chatId)).state, "ready")
        assert.strictEqual(hand.actions().filter((action) => action === "Resend").length, 1)
        yield* peer.chats.sendText(chatId, "me too")
        // Filled after all, everything comes in order.
        for (let i = 0; i < 5; i++) hand.send(text(`${i}`), { inIndex: 1, outIndex: i })
        yield* eventually(() => texts(scene).length === 6)
        assert.deepStrictEqual(texts(scene), ["0", "1", "2", "3", "4", "far ahead"])
      })
  ],
  [
    "15 no random bytes: closed",
    closes("random-bytes", ({ hand }) => hand.send(text("x"), { randomBytes: 0 }))
  ],
  ["16 4 random bytes: closed", closes("random-bytes", ({ hand }) => hand.send(text("x"), { randomBytes: 4 }))],
  ["17 layer 46 after 144: closed", closes("layer-fell", after(({ hand }) => hand.send(text("x"), { layer: 46 })))],
  ["18 layer 8 after 144: closed", closes("layer-fell", after(({ hand }) => hand.send(text("x"), { layer: 8 })))],
  [
    "19 layer 144 after 999: closed",
    closes("layer-fell", ({ hand }) => {
      hand.send(text("x"), { layer: 999 })
      hand.send(text("y"), { layer: 144 })
    })
  ],
  [
    "20 layer 999: taken",
    (scene) =>
      Effect.gen(function*() {
        const { chatId, hand, peer } = scene
        hand.send(text("from the future"), { layer: 999 })
        yield* eventually(() => texts(scene).length === 1)
        assert.strictEqual((yield* peer.chats.get(chatId)).peerLayer, 999)
        const heard = hand.heard().length
        yield* peer.chats.sendText(chatId, "me too")
        yield* eventually(() => hand.heard().length > heard)
        // What we write stays in the layer that we speak.
        assert.strictEqual(hand.heard().at(-1)!.layer, 144)
      })
  ],
  [
    "21 a bare decryptedMessage: closed",
    closes("wrapper", ({ hand }) => {
      const whole = hand.payload(text("bare"))
      // id, 32 bytes of random bytes, layer, two numbers
      hand.push(hand.seal(whole.slice(4 + 32 + 12)))
    })
  ],
  [
    "22 another random_id inside than outside: taken, the inner one counts",
    (scene) =>
      Effect.gen(function*() {
        const { hand, peer } = scene
        hand.push(hand.seal(hand.payload(text("named twice", 77n))), 78n)
        hand.out++
        yield* eventually(() => texts(scene).length === 1)
        assert.isTrue(peer.events.some(({ event }) => event._tag === "NewMessage" && event.randomId === 77n))
        yield* lives(scene)
      })
  ],
  [
    "23 a constructor of layer 45 inside layer 144: read into the current type",
    accepts(({ hand }) => {
      const old: SecretApi.DecryptedMessage = {
        _tag: "decryptedMessage_45",
        randomId: 500n,
        ttl: 0,
        message: "old words"
      }
      hand.send(old)
    }, ["old words"])
  ],
  [
    "24 RequestKey with g_a = 1: declined with AbortKey, the chat lives",
    (scene) =>
      Effect.gen(function*() {
        const { hand, peer } = scene
        hand.send(service({ _tag: "decryptedMessageActionRequestKey", exchangeId: 5n, gA: Uint8Array.of(1) }))
        yield* eventually(() => hand.actions().includes("AbortKey"))
        assert.deepInclude(hand.lastAction("decryptedMessageActionAbortKey"), { exchangeId: 5n })
        yield* settle
        assert.isTrue(
          peer.events.some(({ event }) => event._tag === "RekeyAbandoned" && event.reason === "PublicValue")
        )
        yield* lives(scene)
      })
  ],
  [
    "25 CommitKey out of the blue: closed",
    closes(
      "rekey-commit",
      ({ hand }) => hand.send(service({ _tag: "decryptedMessageActionCommitKey", exchangeId: 5n, keyFingerprint: 6n }))
    )
  ],
  [
    "26 AcceptKey out of the blue: closed",
    closes("rekey-accept", ({ hand }) =>
      hand.send(
        service({
          _tag: "decryptedMessageActionAcceptKey",
          exchangeId: 5n,
          gB: new Uint8Array(256).fill(9),
          keyFingerprint: 6n
        })
      ))
  ],
  [
    "27 AbortKey of an unknown exchange: ignored",
    accepts(({ hand }) => hand.send(service({ _tag: "decryptedMessageActionAbortKey", exchangeId: 5n })), [])
  ],
  [
    "28 Resend of numbers that were never sent: closed",
    closes("resend-forgotten", ({ hand }) => {
      const x = hand.role === "creator" ? 0 : 1
      hand.send(service({ _tag: "decryptedMessageActionResend", startSeqNo: 200 + x, endSeqNo: 202 + x }))
    })
  ],
  [
    "29 Resend of what was acknowledged: closed",
    closes(
      "resend-forgotten",
      after(({ hand }) => {
        const x = hand.role === "creator" ? 0 : 1
        hand.send(service({ _tag: "decryptedMessageActionResend", startSeqNo: x, endSeqNo: x }))
      })
    )
  ],
  [
    "30 NotifyLayer 46: ignored, layers do not fall",
    after((scene) =>
      Effect.gen(function*() {
        yield* accepts(
          ({ hand }) => hand.send(service({ _tag: "decryptedMessageActionNotifyLayer", layer: 46 })),
          ["first"]
        )(scene)
        assert.strictEqual((yield* scene.peer.chats.get(scene.chatId)).peerLayer, 144)
        assert.strictEqual(scene.hand.heard().at(-1)!.layer, 144)
      })
    )
  ],
  [
    "31 DeleteMessages of what is unknown: nothing is deleted",
    after((scene) =>
      Effect.gen(function*() {
        yield* accepts(
          ({ hand }) => hand.send(service({ _tag: "decryptedMessageActionDeleteMessages", randomIds: [123456n] })),
          ["first"]
        )(scene)
        const history = yield* scene.peer.chats.messages(scene.chatId)
        assert.include(history.map(({ message }) => message.message), "first")
      })
    )
  ],
  [
    "32 typing as a message: told, not stored",
    (scene) =>
      Effect.gen(function*() {
        const told: Array<string> = []
        yield* Effect.forkScoped(Effect.ignore(scene.peer.chats.runEvents(({ event, id }) =>
          Effect.sync(() => {
            if (event._tag === "Typing") told.push(`${event.action} ${id}`)
          })
        )))
        yield* settle
        yield* accepts(
          ({ hand }) =>
            hand.send(
              service({ _tag: "decryptedMessageActionTyping", action: { _tag: "sendMessageTypingAction" } })
            ),
          []
        )(scene)
        assert.deepStrictEqual(told, ["sendMessageTypingAction undefined"])
      }) as Effect.Effect<unknown, any>
  ]
]

describe.each(roles)("as the %s", (role) => {
  for (const [name, run] of cases) {
    it.live(name, () => Effect.flatMap(scene(role), run))
  }
})

describe("beyond the 32", () => {
  const bytes = (length: number, fill = 0) => new Uint8Array(length).fill(fill)

  it.live.each([0, 1, 3, 4, 7, 8, 15, 16, 23, 24, 25, 39])(
    "a frame of %s bytes: dropped, healed",
    (length) => Effect.flatMap(scene("creator"), heals(({ hand }, p) => hand.seal(p).slice(0, length)))
  )

  it.live.each([-4, -2147483648, 2, 3, 2147483647])(
    "a length of %s inside an authentic frame: dropped, healed",
    (n) => Effect.flatMap(scene("acceptor"), heals(({ hand }, p) => hand.seal(p, { length: n })))
  )

  it.live("a megabyte of one byte: dropped, healed", () =>
    Effect.gen(function*() {
      yield* Effect.flatMap(scene("creator"), heals(() => bytes(1 << 20)))
      yield* Effect.flatMap(scene("creator"), heals(() => bytes(24 + (1 << 20), 0xa7)))
    }))

  it.live("fingerprint 0, which no key has: dropped, healed", () =>
    Effect.flatMap(
      scene("creator"),
      heals(({ hand }, p) => {
        const frame = hand.seal(p)
        frame.fill(0, 0, 8)
        return frame
      })
    ))

  it.live("our own frames sent back to us: dropped, healed", () =>
    Effect.flatMap(
      scene("creator"),
      heals(({ hand }) => {
        const own = hand.device.queue.find(({ update }) => update._tag === "updateNewEncryptedMessage")!
        return (own.update as { message: { bytes: Uint8Array } }).message.bytes
      })
    ))

  it.live("a negative in_seq_no: closed", () =>
    Effect.flatMap(
      scene("creator"),
      closes("in-seq-negative", ({ hand }) => hand.send(text("x"), { inSeqNo: -1 }))
    ))

  it.live("a Resend of more than 1000 at once: closed", () =>
    Effect.flatMap(
      scene("creator"),
      closes("resend-range", ({ hand }) =>
        hand.send(service({ _tag: "decryptedMessageActionResend", startSeqNo: 1, endSeqNo: 2003 })))
    ))

  it.live("an empty payload, and one that is not TL: closed", () =>
    Effect.gen(function*() {
      for (const payload of [bytes(0), bytes(64, 0xff), bytes(4096)]) {
        yield* Effect.flatMap(scene("creator"), closes("wrapper", ({ hand }) => hand.push(hand.seal(payload))))
      }
    }))

  it.live("frames for a chat that is unknown, or of another chat: nothing happens", () =>
    Effect.gen(function*() {
      const one = yield* scene("creator")
      const two = yield* scene("creator")
      const before = yield* one.peer.store.load(one.chatId)
      one.relay.inject(one.target, 12345, one.hand.seal(one.hand.payload(text("x"))))
      one.hand.push(two.hand.seal(two.hand.payload(text("of another chat"))))
      yield* drained(one)
      assert.deepStrictEqual(yield* one.peer.store.load(one.chatId), before)
      assert.strictEqual((yield* one.peer.chats.list).length, 1)
      yield* lives(one)
    }))
})
