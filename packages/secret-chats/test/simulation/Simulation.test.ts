import { assert, describe, it } from "@effect/vitest"
import { simulate } from "./simulate.ts"

const first = Number(process.env["SIMULATION_SEED"] ?? 1)
const runs = Number(process.env["SIMULATION_RUNS"] ?? 300)

describe("two programs with their stores, and a hostile server", () => {
  const total = { messages: 0, crashes: 0, dropped: 0, rekeys: 0, closed: 0 }

  it(`end with the same conversation on both sides, whatever happens (${runs} seeds from ${first})`, () => {
    for (let seed = first; seed < first + runs; seed++) {
      const report = simulate(seed)
      const again = `npm run simulate -- --seed ${seed} --runs 1 --trace`
      assert.deepStrictEqual(report.violations, [], `${again}\n${report.tail.join("\n")}`)
      for (const key of ["messages", "crashes", "dropped", "rekeys"] as const) total[key] += report[key]
      if (report.closed) total.closed++
    }
    console.log(
      `simulation: ${runs} runs, ${total.messages} messages, 0 violations ` +
        `(${total.crashes} crashes, ${total.dropped} updates lost, ${total.rekeys} new keys, ${total.closed} closed)`
    )
    // the world was as bad as it is meant to be
    if (runs < 100) return
    assert.isAbove(total.messages, 15 * runs)
    assert.isAbove(total.crashes, runs)
    assert.isAbove(total.dropped, runs / 2)
    assert.isAbove(total.rekeys, runs / 4)
    assert.isAbove(total.closed, runs / 8)
    assert.isBelow(total.closed, runs / 2)
  }, 600_000)

  it("a seed gives the same run again", () => {
    const trace = (seed: number) => {
      const lines: Array<string> = []
      simulate(seed, (line) => lines.push(line))
      return lines
    }
    for (let seed = first; seed < first + 5; seed++) assert.deepStrictEqual(trace(seed), trace(seed))
  }, 60_000)
})
