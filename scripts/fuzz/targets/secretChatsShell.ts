/** What a server and a peer can do to a running chat: any input of the core, frames on their way through the shell. */
import type * as SecretApi from "@effect-mtproto/core/SecretApi"
import { isTlError } from "@effect-mtproto/core/TlError"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Frame from "@effect-mtproto/crypto/Frame"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as ChatState from "@effect-mtproto/secret-chats/protocol/ChatState"
import type { Input, ServerChat } from "@effect-mtproto/secret-chats/protocol/Input"
import * as Keys from "@effect-mtproto/secret-chats/protocol/Keys"
import * as Machine from "@effect-mtproto/secret-chats/protocol/Machine"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { layerMemory, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import * as Transport from "@effect-mtproto/transport/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as StoredPacket from "../../../packages/secret-chats/src/internal/packet.ts"
import { Work } from "../../../packages/secret-chats/src/internal/work.ts"
import {
  action,
  CHAT,
  encodePayload,
  firstKey,
  NOW,
  ready,
  receive,
  send,
  text
} from "../../../packages/secret-chats/test/protocol/support.ts"
import { makeCrypto } from "../makeCrypto.ts"
import { below, bytes, pick, type Random, type Target } from "../Target.ts"

const long = (next: Random): bigint => {
  const edges = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 42n, firstKey.fingerprint]
  return next() < 0.7 ? pick(next, edges) : new DataView(bytes(next, 8).buffer).getBigInt64(0)
}

const int = (next: Random): number =>
  next() < 0.6 ? below(next, 8) : pick(next, [-1, 2 ** 31 - 1, -(2 ** 31), 1000, 1002, 2003, 1 << 30, 1_700_000_000])

const value = (next: Random): Uint8Array =>
  pick(next, [new Uint8Array(0), Uint8Array.of(1), bytes(next, 16), bytes(next, 256), new Uint8Array(2000)])

// ----- contents of a peer

const actions = (next: Random): SecretApi.DecryptedMessageAction => {
  const ids = Array.from({ length: below(next, 4) }, () => long(next))
  switch (below(next, 13)) {
    case 0:
      return { _tag: "decryptedMessageActionResend", startSeqNo: int(next), endSeqNo: int(next) }
    case 1:
      return { _tag: "decryptedMessageActionRequestKey", exchangeId: long(next), gA: value(next) }
    case 2:
      return {
        _tag: "decryptedMessageActionAcceptKey",
        exchangeId: long(next),
        gB: value(next),
        keyFingerprint: long(next)
      }
    case 3:
      return { _tag: "decryptedMessageActionCommitKey", exchangeId: long(next), keyFingerprint: long(next) }
    case 4:
      return { _tag: "decryptedMessageActionAbortKey", exchangeId: long(next) }
    case 5:
      return { _tag: "decryptedMessageActionNoop" }
    case 6:
      return { _tag: "decryptedMessageActionNotifyLayer", layer: int(next) }
    case 7:
      return { _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds: int(next) }
    case 8:
      return { _tag: "decryptedMessageActionReadMessages", randomIds: ids }
    case 9:
      return { _tag: "decryptedMessageActionDeleteMessages", randomIds: ids }
    case 10:
      return { _tag: "decryptedMessageActionScreenshotMessages", randomIds: ids }
    case 11:
      return { _tag: "decryptedMessageActionFlushHistory" }
    default:
      return { _tag: "decryptedMessageActionTyping", action: { _tag: "sendMessageTypingAction" } }
  }
}

const content = (next: Random): SecretApi.DecryptedMessage =>
  next() < 0.3
    ? { _tag: "decryptedMessage", randomId: long(next), ttl: int(next), message: "text" }
    : { _tag: "decryptedMessageService", randomId: long(next), action: actions(next) }

/** A payload that is in order more often than not. */
const payload = (state: ChatState.ChatState, next: Random): Uint8Array => {
  const x = state.role === "creator" ? 0 : 1
  const ahead = next() < 0.7 ? 0 : below(next, 4)
  return encodePayload({
    layer: next() < 0.9 ? 144 : pick(next, [0, 8, 46, 73, 145, 999, -1]),
    inSeqNo: next() < 0.9
      ? 2 * (state.sequence.hisIn + below(next, state.sequence.myOut - state.sequence.hisIn + 1)) + 1 - x
      : int(next),
    outSeqNo: next() < 0.95 ? 2 * (state.sequence.myIn + ahead) + x : int(next),
    message: content(next),
    randomBytes: next() < 0.98 ? 31 : 3
  }).slice()
}

// ----- any input

const serverChat = (next: Random): ServerChat => {
  const head = {
    id: next() < 0.9 ? CHAT : int(next),
    accessHash: long(next),
    date: int(next),
    adminId: long(next),
    participantId: long(next)
  }
  switch (below(next, 5)) {
    case 0:
      return { _tag: "encryptedChatEmpty", id: head.id }
    case 1:
      return { _tag: "encryptedChatWaiting", ...head }
    case 2:
      return { _tag: "encryptedChatRequested", ...head, gA: value(next) }
    case 3:
      return { _tag: "encryptedChat", ...head, gAOrB: value(next), keyFingerprint: long(next) }
    default:
      return { _tag: "encryptedChatDiscarded", id: head.id, ...(next() < 0.5 ? { historyDeleted: true as const } : {}) }
  }
}

const anyInput = (state: ChatState.ChatState, next: Random): Input => {
  const pair = (): Keys.KeyPair => ({ secret: bytes(next, 16), publicValue: value(next) })
  const exchange = state.keys?.exchange
  const exchangeId = exchange !== undefined && "exchangeId" in exchange && next() < 0.8
    ? exchange.exchangeId
    : long(next)
  const purpose = state.keys === undefined || next() < 0.1
    ? { _tag: "First" as const }
    : { _tag: "Rekey" as const, exchangeId }
  const dh = { version: 1, g: 3, p: Uint8Array.of(0xff, 0xfd) }
  const fingerprint = state.phase._tag === "Agreeing" && next() < 0.8 ? state.phase.fingerprint : long(next)
  const record = state.outbox.records.length > 0 && next() < 0.9 ? pick(next, state.outbox.records) : {
    index: below(next, 9),
    randomId: 1n,
    kind: "message" as const,
    inIndex: 0,
    layer: 73,
    revision: 0
  }
  const error = {
    code: 400,
    type: pick(next, ["DATA_INVALID", "ENCRYPTION_DECLINED", "ENCRYPTION_ALREADY_ACCEPTED", "RANDOM_ID_DUPLICATE", "?"])
  }
  switch (below(next, 24)) {
    case 0:
      return { _tag: "Start" }
    case 1:
      return { _tag: "Tick" }
    case 2:
      return { _tag: "Request", userId: long(next), userAccessHash: long(next) }
    case 3:
      return { _tag: "Accept" }
    case 4:
      return next() < 0.2 ? { _tag: "Discard", deleteHistory: next() < 0.5 } : { _tag: "Start" }
    case 5:
    case 6:
      return { _tag: "Send", content: text(long(next), "text", { ttl: below(next, 9) }), via: "message" }
    case 7: {
      const one = actions(next)
      return { _tag: "Send", content: action(one as Parameters<typeof action>[0], long(next)), via: "service" }
    }
    case 8:
      return { _tag: "MarkRead", maxDate: int(next) }
    case 9:
      return { _tag: "Expired", direction: pick(next, ["incoming", "outgoing"]), randomIds: [long(next)] }
    case 10:
      return { _tag: "KeyPairGenerated", purpose, dh, own: pair() }
    case 11:
    case 12:
      return {
        _tag: "KeyAgreed",
        purpose,
        dh,
        own: pair(),
        key: bytes(next, 256),
        fingerprint,
        keyHash: bytes(next, 36),
        seenElsewhere: next() < 0.1
      }
    case 13:
      return { _tag: "KeyRefused", purpose, check: pick(next, ["parameters", "public-value", "server"]), error }
    case 14:
    case 15:
      return { _tag: "ServerChat", chat: serverChat(next) }
    case 16:
      return { _tag: "HandshakeRefused", error, repeated: next() < 0.5 }
    case 17:
      return pick<Input>(next, [{ _tag: "DiscardDone" }, { _tag: "Reopened" }, { _tag: "TypingByPeer" }])
    case 18:
      return { _tag: "Sent", record, date: int(next) }
    case 19:
      return { _tag: "Refused", record, error }
    case 20:
      return {
        _tag: "ReceivedEarly",
        frame: { randomId: long(next), date: int(next), bytes: bytes(next, below(next, 200)) }
      }
    case 21:
      return { _tag: "ReadByPeer", maxDate: int(next), date: int(next) }
    default: {
      const keys = Machine.readingKeys(state)
      return {
        _tag: "Received",
        payload: payload(state, next),
        key: keys.length > 0 && next() < 0.95 ? pick(next, keys).fingerprint : long(next),
        randomId: long(next),
        date: int(next)
      }
    }
  }
}

/** What holds after every step, whatever the input was. */
const check = (before: ChatState.ChatState, stepped: Machine.Step): void => {
  const { outputs, state } = stepped
  const fail = (what: string): never => {
    throw new Error(what)
  }
  if (state.sequence.myOut < before.sequence.myOut) fail("a number of ours was taken back")
  if (state.sequence.myIn < before.sequence.myIn) fail("a number of the peer was taken back")
  if (state.sequence.hisIn < before.sequence.hisIn) fail("an acknowledgement was taken back")
  if (state.layers.his < before.layers.his) fail("the layer fell")
  if (before.keyHash !== undefined && state.keyHash !== before.keyHash) fail("the picture has changed")
  if (before.phase._tag === "Closed" && state.phase._tag !== "Closed") fail("a closed chat has come back")
  let next = before.sequence.myOut
  for (const output of outputs) {
    if (output._tag !== "Seal") continue
    if (output.key.bytes.every((byte) => byte === 0)) fail("sealed with a wiped key")
    if (output.record.revision === 0 && output.record.index !== next++) fail("a number was skipped or given twice")
  }
  if (state.phase._tag !== "Closed") return
  if (state.keys !== undefined || state.outbox.records.length > 0) fail("a closed chat keeps keys or messages")
  if (before.keys === undefined) return
  const wiped = new Set(outputs.flatMap((output) => output._tag === "Wipe" ? [output.bytes] : []))
  for (const secret of Keys.secrets(before.keys)) if (!wiped.has(secret)) fail("a key of a closed chat is not wiped")
}

const histories = (): ReadonlyArray<ChatState.ChatState> => {
  const states: Array<ChatState.ChatState> = [ChatState.empty(CHAT)]
  for (const role of ["creator", "acceptor"] as const) {
    let state = ready(role)
    states.push(state)
    for (let i = 1n; i < 4n; i++) state = receive(send(state, text(i)).state, text(50n + i)).state
    states.push(state)
  }
  return states
}

const coreTarget = (): Target => {
  const starts = histories()
  return {
    name: "secret-chats/Machine.step, any inputs",
    seeds: [],
    rarity: 4,
    run: (_, next) => {
      let state = pick(next, starts)
      let now = NOW
      for (let i = 0; i < 25; i++) {
        const stepped = Machine.step(state, anyInput(state, next), { now, entropy: bytes(next, Machine.entropyBytes) })
        now += below(next, 200_000)
        // a refusal is for the caller, and changes nothing
        if (Result.isFailure(stepped)) continue
        check(state, stepped.success)
        state = stepped.success.state
      }
      // what is left can be stored, and read again
      const again = Result.getOrThrow(ChatState.decode({
        head: ChatState.encode(state),
        outbox: state.outbox.records.map(ChatState.encodeRecord),
        pending: state.inbox.pending.map(ChatState.encodePending)
      }))
      if (again.sequence.myOut !== state.sequence.myOut) throw new Error("stored and read is not the same")
    },
    isExpected: () => false
  }
}

// ----- the shell

const shellTargets = (crypto: Crypto["Service"]): ReadonlyArray<Target> => {
  const key = SharedKey.make(crypto, crypto.randomBytes(256))
  const bytesOfKey = new Uint8Array(key.bytes)
  const base = histories().at(-1)!
  const state: ChatState.ChatState = {
    ...base,
    keys: { ...base.keys!, current: { bytes: bytesOfKey, fingerprint: key.id } }
  }
  /** The key of a state is wiped when its chat is closed. */
  const fresh = (): ChatState.ChatState => ({
    ...state,
    keys: { ...state.keys!, current: { bytes: bytesOfKey.slice(), fingerprint: key.id } }
  })
  const seal = (inside: Uint8Array): Uint8Array =>
    Frame.seal(crypto, { key, fromCreator: state.role !== "creator", payload: inside })
  const fixed = (seed: number): Random => () => (seed = (seed * 16807) % 2147483647) / 2147483647
  const payloads = Array.from({ length: 40 }, (_, i) => payload(state, fixed(i + 1)))
  const take = (frames: ReadonlyArray<Uint8Array>) => {
    const work = new Work({ state: fresh(), stored: true, now: NOW, crypto })
    for (const frame of frames) {
      const taken = work.receive({ bytes: frame, randomId: 5n, date: 1 })
      if (Result.isFailure(taken)) throw taken.failure
    }
    const write = work.write(1, [], false)
    // what would be stored can be read
    if (write.chat !== undefined) ChatState.encode(work.state)
    return write
  }
  return [
    {
      name: "secret-chats/receive",
      seeds: payloads.map(seal),
      run: (frame) => take([frame]),
      isExpected: () => false
    },
    {
      name: "secret-chats/receive, authentic",
      seeds: payloads,
      run: (input, next) => {
        const inside = input.slice(0, input.length & ~3)
        return take(
          next() < 0.5 ? [seal(inside)] : [seal(payload(state, next)), seal(inside), seal(payload(state, next))]
        )
      },
      isExpected: () => false
    },
    {
      name: "secret-chats/packet.decode",
      seeds: [
        StoredPacket.encode({ via: "message", silent: false, data: bytes(fixed(3), 88) }),
        StoredPacket.encode({ via: "file", silent: true, data: bytes(fixed(4), 88), file: bytes(fixed(5), 40) })
      ].map((stored) => stored.slice()),
      run: (input) => StoredPacket.decode(input),
      isExpected: isTlError
    },
    programTarget(crypto, fresh, payloads, seal)
  ]
}

/** The whole program: a store with one chat, updates of a hostile server, and every call unanswered. */
const programTarget = (
  crypto: Crypto["Service"],
  fresh: () => ChatState.ChatState,
  payloads: ReadonlyArray<Uint8Array>,
  seal: (payload: Uint8Array) => Uint8Array
): Target => ({
  name: "secret-chats/SecretChats, running",
  seeds: payloads,
  rarity: 40,
  slow: true,
  run: (input, next) =>
    Effect.runPromise(
      Effect.scoped(Effect.gen(function*() {
        const state = fresh()
        const store = Context.get(yield* Layer.build(layerMemory), SecretChatStore)
        yield* store.commit({
          chatId: CHAT,
          expected: 0,
          chat: { phase: "ready", wakeAt: undefined, head: ChatState.encode(state) },
          changes: state.outbox.records.map((record) => ({
            _tag: "PutOutbox" as const,
            index: record.index,
            randomId: record.randomId,
            record: ChatState.encodeRecord(record),
            packet: StoredPacket.encode({ via: "message", silent: false, data: new Uint8Array(88) })
          }))
        })
        const queue = yield* Queue.unbounded<Transport.TransportUpdate, Transport.TransportError>()
        const transport = Transport.Transport.of({ invoke: () => Effect.never, updates: Stream.fromQueue(queue) })
        let confirmed = 0
        let pushed = 0
        const push = (update: Transport.TransportUpdate["update"]) => {
          pushed++
          Queue.offerUnsafe(queue, {
            update,
            date: 1,
            users: [],
            confirm: Effect.sync(() => {
              confirmed++
            })
          })
        }
        const frames = [
          input,
          seal(input.slice(0, input.length & ~3)),
          seal(payload(state, next)),
          bytes(next, below(next, 300))
        ]
        const services = yield* Layer.build(
          SecretChats.layer().pipe(
            Layer.provide(Layer.mergeAll(
              Layer.succeed(SecretChatStore, store),
              Layer.succeed(Transport.Transport, transport),
              Layer.succeed(Crypto, crypto)
            ))
          )
        )
        const chats = Context.get(services, SecretChats.SecretChats)
        for (let i = 0; i < 12; i++) {
          const chatId = next() < 0.9 ? CHAT : int(next)
          const kind = next()
          if (kind < 0.2) {
            push({ _tag: "updateEncryption", date: int(next), chat: { ...serverChat(next), id: chatId } as any })
          } else if (kind < 0.25) push({ _tag: "updateEncryptedChatTyping", chatId })
          else if (kind < 0.3) {
            push({ _tag: "updateEncryptedMessagesRead", chatId, maxDate: int(next), date: int(next) })
          } else {
            push({
              _tag: "updateNewEncryptedMessage",
              message: {
                _tag: "encryptedMessageService",
                randomId: long(next),
                chatId,
                date: int(next),
                bytes: pick(next, frames)
              },
              qts: i + 1
            })
          }
        }
        for (let i = 0; confirmed < pushed; i++) {
          if (i > 2_000) throw new Error(`${pushed - confirmed} updates were never confirmed`)
          yield* Effect.promise(() => new Promise<void>((resume) => setImmediate(resume)))
        }
        yield* chats.list
        yield* chats.messages(CHAT)
        yield* chats.get(CHAT)
      })).pipe(
        // an act that fails is told to the log only
        Effect.provide(Logger.layer([Logger.make(({ message }) => failed.push(String(message)))])),
        Effect.provideService(References.MinimumLogLevel, "Error"),
        Effect.tap(() =>
          Effect.sync(() => {
            const first = failed.splice(0)[0]
            if (first !== undefined) throw new Error(first)
          })
        )
      )
    ),
  isExpected: () => false
})

const failed: Array<string> = []

export const make = async (): Promise<ReadonlyArray<Target>> => [coreTarget(), ...shellTargets(await makeCrypto())]
