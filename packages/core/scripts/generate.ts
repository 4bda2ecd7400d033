/**
 * Writes the modules of the server API: `src/Api.ts`, `src/api/*.ts`, `src/internal/api/*.ts` and
 * `src/internal/apiTable.ts`.
 *
 * `node scripts/generate.ts` writes, `node scripts/generate.ts --check` compares and fails if anything differs. The
 * output depends on nothing but the schema file.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { emitCodecs, factsOf } from "./api/codecs.ts"
import { emitErrors } from "./api/errorTypes.ts"
import { load } from "./api/model.ts"
import { emitTable } from "./api/table.ts"
import { moduleOf } from "./api/text.ts"
import { emitConstructors, emitEntry, emitNamespace } from "./api/types.ts"

const root = resolve(import.meta.dirname, "../src")
const check = process.argv.includes("--check")
const model = load()
const facts = factsOf(model)

const files = new Map<string, string>()
files.set("Api.ts", emitEntry(model))
files.set("api/constructors.ts", emitConstructors(model))
files.set("api/errors.ts", emitErrors(model))
files.set("internal/apiTable.ts", emitTable(model))
for (const namespace of model.namespaces) {
  files.set(`api/${moduleOf(namespace)}.ts`, emitNamespace(model, namespace))
  files.set(`internal/api/${moduleOf(namespace)}.ts`, emitCodecs(model, facts, namespace))
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(join(root, path), "utf8")
  } catch {
    return undefined
  }
}

const list = (folder: string): ReadonlyArray<string> => {
  mkdirSync(join(root, folder), { recursive: true })
  return readdirSync(join(root, folder)).map((name) => `${folder}/${name}`)
}

const stale = [...files].filter(([path, text]) => read(path) !== text).map(([path]) => path)
const foreign = [...list("api"), ...list("internal/api")].filter((path) => !files.has(path))

if (check) {
  for (const path of [...stale, ...foreign]) console.error(`not as generated: packages/core/src/${path}`)
  process.exitCode = stale.length + foreign.length === 0 ? 0 : 1
} else {
  for (const path of stale) writeFileSync(join(root, path), files.get(path)!)
  for (const path of foreign) rmSync(join(root, path))
}
