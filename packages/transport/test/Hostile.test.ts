import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as Tl from "@effect-mtproto/core/Tl"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import { assert, describe, layer } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Zlib from "node:zlib"
import * as Service from "../src/internal/service.ts"
import * as Session from "../src/Session.ts"
import { withPeer } from "./utils/check.ts"
import { encodeServer, Peer, queries } from "./utils/sessionPeer.ts"

const ids = MtprotoApi.ServerMessage.members.map((member) => Tl.constructorId(member)!)

const aligned = (bytes: Uint8Array): Uint8Array => bytes.slice(0, bytes.length & ~3)

const withId = (id: number, rest: Uint8Array): Uint8Array => {
  const out = new Uint8Array(4 + aligned(rest).length)
  new DataView(out.buffer).setUint32(0, id, true)
  out.set(aligned(rest), 4)
  return out
}

/** Whatever it was told, a session goes on working. */
const goesOn = (peer: Peer): void => {
  peer.session.events()
  for (let i = 0; i < 10; i++) peer.session.poll(peer.now)
  const query = peer.query(1)
  const sent = peer.session.poll(peer.now).flatMap((packet) => peer.open(packet))
  const message = sent.find(({ body }) => body.at(-1) === 1 && body.at(-2) === 0xbb)!
  peer.answer(message)
  assert.isTrue(peer.session.events().some((event) => event._tag === "Answered" && event.query === query))
}

layer(TestCrypto.layer({ seed: "hostile" }))("Session: a server that sends anything", (it) => {
  it.effect.prop(
    "no body makes it throw, or stop working",
    {
      id: Arbitrary.schema(Schema.Literals(ids)),
      rest: Schema.Uint8Array,
      known: Schema.Boolean
    },
    ({ id, known, rest }) =>
      Effect.gen(function*() {
        const peer = new Peer(yield* Crypto).attach()
        peer.query(7)
        peer.poll()
        peer.send(known ? withId(id, rest) : aligned(rest))
        goesOn(peer)
      }),
    { arbitrary: { runs: 1_000 } }
  )
})

describe("Session: a server that sends bad things", () => {
  withPeer("service messages that are cut off anywhere", (make) => {
    const peer = make().attach()
    const messages: ReadonlyArray<MtprotoApi.ServerMessage> = [
      { _tag: "msgs_ack", msgIds: [1n, 2n, 3n] },
      { _tag: "bad_server_salt", badMsgId: 1n, badMsgSeqno: 1, errorCode: 48, newServerSalt: 1n },
      { _tag: "bad_msg_notification", badMsgId: 1n, badMsgSeqno: 1, errorCode: 17 },
      { _tag: "future_salts", reqMsgId: 1n, now: 1, salts: [] },
      { _tag: "msgs_state_req", msgIds: [1n, 2n] },
      { _tag: "msgs_state_info", reqMsgId: 1n, info: new Uint8Array(40) },
      { _tag: "rpc_result", reqMsgId: 1n, result: Uint8Array.of(1, 2, 3, 4) },
      {
        _tag: "msg_container",
        messages: [{ _tag: "message", msgId: 5n, seqno: 1, body: Uint8Array.of(1, 2, 3, 4) }]
      }
    ]
    for (const message of messages) {
      const bytes = encodeServer(message)
      for (let length = 0; length < bytes.length; length += 4) peer.send(bytes.subarray(0, length))
      peer.session.events()
      peer.poll()
    }
    goesOn(peer)
  })

  withPeer("counts and lengths that are not there", (make) => {
    const peer = make().attach()
    const vector = "15c4b51c"
    for (const body of [`59b4d662${vector}ffffff7f`, "dcf8f173ffffff7f", "dcf8f17300000080", "a1cf7230feffffff"]) {
      const bytes = Uint8Array.from(body.match(/../g)!, (hex) => Number.parseInt(hex, 16))
      peer.send(bytes)
    }
    goesOn(peer)
  })

  withPeer("a container of more messages than any server sends", (make) => {
    const peer = make().attach()
    const body = Uint8Array.of(1, 2, 3, 4)
    const messages = Array.from({ length: 9_000 }, (_, i) => ({
      _tag: "message" as const,
      msgId: peer.nextId() + 4n * BigInt(i),
      seqno: 1,
      body
    }))
    peer.send({ _tag: "msg_container", messages })
    assert.deepStrictEqual(peer.session.events(), [])
    goesOn(peer)
  })

  withPeer("bombs in bombs", (make) => {
    const peer = make({ limits: { maxInflated: 1_000_000 } }).attach()
    let body: Uint8Array = Service.writePacked(Zlib.gzipSync(new Uint8Array(20_000_000)))
    for (let i = 0; i < 3; i++) {
      peer.send(body)
      body = Service.writePacked(Zlib.gzipSync(body))
    }
    assert.deepStrictEqual(peer.session.events(), [])
    goesOn(peer)
  })

  withPeer("bombs of one packet share what may be inflated", (make) => {
    const peer = make({ limits: { maxInflated: 1_000_000 } }).attach()
    const asked = Array.from({ length: 4 }, () => peer.query(1))
    const requests = queries(peer.poll())
    const answers = (numbers: ReadonlyArray<number>) => ({
      _tag: "msg_container" as const,
      messages: numbers.map((i) => ({
        _tag: "message" as const,
        msgId: peer.nextId() + 4n * BigInt(i),
        seqno: 1,
        body: encodeServer({
          _tag: "rpc_result",
          reqMsgId: requests[i]!.msgId,
          result: Service.writePacked(Zlib.gzipSync(new Uint8Array(600_000)))
        })
      }))
    })
    // the first is within bounds, the second is not, and the third comes too late
    peer.send(answers([0, 1, 2]))
    peer.send(answers([3]))
    const events = peer.session.events()
    assert.deepStrictEqual(events.map((event) => event._tag), ["Answered", "Rejected", "Rejected", "Answered"])
    assert.deepStrictEqual(events.map((event) => "query" in event ? event.query : undefined), asked)
    goesOn(peer)
  })

  withPeer("questions about everything are answered within bounds", (make) => {
    const peer = make().attach()
    const msgIds = Array.from({ length: 8_000 }, (_, i) => BigInt(i))
    peer.send({ _tag: "msgs_state_req", msgIds })
    peer.send({ _tag: "msg_resend_req", msgIds })
    peer.send({ _tag: "msgs_all_info", msgIds, info: new Uint8Array(8_000).fill(2) })
    for (const packet of peer.session.poll(peer.now)) assert.isAtMost(packet.length, Session.MAX_BODY)
    goesOn(peer)
  })

  withPeer("announcements of answers and sessions without end", (make) => {
    const peer = make().attach()
    for (let i = 0n; i < 2_000n; i++) {
      peer.send({ _tag: "new_session_created", firstMsgId: 2n ** 62n, uniqueId: i, serverSalt: i })
      peer.send({ _tag: "msg_new_detailed_info", answerMsgId: i, bytes: 1, status: 0 })
      if (i % 100n === 0n) peer.session.poll(peer.now)
    }
    assert.isAtMost(peer.session.salts.length, 64)
    goesOn(peer)
  })
})
