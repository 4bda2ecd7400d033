import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as NodeVault from "@effect-mtproto/crypto/NodeVault"
import { Vault } from "@effect-mtproto/crypto/Vault"
import { type Change, layerSealedSql, layerSql, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as SqlVault from "@effect-mtproto/transport/SqlVault"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as ChatState from "../src/protocol/ChatState.ts"
import { eventually, messagesOf, pair } from "./support/Peers.ts"

const temporaryFile = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "secret-chats-sealed-"))),
  (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
).pipe(Effect.map((folder) => Path.join(folder, "store.db")))

const secret = (passphrase: string) => ({
  passphrase: Redacted.make(passphrase),
  argon2: { memory: 8, passes: 1, parallelism: 1 }
})

const sealed = (filename: string, passphrase = "right", account = "") =>
  Layer.fresh(
    layerSealedSql({ account }).pipe(
      Layer.provideMerge(SqlVault.layer(secret(passphrase))),
      Layer.provideMerge(SqliteClient.layer({ filename }))
    )
  )

/** Everything that is on the disk of a database that is in use. */
const onDisk = (filename: string): Buffer =>
  Buffer.concat(
    ["", "-wal", "-shm"].flatMap((end) => Fs.existsSync(filename + end) ? [Fs.readFileSync(filename + end)] : [])
  )

const long = (value: bigint): Buffer => {
  const out = Buffer.alloc(8)
  out.writeBigInt64BE(value)
  return out
}

/** The ways in which bytes could be lying about. */
const spellings = (bytes: Uint8Array): ReadonlyArray<Buffer> => {
  const buffer = Buffer.from(bytes)
  return [
    buffer,
    Buffer.from(buffer.toReversed()),
    Buffer.from(buffer.toString("hex")),
    Buffer.from(buffer.toString("base64").replaceAll("=", "").slice(0, -1))
  ]
}

describe("a sealed file", () => {
  const text = "meet me where the old mill stood, at ten"
  const failing = "this one will be refused by the server"

  /** A conversation over a store in a file; what is secret of it, with the name of what it is. */
  const conversation = Effect.fnUntraced(function*(store: Layer.Layer<SecretChatStore, any>) {
    const { alice, bob, chatId, relay } = yield* pair({ aliceStore: store })
    yield* alice.chats.setTtl(chatId, 3600)
    const outcome = yield* alice.chats.send(
      chatId,
      DecryptedMessage.message(text, { randomId: 0x1234_5678_9abc_def0n })
    )
    assert.isFalse(Array.isArray(outcome))
    yield* bob.chats.sendText(chatId, text.toUpperCase())
    yield* eventually(() => messagesOf(alice).length === 1 && messagesOf(bob).length === 1)
    relay.fail("messages.sendEncrypted", { code: 400, type: "DATA_INVALID" })
    yield* Effect.flip(alice.chats.sendText(chatId, failing))
    // An event that waits to be taken in.
    const now = Option.getOrThrow(yield* alice.store.load(chatId))
    yield* alice.store.commit({
      chatId,
      expected: now.version,
      chat: now,
      changes: [{ _tag: "AppendEvent", data: new TextEncoder().encode("an event that nobody has taken in") }]
    })
    const stored = Option.getOrThrow(yield* alice.store.load(chatId))
    const decoded = ChatState.decode({
      head: stored.head,
      outbox: stored.records.map((row) => row.record),
      pending: stored.pending.map((row) => row.data)
    })
    if (decoded._tag === "Failure") throw decoded.failure
    const state = decoded.success
    const history = yield* alice.store.messages({ chatId })
    return {
      chatId,
      secrets: {
        "the key of the chat": state.keys!.current.bytes.subarray(0, 36),
        "the hash of the key": state.keyHash!,
        "the access hash": long(state.accessHash),
        "a text of ours": Buffer.from(text),
        "a text of theirs": Buffer.from(text.toUpperCase()),
        "a text that failed": Buffer.from(failing),
        "why it failed": Buffer.from("DATA_INVALID"),
        "an event": Buffer.from("an event that nobody"),
        ...Object.fromEntries(history.map((row) => [`random id ${row.randomId}`, long(row.randomId)]))
      } as Record<string, Uint8Array>
    }
  })

  const found = (disk: Buffer, secrets: Record<string, Uint8Array>) =>
    Object.entries(secrets).flatMap(([what, bytes]) =>
      spellings(bytes).some((bytes) => disk.includes(bytes)) ? [what] : []
    )

  it.live(
    "R29 holds no key, text, name or number of a conversation; an unsealed one would",
    () =>
      Effect.gen(function*() {
        const file = yield* temporaryFile
        yield* Effect.gen(function*() {
          const { secrets } = yield* conversation(sealed(file))
          assert.isAtLeast(Object.keys(secrets).length, 11)
          assert.deepStrictEqual(found(onDisk(file), secrets), [])
        }).pipe(Effect.scoped)
        const open = yield* temporaryFile
        yield* Effect.gen(function*() {
          const { secrets } = yield* conversation(
            layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: open })))
          )
          // The search is one that finds something.
          const unsealed = found(onDisk(open), secrets)
          for (
            const what of ["the key of the chat", "a text of ours", "a text of theirs", "why it failed", "an event"]
          ) {
            assert.include(unsealed, what)
          }
        }).pipe(Effect.scoped)
      }),
    { timeout: 30_000 }
  )

  it.live(
    "R29 goes on with a new passphrase, and nothing but the wrapped key has changed",
    () =>
      Effect.gen(function*() {
        const file = yield* temporaryFile
        const { chatId } = yield* Effect.scoped(conversation(sealed(file)))
        const rows = Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          const tables = yield* sql<{ name: string }>`
          SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'mtproto_vault' ORDER BY name`
          return yield* Effect.forEach(tables, ({ name }) => sql`SELECT * FROM ${sql(name)}`)
        }).pipe(
          Effect.provideService(SqlClient.SafeIntegers, true),
          Effect.provide(SqliteClient.layer({ filename: file }))
        )
        const before = yield* rows
        yield* Effect.gen(function*() {
          const vault = yield* Vault
          yield* vault.rewrap(secret("new"))
        }).pipe(Effect.provide(sealed(file)))
        assert.deepStrictEqual(yield* rows, before)
        const refused = yield* Effect.flip(Effect.provide(SecretChatStore, sealed(file, "right")))
        assert.deepInclude(refused, { _tag: "VaultError", reason: "wrong-secret" })
        const texts = yield* SecretChatStore.use((store) => store.messages({ chatId })).pipe(
          Effect.provide(sealed(file, "new"))
        )
        assert.strictEqual(texts.length, 3)
      }),
    { timeout: 30_000 }
  )

  it.live("is untouched by a wrong passphrase", () =>
    Effect.gen(function*() {
      const file = yield* temporaryFile
      yield* Effect.provide(SecretChatStore.use((store) => store.list({ limit: 1 })), sealed(file))
      const before = onDisk(file)
      const error = yield* Effect.flip(Effect.provide(SecretChatStore, sealed(file, "wrong")))
      assert.deepInclude(error, { _tag: "VaultError", reason: "wrong-secret" })
      assert.isTrue(before.equals(onDisk(file)))
    }))

  it.live("of a newer version is refused and not touched", () =>
    Effect.gen(function*() {
      const file = yield* temporaryFile
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`INSERT INTO secret_chat_migrations ${sql.insert({ migration_id: 999, name: "future" })}`
        yield* sql`ALTER TABLE secret_chats ADD COLUMN mood TEXT`
      }).pipe(Effect.provide(sealed(file)))
      const before = onDisk(file)
      const error = yield* Effect.flip(Effect.provide(SecretChatStore, sealed(file)))
      assert.deepInclude(error, { _tag: "StoreError", reason: "newer" })
      assert.isTrue(before.equals(onDisk(file)))
    }))

  it.live("R32 can be read by its owner only, the log beside it too", () =>
    Effect.gen(function*() {
      const file = yield* temporaryFile
      const mask = process.umask(0)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.umask(mask)))
      yield* Effect.gen(function*() {
        const store = yield* SecretChatStore
        yield* store.commit({
          chatId: 1,
          expected: 0,
          chat: { phase: "a", wakeAt: 0, head: new Uint8Array(1) },
          changes: []
        })
        for (const end of ["", "-wal", "-shm"]) {
          assert.strictEqual(Fs.statSync(file + end).mode & 0o777, 0o600, `store.db${end}`)
        }
      }).pipe(Effect.provide(sealed(file)))
    }))
})

describe("a sealed row", () => {
  const bytes = (...values: ReadonlyArray<number>) => Uint8Array.from(values)
  const message = (position: number, outgoing: boolean): Change => ({
    _tag: "PutMessage",
    message: {
      position,
      randomId: BigInt(position),
      outgoing,
      index: position,
      state: "sent",
      date: 100,
      failure: outgoing ? `why ${position}` : undefined,
      data: bytes(position)
    }
  })
  const changes: ReadonlyArray<Change> = [
    ...[0, 1].flatMap((index): ReadonlyArray<Change> => [
      { _tag: "PutOutbox", index, randomId: BigInt(index), record: bytes(index), packet: bytes(index) },
      { _tag: "PutPending", index, data: bytes(index) },
      { _tag: "AppendEvent", data: bytes(index) }
    ]),
    message(1, true),
    message(2, true),
    message(3, false),
    { _tag: "PutTimer", timer: { outgoing: false, randomId: 1n, ttl: 1, startsOn: "open", date: 100 } },
    { _tag: "PutTimer", timer: { outgoing: true, randomId: 2n, ttl: 1, startsOn: "open", date: 100 } },
    { _tag: "StartOpened", outgoing: false, randomIds: [1n], at: 100 },
    { _tag: "StartOpened", outgoing: true, randomIds: [2n], at: 100 }
  ]

  type Store = SecretChatStore["Service"]
  const load = (store: Store) => store.load(1)
  const list = (store: Store) => store.list({ limit: 10 })
  const unsent = (store: Store) => store.outboxUnsent({ chatId: 1, limit: 10 })
  const events = (store: Store) => store.events({ after: 0n, limit: 10 })
  const messages = (store: Store) => store.messages({ chatId: 1 })
  const expired = (store: Store) => store.expired({ now: 1000, limit: 10 })

  const swap = (table: string, column: string, one: string, two: string) =>
    `UPDATE ${table} SET ${column} = CASE WHEN ${one} THEN (SELECT ${column} FROM ${table} WHERE ${two})
      ELSE (SELECT ${column} FROM ${table} WHERE ${one}) END WHERE (${one}) OR (${two})`

  const cases: ReadonlyArray<
    readonly [what: string, statement: string, read: (store: Store) => Effect.Effect<unknown, unknown>]
  > = [
    ["a chat's, changed", "UPDATE secret_chats SET head = zeroblob(200)", load],
    ["a chat's, cut", "UPDATE secret_chats SET head = substr(head, 1, 40)", load],
    ["a chat's, empty", "UPDATE secret_chats SET head = x''", list],
    ["a chat's, of another version", "UPDATE secret_chats SET version = version + 1 WHERE chat_id = 1", load],
    ["a chat's, of another chat", swap("secret_chats", "head", "chat_id = 1", "chat_id = 2"), load],
    ["a record, of another message", swap("secret_chat_outbox", "record", "seq = 0", "seq = 1"), load],
    ["a packet, of another message", swap("secret_chat_outbox", "packet", "seq = 0", "seq = 1"), unsent],
    ["a packet in the place of a record", "UPDATE secret_chat_outbox SET record = packet", load],
    ["a waiting message, of another number", swap("secret_chat_pending", "data", "seq = 0", "seq = 1"), load],
    ["an event, of another id", swap("secret_chat_events", "data", "id = 1", "id = 2"), events],
    ["an event, of another chat", "UPDATE secret_chat_events SET chat_id = 2", events],
    ["a message, of another position", swap("secret_chat_messages", "data", "position = 1", "position = 2"), messages],
    ["a message, of the other side", "UPDATE secret_chat_messages SET outgoing = 1 WHERE position = 3", messages],
    ["a message, of another name", "UPDATE secret_chat_messages SET random_id = 5 WHERE position = 1", messages],
    [
      "a failure, of another message",
      swap("secret_chat_messages", "failure", "position = 1", "position = 2"),
      messages
    ],
    ["a failure that is none", "UPDATE secret_chat_messages SET failure = '400 X' WHERE position = 1", messages],
    ["a timer, of another message", swap("secret_chat_timers", "note", "outgoing = 0", "outgoing = 1"), expired],
    ["a timer without a name", "UPDATE secret_chat_timers SET note = NULL", expired]
  ]
  for (const [what, statement, read] of cases) {
    it.effect(`R29 ${what}: is noticed`, () =>
      Effect.gen(function*() {
        const store = yield* SecretChatStore
        const sql = yield* SqlClient.SqlClient
        const chat = { phase: "ready", wakeAt: undefined, head: bytes(1, 2, 3) }
        yield* store.commit({ chatId: 1, expected: 0, chat, changes })
        yield* store.commit({ chatId: 2, expected: 0, chat, changes: [] })
        yield* read(store)
        yield* sql.unsafe(statement)
        const error = yield* Effect.flip(read(store))
        assert.deepInclude(error, { _tag: "StoreError", reason: "corrupt" })
      }).pipe(Effect.provide(
        layerSealedSql().pipe(
          Layer.provideMerge([NodeVault.layerMemory, SqliteClient.layer({ filename: ":memory:" })])
        )
      )))
  }

  it.effect("R29 of another account: is noticed", () =>
    Effect.gen(function*() {
      const file = yield* temporaryFile
      const chat = { phase: "ready", wakeAt: undefined, head: bytes(1, 2, 3) }
      yield* Effect.gen(function*() {
        const store = yield* SecretChatStore
        yield* store.commit({ chatId: 1, expected: 0, chat, changes })
        yield* (yield* SqlClient.SqlClient)`UPDATE secret_chats SET account = 'b'`
      }).pipe(Effect.provide(sealed(file, "right", "a")))
      const error = yield* Effect.flip(Effect.provide(SecretChatStore.use(load), sealed(file, "right", "b")))
      assert.deepInclude(error, { _tag: "StoreError", reason: "corrupt" })
    }))

  it.effect("that was written unsealed: is noticed", () =>
    Effect.gen(function*() {
      const file = yield* temporaryFile
      const plain = layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: file })))
      const chat = { phase: "ready", wakeAt: undefined, head: bytes(1, 2, 3) }
      yield* Effect.provide(
        SecretChatStore.use((store) => store.commit({ chatId: 1, expected: 0, chat, changes })),
        plain
      )
      yield* Effect.gen(function*() {
        const store = yield* SecretChatStore
        for (const read of [load, list, unsent, events, messages, expired] as const) {
          const error = yield* Effect.flip(read(store) as Effect.Effect<unknown, unknown>)
          assert.deepInclude(error, { _tag: "StoreError", reason: "corrupt" })
        }
      }).pipe(Effect.provide(sealed(file)))
    }))
})
