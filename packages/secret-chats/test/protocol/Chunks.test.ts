import * as Chunks from "@effect-mtproto/secret-chats/protocol/Chunks"
import type * as Content from "@effect-mtproto/secret-chats/protocol/Content"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { makeRandom, text } from "./support.ts"

const MAX = Chunks.MAX_TEXT
const ids = (count: number): ReadonlyArray<bigint> => Array.from({ length: count }, (_, i) => BigInt(1000 + i))
const parts = (message: string): ReadonlyArray<string> =>
  Chunks.splitText(message).map(({ end, start }) => message.slice(start, end))
const isWellFormed = (string: string): boolean => !/[\ud800-\udfff]/u.test(string)
const never = (): ReadonlyArray<bigint> => {
  throw new Error("nothing to split")
}

describe("where a text is cut", () => {
  it.each([
    ["nothing to cut", "x".repeat(MAX), [MAX]],
    ["one too many", "x".repeat(MAX + 1), [MAX, 1]],
    ["after a line end in the last quarter", `${"x".repeat(3500)}\n${"y y".repeat(400)}`, [3501, 1200]],
    [
      "a line end before the last quarter does not count as one",
      `${"x".repeat(3000)}\n${"y".repeat(500)} ${"z".repeat(2000)}`,
      [
        3502,
        2000
      ]
    ],
    [
      "a line end right before the last quarter is a space",
      `${"x".repeat(3071)}\n${"y".repeat(400)} ${"z".repeat(2000)}`,
      [
        3473,
        2000
      ]
    ],
    ["a line end right in the last quarter", `${"x".repeat(3072)}\n${"y".repeat(400)} ${"z".repeat(2000)}`, [
      3073,
      2401
    ]],
    ["after a space that is the first of all", ` ${"x".repeat(MAX)}`, [1, MAX]],
    ["before a grapheme longer than a message", `ae${"\u0301".repeat(MAX)}`, [1, MAX, 1]],
    ["after the last space", `${"x".repeat(4000)} ${"y".repeat(50)} ${"z".repeat(1000)}`, [4052, 1000]],
    ["after a space far before, rather than in a word", `${"x".repeat(100)} ${"y".repeat(MAX)}`, [101, MAX]],
    ["a line end is a space too", `${"x".repeat(100)}\n${"y".repeat(MAX)}`, [101, MAX]],
    ["a no-break space is none", `${"x".repeat(4000)}\u00a0${"y".repeat(200)}`, [MAX, 105]],
    ["a line end exactly at the limit", `${"x".repeat(MAX - 1)}\nrest`, [MAX, 4]],
    ["CRLF stays together", `${"x".repeat(MAX - 1)}\r\nrest`, [MAX - 1, 6]],
    ["a surrogate pair stays together", `${"x".repeat(MAX - 1)}😀tail`, [MAX - 1, 6]],
    ["a joined emoji stays together", `${"x".repeat(MAX - 3)}👨‍👩‍👧‍👦tail`, [MAX - 3, 15]],
    ["a flag stays together", `${"x".repeat(MAX - 2)}🇩🇪tail`, [MAX - 2, 8]],
    ["a mark stays with its letter", `${"x".repeat(MAX - 1)}e\u0301tail`, [MAX - 1, 6]],
    ["a mark on a space stays with it", `${"x".repeat(MAX - 1)} \u0301tail`, [MAX - 1, 6]]
  ])("%s", (_, message, lengths) => {
    assert.deepStrictEqual(parts(message).map((p) => p.length), lengths)
    assert.strictEqual(parts(message).join(""), message)
  })

  it("a grapheme longer than a message is cut between code points", () => {
    const message = `e${"\u0301".repeat(MAX + 100)}`
    assert.deepStrictEqual(parts(message).map((p) => p.length), [MAX, 101])
    const pairs = `${"👩‍".repeat(MAX)}x`
    for (const part of parts(pairs)) {
      assert.isTrue(isWellFormed(part))
      assert.isAtMost(part.length, MAX)
    }
    assert.strictEqual(parts(pairs).join(""), pairs)
  })

  it.each(["\u{1e000}", "\u{101fd}", "\u{e01ef}"])("nor between the halves of a mark: %j", (mark) => {
    assert.deepStrictEqual(parts(`e${mark.repeat(MAX)}`).map((part) => part.length), [MAX - 1, MAX, 2])
    assert.deepStrictEqual(parts(`ee${mark.repeat(MAX)}`).map((part) => part.length), [1, MAX - 1, MAX, 2])
    assert.deepStrictEqual(parts(`e\u0301${mark.repeat(MAX)}`).map((part) => part.length), [MAX, MAX, 2])
  })

  const alphabet = [
    "a",
    "b",
    " ",
    "\n",
    "\r\n",
    "😀",
    "🇩🇪",
    "e\u0301",
    "👨‍👩‍👧",
    "\u200d",
    "\ud800",
    "\udc00",
    "\u3000",
    "語"
  ]
  const seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1 << 30 }))
  const someText = (seed: number): string => {
    const random = makeRandom(seed)
    const few = alphabet.filter(() => random.chance(0.5))
    const letters = few.length === 0 ? alphabet : few
    let message = ""
    const length = random.below(4 * MAX)
    while (message.length < length) message += random.pick(letters).repeat(1 + random.below(300))
    return message
  }

  it.prop("the parts put together are the text, none is too long or empty", [seed], ([seed]) => {
    const message = someText(seed)
    const all = parts(message)
    assert.strictEqual(all.join(""), message)
    for (const part of all) assert.isAtMost(part.length, MAX)
    if (message.length > 0) { for (const part of all) assert.isAbove(part.length, 0) }
    // no pair is torn
    if (isWellFormed(message)) { for (const part of all) assert.isTrue(isWellFormed(part)) }
  })

  it.prop("entities cover the same units as before", [seed], ([seed]) => {
    const message = someText(seed)
    const random = makeRandom(seed + 1)
    const entities = Array.from({ length: random.below(20) }, (): Content.Message["entities"] => {
      const offset = random.below(message.length + 1)
      return [{
        _tag: random.chance(0.5) ? "messageEntityBold" : "messageEntityItalic",
        offset,
        length: random.below(message.length - offset + 1)
      }]
    }).flatMap((e) => e!)
    const covered = (list: NonNullable<Content.Message["entities"]>, shift: number) =>
      list.flatMap((e) => Array.from({ length: e.length }, (_, i) => `${e._tag}${e.offset + shift + i}`))
    const whole = covered(entities, 0).toSorted()
    const pieces: Array<string> = []
    let at = 0
    for (const part of Chunks.split(text(1n, message, { entities }), ids)) {
      assert.strictEqual(part._tag, "decryptedMessage")
      if (part._tag !== "decryptedMessage") continue
      for (const e of part.entities ?? []) {
        if (part.entities!.length !== entities.length) assert.isAbove(e.length, 0)
        assert.isAtMost(e.offset + e.length, part.message.length)
      }
      pieces.push(...covered(part.entities ?? [], at))
      at += part.message.length
    }
    assert.deepStrictEqual(pieces.toSorted(), whole)
  }, { arbitrary: { runs: 30 } })
})

describe("the messages", () => {
  const long = `${"a".repeat(4090)} ${"b".repeat(4090)} ${"c".repeat(100)}`

  it("a short one is left as it is", () => {
    const message = text(1n, "x", { entities: [{ _tag: "messageEntityBold", offset: 0, length: 99 }] })
    assert.deepStrictEqual(Chunks.split(message, never), [message])
    const service: Content.Service = {
      _tag: "decryptedMessageService",
      randomId: 1n,
      action: { _tag: "decryptedMessageActionFlushHistory" }
    }
    assert.deepStrictEqual(Chunks.split(service, never), [service])
  })

  it("all keep what belongs to the whole, the first alone has the media", () => {
    const media: NonNullable<Content.Message["media"]> = { _tag: "decryptedMessageMediaWebPage", url: "u" }
    const message = text(1n, long, {
      ttl: 9,
      silent: true,
      noWebpage: true,
      viaBotName: "bot",
      replyToRandomId: 8n,
      groupedId: 7n,
      media,
      entities: [
        { _tag: "messageEntityBold", offset: 0, length: 10 },
        { _tag: "messageEntityTextUrl", offset: 4080, length: 20, url: "x" }
      ]
    })
    const shared = { ttl: 9, silent: true, noWebpage: true, viaBotName: "bot", replyToRandomId: 8n } as const
    assert.deepStrictEqual(Chunks.split(message, ids), [
      text(1n, `${"a".repeat(4090)} `, {
        ...shared,
        groupedId: 7n,
        media,
        entities: [
          { _tag: "messageEntityBold", offset: 0, length: 10 },
          { _tag: "messageEntityTextUrl", offset: 4080, length: 11, url: "x" }
        ]
      }),
      text(1000n, `${"b".repeat(4090)} `, {
        ...shared,
        entities: [{ _tag: "messageEntityTextUrl", offset: 0, length: 9, url: "x" }]
      }),
      text(1001n, "c".repeat(100), shared)
    ])
  })

  it.each(["ReadMessages", "DeleteMessages", "ScreenshotMessages"] as const)("a long list of %s is divided", (name) => {
    const randomIds = Array.from({ length: 2 * Chunks.MAX_RANDOM_IDS + 1 }, (_, i) => BigInt(i + 1))
    const service: Content.Service = {
      _tag: "decryptedMessageService",
      randomId: 5n,
      action: { _tag: `decryptedMessageAction${name}`, randomIds }
    }
    const all = Chunks.split(service, ids)
    assert.deepStrictEqual(all.map((s) => s.randomId), [5n, 1000n, 1001n])
    const lists = all.map((s) =>
      s._tag === "decryptedMessageService" && "randomIds" in s.action ? s.action.randomIds : []
    )
    assert.deepStrictEqual(lists.map((l) => l.length), [100, 100, 1])
    assert.deepStrictEqual(lists.flat(), randomIds)
    const exact: Content.Service = {
      ...service,
      action: { ...service.action, randomIds: randomIds.slice(0, 100) } as never
    }
    assert.deepStrictEqual(Chunks.split(exact, never), [exact])
  })

  it("a very long text takes no longer than its length", () => {
    const message = "lorem ipsum ".repeat(100_000)
    const started = performance.now()
    const all = Chunks.split(text(1n, message), ids)
    assert.isAbove(all.length, 290)
    assert.isBelow(performance.now() - started, 2000)
  })
})

describe.each(["ReadMessages", "DeleteMessages", "ScreenshotMessages"] as const)("exactly two lists of %s", (name) => {
  it("are two, not three, each with its name and its action", () => {
    const randomIds = Array.from({ length: 2 * Chunks.MAX_RANDOM_IDS }, (_, i) => BigInt(i + 1))
    const service = (randomId: bigint, ids: ReadonlyArray<bigint>): Content.Service => ({
      _tag: "decryptedMessageService",
      randomId,
      action: { _tag: `decryptedMessageAction${name}`, randomIds: ids }
    })
    assert.deepStrictEqual(Chunks.split(service(7n, randomIds), ids), [
      service(7n, randomIds.slice(0, 100)),
      service(1000n, randomIds.slice(100))
    ])
    const one = service(7n, randomIds.slice(0, 100))
    assert.deepStrictEqual(Chunks.split(one, never), [one])
  })
})

describe("white space (Unicode), and what is next to it", () => {
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
  const units = [
    ...range(0x08, 0x0e),
    ...range(0x1f, 0x21),
    ...range(0x84, 0x86),
    0xa0,
    ...range(0x167f, 0x1681),
    ...range(0x1fff, 0x200b),
    ...range(0x2027, 0x202a),
    0x202f,
    ...range(0x205e, 0x2060),
    ...range(0x2fff, 0x3001)
  ]

  it("is a place to cut after, but for the no-break ones", () => {
    for (const unit of units) {
      const character = String.fromCharCode(unit)
      const isPlace = /\p{White_Space}/u.test(character) && ![0xa0, 0x2007, 0x202f].includes(unit)
      // in the last quarter, where line ends are looked for, and before it
      for (const before of [4000, 2000]) {
        const [first] = parts(`${"x".repeat(before)}${character}${"y".repeat(MAX)}`)
        assert.strictEqual(first!.length, isPlace ? before + 1 : MAX, unit.toString(16))
      }
    }
  })

  it("ends a line in four cases, which come before a later space", () => {
    for (const unit of units) {
      const [first] = parts(`${"x".repeat(3500)}${String.fromCharCode(unit)}${"y".repeat(100)} ${"z".repeat(2000)}`)
      assert.strictEqual(first!.length, [0x0a, 0x0d, 0x2028, 0x2029].includes(unit) ? 3501 : 3602, unit.toString(16))
    }
  })
})

it("an entity that begins where the piece ends, or has no length, is not in it", () => {
  const bold = (offset: number, length: number) => ({ _tag: "messageEntityBold", offset, length }) as const
  assert.deepStrictEqual(Chunks.cutEntities([bold(10, 5), bold(3, 0), bold(9, 5)], 0, 10), [bold(9, 1)])
})
