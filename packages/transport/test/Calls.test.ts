import { assert, describe } from "@effect/vitest"
import * as Calls from "../src/Calls.ts"
import * as Service from "../src/internal/service.ts"
import { withPeer } from "./utils/check.ts"
import { find, HEADER, type Options, type Peer, queries, QUERY, type Received, RESULT } from "./utils/sessionPeer.ts"

class Harness {
  readonly peer: Peer
  readonly calls: Calls.Calls
  readonly outcomes: Array<Calls.Outcome> = []

  constructor(peer: Peer, options?: Partial<Calls.Options>) {
    this.peer = peer
    this.calls = Calls.make(options)
    this.calls.bind(peer.now, peer.session)
    peer.attach()
  }

  submit(n: number, init: Partial<Calls.Init> = {}): Calls.Call {
    return this.calls.submit(this.peer.now, {
      body: QUERY(n),
      repeatable: true,
      floodWaitLimit: 10_000,
      deadline: Infinity,
      ...init
    })
  }

  /** The queries that are sent now. */
  sent(): ReadonlyArray<Received> {
    this.outcomes.push(...this.calls.poll(this.peer.now))
    return queries(this.peer.poll())
  }

  numbers(): ReadonlyArray<number> {
    return this.sent().map((message) => message.body.at(-1)!)
  }

  settle(): void {
    for (const event of this.peer.events()) {
      if (!("query" in event)) continue
      const outcome = this.calls.handle(this.peer.now, event)
      if (outcome !== undefined) this.outcomes.push(outcome)
    }
  }

  answer(query: Received): void {
    this.peer.answer(query)
    this.settle()
  }

  fail(query: Received, code: number, message: string): void {
    this.peer.fail(query, code, message)
    this.settle()
  }

  take(): Array<Calls.Outcome> {
    return this.outcomes.splice(0)
  }
}

const check = (
  name: string,
  run: (make: (options?: Partial<Calls.Options>, session?: Options) => Harness) => void
): void =>
  withPeer(
    name,
    (peer) => run((options, session) => new Harness(peer({ limits: { stateCheck: 1e9 }, ...session }), options))
  )

describe("Calls: outcomes", () => {
  check("a result", (make) => {
    const h = make()
    const call = h.submit(1)
    h.answer(h.sent()[0]!)
    assert.deepStrictEqual(h.take(), [{ _tag: "Success", call, result: RESULT(0) }])
    assert.strictEqual(h.calls.size, 0)
  })

  check("an error of the server", (make) => {
    const h = make()
    const call = h.submit(1)
    h.fail(h.sent()[0]!, 400, "DATA_INVALID")
    assert.deepStrictEqual(h.take(), [{ _tag: "Error", call, code: 400, message: "DATA_INVALID" }])
  })

  check("after cancelling there is none", (make) => {
    const h = make()
    const call = h.submit(1)
    const [sent] = h.sent()
    h.calls.cancel(call)
    assert.strictEqual(find(h.peer.poll(), "rpc_drop_answer")!.reqMsgId, sent!.msgId)
    h.answer(sent!)
    assert.deepStrictEqual(h.take(), [])
    assert.strictEqual(h.calls.size, 0)
  })

  check("at its deadline a call ends, and the server is told", (make) => {
    const h = make()
    const call = h.submit(1, { deadline: h.peer.now + 5_000 })
    h.submit(2)
    assert.strictEqual(h.calls.wakeAt(), h.peer.now + 5_000)
    const [sent] = h.sent()
    h.peer.now += 4_999
    h.sent()
    assert.deepStrictEqual(h.take(), [])
    h.peer.now += 1
    assert.deepStrictEqual(h.calls.poll(h.peer.now), [{ _tag: "Expired", call }])
    assert.strictEqual(find(h.peer.poll(), "rpc_drop_answer")!.reqMsgId, sent!.msgId)
    assert.strictEqual(h.calls.size, 1)
  })

  check("without a session calls wait, and have their deadline", (make) => {
    const h = make()
    const calls = Calls.make()
    const init = { body: QUERY(1), repeatable: true, floodWaitLimit: 0 }
    const call = calls.submit(0, { ...init, deadline: 100 })
    calls.submit(0, { ...init, deadline: Infinity })
    assert.strictEqual(calls.wakeAt(), 100)
    assert.deepStrictEqual(calls.poll(100), [{ _tag: "Expired", call }])
    assert.strictEqual(calls.wakeAt(), Infinity)
    calls.bind(h.peer.now, h.peer.session)
    assert.strictEqual(queries(h.peer.poll()).length, 1)
  })
})

describe("Calls: flood waits", () => {
  check("up to the limit are waited for", (make) => {
    const h = make()
    const call = h.submit(1, { floodWaitLimit: 3_000 })
    h.fail(h.sent()[0]!, 420, "FLOOD_WAIT_3")
    assert.deepStrictEqual(h.take(), [])
    assert.strictEqual(h.calls.wakeAt(), h.peer.now + 3_000)
    h.peer.now += 2_999
    assert.deepStrictEqual(h.numbers(), [])
    h.peer.now += 1
    const [again] = h.sent()
    h.fail(again!, 420, "FLOOD_WAIT_4")
    assert.deepStrictEqual(h.take(), [{ _tag: "Error", call, code: 420, message: "FLOOD_WAIT_4" }])
  })

  check("of no length are a second long, and do not go on for ever", (make) => {
    const h = make()
    h.submit(1)
    for (let i = 0; i < 5; i++) {
      h.fail(h.sent()[0]!, 420, "FLOOD_PREMIUM_WAIT_0")
      assert.strictEqual(h.calls.wakeAt(), h.peer.now + 1_000)
      h.peer.now += 1_000
    }
    h.fail(h.sent()[0]!, 420, "FLOOD_WAIT_1")
    assert.strictEqual(h.take()[0]!._tag, "Error")
  })
})

describe("Calls: deadlines and waits", () => {
  check("what cannot be waited for in time is an error at once", (make) => {
    const h = make()
    const deadline = h.peer.now + 2_000
    const calls = [h.submit(1, { deadline }), h.submit(2, { deadline }), h.submit(3, { deadline })]
    const sent = h.sent()
    h.fail(sent[0]!, 420, "FLOOD_WAIT_2")
    h.fail(sent[1]!, 420, "FLOOD_WAIT_1")
    h.fail(sent[2]!, 500, "RPC_CALL_FAIL")
    assert.deepStrictEqual(h.take(), [{ _tag: "Error", call: calls[0]!, code: 420, message: "FLOOD_WAIT_2" }])
    h.peer.now += 1_000
    h.fail(h.sent()[1]!, 500, "RPC_CALL_FAIL")
    assert.deepStrictEqual(h.take(), [{ _tag: "Error", call: calls[2]!, code: 500, message: "RPC_CALL_FAIL" }])
  })
})

describe("Calls: internal errors", () => {
  for (const [code, message] of [[500, "RPC_CALL_FAIL"], [-503, "Timeout"], [-500, "No workers running"]] as const) {
    check(`${code} is tried again after 1, 2, 4, 8, 16 seconds, and then an error`, (make) => {
      const h = make()
      const call = h.submit(1)
      for (const seconds of [1, 2, 4, 8, 16]) {
        h.fail(h.sent()[0]!, code, message)
        assert.strictEqual(h.calls.wakeAt(), h.peer.now + seconds * 1_000)
        h.peer.now += seconds * 1_000
      }
      h.fail(h.sent()[0]!, code, message)
      assert.deepStrictEqual(h.take(), [{ _tag: "Error", call, code, message }])
    })
  }

  check("are not tried again for what must not be repeated, or if they mean something", (make) => {
    const h = make()
    h.submit(1, { repeatable: false })
    h.submit(2)
    for (const message of ["RPC_CALL_FAIL", "AUTH_RESTART"]) {
      const [sent, other] = h.sent()
      if (message === "RPC_CALL_FAIL") {
        h.fail(sent!, 500, message)
        h.fail(other!, 500, "AUTH_RESTART")
      }
    }
    assert.deepStrictEqual(h.take().map((outcome) => outcome._tag), ["Error", "Error"])
  })
})

describe("Calls: in flight", () => {
  check("are at most so many, the others in the order of their start", (make) => {
    const h = make({ maxInFlight: 2 })
    for (const n of [1, 2, 3, 4]) h.submit(n)
    const first = h.sent()
    assert.deepStrictEqual(first.map((message) => message.body.at(-1)), [1, 2])
    assert.deepStrictEqual(h.numbers(), [])
    h.answer(first[1]!)
    assert.isTrue(h.calls.wakeAt() <= h.peer.now)
    assert.deepStrictEqual(h.numbers(), [3])
    h.answer(first[0]!)
    assert.deepStrictEqual(h.numbers(), [4])
  })
})

const wrap = (after: Received, n: number) => Uint8Array.of(...Service.invokeAfter(after.msgId), ...HEADER, ...QUERY(n))

describe("Calls: chains", () => {
  check("each call is sent behind the one before it", (make) => {
    const h = make()
    for (const n of [1, 2, 3]) h.submit(n, { chain: "a" })
    h.submit(9, { chain: "b" })
    const [first, second, third, other] = h.sent()
    assert.deepStrictEqual(second!.body, wrap(first!, 2))
    assert.deepStrictEqual(third!.body, wrap(second!, 3))
    assert.deepStrictEqual(other!.body, Uint8Array.of(...HEADER, ...QUERY(9)))
  })

  check("while one waits to be tried again, those behind it wait too", (make) => {
    const h = make()
    for (const n of [1, 2, 3]) h.submit(n, { chain: "a" })
    const [first, second, third] = h.sent()
    h.fail(first!, 500, "RPC_CALL_FAIL")
    h.fail(second!, 400, "MSG_WAIT_FAILED")
    h.fail(third!, 400, "MSG_WAIT_FAILED")
    h.submit(4, { chain: "a" })
    assert.deepStrictEqual(h.numbers(), [])
    assert.strictEqual(h.calls.wakeAt(), h.peer.now + 1_000)
    h.peer.now += 1_000
    assert.deepStrictEqual(h.numbers(), [1, 2, 3, 4])
    assert.deepStrictEqual(h.take(), [])
  })

  check("MSG_WAIT_FAILED is the outcome if the call before really failed", (make) => {
    const h = make()
    const calls = [1, 2, 3].map((n) => h.submit(n, { chain: "a" }))
    const [first, second, third] = h.sent()
    h.fail(first!, 400, "ENCRYPTION_DECLINED")
    h.fail(second!, 400, "MSG_WAIT_FAILED")
    h.fail(third!, 400, "MSG_WAIT_FAILED")
    assert.deepStrictEqual(
      h.take().map((outcome) => [outcome.call, outcome._tag]),
      calls.map((call) => [call, "Error"])
    )
  })

  check("also of those that were not sent yet", (make) => {
    const h = make({ maxInFlight: 1 })
    const calls = [1, 2, 3].map((n) => h.submit(n, { chain: "a" }))
    const other = h.submit(9)
    h.fail(h.sent()[0]!, 400, "ENCRYPTION_DECLINED")
    assert.isTrue(h.calls.wakeAt() <= h.peer.now)
    assert.deepStrictEqual(h.numbers(), [9])
    assert.deepStrictEqual(h.take(), [
      { _tag: "Error", call: calls[0]!, code: 400, message: "ENCRYPTION_DECLINED" },
      { _tag: "Error", call: calls[1]!, code: 400, message: "MSG_WAIT_FAILED" },
      { _tag: "Error", call: calls[2]!, code: 400, message: "MSG_WAIT_FAILED" }
    ])
    h.submit(4, { chain: "a" })
    h.calls.cancel(other)
    assert.deepStrictEqual(h.numbers(), [4])
  })

  check("and is tried again if the server has only lost the order", (make) => {
    const h = make()
    h.submit(1, { chain: "a" })
    h.submit(2, { chain: "a" })
    const [first, second] = h.sent()
    h.answer(first!)
    h.fail(second!, 400, "MSG_WAIT_FAILED")
    const [again] = h.sent()
    assert.deepStrictEqual(again!.body, QUERY(2))
    h.answer(again!)
    assert.deepStrictEqual(h.take().map((outcome) => outcome._tag), ["Success", "Success"])
  })

  check("a call whose predecessor is cancelled goes on", (make) => {
    const h = make()
    const first = h.submit(1, { chain: "a" })
    h.submit(2, { chain: "a" })
    h.fail(h.sent()[0]!, 500, "RPC_CALL_FAIL")
    h.calls.cancel(first)
    h.sent()
    h.submit(3, { chain: "a" })
    assert.deepStrictEqual(h.numbers(), [3])
  })

  check("the order survives a new session", (make) => {
    const h = make()
    for (const n of [1, 2, 3]) h.submit(n, { chain: "a" })
    const sent = h.sent()
    h.answer(sent[0]!)
    const other = make()
    h.calls.bind(h.peer.now, other.peer.session)
    const again = queries(other.peer.poll())
    assert.deepStrictEqual(again.map((message) => message.body.at(-1)), [2, 3])
    assert.deepStrictEqual(again[1]!.body, wrap(again[0]!, 3))
  })
})
