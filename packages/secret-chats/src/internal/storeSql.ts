/**
 * The store in a SQL database, SQLite or PostgreSQL.
 *
 * @since 1.0.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import { StoreError } from "../SecretChatError.ts"
import type { Committed, Driver, EventRow, Write } from "../SecretChatStore.ts"
import * as GroupCommit from "./groupCommit.ts"
import * as SqlCommit from "./sqlCommit.ts"
import { corrupt, type Reader, reader } from "./sqlRows.ts"
import * as SqlRunner from "./sqlRunner.ts"
import { statement } from "./sqlRunner.ts"
import { migrate } from "./storeMigrations.ts"
import { pageSize } from "./storeModel.ts"

/** @internal */
export interface Options {
  /** Whose chats; default the empty string. */
  readonly account?: string | undefined
  /** How long a confirmation may wait for a commit to go along with. Default 100 milliseconds. */
  readonly confirmDelay?: Duration.Input | undefined
}

const maxBatch = 512

/** A commit takes the disk about half a millisecond, and holds up what others want of it. */
const pace = 10

const unavailable = (operation: string) => (cause: SqlError.SqlError): StoreError =>
  new StoreError({ reason: "unavailable", operation, cause })

const ofChat = "account = ? AND chat_id = ?"

/** @internal */
export const make = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Driver & { readonly scope: Scope.Scope }, StoreError, Scope.Scope | SqlClient.SqlClient> {
  yield* migrate
  const context = yield* Effect.context<SqlClient.SqlClient>()
  const scope = yield* Effect.scope
  const runner = SqlRunner.make(yield* SqlClient.SqlClient)
  const account = options.account ?? ""
  const confirmDelay = Duration.toMillis(Duration.fromInputUnsafe(options.confirmDelay ?? "100 millis"))

  const reading = <A>(operation: string, read: (reader: Reader) => A): Effect.Effect<A, StoreError> =>
    Effect.suspend(() => {
      try {
        return Effect.succeed(read(reader(operation)))
      } catch (error) {
        return Effect.fail(error instanceof StoreError ? error : corrupt(operation))
      }
    })

  const query = <A>(
    operation: string,
    read: (rows: ReadonlyArray<SqlRunner.Row>, reader: Reader) => A,
    text: string,
    ...params: ReadonlyArray<unknown>
  ): Effect.Effect<A, StoreError> =>
    Effect.matchEffect(runner.query({ text, params }), {
      onSuccess: (rows) => reading(operation, (reader) => read(rows, reader)),
      onFailure: (error) => Effect.fail(unavailable(operation)(error))
    })

  yield* query(
    "open",
    () => undefined,
    "INSERT INTO secret_chat_counters (account, name, value) VALUES (?,?,?) ON CONFLICT DO NOTHING",
    account,
    "event",
    0
  )

  // ----- commit

  const commits = SqlCommit.make(account)

  /** Confirmed, and not deleted yet. */
  const confirmed = new Set<bigint>()
  /** Since when one of them waits. */
  let confirmedSince: number | undefined

  const conflict = Exit.fail(new StoreError({ reason: "conflict", operation: "commit" }))

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
        Effect.matchEffect(runner.transaction(() => commits.steps(part, done), "write"), {
          onSuccess: (committed) => {
            commits.done(part, committed)
            part.forEach((write, i) => {
              const one = committed[i]
              results.set(write, one === undefined ? conflict : Exit.succeed(one))
            })
            for (const id of done) confirmed.delete(id)
            return Effect.void
          },
          onFailure: (error) => {
            // One bad write must not fail the others.
            if (part.length > 1) return Effect.forEach(part, (write) => attempt([write], []), { discard: true })
            for (const write of part) results.set(write, Exit.fail(unavailable("commit")(error)))
            return Effect.void
          }
        })
      const first = attempt(writes, [...confirmed])
      confirmedSince = undefined
      return Effect.map(
        later.length === 0
          ? first
          : Effect.andThen(first, Effect.forEach(later, (write) => attempt([write], []), { discard: true })),
        () => inputs.map((write) => results.get(write) ?? Exit.succeed({ version: 0, events: [] }))
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

  /** Waits until a confirmation has waited long enough; while commits take them along, there is nothing to do. */
  const flushLater: Effect.Effect<void> = Effect.suspend(() => {
    if (confirmedSince === undefined) {
      flushScheduled = false
      // What a failed transaction was to delete waits for the next one.
      return Effect.void
    }
    const since = confirmedSince
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const rest = since + confirmDelay - now
      if (rest > 0) return Effect.andThen(Effect.sleep(rest), flushLater)
      flushScheduled = false
      return flushConfirmed
    })
  })

  // ----- service

  return {
    scope,
    pace,
    commit: (write, options) => submit(write, options?.alone),

    load: (chatId) =>
      Effect.flatMap(
        Effect.mapError(
          runner.transaction(function*() {
            // Nobody advances the chat until the rest is read; SQLite shows one state of the database anyway.
            const lock = runner.isPostgres ? " FOR SHARE" : ""
            return {
              chats: yield statement(`SELECT * FROM secret_chats WHERE ${ofChat}${lock}`, account, chatId),
              records: yield statement(
                `SELECT seq, record FROM secret_chat_outbox WHERE ${ofChat} ORDER BY seq`,
                account,
                chatId
              ),
              pending: yield statement(
                `SELECT seq, data FROM secret_chat_pending WHERE ${ofChat} ORDER BY seq`,
                account,
                chatId
              )
            }
          }, "read"),
          unavailable("load")
        ),
        ({ chats, pending, records }) =>
          reading("load", (read) =>
            Option.map(Option.fromNullishOr(chats[0]), (row) => ({
              ...read.chat(row),
              records: records.map((r) => ({ index: read.number(r["seq"]), record: read.bytes(r["record"]) })),
              pending: pending.map((p) => ({ index: read.number(p["seq"]), data: read.bytes(p["data"]) }))
            })))
      ),

    list: ({ after, limit }) =>
      query(
        "list",
        (rows, read) => rows.map(read.chat),
        "SELECT * FROM secret_chats WHERE account = ? AND chat_id > CAST(? AS BIGINT) ORDER BY chat_id LIMIT ?",
        account,
        after ?? -(2 ** 31) - 1,
        pageSize(limit)
      ),

    wakes: (until) =>
      query(
        "wakes",
        (rows, read) =>
          rows.map((row) => ({ chatId: read.number(row["chat_id"]), wakeAt: read.number(row["wake_at"]) })),
        "SELECT chat_id, wake_at FROM secret_chats WHERE account = ? AND wake_at IS NOT NULL AND wake_at <= ? ORDER BY wake_at, chat_id",
        account,
        until
      ),

    outboxUnsent: ({ after, chatId, limit }) =>
      query(
        "outboxUnsent",
        (rows, read) => rows.map(read.outbox),
        `SELECT * FROM secret_chat_outbox WHERE ${ofChat} AND unsent = 1 AND seq > ? ORDER BY seq LIMIT ?`,
        account,
        chatId,
        after ?? -1,
        pageSize(limit)
      ),

    events: ({ after, limit }) => {
      const page = (from: bigint): Effect.Effect<ReadonlyArray<EventRow>, StoreError> =>
        Effect.flatMap(
          query(
            "events",
            (rows, read) => rows.map(read.event),
            "SELECT * FROM secret_chat_events WHERE account = ? AND id > ? ORDER BY id LIMIT ?",
            account,
            from,
            pageSize(limit)
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
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        for (const id of ids) confirmed.add(id)
        if (confirmed.size > 0) confirmedSince ??= now
        if (flushScheduled || confirmed.size === 0 || scope.state._tag === "Closed") return Effect.void
        flushScheduled = true
        return Effect.asVoid(
          Effect.forkIn(Effect.updateContext<void, never, SqlClient.SqlClient, never>(flushLater, () => context), scope)
        )
      }),

    messages: ({ after, before, chatId, limit, order }) =>
      query(
        "messages",
        (rows, read) => rows.map(read.message),
        `SELECT * FROM secret_chat_messages WHERE ${ofChat} AND position > ? AND position < ? ORDER BY position ${
          order === "oldest-first" ? "ASC" : "DESC"
        } LIMIT ?`,
        account,
        chatId,
        after ?? -1,
        before ?? Number.MAX_SAFE_INTEGER,
        pageSize(limit)
      ),

    message: (chatId, randomId) =>
      query(
        "message",
        (rows, read) => Option.map(Option.fromNullishOr(rows[0]), read.message),
        `SELECT * FROM secret_chat_messages WHERE ${ofChat} AND random_id = ? ORDER BY outgoing DESC LIMIT 1`,
        account,
        chatId,
        randomId
      ),

    known: (chatId, randomIds) =>
      Effect.map(
        Effect.forEach(SqlCommit.pieces(randomIds), (piece) =>
          query(
            "known",
            (rows, read) => rows.map((row) => read.long(row["random_id"])),
            `SELECT random_id FROM secret_chat_messages WHERE ${ofChat} AND outgoing = 0 AND random_id IN ${
              SqlCommit.list(piece.length)
            }`,
            account,
            chatId,
            ...piece
          )),
        (found) => found.flat()
      ),

    expired: ({ limit, now }) =>
      query(
        "expired",
        (rows, read) => rows.map(read.timer),
        "SELECT * FROM secret_chat_timers WHERE account = ? AND expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at LIMIT ?",
        account,
        now,
        pageSize(limit)
      ),

    nextExpiry: query(
      "nextExpiry",
      (rows, read) => {
        const next = rows[0]?.["next"] ?? null
        return next === null ? Option.none() : Option.some(read.number(next))
      },
      "SELECT MIN(expires_at) AS next FROM secret_chat_timers WHERE account = ? AND expires_at IS NOT NULL",
      account
    ),

    seenElsewhere: (chatId, hashes) =>
      Effect.map(
        Effect.forEach(SqlCommit.pieces(hashes), (piece) =>
          query(
            "seenElsewhere",
            (rows) => rows.length > 0,
            `SELECT 1 AS found FROM secret_chat_seen WHERE account = ? AND chat_id <> ? AND hash IN ${
              SqlCommit.list(piece.length)
            } LIMIT 1`,
            account,
            chatId,
            ...piece
          )),
        (found) => found.includes(true)
      )
  }
})
