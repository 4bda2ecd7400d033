/**
 * Replacing the key of a chat (core.telegram.org/api/end-to-end/pfs).
 *
 * ```
 * A: RequestKey(id, g_a)  ->  B                      B computes the new key
 * A  <-  AcceptKey(id, g_b, fingerprint)  :B         B can read the new key from here
 * A: CommitKey(id, fingerprint)  ->  B               A writes the new key after it
 *                                                    B writes the new key from here
 * ```
 *
 * All three are written with the old key. Each side keeps it until a message *in
 * order* under the new key acknowledges everything that this side has written
 * with the old one. Then
 *
 * - whoever wrote it had seen our last message under the old key, so it was made
 *   after the switch, and so is everything after it: nothing under the old key can
 *   come any more;
 * - none of ours can be asked for again, or has to be replaced under the old key;
 *
 * nothing can need it, and it is overwritten. (TDLib takes any message in order
 * under the new key. That is too early if it replaces an older one in its slot,
 * and others before the switch are still missing.)
 *
 * Until then no new exchange is started; TDLib closes the chat of a peer that
 * does. So each side says something under the new key at once (Noop, if nothing
 * else): neither has to keep the old key until the other happens to write.
 *
 * Whether a key is old enough is asked after every message: more than
 * {@link MESSAGES} messages sent and received, or more than {@link AGE} since it
 * came into use and at least one message. Both are part of the stored state, so
 * restarts do not put them off.
 *
 * A public value that cannot be honest is refused: one out of range, our own
 * coming back, or one that is known from another chat of this store. The last is
 * the unknown key-share attack: somebody who has a chat with each of us passes
 * our values between them, until we share a key and each believes to share it
 * with them. The key picture is that of the first key and would not show it.
 *
 * @since 1.0.0
 */
import type * as SecretApi from "@effect-mtproto/core/SecretApi"
import type { Draft } from "./Draft.ts"
import type { Event } from "./Events.ts"
import type { Input } from "./Input.ts"
import * as Keys from "./Keys.ts"
import type { Rule } from "./Violation.ts"

/**
 * A key is replaced after more than so many messages.
 *
 * @since 1.0.0
 * @category constants
 */
export const MESSAGES = 100

/**
 * A key that was used is replaced after more than so many milliseconds: 7 days.
 *
 * @since 1.0.0
 * @category constants
 */
export const AGE = 7 * 24 * 60 * 60 * 1000

/**
 * Whether to start an exchange now.
 *
 * @since 1.0.0
 * @category queries
 */
export const isDue = (keys: Keys.Keys, now: number): boolean =>
  keys.exchange._tag === "Idle" && keys.previous === undefined &&
  (keys.uses > MESSAGES || (keys.uses > 0 && now - keys.since > AGE))

const setExchange = (d: Draft, exchange: Keys.Exchange): void => d.update({ keys: { ...d.state.keys!, exchange } })

/** The present key stays, and counts as new: an exchange that fails must not be started again at once, for ever. */
const abandon = (d: Draft, reason: Extract<Event, { _tag: "RekeyAbandoned" }>["reason"]): void => {
  d.update({ keys: { ...d.state.keys!, exchange: { _tag: "Idle" }, uses: 0, since: d.now } })
  d.emit({ _tag: "RekeyAbandoned", reason, date: d.date })
}

/** The new key is in use from here; the old one is kept for reading. */
const swap = (d: Draft, next: Keys.ChatKey, startedBy: "me" | "peer"): void => {
  const { current } = d.state.keys!
  d.update({ keys: { ...Keys.initial(next, d.now), previous: { ...current, before: d.state.sequence.myOut } } })
  d.silentSinceSwap = true
  d.emit({ _tag: "Rekeyed", startedBy, date: d.date })
}

// ----- the side that starts

/**
 * Starts an exchange. The peer knows of it when the key pair is made and stored.
 *
 * @since 1.0.0
 * @category transitions
 */
export const start = (d: Draft): void => {
  setExchange(d, { _tag: "Starting", exchangeId: d.randomLong() })
  resume(d)
}

/**
 * Asks for the computation that the exchange waits for, if any.
 *
 * @since 1.0.0
 * @category transitions
 */
export const resume = (d: Draft): void => {
  const { exchange } = d.state.keys!
  const dh = d.state.dh!
  switch (exchange._tag) {
    case "Starting":
      return d.act({ _tag: "GenerateKeyPair", purpose: { _tag: "Rekey", exchangeId: exchange.exchangeId }, dh })
    case "Answering":
      return d.act({
        _tag: "AgreeOnKey",
        purpose: { _tag: "Rekey", exchangeId: exchange.exchangeId },
        dh,
        peerValue: exchange.peerValue
      })
    case "Committing":
      return d.act({
        _tag: "AgreeOnKey",
        purpose: { _tag: "Rekey", exchangeId: exchange.exchangeId },
        dh,
        own: exchange.own,
        peerValue: exchange.peerValue
      })
  }
}

/**
 * Our key pair is made: RequestKey.
 *
 * @since 1.0.0
 * @category transitions
 */
export const keyPairGenerated = (d: Draft, exchangeId: bigint, own: Keys.KeyPair): void => {
  const { exchange } = d.state.keys!
  if (exchange._tag !== "Starting" || exchange.exchangeId !== exchangeId) {
    d.wipe(own.secret)
    return d.notice("stale-result")
  }
  setExchange(d, { _tag: "Requested", exchangeId, own })
  d.write({ _tag: "Remember", value: own.publicValue })
  d.sealProtocol({ _tag: "decryptedMessageActionRequestKey", exchangeId, gA: own.publicValue })
}

/**
 * AcceptKey: the peer has the new key; compute it too.
 *
 * @since 1.0.0
 * @category transitions
 */
export const accepted = (d: Draft, action: SecretApi.decryptedMessageActionAcceptKey): Rule | undefined => {
  const { exchange } = d.state.keys!
  if (exchange._tag !== "Requested" || exchange.exchangeId !== action.exchangeId) return "rekey-accept"
  if (!Keys.fits(action.gB)) return "rekey-public-value"
  setExchange(d, {
    _tag: "Committing",
    exchangeId: exchange.exchangeId,
    own: exchange.own,
    peerValue: action.gB.slice(),
    fingerprint: action.keyFingerprint
  })
  resume(d)
  return undefined
}

// ----- the side that answers

/**
 * RequestKey.
 *
 * If both sides have started, the exchange with the greater id (as signed
 * numbers) goes on, and with equal ids none does. An exchange of ours that the
 * peer has not heard of yet gives way.
 *
 * One that comes while the old key is still kept is declined (AbortKey); no
 * correct peer sends it, and TDLib closes the chat.
 *
 * @since 1.0.0
 * @category transitions
 */
export const requested = (d: Draft, action: SecretApi.decryptedMessageActionRequestKey): Rule | undefined => {
  const { exchange, previous } = d.state.keys!
  switch (exchange._tag) {
    case "Idle":
      if (previous === undefined) break
      // one of them is answered: a peer has no second exchange before the first has ended
      d.abort = action.exchangeId
      return undefined
    case "Starting":
      break
    case "Requested":
      if (exchange.exchangeId > action.exchangeId) return undefined
      d.wipe(exchange.own.secret)
      if (exchange.exchangeId === action.exchangeId) {
        abandon(d, "Collision")
        return undefined
      }
      break
    default:
      return "rekey-request"
  }
  if (!Keys.fits(action.gA)) {
    decline(d, action.exchangeId)
    return undefined
  }
  setExchange(d, { _tag: "Answering", exchangeId: action.exchangeId, peerValue: action.gA.slice() })
  resume(d)
  return undefined
}

/**
 * CommitKey: the peer writes the new key from here, and so do we.
 *
 * @since 1.0.0
 * @category transitions
 */
export const committed = (d: Draft, action: SecretApi.decryptedMessageActionCommitKey): Rule | undefined => {
  const { exchange } = d.state.keys!
  if (
    exchange._tag !== "Answered" || exchange.exchangeId !== action.exchangeId ||
    exchange.key.fingerprint !== action.keyFingerprint
  ) return "rekey-commit"
  swap(d, exchange.key, "peer")
  return undefined
}

// ----- both

/**
 * AbortKey: of another exchange it means nothing; ours ends, if nothing but
 * RequestKey has been said.
 *
 * @since 1.0.0
 * @category transitions
 */
export const aborted = (d: Draft, action: SecretApi.decryptedMessageActionAbortKey): Rule | undefined => {
  const { exchange } = d.state.keys!
  if (exchange._tag === "Idle" || exchange.exchangeId !== action.exchangeId) return undefined
  if (exchange._tag !== "Requested") return "rekey-abort"
  d.wipe(exchange.own.secret)
  abandon(d, "ByPeer")
  return undefined
}

/**
 * The new key is computed: AcceptKey, or CommitKey.
 *
 * @since 1.0.0
 * @category transitions
 */
export const agreed = (
  d: Draft,
  exchangeId: bigint,
  result: Extract<Input, { _tag: "KeyAgreed" }>
): Rule | undefined => {
  const { exchange } = d.state.keys!
  if ((exchange._tag !== "Answering" && exchange._tag !== "Committing") || exchange.exchangeId !== exchangeId) {
    d.wipe(result.own.secret)
    d.wipe(result.key)
    d.notice("stale-result")
    return undefined
  }
  const key: Keys.ChatKey = { bytes: result.key, fingerprint: result.fingerprint }
  const dishonest = result.seenElsewhere || Keys.sameValue(result.own.publicValue, exchange.peerValue)
  d.wipe(result.own.secret)
  if (exchange._tag === "Answering") {
    if (dishonest) {
      d.wipe(result.key)
      decline(d, exchangeId)
      return undefined
    }
    setExchange(d, { _tag: "Answered", exchangeId, key })
    d.write({ _tag: "Remember", value: exchange.peerValue })
    d.write({ _tag: "Remember", value: result.own.publicValue })
    d.sealProtocol({
      _tag: "decryptedMessageActionAcceptKey",
      exchangeId,
      gB: result.own.publicValue,
      keyFingerprint: key.fingerprint
    })
    return undefined
  }
  // the peer has answered, so there is no way back (AbortKey is for before that)
  if (dishonest || key.fingerprint !== exchange.fingerprint) {
    d.wipe(result.key)
    return dishonest ? "rekey-public-value" : "rekey-fingerprint"
  }
  d.write({ _tag: "Remember", value: exchange.peerValue })
  d.sealProtocol({ _tag: "decryptedMessageActionCommitKey", exchangeId, keyFingerprint: key.fingerprint })
  swap(d, key, "me")
  return undefined
}

/**
 * The new key cannot be computed: the peer's value is out of range.
 *
 * @since 1.0.0
 * @category transitions
 */
export const refused = (d: Draft, exchangeId: bigint): Rule | undefined => {
  const { exchange } = d.state.keys!
  if (exchange._tag === "Idle" || exchange.exchangeId !== exchangeId) {
    d.notice("stale-result")
    return undefined
  }
  switch (exchange._tag) {
    case "Answering":
      decline(d, exchangeId)
      return undefined
    case "Committing":
      return "rekey-public-value"
    case "Starting":
      abandon(d, "PublicValue")
      return undefined
    default:
      d.notice("stale-result")
      return undefined
  }
}

const decline = (d: Draft, exchangeId: bigint): void => {
  abandon(d, "PublicValue")
  d.abort = exchangeId
}

/**
 * A message of the peer under `key` was processed in order; what it acknowledges
 * is acknowledged.
 *
 * @since 1.0.0
 * @category transitions
 */
export const used = (d: Draft, key: bigint): void => {
  const { previous, ...keys } = d.state.keys!
  const done = previous !== undefined && key === keys.current.fingerprint && d.state.sequence.hisIn >= previous.before
  if (done) d.wipe(previous.bytes)
  d.update({
    keys: { ...keys, ...(previous === undefined || done ? {} : { previous }), uses: keys.uses + 1 }
  })
}

/**
 * What an exchange still wants to say when everything else of a step is done.
 *
 * @since 1.0.0
 * @category transitions
 */
export const settle = (d: Draft): void => {
  if (d.abort !== undefined) {
    d.sealProtocol({ _tag: "decryptedMessageActionAbortKey", exchangeId: d.abort })
    d.notice("key-request-refused")
  }
  if (d.silentSinceSwap) d.sealProtocol({ _tag: "decryptedMessageActionNoop" })
}
