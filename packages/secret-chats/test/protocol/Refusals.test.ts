import type * as Content from "@effect-mtproto/secret-chats/protocol/Content"
import * as Machine from "@effect-mtproto/secret-chats/protocol/Machine"
import * as Outbox from "@effect-mtproto/secret-chats/protocol/Outbox"
import { assert, describe, it } from "@effect/vitest"
import {
  action,
  fromPeer,
  noop,
  NOW,
  of,
  one,
  ready,
  receive,
  roles,
  said,
  send,
  step,
  type Stepped,
  text
} from "./support.ts"

type State = Stepped["state"]
const record = (state: State, index: number) => Outbox.get(state.outbox, index)!
const refuse = (state: State, sent: Outbox.OutboxRecord, type: string, code = 400, now = NOW) =>
  step(state, { _tag: "Refused", record: sent, error: { code, type } }, now)
const deletion = (id: bigint): Content.Service => ({
  _tag: "decryptedMessageService",
  randomId: id,
  action: { _tag: "decryptedMessageActionDeleteMessages", randomIds: [id] }
})
// 0 NotifyLayer (protocol), 1 a text, 2 an action
const base = () => {
  const state = send(ready("creator"), text(11n)).state
  return send(state, action({ _tag: "decryptedMessageActionScreenshotMessages", randomIds: [] }, 12n)).state
}

describe("the server refuses a message", () => {
  it.each([
    ["DATA_INVALID", 400],
    ["USER_IS_BLOCKED", 403],
    ["CHAT_ID_INVALID", 400],
    ["ENCRYPTION_ID_INVALID", 400],
    ["MSG_WAIT_FAILED", 500],
    ["FLOOD_WAIT_300", 420]
  ])("%s of a text: told, and its slot says that it is deleted", (type, code) => {
    const state = base()
    const before = record(state, 1)
    const stepped = refuse(state, before, type, code)
    const seal = one(stepped, "Seal")
    assert.deepStrictEqual(seal.content, deletion(11n))
    assert.deepStrictEqual(seal.record, { ...before, kind: "deleted", revision: 1 })
    // the numbers of the slot, whatever was received since
    assert.deepStrictEqual([seal.inSeqNo, seal.outSeqNo], [0, 3])
    assert.deepStrictEqual([seal.via, seal.silent], ["message", true])
    assert.deepStrictEqual(stepped.events, [
      { _tag: "MessageFailed", randomId: 11n, index: 1, error: { code, type }, date: NOW / 1000 }
    ])
    assert.strictEqual(of(stepped, "Flush").length, 1)
    assert.strictEqual(stepped.state.sequence.myOut, state.sequence.myOut)
    assert.strictEqual(stepped.state.phase._tag, "Ready")
  })

  it("an action of the user: the same", () => {
    const stepped = refuse(base(), record(base(), 2), "DATA_INVALID")
    assert.deepStrictEqual(one(stepped, "Seal").content, deletion(12n))
    assert.deepStrictEqual(stepped.events.map((e) => e._tag), ["MessageFailed"])
  })

  describe("SetMessageTTL", () => {
    const set = (state: State, ttlSeconds: number, id: bigint) =>
      send(state, action({ _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds }, id)).state
    const taken = (state: State, index: number) =>
      step(state, { _tag: "Sent", record: record(state, index), date: 1 }).state
    const invalid = (state: State, index: number) => refuse(state, record(state, index), "DATA_INVALID")

    it("the timer is as before", () => {
      const state = set(taken(set(ready("creator"), 7, 1n), 1), 60, 2n)
      assert.strictEqual(Machine.ttl(state), 60)
      const stepped = invalid(state, 2)
      assert.strictEqual(Machine.ttl(stepped.state), 7)
      assert.deepStrictEqual(stepped.events.map((e) => e._tag), ["MessageFailed", "TtlChanged"])
      assert.deepStrictEqual(stepped.events[1], {
        _tag: "TtlChanged",
        by: "me",
        ttl: 7,
        randomId: 2n,
        date: NOW / 1000
      })
    })

    it("both of two, in either order: as before both", () => {
      const state = set(set(ready("creator"), 7, 1n), 60, 2n)
      assert.strictEqual(Machine.ttl(invalid(invalid(state, 1).state, 2).state), 0)
      assert.strictEqual(Machine.ttl(invalid(invalid(state, 2).state, 1).state), 0)
    })

    it("an earlier one: the later stays, and nothing is told", () => {
      const stepped = invalid(set(set(ready("creator"), 7, 1n), 60, 2n), 1)
      assert.strictEqual(Machine.ttl(stepped.state), 60)
      assert.deepStrictEqual(stepped.events.map((e) => e._tag), ["MessageFailed"])
    })

    it("what the peer has set since stays", () => {
      const peers = action({ _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 9 }, 5n)
      const state = receive(set(ready("creator"), 7, 1n), peers).state
      assert.strictEqual(Machine.ttl(invalid(state, 1).state), 9)
    })

    it("acknowledged by the peer: certain, whatever the server said", () => {
      const state = receive(set(ready("creator"), 7, 1n), action(noop), { inIndex: 2 }).state
      assert.deepStrictEqual(state.ttl, { certain: 7, pending: [] })
    })
  })

  it.each(["ENCRYPTION_DECLINED", "USER_DELETED", "INPUT_USER_DEACTIVATED"])("%s: told, and closed", (type) => {
    const stepped = refuse(base(), record(base(), 1), type)
    assert.deepStrictEqual(stepped.events.map((e) => e._tag), ["MessageFailed", "ChatClosed"])
    const { phase } = stepped.state
    assert.strictEqual(
      phase._tag === "Closed" ? phase.reason._tag : "",
      type === "ENCRYPTION_DECLINED" ? "ByPeer" : "PeerGone"
    )
    assert.strictEqual(of(stepped, "DiscardEncryption").length, 1)
    assert.deepStrictEqual(of(stepped, "Seal"), [])
  })

  it("ENCRYPTION_DECLINED of a message of the protocol: closed, nothing to tell", () => {
    const stepped = refuse(base(), record(base(), 0), "ENCRYPTION_DECLINED")
    assert.deepStrictEqual(stepped.events.map((e) => e._tag), ["ChatClosed"])
  })

  it("a message of the protocol: kept as it is, tried again later", () => {
    let state = base()
    let now = NOW
    for (const delay of [...Outbox.RETRY_DELAYS, Outbox.RETRY_DELAYS.at(-1)!]) {
      const stepped = refuse(state, record(state, 0), "USER_IS_BLOCKED", 403, now)
      assert.deepStrictEqual(stepped.outputs, [])
      assert.deepStrictEqual(stepped.state.outbox.records, state.outbox.records)
      assert.strictEqual(Machine.nextWake(stepped.state), now + delay)
      assert.deepStrictEqual(step(stepped.state, { _tag: "Tick" }, now + delay - 1).outputs, [])
      now += delay
      const tick = step(stepped.state, { _tag: "Tick" }, now)
      assert.deepStrictEqual(tick.tags, ["Flush"])
      assert.strictEqual(Machine.nextWake(tick.state), undefined)
      state = tick.state
    }
    // when sending works again the next refusal starts with the shortest delay
    state = step(state, { _tag: "Sent", record: record(state, 0), date: 1 }).state
    assert.strictEqual(
      Machine.nextWake(refuse(state, record(state, 0), "X", 400, now).state),
      now + Outbox.RETRY_DELAYS[0]!
    )
  })

  it("a deletion in a slot: kept, tried again later", () => {
    const state = refuse(base(), record(base(), 1), "DATA_INVALID").state
    const stepped = refuse(state, record(state, 1), "DATA_INVALID")
    assert.deepStrictEqual(stepped.outputs, [])
    assert.strictEqual(Machine.nextWake(stepped.state), NOW + Outbox.RETRY_DELAYS[0]!)
  })

  it("an answer to a content that was replaced since: the new one is sent", () => {
    const sent = record(base(), 1)
    const state = refuse(base(), sent, "DATA_INVALID").state
    const stepped = refuse(state, sent, "DATA_INVALID")
    assert.deepStrictEqual(stepped.tags, ["Flush"])
    assert.deepStrictEqual(stepped.state, state)
  })

  it("a message the peer has already: nothing", () => {
    const sent = record(base(), 1)
    const state = receive(base(), action(noop), { inIndex: 3 }).state
    const stepped = refuse(state, sent, "DATA_INVALID")
    assert.deepStrictEqual(stepped.outputs, [])
    assert.deepStrictEqual(stepped.state, state)
  })
})

describe("the server takes a message", () => {
  it("tells of messages and actions, not of the protocol's own", () => {
    const state = base()
    const events = [0, 1, 2].map((i) => step(state, { _tag: "Sent", record: record(state, i), date: 500 }).events)
    assert.deepStrictEqual(events, [
      [],
      [{ _tag: "MessageSent", randomId: 11n, index: 1, date: 500 }],
      [{ _tag: "MessageSent", randomId: 12n, index: 2, date: 500 }]
    ])
  })

  it("tells even if the peer was faster than the server's answer", () => {
    const sent = record(base(), 1)
    const state = receive(base(), action(noop), { inIndex: 3 }).state
    assert.deepStrictEqual(step(state, { _tag: "Sent", record: sent, date: 500 }).events.map((e) => e._tag), [
      "MessageSent"
    ])
  })

  it("says nothing of a content that was replaced, nor of the deletion", () => {
    const sent = record(base(), 1)
    const state = refuse(base(), sent, "DATA_INVALID").state
    assert.deepStrictEqual(step(state, { _tag: "Sent", record: sent, date: 1 }).events, [])
    assert.deepStrictEqual(step(state, { _tag: "Sent", record: record(state, 1), date: 1 }).events, [])
  })
})

describe.each(roles)("deleting what the peer has not got, as %s", (role) => {
  const start = () => {
    let state = ready(role)
    state = send(state, text(1n)).state
    state = receive(state, text(900n), { layer: 73 }).state
    state = send(state, text(2n)).state
    state = send(state, action(noop, 3n)).state
    return send(state, text(4n)).state
  }
  const deleteMessages = (...randomIds: Array<bigint>) =>
    action({ _tag: "decryptedMessageActionDeleteMessages", randomIds }, 777n)

  it("by us: the slot first, then the deletion as a message of its own", () => {
    const state = start()
    const stepped = send(state, deleteMessages(2n, 900n, 55n))
    const [slot, own] = of(stepped, "Seal")
    assert.deepStrictEqual(slot!.content, deletion(2n))
    assert.deepStrictEqual(slot!.record, { ...record(state, 2), kind: "deleted", revision: 1 })
    assert.strictEqual(own!.record.index, 5)
    assert.deepStrictEqual(said(stepped), ["DeleteMessages", "DeleteMessages"])
    assert.deepStrictEqual(one(stepped, "DeleteMessages").randomIds, [2n, 900n, 55n])
    assert.deepStrictEqual(one(stepped, "DropTimers").randomIds, [2n, 900n, 55n])
    assert.deepStrictEqual(stepped.events.map((e) => e._tag), ["MessagesDeleted"])
  })

  it("the slot keeps its numbers and its layer, and takes the present key", () => {
    let state = start()
    const original = record(state, 1)
    // meanwhile: a higher layer, more received, another key
    state = receive(state, text(901n), { layer: 144, inIndex: 0 }).state
    state = { ...state, keys: { ...state.keys!, current: { bytes: new Uint8Array(256), fingerprint: 99n } } }
    const slot = of(send(state, deleteMessages(1n)), "Seal")[0]!
    assert.strictEqual(original.layer, 73)
    assert.strictEqual(slot.record.layer, 73)
    assert.deepStrictEqual([slot.record.inIndex, slot.record.index], [0, 1])
    assert.deepStrictEqual([slot.inSeqNo >> 1, slot.outSeqNo >> 1], [0, 1])
    assert.strictEqual(slot.key.fingerprint, 99n)
  })

  it("by the peer: the slots only", () => {
    const stepped = receive(start(), deleteMessages(1n, 4n))
    assert.deepStrictEqual(of(stepped, "Seal").map((s) => [s.record.index, s.record.kind]), [[1, "deleted"], [
      4,
      "deleted"
    ]])
    assert.deepStrictEqual(stepped.events.flatMap((e) => e._tag === "MessagesDeleted" ? [e.by] : []), ["peer"])
  })

  it("what the deletion itself acknowledges is not replaced", () => {
    const stepped = receive(start(), deleteMessages(1n, 4n), { inIndex: 2 })
    assert.deepStrictEqual(of(stepped, "Seal").map((s) => s.record.index), [4])
  })

  it("service messages and what was replaced stay", () => {
    const state = send(start(), deleteMessages(2n)).state
    const stepped = send(
      state,
      action({
        _tag: "decryptedMessageActionDeleteMessages",
        randomIds: [2n, 3n, record(state, 0).randomId, 777n]
      }, 778n)
    )
    assert.deepStrictEqual(of(stepped, "Seal").map((s) => s.record.index), [6])
  })

  it("flushing the history: everything that can be", () => {
    const flush = action({ _tag: "decryptedMessageActionFlushHistory" }, 779n)
    const own = send(start(), flush)
    assert.deepStrictEqual(of(own, "Seal").map((s) => s.record.index), [1, 2, 4, 5])
    assert.deepStrictEqual(own.tags.filter((t) => t === "DeleteHistory" || t === "DropTimers"), [
      "DeleteHistory",
      "DropTimers"
    ])
    const peers = receive(start(), flush)
    assert.deepStrictEqual(of(peers, "Seal").map((s) => s.record.index), [1, 2, 4])
    assert.strictEqual(of(peers, "DeleteHistory").length, 1)
  })

  it("a replaced slot is sent again as it is now", () => {
    const state = send(start(), deleteMessages(2n)).state
    const resend = action({
      _tag: "decryptedMessageActionResend",
      startSeqNo: 4 + (role === "creator" ? 1 : 0),
      endSeqNo: 4 + (role === "creator" ? 1 : 0)
    })
    assert.deepStrictEqual(one(receive(state, resend), "SendAgain"), { _tag: "SendAgain", from: 2, to: 2 })
    assert.strictEqual(record(state, 2).revision, 1)
  })

  it("delivered as a deletion, it is not told as delivered", () => {
    const state = send(start(), deleteMessages(2n)).state
    const stepped = step(state, fromPeer(state, { index: 1, inIndex: 3, content: action(noop) }))
    assert.deepStrictEqual(
      stepped.events.flatMap((e) => e._tag === "MessageDelivered" ? [e.randomId] : []),
      [1n]
    )
  })
})
