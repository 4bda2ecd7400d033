/**
 * Emits the readers and writers: straight-line functions, one per constructor, a dispatching pair per type, a pair per
 * method. One module per namespace; the functions of other namespaces are reached through namespace imports, which may be
 * circular because nothing but function declarations stands in these modules.
 */
import type { Combinator, Constructor, Field, Method, Model, Slot, TlType } from "./model.ts"
import { localOf, namespaceOf } from "./model.ts"
import { methodCodec, typeCodec, vectorCodec } from "./names.ts"
import { header, moduleOf } from "./text.ts"

const capital = (kind: string): string => kind[0]!.toUpperCase() + kind.slice(1)

/** Ids are compared as signed words, as readers give them. */
const word = (n: number): string => String(n | 0)

// ----- facts about the whole layer

/** The smallest number of bytes that a value takes: the bound on counts of vectors. */
const minSizes = (model: Model): (type: TlType) => number => {
  const known = new Map<string, number>()
  const size = (type: TlType): number => {
    switch (type.kind) {
      case "int":
      case "bool":
      case "string":
      case "bytes":
        return 4
      case "long":
      case "double":
        return 8
      case "int128":
        return 16
      case "int256":
        return 32
      case "vector":
        return 8
      case "rest":
        return 0
      case "type":
        return known.get(type.name) ?? 4
    }
  }
  const slot = (s: Slot): number =>
    s.kind === "flags" ? 4 : s.kind === "true" || s.field.flag !== undefined ? 0 : size(s.field.type)
  for (let changed = true; changed;) {
    changed = false
    for (const [name, constructors] of model.types) {
      const least = Math.min(...constructors.map((c) => c.slots.reduce((n, s) => n + slot(s), 4)))
      if (known.get(name) !== least) {
        known.set(name, least)
        changed = true
      }
    }
  }
  return size
}

/** The types that can contain themselves: only these can nest without bound. */
const recursiveTypes = (model: Model): ReadonlySet<string> => {
  const mentions = new Map<string, ReadonlyArray<string>>()
  const names = (type: TlType): ReadonlyArray<string> =>
    type.kind === "type" ? [type.name] : type.kind === "vector" ? names(type.item) : []
  for (const [name, constructors] of model.types) {
    mentions.set(
      name,
      constructors.flatMap((c) => c.slots.flatMap((s) => s.kind === "flags" ? [] : names(s.field.type)))
    )
  }
  const reaches = (from: string): boolean => {
    const seen = new Set<string>()
    const queue = [...mentions.get(from)!]
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (next === from) return true
      if (seen.has(next)) continue
      seen.add(next)
      queue.push(...mentions.get(next)!)
    }
    return false
  }
  return new Set([...mentions.keys()].filter(reaches))
}

/** The types of which a vector occurs somewhere. */
const vectorTypes = (model: Model): ReadonlySet<string> => {
  const out = new Set<string>()
  const visit = (type: TlType): void => {
    if (type.kind !== "vector") return
    if (type.item.kind === "type") out.add(type.item.name)
    else visit(type.item)
  }
  for (const c of [...model.constructors, ...model.methods]) {
    for (const s of c.slots) if (s.kind === "field") visit(s.field.type)
  }
  for (const m of model.methods) visit(m.result)
  return out
}

export interface Facts {
  readonly minSize: (type: TlType) => number
  readonly recursive: ReadonlySet<string>
  readonly vectors: ReadonlySet<string>
}

export const factsOf = (model: Model): Facts => ({
  minSize: minSizes(model),
  recursive: recursiveTypes(model),
  vectors: vectorTypes(model)
})

// ----- one module

class Emitter {
  readonly model: Model
  readonly facts: Facts
  readonly namespace: string
  /** Namespaces whose codecs, or whose types, this module mentions. */
  readonly codecs = new Set<string>()
  readonly types = new Set<string>()

  constructor(model: Model, facts: Facts, namespace: string) {
    this.model = model
    this.facts = facts
    this.namespace = namespace
  }

  /** A function of another module, or of this one. */
  callee(typeName: string, name: string): string {
    const namespace = namespaceOf(typeName)
    if (namespace === this.namespace) return name
    this.codecs.add(namespace)
    return `c$${moduleOf(namespace)}.${name}`
  }

  typeName(name: string): string {
    this.types.add(namespaceOf(name))
    return `t$${moduleOf(namespaceOf(name))}.${localOf(name)}`
  }

  read(type: TlType): string {
    switch (type.kind) {
      case "type":
        return `${this.callee(type.name, typeCodec(type.name).read)}(r)`
      case "vector":
        return type.item.kind === "type"
          ? `${this.callee(type.item.name, vectorCodec(type.item.name).read)}(r)`
          : `p.readVector${capital(type.item.kind)}(r)`
      default:
        return `r.${type.kind}()`
    }
  }

  write(type: TlType, value: string): string {
    switch (type.kind) {
      case "type":
        return `${this.callee(type.name, typeCodec(type.name).write)}(w, ${value})`
      case "vector":
        return type.item.kind === "type"
          ? `${this.callee(type.item.name, vectorCodec(type.item.name).write)}(w, ${value})`
          : `p.writeVector${capital(type.item.kind)}(w, ${value})`
      case "rest":
        return `w.raw(${value})`
      default:
        return `w.${type.kind}(${value})`
    }
  }

  /** The statements that read the fields of `c` and return its value. */
  readBody(c: Combinator, type: string): ReadonlyArray<string> {
    const tag = `_tag: ${JSON.stringify(c.name)}`
    if (c.slots.every((s) => s.kind === "field" && s.field.flag === undefined)) {
      const fields = c.slots.map((s) => s.kind === "field" ? `${s.field.key}: ${this.read(s.field.type)}` : "")
      return [`return { ${[tag, ...fields].join(", ")} }`]
    }
    // Fields are read in the order of the wire; the object is made at the end, so that what is always there comes first
    // and objects of one constructor share their shape as far as they can.
    const out: Array<string> = []
    const always: Array<string> = [tag]
    const sometimes: Array<string> = []
    for (const s of c.slots) {
      if (s.kind === "flags") {
        const used = c.slots.some((o) => o.kind !== "flags" && o.field.flag?.field === s.tl)
        out.push(used ? `const ${s.tl} = r.int()` : "r.int()")
        continue
      }
      const { field } = s
      const local = `_${field.key}`
      const bit = field.flag === undefined ? "" : `${field.flag.field} & ${word(1 << field.flag.bit)}`
      if (s.kind === "true") {
        sometimes.push(`if (${bit}) o.${field.key} = true`)
      } else if (field.flag === undefined) {
        out.push(`const ${local} = ${this.read(field.type)}`)
        always.push(`${field.key}: ${local}`)
      } else {
        out.push(`const ${local} = ${bit} ? ${this.read(field.type)} : undefined`)
        sometimes.push(`if (${local} !== undefined) o.${field.key} = ${local}`)
      }
    }
    return [...out, `const o: Mutable<${type}> = { ${always.join(", ")} }`, ...sometimes, "return o"]
  }

  /** The statements that write the id and the fields of `v`. */
  writeBody(c: Combinator): ReadonlyArray<string> {
    const out = [`w.id(${word(c.id)})`]
    for (const s of c.slots) {
      if (s.kind === "true") continue
      if (s.kind === "flags") {
        out.push(`const ${s.tl} = ${this.flagsOf(c, s.tl)}`, `w.id(${s.tl})`)
        continue
      }
      const { flag, key, type } = s.field
      if (flag === undefined) out.push(this.write(type, `v.${key}`))
      // A missing value whose bit is set (by another field of the same bit) is refused by the writer.
      else out.push(`if (${flag.field} & ${word(1 << flag.bit)}) ${this.write(type, `v.${key}!`)}`)
    }
    return out
  }

  private flagsOf(c: Combinator, name: string): string {
    const bits = c.slots.flatMap((s) => {
      if (s.kind === "flags" || s.field.flag?.field !== name) return []
      const set = s.kind === "true" ? `v.${s.field.key} === true` : `v.${s.field.key} !== undefined`
      return [`(${set} ? ${word(1 << s.field.flag.bit)} : 0)`]
    })
    return bits.length === 0 ? "0" : bits.join(" | ")
  }

  // ----- types

  emitType(type: string, constructors: ReadonlyArray<Constructor>): ReadonlyArray<string> {
    const names = typeCodec(type)
    const value = this.typeName(type)
    const out: Array<string> = []
    const recursive = this.facts.recursive.has(type)
    const enter = recursive ? ["  r.enter()"] : []
    const read: Array<string> = []
    if (constructors.length === 1) {
      const c = constructors[0]!
      // The refusal is a value, so that it can be told where it stands (see apiLocate.ts).
      read.push("  const id = r.int()", `  if (id !== ${word(c.id)}) return r.unknown(${JSON.stringify(type)}, id)`)
      if (recursive) {
        out.push(...this.constructorReader(c))
        read.push("  r.enter()", `  const v = ${readerOf(c)}(r)`, "  r.leave()", "  return v")
      } else {
        read.push(...this.readBody(c, this.typeName(c.name)).map((l) => `  ${l}`))
      }
    } else {
      for (const c of constructors) if (c.slots.length > 0) out.push(...this.constructorReader(c))
      read.push("  const id = r.int()", ...enter)
      const call = (c: Constructor): string =>
        c.slots.length === 0 ? `{ _tag: ${JSON.stringify(c.name)} }` : `${readerOf(c)}(r)`
      if (recursive) {
        read.push(`  let v: ${value}`)
        read.push(
          ...dispatch(constructors, (c) => `v = ${call(c)}; break`, `v = r.unknown(${JSON.stringify(type)}, id)`)
        )
        read.push("  r.leave()", "  return v")
      } else {
        read.push(
          ...dispatch(constructors, (c) => `return ${call(c)}`, `return r.unknown(${JSON.stringify(type)}, id)`)
        )
      }
    }
    out.push(`export function ${names.read}(r: TlReader): ${value} {`, ...read, "}")

    const write: Array<string> = []
    if (recursive) write.push("  w.enter()")
    if (constructors.length === 1) {
      const c = constructors[0]!
      write.push(`  if (v?._tag !== ${JSON.stringify(c.name)}) w.unknown(${JSON.stringify(type)}, v)`)
      write.push(...this.writeBody(c).map((l) => `  ${l}`))
    } else {
      write.push("  switch (v?._tag) {")
      for (const c of constructors) {
        const body = this.writeBody(c)
        if (body.length === 1) {
          write.push(`    case ${JSON.stringify(c.name)}: ${body[0]}; break`)
        } else {
          out.push(
            `function w_${localOf(c.name)}(w: TlWriter, v: ${this.typeName(c.name)}): void {`,
            ...body.map((l) => `  ${l}`),
            "}"
          )
          write.push(`    case ${JSON.stringify(c.name)}: w_${localOf(c.name)}(w, v); break`)
        }
      }
      write.push(`    default: w.unknown(${JSON.stringify(type)}, v)`, "  }")
    }
    if (recursive) write.push("  w.leave()")
    out.push(`export function ${names.write}(w: TlWriter, v: ${value}): void {`, ...write, "}")

    if (this.facts.vectors.has(type)) {
      const vector = vectorCodec(type)
      const size = this.facts.minSize({ kind: "type", name: type })
      out.push(
        `export function ${vector.read}(r: TlReader): Array<${value}> {`,
        `  const n = r.vector(${size})`,
        `  const a: Array<${value}> = []`,
        `  for (let i = 0; i < n; i++) a.push(${names.read}(r))`,
        "  return a",
        "}",
        `export function ${vector.write}(w: TlWriter, v: ReadonlyArray<${value}>): void {`,
        "  const n = w.vector(v)",
        `  for (let i = 0; i < n; i++) ${names.write}(w, v[i]!)`,
        "}"
      )
    }
    return [...out, ""]
  }

  private constructorReader(c: Constructor): ReadonlyArray<string> {
    const value = this.typeName(c.name)
    return [
      `function ${readerOf(c)}(r: TlReader): ${value} {`,
      ...this.readBody(c, value).map((l) => `  ${l}`),
      "}"
    ]
  }

  // ----- methods

  emitMethod(m: Method): ReadonlyArray<string> {
    const names = methodCodec(m.name)
    const value = `MethodValue<typeof ${this.typeName(m.name)}>`
    return [
      `export function ${names.read}(r: TlReader): ${value} {`,
      `  r.expect(${word(m.id)}, ${JSON.stringify(m.name)})`,
      ...this.readBody(m, value).map((l) => `  ${l}`),
      "}",
      `export function ${names.write}(w: TlWriter, ${m.slots.length === 0 ? "_v" : "v"}: ${value}): void {`,
      ...this.writeBody(m).map((l) => `  ${l}`),
      "}",
      ""
    ]
  }

  emit(): string {
    const body: Array<string> = []
    for (const [type, constructors] of this.model.types) {
      if (namespaceOf(type) === this.namespace) body.push(...this.emitType(type, constructors))
    }
    const methods = this.model.methods.filter((m) => namespaceOf(m.name) === this.namespace)
    for (const m of methods) body.push(...this.emitMethod(m))
    const text = body.join("\n")
    const helpers = ["MethodValue", "Mutable"].filter((n) => text.includes(`${n}<`))
    const imports = [
      `import type { TlReader } from "../../TlReader.ts"`,
      `import type { TlWriter } from "../../TlWriter.ts"`,
      ...(helpers.length > 0 ? [`import type { ${helpers.join(", ")} } from "../apiMethod.ts"`] : []),
      ...(/\bp\.(read|write)/.test(text) ? [`import * as p from "../apiPrimitives.ts"`] : []),
      ...[...this.codecs].toSorted().map((n) => `import * as c$${moduleOf(n)} from "./${moduleOf(n)}.ts"`),
      ...[...this.types].toSorted().map((n) => `import type * as t$${moduleOf(n)} from "../../api/${moduleOf(n)}.ts"`)
    ]
    const what = this.namespace === "" ? "without a namespace" : `of the namespace \`${this.namespace}\``
    return [header(this.model, `Readers and writers ${what}.`, true), ...imports.toSorted(), "", text].join("\n")
  }
}

const readerOf = (c: Constructor): string => `r_${localOf(c.name)}`

/** Up to this many constructors are compared one after the other. */
const linear = 8

/** Finds the constructor of `id`: by halves while there are many. */
const dispatch = (
  constructors: ReadonlyArray<Constructor>,
  found: (c: Constructor) => string,
  unknown: string
): ReadonlyArray<string> => {
  const go = (sorted: ReadonlyArray<Constructor>, indent: string): ReadonlyArray<string> => {
    if (sorted.length <= linear) {
      return [
        `${indent}switch (id) {`,
        ...sorted.map((c) => `${indent}  case ${word(c.id)}: ${found(c)}`),
        `${indent}  default: ${unknown}`,
        `${indent}}`
      ]
    }
    const middle = sorted.length >> 1
    return [
      `${indent}if (id < ${word(sorted[middle]!.id)}) {`,
      ...go(sorted.slice(0, middle), `${indent}  `),
      `${indent}} else {`,
      ...go(sorted.slice(middle), `${indent}  `),
      `${indent}}`
    ]
  }
  const many = constructors.length > linear
  return go(many ? constructors.toSorted((a, b) => (a.id | 0) - (b.id | 0)) : constructors, "  ")
}

export const emitCodecs = (model: Model, facts: Facts, namespace: string): string =>
  new Emitter(model, facts, namespace).emit()

/** The kinds of primitive vectors that occur, for the check that the hand-written helpers cover them. */
export const primitiveVectors = (model: Model): ReadonlyArray<string> => {
  const out = new Set<string>()
  const visit = (type: TlType): void => {
    if (type.kind === "vector" && type.item.kind !== "type") out.add(type.item.kind)
  }
  const fields: ReadonlyArray<Field> = [...model.constructors, ...model.methods].flatMap((c) =>
    c.slots.flatMap((s) => s.kind === "field" ? [s.field] : [])
  )
  for (const f of fields) visit(f.type)
  for (const m of model.methods) visit(m.result)
  return [...out].toSorted()
}
