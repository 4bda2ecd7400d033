/**
 * A server for secret chats in memory: the rules by which Telegram relays them, without MTProto.
 *
 * Every device has a queue of updates; what it does not confirm comes again when it connects again. Calls can be made to
 * fail, to lose their answer, or to wait.
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as RpcError from "@effect-mtproto/core/RpcError"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as Transport from "@effect-mtproto/transport/Transport"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"

export interface Fault {
  /** What the server says instead of executing the call. */
  readonly code?: number
  readonly type?: string
  /** Executes the call, and loses the answer. */
  readonly loseAnswer?: boolean
  /** The call does not reach the server. */
  readonly transport?: Transport.TransportErrorReason
  /** The call waits for this first. */
  readonly after?: Deferred.Deferred<void>
}

export interface Queued {
  readonly id: number
  readonly update: Api.Update
}

export interface Device {
  readonly userId: bigint
  readonly index: number
  queue: Array<Queued>
  live: Queue.Queue<Transport.TransportUpdate, Transport.TransportError> | undefined
  qts: number
}

export interface Chat {
  readonly id: number
  readonly creator: Device
  readonly participant: bigint
  readonly gA: Uint8Array
  acceptor: Device | undefined
  gB: Uint8Array
  fingerprint: bigint
  state: "waiting" | "ready" | "discarded"
  readonly seen: Set<string>
}

export const date = 1_700_000_000

const messageKey = (device: Device, request: any): string =>
  `${device.index} ${request.randomId} ${Buffer.from(request.data ?? []).toString("base64")}`

export class Relay {
  readonly devices: Array<Device> = []
  readonly chats = new Map<number, Chat>()
  /** Every call that was executed, in order. */
  readonly log: Array<{ readonly device: Device; readonly request: Api.AnyRequest }> = []
  /** Whether a message that was relayed before is relayed again, as a Resend needs it, or refused as a duplicate. */
  repeats: "relayed" | "refused" = "refused"
  private readonly faults = new Map<string, Array<Fault>>()
  private nextId = 1
  private clock = date

  device(userId: bigint): Device {
    const device: Device = { userId, index: this.devices.length, queue: [], live: undefined, qts: 0 }
    this.devices.push(device)
    return device
  }

  /** While set, no call reaches the server. */
  down: Transport.TransportErrorReason | undefined

  /** The next calls of a method. */
  fail(method: string, ...faults: ReadonlyArray<Fault>): void {
    this.faults.set(method, [...this.faults.get(method) ?? [], ...faults])
  }

  /** Faults that no call has met yet. */
  faultsLeft(method: string): number {
    return this.faults.get(method)?.length ?? 0
  }

  /** The faults that were not met are taken back. */
  heal(): void {
    this.faults.clear()
    this.down = undefined
  }

  calls(method: string, device?: Device): ReadonlyArray<Api.AnyRequest> {
    return this.log.filter((entry) =>
      entry.request._tag === method && (device === undefined || entry.device === device)
    )
      .map((entry) => entry.request)
  }

  push(device: Device, update: Api.Update): void {
    const queued = { id: this.nextId++, update }
    device.queue.push(queued)
    this.deliver(device, queued)
  }

  /** A message that did not come from the other side. */
  inject(device: Device, chatId: number, bytes: Uint8Array, randomId = 1n): void {
    this.push(device, {
      _tag: "updateNewEncryptedMessage",
      message: { _tag: "encryptedMessageService", randomId, chatId, date: this.clock, bytes },
      qts: ++device.qts
    })
  }

  private deliver(device: Device, queued: Queued): void {
    if (device.live === undefined) return
    Queue.offerUnsafe(device.live, {
      update: queued.update,
      date: this.clock,
      users: [],
      confirm: Effect.sync(() => {
        device.queue = device.queue.filter((other) => other.id !== queued.id)
      })
    })
  }

  /** A connection of a device; what was not confirmed comes again. */
  connect(device: Device): Layer.Layer<Transport.Transport> {
    return Layer.effect(
      Transport.Transport,
      Effect.gen({ self: this }, function*() {
        const live = yield* Queue.unbounded<Transport.TransportUpdate, Transport.TransportError>()
        const chains = new Map<string, Semaphore.Semaphore>()
        let closed = false
        device.live = live
        for (const queued of device.queue) this.deliver(device, queued)
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            closed = true
            if (device.live === live) device.live = undefined
          })
        )
        const invoke = (request: Api.AnyRequest, options: Transport.InvokeOptions = {}) => {
          const call = Effect.suspend(() =>
            closed
              ? Effect.fail(new Transport.TransportError({ reason: "closed", detail: "closed" }))
              : this.call(device, request)
          )
          if (options.chain === undefined) return call
          const chain = chains.get(options.chain) ?? Semaphore.makeUnsafe(1)
          chains.set(options.chain, chain)
          return chain.withPermit(call)
        }
        return Transport.Transport.of({
          invoke: invoke as Transport.Transport["Service"]["invoke"],
          updates: Stream.fromQueue(live)
        })
      })
    )
  }

  private call(device: Device, request: Api.AnyRequest): Effect.Effect<unknown, unknown> {
    const waiting = this.faults.get(request._tag)
    // A server that has relayed a message does not refuse it afterwards.
    const fault = waiting?.[0]?.type !== undefined && waiting[0].code === 400 && this.isRelayed(device, request)
      ? undefined
      : waiting?.shift()
    return Effect.gen({ self: this }, function*() {
      // An answer takes its way, however short.
      yield* Effect.yieldNow
      if (fault?.after !== undefined) yield* Deferred.await(fault.after)
      const reason = this.down ?? fault?.transport
      if (reason !== undefined) {
        return yield* new Transport.TransportError({ reason, detail: "The network is down" })
      }
      const said = fault?.type === undefined
        ? this.execute(device, request)
        : { error: { code: fault.code ?? 400, type: fault.type } }
      if (fault?.loseAnswer === true) {
        return yield* new Transport.TransportError({ reason: "timeout", detail: "No answer in time" })
      }
      if ("error" in said) {
        const { code, type } = said.error
        return yield* Effect.fail(
          RpcError.fromServer({ method: { tag: request._tag, errors: [] }, code, message: type })
        )
      }
      return said.result
    })
  }

  private isRelayed(device: Device, request: any): boolean {
    return this.chats.get(request.peer?.chatId)?.seen.has(messageKey(device, request)) === true
  }

  private execute(
    device: Device,
    request: any
  ): { readonly result: unknown } | { readonly error: { readonly code: number; readonly type: string } } {
    this.log.push({ device, request })
    const error = (type: string, code = 400) => ({ error: { code, type } })
    switch (request._tag as string) {
      case "messages.getDhConfig":
        return {
          result: request.version === 3
            ? { _tag: "messages.dhConfigNotModified", random: new Uint8Array(256).fill(7) }
            : {
              _tag: "messages.dhConfig",
              g: 3,
              p: DiffieHellman.wellKnownPrime(),
              version: 3,
              random: new Uint8Array(256).fill(9)
            }
        }
      case "messages.requestEncryption": {
        const id: number = request.randomId
        const known = this.chats.get(id)
        if (known !== undefined) return error("RANDOM_ID_DUPLICATE")
        const chat: Chat = {
          id,
          creator: device,
          participant: request.userId.userId,
          gA: request.gA,
          acceptor: undefined,
          gB: new Uint8Array(0),
          fingerprint: 0n,
          state: "waiting",
          seen: new Set()
        }
        const others = this.devices.filter((other) => other.userId === chat.participant)
        if (others.length === 0) return error("USER_ID_INVALID")
        this.chats.set(id, chat)
        for (const other of others) {
          this.push(other, {
            _tag: "updateEncryption",
            chat: { _tag: "encryptedChatRequested", ...this.head(chat, other), gA: chat.gA },
            date: this.clock
          })
        }
        return { result: { _tag: "encryptedChatWaiting", ...this.head(chat, device) } }
      }
      case "messages.acceptEncryption": {
        const chat = this.chats.get(request.peer.chatId)
        if (chat === undefined || request.peer.accessHash !== this.accessHash(chat, device)) {
          return error("CHAT_ID_INVALID")
        }
        if (chat.state === "discarded") return error("ENCRYPTION_ALREADY_DECLINED")
        if (chat.state === "ready") return error("ENCRYPTION_ALREADY_ACCEPTED")
        chat.state = "ready"
        chat.acceptor = device
        chat.gB = request.gB
        chat.fingerprint = request.keyFingerprint
        this.push(chat.creator, { _tag: "updateEncryption", chat: this.view(chat, chat.creator), date: this.clock })
        for (const other of this.devices) {
          if (other.userId !== device.userId || other === device) continue
          this.push(other, {
            _tag: "updateEncryption",
            chat: { _tag: "encryptedChatDiscarded", id: chat.id },
            date: this.clock
          })
        }
        return { result: this.view(chat, device) }
      }
      case "messages.discardEncryption": {
        const chat = this.chats.get(request.chatId)
        if (chat === undefined) return error("ENCRYPTION_ID_INVALID")
        if (chat.state === "discarded") return error("ENCRYPTION_ALREADY_DECLINED")
        const others = this.devices.filter((other) =>
          other !== device && (chat.acceptor === undefined
            ? other.userId === chat.participant || other === chat.creator
            : other === chat.acceptor || other === chat.creator)
        )
        chat.state = "discarded"
        for (const other of others) {
          this.push(other, {
            _tag: "updateEncryption",
            chat: {
              _tag: "encryptedChatDiscarded",
              id: chat.id,
              ...(request.deleteHistory === true ? { historyDeleted: true } : {})
            },
            date: this.clock
          })
        }
        return { result: true }
      }
      case "messages.sendEncrypted":
      case "messages.sendEncryptedService":
      case "messages.sendEncryptedFile": {
        const chat = this.chats.get(request.peer.chatId)
        if (chat === undefined || request.peer.accessHash !== this.accessHash(chat, device)) {
          return error("CHAT_ID_INVALID")
        }
        if (chat.state === "discarded") return error("ENCRYPTION_DECLINED")
        if (chat.state !== "ready") return error("CHAT_ID_INVALID")
        const key = messageKey(device, request)
        if (this.repeats === "refused" && chat.seen.has(key)) return error("RANDOM_ID_DUPLICATE")
        chat.seen.add(key)
        const other = device === chat.creator ? chat.acceptor! : chat.creator
        const message = { randomId: request.randomId, chatId: chat.id, date: ++this.clock, bytes: request.data }
        this.push(other, {
          _tag: "updateNewEncryptedMessage",
          message: request._tag === "messages.sendEncryptedService"
            ? { _tag: "encryptedMessageService", ...message }
            : { _tag: "encryptedMessage", ...message, file: { _tag: "encryptedFileEmpty" } },
          qts: ++other.qts
        })
        return { result: { _tag: "messages.sentEncryptedMessage", date: message.date } }
      }
      case "messages.setEncryptedTyping":
      case "messages.readEncryptedHistory": {
        const { chatId } = request.peer
        const chat = this.chats.get(chatId)
        if (chat?.acceptor === undefined || (device !== chat.creator && device !== chat.acceptor)) {
          return error("CHAT_ID_INVALID")
        }
        if (chat.state === "discarded") return error("ENCRYPTION_DECLINED")
        // nobody hears of somebody who does not type
        if (request.typing === false) return { result: true }
        const other = device === chat.creator ? chat.acceptor : chat.creator
        this.push(
          other,
          request._tag === "messages.setEncryptedTyping"
            ? { _tag: "updateEncryptedChatTyping", chatId }
            : { _tag: "updateEncryptedMessagesRead", chatId, maxDate: request.maxDate, date: this.clock }
        )
        return { result: true }
      }
      default:
        return error("METHOD_INVALID")
    }
  }

  private accessHash(chat: Chat, device: Device): bigint {
    return BigInt(chat.id) * 1000n + device.userId
  }

  private head(chat: Chat, device: Device) {
    return {
      id: chat.id,
      accessHash: this.accessHash(chat, device),
      date,
      adminId: chat.creator.userId,
      participantId: chat.participant
    }
  }

  private view(chat: Chat, device: Device): Api.EncryptedChat {
    return {
      _tag: "encryptedChat",
      ...this.head(chat, device),
      gAOrB: device === chat.creator ? chat.gB : chat.gA,
      keyFingerprint: chat.fingerprint
    }
  }
}
