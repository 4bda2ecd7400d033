/**
 * A server for secret chats in memory that does what it wants, within what a server can do: it has no keys.
 *
 * An account may have several devices: all are asked for a chat, and one has it. Every device has a list of updates that it has not confirmed. A connection brings them in any order, late, or twice;
 * frames may be forgotten on the way. Calls of one chain are executed in order. Answers may be late or never come; after a
 * restart of the server, calls without an answer are made again by the transport if they may be, and end as uncertain
 * otherwise.
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as RpcError from "@effect-mtproto/core/RpcError"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as Transport from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Chance } from "./Chance.ts"
import { calm, type Faults } from "./Faults.ts"
import type { Virtual } from "./Virtual.ts"

/** What the owner of a connection wants to know, and to decide. */
export interface Client {
  /** The name of the device; an account may have several. */
  readonly device: string
  readonly userId: bigint
  /** A call leaves; `false` if the program has just stopped. */
  readonly onCall: (request: Api.AnyRequest) => boolean
  /** The server has executed a call. */
  readonly onExecuted: (request: Api.AnyRequest) => void
  /** Whether a refusal of this call has to stay one: the user was told of it. */
  readonly isFinal: (request: Api.AnyRequest) => boolean
  /** An update is confirmed. */
  readonly onConfirm: (update: Api.Update) => void
  /** The frame that leaves the device in the place of the one that its program has made. */
  readonly rewrite: (frame: Uint8Array) => Uint8Array
}

interface Held {
  readonly update: Api.Update
  confirmed: boolean
}

interface Device {
  readonly name: string
  readonly userId: bigint
  held: Array<Held>
  connection: Connection | undefined
  qts: number
}

interface Chat {
  readonly id: number
  readonly creator: bigint
  readonly participant: bigint
  /** Which of the devices have the chat. */
  readonly creatorDevice: string
  acceptorDevice: string | undefined
  readonly gA: Uint8Array
  gB: Uint8Array
  fingerprint: bigint
  state: "waiting" | "ready" | "discarded"
  /** Messages that were relayed, by sender and bytes. */
  readonly relayed: Set<string>
}

type Said = { readonly result: unknown } | { readonly code: number; readonly type: string }

/** A call of a chain. */
interface Link {
  /** The one that it waits for, if that was under way when it was made. */
  readonly before: Link | undefined
  /** When it reaches the server. */
  at: number
  failed: boolean
  answered: boolean
}

const SENDING = new Set(["messages.sendEncrypted", "messages.sendEncryptedService", "messages.sendEncryptedFile"])

class Connection {
  readonly client: Client
  readonly queue: Queue.Queue<Transport.TransportUpdate, Transport.TransportError>
  readonly chains = new Map<string, Link>()
  closed = false

  constructor(client: Client, virtual: Virtual) {
    this.client = client
    // a queue wakes its takers through the scheduler that it was made with
    this.queue = virtual.get(Queue.unbounded<Transport.TransportUpdate, Transport.TransportError>())
  }
}

export class Server {
  faults: Faults = calm
  /** Frames that were forgotten on the way. */
  dropped = 0
  refused = 0
  restarts = 0
  private readonly devices = new Map<string, Device>()
  private readonly chats = new Map<number, Chat>()
  private readonly files = new Map<
    bigint,
    { readonly accessHash: bigint; readonly size: bigint; fingerprint: number }
  >()
  private readonly parts = new Map<bigint, Map<number, Uint8Array>>()
  private readonly chance: Chance
  private readonly virtual: Virtual
  private readonly trace: (line: string) => void
  /** What is refused for good. */
  private readonly refusals = new Set<string>()
  private epoch = 0
  /** When it is back after a restart. */
  private upAt = 0
  private nextFile = 1n

  constructor(chance: Chance, virtual: Virtual, trace: (line: string) => void) {
    this.chance = chance
    this.virtual = virtual
    this.trace = trace
  }

  private get date(): number {
    return Math.floor(this.virtual.now / 1000)
  }

  /** A device logs in to an account. */
  register(name: string, userId: bigint): void {
    this.devices.set(name, { name, userId, held: [], connection: undefined, qts: 0 })
  }

  private device(name: string): Device {
    return this.devices.get(name)!
  }

  /** The devices of an account, but for one. */
  private devicesOf(userId: bigint, except?: string): ReadonlyArray<Device> {
    return [...this.devices.values()].filter((device) => device.userId === userId && device.name !== except)
  }

  /** The devices that hold a chat between them: who asked for it, and who accepted. */
  parties(chatId: number): { readonly creator: string; readonly acceptor: string | undefined } | undefined {
    const chat = this.chats.get(chatId)
    return chat === undefined ? undefined : { creator: chat.creatorDevice, acceptor: chat.acceptorDevice }
  }

  connect(client: Client): { readonly transport: Transport.Transport["Service"]; readonly close: () => void } {
    const device = this.device(client.device)
    const connection = device.connection = new Connection(client, this.virtual)
    for (const held of device.held) this.carry(device, held, false)
    return {
      transport: Transport.Transport.of({
        invoke: ((request: Api.AnyRequest, options?: Transport.InvokeOptions) =>
          this.invoke(connection, request, options)) as Transport.Transport["Service"]["invoke"],
        updates: Stream.fromQueue(connection.queue)
      }),
      close: () => {
        connection.closed = true
        if (device.connection === connection) device.connection = undefined
      }
    }
  }

  /** Everything under way is lost; what was not confirmed comes again. */
  restart(): void {
    this.trace("server restarts")
    this.restarts++
    this.epoch++
    this.upAt = this.virtual.now + 1 + this.chance.below(20_000)
    for (const device of this.devices.values()) for (const held of device.held) this.carry(device, held, false)
  }

  /** Whether nothing waits to be confirmed. */
  get isQuiet(): boolean {
    return [...this.devices.values()].every((device) => device.held.every((held) => held.confirmed))
  }

  /** A frame that came from nowhere. */
  inject(device: string, update: Api.Update): void {
    this.push(this.device(device), update)
  }

  // ----- updates

  private push(device: Device, update: Api.Update): void {
    const { faults } = this
    if (update._tag !== "updateEncryption" && this.chance.happens(faults.drop)) {
      this.dropped++
      return this.trace(`server forgets ${update._tag} for ${device.userId}`)
    }
    const held: Held = { update, confirmed: false }
    device.held.push(held)
    this.carry(device, held, true)
    if (this.chance.happens(faults.twice)) this.carry(device, held, true)
  }

  private carry(device: Device, held: Held, mayBeLate: boolean): void {
    const { connection } = device
    if (connection === undefined) return
    const late = mayBeLate && this.chance.happens(this.faults.late)
    const time = Math.max(0, this.upAt - this.virtual.now) + this.chance.latency(late ? 90_000 : this.faults.latency)
    const arrive = (): void => {
      if (connection.closed) return
      const { update } = held
      const unique = "message" in update ? { ...update, message: copied(update.message) } : update
      Queue.offerUnsafe(connection.queue, {
        update: unique as Api.Update,
        date: this.date,
        users: [],
        confirm: Effect.sync(() => {
          if (connection.closed) return
          if (!held.confirmed) connection.client.onConfirm(update)
          held.confirmed = true
          // the server is told of what is confirmed without a gap before it
          while (device.held[0]?.confirmed === true) device.held.shift()
        })
      })
    }
    this.virtual.after(time, arrive)
  }

  // ----- calls

  private invoke(
    connection: Connection,
    request: Api.AnyRequest,
    options: Transport.InvokeOptions = {}
  ): Effect.Effect<unknown, unknown> {
    return Effect.callback((resume) => {
      if (connection.closed || !connection.client.onCall(request)) return
      const { faults } = this
      const failed = (reason: Transport.TransportErrorReason, after: number) =>
        this.virtual.after(after, () => {
          if (connection.closed) return
          this.trace(`${connection.client.userId} ${request._tag}: ${reason}`)
          resume(Effect.fail(new Transport.TransportError({ reason, detail: "The network is bad" })))
        })
      if (this.chance.happens(faults.callLost)) return failed("timeout", 1 + this.chance.below(30_000))
      const { chain } = options
      const last = chain === undefined ? undefined : connection.chains.get(chain)
      const link: Link = {
        before: last?.answered === false ? last : undefined,
        at: Math.max(
          Math.max(this.virtual.now, this.upAt) + this.chance.latency(faults.latency),
          (last?.at ?? 0) + 1
        ),
        failed: false,
        answered: false
      }
      if (chain !== undefined) connection.chains.set(chain, link)
      const arrive = (first: boolean): void => {
        if (connection.closed) return
        const { epoch } = this
        if (this.virtual.now < this.upAt) {
          this.virtual.after(this.upAt - this.virtual.now, () => arrive(first))
          return
        }
        const said: Said = first && link.before?.failed === true
          ? { code: 400, type: "MSG_WAIT_FAILED" }
          : this.consider(connection, request)
        link.failed = "type" in said && said.code !== 420 && said.type !== "RANDOM_ID_DUPLICATE"
        connection.client.onExecuted(request)
        const answer = () => {
          link.answered = true
          if (connection.closed) return
          if ("result" in said) return resume(Effect.succeed(said.result))
          this.trace(`${connection.client.userId} ${request._tag}: ${said.type}`)
          resume(Effect.fail(RpcError.fromServer({
            method: { tag: request._tag, errors: [] },
            code: said.code,
            message: said.type
          })))
        }
        if (this.chance.happens(faults.answerLost)) {
          link.answered = true
          return failed("timeout", 1 + this.chance.below(60_000))
        }
        this.virtual.after(this.chance.latency(faults.latency), () => {
          if (epoch === this.epoch) return answer()
          // a restart has swallowed the answer
          if (options.repeatable === true || !("result" in said)) return arrive(false)
          link.answered = true
          failed("uncertain", 1)
        })
      }
      this.virtual.after(link.at - this.virtual.now, () => arrive(true))
    })
  }

  private consider(connection: Connection, request: Api.AnyRequest): Said {
    const { faults } = this
    if (SENDING.has(request._tag)) {
      const known = this.chats.get((request as any).peer.chatId)?.relayed.has(
        relayKey(connection.client.userId, request)
      )
      if (this.chance.happens(faults.internal)) {
        return this.chance.happens(0.5) ? { code: 500, type: "INTERNAL" } : { code: 400, type: "MSG_WAIT_FAILED" }
      }
      // what the peer may have seen is not refused any more
      const key = relayKey(connection.client.userId, request)
      if (known !== true && (this.refusals.has(key) || this.chance.happens(faults.refuse))) {
        this.refused++
        if (connection.client.isFinal(request)) this.refusals.add(key)
        return this.chance.happens(0.8) ? { code: 400, type: "DATA_INVALID" } : { code: 420, type: "FLOOD_WAIT_300" }
      }
      const said = this.execute(connection.client, request)
      return known === true && "result" in said && this.chance.happens(faults.duplicate)
        ? { code: 400, type: "RANDOM_ID_DUPLICATE" }
        : said
    }
    if (this.chance.happens(faults.internal)) return { code: 500, type: "INTERNAL" }
    return this.execute(connection.client, request)
  }

  private execute(client: Client, request: any): Said {
    const { device, userId } = client
    const error = (type: string) => ({ code: 400, type })
    const reply = (result: unknown) => ({ result })
    switch (request._tag as string) {
      case "messages.getDhConfig":
        return reply(
          request.version === 3
            ? { _tag: "messages.dhConfigNotModified", random: new Uint8Array(256).fill(7) }
            : {
              _tag: "messages.dhConfig",
              g: 3,
              p: DiffieHellman.wellKnownPrime(),
              version: 3,
              random: new Uint8Array(256).fill(9)
            }
        )
      case "messages.requestEncryption": {
        const id: number = request.randomId
        if (this.chats.has(id)) return error("RANDOM_ID_DUPLICATE")
        const chat: Chat = {
          id,
          creator: userId,
          participant: request.userId.userId,
          creatorDevice: device,
          acceptorDevice: undefined,
          gA: request.gA.slice(),
          gB: new Uint8Array(0),
          fingerprint: 0n,
          state: "waiting",
          relayed: new Set()
        }
        this.chats.set(id, chat)
        this.tell(this.devicesOf(chat.participant), {
          _tag: "encryptedChatRequested",
          ...head(chat, chat.participant, this.date),
          gA: chat.gA
        })
        return reply({ _tag: "encryptedChatWaiting", ...head(chat, userId, this.date) })
      }
      case "messages.acceptEncryption": {
        const chat = this.chats.get(request.peer.chatId)
        if (chat === undefined || request.peer.accessHash !== accessHash(chat, userId)) return error("CHAT_ID_INVALID")
        if (chat.state === "discarded") return error("ENCRYPTION_ALREADY_DECLINED")
        if (chat.state === "ready") return error("ENCRYPTION_ALREADY_ACCEPTED")
        chat.state = "ready"
        chat.gB = request.gB.slice()
        chat.fingerprint = request.keyFingerprint
        chat.acceptorDevice = device
        this.tell([this.device(chat.creatorDevice)], this.view(chat, chat.creator))
        // even this may be lost
        const others = this.devicesOf(chat.participant, device).filter(() => !this.chance.happens(this.faults.drop))
        this.tell(others, { _tag: "encryptedChatDiscarded", id: chat.id })
        return reply(this.view(chat, userId))
      }
      case "messages.discardEncryption": {
        const chat = this.chats.get(request.chatId)
        if (chat === undefined) return error("ENCRYPTION_ID_INVALID")
        if (chat.state === "discarded") return error("ENCRYPTION_ALREADY_DECLINED")
        const isParty = device === chat.creatorDevice || device === chat.acceptorDevice
        if (chat.state === "ready" && !isParty) return error("ENCRYPTION_ALREADY_ACCEPTED")
        const { acceptorDevice } = chat
        const others = acceptorDevice === undefined
          ? this.devicesOf(chat.participant, device)
          : [this.device(acceptorDevice)]
        chat.state = "discarded"
        this.tell([this.device(chat.creatorDevice), ...others].filter(({ name }) => name !== device), {
          _tag: "encryptedChatDiscarded",
          id: chat.id,
          ...(request.deleteHistory === true ? { historyDeleted: true } : {})
        })
        return reply(true)
      }
      case "messages.sendEncrypted":
      case "messages.sendEncryptedService":
      case "messages.sendEncryptedFile": {
        const chat = this.chats.get(request.peer.chatId)
        if (chat === undefined || request.peer.accessHash !== accessHash(chat, userId)) return error("CHAT_ID_INVALID")
        if (chat.state === "discarded") return error("ENCRYPTION_DECLINED")
        if (chat.state !== "ready") return error("CHAT_ID_INVALID")
        const other = this.otherOf(chat, device)
        if (other === undefined) return error("CHAT_ID_INVALID")
        chat.relayed.add(relayKey(userId, request))
        const message = {
          randomId: request.randomId,
          chatId: chat.id,
          date: this.date,
          bytes: client.rewrite(request.data).slice()
        }
        const file = request._tag === "messages.sendEncryptedFile" ? this.file(request.file) : undefined
        if (request._tag === "messages.sendEncryptedFile" && file === undefined) return error("FILE_EMPTY")
        this.push(other, {
          _tag: "updateNewEncryptedMessage",
          message: request._tag === "messages.sendEncryptedService"
            ? { _tag: "encryptedMessageService", ...message }
            : { _tag: "encryptedMessage", ...message, file: file ?? { _tag: "encryptedFileEmpty" } },
          qts: ++other.qts
        })
        return reply(
          file === undefined
            ? { _tag: "messages.sentEncryptedMessage", date: message.date }
            : { _tag: "messages.sentEncryptedFile", date: message.date, file }
        )
      }
      case "messages.setEncryptedTyping":
      case "messages.readEncryptedHistory": {
        const { chatId } = request.peer
        const chat = this.chats.get(chatId)
        const other = chat === undefined ? undefined : this.otherOf(chat, device)
        if (other === undefined) return error("CHAT_ID_INVALID")
        if (chat!.state === "discarded") return error("ENCRYPTION_DECLINED")
        // nobody hears of somebody who does not type
        if (request.typing === false) return reply(true)
        this.push(
          other,
          request._tag === "messages.setEncryptedTyping"
            ? { _tag: "updateEncryptedChatTyping", chatId }
            : { _tag: "updateEncryptedMessagesRead", chatId, maxDate: request.maxDate, date: this.date }
        )
        return reply(true)
      }
      case "upload.saveFilePart": {
        const parts = this.parts.get(request.fileId) ?? new Map<number, Uint8Array>()
        this.parts.set(request.fileId, parts.set(request.filePart, request.bytes.slice()))
        return reply(true)
      }
      default:
        return error("METHOD_INVALID")
    }
  }

  /** The file that a message refers to: one that is here, or the uploaded parts. */
  private file(input: any): Api.encryptedFile | undefined {
    const describe = (id: bigint): Api.encryptedFile | undefined => {
      const file = this.files.get(id)
      return file === undefined ? undefined : {
        _tag: "encryptedFile",
        id,
        accessHash: file.accessHash,
        size: file.size,
        dcId: 2,
        keyFingerprint: file.fingerprint
      }
    }
    if (input._tag === "inputEncryptedFile") return describe(input.id)
    const parts = this.parts.get(input.id)
    if (parts === undefined) return undefined
    const id = this.nextFile++
    const size = [...parts.values()].reduce((n, part) => n + part.length, 0)
    this.files.set(id, { accessHash: id * 7n, size: BigInt(size), fingerprint: input.keyFingerprint })
    return describe(id)
  }

  private tell(devices: ReadonlyArray<Device>, chat: Api.EncryptedChat): void {
    for (const device of devices) this.push(device, { _tag: "updateEncryption", chat, date: this.date })
  }

  /** The device at the other end of a chat; nothing for one that has no part in it. */
  private otherOf(chat: Chat, device: string): Device | undefined {
    const { acceptorDevice, creatorDevice } = chat
    const name = device === creatorDevice ? acceptorDevice : device === acceptorDevice ? creatorDevice : undefined
    return name === undefined ? undefined : this.device(name)
  }

  private view(chat: Chat, userId: bigint): Api.EncryptedChat {
    return {
      _tag: "encryptedChat",
      ...head(chat, userId, this.date),
      gAOrB: userId === chat.creator ? chat.gB : chat.gA,
      keyFingerprint: chat.fingerprint
    }
  }
}

const copied = <A>(message: A): A =>
  typeof message === "object" && message !== null && "bytes" in message
    ? { ...message, bytes: (message.bytes as Uint8Array).slice() }
    : message

const relayKey = (userId: bigint, request: any): string =>
  `${userId} ${request.randomId} ${Buffer.from(request.data).toString("latin1")}`

const accessHash = (chat: Chat, userId: bigint): bigint => BigInt(chat.id) * 1000n + userId

const head = (chat: Chat, userId: bigint, date: number) => ({
  id: chat.id,
  accessHash: accessHash(chat, userId),
  date,
  adminId: chat.creator,
  participantId: chat.participant
})
