/** Everything in crypto that reads what somebody else has written. */
import * as AuthKeyExchange from "@effect-mtproto/crypto/AuthKeyExchange"
import { CryptoError } from "@effect-mtproto/crypto/CryptoError"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as Frame from "@effect-mtproto/crypto/Frame"
import * as Packet from "@effect-mtproto/crypto/Packet"
import * as RsaPad from "@effect-mtproto/crypto/RsaPad"
import * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as TempAuthKey from "@effect-mtproto/crypto/TempAuthKey"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { generateKeyPairSync } from "node:crypto"
import { isOneOf as is, makeCrypto } from "../makeCrypto.ts"
import { asText, pick, type Target, text } from "../Target.ts"

/** The plaintext of a frame. */
const innerFrame = (payload: Uint8Array): Uint8Array => {
  const inner = new Uint8Array(4 + payload.length + 12)
  new DataView(inner.buffer).setInt32(0, payload.length, true)
  inner.set(payload, 4)
  return inner
}

/** The plaintext of a packet. */
const innerPacket = (body: Uint8Array): Uint8Array => {
  const inner = new Uint8Array(32 + body.length + 12)
  new DataView(inner.buffer).setInt32(28, body.length, true)
  inner.set(body, 32)
  return inner
}

export const make = async (): Promise<ReadonlyArray<Target>> => {
  const crypto = await makeCrypto()
  const key = SharedKey.make(crypto, crypto.randomBytes(256))
  const other = SharedKey.make(crypto, crypto.randomBytes(256))
  const keys = [key, other]

  // Damaged ciphertext never gets past the message key, so damaged plaintext is encrypted as well.
  const plain = (input: Uint8Array, x: 0 | 8): Uint8Array => {
    const blocks = new Uint8Array(Math.max(32, input.length + 15 & -16))
    blocks.set(input)
    const packet = crypto.messageEncrypt(key.bytes, blocks, x)
    new DataView(packet.buffer, packet.byteOffset).setBigInt64(0, key.id, true)
    return packet
  }

  const payloads = [0, 4, 100, 1000, 40_000].map((size) => crypto.randomBytes(size))
  const frames = payloads.map((payload) => Frame.seal(crypto, { key, fromCreator: true, payload }))
  const message = { salt: 1n, sessionId: 2n, msgId: 3n, seqNo: 4 }
  const packets = payloads.map((body) =>
    Packet.seal(crypto, { key, from: "server", message: { ...message, body } }).packet
  )
  const isFrameError = is(Frame.FrameError)
  const isPacketError = is(Packet.PacketError)
  const frameTarget = (name: string, acceptV1: boolean): Target => ({
    name,
    seeds: frames,
    run: (frame) => Result.getOrThrow(Frame.open(crypto, { keys, fromCreator: true, frame, acceptV1 })),
    isExpected: isFrameError
  })

  const pair = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "pkcs1", format: "pem" },
    privateKeyEncoding: { type: "pkcs1", format: "pem" }
  })
  const spki = generateKeyPairSync("rsa", {
    modulusLength: 1024,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" }
  })
  const rsa = Result.getOrThrow(RsaPublicKey.privateFromPem(crypto, pair.privateKey))
  const encrypted = await Effect.runPromise(RsaPad.encrypt(crypto, rsa, crypto.randomBytes(100)))
  const legacy = await Effect.runPromise(RsaPad.encryptLegacy(crypto, rsa, crypto.randomBytes(100)))

  const aes = AuthKeyExchange.temporaryAesKey(crypto, {
    newNonce: crypto.randomBytes(32),
    serverNonce: crypto.randomBytes(16)
  })
  const inner = [4, 100, 600].map((size) => AuthKeyExchange.sealInner(crypto, aes, crypto.randomBytes(size)))
  const group = await Effect.runPromise(DiffieHellman.checkGroup(crypto, { g: 3, p: DiffieHellman.wellKnownPrime() }))
  const binding = TempAuthKey.seal(crypto, { permanentKey: key, msgId: 5n, inner: crypto.randomBytes(40) })

  return [
    frameTarget("crypto/Frame.open", false),
    frameTarget("crypto/Frame.open, with 1.0", true),
    {
      name: "crypto/Frame.open, authentic",
      seeds: payloads.map(innerFrame),
      run: (input) =>
        Result.getOrThrow(Frame.open(crypto, { keys, fromCreator: true, frame: plain(input, 0), acceptV1: true })),
      isExpected: isFrameError
    },
    { name: "crypto/Frame.fingerprint", seeds: frames, run: Frame.fingerprint, isExpected: () => false },
    {
      name: "crypto/Packet.open",
      seeds: packets,
      run: (packet) => Result.getOrThrow(Packet.open(crypto, { keys, from: "server", packet })),
      isExpected: isPacketError
    },
    {
      name: "crypto/Packet.open, authentic",
      seeds: payloads.map(innerPacket),
      run: (input) => Result.getOrThrow(Packet.open(crypto, { keys, from: "server", packet: plain(input, 8) })),
      isExpected: isPacketError
    },
    {
      name: "crypto/Packet.openPlain",
      seeds: payloads.map((body) => Packet.sealPlain({ msgId: 1n, body })),
      run: (packet) => Result.getOrThrow(Packet.openPlain(packet)),
      isExpected: isPacketError
    },
    { name: "crypto/Packet.authKeyId", seeds: packets, run: Packet.authKeyId, isExpected: () => false },
    {
      name: "crypto/AuthKeyExchange.openInner",
      seeds: inner,
      run: (input) => Result.getOrThrow(AuthKeyExchange.openInner(crypto, aes, input)),
      isExpected: is(AuthKeyExchange.AnswerError)
    },
    {
      name: "crypto/TempAuthKey.open",
      seeds: [binding],
      run: (input) => Result.getOrThrow(TempAuthKey.open(crypto, { permanentKey: key, encrypted: input })),
      isExpected: isPacketError
    },
    {
      name: "crypto/RsaPublicKey.fromPem",
      seeds: [pair.publicKey, spki.publicKey].map(text),
      run: (input) => {
        const found = Result.getOrThrow(RsaPublicKey.fromPem(crypto, asText(input)))
        return Result.getOrThrow(RsaPublicKey.fromPem(crypto, RsaPublicKey.toPem(found)))
      },
      isExpected: is(RsaPublicKey.RsaKeyError)
    },
    {
      name: "crypto/RsaPublicKey.fromPem, damaged inside",
      seeds: [pair.publicKey, spki.publicKey].map((pem) =>
        new Uint8Array(Buffer.from(pem.split("-----")[2]!, "base64"))
      ),
      run: (input, next) => {
        const title = pick(next, ["RSA PUBLIC KEY", "PUBLIC KEY"])
        const pem = `-----BEGIN ${title}-----\n${Buffer.from(input).toString("base64")}\n-----END ${title}-----\n`
        return Result.getOrThrow(RsaPublicKey.fromPem(crypto, pem))
      },
      isExpected: is(RsaPublicKey.RsaKeyError)
    },
    {
      name: "crypto/RsaPublicKey.privateFromPem",
      seeds: [pair.privateKey, spki.privateKey].map(text),
      run: (input) => Result.getOrThrow(RsaPublicKey.privateFromPem(crypto, asText(input))),
      isExpected: is(RsaPublicKey.RsaKeyError)
    },
    {
      name: "crypto/RsaPad.decrypt",
      seeds: [encrypted],
      run: (input) => Effect.runPromise(RsaPad.decrypt(crypto, rsa, input)),
      isExpected: is(RsaPad.RsaPadError, CryptoError),
      slow: true,
      rarity: 10
    },
    {
      name: "crypto/RsaPad.decryptLegacy",
      seeds: [legacy],
      run: (input) => Effect.runPromise(RsaPad.decryptLegacy(crypto, rsa, input)),
      isExpected: is(RsaPad.RsaPadError, CryptoError),
      slow: true,
      rarity: 10
    },
    {
      name: "crypto/DiffieHellman.checkPublicValue",
      seeds: [crypto.randomBytes(256), DiffieHellman.wellKnownPrime()],
      run: (input) => Effect.runPromise(DiffieHellman.checkPublicValue(group, input)),
      isExpected: is(DiffieHellman.DiffieHellmanError)
    },
    {
      name: "crypto/DiffieHellman.checkGroup",
      seeds: [DiffieHellman.wellKnownPrime()],
      run: (input, next) =>
        Effect.runPromise(
          DiffieHellman.checkGroup(crypto, { g: pick(next, [0, 1, 2, 3, 4, 5, 6, 7, 8, -3, Number.NaN]), p: input })
        ),
      isExpected: is(DiffieHellman.DiffieHellmanError, CryptoError),
      slow: true,
      rarity: 20
    },
    {
      name: "crypto/Crypto.factorize",
      seeds: [Uint8Array.of(0x17, 0xed, 0x48, 0x94, 0x1a, 0x08, 0xf9, 0x81)],
      run: (input) => {
        const pq = BigInt(`0x0${Buffer.from(input.subarray(0, 12)).toString("hex")}`)
        return Effect.runPromise(crypto.factorize(pq))
      },
      isExpected: is(CryptoError),
      // a computation, not a decoder: it is bounded, but not by 10 ms
      slow: true,
      rarity: 10
    },
    {
      name: "crypto/Crypto.aesIge",
      seeds: [crypto.randomBytes(64)],
      run: (input) => crypto.aesIgeDecrypt(crypto.aesIgeEncrypt(input, aes.key, aes.iv), aes.key, aes.iv),
      isExpected: is(CryptoError)
    }
  ]
}
