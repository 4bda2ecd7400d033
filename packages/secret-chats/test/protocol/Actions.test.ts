import type * as Content from "@effect-mtproto/secret-chats/protocol/Content"
import * as Layers from "@effect-mtproto/secret-chats/protocol/Layers"
import * as Machine from "@effect-mtproto/secret-chats/protocol/Machine"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  action,
  encodePayload,
  fromPeer,
  noop,
  NOW,
  of,
  one,
  ready,
  receive,
  refusal,
  said,
  send,
  step,
  type Stepped,
  text,
  violated
} from "./support.ts"

const date = NOW / 1000
const act = (value: Content.Action, randomId = 4242n) => action(value, randomId)
/** A chat whose peer has announced layer 144. */
const chat = () =>
  receive(ready("creator"), act({ _tag: "decryptedMessageActionNotifyLayer", layer: 144 }), { layer: 73 }).state
const events = (stepped: Stepped) => stepped.events.map(({ _tag, ...rest }) => [_tag, rest] as const)

describe("service messages of the peer", () => {
  it.each<readonly [string, Content.Action, ReadonlyArray<unknown>]>([
    ["timer", { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 30 }, [
      ["TtlChanged", { by: "peer", ttl: 30, randomId: 4242n, date: 2000 }]
    ]],
    ["timer off", { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 0 }, [
      ["TtlChanged", { by: "peer", ttl: 0, randomId: 4242n, date: 2000 }]
    ]],
    ["screenshot", { _tag: "decryptedMessageActionScreenshotMessages", randomIds: [1n, 2n] }, [
      ["Screenshot", { by: "peer", randomIds: [1n, 2n], date: 2000 }]
    ]],
    ["opened", { _tag: "decryptedMessageActionReadMessages", randomIds: [1n] }, [
      ["ContentOpened", { by: "peer", randomIds: [1n], date: 2000 }]
    ]],
    ["deleted", { _tag: "decryptedMessageActionDeleteMessages", randomIds: [1n] }, [
      ["MessagesDeleted", { by: "peer", randomIds: [1n], date: 2000 }]
    ]],
    ["nothing deleted", { _tag: "decryptedMessageActionDeleteMessages", randomIds: [] }, []],
    ["flushed", { _tag: "decryptedMessageActionFlushHistory" }, [["HistoryFlushed", { by: "peer", date: 2000 }]]],
    ["typing", { _tag: "decryptedMessageActionTyping", action: { _tag: "sendMessageRecordAudioAction" } }, [
      ["Typing", { action: "sendMessageRecordAudioAction", date: 2000 }]
    ]],
    ["nothing", { _tag: "decryptedMessageActionNoop" }, []],
    ["a lower layer", { _tag: "decryptedMessageActionNotifyLayer", layer: 46 }, []],
    ["a higher layer", { _tag: "decryptedMessageActionNotifyLayer", layer: 150 }, [
      ["LayerChanged", { layer: 150, date }]
    ]]
  ])("%s", (_, value, expected) => {
    const stepped = receive(chat(), act(value))
    assert.deepStrictEqual(events(stepped), expected)
    assert.strictEqual(stepped.state.sequence.myIn, 2)
  })

  it("a negative timer: off, without a word", () => {
    const set = receive(chat(), act({ _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 30 })).state
    const stepped = receive(set, act({ _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: -1 }))
    assert.strictEqual(Machine.ttl(stepped.state), 0)
    assert.deepStrictEqual(stepped.events, [])
  })

  it("opened: timers of ours run from when it was said", () => {
    const stepped = receive(chat(), act({ _tag: "decryptedMessageActionReadMessages", randomIds: [1n] }), {
      date: 3333
    })
    assert.deepStrictEqual(one(stepped, "StartOpened"), {
      _tag: "StartOpened",
      direction: "outgoing",
      randomIds: [1n],
      at: 3333
    })
  })

  it("deleted: history and timers", () => {
    const stepped = receive(chat(), act({ _tag: "decryptedMessageActionDeleteMessages", randomIds: [1n, 2n] }))
    assert.deepStrictEqual(stepped.tags, ["DeleteMessages", "DropTimers", "Emit"])
  })
})

describe("service messages of ours", () => {
  it.each<readonly [string, Content.Action, ReadonlyArray<string>, ReadonlyArray<unknown>]>([
    ["timer", { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 30 }, ["Emit", "Seal", "Flush"], [
      ["TtlChanged", { by: "me", ttl: 30, randomId: 4242n, date }]
    ]],
    ["screenshot", { _tag: "decryptedMessageActionScreenshotMessages", randomIds: [] }, ["Emit", "Seal", "Flush"], [
      ["Screenshot", { by: "me", randomIds: [], date }]
    ]],
    ["opened", { _tag: "decryptedMessageActionReadMessages", randomIds: [7n] }, [
      "StartOpened",
      "Emit",
      "Seal",
      "Flush"
    ], [
      ["ContentOpened", { by: "me", randomIds: [7n], date }]
    ]],
    ["deleted", { _tag: "decryptedMessageActionDeleteMessages", randomIds: [7n] }, [
      "DeleteMessages",
      "DropTimers",
      "Emit",
      "Seal",
      "Flush"
    ], [
      ["MessagesDeleted", { by: "me", randomIds: [7n], date }]
    ]],
    ["flushed", { _tag: "decryptedMessageActionFlushHistory" }, [
      "DeleteHistory",
      "DropTimers",
      "Emit",
      "Seal",
      "Flush"
    ], [
      ["HistoryFlushed", { by: "me", date }]
    ]],
    ["typing", { _tag: "decryptedMessageActionTyping", action: { _tag: "sendMessageTypingAction" } }, [
      "Seal",
      "Flush"
    ], []],
    ["nothing", { _tag: "decryptedMessageActionNoop" }, ["Seal", "Flush"], []],
    ["layer", { _tag: "decryptedMessageActionNotifyLayer", layer: 144 }, ["Seal", "Flush"], []]
  ])("%s", (_, value, tags, expected) => {
    const stepped = send(chat(), act(value))
    assert.deepStrictEqual(stepped.tags, tags)
    assert.deepStrictEqual(events(stepped), expected)
    const seal = one(stepped, "Seal")
    assert.deepStrictEqual(seal.content, act(value))
    assert.deepStrictEqual([seal.record.kind, seal.record.randomId, seal.via, seal.silent], [
      "action",
      4242n,
      "service",
      false
    ])
  })

  it("the call is the caller's choice; silent is the message's", () => {
    const stepped = step(chat(), { _tag: "Send", content: text(1n, "x", { silent: true }), via: "file" })
    const seal = one(stepped, "Seal")
    assert.deepStrictEqual([seal.via, seal.silent, seal.record.kind], ["file", true, "message"])
  })
})

describe("messages of the peer", () => {
  it("are shown as they are, with number, date and file", () => {
    const file = { id: 1n, accessHash: 2n, size: 3n, dcId: 4, keyFingerprint: 5 }
    const state = chat()
    const input = fromPeer(state, { index: 1, content: text(9n, "hello", { replyToRandomId: 4n }), date: 77 })
    const stepped = step(state, { ...input, file } as typeof input)
    assert.deepStrictEqual(stepped.events, [{
      _tag: "NewMessage",
      randomId: 9n,
      index: 1,
      date: 77,
      message: text(9n, "hello", { replyToRandomId: 4n }),
      file
    }])
  })

  it("in an old constructor are read into the current form", () => {
    const old = { _tag: "decryptedMessage_45", randomId: 9n, ttl: 0, message: "old" } as const
    const stepped = receive(chat(), old)
    assert.deepStrictEqual(stepped.events.flatMap((e) => e._tag === "NewMessage" ? [e.message] : []), [text(9n, "old")])
    const service = { _tag: "decryptedMessageService_8", randomId: 1n, randomBytes: new Uint8Array(16) } as const
    const notify = { ...service, action: { _tag: "decryptedMessageActionNotifyLayer", layer: 145 } } as const
    assert.strictEqual(receive(chat(), notify).state.layers.his, 145)
  })

  it("another random id outside than inside: noted, the inner one counts", () => {
    const state = chat()
    const stepped = step(state, fromPeer(state, { index: 1, content: text(9n), randomId: 10n }))
    assert.deepStrictEqual(stepped.events.flatMap((e) => e._tag === "NewMessage" ? [e.randomId] : []), [9n])
    assert.deepStrictEqual(of(stepped, "Notice").map((n) => n.notice), ["random-id-differs"])
  })

  it("random id 0: the number counts, the content does not", () => {
    const stepped = receive(chat(), text(0n))
    assert.deepStrictEqual(stepped.events, [])
    assert.strictEqual(stepped.state.sequence.myIn, 2)
    assert.strictEqual(stepped.state.phase._tag, "Ready")
  })

  it("typing by the server's signal", () => {
    assert.deepStrictEqual(step(chat(), { _tag: "TypingByPeer" }).events, [{ _tag: "Typing", date }])
  })
})

describe("layers", () => {
  it.each([[0, 73], [46, 73], [73, 73], [101, 101], [144, 144], [999, 144]])(
    "a peer of %d is written %d",
    (his, layer) => {
      assert.strictEqual(Layers.sending({ his, announced: 144 }), layer)
    }
  )

  it.prop("the layer that is written never falls", [Schema.Array(Schema.Int)], ([seen]) => {
    let layers = Layers.initial
    let before = 0
    for (const layer of seen) {
      layers = Layers.observe(layers, layer)
      assert.isAtLeast(Layers.sending(layers), before)
      assert.isAtLeast(layers.his, layer)
      before = Layers.sending(layers)
    }
  })

  it("messages are written in the layer of the chat at that time", () => {
    const first = send(ready("creator"), text(1n))
    assert.strictEqual(one(first, "Seal").record.layer, 73)
    const raised = receive(first.state, text(2n), { layer: 101 }).state
    assert.strictEqual(one(send(raised, text(3n)), "Seal").record.layer, 101)
  })

  it("a duplicate raises it, and so does a message that waits", () => {
    const before = receive(ready("creator"), text(1n), { layer: 80 }).state
    const duplicate = step(before, fromPeer(before, { index: 0, content: text(1n), layer: 90 }))
    assert.strictEqual(duplicate.state.layers.his, 90)
    const early = step(before, fromPeer(before, { index: 5, content: text(1n), layer: 91 }))
    assert.strictEqual(early.state.layers.his, 91)
    // but the order of layers is judged in order only
    assert.strictEqual(receive(duplicate.state, text(2n), { layer: 80 }).state.phase._tag, "Ready")
  })

  it("after an upgrade NotifyLayer is said once", () => {
    const old = { ...ready("creator"), layers: { his: 144, announced: 101 } }
    const stepped = step(old, { _tag: "Start" })
    assert.deepStrictEqual(said(stepped), ["NotifyLayer"])
    assert.strictEqual(stepped.state.layers.announced, Layers.MINE)
    assert.deepStrictEqual(said(step(stepped.state, { _tag: "Start" })), [])
  })

  it("what the layer cannot say is refused, and nothing changed", () => {
    const big = text(1n, "", {
      media: {
        _tag: "decryptedMessageMediaDocument",
        thumb: new Uint8Array(),
        thumbW: 0,
        thumbH: 0,
        mimeType: "application/octet-stream",
        size: 3_000_000_000n,
        key: new Uint8Array(32),
        iv: new Uint8Array(32),
        attributes: [],
        caption: ""
      }
    })
    const low = receive(ready("creator"), text(2n), { layer: 101 }).state
    assert.strictEqual(refusal(low, { _tag: "Send", content: big, via: "file" }), "layer")
    assert.strictEqual(one(step(chat(), { _tag: "Send", content: big, via: "file" }), "Seal").record.layer, 144)
  })
})

describe("frames that are authentic but wrong", () => {
  const received = (payload: Uint8Array) => {
    const state = chat()
    return step(state, { _tag: "Received", payload, key: state.keys!.current.fingerprint, randomId: 55n, date: 9 })
  }
  const good = encodePayload({ inSeqNo: 1, outSeqNo: 2, message: text(55n) })
  const outcome = (stepped: Stepped) =>
    stepped.state.phase._tag === "Closed" && stepped.state.phase.reason._tag === "Violation"
      ? stepped.state.phase.reason.rule
      : stepped.events.map((e) => e._tag).join()

  it("the good one is good", () => assert.strictEqual(outcome(received(good)), "NewMessage"))

  it.each([
    ["nothing", new Uint8Array()],
    ["four bytes", Uint8Array.of(1, 2, 3, 4)],
    ["a message without a wrapper", good.slice(4 + 32 + 12)],
    ["another wrapper", Uint8Array.of(0, ...good.slice(1))],
    ["a wrapper that ends in its random bytes", good.slice(0, 20)],
    ["a wrapper that ends in its numbers", good.slice(0, 4 + 32 + 8)],
    ["a wrapper around nothing", good.slice(0, 4 + 32 + 12)]
  ])("%s: close", (_, payload) => assert.strictEqual(outcome(received(payload)), "wrapper"))

  it.each([0, 4, 14])("%d random bytes: close", (randomBytes) => {
    assert.strictEqual(
      outcome(received(encodePayload({ inSeqNo: 1, outSeqNo: 2, message: text(55n), randomBytes }))),
      "random-bytes"
    )
    // also when the content cannot be read
    const cut = encodePayload({ inSeqNo: 1, outSeqNo: 2, message: text(55n), randomBytes })
    assert.strictEqual(outcome(received(cut.slice(0, -4))), "random-bytes")
  })

  it("15 random bytes: fine", () => {
    assert.strictEqual(
      outcome(received(encodePayload({ inSeqNo: 1, outSeqNo: 2, message: text(55n), randomBytes: 15 }))),
      "NewMessage"
    )
  })

  it.each([
    ["an unknown constructor", Uint8Array.of(...good.slice(0, 48), 1, 2, 3, 4, ...good.slice(52))],
    ["a content that ends too early", good.slice(0, -4)],
    ["bytes left over", Uint8Array.of(...good, 0, 0, 0, 0)]
  ])("%s: shown as unsupported, its number counts", (_, payload) => {
    const stepped = received(payload)
    assert.deepStrictEqual(stepped.events, [{ _tag: "UnsupportedMessage", randomId: 55n, index: 1, date: 9 }])
    assert.strictEqual(stepped.state.sequence.myIn, 2)
  })

  it("an unreadable content in a wrapper of the fewest random bytes: its layer counts", () => {
    const payload = encodePayload({ inSeqNo: 1, outSeqNo: 2, layer: 150, message: text(55n), randomBytes: 15 })
    assert.deepStrictEqual(received(payload.slice(0, -4)).events.map((e) => e._tag), [
      "LayerChanged",
      "UnsupportedMessage"
    ])
  })

  it("the name of an unknown constructor is a content, less than a name is none", () => {
    const named = Uint8Array.of(...good.slice(0, 48), 1, 2, 3, 4)
    assert.deepStrictEqual(received(named).events.map((e) => e._tag), ["UnsupportedMessage"])
    assert.strictEqual(violated(received(named.slice(0, 51))), "wrapper")
    assert.strictEqual(violated(received(named.slice(0, 48))), "wrapper")
  })

  it("an unreadable one that is ahead waits like any other", () => {
    const ahead = encodePayload({ inSeqNo: 1, outSeqNo: 4, message: text(55n) }).slice(0, -4)
    const waiting = received(ahead)
    assert.strictEqual(of(waiting, "Hold").length, 1)
    assert.deepStrictEqual(receive(waiting.state, act(noop)).events.map((e) => e._tag), ["UnsupportedMessage"])
  })

  it("any cut of a good one ends in one of these ways", () => {
    for (let end = 0; end < good.length; end++) {
      const now = outcome(received(good.slice(0, end)))
      assert.include(["wrapper", "UnsupportedMessage"], now, `${end} bytes`)
    }
  })

  it.prop("any bytes at all end in one of these ways", [
    Schema.Uint8Array,
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: good.length }))
  ], ([noise, at]) => {
    const stepped = received(Uint8Array.of(...good.slice(0, at), ...noise))
    assert.isString(outcome(stepped))
  }, { arbitrary: { runs: 500 } })
})
