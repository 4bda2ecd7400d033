import * as Api from "@effect-mtproto/core/Api"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import { Crypto as CryptoTag } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as TestServer from "../src/TestServer.ts"
import * as TestClient from "./support/client.ts"
import { connect } from "./support/wire.ts"

type Server = TestServer.TestServer["Service"]

interface World {
  readonly crypto: Crypto["Service"]
  readonly sql: SqlClient.SqlClient
  /** Starts the server; a second time, stops the first. */
  readonly start: (options?: TestServer.Options) => Effect.Effect<Server, unknown>
  /** Lets a client speak to the server that runs now. */
  readonly reach: (client: TestClient.Client, server: Server) => Effect.Effect<void, never, Scope.Scope>
}

/** A server that is stopped and started on one database. */
const persistent = (name: string, run: (world: World) => Effect.Effect<unknown, unknown, Scope.Scope>): void => {
  it.live(name, () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const crypto = yield* CryptoTag
      let scope: Scope.Closeable | undefined
      const stop = Effect.suspend(() => scope === undefined ? Effect.void : Scope.close(scope, Exit.void))
      yield* Effect.addFinalizer(() => stop)
      yield* run({
        sql,
        crypto,
        start: (options) =>
          Effect.gen(function*() {
            yield* stop
            scope = yield* Scope.make()
            return yield* Scope.provide(TestServer.makeSql(options), scope).pipe(
              Effect.provideService(SqlClient.SqlClient, sql)
            )
          }),
        reach: (client, server) => Effect.map(connect(crypto, server), (wire) => client.moveTo(wire))
      })
    }).pipe(
      Effect.scoped,
      Effect.provide([NodeCrypto.layer, SqliteClient.layer({ filename: ":memory:" })])
    ))
}

const failure = <A>(effect: Effect.Effect<A, TestClient.RpcFailed>) =>
  Effect.map(Effect.flip(effect), (error) => `${error.code} ${error.type}`)

describe("a server that is started again", () => {
  persistent("knows its accounts, their codes and passwords", ({ start }) =>
    Effect.gen(function*() {
      const first = yield* start()
      yield* first.createAccount({ phone: "15550001", firstName: "Ann", username: "ann", password: "secret" })
      yield* first.createAccount({ phone: "15550002", firstName: "bot", botToken: "1:a" })
      const code = yield* first.loginCode("15550001")
      const second = yield* start()
      assert.deepInclude(yield* second.account("15550001"), { firstName: "Ann", username: "ann", id: 1000n })
      assert.isTrue((yield* second.account("15550002")).isBot)
      assert.strictEqual(yield* second.loginCode("15550001"), code)
      assert.strictEqual(
        (yield* Effect.flip(second.createAccount({ phone: "15550003", firstName: "x", username: "ANN" }))).reason,
        "UsernameTaken"
      )
    }))

  persistent("goes on with keys, logins and sessions", ({ crypto, reach, start }) =>
    Effect.gen(function*() {
      const first = yield* start()
      const { client, self } = yield* TestClient.user(crypto, first, "15550001")
      const before = yield* first.devices("15550001")
      const request = Api.encodeRequest(Api.help.getConfig() as Api.AnyRequest)
      const answered = client.number(request)
      client.sendMessage(answered)
      const config = yield* client.answerTo(answered.msgId)
      const second = yield* start()
      yield* reach(client, second)
      const [again] = yield* client.call(Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] }))
      // the access hash too: the secret that they come from is the same
      assert.deepStrictEqual(again, self)
      assert.strictEqual((yield* second.devices("15550001"))[0]!.hash, before[0]!.hash)
      // a message of before is not executed again: its answer is sent again
      client.inbox = []
      client.sendMessage(answered)
      assert.deepStrictEqual(yield* client.answerTo(answered.msgId), config)
      assert.strictEqual(yield* second.callCount("help.getConfig"), 0)
      // and the session is the old one
      assert.isUndefined(client.inbox.find(({ service }) => service?._tag === "new_session_created"))
    }))

  persistent(
    "sends what was not acknowledged, and keeps updates until they are confirmed",
    ({ crypto, reach, start }) =>
      Effect.gen(function*() {
        const first = yield* start()
        const a = yield* TestClient.user(crypto, first, "15550001")
        const b = yield* TestClient.user(crypto, first, "15550002")
        const { users: [user] } = yield* a.client.call(Api.contacts.resolvePhone({ phone: "15550002" }))
        if (user?._tag !== "user") throw new Error("nobody")
        const g = new Uint8Array(256).fill(3)
        const chat = yield* a.client.call(Api.messages.requestEncryption({
          userId: { _tag: "inputUser", userId: user.id, accessHash: user.accessHash! },
          randomId: 77,
          gA: g
        }))
        const requested = yield* b.client.takeUpdate("updateEncryption")
        if (requested.update.chat._tag !== "encryptedChatRequested") throw new Error("not requested")
        const peer = { _tag: "inputEncryptedChat", chatId: 77, accessHash: requested.update.chat.accessHash } as const
        yield* b.client.call(Api.messages.acceptEncryption({ peer, gB: g, keyFingerprint: 5n }))
        b.client.wire.close()
        const own = { ...peer, accessHash: chat._tag === "encryptedChatWaiting" ? chat.accessHash : 0n }
        const send = (text: number) =>
          a.client.call(
            Api.messages.sendEncrypted({ peer: own, randomId: BigInt(text), data: new Uint8Array(32).fill(text) })
          )
        yield* send(1)
        yield* send(2)
        yield* first.sendMessage("15550001", "15550002", "an ordinary one")

        const second = yield* start()
        assert.deepInclude((yield* second.secretChats)[0]!, { id: 77, state: "accepted", initiator: "15550001" })
        assert.strictEqual((yield* second.devices("15550002"))[0]!.unconfirmedMessages, 2)
        yield* reach(b.client, second)
        b.client.send(TestClient.encode.ping(1n))
        assert.strictEqual((yield* b.client.takeUpdate("updateNewEncryptedMessage")).update.qts, 2)
        assert.deepInclude((yield* b.client.takeUpdate("updateNewMessage")).update.message, {
          message: "an ordinary one"
        })
        const found = yield* b.client.call(Api.updates.getDifference({ pts: 1, qts: 2, date: b.state.date }))
        if (found._tag !== "updates.difference") throw new Error(found._tag)
        assert.deepStrictEqual(found.newEncryptedMessages.map(({ randomId }) => randomId), [2n])
        assert.deepStrictEqual(found.newMessages.map((message) => "message" in message ? message.message : ""), [
          "an ordinary one"
        ])
        // the chat goes on
        yield* reach(a.client, second)
        yield* send(3)
        assert.strictEqual((yield* b.client.takeUpdate("updateNewEncryptedMessage")).update.qts, 3)

        const third = yield* start()
        assert.strictEqual((yield* third.devices("15550002"))[0]!.qts, 4)
        assert.strictEqual((yield* third.messages("15550002")).length, 1)
      })
  )

  persistent("has its files", ({ crypto, reach, start }) =>
    Effect.gen(function*() {
      const first = yield* start()
      const { client } = yield* TestClient.user(crypto, first, "15550001")
      const bytes = crypto.randomBytes(5000)
      yield* client.call(Api.upload.saveFilePart({ fileId: 4n, filePart: 0, bytes }))
      const sent = yield* client.call(Api.messages.sendMedia({
        peer: { _tag: "inputPeerSelf" },
        message: "kept",
        randomId: 6n,
        media: {
          _tag: "inputMediaUploadedDocument",
          file: { _tag: "inputFile", id: 4n, parts: 1, name: "a", md5Checksum: "" },
          mimeType: "text/plain",
          attributes: [{ _tag: "documentAttributeFilename", fileName: "a" }]
        }
      }))
      const update = sent._tag === "updates" ? sent.updates.find(({ _tag }) => _tag === "updateNewMessage") : undefined
      const message = update?._tag === "updateNewMessage" ? update.message : undefined
      const media = message?._tag === "message" ? message.media : undefined
      const document = media?._tag === "messageMediaDocument" ? media.document : undefined
      if (document?._tag !== "document") throw new Error("no document")
      const second = yield* start()
      yield* reach(client, second)
      const file = yield* client.call(Api.upload.getFile({
        location: { ...document, _tag: "inputDocumentFileLocation", thumbSize: "" },
        offset: 0n,
        limit: 8192
      }))
      assert.deepStrictEqual(file._tag === "upload.file" ? file.bytes.slice() : undefined, bytes)
      assert.deepStrictEqual((yield* second.messages("15550001"))[0]!.file, bytes)
    }))

  persistent(
    "knows logins of other data centres, temporary keys, and who waits for a password",
    ({ crypto, reach, start }) =>
      Effect.gen(function*() {
        const options = { otherDcs: [4] }
        const first = yield* start(options)
        const { client } = yield* TestClient.user(crypto, first, "15550001")
        const there = yield* TestClient.open(crypto, first, { dc: 4 })
        const { bytes, id } = yield* client.call(Api.auth.exportAuthorization({ dcId: 4 }))
        yield* there.call(Api.auth.importAuthorization({ id, bytes }))
        const locked = yield* TestClient.open(crypto, first)
        yield* first.createAccount({ phone: "15550002", firstName: "Bob", password: "secret" })
        yield* Effect.flip(TestClient.logIn(first, locked, "15550002"))
        const second = yield* start(options)
        yield* reach(there, { ...second, ...second.datacenters[1]! })
        assert.strictEqual(
          yield* failure(there.call(Api.upload.getFile({
            location: { _tag: "inputEncryptedFileLocation", id: 1n, accessHash: 1n },
            offset: 0n,
            limit: 4096
          }))),
          "400 LOCATION_INVALID"
        )
        yield* reach(locked, second)
        assert.isTrue((yield* locked.call(Api.account.getPassword())).hasPassword)
      })
  )

  persistent(
    "writes what has changed, and takes away what is gone",
    ({ crypto, sql, start }) =>
      Effect.gen(function*() {
        const names = Effect.map(
          sql<{ readonly name: string }>`SELECT name FROM mtproto_test_server ORDER BY name`,
          (rows) => rows.map(({ name }) => name.split("/")[0]!)
        )
        const server = yield* start()
        yield* server.save
        assert.deepStrictEqual(yield* names, [])
        const { client } = yield* TestClient.user(crypto, server, "15550001")
        yield* server.save
        assert.deepStrictEqual(yield* names, ["account", "code", "key", "login", "server", "session"])
        yield* client.call(Api.auth.logOut())
        yield* server.save
        assert.deepStrictEqual(yield* names, ["account", "code", "key", "server", "session"])
        yield* server.save
        const [{ changes } = { changes: -1 }] = yield* sql<
          { readonly changes: number }
        >`SELECT total_changes() AS changes`
        yield* server.save
        const [{ changes: after } = { changes: -2 }] = yield* sql<
          { readonly changes: number }
        >`SELECT total_changes() AS changes`
        assert.strictEqual(after, changes)
      })
  )

  persistent("says so if its database is none of its own", ({ sql, start }) =>
    Effect.gen(function*() {
      yield* sql`CREATE TABLE mtproto_test_server (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL)`
      yield* sql`INSERT INTO mtproto_test_server VALUES ('server/', ${new Uint8Array([1, 2, 3])})`
      const error = yield* Effect.flip(start())
      assert.deepInclude(error, { _tag: "TestServerError", reason: "Store" })
    }))
})
