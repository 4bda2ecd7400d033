/** A whole secret message: serialised, keyed, padded, encrypted; and back. */
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { TlReader } from "@effect-mtproto/core/TlReader"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Frame from "@effect-mtproto/crypto/Frame"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as Result from "effect/Result"
import { assertEqualBytes, type Bench } from "../lib/Bench.ts"
import * as Mtcute from "../lib/Mtcute.ts"
import { named } from "../lib/Versions.ts"

const codec = TlCodec.make(SecretApi.DecryptedMessageLayer)

/**
 * mtcute has no secret chats. Its writers of the two constructors are what its generator would make of their lines; the
 * rest is its own: the writer, message keys and AES-IGE of `AuthKey`, which puts a salt and a session before the payload.
 */
const writers = {
  _staticSize: {},
  decryptedMessageLayer: (w: any, v: any): void => {
    w.uint(0x1be31789)
    w.bytes(v.randomBytes)
    w.int(v.layer)
    w.int(v.inSeqNo)
    w.int(v.outSeqNo)
    w.object(v.message)
  },
  decryptedMessage: (w: any, v: any): void => {
    w.uint(0x91cc4674)
    w.uint(0)
    w.long(v.randomId)
    w.int(v.ttl)
    w.string(v.message)
  }
}

export const run = async (bench: Bench, crypto: Crypto["Service"]): Promise<void> => {
  const [internals, binary, provider, Long] = await Promise.all([
    Mtcute.loadInternals(),
    Mtcute.loadBinary(),
    Mtcute.loadProvider(),
    Mtcute.loadLong()
  ])
  const bytes = crypto.randomBytes(256)
  const key = SharedKey.make(crypto, bytes)
  const authKey = new internals.AuthKey(provider, Mtcute.silentLog, binary.readerMap)
  authKey.setup(bytes)
  const salt = new Long(1, 2)
  const session = new Long(3, 4)
  const longRandomId = new Long(0x1234, 0x5678)

  for (const { goal, size } of [{ size: 100, goal: 3.5 }, { size: 4096, goal: 3 }]) {
    const text = "Meet me at noon. ".repeat(300).slice(0, size)
    const ours = (): Uint8Array =>
      TlCodec.withEncoded(codec, {
        _tag: "decryptedMessageLayer",
        randomBytes: crypto.randomBytes(31),
        layer: 143,
        inSeqNo: 17,
        outSeqNo: 20,
        message: { _tag: "decryptedMessage", randomId: 0x0000_5678_0000_1234n, ttl: 0, message: text }
      }, (payload) => Frame.seal(crypto, { key, fromCreator: true, payload }))
    const serialise = (): Uint8Array =>
      binary.Writer.serializeObject(writers, {
        _: "decryptedMessageLayer",
        randomBytes: provider.randomBytes(31),
        layer: 143,
        inSeqNo: 17,
        outSeqNo: 20,
        message: { _: "decryptedMessage", randomId: longRandomId, ttl: 0, message: text }
      })
    const theirs = (): Uint8Array => authKey.encryptMessage(serialise(), salt, session)
    const name = size < 1024 ? `${size} B` : `${size / 1024} KiB`

    await bench.compare({
      name: `secret message of ${name}: write and encrypt`,
      unit: "µs",
      ours,
      peers: [{ name: `mtcute's writer and AuthKey (${named("@mtcute/core")})`, run: theirs, goal }],
      check: () => {
        const opened = Result.getOrThrow(Frame.open(crypto, { keys: [key], fromCreator: true, frame: ours() }))
        const value = codec.decode(opened.payload)
        const again = codec.decode(serialise())
        assertEqualBytes(
          name,
          codec.encode({ ...value, randomBytes: new Uint8Array(31) }).slice(),
          codec.encode({ ...again, randomBytes: new Uint8Array(31) })
        )
        // What the peer writes can be read: message key, encryption and payload are the protocol's.
        const packet = theirs()
        const { large, plaintext } = crypto.messageDecrypt(bytes, packet, 0)
        assertEqualBytes(`${name}: message key`, large.subarray(8, 24), packet.subarray(8, 24))
        const { message } = codec.read(new TlReader(plaintext.subarray(16)))
        if (message._tag !== "decryptedMessage" || message.message !== text) throw new Error(`${name}: another text`)
      }
    })

    const frame = Frame.seal(crypto, {
      key,
      fromCreator: false,
      payload: new Uint8Array(size + 60)
    })
    // What mtcute reads is a message of a session: salt, session, id, number and length before the body.
    const packet = sealed(crypto, bytes, size + 60)
    await bench.compare({
      name: `secret message of ${name}: decrypt and check`,
      unit: "µs",
      ours: () => Frame.open(crypto, { keys: [key], fromCreator: false, frame }),
      peers: [{
        name: `mtcute's AuthKey (${named("@mtcute/core")})`,
        run: () => authKey.decryptMessage(packet, session, ignore)
      }],
      check: () => {
        Result.getOrThrow(Frame.open(crypto, { keys: [key], fromCreator: false, frame }))
        let seen = false
        authKey.decryptMessage(packet, session, () => {
          seen = true
        })
        if (!seen) throw new Error(`${name}: the peer has not read its packet`)
      }
    })
  }
}

const ignore = (): void => undefined

const sealed = (crypto: Crypto["Service"], key: Uint8Array, length: number): Uint8Array => {
  const plaintext = new Uint8Array(Math.ceil((32 + length + 12) / 16) * 16)
  const view = new DataView(plaintext.buffer)
  view.setInt32(8, 3, true)
  view.setInt32(12, 4, true)
  view.setInt32(28, length, true)
  return crypto.messageEncrypt(key, plaintext, 8)
}
