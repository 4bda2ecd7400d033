/** Messages and files as scripts write them. */
import type * as Api from "@effect-mtproto/core/Api"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as Formatting from "@effect-mtproto/core/Formatting"
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as Tl from "@effect-mtproto/core/Tl"
import * as EncryptedFile from "@effect-mtproto/secret-chats/EncryptedFile"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import type { FileDraft } from "@effect-mtproto/secret-chats/Media"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { LuaError } from "../LuaError.ts"
import * as LuaTl from "../LuaTl.ts"
import * as LuaValue from "../LuaValue.ts"
import { invalid, type Refusal } from "./failure.ts"

/** Names that programs for bots use, here and in what is nested. */
export const aliases: LuaTl.FromLuaOptions["aliases"] = {
  peer: ["chat_id"],
  message: ["text"],
  silent: ["disable_notification"],
  no_webpage: ["disable_web_page_preview"],
  reply_to_msg_id: ["reply_to_message_id"],
  reply_to_random_id: ["reply_to_msg_id", "reply_to_message_id"]
}

const read = LuaTl.fromLua(SecretApi.DecryptedMessage, { aliases })

/** The table with what it does not have yet. */
const complete = (
  table: LuaValue.LuaTable,
  defaults: { readonly [name: string]: LuaValue.LuaValue }
): LuaValue.LuaTable => {
  const made = new Map(table)
  for (const name of Object.keys(defaults)) {
    const camel = name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase())
    if (!made.has(name) && !made.has(camel)) made.set(name, defaults[name]!)
  }
  return made
}

// ----- markup

const entitiesOf = LuaTl.toLua(Tl.vector(SecretApi.MessageEntity))

/** A text with markup, and what it means; the names of what is wrong are the script's. */
export const formatted = (
  text: LuaValue.LuaValue | undefined,
  parseMode: LuaValue.LuaValue
): Result.Result<Formatting.Formatted, Refusal> => {
  const mode = typeof parseMode === "string" ? Formatting.mode(parseMode) : undefined
  if (mode === undefined) return Result.fail(invalid("parse_mode: HTML, Markdown or MarkdownV2 is needed"))
  const markup = typeof text === "string" ? LuaValue.toText(text) : typeof text === "bigint" ? String(text) : undefined
  if (markup === undefined) return Result.fail(invalid("message: a string in UTF-8 is needed"))
  return Result.mapError(Formatting.parse(mode, markup), (error) => invalid(`message: ${error.message}`))
}

/** The message with `entities` in place of markup. */
const withEntities = (value: LuaValue.LuaTable): Result.Result<LuaValue.LuaTable, Refusal> => {
  const parseMode = value.get("parse_mode")
  if (parseMode === undefined || parseMode === "") return Result.succeed(value)
  if (value.has("entities")) return Result.fail(invalid("message: parse_mode and entities exclude each other"))
  const text = value.get("message") ?? value.get("text")
  if (text === undefined) return Result.succeed(value)
  return Result.map(formatted(text, parseMode), ({ entities, text }) => {
    const made = new Map(value).set("message", LuaValue.fromText(text))
    made.delete("text")
    return entities.length === 0 ? made : made.set("entities", entitiesOf(Formatting.toSecret(entities)))
  })
}

// ----- messages

/**
 * A message: a text, or a table of any constructor that was ever sent, in which `random_id`, `ttl` and the text may be left
 * out. Without `_` it is a service message if it has an action.
 */
export const draft = (
  given: LuaValue.LuaValue | undefined,
  /** What stands beside the message, and holds for it as well. */
  parseMode?: LuaValue.LuaValue | undefined
): Result.Result<DecryptedMessage.AnyDraft, LuaError | Refusal> => {
  if (given === undefined || given === null) return Result.fail(invalid("message: is missing"))
  const table = typeof given === "string" ? LuaValue.table({ message: given }) : given
  if (!LuaValue.isTable(table)) {
    return Result.fail(invalid(`message: a table or a text is needed, not ${LuaValue.describe(table)}`))
  }
  const marked = parseMode === undefined || table.has("parse_mode")
    ? table
    : new Map(table).set("parse_mode", parseMode)
  return Result.flatMap(withEntities(marked), plainDraft)
}

const plainDraft = (value: LuaValue.LuaTable): Result.Result<DecryptedMessage.AnyDraft, LuaError | Refusal> => {
  const tag = value.get("_") ?? (value.has("action") ? "decryptedMessageService" : "decryptedMessage")
  const isNamed = value.has("random_id") || value.has("randomId")
  const hasTtl = value.has("ttl")
  const whole = complete(new Map(value).set("_", tag), { random_id: 0n, ttl: 0n, message: value.get("text") ?? "" })
  return Result.map(Result.mapError(read(whole), inMessage), (wire): DecryptedMessage.AnyDraft => {
    const { randomId, ...rest } = DecryptedMessage.fromWire(wire)
    const message = isNamed ? { ...rest, randomId } : rest
    if (message._tag === "decryptedMessageService" || hasTtl) return message
    const { ttl: _, ...withoutTtl } = message
    return withoutTtl
  })
}

const inMessage = (error: LuaError): Refusal =>
  invalid(/^[\w[\].]+: /.test(error.detail) ? `message.${error.detail}` : `message: ${error.detail}`)

const mediaDefaults = {
  thumb: "",
  thumb_w: 0n,
  thumb_h: 0n,
  size: 0n,
  key: "",
  iv: "",
  caption: "",
  mime_type: "application/octet-stream",
  attributes: LuaValue.sequence([]),
  w: 0n,
  h: 0n
}

/** A message with a file: what says where the file is and how it is encrypted may be left out of its media. */
export const fileDraft = (
  value: LuaValue.LuaValue | undefined,
  parseMode?: LuaValue.LuaValue | undefined
): Result.Result<FileDraft, LuaError | Refusal> => {
  const given = LuaValue.get(value, "media")
  if (!LuaValue.isTable(value) || !LuaValue.isTable(given)) {
    return Result.fail(
      invalid("message.media: a decryptedMessageMediaPhoto or decryptedMessageMediaDocument is needed")
    )
  }
  const whole = new Map(value).set("media", complete(given, mediaDefaults))
  return Result.flatMap(draft(whole, parseMode), (message) => {
    if (message._tag === "decryptedMessage") {
      const { media, ...rest } = message
      if (media?._tag === "decryptedMessageMediaPhoto" || media?._tag === "decryptedMessageMediaDocument") {
        const { iv: _, key: __, size: ___, ...described } = media
        return Result.succeed({ ...rest, media: described })
      }
    }
    return Result.fail(
      invalid("message.media: a decryptedMessageMediaPhoto or decryptedMessageMediaDocument is needed")
    )
  })
}

// ----- files of ordinary messages

export interface CloudFile {
  readonly location: Api.InputFileLocation
  readonly dc: number
  /** Bytes, if they are known. */
  readonly size: number | undefined
  readonly name: string | undefined
}

const sizeOfPhoto = (size: Api.PhotoSize): readonly [string, number] | undefined => {
  switch (size._tag) {
    case "photoSize":
      return [size.type, size.size]
    case "photoSizeProgressive":
      return [size.type, Math.max(0, ...size.sizes)]
    default:
      return undefined
  }
}

const photo = LuaTl.fromLua(ApiSchema.type("Photo"))
const document = LuaTl.fromLua(ApiSchema.type("Document"))

/** The file of an ordinary message, of an update with one, of its media, or a document or photo; `undefined` if it is none. */
export const cloudFile = (value: LuaValue.LuaValue | undefined, depth = 0): CloudFile | undefined => {
  const tag = LuaValue.get(value, "_")
  if (typeof tag !== "string" || depth > 4) return undefined
  switch (tag) {
    case "message":
      return cloudFile(LuaValue.get(value, "media"), depth + 1)
    case "messageMediaPhoto":
      return cloudFile(LuaValue.get(value, "photo"), depth + 1)
    case "messageMediaDocument":
      return cloudFile(LuaValue.get(value, "document"), depth + 1)
    case "document": {
      const found = Result.getOrUndefined(document(value!))
      if (found?._tag !== "document") return undefined
      const { accessHash, attributes, dcId, fileReference, id, size } = found
      const named = attributes.find((attribute) => attribute._tag === "documentAttributeFilename")
      return {
        location: { _tag: "inputDocumentFileLocation", id, accessHash, fileReference, thumbSize: "" },
        dc: dcId,
        size: Number(size),
        name: named?.fileName
      }
    }
    case "photo": {
      const found = Result.getOrUndefined(photo(value!))
      if (found?._tag !== "photo") return undefined
      let best: readonly [string, number] | undefined
      for (const size of found.sizes) {
        const one = sizeOfPhoto(size)
        if (one !== undefined && (best === undefined || one[1] > best[1])) best = one
      }
      if (best === undefined) return undefined
      const { accessHash, dcId, fileReference, id } = found
      return {
        location: { _tag: "inputPhotoFileLocation", id, accessHash, fileReference, thumbSize: best[0] },
        dc: dcId,
        size: best[1] > 0 ? best[1] : undefined,
        name: `photo_${id}.jpg`
      }
    }
    default:
      return tag.startsWith("update") ? cloudFile(LuaValue.get(value, "message"), depth + 1) : undefined
  }
}

// ----- files

const input = LuaTl.fromLua(ApiSchema.type("InputEncryptedFile"))

/** What `upload_encrypted` gives: what the server has, and the key to it. */
export const uploaded = (file: EncryptedFile.EncryptedFile, name: LuaValue.LuaValue): LuaValue.LuaTable => {
  const { iv, key } = Redacted.value(file.key)
  const place = LuaTl.toLua(ApiSchema.type("InputEncryptedFile"))(EncryptedFile.toInput(file)) as LuaValue.LuaTable
  return new Map(place)
    .set("key", LuaValue.fromBytes(key))
    .set("iv", LuaValue.fromBytes(iv))
    .set("size", BigInt(file.size ?? 0))
    .set("name", name)
}

/** A file: its content, what `upload_encrypted` gave, or a message that came with one. */
export const file = (
  value: LuaValue.LuaValue | undefined
): Result.Result<FileSource.FileSource | EncryptedFile.EncryptedFile, LuaError | Refusal> => {
  const content = LuaValue.get(value, "content")
  if (typeof content === "string") return Result.succeed(FileSource.fromBytes(LuaValue.toBytes(content)))
  const tag = LuaValue.get(value, "_")
  if (tag === "updateNewEncryptedMessage" || tag === "encryptedMessage") return received(value)
  if (tag === "inputEncryptedFileUploaded" || tag === "inputEncryptedFileBigUploaded") {
    const [key, iv, size] = ["key", "iv", "size"].map((name) => LuaValue.get(value, name))
    if (typeof key !== "string" || typeof iv !== "string" || key.length !== 32 || iv.length !== 32) {
      return Result.fail(invalid("file: key and iv of 32 bytes are needed, as upload_encrypted gives them"))
    }
    return Result.map(input(value!), (place) =>
      EncryptedFile.make({
        size: typeof size === "bigint" && size > 0n ? Number(size) : undefined,
        key: Redacted.make({ key: LuaValue.toBytes(key), iv: LuaValue.toBytes(iv) }, { label: "file key" }),
        place: { _tag: "Uploaded", input: place as never }
      }))
  }
  return Result.fail(invalid(
    "file: a path, a table with its content, the result of upload_encrypted, or a message with a file is needed"
  ))
}

const references = ["id", "access_hash", "size", "dc_id", "key_fingerprint"]

/** The file of a message that came. */
export const received = (
  value: LuaValue.LuaValue | undefined
): Result.Result<EncryptedFile.EncryptedFile, LuaError | Refusal> => {
  const outer = LuaValue.get(value, "_") === "updateNewEncryptedMessage" ? LuaValue.get(value, "message") : value
  const place = LuaValue.get(outer, "file")
  const numbers = references.map((name) => LuaValue.get(place, name))
  if (!numbers.every((number) => typeof number === "bigint")) {
    return Result.fail(invalid("This message has no file"))
  }
  const [id, accessHash, size, dcId, keyFingerprint] = numbers as [bigint, bigint, bigint, bigint, bigint]
  return Result.flatMap(draft(LuaValue.get(outer, "decrypted_message")), (message) => {
    if (message._tag !== "decryptedMessage") return Result.fail(invalid("This message has no file"))
    const found = EncryptedFile.from({
      message: DecryptedMessage.complete(message, { randomId: 0n, ttl: 0 }) as DecryptedMessage.DecryptedMessage,
      file: { id, accessHash, size, dcId: Number(dcId), keyFingerprint: Number(keyFingerprint) }
    })
    return Result.mapError(found, (error) => invalid(error.message))
  })
}
