/** Requirements 22 to 28 of `docs/security.md`: later keys. */
import * as Rekey from "@effect-mtproto/secret-chats/protocol/Rekey"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { inspect } from "node:util"
import * as Wiping from "../../src/internal/keys.ts"
import * as Core from "../protocol/support.ts"
import { eventually, settle } from "../support/Peers.ts"
import { Relay } from "../support/Relay.ts"
import {
  closed,
  exchange,
  type HandPeer,
  isWiped,
  roles,
  type Scene,
  scene,
  service,
  text,
  texts,
  Watched
} from "./HandPeer.ts"

const week = 7 * 24 * 3600 * 1000

/** The hand-driven side asks for a new key, and the program answers; nothing is committed. */
const asked = Effect.fnUntraced(function*({ hand }: Scene, exchangeId = 77n) {
  const pair = yield* hand.generate()
  hand.send(service({ _tag: "decryptedMessageActionRequestKey", exchangeId, gA: pair.publicValue }))
  yield* eventually(
    () => hand.lastAction("decryptedMessageActionAcceptKey")?.exchangeId === exchangeId,
    "AcceptKey"
  )
  const { gB, keyFingerprint } = hand.lastAction("decryptedMessageActionAcceptKey")!
  const key = yield* hand.agree(pair.secret, gB)
  assert.strictEqual(key.id, keyFingerprint)
  return { key, commit: service({ _tag: "decryptedMessageActionCommitKey", exchangeId, keyFingerprint }) }
})

const useKey = (hand: HandPeer, key: HandPeer["key"]) => {
  hand.key = key
  hand.keys.push(key)
}

describe("when", () => {
  it("R22 more than 100 messages, or more than 7 days with use", () => {
    const { keys } = Core.ready("creator")
    const at = (uses: number, age: number) => Rekey.isDue({ ...keys!, uses, since: 0 }, age)
    assert.deepStrictEqual([at(100, 0), at(101, 0)], [false, true])
    assert.deepStrictEqual([at(1, week), at(1, week + 1), at(0, 100 * week)], [false, true, false])
  })

  it.live(
    "R22 a running program starts by itself, in both roles, after the hundredth message of both directions",
    () =>
      Effect.gen(function*() {
        for (const role of roles) {
          const made = yield* scene(role)
          const { chatId, hand, peer } = made
          // One is there already: what announced the layer.
          for (let i = 0; i < 49; i++) {
            yield* peer.chats.sendText(chatId, `${i}`)
            hand.send(text(`${i}`))
          }
          yield* eventually(() => texts(made).length === 49)
          hand.send(text("the hundredth"))
          yield* eventually(() => texts(made).length === 50)
          yield* settle
          assert.notInclude(hand.actions(), "RequestKey")
          hand.send(text("one more"))
          yield* eventually(() => hand.actions().includes("RequestKey"), "RequestKey")
        }
      }),
    { timeout: 20_000 }
  )

  it("R22 restarts do not put it off, and no second exchange starts before the first is over", () => {
    const { keys } = Core.ready("creator")
    const due = { ...keys!, uses: 101 }
    assert.isTrue(Rekey.isDue(due, 0))
    assert.isFalse(Rekey.isDue({ ...due, exchange: { _tag: "Starting", exchangeId: 1n } }, 0))
    assert.isFalse(Rekey.isDue({ ...due, previous: { ...due.current, before: 5 } }, 0))
  })
})

describe("both at once", () => {
  /** A chat that has asked for a new key under this id. */
  const asking = (exchangeId: bigint) => {
    const state = Core.ready("creator")
    const own = Core.keyPair(Core.makeRandom(5))
    return { ...state, keys: { ...state.keys!, exchange: { _tag: "Requested" as const, exchangeId, own } } }
  }
  const theirs = (exchangeId: bigint) =>
    Core.action({ _tag: "decryptedMessageActionRequestKey", exchangeId, gA: new Uint8Array(16).fill(3) })
  const meet = (ours: bigint, other: bigint) => Core.receive(asking(ours), theirs(other))
  const state = (stepped: Core.Stepped) => stepped.state.keys!.exchange._tag

  it("R23 the greater exchange id goes on, compared as signed numbers", () => {
    assert.strictEqual(state(meet(5n, 4n)), "Requested")
    assert.strictEqual(state(meet(4n, 5n)), "Answering")
    // As unsigned numbers these would be the other way round.
    assert.strictEqual(state(meet(1n, -1n)), "Requested")
    assert.strictEqual(state(meet(-1n, 1n)), "Answering")
    assert.strictEqual(state(meet(-(2n ** 63n), 2n ** 63n - 1n)), "Answering")
    assert.strictEqual(state(meet(2n ** 63n - 1n, -(2n ** 63n))), "Requested")
  })

  it("R23 equal ids: both drop, and say nothing; the exponent of what is dropped is wiped", () => {
    const stepped = meet(9n, 9n)
    assert.strictEqual(state(stepped), "Idle")
    assert.deepStrictEqual(Core.said(stepped), [])
    assert.strictEqual(Core.of(stepped, "Wipe").length, 1)
    assert.strictEqual(Core.of(meet(4n, 5n), "Wipe").length, 1)
    assert.strictEqual(Core.of(meet(5n, 4n), "Wipe").length, 0)
  })
})

describe("the old key", () => {
  it.live("R24 is kept while messages under it may come, then overwritten: no copy in use holds it", () =>
    Effect.gen(function*() {
      const watched = new Watched()
      const made = yield* scene("acceptor", { crypto: watched.layer })
      const { hand } = made
      const old = hand.key
      const copies = () => [...watched.keys]
      assert.isAtLeast(copies().length, 1)
      const before = copies()
      const { commit, key } = yield* asked(made)
      // A message under the old key gets lost, the commitment arrives, and messages under the new key.
      const lost = hand.seal(hand.payload(text("late, under the old key")))
      hand.out++
      hand.send(commit)
      useKey(hand, key)
      hand.send(text("under the new key"))
      yield* eventually(() => hand.actions().includes("Resend"), "a request to send again")
      yield* settle
      assert.isTrue(before.some((bytes) => Buffer.from(bytes).equals(old.bytes)), "the old key can still be needed")
      hand.push(lost)
      yield* eventually(() => texts(made).length === 2)
      assert.deepStrictEqual(texts(made), ["late, under the old key", "under the new key"])
      // What acknowledges all of ours under the old key is the end of it.
      yield* eventually(() => hand.actions().includes("Noop"), "Noop")
      hand.send(text("all seen"))
      yield* eventually(() => texts(made).length === 3)
      yield* settle
      for (const bytes of before) assert.isTrue(isWiped(bytes), "a copy of the old key is left")
      const now = copies().filter((bytes) => !isWiped(bytes))
      assert.isAtLeast(now.length, 1)
      for (const bytes of now) assert.isTrue(Buffer.from(bytes).equals(key.bytes))
      // and it opens nothing any more
      hand.push(hand.seal(hand.payload(text("under the old key")), { key: old }))
      yield* settle
      assert.strictEqual(texts(made).length, 3)
    }))

  it("R24 what was said under the old key and is deleted later goes out under the old key", () => {
    const sent = Core.send(Core.ready("acceptor"), Core.text(5n)).state
    const old = sent.keys!.current
    const swapped = {
      ...sent,
      keys: {
        ...sent.keys!,
        current: { bytes: new Uint8Array(256).fill(9), fingerprint: 99n },
        previous: { ...old, before: sent.sequence.myOut }
      }
    }
    const deletion = Core.action({ _tag: "decryptedMessageActionDeleteMessages", randomIds: [5n] }, 6n)
    const seals = Core.of(Core.send(swapped, deletion), "Seal")
    // The slot first, under the key that the other side may have to be at; then the deletion itself.
    assert.deepStrictEqual(seals.map(({ key }) => key.fingerprint), [old.fingerprint, 99n])
    assert.deepStrictEqual(seals.map(({ record }) => record.revision), [1, 0])
  })

  it("R24 what is wiped is the very array of the state, and with it the copy that frames are written with", () => {
    const before = Core.ready("acceptor")
    const first = before.keys!.current
    const next = { bytes: new Uint8Array(256).fill(9), fingerprint: 99n }
    const swapped = {
      ...before,
      keys: { ...before.keys!, current: next, previous: { ...first, before: before.sequence.myOut } }
    }
    // While the other side may not have seen all that we wrote with it, it is kept.
    const early = Core.receive(swapped, Core.text(4n), { key: 99n, inIndex: before.sequence.myOut - 1 })
    assert.deepStrictEqual(Core.of(early, "Wipe"), [])
    assert.isDefined(early.state.keys!.previous)
    const stepped = Core.receive(swapped, Core.text(5n), { key: 99n, inIndex: before.sequence.myOut })
    assert.strictEqual(Core.one(stepped, "Wipe").bytes, first.bytes)
    assert.isUndefined(stepped.state.keys!.previous)
    const crypto = { sha1: () => new Uint8Array(20) } as unknown as Parameters<typeof Wiping.sharedKey>[0]
    const shared = Wiping.sharedKey(crypto, first)
    Wiping.wipe(first.bytes)
    assert.isTrue(isWiped(first.bytes))
    assert.isTrue(isWiped(shared.bytes))
  })
})

describe("the commitment", () => {
  it.live("R25 lost on the way, it is known from the key id: the frame is read, and what is missing is asked for", () =>
    Effect.gen(function*() {
      for (const role of roles) {
        const made = yield* scene(role)
        const { chatId, hand, peer } = made
        const { commit, key } = yield* asked(made)
        const lost = hand.seal(hand.payload(commit))
        hand.out++
        useKey(hand, key)
        hand.send(text("under the new key"))
        yield* eventually(() => hand.actions().includes("Resend"), "a request to send again")
        assert.strictEqual((yield* peer.chats.get(chatId)).state, "ready")
        hand.push(lost)
        yield* eventually(() => texts(made).length === 1)
        assert.isTrue(peer.events.some(({ event }) => event._tag === "Rekeyed" && event.startedBy === "peer"))
      }
    }))

  it.live("R25 not given at all: the key id alone chooses the key, message by message, in both directions", () =>
    Effect.gen(function*() {
      const made = yield* scene("creator")
      const { chatId, hand, peer } = made
      const { key } = yield* asked(made)
      const old = hand.key
      useKey(hand, key)
      hand.send(text("new"))
      hand.key = old
      hand.send(text("old"))
      hand.key = key
      hand.send(text("new again"))
      yield* eventually(() => texts(made).length === 3)
      assert.deepStrictEqual(texts(made), ["new", "old", "new again"])
      const heard = hand.heard().length
      yield* peer.chats.sendText(chatId, "readable")
      yield* eventually(() => hand.heard().length === heard + 1)
    }))

  it.live("R26 the program says Noop under the new key at once, so that nobody keeps the old one waiting", () =>
    Effect.gen(function*() {
      const made = yield* scene("acceptor")
      const { hand } = made
      const { commit, key } = yield* asked(made)
      hand.send(commit)
      hand.keys.splice(0, hand.keys.length, key)
      yield* eventually(() => hand.heard().length === 1, "a message under the new key")
      assert.deepStrictEqual(hand.actions(), ["Noop"])
    }))
})

describe("the picture", () => {
  it.live("R27 stays that of the first key, for the life of the chat", () =>
    Effect.gen(function*() {
      for (const role of roles) {
        const made = yield* scene(role)
        const { chatId, hand, peer } = made
        const picture = yield* peer.chats.keyPicture(chatId)
        const first = Buffer.concat([
          hand.crypto.sha1(hand.key.bytes).subarray(0, 16),
          hand.crypto.sha256(hand.key.bytes).subarray(0, 20)
        ])
        assert.deepStrictEqual(Buffer.from(picture.hash), first)
        for (let i = 1n; i <= 3n; i++) {
          const { commit, key } = yield* asked(made, i)
          hand.send(commit)
          useKey(hand, key)
          // the program answers AcceptKey only once its old key is gone
          yield* eventually(() => hand.actions().filter((action) => action === "Noop").length === Number(i), "Noop")
          hand.send(text(`${i}`))
          yield* eventually(() => texts(made).length === Number(i))
        }
        assert.deepStrictEqual(yield* peer.chats.keyPicture(chatId), picture)
        const ready = peer.events.find(({ event }) => event._tag === "ChatReady")!.event
        assert.deepStrictEqual(ready._tag === "ChatReady" && Buffer.from(ready.keyHash), first)
      }
    }))
})

describe("unknown key-share", () => {
  /** A public value that the program itself has sent in another of its chats. */
  const valueOfAnotherChat = Effect.fnUntraced(function*({ relay, peer }: Scene) {
    yield* peer.chats.request({ userId: 2n, accessHash: 1n })
    const requests = relay.calls("messages.requestEncryption") as unknown as ReadonlyArray<{ readonly gA: Uint8Array }>
    return requests.at(-1)!.gA
  })

  it.live("R28 a value of another chat of this store in a later exchange: declined, and no key comes of it", () =>
    Effect.gen(function*() {
      const made = yield* scene("creator")
      const { hand, peer } = made
      const value = yield* valueOfAnotherChat(made)
      for (const gA of [value, new Uint8Array(Buffer.concat([new Uint8Array(8), value]))]) {
        const before = hand.actions().filter((action) => action === "AbortKey").length
        hand.send(service({ _tag: "decryptedMessageActionRequestKey", exchangeId: 3n, gA }))
        yield* eventually(() => hand.actions().filter((action) => action === "AbortKey").length > before, "AbortKey")
      }
      assert.notInclude(hand.actions(), "AcceptKey")
      assert.isFalse(peer.events.some(({ event }) => event._tag === "Rekeyed"), inspect(peer.events))
    }))

  it.live("R28 in answer to our own request for a new key: closed", () =>
    Effect.gen(function*() {
      const made = yield* scene("creator")
      const { hand } = made
      const value = yield* valueOfAnotherChat(made)
      for (let i = 0; i < 101; i++) hand.send(text(`${i}`))
      yield* eventually(() => hand.actions().includes("RequestKey"))
      const { exchangeId } = hand.lastAction("decryptedMessageActionRequestKey")!
      hand.send(service({ _tag: "decryptedMessageActionAcceptKey", exchangeId, gB: value, keyFingerprint: 1n }))
      assert.deepStrictEqual(yield* closed(made), { _tag: "Violation", rule: "rekey-public-value" })
    }))

  it.live("R28 in the first exchange: our own words cannot be reflected to us as those of somebody else", () =>
    Effect.gen(function*() {
      for (const role of roles) {
        const relay = new Relay()
        const watched = new Watched()
        const other = yield* scene("creator", { relay, crypto: watched.layer })
        const value = yield* valueOfAnotherChat(other)
        if (role === "acceptor") {
          // Somebody asks for a chat with the value that we have sent in another one.
          relay.push(other.target, {
            _tag: "updateEncryption",
            date: 1,
            chat: {
              _tag: "encryptedChatRequested",
              id: 31,
              accessHash: 6n,
              date: 1,
              adminId: 3n,
              participantId: 1n,
              gA: value
            }
          })
          yield* eventually(() =>
            other.peer.events.some(({ chatId, event }) => chatId === 31 && event._tag === "ChatClosed")
          )
          assert.deepStrictEqual((yield* other.peer.chats.get(31)).closed, { _tag: "KeyCheck", check: "public-value" })
          assert.strictEqual(relay.calls("messages.acceptEncryption", other.target).length, 0)
          // Of two exponents one is in use: the request of the second chat is not answered yet.
          yield* eventually(
            () => [...watched.exponents].filter((exponent) => !isWiped(exponent)).length === 1,
            "wiping"
          )
        } else {
          // Somebody answers a request of ours with it.
          const made = yield* exchange("creator", {
            relay,
            publicValue: () => value,
            program: other.peer,
            target: other.target
          })
          assert.deepStrictEqual(yield* closed(made), { _tag: "KeyCheck", check: "public-value" })
        }
      }
    }))
})
