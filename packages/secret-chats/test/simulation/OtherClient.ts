/**
 * A device whose program is of an earlier layer, or of a later one.
 *
 * The program is the present one; what it sends is written again on its way out, as a client of that layer would have
 * written it: the layer in the wrapper and in NotifyLayer, and the constructors, as far as the layer has any for the
 * content; one of a later layer differs in what it announces. Keys are those that the program has written with. A message that goes out again is the same frame again.
 */
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Frame from "@effect-mtproto/crypto/Frame"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as Result from "effect/Result"
import type { Disk } from "./Disk.ts"

/** Layers at which something changed, some between, and one of the future. */
export const layers: ReadonlyArray<number> = [8, 17, 45, 46, 66, 73, 101, 123, 143, 200]

const decode = TlCodec.decode(SecretApi.DecryptedMessageLayer)
const encode = TlCodec.encode(SecretApi.DecryptedMessageLayer)
const nothing = { _tag: "decryptedMessageMediaEmpty" } as const

/** What a client of the layer would write. */
const write = (
  layer: number,
  message: SecretApi.DecryptedMessage,
  randomBytes: Uint8Array
): SecretApi.DecryptedMessage => {
  if (message._tag === "decryptedMessageService") {
    const action = message.action._tag === "decryptedMessageActionNotifyLayer"
      ? { ...message.action, layer }
      : message.action
    return layer < 17
      ? { _tag: "decryptedMessageService_8", randomId: message.randomId, randomBytes, action }
      : { ...message, action }
  }
  if (layer >= DecryptedMessage.lowestLayer) {
    const written = DecryptedMessage.toLayer(layer, message)
    return Result.isSuccess(written) ? written.success : message
  }
  const { media, message: text, randomId, ttl } = DecryptedMessage.fromWire(
    message
  ) as DecryptedMessage.DecryptedMessage
  if (media !== undefined) return message
  return layer < 17
    ? { _tag: "decryptedMessage_8", randomId, randomBytes, message: text, media: nothing }
    : { _tag: "decryptedMessage_17", randomId, ttl, message: text, media: nothing }
}

export class OtherClient {
  private readonly crypto: Crypto["Service"]
  private readonly disk: Disk
  private readonly creator: boolean
  private readonly written = new Map<string, Uint8Array>()

  constructor(crypto: Crypto["Service"], disk: Disk, creator: boolean) {
    this.crypto = crypto
    this.disk = disk
    this.creator = creator
  }

  /** The frame that leaves the device in the place of this one. */
  rewrite(frame: Uint8Array): Uint8Array {
    const data = Buffer.from(frame).toString("latin1")
    const known = this.written.get(data)
    if (known !== undefined) return known
    const held = this.disk.head?.keys
    // the chat is closed, the frame is of no interest any more
    if (held === undefined) return frame
    // a commit may drop the key of what it has written
    const keys = [held, this.disk.earlier?.keys]
      .flatMap((all) => all === undefined ? [] : [all.current, ...(all.previous === undefined ? [] : [all.previous])])
      .map(({ bytes }) => SharedKey.make(this.crypto, new Uint8Array(Buffer.from(bytes, "base64"))))
    const { key, payload } = Result.getOrThrow(
      Frame.open(this.crypto, { keys, fromCreator: this.creator, frame })
    )
    const index = this.disk.indexes.get(data)!
    const { layer } = this.disk.sealed.get(index)![0]!
    const wrapper = decode(payload)
    const rewritten = Frame.seal(this.crypto, {
      key,
      fromCreator: this.creator,
      payload: encode({
        ...wrapper,
        layer: Math.min(layer, wrapper.layer),
        message: write(layer, wrapper.message, wrapper.randomBytes)
      })
    })
    this.written.set(data, rewritten)
    // whoever gets it asks for its number
    this.disk.indexes.set(Buffer.from(rewritten).toString("latin1"), index)
    return rewritten
  }
}
