import * as Api from "@effect-mtproto/core/Api"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClient from "./support/client.ts"
import { withServer } from "./support/fixture.ts"

const failure = <A>(effect: Effect.Effect<A, TestClient.RpcFailed>) =>
  Effect.map(Effect.flip(effect), (error) => `${error.code} ${error.type}`)

/** Two people who know each other. */
const pair = Effect.fnUntraced(function*(
  crypto: Parameters<typeof TestClient.user>[0],
  server: Parameters<typeof TestClient.user>[1]
) {
  const a = yield* TestClient.user(crypto, server, "15550001")
  const b = yield* TestClient.user(crypto, server, "15550002")
  const peer = (from: TestClient.Client, phone: string) =>
    Effect.map(from.call(Api.contacts.resolvePhone({ phone })), ({ users: [user] }) => {
      if (user?._tag !== "user") throw new Error("nobody")
      return { _tag: "inputPeerUser", userId: user.id, accessHash: user.accessHash! } as const
    })
  return { a, b, toB: yield* peer(a.client, "15550002"), toA: yield* peer(b.client, "15550001") }
})

const textOf = (message: Api.Message) => message._tag === "message" ? message.message : message._tag
const history = (client: TestClient.Client, peer: Api.InputPeer, more: object = {}) =>
  Effect.map(
    client.call(Api.messages.getHistory({
      peer,
      offsetId: 0,
      offsetDate: 0,
      addOffset: 0,
      limit: 100,
      maxId: 0,
      minId: 0,
      hash: 0n,
      ...more
    })),
    (found) => "messages" in found ? found.messages : []
  )

describe("ordinary messages", () => {
  withServer("reach the other account, and the sender's other devices", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { a, b, toB } = yield* pair(crypto, server)
      const other = yield* TestClient.user(crypto, server, "15550001")
      const sent = yield* a.client.call(
        Api.messages.sendMessage({ peer: toB, message: "hello", randomId: 5n, silent: true })
      )
      assert.deepStrictEqual(sent._tag === "updates" ? sent.updates.map((update) => update._tag) : [], [
        "updateMessageID",
        "updateNewMessage"
      ])
      const { update } = yield* b.client.takeUpdate("updateNewMessage")
      assert.deepInclude(update, { pts: 2, ptsCount: 1 })
      assert.deepInclude(update.message, { id: 1, message: "hello", peerId: { _tag: "peerUser", userId: a.self.id } })
      assert.notProperty(update.message, "out")
      const own = yield* other.client.takeUpdate("updateNewMessage")
      assert.deepInclude(own.update.message, { out: true, message: "hello", silent: true })
      assert.strictEqual((yield* a.client.call(Api.updates.getState())).pts, 2)
      // the session that sent it has heard of it by its answer
      assert.isUndefined(a.client.inbox.find((message) => message.updates !== undefined))
      const again = a.client.call(Api.messages.sendMessage({ peer: toB, message: "hello", randomId: 5n }))
      assert.strictEqual(yield* failure(again), "500 RANDOM_ID_DUPLICATE")
    }))

  withServer("come in another order if the server is told so", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, "15550001")
      yield* server.createAccount({ phone: "15550002", firstName: "Bob" })
      yield* server.faults.reorder("15550001")
      for (const text of ["one", "two", "three"]) yield* server.sendMessage("15550002", "15550001", text)
      const texts: Array<string> = []
      for (let i = 0; i < 3; i++) {
        const { update } = yield* client.takeUpdate("updateNewMessage")
        texts.push(`${update.pts} ${textOf(update.message)}`)
      }
      assert.deepStrictEqual(texts, ["3 two", "2 one", "4 three"])
      // it waits for any message, not for an update only
      yield* server.faults.reorder("15550001", 2)
      yield* server.sendMessage("15550002", "15550001", "four")
      yield* client.call(Api.updates.getState())
      assert.strictEqual((yield* client.takeUpdate("updateNewMessage")).update.pts, 5)
    }))

  withServer("are sent and read by the user of the server", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, "15550001")
      yield* server.createAccount({ phone: "15550002", firstName: "Bob" })
      yield* server.sendMessage("15550002", "15550001", "from nowhere")
      const { update } = yield* client.takeUpdate("updateNewMessage")
      assert.deepInclude(update.message, { message: "from nowhere" })
      assert.deepInclude((yield* server.messages("15550002"))[0]!, {
        id: 1,
        from: "15550002",
        with: "15550001",
        text: "from nowhere"
      })
      assert.strictEqual((yield* Effect.flip(server.sendMessage("11111", "15550001", "x"))).reason, "UnknownAccount")
    }))

  withServer("are told to a device that was away, in slices", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { a, b, toB } = yield* pair(crypto, server)
      for (let i = 0; i < 5; i++) {
        yield* a.client.call(Api.messages.sendMessage({ peer: toB, message: `${i}`, randomId: BigInt(i + 1) }))
      }
      yield* server.faults.differenceLimit(2)
      const texts: Array<string> = []
      let pts = b.state.pts
      for (;;) {
        const found = yield* b.client.call(
          Api.updates.getDifference({ pts, qts: b.state.qts, date: b.state.date })
        )
        if (found._tag !== "updates.differenceSlice" && found._tag !== "updates.difference") throw new Error(found._tag)
        texts.push(...found.newMessages.map(textOf))
        pts = found._tag === "updates.difference" ? found.state.pts : found.intermediateState.pts
        if (found._tag === "updates.difference") break
      }
      assert.deepStrictEqual(texts, ["0", "1", "2", "3", "4"])
      const nothing = yield* b.client.call(Api.updates.getDifference({ pts, qts: b.state.qts, date: b.state.date }))
      assert.strictEqual(nothing._tag, "updates.differenceEmpty")
    }))

  withServer("stand in histories and dialogs, are read and deleted", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { a, b, toA, toB } = yield* pair(crypto, server)
      for (const text of ["one", "two", "three"]) {
        yield* a.client.call(
          Api.messages.sendMessage({
            peer: toB,
            message: text,
            randomId: BigInt(text.length + 7) ** 3n + BigInt(text.charCodeAt(1))
          })
        )
      }
      yield* b.client.call(
        Api.messages.sendMessage({
          peer: toA,
          message: "four",
          randomId: 99n,
          replyTo: { _tag: "inputReplyToMessage", replyToMsgId: 2 }
        })
      )
      assert.deepStrictEqual((yield* history(a.client, toB)).map(textOf), ["four", "three", "two", "one"])
      assert.deepStrictEqual((yield* history(a.client, toB, { offsetId: 4, limit: 2 })).map(textOf), ["three", "two"])
      const [reply] = yield* history(a.client, toB, { limit: 1 })
      assert.deepInclude(reply, { replyTo: { _tag: "messageReplyHeader", replyToMsgId: 2 } })
      const dialogs = yield* b.client.call(
        Api.messages.getDialogs({
          offsetDate: 0,
          offsetId: 0,
          offsetPeer: { _tag: "inputPeerEmpty" },
          limit: 10,
          hash: 0n
        })
      )
      assert.deepInclude("dialogs" in dialogs ? dialogs.dialogs[0] : {}, { topMessage: 4, unreadCount: 3 })
      const read = yield* b.client.call(Api.messages.readHistory({ peer: toA, maxId: 0 }))
      assert.strictEqual(read.ptsCount, 1)
      const { update } = yield* a.client.takeUpdate("updateReadHistoryOutbox")
      assert.deepInclude(update, { maxId: 3 })
      const gone = yield* b.client.call(Api.messages.deleteMessages({ id: [1, 2, 77], revoke: true }))
      assert.strictEqual(gone.ptsCount, 2)
      assert.deepInclude((yield* a.client.takeUpdate("updateDeleteMessages")).update, { messages: [1, 2], ptsCount: 2 })
      assert.deepStrictEqual((yield* history(a.client, toB)).map(textOf), ["four", "three"])
    }))

  withServer(
    "carry documents, which the other account can fetch and nobody else",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { a, b, toB } = yield* pair(crypto, server)
        const bytes = new Uint8Array(3000).fill(7)
        yield* a.client.call(Api.upload.saveFilePart({ fileId: 4n, filePart: 0, bytes }))
        yield* a.client.call(Api.messages.sendMedia({
          peer: toB,
          message: "look",
          randomId: 6n,
          media: {
            _tag: "inputMediaUploadedDocument",
            file: { _tag: "inputFile", id: 4n, parts: 1, name: "a.bin", md5Checksum: "" },
            mimeType: "application/x-test",
            attributes: [{ _tag: "documentAttributeFilename", fileName: "a.bin" }]
          }
        }))
        const { update } = yield* b.client.takeUpdate("updateNewMessage")
        const media = update.message._tag === "message" ? update.message.media : undefined
        const document = media?._tag === "messageMediaDocument" ? media.document : undefined
        if (document?._tag !== "document") throw new Error("no document")
        assert.deepInclude(document, { mimeType: "application/x-test", size: 3000n, dcId: server.dcId })
        const get = (client: TestClient.Client, more: object = {}) =>
          client.call(Api.upload.getFile({
            location: {
              _tag: "inputDocumentFileLocation",
              id: document.id,
              accessHash: document.accessHash,
              fileReference: document.fileReference,
              thumbSize: "",
              ...more
            },
            offset: 0n,
            limit: 4096
          }))
        const file = yield* get(b.client)
        assert.deepStrictEqual(file._tag === "upload.file" ? file.bytes.slice() : undefined, bytes)
        assert.strictEqual(
          yield* failure(get(b.client, { fileReference: new Uint8Array(16) })),
          "400 FILE_REFERENCE_EXPIRED"
        )
        assert.strictEqual(
          yield* failure(get(b.client, { fileReference: new Uint8Array(0) })),
          "400 FILE_REFERENCE_EMPTY"
        )
        assert.strictEqual(yield* failure(get(b.client, { accessHash: 5n })), "400 LOCATION_INVALID")
        const c = yield* TestClient.user(crypto, server, "15550003")
        assert.strictEqual(yield* failure(get(c.client)), "400 LOCATION_INVALID")
      })
  )

  withServer(
    "are refused when they are nothing, too much, or to nobody",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { a, b, toA, toB } = yield* pair(crypto, server)
        const send = (more: object) =>
          failure(a.client.call(Api.messages.sendMessage({ peer: toB, message: "x", randomId: 1n, ...more })))
        assert.strictEqual(yield* send({ message: "" }), "400 MESSAGE_EMPTY")
        assert.strictEqual(yield* send({ message: "x".repeat(4097) }), "400 MESSAGE_TOO_LONG")
        assert.strictEqual(
          yield* send({ peer: { _tag: "inputPeerUser", userId: toB.userId, accessHash: 1n } }),
          "400 PEER_ID_INVALID"
        )
        assert.strictEqual(yield* send({ peer: { _tag: "inputPeerChat", chatId: 1n } }), "400 PEER_ID_INVALID")
        const url = "x".repeat(20_000)
        assert.strictEqual(
          yield* send({ entities: [{ _tag: "messageEntityTextUrl", offset: 0, length: 1, url }] }),
          "400 ENTITIES_TOO_LONG"
        )
        yield* b.client.call(Api.contacts.block({ id: toA }))
        assert.strictEqual(yield* send({}), "400 YOU_BLOCKED_USER")
      })
  )

  withServer(
    "of long ago are forgotten, and a device that missed them is told so",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const a = yield* TestClient.user(crypto, server, "15550001")
        const peer = { _tag: "inputPeerSelf" } as const
        for (let i = 0; i < 12; i++) {
          yield* a.client.call(Api.messages.sendMessage({ peer, message: `${i}`, randomId: BigInt(i + 1) }))
        }
        assert.strictEqual((yield* history(a.client, peer)).length, 4)
        const found = yield* a.client.call(Api.updates.getDifference({ pts: 1, qts: 1, date: 1 }))
        assert.deepStrictEqual({ ...found }, { _tag: "updates.differenceTooLong", pts: 13 })
      }),
    { limits: { mail: 4 } }
  )
})
