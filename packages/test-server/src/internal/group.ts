/**
 * The Diffie-Hellman group of the server, for authorization keys and secret
 * chats alike, and the range in which public values are safe
 * (core.telegram.org/mtproto/security_guidelines).
 */
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import { toBigInt } from "./bytes.ts"

export const PRIME = DiffieHellman.wellKnownPrime()

export const GENERATOR = 3

const LEAST = 1n << 1984n
const GREATEST = toBigInt(PRIME) - LEAST

/** Whether a public value is in the range that both sides have to check; leading zeros may be missing. */
export const isPublicValue = (bytes: Uint8Array): boolean => {
  if (bytes.length > PRIME.length) return false
  const value = toBigInt(bytes)
  return value >= LEAST && value <= GREATEST
}
