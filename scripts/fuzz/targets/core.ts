/** Everything in core that reads bytes, text or JSON from outside. */
import * as Api from "@effect-mtproto/core/Api"
import * as ApiMethods from "@effect-mtproto/core/ApiMethods"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import type { Framing } from "@effect-mtproto/core/Framing"
import { Abridged } from "@effect-mtproto/core/framing/Abridged"
import * as Connection from "@effect-mtproto/core/framing/Connection"
import { detect } from "@effect-mtproto/core/framing/Detect"
import { Full } from "@effect-mtproto/core/framing/Full"
import { Intermediate } from "@effect-mtproto/core/framing/Intermediate"
import { PaddedIntermediate } from "@effect-mtproto/core/framing/PaddedIntermediate"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as RpcError from "@effect-mtproto/core/RpcError"
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { isTlError } from "@effect-mtproto/core/TlError"
import * as TlJson from "@effect-mtproto/core/TlJson"
import * as TlParser from "@effect-mtproto/core/TlParser"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { createCipheriv } from "node:crypto"
import { readFileSync } from "node:fs"
import { Values } from "../../../packages/core/test/support/apiValues.ts"
import { asText, below, bytes, concat, pick, type Random, type Target, text } from "../Target.ts"

const hex = (source: string): Uint8Array => new Uint8Array(Buffer.from(source, "hex"))

/** Messages that TDLib has written, without the length in front and the padding behind. */
const frames: ReadonlyArray<Uint8Array> = ["tdlib-1.8.65-frames", "tdlib-1.8.65-media-frames"].flatMap((name) => {
  const path = new URL(`../../../packages/core/test/fixtures/${name}.json`, import.meta.url)
  const found = JSON.parse(readFileSync(path, "utf8")) as ReadonlyArray<{ readonly plaintext: string }>
  return found.map(({ plaintext }) => {
    const all = hex(plaintext)
    return all.slice(4, 4 + new DataView(all.buffer).getUint32(0, true))
  })
})

const neverFails = (): boolean => false

const members = (name: string): any => name.split(".").reduce((value: any, key) => value[key], Api as unknown)

/** JSON with something wrong in it: damaged text if it still parses, otherwise values in the wrong places. */
const json = (input: Uint8Array, next: Random): unknown => {
  try {
    return JSON.parse(asText(input))
  } catch {
    return junk(next, 3)
  }
}

const junk = (next: Random, depth: number): unknown => {
  const kind = below(next, depth === 0 ? 9 : 12)
  switch (kind) {
    case 0:
      return null
    case 1:
      return next() < 0.5
    case 2:
      return below(next, 2 ** 32) - 2 ** 31
    case 3:
      return next() * 1e300
    case 4:
      return asText(bytes(next, below(next, 20)))
    case 5:
      return "9".repeat(below(next, 400))
    case 6:
      return { _: "bytes", bytes: asText(bytes(next, 8)) }
    case 7:
      return { _: "updateShort" }
    case 8:
      return Number.NaN
    case 9:
      return Array.from({ length: below(next, 5) }, () => junk(next, depth - 1))
    default:
      return Object.fromEntries(
        Array.from({ length: below(next, 5) }, () => [
          pick(next, ["_", "_tag", "message", "peer", "__proto__", "constructor", "random_id", "media", "bytes"]),
          junk(next, depth - 1)
        ])
      )
  }
}

/** A value with something else in one place. */
const corrupted = (value: unknown, next: Random): unknown => {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || next() < 0.1) return junk(next, 2)
  if (Array.isArray(value)) {
    const at = below(next, value.length)
    return value.map((item, i) => i === at ? corrupted(item, next) : item)
  }
  const entries = Object.entries(value)
  const at = below(next, entries.length)
  return Object.fromEntries(entries.map(([key, item], i) => [key, i === at ? corrupted(item, next) : item]))
}

const codecTarget = <A>(
  name: string,
  codec: { readonly decode: (bytes: Uint8Array) => A; readonly encode: (value: A) => Uint8Array },
  seeds: ReadonlyArray<Uint8Array>
): Target => ({
  name,
  seeds,
  // what has been read can be written
  run: (input) => codec.encode(codec.decode(input)),
  isExpected: isTlError
})

const secretTargets = (): ReadonlyArray<Target> => {
  const layer = TlCodec.make(SecretApi.DecryptedMessageLayer)
  const message = TlCodec.make(SecretApi.DecryptedMessage)
  const messages = frames.map((frame) => message.encode(layer.decode(frame).message).slice())
  const current = TlCodec.make(DecryptedMessage.AnyMessage)
  const asJson = TlJson.encode(SecretApi.DecryptedMessageLayer)
  const jsonFrames = frames.map((frame) => text(JSON.stringify(asJson(layer.decode(frame)))))
  const jsonMessages = frames.map((frame) =>
    text(JSON.stringify(DecryptedMessage.toJson(DecryptedMessage.fromWire(layer.decode(frame).message))))
  )
  const fromJson = TlJson.decode(SecretApi.DecryptedMessageLayer)
  const tolerant = TlJson.decode(SecretApi.DecryptedMessageLayer, { onMissing: "default" })
  const schema = TlCodec.toSchema(SecretApi.DecryptedMessageLayer)
  const decodeSchema = Schema.decodeUnknownSync(schema)
  return [
    codecTarget("core/TlCodec.SecretApi.DecryptedMessageLayer", layer, frames),
    codecTarget("core/TlCodec.SecretApi.DecryptedMessage", message, messages),
    codecTarget("core/TlCodec.DecryptedMessage.AnyMessage", current, messages),
    {
      name: "core/DecryptedMessage.fromWire",
      seeds: messages,
      run: (input) => current.encode(DecryptedMessage.fromWire(message.decode(input))),
      isExpected: isTlError
    },
    {
      name: "core/TlCodec.toSchema",
      seeds: frames,
      run: (input) => decodeSchema(input),
      isExpected: Schema.isSchemaError
    },
    {
      name: "core/TlJson.decode",
      seeds: jsonFrames,
      run: (input, next) => (next() < 0.5 ? fromJson : tolerant)(json(input, next)),
      isExpected: isTlError
    },
    {
      name: "core/DecryptedMessage.fromJson",
      seeds: jsonMessages,
      run: (input, next) => Result.getOrThrow(DecryptedMessage.fromJson(json(input, next))),
      isExpected: isTlError
    },
    {
      name: "core/TlCodec.encode",
      seeds: frames,
      run: (input, next) => layer.encode(corrupted(layer.decode(input), next) as never),
      isExpected: isTlError
    }
  ]
}

const mtprotoTargets = (): ReadonlyArray<Target> => {
  const challenge = TlCodec.encode(MtprotoApi.resPQ)({
    _tag: "resPQ",
    nonce: new Uint8Array(16),
    serverNonce: new Uint8Array(16),
    pq: hex("17ed48941a08f981"),
    serverPublicKeyFingerprints: [1n, 2n]
  }).slice()
  const request = TlCodec.encode(MtprotoApi.HandshakeRequest)({ _tag: "req_pq_multi", nonce: new Uint8Array(16) })
    .slice()
  const salt = TlCodec.encode(MtprotoApi.BadMsgNotification)({
    _tag: "bad_server_salt",
    badMsgId: 1n,
    badMsgSeqno: 2,
    errorCode: 48,
    newServerSalt: 3n
  }).slice()
  const container = concat(
    hex("dcf8f17302000000"),
    ...[1, 2].map((id) =>
      concat(Uint8Array.of(id, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0), hex("59b4d66215c4b51c00000000"))
    )
  )
  const seeds = [challenge, request, salt, container]
  return [
    codecTarget("core/TlCodec.MtprotoApi.ServerMessage", TlCodec.make(MtprotoApi.ServerMessage), seeds),
    codecTarget("core/TlCodec.MtprotoApi.ClientMessage", TlCodec.make(MtprotoApi.ClientMessage), seeds),
    codecTarget("core/TlCodec.MtprotoApi.HandshakeRequest", TlCodec.make(MtprotoApi.HandshakeRequest), seeds),
    codecTarget("core/TlCodec.MtprotoApi.resPQ", TlCodec.make(MtprotoApi.resPQ), seeds)
  ]
}

const apiTargets = (): ReadonlyArray<Target> => {
  const values = new Values(1)
  const names = [...ApiSchema.types().keys()]
  const sample = (name: string): Uint8Array => members(name).encode(values.value(name, 4)).slice()
  const seedsOf = (name: string): ReadonlyArray<Uint8Array> => Array.from({ length: 12 }, () => sample(name))
  const methods = [...ApiSchema.methods().keys()]
  const requests = methods.filter((_, i) => i % 5 === 0).map((name) =>
    members(name).params.encode(values.combinator(ApiSchema.methods().get(name)!, 3)).slice()
  )
  const table = ApiMethods.tableOfAll()
  const anyType = names.filter((_, i) => i % 7 === 0)
  const anySeeds = anyType.map((name) =>
    concat(Uint8Array.of(anyType.indexOf(name) & 255, anyType.indexOf(name) >> 8), sample(name))
  )
  const updatesSchema = ApiSchema.type("Updates")
  const updatesJson = TlJson.encode(updatesSchema)
  const updatesFromJson = TlJson.decode(updatesSchema)
  const derived = TlCodec.make(updatesSchema)
  const updates = seedsOf("Updates")
  return [
    codecTarget("core/Api.Updates", Api.Updates, updates),
    codecTarget("core/Api.Message", Api.Message, seedsOf("Message")),
    codecTarget("core/Api.RichText", Api.RichText, seedsOf("RichText")),
    codecTarget("core/Api.JSONValue", Api.JSONValue, seedsOf("JSONValue")),
    codecTarget("core/TlCodec.ApiSchema.Updates", derived, updates),
    {
      name: "core/Api.types",
      seeds: anySeeds,
      run: (input) => {
        const index = ((input[0] ?? 0) | (input[1] ?? 0) << 8) % anyType.length
        const codec = members(anyType[index]!)
        return codec.encode(codec.decode(input.subarray(2)))
      },
      isExpected: isTlError
    },
    {
      name: "core/Api.methodTable",
      seeds: requests,
      run: (input) => Api.encodeRequest(table.decode(input)),
      isExpected: isTlError
    },
    {
      name: "core/Api.decodeResponse",
      seeds: seedsOf("messages.Dialogs"),
      run: (input) => Api.messages.getDialogs.response.decode(input),
      isExpected: isTlError
    },
    {
      name: "core/TlJson.ApiSchema",
      seeds: updates.map((bytes_) => text(JSON.stringify(updatesJson(Api.Updates.decode(bytes_))))),
      run: (input, next) => Api.Updates.encode(updatesFromJson(json(input, next))),
      isExpected: isTlError
    }
  ]
}

/** Gives `input` in pieces. */
const inPieces = <A>(
  input: Uint8Array,
  next: Random,
  push: (chunk: Uint8Array) => ReadonlyArray<A>
): ReadonlyArray<A> => {
  const out: Array<A> = []
  for (let at = 0; at < input.length;) {
    const size = 1 + below(next, next() < 0.5 ? 8 : 4096)
    out.push(...push(input.slice(at, at + size)))
    at += size
  }
  return out
}

const aesCtr = (key: Uint8Array, iv: Uint8Array) => {
  const cipher = createCipheriv("aes-256-ctr", key, iv)
  return (data: Uint8Array): Uint8Array => new Uint8Array(cipher.update(data))
}

/** Bytes in the place of random ones. */
const fixed = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 37 + 11) & 255)

/** Packets of some sizes in a framing. */
const stream = (framing: Framing, tag: boolean): ReadonlyArray<Uint8Array> => {
  const encoder = framing.encoder({ randomBytes: fixed })
  return [4, 40, 508, 512, 2000].map((size) =>
    concat(
      tag ? framing.tag : new Uint8Array(0),
      encoder.packet(fixed(size)),
      ...framing === Full ? [] : [encoder.quickAck(0x80000001), encoder.transportError(-404)],
      encoder.packet(fixed(size))
    )
  )
}

const framingTargets = (): ReadonlyArray<Target> => {
  const framings = [Abridged, Intermediate, PaddedIntermediate, Full]
  const obfuscated = [Abridged, Intermediate, PaddedIntermediate].map((framing) => {
    const client = Connection.client({ framing, randomBytes: fixed, obfuscation: { aesCtr, dcId: 2 } })
    return concat(client.first, client.packet(fixed(64)), client.packet(fixed(600)))
  })
  return [
    ...framings.flatMap((framing) =>
      (["client", "server"] as const).map((side): Target => ({
        name: `core/framing.${framing.name}.${side}`,
        seeds: stream(framing, false),
        run: (input, next) => inPieces(input, next, framing.decoder({ side }).push),
        isExpected: neverFails
      }))
    ),
    {
      name: "core/framing.Detect",
      seeds: [...framings.flatMap((framing) => stream(framing, true)), ...obfuscated],
      run: (input) => detect(input),
      isExpected: neverFails
    },
    {
      name: "core/framing.Connection.server",
      seeds: [...framings.flatMap((framing) => stream(framing, true)), ...obfuscated],
      run: (input, next) => inPieces(input, next, Connection.server({ aesCtr, randomBytes: fixed }).push),
      isExpected: neverFails
    },
    {
      name: "core/framing.Connection.client",
      seeds: obfuscated,
      run: (input, next) =>
        inPieces(
          input,
          next,
          Connection.client({ framing: Intermediate, randomBytes: fixed, obfuscation: { aesCtr } }).push
        ),
      isExpected: neverFails
    }
  ]
}

const schemaText = `// a few lines
boolFalse#bc799737 = Bool;
vector#1cb5c415 {t:Type} # [ t ] = Vector t;
inputPeerUser#dde8a54c user_id:long access_hash:long = InputPeer;
message#9815cec8 flags:# out:flags.1?true id:int entities:flags.7?Vector<MessageEntity> = Message;
---functions---
invokeWithLayer#da9b0d0d {X:Type} layer:int query:!X = X;
`

const textTargets = (): ReadonlyArray<Target> => {
  const method = Api.messages.sendEncryptedService
  const errors = ["FLOOD_WAIT_17", "DATA_INVALID", "USER_MIGRATE_2", "MSG_WAIT_FAILED", "ENCRYPTION_DECLINED"].map(text)
  return [
    {
      name: "core/TlParser",
      seeds: [text(schemaText)],
      run: (input) => {
        const document = Result.getOrThrow(TlParser.parse(asText(input)))
        // what has been read can be printed, and read again
        Result.getOrThrow(TlParser.parse(TlParser.print(document)))
        return Result.getOrThrow(TlParser.schemas(document))
      },
      isExpected: (error) => error instanceof TlParser.TlParseError
    },
    {
      name: "core/RpcError.fromServer",
      seeds: errors,
      run: (input, next) => {
        const error = RpcError.fromServer({ method, code: below(next, 2000) - 1000, message: asText(input) })
        // its text is there whatever the server said
        return error.message.length
      },
      isExpected: neverFails
    },
    {
      name: "core/ApiSchema.type",
      seeds: [text("Updates"), text("constructor"), text("__proto__")],
      run: (input) => ApiSchema.type(asText(input) as never),
      isExpected: isTlError
    }
  ]
}

export const make = (): ReadonlyArray<Target> => [
  ...secretTargets(),
  ...mtprotoTargets(),
  ...apiTargets(),
  ...framingTargets(),
  ...textTargets()
]
