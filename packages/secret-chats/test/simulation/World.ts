/** Two devices, a server between them, and one clock. */
import { Chance } from "./Chance.ts"
import { Device } from "./Device.ts"
import { calm, type Faults } from "./Faults.ts"
import { Server } from "./Server.ts"
import { Virtual } from "./Virtual.ts"

/** 2023-11-14, milliseconds. */
export const START = 1_700_000_000_000

const tail = 60

export class World {
  readonly seed: number
  readonly chance: Chance
  readonly virtual: Virtual
  readonly server: Server
  readonly alice: Device
  readonly bob: Device
  readonly violations: Array<string> = []
  readonly lines: Array<string> = []
  /** Makes texts different. */
  serial = 0
  private readonly onLine: ((line: string) => void) | undefined

  constructor(seed: number, onLine?: (line: string) => void) {
    this.seed = seed
    this.onLine = onLine
    this.chance = new Chance(seed)
    this.virtual = new Virtual(START, (level, message) => {
      this.trace(`[${level}] ${String(message)}`)
      if (level === "Error" || level === "Fatal") this.violate(`an error was logged: ${String(message)}`)
    })
    this.server = new Server(this.chance, this.virtual, (line) => this.trace(line))
    this.alice = new Device("alice", 1n, this)
    this.bob = new Device("bob", 2n, this)
  }

  get devices(): readonly [Device, Device] {
    return [this.alice, this.bob]
  }

  other(device: Device): Device {
    return device === this.alice ? this.bob : this.alice
  }

  set faults(faults: Faults) {
    this.server.faults = faults
    for (const device of this.devices) device.faults = faults
  }

  heal(): void {
    this.faults = calm
  }

  trace(line: string): void {
    const text = `${((this.virtual?.now ?? START) - START) / 1000}s ${line}`
    this.onLine?.(text)
    this.lines.push(text)
    if (this.lines.length > 4 * tail) this.lines.splice(0, this.lines.length - tail)
  }

  violate(problem: string): void {
    this.trace(`VIOLATION ${problem}`)
    if (this.violations.length < 20) this.violations.push(problem)
  }

  get tail(): ReadonlyArray<string> {
    return this.lines.slice(-tail)
  }

  /** The number of a frame that `device` got, if the other side has made it. */
  indexOf(device: Device, frame: Uint8Array): number | undefined {
    return this.other(device).disk.indexes.get(Buffer.from(frame).toString("latin1"))
  }
}
