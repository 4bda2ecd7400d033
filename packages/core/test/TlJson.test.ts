import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as Tl from "@effect-mtproto/core/Tl"
import { TlError } from "@effect-mtproto/core/TlError"
import * as TlJson from "@effect-mtproto/core/TlJson"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { frames } from "./frames.ts"

const decode = TlJson.decodeResult(SecretApi.DecryptedMessage)
const problem = (json: unknown, options?: TlJson.DecodeOptions) => {
  const result = TlJson.decodeResult(SecretApi.DecryptedMessage, options)(json)
  return Result.isFailure(result) ? `${result.failure.reason} ${result.failure.message}` : undefined
}
const text = { _: "decryptedMessage", random_id: "5", ttl: 0, message: "m" }

describe("TlJson", () => {
  it("has the form of the HTTP API", () => {
    const value: SecretApi.decryptedMessage = {
      _tag: "decryptedMessage",
      randomId: -(2n ** 63n),
      ttl: 1,
      message: "m",
      silent: true,
      replyToRandomId: 7n,
      entities: [{ _tag: "messageEntityBold", offset: 0, length: 1 }],
      media: {
        _tag: "decryptedMessageMediaPhoto",
        thumb: Uint8Array.of(1, 2, 255),
        thumbW: 1,
        thumbH: 2,
        w: 3,
        h: 4,
        size: 5,
        key: new Uint8Array(0),
        iv: new Uint8Array(0),
        caption: ""
      }
    }
    const json = TlJson.encode(SecretApi.DecryptedMessage)(value)
    assert.deepStrictEqual(json, {
      _: "decryptedMessage",
      silent: true,
      random_id: "-9223372036854775808",
      ttl: 1,
      message: "m",
      media: {
        _: "decryptedMessageMediaPhoto",
        thumb: { _: "bytes", bytes: "AQL/" },
        thumb_w: 1,
        thumb_h: 2,
        w: 3,
        h: 4,
        size: 5,
        key: { _: "bytes", bytes: "" },
        iv: { _: "bytes", bytes: "" },
        caption: ""
      },
      entities: [{ _: "messageEntityBold", offset: 0, length: 1 }],
      reply_to_random_id: "7"
    })
    assert.deepStrictEqual(TlJson.decode(SecretApi.DecryptedMessage)(json), value)
  })

  it("accepts what users write", () => {
    const expected = Result.succeed<SecretApi.DecryptedMessage>({
      _tag: "decryptedMessage",
      randomId: 5n,
      ttl: 0,
      message: "m"
    })
    assert.deepStrictEqual(decode(text), expected)
    assert.deepStrictEqual(decode({ ...text, random_id: 5 }), expected)
    assert.deepStrictEqual(decode({ ...text, random_id: 5n }), expected)
    assert.deepStrictEqual(decode({ ...text, random_id: undefined, randomId: "5" }), expected)
    assert.deepStrictEqual(decode({ ...text, media: null, silent: false, ttl: "0" }), expected)
    assert.deepStrictEqual(decode({ ...text, flags: 0, out: true, date: 1 }), expected)
    const bytes = TlJson.decode(Tl.constructor("x", 1, { data: Tl.bytes, n: Tl.int128, d: Tl.double }))
    assert.deepStrictEqual(bytes({ _: "x", data: "hé", n: "0123456789abcdef", d: "-Infinity" }), {
      _tag: "x",
      data: new TextEncoder().encode("hé"),
      n: new TextEncoder().encode("0123456789abcdef"),
      d: -Infinity
    })
  })

  it("says what is wrong, and where", () => {
    assert.strictEqual(
      problem({ ...text, random_id: "x" }),
      "InvalidValue TL: expected an int64 as decimal string or safe integer, found a string at random_id (byte 0)"
    )
    assert.match(problem({ ...text, random_id: 2 ** 53 })!, /at random_id/)
    assert.match(problem({ ...text, random_id: "9223372036854775808" })!, /at random_id/)
    assert.match(problem({ ...text, ttl: 1.5 })!, /an int32, found a number that is not an integer at ttl/)
    assert.match(problem({ ...text, ttl: undefined })!, /an int32, found nothing at ttl/)
    assert.match(problem({ ...text, entities: {} })!, /an array, found an object at entities/)
    assert.strictEqual(
      problem({ ...text, entities: [{ _: "messageEntityBold", offset: 0, length: 1 }, { _: "bold" }] }),
      "UnknownConstructor TL: expected a constructor of MessageEntity, found \"bold\" at entities[1] (byte 0)"
    )
    assert.match(problem({ ...text, _: undefined })!, /an object of DecryptedMessage with _, found an object/)
    assert.match(problem("m")!, /found a string at the top level/)
    assert.match(problem(null)!, /found null/)
    const media = { _: "decryptedMessageMediaAudio_8", duration: 1, size: 1, key: "", iv: { _: "bytes", bytes: "?" } }
    assert.match(problem({ ...text, media })!, /base64, found something else at media\.iv/)
    assert.match(
      problem({ ...text, medium: 1 }, { onExcess: "error" })!,
      /no such field in decryptedMessage.*at medium/
    )
    assert.isUndefined(problem({ ...text, flags: 4 }, { onExcess: "error" }))
  })

  it("fills in zeros where asked to", () => {
    const run = TlJson.decode(SecretApi.DecryptedMessage, { onMissing: "default" })
    assert.deepStrictEqual(run({ _: "decryptedMessage" }), {
      _tag: "decryptedMessage",
      randomId: 0n,
      ttl: 0,
      message: ""
    })
    assert.match(problem({ _: "decryptedMessageService" }, { onMissing: "default" })!, /at action/)
  })

  it("does not follow values without end", () => {
    const Deep: Schema.Codec<unknown> = Tl.constructor("deep", 1, {
      flags: Tl.flags,
      inner: Tl.flag(0, Schema.suspend(() => Deep))
    })
    const loop: Record<string, unknown> = { _: "deep", _tag: "deep" }
    loop["inner"] = loop
    assert.strictEqual(reasonOf(() => TlJson.decode(Deep)(loop)), "LimitExceeded")
    assert.strictEqual(reasonOf(() => TlJson.encode(Deep)(loop)), "LimitExceeded")
  })

  it("a hostile key changes nothing", () => {
    const value = TlJson.decode(SecretApi.DecryptedMessage)(
      JSON.parse(`{"__proto__":{"ttl":9},${JSON.stringify(text).slice(1)}`)
    )
    assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
  })

  it("refuses values that are none", () => {
    const encode = TlJson.encode(SecretApi.DecryptedMessage) as (value: unknown) => unknown
    for (const wrong of [{ ttl: "0" }, { randomId: 5 }, { message: 1 }, { media: {} }, { entities: 1 }]) {
      const value = { _tag: "decryptedMessage", randomId: 5n, ttl: 0, message: "m", ...wrong }
      assert.strictEqual(reasonOf(() => encode(value)), "InvalidValue")
    }
    assert.strictEqual(reasonOf(() => encode({ _tag: "x" })), "UnknownConstructor")
  })

  it.prop("round trip", { value: SecretApi.DecryptedMessageLayer }, ({ value }) => {
    const json = TlJson.encode(SecretApi.DecryptedMessageLayer)(value)
    const parsed: unknown = JSON.parse(JSON.stringify(json))
    // JSON has no -0, and Equal takes it for 0
    assert.isTrue(Equal.equals(parsed, json))
    assert.isTrue(
      Equal.equals(TlJson.decode(SecretApi.DecryptedMessageLayer, { onExcess: "error" })(parsed), value)
    )
  })

  it.effect("is a schema", () =>
    Effect.gen(function*() {
      const schema = TlJson.toSchema(SecretApi.DecryptedMessage)
      const value = yield* Schema.decodeUnknownEffect(schema)(text)
      assert.deepStrictEqual(value, { _tag: "decryptedMessage", randomId: 5n, ttl: 0, message: "m" })
      assert.deepStrictEqual(yield* Schema.encodeEffect(schema)(value), text)
      const error = yield* Effect.flip(Schema.decodeUnknownEffect(schema)({ ...text, ttl: "secret" }))
      assert.match(error.message, /an int32, found a string at ttl/)
      assert.notInclude(error.message, "secret")
    }))
})

describe("DecryptedMessage in JSON", () => {
  it("drafts leave out what the sender fills in", () => {
    const read = (json: unknown) => Result.getOrThrow(DecryptedMessage.fromJson(json))
    assert.deepStrictEqual(read({ _: "decryptedMessage", message: "m" }), DecryptedMessage.message("m"))
    assert.deepStrictEqual(read(text), DecryptedMessage.message("m", { randomId: 5n, ttl: 0 }))
    assert.deepStrictEqual(
      read({ _: "decryptedMessageService", action: { _: "decryptedMessageActionNoop" } }),
      DecryptedMessage.noop()
    )
    assert.deepStrictEqual(
      read({ _: "decryptedMessage", media: { _: "decryptedMessageMediaGeoPoint", lat: 1.5, long: 2 } }),
      DecryptedMessage.message("", { media: { _tag: "decryptedMessageMediaGeoPoint", lat: 1.5, long: 2 } })
    )
    assert.isTrue(Result.isFailure(DecryptedMessage.fromJson({ _: "decryptedMessageService" })))
    assert.isTrue(Result.isFailure(DecryptedMessage.fromJson("m")))
  })

  it("messages of TDLib keep what they are", () => {
    for (const frame of frames) {
      const json = DecryptedMessage.toJson(
        Result.getOrThrow(
          Result.map(
            DecryptedMessage.fromJson(toApiForm(frame.object["message"])),
            (draft) => DecryptedMessage.complete(draft, { randomId: 0n, ttl: 0 })
          )
        )
      )
      assert.deepStrictEqual(json, withoutFlags(toApiForm(frame.object["message"])))
    }
  })
})

const reasonOf = (run: () => unknown) => {
  try {
    run()
  } catch (e) {
    if (e instanceof TlError) return e.reason
    throw e
  }
  return undefined
}

// The fixtures write bytes in hexadecimal.
const toApiForm = (json: any): any => {
  if (Array.isArray(json)) return json.map(toApiForm)
  if (typeof json !== "object" || json === null) return json
  if (json._ === undefined) return { _: "bytes", bytes: Buffer.from(json.bytes, "hex").toString("base64") }
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, toApiForm(value)]))
}
const withoutFlags = (json: any): any => {
  if (Array.isArray(json)) return json.map(withoutFlags)
  if (typeof json !== "object" || json === null || json._ === "bytes") return json
  const entries = Object.entries(json).filter(([key]) => key !== "flags")
  const object = Object.fromEntries(entries.map(([key, value]) => [key, withoutFlags(value)]))
  // A 64-bit size is a string here; the fixtures have small ones, of both widths.
  return object["_"] === "decryptedMessageMediaDocument" ? { ...object, size: String(object["size"]) } : object
}
