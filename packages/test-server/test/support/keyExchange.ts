/**
 * The client's side of the key exchange, step by step, with a place to get every
 * value wrong.
 */
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { TlReader } from "@effect-mtproto/core/TlReader"
import * as AuthKeyExchange from "@effect-mtproto/crypto/AuthKeyExchange"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Packet from "@effect-mtproto/crypto/Packet"
import * as RsaPad from "@effect-mtproto/crypto/RsaPad"
import type { RsaPublicKey } from "@effect-mtproto/crypto/RsaPublicKey"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type { Wire, WireEvent } from "./wire.ts"

export interface Authorized {
  readonly key: SharedKey.SharedKey
  readonly salt: bigint
  readonly serverTime: number
}

/** Changes of what an honest client sends. */
export interface Tampering {
  readonly reqPq?: "req_pq" | "req_pq_multi"
  readonly reqDhParams?: (request: MtprotoApi.req_DH_params) => MtprotoApi.req_DH_params
  readonly inner?: (inner: MtprotoApi.P_Q_inner_data) => MtprotoApi.P_Q_inner_data
  readonly legacyPadding?: boolean
  readonly clientInner?: (inner: MtprotoApi.client_DH_inner_data) => MtprotoApi.client_DH_inner_data
  readonly setClientDhParams?: (request: MtprotoApi.set_client_DH_params) => MtprotoApi.set_client_DH_params
  readonly sendTwice?: boolean
}

export const decodePrefix = <A>(schema: Schema.Schema<A>, bytes: Uint8Array): A =>
  TlCodec.make(schema).read(new TlReader(bytes))

export const sendPlain = (wire: Wire, body: Uint8Array): void => wire.send(Packet.sealPlain({ msgId: 0n, body }))

/** The body of the next plain packet; anything else is the failure. */
export const nextPlain = (wire: Wire): Effect.Effect<Uint8Array, WireEvent> =>
  Effect.flatMap(wire.next, (event) =>
    event._tag === "Packet"
      ? Effect.succeed(Result.getOrThrow(Packet.openPlain(event.payload)).body)
      : Effect.fail(event))

const toBigInt = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`)
const fromBigInt = (value: bigint): Uint8Array =>
  new Uint8Array(Buffer.from(value.toString(16).padStart(8, "0"), "hex"))

export const reqPq = Effect.fnUntraced(function*(
  crypto: Crypto["Service"],
  wire: Wire,
  tag: "req_pq" | "req_pq_multi" = "req_pq_multi"
) {
  const nonce = crypto.randomBytes(16)
  sendPlain(
    wire,
    tag === "req_pq"
      ? TlCodec.encode(MtprotoApi.req_pq)({ _tag: "req_pq", nonce })
      : TlCodec.encode(MtprotoApi.req_pq_multi)({ _tag: "req_pq_multi", nonce })
  )
  return decodePrefix(MtprotoApi.resPQ, yield* nextPlain(wire))
})

export interface ExchangeOptions {
  readonly publicKey: RsaPublicKey
  readonly dc: number
  readonly expiresIn?: number | undefined
  readonly tampering?: Tampering | undefined
}

/** The first two steps of making a key. Fails with what came in place of an answer. */
export const askDhParams = Effect.fnUntraced(function*(
  crypto: Crypto["Service"],
  wire: Wire,
  options: ExchangeOptions
) {
  const tampering = options.tampering ?? {}
  const resPq = yield* reqPq(crypto, wire, tampering.reqPq)
  const { nonce, serverNonce } = resPq
  const { p, q } = yield* crypto.factorize(toBigInt(resPq.pq)).pipe(Effect.orDie)
  const newNonce = crypto.randomBytes(32)
  const numbers = { pq: resPq.pq, p: fromBigInt(p), q: fromBigInt(q), nonce, serverNonce, newNonce }
  const honest: MtprotoApi.P_Q_inner_data = options.expiresIn === undefined
    ? { _tag: "p_q_inner_data_dc", ...numbers, dc: options.dc }
    : { _tag: "p_q_inner_data_temp_dc", ...numbers, dc: options.dc, expiresIn: options.expiresIn }
  const inner = tampering.inner?.(honest) ?? honest
  const data = TlCodec.encode(MtprotoApi.P_Q_inner_data)(inner)
  const encryptedData = yield* (tampering.legacyPadding === true
    ? RsaPad.encryptLegacy(crypto, options.publicKey, data)
    : RsaPad.encrypt(crypto, options.publicKey, data)).pipe(Effect.orDie)
  const reqDhParams: MtprotoApi.req_DH_params = {
    _tag: "req_DH_params",
    nonce,
    serverNonce,
    p: numbers.p,
    q: numbers.q,
    publicKeyFingerprint: options.publicKey.fingerprint,
    encryptedData
  }
  const request = TlCodec.encode(MtprotoApi.req_DH_params)(tampering.reqDhParams?.(reqDhParams) ?? reqDhParams)
  sendPlain(wire, request)
  const answer = yield* nextPlain(wire)
  if (tampering.sendTwice === true) {
    sendPlain(wire, request)
    const again = decodePrefix(MtprotoApi.server_DH_params_ok, yield* nextPlain(wire))
    const first = decodePrefix(MtprotoApi.server_DH_params_ok, answer)
    if (!Buffer.from(again.encryptedAnswer).equals(first.encryptedAnswer)) throw new Error("answers differ")
  }
  const params = decodePrefix(MtprotoApi.server_DH_params_ok, answer)
  const aes = AuthKeyExchange.temporaryAesKey(crypto, { newNonce, serverNonce })
  return { resPq, newNonce, params, aes }
})

/** Makes a key, as a client does. Fails with what came in place of an answer. */
export const exchange = Effect.fnUntraced(function*(
  crypto: Crypto["Service"],
  wire: Wire,
  options: ExchangeOptions
) {
  const tampering = options.tampering ?? {}
  const { aes, newNonce, params, resPq } = yield* askDhParams(crypto, wire, options)
  const { nonce, serverNonce } = resPq
  const opened = Result.getOrThrow(AuthKeyExchange.openInner(crypto, aes, params.encryptedAnswer))
  const server = TlCodec.decode(MtprotoApi.server_DH_inner_data)(opened)
  const secret = crypto.randomBytes(256)
  const gB = yield* crypto.modPow(Uint8Array.of(server.g), secret, server.dhPrime).pipe(Effect.orDie)
  const clientInner: MtprotoApi.client_DH_inner_data = {
    _tag: "client_DH_inner_data",
    nonce,
    serverNonce,
    retryId: 0n,
    gB
  }
  const finalRequest: MtprotoApi.set_client_DH_params = {
    _tag: "set_client_DH_params",
    nonce,
    serverNonce,
    encryptedData: AuthKeyExchange.sealInner(
      crypto,
      aes,
      TlCodec.encode(MtprotoApi.client_DH_inner_data)(tampering.clientInner?.(clientInner) ?? clientInner)
    )
  }
  const encoded = TlCodec.encode(MtprotoApi.set_client_DH_params)(
    tampering.setClientDhParams?.(finalRequest) ?? finalRequest
  )
  sendPlain(wire, encoded)
  const verdict = decodePrefix(MtprotoApi.Set_client_DH_params_answer, yield* nextPlain(wire))
  if (tampering.sendTwice === true) {
    sendPlain(wire, encoded)
    const again = decodePrefix(MtprotoApi.Set_client_DH_params_answer, yield* nextPlain(wire))
    if (again._tag !== verdict._tag) throw new Error("answers differ")
  }
  const key = SharedKey.make(crypto, yield* crypto.modPow(server.gA, secret, server.dhPrime).pipe(Effect.orDie))
  const authorized: Authorized = {
    key,
    salt: AuthKeyExchange.serverSalt({ newNonce, serverNonce }),
    serverTime: server.serverTime
  }
  return { verdict, newNonce, server, resPq, ...authorized }
})
