/**
 * How a chat comes about and ends, in both roles
 * (core.telegram.org/api/end-to-end, TDLib).
 *
 * The rule for every step: what the peer will rely on is stored before it is
 * told. The creator's exponent is part of the state before requestEncryption is
 * called, the acceptor's key before acceptEncryption is; so a crash at any point
 * is followed by the same call with the same values. (TDLib stores neither in
 * time: a crash after acceptEncryption leaves the peer with a chat that nobody
 * answers.)
 *
 * Nothing is accepted by itself: a request waits for `Accept` or `Discard`.
 *
 * The server speaks of a chat in answers and in updates, in any order and more
 * than once. Everything that does not fit the phase is ignored, except that a
 * discarded chat is closed in every phase, and that a chat which we have ended
 * and the server says is alive is discarded again: the server has executed the
 * request after the discard.
 *
 * Several devices: only one can accept. If another one did, this is told to the
 * user, and the server is *not* told to discard the chat, for it is alive there.
 * "Already accepted" in answer to a call that may have worked before, with its
 * answer lost, is not such a case yet: it may have been us. Then the first frame
 * that opens with our key decides for us, and a discard by the server against.
 * The discard may be lost or have come before the request, and there is no call
 * that says who has a chat; so the server is asked to let us do something in it
 * that nobody notices (`Probe`), at once and at every start. Whoever has a chat is
 * never told that there is no such chat: that answer decides against, too. A yes
 * decides nothing, for the access hash is the account's and not the device's.
 *
 * @since 1.0.0
 */
import type { Draft } from "./Draft.ts"
import type { CloseReason, ServerError } from "./Events.ts"
import * as Inbox from "./Inbox.ts"
import type { Input, ServerChat } from "./Input.ts"
import * as Keys from "./Keys.ts"

const FIRST = { _tag: "First" } as const

/**
 * Asks for what the phase waits for.
 *
 * @since 1.0.0
 * @category transitions
 */
export const resume = (d: Draft): void => {
  const { phase } = d.state
  switch (phase._tag) {
    case "Requesting":
      return d.act({ _tag: "GenerateKeyPair", purpose: FIRST })
    case "Waiting":
      if (phase.known) return
      return d.act({
        _tag: "RequestEncryption",
        userId: d.state.userId,
        userAccessHash: d.state.userAccessHash,
        publicValue: phase.own.publicValue
      })
    case "Agreeing":
      return d.act({
        _tag: "AgreeOnKey",
        purpose: FIRST,
        dh: d.state.dh!,
        own: phase.own,
        peerValue: phase.peerValue
      })
    case "Accepting":
      return d.act({ _tag: "AgreeOnKey", purpose: FIRST, peerValue: phase.peerValue })
    case "Confirming":
      if (phase.uncertain) return d.act({ _tag: "Probe" })
      return d.act({
        _tag: "AcceptEncryption",
        publicValue: phase.publicValue,
        fingerprint: phase.key.fingerprint
      })
    case "Closed":
      if (phase.discard) d.act({ _tag: "DiscardEncryption", deleteHistory: phase.deleteHistory })
  }
}

/**
 * The program runs again: a call of before may have reached the server.
 *
 * @since 1.0.0
 * @category transitions
 */
export const restart = (d: Draft): void => {
  const { phase } = d.state
  if (phase._tag === "Confirming") d.update({ phase: { ...phase, attempts: phase.attempts + 1 } })
  resume(d)
}

/**
 * The user asks somebody for a chat.
 *
 * @since 1.0.0
 * @category transitions
 */
export const request = (d: Draft, input: Extract<Input, { _tag: "Request" }>): void => {
  d.update({
    role: "creator",
    userId: input.userId,
    userAccessHash: input.userAccessHash,
    date: d.date,
    phase: { _tag: "Requesting" }
  })
  resume(d)
}

/**
 * The user says yes.
 *
 * @since 1.0.0
 * @category transitions
 */
export const accept = (d: Draft, peerValue: Uint8Array): void => {
  d.update({ phase: { _tag: "Accepting", peerValue } })
  resume(d)
}

/**
 * The user ends the chat, declines or cancels a request.
 *
 * @since 1.0.0
 * @category transitions
 */
export const discard = (d: Draft, deleteHistory: boolean): void =>
  // before Waiting the server has never heard of it
  d.close({ _tag: "ByMe" }, { discard: d.state.phase._tag !== "Requesting", deleteHistory })

/**
 * The creator's key pair is made.
 *
 * @since 1.0.0
 * @category transitions
 */
export const keyPairGenerated = (d: Draft, dh: Keys.Dh, own: Keys.KeyPair): void => {
  if (d.state.phase._tag !== "Requesting") {
    d.wipe(own.secret)
    return d.notice("stale-result")
  }
  d.update({ dh, phase: { _tag: "Waiting", own, known: false } })
  d.write({ _tag: "Remember", value: own.publicValue })
  resume(d)
}

/**
 * The first key is computed.
 *
 * @since 1.0.0
 * @category transitions
 */
export const agreed = (d: Draft, result: Extract<Input, { _tag: "KeyAgreed" }>): void => {
  const { phase } = d.state
  if (phase._tag !== "Agreeing" && phase._tag !== "Accepting") {
    d.wipe(result.own.secret)
    d.wipe(result.key)
    return d.notice("stale-result")
  }
  const key: Keys.ChatKey = { bytes: result.key, fingerprint: result.fingerprint }
  // our own value coming back, or one that is known from another chat: nobody
  // chose it for this one, and whoever passes it on could reflect our words to us
  // as theirs. Fingerprint 0 names no key
  const dishonest = result.seenElsewhere || Keys.sameValue(result.own.publicValue, phase.peerValue)
  if (dishonest || key.fingerprint === 0n) {
    d.wipe(result.own.secret)
    d.wipe(result.key)
    return fail(d, { _tag: "KeyCheck", check: "public-value" })
  }
  d.write({ _tag: "Remember", value: phase.peerValue })
  d.wipe(result.own.secret)
  if (phase._tag === "Agreeing") {
    if (key.fingerprint !== phase.fingerprint) {
      d.wipe(result.key)
      return fail(d, { _tag: "KeyCheck", check: "fingerprint" })
    }
    return d.becomeReady(key, result.keyHash)
  }
  d.write({ _tag: "Remember", value: result.own.publicValue })
  d.update({
    dh: result.dh,
    keyHash: result.keyHash,
    phase: { _tag: "Confirming", publicValue: result.own.publicValue, key, attempts: 1, uncertain: false }
  })
  resume(d)
}

/**
 * The first key cannot be computed.
 *
 * @since 1.0.0
 * @category transitions
 */
export const keyRefused = (d: Draft, input: Extract<Input, { _tag: "KeyRefused" }>): void => {
  const { phase } = d.state
  if (phase._tag !== "Requesting" && phase._tag !== "Agreeing" && phase._tag !== "Accepting") {
    return d.notice("stale-result")
  }
  const reason: CloseReason = input.check === "server"
    ? { _tag: "Refused", error: input.error ?? { code: 500, type: "UNKNOWN" } }
    : { _tag: "KeyCheck", check: input.check }
  d.close(reason, { discard: phase._tag !== "Requesting", deleteHistory: false })
}

const fail = (d: Draft, reason: CloseReason): void => d.close(reason, { discard: true, deleteHistory: false })

/**
 * requestEncryption or acceptEncryption was refused.
 *
 * @since 1.0.0
 * @category transitions
 */
export const refused = (d: Draft, error: ServerError, repeated: boolean): void => {
  const { phase } = d.state
  if (phase._tag === "Waiting" && !phase.known) {
    // the call of before the crash has worked: the answer comes as an update
    if (error.type === "RANDOM_ID_DUPLICATE") return d.update({ phase: { ...phase, known: true } })
    return fail(d, { _tag: "Refused", error })
  }
  if (phase._tag !== "Confirming") return d.notice("stale-result")
  switch (error.type) {
    case "ENCRYPTION_ALREADY_ACCEPTED":
      if (!repeated && phase.attempts === 1) return gone(d, "TakenElsewhere")
      d.update({ phase: { ...phase, uncertain: true } })
      return resume(d)
    case "ENCRYPTION_ALREADY_DECLINED":
      return gone(d, "Withdrawn")
    default:
      return fail(d, { _tag: "Refused", error })
  }
}

/** The chat is not ours, or is none any more: the server is not told to discard it. */
const gone = (d: Draft, reason: "TakenElsewhere" | "Withdrawn"): void =>
  d.close({ _tag: reason }, { discard: false, deleteHistory: false })

/**
 * The server has answered a probe: with an error, or with a yes.
 *
 * @since 1.0.0
 * @category transitions
 */
export const probed = (d: Draft, error: ServerError | undefined): void => {
  const { phase } = d.state
  if (phase._tag !== "Confirming" || !phase.uncertain) return d.notice("stale-result")
  switch (error?.type) {
    case "CHAT_ID_INVALID":
    case "ENCRYPTION_ID_INVALID":
      return gone(d, "TakenElsewhere")
    case "ENCRYPTION_DECLINED":
    case "ENCRYPTION_ALREADY_DECLINED":
      return gone(d, "Withdrawn")
  }
}

/**
 * What the server says of the chat.
 *
 * @since 1.0.0
 * @category transitions
 */
export const serverChat = (d: Draft, chat: ServerChat): void => {
  const { phase } = d.state
  if (phase._tag === "Closed") return overtaken(d, chat)
  if (chat.id !== d.state.chatId) {
    // only an answer can be about another chat than the one that was asked for
    if (phase._tag === "Waiting" || phase._tag === "Confirming") {
      return fail(d, { _tag: "KeyCheck", check: "chat-id" })
    }
    return d.notice("unexpected-chat")
  }
  switch (chat._tag) {
    case "encryptedChatRequested":
      // a value that nobody can compute with is no request
      if (phase._tag !== "New" || !Keys.fits(chat.gA)) return
      d.update({
        role: "acceptor",
        userId: chat.adminId,
        accessHash: chat.accessHash,
        date: chat.date,
        phase: { _tag: "Requested", peerValue: chat.gA.slice() }
      })
      return d.emit({ _tag: "ChatRequested", userId: chat.adminId, date: chat.date })
    case "encryptedChatWaiting":
      if (phase._tag !== "Waiting") return
      d.update({ accessHash: chat.accessHash, date: chat.date, phase: { ...phase, known: true } })
      if (!phase.known) d.emit({ _tag: "ChatWaiting", date: chat.date })
      return
    case "encryptedChat":
      return accepted(d, chat)
    case "encryptedChatDiscarded":
      return discarded(d, chat.historyDeleted === true)
    case "encryptedChatEmpty":
      return
  }
}

/**
 * The chat that we have ended is alive at the server: the discard was there before our request.
 */
const overtaken = (d: Draft, chat: ServerChat): void => {
  const { chatId, phase, role } = d.state
  if (phase._tag !== "Closed" || phase.discard || role !== "creator" || chat.id !== chatId) return
  if (chat._tag !== "encryptedChatWaiting" && chat._tag !== "encryptedChat") return
  if (phase.reason._tag === "ByPeer" || phase.reason._tag === "Declined") return
  d.update({ phase: { ...phase, discard: true } })
  resume(d)
}

const accepted = (d: Draft, chat: Extract<ServerChat, { _tag: "encryptedChat" }>): void => {
  const { phase } = d.state
  switch (phase._tag) {
    case "Waiting":
      if (!Keys.fits(chat.gAOrB)) return fail(d, { _tag: "KeyCheck", check: "public-value" })
      d.update({
        accessHash: chat.accessHash,
        date: chat.date,
        phase: {
          _tag: "Agreeing",
          own: phase.own,
          peerValue: chat.gAOrB.slice(),
          fingerprint: chat.keyFingerprint
        }
      })
      return resume(d)
    case "Requested":
    case "Accepting":
      return gone(d, "TakenElsewhere")
    case "Confirming":
      if (chat.keyFingerprint !== phase.key.fingerprint) return fail(d, { _tag: "KeyCheck", check: "fingerprint" })
      return confirmed(d)
    case "Ready":
      return
    default:
      return d.notice("unexpected-chat")
  }
}

/**
 * The chat that we accepted is ours: the server said so, or a frame under our key
 * has come.
 *
 * @since 1.0.0
 * @category transitions
 */
export const confirmed = (d: Draft): void => {
  const { keyHash, phase } = d.state
  if (phase._tag === "Confirming") d.becomeReady(phase.key, keyHash!)
}

const discarded = (d: Draft, historyDeleted: boolean): void => {
  const done = (reason: CloseReason) => d.close(reason, { discard: false, deleteHistory: historyDeleted })
  const { phase } = d.state
  switch (phase._tag) {
    case "New":
      return
    case "Requesting":
    case "Waiting":
      return done({ _tag: "Declined" })
    case "Requested":
    case "Accepting":
      return done({ _tag: "Withdrawn" })
    case "Confirming":
      return done({ _tag: phase.uncertain ? "TakenElsewhere" : "Withdrawn" })
    default:
      return done({ _tag: "ByPeer" })
  }
}

/**
 * A frame came before there is a key.
 *
 * Messages and chats come on two independent streams, so the peer's first
 * messages can be here before its answer; dropping them (TDLib) leaves a hole.
 *
 * @since 1.0.0
 * @category transitions
 */
export const receivedEarly = (d: Draft, frame: Inbox.EarlyFrame): void => {
  switch (d.state.phase._tag) {
    case "Waiting":
    case "Agreeing": {
      const inbox = Inbox.keepEarly(d.state.inbox, frame)
      return inbox === undefined ? d.notice("early-frames-full") : d.update({ inbox })
    }
    default:
      return d.notice("not-ready")
  }
}
