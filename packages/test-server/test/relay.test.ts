import * as Api from "@effect-mtproto/core/Api"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Client } from "./support/client.ts"
import * as TestClient from "./support/client.ts"
import { type Fixture, withServer } from "./support/fixture.ts"

const G_A = new Uint8Array(256).fill(0x11)
const G_B = new Uint8Array(256).fill(0x22)
const PRIME = DiffieHellman.wellKnownPrime()

const ALICE = "+15550001"
const BOB = "+15550002"
const EVE = "+15550003"

const failure = <A>(effect: Effect.Effect<A, TestClient.RpcFailed>) =>
  Effect.map(Effect.flip(effect), (error) => `${error.code} ${error.type}`)

/** Another device of an account. */
const device = ({ crypto, server }: Fixture, phone: string) =>
  Effect.map(TestClient.user(crypto, server, phone), ({ client }) => client)

const inputUser = (client: Client, phone: string) =>
  Effect.gen(function*() {
    const resolved = yield* client.call(Api.contacts.resolvePhone({ phone }))
    const [user] = resolved.users
    if (user?._tag !== "user") throw new Error("no user")
    return { _tag: "inputUser", userId: user.id, accessHash: user.accessHash! } as const
  })

const request = (client: Client, phone: string, randomId: number, gA = G_A) =>
  Effect.flatMap(
    inputUser(client, phone),
    (userId) => client.call(Api.messages.requestEncryption({ userId, randomId, gA }))
  )

const chatOf = (client: Client) => Effect.map(client.takeUpdate("updateEncryption"), ({ update }) => update.chat)

const requested = (client: Client) =>
  Effect.map(chatOf(client), (chat) => {
    if (chat._tag !== "encryptedChatRequested") throw new Error(chat._tag)
    return chat
  })

const peerOf = (chat: { readonly id: number; readonly accessHash: bigint }): Api.InputEncryptedChat => ({
  _tag: "inputEncryptedChat",
  chatId: chat.id,
  accessHash: chat.accessHash
})

const accept = (client: Client, chat: { readonly id: number; readonly accessHash: bigint }, gB = G_B) =>
  client.call(Api.messages.acceptEncryption({ peer: peerOf(chat), gB, keyFingerprint: 77n }))

const DATA = new Uint8Array(56).fill(9)

const send = (client: Client, peer: Api.InputEncryptedChat, randomId: bigint, data = DATA) =>
  client.call(Api.messages.sendEncrypted({ peer, randomId, data }))

const difference = (client: Client, state: { readonly qts: number; readonly date: number }) =>
  client.call(Api.updates.getDifference({ pts: 1, ...state }))

/** Alice and Bob with a chat between them. */
const chat = (fixture: Fixture) =>
  Effect.gen(function*() {
    const alice = yield* device(fixture, ALICE)
    const bob = yield* device(fixture, BOB)
    const waiting = yield* request(alice, BOB, 555)
    const offered = yield* requested(bob)
    const accepted = yield* accept(bob, offered)
    if (waiting._tag !== "encryptedChatWaiting" || accepted._tag !== "encryptedChat") throw new Error("no chat")
    yield* chatOf(alice)
    return { alice, bob, alicePeer: peerOf(waiting), bobPeer: peerOf(accepted) }
  })

describe("secret chats", () => {
  withServer("getDhConfig", (fixture) =>
    Effect.gen(function*() {
      const alice = yield* device(fixture, ALICE)
      const config = yield* alice.call(Api.messages.getDhConfig({ version: 0, randomLength: 256 }))
      if (config._tag !== "messages.dhConfig") throw new Error(config._tag)
      assert.deepStrictEqual([config.g, config.p, config.random.length], [3, PRIME, 256])
      const same = yield* alice.call(Api.messages.getDhConfig({ version: config.version, randomLength: 0 }))
      assert.deepStrictEqual(same, { _tag: "messages.dhConfigNotModified", random: new Uint8Array(0) })
      for (const randomLength of [-1, 1025]) {
        assert.strictEqual(
          yield* failure(alice.call(Api.messages.getDhConfig({ version: 0, randomLength }))),
          "400 RANDOM_LENGTH_INVALID"
        )
      }
    }))

  describe("request", () => {
    withServer("a device is asked from the call on that has logged it in", (fixture) =>
      Effect.gen(function*() {
        const alice = yield* device(fixture, ALICE)
        const bob = yield* TestClient.open(fixture.crypto, fixture.server)
        yield* TestClient.logIn(fixture.server, bob, BOB)
        yield* request(alice, BOB, 5)
        assert.strictEqual((yield* requested(bob)).id, 5)
      }))

    withServer(
      "the chat has the number that was drawn, and every device of the other is asked",
      (fixture) =>
        Effect.gen(function*() {
          const alice = yield* device(fixture, ALICE)
          const phone = yield* device(fixture, BOB)
          const tablet = yield* device(fixture, BOB)
          const waiting = yield* request(alice, BOB, -12_345)
          const offers = [yield* requested(phone), yield* requested(tablet)]
          assert.strictEqual(waiting._tag, "encryptedChatWaiting")
          for (const offer of offers) {
            assert.strictEqual(offer.id, -12_345)
            assert.deepStrictEqual(offer.gA, G_A)
            assert.notStrictEqual(offer.accessHash, "accessHash" in waiting ? waiting.accessHash : 0n)
          }
          assert.strictEqual(offers[0]!.accessHash, offers[1]!.accessHash)
        })
    )
    withServer("the update brings the users that it speaks of", (fixture) =>
      Effect.gen(function*() {
        const alice = yield* device(fixture, ALICE)
        const bob = yield* device(fixture, BOB)
        yield* request(alice, BOB, 1)
        const { message } = yield* bob.takeUpdate("updateEncryption")
        const users = message.updates?._tag === "updates" ? message.updates.users : []
        assert.deepStrictEqual(
          users.map((user) => user._tag === "user" ? [user.firstName, user.self ?? false] : []).toSorted(),
          [[`user ${ALICE}`, false], [`user ${BOB}`, true]]
        )
      }))
    withServer(
      "asked again with the same number: the same chat; another request with it: RANDOM_ID_DUPLICATE",
      (fixture) =>
        Effect.gen(function*() {
          const alice = yield* device(fixture, ALICE)
          yield* device(fixture, BOB)
          const eve = yield* device(fixture, EVE)
          const first = yield* request(alice, BOB, 5)
          assert.deepStrictEqual(yield* request(alice, BOB, 5), first)
          assert.strictEqual(yield* failure(request(alice, BOB, 5, G_B)), "400 RANDOM_ID_DUPLICATE")
          assert.strictEqual(yield* failure(request(alice, EVE, 5)), "400 RANDOM_ID_DUPLICATE")
          assert.strictEqual(yield* failure(request(eve, BOB, 5)), "400 RANDOM_ID_DUPLICATE")
          assert.strictEqual((yield* fixture.server.secretChats).length, 1)
        })
    )
    withServer("nobody there to ask: the chat is closed from the start", (fixture) =>
      Effect.gen(function*() {
        yield* fixture.server.createAccount({ phone: BOB, firstName: "Bob" })
        const alice = yield* device(fixture, ALICE)
        assert.deepStrictEqual(yield* request(alice, BOB, 5), { _tag: "encryptedChatDiscarded", id: 5 })
      }))
    withServer("devices that take no requests are not asked", (fixture) =>
      Effect.gen(function*() {
        const alice = yield* device(fixture, ALICE)
        const phone = yield* device(fixture, BOB)
        const tablet = yield* device(fixture, BOB)
        yield* tablet.call(
          Api.account.changeAuthorizationSettings({ hash: 0n, encryptedRequestsDisabled: true })
        )
        yield* request(alice, BOB, 5)
        yield* requested(phone)
        const found = yield* difference(tablet, { qts: 1, date: 1 })
        assert.strictEqual(found._tag, "updates.differenceEmpty")
        yield* phone.call(Api.account.changeAuthorizationSettings({ hash: 0n, encryptedRequestsDisabled: true }))
        assert.strictEqual((yield* request(alice, BOB, 6))._tag, "encryptedChatDiscarded")
      }))
    withServer("what cannot be asked", (fixture) =>
      Effect.gen(function*() {
        const { server } = fixture
        const alice = yield* device(fixture, ALICE)
        const bob = yield* device(fixture, BOB)
        yield* server.createAccount({ phone: EVE, firstName: "Bot", botToken: "1:token" })
        const userId = yield* inputUser(alice, BOB)
        const ask = (user: Api.InputUser, gA: Uint8Array = G_A) =>
          failure(alice.call(Api.messages.requestEncryption({ userId: user, randomId: 9, gA })))
        assert.strictEqual(yield* ask({ ...userId, accessHash: userId.accessHash ^ 1n }), "400 USER_ID_INVALID")
        assert.strictEqual(yield* ask({ ...userId, userId: 4n }), "400 USER_ID_INVALID")
        assert.strictEqual(yield* ask({ _tag: "inputUserSelf" }), "400 USER_ID_INVALID")
        assert.strictEqual(yield* ask({ _tag: "inputUserEmpty" }), "400 USER_ID_INVALID")
        assert.strictEqual(yield* ask(yield* inputUser(alice, EVE)), "400 USER_ID_INVALID")
        for (
          const gA of [
            Uint8Array.of(1),
            new Uint8Array(0),
            new Uint8Array(256).fill(255),
            new Uint8Array(248).fill(255, 1),
            new Uint8Array(300).fill(1),
            PRIME
          ]
        ) assert.strictEqual(yield* ask(userId, gA), "400 DH_G_A_INVALID")
        const aliceForBob = yield* inputUser(bob, ALICE)
        const block = { id: { ...aliceForBob, _tag: "inputPeerUser" } } as const
        yield* bob.call(Api.contacts.block(block))
        assert.strictEqual(yield* ask(userId), "403 USER_IS_BLOCKED")
        yield* bob.call(Api.contacts.unblock(block))
        yield* server.deleteAccount(BOB)
        assert.strictEqual(yield* ask(userId), "400 INPUT_USER_DEACTIVATED")
      }))
    withServer("access hashes are different for everybody who looks", (fixture) =>
      Effect.gen(function*() {
        const alice = yield* device(fixture, ALICE)
        const eve = yield* device(fixture, EVE)
        yield* device(fixture, BOB)
        const stolen = yield* inputUser(alice, BOB)
        assert.notStrictEqual((yield* inputUser(eve, BOB)).accessHash, stolen.accessHash)
        const answer = yield* failure(
          eve.call(Api.messages.requestEncryption({ userId: stolen, randomId: 1, gA: G_A }))
        )
        assert.strictEqual(answer, "400 USER_ID_INVALID")
      }))
  })

  describe("accept", () => {
    withServer("binds the chat to the first device; each sees what it has to", (fixture) =>
      Effect.gen(function*() {
        const alice = yield* device(fixture, ALICE)
        const phone = yield* device(fixture, BOB)
        const tablet = yield* device(fixture, BOB)
        const waiting = yield* request(alice, BOB, 5)
        const offer = yield* requested(phone)
        yield* requested(tablet)
        const accepted = yield* accept(phone, offer)
        const common = { id: 5, date: offer.date, adminId: offer.adminId, participantId: offer.participantId }
        assert.deepStrictEqual(accepted, {
          _tag: "encryptedChat",
          ...common,
          accessHash: offer.accessHash,
          gAOrB: G_A,
          keyFingerprint: 77n
        })
        assert.deepStrictEqual(yield* chatOf(alice), {
          _tag: "encryptedChat",
          ...common,
          accessHash: "accessHash" in waiting ? waiting.accessHash : 0n,
          gAOrB: G_B,
          keyFingerprint: 77n
        })
        assert.deepStrictEqual(yield* chatOf(tablet), {
          _tag: "encryptedChatDiscarded",
          historyDeleted: true,
          id: 5
        })
        // the second to accept is too late, and so is the first to accept again
        assert.strictEqual(yield* failure(accept(tablet, offer)), "400 ENCRYPTION_ALREADY_ACCEPTED")
        assert.strictEqual(yield* failure(accept(phone, offer)), "400 ENCRYPTION_ALREADY_ACCEPTED")
      }))
    withServer("after a discard: ENCRYPTION_ALREADY_DECLINED", (fixture) =>
      Effect.gen(function*() {
        const alice = yield* device(fixture, ALICE)
        const bob = yield* device(fixture, BOB)
        yield* request(alice, BOB, 5)
        const offer = yield* requested(bob)
        yield* alice.call(Api.messages.discardEncryption({ chatId: 5 }))
        assert.strictEqual(yield* failure(accept(bob, offer)), "400 ENCRYPTION_ALREADY_DECLINED")
      }))
    withServer("only by whom was asked, with a value in range", (fixture) =>
      Effect.gen(function*() {
        const alice = yield* device(fixture, ALICE)
        const bob = yield* device(fixture, BOB)
        const eve = yield* device(fixture, EVE)
        const waiting = yield* request(alice, BOB, 5)
        const offer = yield* requested(bob)
        assert.strictEqual(yield* failure(accept(eve, offer)), "400 CHAT_ID_INVALID")
        assert.strictEqual(yield* failure(accept(alice, offer)), "400 CHAT_ID_INVALID")
        assert.strictEqual(yield* failure(accept(alice, waiting as never)), "400 CHAT_ID_INVALID")
        assert.strictEqual(yield* failure(accept(bob, { ...offer, accessHash: 1n })), "400 CHAT_ID_INVALID")
        assert.strictEqual(yield* failure(accept(bob, { ...offer, id: 6 })), "400 CHAT_ID_INVALID")
        assert.strictEqual(yield* failure(accept(bob, offer, Uint8Array.of(1))), "400 DH_G_A_INVALID")
        assert.strictEqual((yield* accept(bob, offer))._tag, "encryptedChat")
      }))
  })

  describe("discard", () => {
    for (const deleteHistory of [true, undefined]) {
      withServer(
        `both sides see it, ${deleteHistory === true ? "with" : "without"} their history`,
        (fixture) =>
          Effect.gen(function*() {
            const { alice, alicePeer, bob } = yield* chat(fixture)
            yield* alice.call(Api.messages.discardEncryption({ chatId: alicePeer.chatId, deleteHistory }))
            const expected: Api.EncryptedChat = deleteHistory === true
              ? { _tag: "encryptedChatDiscarded", historyDeleted: true, id: alicePeer.chatId }
              : { _tag: "encryptedChatDiscarded", id: alicePeer.chatId }
            assert.deepStrictEqual(yield* chatOf(alice), expected)
            assert.deepStrictEqual(yield* chatOf(bob), expected)
            assert.strictEqual(
              yield* failure(alice.call(Api.messages.discardEncryption({ chatId: alicePeer.chatId }))),
              "400 ENCRYPTION_ALREADY_DECLINED"
            )
          })
      )
    }
    withServer("a request that one device declines is declined for all", (fixture) =>
      Effect.gen(function*() {
        const alice = yield* device(fixture, ALICE)
        const phone = yield* device(fixture, BOB)
        const tablet = yield* device(fixture, BOB)
        yield* request(alice, BOB, 5)
        yield* requested(phone)
        const offer = yield* requested(tablet)
        yield* phone.call(Api.messages.discardEncryption({ chatId: 5 }))
        assert.strictEqual((yield* chatOf(alice))._tag, "encryptedChatDiscarded")
        assert.strictEqual((yield* chatOf(tablet))._tag, "encryptedChatDiscarded")
        assert.strictEqual(yield* failure(accept(tablet, offer)), "400 ENCRYPTION_ALREADY_DECLINED")
      }))
    withServer("by nobody else", (fixture) =>
      Effect.gen(function*() {
        const { alicePeer } = yield* chat(fixture)
        const tablet = yield* device(fixture, BOB)
        const eve = yield* device(fixture, EVE)
        const discard = (client: Client, chatId: number) =>
          failure(client.call(Api.messages.discardEncryption({ chatId })))
        assert.strictEqual(yield* discard(tablet, alicePeer.chatId), "400 ENCRYPTION_ALREADY_ACCEPTED")
        assert.strictEqual(yield* discard(eve, alicePeer.chatId), "400 ENCRYPTION_ID_INVALID")
        assert.strictEqual(yield* discard(eve, 4321), "400 ENCRYPTION_ID_INVALID")
        assert.strictEqual(yield* discard(eve, 0), "400 CHAT_ID_EMPTY")
      }))
  })

  describe("messages", () => {
    withServer(
      "go to the other device with the next qts, and stay until they are confirmed",
      (fixture) =>
        Effect.gen(function*() {
          const { alice, alicePeer, bob, bobPeer } = yield* chat(fixture)
          const sent = yield* send(alice, alicePeer, 11n)
          assert.strictEqual(sent._tag, "messages.sentEncryptedMessage")
          const service = yield* alice.call(
            Api.messages.sendEncryptedService({ peer: alicePeer, randomId: 12n, data: DATA })
          )
          const first = yield* bob.takeUpdate("updateNewEncryptedMessage")
          const second = yield* bob.takeUpdate("updateNewEncryptedMessage")
          assert.deepStrictEqual(first.update, {
            _tag: "updateNewEncryptedMessage",
            qts: 2,
            message: {
              _tag: "encryptedMessage",
              randomId: 11n,
              chatId: alicePeer.chatId,
              date: sent.date,
              bytes: DATA,
              file: { _tag: "encryptedFileEmpty" }
            }
          })
          assert.deepStrictEqual(second.update, {
            _tag: "updateNewEncryptedMessage",
            qts: 3,
            message: {
              _tag: "encryptedMessageService",
              randomId: 12n,
              chatId: alicePeer.chatId,
              date: service.date,
              bytes: DATA
            }
          })
          // the other way, with numbers of its own
          yield* send(bob, bobPeer, 11n)
          assert.strictEqual((yield* alice.takeUpdate("updateNewEncryptedMessage")).update.qts, 2)

          const before = yield* difference(bob, { qts: 1, date: 2_000_000_000 })
          assert.strictEqual("newEncryptedMessages" in before ? before.newEncryptedMessages.length : 0, 2)
          assert.strictEqual("state" in before ? before.state.qts : 0, 3)
          const half = yield* difference(bob, { qts: 2, date: 2_000_000_000 })
          assert.deepStrictEqual(
            "newEncryptedMessages" in half ? half.newEncryptedMessages.map((message) => message.randomId) : [],
            [12n]
          )
          assert.deepStrictEqual(yield* bob.call(Api.messages.receivedQueue({ maxQts: 3 })), [12n])
          assert.deepStrictEqual(yield* bob.call(Api.messages.receivedQueue({ maxQts: 3 })), [])
          const [device] = yield* fixture.server.devices(BOB)
          assert.strictEqual(device?.unconfirmedMessages, 0)
        })
    )
    withServer(
      "receivedQueue with a number that was never given: MAX_QTS_INVALID",
      (fixture) =>
        Effect.gen(function*() {
          const alice = yield* device(fixture, ALICE)
          for (const maxQts of [2, -1]) {
            assert.strictEqual(
              yield* failure(alice.call(Api.messages.receivedQueue({ maxQts }))),
              "400 MAX_QTS_INVALID"
            )
          }
          assert.deepStrictEqual(yield* alice.call(Api.messages.receivedQueue({ maxQts: 1 })), [])
        })
    )
    withServer(
      "with the same random_id are relayed again, as when a peer asks for them again",
      (fixture) =>
        Effect.gen(function*() {
          const { alice, alicePeer, bob } = yield* chat(fixture)
          yield* send(alice, alicePeer, 11n)
          yield* send(alice, alicePeer, 11n)
          const first = yield* bob.takeUpdate("updateNewEncryptedMessage")
          const second = yield* bob.takeUpdate("updateNewEncryptedMessage")
          assert.deepStrictEqual([first.update.qts, second.update.qts], [2, 3])
          assert.deepStrictEqual(second.update.message.bytes, first.update.message.bytes)
          assert.strictEqual(second.update.message.randomId, 11n)
        })
    )
    withServer("only from the two devices that the chat belongs to", (fixture) =>
      Effect.gen(function*() {
        const { alice, alicePeer, bob, bobPeer } = yield* chat(fixture)
        const tablet = yield* device(fixture, BOB)
        const eve = yield* device(fixture, EVE)
        for (
          const attempt of [
            send(tablet, bobPeer, 1n),
            send(tablet, alicePeer, 1n),
            send(eve, alicePeer, 1n),
            send(bob, alicePeer, 1n),
            send(alice, { ...alicePeer, accessHash: 0n }, 1n),
            send(alice, { ...alicePeer, chatId: 1 }, 1n)
          ]
        ) assert.strictEqual(yield* failure(attempt), "400 CHAT_ID_INVALID")
      }))
    withServer("not before the chat is accepted, nor after it ended", (fixture) =>
      Effect.gen(function*() {
        const alice = yield* device(fixture, ALICE)
        const bob = yield* device(fixture, BOB)
        const waiting = yield* request(alice, BOB, 5)
        const peer = peerOf(waiting as never)
        assert.strictEqual(yield* failure(send(alice, peer, 1n)), "400 CHAT_ID_INVALID")
        const offer = yield* requested(bob)
        yield* accept(bob, offer)
        yield* send(alice, peer, 1n)
        yield* bob.call(Api.messages.discardEncryption({ chatId: 5 }))
        assert.strictEqual(yield* failure(send(alice, peer, 2n)), "400 ENCRYPTION_DECLINED")
        assert.strictEqual(yield* failure(send(bob, peerOf(offer), 2n)), "400 ENCRYPTION_DECLINED")
      }))
    withServer("of no length or of too great length are refused", (fixture) =>
      Effect.gen(function*() {
        const { alice, alicePeer } = yield* chat(fixture)
        assert.strictEqual(yield* failure(send(alice, alicePeer, 1n, new Uint8Array(0))), "400 DATA_INVALID")
        assert.strictEqual(
          yield* failure(send(alice, alicePeer, 1n, new Uint8Array(131_073))),
          "400 DATA_TOO_LONG"
        )
        yield* send(alice, alicePeer, 1n, new Uint8Array(131_072))
      }))
    withServer("to somebody who blocked the sender, or is gone, are refused", (fixture) =>
      Effect.gen(function*() {
        const { alice, alicePeer, bob } = yield* chat(fixture)
        const aliceForBob = yield* inputUser(bob, ALICE)
        const block = { id: { ...aliceForBob, _tag: "inputPeerUser" } } as const
        yield* bob.call(Api.contacts.block(block))
        assert.strictEqual(yield* failure(send(alice, alicePeer, 1n)), "403 USER_IS_BLOCKED")
        yield* bob.call(Api.contacts.unblock(block))
        yield* send(alice, alicePeer, 1n)
        yield* fixture.server.deleteAccount(BOB)
        assert.strictEqual(yield* failure(send(alice, alicePeer, 2n)), "403 USER_DELETED")
      }))
    withServer("too many that nobody confirms: the sender waits", (fixture) =>
      Effect.gen(function*() {
        const { alice, alicePeer, bob } = yield* chat(fixture)
        for (let i = 0n; i < 5n; i++) yield* send(alice, alicePeer, i)
        assert.strictEqual(yield* failure(send(alice, alicePeer, 5n)), "420 FLOOD_WAIT_30")
        yield* bob.call(Api.messages.receivedQueue({ maxQts: 2 }))
        yield* send(alice, alicePeer, 5n)
      }), { limits: { queuedMessages: 5 } })
    withServer("come in slices where there are many", (fixture) =>
      Effect.gen(function*() {
        const { alice, alicePeer, bob } = yield* chat(fixture)
        for (let i = 0n; i < 25n; i++) yield* send(alice, alicePeer, i)
        const ids: Array<bigint> = []
        let state = { qts: 1, date: 2_000_000_000 }
        const kinds: Array<string> = []
        for (let round = 0; round < 5; round++) {
          const found = yield* difference(bob, state)
          kinds.push(found._tag)
          if (!("newEncryptedMessages" in found)) break
          ids.push(...found.newEncryptedMessages.map((message) => message.randomId))
          const next = found._tag === "updates.difference" ? found.state : found.intermediateState
          state = { qts: next.qts, date: next.date }
        }
        assert.deepStrictEqual(ids, Array.from({ length: 25 }, (_, i) => BigInt(i)))
        assert.deepStrictEqual(kinds, [
          "updates.differenceSlice",
          "updates.differenceSlice",
          "updates.difference",
          "updates.differenceEmpty"
        ])
      }), { limits: { differenceMessages: 10 } })
  })

  withServer("typing and reading are told to the other side", (fixture) =>
    Effect.gen(function*() {
      const { alice, alicePeer, bob } = yield* chat(fixture)
      yield* alice.call(Api.messages.setEncryptedTyping({ peer: alicePeer, typing: false }))
      yield* alice.call(Api.messages.setEncryptedTyping({ peer: alicePeer, typing: true }))
      const typing = yield* bob.takeUpdate("updateEncryptedChatTyping")
      assert.deepStrictEqual(typing.update, { _tag: "updateEncryptedChatTyping", chatId: alicePeer.chatId })
      yield* alice.call(Api.messages.readEncryptedHistory({ peer: alicePeer, maxDate: 1234 }))
      yield* alice.call(Api.messages.readEncryptedHistory({ peer: alicePeer, maxDate: 1235 }))
      const read = yield* bob.takeUpdate("updateEncryptedMessagesRead")
      assert.deepStrictEqual([read.update.chatId, read.update.maxDate], [alicePeer.chatId, 1234])
      // of read marks only the latest is kept
      const found = yield* difference(bob, { qts: 1, date: 1 })
      const marks = "otherUpdates" in found
        ? found.otherUpdates.filter((update) => update._tag === "updateEncryptedMessagesRead")
        : []
      assert.deepStrictEqual(marks.map((update) => update.maxDate), [1235])
      assert.strictEqual(
        yield* failure(alice.call(Api.messages.readEncryptedHistory({ peer: alicePeer, maxDate: 0 }))),
        "400 MAX_DATE_INVALID"
      )
      assert.strictEqual(
        yield* failure(bob.call(Api.messages.readEncryptedHistory({ peer: alicePeer, maxDate: 5 }))),
        "400 CHAT_ID_INVALID"
      )
      assert.strictEqual(
        yield* failure(bob.call(Api.messages.setEncryptedTyping({ peer: alicePeer, typing: true }))),
        "400 CHAT_ID_INVALID"
      )
      assert.strictEqual(
        yield* failure(bob.call(Api.messages.reportEncryptedSpam({ peer: alicePeer }))),
        "400 CHAT_ID_INVALID"
      )
    }))

  withServer(
    "updates about chats are ordered by seq, and repeated in differences until confirmed",
    (fixture) =>
      Effect.gen(function*() {
        const { server } = fixture
        const alice = yield* device(fixture, ALICE)
        const bob = yield* device(fixture, BOB)
        const state = yield* bob.call(Api.updates.getState())
        yield* request(alice, BOB, 5)
        yield* alice.call(Api.messages.discardEncryption({ chatId: 5 }))
        const seqs: Array<number> = []
        for (let i = 0; i < 2; i++) {
          const { message } = yield* bob.takeUpdate("updateEncryption")
          if (message.updates?._tag === "updates") seqs.push(message.updates.seq)
        }
        assert.deepStrictEqual(seqs, [state.seq + 1, state.seq + 2])
        const chats = (found: Api.updates.Difference) =>
          "otherUpdates" in found
            ? found.otherUpdates.map((update) => update._tag === "updateEncryption" ? update.chat._tag : update._tag)
            : []
        const first = yield* difference(bob, { qts: 1, date: state.date })
        assert.deepStrictEqual(chats(first), ["encryptedChatRequested", "encryptedChatDiscarded"])
        assert.strictEqual("users" in first ? first.users.length : 0, 2)
        const again = yield* difference(bob, { qts: 1, date: state.date })
        assert.deepStrictEqual(chats(again), chats(first))
        const { date, seq } = again._tag === "updates.difference" ? again.state : state
        assert.strictEqual(seq, state.seq + 2)
        const after = yield* difference(bob, { qts: 1, date })
        assert.deepStrictEqual(after, { _tag: "updates.differenceEmpty", date, seq })
        const [device_] = yield* server.devices(BOB)
        assert.strictEqual(device_?.unconfirmedUpdates, 0)
      })
  )

  describe("logging out", () => {
    withServer("closes the chats of the device, and only those", (fixture) =>
      Effect.gen(function*() {
        const { alice, alicePeer, bob } = yield* chat(fixture)
        const tablet = yield* device(fixture, BOB)
        yield* request(alice, BOB, 6)
        const offer = yield* requested(tablet)
        assert.strictEqual((yield* bob.call(Api.auth.logOut()))._tag, "auth.loggedOut")
        assert.deepStrictEqual(yield* chatOf(alice), { _tag: "encryptedChatDiscarded", id: alicePeer.chatId })
        assert.strictEqual(yield* failure(send(alice, alicePeer, 1n)), "400 ENCRYPTION_DECLINED")
        assert.strictEqual((yield* accept(tablet, offer))._tag, "encryptedChat")
        assert.strictEqual(yield* failure(bob.call(Api.updates.getState())), "401 AUTH_KEY_UNREGISTERED")
      }))
    withServer("of the last device that was asked closes the request", (fixture) =>
      Effect.gen(function*() {
        const alice = yield* device(fixture, ALICE)
        yield* device(fixture, BOB)
        yield* request(alice, BOB, 5)
        yield* fixture.server.logOut(BOB)
        assert.strictEqual((yield* chatOf(alice))._tag, "encryptedChatDiscarded")
      }))
    withServer("of the one who asked closes it too", (fixture) =>
      Effect.gen(function*() {
        const alice = yield* device(fixture, ALICE)
        const bob = yield* device(fixture, BOB)
        yield* request(alice, BOB, 5)
        const offer = yield* requested(bob)
        yield* alice.call(Api.auth.logOut())
        assert.strictEqual((yield* chatOf(bob))._tag, "encryptedChatDiscarded")
        assert.strictEqual(yield* failure(accept(bob, offer)), "400 ENCRYPTION_ALREADY_DECLINED")
      }))
  })

  withServer("files go up in parts and down to both sides, and to nobody else", (fixture) =>
    Effect.gen(function*() {
      const { crypto } = fixture
      const { alice, alicePeer, bob } = yield* chat(fixture)
      const eve = yield* device(fixture, EVE)
      const bytes = crypto.randomBytes(5000)
      for (let filePart = 0; filePart < 5; filePart++) {
        yield* alice.call(Api.upload.saveFilePart({
          fileId: 8n,
          filePart,
          bytes: bytes.subarray(filePart * 1024, (filePart + 1) * 1024)
        }))
      }
      const upload = {
        _tag: "inputEncryptedFileUploaded",
        id: 8n,
        parts: 5,
        md5Checksum: Buffer.from(crypto.md5(bytes)).toString("hex"),
        keyFingerprint: 4242
      } as const
      const sent = yield* alice.call(
        Api.messages.sendEncryptedFile({ peer: alicePeer, randomId: 1n, data: DATA, file: upload })
      )
      if (sent._tag !== "messages.sentEncryptedFile" || sent.file._tag !== "encryptedFile") throw new Error(sent._tag)
      assert.deepStrictEqual([sent.file.size, sent.file.dcId, sent.file.keyFingerprint], [5000n, 2, 4242])
      const { update } = yield* bob.takeUpdate("updateNewEncryptedMessage")
      assert.deepStrictEqual(update.message._tag === "encryptedMessage" ? update.message.file : undefined, sent.file)
      // sent again: the same file, though the parts are gone
      const again = yield* alice.call(
        Api.messages.sendEncryptedFile({ peer: alicePeer, randomId: 1n, data: DATA, file: upload })
      )
      assert.deepStrictEqual(again._tag === "messages.sentEncryptedFile" ? again.file : undefined, sent.file)

      const { accessHash, id } = sent.file
      const location = { _tag: "inputEncryptedFileLocation", id, accessHash } as const
      for (const client of [alice, bob]) {
        const parts: Array<Uint8Array> = []
        for (const offset of [0n, 4096n]) {
          const file = yield* client.call(Api.upload.getFile({ location, offset, limit: 4096 }))
          if (file._tag === "upload.file") parts.push(file.bytes)
        }
        assert.deepStrictEqual(new Uint8Array(Buffer.concat(parts)), bytes)
      }
      assert.strictEqual(
        yield* failure(eve.call(Api.upload.getFile({ location, offset: 0n, limit: 4096 }))),
        "400 LOCATION_INVALID"
      )
      // known to the server already
      const forwarded = yield* alice.call(
        Api.messages.sendEncryptedFile({
          peer: alicePeer,
          randomId: 2n,
          data: DATA,
          file: { _tag: "inputEncryptedFile", id, accessHash }
        })
      )
      assert.deepStrictEqual(forwarded._tag === "messages.sentEncryptedFile" ? forwarded.file : undefined, sent.file)
      const refused = (file: Api.InputEncryptedFile) =>
        failure(alice.call(Api.messages.sendEncryptedFile({ peer: alicePeer, randomId: 9n, data: DATA, file })))
      assert.strictEqual(yield* refused({ _tag: "inputEncryptedFileEmpty" }), "400 FILE_EMTPY")
      assert.strictEqual(yield* refused(upload), "400 FILE_PART_0_MISSING")
      assert.strictEqual(
        yield* refused({ _tag: "inputEncryptedFile", id, accessHash: accessHash ^ 1n }),
        "400 FILE_ID_INVALID"
      )
      yield* alice.call(Api.upload.saveFilePart({ fileId: 8n, filePart: 0, bytes: Uint8Array.of(1) }))
      assert.strictEqual(yield* refused({ ...upload, parts: 1 }), "400 MD5_CHECKSUM_INVALID")
      assert.strictEqual((yield* fixture.server.devices(BOB))[0]?.qts, 4)
    }))

  withServer("bots have no secret chats", ({ crypto, server }) =>
    Effect.gen(function*() {
      yield* server.createAccount({ phone: EVE, firstName: "Bot", botToken: "1:token" })
      const bot = yield* TestClient.open(crypto, server)
      const login = yield* bot.call(
        Api.auth.importBotAuthorization({ flags: 0, apiId: 1, apiHash: "hash", botAuthToken: "1:token" })
      )
      assert.isTrue(login._tag === "auth.authorization" && login.user._tag === "user" && login.user.bot === true)
      for (
        const call of [
          bot.call(Api.messages.getDhConfig({ version: 0, randomLength: 0 })),
          bot.call(Api.messages.requestEncryption({ userId: { _tag: "inputUserSelf" }, randomId: 1, gA: G_A })),
          bot.call(Api.messages.sendEncrypted({ peer: peerOf({ id: 1, accessHash: 1n }), randomId: 1n, data: DATA })),
          bot.call(Api.messages.receivedQueue({ maxQts: 1 }))
        ]
      ) assert.strictEqual(yield* failure<unknown>(call), "400 BOT_METHOD_INVALID")
    }))
})
