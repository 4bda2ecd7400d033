/**
 * `npm run fuzz [-- --runs N --seed S --only name --case I]`: feeds every public decoder with noise and with damaged real
 * input. Nothing may throw anything but its typed error, take more than 10 ms of CPU, or more than 64 MB of memory.
 *
 * Targets are in `fuzz/targets/`. A violation prints the words that repeat it.
 */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { getHeapStatistics } from "node:v8"
import { caseSeed, makeInput, random, type Target, type TargetModule } from "./fuzz/Target.ts"

const MAX_MILLISECONDS = 10
const MAX_BYTES = 64 * 2 ** 20
/** A slow case is run again: the machine may have been elsewhere, or a collector at work. */
const SECOND_CHANCES = 5

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "2000" },
    seed: { type: "string", default: String(Date.now() & 0x7fffffff) },
    only: { type: "string", multiple: true },
    case: { type: "string" }
  }
})
const runs = Number(values.runs)
const seed = Number(values.seed)
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write("--runs and --seed take whole numbers\n")
  process.exit(2)
}

const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const folder = join(import.meta.dirname, "fuzz/targets")
const targets: Array<Target> = []
for (const file of readdirSync(folder).filter((name) => name.endsWith(".ts")).toSorted()) {
  const module = await import(join(folder, file)) as TargetModule
  targets.push(...await module.make())
}
const wanted = targets.filter(({ name }) => values.only?.some((part) => name.includes(part)) ?? true)
if (wanted.length === 0) {
  process.stderr.write(`no such target; there are\n${targets.map(({ name }) => `  ${name}\n`).join("")}`)
  process.exit(2)
}

/** Milliseconds of this thread; asking for the process first brings the figure up to date. */
const cpu = (): number => {
  process.cpuUsage()
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1e3
}

/** Everything on the heap and beside it. */
const memory = (): number => {
  const { external_memory: external, malloced_memory: malloced, used_heap_size: used } = getHeapStatistics()
  return external + malloced + used
}

/** What is wrong with how a target has dealt with a case. */
const judge = async (target: Target, index: number): Promise<string | undefined> => {
  const attempt = async (): Promise<{ readonly problem?: string; readonly ms: number; readonly bytes: number }> => {
    const next = random(caseSeed(seed, target.name, index))
    const bytes = makeInput(next, target.seeds)
    const before = memory()
    const start = cpu()
    let problem: string | undefined
    try {
      const result = target.run(bytes, next)
      if (result instanceof Promise) await result
    } catch (error) {
      if (!target.isExpected(error)) problem = `threw ${describe(error)}`
    }
    return { ms: cpu() - start, bytes: memory() - before, ...(problem === undefined ? {} : { problem }) }
  }
  let { bytes, ms, problem } = await attempt()
  if (problem !== undefined) return problem
  for (let i = 0; i < SECOND_CHANCES && (ms > MAX_MILLISECONDS || bytes > MAX_BYTES); i++) {
    const again = await attempt()
    ms = Math.min(ms, again.ms)
    bytes = Math.min(bytes, again.bytes)
  }
  if (target.slow !== true && ms > MAX_MILLISECONDS) return `took ${ms.toFixed(1)} ms`
  return bytes > MAX_BYTES ? `took ${(bytes / 2 ** 20).toFixed(0)} MB` : undefined
}

const describe = (error: unknown): string => error instanceof Error ? error.stack ?? error.message : String(error)

print(`fuzz: seed ${seed}, ${runs} cases for each of ${wanted.length} targets`)
let cases = 0
let violations = 0
for (const target of wanted) {
  const count = Math.max(1, Math.floor(runs / (target.rarity ?? 1)))
  const [first, last] = values.case === undefined ? [0, count] : [Number(values.case), Number(values.case) + 1]
  const start = performance.now()
  let found = 0
  for (let index = first; index < last; index++) {
    cases++
    const problem = await judge(target, index)
    if (problem === undefined) continue
    violations++
    // one defect shows in many cases
    if (++found > 3) continue
    const bytes = makeInput(random(caseSeed(seed, target.name, index)), target.seeds)
    const hex = Buffer.from(bytes.subarray(0, 512)).toString("hex")
    print(`violation: ${target.name} ${problem}`)
    print(`  again with: npm run fuzz -- --seed ${seed} --only ${target.name} --case ${index}`)
    print(`  input (${bytes.length} bytes): ${hex}${bytes.length > 512 ? "..." : ""}`)
  }
  print(`${target.name}: ${last - first} cases, ${found} violations, ${(performance.now() - start).toFixed(0)} ms`)
}
print(`fuzz: ${cases} cases, ${violations} violations`)
// targets may own worker threads
process.exit(violations === 0 ? 0 : 1)
