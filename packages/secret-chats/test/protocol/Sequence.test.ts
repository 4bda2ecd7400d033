import * as Sequence from "@effect-mtproto/secret-chats/protocol/Sequence"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import {
  action,
  encodePayload,
  fromPeer,
  noop,
  of,
  one,
  ready,
  receive,
  roles,
  send,
  step,
  text,
  violated
} from "./support.ts"

const index = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Sequence.CAPACITY - 1 }))
const role = Sequence.Role

describe("the transformation of sequence numbers", () => {
  it("first message of each side", () => {
    assert.deepStrictEqual(Sequence.toWire("creator", { inIndex: 0, outIndex: 0 }), { inSeqNo: 0, outSeqNo: 1 })
    assert.deepStrictEqual(Sequence.toWire("acceptor", { inIndex: 0, outIndex: 0 }), { inSeqNo: 1, outSeqNo: 0 })
  })

  it("a real message: in 1, out 98 is the acceptor's 50th and acknowledges nothing", () => {
    assert.deepStrictEqual(
      Sequence.fromWire("creator", { inSeqNo: 1, outSeqNo: 98 }),
      Result.succeed({ inIndex: 0, outIndex: 49 })
    )
  })

  it.prop("what one side writes the other reads", { role, i: index, o: index }, ({ i, o, role }) => {
    const raw = { inIndex: i, outIndex: o }
    const peer = role === "creator" ? "acceptor" : "creator"
    assert.deepStrictEqual(Sequence.fromWire(peer, Sequence.toWire(role, raw)), Result.succeed(raw))
    // and nobody takes it for a message of its own
    assert.deepStrictEqual(Sequence.fromWire(role, Sequence.toWire(role, raw)), Result.fail("parity"))
  })

  it.prop("every number is an int32 of the right parity", { role, i: index, o: index }, ({ i, o, role }) => {
    const { inSeqNo, outSeqNo } = Sequence.toWire(role, { inIndex: i, outIndex: o })
    assert.strictEqual(inSeqNo | 0, inSeqNo)
    assert.strictEqual(outSeqNo | 0, outSeqNo)
    assert.strictEqual(inSeqNo & 1, Sequence.x(role))
    assert.strictEqual(outSeqNo & 1, 1 - Sequence.x(role))
  })

  it.prop("ranges are of the other side's numbers", { role, from: index, to: index }, ({ from, role, to }) => {
    const wire = Sequence.rangeToWire(role, { from, to })
    const peer = role === "creator" ? "acceptor" : "creator"
    assert.deepStrictEqual(Sequence.rangeFromWire(peer, wire), Result.succeed({ from, to }))
    assert.strictEqual(Sequence.toWire(peer, { inIndex: 0, outIndex: from }).outSeqNo, wire.startSeqNo)
  })
})

describe.each(roles)("the range of a Resend, for %s", (role) => {
  const other = 1 - Sequence.x(role)
  it.each<readonly [string, number, number]>([
    ["the first", other ^ 1, other + 2],
    ["the last", other, (other ^ 1) + 2],
    ["both", other ^ 1, (other ^ 1) + 2]
  ])("%s number of the wrong parity: a violation", (_, startSeqNo, endSeqNo) => {
    assert.deepStrictEqual(Sequence.rangeFromWire(role, { startSeqNo, endSeqNo }), Result.fail("resend-parity"))
  })
  it("right: both ends are in it", () => {
    assert.deepStrictEqual(
      Sequence.rangeFromWire(role, { startSeqNo: other, endSeqNo: other + 2 }),
      Result.succeed({ from: 0, to: 1 })
    )
  })
})

describe.each(roles)("what to do with a message of the peer, as %s", (role) => {
  // five of ours are made, the peer has acknowledged two of them and we have two of the peer's
  const base = () => {
    let state = ready(role)
    for (let i = 1n; i < 5n; i++) state = send(state, text(i)).state
    state = receive(state, action(noop, 90n), { inIndex: 1 }).state
    return receive(state, text(91n), { inIndex: 2 }).state
  }
  const x = Sequence.x(role)
  const at = (inSeqNo: number, outSeqNo: number, layer = 144) =>
    step(base(), {
      _tag: "Received",
      payload: encodePayload({ inSeqNo, outSeqNo, layer, message: text(92n) }),
      key: base().keys!.current.fingerprint,
      randomId: 92n,
      date: 3000
    })
  const IN = (raw: number) => 2 * raw + (1 - x)
  const OUT = (raw: number) => 2 * raw + x

  it("starts where it should", () => {
    assert.deepStrictEqual(base().sequence, { myIn: 2, myOut: 5, hisIn: 2, inOrderLayer: 144 })
  })

  it("negative in_seq_no: close", () => assert.strictEqual(violated(at(-1, OUT(2))), "in-seq-negative"))
  it("in_seq_no of the wrong parity: close", () => assert.strictEqual(violated(at(IN(2) ^ 1, OUT(2))), "parity"))
  it("out_seq_no of the wrong parity: close", () => assert.strictEqual(violated(at(IN(2), OUT(2) ^ 1)), "parity"))
  it("signs and parities are judged even of an old message", () => {
    assert.strictEqual(violated(at(-1, OUT(0))), "in-seq-negative")
    assert.strictEqual(violated(at(IN(2) ^ 1, OUT(0))), "parity")
  })

  it("an old number: dropped, nothing changes, not even for an impossible acknowledgement", () => {
    for (const [raw, ack] of [[0, 2], [1, 2], [1, 0], [1, 99]] as const) {
      const stepped = at(IN(ack), OUT(raw))
      assert.deepStrictEqual(stepped.state, base())
      assert.deepStrictEqual(stepped.outputs, [{ _tag: "Notice", notice: "duplicate" }])
    }
  })

  it("a negative out_seq_no of the right parity is old", () => {
    const stepped = at(IN(2), x === 0 ? -2 : -1)
    assert.deepStrictEqual(stepped.state, base())
  })

  it("a number ahead waits: nothing is acknowledged, nothing shown", () => {
    const stepped = at(IN(4), OUT(3))
    assert.deepStrictEqual(stepped.state.sequence, { ...base().sequence, myOut: 6 })
    assert.strictEqual(one(stepped, "Hold").pending.index, 3)
    assert.deepStrictEqual(stepped.events.map((e) => e._tag), ["MessagesMissing"])
  })

  it("a number ahead is not judged before its turn", () => {
    assert.strictEqual(violated(at(IN(99), OUT(3))), undefined)
    assert.strictEqual(violated(at(IN(0), OUT(3))), undefined)
    assert.strictEqual(violated(at(IN(2), OUT(3), 73)), undefined)
  })

  it("in_seq_no below an earlier one: close", () => assert.strictEqual(violated(at(IN(1), OUT(2))), "in-seq-fell"))
  it("in_seq_no above what was sent: close", () => assert.strictEqual(violated(at(IN(6), OUT(2))), "in-seq-ahead"))
  it("in_seq_no of exactly what was sent: fine", () => assert.strictEqual(violated(at(IN(5), OUT(2))), undefined))
  it("a layer below that of the message before: close", () =>
    assert.strictEqual(violated(at(IN(2), OUT(2), 143)), "layer-fell"))
  it("a layer above ours: fine", () => assert.strictEqual(at(IN(2), OUT(2), 999).state.layers.his, 999))

  it("in order: counters, acknowledgement, content", () => {
    const stepped = at(IN(4), OUT(2), 150)
    assert.deepStrictEqual(stepped.state.sequence, { myIn: 3, myOut: 5, hisIn: 4, inOrderLayer: 150 })
    assert.deepStrictEqual(stepped.state.outbox.records.map((r) => r.index), [4])
    assert.strictEqual(one(stepped, "Forget").before, 4)
    assert.deepStrictEqual(
      stepped.events.map((e) => e._tag === "MessageDelivered" ? [e._tag, e.randomId] : [e._tag]),
      [["LayerChanged"], ["MessageDelivered", 2n], ["MessageDelivered", 3n], ["NewMessage"]]
    )
  })

  it("what waited is judged when its turn comes", () => {
    const bad = step(base(), fromPeer(base(), { index: 3, inIndex: 99, content: text(93n) }))
    assert.strictEqual(violated(bad), undefined)
    const turn = receive(bad.state, text(94n))
    assert.strictEqual(violated(turn), "in-seq-ahead")
    // the one in order was good, and was delivered
    assert.deepStrictEqual(turn.events.map((e) => e._tag), ["NewMessage", "ChatClosed"])
  })

  it("a broken rule closes: keys wiped, rows gone, the server told, nothing sent any more", () => {
    const before = base()
    const held = step(before, fromPeer(before, { index: 4, content: text(95n) })).state
    const stepped = receive(held, text(96n), { inIndex: 0 })
    assert.strictEqual(violated(stepped), "in-seq-fell")
    assert.strictEqual(stepped.state.keys, undefined)
    assert.deepStrictEqual(of(stepped, "Release").map((r) => r.index), [4])
    assert.strictEqual(one(stepped, "Forget").before, 6)
    assert.strictEqual(one(stepped, "DiscardEncryption").deleteHistory, false)
    assert.deepStrictEqual(of(stepped, "Wipe").map((w) => w.bytes), [held.keys!.current.bytes])
    assert.deepStrictEqual(of(stepped, "Flush"), [])
  })
})

describe("classify", () => {
  // few values, so that they meet
  const few = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))
  const layer = Schema.Int.check(Schema.isBetween({ minimum: 98, maximum: 102 }))
  const numbers = Schema.Struct({ myIn: few, myOut: few, hisIn: few, inIndex: few, outIndex: few, layer })
  it.prop("its verdict is the first rule that fits", [Arbitrary.schema(numbers)], ([n]) => {
    const sequence: Sequence.Sequence = { myIn: n.myIn, myOut: n.myOut, hisIn: n.hisIn, inOrderLayer: 100 }
    const verdict = Sequence.classify(sequence, n)
    const expected = n.outIndex !== n.myIn
      ? Result.succeed(n.outIndex < n.myIn ? "Duplicate" : "Gap")
      : n.inIndex < n.hisIn
      ? Result.fail("in-seq-fell")
      : n.inIndex > n.myOut
      ? Result.fail("in-seq-ahead")
      : n.layer < 100
      ? Result.fail("layer-fell")
      : Result.succeed("InOrder")
    assert.deepStrictEqual(verdict, expected as typeof verdict)
  }, { arbitrary: { runs: 500 } })
})
