/** Parts of texts, and how they stand to each other. */

interface At {
  readonly offset: number
  readonly length: number
}

export type SimpleTag =
  | "messageEntityBold"
  | "messageEntityItalic"
  | "messageEntityUnderline"
  | "messageEntityStrike"
  | "messageEntitySpoiler"
  | "messageEntityCode"

export type Entity =
  | At & { readonly _tag: SimpleTag }
  | At & { readonly _tag: "messageEntityBlockquote"; readonly collapsed?: true }
  | At & { readonly _tag: "messageEntityPre"; readonly language: string }
  | At & { readonly _tag: "messageEntityTextUrl"; readonly url: string }
  | At & { readonly _tag: "messageEntityMentionName"; readonly userId: bigint }
  | At & { readonly _tag: "messageEntityCustomEmoji"; readonly documentId: bigint }

/** Is thrown, and caught where texts come in. */
export class Problem extends Error {
  readonly offset: number
  constructor(offset: number, problem: string) {
    super(problem)
    this.offset = offset
  }
}

export const MAX_LENGTH = 1_000_000
export const MAX_ENTITIES = 10_000
/** Kinds are few, and none stands within itself. */
export const MAX_DEPTH = 16

export const checkLength = (text: string): void => {
  if (text.length > MAX_LENGTH) throw new Problem(MAX_LENGTH, `the text has more than ${MAX_LENGTH} characters`)
}

/** From the outside to the inside, where nothing else decides. */
const order: ReadonlyArray<Entity["_tag"]> = [
  "messageEntityBlockquote",
  "messageEntityTextUrl",
  "messageEntityMentionName",
  "messageEntityUnderline",
  "messageEntityBold",
  "messageEntityItalic",
  "messageEntityStrike",
  "messageEntitySpoiler",
  "messageEntityCustomEmoji",
  "messageEntityPre",
  "messageEntityCode"
]

const compare = (a: Entity, b: Entity): number =>
  a.offset - b.offset || b.length - a.length || order.indexOf(a._tag) - order.indexOf(b._tag)

export const sort = (entities: ReadonlyArray<Entity>): ReadonlyArray<Entity> => entities.toSorted(compare)

/** The end of one that begins to have entities. */
export const add = (entities: Array<Entity>, entity: Entity, at: number): void => {
  if (entity.length === 0) return
  if (entities.length >= MAX_ENTITIES) throw new Problem(at, `there are more than ${MAX_ENTITIES} entities`)
  entities.push(entity)
}

// ----- nesting

export interface Span {
  readonly entity: Entity
  readonly start: number
  readonly end: number
}

const known: ReadonlySet<string> = new Set(order)

/** What anybody's entity is here; `undefined` if it has no markup. */
const ours = (
  entity: { readonly _tag: string; readonly offset: number; readonly length: number }
): Entity | undefined => {
  if (!known.has(entity._tag)) return undefined
  if (entity._tag !== "messageEntityMentionName") return entity as Entity
  const { userId } = entity as unknown as { readonly userId: bigint | number }
  return { ...entity, _tag: "messageEntityMentionName", userId: BigInt(userId) }
}

const isWithin = (text: string, at: number): boolean => {
  const before = text.charCodeAt(at - 1)
  const after = text.charCodeAt(at)
  return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff
}

type Tagged = { readonly _tag: string }

const isLink = ({ _tag }: Tagged): boolean => _tag === "messageEntityTextUrl" || _tag === "messageEntityMentionName"

/** An emoji may stand in a link; otherwise no address stands in what has one. */
export const isNestedLink = (outer: Tagged, inner: Tagged): boolean =>
  isLink(inner) && (isLink(outer) || outer._tag === "messageEntityCustomEmoji")

const literal: ReadonlySet<string> = new Set(["messageEntityPre", "messageEntityCode"])

/** Entities in the order in which they begin, those outside first; whatever is not nested is refused. */
export const nest = (
  text: string,
  entities: ReadonlyArray<{ readonly _tag: string; readonly offset: number; readonly length: number }>
): ReadonlyArray<Span> => {
  if (entities.length > MAX_ENTITIES) throw new Problem(0, `there are more than ${MAX_ENTITIES} entities`)
  const spans: Array<Span> = []
  const open: Array<Span> = []
  for (const entity of sort(entities.flatMap((one) => ours(one) ?? []))) {
    const { length, offset } = entity
    const end = offset + length
    if (
      !Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0 || end > text.length
    ) {
      throw new Problem(Number.isSafeInteger(offset) ? offset : 0, "an entity is not within the text")
    }
    if (length === 0) continue
    if (isWithin(text, offset) || isWithin(text, end)) throw new Problem(offset, "an entity cuts a character")
    while (open.length > 0 && open.at(-1)!.end <= offset) open.pop()
    const outer = open.at(-1)
    if (outer !== undefined && end > outer.end) throw new Problem(offset, "entities overlap and are not nested")
    if (open.some((one) => one.entity._tag === entity._tag)) continue
    if (open.some((one) => literal.has(one.entity._tag))) throw new Problem(offset, "nothing can stand inside code")
    if (open.some((one) => isNestedLink(one.entity, entity))) throw new Problem(offset, "links cannot be nested")
    const span = { entity, start: offset, end }
    open.push(span)
    spans.push(span)
  }
  return spans
}

/** Walks through a text: what stands at each border, and what between them. */
export const walk = (text: string, spans: ReadonlyArray<Span>, visit: {
  readonly open: (span: Span) => void
  readonly close: (span: Span) => void
  readonly text: (part: string, start: number, inside: ReadonlyArray<Span>) => void
}): void => {
  const inside: Array<Span> = []
  let at = 0
  const upTo = (end: number): void => {
    if (end > at) visit.text(text.slice(at, end), at, inside)
    at = end
  }
  const closeUpTo = (end: number): void => {
    while (inside.length > 0 && inside.at(-1)!.end <= end) {
      const span = inside.pop()!
      inside.push(span)
      upTo(span.end)
      inside.pop()
      visit.close(span)
    }
  }
  for (const span of spans) {
    closeUpTo(span.start)
    upTo(span.start)
    visit.open(span)
    inside.push(span)
  }
  closeUpTo(text.length)
  upTo(text.length)
}

// ----- links

const MAX_URL = 2_048

const id = /^\d{1,19}$/

/** What a link is about; `undefined` if it is none. */
export const link = (
  url: string
):
  | { readonly _tag: "messageEntityTextUrl"; readonly url: string }
  | { readonly _tag: "messageEntityMentionName"; readonly userId: bigint }
  | { readonly _tag: "messageEntityCustomEmoji"; readonly documentId: bigint }
  | undefined =>
{
  const given = url.trim()
  if (given === "" || given.length > MAX_URL || hasBlank(given)) return undefined
  for (const [prefix, tag] of prefixes) {
    if (!given.toLowerCase().startsWith(prefix)) continue
    const number = given.slice(prefix.length)
    if (!id.test(number) || BigInt.asIntN(64, BigInt(number)) !== BigInt(number)) return undefined
    return tag === "messageEntityCustomEmoji"
      ? { _tag: tag, documentId: BigInt(number) }
      : { _tag: tag, userId: BigInt(number) }
  }
  return { _tag: "messageEntityTextUrl", url: given }
}

const prefixes = [
  ["tg://user?id=", "messageEntityMentionName"],
  ["mention:", "messageEntityMentionName"],
  ["tg://emoji?id=", "messageEntityCustomEmoji"]
] as const

const hasBlank = (url: string): boolean => {
  for (let i = 0; i < url.length; i++) if (url.charCodeAt(i) <= 0x20) return true
  return false
}
