import * as Api from "@effect-mtproto/core/Api"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as RpcError from "@effect-mtproto/core/RpcError"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { parameters, parse, tagOf } from "../src/internal/rpcErrorName.ts"

const send = Api.messages.sendEncryptedService

const documented: ReadonlyArray<RpcError.Documentation> = [...ApiSchema.methods().keys()].flatMap((name) =>
  (name.split(".").reduce((value: any, key) => value[key], Api as unknown as Record<string, unknown>) as Api.AnyMethod)
    .errors
)

describe("names", () => {
  it("become tags", () => {
    assert.strictEqual(tagOf("DATA_INVALID"), "DataInvalid")
    assert.strictEqual(tagOf("MD5_CHECKSUM_INVALID"), "Md5ChecksumInvalid")
    assert.strictEqual(tagOf("FLOOD_WAIT_%d"), "FloodWait")
    assert.strictEqual(tagOf("FILE_PART_%d_MISSING"), "FilePartMissing")
    assert.strictEqual(tagOf("PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT_%dMIN"), "PreviousChatImportActiveWait")
    assert.strictEqual(tagOf("2FA_CONFIRM_WAIT_%d"), "TwoFactorConfirmWait")
    assert.strictEqual(tagOf("FILE_EMTPY"), "FileEmpty")
    assert.strictEqual(tagOf("Timeout"), "Timeout")
  })

  it("give up their number only where one is documented", () => {
    assert.deepStrictEqual(parse("FLOOD_WAIT_17"), { name: "FLOOD_WAIT_%d", parameter: 17 })
    assert.deepStrictEqual(parse("FILE_PART_0_MISSING"), { name: "FILE_PART_%d_MISSING", parameter: 0 })
    assert.deepStrictEqual(parse("PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT_3MIN"), {
      name: "PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT_%dMIN",
      parameter: 3
    })
    assert.deepStrictEqual(parse("SHA256_HASH_INVALID"), { name: "SHA256_HASH_INVALID", parameter: undefined })
    assert.deepStrictEqual(parse("SOMETHING_5"), { name: "SOMETHING_5", parameter: undefined })
    assert.deepStrictEqual(parse("FLOOD_WAIT_99999999999999999"), {
      name: "FLOOD_WAIT_99999999999999999",
      parameter: undefined
    })
  })

  it("of one tag differ at most by a number, which is optional then", () => {
    const byTag = new Map<string, Set<string>>()
    for (const { type } of documented) byTag.set(tagOf(type), (byTag.get(tagOf(type)) ?? new Set()).add(type))
    for (const [tag, names] of byTag) {
      const numbered = [...names].filter((n) => Object.hasOwn(parameters, n))
      if (numbered.length === 0) assert.strictEqual(names.size, 1, tag)
      const error = RpcError.make([...names][0] as RpcError.Name, { method: "m", parameter: 5 })
      assert.strictEqual(error._tag, tag)
      // A name without a number makes an error without one.
      for (const name of names) assert.doesNotThrow(() => RpcError.make(name as RpcError.Name, { method: "m" }))
    }
  })
})

describe("fromServer", () => {
  const fromServer = (code: number, message: string) => RpcError.fromServer({ method: send, code, message })

  it("knows the documented errors of the method", () => {
    const error = fromServer(400, "DATA_INVALID")
    assert.strictEqual(error._tag, "DataInvalid")
    assert.deepStrictEqual(
      { code: error.code, type: error.type, method: error.method },
      { code: 400, type: "DATA_INVALID", method: "messages.sendEncryptedService" }
    )
    assert.strictEqual(
      error.message,
      "Telegram refused messages.sendEncryptedService: data invalid (400 DATA_INVALID)"
    )
    assert.instanceOf(error, Error)
  })

  it("keeps the code that came", () => {
    assert.strictEqual(fromServer(403, "USER_IS_BLOCKED").code, 403)
    assert.strictEqual(fromServer(400, "USER_IS_BLOCKED").code, 400)
    assert.strictEqual(fromServer(-503, "MSG_WAIT_TIMEOUT")._tag, "MsgWaitTimeout")
  })

  it("gives flood waits and migrations from any method", () => {
    const flood = fromServer(420, "FLOOD_WAIT_17")
    assert.strictEqual(flood._tag, "FloodWait")
    assert.strictEqual(flood._tag === "FloodWait" && flood.seconds, 17)
    assert.instanceOf(flood, RpcError.FloodWait)
    assert.strictEqual(
      flood.message,
      "Telegram asks to wait 17 seconds before messages.sendEncryptedService is called again (420 FLOOD_WAIT_17)"
    )
    const migrate = fromServer(303, "USER_MIGRATE_4")
    assert.isTrue(RpcError.isMigrate(migrate))
    assert.strictEqual(RpcError.isMigrate(migrate) && migrate.dc, 4)
    assert.isFalse(RpcError.isMigrate(flood))
  })

  it("gives an RpcError for what the method does not document", () => {
    for (const message of ["PHONE_CODE_INVALID", "INVENTED", "SLOWMODE_WAIT_5", ""]) {
      const error = fromServer(400, message)
      assert.instanceOf(error, RpcError.RpcError)
      assert.strictEqual(error.type, message)
    }
    const slow = fromServer(420, "SLOWMODE_WAIT_5")
    assert.strictEqual(slow._tag === "RpcError" && slow.parameter, 5)
  })

  it("gives numbers in fields", () => {
    const slow = RpcError.fromServer({ method: Api.messages.sendMessage, code: 420, message: "SLOWMODE_WAIT_30" })
    assert.strictEqual(slow._tag === "SlowmodeWait" && slow.seconds, 30)
    const part = RpcError.fromServer({
      method: Api.messages.sendEncryptedFile,
      code: 400,
      message: "FILE_PART_12_MISSING"
    })
    assert.strictEqual(part._tag === "FilePartMissing" && part.part, 12)
    const empty = RpcError.fromServer({ method: Api.messages.sendEncryptedFile, code: 400, message: "FILE_EMTPY" })
    assert.strictEqual(empty._tag, "FileEmpty")
    assert.strictEqual(empty.type, "FILE_EMTPY")
    const restart = RpcError.fromServer({ method: Api.auth.sendCode, code: 500, message: "AUTH_RESTART" })
    assert.strictEqual(restart._tag, "AuthRestart")
    assert.notProperty(restart, "debug")
    const numbered = RpcError.fromServer({ method: Api.auth.sendCode, code: 500, message: "AUTH_RESTART_5" })
    assert.strictEqual(numbered._tag === "AuthRestart" && numbered.debug, 5)
  })

  it("bounds the text", () => {
    assert.strictEqual(fromServer(400, "X".repeat(10_000)).type.length, 256)
  })
})

describe("errors", () => {
  it.effect("fail a program and are caught by tag", () =>
    Effect.gen(function*() {
      const call = Effect.gen(function*() {
        return yield* RpcError.make("DATA_INVALID", { method: "messages.sendEncryptedService" })
      })
      const caught: string = yield* Effect.catchTag(call, "DataInvalid", (e) => Effect.succeed(e.type))
      assert.strictEqual(caught, "DATA_INVALID")
    }))

  it("are classes made once, and schemas", () => {
    const DataInvalid = RpcError.classOf("DATA_INVALID")
    assert.strictEqual(DataInvalid, RpcError.classOf("DATA_INVALID"))
    assert.strictEqual<unknown>(RpcError.classOf("FLOOD_WAIT_%d"), RpcError.FloodWait)
    const error = RpcError.make("DATA_INVALID", { method: "m" })
    assert.instanceOf(error, DataInvalid)
    assert.isTrue(Schema.is(DataInvalid)(error))
    assert.strictEqual(new DataInvalid({ code: 400, type: "DATA_INVALID", method: "m" }).message, error.message)
  })

  it("go through JSON", () => {
    const schema = Schema.toCodecJson(RpcError.schemaOf(send))
    const errors = [
      RpcError.make("DATA_INVALID", { method: send.tag }),
      RpcError.make("FLOOD_WAIT_%d", { method: send.tag, parameter: 3 }),
      new RpcError.RpcError({ code: 500, type: "INTERNAL", method: send.tag })
    ] as const
    for (const error of errors) {
      const json = Schema.encodeUnknownSync(schema)(error)
      assert.deepStrictEqual(JSON.parse(JSON.stringify(error)), json)
      const back = Schema.decodeUnknownSync(schema)(JSON.parse(JSON.stringify(json)))
      assert.strictEqual(back._tag, error._tag)
      assert.strictEqual(back.message, error.message)
      assert.instanceOf(back, Error)
    }
  })

  it("are the error channel of a call, as types", () => {
    const invoke = <M extends Api.AnyRequest>(
      request: M
    ): Effect.Effect<Api.Response<M>, Api.ErrorOf<M> | RpcError.RpcError | RpcError.FloodWait> =>
      Effect.fail(new RpcError.RpcError({ code: 500, type: "INTERNAL", method: request._tag }))
    const peer = { _tag: "inputEncryptedChat", chatId: 1, accessHash: 1n } as const
    const call = invoke(send({ peer, randomId: 1n, data: new Uint8Array() }))
    const caught: Effect.Effect<
      Api.messages.SentEncryptedMessage | "DATA_INVALID" | number,
      Exclude<Api.ErrorOf<typeof send>, RpcError.DataInvalid> | RpcError.RpcError
    > = call.pipe(
      Effect.catchTag("DataInvalid", (e) => Effect.succeed(e.type)),
      Effect.catchTag("FloodWait", (e) => Effect.succeed(e.seconds))
    )
    // @ts-expect-error the method does not document it
    Effect.catchTag(invoke(Api.updates.getState()), "DataInvalid", () => Effect.void)
    // @ts-expect-error a parameter is missing
    send({ peer, randomId: 1n })
    // @ts-expect-error a parameter too many
    send({ peer, randomId: 1n, data: new Uint8Array(), silent: true })
    assert.isTrue(Effect.isEffect(caught))
  })

  it("have typed unions per method", () => {
    type Errors = Api.ErrorOf<typeof send>
    const tags: Record<Errors["_tag"], true> = {
      ChatIdInvalid: true,
      DataInvalid: true,
      DataTooLong: true,
      EncryptionDeclined: true,
      EncryptionIdInvalid: true,
      MsgWaitFailed: true,
      MsgWaitTimeout: true,
      UserDeleted: true,
      UserIsBlocked: true
    }
    assert.deepStrictEqual([...new Set(send.errors.map((e) => tagOf(e.type)))].toSorted(), Object.keys(tags))
    type File = Api.ErrorOf<typeof Api.messages.sendEncryptedFile>
    const file: ReadonlyArray<File["_tag"]> = ["FileEmpty", "Md5ChecksumInvalid", "FilePartMissing"]
    assert.strictEqual(file.length, 3)
    type Accept = Api.ErrorOf<typeof Api.messages.acceptEncryption>
    const accept: Record<Accept["_tag"], true> = {
      ChatIdInvalid: true,
      EncryptionAlreadyAccepted: true,
      EncryptionAlreadyDeclined: true
    }
    assert.strictEqual(Object.keys(accept).length, 3)
    const none: [Api.ErrorOf<typeof Api.updates.getState>] extends [never] ? true : false = true
    assert.isTrue(none)
  })
})
