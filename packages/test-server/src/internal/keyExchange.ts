/**
 * The key exchange with its exponentiations, which take milliseconds and run off
 * the event loop. Decisions are those of `handshake.ts`.
 */
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as Tl from "@effect-mtproto/core/Tl"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Packet from "@effect-mtproto/crypto/Packet"
import * as RsaPad from "@effect-mtproto/crypto/RsaPad"
import type { RsaPrivateKey } from "@effect-mtproto/crypto/RsaPublicKey"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as Effect from "effect/Effect"
import { constants, createPrivateKey, type KeyObject, privateDecrypt } from "node:crypto"
import { equals } from "./bytes.ts"
import * as Faults from "./faults.ts"
import { isPublicValue } from "./group.ts"
import * as Handshake from "./handshake.ts"
import * as MessageIds from "./messageIds.ts"
import * as World from "./world.ts"

/** What goes back for a plain message. */
export type Reply =
  | { readonly _tag: "Answer"; readonly body: Uint8Array }
  | { readonly _tag: "Refuse"; readonly code: number }
  | { readonly _tag: "Ignore" }

/** Exchanges of one data centre under way, in order of their start. */
export interface KeyExchanges {
  readonly key: RsaPrivateKey
  readonly dc: number
  /** Performs RSA with the private key. */
  readonly crypto: Crypto["Service"]
  readonly exchanges: Map<string, Handshake.Exchange>
}

export const make = (options: {
  readonly crypto: Crypto["Service"]
  readonly key: RsaPrivateKey
  /** The same key. */
  readonly pem: string
  readonly dc: number
}): KeyExchanges => ({
  key: options.key,
  dc: options.dc,
  crypto: withPrivateKey(options.crypto, options.key, createPrivateKey(options.pem)),
  exchanges: new Map()
})

/**
 * The engine, except that it raises to the power of the private exponent with OpenSSL: a general engine does not know
 * the factors, and takes much longer.
 */
const withPrivateKey = (crypto: Crypto["Service"], key: RsaPrivateKey, secret: KeyObject): Crypto["Service"] => ({
  ...crypto,
  modPow: (base, exponent, modulus) =>
    exponent === key.d && modulus === key.n
      ? Effect.sync(() => new Uint8Array(privateDecrypt({ key: secret, padding: constants.RSA_NO_PADDING }, base)))
      : crypto.modPow(base, exponent, modulus)
})

/** The packet for an answer; as in production, random bytes may follow its object. */
export const seal = (world: World.World, answer: Uint8Array): Uint8Array => {
  const words = world.settings.trailingBytes ? world.crypto.randomBytes(1)[0]! % 16 : 0
  const body = new Uint8Array(answer.length + words * 4)
  body.set(answer)
  if (words > 0) body.set(world.crypto.randomBytes(words * 4), answer.length)
  return Packet.sealPlain({ msgId: MessageIds.next(0n, world.clock(), MessageIds.ANSWER), body })
}

/** An unknown key, a step that is wrong, an exchange that is over: a client starts again. */
const UNKNOWN = -404
const WRONG_DC = -444

const refuse = (code = UNKNOWN): Reply => ({ _tag: "Refuse", code })

const requestCodec = TlCodec.make(Tl.union("PlainMessage", [MtprotoApi.HandshakeRequest, MtprotoApi.msgs_ack]))

/** Answers a plain message: one object, possibly followed by padding. */
export const handle: (
  world: World.World,
  state: KeyExchanges,
  body: Uint8Array
) => Effect.Effect<Reply> = Effect.fnUntraced(function*(world, state, body) {
  const request = Handshake.readObject(requestCodec, body)
  switch (request?._tag) {
    case "req_pq":
    case "req_pq_multi":
      return reqPq(world, state, request.nonce)
    case "req_DH_params":
      return yield* reqDhParams(world, state, request, body)
    case "set_client_DH_params":
      return yield* setClientDhParams(world, state, request, body)
    case "msgs_ack":
      // older clients acknowledge the answers of the exchange
      return { _tag: "Ignore" }
    default:
      return refuse()
  }
})

const reqPq = (world: World.World, state: KeyExchanges, nonce: Uint8Array): Reply => {
  const now = World.seconds(world)
  for (const exchange of state.exchanges.values()) {
    const isOld = exchange.startedAt + Handshake.LIFETIME < now
    if (!isOld && state.exchanges.size < world.limits.exchanges) break
    state.exchanges.delete(exchange.name)
  }
  const fault = Faults.takeHandshake(world.faults, [
    "refuse.reqPq",
    "resPQ.nonce",
    "resPQ.pq",
    "resPQ.fingerprints"
  ])
  if (fault === "refuse.reqPq") return refuse()
  const exchange = Handshake.begin(world.crypto, nonce, now)
  state.exchanges.set(exchange.name, exchange)
  return { _tag: "Answer", body: Handshake.resPq(exchange, [state.key.fingerprint], fault) }
}

/** The exchange that a request belongs to, if it is neither over nor forgotten. */
const find = (
  world: World.World,
  state: KeyExchanges,
  request: { readonly nonce: Uint8Array; readonly serverNonce: Uint8Array }
): Handshake.Exchange | undefined => {
  const exchange = state.exchanges.get(Handshake.nameOf(request))
  return exchange !== undefined && exchange.startedAt + Handshake.LIFETIME >= World.seconds(world)
    ? exchange
    : undefined
}

/** The answer that these bytes were given before. */
const repeated = (exchange: Handshake.Exchange, body: Uint8Array): Reply | undefined =>
  exchange.answered !== undefined && equals(exchange.answered.request, body)
    ? { _tag: "Answer", body: exchange.answered.answer }
    : undefined

const end = (world: World.World, state: KeyExchanges, exchange: Handshake.Exchange, code = UNKNOWN): Reply => {
  state.exchanges.delete(exchange.name)
  world.counters.keysRefused++
  return refuse(code)
}

const reqDhParams = Effect.fnUntraced(function*(
  world: World.World,
  state: KeyExchanges,
  request: MtprotoApi.req_DH_params,
  body: Uint8Array
): Effect.fn.Return<Reply> {
  const exchange = find(world, state, request)
  if (exchange === undefined) return refuse()
  const before = repeated(exchange, body)
  if (before !== undefined) return before
  const fault = Faults.takeHandshake(world.faults, [
    "refuse.reqDhParams",
    "serverDhParams.nonce",
    "serverDhParams.serverNonce",
    "serverDhParams.hash",
    "serverDhParams.length",
    "serverDhInner.nonce",
    "serverDhInner.serverNonce",
    "serverDhInner.prime",
    "serverDhInner.generator",
    "serverDhInner.gA"
  ])
  const isRight = exchange.keyed === undefined && request.publicKeyFingerprint === state.key.fingerprint &&
    Handshake.isDhRequestRight(exchange, request)
  if (fault === "refuse.reqDhParams" || !isRight) return end(world, state, exchange)
  const data = yield* RsaPad.decrypt(state.crypto, state.key, request.encryptedData).pipe(
    Effect.catchTag("RsaPadError", () => RsaPad.decryptLegacy(state.crypto, state.key, request.encryptedData)),
    Effect.catch(() => Effect.succeed(undefined))
  )
  if (data === undefined) return end(world, state, exchange)
  const inner = Handshake.readInner(exchange, data, state.dc + (world.testMode ? 10_000 : 0))
  if (inner === "refused") return end(world, state, exchange)
  if (inner === "wrong-dc") return end(world, state, exchange, WRONG_DC)
  const pair = yield* keyPair(world)
  // another request of the same exchange may have been faster
  if (pair === undefined || exchange.keyed !== undefined) return end(world, state, exchange)
  Handshake.key(world.crypto, exchange, inner, pair)
  const answer = Handshake.serverDhParams(world.crypto, exchange, World.seconds(world), fault)
  exchange.answered = { request: body, answer }
  return { _tag: "Answer", body: answer }
})

/** A secret exponent and its public value; values outside the safe range are as good as impossible, but not quite. */
const keyPair = Effect.fnUntraced(function*(world: World.World) {
  for (let attempt = 0; attempt < 4; attempt++) {
    const secret = world.crypto.randomBytes(256)
    const { base, exponent, modulus } = Handshake.exponentiation(secret)
    const gA = yield* world.crypto.modPow(base, exponent, modulus).pipe(
      Effect.catch(() => Effect.succeed(new Uint8Array(0)))
    )
    if (isPublicValue(gA)) return { secret, gA }
  }
  return undefined
})

const setClientDhParams = Effect.fnUntraced(function*(
  world: World.World,
  state: KeyExchanges,
  request: MtprotoApi.set_client_DH_params,
  body: Uint8Array
): Effect.fn.Return<Reply> {
  const exchange = find(world, state, request)
  if (exchange === undefined) return refuse()
  const before = repeated(exchange, body)
  if (before !== undefined) return before
  if (exchange.isOver) return end(world, state, exchange)
  const fault = Faults.takeHandshake(world.faults, [
    "refuse.setClientDhParams",
    "dhGen.nonce",
    "dhGen.serverNonce",
    "dhGen.hash",
    "dhGen.retry",
    "dhGen.fail"
  ])
  const gB = Handshake.readClientValue(world.crypto, exchange, request)
  if (fault === "refuse.setClientDhParams" || gB === undefined) return end(world, state, exchange)
  const { base, exponent, modulus } = Handshake.agreement(exchange, gB)
  const bytes = yield* world.crypto.modPow(base, exponent, modulus).pipe(
    Effect.catch(() => Effect.succeed(undefined))
  )
  if (bytes === undefined) return end(world, state, exchange)
  const meanwhile = repeated(exchange, body)
  if (meanwhile !== undefined) return meanwhile
  if (exchange.isOver) return end(world, state, exchange)
  const key = SharedKey.make(world.crypto, bytes)
  const verdict = fault === "dhGen.fail"
    ? "fail"
    : fault === "dhGen.retry" || world.keys.has(key.id)
    ? "retry"
    : "ok"
  const answer = Handshake.dhGen(world.crypto, exchange, key, verdict, fault)
  exchange.answered = { request: body, answer }
  exchange.isOver = verdict !== "retry"
  if (verdict === "ok") {
    World.addKey(world, key, {
      dc: state.dc,
      salt: Handshake.firstSalt(exchange),
      expiresIn: exchange.keyed?.expiresIn
    })
  }
  return { _tag: "Answer", body: answer }
})
