import { Abridged } from "@effect-mtproto/core/framing/Abridged"
import { Full } from "@effect-mtproto/core/framing/Full"
import { Intermediate } from "@effect-mtproto/core/framing/Intermediate"
import { PaddedIntermediate } from "@effect-mtproto/core/framing/PaddedIntermediate"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as AuthKeyExchange from "@effect-mtproto/crypto/AuthKeyExchange"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { HandshakeFault } from "../src/TestServer.ts"
import * as Client from "./support/client.ts"
import { type Fixture, withServer } from "./support/fixture.ts"
import {
  askDhParams,
  decodePrefix,
  exchange,
  nextPlain,
  reqPq,
  sendPlain,
  type Tampering
} from "./support/keyExchange.ts"
import { connect, type WireOptions } from "./support/wire.ts"

const attempt = (
  fixture: Fixture,
  tampering?: Tampering,
  options: WireOptions & { readonly expiresIn?: number } = {}
) =>
  Effect.gen(function*() {
    const { crypto, server } = fixture
    const wire = yield* connect(crypto, server, options)
    return yield* exchange(crypto, wire, {
      publicKey: server.publicKeys[0]!,
      dc: server.dcId,
      expiresIn: options.expiresIn,
      tampering
    })
  })

const flip = (bytes: Uint8Array, at = 0): Uint8Array => {
  const copy = bytes.slice()
  copy[at]! ^= 1
  return copy
}

const withoutDc = (inner: MtprotoApi.P_Q_inner_data) => {
  const { newNonce, nonce, p, pq, q, serverNonce } = inner
  return { pq, p, q, nonce, serverNonce, newNonce }
}

describe("key exchange", () => {
  for (const framing of [Abridged, Intermediate, PaddedIntermediate, Full]) {
    for (const obfuscated of framing.obfuscationTag === undefined ? [false] : [false, true]) {
      withServer(`over ${framing.name}${obfuscated ? ", obfuscated" : ""}`, (fixture) =>
        Effect.gen(function*() {
          const result = yield* attempt(fixture, {}, { framing, obfuscated })
          assert.strictEqual(result.verdict._tag, "dh_gen_ok")
          if (result.verdict._tag !== "dh_gen_ok") return
          assert.deepStrictEqual(
            result.verdict.newNonceHash1,
            AuthKeyExchange.newNonceHash(fixture.crypto, result.newNonce, 1, result.key)
          )
          assert.strictEqual(result.server.g, 3)
          assert.strictEqual(result.server.gA.length, 256)
          const counters = yield* fixture.server.counters
          assert.strictEqual(counters.keysCreated, 1)
        }))
    }
  }

  describe("what clients of any age send", () => {
    const kinds: Record<string, Tampering> = {
      "req_pq": { reqPq: "req_pq" },
      "the older padding": { legacyPadding: true },
      "inner data without a data centre": {
        inner: (inner) => ({ _tag: "p_q_inner_data", ...withoutDc(inner) })
      },
      "inner data without a data centre, older padding": {
        legacyPadding: true,
        inner: (inner) => ({ _tag: "p_q_inner_data", ...withoutDc(inner) })
      },
      "temporary inner data without a data centre": {
        inner: (inner) => ({ _tag: "p_q_inner_data_temp", ...withoutDc(inner), expiresIn: 3600 })
      },
      "a media data centre": {
        inner: (inner) => ({ _tag: "p_q_inner_data_dc", ...withoutDc(inner), dc: -2 })
      },
      "every request twice": { sendTwice: true },
      "a public value without leading zeros": { clientInner: (inner) => ({ ...inner, gB: stripZeros(inner.gB) }) }
    }
    for (const [name, tampering] of Object.entries(kinds)) {
      withServer(name, (fixture) =>
        Effect.gen(function*() {
          const { verdict } = yield* attempt(fixture, tampering)
          assert.strictEqual(verdict._tag, "dh_gen_ok")
        }))
    }
    const stripZeros = (bytes: Uint8Array): Uint8Array => bytes.slice(bytes.findIndex((byte) => byte !== 0))
  })

  withServer("any number of req_pq on one connection", (fixture) =>
    Effect.gen(function*() {
      const { crypto, server } = fixture
      const wire = yield* connect(crypto, server)
      const first = yield* reqPq(crypto, wire)
      const second = yield* reqPq(crypto, wire)
      assert.notDeepEqual(first.serverNonce, second.serverNonce)
      const { verdict } = yield* exchange(crypto, wire, { publicKey: server.publicKeys[0]!, dc: server.dcId })
      assert.strictEqual(verdict._tag, "dh_gen_ok")
    }))

  withServer("padding after a plain request is ignored", ({ crypto, server }) =>
    Effect.gen(function*() {
      const wire = yield* connect(crypto, server)
      const nonce = crypto.randomBytes(16)
      const request = TlCodec.encode(MtprotoApi.req_pq_multi)({ _tag: "req_pq_multi", nonce })
      sendPlain(wire, new Uint8Array([...request, ...crypto.randomBytes(48)]))
      const answer = yield* nextPlain(wire)
      assert.strictEqual(MtprotoApi.idOf(answer), 0x05162463)
    }))

  describe("a step that is wrong is refused with -404, and ends the exchange", () => {
    const cases: Record<string, Tampering> = {
      "another nonce": { reqDhParams: (request) => ({ ...request, nonce: flip(request.nonce) }) },
      "another server nonce": { reqDhParams: (request) => ({ ...request, serverNonce: flip(request.serverNonce) }) },
      "wrong p": { reqDhParams: (request) => ({ ...request, p: flip(request.p) }) },
      "wrong q": { reqDhParams: (request) => ({ ...request, q: flip(request.q) }) },
      "unknown key": { reqDhParams: (request) => ({ ...request, publicKeyFingerprint: 1n }) },
      "damaged data": {
        reqDhParams: (request) => ({ ...request, encryptedData: flip(request.encryptedData, 100) })
      },
      "data cut short": {
        reqDhParams: (request) => ({ ...request, encryptedData: request.encryptedData.slice(0, 255) })
      },
      "wrong pq inside": { inner: (inner) => ({ ...inner, pq: flip(inner.pq) }) },
      "wrong p inside": { inner: (inner) => ({ ...inner, p: flip(inner.p) }) },
      "wrong q inside": { inner: (inner) => ({ ...inner, q: flip(inner.q) }) },
      "another nonce inside": { inner: (inner) => ({ ...inner, nonce: flip(inner.nonce) }) },
      "another server nonce inside": { inner: (inner) => ({ ...inner, serverNonce: flip(inner.serverNonce) }) },
      "a temporary key that never lives": {
        inner: (inner) => ({ _tag: "p_q_inner_data_temp_dc", ...withoutDc(inner), dc: 2, expiresIn: 0 })
      },
      "another nonce at the end": { setClientDhParams: (request) => ({ ...request, nonce: flip(request.nonce) }) },
      "another server nonce at the end": {
        setClientDhParams: (request) => ({ ...request, serverNonce: flip(request.serverNonce) })
      },
      "damaged data at the end": {
        setClientDhParams: (request) => ({ ...request, encryptedData: flip(request.encryptedData, 40) })
      },
      "no whole blocks at the end": {
        setClientDhParams: (request) => ({ ...request, encryptedData: request.encryptedData.slice(0, -4) })
      },
      "another nonce inside, at the end": { clientInner: (inner) => ({ ...inner, nonce: flip(inner.nonce) }) },
      "another server nonce inside, at the end": {
        clientInner: (inner) => ({ ...inner, serverNonce: flip(inner.serverNonce) })
      },
      "a retry of nothing": { clientInner: (inner) => ({ ...inner, retryId: 5n }) },
      "a public value of one": { clientInner: (inner) => ({ ...inner, gB: Uint8Array.of(1) }) },
      "a public value that is too small": {
        clientInner: (inner) => ({ ...inner, gB: new Uint8Array(248).fill(255, 1) })
      },
      "a public value above the prime": { clientInner: (inner) => ({ ...inner, gB: new Uint8Array(256).fill(255) }) },
      "a public value that is too long": { clientInner: (inner) => ({ ...inner, gB: new Uint8Array(257).fill(1) }) }
    }
    for (const [name, tampering] of Object.entries(cases)) {
      withServer(name, (fixture) =>
        Effect.gen(function*() {
          const { crypto, server } = fixture
          const wire = yield* connect(crypto, server)
          const event = yield* Effect.flip(
            exchange(crypto, wire, { publicKey: server.publicKeys[0]!, dc: server.dcId, tampering })
          )
          assert.deepStrictEqual(event, { _tag: "TransportError", code: -404 })
          assert.deepStrictEqual(yield* wire.next, { _tag: "Closed" })
          assert.strictEqual((yield* server.counters).keysCreated, 0)
        }))
    }

    withServer("another data centre: -444", (fixture) =>
      Effect.gen(function*() {
        const event = yield* Effect.flip(attempt(fixture, {
          inner: (inner) => ({ _tag: "p_q_inner_data_dc", ...withoutDc(inner), dc: 3 })
        }))
        assert.deepStrictEqual(event, { _tag: "TransportError", code: -444 })
      }))

    withServer("a test data centre where production is: -444", (fixture) =>
      Effect.gen(function*() {
        const event = yield* Effect.flip(attempt(fixture, {
          inner: (inner) => ({ _tag: "p_q_inner_data_dc", ...withoutDc(inner), dc: 10_002 })
        }))
        assert.deepStrictEqual(event, { _tag: "TransportError", code: -444 })
      }))

    withServer("an exchange that took more than ten minutes", ({ crypto, server }) =>
      Effect.gen(function*() {
        const wire = yield* connect(crypto, server)
        const resPq = yield* reqPq(crypto, wire)
        yield* server.faults.clockSkew(601_000)
        sendPlain(
          wire,
          TlCodec.encode(MtprotoApi.req_DH_params)({
            _tag: "req_DH_params",
            nonce: resPq.nonce,
            serverNonce: resPq.serverNonce,
            p: Uint8Array.of(1),
            q: Uint8Array.of(2),
            publicKeyFingerprint: server.publicKeys[0]!.fingerprint,
            encryptedData: new Uint8Array(256)
          })
        )
        assert.deepStrictEqual(yield* wire.next, { _tag: "TransportError", code: -404 })
      }))

    withServer("something that is no request", ({ crypto, server }) =>
      Effect.gen(function*() {
        const wire = yield* connect(crypto, server)
        sendPlain(wire, Client.encode.ping(1n))
        assert.deepStrictEqual(yield* wire.next, { _tag: "TransportError", code: -404 })
      }))
  })

  withServer("a plain acknowledgement is ignored", ({ crypto, server }) =>
    Effect.gen(function*() {
      const wire = yield* connect(crypto, server)
      sendPlain(wire, Client.encode.ack([1n]))
      const { verdict } = yield* exchange(crypto, wire, { publicKey: server.publicKeys[0]!, dc: server.dcId })
      assert.strictEqual(verdict._tag, "dh_gen_ok")
    }))

  withServer("in the test data centre the number is 10000 higher", ({ crypto, server }) =>
    Effect.gen(function*() {
      const wire = yield* connect(crypto, server)
      const { verdict } = yield* exchange(crypto, wire, { publicKey: server.publicKeys[0]!, dc: 10_001 })
      assert.strictEqual(verdict._tag, "dh_gen_ok")
    }), { dcId: 1, testMode: true })

  withServer("no more exchanges are kept than the limit says", ({ crypto, server }) =>
    Effect.gen(function*() {
      const wire = yield* connect(crypto, server)
      const oldest = yield* reqPq(crypto, wire)
      for (let i = 0; i < 4; i++) yield* reqPq(crypto, wire)
      sendPlain(
        wire,
        TlCodec.encode(MtprotoApi.set_client_DH_params)({
          _tag: "set_client_DH_params",
          nonce: oldest.nonce,
          serverNonce: oldest.serverNonce,
          encryptedData: new Uint8Array(336)
        })
      )
      assert.deepStrictEqual(yield* wire.next, { _tag: "TransportError", code: -404 })
    }), { limits: { exchanges: 4 } })

  describe("spoiled on request", () => {
    const spoil = (fault: HandshakeFault, check: (fixture: Fixture) => Effect.Effect<void, unknown, any>) =>
      withServer(fault, (fixture) =>
        Effect.gen(function*() {
          yield* fixture.server.faults.handshake(fault)
          yield* check(fixture)
          // used up: the next exchange is right again
          const { verdict } = yield* attempt(fixture)
          assert.strictEqual(verdict._tag, "dh_gen_ok")
        }))

    const resPqOf = (fixture: Fixture) =>
      Effect.gen(function*() {
        const wire = yield* connect(fixture.crypto, fixture.server)
        const nonce = fixture.crypto.randomBytes(16)
        sendPlain(wire, TlCodec.encode(MtprotoApi.req_pq_multi)({ _tag: "req_pq_multi", nonce }))
        const body = yield* nextPlain(wire)
        return { nonce, resPq: decodePrefix(MtprotoApi.resPQ, body) }
      })

    spoil("resPQ.nonce", (fixture) =>
      Effect.gen(function*() {
        const { nonce, resPq } = yield* resPqOf(fixture)
        assert.notDeepEqual(resPq.nonce, nonce)
      }))
    spoil("resPQ.pq", (fixture) =>
      Effect.gen(function*() {
        const { resPq } = yield* resPqOf(fixture)
        assert.strictEqual(Buffer.from(resPq.pq).toString("hex"), "1fffffffffffffff")
      }))
    spoil("resPQ.fingerprints", (fixture) =>
      Effect.gen(function*() {
        const { resPq } = yield* resPqOf(fixture)
        assert.deepStrictEqual(resPq.serverPublicKeyFingerprints, [1n])
      }))
    for (const fault of ["refuse.reqPq", "refuse.reqDhParams", "refuse.setClientDhParams"] as const) {
      spoil(fault, (fixture) =>
        Effect.gen(function*() {
          const event = yield* Effect.flip(attempt(fixture))
          assert.deepStrictEqual(event, { _tag: "TransportError", code: -404 })
        }))
    }

    const dhParamsOf = ({ crypto, server }: Fixture) =>
      Effect.gen(function*() {
        const wire = yield* connect(crypto, server)
        const asked = yield* askDhParams(crypto, wire, { publicKey: server.publicKeys[0]!, dc: server.dcId })
        const opened = AuthKeyExchange.openInner(crypto, asked.aes, asked.params.encryptedAnswer)
        const inner = Result.map(opened, TlCodec.decode(MtprotoApi.server_DH_inner_data))
        return { ...asked, inner: Result.isSuccess(inner) ? inner.success : undefined }
      })
    const prime = DiffieHellman.wellKnownPrime()
    const spoiledParams: Partial<
      Record<HandshakeFault, (params: Effect.Success<ReturnType<typeof dhParamsOf>>) => void>
    > = {
      "serverDhParams.nonce": ({ inner, params, resPq }) => {
        assert.notDeepEqual(params.nonce, resPq.nonce)
        assert.deepStrictEqual(inner?.nonce, resPq.nonce)
      },
      "serverDhParams.serverNonce": ({ inner, params, resPq }) => {
        assert.notDeepEqual(params.serverNonce, resPq.serverNonce)
        assert.deepStrictEqual(inner?.serverNonce, resPq.serverNonce)
      },
      "serverDhParams.hash": ({ inner, params }) => {
        assert.isUndefined(inner)
        assert.strictEqual(params.encryptedAnswer.length % 16, 0)
      },
      "serverDhParams.length": ({ params }) => assert.strictEqual(params.encryptedAnswer.length % 16, 4),
      "serverDhInner.nonce": ({ inner, resPq }) => assert.notDeepEqual(inner?.nonce, resPq.nonce),
      "serverDhInner.serverNonce": ({ inner, resPq }) => assert.notDeepEqual(inner?.serverNonce, resPq.serverNonce),
      "serverDhInner.prime": ({ inner }) => assert.notDeepEqual(inner?.dhPrime, prime),
      "serverDhInner.generator": ({ inner }) => assert.strictEqual(inner?.g, 2),
      "serverDhInner.gA": ({ inner }) => assert.deepStrictEqual(inner?.gA, Uint8Array.of(1))
    }
    for (const [fault, check] of Object.entries(spoiledParams)) {
      spoil(fault as HandshakeFault, (fixture) => Effect.map(dhParamsOf(fixture), check))
    }
    for (const fault of ["dhGen.nonce", "dhGen.serverNonce"] as const) {
      spoil(fault, (fixture) =>
        Effect.gen(function*() {
          const { resPq, verdict } = yield* attempt(fixture)
          assert.strictEqual(verdict._tag, "dh_gen_ok")
          const isNonceRight = Buffer.from(verdict.nonce).equals(resPq.nonce)
          const isServerNonceRight = Buffer.from(verdict.serverNonce).equals(resPq.serverNonce)
          assert.deepStrictEqual([isNonceRight, isServerNonceRight], [fault !== "dhGen.nonce", fault === "dhGen.nonce"])
        }))
    }
    spoil("dhGen.fail", (fixture) =>
      Effect.gen(function*() {
        const { key, newNonce, verdict } = yield* attempt(fixture)
        assert.deepStrictEqual(
          verdict._tag === "dh_gen_fail" ? verdict.newNonceHash3 : undefined,
          AuthKeyExchange.newNonceHash(fixture.crypto, newNonce, 3, key)
        )
      }))
    spoil("dhGen.retry", (fixture) =>
      Effect.gen(function*() {
        const { key, newNonce, verdict } = yield* attempt(fixture)
        assert.deepStrictEqual(
          verdict._tag === "dh_gen_retry" ? verdict.newNonceHash2 : undefined,
          AuthKeyExchange.newNonceHash(fixture.crypto, newNonce, 2, key)
        )
      }))
    spoil("dhGen.hash", (fixture) =>
      Effect.gen(function*() {
        const { key, newNonce, verdict } = yield* attempt(fixture)
        assert.notDeepEqual(
          verdict._tag === "dh_gen_ok" ? verdict.newNonceHash1 : new Uint8Array(16),
          AuthKeyExchange.newNonceHash(fixture.crypto, newNonce, 1, key)
        )
      }))
  })
})
