/**
 * Layout -> reader and writer, without generating code. It keeps the path of what it is at, so it serves twice: where
 * code generation is forbidden, and to say where generated code failed.
 */
import { TlError } from "../TlError.ts"
import type { TlReader } from "../TlReader.ts"
import type { TlWriter } from "../TlWriter.ts"
import type { ConstructorLayout, FieldLayout, Layout, UnionLayout } from "./layout.ts"
import { itemSize } from "./layout.ts"

type Read = (r: TlReader, path: Path) => unknown
type Write = (w: TlWriter, value: any, path: Path) => void
type Path = Array<string | number>

export interface Interpreter {
  readonly read: (r: TlReader) => unknown
  readonly write: (w: TlWriter, value: unknown) => void
}

export const make = (layout: Layout): Interpreter => {
  const read = readerOf(layout)
  const write = writerOf(layout)
  return {
    read: (r) => located([], (path) => read(r, path)),
    write: (w, value) => located([], (path) => write(w, value, path))
  }
}

const located = <A>(path: Path, run: (path: Path) => A): A => {
  try {
    return run(path)
  } catch (e) {
    if (!(e instanceof TlError)) throw e
    throw new TlError({ reason: e.reason, path, offset: e.offset, expected: e.expected, found: e.found })
  }
}

// ----- reading

const readers = new WeakMap<object, Read>()

const readerOf = (layout: Layout): Read => {
  const key = layout._tag === "object" ? layout.of : layout
  const known = readers.get(key)
  if (known !== undefined) return layout._tag === "object" && layout.boxed ? boxed(layout.of, known) : known
  switch (layout._tag) {
    case "primitive": {
      const type = layout.type
      return (r) => r[type]()
    }
    case "vector": {
      const item = readerOf(layout.item)
      const size = itemSize(layout.item)
      return (r, path) => {
        const n = layout.boxed ? r.vector(size) : r.count(size)
        const array: Array<unknown> = []
        for (let i = 0; i < n; i++) {
          path.push(i)
          array.push(item(r, path))
          path.pop()
        }
        return array
      }
    }
    case "ref": {
      let inner: Read | undefined
      return (r, path) => (inner ??= readerOf(layout.get()))(r, path)
    }
    case "object": {
      const fields = layout.of.fields.map((f) => f._tag === "value" ? readerLater(f.layout) : undefined)
      const read = readConstructor(layout.of, fields)
      readers.set(layout.of, read)
      return layout.boxed ? boxed(layout.of, read) : read
    }
    case "union": {
      const members = new Map<number, Read>()
      const read: Read = (r, path) => {
        const id = r.int()
        const member = members.get(id)
        if (member === undefined) return r.unknown(layout.name, id)
        r.enter()
        const value = member(r, path)
        r.leave()
        return value
      }
      readers.set(layout, read)
      for (const m of layout.members) members.set(m.id | 0, readerLater({ _tag: "object", boxed: false, of: m }))
      return read
    }
  }
}

// Recursive constructors meet themselves while they are being compiled.
const readerLater = (layout: Layout): Read => {
  let inner: Read | undefined
  return (r, path) => (inner ??= readerOf(layout))(r, path)
}

const boxed = (c: ConstructorLayout, read: Read): Read => (r, path) => {
  r.expect(c.id | 0, c.name)
  r.enter()
  const value = read(r, path)
  r.leave()
  return value
}

const readConstructor = (c: ConstructorLayout, reads: ReadonlyArray<Read | undefined>): Read => {
  const steps = stepsOf(c)
  return (r, path) => {
    const value: Record<string, unknown> = { _tag: c.tag }
    const words: Array<number> = []
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!
      if (step.word !== -1 && (words[step.word]! & step.mask) === 0) continue
      if (step.kind === "true") {
        value[step.key] = true
        continue
      }
      path.push(step.key)
      if (step.kind === "flags") words.push(r.int())
      else value[step.key] = reads[i]!(r, path)
      path.pop()
    }
    return value
  }
}

interface Step {
  readonly kind: FieldLayout["_tag"]
  readonly key: string
  /** Which of the flags words says whether the field is there; -1 if it always is. */
  readonly word: number
  readonly mask: number
}

const stepsOf = (c: ConstructorLayout): ReadonlyArray<Step> => {
  const words = c.fields.filter((f) => f._tag === "flags").map((f) => f.name)
  return c.fields.map((f) => {
    const flag = f._tag === "flags" ? undefined : f.flag
    return {
      kind: f._tag,
      key: f._tag === "flags" ? f.name : f.key,
      word: flag === undefined ? -1 : words.indexOf(flag.word),
      mask: flag === undefined ? 0 : 1 << flag.bit
    }
  })
}

// ----- writing

const writers = new WeakMap<object, Write>()

const writerOf = (layout: Layout): Write => {
  const key = layout._tag === "object" ? layout.of : layout
  const known = writers.get(key)
  if (known !== undefined) return layout._tag === "object" && layout.boxed ? boxedWrite(layout.of, known) : known
  switch (layout._tag) {
    case "primitive": {
      const type = layout.type
      if (type === "rest") return (w, value) => w.raw(value)
      return (w, value) => w[type](value as never)
    }
    case "vector": {
      const item = writerOf(layout.item)
      return (w, value, path) => {
        const n = layout.boxed ? w.vector(value) : w.count(value)
        for (let i = 0; i < n; i++) {
          path.push(i)
          item(w, value[i], path)
          path.pop()
        }
      }
    }
    case "ref": {
      let inner: Write | undefined
      return (w, value, path) => (inner ??= writerOf(layout.get()))(w, value, path)
    }
    case "object": {
      const fields = layout.of.fields.map((f) => f._tag === "value" ? writerLater(f.layout) : undefined)
      const write = writeConstructor(layout.of, fields)
      writers.set(layout.of, write)
      return layout.boxed ? boxedWrite(layout.of, write) : write
    }
    case "union": {
      const write = writeUnion(layout)
      writers.set(layout, write)
      return write
    }
  }
}

const writerLater = (layout: Layout): Write => {
  let inner: Write | undefined
  return (w, value, path) => (inner ??= writerOf(layout))(w, value, path)
}

const boxedWrite = (c: ConstructorLayout, write: Write): Write => (w, value, path) => {
  w.id(c.id)
  w.enter()
  write(w, value, path)
  w.leave()
}

const writeUnion = (layout: UnionLayout): Write => {
  const members = new Map<unknown, { readonly id: number; readonly write: Write }>()
  for (const m of layout.members) {
    members.set(m.tag, { id: m.id, write: writerLater({ _tag: "object", boxed: false, of: m }) })
  }
  return (w, value, path) => {
    const member = members.get(value === null || value === undefined ? undefined : value._tag)
    if (member === undefined) return w.unknown(layout.name, value)
    w.id(member.id)
    w.enter()
    member.write(w, value, path)
    w.leave()
  }
}

const writeConstructor = (c: ConstructorLayout, writes: ReadonlyArray<Write | undefined>): Write => {
  const steps = stepsOf(c)
  const conditional = steps.filter((s) => s.word !== -1)
  return (w, value, path) => {
    if (typeof value !== "object" || value === null || value._tag !== c.tag) w.unknown(c.tag, value)
    const words: Array<number> = []
    for (const { key, kind, mask, word } of conditional) {
      const isSet = kind === "true" ? value[key] === true : value[key] !== undefined
      words[word] = (words[word] ?? 0) | (isSet ? mask : 0)
    }
    let next = 0
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!
      if (step.kind === "flags") w.id(words[next++] ?? 0)
      else if (step.kind === "value" && (step.word === -1 || (words[step.word]! & step.mask) !== 0)) {
        path.push(step.key)
        writes[i]!(w, value[step.key], path)
        path.pop()
      }
    }
  }
}
