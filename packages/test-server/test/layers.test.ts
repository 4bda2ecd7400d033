import * as Api from "@effect-mtproto/core/Api"
import * as ApiMethods from "@effect-mtproto/core/ApiMethods"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import { isTlError } from "@effect-mtproto/core/TlError"
import * as TlId from "@effect-mtproto/core/TlId"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readInt } from "../src/internal/bytes.ts"
import * as Layers from "../src/internal/layers.ts"
import * as OlderForms from "../src/internal/olderForms.ts"
import * as TestClient from "./support/client.ts"
import { withServer } from "./support/fixture.ts"

const user: Api.User = { _tag: "user", self: true, id: 7n, accessHash: 8n, firstName: "Ann", phone: "15550001" }
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text.replace(/\s/g, ""), "hex"))

describe("older forms", () => {
  it("have the ids that follow from their text", () => {
    for (const line of [...OlderForms.constructors.map((form) => form.line), ...OlderForms.methods]) {
      const stated = /^[\w.]+#([0-9a-f]+)/.exec(line)![1]!
      assert.strictEqual(TlId.compute(line.replace(`#${stated}`, "")) >>> 0, Number.parseInt(stated, 16), line)
    }
  })

  it("belong to constructors and methods that there still are, under another id", () => {
    for (const { line } of OlderForms.constructors) {
      const current = ApiSchema.constructors().get(/^[\w.]+/.exec(line)![0])
      assert.isDefined(current, line)
      assert.notStrictEqual(current!.id, Number.parseInt(/#([0-9a-f]+)/.exec(line)![1]!, 16), line)
    }
    for (const line of OlderForms.methods) {
      const current = ApiSchema.methods().get(/^[\w.]+/.exec(line)![0])
      assert.isDefined(current, line)
      assert.notStrictEqual(current!.id, Number.parseInt(/#([0-9a-f]+)/.exec(line)![1]!, 16), line)
    }
  })

  it("are chosen by the layer", () => {
    const idOf = (layer: number) =>
      (readInt(Layers.encodeResult(layer, Api.users.getUsers, [user]), 8) >>> 0).toString(16)
    assert.strictEqual(idOf(144), "3ff6ecb0")
    assert.strictEqual(idOf(145), "5d99adee")
    assert.strictEqual(idOf(146), "5d99adee")
    assert.strictEqual(idOf(147), "8f97c628")
    assert.strictEqual(idOf(166), "eb602f25")
    assert.strictEqual(idOf(184), "215c4438")
    assert.strictEqual(idOf(190), "83314fca")
    assert.strictEqual(idOf(193), "83314fca")
    assert.strictEqual(idOf(198), "4b46c37e")
    assert.strictEqual(idOf(Api.layer), "31774388")
  })

  it("are written field by field", () => {
    // vector of one user: flags self, access_hash, first_name, phone
    assert.strictEqual(
      hex(Layers.encodeResult(144, Api.users.getUsers, [user])),
      "15c4b51c01000000" + "b0ecf63f" + "13040000" + "0700000000000000" + "0800000000000000" + "03416e6e" +
        "083135353530303031000000"
    )
  })

  it("of today are written as the generated code writes them", () => {
    // a layer with older forms, but an answer that has none
    const state = { _tag: "updates.state", pts: 1, qts: 2, date: 3, seq: 4, unreadCount: 5 } as const
    assert.deepStrictEqual(
      Layers.encodeResult(144, Api.updates.getState, state),
      Layers.encodeResult(Api.layer, Api.updates.getState, state)
    )
    assert.deepStrictEqual(
      Layers.encodeUpdates(198, { _tag: "updateShort", update: { _tag: "updateConfig" }, date: 5 }),
      Layers.encodeUpdates(Api.layer, { _tag: "updateShort", update: { _tag: "updateConfig" }, date: 5 })
    )
  })

  it("fields that they have to have are filled in", () => {
    const nothing = { _tag: "auth.authorization", user } as const
    assert.strictEqual((readInt(Layers.encodeResult(144, Api.auth.signIn, nothing), 0) >>> 0).toString(16), "33fb7bb8")
  })

  it("of requests are read", () => {
    // auth.signIn of layer 144, which had no flags
    const signIn = bytesOf("8115d5bc 083135353530303031000000 0468617368000000 053132333435 0000")
    const method = ApiMethods.byName(Layers.olderMethodOf(readInt(signIn, 0))!)!
    assert.strictEqual(method.tag, "auth.signIn")
    assert.deepStrictEqual(
      { ...Layers.decodeRequest(method, signIn) } as unknown,
      { _tag: "auth.signIn", phoneNumber: "15550001", phoneCodeHash: "hash", phoneCode: "12345" }
    )
    // messages.sendMessage of layer 144: the message replied to was a number
    const send = bytesOf("a4759d0d 01000000 c97ea07d 05000000 02686900 0900000000000000")
    const name = Layers.olderMethodOf(readInt(send, 0))
    assert.strictEqual(name, "messages.sendMessage")
    assert.deepStrictEqual({ ...Layers.decodeRequest(ApiMethods.byName(name!)!, send) } as unknown, {
      _tag: "messages.sendMessage",
      peer: { _tag: "inputPeerSelf" },
      message: "hi",
      randomId: 9n,
      replyTo: { _tag: "inputReplyToMessage", replyToMsgId: 5 }
    })
  })

  it("of parameters are read", () => {
    // auth.sendCode of today with codeSettings of layer 144
    const sendCode = bytesOf("4f2477a6 083135353530303031000000 01000000 0178 0000 c269648a 00000000")
    assert.deepStrictEqual({ ...Layers.decodeRequest(Api.auth.sendCode, sendCode) } as unknown, {
      _tag: "auth.sendCode",
      phoneNumber: "15550001",
      apiId: 1,
      apiHash: "x",
      settings: { _tag: "codeSettings" }
    })
  })

  it("damaged requests fail as others do", () => {
    for (
      const text of ["8115d5bc", "8115d5bc 083135353530303031000000 00000000 00000000 00000000", "a4759d0d ffffffff"]
    ) {
      const body = bytesOf(text)
      const method = ApiMethods.byName(Layers.olderMethodOf(readInt(body, 0))!)!
      try {
        Layers.decodeRequest(method, body)
        assert.fail("it was read")
      } catch (error) {
        assert.isTrue(isTlError(error), String(error))
      }
    }
  })

  withServer("are what a client of such a layer gets", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      const config = yield* client.answerTo(
        client.send(TestClient.initialize(Api.encodeRequest(Api.help.getConfig() as Api.AnyRequest), 144))
      )
      assert.strictEqual((readInt(config, 0) >>> 0).toString(16), "330b4067")
      // the layer is remembered
      const again = yield* client.answerTo(client.send(Api.encodeRequest(Api.help.getConfig() as Api.AnyRequest)))
      assert.deepStrictEqual(again.subarray(16), config.subarray(16))
    }))

  withServer("exist for whatever the server says, in every layer", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, "15550001")
      yield* server.createAccount({ phone: "15550002", firstName: "Bob" })
      yield* server.setPassword("15550001", "secret")
      const self = { _tag: "inputPeerSelf" } as const
      yield* client.call(Api.upload.saveFilePart({ fileId: 1n, filePart: 0, bytes: new Uint8Array(8) }))
      yield* client.call(Api.messages.sendMedia({
        peer: self,
        message: "text",
        randomId: 1n,
        media: {
          _tag: "inputMediaUploadedDocument",
          file: { _tag: "inputFile", id: 1n, parts: 1, name: "", md5Checksum: "" },
          mimeType: "",
          attributes: [{ _tag: "documentAttributeVideo", duration: 1, w: 2, h: 3 }]
        }
      }))
      yield* client.call(Api.messages.sendMessage({
        peer: self,
        message: "reply",
        randomId: 2n,
        replyTo: { _tag: "inputReplyToMessage", replyToMsgId: 1 }
      }))
      const page = { offsetId: 0, offsetDate: 0, addOffset: 0, maxId: 0, minId: 0, hash: 0n }
      const requests = ([
        Api.help.getConfig(),
        Api.help.getAppConfig({ hash: 0 }),
        Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] }),
        Api.users.getFullUser({ id: { _tag: "inputUserSelf" } }),
        Api.contacts.resolvePhone({ phone: "15550002" }),
        Api.contacts.getBlocked({ offset: 0, limit: 1 }),
        Api.account.getPassword(),
        Api.account.getNotifySettings({ peer: { _tag: "inputNotifyUsers" } }),
        Api.account.getReactionsNotifySettings(),
        Api.account.getGlobalPrivacySettings(),
        Api.account.getAutoDownloadSettings(),
        Api.account.getAuthorizations(),
        Api.messages.getHistory({ ...page, peer: self, limit: 10 }),
        Api.messages.getHistory({ ...page, peer: self, limit: 1 }),
        Api.messages.getPeerSettings({ peer: self }),
        Api.messages.getDialogFilters(),
        Api.messages.getDialogs({ ...page, offsetPeer: { _tag: "inputPeerEmpty" }, limit: 10 }),
        Api.updates.getDifference({ pts: 1, qts: 1, date: 1 })
      ] as ReadonlyArray<unknown>).map((request) => Api.encodeRequest(request as Api.AnyRequest).slice())
      for (const layer of [144, 146, 149, 152, 158, 160, 166, 171, 174, 179, 184, 187, 190, 193, 198, Api.layer]) {
        for (const [i, request] of requests.entries()) {
          yield* client.answerTo(client.send(i === 0 ? TestClient.initialize(request, layer) : request))
        }
        const update = { _tag: "updateUserTyping", userId: 1n, action: { _tag: "sendMessageTypingAction" } } as const
        assert.isAbove(Layers.encodeUpdates(layer, { _tag: "updateShort", update, date: 1 }).length, 20)
      }
      const outcomes = new Set((yield* server.calls()).map(({ outcome }) => outcome))
      assert.deepStrictEqual([...outcomes], ["ok"])
    }))
})
