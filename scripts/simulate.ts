/**
 * `npm run simulate [-- --seed S --runs N --trace]`: conversations of two peers with a hostile server and crashing
 * programs, in virtual time. The same seed gives the same run; run `i` has seed `S + i`.
 *
 * Ends with `simulation: R runs, M messages, 0 violations`. A violation prints its seed and the end of its trace.
 */
import { parseArgs } from "node:util"
import { simulate } from "../packages/secret-chats/test/simulation/simulate.ts"

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "300" },
    seed: { type: "string", default: String(Date.now() & 0x3fffffff) },
    trace: { type: "boolean", default: false }
  }
})
const runs = Number(values.runs)
const seed = Number(values.seed)
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(seed) || seed < 0) {
  process.stderr.write("--runs and --seed take whole numbers\n")
  process.exit(2)
}

const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

print(`seeds ${seed} to ${seed + runs - 1}`)
const started = performance.now()
const total = { messages: 0, crashes: 0, dropped: 0, refused: 0, restarts: 0, rekeys: 0, closed: 0 }
let violations = 0
for (let i = 0; i < runs; i++) {
  const report = simulate(seed + i, values.trace ? print : undefined)
  for (const key of ["messages", "crashes", "dropped", "refused", "restarts", "rekeys"] as const) {
    total[key] += report[key]
  }
  total.closed += report.closed ? 1 : 0
  if (report.violations.length > 0) {
    violations++
    for (const line of report.tail) print(`  ${line}`)
    for (const problem of report.violations) print(`seed ${report.seed}: ${problem}`)
    print(`again: npm run simulate -- --seed ${report.seed} --runs 1 --trace`)
    if (violations >= 10) break
  }
  if ((i + 1) % 1000 === 0) print(`${i + 1} runs`)
}
const { closed, crashes, dropped, refused, rekeys, restarts } = total
print(
  `${((performance.now() - started) / 1000).toFixed(1)} s; ${crashes} crashes, ${restarts} restarts of the server, ` +
    `${dropped} updates lost, ${refused} messages refused, ${rekeys} new keys, ${closed} chats closed`
)
print(`simulation: ${runs} runs, ${total.messages} messages, ${violations} violations`)
process.exit(violations > 0 ? 1 : 0)
