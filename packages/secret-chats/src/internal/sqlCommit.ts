/**
 * One transaction of the SQL store: first every chat is moved from its expected version to the next, which decides about
 * conflicts; then the changes of the writes that passed are carried out. Changes of different chats never touch the same
 * rows, so those of the same kind are carried out together, one level of each write after the other.
 *
 * The SQL is portable; numbers that a 32-bit column cannot hold are cast before they are compared with one.
 *
 * @since 1.0.0
 */
import type { Change, Committed, Write } from "../SecretChatStore.ts"
import { type Statement, statement, type Steps } from "./sqlRunner.ts"
import { stateRank } from "./storeModel.ts"

type Tagged<Tag extends Change["_tag"]> = Extract<Change, { readonly _tag: Tag }>

interface Owned<C> {
  readonly chatId: number
  readonly change: C
}

/** Rows of one INSERT: few sizes, so that few statements are prepared. */
const sizes = [64, 16, 4, 1]

/** Parts of few sizes. @internal */
export const pieces = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> => {
  const result: Array<ReadonlyArray<A>> = []
  let at = 0
  for (const size of sizes) {
    while (items.length - at >= size) {
      result.push(items.slice(at, at + size))
      at += size
    }
  }
  return result
}

const listed = new Map<number, string>()

/** `(?,?,?)` @internal */
export const list = (length: number): string => {
  let text = listed.get(length)
  if (text === undefined) listed.set(length, text = `(${Array.from({ length }, () => "?").join(",")})`)
  return text
}

/** Inserts rows into one table. */
const inserting = (table: string, columns: ReadonlyArray<string>, conflict = "") => {
  const texts = new Map<number, string>()
  const text = (rows: number): string => {
    let found = texts.get(rows)
    if (found === undefined) {
      const values = Array.from({ length: rows }, () => list(columns.length)).join(",")
      texts.set(rows, found = `INSERT INTO ${table} (${columns.join(",")}) VALUES ${values} ${conflict}`)
    }
    return found
  }
  return function*(rows: ReadonlyArray<ReadonlyArray<unknown>>): Steps<void> {
    for (const piece of pieces(rows)) yield { text: text(piece.length), params: piece.flat() }
  }
}

const ofChat = "account = ? AND chat_id = ?"

const insertOutbox = inserting(
  "secret_chat_outbox",
  ["account", "chat_id", "seq", "random_id", "unsent", "record", "packet"],
  "ON CONFLICT (account, chat_id, seq) DO UPDATE SET random_id = excluded.random_id, unsent = excluded.unsent, record = excluded.record, packet = excluded.packet"
)
const insertPending = inserting(
  "secret_chat_pending",
  ["account", "chat_id", "seq", "data"],
  "ON CONFLICT (account, chat_id, seq) DO UPDATE SET data = excluded.data"
)
const insertEvents = inserting("secret_chat_events", ["account", "id", "chat_id", "data"])
const insertMessages = inserting(
  "secret_chat_messages",
  ["account", "chat_id", "position", "random_id", "outgoing", "seq", "state", "date", "failure", "data", "file"],
  "ON CONFLICT (account, chat_id, random_id, outgoing) DO NOTHING"
)
const insertTimers = inserting(
  "secret_chat_timers",
  ["account", "chat_id", "random_id", "outgoing", "ttl", "starts_on", "date", "expires_at", "note"],
  "ON CONFLICT (account, chat_id, random_id, outgoing) DO NOTHING"
)
const insertSeen = inserting(
  "secret_chat_seen",
  ["account", "hash", "chat_id"],
  "ON CONFLICT (account, hash) DO NOTHING"
)

const unread = "state < 30"

/**
 * Messages of one direction up to a date have been read. No index leads to those that are not read yet, it would cost
 * every message a page. Instead the chat remembers, for each direction, a position below which all have been: what is
 * looked at is what was not read the last time, and what came since.
 */
const readMessages = function*(account: string, chatId: number, outgoing: boolean, maxDate: number): Steps<void> {
  const bound = outgoing ? "read_outgoing" : "read_incoming"
  const direction = outgoing ? 1 : 0
  const from = `position >= (SELECT ${bound} FROM secret_chats WHERE ${ofChat})`
  yield statement(
    `UPDATE secret_chat_messages SET state = ${stateRank.read} WHERE ${ofChat} AND ${from} AND outgoing = ? AND date <= CAST(? AS BIGINT) AND state >= 10 AND ${unread}`,
    account,
    chatId,
    account,
    chatId,
    direction,
    maxDate
  )
  // The first that can still be read, or what comes after all that is there.
  yield statement(
    `UPDATE secret_chats SET ${bound} = COALESCE((SELECT position FROM secret_chat_messages WHERE ${ofChat} AND ${from} AND outgoing = ? AND ${unread} ORDER BY position LIMIT 1), (SELECT MAX(position) + 1 FROM secret_chat_messages WHERE ${ofChat}), 0) WHERE ${ofChat}`,
    account,
    chatId,
    account,
    chatId,
    direction,
    account,
    chatId,
    account,
    chatId
  )
}

/** One for each row, the last: PostgreSQL refuses to replace a row twice in one statement. */
const latest = <C extends { readonly index: number }>(owned: ReadonlyArray<Owned<C>>): ReadonlyArray<Owned<C>> =>
  owned.length < 2 ? owned : [...new Map(owned.map((one) => [`${one.chatId} ${one.change.index}`, one])).values()]

/** Sorted numbers as inclusive ranges without a hole. */
const ranges = (ids: ReadonlyArray<bigint>): ReadonlyArray<readonly [from: bigint, to: bigint]> => {
  const result: Array<[bigint, bigint]> = []
  for (const id of ids.toSorted((a, b) => a < b ? -1 : a > b ? 1 : 0)) {
    const last = result.at(-1)
    if (last !== undefined && id <= last[1] + 1n) last[1] = id
    else result.push([id, id])
  }
  return result
}

/** Kinds that live in the same table: their order within a chat matters, that between tables does not. */
const tables: ReadonlyArray<ReadonlyArray<Change["_tag"]>> = [
  ["PutOutbox", "MarkSent", "MarkUnsent", "ForgetOutbox"],
  ["PutPending", "DropPending"],
  ["AppendEvent"],
  ["PutMessage", "SetMessageState", "ReadMessages", "DeleteMessages", "DeleteHistory"],
  ["PutTimer", "DateTimer", "StartViewed", "StartOpened", "DropTimers"],
  ["Remember"]
]

const tableOf = new Map(tables.flatMap((kinds, table) => kinds.map((kind) => [kind, table] as const)))

/** The changes of a write by table; in a table, consecutive changes of one kind. */
const sorted = (changes: ReadonlyArray<Change>): ReadonlyArray<ReadonlyArray<ReadonlyArray<Change>>> => {
  const result: Array<Array<Array<Change>>> = tables.map(() => [])
  for (const change of changes) {
    const runs = result[tableOf.get(change._tag)!]!
    const last = runs.at(-1)
    if (last !== undefined && last[0]!._tag === change._tag) last.push(change)
    else runs.push([change])
  }
  return result
}

/**
 * When a chat wants to be woken, by the version that says so. A statement that does not mention a column leaves its index
 * alone.
 */
interface Known {
  readonly version: number
  readonly phase: string
  readonly wakeAt: number | undefined
}

const maxKnown = 4096

/** @internal */
export interface Commits {
  /** Steps of a transaction of writes of different chats. */
  readonly steps: (
    writes: ReadonlyArray<Write>,
    confirmed: ReadonlyArray<bigint>
  ) => Steps<ReadonlyArray<Committed | undefined>>
  /** Those writes are committed: to be called after each successful transaction. */
  readonly done: (writes: ReadonlyArray<Write>, results: ReadonlyArray<Committed | undefined>) => void
}

/** `undefined` in the place of a result is a conflict. @internal */
export const make = (account: string): Commits => {
  const known = new Map<number, Known>()

  const advance = ({ chat, chatId, expected }: Write): Statement => {
    if (chat === undefined) {
      return statement(
        `DELETE FROM secret_chats WHERE ${ofChat} AND version = ? RETURNING chat_id`,
        account,
        chatId,
        expected
      )
    }
    const { head, phase } = chat
    const wakeAt = chat.wakeAt ?? null
    if (expected === 0) {
      return statement(
        "INSERT INTO secret_chats (account, chat_id, version, phase, wake_at, head) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING RETURNING chat_id",
        account,
        chatId,
        1,
        phase,
        wakeAt,
        head
      )
    }
    const before = known.get(chatId)
    if (before?.version === expected && before.phase === phase && before.wakeAt === chat.wakeAt) {
      return statement(
        `UPDATE secret_chats SET version = ?, head = ? WHERE ${ofChat} AND version = ? RETURNING chat_id`,
        expected + 1,
        head,
        account,
        chatId,
        expected
      )
    }
    return statement(
      `UPDATE secret_chats SET version = ?, phase = ?, wake_at = ?, head = ? WHERE ${ofChat} AND version = ? RETURNING chat_id`,
      expected + 1,
      phase,
      wakeAt,
      head,
      account,
      chatId,
      expected
    )
  }

  const forget = function*(chatId: number): Steps<void> {
    for (const table of ["outbox", "pending", "messages", "timers", "seen"]) {
      yield statement(`DELETE FROM secret_chat_${table} WHERE ${ofChat}`, account, chatId)
    }
  }

  const appendEvents = function*(
    owned: ReadonlyArray<Owned<Tagged<"AppendEvent">>>,
    eventIds: Map<number, Array<bigint>>
  ): Steps<void> {
    // The counter's row is locked until the transaction ends: ids rise in commit order.
    const [row] = yield statement(
      "UPDATE secret_chat_counters SET value = value + ? WHERE account = ? AND name = ? RETURNING value",
      owned.length,
      account,
      "event"
    )
    let id = BigInt(row!["value"] as bigint | number | string) - BigInt(owned.length)
    yield* insertEvents(owned.map(({ change: { data }, chatId }) => {
      id++
      const ids = eventIds.get(chatId)
      if (ids === undefined) eventIds.set(chatId, [id])
      else ids.push(id)
      return [account, id, chatId, typeof data === "function" ? data(id) : data]
    }))
  }

  /** One change by itself. */
  const single = function*(chatId: number, change: Change): Steps<void> {
    switch (change._tag) {
      case "MarkSent":
      case "MarkUnsent":
        yield statement(
          `UPDATE secret_chat_outbox SET unsent = ? WHERE ${ofChat} AND seq >= ? AND seq <= ?`,
          change._tag === "MarkSent" ? 0 : 1,
          account,
          chatId,
          change.from,
          change.to
        )
        return
      case "ForgetOutbox":
        yield statement(`DELETE FROM secret_chat_outbox WHERE ${ofChat} AND seq < ?`, account, chatId, change.before)
        return
      case "DropPending":
        yield statement(`DELETE FROM secret_chat_pending WHERE ${ofChat} AND seq = ?`, account, chatId, change.index)
        return
      case "SetMessageState": {
        const { date, failure, file, randomId, state } = change
        const rank = stateRank[state]
        yield statement(
          `UPDATE secret_chat_messages SET state = CASE WHEN state < ? THEN ? ELSE state END, date = COALESCE(?, date), failure = COALESCE(?, failure), file = COALESCE(?, file) WHERE ${ofChat} AND random_id = ? AND outgoing = 1`,
          rank,
          rank,
          date ?? null,
          failure ?? null,
          file ?? null,
          account,
          chatId,
          randomId
        )
        return
      }
      case "ReadMessages":
        yield* readMessages(account, chatId, change.outgoing, change.maxDate)
        return
      case "DeleteMessages":
        for (const piece of pieces(change.randomIds)) {
          yield statement(
            `DELETE FROM secret_chat_messages WHERE ${ofChat} AND random_id IN ${list(piece.length)}`,
            account,
            chatId,
            ...piece
          )
        }
        return
      case "DeleteHistory":
        yield statement(`DELETE FROM secret_chat_messages WHERE ${ofChat}`, account, chatId)
        return
      case "DateTimer":
        yield statement(
          `UPDATE secret_chat_timers SET date = ? WHERE ${ofChat} AND random_id = ? AND outgoing = 1`,
          change.date,
          account,
          chatId,
          change.randomId
        )
        return
      case "StartViewed":
        yield statement(
          `UPDATE secret_chat_timers SET expires_at = ttl + CAST(? AS BIGINT) WHERE ${ofChat} AND outgoing = ? AND starts_on = 'view' AND date <= CAST(? AS BIGINT) AND expires_at IS NULL`,
          change.at,
          account,
          chatId,
          change.outgoing ? 1 : 0,
          change.maxDate
        )
        return
      case "StartOpened":
        for (const piece of pieces(change.randomIds)) {
          yield statement(
            `UPDATE secret_chat_timers SET expires_at = ttl + CAST(? AS BIGINT) WHERE ${ofChat} AND outgoing = ? AND expires_at IS NULL AND random_id IN ${
              list(piece.length)
            }`,
            change.at,
            account,
            chatId,
            change.outgoing ? 1 : 0,
            ...piece
          )
        }
        return
      case "DropTimers":
        if (change.randomIds === undefined) {
          yield statement(`DELETE FROM secret_chat_timers WHERE ${ofChat}`, account, chatId)
          return
        }
        for (const piece of pieces(change.randomIds)) {
          yield statement(
            `DELETE FROM secret_chat_timers WHERE ${ofChat} AND random_id IN ${list(piece.length)}`,
            account,
            chatId,
            ...piece
          )
        }
    }
  }

  /** Carries out changes of one kind, of many chats. */
  const carryOut = function*(
    kind: Change["_tag"],
    owned: ReadonlyArray<Owned<any>>,
    eventIds: Map<number, Array<bigint>>
  ): Steps<void> {
    switch (kind) {
      case "PutOutbox":
        yield* insertOutbox(
          latest(owned as ReadonlyArray<Owned<Tagged<"PutOutbox">>>).map(({ change, chatId }) => [
            account,
            chatId,
            change.index,
            change.randomId,
            1,
            change.record,
            change.packet
          ])
        )
        return
      case "PutPending":
        yield* insertPending(
          latest(owned as ReadonlyArray<Owned<Tagged<"PutPending">>>).map(({ change, chatId }) => [
            account,
            chatId,
            change.index,
            change.data
          ])
        )
        return
      case "AppendEvent":
        yield* appendEvents(owned, eventIds)
        return
      case "PutMessage":
        yield* insertMessages(owned.map(({ change: { message }, chatId }: Owned<Tagged<"PutMessage">>) => [
          account,
          chatId,
          message.position,
          message.randomId,
          message.outgoing ? 1 : 0,
          message.index,
          stateRank[message.state],
          message.date,
          message.failure ?? null,
          message.data,
          message.file ?? null
        ]))
        return
      case "PutTimer":
        yield* insertTimers(owned.map(({ change: { timer }, chatId }: Owned<Tagged<"PutTimer">>) => [
          account,
          chatId,
          timer.randomId,
          timer.outgoing ? 1 : 0,
          timer.ttl,
          timer.startsOn,
          timer.date ?? null,
          null,
          timer.note ?? null
        ]))
        return
      case "Remember":
        yield* insertSeen(owned.map(({ change, chatId }: Owned<Tagged<"Remember">>) => [account, change.hash, chatId]))
        return
      default:
        for (const { change, chatId } of owned) yield* single(chatId, change)
    }
  }

  const steps: Commits["steps"] = function*(writes, confirmed) {
    const passed: Array<boolean> = []
    for (const write of writes) {
      const ok = (yield advance(write)).length === 1
      passed.push(ok)
      if (ok && write.chat === undefined) yield* forget(write.chatId)
    }
    const eventIds = new Map<number, Array<bigint>>()
    const live = writes.flatMap((write, i) =>
      passed[i]! && write.chat !== undefined && write.changes.length > 0
        ? [{ chatId: write.chatId, tables: sorted(write.changes) }]
        : []
    )
    for (const [table, kinds] of tables.entries()) {
      let depth = 0
      for (const one of live) depth = Math.max(depth, one.tables[table]!.length)
      for (let level = 0; level < depth; level++) {
        for (const kind of kinds) {
          const owned: Array<Owned<Change>> = []
          for (const one of live) {
            const run = one.tables[table]![level]
            if (run?.[0]!._tag === kind) { for (const change of run) owned.push({ chatId: one.chatId, change }) }
          }
          if (owned.length > 0) yield* carryOut(kind, owned, eventIds)
        }
      }
    }
    for (const [from, to] of ranges(confirmed)) {
      yield statement("DELETE FROM secret_chat_events WHERE account = ? AND id >= ? AND id <= ?", account, from, to)
    }
    return writes.map((write, i) =>
      passed[i]! ? { version: write.expected + 1, events: eventIds.get(write.chatId) ?? [] } : undefined
    )
  }

  const done: Commits["done"] = (writes, results) => {
    writes.forEach(({ chat, chatId }, i) => {
      const result = results[i]
      known.delete(chatId)
      if (result === undefined || chat === undefined) return
      known.set(chatId, { version: result.version, phase: chat.phase, wakeAt: chat.wakeAt })
      if (known.size > maxKnown) known.delete(known.keys().next().value!)
    })
  }

  return { steps, done }
}
