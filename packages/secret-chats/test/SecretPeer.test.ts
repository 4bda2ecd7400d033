import type * as Api from "@effect-mtproto/core/Api"
import * as SecretPeer from "@effect-mtproto/secret-chats/SecretPeer"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"

const id = -147286699

const head = { id, accessHash: 5n, date: 1, adminId: 1n, participantId: 2n }
const message: Api.EncryptedMessage = {
  _tag: "encryptedMessage",
  randomId: 1n,
  chatId: id,
  date: 1,
  bytes: new Uint8Array(0),
  file: { _tag: "encryptedFileEmpty" }
}
const service: Api.EncryptedMessage = {
  _tag: "encryptedMessageService",
  randomId: 1n,
  chatId: id,
  date: 1,
  bytes: new Uint8Array(0)
}

const forms: ReadonlyArray<readonly [string, SecretPeer.SecretPeer]> = [
  ["number", id],
  ["bigint", BigInt(id)],
  ["string", String(id)],
  ["dialog id", -2_000_147_286_699],
  ["dialog id as a string", "-2000147286699"],
  ["inputEncryptedChat", { _tag: "inputEncryptedChat", chatId: id, accessHash: 5n }],
  ["the same without a tag", { chatId: id, accessHash: 5n } as { readonly chatId: number }],
  ["encryptedChatEmpty", { _tag: "encryptedChatEmpty", id }],
  ["encryptedChatWaiting", { _tag: "encryptedChatWaiting", ...head }],
  ["encryptedChatRequested", { _tag: "encryptedChatRequested", ...head, gA: new Uint8Array(0) }],
  ["encryptedChat", { _tag: "encryptedChat", ...head, gAOrB: new Uint8Array(0), keyFingerprint: 0n }],
  ["encryptedChatDiscarded", { _tag: "encryptedChatDiscarded", id }],
  ["encryptedMessage", message],
  ["encryptedMessageService", service],
  ["updateNewEncryptedMessage", { _tag: "updateNewEncryptedMessage", message: service, qts: 1 }],
  ["updateEncryption", { _tag: "updateEncryption", chat: { _tag: "encryptedChatDiscarded", id }, date: 1 }],
  ["updateEncryptedChatTyping", { _tag: "updateEncryptedChatTyping", chatId: id }],
  ["updateEncryptedMessagesRead", { _tag: "updateEncryptedMessagesRead", chatId: id, maxDate: 1, date: 1 }],
  ["an outcome", { _tag: "messages.sentEncryptedMessage", chatId: id, randomId: 1n, index: 0, date: 1 } as any],
  ["a chat or an event", { chatId: id }]
]

describe("SecretPeer", () => {
  it.each(forms)("%s", (_, form) => {
    assert.deepStrictEqual(SecretPeer.chatId(form), Result.succeed(id))
  })

  const unknown: ReadonlyArray<unknown> = [
    0,
    0n,
    "0",
    1.5,
    NaN,
    Infinity,
    2 ** 31,
    -(2 ** 31) - 1,
    2n ** 80n,
    -(2n ** 80n),
    -2_000_000_000_000,
    -2_002_147_483_649,
    -1_997_852_516_352,
    "",
    "abc",
    "12abc",
    "1e3",
    " 5",
    null,
    undefined,
    true,
    Symbol("x"),
    {},
    [],
    { chatId: "x" },
    { _tag: "inputUser", userId: 5n, accessHash: 1n },
    { _tag: "updateNewEncryptedMessage" },
    { _tag: "updateEncryption", chat: null },
    () => id
  ]
  it.each(unknown)("%s names no secret chat", (form) => {
    const result = SecretPeer.chatId(form as any)
    assert.isTrue(Result.isFailure(result))
    if (Result.isFailure(result)) {
      assert.strictEqual(result.failure._tag, "SecretChatUnknown")
      assert.isUndefined(result.failure.chatId)
    }
  })

  const int32 = Arbitrary.filter(Arbitrary.schema(Schema.Int.check(Schema.isInt32())), (n) => n !== 0)

  it.prop("every id survives all spellings", [int32], ([n]) => {
    const dialog = SecretPeer.dialogId(n)
    for (const form of [n, BigInt(n), String(n), dialog, BigInt(dialog), String(dialog)]) {
      assert.isTrue(Result.isSuccess(SecretPeer.chatId(form)) && Result.getOrThrow(SecretPeer.chatId(form)) === n)
    }
  })
})
