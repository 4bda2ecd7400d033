/** What every step has in common: its outputs and their order, refusals to the caller, chance and time. */
import * as ChatState from "@effect-mtproto/secret-chats/protocol/ChatState"
import type * as Content from "@effect-mtproto/secret-chats/protocol/Content"
import type { Input } from "@effect-mtproto/secret-chats/protocol/Input"
import * as Machine from "@effect-mtproto/secret-chats/protocol/Machine"
import * as Sequence from "@effect-mtproto/secret-chats/protocol/Sequence"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import {
  action,
  becomeReady,
  CHAT,
  fromPeer,
  noop,
  NOW,
  of,
  one,
  other,
  ready,
  receive,
  roles,
  said,
  send,
  step,
  type Stepped,
  text,
  violated
} from "./support.ts"

type State = Stepped["state"]
const message = (content: Content.Content): Input => ({ _tag: "Send", content, via: "message" })
/** All but the last of so many messages are acknowledged. */
const full = (myOut: number): State => {
  const state = ready("creator")
  const record = { index: myOut - 1, randomId: 99n, kind: "protocol", inIndex: 0, layer: 144, revision: 0 } as const
  return {
    ...state,
    sequence: { ...state.sequence, myOut, hisIn: myOut - 1 },
    outbox: { records: [record], refusals: 0 }
  }
}

describe("refused to the caller, with a sentence", () => {
  const closed = () => step(ready("creator"), { _tag: "Discard", deleteHistory: false }).state
  const request: Input = { _tag: "Request", userId: 1n, userAccessHash: 2n }
  const tooOld = () => receive(ready("creator"), action(noop), { layer: 73 }).state
  const bigFile = text(3n, "a file", {
    media: {
      _tag: "decryptedMessageMediaDocument",
      thumb: new Uint8Array(),
      thumbW: 0,
      thumbH: 0,
      mimeType: "a/b",
      size: 1n << 33n,
      key: new Uint8Array(32),
      iv: new Uint8Array(32),
      attributes: [],
      caption: ""
    }
  })
  it.each<readonly [string, () => State, Input, Machine.Refusal["reason"], string]>([
    ["asking twice", () => ready("creator"), request, "phase", "This secret chat exists already"],
    ["accepting after the end", closed, { _tag: "Accept" }, "closed", "The secret chat is closed"],
    [
      "accepting nothing",
      () => ChatState.empty(CHAT),
      { _tag: "Accept" },
      "phase",
      "There is no request to accept in this secret chat"
    ],
    [
      "closing nothing",
      () => ChatState.empty(CHAT),
      { _tag: "Discard", deleteHistory: false },
      "phase",
      "There is no secret chat to discard"
    ],
    ["sending after the end", closed, message(text(1n)), "closed", "The secret chat is closed"],
    [
      "sending before there is a key",
      () => step(ChatState.empty(CHAT), request).state,
      message(text(1n)),
      "not-ready",
      "The secret chat is not ready: the key exchange has not ended"
    ],
    [
      "the message after the last number",
      () => full(Sequence.CAPACITY),
      message(text(1n)),
      "exhausted",
      "This secret chat has used up its sequence numbers; start a new one"
    ],
    ["no name", () => ready("creator"), message(text(0n)), "random-id", "The random id of a message must not be 0"],
    [
      "a name that is taken",
      () => send(ready("creator"), text(1n)).state,
      message(text(1n)),
      "random-id",
      "A message with this random id is under way already"
    ],
    [
      "an action of the protocol",
      () => ready("creator"),
      message(action({ _tag: "decryptedMessageActionAbortKey", exchangeId: 1n })),
      "reserved",
      "This action belongs to the protocol itself and cannot be sent by hand"
    ]
  ])("%s", (_, make, input, reason, detail) => {
    const result = Machine.step(make(), input, { now: NOW, entropy: new Uint8Array(64) })
    assert.isTrue(Result.isFailure(result))
    if (Result.isFailure(result)) {
      assert.deepStrictEqual([result.failure.reason, result.failure.message], [reason, detail])
    }
  })

  it("what the peer's client is too old for", () => {
    const result = Machine.step(tooOld(), message(bigFile), { now: NOW, entropy: new Uint8Array(64) })
    assert.strictEqual(Result.isFailure(result) ? result.failure.reason : "", "layer")
  })
})

describe("the last number", () => {
  it("is given", () => {
    const stepped = send(full(Sequence.CAPACITY - 1), text(1n))
    assert.strictEqual(one(stepped, "Seal").record.index, Sequence.CAPACITY - 1)
    assert.strictEqual(stepped.state.sequence.myOut, Sequence.CAPACITY)
  })

  it("is given once: the protocol itself says nothing any more, and the chat can be read", () => {
    const state = full(Sequence.CAPACITY)
    const stepped = step(state, fromPeer(state, { index: 1, content: text(1n) }))
    assert.deepStrictEqual(of(stepped, "Seal"), [])
    assert.strictEqual(violated(stepped), undefined)
    assert.strictEqual(receive(stepped.state, text(2n)).state.sequence.myIn, 2)
  })
})

describe("what a step puts out", () => {
  it.each(roles)("writes in order, then acts, and one Flush at the end, as %s", (role) => {
    let state = send(ready(role), text(1n)).state
    // a request of the peer to send again, which is itself too early, so that we ask, too
    const resend = action({
      _tag: "decryptedMessageActionResend",
      ...Sequence.rangeToWire(other(role), { from: 0, to: 1 })
    })
    const crossed = step(state, fromPeer(state, { index: 1, content: resend, randomId: 4242n }))
    assert.deepStrictEqual(crossed.tags, ["Emit", "Hold", "SendAgain", "Seal", "Emit", "Flush"])
    for (let i = 2n; i < 100n; i++) state = send(state, text(i)).state
    assert.deepStrictEqual(send(state, text(100n)).tags, ["Seal", "GenerateKeyPair", "Flush"])
  })

  it("a message: one Seal, no timer without a ttl, and silent if it says so", () => {
    const stepped = send(ready("creator"), text(1n))
    assert.deepStrictEqual(stepped.tags, ["Seal", "Flush"])
    assert.strictEqual(one(stepped, "Seal").silent, false)
    assert.strictEqual(one(send(ready("creator"), text(1n, "hush", { silent: true })), "Seal").silent, true)
    assert.strictEqual(one(send(ready("creator"), action(noop)), "Seal").silent, false)
  })

  it("closing: what was to be computed or sent is left, what was to be wiped or noted is not", () => {
    // the first is taken, the second asks for a key exchange, the third breaks a rule
    const state = send(ready("creator"), text(1n)).state
    const request = action({ _tag: "decryptedMessageActionRequestKey", exchangeId: 5n, gA: Uint8Array.of(9) }, 1n)
    const bad = action({ _tag: "decryptedMessageActionCommitKey", exchangeId: 1n, keyFingerprint: 1n }, 2n)
    const at = (s: State, index: number, content: Content.Content, randomId: bigint) =>
      step(s, fromPeer(s, { index, content, randomId }))
    const held = at(at(state, 2, bad, 2n).state, 1, request, 7n).state
    const closed = at(held, 0, text(3n), 3n)
    assert.strictEqual(violated(closed), "rekey-commit")
    assert.deepStrictEqual(closed.tags.filter((tag) => tag !== "Emit" && tag !== "Release"), [
      "Forget",
      "Notice",
      "Wipe",
      "DiscardEncryption"
    ])
    assert.deepStrictEqual(of(closed, "Notice"), [{ _tag: "Notice", notice: "random-id-differs" }])
    assert.deepStrictEqual(closed.events.at(-1), {
      _tag: "ChatClosed",
      reason: { _tag: "Violation", rule: "rekey-commit" },
      historyDeleted: false,
      date: NOW / 1000
    })
  })
})

describe("chance", () => {
  const entropy = Uint8Array.from({ length: 64 }, (_, i) => i + 1)
  const stepWith = (state: State, input: Input, bytes: Uint8Array) =>
    Result.getOrThrow(Machine.step(state, input, { now: NOW, entropy: bytes }))
  const due = (): State => {
    const state = ready("creator")
    return { ...state, keys: { ...state.keys!, uses: 101 }, layers: { ...state.layers, announced: 73 } }
  }

  it("each number is eight bytes of its own, little-endian", () => {
    const { outputs, state } = stepWith(due(), { _tag: "Tick" }, entropy)
    assert.strictEqual(one({ outputs }, "Seal").content.randomId, 0x0807060504030201n)
    const { exchange } = state.keys!
    assert.strictEqual(exchange._tag === "Starting" ? exchange.exchangeId : 0n, 0x100f0e0d0c0b0a09n)
  })

  it("no name is 0, and 1 is one", () => {
    const { outputs } = stepWith(due(), { _tag: "Tick" }, new Uint8Array(64))
    assert.strictEqual(one({ outputs }, "Seal").content.randomId, 1n)
    const { outputs: others } = stepWith(due(), { _tag: "Tick" }, Uint8Array.of(1, ...new Uint8Array(63)))
    assert.strictEqual(one({ outputs: others }, "Seal").content.randomId, 1n)
  })

  it("is found where the bytes stand", () => {
    const { outputs } = stepWith(due(), { _tag: "Tick" }, Uint8Array.of(9, ...entropy).subarray(1))
    assert.strictEqual(one({ outputs }, "Seal").content.randomId, 0x0807060504030201n)
  })
})

describe("an update of this software", () => {
  it("our higher layer is announced once, and is what we speak", () => {
    const state = { ...ready("acceptor"), layers: { his: 144, announced: 73 } }
    const stepped = step(state, { _tag: "Start" })
    const { content } = one(stepped, "Seal")
    assert.deepStrictEqual(content._tag === "decryptedMessageService" ? content.action : undefined, {
      _tag: "decryptedMessageActionNotifyLayer",
      layer: 144
    })
    assert.strictEqual(stepped.state.layers.announced, 144)
    assert.deepStrictEqual(said(step(stepped.state, { _tag: "Start" })), [])
  })
})

describe("time", () => {
  it("of events is in whole seconds", () => {
    const closed = step(ready("creator"), { _tag: "Discard", deleteHistory: true }, NOW + 1_999)
    assert.deepStrictEqual(closed.events, [
      { _tag: "ChatClosed", reason: { _tag: "ByMe" }, historyDeleted: true, date: NOW / 1000 + 1 }
    ])
  })

  it("the earlier of both alarms is the next", () => {
    const { state } = becomeReady("creator")
    const wake = (hole: number | undefined, retryAt: number | undefined) =>
      Machine.nextWake({
        ...state,
        inbox: {
          ...state.inbox,
          ...(hole === undefined ? {} : { hole: { from: 0, to: 1, attempts: 1, retryAt: hole } })
        },
        outbox: { ...state.outbox, ...(retryAt === undefined ? {} : { retryAt }) }
      })
    assert.deepStrictEqual(
      [wake(undefined, undefined), wake(5, undefined), wake(undefined, 6), wake(5, 6), wake(7, 6)],
      [undefined, 5, 6, 5, 6]
    )
  })
})

describe("reading", () => {
  it("by us: told, remembered, and started, up to its date and not again", () => {
    const stepped = step(ready("creator"), { _tag: "MarkRead", maxDate: 50 }, NOW + 500)
    assert.deepStrictEqual(stepped.outputs, [
      { _tag: "StartViewed", direction: "incoming", maxDate: 50, at: NOW / 1000 },
      { _tag: "Emit", event: { _tag: "MessagesRead", by: "me", maxDate: 50, date: NOW / 1000 } },
      { _tag: "ReadHistory", maxDate: 50 }
    ])
    assert.strictEqual(stepped.state.readUntil, 50)
    assert.deepStrictEqual(step(stepped.state, { _tag: "MarkRead", maxDate: 50 }).outputs, [])
  })

  it("by the peer: the same, with the date of the update", () => {
    const stepped = step(ready("creator"), { _tag: "ReadByPeer", maxDate: 50, date: 60 })
    assert.deepStrictEqual(stepped.outputs, [
      { _tag: "StartViewed", direction: "outgoing", maxDate: 50, at: 60 },
      { _tag: "Emit", event: { _tag: "MessagesRead", by: "peer", maxDate: 50, date: 60 } }
    ])
    assert.deepStrictEqual(step(stepped.state, { _tag: "ReadByPeer", maxDate: 50, date: 61 }).outputs, [])
  })

  it("the server takes what the peer has read by then: it is viewed, up to and with that date", () => {
    const state = step(send(ready("creator"), text(1n)).state, { _tag: "ReadByPeer", maxDate: 50, date: 60 }).state
    const taken = (date: number) =>
      of(step(state, { _tag: "Sent", record: state.outbox.records[1]!, date }), "StartViewed")
    assert.deepStrictEqual(taken(50), [{ _tag: "StartViewed", direction: "outgoing", maxDate: 50, at: 60 }])
    assert.deepStrictEqual(taken(51), [])
  })

  it("messages whose time has come: gone with their timers, and told; none: nothing", () => {
    const stepped = step(ready("creator"), { _tag: "Expired", direction: "incoming", randomIds: [1n, 2n] })
    assert.deepStrictEqual(stepped.outputs, [
      { _tag: "DeleteMessages", randomIds: [1n, 2n] },
      { _tag: "DropTimers", randomIds: [1n, 2n] },
      {
        _tag: "Emit",
        event: { _tag: "MessagesExpired", direction: "incoming", randomIds: [1n, 2n], date: NOW / 1000 }
      }
    ])
    assert.deepStrictEqual(
      step(ready("creator"), { _tag: "Expired", direction: "incoming", randomIds: [] }).outputs,
      []
    )
  })
})

describe("after the end", () => {
  it("a refusal is nobody's: the chat is not closed twice", () => {
    const state = ready("creator")
    const record = state.outbox.records[0]!
    const closed = step(state, { _tag: "Discard", deleteHistory: false }).state
    const late = step(closed, { _tag: "Refused", record, error: { code: 400, type: "ENCRYPTION_DECLINED" } })
    assert.deepStrictEqual(late, { state: closed, outputs: [], events: [], tags: [] })
  })

  it("a frame that still opens is noted", () => {
    const state = ready("creator")
    const closed = step(state, { _tag: "Discard", deleteHistory: false }).state
    assert.deepStrictEqual(step(closed, fromPeer(state, { index: 0, content: text(1n) })).outputs, [
      { _tag: "Notice", notice: "not-ready" }
    ])
  })
})

describe("the server refuses", () => {
  it("a message with a timer: the timer goes, too", () => {
    const state = send(ready("creator"), text(1n, "short", { ttl: 5 })).state
    const refused = step(state, {
      _tag: "Refused",
      record: state.outbox.records[1]!,
      error: { code: 400, type: "DATA_INVALID" }
    })
    assert.deepStrictEqual(of(refused, "DropTimers"), [{ _tag: "DropTimers", randomIds: [1n] }])
  })

  it("for good: the history stays", () => {
    const state = send(ready("creator"), text(1n)).state
    const refused = step(state, {
      _tag: "Refused",
      record: state.outbox.records[1]!,
      error: { code: 403, type: "USER_DELETED" }
    })
    assert.deepStrictEqual(refused.state.phase, {
      _tag: "Closed",
      reason: { _tag: "PeerGone" },
      discard: true,
      deleteHistory: false
    })
  })

  it("the timer of the chat is certain as soon as the server has it", () => {
    const set = action({ _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 9 }, 1n)
    const state = send(ready("creator"), set).state
    assert.deepStrictEqual(state.ttl, { certain: 0, pending: [{ randomId: 1n, seconds: 9 }] })
    const sent = step(state, { _tag: "Sent", record: state.outbox.records[1]!, date: 5 })
    assert.deepStrictEqual(sent.state.ttl, { certain: 9, pending: [] })
  })
})

it("the keys that can be read before we know whether the chat is ours", () => {
  const key = { bytes: new Uint8Array(256), fingerprint: 8n }
  const phase = { _tag: "Confirming", publicValue: Uint8Array.of(1), key, attempts: 1, uncertain: true } as const
  assert.deepStrictEqual(Machine.readingKeys({ ...ChatState.empty(CHAT), phase }), [key])
  assert.deepStrictEqual(Machine.readingKeys(ChatState.empty(CHAT)), [])
})
