import type * as Api from "@effect-mtproto/core/Api"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as Updates from "../src/Updates.ts"

const state: Updates.State = { pts: 10, qts: 100, date: 1_000, seq: 5 }

const message = (id: number): Api.EncryptedMessage => ({
  _tag: "encryptedMessageService",
  randomId: BigInt(id),
  chatId: 1,
  date: 1,
  bytes: new Uint8Array(0)
})

const encrypted = (qts: number): Api.Update => ({ _tag: "updateNewEncryptedMessage", message: message(qts), qts })

const chat = (id: number, discarded = false): Api.Update => ({
  _tag: "updateEncryption",
  chat: discarded ? { _tag: "encryptedChatDiscarded", id } : { _tag: "encryptedChatEmpty", id },
  date: 1
})

const typing = (chatId: number): Api.Update => ({ _tag: "updateEncryptedChatTyping", chatId })

const deleted = (pts: number, ptsCount = 1): Api.Update => ({
  _tag: "updateDeleteMessages",
  messages: [],
  pts,
  ptsCount
})

const short = (update: Api.Update): Api.Updates => ({ _tag: "updateShort", update, date: 7 })

const batch = (seq: number, ...updates: ReadonlyArray<Api.Update>): Api.Updates => ({
  _tag: "updates",
  updates,
  users: [],
  chats: [],
  date: 2_000 + seq,
  seq
})

const difference = (parts: {
  readonly encrypted?: ReadonlyArray<number>
  readonly other?: ReadonlyArray<Api.Update>
  readonly state?: Partial<Updates.State>
  readonly slice?: boolean
}): Api.updates.Difference => {
  const content = {
    newMessages: [],
    newEncryptedMessages: (parts.encrypted ?? []).map(message),
    otherUpdates: parts.other ?? [],
    chats: [],
    users: []
  }
  const after = { _tag: "updates.state", ...state, unreadCount: 0, ...parts.state } as const
  return parts.slice === true
    ? { _tag: "updates.differenceSlice", ...content, intermediateState: after }
    : { _tag: "updates.difference", ...content, state: after }
}

const EMPTY: Api.updates.Difference = { _tag: "updates.differenceEmpty", date: 1_001, seq: 5 }

class Harness {
  now = 0
  readonly machine: Updates.Updates
  readonly delivered: Array<Updates.Delivery> = []
  readonly asked: Array<Updates.Command> = []
  readonly stored: Array<Updates.State> = []

  constructor(options?: Partial<Updates.Options>) {
    this.machine = Updates.make(options)
  }

  settle(): this {
    for (const command of this.machine.commands()) {
      if (command._tag === "Deliver") this.delivered.push(command.delivery)
      else if (command._tag === "Store") this.stored.push(command.state)
      else this.asked.push(command)
    }
    return this
  }

  /** Started from `state`, with an empty difference. */
  live(): this {
    this.machine.start(this.now, state)
    this.machine.onDifference(this.now, EMPTY)
    this.settle()
    this.asked.length = 0
    return this
  }

  receive(...updates: ReadonlyArray<Api.Updates>): this {
    for (const item of updates) this.machine.onUpdates(this.now, item)
    return this.settle()
  }

  answer(value: Api.updates.Difference): this {
    this.machine.onDifference(this.now, value)
    return this.settle()
  }

  wait(millis: number): this {
    this.now += millis
    this.machine.poll(this.now)
    return this.settle()
  }

  confirm(...positions: ReadonlyArray<number>): this {
    for (const position of positions) this.machine.confirm(this.now, position)
    return this.settle()
  }

  confirmAll(): this {
    return this.confirm(...this.delivered.map((delivery) => delivery.position))
  }

  names(): ReadonlyArray<string> {
    return this.delivered.map(({ update }) => name(update))
  }

  asks(): ReadonlyArray<string> {
    return this.asked.splice(0).map((command) => command._tag)
  }
}

const name = (update: Api.Update): string => {
  switch (update._tag) {
    case "updateNewEncryptedMessage":
      return `m${update.message.randomId}`
    case "updateEncryption":
      return `${update.chat._tag === "encryptedChatDiscarded" ? "close" : "open"}${update.chat.id}`
    case "updateEncryptedChatTyping":
      return `typing${update.chatId}`
    case "updateDeleteMessages":
      return `pts${update.pts}`
    default:
      return update._tag
  }
}

describe("Updates: the start", () => {
  it("from nothing: the server's state, and then the difference at once", () => {
    const h = new Harness()
    h.machine.start(0, undefined)
    assert.deepStrictEqual(h.settle().asks(), ["GetState"])
    h.machine.onState(0, state)
    h.settle()
    assert.deepStrictEqual(h.asked, [{ _tag: "GetDifference", state }])
    assert.deepStrictEqual(h.stored, [state])
  })

  it("from a stored state: the difference since then", () => {
    const h = new Harness()
    h.machine.start(0, state)
    assert.deepStrictEqual(h.settle().asked, [{ _tag: "GetDifference", state }])
    h.answer(difference({ encrypted: [101, 102], state: { qts: 102 } }))
    assert.deepStrictEqual(h.names(), ["m101", "m102"])
    assert.deepStrictEqual(h.stored, [])
    h.confirmAll()
    assert.deepStrictEqual(h.stored.at(-1), { ...state, qts: 102 })
  })

  it("what comes meanwhile waits, and what the difference had is dropped", () => {
    const h = new Harness()
    h.machine.start(0, state)
    h.receive(short(encrypted(102)), short(encrypted(103)))
    assert.deepStrictEqual(h.names(), [])
    h.answer(difference({ encrypted: [101, 102], state: { qts: 102 } }))
    assert.deepStrictEqual(h.names(), ["m101", "m102", "m103"])
  })

  it("before a login only what has no counter is delivered", () => {
    const h = new Harness()
    h.receive(short({ _tag: "updateLoginToken" }), short(encrypted(1)), batch(1, chat(1)))
    assert.deepStrictEqual(h.names(), ["updateLoginToken", "open1"])
    assert.deepStrictEqual(h.asks(), [])
  })
})

describe("Updates: order", () => {
  it("qts: in order, duplicates dropped", () => {
    const h = new Harness().live()
    h.receive(short(encrypted(101)), short(encrypted(101)), short(encrypted(102)), short(encrypted(100)))
    assert.deepStrictEqual(h.names(), ["m101", "m102"])
    assert.deepStrictEqual(h.asks(), [])
  })

  it("qts: what came too early waits for what is missing", () => {
    const h = new Harness().live()
    h.receive(short(encrypted(103)), short(encrypted(102)))
    assert.deepStrictEqual(h.names(), [])
    h.receive(short(encrypted(101)))
    assert.deepStrictEqual(h.names(), ["m101", "m102", "m103"])
    assert.deepStrictEqual(h.wait(10_000).asks(), [])
  })

  it("qts: after 0.7 s the difference is asked for", () => {
    const h = new Harness().live()
    h.receive(short(encrypted(103)))
    assert.strictEqual(h.machine.wakeAt(), 700)
    assert.deepStrictEqual(h.wait(699).asks(), [])
    assert.deepStrictEqual(h.wait(1).asks(), ["GetDifference"])
    h.answer(difference({ encrypted: [101, 102, 103], state: { qts: 103 } }))
    assert.deepStrictEqual(h.names(), ["m101", "m102", "m103"])
  })

  it("qts: a gap that the server does not know is skipped in the end, not asked about for ever", () => {
    const h = new Harness().live()
    h.receive(short(encrypted(105)))
    for (let i = 0; i < 3; i++) {
      assert.deepStrictEqual(h.wait(700).asks(), ["GetDifference"])
      h.answer(EMPTY)
    }
    assert.deepStrictEqual(h.names(), ["m105"])
    assert.deepStrictEqual(h.wait(5_000).asks(), [])
  })

  it("qts: a great fall is a new beginning, 0 has no place", () => {
    const h = new Harness()
    h.machine.start(0, { ...state, qts: 2_000_000 })
    h.answer(EMPTY)
    h.receive(short(encrypted(5)), short(encrypted(0)), short(encrypted(6)))
    assert.deepStrictEqual(h.names(), ["m5", "m0", "m6"])
  })

  it("pts: in order, gaps as for qts, and those of channels are not ours", () => {
    const h = new Harness().live()
    h.receive(short(deleted(11)), short(deleted(14, 3)), short(deleted(12)))
    h.receive(short({ _tag: "updateDeleteChannelMessages", channelId: 1n, messages: [], pts: 77, ptsCount: 1 }))
    assert.deepStrictEqual(h.names(), ["pts11", "pts14", "updateDeleteChannelMessages"])
    h.receive(short(deleted(16)))
    assert.deepStrictEqual(h.wait(700).asks(), ["GetDifference"])
  })

  it("seq: 0 any time, the next one counts, an old one is dropped, a later one waits", () => {
    const h = new Harness().live()
    h.receive(batch(0, typing(0)), batch(6, typing(6)), batch(6, typing(6)), batch(8, typing(8)))
    assert.deepStrictEqual(h.names(), ["typing0", "typing6"])
    h.receive(batch(7, typing(7)))
    assert.deepStrictEqual(h.names(), ["typing0", "typing6", "typing7", "typing8"])
    assert.strictEqual(h.machine.state!.seq, 8)
    assert.strictEqual(h.machine.state!.date, 2_008)
  })

  it("seq: updatesCombined spans several", () => {
    const h = new Harness().live()
    const combined: Api.Updates = {
      _tag: "updatesCombined",
      updates: [typing(1)],
      users: [],
      chats: [],
      date: 3_000,
      seqStart: 6,
      seq: 9
    }
    h.receive(combined, batch(10, typing(2)))
    assert.deepStrictEqual(h.names(), ["typing1", "typing2"])
    assert.strictEqual(h.machine.state!.seq, 10)
  })

  it("in a batch a chat is opened before its messages", () => {
    const h = new Harness().live()
    h.receive(batch(6, encrypted(101), typing(1), chat(1), encrypted(102)))
    assert.deepStrictEqual(h.names(), ["open1", "m101", "typing1", "m102"])
  })

  it("messages do not overtake a batch that waits, which may open their chat", () => {
    const h = new Harness().live()
    h.receive(batch(7, chat(1)), short(encrypted(101)), short(encrypted(102)))
    assert.deepStrictEqual(h.names(), [])
    h.receive(batch(6, typing(1)))
    assert.deepStrictEqual(h.names(), ["typing1", "open1", "m101", "m102"])
  })

  it("a chat is not closed before the messages that wait", () => {
    const h = new Harness().live()
    h.receive(short(encrypted(102)), short(chat(1, true)))
    assert.deepStrictEqual(h.names(), [])
    h.receive(short(encrypted(101)))
    assert.deepStrictEqual(h.names(), ["m101", "m102", "close1"])
  })

  it("short messages become what they stand for", () => {
    const h = new Harness().live()
    const common = { id: 1, message: "hi", pts: 11, ptsCount: 1, date: 9 }
    h.receive({ _tag: "updateShortMessage", userId: 4n, ...common, silent: true })
    h.receive({ _tag: "updateShortChatMessage", fromId: 4n, chatId: 5n, ...common, pts: 12 })
    h.receive({ _tag: "updateShortSentMessage", id: 1, pts: 13, ptsCount: 1, date: 9 }, short(deleted(14)))
    assert.deepStrictEqual(h.delivered.map(({ update }) => update), [
      {
        _tag: "updateNewMessage",
        message: {
          _tag: "message",
          silent: true,
          id: 1,
          peerId: { _tag: "peerUser", userId: 4n },
          date: 9,
          message: "hi"
        },
        pts: 11,
        ptsCount: 1
      },
      {
        _tag: "updateNewMessage",
        message: {
          _tag: "message",
          id: 1,
          fromId: { _tag: "peerUser", userId: 4n },
          peerId: { _tag: "peerChat", chatId: 5n },
          date: 9,
          message: "hi"
        },
        pts: 12,
        ptsCount: 1
      },
      deleted(14)
    ])
  })
})

describe("Updates: the difference", () => {
  it("opens chats before messages and closes them after", () => {
    const h = new Harness()
    h.machine.start(0, state)
    h.answer(difference({
      encrypted: [101],
      other: [typing(9), chat(1, true), chat(2), typing(8)],
      state: { qts: 101 }
    }))
    assert.deepStrictEqual(h.names(), ["open2", "m101", "close1", "typing9", "typing8"])
  })

  it("numbers messages exactly when their number is the difference of the counters", () => {
    const h = new Harness()
    h.machine.start(0, state)
    h.answer(difference({ encrypted: [1, 2, 3], state: { qts: 103 } }))
    const qts = () => h.delivered.map(({ update }) => "qts" in update ? update.qts : undefined)
    assert.deepStrictEqual(qts(), [101, 102, 103])
    h.machine.onReconnect(0)
    h.answer(difference({ encrypted: [4, 5], state: { qts: 110 } }))
    assert.deepStrictEqual(qts().slice(3), [103, 110])
    h.confirm(0, 1, 2, 3)
    assert.strictEqual(h.stored.at(-1)!.qts, 103)
    h.confirm(4)
    assert.strictEqual(h.stored.at(-1)!.qts, 110)
  })

  it("comes in slices, each asked for from where the last one ended", () => {
    const h = new Harness()
    h.machine.start(0, state)
    h.settle().asked.length = 0
    h.answer(difference({ encrypted: [101], state: { qts: 101 }, slice: true }))
    assert.deepStrictEqual(h.asked.splice(0), [{ _tag: "GetDifference", state: { ...state, qts: 101 } }])
    h.answer(difference({ encrypted: [102], state: { qts: 102, seq: 6 } }))
    assert.deepStrictEqual(h.names(), ["m101", "m102"])
    assert.deepStrictEqual(h.asks(), [])
  })

  it("that does not get on is not asked for in a busy loop", () => {
    const h = new Harness()
    h.machine.start(0, state)
    h.settle().asked.length = 0
    h.answer(difference({ slice: true }))
    assert.deepStrictEqual(h.asks(), [])
    assert.deepStrictEqual(h.wait(1_000).asks(), ["GetDifference"])
    h.answer({ _tag: "updates.differenceTooLong", pts: state.pts })
    assert.deepStrictEqual(h.asks(), [])
    assert.deepStrictEqual(h.wait(2_000).asks(), ["GetDifference"])
  })

  it("too long: pts jumps, marked, and it is asked for again", () => {
    const h = new Harness()
    h.machine.start(0, state)
    h.settle().asked.length = 0
    h.answer({ _tag: "updates.differenceTooLong", pts: 5_000 })
    assert.deepStrictEqual(h.names(), ["updatePtsChanged"])
    assert.deepStrictEqual(h.asked.splice(0), [{ _tag: "GetDifference", state: { ...state, pts: 5_000 } }])
    h.answer(difference({ encrypted: [101], state: { pts: 5_000, qts: 101 } }))
    assert.deepStrictEqual(h.names(), ["updatePtsChanged", "m101"])
  })

  it("is asked for after a reconnection, a new session, updatesTooLong, and a quarter of an hour", () => {
    const h = new Harness().live()
    const due = (act: () => void) => {
      act()
      h.settle()
      assert.deepStrictEqual(h.asks(), ["GetDifference"])
      h.answer(EMPTY)
    }
    due(() => h.machine.onReconnect(h.now))
    due(() => h.machine.onSessionCreated(h.now))
    due(() => h.machine.onUpdates(h.now, { _tag: "updatesTooLong" }))
    due(() => h.wait(15 * 60_000))
  })

  it("is asked for again when the connection broke meanwhile", () => {
    const h = new Harness().live()
    h.machine.onReconnect(0)
    h.machine.onReconnect(0)
    assert.deepStrictEqual(h.settle().asks(), ["GetDifference"])
    h.answer(EMPTY)
    assert.deepStrictEqual(h.asks(), ["GetDifference"])
    h.answer(EMPTY)
    assert.deepStrictEqual(h.asks(), [])
  })

  it("is asked for a second after updates that could not be read", () => {
    const h = new Harness().live()
    h.machine.onUnreadable(0)
    assert.deepStrictEqual(h.settle().asks(), [])
    assert.deepStrictEqual(h.wait(1_000).asks(), ["GetDifference"])
  })

  it("that fails is tried again after 1, 2, 4, ... 60 s, and at once after a reconnection", () => {
    const h = new Harness()
    h.machine.start(0, state)
    h.settle()
    const waits: Array<number> = []
    for (let i = 0; i < 8; i++) {
      h.machine.onFailure(h.now)
      waits.push(h.machine.wakeAt() - h.now)
      h.wait(waits.at(-1)!)
    }
    assert.deepStrictEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1_000))
    h.machine.onFailure(h.now)
    h.machine.onReconnect(h.now)
    h.asked.length = 0
    assert.deepStrictEqual(h.wait(0).asks(), ["GetDifference"])
  })

  it("from a state that the server does not accept: its state, but our qts", () => {
    const h = new Harness()
    h.machine.start(0, state)
    h.settle().asked.length = 0
    h.machine.onFailure(0, true)
    assert.deepStrictEqual(h.wait(1_000).asks(), ["GetState"])
    h.machine.onState(h.now, { pts: 90, qts: 900, date: 9, seq: 9 })
    assert.deepStrictEqual(h.settle().asked, [
      { _tag: "GetDifference", state: { pts: 90, qts: 100, date: 9, seq: 9 } }
    ])
  })

  it("never sets qts back", () => {
    const h = new Harness().live()
    h.receive(short(encrypted(101)))
    h.machine.onReconnect(0)
    h.answer(difference({ state: { qts: 100 } }))
    assert.strictEqual(h.machine.state!.qts, 101)
  })
})

describe("Updates: confirmation", () => {
  it("stores the state after the last update before which everything is confirmed", () => {
    const h = new Harness().live()
    h.receive(short(encrypted(101)), short(encrypted(102)), short(encrypted(103)))
    const [a, b, c] = h.delivered.map((delivery) => delivery.position)
    const before = h.stored.length
    h.confirm(b!)
    assert.strictEqual(h.stored.length, before)
    h.confirm(a!)
    assert.strictEqual(h.stored.at(-1)!.qts, 102)
    h.confirm(a!, b!)
    h.confirm(c!)
    assert.strictEqual(h.stored.at(-1)!.qts, 103)
    assert.strictEqual(h.stored.length, before + 2)
  })

  it("seq of a batch is stored after all of it", () => {
    const h = new Harness().live()
    h.receive(batch(6, typing(1), typing(2)))
    h.confirm(h.delivered[0]!.position)
    assert.strictEqual(h.machine.confirmed!.seq, 5)
    h.confirm(h.delivered[1]!.position)
    assert.strictEqual(h.machine.confirmed!.seq, 6)
  })

  it("too many that wait: memory is bounded, and what was dropped is fetched later", () => {
    const h = new Harness({ window: 4 }).live()
    for (let qts = 101; qts <= 120; qts++) h.receive(short(encrypted(qts)))
    assert.deepStrictEqual(h.names(), ["m101", "m102", "m103", "m104"])
    h.machine.onReconnect(0)
    assert.deepStrictEqual(h.settle().asks(), [])
    h.confirm(h.delivered[0]!.position)
    assert.deepStrictEqual(h.asks(), [])
    h.confirm(h.delivered[1]!.position)
    assert.deepStrictEqual(h.asked.splice(0), [{ _tag: "GetDifference", state: h.machine.state! }])
    assert.strictEqual(h.machine.state!.qts, 104)
  })

  it("confirmations of an account that has logged out do nothing", () => {
    const h = new Harness().live()
    h.receive(short(encrypted(101)))
    h.machine.stop()
    h.confirmAll()
    assert.isUndefined(h.machine.confirmed)
    h.machine.start(0, state)
    h.settle()
    h.confirmAll()
    assert.deepStrictEqual(h.machine.confirmed, state)
  })
})

/** A server that knows everything up to `last`, and answers differences truthfully. */
const answerTruthfully = (h: Harness, last: number, limit: number) => {
  while (h.asked.length > 0) {
    const command = h.asked.shift()!
    if (command._tag !== "GetDifference") continue
    const from = command.state.qts
    const to = Math.min(last, from + limit)
    const messages = Array.from({ length: to - from }, (_, i) => from + 1 + i)
    h.answer(
      from === last
        ? { _tag: "updates.differenceEmpty", date: 1, seq: 5 }
        : difference({ encrypted: messages, state: { qts: to, date: 1 }, slice: to < last })
    )
  }
}

describe("Updates: properties", () => {
  const Step = Schema.Union([
    Schema.Struct({
      _tag: Schema.Literal("push"),
      qts: Schema.Int.check(Schema.isBetween({ minimum: 101, maximum: 130 }))
    }),
    Schema.Struct({
      _tag: Schema.Literal("wait"),
      millis: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2_000 }))
    }),
    Schema.Struct({ _tag: Schema.Literal("reconnect") }),
    Schema.Struct({
      _tag: Schema.Literal("confirm"),
      count: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
    }),
    Schema.Struct({ _tag: Schema.Literal("restart") })
  ])

  it.prop(
    "whatever is lost, repeated, reordered or crashes: every message, in order, none before it is confirmed forgotten",
    [
      Arbitrary.array(Arbitrary.schema(Step), { maxLength: 60 }),
      Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 })))
    ],
    ([steps, limit]) => {
      let h = new Harness({ window: 8 })
      h.machine.start(0, { ...state, date: 1 })
      h.settle()
      let last = 100
      let stored: Updates.State = { ...state, date: 1 }
      /** What the consumer has written, in order. */
      const written: Array<number> = []
      let taken = 0

      const consume = (count: number) => {
        for (const delivery of h.delivered.slice(taken, taken + count)) {
          const { update } = delivery
          if (update._tag !== "updateNewEncryptedMessage") throw new Error(update._tag)
          const id = Number(update.message.randomId)
          const expected = (written.at(-1) ?? 100) + 1
          // after a restart it may come again, but nothing is left out
          assert.isTrue(id <= expected, `${id} after ${expected - 1}`)
          if (id === expected) written.push(id)
          taken++
          h.confirm(delivery.position)
          const confirmed = h.stored.at(-1)
          if (confirmed !== undefined) {
            stored = confirmed
            assert.isTrue(stored.qts <= (written.at(-1) ?? 100), "what is not written is not confirmed")
          }
        }
      }

      for (const step of steps) {
        switch (step._tag) {
          case "push":
            last = Math.max(last, step.qts)
            h.receive(short(encrypted(step.qts)))
            break
          case "wait":
            h.wait(step.millis)
            break
          case "reconnect":
            h.machine.onReconnect(h.now)
            h.settle()
            break
          case "confirm":
            consume(step.count)
            break
          case "restart":
            h = new Harness({ window: 8 })
            taken = 0
            h.machine.start(0, stored)
            h.settle()
        }
        answerTruthfully(h, last, limit)
      }
      for (let i = 0; i < 100 && (written.at(-1) ?? 100) !== last; i++) {
        consume(8)
        h.wait(1_000)
        h.machine.onReconnect(h.now)
        h.settle()
        answerTruthfully(h, last, limit)
      }
      assert.deepStrictEqual(written, Array.from({ length: last - 100 }, (_, i) => 101 + i))
    },
    { arbitrary: { runs: 500 } }
  )
})
