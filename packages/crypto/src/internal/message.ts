/**
 * The encryption of MTProto 2.0 messages put together from its primitives, for
 * engines that have nothing faster.
 */
import type { Crypto } from "../Crypto.ts"
import { invalidArgument } from "../CryptoError.ts"
import * as MessageKey from "../MessageKey.ts"
import * as Bytes from "./bytes.ts"

type Primitives = Pick<Crypto["Service"], "aesIgeDecrypt" | "aesIgeEncrypt" | "sha1" | "sha256">

export const HEADER = 24

/** What is encrypted: whole, or in parts that follow one another. */
export type Plaintext = Uint8Array | ReadonlyArray<Uint8Array>

export const lengthOf = (plaintext: Plaintext): number => {
  if (plaintext instanceof Uint8Array) return plaintext.length
  let length = 0
  for (let i = 0; i < plaintext.length; i++) length += plaintext[i]!.length
  return length
}

/** Throws unless the key has its length and the message is whole blocks. */
export const check = (operation: string, sharedKey: Uint8Array, length: number): void => {
  if (sharedKey.length !== 256) throw invalidArgument(operation, "the shared key must have 256 bytes")
  if (length < 0 || length % 16 !== 0) throw invalidArgument(operation, "the message must be whole blocks of 16 bytes")
}

/** Encrypts parts that follow one another to where it is told. */
type IgeEncryptInto = (
  parts: ReadonlyArray<Uint8Array>,
  key: Uint8Array,
  iv: Uint8Array,
  target: Uint8Array
) => unknown

export const make = (
  primitives: Primitives,
  encryptInto: IgeEncryptInto = (parts, key, iv, target) => {
    const whole = Bytes.concat(parts)
    target.set(primitives.aesIgeEncrypt(whole, key, iv))
    whole.fill(0)
  }
): Pick<Crypto["Service"], "messageDecrypt" | "messageEncrypt"> => ({
  messageEncrypt: (sharedKey, plaintext, x) => {
    const length = lengthOf(plaintext)
    check("Crypto.messageEncrypt", sharedKey, length)
    const parts = plaintext instanceof Uint8Array ? [plaintext] : plaintext
    const large = primitives.sha256(sharedKey.subarray(88 + x, 120 + x), ...parts)
    const aes = MessageKey.derive(primitives, sharedKey, large.subarray(8, HEADER), x)
    const packet = new Uint8Array(HEADER + length)
    packet.set(large.subarray(0, HEADER))
    encryptInto(parts, aes.key, aes.iv, packet.subarray(HEADER))
    aes.key.fill(0)
    aes.iv.fill(0)
    return packet
  },
  messageDecrypt: (sharedKey, packet, x) => {
    check("Crypto.messageDecrypt", sharedKey, packet.length - HEADER)
    const aes = MessageKey.derive(primitives, sharedKey, packet.subarray(8, HEADER), x)
    const plaintext = primitives.aesIgeDecrypt(packet.subarray(HEADER), aes.key, aes.iv)
    aes.key.fill(0)
    aes.iv.fill(0)
    return { plaintext, large: MessageKey.computeLarge(primitives, sharedKey, plaintext, x) }
  }
})
