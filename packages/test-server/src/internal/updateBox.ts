/**
 * The updates of one authorization: what was sent to it and not yet confirmed
 * (core.telegram.org/api/updates).
 *
 * Two queues, because the protocol confirms them in two ways:
 *
 * - **encrypted messages** are numbered by `qts`, in steps of one, the first
 *   being 2. They stay until a `qts` at or above theirs comes back, in
 *   `updates.getDifference` or `messages.receivedQueue`.
 * - **other updates** (states of secret chats, read marks) have only a `date`.
 *   So that a date can confirm them, every one has a date of its own, greater
 *   than every date this authorization was ever told; it may therefore be a
 *   little ahead of the clock when many updates come within a second.
 *
 * Time comes in as seconds of unix time; nothing here reads a clock.
 */
import type * as Api from "@effect-mtproto/core/Api"

export interface QueuedMessage {
  readonly qts: number
  readonly message: Api.EncryptedMessage
}

export interface QueuedUpdate {
  readonly date: number
  readonly update: Api.Update
  /** The users that the update speaks of. */
  readonly users: ReadonlyArray<bigint>
}

export interface State {
  readonly qts: number
  readonly date: number
  readonly seq: number
}

export interface UpdateBox {
  /** The number of the last encrypted message. */
  qts: number
  /** The number of the last ordered container of updates. */
  seq: number
  /** The greatest date this authorization was told. */
  issued: number
  /** Unconfirmed encrypted messages: those from `head` on. */
  messages: Array<QueuedMessage>
  head: number
  /** Payload bytes of the unconfirmed encrypted messages. */
  bytes: number
  others: Array<QueuedUpdate>
}

export const make = (): UpdateBox => ({
  // TDLib takes an encrypted message with qts 1 for a broken update
  qts: 1,
  seq: 0,
  issued: 0,
  messages: [],
  head: 0,
  bytes: 0,
  others: []
})

/** How many encrypted messages wait for confirmation. */
export const waiting = (box: UpdateBox): number => box.messages.length - box.head

/** The state to tell to the client now. */
export const state = (box: UpdateBox, now: number): State => {
  box.issued = Math.max(box.issued, now)
  return { qts: box.qts, date: box.issued, seq: box.seq }
}

/** Queues an encrypted message and returns its `qts`. */
export const addMessage = (box: UpdateBox, message: Api.EncryptedMessage): number => {
  box.qts++
  box.messages.push({ qts: box.qts, message })
  box.bytes += message.bytes.length
  return box.qts
}

/** Queues another update and returns the `seq` and `date` under which it is sent. */
export const addUpdate = (
  box: UpdateBox,
  now: number,
  update: Api.Update,
  users: ReadonlyArray<bigint>
): { readonly seq: number; readonly date: number } => {
  box.seq++
  box.issued = Math.max(now, box.issued + 1)
  box.others.push({ date: box.issued, update, users })
  return { seq: box.seq, date: box.issued }
}

/** Drops the other updates that a newer one makes superfluous. */
export const dropUpdates = (box: UpdateBox, isSuperfluous: (update: Api.Update) => boolean): void => {
  if (box.others.some((entry) => isSuperfluous(entry.update))) {
    box.others = box.others.filter((entry) => !isSuperfluous(entry.update))
  }
}

/** Drops the encrypted messages up to `qts` and returns their `random_id`s. */
export const confirmMessages = (box: UpdateBox, qts: number): Array<bigint> => {
  const confirmed: Array<bigint> = []
  while (box.head < box.messages.length && box.messages[box.head]!.qts <= qts) {
    const { message } = box.messages[box.head]!
    confirmed.push(message.randomId)
    box.bytes -= message.bytes.length
    box.head++
  }
  if (box.head === box.messages.length) {
    box.messages = []
    box.head = 0
  } else if (box.head >= 1024 && box.head * 2 >= box.messages.length) {
    // amortised: each message is moved at most once per doubling
    box.messages = box.messages.slice(box.head)
    box.head = 0
  }
  return confirmed
}

/** Drops the other updates up to `date`. */
export const confirmUpdates = (box: UpdateBox, date: number): void => {
  const remaining = box.others.findIndex((entry) => entry.date > date)
  if (remaining !== 0) box.others = remaining === -1 ? [] : box.others.slice(remaining)
}

export interface DifferenceRequest {
  /** What the client has: confirms everything up to it. */
  readonly qts: number
  readonly date: number
  readonly now: number
  /** The greatest number of messages, and of other updates, in one answer. */
  readonly limit: number
  /** The payload bytes of messages in one answer; at least one message always goes. */
  readonly maxBytes: number
}

export interface Difference {
  readonly messages: ReadonlyArray<Api.EncryptedMessage>
  readonly others: ReadonlyArray<QueuedUpdate>
  readonly state: State
  /** Whether nothing is left: otherwise the client has to ask again with `state`. */
  readonly final: boolean
}

/** What the client has not seen, after confirming what it has. */
export const difference = (box: UpdateBox, request: DifferenceRequest): Difference => {
  // a client may not confirm what it was never sent
  if (request.qts <= box.qts) confirmMessages(box, request.qts)
  if (request.date <= box.issued) confirmUpdates(box, request.date)
  if (box.others.length > request.limit) {
    const others = box.others.slice(0, request.limit)
    return {
      messages: [],
      others,
      state: { qts: request.qts, date: others.at(-1)!.date, seq: box.seq },
      final: false
    }
  }
  const messages: Array<Api.EncryptedMessage> = []
  let bytes = 0
  for (let i = box.head; i < box.messages.length && messages.length < request.limit; i++) {
    const { message } = box.messages[i]!
    bytes += message.bytes.length
    if (messages.length > 0 && bytes > request.maxBytes) break
    messages.push(message)
  }
  const final = box.head + messages.length === box.messages.length
  const now = state(box, request.now)
  return {
    messages,
    others: box.others,
    state: final ? now : { ...now, qts: box.messages[box.head + messages.length - 1]!.qts },
    final
  }
}
