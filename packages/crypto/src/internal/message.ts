/**
 * The encryption of MTProto 2.0 messages put together from its primitives, for
 * engines that have nothing faster.
 */
import type { Crypto } from "../Crypto.ts"
import * as MessageKey from "../MessageKey.ts"

type Primitives = Pick<Crypto["Service"], "aesIgeDecrypt" | "aesIgeEncrypt" | "sha1" | "sha256">

export const HEADER = 24

export const make = (primitives: Primitives): Pick<Crypto["Service"], "messageDecrypt" | "messageEncrypt"> => ({
  messageEncrypt: (sharedKey, plaintext, x) => {
    const large = MessageKey.computeLarge(primitives, sharedKey, plaintext, x)
    const aes = MessageKey.derive(primitives, sharedKey, large.subarray(8, HEADER), x)
    const encrypted = primitives.aesIgeEncrypt(plaintext, aes.key, aes.iv)
    aes.key.fill(0)
    aes.iv.fill(0)
    const packet = new Uint8Array(HEADER + encrypted.length)
    packet.set(large.subarray(0, HEADER))
    packet.set(encrypted, HEADER)
    return packet
  },
  messageDecrypt: (sharedKey, packet, x) => {
    const aes = MessageKey.derive(primitives, sharedKey, packet.subarray(8, HEADER), x)
    const plaintext = primitives.aesIgeDecrypt(packet.subarray(HEADER), aes.key, aes.iv)
    aes.key.fill(0)
    aes.iv.fill(0)
    return { plaintext, large: MessageKey.computeLarge(primitives, sharedKey, plaintext, x) }
  }
})
