import { type SecretChats, SecretPeer, SecretUpdate } from "@effect-mtproto/secret-chats"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"

type Event = SecretChats.SecretChatEvent["event"]

const chatId = -147286699
const both = (["me", "peer"] as const).flatMap((by): ReadonlyArray<Event> => [
  { _tag: "TtlChanged", by, ttl: 60, randomId: 3n, date: 9 },
  { _tag: "ContentOpened", by, randomIds: [1n], date: 9 },
  { _tag: "MessagesRead", by, maxDate: 8, date: 9 },
  { _tag: "MessagesDeleted", by, randomIds: [1n], date: 9 },
  { _tag: "HistoryFlushed", by, date: 9 },
  { _tag: "Screenshot", by, randomIds: [], date: 9 }
])
const events: ReadonlyArray<Event> = [
  ...both,
  { _tag: "ChatRequested", userId: 7n, date: 9 },
  { _tag: "ChatWaiting", date: 9 },
  { _tag: "ChatReady", keyHash: new Uint8Array(36), date: 9 },
  { _tag: "ChatClosed", reason: { _tag: "ByPeer" }, historyDeleted: true, date: 9 },
  {
    _tag: "NewMessage",
    randomId: 1n,
    index: 0,
    date: 9,
    message: { _tag: "decryptedMessage", randomId: 1n, ttl: 0, message: "" }
  },
  { _tag: "UnsupportedMessage", randomId: 1n, index: 0, date: 9 },
  { _tag: "MessageDelivered", randomId: 1n, index: 0, date: 9 },
  { _tag: "MessageFailed", randomId: 1n, index: 0, error: { code: 400, type: "X" }, date: 9 },
  { _tag: "Typing", date: 9 },
  { _tag: "Typing", action: "sendMessageTypingAction", date: 9 },
  { _tag: "MessagesExpired", direction: "incoming", randomIds: [1n], date: 9 },
  { _tag: "LayerChanged", layer: 144, date: 9 },
  { _tag: "Rekeyed", startedBy: "me", date: 9 },
  { _tag: "RekeyAbandoned", reason: "ByPeer", date: 9 },
  { _tag: "MessagesMissing", from: 0, to: 1, attempts: 1, date: 9 }
]

describe("SecretUpdate", () => {
  it("every update names its chat, and has one of the names", () => {
    for (const event of events) {
      const update = SecretUpdate.fromEvent({ chatId, event })
      assert.isDefined(update)
      assert.include(SecretUpdate.tags, update._tag)
      assert.deepStrictEqual(SecretPeer.chatId(update as never), Result.succeed(chatId), event._tag)
    }
  })

  it("that a message was taken is none; what this side did is told as it is", () => {
    assert.isUndefined(
      SecretUpdate.fromEvent({ chatId, event: { _tag: "MessageSent", randomId: 1n, index: 0, date: 9 } })
    )
    for (const event of both) {
      const tag = SecretUpdate.fromEvent({ chatId, event })?._tag
      assert.strictEqual(tag === "updateSecretChat", "by" in event && event.by === "me")
    }
  })

  it("what the other side has done is a message, named where its name is known", () => {
    const action = { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: 60 } as const
    assert.deepStrictEqual(
      SecretUpdate.fromEvent({ chatId, event: { _tag: "TtlChanged", by: "peer", ttl: 60, randomId: 3n, date: 9 } }),
      {
        _tag: "updateNewEncryptedMessage",
        message: {
          _tag: "encryptedMessageService",
          randomId: 3n,
          chatId,
          date: 9,
          decryptedMessage: { _tag: "decryptedMessageService", randomId: 3n, action }
        }
      }
    )
  })
})
