import * as ChatState from "@effect-mtproto/secret-chats/protocol/ChatState"
import * as Events from "@effect-mtproto/secret-chats/protocol/Events"
import * as Inbox from "@effect-mtproto/secret-chats/protocol/Inbox"
import type { Input } from "@effect-mtproto/secret-chats/protocol/Input"
import * as Outbox from "@effect-mtproto/secret-chats/protocol/Outbox"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import { action, dh, fromPeer, noop, ready, receive, send, step, text } from "./support.ts"

type State = ChatState.ChatState
const stored = (state: State) => ({
  head: ChatState.encode(state),
  outbox: state.outbox.records.map(ChatState.encodeRecord),
  pending: state.inbox.pending.map(ChatState.encodePending)
})
const restored = (state: State) => ChatState.decode(stored(state))
const busy = (): State => {
  let state = ready("acceptor")
  for (let i = 1n; i < 5n; i++) state = send(state, text(i)).state
  state = receive(state, action(noop), { inIndex: 2 }).state
  for (const index of [4, 3, 7]) state = step(state, fromPeer(state, { index, content: text(BigInt(index)) })).state
  return state
}
// not deepStrictEqual: JSON has no -0
const sameRecord = Schema.toEquivalence(Outbox.OutboxRecord)
const samePending = Schema.toEquivalence(Inbox.Pending)
const sameEvent = Schema.toEquivalence(Events.Event)
const utf8 = new TextEncoder()
const json = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes))
const rewrite = (bytes: Uint8Array, change: (value: any) => void): Uint8Array => {
  const value = json(bytes)
  change(value)
  return utf8.encode(JSON.stringify(value))
}
const problem = (result: Result.Result<unknown, ChatState.StateError>) =>
  Result.isFailure(result) ? [result.failure.part, result.failure.problem] : "fine"

const own = { secret: Uint8Array.of(1), publicValue: Uint8Array.of(2) }
const request: Input = { _tag: "Request", userId: 2n, userAccessHash: 3n }
const pair: Input = { _tag: "KeyPairGenerated", purpose: { _tag: "First" }, dh, own }
const answer: Input = {
  _tag: "ServerChat",
  chat: {
    _tag: "encryptedChat",
    id: 1,
    accessHash: 4n,
    date: 5,
    adminId: 6n,
    participantId: 2n,
    gAOrB: Uint8Array.of(7),
    keyFingerprint: 8n
  }
}
const confirming = (hasPicture: boolean): State => ({
  ...ChatState.empty(1),
  dh,
  ...(hasPicture ? { keyHash: new Uint8Array(36) } : {}),
  phase: {
    _tag: "Confirming",
    publicValue: Uint8Array.of(2),
    key: { bytes: new Uint8Array(256), fingerprint: 8n },
    attempts: 1,
    uncertain: false
  }
})

describe("the stored form of a chat", () => {
  it("comes back as it was, in every phase", () => {
    const states: ReadonlyArray<State> = [
      ChatState.empty(-5),
      step(ChatState.empty(1), { _tag: "Request", userId: 2n ** 62n, userAccessHash: -1n }).state,
      ready("creator"),
      busy(),
      step(busy(), { _tag: "Discard", deleteHistory: true }).state
    ]
    for (const state of states) assert.deepStrictEqual(restored(state), Result.succeed(state))
  })

  it("rows may come in any order", () => {
    const state = busy()
    const { head, outbox, pending } = stored(state)
    assert.deepStrictEqual(
      ChatState.decode({ head, outbox: outbox.toReversed(), pending: pending.toReversed() }),
      Result.succeed(state)
    )
  })

  it.prop("records and waiting messages: any at all", {
    record: Arbitrary.schema(Outbox.OutboxRecord),
    pending: Arbitrary.schema(Inbox.Pending)
  }, ({ pending, record }) => {
    const again = ChatState.decodeRecord(ChatState.encodeRecord(record))
    assert.isTrue(Result.isSuccess(again) && sameRecord(again.success, record))
    const waiting = ChatState.decodePending(ChatState.encodePending(pending))
    assert.isTrue(Result.isSuccess(waiting) && samePending(waiting.success, pending))
  })

  it("a missing, doubled or foreign row is found", () => {
    const { head, outbox, pending } = stored(busy())
    for (
      const rows of [outbox.slice(1), outbox.slice(0, -1), [...outbox, outbox[0]!], [...outbox.slice(1), outbox[1]!]]
    ) {
      assert.deepStrictEqual(problem(ChatState.decode({ head, outbox: rows, pending })), ["outbox", "rows"])
    }
    for (const rows of [[...pending, pending[0]!], stored(ready("creator")).pending.concat(pending, pending)]) {
      assert.deepStrictEqual(problem(ChatState.decode({ head, outbox, pending: rows })), ["pending", "rows"])
    }
    const passed = { ...busy().inbox.pending[0]!, index: 0 }
    assert.deepStrictEqual(
      problem(ChatState.decode({ head, outbox, pending: [ChatState.encodePending(passed)] })),
      ["pending", "rows"]
    )
    assert.strictEqual(busy().inbox.seen, 8)
    const unseen = { ...busy().inbox.pending[0]!, index: 8 }
    assert.deepStrictEqual(
      problem(ChatState.decode({ head, outbox, pending: [ChatState.encodePending(unseen)] })),
      ["pending", "rows"]
    )
  })

  it.each<readonly [string, (value: any) => void]>([
    ["a field is missing", (v) => delete v.value.phase],
    ["another type", (v) => v.value.userId = {}],
    ["an unknown phase", (v) => v.value.phase._tag = "Nowhere"],
    ["a negative counter", (v) => v.value.sequence.myIn = -1],
    ["a counter too big", (v) => v.value.sequence.myOut = 2 ** 31],
    ["more acknowledged than sent", (v) => v.value.sequence.hisIn = 99],
    ["ready without a key", (v) => delete v.value.keys],
    ["ready without parameters", (v) => delete v.value.dh],
    ["ready without a key picture", (v) => delete v.value.keyHash],
    ["a key without being ready", (v) => v.value.phase = { _tag: "New" }],
    ["no version", (v) => delete v.v],
    ["an earlier version that never was", (v) => v.v = 0]
  ])("%s: malformed", (_, change) => {
    const { head, outbox, pending } = stored(busy())
    assert.deepStrictEqual(problem(ChatState.decode({ head: rewrite(head, change), outbox, pending })), [
      "head",
      "malformed"
    ])
  })

  it.each<readonly [string, () => State]>([
    ["waiting", () => step(step(ChatState.empty(1), request).state, pair).state],
    ["agreeing", () => step(step(step(ChatState.empty(1), request).state, pair).state, answer).state],
    ["confirming", () => confirming(true)]
  ])("%s without parameters: malformed", (_, make) => {
    const { head, outbox, pending } = stored(make())
    assert.deepStrictEqual(problem(ChatState.decode({ head, outbox, pending })), "fine")
    const without = rewrite(head, (v) => delete v.value.dh)
    assert.deepStrictEqual(problem(ChatState.decode({ head: without, outbox, pending })), ["head", "malformed"])
  })

  it("confirming without a key picture: malformed", () => {
    const { head, outbox, pending } = stored(confirming(false))
    assert.deepStrictEqual(problem(ChatState.decode({ head, outbox, pending })), ["head", "malformed"])
  })

  it("a row that cannot be read: the row is malformed", () => {
    const { head, outbox, pending } = stored(busy())
    const bad = Uint8Array.of(0xff)
    assert.deepStrictEqual(problem(ChatState.decode({ head, outbox: [bad, ...outbox.slice(1)], pending })), [
      "outbox",
      "malformed"
    ])
    assert.deepStrictEqual(problem(ChatState.decode({ head, outbox, pending: [bad, ...pending.slice(1)] })), [
      "pending",
      "malformed"
    ])
  })

  it("says what is wrong", () => {
    const said = (problem: ChatState.StateError["problem"]) =>
      new ChatState.StateError({ part: "outbox", problem }).message
    assert.deepStrictEqual([said("malformed"), said("version"), said("rows")], [
      "The stored outbox of a secret chat is malformed",
      "The stored outbox of a secret chat was written by a later version of this software",
      "The stored outbox of a secret chat does not belong to its head"
    ])
  })

  it("a later version is told apart, and not touched", () => {
    const { head, outbox, pending } = stored(busy())
    const later = rewrite(head, (v) => v.v = 2)
    assert.deepStrictEqual(problem(ChatState.decode({ head: later, outbox, pending })), ["head", "version"])
    assert.deepStrictEqual(problem(ChatState.decodeRecord(rewrite(outbox[0]!, (v) => v.v = 9))), ["outbox", "version"])
    assert.deepStrictEqual(problem(ChatState.decodePending(rewrite(pending[0]!, (v) => v.v = 9))), [
      "pending",
      "version"
    ])
  })

  it("cut anywhere, or with any byte changed: an error, or a state that is whole; never a throw", () => {
    const { head, outbox, pending } = stored(ready("creator"))
    for (let i = 0; i < head.length; i++) {
      assert.deepStrictEqual(problem(ChatState.decode({ head: head.slice(0, i), outbox, pending })), [
        "head",
        "malformed"
      ])
      const changed = head.slice()
      changed[i]! ^= 0x40
      ChatState.decode({ head: changed, outbox, pending })
    }
  })

  it.prop("any bytes: an error", [Schema.Uint8Array], ([bytes]) => {
    assert.isTrue(Result.isFailure(ChatState.decode({ head: bytes, outbox: [], pending: [] })))
    assert.isTrue(Result.isFailure(ChatState.decodeRecord(bytes)))
    assert.isTrue(Result.isFailure(ChatState.decodePending(bytes)))
    assert.isTrue(Result.isFailure(Events.decode(bytes)))
  })

  it("an error holds nothing of what was stored", () => {
    const { head } = stored(ready("creator"))
    const result = ChatState.decode({ head: rewrite(head, (v) => v.value.chatId = "x"), outbox: [], pending: [] })
    assert.isTrue(Result.isFailure(result))
    if (Result.isFailure(result)) {
      assert.deepStrictEqual(Object.keys(result.failure).toSorted(), ["_tag", "part", "problem"].toSorted())
      assert.strictEqual(result.failure.message, "The stored head of a secret chat is malformed")
    }
  })

  it("is about a kilobyte", () => assert.isBelow(ChatState.encode(ready("creator")).length, 1500))
})

describe("the stored form of an event", () => {
  it.prop("comes back as it was", [Arbitrary.schema(Events.Event)], ([event]) => {
    const again = Events.decode(Events.encode(event))
    assert.isTrue(Result.isSuccess(again) && sameEvent(again.success, event))
  }, { arbitrary: { runs: 300 } })

  it("a message with a file, with a text, with both", () => {
    const file = { id: 1n, accessHash: 2n, size: 3n, dcId: 4, keyFingerprint: 5 }
    const event = { _tag: "NewMessage", randomId: 1n, index: 2, date: 3, message: text(1n) } as const
    for (const one of [event, { ...event, file }]) {
      assert.deepStrictEqual(Events.decode(Events.encode(one)), Result.succeed(one))
    }
  })

  it("a text that is no UTF-8 is no text", () => {
    const bytes = Events.encode({ _tag: "NewMessage", randomId: 1n, index: 2, date: 3, message: text(1n, "~") })
    const broken = bytes.map((byte) => byte === 0x7e ? 0xff : byte)
    assert.isTrue(Result.isFailure(Events.decode(broken)))
    // nor is a mark of byte order in front of it
    assert.isTrue(Result.isFailure(Events.decode(Uint8Array.of(0xef, 0xbb, 0xbf, ...bytes))))
  })

  it("malformed: one error that holds nothing", () => {
    const bytes = Events.encode({ _tag: "ChatWaiting", date: 1 })
    const result = Events.decode(rewrite(bytes, (v) => v.event.date = "now"))
    assert.isTrue(Result.isFailure(result))
    if (Result.isFailure(result)) {
      assert.strictEqual(result.failure.message, "A stored event of a secret chat is malformed")
    }
  })
})
