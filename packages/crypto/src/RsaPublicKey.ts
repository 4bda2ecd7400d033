/**
 * RSA keys of Telegram servers: reading PEM, and the fingerprint by which a
 * server names its keys (core.telegram.org/mtproto/auth_key).
 *
 * @since 1.0.0
 */
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Crypto } from "./Crypto.ts"
import * as Bytes from "./internal/bytes.ts"
import * as Der from "./internal/der.ts"

/**
 * Text or bytes that are not an RSA key that can be used here.
 *
 * @since 1.0.0
 * @category errors
 */
export class RsaKeyError extends Schema.TaggedError<RsaKeyError>()("RsaKeyError", {
  problem: Schema.String
}) {
  override get message(): string {
    return `Not an RSA key: ${this.problem}`
  }
}

/**
 * An RSA public key. Numbers are big-endian without leading zeros.
 *
 * @since 1.0.0
 * @category models
 */
export interface RsaPublicKey {
  /** The modulus. */
  readonly n: Uint8Array
  /** The public exponent. */
  readonly e: Uint8Array
  /**
   * The last 8 bytes of SHA-1 of the bare TL `rsa_public_key n:string
   * e:string`, as a TL `long`.
   */
  readonly fingerprint: bigint
}

/**
 * An RSA private key, as the server's side of the key exchange holds it. The
 * private exponent is not enumerable.
 *
 * @since 1.0.0
 * @category models
 */
export interface RsaPrivateKey extends RsaPublicKey {
  readonly d: Uint8Array
}

const MAX_BYTES = 1024

/**
 * Makes a public key from its numbers.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make = (
  crypto: Crypto["Service"],
  numbers: { readonly n: Uint8Array; readonly e: Uint8Array }
): Result.Result<RsaPublicKey, RsaKeyError> => {
  const n = Bytes.stripLeadingZeros(numbers.n)
  const e = Bytes.stripLeadingZeros(numbers.e)
  if (n.length < 64 || n.length > MAX_BYTES) return fail("the modulus must have 64 to 1024 bytes")
  if ((n[n.length - 1]! & 1) === 0) return fail("the modulus is even")
  if (e.length === 0 || e.length > 8 || (e.length === 1 && e[0] === 1)) return fail("the exponent must be 2 to 2^64")
  const hash = crypto.sha1(tlBytes(n), tlBytes(e))
  return Result.succeed({ n, e, fingerprint: Bytes.readLong(hash, 12) })
}

/**
 * Reads a public key from PEM, in PKCS#1 (`RSA PUBLIC KEY`) or
 * SubjectPublicKeyInfo (`PUBLIC KEY`) form.
 *
 * @since 1.0.0
 * @category constructors
 */
export const fromPem = (crypto: Crypto["Service"], pem: string): Result.Result<RsaPublicKey, RsaKeyError> => {
  const block = decodePem(pem)
  if (block === undefined) return fail("no PEM block was found")
  let elements = Der.readSequence(block.der)
  if (block.label === "PUBLIC KEY") {
    const bits = elements?.[1]
    // a bit string starts with the number of unused bits, which is 0 here
    elements = bits?.tag === Der.BIT_STRING && bits.content[0] === 0
      ? Der.readSequence(bits.content.subarray(1))
      : undefined
  } else if (block.label !== "RSA PUBLIC KEY") {
    return fail(`the PEM block is a "${block.label}"`)
  }
  const n = Der.readUnsigned(elements?.[0])
  const e = Der.readUnsigned(elements?.[1])
  return n === undefined || e === undefined || elements?.length !== 2
    ? fail("the PEM block does not hold an RSA public key")
    : make(crypto, { n, e })
}

/**
 * Reads a private key from PEM, in PKCS#1 (`RSA PRIVATE KEY`) or PKCS#8
 * (`PRIVATE KEY`) form, unencrypted.
 *
 * @since 1.0.0
 * @category constructors
 */
export const privateFromPem = (
  crypto: Crypto["Service"],
  pem: string
): Result.Result<RsaPrivateKey, RsaKeyError> => {
  const block = decodePem(pem)
  if (block === undefined) return fail("no PEM block was found")
  let elements = Der.readSequence(block.der)
  if (block.label === "PRIVATE KEY") {
    const octets = elements?.[2]
    elements = octets?.tag === Der.OCTET_STRING ? Der.readSequence(octets.content) : undefined
  } else if (block.label !== "RSA PRIVATE KEY") {
    return fail(`the PEM block is a "${block.label}"`)
  }
  const n = Der.readUnsigned(elements?.[1])
  const e = Der.readUnsigned(elements?.[2])
  const d = Der.readUnsigned(elements?.[3])
  return n === undefined || e === undefined || d === undefined
    ? fail("the PEM block does not hold an RSA private key")
    : Result.map(
      make(crypto, { n, e }),
      (key) => Object.defineProperty({ ...key } as RsaPrivateKey, "d", { value: d, enumerable: false })
    )
}

/**
 * Writes the public key as PKCS#1 PEM.
 *
 * @since 1.0.0
 * @category encoding
 */
export const toPem = (key: RsaPublicKey): string => {
  const der = Der.write(Der.SEQUENCE, Der.writeUnsigned(key.n), Der.writeUnsigned(key.e))
  const lines = Base64.encode(der).match(/.{1,64}/g) ?? []
  return ["-----BEGIN RSA PUBLIC KEY-----", ...lines, "-----END RSA PUBLIC KEY-----", ""].join("\n")
}

const fail = (problem: string): Result.Result<never, RsaKeyError> => Result.fail(new RsaKeyError({ problem }))

const decodePem = (pem: string): { readonly label: string; readonly der: Uint8Array } | undefined => {
  if (pem.length > 16_384) return undefined
  const match = /-----BEGIN ([A-Z0-9 ]+)-----([\sA-Za-z0-9+/=]+)-----END ([A-Z0-9 ]+)-----/.exec(pem)
  if (match === null || match[1] !== match[3]) return undefined
  const der = Base64.decode(match[2]!.replace(/\s+/g, ""))
  return Result.isSuccess(der) ? { label: match[1]!, der: der.success } : undefined
}

// a TL byte string: length, data, zeros to a multiple of 4
const tlBytes = (data: Uint8Array): Uint8Array => {
  const short = data.length < 254
  const header = short ? 1 : 4
  const out = new Uint8Array((header + data.length + 3) & -4)
  if (short) {
    out[0] = data.length
  } else {
    Bytes.writeInt(out, 0, (data.length << 8) | 254)
  }
  out.set(data, header)
  return out
}
