/** Emits the types of all documented errors. */
import { parameters, tagOf } from "../../src/internal/rpcErrorName.ts"
import type { Model } from "./model.ts"
import { header } from "./text.ts"

/** Names that any method can answer; the documentation of single methods does not repeat them. */
const general = [
  "FILE_MIGRATE_%d",
  "FLOOD_WAIT_%d",
  "NETWORK_MIGRATE_%d",
  "PHONE_MIGRATE_%d",
  "STATS_MIGRATE_%d",
  "USER_MIGRATE_%d"
]

const literal = (name: string): string =>
  name.includes("%d") ? `\`${name.replace("%d", "${number}")}\`` : JSON.stringify(name)

export const emitErrors = (model: Model): string => {
  const names = [...new Set([...general, ...model.methods.flatMap((m) => m.errors.map((e) => e.type))])].toSorted()
  const byTag = new Map<string, Array<string>>()
  for (const name of names) {
    if (name.includes("%d") && !Object.hasOwn(parameters, name)) throw new Error(`what is the number in ${name}?`)
    const tag = tagOf(name)
    if (!/^[A-Z][A-Za-z0-9]*$/.test(tag)) throw new Error(`${name} gives the tag ${tag}`)
    byTag.set(tag, [...(byTag.get(tag) ?? []), name])
  }
  const interfaces = [...byTag].toSorted(([a], [b]) => a < b ? -1 : 1).map(([tag, all]) => {
    const numbered = all.filter((n) => n.includes("%d"))
    const type = all.map(literal).join(" | ")
    const head = `export interface ${tag} extends Documented<${JSON.stringify(tag)}, ${type}>`
    if (numbered.length === 0) return `${head} {}`
    const optional = numbered.length < all.length ? "?" : ""
    return `${head} {\n  readonly ${parameters[numbered[0]!]}${optional}: number\n}`
  })
  return [
    header(model, "The types of all errors that the documentation of the methods names."),
    `import type { Documented } from "../RpcError.ts"`,
    "",
    ...interfaces,
    "",
    "/**",
    " * Every documented error by the server's name for it; `%d` stands for a number.",
    " *",
    " * @category models",
    " * @since 1.0.0",
    " */",
    "export interface ByName {",
    ...names.map((n) => `  readonly ${JSON.stringify(n)}: ${tagOf(n)}`),
    "}",
    ""
  ].join("\n")
}
