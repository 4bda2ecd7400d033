import type * as Api from "@effect-mtproto/core/Api"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as CallLog from "../src/internal/callLog.ts"
import * as Files from "../src/internal/files.ts"
import * as MessageIds from "../src/internal/messageIds.ts"
import * as Salts from "../src/internal/salts.ts"
import * as UpdateBox from "../src/internal/updateBox.ts"
import * as Random from "./support/random.ts"

const NOW = 1_700_000_000

describe("message identifiers", () => {
  it("are unix time in units of 2^-32 seconds", () => {
    assert.strictEqual(MessageIds.fromMillis(1_700_000_000_500), (1_700_000_000n << 32n) + 2_147_483_648n)
    assert.strictEqual(MessageIds.toSeconds(MessageIds.fromMillis(1_700_000_000_999)), 1_700_000_000)
    assert.strictEqual(MessageIds.toSeconds(-1n), -1)
  })
  it("grow, and keep their low bits, however the clock goes", () => {
    let last = 0n
    for (const [millis, low] of [[1000, 1n], [1000, 3n], [1000, 1n], [500, 3n], [2000, 1n], [0, 1n]] as const) {
      const next = MessageIds.next(last, millis, low)
      assert.isTrue(next > last)
      assert.strictEqual(next & 3n, low)
      last = next
    }
  })
})

layer(NodeCrypto.layer)("salts", (it) => {
  const schedule = () => Salts.make(77n, NOW, new Uint8Array(256).fill(3))

  it.effect("the first comes from the exchange, the others from the key", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const salts = schedule()
      assert.strictEqual(Salts.current(crypto, salts, NOW), 77n)
      assert.strictEqual(Salts.current(crypto, salts, NOW + 1799), 77n)
      const second = Salts.current(crypto, salts, NOW + 1800)
      assert.notStrictEqual(second, 77n)
      assert.strictEqual(Salts.current(crypto, schedule(), NOW + 3599), second)
      assert.notStrictEqual(
        Salts.current(crypto, Salts.make(77n, NOW, new Uint8Array(256).fill(4)), NOW + 1800),
        second
      )
    }))
  it.effect("are accepted for half an hour more, and by a minute too early", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const salts = schedule()
      const second = Salts.current(crypto, salts, NOW + 1800)
      const accepted = (salt: bigint, at: number) => Salts.isAccepted(crypto, salts, salt, NOW + at)
      assert.isTrue(accepted(77n, 0))
      assert.isTrue(accepted(77n, 3599))
      assert.isFalse(accepted(77n, 3600))
      assert.isFalse(accepted(second, 1739))
      assert.isTrue(accepted(second, 1740))
      assert.isTrue(accepted(second, 5399))
      assert.isFalse(accepted(second, 5400))
      assert.isFalse(accepted(0n, 0))
    }))
  it.effect("of the future are consecutive, and between 1 and 64", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const salts = Salts.future(crypto, schedule(), NOW + 2000, 64)
      assert.strictEqual(salts.length, 64)
      for (const [i, salt] of salts.entries()) {
        assert.strictEqual(salt.validSince, NOW + (i + 1) * 1800)
        assert.strictEqual(salt.validUntil, salt.validSince + 1800)
        assert.strictEqual(salt.salt, Salts.current(crypto, schedule(), salt.validSince))
      }
      assert.strictEqual(Salts.future(crypto, schedule(), NOW, 1000).length, 64)
      assert.strictEqual(Salts.future(crypto, schedule(), NOW, -5).length, 1)
    }))
})

describe("update box", () => {
  const message = (randomId: bigint, size = 4): Api.EncryptedMessage => ({
    _tag: "encryptedMessageService",
    randomId,
    chatId: 1,
    date: NOW,
    bytes: new Uint8Array(size)
  })
  const update = (chatId: number): Api.Update => ({ _tag: "updateEncryptedChatTyping", chatId })
  const ask = (
    box: UpdateBox.UpdateBox,
    request: Partial<UpdateBox.DifferenceRequest> & { readonly qts: number; readonly date: number }
  ) => UpdateBox.difference(box, { now: NOW, limit: 100, maxBytes: 1_000_000, ...request })

  it("the first message has qts 2", () => {
    const box = UpdateBox.make()
    assert.deepStrictEqual(UpdateBox.state(box, NOW), { qts: 1, date: NOW, seq: 0 })
    assert.strictEqual(UpdateBox.addMessage(box, message(1n)), 2)
    assert.strictEqual(UpdateBox.addMessage(box, message(2n)), 3)
  })
  it("messages stay until their qts is confirmed", () => {
    const box = UpdateBox.make()
    for (let i = 1n; i <= 3n; i++) UpdateBox.addMessage(box, message(i))
    assert.strictEqual(ask(box, { qts: 1, date: 0 }).messages.length, 3)
    assert.strictEqual(ask(box, { qts: 1, date: 0 }).messages.length, 3)
    assert.deepStrictEqual(ask(box, { qts: 3, date: 0 }).messages.map((each) => each.randomId), [3n])
    assert.strictEqual(UpdateBox.waiting(box), 1)
    assert.strictEqual(box.bytes, 4)
    const last = ask(box, { qts: 4, date: 0 })
    assert.deepStrictEqual(last.messages, [])
    assert.isTrue(last.final)
    assert.strictEqual(box.bytes, 0)
  })
  it("a qts from the future confirms nothing", () => {
    const box = UpdateBox.make()
    UpdateBox.addMessage(box, message(1n))
    assert.strictEqual(ask(box, { qts: 100, date: 0 }).messages.length, 1)
  })
  it("other updates stay until their date is confirmed, and each has its own", () => {
    const box = UpdateBox.make()
    const first = UpdateBox.addUpdate(box, NOW, update(1), [])
    const second = UpdateBox.addUpdate(box, NOW, update(2), [])
    assert.deepStrictEqual([first.seq, second.seq], [1, 2])
    assert.isTrue(second.date > first.date)
    assert.strictEqual(ask(box, { qts: 1, date: first.date - 1 }).others.length, 2)
    assert.deepStrictEqual(ask(box, { qts: 1, date: first.date }).others.map((each) => each.update), [update(2)])
    assert.deepStrictEqual(ask(box, { qts: 1, date: second.date }).others, [])
  })
  it("an update that comes after a date was told is not confirmed by that date", () => {
    const box = UpdateBox.make()
    const told = UpdateBox.state(box, NOW).date
    const { date } = UpdateBox.addUpdate(box, NOW, update(1), [])
    assert.isTrue(date > told)
    assert.strictEqual(ask(box, { qts: 1, date: told }).others.length, 1)
  })
  it("a date from the future confirms nothing", () => {
    const box = UpdateBox.make()
    UpdateBox.addUpdate(box, NOW, update(1), [])
    assert.strictEqual(ask(box, { qts: 1, date: 2_147_483_647 }).others.length, 1)
  })
  it("slices lead through everything", () => {
    const box = UpdateBox.make()
    for (let i = 1; i <= 7; i++) UpdateBox.addUpdate(box, NOW, update(i), [])
    for (let i = 1n; i <= 7n; i++) UpdateBox.addMessage(box, message(i))
    let state = { qts: 1, date: NOW - 1 }
    const seen: Array<unknown> = []
    for (let round = 0; round < 20; round++) {
      const slice = ask(box, { ...state, limit: 3 })
      seen.push(...slice.others.map((each) => each.update), ...slice.messages.map((each) => each.randomId))
      state = { qts: slice.state.qts, date: slice.state.date }
      if (slice.final) break
    }
    assert.deepStrictEqual(seen, [1, 2, 3, 4, 5, 6, 7].map(update).concat([1n, 2n, 3n, 4n, 5n, 6n, 7n] as never))
    assert.strictEqual(state.qts, 8)
  })
  it("slices are limited by bytes too, but never empty", () => {
    const box = UpdateBox.make()
    for (let i = 1n; i <= 3n; i++) UpdateBox.addMessage(box, message(i, 1000))
    assert.strictEqual(ask(box, { qts: 1, date: 0, maxBytes: 2500 }).messages.length, 2)
    assert.strictEqual(ask(box, { qts: 1, date: 0, maxBytes: 10 }).messages.length, 1)
  })
  it.prop("whoever follows the states misses nothing and sees nothing twice", {
    seed: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))
  }, ({ seed }) => {
    const random = Random.make(seed)
    const box = UpdateBox.make()
    let state = { qts: 1, date: UpdateBox.state(box, NOW).date }
    const sent: Array<bigint> = []
    const told: Array<number> = []
    const seen: Array<bigint> = []
    const heard: Array<number> = []
    for (let step = 0; step < 200; step++) {
      const now = NOW + Math.floor(step / 50)
      const what = random.below(4)
      if (what === 0) {
        UpdateBox.addMessage(box, message(BigInt(step), random.below(50)))
        sent.push(BigInt(step))
      } else if (what === 1) {
        UpdateBox.addUpdate(box, now, update(step), [])
        told.push(step)
      } else {
        const found = ask(box, { ...state, now, limit: 1 + random.below(5), maxBytes: random.below(100) })
        // an answer that is lost changes nothing
        if (random.below(3) === 0) continue
        seen.push(...found.messages.map((each) => each.randomId))
        for (const each of found.others) {
          if (each.update._tag === "updateEncryptedChatTyping") heard.push(each.update.chatId)
        }
        state = { qts: found.state.qts, date: found.state.date }
      }
    }
    for (let round = 0; round < 500; round++) {
      const found = ask(box, { ...state, limit: 3 })
      seen.push(...found.messages.map((each) => each.randomId))
      for (const each of found.others) {
        if (each.update._tag === "updateEncryptedChatTyping") heard.push(each.update.chatId)
      }
      state = { qts: found.state.qts, date: found.state.date }
      if (found.final) break
    }
    assert.deepStrictEqual(seen, sent)
    assert.deepStrictEqual(heard, told)
  })
})

layer(NodeCrypto.layer)("files", (it) => {
  const store = () => Files.make(10 * 1024 * 1024)
  const part = (index: number, bytes: Uint8Array) => ({ fileId: 5n, index, bytes, now: NOW })
  const input = { fileId: 5n, dc: 2, md5: "", keyFingerprint: 9, id: 100n, accessHash: 200n }
  const type = (value: unknown) => (value as { readonly errorMessage?: string }).errorMessage

  it.effect("parts in any order, and more than once, make a file", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const files = store()
      const bytes = Uint8Array.from({ length: 2500 }, (_, i) => i)
      for (const i of [2, 0, 1, 0]) Files.savePart(files, 1n, part(i, bytes.subarray(i * 1024, (i + 1) * 1024)))
      const file = Files.finish(crypto, files, 1n, {
        ...input,
        parts: 3,
        md5: Buffer.from(crypto.md5(bytes)).toString("hex").toUpperCase()
      })
      assert.deepStrictEqual("bytes" in file ? file.bytes : undefined, bytes)
      assert.strictEqual(files.uploads.size, 0)
      assert.isDefined(Files.find(files, 1n, 100n, 200n))
      assert.isUndefined(Files.find(files, 2n, 100n, 200n))
      assert.isUndefined(Files.find(files, 1n, 100n, 201n))
    }))
  it.effect("what does not fit together is refused", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const files = store()
      const finish = (parts: number, more: object = {}) =>
        type(Files.finish(crypto, files, 1n, { ...input, parts, ...more }))
      assert.strictEqual(type(Files.savePart(files, 1n, part(-1, Uint8Array.of(1)))), "FILE_PART_INVALID")
      assert.strictEqual(type(Files.savePart(files, 1n, part(8000, Uint8Array.of(1)))), "FILE_PART_INVALID")
      assert.strictEqual(type(Files.savePart(files, 1n, part(0, new Uint8Array(0)))), "FILE_PART_EMPTY")
      assert.strictEqual(type(Files.savePart(files, 1n, part(0, new Uint8Array(524_289)))), "FILE_PART_TOO_BIG")
      assert.strictEqual(finish(1), "FILE_PART_0_MISSING")
      assert.strictEqual(finish(0), "FILE_PARTS_INVALID")
      Files.savePart(files, 1n, part(0, new Uint8Array(1024)))
      Files.savePart(files, 1n, part(2, new Uint8Array(10)))
      assert.strictEqual(finish(3), "FILE_PART_1_MISSING")
      Files.savePart(files, 1n, part(1, new Uint8Array(2048)))
      assert.strictEqual(finish(3), "FILE_PART_SIZE_CHANGED")
      Files.savePart(files, 1n, part(1, new Uint8Array(1024)))
      assert.strictEqual(finish(3, { md5: "0".repeat(32) }), "MD5_CHECKSUM_INVALID")
      assert.strictEqual(finish(3), undefined)
      Files.savePart(files, 1n, part(0, new Uint8Array(1000)))
      Files.savePart(files, 1n, part(1, new Uint8Array(10)))
      assert.strictEqual(finish(2), "FILE_PART_SIZE_INVALID")
    }))
  it("uploads are bounded, and freed when nobody finishes them", () => {
    const files = Files.make(1_000_000)
    let saved = 0
    while (Files.savePart(files, 1n, part(saved, new Uint8Array(100_000))) === true) saved++
    assert.strictEqual(saved, 9)
    assert.isTrue(files.bytes <= 1_000_000)
    const later = { ...part(0, new Uint8Array(100_000)), fileId: 6n, now: NOW + 3601 }
    assert.strictEqual(Files.savePart(files, 1n, later), true)
    assert.strictEqual(files.uploads.size, 1)
  })
  it("are read in pieces that keep the rules", () => {
    const file = {
      id: 1n,
      dc: 2,
      accessHash: 1n,
      keyFingerprint: 1,
      bytes: new Uint8Array(5000).fill(7),
      viewers: new Set([1n])
    }
    const read = (offset: bigint, limit: number, precise = false) => Files.read(file, { offset, limit, precise })
    assert.strictEqual((read(0n, 4096) as Uint8Array).length, 4096)
    assert.strictEqual((read(4096n, 4096) as Uint8Array).length, 904)
    assert.strictEqual((read(8192n, 4096) as Uint8Array).length, 0)
    assert.strictEqual((read(1024n, 3072, true) as Uint8Array).length, 3072)
    for (
      const [offset, limit, precise, error] of [
        [-4096n, 4096, false, "OFFSET_INVALID"],
        [1024n, 4096, false, "OFFSET_INVALID"],
        [0n, 0, false, "LIMIT_INVALID"],
        [0n, 5000, false, "LIMIT_INVALID"],
        [0n, 12_288, false, "LIMIT_INVALID"],
        [0n, 2_097_152, false, "LIMIT_INVALID"],
        [1_044_480n, 8192, false, "LIMIT_INVALID"],
        [1n, 1024, true, "OFFSET_INVALID"]
      ] as const
    ) assert.strictEqual(type(read(offset, limit, precise)), error)
  })
})

describe("call log", () => {
  const call = (method: string): CallLog.Call => ({
    method,
    request: undefined,
    phone: undefined,
    layer: 227,
    at: 0,
    outcome: "ok"
  })

  it("keeps the latest within number and size, and counts all", () => {
    const log = CallLog.make(10, 1000)
    for (let i = 0; i < 5000; i++) CallLog.record(log, call(i % 2 === 0 ? "a" : "b"), 10)
    assert.strictEqual(CallLog.list(log, undefined).length, 10)
    assert.strictEqual(CallLog.list(log, "a").length, 5)
    assert.strictEqual(CallLog.count(log, "a"), 2500)
    CallLog.record(log, call("a"), 999)
    assert.strictEqual(CallLog.list(log, undefined).length, 1)
    CallLog.record(log, call("a"), 5000)
    assert.strictEqual(CallLog.list(log, undefined).length, 0)
    CallLog.clear(log)
    assert.strictEqual(CallLog.count(log, "a"), 0)
  })
  it("wakes those who wait for a call, once", () => {
    const log = CallLog.make(10, 1000)
    const woken: Array<string> = []
    CallLog.wait(log, "a", 2, () => woken.push("two"))
    CallLog.wait(log, "a", 1, () => woken.push("one"))()
    CallLog.record(log, call("a"), 0)
    assert.deepStrictEqual(woken, [])
    CallLog.record(log, call("a"), 0)
    CallLog.record(log, call("a"), 0)
    CallLog.wait(log, "a", 3, () => woken.push("at once"))
    assert.deepStrictEqual(woken, ["two", "at once"])
  })
})
