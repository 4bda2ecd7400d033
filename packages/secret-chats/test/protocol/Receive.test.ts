/** What becomes of a message whose turn it is, and of what has waited behind it. */
import type * as SecretApi from "@effect-mtproto/core/SecretApi"
import type { FileReference } from "@effect-mtproto/secret-chats/protocol/Events"
import { assert, describe, it } from "@effect/vitest"
import {
  action,
  encodePayload,
  fromPeer,
  NOW,
  of,
  one,
  ready,
  receive,
  roles,
  send,
  step,
  type Stepped,
  text,
  violated
} from "./support.ts"

const file: FileReference = { id: 1n, accessHash: 2n, size: 3n, dcId: 4, keyFingerprint: 5 }
const shown = (stepped: Stepped) => stepped.events.filter((e) => e._tag === "NewMessage")

describe.each(roles)("a message in order, as %s", (role) => {
  it("is shown once, with its number and the date of the server, and has no timer of its own", () => {
    const { state } = receive(ready(role), text(1n))
    const stepped = receive(state, text(2n), { date: 2001 })
    assert.deepStrictEqual(stepped.outputs, [
      { _tag: "Emit", event: { _tag: "NewMessage", randomId: 2n, index: 1, date: 2001, message: text(2n) } }
    ])
  })

  it("acknowledges: each of ours is told, with its number and the date of the message", () => {
    let state = receive(ready(role), text(1n)).state
    for (let i = 11n; i < 14n; i++) state = send(state, text(i)).state
    const stepped = receive(state, text(2n), { inIndex: 3, date: 2002 })
    assert.deepStrictEqual(stepped.events.filter((e) => e._tag === "MessageDelivered"), [
      { _tag: "MessageDelivered", randomId: 11n, index: 1, date: 2002 },
      { _tag: "MessageDelivered", randomId: 12n, index: 2, date: 2002 }
    ])
  })

  it("closes after something was to be sent: nothing is, and nothing waits any more", () => {
    const state = send(receive(ready(role), text(1n)).state, text(11n)).state
    const bad = action({ _tag: "decryptedMessageActionCommitKey", exchangeId: 1n, keyFingerprint: 1n }, 2n)
    const held = step(state, fromPeer(state, { index: 2, content: bad })).state
    const later = step(held, fromPeer(held, { index: 4, content: text(9n) })).state
    const deletion = action({ _tag: "decryptedMessageActionDeleteMessages", randomIds: [11n] }, 3n)
    const closed = receive(later, deletion)
    assert.strictEqual(violated(closed), "rekey-commit")
    assert.strictEqual(of(closed, "Seal").length, 1)
    assert.deepStrictEqual(of(closed, "Flush"), [])
    assert.deepStrictEqual(closed.state.inbox, { seen: 0, early: [], pending: [], pendingBytes: 0 })
    assert.deepStrictEqual(closed.state.outbox, { records: [], refusals: 0 })
    assert.strictEqual(closed.state.sequence.hisIn, closed.state.sequence.myOut)
  })

  it("with a file beside it: the file too, at once and after waiting", () => {
    const state = ready(role)
    const at = (index: number) => ({ ...fromPeer(state, { index, content: text(9n) }), file })
    assert.deepStrictEqual(shown(step(state, at(0))), [
      { _tag: "NewMessage", randomId: 9n, index: 0, date: 2000, message: text(9n), file }
    ])
    const early = step(state, at(1))
    assert.deepStrictEqual(one(early, "Hold").pending.file, file)
    assert.deepStrictEqual(shown(receive(early.state, text(1n)))[1], {
      _tag: "NewMessage",
      randomId: 9n,
      index: 1,
      date: 2000,
      message: text(9n),
      file
    })
    // and nothing is said of one that was not there
    assert.strictEqual(
      "file" in one(step(state, fromPeer(state, { index: 1, content: text(9n) })), "Hold").pending,
      false
    )
  })

  it("the random id 0: the number counts, the content does not, and it is noted", () => {
    const stepped = receive(ready(role), text(0n))
    assert.deepStrictEqual(of(stepped, "Notice"), [{ _tag: "Notice", notice: "random-id-zero" }])
    assert.deepStrictEqual(shown(stepped), [])
    assert.strictEqual(stepped.state.sequence.myIn, 1)
  })

  it("named differently outside: noted, and the name inside counts", () => {
    const state = ready(role)
    const stepped = step(state, fromPeer(state, { index: 0, content: text(7n), randomId: 8n }))
    assert.deepStrictEqual(of(stepped, "Notice"), [{ _tag: "Notice", notice: "random-id-differs" }])
    assert.deepStrictEqual(shown(stepped).map((e) => e._tag === "NewMessage" ? e.randomId : 0n), [7n])
  })

  it("layer 0 is a layer: the first message may have it, and layer 1 is a higher one", () => {
    const stepped = receive(ready(role), text(1n), { layer: 0 })
    assert.strictEqual(violated(stepped), undefined)
    assert.deepStrictEqual(stepped.events.map((e) => e._tag), ["NewMessage"])
    const next = receive(stepped.state, text(2n), { layer: 1 })
    assert.deepStrictEqual(next.events[0], { _tag: "LayerChanged", layer: 1, date: NOW / 1000 })
  })

  // it has not been read, even if everything else of its second has
  it.each([
    [5_000, 4_999],
    [4_999, 4_998],
    [5_001, 5_000],
    [5_002, 5_000]
  ])("dated %i, when everything up to 5000 was read: read up to %i", (date, readUntil) => {
    const state = step(ready(role), { _tag: "MarkRead", maxDate: 5_000 }).state
    assert.strictEqual(receive(state, text(1n), { date }).state.readUntil, Math.min(readUntil, 5_000))
  })
})

describe.each(roles)("what has waited, as %s", (role) => {
  const hold = (content: SecretApi.DecryptedMessage) => {
    const state = ready(role)
    return step(state, fromPeer(state, { index: 1, content })).state
  }

  it("breaks a rule when its turn comes: closed, and nothing behind it is shown", () => {
    const bad = action({
      _tag: "decryptedMessageActionAcceptKey",
      exchangeId: 1n,
      gB: Uint8Array.of(1),
      keyFingerprint: 1n
    })
    const held = hold(bad)
    const two = step(held, fromPeer(held, { index: 2, content: text(22n) }))
    assert.strictEqual(violated(two), undefined)
    const turn = receive(two.state, text(20n))
    assert.strictEqual(violated(turn), "rekey-accept")
    assert.deepStrictEqual(turn.events.flatMap((e) => e._tag === "NewMessage" ? [e.randomId] : []), [20n])
  })

  it("was changed where it was stored: closed as what it is now", () => {
    const state = hold(text(2n))
    const turn = (payload: Uint8Array) => {
      const pending = state.inbox.pending.map((waiting) => ({ ...waiting, payload }))
      return violated(receive({ ...state, inbox: { ...state.inbox, pending } }, text(1n)))
    }
    assert.strictEqual(turn(Uint8Array.of(1, 2, 3, 4)), "wrapper")
    const x = role === "creator" ? 0 : 1
    assert.strictEqual(turn(encodePayload({ inSeqNo: x, outSeqNo: 2 + x, message: text(2n) })), "parity")
  })
})
