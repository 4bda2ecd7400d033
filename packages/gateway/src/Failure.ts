/**
 * What the gateway answers in place of a result, and how everything that can go wrong becomes that.
 *
 * The HTTP status is `code`; `type` is a word for programs, the server's own where the server said it (`DATA_INVALID`),
 * `description` is a sentence for people. Nothing of it holds a key, a token, a phone number or a text.
 *
 * | status | when |
 * | --- | --- |
 * | 400 | a request that cannot be understood; what the server says with 400 |
 * | 401 | no such token; the login is not complete, or has ended |
 * | 403, 406, … | as the server said it |
 * | 404 | no such path, method, secret chat or file |
 * | 405 | neither GET nor POST |
 * | 408 | the body did not come in time |
 * | 409 | the secret chat is not ready or is closed; updates go to a webhook; a request with the same key is under way |
 * | 413 | the body, or the message, is too large |
 * | 415 | a body of another kind than documented |
 * | 416 | the file has no such range |
 * | 422 | an `Idempotency-Key` was used for another request |
 * | 429 | flood wait, or the gateway's own limit; `retry_after` says when |
 * | 500 | a failure of the gateway, of its store; what the server says with 500 |
 * | 502, 504 | Telegram cannot be reached; it does not answer in time |
 * | 503 | another process uses the session; the gateway is shutting down |
 *
 * @since 1.0.0
 */
import type { Outcome } from "@effect-mtproto/secret-chats/Outcome"
import { TransportErrorReason } from "@effect-mtproto/transport/Transport"
import * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"

/**
 * @category errors
 * @since 1.0.0
 */
export class Failure extends Schema.TaggedError<Failure>()("Failure", {
  /** 400 to 599. */
  code: Schema.Int,
  /** `DATA_INVALID`, `CHAT_UNKNOWN`, … */
  type: Schema.String,
  description: Schema.String,
  /** Seconds. */
  retryAfter: Schema.optionalKey(Schema.Int),
  /** The value of the header `Content-Range`, for a range that a file does not have. */
  contentRange: Schema.optionalKey(Schema.String),
  /** Outcomes that were obtained before, of a message that was sent in parts. */
  sent: Schema.optionalKey(Schema.Unknown),
  /** Whether trying the same again may have another end. */
  transient: Schema.optionalKey(Schema.Boolean)
}) {
  override get message(): string {
    return this.description
  }
}

/**
 * @category constructors
 * @since 1.0.0
 */
export const make = (code: number, type: string, description: string): Failure =>
  new Failure({ code, type, description })

/**
 * @category constructors
 * @since 1.0.0
 */
export const badRequest = (description: string, type = "BAD_REQUEST"): Failure => make(400, type, description)

// The sentences are those that programs written for the first such server look for.

/** @category constants @since 1.0.0 */
export const noToken = make(401, "TOKEN_MISSING", "No token was provided.")

/** @category constants @since 1.0.0 */
export const wrongToken = make(401, "TOKEN_INVALID", "Invalid user token provided")

/** @category constants @since 1.0.0 */
export const wrongBotToken = make(401, "TOKEN_INVALID", "Invalid bot token provided")

/** @category constants @since 1.0.0 */
export const noMethod = make(400, "METHOD_MISSING", "Missing method to call.")

/** @category constants @since 1.0.0 */
export const unparsable = badRequest("Could not parse parameters.", "PARAMETERS_INVALID")

/** @category constants @since 1.0.0 */
export const notFound = make(404, "NOT_FOUND", "Path not found")

/** @category constants @since 1.0.0 */
export const internal = make(500, "INTERNAL", "The gateway has failed; its log says more")

const isRecord = (u: unknown): u is { readonly [key: string]: unknown } => typeof u === "object" && u !== null

const isStatus = (code: unknown): code is number =>
  typeof code === "number" && Number.isInteger(code) && code >= 400 && code <= 599

const transportCodes: { readonly [reason in TransportErrorReason]: readonly [number, boolean] } = {
  closed: [503, true],
  timeout: [504, true],
  unreachable: [502, true],
  handshake: [502, true],
  unauthorized: [401, false],
  duplicated: [401, false],
  locked: [503, true],
  protocol: [502, false],
  "invalid-request": [400, false],
  "too-large": [413, false],
  uncertain: [504, true],
  store: [500, true],
  configuration: [500, false]
}

const isReason = Schema.is(TransportErrorReason)

const fileCodes: { readonly [reason: string]: number } = {
  "too-large": 413,
  unavailable: 404,
  "no-file": 404,
  "part-missing": 502,
  "part-refused": 502,
  "answer-invalid": 502,
  "other-datacenter": 502,
  state: 500
}

const screaming = (word: string): string => word.replaceAll("-", "_").toUpperCase()

const sentOf = (error: { readonly [key: string]: unknown }): { readonly sent?: ReadonlyArray<Outcome> } =>
  Array.isArray(error["sent"]) && error["sent"].length > 0 ? { sent: error["sent"] } : {}

/**
 * The failure that an error of any layer becomes. What is not known is `internal`, and its text is not shown.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fromError = (error: unknown): Failure => {
  if (error instanceof Failure) return error
  if (!isRecord(error) || typeof error["_tag"] !== "string") return internal
  const description = typeof error["message"] === "string" ? error["message"] : error["_tag"]
  const { reason, seconds, type } = error
  // errors of the server, whatever their tag
  if (typeof type === "string" && typeof error["code"] === "number" && error["_tag"] !== "FileError") {
    const code = error["code"]
    if (typeof seconds === "number" && /_WAIT_\d+$/.test(type)) {
      return new Failure({
        code: 429,
        type,
        description: `Too Many Requests: retry after ${seconds}`,
        retryAfter: seconds,
        transient: true,
        ...sentOf(error)
      })
    }
    return new Failure({
      code: isStatus(code) ? code : code >= 600 || code < 0 ? 500 : 400,
      type,
      description: `${type}: ${description}`,
      transient: code >= 500 || code < 0,
      ...sentOf(error)
    })
  }
  const of = (code: number, word: string, transient = false) =>
    new Failure({ code, type: word, description, transient, ...sentOf(error) })
  switch (error["_tag"]) {
    case "SecretChatUnknown":
      return error["chatId"] === undefined ? of(400, "PEER_INVALID") : of(404, "CHAT_UNKNOWN")
    case "SecretChatNotReady":
      return of(409, "CHAT_NOT_READY", true)
    case "SecretChatClosed":
      return of(409, "CHAT_CLOSED")
    case "MessageInvalid":
      return of(400, "MESSAGE_INVALID")
    case "TransportError":
    case "Transport": {
      const [code, transient] = isReason(reason) ? transportCodes[reason] : [502, true]
      return of(code, `TRANSPORT_${screaming(String(reason))}`, transient)
    }
    case "StoreError":
    case "SessionStoreError":
      return reason === "locked" ? of(503, "SESSION_LOCKED", true) : of(500, "STORE_FAILED", true)
    case "FileError":
      return of(fileCodes[String(reason)] ?? 400, `FILE_${screaming(String(reason))}`)
    case "LoginError":
      return of(400, `LOGIN_${screaming(String(reason))}`)
    case "TlError": {
      const path = Array.isArray(error["path"]) ? error["path"].join(".") : ""
      return badRequest(
        `${path === "" ? "The parameters" : `Parameter ${path}`}: expected ${error["expected"]}, found ${
          error["found"]
        }`,
        "PARAMETERS_INVALID"
      )
    }
    case "JsonError":
      return of(400, `JSON_${screaming(String(reason))}`)
    case "CryptoError":
      return of(500, "CRYPTO_FAILED")
    default:
      return internal
  }
}

/**
 * The same for a cause: the first typed error counts; defects are `internal`.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fromCause = (cause: Cause.Cause<unknown>): Failure => {
  const fail = cause.reasons.find(Cause.isFailReason)
  return fail === undefined ? internal : fromError(fail.error)
}
