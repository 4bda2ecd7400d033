import type * as Content from "@effect-mtproto/secret-chats/protocol/Content"
import * as Timers from "@effect-mtproto/secret-chats/protocol/Timers"
import * as Ttl from "@effect-mtproto/secret-chats/protocol/Ttl"
import { assert, describe, it } from "@effect/vitest"
import { NOW, of, one, ready, receive, send, step, type Stepped, text } from "./support.ts"

const photo: Content.Message["media"] = {
  _tag: "decryptedMessageMediaPhoto",
  thumb: new Uint8Array(),
  thumbW: 0,
  thumbH: 0,
  w: 1,
  h: 1,
  size: 1,
  key: new Uint8Array(32),
  iv: new Uint8Array(32),
  caption: ""
}
const document = (
  ...attributes: Extract<Content.Message["media"], { _tag: "decryptedMessageMediaDocument" }>["attributes"]
): Content.Message["media"] => ({
  _tag: "decryptedMessageMediaDocument",
  thumb: new Uint8Array(),
  thumbW: 0,
  thumbH: 0,
  mimeType: "x/y",
  size: 1n,
  key: new Uint8Array(32),
  iv: new Uint8Array(32),
  attributes,
  caption: ""
})
const point: Content.Message["media"] = { _tag: "decryptedMessageMediaGeoPoint", lat: 1, long: 2 }

/** The timers of a chat after the outputs of a step. */
const after = (timers: ReadonlyArray<Timers.Timer>, stepped: Stepped): ReadonlyArray<Timers.Timer> =>
  stepped.outputs.reduce<ReadonlyArray<Timers.Timer>>((now, output) => {
    switch (output._tag) {
      case "PutTimer":
      case "DateTimer":
      case "StartViewed":
      case "StartOpened":
      case "DropTimers":
        return Timers.apply(now, output)
      default:
        return now
    }
  }, timers)

describe("what starts a timer", () => {
  it.each(
    [
      ["text", undefined, 5, "view"],
      ["photo", photo, 5, "open"],
      ["photo, 60 s", photo, 60, "open"],
      ["photo, more than 60 s", photo, 61, "view"],
      ["document", document({ _tag: "documentAttributeFilename", fileName: "a" }), 5, "view"],
      ["animation", document({ _tag: "documentAttributeAnimated" }), 5, "open"],
      ["video", document({ _tag: "documentAttributeVideo", duration: 1, w: 1, h: 1 }), 5, "open"],
      ["voice", document({ _tag: "documentAttributeAudio", duration: 1, voice: true }), 5, "open"],
      ["place", point, 5, "view"]
    ] as const
  )("%s: %s", (_, media, ttl, expected) => {
    const message: Content.Message = text(1n, "", media === undefined ? { ttl } : { ttl, media })
    assert.strictEqual(Timers.startsOn(message), expected)
  })

  it("no timer without ttl", () => {
    assert.strictEqual(Timers.make("incoming", text(1n), 1), undefined)
    assert.strictEqual(Timers.make("incoming", text(1n, "", { ttl: -5 }), 1), undefined)
  })
})

describe("incoming", () => {
  it("a text runs from when it was marked read, ends once, and is deleted here only", () => {
    const first = receive(ready("creator"), text(1n, "x", { ttl: 10 }), { date: 100 })
    let timers = after([], first)
    assert.deepStrictEqual(timers, [{ direction: "incoming", randomId: 1n, ttl: 10, startsOn: "view", date: 100 }])
    assert.strictEqual(Timers.nextExpiry(timers), undefined)
    const earlier = step(first.state, { _tag: "MarkRead", maxDate: 99 }, NOW)
    assert.strictEqual(Timers.nextExpiry(after(timers, earlier)), undefined)
    const read = step(earlier.state, { _tag: "MarkRead", maxDate: 100 }, NOW)
    timers = after(timers, read)
    assert.strictEqual(Timers.nextExpiry(timers), NOW / 1000 + 10)
    assert.deepStrictEqual(Timers.expired(timers, NOW / 1000 + 9), [])
    assert.deepStrictEqual(Timers.expired(timers, NOW / 1000 + 10).map((t) => t.randomId), [1n])
    const expired = step(read.state, { _tag: "Expired", direction: "incoming", randomIds: [1n] })
    assert.deepStrictEqual(expired.tags, ["DeleteMessages", "DropTimers", "Emit"])
    assert.deepStrictEqual(after(timers, expired), [])
  })

  it("reading is reported with growing dates only", () => {
    const state = ready("creator")
    const first = step(state, { _tag: "MarkRead", maxDate: 100 })
    assert.deepStrictEqual(one(first, "ReadHistory").maxDate, 100)
    assert.deepStrictEqual(first.events.map((e) => e._tag), ["MessagesRead"])
    assert.deepStrictEqual(step(first.state, { _tag: "MarkRead", maxDate: 100 }).outputs, [])
    assert.deepStrictEqual(step(first.state, { _tag: "MarkRead", maxDate: 50 }).outputs, [])
  })

  it("secret media waits until it is opened", () => {
    const first = receive(ready("creator"), text(1n, "", { ttl: 10, media: photo! }), { date: 100 })
    let timers = after([], first)
    const read = step(first.state, { _tag: "MarkRead", maxDate: 100 })
    timers = after(timers, read)
    assert.strictEqual(Timers.nextExpiry(timers), undefined)
    const opened = send(read.state, {
      _tag: "decryptedMessageService",
      randomId: 2n,
      action: { _tag: "decryptedMessageActionReadMessages", randomIds: [1n] }
    })
    assert.strictEqual(Timers.nextExpiry(after(timers, opened)), NOW / 1000 + 10)
  })

  it("runs on in a closed chat", () => {
    const first = receive(ready("creator"), text(1n, "x", { ttl: 10 }), { date: 100 })
    const closed = step(first.state, { _tag: "Discard", deleteHistory: false })
    const timers = after(after([], first), closed)
    assert.strictEqual(timers.length, 1)
    const read = step(closed.state, { _tag: "MarkRead", maxDate: 100 })
    assert.strictEqual(Timers.nextExpiry(after(timers, read)), NOW / 1000 + 10)
    assert.deepStrictEqual(of(read, "ReadHistory"), [])
    const expired = step(read.state, { _tag: "Expired", direction: "incoming", randomIds: [1n] })
    assert.strictEqual(of(expired, "DeleteMessages").length, 1)
    assert.strictEqual(expired.state.phase._tag, "Closed")
  })
})

describe("outgoing", () => {
  const sent = (ttl = 10) => {
    const stepped = send(ready("creator"), text(1n, "x", { ttl }))
    return { stepped, timers: after([], stepped), record: one(stepped, "Seal").record }
  }

  it("runs from when the peer has read it, by the date in the update", () => {
    const { record, stepped, timers } = sent()
    assert.strictEqual(timers[0]!.date, undefined)
    const taken = step(stepped.state, { _tag: "Sent", record, date: 500 })
    const dated = after(timers, taken)
    assert.strictEqual(dated[0]!.date, 500)
    const unread = step(taken.state, { _tag: "ReadByPeer", maxDate: 499, date: 900 })
    assert.strictEqual(Timers.nextExpiry(after(dated, unread)), undefined)
    const read = step(unread.state, { _tag: "ReadByPeer", maxDate: 500, date: 1000 })
    assert.strictEqual(Timers.nextExpiry(after(dated, read)), 1010)
    assert.deepStrictEqual(read.events, [{ _tag: "MessagesRead", by: "peer", maxDate: 500, date: 1000 }])
    // an older report changes nothing
    assert.deepStrictEqual(step(read.state, { _tag: "ReadByPeer", maxDate: 400, date: 2000 }).outputs, [])
  })

  it("read before the server's answer is here", () => {
    const { record, stepped, timers } = sent()
    const read = step(stepped.state, { _tag: "ReadByPeer", maxDate: 600, date: 1000 })
    const taken = step(read.state, { _tag: "Sent", record, date: 500 })
    assert.strictEqual(Timers.nextExpiry(after(after(timers, read), taken)), 1010)
  })

  it("a refused message has no timer any more", () => {
    const { record, stepped, timers } = sent()
    const refused = step(stepped.state, { _tag: "Refused", record, error: { code: 400, type: "DATA_INVALID" } })
    assert.deepStrictEqual(after(timers, refused), [])
  })
})

describe("the meaning of changes", () => {
  const timer = (randomId: bigint, more: Partial<Timers.Timer> = {}): Timers.Timer => ({
    direction: "incoming",
    randomId,
    ttl: 5,
    startsOn: "view",
    date: 10,
    ...more
  })

  it("a running timer is not started again", () => {
    const running = Timers.apply([timer(1n)], { _tag: "StartViewed", direction: "incoming", maxDate: 10, at: 100 })
    assert.deepStrictEqual(
      Timers.apply(running, { _tag: "StartViewed", direction: "incoming", maxDate: 10, at: 200 }),
      running
    )
    assert.deepStrictEqual(
      Timers.apply(running, { _tag: "StartOpened", direction: "incoming", randomIds: [1n], at: 200 }),
      running
    )
  })

  it("directions do not mix", () => {
    const two = [timer(1n), timer(1n, { direction: "outgoing" })]
    const [incoming, outgoing] = Timers.apply(two, {
      _tag: "StartOpened",
      direction: "outgoing",
      randomIds: [1n],
      at: 1
    })
    assert.strictEqual(incoming!.expiresAt, undefined)
    assert.strictEqual(outgoing!.expiresAt, 6)
  })

  it("the earliest comes first", () => {
    const timers = [timer(1n, { expiresAt: 30 }), timer(2n, { expiresAt: 10 }), timer(3n), timer(4n, { expiresAt: 20 })]
    assert.strictEqual(Timers.nextExpiry(timers), 10)
    assert.deepStrictEqual(Timers.expired(timers, 20).map((t) => t.randomId), [2n, 4n])
  })
})

describe("what a change means for one timer", () => {
  const timer: Timers.Timer = { direction: "outgoing", randomId: 1n, ttl: 5, startsOn: "view", date: 100 }
  const { date: _, ...undated } = timer
  const opening: Timers.Timer = { ...timer, startsOn: "open" }
  const started = { ...timer, expiresAt: 205 }
  const viewed: Timers.Change = { _tag: "StartViewed", direction: "outgoing", maxDate: 100, at: 200 }
  const opened: Timers.Change = { _tag: "StartOpened", direction: "outgoing", randomIds: [7n, 1n], at: 200 }
  const dated: Timers.Change = { _tag: "DateTimer", randomId: 1n, date: 9 }
  it.each<readonly [string, Timers.Timer, Timers.Change, Timers.Timer | undefined]>([
    ["another timer", timer, { _tag: "PutTimer", timer: { ...timer, randomId: 2n } }, timer],
    ["taken by the server", undated, dated, { ...undated, date: 9 }],
    ["taken by the server, another", undated, { ...dated, randomId: 2n }, undated],
    ["taken by the server, but it is the peer's", { ...timer, direction: "incoming" }, dated, {
      ...timer,
      direction: "incoming"
    }],
    ["viewed, up to its date", timer, viewed, started],
    ["viewed, but it is later", timer, { ...viewed, maxDate: 99 }, timer],
    ["viewed, the other direction", timer, { ...viewed, direction: "incoming" }, timer],
    ["viewed, but it starts on opening", opening, viewed, opening],
    ["viewed, but the server has not taken it", undated, viewed, undated],
    ["viewed again", started, { ...viewed, at: 300 }, started],
    ["opened", opening, opened, { ...opening, expiresAt: 205 }],
    ["opened, which starts any", timer, opened, started],
    ["opened, another", opening, { ...opened, randomIds: [7n] }, opening],
    ["opened, the other direction", opening, { ...opened, direction: "incoming" }, opening],
    ["gone", timer, { _tag: "DropTimers", randomIds: [7n, 1n] }, undefined],
    ["another is gone", timer, { _tag: "DropTimers", randomIds: [7n] }, timer],
    ["all are gone", timer, { _tag: "DropTimers" }, undefined]
  ])("%s", (_, before, change, after) => {
    assert.deepStrictEqual(Timers.applyOne(before, change), after)
    const others = change._tag === "PutTimer" ? [change.timer] : []
    assert.deepStrictEqual(Timers.apply([before], change), [...after === undefined ? [] : [after], ...others])
  })

  it("what has run out: at its second, the earliest first; those not started never", () => {
    const at = (randomId: bigint, expiresAt?: number): Timers.Timer => ({
      ...timer,
      randomId,
      ...(expiresAt === undefined ? {} : { expiresAt })
    })
    const all = [at(1n, 30), at(2n), at(3n, 10), at(4n, 31), at(5n, 20)]
    assert.deepStrictEqual(Timers.expired(all, 30).map((t) => t.randomId), [3n, 5n, 1n])
    assert.deepStrictEqual(Timers.expired(all, 9), [])
    assert.strictEqual(Timers.nextExpiry(all), 10)
    assert.strictEqual(Timers.nextExpiry([at(2n), at(4n, 31)]), 31)
    assert.strictEqual(Timers.nextExpiry([at(2n)]), undefined)
  })
})

describe("which timer a message has", () => {
  const name = { _tag: "documentAttributeFilename", fileName: "a" } as const
  const video = { _tag: "documentAttributeVideo", duration: 1, w: 1, h: 1 } as const

  it("one secret attribute among others is enough", () => {
    assert.strictEqual(Timers.startsOn(text(1n, "", { ttl: 5, media: document(name, video)! })), "open")
    assert.strictEqual(Timers.startsOn(text(1n, "", { ttl: 5, media: document(name)! })), "view")
    assert.strictEqual(Timers.startsOn(text(1n, "", { ttl: 5, media: document()! })), "view")
  })

  it("of one second: that of one second; dated only where a date is known", () => {
    assert.deepStrictEqual(Timers.make("outgoing", text(1n, "", { ttl: 1 })), {
      direction: "outgoing",
      randomId: 1n,
      ttl: 1,
      startsOn: "view"
    })
    assert.deepStrictEqual(Timers.make("incoming", text(1n, "", { ttl: 1 }), 7), {
      direction: "incoming",
      randomId: 1n,
      ttl: 1,
      startsOn: "view",
      date: 7
    })
    assert.strictEqual(Timers.make("incoming", text(1n, "", { ttl: 0 }), 7), undefined)
    assert.strictEqual(Timers.make("incoming", text(1n, "", { ttl: -1 }), 7), undefined)
  })
})

describe("the timer of the chat", () => {
  const two = Ttl.setByMe(Ttl.setByMe({ certain: 3, pending: [] }, 1n, 10), 2n, 20)
  it("settings of ours in line: the last counts, each settles what is before it", () => {
    assert.deepStrictEqual(two, {
      certain: 3,
      pending: [{ randomId: 1n, seconds: 10 }, { randomId: 2n, seconds: 20 }]
    })
    assert.strictEqual(Ttl.current(two), 20)
    assert.deepStrictEqual(Ttl.settle(two, 1n), { certain: 10, pending: [{ randomId: 2n, seconds: 20 }] })
    assert.deepStrictEqual(Ttl.settle(two, 2n), { certain: 20, pending: [] })
    assert.deepStrictEqual(Ttl.withdraw(two, 1n), { certain: 3, pending: [{ randomId: 2n, seconds: 20 }] })
    assert.strictEqual(Ttl.settle(two, 9n), two)
    assert.strictEqual(Ttl.withdraw(two, 9n), two)
  })

  it("a negative one is off", () => {
    assert.deepStrictEqual(Ttl.setByMe(Ttl.initial, 1n, -5).pending, [{ randomId: 1n, seconds: 0 }])
    assert.deepStrictEqual(Ttl.setByMe(Ttl.initial, 1n, 1).pending, [{ randomId: 1n, seconds: 1 }])
    assert.deepStrictEqual(Ttl.setByPeer(-5), { certain: 0, pending: [] })
    assert.deepStrictEqual(Ttl.setByPeer(1), { certain: 1, pending: [] })
  })
})
