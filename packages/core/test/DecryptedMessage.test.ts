import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { constructorsOf } from "./ids.ts"

const constructors = constructorsOf(SecretApi)
const key = new Uint8Array(32).fill(1)
const iv = new Uint8Array(32).fill(2)
const thumb = Uint8Array.of(3)

const text = (fields?: Partial<SecretApi.decryptedMessage>): SecretApi.decryptedMessage => ({
  _tag: "decryptedMessage",
  randomId: 1n,
  ttl: 0,
  message: "hello",
  ...fields
})
const document = (
  fields?: Partial<SecretApi.decryptedMessageMediaDocument>
): SecretApi.decryptedMessageMediaDocument => ({
  _tag: "decryptedMessageMediaDocument",
  thumb,
  thumbW: 1,
  thumbH: 2,
  mimeType: "video/mp4",
  size: 1000n,
  key,
  iv,
  attributes: [],
  caption: "c",
  ...fields
})
const written = (layer: number, value: SecretApi.DecryptedMessage) =>
  Result.getOrThrow(DecryptedMessage.toLayer(layer, value))
const refused = (layer: number, value: SecretApi.DecryptedMessage) => {
  const result = DecryptedMessage.toLayer(layer, value)
  return Result.isFailure(result) ? result.failure.message : undefined
}
const entity = <T extends SecretApi.MessageEntity["_tag"]>(_tag: T, offset: number, length: number) => ({
  _tag,
  offset,
  length
})

/** The tags of all objects in a value. */
const tagsIn = (value: unknown): ReadonlyArray<string> => {
  if (Array.isArray(value)) return value.flatMap(tagsIn)
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return []
  const { _tag, ...fields } = value as { readonly _tag?: string }
  return [..._tag === undefined ? [] : [_tag], ...Object.values(fields).flatMap(tagsIn)]
}

describe("DecryptedMessage", () => {
  it("makes every message", () => {
    const actions = [
      DecryptedMessage.setMessageTtl(60),
      DecryptedMessage.readMessages([1n]),
      DecryptedMessage.deleteMessages([1n, 2n]),
      DecryptedMessage.screenshotMessages(),
      DecryptedMessage.flushHistory(),
      DecryptedMessage.resend(1, 3),
      DecryptedMessage.notifyLayer(),
      DecryptedMessage.typing("recordRound"),
      DecryptedMessage.requestKey(1n, key),
      DecryptedMessage.acceptKey(1n, key, 2n),
      DecryptedMessage.abortKey(1n),
      DecryptedMessage.commitKey(1n, 2n),
      DecryptedMessage.noop()
    ].map((draft) => draft.action)
    assert.deepStrictEqual(
      new Set(actions.map((a) => a._tag)),
      new Set(SecretApi.DecryptedMessageAction.members.map((m) => m.fields._tag.schema.literal))
    )
    const encode = TlCodec.encode(SecretApi.DecryptedMessageAction)
    for (const action of actions) assert.isAbove(encode(action).length, 3)
    assert.deepStrictEqual(DecryptedMessage.typing().action, {
      _tag: "decryptedMessageActionTyping",
      action: { _tag: "sendMessageTypingAction" }
    })
    assert.deepStrictEqual(DecryptedMessage.message("hi", { silent: true }), {
      _tag: "decryptedMessage",
      message: "hi",
      silent: true
    })
  })

  it("completes drafts", () => {
    const defaults = { randomId: 5n, ttl: 7 }
    assert.deepStrictEqual(DecryptedMessage.complete(DecryptedMessage.message("hi"), defaults), {
      _tag: "decryptedMessage",
      message: "hi",
      randomId: 5n,
      ttl: 7
    })
    assert.deepStrictEqual(
      DecryptedMessage.complete(DecryptedMessage.message("hi", { ttl: 0, randomId: 1n }), defaults),
      { _tag: "decryptedMessage", message: "hi", randomId: 1n, ttl: 0 }
    )
    assert.deepStrictEqual(DecryptedMessage.complete(DecryptedMessage.noop(), defaults), {
      _tag: "decryptedMessageService",
      randomId: 5n,
      action: { _tag: "decryptedMessageActionNoop" }
    })
  })
})

describe("toLayer", () => {
  it("writes the newest form from layer 73 on, the one of layer 45 below", () => {
    const value = text({ silent: true, groupedId: 5n, noWebpage: true, replyToRandomId: 2n, viaBotName: "b" })
    assert.deepStrictEqual(written(144, value), value)
    assert.deepStrictEqual(written(73, value), value)
    assert.deepStrictEqual(written(72, value), {
      _tag: "decryptedMessage_45",
      randomId: 1n,
      ttl: 0,
      message: "hello",
      replyToRandomId: 2n,
      viaBotName: "b"
    })
    assert.strictEqual(refused(44, value), "The peer's client speaks layer 44, but any message needs layer 45")
  })

  it("documents", () => {
    const media = document()
    assert.deepStrictEqual(written(143, text({ media })), text({ media }))
    const { size: _, ...others } = media
    assert.deepStrictEqual(
      written(142, text({ media })),
      text({ media: { ...others, _tag: "decryptedMessageMediaDocument_45", size: 1000 } })
    )
    const most = text({ media: document({ size: 2097152000n }) })
    assert.isUndefined(refused(142, most))
    const large = text({ media: document({ size: 2097152001n }) })
    assert.strictEqual(
      refused(142, large),
      "The peer's client speaks layer 142, but a file of this size needs layer 143"
    )
    assert.deepStrictEqual(written(143, large), large)
  })

  it("attributes", () => {
    const audio = { _tag: "documentAttributeAudio", voice: true, duration: 3, waveform: thumb } as const
    const video = { _tag: "documentAttributeVideo", roundMessage: true, duration: 3, w: 4, h: 5 } as const
    const attributesAt = (layer: number) => {
      const wire = written(layer, text({ media: document({ attributes: [audio, video] }) }))
      return "media" in wire && wire.media !== undefined && "attributes" in wire.media
        ? wire.media.attributes
        : undefined
    }
    const old = { _tag: "documentAttributeVideo_23", duration: 3, w: 4, h: 5 }
    assert.deepStrictEqual<unknown>(attributesAt(66), [audio, video])
    assert.deepStrictEqual<unknown>(attributesAt(65), [audio, old])
    assert.deepStrictEqual<unknown>(attributesAt(45), [
      { _tag: "documentAttributeAudio_45", duration: 3, title: "", performer: "" },
      old
    ])
  })

  it("entities", () => {
    const entitiesAt = (layer: number, entities: ReadonlyArray<SecretApi.MessageEntity>) => {
      const wire = written(layer, text({ entities }))
      return "entities" in wire ? wire.entities?.map((e) => `${e._tag.slice(13)} ${e.offset}+${e.length}`) : undefined
    }
    const all = [
      entity("messageEntityBold", 0, 5),
      entity("messageEntityUnderline", 5, 2),
      entity("messageEntitySpoiler", 7, 2),
      entity("messageEntityPhone", 9, 2)
    ]
    assert.deepStrictEqual(entitiesAt(144, all), ["Bold 0+5", "Underline 5+2", "Spoiler 7+2"])
    assert.deepStrictEqual(entitiesAt(143, all), ["Bold 0+5", "Underline 5+2"])
    assert.deepStrictEqual(entitiesAt(100, all), ["Bold 0+5"])
    const overlapping = [
      entity("messageEntityItalic", 3, 4),
      entity("messageEntityBold", 0, 5),
      entity("messageEntityCode", 0, 2),
      entity("messageEntityUrl", 5, 3)
    ]
    assert.deepStrictEqual(entitiesAt(101, overlapping)?.length, 4)
    assert.deepStrictEqual(entitiesAt(100, overlapping), ["Bold 0+5", "Url 5+3"])
    assert.isUndefined(entitiesAt(100, [entity("messageEntityStrike", 0, 1)]))
  })

  it("actions", () => {
    const service = (action: SecretApi.DecryptedMessageAction): SecretApi.decryptedMessageService => ({
      _tag: "decryptedMessageService",
      randomId: 1n,
      action
    })
    const round = service({ _tag: "decryptedMessageActionTyping", action: { _tag: "sendMessageUploadRoundAction" } })
    assert.deepStrictEqual(written(66, round), round)
    assert.deepStrictEqual(
      written(65, round),
      service({ _tag: "decryptedMessageActionTyping", action: { _tag: "sendMessageUploadVideoAction" } })
    )
    const noop = service({ _tag: "decryptedMessageActionNoop" })
    assert.deepStrictEqual(written(20, noop), noop)
    assert.strictEqual(
      refused(19, noop),
      "The peer's client speaks layer 19, but decryptedMessageActionNoop needs layer 20"
    )
    assert.isUndefined(refused(17, service({ _tag: "decryptedMessageActionFlushHistory" })))
    assert.isDefined(refused(16, service({ _tag: "decryptedMessageActionFlushHistory" })))
  })

  it.prop(
    "writes nothing that the layer does not have, and what is read again is what a client of that layer can be told",
    { layer: Schema.Int.check(Schema.isBetween({ minimum: 17, maximum: 150 })), value: SecretApi.DecryptedMessage },
    ({ layer, value }) => {
      const result = DecryptedMessage.toLayer(layer, value)
      if (Result.isFailure(result)) {
        assert.strictEqual(result.failure.layer, layer)
        assert.isAbove(result.failure.needed, layer)
        return
      }
      const wire = result.success
      for (const tag of tagsIn(wire)) assert.isAtMost(constructors.get(tag)!.layer, layer, tag)
      const { encode, decode } = TlCodec.make(SecretApi.DecryptedMessage)
      assert.deepStrictEqual(decode(encode(wire)), wire)
      // Writing again what was read changes nothing.
      assert.deepStrictEqual(DecryptedMessage.toLayer(layer, DecryptedMessage.fromWire(wire)), result)
    }
  )
})

describe("fromWire", () => {
  const file = { thumb, thumbW: 1, thumbH: 2, size: 1000, key, iv }
  const from = (media: SecretApi.DecryptedMessageMedia) => {
    const value = DecryptedMessage.fromWire({
      _tag: "decryptedMessage_17",
      randomId: 1n,
      ttl: 9,
      message: "m",
      media
    })
    if (value._tag !== "decryptedMessage") throw new Error(value._tag)
    assert.deepStrictEqual<unknown>({ randomId: value.randomId, ttl: value.ttl, message: value.message }, {
      randomId: 1n,
      ttl: 9,
      message: "m"
    })
    return value.media
  }

  it("media of old clients", () => {
    assert.isUndefined(from({ _tag: "decryptedMessageMediaEmpty" }))
    assert.deepStrictEqual<unknown>(from({ ...file, _tag: "decryptedMessageMediaPhoto_8", w: 3, h: 4 }), {
      ...file,
      _tag: "decryptedMessageMediaPhoto",
      w: 3,
      h: 4,
      caption: ""
    })
    const video = document({
      caption: "",
      attributes: [{ _tag: "documentAttributeVideo", duration: 5, w: 3, h: 4 }]
    })
    assert.deepStrictEqual<unknown>(
      from({ ...file, _tag: "decryptedMessageMediaVideo_8", duration: 5, w: 3, h: 4 }),
      video
    )
    assert.deepStrictEqual<unknown>(
      from({ ...file, _tag: "decryptedMessageMediaVideo_17", duration: 5, w: 3, h: 4, mimeType: "video/webm" }),
      { ...video, mimeType: "video/webm" }
    )
    assert.deepStrictEqual<unknown>(
      from({
        ...file,
        _tag: "decryptedMessageMediaVideo",
        duration: 5,
        w: 3,
        h: 4,
        mimeType: "video/mp4",
        caption: "look"
      }),
      { ...video, caption: "look" }
    )
    const voice = document({
      thumb: new Uint8Array(0),
      thumbW: 0,
      thumbH: 0,
      mimeType: "audio/ogg",
      caption: "",
      attributes: [{ _tag: "documentAttributeAudio", voice: true, duration: 5 }]
    })
    const sound = { duration: 5, size: 1000, key, iv }
    assert.deepStrictEqual<unknown>(from({ ...sound, _tag: "decryptedMessageMediaAudio_8" }), voice)
    assert.deepStrictEqual<unknown>(
      from({ ...sound, _tag: "decryptedMessageMediaAudio", mimeType: "audio/mpeg" }),
      { ...voice, mimeType: "audio/mpeg" }
    )
    assert.deepStrictEqual<unknown>(
      from({ ...file, _tag: "decryptedMessageMediaDocument_8", fileName: "a.txt", mimeType: "text/plain" }),
      document({
        caption: "",
        mimeType: "text/plain",
        attributes: [{ _tag: "documentAttributeFilename", fileName: "a.txt" }]
      })
    )
    assert.deepStrictEqual<unknown>(
      from({
        ...file,
        _tag: "decryptedMessageMediaDocument_45",
        mimeType: "video/mp4",
        caption: "c",
        attributes: [
          { _tag: "documentAttributeSticker_23" },
          { _tag: "documentAttributeVideo_23", duration: 1, w: 2, h: 3 },
          { _tag: "documentAttributeAudio_23", duration: 1 },
          { _tag: "documentAttributeAudio_45", duration: 1, title: "t", performer: "p" },
          { _tag: "documentAttributeAnimated" }
        ]
      }),
      document({
        attributes: [
          { _tag: "documentAttributeSticker", alt: "", stickerset: { _tag: "inputStickerSetEmpty" } },
          { _tag: "documentAttributeVideo", duration: 1, w: 2, h: 3 },
          { _tag: "documentAttributeAudio", duration: 1 },
          { _tag: "documentAttributeAudio", duration: 1, title: "t", performer: "p" },
          { _tag: "documentAttributeAnimated" }
        ]
      })
    )
  })

  it("messages of old clients", () => {
    assert.deepStrictEqual<unknown>(
      DecryptedMessage.fromWire({
        _tag: "decryptedMessage_8",
        randomId: 1n,
        randomBytes: key,
        message: "m",
        media: { _tag: "decryptedMessageMediaGeoPoint", lat: 1, long: 2 }
      }),
      { ...text({ message: "m" }), media: { _tag: "decryptedMessageMediaGeoPoint", lat: 1, long: 2 } }
    )
    assert.deepStrictEqual<unknown>(
      DecryptedMessage.fromWire({
        _tag: "decryptedMessageService_8",
        randomId: 1n,
        randomBytes: key,
        action: { _tag: "decryptedMessageActionNotifyLayer", layer: 46 }
      }),
      {
        _tag: "decryptedMessageService",
        randomId: 1n,
        action: { _tag: "decryptedMessageActionNotifyLayer", layer: 46 }
      }
    )
    assert.deepStrictEqual<unknown>(
      DecryptedMessage.fromWire({ ...text(), _tag: "decryptedMessage_45", replyToRandomId: 2n }),
      text({ replyToRandomId: 2n })
    )
  })

  it.prop("gives a value of the current types only", { value: SecretApi.DecryptedMessage }, ({ value }) => {
    const current = DecryptedMessage.fromWire(value)
    assert.isTrue(Schema.is(DecryptedMessage.AnyMessage)(current))
    assert.deepStrictEqual<unknown>(DecryptedMessage.fromWire(current), current)
    const { decode, encode } = TlCodec.make(DecryptedMessage.AnyMessage)
    assert.deepStrictEqual<unknown>(decode(encode(current)), current)
    assert.deepStrictEqual<unknown>(TlCodec.encode(SecretApi.DecryptedMessage)(current), encode(current))
  })
})
