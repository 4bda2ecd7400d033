import * as Api from "@effect-mtproto/core/Api"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { generateKeyPairSync } from "node:crypto"
import * as TestServer from "../src/TestServer.ts"
import type { TestServerError } from "../src/TestServerError.ts"
import * as TestClient from "./support/client.ts"
import { withServer, withVirtualTime } from "./support/fixture.ts"
import { connect } from "./support/wire.ts"

const { encode } = TestClient
const ALICE = "+15550001"
const BOB = "+15550002"
const state = Api.encodeRequest(Api.updates.getState())

const failure = <A>(effect: Effect.Effect<A, TestClient.RpcFailed>) =>
  Effect.map(Effect.flip(effect), (error) => `${error.code} ${error.type}`)

describe("faults", () => {
  withServer("failNext: so many calls, of one account or of all", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client: alice } = yield* TestClient.user(crypto, server, ALICE)
      const { client: bob } = yield* TestClient.user(crypto, server, BOB)
      yield* server.faults.failNext("updates.getState", { code: 420, type: "FLOOD_WAIT_3", times: 2, account: BOB })
      yield* server.faults.failNext(Api.updates.getState, { code: 500, type: "WORKER_BUSY_TOO_LONG_RETRY" })
      const call = (client: TestClient.Client) => client.call(Api.updates.getState())
      assert.strictEqual(yield* failure(call(bob)), "420 FLOOD_WAIT_3")
      assert.strictEqual(yield* failure(call(alice)), "500 WORKER_BUSY_TOO_LONG_RETRY")
      yield* call(alice)
      assert.strictEqual(yield* failure(call(bob)), "420 FLOOD_WAIT_3")
      yield* call(bob)
      const outcomes = (yield* server.calls("updates.getState")).map((each) => [each.phone, each.outcome])
      assert.deepStrictEqual(outcomes.slice(2), [
        ["15550002", "FLOOD_WAIT_3"],
        ["15550001", "WORKER_BUSY_TOO_LONG_RETRY"],
        ["15550001", "ok"],
        ["15550002", "FLOOD_WAIT_3"],
        ["15550002", "ok"]
      ])
    }))

  withServer(
    "failNext: methods that the server does not have, and calls before login",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const client = yield* TestClient.open(crypto, server)
        yield* server.faults.failNext("help.getSupport", { code: 303, type: "PHONE_MIGRATE_4" })
        assert.strictEqual(yield* failure(client.call(Api.help.getSupport())), "303 PHONE_MIGRATE_4")
        assert.strictEqual(yield* failure(client.call(Api.help.getSupport())), "400 METHOD_INVALID")
      })
  )

  withServer(
    "dropAnswer: executed, but answered only on a new connection",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, ALICE)
        yield* server.faults.dropAnswer("updates.getState")
        const msgId = client.send(state)
        yield* server.awaitCalls("updates.getState", 2)
        client.send(encode.ping(1n))
        yield* client.takeService("pong")
        const isAnswered = () =>
          client.inbox.some((message) => message.service?._tag === "rpc_result" && message.service.reqMsgId === msgId)
        assert.isFalse(isAnswered())
        client.moveTo(yield* connect(crypto, server))
        client.send(encode.ping(2n))
        yield* client.answerTo(msgId)
        assert.strictEqual(yield* server.callCount("updates.getState"), 2)
      })
  )

  withServer("dropAnswer: or to whoever asks what became of the query", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, ALICE)
      yield* server.faults.dropAnswer("updates.getState")
      const msgId = client.send(state)
      client.send(encode.stateReq([msgId]))
      const info = yield* client.takeService("msgs_state_info")
      assert.deepStrictEqual([...info.service.info], [4 | 32 | 64])
      yield* client.answerTo(msgId)
    }))

  withVirtualTime("delayNext: slow queries are acknowledged first", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      client.clock = () => 0
      yield* TestClient.logIn(server, client, ALICE)
      yield* server.faults.delayNext("updates.getState", "3 seconds")
      const msgId = client.send(state)
      const ack = yield* client.takeService("msgs_ack")
      assert.deepStrictEqual(ack.service.msgIds, [msgId])
      assert.strictEqual(yield* server.callCount("updates.getState"), 0)
      yield* TestClock.adjust("3 seconds")
      yield* client.answerTo(msgId)
    }))

  withServer("delayNext: what is dropped meanwhile is not executed", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, ALICE)
      yield* server.faults.delayNext("updates.getState", "1 hour")
      const msgId = client.send(state)
      const drop = client.send(encode.dropAnswer(msgId))
      const result = yield* client.answerTo(drop)
      assert.strictEqual(MtprotoApi.idOf(result), 0xcd78e586)
      yield* client.call(Api.updates.getState())
      assert.strictEqual(yield* server.callCount("updates.getState"), 2)
    }))

  withServer("duplicateAnswer: the same message twice", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, ALICE)
      yield* server.faults.duplicateAnswer("updates.getState")
      const msgId = client.send(state)
      const first = yield* client.takeService("rpc_result", (result) => result.reqMsgId === msgId)
      const second = yield* client.takeService("rpc_result", (result) => result.reqMsgId === msgId)
      assert.deepStrictEqual({ ...second, contained: false }, { ...first, contained: false })
    }))

  withServer(
    "announceAnswer: the answer is named, and comes when it is asked for",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, ALICE)
        yield* server.faults.announceAnswer("updates.getState")
        const msgId = client.send(state)
        const { service } = yield* client.takeService("msg_detailed_info")
        assert.strictEqual(service.msgId, msgId)
        client.send(encode.resendReq([service.answerMsgId]), { content: false })
        const answer = yield* client.takeService("rpc_result", (result) => result.reqMsgId === msgId)
        assert.strictEqual(answer.msgId, service.answerMsgId)
        assert.strictEqual(answer.body.length, service.bytes)
      })
  )

  withServer("dropConnections: of one account, or all", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client: alice } = yield* TestClient.user(crypto, server, ALICE)
      const { client: bob } = yield* TestClient.user(crypto, server, BOB)
      yield* connect(crypto, server)
      assert.strictEqual(yield* server.faults.dropConnections(ALICE), 1)
      yield* alice.takeEvent("Closed")
      yield* bob.call(Api.updates.getState())
      yield* Effect.repeat(server.counters, { until: (counters) => counters.connections === 2 })
      assert.strictEqual(yield* server.faults.dropConnections(), 2)
      yield* bob.takeEvent("Closed")
    }))

  withServer("badServerSalt and badMessage: of one account", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client: alice } = yield* TestClient.user(crypto, server, ALICE)
      const { client: bob } = yield* TestClient.user(crypto, server, BOB)
      yield* server.faults.badServerSalt({ account: ALICE })
      yield* server.faults.badMessage(17, { account: ALICE })
      yield* bob.call(Api.updates.getState())
      const first = alice.send(state)
      assert.strictEqual((yield* alice.takeService("bad_server_salt")).service.badMsgId, first)
      const second = alice.send(state)
      const bad = yield* alice.takeService("bad_msg_notification")
      assert.deepStrictEqual([bad.service.badMsgId, bad.service.errorCode], [second, 17])
      yield* alice.call(Api.updates.getState())
    }))

  for (const code of [-404, -429]) {
    withServer(`transportError ${code}`, ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, ALICE)
        yield* server.faults.transportError(code)
        client.send(encode.ping(1n))
        assert.deepStrictEqual(yield* client.takeEvent("TransportError"), { _tag: "TransportError", code })
        yield* client.takeEvent("Closed")
        client.moveTo(yield* connect(crypto, server))
        client.send(encode.ping(2n))
        yield* client.takeService("pong")
      }))
  }

  withServer(
    "forgetSessions: new_session_created in the middle of a session",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        const { client } = yield* TestClient.user(crypto, server, ALICE)
        const first = yield* client.takeService("new_session_created")
        yield* server.faults.forgetSessions(ALICE)
        const msgId = client.send(state)
        const second = yield* client.takeService("new_session_created")
        assert.strictEqual(second.service.firstMsgId, msgId)
        assert.notStrictEqual(second.service.uniqueId, first.service.uniqueId)
        yield* client.answerTo(msgId)
      })
  )

  describe("updates", () => {
    const chat = Effect.fnUntraced(function*(
      crypto: Crypto["Service"],
      server: TestServer.TestServer["Service"]
    ) {
      const { client: alice } = yield* TestClient.user(crypto, server, ALICE)
      const { client: bob } = yield* TestClient.user(crypto, server, BOB)
      const { users: [user] } = yield* alice.call(Api.contacts.resolvePhone({ phone: BOB }))
      if (user?._tag !== "user") throw new Error("no user")
      const userId = { _tag: "inputUser", userId: user.id, accessHash: user.accessHash! } as const
      const gA = new Uint8Array(256).fill(17)
      const waiting = yield* alice.call(Api.messages.requestEncryption({ userId, randomId: 7, gA }))
      const { update } = yield* bob.takeUpdate("updateEncryption")
      if (update.chat._tag !== "encryptedChatRequested" || waiting._tag !== "encryptedChatWaiting") {
        throw new Error("no chat")
      }
      yield* bob.call(Api.messages.acceptEncryption({
        peer: { _tag: "inputEncryptedChat", chatId: 7, accessHash: update.chat.accessHash },
        gB: gA,
        keyFingerprint: 1n
      }))
      const peer = { _tag: "inputEncryptedChat", chatId: 7, accessHash: waiting.accessHash } as const
      const send = (randomId: bigint) =>
        alice.call(Api.messages.sendEncrypted({ peer, randomId, data: new Uint8Array(40) }))
      return { alice, bob, send }
    })
    const next = (client: TestClient.Client) =>
      Effect.map(client.takeUpdate("updateNewEncryptedMessage"), ({ update }) => update.qts)

    withServer("qtsGap: a number is left out", ({ crypto, server }) =>
      Effect.gen(function*() {
        const { bob, send } = yield* chat(crypto, server)
        yield* send(1n)
        yield* server.faults.qtsGap(BOB, 3)
        yield* send(2n)
        assert.deepStrictEqual([yield* next(bob), yield* next(bob)], [2, 6])
        const found = yield* bob.call(Api.updates.getDifference({ pts: 1, qts: 2, date: 1 }))
        assert.isTrue(
          found._tag === "updates.difference" && found.state.qts === 6 &&
            found.newEncryptedMessages.length === 1
        )
      }))
    withServer("dropUpdates: queued, not pushed", ({ crypto, server }) =>
      Effect.gen(function*() {
        const { bob, send } = yield* chat(crypto, server)
        yield* server.faults.dropUpdates(BOB, 2)
        for (const randomId of [1n, 2n, 3n]) yield* send(randomId)
        assert.strictEqual(yield* next(bob), 4)
        const found = yield* bob.call(Api.updates.getDifference({ pts: 1, qts: 1, date: 1 }))
        assert.strictEqual("newEncryptedMessages" in found ? found.newEncryptedMessages.length : 0, 3)
      }))
    withServer("updatesTooLong: in place of what is on its way", ({ crypto, server }) =>
      Effect.gen(function*() {
        const { bob } = yield* chat(crypto, server)
        yield* server.faults.updatesTooLong(BOB)
        yield* bob.takeFirst((message) => message.updates?._tag === "updatesTooLong" ? true : undefined)
      }))
    withServer("differenceTooLong and differenceLimit", ({ crypto, server }) =>
      Effect.gen(function*() {
        const { bob, send } = yield* chat(crypto, server)
        for (const randomId of [1n, 2n, 3n]) yield* send(randomId)
        const ask = bob.call(Api.updates.getDifference({ pts: 1, qts: 1, date: 2_000_000_000 }))
        yield* server.faults.differenceTooLong()
        assert.deepStrictEqual(yield* ask, { _tag: "updates.differenceTooLong", pts: 1 })
        yield* server.faults.differenceLimit(1)
        const slice = yield* ask
        assert.isTrue(slice._tag === "updates.differenceSlice" || slice._tag === "updates.difference")
        yield* server.faults.differenceLimit(undefined)
        const whole = yield* ask
        assert.isTrue(whole._tag === "updates.difference" && whole.newEncryptedMessages.length === 3)
      }))
    withServer("a session that asked for none gets none", ({ crypto, server }) =>
      Effect.gen(function*() {
        const { bob, send } = yield* chat(crypto, server)
        const quiet = new TestClient.Client(crypto, yield* connect(crypto, server), bob.key, bob.salt)
        const query = Api.wrap(Api.invokeWithoutUpdates, {}, Api.encodeRequest(Api.updates.getState()))
        yield* quiet.answerTo(quiet.send(TestClient.initialize(query)))
        yield* send(1n)
        yield* next(bob)
        quiet.send(encode.ping(1n))
        yield* quiet.takeService("pong")
        assert.isFalse(quiet.inbox.some((message) => message.updates !== undefined))
      }))
    withServer(
      "a client that is away gets its updates when it is back",
      ({ crypto, server }) =>
        Effect.gen(function*() {
          const { bob, send } = yield* chat(crypto, server)
          bob.ack()
          bob.send(encode.ping(0n))
          yield* bob.takeService("pong")
          yield* server.faults.dropConnections(BOB)
          yield* bob.takeEvent("Closed")
          for (const randomId of [1n, 2n, 3n]) yield* send(randomId)
          bob.moveTo(yield* connect(crypto, server))
          bob.send(encode.ping(1n))
          assert.deepStrictEqual([yield* next(bob), yield* next(bob), yield* next(bob)], [2, 3, 4])
        })
    )
    withServer("a client that stays away is told to fetch them", ({ crypto, server }) =>
      Effect.gen(function*() {
        const { bob, send } = yield* chat(crypto, server)
        yield* server.faults.dropConnections(BOB)
        yield* bob.takeEvent("Closed")
        yield* server.faults.updatesTooLong(BOB)
        yield* send(1n)
        bob.moveTo(yield* connect(crypto, server))
        bob.send(encode.ping(1n))
        yield* bob.takeFirst((message) => message.updates?._tag === "updatesTooLong" ? true : undefined)
      }))
  })

  withServer("containers can be switched off", ({ crypto, server }) =>
    Effect.gen(function*() {
      yield* server.faults.containers(false)
      const client = yield* TestClient.open(crypto, server)
      yield* client.call(Api.help.getConfig())
      assert.isFalse((yield* client.takeService("new_session_created")).contained)
    }))

  withServer("checks can be switched off", ({ crypto, server }) =>
    Effect.gen(function*() {
      yield* server.faults.acceptance({ time: false, salt: false, sequence: false })
      const client = yield* TestClient.open(crypto, server)
      client.clock = () => 1_000_000
      const query = TestClient.initialize(Api.encodeRequest(Api.help.getConfig()))
      yield* client.answerTo(client.send(query, { salt: 12n, seqNo: 0 }))
    }))

  withServer("clear takes back what was not used", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, ALICE)
      yield* server.faults.failNext("updates.getState", { code: 400, type: "NO" })
      yield* server.faults.badServerSalt()
      yield* server.faults.transportError(-404)
      yield* server.faults.handshake("dhGen.fail")
      yield* server.faults.dropUpdates(ALICE)
      yield* server.faults.differenceTooLong()
      yield* server.faults.clear
      yield* client.call(Api.updates.getState())
      yield* TestClient.open(crypto, server)
    }))
})

describe("the control surface", () => {
  withServer("accounts are checked", ({ server }) =>
    Effect.gen(function*() {
      const reason = (effect: Effect.Effect<unknown, TestServerError>) =>
        Effect.map(Effect.flip(effect), (error) => error.reason)
      const ann = yield* server.createAccount({
        phone: "+1 (555) 000-1",
        firstName: "Ann",
        username: "ann_lee",
        botToken: "t"
      })
      assert.deepStrictEqual(ann, { id: ann.id, phone: "15550001", firstName: "Ann", username: "ann_lee", isBot: true })
      const bob = yield* server.createAccount({ phone: BOB, firstName: "Bob" })
      assert.notStrictEqual(bob.id, ann.id)
      const create = (options: Partial<TestServer.AccountOptions>) =>
        reason(server.createAccount({ phone: "15550009", firstName: "X", ...options }))
      assert.strictEqual(yield* create({ phone: "x" }), "InvalidPhone")
      assert.strictEqual(yield* create({ phone: "15550001" }), "PhoneTaken")
      assert.strictEqual(yield* create({ username: "Ann_Lee" }), "UsernameTaken")
      assert.strictEqual(yield* create({ botToken: "t" }), "TokenTaken")
      assert.strictEqual(yield* create({ id: ann.id }), "IdTaken")
      assert.strictEqual(yield* create({ id: 0n }), "IdTaken")
      for (
        const effect of [
          server.deleteAccount("15559999"),
          server.logOut("15559999"),
          server.devices("15559999"),
          server.faults.qtsGap("15559999"),
          server.faults.dropConnections("15559999"),
          server.faults.failNext("a", { code: 1, type: "B", account: "15559999" }),
          server.faults.badServerSalt({ account: "nonsense" })
        ]
      ) assert.strictEqual(yield* reason(effect), "UnknownAccount")
      assert.strictEqual(yield* reason(server.loginCode("?")), "InvalidPhone")
      assert.strictEqual(yield* server.loginCode(BOB), yield* server.loginCode("1 555 0002"))
    }))

  withServer("calls can be waited for, and forgotten", ({ crypto, server }) =>
    Effect.gen(function*() {
      const waiting = yield* Effect.forkChild(server.awaitCalls("help.getConfig", 2), { startImmediately: true })
      const client = yield* TestClient.open(crypto, server)
      yield* client.call(Api.help.getConfig())
      assert.isUndefined(waiting.pollUnsafe())
      yield* client.call(Api.help.getConfig())
      const calls = yield* Fiber.join(waiting)
      assert.strictEqual(calls.length, 2)
      assert.deepStrictEqual(calls[0]?.request, { _tag: "help.getConfig" } as never)
      yield* server.clearCalls
      assert.deepStrictEqual(yield* server.calls(), [])
      const never = yield* Effect.forkChild(server.awaitCalls("help.getConfig"), { startImmediately: true })
      yield* Fiber.interrupt(never)
    }))

  withServer("two servers know nothing of each other", ({ crypto, server }) =>
    Effect.gen(function*() {
      const other = yield* TestServer.make()
      const { client } = yield* TestClient.user(crypto, server, ALICE)
      assert.notStrictEqual(other.port, server.port)
      assert.strictEqual((yield* other.counters).keys, 0)
      client.moveTo(yield* connect(crypto, other))
      client.send(encode.ping(1n))
      assert.deepStrictEqual(yield* client.takeEvent("TransportError"), { _tag: "TransportError", code: -404 })
    }))

  it.live("closing the scope breaks off the connections and frees the port", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const scope = yield* Scope.make()
      const server = yield* TestServer.make().pipe(Scope.provide(scope))
      const client = yield* TestClient.open(crypto, server)
      yield* server.faults.delayNext("help.getConfig", "1 hour")
      client.send(TestClient.initialize(Api.encodeRequest(Api.help.getConfig())))
      client.send(encode.pingDelayDisconnect(1n, 3600))
      yield* client.takeService("pong")
      yield* Scope.close(scope, Exit.void)
      yield* client.takeEvent("Closed")
      const again = yield* TestServer.make({ port: server.port })
      assert.strictEqual(again.port, server.port)
      const error = yield* Effect.flip(TestServer.make({ port: server.port }))
      assert.strictEqual(error.reason, "Listen")
    }).pipe(Effect.scoped, Effect.provide(NodeCrypto.layer)))

  it.live("a key of one's own", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const pem = (modulusLength: number) =>
        generateKeyPairSync("rsa", {
          modulusLength,
          privateKeyEncoding: { type: "pkcs8", format: "pem" },
          publicKeyEncoding: { type: "pkcs1", format: "pem" }
        })
      const { privateKey, publicKey } = pem(2048)
      const server = yield* TestServer.make({ privateKey })
      assert.strictEqual(server.publicKeyPem.trim(), publicKey.trim())
      yield* TestClient.open(crypto, server)
      for (const bad of ["nonsense", pem(1024).privateKey, publicKey]) {
        const error = yield* Effect.flip(TestServer.make({ privateKey: bad }))
        assert.strictEqual(error.reason, "InvalidKey")
        assert.isFalse(error.message.includes("BEGIN"))
      }
    }).pipe(Effect.scoped, Effect.provide(NodeCrypto.layer)))

  it.live("as a layer", () =>
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      assert.strictEqual(server.host, "127.0.0.1")
      assert.strictEqual(server.dcId, 3)
      yield* TestClient.user(yield* Crypto, server, ALICE)
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(TestServer.layer({ dcId: 3 }), NodeCrypto.layer))))
})
