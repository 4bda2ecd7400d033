/**
 * Long messages as several.
 *
 * A text of more than {@link MAX_TEXT} UTF-16 units (the unit of entities and of
 * Telegram's limit) becomes a sequence of messages that put together are the
 * text again, unit for unit. Each is cut
 *
 * 1. after the last line end in the last quarter of what fits, or else
 * 2. after the last white space in what fits, or else
 * 3. at the last border between two graphemes (what a reader takes for one
 *    character), or else
 * 4. between two code points, when one grapheme alone is longer than a message.
 *
 * Entities are cut and rebased with the text. Every part keeps the timer, the
 * message replied to, the bot, `silent` and `no_webpage`; media, and the album it
 * belongs to, go with the first part only.
 *
 * Service messages have nothing to cut, except a list of more than
 * {@link MAX_RANDOM_IDS} random ids, which is divided.
 *
 * @since 1.0.0
 */
import type * as SecretApi from "@effect-mtproto/core/SecretApi"
import type { Action, Content, Message, Service } from "./Content.ts"

/**
 * Longest text of one message, in UTF-16 units.
 *
 * @since 1.0.0
 * @category constants
 */
export const MAX_TEXT = 4096

/**
 * Most random ids in one action.
 *
 * @since 1.0.0
 * @category constants
 */
export const MAX_RANDOM_IDS = 100

/**
 * The messages that a message is sent as: at least one, in order.
 *
 * The first keeps the random id of the whole; `moreRandomIds` is asked once, if
 * at all, for as many more as are needed.
 *
 * @since 1.0.0
 * @category splitting
 */
export const split = (
  content: Content,
  moreRandomIds: (count: number) => ReadonlyArray<bigint>
): readonly [Content, ...Array<Content>] =>
  content._tag === "decryptedMessage" ? splitMessage(content, moreRandomIds) : splitService(content, moreRandomIds)

const splitMessage = (
  message: Message,
  moreRandomIds: (count: number) => ReadonlyArray<bigint>
): readonly [Message, ...Array<Message>] => {
  if (message.message.length <= MAX_TEXT) return [message]
  const [first, ...rest] = splitText(message.message)
  const { entities, groupedId: _, media: __, ...shared } = message
  const ids = moreRandomIds(rest.length)
  const cut = (
    text: Text
  ): { readonly message: string; readonly entities?: ReadonlyArray<SecretApi.MessageEntity> } => {
    const within = entities === undefined ? [] : cutEntities(entities, text.start, text.end)
    return {
      message: message.message.slice(text.start, text.end),
      ...(within.length === 0 ? {} : { entities: within })
    }
  }
  const { entities: ___, ...whole } = message
  return [
    { ...whole, ...cut(first) },
    ...rest.map((text, i): Message => ({ ...shared, ...cut(text), randomId: ids[i]! }))
  ]
}

const splitService = (
  service: Service,
  moreRandomIds: (count: number) => ReadonlyArray<bigint>
): readonly [Service, ...Array<Service>] => {
  const action = service.action
  if (!hasRandomIds(action) || action.randomIds.length <= MAX_RANDOM_IDS) return [service]
  const lists: Array<ReadonlyArray<bigint>> = []
  for (let i = MAX_RANDOM_IDS; i < action.randomIds.length; i += MAX_RANDOM_IDS) {
    lists.push(action.randomIds.slice(i, i + MAX_RANDOM_IDS))
  }
  const ids = moreRandomIds(lists.length)
  return [
    { ...service, action: { ...action, randomIds: action.randomIds.slice(0, MAX_RANDOM_IDS) } },
    ...lists.map((randomIds, i): Service => ({ ...service, randomId: ids[i]!, action: { ...action, randomIds } }))
  ]
}

const hasRandomIds = (action: Action): action is Extract<Action, { readonly randomIds: unknown }> =>
  "randomIds" in action

/**
 * A piece of a text, in UTF-16 units; `end` is exclusive.
 *
 * @since 1.0.0
 * @category models
 */
export interface Text {
  readonly start: number
  readonly end: number
}

/**
 * Where a text is cut: pieces of at most {@link MAX_TEXT} units that follow each
 * other from its start to its end.
 *
 * @since 1.0.0
 * @category splitting
 */
export const splitText = (text: string): readonly [Text, ...Array<Text>] => {
  const cuts: Array<number> = []
  let start = 0
  while (text.length - start > MAX_TEXT) {
    start += cutAt(text, start)
    cuts.push(start)
  }
  const ends = [...cuts, text.length]
  return ends.map((end, i) => ({ start: i === 0 ? 0 : ends[i - 1]!, end })) as unknown as [Text, ...Array<Text>]
}

// What a break must not fall into may reach beyond the window: a joined emoji is some 30 units long.
const LOOKAHEAD = 256
const QUARTER = MAX_TEXT / 4

let segmenter: Intl.Segmenter | undefined

/** How many units of the text after `start` go into one message. */
const cutAt = (text: string, start: number): number => {
  segmenter ??= new Intl.Segmenter("und", { granularity: "grapheme" })
  // `start` is a border, so borders within the window are borders of the text
  const window = text.slice(start, start + MAX_TEXT + LOOKAHEAD)
  const graphemes = segmenter.segment(window)
  const isBorder = (at: number): boolean => graphemes.containing(at)?.index === at
  for (let at = MAX_TEXT; at > MAX_TEXT - QUARTER; at--) {
    if (isLineEnd(window.charCodeAt(at - 1)) && isBorder(at)) return at
  }
  for (let at = MAX_TEXT; at > 0; at--) {
    if (isSpace(window.charCodeAt(at - 1)) && isBorder(at)) return at
  }
  const grapheme = graphemes.containing(MAX_TEXT)!.index
  if (grapheme > 0) return grapheme
  // half a code point alone would be a grapheme of its own
  return isLow(window.charCodeAt(MAX_TEXT)) ? MAX_TEXT - 1 : MAX_TEXT
}

const isLineEnd = (unit: number): boolean => unit === 0x0a || unit === 0x0d || unit === 0x2028 || unit === 0x2029

// Unicode White_Space without the no-break ones
const isSpace = (unit: number): boolean =>
  unit === 0x20 || (unit >= 0x09 && unit <= 0x0d) || unit === 0x85 || unit === 0x1680 ||
  (unit >= 0x2000 && unit <= 0x200a && unit !== 0x2007) || unit === 0x2028 || unit === 0x2029 || unit === 0x205f ||
  unit === 0x3000

/** Of a surrogate pair, the second. */
const isLow = (unit: number): boolean => (unit & 0xfc00) === 0xdc00

/**
 * The entities of the piece `start..end` of a text, counted from its start. What
 * lies outside is left out; what crosses a border is cut there.
 *
 * @since 1.0.0
 * @category splitting
 */
export const cutEntities = (
  entities: ReadonlyArray<SecretApi.MessageEntity>,
  start: number,
  end: number
): ReadonlyArray<SecretApi.MessageEntity> =>
  entities.flatMap((entity) => {
    const from = Math.max(entity.offset, start)
    const to = Math.min(entity.offset + entity.length, end)
    return from < to ? [{ ...entity, offset: from - start, length: to - from }] : []
  })
