/**
 * One MTProto session as a state machine (core.telegram.org/mtproto/description
 * and .../service_messages): what stands between the bytes of a connection and
 * calls that are answered.
 *
 * Pure and synchronous: packets, the time and random bytes go in; packets,
 * events and the time of the next timer come out. There is no clock, no socket
 * and no Effect in here, so a session runs as well on virtual time against
 * hand-made bytes.
 *
 * It owns message identifiers and sequence numbers, acknowledgements in both
 * directions, containers, compression, salts, the offset between the clocks,
 * the server's complaints (`bad_msg_notification`, `bad_server_salt`), questions
 * about the state of messages, and what is sent again, and how, when a
 * connection or the server's memory of the session is lost:
 *
 * - On another connection of the same session a message is sent again under the
 *   same identifier; the server knows it and does not execute it twice, unless it
 *   has lost the session. So about what must not be repeated it is asked first.
 * - Under a new identifier only what the server surely did not execute is sent
 *   again, and what may be executed twice (`repeatable`). Anything else ends as
 *   `Uncertain`.
 *
 * A session on a temporary key (`binding`) first has a permanent key vouch for
 * it, and sends no query before the server has taken that.
 *
 * Times are milliseconds of the caller's clock, which should not jump.
 *
 * @since 1.0.0
 */
import type { ClientMessage } from "@effect-mtproto/core/MtprotoApi"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Packet from "@effect-mtproto/crypto/Packet"
import type { SharedKey } from "@effect-mtproto/crypto/SharedKey"
import * as Result from "effect/Result"
import { Acks } from "./internal/acks.ts"
import * as Binding from "./internal/binding.ts"
import * as Bytes from "./internal/bytes.ts"
import * as Complaints from "./internal/complaints.ts"
import * as Incoming from "./internal/incoming.ts"
import { Liveness } from "./internal/liveness.ts"
import * as MessageIds from "./internal/messageIds.ts"
import * as Notices from "./internal/notices.ts"
import { Outgoing } from "./internal/outgoing.ts"
import * as Packing from "./internal/packing.ts"
import { Queries } from "./internal/queries.ts"
import * as ReceivedIds from "./internal/receivedIds.ts"
import * as Salts from "./internal/salts.ts"
import * as SentPackets from "./internal/sentPackets.ts"
import { ServerClock } from "./internal/serverClock.ts"
import * as Service from "./internal/service.ts"

/**
 * A server salt and when it may be used, in seconds of the server's clock.
 *
 * @since 1.0.0
 * @category models
 */
export interface Salt {
  readonly salt: bigint
  readonly validSince: number
  readonly validUntil: number
}

/**
 * The largest body of a query, in bytes. Servers close the connection for more.
 *
 * @since 1.0.0
 * @category constants
 */
export const MAX_BODY = 1_044_404

/**
 * Times in milliseconds, sizes in bytes.
 *
 * @since 1.0.0
 * @category models
 */
export interface Limits {
  /** An acknowledgement waits at most this long for something to travel with. */
  readonly ackDelay: number
  /** This many acknowledgements do not wait. */
  readonly ackThreshold: number
  /** This many travel with a single message: fewer are not worth the container that they need. */
  readonly ackCompany: number
  /** The server is asked about a query that is unanswered for this long; the next time after twice as long. */
  readonly stateCheck: number
  /** A ping is sent after this long without a packet from the server. */
  readonly pingInterval: number
  /** The connection is dead if nothing came for this long after a ping. */
  readonly pongTimeout: number
  /** What everything packed in one packet may grow to, in bytes. */
  readonly maxInflated: number
}

/**
 * A dead network is noticed within 14 seconds.
 *
 * @since 1.0.0
 * @category constants
 */
export const defaultLimits: Limits = {
  ackDelay: 10_000,
  ackThreshold: 64,
  ackCompany: 16,
  stateCheck: 2_000,
  pingInterval: 7_000,
  pongTimeout: 7_000,
  maxInflated: 8 * 1024 * 1024
}

/**
 * @since 1.0.0
 * @category models
 */
export interface Options {
  readonly key: SharedKey
  readonly salts: ReadonlyArray<Salt>
  /** The server's clock minus ours, in milliseconds. */
  readonly timeOffset: number
  /** `true` when `timeOffset` was measured just now, as by the key exchange. */
  readonly synchronised: boolean
  /** Stands before every query until one has been answered: `invokeWithLayer`, `initConnection`. */
  readonly header: Uint8Array
  /** For a temporary key: the permanent one that vouches for it, and when it expires (seconds of the server's clock). */
  readonly binding?: { readonly permanentKey: SharedKey; readonly expiresAt: number } | undefined
  readonly limits?: Partial<Limits> | undefined
}

/**
 * A query on its way. Only the session that made it can use it.
 *
 * @since 1.0.0
 * @category models
 */
export interface Query {
  /** The identifier it was last sent under, 0 before that. */
  readonly msgId: bigint
  /** Whether it was sent with `invokeAfterMsg`. */
  readonly waits: boolean
}

/**
 * What a session tells the one who drives it.
 *
 * - `Answered`, `Failed`: how a query ended. `result` is the boxed result,
 *   decompressed.
 * - `Uncertain`: a query that must not be repeated may or may not have been
 *   executed. `Rejected`: the server kept refusing to take it, or its answer
 *   cannot be read. Both end the query.
 * - `Update`: an object that is no service message.
 * - `Created`: the server made (or lost and made again) the session: updates
 *   may be missing.
 * - `Bound`, `BindingFailed`: the server has taken, or refused, a temporary key. A
 *   session that was refused is of no further use.
 * - `Salts`: the known salts changed.
 * - `Close`: the connection has to be closed: `dead` when nothing comes any
 *   more, `refused` when what came cannot be trusted.
 *
 * @since 1.0.0
 * @category models
 */
export type Event =
  | { readonly _tag: "Answered"; readonly query: Query; readonly result: Uint8Array }
  | { readonly _tag: "Failed"; readonly query: Query; readonly code: number; readonly message: string }
  | { readonly _tag: "Uncertain"; readonly query: Query }
  | { readonly _tag: "Rejected"; readonly query: Query; readonly reason: string }
  | { readonly _tag: "Update"; readonly body: Uint8Array }
  | { readonly _tag: "Created" }
  | { readonly _tag: "Bound" }
  | { readonly _tag: "BindingFailed"; readonly code: number; readonly message: string }
  | { readonly _tag: "Salts" }
  | { readonly _tag: "Close"; readonly reason: "dead" | "refused" }

/**
 * @since 1.0.0
 * @category models
 */
export interface Session {
  readonly id: bigint
  /** The server's clock minus ours, in milliseconds. */
  readonly timeOffset: number
  readonly salts: ReadonlyArray<Salt>
  /** How many packets were accepted as the server's. */
  readonly authenticated: number
  /**
   * Takes a query: a serialised method, perhaps `gzip_packed`, at most
   * `MAX_BODY` bytes. `after` makes the server execute it after that query.
   */
  query(body: Uint8Array, options: { readonly repeatable: boolean; readonly after?: Query | undefined }): Query
  /** The answer is not wanted any more. No event will come for the query. */
  cancel(query: Query): void
  /** A connection was made: what it needs to know is sent (again). */
  attach(now: number): void
  detach(): void
  /** A packet came from the server. */
  receive(now: number, packet: Uint8Array): void
  /** Bytes came that are no whole packet yet: the network lives, however slow it is. Counts for a minute. */
  stir(now: number): void
  /** The packets to send now. */
  poll(now: number): Array<Uint8Array>
  /** When `poll` has something to do without new input; may lie in the past. */
  wakeAt(): number
  /** The events since the last call, in order. */
  events(): Array<Event>
}

const EMPTY = new Uint8Array(0)
/** The length of `invokeAfterMsg` in front of a query. */
const INVOKE_AFTER = 12
const RECEIVED = 1_000
const MAX_REJECTIONS = 5
const RECENT_PACKETS = 64
const STATE_REQUESTS = 16
const SALT_REQUEST_INTERVAL = 60_000

/**
 * @since 1.0.0
 * @category constructors
 */
export const make = (crypto: Crypto["Service"], options: Options): Session => new SessionImpl(crypto, options)

class SessionImpl implements Session, Incoming.Handler {
  id: bigint
  readonly crypto: Crypto["Service"]
  readonly options: Options
  readonly limits: Limits
  readonly ids: MessageIds.MessageIds
  readonly clock: ServerClock
  readonly saltStore: Salts.Salts
  readonly received = ReceivedIds.make(RECEIVED)
  readonly queries: Queries
  readonly acks: Acks
  readonly liveness: Liveness
  now = 0
  /** The session that the packet being read belongs to. */
  receiving = 0n
  authenticated = 0
  attached = false
  initialised = false
  uniqueId: bigint | undefined
  contentCount = 0
  orders = 0
  resets = 0
  /** The call that binds a temporary key, until it is answered. */
  binding: Outgoing | undefined
  notices: Array<Notices.Notice> = []
  /** What went with the last packets besides queries. */
  readonly recent = SentPackets.make<ReadonlyArray<Notices.Notice>>(RECENT_PACKETS)
  readonly stateRequests = new Map<bigint, ReadonlyArray<bigint>>()
  saltsAskedAt = -Infinity
  saltRequest = 0n
  out: Array<Event> = []

  constructor(crypto: Crypto["Service"], options: Options) {
    this.crypto = crypto
    this.options = options
    this.limits = { ...defaultLimits, ...options.limits }
    this.id = Bytes.readLong(crypto.randomBytes(8), 0)
    this.ids = MessageIds.make(Bytes.readInt(crypto.randomBytes(4), 0))
    this.saltStore = Salts.make(options.salts)
    this.clock = new ServerClock(options.timeOffset, options.synchronised)
    this.queries = new Queries(this.limits.stateCheck)
    this.acks = new Acks(this.limits)
    this.liveness = new Liveness(this.limits)
    if (options.binding !== undefined) this.bind()
  }

  get timeOffset(): number {
    return this.clock.offset
  }

  get salts(): ReadonlyArray<Salt> {
    return this.saltStore.all()
  }

  // ----- what the driver asks for

  query(body: Uint8Array, options: { readonly repeatable: boolean; readonly after?: Query | undefined }): Query {
    const after = options.after as Outgoing | undefined
    const query = new Outgoing(++this.orders, body, options.repeatable, after, this.limits.stateCheck)
    this.queries.add(query)
    return query
  }

  cancel(handle: Query): void {
    const query = handle as Outgoing
    if (query.state === "done") return
    if (query.state !== "queued") this.notify({ _tag: "rpc_drop_answer", reqMsgId: query.msgId })
    this.finish(query)
  }

  attach(now: number): void {
    this.attached = true
    this.liveness.prove(now)
    this.notices = this.notices.filter((notice) => notice.again)
    this.stateRequests.clear()
    this.queries.restartChecks(now)
    const unanswered: Array<bigint> = []
    for (const query of this.queries.sent.values()) {
      // the server may have executed it, lost the session since, and would execute it again
      if (query.state === "sent" && query.repeatable) this.queries.sendAgain(query)
      else unanswered.push(query.msgId)
    }
    if (unanswered.length > 0) this.askState(unanswered)
    this.acks.hasten(now)
  }

  detach(): void {
    this.attached = false
  }

  events(): Array<Event> {
    const out = this.out
    this.out = []
    return out
  }

  wakeAt(): number {
    if (!this.attached) return Infinity
    if (this.mayQuery() || this.notices.length > 0 || this.queries.areResending) return -Infinity
    return Math.min(this.acks.wakeAt(), this.queries.wakeAt(), this.liveness.wakeAt())
  }

  // ----- sending

  poll(now: number): Array<Uint8Array> {
    this.now = now
    if (!this.attached) return []
    this.runTimers()
    return Packing.group(this.collect(), (item) => this.sizeOf(item)).map((group) => this.pack(group))
  }

  private runTimers(): void {
    const now = this.now
    const unanswered = this.queries.takeUnanswered(now)
    if (unanswered.length > 0) this.askState(unanswered)
    const due = this.liveness.poll(now)
    if (due === "dead") {
      this.out.push({ _tag: "Close", reason: "dead" })
    } else if (due === "ping") {
      const pingId = Bytes.readLong(this.crypto.randomBytes(8), 0)
      this.notify({ _tag: "ping_delay_disconnect", pingId, disconnectDelay: this.liveness.disconnectDelay() })
    }
    if (this.saltStore.isLow(this.clock.seconds(now)) && now >= this.saltsAskedAt + SALT_REQUEST_INTERVAL) {
      this.saltsAskedAt = now
      this.notify({ _tag: "get_future_salts", num: 64 }, (msgId) => {
        this.saltRequest = msgId
      })
    }
  }

  private askState(ids: ReadonlyArray<bigint>): void {
    for (let i = 0; i < ids.length; i += Service.MAX_IDS) {
      const some = ids.slice(i, i + Service.MAX_IDS)
      this.notify({ _tag: "msgs_state_req", msgIds: some }, (msgId) => {
        this.stateRequests.set(msgId, some)
        trim(this.stateRequests, STATE_REQUESTS)
      })
    }
  }

  /** Everything that is to be sent now, in the order in which identifiers are given. */
  private collect(): Array<Outgoing | Notices.Notice> {
    const out: Array<Outgoing | Notices.Notice> = [...this.queries.takeResending(), ...this.notices]
    this.notices = []
    if (this.mayQuery()) {
      // the call that binds has the lowest order, and goes alone
      for (const query of this.queries.take(this.binding !== undefined)) out.push(query)
    }
    for (const acks of this.acks.take(this.now, out.length)) {
      out.push({ ...Notices.make({ _tag: "msgs_ack", msgIds: acks }), acks })
    }
    return out
  }

  /** Whether there are queries that may go out. */
  private mayQuery(): boolean {
    return this.queries.areWaiting && (this.binding === undefined || this.binding.state === "queued")
  }

  /** What an item needs in a container, at most. */
  private sizeOf(item: Outgoing | Notices.Notice): number {
    if (!(item instanceof Outgoing)) return item.body.length
    if (item.alone || item === this.binding) return Infinity
    return item.body.length + INVOKE_AFTER + (this.initialised ? 0 : this.options.header.length)
  }

  private notify(message: ClientMessage, onSent?: (msgId: bigint) => void): void {
    this.notices.push(Notices.make(message, onSent))
  }

  private pack(group: ReadonlyArray<Outgoing | Notices.Notice>): Uint8Array {
    // an old identifier is accepted inside a new container only
    const single = group.length === 1 && !(group[0] instanceof Outgoing && group[0].resend)
    const messages = group.map((item) => item instanceof Outgoing ? this.writeQuery(item) : this.writeNotice(item))
    const outer = single
      ? messages[0]!
      : { msgId: this.nextId(), seqNo: this.nextSeqNo(false), body: Packing.container(messages) }
    let notices: Array<Notices.Notice> | undefined
    for (const item of group) {
      if (item instanceof Outgoing) item.outerId = outer.msgId
      else if (item.again) (notices ??= []).push(item)
    }
    this.recent.add(outer.msgId, notices ?? NO_NOTICES)
    const salt = this.saltStore.current(this.clock.seconds(this.now))
    const message = { salt, sessionId: this.id, msgId: outer.msgId, seqNo: outer.seqNo, body: outer.body }
    return Packet.seal(this.crypto, { key: this.options.key, from: "client", message }).packet
  }

  private writeNotice(notice: Notices.Notice): Packing.Message {
    const msgId = this.nextId()
    notice.onSent?.(msgId)
    return { msgId, seqNo: this.nextSeqNo(notice.content), body: notice.body }
  }

  private writeQuery(query: Outgoing): Packing.Message {
    if (query.resend) {
      query.resend = false
      return { msgId: query.msgId, seqNo: query.seqNo, body: query.wire }
    }
    const isBinding = query === this.binding
    const after = query.after
    query.waits = after !== undefined && (after.state === "sent" || after.state === "acked")
    query.wrapped = !this.initialised && !isBinding
    const wait = query.waits ? Service.invokeAfter(after!.msgId) : EMPTY
    query.msgId = this.nextId()
    query.wire = isBinding
      ? Binding.write(this.crypto, this.options.binding!, {
        temporaryKeyId: this.options.key.id,
        sessionId: this.id,
        msgId: query.msgId
      })
      : query.waits || query.wrapped
      ? Bytes.concat(wait, query.wrapped ? this.options.header : EMPTY, query.body)
      : query.body
    query.seqNo = this.nextSeqNo(true)
    this.queries.send(this.now, query)
    return { msgId: query.msgId, seqNo: query.seqNo, body: query.wire }
  }

  private nextId(): bigint {
    return this.ids.next(this.now + this.clock.offset)
  }

  private nextSeqNo(content: boolean): number {
    return content ? 2 * this.contentCount++ + 1 : 2 * this.contentCount
  }

  // ----- receiving

  receive(now: number, packet: Uint8Array): void {
    this.now = now
    // left over from a key exchange, or written with a key that is no longer ours
    if (Packet.authKeyId(packet) !== this.options.key.id) return
    const opened = Packet.open(this.crypto, { keys: [this.options.key], from: "server", packet })
    if (Result.isFailure(opened) || (opened.success.msgId & 1n) === 0n) {
      this.out.push({ _tag: "Close", reason: "refused" })
      return
    }
    const message = opened.success
    if (message.sessionId !== this.id) return
    this.receiving = this.id
    this.authenticated++
    this.liveness.prove(now)
    if (!this.clock.observe(now, message.msgId) && !Incoming.isComplaint(message.body)) return
    Incoming.dispatch(this, message, this.limits.maxInflated)
    this.acks.hold(now)
  }

  stir(now: number): void {
    this.liveness.stir(now)
  }

  accept(msgId: bigint, seqNo: number): boolean {
    // the rest of a container after whose first part the session was given up
    if (this.receiving !== this.id) return false
    const verdict = this.received.add(msgId)
    if (verdict === "unknown") {
      this.reset(NOTHING)
      return false
    }
    if ((seqNo & 1) === 1) this.acks.add(msgId)
    return verdict === "new"
  }

  onResult(msgId: bigint, requestId: bigint, result: Uint8Array | undefined): void {
    const query = this.queries.sent.get(requestId)
    if (query === undefined) return
    this.resets = 0
    this.clock.compare(this.now, msgId, requestId)
    if (query === this.binding) return this.onBound(query, result)
    if (result === undefined) {
      this.finish(query)
      this.out.push({ _tag: "Rejected", query, reason: "the answer cannot be read" })
      return
    }
    const error = Service.readError(result)
    if (error === undefined) {
      if (query.wrapped) this.initialised = true
      this.finish(query)
      this.out.push({ _tag: "Answered", query, result })
      return
    }
    if (error.message === "CONNECTION_NOT_INITED" || error.message === "CONNECTION_LAYER_INVALID") {
      const refused = query.wrapped
      this.initialised = false
      if (!refused) return this.queries.putBack(query)
    } else if (query.wrapped) {
      this.initialised = true
    }
    // the server has lost the binding with its memory: the same key is bound once more
    if (error.message === "AUTH_KEY_PERM_EMPTY" && this.options.binding && ++query.rejections <= MAX_REJECTIONS) {
      this.bind()
      return this.queries.putBack(query)
    }
    this.finish(query)
    this.out.push({ _tag: "Failed", query, code: error.code, message: error.message })
  }

  private bind(): void {
    if (this.binding !== undefined) return
    this.binding = new Outgoing(0, EMPTY, true, undefined, this.limits.stateCheck)
    this.queries.putBack(this.binding)
  }

  private onBound(query: Outgoing, result: Uint8Array | undefined): void {
    const error = result === undefined ? UNREADABLE : Service.readError(result)
    this.finish(query)
    if (error !== undefined) {
      this.out.push({ _tag: "BindingFailed", ...error })
    } else if (Binding.isTrue(result!)) {
      this.binding = undefined
      this.out.push({ _tag: "Bound" })
    } else {
      this.out.push({ _tag: "BindingFailed", ...UNREADABLE })
    }
  }

  onAcks(ids: ReadonlyArray<bigint>): void {
    for (const id of ids) {
      const query = this.queries.sent.get(id)
      if (query?.state === "sent") query.state = "acked"
    }
  }

  onBadSalt(badId: bigint, salt: bigint): void {
    if (!this.isOurs(badId)) return
    this.saltStore.renew(this.clock.seconds(this.now), salt)
    this.out.push({ _tag: "Salts" })
    this.refuse(badId, () => true)
  }

  onBadMessage(noticeId: bigint, badId: bigint, code: number): void {
    if (!this.isOurs(badId)) return
    const { alone, ifRepeatable, newSalts, newSession, setClock } = Complaints.treatmentOf(code)
    if (setClock) this.clock.set(this.now, noticeId)
    if (newSession) return this.reset(this.queries.carriedBy(badId))
    if (newSalts) this.saltsAskedAt = -Infinity
    if (alone) { for (const query of this.queries.carriedBy(badId)) query.alone = true }
    this.refuse(badId, (query) => !ifRepeatable || query.repeatable)
  }

  onCreated(firstId: bigint, uniqueId: bigint, salt: bigint): void {
    if (uniqueId === this.uniqueId) return
    this.uniqueId = uniqueId
    this.saltStore.renew(this.clock.seconds(this.now), salt)
    for (const query of this.queries.sent.values()) {
      if (query.outerId >= firstId) continue
      if (query.repeatable) this.queries.putBack(query)
      else this.giveUp(query)
    }
    this.out.push({ _tag: "Salts" }, { _tag: "Created" })
  }

  onFutureSalts(requestId: bigint, salts: ReadonlyArray<Salt>): void {
    if (requestId !== this.saltRequest) return
    this.saltStore.add(salts)
    this.out.push({ _tag: "Salts" })
  }

  onStateRequest(msgId: bigint, ids: ReadonlyArray<bigint>): void {
    const info = Uint8Array.from(ids, (id) => this.received.state(id))
    this.notify({ _tag: "msgs_state_info", reqMsgId: msgId, info })
  }

  onStateInfo(requestId: bigint, info: Uint8Array): void {
    const ids = this.stateRequests.get(requestId)
    if (ids === undefined) return
    this.stateRequests.delete(requestId)
    this.onStates(ids, info)
  }

  onStates(ids: ReadonlyArray<bigint>, info: Uint8Array): void {
    for (let i = 0; i < ids.length && i < info.length; i++) {
      const query = this.queries.sent.get(ids[i]!)
      if (query === undefined) continue
      switch (info[i]! & 7) {
        case 1:
          // forgotten, so perhaps executed
          if (query.repeatable) this.queries.putBack(query)
          else this.giveUp(query)
          break
        case 2:
        case 3:
          this.queries.sendAgain(query)
          break
        case 4:
          query.state = "acked"
          // an answer exists and did not arrive: the same message once more makes the server repeat it
          if ((info[i]! & 64) !== 0) this.queries.sendAgain(query)
          break
      }
    }
  }

  onDetailedInfo(queryId: bigint | undefined, answerId: bigint): void {
    const wanted = queryId === undefined || this.queries.sent.has(queryId)
    if ((this.received.state(answerId) & 7) === 4 || !wanted) this.acks.add(answerId)
    else this.notify({ _tag: "msg_resend_req", msgIds: [answerId] })
  }

  onResendRequest(msgId: bigint, ids: ReadonlyArray<bigint>): void {
    const info = new Uint8Array(ids.length)
    for (let i = 0; i < ids.length; i++) {
      const query = this.queries.sent.get(ids[i]!)
      info[i] = query === undefined ? 1 : 4
      if (query !== undefined) this.queries.sendAgain(query)
    }
    if (info.includes(1)) this.notify({ _tag: "msgs_state_info", reqMsgId: msgId, info })
  }

  onOther(body: Uint8Array): void {
    this.out.push({ _tag: "Update", body })
  }

  // ----- sending again

  private isOurs(id: bigint): boolean {
    return this.recent.has(id) || this.queries.sent.has(id)
  }

  /** The server did not take a message, or the container, of this identifier. */
  private refuse(badId: bigint, mayRepeat: (query: Outgoing) => boolean): void {
    for (const notice of this.recent.take(badId) ?? NO_NOTICES) {
      if (notice.acks === undefined) this.notices.push(notice)
      else for (const id of notice.acks) this.acks.add(id)
    }
    for (const query of this.queries.carriedBy(badId)) {
      if (++query.rejections > MAX_REJECTIONS) {
        this.reject(query)
      } else if (mayRepeat(query)) {
        this.queries.putBack(query)
      } else {
        this.giveUp(query)
      }
    }
  }

  /** A new session: identifiers may go down again and sequence numbers start anew. */
  private reset(refused: ReadonlySet<Outgoing>): void {
    if (++this.resets > MAX_REJECTIONS) this.out.push({ _tag: "Close", reason: "refused" })
    const old = this.id
    this.id = Bytes.readLong(this.crypto.randomBytes(8), 0)
    this.ids.reset()
    this.contentCount = 0
    this.received.clear()
    this.acks.clear()
    this.recent.clear()
    this.stateRequests.clear()
    this.liveness.forgetPing()
    this.initialised = false
    for (const query of this.queries.sent.values()) {
      if (refused.has(query) && ++query.rejections > MAX_REJECTIONS) {
        this.reject(query)
      } else if (query.repeatable || refused.has(query)) {
        this.queries.putBack(query)
      } else {
        this.giveUp(query)
      }
    }
    this.notify({ _tag: "destroy_session", sessionId: old })
  }

  private reject(query: Outgoing): void {
    this.finish(query)
    this.out.push(
      query === this.binding
        ? { _tag: "BindingFailed", code: 0, message: "the server does not take the message" }
        : { _tag: "Rejected", query, reason: "the server does not take the message" }
    )
  }

  private giveUp(query: Outgoing): void {
    this.finish(query)
    this.out.push({ _tag: "Uncertain", query })
  }

  private finish(query: Outgoing): void {
    this.queries.remove(query)
    query.state = "done"
    query.after = undefined
    query.wire = EMPTY
  }
}

/** How an answer counts that is none. */
const UNREADABLE = { code: 500, message: "the answer cannot be read" }
const NOTHING: ReadonlySet<Outgoing> = new Set()
const NO_NOTICES: ReadonlyArray<Notices.Notice> = []

/** Drops the oldest entries over the bound. */
const trim = <K, V>(map: Map<K, V>, capacity: number): void => {
  for (const key of map.keys()) {
    if (map.size <= capacity) return
    map.delete(key)
  }
}
