/** Requirements 29 to 32 of `docs/security.md`: secrets at rest, in memory and in print. */
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as NodeVault from "@effect-mtproto/crypto/NodeVault"
import { Vault } from "@effect-mtproto/crypto/Vault"
import { saveEncryptedFile, saveEncryptedFileStream } from "@effect-mtproto/secret-chats/downloadEncryptedFile"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import * as SecretChatError from "@effect-mtproto/secret-chats/SecretChatError"
import { layerMemory, layerSealedSql, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import { sendEncryptedFile } from "@effect-mtproto/secret-chats/sendEncryptedFile"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import * as SqlVault from "@effect-mtproto/transport/SqlVault"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Logger, Redacted, References, Stream, Tracer } from "effect"
import { SqlClient } from "effect/sql"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { inspect } from "node:util"
import { bytesOf, folder, two } from "../files/support.ts"
import { eventually, settle } from "../support/Peers.ts"
import { closed, drained, isWiped, quiet, roles, scene, service, text, texts, Watched } from "./HandPeer.ts"

// ----- what can be read off a program from outside

/** Everything that is printed, logged or traced, in every spelling. */
class Listener {
  readonly heard: Array<string> = []

  note(value: unknown): void {
    this.heard.push(
      String(value),
      inspect(value, {
        depth: 20,
        showHidden: true,
        getters: true,
        maxArrayLength: 2000,
        maxStringLength: 200_000
      })
    )
    try {
      this.heard.push(JSON.stringify(value, (_, v) => typeof v === "bigint" ? String(v) : v) ?? "")
    } catch {
      // A cycle: it cannot be written as JSON, so nothing is read there.
    }
  }

  /** Runs an effect under a logger and a tracer that note all they get. */
  readonly listen = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    effect.pipe(
      Effect.provide(Logger.layer([
        Logger.make(({ cause, fiber, message }) => {
          this.note(message)
          this.note(cause)
          this.heard.push(Cause.pretty(cause))
          this.note(fiber.getRef(References.CurrentLogAnnotations))
        })
      ])),
      Effect.provideService(References.MinimumLogLevel, "All"),
      Effect.withTracer(Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          this.note(options.name)
          const attribute = span.attribute.bind(span)
          span.attribute = (key: string, value: unknown) => {
            this.note(key)
            this.note(value)
            attribute(key, value)
          }
          const event = span.event.bind(span)
          span.event = (name, time, attributes) => {
            this.note(name)
            this.note(attributes)
            event(name, time, attributes)
          }
          const end = span.end.bind(span)
          span.end = (time, exit) => {
            if (Exit.isFailure(exit)) this.heard.push(Cause.pretty(exit.cause))
            end(time, exit)
          }
          return span
        }
      }))
    ) as Effect.Effect<A, E, R>

  get all(): string {
    return this.heard.join("\n")
  }

  assertSilent(what: string, secret: string | Uint8Array): void {
    const spellings = typeof secret === "string" ? [secret] : spellingsOf(secret)
    for (const spelling of spellings) assert.notInclude(this.all, spelling, what)
  }
}

const spellingsOf = (bytes: Uint8Array): ReadonlyArray<string> => {
  const buffer = Buffer.from(bytes)
  const hex = buffer.toString("hex").slice(0, 24)
  return [
    hex,
    hex.toUpperCase(),
    hex.replace(/../g, "$& ").trim(),
    buffer.toString("base64").slice(0, 24),
    buffer.toString("base64url").slice(0, 24),
    [...bytes.subarray(0, 10)].join(","),
    [...bytes.subarray(0, 10)].join(", "),
    buffer.toString("latin1").slice(0, 16)
  ]
}

describe("in print", () => {
  it.live("R30 keys and texts of chats are in no object, log line, span or error", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const listener = new Listener()
      const plaintext = "meet me at the old mill, 21:40"
      const keys: Array<Uint8Array> = []
      const stores = {
        memory: layerMemory,
        SQL: (yield* Effect.promise(() => import("../support/Restartable.ts"))).sqlite(Path.join(path, "a.db"))
      }
      for (const store of Object.values(stores)) {
        yield* listener.listen(Effect.scoped(Effect.gen(function*() {
          const watched = new Watched()
          const made = yield* scene("creator", { store, crypto: watched.layer })
          const { chatId, hand, peer, relay } = made
          keys.push(hand.key.bytes)
          listener.note(yield* peer.chats.sendText(chatId, plaintext))
          hand.send(text(plaintext))
          yield* eventually(() => texts(made).length === 1)
          for (
            const value of [peer.chats, peer.store, hand.key, yield* peer.chats.list, yield* peer.chats.get(chatId)]
          ) {
            listener.note(value)
          }
          // Things go wrong in many ways.
          for (const type of ["DATA_INVALID", "USER_IS_BLOCKED", "SOMETHING_NEW"]) {
            yield* quiet(made)
            relay.fail("messages.sendEncrypted", { code: 400, type })
            listener.note(yield* Effect.flip(peer.chats.sendText(chatId, plaintext)))
          }
          listener.note(
            yield* Effect.flip(peer.chats.send(chatId, { _tag: "decryptedMessage", message: plaintext, ttl: 0.5 }))
          )
          listener.note(yield* Effect.flip(peer.chats.sendText(4711, plaintext)))
          hand.push(hand.seal(hand.payload(text(plaintext)), { x: hand.x === 0 ? 8 : 0 }))
          hand.send(text(plaintext), { outIndex: 0 })
          hand.send(text(plaintext), { outIndex: 500 })
          yield* drained(made)
          for (let i = 0; i < 50; i++) hand.send(text(plaintext))
          for (let i = 0; i < 60; i++) yield* peer.chats.sendText(chatId, plaintext)
          yield* eventually(() => hand.actions().includes("RequestKey"), "a new key")
          keys.push(...watched.drawn)
          hand.send(text(plaintext), { inSeqNo: -1 })
          yield* closed(made)
          listener.note(yield* Effect.flip(peer.chats.sendText(chatId, plaintext)))
          listener.note(yield* Effect.flip(Effect.sandbox(peer.chats.sendText(chatId, plaintext))))
        })))
      }
      assert.isAbove(listener.heard.length, 100)
      assert.include(listener.all, "SecretChats.sendText")
      listener.assertSilent("the text", plaintext)
      listener.assertSilent("the text in base64", Buffer.from(plaintext).toString("base64").slice(0, 24))
      assert.isAtLeast(keys.length, 4)
      for (const key of keys) listener.assertSilent("a key", key)
    }), { timeout: 30_000 })

  it.live("R30 phone numbers, codes, passwords and session keys neither", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const filename = Path.join(path, "session.db")
      const listener = new Listener()
      const phone = "+15550142337"
      const apiHash = "0123456789abcdef0123456789abcdef"
      const server = yield* TestServer.make()
      yield* server.createAccount({ phone, firstName: "Ann" })
      const code = yield* server.loginCode(phone)
      yield* listener.listen(Effect.scoped(Effect.gen(function*() {
        let wrong = true
        const config = {
          apiId: 12345,
          apiHash: Redacted.make(apiHash),
          datacenters: [{ id: server.dcId, host: server.host, port: server.port }],
          publicKeys: [server.publicKeyPem]
        }
        listener.note(config)
        yield* Effect.gen(function*() {
          const login = {
            phone: Redacted.make(phone),
            code: () => Effect.succeed(Redacted.make(wrong ? "93718" : code))
          }
          listener.note(login)
          const attempt = (phone: string) =>
            Effect.exit(Login.phone({
              phone: Redacted.make(phone),
              code: () => {
                // a wrong one first
                const given = wrong ? "93718" : code
                wrong = false
                return Effect.succeed(Redacted.make(given))
              }
            }))
          listener.note(yield* attempt("+15550999888"))
          // What a login gives is the account, with its number: that is for the caller.
          assert.isTrue(Exit.isSuccess(yield* attempt(phone)))
          listener.note(yield* MtprotoTransport.MtprotoTransport)
          listener.note(yield* SessionStore.SessionStore)
        }).pipe(Effect.provide(
          MtprotoTransport.layer(config).pipe(
            Layer.provideMerge(SessionStore.layerUnsealedSql()),
            Layer.provide(SqliteClient.layer({ filename })),
            Layer.provideMerge(NodeCrypto.layer)
          )
        ))
      })))
      assert.isAbove(listener.heard.length, 10)
      for (
        const [what, secret] of Object.entries({
          phone: phone.slice(1),
          other: "15550999888",
          code,
          wrong: "93718",
          apiHash
        })
      ) {
        listener.assertSilent(what, secret)
      }
      // The session keys, from where they are kept.
      const blobs = yield* Effect.gen(function*() {
        const sql = yield* SqliteClient.SqliteClient
        const tables = yield* sql<{ name: string }>`SELECT name FROM sqlite_master WHERE type = 'table'`
        const rows = yield* Effect.forEach(tables, ({ name }) => sql`SELECT * FROM ${sql(name)}`.values)
        return rows.flat(2).filter((value): value is Uint8Array => value instanceof Uint8Array && value.length >= 256)
      }).pipe(
        Effect.provideService(SqlClient.SafeIntegers, true),
        Effect.provide(SqliteClient.layer({ filename, readonly: true }))
      )
      assert.isAtLeast(blobs.length, 1)
      for (const blob of blobs) listener.assertSilent("a session key", blob)
    }), { timeout: 30_000 })

  it("R30 every error of this package has words, and shows nothing but its fields", () => {
    const error = new SecretChatError.StoreError({ reason: "unavailable", operation: "commit" })
    assert.strictEqual(Object.keys(error).toSorted().join(), "_tag,operation,reason,sent")
    assert.isAbove(error.message.length, 10)
  })
})

describe("in memory", () => {
  it.live(
    "R31 closing overwrites every key and exponent that was held, whoever closes the chat",
    () =>
      Effect.gen(function*() {
        const endings = {
          "by us": 0,
          "by the other side": 1,
          "by a broken rule": 2,
          "while a new key is under way": 3
        }
        for (const role of roles) {
          for (const [name, ending] of Object.entries(endings)) {
            const watched = new Watched()
            const made = yield* scene(role, { crypto: watched.layer })
            const { chatId, hand, peer, relay, target } = made
            yield* peer.chats.sendText(chatId, "x")
            hand.send(text("y"))
            yield* eventually(() => texts(made).length === 1)
            assert.isTrue([...watched.keys].some((key) => !isWiped(key)))
            if (ending === 3) {
              const pair = yield* hand.generate()
              hand.send(
                service({ _tag: "decryptedMessageActionRequestKey", exchangeId: 1n, gA: pair.publicValue })
              )
              yield* eventually(() => hand.actions().includes("AcceptKey"))
            }
            if (ending === 1) {
              relay.push(target, {
                _tag: "updateEncryption",
                date: 1,
                chat: { _tag: "encryptedChatDiscarded", id: chatId }
              })
            } else if (ending === 2) hand.send(text("x"), { inSeqNo: -1 })
            else yield* peer.chats.discard(chatId)
            yield* closed(made)
            yield* settle
            for (const key of watched.keys) assert.isTrue(isWiped(key), `a key, ${name}`)
            for (const exponent of watched.exponents) assert.isTrue(isWiped(exponent), `an exponent, ${name}`)
            // and nothing in the store has it any more
            const stored = yield* Effect.fromOption(yield* peer.store.load(chatId))
            const head = Buffer.from(stored.head).toString("latin1")
            for (const spelling of spellingsOf(hand.key.bytes)) assert.notInclude(head, spelling)
          }
        }
      }),
    { timeout: 20_000 }
  )

  it.live("R31 the master key of a vault goes with its scope", () =>
    Effect.gen(function*() {
      const vault = yield* Effect.scoped(Effect.provide(Vault, Layer.fresh(NodeVault.layerMemory)))
      assert.isDefined(vault)
      assert.notInclude(inspect(vault, { depth: 20, showHidden: true }), "Uint8Array(32)")
    }))
})

describe("on the disk", () => {
  const modeOf = (path: string): number => Fs.statSync(path).mode & 0o777

  it.live("R32 databases, their logs and copies are for the owner only, and an open one is narrowed", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const filename = Path.join(path, "store.db")
      // Somebody made it too wide.
      Fs.writeFileSync(filename, "", { mode: 0o666 })
      Fs.chmodSync(filename, 0o666)
      const previous = process.umask(0)
      yield* Effect.gen(function*() {
        const sql = yield* SqliteClient.SqliteClient
        yield* sql`CREATE TABLE t (x BLOB)`
        yield* sql`INSERT INTO t VALUES (1)`
        const files = Fs.readdirSync(path)
        assert.includeMembers(files, ["store.db", "store.db-wal", "store.db-shm"])
        for (const file of files) assert.strictEqual(modeOf(Path.join(path, file)), 0o600, file)
        yield* sql.backup(Path.join(path, "copy.db"))
        assert.strictEqual(modeOf(Path.join(path, "copy.db")), 0o600)
      }).pipe(
        Effect.provide(SqliteClient.layer({ filename })),
        Effect.ensuring(Effect.sync(() => process.umask(previous)))
      )
    }))

  it.live(
    "R32 a received file is for the owner only, and appears at once and whole, or not at all",
    () =>
      Effect.gen(function*() {
        const { a, b, chatId, server } = yield* two
        const path = yield* folder
        const bytes = bytesOf(700_000)
        const target = Path.join(path, "received.bin")
        yield* a.run(sendEncryptedFile(chatId, Media.document(), FileSource.fromBytes(bytes)))
        yield* eventually(() => b.messages().length === 1)
        const message = b.messages()[0]!
        const seen: Array<boolean> = []
        // Stopped half way, and failed half way.
        yield* b.run(Stream.runDrain(Stream.take(saveEncryptedFileStream(message, target), 2)))
        assert.isFalse(Fs.existsSync(target))
        for (const file of Fs.readdirSync(path)) assert.strictEqual(modeOf(Path.join(path, file)), 0o600, file)
        yield* b.run(Stream.runForEach(saveEncryptedFileStream(message, target), () =>
          Effect.sync(() => {
            seen.push(Fs.existsSync(target))
          })))
        assert.isFalse(seen.includes(true), "not before its end")
        assert.deepStrictEqual(Fs.readdirSync(path), ["received.bin"])
        assert.isTrue(Buffer.from(bytes).equals(Fs.readFileSync(target)))
        assert.strictEqual(modeOf(target), 0o600)
        // What is there is not replaced unasked.
        Fs.writeFileSync(target, "mine")
        const error = yield* Effect.flip(b.run(saveEncryptedFile(message, target)))
        assert.deepInclude(error as object, { _tag: "FileError", reason: "target-exists" })
        assert.strictEqual(Fs.readFileSync(target, "utf8"), "mine")
        void server
      }),
    { timeout: 30_000 }
  )
})

describe("at rest", () => {
  const run = (effect: Effect.Effect<void, never, Vault>): Effect.Effect<void> =>
    Effect.provide(effect, Layer.fresh(NodeVault.layerMemory))

  it.live("R29 a sealed value says nothing, differs every time, and opens in its own place only", () =>
    run(Effect.gen(function*() {
      const vault = yield* Vault
      const value = bytesOf(1000)
      const sealed = Array.from({ length: 200 }, () => vault.seal("messages/7/1", value))
      assert.strictEqual(new Set(sealed.map((one) => Buffer.from(one.subarray(0, 25)).toString("hex"))).size, 200)
      for (const one of sealed) {
        assert.isFalse(Buffer.from(one).includes(Buffer.from(value.subarray(0, 8))))
        assert.deepStrictEqual(vault.open("messages/7/1", one), value)
        for (const place of ["messages/7/2", "messages/8/1", "events/7/1", "", "messages/7/1 "]) {
          assert.isUndefined(vault.open(place, one))
        }
      }
      const [one] = sealed
      for (let bit = 0; bit < 8 * one!.length; bit++) {
        const flipped = one!.slice()
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        assert.isUndefined(vault.open("messages/7/1", flipped))
      }
      for (let length = 0; length < 60; length++) assert.isUndefined(vault.open("messages/7/1", one!.slice(0, length)))
    })))

  const secret = { key: Redacted.make(new Uint8Array(32).fill(7)) }
  const sealedIn = (filename: string, vault: Parameters<typeof SqlVault.layer>[0] = secret) =>
    layerSealedSql().pipe(
      Layer.provide(SqlVault.layer(vault)),
      Layer.provide(SqliteClient.layer({ filename }))
    )

  it.live(
    "R29 a sealed store on a disk: neither keys nor texts can be read off its files",
    () =>
      Effect.gen(function*() {
        const path = yield* folder
        const filename = Path.join(path, "sealed.db")
        const plaintext = "the vault is behind the third picture"
        const randomId = 0x1122334455667788n
        const { chatId, keys } = yield* Effect.scoped(Effect.gen(function*() {
          const watched = new Watched()
          const made = yield* scene("creator", { store: sealedIn(filename), crypto: watched.layer })
          const { chatId, hand, peer } = made
          yield* peer.chats.sendText(chatId, plaintext)
          hand.send(text(plaintext, randomId))
          hand.send(text(plaintext), { outIndex: 9 })
          yield* eventually(() => texts(made).length === 1)
          yield* drained(made)
          return { chatId, keys: [new Uint8Array(hand.key.bytes), ...watched.drawn] }
        }))
        const raw = Buffer.concat(Fs.readdirSync(path).map((file) => Fs.readFileSync(Path.join(path, file))))
        const content = raw.toString("latin1")
        assert.isAbove(raw.length, 8192)
        for (const spelling of [plaintext, Buffer.from(plaintext).toString("base64").slice(0, 30), String(randomId)]) {
          assert.notInclude(content, spelling)
        }
        for (const key of keys) {
          assert.isFalse(raw.includes(Buffer.from(key.subarray(0, 16))))
          for (const spelling of spellingsOf(key)) assert.notInclude(content, spelling)
        }

        // With the key everything is there, with another one nothing.
        const load = (vault: Parameters<typeof SqlVault.layer>[0]) =>
          Effect.scoped(Effect.gen(function*() {
            const context = yield* Layer.build(Layer.fresh(sealedIn(filename, vault)))
            const store = Context.get(context, SecretChatStore)
            return yield* store.messages({ chatId })
          }))
        assert.strictEqual((yield* load(secret)).length, 2)
        const refused = yield* Effect.flip(load({ key: Redacted.make(new Uint8Array(32).fill(8)) }))
        assert.deepInclude(refused as object, { _tag: "VaultError", reason: "wrong-secret" })

        // Two rows that change places are noticed.
        const swapped = yield* Effect.gen(function*() {
          const sql = yield* SqliteClient.SqliteClient
          const tables = yield* sql<
            { name: string; sql: string }
          >`SELECT name, sql FROM sqlite_master WHERE type = 'table'`
          let count = 0
          for (const { name, sql: ddl } of tables) {
            if (!/\bdata\b/i.test(ddl) || !/message/i.test(name)) continue
            const rows = yield* sql<{ id: number; data: Uint8Array }>`SELECT position AS id, data FROM ${
              sql(name)
            } LIMIT 2`
            if (rows.length < 2) continue
            const [one, two] = rows as [typeof rows[number], typeof rows[number]]
            yield* sql`UPDATE ${sql(name)} SET data = ${two.data} WHERE position = ${one.id}`
            yield* sql`UPDATE ${sql(name)} SET data = ${one.data} WHERE position = ${two.id}`
            count++
          }
          return count
        }).pipe(Effect.provide(SqliteClient.layer({ filename })))
        assert.isAtLeast(swapped, 1)
        assert.deepInclude((yield* Effect.flip(load(secret))) as object, { _tag: "StoreError", reason: "corrupt" })
      }),
    { timeout: 20_000 }
  )

  it.live("R29 a passphrase goes through Argon2id; changing it wraps the master key anew and touches no value", () =>
    Effect.gen(function*() {
      let entry: string | undefined
      const storage: NodeVault.Storage = {
        read: Effect.sync(() => entry),
        insert: (next) => Effect.sync(() => void (entry ??= next)),
        replace: (previous, next) =>
          Effect.sync(() => {
            if (entry !== previous) return false
            entry = next
            return true
          })
      }
      const stretched = (passphrase: string) => ({
        passphrase: Redacted.make(passphrase),
        argon2: { memory: 64, passes: 1, parallelism: 1 }
      })
      const open = (passphrase: string) => NodeVault.make({ secret: stretched(passphrase), storage })
      const first = yield* open("one")
      assert.match(entry!, /^vault:1:argon2id:/)
      const sealed = first.seal("place", Uint8Array.of(1, 2, 3))
      yield* first.rewrap(stretched("two"))
      assert.deepInclude((yield* Effect.flip(open("one"))) as object, { _tag: "VaultError", reason: "wrong-secret" })
      const second = yield* open("two")
      assert.deepStrictEqual(second.open("place", sealed), Uint8Array.of(1, 2, 3))
      assert.notInclude(inspect(yield* Effect.flip(open("three")), { depth: 9, showHidden: true }), "three")
    }))
})
