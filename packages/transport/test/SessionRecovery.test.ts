import { assert, describe } from "@effect/vitest"
import * as MessageIds from "../src/internal/messageIds.ts"
import * as Service from "../src/internal/service.ts"
import * as Session from "../src/Session.ts"
import { withPeer } from "./utils/check.ts"
import { find, HEADER, queries, QUERY, RESULT, START } from "./utils/sessionPeer.ts"

const { pingInterval, pongTimeout, stateCheck } = Session.defaultLimits

describe("Session: salts", () => {
  withPeer("bad_server_salt: the new salt is taken and the message sent again under a new identifier", (make) => {
    const peer = make().attach()
    const query = peer.query(1)
    const [sent] = peer.poll()
    assert.strictEqual(sent!.salt, 7n)
    peer.send({
      _tag: "bad_server_salt",
      badMsgId: sent!.msgId,
      badMsgSeqno: sent!.seqNo,
      errorCode: 48,
      newServerSalt: 99n
    }, { seqNo: 0 })
    assert.deepStrictEqual(peer.events(), [{ _tag: "Salts" }])
    const [again] = peer.poll()
    assert.strictEqual(again!.salt, 99n)
    assert.isTrue(again!.msgId > sent!.msgId)
    assert.strictEqual(again!.seqNo, 3)
    assert.deepStrictEqual(again!.body, sent!.body)
    peer.answer(again!)
    assert.deepStrictEqual(peer.events(), [{ _tag: "Answered", query, result: RESULT(0) }])
  })

  withPeer("bad_server_salt for a container is for all in it", (make) => {
    const peer = make().attach()
    peer.query(1)
    peer.query(2)
    const sent = peer.poll()
    const badMsgId = sent[0]!.container!
    peer.send({ _tag: "bad_server_salt", badMsgId, badMsgSeqno: 0, errorCode: 48, newServerSalt: 99n }, { seqNo: 0 })
    const again = peer.poll()
    assert.deepStrictEqual(again.map((message) => message.body), sent.map((message) => message.body))
    assert.isTrue(again[0]!.msgId > badMsgId)
  })

  withPeer("bad_server_salt for a message that was not ours changes nothing", (make) => {
    const peer = make().attach()
    peer.query(1)
    peer.poll()
    peer.send({ _tag: "bad_server_salt", badMsgId: 44n, badMsgSeqno: 0, errorCode: 48, newServerSalt: 99n }, {
      seqNo: 0
    })
    assert.deepStrictEqual(peer.events(), [])
    assert.deepStrictEqual(peer.poll(), [])
    assert.deepStrictEqual(peer.session.salts.map((salt) => salt.salt), [7n])
  })

  withPeer("new salts are asked for in time, and not more than once a minute", (make) => {
    const peer = make({ salts: [{ salt: 7n, validSince: 0, validUntil: START / 1000 + 90 }] }).attach()
    peer.query(1)
    assert.isUndefined(find(peer.poll(), "get_future_salts"))
    peer.now += 31_000
    peer.query(2)
    const asked = find(peer.poll(), "get_future_salts")!
    assert.strictEqual(asked.num, 64)
    peer.query(3)
    assert.isUndefined(find(peer.poll(), "get_future_salts"))
    peer.now += 60_000
    peer.query(4)
    assert.isDefined(find(peer.poll(), "get_future_salts"))
  })

  withPeer("future salts are used when their time has come", (make) => {
    const now = Math.floor(START / 1000)
    const peer = make({ salts: [{ salt: 7n, validSince: 0, validUntil: now + 30 }] }).attach()
    peer.query(1)
    const asked = find(peer.poll(), "get_future_salts")!
    const salts = [1, 2, 3].map((i) => ({
      _tag: "future_salt" as const,
      salt: BigInt(100 + i),
      validSince: now + 60 * (i - 1),
      validUntil: now + 60 * i + 3_600
    }))
    peer.send({ _tag: "future_salts", reqMsgId: 4n, now, salts: salts.slice(2) }, { seqNo: 0 })
    assert.deepStrictEqual(peer.events(), [], "an answer to another request is not trusted")
    peer.send({ _tag: "future_salts", reqMsgId: asked.received.msgId, now, salts }, { seqNo: 0 })
    assert.deepStrictEqual(peer.events(), [{ _tag: "Salts" }])
    const used = [0, 60, 120].map((seconds) => {
      peer.now = START + seconds * 1_000
      peer.query(2)
      return queries(peer.poll())[0]!.salt
    })
    assert.deepStrictEqual(used, [101n, 102n, 103n])
  })
})

const notice = (badMsgId: bigint, errorCode: number) =>
  ({ _tag: "bad_msg_notification", badMsgId, badMsgSeqno: 0, errorCode }) as const

describe("Session: bad_msg_notification", () => {
  withPeer("16, clock behind: the clock is set and the message sent again", (make) => {
    const peer = make({ skew: 1_000_000 }).attach()
    peer.query(1)
    const [sent] = peer.poll()
    peer.send(notice(sent!.msgId, 16), { seqNo: 0 })
    assert.approximately(peer.session.timeOffset, 1_000_000, 5)
    const [again] = peer.poll()
    assert.approximately(MessageIds.timeOf(again!.msgId), START + 1_000_000, 5)
    assert.strictEqual(again!.sessionId, sent!.sessionId)
    assert.deepStrictEqual(again!.body, sent!.body)
  })

  withPeer("17, clock ahead: the clock is set and a new session begun, since identifiers must not go down", (make) => {
    const peer = make({ skew: -1_000_000 }).attach()
    peer.query(1, { repeatable: false })
    const [sent] = peer.poll()
    peer.send(notice(sent!.msgId, 17), { seqNo: 0 })
    assert.approximately(peer.session.timeOffset, -1_000_000, 5)
    const again = peer.poll()
    const [query] = queries(again)
    assert.approximately(MessageIds.timeOf(query!.msgId), START - 1_000_000, 5)
    assert.notStrictEqual(query!.sessionId, sent!.sessionId)
    assert.deepStrictEqual(query!.body, Uint8Array.of(...HEADER, ...QUERY(1)))
    assert.strictEqual(find(again, "destroy_session")!.sessionId, sent!.sessionId)
    assert.isTrue(again.every((message) => message.seqNo <= 3), "sequence numbers start anew")
  })

  for (const code of [18, 32, 33, 34, 35]) {
    withPeer(`${code}: a new session`, (make) => {
      const peer = make().attach()
      const query = peer.query(1)
      const [sent] = peer.poll()
      peer.send(notice(sent!.msgId, code), { seqNo: 0 })
      const [again] = queries(peer.poll())
      assert.notStrictEqual(again!.sessionId, sent!.sessionId)
      peer.answer(again!)
      assert.deepStrictEqual(peer.events(), [{ _tag: "Answered", query, result: RESULT(0) }])
    })
  }

  for (const code of [19, 20, 48, 77]) {
    withPeer(`${code}: the same session, a new identifier`, (make) => {
      const peer = make().attach()
      peer.query(1)
      const [sent] = peer.poll()
      peer.send(notice(sent!.msgId, code), { seqNo: 0 })
      const [again] = queries(peer.poll())
      assert.strictEqual(again!.sessionId, sent!.sessionId)
      assert.isTrue(again!.msgId > sent!.msgId)
      assert.strictEqual(again!.seqNo, sent!.seqNo + 2)
    })
  }

  withPeer("20 for what must not be repeated: the outcome is uncertain", (make) => {
    const peer = make().attach()
    const query = peer.query(1, { repeatable: false })
    const [sent] = peer.poll()
    peer.send(notice(sent!.msgId, 20), { seqNo: 0 })
    assert.deepStrictEqual(peer.events(), [{ _tag: "Uncertain", query }])
    assert.deepStrictEqual(peer.poll(), [])
  })

  withPeer("64: the content of the container travels separately", (make) => {
    const peer = make().attach()
    peer.query(1)
    peer.query(2)
    const sent = peer.poll()
    peer.send(notice(sent[0]!.container!, 64), { seqNo: 0 })
    const again = peer.poll()
    assert.deepStrictEqual(again.map((message) => message.container), [undefined, undefined])
    assert.deepStrictEqual(again.map((message) => message.body), sent.map((message) => message.body))
  })

  withPeer("a complaint counts even if its own time looks wrong, also in a container", (make) => {
    const peer = make({ skew: -1_000_000 }).attach()
    peer.query(1)
    const [sent] = peer.poll()
    peer.container({ body: notice(sent!.msgId, 17) })
    assert.strictEqual(queries(peer.poll()).length, 1)
  })

  withPeer("a message that is refused again and again is given up", (make) => {
    const peer = make().attach()
    const query = peer.query(1)
    for (let i = 0; i < 6; i++) peer.send(notice(queries(peer.poll())[0]!.msgId, 19), { seqNo: 0 })
    assert.deepStrictEqual(peer.events(), [
      { _tag: "Rejected", query, reason: "the server does not take the message" }
    ])
    assert.deepStrictEqual(peer.poll(), [])
  })

  withPeer("a server that wants new sessions for ever gets the connection closed", (make) => {
    const peer = make().attach()
    peer.query(1)
    const events: Array<Session.Event> = []
    for (let i = 0; i < 6; i++) {
      const [sent] = queries(peer.poll())
      if (sent !== undefined) peer.send(notice(sent.msgId, 32), { seqNo: 0 })
      events.push(...peer.events())
    }
    assert.deepStrictEqual(events.map((event) => event._tag), ["Close", "Rejected"])
  })

  withPeer("a complaint about a message that was not ours changes nothing", (make) => {
    const peer = make().attach()
    peer.query(1)
    const [sent] = peer.poll()
    for (const code of [16, 17, 20, 32, 48, 64]) peer.send(notice(sent!.msgId + 4n, code), { seqNo: 0 })
    assert.deepStrictEqual(peer.events(), [])
    assert.deepStrictEqual(peer.poll(), [])
    assert.strictEqual(peer.session.id, sent!.sessionId)
  })
})

describe("Session: the clock", () => {
  withPeer("a stored offset is corrected by the first message", (make) => {
    const peer = make({ timeOffset: 0, synchronised: false, skew: 3_600_000 }).attach()
    peer.send(RESULT(1))
    assert.strictEqual(peer.events().length, 1)
    assert.approximately(peer.session.timeOffset, 3_600_000, 5)
  })

  withPeer("messages that come late do not set the clock back", (make) => {
    const peer = make().attach()
    peer.send(RESULT(1), { msgId: peer.nextId() - (20n << 32n) })
    assert.strictEqual(peer.session.timeOffset, 0)
    peer.skew = 2_000
    peer.send(RESULT(1))
    assert.approximately(peer.session.timeOffset, 2_000, 5)
  })

  withPeer("an answer that is much older than its question does", (make) => {
    const peer = make({ skew: -60_000 }).attach()
    peer.query(1)
    peer.answer(peer.poll()[0]!)
    assert.approximately(peer.session.timeOffset, -60_000, 5)
  })
})

describe("Session: sessions lost and made", () => {
  withPeer("new_session_created: salt, event, and nothing is repeated that the server has", (make) => {
    const peer = make().attach()
    peer.query(1)
    const [sent] = peer.poll()
    peer.salt = 55n
    peer.created(sent!.msgId)
    assert.deepStrictEqual(peer.events(), [{ _tag: "Salts" }, { _tag: "Created" }])
    peer.query(2)
    const next = peer.poll()
    assert.deepStrictEqual(queries(next).length, 1)
    assert.strictEqual(next[0]!.salt, 55n)
    assert.strictEqual(find(next, "msgs_ack")!.msgIds.length, 1)
  })

  withPeer("the same notice again is not news", (make) => {
    const peer = make().attach()
    peer.created(100n, 5n)
    peer.events()
    peer.created(100n, 5n)
    assert.deepStrictEqual(peer.events(), [])
  })

  withPeer("a session that the server forgot: repeatable queries again, others uncertain", (make) => {
    const peer = make().attach()
    peer.created(1n)
    peer.events()
    peer.query(1)
    const delicate = peer.query(2, { repeatable: false })
    const sent = peer.poll()
    peer.now += 1_000
    peer.query(3)
    const [later] = queries(peer.poll())
    peer.created(later!.msgId)
    assert.deepStrictEqual(peer.events(), [
      { _tag: "Uncertain", query: delicate },
      { _tag: "Salts" },
      { _tag: "Created" }
    ])
    assert.deepStrictEqual(queries(peer.poll()).map((message) => message.body), [sent[0]!.body])
  })

  withPeer("a query in a container is judged by the identifier of the container", (make) => {
    const peer = make().attach()
    peer.query(1)
    peer.query(2)
    const sent = peer.poll()
    peer.created(sent[0]!.container!)
    peer.query(3)
    assert.strictEqual(queries(peer.poll()).length, 1)
  })
})

describe("Session: a new connection", () => {
  withPeer("what was not acknowledged is sent again under the same identifier, in a container", (make) => {
    const peer = make().attach()
    peer.query(1)
    peer.query(2)
    const sent = peer.poll()
    peer.session.detach()
    peer.now += 200_000
    peer.attach()
    const again = peer.poll()
    assert.deepStrictEqual(
      again.map(({ body, msgId, seqNo }) => ({ body, msgId, seqNo })),
      sent.map(({ body, msgId, seqNo }) => ({ body, msgId, seqNo }))
    )
    assert.isTrue(again[0]!.container! > sent[0]!.container!)
  })

  withPeer("what must not be repeated is asked about first, and sent again if the server does not have it", (make) => {
    const peer = make().attach()
    peer.query(1, { repeatable: false })
    const [sent] = peer.poll()
    peer.session.detach()
    peer.attach()
    const next = peer.poll()
    const asked = find(next, "msgs_state_req")!
    assert.deepStrictEqual(queries(next), [])
    assert.deepStrictEqual(asked.msgIds, [sent!.msgId])
    peer.send({ _tag: "msgs_state_info", reqMsgId: asked.received.msgId, info: Uint8Array.of(2) }, { seqNo: 0 })
    assert.deepStrictEqual(queries(peer.poll()).map(({ body, msgId }) => [body, msgId]), [[sent!.body, sent!.msgId]])
  })

  withPeer("what was acknowledged is asked about, and treated as the server says", (make) => {
    const peer = make().attach()
    const handles = [1, 2, 3, 4, 5].map((n) => peer.query(n, { repeatable: n !== 5 }))
    const sent = peer.poll()
    peer.send({ _tag: "msgs_ack", msgIds: sent.map((message) => message.msgId) }, { seqNo: 0 })
    peer.session.detach()
    peer.attach()
    const asked = find(peer.poll(), "msgs_state_req")!
    assert.deepStrictEqual(asked.msgIds, sent.map((message) => message.msgId))
    peer.send({
      _tag: "msgs_state_info",
      reqMsgId: asked.received.msgId,
      info: Uint8Array.of(1, 2, 3 | 32, 4 | 32, 1)
    }, { seqNo: 0 })
    assert.deepStrictEqual(peer.events(), [{ _tag: "Uncertain", query: handles[4]! }])
    const again = peer.poll()
    assert.deepStrictEqual(again.map((message) => message.body), [sent[1]!.body, sent[2]!.body, sent[0]!.body])
    assert.deepStrictEqual(again.slice(0, 2).map((message) => message.msgId), [sent[1]!.msgId, sent[2]!.msgId])
    assert.notStrictEqual(again[2]!.msgId, sent[0]!.msgId)
  })

  withPeer("an answer that the server has and that did not arrive is asked for by sending the query again", (make) => {
    const peer = make().attach()
    peer.query(1)
    const [sent] = peer.poll()
    peer.now += stateCheck
    const asked = find(peer.poll(), "msgs_state_req")!
    assert.deepStrictEqual(asked.msgIds, [sent!.msgId])
    peer.send(
      { _tag: "msgs_state_info", reqMsgId: asked.received.msgId, info: Uint8Array.of(4 | 32 | 64) },
      { seqNo: 0 }
    )
    assert.deepStrictEqual(peer.poll().map((message) => message.msgId), [sent!.msgId])
  })

  withPeer("the server is asked again after twice the time", (make) => {
    const peer = make({ limits: { pingInterval: 1e9 } }).attach()
    peer.query(1)
    peer.poll()
    const asked: Array<number> = []
    for (let i = 0; i < 100; i++) {
      peer.now += 1_000
      if (find(peer.poll(), "msgs_state_req") !== undefined) asked.push((peer.now - START) / 1_000)
    }
    assert.deepStrictEqual(asked, [2, 6, 14, 30, 62])
  })
})

describe("Session: questions of the server", () => {
  withPeer("msgs_state_req is answered from memory", (make) => {
    const peer = make().attach()
    const first = peer.send(RESULT(0))
    const unknown = peer.nextId()
    const second = peer.send(RESULT(0))
    const reqMsgId = peer.send({ _tag: "msgs_state_req", msgIds: [first, unknown, second, second + (9n << 32n)] })
    const info = find(peer.poll(), "msgs_state_info")!
    assert.strictEqual(info.reqMsgId, reqMsgId)
    assert.deepStrictEqual(info.info, Uint8Array.of(12, 2, 12, 3))
  })

  withPeer("msg_resend_req: what is known again, and information about the rest", (make) => {
    const peer = make().attach()
    peer.query(1)
    const [sent] = peer.poll()
    const reqMsgId = peer.send({ _tag: "msg_resend_req", msgIds: [sent!.msgId, 4n] })
    const answer = peer.poll()
    const [again] = queries(answer)
    assert.strictEqual(again!.msgId, sent!.msgId)
    const info = find(answer, "msgs_state_info")!
    assert.strictEqual(info.reqMsgId, reqMsgId)
    assert.deepStrictEqual(info.info, Uint8Array.of(4, 1))
  })

  withPeer("msg_detailed_info: an answer that did not arrive is asked for, another one acknowledged", (make) => {
    const peer = make().attach()
    peer.query(1)
    const [sent] = peer.poll()
    const answerMsgId = peer.nextId()
    const info = { _tag: "msg_detailed_info", msgId: sent!.msgId, answerMsgId, bytes: 8, status: 0 } as const
    peer.send(info, { seqNo: 0 })
    assert.deepStrictEqual(find(peer.poll(), "msg_resend_req")!.msgIds, [answerMsgId])
    peer.send({ _tag: "rpc_result", reqMsgId: sent!.msgId, result: RESULT(0) }, { msgId: answerMsgId })
    peer.send(info, { seqNo: 0 })
    peer.query(2)
    const next = peer.poll()
    assert.isUndefined(find(next, "msg_resend_req"))
    assert.deepStrictEqual(find(next, "msgs_ack")!.msgIds, [answerMsgId, answerMsgId])
  })

  withPeer("msg_new_detailed_info: an update that did not arrive is asked for", (make) => {
    const peer = make().attach()
    peer.send({ _tag: "msg_new_detailed_info", answerMsgId: 5n, bytes: 8, status: 0 }, { seqNo: 0 })
    assert.deepStrictEqual(find(peer.poll(), "msg_resend_req")!.msgIds, [5n])
  })

  withPeer("msgs_all_info counts like an answer", (make) => {
    const peer = make().attach()
    peer.query(1)
    const [sent] = peer.poll()
    peer.send({ _tag: "msgs_all_info", msgIds: [sent!.msgId], info: Uint8Array.of(2) }, { seqNo: 0 })
    assert.deepStrictEqual(peer.poll().map((message) => message.msgId), [sent!.msgId])
  })
})

describe("Session: the life of a connection", () => {
  withPeer("after a silence a ping, after more silence the end, within 15 s", (make) => {
    const peer = make().attach()
    assert.strictEqual(peer.session.wakeAt(), START + pingInterval)
    peer.now += pingInterval
    const ping = find(peer.poll(), "ping_delay_disconnect")!
    assert.strictEqual(ping.disconnectDelay, 34)
    peer.now += pongTimeout - 1
    peer.poll()
    assert.deepStrictEqual(peer.events(), [])
    peer.now += 1
    peer.poll()
    assert.deepStrictEqual(peer.events(), [{ _tag: "Close", reason: "dead" }])
    assert.isTrue(peer.now - START < 15_000)
  })

  withPeer("anything from the server shows that it is there", (make) => {
    const peer = make().attach()
    peer.now += pingInterval
    peer.poll()
    peer.now += 1_000
    peer.send({ _tag: "pong", msgId: 4n, pingId: 1n }, { seqNo: 0 })
    assert.strictEqual(peer.session.wakeAt(), peer.now + pingInterval)
    peer.now += pongTimeout - 1
    assert.deepStrictEqual(peer.poll(), [])
    assert.deepStrictEqual(peer.events(), [])
  })
})

describe("Session: cancellation and order", () => {
  withPeer("a query that was sent is dropped at the server, one that was not is only forgotten", (make) => {
    const peer = make().attach()
    const sent = peer.query(1)
    const [message] = peer.poll()
    peer.session.cancel(sent)
    assert.strictEqual(find(peer.poll(), "rpc_drop_answer")!.reqMsgId, message!.msgId)
    peer.answer(message!)
    assert.deepStrictEqual(peer.events(), [])
    const unsent = peer.query(2)
    peer.session.cancel(unsent)
    assert.deepStrictEqual(queries(peer.poll()), [])
    peer.session.cancel(sent)
    assert.isUndefined(find(peer.poll(), "rpc_drop_answer"))
  })

  withPeer("a query waits for the one it follows, outermost, while that is unanswered", (make) => {
    const peer = make().attach()
    const first = peer.query(1)
    const second = peer.query(2, { after: first })
    const sent = peer.poll()
    assert.deepStrictEqual(
      sent[1]!.body,
      Uint8Array.of(...Service.invokeAfter(sent[0]!.msgId), ...HEADER, ...QUERY(2))
    )
    assert.deepStrictEqual([first.waits, second.waits], [false, true])
    peer.answer(sent[0]!)
    peer.answer(sent[1]!)
    const third = peer.query(3, { after: second })
    assert.deepStrictEqual(queries(peer.poll())[0]!.body, QUERY(3))
    assert.isFalse(third.waits)
  })

  withPeer("a chain that is refused goes out again in its order, with its new identifiers", (make) => {
    const peer = make().attach()
    const first = peer.query(1)
    peer.query(2, { after: first })
    const sent = peer.poll()
    const badMsgId = sent[0]!.container!
    peer.send({ _tag: "bad_server_salt", badMsgId, badMsgSeqno: 0, errorCode: 48, newServerSalt: 9n }, { seqNo: 0 })
    const again = peer.poll()
    assert.deepStrictEqual(
      again[1]!.body,
      Uint8Array.of(...Service.invokeAfter(again[0]!.msgId), ...HEADER, ...QUERY(2))
    )
  })
})
