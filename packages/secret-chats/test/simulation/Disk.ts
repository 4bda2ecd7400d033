/**
 * What a device keeps of a chat when its program stops, and a watch over everything that is written of it.
 *
 * Rules that must hold after every commit are checked at every commit; what was written is kept, to be compared with the
 * other side's when all is quiet.
 */
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as ChatState from "@effect-mtproto/secret-chats/protocol/ChatState"
import * as Events from "@effect-mtproto/secret-chats/protocol/Events"
import type { OutboxRecord } from "@effect-mtproto/secret-chats/protocol/Outbox"
import type * as Store from "@effect-mtproto/secret-chats/SecretChatStore"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Packet from "../../src/internal/packet.ts"

/** One content of one of our messages. */
export interface Version {
  readonly record: OutboxRecord
  readonly data: string
  /** Of the program that made the message; a replacement has that of its slot. */
  readonly layer: number
}

/** The parts of a stored head that the watch looks at. */
export interface Head {
  readonly phase: { readonly _tag: string; readonly discard?: boolean; readonly reason?: { readonly _tag: string } }
  readonly keyHash?: string
  readonly layers: { readonly his: number }
  readonly keys?: {
    readonly current: { readonly bytes: string; readonly fingerprint: string }
    readonly previous?: { readonly bytes: string }
    readonly exchange: { readonly _tag: string }
    readonly uses: number
  }
  readonly sequence: {
    readonly myIn: number
    readonly myOut: number
    readonly hisIn: number
    readonly inOrderLayer: number
  }
}

/** The layer to write in, for a peer of this one. */
const writing = (his: number): number => Math.max(73, Math.min(144, his))

export const readHead = (bytes: Uint8Array): Head => JSON.parse(Buffer.from(bytes).toString("utf8")).value

const decodeMessage = TlCodec.decode(SecretApi.DecryptedMessage)

export class Disk {
  readonly driver: Store.SecretChatStore["Service"]
  /** Our messages by index, every content they had. */
  readonly sealed = new Map<number, Array<Version>>()
  /** The texts of our messages, by index. */
  readonly texts = new Map<number, { readonly randomId: bigint; readonly text: string; readonly ttl: number }>()
  /** Messages of the peer that wait for their turn. */
  readonly pending = new Set<number>()
  /** Every event of the chat that was ever stored, in order. */
  readonly events: Array<Events.Event> = []
  /** The ciphertexts that are or were in the outbox, and the numbers of their messages. */
  readonly indexes = new Map<string, number>()
  head: Head | undefined
  /** The head before the last commit. */
  earlier: Head | undefined
  chatId: number | undefined
  version = 0
  rekeys = 0
  /** Of the program that runs. */
  layer = 144
  /** Is told of every frame when it is stored. */
  onSealed: ((frame: Uint8Array) => void) | undefined
  /** How often messages were sent again for the peer. */
  answers = 0
  private readonly nextEvent: () => bigint
  private readonly violate: (problem: string) => void

  /** `nextEvent` gives the id of the event that is appended next, among those of all chats of the store. */
  constructor(
    driver: Store.SecretChatStore["Service"],
    nextEvent: () => bigint,
    violate: (problem: string) => void
  ) {
    this.driver = driver
    this.nextEvent = nextEvent
    this.violate = violate
  }

  /** Looks at a write that has just been committed. */
  observe(write: Store.Write): void {
    const before = this.earlier = this.head
    const require = (holds: boolean, problem: string) => {
      if (!holds) this.violate(problem)
    }
    if (write.chat === undefined) return this.violate("a chat is deleted that nobody forgot")
    require(write.expected === this.version, `two writers advanced version ${write.expected}`)
    this.version = write.expected + 1
    this.chatId ??= write.chatId
    require(write.chatId === this.chatId, "another chat")
    const head = this.head = readHead(write.chat.head)
    const { keys, phase, sequence } = head
    const old = before?.sequence ?? { myIn: 0, myOut: 0, hisIn: 0, inOrderLayer: 0 }
    require(sequence.hisIn <= sequence.myOut, "the peer has acknowledged more than there is")
    for (const counter of ["myIn", "myOut", "hisIn", "inOrderLayer"] as const) {
      require(sequence[counter] >= old[counter], `${counter} fell from ${old[counter]} to ${sequence[counter]}`)
    }
    if (before !== undefined) {
      require(before.phase._tag !== "Closed" || phase._tag === "Closed", "a closed chat is open again")
      require(before.phase._tag !== "Ready" || ["Ready", "Closed"].includes(phase._tag), `Ready became ${phase._tag}`)
      require(head.layers.his >= before.layers.his, "the peer's layer fell")
      require(before.keyHash === undefined || before.keyHash === head.keyHash, "the key picture has changed")
    }
    if (keys !== undefined) {
      require(keys.previous === undefined || keys.exchange._tag !== "Starting", "a rekey while the old key is kept")
      require(!/^(A+|0+)=*$/.test(keys.current.bytes), "the current key is zeros")
      require(keys.previous === undefined || !/^A+=*$/.test(keys.previous.bytes), "the previous key is zeros")
    }
    if (phase._tag === "Closed") require(keys === undefined, "a closed chat keeps its keys")
    let created = old.myOut
    for (const change of write.changes) {
      switch (change._tag) {
        case "PutOutbox": {
          const record = Result.getOrThrow(ChatState.decodeRecord(change.record))
          const data = Buffer.from(Packet.decode(change.packet)!.data).toString("latin1")
          this.indexes.set(data, record.index)
          const versions = this.sealed.get(record.index) ?? []
          const last = versions.at(-1)
          if (last?.record.revision === record.revision) {
            require(last.data === data, `message ${record.index} was encrypted twice`)
            break
          }
          require(record.revision === versions.length, `message ${record.index} has a wrong revision`)
          if (last === undefined) {
            require(record.index === created++, `message ${record.index} is out of order`)
            const [lowest, highest] = [before?.layers.his ?? 0, head.layers.his].map(writing)
            require(
              record.layer >= lowest! && record.layer <= highest!,
              `message ${record.index} has layer ${record.layer}, not ${lowest} to ${highest}`
            )
          } else {
            const same = (["randomId", "inIndex", "layer"] as const).every((key) => last.record[key] === record[key])
            require(same, `message ${record.index} was replaced in another slot`)
            require(record.kind === "deleted", `message ${record.index} was replaced by something else than a deletion`)
          }
          this.sealed.set(record.index, [...versions, { record, data, layer: last?.layer ?? this.layer }])
          this.onSealed?.(Buffer.from(data, "latin1"))
          break
        }
        case "MarkUnsent":
          this.answers++
          break
        case "PutPending":
          require(!this.pending.has(change.index), `message ${change.index} waits twice`)
          this.pending.add(change.index)
          break
        case "DropPending":
          require(this.pending.delete(change.index), `message ${change.index} was released and did not wait`)
          break
        case "PutMessage": {
          const { data, index, outgoing } = change.message
          const message = decodeMessage(data)
          if (outgoing && message._tag === "decryptedMessage") {
            this.texts.set(index, { randomId: message.randomId, text: message.message, ttl: message.ttl })
          }
          break
        }
        case "AppendEvent": {
          const id = this.nextEvent()
          const data = typeof change.data === "function" ? change.data(id) : change.data
          const event = Result.getOrThrow(Events.decode(data))
          this.events.push(event)
          if (event._tag === "Rekeyed") this.rekeys++
          break
        }
      }
    }
    require(created === sequence.myOut, "a number was given to no message")
  }

  /** The whole state, as a program would read it. */
  state(): ChatState.ChatState | undefined {
    if (this.chatId === undefined) return undefined
    const found = Effect.runSync(this.driver.load(this.chatId))
    if (found._tag === "None") return undefined
    const { head, pending, records } = found.value
    return Result.getOrThrow(ChatState.decode({
      head,
      outbox: records.map((row) => row.record),
      pending: pending.map((row) => row.data)
    }))
  }
}
