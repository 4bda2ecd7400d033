/**
 * Every kind of media with a file, both ways: what it is, its content, its thumbnail, its caption; albums; media that is opened,
 * and media that disappears after that.
 */
import type * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import * as SendFile from "@effect-mtproto/secret-chats/sendEncryptedFile"
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type * as Td from "tdlib-types"
import { check, ensure, equal, fail, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as OurFiles from "../OurFiles.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"
import * as TdFiles from "../TdFiles.ts"
import { World } from "../World.ts"

/** The smallest JPEG: one grey pixel. */
const jpeg = new Uint8Array(Buffer.from(
  "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////"
    + "////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA=",
  "base64"
))

/** A kind that the other table must have too. */
const ourKind = (name: string): OurFiles.Kind => OurFiles.kinds[name]!

interface Formatting {
  readonly at: number
  readonly length: number
  readonly td: Td.TextEntityType$Input["_"]
  readonly ours: DecryptedMessage.MessageEntity["_tag"]
}

const CAPTION = "bold, slanted, ünïcode \u{1F600} code"
const formatting: ReadonlyArray<Formatting> = [
  { at: 0, length: 4, td: "textEntityTypeBold", ours: "messageEntityBold" },
  { at: 6, length: 7, td: "textEntityTypeItalic", ours: "messageEntityItalic" },
  { at: 26, length: 4, td: "textEntityTypeCode", ours: "messageEntityCode" }
]
const tdEntities = formatting.map(({ at, length, td }) =>
  ({ _: "textEntity", offset: at, length, type: { _: td } }) as Td.textEntity$Input
)
const ourEntities = formatting.map(({ at, length, ours }) =>
  ({ _tag: ours, offset: at, length }) as DecryptedMessage.MessageEntity
)

const all: ReadonlyArray<TdFiles.Kind> = [...TdFiles.kinds, TdFiles.sticker]

/** The first message at TDLib, since a mark, whose content has a file of this kind. */
const receiveKind = (td: TdChat.TdChat, kind: TdFiles.Kind, since: number) =>
  TdChat.receive(td, kind.name, (message) => {
    const file = kind.file(message.content)
    return file === undefined ? undefined : { message, file }
  }, since)

const play = Effect.gen(function*() {
  const table = yield* Table.Table
  const { directory } = yield* World
  const { ours, td } = yield* table.tdlibCreates()
  const { client } = td

  const thumbnail = join(directory, "media-thumbnail.jpg")
  yield* Effect.promise(() => writeFile(thumbnail, jpeg))

  /** Puts content where TDLib finds it; every file has a folder of its own, and the same name in it. */
  let files = 0
  const put = (kind: TdFiles.Kind, bytes: Uint8Array) =>
    Effect.promise(async () => {
      const folder = join(directory, "media", String(++files))
      await mkdir(folder, { recursive: true })
      const path = join(folder, `content.${kind.extension}`)
      await writeFile(path, bytes)
      return path
    })

  // ----- every kind

  const toTdlib = Effect.fnUntraced(function*(kind: TdFiles.Kind) {
    const bytes = randomBytes(20_000)
    const since = client.updates.mark()
    const media = ourKind(kind.name).make({
      ...kind.hasCaption ? { caption: CAPTION } : {},
      thumbnail: { jpeg, width: 90, height: 56 }
    })
    yield* OurFiles.send(
      ours,
      Media.message(media, kind.hasCaption ? { entities: ourEntities } : {}),
      FileSource.fromBytes(bytes)
    )
    const { file, message } = yield* receiveKind(td, kind, since)
    yield* equal(kind.look(message.content), kind.shown, "what TDLib shows")
    if (kind.hasCaption) {
      const caption = kind.caption(message.content)
      yield* equal(caption?.text, CAPTION, "caption")
      yield* equal(
        caption?.entities.map((entity) => [entity.offset, entity.length, entity.type._]),
        formatting.map(({ at, length, td: type }) => [at, length, type]),
        "entities"
      )
    }
    if (kind.hasThumbnail) {
      const small = kind.thumbnail(message.content)
      if (small === undefined) return yield* fail("TDLib shows no thumbnail")
      yield* OurFiles.sameBytes(yield* TdFiles.thumbnail(client, small), jpeg)
    }
    yield* equal(file.size, bytes.length, "size at TDLib")
    yield* OurFiles.sameBytes(yield* TdFiles.download(client, file), bytes)
  })

  const toUs = Effect.fnUntraced(function*(kind: TdFiles.Kind) {
    const bytes = randomBytes(20_000)
    const since = ours.peer.events.mark()
    const message = yield* TdChat.submit(
      td,
      kind.input(yield* put(kind, bytes), CAPTION, {
        entities: tdEntities,
        thumbnail: { path: thumbnail, width: 90, height: 56 }
      })
    )
    const received = yield* OurFiles.receive(ours, { since })
    yield* TdChat.sent(td, message)
    const media = OurFiles.mediaOf(received)!
    yield* equal(Media.kindOf(media), ourKind(kind.name).kind, "kind")
    yield* equal(OurFiles.look(media), kind.shown, "what we see")
    if (kind.hasCaption) {
      yield* equal(media.caption, CAPTION, "caption")
      yield* equal(
        received.message.entities?.map((entity) => [entity._tag, entity.offset, entity.length]),
        formatting.map(({ at, length, ours: tag }) => [tag, at, length]),
        "entities"
      )
    }
    if (kind.hasThumbnail) {
      const small = Media.thumbnail(media)
      if (small === undefined) return yield* fail("we see no thumbnail")
      yield* OurFiles.sameBytes(small.jpeg, jpeg)
    }
    yield* OurFiles.wellDescribed(received, bytes.length)
    yield* OurFiles.sameBytes(yield* OurFiles.download(ours, received), bytes)
  })

  for (const kind of all) {
    yield* check(`media: ${kind.name}, ours to TDLib`, toTdlib(kind), "40 seconds")
    yield* check(`media: ${kind.name}, TDLib to ours`, toUs(kind), "40 seconds")
  }
  yield* check(
    "media: a sticker of a set, ours to TDLib",
    Effect.gen(function*() {
      const since = client.updates.mark()
      yield* OurChat.send(ours, {
        message: "",
        media: Media.sticker({
          id: 77n,
          accessHash: 78n,
          dcId: 1,
          size: 30_000,
          width: 512,
          height: 512,
          set: "AnimalSet",
          emoji: "\u{1F431}"
        })
      })
      const { message } = yield* receiveKind(td, TdFiles.sticker, since)
      yield* equal(TdFiles.sticker.look(message.content), [512, 512], "size in pixels")
      yield* equal(message.content._ === "messageSticker" && message.content.sticker.emoji, "\u{1F431}", "emoji")
    })
  )
  yield* check(
    "media: web page, TDLib to ours",
    Effect.gen(function*() {
      yield* TdChat.submit(td, TdChat.text("see https://example.com/other there"))
      const { media } = yield* OurChat.receiveText(ours, "see https://example.com/other there")
      yield* equal(media, { _tag: "decryptedMessageMediaWebPage", url: "https://example.com/other" }, "medium")
    })
  )
  yield* check(
    "media: photo without thumbnail and caption, both ways",
    Effect.gen(function*() {
      const bytes = randomBytes(999)
      const there = client.updates.mark()
      const back = ours.peer.events.mark()
      yield* OurFiles.send(ours, ourKind("photo").make({}), FileSource.fromBytes(bytes))
      const shown = yield* receiveKind(td, TdFiles.photo, there)
      yield* OurFiles.sameBytes(yield* TdFiles.download(client, shown.file), bytes)
      yield* TdChat.submit(td, TdFiles.photo.input(yield* put(TdFiles.photo, bytes), ""))
      const received = yield* OurFiles.receive(ours, { since: back })
      yield* equal(Media.thumbnail(OurFiles.mediaOf(received)!), undefined, "thumbnail")
      yield* OurFiles.sameBytes(yield* OurFiles.download(ours, received), bytes)
    })
  )
  yield* check(
    "media: answers to each other",
    Effect.gen(function*() {
      const there = client.updates.mark()
      const back = ours.peer.events.mark()
      const bytes = randomBytes(64)
      const first = yield* OurFiles.send(ours, ourKind("photo").make({}), FileSource.fromBytes(bytes))
      const { message } = yield* receiveKind(td, TdFiles.photo, there)
      yield* TdChat.submit(td, TdFiles.document.input(yield* put(TdFiles.document, bytes), ""), {
        replyTo: message.id
      })
      const answer = yield* OurFiles.receive(ours, { since: back })
      yield* equal(answer.message.replyToRandomId, first.randomId, "answers")
      yield* OurFiles.send(
        ours,
        Media.message(ourKind("video").make({}), { replyToRandomId: answer.randomId, silent: true }),
        FileSource.fromBytes(bytes)
      )
      const shown = yield* receiveKind(td, TdFiles.video, there)
      const { reply_to: reply } = shown.message
      yield* ensure(reply?._ === "messageReplyToMessage", "TDLib shows no answer")
    })
  )

  // ----- albums

  const albumKinds = [TdFiles.photo, TdFiles.video, TdFiles.photo]

  yield* check(
    "media: album, TDLib to ours",
    Effect.gen(function*() {
      const since = ours.peer.events.mark()
      const contents = albumKinds.map((_, i) => randomBytes(30_000 + i))
      yield* client.invoke({
        _: "sendMessageAlbum",
        chat_id: td.chatId,
        input_message_contents: yield* Effect.forEach(
          albumKinds,
          (kind, i) => Effect.map(put(kind, contents[i]!), (path) => kind.input(path, `album back ${i}`))
        )
      })
      const received = yield* Effect.forEach(
        albumKinds,
        (_, i) => OurFiles.receiveCaption(ours, `album back ${i}`)
      )
      const groups = new Set(received.map(({ message }) => message.groupedId))
      yield* equal(groups.size, 1, "groups")
      yield* ensure((received[0]!.message.groupedId ?? 0n) > 0n, "the group has no positive id")
      yield* equal(
        received.map(({ message }) => message.media && Media.kindOf(message.media)),
        ["photo", "video", "photo"],
        "kinds"
      )
      yield* equal(
        ours.peer.events.seen(({ event }) =>
          event._tag === "NewMessage" && event.message.groupedId !== undefined
            ? OurFiles.mediaOf(event)?.caption
            : undefined, since),
        ["album back 0", "album back 1", "album back 2"],
        "order"
      )
      for (const [i, event] of received.entries()) {
        yield* OurFiles.sameBytes(yield* OurFiles.download(ours, event), contents[i]!)
      }
    }),
    "40 seconds"
  )
  yield* check(
    "media: album, ours to TDLib",
    Effect.gen(function*() {
      const since = client.updates.mark()
      const contents = albumKinds.map((_, i) => randomBytes(30_000 + i))
      const item = (i: number) => ({
        message: ourKind(albumKinds[i]!.name).make({ caption: `album there ${i}` }),
        file: FileSource.fromBytes(contents[i]!)
      })
      const sent = yield* Effect.provideContext(
        SendFile.sendEncryptedAlbum(ours.id, [item(0), item(1), item(2)]),
        ours.peer.services
      )
      yield* equal(sent.length, 3, "messages")
      const shown = yield* Effect.forEach(
        albumKinds,
        (kind, i) =>
          TdChat.receive(td, `file ${i} of the album`, (message) => {
            const file = kind.file(message.content)
            return file !== undefined && kind.caption(message.content)?.text === `album there ${i}`
              ? { file, album: message.media_album_id }
              : undefined
          }, since)
      )
      yield* equal(new Set(shown.map(({ album }) => album)).size, 1, "albums")
      yield* ensure(shown[0]!.album !== "0", "TDLib shows no album")
      for (const [i, { file }] of shown.entries()) {
        yield* OurFiles.sameBytes(yield* TdFiles.download(client, file), contents[i]!)
      }
    }),
    "40 seconds"
  )
  yield* check(
    "media: an album of ten, ours to TDLib",
    Effect.gen(function*() {
      const since = client.updates.mark()
      const item = (i: number) => ({
        message: ourKind("photo").make({ caption: `ten ${i}` }),
        file: FileSource.fromBytes(randomBytes(2000 + i))
      })
      const rest = Array.from({ length: 9 }, (_, i) => item(i + 1))
      yield* Effect.provideContext(
        SendFile.sendEncryptedAlbum(ours.id, [item(0), ...rest]),
        ours.peer.services
      )
      const shown = yield* Effect.forEach(
        Array.from({ length: 10 }, (_, i) => i),
        (i) =>
          TdChat.receive(
            td,
            `photo ${i}`,
            (message) =>
              TdFiles.photo.caption(message.content)?.text === `ten ${i}` ? message.media_album_id : undefined,
            since
          )
      )
      yield* equal(new Set(shown).size, 1, "albums")
    }),
    "40 seconds"
  )

  // ----- opened media

  yield* check(
    "media: TDLib opens a voice note of ours",
    Effect.gen(function*() {
      const since = client.updates.mark()
      const { randomId } = yield* OurFiles.send(
        ours,
        ourKind("voice note").make({}),
        FileSource.fromBytes(randomBytes(500))
      )
      const { message } = yield* receiveKind(td, TdFiles.voiceNote, since)
      yield* client.invoke({ _: "openMessageContent", chat_id: td.chatId, message_id: message.id })
      const event = yield* OurChat.report(ours, "ContentOpened", (found) => found.randomIds.includes(randomId))
      yield* equal(event.by, "peer", "opened by")
    })
  )
  yield* check(
    "media: we open a voice note of TDLib's",
    Effect.gen(function*() {
      const since = ours.peer.events.mark()
      const submitted = yield* TdChat.submit(
        td,
        TdFiles.voiceNote.input(yield* put(TdFiles.voiceNote, randomBytes(500)), "")
      )
      const { randomId } = yield* OurFiles.receive(ours, { since })
      const message = yield* TdChat.sent(td, submitted)
      yield* ours.peer.chats.readMessages(ours.id, [randomId])
      yield* client.updates.waitFor(
        "opened content",
        (u) =>
          u._ === "updateMessageContentOpened" && u.chat_id === td.chatId && u.message_id === message.id ? u : undefined
      )
    })
  )

  // ----- media that disappears

  // TDLib lets what is played live a second longer than it plays, whatever the timer
  const disappearing = [[TdFiles.photo, 2], [TdFiles.voiceNote, 3], [TdFiles.video, 4]] as const

  for (const [kind, atTdlib] of disappearing) {
    yield* check(
      `media: ${kind.name} of ours with a timer disappears at both sides after TDLib opened it`,
      Effect.gen(function*() {
        const since = client.updates.mark()
        const bytes = randomBytes(3000)
        const { randomId } = yield* OurFiles.send(
          ours,
          Media.message(ourKind(kind.name).make({}), { ttl: 2 }),
          FileSource.fromBytes(bytes)
        )
        const { file, message } = yield* receiveKind(td, kind, since)
        const { self_destruct_type: destruct } = message
        yield* equal(
          destruct?._ === "messageSelfDestructTypeTimer" && destruct.self_destruct_time,
          atTdlib,
          "timer at TDLib"
        )
        yield* OurFiles.sameBytes(yield* TdFiles.download(client, file), bytes)
        yield* client.invoke({ _: "openMessageContent", chat_id: td.chatId, message_id: message.id })
        yield* OurChat.report(ours, "ContentOpened", (event) => event.randomIds.includes(randomId))
        yield* TdChat.deleted(td, message.id)
        yield* OurChat.report(
          ours,
          "MessagesExpired",
          (event) => event.direction === "outgoing" && event.randomIds.includes(randomId)
        )
      }),
      "30 seconds"
    )
    yield* check(
      `media: ${kind.name} of TDLib's with the timer of the chat disappears at both sides after we opened it`,
      Effect.gen(function*() {
        yield* ours.peer.chats.setTtl(ours.id, 2)
        yield* TdChat.receive(
          td,
          "timer message",
          (m) =>
            m.content._ === "messageChatSetMessageAutoDeleteTime" && m.content.message_auto_delete_time === 2
              ? m
              : undefined
        )
        const since = ours.peer.events.mark()
        const bytes = randomBytes(3000)
        const submitted = yield* TdChat.submit(td, kind.input(yield* put(kind, bytes), ""))
        const received = yield* OurFiles.receive(ours, { since })
        const message = yield* TdChat.sent(td, submitted)
        yield* equal(received.message.ttl, 2, "timer at ours")
        yield* OurFiles.sameBytes(yield* OurFiles.download(ours, received), bytes)
        yield* ours.peer.chats.readMessages(ours.id, [received.randomId])
        yield* TdChat.deleted(td, message.id)
        yield* OurChat.report(
          ours,
          "MessagesExpired",
          (event) => event.direction === "incoming" && event.randomIds.includes(received.randomId)
        )
        yield* ours.peer.chats.setTtl(ours.id, 0)
      }),
      "30 seconds"
    )
  }
})

/** Media with files. */
export const media = scenario("media", Effect.provide(play, Table.layer("media")))
