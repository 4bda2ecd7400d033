/**
 * The store in a SQL database, SQLite or PostgreSQL. The SQL is portable; numbers that a 32-bit column cannot hold are
 * cast before they are compared with one.
 *
 * A batch of commits is one transaction: first every chat is moved from its expected version to the next, which decides
 * about conflicts; then the changes of the writes that passed are carried out. Changes of different chats never touch the
 * same rows, so those of the same kind are carried out together, one level of each write after the other.
 *
 * @since 1.0.0
 */
import type * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import { StoreError } from "../SecretChatError.ts"
import type {
  Change,
  ChatRow,
  Committed,
  Driver,
  EventRow,
  MessageRow,
  OutboxRow,
  TimerRow,
  Write
} from "../SecretChatStore.ts"
import * as GroupCommit from "./groupCommit.ts"
import { migrate } from "./storeMigrations.ts"
import { pageSize, stateOfRank, stateRank } from "./storeModel.ts"

/** @internal */
export interface Options {
  /** Whose chats; default the empty string. */
  readonly account?: string | undefined
  /** How long a confirmation may wait for a commit to go along with. Default 100 milliseconds. */
  readonly confirmDelay?: Duration.Input | undefined
}

const maxBatch = 512

/** Rows of one INSERT: few sizes, so that few statements are prepared. */
const insertSizes = [64, 16, 4, 1]

type Tagged<Tag extends Change["_tag"]> = Extract<Change, { readonly _tag: Tag }>

interface Owned<C> {
  readonly chatId: number
  readonly change: C
}

// ----- reading rows

const corrupt = (operation: string) => new StoreError({ reason: "corrupt", operation })

const unavailable = (operation: string) => (cause: SqlError.SqlError): StoreError =>
  new StoreError({ reason: "unavailable", operation, cause })

type Row = { readonly [column: string]: unknown }

/** Reads columns of one operation; a value of the wrong kind throws the operation's `corrupt` error. */
const reader = (operation: string) => {
  const number = (value: unknown): number => {
    const n = typeof value === "bigint" || typeof value === "string" ? Number(value) : value
    if (typeof n !== "number" || !Number.isSafeInteger(n)) throw corrupt(operation)
    return n
  }
  const long = (value: unknown): bigint => {
    if (typeof value === "bigint") return value
    if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value)
    if (typeof value === "string" && /^-?\d{1,19}$/.test(value)) return BigInt(value)
    throw corrupt(operation)
  }
  const bytes = (value: unknown): Uint8Array => {
    if (!(value instanceof Uint8Array)) throw corrupt(operation)
    return value
  }
  const text = (value: unknown): string => {
    if (typeof value !== "string") throw corrupt(operation)
    return value
  }
  const state = (value: unknown) => {
    const known = stateOfRank(number(value))
    if (known === undefined) throw corrupt(operation)
    return known
  }
  return {
    number,
    long,
    bytes,
    chat: (row: Row): ChatRow => ({
      chatId: number(row["chat_id"]),
      version: number(row["version"]),
      phase: text(row["phase"]),
      wakeAt: row["wake_at"] === null ? undefined : number(row["wake_at"]),
      head: bytes(row["head"])
    }),
    outbox: (row: Row): OutboxRow => ({
      index: number(row["seq"]),
      randomId: long(row["random_id"]),
      unsent: number(row["unsent"]) !== 0,
      record: bytes(row["record"]),
      packet: bytes(row["packet"])
    }),
    event: (row: Row): EventRow => ({
      id: long(row["id"]),
      chatId: number(row["chat_id"]),
      data: bytes(row["data"])
    }),
    message: (row: Row): MessageRow => ({
      chatId: number(row["chat_id"]),
      position: number(row["position"]),
      randomId: long(row["random_id"]),
      outgoing: number(row["outgoing"]) !== 0,
      index: number(row["seq"]),
      state: state(row["state"]),
      date: number(row["date"]),
      failure: row["failure"] === null ? undefined : text(row["failure"]),
      data: bytes(row["data"])
    }),
    timer: (row: Row): TimerRow => {
      const startsOn = text(row["starts_on"])
      if (startsOn !== "view" && startsOn !== "open") throw corrupt(operation)
      return {
        chatId: number(row["chat_id"]),
        outgoing: number(row["outgoing"]) !== 0,
        randomId: long(row["random_id"]),
        ttl: number(row["ttl"]),
        startsOn,
        date: row["date"] === null ? undefined : number(row["date"]),
        expiresAt: row["expires_at"] === null ? undefined : number(row["expires_at"]),
        ...(row["note"] === null ? {} : { note: bytes(row["note"]) })
      }
    }
  }
}

type Reader = ReturnType<typeof reader>

// ----- splitting work

/** Consecutive changes of one kind. */
const runs = (changes: ReadonlyArray<Change>): ReadonlyArray<ReadonlyArray<Change>> => {
  const result: Array<Array<Change>> = []
  for (const change of changes) {
    const last = result.at(-1)
    if (last !== undefined && last[0]!._tag === change._tag) last.push(change)
    else result.push([change])
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

const pieces = <A>(items: ReadonlyArray<A>): ReadonlyArray<Arr.NonEmptyReadonlyArray<A>> => {
  const result: Array<Arr.NonEmptyReadonlyArray<A>> = []
  let at = 0
  for (const size of insertSizes) {
    while (items.length - at >= size) {
      result.push(items.slice(at, at + size) as [A, ...Array<A>])
      at += size
    }
  }
  return result
}

/** One for each row, the last: PostgreSQL refuses to replace a row twice in one statement. */
const latest = <C extends { readonly index: number }>(owned: ReadonlyArray<Owned<C>>): ReadonlyArray<Owned<C>> => [
  ...new Map(owned.map((one) => [`${one.chatId} ${one.change.index}`, one])).values()
]

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

/** 64-bit columns are read as bigints; small ones are turned back by the readers. */
const exact = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, SqlClient.SafeIntegers, true)

/** @internal */
export const make = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Driver & { readonly scope: Scope.Scope }, StoreError, Scope.Scope | SqlClient.SqlClient> {
  yield* migrate
  const context = yield* Effect.context<SqlClient.SqlClient>()
  const scope = yield* Effect.scope
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const account = options.account ?? ""
  const confirmDelay = Duration.fromInputUnsafe(options.confirmDelay ?? "100 millis")

  const query = <A>(
    operation: string,
    statement: Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>,
    read: (rows: ReadonlyArray<Row>, reader: Reader) => A
  ): Effect.Effect<A, StoreError> =>
    Effect.flatMap(Effect.mapError(exact(statement), unavailable(operation)), (rows) =>
      Effect.try({
        try: () => read(rows, reader(operation)),
        catch: (error) => error instanceof StoreError ? error : corrupt(operation)
      }))

  yield* Effect.mapError(
    sql`INSERT INTO secret_chat_counters ${sql.insert({ account, name: "event", value: 0 })} ON CONFLICT DO NOTHING`,
    unavailable("open")
  )

  // ----- commit

  const advance = ({ chat, chatId, expected }: Write): Effect.Effect<boolean, SqlError.SqlError> => {
    if (chat === undefined) {
      return Effect.map(
        sql`DELETE FROM secret_chats WHERE account = ${account} AND chat_id = ${chatId} AND version = ${expected} RETURNING chat_id`,
        (rows) => rows.length === 1
      )
    }
    const { head, phase } = chat
    const wakeAt = chat.wakeAt ?? null
    return Effect.map(
      expected === 0
        ? sql`INSERT INTO secret_chats ${
          sql.insert({ account, chat_id: chatId, version: 1, phase, wake_at: wakeAt, head })
        } ON CONFLICT DO NOTHING RETURNING chat_id`
        : sql`UPDATE secret_chats SET version = ${
          expected + 1
        }, phase = ${phase}, wake_at = ${wakeAt}, head = ${head} WHERE account = ${account} AND chat_id = ${chatId} AND version = ${expected} RETURNING chat_id`,
      (rows) => rows.length === 1
    )
  }

  const forget = (chatId: number) =>
    Effect.forEach(
      ["secret_chat_outbox", "secret_chat_pending", "secret_chat_messages", "secret_chat_timers", "secret_chat_seen"],
      (table) => sql`DELETE FROM ${sql(table)} WHERE account = ${account} AND chat_id = ${chatId}`,
      { discard: true }
    )

  /** The first of `count` new event ids. The counter's row is locked until the transaction ends: ids rise in commit order. */
  const takeEventIds = (count: number): Effect.Effect<bigint, SqlError.SqlError> =>
    Effect.map(
      sql<
        { value: bigint | number | string }
      >`UPDATE secret_chat_counters SET value = value + ${count} WHERE account = ${account} AND name = ${"event"} RETURNING value`,
      (rows) => BigInt(rows[0]!.value) - BigInt(count) + 1n
    )

  const insert = (table: string, rows: ReadonlyArray<Record<string, unknown>>, conflict: string) =>
    Effect.forEach(
      pieces(rows),
      (piece) => sql`INSERT INTO ${sql(table)} ${sql.insert(piece)} ${sql.literal(conflict)}`,
      { discard: true }
    )

  /** Carries out changes of one kind, of many chats. */
  const carryOut = (
    kind: Change["_tag"],
    owned: ReadonlyArray<Owned<any>>,
    eventIds: Map<number, Array<bigint>>
  ): Effect.Effect<unknown, SqlError.SqlError> => {
    switch (kind) {
      case "PutOutbox":
        return insert(
          "secret_chat_outbox",
          latest(owned as ReadonlyArray<Owned<Tagged<"PutOutbox">>>).map(({ change, chatId }) => ({
            account,
            chat_id: chatId,
            seq: change.index,
            random_id: change.randomId,
            unsent: 1,
            record: change.record,
            packet: change.packet
          })),
          "ON CONFLICT (account, chat_id, seq) DO UPDATE SET random_id = excluded.random_id, unsent = excluded.unsent, record = excluded.record, packet = excluded.packet"
        )
      case "MarkSent":
      case "MarkUnsent":
        return Effect.forEach(
          owned as ReadonlyArray<Owned<Tagged<"MarkSent">>>,
          ({ change: { from, to }, chatId }) =>
            sql`UPDATE secret_chat_outbox SET unsent = ${
              kind === "MarkSent" ? 0 : 1
            } WHERE account = ${account} AND chat_id = ${chatId} AND seq >= ${from} AND seq <= ${to}`,
          { discard: true }
        )
      case "ForgetOutbox":
        return Effect.forEach(
          owned as ReadonlyArray<Owned<Tagged<"ForgetOutbox">>>,
          ({ change: { before }, chatId }) =>
            sql`DELETE FROM secret_chat_outbox WHERE account = ${account} AND chat_id = ${chatId} AND seq < ${before}`,
          { discard: true }
        )
      case "PutPending":
        return insert(
          "secret_chat_pending",
          latest(owned as ReadonlyArray<Owned<Tagged<"PutPending">>>).map(({ change, chatId }) => ({
            account,
            chat_id: chatId,
            seq: change.index,
            data: change.data
          })),
          "ON CONFLICT (account, chat_id, seq) DO UPDATE SET data = excluded.data"
        )
      case "DropPending":
        return Effect.forEach(
          owned as ReadonlyArray<Owned<Tagged<"DropPending">>>,
          ({ change: { index }, chatId }) =>
            sql`DELETE FROM secret_chat_pending WHERE account = ${account} AND chat_id = ${chatId} AND seq = ${index}`,
          { discard: true }
        )
      case "AppendEvent":
        return Effect.flatMap(takeEventIds(owned.length), (first) =>
          insert(
            "secret_chat_events",
            owned.map(({ change, chatId }: Owned<Tagged<"AppendEvent">>, i) => {
              const id = first + BigInt(i)
              const ids = eventIds.get(chatId)
              if (ids === undefined) eventIds.set(chatId, [id])
              else ids.push(id)
              const { data } = change
              return { account, id, chat_id: chatId, data: typeof data === "function" ? data(id) : data }
            }),
            ""
          ))
      case "PutMessage":
        return insert(
          "secret_chat_messages",
          owned.map(({ change: { message }, chatId }: Owned<Tagged<"PutMessage">>) => ({
            account,
            chat_id: chatId,
            position: message.position,
            random_id: message.randomId,
            outgoing: message.outgoing ? 1 : 0,
            seq: message.index,
            state: stateRank[message.state],
            date: message.date,
            failure: message.failure ?? null,
            data: message.data
          })),
          "ON CONFLICT (account, chat_id, random_id, outgoing) DO NOTHING"
        )
      case "SetMessageState":
        return Effect.forEach(
          owned as ReadonlyArray<Owned<Tagged<"SetMessageState">>>,
          ({ change: { date, failure, randomId, state }, chatId }) => {
            const rank = stateRank[state]
            return sql`UPDATE secret_chat_messages SET state = CASE WHEN state < ${rank} THEN ${rank} ELSE state END, date = COALESCE(${
              date ?? null
            }, date), failure = COALESCE(${
              failure ?? null
            }, failure) WHERE account = ${account} AND chat_id = ${chatId} AND random_id = ${randomId} AND outgoing = 1`
          },
          { discard: true }
        )
      case "ReadMessages":
        return Effect.forEach(
          owned as ReadonlyArray<Owned<Tagged<"ReadMessages">>>,
          ({ change: { maxDate, outgoing }, chatId }) =>
            sql`UPDATE secret_chat_messages SET state = ${stateRank.read} WHERE account = ${account} AND chat_id = ${chatId} AND outgoing = ${
              outgoing ? 1 : 0
            } AND date <= CAST(${maxDate} AS BIGINT) AND state >= 10 AND state < 30`,
          { discard: true }
        )
      case "DeleteMessages":
        return Effect.forEach(
          owned as ReadonlyArray<Owned<Tagged<"DeleteMessages">>>,
          ({ change: { randomIds }, chatId }) =>
            Effect.forEach(
              pieces(randomIds),
              (piece) =>
                sql`DELETE FROM secret_chat_messages WHERE account = ${account} AND chat_id = ${chatId} AND random_id IN ${
                  sql.in(piece)
                }`,
              { discard: true }
            ),
          { discard: true }
        )
      case "DeleteHistory":
        return Effect.forEach(
          owned,
          ({ chatId }) => sql`DELETE FROM secret_chat_messages WHERE account = ${account} AND chat_id = ${chatId}`,
          { discard: true }
        )
      case "PutTimer":
        return insert(
          "secret_chat_timers",
          owned.map(({ change: { timer }, chatId }: Owned<Tagged<"PutTimer">>) => ({
            account,
            chat_id: chatId,
            random_id: timer.randomId,
            outgoing: timer.outgoing ? 1 : 0,
            ttl: timer.ttl,
            starts_on: timer.startsOn,
            date: timer.date ?? null,
            expires_at: null,
            note: timer.note ?? null
          })),
          "ON CONFLICT (account, chat_id, random_id, outgoing) DO NOTHING"
        )
      case "DateTimer":
        return Effect.forEach(
          owned as ReadonlyArray<Owned<Tagged<"DateTimer">>>,
          ({ change: { date, randomId }, chatId }) =>
            sql`UPDATE secret_chat_timers SET date = ${date} WHERE account = ${account} AND chat_id = ${chatId} AND random_id = ${randomId} AND outgoing = 1`,
          { discard: true }
        )
      case "StartViewed":
        return Effect.forEach(
          owned as ReadonlyArray<Owned<Tagged<"StartViewed">>>,
          ({ change: { at, maxDate, outgoing }, chatId }) =>
            sql`UPDATE secret_chat_timers SET expires_at = ttl + CAST(${at} AS BIGINT) WHERE account = ${account} AND chat_id = ${chatId} AND outgoing = ${
              outgoing ? 1 : 0
            } AND starts_on = ${"view"} AND date <= CAST(${maxDate} AS BIGINT) AND expires_at IS NULL`,
          { discard: true }
        )
      case "StartOpened":
        return Effect.forEach(
          owned as ReadonlyArray<Owned<Tagged<"StartOpened">>>,
          ({ change: { at, outgoing, randomIds }, chatId }) =>
            Effect.forEach(
              pieces(randomIds),
              (piece) =>
                sql`UPDATE secret_chat_timers SET expires_at = ttl + CAST(${at} AS BIGINT) WHERE account = ${account} AND chat_id = ${chatId} AND outgoing = ${
                  outgoing ? 1 : 0
                } AND expires_at IS NULL AND random_id IN ${sql.in(piece)}`,
              { discard: true }
            ),
          { discard: true }
        )
      case "DropTimers":
        return Effect.forEach(
          owned as ReadonlyArray<Owned<Tagged<"DropTimers">>>,
          ({ change: { randomIds }, chatId }) =>
            randomIds === undefined
              ? sql`DELETE FROM secret_chat_timers WHERE account = ${account} AND chat_id = ${chatId}`
              : Effect.forEach(
                pieces(randomIds),
                (piece) =>
                  sql`DELETE FROM secret_chat_timers WHERE account = ${account} AND chat_id = ${chatId} AND random_id IN ${
                    sql.in(piece)
                  }`,
                { discard: true }
              ),
          { discard: true }
        )
      case "Remember":
        return insert(
          "secret_chat_seen",
          owned.map(({ change, chatId }: Owned<Tagged<"Remember">>) => ({
            account,
            hash: change.hash,
            chat_id: chatId
          })),
          "ON CONFLICT (account, hash) DO NOTHING"
        )
    }
  }

  const transaction = Effect.fnUntraced(function*(
    writes: ReadonlyArray<Write>,
    confirmed: ReadonlyArray<bigint>
  ): Effect.fn.Return<ReadonlyArray<Exit.Exit<Committed, StoreError>>, SqlError.SqlError> {
    const passed: Array<boolean> = []
    for (const write of writes) {
      const ok = yield* advance(write)
      passed.push(ok)
      if (ok && write.chat === undefined) yield* forget(write.chatId)
    }
    const eventIds = new Map<number, Array<bigint>>()
    const live = writes.filter((write, i) => passed[i]! && write.chat !== undefined && write.changes.length > 0)
    for (const kinds of tables) {
      const levels = live.map((write) => ({
        chatId: write.chatId,
        runs: runs(write.changes.filter((change) => kinds.includes(change._tag)))
      }))
      const depth = Math.max(0, ...levels.map((level) => level.runs.length))
      for (let level = 0; level < depth; level++) {
        for (const kind of kinds) {
          const owned = levels.flatMap(({ chatId, runs: found }) =>
            found[level]?.[0]!._tag === kind ? found[level]!.map((change) => ({ chatId, change })) : []
          )
          if (owned.length > 0) yield* carryOut(kind, owned, eventIds)
        }
      }
    }
    for (const [from, to] of ranges(confirmed)) {
      yield* sql`DELETE FROM secret_chat_events WHERE account = ${account} AND id >= ${from} AND id <= ${to}`
    }
    return writes.map((write, i) =>
      passed[i]!
        ? Exit.succeed({ version: write.expected + 1, events: eventIds.get(write.chatId) ?? [] })
        : Exit.fail(new StoreError({ reason: "conflict", operation: "commit" }))
    )
  })

  /** Confirmed, and not deleted yet. */
  let confirmed = new Set<bigint>()

  const runBatch = (
    inputs: ReadonlyArray<Write | undefined>
  ): Effect.Effect<ReadonlyArray<Exit.Exit<Committed, StoreError>>> =>
    Effect.suspend(() => {
      // Two writes of one chat cannot be in one transaction, the second would be judged by a version that may be undone.
      const writes: Array<Write> = []
      const later: Array<Write> = []
      const chats = new Set<number>()
      for (const write of inputs) {
        if (write === undefined) continue
        if (chats.has(write.chatId)) later.push(write)
        else {
          chats.add(write.chatId)
          writes.push(write)
        }
      }
      // Everybody takes the locks of chats in one order, so that two processes never wait for each other.
      writes.sort((a, b) => a.chatId - b.chatId)
      const results = new Map<Write | undefined, Exit.Exit<Committed, StoreError>>()
      const attempt = (
        part: ReadonlyArray<Write>,
        done: ReadonlyArray<bigint>
      ): Effect.Effect<void> =>
        Effect.matchEffect(sql.withTransaction(transaction(part, done)), {
          onSuccess: (exits) =>
            Effect.sync(() => {
              part.forEach((write, i) => results.set(write, exits[i]!))
              for (const id of done) confirmed.delete(id)
            }),
          onFailure: (error) =>
            // One bad write must not fail the others.
            part.length > 1
              ? Effect.forEach(part, (write) => attempt([write], []), { discard: true })
              : Effect.sync(() => {
                for (const write of part) results.set(write, Exit.fail(unavailable("commit")(error)))
              })
        })
      return attempt(writes, [...confirmed]).pipe(
        Effect.andThen(Effect.forEach(later, (write) => attempt([write], []), { discard: true })),
        exact,
        Effect.map(() => inputs.map((write) => results.get(write) ?? Exit.succeed({ version: 0, events: [] })))
      )
    })

  const submit = yield* GroupCommit.make({
    scope,
    context,
    maxBatch,
    run: runBatch,
    closed: () => new StoreError({ reason: "unavailable", operation: "commit" })
  })

  const flushConfirmed = Effect.suspend(() => confirmed.size === 0 ? Effect.void : submit(undefined)).pipe(
    Effect.catchCause((cause) => Effect.logWarning("Confirmations could not be stored yet", cause))
  )
  yield* Effect.addFinalizer(() => flushConfirmed)
  let flushScheduled = false

  // ----- service

  return {
    scope,
    commit: submit,

    load: (chatId) =>
      Effect.mapError(
        sql.withTransaction(Effect.all({
          // Nobody advances the chat until the rest is read; SQLite locks out writers anyway.
          chats: exact(
            sql`SELECT * FROM secret_chats WHERE account = ${account} AND chat_id = ${chatId} ${
              sql.literal(sql.onDialectOrElse({ pg: () => "FOR SHARE", orElse: () => "" }))
            }`
          ),
          records: exact(
            sql`SELECT seq, record FROM secret_chat_outbox WHERE account = ${account} AND chat_id = ${chatId} ORDER BY seq`
          ),
          pending: exact(
            sql`SELECT seq, data FROM secret_chat_pending WHERE account = ${account} AND chat_id = ${chatId} ORDER BY seq`
          )
        })),
        unavailable("load")
      ).pipe(Effect.flatMap((rows) =>
        Effect.try({
          try: () => {
            const read = reader("load")
            return Option.map(Option.fromNullishOr(rows.chats[0]), (row) => ({
              ...read.chat(row),
              records: rows.records.map((r) => ({ index: read.number(r["seq"]), record: read.bytes(r["record"]) })),
              pending: rows.pending.map((p) => ({ index: read.number(p["seq"]), data: read.bytes(p["data"]) }))
            }))
          },
          catch: (error) => error instanceof StoreError ? error : corrupt("load")
        })
      )),

    list: ({ after, limit }) =>
      query(
        "list",
        sql`SELECT * FROM secret_chats WHERE account = ${account} AND chat_id > CAST(${
          after ?? -(2 ** 31) - 1
        } AS BIGINT) ORDER BY chat_id LIMIT ${pageSize(limit)}`,
        (rows, read) => rows.map(read.chat)
      ),

    wakes: query(
      "wakes",
      sql`SELECT chat_id, wake_at FROM secret_chats WHERE account = ${account} AND wake_at IS NOT NULL ORDER BY wake_at, chat_id`,
      (rows, read) => rows.map((row) => ({ chatId: read.number(row["chat_id"]), wakeAt: read.number(row["wake_at"]) }))
    ),

    outboxUnsent: ({ after, chatId, limit }) =>
      query(
        "outboxUnsent",
        sql`SELECT * FROM secret_chat_outbox WHERE account = ${account} AND chat_id = ${chatId} AND unsent = 1 AND seq > ${
          after ?? -1
        } ORDER BY seq LIMIT ${pageSize(limit)}`,
        (rows, read) => rows.map(read.outbox)
      ),

    events: ({ after, limit }) => {
      const page = (from: bigint): Effect.Effect<ReadonlyArray<EventRow>, StoreError> =>
        Effect.flatMap(
          query(
            "events",
            sql`SELECT * FROM secret_chat_events WHERE account = ${account} AND id > ${from} ORDER BY id LIMIT ${
              pageSize(limit)
            }`,
            (rows, read) => rows.map(read.event)
          ),
          (rows) => {
            const open = rows.filter((row) => !confirmed.has(row.id))
            // A page of confirmed events only must not look like the end.
            return open.length === 0 && rows.length > 0 ? page(rows.at(-1)!.id) : Effect.succeed(open)
          }
        )
      return page(after)
    },

    confirm: (ids) =>
      Effect.suspend(() => {
        for (const id of ids) confirmed.add(id)
        if (flushScheduled || confirmed.size === 0 || scope.state._tag === "Closed") return Effect.void
        flushScheduled = true
        const flush = Effect.andThen(
          Effect.sleep(confirmDelay),
          Effect.suspend(() => {
            flushScheduled = false
            return flushConfirmed
          })
        )
        return Effect.asVoid(
          Effect.forkIn(Effect.updateContext<void, never, SqlClient.SqlClient, never>(flush, () => context), scope)
        )
      }),

    messages: ({ after, before, chatId, limit, order }) =>
      query(
        "messages",
        sql`SELECT * FROM secret_chat_messages WHERE account = ${account} AND chat_id = ${chatId} AND position > ${
          after ?? -1
        } AND position < ${before ?? Number.MAX_SAFE_INTEGER} ORDER BY position ${
          sql.literal(order === "oldest-first" ? "ASC" : "DESC")
        } LIMIT ${pageSize(limit)}`,
        (rows, read) => rows.map(read.message)
      ),

    message: (chatId, randomId) =>
      query(
        "message",
        sql`SELECT * FROM secret_chat_messages WHERE account = ${account} AND chat_id = ${chatId} AND random_id = ${randomId} ORDER BY outgoing DESC LIMIT 1`,
        (rows, read) => Option.map(Option.fromNullishOr(rows[0]), read.message)
      ),

    known: (chatId, randomIds) =>
      Effect.map(
        Effect.forEach(pieces(randomIds), (piece) =>
          query(
            "known",
            sql`SELECT random_id FROM secret_chat_messages WHERE account = ${account} AND chat_id = ${chatId} AND outgoing = 0 AND random_id IN ${
              sql.in(piece)
            }`,
            (rows, read) => rows.map((row) => read.long(row["random_id"]))
          )),
        (found) => found.flat()
      ),

    expired: ({ limit, now }) =>
      query(
        "expired",
        sql`SELECT * FROM secret_chat_timers WHERE account = ${account} AND expires_at IS NOT NULL AND expires_at <= ${now} ORDER BY expires_at LIMIT ${
          pageSize(limit)
        }`,
        (rows, read) => rows.map(read.timer)
      ),

    nextExpiry: query(
      "nextExpiry",
      sql`SELECT MIN(expires_at) AS next FROM secret_chat_timers WHERE account = ${account} AND expires_at IS NOT NULL`,
      (rows, read) => {
        const next = rows[0]?.["next"] ?? null
        return next === null ? Option.none() : Option.some(read.number(next))
      }
    ),

    seenElsewhere: (chatId, hashes) =>
      Effect.map(
        Effect.forEach(pieces(hashes), (piece) =>
          query(
            "seenElsewhere",
            sql`SELECT 1 AS found FROM secret_chat_seen WHERE account = ${account} AND chat_id <> ${chatId} AND hash IN ${
              sql.in(piece)
            } LIMIT 1`,
            (rows) => rows.length > 0
          )),
        (found) => found.includes(true)
      )
  }
})
