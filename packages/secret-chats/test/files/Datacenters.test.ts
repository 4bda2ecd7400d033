import { downloadEncryptedFile } from "@effect-mtproto/secret-chats/downloadEncryptedFile"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import { sendEncryptedFile } from "@effect-mtproto/secret-chats/sendEncryptedFile"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { bytesOf, eventually, same, type Two, twoIn } from "./support.ts"

const PIECE = 128 * 1024
const bytes = bytesOf(12 * PIECE)

const receive = Effect.fnUntraced(function*({ a, b, chatId }: Two) {
  yield* a.run(sendEncryptedFile(chatId, Media.document(), FileSource.fromBytes(bytes)))
  yield* eventually(() => b.messages().length === 1)
  return b.messages()[0]!
})

const download = Effect.fnUntraced(function*({ b, server }: Two, message: Parameters<typeof downloadEncryptedFile>[0]) {
  yield* server.clearCalls
  const content = Buffer.concat(yield* b.run(Stream.runCollect(downloadEncryptedFile(message, { concurrency: 3 }))))
  assert.isTrue(same(content, bytes))
  return (yield* server.calls("upload.getFile")).map(({ outcome }) => outcome)
})

describe("files of another data centre", () => {
  it.live("are asked for where they are kept", () =>
    Effect.gen(function*() {
      const both = yield* twoIn(4)
      const message = yield* receive(both)
      // Ann's: what she sends is kept where she lives
      assert.strictEqual(message.file!.dcId, 2)
      const first = yield* download(both, message)
      // the login is carried over once, for the pieces that find it missing
      assert.isFalse(first.some((outcome) => outcome.startsWith("FILE_MIGRATE")))
      assert.deepStrictEqual(yield* download(both, message), Array.from({ length: 12 }, () => "ok"))
    }), { timeout: 30_000 })

  it.live(
    "wherever a message says that they are: the server's word is believed, for all pieces",
    () =>
      Effect.gen(function*() {
        const both = yield* twoIn(4, 5)
        const message = yield* receive(both)
        const said = (dcId: number) => download(both, { ...message, file: { ...message.file!, dcId } })
        yield* said(5)
        const wrong = yield* said(5)
        assert.isAtMost(wrong.filter((outcome) => outcome === "FILE_MIGRATE_2").length, 3)
        // his own, one that does not exist, and none at all
        for (const dcId of [4, 9, 0]) assert.include(yield* said(dcId), "ok")
      }),
    { timeout: 30_000 }
  )
})
