/** Markup in tags. */
import {
  add,
  type Entity,
  isNestedLink,
  link,
  MAX_DEPTH,
  Problem,
  type SimpleTag,
  sort,
  type Span,
  walk
} from "./formatSpans.ts"

const simple: { readonly [tag: string]: SimpleTag } = {
  b: "messageEntityBold",
  strong: "messageEntityBold",
  i: "messageEntityItalic",
  em: "messageEntityItalic",
  u: "messageEntityUnderline",
  ins: "messageEntityUnderline",
  s: "messageEntityStrike",
  strike: "messageEntityStrike",
  del: "messageEntityStrike",
  "tg-spoiler": "messageEntitySpoiler",
  code: "messageEntityCode"
}

type Begun<E extends Entity = Entity> = E extends Entity ? Omit<E, "offset" | "length"> : never

interface Open {
  readonly tag: string
  readonly begun: Begun
  readonly offset: number
  readonly at: number
  /** Of `<code class="language-…">`. */
  readonly language: string
}

const tagPattern =
  /<(\/?)([a-zA-Z][a-zA-Z0-9-]{0,31})((?:\s+[a-zA-Z-]{1,32}(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>/]+))?)*)\s*(\/?)>/y
const attributePattern = /([a-zA-Z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>/]+)))?/g
const entityPattern = /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]{1,10}));/y

const specialPattern = /[<&]/g

const named: { readonly [name: string]: string } = { lt: "<", gt: ">", amp: "&", quot: "\"", apos: "'", nbsp: "\u00a0" }

/** What `&…;` at this place stands for, and how long it is. */
const reference = (text: string, at: number): readonly [string, number] | undefined => {
  entityPattern.lastIndex = at
  const found = entityPattern.exec(text)
  if (found === null) return undefined
  const [whole, decimal, hex, name] = found
  if (name !== undefined) return Object.hasOwn(named, name) ? [named[name]!, whole.length] : undefined
  const code = decimal === undefined ? Number.parseInt(hex!, 16) : Number(decimal)
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined
  return [String.fromCodePoint(code), whole.length]
}

const decode = (text: string): string => {
  let out = ""
  for (let i = 0; i < text.length;) {
    const next = text.indexOf("&", i)
    if (next < 0) return out + text.slice(i)
    const found = reference(text, next)
    out += text.slice(i, next) + (found === undefined ? "&" : found[0])
    i = next + (found === undefined ? 1 : found[1])
  }
  return out
}

const attributesOf = (text: string): ReadonlyMap<string, string> => {
  const out = new Map<string, string>()
  for (const [, name, double, single, bare] of text.matchAll(attributePattern)) {
    const key = name!.toLowerCase()
    if (!out.has(key)) out.set(key, decode(double ?? single ?? bare ?? ""))
  }
  return out
}

const languageOf = (attributes: ReadonlyMap<string, string>): string =>
  attributes.get("language") ?? /(?:^|\s)language-(\S{1,64})/.exec(attributes.get("class") ?? "")?.[1] ?? ""

const begin = (tag: string, attributes: ReadonlyMap<string, string>, at: number): Begun => {
  if (Object.hasOwn(simple, tag)) return { _tag: simple[tag]! }
  switch (tag) {
    case "span":
      if (attributes.get("class") === "tg-spoiler") return { _tag: "messageEntitySpoiler" }
      throw new Problem(at, "<span> needs class=\"tg-spoiler\"")
    case "pre":
      return { _tag: "messageEntityPre", language: languageOf(attributes) }
    case "blockquote":
      return attributes.has("expandable")
        ? { _tag: "messageEntityBlockquote", collapsed: true }
        : { _tag: "messageEntityBlockquote" }
    case "a": {
      const found = link(attributes.get("href") ?? "")
      if (found === undefined) throw new Problem(at, "<a> needs an address in href")
      return found
    }
    case "tg-emoji": {
      const found = link(`tg://emoji?id=${attributes.get("emoji-id") ?? ""}`)
      if (found === undefined) throw new Problem(at, "<tg-emoji> needs a number in emoji-id")
      return found
    }
    default:
      throw new Problem(at, `there is no tag <${tag}>`)
  }
}

export const parse = (source: string): { readonly text: string; readonly entities: ReadonlyArray<Entity> } => {
  let text = ""
  const entities: Array<Entity> = []
  const open: Array<Open> = []
  const languages = new Map<Entity, string>()
  const isLiteral = () => open.some(({ begun }) => begun._tag === "messageEntityCode")
  let at = 0
  while (at < source.length) {
    const unit = source[at]!
    if (unit === "&") {
      const [decoded, length] = reference(source, at) ?? ["&", 1]
      text += decoded
      at += length
      continue
    }
    if (unit !== "<") {
      specialPattern.lastIndex = at
      const end = specialPattern.exec(source)?.index ?? source.length
      text += source.slice(at, end)
      at = end
      continue
    }
    tagPattern.lastIndex = at
    const found = tagPattern.exec(source)
    if (found === null) throw new Problem(at, "this is no tag; a < in the text is written &lt;")
    const [whole, closing, name, attributes, selfClosing] = found as unknown as [string, string, string, string, string]
    const tag = name.toLowerCase()
    if (tag === "br") text += "\n"
    else if (closing === "/") {
      const last = open.pop()
      if (last === undefined) throw new Problem(at, `</${tag}> closes nothing`)
      if (last.tag !== tag) throw new Problem(at, `</${tag}> stands where </${last.tag}> has to`)
      // what is repeated within itself says nothing more
      if (!open.some((one) => one.begun._tag === last.begun._tag)) close(last, text.length, entities, languages)
    } else {
      if (open.length >= MAX_DEPTH) throw new Problem(at, "tags are nested too deeply")
      const begun = begin(tag, attributesOf(attributes), at)
      if (isLiteral()) throw new Problem(at, "nothing can stand inside code")
      if (open.some((one) => one.begun._tag === "messageEntityPre") && begun._tag !== "messageEntityCode") {
        throw new Problem(at, "nothing can stand inside code")
      }
      if (begun._tag === "messageEntityBlockquote" && open.some((one) => one.begun._tag === begun._tag)) {
        throw new Problem(at, "quotes cannot be nested")
      }
      if (open.some((one) => isNestedLink(one.begun, begun))) throw new Problem(at, "links cannot be nested")
      const language = begun._tag === "messageEntityCode" ? languageOf(attributesOf(attributes)) : ""
      // <b/> has nothing in it
      if (selfClosing !== "/") open.push({ tag, begun, offset: text.length, at, language })
    }
    at += whole.length
  }
  const last = open.at(-1)
  if (last !== undefined) throw new Problem(last.at, `<${last.tag}> is not closed`)
  return { text, entities: sort(entities) }
}

const close = (
  { at, begun, language, offset }: Open,
  end: number,
  entities: Array<Entity>,
  languages: Map<Entity, string>
): void => {
  const length = end - offset
  if (begun._tag === "messageEntityPre") {
    // <pre><code class="language-…"> is one thing
    let named = begun.language
    for (
      let inner = entities.at(-1);
      inner?._tag === "messageEntityCode" && inner.offset >= offset;
      inner = entities.at(-1)
    ) {
      named ||= languages.get(inner) ?? ""
      entities.pop()
    }
    return add(entities, { _tag: begun._tag, offset, length, language: named }, at)
  }
  const entity = { ...begun, offset, length } as Entity
  if (language !== "") languages.set(entity, language)
  add(entities, entity, at)
}

// ----- rendering

const escape = (text: string): string =>
  text.replace(/[&<>]/g, (c) => (c === "&" ? "&amp;" : c === "<" ? "&lt;" : "&gt;"))
const attribute = (text: string): string => escape(text).replaceAll("\"", "&quot;")

const tags = (entity: Entity): readonly [string, string] => {
  switch (entity._tag) {
    case "messageEntityBold":
      return ["<b>", "</b>"]
    case "messageEntityItalic":
      return ["<i>", "</i>"]
    case "messageEntityUnderline":
      return ["<u>", "</u>"]
    case "messageEntityStrike":
      return ["<s>", "</s>"]
    case "messageEntitySpoiler":
      return ["<tg-spoiler>", "</tg-spoiler>"]
    case "messageEntityCode":
      return ["<code>", "</code>"]
    case "messageEntityPre":
      return entity.language === ""
        ? ["<pre>", "</pre>"]
        : [`<pre><code class="language-${attribute(entity.language)}">`, "</code></pre>"]
    case "messageEntityBlockquote":
      return [entity.collapsed === true ? "<blockquote expandable>" : "<blockquote>", "</blockquote>"]
    case "messageEntityTextUrl":
      return [`<a href="${attribute(entity.url)}">`, "</a>"]
    case "messageEntityMentionName":
      return [`<a href="tg://user?id=${entity.userId}">`, "</a>"]
    case "messageEntityCustomEmoji":
      return [`<tg-emoji emoji-id="${entity.documentId}">`, "</tg-emoji>"]
  }
}

export const render = (text: string, spans: ReadonlyArray<Span>): string => {
  let out = ""
  walk(text, spans, {
    open: ({ entity }) => {
      out += tags(entity)[0]
    },
    close: ({ entity }) => {
      out += tags(entity)[1]
    },
    text: (part) => {
      out += escape(part)
    }
  })
  return out
}
