import * as Api from "@effect-mtproto/core/Api"
import * as MessageKey from "@effect-mtproto/crypto/MessageKey"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClient from "./support/client.ts"
import { withServer } from "./support/fixture.ts"

const PHONE = "+1 555 0001"
const failure = <A>(effect: Effect.Effect<A, TestClient.RpcFailed>) =>
  Effect.map(Effect.flip(effect), (error) => `${error.code} ${error.type}`)

const sendCode = (client: TestClient.Client, phoneNumber = PHONE) =>
  Effect.map(
    client.call(Api.auth.sendCode({ phoneNumber, apiId: 1, apiHash: "hash", settings: { _tag: "codeSettings" } })),
    (sent) => {
      if (sent._tag !== "auth.sentCode") throw new Error(sent._tag)
      return sent
    }
  )

describe("login", () => {
  withServer("by phone and code", ({ crypto, server }) =>
    Effect.gen(function*() {
      const account = yield* server.createAccount({
        phone: PHONE,
        firstName: "Ann",
        lastName: "Lee",
        username: "ann_lee"
      })
      const client = yield* TestClient.open(crypto, server)
      const sent = yield* sendCode(client)
      assert.deepStrictEqual(sent.type, { _tag: "auth.sentCodeTypeApp", length: 5 })
      const authorization = yield* client.call(Api.auth.signIn({
        phoneNumber: "15550001",
        phoneCodeHash: sent.phoneCodeHash,
        phoneCode: yield* server.loginCode("1-555-0001")
      }))
      const user = authorization._tag === "auth.authorization" ? authorization.user : undefined
      assert.deepStrictEqual(user?._tag === "user" ? { ...user, accessHash: 0n } : undefined, {
        _tag: "user",
        self: true,
        id: account.id,
        accessHash: 0n,
        firstName: "Ann",
        lastName: "Lee",
        username: "ann_lee",
        phone: "15550001"
      })
      const [self] = yield* client.call(Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] }))
      assert.deepStrictEqual(self, user)
      // a code lets in once
      const again = client.call(Api.auth.signIn({
        phoneNumber: PHONE,
        phoneCodeHash: sent.phoneCodeHash,
        phoneCode: yield* server.loginCode(PHONE)
      }))
      assert.strictEqual(yield* failure(again), "400 PHONE_CODE_EXPIRED")
    }))

  withServer("with what is wrong", ({ crypto, server }) =>
    Effect.gen(function*() {
      yield* server.createAccount({ phone: PHONE, firstName: "Ann", code: "12345" })
      assert.strictEqual(yield* server.loginCode(PHONE), "12345")
      const client = yield* TestClient.open(crypto, server)
      assert.strictEqual(yield* failure(sendCode(client, "nonsense")), "406 PHONE_NUMBER_INVALID")
      const anonymous = client.call(
        Api.auth.sendCode({ phoneNumber: PHONE, apiId: 0, apiHash: "", settings: { _tag: "codeSettings" } })
      )
      assert.strictEqual(yield* failure(anonymous), "400 API_ID_INVALID")
      const { phoneCodeHash } = yield* sendCode(client)
      const signIn = (change: object) =>
        failure(
          client.call(Api.auth.signIn({ phoneNumber: PHONE, phoneCodeHash, phoneCode: "12345", ...change }))
        )
      assert.strictEqual(yield* signIn({ phoneCodeHash: "other" }), "400 PHONE_CODE_EXPIRED")
      assert.strictEqual(yield* signIn({ phoneNumber: "15559999" }), "400 PHONE_CODE_EXPIRED")
      assert.strictEqual(yield* signIn({ phoneCode: "" }), "400 PHONE_CODE_EMPTY")
      assert.strictEqual(yield* signIn({ phoneCode: undefined }), "400 PHONE_CODE_EMPTY")
      for (let i = 0; i < 5; i++) assert.strictEqual(yield* signIn({ phoneCode: "54321" }), "400 PHONE_CODE_INVALID")
      assert.strictEqual(yield* signIn({}), "400 PHONE_CODE_EXPIRED")
      assert.strictEqual(yield* failure(client.call(Api.updates.getState())), "401 AUTH_KEY_UNREGISTERED")
    }))

  withServer(
    "a code belongs to the key that asked for it, and lives five minutes",
    ({ crypto, server }) =>
      Effect.gen(function*() {
        yield* server.createAccount({ phone: PHONE, firstName: "Ann" })
        const client = yield* TestClient.open(crypto, server)
        const thief = yield* TestClient.open(crypto, server)
        const { phoneCodeHash } = yield* sendCode(client)
        const signIn = (who: TestClient.Client) =>
          Effect.flatMap(
            server.loginCode(PHONE),
            (phoneCode) => who.call(Api.auth.signIn({ phoneNumber: PHONE, phoneCodeHash, phoneCode }))
          )
        assert.strictEqual(
          yield* Effect.flip(signIn(thief)).pipe(Effect.map((error) => "type" in error ? error.type : "")),
          "PHONE_CODE_EXPIRED"
        )
        yield* server.faults.acceptance({ time: false })
        yield* server.faults.clockSkew(301_000)
        assert.strictEqual(
          yield* Effect.flip(signIn(client)).pipe(Effect.map((error) => "type" in error ? error.type : "")),
          "PHONE_CODE_EXPIRED"
        )
      })
  )

  withServer("nobody can sign up", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      const { phoneCodeHash } = yield* sendCode(client)
      const phoneCode = yield* server.loginCode(PHONE)
      assert.deepStrictEqual(yield* client.call(Api.auth.signIn({ phoneNumber: PHONE, phoneCodeHash, phoneCode })), {
        _tag: "auth.authorizationSignUpRequired"
      })
      const signUp = client.call(
        Api.auth.signUp({ phoneNumber: PHONE, phoneCodeHash, firstName: "Eve", lastName: "" })
      )
      assert.strictEqual(yield* failure(signUp), "406 UPDATE_APP_TO_LOGIN")
    }))

  withServer("resendCode and cancelCode", ({ crypto, server }) =>
    Effect.gen(function*() {
      yield* server.createAccount({ phone: PHONE, firstName: "Ann" })
      const client = yield* TestClient.open(crypto, server)
      const { phoneCodeHash } = yield* sendCode(client)
      const resent = yield* client.call(Api.auth.resendCode({ phoneNumber: PHONE, phoneCodeHash }))
      assert.strictEqual(resent._tag === "auth.sentCode" ? resent.phoneCodeHash : "", phoneCodeHash)
      assert.isTrue(yield* client.call(Api.auth.cancelCode({ phoneNumber: PHONE, phoneCodeHash })))
      const after = client.call(Api.auth.resendCode({ phoneNumber: PHONE, phoneCodeHash }))
      assert.strictEqual(yield* failure(after), "400 PHONE_CODE_EXPIRED")
    }))

  withServer("what needs a login says so, whether it exists or not", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      for (
        const call of [
          client.call(Api.updates.getState()),
          client.call(Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] })),
          client.call(Api.messages.getDhConfig({ version: 0, randomLength: 0 })),
          client.call(Api.contacts.resolvePhone({ phone: "1" }))
        ]
      ) assert.strictEqual(yield* failure<unknown>(call), "401 AUTH_KEY_UNREGISTERED")
      assert.strictEqual((yield* client.call(Api.help.getConfig()))._tag, "config")
      assert.strictEqual((yield* client.call(Api.help.getNearestDc())).thisDc, 2)
      const appConfig = yield* client.call(Api.help.getAppConfig({ hash: 0 }))
      const hash = appConfig._tag === "help.appConfig" ? appConfig.hash : 0
      assert.strictEqual((yield* client.call(Api.help.getAppConfig({ hash })))._tag, "help.appConfigNotModified")
    }))

  withServer("the configuration leads back to this server", ({ crypto, server }) =>
    Effect.gen(function*() {
      const client = yield* TestClient.open(crypto, server)
      const config = yield* client.call(Api.help.getConfig())
      assert.deepStrictEqual(config.dcOptions, [{
        _tag: "dcOption",
        static: true,
        thisPortOnly: true,
        id: 4,
        ipAddress: server.host,
        port: server.port
      }])
      assert.strictEqual(config.thisDc, 4)
      assert.isTrue(config.expires > config.date)
    }), { dcId: 4 })

  withServer("logins are listed, and can be ended", ({ crypto, server }) =>
    Effect.gen(function*() {
      const first = yield* TestClient.user(crypto, server, PHONE)
      const second = yield* TestClient.user(crypto, server, PHONE)
      const { authorizations } = yield* first.client.call(Api.account.getAuthorizations())
      assert.deepStrictEqual(authorizations.map((each) => each.current ?? false), [true, false])
      const hash = authorizations[1]!.hash
      assert.strictEqual(
        yield* failure(first.client.call(Api.account.resetAuthorization({ hash: hash ^ 1n }))),
        "400 HASH_INVALID"
      )
      yield* first.client.call(Api.account.resetAuthorization({ hash }))
      assert.strictEqual(yield* failure(second.client.call(Api.updates.getState())), "401 AUTH_KEY_UNREGISTERED")
      const third = yield* TestClient.user(crypto, server, PHONE)
      yield* first.client.call(Api.auth.resetAuthorizations())
      assert.strictEqual(yield* failure(third.client.call(Api.updates.getState())), "401 AUTH_KEY_UNREGISTERED")
      assert.strictEqual((yield* first.client.call(Api.updates.getState()))._tag, "updates.state")
      assert.isTrue(yield* first.client.call(Api.account.updateStatus({ offline: false })))
    }))

  withServer("an account has no more logins than the limit says", ({ crypto, server }) =>
    Effect.gen(function*() {
      const first = yield* TestClient.user(crypto, server, PHONE)
      yield* TestClient.user(crypto, server, PHONE)
      yield* TestClient.user(crypto, server, PHONE)
      assert.strictEqual((yield* server.devices(PHONE)).length, 2)
      assert.strictEqual(yield* failure(first.client.call(Api.updates.getState())), "401 AUTH_KEY_UNREGISTERED")
    }), { limits: { authorizationsPerAccount: 2 } })
})

describe("people", () => {
  withServer("are found by phone, username and contact", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, PHONE)
      const bob = yield* server.createAccount({ phone: "15550002", firstName: "Bob", username: "Bob_42" })
      const byPhone = yield* client.call(Api.contacts.resolvePhone({ phone: "+15550002" }))
      const byName = yield* client.call(Api.contacts.resolveUsername({ username: "bob_42" }))
      assert.deepStrictEqual(byName, byPhone)
      assert.deepStrictEqual(byPhone.peer, { _tag: "peerUser", userId: bob.id })
      // a stranger's number is not shown
      const [stranger] = byPhone.users
      assert.isTrue(stranger?._tag === "user" && stranger.phone === undefined && stranger.self === undefined)
      for (const [username, error] of [["no", "USERNAME_INVALID"], ["nobody_here", "USERNAME_NOT_OCCUPIED"]] as const) {
        assert.strictEqual(
          yield* failure(client.call(Api.contacts.resolveUsername({ username }))),
          `400 ${error}`
        )
      }
      for (const phone of ["15559999", "x"]) {
        assert.strictEqual(
          yield* failure(client.call(Api.contacts.resolvePhone({ phone }))),
          "400 PHONE_NOT_OCCUPIED"
        )
      }
      const imported = yield* client.call(Api.contacts.importContacts({
        contacts: ["15550002", "15559999"].map((phone, i) => ({
          _tag: "inputPhoneContact",
          clientId: BigInt(i),
          phone,
          firstName: "",
          lastName: ""
        }))
      }))
      assert.deepStrictEqual(imported.imported, [{ _tag: "importedContact", userId: bob.id, clientId: 0n }])
      const contacts = yield* client.call(Api.contacts.getContacts({ hash: 0n }))
      if (contacts._tag !== "contacts.contacts") throw new Error(contacts._tag)
      assert.deepStrictEqual(contacts.contacts, [{ _tag: "contact", userId: bob.id, mutual: false }])
      const [contact] = contacts.users
      assert.isTrue(contact?._tag === "user" && contact.phone === "15550002" && contact.contact === true)
    }))

  withServer("are shown to those who know their access hash", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, PHONE)
      const bob = yield* server.createAccount({ phone: "15550002", firstName: "Bob" })
      const { users: [user] } = yield* client.call(Api.contacts.resolvePhone({ phone: "15550002" }))
      if (user?._tag !== "user") throw new Error("no user")
      const id = { _tag: "inputUser", userId: bob.id, accessHash: user.accessHash! } as const
      const seen = yield* client.call(
        Api.users.getUsers({ id: [id, { ...id, accessHash: 0n }, { _tag: "inputUserEmpty" }] })
      )
      assert.deepStrictEqual(seen, [user, { _tag: "userEmpty", id: bob.id }, { _tag: "userEmpty", id: 0n }])
      const full = yield* client.call(Api.users.getFullUser({ id }))
      assert.deepStrictEqual([full.fullUser.id, full.users], [bob.id, [user]])
      assert.strictEqual(
        yield* failure(client.call(Api.users.getFullUser({ id: { ...id, accessHash: 0n } }))),
        "400 USER_ID_INVALID"
      )
      const peer = { _tag: "inputPeerUser", userId: bob.id, accessHash: 0n } as const
      assert.strictEqual(yield* failure(client.call(Api.contacts.block({ id: peer }))), "400 PEER_ID_INVALID")
      assert.strictEqual(
        yield* failure(client.call(Api.contacts.unblock({ id: { _tag: "inputPeerSelf" } }))),
        "400 PEER_ID_INVALID"
      )
    }))
})

describe("temporary keys", () => {
  const bind = (
    client: TestClient.Client,
    permanent: TestClient.Client,
    change: {
      readonly nonce?: bigint
      readonly msgId?: bigint
      readonly expiresAt?: number
      readonly damage?: boolean
      readonly salt?: bigint
    } = {}
  ) =>
    Effect.suspend(() => {
      const { crypto } = client
      const msgId = client.nextId()
      const expiresAt = change.expiresAt ?? Math.floor(Date.now() / 1000) + 3600
      const inner = Buffer.alloc(40)
      inner.writeUInt32LE(0x75a3f765, 0)
      inner.writeBigInt64LE(5n, 4)
      inner.writeBigInt64LE(client.key.id, 12)
      inner.writeBigInt64LE(permanent.key.id, 20)
      inner.writeBigInt64LE(client.sessionId, 28)
      inner.writeInt32LE(expiresAt, 36)
      const header = Buffer.alloc(32)
      header.set(crypto.randomBytes(16))
      header.writeBigInt64LE(change.msgId ?? msgId, 16)
      header.writeInt32LE(40, 28)
      const plain = new Uint8Array(Buffer.concat([header, inner]))
      const messageKey = MessageKey.computeV1(crypto, plain)
      const aes = MessageKey.deriveV1(crypto, permanent.key.bytes, messageKey, 0)
      const padded = new Uint8Array(Buffer.concat([plain, crypto.randomBytes(8)]))
      const keyId = Buffer.alloc(8)
      keyId.writeBigInt64LE(permanent.key.id)
      const encryptedMessage = new Uint8Array(
        Buffer.concat([keyId, messageKey, crypto.aesIgeEncrypt(padded, aes.key, aes.iv)])
      )
      if (change.damage === true) encryptedMessage[60]! ^= 1
      const request = Api.auth.bindTempAuthKey({
        permAuthKeyId: permanent.key.id,
        nonce: change.nonce ?? 5n,
        expiresAt,
        encryptedMessage
      })
      // bare, as it is signed with its identifier; the salt may be wrong
      client.send(Api.encodeRequest(request), { msgId, salt: change.salt ?? 1n })
      return client.answerTo(msgId)
    })

  withServer("speak for the permanent key, once bound", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client: permanent } = yield* TestClient.user(crypto, server, PHONE)
      const client = yield* TestClient.open(crypto, server, { expiresIn: 3600 })
      assert.strictEqual(
        yield* failure(client.call(Api.updates.getState())),
        "401 AUTH_KEY_PERM_EMPTY"
      )
      assert.strictEqual((yield* client.call(Api.help.getConfig()))._tag, "config")
      yield* bind(client, permanent)
      assert.strictEqual((yield* client.call(Api.updates.getState()))._tag, "updates.state")
      yield* permanent.call(Api.auth.dropTempAuthKeys({ exceptAuthKeys: [] }))
      yield* client.takeEvent("Closed")
      const other = yield* TestClient.open(crypto, server, { expiresIn: 3600 })
      yield* bind(other, permanent)
      yield* server.faults.acceptance({ time: false, salt: false })
      yield* server.faults.clockSkew(3_601_000)
      other.send(TestClient.encode.ping(1n))
      assert.deepStrictEqual(yield* other.takeEvent("TransportError"), { _tag: "TransportError", code: -404 })
    }))

  withServer("are bound by nothing else", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client: permanent } = yield* TestClient.user(crypto, server, PHONE)
      const { client: other } = yield* TestClient.user(crypto, server, "15550002")
      const client = yield* TestClient.open(crypto, server, { expiresIn: 3600 })
      assert.strictEqual(yield* failure(bind(client, permanent, { nonce: 6n })), "400 ENCRYPTED_MESSAGE_INVALID")
      assert.strictEqual(yield* failure(bind(client, permanent, { msgId: 4n })), "400 ENCRYPTED_MESSAGE_INVALID")
      assert.strictEqual(yield* failure(bind(client, permanent, { damage: true })), "400 ENCRYPTED_MESSAGE_INVALID")
      assert.strictEqual(yield* failure(bind(client, permanent, { expiresAt: 5 })), "400 EXPIRES_AT_INVALID")
      assert.strictEqual(yield* failure(bind(client, client)), "400 ENCRYPTED_MESSAGE_INVALID")
      assert.strictEqual(
        yield* failure(bind(permanent, permanent, { salt: permanent.salt })),
        "400 TEMP_AUTH_KEY_EMPTY"
      )
      yield* bind(client, permanent)
      assert.strictEqual(yield* failure(bind(client, other, { salt: client.salt })), "400 TEMP_AUTH_KEY_ALREADY_BOUND")
    }))
})
