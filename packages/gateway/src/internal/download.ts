/** Files that came with messages, as they are decrypted; whole, or from a position on. */
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import { downloadEncryptedFilePieces, type DownloadPosition } from "@effect-mtproto/secret-chats/downloadEncryptedFile"
import * as EncryptedFile from "@effect-mtproto/secret-chats/EncryptedFile"
import type { FileReference } from "@effect-mtproto/secret-chats/protocol/Events"
import { SecretChats } from "@effect-mtproto/secret-chats/SecretChats"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Failure from "../Failure.ts"
import * as Json from "../Json.ts"
import * as LoosePeer from "../LoosePeer.ts"
import * as Params from "../Params.ts"
import { type Call, type Gateway, type Operation, response } from "./call.ts"
import { noMessage } from "./chats.ts"

// ----- which file

const isPlain = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const int32 = { min: -(2 ** 31), max: 2 ** 31 - 1 }

const reference = (value: unknown): FileReference | undefined => {
  if (!isPlain(value)) return undefined
  const id = Params.long(value, "id")
  const accessHash = Params.long(value, "access_hash")
  const size = Params.long(value, "size")
  const dcId = Params.int(value, "dc_id", int32)
  const keyFingerprint = Params.int(value, "key_fingerprint", int32)
  return Result.isSuccess(id) && Result.isSuccess(accessHash) && Result.isSuccess(size) && Result.isSuccess(dcId) &&
      Result.isSuccess(keyFingerprint)
    ? {
      id: id.success,
      accessHash: accessHash.success,
      size: size.success,
      dcId: dcId.success,
      keyFingerprint: keyFingerprint.success
    }
    : undefined
}

interface Found {
  readonly message: DecryptedMessage.DecryptedMessage
  readonly file?: FileReference
}

const wrong = Failure.badRequest(
  "peer and random_id of a message are required, or message as it came in an update",
  "PARAMETERS_INVALID"
)

/** A message as it came in an update: what is needed is in it. */
const fromUpdate = (value: unknown, depth = 0): Result.Result<Found, Failure.Failure> => {
  if (!isPlain(value) || depth > 2) return Result.fail(wrong)
  if (isPlain(value["update"])) return fromUpdate(value["update"], depth + 1)
  if (value["_"] === "updateNewEncryptedMessage") return fromUpdate(value["message"], depth + 1)
  const message = DecryptedMessage.fromJson(value["decrypted_message"])
  if (Result.isFailure(message) || message.success._tag !== "decryptedMessage") return Result.fail(wrong)
  const file = reference(value["file"])
  const complete = DecryptedMessage.complete(message.success, { randomId: 1n, ttl: 0 })
  return Result.succeed({
    message: complete as DecryptedMessage.DecryptedMessage,
    ...file === undefined ? {} : { file }
  })
}

const fromHistory = Effect.fnUntraced(function*({ store }: Gateway, { params, session }: Call) {
  const chatId = yield* Effect.fromResult(LoosePeer.chatId(params["peer"]))
  const randomId = yield* Effect.fromResult(Params.long(params, "random_id"))
  const chats = yield* SecretChats
  const found = yield* chats.message(chatId, randomId)
  if (Option.isNone(found)) return yield* noMessage
  const stored = yield* store.getFile(session.id, chatId, randomId)
  const parsed = stored === undefined ? undefined : Json.parse(stored)
  const file = parsed !== undefined && Result.isSuccess(parsed) ? reference(parsed.success) : undefined
  return { message: found.value.message, ...file === undefined ? {} : { file } } satisfies Found as Found
})

// ----- which part of it

type Range = { readonly start: number; readonly end: number }

/** The one range that is asked for, `end` inclusive; `undefined` = all, `null` = none of it exists. */
const rangeOf = (header: string | undefined, size: number): Range | undefined | null => {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "")
  // what is not understood is ignored, as is more than one range
  if (match === null || (match[1] === "" && match[2] === "")) return undefined
  if (match[1] === "") {
    const length = Math.min(Number(match[2]), size)
    return length === 0 ? null : { start: size - length, end: size - 1 }
  }
  const start = Number(match[1])
  const end = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1)
  if (start >= size) return null
  return start > end ? undefined : { start, end }
}

/**
 * Where earlier downloads have been: a file is decrypted from its beginning, or from where the cipher is known to stand.
 * Nothing of it is stored.
 */
const positions = new Map<string, Array<DownloadPosition>>()
const MAX_FILES = 64
const MAX_POSITIONS = 256

const note = (name: string, position: DownloadPosition): void => {
  let list = positions.get(name)
  if (list === undefined) {
    if (positions.size >= MAX_FILES) positions.delete(positions.keys().next().value!)
    positions.set(name, list = [])
  }
  if (list.length >= MAX_POSITIONS || list.some((other) => other.offset === position.offset)) return
  list.push(position)
}

const nearest = (name: string, offset: number): DownloadPosition | undefined => {
  let best: DownloadPosition | undefined
  for (const position of positions.get(name) ?? []) {
    if (position.offset <= offset && (best === undefined || position.offset > best.offset)) best = position
  }
  return best
}

const cut = (name: string, file: EncryptedFile.EncryptedFile, range: Range) => {
  const from = nearest(name, range.start)
  let at = from?.offset ?? 0
  return downloadEncryptedFilePieces(file, from === undefined ? {} : { from }).pipe(
    Stream.map(({ bytes, position }) => {
      const piece = bytes.subarray(Math.max(0, range.start - at), Math.max(0, range.end + 1 - at))
      at += bytes.length
      note(name, position)
      return piece
    }),
    Stream.takeUntil(() => at > range.end),
    Stream.filter((piece) => piece.length > 0)
  )
}

// ----- the operation

const header = (text: string): string => encodeURIComponent(text).replaceAll("'", "%27")

const mimePattern = /^[a-z0-9][a-z0-9.+-]{0,63}\/[a-z0-9][a-z0-9.+-]{0,63}$/i

export const download: Operation = Effect.fnUntraced(function*(gateway, call) {
  const { params, request, scope, session } = call
  // the session stays open as long as somebody reads
  const context = yield* Scope.provide(gateway.sessions.open(session.id), scope)
  const found = params["message"] === undefined
    ? yield* gateway.sessions.use(session.id, fromHistory(gateway, call))
    : yield* Effect.fromResult(fromUpdate(params["message"]))
  const file = yield* Effect.fromResult(EncryptedFile.from(found))
  if (file.place._tag !== "Stored") return yield* Failure.make(404, "FILE_UNAVAILABLE", "The server has no such file")
  const { id, size: stored } = file.place.reference
  const size = file.size ?? Number(stored)
  const range = rangeOf(request?.headers["range"], size)
  if (range === null) {
    return yield* new Failure.Failure({
      code: 416,
      type: "RANGE_INVALID",
      description: `The file has ${size} bytes`,
      contentRange: `bytes */${size}`
    })
  }
  const { end, start } = range ?? { start: 0, end: size - 1 }
  const { media } = found.message
  const mime = media?._tag === "decryptedMessageMediaPhoto"
    ? "image/jpeg"
    : media?._tag === "decryptedMessageMediaDocument" && mimePattern.test(media.mimeType)
    ? media.mimeType
    : "application/octet-stream"
  const named = media?._tag === "decryptedMessageMediaDocument"
    ? media.attributes.find((attribute) => attribute._tag === "documentAttributeFilename")?.fileName
    : undefined
  const pull = yield* Stream.toPull(cut(`${session.id} ${id}`, file, { start, end })).pipe(
    Scope.provide(scope),
    Effect.provideContext(context)
  )
  // What cannot be had at all is an error, not a body that breaks off: the first piece is waited for.
  const first = yield* Pull.catchDone(Effect.provideContext(pull, context), () => Effect.succeed([]))
  const rest = Stream.fromPull(Effect.succeed(Effect.provideContext(pull, context)))
  return response(HttpServerResponse.stream(Stream.concat(Stream.fromIterable(first), rest), {
    status: range === undefined ? 200 : 206,
    contentType: mime,
    contentLength: end - start + 1,
    headers: {
      "accept-ranges": "bytes",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; sandbox",
      "content-disposition": named === undefined ? "attachment" : `attachment; filename*=UTF-8''${header(named)}`,
      ...range === undefined ? {} : { "content-range": `bytes ${start}-${end}/${size}` }
    }
  }))
})
