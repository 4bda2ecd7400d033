/**
 * A chat without cryptography: keys are stand-ins that both sides can compute
 * from public values, frames are what was inside them.
 */
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as ChatState from "@effect-mtproto/secret-chats/protocol/ChatState"
import * as Content from "@effect-mtproto/secret-chats/protocol/Content"
import type { Event } from "@effect-mtproto/secret-chats/protocol/Events"
import type * as Inbox from "@effect-mtproto/secret-chats/protocol/Inbox"
import type { Input } from "@effect-mtproto/secret-chats/protocol/Input"
import type * as Keys from "@effect-mtproto/secret-chats/protocol/Keys"
import * as Machine from "@effect-mtproto/secret-chats/protocol/Machine"
import type { Act, Output, Write } from "@effect-mtproto/secret-chats/protocol/Output"
import * as Sequence from "@effect-mtproto/secret-chats/protocol/Sequence"
import * as Wrapper from "@effect-mtproto/secret-chats/protocol/Wrapper"
import { assert } from "@effect/vitest"
import { Result } from "effect"

// ----- chance

/** Small, seeded, good enough for tests (mulberry32). */
export const makeRandom = (seed: number) => {
  let a = seed >>> 0
  const next = (): number => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = a
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x100000000
  }
  const below = (n: number): number => Math.floor(next() * n)
  return {
    next,
    below,
    chance: (p: number): boolean => next() < p,
    pick: <A>(list: ReadonlyArray<A>): A => list[below(list.length)]!,
    bytes: (n: number): Uint8Array => Uint8Array.from({ length: n }, () => below(256)),
    long: (): bigint => BigInt.asIntN(64, (BigInt(below(0x100000000)) << 32n) | BigInt(below(0x100000000))) || 1n
  }
}

export type Random = ReturnType<typeof makeRandom>

// ----- stand-ins for keys

const G: Keys.Dh = { version: 1, g: 3, p: Uint8Array.of(0xff, 0xfd) }

export const dh = G

export const keyPair = (random: Random): Keys.KeyPair => {
  const secret = random.bytes(16)
  return { secret, publicValue: Uint8Array.from(secret, (b) => b ^ 0xa5) }
}

/** The same for both sides: it needs only the two public values. */
export const agree = (mine: Uint8Array, theirs: Uint8Array): Keys.ChatKey => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => mine[i % mine.length]! ^ theirs[i % theirs.length]!)
  let fingerprint = 0xcbf29ce484222325n
  for (const b of bytes.subarray(0, 16)) {
    fingerprint = BigInt.asUintN(64, (fingerprint ^ BigInt(b)) * 0x100000001b3n)
  }
  return { bytes, fingerprint: BigInt.asIntN(64, fingerprint) || 1n }
}

export const keyHashOf = (key: Keys.ChatKey): Uint8Array => key.bytes.slice(0, 36)

// ----- stepping

export const NOW = 1_800_000_000_000

let entropy = makeRandom(1)

export interface Stepped {
  readonly state: ChatState.ChatState
  readonly outputs: ReadonlyArray<Output>
  readonly events: ReadonlyArray<Event>
  readonly tags: ReadonlyArray<string>
}

export const step = (state: ChatState.ChatState, input: Input, now = NOW): Stepped => {
  const result = Machine.step(state, input, { now, entropy: entropy.bytes(Machine.entropyBytes) })
  if (Result.isFailure(result)) throw new Error(`refused: ${result.failure.reason}`)
  const { outputs, state: next } = result.success
  return {
    state: next,
    outputs,
    events: outputs.flatMap((o) => (o._tag === "Emit" ? [o.event] : [])),
    tags: outputs.map((o) => o._tag)
  }
}

export const refusal = (state: ChatState.ChatState, input: Input): string => {
  const result = Machine.step(state, input, { now: NOW, entropy: entropy.bytes(Machine.entropyBytes) })
  if (Result.isSuccess(result)) throw new Error("not refused")
  return result.failure.reason
}

export const of = <Tag extends Output["_tag"]>(
  stepped: { readonly outputs: ReadonlyArray<Output> },
  tag: Tag
): ReadonlyArray<Extract<Output, { readonly _tag: Tag }>> =>
  stepped.outputs.filter((o): o is Extract<Output, { readonly _tag: Tag }> => o._tag === tag)

export const one = <Tag extends Output["_tag"]>(
  stepped: { readonly outputs: ReadonlyArray<Output> },
  tag: Tag
): Extract<Output, { readonly _tag: Tag }> => {
  const found = of(stepped, tag)
  assert.strictEqual(found.length, 1, `one ${tag} among ${stepped.outputs.map((o) => o._tag).join(", ")}`)
  return found[0]!
}

export const isWrite = (output: Output): output is Write =>
  [
    "Seal",
    "Forget",
    "SendAgain",
    "Hold",
    "Release",
    "Emit",
    "DeleteMessages",
    "DeleteHistory",
    "Remember",
    "PutTimer",
    "DateTimer",
    "StartViewed",
    "StartOpened",
    "DropTimers"
  ].includes(output._tag)

export const isAct = (output: Output): output is Act => !isWrite(output)

/** The rule for which a step closed the chat. */
export const violated = (stepped: Stepped): string | undefined => {
  const { phase } = stepped.state
  return phase._tag === "Closed" && phase.reason._tag === "Violation" ? phase.reason.rule : undefined
}

/** What the sealed messages of a step say: the action without its prefix, or the text. */
export const said = (stepped: { readonly outputs: ReadonlyArray<Output> }): ReadonlyArray<string> =>
  of(stepped, "Seal").map(({ content }) =>
    content._tag === "decryptedMessageService"
      ? content.action._tag.replace("decryptedMessageAction", "")
      : content._tag === "decryptedMessage"
      ? content.message
      : content._tag
  )

// ----- chats

export const CREATOR = 100n
export const ACCEPTOR = 200n
export const CHAT = 77

const first = makeRandom(7)
const ownPair = keyPair(first)
const peerPair = keyPair(first)
export const firstKey = agree(ownPair.publicValue, peerPair.publicValue)

/** A chat that has just become ready, its NotifyLayer (message 0) sealed. */
export const becomeReady = (role: Sequence.Role): Stepped => {
  const key = { ...firstKey, bytes: firstKey.bytes.slice() }
  const common = { accessHash: 5n, date: 1000, id: CHAT, adminId: CREATOR, participantId: ACCEPTOR }
  const agreed: Input = {
    _tag: "KeyAgreed",
    purpose: { _tag: "First" },
    dh: G,
    own: { secret: ownPair.secret.slice(), publicValue: ownPair.publicValue },
    key: key.bytes,
    fingerprint: key.fingerprint,
    keyHash: keyHashOf(key),
    seenElsewhere: false
  }
  const server: Input = {
    _tag: "ServerChat",
    chat: {
      _tag: "encryptedChat",
      ...common,
      gAOrB: peerPair.publicValue,
      keyFingerprint: key.fingerprint
    }
  }
  let state = ChatState.empty(CHAT)
  if (role === "creator") {
    state = step(state, { _tag: "Request", userId: ACCEPTOR, userAccessHash: 9n }).state
    state = step(state, {
      _tag: "KeyPairGenerated",
      purpose: { _tag: "First" },
      dh: G,
      own: { secret: ownPair.secret.slice(), publicValue: ownPair.publicValue }
    }).state
    state = step(state, server).state
    return step(state, agreed)
  }
  state = step(state, {
    _tag: "ServerChat",
    chat: { _tag: "encryptedChatRequested", ...common, gA: peerPair.publicValue }
  }).state
  state = step(state, { _tag: "Accept" }).state
  state = step(state, agreed).state
  return step(state, server)
}

export const ready = (role: Sequence.Role): ChatState.ChatState => becomeReady(role).state

export const text = (randomId: bigint, message = `text ${randomId}`, more: Partial<Content.Message> = {}) =>
  ({ _tag: "decryptedMessage", randomId, ttl: 0, message, ...more }) satisfies Content.Message

export const action = (action: Content.Action, randomId = 4242n): Content.Service => Content.service(randomId, action)

const encodeLayer = TlCodec.encode(SecretApi.DecryptedMessageLayer)

export const encodePayload = (wrapper: {
  readonly layer?: number
  readonly inSeqNo: number
  readonly outSeqNo: number
  readonly message: SecretApi.DecryptedMessage
  readonly randomBytes?: number
}): Uint8Array =>
  encodeLayer({
    _tag: "decryptedMessageLayer",
    randomBytes: new Uint8Array(wrapper.randomBytes ?? Wrapper.RANDOM_BYTES).fill(0xaa),
    layer: wrapper.layer ?? 144,
    inSeqNo: wrapper.inSeqNo,
    outSeqNo: wrapper.outSeqNo,
    message: wrapper.message
  })

export const other = (role: Sequence.Role): Sequence.Role => (role === "creator" ? "acceptor" : "creator")

/** A message that waits for its turn. */
export const waiting = (index: number, bytes: number): Inbox.Pending => ({
  index,
  payload: new Uint8Array(bytes),
  key: 1n,
  randomId: 1n,
  date: 1,
  spent: false
})

/** A frame of the peer of `state`, by raw numbers. */
export const fromPeer = (
  state: ChatState.ChatState,
  message: {
    readonly index: number
    readonly inIndex?: number
    readonly content: SecretApi.DecryptedMessage
    readonly layer?: number
    readonly key?: bigint
    readonly randomId?: bigint
    readonly date?: number
  }
): Input => {
  const numbers = Sequence.toWire(other(state.role), {
    inIndex: message.inIndex ?? state.sequence.hisIn,
    outIndex: message.index
  })
  return {
    _tag: "Received",
    payload: encodePayload({
      ...numbers,
      message: message.content,
      ...(message.layer === undefined ? {} : { layer: message.layer })
    }),
    key: message.key ?? state.keys?.current.fingerprint ?? 0n,
    randomId: message.randomId ?? message.content.randomId,
    date: message.date ?? 2000
  }
}

/** Receives the next message in order. */
export const receive = (state: ChatState.ChatState, content: SecretApi.DecryptedMessage, more: {
  readonly inIndex?: number
  readonly layer?: number
  readonly key?: bigint
  readonly date?: number
} = {}, now = NOW): Stepped => step(state, fromPeer(state, { index: state.sequence.myIn, content, ...more }), now)

export const send = (state: ChatState.ChatState, content: Content.Content, now = NOW): Stepped =>
  step(state, { _tag: "Send", content, via: content._tag === "decryptedMessage" ? "message" : "service" }, now)

export const noop: Content.Action = { _tag: "decryptedMessageActionNoop" }

export const roles: ReadonlyArray<Sequence.Role> = ["creator", "acceptor"]
