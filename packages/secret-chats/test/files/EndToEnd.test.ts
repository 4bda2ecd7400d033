import { downloadEncryptedFile, saveEncryptedFile } from "@effect-mtproto/secret-chats/downloadEncryptedFile"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import { sendEncryptedFile, sendEncryptedFileStream } from "@effect-mtproto/secret-chats/sendEncryptedFile"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Fs from "node:fs"
import * as NodePath from "node:path"
import { bytesOf, eventually, folder, same, two } from "./support.ts"

const KIB = 1024
const MIB = 1024 * KIB

describe("files over MTProto and TCP", () => {
  it.live("of every size that is a border", () =>
    Effect.gen(function*() {
      const { a, b, chatId, server } = yield* two
      const path = yield* folder
      let count = 0
      for (const size of [1, 15, 16, 17, 511 * KIB, 512 * KIB, 10 * MIB, 10 * MIB + 1]) {
        const bytes = bytesOf(size, size)
        const name = NodePath.join(path, `${size}.bin`)
        Fs.writeFileSync(name, bytes)
        yield* server.clearCalls
        const source = yield* a.run(FileSource.fromPath(name))
        const sent = yield* a.run(sendEncryptedFile(chatId, Media.document({ fileName: "a.bin" }), source))
        assert.strictEqual(sent._tag, "messages.sentEncryptedFile")
        assert.strictEqual(sent.file!.size, BigInt(Math.ceil(size / 16) * 16))
        const method = size > 10 * MIB ? "upload.saveBigFilePart" : "upload.saveFilePart"
        assert.strictEqual(yield* server.callCount(method), Math.ceil(size / (64 * KIB)))

        yield* eventually(() => b.messages().length === ++count || (count--, false))
        const message = b.messages().at(-1)!
        assert.deepStrictEqual(message.file, sent.file)
        const media = message.message.media!
        assert.isTrue(media._tag === "decryptedMessageMediaDocument" && media.size === BigInt(size))
        const chunks = yield* b.run(Stream.runCollect(downloadEncryptedFile(message)))
        assert.isTrue(same(Buffer.concat(chunks), bytes), `streamed, ${size} bytes`)
        const target = NodePath.join(path, `received-${size}.bin`)
        yield* b.run(saveEncryptedFile(message, target))
        assert.isTrue(same(Fs.readFileSync(target), bytes), `saved, ${size} bytes`)
        assert.strictEqual(Fs.statSync(target).mode & 0o777, 0o600)
      }
      assert.isFalse(Fs.readdirSync(path).some((name) => name.endsWith(".part")))
    }), { timeout: 60_000 })

  it.live("progress ends with the outcome", () =>
    Effect.gen(function*() {
      const { a, chatId } = yield* two
      const bytes = bytesOf(200 * KIB)
      const events = yield* a.run(
        Stream.runCollect(sendEncryptedFileStream(chatId, Media.document(), FileSource.fromBytes(bytes)))
      )
      assert.deepStrictEqual(
        events.map((event) => event._tag === "Progress" ? [event.transferred, event.total] : event._tag),
        [
          [64 * KIB, bytes.length],
          [128 * KIB, bytes.length],
          [192 * KIB, bytes.length],
          [200 * KIB, bytes.length],
          "Sent"
        ]
      )
    }), { timeout: 30_000 })
})
