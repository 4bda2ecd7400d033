import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as Formulas from "@effect-mtproto/crypto/AuthKeyExchange"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Packet from "@effect-mtproto/crypto/Packet"
import * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { assert, describe, it } from "@effect/vitest"
import { assertFailure, assertSuccess } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AuthKeyExchange from "../src/AuthKeyExchange.ts"
import * as Connection from "../src/Connection.ts"
import * as ServerKeys from "../src/ServerKeys.ts"
import { handshake as fixture } from "./fixtures/handshake.ts"
import { fromHex, toHex } from "./utils/bytes.ts"

const { AuthKeyExchangeError } = AuthKeyExchange
type Problem = AuthKeyExchange.AuthKeyExchangeError["problem"]

const failure = (problem: Problem) => new AuthKeyExchangeError({ problem })

const nonces: AuthKeyExchange.Nonces = {
  nonce: fromHex(fixture.nonce),
  serverNonce: fromHex(fixture.serverNonce),
  newNonce: fromHex(fixture.newNonce)
}

const productionKey = Effect.gen(function*() {
  return Result.getOrThrow(RsaPublicKey.fromPem(yield* Crypto, ServerKeys.production))
})

const tlBytes = (hex: string) => {
  const bytes = `${(hex.length / 2).toString(16).padStart(2, "0")}${hex}`
  return bytes.padEnd(Math.ceil(bytes.length / 8) * 8, "0")
}

const resPq = (parts: { nonce?: string; pq?: string; fingerprints?: ReadonlyArray<string> } = {}) => {
  const fingerprints = parts.fingerprints ?? fixture.fingerprints
  return fromHex([
    "63241605",
    parts.nonce ?? fixture.nonce,
    fixture.serverNonce,
    tlBytes(parts.pq ?? fixture.pq),
    `15c4b51c0${fingerprints.length}000000`,
    ...fingerprints
  ].join(""))
}

const dhParamsOk = (nonce = fixture.nonce, answer = fixture.encryptedAnswer) =>
  fromHex(`5c07e8d0${nonce}${fixture.serverNonce}fe500200${answer}`)

const dhGen = (id: string, hash: string, nonce = fixture.nonce) => fromHex(`${id}${nonce}${fixture.serverNonce}${hash}`)

const ids = { ok: "34f7cb3b", retry: "b91fdc46", fail: "02ae9da6" }

const flip = (hex: string, at: number) => {
  const bytes = fromHex(hex)
  bytes[at]! ^= 1
  return toHex(bytes)
}

describe("AuthKeyExchange: the published exchange", () => {
  it.effect("every byte that follows from the published random numbers", () =>
    Effect.gen(function*() {
      const node = yield* Crypto
      const newNonces = [fromHex(fixture.newNonce)]
      const crypto = Crypto.of({
        ...node,
        randomBytes: (length) => {
          switch (length) {
            case 16:
              return fromHex(fixture.nonce)
            case 32:
              // then the temporary keys of RSA_PAD, which were not published
              return newNonces.pop() ?? node.randomBytes(32)
            case 92:
              return fromHex(fixture.rsaPadding)
            case 256:
              return fromHex(fixture.b)
            case 12:
              return fromHex(fixture.clientPadding)
            default:
              throw new Error(`${length} random bytes`)
          }
        }
      })
      const asked: Array<string> = []
      const answers = [
        Uint8Array.of(...resPq(), ...new Uint8Array(104).fill(0x55)),
        Uint8Array.of(...dhParamsOk(), ...new Uint8Array(36).fill(0x55)),
        Uint8Array.of(...dhGen(ids.ok, fixture.newNonceHash1), ...new Uint8Array(60).fill(0x55))
      ]
      const agreed = yield* AuthKeyExchange.run(
        crypto,
        { publicKeys: [yield* productionKey], dc: 2 },
        (body) => Effect.sync(() => answers[asked.push(toHex(body)) - 1]!)
      )
      assert.strictEqual(asked[0], `f18e7ebe${fixture.nonce}`)
      const fingerprint = fixture.fingerprints[2]!
      assert.strictEqual(
        asked[1]!.slice(0, -512),
        `bee412d7${fixture.nonce}${fixture.serverNonce}${`04${fixture.p}000000`}${`04${fixture.q}000000`}${fingerprint}fe000100`
      )
      assert.strictEqual(
        asked[2],
        `1f5f04f5${fixture.nonce}${fixture.serverNonce}fe500100${fixture.clientEncryptedData}`
      )
      assert.strictEqual(toHex(agreed.key.bytes), fixture.authKey)
      assert.strictEqual(agreed.serverSalt, fixture.serverSalt)
      assert.strictEqual(agreed.serverTime, fixture.serverTime)
    }).pipe(Effect.provide(NodeCrypto.layer)))

  it.effect("a group other than the usual one, in which we have computed ahead", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const group = yield* DiffieHellman.checkGroup(crypto, { p: DiffieHellman.wellKnownPrime(), g: 4 })
      const server = yield* DiffieHellman.generate(crypto, group)
      const aes = Formulas.temporaryAesKey(crypto, nonces)
      const { newNonce, ...both } = nonces
      const encryptedAnswer = Formulas.sealInner(
        crypto,
        aes,
        TlCodec.encode(MtprotoApi.server_DH_inner_data)({
          _tag: "server_DH_inner_data",
          ...both,
          g: 4,
          dhPrime: group.p,
          gA: server.publicValue,
          serverTime: fixture.serverTime
        })
      )
      let key: SharedKey.SharedKey | undefined
      const answers = [
        () => Effect.succeed(resPq()),
        () => Effect.succeed(dhParamsOk(fixture.nonce, toHex(encryptedAnswer))),
        (body: Uint8Array) =>
          Effect.gen(function*() {
            const { encryptedData } = TlCodec.decode(MtprotoApi.set_client_DH_params)(body)
            const inner = Result.getOrThrow(Formulas.openInner(crypto, aes, encryptedData))
            const { gB } = TlCodec.decode(MtprotoApi.client_DH_inner_data)(inner)
            key = yield* DiffieHellman.agree(crypto, group, server.secret, gB)
            return dhGen(ids.ok, toHex(Formulas.newNonceHash(crypto, newNonce, 1, key)))
          }).pipe(Effect.orDie)
      ]
      const known = [nonces.newNonce, nonces.nonce]
      const agreed = yield* AuthKeyExchange.run(
        {
          ...crypto,
          randomBytes: (length) => known.at(-1)?.length === length ? known.pop()! : crypto.randomBytes(length)
        },
        { publicKeys: [yield* productionKey], dc: 2 },
        (body) => Effect.suspend(() => answers.shift()!(body))
      )
      assert.strictEqual(toHex(agreed.key.bytes), toHex(key!.bytes))
    }).pipe(Effect.provide(NodeCrypto.layer)))

  it.effect("the inner data for RSA", () =>
    Effect.gen(function*() {
      const challenge = { serverNonce: nonces.serverNonce, pq: 1468428376148703121n, publicKey: yield* productionKey }
      const write = (p: bigint, q: bigint) => AuthKeyExchange.writeInnerData(nonces, challenge, { p, q }, 2)
      assertSuccess(Result.map(write(1008949199n, 1455403679n), toHex), fixture.innerData)
      assertFailure(write(1455403679n, 1008949199n), failure("pq"))
      assertFailure(write(1n, 1468428376148703121n), failure("pq"))
      assertFailure(write(3n, 5n), failure("pq"))
    }).pipe(Effect.provide(NodeCrypto.layer)))

  it.effect("the test key has the documented fingerprint", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const test = Result.getOrThrow(RsaPublicKey.fromPem(crypto, ServerKeys.test))
      assert.strictEqual((yield* productionKey).fingerprint, -3414540481677951611n)
      assert.strictEqual(test.fingerprint, -5595554452916591101n)
    }).pipe(Effect.provide(NodeCrypto.layer)))
})

describe("AuthKeyExchange: checks", () => {
  it.effect("resPQ", () =>
    Effect.gen(function*() {
      const keys = [yield* productionKey]
      const read = (body: Uint8Array) => AuthKeyExchange.readResPq(keys, nonces.nonce, body)
      assert.strictEqual(Result.getOrThrow(read(resPq())).pq, 1468428376148703121n)
      assertFailure(read(resPq({ nonce: fixture.serverNonce })), failure("nonce"))
      assertFailure(read(resPq({ fingerprints: fixture.fingerprints.slice(0, 2) })), failure("fingerprint"))
      assertFailure(read(resPq({ fingerprints: [] })), failure("fingerprint"))
      for (const bad of ["", "00", "01", "0000000000000001", "8000000000000000", "ffffffffffffffff"]) {
        assertFailure(read(resPq({ pq: bad })), failure("pq"))
      }
      assertFailure(read(resPq({ pq: "001460e7d3fa72779100" })), failure("pq"))
      for (let length = 0; length < resPq().length; length++) {
        assertFailure(read(resPq().subarray(0, length)), failure("malformed"))
      }
      assertFailure(read(dhParamsOk()), failure("malformed"))
    }).pipe(Effect.provide(NodeCrypto.layer)))

  it.effect("server_DH_params", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const aes = { key: fromHex(fixture.tmpAesKey), iv: fromHex(fixture.tmpAesIv) }
      const read = (body: Uint8Array) => AuthKeyExchange.readDhParams(crypto, nonces, aes, body)
      const params = Result.getOrThrow(read(dhParamsOk()))
      assert.strictEqual(toHex(params.gA), fixture.gA)
      assert.strictEqual(params.g, fixture.g)
      assert.strictEqual(params.serverTime, fixture.serverTime)
      assertFailure(read(dhParamsOk(fixture.serverNonce)), failure("nonce"))
      for (const at of [0, 15, 100, 591]) {
        assertFailure(read(dhParamsOk(fixture.nonce, flip(fixture.encryptedAnswer, at))), failure("answer"))
      }
      const refused = fromHex(`5d04cb79${fixture.nonce}${fixture.serverNonce}${fixture.newNonceHash1}`)
      assertFailure(read(refused), failure("refused"))
      assertFailure(read(resPq()), failure("malformed"))
      const other = { ...nonces, nonce: nonces.serverNonce }
      assertFailure(
        AuthKeyExchange.readDhParams(crypto, other, aes, dhParamsOk(fixture.serverNonce)),
        failure("nonce")
      )
    }).pipe(Effect.provide(NodeCrypto.layer)))

  it.effect("the last answer", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const key = SharedKey.make(crypto, fromHex(fixture.authKey))
      const read = (body: Uint8Array) => AuthKeyExchange.readDhAnswer(crypto, nonces, key, body)
      assertSuccess(read(dhGen(ids.ok, fixture.newNonceHash1)), "ok")
      assertSuccess(read(dhGen(ids.retry, fixture.newNonceHash2)), "retry")
      assertFailure(read(dhGen(ids.fail, fixture.newNonceHash3)), failure("refused"))
      assertFailure(read(dhGen(ids.ok, fixture.newNonceHash2)), failure("hash"))
      assertFailure(read(dhGen(ids.retry, fixture.newNonceHash1)), failure("hash"))
      assertFailure(read(dhGen(ids.fail, fixture.newNonceHash1)), failure("hash"))
      assertFailure(read(dhGen(ids.ok, fixture.newNonceHash1, fixture.serverNonce)), failure("nonce"))
      assertFailure(read(Uint8Array.of(1, 2, 3)), failure("malformed"))
    }).pipe(Effect.provide(NodeCrypto.layer)))
})

const live = <A, E>(
  name: string,
  run: Effect.Effect<A, E, Crypto | TestServer.TestServer>
) => it.live(name, () => run.pipe(Effect.provide([NodeCrypto.layer, TestServer.layer()])))

describe("AuthKeyExchange: with a server that lies", () => {
  const exchange = Effect.gen(function*() {
    const crypto = yield* Crypto
    const server = yield* TestServer.TestServer
    const connection = yield* Connection.open(
      crypto,
      { id: server.dcId, host: server.host, port: server.port },
      { openTimeout: "5 seconds", obfuscation: { dcId: server.dcId } }
    )
    let msgId = 0n
    const ask = Effect.fnUntraced(function*(body: Uint8Array) {
      yield* connection.send([Packet.sealPlain({ msgId: msgId += 4n, body })])
      const [packet] = yield* connection.receive
      return Result.getOrThrow(Packet.openPlain(packet!)).body
    })
    return yield* AuthKeyExchange.run(crypto, { publicKeys: server.publicKeys, dc: server.dcId }, ask)
  }).pipe(Effect.scoped)

  live(
    "none of its faults is overlooked",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      const faults: ReadonlyArray<readonly [TestServer.HandshakeFault, Problem]> = [
        ["resPQ.nonce", "nonce"],
        ["resPQ.pq", "pq"],
        ["resPQ.fingerprints", "fingerprint"],
        ["serverDhParams.nonce", "nonce"],
        ["serverDhParams.serverNonce", "nonce"],
        ["serverDhParams.hash", "answer"],
        ["serverDhParams.length", "answer"],
        ["serverDhInner.nonce", "nonce"],
        ["serverDhInner.serverNonce", "nonce"],
        ["serverDhInner.prime", "group"],
        ["serverDhInner.generator", "group"],
        ["serverDhInner.gA", "group"],
        ["dhGen.nonce", "nonce"],
        ["dhGen.serverNonce", "nonce"],
        ["dhGen.hash", "hash"],
        ["dhGen.fail", "refused"]
      ]
      for (const [fault, problem] of faults) {
        yield* server.faults.handshake(fault)
        assert.deepStrictEqual(yield* Effect.flip(exchange), failure(problem), fault)
      }
      for (const fault of ["refuse.reqPq", "refuse.reqDhParams", "refuse.setClientDhParams"] as const) {
        yield* server.faults.handshake(fault)
        const error = yield* Effect.flip(exchange)
        assert.deepInclude(error, { _tag: "ConnectionError", reason: "code", code: -404 }, fault)
      }
      assert.strictEqual((yield* exchange).key.bytes.length, 256)
    })
  )

  live(
    "dh_gen_retry is answered with another key, a few times",
    Effect.gen(function*() {
      const server = yield* TestServer.TestServer
      yield* server.faults.handshake("dhGen.retry", { times: 2 })
      assert.strictEqual((yield* exchange).key.bytes.length, 256)
      yield* server.faults.handshake("dhGen.retry", { times: 9 })
      assert.deepStrictEqual(yield* Effect.flip(exchange), failure("refused"))
    })
  )
})
