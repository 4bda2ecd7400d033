import * as Api from "@effect-mtproto/core/Api"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as TempAuthKey from "@effect-mtproto/crypto/TempAuthKey"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Binding from "../src/internal/binding.ts"
import * as SessionStore from "../src/SessionStore.ts"
import * as SessionString from "../src/SessionString.ts"
import { fromHex, toHex } from "./utils/bytes.ts"
import { withCrypto } from "./utils/check.ts"
import { logIn, makeClient } from "./utils/live.ts"
import { authKey, HEADER, Peer, queries, QUERY, RESULT } from "./utils/sessionPeer.ts"

const BOOL_TRUE = fromHex("b5757299")
const BOOL_FALSE = fromHex("379779bc")
const bindTempAuthKey = Api.auth.bindTempAuthKey.params
const inner = TlCodec.make(MtprotoApi.bind_auth_key_inner)

const permanentBytes = Uint8Array.from({ length: 256 }, (_, i) => 255 - i)

const makePeer = (crypto: Crypto["Service"]) => {
  const permanentKey = SharedKey.make(crypto, permanentBytes)
  const peer = new Peer(crypto, { binding: { permanentKey, expiresAt: 1_705_800_000 } }).attach()
  /** What a call that binds says, if it is sound. */
  const read = (message: { readonly msgId: bigint; readonly body: Uint8Array }) => {
    const request = bindTempAuthKey.decode(message.body)
    const opened = Result.getOrThrow(
      TempAuthKey.open(crypto, { permanentKey, encrypted: request.encryptedMessage })
    )
    const said = inner.decode(opened.inner)
    assert.strictEqual(opened.msgId, message.msgId)
    assert.deepStrictEqual(said, {
      _tag: "bind_auth_key_inner",
      nonce: request.nonce,
      tempAuthKeyId: peer.key.id,
      permAuthKeyId: permanentKey.id,
      tempSessionId: peer.session.id,
      expiresAt: 1_705_800_000
    })
    return said
  }
  return { peer, read }
}

describe("Session on a temporary key", () => {
  withCrypto("the call that binds, byte by byte", (crypto) => {
    const fixed = {
      ...crypto,
      randomBytes: (length: number) => length === 8 ? NONCE : new Uint8Array(length).fill(0xcd)
    }
    const NONCE = fromHex("0706050403020100")
    const bytes = Binding.write(
      fixed,
      { permanentKey: SharedKey.make(crypto, permanentBytes), expiresAt: 1_735_689_600 },
      { temporaryKeyId: 0x0011223344556677n, sessionId: 0x0010203040506070n, msgId: 0x0011223344556677n }
    )
    assert.strictEqual(
      toHex(bytes),
      "052ad4cd" + "96d1b10e8f724a13" + "0706050403020100" + "80857467" + "68" +
        "96d1b10e8f724a137bb888c6aa9280ce9664b5279ec8e944bacb4c9772e1fbb439b1c5605cbedeb01d86458335146b2857b5af0a3cedd9af96ec" +
        "96f4cea213d51c73abe02e86de4d3e9e382788b92ed0d8d93563eb03ffd2c435ec4f393370d390921d44f5c82ebb" + "000000"
    )
  })

  withCrypto("sends nothing else before it is bound, and the header after", (crypto) => {
    const { peer, read } = makePeer(crypto)
    peer.query(1)
    const first = queries(peer.poll())
    assert.strictEqual(first.length, 1)
    read(first[0]!)
    assert.isUndefined(first[0]!.container)
    assert.deepStrictEqual(queries(peer.poll()), [])
    assert.isAbove(peer.session.wakeAt(), peer.now)
    peer.answer(first[0]!, BOOL_TRUE)
    assert.deepStrictEqual(peer.events(), [{ _tag: "Bound" }])
    const [query] = queries(peer.poll())
    assert.deepStrictEqual(query!.body, Uint8Array.of(...HEADER, ...QUERY(1)))
    peer.answer(query!, RESULT(1))
    assert.strictEqual(peer.events()[0]!._tag, "Answered")
  })

  withCrypto("a new identifier, or a new session, needs new proof", (crypto) => {
    const { peer, read } = makePeer(crypto)
    const [first] = queries(peer.poll())
    peer.salt = 8n
    const refusal = { badMsgId: first!.msgId, badMsgSeqno: first!.seqNo }
    peer.send({ _tag: "bad_server_salt", ...refusal, errorCode: 48, newServerSalt: 8n })
    const [second] = queries(peer.poll())
    assert.notStrictEqual(second!.msgId, first!.msgId)
    read(second!)
    const before = peer.session.id
    peer.send({ _tag: "bad_msg_notification", badMsgId: second!.msgId, badMsgSeqno: second!.seqNo, errorCode: 32 })
    const [third] = queries(peer.poll())
    assert.notStrictEqual(peer.session.id, before)
    read(third!)
  })

  withCrypto("on another connection the same proof goes out again", (crypto) => {
    const { peer } = makePeer(crypto)
    const [first] = queries(peer.poll())
    peer.session.detach()
    peer.attach()
    const [second] = queries(peer.poll())
    assert.strictEqual(second!.msgId, first!.msgId)
    assert.deepStrictEqual(second!.body, first!.body)
  })

  withCrypto("what the server refuses, or does not take, ends it", (crypto) => {
    const refused = makePeer(crypto).peer
    refused.query(1)
    refused.fail(queries(refused.poll())[0]!, 400, "ENCRYPTED_MESSAGE_INVALID")
    assert.deepStrictEqual(refused.events(), [
      { _tag: "BindingFailed", code: 400, message: "ENCRYPTED_MESSAGE_INVALID" }
    ])
    assert.deepStrictEqual(queries(refused.poll()), [])
    const denied = makePeer(crypto).peer
    denied.answer(queries(denied.poll())[0]!, BOOL_FALSE)
    assert.strictEqual(denied.events()[0]!._tag, "BindingFailed")
    const stubborn = makePeer(crypto).peer
    for (let i = 0; i < 6; i++) {
      const [message] = queries(stubborn.poll())
      const badMsgSeqno = message!.seqNo
      stubborn.send({ _tag: "bad_msg_notification", badMsgId: message!.msgId, badMsgSeqno, errorCode: 16 })
    }
    assert.deepInclude(stubborn.events(), {
      _tag: "BindingFailed",
      code: 0,
      message: "the server does not take the message"
    })
  })

  withCrypto("a server that has lost the binding gets it again, and then the query", (crypto) => {
    const { peer, read } = makePeer(crypto)
    peer.answer(queries(peer.poll())[0]!, BOOL_TRUE)
    peer.query(1)
    peer.fail(queries(peer.poll())[0]!, 401, "AUTH_KEY_PERM_EMPTY")
    const again = queries(peer.poll())
    assert.strictEqual(again.length, 1)
    read(again[0]!)
    peer.answer(again[0]!, BOOL_TRUE)
    assert.strictEqual(queries(peer.poll()).length, 1)
    assert.strictEqual(authKey.length, 256)
  })
})

const PHONE = "15550001"
const getUsers = Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] })
const BIND = Api.auth.bindTempAuthKey

const live = <A, E>(name: string, run: Effect.Effect<A, E, TestServer.TestServer | Scope.Scope>) =>
  it.live(name, () => run.pipe(Effect.scoped, Effect.provide(TestServer.layer())))

const prepare = Effect.fnUntraced(function*(overrides: Parameters<typeof makeClient>[0] = { forwardSecrecy: true }) {
  const server = yield* TestServer.TestServer
  yield* server.createAccount({ phone: PHONE, firstName: "Ann" })
  const client = yield* makeClient(overrides)
  const user = yield* logIn(client, PHONE)
  return { server, client, user }
})

describe("MtprotoTransport with forward secrecy", () => {
  live(
    "speaks with a temporary key, stores the permanent one, and is logged in with both",
    Effect.gen(function*() {
      const { client, server } = yield* prepare()
      assert.strictEqual(yield* server.callCount(BIND), 1)
      assert.strictEqual((yield* server.counters).keys, 2)
      const stored = yield* client.store.authKey(2)
      // the store's key is bound to the account, and no packet was encrypted with it
      assert.strictEqual(Redacted.value(stored!.key).length, 256)
      assert.strictEqual((yield* server.devices(PHONE)).length, 1)
      assert.strictEqual((yield* client.transport.invoke(getUsers))[0]!._tag, "user")
    })
  )

  live(
    "renews the key in time, and every call is answered once",
    Effect.gen(function*() {
      const { client, server, user } = yield* prepare({ forwardSecrecy: { keyLife: "4 seconds" } })
      let answered = 0
      const caller = yield* Effect.forkChild(Effect.forever(Effect.gen(function*() {
        const [self] = yield* client.transport.invoke(getUsers)
        assert.strictEqual(self!.id, user.id)
        answered++
        yield* Effect.sleep("10 millis")
      })))
      while ((yield* server.callCount(BIND)) < 3) yield* Effect.sleep("50 millis")
      assert.isUndefined(caller.pollUnsafe())
      const before = answered
      while (answered < before + 3) yield* Effect.sleep("10 millis")
      yield* Fiber.interrupt(caller)
      const failed = (yield* server.calls(Api.users.getUsers)).filter((call) => call.outcome !== "ok")
      assert.deepStrictEqual(failed, [])
    })
  )

  live(
    "a temporary key that the server has forgotten is replaced, and the login stays",
    Effect.gen(function*() {
      const { client, server, user } = yield* prepare()
      yield* server.faults.transportError(-404)
      assert.strictEqual((yield* client.transport.invoke(getUsers))[0]!.id, user.id)
      assert.strictEqual(yield* server.callCount(BIND), 2)
      assert.isDefined(yield* client.store.authKey(2))
    })
  )

  live(
    "one that is refused is replaced",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      yield* server.faults.failNext(BIND, { code: 400, type: "ENCRYPTED_MESSAGE_INVALID", times: 2 })
      const client = yield* makeClient({ forwardSecrecy: true })
      assert.strictEqual((yield* client.transport.invoke(Api.help.getConfig())).thisDc, 2)
      assert.strictEqual(yield* server.callCount(BIND), 3)
    })
  )

  live(
    "a server that never takes one: calls fail, nothing weaker is tried",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      yield* server.faults.failNext(BIND, { code: 400, type: "METHOD_INVALID", times: 1_000 })
      const client = yield* makeClient({ forwardSecrecy: true })
      const error = yield* Effect.flip(client.transport.invoke(Api.help.getConfig()))
      assert.deepInclude(error, { _tag: "TransportError", reason: "handshake" })
      assert.strictEqual(yield* server.callCount(Api.help.getConfig), 0)
    })
  )

  /** A store with a permanent key that is old, and that the server does not know. */
  const stale = (userId?: bigint) =>
    Layer.effectDiscard(Effect.gen(function*() {
      const store = yield* SessionStore.SessionStore
      yield* store.setAuthKey(2, {
        key: Redacted.make(permanentBytes),
        createdAt: 0,
        timeOffset: 0,
        salts: []
      })
      yield* store.setAccount(userId === undefined ? { dc: 2 } : { dc: 2, userId })
    })).pipe(Layer.provideMerge(SessionStore.layerMemory))

  live(
    "a permanent key that the server proves not to know ends a login, and is kept",
    Effect.gen(function*() {
      const client = yield* makeClient({ forwardSecrecy: true }, stale(1n))
      const error = yield* Effect.flip(client.transport.invoke(Api.help.getConfig()))
      assert.deepInclude(error, { _tag: "TransportError", reason: "unauthorized" })
      assert.deepStrictEqual(Redacted.value((yield* client.store.authKey(2))!.key), permanentBytes)
    })
  )

  live(
    "and without a login another one is agreed on",
    Effect.gen(function*() {
      const client = yield* makeClient({ forwardSecrecy: true }, stale())
      assert.strictEqual((yield* client.transport.invoke(Api.help.getConfig())).thisDc, 2)
      assert.notDeepEqual(Redacted.value((yield* client.store.authKey(2))!.key), permanentBytes)
    })
  )

  live(
    "an old permanent key that the server does know survives any refusal of temporary ones",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      yield* server.createAccount({ phone: PHONE, firstName: "Ann" })
      const [string, user] = yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* makeClient()
        const user = yield* logIn(client, PHONE)
        return [yield* client.run(SessionString.save()), user] as const
      }))
      yield* server.faults.failNext(BIND, { code: 400, type: "ENCRYPTED_MESSAGE_INVALID", times: 2 })
      const client = yield* makeClient({ forwardSecrecy: true }, SessionString.layer(string))
      assert.strictEqual((yield* client.transport.invoke(getUsers))[0]!.id, user.id)
      assert.strictEqual(yield* server.callCount(BIND), 3)
    })
  )
})
