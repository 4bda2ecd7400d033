/**
 * The client's side of agreeing on an authorization key
 * (core.telegram.org/mtproto/auth_key): pure steps, and `run`, which does them
 * one after the other over a connection.
 *
 * Every check of the protocol and of core.telegram.org/mtproto/security_guidelines
 * is made: both nonces in every answer, outside and inside the encryption; a
 * known RSA key; `pq` is a product of two primes; the hash of the encrypted
 * answer before anything in it is looked at; the Diffie-Hellman group and the
 * range of every public value; the hash that proves that the server has the key.
 * Objects may be followed by random bytes, as servers add them; what is hashed
 * is exact.
 *
 * @since 1.0.0
 */
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { isTlError } from "@effect-mtproto/core/TlError"
import { TlReader } from "@effect-mtproto/core/TlReader"
import * as Formulas from "@effect-mtproto/crypto/AuthKeyExchange"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import type { AesKey } from "@effect-mtproto/crypto/MessageKey"
import * as RsaPad from "@effect-mtproto/crypto/RsaPad"
import type { RsaPublicKey } from "@effect-mtproto/crypto/RsaPublicKey"
import type { SharedKey } from "@effect-mtproto/crypto/SharedKey"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Bytes from "./internal/bytes.ts"

/**
 * What was wrong with the server's part.
 *
 * - `malformed`: not the object that belongs here.
 * - `nonce`: the answer belongs to another exchange.
 * - `fingerprint`: the server has none of the RSA keys we know.
 * - `pq`: not a product of two primes below 2^63.
 * - `answer`: the encrypted data does not have its hash.
 * - `group`: the Diffie-Hellman parameters are not safe.
 * - `hash`: the server did not prove that it has the key.
 * - `refused`: the server gave up.
 * - `crypto`: our own computation failed.
 *
 * @since 1.0.0
 * @category errors
 */
export class AuthKeyExchangeError extends Schema.TaggedError<AuthKeyExchangeError>()("AuthKeyExchangeError", {
  problem: Schema.Literals([
    "malformed",
    "nonce",
    "fingerprint",
    "pq",
    "answer",
    "group",
    "hash",
    "refused",
    "crypto"
  ])
}) {
  override get message(): string {
    return `No authorization key was agreed on: ${explanations[this.problem]}`
  }
}

const explanations = {
  malformed: "the server sent something unexpected",
  nonce: "the server answered to another exchange",
  fingerprint: "the server has none of the known RSA keys",
  pq: "the server's number is not a product of two primes",
  answer: "the server's encrypted answer is damaged",
  group: "the server's Diffie-Hellman parameters are not safe",
  hash: "the server did not prove that it has the key",
  refused: "the server gave up",
  crypto: "a computation failed"
}

type Problem = AuthKeyExchangeError["problem"]

const fail = (problem: Problem): Result.Result<never, AuthKeyExchangeError> =>
  Result.fail(new AuthKeyExchangeError({ problem }))

/**
 * @since 1.0.0
 * @category models
 */
export interface Options {
  /** The RSA keys that servers may have. */
  readonly publicKeys: ReadonlyArray<RsaPublicKey>
  /** The data centre as it stands in the exchange: its number, plus 10000 on the test servers. */
  readonly dc: number
  /** Makes a temporary key that lives this long, in seconds. */
  readonly expiresIn?: number | undefined
}

/**
 * What both sides have in the end.
 *
 * @since 1.0.0
 * @category models
 */
export interface Agreed {
  readonly key: SharedKey
  readonly serverSalt: bigint
  /** Unix time of the server during the exchange, in seconds. */
  readonly serverTime: number
}

// ----- steps

/**
 * The nonces of one exchange: 16, 16 and 32 bytes.
 *
 * @since 1.0.0
 * @category steps
 */
export interface Nonces {
  readonly nonce: Uint8Array
  readonly serverNonce: Uint8Array
  readonly newNonce: Uint8Array
}

const reqPq = TlCodec.make(MtprotoApi.req_pq_multi)
const resPq = TlCodec.make(MtprotoApi.resPQ)
const innerData = TlCodec.make(MtprotoApi.p_q_inner_data_dc)
const temporaryInnerData = TlCodec.make(MtprotoApi.p_q_inner_data_temp_dc)
const reqDhParams = TlCodec.make(MtprotoApi.req_DH_params)
const dhParams = TlCodec.make(MtprotoApi.Server_DH_Params)
const dhInner = TlCodec.make(MtprotoApi.server_DH_inner_data)
const clientInner = TlCodec.make(MtprotoApi.client_DH_inner_data)
const setDhParams = TlCodec.make(MtprotoApi.set_client_DH_params)
const dhAnswer = TlCodec.make(MtprotoApi.Set_client_DH_params_answer)

const orUndefined = <A>(decode: () => A): A | undefined => {
  try {
    return decode()
  } catch (error) {
    if (isTlError(error)) return undefined
    throw error
  }
}

/** One object; what follows it is padding. */
const read = <A>(codec: TlCodec.TlCodec<A>, body: Uint8Array): A | undefined =>
  orUndefined(() => codec.read(new TlReader(body)))

/**
 * The first request.
 *
 * @since 1.0.0
 * @category steps
 */
export const writeReqPq = (nonce: Uint8Array): Uint8Array => reqPq.encode({ _tag: "req_pq_multi", nonce })

/**
 * What the server answers to the first request.
 *
 * @since 1.0.0
 * @category steps
 */
export interface Challenge {
  readonly serverNonce: Uint8Array
  readonly pq: bigint
  /** The first of the server's keys that we know. */
  readonly publicKey: RsaPublicKey
}

/**
 * @since 1.0.0
 * @category steps
 */
export const readResPq = (
  publicKeys: ReadonlyArray<RsaPublicKey>,
  nonce: Uint8Array,
  body: Uint8Array
): Result.Result<Challenge, AuthKeyExchangeError> => {
  const answer = read(resPq, body)
  if (answer === undefined) return fail("malformed")
  if (!Bytes.equals(answer.nonce, nonce)) return fail("nonce")
  for (const fingerprint of answer.serverPublicKeyFingerprints) {
    const publicKey = publicKeys.find((key) => key.fingerprint === fingerprint)
    if (publicKey === undefined) continue
    const pq = Bytes.fromBigEndian(answer.pq.subarray(0, 9))
    if (answer.pq.length > 8 || pq <= 1n || pq > 0x7fff_ffff_ffff_ffffn) return fail("pq")
    return Result.succeed({ serverNonce: answer.serverNonce, pq, publicKey })
  }
  return fail("fingerprint")
}

/**
 * What is encrypted with the server's RSA key: at most 144 bytes. Fails when `p`
 * and `q` are not the factors of the challenge. `expiresIn` (seconds) asks for a
 * temporary key.
 *
 * @since 1.0.0
 * @category steps
 */
export const writeInnerData = (
  nonces: Nonces,
  challenge: Challenge,
  factors: { readonly p: bigint; readonly q: bigint },
  dc: number,
  expiresIn?: number | undefined
): Result.Result<Uint8Array, AuthKeyExchangeError> => {
  const { p, q } = factors
  if (p * q !== challenge.pq || p <= 1n || p >= q) return fail("pq")
  const fields = { pq: Bytes.bigEndian(challenge.pq), p: Bytes.bigEndian(p), q: Bytes.bigEndian(q), ...nonces, dc }
  return Result.succeed(
    expiresIn === undefined
      ? innerData.encode({ _tag: "p_q_inner_data_dc", ...fields })
      : temporaryInnerData.encode({ _tag: "p_q_inner_data_temp_dc", ...fields, expiresIn })
  )
}

/**
 * The second request.
 *
 * @since 1.0.0
 * @category steps
 */
export const writeReqDhParams = (
  nonces: Nonces,
  challenge: Challenge,
  factors: { readonly p: bigint; readonly q: bigint },
  encryptedData: Uint8Array
): Uint8Array =>
  reqDhParams.encode({
    _tag: "req_DH_params",
    nonce: nonces.nonce,
    serverNonce: nonces.serverNonce,
    p: Bytes.bigEndian(factors.p),
    q: Bytes.bigEndian(factors.q),
    publicKeyFingerprint: challenge.publicKey.fingerprint,
    encryptedData
  })

/**
 * The server's Diffie-Hellman parameters, decrypted. The group and `gA` are not
 * checked yet.
 *
 * @since 1.0.0
 * @category steps
 */
export interface ServerParameters {
  readonly g: number
  readonly p: Uint8Array
  readonly gA: Uint8Array
  readonly serverTime: number
}

/**
 * @since 1.0.0
 * @category steps
 */
export const readDhParams = (
  crypto: Crypto["Service"],
  nonces: Nonces,
  aes: AesKey,
  body: Uint8Array
): Result.Result<ServerParameters, AuthKeyExchangeError> => {
  const answer = read(dhParams, body)
  if (answer === undefined) return fail("malformed")
  if (!belongs(nonces, answer)) return fail("nonce")
  if (answer._tag !== "server_DH_params_ok") return fail("refused")
  const plain = Formulas.openInner(crypto, aes, answer.encryptedAnswer)
  if (Result.isFailure(plain)) return fail("answer")
  const inner = orUndefined(() => dhInner.decode(plain.success))
  if (inner === undefined) return fail("malformed")
  if (!belongs(nonces, inner)) return fail("nonce")
  return Result.succeed({ g: inner.g, p: inner.dhPrime, gA: inner.gA, serverTime: inner.serverTime })
}

/**
 * The third request. `retryId` is 0, and after `dh_gen_retry` the auxiliary hash
 * of the key that was not taken.
 *
 * @since 1.0.0
 * @category steps
 */
export const writeSetDhParams = (
  crypto: Crypto["Service"],
  nonces: Nonces,
  aes: AesKey,
  gB: Uint8Array,
  retryId: bigint
): Uint8Array => {
  const { nonce, serverNonce } = nonces
  const inner = clientInner.encode({ _tag: "client_DH_inner_data", nonce, serverNonce, retryId, gB })
  const encryptedData = Formulas.sealInner(crypto, aes, inner)
  return setDhParams.encode({ _tag: "set_client_DH_params", nonce, serverNonce, encryptedData })
}

/**
 * Whether the server has taken the key, or wants another one.
 *
 * @since 1.0.0
 * @category steps
 */
export const readDhAnswer = (
  crypto: Crypto["Service"],
  nonces: Nonces,
  key: SharedKey,
  body: Uint8Array
): Result.Result<"ok" | "retry", AuthKeyExchangeError> => {
  const answer = read(dhAnswer, body)
  if (answer === undefined) return fail("malformed")
  if (!belongs(nonces, answer)) return fail("nonce")
  const proves = (number: 1 | 2 | 3, hash: Uint8Array): boolean =>
    crypto.constantTimeEqual(hash, Formulas.newNonceHash(crypto, nonces.newNonce, number, key))
  switch (answer._tag) {
    case "dh_gen_ok":
      return proves(1, answer.newNonceHash1) ? Result.succeed("ok") : fail("hash")
    case "dh_gen_retry":
      return proves(2, answer.newNonceHash2) ? Result.succeed("retry") : fail("hash")
    case "dh_gen_fail":
      return fail(proves(3, answer.newNonceHash3) ? "refused" : "hash")
  }
}

const belongs = (nonces: Nonces, answer: { readonly nonce: Uint8Array; readonly serverNonce: Uint8Array }): boolean =>
  Bytes.equals(answer.nonce, nonces.nonce) && Bytes.equals(answer.serverNonce, nonces.serverNonce)

// ----- all of it

/** A server that finds a key in use five times is not unlucky. */
const MAX_RETRIES = 5

/**
 * Does the whole exchange. `ask` sends the body of a plain message and answers
 * with the body of the next plain message of the server.
 *
 * @since 1.0.0
 * @category constructors
 */
export const run: <E>(
  crypto: Crypto["Service"],
  options: Options,
  ask: (body: Uint8Array) => Effect.Effect<Uint8Array, E>
) => Effect.Effect<Agreed, AuthKeyExchangeError | E> = Effect.fnUntraced(function*(crypto, options, ask) {
  // computed while the server is waited for, half of the key's computation costs no time
  const guess = yield* Effect.forkChild(guessPair(crypto))
  const nonce = crypto.randomBytes(16)
  const challenge = yield* Effect.fromResult(readResPq(options.publicKeys, nonce, yield* ask(writeReqPq(nonce))))
  const nonces: Nonces = { nonce, serverNonce: challenge.serverNonce, newNonce: crypto.randomBytes(32) }

  const factors = yield* Effect.mapError(
    crypto.factorize(challenge.pq),
    () => new AuthKeyExchangeError({ problem: "pq" })
  )
  const data = yield* Effect.fromResult(writeInnerData(nonces, challenge, factors, options.dc, options.expiresIn))
  const encrypted = yield* Effect.mapError(
    RsaPad.encrypt(crypto, challenge.publicKey, data),
    () => new AuthKeyExchangeError({ problem: "crypto" })
  )
  const aes = Formulas.temporaryAesKey(crypto, nonces)
  const params = yield* Effect.fromResult(
    readDhParams(crypto, nonces, aes, yield* ask(writeReqDhParams(nonces, challenge, factors, encrypted)))
  )
  const group = yield* Effect.mapError(DiffieHellman.checkGroup(crypto, params), toProblem)

  let retryId = 0n
  for (let attempt = 0; attempt < MAX_RETRIES; attempt++) {
    const isGuessed = attempt === 0 && group.g === GUESSED.g && Bytes.equals(group.p, GUESSED.p)
    const pair = yield* Effect.mapError(
      isGuessed ? Fiber.join(guess) : DiffieHellman.generate(crypto, group),
      toProblem
    )
    const key = yield* Effect.mapError(DiffieHellman.agree(crypto, group, pair.secret, params.gA), toProblem)
    pair.secret.fill(0)
    const answer = yield* ask(writeSetDhParams(crypto, nonces, aes, pair.publicValue, retryId))
    if ((yield* Effect.fromResult(readDhAnswer(crypto, nonces, key, answer))) === "ok") {
      return { key, serverSalt: Formulas.serverSalt(nonces), serverTime: params.serverTime }
    }
    retryId = key.auxHash
  }
  return yield* new AuthKeyExchangeError({ problem: "refused" })
})

/** The group that Telegram's servers use, so that a pair in it can be made before they say so. */
const GUESSED: DiffieHellman.Parameters = { p: DiffieHellman.wellKnownPrime(), g: 3 }

const guessPair = (crypto: Crypto["Service"]) =>
  Effect.flatMap(DiffieHellman.checkGroup(crypto, GUESSED), (group) => DiffieHellman.generate(crypto, group))

const toProblem = (error: { readonly _tag: string }): AuthKeyExchangeError =>
  new AuthKeyExchangeError({ problem: error._tag === "DiffieHellmanError" ? "group" : "crypto" })
