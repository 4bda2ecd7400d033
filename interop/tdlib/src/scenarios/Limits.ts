/**
 * Where the two sides draw their lines: what TDLib refuses to say in a secret chat, and what it makes of texts, answers,
 * captions, names and timers that no ordinary client writes.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { randomBytes } from "node:crypto"
import { mkdir, writeFile } from "node:fs/promises"
import { dirname, join, relative, resolve } from "node:path"
import type * as Td from "tdlib-types"
import { check, ensure, equal, fail, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as OurFiles from "../OurFiles.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"
import * as TdFiles from "../TdFiles.ts"
import type { TdlibError } from "../Tdlib.ts"
import { World } from "../World.ts"

/** A text each way, in order behind whatever was said before. */
const alive = Effect.fnUntraced(function*({ ours, td }: Table.Pairing, word: string) {
  yield* OurChat.sendText(ours, `${word}: there`)
  yield* TdChat.receiveText(td, `${word}: there`)
  yield* TdChat.sendText(td, `${word}: back`)
  yield* OurChat.receiveText(ours, `${word}: back`)
  yield* equal((yield* TdChat.current(td)).state._, "secretChatStateReady", "state at TDLib")
})

const plain = (text: string) => ({ _: "formattedText", text, entities: [] }) as const

/** TDLib says no, and nothing of it reaches the server. */
const refused = Effect.fnUntraced(function*<A>(
  chat: Table.Pairing,
  word: string,
  attempt: Effect.Effect<A, TdlibError>
) {
  const { frames } = yield* World
  const since = frames.mark()
  const result = yield* Effect.result(attempt)
  if (Result.isSuccess(result)) return yield* fail(`not refused: ${JSON.stringify(result.success)}`)
  const spoken = frames.seen((frame) => frame.chatId === chat.ours.id ? frame : undefined, since)
  yield* equal(spoken, [], "messages on the server")
  yield* alive(chat, word)
})

/** What has no form in a secret chat. */
const formless: ReadonlyArray<readonly [name: string, content: Td.InputMessageContent$Input]> = [
  ["an empty text", TdChat.text("")],
  ["a text of white space", TdChat.text(" \n\t ")],
  ["a die", { _: "inputMessageDice", emoji: "\u{1F3B2}", clear_draft: false }],
  ["a poll", {
    _: "inputMessagePoll",
    question: plain("Which?"),
    options: [plain("this"), plain("that")].map((text) => ({ _: "inputPollOption", text } as const)),
    type: { _: "inputPollTypeRegular" },
    open_period: 0,
    close_date: 0,
    is_closed: false
  }],
  ["a game", { _: "inputMessageGame", bot_user_id: 1, game_short_name: "a" }],
  ["a story", { _: "inputMessageStory", story_poster_chat_id: 1, story_id: 1 }]
]

const refusals = Effect.fnUntraced(function*(chat: Table.Pairing) {
  const { client } = chat.td
  // each side tells its layer before its first message
  yield* check("limits: the first words", alive(chat, "first"))
  for (const [name, content] of formless) {
    yield* check(`limits: TDLib refuses to send ${name}`, refused(chat, name, TdChat.submit(chat.td, content)))
  }
  const message = yield* check(
    "limits: a message of TDLib's and one of ours",
    Effect.gen(function*() {
      const theirs = yield* TdChat.sendText(chat.td, "said once")
      yield* OurChat.receiveText(chat.ours, "said once")
      yield* OurChat.sendText(chat.ours, "said by us")
      const mine = yield* TdChat.receiveText(chat.td, "said by us")
      return { theirs: theirs.id, mine: mine.id }
    })
  )
  yield* check(
    "limits: TDLib refuses to change what it has said",
    refused(
      chat,
      "edit",
      client.invoke({
        _: "editMessageText",
        chat_id: chat.td.chatId,
        message_id: message.theirs,
        input_message_content: TdChat.text("said twice")
      })
    )
  )
  yield* check(
    "limits: TDLib refuses to react",
    refused(
      chat,
      "reaction",
      client.invoke({
        _: "addMessageReaction",
        chat_id: chat.td.chatId,
        message_id: message.mine,
        reaction_type: { _: "reactionTypeEmoji", emoji: "\u{1F44D}" },
        is_big: false,
        update_recent_reactions: false
      })
    )
  )
  yield* check(
    "limits: TDLib refuses to schedule",
    refused(
      chat,
      "schedule",
      client.invoke({
        _: "sendMessage",
        chat_id: chat.td.chatId,
        options: {
          _: "messageSendOptions",
          scheduling_state: { _: "messageSchedulingStateSendAtDate", send_date: 2_000_000_000, repeat_period: 0 }
        },
        input_message_content: TdChat.text("later")
      })
    )
  )
  yield* check(
    "limits: TDLib refuses a photo that is to disappear once it was seen",
    Effect.gen(function*() {
      const { directory } = yield* World
      const path = join(directory, "limits-once.jpg")
      yield* Effect.promise(() => writeFile(path, randomBytes(100)))
      const content = TdFiles.photo.input(path, "") as Td.inputMessagePhoto$Input
      yield* refused(
        chat,
        "once",
        TdChat.submit(chat.td, { ...content, self_destruct_type: { _: "messageSelfDestructTypeImmediately" } })
      )
    })
  )
  return message
})

/** Texts of ours, and what TDLib shows of them. */
const texts: ReadonlyArray<readonly [name: string, text: string, shown: string]> = [
  ["that runs from right to left", "\u202Eשלום\u202C, \u2067عالم\u2069 end", "שלום, \u2067عالم\u2069 end"],
  ["of an emoji that TDLib animates", "\u{1F602}", "\u{1F602}"],
  ["with a NUL in it", "before\0after", "before after"],
  ["with line ends of another system", "one\r\ntwo", "one\ntwo"],
  ["that looks like mark-up", "<b>*x* __y__ `z`</b> &amp; [a](http://b)", "<b>*x* __y__ `z`</b> &amp; [a](http://b)"],
  [
    "of 4096 letters that take three bytes each",
    "\u6F22".repeat(4096),
    "\u6F22".repeat(4096)
  ],
  ["with composed characters", `e${"\u0301".repeat(40)} \u{1F9D1}\u{1F3FD}\u200D\u{1F680}`, ""]
]

const textOf = (message: Td.message) =>
  message.content._ === "messageText"
    ? message.content.text.text
    : message.content._ === "messageAnimatedEmoji"
    ? message.content.emoji
    : undefined

/** The next message of ours that TDLib shows. */
const nextShown = (td: TdChat.TdChat, since: number) => TdChat.receive(td, "a message", (message) => message, since)

const oddTexts = Effect.fnUntraced(function*(chat: Table.Pairing) {
  const { ours, td } = chat
  for (const [name, text, shown] of texts) {
    yield* check(
      `limits: a text ${name}, ours to TDLib`,
      Effect.gen(function*() {
        const since = td.client.updates.mark()
        yield* OurChat.sendText(ours, text)
        const found = textOf(yield* nextShown(td, since))
        yield* equal(found, shown === "" ? text : shown, "text")
      })
    )
  }
  yield* check(
    "limits: 4096 characters outside the basic plane: two messages, none cut in a character",
    Effect.gen(function*() {
      const since = td.client.updates.mark()
      const text = "\u{1F9E9}".repeat(4096)
      const outcomes = yield* OurChat.sendText(ours, text)
      yield* OurChat.sendText(ours, "after the puzzle")
      yield* TdChat.receiveText(td, "after the puzzle")
      const parts = td.client.updates.seen(TdChat.received(td, textOf), since).slice(0, -1)
      yield* equal(parts.length, outcomes.length, "messages")
      yield* equal(parts.join("").length, text.length, "length")
      yield* equal(parts.join("") === text, true, "text")
    })
  )
  yield* check(
    "limits: half a surrogate pair, ours to TDLib: refused or replaced, and the chat lives on",
    Effect.gen(function*() {
      yield* Effect.result(OurChat.sendText(ours, "half \uD83D of it"))
      yield* alive(chat, "half")
    })
  )
  yield* check(
    "limits: an empty text of ours: refused, or not shown, and the chat lives on",
    Effect.gen(function*() {
      yield* Effect.result(OurChat.send(ours, { message: "" }))
      yield* alive(chat, "nothing")
    })
  )
  yield* check(
    "limits: entities that lie outside of the text or cover nothing: refused, or left out, and the chat lives on",
    Effect.gen(function*() {
      for (const [offset, length] of [[0, 100], [100, 1], [2, 0], [-1, 3]] as const) {
        yield* Effect.result(OurChat.sendText(ours, `outside ${offset} ${length}`, [
          { _tag: "messageEntityBold", offset, length }
        ]))
      }
      yield* alive(chat, "outside")
    })
  )
  yield* check(
    "limits: every kind of entity over the same words, ours to TDLib",
    Effect.gen(function*() {
      const over = { offset: 0, length: 5 }
      yield* OurChat.sendText(ours, "words and more", [
        { _tag: "messageEntityBold", ...over },
        { _tag: "messageEntityItalic", ...over },
        { _tag: "messageEntityUnderline", ...over },
        { _tag: "messageEntityStrike", ...over },
        { _tag: "messageEntitySpoiler", ...over },
        { _tag: "messageEntityTextUrl", ...over, url: "https://example.com/over" }
      ])
      const message = yield* TdChat.receiveText(td, "words and more")
      const kinds = message.content._ === "messageText" ? message.content.text.entities.map(({ type }) => type._) : []
      yield* equal(kinds.toSorted(), [
        "textEntityTypeBold",
        "textEntityTypeItalic",
        "textEntityTypeSpoiler",
        "textEntityTypeStrikethrough",
        "textEntityTypeTextUrl",
        "textEntityTypeUnderline"
      ], "kinds")
    })
  )
  yield* check(
    "limits: a text one longer than the limit, given to TDLib: refused, or cut, and the chat lives on",
    Effect.gen(function*() {
      yield* Effect.result(TdChat.submit(td, TdChat.text("z".repeat(4097))))
      yield* alive(chat, "longer")
    })
  )
  yield* check(
    "limits: the preview of a link, left out by TDLib",
    Effect.gen(function*() {
      yield* TdChat.submit(td, {
        ...TdChat.text("no preview of https://example.com/none"),
        link_preview_options: { _: "linkPreviewOptions", is_disabled: true }
      })
      const { media } = yield* OurChat.receiveText(ours, "no preview of https://example.com/none")
      yield* equal(media, undefined, "medium")
    })
  )
  yield* check(
    "limits: a copy of what we said, TDLib to ours",
    Effect.gen(function*() {
      const since = ours.peer.events.mark()
      yield* OurChat.sendText(ours, "said and copied")
      const { id } = yield* TdChat.receiveText(td, "said and copied")
      const attempt = yield* Effect.result(td.client.invoke({
        _: "forwardMessages",
        chat_id: td.chatId,
        from_chat_id: td.chatId,
        message_ids: [id],
        send_copy: true,
        remove_caption: false
      }))
      const copies = Result.isSuccess(attempt) && attempt.success.messages[0] ? ["said and copied"] : []
      yield* alive(chat, "copied")
      yield* equal(OurChat.texts(ours, since), [...copies, "copied: back"], "texts")
    })
  )
})

const answers = Effect.fnUntraced(function*(chat: Table.Pairing) {
  const { ours, td } = chat
  yield* check(
    "limits: an answer to what TDLib never had, ours to TDLib",
    Effect.gen(function*() {
      yield* OurChat.send(ours, { message: "an answer to nothing", replyToRandomId: 424242n })
      const message = yield* TdChat.receiveText(td, "an answer to nothing")
      yield* ensure(
        message.reply_to === undefined || message.reply_to._ !== "messageReplyToMessage" ||
          message.reply_to.message_id === 0,
        "an answer"
      )
    })
  )
  yield* check(
    "limits: an answer of TDLib's to what we have deleted meanwhile",
    Effect.gen(function*() {
      const [outcome] = yield* OurChat.sendText(ours, "a question that goes")
      const { id } = yield* TdChat.receiveText(td, "a question that goes")
      ours.peer.tamper.holdOutgoing()
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionDeleteMessages", randomIds: [outcome!.randomId] })
      yield* TdChat.submit(td, TdChat.text("the answer to it"), { replyTo: id })
      const answer = yield* OurChat.receiveText(ours, "the answer to it")
      yield* equal(answer.replyToRandomId, outcome!.randomId, "answers")
      yield* ours.peer.tamper.releaseOutgoing
      yield* TdChat.deleted(td, id)
      yield* alive(chat, "gone question")
    })
  )
  yield* check(
    "limits: a message by way of a bot, ours to TDLib",
    Effect.gen(function*() {
      yield* OurChat.send(ours, { message: "by way of a bot", viaBotName: "some_bot" })
      yield* TdChat.receiveText(td, "by way of a bot")
    })
  )
  yield* check(
    "limits: both delete the same message at the same moment",
    Effect.gen(function*() {
      const [outcome] = yield* OurChat.sendText(ours, "both delete this")
      const { id } = yield* TdChat.receiveText(td, "both delete this")
      ours.peer.tamper.holdOutgoing()
      yield* OurChat.act(ours, { _tag: "decryptedMessageActionDeleteMessages", randomIds: [outcome!.randomId] })
      yield* td.client.invoke({ _: "deleteMessages", chat_id: td.chatId, message_ids: [id], revoke: true })
      yield* TdChat.deleted(td, id)
      yield* ours.peer.tamper.releaseOutgoing
      yield* alive(chat, "both deleted")
    })
  )
  yield* check(
    "limits: TDLib deletes only for itself, which in a secret chat is for both",
    Effect.gen(function*() {
      const { id } = yield* TdChat.sendText(td, "deleted without revoke")
      const { randomId } = yield* OurChat.receiveText(ours, "deleted without revoke")
      yield* td.client.invoke({ _: "deleteMessages", chat_id: td.chatId, message_ids: [id], revoke: false })
      yield* OurChat.report(ours, "MessagesDeleted", (event) => event.randomIds.includes(randomId))
    })
  )
  yield* check(
    "limits: TDLib deletes a message before it has left, and there is no hole",
    Effect.gen(function*() {
      const since = ours.peer.events.mark()
      const first = yield* TdChat.submit(td, TdChat.text("taken back at once"))
      yield* Effect.result(
        td.client.invoke({ _: "deleteMessages", chat_id: td.chatId, message_ids: [first.id], revoke: true })
      )
      yield* alive(chat, "taken back")
      yield* ensure(
        ours.peer.events.seen(
          ({ chatId, event }) => chatId === ours.id && event._tag === "MessagesMissing" ? true : undefined,
          since
        ).length === 0,
        "messages are missing"
      )
    })
  )
  yield* check(
    "limits: 200 messages each way at once, all in order",
    Effect.gen(function*() {
      const there = Array.from({ length: 200 }, (_, i) => `crossing there ${i}`)
      const back = Array.from({ length: 200 }, (_, i) => `crossing back ${i}`)
      const atTd = td.client.updates.mark()
      const atOurs = ours.peer.events.mark()
      yield* Effect.all([
        Effect.forEach(there, (text) => OurChat.sendText(ours, text), { concurrency: "unbounded", discard: true }),
        Effect.forEach(back, (text) => TdChat.submit(td, TdChat.text(text)), { concurrency: 1, discard: true })
      ], { concurrency: 2 })
      yield* TdChat.receiveText(td, there.at(-1)!)
      yield* OurChat.receiveText(ours, back.at(-1)!)
      yield* equal(TdChat.texts(td, atTd), there, "texts at TDLib")
      yield* equal(OurChat.texts(ours, atOurs), back, "our texts")
    }),
    "30 seconds"
  )
})

const timers = Effect.fnUntraced(function*(chat: Table.Pairing) {
  const { ours, td } = chat
  const shows = (seconds: number) => (message: Td.message) =>
    message.content._ === "messageChatSetMessageAutoDeleteTime" && message.content.message_auto_delete_time === seconds
      ? message
      : undefined
  for (const seconds of [1, 7, 604_800, 31_536_000, 2_147_483_647]) {
    yield* check(
      `limits: a timer of ${seconds} s, ours to TDLib`,
      Effect.gen(function*() {
        const since = td.client.updates.mark()
        yield* OurChat.act(ours, { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: seconds })
        yield* TdChat.receive(td, "timer message", shows(seconds), since)
      })
    )
  }
  for (const seconds of [5, 86_400, 31_536_000, 0]) {
    yield* check(
      `limits: a timer of ${seconds} s, TDLib to ours`,
      Effect.gen(function*() {
        const since = ours.peer.events.mark()
        yield* td.client.invoke({
          _: "setChatMessageAutoDeleteTime",
          chat_id: td.chatId,
          message_auto_delete_time: seconds
        })
        const event = yield* OurChat.report(ours, "TtlChanged", ({ by }) => by === "peer", { since })
        yield* equal(event.ttl, seconds, "seconds")
      })
    )
  }
  yield* check(
    "limits: every kind of activity at TDLib is typing at our side",
    Effect.gen(function*() {
      const actions: ReadonlyArray<Td.ChatAction$Input> = [
        { _: "chatActionTyping" },
        { _: "chatActionRecordingVoiceNote" },
        { _: "chatActionUploadingDocument", progress: 50 },
        { _: "chatActionChoosingSticker" }
      ]
      for (const action of actions) {
        const since = ours.peer.events.mark()
        yield* td.client.invoke({ _: "sendChatAction", chat_id: td.chatId, action: { _: "chatActionCancel" } })
        yield* td.client.invoke({ _: "sendChatAction", chat_id: td.chatId, action })
        yield* OurChat.report(ours, "Typing", () => true, { since })
      }
    })
  )
})

const names: ReadonlyArray<readonly [name: string, fileName: string]> = [
  ["like a path upwards", "../../../etc/passwd"],
  ["like a path of another system", "C:\\Windows\\system32\\a.dll"],
  ["of two hundred letters", `${"n".repeat(200)}.bin`],
  ["in other scripts", "отчёт \u6F22\u5B57 \u{1F4C4}.pdf"],
  ["of dots", ".."],
  ["with line ends and a NUL", "a\nb\0c.txt"],
  ["of nothing", ""]
]

const files = Effect.fnUntraced(function*(chat: Table.Pairing) {
  const { ours, td } = chat
  const { directory } = yield* World
  for (const [name, fileName] of names) {
    yield* check(
      `limits: a document with a name ${name}, ours to TDLib: saved in a folder of TDLib's`,
      Effect.gen(function*() {
        const bytes = randomBytes(300)
        const caption = `named ${name}`
        const found = yield* Effect.andThen(
          OurFiles.send(
            ours,
            Media.document({ caption, fileName, mimeType: "application/octet-stream" }),
            FileSource.fromBytes(bytes)
          ),
          TdChat.receive(
            td,
            "document",
            (message) =>
              message.content._ === "messageDocument" && message.content.caption.text === caption
                ? message.content.document.document
                : undefined
          )
        )
        yield* OurFiles.sameBytes(yield* TdFiles.download(td.client, found), bytes)
        const { local } = yield* td.client.invoke({ _: "getFile", file_id: found.id })
        yield* ensure(
          !relative(dirname(td.client.filesDirectory), resolve(local.path)).startsWith(".."),
          `saved as ${local.path}`
        )
      })
    )
  }
  for (const [name, fileName] of names.filter(([, name]) => !/[\0/]|^\.*$/.test(name))) {
    yield* check(
      `limits: a document with a name ${name}, TDLib to ours`,
      Effect.gen(function*() {
        const bytes = randomBytes(300)
        const folder = join(directory, "limits-names")
        const path = join(folder, fileName)
        yield* Effect.promise(() => mkdir(folder, { recursive: true }).then(() => writeFile(path, bytes)))
        const caption = `back, named ${name}`
        yield* TdChat.submit(td, TdFiles.document.input(path, caption))
        const received = yield* OurFiles.receiveCaption(ours, caption)
        yield* OurFiles.sameBytes(yield* OurFiles.download(ours, received), bytes)
        const found = Media.fileName(OurFiles.mediaOf(received)!)
        yield* ensure(found !== undefined && !/[/\\]/.test(found), `the name is ${found}`)
      })
    )
  }
  for (const length of [1024, 1025, 4096]) {
    yield* check(
      `limits: a caption of ${length} characters, ours to TDLib`,
      Effect.gen(function*() {
        const caption = `${length} `.padEnd(length, "c")
        yield* OurFiles.send(
          ours,
          Media.document({ caption, fileName: "c.bin" }),
          FileSource.fromBytes(randomBytes(16))
        )
        const shown = yield* TdChat.receive(
          td,
          "document",
          ({ content }) =>
            content._ === "messageDocument" && content.caption.text.startsWith(`${length} `)
              ? content.caption.text
              : undefined
        )
        yield* equal(shown, caption, "caption")
      })
    )
  }
  yield* check(
    "limits: a text and a caption at once, ours to TDLib: it shows both",
    Effect.gen(function*() {
      yield* OurFiles.send(
        ours,
        Media.message(Media.document({ caption: "the caption", fileName: "both.bin" }), { text: "the text" }),
        FileSource.fromBytes(randomBytes(16))
      )
      const shown = yield* TdChat.receive(
        td,
        "document",
        ({ content }) =>
          content._ === "messageDocument" && content.caption.text.startsWith("the text")
            ? content.caption.text
            : undefined
      )
      yield* equal(shown, "the text\n\nthe caption", "caption")
    })
  )
  for (const length of [0, 1, 63, 200]) {
    yield* check(
      `limits: a voice note with a waveform of ${length} bytes, ours to TDLib`,
      Effect.gen(function*() {
        const waveform = new Uint8Array(length).fill(0b10101010)
        const caption = `wave ${length}`
        yield* OurFiles.send(
          ours,
          Media.voice({ caption, duration: 1, waveform }),
          FileSource.fromBytes(randomBytes(64))
        )
        const shown = yield* TdChat.receive(
          td,
          "voice note",
          ({ content }) =>
            content._ === "messageVoiceNote" && content.caption.text === caption
              ? content.voice_note.waveform
              : undefined
        )
        yield* equal(Buffer.from(shown, "base64").length, length, "bytes")
      })
    )
  }
  yield* check(
    "limits: thumbnails without a picture, without a size, and of a great size, ours to TDLib",
    Effect.gen(function*() {
      const thumbnails: ReadonlyArray<Media.Thumbnail> = [
        { jpeg: new Uint8Array(0), width: 90, height: 90 },
        { jpeg: randomBytes(500), width: 0, height: 0 },
        { jpeg: randomBytes(20_000), width: 5000, height: 1 }
      ]
      for (const [i, thumbnail] of thumbnails.entries()) {
        const caption = `thumbnail ${i}`
        yield* OurFiles.send(
          ours,
          Media.photo({ caption, thumbnail, width: 10, height: 10 }),
          FileSource.fromBytes(randomBytes(64))
        )
        yield* TdChat.receive(
          td,
          caption,
          ({ content }) => content._ === "messagePhoto" && content.caption.text === caption ? true : undefined
        )
      }
      yield* alive(chat, "thumbnails")
    })
  )
  yield* check(
    "limits: a photo and a video of no size and no length, ours to TDLib",
    Effect.gen(function*() {
      yield* OurFiles.send(ours, Media.photo({ width: 0, height: 0 }), FileSource.fromBytes(randomBytes(64)))
      yield* OurFiles.send(
        ours,
        Media.video({ width: 0, height: 0, duration: 0 }),
        FileSource.fromBytes(randomBytes(64))
      )
      yield* alive(chat, "no size")
    })
  )
  for (const kind of ["audio", "document"] as const) {
    yield* check(
      `limits: an album of three (${kind}), TDLib to ours`,
      Effect.gen(function*() {
        const one = TdFiles.kinds.find(({ name }) => name === kind)!
        const contents = yield* Effect.forEach([0, 1, 2], (i) => {
          const path = join(directory, `limits-${kind}-${i}.${one.extension}`)
          return Effect.as(
            Effect.promise(() => writeFile(path, randomBytes(200 + i))),
            one.input(path, `${kind} album ${i}`)
          )
        })
        yield* td.client.invoke({ _: "sendMessageAlbum", chat_id: td.chatId, input_message_contents: contents })
        const received = yield* Effect.forEach([0, 1, 2], (i) => OurFiles.receiveCaption(ours, `${kind} album ${i}`))
        yield* equal(new Set(received.map(({ message }) => message.groupedId)).size, 1, "groups")
      })
    )
  }
})

/** TDLib blocks us for a while. */
const blocked = Effect.fnUntraced(function*(chat: Table.Pairing) {
  const { ours, td } = chat
  const { ours: peer } = yield* Table.Table
  const { server } = yield* World
  const sender = { _: "messageSenderUser", user_id: Number(peer.userId) } as const
  yield* check(
    "limits: TDLib blocks us: what we send fails with a reason",
    Effect.gen(function*() {
      yield* td.client.invoke({
        _: "setMessageSenderBlockList",
        sender_id: sender,
        block_list: { _: "blockListMain" }
      })
      // TDLib says so before the server has heard of it
      yield* server.awaitCalls(Api.contacts.block)
      const result = yield* Effect.result(OurChat.sendText(ours, "into the block"))
      if (Result.isSuccess(result)) return yield* fail("sent")
      yield* equal(result.failure._tag, "UserIsBlocked", "error")
    })
  )
  yield* check(
    "limits: TDLib lets us in again: the next message arrives, the one that failed does not, and there is no hole",
    Effect.gen(function*() {
      yield* td.client.invoke({ _: "setMessageSenderBlockList", sender_id: sender })
      yield* server.awaitCalls(Api.contacts.unblock)
      yield* alive(chat, "let in again")
      yield* equal(TdChat.texts(td).includes("into the block"), false, "shown")
    })
  )
})

/** Both ask each other for a chat before either has heard of it. */
const bothAsk = Effect.gen(function*() {
  const { accounts, ours, tdlib } = yield* Table.Table
  yield* check(
    "limits: both ask each other for a chat at the same moment: two chats, each with a key of its own",
    Effect.gen(function*() {
      const [mine, theirs] = yield* Effect.all([
        OurChat.request(ours, accounts.tdlib.phone),
        TdChat.request(tdlib, accounts.ours.phone)
      ], { concurrency: 2 })
      const answered = yield* OurChat.requested(ours, theirs.secretChatId)
      yield* OurChat.accept(answered)
      const there = yield* TdChat.incoming(tdlib, mine.id)
      yield* TdChat.ready(tdlib, mine.id)
      yield* TdChat.ready(tdlib, theirs.secretChatId)
      yield* OurChat.ready(mine)
      yield* OurChat.ready(answered)
      yield* alive({ ours: mine, td: there }, "first of two")
      yield* alive({ ours: answered, td: theirs }, "second of two")
      const keys = yield* Effect.forEach([mine, answered], OurChat.keyHash)
      yield* ensure(!Buffer.from(keys[0]!).equals(Buffer.from(keys[1]!)), "one key for two chats")
    })
  )
})

/** What is on the border of what may be said. */
export const limits = scenario(
  "limits",
  Effect.gen(function*() {
    const table = yield* Table.Table
    const chat = yield* table.tdlibCreates()
    yield* refusals(chat)
    yield* oddTexts(chat)
    yield* answers(chat)
    yield* timers(chat)
    yield* files(yield* table.weCreate())
    yield* bothAsk
    yield* blocked(chat)
  }).pipe(Effect.provide(Table.layer("limits")))
)
