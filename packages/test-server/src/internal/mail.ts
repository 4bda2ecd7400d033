/**
 * The ordinary messages of one account, as its devices see them (core.telegram.org/api/updates).
 *
 * Every account has a box of its own: a message between two accounts stands in both, under two numbers. Whatever
 * changes a box takes the next `pts`, and is kept for a while, so that a device that was away can be told. Functions
 * here change boxes and say what happened; they know nothing of connections.
 */
import type * as Api from "@effect-mtproto/core/Api"
import type { StoredFile } from "./model.ts"

/** A file as a message shows it. */
export interface MailDocument {
  readonly file: StoredFile
  readonly reference: Uint8Array
  readonly date: number
  readonly mimeType: string
  readonly attributes: ReadonlyArray<Api.DocumentAttribute>
}

/** A message in one box. */
export interface Mail {
  readonly id: number
  /** The other account; the box's own one for saved messages. */
  readonly peer: bigint
  readonly from: bigint
  readonly date: number
  readonly text: string
  readonly entities: ReadonlyArray<Api.MessageEntity> | undefined
  readonly silent: boolean
  readonly replyTo: number | undefined
  readonly document: MailDocument | undefined
  /** The number of the same message in the other account's box, if it is there. */
  readonly twin: number | undefined
}

/** Something that happened in a box. */
export type MailEvent =
  | { readonly _tag: "New"; readonly pts: number; readonly count: 1; readonly mail: Mail }
  | { readonly _tag: "Deleted"; readonly pts: number; readonly count: number; readonly ids: ReadonlyArray<number> }
  | {
    readonly _tag: "ReadInbox" | "ReadOutbox"
    readonly pts: number
    readonly count: 1
    readonly peer: bigint
    readonly upTo: number
  }

export interface Mailbox {
  readonly owner: bigint
  /** The number of the last event. */
  pts: number
  nextId: number
  readonly messages: Map<number, Mail>
  /** The latest events, oldest first. */
  events: Array<MailEvent>
  /** By peer: the latest message that the owner has read, and that the peer has. */
  readonly readInbox: Map<bigint, number>
  readonly readOutbox: Map<bigint, number>
  /** What the owner's clients have sent lately, by `random_id`: a repetition is no new message. */
  readonly sent: Map<bigint, number>
}

export const make = (owner: bigint): Mailbox => ({
  owner,
  pts: 1,
  nextId: 1,
  messages: new Map(),
  events: [],
  readInbox: new Map(),
  readOutbox: new Map(),
  sent: new Map()
})

const SENT = 1000

const happen = (box: Mailbox, event: MailEvent, limit: number): MailEvent => {
  box.pts = event.pts
  box.events.push(event)
  // amortised: thrown away by halves
  if (box.events.length > limit * 2) box.events = box.events.slice(-limit)
  return event
}

const add = (box: Mailbox, mail: Mail, limit: number): MailEvent => {
  box.messages.set(mail.id, mail)
  box.nextId = mail.id + 1
  if (box.messages.size > limit) box.messages.delete(box.messages.keys().next().value!)
  return happen(box, { _tag: "New", pts: box.pts + 1, count: 1, mail }, limit)
}

/** What a message says. */
export type Content = Pick<Mail, "date" | "text" | "entities" | "silent" | "document">

/**
 * Puts a message into both boxes, the sender's first. A message to oneself is in one box only. `replyTo` is a number
 * of the sender's box.
 */
export const send = (
  from: Mailbox,
  to: Mailbox,
  content: Content,
  options: { readonly randomId: bigint; readonly replyTo: number | undefined; readonly limit: number }
): { readonly own: MailEvent; readonly other: MailEvent | undefined } => {
  const { limit, randomId } = options
  const replied = options.replyTo === undefined ? undefined : from.messages.get(options.replyTo)
  const isSaved = from === to
  const id = from.nextId
  const own = add(from, {
    ...content,
    id,
    peer: to.owner,
    from: from.owner,
    replyTo: replied?.id,
    twin: isSaved ? undefined : to.nextId
  }, limit)
  from.sent.set(randomId, id)
  if (from.sent.size > SENT) from.sent.delete(from.sent.keys().next().value!)
  if (isSaved) return { own, other: undefined }
  const other = add(to, {
    ...content,
    id: to.nextId,
    peer: from.owner,
    from: from.owner,
    replyTo: replied?.twin,
    twin: id
  }, limit)
  return { own, other }
}

/** How many messages of a peer the owner has not read. */
export const unread = (box: Mailbox, peer: bigint): number => {
  const upTo = box.readInbox.get(peer) ?? 0
  let count = 0
  for (const mail of box.messages.values()) {
    if (mail.peer === peer && mail.from !== box.owner && mail.id > upTo) count++
  }
  return count
}

/** Marks the messages of a peer as read, and tells the peer. */
export const read = (
  box: Mailbox,
  other: Mailbox,
  upTo: number,
  limit: number
): { readonly own: MailEvent | undefined; readonly other: MailEvent | undefined } => {
  let last: Mail | undefined
  for (const mail of box.messages.values()) {
    if (mail.peer === other.owner && mail.from !== box.owner && (upTo === 0 || mail.id <= upTo)) last = mail
  }
  if (last === undefined || last.id <= (box.readInbox.get(other.owner) ?? 0)) {
    return { own: undefined, other: undefined }
  }
  box.readInbox.set(other.owner, last.id)
  const own = happen(
    box,
    { _tag: "ReadInbox", pts: box.pts + 1, count: 1, peer: other.owner, upTo: last.id },
    limit
  )
  if (last.twin === undefined) return { own, other: undefined }
  other.readOutbox.set(box.owner, last.twin)
  return {
    own,
    other: happen(
      other,
      { _tag: "ReadOutbox", pts: other.pts + 1, count: 1, peer: box.owner, upTo: last.twin },
      limit
    )
  }
}

/** Deletes messages from a box; numbers that are not there are passed over. */
export const remove = (box: Mailbox, ids: Iterable<number>, limit: number): MailEvent | undefined => {
  const removed = [...new Set(ids)].filter((id) => box.messages.delete(id))
  return removed.length === 0
    ? undefined
    : happen(box, { _tag: "Deleted", pts: box.pts + removed.length, count: removed.length, ids: removed }, limit)
}

/** What happened since a `pts`; `undefined` if that is not remembered any more. */
export const since = (
  box: Mailbox,
  pts: number,
  limit: number
): { readonly events: ReadonlyArray<MailEvent>; readonly pts: number; readonly final: boolean } | undefined => {
  // a box that is empty has 1
  if (Math.max(pts, 1) >= box.pts) return { events: [], pts: box.pts, final: true }
  const first = box.events.findIndex((event) => event.pts > pts)
  const oldest = box.events[first]
  if (oldest === undefined || oldest.pts - oldest.count > Math.max(pts, 1)) return undefined
  const events = box.events.slice(first, first + limit)
  const final = first + events.length === box.events.length
  return { events, pts: events.at(-1)!.pts, final }
}

/** The messages with a peer, newest first. */
export const history = (box: Mailbox, peer: bigint): ReadonlyArray<Mail> =>
  [...box.messages.values()].filter((mail) => mail.peer === peer).toReversed()

/** The latest message with every peer, newest first. */
export const latest = (box: Mailbox): ReadonlyArray<Mail> => {
  const byPeer = new Map<bigint, Mail>()
  for (const mail of box.messages.values()) byPeer.set(mail.peer, mail)
  return [...byPeer.values()].toSorted((a, b) => b.id - a.id)
}
