import { assert, describe } from "@effect/vitest"
import * as Zlib from "node:zlib"
import * as MessageIds from "../src/internal/messageIds.ts"
import * as Service from "../src/internal/service.ts"
import * as Session from "../src/Session.ts"
import { withPeer } from "./utils/check.ts"
import { encodeServer, find, HEADER, queries, QUERY, RESULT, START } from "./utils/sessionPeer.ts"

describe("Session: identifiers and sequence numbers", () => {
  withPeer("identifiers are the server's time, divisible by 4 and increasing", (make) => {
    const peer = make({ timeOffset: 5_000, skew: 5_000 }).attach()
    for (let i = 0; i < 50; i++) peer.query(i)
    const sent = peer.poll()
    let last = 0n
    for (const message of sent) {
      assert.strictEqual(message.msgId & 3n, 0n)
      assert.isTrue(message.msgId > last)
      assert.approximately(MessageIds.timeOf(message.msgId), START + 5_000, 2)
      last = message.msgId
    }
  })

  withPeer("queries are odd, containers and acknowledgements even, in the order of creation", (make) => {
    const peer = make().attach()
    peer.query(1)
    peer.query(2)
    const first = peer.poll()
    assert.deepStrictEqual(first.map((message) => message.seqNo), [1, 3])
    peer.send({ _tag: "pong", msgId: 0n, pingId: 0n }, { seqNo: 1 })
    peer.query(3)
    const second = peer.poll()
    const acks = find(second, "msgs_ack")!
    assert.deepStrictEqual(queries(second).map((message) => message.seqNo), [5])
    assert.strictEqual(acks.received.seqNo, 6)
  })

  withPeer("one message travels bare, several in one container", (make) => {
    const peer = make().attach()
    peer.query(1)
    assert.isUndefined(peer.poll()[0]!.container)
    peer.query(2)
    peer.query(3)
    const sent = peer.poll()
    assert.strictEqual(sent.length, 2)
    assert.isDefined(sent[0]!.container)
    assert.strictEqual(sent[0]!.container, sent[1]!.container)
  })

  withPeer("a container holds at most 1000 messages and about 64 KiB", (make) => {
    const peer = make().attach()
    for (let i = 0; i < 1_500; i++) peer.query(i)
    const many = new Set(peer.poll().map((message) => message.container))
    assert.strictEqual(many.size, 2)
    for (let i = 0; i < 3; i++) peer.session.query(new Uint8Array(40_000), { repeatable: true })
    assert.strictEqual(new Set(peer.poll().map((message) => message.container ?? message.msgId)).size, 3)
  })

  withPeer("nothing is sent without a connection", (make) => {
    const peer = make()
    peer.query(1)
    assert.deepStrictEqual(peer.poll(), [])
    assert.strictEqual(peer.session.wakeAt(), Infinity)
    peer.attach()
    assert.strictEqual(peer.poll().length, 1)
    peer.session.detach()
    peer.query(2)
    assert.deepStrictEqual(peer.poll(), [])
  })
})

describe("Session: answers", () => {
  withPeer("the answer of a query is its result", (make) => {
    const peer = make().attach()
    const query = peer.query(1)
    peer.answer(peer.poll()[0]!, RESULT(9))
    assert.deepStrictEqual(peer.events(), [{ _tag: "Answered", query, result: RESULT(9) }])
  })

  withPeer("an error has code and message", (make) => {
    const peer = make().attach()
    const query = peer.query(1)
    peer.fail(peer.poll()[0]!, 400, "DATA_INVALID")
    assert.deepStrictEqual(peer.events(), [{ _tag: "Failed", query, code: 400, message: "DATA_INVALID" }])
  })

  withPeer("an answer comes once, however often the server sends it, and is acknowledged each time", (make) => {
    const peer = make().attach()
    peer.query(1)
    const [sent] = peer.poll()
    const id = peer.answer(sent!)
    peer.send({ _tag: "rpc_result", reqMsgId: sent!.msgId, result: RESULT(0) }, { msgId: id, seqNo: 1 })
    assert.strictEqual(peer.events().length, 1)
    peer.query(2)
    assert.deepStrictEqual(find(peer.poll(), "msgs_ack")!.msgIds, [id, id])
  })

  withPeer("an answer to an unknown query is acknowledged and ignored", (make) => {
    const peer = make().attach()
    const id = peer.answer({ msgId: 4n })
    assert.deepStrictEqual(peer.events(), [])
    peer.query(1)
    assert.deepStrictEqual(find(peer.poll(), "msgs_ack")!.msgIds, [id])
  })

  withPeer("the header stands before queries until one of them has been answered", (make) => {
    const peer = make().attach()
    peer.query(1)
    peer.query(2)
    const [first, second] = peer.poll()
    assert.deepStrictEqual(first!.body, Uint8Array.of(...HEADER, ...QUERY(1)))
    assert.deepStrictEqual(second!.body, Uint8Array.of(...HEADER, ...QUERY(2)))
    peer.answer(first!)
    peer.query(3)
    assert.deepStrictEqual(queries(peer.poll())[0]!.body, QUERY(3))
  })

  withPeer("a refused query without the header is sent again with it", (make) => {
    const peer = make().attach()
    peer.query(1)
    peer.answer(peer.poll()[0]!)
    peer.events()
    const query = peer.query(2)
    const [sent] = queries(peer.poll())
    peer.fail(sent!, 400, "CONNECTION_NOT_INITED")
    const [again] = queries(peer.poll())
    assert.deepStrictEqual(again!.body, Uint8Array.of(...HEADER, ...QUERY(2)))
    assert.notStrictEqual(again!.msgId, sent!.msgId)
    peer.answer(again!)
    assert.deepStrictEqual(peer.events(), [{ _tag: "Answered", query, result: RESULT(0) }])
  })

  withPeer("updates are handed on as they are", (make) => {
    const peer = make().attach()
    peer.send(Uint8Array.of(1, 2, 3, 4))
    assert.deepStrictEqual(peer.events(), [{ _tag: "Update", body: Uint8Array.of(1, 2, 3, 4) }])
  })
})

describe("Session: gzip_packed", () => {
  const large = new Uint8Array(4_096).fill(5)

  withPeer("is read around results, whole messages and containers, as gzip and as zlib", (make) => {
    const peer = make().attach()
    for (const pack of [Zlib.gzipSync, Zlib.deflateSync]) {
      const packed = (data: Uint8Array) => Service.writePacked(pack(data))
      const query = peer.query(1)
      const [sent] = queries(peer.poll())
      peer.answer(sent!, packed(large))
      assert.deepStrictEqual(peer.events(), [{ _tag: "Answered", query, result: large }])

      const other = peer.query(1)
      const [sentOther] = queries(peer.poll())
      peer.send(packed(encodeServer({ _tag: "rpc_result", reqMsgId: sentOther!.msgId, result: packed(large) })))
      assert.deepStrictEqual(peer.events(), [{ _tag: "Answered", query: other, result: large }])

      peer.send(packed(encodeServer({
        _tag: "msg_container",
        messages: [{ _tag: "message", msgId: peer.nextId(), seqno: 1, body: RESULT(3) }]
      })))
      assert.deepStrictEqual(peer.events(), [{ _tag: "Update", body: RESULT(3) }])
    }
  })

  withPeer("that grows over the limit, or is broken, ends the query", (make) => {
    const peer = make({ limits: { maxInflated: 1_000 } }).attach()
    const query = peer.query(1)
    peer.answer(peer.poll()[0]!, Service.writePacked(Zlib.gzipSync(large)))
    const broken = peer.query(1)
    peer.answer(queries(peer.poll())[0]!, Service.writePacked(Uint8Array.of(1, 2, 3)))
    const reason = "the answer cannot be read"
    assert.deepStrictEqual(peer.events(), [
      { _tag: "Rejected", query, reason },
      { _tag: "Rejected", query: broken, reason }
    ])
  })

  withPeer("is not followed for ever", (make) => {
    const peer = make().attach()
    let body: Uint8Array = RESULT(1)
    for (let i = 0; i < 2; i++) body = Service.writePacked(Zlib.gzipSync(body))
    peer.send(body)
    assert.deepStrictEqual(peer.events(), [{ _tag: "Update", body: RESULT(1) }])
    peer.send(Service.writePacked(Zlib.gzipSync(body)))
    assert.deepStrictEqual(peer.events(), [])
  })
})

describe("Session: containers from the server", () => {
  withPeer("every message is processed, and one that is broken does not spoil the others", (make) => {
    const peer = make().attach()
    const query = peer.query(1)
    const [sent] = peer.poll()
    const broken = Uint8Array.from(encodeServer({ _tag: "msgs_ack", msgIds: [1n, 2n] })).subarray(0, 12)
    peer.container(
      { body: broken },
      { body: { _tag: "rpc_result", reqMsgId: sent!.msgId, result: RESULT(0) } },
      { body: RESULT(5) }
    )
    assert.deepStrictEqual(peer.events(), [
      { _tag: "Answered", query, result: RESULT(0) },
      { _tag: "Update", body: RESULT(5) }
    ])
    peer.query(2)
    assert.strictEqual(find(peer.poll(), "msgs_ack")!.msgIds.length, 3)
  })

  withPeer("a container inside a container is ignored", (make) => {
    const peer = make().attach()
    const inner = encodeServer({
      _tag: "msg_container",
      messages: [{ _tag: "message", msgId: peer.nextId(), seqno: 1, body: RESULT(1) }]
    })
    peer.container({ body: inner }, { body: RESULT(2) })
    assert.deepStrictEqual(peer.events(), [{ _tag: "Update", body: RESULT(2) }])
  })

  withPeer("a message that was in an earlier container is not processed again", (make) => {
    const peer = make().attach()
    const msgId = peer.nextId()
    peer.container({ msgId, body: RESULT(1) })
    peer.container({ msgId, body: RESULT(1) }, { body: RESULT(2) })
    assert.deepStrictEqual(peer.events(), [{ _tag: "Update", body: RESULT(1) }, { _tag: "Update", body: RESULT(2) }])
  })

  withPeer("msg_copy is the message that it copies", (make) => {
    const peer = make().attach()
    const origMessage = { _tag: "message", msgId: peer.nextId(), seqno: 1, body: RESULT(1) } as const
    peer.send({ _tag: "msg_copy", origMessage })
    peer.send({ _tag: "msg_copy", origMessage })
    assert.deepStrictEqual(peer.events(), [{ _tag: "Update", body: RESULT(1) }])
  })
})

describe("Session: what is not accepted", () => {
  withPeer("a damaged packet closes the connection, whatever bit is damaged", (make) => {
    const peer = make().attach()
    const packet = peer.seal({ msgId: peer.nextId(), seqNo: 1, body: RESULT(1), sessionId: peer.session.id })
    for (let bit = 64; bit < packet.length * 8; bit++) {
      const damaged = packet.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      peer.session.receive(peer.now, damaged)
      assert.deepStrictEqual(peer.events(), [{ _tag: "Close", reason: "refused" }])
    }
    assert.strictEqual(peer.session.authenticated, 0)
    peer.session.receive(peer.now, packet)
    assert.deepStrictEqual(peer.events(), [{ _tag: "Update", body: RESULT(1) }])
  })

  withPeer("a packet with another key id is ignored", (make) => {
    const peer = make().attach()
    const packet = peer.seal({ msgId: peer.nextId(), seqNo: 1, body: RESULT(1), sessionId: peer.session.id })
    packet[0]! ^= 1
    peer.session.receive(peer.now, packet)
    peer.session.receive(peer.now, new Uint8Array(4))
    assert.deepStrictEqual(peer.events(), [])
  })

  withPeer("a message of another session is ignored and not acknowledged", (make) => {
    const peer = make().attach()
    peer.send(RESULT(1), { sessionId: peer.session.id ^ 1n })
    assert.deepStrictEqual(peer.events(), [])
    peer.query(1)
    assert.isUndefined(find(peer.poll(), "msgs_ack"))
  })

  withPeer("an even message identifier closes the connection", (make) => {
    const peer = make().attach()
    peer.send(RESULT(1), { msgId: peer.nextId() + 1n })
    assert.deepStrictEqual(peer.events(), [{ _tag: "Close", reason: "refused" }])
  })

  withPeer("a message from more than 300 s ago or 30 s ahead is ignored", (make) => {
    const peer = make().attach()
    peer.send(RESULT(0))
    for (const shift of [-301_000, 31_000]) {
      const msgId = peer.nextId() + (BigInt(shift / 1000) << 32n)
      peer.send(RESULT(1), { msgId })
    }
    for (const shift of [-299_000, 29_000]) {
      peer.send(RESULT(2), { msgId: peer.nextId() + (BigInt(shift / 1000) << 32n) })
    }
    assert.deepStrictEqual(peer.events().map((event) => event._tag === "Update" ? event.body[3] : event), [0, 2, 2])
  })

  withPeer("what is below all remembered identifiers cannot be judged and ends the session", (make) => {
    const peer = make().attach()
    const old = peer.nextId()
    const before = peer.session.id
    for (let i = 0; i < 2_100; i++) peer.send(RESULT(0))
    peer.events()
    peer.send(RESULT(1), { msgId: old })
    assert.deepStrictEqual(peer.events(), [])
    assert.notStrictEqual(peer.session.id, before)
    assert.strictEqual(find(peer.poll(), "destroy_session")!.sessionId, before)
  })
})

describe("Session: acknowledgements", () => {
  withPeer("wait for company, for their time, or for their number", (make) => {
    const peer = make().attach()
    const first = peer.send(RESULT(0))
    assert.deepStrictEqual(peer.poll(), [])
    peer.now += Session.defaultLimits.pingInterval - 1
    assert.deepStrictEqual(peer.poll(), [])
    peer.query(1)
    assert.deepStrictEqual(find(peer.poll(), "msgs_ack")!.msgIds, [first])

    const ids = Array.from({ length: Session.defaultLimits.ackThreshold }, () => peer.send(RESULT(0)))
    assert.isTrue(peer.session.wakeAt() <= peer.now)
    assert.deepStrictEqual(find(peer.poll(), "msgs_ack")!.msgIds, ids)
  })

  withPeer("do not make a container of a single message for a few of them", (make) => {
    const { ackCompany } = Session.defaultLimits
    const peer = make({ limits: { ackCompany } }).attach()
    const ids = [peer.send(RESULT(0))]
    peer.query(1)
    const alone = peer.poll()
    assert.isTrue(alone.length === 1 && alone[0]!.container === undefined)
    // two messages need one anyway
    peer.query(2)
    peer.query(3)
    assert.deepStrictEqual(find(peer.poll(), "msgs_ack")!.msgIds, ids)

    const more = Array.from({ length: ackCompany }, () => peer.send(RESULT(0)))
    assert.deepStrictEqual(peer.poll(), [])
    peer.query(4)
    assert.deepStrictEqual(find(peer.poll(), "msgs_ack")!.msgIds, more)
  })

  withPeer("are sent when their time has come", (make) => {
    const peer = make({ limits: { ackDelay: 1_000 } }).attach()
    const id = peer.send(RESULT(0))
    assert.strictEqual(peer.session.wakeAt(), peer.now + 1_000)
    peer.now += 1_000
    const sent = peer.poll()
    assert.deepStrictEqual(find(sent, "msgs_ack")!.msgIds, [id])
    assert.strictEqual(sent.length, 1)
  })

  withPeer("are made for what has an odd sequence number only", (make) => {
    const peer = make().attach()
    peer.send({ _tag: "pong", msgId: 4n, pingId: 1n }, { seqNo: 0 })
    peer.query(1)
    assert.isUndefined(find(peer.poll(), "msgs_ack"))
  })

  withPeer("are sent again when the packet with them was refused", (make) => {
    const peer = make().attach()
    const id = peer.send(RESULT(0))
    peer.query(1)
    const [message] = peer.poll()
    peer.send({
      _tag: "bad_server_salt",
      badMsgId: message!.container!,
      badMsgSeqno: 0,
      errorCode: 48,
      newServerSalt: 9n
    }, { seqNo: 0 })
    assert.deepStrictEqual(find(peer.poll(), "msgs_ack")!.msgIds, [id])
  })
})

describe("Session: a slow network", () => {
  const { pingInterval, pongTimeout } = Session.defaultLimits

  withPeer("is not taken for a dead one while a large packet comes in", (make) => {
    const peer = make().attach()
    peer.poll()
    for (let i = 0; i < 9; i++) {
      peer.now += pingInterval - 1
      peer.session.stir(peer.now)
      assert.isUndefined(find(peer.poll(), "ping_delay_disconnect"))
    }
    assert.deepStrictEqual(peer.session.events().filter(({ _tag }) => _tag === "Close"), [])
  })

  withPeer("gets a minute for a packet", (make) => {
    const peer = make().attach()
    peer.poll()
    const until = peer.now + 60_000 + pingInterval + pongTimeout + 2_000
    let closed = false
    while (peer.now < until && !closed) {
      peer.now += 1_000
      peer.session.stir(peer.now)
      peer.poll()
      closed = peer.session.events().some(({ _tag }) => _tag === "Close")
    }
    assert.isTrue(closed)
    assert.isAbove(peer.now, until - 10_000)
  })
})
