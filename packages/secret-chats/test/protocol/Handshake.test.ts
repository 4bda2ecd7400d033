import * as ChatState from "@effect-mtproto/secret-chats/protocol/ChatState"
import type { CloseReason } from "@effect-mtproto/secret-chats/protocol/Events"
import * as Inbox from "@effect-mtproto/secret-chats/protocol/Inbox"
import type { Input, ServerChat } from "@effect-mtproto/secret-chats/protocol/Input"
import * as Machine from "@effect-mtproto/secret-chats/protocol/Machine"
import { assert, describe, it } from "@effect/vitest"
import {
  ACCEPTOR,
  action,
  agree,
  CHAT,
  CREATOR,
  dh,
  encodePayload,
  keyHashOf,
  keyPair,
  makeRandom,
  noop,
  NOW,
  of,
  one,
  ready,
  receive,
  refusal,
  said,
  send,
  step,
  type Stepped,
  text
} from "./support.ts"

const random = makeRandom(3)
const a = keyPair(random)
const b = keyPair(random)
const key = agree(a.publicValue, b.publicValue)
const copy = (pair: typeof a) => ({ secret: pair.secret.slice(), publicValue: pair.publicValue })
const FIRST = { _tag: "First" } as const

const chat = {
  waiting: {
    _tag: "encryptedChatWaiting",
    id: CHAT,
    accessHash: 51n,
    date: 10,
    adminId: CREATOR,
    participantId: ACCEPTOR
  },
  requested: {
    _tag: "encryptedChatRequested",
    id: CHAT,
    accessHash: 52n,
    date: 11,
    adminId: CREATOR,
    participantId: ACCEPTOR,
    gA: a.publicValue
  },
  ready: {
    _tag: "encryptedChat",
    id: CHAT,
    accessHash: 53n,
    date: 12,
    adminId: CREATOR,
    participantId: ACCEPTOR,
    gAOrB: b.publicValue,
    keyFingerprint: key.fingerprint
  },
  discarded: { _tag: "encryptedChatDiscarded", id: CHAT },
  deleted: { _tag: "encryptedChatDiscarded", id: CHAT, historyDeleted: true },
  empty: { _tag: "encryptedChatEmpty", id: CHAT }
} satisfies Record<string, ServerChat>
const server = (value: ServerChat): Input => ({ _tag: "ServerChat", chat: value })
const pair = (own = a): Input => ({ _tag: "KeyPairGenerated", purpose: FIRST, dh, own: copy(own) })
const agreed = (own: typeof a, more: Partial<Extract<Input, { _tag: "KeyAgreed" }>> = {}): Input => ({
  _tag: "KeyAgreed",
  purpose: FIRST,
  dh,
  own: copy(own),
  key: key.bytes.slice(),
  fingerprint: key.fingerprint,
  keyHash: keyHashOf(key),
  seenElsewhere: false,
  ...more
})
const refused = (type: string, repeated = false, code = 400): Input => ({
  _tag: "HandshakeRefused",
  error: { code, type },
  repeated
})

const steps = (...inputs: ReadonlyArray<Input>): Stepped =>
  inputs.reduce<Stepped>((s, input) => step(s.state, input), {
    state: ChatState.empty(CHAT),
    outputs: [],
    events: [],
    tags: []
  })
const request: Input = { _tag: "Request", userId: ACCEPTOR, userAccessHash: 9n }
const requesting = () => steps(request)
const waiting = () => steps(request, pair())
const known = () => steps(request, pair(), server(chat.waiting))
const agreeing = () => steps(request, pair(), server(chat.waiting), server(chat.ready))
const requested = () => steps(server(chat.requested))
const accepting = () => steps(server(chat.requested), { _tag: "Accept" })
const confirming = () => steps(server(chat.requested), { _tag: "Accept" }, agreed(b))
const reasonOf = (stepped: Stepped): CloseReason | undefined =>
  stepped.state.phase._tag === "Closed" ? stepped.state.phase.reason : undefined
const discards = (stepped: Stepped) => of(stepped, "DiscardEncryption").length

describe("the creator", () => {
  it("C1-C3: exponent and parameters are stored with the request, before it is sent", () => {
    const first = requesting()
    assert.deepStrictEqual(first.outputs, [{ _tag: "GenerateKeyPair", purpose: FIRST }])
    const second = step(first.state, pair())
    assert.deepStrictEqual(second.state.phase, { _tag: "Waiting", own: copy(a), known: false })
    assert.deepStrictEqual(second.state.dh, dh)
    assert.deepStrictEqual([second.state.role, second.state.date], ["creator", NOW / 1000])
    assert.deepStrictEqual(second.outputs, [
      { _tag: "Remember", value: a.publicValue },
      { _tag: "RequestEncryption", userId: ACCEPTOR, userAccessHash: 9n, publicValue: a.publicValue }
    ])
  })

  it("C4: the server knows; told once, however often it is said", () => {
    const stepped = known()
    assert.deepStrictEqual(stepped.events, [{ _tag: "ChatWaiting", date: 10 }])
    assert.deepStrictEqual([stepped.state.accessHash, stepped.state.date], [51n, 10])
    const again = step(stepped.state, server({ ...chat.waiting, accessHash: 99n }))
    assert.deepStrictEqual(again.events, [])
    assert.strictEqual(again.state.accessHash, 99n)
  })

  it("C5: the answer: the key is asked for", () => {
    assert.deepStrictEqual(one(agreeing(), "AgreeOnKey"), {
      _tag: "AgreeOnKey",
      purpose: FIRST,
      dh,
      own: copy(a),
      peerValue: b.publicValue
    })
  })

  it("C5: access hash and date are the server's, and its bytes may be used again", () => {
    const gAOrB = b.publicValue.slice()
    const { state } = step(known().state, server({ ...chat.ready, gAOrB }))
    gAOrB.fill(0)
    assert.deepStrictEqual([state.accessHash, state.date], [53n, 12])
    assert.deepStrictEqual(state.phase, {
      _tag: "Agreeing",
      own: copy(a),
      peerValue: b.publicValue,
      fingerprint: key.fingerprint
    })
  })

  it("C6: ready: key picture, NotifyLayer as the first message, exponent wiped", () => {
    const stepped = step(agreeing().state, agreed(a))
    assert.strictEqual(stepped.state.phase._tag, "Ready")
    assert.deepStrictEqual(stepped.state.keyHash, keyHashOf(key))
    assert.deepStrictEqual(stepped.events, [{ _tag: "ChatReady", keyHash: keyHashOf(key), date: NOW / 1000 }])
    assert.deepStrictEqual(said(stepped), ["NotifyLayer"])
    const seal = one(stepped, "Seal")
    assert.deepStrictEqual([seal.inSeqNo, seal.outSeqNo, seal.record.layer, seal.via], [0, 1, 73, "service"])
    assert.deepStrictEqual(seal.content._tag === "decryptedMessageService" ? seal.content.action : undefined, {
      _tag: "decryptedMessageActionNotifyLayer",
      layer: 144
    })
    assert.deepStrictEqual(seal.key, key)
    assert.deepStrictEqual(of(stepped, "Wipe").map((w) => w.bytes), [a.secret])
    assert.deepStrictEqual(stepped.tags, ["Remember", "Emit", "Seal", "Wipe", "Flush"])
  })

  it("the fingerprints differ: closed, and the server is told", () => {
    const stepped = step(agreeing().state, agreed(a, { fingerprint: 1n }))
    assert.deepStrictEqual(reasonOf(stepped), { _tag: "KeyCheck", check: "fingerprint" })
    assert.strictEqual(discards(stepped), 1)
    assert.strictEqual(of(stepped, "Wipe").length >= 2, true)
  })

  it("the peer's value is our own, or the fingerprint is 0: closed", () => {
    const echo = step(known().state, server({ ...chat.ready, gAOrB: a.publicValue })).state
    assert.deepStrictEqual(reasonOf(step(echo, agreed(a))), { _tag: "KeyCheck", check: "public-value" })
    const zero = step(known().state, server({ ...chat.ready, keyFingerprint: 0n })).state
    assert.deepStrictEqual(reasonOf(step(zero, agreed(a, { fingerprint: 0n }))), {
      _tag: "KeyCheck",
      check: "public-value"
    })
  })

  it.each(
    [
      ["parameters", requesting, { _tag: "KeyCheck", check: "parameters" }, 0],
      ["server", requesting, { _tag: "Refused", error: { code: 400, type: "RANDOM_LENGTH_INVALID" } }, 0],
      ["public-value", agreeing, { _tag: "KeyCheck", check: "public-value" }, 1],
      ["parameters", accepting, { _tag: "KeyCheck", check: "parameters" }, 1],
      ["public-value", accepting, { _tag: "KeyCheck", check: "public-value" }, 1]
    ] as const
  )("a computation is refused (%s): closed", (check, make, reason, told) => {
    const stepped = step(make().state, {
      _tag: "KeyRefused",
      purpose: FIRST,
      check,
      error: { code: 400, type: "RANDOM_LENGTH_INVALID" }
    })
    assert.deepStrictEqual(reasonOf(stepped), reason)
    assert.strictEqual(discards(stepped), told)
  })

  it("the server says not why it gives no group: told as an error of its own, and history stays", () => {
    const stepped = step(requesting().state, { _tag: "KeyRefused", purpose: FIRST, check: "server" })
    assert.deepStrictEqual(stepped.state.phase, {
      _tag: "Closed",
      reason: { _tag: "Refused", error: { code: 500, type: "UNKNOWN" } },
      discard: false,
      deleteHistory: false
    })
  })

  it("a value known from another chat: closed, everything wiped, the history stays", () => {
    for (const [make, own] of [[agreeing, a], [accepting, b]] as const) {
      const stepped = step(make().state, agreed(own, { seenElsewhere: true }))
      assert.deepStrictEqual(stepped.state.phase, {
        _tag: "Closed",
        reason: { _tag: "KeyCheck", check: "public-value" },
        discard: true,
        deleteHistory: false
      })
      const wiped = of(stepped, "Wipe").map((w) => w.bytes)
      for (const secret of [own.secret, key.bytes]) assert.deepInclude(wiped, secret)
    }
  })

  it("the fingerprint differs: the key is wiped", () => {
    const stepped = step(agreeing().state, agreed(a, { fingerprint: 1n }))
    assert.deepInclude(of(stepped, "Wipe").map((w) => w.bytes), key.bytes)
  })

  it("ready: the peer's value is remembered, to be recognised in other chats", () => {
    assert.deepStrictEqual(one(step(agreeing().state, agreed(a)), "Remember").value, b.publicValue)
  })

  it("an answer with more than 2048 bits: closed", () => {
    const stepped = step(known().state, server({ ...chat.ready, gAOrB: Uint8Array.of(1, ...new Uint8Array(256)) }))
    assert.deepStrictEqual(reasonOf(stepped), { _tag: "KeyCheck", check: "public-value" })
  })

  it("the request is refused: closed with the server's error", () => {
    const stepped = step(waiting().state, refused("USER_IS_BLOCKED", false, 403))
    assert.deepStrictEqual(reasonOf(stepped), { _tag: "Refused", error: { code: 403, type: "USER_IS_BLOCKED" } })
  })

  it("the request of before a crash has worked: the answer is awaited", () => {
    const stepped = step(waiting().state, refused("RANDOM_ID_DUPLICATE", true))
    assert.deepStrictEqual(stepped.state.phase, { _tag: "Waiting", own: copy(a), known: true })
    assert.strictEqual(step(stepped.state, server(chat.ready)).state.phase._tag, "Agreeing")
  })

  it("an answer about another chat: closed", () => {
    const stepped = step(waiting().state, server({ ...chat.waiting, id: CHAT + 1 }))
    assert.deepStrictEqual(reasonOf(stepped), { _tag: "KeyCheck", check: "chat-id" })
  })
})

describe("the acceptor", () => {
  it("A1: a request is shown, and nothing else happens", () => {
    const stepped = requested()
    assert.deepStrictEqual(stepped.outputs, [{
      _tag: "Emit",
      event: { _tag: "ChatRequested", userId: CREATOR, date: 11 }
    }])
    const { accessHash, date, role, userId } = stepped.state
    assert.deepStrictEqual([role, userId, accessHash, date], ["acceptor", CREATOR, 52n, 11])
    assert.deepStrictEqual(step(stepped.state, { _tag: "Start" }).outputs, [])
  })

  it("A1: whoever passes the request on may use its bytes again", () => {
    const gA = a.publicValue.slice()
    const { state } = step(ChatState.empty(CHAT), server({ ...chat.requested, gA }))
    gA.fill(0)
    assert.deepStrictEqual(state.phase, { _tag: "Requested", peerValue: a.publicValue })
  })

  it("A1: with more than 2048 bits it is none", () => {
    const fresh = ChatState.empty(CHAT)
    const big = step(fresh, server({ ...chat.requested, gA: Uint8Array.of(1, ...new Uint8Array(256)) }))
    assert.deepStrictEqual(big, { ...big, state: fresh, outputs: [] })
  })

  it("A2: accepted: a key pair and the key are asked for", () => {
    assert.deepStrictEqual(accepting().outputs, [{ _tag: "AgreeOnKey", purpose: FIRST, peerValue: a.publicValue }])
  })

  it("A3: the key is stored before the server is told", () => {
    const stepped = confirming()
    assert.deepStrictEqual(stepped.state.phase, {
      _tag: "Confirming",
      publicValue: b.publicValue,
      key,
      attempts: 1,
      uncertain: false
    })
    assert.deepStrictEqual(stepped.state.keyHash, keyHashOf(key))
    assert.deepStrictEqual(one(stepped, "AcceptEncryption"), {
      _tag: "AcceptEncryption",
      publicValue: b.publicValue,
      fingerprint: key.fingerprint
    })
    assert.deepStrictEqual(of(stepped, "Wipe").map((w) => w.bytes), [b.secret])
    assert.deepStrictEqual(of(stepped, "Remember").map((r) => r.value), [a.publicValue, b.publicValue])
    // and the next run of the program is another attempt
    const again = step(stepped.state, { _tag: "Start" }).state
    assert.deepStrictEqual(again.phase, {
      _tag: "Confirming",
      publicValue: b.publicValue,
      key,
      attempts: 2,
      uncertain: false
    })
  })

  it("A4: the server confirms: ready, NotifyLayer", () => {
    const stepped = step(confirming().state, server({ ...chat.ready, gAOrB: new Uint8Array() }))
    assert.strictEqual(stepped.state.phase._tag, "Ready")
    assert.deepStrictEqual(said(stepped), ["NotifyLayer"])
    const seal = one(stepped, "Seal")
    assert.deepStrictEqual([seal.inSeqNo, seal.outSeqNo], [1, 0])
  })

  it("A4: with another fingerprint: closed", () => {
    const stepped = step(confirming().state, server({ ...chat.ready, keyFingerprint: 5n }))
    assert.deepStrictEqual(reasonOf(stepped), { _tag: "KeyCheck", check: "fingerprint" })
  })

  it("declined: the server is told", () => {
    const stepped = step(requested().state, { _tag: "Discard", deleteHistory: false })
    assert.deepStrictEqual(reasonOf(stepped), { _tag: "ByMe" })
    assert.strictEqual(discards(stepped), 1)
  })

  it("our own public value as a request: closed", () => {
    assert.deepStrictEqual(reasonOf(step(accepting().state, agreed(a))), { _tag: "KeyCheck", check: "public-value" })
  })

  it("accepting what is not a request is refused", () => {
    assert.strictEqual(refusal(ChatState.empty(CHAT), { _tag: "Accept" }), "phase")
    assert.strictEqual(refusal(waiting().state, { _tag: "Accept" }), "phase")
    assert.strictEqual(refusal(accepting().state, { _tag: "Accept" }), "phase")
    assert.strictEqual(refusal(step(requested().state, server(chat.discarded)).state, { _tag: "Accept" }), "closed")
  })
})

describe("several devices", () => {
  it("another one was first: said so, and its chat is left alone", () => {
    const stepped = step(confirming().state, refused("ENCRYPTION_ALREADY_ACCEPTED"))
    assert.deepStrictEqual(stepped.state.phase, {
      _tag: "Closed",
      reason: { _tag: "TakenElsewhere" },
      discard: false,
      deleteHistory: false
    })
    assert.strictEqual(discards(stepped), 0)
    assert.deepStrictEqual(of(stepped, "Wipe").map((w) => w.bytes), [key.bytes])
  })

  it("declined before: withdrawn", () => {
    const stepped = step(confirming().state, refused("ENCRYPTION_ALREADY_DECLINED"))
    assert.deepStrictEqual(reasonOf(stepped), { _tag: "Withdrawn" })
    assert.strictEqual(discards(stepped), 0)
  })

  it("any other refusal: closed with it", () => {
    const stepped = step(confirming().state, refused("CHAT_ID_INVALID"))
    assert.deepStrictEqual(reasonOf(stepped), { _tag: "Refused", error: { code: 400, type: "CHAT_ID_INVALID" } })
  })

  it.each([
    [
      "the program ran again",
      () => step(step(confirming().state, { _tag: "Start" }).state, refused("ENCRYPTION_ALREADY_ACCEPTED"))
    ],
    ["an answer was lost", () => step(confirming().state, refused("ENCRYPTION_ALREADY_ACCEPTED", true))]
  ])("already accepted, but maybe by us (%s): undecided", (_, make) => {
    const { outputs, state } = make()
    assert.strictEqual(state.phase._tag === "Confirming" && state.phase.uncertain, true)
    // it is not accepted again; the server is asked whether it lets us into the chat
    assert.deepStrictEqual(outputs, [{ _tag: "Probe" }])
    assert.deepStrictEqual(step(state, { _tag: "Start" }).outputs, [{ _tag: "Probe" }])
    // a frame under our key decides for us
    const mine = step(state, firstFrame())
    assert.strictEqual(mine.state.phase._tag, "Ready")
    assert.deepStrictEqual(mine.events.map((e) => e._tag), ["ChatReady", "LayerChanged", "NewMessage"])
    // a discard against us
    assert.deepStrictEqual(reasonOf(step(state, server(chat.discarded))), { _tag: "TakenElsewhere" })
  })

  const undecided = () => step(confirming().state, refused("ENCRYPTION_ALREADY_ACCEPTED", true)).state
  const probed = (type?: string, code = 400): Input => ({
    _tag: "Probed",
    ...(type === undefined ? {} : { error: { code, type } })
  })

  it.each<readonly [string, CloseReason["_tag"]]>([
    ["CHAT_ID_INVALID", "TakenElsewhere"],
    ["ENCRYPTION_ID_INVALID", "TakenElsewhere"],
    ["ENCRYPTION_DECLINED", "Withdrawn"],
    ["ENCRYPTION_ALREADY_DECLINED", "Withdrawn"]
  ])(
    "undecided, and the server does not let us into the chat (%s): closed, and no chat is discarded",
    (type, reason) => {
      const stepped = step(undecided(), probed(type))
      assert.strictEqual(reasonOf(stepped)?._tag, reason)
      assert.strictEqual(discards(stepped), 0)
      assert.deepStrictEqual(of(stepped, "Wipe").map((w) => w.bytes), [key.bytes])
    }
  )

  it("undecided, and the server lets us in, or says something else: still so, until a frame decides", () => {
    // the access hash is the account's, so a yes does not say which of its devices has the chat
    for (
      const answer of [probed(), probed("INTERNAL", 500), probed("USER_IS_BLOCKED", 403), probed("FLOOD_WAIT_9", 420)]
    ) {
      const stepped = step(undecided(), answer)
      assert.deepStrictEqual(stepped, { ...stepped, state: undecided(), outputs: [] })
      assert.strictEqual(step(stepped.state, firstFrame()).state.phase._tag, "Ready")
    }
  })

  it("the answer to a probe comes late: what has been decided stays", () => {
    const late = (state: ChatState.ChatState) => {
      const stepped = step(state, probed("CHAT_ID_INVALID"))
      assert.deepStrictEqual(stepped, {
        ...stepped,
        state,
        outputs: [{ _tag: "Notice", notice: "stale-result" }]
      })
    }
    late(step(undecided(), firstFrame()).state)
    late(step(undecided(), server(chat.discarded)).state)
    late(confirming().state)
  })

  it("accepted elsewhere while we still ask the user, or compute", () => {
    for (const make of [requested, accepting]) {
      const stepped = step(make().state, server(chat.ready))
      assert.deepStrictEqual(reasonOf(stepped), { _tag: "TakenElsewhere" })
      assert.strictEqual(discards(stepped), 0)
    }
  })
})

const firstFrame = (): Input => ({
  _tag: "Received",
  payload: encodePayload({ inSeqNo: 0, outSeqNo: 1, layer: 73, message: text(8n) }),
  key: key.fingerprint,
  randomId: 8n,
  date: 20
})

describe("races", () => {
  it("the chat is ready before the answer to the request: fine, the answer is ignored", () => {
    const early = steps(request, pair(), server(chat.ready))
    assert.strictEqual(early.state.phase._tag, "Agreeing")
    const late = step(early.state, server(chat.waiting))
    assert.deepStrictEqual(late.state, early.state)
    assert.deepStrictEqual(step(ready("creator"), server(chat.waiting)).outputs, [])
  })

  it("said twice: nothing happens", () => {
    for (
      const [make, what] of [
        [agreeing, chat.ready],
        [requested, chat.requested],
        [accepting, chat.requested],
        [confirming, chat.requested]
      ] as const
    ) {
      const { state } = make()
      const again = step(state, server(what))
      assert.deepStrictEqual(again.state, state)
      assert.deepStrictEqual(of(again, "Emit"), [])
    }
    const state = ready("acceptor")
    assert.deepStrictEqual(step(state, server(chat.ready)), { state, outputs: [], events: [], tags: [] })
    assert.deepStrictEqual(step(state, server(chat.requested)).state, state)
  })

  it("chats that do not fit the phase are ignored", () => {
    const fresh = ChatState.empty(CHAT)
    for (const what of [chat.ready, chat.waiting, chat.discarded, chat.empty]) {
      assert.deepStrictEqual(step(fresh, server(what)).state, fresh)
    }
    assert.deepStrictEqual(step(known().state, server(chat.empty)).state, known().state)
    assert.deepStrictEqual(step(requesting().state, server(chat.ready)).state, requesting().state)
    for (const make of [requesting, agreeing]) {
      assert.deepStrictEqual(step(make().state, server(chat.ready)).outputs, [
        { _tag: "Notice", notice: "unexpected-chat" }
      ])
    }
  })

  it.each(
    [
      ["Requesting", requesting, "Declined"],
      ["Waiting", known, "Declined"],
      ["Agreeing", agreeing, "ByPeer"],
      ["Requested", requested, "Withdrawn"],
      ["Accepting", accepting, "Withdrawn"],
      ["Confirming", confirming, "Withdrawn"],
      ["Ready", () => ({ state: ready("creator") }), "ByPeer"]
    ] as const
  )("discarded in %s: closed, the server is not told", (_, make, reason) => {
    const stepped = step(make().state, server(chat.discarded))
    assert.deepStrictEqual(stepped.state.phase, {
      _tag: "Closed",
      reason: { _tag: reason },
      discard: false,
      deleteHistory: false
    })
    assert.deepStrictEqual(stepped.events, [
      { _tag: "ChatClosed", reason: { _tag: reason }, historyDeleted: false, date: NOW / 1000 }
    ])
    assert.strictEqual(discards(stepped), 0)
    assert.deepStrictEqual(of(stepped, "DeleteHistory"), [])
    const deleted = step(make().state, server(chat.deleted))
    assert.strictEqual(of(deleted, "DeleteHistory").length, 1)
    assert.strictEqual(of(deleted, "DropTimers").length, 1)
  })

  it("results that come too late are wiped", () => {
    const late = step(ready("creator"), agreed(a))
    assert.deepStrictEqual(late.tags, ["Wipe", "Wipe", "Notice"])
    assert.deepStrictEqual(of(late, "Notice"), stale)
    const pairLate = step(known().state, pair())
    assert.deepStrictEqual(pairLate.tags, ["Wipe", "Notice"])
    assert.deepStrictEqual(of(pairLate, "Notice"), stale)
  })

  it("refusals that come too late change nothing", () => {
    const keyRefused: Input = { _tag: "KeyRefused", purpose: FIRST, check: "public-value" }
    for (const make of [() => ({ state: ChatState.empty(CHAT) }), waiting, known, requested, confirming]) {
      const { state } = make()
      assert.deepStrictEqual(step(state, keyRefused), { state, outputs: stale, events: [], tags: ["Notice"] })
    }
    for (const make of [requesting, known, agreeing, requested, accepting, () => ({ state: ready("creator") })]) {
      const { state } = make()
      const stepped = step(state, refused("RANDOM_ID_DUPLICATE"))
      assert.deepStrictEqual(stepped, { state, outputs: stale, events: [], tags: ["Notice"] })
    }
  })

  it("another chat than the one that was asked for: closed where it is an answer, ignored elsewhere", () => {
    const another = server({ ...chat.ready, id: CHAT + 1 })
    for (const make of [waiting, known, confirming]) {
      assert.deepStrictEqual(reasonOf(step(make().state, another)), { _tag: "KeyCheck", check: "chat-id" })
    }
    const makes = [requesting, agreeing, requested, accepting, () => ({ state: ready("acceptor") })]
    for (const { state } of makes.map((make) => make())) {
      assert.deepStrictEqual(step(state, another), {
        state,
        outputs: [{ _tag: "Notice", notice: "unexpected-chat" }],
        events: [],
        tags: ["Notice"]
      })
    }
  })
})

const stale = [{ _tag: "Notice", notice: "stale-result" }] as const

// the server has executed the request after the discard
describe("what we have ended and the server says is alive", () => {
  const ended = (make: () => Stepped, deleteHistory = false) =>
    step(step(make().state, { _tag: "Discard", deleteHistory }).state, { _tag: "DiscardDone" }).state

  it.each([["encryptedChatWaiting", chat.waiting], ["encryptedChat", chat.ready]])(
    "%s of a request of ours: discarded again, as it was meant",
    (_, alive) => {
      for (const deleteHistory of [false, true]) {
        const state = ended(waiting, deleteHistory)
        const stepped = step(state, server(alive))
        assert.deepStrictEqual(stepped.outputs, [{ _tag: "DiscardEncryption", deleteHistory }])
        assert.deepStrictEqual(stepped.state, {
          ...state,
          phase: { _tag: "Closed", reason: { _tag: "ByMe" }, discard: true, deleteHistory }
        })
      }
    }
  )

  it("closed because of a check: discarded again, too", () => {
    const closed = step(step(agreeing().state, agreed(a, { fingerprint: 1n })).state, { _tag: "DiscardDone" }).state
    assert.strictEqual(discards(step(closed, server(chat.ready))), 1)
  })

  it("nothing else does it", () => {
    const nothing = (state: ChatState.ChatState, what: ServerChat) =>
      assert.deepStrictEqual(step(state, server(what)), { state, outputs: [], events: [], tags: [] })
    // the server has yet to answer to the first
    nothing(step(waiting().state, { _tag: "Discard", deleteHistory: false }).state, chat.waiting)
    for (const what of [chat.requested, chat.discarded, chat.empty, { ...chat.waiting, id: CHAT + 1 }]) {
      nothing(ended(waiting), what)
    }
    // somebody asks us: it is theirs to end
    nothing(ended(requested), chat.ready)
    nothing(ended(confirming), chat.ready)
    // ended by the other side
    nothing(step(known().state, server(chat.discarded)).state, chat.waiting)
    nothing(step(ready("creator"), server(chat.discarded)).state, chat.ready)
    // it has come into being, and is not closed
    nothing(ready("creator"), chat.ready)
  })
})

describe("starting again", () => {
  it.each(
    [
      ["Requesting", requesting, "GenerateKeyPair"],
      ["Waiting, server not heard", waiting, "RequestEncryption"],
      ["Agreeing", agreeing, "AgreeOnKey"],
      ["Accepting", accepting, "AgreeOnKey"],
      ["Confirming", confirming, "AcceptEncryption"]
    ] as const
  )("%s: the same is asked for again", (_, make, tag) => {
    const before = make()
    const again = step(before.state, { _tag: "Start" })
    assert.deepStrictEqual(again.tags, [tag])
    if (tag !== "AcceptEncryption") assert.deepStrictEqual(again.state, before.state)
    assert.deepStrictEqual(of(again, tag), of(before, tag) as never)
  })

  it("Waiting, server heard: nothing to do", () => {
    assert.deepStrictEqual(step(known().state, { _tag: "Start" }).outputs, [])
  })

  it("Ready: what is not sent is sent", () => {
    assert.deepStrictEqual(step(ready("creator"), { _tag: "Start" }).tags, ["Flush"])
  })

  it("Closed: the server is told until it has answered", () => {
    const closed = step(ready("creator"), { _tag: "Discard", deleteHistory: true })
    assert.deepStrictEqual(one(closed, "DiscardEncryption"), { _tag: "DiscardEncryption", deleteHistory: true })
    const again = step(closed.state, { _tag: "Start" })
    assert.deepStrictEqual(again.outputs, [{ _tag: "DiscardEncryption", deleteHistory: true }])
    const done = step(again.state, { _tag: "DiscardDone" })
    assert.deepStrictEqual(done.state.phase, {
      _tag: "Closed",
      reason: { _tag: "ByMe" },
      discard: false,
      deleteHistory: true
    })
    const open = ready("creator")
    assert.strictEqual(step(open, { _tag: "DiscardDone" }).state, open)
    assert.deepStrictEqual(step(done.state, { _tag: "Start" }).outputs, [])
  })
})

describe("frames before there is a key", () => {
  const early = (n: number, size = 40): Input => ({
    _tag: "ReceivedEarly",
    frame: { randomId: BigInt(n), date: n, bytes: new Uint8Array(size) }
  })

  it.each([["Waiting", known], ["Agreeing", agreeing]])("are kept in %s, and opened when there is one", (_, make) => {
    let { state } = make()
    state = step(state, early(1)).state
    state = step(state, early(2)).state
    if (state.phase._tag === "Waiting") state = step(state, server(chat.ready)).state
    const stepped = step(state, agreed(a))
    assert.deepStrictEqual(one(stepped, "Reopen").frames.map((f) => f.randomId), [1n, 2n])
    // until that is done they are still there
    const again = step(stepped.state, { _tag: "Start" })
    assert.strictEqual(one(again, "Reopen").frames.length, 2)
    // of a single one, too
    const single = step(step(agreeing().state, early(3)).state, agreed(a))
    assert.strictEqual(one(single, "Reopen").frames.length, 1)
    assert.strictEqual(one(step(single.state, { _tag: "Start" }), "Reopen").frames.length, 1)
    assert.deepStrictEqual(of(step(agreeing().state, agreed(a)), "Reopen"), [])
    assert.deepStrictEqual(step(again.state, { _tag: "Reopened" }).state.inbox.early, [])
  })

  it("are bounded in number and bytes", () => {
    let { state } = known()
    for (let i = 0; i < Inbox.MAX_EARLY; i++) state = step(state, early(i)).state
    assert.deepStrictEqual(step(state, early(99)).outputs, [{ _tag: "Notice", notice: "early-frames-full" }])
    const big = step(known().state, early(1, Inbox.MAX_EARLY_BYTES)).state
    assert.strictEqual(big.inbox.early.length, 1)
    assert.strictEqual(step(big, early(2, 1)).state.inbox.early.length, 1)
  })

  it("are dropped where no key is to come", () => {
    for (const make of [requesting, requested, accepting]) {
      const { state } = make()
      assert.deepStrictEqual(step(state, early(1)), {
        state,
        outputs: [{ _tag: "Notice", notice: "not-ready" }],
        events: [],
        tags: ["Notice"]
      })
    }
  })
})

describe("what is refused to the caller", () => {
  const content = text(1n)
  it("sending before there is a key, or after the end", () => {
    for (const make of [requesting, waiting, known, agreeing, requested, accepting, confirming]) {
      assert.strictEqual(refusal(make().state, { _tag: "Send", content, via: "message" }), "not-ready")
    }
    const closed = step(ready("creator"), server(chat.discarded)).state
    assert.strictEqual(refusal(closed, { _tag: "Send", content, via: "message" }), "closed")
  })

  it("requesting a chat that exists, discarding one that does not", () => {
    assert.strictEqual(refusal(known().state, request), "phase")
    assert.strictEqual(refusal(ChatState.empty(1), { _tag: "Discard", deleteHistory: false }), "phase")
  })

  it("discarding twice is no fault", () => {
    const closed = step(ready("creator"), { _tag: "Discard", deleteHistory: false }).state
    const again = step(closed, { _tag: "Discard", deleteHistory: true })
    assert.deepStrictEqual(again.state, closed)
    assert.deepStrictEqual(again.outputs, [])
  })

  it("cancelling before the server can know: it is not told", () => {
    assert.strictEqual(discards(step(requesting().state, { _tag: "Discard", deleteHistory: false })), 0)
    assert.strictEqual(discards(step(waiting().state, { _tag: "Discard", deleteHistory: false })), 1)
  })
})

describe("a closed chat", () => {
  it("takes anything and stays closed", () => {
    const { state } = step(ready("creator"), server(chat.discarded))
    const inputs: ReadonlyArray<Input> = [
      firstFrame(),
      server(chat.ready),
      server(chat.discarded),
      agreed(a),
      pair(),
      refused("ENCRYPTION_ALREADY_ACCEPTED"),
      { _tag: "Tick" },
      { _tag: "TypingByPeer" },
      { _tag: "Reopened" },
      { _tag: "ReceivedEarly", frame: { randomId: 1n, date: 1, bytes: new Uint8Array(8) } },
      {
        _tag: "Sent",
        record: { index: 0, randomId: 1n, kind: "message", inIndex: 0, layer: 144, revision: 0 },
        date: 1
      }
    ]
    for (const input of inputs) {
      const stepped = step(state, input)
      assert.deepStrictEqual(stepped.state, state, input._tag)
      assert.deepStrictEqual(stepped.events, [])
    }
  })

  it("keeps no key and no exponent", () => {
    for (
      const make of [
        waiting,
        agreeing,
        confirming,
        () => ({ state: receive(send(ready("creator"), text(1n)).state, action(noop)).state })
      ]
    ) {
      const closed = step(make().state, { _tag: "Discard", deleteHistory: false })
      const { state } = closed
      assert.isAtLeast(of(closed, "Wipe").length, 1)
      assert.strictEqual(state.keys, undefined)
      assert.deepStrictEqual(Machine.readingKeys(state), [])
      assert.deepStrictEqual(Object.keys(state.phase).toSorted(), ["_tag", "deleteHistory", "discard", "reason"])
      assert.deepStrictEqual(state.outbox.records, [])
    }
  })
})
