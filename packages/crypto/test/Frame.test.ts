import * as Frame from "@effect-mtproto/crypto/Frame"
import * as MessageKey from "@effect-mtproto/crypto/MessageKey"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Padding from "@effect-mtproto/crypto/Padding"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import { assert, layer } from "@effect/vitest"
import { Result, Schema } from "effect"
import { counting, hex, secretChats, sequence, tdlibFrames, toHex, withCrypto } from "./utils/fixtures.ts"

type Crypto = Parameters<typeof Frame.open>[0]

// a frame around any plaintext, right in all but what the test breaks
const sealRaw = (crypto: Crypto, key: SharedKey.SharedKey, plaintext: Uint8Array, x: 0 | 8 = 0): Uint8Array => {
  const messageKey = MessageKey.compute(crypto, key.bytes, plaintext, x)
  const aes = MessageKey.derive(crypto, key.bytes, messageKey, x)
  const frame = new Uint8Array(24 + plaintext.length)
  new DataView(frame.buffer).setBigInt64(0, key.id, true)
  frame.set(messageKey, 8)
  frame.set(crypto.aesIgeEncrypt(plaintext, aes.key, aes.iv), 24)
  return frame
}

const withLength = (length: number, total: number): Uint8Array => {
  const plaintext = sequence(total)
  new DataView(plaintext.buffer).setInt32(0, length, true)
  return plaintext
}

const assertRefused = (result: Result.Result<Frame.Opened, Frame.FrameError>): void => {
  if (!Result.isFailure(result)) return assert.fail("the frame was accepted")
  assert.deepStrictEqual({ ...result.failure, message: result.failure.message, name: result.failure.name }, {
    _tag: "FrameError",
    message: "The encrypted frame was refused",
    name: "FrameError"
  })
}

const summary = (opened: Result.Result<Frame.Opened, Frame.FrameError>): ReadonlyArray<unknown> => {
  const { payload, version } = Result.getOrThrow(opened)
  return [toHex(payload), version]
}

layer(NodeCrypto.layer)("Frame", (it) => {
  it.effect("opens every frame of TDLib and seals it to the same bytes", () =>
    withCrypto((crypto) => {
      assert.strictEqual(tdlibFrames.length, 87)
      for (const { ciphertext, fromOriginator, key: bytes, padding, plaintext } of tdlibFrames) {
        const key = SharedKey.make(crypto, hex(bytes))
        const plain = hex(plaintext)
        const end = plain.length - padding
        const opened = Frame.open(crypto, { keys: [key], fromCreator: fromOriginator, frame: hex(ciphertext) })
        if (!Result.isSuccess(opened)) return assert.fail("a frame of TDLib was refused")
        assert.strictEqual(toHex(opened.success.payload), toHex(plain.subarray(4, end)))
        assert.strictEqual(opened.success.version, 2)
        assert.strictEqual(opened.success.key, key)
        assert.strictEqual(Padding.bucketed(end), padding)
        const sealed = Frame.seal(crypto, {
          key,
          fromCreator: fromOriginator,
          payload: plain.subarray(4, end),
          padding: plain.subarray(end)
        })
        assert.strictEqual(toHex(sealed), ciphertext)
        assertRefused(Frame.open(crypto, { keys: [key], fromCreator: !fromOriginator, frame: hex(ciphertext) }))
      }
    }))

  it.effect("seals a NotifyLayer in both directions, and opens it in version 1", () =>
    withCrypto((crypto) => {
      const { plaintext, v1, x0, x8 } = secretChats.notifyLayer
      const key = SharedKey.make(crypto, sequence(256))
      const payload = hex(secretChats.notifyLayer.payload)
      const padding = hex(plaintext).subarray(72)
      for (const [fromCreator, expected] of [[true, x0], [false, x8]] as const) {
        assert.strictEqual(toHex(Frame.seal(crypto, { key, fromCreator, payload, padding })), expected)
        const opened = Frame.open(crypto, { keys: [key], fromCreator, frame: hex(expected), acceptV1: true })
        assert.deepStrictEqual(summary(opened), [secretChats.notifyLayer.payload, 2])
      }
      assertRefused(Frame.open(crypto, { keys: [key], fromCreator: true, frame: hex(v1) }))
      for (const fromCreator of [true, false]) {
        const opened = Frame.open(crypto, { keys: [key], fromCreator, frame: hex(v1), acceptV1: true })
        assert.deepStrictEqual(summary(opened), [secretChats.notifyLayer.payload, 1])
      }
    }))

  it.effect("refuses every single bit flip, in the same way and after the same work", () =>
    withCrypto((crypto) => {
      const counter = counting(crypto)
      const other = SharedKey.make(crypto, sequence(256, 1))
      for (
        const { acceptV1, hashes, source } of [
          { source: secretChats.notifyLayer.x0, acceptV1: false, hashes: 3 },
          { source: secretChats.notifyLayer.x0, acceptV1: true, hashes: 8 },
          { source: secretChats.notifyLayer.v1, acceptV1: true, hashes: 8 }
        ]
      ) {
        const key = SharedKey.make(crypto, sequence(256))
        const valid = hex(source)
        const open = (frame: Uint8Array) =>
          Frame.open(counter.service, { keys: [other, key], fromCreator: true, frame, acceptV1 })
        assert.isTrue(Result.isSuccess(open(valid)))
        counter.take()
        // version 1 does not authenticate its padding
        const authenticated = source === secretChats.notifyLayer.v1 ? 24 + 64 : valid.length
        for (let bit = 0; bit < 8 * authenticated; bit++) {
          const frame = valid.slice()
          frame[bit >> 3]! ^= 1 << (bit & 7)
          assertRefused(open(frame))
          const work = counter.take()
          assert.deepStrictEqual([work.hashes, work.ciphers], [hashes, acceptV1 ? 2 : 1])
        }
      }
    }))

  it.effect("does the same work for every refusal that is not by length", () =>
    withCrypto((crypto) => {
      const counter = counting(crypto)
      const key = SharedKey.make(crypto, sequence(256))
      const unknown = SharedKey.make(crypto, sequence(256, 7))
      const total = 128
      const good = withLength(total - 4 - 12, total)
      const frames = {
        "negative length": sealRaw(crypto, key, withLength(-4, total)),
        "least length": sealRaw(crypto, key, withLength(-0x80000000, total)),
        "length not a multiple of 4": sealRaw(crypto, key, withLength(total - 4 - 13, total)),
        "length beyond the frame": sealRaw(crypto, key, withLength(total, total)),
        "greatest length": sealRaw(crypto, key, withLength(0x7fffffff, total)),
        "padding of 8": sealRaw(crypto, key, withLength(total - 4 - 8, total)),
        "padding of 0": sealRaw(crypto, key, withLength(total - 4, total)),
        "other direction": sealRaw(crypto, key, good, 8),
        "unknown key": sealRaw(crypto, unknown, good),
        "changed": sealRaw(crypto, key, good).map((byte, i) => i === 60 ? byte ^ 1 : byte)
      }
      assert.isTrue(
        Result.isSuccess(Frame.open(crypto, { keys: [key], fromCreator: true, frame: sealRaw(crypto, key, good) }))
      )
      const works = Object.entries(frames).map(([name, frame]) => {
        assertRefused(Frame.open(counter.service, { keys: [key], fromCreator: true, frame }))
        return [name, counter.take()] as const
      })
      for (const [name, work] of works) assert.deepStrictEqual(work, works[0]![1], name)
      const long = sealRaw(crypto, key, withLength(4, 16 + 1040))
      assertRefused(Frame.open(crypto, { keys: [key], fromCreator: true, frame: long }))
    }))

  it.effect("refuses impossible lengths before any cryptography", () =>
    withCrypto((crypto) => {
      const counter = counting(crypto)
      const key = SharedKey.make(crypto, sequence(256))
      const valid = hex(secretChats.notifyLayer.x0)
      for (let length = 0; length < valid.length; length++) {
        const frame = valid.subarray(0, length)
        assertRefused(Frame.open(counter.service, { keys: [key], fromCreator: true, frame, acceptV1: true }))
        const work = counter.take()
        if (length < 40 || (length - 24) % 16 !== 0) assert.deepStrictEqual([work.hashes, work.ciphers], [0, 0])
      }
      assertRefused(Frame.open(counter.service, { keys: [], fromCreator: true, frame: valid }))
      assert.strictEqual(counter.take().ciphers, 0)
    }))

  it.effect("chooses the key that the frame names", () =>
    withCrypto((crypto) => {
      const keys = [0, 1, 2].map((first) => SharedKey.make(crypto, sequence(256, first)))
      const payload = sequence(64)
      for (const key of keys) {
        const frame = Frame.seal(crypto, { key, fromCreator: false, payload })
        assert.strictEqual(Frame.fingerprint(frame), key.id)
        const opened = Frame.open(crypto, { keys, fromCreator: false, frame })
        assert.isTrue(Result.isSuccess(opened) && opened.success.key === key)
        assertRefused(Frame.open(crypto, { keys: keys.filter((other) => other !== key), fromCreator: false, frame }))
      }
      assert.isUndefined(Frame.fingerprint(new Uint8Array(7)))
    }))

  it.effect("refuses to seal what a receiver would refuse", () =>
    withCrypto((crypto) => {
      const key = SharedKey.make(crypto, sequence(256))
      const seal = (length: number, padding: number) => () =>
        Frame.seal(crypto, {
          key,
          fromCreator: true,
          payload: new Uint8Array(length),
          padding: new Uint8Array(padding)
        })
      assert.throws(seal(5, 23), /multiple of 4/)
      assert.throws(seal(4, 8), /12 to 1024/)
      assert.throws(seal(4, 1032), /12 to 1024/)
      assert.throws(seal(4, 12), /whole blocks/)
      assert.strictEqual(seal(0, 12)().length, 40)
      assert.throws(() => SharedKey.make(crypto, new Uint8Array(255)), /256 bytes/)
    }))

  it.effect("draws new padding for each frame, from the source that it is given", () =>
    withCrypto((crypto) => {
      const key = SharedKey.make(crypto, sequence(256))
      const paddingOf = (source: Crypto, length: number) => {
        const frame = Frame.seal(source, { key, fromCreator: true, payload: new Uint8Array(length) })
        return toHex(crypto.messageDecrypt(key.bytes, frame, 0).plaintext.subarray(4 + length))
      }
      // padding of 16 to 444 bytes
      for (const length of [44, 172, 1500, 4168]) {
        const drawn = Array.from({ length: 50 }, () => paddingOf(crypto, length))
        assert.strictEqual(new Set(drawn).size, 50)
        // nothing is drawn twice, and nothing that was given back
        for (const padding of drawn) assert.isFalse(padding.includes("0".repeat(16)))
        const fixed = paddingOf({ ...crypto, randomBytes: (count) => new Uint8Array(count).fill(0x5a) }, length)
        assert.match(fixed, /^(5a)+$/)
      }
    }))

  it.effect.prop(
    "round trip",
    { words: Schema.Array(Schema.Int), fromCreator: Schema.Boolean },
    ({ fromCreator, words }) =>
      withCrypto((crypto) => {
        const payload = new Uint8Array(Int32Array.from(words).buffer)
        const key = SharedKey.make(crypto, crypto.randomBytes(256))
        const frame = Frame.seal(crypto, { key, fromCreator, payload })
        assert.strictEqual((frame.length - 24) % 16, 0)
        const opened = Frame.open(crypto, { keys: [key], fromCreator, frame })
        assert.deepStrictEqual(Result.getOrThrow(opened).payload, payload)
      })
  )
})
