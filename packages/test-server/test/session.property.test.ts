import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { gzipSync } from "node:zlib"
import * as MessageIds from "../src/internal/messageIds.ts"
import * as Service from "../src/internal/service.ts"
import * as Session from "../src/internal/session.ts"
import { containerOf, encode } from "./support/client.ts"
import * as Random from "./support/random.ts"

const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))
const NOW = 1_700_000_000_000

const rules: Session.Rules = {
  ...Session.defaultRules,
  remembered: 64,
  unackedMessages: 40,
  unackedBytes: 20_000,
  inflated: 100_000
}

/** A body that a client might send, or an attacker. */
const bodyOf = (random: Random.Random, known: () => bigint, depth = 0): Uint8Array => {
  const ids = () => Array.from({ length: random.below(5) }, known)
  switch (random.below(depth > 1 ? 10 : 14)) {
    case 0:
      return encode.ack(ids())
    case 1:
      return encode.ping(known())
    case 2:
      return encode.stateReq(ids())
    case 3:
      return encode.resendReq(ids())
    case 4:
      return encode.dropAnswer(known())
    case 5:
      return encode.getFutureSalts(random.below(100) - 10)
    case 6:
      return encode.destroySession(known())
    case 7:
      return random.bytes(random.below(12) * 4)
    case 8: {
      // the right constructor, the wrong rest
      const honest = bodyOf(random, known, 2).slice()
      if (honest.length > 4) honest[4 + random.below(honest.length - 4)]! ^= 1 << random.below(8)
      return honest.slice(0, honest.length - random.below(3) * 4)
    }
    case 9:
      return encode.pingDelayDisconnect(known(), random.below(1000) - 10)
    case 10:
      return encode.packed(gzipSync(bodyOf(random, known, depth + 1)))
    case 11:
      return encode.copy(messageOf(random, known, depth + 1))
    default:
      return containerOf(Array.from({ length: random.below(6) }, () => messageOf(random, known, depth + 1)))
  }
}

const messageOf = (random: Random.Random, known: () => bigint, depth: number): MtprotoApi.message => ({
  _tag: "message",
  msgId: known(),
  seqno: random.below(200),
  body: bodyOf(random, known, depth)
})

const unwrap = (packet: Session.Packet): Array<Session.Packet> =>
  Service.isContainer(packet.body)
    ? TlCodec.decode(MtprotoApi.msg_container)(packet.body).messages.map((inner) => ({
      msgId: inner.msgId,
      seqNo: inner.seqno,
      body: inner.body
    }))
    : [packet]

describe("session, whatever comes", () => {
  it.prop("keeps its laws", { seed: Seed }, ({ seed }) => {
    const random = Random.make(seed)
    const session = Session.make(1n, 2n, NOW)
    const executed = new Set<bigint>()
    const written = new Map<bigint, Session.Packet>()
    const open: Array<bigint> = []
    let now = NOW
    let lastContainer = 0n

    const known = (): bigint => {
      switch (random.below(6)) {
        case 0:
          return random.pick([...session.received.keys(), 0n])
        case 1:
          return random.pick([...session.unacked.keys(), 0n])
        case 2:
          return BigInt.asIntN(64, BigInt(random.below(2 ** 31)) * 4_294_967_299n)
        default:
          return MessageIds.fromMillis(now - random.below(400_000) + 40_000) & (random.below(9) === 0 ? -1n : ~3n)
      }
    }

    for (let step = 0; step < 200; step++) {
      now += random.below(2000)
      switch (random.below(8)) {
        case 0:
          Session.push(session, rules, now, random.bytes(4 + random.below(200) * 4))
          break
        case 1:
          Session.detach(session)
          Session.attach(session)
          break
        case 2: {
          const msgId = open.splice(random.below(open.length + 1), 1)[0]
          if (msgId === undefined) break
          Session.answer(session, rules, now, msgId, random.bytes(8), {
            failed: random.below(2) === 0,
            withhold: random.below(5) === 0,
            announce: random.below(5) === 0
          })
          break
        }
        case 3: {
          const packets = Session.flush(session, rules, now)
          for (const packet of packets) {
            // containers have identifiers of their own, in order
            if (Service.isContainer(packet.body)) {
              assert.isTrue(packet.msgId > lastContainer)
              assert.strictEqual(packet.seqNo & 1, 0)
              lastContainer = packet.msgId
            }
            for (const inner of unwrap(packet)) {
              assert.isTrue(inner.msgId <= packet.msgId)
              assert.include([1n, 3n], inner.msgId & 3n)
              const before = written.get(inner.msgId)
              // what is sent again is the same message to the last byte
              if (before !== undefined) assert.deepStrictEqual(inner.body, before.body)
              if (before !== undefined) assert.strictEqual(inner.seqNo, before.seqNo)
              written.set(inner.msgId, { ...inner, body: inner.body.slice() })
            }
          }
          assert.strictEqual(session.queue.length, 0)
          assert.strictEqual(session.acks.length, 0)
          break
        }
        default: {
          const events = Session.receive(
            session,
            rules,
            { msgId: known(), seqNo: random.below(200), body: bodyOf(random, known) },
            {
              now,
              saltAccepted: random.below(10) !== 0,
              currentSalt: 5n,
              refuse: random.below(40) === 0 ? random.pick([16, 17, 18, 32, 33, 48, 64]) : undefined
            }
          )
          for (const event of events) {
            if (event._tag !== "Query") continue
            // no query is executed twice, whatever has been forgotten
            assert.isFalse(executed.has(event.msgId), `seed ${seed}`)
            executed.add(event.msgId)
            open.push(event.msgId)
          }
        }
      }
      const bytes = [...session.unacked.values()].reduce((sum, outgoing) => sum + outgoing.body.length, 0)
      assert.strictEqual(session.unackedBytes, bytes)
      assert.isTrue(session.unacked.size <= rules.unackedMessages)
      assert.isTrue(session.unackedBytes <= rules.unackedBytes)
      assert.isTrue(session.received.size <= rules.remembered)
      assert.strictEqual(new Set(session.queue).size, session.queue.length)
      for (const outgoing of session.queue) assert.isTrue(outgoing.queued)
      for (const [msgId, record] of session.received) {
        if (record.answer === undefined) continue
        assert.strictEqual(record.answer.answers, msgId)
        assert.isTrue(session.unacked.has(record.answer.msgId))
      }
    }
    // content-related messages are numbered without a gap
    const numbers = [...written.values()].filter((packet) => (packet.seqNo & 1) === 1).map((packet) => packet.seqNo)
    assert.strictEqual(new Set(numbers).size, numbers.length)
  }, { arbitrary: { runs: 60 } })

  it.prop("reads any bytes without failing", { bytes: Schema.Uint8Array, seed: Seed }, ({ bytes, seed }) => {
    const random = Random.make(seed)
    const ids = [0x73f1f8dc, 0x3072cfa1, 0x62d6b459, 0xda69fb52, 0x7d861a08, 0xe06046b2, 0x58e4a740, 0x8cc0d131]
    const id = random.pick(ids)
    const body = Uint8Array.of(id, id >>> 8, id >>> 16, id >>> 24, ...bytes)
    Service.read(body)
    Service.readContainer(body)
    Service.unpack(body, { bytes: 1000 })
    Service.read(bytes)
    Service.unpack(bytes, { bytes: 1000 })
  }, { arbitrary: { runs: 2000 } })
})
