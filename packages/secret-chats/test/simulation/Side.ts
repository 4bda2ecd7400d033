/** One end of one chat: a device, what it keeps of the chat, and what its user has done there. */
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import type * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { sendEncrypted } from "@effect-mtproto/secret-chats/sendEncrypted"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Device } from "./Device.ts"
import { Disk } from "./Disk.ts"
import { OtherClient } from "./OtherClient.ts"
import type { World } from "./World.ts"

/** What became of something that the user did. */
export interface Deed {
  readonly what: string
  readonly text: string
  outcome: "open" | "done" | string
  randomIds: ReadonlyArray<bigint>
}

export class Side {
  readonly device: Device
  readonly disk: Disk
  readonly deeds: Array<Deed> = []
  /** If the program is of another layer. */
  client: OtherClient | undefined

  constructor(device: Device) {
    this.device = device
    const { driver, world } = device
    this.disk = new Disk(driver, () => device.nextEvent(), (problem) => world.violate(`${this.name}: ${problem}`))
  }

  get world(): World {
    return this.device.world
  }

  get name(): string {
    return this.device.name
  }

  get crashes(): number {
    return this.device.crashes
  }

  get phase(): string {
    return this.disk.head?.phase._tag ?? "none"
  }

  /** The service of the present run, if it is up. */
  get chats(): SecretChats.SecretChats["Service"] | undefined {
    return this.device.chats
  }

  /** From now on the program is one of this layer. */
  become(layer: number): void {
    const { crypto, userId } = this.device
    this.world.trace(`${this.name} has layer ${layer}`)
    this.disk.layer = layer
    const client = this.client ??= new OtherClient(crypto, this.disk, userId === 1n)
    // at once, for the keys may be gone when it is sent
    this.disk.onSealed = (frame) => client.rewrite(frame)
  }

  /** Does something with the present run, if there is one; what becomes of it is noted. */
  act<A>(
    what: string,
    text: string,
    use: (chats: SecretChats.SecretChats["Service"], chatId: number) => Effect.Effect<A, { readonly _tag: string }>
  ): Deed | undefined {
    const { chats, disk: { chatId }, world } = this
    if (chats === undefined || chatId === undefined) return undefined
    const deed: Deed = { what, text, outcome: "open", randomIds: [] }
    this.deeds.push(deed)
    world.virtual.fork(Effect.matchCause(use(chats, chatId), {
      onSuccess: (answer) => {
        deed.outcome = "done"
        deed.randomIds = Array.isArray(answer)
          ? answer.map((one) => one.randomId)
          : typeof answer === "object" && answer !== null && "randomId" in answer
          ? [answer.randomId as bigint]
          : []
      },
      onFailure: (cause) => {
        const error = Cause.findErrorOption(cause)
        if (Option.isNone(error)) return world.violate(`${this.name} ${what} ended with ${Cause.pretty(cause)}`)
        deed.outcome = error.value._tag
        world.trace(`${this.name} ${what} ${text.slice(0, 20)}: ${error.value._tag}`)
      }
    }))
    return deed
  }

  /** A second program on the same store says something. */
  otherProgram(text: string): void {
    const { device, disk: { chatId } } = this
    const services = device.otherServices()
    if (chatId === undefined || services === undefined) return
    this.act(
      "text",
      text,
      () =>
        Effect.provideContext(sendEncrypted(chatId, DecryptedMessage.message(text)), services) as Effect.Effect<
          unknown,
          { readonly _tag: string }
        >
    )
  }
}
