/** Everything that is random in a run follows from one number. */
export class Chance {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** From 0 to below 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }

  /** A whole number from 0 to `sides - 1`. */
  below(sides: number): number {
    return Math.floor(this.next() * sides)
  }

  happens(probability: number): boolean {
    return this.next() < probability
  }

  pick<A>(options: ReadonlyArray<A>): A {
    return options[this.below(options.length)]!
  }

  /** Most often short, sometimes long: a latency of a bad network. */
  latency(worst: number): number {
    return 1 + Math.floor(worst * this.next() ** 4)
  }
}
