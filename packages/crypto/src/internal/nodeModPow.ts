/**
 * Modular exponentiation by OpenSSL.
 *
 * Node has no such function, but importing a Diffie-Hellman private key makes
 * OpenSSL compute its public value `g ^ x mod p`, by the constant-time ladder and
 * without any check on `p`. So a key is written with the wanted numbers as PKCS#8
 * (RFC 5208), and its public value read from the SubjectPublicKeyInfo of its
 * public half. 2048 bits take 2 ms, which is too long for the event loop: they are
 * done in slices, or on a thread of their own (see nodeWorker.ts).
 */
import { createPrivateKey, createPublicKey } from "node:crypto"
import * as Bytes from "./bytes.ts"
import * as Der from "./der.ts"
import { macrotask } from "./macrotask.ts"

/** OpenSSL refuses smaller Diffie-Hellman moduli. */
export const MIN_BITS = 512

// 1.2.840.113549.1.3.1, dhKeyAgreement
const OID = Uint8Array.of(0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01)

export const encodeKey = (base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Uint8Array =>
  Der.write(
    Der.SEQUENCE,
    Der.writeUnsigned(new Uint8Array(0)),
    Der.write(
      Der.SEQUENCE,
      OID,
      Der.write(Der.SEQUENCE, Der.writeUnsigned(modulus), Der.writeUnsigned(base))
    ),
    Der.write(Der.OCTET_STRING, Der.writeUnsigned(exponent))
  )

export const decodeValue = (spki: Uint8Array, length: number): Uint8Array => {
  const bits = Der.readSequence(spki)?.[1]
  // a bit string starts with the number of unused bits, which is 0 here
  const value = Der.readUnsigned(bits === undefined ? undefined : Der.read(bits.content.subarray(1))?.[0])
  const padded = value === undefined ? undefined : Bytes.toLength(value, length)
  if (padded === undefined) throw new Error("unexpected form of a Diffie-Hellman public key")
  return padded
}

/** The same on the calling thread. */
export const modPowSync = (base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Uint8Array => {
  const der = encodeKey(base, exponent, modulus)
  const key = createPrivateKey({ key: der as Buffer, format: "der", type: "pkcs8" })
  der.fill(0)
  return decodeValue(createPublicKey(key).export({ format: "der", type: "spki" }), modulus.length)
}

/** Bytes of the exponent that are done at once for 2048 bits: about a millisecond. */
const SLICE = 128

/**
 * The same on the calling thread in slices, between which the event loop turns: Horner's scheme with digits of so many
 * bytes. It takes about half as long again; with smaller digits it would take up to twice as long.
 */
export const modPowSliced = async (
  base: Uint8Array,
  exponent: Uint8Array,
  modulus: Uint8Array
): Promise<Uint8Array> => {
  // the time for a bit of the exponent grows with the square of the modulus
  const size = Math.max(4, Math.min(exponent.length, Math.floor(SLICE * (256 / modulus.length) ** 2)))
  const shift = new Uint8Array(size + 1)
  shift[0] = 1
  // copies: the caller may change its arrays in between
  const [b, e, m] = [base.slice(), exponent.slice(), modulus.slice()]
  const big = Bytes.toBigInt(m)
  let end = e.length % size || size
  let result = modPowSync(b, e.subarray(0, end), m)
  while (end < e.length) {
    await macrotask()
    const shifted = modPowSync(result, shift, m)
    await macrotask()
    const factor = modPowSync(b, e.subarray(end, end + size), m)
    result = Bytes.fromBigInt((Bytes.toBigInt(shifted) * Bytes.toBigInt(factor)) % big, m.length)
    end += size
  }
  e.fill(0)
  return result
}
