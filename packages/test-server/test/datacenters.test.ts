import * as Api from "@effect-mtproto/core/Api"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as TestServer from "../src/TestServer.ts"
import * as TestClient from "./support/client.ts"
import { withServer } from "./support/fixture.ts"
import { connect } from "./support/wire.ts"

const PHONE = "15550004"
const options: TestServer.Options = { dcId: 2, otherDcs: [4, 2, 4] }
const failure = <A>(effect: Effect.Effect<A, TestClient.RpcFailed>) =>
  Effect.map(Effect.flip(effect), (error) => `${error.code} ${error.type}`)
const sendCode = (client: TestClient.Client) =>
  client.call(Api.auth.sendCode({ phoneNumber: PHONE, apiId: 1, apiHash: "hash", settings: { _tag: "codeSettings" } }))

describe("several data centres", () => {
  withServer("are in the configuration of each", ({ crypto, server }) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(server.datacenters.map(({ id }) => id), [2, 4])
      for (const dc of [2, 4]) {
        const client = yield* TestClient.open(crypto, server, { dc })
        const config = yield* client.call(Api.help.getConfig())
        assert.strictEqual(config.thisDc, dc)
        assert.deepStrictEqual(
          config.dcOptions.map(({ id, port }) => ({ id, port })),
          server.datacenters.map(({ id, port }) => ({ id, port }))
        )
        assert.strictEqual((yield* client.call(Api.help.getNearestDc())).thisDc, dc)
      }
    }), options)

  withServer("an address of IPv6 says so", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      const [option] = (yield* client.call(Api.help.getConfig())).dcOptions
      assert.deepInclude(option, { ipAddress: "::1", ipv6: true })
    }), { host: "::1" })

  withServer(
    "a server that listens on all addresses names one that can be reached",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        assert.strictEqual(server.host, "127.0.0.1")
        const client = yield* TestClient.open(crypto, server)
        const [option] = (yield* client.call(Api.help.getConfig())).dcOptions
        assert.deepInclude(option, { ipAddress: "127.0.0.1", port: server.port })
      }),
    { host: "0.0.0.0" }
  )

  withServer("send an account to where it lives", ({ crypto, server }) =>
    Effect.gen(function*() {
      yield* server.createAccount({ phone: PHONE, firstName: "Dan", dc: 4 })
      yield* server.createAccount({ phone: "15550009", firstName: "bot", botToken: "1:a", dc: 4 })
      assert.strictEqual(
        (yield* Effect.flip(server.createAccount({ phone: "15550008", firstName: "x", dc: 5 }))).reason,
        "UnknownDc"
      )
      const here = yield* TestClient.open(crypto, server)
      assert.strictEqual(yield* failure(sendCode(here)), "303 PHONE_MIGRATE_4")
      const bot = here.call(Api.auth.importBotAuthorization({ flags: 0, apiId: 1, apiHash: "h", botAuthToken: "1:a" }))
      assert.strictEqual(yield* failure(bot), "303 USER_MIGRATE_4")
      const there = yield* TestClient.open(crypto, server, { dc: 4 })
      assert.strictEqual((yield* TestClient.logIn(server, there, PHONE)).phone, PHONE)
    }), options)

  withServer("do not know each other's keys", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server, { dc: 4 })
      const [main] = server.datacenters
      client.moveTo(yield* connect(crypto, main!))
      client.send(client.encode(Api.help.getConfig() as Api.AnyRequest))
      const { code } = yield* client.takeEvent("TransportError")
      assert.strictEqual(code, -404)
    }), options)

  withServer("take a login over, for files", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, PHONE)
      const there = yield* TestClient.open(crypto, server, { dc: 4 })
      assert.strictEqual(yield* failure(there.call(Api.updates.getState())), "401 AUTH_KEY_UNREGISTERED")
      assert.strictEqual(yield* failure(client.call(Api.auth.exportAuthorization({ dcId: 3 }))), "400 DC_ID_INVALID")
      const exported = yield* client.call(Api.auth.exportAuthorization({ dcId: 4 }))
      const wrong = there.call(Api.auth.importAuthorization({ id: exported.id, bytes: new Uint8Array(128) }))
      assert.strictEqual(yield* failure(wrong), "400 AUTH_BYTES_INVALID")
      const { bytes, id } = exported
      yield* there.call(Api.auth.importAuthorization({ id, bytes }))
      // once
      assert.strictEqual(
        yield* failure(there.call(Api.auth.importAuthorization({ id, bytes }))),
        "400 AUTH_BYTES_INVALID"
      )
      assert.strictEqual((yield* server.devices(PHONE)).length, 1)
      // what is uploaded there is there
      const peer = { _tag: "inputPeerSelf" } as const
      yield* there.call(Api.upload.saveFilePart({ fileId: 4n, filePart: 0, bytes: new Uint8Array(8) }))
      const sent = yield* there.call(Api.messages.sendMedia({
        peer,
        message: "",
        randomId: 6n,
        media: {
          _tag: "inputMediaUploadedDocument",
          file: { _tag: "inputFile", id: 4n, parts: 1, name: "a", md5Checksum: "" },
          mimeType: "",
          attributes: []
        }
      }))
      const update = sent._tag === "updates" ? sent.updates.find(({ _tag }) => _tag === "updateNewMessage") : undefined
      const message = update?._tag === "updateNewMessage" ? update.message : undefined
      const media = message?._tag === "message" ? message.media : undefined
      const document = media?._tag === "messageMediaDocument" ? media.document : undefined
      if (document?._tag !== "document") throw new Error("no document")
      assert.strictEqual(document.dcId, 4)
      const get = (from: TestClient.Client) =>
        from.call(Api.upload.getFile({
          location: { ...document, _tag: "inputDocumentFileLocation", thumbSize: "" },
          offset: 0n,
          limit: 4096
        }))
      assert.strictEqual(yield* failure(get(client)), "303 FILE_MIGRATE_4")
      assert.strictEqual((yield* get(there))._tag, "upload.file")
      // updates go to the device's own key only, and the login ends everywhere
      yield* client.takeUpdate("updateNewMessage")
      assert.isUndefined(there.inbox.find(({ updates }) => updates !== undefined))
      yield* client.call(Api.auth.logOut())
      assert.strictEqual(yield* failure(get(there)), "401 AUTH_KEY_UNREGISTERED")
    }), options)

  withServer(
    "send a device whose code was accepted to where the account lives",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        yield* server.createAccount({ phone: PHONE, firstName: "Dan", dc: 4 })
        const old = yield* TestClient.open(crypto, server, { dc: 4 })
        yield* TestClient.logIn(server, old, PHONE)
        const device = yield* TestClient.open(crypto, server)
        const ask = Api.auth.exportLoginToken({ apiId: 1, apiHash: "h", exceptIds: [] })
        const shown = yield* device.call(ask)
        if (shown._tag !== "auth.loginToken") throw new Error(shown._tag)
        const { token } = shown
        yield* old.call(Api.auth.acceptLoginToken({ token }))
        const migrate = yield* device.call(ask)
        assert.deepStrictEqual({ ...migrate }, { _tag: "auth.loginTokenMigrateTo", dcId: 4, token })
        const there = yield* TestClient.open(crypto, server, { dc: 4 })
        assert.strictEqual((yield* there.call(Api.auth.importLoginToken({ token })))._tag, "auth.loginTokenSuccess")
        assert.strictEqual((yield* server.devices(PHONE)).length, 2)
      }),
    options
  )
})
