import * as Api from "@effect-mtproto/core/Api"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Srp from "@effect-mtproto/crypto/Srp"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as TestServer from "../src/TestServer.ts"
import * as TestClient from "./support/client.ts"
import { withServer } from "./support/fixture.ts"

const PHONE = "15550001"
const failure = <A>(effect: Effect.Effect<A, TestClient.RpcFailed>) =>
  Effect.map(Effect.flip(effect), (error) => `${error.code} ${error.type}`)

const signIn = Effect.fnUntraced(function*(client: TestClient.Client, server: TestServer.TestServer["Service"]) {
  const sent = yield* client.call(
    Api.auth.sendCode({ phoneNumber: PHONE, apiId: 1, apiHash: "hash", settings: { _tag: "codeSettings" } })
  )
  return yield* client.call(Api.auth.signIn({
    phoneNumber: PHONE,
    phoneCodeHash: sent._tag === "auth.sentCode" ? sent.phoneCodeHash : "",
    phoneCode: yield* Effect.orDie(server.loginCode(PHONE))
  }))
})

type KdfAlgo = Extract<Api.PasswordKdfAlgo, { readonly salt1: Uint8Array }>

const prove = Effect.fnUntraced(function*(
  crypto: Crypto["Service"],
  parameters: Api.account.Password,
  password: string
) {
  const proof = yield* Effect.orDie(Srp.prove(crypto, {
    algorithm: parameters.currentAlgo as KdfAlgo,
    srpB: parameters.srpB!,
    password: Redacted.make(password)
  }))
  return { _tag: "inputCheckPasswordSRP", srpId: parameters.srpId!, A: proof.a, M1: proof.m1 } as const
})

describe("two-step verification", () => {
  withServer("lets in who knows the password, and nobody else", ({ crypto, server }) =>
    Effect.gen(function*() {
      yield* server.createAccount({ phone: PHONE, firstName: "Ann", password: "secret", passwordHint: "a hint" })
      const client = yield* TestClient.open(crypto, server)
      assert.strictEqual(yield* failure(client.call(Api.account.getPassword())), "401 AUTH_KEY_UNREGISTERED")
      assert.strictEqual(yield* failure(signIn(client, server)), "401 SESSION_PASSWORD_NEEDED")
      assert.strictEqual(yield* failure(client.call(Api.updates.getState())), "401 AUTH_KEY_UNREGISTERED")
      const first = yield* client.call(Api.account.getPassword())
      assert.deepInclude(first, { hasPassword: true, hint: "a hint" })
      const wrong = yield* prove(crypto, first, "wrong")
      assert.strictEqual(
        yield* failure(client.call(Api.auth.checkPassword({ password: wrong }))),
        "400 PASSWORD_HASH_INVALID"
      )
      // a challenge is good for one answer
      const late = yield* prove(crypto, first, "secret")
      assert.strictEqual(yield* failure(client.call(Api.auth.checkPassword({ password: late }))), "400 SRP_ID_INVALID")
      const empty = client.call(Api.auth.checkPassword({ password: { _tag: "inputCheckPasswordEmpty" } }))
      assert.strictEqual(yield* failure(empty), "400 PASSWORD_HASH_INVALID")
      const second = yield* client.call(Api.account.getPassword())
      const right = yield* client.call(Api.auth.checkPassword({ password: yield* prove(crypto, second, "secret") }))
      assert.strictEqual(right._tag, "auth.authorization")
      yield* client.call(Api.updates.getState())
    }))

  withServer("a challenge belongs to the key that asked for it", ({ crypto, server }) =>
    Effect.gen(function*() {
      yield* server.createAccount({ phone: PHONE, firstName: "Ann", password: "secret" })
      const [one, two] = [yield* TestClient.open(crypto, server), yield* TestClient.open(crypto, server)]
      yield* failure(signIn(one, server))
      yield* failure(signIn(two, server))
      const proof = yield* prove(crypto, yield* one.call(Api.account.getPassword()), "secret")
      assert.strictEqual(yield* failure(two.call(Api.auth.checkPassword({ password: proof }))), "400 SRP_ID_INVALID")
    }))

  withServer("is turned on, changed and off by the client", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client } = yield* TestClient.user(crypto, server, PHONE)
      const none = yield* client.call(Api.account.getPassword())
      assert.notProperty(none, "hasPassword")
      const newAlgo = none.newAlgo as KdfAlgo
      const set = Effect.fnUntraced(function*(proof: Api.InputCheckPasswordSRP, password: string) {
        const algorithm = { ...newAlgo, salt1: Srp.newSalt(crypto, newAlgo.salt1) }
        return yield* client.call(Api.account.updatePasswordSettings({
          password: proof,
          newSettings: {
            _tag: "account.passwordInputSettings",
            newAlgo: algorithm,
            newPasswordHash: yield* Effect.orDie(
              Srp.verifier(crypto, { algorithm, password: Redacted.make(password) })
            ),
            hint: ""
          }
        }))
      })
      assert.isTrue(yield* set({ _tag: "inputCheckPasswordEmpty" }, "one"))
      assert.strictEqual(yield* failure(set({ _tag: "inputCheckPasswordEmpty" }, "two")), "400 PASSWORD_HASH_INVALID")
      const proof = yield* prove(crypto, yield* client.call(Api.account.getPassword()), "one")
      assert.isTrue(yield* set(proof, "two"))
      const last = yield* prove(crypto, yield* client.call(Api.account.getPassword()), "two")
      yield* client.call(Api.account.updatePasswordSettings({
        password: last,
        newSettings: {
          _tag: "account.passwordInputSettings",
          newAlgo: { _tag: "passwordKdfAlgoUnknown" },
          newPasswordHash: new Uint8Array(0),
          hint: ""
        }
      }))
      assert.notProperty(yield* client.call(Api.account.getPassword()), "hasPassword")
    }))

  withServer("is turned off by the user of the server", ({ crypto, server }) =>
    Effect.gen(function*() {
      yield* server.createAccount({ phone: PHONE, firstName: "Ann", password: Redacted.make("secret") })
      yield* server.setPassword(PHONE, undefined)
      const client = yield* TestClient.open(crypto, server)
      assert.strictEqual((yield* signIn(client, server))._tag, "auth.authorization")
    }))
})
