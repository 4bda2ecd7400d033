import * as Api from "@effect-mtproto/core/Api"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Srp from "@effect-mtproto/crypto/Srp"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Login from "../src/Login.ts"
import * as SessionStore from "../src/SessionStore.ts"
import { type Client, logIn, makeClient } from "./utils/live.ts"

const PHONE = "15550001"
const phone = Redacted.make(PHONE)
const getUsers = Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] })

const live = <A, E>(name: string, run: Effect.Effect<A, E, TestServer.TestServer | Scope.Scope>) =>
  it.live(name, () => run.pipe(Effect.scoped, Effect.provide(TestServer.layer())))

const prepare = Effect.gen(function*() {
  const server = yield* TestServer.TestServer
  yield* server.createAccount({ phone: PHONE, firstName: "Ann", code: "12345" })
  return { server, client: yield* makeClient() }
})

/** Logs in with these codes, one after the other; answers with the requests for them too. */
const attempt = (client: Client, ...codes: ReadonlyArray<string>) => {
  const requests: Array<Login.CodeRequest> = []
  const code = (request: Login.CodeRequest) =>
    Effect.sync(() => Redacted.make(codes[requests.push(request) - 1] ?? "no more"))
  return { requests, run: client.run(Login.phone({ phone, code })) }
}

describe("Login.phone", () => {
  live(
    "with the code: the user, remembered",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      const { requests, run } = attempt(client, "12345")
      const user = yield* run
      assert.deepInclude(user, { _tag: "user", self: true, firstName: "Ann", phone: PHONE })
      assert.strictEqual(requests[0]!.attempt, 1)
      assert.match(requests[0]!.type._tag, /^auth\.sentCodeType/)
      assert.deepStrictEqual(yield* client.store.account, { dc: server.dcId, userId: user.id })
      assert.deepStrictEqual(yield* client.mtproto.account, { dc: server.dcId, userId: user.id })
      assert.strictEqual((yield* client.transport.invoke(getUsers))[0]!.id, user.id)
    })
  )

  live(
    "a wrong code is asked for again",
    Effect.gen(function*() {
      const { client } = yield* prepare
      const { requests, run } = attempt(client, "00000", "", "12345")
      yield* run
      assert.deepStrictEqual(requests.map((request) => request.attempt), [1, 2, 3])
    })
  )

  live(
    "but not for ever",
    Effect.gen(function*() {
      const { client } = yield* prepare
      const { requests, run } = attempt(client, "1", "2", "3", "4")
      assert.deepInclude(yield* Effect.flip(run), { _tag: "PhoneCodeInvalid", code: 400 })
      assert.strictEqual(requests.length, 3)
      assert.deepStrictEqual(yield* client.mtproto.account, { dc: 2 })
    })
  )

  live(
    "what a prompt fails with is the result",
    Effect.gen(function*() {
      const { client } = yield* prepare
      const error = yield* Effect.flip(
        client.run(Login.phone({ phone, code: () => Effect.fail("cancelled" as const) }))
      )
      assert.strictEqual(error, "cancelled")
    })
  )

  live(
    "the errors of the server have their tags",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      for (
        const [method, type, tag] of [
          [Api.auth.sendCode, "PHONE_NUMBER_BANNED", "PhoneNumberBanned"],
          [Api.auth.sendCode, "PHONE_NUMBER_INVALID", "PhoneNumberInvalid"],
          [Api.auth.signIn, "PHONE_CODE_EXPIRED", "PhoneCodeExpired"]
        ] as const
      ) {
        yield* server.faults.failNext(method, { code: 400, type })
        assert.deepInclude(yield* Effect.flip(attempt(client, "12345").run), { _tag: tag })
      }
    })
  )

  live(
    "a number without an account",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      const client = yield* makeClient()
      const error = yield* Effect.flip(logIn(client, "15559999"))
      assert.include(["LoginError", "PhoneNumberUnoccupied"], error._tag)
      assert.isUndefined((yield* client.mtproto.account).userId)
      assert.isDefined(server)
    })
  )

  live(
    "a server that was restarted meanwhile",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      yield* server.faults.failNext(Api.auth.sendCode, { code: 500, type: "AUTH_RESTART", times: 2 })
      yield* attempt(client, "12345").run
    })
  )

  live(
    "an account with a password, and nobody to ask for it",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      yield* server.faults.failNext(Api.auth.signIn, { code: 401, type: "SESSION_PASSWORD_NEEDED" })
      const error = yield* Effect.flip(attempt(client, "12345").run)
      assert.deepStrictEqual(error, new Login.LoginError({ reason: "password" }))
    })
  )

  live(
    "an account with a password: proved, without being sent",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      const crypto = yield* Effect.provide(Crypto, yield* Layer.build(NodeCrypto.layer))
      const algorithm = {
        p: DiffieHellman.wellKnownPrime(),
        g: 3,
        salt1: new Uint8Array(8).fill(1),
        salt2: new Uint8Array(16).fill(2)
      }
      const verifier = yield* Srp.verifier(crypto, { algorithm, password: Redacted.make("secret") })
      const group = yield* DiffieHellman.checkGroup(crypto, algorithm)
      const challenge = yield* Srp.challenge(crypto, group, verifier)
      yield* server.answer(Api.account.getPassword, (): Api.account.Password => ({
        _tag: "account.password",
        hasPassword: true,
        currentAlgo: {
          _tag: "passwordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow",
          ...algorithm
        },
        srpB: challenge.srpB,
        srpId: 77n,
        hint: "the usual",
        newAlgo: { _tag: "passwordKdfAlgoUnknown" },
        newSecureAlgo: { _tag: "securePasswordKdfAlgoUnknown" },
        secureRandom: new Uint8Array(0)
      }))
      const proofs: Array<Api.inputCheckPasswordSRP> = []
      yield* server.answer(Api.auth.checkPassword, ({ password }): Api.auth.Authorization | TestServer.RpcFailure => {
        if (password._tag === "inputCheckPasswordSRP") proofs.push(password)
        return proofs.length < 2
          ? TestServer.rpcError(400, "PASSWORD_HASH_INVALID")
          : { _tag: "auth.authorization", user: { _tag: "user", self: true, id: 9n, firstName: "Ann" } }
      })
      yield* server.faults.failNext(Api.auth.signIn, { code: 401, type: "SESSION_PASSWORD_NEEDED" })
      const requests: Array<Login.PasswordRequest> = []
      const user = yield* client.run(Login.phone({
        phone,
        code: () => Effect.succeed(Redacted.make("12345")),
        password: (request) => Effect.sync(() => Redacted.make(requests.push(request) === 1 ? "guess" : "secret"))
      }))
      assert.strictEqual(user.id, 9n)
      assert.deepStrictEqual(requests, [{ hint: "the usual", attempt: 1 }, { hint: "the usual", attempt: 2 }])
      const check = (proof: Api.inputCheckPasswordSRP) =>
        Srp.verify(crypto, { group, salts: algorithm, verifier, challenge, proof: { a: proof.A, m1: proof.M1 } })
      assert.deepStrictEqual(yield* Effect.forEach(proofs, check), [false, true])
    })
  )

  live(
    "two-step verification by the server's own account of it",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      yield* server.setPassword(PHONE, "secret", "the usual")
      const asked: Array<Login.PasswordRequest> = []
      yield* client.run(Login.phone({
        phone,
        code: () => Effect.succeed(Redacted.make("12345")),
        password: (request) => Effect.sync(() => Redacted.make(asked.push(request) === 1 ? "guess" : "secret"))
      }))
      assert.deepStrictEqual(asked, [{ hint: "the usual", attempt: 1 }, { hint: "the usual", attempt: 2 }])
      const [self] = yield* client.transport.invoke(Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] }))
      assert.strictEqual(self?._tag === "user" && self.firstName, "Ann")
    })
  )

  live(
    "an account in another data centre: the client moves there",
    Effect.gen(function*() {
      const here = yield* TestServer.TestServer
      const there = yield* TestServer.make({ dcId: 4 })
      yield* there.createAccount({ phone: PHONE, firstName: "Ann", code: "12345" })
      yield* here.faults.failNext(Api.auth.sendCode, { code: 303, type: "PHONE_MIGRATE_4" })
      const client = yield* makeClient({
        datacenters: [
          { id: here.dcId, host: here.host, port: here.port },
          { id: 4, host: there.host, port: there.port }
        ]
      })
      const { run } = attempt(client, "12345")
      const user = yield* run
      assert.deepStrictEqual(yield* client.store.account, { dc: 4, userId: user.id })
      assert.strictEqual((yield* client.transport.invoke(Api.help.getConfig())).thisDc, 4)
      assert.strictEqual((yield* here.counters).connections, 0)
    })
  )

  live(
    "or cannot, if it does not know where that is",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      yield* server.faults.failNext(Api.auth.sendCode, { code: 303, type: "PHONE_MIGRATE_4" })
      const error = yield* Effect.flip(attempt(client, "12345").run)
      assert.deepInclude(error, { _tag: "TransportError", reason: "configuration", method: "auth.sendCode" })
    })
  )

  live(
    "no error shows number, code or password",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      yield* server.faults.failNext(Api.auth.signIn, { code: 400, type: "PHONE_CODE_EXPIRED" })
      const error = yield* Effect.flip(attempt(client, "98765").run)
      const text = `${JSON.stringify(error)} ${String(error)} ${(error as Error).stack}`
      assert.notInclude(text, PHONE)
      assert.notInclude(text, "98765")
    })
  )
})

describe("Login.logOut", () => {
  live(
    "forgets everything, and the client can log in again",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      yield* attempt(client, "12345").run
      const before = Redacted.value((yield* client.store.authKey(2))!.key)
      yield* client.run(Login.logOut)
      assert.isUndefined((yield* client.store.account)?.userId)
      assert.deepInclude(yield* Effect.flip(client.transport.invoke(getUsers)), { code: 401 })
      assert.deepStrictEqual(yield* server.devices(PHONE), [])
      yield* attempt(client, "12345").run
      assert.strictEqual((yield* client.transport.invoke(getUsers)).length, 1)
      assert.notDeepEqual(Redacted.value((yield* client.store.authKey(2))!.key), before)
    })
  )

  live(
    "on the server ends the updates with a typed error",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      yield* attempt(client, "12345").run
      yield* server.logOut(PHONE)
      assert.deepInclude(yield* Effect.flip(client.transport.invoke(getUsers)), {
        code: 401,
        type: "AUTH_KEY_UNREGISTERED"
      })
      const error = yield* Effect.flip(Stream.runDrain(client.transport.updates))
      assert.deepInclude(error, { _tag: "TransportError", reason: "unauthorized" })
    })
  )
})

describe("MtprotoTransport: restart from a SQLite file", () => {
  live(
    "needs no login and no new key",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      yield* server.createAccount({ phone: PHONE, firstName: "Ann", code: "12345" })
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "transport-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      const store = () =>
        SessionStore.layerUnsealedSql().pipe(
          Layer.provide(SqliteClient.layer({ filename: join(directory, "session.sqlite") }))
        )
      const first = yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* makeClient({}, store())
        return yield* attempt(client, "12345").run
      }))
      yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* makeClient({}, store())
        assert.deepStrictEqual(yield* client.mtproto.account, { dc: server.dcId, userId: first.id })
        assert.strictEqual((yield* client.transport.invoke(getUsers))[0]!.id, first.id)
      }))
      assert.strictEqual((yield* server.counters).keys, 1)
      assert.strictEqual(yield* server.callCount(Api.auth.sendCode), 1)
    })
  )
})
