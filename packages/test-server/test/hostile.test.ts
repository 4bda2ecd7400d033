import * as Api from "@effect-mtproto/core/Api"
import { Abridged } from "@effect-mtproto/core/framing/Abridged"
import { Full } from "@effect-mtproto/core/framing/Full"
import { Intermediate } from "@effect-mtproto/core/framing/Intermediate"
import { PaddedIntermediate } from "@effect-mtproto/core/framing/PaddedIntermediate"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Packet from "@effect-mtproto/crypto/Packet"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { createConnection } from "node:net"
import { gzipSync } from "node:zlib"
import type * as TestServer from "../src/TestServer.ts"
import * as TestClient from "./support/client.ts"
import { withServer, withVirtualTime } from "./support/fixture.ts"
import * as Random from "./support/random.ts"
import { connect } from "./support/wire.ts"

const { encode } = TestClient
const PHONE = "+15550001"

/** The server still serves. */
const isAlive = (crypto: Crypto["Service"], server: TestServer.TestServer["Service"]) =>
  Effect.gen(function*() {
    const client = yield* TestClient.open(crypto, server)
    assert.strictEqual((yield* client.call(Api.help.getConfig()))._tag, "config")
  }).pipe(Effect.scoped)

describe("a hostile connection", () => {
  const streams: Record<string, Uint8Array> = {
    "TLS": Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3),
    "an obfuscation header that names no framing": new Uint8Array(64).fill(0x5a),
    "an intermediate frame longer than the limit": Uint8Array.of(...Intermediate.tag, 0xff, 0xff, 0xff, 0x7f),
    "an empty intermediate frame": Uint8Array.of(...Intermediate.tag, 0, 0, 0, 0),
    "an abridged frame longer than the limit": Uint8Array.of(...Abridged.tag, 0x7f, 0xff, 0xff, 0xff),
    "an empty abridged frame": Uint8Array.of(...Abridged.tag, 0),
    "a padded frame of one byte": Uint8Array.of(...PaddedIntermediate.tag, 1, 0, 0, 0, 0),
    "a full frame with a wrong checksum": Uint8Array.of(16, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0),
    "a full frame shorter than its header": Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0),
    "a transport error from a client": Uint8Array.of(...Intermediate.tag, 4, 0, 0, 0, 0x6c, 0xfe, 0xff, 0xff),
    "a packet without a key": Uint8Array.of(...Intermediate.tag, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8).slice(0, 12)
  }
  for (const [name, first] of Object.entries(streams)) {
    withServer(name, ({ crypto, server }) =>
      Effect.gen(function*() {
        const wire = yield* connect(crypto, server, { first })
        if (name === "a packet without a key") wire.sendRaw(new Uint8Array(4))
        let event = yield* wire.next
        if (event._tag === "TransportError") event = yield* wire.next
        assert.strictEqual(event._tag, "Closed")
        yield* isAlive(crypto, server)
      }))
  }

  withServer("plain messages that are none", ({ crypto, server }) =>
    Effect.gen(function*() {
      for (
        const payload of [
          new Uint8Array(8),
          new Uint8Array(16),
          new Uint8Array(20).fill(255, 16),
          Uint8Array.of(...new Uint8Array(16), 100, 0, 0, 0, 1, 2, 3, 4),
          Packet.sealPlain({ msgId: 0n, body: new Uint8Array(0) }),
          Packet.sealPlain({ msgId: 0n, body: Uint8Array.of(0xf1, 0x8e, 0x7e, 0xbe) }),
          Packet.sealPlain({ msgId: 0n, body: new Uint8Array(4000).fill(7) })
        ]
      ) {
        const wire = yield* connect(crypto, server)
        wire.send(payload)
        let event = yield* wire.next
        if (event._tag === "TransportError") {
          assert.strictEqual(event.code, -404)
          event = yield* wire.next
        }
        assert.strictEqual(event._tag, "Closed")
      }
      yield* isAlive(crypto, server)
    }))

  withServer("a key that is unknown: -404", ({ crypto, server }) =>
    Effect.gen(function*() {
      const wire = yield* connect(crypto, server)
      wire.send(Uint8Array.of(1, ...new Uint8Array(103)))
      assert.deepStrictEqual(yield* wire.next, { _tag: "TransportError", code: -404 })
      assert.deepStrictEqual(yield* wire.next, { _tag: "Closed" })
    }))

  withServer(
    "a packet with any bit wrong: the connection ends, and nothing else happens",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        const { queries } = yield* server.counters
        const message = client.number(Api.encodeRequest(Api.updates.getState()))
        const { packet } = client.seal(message)
        for (let at = 8; at < packet.length; at += 7) {
          const wire = yield* connect(crypto, server)
          const damaged = packet.slice()
          damaged[at]! ^= 1 << (at % 8)
          wire.send(damaged)
          assert.deepStrictEqual(yield* wire.next, { _tag: "Closed" })
        }
        for (const length of [8, 24, 40, 72, packet.length - 16]) {
          const wire = yield* connect(crypto, server)
          wire.send(packet.slice(0, length))
          assert.deepStrictEqual(yield* wire.next, { _tag: "Closed" })
        }
        assert.strictEqual((yield* server.counters).queries, queries)
        yield* client.call(Api.updates.getState())
      })
  )

  withServer("random bytes in any framing", ({ crypto, server }) =>
    Effect.gen(function*() {
      const random = Random.make(20_261_125)
      for (let i = 0; i < 200; i++) {
        const framing = random.pick([Abridged, Full, Intermediate, PaddedIntermediate])
        const obfuscated = framing !== Full && random.below(2) === 0
        const wire = yield* connect(crypto, server, { framing, obfuscated })
        if (random.below(2) === 0) wire.sendRaw(random.bytes(1 + random.below(300)))
        else wire.send(random.bytes(4 + random.below(80) * 4))
        wire.close()
      }
      yield* isAlive(crypto, server)
      yield* Effect.repeat(server.counters, { until: (counters) => counters.connections === 0 })
    }).pipe(Effect.scoped))

  withServer("more connections than the limit are closed at once", ({ crypto, server }) =>
    Effect.gen(function*() {
      const first = yield* connect(crypto, server)
      yield* connect(crypto, server)
      const third = yield* connect(crypto, server)
      assert.deepStrictEqual(yield* third.next, { _tag: "Closed" })
      first.close()
      yield* Effect.repeat(server.counters, { until: (counters) => counters.connections === 1 })
      // a refused connection is gone a moment later than the client hears of it
      yield* Effect.retry(Effect.catchDefect(isAlive(crypto, server), Effect.fail), { times: 100 })
    }), { limits: { connections: 2 } })

  withVirtualTime(
    "a client that does not let go of a closed connection is cut off",
    ({ server }) =>
      Effect.gen(function*() {
        const socket = createConnection({ host: server.host, port: server.port, allowHalfOpen: true })
        const ended = yield* Effect.callback<Effect.Effect<void>>((resume) => {
          const closed = new Promise<void>((done) => socket.once("close", () => done()))
          socket.once("end", () => resume(Effect.succeed(Effect.promise(() => closed))))
          // a packet of an unknown key, and more of the same for ever
          const frame = Uint8Array.of(...Intermediate.tag, 104, 0, 0, 0, 1, ...new Uint8Array(103))
          socket.on("error", () => undefined)
          socket.resume()
          socket.write(frame)
          const timer = setInterval(() => void socket.write(frame), 1)
          socket.once("close", () => clearInterval(timer))
        })
        assert.strictEqual((yield* server.counters).connections, 0)
        yield* TestClock.adjust("6 seconds")
        yield* ended
      })
  )
})

describe("a hostile client with a key", () => {
  withServer("more sessions than fit one connection", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      yield* client.call(Api.help.getConfig())
      for (let i = 1n; i <= 3n; i++) {
        new TestClient.Client(crypto, client.wire, client.key, client.salt, i).send(encode.ping(i))
      }
      const other = new TestClient.Client(crypto, client.wire, client.key, client.salt, 9n)
      yield* other.takeEvent("Closed")
    }), { limits: { sessionsPerConnection: 3 } })

  withServer(
    "more sessions than fit one key: those without a connection go",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        for (let i = 1n; i <= 10n; i++) {
          const wire = yield* connect(crypto, server)
          const other = new TestClient.Client(crypto, wire, client.key, client.salt, i)
          other.send(encode.ping(i))
          yield* other.takeService("pong")
          wire.close()
          yield* Effect.repeat(server.counters, { until: (counters) => counters.connections === 1 })
        }
        const [device] = yield* server.devices(PHONE)
        assert.strictEqual(device?.sessions, 4)
        yield* client.call(Api.updates.getState())
      }),
    { limits: { sessionsPerKey: 4 } }
  )

  withServer(
    "keys that nobody logs in with are forgotten, oldest first",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        const oldest = yield* TestClient.open(crypto, server)
        for (let i = 0; i < 4; i++) yield* TestClient.open(crypto, server)
        assert.strictEqual((yield* server.counters).keys, 4)
        oldest.send(encode.ping(1n))
        assert.deepStrictEqual(yield* oldest.takeEvent("TransportError"), { _tag: "TransportError", code: -404 })
        yield* client.call(Api.updates.getState())
      }),
    { limits: { anonymousKeys: 3 } }
  )

  withServer(
    "any body, any number, any order: every other client is served",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const random = Random.make(7)
        const { client: witness } = yield* TestClient.user(crypto, server, PHONE)
        const { client } = yield* TestClient.user(crypto, server, "15550002")
        const honest = [
          Api.encodeRequest(Api.updates.getState()),
          Api.encodeRequest(Api.updates.getDifference({ pts: 1, qts: 1, date: 1 })),
          Api.encodeRequest(Api.contacts.resolvePhone({ phone: PHONE })),
          Api.encodeRequest(Api.messages.getDhConfig({ version: 0, randomLength: 16 })),
          Api.encodeRequest(Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] })),
          Api.encodeRequest(Api.upload.saveFilePart({ fileId: 1n, filePart: 0, bytes: new Uint8Array(64) })),
          Api.encodeRequest(Api.messages.receivedQueue({ maxQts: 1 })),
          encode.ping(1n),
          encode.ack([1n, 2n]),
          encode.stateReq([1n]),
          encode.getFutureSalts(70),
          encode.packed(gzipSync(Api.encodeRequest(Api.help.getConfig()))),
          Api.wrap(Api.invokeAfterMsg, { msgId: 1n }, Api.encodeRequest(Api.help.getConfig()))
        ]
        const mutate = (body: Uint8Array): Uint8Array => {
          const copy = body.slice()
          switch (random.below(5)) {
            case 0:
              copy[random.below(copy.length)]! ^= 1 << random.below(8)
              return copy
            case 1:
              return copy.slice(0, random.below(copy.length / 4) * 4)
            case 2:
              return new Uint8Array([...copy, ...random.bytes(random.below(10) * 4)])
            case 3:
              return random.bytes(random.below(20) * 4)
            default:
              return copy
          }
        }
        for (let i = 0; i < 3000; i++) {
          const messages = Array.from({ length: 1 + random.below(4) }, () => {
            const options = random.below(10) === 0
              ? { msgId: BigInt.asIntN(64, client.nextId() + BigInt(random.below(8) - 4)) }
              : {}
            return client.number(mutate(random.pick(honest)), { ...options, content: random.below(5) !== 0 })
          })
          if (messages.length === 1) client.sendMessage(messages[0]!)
          else client.sendContainer(messages)
          if (i % 100 !== 0) continue
          client.inbox = []
          yield* witness.call(Api.updates.getState())
        }
        client.inbox = []
        client.send(encode.ping(77n))
        yield* client.takeService("pong", (pong) => pong.pingId === 77n)
        const counters = yield* server.counters
        assert.isAbove(counters.failures, 500)
        const outcomes = new Set((yield* server.calls()).map((call) => call.outcome))
        assert.isFalse(outcomes.has("INTERNAL_SERVER_ERROR"))
      })
  )

  withServer(
    "answers that nobody reads: what is not read is not asked for either",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        yield* server.answer(Api.help.getInviteText, () => ({ _tag: "help.inviteText", message: "x".repeat(100_000) }))
        yield* server.faults.gzip("never")
        client.ack()
        client.wire.socket.pause()
        const query = Api.encodeRequest(Api.help.getInviteText())
        const ids: Array<bigint> = []
        for (let batch = 0; batch < 10; batch++) {
          const messages = Array.from({ length: 40 }, () => client.number(query))
          ids.push(...messages.map((message) => message.msgId))
          client.sendContainer(messages)
        }
        // somebody else is served meanwhile, and 40 MB of answers were not made
        for (let i = 0; i < 5; i++) yield* isAlive(crypto, server)
        const { counts, bytes } = yield* Effect.map(
          Effect.all([server.callCount("help.getInviteText"), server.counters]),
          ([counts, counters]) => ({ counts, bytes: counters.bytesSent })
        )
        assert.isBelow(counts, 250)
        assert.isBelow(bytes, 25_000_000)
        client.wire.socket.resume()
        for (const msgId of ids) yield* client.answerTo(msgId)
      }),
    { limits: { unreadBytes: 500_000 } }
  )

  withServer(
    "queries that were put off are not lost with the connection",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        yield* server.answer(Api.help.getInviteText, () => ({ _tag: "help.inviteText", message: "x".repeat(300_000) }))
        yield* server.faults.gzip("never")
        client.ack()
        client.wire.socket.pause()
        const messages = Array.from({ length: 60 }, () => client.number(Api.encodeRequest(Api.help.getInviteText())))
        client.sendContainer(messages)
        yield* server.awaitCalls("help.getInviteText")
        client.moveTo(yield* connect(crypto, server))
        for (const message of messages) {
          client.sendMessage(message)
          yield* client.answerTo(message.msgId)
        }
        assert.strictEqual(yield* server.callCount("help.getInviteText"), 60)
      }),
    { limits: { unreadBytes: 500_000 } }
  )

  withServer(
    "messages and files without end: the oldest messages go, and files have to wait",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        yield* server.createAccount({ phone: "15550002", firstName: "Bob" })
        const { users: [user] } = yield* client.call(Api.contacts.resolvePhone({ phone: "15550002" }))
        if (user?._tag !== "user") throw new Error("nobody")
        const peer = { _tag: "inputPeerUser", userId: user.id, accessHash: user.accessHash! } as const
        const outcomes = new Set<string>()
        for (let i = 1; i <= 200; i++) {
          yield* client.call(Api.messages.sendMessage({ peer, message: "x".repeat(4096), randomId: BigInt(i) }))
          const sent = Effect.andThen(
            client.call(Api.upload.saveFilePart({ fileId: BigInt(i), filePart: 0, bytes: new Uint8Array(10) })),
            client.call(Api.messages.sendMedia({
              peer,
              message: "",
              randomId: BigInt(1000 + i),
              media: {
                _tag: "inputMediaUploadedDocument",
                file: { _tag: "inputFile", id: BigInt(i), parts: 1, name: "", md5Checksum: "" },
                mimeType: "",
                attributes: [{ _tag: "documentAttributeFilename", fileName: "x".repeat(10_000) }]
              }
            }))
          )
          outcomes.add(yield* Effect.match(sent, { onFailure: (error) => error.type, onSuccess: () => "ok" }))
          client.inbox = []
        }
        assert.deepStrictEqual([...outcomes], ["ok", "FLOOD_WAIT_60"])
        assert.strictEqual((yield* server.messages("15550002")).length, 20)
        assert.isAtMost((yield* server.counters).fileBytes, 100_000)
      }),
    { limits: { mail: 20, fileBytes: 100_000 } }
  )

  withServer(
    "passwords to check without end: every one is answered, and few are computed at a time",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        yield* server.setPassword(PHONE, "secret")
        const query = Api.encodeRequest(Api.account.getPassword() as Api.AnyRequest)
        const messages = Array.from({ length: 100 }, () => client.number(query))
        client.sendContainer(messages)
        const outcomes = yield* Effect.forEach(
          messages,
          ({ msgId }) =>
            Effect.match(client.answerTo(msgId), { onFailure: (error) => error.type, onSuccess: () => "ok" })
        )
        const count = (wanted: string) => outcomes.filter((outcome) => outcome === wanted).length
        assert.isAtLeast(count("ok"), 16)
        assert.isAtLeast(count("FLOOD_WAIT_1"), 1)
        assert.strictEqual(count("ok") + count("FLOOD_WAIT_1"), 100)
      })
  )

  withServer("an account sees nothing of another's", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client: alice } = yield* TestClient.user(crypto, server, PHONE)
      const { client: eve } = yield* TestClient.user(crypto, server, "15550002")
      yield* alice.call(Api.contacts.importContacts({
        contacts: [{ _tag: "inputPhoneContact", clientId: 0n, phone: "15550002", firstName: "", lastName: "" }]
      }))
      const contacts = yield* eve.call(Api.contacts.getContacts({ hash: 0n }))
      assert.isTrue(contacts._tag === "contacts.contacts" && contacts.contacts.length === 0)
      const { authorizations } = yield* alice.call(Api.account.getAuthorizations())
      assert.strictEqual(authorizations.length, 1)
      const { authorizations: own } = yield* eve.call(Api.account.getAuthorizations())
      assert.strictEqual(own.length, 1)
      yield* alice.call(Api.upload.saveFilePart({ fileId: 5n, filePart: 0, bytes: new Uint8Array(100) }))
      // nor its messages, under whatever number
      yield* alice.call(
        Api.messages.sendMessage({ peer: { _tag: "inputPeerSelf" }, message: "a secret", randomId: 1n })
      )
      const ids = Array.from({ length: 100 }, (_, id) => ({ _tag: "inputMessageID", id }) as const)
      const found = yield* eve.call(Api.messages.getMessages({ id: ids }))
      assert.deepStrictEqual("messages" in found ? found.messages : undefined, [])
      yield* eve.call(Api.messages.deleteMessages({ id: ids.map(({ id }) => id), revoke: true }))
      assert.strictEqual((yield* server.messages(PHONE)).length, 1)
      // a session of one key says nothing to another key
      const thief = new TestClient.Client(crypto, eve.wire, eve.key, eve.salt, alice.sessionId)
      thief.send(encode.ping(1n))
      yield* thief.takeService("pong")
      assert.strictEqual(thief.inbox.filter((message) => message.service?._tag === "rpc_result").length, 0)
    }))
})
