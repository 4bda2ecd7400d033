/**
 * The server's side of one MTProto session
 * (core.telegram.org/mtproto/description, .../service_messages,
 * .../service_messages_about_messages): which messages of the client are
 * accepted, what has to be acknowledged, what was sent and must be sent again.
 *
 * A state machine without I/O: decrypted messages go in through {@link receive},
 * answers and updates through {@link answer} and {@link push}; {@link flush}
 * gives the messages to encrypt and write. It owns its mutable state, and time
 * comes in as milliseconds of unix time, so that the same inputs always have the
 * same outputs.
 *
 * What it keeps is bounded (see {@link Rules}), whatever the client does:
 *
 * - Identifiers of received messages. Older ones are forgotten, and from then on
 *   an identifier at or below the greatest forgotten one is refused with code
 *   20: nobody can say any more whether it was received.
 * - Messages sent and not acknowledged. When there are too many, updates are
 *   dropped first and the client is told `updatesTooLong`; then the oldest
 *   answers.
 */
import { writeInt, writeLong } from "./bytes.ts"
import * as MessageIds from "./messageIds.ts"
import * as Service from "./service.ts"

/** The limits of a session. Ages in seconds. */
export interface Rules {
  /** Refuse messages older than `past` or further ahead than `future`. */
  readonly checkTime: boolean
  readonly past: number
  readonly future: number
  readonly checkSalt: boolean
  /** Refuse queries whose sequence numbers contradict their identifiers. */
  readonly checkSequence: boolean
  /** How many received messages are remembered. */
  readonly remembered: number
  /** How many sent messages may wait for acknowledgement, and how many bytes of them. */
  readonly unackedMessages: number
  readonly unackedBytes: number
  /** After how many milliseconds without acknowledgement a message is sent again. */
  readonly resendAfter: number
  /** Whether messages that are ready together travel in one container. */
  readonly containers: boolean
  /** The limit of all that one packet may inflate to, in bytes. */
  readonly inflated: number
}

export const defaultRules: Rules = {
  checkTime: true,
  past: 300,
  future: 30,
  checkSalt: true,
  checkSequence: true,
  remembered: 8192,
  unackedMessages: 16384,
  unackedBytes: 16 * 1024 * 1024,
  resendAfter: 60_000,
  containers: true,
  // twice the longest frame: a client gains nothing from more, and inflating it would hold up everybody else
  inflated: 4 * 1024 * 1024
}

/** The reasons for which a message is refused (`bad_msg_notification`). */
export const BadMessage = {
  tooOld: 16,
  tooNew: 17,
  notFromClient: 18,
  containerSeen: 19,
  forgotten: 20,
  sequenceTooLow: 32,
  sequenceTooHigh: 33,
  sequenceEven: 35,
  wrongSalt: 48,
  badContainer: 64
} as const

/** A message of the server, numbered. */
export interface Outgoing {
  readonly msgId: bigint
  readonly seqNo: number
  readonly body: Uint8Array
  /** Whether the client has to acknowledge it. */
  readonly content: boolean
  readonly kind: "answer" | "push" | "service"
  /** The query it answers. */
  readonly answers: bigint
  /** When it was last written to a connection, in milliseconds of unix time; `undefined` if never. */
  sentAt: number | undefined
  /** Kept back on purpose: written only when it is asked for, or to a new connection. */
  withheld: boolean
  queued: boolean
}

/** What is known of a message of the client. */
export interface Received {
  state: "service" | "running" | "done" | "failed" | "dropped"
  /** The answer, until it is acknowledged. */
  answer: Outgoing | undefined
}

/** A message of the client, out of its packet or container. */
export interface Incoming {
  readonly msgId: bigint
  readonly seqNo: number
  readonly body: Uint8Array
}

/** What the session cannot do by itself. */
export type Event =
  | { readonly _tag: "Query"; readonly msgId: bigint; readonly body: Uint8Array }
  | { readonly _tag: "FutureSalts"; readonly msgId: bigint; readonly count: number }
  | { readonly _tag: "KeepAlive"; readonly seconds: number }
  | { readonly _tag: "HttpWait"; readonly maxDelay: number; readonly waitAfter: number; readonly maxWait: number }
  | { readonly _tag: "DestroySession"; readonly msgId: bigint; readonly sessionId: bigint }
  | { readonly _tag: "DestroyKey"; readonly msgId: bigint }
  /** The answer to this query is no longer wanted. */
  | { readonly _tag: "Dropped"; readonly msgId: bigint }

/** What the moment and the key say about a packet. */
export interface Circumstances {
  /** Milliseconds of unix time. */
  readonly now: number
  readonly saltAccepted: boolean
  readonly currentSalt: bigint
  /** Refuse the packet with this code, whatever is in it. */
  readonly refuse?: number | undefined
}

export interface Session {
  readonly id: bigint
  uniqueId: bigint
  /** Whether a message was accepted, and so `new_session_created` sent. */
  opened: boolean
  /** The first message that was accepted: what is older belongs to another session. */
  firstMsgId: bigint
  /** Whether updates are sent here: after a query that did not forbid it. */
  wantsUpdates: boolean
  readonly received: Map<bigint, Received>
  forgottenUpTo: bigint
  highestReceived: bigint
  /** The content-related message with the greatest identifier so far. */
  top: { readonly msgId: bigint; readonly seqNo: number } | undefined
  lastSent: bigint
  contentCount: number
  readonly unacked: Map<bigint, Outgoing>
  unackedBytes: number
  /** Bytes of all messages that were ever made, sent or not. */
  producedBytes: number
  updatesLost: boolean
  queue: Array<Outgoing>
  /** An update that waits for another message, to come after it. */
  late: Outgoing | undefined
  acks: Array<bigint>
  /** When the last packet arrived, in milliseconds of unix time. */
  lastSeen: number
}

export const make = (id: bigint, uniqueId: bigint, now: number): Session => ({
  id,
  uniqueId,
  opened: false,
  firstMsgId: 0n,
  wantsUpdates: false,
  received: new Map(),
  forgottenUpTo: -(2n ** 63n),
  highestReceived: -(2n ** 63n),
  top: undefined,
  lastSent: 0n,
  contentCount: 0,
  unacked: new Map(),
  unackedBytes: 0,
  producedBytes: 0,
  updatesLost: false,
  queue: [],
  late: undefined,
  acks: [],
  lastSeen: now
})

// -----------------------------------------------------------------------------
// sending
// -----------------------------------------------------------------------------

const enqueue = (
  session: Session,
  rules: Rules,
  now: number,
  body: Uint8Array,
  options: {
    readonly content: boolean
    readonly kind: Outgoing["kind"]
    readonly answers?: bigint
    readonly withheld?: boolean
  }
): Outgoing => {
  const msgId = MessageIds.next(session.lastSent, now, options.kind === "push" ? MessageIds.PUSH : MessageIds.ANSWER)
  session.lastSent = msgId
  const seqNo = session.contentCount * 2 + (options.content ? 1 : 0)
  session.producedBytes += body.length
  const withheld = options.withheld === true
  const outgoing: Outgoing = {
    msgId,
    seqNo: seqNo | 0,
    body,
    content: options.content,
    kind: options.kind,
    answers: options.answers ?? 0n,
    sentAt: undefined,
    withheld,
    queued: !withheld
  }
  if (options.content) {
    session.contentCount++
    session.unacked.set(msgId, outgoing)
    session.unackedBytes += body.length
    shed(session, rules)
  }
  if (outgoing.queued) session.queue.push(outgoing)
  return outgoing
}

const forget = (session: Session, outgoing: Outgoing): void => {
  if (!session.unacked.delete(outgoing.msgId)) return
  session.unackedBytes -= outgoing.body.length
  if (outgoing.kind !== "answer") return
  const record = session.received.get(outgoing.answers)
  if (record !== undefined) record.answer = undefined
}

const isOverfull = (session: Session, rules: Rules): boolean =>
  session.unacked.size > rules.unackedMessages || session.unackedBytes > rules.unackedBytes

const shed = (session: Session, rules: Rules): void => {
  if (!isOverfull(session, rules)) return
  for (const outgoing of session.unacked.values()) {
    if (outgoing.kind !== "push") continue
    forget(session, outgoing)
    outgoing.queued = false
    session.updatesLost = true
  }
  while (isOverfull(session, rules)) {
    const oldest = session.unacked.values().next().value!
    forget(session, oldest)
    oldest.queued = false
  }
  session.queue = session.queue.filter((outgoing) => outgoing.queued)
}

const requeue = (session: Session, outgoing: Outgoing): void => {
  if (outgoing.queued) return
  outgoing.queued = true
  outgoing.withheld = false
  session.queue.push(outgoing)
}

/** Sends a service message that needs no acknowledgement. */
export const reply = (session: Session, rules: Rules, now: number, body: Uint8Array): void => {
  enqueue(session, rules, now, body, { content: false, kind: "service" })
}

/** Sends an update; `late` sends it after whatever comes next. */
export const push = (session: Session, rules: Rules, now: number, body: Uint8Array, late = false): void => {
  const outgoing = enqueue(session, rules, now, body, { content: true, kind: "push", withheld: late })
  if (!late) return
  if (session.late !== undefined) requeue(session, session.late)
  session.late = outgoing
}

/** Gives up all updates that wait in this session: the client is told to fetch them. */
export const loseUpdates = (session: Session): void => {
  for (const outgoing of session.unacked.values()) {
    if (outgoing.kind !== "push") continue
    forget(session, outgoing)
    outgoing.queued = false
  }
  session.queue = session.queue.filter((outgoing) => outgoing.queued)
  session.updatesLost = true
}

/** Forgets everything, as a server does that was restarted: the client is told with its next message. */
export const forgetEverything = (session: Session, uniqueId: bigint): void => {
  session.uniqueId = uniqueId
  session.wantsUpdates = false
  session.opened = false
  session.received.clear()
  session.forgottenUpTo = -(2n ** 63n)
  session.highestReceived = -(2n ** 63n)
  session.top = undefined
  session.unacked.clear()
  session.unackedBytes = 0
  session.updatesLost = false
  session.queue = []
  session.late = undefined
  session.acks = []
}

/** What becomes of an answer besides being sent. */
export interface AnswerOptions {
  /** Whether the result is an `rpc_error`. */
  readonly failed: boolean
  /** Keep it back until it is asked for, or the client connects again. */
  readonly withhold?: boolean | undefined
  /** Announce it with `msg_detailed_info` in place of sending it. */
  readonly announce?: boolean | undefined
}

const RPC_RESULT = 0xf35c6d01 | 0

const rpcResult = (msgId: bigint, result: Uint8Array): Uint8Array => {
  const body = new Uint8Array(12 + result.length)
  writeInt(body, 0, RPC_RESULT)
  writeLong(body, 4, msgId)
  body.set(result, 12)
  return body
}

/** Answers a query with a serialised result, or a serialised `rpc_error`. */
export const answer = (
  session: Session,
  rules: Rules,
  now: number,
  msgId: bigint,
  result: Uint8Array,
  options: AnswerOptions
): void => {
  const record = session.received.get(msgId)
  if (record?.state === "dropped") {
    session.acks.push(msgId)
    return
  }
  const outgoing = enqueue(session, rules, now, rpcResult(msgId, result), {
    content: true,
    kind: "answer",
    answers: msgId,
    withheld: options.withhold === true || options.announce === true
  })
  if (record !== undefined) {
    record.state = options.failed ? "failed" : "done"
    if (session.unacked.has(outgoing.msgId)) record.answer = outgoing
  }
  if (options.announce === true) {
    reply(
      session,
      rules,
      now,
      Service.detailedInfo({ msgId, answerMsgId: outgoing.msgId, bytes: outgoing.body.length, status: 0 })
    )
  }
}

/** Sends the answer to a query once more, under its old number. False if there is none. */
export const repeatAnswer = (session: Session, msgId: bigint): boolean => {
  const stored = session.received.get(msgId)?.answer
  if (stored === undefined) return false
  // sent twice in one flush on purpose: a client has to cope with it
  session.queue.push(stored)
  stored.queued = true
  return true
}

/** Acknowledges a query whose answer will take a while. */
export const acknowledge = (session: Session, msgId: bigint): void => {
  session.acks.push(msgId)
}

/** A message to encrypt and write. */
export interface Packet {
  readonly msgId: bigint
  readonly seqNo: number
  readonly body: Uint8Array
}

const CONTAINER_MESSAGES = 1020
const CONTAINER_BYTES = 512 * 1024
const ACK_IDS = 8192

/** Whether {@link flush} has something to give. */
export const hasNews = (session: Session): boolean =>
  session.queue.length > 0 || session.acks.length > 0 || session.updatesLost

/** Takes everything that is ready, in order, joined into containers. */
export const flush = (session: Session, rules: Rules, now: number): ReadonlyArray<Packet> => {
  if (session.updatesLost) {
    session.updatesLost = false
    push(session, rules, now, Service.updatesTooLong)
  }
  while (session.acks.length > 0) reply(session, rules, now, Service.ack(session.acks.splice(0, ACK_IDS)))
  const ready = session.queue
  if (ready.length === 0) return []
  if (session.late !== undefined && session.unacked.has(session.late.msgId)) requeue(session, session.late)
  session.late = undefined
  session.queue = []
  for (const outgoing of ready) {
    outgoing.queued = false
    outgoing.sentAt = now
  }
  if (ready.length === 1 || !rules.containers) return ready
  const packets: Array<Packet> = []
  let from = 0
  while (from < ready.length) {
    let to = from
    let bytes = 8
    while (to < ready.length && to - from < CONTAINER_MESSAGES) {
      bytes += 16 + ready[to]!.body.length
      if (to > from && bytes > CONTAINER_BYTES) break
      to++
    }
    packets.push(to - from === 1 ? ready[from]! : container(session, now, ready.slice(from, to)))
    from = to
  }
  return packets
}

const container = (session: Session, now: number, messages: ReadonlyArray<Outgoing>): Packet => {
  const msgId = MessageIds.next(session.lastSent, now, MessageIds.ANSWER)
  session.lastSent = msgId
  return { msgId, seqNo: (session.contentCount * 2) | 0, body: Service.container(messages) }
}

// -----------------------------------------------------------------------------
// connections
// -----------------------------------------------------------------------------

/** The session goes on over a new connection: everything unacknowledged is sent again, under its old numbers. */
export const attach = (session: Session): void => {
  for (const outgoing of session.queue) outgoing.queued = false
  session.queue = []
  for (const outgoing of session.unacked.values()) requeue(session, outgoing)
}

/** The connection is gone: what needs no acknowledgement went with it. */
export const detach = (session: Session): void => {
  session.queue = session.queue.filter((outgoing) => {
    if (!outgoing.content) outgoing.queued = false
    return outgoing.content
  })
}

/** Sends again what has waited too long for its acknowledgement. */
const resendStale = (session: Session, rules: Rules, now: number): void => {
  for (const outgoing of session.unacked.values()) {
    if (outgoing.sentAt === undefined || outgoing.sentAt > now - rules.resendAfter) {
      // identifiers are in order of creation, so the first young one ends the search
      if (!outgoing.withheld) return
      continue
    }
    requeue(session, outgoing)
  }
}

// -----------------------------------------------------------------------------
// receiving
// -----------------------------------------------------------------------------

const refuse = (session: Session, rules: Rules, now: number, message: Incoming, code: number): void =>
  reply(
    session,
    rules,
    now,
    Service.badMessage({ badMsgId: message.msgId, badMsgSeqno: message.seqNo, errorCode: code })
  )

const remember = (session: Session, rules: Rules, msgId: bigint, state: Received["state"]): Received => {
  const record: Received = { state, answer: undefined }
  session.received.set(msgId, record)
  if (msgId > session.highestReceived) session.highestReceived = msgId
  if (session.received.size > rules.remembered) {
    const oldest = session.received.keys().next().value!
    session.received.delete(oldest)
    if (oldest > session.forgottenUpTo) session.forgottenUpTo = oldest
  }
  return record
}

/**
 * Takes a decrypted packet of this session and says what has to be done about
 * it. Never throws: what cannot be read is answered or acknowledged.
 */
export const receive = (
  session: Session,
  rules: Rules,
  message: Incoming,
  circumstances: Circumstances
): ReadonlyArray<Event> => {
  const { now } = circumstances
  session.lastSeen = now
  const code = refusal(session, rules, message, circumstances)
  if (code === BadMessage.wrongSalt) {
    reply(
      session,
      rules,
      now,
      Service.badServerSalt({
        badMsgId: message.msgId,
        badMsgSeqno: message.seqNo,
        errorCode: code,
        newServerSalt: circumstances.currentSalt
      })
    )
    return []
  }
  if (code !== undefined) {
    refuse(session, rules, now, message, code)
    return []
  }
  if (!session.opened) {
    session.opened = true
    session.firstMsgId = message.msgId
    enqueue(
      session,
      rules,
      now,
      Service.newSession({
        firstMsgId: message.msgId,
        uniqueId: session.uniqueId,
        serverSalt: circumstances.currentSalt
      }),
      { content: true, kind: "service" }
    )
  }
  const events: Array<Event> = []
  const budget: Service.Budget = { bytes: rules.inflated }
  accept(session, rules, now, message, events, budget, "outer")
  resendStale(session, rules, now)
  return events
}

/** The code with which a packet is refused as a whole. */
const refusal = (
  session: Session,
  rules: Rules,
  message: Incoming,
  circumstances: Circumstances
): number | undefined => {
  if (circumstances.refuse !== undefined) return circumstances.refuse
  if (!MessageIds.isFromClient(message.msgId)) return BadMessage.notFromClient
  if (session.received.has(message.msgId)) {
    return Service.isContainer(message.body) ? BadMessage.containerSeen : undefined
  }
  if (rules.checkTime) {
    const age = Math.floor(circumstances.now / 1000) - MessageIds.toSeconds(message.msgId)
    if (age > rules.past) return BadMessage.tooOld
    if (age < -rules.future) return BadMessage.tooNew
  }
  if (message.msgId <= session.forgottenUpTo) return BadMessage.forgotten
  if (rules.checkSalt && !circumstances.saltAccepted) return BadMessage.wrongSalt
  return undefined
}

/** Where a message stands: alone in its packet, in a container, or wrapped in one more layer. */
type Place = "outer" | "inner"

const accept = (
  session: Session,
  rules: Rules,
  now: number,
  message: Incoming,
  events: Array<Event>,
  budget: Service.Budget,
  place: Place
): void => {
  const known = session.received.get(message.msgId)
  if (known !== undefined) {
    duplicate(session, message, known)
    return
  }
  if (place === "inner") {
    if (!MessageIds.isFromClient(message.msgId)) {
      refuse(session, rules, now, message, BadMessage.notFromClient)
      return
    }
    if (message.msgId <= session.forgottenUpTo) {
      refuse(session, rules, now, message, BadMessage.forgotten)
      return
    }
  }
  const body = Service.unpack(message.body, budget)
  if (body !== undefined && Service.isContainer(body)) {
    acceptContainer(session, rules, now, { ...message, body }, events, budget, place)
    return
  }
  const service = body === undefined ? Service.unreadable : Service.read(body)
  // what wants an answer and cannot be read is answered where queries are
  if (service === undefined || (service._tag === "unreadable" && isContent(message))) {
    query(session, rules, now, { ...message, body: body ?? message.body }, events)
    return
  }
  remember(session, rules, message.msgId, "service")
  if (isContent(message)) noteSequence(session, message)
  serve(session, rules, now, message, service, events, budget, place)
}

const isContent = (message: Incoming): boolean => (message.seqNo & 1) === 1

const acceptContainer = (
  session: Session,
  rules: Rules,
  now: number,
  message: Incoming,
  events: Array<Event>,
  budget: Service.Budget,
  place: Place
): void => {
  const messages = place === "outer" ? Service.readContainer(message.body) : undefined
  // the container is the youngest message in itself: what is older may stand in it, what is younger may not
  if (messages === undefined || messages.some((inner) => inner.msgId >= message.msgId)) {
    refuse(session, rules, now, message, BadMessage.badContainer)
    return
  }
  remember(session, rules, message.msgId, "service")
  for (const inner of messages) accept(session, rules, now, inner, events, budget, "inner")
}

const duplicate = (session: Session, message: Incoming, known: Received): void => {
  // the client did not see the answer, or the acknowledgement: send it again, and do nothing twice
  if (known.answer !== undefined) requeue(session, known.answer)
  else if (isContent(message)) session.acks.push(message.msgId)
}

const noteSequence = (session: Session, message: Incoming): void => {
  if (session.top === undefined || message.msgId > session.top.msgId) {
    session.top = { msgId: message.msgId, seqNo: message.seqNo }
  }
}

const query = (session: Session, rules: Rules, now: number, message: Incoming, events: Array<Event>): void => {
  if (rules.checkSequence) {
    const code = sequenceError(session, message)
    if (code !== undefined) {
      refuse(session, rules, now, message, code)
      return
    }
  }
  noteSequence(session, message)
  remember(session, rules, message.msgId, "running")
  events.push({ _tag: "Query", msgId: message.msgId, body: message.body })
}

const sequenceError = (session: Session, message: Incoming): number | undefined => {
  if (!isContent(message)) return BadMessage.sequenceEven
  const { top } = session
  if (top === undefined || message.msgId === top.msgId) return undefined
  if (message.msgId > top.msgId) return message.seqNo <= top.seqNo ? BadMessage.sequenceTooLow : undefined
  return message.seqNo >= top.seqNo ? BadMessage.sequenceTooHigh : undefined
}

const serve = (
  session: Session,
  rules: Rules,
  now: number,
  message: Incoming,
  service: Service.ServiceMessage,
  events: Array<Event>,
  budget: Service.Budget,
  place: Place
): void => {
  const { msgId } = message
  switch (service._tag) {
    case "msgs_ack": {
      for (const id of service.msgIds) acknowledged(session, id)
      return
    }
    case "ping":
    case "ping_delay_disconnect": {
      reply(session, rules, now, Service.pong({ msgId, pingId: service.pingId }))
      if (service._tag === "ping_delay_disconnect") {
        events.push({ _tag: "KeepAlive", seconds: service.disconnectDelay })
      }
      return
    }
    case "http_wait": {
      events.push({ ...service, _tag: "HttpWait" })
      return
    }
    case "get_future_salts": {
      events.push({ _tag: "FutureSalts", msgId, count: service.num })
      return
    }
    case "msgs_state_req": {
      reportStates(session, rules, now, msgId, service.msgIds)
      return
    }
    case "msg_resend_req": {
      resend(session, rules, now, msgId, service.msgIds)
      return
    }
    case "rpc_drop_answer": {
      dropAnswer(session, rules, now, msgId, service.reqMsgId, events)
      return
    }
    case "destroy_session": {
      events.push({ _tag: "DestroySession", msgId, sessionId: service.sessionId })
      return
    }
    case "destroy_auth_key": {
      events.push({ _tag: "DestroyKey", msgId })
      return
    }
    case "msg_copy": {
      // an older message under a new number: it counts as the older one
      if (isContent(message)) session.acks.push(msgId)
      if (place === "outer") accept(session, rules, now, service.origMessage, events, budget, "inner")
      return
    }
    default: {
      // nothing to do, but what is content-related comes again until it is acknowledged
      if (isContent(message)) session.acks.push(msgId)
    }
  }
}

const acknowledged = (session: Session, id: bigint): void => {
  const outgoing = session.unacked.get(id)
  // what was never written cannot have arrived
  if (outgoing?.sentAt !== undefined) forget(session, outgoing)
}

// -----------------------------------------------------------------------------
// questions about messages
// -----------------------------------------------------------------------------

const UNKNOWN = 1
const NOT_RECEIVED = 2
const NOT_YET_RECEIVED = 3
const RECEIVED = 4
const NEEDS_NO_ACK = 16
const QUERY_KNOWN = 32
const ANSWER_KNOWN = 64

const stateOf = (session: Session, id: bigint): number => {
  const record = session.received.get(id)
  if (record !== undefined) {
    if (record.state === "service") return RECEIVED | NEEDS_NO_ACK
    return RECEIVED | QUERY_KNOWN | (record.answer === undefined ? 0 : ANSWER_KNOWN)
  }
  if (id <= session.forgottenUpTo) return UNKNOWN
  return id > session.highestReceived ? NOT_YET_RECEIVED : NOT_RECEIVED
}

const reportStates = (
  session: Session,
  rules: Rules,
  now: number,
  reqMsgId: bigint,
  msgIds: ReadonlyArray<bigint>
): void => {
  const info = Uint8Array.from(msgIds, (id) => stateOf(session, id))
  reply(session, rules, now, Service.stateInfo({ reqMsgId, info }))
  // a client that asks about a query misses its answer: if that was lost, here it is
  for (const id of msgIds) {
    const lost = session.received.get(id)?.answer
    if (lost !== undefined && (lost.withheld || (lost.sentAt ?? now) <= now - rules.resendAfter)) requeue(session, lost)
  }
}

const resend = (
  session: Session,
  rules: Rules,
  now: number,
  reqMsgId: bigint,
  msgIds: ReadonlyArray<bigint>
): void => {
  let complete = true
  for (const id of msgIds) {
    const outgoing = session.unacked.get(id)
    if (outgoing === undefined) complete = false
    else requeue(session, outgoing)
  }
  if (complete) return
  const info = Uint8Array.from(
    msgIds,
    (id) => MessageIds.isFromClient(id) ? stateOf(session, id) : session.unacked.has(id) ? RECEIVED : UNKNOWN
  )
  reply(session, rules, now, Service.stateInfo({ reqMsgId, info }))
}

const dropAnswer = (
  session: Session,
  rules: Rules,
  now: number,
  msgId: bigint,
  target: bigint,
  events: Array<Event>
): void => {
  const record = target === msgId ? undefined : session.received.get(target)
  const self = session.received.get(msgId)
  if (self !== undefined) self.state = "running"
  const send = (result: Uint8Array) => answer(session, rules, now, msgId, result, { failed: false })
  if (record?.state === "running") {
    record.state = "dropped"
    session.acks.push(target)
    events.push({ _tag: "Dropped", msgId: target })
    send(Service.answerDroppedRunning)
  } else if (record?.answer !== undefined) {
    const { answer: stored } = record
    forget(session, stored)
    session.queue = session.queue.filter((outgoing) => outgoing !== stored)
    send(Service.answerDropped({ msgId: stored.msgId, seqNo: stored.seqNo, bytes: stored.body.length }))
  } else {
    send(Service.answerUnknown)
  }
}
