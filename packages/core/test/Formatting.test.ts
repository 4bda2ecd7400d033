import * as Formatting from "@effect-mtproto/core/Formatting"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"

type Entity = Formatting.Entity

const parsed = (mode: Formatting.Mode, markup: string) => {
  const result = Formatting.parse(mode, markup)
  if (Result.isFailure(result)) throw new Error(`${markup}: ${result.failure.message}`)
  return result.success
}
const problem = (mode: Formatting.Mode, markup: string): string => {
  const result = Formatting.parse(mode, markup)
  assert(Result.isFailure(result), markup)
  return result.failure.message
}
const kinds = (entities: ReadonlyArray<Entity>) =>
  entities.map(({ _tag, length, offset, ...more }) => [
    _tag.replace("messageEntity", "").toLowerCase(),
    offset,
    length,
    ...Object.values(more)
  ])

type Case = readonly [markup: string, text: string, ...entities: ReadonlyArray<ReadonlyArray<unknown>>]

const check = (mode: Formatting.Mode, cases: ReadonlyArray<Case>) => {
  for (const [markup, text, ...entities] of cases) {
    const found = parsed(mode, markup)
    assert.deepStrictEqual([found.text, ...kinds(found.entities)], [text, ...entities], markup)
  }
}

const refused = (mode: Formatting.Mode, cases: ReadonlyArray<readonly [string, RegExp]>) => {
  for (const [markup, message] of cases) assert.match(problem(mode, markup), message, markup)
}

describe("HTML", () => {
  it("tags, nested, with offsets in UTF-16 units", () => {
    check("HTML", [
      ["", ""],
      ["plain", "plain"],
      ["<b>a</b><strong>b</strong>", "ab", ["bold", 0, 1], ["bold", 1, 1]],
      ["<i>a</i><em>b</em>", "ab", ["italic", 0, 1], ["italic", 1, 1]],
      ["<u>a</u><ins>b</ins>", "ab", ["underline", 0, 1], ["underline", 1, 1]],
      ["<s>a</s><strike>b</strike><del>c</del>", "abc", ["strike", 0, 1], ["strike", 1, 1], ["strike", 2, 1]],
      ["<tg-spoiler>a</tg-spoiler><span class=\"tg-spoiler\">b</span>", "ab", ["spoiler", 0, 1], ["spoiler", 1, 1]],
      ["🇺🇦<b>🇺🇦</b>", "🇺🇦🇺🇦", ["bold", 4, 4]],
      ["👩‍👩‍👧<B>é<I >👍</i></B>", "👩‍👩‍👧é👍", ["bold", 8, 3], ["italic", 9, 2]],
      ["<b>test</b><br>test<br/>", "test\ntest\n", ["bold", 0, 4]],
      ["<code>x &lt; y</code>", "x < y", ["code", 0, 5]],
      ["<pre>a</pre>", "a", ["pre", 0, 1, ""]],
      ["<pre language=\"lua\">a</pre>", "a", ["pre", 0, 1, "lua"]],
      ["<pre><code class=\"language-c++\">a\nb</code></pre>", "a\nb", ["pre", 0, 3, "c++"]],
      ["<pre>a<code>b</code>c<code>d</code></pre>", "abcd", ["pre", 0, 4, ""]],
      ["<code class='language-x'>a</code>", "a", ["code", 0, 1]],
      ["<a href=\"https://example.com/?a=1&amp;b=2\">x</a>", "x", ["texturl", 0, 1, "https://example.com/?a=1&b=2"]],
      ["<a href='mailto:a@b'>x</a><a href=t.me>y</a>", "xy", ["texturl", 0, 1, "mailto:a@b"], [
        "texturl",
        1,
        1,
        "t.me"
      ]],
      ["<a href=\"tg://user?id=123\">x</a>", "x", ["mentionname", 0, 1, 123n]],
      ["<a href=\"mention:5\">x</a>", "x", ["mentionname", 0, 1, 5n]],
      ["<tg-emoji emoji-id=\"5368324170671202286\">👍</tg-emoji>", "👍", ["customemoji", 0, 2, 5368324170671202286n]],
      ["<blockquote>a</blockquote><blockquote expandable>b</blockquote>", "ab", ["blockquote", 0, 1], [
        "blockquote",
        1,
        1,
        true
      ]],
      [
        "&lt;b&gt; &amp;amp; &quot;&#39;&apos;&#128077;&#x1F44D; &nope; AT&T &#0; &#xD800; &",
        "<b> &amp; \"''👍👍 &nope; AT&T &#0; &#xD800; &"
      ],
      ["a <b></b> <i/> b", "a   b"],
      ["<b>a<b>b</b></b>", "ab", ["bold", 0, 2]]
    ])
  })

  it("says what is wrong, and where", () => {
    refused("HTML", [
      ["a < b", /^HTML, character 2: this is no tag; a < in the text is written &lt;$/],
      ["<script>x</script>", /^HTML, character 0: there is no tag <script>$/],
      ["<p>x</p>", /there is no tag <p>/],
      ["<b>a<i>b</b></i>", /character 8: <\/b> stands where <\/i> has to/],
      ["a</b>", /character 1: <\/b> closes nothing/],
      ["x<b>a", /character 1: <b> is not closed/],
      ["<a>x</a>", /<a> needs an address in href/],
      ["<a href='a b'>x</a>", /<a> needs an address in href/],
      [`<a href="${"x".repeat(2049)}">x</a>`, /<a> needs an address in href/],
      ["<a href='tg://user?id=x'>x</a>", /<a> needs an address in href/],
      ["<a href='tg://user?id=9999999999999999999'>x</a>", /<a> needs an address in href/],
      ["<a href='x'><a href='y'>x</a></a>", /links cannot be nested/],
      ["<span>x</span>", /<span> needs class="tg-spoiler"/],
      ["<tg-emoji>x</tg-emoji>", /<tg-emoji> needs a number/],
      ["<code><b>x</b></code>", /nothing can stand inside code/],
      ["<pre><i>x</i></pre>", /nothing can stand inside code/],
      ["<blockquote><b><blockquote>x</blockquote></b></blockquote>", /quotes cannot be nested/],
      [`${"<b><i>".repeat(20)}`, /nested too deeply/],
      ["<b", /this is no tag/],
      ["<!-- x -->", /this is no tag/]
    ])
  })
})

describe("MarkdownV2", () => {
  it("marks, nested, escaped", () => {
    check("MarkdownV2", [
      ["test* test*", "test test", ["bold", 4, 5]],
      [
        "*b* _i_ __u__ ~s~ ||x||",
        "b i u s x",
        ["bold", 0, 1],
        ["italic", 2, 1],
        ["underline", 4, 1],
        ["strike", 6, 1],
        [
          "spoiler",
          8,
          1
        ]
      ],
      ["*a _b ~c~_*", "a b c", ["bold", 0, 5], ["italic", 2, 3], ["strike", 4, 1]],
      ["*🇺🇦*👍_👍_", "🇺🇦👍👍", ["bold", 0, 4], ["italic", 6, 2]],
      ["___a_**__", "a", ["underline", 0, 1], ["italic", 0, 1]],
      ["\\*a\\_\\\\ \\.", "*a_\\ ."],
      ["`a*b\\`c\\\\`", "a*b`c\\", ["code", 0, 6]],
      ["```\na\n```", "a", ["pre", 0, 1, ""]],
      ["```lua\nprint(1)\n\n```", "print(1)\n", ["pre", 0, 9, "lua"]],
      ["```x```", "x", ["pre", 0, 1, ""]],
      ["[a*b*](https://e.x/a\\)b)", "ab", ["texturl", 0, 2, "https://e.x/a)b"], ["bold", 1, 1]],
      ["[a](tg://user?id=7)", "a", ["mentionname", 0, 1, 7n]],
      ["![👍](tg://emoji?id=9)", "👍", ["customemoji", 0, 2, 9n]],
      ["[a![👍](tg://emoji?id=9)](https://e.x)", "a👍", ["texturl", 0, 3, "https://e.x"], ["customemoji", 1, 2, 9n]],
      [">a\n>*b*\nc", "a\nb\nc", ["blockquote", 0, 3], ["bold", 2, 1]],
      [">a\n**>b||", "a\nb", ["blockquote", 0, 1], ["blockquote", 2, 1, true]],
      ["x\n>\n>a", "x\n\na", ["blockquote", 2, 2]],
      ["**", ""]
    ])
  })

  it("says what is wrong, and where", () => {
    refused("MarkdownV2", [
      ["a.b", /^MarkdownV2, character 1: \. is reserved: write \\\.$/],
      ["*a", /character 0: \* is not closed/],
      ["*a _b* c_", /character 3: _ is not closed, or not within/],
      ["a > b", /> is reserved/],
      ["[a]", /a link needs an address/],
      ["[a](b c)", /a link needs an address/],
      ["[a](b", /a link needs an address/],
      ["![a](https://e.x)", /a link needs an address/],
      ["[a", /character 0: \[ is not closed/],
      ["[a [b](c)", /links cannot be nested/],
      ["a]", /\] is reserved/],
      ["`a", /` is not closed/],
      ["```a", /``` is not closed/],
      [">*a\n*", /\* is not closed/],
      ["a | b", /\| is reserved/]
    ])
  })
})

describe("Markdown", () => {
  it("as people write it", () => {
    check("Markdown", [
      [
        "**b** *b* _i_ __u__ ~~s~~ ||x||",
        "b b i u s x",
        ["bold", 0, 1],
        ["bold", 2, 1],
        ["italic", 4, 1],
        [
          "underline",
          6,
          1
        ],
        ["strike", 8, 1],
        ["spoiler", 10, 1]
      ],
      ["a.b! 5 * 3 * 4 - snake_case_name ~5 (x) | # {y}", "a.b! 5 * 3 * 4 - snake_case_name ~5 (x) | # {y}"],
      ["*not closed", "*not closed"],
      ["*a _b* c_", "a _b c_", ["bold", 0, 4]],
      ["[not a link] and [a](no url) [x", "[not a link] and [a](no url) [x"],
      ["[a](https://e.x)!", "a!", ["texturl", 0, 1, "https://e.x"]],
      ["![a](https://e.x) ![👍](tg://emoji?id=1)", "!a 👍", ["texturl", 1, 1, "https://e.x"], [
        "customemoji",
        3,
        2,
        1n
      ]],
      ["\\*a\\* \\q", "*a* \\q"],
      ["`a_b_c` ` x", "a_b_c ` x", ["code", 0, 5]],
      ["```js\r\na\r\n```", "a", ["pre", 0, 1, "js"]],
      ["```a `b", "```a `b"],
      ["> a\n>b\nc", "a\nb\nc", ["blockquote", 0, 3]],
      ["> a||", "a", ["blockquote", 0, 1, true]],
      ["a > b", "a > b"],
      ["_👍_", "👍", ["italic", 0, 2]]
    ])
  })
})

// ----- round trips

const piece = Schema.Literals([
  "a",
  "Z",
  " ",
  "\n",
  "👍",
  "🇺🇦",
  "é",
  "_",
  "*",
  "`",
  "~",
  "|",
  "[",
  "]",
  "(",
  ")",
  ">",
  "\\",
  "<",
  "&",
  "&lt;",
  ".",
  "!",
  "#",
  "-"
])
const simple = [
  "Bold",
  "Italic",
  "Underline",
  "Strike",
  "Spoiler",
  "Code",
  "Pre",
  "TextUrl",
  "MentionName",
  "CustomEmoji"
] as const

/** A text as steps: characters, beginnings and ends. */
const Steps = Schema.Array(Schema.Union([piece, Schema.Literals(simple), Schema.Literals(["end", "end "])]))
  .check(Schema.isMaxLength(30))

const make = (kind: (typeof simple)[number], offset: number, length: number): Entity => {
  const _tag = `messageEntity${kind}` as const
  switch (_tag) {
    case "messageEntityPre":
      return { _tag, offset, length, language: offset % 2 === 0 ? "" : "c++" }
    case "messageEntityTextUrl":
      return { _tag, offset, length, url: "https://e.x/(a)?b=\"<&>\\" }
    case "messageEntityMentionName":
      return { _tag, offset, length, userId: 2n ** 60n }
    case "messageEntityCustomEmoji":
      return { _tag, offset, length, documentId: 7n }
    default:
      return { _tag, offset, length }
  }
}

const isKind = (step: string): step is (typeof simple)[number] => (simple as ReadonlyArray<string>).includes(step)

/** Entities that are nested, none of them within one of its kind. */
const build = (steps: typeof Steps.Type): Formatting.Formatted => {
  let text = ""
  const entities: Array<Entity> = []
  const open: Array<{ readonly kind: (typeof simple)[number]; readonly start: number }> = []
  const end = () => {
    const last = open.pop()
    if (last !== undefined && text.length > last.start) {
      entities.push(make(last.kind, last.start, text.length - last.start))
    }
  }
  for (const step of steps) {
    if (step.startsWith("end")) end()
    else if (!isKind(step)) text += step
    else {
      const inside = new Set(open.map(({ kind }) => kind))
      const isLink = step === "TextUrl" || step === "MentionName"
      if (inside.has(step) || inside.has("Code") || inside.has("Pre")) continue
      if (isLink && ["TextUrl", "MentionName", "CustomEmoji"].some((kind) => inside.has(kind as typeof step))) continue
      open.push({ kind: step, start: text.length })
    }
  }
  while (open.length > 0) end()
  return { text, entities }
}

/** One order for those that begin and end at the same places. */
const canonical = (entities: ReadonlyArray<Entity>) =>
  entities.map((entity) => Object.entries(entity).map(([key, value]) => `${key}=${value}`).toSorted().join(" "))
    .toSorted()

describe("round trips", () => {
  for (const mode of ["HTML", "MarkdownV2"] as const) {
    it.prop(`${mode}: what is written is read again`, [Arbitrary.schema(Schema.Array(Steps))], ([many]) => {
      for (const steps of many) {
        const { entities, text } = build(steps)
        const markup = Formatting.render(mode, text, entities)
        if (Result.isFailure(markup)) {
          assert.strictEqual(markup.failure.problem, "so many entities cannot begin or end at one place")
          continue
        }
        const again = parsed(mode, markup.success)
        assert.strictEqual(again.text, text)
        assert.deepStrictEqual(canonical(again.entities), canonical(entities), markup.success)
      }
    })
  }

  it.prop("any text, escaped, is itself", [Arbitrary.schema(Schema.String)], ([text]) => {
    for (const mode of ["HTML", "MarkdownV2"] as const) {
      const markup = Result.getOrThrow(Formatting.render(mode, text, []))
      assert.deepStrictEqual(parsed(mode, markup), { text, entities: [] })
    }
  })

  it.prop("whatever is given, entities are within the text, or it says what is wrong", [
    Arbitrary.schema(Schema.Array(piece).check(Schema.isMaxLength(60)))
  ], ([pieces]) => {
    for (const mode of ["HTML", "MarkdownV2", "Markdown"] as const) {
      const result = Formatting.parse(mode, pieces.join(""))
      if (Result.isFailure(result)) {
        assert.notStrictEqual(mode, "Markdown")
        continue
      }
      const { entities, text } = result.success
      for (const { length, offset } of entities) {
        assert.isTrue(length > 0 && offset >= 0 && offset + length <= text.length)
      }
      if (mode !== "Markdown") continue
      assert.isTrue(Result.isSuccess(Formatting.render("HTML", text, entities)), pieces.join(""))
    }
  })

  it("quotes, in Markdown by lines", () => {
    const text = "a\nb\nc\nd"
    const entities: ReadonlyArray<Entity> = [
      { _tag: "messageEntityBlockquote", offset: 0, length: 3 },
      { _tag: "messageEntityBold", offset: 0, length: 3 },
      { _tag: "messageEntityBlockquote", offset: 4, length: 1, collapsed: true }
    ]
    for (const mode of ["HTML", "MarkdownV2"] as const) {
      assert.deepStrictEqual(parsed(mode, Result.getOrThrow(Formatting.render(mode, text, entities))), {
        text,
        entities
      })
    }
    const inLine = Formatting.render("MarkdownV2", "ab", [{ _tag: "messageEntityBlockquote", offset: 1, length: 1 }])
    assert(Result.isFailure(inLine))
    assert.match(inLine.failure.message, /a quote has to begin and end with a line/)
  })

  it("what cannot be rendered", () => {
    const of = (...entities: ReadonlyArray<readonly [number, number, string?]>) => {
      const result = Formatting.render(
        "HTML",
        "a👍bc",
        entities.map(([offset, length, tag = "messageEntityBold"]) => ({ _tag: tag, offset, length }) as Entity)
      )
      return Result.isFailure(result) ? result.failure.problem : result.success
    }
    assert.strictEqual(of([0, 3], [1, 4, "messageEntityItalic"]), "entities overlap and are not nested")
    assert.strictEqual(of([0, 2]), "an entity cuts a character")
    assert.strictEqual(of([2, 1]), "an entity cuts a character")
    for (const [offset, length] of [[-1, 2], [0, 9], [0.5, 1], [NaN, 1], [0, -1], [9, 1]] as const) {
      assert.strictEqual(of([offset, length]), "an entity is not within the text")
    }
    assert.strictEqual(of([0, 5, "messageEntityCode"], [0, 1]), "nothing can stand inside code")
    assert.strictEqual(of([0, 1, "messageEntityHashtag"], [0, 0]), "a👍bc")
    assert.strictEqual(of([0, 5], [0, 1]), "<b>a👍bc</b>")
  })
})

describe("bounds", () => {
  it("in length, in entities, and in time", () => {
    assert.match(problem("HTML", "x".repeat(Formatting.maxLength + 1)), /more than 1000000 characters/)
    assert.match(problem("MarkdownV2", "*a*".repeat(Formatting.maxEntities + 1)), /more than 10000 entities/)
    const before = process.cpuUsage()
    for (
      const unit of ["<", "&", "[", "](", "`", "```", "*a", "_a_ ", "![", "> \n", "\\", "||", "<b ", "[a](", "(", "~~"]
    ) {
      const markup = unit.repeat(Math.floor(200_000 / unit.length))
      for (const mode of ["HTML", "Markdown", "MarkdownV2"] as const) Formatting.parse(mode, markup)
    }
    assert.isBelow(process.cpuUsage(before).user, 20_000_000)
  })

  it("names of modes in any case", () => {
    assert.deepStrictEqual(["html", "Markdown", "MARKDOWNV2", "text"].map(Formatting.mode), [
      "HTML",
      "Markdown",
      "MarkdownV2",
      undefined
    ])
  })

  it("secret chats cannot name people; ordinary ones only those who are known", () => {
    const { entities } = parsed("HTML", "<a href='tg://user?id=1'>a</a><blockquote expandable>b</blockquote>")
    assert.deepStrictEqual(Formatting.toSecret(entities), [{ _tag: "messageEntityBlockquote", offset: 1, length: 1 }])
    const userId = { _tag: "inputUser", userId: 1n, accessHash: 2n } as const
    assert.deepStrictEqual(Formatting.toApi(entities, () => userId)[0], {
      _tag: "inputMessageEntityMentionName",
      offset: 0,
      length: 1,
      userId
    })
    assert.strictEqual(Formatting.toApi(entities, () => undefined).length, 1)
  })
})
