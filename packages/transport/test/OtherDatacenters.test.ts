import * as Api from "@effect-mtproto/core/Api"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { logIn, makeClient } from "./utils/live.ts"

const PHONE = "15550001"

const live = <A, E>(name: string, run: Effect.Effect<A, E, TestServer.TestServer | Scope.Scope>) =>
  it.live(name, () => run.pipe(Effect.scoped, Effect.provide(TestServer.layer())))

const getFile = Api.upload.getFile({
  location: { _tag: "inputEncryptedFileLocation", id: 1n, accessHash: 2n },
  offset: 0n,
  limit: 4_096
})

const file = (byte: number): Api.upload.file => ({
  _tag: "upload.file",
  type: { _tag: "storage.fileUnknown" },
  mtime: 0,
  bytes: Uint8Array.of(byte)
})

/** Two data centres, of which the second takes a login that was carried over. */
const prepare = Effect.fnUntraced(function*(configured = true) {
  const home = yield* TestServer.TestServer
  const away = yield* TestServer.make({ dcId: 4 })
  const address = (server: TestServer.TestServer["Service"]) => ({
    id: server.dcId,
    host: server.host,
    port: server.port
  })
  yield* home.createAccount({ phone: PHONE, firstName: "Ann" })
  const client = yield* makeClient({ datacenters: configured ? [home, away].map(address) : [address(home)] })
  const user = yield* logIn(client, PHONE)
  let exported = 0
  let isImported = false
  const bytes = () => Uint8Array.of(7, exported)
  yield* home.answer(Api.auth.exportAuthorization, ({ dcId }) => {
    assert.strictEqual(dcId, 4)
    exported++
    return { _tag: "auth.exportedAuthorization", id: user.id, bytes: bytes() }
  })
  yield* away.answer(Api.auth.importAuthorization, (request) => {
    assert.deepStrictEqual(request, { id: user.id, bytes: bytes() })
    isImported = true
    return { _tag: "auth.authorization", user }
  })
  yield* away.answer(
    Api.upload.getFile,
    () => isImported ? file(4) : TestServer.rpcError(401, "AUTH_KEY_UNREGISTERED")
  )
  const forget = () => {
    isImported = false
  }
  return { home, away, client, forget, invoke: client.transport.invoke }
})

describe("MtprotoTransport: other data centres", () => {
  live(
    "a call that names one carries the login over, once for many calls",
    Effect.gen(function*() {
      const { away, client, home, invoke } = yield* prepare()
      const results = yield* Effect.forEach(
        Array.from({ length: 8 }),
        () => invoke(getFile, { dc: 4 }),
        { concurrency: "unbounded" }
      )
      for (const result of results) assert.deepStrictEqual(result, file(4))
      assert.strictEqual(yield* home.callCount(Api.auth.exportAuthorization), 1)
      assert.strictEqual(yield* away.callCount(Api.auth.importAuthorization), 1)
      // the key of its own is kept for the next time
      assert.isDefined(yield* client.store.authKey(4))
      assert.strictEqual((yield* client.store.account)!.dc, 2)
    })
  )

  live(
    "FILE_MIGRATE is followed, for this call only",
    Effect.gen(function*() {
      const { away, home, invoke } = yield* prepare()
      yield* home.faults.failNext(Api.upload.getFile, { code: 303, type: "FILE_MIGRATE_4" })
      assert.deepStrictEqual(yield* invoke(getFile), file(4))
      assert.strictEqual((yield* invoke(Api.help.getConfig())).thisDc, 2)
      assert.strictEqual(yield* away.callCount(Api.help.getConfig), 0)
    })
  )

  live(
    "a login that was forgotten there is carried over again",
    Effect.gen(function*() {
      const { away, forget, invoke } = yield* prepare()
      yield* invoke(getFile, { dc: 4 })
      forget()
      assert.deepStrictEqual(yield* invoke(getFile, { dc: 4 }), file(4))
      assert.strictEqual(yield* away.callCount(Api.auth.importAuthorization), 2)
    })
  )

  live(
    "what was exported too long ago is exported again, not for ever",
    Effect.gen(function*() {
      const { away, home, invoke } = yield* prepare()
      const type = "AUTH_BYTES_INVALID"
      yield* away.faults.failNext(Api.auth.importAuthorization, { code: 400, type })
      assert.deepStrictEqual(yield* invoke(getFile, { dc: 4 }), file(4))
      assert.strictEqual(yield* home.callCount(Api.auth.exportAuthorization), 2)
    })
  )

  live(
    "an address that is not configured is asked for",
    Effect.gen(function*() {
      const { away, home, invoke } = yield* prepare(false)
      const error = yield* Effect.flip(invoke(getFile, { dc: 4 }))
      assert.deepInclude(error, { _tag: "TransportError", reason: "configuration" })
      yield* home.answer(Api.help.getConfig, () => configWith(away))
      assert.deepStrictEqual(yield* invoke(getFile, { dc: 4 }), file(4))
    })
  )

  live(
    "an address that does not answer is followed by the next",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      const client = yield* makeClient({
        datacenters: [
          // nobody listens there
          { id: 2, host: "127.0.0.1", port: 1 },
          { id: 2, host: server.host, port: server.port }
        ]
      })
      assert.strictEqual((yield* client.transport.invoke(Api.help.getConfig())).thisDc, 2)
    })
  )

  live(
    "a call can do without updates",
    Effect.gen(function*() {
      const { home, invoke } = yield* prepare()
      const config = yield* invoke(Api.help.getConfig(), { withoutUpdates: true })
      assert.strictEqual(config.thisDc, home.dcId)
    })
  )
})

const configWith = (server: TestServer.TestServer["Service"]): Api.Config => ({
  _tag: "config",
  date: 0,
  expires: 3_600,
  testMode: false,
  thisDc: 2,
  dcOptions: [
    { _tag: "dcOption", id: 4, ipAddress: "::1", port: 1, ipv6: true },
    { _tag: "dcOption", id: 4, ipAddress: "127.0.0.1", port: 1, cdn: true },
    { _tag: "dcOption", id: 4, ipAddress: "127.0.0.1", port: 2, mediaOnly: true },
    { _tag: "dcOption", id: 4, ipAddress: server.host, port: server.port }
  ],
  dcTxtDomainName: "",
  chatSizeMax: 0,
  megagroupSizeMax: 0,
  forwardedCountMax: 0,
  onlineUpdatePeriodMs: 0,
  offlineBlurTimeoutMs: 0,
  offlineIdleTimeoutMs: 0,
  onlineCloudTimeoutMs: 0,
  notifyCloudDelayMs: 0,
  notifyDefaultDelayMs: 0,
  pushChatPeriodMs: 0,
  pushChatLimit: 0,
  editTimeLimit: 0,
  revokeTimeLimit: 0,
  revokePmTimeLimit: 0,
  ratingEDecay: 0,
  stickersRecentLimit: 0,
  channelsReadMediaPeriod: 0,
  callReceiveTimeoutMs: 0,
  callRingTimeoutMs: 0,
  callConnectTimeoutMs: 0,
  callPacketTimeoutMs: 0,
  meUrlPrefix: "",
  captionLengthMax: 0,
  messageLengthMax: 0,
  webfileDcId: 0
})
