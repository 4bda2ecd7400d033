import * as Api from "@effect-mtproto/core/Api"
import { Abridged } from "@effect-mtproto/core/framing/Abridged"
import { Full } from "@effect-mtproto/core/framing/Full"
import { PaddedIntermediate } from "@effect-mtproto/core/framing/PaddedIntermediate"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { deflateSync, gzipSync } from "node:zlib"
import * as TestServer from "../src/TestServer.ts"
import * as TestClient from "./support/client.ts"
import { withServer, withVirtualTime } from "./support/fixture.ts"
import { connect } from "./support/wire.ts"

const { encode } = TestClient
const PHONE = "+15550001"
const failure = <A>(effect: Effect.Effect<A, TestClient.RpcFailed>) =>
  Effect.map(Effect.flip(effect), (error) => `${error.code} ${error.type}`)

const config = Api.encodeRequest(Api.help.getConfig())
const configOf = (client: TestClient.Client, msgId: bigint) =>
  Effect.map(client.answerTo(msgId), (bytes) => Api.decodeResponse(Api.help.getConfig(), bytes))

describe("a session over the wire", () => {
  for (const framing of [Abridged, PaddedIntermediate, Full]) {
    withServer(`over ${framing.name}, with messages of any size`, ({ crypto, server }) =>
      Effect.gen(function*() {
        const client = yield* TestClient.open(crypto, server, { framing })
        yield* TestClient.logIn(server, client, PHONE)
        for (const size of [1, 500, 1000, 100_000, 524_288]) {
          const saved = yield* client.call(
            Api.upload.saveFilePart({ fileId: 1n, filePart: size % 8000, bytes: crypto.randomBytes(size) })
          )
          assert.isTrue(saved)
        }
      }))
  }

  withServer(
    "padding is at most 3 bytes, as some clients take no more off",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const client = yield* TestClient.open(crypto, server, { framing: PaddedIntermediate })
        const lengths: Array<number> = []
        let rest = Buffer.alloc(0)
        client.wire.socket.on("data", (chunk: Buffer) => {
          rest = Buffer.concat([rest, chunk])
          while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32LE(0)) {
            lengths.push(rest.readUInt32LE(0))
            rest = rest.subarray(4 + rest.readUInt32LE(0))
          }
        })
        for (let i = 0; i < 40; i++) yield* client.answerTo(client.send(TestClient.initialize(config)))
        assert.isAtLeast(lengths.length, 30)
        // an encrypted packet has 24 bytes and whole blocks of 16
        const padding = lengths.map((length) => (length - 24) % 16)
        assert.isAtMost(Math.max(...padding), 3)
        assert.isAbove(Math.max(...padding), 0)
      })
  )

  withServer("a session begins with its first message", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      const msgId = client.send(TestClient.initialize(config))
      const created = yield* client.takeService("new_session_created")
      assert.strictEqual(created.service.firstMsgId, msgId)
      assert.strictEqual(created.service.serverSalt, client.salt)
      yield* configOf(client, msgId)
    }))

  withServer("a wrong salt is refused, and the right one named", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      const msgId = client.send(TestClient.initialize(config), { salt: 0n })
      const bad = yield* client.takeService("bad_server_salt")
      assert.deepStrictEqual(bad.service, {
        _tag: "bad_server_salt",
        badMsgId: msgId,
        badMsgSeqno: 1,
        errorCode: 48,
        newServerSalt: client.salt
      })
      yield* configOf(client, client.send(TestClient.initialize(config)))
    }))

  withServer("salts change with the half hours", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      yield* client.call(Api.help.getConfig())
      client.send(encode.getFutureSalts(3))
      const { service: { salts } } = yield* client.takeService("future_salts")
      assert.strictEqual(salts[0]!.salt, client.salt)
      client.clock = () => Date.now() + 3_700_000
      yield* server.faults.clockSkew(3_700_000)
      client.send(encode.ping(1n))
      const bad = yield* client.takeService("bad_server_salt")
      assert.strictEqual(bad.service.newServerSalt, salts[2]!.salt)
      for (const { salt } of salts.slice(1)) {
        client.salt = salt
        client.send(encode.ping(salt))
        yield* client.takeService("pong", (pong) => pong.pingId === salt)
      }
    }))

  withServer("clocks that differ too much", ({ crypto, server }) =>
    Effect.gen(function*() {
      for (const [skew, code] of [[-60_000, 17], [400_000, 16]] as const) {
        yield* server.faults.clockSkew(skew)
        const client = yield* TestClient.open(crypto, server)
        const msgId = client.send(encode.ping(1n))
        const bad = yield* client.takeService("bad_msg_notification")
        assert.deepStrictEqual([bad.service.badMsgId, bad.service.errorCode], [msgId, code])
        // the refusal itself tells the time
        const told = Number(bad.msgId >> 32n) * 1000
        assert.isTrue(Math.abs(told - Date.now() - skew) < 5000)
      }
    }))

  withServer(
    "containers: every message is answered, the answers come in one",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const client = yield* TestClient.open(crypto, server)
        const messages = [
          client.number(TestClient.initialize(config)),
          client.number(encode.ping(7n), { content: false }),
          client.number(config),
          client.number(encode.getFutureSalts(1), { content: false })
        ]
        client.sendContainer(messages)
        for (const message of [messages[0]!, messages[2]!]) {
          const answer = yield* client.takeService("rpc_result", (result) => result.reqMsgId === message.msgId)
          assert.isTrue(answer.contained)
        }
        assert.isTrue((yield* client.takeService("pong")).contained)
        assert.strictEqual((yield* client.takeService("future_salts")).service.reqMsgId, messages[3]!.msgId)
      })
  )

  withServer(
    "a message that comes again is answered again, and not executed",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        const message = client.number(Api.encodeRequest(Api.updates.getState()))
        client.sendMessage(message)
        const first = yield* client.takeService("rpc_result", (result) => result.reqMsgId === message.msgId)
        client.sendMessage(message)
        const second = yield* client.takeService("rpc_result", (result) => result.reqMsgId === message.msgId)
        assert.deepStrictEqual(second.msgId, first.msgId)
        assert.strictEqual(yield* server.callCount("updates.getState"), 2)
        client.ack()
        client.sendMessage(message)
        const ack = yield* client.takeService("msgs_ack")
        assert.deepStrictEqual(ack.service.msgIds, [message.msgId])
      })
  )

  withServer("quick acknowledgements", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      const message = client.number(TestClient.initialize(config))
      const { quickAck } = client.sendMessage(message, { quickAck: true })
      assert.deepStrictEqual(yield* client.takeEvent("QuickAck"), { _tag: "QuickAck", token: quickAck })
    }))

  withServer(
    "an unknown session can be destroyed, another one too, oneself not",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const client = yield* TestClient.open(crypto, server)
        yield* client.call(Api.help.getConfig())
        const wire = yield* connect(crypto, server)
        const other = new TestClient.Client(crypto, wire, client.key, client.salt)
        yield* other.call(Api.help.getConfig())
        client.send(encode.destroySession(other.sessionId))
        assert.strictEqual((yield* client.takeService("destroy_session_ok")).service.sessionId, other.sessionId)
        yield* other.takeEvent("Closed")
        for (const sessionId of [other.sessionId, client.sessionId]) {
          client.send(encode.destroySession(sessionId))
          assert.strictEqual((yield* client.takeService("destroy_session_none")).service.sessionId, sessionId)
        }
      })
  )

  withServer(
    "a destroyed key is unknown afterwards, and its login ended",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        client.send(encode.destroyKey())
        yield* client.takeService("destroy_auth_key_ok")
        yield* client.takeEvent("Closed")
        assert.deepStrictEqual(yield* server.devices(PHONE), [])
        const wire = yield* connect(crypto, server)
        client.moveTo(wire)
        client.send(encode.ping(1n))
        assert.deepStrictEqual(yield* client.takeEvent("TransportError"), { _tag: "TransportError", code: -404 })
      })
  )

  withVirtualTime(
    "ping_delay_disconnect: silence ends the connection, another ping puts it off",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const client = yield* TestClient.open(crypto, server)
        let now = 0
        client.clock = () => now
        const advance = (seconds: number) =>
          Effect.suspend(() => {
            now += seconds * 1000
            return TestClock.adjust(seconds * 1000)
          })
        client.send(encode.pingDelayDisconnect(1n, 60))
        yield* client.takeService("pong")
        yield* advance(50)
        client.send(encode.pingDelayDisconnect(2n, 60))
        yield* client.takeService("pong", (pong) => pong.pingId === 2n)
        yield* advance(50)
        client.send(encode.ping(3n))
        yield* client.takeService("pong", (pong) => pong.pingId === 3n)
        yield* advance(11)
        yield* client.takeEvent("Closed")
      })
  )

  withVirtualTime(
    "a session without a connection is forgotten after ten minutes",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const client = yield* TestClient.open(crypto, server)
        let now = 0
        client.clock = () => now
        yield* client.call(Api.help.getConfig())
        yield* client.takeService("new_session_created")
        client.ack()
        client.send(encode.ping(1n))
        yield* client.takeService("pong")
        client.wire.close()
        for (const [minutes, isNew] of [[9, false], [11, true]] as const) {
          now += minutes * 60_000
          yield* TestClock.adjust(minutes * 60_000)
          client.moveTo(yield* connect(crypto, server))
          const created = yield* Effect.gen(function*() {
            client.send(encode.ping(BigInt(minutes)))
            yield* client.takeService("pong", (pong) => pong.pingId === BigInt(minutes))
            return client.inbox.filter((message) => message.service?._tag === "new_session_created").length
          })
          assert.strictEqual(created, isNew ? 1 : 0)
          client.wire.close()
          yield* TestClock.withLive(Effect.repeat(server.counters, { until: (counters) => counters.connections === 0 }))
        }
      })
  )
})

describe("wrappers", () => {
  const layer = (query: Uint8Array) => Api.wrap(Api.invokeWithLayer, { layer: 200 }, query)
  const init = (query: Uint8Array) =>
    Api.wrap(Api.initConnection, {
      apiId: 1,
      deviceModel: "test",
      systemVersion: "1",
      appVersion: "1",
      systemLangCode: "en",
      langPack: "",
      langCode: "en",
      proxy: { _tag: "inputClientProxy", address: "host", port: 1 },
      params: {
        _tag: "jsonObject",
        value: [{ _tag: "jsonObjectValue", key: "tz_offset", value: { _tag: "jsonNumber", value: 3600 } }]
      }
    }, query)
  const quiet = (query: Uint8Array) => Api.wrap(Api.invokeWithoutUpdates, {}, query)
  const after = (query: Uint8Array) => Api.wrap(Api.invokeAfterMsg, { msgId: 4n }, query)
  const afterAll = (query: Uint8Array) => Api.wrap(Api.invokeAfterMsgs, { msgIds: [4n, 8n] }, query)
  const gzip = (query: Uint8Array) => encode.packed(gzipSync(query))
  const zlib = (query: Uint8Array) => encode.packed(deflateSync(query))

  const orders: Record<string, ReadonlyArray<(query: Uint8Array) => Uint8Array>> = {
    "the documented order": [after, layer, init],
    "waiting inside": [layer, init, after],
    "without updates, around and inside": [quiet, layer, init, quiet],
    "compressed inside": [layer, init, after, zlib],
    "compressed around": [after, gzip, layer, init],
    "compressed everywhere": [gzip, layer, zlib, init, gzip, afterAll, zlib],
    "init first": [init, layer],
    "layer twice": [layer, layer, init]
  }
  for (const [name, wrappers] of Object.entries(orders)) {
    withServer(name, ({ crypto, server }) =>
      Effect.gen(function*() {
        const client = yield* TestClient.open(crypto, server)
        const query = wrappers.reduceRight((inner, wrap) => wrap(inner), config)
        assert.strictEqual((yield* configOf(client, client.send(query)))._tag, "config")
        const [call] = yield* server.calls("help.getConfig")
        assert.strictEqual(call?.layer, 200)
        // the layer stays with the key
        yield* configOf(client, client.send(config))
        assert.strictEqual((yield* server.calls("help.getConfig"))[1]?.layer, 200)
      }))
  }

  withServer("too many, or damaged ones", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      yield* client.call(Api.help.getConfig())
      const deep = Array.from({ length: 40 }, () => quiet).reduceRight((inner, wrap) => wrap(inner), config)
      for (
        const body of [
          deep,
          init(config).slice(0, 20),
          gzip(new Uint8Array(0)),
          layer(new Uint8Array(0)),
          layer(Uint8Array.of(1, 2))
        ]
      ) {
        const answer = yield* failure(client.answerTo(client.send(body.length % 4 === 0 ? body : body.slice(0, -2))))
        assert.strictEqual(answer, "400 INPUT_FETCH_ERROR")
      }
    }))

  withServer("a first call without headers is refused", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      const bare = [config, Api.encodeRequest(Api.updates.getState())]
      for (const body of bare) {
        assert.strictEqual(yield* failure(client.answerTo(client.send(body))), "400 CONNECTION_NOT_INITED")
      }
      const badLayer = Api.wrap(Api.invokeWithLayer, { layer: 0 }, config)
      assert.strictEqual(yield* failure(client.answerTo(client.send(badLayer))), "400 CONNECTION_LAYER_INVALID")
      const badId = Api.wrap(Api.initConnection, {
        apiId: 0,
        deviceModel: "",
        systemVersion: "",
        appVersion: "",
        systemLangCode: "",
        langPack: "",
        langCode: ""
      }, config)
      assert.strictEqual(yield* failure(client.answerTo(client.send(badId))), "400 CONNECTION_API_ID_INVALID")
    }))

  describe("invokeAfterMsg", () => {
    const waitFor = (msgId: bigint, query = config) => Api.wrap(Api.invokeAfterMsg, { msgId }, query)

    withServer("waits for a query that is not over", ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        yield* server.faults.delayNext("updates.getState", "100 millis")
        const slow = client.send(Api.encodeRequest(Api.updates.getState()))
        const next = client.send(waitFor(slow))
        const last = client.send(Api.wrap(Api.invokeAfterMsgs, { msgIds: [slow, next] }, config))
        yield* configOf(client, last)
        const order = client.inbox.filter((message) => message.service?._tag === "rpc_result").map((message) =>
          message.service?._tag === "rpc_result" ? message.service.reqMsgId : 0n
        )
        assert.deepStrictEqual(order.filter((msgId) => [slow, next].includes(msgId)), [slow, next])
      }))
    withServer("fails with the query that it waits for", ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        yield* server.faults.failNext("updates.getState", { code: 400, type: "ANYTHING" })
        const first = client.number(Api.encodeRequest(Api.updates.getState()))
        const second = client.number(waitFor(first.msgId))
        const third = client.number(waitFor(second.msgId))
        client.sendContainer([first, second, third])
        assert.strictEqual(yield* failure(client.answerTo(first.msgId)), "400 ANYTHING")
        assert.strictEqual(yield* failure(client.answerTo(second.msgId)), "400 MSG_WAIT_FAILED")
        assert.strictEqual(yield* failure(client.answerTo(third.msgId)), "400 MSG_WAIT_FAILED")
      }))
    withServer("waits no longer than half a second", ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        const missing = client.nextId()
        const waiting = client.send(waitFor(missing))
        assert.strictEqual(yield* failure(client.answerTo(waiting)), "-503 MSG_WAIT_TIMEOUT")
      }))
    withServer(
      "does not wait for what is over or belongs to another session",
      ({ crypto, server }) =>
        Effect.gen(function*() {
          const { client } = yield* TestClient.user(crypto, server, PHONE)
          const over = client.send(config)
          yield* configOf(client, over)
          yield* configOf(client, client.send(waitFor(over)))
          yield* configOf(client, client.send(waitFor(4n)))
        })
    )
    withServer("waits for a message that comes later", ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        const first = client.number(config)
        const second = client.number(waitFor(first.msgId))
        client.sendMessage(second)
        client.sendMessage(first)
        yield* configOf(client, second.msgId)
      }))
    withServer("a long chain needs no deep stack", ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        const messages = [client.number(config)]
        for (let i = 0; i < 900; i++) messages.push(client.number(waitFor(messages.at(-1)!.msgId)))
        client.sendContainer(messages.slice(1))
        client.sendMessage(messages[0]!)
        yield* configOf(client, messages.at(-1)!.msgId)
      }))
    withServer("no more queries wait than the limit says", ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        const missing = client.nextId()
        const ids = Array.from({ length: 4 }, () => client.send(waitFor(missing)))
        assert.strictEqual(yield* failure(client.answerTo(ids[3]!)), "-503 MSG_WAIT_TIMEOUT")
        assert.isFalse(client.inbox.some((message) =>
          message.service?._tag === "rpc_result" &&
          message.service.reqMsgId === ids[0]
        ))
      }), { limits: { waitingQueries: 3 } })
  })
})

describe("methods", () => {
  withServer("unknown ones: METHOD_INVALID", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, PHONE)
      assert.strictEqual(yield* failure(client.call(Api.help.getSupport())), "400 METHOD_INVALID")
      const nothing = client.send(Uint8Array.of(0x78, 0x56, 0x34, 0x12))
      assert.strictEqual(yield* failure(client.answerTo(nothing)), "400 METHOD_INVALID")
      const calls = yield* server.calls()
      assert.deepStrictEqual(calls.slice(-2).map((call) => [call.method, call.outcome]), [
        ["help.getSupport", "METHOD_INVALID"],
        ["#12345678", "METHOD_INVALID"]
      ])
    }))
  withServer(
    "damaged ones: INPUT_FETCH_ERROR; with too much behind: INPUT_REQUEST_TOO_LONG",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        const whole = Api.encodeRequest(Api.contacts.resolvePhone({ phone: "15550001" }))
        assert.strictEqual(
          yield* failure(client.answerTo(client.send(whole.slice(0, 8)))),
          "400 INPUT_FETCH_ERROR"
        )
        assert.strictEqual(
          yield* failure(client.answerTo(client.send(new Uint8Array([...whole, 0, 0, 0, 0])))),
          "400 INPUT_REQUEST_TOO_LONG"
        )
        yield* client.call(Api.updates.getState())
      })
  )
  withServer("that the user of the server answers", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, PHONE)
      yield* server.answer(Api.help.getInviteText, () => ({ _tag: "help.inviteText", message: "come in" }))
      assert.deepStrictEqual(yield* client.call(Api.help.getInviteText()), {
        _tag: "help.inviteText",
        message: "come in"
      })
      yield* server.answer(Api.account.updateStatus, ({ offline }) =>
        offline ? TestServer.rpcError(400, "NOT_YOU") : true)
      assert.isTrue(yield* client.call(Api.account.updateStatus({ offline: false })))
      assert.strictEqual(
        yield* failure(client.call(Api.account.updateStatus({ offline: true }))),
        "400 NOT_YOU"
      )
      yield* server.answer(Api.help.getInviteText, () =>
        ({ _tag: "help.inviteText" }) as never)
      assert.strictEqual(yield* failure(client.call(Api.help.getInviteText())), "500 INTERNAL_SERVER_ERROR")
      yield* client.call(Api.updates.getState())
    }))
  withServer("what it pays for is compressed, in gzip", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, PHONE)
      yield* server.answer(Api.help.getInviteText, () => ({ _tag: "help.inviteText", message: "a".repeat(5000) }))
      const isPacked = (result: MtprotoApi.rpc_result) => MtprotoApi.idOf(result.result) === 0x3072cfa1
      const ask = (request: Api.AnyRequest) =>
        Effect.suspend(() => {
          const msgId = client.send(Api.encodeRequest(request))
          return Effect.map(
            client.takeService("rpc_result", (result) => result.reqMsgId === msgId),
            ({ service }) => isPacked(service)
          )
        })
      assert.isTrue(yield* ask(Api.help.getInviteText()))
      assert.isFalse(yield* ask(Api.updates.getState()))
      yield* server.faults.gzip("always")
      assert.isTrue(yield* ask(Api.updates.getState()))
      yield* client.call(Api.updates.getState())
      yield* server.faults.gzip("never")
      assert.isFalse(yield* ask(Api.help.getInviteText()))
    }))
})

describe("reconnecting", () => {
  withServer(
    "answers and updates that were not acknowledged come again, under their numbers",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        const before = client.received.slice()
        assert.isAbove(before.length, 2)
        client.received = []
        client.moveTo(yield* connect(crypto, server))
        const ping = client.send(encode.ping(1n))
        yield* client.takeService("pong", (pong) => pong.msgId === ping)
        assert.deepStrictEqual(client.received, before)
        client.ack()
        client.moveTo(yield* connect(crypto, server))
        const again = client.send(encode.ping(2n))
        yield* client.takeService("pong", (pong) => pong.msgId === again)
        assert.deepStrictEqual(client.received, [])
      })
  )

  withServer("a query whose answer was lost is not executed twice", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, PHONE)
      yield* server.faults.disconnectOn("updates.getState", "after")
      const message = client.number(Api.encodeRequest(Api.updates.getState()))
      client.sendMessage(message)
      yield* client.takeEvent("Closed")
      client.moveTo(yield* connect(crypto, server))
      client.sendMessage(message)
      yield* client.answerTo(message.msgId)
      assert.strictEqual(yield* server.callCount("updates.getState"), 2)
    }))

  withServer(
    "a query that never arrived is executed when it comes again",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        yield* server.faults.disconnectOn("updates.getState", "before")
        const message = client.number(Api.encodeRequest(Api.updates.getState()))
        client.sendMessage(message)
        yield* client.takeEvent("Closed")
        assert.strictEqual(yield* server.callCount("updates.getState"), 1)
        client.moveTo(yield* connect(crypto, server))
        client.sendMessage(message)
        yield* client.answerTo(message.msgId)
        assert.strictEqual(yield* server.callCount("updates.getState"), 2)
      })
  )

  withServer("a session speaks over its newest connection", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, PHONE)
      const old = client.wire
      const wire = yield* connect(crypto, server)
      client.wire = wire
      client.ack()
      const received: Array<string> = []
      wire.subscribe((event) => received.push(event._tag))
      client.send(encode.ping(1n))
      yield* Effect.repeat(server.counters, { until: () => received.includes("Packet") })
      // the old one is still open, and may be used again
      client.wire = old
      const ping = client.send(encode.ping(2n))
      yield* client.takeService("pong", (pong) => pong.msgId === ping)
    }))

  withServer(
    "a new session on the same key gets what the old one missed by difference only",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, PHONE)
        const other = new TestClient.Client(crypto, yield* connect(crypto, server), client.key, client.salt)
        yield* other.call(Api.updates.getState())
        yield* other.takeService("new_session_created")
        assert.strictEqual(other.received.length, 2)
        const [device] = yield* server.devices(PHONE)
        assert.deepStrictEqual([device?.sessions, device?.connections], [2, 2])
      })
  )
})
