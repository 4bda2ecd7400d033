import * as Api from "@effect-mtproto/core/Api"
import * as ApiMethods from "@effect-mtproto/core/ApiMethods"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as TlError from "@effect-mtproto/core/TlError"
import * as TlId from "@effect-mtproto/core/TlId"
import { assert, describe, it } from "@effect/vitest"

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const valueOf = (name: string): any =>
  name.split(".").reduce((value: any, key) => value[key], Api as unknown as Record<string, unknown>)

describe("the layer", () => {
  it("is 227", () => {
    assert.strictEqual(Api.layer, 227)
    assert.strictEqual(ApiSchema.constructors().size, 1617)
    assert.strictEqual(ApiSchema.methods().size, 798)
    assert.strictEqual(ApiSchema.types().size, 598)
  })

  it("has ids that are the CRC32 of the canonical lines", () => {
    for (const c of [...ApiSchema.constructors().values(), ...ApiSchema.methods().values()]) {
      assert.strictEqual(c.id, TlId.compute(c.line), c.line)
    }
  })

  it("has a codec for every type and a method for every function", () => {
    for (const name of ApiSchema.types().keys()) assert.strictEqual(valueOf(name)?.name, name)
    for (const c of ApiSchema.methods().values()) {
      const method = valueOf(c.name) as Api.AnyMethod
      assert.strictEqual(method?.tag, c.name)
      assert.strictEqual(method.id, c.id)
    }
  })

  // core.telegram.org/api/end-to-end: the constructors and methods that secret chats are made of.
  const secret: Record<string, number> = {
    "inputUserEmpty": 0xb98886cf,
    "inputUserSelf": 0xf7c1b13f,
    "inputUser": 0xf21158c6,
    "inputEncryptedChat": 0xf141b5e1,
    "encryptedChatEmpty": 0xab7ec0a0,
    "encryptedChatWaiting": 0x66b25953,
    "encryptedChatRequested": 0x48f1d94c,
    "encryptedChat": 0x61f0d4c7,
    "encryptedChatDiscarded": 0x1e1c7c45,
    "encryptedFileEmpty": 0xc21f497e,
    "encryptedFile": 0xa8008cd8,
    "inputEncryptedFileEmpty": 0x1837c364,
    "inputEncryptedFileUploaded": 0x64bd0306,
    "inputEncryptedFile": 0x5a17b5e5,
    "inputEncryptedFileBigUploaded": 0x2dc173c8,
    "inputEncryptedFileLocation": 0xf5235d55,
    "encryptedMessage": 0xed18c118,
    "encryptedMessageService": 0x23734b06,
    "messages.dhConfig": 0x2c221edd,
    "messages.dhConfigNotModified": 0xc0e24635,
    "messages.sentEncryptedMessage": 0x560f8935,
    "messages.sentEncryptedFile": 0x9493ff32,
    "updateNewEncryptedMessage": 0x12bcbd9a,
    "updateEncryptedChatTyping": 0x1710f156,
    "updateEncryption": 0xb4a2e88d,
    "updateEncryptedMessagesRead": 0x38fe25b7
  }

  it("has the constructors of secret chats", () => {
    for (const [name, id] of Object.entries(secret)) {
      assert.strictEqual(ApiSchema.constructors().get(name)?.id, id, name)
    }
  })

  it("has the methods of secret chats", () => {
    const { messages } = Api
    const methods: ReadonlyArray<readonly [Api.AnyMethod, number]> = [
      [messages.getDhConfig, 0x26cf8950],
      [messages.requestEncryption, 0xf64daf43],
      [messages.acceptEncryption, 0x3dbc0415],
      [messages.discardEncryption, 0xf393aea0],
      [messages.setEncryptedTyping, 0x791451ed],
      [messages.readEncryptedHistory, 0x7f4b690a],
      [messages.sendEncrypted, 0x44fa7a15],
      [messages.sendEncryptedFile, 0x5559481d],
      [messages.sendEncryptedService, 0x32d439a4],
      [messages.receivedQueue, 0x55a5bb66],
      [messages.reportEncryptedSpam, 0x4b0c8c0f],
      [messages.uploadEncryptedFile, 0x5057c497]
    ]
    for (const [method, id] of methods) assert.strictEqual(method.id, id, method.tag)
  })
})

describe("updates", () => {
  const message: Api.EncryptedMessage = {
    _tag: "encryptedMessageService",
    randomId: -2n,
    chatId: -147286699,
    date: 1,
    bytes: Uint8Array.of(1, 2, 3)
  }
  const update: Api.Update = { _tag: "updateNewEncryptedMessage", message, qts: 7 }
  const messageHex = "064b7323" + "feffffffffffffff" + "559538f7" + "01000000" + "03010203"
  const updateHex = "9abdbc12" + messageHex + "07000000"

  it("reads updateShort", () => {
    const bytes = Buffer.from("c1ded478" + updateHex + "05000000", "hex")
    const expected: Api.Updates = { _tag: "updateShort", update, date: 5 }
    assert.strictEqual(hex(Api.Updates.encode(expected)), bytes.toString("hex"))
    assert.deepStrictEqual(Api.Updates.decode(bytes), expected)
  })

  it("reads updates and updatesCombined", () => {
    const user: Api.User = {
      _tag: "user",
      contact: true,
      id: 777000n,
      accessHash: -1n,
      firstName: "A",
      phone: "99966",
      status: { _tag: "userStatusOnline", expires: 1 },
      usernames: [{ _tag: "username", active: true, username: "a" }]
    }
    const discarded: Api.Update = {
      _tag: "updateEncryption",
      chat: { _tag: "encryptedChatDiscarded", historyDeleted: true, id: -3 },
      date: 2
    }
    const requested: Api.Update = {
      _tag: "updateEncryption",
      chat: {
        _tag: "encryptedChatRequested",
        id: 5,
        accessHash: 6n,
        date: 7,
        adminId: 8n,
        participantId: 9n,
        gA: new Uint8Array(256).fill(0xab)
      },
      date: 2
    }
    const all = [update, discarded, requested, { _tag: "updateEncryptedChatTyping", chatId: -3 } as const]
    const updates: Api.Updates = { _tag: "updates", updates: all, users: [user], chats: [], date: 1, seq: 0 }
    const combined: Api.Updates = { ...updates, _tag: "updatesCombined", seqStart: 1 }
    for (const value of [updates, combined]) {
      assert.deepStrictEqual(Api.Updates.decode(Api.Updates.encode(value)), value)
      // Absent flags leave no key behind.
      const read = Api.Updates.decode(Api.Updates.encode(value)) as typeof updates
      assert.notProperty(read.users[0], "lastName")
      assert.notProperty((read.updates[2] as { readonly chat: object }).chat, "folderId")
    }
  })
})

describe("requests", () => {
  const peer: Api.InputEncryptedChat = { _tag: "inputEncryptedChat", chatId: -5, accessHash: 7n }
  const request = Api.messages.sendEncryptedService({ peer, randomId: 1n, data: Uint8Array.of(1, 2, 3) })
  const bytes = "a439d432e1b541f1fbffffff0700000000000000010000000000000003010203"

  it("are plain data with a hidden method", () => {
    assert.deepStrictEqual(Object.keys(request), ["_tag", "peer", "randomId", "data"])
    assert.strictEqual(request._tag, "messages.sendEncryptedService")
    assert.strictEqual(Api.methodOf(request), Api.messages.sendEncryptedService)
    assert.isTrue(Api.isRequest(request))
    assert.isFalse(Api.isRequest({ ...request }))
    assert.strictEqual(String(Api.messages.sendEncryptedService), "messages.sendEncryptedService")
  })

  it("encode and decode", () => {
    assert.strictEqual(hex(Api.encodeRequest(request)), bytes)
    const answer = Api.messages.sendEncryptedService.response.encode({ _tag: "messages.sentEncryptedMessage", date: 3 })
    const read: Api.messages.SentEncryptedMessage = Api.decodeResponse(request, answer)
    assert.deepStrictEqual(read, { _tag: "messages.sentEncryptedMessage", date: 3 })
  })

  it("need no parameters where the method has none", () => {
    assert.strictEqual(hex(Api.encodeRequest(Api.help.getConfig())), "6b18f9c4")
    assert.strictEqual(hex(Api.encodeRequest(Api.updates.getState())), "2a88d4ed")
  })

  it("have results that are no objects", () => {
    const queue = Api.messages.receivedQueue({ maxQts: 5 })
    assert.deepStrictEqual(
      Api.decodeResponse(queue, Api.messages.receivedQueue.response.encode([1n, -1n])),
      [1n, -1n]
    )
    const typing = Api.messages.setEncryptedTyping({ peer, typing: true })
    assert.strictEqual(Api.decodeResponse(typing, Api.messages.setEncryptedTyping.response.encode(true)), true)
    const users = Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] })
    assert.deepStrictEqual(
      Api.decodeResponse(users, Api.users.getUsers.response.encode([{ _tag: "userEmpty", id: 1n }])),
      [{ _tag: "userEmpty", id: 1n }]
    )
  })

  it("are refused when the method is lost", () => {
    const error = catchTlError(() => Api.encodeRequest({ ...request } as Api.AnyRequest))
    assert.strictEqual(error.reason, "NoTlForm")
  })

  it("are found by id in a table of methods", () => {
    const table = Api.methodTable([Api.messages.sendEncrypted, Api.messages.sendEncryptedService, Api.help.getConfig])
    const wire = Buffer.from(bytes, "hex")
    assert.strictEqual(table.peek(wire), Api.messages.sendEncryptedService)
    assert.strictEqual(table.get(0x32d439a4 | 0), Api.messages.sendEncryptedService)
    assert.strictEqual(table.get(0xc4f9186b), Api.help.getConfig)
    assert.strictEqual(table.get(0xc4f9186b | 0), Api.help.getConfig)
    const read = table.decode(wire)
    assert.deepStrictEqual({ ...read }, { ...request })
    assert.strictEqual(Api.methodOf(read), Api.messages.sendEncryptedService)
    assert.strictEqual(table.peek(Uint8Array.of(1, 2)), undefined)
    const unknown = catchTlError(() => table.decode(Api.encodeRequest(Api.updates.getState())))
    assert.strictEqual(unknown.reason, "UnknownConstructor")
  })

  it("go into wrappers", () => {
    const inner = Api.wrap(Api.initConnection, {
      apiId: 1,
      deviceModel: "d",
      systemVersion: "s",
      appVersion: "a",
      systemLangCode: "en",
      langPack: "",
      langCode: "en"
    }, request)
    const outer = Api.wrap(Api.invokeWithLayer, { layer: Api.layer }, inner)
    const layer = Api.invokeWithLayer.params.decode(outer)
    assert.strictEqual(layer.layer, 227)
    const connection = Api.initConnection.params.decode(layer.query)
    assert.strictEqual(connection.deviceModel, "d")
    assert.notProperty(connection, "proxy")
    assert.strictEqual(hex(connection.query), bytes)
    assert.strictEqual(hex(outer.subarray(0, 8)), "0d0d9bdae3000000")
  })

  it("come out of wrappers, in whatever order these are", () => {
    const wrappers = Api.methodTable(Api.wrappers)
    let bytes = Api.wrap(
      Api.invokeAfterMsg,
      { msgId: 1n },
      Api.wrap(Api.invokeWithLayer, { layer: 227 }, Api.wrap(Api.invokeWithoutUpdates, {}, request))
    )
    const peeled: Array<string> = []
    while (wrappers.peek(bytes) !== undefined) {
      const wrapper = wrappers.decode(bytes)
      peeled.push(wrapper._tag)
      bytes = wrapper.query
    }
    assert.deepStrictEqual(peeled, ["invokeAfterMsg", "invokeWithLayer", "invokeWithoutUpdates"])
    assert.deepStrictEqual(bytes, Api.encodeRequest(request))
  })

  it("are found by name", () => {
    assert.strictEqual(ApiMethods.all().size, 798)
    assert.strictEqual(ApiMethods.byName("messages.sendEncryptedService"), Api.messages.sendEncryptedService)
    assert.strictEqual(ApiMethods.byName("invokeWithLayer"), Api.invokeWithLayer)
    assert.isUndefined(ApiMethods.byName("messages.SentEncryptedMessage"))
    assert.isUndefined(ApiMethods.byName("wrap"))
    assert.strictEqual(ApiMethods.tableOfAll().peek(Api.encodeRequest(request)), Api.messages.sendEncryptedService)
  })

  it("document their errors", () => {
    const documented = (method: Api.AnyMethod): ReadonlyArray<string> => method.errors.map((e) => `${e.code} ${e.type}`)
    const { messages } = Api
    for (const error of ["400 DATA_INVALID", "400 ENCRYPTION_DECLINED", "400 MSG_WAIT_FAILED", "500 MSG_WAIT_FAILED"]) {
      assert.include(documented(messages.sendEncryptedService), error)
    }
    for (const error of ["400 USER_IS_BLOCKED", "403 USER_IS_BLOCKED", "403 USER_DELETED", "400 DATA_TOO_LONG"]) {
      assert.include(documented(messages.sendEncryptedService), error)
    }
    assert.include(documented(messages.sendEncryptedFile), "400 FILE_EMTPY")
    assert.include(documented(messages.sendEncryptedFile), "400 MD5_CHECKSUM_INVALID")
    assert.include(documented(messages.sendEncrypted), "400 CHAT_ID_INVALID")
    assert.include(documented(messages.acceptEncryption), "400 ENCRYPTION_ALREADY_ACCEPTED")
    assert.deepStrictEqual(documented(Api.updates.getState), [])
  })
})

describe("what is not TL", () => {
  it("is refused with the place in it", () => {
    const missing = catchTlError(() =>
      Api.encodeRequest(
        Api.messages.sendEncryptedService({ peer: undefined as never, randomId: 1n, data: new Uint8Array() })
      )
    )
    assert.deepStrictEqual(missing.path, ["peer"])
    const inside = catchTlError(() =>
      Api.Updates.encode({
        _tag: "updateShort",
        date: 1,
        update: {
          _tag: "updateDeleteMessages",
          messages: [1, "two" as never],
          pts: 1,
          ptsCount: 1
        }
      })
    )
    assert.deepStrictEqual(inside.path, ["update", "messages", 1])
    assert.strictEqual(inside.reason, "InvalidValue")
    const tag = catchTlError(() =>
      Api.Updates.encode({ _tag: "updateShort", date: 1, update: { _tag: "nothing" } as never })
    )
    assert.deepStrictEqual(tag.path, ["update"])
    assert.strictEqual(tag.reason, "UnknownConstructor")
    assert.strictEqual(catchTlError(() => Api.Updates.encode(undefined as never)).reason, "InvalidValue")
  })

  it("is refused byte by byte", () => {
    const value: Api.Updates = {
      _tag: "updateShort",
      date: 1,
      update: { _tag: "updateEncryptedMessagesRead", chatId: 1, maxDate: 2, date: 3 }
    }
    const bytes = Api.Updates.encode(value)
    for (let n = 0; n < bytes.length; n++) {
      assert.strictEqual(catchTlError(() => Api.Updates.decode(bytes.subarray(0, n))).reason, "Truncated")
    }
    assert.strictEqual(catchTlError(() => Api.Updates.decode(Buffer.concat([bytes, bytes]))).reason, "TrailingBytes")
    const wrong = bytes.slice()
    wrong[4] = wrong[4]! ^ 1
    const error = catchTlError(() => Api.Updates.decode(wrong))
    assert.strictEqual(error.reason, "UnknownConstructor")
    assert.strictEqual(error.offset, 4)
  })

  it("cannot nest without bound", () => {
    // jsonArray of one jsonArray of one ...
    const level = Buffer.from("634744f7" + "15c4b51c" + "01000000", "hex")
    const bytes = Buffer.concat(Array.from({ length: 1000 }, () => level))
    assert.strictEqual(catchTlError(() => Api.JSONValue.decode(bytes)).reason, "LimitExceeded")
    const endless: { readonly _tag: "jsonArray"; readonly value: Array<Api.JSONValue> } = {
      _tag: "jsonArray",
      value: []
    }
    endless.value.push(endless)
    assert.strictEqual(catchTlError(() => Api.JSONValue.encode(endless)).reason, "LimitExceeded")
  })

  it("cannot ask for more items than there are bytes", () => {
    const bytes = Buffer.from("634744f7" + "15c4b51c" + "ffffff7f", "hex")
    assert.strictEqual(catchTlError(() => Api.JSONValue.decode(bytes)).reason, "LimitExceeded")
  })
})

const catchTlError = (run: () => unknown): TlError.TlError => {
  try {
    run()
  } catch (error) {
    if (TlError.isTlError(error)) return error
    throw error
  }
  throw new Error("nothing was thrown")
}
