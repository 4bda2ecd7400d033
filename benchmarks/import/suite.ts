/**
 * What a program waits for before its first line: importing our modules, cold, next to what `effect/Schema` costs anyway.
 * Built packages (`dist`), as they are published; each import in a process of its own.
 */
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { type Bench, median } from "../lib/Bench.ts"
import { named } from "../lib/Versions.ts"

const require = createRequire(import.meta.url)
const core = join(import.meta.dirname, "../../packages/core/dist")

/** Prints the CPU milliseconds that an import takes: of all threads, and whatever else the machine is doing. */
const program = (url: string): string =>
  `const start = process.cpuUsage(); await import(${
    JSON.stringify(url)
  }); const { system, user } = process.cpuUsage(start)
   process.stdout.write(String((system + user) / 1e3))`

const cold = (code: string): number =>
  Number(execFileSync(process.execPath, ["--input-type=module", "--eval", code], { encoding: "utf8" }))

export const run = async (bench: Bench): Promise<void> => {
  if (!existsSync(join(core, "SecretApi.js"))) {
    throw new Error("packages/core is not built: run `pnpm build` first")
  }
  const schema = pathToFileURL(require.resolve("effect/Schema")).href
  for (const [name, goal] of [["SecretApi", 60], ["Api", undefined], ["TlCodec", undefined]] as const) {
    const module = pathToFileURL(join(core, `${name}.js`)).href
    const times = { ours: [] as Array<number>, schema: [] as Array<number> }
    for (let i = 0; i < Math.max(7, bench.rounds / 2); i++) {
      for (const which of i % 2 === 0 ? ["ours", "schema"] as const : ["schema", "ours"] as const) {
        times[which].push(cold(program(which === "ours" ? module : schema)))
      }
    }
    const ours = median(times.ours)
    const theirs = median(times.schema)
    bench.add({
      name: `import @effect-mtproto/core/${name}, cold`,
      unit: "ms",
      ours,
      peer: theirs,
      peerName: `${named("effect")} Schema alone`,
      goal: null
    })
    if (goal !== undefined) {
      bench.add({
        name: `import @effect-mtproto/core/${name}, cold: above effect/Schema`,
        unit: "ms",
        // pairs of neighbours, so that a slow moment is in both
        ours: Math.max(0.001, median(times.ours.map((time, i) => time - times.schema[i]!))),
        peer: goal,
        peerName: `a budget of ${goal} ms`,
        goal: 1
      })
    }
  }
}
