/**
 * What the gateway itself has to remember, in the database that also holds the sessions and the secret chats: who may use
 * which session, updates that nobody has fetched yet, answers to requests with an `Idempotency-Key`, and where the files of
 * messages are.
 *
 * **Laws**
 *
 * 1. Everything that is said, and everything that names a person, is sealed with the `Vault` for its place. What stays
 *    readable is made up by the gateway itself: ids of sessions, numbers of updates, random ids, times. Tokens are stored as a
 *    keyed hash.
 * 2. When an effect has succeeded, what it did survives; on SQLite also a loss of power.
 * 3. Numbers of updates rise by one within a session, and none is ever given twice, whatever is deleted.
 * 4. An update stays until somebody acknowledges it, or until it is the oldest of more than `maxUpdates` of secret chats. Others
 *    stay until `maxUpdates` newer ones have come, of whatever kind, so that they never take the place of secret messages.
 *
 * @since 1.0.0
 */
import { Vault } from "@effect-mtproto/crypto/Vault"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import { migrate } from "./internal/migrations.ts"
import * as Updates from "./internal/updateSignals.ts"

/**
 * - `unavailable`: the database failed
 * - `corrupt`: what is stored is not what was once written
 * - `newer`: the database was written by a newer version of this software
 *
 * @category errors
 * @since 1.0.0
 */
export class GatewayStoreError extends Schema.TaggedError<GatewayStoreError>()("StoreError", {
  reason: Schema.Literals(["unavailable", "corrupt", "newer"]),
  operation: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    const what = {
      unavailable: "could not be read or written",
      corrupt: "holds something that cannot be read",
      newer: "was written by a newer version of this software"
    }
    return `The store of the gateway ${what[this.reason]} (${this.operation})`
  }
}

// ----- models

/**
 * Whose requests for a secret chat are accepted: `ask` and `none` as in `SecretChats`, `allow` everybody's, or those of
 * certain people.
 *
 * @category models
 * @since 1.0.0
 */
export const Policy = Schema.Union([Schema.Literals(["ask", "allow", "none"]), Schema.Array(Schema.BigIntFromString)])

/** @category models @since 1.0.0 */
export type Policy = typeof Policy.Type

/**
 * Where updates are posted to.
 *
 * @category models
 * @since 1.0.0
 */
export const Webhook = Schema.Struct({ url: Schema.String, secret: Schema.String })

/** @category models @since 1.0.0 */
export interface Webhook extends Schema.Schema.Type<typeof Webhook> {}

/**
 * What is known of a session.
 *
 * - `code`, `signup`, `password`: the login waits for that
 * - `ready`: somebody is logged in
 *
 * @category models
 * @since 1.0.0
 */
export const Record = Schema.Struct({
  state: Schema.Literals(["code", "signup", "password", "ready"]),
  phone: Schema.optionalKey(Schema.String),
  phoneCodeHash: Schema.optionalKey(Schema.String),
  hint: Schema.optionalKey(Schema.String),
  userId: Schema.optionalKey(Schema.BigIntFromString),
  policy: Schema.optionalKey(Policy),
  webhook: Schema.optionalKey(Webhook),
  /** Which updates are put into the inbox; see `AllowedUpdates`. */
  allowedUpdates: Schema.optionalKey(Schema.Array(Schema.String))
})

/** @category models @since 1.0.0 */
export interface Record extends Schema.Schema.Type<typeof Record> {}

/** @category models @since 1.0.0 */
export interface Session {
  /** Made up by the gateway; names the session in the database. */
  readonly id: string
  readonly kind: "user" | "bot"
  readonly record: Record
}

/** @category models @since 1.0.0 */
export interface Update {
  readonly id: number
  /** JSON: the update, or an object with it in `update`, and with who it names. */
  readonly json: string
}

/** @category models @since 1.0.0 */
export interface NewUpdate {
  readonly json: string
  /** What one that may come again is recognised by. */
  readonly source?: string | undefined
  /** Whether it is not of a secret chat. */
  readonly other?: boolean | undefined
}

/**
 * How it is with a request that carries an `Idempotency-Key`.
 *
 * - `new`: nobody has asked for it before
 * - `pending`: it was begun, and what came of it is not known
 * - `done`: this was the answer
 * - `other`: the key belongs to another request
 *
 * @category models
 * @since 1.0.0
 */
export type Begun =
  | { readonly _tag: "new" }
  | { readonly _tag: "pending"; readonly randomId: bigint }
  | { readonly _tag: "done"; readonly status: number; readonly body: string }
  | { readonly _tag: "other" }

type Io<A> = Effect.Effect<A, GatewayStoreError>

/** @category services @since 1.0.0 */
export class GatewayStore extends Context.Service<GatewayStore, {
  // ----- sessions
  readonly createSession: (session: Session, tokenHash: Uint8Array) => Io<void>
  readonly findSession: (kind: Session["kind"], tokenHash: Uint8Array) => Io<Session | undefined>
  readonly getSession: (id: string) => Io<Session | undefined>
  /** Changes the record; changes of one session take turns. */
  readonly updateSession: (id: string, change: (record: Record) => Record) => Io<Session | undefined>
  readonly setToken: (id: string, tokenHash: Uint8Array) => Io<void>
  /** Removes a session with all that the gateway knows of it. */
  readonly removeSession: (id: string) => Io<void>
  /** All sessions that can be read. */
  readonly sessions: Io<ReadonlyArray<Session & { readonly createdAt: number }>>

  // ----- updates
  /** Appends updates. One with a `source` that is waiting already is left out. */
  readonly append: (session: string, updates: ReadonlyArray<NewUpdate>) => Io<void>
  /** Updates from number `from` on. A negative one counts from the end. */
  readonly updates: (session: string, from: number, limit: number) => Io<ReadonlyArray<Update>>
  /** Acknowledges all updates below this number. */
  readonly acknowledge: (session: string, below: number) => Io<void>
  readonly countUpdates: (session: string) => Io<number>
  /** Ends when updates were appended since the call of `signal`, in this process or, some seconds later, in another. */
  readonly signal: (session: string) => Effect.Effect<Effect.Effect<void>>

  // ----- requests
  readonly beginRequest: (
    session: string,
    request: { readonly key: Uint8Array; readonly hash: Uint8Array; readonly randomId: bigint }
  ) => Io<Begun>
  readonly endRequest: (
    session: string,
    key: Uint8Array,
    answer: { readonly status: number; readonly body: string }
  ) => Io<void>
  /** Forgets that a request was begun: nothing came of it. */
  readonly forgetRequest: (session: string, key: Uint8Array) => Io<void>
  /** The random ids of requests that were begun, with their keys. */
  readonly pendingRequests: (
    session: string
  ) => Io<ReadonlyArray<{ readonly key: Uint8Array; readonly randomId: bigint }>>
  /** Forgets requests that are older than this many milliseconds. */
  readonly expireRequests: (age: number) => Io<void>

  // ----- files
  readonly putFile: (session: string, chatId: number, randomId: bigint, json: string) => Io<void>
  readonly getFile: (session: string, chatId: number, randomId: bigint) => Io<string | undefined>

  // ----- people
  readonly putPeople: (
    session: string,
    people: ReadonlyArray<{ readonly id: bigint; readonly accessHash: bigint }>
  ) => Io<
    void
  >
  readonly getAccessHash: (session: string, id: bigint) => Io<bigint | undefined>

  /** Whether the database answers. */
  readonly check: Io<void>
}>()("@effect-mtproto/gateway/GatewayStore") {}

// ----- SQL

type Row = { readonly [column: string]: unknown }

/** @category models @since 1.0.0 */
export interface Options {
  /** Updates of a session that wait to be fetched, see law 4; older ones are dropped. Default 100,000. */
  readonly maxUpdates?: number | undefined
}

const RecordJson = Schema.fromJsonString(Record)
const encodeRecord = Schema.encodeSync(RecordJson)
const decodeRecord = Schema.decodeUnknownResult(RecordJson)
const utf8 = new TextEncoder()
const text = new TextDecoder()
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url")
const fromBase64 = (value: string) => new Uint8Array(Buffer.from(value, "base64url"))

const MAX_ROWS = 500

const make = Effect.fnUntraced(function*(options: Options) {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const vault = yield* Vault
  const maxUpdates = options.maxUpdates ?? 100_000
  // the oldest are looked for now and then, not with each update
  const trimStep = Math.max(1, Math.floor(maxUpdates / 1_000))
  yield* Effect.mapError(migrate(sql), (problem) => new GatewayStoreError({ operation: "migrate", ...problem }))
  const signals = Updates.make()
  const turns = yield* Semaphore.make(1)

  const io = <A>(operation: string, effect: Effect.Effect<A, unknown>): Io<A> =>
    Effect.mapError(
      effect,
      (cause) =>
        cause instanceof GatewayStoreError ? cause : new GatewayStoreError({ reason: "unavailable", operation, cause })
    )
  const place = (...parts: ReadonlyArray<string | number>) => JSON.stringify(["gateway", ...parts])
  const seal = (at: string, value: string) => base64(vault.seal(at, utf8.encode(value)))
  const open = (operation: string, at: string, sealed: string): Io<string> => {
    const bytes = vault.open(at, fromBase64(sealed))
    return bytes === undefined
      ? Effect.fail(new GatewayStoreError({ reason: "corrupt", operation }))
      : Effect.succeed(text.decode(bytes))
  }

  // ----- sessions

  interface SessionRow {
    readonly id: string
    readonly kind: string
    readonly data: string
    readonly created_at: unknown
  }
  const session = (row: SessionRow | undefined): Io<(Session & { readonly createdAt: number }) | undefined> =>
    row === undefined ? Effect.undefined : Effect.flatMap(
      open("session", place("session", row.id), row.data),
      (json): Io<Session & { readonly createdAt: number }> => {
        const record = decodeRecord(json)
        return Result.isFailure(record)
          ? Effect.fail(new GatewayStoreError({ reason: "corrupt", operation: "session" }))
          : Effect.succeed({
            id: row.id,
            kind: row.kind === "bot" ? "bot" : "user",
            record: record.success,
            createdAt: Number(row.created_at)
          })
      }
    )
  const getSession = (id: string) =>
    Effect.flatMap(
      io("session", sql<SessionRow>`SELECT id, kind, data, created_at FROM gateway_session WHERE id = ${id}`),
      (rows) => session(rows[0])
    )

  return GatewayStore.of({
    createSession: ({ id, kind, record }, tokenHash) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.asVoid(io(
          "createSession",
          sql`INSERT INTO gateway_session (id, kind, token_hash, data, created_at, next_update)
            VALUES (${id}, ${kind}, ${base64(tokenHash)}, ${
            seal(place("session", id), encodeRecord(record))
          }, ${now}, 1)`
        ))),
    findSession: (kind, tokenHash) => {
      const hash = base64(tokenHash)
      return Effect.flatMap(
        io(
          "findSession",
          sql<SessionRow>`SELECT id, kind, data, created_at FROM gateway_session WHERE token_hash = ${hash}`
        ),
        (rows) => session(rows.find((row) => row.kind === kind))
      )
    },
    getSession,
    updateSession: (id, change) =>
      turns.withPermit(Effect.gen(function*() {
        const found = yield* getSession(id)
        if (found === undefined) return undefined
        const record = change(found.record)
        yield* io(
          "updateSession",
          sql`UPDATE gateway_session SET data = ${seal(place("session", id), encodeRecord(record))} WHERE id = ${id}`
        )
        return { id, kind: found.kind, record }
      })),
    setToken: (id, tokenHash) =>
      Effect.asVoid(io("setToken", sql`UPDATE gateway_session SET token_hash = ${base64(tokenHash)} WHERE id = ${id}`)),
    removeSession: (id) =>
      io(
        "removeSession",
        sql.withTransaction(Effect.gen(function*() {
          for (const table of ["update", "request", "file", "person"]) {
            yield* sql`DELETE FROM ${sql.literal(`gateway_${table}`)} WHERE session = ${id}`
          }
          yield* sql`DELETE FROM gateway_session WHERE id = ${id}`
        }))
      ),
    sessions: Effect.flatMap(
      io("sessions", sql<SessionRow>`SELECT id, kind, data, created_at FROM gateway_session`),
      (rows) =>
        Effect.map(
          Effect.forEach(rows, (row) =>
            // one that was tampered with keeps nobody from the others
            Effect.catch(session(row), () =>
              Effect.as(Effect.logWarning(`Session ${row.id} cannot be read`), undefined))),
          (found) =>
            found.filter((one) => one !== undefined)
        )
    ),

    // ----- updates

    append: (id, updates) =>
      updates.length === 0 ? Effect.void : Effect.tap(
        io(
          "append",
          sql.withTransaction(Effect.gen(function*() {
            const sources = updates.flatMap(({ source }) => source === undefined ? [] : [source])
            const there = sources.length === 0
              ? []
              : yield* sql<{ readonly source: string }>`SELECT source FROM gateway_update
                WHERE session = ${id} AND source IN ${sql.in(sources)}`
            const known = new Set(there.map(({ source }) => source))
            const fresh = updates.filter(({ source }) => source === undefined || !known.has(source))
            if (fresh.length === 0) return
            const rows = yield* sql<{ readonly next_update: unknown }>`UPDATE gateway_session
              SET next_update = next_update + ${fresh.length} WHERE id = ${id} RETURNING next_update`
            // the session was removed meanwhile
            if (rows.length === 0) return
            const next = Number(rows[0]!.next_update)
            const inserted = fresh.map(({ json, other = false, source }, i): Row => {
              const number = next - fresh.length + i
              return {
                session: id,
                id: number,
                source: source ?? null,
                other: other ? 1 : 0,
                data: seal(place("update", id, number), json)
              }
            })
            if (Arr.isArrayNonEmpty(inserted)) yield* sql`INSERT INTO gateway_update ${sql.insert(inserted)}`
            const oldest = next - maxUpdates
            if (oldest <= 1 || Math.floor(next / trimStep) === Math.floor((next - fresh.length) / trimStep)) return
            yield* sql`DELETE FROM gateway_update WHERE session = ${id} AND id < ${oldest} AND other = 1`
            yield* sql`DELETE FROM gateway_update WHERE session = ${id} AND id <= (
              SELECT id FROM gateway_update WHERE session = ${id} AND other = 0
              ORDER BY id DESC LIMIT 1 OFFSET ${maxUpdates}) AND other = 0`
          }))
        ),
        () => Effect.sync(() => signals.ring(id))
      ),
    updates: (id, from, limit) =>
      Effect.flatMap(
        io(
          "updates",
          from < 0
            ? Effect.map(
              sql<{ readonly id: unknown; readonly data: string }>`SELECT id, data FROM gateway_update
                WHERE session = ${id} ORDER BY id DESC LIMIT ${Math.min(-from, MAX_ROWS)}`,
              (rows) => rows.toReversed().slice(0, limit)
            )
            : sql<{ readonly id: unknown; readonly data: string }>`SELECT id, data FROM gateway_update
                WHERE session = ${id} AND id >= ${from} ORDER BY id LIMIT ${Math.min(limit, MAX_ROWS)}`
        ),
        Effect.forEach((row) => {
          const number = Number(row.id)
          return Effect.map(open("updates", place("update", id, number), row.data), (json) => ({ id: number, json }))
        })
      ),
    acknowledge: (id, below) =>
      Effect.asVoid(io("acknowledge", sql`DELETE FROM gateway_update WHERE session = ${id} AND id < ${below}`)),
    countUpdates: (id) =>
      Effect.map(
        io(
          "countUpdates",
          sql<{ readonly n: unknown }>`SELECT COUNT(*) AS n FROM gateway_update WHERE session = ${id}`
        ),
        (rows) => Number(rows[0]!.n)
      ),
    signal: (id) => Effect.sync(() => signals.listen(id)),

    // ----- requests

    beginRequest: (id, { hash, key, randomId }) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        const name = base64(key)
        const inserted = yield* io(
          "beginRequest",
          sql`INSERT INTO gateway_request (session, request_key, request_hash, random_id, created_at)
            VALUES (${id}, ${name}, ${base64(hash)}, ${String(randomId)}, ${now})
            ON CONFLICT DO NOTHING RETURNING request_key`
        )
        if (inserted.length > 0) return { _tag: "new" }
        const rows = yield* io(
          "beginRequest",
          sql<{
            readonly request_hash: string
            readonly random_id: string
            readonly status: unknown
            readonly body: string | null
          }>`SELECT request_hash, random_id, status, body FROM gateway_request
            WHERE session = ${id} AND request_key = ${name}`
        )
        const row = rows[0]
        // it was forgotten just now
        if (row === undefined) return { _tag: "pending", randomId }
        if (row.request_hash !== base64(hash)) return { _tag: "other" }
        if (row.body === null) return { _tag: "pending", randomId: BigInt(row.random_id) }
        const body = yield* open("beginRequest", place("request", id, name), row.body)
        return { _tag: "done", status: Number(row.status), body }
      }),
    endRequest: (id, key, { body, status }) =>
      Effect.asVoid(io(
        "endRequest",
        sql`UPDATE gateway_request SET status = ${status}, body = ${seal(place("request", id, base64(key)), body)}
          WHERE session = ${id} AND request_key = ${base64(key)} AND body IS NULL`
      )),
    forgetRequest: (id, key) =>
      Effect.asVoid(io(
        "forgetRequest",
        sql`DELETE FROM gateway_request WHERE session = ${id} AND request_key = ${base64(key)} AND body IS NULL`
      )),
    pendingRequests: (id) =>
      Effect.map(
        io(
          "pendingRequests",
          sql<{ readonly request_key: string; readonly random_id: string }>`SELECT request_key, random_id
            FROM gateway_request WHERE session = ${id} AND body IS NULL`
        ),
        (rows) => rows.map((row) => ({ key: fromBase64(row.request_key), randomId: BigInt(row.random_id) }))
      ),
    expireRequests: (age) =>
      Effect.flatMap(
        Clock.currentTimeMillis,
        (now) => Effect.asVoid(io("expireRequests", sql`DELETE FROM gateway_request WHERE created_at < ${now - age}`))
      ),

    // ----- files

    putFile: (id, chatId, randomId, json) =>
      Effect.asVoid(io(
        "putFile",
        sql`INSERT INTO gateway_file (session, chat_id, random_id, data)
          VALUES (${id}, ${chatId}, ${String(randomId)}, ${seal(place("file", id, chatId, String(randomId)), json)})
          ON CONFLICT DO NOTHING`
      )),
    getFile: (id, chatId, randomId) =>
      Effect.flatMap(
        io(
          "getFile",
          sql<{ readonly data: string }>`SELECT data FROM gateway_file
            WHERE session = ${id} AND chat_id = ${chatId} AND random_id = ${String(randomId)}`
        ),
        (rows): Io<string | undefined> =>
          rows.length === 0
            ? Effect.undefined
            : open("getFile", place("file", id, chatId, String(randomId)), rows[0]!.data)
      ),

    // ----- people

    putPeople: (id, people) =>
      people.length === 0 ? Effect.void : io(
        "putPeople",
        sql.withTransaction(Effect.forEach(people.slice(0, MAX_ROWS), (person) => {
          const name = base64(vault.mac(place("person", id), utf8.encode(String(person.id))))
          const data = seal(place("person", id, name), String(person.accessHash))
          return sql`INSERT INTO gateway_person (session, name, data) VALUES (${id}, ${name}, ${data})
            ON CONFLICT (session, name) DO UPDATE SET data = ${data}`
        }, { discard: true }))
      ),
    getAccessHash: (id, user) => {
      const name = base64(vault.mac(place("person", id), utf8.encode(String(user))))
      return Effect.flatMap(
        io(
          "getAccessHash",
          sql<{ readonly data: string }>`SELECT data FROM gateway_person WHERE session = ${id} AND name = ${name}`
        ),
        (rows): Io<bigint | undefined> =>
          rows.length === 0
            ? Effect.undefined
            : Effect.map(open("getAccessHash", place("person", id, name), rows[0]!.data), BigInt)
      )
    },

    check: Effect.asVoid(io("check", sql`SELECT 1 AS one`))
  })
})

/**
 * Keeps everything in an SQL database (SQLite or PostgreSQL), sealed. Tables are made, or brought up to date, when the layer
 * is built.
 *
 * @category layers
 * @since 1.0.0
 */
export const layer = (
  options: Options = {}
): Layer.Layer<GatewayStore, GatewayStoreError, SqlClient.SqlClient | Vault> =>
  Layer.effect(GatewayStore, make(options))
