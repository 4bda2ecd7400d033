/**
 * How files get from us to TDLib and back: sizes at every border, no upload of what the server has, a side that is away, and
 * everything that can happen to a transfer on its way.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as Download from "@effect-mtproto/secret-chats/downloadEncryptedFile"
import * as EncryptedFile from "@effect-mtproto/secret-chats/EncryptedFile"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import * as SendFile from "@effect-mtproto/secret-chats/sendEncryptedFile"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { randomBytes } from "node:crypto"
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type * as Td from "tdlib-types"
import { check, ensure, equal, fail, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as OurFiles from "../OurFiles.ts"
import * as Peer from "../Peer.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"
import * as TdFiles from "../TdFiles.ts"
import { Tdlib } from "../Tdlib.ts"
import { World } from "../World.ts"

const KiB = 1024
const MiB = 1024 * KiB

/** A file above 10 MiB travels as a big one. */
const sizes: ReadonlyArray<readonly [name: string, bytes: number]> = [
  ["1 byte", 1],
  ["15 bytes", 15],
  ["16 bytes", 16],
  ["64 KiB", 64 * KiB],
  ["64 KiB + 1 byte", 64 * KiB + 1],
  ["511 KiB", 511 * KiB],
  ["512 KiB", 512 * KiB],
  ["10 MiB", 10 * MiB],
  ["10 MiB + 1 byte", 10 * MiB + 1]
]

const named = (caption: string) => Media.document({ fileName: "content.bin", caption })

/** The document with this caption, as TDLib shows it. */
const shownDocument = (td: TdChat.TdChat, caption: string) =>
  TdChat.receive(td, `document ${caption}`, (message) => {
    const file = TdFiles.document.file(message.content)
    return file !== undefined && TdFiles.document.caption(message.content)?.text === caption ? file : undefined
  })

/** TDLib gets the document with this caption, once, and its content. */
const reachesTdlib = Effect.fnUntraced(function*(td: TdChat.TdChat, caption: string, bytes: Uint8Array) {
  const file = yield* shownDocument(td, caption)
  yield* equal(file.size, bytes.length, "size at TDLib")
  yield* OurFiles.sameBytes(yield* TdFiles.download(td.client, file), bytes)
  const seen = td.client.updates.seen(TdChat.received(
    td,
    (message) => TdFiles.document.caption(message.content)?.text === caption ? message : undefined
  ))
  yield* equal(seen.length, 1, "messages")
})

/** We get the document with this caption, and its content. */
const reachesUs = Effect.fnUntraced(function*(chat: OurChat.OurChat, caption: string, bytes: Uint8Array) {
  const received = yield* OurFiles.receiveCaption(chat, caption)
  yield* OurFiles.wellDescribed(received, bytes.length)
  yield* OurFiles.sameBytes(yield* OurFiles.download(chat, received), bytes)
  return received
})

/** Both directions still work, in order behind whatever was sent before. */
const stillAlive = Effect.fnUntraced(function*(chat: Table.Pairing, word: string) {
  yield* OurChat.sendText(chat.ours, `${word}: still here`)
  yield* TdChat.receiveText(chat.td, `${word}: still here`)
  yield* TdChat.sendText(chat.td, `${word}: here too`)
  yield* OurChat.receiveText(chat.ours, `${word}: here too`)
})

const play = Effect.gen(function*() {
  const table = yield* Table.Table
  const world = yield* World
  const { faults } = world.server
  const chat = yield* table.tdlibCreates()
  const { ours, td } = chat
  const us = { account: table.accounts.ours.phone }
  const them = { account: table.accounts.tdlib.phone }

  let files = 0
  const put = (bytes: Uint8Array) =>
    Effect.promise(async () => {
      const path = join(world.directory, `transfer-${++files}.bin`)
      await writeFile(path, bytes)
      return path
    })
  const submit = (to: TdChat.TdChat, caption: string, bytes: Uint8Array) =>
    Effect.flatMap(put(bytes), (path) => TdChat.submit(to, TdFiles.document.input(path, caption)))
  const ourParts = () => world.uploads(table.accounts.ours)
  const theirParts = () => world.uploads(table.accounts.tdlib)

  // ----- sizes

  yield* check(
    "transfer: 0 bytes are refused on our side, and by TDLib on its own",
    Effect.gen(function*() {
      const before = ourParts().length
      const error = yield* Effect.flip(OurFiles.send(ours, named("empty"), FileSource.fromBytes(new Uint8Array(0))))
      yield* equal([error._tag, error._tag === "FileError" && error.reason], ["FileError", "empty"], "our error")
      const unknown = FileSource.fromStream(Stream.empty)
      const second = yield* Effect.flip(OurFiles.send(ours, named("empty stream"), unknown))
      yield* equal([second._tag, second._tag === "FileError" && second.reason], ["FileError", "empty"], "our error")
      yield* equal(ourParts().length, before, "parts")
      yield* Effect.flip(submit(td, "empty", new Uint8Array(0)))
      yield* stillAlive(chat, "empty")
    })
  )
  for (const [name, length] of sizes) {
    yield* check(
      `transfer: ${name}, ours to TDLib`,
      Effect.gen(function*() {
        const bytes = randomBytes(length)
        const before = ourParts().length
        const sent = yield* OurFiles.send(ours, named(`there ${name}`), FileSource.fromBytes(bytes))
        const parts = ourParts().slice(before)
        yield* equal(
          parts.reduce((sum, part) => sum + part.bytes, 0),
          Math.ceil(length / 16) * 16,
          "bytes on the server"
        )
        yield* equal(parts.every(({ total }) => (total !== undefined) === (length > 10 * MiB)), true, "big parts")
        if (sent.encrypted.place._tag !== "Stored") return yield* fail("the server keeps no file")
        yield* equal(Number(sent.encrypted.place.reference.size), Math.ceil(length / 16) * 16, "stored size")
        yield* reachesTdlib(td, `there ${name}`, bytes)
      }),
      "60 seconds"
    )
    yield* check(
      `transfer: ${name}, TDLib to ours`,
      Effect.gen(function*() {
        const bytes = randomBytes(length)
        yield* submit(td, `back ${name}`, bytes)
        yield* reachesUs(ours, `back ${name}`, bytes)
      }),
      "60 seconds"
    )
  }
  for (const length of [100, 700 * KiB, 3 * MiB + 5]) {
    yield* check(
      `transfer: a stream of unknown size, ${length} bytes, ours to TDLib`,
      Effect.gen(function*() {
        const bytes = randomBytes(length)
        const pieces: Array<Uint8Array> = []
        for (let at = 0; at < length; at += 77_777) pieces.push(bytes.subarray(at, at + 77_777))
        const caption = `unknown size ${length}`
        yield* OurFiles.send(ours, named(caption), FileSource.fromStream(Stream.fromIterable(pieces)))
        yield* reachesTdlib(td, caption, bytes)
      }),
      "40 seconds"
    )
  }
  yield* check(
    "transfer: five files each way at a time",
    Effect.gen(function*() {
      const contents = Array.from({ length: 5 }, (_, i) => randomBytes(300 * KiB + i))
      yield* Effect.forEach(contents, (bytes, i) => submit(td, `crowd back ${i}`, bytes))
      yield* Effect.forEach(
        contents,
        (bytes, i) => OurFiles.send(ours, named(`crowd there ${i}`), FileSource.fromBytes(bytes)),
        { concurrency: "unbounded" }
      )
      for (const [i, bytes] of contents.entries()) {
        yield* reachesTdlib(td, `crowd there ${i}`, bytes)
        yield* reachesUs(ours, `crowd back ${i}`, bytes)
      }
    }),
    "60 seconds"
  )

  // ----- what the server has is not uploaded again

  yield* check(
    "transfer: what we sent goes once more without an upload",
    Effect.gen(function*() {
      const bytes = randomBytes(200 * KiB)
      const first = yield* OurFiles.send(ours, named("known 1"), FileSource.fromBytes(bytes))
      const before = ourParts().length
      yield* OurFiles.send(ours, named("known 2"), first.encrypted)
      yield* equal(ourParts().length, before, "parts")
      yield* reachesTdlib(td, "known 1", bytes)
      yield* reachesTdlib(td, "known 2", bytes)
    })
  )
  yield* check(
    "transfer: what TDLib sent goes back to it without an upload",
    Effect.gen(function*() {
      const bytes = randomBytes(200 * KiB + 3)
      yield* submit(td, "to be returned", bytes)
      const received = yield* reachesUs(ours, "to be returned", bytes)
      const before = ourParts().length
      yield* OurFiles.send(ours, named("returned"), yield* Effect.fromResult(EncryptedFile.from(received)))
      yield* equal(ourParts().length, before, "parts")
      yield* reachesTdlib(td, "returned", bytes)
    })
  )
  yield* check(
    "transfer: TDLib sends once more what it sent, without an upload",
    Effect.gen(function*() {
      const bytes = randomBytes(200 * KiB + 5)
      const message = yield* Effect.flatMap(
        submit(td, "their known 1", bytes),
        (submitted) => TdChat.sent(td, submitted)
      )
      const file = TdFiles.document.file(message.content)!
      const before = theirParts().length
      yield* TdChat.submit(td, {
        _: "inputMessageDocument",
        document: { _: "inputDocument", document: { _: "inputFileId", id: file.id } },
        caption: { _: "formattedText", text: "their known 2", entities: [] }
      })
      const one = yield* reachesUs(ours, "their known 1", bytes)
      const two = yield* reachesUs(ours, "their known 2", bytes)
      yield* equal(theirParts().length, before, "parts")
      yield* equal(two.file?.keyFingerprint, one.file?.keyFingerprint, "key fingerprint")
    })
  )

  // ----- checks before the first byte

  yield* check(
    "transfer: another key, another size, another file are noticed before the first byte",
    Effect.gen(function*() {
      const bytes = randomBytes(50_000)
      yield* submit(td, "forged", bytes)
      const received = yield* reachesUs(ours, "forged", bytes)
      const medium = OurFiles.mediaOf(received)!
      const { file } = received
      if (file === undefined || medium._tag !== "decryptedMessageMediaDocument") return yield* fail("no document")
      const calls = yield* world.server.callCount(Api.upload.getFile)
      const forged = (media: typeof medium, reference: typeof file) =>
        Effect.flip(OurFiles.download(ours, { message: { ...received.message, media }, file: reference }))
      const reason = (error: { readonly _tag: string; readonly reason?: unknown }) => [error._tag, error.reason]

      const key = medium.key.map((byte, i) => i === 0 ? byte ^ 1 : byte)
      yield* equal(reason(yield* forged({ ...medium, key }, file)), ["FileError", "key-fingerprint"])
      const short = { ...medium, key: medium.key.subarray(1) }
      yield* equal(reason(yield* forged(short, file)), ["FileError", "key-invalid"])
      yield* equal(reason(yield* forged({ ...medium, size: 10n }, file)), ["FileError", "size-mismatch"])
      yield* equal(reason(yield* forged({ ...medium, size: 60_000n }, file)), ["FileError", "size-mismatch"])
      yield* equal(yield* world.server.callCount(Api.upload.getFile), calls, "pieces asked for")
      const other = yield* forged(medium, { ...file, accessHash: file.accessHash + 1n })
      yield* equal(reason(other), ["FileError", "unavailable"])
    })
  )

  // ----- on the way

  const small = "upload.saveFilePart"
  const weather: ReadonlyArray<readonly [name: string, upload: Effect.Effect<unknown, unknown>]> = [
    ["the connection breaks before a part is taken", faults.disconnectOn(small, "before", us)],
    ["the connection breaks after a part was taken", faults.disconnectOn(small, "after", us)],
    ["the connection breaks three times", faults.disconnectOn(small, "before", { ...us, times: 3 })],
    ["the answer to a part is lost", faults.dropAnswer(small, us)],
    ["a part meets an internal error", faults.failNext(small, { ...us, code: 500, type: "INTERNAL" })],
    ["a part has to wait", faults.failNext(small, { ...us, code: 420, type: "FLOOD_WAIT_1" })],
    ["our sessions are forgotten", faults.forgetSessions(us.account)],
    [
      "the connection breaks after the message was taken",
      faults.disconnectOn("messages.sendEncryptedFile", "after", us)
    ],
    [
      "the server has lost a part",
      faults.failNext("messages.sendEncryptedFile", { ...us, code: 400, type: "FILE_PART_2_MISSING" })
    ],
    [
      "the server has lost all parts",
      faults.failNext("messages.sendEncryptedFile", { ...us, code: 400, type: "FILE_PART_0_MISSING" })
    ]
  ]
  for (const [name, order] of weather) {
    yield* check(
      `transfer: ${name}, ours to TDLib`,
      Effect.gen(function*() {
        const bytes = randomBytes(640 * KiB + 7)
        yield* order
        yield* OurFiles.send(ours, named(name), FileSource.fromBytes(bytes))
        yield* reachesTdlib(td, name, bytes)
        yield* stillAlive(chat, name)
      }),
      "40 seconds"
    )
  }
  const downloads: ReadonlyArray<readonly [name: string, order: Effect.Effect<unknown, unknown>]> = [
    ["the connection breaks before a piece is given", faults.disconnectOn(Api.upload.getFile, "before", us)],
    ["the connection breaks after a piece was given", faults.disconnectOn(Api.upload.getFile, "after", us)],
    ["the answer with a piece is lost", faults.dropAnswer(Api.upload.getFile, us)],
    ["a piece meets an internal error", faults.failNext(Api.upload.getFile, { ...us, code: 500, type: "INTERNAL" })],
    ["a piece has to wait", faults.failNext(Api.upload.getFile, { ...us, code: 420, type: "FLOOD_WAIT_1" })]
  ]
  for (const [name, order] of downloads) {
    yield* check(
      `transfer: ${name}, TDLib to ours`,
      Effect.gen(function*() {
        const bytes = randomBytes(640 * KiB + 9)
        yield* order
        yield* submit(td, name, bytes)
        yield* reachesUs(ours, name, bytes)
      }),
      "40 seconds"
    )
  }
  yield* check(
    "transfer: TDLib's connection breaks while it uploads, and while it downloads",
    Effect.gen(function*() {
      const bytes = randomBytes(640 * KiB + 11)
      yield* faults.disconnectOn(small, "before", them)
      yield* faults.disconnectOn(Api.upload.getFile, "after", them)
      yield* submit(td, "their weather", bytes)
      yield* reachesUs(ours, "their weather", bytes)
      yield* OurFiles.send(ours, named("their weather there"), FileSource.fromBytes(bytes))
      yield* reachesTdlib(td, "their weather there", bytes)
    }),
    "60 seconds"
  )
  yield* check(
    "transfer: TDLib is told that the server has lost a part",
    Effect.gen(function*() {
      const bytes = randomBytes(640 * KiB + 13)
      yield* faults.failNext("messages.sendEncryptedFile", { ...them, code: 400, type: "FILE_PART_1_MISSING" })
      yield* submit(td, "their lost part", bytes)
      yield* reachesUs(ours, "their lost part", bytes)
      yield* stillAlive(chat, "their lost part")
    }),
    "40 seconds"
  )
  yield* check(
    "transfer: an upload that was interrupted goes on where it stopped, ours to TDLib",
    Effect.gen(function*() {
      const bytes = randomBytes(12 * MiB + 1)
      const source = FileSource.make({
        size: bytes.length,
        rereadable: true,
        name: "a film",
        read: (offset) => Stream.rechunk(Stream.succeed(bytes.subarray(offset)), 1)
      })
      const sending = SendFile.sendEncryptedFileStream(ours.id, named("interrupted"), source)
      const before = ourParts().length
      yield* Effect.provideContext(
        Stream.runDrain(Stream.takeUntil(
          sending,
          (event) => event._tag === "Progress" && event.transferred >= 5 * MiB
        )),
        ours.peer.services
      )
      const first = ourParts().slice(before)
      yield* ensure(!first.some(({ part, total }) => part + 1 === total), "the upload was not interrupted")
      yield* OurFiles.send(ours, named("interrupted"), source)
      const all = ourParts().slice(before)
      yield* equal(new Set(all.map(({ fileId }) => fileId)).size, 1, "files on the server")
      const again = all.slice(first.length).filter(({ part }) => part < 5 * MiB / first[0]!.bytes)
      yield* equal(again.length, 0, "parts that were uploaded again")
      yield* reachesTdlib(td, "interrupted", bytes)
    }),
    "60 seconds"
  )
  yield* check(
    "transfer: a download that was interrupted goes on where it stopped, TDLib to ours",
    Effect.gen(function*() {
      const bytes = randomBytes(3 * MiB + 9)
      yield* submit(td, "interrupted back", bytes)
      const received = yield* OurFiles.receiveCaption(ours, "interrupted back")
      const pieces = yield* Effect.provideContext(
        Stream.runCollect(Stream.take(Download.downloadEncryptedFilePieces(received), 7)),
        ours.peer.services
      )
      const rest = yield* Effect.provideContext(
        Stream.runCollect(Download.downloadEncryptedFilePieces(received, { from: pieces.at(-1)!.position })),
        ours.peer.services
      )
      yield* OurFiles.sameBytes(Buffer.concat([...pieces, ...rest].map((piece) => piece.bytes)), bytes)
    }),
    "40 seconds"
  )
  yield* check(
    "transfer: from the disk at one side to the disk at the other, ours to TDLib",
    Effect.gen(function*() {
      const bytes = randomBytes(2 * MiB + 17)
      const source = yield* Effect.provide(FileSource.fromPath(yield* put(bytes)), NodeServices.layer)
      yield* OurFiles.send(ours, named("from the disk"), source)
      yield* reachesTdlib(td, "from the disk", bytes)
    }),
    "40 seconds"
  )
  yield* check(
    "transfer: from the disk at one side to the disk at the other, TDLib to ours, interrupted in between",
    Effect.gen(function*() {
      const bytes = randomBytes(3 * MiB + 19)
      const folder = join(world.directory, "saved")
      const target = join(folder, "content.bin")
      yield* Effect.promise(() => mkdir(folder))
      yield* submit(td, "to the disk", bytes)
      const received = yield* OurFiles.receiveCaption(ours, "to the disk")
      const save = Download.saveEncryptedFileStream(received, target).pipe(
        Stream.provideContext(ours.peer.services),
        Stream.provide(NodeServices.layer)
      )
      yield* Stream.runDrain(Stream.take(save, 9))
      const [temporary, ...others] = yield* Effect.promise(() => readdir(folder))
      yield* ensure(temporary !== "content.bin" && others.length === 0, "a part appeared as the whole")
      const rest = yield* Stream.runCollect(save)
      yield* ensure(rest[0]!.transferred > 9 * 128 * KiB, "the download began anew")
      yield* equal(yield* Effect.promise(() => readdir(folder)), ["content.bin"], "files in the folder")
      yield* OurFiles.sameBytes(yield* Effect.promise(() => readFile(target)), bytes)
    }),
    "40 seconds"
  )
  yield* check(
    "transfer: a message with a file that gets lost is asked for, and sent again with its file, both ways",
    Effect.gen(function*() {
      const bytes = randomBytes(90_000)
      ours.peer.tamper.loseOutgoing(1)
      yield* OurFiles.send(ours, named("lost there"), FileSource.fromBytes(bytes))
      yield* OurChat.sendText(ours, "shows the hole")
      yield* shownDocument(td, "lost there")
      yield* TdChat.receiveText(td, "shows the hole")
      ours.peer.tamper.loseIncoming(1)
      yield* submit(td, "lost back", bytes)
      yield* TdChat.sendText(td, "shows their hole")
      yield* reachesUs(ours, "lost back", bytes)
      yield* OurChat.receiveText(ours, "shows their hole")
    }),
    "40 seconds"
  )
  yield* check("transfer: the chat lives on after all of it", stillAlive(chat, "all"))
})

/** TDLib is away while we send. */
const theyAreAway = Effect.gen(function*() {
  const world = yield* World
  const library = yield* Tdlib
  const { accounts, ours } = yield* Table.Table
  const options = yield* world.tdlib("transfer-away", yield* world.account("Theo"))
  const bytes = randomBytes(11 * MiB + 3)

  yield* check(
    "transfer: files that we send while TDLib is away",
    Effect.gen(function*() {
      const first = yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* library.client(options)
        const td = yield* TdChat.request(client, accounts.ours.phone)
        const chat = yield* OurChat.requested(ours, td.secretChatId)
        yield* OurChat.accept(chat)
        yield* TdChat.ready(client, td.secretChatId)
        yield* TdChat.sendText(td, "I shall be away")
        yield* OurChat.receiveText(chat, "I shall be away")
        return { chat, td }
      }))
      yield* OurFiles.send(first.chat, named("small while away"), FileSource.fromBytes(bytes.subarray(0, 1000)))
      yield* OurFiles.send(first.chat, named("big while away"), FileSource.fromBytes(bytes))
      yield* Effect.scoped(Effect.gen(function*() {
        const td = { ...first.td, client: yield* library.client(options) }
        yield* reachesTdlib(td, "small while away", bytes.subarray(0, 1000))
        yield* reachesTdlib(td, "big while away", bytes)
      }))
    }),
    "60 seconds"
  )
})

/** We are away while TDLib sends. */
const weAreAway = Effect.gen(function*() {
  const world = yield* World
  const { tdlib } = yield* Table.Table
  const account = yield* world.account("Otto")
  const options = world.ours("transfer-ours-away", account)
  const bytes = randomBytes(11 * MiB + 5)

  yield* check(
    "transfer: files that TDLib sends while we are away",
    Effect.gen(function*() {
      const td = yield* Effect.scoped(Effect.gen(function*() {
        const peer = yield* Peer.make(options)
        const chat = yield* TdChat.request(tdlib, account.phone)
        const requested = yield* OurChat.requested(peer, chat.secretChatId)
        yield* OurChat.accept(requested)
        yield* TdChat.ready(tdlib, chat.secretChatId)
        yield* OurChat.sendText(requested, "we shall be away")
        yield* TdChat.receiveText(chat, "we shall be away")
        return chat
      }))
      const submit = Effect.fnUntraced(function*(caption: string, content: Uint8Array) {
        const path = join(world.directory, `${caption.replaceAll(" ", "-")}.bin`)
        yield* Effect.promise(() => writeFile(path, content))
        const message: Td.message = yield* TdChat.submit(td, TdFiles.document.input(path, caption))
        yield* TdChat.sent(td, message)
      })
      yield* submit("small while we are away", bytes.subarray(0, 1000))
      yield* submit("big while we are away", bytes)
      yield* Effect.scoped(Effect.gen(function*() {
        const chat = OurChat.known(yield* Peer.make(options), td.secretChatId)
        yield* reachesUs(chat, "small while we are away", bytes.subarray(0, 1000))
        yield* reachesUs(chat, "big while we are away", bytes)
      }))
    }),
    "60 seconds"
  )
})

/** Files on their way. */
export const transfers = scenario(
  "transfers",
  Effect.scoped(Effect.andThen(play, Effect.andThen(theyAreAway, weAreAway))).pipe(
    Effect.provide(Table.layer("transfers"))
  )
)
