/** Markup in marks: the Bot API's MarkdownV2, strictly, and Markdown as people write it. */
import { add, type Entity, link, Problem, type SimpleTag, sort, type Span, walk } from "./formatSpans.ts"

interface Piece {
  text: string
}

/** A mark that may begin something. */
interface Open {
  readonly mark: string
  readonly piece: number
  readonly at: number
}

const marks: { readonly [mark: string]: SimpleTag } = {
  "*": "messageEntityBold",
  "**": "messageEntityBold",
  _: "messageEntityItalic",
  __: "messageEntityUnderline",
  "~": "messageEntityStrike",
  "~~": "messageEntityStrike",
  "||": "messageEntitySpoiler"
}

const reserved: ReadonlySet<string> = new Set("_*[]()~`>#+-=|{}.!")
const isPunctuation = (c: string | undefined): boolean => c !== undefined && /^[!-/:-@[-`{-~]$/.test(c)
const isWord = (c: string | undefined): boolean => c !== undefined && /^[\p{L}\p{N}]$/u.test(c)
const isBlank = (c: string | undefined): boolean => c === undefined || /^\s$/.test(c)

/** The mark that begins here, if any. */
const markAt = (source: string, at: number, strict: boolean): string | undefined => {
  const unit = source[at]!
  const isDouble = source[at + 1] === unit
  switch (unit) {
    case "_":
      return isDouble ? "__" : "_"
    case "*":
      return isDouble && !strict ? "**" : "*"
    case "~":
      return strict ? "~" : isDouble ? "~~" : undefined
    case "|":
      return isDouble ? "||" : undefined
    default:
      return undefined
  }
}

class Parser {
  readonly source: string
  readonly strict: boolean
  readonly pieces: Array<Piece> = []
  readonly matched: Array<
    { readonly from: number; readonly to: number; readonly at: number; readonly entity: object }
  > = []
  readonly open: Array<Open> = []
  at = 0
  /** The piece with the last line end. */
  lineEnd = 0
  /** Where a search for the end of code found nothing. */
  noFence = false
  noCode = false
  /** The next `)`, once looked for. */
  bracket = -1

  constructor(source: string, strict: boolean) {
    this.source = source
    this.strict = strict
  }

  text(text: string): number {
    return this.pieces.push({ text }) - 1
  }

  indexOf(mark: string): number {
    return this.open.findLastIndex((one) => one.mark === mark)
  }

  /** Those that begin after this one end nowhere. */
  drop(from: number): void {
    const left = this.open.splice(from)
    if (this.strict && left.length > 0) {
      const { at, mark } = left[0]!
      throw new Problem(at, `${mark} is not closed, or not within what stands around it`)
    }
  }

  close(index: number, to: number, entity: object): void {
    this.drop(index + 1)
    const { at, piece } = this.open.pop()!
    this.pieces[piece]!.text = ""
    this.matched.push({ from: piece, to, at, entity })
  }

  run(): { readonly text: string; readonly entities: ReadonlyArray<Entity> } {
    const { source } = this
    while (this.at < source.length) {
      const isLineStart = this.at === 0 || source[this.at - 1] === "\n"
      if (isLineStart && this.line()) continue
      this.step()
    }
    if (this.indexOf(">") >= 0) this.endQuote(this.pieces.length)
    this.drop(0)
    return this.result()
  }

  // ----- quotes

  /** Looks at the start of a line; whether it was a mark. */
  line(): boolean {
    const { source, strict } = this
    const isOpen = this.indexOf(">") >= 0
    const isNew = strict && source.startsWith("**>", this.at)
    if (source[this.at] !== ">" && !isNew) {
      if (isOpen) this.endQuote(this.lineEnd)
      return false
    }
    if (isNew && isOpen) this.endQuote(this.lineEnd)
    if (this.indexOf(">") < 0) this.open.push({ mark: ">", piece: this.text(""), at: this.at })
    this.at += isNew ? 3 : 1
    if (!strict && source[this.at] === " ") this.at++
    // an empty line of a quote has a line end next, which is looked at as any other
    if (this.at < source.length) this.step()
    return true
  }

  endQuote(to: number): void {
    const index = this.indexOf(">")
    const last = this.open.at(-1)!
    // || at the very end of a quote hides all but its first lines
    const isCollapsed = last.mark === "||" && last.piece === to - 1
    if (isCollapsed) {
      this.open.pop()
      this.pieces[last.piece]!.text = ""
    }
    this.close(index, to, { _tag: "messageEntityBlockquote", ...isCollapsed ? { collapsed: true } : {} })
  }

  // ----- everything else

  step(): void {
    const { source, strict } = this
    const start = this.at
    const unit = source[start]!
    switch (unit) {
      case "\n":
        this.lineEnd = this.text("\n")
        this.at++
        return
      case "\\": {
        const next = source[start + 1]
        const isEscape = strict ? next !== undefined && next !== "\n" && next.charCodeAt(0) < 127 : isPunctuation(next)
        this.text(isEscape ? next! : "\\")
        this.at += isEscape ? 2 : 1
        return
      }
      case "`":
        return this.code()
      case "!":
        if (source[start + 1] === "[") return this.begin("![")
        break
      case "[":
        return this.begin("[")
      case "]":
        return this.endLink()
    }
    const mark = markAt(source, start, strict)
    if (mark !== undefined) return this.mark(mark)
    if (strict && reserved.has(unit)) {
      throw new Problem(start, `${unit} is reserved: write \\${unit}`)
    }
    let end = start + 1
    while (end < source.length && !special.has(source[end]!)) end++
    this.text(source.slice(start, end))
    this.at = end
  }

  begin(mark: string): void {
    // an emoji may stand in a link, and nothing else of the kind
    const outer = mark === "![" ? this.indexOf("![") : Math.max(this.indexOf("["), this.indexOf("!["))
    if (outer >= 0) {
      if (this.strict) throw new Problem(this.at, "links cannot be nested")
      this.open.splice(outer, 1)
    }
    this.open.push({ mark, piece: this.text(mark), at: this.at })
    this.at += mark.length
  }

  mark(mark: string): void {
    const { source, strict } = this
    const before = source[this.at - 1]
    const after = source[this.at + mark.length]
    const index = this.indexOf(mark)
    const isIntraword = mark.startsWith("_")
    if (index >= 0) {
      if (strict || (!isBlank(before) && !(isIntraword && isWord(after)))) {
        this.close(index, this.text(""), { _tag: marks[mark]! })
        this.at += mark.length
        return
      }
    } else if (strict || (!isBlank(after) && !(isIntraword && isWord(before)))) {
      this.open.push({ mark, piece: this.text(mark), at: this.at })
      this.at += mark.length
      return
    } else if (mark === "||" && this.indexOf(">") >= 0) {
      // at the end of a quote
      this.open.push({ mark, piece: this.text(mark), at: this.at })
      this.at += mark.length
      return
    }
    this.text(mark)
    this.at += mark.length
  }

  endLink(): void {
    const { source, strict } = this
    const start = this.at
    const index = Math.max(this.indexOf("["), this.indexOf("!["))
    if (index < 0) {
      if (strict) throw new Problem(start, "] is reserved: write \\]")
    } else {
      const end = source[start + 1] === "(" ? this.closingBracket(start + 2) : -1
      const opened = this.open[index]!
      const found = end < 0 ? undefined : link(source.slice(start + 2, end).replace(/\\([!-/:-@[-`{-~])/g, "$1"))
      const isEmoji = opened.mark === "!["
      if (found !== undefined && (!isEmoji || found._tag === "messageEntityCustomEmoji")) {
        this.close(index, this.text(""), found)
        this.at = end + 1
        return
      }
      if (strict) throw new Problem(opened.at, "a link needs an address: [text](https://…)")
      if (isEmoji && found !== undefined) {
        // an exclamation mark, and a link
        this.close(index, this.text(""), found)
        this.pieces[opened.piece]!.text = "!"
        this.at = end + 1
        return
      }
      this.open.splice(index, 1)
    }
    this.text("]")
    this.at++
  }

  /** The next `)` that is not escaped, on from a place that only grows. */
  closingBracket(from: number): number {
    if (this.bracket >= from || this.bracket === -2) return this.bracket === -2 ? -1 : this.bracket
    for (let i = from; i < this.source.length; i++) {
      const unit = this.source[i]!
      if (unit === "\\") i++
      else if (unit === ")") return this.bracket = i
    }
    this.bracket = -2
    return -1
  }

  code(): void {
    const { source, strict } = this
    const start = this.at
    const fence = source.startsWith("```", start) ? "```" : "`"
    const end = (fence === "```" ? this.noFence : this.noCode) ? -1 : this.endOfCode(start + fence.length, fence)
    if (end < 0) {
      if (strict) throw new Problem(start, `${fence} is not closed`)
      if (fence === "```") this.noFence = true
      else this.noCode = true
      this.text(fence)
      this.at += fence.length
      return
    }
    let content = source.slice(start + fence.length, end)
    let entity: object = { _tag: "messageEntityCode" }
    if (fence === "```") {
      const first = /^([^\s`]{0,64})\r?\n/.exec(content)
      if (first !== null) content = content.slice(first[0].length).replace(strict ? /\n$/ : /\r?\n$/, "")
      entity = { _tag: "messageEntityPre", language: first?.[1] ?? "" }
    }
    if (strict) content = content.replace(/\\([\\`])/g, "$1")
    const from = this.text("")
    this.text(content)
    this.matched.push({ from, to: this.text(""), at: start, entity })
    this.at = end + fence.length
  }

  endOfCode(from: number, fence: string): number {
    for (let i = from; i < this.source.length; i++) {
      if (this.strict && this.source[i] === "\\") i++
      else if (this.source.startsWith(fence, i)) return i
    }
    return -1
  }

  result(): { readonly text: string; readonly entities: ReadonlyArray<Entity> } {
    const offsets: Array<number> = []
    let offset = 0
    for (const { text } of this.pieces) {
      offsets.push(offset)
      offset += text.length
    }
    offsets.push(offset)
    const entities: Array<Entity> = []
    for (const { at, entity, from, to } of this.matched) {
      const start = offsets[from + 1]!
      add(entities, { ...entity, offset: start, length: offsets[to]! - start } as Entity, at)
    }
    return { text: this.pieces.map(({ text }) => text).join(""), entities: sort(entities) }
  }
}

const special: ReadonlySet<string> = new Set("_*[]()~`>#+-=|{}.!\\\n")

export const parse = (
  source: string,
  strict: boolean
): { readonly text: string; readonly entities: ReadonlyArray<Entity> } => new Parser(source, strict).run()

// ----- rendering

const escape = (text: string): string => text.replace(/[_*[\]()~`>#+\-=|{}.!\\]/g, "\\$&")

/** Marks that say nothing, between two that would be read as one; the first that is not open. */
const separators = [["messageEntityBold", "**"], ["messageEntityStrike", "~~"], [
  "messageEntitySpoiler",
  "||||"
]] as const

const simple: { readonly [tag: string]: string } = {
  messageEntityBold: "*",
  messageEntityItalic: "_",
  messageEntityUnderline: "__",
  messageEntityStrike: "~",
  messageEntitySpoiler: "||",
  messageEntityCode: "`"
}

const address = (url: string): string => url.replace(/[)\\]/g, "\\$&")

export const render = (text: string, spans: ReadonlyArray<Span>): string => {
  let out = ""
  const inside: Array<Span> = []
  let afterQuote = false
  const put = (mark: string, at: number): void => {
    // `_` after `_` is read as `__`, and `|` after `||` begins the wrong one
    if (mark !== "" && (mark[0] === "_" && /(?:^|[^\\])(?:\\\\)*_$/.test(out))) {
      const free = separators.find(([tag]) => !inside.some(({ entity }) => entity._tag === tag))
      if (free === undefined) throw new Problem(at, "so many entities cannot begin or end at one place")
      out += free[1]
    }
    out += mark
  }
  walk(text, spans, {
    open: (span) => {
      const { entity, end, start } = span
      switch (entity._tag) {
        case "messageEntityBlockquote":
          if (
            (start > 0 && text[start - 1] !== "\n") || (end < text.length && text[end] !== "\n") || inside.length > 0
          ) {
            throw new Problem(
              start,
              "a quote has to begin and end with a line, and to stand outside of everything else"
            )
          }
          out += afterQuote ? "**>" : ">"
          break
        case "messageEntityPre":
          out += `\`\`\`${entity.language.replace(/[\s`\\]/g, "")}\n`
          break
        case "messageEntityTextUrl":
        case "messageEntityMentionName":
          out += "["
          break
        case "messageEntityCustomEmoji":
          out += "!["
          break
        default:
          put(simple[entity._tag]!, start)
      }
      inside.push(span)
    },
    close: (span) => {
      const { end, entity } = span
      inside.splice(inside.indexOf(span), 1)
      switch (entity._tag) {
        case "messageEntityBlockquote":
          if (entity.collapsed === true) out += "||"
          break
        case "messageEntityPre":
          out += "\n```"
          break
        case "messageEntityTextUrl":
          out += `](${address(entity.url)})`
          break
        case "messageEntityMentionName":
          out += `](tg://user?id=${entity.userId})`
          break
        case "messageEntityCustomEmoji":
          out += `](tg://emoji?id=${entity.documentId})`
          break
        default:
          put(simple[entity._tag]!, end)
      }
      afterQuote = entity._tag === "messageEntityBlockquote"
    },
    text: (part, _start, within) => {
      const isCode = within.some(({ entity }) =>
        entity._tag === "messageEntityCode" || entity._tag === "messageEntityPre"
      )
      const escaped = isCode ? part.replace(/[`\\]/g, "\\$&") : escape(part)
      const isQuote = within.some(({ entity }) => entity._tag === "messageEntityBlockquote")
      out += isQuote ? escaped.replaceAll("\n", "\n>") : escaped
      if (part !== "\n") afterQuote = false
    }
  })
  return out
}
