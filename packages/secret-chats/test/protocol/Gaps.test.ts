import * as Inbox from "@effect-mtproto/secret-chats/protocol/Inbox"
import * as Machine from "@effect-mtproto/secret-chats/protocol/Machine"
import * as Outbox from "@effect-mtproto/secret-chats/protocol/Outbox"
import * as Sequence from "@effect-mtproto/secret-chats/protocol/Sequence"
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import {
  action,
  becomeReady,
  fromPeer,
  makeRandom,
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
  violated,
  waiting
} from "./support.ts"

const holes = (stepped: Stepped) =>
  stepped.events.flatMap((e) => e._tag === "MessagesMissing" ? [[e.from, e.to, e.attempts]] : [])
const shown = (stepped: Stepped) => stepped.events.flatMap((e) => e._tag === "NewMessage" ? [e.index] : [])

describe.each(roles)("asking for what is missing, as %s", (role) => {
  const arrive = (state: Stepped["state"], index: number, now = NOW) =>
    step(state, fromPeer(state, { index, content: text(BigInt(1000 + index)) }), now)

  it("one request for a hole, in the peer's numbers, both ends inclusive", () => {
    const stepped = arrive(ready(role), 3)
    const seal = one(stepped, "Seal")
    assert.deepStrictEqual(
      seal.content._tag === "decryptedMessageService" ? seal.content.action : undefined,
      {
        _tag: "decryptedMessageActionResend",
        ...Sequence.rangeToWire(role, { from: 0, to: 2 })
      }
    )
    assert.strictEqual(seal.via, "service")
    assert.deepStrictEqual(holes(stepped), [[0, 2, 1]])
    assert.deepStrictEqual(shown(stepped), [])
    assert.strictEqual(of(stepped, "Flush").length, 1)
  })

  it("what was asked for is remembered, and told with the local date", () => {
    const stepped = arrive(ready(role), 3)
    assert.deepStrictEqual(stepped.state.inbox.hole, { from: 0, to: 2, attempts: 1, retryAt: NOW + 30_000 })
    assert.deepStrictEqual(stepped.events.filter((e) => e._tag === "MessagesMissing"), [
      { _tag: "MessagesMissing", from: 0, to: 2, attempts: 1, date: NOW / 1000 }
    ])
    // its front has come: what is left is asked for anew, later
    const partly = arrive(stepped.state, 0, NOW + 7)
    assert.deepStrictEqual(partly.state.inbox.hole, { from: 1, to: 2, attempts: 1, retryAt: NOW + 30_007 })
  })

  it("a hole of one message is repeated as any other", () => {
    const { state } = arrive(ready(role), 1)
    const again = step(state, { _tag: "Tick" }, NOW + 30_000)
    assert.deepStrictEqual(holes(again), [[0, 0, 2]])
    assert.deepStrictEqual(again.state.inbox.hole, { from: 0, to: 0, attempts: 2, retryAt: NOW + 150_000 })
  })

  it("something new behind the hole does not put off what is due, but starts anew what was given up", () => {
    const { state } = arrive(ready(role), 3)
    const later = arrive(state, 5, NOW + 29_000)
    assert.deepStrictEqual(later.state.inbox.hole, { from: 0, to: 2, attempts: 1, retryAt: NOW + 30_000 })
    const givenUp = { ...state, inbox: { ...state.inbox, hole: { from: 0, to: 2, attempts: 6 } } }
    const revived = arrive(givenUp, 5, NOW + 9_000)
    assert.deepStrictEqual(revived.state.inbox.hole, { from: 0, to: 2, attempts: 1, retryAt: NOW + 39_000 })
    assert.deepStrictEqual(said(revived), [])
  })

  it("nothing is missing, or nothing is due: the state is the very same", () => {
    const state = ready(role)
    assert.strictEqual(step(state, { _tag: "Tick" }).state, state)
    const asked = arrive(state, 3).state
    assert.strictEqual(step(asked, { _tag: "Tick" }, NOW + 29_999).state, asked)
  })

  it("the same hole is asked for once", () => {
    const first = arrive(ready(role), 3).state
    for (const index of [4, 5, 2]) {
      const again = arrive(first, index)
      assert.deepStrictEqual(said(again), [])
    }
  })

  it("a waiting message that comes again changes nothing", () => {
    const first = arrive(ready(role), 3).state
    const again = arrive(first, 3)
    assert.deepStrictEqual(again.outputs, [{ _tag: "Notice", notice: "duplicate" }])
    assert.deepStrictEqual(again.state, first)
  })

  it("when the hole is filled, everything comes in order and its row is released", () => {
    let state = arrive(ready(role), 2).state
    state = arrive(state, 3).state
    assert.deepStrictEqual(shown(arrive(state, 0)), [0])
    state = arrive(state, 0).state
    const filled = arrive(state, 1)
    assert.deepStrictEqual(shown(filled), [1, 2, 3])
    assert.deepStrictEqual(of(filled, "Release").map((r) => r.index), [2, 3])
    assert.strictEqual(filled.state.sequence.myIn, 4)
    assert.strictEqual(filled.state.inbox.hole, undefined)
    assert.strictEqual(filled.state.inbox.pendingBytes, 0)
  })

  it("a second hole behind the first is asked for when the first is filled", () => {
    let state = arrive(ready(role), 1).state
    const second = arrive(state, 4)
    assert.deepStrictEqual(holes(second), [])
    state = second.state
    const filled = arrive(state, 0)
    assert.deepStrictEqual(holes(filled), [[2, 3, 1]])
    assert.deepStrictEqual(shown(filled), [0, 1])
  })

  it("an unanswered request is repeated after each delay, and then no more", () => {
    let { state } = arrive(ready(role), 3)
    let now = NOW
    for (const [i, delay] of Inbox.RETRY_DELAYS.entries()) {
      assert.strictEqual(Machine.nextWake(state), now + delay)
      const early = step(state, { _tag: "Tick" }, now + delay - 1)
      assert.deepStrictEqual(said(early), [])
      now += delay
      const again = step(early.state, { _tag: "Tick" }, now)
      assert.deepStrictEqual(said(again), ["Resend"])
      assert.deepStrictEqual(holes(again), [[0, 2, i + 2]])
      state = again.state
    }
    assert.strictEqual(Machine.nextWake(state), undefined)
    assert.deepStrictEqual(said(step(state, { _tag: "Tick" }, now + 1e9)), [])
    assert.strictEqual(state.phase._tag, "Ready")
    // what is known already is no sign of life, something new is
    const known = arrive(state, 3, now + 1e9)
    assert.strictEqual(Machine.nextWake(known.state), undefined)
    const fresh = arrive(known.state, 9, now + 1e9)
    assert.deepStrictEqual(said(fresh), [])
    assert.strictEqual(Machine.nextWake(fresh.state), now + 1e9 + Inbox.RETRY_DELAYS[0]!)
    assert.deepStrictEqual(said(step(fresh.state, { _tag: "Tick" }, now + 2e9)), ["Resend"])
  })

  it("an answer that is under way puts the repetition off", () => {
    const asked = arrive(ready(role), 3).state
    const later = NOW + Inbox.RETRY_DELAYS[0]! - 1
    const partly = arrive(asked, 0, later)
    assert.deepStrictEqual(said(partly), [])
    assert.strictEqual(Machine.nextWake(partly.state), later + Inbox.RETRY_DELAYS[0]!)
  })

  it("a wide hole is asked for in parts that the other side will answer", () => {
    const wide = arrive(ready(role), 5000)
    assert.deepStrictEqual(holes(wide), [[0, Inbox.MAX_SPAN - 1, 1]])
    assert.isAtMost(Inbox.MAX_SPAN - 1, Outbox.MAX_RESEND)
    let { state } = wide
    let last = wide
    for (let i = 0; i < Inbox.MAX_SPAN; i++) {
      last = arrive(state, i)
      state = last.state
    }
    assert.deepStrictEqual(holes(last), [[Inbox.MAX_SPAN, 2 * Inbox.MAX_SPAN - 1, 1]])
  })

  it("too many waiting: the furthest is let go, and asked for later", () => {
    let state = ready(role)
    for (let i = 1; i <= Inbox.MAX_PENDING; i++) state = arrive(state, i).state
    const beyond = arrive(state, Inbox.MAX_PENDING + 5)
    assert.deepStrictEqual(of(beyond, "Hold"), [])
    assert.deepStrictEqual(of(beyond, "Notice").map((n) => n.notice), ["too-far-ahead"])
    const inside = step(beyond.state, fromPeer(beyond.state, { index: 0, content: text(5n) }))
    assert.strictEqual(inside.state.sequence.myIn, Inbox.MAX_PENDING + 1)
    assert.deepStrictEqual(holes(inside), [[Inbox.MAX_PENDING + 1, Inbox.MAX_PENDING + 5, 1]])
  })

  it("a nearer message takes the place of the furthest", () => {
    let state = ready(role)
    for (let i = 2; i < 2 + Inbox.MAX_PENDING; i++) state = arrive(state, i).state
    const nearer = arrive(state, 1)
    assert.deepStrictEqual(of(nearer, "Hold").map((h) => h.pending.index), [1])
    assert.deepStrictEqual(of(nearer, "Notice").map((n) => n.notice), ["too-far-ahead"])
    assert.deepStrictEqual(of(nearer, "Release").map((r) => r.index), [Inbox.MAX_PENDING + 1])
    assert.strictEqual(nearer.state.inbox.pending.length, Inbox.MAX_PENDING)
    const filled = arrive(nearer.state, 0)
    assert.deepStrictEqual(holes(filled), [[Inbox.MAX_PENDING + 1, Inbox.MAX_PENDING + 1, 1]])
  })

  it("only what had to make room is let go, and it is said", () => {
    const { state } = arrive(ready(role), 3)
    assert.deepStrictEqual(of(arrive(state, 5), "Notice"), [])
    const half = Inbox.MAX_PENDING_BYTES / 2
    const two = Inbox.hold(Inbox.hold(Inbox.initial, waiting(3, half)).inbox, waiting(5, half))
    // exactly full is not too full
    assert.deepStrictEqual([two.held, two.evicted, two.inbox.pendingBytes], [true, [], 2 * half])
    const third = Inbox.hold(two.inbox, waiting(4, 1))
    assert.deepStrictEqual([third.held, third.evicted, third.inbox.pendingBytes], [true, [5], half + 1])
    assert.deepStrictEqual(third.inbox.pending.map((p) => p.index), [3, 4])
    const beyond = Inbox.hold(two.inbox, waiting(9, 1))
    assert.deepStrictEqual(beyond, { inbox: two.inbox, held: false, evicted: [] })
  })

  it("too many bytes waiting: the same", () => {
    const big = "x".repeat(1 << 20)
    let state = ready(role)
    for (let i = 1; i <= 3; i++) {
      state = step(state, fromPeer(state, { index: i, content: text(BigInt(i), big) })).state
    }
    assert.strictEqual(state.inbox.pending.length, 3)
    const fourth = step(state, fromPeer(state, { index: 4, content: text(4n, big) }))
    assert.strictEqual(fourth.state.inbox.pending.length, 3)
    assert.isAtMost(fourth.state.inbox.pendingBytes, Inbox.MAX_PENDING_BYTES)
    assert.strictEqual(fourth.state.inbox.seen, 5)
  })

  it("the highest number there is can be asked for", () => {
    const stepped = arrive(ready(role), Sequence.CAPACITY - 1)
    assert.strictEqual(violated(stepped), undefined)
    assert.strictEqual(stepped.state.inbox.seen, Sequence.CAPACITY)
  })
})

describe.each(roles)("answering a request, as %s", (role) => {
  const peerRange = (from: number, to: number) =>
    action({ _tag: "decryptedMessageActionResend", ...Sequence.rangeToWire(other(role), { from, to }) })
  // 0 is NotifyLayer, then four texts
  const base = () => {
    let state = ready(role)
    for (let i = 1n; i <= 4n; i++) state = send(state, text(i)).state
    return state
  }

  it("in order: the stored messages go out again", () => {
    const stepped = receive(base(), peerRange(1, 3), { inIndex: 1 })
    assert.deepStrictEqual(one(stepped, "SendAgain"), { _tag: "SendAgain", from: 1, to: 3 })
    assert.strictEqual(of(stepped, "Flush").length, 1)
    assert.deepStrictEqual(of(stepped, "Seal"), [])
  })

  it("of few messages with high numbers: answered", () => {
    let state = ready(role)
    for (let i = 1n; i <= 700n; i++) state = send(state, text(i)).state
    assert.deepStrictEqual(one(receive(state, peerRange(600, 601)), "SendAgain"), {
      _tag: "SendAgain",
      from: 600,
      to: 601
    })
  })

  it("in a gap: at once, and not again when its turn comes", () => {
    const early = step(base(), fromPeer(base(), { index: 2, content: peerRange(0, 4) }))
    assert.deepStrictEqual(one(early, "SendAgain"), { _tag: "SendAgain", from: 0, to: 4 })
    assert.isTrue(one(early, "Hold").pending.spent)
    let { state } = early
    state = receive(state, text(50n)).state
    const turn = receive(state, text(51n))
    assert.strictEqual(turn.state.sequence.myIn, 3)
    assert.deepStrictEqual(of(turn, "SendAgain"), [])
  })

  it("both sides miss something: neither waits for the other", () => {
    const own = step(base(), fromPeer(base(), { index: 3, content: text(60n) })).state
    const crossed = step(own, fromPeer(own, { index: 4, content: peerRange(2, 3) }))
    assert.deepStrictEqual(one(crossed, "SendAgain"), { _tag: "SendAgain", from: 2, to: 3 })
  })

  it("a duplicate is not answered", () => {
    const once = receive(base(), peerRange(0, 0)).state
    const twice = step(once, fromPeer(once, { index: 0, content: peerRange(0, 0) }))
    assert.deepStrictEqual(of(twice, "SendAgain"), [])
  })

  it("a waiting one that comes again is not answered again", () => {
    const early = step(base(), fromPeer(base(), { index: 2, content: peerRange(0, 0) })).state
    assert.deepStrictEqual(of(step(early, fromPeer(early, { index: 2, content: peerRange(0, 0) })), "SendAgain"), [])
  })

  it("one that finds no room to wait is answered all the same", () => {
    let state = base()
    for (let i = 1; i <= Inbox.MAX_PENDING; i++) {
      state = step(state, fromPeer(state, { index: i, content: text(BigInt(100 + i)) })).state
    }
    const far = step(state, fromPeer(state, { index: Inbox.MAX_PENDING + 9, content: peerRange(1, 1) }))
    assert.deepStrictEqual(of(far, "Hold"), [])
    assert.strictEqual(of(far, "SendAgain").length, 1)
  })

  it("of the wrong parity: close", () => {
    const wire = Sequence.rangeToWire(role, { from: 0, to: 0 })
    const stepped = receive(base(), action({ _tag: "decryptedMessageActionResend", ...wire }))
    assert.strictEqual(violated(stepped), "resend-parity")
  })

  it("of what the peer has acknowledged: close", () => {
    assert.strictEqual(violated(receive(base(), peerRange(1, 3), { inIndex: 2 })), "resend-forgotten")
  })

  it("of what was never sent: close", () => {
    assert.strictEqual(violated(receive(base(), peerRange(3, 5))), "resend-forgotten")
    assert.strictEqual(violated(receive(base(), peerRange(-1, 1))), "resend-forgotten")
    assert.strictEqual(violated(receive(base(), peerRange(100, 100))), "resend-forgotten")
  })

  it("the wrong way round: close", () => {
    assert.strictEqual(violated(receive(base(), peerRange(3, 2))), "resend-range")
  })

  it("of more than 1000 at once: close; of exactly so many: answered", () => {
    let state = ready(role)
    for (let i = 1n; i <= 1001n; i++) state = send(state, text(i)).state
    assert.strictEqual(violated(receive(state, peerRange(0, 1001))), "resend-range")
    assert.deepStrictEqual(one(receive(state, peerRange(0, 1000)), "SendAgain").to, 1000)
  })
})

describe("any order of arrival", () => {
  const seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1 << 30 }))
  it.prop("shows every message once and in order, and keeps nothing", [seed], ([seed]) => {
    const random = makeRandom(seed)
    let { state } = becomeReady("creator")
    const count = 1 + random.below(30)
    const arrivals = Array.from({ length: count }, (_, i) => i)
    for (let i = 0; i < 10; i++) arrivals.push(random.below(count))
    for (let i = arrivals.length - 1; i > 0; i--) {
      const j = random.below(i + 1)
      const swapped = arrivals[i]!
      arrivals[i] = arrivals[j]!
      arrivals[j] = swapped
    }
    const order: Array<number> = []
    for (const index of arrivals) {
      const stepped = step(state, fromPeer(state, { index, content: text(BigInt(index + 1)) }))
      order.push(...shown(stepped))
      state = stepped.state
    }
    assert.deepStrictEqual(order, Array.from({ length: count }, (_, i) => i))
    assert.deepStrictEqual(state.inbox.pending, [])
    assert.strictEqual(state.inbox.pendingBytes, 0)
    assert.strictEqual(state.inbox.hole, undefined)
  })
})

describe("the outbox", () => {
  it("holds exactly what is not acknowledged", () => {
    let state = ready("creator")
    for (let i = 1n; i <= 9n; i++) state = send(state, text(i)).state
    state = receive(state, action(noop), { inIndex: 7 }).state
    assert.deepStrictEqual(state.outbox.records.map((r) => r.index), [7, 8, 9])
    assert.strictEqual(Outbox.get(state.outbox, 6), undefined)
    assert.strictEqual(Outbox.get(state.outbox, 7)?.randomId, 7n)
    assert.strictEqual(Outbox.get(state.outbox, 10), undefined)
    assert.isTrue(Result.isFailure(Outbox.checkRange(state.outbox, { from: 6, to: 7 })))
  })

  it("nothing new acknowledged: the very same", () => {
    const { outbox } = send(ready("creator"), text(1n)).state
    assert.strictEqual(Outbox.acknowledge(outbox, 0).outbox, outbox)
    assert.strictEqual(Outbox.acknowledge(Outbox.initial, 0).outbox, Outbox.initial)
    assert.strictEqual(Outbox.recovered(outbox), outbox)
  })

  it("everything acknowledged, and more comes: nothing to forget", () => {
    const all = receive(ready("creator"), text(5n), { inIndex: 1 })
    assert.deepStrictEqual(one(all, "Forget"), { _tag: "Forget", before: 1 })
    assert.deepStrictEqual(all.state.outbox.records, [])
    const more = receive(all.state, text(6n))
    assert.deepStrictEqual(of(more, "Forget"), [])
    assert.strictEqual(more.state.sequence.myIn, 2)
  })

  it("judges a refusal by what is in the slot now", () => {
    const { outbox } = send(ready("creator"), text(1n)).state
    const [layer, message] = outbox.records
    const judge = (sent: { readonly index: number; readonly revision: number }, type = "DATA_INVALID") =>
      Outbox.judgeRefusal(outbox, sent, { code: 400, type })
    assert.strictEqual(judge(message!), "Replace")
    assert.strictEqual(judge(layer!), "Keep")
    assert.strictEqual(judge({ index: 1, revision: 1 }), "Stale")
    assert.strictEqual(judge({ index: 2, revision: 0 }), "Settled")
    assert.strictEqual(judge({ index: 2, revision: 0 }, "ENCRYPTION_DECLINED"), "Close")
  })

  it("a random id is not used twice while it is under way, nor 0", () => {
    const state = send(ready("creator"), text(1n)).state
    const sendAgain = (randomId: bigint) =>
      Machine.step(state, { _tag: "Send", content: text(randomId), via: "message" }, {
        now: NOW,
        entropy: new Uint8Array(64)
      })
    assert.isTrue(Result.isFailure(sendAgain(1n)))
    assert.isTrue(Result.isFailure(sendAgain(0n)))
    assert.isTrue(Result.isSuccess(sendAgain(2n)))
  })
})
