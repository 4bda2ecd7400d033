/** Two devices, or a crowd of them, a server between them, and one clock. */
import { Chance } from "./Chance.ts"
import { Device } from "./Device.ts"
import { calm, type Faults } from "./Faults.ts"
import { Server } from "./Server.ts"
import type { Side } from "./Side.ts"
import { Virtual } from "./Virtual.ts"

/** 2023-11-14, milliseconds. */
export const START = 1_700_000_000_000

const tail = 60

export class World {
  readonly seed: number
  readonly chance: Chance
  readonly virtual: Virtual
  readonly server: Server
  /** Many people with many chats, one of them with two devices. */
  readonly isCrowd: boolean
  readonly machines: ReadonlyArray<Device>
  readonly violations: Array<string> = []
  readonly lines: Array<string> = []
  /** Makes texts different. */
  serial = 0
  private readonly onLine: ((line: string) => void) | undefined

  constructor(seed: number, isCrowd: boolean, onLine?: (line: string) => void) {
    this.seed = seed
    this.isCrowd = isCrowd
    this.onLine = onLine
    this.chance = new Chance(seed)
    this.virtual = new Virtual(START, (level, message) => {
      this.trace(`[${level}] ${String(message)}`)
      if (level === "Error" || level === "Fatal") this.violate(`an error was logged: ${String(message)}`)
    })
    this.server = new Server(this.chance, this.virtual, (line) => this.trace(line))
    const people: ReadonlyArray<readonly [name: string, userId: bigint]> = isCrowd
      ? [["alice", 1n], ["bob", 2n], ["bob's tablet", 2n], ["carol", 3n]]
      : [["alice", 1n], ["bob", 2n]]
    this.machines = people.map(([name, userId]) => new Device(name, userId, this))
  }

  /** Of two people with one chat: her end of it. */
  get alice(): Side {
    return this.machines[0]!.main
  }

  /** Of two people with one chat: his end of it. */
  get bob(): Side {
    return this.machines[1]!.main
  }

  /** Both ends, where there is one chat. */
  get pair(): readonly [Side, Side] {
    return [this.alice, this.bob]
  }

  /** All ends of chats. */
  get sides(): ReadonlyArray<Side> {
    return this.machines.flatMap(({ sides }) => sides)
  }

  /** The other end of a chat; nothing while there is none, nor for a device that did not get the chat. */
  partner(side: Side): Side | undefined {
    const { chatId } = side.disk
    const parties = chatId === undefined ? undefined : this.server.parties(chatId)
    if (chatId === undefined || parties === undefined) return undefined
    const { acceptor, creator } = parties
    const name = side.name === creator ? acceptor : side.name === acceptor ? creator : undefined
    return this.machines.find((machine) => machine.name === name)?.side(chatId)
  }

  set faults(faults: Faults) {
    this.server.faults = faults
    for (const machine of this.machines) machine.faults = faults
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

  /** The number of a frame that `side` got, if the other side has made it. */
  indexOf(side: Side, frame: Uint8Array): number | undefined {
    return this.partner(side)?.disk.indexes.get(Buffer.from(frame).toString("latin1"))
  }
}
