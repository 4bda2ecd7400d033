import * as Api from "@effect-mtproto/core/Api"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Datacenter from "../src/Datacenter.ts"
import * as Login from "../src/Login.ts"
import { layerMemory, SessionStore } from "../src/SessionStore.ts"
import * as SessionString from "../src/SessionString.ts"
import { authKey, strings } from "./fixtures/sessionStrings.ts"
import { logIn, makeClient } from "./utils/live.ts"

const parse = (string: string) => SessionString.parse(Redacted.make(string))

/** What a string says, with its key told apart. */
const said = (string: string) => {
  const { authKey: key, ...rest } = Result.getOrThrow(parse(string))
  assert.deepStrictEqual(Redacted.value(key), authKey)
  return rest
}

describe("SessionString.parse", () => {
  it("reads what other libraries have written", () => {
    assert.deepStrictEqual(said(strings.telethon), { format: "telethon", dc: 2, testServers: false })
    assert.deepStrictEqual(said(strings.telethonIpv6), { format: "telethon", dc: 4, testServers: false })
    assert.deepStrictEqual(said(strings.telethonTest), { format: "telethon", dc: 2, testServers: true })
    assert.deepStrictEqual(said(strings.gramjs), { format: "gramjs", dc: 2, testServers: false })
    assert.deepStrictEqual(said(strings.gramjsWeb), { format: "gramjs", dc: 4, testServers: false })
    const pyrogram = { format: "pyrogram", testServers: false, isBot: false } as const
    assert.deepStrictEqual(said(strings.pyrogram), { ...pyrogram, dc: 2, apiId: 12_345, userId: 7_777_777_777n })
    assert.deepStrictEqual(said(strings.pyrogramTestBot), {
      format: "pyrogram",
      dc: 3,
      apiId: 1,
      testServers: true,
      userId: 42n,
      isBot: true
    })
    assert.deepStrictEqual(said(strings.pyrogramOld), { ...pyrogram, dc: 1, userId: 4_242n })
    assert.deepStrictEqual(said(strings.pyrogramOld64), { ...pyrogram, dc: 5, userId: 7_777_777_777n })
    assert.deepStrictEqual(said(strings.mtcute), {
      format: "mtcute",
      dc: 2,
      testServers: false,
      userId: 7_777_777_777n,
      isBot: false
    })
    assert.deepStrictEqual(said(strings.mtcuteTest), { format: "mtcute", dc: 2, testServers: true })
  })

  it("refuses everything else, and shows nothing of it", () => {
    for (const string of Object.values(strings)) {
      for (const bad of [string.slice(0, -8), string.slice(8), `${string}AAAA`, `!${string}`, "x".repeat(5_000)]) {
        const parsed = parse(bad)
        if (Result.isSuccess(parsed)) throw new Error(`taken: ${parsed.success.format}`)
        assert.include(["unknown", "malformed"], parsed.failure.reason)
        assert.notInclude(JSON.stringify(parsed.failure), string.slice(20, 40))
      }
    }
    for (const bad of ["", "1", "3", "nonsense", "effect-mtproto:1:", "effect-mtproto:2:AAAA"]) {
      assert.isTrue(Result.isFailure(parse(bad)), bad)
    }
  })

  it("a key of zeros is none", () => {
    const zeros = Redacted.make(new Uint8Array(256))
    const string = SessionString.stringify({ dc: 2, authKey: zeros, testServers: false })
    const parsed = SessionString.parse(string)
    assert.isTrue(Result.isFailure(parsed) && parsed.failure.reason === "malformed")
  })
})

describe("SessionString: writing", () => {
  const key = Redacted.make(authKey)

  it("our own string says everything", () => {
    const data = {
      dc: 4,
      authKey: key,
      testServers: true,
      userId: -5n,
      updateState: { pts: 1, qts: 2, date: 1_700_000_000, seq: 3 }
    }
    const string = SessionString.stringify(data)
    assert.notInclude(String(string) + JSON.stringify(string), "effect-mtproto:1:")
    assert.match(Redacted.value(string), /^effect-mtproto:1:[\w-]+$/)
    const { authKey: _, ...rest } = data
    assert.deepStrictEqual(said(Redacted.value(string)), { format: "effect-mtproto", ...rest })
    assert.deepStrictEqual(
      said(Redacted.value(SessionString.stringify({ dc: 1, authKey: key, testServers: false }))),
      { format: "effect-mtproto", dc: 1, testServers: false }
    )
  })

  it("mtcute's string is what mtcute writes, byte for byte", () => {
    const string = SessionString.toMtcute({ dc: 2, authKey: key, testServers: true })
    assert.strictEqual(Redacted.value(Result.getOrThrow(string)), strings.mtcuteTest)
    const withUser = SessionString.toMtcute({ dc: 2, authKey: key, testServers: false, userId: 7_777_777_777n })
    assert.deepInclude(said(Redacted.value(Result.getOrThrow(withUser))), { format: "mtcute", userId: 7_777_777_777n })
    assert.isTrue(Result.isFailure(SessionString.toMtcute({ dc: 9, authKey: key, testServers: false })))
    const datacenters = Datacenter.productionIpv6
    assert.isTrue(Result.isSuccess(
      SessionString.toMtcute({ dc: 5, authKey: key, testServers: false }, { datacenters })
    ))
  })
})

describe("SessionString and stores", () => {
  it.live("a login moves from one program to another, by our string and by a foreign one", () =>
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      yield* server.createAccount({ phone: "15550001", firstName: "Ann" })
      const [own, foreign, user] = yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* makeClient()
        const user = yield* logIn(client, "15550001")
        const data = yield* client.run(SessionString.read())
        const { userId: _, ...anonymous } = data
        return [
          yield* client.run(SessionString.save()),
          Result.getOrThrow(SessionString.toMtcute(anonymous)),
          user
        ] as const
      }))
      for (const string of [own, foreign]) {
        yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* makeClient({}, SessionString.layer(string))
          const resumed = yield* client.run(Login.resume)
          assert.strictEqual(resumed.id, user.id)
          assert.strictEqual((yield* client.store.account)!.userId, user.id)
          assert.strictEqual((yield* client.transport.invoke(Api.help.getConfig())).thisDc, 2)
          const error = yield* Effect.flip(client.run(SessionString.load(string)))
          assert.deepInclude(error, { _tag: "SessionStringError", reason: "occupied" })
        }))
      }
      assert.strictEqual((yield* server.devices("15550001")).length, 1)
    }).pipe(Effect.scoped, Effect.provide(TestServer.layer())))

  it.live("nobody is logged in", () =>
    Effect.gen(function*() {
      const client = yield* makeClient()
      assert.strictEqual((yield* Effect.flip(client.run(SessionString.save())))._tag, "SessionStringError")
      assert.deepInclude(yield* Effect.flip(client.run(Login.resume)), { type: "AUTH_KEY_UNREGISTERED" })
    }).pipe(Effect.scoped, Effect.provide(TestServer.layer())))

  it.effect("a string that cannot be read leaves the store alone", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(SessionString.load(Redacted.make("nonsense")))
      assert.deepInclude(error, { _tag: "SessionStringError", reason: "unknown" })
      assert.isUndefined(yield* Effect.flatMap(SessionStore, (store) => store.account))
    }).pipe(Effect.provide(layerMemory)))
})
