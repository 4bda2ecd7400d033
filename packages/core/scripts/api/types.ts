/**
 * Emits what a user of the API sees: the interfaces of constructors, the unions of types with their codecs, and the
 * methods; one module per namespace, and one for the names without a namespace.
 */
import { tagOf } from "../../src/internal/rpcErrorName.ts"
import type { Constructor, Field, Method, Model, Slot, TlType } from "./model.ts"
import { localOf, namespaceOf } from "./model.ts"
import { methodCodec, typeCodec, vectorCodec } from "./names.ts"
import { header, moduleOf } from "./text.ts"

const primitive: Readonly<Record<string, string>> = {
  int: "number",
  long: "bigint",
  double: "number",
  string: "string",
  bytes: "Uint8Array",
  bool: "boolean",
  int128: "Uint8Array",
  int256: "Uint8Array",
  rest: "Uint8Array"
}

/** Collects the other namespaces that a module mentions. */
class Scope {
  readonly namespace: string
  readonly used = new Set<string>()
  constructor(namespace: string) {
    this.namespace = namespace
  }
  /** The type or constructor `name` as this module has to spell it. */
  reference(name: string): string {
    const namespace = namespaceOf(name)
    if (namespace === this.namespace) return localOf(name)
    this.used.add(namespace)
    return `${alias(namespace)}.${localOf(name)}`
  }
}

// Namespaces are imported under names that no TL name can have: the constructor `updates` lives in the root.
const alias = (namespace: string): string => `$${namespace === "" ? "root" : namespace}`

const typeText = (scope: Scope, type: TlType): string =>
  type.kind === "vector"
    ? `ReadonlyArray<${typeText(scope, type.item)}>`
    : type.kind === "type"
    ? scope.reference(type.name)
    : primitive[type.kind]!

const member = (scope: Scope, field: Field): string =>
  field.flag === undefined
    ? `readonly ${field.key}: ${typeText(scope, field.type)}`
    : `readonly ${field.key}?: ${typeText(scope, field.type)} | undefined`

const members = (scope: Scope, slots: ReadonlyArray<Slot>): ReadonlyArray<string> =>
  slots.flatMap((s) => s.kind === "flags" ? [] : [member(scope, s.field)])

const emitConstructor = (scope: Scope, c: Constructor): string =>
  [
    `/** \`${c.line}\` */`,
    `export interface ${localOf(c.name)} {`,
    `  readonly _tag: ${JSON.stringify(c.name)}`,
    ...members(scope, c.slots).map((m) => `  ${m}`),
    "}",
    ""
  ].join("\n")

const emitType = (scope: Scope, type: string, constructors: ReadonlyArray<Constructor>): string => {
  const local = localOf(type)
  const codec = typeCodec(type)
  const union = constructors.length === 1
    ? localOf(constructors[0]!.name)
    : constructors.map((c) => `\n  | ${scope.reference(c.name)}`).join("")
  return [
    ...constructors.filter((c) => namespaceOf(c.name) === scope.namespace).map((c) => emitConstructor(scope, c)),
    `export type ${local} = ${union}`,
    `/** The binary codec of the boxed type \`${type}\`. */`,
    `export const ${local}: TypeCodec<${local}> = /*#__PURE__*/ codec(${
      JSON.stringify(type)
    }, c.${codec.read}, c.${codec.write})`,
    ""
  ].join("\n")
}

// ----- methods

const errorsText = (m: Method): string => {
  const byCode = new Map<number, Array<string>>()
  for (const e of m.errors) byCode.set(e.code, [...(byCode.get(e.code) ?? []), e.type])
  return [...byCode].toSorted(([a], [b]) => a - b).map(([code, names]) => `${code} ${names.join(" ")}`).join(";")
}

const errorsType = (m: Method): string => {
  const tags = [...new Set(m.errors.map((e) => tagOf(e.type)))].toSorted()
  return tags.length === 0 ? "never" : tags.map((t) => `e.${t}`).join(" | ")
}

const codecModule = (scope: Scope, name: string): string =>
  namespaceOf(name) === scope.namespace ? "c" : `c${alias(namespaceOf(name))}`

/** The reader and the writer of a result, as expressions. */
const responseCodec = (scope: Scope, type: TlType, used: Set<string>): string => {
  if (type.kind === "type") {
    const module = codecModule(scope, type.name)
    if (module !== "c") used.add(namespaceOf(type.name))
    const codec = typeCodec(type.name)
    return `${module}.${codec.read}, ${module}.${codec.write}`
  }
  if (type.kind === "vector") {
    const item = type.item
    if (item.kind === "type") {
      const module = codecModule(scope, item.name)
      if (module !== "c") used.add(namespaceOf(item.name))
      const codec = vectorCodec(item.name)
      return `${module}.${codec.read}, ${module}.${codec.write}`
    }
    const kind = item.kind[0]!.toUpperCase() + item.kind.slice(1)
    return `p.readVector${kind}, p.writeVector${kind}`
  }
  const name = type.kind[0]!.toUpperCase() + type.kind.slice(1)
  return `p.read${name}, p.write${name}`
}

const emitMethod = (scope: Scope, m: Method, used: Set<string>): string => {
  const params = members(scope, m.slots)
  const codec = methodCodec(m.name)
  const response = m.result.kind === "rest" ? "Uint8Array" : typeText(scope, m.result)
  const errors = errorsText(m)
  return [
    "/**",
    ` * \`${m.line}\``,
    ...(errors === "" ? [] : [" *", ` * Errors: ${errors.replaceAll(";", "; ")}`]),
    " */",
    `export const ${localOf(m.name)}: Method<`,
    `  ${JSON.stringify(m.name)},`,
    params.length === 0 ? "  {}," : `  {\n${params.map((p) => `    ${p}`).join("\n")}\n  },`,
    `  ${response},`,
    `  ${errorsType(m)}`,
    `> = /*#__PURE__*/ method(`,
    `  ${JSON.stringify(m.name)},`,
    `  0x${m.id.toString(16)},`,
    `  c.${codec.read},`,
    `  c.${codec.write},`,
    `  ${responseCodec(scope, m.result, used)},`,
    `  ${JSON.stringify(errors)}`,
    ")",
    ""
  ].join("\n")
}

const emitWrappers = (names: ReadonlyArray<string>): ReadonlyArray<string> => [
  "/**",
  " * The methods whose last parameter, `query`, is the bytes of another request: what a server has to peel off, in any",
  " * order, before it knows what is asked.",
  " */",
  "export const wrappers: readonly [",
  names.map((n) => `  typeof ${n}`).join(",\n"),
  "] = [",
  names.map((n) => `  ${n}`).join(",\n"),
  "]",
  ""
]

// ----- modules

export const emitNamespace = (model: Model, namespace: string): string => {
  const scope = new Scope(namespace)
  const used = new Set<string>()
  const body: Array<string> = []
  for (const [type, constructors] of model.types) {
    if (namespaceOf(type) === namespace) {
      body.push(emitType(scope, type, constructors))
    } else {
      // A constructor may live in another namespace than its type.
      for (const c of constructors) if (namespaceOf(c.name) === namespace) body.push(emitConstructor(scope, c))
    }
  }
  const methods = model.methods.filter((m) => namespaceOf(m.name) === namespace)
  if (methods.length > 0) body.push("// ----- methods", "", ...methods.map((m) => emitMethod(scope, m, used)))
  const wrappers = methods.filter((m) => m.wrapper).map((m) => localOf(m.name))
  if (wrappers.length > 0) body.push(...emitWrappers(wrappers))
  const text = body.join("\n")
  const module = moduleOf(namespace)
  const what = namespace === "" ? "without a namespace" : `of the namespace \`${namespace}\``
  const imports = [
    ...(text.includes("c.") ? [`import * as c from "../internal/api/${module}.ts"`] : []),
    ...[...used].toSorted().map((n) => `import * as c${alias(n)} from "../internal/api/${moduleOf(n)}.ts"`),
    ...(/\bp\.(read|write)/.test(text) ? [`import * as p from "../internal/apiPrimitives.ts"`] : []),
    ...(/ codec\(/.test(text)
      ? [
        `import type { TypeCodec } from "../internal/apiMethod.ts"`,
        `import { codec } from "../internal/apiMethod.ts"`
      ]
      : []),
    ...(methods.length > 0
      ? [`import type { Method } from "../internal/apiMethod.ts"`, `import { method } from "../internal/apiMethod.ts"`]
      : []),
    ...(/\be\.[A-Z]/.test(text) ? [`import type * as e from "./errors.ts"`] : []),
    ...[...scope.used].toSorted().map((n) => `import type * as ${alias(n)} from "./${moduleOf(n)}.ts"`)
  ]
  return [header(model, `Types and methods ${what}.`), ...imports.toSorted(), "", text].join("\n")
}

/** The map from names to constructors; types only. */
export const emitConstructors = (model: Model): string => {
  const scope = new Scope("none")
  const lines = model.constructors.map((c) => `  readonly ${JSON.stringify(c.name)}: ${scope.reference(c.name)}`)
  const types = [...model.types.keys()].map((t) => `  readonly ${JSON.stringify(t)}: ${scope.reference(t)}`)
  return [
    header(model, "Constructors and types by name."),
    ...[...scope.used].toSorted().map((n) => `import type * as ${alias(n)} from "./${moduleOf(n)}.ts"`),
    "",
    "/**",
    " * The value of every constructor by its TL name: `Constructors[\"updateNewEncryptedMessage\"]`.",
    " *",
    " * @category models",
    " * @since 1.0.0",
    " */",
    "export interface Constructors {",
    ...lines,
    "}",
    "",
    "/**",
    " * The value of every type by its TL name: `Types[\"messages.DhConfig\"]`.",
    " *",
    " * @category models",
    " * @since 1.0.0",
    " */",
    "export interface Types {",
    ...types,
    "}",
    ""
  ].join("\n")
}

/** The entry module. */
export const emitEntry = (model: Model): string =>
  [
    "// dprint-ignore-file",
    "/* oxlint-disable */",
    "/**",
    ` * The API of the Telegram server, layer ${model.layer}: its types, its methods with their documented errors, and their`,
    " * binary codecs.",
    " *",
    " * Names are those of TL. A type is a union of plain objects and a codec of the same name; a constructor is an interface",
    " * whose name starts with a small letter; a method is a function that makes a request:",
    " *",
    " * ```ts",
    " * import * as Api from \"@effect-mtproto/core/Api\"",
    " *",
    " * const request = Api.messages.sendEncryptedService({ peer, randomId, data })",
    " * const bytes = Api.encodeRequest(request)",
    " * const answer: Api.messages.SentEncryptedMessage = Api.decodeResponse(request, received)",
    " *",
    " * const update: Api.Updates = Api.Updates.decode(received)",
    " * ```",
    " *",
    " * Nothing is computed when the module is loaded, and every method and type stands alone, so a bundler keeps only what",
    " * a program mentions. Source: core.telegram.org/schema.",
    " *",
    ` * Generated by \`pnpm codegen\` from ${model.source}; do not edit.`,
    " *",
    " * @since 1.0.0",
    " */",
    "/**",
    " * The layer that `invokeWithLayer` has to name.",
    " *",
    " * @category constants",
    " * @since 1.0.0",
    " */",
    `export const layer = ${model.layer}`,
    "",
    "export type { Constructors, Types } from \"./api/constructors.ts\"",
    "export * from \"./api/root.ts\"",
    ...model.namespaces.filter((n) => n !== "").map((n) => `export * as ${n} from "./api/${moduleOf(n)}.ts"`),
    "export {",
    ...["decodeResponse", "encodeRequest", "isRequest", "methodOf", "methodTable", "MethodTypeId", "wrap"].map((n) =>
      `  ${n},`
    ),
    ...["AnyMethod", "AnyRequest", "ErrorOf", "Method", "MethodTable", "Params", "Request", "Response", "TypeCodec"]
      .map(
        (n, i, all) => `  type ${n}${i === all.length - 1 ? "" : ","}`
      ),
    "} from \"./internal/apiMethod.ts\"",
    ""
  ].join("\n")
