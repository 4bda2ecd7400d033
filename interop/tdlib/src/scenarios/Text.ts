/**
 * Text in both directions: Unicode, entities, replies, long texts, silent messages.
 */
import * as Effect from "effect/Effect"
import type * as Td from "tdlib-types"
import { check, ensure, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"

/** An entity in both spellings, over `offset`, `length` of a text. `there`/`back`: which directions carry it. */
interface EntityCase {
  readonly name: string
  readonly text: string
  readonly ours: OurChat.Entity
  readonly tdlib: Td.TextEntityType$Input
  /** What TDLib shows when it differs from `tdlib`. */
  readonly shown?: Td.TextEntityType$Input
}

const at = (offset: number, length: number) => ({ offset, length })

/** Formatting: sent by both sides, carried as it is. */
const formatting: ReadonlyArray<EntityCase> = [
  {
    name: "bold",
    text: "some bold text",
    ours: { _tag: "messageEntityBold", ...at(5, 4) },
    tdlib: { _: "textEntityTypeBold" }
  },
  {
    name: "italic",
    text: "some italic text",
    ours: { _tag: "messageEntityItalic", ...at(5, 6) },
    tdlib: { _: "textEntityTypeItalic" }
  },
  {
    name: "underline",
    text: "some underlined text",
    ours: { _tag: "messageEntityUnderline", ...at(5, 10) },
    tdlib: { _: "textEntityTypeUnderline" }
  },
  {
    name: "strikethrough",
    text: "some struck text",
    ours: { _tag: "messageEntityStrike", ...at(5, 6) },
    tdlib: { _: "textEntityTypeStrikethrough" }
  },
  {
    name: "code",
    text: "some code() text",
    ours: { _tag: "messageEntityCode", ...at(5, 6) },
    tdlib: { _: "textEntityTypeCode" }
  },
  {
    name: "preformatted",
    text: "some pre text",
    ours: { _tag: "messageEntityPre", ...at(5, 3), language: "" },
    tdlib: { _: "textEntityTypePre" }
  },
  {
    name: "preformatted with a language",
    text: "some let x = 1 text",
    ours: { _tag: "messageEntityPre", ...at(5, 9), language: "rust" },
    tdlib: { _: "textEntityTypePreCode", language: "rust" }
  },
  {
    name: "spoiler",
    text: "some hidden text",
    ours: { _tag: "messageEntitySpoiler", ...at(5, 6) },
    tdlib: { _: "textEntityTypeSpoiler" }
  },
  {
    name: "text link",
    text: "some linked text",
    ours: { _tag: "messageEntityTextUrl", ...at(5, 6), url: "https://example.com/a" },
    tdlib: { _: "textEntityTypeTextUrl", url: "https://example.com/a" }
  }
]

/** Detected in the text: TDLib finds them itself at both ends. */
const detected: ReadonlyArray<EntityCase> = [
  {
    name: "mention",
    text: "ask @somebody there",
    ours: { _tag: "messageEntityMention", ...at(4, 9) },
    tdlib: { _: "textEntityTypeMention" }
  },
  {
    name: "hashtag",
    text: "it is #somewhere here",
    ours: { _tag: "messageEntityHashtag", ...at(6, 10) },
    tdlib: { _: "textEntityTypeHashtag" }
  },
  {
    name: "url",
    text: "see https://example.com/b now",
    ours: { _tag: "messageEntityUrl", ...at(4, 21) },
    tdlib: { _: "textEntityTypeUrl" }
  },
  {
    name: "email address",
    text: "to someone@example.com today",
    ours: { _tag: "messageEntityEmail", ...at(3, 19) },
    tdlib: { _: "textEntityTypeEmailAddress" }
  }
]

const shownEntities = (message: Td.message) =>
  message.content._ === "messageText"
    ? message.content.text.entities.map(({ length, offset, type }) => ({ offset, length, type }))
    : undefined

/** Both spellings of one text in one chat. */
const entityChecks = (chat: Table.Pairing) =>
  Effect.gen(function*() {
    for (const entity of [...formatting, ...detected]) {
      const { length, offset } = entity.ours
      yield* check(
        `text: ${entity.name}, ours to TDLib`,
        Effect.gen(function*() {
          const text = `${entity.text} (ours)`
          yield* OurChat.sendText(chat.ours, text, [entity.ours])
          const message = yield* TdChat.receiveText(chat.td, text)
          yield* equal(shownEntities(message), [{ offset, length, type: entity.tdlib }], "entities")
        })
      )
    }
    for (const entity of formatting) {
      const { length, offset } = entity.ours
      yield* check(
        `text: ${entity.name}, TDLib to ours`,
        Effect.gen(function*() {
          const text = `${entity.text} (theirs)`
          yield* TdChat.submit(chat.td, TdChat.text(text, [{ offset, length, type: entity.tdlib }]))
          const message = yield* OurChat.receiveText(chat.ours, text)
          yield* equal(message.entities, [entity.ours], "entities")
        })
      )
    }
    for (const entity of detected) {
      yield* check(
        `text: ${entity.name}, TDLib to ours`,
        Effect.gen(function*() {
          const text = `${entity.text} (theirs)`
          yield* TdChat.submit(chat.td, TdChat.text(text))
          const message = yield* OurChat.receiveText(chat.ours, text)
          yield* equal(message.entities, [entity.ours], "entities")
        })
      )
    }
  })

const rounds: ReadonlyArray<readonly [name: string, text: string]> = [
  ["one letter", "x"],
  ["Unicode outside the basic plane", "\u{1F468}‍\u{1F469}‍\u{1F467} κόσμε \u{1D11E} العربية"],
  ["several lines", "first\nsecond\n\nfourth"],
  ["4096 characters", "0123456789abcde\n".repeat(256).slice(0, 4095) + "!"]
]

const play = Effect.gen(function*() {
  const table = yield* Table.Table
  const chat = yield* table.tdlibCreates()

  for (const [name, text] of rounds) {
    yield* check(
      `text: ${name}, ours to TDLib`,
      Effect.andThen(OurChat.sendText(chat.ours, text), TdChat.receiveText(chat.td, text))
    )
    const back = text === "x" ? "y" : text.replace(/.$/su, "?")
    yield* check(
      `text: ${name}, TDLib to ours`,
      Effect.andThen(TdChat.sendText(chat.td, back), OurChat.receiveText(chat.ours, back))
    )
  }
  yield* entityChecks(chat)
  yield* check(
    "text: custom emoji of somebody without Premium, ours to TDLib: the emoji itself is shown",
    Effect.gen(function*() {
      yield* OurChat.sendText(chat.ours, "some \u{1F600} emoji", [
        { _tag: "messageEntityCustomEmoji", ...at(5, 2), documentId: 5368324170671202286n }
      ])
      const message = yield* TdChat.receiveText(chat.td, "some \u{1F600} emoji")
      yield* equal(shownEntities(message), [], "entities")
    })
  )
  yield* check(
    "text: blockquote, ours to TDLib",
    Effect.gen(function*() {
      yield* OurChat.sendText(chat.ours, "a quoted line", [{ _tag: "messageEntityBlockquote", ...at(0, 13) }])
      const message = yield* TdChat.receiveText(chat.td, "a quoted line")
      yield* equal(shownEntities(message), [{ ...at(0, 13), type: { _: "textEntityTypeBlockQuote" } }], "entities")
    })
  )
  yield* check(
    "text: nested entities, ours to TDLib",
    Effect.gen(function*() {
      yield* OurChat.sendText(chat.ours, "nested formatting", [
        { _tag: "messageEntityBold", ...at(0, 17) },
        { _tag: "messageEntityItalic", ...at(7, 10) }
      ])
      const message = yield* TdChat.receiveText(chat.td, "nested formatting")
      // TDLib cuts entities where others begin
      yield* equal(shownEntities(message), [
        { ...at(0, 7), type: { _: "textEntityTypeBold" } },
        { ...at(7, 10), type: { _: "textEntityTypeBold" } },
        { ...at(7, 10), type: { _: "textEntityTypeItalic" } }
      ])
    })
  )
  yield* check(
    "text: entities after surrogate pairs keep their place, TDLib to ours",
    Effect.gen(function*() {
      const text = "\u{1F600}\u{1F600} bold here"
      yield* TdChat.submit(chat.td, TdChat.text(text, [{ offset: 5, length: 4, type: { _: "textEntityTypeBold" } }]))
      const message = yield* OurChat.receiveText(chat.ours, text)
      yield* equal(message.entities, [{ _tag: "messageEntityBold", offset: 5, length: 4 }])
    })
  )
  yield* check(
    "text: 10,000 characters become several messages and join to the same text",
    Effect.gen(function*() {
      const text = Array.from({ length: 400 }, (_, i) => `line ${String(i).padStart(4, "0")} of a long text`).join("\n")
      const mark = chat.td.client.updates.mark()
      const outcomes = yield* OurChat.sendText(chat.ours, text)
      yield* ensure(outcomes.length >= 3, `${outcomes.length} outcomes`)
      yield* chat.td.client.updates.waitFor(
        "last part",
        TdChat.received(chat.td, (m) => TdChat.textOf(m)?.endsWith(text.slice(-20)) === true ? m : undefined),
        { since: mark }
      )
      const parts = TdChat.texts(chat.td, mark)
      yield* equal(parts.length, outcomes.length, "messages")
      // TDLib trims the white space at the ends of a message
      yield* equal(parts.join("\n").replace(/\s+/g, " "), text.replace(/\s+/g, " "))
    })
  )
  yield* check(
    "text: a long text with entities: they stay with their words, in every message of it",
    Effect.gen(function*() {
      const pieces = Array.from({ length: 500 }, (_, i) => `word${i} \u{1F600}bold${i} link${i}\n`)
      const text = pieces.join("") + "the end"
      const entities: Array<OurChat.Entity> = [{ _tag: "messageEntityItalic", offset: 0, length: text.length }]
      for (const [i, piece] of pieces.entries()) {
        const start = text.indexOf(piece)
        const word = (what: string) => at(start + piece.indexOf(what), what.length)
        entities.push({ _tag: "messageEntityBold", ...word(`bold${i}`) })
        entities.push({ _tag: "messageEntityTextUrl", ...word(`link${i}`), url: `https://example.com/${i}` })
      }
      const mark = chat.td.client.updates.mark()
      const outcomes = yield* OurChat.sendText(chat.ours, text, entities)
      yield* chat.td.client.updates.waitFor(
        "last part",
        TdChat.received(chat.td, (m) => TdChat.textOf(m)?.endsWith("the end") === true ? m : undefined),
        { since: mark }
      )
      const parts = chat.td.client.updates.seen(
        TdChat.received(chat.td, (m) => m.content._ === "messageText" ? m.content.text : undefined),
        mark
      )
      yield* equal(parts.length, outcomes.length, "messages")
      yield* ensure(parts.length >= 3, `${parts.length} messages`)
      yield* equal(parts.map((part) => part.text).join("\n"), text, "text")
      const marked = (type: Td.TextEntityType["_"]) =>
        parts.flatMap((part) =>
          part.entities.filter((entity) => entity.type._ === type).map(({ length, offset, type }) => [
            part.text.slice(offset, offset + length),
            ...(type._ === "textEntityTypeTextUrl" ? [type.url] : [])
          ])
        )
      // TDLib lets entities end where others begin, and joins what it can
      const bold = marked("textEntityTypeBold").map(([word]) => word)
      yield* equal(bold, pieces.map((_, i) => `bold${i}`), "bold")
      yield* equal(
        marked("textEntityTypeTextUrl"),
        pieces.map((_, i) => [`link${i}`, `https://example.com/${i}`]),
        "links"
      )
      const slanted = marked("textEntityTypeItalic").map(([word]) => word).join("")
      yield* equal(slanted.replace(/\s/g, ""), text.replace(/\s/g, ""), "italic")
    })
  )
  for (const length of [4095, 4096, 4097, 8192, 8193]) {
    yield* check(
      `text: ${length} characters with an entity over the last one`,
      Effect.gen(function*() {
        const text = `${length}`.padEnd(length - 1, "x") + "y"
        const mark = chat.td.client.updates.mark()
        const outcomes = yield* OurChat.sendText(chat.ours, text, [{ _tag: "messageEntityBold", ...at(length - 1, 1) }])
        yield* equal(outcomes.length, Math.ceil(length / 4096), "messages")
        const last = yield* chat.td.client.updates.waitFor(
          "last part",
          TdChat.received(
            chat.td,
            (m) => m.content._ === "messageText" && m.content.text.text.endsWith("y") ? m.content.text : undefined
          ),
          { since: mark }
        )
        yield* equal(TdChat.texts(chat.td, mark).join(""), text, "text")
        yield* equal(
          last.entities.map(({ length, offset, type }) => ({ offset, length, type })),
          [{ ...at(last.text.length - 1, 1), type: { _: "textEntityTypeBold" } }],
          "entities"
        )
      })
    )
  }
  yield* check(
    "text: a reply, ours to TDLib",
    Effect.gen(function*() {
      const first = yield* TdChat.sendText(chat.td, "a question")
      const question = yield* OurChat.receiveText(chat.ours, "a question")
      yield* OurChat.send(chat.ours, { message: "an answer", replyToRandomId: question.randomId })
      const answer = yield* TdChat.receiveText(chat.td, "an answer")
      yield* equal(
        answer.reply_to?._ === "messageReplyToMessage" ? answer.reply_to.message_id : undefined,
        first.id,
        "reply_to"
      )
    })
  )
  yield* check(
    "text: a reply, TDLib to ours",
    Effect.gen(function*() {
      const [outcome] = yield* OurChat.sendText(chat.ours, "our question")
      const question = yield* TdChat.receiveText(chat.td, "our question")
      yield* TdChat.submit(chat.td, TdChat.text("their answer"), { replyTo: question.id })
      const answer = yield* OurChat.receiveText(chat.ours, "their answer")
      yield* equal(answer.replyToRandomId, outcome!.randomId, "replyToRandomId")
    })
  )
  yield* check(
    "text: a silent message, TDLib to ours",
    Effect.gen(function*() {
      yield* TdChat.submit(chat.td, TdChat.text("quietly"), { silent: true })
      const message = yield* OurChat.receiveText(chat.ours, "quietly")
      yield* equal(message.silent, true, "silent")
    })
  )
  yield* check(
    "text: a silent message, ours to TDLib",
    Effect.andThen(
      OurChat.send(chat.ours, { message: "quietly too", silent: true }),
      TdChat.receiveText(chat.td, "quietly too")
    )
  )
})

/** Text and entities. */
export const text = scenario("text", Effect.provide(play, Table.layer("text")))
