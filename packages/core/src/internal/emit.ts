/**
 * Layout -> JavaScript source of readers and writers.
 *
 * The source is straight-line: one function per constructor, object literals (so that every decoded object of a
 * constructor has the same hidden classes), no closures and no property names computed at run time. That is what makes
 * it several times faster than interpreting the layout. Pure text in, text out: it serves at build time and behind
 * `new Function` alike.
 *
 * The source calls nothing but the methods of `TlReader` (`r`) and `TlWriter` (`w`) and the functions it defines.
 */
import type { ConstructorLayout, FieldLayout, Layout, UnionLayout, VectorLayout } from "./layout.ts"
import { itemSize, resolve } from "./layout.ts"

/** The source of function declarations, and what to call for the layout it was made from. */
export interface Emitted {
  readonly declarations: string
  /** An expression that reads the value; `r` is in scope. */
  readonly read: string
  /** A statement that writes the value `v`; `w` is in scope. */
  readonly write: string
}

/** The body of a function that returns `{ read, write }`. */
export const emitUnit = (layout: Layout): string => {
  const { declarations, read, write } = emit(layout)
  return `"use strict"\n${declarations}return {\n  read(r) { return ${read} },\n  write(w, v) { ${write} }\n}\n`
}

export const emit = (layout: Layout): Emitted => {
  const unit = new Unit()
  const read = unit.read(layout)
  const write = unit.write(layout, "v")
  unit.finish()
  return { declarations: unit.declarations.join(""), read, write }
}

/** Unions up to this size are written through a `switch`, which compares one string after the other. */
const SWITCH_LIMIT = 12

class Unit {
  readonly declarations: Array<string> = []
  private readonly names = new Map<ConstructorLayout | UnionLayout | VectorLayout, number>()
  private readonly pending: Array<() => void> = []

  /** Functions are emitted after what mentions them, so recursive layouts end. */
  finish(): void {
    for (let next = this.pending.shift(); next !== undefined; next = this.pending.shift()) next()
  }

  read(layout: Layout): string {
    const l = resolve(layout)
    switch (l._tag) {
      case "primitive":
        return `r.${l.type}()`
      case "vector":
        return `r${this.name(l)}(r)`
      case "union":
        return `r${this.name(l)}(r)`
      case "object":
        return l.boxed ? `b${this.name(l.of)}(r)` : `r${this.name(l.of)}(r)`
    }
  }

  write(layout: Layout, value: string): string {
    const l = resolve(layout)
    switch (l._tag) {
      case "primitive":
        return `w.${l.type === "rest" ? "raw" : l.type}(${value})`
      case "vector":
      case "union":
        return `w${this.name(l)}(w, ${value})`
      case "object":
        return l.boxed ? `x${this.name(l.of)}(w, ${value})` : `w${this.name(l.of)}(w, ${value})`
    }
  }

  private name(of: ConstructorLayout | UnionLayout | VectorLayout): number {
    let n = this.names.get(of)
    if (n === undefined) {
      n = this.names.size
      this.names.set(of, n)
      this.pending.push(() => this.declarations.push(this.declarationOf(of, n!)))
    }
    return n
  }

  private declarationOf(of: ConstructorLayout | UnionLayout | VectorLayout, n: number): string {
    if ("_tag" in of) return of._tag === "union" ? this.union(of, n) : this.vector(of, n)
    return this.constructorFunctions(of, n)
  }

  private vector(of: VectorLayout, n: number): string {
    const size = itemSize(of.item)
    return `function r${n}(r) {
  const n = r.${of.boxed ? "vector" : "count"}(${size})
  const a = []
  for (let i = 0; i < n; i++) a.push(${this.read(of.item)})
  return a
}
function w${n}(w, v) {
  const n = w.${of.boxed ? "vector" : "count"}(v)
  for (let i = 0; i < n; i++) ${this.write(of.item, "v[i]")}
}
`
  }

  private union(of: UnionLayout, n: number): string {
    const name = JSON.stringify(of.name)
    const reads = of.members.map((m) => `    case ${m.id | 0}: v = r${this.name(m)}(r); break\n`)
    const read = `function r${n}(r) {
  const id = r.int()
  r.enter()
  let v
  switch (id) {
${reads.join("")}    default: r.unknown(${name}, id)
  }
  r.leave()
  return v
}
`
    if (of.members.length <= SWITCH_LIMIT) {
      const writes = of.members.map((m) =>
        `    case ${JSON.stringify(m.tag)}: w.id(${m.id | 0}); w${this.name(m)}(w, v); break\n`
      )
      return `${read}function w${n}(w, v) {
  w.enter()
  switch (v._tag) {
${writes.join("")}    default: w.unknown(${name}, v)
  }
  w.leave()
}
`
    }
    const entries = of.members.map((m) => `[${JSON.stringify(m.tag)}, { id: ${m.id | 0}, write: w${this.name(m)} }]`)
    return `${read}const t${n} = new Map([
  ${entries.join(",\n  ")}
])
function w${n}(w, v) {
  const m = t${n}.get(v._tag)
  if (m === undefined) w.unknown(${name}, v)
  w.enter()
  w.id(m.id)
  m.write(w, v)
  w.leave()
}
`
  }

  private constructorFunctions(c: ConstructorLayout, n: number): string {
    const id = c.id | 0
    const tag = JSON.stringify(c.tag)
    return `function r${n}(r) {
${this.readFields(c)}}
function b${n}(r) {
  r.expect(${id}, ${JSON.stringify(c.name)})
  r.enter()
  const v = r${n}(r)
  r.leave()
  return v
}
function w${n}(w, v) {
  if (v._tag !== ${tag}) w.unknown(${tag}, v)
${this.writeFields(c)}}
function x${n}(w, v) {
  w.enter()
  w.id(${id})
  w${n}(w, v)
  w.leave()
}
`
  }

  private readFields(c: ConstructorLayout): string {
    const fields = c.fields
    const tag = `_tag: ${JSON.stringify(c.tag)}`
    if (!fields.some((f) => f._tag === "flags")) {
      const values = fields.map((f) => f._tag === "value" ? `, ${property(f.key)}: ${this.read(f.layout)}` : "")
      return `  return { ${tag}${values.join("")} }\n`
    }
    // Required fields make the literal; conditional ones before the last required one wait in variables.
    const isRequired = (f: FieldLayout) => f._tag === "value" && f.flag === undefined
    const last = fields.findLastIndex(isRequired)
    const head: Array<string> = []
    const literal: Array<string> = [tag]
    const tail: Array<string> = []
    fields.forEach((f, i) => {
      if (f._tag === "flags") {
        // A word behind the last required field is still read before the conditional fields that follow it.
        ;(i < last ? head : tail).push(`  const f${i} = r.int()\n`)
        return
      }
      if (f._tag === "value" && f.flag === undefined) {
        if (i === last && tail.length === 0) literal.push(`${property(f.key)}: ${this.read(f.layout)}`)
        else {
          head.push(`  const v${i} = ${this.read(f.layout)}\n`)
          literal.push(`${property(f.key)}: v${i}`)
        }
        return
      }
      const test = `if (${this.bit(c, f.flag!.word, f.flag!.bit)}) `
      if (f._tag === "true") tail.push(`  ${test}o${access(f.key)} = true\n`)
      else if (i > last) tail.push(`  ${test}o${access(f.key)} = ${this.read(f.layout)}\n`)
      else {
        head.push(`  let v${i}\n  ${test}v${i} = ${this.read(f.layout)}\n`)
        tail.push(`  ${test}o${access(f.key)} = v${i}\n`)
      }
    })
    return `${head.join("")}  const o = { ${literal.join(", ")} }\n${tail.join("")}  return o\n`
  }

  private writeFields(c: ConstructorLayout): string {
    const out: Array<string> = []
    c.fields.forEach((f, i) => {
      if (f._tag === "flags") {
        const bits = new Map<number, Array<string>>()
        for (const g of c.fields) {
          if (g._tag === "flags" || g.flag?.word !== f.name) continue
          const test = `v${access(g.key)} ${g._tag === "true" ? "=== true" : "!== undefined"}`
          bits.set(g.flag.bit, [...bits.get(g.flag.bit) ?? [], test])
        }
        const terms = [...bits].map(([bit, tests]) => `(${tests.join(" || ")} ? ${1 << bit} : 0)`)
        out.push(`  const f${i} = ${terms.length === 0 ? "0" : terms.join(" | ")}\n  w.id(f${i})\n`)
      } else if (f._tag === "value") {
        const test = f.flag === undefined ? "" : `if (${this.bit(c, f.flag.word, f.flag.bit)}) `
        out.push(`  ${test}${this.write(f.layout, `v${access(f.key)}`)}\n`)
      }
    })
    return out.join("")
  }

  private bit(c: ConstructorLayout, word: string, bit: number): string {
    return `f${c.fields.findIndex((f) => f._tag === "flags" && f.name === word)} & ${1 << bit}`
  }
}

const identifier = /^[A-Za-z_$][\w$]*$/

// `__proto__` in a literal would set the prototype.
const property = (key: string): string => identifier.test(key) && key !== "__proto__" ? key : `[${JSON.stringify(key)}]`

const access = (key: string): string => identifier.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
