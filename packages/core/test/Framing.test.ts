import type { Encoder, Event, Framing } from "@effect-mtproto/core/Framing"
import { FramingError } from "@effect-mtproto/core/Framing"
import { Abridged } from "@effect-mtproto/core/framing/Abridged"
import * as Connection from "@effect-mtproto/core/framing/Connection"
import { detect } from "@effect-mtproto/core/framing/Detect"
import * as FullFraming from "@effect-mtproto/core/framing/Full"
import { Intermediate } from "@effect-mtproto/core/framing/Intermediate"
import * as Obfuscation from "@effect-mtproto/core/framing/Obfuscation"
import * as Padded from "@effect-mtproto/core/framing/PaddedIntermediate"
import { assert, describe, it } from "@effect/vitest"
import { createCipheriv, createHash } from "node:crypto"
import { hex } from "./frames.ts"

const { Full } = FullFraming
const { PaddedIntermediate } = Padded
const framings = [Abridged, Intermediate, PaddedIntermediate, Full]

// Deterministic, and different from call to call.
const random = (seed = 1) => {
  let state = seed
  return (length: number) =>
    Uint8Array.from({ length }, () => (state = Math.imul(state, 1103515245) + 12345 >>> 0) >>> 16 & 255)
}
const aesCtr: Obfuscation.AesCtr = (key, iv) => {
  const cipher = createCipheriv("aes-256-ctr", key, iv)
  return (data) => new Uint8Array(cipher.update(data))
}
const sha256 = (data: Uint8Array) => new Uint8Array(createHash("sha256").update(data).digest())
const ascii = (text: string) => new TextEncoder().encode(text)
const encoderOf = (framing: Framing): Encoder => framing.encoder({ randomBytes: random() })
const concat = (...parts: ReadonlyArray<Uint8Array>) => new Uint8Array(parts.flatMap((p) => [...p]))
// Encrypted packets: 24 bytes and a multiple of 16, the first eight not zero.
const packet = (blocks: number, byte = 7) => new Uint8Array(24 + 16 * blocks).fill(byte)
const reasonOf = (run: () => unknown) => {
  try {
    run()
  } catch (e) {
    if (e instanceof FramingError) return e.reason
    throw e
  }
  return undefined
}
const failure = (event: Event | undefined) => event?._tag === "Failed" ? event.error.reason : event?._tag
const copy = (events: ReadonlyArray<Event>) =>
  events.map((e) => e._tag === "Packet" ? { ...e, payload: Uint8Array.from(e.payload) } : e)

describe("framing: bytes of the documentation", () => {
  it("intermediate", () => {
    const e = encoderOf(Intermediate)
    assert.deepStrictEqual(e.transportError(-404), hex("040000006cfeffff"))
    assert.deepStrictEqual(e.packet(hex("0501020304")), hex("050000000501020304"))
  })

  it("padded intermediate", () => {
    assert.deepStrictEqual(Padded.frame(hex("6cfeffff"), hex("29afd26df40f")), hex("0a0000006cfeffff29afd26df40f"))
  })

  it("abridged", () => {
    const e = encoderOf(Abridged)
    assert.deepStrictEqual(e.packet(ascii("abcd")), hex("0161626364"))
    assert.deepStrictEqual(e.packet(new Uint8Array(1024)).subarray(0, 4), hex("7f000100"))
    assert.deepStrictEqual(e.packet(new Uint8Array(124)).subarray(0, 1), hex("1f"))
    assert.deepStrictEqual(e.packet(new Uint8Array(504)).subarray(0, 1), hex("7e"))
    assert.deepStrictEqual(e.packet(new Uint8Array(508)).subarray(0, 4), hex("7f7f0000"))
    assert.deepStrictEqual(e.transportError(-404), hex("016cfeffff"))
  })

  it("full", () => {
    assert.deepStrictEqual(FullFraming.frame(ascii("abc"), 1), hex("0f000000010000006162634ed66d94"))
    assert.deepStrictEqual(encoderOf(Full).packet(ascii("abcd")), hex("1000000000000000616263649e390bbb"))
  })
})

describe.each(framings)("$name", (framing) => {
  const packets = [packet(1), packet(0, 1), packet(40, 3), packet(2, 255)]
  const stream = () => {
    const encoder = encoderOf(framing)
    return concat(...packets.map((p) => encoder.packet(p)))
  }
  const expected = packets.map((payload): Event => ({ _tag: "Packet", payload, quickAck: false }))

  it("is the same however the stream is cut", () => {
    const bytes = stream()
    for (let cut = 0; cut <= bytes.length; cut++) {
      const decoder = framing.decoder({ side: "server" })
      const events = [...copy(decoder.push(bytes.slice(0, cut))), ...copy(decoder.push(bytes.slice(cut)))]
      assert.deepStrictEqual(events, expected)
    }
    const decoder = framing.decoder({ side: "client" })
    assert.deepStrictEqual([...bytes].flatMap((byte) => copy(decoder.push(Uint8Array.of(byte)))), expected)
  })

  it("payloads stay what they are when more is pushed", () => {
    const bytes = stream()
    for (const size of [1, 5, 33, 64]) {
      const decoder = framing.decoder({ side: "server" })
      const events: Array<Event> = []
      for (let at = 0; at < bytes.length; at += size) events.push(...decoder.push(bytes.slice(at, at + size)))
      assert.deepStrictEqual(copy(events), expected)
    }
  })

  it("transport errors", () => {
    const decoder = framing.decoder({ side: "client" })
    const encoder = encoderOf(framing)
    for (const code of [-404, -429, -444]) {
      assert.deepStrictEqual(decoder.push(encoder.transportError(code)), [{ _tag: "TransportError", code }])
    }
    assert.deepStrictEqual(decoder.push(encoder.transportError(0)), [])
    assert.deepStrictEqual(copy(decoder.push(encoder.packet(packet(1)))), expected.slice(0, 1))
  })

  it("refuses what is longer than the limit as soon as it knows", () => {
    const bytes = encoderOf(framing).packet(packet(64))
    const decoder = framing.decoder({ side: "server", maxLength: 1000 })
    const events = decoder.push(bytes.subarray(0, 8))
    assert.strictEqual(events.length, 1)
    assert.strictEqual(failure(events[0]), "TooLong")
    assert.strictEqual(decoder.push(encoderOf(framing).packet(packet(1))), decoder.push(new Uint8Array(1)))
    assert.deepStrictEqual(decoder.push(new Uint8Array(0)), events)
  })

  it("a packet before the failure in the same chunk is not lost", () => {
    const encoder = encoderOf(framing)
    const events = framing.decoder({ side: "server", maxLength: 100 })
      .push(concat(encoder.packet(packet(1)), encoder.packet(packet(10))))
    assert.deepStrictEqual(events.map((e) => e._tag), ["Packet", "Failed"])
  })

  it("an empty packet is refused on both sides", () => {
    assert.strictEqual(reasonOf(() => encoderOf(framing).packet(new Uint8Array(0))), "BadLength")
    const empty = framing === Full ? hex("0c000000000000000000000") : hex("00000000")
    const events = framing.decoder({ side: "server" }).push(empty)
    assert.strictEqual(failure(events[0]), "BadLength")
  })

  it("random bytes give events, never anything else", () => {
    let failures = 0
    for (let seed = 1; seed < 300; seed++) {
      const bytes = random(seed)(200)
      for (const side of ["client", "server"] as const) {
        const decoder = framing.decoder({ side, maxLength: 256 })
        let failed = false
        for (let at = 0; at < bytes.length; at += 7) {
          for (const event of decoder.push(bytes.subarray(at, at + 7))) {
            if (event._tag === "Packet") assert.isAtMost(event.payload.length, 256)
            if (failed) assert.strictEqual(event._tag, "Failed")
            failed ||= event._tag === "Failed"
          }
        }
        if (failed) failures++
      }
    }
    assert.isAbove(failures, 100)
  })
})

describe("quick acknowledgements", () => {
  const token = 0x89abcdef

  it.each([
    { framing: Abridged, bytes: "89abcdef" },
    { framing: Intermediate, bytes: "efcdab89" },
    { framing: PaddedIntermediate, bytes: "efcdab89" }
  ])("$framing.name", ({ bytes, framing }) => {
    const encoder = encoderOf(framing)
    assert.deepStrictEqual(encoder.quickAck(token & 0x7fffffff), hex(bytes))
    const events = framing.decoder({ side: "client" }).push(concat(hex(bytes), encoder.packet(packet(1))))
    assert.deepStrictEqual(copy(events), [
      { _tag: "QuickAck", token },
      { _tag: "Packet", payload: packet(1), quickAck: false }
    ])
    const asked = [packet(1), packet(50)].map((p) => encoder.packet(p, { quickAck: true }))
    assert.deepStrictEqual(copy(framing.decoder({ side: "server" }).push(concat(...asked))), [
      { _tag: "Packet", payload: packet(1), quickAck: true },
      { _tag: "Packet", payload: packet(50), quickAck: true }
    ])
  })

  it("full has none", () => {
    assert.strictEqual(reasonOf(() => encoderOf(Full).quickAck(1)), "BadLength")
  })
})

describe("abridged and full", () => {
  it("abridged takes whole words up to 2^26 - 4 bytes", () => {
    assert.strictEqual(reasonOf(() => encoderOf(Abridged).packet(new Uint8Array(5))), "BadLength")
    assert.strictEqual(reasonOf(() => encoderOf(Abridged).packet(new Uint8Array(1 << 26))), "TooLong")
  })

  it("full counts frames and checks their sums", () => {
    const decode = (bytes: Uint8Array) =>
      Full.decoder({ side: "server" }).push(bytes).map((e) => e._tag === "Failed" ? e.error.reason : e._tag)
    const [first, second] = [FullFraming.frame(packet(1), 0), FullFraming.frame(packet(1), 1)]
    assert.deepStrictEqual(decode(concat(first, second)), ["Packet", "Packet"])
    assert.deepStrictEqual(decode(concat(first, first)), ["Packet", "BadSequence"])
    assert.deepStrictEqual(decode(second), ["BadSequence"])
    for (let bit = 64; bit < first.length * 8; bit++) {
      const damaged = Uint8Array.from(first)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      assert.deepStrictEqual(decode(damaged), ["BadChecksum"])
    }
  })

  it("full understands three times -429", () => {
    const code = "53feffff"
    assert.deepStrictEqual(Full.decoder({ side: "client" }).push(hex(code + code + code)), [
      { _tag: "TransportError", code: -429 }
    ])
  })
})

describe("padded intermediate", () => {
  const decode = (payload: Uint8Array, padding: number) =>
    PaddedIntermediate.decoder({ side: "client" }).push(Padded.frame(payload, new Uint8Array(padding).fill(9)))

  it("drops the padding of encrypted packets", () => {
    for (let padding = 0; padding < 16; padding++) {
      assert.deepStrictEqual(copy(decode(packet(3), padding)), [
        { _tag: "Packet", payload: packet(3), quickAck: false }
      ])
    }
  })

  it("drops the padding of unencrypted packets", () => {
    const plain = concat(new Uint8Array(8), hex("0100000000000000"), hex("18000000"), new Uint8Array(24).fill(5))
    for (let padding = 0; padding < 16; padding++) {
      assert.deepStrictEqual(copy(decode(plain, padding)), [{ _tag: "Packet", payload: plain, quickAck: false }])
    }
  })

  it("keeps everything if the length inside cannot be", () => {
    const plain = concat(new Uint8Array(8), hex("0100000000000000"), hex("19000000"), new Uint8Array(24))
    assert.deepStrictEqual(copy(decode(plain, 0)), [{ _tag: "Packet", payload: plain, quickAck: false }])
  })

  it("reads codes with padding behind them", () => {
    for (let padding = 0; padding < 16; padding++) {
      assert.deepStrictEqual(decode(hex("6cfeffff"), padding), [{ _tag: "TransportError", code: -404 }])
    }
  })

  it("takes at most 15 bytes of padding", () => {
    assert.strictEqual(reasonOf(() => Padded.frame(packet(1), new Uint8Array(16))), "BadLength")
  })
})

describe("obfuscation", () => {
  const seed = hex(
    "29afd26df40fb8ed10b6b4ad6d56ef5df9453f88e6ee6adb6e0544ba635dc6a8a990c9b8b980c343936b33fa7f97bae025102532233abb269c489920ef99021b"
  )

  it("keys, header and streams", () => {
    const keys: Array<string> = []
    const spy: Obfuscation.AesCtr = (key, iv) => {
      keys.push(Buffer.from(key).toString("hex"), Buffer.from(iv).toString("hex"))
      return aesCtr(key, iv)
    }
    const client = Obfuscation.client({ aesCtr: spy, framing: Intermediate, random: seed })
    assert.deepStrictEqual(
      keys.toSorted(),
      [
        "10b6b4ad6d56ef5df9453f88e6ee6adb6e0544ba635dc6a8a990c9b8b980c343",
        "936b33fa7f97bae025102532233abb26",
        "26bb3a2332251025e0ba977ffa336b9343c380b9b8c990a9a8c65d63ba44056e",
        "db6aeee6883f45f95def566dadb4b610"
      ].toSorted()
    )
    assert.deepStrictEqual(
      client.header,
      hex(
        "29afd26df40fb8ed10b6b4ad6d56ef5df9453f88e6ee6adb6e0544ba635dc6a8a990c9b8b980c343936b33fa7f97bae025102532233abb26d4a1fe6d34f1ba08"
      )
    )
    const frame = encoderOf(Intermediate).transportError(-404)
    assert.deepStrictEqual(client.encrypt(frame), hex("a1020630a410e940"))
    assert.deepStrictEqual(client.encrypt(frame), hex("f53ff53f371db495"))
    assert.deepStrictEqual(client.decrypt(hex("e8027df708ab3b5c")), frame)
    assert.deepStrictEqual(client.decrypt(hex("1854be76d2df4949")), frame)
  })

  it("a proxy's secret and a data centre", () => {
    const proxy = { secret: hex("00112233445566778899aabbccddeeff"), sha256 }
    const client = Obfuscation.client({ aesCtr, framing: Intermediate, random: seed, proxy, dcId: 10001 })
    assert.deepStrictEqual(client.header.subarray(56), hex("8a1e83d9ccbc0c15"))
    const server = Obfuscation.server({ aesCtr, header: client.header, proxy })
    assert.strictEqual(server.framing, Intermediate)
    assert.strictEqual(server.dcId, 10001)
    assert.deepStrictEqual(server.decrypt(client.encrypt(ascii("hello"))), ascii("hello"))
    assert.deepStrictEqual(client.decrypt(server.encrypt(ascii("world"))), ascii("world"))
  })

  it.each([
    { secret: undefined, dcId: undefined, end: "fce8ab2203db2bff" },
    { secret: 0, dcId: 1, end: "ecec4cbda8bb188b" },
    { secret: 0, dcId: 10001, end: "ecec4cbdb89c188b" },
    { secret: 0, dcId: -1, end: "ecec4cbd5644188b" }
  ])("64 times FF, secret $secret, dc $dcId", ({ dcId, end, secret }) => {
    const proxy = secret === undefined ? undefined : { secret: new Uint8Array(16).fill(secret), sha256 }
    const client = Obfuscation.client({
      aesCtr,
      framing: Intermediate,
      random: new Uint8Array(64).fill(255),
      dcId,
      proxy
    })
    assert.deepStrictEqual(client.header.subarray(56), hex(end))
  })

  it("padded intermediate through a proxy", () => {
    const random = hex(
      "f5768f50b731260a46be1027c2eeaa39350624f0b6da59eba56c81fe4510c2e0b61d3dd323ee02388633e3837a0c1c24fa6f29ccd724be6f416ff7b026f6cce6"
    )
    const proxy = { secret: hex("8a96ef6e42a18c21837580cd1c91c5a8"), sha256 }
    const client = Obfuscation.client({ aesCtr, framing: PaddedIntermediate, random, proxy, dcId: 2 })
    assert.deepStrictEqual(client.header.subarray(56), hex("bea2dde16dc59dd2"))
    assert.deepStrictEqual(client.encrypt(ascii("abcd")), hex("ca7a8226"))
    assert.deepStrictEqual(client.decrypt(ascii("abcd")), hex("8f711982"))
    const other = Obfuscation.client({
      aesCtr,
      framing: PaddedIntermediate,
      random: new Uint8Array(64).fill(0x61),
      proxy: { secret: new Uint8Array(16).fill(0xaa), sha256 },
      dcId: 2
    })
    assert.deepStrictEqual(other.header.subarray(56), hex("ab4162424f66fddc"))
  })

  it("never starts like another protocol", () => {
    const starts = ["ef", "48454144", "504f5354", "47455420", "4f505449", "dddddddd", "eeeeeeee", "16030102"]
    for (const start of starts) {
      const random = Uint8Array.from(seed)
      random.set(hex(start))
      assert.isFalse(Obfuscation.isUsable(random), start)
      assert.strictEqual(reasonOf(() => Obfuscation.client({ aesCtr, framing: Abridged, random })), "BadHeader")
    }
    const zeros = Uint8Array.from(seed).fill(0, 4, 8)
    assert.isFalse(Obfuscation.isUsable(zeros))
    const queue = [zeros, new Uint8Array(64).fill(0xee), seed]
    assert.strictEqual(Obfuscation.draw(() => queue.shift()!), seed)
  })

  it("cannot hide the full framing", () => {
    assert.strictEqual(reasonOf(() => Obfuscation.client({ aesCtr, framing: Full, random: seed })), "BadHeader")
  })

  it("a header that names no framing", () => {
    assert.strictEqual(reasonOf(() => Obfuscation.server({ aesCtr, header: seed })), "BadHeader")
    assert.strictEqual(reasonOf(() => Obfuscation.server({ aesCtr, header: seed.slice(1) })), "BadHeader")
  })
})

describe("detection", () => {
  const seen = (bytes: Uint8Array) => {
    const d = detect(bytes)
    return d._tag === "Plain" ? `${d.framing.name} ${d.skip}` : d._tag
  }

  it("by the first bytes", () => {
    assert.strictEqual(seen(new Uint8Array(0)), "Incomplete")
    assert.strictEqual(seen(hex("ef")), "abridged 1")
    assert.strictEqual(seen(hex("eeeeee")), "Incomplete")
    assert.strictEqual(seen(hex("eeeeeeee")), "intermediate 4")
    assert.strictEqual(seen(hex("dddddddd01")), "padded intermediate 4")
    for (const method of ["POST", "GET ", "HEAD", "OPTIONS"]) assert.strictEqual(seen(ascii(method)), "Http")
    assert.strictEqual(seen(hex("34000000")), "Incomplete")
    assert.strictEqual(seen(hex("3400000000000000")), "full 0")
    assert.strictEqual(seen(hex("1603010200010001")), "Tls")
    assert.strictEqual(seen(hex("3400000001000000")), "Incomplete")
    assert.strictEqual(seen(new Uint8Array(64).fill(1)), "Obfuscated")
  })
})

describe("connections", () => {
  const cases = framings.flatMap((framing) => [
    { framing, obfuscated: false },
    ...framing === Full ? [] : [{ framing, obfuscated: true }]
  ])

  it.each(cases)("$framing.name, obfuscated: $obfuscated, cut at every byte", ({ framing, obfuscated }) => {
    const first = Connection.client({
      framing,
      randomBytes: random(3),
      obfuscation: obfuscated ? { aesCtr, dcId: 2 } : undefined
    })
    const packets = [packet(2), packet(9, 1)]
    const bytes = concat(first.first, ...packets.map((p) => first.packet(p)))
    for (let cut = 0; cut <= bytes.length; cut += 3) {
      const server = Connection.server({ aesCtr, randomBytes: random(5) })
      assert.isUndefined(server.encoder())
      const events = [...copy(server.push(bytes.slice(0, cut))), ...copy(server.push(bytes.slice(cut)))]
      assert.deepStrictEqual(events, packets.map((payload) => ({ _tag: "Packet", payload, quickAck: false })))
      assert.deepStrictEqual(server.info(), {
        framing: framing.name,
        obfuscated,
        dcId: obfuscated ? 2 : undefined
      })
      if (cut !== 0) continue
      const encoder = server.encoder()!
      const answer = concat(encoder.packet(packet(1)), encoder.transportError(-404))
      assert.deepStrictEqual([...answer].flatMap((byte) => copy(first.push(Uint8Array.of(byte)))), [
        { _tag: "Packet", payload: packet(1), quickAck: false },
        { _tag: "TransportError", code: -404 }
      ])
    }
  })

  it("says why it does not go on", () => {
    const refusal = (bytes: Uint8Array) => {
      const server = Connection.server({ aesCtr, randomBytes: random() })
      const [event] = server.push(bytes)
      assert.deepStrictEqual(server.push(bytes), [event!])
      return event?._tag === "Failed" ? event.error.message : undefined
    }
    assert.strictEqual(refusal(ascii("GET / HTTP/1.1")), "MTProto framing: Http instead of MTProto")
    assert.strictEqual(refusal(hex("1603010200010001")), "MTProto framing: Tls instead of MTProto")
    assert.strictEqual(refusal(new Uint8Array(64).fill(1)), "MTProto framing: a header that names no framing")
  })
})
