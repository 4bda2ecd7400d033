import type * as ChatState from "@effect-mtproto/secret-chats/protocol/ChatState"
import type * as Content from "@effect-mtproto/secret-chats/protocol/Content"
import type { Input } from "@effect-mtproto/secret-chats/protocol/Input"
import * as Keys from "@effect-mtproto/secret-chats/protocol/Keys"
import * as Machine from "@effect-mtproto/secret-chats/protocol/Machine"
import * as Rekey from "@effect-mtproto/secret-chats/protocol/Rekey"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  action,
  agree,
  dh,
  fromPeer,
  keyHashOf,
  keyPair,
  makeRandom,
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

const random = makeRandom(99)
const mine = keyPair(random)
const theirs = keyPair(random)
const next = agree(mine.publicValue, theirs.publicValue)
const copy = (pair: Keys.KeyPair): Keys.KeyPair => ({ secret: pair.secret.slice(), publicValue: pair.publicValue })

const exchange = (state: ChatState.ChatState) => state.keys!.exchange
const closedFor = (stepped: Stepped) => violated(stepped)
const eventTags = (stepped: Stepped) => stepped.events.map((e) => e._tag).filter((tag) => tag !== "LayerChanged")

const requestKey = (exchangeId: bigint, gA = theirs.publicValue): Content.Service =>
  action({ _tag: "decryptedMessageActionRequestKey", exchangeId, gA })
const acceptKey = (exchangeId: bigint, keyFingerprint = next.fingerprint): Content.Service =>
  action({ _tag: "decryptedMessageActionAcceptKey", exchangeId, gB: theirs.publicValue, keyFingerprint })
const commitKey = (exchangeId: bigint, keyFingerprint = next.fingerprint): Content.Service =>
  action({ _tag: "decryptedMessageActionCommitKey", exchangeId, keyFingerprint })
const abortKey = (exchangeId: bigint): Content.Service => action({ _tag: "decryptedMessageActionAbortKey", exchangeId })

const agreed = (exchangeId: bigint, more: Partial<Extract<Input, { _tag: "KeyAgreed" }>> = {}): Input => ({
  _tag: "KeyAgreed",
  purpose: { _tag: "Rekey", exchangeId },
  dh,
  own: copy(mine),
  key: next.bytes.slice(),
  fingerprint: next.fingerprint,
  keyHash: keyHashOf(next),
  seenElsewhere: false,
  ...more
})
const keyRefused = (exchangeId: bigint): Input => ({
  _tag: "KeyRefused",
  purpose: { _tag: "Rekey", exchangeId },
  check: "public-value"
})

/** The key is used until an exchange is due; the state is Starting. */
const starting = (): Stepped => {
  let state = ready("creator")
  for (let i = 1n; i < 100n; i++) {
    const stepped = send(state, text(i))
    assert.strictEqual(exchange(stepped.state)._tag, "Idle")
    state = stepped.state
  }
  return send(state, text(100n))
}
const idOf = (state: ChatState.ChatState): bigint => {
  const current = exchange(state)
  return current._tag === "Idle" ? 0n : current.exchangeId
}
/** RequestKey is sent. */
const requested = (): Stepped => {
  const { state } = starting()
  return step(state, {
    _tag: "KeyPairGenerated",
    purpose: { _tag: "Rekey", exchangeId: idOf(state) },
    dh,
    own: copy(mine)
  })
}
/** AcceptKey has come. */
const committing = (): Stepped => withId(requested, (state, id) => receive(state, acceptKey(id)))
/** RequestKey has come. */
const answering = (exchangeId = 5n): Stepped => receive(ready("acceptor"), requestKey(exchangeId))
/** AcceptKey is sent. */
const answered = (exchangeId = 5n): Stepped => step(answering(exchangeId).state, agreed(exchangeId))
/** The side that answered has switched, and still keeps the old key. */
const switched = (exchangeId = 5n): Stepped => receive(answered(exchangeId).state, commitKey(exchangeId))

/** The id of an exchange that we start is random. */
const withId = <A>(make: () => Stepped, use: (state: ChatState.ChatState, id: bigint) => A): A => {
  const { state } = make()
  return use(state, idOf(state))
}

const fromPeerAt = (
  state: ChatState.ChatState,
  index: number,
  content: Content.Content,
  key = state.keys!.current.fingerprint
): Input => fromPeer(state, { index, content, key })

describe("when an exchange is due", () => {
  const keys = (more: Partial<Keys.Keys>): Keys.Keys => ({ ...ready("creator").keys!, ...more })
  it.each(
    [
      ["100 messages", { uses: 100 }, NOW, false],
      ["101 messages", { uses: 101 }, NOW, true],
      ["7 days, used", { uses: 1, since: NOW }, NOW + Rekey.AGE, false],
      ["more than 7 days, used", { uses: 1, since: NOW }, NOW + Rekey.AGE + 1, true],
      ["more than 7 days, never used", { uses: 0, since: NOW }, NOW + 10 * Rekey.AGE, false],
      ["old key still kept", { uses: 500, previous: { ...next, before: 9 } }, NOW, false],
      ["one under way", { uses: 500, exchange: { _tag: "Starting", exchangeId: 1n } }, NOW, false]
    ] as const
  )("%s", (_, more, now, due) => {
    assert.strictEqual(Rekey.isDue(keys(more), now), due)
  })

  it("sent and received count together, service messages too", () => {
    let state = ready("creator")
    for (let i = 1n; i <= 50n; i++) {
      state = send(state, text(i)).state
      const stepped = receive(state, action(noop, i))
      state = stepped.state
      // NotifyLayer, 50 sent, 50 received
      assert.strictEqual(exchange(state)._tag, i === 50n ? "Starting" : "Idle")
    }
  })

  it("a week has passed when the chat is woken for something else", () => {
    const state = send(ready("creator"), text(1n)).state
    const stepped = step(state, { _tag: "Tick" }, NOW + Rekey.AGE + 1)
    assert.strictEqual(exchange(stepped.state)._tag, "Starting")
    assert.strictEqual(exchange(step(state, { _tag: "Tick" }, NOW + Rekey.AGE).state)._tag, "Idle")
  })

  it("a week counts over restarts", () => {
    const state = send(ready("creator"), text(1n)).state
    const stepped = step(state, { _tag: "Start" }, NOW + Rekey.AGE + 1)
    assert.strictEqual(exchange(stepped.state)._tag, "Starting")
    assert.strictEqual(of(stepped, "GenerateKeyPair").length, 1)
  })

  it("asked for again after a restart, with the same id", () => {
    withId(starting, (state, id) => {
      const again = one(step(state, { _tag: "Start" }), "GenerateKeyPair")
      assert.deepStrictEqual(again.purpose, { _tag: "Rekey", exchangeId: id })
      assert.deepStrictEqual(again.dh, dh)
    })
  })
})

describe("the side that starts", () => {
  it("1: RequestKey with the old key, exponent stored before it", () => {
    const { state } = starting()
    const stepped = step(state, {
      _tag: "KeyPairGenerated",
      purpose: { _tag: "Rekey", exchangeId: idOf(state) },
      dh,
      own: copy(mine)
    })
    const seal = one(stepped, "Seal")
    assert.deepStrictEqual(seal.key, state.keys!.current)
    assert.deepStrictEqual(
      seal.content._tag === "decryptedMessageService" ? seal.content.action : undefined,
      { _tag: "decryptedMessageActionRequestKey", exchangeId: idOf(state), gA: mine.publicValue }
    )
    assert.deepStrictEqual(exchange(stepped.state), { _tag: "Requested", exchangeId: idOf(state), own: copy(mine) })
    assert.deepStrictEqual(one(stepped, "Remember").value, mine.publicValue)
  })

  it("4: AcceptKey: the key is asked for, from the stored exponent", () => {
    withId(requested, (state, id) => {
      const stepped = receive(state, acceptKey(id))
      assert.deepStrictEqual(one(stepped, "AgreeOnKey"), {
        _tag: "AgreeOnKey",
        purpose: { _tag: "Rekey", exchangeId: id },
        dh,
        own: copy(mine),
        peerValue: theirs.publicValue
      })
      assert.deepStrictEqual(said(stepped), [])
      // and again after a restart
      assert.strictEqual(of(step(stepped.state, { _tag: "Start" }), "AgreeOnKey").length, 1)
    })
  })

  it("5: CommitKey with the old key, then the new one; the old can still be read", () => {
    withId(committing, (state, id) => {
      const stepped = step(state, agreed(id))
      const seals = of(stepped, "Seal")
      const { content } = seals[0]!
      assert.deepStrictEqual(content._tag === "decryptedMessageService" ? content.action : undefined, {
        _tag: "decryptedMessageActionCommitKey",
        exchangeId: id,
        keyFingerprint: next.fingerprint
      })
      assert.deepStrictEqual(one(stepped, "Remember").value, theirs.publicValue)
      assert.deepStrictEqual(said(stepped), ["CommitKey", "Noop"])
      assert.strictEqual(seals[0]!.key.fingerprint, state.keys!.current.fingerprint)
      assert.strictEqual(seals[1]!.key.fingerprint, next.fingerprint)
      assert.strictEqual(stepped.state.keys!.current.fingerprint, next.fingerprint)
      assert.strictEqual(stepped.state.keys!.previous!.fingerprint, state.keys!.current.fingerprint)
      assert.strictEqual(exchange(stepped.state)._tag, "Idle")
      assert.strictEqual(stepped.state.keys!.uses, 1)
      assert.deepStrictEqual(
        Machine.readingKeys(stepped.state).map((k) => k.fingerprint),
        [next.fingerprint, state.keys!.current.fingerprint]
      )
      assert.deepStrictEqual(stepped.events, [{ _tag: "Rekeyed", startedBy: "me", date: NOW / 1000 }])
      // the old one until the peer has seen CommitKey
      const commit = seals[0]!.record.index
      assert.strictEqual(stepped.state.keys!.previous!.before, commit + 1)
      const under = (inIndex: number) =>
        receive(stepped.state, text(75n), { key: next.fingerprint, inIndex }).state.keys!.previous
      assert.isDefined(under(commit))
      assert.isUndefined(under(commit + 1))
      // exponent wiped, no key wiped
      assert.strictEqual(of(stepped, "Wipe").length, 1)
    })
  })

  it("the key picture stays that of the first key", () => {
    withId(committing, (state, id) => {
      assert.deepStrictEqual(step(state, agreed(id)).state.keyHash, ready("creator").keyHash)
    })
    assert.deepStrictEqual(switched().state.keyHash, ready("acceptor").keyHash)
  })

  it("AcceptKey with another fingerprint than the computed one: close", () => {
    withId(requested, (state, id) => {
      const waiting = receive(state, acceptKey(id, 1n)).state
      const stepped = step(waiting, agreed(id))
      assert.strictEqual(closedFor(stepped), "rekey-fingerprint")
      assert.deepInclude(of(stepped, "Wipe").map((w) => w.bytes), next.bytes)
    })
  })

  it("AcceptKey with a value out of range: close", () => {
    withId(committing, (state, id) => assert.strictEqual(closedFor(step(state, keyRefused(id))), "rekey-public-value"))
  })

  it("AcceptKey with a value of more than 2048 bits: close", () => {
    withId(requested, (state, exchangeId) => {
      const gB = Uint8Array.of(1, ...new Uint8Array(256))
      const big = action({ _tag: "decryptedMessageActionAcceptKey", exchangeId, gB, keyFingerprint: 1n })
      assert.strictEqual(closedFor(receive(state, big)), "rekey-public-value")
    })
  })

  it("AcceptKey with a value known from another chat: close", () => {
    withId(
      committing,
      (state, id) =>
        assert.strictEqual(closedFor(step(state, agreed(id, { seenElsewhere: true }))), "rekey-public-value")
    )
  })

  it("AcceptKey with our own value: close", () => {
    withId(requested, (state, id) => {
      const echo = action({
        _tag: "decryptedMessageActionAcceptKey",
        exchangeId: id,
        gB: Uint8Array.of(0, 0, ...mine.publicValue),
        keyFingerprint: next.fingerprint
      })
      assert.strictEqual(closedFor(step(receive(state, echo).state, agreed(id))), "rekey-public-value")
    })
  })
})

describe("the side that answers", () => {
  it("2: RequestKey: a fresh exponent and the new key are asked for, nothing is said yet", () => {
    const stepped = answering()
    assert.deepStrictEqual(one(stepped, "AgreeOnKey"), {
      _tag: "AgreeOnKey",
      purpose: { _tag: "Rekey", exchangeId: 5n },
      dh,
      peerValue: theirs.publicValue
    })
    assert.deepStrictEqual(said(stepped), [])
    assert.strictEqual(of(step(stepped.state, { _tag: "Start" }), "AgreeOnKey").length, 1)
  })

  it("3: AcceptKey with the old key, in the step that stores the new one", () => {
    const before = answering().state
    const stepped = step(before, agreed(5n))
    const seal = one(stepped, "Seal")
    assert.strictEqual(seal.key.fingerprint, before.keys!.current.fingerprint)
    assert.deepStrictEqual(seal.content._tag === "decryptedMessageService" ? seal.content.action : undefined, {
      _tag: "decryptedMessageActionAcceptKey",
      exchangeId: 5n,
      gB: mine.publicValue,
      keyFingerprint: next.fingerprint
    })
    assert.deepStrictEqual(exchange(stepped.state), { _tag: "Answered", exchangeId: 5n, key: next })
    assert.deepStrictEqual(of(stepped, "Remember").map((r) => r.value), [theirs.publicValue, mine.publicValue])
    // both keys can be read, the old one is written
    assert.deepStrictEqual(
      Machine.readingKeys(stepped.state).map((k) => k.fingerprint),
      [before.keys!.current.fingerprint, next.fingerprint]
    )
  })

  it("a message under the new key before CommitKey is read, and changes no key", () => {
    const stepped = receive(answered().state, text(70n), { key: next.fingerprint })
    assert.deepStrictEqual(eventTags(stepped), ["NewMessage"])
    assert.strictEqual(exchange(stepped.state)._tag, "Answered")
    assert.strictEqual(stepped.state.keys!.previous, undefined)
  })

  it("6: CommitKey: the new key from here, and Noop at once", () => {
    const before = answered().state
    const stepped = receive(before, commitKey(5n))
    assert.deepStrictEqual(said(stepped), ["Noop"])
    assert.strictEqual(one(stepped, "Seal").key.fingerprint, next.fingerprint)
    assert.strictEqual(stepped.state.keys!.current.fingerprint, next.fingerprint)
    assert.strictEqual(stepped.state.keys!.previous!.fingerprint, before.keys!.current.fingerprint)
    assert.strictEqual(exchange(stepped.state)._tag, "Idle")
  })

  it("Noop is left out when something else was said under the new key", () => {
    // the last of them fills a hole in front of CommitKey, and its successor is missing: a Resend goes out
    let { state } = answered()
    const at = state.sequence.myIn
    const input = (index: number, content: Content.Content) => fromPeerAt(state, index, content)
    state = step(state, input(at + 1, commitKey(5n))).state
    state = step(state, input(at + 3, text(80n))).state
    const filled = step(state, input(at, text(81n)))
    assert.deepStrictEqual(said(filled), ["Resend"])
    assert.strictEqual(one(filled, "Seal").key.fingerprint, next.fingerprint)
  })

  // NotifyLayer and AcceptKey are written with the old key: the first two of ours
  it("7: a message in order under the new key, after all of ours under the old: the old one ends", () => {
    const before = switched().state
    assert.strictEqual(before.keys!.previous!.before, 2)
    const under = receive(before, text(71n), { key: next.fingerprint, inIndex: 2 })
    assert.strictEqual(under.state.keys!.previous, undefined)
    assert.deepStrictEqual(of(under, "Wipe").map((w) => w.bytes), [before.keys!.previous!.bytes])
  })

  it("7: one that has not seen all of ours does not end it, nor one under the old key, nor one that is ahead", () => {
    const before = switched().state
    const old = before.keys!.previous!.fingerprint
    assert.isDefined(receive(before, text(72n), { key: next.fingerprint, inIndex: 1 }).state.keys!.previous)
    assert.isDefined(receive(before, text(72n), { key: old, inIndex: 2 }).state.keys!.previous)
    const ahead = step(
      before,
      fromPeer(before, { index: before.sequence.myIn + 1, inIndex: 2, content: text(73n), key: next.fingerprint })
    )
    assert.isDefined(ahead.state.keys!.previous)
    // when its turn comes it does
    const turn = receive(ahead.state, text(74n), { key: old })
    assert.strictEqual(turn.state.keys!.previous, undefined)
  })

  it("a deletion in the slot of a message from before the switch is written with the old key", () => {
    // the peer would give up the old key at it, with others under the old key still missing
    let { state } = answered()
    state = send(state, text(60n)).state
    state = receive(state, commitKey(5n)).state
    state = send(state, text(61n)).state
    const old = state.keys!.previous!.fingerprint
    const deletion = send(state, action({ _tag: "decryptedMessageActionDeleteMessages", randomIds: [60n, 61n] }))
    assert.deepStrictEqual(of(deletion, "Seal").map((s) => [s.record.index, s.key.fingerprint]), [
      [2, old],
      [4, next.fingerprint],
      [5, next.fingerprint]
    ])
  })

  it("a value out of range: AbortKey, the chat lives, no attempt at once", () => {
    const stepped = step({ ...answering().state }, keyRefused(5n), NOW + 5_000)
    assert.deepStrictEqual(said(stepped), ["AbortKey"])
    const { content } = one(stepped, "Seal")
    assert.deepStrictEqual(content._tag === "decryptedMessageService" ? content.action : undefined, {
      _tag: "decryptedMessageActionAbortKey",
      exchangeId: 5n
    })
    assert.deepStrictEqual(of(stepped, "Notice"), [{ _tag: "Notice", notice: "key-request-refused" }])
    // the key counts as new from here; AbortKey was one use of it
    assert.deepStrictEqual([stepped.state.keys!.uses, stepped.state.keys!.since], [1, NOW + 5_000])
    assert.strictEqual(exchange(stepped.state)._tag, "Idle")
    assert.deepStrictEqual(stepped.events, [{
      _tag: "RekeyAbandoned",
      reason: "PublicValue",
      date: NOW / 1000 + 5
    }])
  })

  it("a value of more than 2048 bits: AbortKey, and it is not kept", () => {
    const stepped = receive(ready("acceptor"), requestKey(5n, Uint8Array.of(1, ...new Uint8Array(256))))
    assert.deepStrictEqual(said(stepped), ["AbortKey"])
    assert.strictEqual(exchange(stepped.state)._tag, "Idle")
    assert.strictEqual(
      exchange(receive(ready("acceptor"), requestKey(5n, Uint8Array.of(0, ...theirs.publicValue))).state)._tag,
      "Answering"
    )
  })

  it("a value known from another chat, or our own: AbortKey", () => {
    for (const result of [agreed(5n, { seenElsewhere: true }), agreed(5n, { own: copy(theirs) })]) {
      const stepped = step(answering().state, result)
      assert.deepStrictEqual(said(stepped), ["AbortKey"])
      assert.strictEqual(stepped.state.keys!.current.fingerprint, ready("acceptor").keys!.current.fingerprint)
      assert.deepStrictEqual(of(stepped, "Remember"), [])
      assert.strictEqual(of(stepped, "Wipe").length, 2)
    }
  })
})

describe("RequestKey in each state", () => {
  it("Idle: answered", () => assert.strictEqual(exchange(answering().state)._tag, "Answering"))

  it("Idle, old key still kept: declined with AbortKey (TDLib closes)", () => {
    const before = switched().state
    const stepped = receive(before, requestKey(6n), { key: before.keys!.previous!.fingerprint })
    assert.deepStrictEqual(said(stepped), ["AbortKey"])
    assert.strictEqual(exchange(stepped.state)._tag, "Idle")
    assert.strictEqual(violated(stepped), undefined)
  })

  it("Idle, old key kept, but the request itself ends it: answered", () => {
    const stepped = receive(switched().state, requestKey(6n), { key: next.fingerprint, inIndex: 2 })
    assert.strictEqual(exchange(stepped.state)._tag, "Answering")
  })

  it("Starting: ours, which the peer has not heard of, gives way", () => {
    withId(starting, (state, id) => {
      for (const theirId of [id - 1n, id + 1n]) {
        const stepped = receive(state, requestKey(theirId))
        assert.deepStrictEqual(exchange(stepped.state), {
          _tag: "Answering",
          exchangeId: theirId,
          peerValue: theirs.publicValue
        })
        // and the key pair that comes now is of no use
        const stale = step(stepped.state, {
          _tag: "KeyPairGenerated",
          purpose: { _tag: "Rekey", exchangeId: id },
          dh,
          own: copy(mine)
        })
        assert.deepStrictEqual(stale.tags, ["Wipe", "Notice"])
        assert.deepStrictEqual(of(stale, "Notice"), [{ _tag: "Notice", notice: "stale-result" }])
        assert.deepStrictEqual(stale.state, stepped.state)
      }
    })
  })

  it("Requested, ours greater: theirs is ignored", () => {
    withId(requested, (state, id) => {
      const stepped = receive(state, requestKey(id - 1n))
      assert.deepStrictEqual(exchange(stepped.state), exchange(state))
      assert.deepStrictEqual(said(stepped), [])
    })
  })

  it("Requested, ours less: theirs is answered, ours wiped", () => {
    withId(requested, (state, id) => {
      const stepped = receive(state, requestKey(id + 1n))
      assert.strictEqual(exchange(stepped.state)._tag, "Answering")
      assert.strictEqual(of(stepped, "Wipe").length, 1)
      // a late AcceptKey for the dropped one breaks the rules
      assert.strictEqual(closedFor(receive(stepped.state, acceptKey(id))), "rekey-accept")
    })
  })

  it("Requested, equal: both drop", () => {
    withId(requested, (state, id) => {
      const stepped = receive(state, requestKey(id))
      assert.strictEqual(exchange(stepped.state)._tag, "Idle")
      assert.deepStrictEqual(eventTags(stepped), ["RekeyAbandoned"])
      assert.deepStrictEqual(said(stepped), [])
    })
  })

  it("the comparison is signed", () => {
    withId(requested, (state) => {
      const withExchange = (id: bigint): ChatState.ChatState => ({
        ...state,
        keys: { ...state.keys!, exchange: { _tag: "Requested", exchangeId: id, own: copy(mine) } }
      })
      // -1 would be the greatest of all without its sign
      assert.strictEqual(exchange(receive(withExchange(1n), requestKey(-1n)).state)._tag, "Requested")
      assert.strictEqual(exchange(receive(withExchange(-1n), requestKey(1n)).state)._tag, "Answering")
    })
  })

  it.each([["Answering", answering], ["Answered", answered], ["Committing", committing]])(
    "%s: close",
    (_, make) => {
      assert.strictEqual(closedFor(receive(make().state, requestKey(9999n))), "rekey-request")
    }
  )
})

describe("AcceptKey, CommitKey, AbortKey, Noop in each state", () => {
  const states: ReadonlyArray<readonly [string, () => Stepped]> = [
    ["Idle", () => ({ ...answering(), state: ready("acceptor") })],
    ["Starting", starting],
    ["Requested", requested],
    ["Committing", committing],
    ["Answering", answering],
    ["Answered", answered]
  ]

  it.each(states)("AcceptKey in %s", (name, make) => {
    withId(make, (state, id) => {
      const right = receive(state, acceptKey(id))
      if (name === "Requested") assert.strictEqual(exchange(right.state)._tag, "Committing")
      else assert.strictEqual(closedFor(right), "rekey-accept")
      assert.strictEqual(closedFor(receive(state, acceptKey(id + 1n))), "rekey-accept")
    })
  })

  it.each(states)("CommitKey in %s", (name, make) => {
    withId(make, (state, id) => {
      const right = receive(state, commitKey(id))
      if (name === "Answered") assert.strictEqual(right.state.keys!.current.fingerprint, next.fingerprint)
      else assert.strictEqual(closedFor(right), "rekey-commit")
      assert.strictEqual(closedFor(receive(state, commitKey(id + 1n))), "rekey-commit")
      assert.strictEqual(closedFor(receive(state, commitKey(id, 3n))), "rekey-commit")
    })
  })

  it.each(states)("AbortKey in %s", (name, make) => {
    withId(make, (state, id) => {
      const strange = receive(state, abortKey(id + 1n))
      assert.deepStrictEqual(exchange(strange.state), exchange(state))
      const ours = receive(state, abortKey(id))
      if (name === "Idle") return assert.strictEqual(exchange(ours.state)._tag, "Idle")
      if (name !== "Requested") return assert.strictEqual(closedFor(ours), "rekey-abort")
      assert.strictEqual(exchange(ours.state)._tag, "Idle")
      assert.deepStrictEqual(eventTags(ours), ["RekeyAbandoned"])
      assert.strictEqual(of(ours, "Wipe").length, 1)
      // not started again at once: the peer would abort it again, for ever
      assert.deepStrictEqual(of(ours, "GenerateKeyPair"), [])
      assert.strictEqual(ours.state.keys!.uses, 0)
    })
  })

  it.each(states)("Noop in %s does nothing but count", (_, make) => {
    withId(make, (state) => {
      const stepped = receive(state, action(noop))
      assert.deepStrictEqual(exchange(stepped.state), exchange(state))
      assert.strictEqual(stepped.state.sequence.myIn, state.sequence.myIn + 1)
      assert.strictEqual(stepped.state.keys!.uses, state.keys!.uses + 1)
    })
  })
})

describe("results nobody waits for", () => {
  const staleNotice = [{ _tag: "Notice", notice: "stale-result" }] as const
  const pairOf = (exchangeId: bigint): Input => ({
    _tag: "KeyPairGenerated",
    purpose: { _tag: "Rekey", exchangeId },
    dh,
    own: copy(mine)
  })

  it("of another exchange: wiped and dropped, whatever is under way", () => {
    for (const make of [starting, requested, committing, answering, answered]) {
      const { state } = make()
      for (const [input, secrets] of [[pairOf(77n), 1], [agreed(77n), 2], [keyRefused(77n), 0]] as const) {
        const stepped = step(state, input)
        assert.deepStrictEqual(stepped.state, state)
        assert.strictEqual(of(stepped, "Wipe").length, secrets)
        assert.deepStrictEqual(of(stepped, "Notice"), staleNotice)
        assert.deepStrictEqual(said(stepped), [])
      }
    }
  })

  it("of the right exchange, which is beyond them: the same", () => {
    for (
      const [make, input] of [
        [requested, pairOf],
        [committing, pairOf],
        [requested, agreed],
        [requested, keyRefused],
        [answered, keyRefused]
      ] as const
    ) {
      withId(make, (state, id) => {
        const stepped = step(state, input(id))
        assert.deepStrictEqual(stepped.state, state)
        assert.deepStrictEqual(of(stepped, "Notice"), staleNotice)
      })
    }
  })

  it("no key pair can be made: the exchange is given up, the peer has not heard of it", () => {
    withId(starting, (state, id) => {
      const stepped = step(state, keyRefused(id))
      assert.deepStrictEqual(exchange(stepped.state), { _tag: "Idle" })
      assert.deepStrictEqual(stepped.events, [
        { _tag: "RekeyAbandoned", reason: "PublicValue", date: NOW / 1000 }
      ])
      assert.deepStrictEqual(said(stepped), [])
    })
  })

  it("of a rekey, after the chat was closed: the secrets are wiped, and no more", () => {
    const closed = step(ready("creator"), { _tag: "Discard", deleteHistory: false }).state
    assert.deepStrictEqual(step(closed, pairOf(5n)).outputs, [{ _tag: "Wipe", bytes: mine.secret }])
    assert.deepStrictEqual(step(closed, keyRefused(5n)).outputs, [])
    assert.strictEqual(step(closed, keyRefused(5n)).state, closed)
  })

  it("are wiped and dropped", () => {
    const state = ready("creator")
    const stale = step(state, agreed(3n))
    assert.deepStrictEqual(stale.tags, ["Wipe", "Wipe", "Notice"])
    assert.deepStrictEqual(stale.state, state)
    assert.deepStrictEqual(step(state, keyRefused(3n)).state, state)
  })

  it("come after the chat was closed", () => {
    withId(committing, (state, id) => {
      const closed = step(state, { _tag: "Discard", deleteHistory: false }).state
      const late = step(closed, agreed(id))
      assert.deepStrictEqual(late.state, closed)
      assert.deepStrictEqual(late.tags, ["Wipe", "Wipe"])
    })
  })
})

describe("closing during an exchange", () => {
  it.each([["Requested", requested, 2], ["Committing", committing, 2], ["Answered", answered, 2], [
    "old key kept",
    switched,
    2
  ]])("%s: every secret is wiped", (_, make, count) => {
    const stepped = step(make().state, { _tag: "Discard", deleteHistory: false })
    const wiped = of(stepped, "Wipe").map((w) => w.bytes)
    assert.strictEqual(wiped.length, count)
    assert.deepStrictEqual(new Set(wiped), new Set(Keys.secrets(make().state.keys!)))
    assert.deepStrictEqual(of(stepped, "AgreeOnKey"), [])
  })
})

describe("what the protocol says itself", () => {
  it.each(["Resend", "RequestKey", "AcceptKey", "AbortKey", "CommitKey"])("%s cannot be sent by hand", (name) => {
    const content = {
      _tag: "decryptedMessageService",
      randomId: 1n,
      action: { _tag: `decryptedMessageAction${name}` }
    } as unknown as Content.Content
    assert.strictEqual(refusal(ready("creator"), { _tag: "Send", content, via: "service" }), "reserved")
  })
})

describe("the bytes of a message", () => {
  it("may be used again by whoever has passed it on: the state has its own", () => {
    const clear = (state: ChatState.ChatState, content: Content.Content) => {
      const input = fromPeer(state, { index: state.sequence.myIn, content })
      const stepped = step(state, input)
      if (input._tag === "Received") input.payload.fill(0)
      const current = exchange(stepped.state)
      return "peerValue" in current ? current.peerValue : undefined
    }
    // short values are copied on reading, values as long as real ones are not
    const gA = new Uint8Array(256).fill(7)
    assert.deepStrictEqual(clear(ready("acceptor"), requestKey(5n, gA)), gA)
    withId(requested, (state, exchangeId) => {
      const gB = new Uint8Array(256).fill(8)
      const answer = action({ _tag: "decryptedMessageActionAcceptKey", exchangeId, gB, keyFingerprint: 1n })
      assert.deepStrictEqual(clear(state, answer), gB)
    })
  })
})

describe("which key a message is written with again", () => {
  const key = (fingerprint: bigint): Keys.ChatKey => ({ bytes: new Uint8Array(256), fingerprint })
  const keys = { ...Keys.initial(key(2n), NOW), previous: { ...key(1n), before: 5 } }
  it("the old one, if it was written before the switch", () => {
    assert.deepStrictEqual([0, 4, 5, 6].map((index) => Keys.writing(keys, index).fingerprint), [1n, 1n, 2n, 2n])
    assert.strictEqual(Keys.writing(Keys.initial(key(2n), NOW), 0).fingerprint, 2n)
  })
})

describe("public values that are kept (core.telegram.org/api/end-to-end: 2048 bits)", () => {
  const zeros = (count: number, ...rest: ReadonlyArray<number>) => Uint8Array.of(...new Uint8Array(count), ...rest)
  const ones = new Uint8Array(256).fill(1)
  it.each<readonly [string, Uint8Array, boolean]>([
    ["256 bytes", ones, true],
    ["257 bytes", Uint8Array.of(1, ...ones), false],
    ["256 bytes behind 256 zeros", zeros(256, ...ones), true],
    ["256 bytes behind 257 zeros", zeros(257, ...ones), false],
    ["512 zeros", zeros(512), true],
    ["513 zeros", zeros(513), false]
  ])("%s", (_, value, fits) => assert.strictEqual(Keys.fits(value), fits))
})

describe("equal values", () => {
  it("every byte counts", () => {
    assert.isFalse(Keys.sameValue(Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 4)))
    assert.isFalse(Keys.sameValue(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3)))
    assert.isFalse(Keys.sameValue(Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2)))
    assert.isTrue(Keys.sameValue(Uint8Array.of(0, 1, 2), Uint8Array.of(1, 2)))
    assert.isTrue(Keys.sameValue(new Uint8Array(), Uint8Array.of(0)))
  })

  it.prop("leading zeros do not count", [Schema.Uint8Array, Schema.Uint8Array], ([a, b]) => {
    assert.isTrue(Keys.sameValue(a, Uint8Array.of(0, 0, ...a)))
    const number = (v: Uint8Array) => v.reduce((n, byte) => n * 256n + BigInt(byte), 0n)
    assert.strictEqual(Keys.sameValue(a, b), number(a) === number(b))
  })
})
