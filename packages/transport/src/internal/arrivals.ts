/**
 * What arrives from the server as updates, brought into one form: single
 * updates with the counter they belong to, and batches that are numbered by
 * `seq`.
 */
import type * as Api from "@effect-mtproto/core/Api"

export type Box = "pts" | "qts"

export interface Single {
  readonly _tag: "Update"
  readonly update: Api.Update
  readonly date: number
  readonly users: ReadonlyArray<Api.User>
  readonly chats?: ReadonlyArray<Api.Chat> | undefined
  /** The counter it belongs to; none if it may come at any time. */
  readonly box?: Box | undefined
  /** The counter's value after it. */
  readonly value: number
  /** By how much it raises the counter. */
  readonly count: number
}

export type Arrival =
  | Single
  /** Raises a counter, and that is all. */
  | { readonly _tag: "Count"; readonly box: Box; readonly value: number; readonly count: number }
  /** `start` is 0 for a batch that has no number. */
  | { readonly _tag: "Batch"; readonly start: number; readonly items: ReadonlyArray<Arrival> }
  /** The end of a numbered batch. */
  | { readonly _tag: "End"; readonly seq: number; readonly date: number }

/** The counter that decides whether an arrival is in order. */
export const counterOf = (arrival: Arrival): Box | "seq" | undefined => {
  switch (arrival._tag) {
    case "Batch":
      return "seq"
    case "End":
      return undefined
    default:
      return arrival.box
  }
}

/** Channels have counters of their own, which nobody here follows. */
const isOfChannel = (update: Api.Update): boolean => update._tag.includes("Channel")

const single = (
  update: Api.Update,
  date: number,
  users: ReadonlyArray<Api.User>,
  chats?: ReadonlyArray<Api.Chat>
): Single => {
  const about = chats === undefined || chats.length === 0 ? { update, date, users } : { update, date, users, chats }
  if ("qts" in update) return { _tag: "Update", ...about, box: "qts", value: update.qts, count: 1 }
  if ("ptsCount" in update && !isOfChannel(update)) {
    return { _tag: "Update", ...about, box: "pts", value: update.pts, count: update.ptsCount }
  }
  return { _tag: "Update", ...about, value: 0, count: 0 }
}

const isOpening = (update: Api.Update): boolean =>
  update._tag === "updateEncryption" && update.chat._tag !== "encryptedChatDiscarded"

export const fromUpdates = (updates: Exclude<Api.Updates, Api.updatesTooLong>): Arrival => {
  switch (updates._tag) {
    case "updateShort":
      return single(updates.update, updates.date, [])
    case "updateShortMessage":
      return fromShortMessage(updates, { _tag: "peerUser", userId: updates.userId }, undefined)
    case "updateShortChatMessage":
      return fromShortMessage(
        updates,
        { _tag: "peerChat", chatId: updates.chatId },
        { _tag: "peerUser", userId: updates.fromId }
      )
    case "updateShortSentMessage":
      return { _tag: "Count", box: "pts", value: updates.pts, count: updates.ptsCount }
    case "updates":
    case "updatesCombined": {
      const { chats, date, seq, users } = updates
      const items: Array<Arrival> = []
      for (const update of updates.updates) if (isOpening(update)) items.push(single(update, date, users, chats))
      for (const update of updates.updates) if (!isOpening(update)) items.push(single(update, date, users, chats))
      const start = updates._tag === "updates" ? seq : updates.seqStart
      if (start !== 0) items.push({ _tag: "End", seq, date })
      return { _tag: "Batch", start, items }
    }
  }
}

/** A text in a private chat or a basic group comes without the object around it. */
const fromShortMessage = (
  short: Api.updateShortMessage | Api.updateShortChatMessage,
  peerId: Api.Peer,
  fromId: Api.Peer | undefined
): Single => {
  const { date, pts, ptsCount } = short
  const message: Api.message = {
    _tag: "message",
    ...(short.out === true ? { out: true } : {}),
    ...(short.mentioned === true ? { mentioned: true } : {}),
    ...(short.mediaUnread === true ? { mediaUnread: true } : {}),
    ...(short.silent === true ? { silent: true } : {}),
    id: short.id,
    ...(fromId === undefined ? {} : { fromId }),
    peerId,
    ...(short.fwdFrom === undefined ? {} : { fwdFrom: short.fwdFrom }),
    ...(short.viaBotId === undefined ? {} : { viaBotId: short.viaBotId }),
    ...(short.replyTo === undefined ? {} : { replyTo: short.replyTo }),
    date,
    message: short.message,
    ...(short.entities === undefined ? {} : { entities: short.entities }),
    ...(short.ttlPeriod === undefined ? {} : { ttlPeriod: short.ttlPeriod })
  }
  return single({ _tag: "updateNewMessage", message, pts, ptsCount }, date, [])
}

/**
 * The content of a difference in the order in which it is to be delivered. An
 * encrypted message has a `qts` when the numbers prove which it is, else the one
 * before the difference; the last has the one after it.
 */
export const fromDifference = (
  difference: Api.updates.difference | Api.updates.differenceSlice,
  qts: number,
  after: Api.updates.State
): ReadonlyArray<Single> => {
  const { chats, newEncryptedMessages, newMessages, otherUpdates, users } = difference
  const { date } = after
  const about = chats.length === 0 ? { date, users } : { date, users, chats }
  const count = newEncryptedMessages.length
  const isExact = after.qts - qts === count
  const encrypted = newEncryptedMessages.map((message, i): Single => {
    const value = i === count - 1 ? Math.max(qts, after.qts) : isExact ? qts + i + 1 : qts
    const update: Api.Update = { _tag: "updateNewEncryptedMessage", message, qts: value }
    return { _tag: "Update", update, ...about, box: "qts", value, count: 1 }
  })
  const messages = newMessages.map((message): Single => {
    const update: Api.Update = { _tag: "updateNewMessage", message, pts: after.pts, ptsCount: 0 }
    return { _tag: "Update", update, ...about, value: 0, count: 0 }
  })
  const opening: Array<Single> = []
  const closing: Array<Single> = []
  const other: Array<Single> = []
  for (const update of otherUpdates) {
    const arrival: Single = { _tag: "Update", update, ...about, value: 0, count: 0 }
    if (isOpening(update)) opening.push(arrival)
    else if (update._tag === "updateEncryption") closing.push(arrival)
    else other.push(arrival)
  }
  return [...opening, ...messages, ...encrypted, ...closing, ...other]
}
