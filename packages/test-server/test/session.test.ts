import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { assert, describe, it } from "@effect/vitest"
import { deflateSync, gzipSync } from "node:zlib"
import * as MessageIds from "../src/internal/messageIds.ts"
import * as Session from "../src/internal/session.ts"
import { containerOf, encode } from "./support/client.ts"

const NOW = 1_700_000_000_000
const QUERY = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)

const id = (offset: number, at = NOW): bigint => MessageIds.fromMillis(at) + BigInt(offset * 4)

const message = (msgId: bigint, seqno: number, body: Uint8Array): MtprotoApi.message => ({
  _tag: "message",
  msgId,
  seqno,
  body
})

/** A session with short hands: what comes out of a packet, and what it sends. */
const start = (rules: Partial<Session.Rules> = {}) => {
  const session = Session.make(7n, 8n, NOW)
  const all = { ...Session.defaultRules, ...rules }
  let now = NOW
  return {
    session,
    rules: all,
    setNow: (millis: number) => {
      now = millis
    },
    receive: (msgId: bigint, seqNo: number, body: Uint8Array, circumstances: Partial<Session.Circumstances> = {}) =>
      Session.receive(session, all, { msgId, seqNo, body }, {
        now,
        saltAccepted: true,
        currentSalt: 99n,
        ...circumstances
      }),
    answer: (msgId: bigint, result: Uint8Array, options: Partial<Session.AnswerOptions> = {}) =>
      Session.answer(session, all, now, msgId, result, { failed: false, ...options }),
    push: (body: Uint8Array) => Session.push(session, all, now, body),
    /** Every message that is written, containers taken apart. */
    flush: () => Session.flush(session, all, now).flatMap(open),
    packets: () => Session.flush(session, all, now)
  }
}

const open = (packet: Session.Packet): Array<Sent> => {
  const value = MtprotoApi.isServerMessage(MtprotoApi.idOf(packet.body)!)
    ? TlCodec.decode(MtprotoApi.ServerMessage)(packet.body)
    : undefined
  return value?._tag === "msg_container"
    ? value.messages.flatMap((inner) => open({ msgId: inner.msgId, seqNo: inner.seqno, body: inner.body }))
    : [{ msgId: packet.msgId, seqNo: packet.seqNo, body: packet.body, value }]
}

interface Sent extends Session.Packet {
  readonly value: MtprotoApi.ServerMessage | undefined
}

const tags = (sent: ReadonlyArray<Sent>): Array<string> => sent.map((each) => each.value?._tag ?? "other")

const find = <Tag extends MtprotoApi.ServerMessage["_tag"]>(sent: ReadonlyArray<Sent>, tag: Tag) =>
  sent.find((each) => each.value?._tag === tag)?.value as
    | Extract<MtprotoApi.ServerMessage, { readonly _tag: Tag }>
    | undefined

/** A session that has been opened by a first query, answered and acknowledged. */
const opened = (rules: Partial<Session.Rules> = {}) => {
  const s = start(rules)
  s.receive(id(0), 1, QUERY)
  s.answer(id(0), QUERY)
  s.flush()
  for (const msgId of s.session.unacked.keys()) s.receive(id(1) + msgId % 4096n * 4n, 2, encode.ack([msgId]))
  s.flush()
  return s
}

describe("session", () => {
  describe("the first message", () => {
    it("creates the session, and the client is told before its answer", () => {
      const s = start()
      assert.deepStrictEqual(s.receive(id(5), 1, QUERY), [{ _tag: "Query", msgId: id(5), body: QUERY }])
      s.answer(id(5), QUERY)
      const sent = s.flush()
      assert.deepStrictEqual(tags(sent), ["new_session_created", "rpc_result"])
      assert.deepStrictEqual(sent[0]!.value, {
        _tag: "new_session_created",
        firstMsgId: id(5),
        uniqueId: 8n,
        serverSalt: 99n
      })
      assert.deepStrictEqual(sent.map((each) => each.seqNo), [1, 3])
    })
    it("is the container, if it came in one", () => {
      const s = start()
      s.receive(id(5), 2, containerOf([message(id(1), 1, QUERY)]))
      assert.strictEqual(find(s.flush(), "new_session_created")?.firstMsgId, id(5))
    })
    it("creates nothing while it is refused", () => {
      const s = start()
      s.receive(id(1), 1, QUERY, { saltAccepted: false })
      assert.deepStrictEqual(tags(s.flush()), ["bad_server_salt"])
      s.receive(id(2), 1, QUERY)
      assert.deepStrictEqual(tags(s.flush()), ["new_session_created"])
    })
    it("is announced once", () => {
      const s = start()
      s.receive(id(1), 1, QUERY)
      s.receive(id(2), 3, QUERY)
      assert.deepStrictEqual(tags(s.flush()), ["new_session_created"])
    })
  })

  describe("acceptance", () => {
    const refused = (s: ReturnType<typeof start>) => find(s.flush(), "bad_msg_notification")

    it("18: not the identifier of a client", () => {
      for (const low of [1n, 2n, 3n]) {
        const s = opened()
        assert.deepStrictEqual(s.receive(id(50) + low, 3, QUERY), [])
        assert.deepStrictEqual(refused(s), {
          _tag: "bad_msg_notification",
          badMsgId: id(50) + low,
          badMsgSeqno: 3,
          errorCode: 18
        })
      }
    })
    it("16 and 17: outside of the last 300 and the next 30 seconds", () => {
      for (
        const [seconds, code] of [[-301, 16], [-300, undefined], [0, undefined], [30, undefined], [31, 17]] as const
      ) {
        const s = start()
        const events = s.receive(id(0, NOW + seconds * 1000), 1, QUERY)
        assert.strictEqual(refused(s)?.errorCode, code)
        assert.strictEqual(events.length, code === undefined ? 1 : 0)
      }
    })
    it("no age is wrong where it is not checked", () => {
      const s = start({ checkTime: false })
      assert.strictEqual(s.receive(id(0, NOW - 3_600_000), 1, QUERY).length, 1)
      assert.strictEqual(s.receive(id(0, NOW + 3_600_000), 3, QUERY).length, 1)
    })
    it("48: a wrong salt, and the right one is named", () => {
      const s = opened()
      assert.deepStrictEqual(s.receive(id(50), 3, QUERY, { saltAccepted: false }), [])
      assert.deepStrictEqual(find(s.flush(), "bad_server_salt"), {
        _tag: "bad_server_salt",
        badMsgId: id(50),
        badMsgSeqno: 3,
        errorCode: 48,
        newServerSalt: 99n
      })
      // it was not accepted, so the same message may come again
      assert.strictEqual(s.receive(id(50), 3, QUERY).length, 1)
    })
    it("any salt is right where it is not checked", () => {
      const s = start({ checkSalt: false })
      assert.strictEqual(s.receive(id(1), 1, QUERY, { saltAccepted: false }).length, 1)
    })
    it("any code, if it is forced", () => {
      const s = opened()
      assert.deepStrictEqual(s.receive(id(50), 3, QUERY, { refuse: 33 }), [])
      assert.strictEqual(refused(s)?.errorCode, 33)
    })
    it("19: a container with the identifier of an earlier message", () => {
      const s = opened()
      s.receive(id(50), 3, QUERY)
      s.flush()
      assert.deepStrictEqual(s.receive(id(50), 4, containerOf([message(id(49), 3, QUERY)])), [])
      assert.strictEqual(refused(s)?.errorCode, 19)
    })
    it("20: too old to say whether it was received", () => {
      const s = start({ remembered: 4 })
      for (let i = 1; i <= 6; i++) s.receive(id(i * 10), i * 2 - 1, QUERY)
      s.flush()
      assert.deepStrictEqual(s.receive(id(15), 3, QUERY), [])
      assert.strictEqual(refused(s)?.errorCode, 20)
      assert.deepStrictEqual(s.receive(id(70), 14, containerOf([message(id(16), 3, QUERY)])), [])
      assert.deepStrictEqual(find(s.flush(), "bad_msg_notification")?.badMsgId, id(16))
      assert.strictEqual(s.session.received.size, 4)
    })
    it("32 and 33: sequence numbers that contradict identifiers", () => {
      const s = opened()
      s.receive(id(5000), 11, QUERY)
      s.flush()
      assert.deepStrictEqual(s.receive(id(5001), 11, QUERY), [])
      assert.strictEqual(refused(s)?.errorCode, 32)
      assert.deepStrictEqual(s.receive(id(4999), 13, QUERY), [])
      assert.strictEqual(refused(s)?.errorCode, 33)
      assert.strictEqual(s.receive(id(4999), 9, QUERY).length, 1)
      assert.strictEqual(s.receive(id(5002), 13, QUERY).length, 1)
    })
    it("35: a query with an even number", () => {
      const s = opened()
      assert.deepStrictEqual(s.receive(id(50), 4, QUERY), [])
      assert.strictEqual(refused(s)?.errorCode, 35)
    })
    it("sequence numbers may be anything where they are not checked", () => {
      const s = start({ checkSequence: false })
      assert.strictEqual(s.receive(id(1), 4, QUERY).length, 1)
      assert.strictEqual(s.receive(id(2), 1, QUERY).length, 1)
    })
    it("acknowledgements and containers may have odd numbers", () => {
      const s = opened()
      s.receive(id(6000), 5, encode.ack([1n]))
      assert.strictEqual(s.receive(id(6002), 9, containerOf([message(id(6001), 7, QUERY)])).length, 1)
      assert.isUndefined(refused(s))
    })
    it("64: a container in a container, with a younger message, too long, or damaged", () => {
      const many = Array.from({ length: 1025 }, (_, i) => message(id(6000 + i), 1, encode.ping(1n)))
      const bad = [
        containerOf([message(id(8000), 3, QUERY)]),
        containerOf([message(id(8001), 3, QUERY)]),
        containerOf(many),
        containerOf([message(id(1), 3, QUERY)]).slice(0, -4)
      ]
      for (const body of bad) {
        const s = opened()
        assert.deepStrictEqual(s.receive(id(8000), 4, body), [])
        assert.strictEqual(refused(s)?.errorCode, 64)
      }
      const s = opened()
      s.receive(id(8000), 4, containerOf([message(id(7999), 4, containerOf([]))]))
      assert.deepStrictEqual(find(s.flush(), "bad_msg_notification"), {
        _tag: "bad_msg_notification",
        badMsgId: id(7999),
        badMsgSeqno: 4,
        errorCode: 64
      })
    })
  })

  describe("containers", () => {
    it("one bad message does not spoil the others", () => {
      const s = opened()
      const events = s.receive(
        id(8000),
        8,
        containerOf([
          message(id(7001), 3, QUERY),
          message(id(7002) + 1n, 5, QUERY),
          message(id(7003), 4, new Uint8Array(0)),
          message(id(7004), 5, Uint8Array.of(0xec, 0x77, 0xbe, 0x7a)),
          message(id(7005), 7, QUERY)
        ])
      )
      assert.deepStrictEqual(events.map((event) => "msgId" in event ? event.msgId : 0n), [id(7001), id(7005)])
      const sent = s.flush()
      assert.strictEqual(find(sent, "bad_msg_notification")?.badMsgId, id(7002) + 1n)
      // what cannot be read is acknowledged all the same
      assert.deepStrictEqual(find(sent, "msgs_ack")?.msgIds, [id(7004)])
    })
    it("may hold messages that are older than the window", () => {
      const s = opened()
      s.setNow(NOW + 400_000)
      const events = s.receive(id(0, NOW + 400_000), 4, containerOf([message(id(7000), 3, QUERY)]))
      assert.strictEqual(events.length, 1)
    })
    it("hold what is ready together, under the greatest identifier", () => {
      const s = opened()
      s.push(QUERY)
      s.push(QUERY)
      const packets = s.packets()
      assert.strictEqual(packets.length, 1)
      const [container] = packets
      assert.strictEqual(container!.seqNo & 1, 0)
      const inner = open(container!)
      assert.strictEqual(inner.length, 2)
      for (const each of inner) assert.isTrue(each.msgId < container!.msgId)
    })
    it("hold at most 1020 messages", () => {
      const s = opened()
      for (let i = 0; i < 2000; i++) s.push(QUERY)
      assert.deepStrictEqual(s.packets().map((packet) => open(packet).length), [1020, 980])
    })
    it("hold no more than half a megabyte, but any single message", () => {
      const s = opened()
      for (let i = 0; i < 3; i++) s.push(new Uint8Array(300_000))
      s.push(new Uint8Array(900_000))
      assert.deepStrictEqual(s.packets().map((packet) => open(packet).length), [1, 1, 1, 1])
    })
    it("are not used where they are switched off", () => {
      const s = opened({ containers: false })
      s.push(QUERY)
      s.push(QUERY)
      assert.strictEqual(s.packets().length, 2)
    })
  })

  describe("compression", () => {
    it("either format is read, around queries and service messages", () => {
      for (const compress of [gzipSync, deflateSync]) {
        const s = opened()
        assert.deepStrictEqual(s.receive(id(50), 3, encode.packed(compress(QUERY))), [
          { _tag: "Query", msgId: id(50), body: QUERY }
        ])
        s.receive(id(51), 4, encode.packed(compress(encode.ping(5n))))
        assert.strictEqual(find(s.flush(), "pong")?.pingId, 5n)
      }
    })
    it("a compressed container is a container", () => {
      const s = opened()
      const events = s.receive(id(51), 4, encode.packed(gzipSync(containerOf([message(id(50), 3, QUERY)]))))
      assert.strictEqual(events.length, 1)
    })
    it("what is damaged, nested too deep or too large is left to be answered as a query", () => {
      let nested: Uint8Array = QUERY
      for (let i = 0; i < 6; i++) nested = encode.packed(gzipSync(nested))
      const bad = [
        encode.packed(Uint8Array.of(1, 2, 3)),
        encode.packed(gzipSync(QUERY).subarray(0, 15)),
        nested,
        encode.packed(gzipSync(new Uint8Array(70_000)))
      ]
      for (const body of bad) {
        const s = opened({ inflated: 65_536 })
        assert.deepStrictEqual(s.receive(id(50), 3, body), [{ _tag: "Query", msgId: id(50), body }])
        assert.deepStrictEqual(s.receive(id(51), 4, body), [])
      }
    })
    it("the messages of one packet share one limit", () => {
      const s = opened({ inflated: 65_536 })
      const large = encode.packed(gzipSync(new Uint8Array(40_000)))
      const events = s.receive(
        id(60),
        8,
        containerOf([message(id(50), 3, large), message(id(51), 5, large), message(id(52), 7, QUERY)])
      )
      assert.deepStrictEqual(events.map((event) => event._tag === "Query" ? event.body.length : 0), [
        40_000,
        large.length,
        8
      ])
    })
  })

  describe("duplicates", () => {
    it("get the answer again, under its number, and are not executed again", () => {
      const s = opened()
      s.receive(id(50), 3, QUERY)
      s.answer(id(50), Uint8Array.of(9, 9, 9, 9))
      const [first] = s.flush()
      assert.deepStrictEqual(s.receive(id(50), 3, QUERY), [])
      const [second] = s.flush()
      assert.deepStrictEqual(second, first)
    })
    it("get an acknowledgement while there is no answer, or once it was acknowledged", () => {
      const s = opened()
      s.receive(id(50), 3, QUERY)
      s.receive(id(50), 3, QUERY)
      assert.deepStrictEqual(find(s.flush(), "msgs_ack")?.msgIds, [id(50)])
      s.answer(id(50), QUERY)
      const [sent] = s.flush()
      s.receive(id(51), 4, encode.ack([sent!.msgId]))
      s.receive(id(50), 3, QUERY)
      const after = s.flush()
      assert.deepStrictEqual(tags(after), ["msgs_ack"])
    })
    it("are known inside containers", () => {
      const s = opened()
      s.receive(id(50), 3, QUERY)
      assert.deepStrictEqual(s.receive(id(60), 4, containerOf([message(id(50), 3, QUERY)])), [])
    })
  })

  describe("re-sending", () => {
    it("everything unacknowledged goes to a new connection, in order, under its numbers", () => {
      const s = start()
      s.receive(id(1), 1, QUERY)
      s.answer(id(1), QUERY)
      s.push(Uint8Array.of(5, 5, 5, 5))
      const before = s.flush()
      Session.detach(s.session)
      s.push(Uint8Array.of(6, 6, 6, 6))
      Session.attach(s.session)
      const after = s.flush()
      assert.deepStrictEqual(after.slice(0, 3), before)
      assert.deepStrictEqual(after[3]?.body, Uint8Array.of(6, 6, 6, 6))
      assert.strictEqual(after.length, 4)
    })
    it("nothing that was acknowledged", () => {
      const s = start()
      s.receive(id(1), 1, QUERY)
      s.answer(id(1), QUERY)
      const sent = s.flush()
      s.receive(id(2), 2, encode.ack(sent.map((each) => each.msgId)))
      Session.attach(s.session)
      assert.deepStrictEqual(s.flush(), [])
      assert.strictEqual(s.session.unackedBytes, 0)
    })
    it("an acknowledgement of what was never written does not count", () => {
      const s = opened()
      s.push(QUERY)
      s.receive(id(5000), 4, encode.ack([...s.session.unacked.keys()]))
      assert.strictEqual(s.flush().length, 1)
    })
    it("what needs no acknowledgement is lost with its connection", () => {
      const s = opened()
      s.receive(id(50), 4, encode.ping(1n))
      Session.detach(s.session)
      Session.attach(s.session)
      assert.deepStrictEqual(s.flush(), [])
    })
    it("after a minute without acknowledgement, when the client speaks again", () => {
      const s = opened()
      s.push(QUERY)
      const [pushed] = s.flush()
      s.setNow(NOW + 59_000)
      s.receive(id(0, NOW + 59_000), 4, encode.ping(1n))
      assert.deepStrictEqual(tags(s.flush()), ["pong"])
      s.setNow(NOW + 61_000)
      s.receive(id(0, NOW + 61_000), 4, encode.ping(2n))
      const sent = s.flush()
      assert.deepStrictEqual(sent.find((each) => each.value === undefined), { ...pushed!, value: undefined })
    })
    it("a withheld answer waits for a new connection", () => {
      const s = opened()
      s.receive(id(50), 3, QUERY)
      s.answer(id(50), QUERY, { withhold: true })
      assert.deepStrictEqual(s.flush(), [])
      Session.attach(s.session)
      assert.deepStrictEqual(tags(s.flush()), ["rpc_result"])
    })
    it("a withheld answer waits for somebody to ask", () => {
      const s = opened()
      s.receive(id(50), 3, QUERY)
      s.answer(id(50), QUERY, { withhold: true })
      s.flush()
      s.receive(id(51), 4, encode.stateReq([id(50)]))
      assert.deepStrictEqual(tags(s.flush()), ["msgs_state_info", "rpc_result"])
    })
    it("an announced answer is named, and sent on request", () => {
      const s = opened()
      s.receive(id(50), 3, QUERY)
      s.answer(id(50), QUERY, { announce: true })
      const info = find(s.flush(), "msg_detailed_info")
      assert.strictEqual(info?.msgId, id(50))
      assert.strictEqual(info?.bytes, 12 + QUERY.length)
      s.receive(id(51), 4, encode.resendReq([info!.answerMsgId]))
      const [sent] = s.flush()
      assert.strictEqual(sent?.msgId, info?.answerMsgId)
    })
  })

  describe("questions", () => {
    it("msgs_state_req: what is known of each message", () => {
      const s = start({ remembered: 8 })
      for (let i = 1; i <= 10; i++) s.receive(id(i * 10), i * 2 - 1, QUERY)
      s.answer(id(90), QUERY)
      s.receive(id(110), 20, encode.ping(1n))
      s.flush()
      s.receive(id(120), 20, encode.stateReq([id(10), id(95), id(999), id(80), id(90), id(110)]))
      assert.deepStrictEqual(
        [...find(s.flush(), "msgs_state_info")!.info],
        [1, 2, 3, 4 | 32, 4 | 32 | 64, 4 | 16]
      )
    })
    it("msg_resend_req: what is unknown is reported", () => {
      const s = opened()
      s.push(QUERY)
      const [sent] = s.flush()
      s.receive(id(50), 4, encode.resendReq([sent!.msgId, 5n]))
      const answers = s.flush()
      assert.deepStrictEqual([...find(answers, "msgs_state_info")!.info], [4, 1])
      assert.isTrue(answers.some((each) => each.msgId === sent!.msgId))
    })
    it("rpc_drop_answer: running, answered, unknown, itself", () => {
      const s = opened()
      const dropped = (msgId: bigint, seqNo: number, target: bigint) => {
        const events = s.receive(msgId, seqNo, encode.dropAnswer(target))
        const sent = s.flush()
        const result = find(sent, "rpc_result")!
        return { events, sent, answer: TlCodec.decode(MtprotoApi.RpcDropAnswer)(result.result) }
      }
      s.receive(id(50), 3, QUERY)
      const running = dropped(id(51), 5, id(50))
      assert.deepStrictEqual(running.events, [{ _tag: "Dropped", msgId: id(50) }])
      assert.strictEqual(running.answer._tag, "rpc_answer_dropped_running")
      assert.deepStrictEqual(find(running.sent, "msgs_ack")?.msgIds, [id(50)])
      // the query finishes, but nobody is told any more
      s.answer(id(50), QUERY)
      assert.deepStrictEqual(tags(s.flush()), ["msgs_ack"])

      s.receive(id(52), 7, QUERY)
      s.answer(id(52), QUERY)
      const [stored] = s.flush()
      const done = dropped(id(53), 9, id(52))
      assert.deepStrictEqual(done.answer, {
        _tag: "rpc_answer_dropped",
        msgId: stored!.msgId,
        seqNo: stored!.seqNo,
        bytes: stored!.body.length
      })
      assert.isFalse(s.session.unacked.has(stored!.msgId))
      assert.strictEqual(dropped(id(54), 11, id(52)).answer._tag, "rpc_answer_unknown")
      assert.strictEqual(dropped(id(55), 13, id(12_345)).answer._tag, "rpc_answer_unknown")
      assert.strictEqual(dropped(id(56), 15, id(56)).answer._tag, "rpc_answer_unknown")
    })
  })

  describe("service messages", () => {
    it("ping is answered at the top, by its identifier, without need of acknowledgement", () => {
      const s = opened()
      s.receive(id(50), 3, encode.ping(42n))
      const sent = s.flush()
      assert.deepStrictEqual(sent.map((each) => each.value), [{ _tag: "pong", msgId: id(50), pingId: 42n }])
      assert.strictEqual(sent[0]!.seqNo & 1, 0)
      assert.strictEqual(sent[0]!.msgId & 3n, 1n)
    })
    it("ping_delay_disconnect also asks for the connection to end", () => {
      const s = opened()
      assert.deepStrictEqual(s.receive(id(50), 3, encode.pingDelayDisconnect(42n, 75)), [
        { _tag: "KeepAlive", seconds: 75 }
      ])
      assert.deepStrictEqual(tags(s.flush()), ["pong"])
    })
    it("a copy counts as the message that it is a copy of", () => {
      const s = opened()
      const original = message(id(40), 3, QUERY)
      assert.deepStrictEqual(s.receive(id(50), 4, encode.copy(original)), [
        { _tag: "Query", msgId: id(40), body: QUERY }
      ])
      assert.deepStrictEqual(s.receive(id(51), 4, encode.copy(original)), [])
      assert.deepStrictEqual(s.receive(id(52), 5, original.body).length, 1)
    })
    it("what asks for nothing is acknowledged if it is content-related", () => {
      const s = opened()
      const info = TlCodec.encode(MtprotoApi.msgs_state_info)({
        _tag: "msgs_state_info",
        reqMsgId: 1n,
        info: new Uint8Array(0)
      })
      s.receive(id(50), 3, info)
      s.receive(id(51), 4, info)
      assert.deepStrictEqual(find(s.flush(), "msgs_ack")?.msgIds, [id(50)])
    })
    it("updates end in 3, answers in 1", () => {
      const s = opened()
      s.push(QUERY)
      s.receive(id(50), 3, QUERY)
      s.answer(id(50), QUERY)
      assert.deepStrictEqual(s.flush().map((each) => Number(each.msgId & 3n)), [3, 1])
    })
  })

  describe("bounds", () => {
    it("updates that nobody acknowledges become updatesTooLong, answers stay", () => {
      const s = opened({ unackedMessages: 10 })
      s.receive(id(50), 3, QUERY)
      s.answer(id(50), QUERY)
      for (let i = 0; i < 30; i++) s.push(QUERY)
      const sent = s.flush()
      assert.isTrue(s.session.unacked.size <= 10)
      assert.isDefined(find(sent, "rpc_result"))
      const tooLong = sent.filter((each) => MtprotoApi.idOf(each.body) === 0xe317af7e)
      assert.strictEqual(tooLong.length, 1)
    })
    it("answers that nobody acknowledges are given up, oldest first", () => {
      const s = opened({ unackedMessages: 5 })
      for (let i = 0; i < 20; i++) {
        s.receive(id(100 + i), 3 + i * 2, QUERY)
        s.answer(id(100 + i), QUERY)
        s.flush()
      }
      assert.strictEqual(s.session.unacked.size, 5)
      s.receive(id(100), 3, QUERY)
      assert.deepStrictEqual(tags(s.flush()), ["msgs_ack"])
      s.receive(id(119), 41, QUERY)
      assert.deepStrictEqual(tags(s.flush()), ["rpc_result"])
    })
    it("so is their size", () => {
      const s = opened({ unackedBytes: 10_000 })
      for (let i = 0; i < 20; i++) s.push(new Uint8Array(1000))
      s.flush()
      assert.isTrue(s.session.unackedBytes <= 10_000)
    })
  })
})
