import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as Errors from "@effect-mtproto/secret-chats/SecretChatError"
import { layerMemory } from "@effect-mtproto/secret-chats/SecretChatStore"
import { sendEncrypted } from "@effect-mtproto/secret-chats/sendEncrypted"
import { sendEncryptedService } from "@effect-mtproto/secret-chats/sendEncryptedService"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as FaultyStore from "./support/FaultyStore.ts"
import { eventually, messagesOf, pair, start } from "./support/Peers.ts"
import { Relay } from "./support/Relay.ts"

const ttl = DecryptedMessage.setMessageTtl(60)

/** What the server says, and the class that it becomes. */
const documented: ReadonlyArray<readonly [code: number, type: string, tag: string]> = [
  [400, "DATA_INVALID", "DataInvalid"],
  [400, "CHAT_ID_INVALID", "ChatIdInvalid"],
  [400, "ENCRYPTION_ID_INVALID", "EncryptionIdInvalid"],
  [400, "USER_IS_BLOCKED", "UserIsBlocked"],
  [403, "USER_IS_BLOCKED", "UserIsBlocked"],
  [400, "DATA_TOO_LONG", "DataTooLong"],
  [400, "FILE_EMTPY", "FileEmpty"],
  [400, "MD5_CHECKSUM_INVALID", "Md5ChecksumInvalid"],
  [420, "FLOOD_WAIT_77", "FloodWait"],
  [400, "SOMETHING_NEW", "RpcError"],
  [406, "ANOTHER_THING", "RpcError"]
]

describe("errors of the server", () => {
  it.live.each(documented)(
    "%d %s is %s; the slot is filled with a self-delete, and the chat goes on",
    ([code, type, tag]) =>
      Effect.gen(function*() {
        const { alice, bob, chatId, relay } = yield* pair()
        relay.fail("messages.sendEncrypted", { code, type })
        const error = yield* Effect.flip(alice.run(sendEncrypted(chatId, DecryptedMessage.message("lost"))))
        assert.strictEqual(error._tag, tag)
        assert.deepInclude(error, { code, type, sent: [] })
        assert.include(error.message, `${code} ${type}`)
        if (error._tag === "FloodWait") assert.strictEqual(error.seconds, 77)
        yield* alice.chats.sendText(chatId, "after")
        yield* eventually(() => messagesOf(bob).length === 1)
        assert.deepStrictEqual(messagesOf(bob), ["after"])
        // The peer never met a hole: it had nothing to ask for.
        assert.isFalse(bob.events.some(({ event }) => event._tag === "MessagesMissing"))
        yield* eventually(() => alice.events.some(({ event }) => event._tag === "MessageFailed"))
        const failed = (yield* alice.chats.messages(chatId, { order: "oldest-first" }))[0]!
        assert.deepInclude(failed, { state: "failed", failure: `${code} ${type}` })
      })
  )

  it.live("the two that end a chat close it", () =>
    Effect.gen(function*() {
      for (
        const [code, type, tag, reason] of [
          [400, "ENCRYPTION_DECLINED", "EncryptionDeclined", "ByPeer"],
          [403, "USER_DELETED", "UserDeleted", "PeerGone"]
        ] as const
      ) {
        const { alice, chatId, relay } = yield* pair()
        relay.fail("messages.sendEncryptedService", { code, type })
        const error = yield* Effect.flip(alice.run(sendEncryptedService(chatId, ttl)))
        assert.strictEqual(error._tag, tag)
        assert.deepInclude(error, { code, type })
        const again = yield* Effect.flip(alice.run(sendEncryptedService(chatId, ttl)))
        assert.strictEqual(again._tag === "SecretChatClosed" ? again.reason._tag : again._tag, reason)
        assert.deepInclude(yield* alice.chats.get(chatId), { state: "closed", closed: { _tag: reason } })
      }
    }))

  it.live("a call before it that failed is waited out, the same bytes again", () =>
    Effect.gen(function*() {
      for (const type of ["MSG_WAIT_FAILED", "MSG_WAIT_TIMEOUT"]) {
        const { alice, bob, chatId, relay } = yield* pair()
        relay.fail("messages.sendEncrypted", { code: 500, type }, { code: 400, type }, { code: 500, type: "INTERNAL" })
        yield* alice.chats.sendText(chatId, "patience")
        yield* eventually(() => messagesOf(bob).length === 1)
        const requests = relay.calls("messages.sendEncrypted")
        assert.strictEqual(requests.length, 1)
      }
    }))

  it.live("MsgWaitFailed is reported after a bounded number of times", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId, relay } = yield* pair()
      relay.fail(
        "messages.sendEncryptedService",
        ...Array.from({ length: 4 }, () => ({ code: 500, type: "MSG_WAIT_FAILED" }))
      )
      const error = yield* Effect.flip(alice.run(sendEncryptedService(chatId, ttl)))
      assert.strictEqual(error._tag, "MsgWaitFailed")
      assert.deepInclude(error, { code: 500, type: "MSG_WAIT_FAILED", sent: [] })
      yield* alice.chats.sendText(chatId, "after")
      yield* eventually(() => messagesOf(bob).length === 1)
    }))

  it.live("a random id that the server has already is success", () =>
    Effect.gen(function*() {
      const { alice, chatId, relay } = yield* pair()
      relay.fail("messages.sendEncrypted", { code: 400, type: "RANDOM_ID_DUPLICATE" })
      const outcome = yield* alice.chats.sendText(chatId, "twice")
      assert.strictEqual(
        Array.isArray(outcome) ? "" : (outcome as { _tag: string })._tag,
        "messages.sentEncryptedMessage"
      )
    }))

  it.live("when part k fails, sent holds the k-1 outcomes before it", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId, relay } = yield* pair()
      relay.fail("messages.sendEncrypted", {}, {}, { code: 400, type: "DATA_INVALID" })
      const error = yield* Effect.flip(alice.chats.sendText(chatId, "word ".repeat(4000)))
      assert.strictEqual(error._tag, "DataInvalid")
      assert.strictEqual(error.sent.length, 2)
      assert.isTrue(error.sent[1]!.index > error.sent[0]!.index)
      assert.include(error.message, "2 parts were sent before")
      yield* eventually(() => messagesOf(bob).length === 2)
      yield* alice.chats.sendText(chatId, "after")
      yield* eventually(() => messagesOf(bob).length === 3)
      assert.strictEqual(messagesOf(bob)[2], "after")
    }))
})

describe("local errors", () => {
  it.live("SecretChatUnknown", () =>
    Effect.gen(function*() {
      const { alice } = yield* pair()
      const error = yield* Effect.flip(alice.run(sendEncryptedService(12345, ttl)))
      assert.deepInclude(error, { _tag: "SecretChatUnknown", chatId: 12345, sent: [] })
      const nonsense = yield* Effect.flip(alice.run(sendEncryptedService("nonsense", ttl)))
      assert.strictEqual(nonsense._tag, "SecretChatUnknown")
      for (
        const effect of [
          alice.chats.get(12345),
          alice.chats.accept(12345),
          alice.chats.discard(12345),
          alice.chats.awaitReady(12345),
          alice.chats.keyPicture(12345),
          alice.chats.markRead(12345, 1),
          alice.chats.setTyping(12345),
          alice.chats.forget(12345)
        ]
      ) {
        assert.strictEqual(
          (yield* Effect.flip(effect as Effect.Effect<unknown, { readonly _tag: string }>))._tag,
          "SecretChatUnknown"
        )
      }
      assert.isFalse((yield* alice.chats.list).some((chat) => chat.chatId === 12345))
    }))

  it.live("SecretChatNotReady, on both sides", () =>
    Effect.gen(function*() {
      const relay = new Relay()
      const alice = yield* start(relay, relay.device(1n))
      const bob = yield* start(relay, relay.device(2n))
      // The other side exists only now, as the relay refuses to ask nobody.
      const { chatId, state } = yield* alice.chats.request({ userId: 2n, accessHash: 0n })
      assert.strictEqual(state, "waiting")
      yield* eventually(() => bob.events.length === 1)
      const waiting = yield* Effect.flip(alice.run(sendEncryptedService(chatId, ttl)))
      assert.deepInclude(waiting, { _tag: "SecretChatNotReady", chatId, state: "waiting" })
      const requested = yield* Effect.flip(bob.run(sendEncryptedService(chatId, ttl)))
      assert.deepInclude(requested, { _tag: "SecretChatNotReady", chatId, state: "requested" })
      assert.strictEqual((yield* Effect.flip(bob.chats.keyPicture(chatId)))._tag, "SecretChatNotReady")
    }))

  it.live("SecretChatClosed", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId } = yield* pair()
      yield* bob.chats.discard(chatId)
      yield* eventually(() => alice.events.some(({ event }) => event._tag === "ChatClosed"))
      const error = yield* Effect.flip(alice.run(sendEncryptedService(chatId, ttl)))
      assert.deepInclude(error, { _tag: "SecretChatClosed", chatId, reason: { _tag: "ByPeer" } })
      assert.include(error.message, "the other side closed it")
      const mine = yield* Effect.flip(bob.run(sendEncryptedService(chatId, ttl)))
      assert.deepInclude(mine, { _tag: "SecretChatClosed", reason: { _tag: "ByMe" } })
    }))

  const invalid: ReadonlyArray<readonly [string, unknown, ReadonlyArray<string>]> = [
    ["no object", "text", ["_tag"]],
    ["nothing", null, ["_tag"]],
    ["another constructor", { _tag: "decryptedMessage_8", message: "x" }, ["_tag"]],
    ["a text that is none", { _tag: "decryptedMessage", message: 5, ttl: 0 }, ["message"]],
    ["a timer out of range", { _tag: "decryptedMessage", message: "x", ttl: 2 ** 40 }, ["ttl"]],
    ["a random id out of range", { _tag: "decryptedMessage", message: "x", randomId: 2n ** 64n }, ["randomId"]],
    ["random id 0", { _tag: "decryptedMessage", message: "x", randomId: 0n }, ["randomId"]],
    ["an action that is none", { _tag: "decryptedMessageService", action: { _tag: "nothing" } }, ["action"]],
    ["an entity that is none", { _tag: "decryptedMessage", message: "x", entities: [{ _tag: "x" }] }, ["entities"]]
  ]
  it.live.each(invalid)("MessageInvalid: %s", ([, message, path]) =>
    Effect.gen(function*() {
      const { alice, chatId, relay } = yield* pair()
      const before = relay.log.length
      const error = yield* Effect.flip(alice.run(sendEncryptedService(chatId, message as any)))
      assert.strictEqual(error._tag, "MessageInvalid")
      if (error._tag === "MessageInvalid") assert.deepStrictEqual(error.path.slice(0, 1), [...path])
      assert.strictEqual(relay.log.length, before)
    }))

  it.live("MessageInvalid: actions of the protocol itself", () =>
    Effect.gen(function*() {
      const { alice, chatId } = yield* pair()
      for (
        const action of [
          DecryptedMessage.resend(0, 2),
          DecryptedMessage.requestKey(1n, new Uint8Array(256)),
          DecryptedMessage.abortKey(1n),
          DecryptedMessage.acceptKey(1n, new Uint8Array(256), 1n),
          DecryptedMessage.commitKey(1n, 1n)
        ]
      ) {
        const error = yield* Effect.flip(alice.run(sendEncryptedService(chatId, action)))
        assert.deepInclude(error, { _tag: "MessageInvalid", path: ["action"] })
      }
    }))

  it.live("MessageInvalid: a random id that is under way", () =>
    Effect.gen(function*() {
      const { alice, chatId } = yield* pair()
      yield* alice.chats.send(chatId, DecryptedMessage.message("one", { randomId: 77n }))
      const error = yield* Effect.flip(alice.chats.send(chatId, DecryptedMessage.message("two", { randomId: 77n })))
      assert.deepInclude(error, { _tag: "MessageInvalid", path: ["randomId"] })
    }))

  it.live("StoreError: nothing is sent and nothing has changed", () =>
    Effect.gen(function*() {
      const faults = new FaultyStore.Faults()
      const { alice, bob, chatId, relay } = yield* pair({ aliceStore: FaultyStore.layer(faults, layerMemory) })
      const before = relay.calls("messages.sendEncrypted").length
      faults.onCommit = () => "before"
      const error = yield* Effect.flip(alice.chats.sendText(chatId, "never"))
      assert.deepInclude(error, { _tag: "StoreError", reason: "unavailable", sent: [] })
      assert.strictEqual(relay.calls("messages.sendEncrypted").length, before)
      faults.onCommit = () => undefined
      yield* alice.chats.sendText(chatId, "now")
      yield* eventually(() => messagesOf(bob).length === 1)
      assert.deepStrictEqual(messagesOf(bob), ["now"])
    }))

  it.live("TransportError: the message is kept and goes out when the network is back, once", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId, relay } = yield* pair()
      relay.fail("messages.sendEncrypted", { transport: "unreachable" })
      const error = yield* Effect.flip(alice.chats.sendText(chatId, "later"))
      assert.deepInclude(error, { _tag: "TransportError", reason: "unreachable", sent: [] })
      // The next message does not wait for the pause to end, and does not overtake.
      yield* alice.chats.sendText(chatId, "after")
      yield* eventually(() => messagesOf(bob).length === 2)
      assert.deepStrictEqual(messagesOf(bob), ["later", "after"])
    }))

  it.live("an answer that was lost does not make two messages", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId, relay } = yield* pair()
      relay.fail("messages.sendEncrypted", { loseAnswer: true })
      const error = yield* Effect.flip(alice.chats.sendText(chatId, "once"))
      assert.deepInclude(error, { _tag: "TransportError", reason: "timeout" })
      yield* alice.chats.sendText(chatId, "after")
      yield* eventually(() => messagesOf(bob).length === 2)
      assert.deepStrictEqual(messagesOf(bob), ["once", "after"])
    }))

  it.live("what the transport cannot carry is DataTooLong", () =>
    Effect.gen(function*() {
      const { alice, bob, chatId, relay } = yield* pair()
      relay.fail("messages.sendEncrypted", { transport: "too-large" })
      const error = yield* Effect.flip(alice.chats.sendText(chatId, "big"))
      assert.deepInclude(error, { _tag: "DataTooLong", code: 400, type: "DATA_TOO_LONG" })
      yield* alice.chats.sendText(chatId, "small")
      yield* eventually(() => messagesOf(bob).length === 1)
    }))
})

describe("SecretChatError", () => {
  it("every class is a schema, has words, and keeps what was sent", () => {
    const outcome = { _tag: "messages.sentEncryptedMessage", chatId: 1, randomId: 2n, index: 3, date: 4 } as const
    const server = { code: 400, type: "X" }
    const all: ReadonlyArray<Errors.SecretChatError> = [
      new Errors.DataInvalid(server),
      new Errors.EncryptionDeclined(server),
      new Errors.MsgWaitFailed(server),
      new Errors.UserIsBlocked(server),
      new Errors.ChatIdInvalid(server),
      new Errors.EncryptionIdInvalid(server),
      new Errors.EncryptionAlreadyAccepted(server),
      new Errors.EncryptionAlreadyDeclined(server),
      new Errors.UserDeleted(server),
      new Errors.DataTooLong(server),
      new Errors.FileEmpty(server),
      new Errors.Md5ChecksumInvalid(server),
      new Errors.FloodWait({ ...server, seconds: 5 }),
      new Errors.RpcError(server),
      new Errors.SecretChatUnknown({ chatId: 1 }),
      new Errors.SecretChatNotReady({ chatId: 1, state: "waiting" }),
      new Errors.SecretChatClosed({ chatId: 1, reason: { _tag: "ByPeer" } }),
      new Errors.MessageInvalid({ path: ["message"], problem: "too odd" }),
      new Errors.StoreError({ reason: "unavailable", operation: "commit" }),
      new Errors.TransportError({ reason: "closed", detail: "The transport is closed" }),
      new Errors.CryptoError({ operation: "x", reason: "Unavailable", description: "no engine" })
    ]
    for (const error of all) {
      assert.isAbove(error.message.length, 8, error._tag)
      assert.deepStrictEqual(error.sent, [])
      const later = Errors.withSent(error, [outcome])
      assert.strictEqual(later._tag, error._tag)
      assert.strictEqual(later.constructor, error.constructor)
      assert.deepStrictEqual(later.sent, [outcome])
      assert.include(later.message, "1 part was sent before", error._tag)
      const schema = error.constructor as unknown as Schema.Codec<unknown, unknown>
      const json = Schema.encodeUnknownSync(Schema.toCodecJson(schema))(later)
      assert.deepInclude(Schema.decodeUnknownSync(Schema.toCodecJson(schema))(json), {
        _tag: error._tag,
        sent: [outcome]
      })
    }
  })
})
