/** Runs one suite in a process of its own, so that no suite meets code that another one has warmed up. */
import { pathToFileURL } from "node:url"
import { type Bench, make } from "./Bench.ts"

const [path, rounds] = process.argv.slice(2) as [string, string]
const suite = await import(pathToFileURL(path).href) as { readonly run: (bench: Bench) => Promise<void> }
const bench = make({ rounds: Number(rounds), onRow: (row) => process.send?.(row) })
await suite.run(bench)
process.disconnect?.()
// a suite may leave worker threads behind
process.exit(0)
