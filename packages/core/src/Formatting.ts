/**
 * Texts with markup as texts with entities, and back: what `parse_mode` means.
 *
 * | mode         |                                                                                                                  |
 * | ------------ | ---------------------------------------------------------------------------------------------------------------- |
 * | `HTML`       | the tags of Telegram's Bot API: `b` `strong` `i` `em` `u` `ins` `s` `strike` `del` `code` `pre` `a` `blockquote` `tg-spoiler` `tg-emoji`, `<span class="tg-spoiler">`, `br`, and `<pre language="…">`. Any other tag is an error |
 * | `MarkdownV2` | the Bot API's: `*bold*` `_italic_` `__underline__` `~strike~` `||spoiler||` `` `code` `` ```` ```pre``` ```` `[text](url)` `>quote`. Whatever is not markup has to be escaped |
 * | `Markdown`   | the same as people write it: also `**bold**`, `~~strike~~` in place of `~strike~`, nothing has to be escaped, and a mark without its other half is text |
 *
 * Offsets and lengths count UTF-16 units, as Telegram does: an emoji is two. Entities come sorted, and none crosses another:
 * what overlaps without being nested is refused. Time and memory are linear in the text.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Api from "./Api.ts"
import * as Html from "./internal/formatHtml.ts"
import * as Markdown from "./internal/formatMarkdown.ts"
import * as Spans from "./internal/formatSpans.ts"
import type * as SecretApi from "./SecretApi.ts"

// ----- models

/**
 * A part of a text that is shown in another way. The names are those of the API.
 *
 * @category models
 * @since 1.0.0
 */
export type Entity = Spans.Entity

/**
 * @category models
 * @since 1.0.0
 */
export interface Formatted {
  readonly text: string
  readonly entities: ReadonlyArray<Entity>
}

/**
 * @category models
 * @since 1.0.0
 */
export const Mode = Schema.Literals(["HTML", "Markdown", "MarkdownV2"])

/**
 * @category models
 * @since 1.0.0
 */
export type Mode = typeof Mode.Type

/**
 * What is wrong with a text and its markup, and where.
 *
 * @category errors
 * @since 1.0.0
 */
export class FormattingError extends Schema.TaggedError<FormattingError>()("FormattingError", {
  mode: Mode,
  /** UTF-16 units from the start of the text. */
  offset: Schema.Int,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.mode}, character ${this.offset}: ${this.problem}`
  }
}

/**
 * The longest text with markup, in UTF-16 units.
 *
 * @category constants
 * @since 1.0.0
 */
export const maxLength: number = Spans.MAX_LENGTH

/**
 * The most entities of a text.
 *
 * @category constants
 * @since 1.0.0
 */
export const maxEntities: number = Spans.MAX_ENTITIES

// ----- conversions

/**
 * The mode of a name, in whatever case; `undefined` if there is none.
 *
 * @category conversions
 * @since 1.0.0
 */
export const mode = (name: string): Mode | undefined => {
  switch (name.toLowerCase()) {
    case "html":
      return "HTML"
    case "markdown":
      return "Markdown"
    case "markdownv2":
      return "MarkdownV2"
    default:
      return undefined
  }
}

const attempt = <A>(mode: Mode, run: () => A): Result.Result<A, FormattingError> => {
  try {
    return Result.succeed(run())
  } catch (error) {
    if (error instanceof Spans.Problem) {
      return Result.fail(new FormattingError({ mode, offset: error.offset, problem: error.message }))
    }
    throw error
  }
}

/**
 * The text without its markup, and the entities.
 *
 * @category conversions
 * @since 1.0.0
 */
export const parse = (mode: Mode, markup: string): Result.Result<Formatted, FormattingError> =>
  attempt(mode, () => {
    Spans.checkLength(markup)
    return mode === "HTML" ? Html.parse(markup) : Markdown.parse(markup, mode === "MarkdownV2")
  })

/**
 * The markup of a text with entities. `offset` in an error counts in the text.
 *
 * Entities that readers find by themselves (links that stand in the text, mentions, hashtags, …) have no markup. One within
 * another of the same kind says nothing, and is left out. A quote in Markdown has to begin and end with a line.
 *
 * @category conversions
 * @since 1.0.0
 */
export const render = (
  mode: "HTML" | "MarkdownV2",
  text: string,
  entities: ReadonlyArray<Entity | SecretApi.MessageEntity | Api.MessageEntity>
): Result.Result<string, FormattingError> =>
  attempt(mode, () => {
    Spans.checkLength(text)
    const spans = Spans.nest(text, entities)
    return mode === "HTML" ? Html.render(text, spans) : Markdown.render(text, spans)
  })

/**
 * As entities of secret chats: they cannot name people. What the layer of a chat does not have is left out when a message is
 * sent.
 *
 * @category conversions
 * @since 1.0.0
 */
export const toSecret = (entities: ReadonlyArray<Entity>): ReadonlyArray<SecretApi.MessageEntity> =>
  entities.flatMap((entity): ReadonlyArray<SecretApi.MessageEntity> => {
    switch (entity._tag) {
      case "messageEntityMentionName":
        return []
      case "messageEntityBlockquote":
        return [{ _tag: entity._tag, offset: entity.offset, length: entity.length }]
      default:
        return [entity]
    }
  })

/**
 * As entities of ordinary chats. `person` says how somebody is addressed; who is unknown is not named.
 *
 * @category conversions
 * @since 1.0.0
 */
export const toApi = (
  entities: ReadonlyArray<Entity>,
  person: (userId: bigint) => Api.InputUser | undefined
): ReadonlyArray<Api.MessageEntity> =>
  entities.flatMap((entity): ReadonlyArray<Api.MessageEntity> => {
    if (entity._tag !== "messageEntityMentionName") return [entity]
    const { length, offset, userId } = entity
    const named = person(userId)
    return named === undefined ? [] : [{ _tag: "inputMessageEntityMentionName", offset, length, userId: named }]
  })
