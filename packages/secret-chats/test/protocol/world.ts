/**
 * Two devices, their disks, and a server between them that loses, repeats,
 * reorders and refuses; all of it follows from one seed.
 *
 * A device has nothing but its disk when it crashes. What it stores, it stores
 * in one commit per step; a crash falls before the commit (nothing happened, the
 * update comes again) or after it (what was to be done is not done).
 */
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as ChatState from "@effect-mtproto/secret-chats/protocol/ChatState"
import type * as Content from "@effect-mtproto/secret-chats/protocol/Content"
import type { Event } from "@effect-mtproto/secret-chats/protocol/Events"
import type { Input, ServerChat } from "@effect-mtproto/secret-chats/protocol/Input"
import * as Machine from "@effect-mtproto/secret-chats/protocol/Machine"
import type { OutboxRecord } from "@effect-mtproto/secret-chats/protocol/Outbox"
import type { Act, Write } from "@effect-mtproto/secret-chats/protocol/Output"
import * as Timers from "@effect-mtproto/secret-chats/protocol/Timers"
import { assert } from "@effect/vitest"
import { Result } from "effect"
import {
  ACCEPTOR,
  action,
  agree,
  CHAT,
  CREATOR,
  dh,
  isWrite,
  keyHashOf,
  keyPair,
  makeRandom,
  NOW,
  type Random,
  text
} from "./support.ts"

/** How bad the world is: probabilities. */
export interface Faults {
  readonly crash: number
  readonly loseFrame: number
  readonly repeatFrame: number
  readonly reorder: number
  readonly loseAnswer: number
  readonly refuse: number
  readonly delete: number
  /** Of a jump of eight days. */
  readonly week: number
}

export const calm: Faults = {
  crash: 0,
  loseFrame: 0,
  repeatFrame: 0,
  reorder: 0,
  loseAnswer: 0,
  refuse: 0,
  delete: 0,
  week: 0
}

class Crash extends Error {}

/** A frame without encryption: it opens for whoever holds the same key. */
interface Frame {
  readonly fingerprint: bigint
  readonly key: Uint8Array
  readonly payload: Uint8Array
  readonly randomId: bigint
}

interface Row {
  readonly record: Uint8Array
  readonly frame: Frame
  readonly unsent: boolean
}

interface Disk {
  head: Uint8Array | undefined
  outbox: Map<number, Row>
  pending: Map<number, Uint8Array>
  events: Array<Event>
  timers: ReadonlyArray<Timers.Timer>
  /** Everything that was ever sealed: index -> contents by revision. */
  sealed: Map<number, Array<{ readonly record: OutboxRecord; readonly text: string }>>
}

type Update =
  | { readonly _tag: "frame"; readonly frame: Frame; readonly date: number }
  | { readonly _tag: "chat"; readonly chat: ServerChat }

const encodeLayer = TlCodec.encode(SecretApi.DecryptedMessageLayer)

const describeContent = (content: SecretApi.DecryptedMessage): string =>
  content._tag === "decryptedMessage" ? content.message : "action" in content ? content.action._tag : content._tag

export class Device {
  readonly name: string
  readonly world: World
  disk: Disk = { head: undefined, outbox: new Map(), pending: new Map(), events: [], timers: [], sealed: new Map() }
  state: ChatState.ChatState | undefined
  /** Updates the server holds for it: messages and chats, two streams. */
  queue: Array<Update> = []
  /** What it does now, lost in a crash: computations and calls. */
  running: Array<() => void> = []
  private calling = new Set<string>()
  /** Calls whose answer was lost in this run. */
  private unanswered = new Set<string>()

  constructor(name: string, world: World) {
    this.name = name
    this.world = world
  }

  get random(): Random {
    return this.world.random
  }

  get phase(): string {
    return this.state?.phase._tag ?? "none"
  }

  // ----- storage

  /** One step, one commit; throws `Crash`. */
  step(input: Input, onRefusal?: () => void): void {
    const before = this.state ?? ChatState.empty(CHAT)
    const result = Machine.step(before, input, {
      now: this.world.now,
      entropy: this.random.bytes(Machine.entropyBytes)
    })
    if (Result.isFailure(result)) {
      if (onRefusal === undefined) throw new Error(`${this.name}: ${input._tag} was refused: ${result.failure.reason}`)
      return onRefusal()
    }
    const { outputs, state } = result.success
    this.world.trace?.(
      `${this.name} ${input._tag} -> ${
        outputs.map((o) => o._tag === "Emit" ? `Emit:${o.event._tag}` : o._tag).join(" ")
      } ${JSON.stringify(state.sequence)}`
    )
    if (this.random.chance(this.world.faults.crash)) throw new Crash()
    const { disk } = this
    for (const output of outputs) if (isWrite(output)) this.apply(disk, output, input)
    if (input._tag === "Sent") {
      const row = disk.outbox.get(input.record.index)
      if (row !== undefined && recordOf(row).revision === input.record.revision) {
        disk.outbox.set(input.record.index, { ...row, unsent: false })
      }
    }
    disk.head = ChatState.encode(state)
    this.state = state
    if (this.world.steps++ % 64 === 0) this.check()
    if (this.random.chance(this.world.faults.crash)) throw new Crash()
    for (const output of outputs) if (!isWrite(output)) this.carryOut(output)
  }

  private apply(disk: Disk, output: Write, input: Input): void {
    switch (output._tag) {
      case "Seal": {
        const { content, inSeqNo, key, outSeqNo, record } = output
        assert.isTrue(key.bytes.some((b) => b !== 0), "sealed with a wiped key")
        const payload = encodeLayer({
          _tag: "decryptedMessageLayer",
          randomBytes: new Uint8Array(31),
          layer: record.layer,
          inSeqNo,
          outSeqNo,
          message: content
        }).slice()
        const versions = disk.sealed.get(record.index) ?? []
        assert.strictEqual(record.revision, versions.length, "a number is given once, and replaced in order")
        disk.sealed.set(record.index, [...versions, { record, text: describeContent(content) }])
        disk.outbox.set(record.index, {
          record: ChatState.encodeRecord(record),
          frame: { fingerprint: key.fingerprint, key: key.bytes.slice(), payload, randomId: record.randomId },
          unsent: true
        })
        return
      }
      case "Forget":
        for (const index of disk.outbox.keys()) if (index < output.before) disk.outbox.delete(index)
        return
      case "SendAgain":
        for (let i = output.from; i <= output.to; i++) {
          const row = disk.outbox.get(i)
          assert.isDefined(row, "asked for what is gone")
          disk.outbox.set(i, { ...row!, unsent: true })
        }
        return
      case "Hold":
        assert.isFalse(disk.pending.has(output.pending.index))
        disk.pending.set(output.pending.index, ChatState.encodePending(output.pending))
        return
      case "Release":
        assert.isTrue(disk.pending.delete(output.index), `released what is not there (${input._tag})`)
        return
      case "Emit":
        disk.events.push(output.event)
        return
      case "PutTimer":
      case "DateTimer":
      case "StartViewed":
      case "StartOpened":
      case "DropTimers":
        disk.timers = Timers.apply(disk.timers, output)
        return
      default:
        return
    }
  }

  /** What is on the disk is what is in memory. */
  private check(): void {
    const again = this.load()
    assert.deepStrictEqual(again, this.state)
  }

  private load(): ChatState.ChatState | undefined {
    if (this.disk.head === undefined) return undefined
    const result = ChatState.decode({
      head: this.disk.head,
      outbox: [...this.disk.outbox.values()].map((row) => row.record),
      pending: [...this.disk.pending.values()]
    })
    if (Result.isFailure(result)) throw result.failure
    return result.success
  }

  restart(): void {
    this.world.trace?.(`${this.name} restarts`)
    this.world.crashes++
    this.running = []
    this.calling = new Set()
    this.unanswered = new Set()
    this.state = this.load()
    if (this.state !== undefined) this.guard(() => this.step({ _tag: "Start" }))
  }

  /** Runs something; after a crash everything but the disk is gone. */
  guard(run: () => void): boolean {
    try {
      run()
      return true
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      this.restart()
      return false
    }
  }

  // ----- acting

  private later(run: () => void): void {
    this.running.push(run)
  }

  private call(name: string, run: () => Input, repeated: boolean): void {
    if (this.calling.has(name)) return
    this.calling.add(name)
    this.later(() => {
      this.calling.delete(name)
      const answer = run()
      if (this.random.chance(this.world.faults.loseAnswer)) {
        this.unanswered.add(name)
        return this.call(name, run, true)
      }
      this.step(
        answer._tag === "HandshakeRefused" ? { ...answer, repeated: repeated || this.unanswered.has(name) } : answer
      )
    })
  }

  private carryOut(act: Act): void {
    const { server } = this.world
    switch (act._tag) {
      case "Flush":
        return this.flush()
      case "GenerateKeyPair":
        return this.later(() =>
          this.step({ _tag: "KeyPairGenerated", purpose: act.purpose, dh: act.dh ?? dh, own: keyPair(this.random) })
        )
      case "AgreeOnKey": {
        const own = act.own === undefined
          ? undefined
          : { secret: act.own.secret.slice(), publicValue: act.own.publicValue }
        return this.later(() => {
          const used = own ?? keyPair(this.random)
          const key = agree(used.publicValue, act.peerValue)
          this.step({
            _tag: "KeyAgreed",
            purpose: act.purpose,
            dh: act.dh ?? dh,
            own: used,
            key: key.bytes,
            fingerprint: key.fingerprint,
            keyHash: keyHashOf(key),
            seenElsewhere: false
          })
        })
      }
      case "RequestEncryption":
        return this.call("request", () => server.request(act.publicValue.slice()), false)
      case "AcceptEncryption":
        return this.call("accept", () => server.accept(act.publicValue.slice(), act.fingerprint), false)
      case "Probe":
        return this.call("probe", () => server.probe(), false)
      case "DiscardEncryption":
        return this.call("discard", () => server.discard(this), false)
      case "Reopen":
        for (const early of act.frames) {
          const frame = this.world.early.get(early.randomId)!
          this.open(frame, early.date)
        }
        return this.step({ _tag: "Reopened" })
      case "Wipe":
        act.bytes.fill(0)
        return
      case "ReadHistory":
      case "Notice":
        return
    }
  }

  /** Sends what is unsent, in order; each is answered when it is answered. */
  flush(): void {
    for (const index of [...this.disk.outbox.keys()].toSorted((a, b) => a - b)) {
      const row = this.disk.outbox.get(index)!
      const record = recordOf(row)
      const name = `${index}/${record.revision}`
      if (!row.unsent || this.calling.has(name)) continue
      this.calling.add(name)
      this.later(() => {
        this.calling.delete(name)
        const answer = this.world.server.send(this, row.frame, record)
        // no answer: the row is still unsent, and is sent again
        if (this.random.chance(this.world.faults.loseAnswer)) return this.later(() => this.flush())
        this.step(answer)
      })
    }
  }

  // ----- receiving

  open(frame: Frame, date: number): void {
    const keys = Machine.readingKeys(this.state!)
    const key = keys.find((k) => k.fingerprint === frame.fingerprint)
    if (key === undefined || !same(key.bytes, frame.key)) return
    this.step({ _tag: "Received", payload: frame.payload, key: key.fingerprint, randomId: frame.randomId, date })
  }

  /** One update of the server, perhaps not the first. */
  receive(): void {
    const faults = this.world.faults
    const at = this.random.chance(faults.reorder) ? this.random.below(this.queue.length) : 0
    const update = this.queue[at]
    if (update === undefined) return
    const confirm = () => {
      const now = this.queue.indexOf(update)
      if (now !== -1 && !this.random.chance(faults.repeatFrame)) this.queue.splice(now, 1)
    }
    if (update._tag === "frame" && this.random.chance(faults.loseFrame)) {
      this.world.lost++
      this.queue.splice(at, 1)
      return
    }
    this.guard(() => {
      if (update._tag === "chat") {
        this.step({ _tag: "ServerChat", chat: update.chat })
      } else if (this.state !== undefined) {
        if (Machine.readingKeys(this.state).length > 0) this.open(update.frame, update.date)
        else if (this.phase === "Waiting" || this.phase === "Agreeing") {
          this.world.early.set(update.frame.randomId, update.frame)
          this.step({
            _tag: "ReceivedEarly",
            frame: { randomId: update.frame.randomId, date: update.date, bytes: new Uint8Array(4) }
          })
        }
      }
      confirm()
    })
  }

  run(): void {
    if (this.running.length === 0) return
    const at = this.random.chance(this.world.faults.reorder) ? this.random.below(this.running.length) : 0
    const [next] = this.running.splice(at, 1)
    this.guard(() => next!())
  }

  tick(): void {
    if (this.state === undefined) return
    const wake = Machine.nextWake(this.state)
    if (wake !== undefined && wake <= this.world.now) this.guard(() => this.step({ _tag: "Tick" }))
    for (const timer of Timers.expired(this.disk.timers, Math.floor(this.world.now / 1000))) {
      this.guard(() => this.step({ _tag: "Expired", direction: timer.direction, randomIds: [timer.randomId] }))
    }
  }

  // ----- the user

  act(): void {
    const { random } = this
    if (this.phase === "Requested") {
      if (random.chance(0.3)) this.guard(() => this.step({ _tag: "Accept" }))
      return
    }
    if (this.phase !== "Ready") return
    const randomId = random.long()
    const send = (content: Content.Content) =>
      this.guard(() =>
        this.step({ _tag: "Send", content, via: content._tag === "decryptedMessage" ? "message" : "service" }, () => {})
      )
    const mine = [...this.disk.sealed.values()].flatMap((v) => v[0]!.record.kind === "message" ? [v[0]!.record] : [])
    if (random.chance(this.world.faults.delete)) {
      if (random.chance(0.1)) return void send(action({ _tag: "decryptedMessageActionFlushHistory" }, randomId))
      const randomIds = mine.slice(-3).map((r) => r.randomId).filter(() => random.chance(0.6))
      return void send(action({ _tag: "decryptedMessageActionDeleteMessages", randomIds }, randomId))
    }
    switch (random.below(20)) {
      case 0:
        return void send(
          action({ _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: random.below(60) }, randomId)
        )
      case 1:
        return void send(action({ _tag: "decryptedMessageActionScreenshotMessages", randomIds: [] }, randomId))
      case 2:
        return void send(action({ _tag: "decryptedMessageActionNoop" }, randomId))
      case 3:
        return void this.guard(() => this.step({ _tag: "MarkRead", maxDate: Math.floor(this.world.now / 1000) }))
      case 4:
        return void this.guard(() =>
          this.step({
            _tag: "ReadByPeer",
            maxDate: Math.floor(this.world.now / 1000) - 1,
            date: Math.floor(this.world.now / 1000)
          })
        )
      default:
        return void send(text(randomId, `${this.name} ${this.world.texts++}`, { ttl: random.chance(0.2) ? 5 : 0 }))
    }
  }
}

const recordOf = (row: Row): OutboxRecord => {
  const result = ChatState.decodeRecord(row.record)
  if (Result.isFailure(result)) throw result.failure
  return result.success
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])

/** What the server knows of the one chat. */
class Server {
  readonly world: World
  requested: Uint8Array | undefined
  accepted: { readonly publicValue: Uint8Array; readonly fingerprint: bigint } | undefined
  discarded = false

  constructor(world: World) {
    this.world = world
  }

  private readonly common = { id: CHAT, accessHash: 5n, date: 1000, adminId: CREATOR, participantId: ACCEPTOR }

  request(publicValue: Uint8Array): Input {
    const { alice, bob, random } = this.world
    if (this.discarded) return this.refuse("ENCRYPTION_DECLINED")
    if (this.requested !== undefined) {
      assert.deepStrictEqual(publicValue, this.requested, "a request is repeated with the same value")
      if (random.chance(0.5)) return this.refuse("RANDOM_ID_DUPLICATE")
    } else {
      this.requested = publicValue
      bob.queue.push({ _tag: "chat", chat: { _tag: "encryptedChatRequested", ...this.common, gA: publicValue } })
      if (random.chance(0.3)) alice.queue.push({ _tag: "chat", chat: { _tag: "encryptedChatWaiting", ...this.common } })
    }
    return { _tag: "ServerChat", chat: { _tag: "encryptedChatWaiting", ...this.common } }
  }

  accept(publicValue: Uint8Array, fingerprint: bigint): Input {
    if (this.discarded) return this.refuse("ENCRYPTION_ALREADY_DECLINED")
    const chat: ServerChat = {
      _tag: "encryptedChat",
      ...this.common,
      gAOrB: publicValue,
      keyFingerprint: fingerprint
    }
    if (this.accepted !== undefined) {
      assert.deepStrictEqual(publicValue, this.accepted.publicValue, "an acceptance is repeated with the same value")
      if (this.world.random.chance(0.5)) return this.refuse("ENCRYPTION_ALREADY_ACCEPTED")
    } else {
      this.accepted = { publicValue, fingerprint }
      this.world.alice.queue.push({ _tag: "chat", chat })
    }
    return { _tag: "ServerChat", chat: { ...chat, gAOrB: new Uint8Array() } }
  }

  probe(): Input {
    return this.discarded
      ? { _tag: "Probed", error: { code: 400, type: "ENCRYPTION_DECLINED" } }
      : { _tag: "Probed" }
  }

  discard(by: Device): Input {
    if (!this.discarded) {
      this.discarded = true
      this.world.other(by).queue.push({ _tag: "chat", chat: { _tag: "encryptedChatDiscarded", id: CHAT } })
    }
    return { _tag: "DiscardDone" }
  }

  send(by: Device, frame: Frame, record: OutboxRecord): Input {
    const { faults, random } = this.world
    if (this.discarded) return { _tag: "Refused", record, error: { code: 400, type: "ENCRYPTION_DECLINED" } }
    if (random.chance(faults.refuse)) {
      return { _tag: "Refused", record, error: { code: 400, type: random.pick(["DATA_INVALID", "USER_IS_BLOCKED"]) } }
    }
    const date = Math.floor(this.world.now / 1000)
    this.world.other(by).queue.push({ _tag: "frame", frame, date })
    return { _tag: "Sent", record, date }
  }

  private refuse(type: string): Input {
    return { _tag: "HandshakeRefused", error: { code: 400, type }, repeated: false }
  }
}

export class World {
  readonly random: Random
  faults: Faults
  now = NOW
  texts = 0
  steps = 0
  crashes = 0
  lost = 0
  readonly early = new Map<bigint, Frame>()
  readonly alice: Device = new Device("alice", this)
  readonly bob: Device = new Device("bob", this)
  readonly server: Server = new Server(this)
  trace: ((line: string) => void) | undefined

  constructor(seed: number, faults: Faults) {
    this.random = makeRandom(seed)
    this.faults = faults
  }

  other(device: Device): Device {
    return device === this.alice ? this.bob : this.alice
  }

  /** One thing happens somewhere. */
  turn(talking: boolean): void {
    const { random } = this
    const device = random.chance(0.5) ? this.alice : this.bob
    this.now += random.below(3000)
    if (random.chance(this.faults.week)) this.now += 8 * 24 * 3600 * 1000
    switch (random.below(talking ? 5 : 4)) {
      case 0:
      case 1:
        return device.receive()
      case 2:
        return device.run()
      case 3:
        return device.tick()
      case 4:
        return device.act()
    }
  }

  start(): void {
    this.alice.guard(() => this.alice.step({ _tag: "Request", userId: ACCEPTOR, userAccessHash: 9n }))
    // a crash before the commit: the user asks again
    while (this.alice.state === undefined) {
      this.alice.guard(() => this.alice.step({ _tag: "Request", userId: ACCEPTOR, userAccessHash: 9n }))
    }
  }

  /** Until both are ready. */
  handshake(): void {
    for (let i = 0; i < 20_000; i++) {
      if (this.alice.phase === "Ready" && this.bob.phase === "Ready") return
      this.turn(true)
    }
    throw new Error(`no chat: ${this.alice.phase}, ${this.bob.phase}`)
  }

  get isQuiet(): boolean {
    return [this.alice, this.bob].every((d) =>
      d.queue.length === 0 && d.running.length === 0 && [...d.disk.outbox.values()].every((row) => !row.unsent)
    )
  }

  /** Everything gets through from here; each side says something, until nothing is missing. */
  settle(): void {
    this.faults = calm
    for (let round = 0; round < 40; round++) {
      for (const device of [this.alice, this.bob]) {
        if (device.phase !== "Ready") continue
        device.guard(() =>
          device.step({
            _tag: "Send",
            content: action({ _tag: "decryptedMessageActionNoop" }, this.random.long()),
            via: "service"
          })
        )
      }
      for (let i = 0; i < 5000 && !this.isQuiet; i++) {
        for (const device of [this.alice, this.bob]) {
          device.receive()
          device.run()
        }
      }
      assert.isTrue(this.isQuiet, "comes to rest")
      const wakes = [this.alice, this.bob].flatMap(({ state }) =>
        state === undefined ? [] : Machine.nextWake(state) ?? []
      )
      this.now = Math.max(this.now + 60_000, ...wakes)
      this.alice.tick()
      this.bob.tick()
      if (round >= 4 && this.isQuiet && [this.alice, this.bob].every(isIdle)) return
    }
  }
}

const isIdle = ({ state }: Device): boolean =>
  state === undefined || state.keys === undefined ||
  (state.keys.exchange._tag === "Idle" && state.keys.previous === undefined && state.inbox.pending.length === 0 &&
    state.inbox.hole === undefined)
