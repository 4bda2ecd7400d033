/**
 * The server's side of the authorization key exchange
 * (core.telegram.org/mtproto/auth_key), as decisions: what a request must say,
 * what the answer is. The exponentiations between them are done by
 * `keyExchange.ts`.
 *
 * An exchange is known by its two nonces, not by its connection. A request that
 * comes again is answered again, with the same bytes; one that is wrong ends the
 * exchange.
 */
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { isTlError } from "@effect-mtproto/core/TlError"
import { TlReader } from "@effect-mtproto/core/TlReader"
import * as AuthKeyExchange from "@effect-mtproto/crypto/AuthKeyExchange"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { AesKey } from "@effect-mtproto/crypto/MessageKey"
import type { SharedKey } from "@effect-mtproto/crypto/SharedKey"
import * as Result from "effect/Result"
import { equals, fromBigInt, toHex } from "./bytes.ts"
import type { HandshakeFault } from "./faults.ts"
import { GENERATOR, isPublicValue, PRIME } from "./group.ts"

/** How long an exchange is kept, in seconds. */
export const LIFETIME = 600

/** The longest life of a temporary key, in seconds. */
const MAX_EXPIRES_IN = 7 * 86_400

interface Factors {
  readonly pq: Uint8Array
  readonly p: Uint8Array
  readonly q: Uint8Array
}

/** Products of two primes just below 2^31, with their factors. */
const PRODUCTS: ReadonlyArray<Factors> = ([
  [1229739323n, 1402015859n],
  [1229741209n, 1229748109n],
  [1008949199n, 1455403679n],
  [1112973847n, 1878321023n],
  [1206429347n, 1218991343n],
  [1555252417n, 1803100129n],
  [1518968219n, 1556064227n]
] as const).map(([p, q]) => ({ pq: fromBigInt(p * q, 8), p: fromBigInt(p, 4), q: fromBigInt(q, 4) }))

/** 2^61 - 1: what no client may take for a product. */
const PRIME_PQ = fromBigInt(2n ** 61n - 1n, 8)

/** An exchange under way, or done. */
export interface Exchange {
  readonly name: string
  readonly nonce: Uint8Array
  readonly serverNonce: Uint8Array
  readonly factors: Factors
  readonly startedAt: number
  /** What the client sent encrypted with RSA; there after the second step. */
  keyed: Keyed | undefined
  /** Whether a key was made, or the attempt given up. */
  isOver: boolean
  /** The last request and its answer, for a client that asks again. */
  answered: { readonly request: Uint8Array; readonly answer: Uint8Array } | undefined
}

interface Keyed {
  readonly newNonce: Uint8Array
  /** Seconds; `undefined` for a permanent key. */
  readonly expiresIn: number | undefined
  readonly aes: AesKey
  readonly secret: Uint8Array
  readonly gA: Uint8Array
  /** 0, or the hash of the key that the last attempt gave. */
  retryId: bigint
}

export const nameOf = (nonces: { readonly nonce: Uint8Array; readonly serverNonce: Uint8Array }): string =>
  toHex(nonces.nonce) + toHex(nonces.serverNonce)

const flip = (bytes: Uint8Array, at = 0): Uint8Array => {
  const copy = bytes.slice()
  copy[at]! ^= 1
  return copy
}

/** The value, or a wrong one if `fault` is about it. */
const unless = <A>(fault: HandshakeFault | undefined, name: HandshakeFault, right: A, wrong: () => A): A =>
  fault === name ? wrong() : right

// -----------------------------------------------------------------------------
// step 1: req_pq
// -----------------------------------------------------------------------------

export const begin = (crypto: Crypto["Service"], nonce: Uint8Array, now: number): Exchange => {
  const serverNonce = crypto.randomBytes(16)
  return {
    name: nameOf({ nonce, serverNonce }),
    nonce,
    serverNonce,
    factors: PRODUCTS[crypto.randomBytes(1)[0]! % PRODUCTS.length]!,
    startedAt: now,
    keyed: undefined,
    isOver: false,
    answered: undefined
  }
}

const encodeResPq = TlCodec.encode(MtprotoApi.resPQ)

export const resPq = (
  exchange: Exchange,
  fingerprints: ReadonlyArray<bigint>,
  fault: HandshakeFault | undefined
): Uint8Array =>
  encodeResPq({
    _tag: "resPQ",
    nonce: unless(fault, "resPQ.nonce", exchange.nonce, () => flip(exchange.nonce)),
    serverNonce: exchange.serverNonce,
    pq: unless(fault, "resPQ.pq", exchange.factors.pq, () => PRIME_PQ),
    serverPublicKeyFingerprints: unless(fault, "resPQ.fingerprints", fingerprints, () => [1n])
  })

// -----------------------------------------------------------------------------
// step 2: req_DH_params
// -----------------------------------------------------------------------------

/** What every request of an exchange under way must repeat. */
const isOf = (
  exchange: Exchange,
  message: { readonly nonce: Uint8Array; readonly serverNonce: Uint8Array }
): boolean => equals(exchange.nonce, message.nonce) && equals(exchange.serverNonce, message.serverNonce)

export const isDhRequestRight = (exchange: Exchange, request: MtprotoApi.req_DH_params): boolean =>
  isOf(exchange, request) && equals(request.p, exchange.factors.p) && equals(request.q, exchange.factors.q) &&
  request.encryptedData.length === 256

/** What the client put into its RSA-encrypted data. */
export interface Inner {
  readonly newNonce: Uint8Array
  readonly expiresIn: number | undefined
}

const innerCodec = TlCodec.make(MtprotoApi.P_Q_inner_data)

/**
 * Reads the inner data: one object, followed by random bytes. The data centre
 * that a new client names has to be this one, possibly as a media server.
 */
export const readInner = (
  exchange: Exchange,
  data: Uint8Array,
  dc: number
): Inner | "refused" | "wrong-dc" => {
  const inner = readObject(innerCodec, data)
  if (
    inner === undefined || !isOf(exchange, inner) || !equals(inner.pq, exchange.factors.pq) ||
    !equals(inner.p, exchange.factors.p) || !equals(inner.q, exchange.factors.q)
  ) return "refused"
  if ("dc" in inner && Math.abs(inner.dc) !== dc) return "wrong-dc"
  const expiresIn = "expiresIn" in inner ? inner.expiresIn : undefined
  if (expiresIn !== undefined && (expiresIn <= 0 || expiresIn > MAX_EXPIRES_IN)) return "refused"
  return { newNonce: inner.newNonce, expiresIn }
}

/** The exponentiation that makes the server's public value. */
export const exponentiation = (secret: Uint8Array) => ({
  base: Uint8Array.of(GENERATOR),
  exponent: secret,
  modulus: PRIME
})

export const key = (
  crypto: Crypto["Service"],
  exchange: Exchange,
  inner: Inner,
  pair: { readonly secret: Uint8Array; readonly gA: Uint8Array }
): void => {
  exchange.keyed = {
    ...inner,
    ...pair,
    aes: AuthKeyExchange.temporaryAesKey(crypto, { newNonce: inner.newNonce, serverNonce: exchange.serverNonce }),
    retryId: 0n
  }
}

const encodeInnerData = TlCodec.encode(MtprotoApi.server_DH_inner_data)
const encodeServerDhParams = TlCodec.encode(MtprotoApi.server_DH_params_ok)

export const serverDhParams = (
  crypto: Crypto["Service"],
  exchange: Exchange,
  now: number,
  fault: HandshakeFault | undefined
): Uint8Array => {
  const { aes, gA } = exchange.keyed!
  const { nonce, serverNonce } = exchange
  const inner = encodeInnerData({
    _tag: "server_DH_inner_data",
    nonce: unless(fault, "serverDhInner.nonce", nonce, () => flip(nonce)),
    serverNonce: unless(fault, "serverDhInner.serverNonce", serverNonce, () => flip(serverNonce)),
    g: unless(fault, "serverDhInner.generator", GENERATOR, () => 2),
    dhPrime: unless(fault, "serverDhInner.prime", PRIME, () => flip(PRIME, 100)),
    gA: unless(fault, "serverDhInner.gA", gA, () => Uint8Array.of(1)),
    serverTime: now
  })
  const sealed = AuthKeyExchange.sealInner(crypto, aes, inner)
  const encryptedAnswer = fault === "serverDhParams.hash"
    ? flip(sealed)
    : fault === "serverDhParams.length"
    ? Uint8Array.of(...sealed, 0, 0, 0, 0)
    : sealed
  return encodeServerDhParams({
    _tag: "server_DH_params_ok",
    nonce: unless(fault, "serverDhParams.nonce", nonce, () => flip(nonce)),
    serverNonce: unless(fault, "serverDhParams.serverNonce", serverNonce, () => flip(serverNonce)),
    encryptedAnswer
  })
}

// -----------------------------------------------------------------------------
// step 3: set_client_DH_params
// -----------------------------------------------------------------------------

const clientInnerCodec = TlCodec.make(MtprotoApi.client_DH_inner_data)

/** The client's public value, if everything around it is right. */
export const readClientValue = (
  crypto: Crypto["Service"],
  exchange: Exchange,
  request: MtprotoApi.set_client_DH_params
): Uint8Array | undefined => {
  const { keyed } = exchange
  if (keyed === undefined || !isOf(exchange, request)) return undefined
  const opened = AuthKeyExchange.openInner(crypto, keyed.aes, request.encryptedData)
  const inner = Result.isSuccess(opened) ? readObject(clientInnerCodec, opened.success) : undefined
  const isRight = inner !== undefined && isOf(exchange, inner) && isPublicValue(inner.gB) &&
    (inner.retryId === 0n || inner.retryId === keyed.retryId)
  return isRight ? inner.gB : undefined
}

/** The exponentiation that makes the authorization key. */
export const agreement = (exchange: Exchange, gB: Uint8Array) => ({
  base: gB,
  exponent: exchange.keyed!.secret,
  modulus: PRIME
})

const encodeDhGen = TlCodec.encode(MtprotoApi.Set_client_DH_params_answer)

/** What the exchange came to. */
export type Verdict = "ok" | "retry" | "fail"

export const dhGen = (
  crypto: Crypto["Service"],
  exchange: Exchange,
  authKey: SharedKey,
  verdict: Verdict,
  fault: HandshakeFault | undefined
): Uint8Array => {
  const keyed = exchange.keyed!
  const nonces = {
    nonce: unless(fault, "dhGen.nonce", exchange.nonce, () => flip(exchange.nonce)),
    serverNonce: unless(fault, "dhGen.serverNonce", exchange.serverNonce, () => flip(exchange.serverNonce))
  }
  const hash = (number: 1 | 2 | 3): Uint8Array => {
    const right = AuthKeyExchange.newNonceHash(crypto, keyed.newNonce, number, authKey)
    return unless(fault, "dhGen.hash", right, () => flip(right))
  }
  switch (verdict) {
    case "ok":
      return encodeDhGen({ _tag: "dh_gen_ok", ...nonces, newNonceHash1: hash(1) })
    case "retry":
      keyed.retryId = authKey.auxHash
      return encodeDhGen({ _tag: "dh_gen_retry", ...nonces, newNonceHash2: hash(2) })
    case "fail":
      return encodeDhGen({ _tag: "dh_gen_fail", ...nonces, newNonceHash3: hash(3) })
  }
}

/** The first salt of the key that an exchange made. */
export const firstSalt = (exchange: Exchange): bigint =>
  AuthKeyExchange.serverSalt({ newNonce: exchange.keyed!.newNonce, serverNonce: exchange.serverNonce })

/** Reads the object that `bytes` start with; what follows it is padding. */
export const readObject = <A>(codec: TlCodec.TlCodec<A>, bytes: Uint8Array): A | undefined => {
  try {
    return codec.read(new TlReader(bytes))
  } catch (error) {
    if (!isTlError(error)) throw error
    return undefined
  }
}
