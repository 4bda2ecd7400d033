/**
 * Parameters as programs for bots write them: texts with markup (`parse_mode`), and other names of fields, also within a message.
 *
 * `parse_mode` is `HTML`, `Markdown` or `MarkdownV2`, see `Formatting`; it stands beside the message or in it, and gives
 * `entities` in its place.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as Formatting from "@effect-mtproto/core/Formatting"
import * as Result from "effect/Result"
import * as Failure from "./Failure.ts"
import * as LooseTl from "./LooseTl.ts"

/**
 * @category models
 * @since 1.0.0
 */
export interface JsonObject {
  readonly [name: string]: unknown
}

const invalid = (problem: string) => Failure.badRequest(`Parameter message: ${problem}`, "MESSAGE_INVALID")

/** Whether something is given; an empty text is nothing. */
const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== ""

/** Telegram itself shows no more than this many. */
const MAX_MENTIONED = 100

const modes = Failure.badRequest("Parameter parse_mode: expected HTML, Markdown or MarkdownV2", "PARAMETERS_INVALID")

/**
 * A text with markup as a text with entities.
 *
 * @category parsing
 * @since 1.0.0
 */
export const parse = (
  text: unknown,
  parseMode: unknown
): Result.Result<Formatting.Formatted, Failure.Failure> => {
  const mode = typeof parseMode === "string" ? Formatting.mode(parseMode) : undefined
  if (mode === undefined) return Result.fail(modes)
  if (typeof text !== "string") return Result.fail(invalid("a text is required where there is a parse_mode"))
  return Result.mapError(Formatting.parse(mode, text), (error) => invalid(error.message))
}

const aliases: ReadonlyArray<readonly [string, string]> = [
  ["text", "message"],
  ["disable_notification", "silent"],
  ["disable_web_page_preview", "no_webpage"],
  ["reply_to_message_id", "reply_to_random_id"],
  ["reply_to_msg_id", "reply_to_random_id"]
]

/**
 * A `DecryptedMessage` in JSON, with the names of its fields, and entities in place of markup. `parseMode` is what stands beside
 * it.
 *
 * @category parsing
 * @since 1.0.0
 */
export const message = (given: JsonObject, parseMode?: unknown): Result.Result<JsonObject, Failure.Failure> => {
  let out: { [name: string]: unknown } | undefined
  for (const [from, to] of aliases) {
    if (!(from in given)) continue
    out ??= { ...given }
    if (!(to in out)) out[to] = given[from]
    delete out[from]
  }
  const named = out ?? given
  const mode = "parse_mode" in named ? named["parse_mode"] : parseMode
  if (!isGiven(mode) || named["message"] === undefined) return Result.succeed(named)
  if ("entities" in named) return Result.fail(invalid("parse_mode and entities exclude each other"))
  return Result.map(parse(named["message"], mode), ({ entities, text }) => ({
    ...named,
    message: text,
    ...entities.length === 0 ? {} : { entities: LooseTl.toJson(Formatting.toSecret(entities)) }
  }))
}

/**
 * The parameters of a method of the API, with entities in place of markup, and a reply as it is written now. `person` says how
 * somebody is addressed who is named in the text.
 *
 * @category parsing
 * @since 1.0.0
 */
export const parameters = (
  method: string,
  given: JsonObject,
  person: (userId: bigint) => Api.InputUser | undefined
): Result.Result<JsonObject, Failure.Failure> => {
  const has = (name: string) => LooseTl.fields(method).some((field) => field.name === name)
  let out = given
  const reply = given["reply_to_msg_id"] ?? given["reply_to_message_id"]
  if (reply !== undefined && has("reply_to") && !has("reply_to_msg_id")) {
    const { reply_to_message_id: _, reply_to_msg_id: __, ...rest } = given
    out = { reply_to: { _: "inputReplyToMessage", reply_to_msg_id: reply }, ...rest }
  }
  if (!("parse_mode" in out) || !has("entities")) return Result.succeed(out)
  const { parse_mode: mode, ...rest } = out
  if (!isGiven(mode) || rest["message"] === undefined) return Result.succeed(rest)
  if ("entities" in rest) return Result.fail(invalid("parse_mode and entities exclude each other"))
  return Result.map(parse(rest["message"], mode), ({ entities, text }) => {
    const made = Formatting.toApi(entities, person)
    return { ...rest, message: text, ...made.length === 0 ? {} : { entities: LooseTl.toJson(made) } }
  })
}

/**
 * The people whom the text of a method names.
 *
 * @category queries
 * @since 1.0.0
 */
export const mentioned = (given: JsonObject): ReadonlyArray<bigint> => {
  const { message: text, parse_mode: mode } = given
  if (typeof text !== "string" || typeof mode !== "string" || !/(?:tg:\/\/user\?id=|mention:)\d/i.test(text)) return []
  const parsed = parse(text, mode)
  if (Result.isFailure(parsed)) return []
  return [
    ...new Set(
      parsed.success.entities.flatMap((entity) => entity._tag === "messageEntityMentionName" ? [entity.userId] : [])
    )
  ].slice(0, MAX_MENTIONED)
}
