/**
 * Comparisons that survive a noisy machine.
 *
 * All contenders of one row run in one process, in turns of a few milliseconds, and the order of the turns alternates:
 * whatever slows the machine down hurts all of them alike. A row's ratio is the median of the ratios of its rounds, not
 * the ratio of two medians. Before anything is timed, each row has to show that its contenders do the same.
 */

/**
 * One line of `results.json`. A `ratio` above 1 means that ours is better, in the sense of `unit`.
 */
export interface Row {
  readonly name: string
  /** `MB/s` and `/s` (more is better); a time, bytes, or a count for each message (less is better). */
  readonly unit: "MB/s" | "/s" | "µs" | "ms" | "B" | "fsync"
  readonly ours: number
  readonly peer: number
  /** With its version. */
  readonly peerName: string
  readonly ratio: number
  /** What the ratio has to be; null where there is no goal. */
  readonly goal: number | null
  readonly met: boolean | null
}

/** Something that is done over and over: a function, or a function that returns a promise. */
export interface Contender {
  readonly name: string
  readonly run: () => unknown
  readonly goal?: number | undefined
}

export interface Comparison {
  readonly name: string
  readonly unit: "MB/s" | "µs" | "ms"
  /** What one run works on, for `MB/s`. */
  readonly bytes?: number | undefined
  readonly ours: () => unknown
  readonly peers: ReadonlyArray<Contender>
  /** Runs return promises. */
  readonly async?: boolean | undefined
  /** Throws unless all contenders do the same. */
  readonly check: () => void | Promise<void>
}

export interface Bench {
  readonly rows: ReadonlyArray<Row>
  readonly rounds: number
  readonly compare: (comparison: Comparison) => Promise<void>
  /** A row measured in another way: a figure against a budget, or rounds of figures against rounds of figures. */
  readonly add: (row: Omit<Row, "met" | "ratio"> & { readonly ratio?: number | undefined }) => void
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** How long one turn takes, in milliseconds. */
const TURN = 5

/**
 * Each contender is warmed up until it has not become faster for that long, in milliseconds: code that runs for
 * microseconds is optimised only after some ten thousand runs, and later still while the machine is busy.
 */
const WARM_UP = 400
const LONGEST_WARM_UP = 3000

// Each contender gets a loop of its own, so that what the compiler learns of one does not slow down another. What a run
// returns is stored where the compiler cannot see that nobody reads it.
const makeLoop = (run: () => unknown): (n: number) => void =>
  new Function(
    "run",
    "sink",
    "return (n) => { for (let i = 0; i < n; i++) sink.value = run() }"
  )(run, sink) as (n: number) => void

const makeAsyncLoop = (run: () => unknown) => async (n: number): Promise<void> => {
  // one after the other: this is what is measured
  for (let i = 0; i < n; i++) sink.value = await run()
}

/** Holds the result of the last run. */
export const sink: { value: unknown } = { value: undefined }

/**
 * Milliseconds of CPU of this thread: what other processes do to the machine is not counted.
 *
 * Linux brings the figure of a thread up to date only at its ticks, 4 ms apart, unless the whole process is asked for
 * first.
 */
export const cpu = (): number => {
  process.cpuUsage()
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1e3
}

interface Lane {
  readonly loop: (n: number) => void | Promise<void>
  readonly async: boolean
  count: number
  readonly times: Array<number>
}

// Work of one thread is measured by its CPU time; where other threads take part, by the clock.
const turn = async (lane: Lane): Promise<number> => {
  const start = lane.async ? performance.now() : cpu()
  const pending = lane.loop(lane.count)
  if (pending !== undefined) await pending
  return ((lane.async ? performance.now() : cpu()) - start) / lane.count
}

/** Warms up, and finds how many runs make a turn. */
const calibrate = async (lane: Lane): Promise<void> => {
  // of its own time as well: on a busy machine a second is not much
  const clock = lane.async ? () => performance.now() : cpu
  const start = clock()
  let best = Infinity
  let since = start
  for (let now = start; now - since < WARM_UP && now - start < LONGEST_WARM_UP; now = clock()) {
    const each = await turn(lane)
    lane.count = Math.max(1, Math.min(lane.count * 8, Math.round(TURN / Math.max(each, 1e-6))))
    if (each < best * 0.97) {
      best = each
      since = clock()
    }
  }
}

export const make = (options: {
  readonly rounds: number
  readonly onRow?: ((row: Row) => void) | undefined
}): Bench => {
  const rows: Array<Row> = []
  const add: Bench["add"] = (figures) => {
    const better = figures.unit === "MB/s" || figures.unit === "/s"
      ? figures.ours / figures.peer
      : figures.peer / figures.ours
    const ratio = figures.ratio ?? better
    const { goal, name, ours, peer, peerName, unit } = figures
    const met = goal === null ? null : ratio >= goal
    const row: Row = { name, unit, ours: round(ours), peer: round(peer), peerName, ratio: round(ratio), goal, met }
    rows.push(row)
    options.onRow?.(row)
  }
  return {
    rows,
    rounds: options.rounds,
    add,
    compare: async (comparison) => {
      await comparison.check()
      const makeLane = (run: () => unknown): Lane => ({
        loop: comparison.async === true ? makeAsyncLoop(run) : makeLoop(run),
        async: comparison.async === true,
        count: 1,
        times: []
      })
      const ours = makeLane(comparison.ours)
      const peers = comparison.peers.map((peer) => makeLane(peer.run))
      const lanes = [ours, ...peers]
      for (const lane of lanes) await calibrate(lane)
      for (let i = 0; i < options.rounds; i++) {
        for (const lane of i % 2 === 0 ? lanes : lanes.toReversed()) lane.times.push(await turn(lane))
      }
      const figure = (lane: Lane): number => {
        const ms = median(lane.times)
        switch (comparison.unit) {
          case "MB/s":
            return (comparison.bytes ?? 0) / 1e3 / ms
          case "µs":
            return ms * 1e3
          case "ms":
            return ms
        }
      }
      peers.forEach((lane, index) => {
        const peer = comparison.peers[index]!
        add({
          name: comparison.name,
          unit: comparison.unit,
          ours: figure(ours),
          peer: figure(lane),
          peerName: peer.name,
          ratio: median(lane.times.map((time, i) => time / ours.times[i]!)),
          goal: peer.goal ?? null
        })
      })
    }
  }
}

/** Four significant digits: the rest is noise. */
const round = (value: number): number => Number(value.toPrecision(4))

export const assertEqualBytes = (name: string, a: Uint8Array, b: Uint8Array): void => {
  if (a.length !== b.length || !a.every((byte, i) => byte === b[i])) throw new Error(`${name}: the bytes differ`)
}
