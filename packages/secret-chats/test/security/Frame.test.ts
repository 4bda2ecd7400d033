/** Requirements 7 to 13 of `docs/security.md`: the frame. */
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Frame from "@effect-mtproto/crypto/Frame"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Padding from "@effect-mtproto/crypto/Padding"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import { layerMemory } from "@effect-mtproto/secret-chats/SecretChatStore"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Result } from "effect"
import { inspect } from "node:util"
import * as FaultyStore from "../support/FaultyStore.ts"
import { eventually } from "../support/Peers.ts"
import { drained, HandPeer, roles, type Scene, scene, text, texts } from "./HandPeer.ts"

const nodeCrypto = Effect.map(Layer.build(NodeCrypto.layer), (context) => Context.get(context, Crypto))

/** A service that writes down what is asked of it. */
const traced = (crypto: Crypto["Service"]) => {
  const calls: Array<string> = []
  const service = new Proxy(crypto, {
    get: (target, name: keyof Crypto["Service"]) => {
      const f = target[name] as (...args: ReadonlyArray<unknown>) => unknown
      return (...args: ReadonlyArray<unknown>) => {
        calls.push(name)
        return f(...args)
      }
    }
  })
  return { calls, service, take: () => calls.splice(0) }
}

/** Frames of any kind without a chat around them. */
const maker = (crypto: Crypto["Service"], key: SharedKey.SharedKey) =>
  new HandPeer({ crypto, relay: undefined!, device: undefined!, target: undefined!, chatId: 1, role: "creator", key })

const keyOf = (crypto: Crypto["Service"], seed: number) =>
  SharedKey.make(crypto, Uint8Array.from({ length: 256 }, (_, i) => (i * seed + seed) & 255))

describe("before any cryptography", () => {
  it.live("R07 lengths below 40, or not whole blocks behind 24: refused without a single operation", () =>
    Effect.gen(function*() {
      const { calls, service } = traced(yield* nodeCrypto)
      const key = keyOf(service, 3)
      calls.length = 0
      for (let length = 0; length < 400; length++) {
        if (length >= 40 && (length - 24) % 16 === 0) continue
        const opened = Frame.open(service, { keys: [key], fromCreator: true, frame: new Uint8Array(length) })
        assert.isTrue(Result.isFailure(opened))
        assert.deepStrictEqual(calls, [], `${length} bytes`)
      }
      // and the least that can be one is worked on
      Frame.open(service, { keys: [key], fromCreator: true, frame: new Uint8Array(40) })
      assert.isNotEmpty(calls)
    }))
})

describe("the key", () => {
  it.live("R08 the frame names one of current, previous, pending; any other is refused, and so is 0", () =>
    Effect.gen(function*() {
      const crypto = yield* nodeCrypto
      const keys = [3, 5, 7].map((seed) => keyOf(crypto, seed))
      const payload = new Uint8Array(64)
      for (const key of keys) {
        const frame = Frame.seal(crypto, { key, fromCreator: true, payload })
        const opened = Frame.open(crypto, { keys, fromCreator: true, frame })
        assert.strictEqual(Result.getOrThrow(opened).key, key)
        const others = keys.filter((other) => other !== key)
        assert.isTrue(Result.isFailure(Frame.open(crypto, { keys: others, fromCreator: true, frame })))
        frame.fill(0, 0, 8)
        assert.isTrue(Result.isFailure(Frame.open(crypto, { keys, fromCreator: true, frame })))
      }
      const stranger = Frame.seal(crypto, { key: keyOf(crypto, 11), fromCreator: true, payload })
      assert.isTrue(Result.isFailure(Frame.open(crypto, { keys, fromCreator: true, frame: stranger })))
    }))

  it.live("R08 a frame under a key that the chat has not: the store is not written", () =>
    Effect.gen(function*() {
      const faults = new FaultyStore.Faults()
      const made = yield* scene("creator", { store: FaultyStore.layer(faults, layerMemory) })
      const before = yield* made.peer.store.load(made.chatId)
      const { commits } = faults
      const stranger = keyOf(made.hand.crypto, 13)
      made.hand.push(made.hand.seal(made.hand.payload(text("x")), { key: stranger }))
      yield* drained(made)
      assert.strictEqual(faults.commits, commits)
      assert.deepStrictEqual(yield* made.peer.store.load(made.chatId), before)
    }))
})

describe("authentication", () => {
  it.live("R09 decrypt, recompute the message key over everything, compare in constant time, only then look inside", () =>
    Effect.gen(function*() {
      const crypto = yield* nodeCrypto
      const key = keyOf(crypto, 3)
      const made = maker(crypto, key)
      const { service, take } = traced(crypto)
      const open = (frame: Uint8Array) => Frame.open(service, { keys: [key], fromCreator: true, frame })
      const payload = new Uint8Array(60).fill(9)
      assert.isTrue(Result.isSuccess(open(made.seal(payload))))
      assert.deepStrictEqual(take(), ["messageDecrypt", "constantTimeEqual"])
      // The length inside is a lie in each, and the message key right: refused after the comparison.
      for (const length of [-4, 1, 2, 3, 58, 61, 68, 1 << 30, -2147483648]) {
        assert.isTrue(Result.isFailure(open(made.seal(payload, { length }))), `length ${length}`)
        assert.deepStrictEqual(take(), ["messageDecrypt", "constantTimeEqual"])
      }
      // Every byte is under the message key: of the length, of the content, of the padding.
      const frame = made.seal(payload)
      for (let at = 24; at < frame.length; at++) {
        const changed = frame.slice()
        changed[at]! ^= 0x80
        assert.isTrue(Result.isFailure(open(changed)))
      }
    }))

  it.live.each<readonly [number, boolean]>([[8, false], [12, true], [28, true], [1020, true], [1024, true], [
    1028,
    false
  ], [1040, false]])(
    "R09 %s bytes of padding: %s",
    ([padding, accepted]) =>
      Effect.gen(function*() {
        const crypto = yield* nodeCrypto
        const key = keyOf(crypto, 3)
        // so many bytes that, with this padding, there are whole blocks
        const length = 4 + ((16 - ((4 + padding + 4) & 15)) & 15) + 48
        const frame = maker(crypto, key).seal(new Uint8Array(length), { padding })
        assert.strictEqual((frame.length - 24) % 16, 0)
        assert.strictEqual(Result.isSuccess(Frame.open(crypto, { keys: [key], fromCreator: true, frame })), accepted)
      })
  )

  it.live("R10 one opaque error, after the same work, for every reason", () =>
    Effect.gen(function*() {
      const crypto = yield* nodeCrypto
      const key = keyOf(crypto, 3)
      const { service, take } = traced(crypto)
      const made = maker(crypto, key)
      const payload = new Uint8Array(60)
      const good = made.seal(payload)
      const frames: ReadonlyArray<Uint8Array> = [
        ...Array.from({ length: 8 * good.length }, (_, bit) => {
          const flipped = good.slice()
          flipped[bit >> 3]! ^= 1 << (bit & 7)
          return flipped
        }),
        made.seal(payload, { x: 8 }),
        made.seal(payload, { key: keyOf(crypto, 5) }),
        made.seal(payload, { length: 3 }),
        made.seal(payload, { padding: 0 }),
        made.seal(payload, { version: 1 })
      ]
      const open = (frame: Uint8Array) => Frame.open(service, { keys: [key], fromCreator: true, frame })
      take()
      const errors = frames.map((frame) => {
        const opened = open(frame)
        if (Result.isSuccess(opened)) return assert.fail("the frame was accepted")
        assert.deepStrictEqual(take(), ["messageDecrypt", "constantTimeEqual"])
        const { stack: _, ...own } = opened.failure
        return inspect({ ...own, message: opened.failure.message, name: opened.failure.name }) +
          JSON.stringify(opened.failure) + String(opened.failure)
      })
      assert.strictEqual(new Set(errors).size, 1)
    }))

  it.live(
    "R10 every single bit of a frame flipped: the running program stores nothing, says nothing, and goes on",
    () =>
      Effect.gen(function*() {
        for (const role of roles) {
          const faults = new FaultyStore.Faults()
          const made = yield* scene(role, { store: FaultyStore.layer(faults, layerMemory) })
          const { chatId, hand, peer, relay, target } = made
          const frame = hand.seal(hand.payload(text("untouched")))
          const before = yield* peer.store.load(chatId)
          const commits = faults.commits
          const calls = relay.log.filter(({ device }) => device === target).length
          const events = peer.events.length
          for (let bit = 0; bit < 8 * frame.length; bit++) {
            const flipped = frame.slice()
            flipped[bit >> 3]! ^= 1 << (bit & 7)
            hand.push(flipped)
          }
          yield* drained(made)
          assert.strictEqual(faults.commits, commits)
          assert.deepStrictEqual(yield* peer.store.load(chatId), before)
          assert.strictEqual(relay.log.filter(({ device }) => device === target).length, calls)
          assert.strictEqual(peer.events.length, events)
          hand.push(frame)
          yield* eventually(() => texts(made).length === 1)
          assert.deepStrictEqual(texts(made), ["untouched"])
        }
      }),
    { timeout: 30_000 }
  )
})

describe("padding", () => {
  const ladder = new Set([64, 128, 192, 256, 384, 512, 768, 1024, 1280])

  it("R11 what is written lands on the ladder, with 12 to 1024 bytes, for every length", () => {
    for (let length = 4; length < 40_000; length += 4) {
      const padding = Padding.bucketed(length)
      assert.isAtLeast(padding, 12)
      assert.isAtMost(padding, 1024)
      const total = length + padding
      assert.strictEqual(total % 16, 0)
      assert.isTrue(ladder.has(total) || (total > 1280 && (total - 1280) % 448 === 0), `${length} becomes ${total}`)
    }
  })

  it.live("R11 and so does everything that a running program sends; equal texts never look alike", () =>
    Effect.gen(function*() {
      const { chatId, peer, relay, target } = yield* scene("creator")
      for (const length of [1, 1, 10, 100, 500, 1000, 4000, 10_000]) {
        yield* peer.chats.sendText(chatId, "a".repeat(length))
      }
      const frames = relay.log.filter(({ device }) => device === target)
        .flatMap(({ request }) => "data" in request ? [request.data as Uint8Array] : [])
      assert.isAtLeast(frames.length, 9)
      for (const { length } of frames) {
        const total = length - 24
        assert.isTrue(ladder.has(total) || (total > 1280 && (total - 1280) % 448 === 0), `${total}`)
      }
      assert.strictEqual(
        new Set(frames.map((frame) => Buffer.from(frame.subarray(8)).toString("hex"))).size,
        frames.length
      )
    }))
})

describe("MTProto 1.0", () => {
  it.live("R12 is refused from the first frame on, whatever has or has not been heard before, and never written", () =>
    Effect.gen(function*() {
      for (const role of roles) {
        const made = yield* scene(role)
        const { hand } = made
        const payload = hand.payload(text("downgraded"))
        const old = hand.seal(payload, { version: 1 })
        // It is a frame of version 1 that a reader of version 1 would take.
        assert.isTrue(Result.isSuccess(Frame.open(hand.crypto, {
          keys: [hand.key],
          fromCreator: hand.role === "creator",
          frame: old,
          acceptV1: true
        })))
        hand.push(old)
        hand.push(hand.seal(hand.payload(text("of layer 46"), { layer: 46 }), { version: 1 }))
        yield* drained(made)
        assert.deepStrictEqual(texts(made), [])
        hand.send(text("version 2"))
        yield* eventually(() => texts(made).length === 1)
        hand.push(hand.seal(hand.payload(text("again downgraded")), { version: 1 }))
        yield* drained(made)
        assert.deepStrictEqual(texts(made), ["version 2"])
        for (const { update } of hand.device.queue) {
          if (update._tag !== "updateNewEncryptedMessage") continue
          const opened = Frame.open(hand.crypto, {
            keys: [hand.key],
            fromCreator: hand.role !== "creator",
            frame: update.message.bytes
          })
          assert.strictEqual(Result.getOrThrow(opened).version, 2)
        }
      }
    }))
})

describe("what is inside", () => {
  const encodeMessage = TlCodec.encode(SecretApi.DecryptedMessage)
  const word = (n: number) => Uint8Array.of(n, n >> 8, n >> 16, n >> 24)
  const join = (...parts: ReadonlyArray<Uint8Array>) => new Uint8Array(Buffer.concat(parts))

  /** A wrapper as it should be, around bytes. */
  const wrapped = ({ hand }: Scene, content: Uint8Array): Uint8Array => {
    const whole = hand.payload(text(""))
    // id, 32 bytes of random bytes, layer, two numbers
    return join(whole.subarray(0, 4 + 32 + 12), content)
  }

  const message = encodeMessage(text("fine", 9n)).slice()
  const withEntities = (tail: Uint8Array): Uint8Array => {
    // decryptedMessage#91cc4674 flags:# random_id:long ttl:int message:string entities:flags.7?Vector
    return join(word(0x91cc4674), word(1 << 7), new Uint8Array(8).fill(1), word(0), Uint8Array.of(1, 97, 0, 0), tail)
  }
  const vector = word(0x1cb5c415)
  const bombs: ReadonlyArray<readonly [string, Uint8Array]> = [
    ["trailing bytes", join(message, word(0))],
    ["an unknown constructor", join(word(0x0badf00d), new Uint8Array(64))],
    ["a constructor of the server API", join(word(0x5b38c6c1), new Uint8Array(64))],
    ["a truncated message", message.slice(0, -4)],
    ["a vector of 2^31 - 1 entities", withEntities(join(vector, word(0x7fffffff)))],
    ["a vector of -1 entities", withEntities(join(vector, word(-1)))],
    ["a vector of 2^20 entities and nothing behind it", withEntities(join(vector, word(1 << 20), new Uint8Array(400)))],
    ["a string longer than the message", join(message.slice(0, 20), word(0xffffff << 8 | 254))],
    ["a wrapper in a wrapper, a hundred deep", join(...Array.from({ length: 100 }, () => word(0x1be31789)))],
    ["zeros", new Uint8Array(60_000)]
  ]

  it.live.each(bombs)(
    "R13 %s: shown as unsupported, its number is used, the chat goes on",
    ([, bomb]) =>
      Effect.gen(function*() {
        const made = yield* scene("acceptor")
        const { hand, peer } = made
        const payload = wrapped(made, bomb.length % 4 === 0 ? bomb : bomb.slice(0, bomb.length & ~3))
        const frame = hand.seal(payload)
        const before = process.cpuUsage()
        hand.push(frame, 5n)
        hand.out++
        yield* eventually(() => peer.events.some(({ event }) => event._tag === "UnsupportedMessage"), "the bomb")
        const { system, user } = process.cpuUsage(before)
        assert.isBelow((system + user) / 1000, 500, "milliseconds")
        assert.deepInclude(peer.events.at(-1)!.event as object, { _tag: "UnsupportedMessage", randomId: 5n, index: 0 })
        hand.send(text("after it"))
        yield* eventually(() => texts(made).length === 1)
        assert.strictEqual((yield* peer.chats.get(made.chatId)).state, "ready")
      })
  )

  it.live("R13 a wrapper that cannot be read closes the chat, with its rule, as in TDLib", () =>
    Effect.gen(function*() {
      for (const payload of [new Uint8Array(0), word(0x1be31789), new Uint8Array(32), message]) {
        const made = yield* scene("creator")
        made.hand.push(made.hand.seal(payload))
        yield* eventually(() => made.peer.events.some(({ event }) => event._tag === "ChatClosed"))
        assert.deepStrictEqual((yield* made.peer.chats.get(made.chatId)).closed, { _tag: "Violation", rule: "wrapper" })
      }
    }))
})
