/**
 * The body of a request: JSON, a form, or a form with a file that is handed on as it comes.
 */
import * as ByteSize from "effect/ByteSize"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Multipart from "effect/http/Multipart"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { IncomingMessage } from "node:http"
import * as Failure from "../Failure.ts"
import type { FixedLimits } from "../GatewayOptions.ts"
import * as Params from "../Params.ts"

/** A file on its way in; it can be read once. */
export interface File {
  readonly name: string
  readonly contentType: string
  readonly content: Stream.Stream<Uint8Array, Failure.Failure>
}

const tooLarge = Failure.make(413, "BODY_TOO_LARGE", "The body is too large")
const tooSlow = Failure.make(408, "BODY_TOO_SLOW", "The body did not arrive in time")
const unsupported = Failure.make(
  415,
  "CONTENT_TYPE_UNSUPPORTED",
  "The body has to be application/json, application/x-www-form-urlencoded or multipart/form-data"
)
const otherCharset = Failure.make(415, "CHARSET_UNSUPPORTED", "The body has to be in UTF-8")
const compressed = Failure.make(415, "CONTENT_ENCODING_UNSUPPORTED", "The body must not be compressed")
const unreadable = Failure.badRequest("The body could not be read", "BODY_INVALID")

const isTooLarge = (error: unknown): boolean => {
  const reason = (error as { readonly reason?: { readonly _tag?: unknown; readonly reason?: unknown } }).reason
  return reason?.reason === "BodyTooLarge" || reason?._tag === "BodyTooLarge" || reason?._tag === "FileTooLarge" ||
    reason?._tag === "FieldTooLarge" || reason?._tag === "TooManyParts"
}

const toFailure = (error: unknown): Failure.Failure =>
  error instanceof Failure.Failure ? error : isTooLarge(error) ? tooLarge : unreadable

const utf8 = new TextDecoder("utf-8", { fatal: true })
const charsets = new Set(["utf-8", "utf8", "us-ascii", ""])
const empty: Params.Params = Object.freeze(Object.create(null))

const mediaType = (request: HttpServerRequest.HttpServerRequest): string =>
  (request.headers["content-type"] ?? "").split(";", 1)[0]!.trim().toLowerCase()

const hasBody = (request: HttpServerRequest.HttpServerRequest): boolean =>
  request.headers["transfer-encoding"] !== undefined ||
  (request.headers["content-length"] !== undefined && request.headers["content-length"] !== "0")

/**
 * The whole of a small body, as the server hands it on. Reading it in steps of fibers would cost more than all else that a
 * request does before it is understood.
 */
const readSource = (source: IncomingMessage, limits: FixedLimits): Effect.Effect<Uint8Array, Failure.Failure> =>
  Effect.callback((resume) => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    const leave = () => {
      clearTimeout(timer)
      source.off("data", onData).off("end", onEnd).off("error", onBreak).off("close", onBreak)
    }
    const end = (effect: Effect.Effect<Uint8Array, Failure.Failure>) => {
      leave()
      resume(effect)
    }
    const give = (failure: Failure.Failure) => {
      // the rest is the server's to get rid of, when the answer has been sent
      source.pause()
      end(Effect.fail(failure))
    }
    const onData = (chunk: Uint8Array) => {
      size += chunk.length
      if (size > limits.body) give(tooLarge)
      else chunks.push(chunk)
    }
    const onEnd = () => end(Effect.succeed(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    const onBreak = () => end(Effect.fail(unreadable))
    const timer = setTimeout(() => give(tooSlow), Duration.toMillis(limits.bodyTime))
    source.on("data", onData).on("end", onEnd).on("error", onBreak).on("close", onBreak)
    return Effect.sync(leave)
  })

/** The same for a client that waits to be told to go on, which only the server can do. */
const readPatient = (
  request: HttpServerRequest.HttpServerRequest,
  limits: FixedLimits
): Effect.Effect<Uint8Array, Failure.Failure> => {
  const reading = Effect.provideService(
    request.arrayBuffer,
    HttpIncomingMessage.MaxBodySize,
    ByteSize.fromInputUnsafe(limits.body)
  )
  // Who gives up does not interrupt the reading: that would close the connection, and with it the way of the answer.
  return Effect.flatMap(Effect.forkDetach(reading, { startImmediately: true }), Fiber.join).pipe(
    Effect.mapBoth({ onSuccess: (buffer) => new Uint8Array(buffer), onFailure: toFailure }),
    Effect.timeoutOrElse({ duration: limits.bodyTime, orElse: () => Effect.fail(tooSlow) })
  )
}

/** Text of a body that fits into memory. */
const readText = (
  request: HttpServerRequest.HttpServerRequest,
  limits: FixedLimits
): Effect.Effect<string, Failure.Failure> => {
  if (Number(request.headers["content-length"] ?? 0) > limits.body) return Effect.fail(tooLarge)
  const bytes = request.headers["expect"] === undefined
    ? readSource(request.source as IncomingMessage, limits)
    : readPatient(request, limits)
  return Effect.flatMap(bytes, (whole) => {
    try {
      return Effect.succeed(utf8.decode(whole))
    } catch {
      return Effect.fail(unreadable)
    }
  })
}

/**
 * Reads the body and goes on with its parameters, and with the file if there is one. A file has to be the last part: it is
 * not kept anywhere, but read by `next` as it comes.
 */
export const read = <A, E, R>(
  request: HttpServerRequest.HttpServerRequest,
  limits: FixedLimits,
  next: (params: Params.Params, file: File | undefined) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | Failure.Failure, R> => {
  if (!hasBody(request)) return next(empty, undefined)
  const { "content-encoding": encoding, "content-type": type = "" } = request.headers
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") return Effect.fail(compressed)
  const charset = type.includes(";") ? /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(type)?.[1]?.toLowerCase() : undefined
  if (charset !== undefined && !charsets.has(charset)) return Effect.fail(otherCharset)
  switch (mediaType(request)) {
    case "application/json":
    case "text/json":
      return Effect.flatMap(
        readText(request, limits),
        (text) => Effect.flatMap(Effect.fromResult(Params.fromJson(text)), (params) => next(params, undefined))
      )
    // some clients do not say what they send
    case "":
    case "application/x-www-form-urlencoded":
      return Effect.flatMap(readText(request, limits), (text) => {
        // if the body is JSON it is taken as such, whatever it says: this is what curl -d calls everything
        const parsed = /^\s*\{/.test(text) ? Params.fromJson(text) : undefined
        const form = parsed !== undefined && Result.isSuccess(parsed) ? parsed : Params.fromQuery(text)
        return Effect.flatMap(Effect.fromResult(form), (params) => next(params, undefined))
      })
    case "multipart/form-data":
      return readMultipart(request, limits, next)
    default:
      return Effect.fail(unsupported)
  }
}

const MAX_PARTS = 64

const readMultipart = <A, E, R>(
  request: HttpServerRequest.HttpServerRequest,
  limits: FixedLimits,
  next: (params: Params.Params, file: File | undefined) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | Failure.Failure, R> => {
  const services = Multipart.limitsServices({
    // what has a name is a file, whatever it holds
    fieldMimeTypes: [],
    maxParts: MAX_PARTS,
    maxFieldSize: limits.body,
    maxFileSize: limits.file,
    maxTotalSize: limits.file + limits.body
  })
  return Effect.scoped(Effect.gen(function*() {
    const parts = yield* Effect.provideContext(
      Stream.toPull(Stream.pipeThroughChannel(request.stream, Multipart.makeChannel(request.headers))),
      services
    )
    /** The next parts; none at the end of the form. */
    const more = parts.pipe(
      Effect.provideContext(services),
      Effect.timeoutOrElse({ duration: limits.fileIdle, orElse: () => Effect.fail(tooSlow) }),
      Pull.catchDone(() => Effect.succeed<ReadonlyArray<Multipart.Part>>([])),
      Effect.mapError(toFailure)
    )
    const pairs: Array<readonly [string, string]> = []
    let size = 0
    while (true) {
      const batch = yield* more
      if (batch.length === 0) break
      for (const [i, part] of batch.entries()) {
        if (Multipart.isField(part)) {
          size += part.key.length + part.value.length
          if (size > limits.body) return yield* tooLarge
          pairs.push([part.key, part.value])
        } else if (Multipart.isFile(part)) {
          if (i < batch.length - 1) return yield* notLast
          const params = yield* Effect.fromResult(Params.fromPairs(pairs))
          const content = part.content.pipe(
            Stream.mapError(toFailure),
            Stream.timeoutOrElse({ duration: limits.fileIdle, orElse: () => Stream.fail(tooSlow) }),
            // A form that breaks off, or is too large, ends its file as if it were whole: only what follows tells.
            Stream.concat(
              Stream.fromEffectDrain(
                Effect.flatMap(more, (rest) => rest.length === 0 ? Effect.void : Effect.fail(notLast))
              )
            )
          )
          return yield* next(params, { name: part.name, contentType: part.contentType, content })
        }
      }
    }
    return yield* next(yield* Effect.fromResult(Params.fromPairs(pairs)), undefined)
  }))
}

const notLast = Failure.badRequest("The file has to be the last part of the form, and the only one", "BODY_INVALID")
