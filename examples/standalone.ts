/**
 * `core` and `crypto` alone, without a client, a store or a network: read and write TL, define a type of one's own, seal
 * and open a frame of a secret chat, show a key picture.
 *
 * Run it with `node examples/standalone.ts`.
 */
import { DecryptedMessage, SecretApi, Tl, TlCodec, TlJson } from "@effect-mtproto/core"
import { Crypto, Frame, KeyVisualization, NodeCrypto, SharedKey } from "@effect-mtproto/crypto"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Result } from "effect"
import * as Hex from "effect/encoding/Hex"

/** A TL type of one's own: `point#1f2e3d4c x:int y:int label:string = Point;` */
const Point = Tl.constructor("point", 0x1f2e3d4c, { x: Tl.int, y: Tl.int, label: Tl.string })
const PointCodec = TlCodec.make(Point)

export const main = Effect.gen(function*() {
  const crypto = yield* Crypto.Crypto

  // a value, its bytes, its JSON
  const bytes = PointCodec.encode({ _tag: "point", x: 3, y: -4, label: "here" })
  const json = TlJson.encode(Point)(PointCodec.decode(bytes))
  yield* Console.log(`point   ${Hex.encode(bytes)}  ${JSON.stringify(json)}`)

  // what is not TL is refused with a place and a reason, never with a crash
  const refused = TlCodec.decodeResult(Point)(bytes.subarray(0, 9))
  yield* Console.log(`refused ${Result.isFailure(refused) ? refused.failure.message : "no"}`)

  // a frame, as `messages.sendEncryptedService` carries it
  const key = SharedKey.make(crypto, crypto.randomBytes(SharedKey.LENGTH))
  const layer: SecretApi.DecryptedMessageLayer = {
    _tag: "decryptedMessageLayer",
    randomBytes: crypto.randomBytes(31),
    layer: SecretApi.layer,
    inSeqNo: 0,
    outSeqNo: 1,
    message: DecryptedMessage.complete(DecryptedMessage.setMessageTtl(60), { randomId: 4711n, ttl: 0 })
  }
  const LayerCodec = TlCodec.make(SecretApi.DecryptedMessageLayer)
  const frame = Frame.seal(crypto, { key, fromCreator: true, payload: LayerCodec.encode(layer) })
  const opened = yield* Effect.fromResult(Frame.open(crypto, { keys: [key], fromCreator: true, frame }))
  const read = LayerCodec.decode(opened.payload)
  yield* Console.log(`frame   ${frame.length} bytes, holds ${read.message._tag} for layer ${read.layer}`)

  // one flipped bit, and it is not opened; why is not told
  frame[40]! ^= 1
  const damaged = Frame.open(crypto, { keys: [key], fromCreator: true, frame })
  yield* Console.log(`damaged ${Result.isFailure(damaged) ? damaged.failure.message : "was opened!"}`)

  // what two people compare
  const hash = KeyVisualization.keyHash(crypto, key)
  yield* Console.log(
    `picture\n${KeyVisualization.toHex(hash)}\n${KeyVisualization.toSvg(hash).length} characters of SVG`
  )
  return { json, opened: read, damaged: Result.isFailure(damaged) }
}).pipe(Effect.provide(NodeCrypto.layer))

if (import.meta.main) NodeRuntime.runMain(main)
