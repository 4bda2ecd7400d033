/**
 * The other side of a chat, driven by hand: it owns the keys, keeps no rule of its own, and so can break every one.
 *
 * It shares nothing with the protocol core: it numbers, serialises and encrypts by itself.
 */
import * as Api from "@effect-mtproto/core/Api"
import type * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as Frame from "@effect-mtproto/crypto/Frame"
import * as MessageKey from "@effect-mtproto/crypto/MessageKey"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { layerMemory, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import { Transport } from "@effect-mtproto/transport/Transport"
import { vi } from "@effect/vitest"
import { Context, Effect, Layer, Result, type Scope } from "effect"
import { eventually, type Peer, settle } from "../support/Peers.ts"
import { Relay } from "../support/Relay.ts"

// Key exchanges in plenty, on machines that have other things to do.
vi.setConfig({ testTimeout: 30_000 })

export type Role = "creator" | "acceptor"
export const roles: ReadonlyArray<Role> = ["creator", "acceptor"]

const encodeLayer = TlCodec.encode(SecretApi.DecryptedMessageLayer)
const decodeLayer = TlCodec.decode(SecretApi.DecryptedMessageLayer)

type Device = ReturnType<Relay["device"]>

/** What the other side said, in the order of its numbers as they came. */
export type Heard = ReturnType<typeof decodeLayer>

export interface Numbers {
  readonly layer?: number
  /** Messages of the other side that are acknowledged. */
  readonly inIndex?: number
  readonly outIndex?: number
  readonly inSeqNo?: number
  readonly outSeqNo?: number
  readonly randomBytes?: number
}

let nextRandomId = 1000n

export const text = (message: string, randomId = ++nextRandomId): SecretApi.DecryptedMessage => ({
  _tag: "decryptedMessage",
  randomId,
  ttl: 0,
  message
})

export const service = (
  action: DecryptedMessage.DecryptedMessageService["action"],
  randomId = ++nextRandomId
): SecretApi.DecryptedMessage => ({ _tag: "decryptedMessageService", randomId, action })

export class HandPeer {
  readonly crypto: Crypto["Service"]
  readonly relay: Relay
  /** Its own queue at the server. */
  readonly device: Device
  /** Of the program under test. */
  readonly target: Device
  readonly chatId: number
  /** Of this side. */
  readonly role: Role
  key: SharedKey.SharedKey
  /** Every key that it ever had, to read with. */
  readonly keys: Array<SharedKey.SharedKey>
  /** Number of the next message. */
  out = 0

  constructor(options: Pick<HandPeer, "crypto" | "relay" | "device" | "target" | "chatId" | "role" | "key">) {
    this.crypto = options.crypto
    this.relay = options.relay
    this.device = options.device
    this.target = options.target
    this.chatId = options.chatId
    this.role = options.role
    this.key = options.key
    this.keys = [options.key]
  }

  /** 0 if this side created the chat. */
  get x(): 0 | 8 {
    return this.role === "creator" ? 0 : 8
  }

  /** The TL bytes inside a frame. */
  payload(message: SecretApi.DecryptedMessage, numbers: Numbers = {}): Uint8Array {
    const parity = this.role === "creator" ? 0 : 1
    return encodeLayer({
      _tag: "decryptedMessageLayer",
      randomBytes: new Uint8Array(numbers.randomBytes ?? 31).fill(7),
      layer: numbers.layer ?? 144,
      inSeqNo: numbers.inSeqNo ?? 2 * (numbers.inIndex ?? this.heard().length) + parity,
      outSeqNo: numbers.outSeqNo ?? 2 * (numbers.outIndex ?? this.out) + 1 - parity,
      message
    }).slice()
  }

  /** A frame around any bytes; the padding, the direction and the version may be wrong. */
  seal(
    payload: Uint8Array,
    options: {
      readonly padding?: number
      readonly x?: 0 | 8
      readonly key?: SharedKey.SharedKey
      readonly version?: 1 | 2
      /** What stands where the length belongs. */
      readonly length?: number
    } = {}
  ): Uint8Array {
    const { crypto } = this
    const key = options.key ?? this.key
    const x = options.x ?? this.x
    const length = 4 + payload.length
    const least = options.version === 1 ? 0 : 12
    const padding = options.padding ?? least + ((16 - ((length + least) & 15)) & 15)
    const plaintext = new Uint8Array(length + padding)
    new DataView(plaintext.buffer).setInt32(0, options.length ?? payload.length, true)
    plaintext.set(payload, 4)
    plaintext.set(crypto.randomBytes(padding), length)
    const frame = new Uint8Array(24 + plaintext.length)
    new DataView(frame.buffer).setBigInt64(0, key.id, true)
    if (options.version === 1) {
      const messageKey = MessageKey.computeV1(crypto, plaintext.subarray(0, length))
      const aes = MessageKey.deriveV1(crypto, key.bytes, messageKey, 0)
      frame.set(messageKey, 8)
      frame.set(crypto.aesIgeEncrypt(plaintext, aes.key, aes.iv), 24)
      return frame
    }
    const messageKey = MessageKey.compute(crypto, key.bytes, plaintext, x)
    const aes = MessageKey.derive(crypto, key.bytes, messageKey, x)
    frame.set(messageKey, 8)
    frame.set(crypto.aesIgeEncrypt(plaintext, aes.key, aes.iv), 24)
    return frame
  }

  /** Puts a frame into the queue of the program under test. */
  push(frame: Uint8Array, randomId = 1n): void {
    this.relay.inject(this.target, this.chatId, frame, randomId)
  }

  /** Sends the next message as it should be, or with numbers that are wrong. */
  send(message: SecretApi.DecryptedMessage, numbers: Numbers = {}): void {
    const payload = this.payload(message, numbers)
    if (numbers.outIndex === undefined && numbers.outSeqNo === undefined) this.out++
    this.push(this.seal(payload), "randomId" in message ? message.randomId : 1n)
  }

  /** Everything that the other side has sent, each number once. */
  heard(): ReadonlyArray<Heard> {
    const found = new Map<number, Heard>()
    for (const { update } of this.device.queue) {
      if (update._tag !== "updateNewEncryptedMessage") continue
      const opened = Frame.open(this.crypto, {
        keys: this.keys,
        fromCreator: this.role !== "creator",
        frame: update.message.bytes
      })
      if (Result.isFailure(opened)) continue
      const heard = decodeLayer(opened.success.payload)
      found.set(heard.outSeqNo, heard)
    }
    return [...found.values()]
  }

  /** Actions that the other side has sent, without their prefix. */
  actions(): ReadonlyArray<string> {
    return this.heard().flatMap(({ message }) =>
      "action" in message ? [message.action._tag.replace("decryptedMessageAction", "")] : []
    )
  }

  /** The last action of this kind that the other side has sent. */
  lastAction<Tag extends SecretApi.DecryptedMessageAction["_tag"]>(
    tag: Tag
  ): Extract<SecretApi.DecryptedMessageAction, { readonly _tag: Tag }> | undefined {
    return this.heard().flatMap(({ message }) =>
      "action" in message && message.action._tag === tag ? [message.action] : []
    )
      .at(-1) as any
  }

  /** An exponent and its public value. */
  generate(): Effect.Effect<{ readonly secret: Uint8Array; readonly publicValue: Uint8Array }> {
    const secret = this.crypto.randomBytes(256)
    return Effect.map(
      Effect.orDie(this.crypto.modPow(Uint8Array.of(3), secret, DiffieHellman.wellKnownPrime())),
      (publicValue) => ({ secret, publicValue })
    )
  }

  agree(secret: Uint8Array, peerValue: Uint8Array): Effect.Effect<SharedKey.SharedKey> {
    return Effect.map(
      Effect.orDie(this.crypto.modPow(peerValue, secret, DiffieHellman.wellKnownPrime())),
      (bytes) => SharedKey.make(this.crypto, bytes)
    )
  }
}

export interface Scene {
  readonly relay: Relay
  /** The program under test. */
  readonly peer: Peer
  readonly hand: HandPeer
  readonly chatId: number
  readonly target: Device
}

export interface Options {
  readonly store?: Layer.Layer<SecretChatStore, any>
  /** Of the program under test. */
  readonly crypto?: Layer.Layer<Crypto>
  readonly relay?: Relay
  /** A program that runs already, and its device. */
  readonly program?: Peer
  readonly target?: Device
  /** What the program does about a request; default: accept it. */
  readonly accept?: "ask" | "allow"
  /** What the hand-driven side says instead of its public value; it gets the honest one. */
  readonly publicValue?: (honest: Uint8Array, theirs: Uint8Array | undefined) => Uint8Array
  readonly fingerprint?: (honest: bigint) => bigint
  /** A group other than the usual. */
  readonly group?: { readonly g: number; readonly p: Uint8Array }
}

const layerOf = (relay: Relay, target: Device, options: Options) =>
  SecretChats.layer({ accept: options.accept ?? "allow" }).pipe(
    Layer.provideMerge(Layer.mergeAll(
      relay.connect(target),
      options.store ?? layerMemory,
      options.crypto ?? NodeCrypto.layer
    ))
  )

/** The program under test, running, its events collected and confirmed. */
export const program = Effect.fnUntraced(function*(
  relay: Relay,
  target: Device,
  options: Options = {}
): Effect.fn.Return<Peer, any, Scope.Scope> {
  const context = yield* Layer.build(Layer.fresh(layerOf(relay, target, options)))
  const chats = Context.get(context, SecretChats.SecretChats)
  const events: Array<SecretChats.SecretChatEvent> = []
  yield* Effect.forkScoped(Effect.ignore(chats.runEvents((event) => Effect.sync(() => events.push(event)))))
  return {
    chats,
    store: Context.get(context, SecretChatStore),
    events,
    context,
    run: (effect) => Effect.provideContext(effect, context)
  }
})

/**
 * The key exchange, up to where the program under test, in the given role, has the answer of the hand-driven side. Whether
 * a chat comes of it is not waited for.
 */
export const exchange = Effect.fnUntraced(function*(
  role: Role,
  options: Options = {}
): Effect.fn.Return<Scene, any, Scope.Scope> {
  const crypto = Context.get(yield* Layer.build(NodeCrypto.layer), Crypto)
  const relay = options.relay ?? new Relay()
  const target = options.target ?? relay.device(1n)
  const device = relay.device(2n)
  const transport = Context.get(yield* Layer.build(Layer.fresh(relay.connect(device))), Transport)
  const peer = options.program ?? (yield* program(relay, target, options))
  const p = options.group?.p ?? DiffieHellman.wellKnownPrime()
  const g = Uint8Array.of(options.group?.g ?? 3)
  const { fingerprint = (honest) => honest, publicValue = (honest) => honest } = options
  const secret = crypto.randomBytes(256)
  const own = yield* crypto.modPow(g, secret, p)
  const agree = Effect.fnUntraced(function*(value: Uint8Array) {
    return SharedKey.make(crypto, yield* crypto.modPow(value, secret, p))
  })
  const hand = (chatId: number, key: SharedKey.SharedKey) =>
    new HandPeer({ crypto, relay, device, target, chatId, role: role === "creator" ? "acceptor" : "creator", key })

  const chatOf = <Tag extends Api.EncryptedChat["_tag"]>(tag: Tag) =>
    device.queue.flatMap(({ update }) =>
      update._tag === "updateEncryption" && update.chat._tag === tag
        ? [update.chat as Extract<Api.EncryptedChat, { readonly _tag: Tag }>]
        : []
    ).at(-1)!

  if (role === "creator") {
    const { chatId } = yield* peer.chats.request({ userId: 2n, accessHash: 22n })
    yield* eventually(() => chatOf("encryptedChatRequested") !== undefined, "the request")
    const { accessHash, gA } = chatOf("encryptedChatRequested")
    const key = yield* agree(gA)
    yield* transport.invoke(Api.messages.acceptEncryption({
      peer: { _tag: "inputEncryptedChat", chatId, accessHash },
      gB: publicValue(own, gA),
      keyFingerprint: fingerprint(key.id)
    }))
    return { relay, peer, hand: hand(chatId, key), chatId, target }
  }
  const chatId = 0x51ab
  yield* transport.invoke(Api.messages.requestEncryption({
    userId: { _tag: "inputUser", userId: 1n, accessHash: 0n },
    randomId: chatId,
    gA: publicValue(own, undefined)
  }))
  yield* eventually(
    () => chatOf("encryptedChat") !== undefined || peer.events.some(({ event }) => event._tag === "ChatClosed"),
    "the acceptance"
  )
  const accepted = chatOf("encryptedChat")
  const key = accepted === undefined
    ? SharedKey.make(crypto, new Uint8Array(256).fill(1))
    : yield* agree(accepted.gAOrB)
  return { relay, peer, hand: hand(chatId, key), chatId, target }
})

/**
 * A chat between the program under test, in the given role, and a peer that is driven by hand. The program has said which
 * layer it speaks; the peer has said nothing.
 */
export const scene = Effect.fnUntraced(function*(
  role: Role,
  options: Options = {}
): Effect.fn.Return<Scene, any, Scope.Scope> {
  const made = yield* exchange(role, options)
  const { chatId, hand, peer } = made
  yield* peer.chats.awaitReady(chatId)
  yield* eventually(() => hand.heard().length === 1, "the layer")
  yield* quiet(made)
  return made
})

/** Everything that was sent is known to be sent: that is stored a moment later. */
export const quiet = ({ chatId, peer }: Scene): Effect.Effect<void, any> =>
  Effect.gen(function*() {
    while ((yield* peer.store.outboxUnsent({ chatId, limit: 1 })).length > 0) yield* settle
    yield* settle
  })

/** Everything that was pushed has been taken in. */
export const drained = ({ target }: Scene): Effect.Effect<void> =>
  Effect.andThen(eventually(() => target.queue.length === 0, "everything taken in"), settle)

/** The chat is closed, and its reason is known. */
export const closed = ({ chatId, peer }: Scene) =>
  Effect.gen(function*() {
    yield* eventually(
      () => peer.events.some((one) => one.chatId === chatId && one.event._tag === "ChatClosed"),
      "the end of the chat"
    )
    return (yield* peer.chats.get(chatId)).closed
  })

export const texts = ({ peer }: Scene): ReadonlyArray<string> =>
  peer.events.flatMap(({ event }) => event._tag === "NewMessage" ? [event.message.message] : [])

/** The service with some of its operations replaced. */
export const cryptoWith = (
  change: (crypto: Crypto["Service"]) => Partial<Crypto["Service"]>
): Layer.Layer<Crypto> =>
  Layer.effect(Crypto, Effect.map(Crypto, (crypto) => Crypto.of({ ...crypto, ...change(crypto) }))).pipe(
    Layer.provide(NodeCrypto.layer)
  ) as Layer.Layer<Crypto>

/** Every array that was used as a key of a message, as it is now, once each. */
export class Watched {
  readonly keys = new Set<Uint8Array>()
  readonly exponents = new Set<Uint8Array>()
  /** What the exponents were. */
  readonly drawn: Array<Uint8Array> = []
  readonly layer: Layer.Layer<Crypto> = cryptoWith((crypto) => ({
    messageEncrypt: (key, plaintext, x) => {
      this.keys.add(key)
      return crypto.messageEncrypt(key, plaintext, x)
    },
    messageDecrypt: (key, packet, x) => {
      this.keys.add(key)
      return crypto.messageDecrypt(key, packet, x)
    },
    modPow: (base, exponent, modulus) => {
      if (!this.exponents.has(exponent)) this.drawn.push(exponent.slice())
      this.exponents.add(exponent)
      return crypto.modPow(base, exponent, modulus)
    }
  }))
}

export const isWiped = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)
