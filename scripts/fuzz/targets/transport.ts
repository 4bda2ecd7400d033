/** What a server, or somebody in its place, can send to a client. */
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as Formulas from "@effect-mtproto/crypto/AuthKeyExchange"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as AuthKeyExchange from "@effect-mtproto/transport/AuthKeyExchange"
import * as ServerKeys from "@effect-mtproto/transport/ServerKeys"
import * as Result from "effect/Result"
import { gzipSync } from "node:zlib"
import { encodeServer, Peer, RESULT } from "../../../packages/transport/test/utils/sessionPeer.ts"
import { isOneOf as is, makeCrypto } from "../makeCrypto.ts"
import { below, concat, type Random, type Target } from "../Target.ts"

const word = (n: number): Uint8Array => Uint8Array.of(n, n >> 8, n >> 16, n >> 24)

/** TL `bytes`. */
const tlBytes = (data: Uint8Array): Uint8Array => {
  const head = data.length < 254 ? Uint8Array.of(data.length) : word(data.length << 8 | 254)
  return concat(head, data, new Uint8Array(-(head.length + data.length) & 3))
}

const packed = (data: Uint8Array): Uint8Array => concat(word(0x3072cfa1), tlBytes(gzipSync(data)))

/** Lets a session go on after something has come. */
const feed = (peer: Peer, send: () => void, next: Random): unknown => {
  send()
  const events = peer.session.events()
  // what it has learned must not break what it does next
  peer.now += below(next, 30_000)
  peer.query(7)
  return [events, peer.session.poll(peer.now), peer.session.events(), peer.session.wakeAt()]
}

const sessionTargets = (crypto: Crypto["Service"]): ReadonlyArray<Target> => {
  /** A client with queries under way; its identifiers are the same in every run. */
  const connected = (): Peer => {
    const peer = new Peer(crypto).attach()
    for (let i = 0; i < 3; i++) peer.query(i)
    peer.session.poll(peer.now)
    return peer
  }
  const id = 0x65abc0de_00000004n
  const error = TlCodec.encode(MtprotoApi.rpc_error)({
    _tag: "rpc_error",
    errorCode: 420,
    errorMessage: "FLOOD_WAIT_3"
  })
  const bomb = packed(new Uint8Array(1 << 24))
  const bodies = [
    encodeServer({ _tag: "pong", msgId: id, pingId: 5n }),
    encodeServer({ _tag: "rpc_result", reqMsgId: id, result: RESULT(1) }),
    encodeServer({ _tag: "rpc_result", reqMsgId: id, result: error }),
    encodeServer({ _tag: "rpc_result", reqMsgId: id, result: packed(new Uint8Array(1 << 16)) }),
    encodeServer({ _tag: "new_session_created", firstMsgId: id, uniqueId: 6n, serverSalt: 7n }),
    encodeServer({ _tag: "bad_server_salt", badMsgId: id, badMsgSeqno: 1, errorCode: 48, newServerSalt: 8n }),
    encodeServer({ _tag: "bad_msg_notification", badMsgId: id, badMsgSeqno: 1, errorCode: 16 }),
    encodeServer({ _tag: "msgs_ack", msgIds: [id, id + 4n] }),
    encodeServer({
      _tag: "msg_container",
      messages: [1n, 2n, 3n].map((n) => ({
        _tag: "message",
        msgId: id + 4n * n + 1n,
        seqno: 1,
        body: RESULT(Number(n))
      }))
    }),
    packed(RESULT(9)),
    // many times as much as a session accepts, at once and together
    packed(new Uint8Array(1 << 28)),
    encodeServer({
      _tag: "msg_container",
      messages: [1n, 2n, 3n, 4n, 5n].map((n) => ({ _tag: "message", msgId: id + 4n * n + 1n, seqno: 1, body: bomb }))
    }),
    packed(packed(packed(RESULT(1))))
  ].map((body) => body.slice())
  return [
    {
      name: "transport/Session.receive",
      seeds: bodies.map((body) =>
        connected().seal({ msgId: 0x65abc0de_00000005n, seqNo: 1, sessionId: connected().session.id, body })
      ),
      run: (packet, next) => {
        const peer = connected()
        return feed(peer, () => peer.session.receive(peer.now, packet), next)
      },
      isExpected: () => false
    },
    {
      name: "transport/Session.receive, authentic",
      seeds: bodies,
      run: (input, next) => {
        const peer = connected()
        const body = input.slice(0, input.length & ~3)
        return feed(peer, () => {
          peer.send(body, { seqNo: below(next, 6) })
        }, next)
      },
      isExpected: () => false
    }
  ]
}

const exchangeTargets = (crypto: Crypto["Service"]): ReadonlyArray<Target> => {
  const publicKeys = [Result.getOrThrow(RsaPublicKey.fromPem(crypto, ServerKeys.production))]
  const nonces = {
    nonce: crypto.randomBytes(16),
    serverNonce: crypto.randomBytes(16),
    newNonce: crypto.randomBytes(32)
  }
  const { nonce, serverNonce } = nonces
  const aes = Formulas.temporaryAesKey(crypto, nonces)
  const inner = TlCodec.encode(MtprotoApi.server_DH_inner_data)({
    _tag: "server_DH_inner_data",
    nonce,
    serverNonce,
    g: 3,
    dhPrime: DiffieHellman.wellKnownPrime(),
    gA: crypto.randomBytes(256),
    serverTime: 1_750_000_000
  }).slice()
  const params = (plain: Uint8Array): Uint8Array =>
    TlCodec.encode(MtprotoApi.Server_DH_Params)({
      _tag: "server_DH_params_ok",
      nonce,
      serverNonce,
      encryptedAnswer: Formulas.sealInner(crypto, aes, plain)
    }).slice()
  const key = SharedKey.make(crypto, crypto.randomBytes(256))
  const isExpected = is(AuthKeyExchange.AuthKeyExchangeError)
  return [
    {
      name: "transport/AuthKeyExchange.readResPq",
      seeds: [
        TlCodec.encode(MtprotoApi.resPQ)({
          _tag: "resPQ",
          nonce,
          serverNonce,
          pq: Uint8Array.of(0x17, 0xed, 0x48, 0x94, 0x1a, 0x08, 0xf9, 0x81),
          serverPublicKeyFingerprints: publicKeys.map(({ fingerprint }) => fingerprint)
        }).slice()
      ],
      run: (body) => Result.getOrThrow(AuthKeyExchange.readResPq(publicKeys, nonce, body)),
      isExpected
    },
    {
      name: "transport/AuthKeyExchange.readDhParams",
      seeds: [params(inner)],
      run: (body) => Result.getOrThrow(AuthKeyExchange.readDhParams(crypto, nonces, aes, body)),
      isExpected
    },
    {
      name: "transport/AuthKeyExchange.readDhParams, authentic",
      seeds: [inner],
      run: (input) =>
        Result.getOrThrow(
          AuthKeyExchange.readDhParams(crypto, nonces, aes, params(input.slice(0, input.length & ~3)))
        ),
      isExpected
    },
    {
      name: "transport/AuthKeyExchange.readDhAnswer",
      seeds: [
        TlCodec.encode(MtprotoApi.Set_client_DH_params_answer)({
          _tag: "dh_gen_ok",
          nonce,
          serverNonce,
          newNonceHash1: Formulas.newNonceHash(crypto, nonces.newNonce, 1, key)
        }).slice()
      ],
      run: (body) => Result.getOrThrow(AuthKeyExchange.readDhAnswer(crypto, nonces, key, body)),
      isExpected
    }
  ]
}

export const make = async (): Promise<ReadonlyArray<Target>> => {
  const crypto = await makeCrypto()
  return [...sessionTargets(crypto), ...exchangeTargets(crypto)]
}
