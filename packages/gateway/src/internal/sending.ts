/** Operations that send into secret chats. */
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as Formatting from "@effect-mtproto/core/Formatting"
import * as TlJson from "@effect-mtproto/core/TlJson"
import * as EncryptedFile from "@effect-mtproto/secret-chats/EncryptedFile"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import type { Outcome } from "@effect-mtproto/secret-chats/Outcome"
import type { FileReference } from "@effect-mtproto/secret-chats/protocol/Events"
import * as RawMessage from "@effect-mtproto/secret-chats/RawMessage"
import { SecretChats } from "@effect-mtproto/secret-chats/SecretChats"
import { sendEncryptedService } from "@effect-mtproto/secret-chats/sendEncryptedService"
import { uploadEncryptedFile } from "@effect-mtproto/secret-chats/uploadEncryptedFile"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Failure from "../Failure.ts"
import * as Formatted from "../Formatted.ts"
import * as LoosePeer from "../LoosePeer.ts"
import * as LooseTl from "../LooseTl.ts"
import * as Params from "../Params.ts"
import { Runtime, type Services } from "../Sessions.ts"
import type { File } from "./body.ts"
import { type Call, type Gateway, json, type Operation } from "./call.ts"

// ----- what is sent

const invalid = (problem: string) => Failure.badRequest(`Parameter message: ${problem}`, "MESSAGE_INVALID")

const isPlain = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const refuse = (value: unknown): Failure.Failure | undefined => {
  if (value === undefined || value === null) return invalid("a DecryptedMessage is required")
  if (!isPlain(value)) return invalid("a DecryptedMessage as JSON is required, or a text")
  return undefined
}

const failed = (error: unknown): Failure.Failure => {
  const { description } = Failure.fromError(error)
  return invalid(description.replace(/^(Parameter|The parameters):? ?/, "").replace(/^expected/, "expected"))
}

/** A message as it is given: a `DecryptedMessage`, or a text. */
const draft = (
  value: unknown,
  randomId: bigint | undefined,
  parseMode: unknown
): Result.Result<DecryptedMessage.AnyDraft, Failure.Failure> => {
  if (typeof value === "string") {
    if (parseMode === undefined) return Result.succeed(named(DecryptedMessage.message(value), randomId))
    return draft({ _: "decryptedMessage", message: value }, randomId, parseMode)
  }
  const refusal = refuse(value)
  if (refusal !== undefined) return Result.fail(refusal)
  return Result.flatMap(
    Formatted.message(value as Formatted.JsonObject, parseMode),
    (whole) =>
      Result.mapBoth(DecryptedMessage.fromJson(whole), {
        onFailure: failed,
        onSuccess: (made) => named(made, randomId)
      })
  )
}

const named = <D extends { readonly randomId?: bigint }>(made: D, randomId: bigint | undefined): D =>
  randomId === undefined || made.randomId !== undefined ? made : { ...made, randomId }

const decodeMessage = TlJson.decodeResult(DecryptedMessage.DecryptedMessage, { onMissing: "default" })
const decodeMedia = TlJson.decodeResult(DecryptedMessage.DecryptedMessageMedia, { onMissing: "default" })

const isFileMedia = (
  media: DecryptedMessage.DecryptedMessageMedia | undefined
): media is Media.FileMedia & typeof media =>
  media?._tag === "decryptedMessageMediaPhoto" || media?._tag === "decryptedMessageMediaDocument"

/** A message with a file: key, initialisation vector and size are those of the file, so they may be missing. */
const fileDraft = (
  params: Params.Params,
  file: { readonly name: string; readonly contentType: string } | undefined,
  randomId: bigint | undefined
): Result.Result<Media.FileDraft, Failure.Failure> => {
  const given = params["message"]
  const caption = typeof params["caption"] === "string" ? params["caption"] : undefined
  if (given === undefined || given === null || typeof given === "string") {
    const media = Media.document({
      fileName: file?.name,
      mimeType: file?.contentType === "" ? undefined : file?.contentType,
      caption
    })
    const text = typeof given === "string" ? given : ""
    if (params["parse_mode"] === undefined || text === "") {
      return Result.succeed(named(Media.message(media, { text }), randomId))
    }
    return Result.map(Formatted.parse(text, params["parse_mode"]), ({ entities, text }) => {
      const made = { ...Media.message(media, { text }), entities: Formatting.toSecret(entities) }
      return named(made, randomId)
    })
  }
  const refusal = refuse(given)
  if (refusal !== undefined) return Result.fail(refusal)
  const marked = Formatted.message(given as Formatted.JsonObject, params["parse_mode"])
  if (Result.isFailure(marked)) return Result.fail(marked.failure)
  const value = marked.success
  const fileless = Result.fail(invalid("a photo or a document is required as media"))
  if (value["_"] !== "decryptedMessage") {
    const media = decodeMedia(value)
    if (Result.isFailure(media)) return Result.fail(failed(media.failure))
    return isFileMedia(media.success) ? Result.succeed(named(Media.message(media.success), randomId)) : fileless
  }
  const message = decodeMessage(value)
  if (Result.isFailure(message)) return Result.fail(failed(message.failure))
  const { media, randomId: own, ttl, ...rest } = message.success
  if (!isFileMedia(media)) return fileless
  return Result.succeed(named({
    ...rest,
    media,
    ...own === 0n ? {} : { randomId: own },
    ...value["ttl"] === undefined ? {} : { ttl }
  }, randomId))
}

// ----- what came of it

/** The file of a message, if it has one. */
export const fileJson = (file: FileReference | undefined) =>
  file === undefined ? {} : { file: { _: "encryptedFile", ...LooseTl.toJson(file) as object } }

/** An outcome as the server's answer, with what names the message. */
export const outcome = ({ _tag, chatId, date, file, index, randomId }: Outcome) => ({
  _: _tag,
  date,
  chat_id: chatId,
  random_id: randomId.toString(),
  index,
  ...fileJson(file)
})

const outcomes = (result: Outcome | ReadonlyArray<Outcome>) =>
  Array.isArray(result) ? result.map(outcome) : outcome(result as Outcome)

// ----- order

/** A chat that is not loaded yet takes what is sent in the order in which loading ends; so it is loaded first. */
const warmUp = Effect.fnUntraced(function*(chatId: number) {
  const { warm } = yield* Runtime
  const chats = yield* SecretChats
  const { state } = yield* chats.get(chatId)
  if (state !== "ready") return
  // of a chat that is ready this asks for nothing but its state
  yield* chats.accept(chatId)
  if (warm.size >= 10_000) warm.clear()
  warm.add(chatId)
})

/**
 * Waits for a fiber, but not for ever; whoever is interrupted meanwhile takes the fiber with it. A timer of its own: to race
 * two fibers would cost every message a third one.
 */
const within = <A, E>(
  fiber: Fiber.Fiber<A, E>,
  millis: number,
  late: Failure.Failure
): Effect.Effect<A, E | Failure.Failure> =>
  Effect.callback((resume) => {
    const timer = setTimeout(() => {
      leave()
      fiber.interruptUnsafe()
      resume(Effect.fail(late))
    }, millis)
    const unobserve = fiber.addObserver((exit) => {
      clearTimeout(timer)
      resume(exit)
    })
    const leave = () => {
      clearTimeout(timer)
      unobserve()
    }
    return Effect.suspend(() => {
      leave()
      return Fiber.interrupt(fiber)
    })
  })

/** Runs an effect in the session of a call; it begins when those that came before have begun. */
export const inOrder = <A>(
  { options, sessions }: Gateway,
  { session, turn }: Call,
  chatId: number,
  effect: Effect.Effect<A, unknown, Services>
): Effect.Effect<A, unknown> => {
  const send = sessions.run(
    session.id,
    Effect.flatMap(Runtime, ({ warm }) => {
      const begun = Effect.flatMap(Effect.forkChild(effect, { startImmediately: true }), (fiber) => {
        turn.end()
        return within(fiber, Duration.toMillis(options.limits.requestTime), timedOut)
      })
      return warm.has(chatId) ? begun : Effect.andThen(Effect.ignore(warmUp(chatId)), begun)
    })
  )
  return Effect.ensuring(Effect.andThen(turn.begin, send), Effect.sync(turn.end))
}

/** What is answered when a call takes too long. */
export const timedOut = new Failure.Failure({
  code: 504,
  type: "TIMEOUT",
  description: "The call took too long; a message that is stored by now is sent all the same",
  transient: true
})

// ----- operations

const chatIdOf = (params: Params.Params) => Effect.fromResult(LoosePeer.chatId(params["peer"]))

/** A message that is TL already, as bytes in JSON or in base64. */
const rawDraft = (
  params: Params.Params,
  randomId: bigint | undefined
): Result.Result<DecryptedMessage.AnyDraft, Failure.Failure> => {
  const { data, message } = params
  if (message !== undefined) {
    return Result.fail(Failure.badRequest("The parameters message and data exclude each other", "PARAMETERS_INVALID"))
  }
  const given = typeof data === "string" ? bytes({ _: "bytes", bytes: data }) : bytes(data)
  if (given === undefined) {
    return Result.fail(Failure.badRequest("Parameter data: expected bytes in base64", "PARAMETERS_INVALID"))
  }
  return Result.mapBoth(RawMessage.fromBytes(given), {
    onFailure: ({ problem }) => Failure.badRequest(`Parameter data: ${problem}`, "MESSAGE_INVALID"),
    onSuccess: (made) => named(made, randomId)
  })
}

/** Makes an effect without looking for who makes it: of each call that would cost a walk over the stack, and it is here. */
const untraced = <A>(make: () => A): A => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = limit
  }
}

const send = (via: "service" | "message"): Operation => (gateway, call) => {
  const { params, randomId } = call
  const peer = LoosePeer.chatId(params["peer"])
  if (Result.isFailure(peer)) return Effect.fail(peer.failure)
  const chatId = peer.success
  const drafted = params["data"] === undefined
    ? draft(params["message"], randomId, params["parse_mode"])
    : rawDraft(params, randomId)
  if (Result.isFailure(drafted)) return Effect.fail(drafted.failure)
  const message = drafted.success
  const flag = Params.flag(params, "silent")
  if (Result.isFailure(flag)) return Effect.fail(flag.failure)
  const silent = flag.success
  const program = via === "service"
    ? untraced(() => sendEncryptedService(chatId, message))
    : SecretChats.use((chats) =>
      chats.send(chatId, silent && message._tag === "decryptedMessage" ? { ...message, silent } : message)
    )
  return Effect.map(inOrder(gateway, call, chatId, program), (sent) => json(outcomes(sent)))
}

export const sendService: Operation = send("service")
export const sendMessage: Operation = send("message")

const source = (file: File, size: number | undefined) => FileSource.fromStream(file.content, { size })

const sizeOf = (params: Params.Params) =>
  Effect.map(
    Effect.fromResult(Params.int(params, "size", { min: 0, max: 4_194_304_000, fallback: 0 })),
    (size) => size === 0 ? undefined : size
  )

const noFile = Failure.badRequest("A file is required, as the last part of a multipart form", "FILE_MISSING")

export const sendFile: Operation = Effect.fnUntraced(function*(gateway, call) {
  const { file, params } = call
  const chatId = yield* chatIdOf(params)
  const message = yield* Effect.fromResult(fileDraft(params, file, call.randomId))
  const size = yield* sizeOf(params)
  const content = file === undefined ? yield* Effect.fromResult(fromJson(params["file"])) : source(file, size)
  // an upload takes its time, and keeps nobody waiting
  call.turn.end()
  const { encrypted: _, more, ...first } = yield* gateway.sessions.use(
    call.session.id,
    SecretChats.use((chats) => chats.sendFile(chatId, message, content))
  )
  if (first.file !== undefined) {
    const reference = JSON.stringify(LooseTl.toJson(first.file))
    yield* gateway.store.putFile(call.session.id, first.chatId, first.randomId, reference)
  }
  return json(outcomes(more.length === 0 ? first : [first, ...more]))
})

/** An uploaded file, with its key: the caller's, to be given to `sendEncryptedFile`. */
export const upload: Operation = Effect.fnUntraced(function*(gateway, { file, params, session }) {
  if (file === undefined) return yield* noFile
  const size = yield* sizeOf(params)
  const made = yield* gateway.sessions.use(session.id, uploadEncryptedFile(source(file, size)))
  if (made.place._tag !== "Uploaded") return yield* Failure.internal
  const { iv, key } = Redacted.value(made.key)
  return json({
    ...LooseTl.toJson(made.place.input) as object,
    key: LooseTl.toJson(key),
    iv: LooseTl.toJson(iv),
    ...made.size === undefined ? {} : { size: made.size },
    name: file.name,
    mime_type: file.contentType
  })
})

const bytes = (value: unknown): Uint8Array | undefined => {
  if (!isPlain(value) || value["_"] !== "bytes" || typeof value["bytes"] !== "string") return undefined
  const decoded = Base64.decode(value["bytes"])
  return Result.isSuccess(decoded) ? decoded.success : undefined
}

/** What `upload` has answered. */
const fromJson = (value: unknown): Result.Result<EncryptedFile.EncryptedFile, Failure.Failure> => {
  if (value === undefined || value === null) return Result.fail(noFile)
  const wrong = Result.fail(
    Failure.badRequest("Parameter file: what uploadEncrypted has answered is required", "FILE_INVALID")
  )
  if (!isPlain(value)) return wrong
  const key = bytes(value["key"])
  const iv = bytes(value["iv"])
  const id = Params.long(value, "id")
  const parts = Params.int(value, "parts", { min: 1, max: 8_000 })
  const keyFingerprint = Params.int(value, "key_fingerprint", { min: -(2 ** 31), max: 2 ** 31 - 1 })
  const size = Params.int(value, "size", { min: 0, max: 4_194_304_000, fallback: 0 })
  if (
    key?.length !== 32 || iv?.length !== 32 || Result.isFailure(id) || Result.isFailure(parts) ||
    Result.isFailure(keyFingerprint) || Result.isFailure(size)
  ) return wrong
  const common = { id: id.success, parts: parts.success, keyFingerprint: keyFingerprint.success }
  const checksum = typeof value["md5_checksum"] === "string" ? value["md5_checksum"] : ""
  const tag = value["_"]
  if (tag !== "inputEncryptedFileUploaded" && tag !== "inputEncryptedFileBigUploaded") return wrong
  return Result.succeed(EncryptedFile.make({
    size: size.success === 0 ? undefined : size.success,
    key: Redacted.make({ key, iv }, { label: "file key" }),
    place: {
      _tag: "Uploaded",
      input: tag === "inputEncryptedFileUploaded"
        ? { _tag: tag, ...common, md5Checksum: checksum }
        : { _tag: tag, ...common }
    }
  }))
}
