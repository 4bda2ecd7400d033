/**
 * A person's device: a disk, and on it one run of the program after the other.
 *
 * A run is a whole `SecretChats` layer. When it crashes nothing of it acts any more: its store and its transport do not
 * answer, as those of a process that is gone.
 */
import type * as Api from "@effect-mtproto/core/Api"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import type * as Events from "@effect-mtproto/secret-chats/protocol/Events"
import { StoreError } from "@effect-mtproto/secret-chats/SecretChatError"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { layerMemory, SecretChatStore, type Write } from "@effect-mtproto/secret-chats/SecretChatStore"
import * as Transport from "@effect-mtproto/transport/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { calm, type Faults } from "./Faults.ts"
import type { Server } from "./Server.ts"
import { Side } from "./Side.ts"
import * as SimulatedCrypto from "./SimulatedCrypto.ts"
import type { World } from "./World.ts"

class Run {
  alive = true
  readonly scope = Scope.makeUnsafe()
  readonly storeScope = Scope.makeUnsafe()
  connection: ReturnType<Server["connect"]> | undefined
  chats: SecretChats.SecretChats["Service"] | undefined
  /** Of the last event that this run was given. */
  lastEvent = 0n
}

export class Device {
  readonly name: string
  readonly userId: bigint
  readonly world: World
  readonly driver: SecretChatStore["Service"]
  /** The chats of this device; the first one is there before it has a number. */
  readonly sides: Array<Side>
  /** What the user has seen, by the id of the event: their own durable notes. */
  readonly journal = new Map<bigint, Events.Event>()
  faults: Faults = calm
  /** How many events were ever stored. */
  events = 0
  crashes = 0
  run: Run | undefined
  private runs = 0
  readonly crypto: Crypto["Service"]

  constructor(name: string, userId: bigint, world: World) {
    this.name = name
    this.userId = userId
    this.world = world
    this.driver = Context.get(
      Effect.runSync(Layer.buildWithScope(Layer.fresh(layerMemory), Scope.makeUnsafe())),
      SecretChatStore
    )
    world.server.register(name, userId)
    // One stream of random bytes for all runs: a restart must not bring the same ones again.
    this.crypto = SimulatedCrypto.make(`${world.seed} ${name}`)
    this.sides = [new Side(this)]
  }

  /** The end of the only chat, where there is only one. */
  get main(): Side {
    return this.sides[0]!
  }

  /** The end of a chat, if the device has it. */
  side(chatId: number): Side | undefined {
    return this.sides.find((side) => side.disk.chatId === chatId)
  }

  /** The id of the event that is stored next. */
  nextEvent(): bigint {
    return BigInt(++this.events)
  }

  /** The service of the present run, if it is up. */
  get chats(): SecretChats.SecretChats["Service"] | undefined {
    return this.run?.chats
  }

  // ----- running

  start(): void {
    const { world } = this
    const run = this.run = new Run()
    this.runs++
    const services = this.services(run)
    const program = Layer.buildWithScope(
      SecretChats.layer({
        accept: () => Effect.sync(() => world.chance.happens(0.7) ? "allow" as const : "ask" as const)
      }).pipe(Layer.provide(Layer.succeedContext(services))),
      run.scope
    ).pipe(
      Effect.matchEffect({
        // the store could not be read; whoever runs the program starts it again
        onFailure: () => Effect.sync(() => this.crash(run, "cannot start")),
        onSuccess: (context) =>
          Effect.suspend(() => {
            if (!run.alive) return Effect.void
            const chats = run.chats = Context.get(context, SecretChats.SecretChats)
            const listen: Effect.Effect<void> = Effect.catchCause(
              chats.runEvents((event) => this.handle(run, event)),
              () => Effect.andThen(Effect.sleep("1 second"), Effect.suspend(() => run.alive ? again() : Effect.void))
            )
            const again = () => {
              run.lastEvent = 0n
              return listen
            }
            return Effect.asVoid(Effect.forkIn(listen, run.scope))
          })
      })
    )
    world.virtual.fork(program)
  }

  private services(run: Run): Context.Context<Crypto | Transport.Transport | SecretChatStore> {
    const connection = run.connection = this.world.server.connect({
      device: this.name,
      userId: this.userId,
      onCall: (request) => this.onCall(run, request),
      onExecuted: () => {
        if (run.alive && this.world.chance.happens(this.faults.crashAtCall / 2)) this.crash(run, "after a call")
      },
      isFinal: (request) => this.isContent(request),
      onConfirm: (update) => this.onConfirm(update),
      rewrite: (frame) => this.main.client === undefined ? frame : this.main.client.rewrite(frame)
    })
    return Context.empty().pipe(
      Context.add(Crypto, this.crypto),
      Context.add(Transport.Transport, connection.transport),
      Context.add(SecretChatStore, this.store(run, this.driver))
    )
  }

  /**
   * What a second program needs: of the same process as far as crashes are concerned, but with a store, and so an engine,
   * of its own.
   */
  otherServices(): Context.Context<Crypto | Transport.Transport | SecretChatStore> | undefined {
    const { run } = this
    return run?.chats === undefined ? undefined : Context.empty().pipe(
      Context.add(Crypto, this.crypto),
      Context.add(Transport.Transport, run.connection!.transport),
      Context.add(SecretChatStore, this.store(run, this.driver))
    )
  }

  private store(run: Run, driver: SecretChatStore["Service"]): SecretChatStore["Service"] {
    const { chance } = this.world
    const whileAlive = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => run.alive ? effect : Effect.never)
    const read = <A>(operation: string, effect: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
      whileAlive(Effect.suspend(() =>
        chance.happens(this.faults.readFails)
          ? Effect.fail(new StoreError({ reason: "unavailable", operation }))
          : effect
      ))
    const pause = Effect.suspend(() => chance.happens(0.3) ? Effect.sleep(1 + chance.below(5)) : Effect.yieldNow)
    return SecretChatStore.of({
      ...driver,
      scope: run.storeScope,
      load: (chatId) => read("load", driver.load(chatId)),
      outboxUnsent: (page) => read("outboxUnsent", driver.outboxUnsent(page)),
      events: (page) => read("events", driver.events(page)),
      known: (chatId, ids) => read("known", driver.known(chatId, ids)),
      commit: (write) =>
        whileAlive(Effect.gen({ self: this }, function*() {
          yield* pause
          if (!run.alive) return yield* Effect.never
          const crash = chance.happens(this.faults.crashAtStore)
          const fails = chance.happens(this.faults.storeFails)
          const early = chance.happens(0.5)
          const failure = Effect.fail(new StoreError({ reason: "unavailable", operation: "commit" }))
          if (crash && early) {
            this.crash(run, "before a commit")
            return yield* Effect.never
          }
          if (fails && early) return yield* failure
          const committed = yield* driver.commit(write)
          this.observe(write)
          if (crash) {
            this.crash(run, "after a commit")
            return yield* Effect.never
          }
          if (fails) return yield* failure
          if (chance.happens(0.2)) yield* Effect.sleep(1 + chance.below(5))
          if (!run.alive) return yield* Effect.never
          return committed
        })),
      confirm: (ids) =>
        whileAlive(Effect.suspend(() => {
          const crash = chance.happens(this.faults.crashAtStore)
          if (crash && chance.happens(0.5)) {
            this.crash(run, "before a confirmation")
            return Effect.never
          }
          const done = driver.confirm(ids)
          return crash
            ? Effect.andThen(
              done,
              Effect.suspend(() => {
                this.crash(run, "after a confirmation")
                return Effect.never
              })
            )
            : done
        }))
    })
  }

  /** Everything stops at once; a while later the program starts again. */
  crash(run: Run | undefined = this.run, where = ""): void {
    if (run === undefined || !run.alive) return
    this.crashes++
    this.world.trace(`${this.name} crashes ${where}`)
    this.end(run)
    this.world.virtual.after(1 + this.world.chance.below(15_000), () => {
      if (this.run === run) this.start()
    })
  }

  /** The program is asked to end, ends, and starts again. */
  stop(): void {
    const { run, world } = this
    if (run === undefined || !run.alive || run.chats === undefined) return
    world.trace(`${this.name} stops`)
    run.chats = undefined
    const close = Effect.andThen(Scope.close(run.scope, Exit.void), Scope.close(run.storeScope, Exit.void))
    const next = Effect.sync(() => {
      if (!run.alive) return
      this.end(run)
      world.virtual.after(1 + world.chance.below(5_000), () => {
        if (this.run === run) this.start()
      })
    })
    world.virtual.fork(Effect.andThen(close, next))
  }

  private end(run: Run): void {
    run.alive = false
    run.chats = undefined
    run.connection?.close()
    // What is asleep need not wake; nothing that this wakes can do anything.
    this.world.virtual.fork(Effect.andThen(Scope.close(run.scope, Exit.void), Scope.close(run.storeScope, Exit.void)))
  }

  // ----- watching

  private observe(write: Write): void {
    let side = this.side(write.chatId)
    if (side === undefined) {
      if (this.main.disk.chatId === undefined || !this.world.isCrowd) side = this.main
      else this.sides.push(side = new Side(this))
    }
    side.disk.observe(write)
  }

  private onCall(run: Run, request: Api.AnyRequest): boolean {
    if (this.world.chance.happens(this.faults.crashAtCall / 2)) {
      this.crash(run, `before ${request._tag}`)
      return false
    }
    if ("data" in request) {
      const data = Buffer.from(request.data as Uint8Array).toString("latin1")
      if (this.sideOf(request)?.disk.indexes.has(data) !== true) {
        this.world.violate(`${this.name} sends what is not stored`)
      }
    }
    return true
  }

  /** The chat that a call is about. */
  private sideOf(request: Api.AnyRequest): Side | undefined {
    return "peer" in request ? this.side((request.peer as Api.InputEncryptedChat).chatId) : undefined
  }

  /** Whether a call carries what the user has said, which a refusal ends. */
  private isContent(request: Api.AnyRequest): boolean {
    if (!("data" in request)) return false
    const data = Buffer.from(request.data as Uint8Array).toString("latin1")
    const disk = this.sideOf(request)?.disk
    const version = disk?.sealed.get(disk.indexes.get(data) ?? -1)?.find((one) => one.data === data)
    return version?.record.kind === "message" || version?.record.kind === "action"
  }

  private onConfirm(update: Api.Update): void {
    if (update._tag !== "updateNewEncryptedMessage") return
    const side = this.side(update.message.chatId)
    const head = side?.disk.head
    if (side === undefined || head?.phase._tag !== "Ready") return
    const index = this.world.indexOf(side, update.message.bytes)
    if (index === undefined) return
    if (index >= head.sequence.myIn && !side.disk.pending.has(index)) {
      this.world.violate(`${this.name} confirms message ${index} without having stored it`)
    }
  }

  private handle(run: Run, { chatId, event, id }: SecretChats.SecretChatEvent): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!run.alive) return Effect.never
      if (id === undefined) return Effect.void
      if (id <= run.lastEvent) this.world.violate(`${this.name}: event ${id} after ${run.lastEvent}`)
      run.lastEvent = id
      if (this.journal.has(id)) return Effect.void
      if (id !== BigInt(this.journal.size) + 1n) {
        this.world.violate(`${this.name}: event ${id} before ${this.journal.size + 1}`)
      }
      this.journal.set(id, event)
      if (event._tag === "ChatRequested" && run.chats !== undefined) {
        return Effect.asVoid(Effect.forkIn(Effect.ignore(run.chats.accept(chatId)), run.scope))
      }
      return Effect.void
    })
  }
}
