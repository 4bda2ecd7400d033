import * as Api from "@effect-mtproto/core/Api"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Login from "../src/Login.ts"
import { logIn, makeClient } from "./utils/live.ts"

const PHONE = "15550001"

const live = <A, E>(name: string, run: Effect.Effect<A, E, TestServer.TestServer | Scope.Scope>) =>
  it.live(name, () => run.pipe(Effect.scoped, Effect.provide(TestServer.layer())))

const prepare = Effect.gen(function*() {
  const server = yield* TestServer.TestServer
  yield* server.createAccount({ phone: PHONE, firstName: "Ann" })
  return { server, client: yield* makeClient() }
})

const tokenOf = (event: Login.QrEvent): Uint8Array => {
  if (event._tag !== "Token") throw new Error("not a token")
  const [prefix, token] = Redacted.value(event.url).split("=")
  assert.strictEqual(prefix, "tg://login?token")
  return Result.getOrThrow(Base64Url.decode(token!))
}

const authorization: Api.auth.Authorization = {
  _tag: "auth.authorization",
  user: { _tag: "user", self: true, id: 9n, firstName: "Ann" }
}

const seconds = () => Math.floor(Date.now() / 1_000)

describe("Login.qr", () => {
  live(
    "a code that another device accepts",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      const other = yield* makeClient()
      yield* logIn(other, PHONE)
      const events = yield* Queue.unbounded<Login.QrEvent>()
      const fiber = yield* Effect.forkScoped(
        client.run(Stream.runForEach(Login.qr(), (event) => Queue.offer(events, event)))
      )
      const shown = yield* Queue.take(events)
      assert.notInclude(JSON.stringify(shown), "tg://", "a token is a secret")
      const token = tokenOf(shown)
      const accepted = yield* other.transport.invoke(Api.auth.acceptLoginToken({ token }))
      assert.strictEqual(accepted._tag, "authorization")
      // long before the code would have been replaced
      const last = yield* Effect.timeout(Queue.take(events), "10 seconds")
      assert.strictEqual(last._tag === "LoggedIn" ? last.user.phone : undefined, PHONE)
      yield* Fiber.join(fiber)
      assert.isDefined((yield* client.store.account)!.userId)
      assert.strictEqual((yield* server.devices(PHONE)).length, 2)
      const again = yield* Effect.flip(other.transport.invoke(Api.auth.acceptLoginToken({ token })))
      assert.strictEqual(again._tag, "AuthTokenInvalidx")
    })
  )

  live(
    "codes are replaced before they expire",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      let n = 0
      yield* server.answer(Api.auth.exportLoginToken, () => ({
        _tag: "auth.loginToken",
        token: Uint8Array.of(++n),
        expires: seconds() + 4
      }))
      const started = Date.now()
      const events = yield* client.run(Stream.runCollect(Stream.take(Login.qr(), 3)))
      assert.deepStrictEqual(events.map((event) => [...tokenOf(event)]), [[1], [2], [3]])
      assert.isBelow(Date.now() - started, 7_000)
      assert.isUndefined((yield* client.store.account)?.userId)
    })
  )

  live(
    "an account that lives in another data centre",
    Effect.gen(function*() {
      const { server } = yield* prepare
      const away = yield* TestServer.make({ dcId: 4 })
      const client = yield* makeClient({
        datacenters: [server, away].map(({ dcId, host, port }) => ({ id: dcId, host, port }))
      })
      const token = Uint8Array.of(1, 2, 3)
      yield* server.answer(Api.auth.exportLoginToken, () => ({ _tag: "auth.loginTokenMigrateTo", dcId: 4, token }))
      yield* away.answer(Api.auth.importLoginToken, (request) => {
        assert.deepStrictEqual(request.token, token)
        return { _tag: "auth.loginTokenSuccess", authorization }
      })
      const events = yield* client.run(Stream.runCollect(Login.qr()))
      assert.strictEqual(events.length, 1)
      assert.deepStrictEqual(yield* client.store.account, { dc: 4, userId: 9n })
    })
  )

  live(
    "a code that has expired on the way there is asked for again, not for ever",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      yield* server.answer(Api.auth.exportLoginToken, () => ({
        _tag: "auth.loginTokenMigrateTo",
        dcId: 2,
        token: Uint8Array.of(1)
      }))
      yield* server.answer(Api.auth.importLoginToken, () => TestServer.rpcError(400, "AUTH_TOKEN_EXPIRED"))
      const error = yield* Effect.flip(client.run(Stream.runDrain(Login.qr())))
      assert.strictEqual(error._tag, "AuthTokenExpired")
      assert.strictEqual(yield* server.callCount(Api.auth.importLoginToken), 4)
    })
  )

  live(
    "an account with a password, and nobody to ask for it",
    Effect.gen(function*() {
      const { client, server } = yield* prepare
      yield* server.answer(Api.auth.exportLoginToken, () => TestServer.rpcError(401, "SESSION_PASSWORD_NEEDED"))
      const error = yield* Effect.flip(client.run(Stream.runDrain(Login.qr())))
      assert.deepStrictEqual(error, new Login.LoginError({ reason: "password" }))
    })
  )
})

describe("Login.bot", () => {
  live(
    "with its token: the bot, remembered; secret chats are not for it",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      yield* server.createAccount({ phone: PHONE, firstName: "Robot", botToken: "1:secret" })
      const client = yield* makeClient()
      const user = yield* client.run(Login.bot({ token: Redacted.make("1:secret") }))
      assert.deepInclude(user, { bot: true, firstName: "Robot" })
      assert.deepStrictEqual(yield* client.store.account, { dc: 2, userId: user.id })
      const error = yield* Effect.flip(
        client.transport.invoke(Api.messages.getDhConfig({ version: 0, randomLength: 0 }))
      )
      assert.deepInclude(error, { type: "BOT_METHOD_INVALID" })
    })
  )

  live(
    "a wrong token is a typed error that does not show it",
    Effect.gen(function*() {
      const client = yield* makeClient()
      const error = yield* Effect.flip(client.run(Login.bot({ token: Redacted.make("1:wrong") })))
      assert.strictEqual(error._tag, "AccessTokenInvalid")
      assert.notInclude(JSON.stringify(error) + error.message, "wrong")
    })
  )
})
