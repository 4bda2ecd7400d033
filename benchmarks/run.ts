/**
 * `npm run bench [-- [suite ...] [--only suite] [--quick] [--no-write]]`: runs the suites, prints their tables, and writes
 * `benchmarks/results.json`, `docs/benchmarks.svg` and the figures in `docs/performance.md`.
 *
 * A suite is a folder here with a `suite.ts`; each runs in a process of its own. Without names all of them run. A run of
 * some suites keeps the results of the others.
 */
import { fork } from "node:child_process"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import type { Row } from "./lib/Bench.ts"
import * as Plot from "./lib/Plot.ts"
import * as Report from "./lib/Report.ts"
import * as Versions from "./lib/Versions.ts"

const here = import.meta.dirname
const docs = join(here, "../docs")

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", multiple: true },
    quick: { type: "boolean", default: false },
    "no-write": { type: "boolean", default: false }
  }
})

const suites = readdirSync(here).filter((name) => existsSync(join(here, name, "suite.ts"))).toSorted()
const wanted = [...positionals, ...(values.only ?? [])]
const unknown = wanted.filter((name) => !suites.includes(name))
if (unknown.length > 0) {
  process.stderr.write(`no suite ${unknown.join(", ")}; there are ${suites.join(", ")}\n`)
  process.exit(2)
}

const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

const environment = Versions.environment()
for (const [what, version] of environment) print(`${what}: ${version}`)

const runSuite = (name: string): Promise<ReadonlyArray<Row>> =>
  new Promise((resolve, reject) => {
    const rows: Array<Row> = []
    const child = fork(
      join(here, "lib/child.ts"),
      [join(here, name, "suite.ts"), values.quick ? "9" : "40"],
      { execArgv: ["--expose-gc"] }
    )
    child.on("message", (row) => rows.push(row as Row))
    child.on("error", reject)
    child.on("exit", (code) => code === 0 ? resolve(rows) : reject(new Error(`the suite ${name} ended with ${code}`)))
  })

const path = join(here, "results.json")

/** Rows of suites that are not run now. */
const kept = (): ReadonlyArray<Row & { readonly suite: string }> =>
  existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : []

const results = new Map<string, ReadonlyArray<Row & { readonly suite: string }>>()
for (const name of suites) {
  if (wanted.length > 0 && !wanted.includes(name)) {
    results.set(name, kept().filter((row) => row.suite === name))
    continue
  }
  const rows = await runSuite(name)
  print(`\n${name}\n${Report.table(rows)}`)
  results.set(name, rows.map((row) => ({ suite: name, ...row })))
}

const all = [...results.values()].flat()
const fresh = all.filter(({ suite }) => wanted.length === 0 || wanted.includes(suite))
const missed = fresh.filter((row) => row.met === false)
print(`\n${fresh.filter((row) => row.met === true).length} goals met, ${missed.length} missed`)
for (const row of missed) print(`missed: ${row.name}, against ${row.peerName}: ${row.ratio} instead of ${row.goal}`)

if (!values["no-write"]) {
  writeFileSync(path, `${JSON.stringify(all, null, 2)}\n`)
  const versions = environment.map(([what, version]) => `${what} ${version}`)
  writeFileSync(join(docs, "benchmarks.svg"), Plot.render(all, versions.slice(0, 2).join(", ")))
  const page = join(docs, "performance.md")
  if (existsSync(page)) {
    const figures = [
      `Measured with ${versions.join("; ")}.`,
      ...[...results].map(([name, rows]) => `### ${name}\n\n${Report.markdown(rows)}`)
    ].join("\n\n")
    writeFileSync(page, Report.insert(readFileSync(page, "utf8"), figures))
  }
}
