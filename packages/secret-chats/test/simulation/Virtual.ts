/**
 * Virtual time and one thread: a `TestClock` and a scheduler that are driven from outside.
 *
 * A fiber runs only while {@link Virtual.drain} does, in the order in which fibers became ready; time moves only when
 * nothing is left to run, to the next sleep or appointment. So a run is a function of its seed.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import { TestClock } from "effect/testing"

interface Appointment {
  readonly at: number
  readonly order: number
  /** Absent: a fiber sleeps until then. */
  readonly run: (() => void) | undefined
}

/** Most tasks between two movements of the clock; more are a loop that never waits. */
const maxTasks = 2_000_000

export class Virtual {
  private readonly ready: Array<() => void> = []
  /** A heap, the earliest first. */
  private readonly calendar: Array<Appointment> = []
  private readonly clock: TestClock.TestClock
  private readonly context: Context.Context<never>
  private order = 0

  constructor(start: number, onLog: (level: string, message: unknown) => void) {
    const scheduler = new Scheduler.MixedScheduler("async", (run) => {
      let cancelled = false
      this.ready.push(() => {
        if (!cancelled) run()
      })
      return () => {
        cancelled = true
      }
    })
    this.clock = Effect.runSync(Effect.scoped(TestClock.make({ warningDelay: "1 hour" })))
    const clock: Clock.Clock = {
      ...this.clock,
      sleep: (duration) => {
        const millis = Duration.toMillis(duration)
        if (Number.isFinite(millis)) this.book({ at: this.now + millis, order: this.order++, run: undefined })
        return this.clock.sleep(duration)
      }
    }
    const logger = Logger.make(({ logLevel, message }) => onLog(logLevel, message))
    this.context = Context.empty().pipe(
      Context.add(Clock.Clock, clock),
      Context.add(Scheduler.Scheduler, scheduler),
      Context.add(Logger.CurrentLoggers, new Set([logger])),
      Context.add(References.MinimumLogLevel, "Warn")
    ) as Context.Context<never>
    this.moveTo(start)
  }

  /** Milliseconds. */
  get now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }

  /** The result of an effect that does not wait. */
  get<A>(effect: Effect.Effect<A>): A {
    const exit = this.fork(effect).pollUnsafe()
    if (exit === undefined || exit._tag === "Failure") throw new Error("this effect had to be over at once")
    return exit.value
  }

  /** Runs what can run now. */
  drain(): void {
    for (let i = 0; this.ready.length > 0; i++) {
      if (i > maxTasks) throw new Error("something runs in circles without waiting")
      const tasks = this.ready.splice(0)
      for (const task of tasks) task()
    }
  }

  /** `run` is called in so many milliseconds. */
  after(millis: number, run: () => void): void {
    this.book({ at: this.now + Math.max(1, millis), order: this.order++, run })
  }

  /** Lets time pass. */
  pass(millis: number): void {
    const end = this.now + millis
    this.drain()
    for (let next = this.calendar[0]; next !== undefined && next.at <= end; next = this.calendar[0]) {
      this.take()
      if (next.at > this.now) this.moveTo(next.at)
      next.run?.()
      this.drain()
    }
    if (end > this.now) this.moveTo(end)
    this.drain()
  }

  /** Everything stands still for so long, as on a computer that sleeps: what was due is late. */
  jump(millis: number): void {
    this.drain()
    this.moveTo(this.now + millis)
    this.pass(0)
  }

  private moveTo(time: number): void {
    this.fork(this.clock.setTime(time))
    this.drain()
  }

  private book(appointment: Appointment): void {
    const { calendar } = this
    let i = calendar.length
    calendar.push(appointment)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!isBefore(appointment, calendar[parent]!)) break
      calendar[i] = calendar[parent]!
      i = parent
    }
    calendar[i] = appointment
  }

  private take(): void {
    const { calendar } = this
    const last = calendar.pop()!
    if (calendar.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= calendar.length) break
      if (child + 1 < calendar.length && isBefore(calendar[child + 1]!, calendar[child]!)) child++
      if (!isBefore(calendar[child]!, last)) break
      calendar[i] = calendar[child]!
      i = child
    }
    calendar[i] = last
  }
}

const isBefore = (a: Appointment, b: Appointment): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
