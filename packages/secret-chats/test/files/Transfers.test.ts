import * as Api from "@effect-mtproto/core/Api"
import type * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeVault from "@effect-mtproto/crypto/NodeVault"
import {
  downloadEncryptedFile,
  downloadEncryptedFilePieces,
  saveEncryptedFile,
  saveEncryptedFileStream
} from "@effect-mtproto/secret-chats/downloadEncryptedFile"
import * as EncryptedFile from "@effect-mtproto/secret-chats/EncryptedFile"
import { FileError } from "@effect-mtproto/secret-chats/FileError"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as FileTransfers from "@effect-mtproto/secret-chats/FileTransfers"
import * as Media from "@effect-mtproto/secret-chats/Media"
import { SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import { sendEncrypted } from "@effect-mtproto/secret-chats/sendEncrypted"
import {
  sendEncryptedAlbum,
  sendEncryptedAlbumStream,
  sendEncryptedFile,
  sendEncryptedFileStream
} from "@effect-mtproto/secret-chats/sendEncryptedFile"
import { SendPolicy } from "@effect-mtproto/secret-chats/SendPolicy"
import {
  registerEncryptedFile,
  uploadEncryptedFile,
  uploadEncryptedFileStream
} from "@effect-mtproto/secret-chats/uploadEncryptedFile"
import { rpcError } from "@effect-mtproto/test-server/TestServer"
import { Transport, TransportError } from "@effect-mtproto/transport/Transport"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Redacted, Result, Schedule, Stream } from "effect"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Fs from "node:fs"
import * as NodePath from "node:path"
import { ann, bytesOf, eventually, folder, type Message, type Person, same, two } from "./support.ts"

const KIB = 1024
const MIB = 1024 * KIB
const document = Media.document()

/** A source of a name, from memory. */
const named = (bytes: Uint8Array, name = "content") =>
  FileSource.make({
    size: bytes.length,
    rereadable: true,
    name,
    read: (offset) => Stream.suspend(() => Stream.succeed(bytes.subarray(offset)))
  })

/** Looks at calls before they are made; what it gives is the answer in place of the server's. */
const hooked = (
  transport: Transport["Service"],
  hook: (request: Api.AnyRequest) => Effect.Effect<unknown, TransportError> | undefined
) =>
  Effect.provideService(
    Transport,
    Transport.of({
      ...transport,
      invoke: ((request: Api.AnyRequest, options?: any) =>
        hook(request) ?? transport.invoke(request, options)) as Transport["Service"]["invoke"]
    })
  )

/** Which part a call uploads. */
const partOf = (request: Api.AnyRequest): number | undefined =>
  request._tag === "upload.saveFilePart" ? (request as unknown as { readonly filePart: number }).filePart : undefined

/** Lets so many calls of a method through; then one never ends, and `reached` is told. */
const stopsAfter = (method: string, count: number) => {
  const reached = Deferred.makeUnsafe<void>()
  let calls = 0
  return {
    reached: Deferred.await(reached),
    hook: (request: Api.AnyRequest) =>
      request._tag === method && ++calls > count
        ? Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
        : undefined
  }
}

const download = (person: Person, message: EncryptedFile.HasFile) =>
  Effect.map(person.run(Stream.runCollect(downloadEncryptedFile(message))), (chunks) => Buffer.concat(chunks))

const next = (person: Person, count: number): Effect.Effect<Message> =>
  Effect.as(eventually(() => person.messages().length >= count), undefined).pipe(
    Effect.map(() => person.messages()[count - 1]!)
  )

const fails = <A, E, R>(effect: Effect.Effect<A, E, R>, reason: FileError["reason"]) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.isTrue(error instanceof FileError, String(error))
    assert.strictEqual((error as FileError).reason, reason)
    return error as FileError
  })

const requestsOf = (calls: ReadonlyArray<{ readonly request: unknown }>, field: string) =>
  calls.map(({ request }) => (request as { readonly [key: string]: unknown })[field])

describe("sending", () => {
  it.live("nothing is uploaded that could not be sent", () =>
    Effect.gen(function*() {
      const { a, chatId, server } = yield* two
      yield* fails(a.run(sendEncryptedFile(chatId, document, FileSource.fromBytes(new Uint8Array(0)))), "empty")
      yield* fails(
        a.run(sendEncryptedFile(chatId, document, FileSource.fromStream(Stream.empty))),
        "empty"
      )
      yield* fails(
        a.run(sendEncryptedFile(chatId, document, FileSource.fromStream(Stream.empty, { size: 4_194_304_001 }))),
        "too-large"
      )
      const unknown = yield* Effect.flip(
        a.run(sendEncryptedFile(chatId + 1, document, FileSource.fromBytes(bytesOf(10))))
      )
      assert.strictEqual(unknown._tag, "SecretChatUnknown")
      const bad = yield* Effect.flip(a.run(sendEncryptedFile(
        chatId,
        { ...document, mimeType: 1 as unknown as string },
        FileSource.fromBytes(bytesOf(10))
      )))
      assert.strictEqual(bad._tag, "MessageInvalid")
      yield* a.chats.discard(chatId)
      const closed = yield* Effect.flip(a.run(sendEncryptedFile(chatId, document, FileSource.fromBytes(bytesOf(10)))))
      assert.strictEqual(closed._tag, "SecretChatClosed")
      assert.strictEqual(yield* server.callCount("messages.sendEncryptedFile"), 0)
    }), { timeout: 30_000 })

  it.live("a source that does not keep its word", () =>
    Effect.gen(function*() {
      const { a, chatId, server } = yield* two
      for (const size of [99, 101, 1000 * KIB]) {
        const source = FileSource.fromStream(Stream.make(bytesOf(100)), { size })
        yield* fails(a.run(sendEncryptedFile(chatId, document, source)), "source-changed")
        yield* fails(a.run(sendEncryptedFile(chatId, document, source)), "source-consumed")
      }
      const broken = FileSource.fromStream(Stream.fail("broken" as const), { size: 5 })
      assert.strictEqual(yield* Effect.flip(a.run(sendEncryptedFile(chatId, document, broken))), "broken")
      assert.strictEqual(yield* server.callCount("messages.sendEncryptedFile"), 0)
    }), { timeout: 30_000 })

  it.live("a stream whose length nobody knows", () =>
    Effect.gen(function*() {
      const { a, b, chatId, server } = yield* two
      let count = 0
      for (const size of [1, 512 * KIB, 512 * KIB + 1, MIB]) {
        yield* server.clearCalls
        const bytes = bytesOf(size)
        const source = FileSource.fromStream(Stream.make(bytes.subarray(0, 1), bytes.subarray(1)))
        yield* a.run(sendEncryptedFile(chatId, document, source))
        const totals = requestsOf(yield* server.calls("upload.saveBigFilePart"), "fileTotalParts")
        const parts = Math.ceil(size / (512 * KIB))
        assert.deepStrictEqual(
          totals.toSorted(),
          Array.from({ length: parts }, (_, i) => i === parts - 1 ? parts : -1).toSorted()
        )
        const message = yield* next(b, ++count)
        assert.isTrue(same(yield* download(b, message), bytes))
      }
    }), { timeout: 30_000 })

  it.live("captions, entities, thumbnails and replies arrive", () =>
    Effect.gen(function*() {
      const { a, b, chatId } = yield* two
      const thumbnail = { jpeg: bytesOf(300), width: 90, height: 60 }
      const sent = yield* a.chats.sendFile(
        chatId,
        Media.message(Media.photo({ width: 10, height: 20, caption: "cap", thumbnail }), {
          entities: [{ _tag: "messageEntityItalic", offset: 0, length: 3 }],
          silent: true
        }),
        FileSource.fromBytes(bytesOf(100))
      )
      const { file, message, randomId } = yield* next(b, 1)
      assert.strictEqual(randomId, sent.randomId)
      assert.isTrue(message.media?._tag === "decryptedMessageMediaPhoto")
      if (message.media?._tag !== "decryptedMessageMediaPhoto") return
      assert.strictEqual(message.media.caption, "cap")
      assert.strictEqual(message.media.size, 100)
      assert.deepStrictEqual(Media.thumbnail(message.media), thumbnail)
      assert.deepStrictEqual(message.entities, [{ _tag: "messageEntityItalic", offset: 0, length: 3 }])
      assert.isTrue(message.silent)
      const chunks = yield* Stream.runCollect(b.chats.download({ message, file: file! }))
      assert.isTrue(same(Buffer.concat(chunks), bytesOf(100)))

      yield* a.run(sendEncrypted(chatId, Media.message(Media.webPage("https://example.org/"), { text: "look" })))
      const page = yield* next(b, 2)
      assert.strictEqual(page.message.message, "look")
      assert.strictEqual(Media.kindOf(page.message.media!), "webPage")
    }), { timeout: 30_000 })

  it.live("a file is uploaded once and sent many times, forwarded too", () =>
    Effect.gen(function*() {
      const { a, b, chatId, server } = yield* two
      const bytes = bytesOf(100 * KIB)
      const uploaded = yield* a.run(uploadEncryptedFile(FileSource.fromBytes(bytes)))
      assert.strictEqual(uploaded.place._tag, "Uploaded")
      yield* fails(a.run(Stream.runDrain(downloadEncryptedFile(uploaded))), "unavailable")
      const sent = yield* a.run(sendEncryptedFile(chatId, document, uploaded))
      const again = yield* a.run(sendEncryptedFile(chatId, document, sent.encrypted))
      assert.deepStrictEqual(again.file, sent.file)
      assert.notStrictEqual(again.randomId, sent.randomId)
      const second = yield* next(b, 2)
      const received = yield* Effect.fromResult(EncryptedFile.from(second))
      const forwarded = yield* b.run(sendEncryptedFile(chatId, document, received))
      assert.deepStrictEqual(forwarded.file, sent.file)
      const back = yield* next(a, 1)
      assert.isTrue(same(yield* download(a, back), bytes))
      assert.isTrue(same(yield* download(a, a.events.find(({ event }) => event === back)!), bytes))
      assert.isTrue(same(yield* download(a, sent.encrypted), bytes))
      assert.strictEqual(yield* server.callCount("upload.saveFilePart"), 2)

      const other = yield* a.run(uploadEncryptedFile(FileSource.fromBytes(bytes)))
      const kept = yield* a.run(registerEncryptedFile(chatId, other))
      assert.strictEqual(kept.place._tag, "Stored")
      assert.isTrue(same(yield* download(a, kept), bytes))
      assert.strictEqual(yield* a.run(registerEncryptedFile(chatId, kept)), kept)
    }), { timeout: 30_000 })

  it.live(
    "a message that goes out again refers to the file, and not to the parts that are used up",
    () =>
      Effect.gen(function*() {
        const { a, chatId } = yield* two
        const sent = yield* a.run(sendEncryptedFile(chatId, document, FileSource.fromBytes(bytesOf(100))))
        const store = yield* a.run(SecretChatStore)
        const row = Effect.gen(function*() {
          const { head, phase, version, wakeAt } = Option.getOrThrow(yield* store.load(chatId))
          const changes = [{ _tag: "MarkUnsent", from: sent.index, to: sent.index }] as const
          yield* store.commit({ chatId, expected: version, chat: { head, phase, wakeAt }, changes })
          return (yield* store.outboxUnsent({ chatId, limit: 10 })).find(({ index }) => index === sent.index)!
        })
        // That it was taken is noted with the next commit.
        const input = Api.InputEncryptedFile.encode(EncryptedFile.toInput(sent.encrypted))
        yield* row.pipe(
          Effect.repeat({
            until: ({ packet }) => Buffer.from(packet).includes(Buffer.from(input)),
            schedule: Schedule.spaced(5)
          }),
          Effect.timeout("5 seconds")
        )
      }),
    { timeout: 30_000 }
  )

  it.live("an album", () =>
    Effect.gen(function*() {
      const { a, b, chatId, server } = yield* two
      const item = (n: number) => ({
        message: Media.photo({ width: n, height: n }),
        file: FileSource.fromBytes(bytesOf(100 + n))
      })
      const sent = yield* a.run(sendEncryptedAlbum(chatId, [item(1), item(2), item(3)]))
      assert.strictEqual(sent.length, 3)
      yield* next(b, 3)
      const groups = b.messages().map(({ message }) => message.groupedId!)
      assert.strictEqual(new Set(groups).size, 1)
      assert.isTrue(groups[0]! > 0n)
      for (const [i, message] of b.messages().entries()) {
        assert.isTrue(same(yield* download(b, message), bytesOf(101 + i)))
      }
      yield* server.faults.failNext("messages.sendEncryptedFile", { code: 400, type: "DATA_INVALID" })
      yield* server.faults.clear
      const eleven = Array.from({ length: 11 }, (_, i) => item(i)) as [ReturnType<typeof item>]
      assert.strictEqual((yield* Effect.flip(a.run(sendEncryptedAlbum(chatId, eleven))))._tag, "MessageInvalid")

      // all of them are up before the first is sent
      const events = yield* a.run(Stream.runCollect(sendEncryptedAlbumStream(chatId, [item(4), item(5)])))
      assert.deepStrictEqual(
        events.map((event) => event._tag === "Progress" ? [event.index, event.transferred] : [event.index, "sent"]),
        [[0, 104], [1, 105], [0, "sent"], [1, "sent"]]
      )

      let calls = 0
      yield* server.answer(Api.messages.sendEncryptedFile, () =>
        ++calls === 2 ? rpcError(400, "FILE_EMTPY") : { _tag: "messages.sentEncryptedMessage", date: 1 })
      const error = yield* Effect.flip(a.run(sendEncryptedAlbum(chatId, [item(1), item(2), item(3)])))
      assert.strictEqual(error._tag, "FileEmpty")
      assert.strictEqual(error.sent.length, 1)
      assert.isFalse("encrypted" in error.sent[0]!)
    }), { timeout: 30_000 })
})

describe("what the server says", () => {
  it.live("a part that it has lost is supplied again, and the message sent anew", () =>
    Effect.gen(function*() {
      const { a, b, chatId, server } = yield* two
      const bytes = bytesOf(300 * KIB)
      let lost = 0
      const loses = hooked(
        a.transport,
        (request) =>
          partOf(request) === 3 && lost++ === 0
            ? Effect.succeed(true)
            : undefined
      )
      const randomId = 77n
      const sent = yield* a.run(loses(sendEncryptedFile(
        chatId,
        Media.message(document, { randomId }),
        FileSource.fromBytes(bytes)
      )))
      assert.notStrictEqual(sent.randomId, randomId)
      const message = yield* next(b, 1)
      assert.strictEqual(message.randomId, sent.randomId)
      assert.isTrue(same(yield* download(b, message), bytes))
      assert.strictEqual(yield* server.callCount("upload.saveFilePart"), 5)
      yield* eventually(() =>
        a.events.some(({ event }) =>
          event._tag === "MessageFailed" && event.randomId === randomId && event.error.type === "FILE_PART_3_MISSING"
        )
      )
      assert.isFalse(b.events.some(({ event }) => event._tag === "MessagesMissing"))
    }), { timeout: 30_000 })

  it.live("several lost parts, the first one among them", () =>
    Effect.gen(function*() {
      const { a, b, chatId } = yield* two
      const bytes = bytesOf(500 * KIB)
      const losing = (parts: ReadonlyArray<number>) => {
        const left = new Set(parts)
        return hooked(
          a.transport,
          (request) => left.delete(partOf(request) ?? -1) ? Effect.succeed(true) : undefined
        )
      }
      yield* a.run(losing([2, 4, 5, 7])(sendEncryptedFile(chatId, document, FileSource.fromBytes(bytes))))
      assert.isTrue(same(yield* download(b, yield* next(b, 1)), bytes))
      yield* a.run(losing([0, 1])(sendEncryptedFile(chatId, document, named(bytes))))
      assert.isTrue(same(yield* download(b, yield* next(b, 2)), bytes))
    }), { timeout: 30_000 })

  it.live("a lost part of a source that is gone, and a server that loses all of them", () =>
    Effect.gen(function*() {
      const { a, chatId, server } = yield* two
      const loses = (part: number) =>
        hooked(a.transport, (request) => partOf(request) === part ? Effect.succeed(true) : undefined)
      const bytes = bytesOf(200 * KIB)
      const once = FileSource.fromStream(Stream.make(bytes), { size: bytes.length })
      const error = yield* fails(a.run(loses(1)(sendEncryptedFile(chatId, document, once))), "part-missing")
      assert.strictEqual(error.part, 1)
      assert.strictEqual(error.type, "FILE_PART_1_MISSING")
      for (const part of [0, 2]) {
        yield* server.clearCalls
        const source = FileSource.fromBytes(bytes)
        const lost = yield* fails(a.run(loses(part)(sendEncryptedFile(chatId, document, source))), "part-missing")
        assert.strictEqual(lost.part, part)
        assert.strictEqual(yield* server.callCount("messages.sendEncryptedFile"), 5)
      }
      const uploaded = yield* a.run(loses(1)(uploadEncryptedFile(FileSource.fromBytes(bytes))))
      yield* fails(a.run(sendEncryptedFile(chatId, document, uploaded)), "part-missing")
    }), { timeout: 30_000 })

  it.live("refusals of parts, floods, and its own troubles", () =>
    Effect.gen(function*() {
      const { a, chatId, server } = yield* two
      const policy = { retries: 2, retryDelay: 1, floodWaitLimit: 0, window: 8 }
      const send = a.run(Effect.provideService(
        sendEncryptedFile(chatId, document, FileSource.fromBytes(bytesOf(10))),
        SendPolicy,
        policy
      ))
      const failNext = (type: string, code: number, times = 1) =>
        server.faults.failNext("upload.saveFilePart", { code, type, times, account: ann })
      for (const type of ["FILE_PART_TOO_BIG", "FILE_PART_INVALID", "FILE_PART_EMPTY", "FILE_PARTS_INVALID"]) {
        yield* failNext(type, 400)
        const error = yield* fails(send, "part-refused")
        assert.deepStrictEqual([error.part, error.code, error.type], [0, 400, type])
      }
      yield* failNext("FLOOD_WAIT_7", 420)
      const flood = yield* Effect.flip(send)
      assert.isTrue(flood._tag === "FloodWait" && flood.seconds === 7)
      yield* failNext("SOMETHING_ELSE", 400)
      assert.strictEqual((yield* Effect.flip(send))._tag, "RpcError")
      yield* failNext("WORKER_BUSY_TOO_LONG_RETRY", 500, 2)
      assert.strictEqual((yield* send)._tag, "messages.sentEncryptedFile")
      for (
        const [type, reason] of [
          ["FILE_REFERENCE_EXPIRED", "unavailable"],
          ["FILE_ID_INVALID", "unavailable"],
          ["FILE_PARTS_INVALID", "part-refused"]
        ] as const
      ) {
        yield* server.faults.failNext("messages.sendEncryptedFile", { code: 400, type })
        yield* fails(send, reason)
      }
      yield* server.faults.failNext("messages.sendEncryptedFile", { code: 400, type: "MD5_CHECKSUM_INVALID" })
      assert.strictEqual((yield* Effect.flip(send))._tag, "Md5ChecksumInvalid")
      const dropped = yield* Effect.flip(a.run(
        hooked(a.transport, () => Effect.fail(new TransportError({ reason: "closed", detail: "The network is down" })))(
          uploadEncryptedFile(FileSource.fromBytes(bytesOf(10)))
        )
      ))
      assert.strictEqual(dropped._tag, "TransportError")
    }), { timeout: 30_000 })

  it.live("bad answers to a download", () =>
    Effect.gen(function*() {
      const { a, chatId, server } = yield* two
      const { encrypted } = yield* a.run(sendEncryptedFile(chatId, document, FileSource.fromBytes(bytesOf(300 * KIB))))
      const get = a.run(Stream.runDrain(downloadEncryptedFile(encrypted)))
      for (
        const [code, type, reason] of [
          [400, "LOCATION_INVALID", "unavailable"],
          [400, "FILE_ID_INVALID", "unavailable"],
          [400, "FILE_REFERENCE_EXPIRED", "unavailable"]
        ] as const
      ) {
        yield* server.faults.failNext("upload.getFile", { code, type })
        const error = yield* fails(get, reason)
        assert.strictEqual(error.type, type)
      }
      // sent for ever to a place that cannot be found
      yield* server.answer(Api.upload.getFile, () => rpcError(303, "FILE_MIGRATE_4"))
      assert.strictEqual((yield* fails(get, "other-datacenter")).dc, 4)
      for (const length of [0, 16, 128 * KIB - 16, 128 * KIB - 1, 128 * KIB + 16]) {
        yield* server.answer(Api.upload.getFile, (): Api.upload.File => ({
          _tag: "upload.file",
          type: { _tag: "storage.fileUnknown" },
          mtime: 0,
          bytes: new Uint8Array(length)
        }))
        yield* fails(get, "answer-invalid")
      }
      yield* server.answer(Api.upload.getFile, () => ({
        _tag: "upload.fileCdnRedirect",
        dcId: 2,
        fileToken: new Uint8Array(1),
        encryptionKey: new Uint8Array(32),
        encryptionIv: new Uint8Array(16),
        fileHashes: []
      }))
      yield* fails(get, "answer-invalid")
    }), { timeout: 30_000 })
})

describe("what is checked", () => {
  it.live("keys, sizes and whether there is a file at all", () =>
    Effect.gen(function*() {
      const { a, chatId, server } = yield* two
      const { encrypted } = yield* a.run(sendEncryptedFile(chatId, document, FileSource.fromBytes(bytesOf(1000))))
      assert.isTrue(encrypted.place._tag === "Stored")
      if (encrypted.place._tag !== "Stored") return
      const { reference } = encrypted.place
      const { iv, key } = Redacted.value(encrypted.key)
      const message = (media: DecryptedMessage.DecryptedMessageMedia, file = reference) => ({
        message: { _tag: "decryptedMessage", randomId: 1n, ttl: 0, message: "", media } as const,
        file
      })
      const described = { ...document, key, iv, size: 1000n }
      const get = (value: EncryptedFile.HasFile) => a.run(Stream.runCollect(downloadEncryptedFile(value)))
      assert.strictEqual(Buffer.concat(yield* get(message(described))).length, 1000)
      yield* server.clearCalls

      const changed = key.slice()
      changed[31]! ^= 1
      const other = iv.slice()
      other[0]! ^= 1
      yield* fails(get(message({ ...described, key: changed })), "key-fingerprint")
      yield* fails(get(message({ ...described, iv: other })), "key-fingerprint")
      yield* fails(
        get(message(described, { ...reference, keyFingerprint: reference.keyFingerprint ^ 1 })),
        "key-fingerprint"
      )
      yield* fails(get(message({ ...described, key: key.subarray(1) })), "key-invalid")
      yield* fails(get(message({ ...described, iv: new Uint8Array(0) })), "key-invalid")
      for (const size of [-1n, 992n, 1009n, 2n ** 62n]) {
        yield* fails(get(message({ ...described, size })), "size-mismatch")
      }
      for (const size of [0n, -16n, 1000n, 992n, 1024n, 4_194_304_016n, 2n ** 63n - 1n]) {
        yield* fails(get(message(described, { ...reference, size })), "size-mismatch")
      }
      yield* fails(get({ message: message(described).message }), "no-file")
      yield* fails(get(message(Media.geoPoint({ latitude: 1, longitude: 2 }))), "no-file")
      yield* fails(get({ event: { _tag: "Typing", date: 1 } }), "no-file")
      assert.strictEqual(yield* server.callCount("upload.getFile"), 0)

      // Photos may say nothing of their size: then all that is stored is given.
      const photo = { ...Media.photo({ width: 1, height: 1 }), key, iv, size: 0 }
      assert.strictEqual(Buffer.concat(yield* get(message(photo))).length, 1008)
    }), { timeout: 30_000 })

  it.live("files with more padding than needed are accepted on demand", () =>
    Effect.gen(function*() {
      const { a, chatId } = yield* two
      const bytes = bytesOf(64)
      const { encrypted } = yield* a.run(sendEncryptedFile(chatId, document, FileSource.fromBytes(bytes)))
      const short = EncryptedFile.make({ ...encrypted, size: 20 })
      yield* fails(a.run(Stream.runDrain(downloadEncryptedFile(short))), "size-mismatch")
      const chunks = yield* a.run(Stream.runCollect(downloadEncryptedFile(short, { anyPadding: true })))
      assert.isTrue(same(Buffer.concat(chunks), bytes.subarray(0, 20)))
    }), { timeout: 30_000 })

  it.live("no key is in a text", () =>
    Effect.gen(function*() {
      const { a, chatId } = yield* two
      const sent = yield* a.run(sendEncryptedFile(chatId, document, FileSource.fromBytes(bytesOf(10))))
      const { key } = Redacted.value(sent.encrypted.key)
      const text = JSON.stringify(sent, (_, value) => typeof value === "bigint" ? String(value) : value)
      for (const form of [Buffer.from(key).toString("hex"), Buffer.from(key).toString("base64"), [...key].join()]) {
        assert.isFalse(text.includes(form))
      }
    }), { timeout: 30_000 })
})

describe("interruptions", () => {
  it.live("an upload goes on where it stopped", () =>
    Effect.gen(function*() {
      const { a, b, chatId, server } = yield* two
      const bytes = bytesOf(20 * 64 * KIB - 5)
      const { hook, reached } = stopsAfter("upload.saveFilePart", 12)
      const fiber = yield* Effect.forkChild(
        a.run(hooked(a.transport, hook)(sendEncryptedFile(chatId, document, named(bytes), { concurrency: 4 })))
      )
      yield* reached
      // What was sent before has been answered.
      yield* server.awaitCalls("upload.saveFilePart", 12)
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(fiber)
      const before = yield* server.callCount("upload.saveFilePart")
      const progress: Array<number> = []
      yield* a.run(Stream.runForEach(sendEncryptedFileStream(chatId, document, named(bytes)), (event) =>
        Effect.sync(() => {
          if (event._tag === "Progress") progress.push(event.transferred)
        })))
      const after = (yield* server.callCount("upload.saveFilePart")) - before
      assert.isTrue(after < 12, `${after} parts were sent after the interruption`)
      assert.isTrue(progress[0]! > 64 * KIB)
      assert.strictEqual(progress.at(-1), bytes.length)
      const ids = requestsOf(yield* server.calls("upload.saveFilePart"), "fileId")
      assert.strictEqual(new Set(ids).size, 1)
      assert.isTrue(same(yield* download(b, yield* next(b, 1)), bytes))

      // It is over: the same content again is another upload.
      yield* a.run(sendEncryptedFile(chatId, document, named(bytes)))
      const all = requestsOf(yield* server.calls("upload.saveFilePart"), "fileId")
      assert.strictEqual(new Set(all).size, 2)
    }), { timeout: 30_000 })

  it.live("an upload does not go on with other content, nor when it is not to", () =>
    Effect.gen(function*() {
      const { a, b, chatId, server } = yield* two
      const interrupted = Effect.fnUntraced(function*(source: ReturnType<typeof named>, resume?: false) {
        const { hook, reached } = stopsAfter("upload.saveFilePart", 4)
        const options = { concurrency: 1, ...(resume === undefined ? {} : { resume }) }
        const fiber = yield* Effect.forkChild(
          a.run(hooked(a.transport, hook)(uploadEncryptedFile(source, options)))
        )
        yield* reached
        yield* Fiber.interrupt(fiber)
      })
      const bytes = bytesOf(400 * KIB)
      const longer = bytesOf(500 * KIB, 2)
      yield* interrupted(named(bytes))
      yield* a.run(sendEncryptedFile(chatId, document, named(longer)))
      assert.isTrue(same(yield* download(b, yield* next(b, 1)), longer))
      yield* interrupted(named(bytes, "other"), false)
      yield* server.clearCalls
      yield* a.run(sendEncryptedFile(chatId, document, named(bytes, "other")))
      assert.strictEqual(yield* server.callCount("upload.saveFilePart"), 7)
      assert.isTrue(same(yield* download(b, yield* next(b, 2)), bytes))
    }), { timeout: 30_000 })

  it.live("a part that was lost before the interruption is supplied again after it", () =>
    Effect.gen(function*() {
      const { a, b, chatId } = yield* two
      const bytes = bytesOf(640 * KIB)
      const { hook, reached } = stopsAfter("upload.saveFilePart", 5)
      const fiber = yield* Effect.forkChild(a.run(
        hooked(a.transport, (request) => partOf(request) === 2 ? Effect.succeed(true) : hook(request))(
          uploadEncryptedFile(named(bytes), { concurrency: 1 })
        )
      ))
      yield* reached
      yield* Fiber.interrupt(fiber)
      yield* a.run(sendEncryptedFile(chatId, document, named(bytes)))
      assert.isTrue(same(yield* download(b, yield* next(b, 1)), bytes))
    }), { timeout: 30_000 })

  it.live("a program of another day goes on, if states are kept", () =>
    Effect.gen(function*() {
      const { a, b, chatId, server } = yield* two
      const path = yield* folder
      const bytes = bytesOf(12 * 64 * KIB)
      const name = NodePath.join(path, "source.bin")
      Fs.writeFileSync(name, bytes)
      const states = FileTransfers.layerSealed.pipe(
        Layer.provide(KeyValueStore.layerFileSystem(NodePath.join(path, "states"))),
        Layer.provide(Layer.succeedContext(yield* Layer.build(NodeVault.layerMemory)))
      )
      const source = a.run(FileSource.fromPath(name))
      const { hook, reached } = stopsAfter("upload.saveFilePart", 6)
      const fiber = yield* Effect.forkChild(a.run(Effect.provide(
        hooked(a.transport, hook)(uploadEncryptedFile(yield* source, { concurrency: 1 })),
        Layer.fresh(states)
      )))
      yield* reached
      yield* Fiber.interrupt(fiber)
      const [state, ...others] = Fs.readdirSync(NodePath.join(path, "states"))
      assert.deepStrictEqual(others, [])
      assert.isFalse(state!.includes("source.bin"))
      assert.isFalse(Fs.readFileSync(NodePath.join(path, "states", state!)).includes("fileId"))
      const events = yield* a.run(Effect.provide(
        Stream.runCollect(uploadEncryptedFileStream(yield* source)),
        Layer.fresh(states)
      ))
      assert.strictEqual(events.length, 7)
      assert.strictEqual(yield* server.callCount("upload.saveFilePart"), 12)
      const last = events.at(-1)!
      assert.isTrue(last._tag === "Uploaded")
      if (last._tag !== "Uploaded") return
      yield* a.run(sendEncryptedFile(chatId, document, last.file))
      const message = yield* next(b, 1)
      assert.isTrue(same(yield* download(b, message), bytes))
      assert.deepStrictEqual(Fs.readdirSync(NodePath.join(path, "states")), [])

      // A state that cannot be read is as good as none.
      yield* b.run(Effect.gen(function*() {
        const transfers = yield* FileTransfers.FileTransfers
        yield* transfers.save("upload/x", Buffer.from("{"))
        yield* uploadEncryptedFile(named(bytes, "x"))
      }))
    }), { timeout: 30_000 })

  it.live("states in a store whose content nobody else reads, or that fails", () =>
    Effect.gen(function*() {
      const { a, server } = yield* two
      const bytes = bytesOf(300 * KIB)
      const store = Layer.succeedContext(yield* Layer.build(KeyValueStore.layerMemory))
      const states = Layer.fresh(Layer.provide(FileTransfers.layerKeyValueStore, store))
      const { hook, reached } = stopsAfter("upload.saveFilePart", 2)
      const fiber = yield* Effect.forkChild(a.run(Effect.provide(
        hooked(a.transport, hook)(uploadEncryptedFile(named(bytes), { concurrency: 1 })),
        states
      )))
      yield* reached
      yield* Fiber.interrupt(fiber)
      yield* a.run(Effect.provide(uploadEncryptedFile(named(bytes)), states))
      assert.strictEqual(yield* server.callCount("upload.saveFilePart"), 5)

      const failing = Effect.provideService(FileTransfers.FileTransfers, {
        load: () => Effect.undefined,
        save: () => Effect.fail(new FileError({ reason: "state" })),
        remove: () => Effect.void
      })
      yield* fails(a.run(failing(uploadEncryptedFile(named(bytes)))), "state")
      yield* a.run(failing(uploadEncryptedFile(FileSource.fromBytes(bytes))))
    }), { timeout: 30_000 })

  it.live("a download goes on where it stopped", () =>
    Effect.gen(function*() {
      const { a, chatId, server } = yield* two
      const path = yield* folder
      const target = NodePath.join(path, "target.bin")
      const bytes = bytesOf(10 * 128 * KIB + 7)
      const { encrypted } = yield* a.run(sendEncryptedFile(chatId, document, FileSource.fromBytes(bytes)))
      const { hook, reached } = stopsAfter("upload.getFile", 5)
      const fiber = yield* Effect.forkChild(
        a.run(hooked(a.transport, hook)(saveEncryptedFile(encrypted, target, { concurrency: 1 })))
      )
      yield* reached
      yield* Fiber.interrupt(fiber)
      assert.isFalse(Fs.existsSync(target))
      const [temporary] = Fs.readdirSync(path)
      assert.strictEqual(Fs.statSync(NodePath.join(path, temporary!)).size, 5 * 128 * KIB)
      // What a crash may have left behind what is remembered does not matter.
      Fs.appendFileSync(NodePath.join(path, temporary!), "tail")
      yield* server.clearCalls
      const progress = yield* a.run(Stream.runCollect(saveEncryptedFileStream(encrypted, target)))
      assert.strictEqual(yield* server.callCount("upload.getFile"), 6)
      assert.deepStrictEqual(progress.map(({ transferred }) => transferred).slice(0, 1), [6 * 128 * KIB])
      assert.strictEqual(progress.at(-1)!.transferred, bytes.length)
      assert.isTrue(same(Fs.readFileSync(target), bytes))
      assert.deepStrictEqual(Fs.readdirSync(path), ["target.bin"])
    }), { timeout: 30_000 })

  it.live("whoever stops listening in the middle can go on too", () =>
    Effect.gen(function*() {
      const { a, b, chatId, server } = yield* two
      const path = yield* folder
      const target = NodePath.join(path, "target.bin")
      const bytes = bytesOf(10 * 128 * KIB + 7)
      const source = named(bytes, "stopped")
      const sending = sendEncryptedFileStream(chatId, document, source, { concurrency: 1 })
      yield* a.run(Stream.runDrain(Stream.take(sending, 6)))
      yield* server.clearCalls
      const sent = yield* a.run(sendEncryptedFile(chatId, document, source))
      assert.isTrue((yield* server.callCount("upload.saveFilePart")) <= 15)
      assert.isTrue(same(yield* download(b, yield* next(b, 1)), bytes))

      const saving = saveEncryptedFileStream(sent.encrypted, target, { concurrency: 1 })
      yield* a.run(Stream.runDrain(Stream.take(saving, 6)))
      assert.isFalse(Fs.existsSync(target))
      yield* server.clearCalls
      yield* a.run(saveEncryptedFile(sent.encrypted, target))
      assert.isTrue((yield* server.callCount("upload.getFile")) <= 5)
      assert.isTrue(same(Fs.readFileSync(target), bytes))
      assert.deepStrictEqual(Fs.readdirSync(path), ["target.bin"])

      // Nothing is left of the state once they are through.
      const again = yield* a.run(sendEncryptedFile(chatId, document, source))
      assert.notDeepEqual(Redacted.value(again.encrypted.key).key, Redacted.value(sent.encrypted.key).key)
      assert.isTrue(same(yield* download(b, yield* next(b, 2)), bytes))
    }), { timeout: 30_000 })

  it.live("a download begins anew if what was written is not there any more", () =>
    Effect.gen(function*() {
      const { a, chatId } = yield* two
      const path = yield* folder
      const target = NodePath.join(path, "target.bin")
      const bytes = bytesOf(5 * 128 * KIB)
      const { encrypted } = yield* a.run(sendEncryptedFile(chatId, document, FileSource.fromBytes(bytes)))
      for (
        const damage of [
          (name: string) => Fs.truncateSync(name, 100),
          (name: string) => Fs.rmSync(name),
          (name: string) => {
            Fs.rmSync(name)
            Fs.writeFileSync(NodePath.join(path, "elsewhere"), new Uint8Array(bytes.length))
            Fs.symlinkSync(NodePath.join(path, "elsewhere"), name)
          }
        ]
      ) {
        const { hook, reached } = stopsAfter("upload.getFile", 2)
        const fiber = yield* Effect.forkChild(
          a.run(hooked(a.transport, hook)(saveEncryptedFile(encrypted, target, { concurrency: 1, overwrite: true })))
        )
        yield* reached
        yield* Fiber.interrupt(fiber)
        const temporary = Fs.readdirSync(path).find((name) => name.endsWith(".part"))!
        damage(NodePath.join(path, temporary))
        yield* a.run(saveEncryptedFile(encrypted, target, { overwrite: true }))
        assert.isTrue(same(Fs.readFileSync(target), bytes))
      }
      assert.isTrue(Fs.readFileSync(NodePath.join(path, "elsewhere")).every((byte) => byte === 0))
    }), { timeout: 30_000 })

  it.live("a stream goes on from any position that it gave", () =>
    Effect.gen(function*() {
      const { a, chatId, server } = yield* two
      const bytes = bytesOf(4 * 128 * KIB + 100)
      const { encrypted } = yield* a.run(sendEncryptedFile(chatId, document, FileSource.fromBytes(bytes)))
      const pieces = yield* a.run(Stream.runCollect(downloadEncryptedFilePieces(encrypted)))
      assert.deepStrictEqual(pieces.map(({ total, transferred }) => [transferred, total]).at(-1), [
        bytes.length,
        bytes.length
      ])
      for (const [i, { position, transferred }] of pieces.entries()) {
        const rest = yield* a.run(Stream.runCollect(downloadEncryptedFilePieces(encrypted, { from: position })))
        assert.strictEqual(rest.length, pieces.length - 1 - i)
        assert.isTrue(same(Buffer.concat(rest.map((piece) => piece.bytes)), bytes.subarray(transferred)))
      }
      const iv = Redacted.make(new Uint8Array(32))
      for (
        const from of [{ offset: 16, iv }, { offset: -131_072, iv }, { offset: 131_072, iv: Redacted.make(bytes) }]
      ) yield* fails(a.run(Stream.runDrain(downloadEncryptedFilePieces(encrypted, { from }))), "state")

      yield* server.clearCalls
      const first = yield* a.run(Stream.runHead(downloadEncryptedFile(encrypted, { concurrency: 1 })))
      assert.isTrue(Option.isSome(first))
      assert.isTrue((yield* server.callCount("upload.getFile")) <= 3)
    }), { timeout: 30_000 })
})

describe("into a file", () => {
  it.live("nothing is replaced unless it is to be", () =>
    Effect.gen(function*() {
      const { a, chatId, server } = yield* two
      const path = yield* folder
      const target = NodePath.join(path, "target.bin")
      const bytes = bytesOf(300 * KIB)
      const { encrypted } = yield* a.run(sendEncryptedFile(chatId, document, FileSource.fromBytes(bytes)))
      Fs.writeFileSync(target, "old")
      yield* fails(a.run(saveEncryptedFile(encrypted, target)), "target-exists")
      assert.strictEqual(yield* server.callCount("upload.getFile"), 0)
      assert.strictEqual(Fs.readFileSync(target, "utf8"), "old")

      Fs.rmSync(target)
      const late = hooked(a.transport, (request) => {
        if (request._tag === "upload.getFile") Fs.writeFileSync(target, "late")
        return undefined
      })
      yield* fails(a.run(late(saveEncryptedFile(encrypted, target))), "target-exists")
      assert.strictEqual(Fs.readFileSync(target, "utf8"), "late")
      assert.deepStrictEqual(Fs.readdirSync(path), ["target.bin"])

      yield* a.run(saveEncryptedFile(encrypted, target, { overwrite: true }))
      assert.isTrue(same(Fs.readFileSync(target), bytes))
      assert.deepStrictEqual(Fs.readdirSync(path), ["target.bin"])
    }), { timeout: 30_000 })

  it.live(
    "a failed download leaves nothing, and a file that somebody else touched is not published",
    () =>
      Effect.gen(function*() {
        const { a, chatId, server } = yield* two
        const path = yield* folder
        const target = NodePath.join(path, "target.bin")
        const { encrypted } = yield* a.run(
          sendEncryptedFile(chatId, document, FileSource.fromBytes(bytesOf(300 * KIB)))
        )
        yield* server.faults.failNext("upload.getFile", { code: 400, type: "LOCATION_INVALID" })
        yield* fails(a.run(saveEncryptedFile(encrypted, target)), "unavailable")
        assert.deepStrictEqual(Fs.readdirSync(path), [])

        const replaced = hooked(a.transport, (request) => {
          if (request._tag === "upload.getFile") {
            const [temporary] = Fs.readdirSync(path)
            Fs.rmSync(NodePath.join(path, temporary!))
            Fs.writeFileSync(NodePath.join(path, temporary!), bytesOf(300 * KIB, 2))
          }
          return undefined
        })
        yield* fails(a.run(replaced(saveEncryptedFile(encrypted, target))), "target-changed")
        assert.isFalse(Fs.existsSync(target))

        const missing = yield* Effect.flip(a.run(saveEncryptedFile(encrypted, NodePath.join(path, "no", "folder"))))
        assert.strictEqual(missing._tag, "PlatformError")
      }),
    { timeout: 30_000 }
  )

  it.live("a network that comes back: the download goes on", () =>
    Effect.gen(function*() {
      const { a, chatId } = yield* two
      const path = yield* folder
      const target = NodePath.join(path, "target.bin")
      const bytes = bytesOf(8 * 128 * KIB)
      const { encrypted } = yield* a.run(sendEncryptedFile(chatId, document, FileSource.fromBytes(bytes)))
      let calls = 0
      const unreliable = hooked(a.transport, (request) =>
        request._tag === "upload.getFile" && ++calls % 4 === 0
          ? Effect.fail(new TransportError({ reason: "unreachable", detail: "The network is down" }))
          : undefined)
      yield* a.run(unreliable(
        Effect.retry(saveEncryptedFile(encrypted, target, { concurrency: 1 }), Schedule.recurs(5))
      ))
      assert.isTrue(same(Fs.readFileSync(target), bytes))
      assert.strictEqual(calls, 10)
    }), { timeout: 30_000 })
})

describe("sources", () => {
  it.live("a file that changes is another source", () =>
    Effect.gen(function*() {
      const { a } = yield* two
      const path = yield* folder
      const name = NodePath.join(path, "file")
      const source = a.run(FileSource.fromPath(name))
      assert.strictEqual((yield* Effect.flip(source))._tag, "PlatformError")
      Fs.writeFileSync(name, "one")
      const first = yield* source
      assert.deepStrictEqual([first.size, first.rereadable], [3, true])
      assert.strictEqual((yield* source).name, first.name)
      Fs.writeFileSync(name, "four")
      assert.notStrictEqual((yield* source).name, first.name)
      const crypto = yield* a.run(Crypto)
      assert.strictEqual(crypto.randomBytes(1).length, 1)
      assert.isTrue(Result.isFailure(EncryptedFile.from({ event: { _tag: "Typing", date: 1 } })))
      assert.isTrue(FileSource.isFileSource(first) && !FileSource.isFileSource({}))
    }), { timeout: 30_000 })
})
