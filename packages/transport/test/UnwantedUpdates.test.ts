import * as Api from "@effect-mtproto/core/Api"
import { isTlError } from "@effect-mtproto/core/TlError"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Skim from "../src/internal/skim.ts"
import * as Updates from "../src/Updates.ts"
import * as UpdatesDriver from "../src/UpdatesDriver.ts"

const wanted = new Set(Updates.ofSecretChats)

const text = (id: number, pts: number): Api.Update => ({
  _tag: "updateNewMessage",
  message: {
    _tag: "message",
    id,
    peerId: { _tag: "peerUser", userId: 5_000_000_000n },
    date: 1_750_000_000,
    message: "Grüße aus dem gewöhnlichen Chat ".repeat(20),
    entities: [{ _tag: "messageEntityTextUrl", offset: 1, length: 2, url: "https://example.org" }],
    media: { _tag: "messageMediaGeo", geo: { _tag: "geoPoint", long: 1.5, lat: -2.5, accessHash: 7n } },
    replyMarkup: {
      _tag: "replyInlineMarkup",
      rows: [{
        _tag: "keyboardButtonRow",
        buttons: [{ _tag: "keyboardButtonCallback", text: "b", data: new Uint8Array(70).fill(3) }]
      }]
    }
  },
  pts,
  ptsCount: 1
})

const encrypted = (qts: number): Api.Update => ({
  _tag: "updateNewEncryptedMessage",
  message: {
    _tag: "encryptedMessageService",
    randomId: BigInt(qts),
    chatId: 1,
    date: 1,
    bytes: new Uint8Array(300).fill(qts)
  },
  qts
})

const user: Api.User = {
  _tag: "user",
  id: 5_000_000_000n,
  accessHash: -3n,
  firstName: "First",
  photo: { _tag: "userProfilePhoto", photoId: 6n, dcId: 2, strippedThumb: new Uint8Array(90).fill(1) },
  status: { _tag: "userStatusOffline", wasOnline: 1_750_000_000 }
}

const batch = (seq: number, ...updates: ReadonlyArray<Api.Update>): Api.Updates => ({
  _tag: "updates",
  updates,
  users: [user],
  chats: [],
  date: 2_000 + seq,
  seq
})

const short = (update: Api.Update): Api.Updates => ({ _tag: "updateShort", update, date: 7 })

describe("updates that nobody wants: reading", () => {
  const values: ReadonlyArray<Api.Updates> = [
    short(text(1, 11)),
    batch(6, text(1, 11), text(2, 12)),
    { ...batch(8, text(1, 11)), _tag: "updatesCombined", seqStart: 7 } as Api.updatesCombined,
    { _tag: "updateShortMessage", id: 1, userId: 4n, message: "hi", pts: 11, ptsCount: 1, date: 9 },
    { _tag: "updateShortSentMessage", id: 1, pts: 13, ptsCount: 1, date: 9 },
    { _tag: "updatesTooLong" }
  ]

  it("keeps everything that orders them, and makes no text", () => {
    for (const value of values) {
      const skimmed = Skim.decode(Api.Updates.encode(value), wanted)
      assert.strictEqual(skimmed._tag, value._tag)
      const numbers = ({ _tag, ...rest }: Record<string, unknown>): unknown => [
        _tag,
        ...["pts", "ptsCount", "qts", "date", "seq", "seqStart"].map((key) => rest[key])
      ]
      const all = (updates: Api.Updates) => [
        numbers({ ...updates }),
        ...("updates" in updates ? updates.updates : "update" in updates ? [updates.update] : []).map((update) =>
          numbers({ ...update })
        )
      ]
      assert.deepStrictEqual(all(skimmed), all(value))
      assert.notInclude(JSON.stringify(skimmed, (_, v) => typeof v === "bigint" ? Number(v) : v), "gewöhnlich")
    }
  })

  it("one that is wanted among them makes them whole", () => {
    for (const value of [short(encrypted(3)), batch(0, text(1, 11), encrypted(3))]) {
      assert.deepStrictEqual(Skim.decode(Api.Updates.encode(value), wanted), value)
    }
    assert.deepStrictEqual(Skim.decode(Api.Updates.encode(values[3]!), new Set(["updateNewMessage"])), values[3])
  })

  const attempt = (decode: () => unknown): boolean => {
    try {
      decode()
      return true
    } catch (error) {
      assert.isTrue(isTlError(error))
      return false
    }
  }

  it.prop(
    "fails for the same bytes as a full reading",
    [
      Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))),
      Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2_000 }))),
      Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))),
      Arbitrary.schema(Schema.Literals(["cut", "change", "add"]))
    ],
    ([which, at, byte, how]) => {
      const body = Api.Updates.encode(values[which]!).slice()
      const place = at % body.length
      const broken = how === "cut" ? body.subarray(0, place) : how === "add" ? Uint8Array.of(...body, byte) : body
      if (how === "change") broken[place] = byte
      const never = new Set<Api.Update["_tag"]>()
      assert.strictEqual(
        attempt(() => Skim.decode(broken, never)),
        attempt(() => Api.Updates.decode(broken))
      )
    },
    { arbitrary: { runs: 500 } }
  )
})

const state: Updates.State = { pts: 10, qts: 100, date: 1_000, seq: 5 }

/** A machine whose consumer confirms at once, and a server that remembers everything. */
class Run {
  readonly machine: Updates.Updates
  readonly delivered: Array<Api.Update> = []
  readonly asked: Array<Updates.State> = []
  readonly stored: Array<Updates.State> = []
  now = 0
  constructor(options: Partial<Updates.Options>) {
    this.machine = Updates.make(options)
    this.machine.start(0, state)
  }

  settle(last: { readonly pts: number; readonly qts: number; readonly seq: number }): void {
    const commands = this.machine.commands()
    for (const command of commands) {
      switch (command._tag) {
        case "Deliver":
          this.delivered.push(command.delivery.update)
          this.machine.confirm(this.now, command.delivery.position)
          break
        case "Store":
          this.stored.push(command.state)
          break
        case "GetDifference": {
          const { pts, qts } = command.state
          this.asked.push(command.state)
          const from = (since: number, to: number) => Array.from({ length: to - since }, (_, i) => since + 1 + i)
          this.machine.onDifference(this.now, {
            _tag: "updates.difference",
            newMessages: from(pts, last.pts).map((id) => (text(id, id) as Api.updateNewMessage).message),
            newEncryptedMessages: from(qts, last.qts).map((id) =>
              (encrypted(id) as Api.updateNewEncryptedMessage).message
            ),
            otherUpdates: [],
            chats: [],
            users: [],
            state: { _tag: "updates.state", ...last, date: 3_000, unreadCount: 0 }
          })
        }
      }
    }
    if (commands.length > 0) this.settle(last)
  }
}

const Step = Schema.Struct({
  kind: Schema.Literals(["text", "encrypted", "both", "typing", "late", "wait", "reconnect"]),
  /** Whether the push arrives, arrives twice, or is held back until a step `late`. */
  fate: Schema.Literals(["arrives", "twice", "lost", "late"])
})

describe("updates that nobody wants: order", () => {
  it.prop(
    "gaps are found and closed as if they were wanted, and everything else is delivered",
    [Arbitrary.array(Arbitrary.schema(Step), { maxLength: 60 })],
    ([steps]) => {
      const all = new Run({})
      const some = new Run({ wanted })
      const last = { pts: 10, qts: 100, seq: 5 }
      const late: Array<Api.Updates> = []
      const each = (act: (run: Run) => void) => {
        for (const run of [all, some]) {
          act(run)
          run.settle(last)
        }
      }
      const push = (updates: Api.Updates) =>
        each((run) =>
          run.machine.onUpdates(run.now, run === some ? Skim.decode(Api.Updates.encode(updates), wanted) : updates)
        )
      each(() => {})
      for (const { fate, kind } of steps) {
        if (kind === "wait" || kind === "reconnect") {
          each((run) => {
            run.now += 800
            if (kind === "wait") run.machine.poll(run.now)
            else run.machine.onReconnect(run.now)
          })
        } else if (kind === "late") {
          for (const updates of late.splice(0).toReversed()) push(updates)
        } else {
          const updates = kind === "text"
            ? batch(++last.seq, text(last.pts + 1, ++last.pts))
            : kind === "encrypted"
            ? short(encrypted(++last.qts))
            : kind === "both"
            ? batch(++last.seq, text(last.pts + 1, ++last.pts), encrypted(++last.qts))
            : short({ _tag: "updateUserTyping", userId: 4n, action: { _tag: "sendMessageTypingAction" } })
          if (fate === "late") late.push(updates)
          else for (let i = fate === "lost" ? 2 : fate === "twice" ? 0 : 1; i < 2; i++) push(updates)
        }
        assert.deepStrictEqual(some.machine.state, all.machine.state)
        assert.deepStrictEqual(some.machine.confirmed, all.machine.confirmed)
        assert.strictEqual(some.machine.wakeAt(), all.machine.wakeAt())
      }
      assert.deepStrictEqual(some.asked, all.asked)
      assert.deepStrictEqual(some.delivered, all.delivered.filter(({ _tag }) => wanted.has(_tag)))
      assert.deepStrictEqual(some.stored.at(-1), all.stored.at(-1))
    },
    { arbitrary: { runs: 300 } }
  )

  it("what is not wanted does not confirm what is", () => {
    const machine = Updates.make({ wanted })
    machine.start(0, state)
    machine.onDifference(0, { _tag: "updates.differenceEmpty", date: 1_001, seq: 5 })
    machine.commands()
    machine.onUpdates(0, short(encrypted(101)))
    machine.onUpdates(0, short(text(11, 11)))
    const commands = machine.commands()
    assert.deepStrictEqual(commands.map(({ _tag }) => _tag), ["Deliver"])
    assert.strictEqual(machine.confirmed!.qts, 100)
    assert.strictEqual(machine.confirmed!.pts, 10)
    machine.confirm(0, 0)
    assert.deepStrictEqual(machine.commands(), [
      { _tag: "Store", state: { ...state, date: 1_001, qts: 101, pts: 11 } }
    ])
  })

  it("does not fill the window", () => {
    const machine = Updates.make({ wanted, window: 2 })
    machine.start(0, state)
    machine.onDifference(0, { _tag: "updates.differenceEmpty", date: 1_001, seq: 5 })
    for (let pts = 11; pts <= 30; pts++) machine.onUpdates(0, short(text(pts, pts)))
    machine.onUpdates(0, short(encrypted(101)))
    assert.deepStrictEqual(
      machine.commands().flatMap((command) => command._tag === "Deliver" ? [command.delivery.update._tag] : []),
      ["updateNewEncryptedMessage"]
    )
  })
})

describe("updates that nobody wants: the driver", () => {
  it.effect("delivers the others, and asks for the difference when something cannot be read", () =>
    Effect.gen(function*() {
      let asked = 0
      const driver = yield* UpdatesDriver.make({
        store: { setUpdateState: () => Effect.void },
        now: () => 0,
        getState: Effect.never,
        getDifference: () =>
          Effect.sync(() => {
            asked++
            return { _tag: "updates.differenceEmpty", date: 1_001, seq: 5 } as const
          }),
        receivedQueue: () => Effect.void,
        options: { wanted }
      })
      driver.start(state)
      driver.onBody(Api.Updates.encode(batch(0, text(11, 11))))
      driver.onBody(Api.Updates.encode(batch(0, text(12, 12), encrypted(101))))
      const [first] = yield* Stream.runCollect(Stream.take(driver.stream, 1))
      assert.deepStrictEqual(first!.update, encrypted(101))
      assert.deepStrictEqual(first!.users, [user])
      yield* first!.confirm
      assert.strictEqual(driver.forgettable(), 100)
      assert.strictEqual(asked, 1)
    }))
})
