/** Requirements 1 to 6 of `docs/security.md`: the first key. */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Result } from "effect"
import { generatePrimeSync, getDiffieHellman } from "node:crypto"
import { eventually, settle } from "../support/Peers.ts"
import { Relay } from "../support/Relay.ts"
import {
  closed,
  cryptoWith,
  exchange,
  isWiped,
  program,
  roles,
  scene,
  service,
  text,
  texts,
  Watched
} from "./HandPeer.ts"

const nodeCrypto = Effect.map(Layer.build(NodeCrypto.layer), (context) => Context.get(context, Crypto))
const knownPrime = DiffieHellman.wellKnownPrime()

/** A server that offers another group. */
const relayWith = (group: { readonly g: number; readonly p: Uint8Array }): Relay => {
  const relay = new Relay()
  const execute = relay["execute"].bind(relay)
  relay["execute"] = (device, request) =>
    request._tag === "messages.getDhConfig"
      ? { result: { _tag: "messages.dhConfig", version: 9, random: new Uint8Array(256).fill(1), ...group } }
      : execute(device, request)
  return relay
}

const bigint = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`)
const bytesOf = (value: bigint, length = 256): Uint8Array =>
  new Uint8Array(Buffer.from(value.toString(16).padStart(2 * length, "0"), "hex"))

const p = bigint(knownPrime)
const margin = 1n << 1984n

/** Public values that must be refused, and the nearest that must not. */
const outOfRange: ReadonlyArray<readonly [string, Uint8Array]> = [
  ["0", Uint8Array.of(0)],
  ["nothing", new Uint8Array(0)],
  ["1", Uint8Array.of(1)],
  ["2^1984 - 1", bytesOf(margin - 1n)],
  ["p - 2^1984 + 1", bytesOf(p - margin + 1n)],
  ["p - 1", bytesOf(p - 1n)],
  ["p", bytesOf(p)],
  ["p + 2^1984", bytesOf(p + margin, 257)]
]

/** What no number of 2048 bits is: not even kept. */
const oversized: ReadonlyArray<readonly [string, Uint8Array]> = [
  ["4096 bytes", new Uint8Array(4096).fill(3)],
  ["a megabyte of zeros", new Uint8Array(1 << 20)],
  ["a good value behind a megabyte of zeros", bytesOf(p >> 1n, 1 << 20)]
]

describe("the group", () => {
  // a prime of 2048 bits; that its half is one too does not happen
  const unsafe = new Uint8Array(Buffer.from(generatePrimeSync(2048, { bigint: true }).toString(16), "hex"))
  const halved = bytesOf(p >> 1n)

  it.live.each<readonly [string, { readonly g: number; readonly p: Uint8Array }]>([
    ["a prime whose half is none", { g: 4, p: unsafe }],
    ["a composite", { g: 4, p: bytesOf(p - 2n) }],
    ["2047 bits", { g: 4, p: halved }],
    ["a small prime", { g: 3, p: Uint8Array.of(23) }],
    ["2049 bits", { g: 4, p: bytesOf((p << 1n) + 1n, 257) }],
    ["no bytes", { g: 4, p: new Uint8Array(0) }],
    ["the known prime with generator 2", { g: 2, p: knownPrime }],
    ["the known prime with generator 5", { g: 5, p: knownPrime }],
    ["the known prime with generator 1", { g: 1, p: knownPrime }],
    ["the known prime with generator 8", { g: 8, p: knownPrime }],
    ["the known prime with a negative generator", { g: -3, p: knownPrime }]
  ])("R01 %s is refused before anything is computed in it or said to anybody", ([, group]) =>
    Effect.gen(function*() {
      const relay = relayWith(group)
      const target = relay.device(1n)
      relay.device(2n)
      let powers = 0
      const crypto = cryptoWith((crypto) => ({
        modPow: (base, exponent, modulus) => {
          powers++
          return crypto.modPow(base, exponent, modulus)
        }
      }))
      const peer = yield* program(relay, target, { crypto })
      const error = yield* Effect.flip(peer.chats.request({ userId: 2n, accessHash: 0n }))
      assert.deepInclude(error as object, {
        _tag: "SecretChatClosed",
        reason: { _tag: "KeyCheck", check: "parameters" }
      })
      assert.strictEqual(powers, 0)
      assert.deepStrictEqual(relay.calls("messages.requestEncryption"), [])
    }))

  it.live("R01 another safe prime is as good as the known one, and its verdict is kept", () =>
    Effect.gen(function*() {
      // RFC 3526, group 14: 7 modulo 8, so 2 is a residue
      const group = { g: 2, p: new Uint8Array(getDiffieHellman("modp14").getPrime()) }
      for (const role of roles) {
        const made = yield* scene(role, { relay: relayWith(group), group })
        made.hand.send(text("in another group"))
        yield* eventually(() => texts(made).length === 1)
      }
      const crypto = yield* nodeCrypto
      assert.isTrue(yield* crypto.isSafePrime(group.p))
      const start = performance.now()
      for (let i = 0; i < 100; i++) yield* crypto.isSafePrime(group.p)
      assert.isBelow(performance.now() - start, 100, "a hundred verdicts cost less than one test")
      // the residue is looked at every time
      const verdict = yield* Effect.result(DiffieHellman.checkGroup(crypto, { ...group, g: 3 }))
      assert.strictEqual(Result.isFailure(verdict), group.p.reduce((rest, byte) => (rest * 256 + byte) % 3, 0) !== 2)
    }))
})

describe("public values", () => {
  it.live.each(outOfRange)(
    "R02 %s in the first exchange: closed, in both roles",
    ([, value]) =>
      Effect.gen(function*() {
        for (const role of roles) {
          const made = yield* exchange(role, { publicValue: () => value })
          assert.deepStrictEqual(yield* closed(made), { _tag: "KeyCheck", check: "public-value" })
          assert.strictEqual(made.relay.calls("messages.acceptEncryption", made.target).length, 0)
          yield* eventually(() => made.relay.calls("messages.discardEncryption").length === 1, "the discard")
        }
      })
  )

  it.live.each(oversized)(
    "R02 %s: no request, no chat, and no byte of it is stored",
    ([, value]) =>
      Effect.gen(function*() {
        const relay = new Relay()
        const target = relay.device(1n)
        const peer = yield* program(relay, target, { accept: "ask" })
        relay.push(target, {
          _tag: "updateEncryption",
          date: 1,
          chat: {
            _tag: "encryptedChatRequested",
            id: 5,
            accessHash: 6n,
            date: 1,
            adminId: 2n,
            participantId: 1n,
            gA: value
          }
        })
        yield* eventually(() => target.queue.length === 0, "the update taken in")
        yield* settle
        assert.deepStrictEqual(yield* peer.chats.list, [])

        const answered = yield* exchange("creator", { publicValue: () => value })
        assert.deepStrictEqual(yield* closed(answered), { _tag: "KeyCheck", check: "public-value" })

        const rekeyed = yield* scene("creator")
        const write = rekeyed.hand.payload(
          service({ _tag: "decryptedMessageActionRequestKey", exchangeId: 1n, gA: value })
        )
        rekeyed.hand.push(rekeyed.hand.seal(write))
        rekeyed.hand.out++
        yield* eventually(() => rekeyed.hand.actions().includes("AbortKey"), "the refusal")
      })
  )

  it.live.each(outOfRange)(
    "R02 %s in a later exchange: declined with AbortKey, or closed",
    ([, value]) =>
      Effect.gen(function*() {
        const asked = yield* scene("creator")
        asked.hand.send(service({ _tag: "decryptedMessageActionRequestKey", exchangeId: 1n, gA: value }))
        yield* eventually(() => asked.hand.actions().includes("AbortKey"))
        assert.notInclude(asked.hand.actions(), "AcceptKey")

        const asking = yield* scene("acceptor")
        for (let i = 0; i < 101; i++) asking.hand.send(text(`${i}`))
        yield* eventually(() => asking.hand.actions().includes("RequestKey"))
        const { exchangeId } = asking.hand.lastAction("decryptedMessageActionRequestKey")!
        asking.hand.send(
          service({ _tag: "decryptedMessageActionAcceptKey", exchangeId, gB: value, keyFingerprint: 5n })
        )
        assert.deepStrictEqual(yield* closed(asking), { _tag: "Violation", rule: "rekey-public-value" })
      })
  )

  it.live("R02 the ends of the range belong to it", () =>
    Effect.gen(function*() {
      const crypto = yield* nodeCrypto
      const group = yield* DiffieHellman.checkGroup(crypto, { g: 3, p: knownPrime })
      for (const value of [margin, p - margin]) {
        assert.strictEqual(bigint(yield* DiffieHellman.checkPublicValue(group, bytesOf(value))), value)
      }
      for (const [, value] of outOfRange) yield* Effect.flip(DiffieHellman.checkPublicValue(group, value))
    }))

  it.live("R02 our own value back to us: closed", () =>
    Effect.gen(function*() {
      const made = yield* exchange("creator", { publicValue: (_, theirs) => theirs! })
      assert.deepStrictEqual(yield* closed(made), { _tag: "KeyCheck", check: "public-value" })
    }))
})

describe("exponents", () => {
  it.live("R03 2048 random bits, other ones every time, whatever the server calls random; zeroed after use", () =>
    Effect.gen(function*() {
      const drawn: Array<string> = []
      for (const role of [...roles, ...roles]) {
        // this server always gives the same "random" bytes
        const watched = new Watched()
        yield* scene(role, { relay: relayWith({ g: 3, p: knownPrime }), crypto: watched.layer })
        yield* settle
        assert.isAtLeast(watched.exponents.size, 1)
        for (const exponent of watched.exponents) {
          assert.strictEqual(exponent.length, 256)
          assert.isTrue(isWiped(exponent), `an exponent of the ${role} is still there`)
        }
        drawn.push(...new Set(watched.drawn.map((exponent) => Buffer.from(exponent).toString("hex"))))
      }
      assert.strictEqual(new Set(drawn).size, drawn.length)
      // 2048 bits of which each is 0 as often as 1: 256 bytes that are not all below 128, nor odd, nor even
      for (const hex of drawn) {
        const bytes = [...Buffer.from(hex, "hex")]
        for (let bit = 0; bit < 8; bit++) {
          const ones = bytes.filter((byte) => (byte >> bit & 1) === 1).length
          assert.isTrue(ones > 60 && ones < 196, `${ones} of 256`)
        }
      }
    }))

  it("R03 server bytes that cancel ours out are impossible: they are mixed in, and unknown bits stay unknown", () => {
    const local = Uint8Array.from({ length: 256 }, (_, i) => i * 7 & 255)
    const mixed = DiffieHellman.mixExponent(local, new Uint8Array(256))
    assert.deepStrictEqual(mixed, local)
    assert.notStrictEqual(mixed, local)
    const other = DiffieHellman.mixExponent(local.map((byte) => byte ^ 1), new Uint8Array(256).fill(0xff))
    assert.notDeepEqual(other, DiffieHellman.mixExponent(local, new Uint8Array(256).fill(0xff)))
  })
})

describe("the shared key", () => {
  const a = Uint8Array.from({ length: 256 }, (_, i) => i)
  const b = Uint8Array.from({ length: 256 }, (_, i) => (i < 254 ? 255 - i : i === 254 ? 0 : 168))

  it.live("R04 a key that begins with a zero byte is padded to 256 bytes (vector computed independently)", () =>
    Effect.gen(function*() {
      const crypto = yield* nodeCrypto
      const group = yield* DiffieHellman.checkGroup(crypto, { g: 3, p: knownPrime })
      const gA = yield* DiffieHellman.publicValue(crypto, group, a)
      const gB = yield* DiffieHellman.publicValue(crypto, group, b)
      assert.strictEqual(Buffer.from(crypto.sha1(gA)).toString("hex"), "c7d2bde081a0993ebf5732f6bd7600d709dc7aa1")
      assert.strictEqual(Buffer.from(crypto.sha1(gB)).toString("hex"), "0bdcf080ad0ddb17aaa25fe5de122805500f47c1")
      for (const [secret, value] of [[a, gB], [b, gA]] as const) {
        const key = yield* DiffieHellman.agree(crypto, group, secret, value)
        assert.strictEqual(key.bytes.length, 256)
        assert.deepStrictEqual([...key.bytes.subarray(0, 4)], [0x00, 0x93, 0x67, 0x1c])
        assert.strictEqual(
          Buffer.from(crypto.sha1(key.bytes)).toString("hex"),
          "fcf8f823bfc383a51b4079242e5e25cd521fcd46"
        )
        assert.strictEqual(
          Buffer.from(crypto.sha256(key.bytes)).toString("hex"),
          "58005c7e62276c9b622d1575104f542e742a3c06a60b8d96a3b008affa3bb780"
        )
      }
    }))

  it.live("R04 a whole chat under such a key, with its public value stripped of zeros", () =>
    Effect.gen(function*() {
      const crypto = yield* nodeCrypto
      // The program draws a; the other side answers with b, and names the key of the vector.
      const fixed = cryptoWith((real) => ({
        modPow: (base, exponent, modulus) => {
          exponent.set(a)
          return real.modPow(base, exponent, modulus)
        }
      }))
      const gB = yield* crypto.modPow(Uint8Array.of(3), b, knownPrime)
      const made = yield* exchange("creator", {
        crypto: fixed,
        publicValue: () => gB,
        fingerprint: () => Buffer.from("2e5e25cd521fcd46", "hex").readBigInt64LE(0)
      })
      yield* made.peer.chats.awaitReady(made.chatId)
      const { hash } = yield* made.peer.chats.keyPicture(made.chatId)
      assert.strictEqual(
        Buffer.from(hash).toString("hex"),
        "fcf8f823bfc383a51b4079242e5e25cd" + "58005c7e62276c9b622d1575104f542e742a3c06"
      )
    }))
})

describe("agreement", () => {
  it.live("R05 the creator compares the fingerprint, and discards the chat if it differs", () =>
    Effect.gen(function*() {
      for (const wrong of [(honest: bigint) => honest ^ 1n, () => 0n, (honest: bigint) => -honest]) {
        const made = yield* exchange("creator", { fingerprint: wrong })
        assert.deepStrictEqual(yield* closed(made), { _tag: "KeyCheck", check: "fingerprint" })
        yield* eventually(() => made.relay.calls("messages.discardEncryption").length === 1, "the discard")
        assert.deepInclude(made.relay.calls("messages.discardEncryption", made.target)[0] as object, {
          chatId: made.chatId
        })
        assert.strictEqual(made.relay.calls("messages.sendEncryptedService", made.target).length, 0)
      }
    }))

  it.live.each<readonly [string, string, string]>([
    ["ENCRYPTION_ALREADY_ACCEPTED", "EncryptionAlreadyAccepted", "TakenElsewhere"],
    ["ENCRYPTION_ALREADY_DECLINED", "EncryptionAlreadyDeclined", "Withdrawn"]
  ])(
    "R06 %s: a typed outcome, closed here, and the chat of the other device is left alone",
    ([type, tag, reason]) =>
      Effect.gen(function*() {
        const relay = new Relay()
        const asker = yield* program(relay, relay.device(1n))
        const target = relay.device(2n)
        const peer = yield* program(relay, target, { accept: "ask" })
        relay.fail("messages.acceptEncryption", { code: 400, type })
        const { chatId } = yield* asker.chats.request({ userId: 2n, accessHash: 0n })
        yield* eventually(() => peer.events.some(({ event }) => event._tag === "ChatRequested"), "the request")
        assert.strictEqual((yield* Effect.flip(peer.chats.accept(chatId)))._tag, tag)
        assert.deepInclude((yield* peer.chats.get(chatId)) as object, { state: "closed", closed: { _tag: reason } })
        yield* settle
        assert.deepStrictEqual(relay.calls("messages.discardEncryption", target), [])
      })
  )

  /** A call of a device to accept, which gets no answer; `reaches` the server or not. */
  const unanswered = Effect.fnUntraced(function*(reaches: boolean) {
    const relay = new Relay()
    const asker = yield* program(relay, relay.device(1n))
    const target = relay.device(2n)
    const peer = yield* program(relay, target, { accept: "ask" })
    const { chatId } = yield* asker.chats.request({ userId: 2n, accessHash: 0n })
    yield* eventually(() => peer.events.some(({ event }) => event._tag === "ChatRequested"), "the request")
    const gate = yield* Deferred.make<void>()
    const next = yield* Deferred.make<void>()
    relay.fail(
      "messages.acceptEncryption",
      reaches ? { loseAnswer: true } : { after: gate, transport: "timeout" },
      { after: next }
    )
    const accepting = yield* Effect.forkScoped(Effect.exit(peer.chats.accept(chatId)))
    return { relay, asker, target, peer, chatId, gate, next, accepting }
  })

  it.live("R06 another device was first, and neither the answer nor the server's word of it came: told, and left alone", () =>
    Effect.gen(function*() {
      const { accepting, chatId, gate, next, peer, relay, target } = yield* unanswered(false)
      const push = relay.push.bind(relay)
      relay.push = (device, update) => {
        if (device !== target) push(device, update)
      }
      const tablet = relay.device(2n)
      relay.chats.get(chatId)!.acceptor = tablet
      relay.chats.get(chatId)!.state = "ready"
      yield* Deferred.succeed(gate, undefined)
      yield* Deferred.succeed(next, undefined)
      const exit = yield* Fiber.join(accepting)
      assert.strictEqual(Exit.isFailure(exit) && String(exit.cause).includes("EncryptionAlreadyAccepted"), true)
      assert.deepInclude((yield* peer.chats.get(chatId)) as object, {
        state: "closed",
        closed: { _tag: "TakenElsewhere" }
      })
      yield* settle
      assert.deepStrictEqual(relay.calls("messages.discardEncryption"), [])
      assert.deepStrictEqual(relay.calls("messages.setEncryptedTyping", target).map((call): object => ({ ...call })), [{
        _tag: "messages.setEncryptedTyping",
        peer: { _tag: "inputEncryptedChat", chatId, accessHash: BigInt(chatId) * 1000n + 2n },
        typing: false
      }])
    }))

  it.live("R06 we were first, and the answer did not come: the chat is ours, and the peer notices nothing", () =>
    Effect.gen(function*() {
      const { accepting, asker, chatId, next, peer, relay, target } = yield* unanswered(true)
      yield* Deferred.succeed(next, undefined)
      yield* Fiber.join(accepting)
      yield* peer.chats.awaitReady(chatId)
      yield* asker.chats.awaitReady(chatId)
      yield* settle
      assert.deepStrictEqual(asker.events.filter(({ event }) => event._tag === "Typing"), [])
      assert.deepStrictEqual(relay.calls("messages.discardEncryption", target), [])
    }))
})
