import { downloadEncryptedFile } from "@effect-mtproto/secret-chats/downloadEncryptedFile"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import { sendEncryptedFile } from "@effect-mtproto/secret-chats/sendEncryptedFile"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { bytesOf, eventually, same, two } from "./support.ts"

describe("a file in the history", () => {
  it.live("is downloaded later, by either side, from the message alone", () =>
    Effect.gen(function*() {
      const { a, b, chatId } = yield* two
      const bytes = bytesOf(70_000, 7)
      const sent = yield* a.run(sendEncryptedFile(chatId, Media.document(), FileSource.fromBytes(bytes)))
      yield* a.chats.sendText(chatId, "without")
      yield* eventually(() => b.messages().length === 2)
      // What the server has taken is noted with the next commit.
      yield* eventually(() => a.events.filter(({ event }) => event._tag === "MessageSent").length === 2)
      for (const person of [a, b]) {
        const message = Option.getOrThrow(yield* person.chats.message(chatId, sent.randomId))
        assert.deepStrictEqual(message.file, sent.file)
        const chunks = yield* person.run(Stream.runCollect(downloadEncryptedFile(message)))
        assert.isTrue(same(Buffer.concat(chunks), bytes))
        const [newest] = yield* person.chats.messages(chatId)
        assert.strictEqual(newest!.message.message, "without")
        assert.isUndefined(newest!.file)
      }
    }), { timeout: 30_000 })
})
