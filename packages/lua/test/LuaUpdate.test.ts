import * as LuaUpdate from "@effect-mtproto/lua/LuaUpdate"
import * as LuaValue from "@effect-mtproto/lua/LuaValue"
import type { SecretChats } from "@effect-mtproto/secret-chats"
import { assert, describe, it } from "@effect/vitest"

type Event = SecretChats.SecretChatEvent["event"]

const chatId = -147286699
const of = (event: Event) => LuaUpdate.fromEvent({ chatId, event })
const { sequence, table } = LuaValue
const id = BigInt(chatId)

const action = (fields: { readonly [name: string]: LuaValue.LuaValue }, randomId?: bigint) =>
  table({
    _: "updateNewEncryptedMessage",
    message: table({
      _: "encryptedMessageService",
      random_id: randomId,
      chat_id: id,
      date: 9n,
      decrypted_message: table({ _: "decryptedMessageService", random_id: randomId, action: table(fields) })
    })
  })
const encryption = (fields: { readonly [name: string]: LuaValue.LuaValue | undefined }) =>
  table({ _: "updateEncryption", chat: table(fields), date: 9n })
const other = (fields: { readonly [name: string]: LuaValue.LuaValue }) =>
  table({ _: "updateSecretChat", chat_id: id, event: table(fields) })

const cases: ReadonlyArray<readonly [Event, LuaValue.LuaTable | undefined]> = [
  [{ _tag: "MessageSent", randomId: 1n, index: 0, date: 9 }, undefined],
  [
    {
      _tag: "NewMessage",
      randomId: 2n ** 62n + 1n,
      index: 0,
      date: 9,
      message: { _tag: "decryptedMessage", randomId: 2n ** 62n + 1n, ttl: 0, message: "é" },
      file: { id: 1n, accessHash: 2n, size: 3n, dcId: 4, keyFingerprint: 5 }
    },
    table({
      _: "updateNewEncryptedMessage",
      message: table({
        _: "encryptedMessage",
        random_id: 2n ** 62n + 1n,
        chat_id: id,
        date: 9n,
        file: table({ _: "encryptedFile", id: 1n, access_hash: 2n, size: 3n, dc_id: 4n, key_fingerprint: 5n }),
        decrypted_message: table({ _: "decryptedMessage", random_id: 2n ** 62n + 1n, ttl: 0n, message: "\xc3\xa9" })
      })
    })
  ],
  [
    { _tag: "ChatRequested", userId: 7n, date: 9 },
    encryption({ _: "encryptedChatRequested", id, date: 9n, admin_id: 7n })
  ],
  [{ _tag: "ChatWaiting", date: 9 }, encryption({ _: "encryptedChatWaiting", id, date: 9n })],
  [{ _tag: "ChatReady", keyHash: new Uint8Array(36), date: 9 }, encryption({ _: "encryptedChat", id, date: 9n })],
  [
    { _tag: "ChatClosed", reason: { _tag: "Refused", error: { code: 400, type: "X" } }, historyDeleted: true, date: 9 },
    encryption({
      _: "encryptedChatDiscarded",
      id,
      history_deleted: true,
      reason: table({ _: "Refused", error: table({ code: 400n, type: "X" }) })
    })
  ],
  [{ _tag: "Typing", date: 9 }, table({ _: "updateEncryptedChatTyping", chat_id: id })],
  [
    { _tag: "Typing", action: "sendMessageTypingAction", date: 9 },
    table({ _: "updateEncryptedChatTyping", chat_id: id, action: table({ _: "sendMessageTypingAction" }) })
  ],
  [
    { _tag: "MessagesRead", by: "peer", maxDate: 8, date: 9 },
    table({ _: "updateEncryptedMessagesRead", chat_id: id, max_date: 8n, date: 9n })
  ],
  [
    { _tag: "MessagesRead", by: "me", maxDate: 8, date: 9 },
    other({ _: "MessagesRead", by: "me", max_date: 8n, date: 9n })
  ],
  [
    { _tag: "TtlChanged", by: "peer", ttl: 60, randomId: 3n, date: 9 },
    action({ _: "decryptedMessageActionSetMessageTTL", ttl_seconds: 60n }, 3n)
  ],
  [
    { _tag: "ContentOpened", by: "peer", randomIds: [1n, -1n], date: 9 },
    action({ _: "decryptedMessageActionReadMessages", random_ids: sequence([1n, -1n]) })
  ],
  [
    { _tag: "MessagesDeleted", by: "peer", randomIds: [1n], date: 9 },
    action({ _: "decryptedMessageActionDeleteMessages", random_ids: sequence([1n]) })
  ],
  [
    { _tag: "Screenshot", by: "peer", randomIds: [], date: 9 },
    action({ _: "decryptedMessageActionScreenshotMessages", random_ids: sequence([]) })
  ],
  [{ _tag: "HistoryFlushed", by: "peer", date: 9 }, action({ _: "decryptedMessageActionFlushHistory" })],
  [
    { _tag: "MessageDelivered", randomId: 5n, index: 2, date: 9 },
    other({ _: "MessageDelivered", random_id: 5n, index: 2n, date: 9n })
  ],
  [{ _tag: "LayerChanged", layer: 144, date: 9 }, other({ _: "LayerChanged", layer: 144n, date: 9n })]
]

describe("LuaUpdate", () => {
  it("every event has its table", () => {
    for (const [event, expected] of cases) assert.deepStrictEqual(of(event), expected, event._tag)
  })
})
