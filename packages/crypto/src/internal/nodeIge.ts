/**
 * AES-256-IGE encryption by way of OpenSSL's CBC.
 *
 * IGE is `C[i] = E(P[i] ^ C[i-1]) ^ P[i-1]`. With `Q[i] = P[i] ^ P[i-2]` and
 * `X[i] = C[i] ^ P[i-1]` it reads `X[i] = E(Q[i] ^ X[i-1])`, which is CBC over `Q`
 * with the first half of the IV. There is no such way back: decryption feeds
 * back through the inverse cipher.
 *
 * The key is passed as a KeyObject: raw key bytes cost several times more on some
 * versions of Node.
 */
import { createCipheriv, createSecretKey, hash } from "node:crypto"
import * as Aes from "./aes.ts"
import type * as Kernel from "./kernel.ts"

/**
 * Data below this size is encrypted by other code: the key and cipher objects cost about as much as 0.8 KiB in the kernel,
 * and something to collect.
 */
export const CBC_THRESHOLD = 1024
/** The same for messages, which have two blocks more that way. */
const MESSAGE_THRESHOLD = 1536

/** A plain array of its own, without a copy where the buffer is not shared. */
export const owned = (array: Uint8Array): Uint8Array =>
  array.byteLength === array.buffer.byteLength ? new Uint8Array(array.buffer) : new Uint8Array(array)

const cbc: Kernel.MakeCbc = (key, iv) => {
  // whole blocks come out at once, and what padding would add at the end is never asked for
  const cipher = createCipheriv("aes-256-cbc", createSecretKey(key), iv)
  return (data) => cipher.update(data)
}

/** Hashes of small data are fastest as strings: a Buffer costs more than the hash. A message key is no secret. */
export const messageEngine: Kernel.MessageEngine = {
  hash: (data) => hash("sha256", data, "binary"),
  cbc,
  cbcThreshold: MESSAGE_THRESHOLD
}

/** Encryption by what is fastest at each size. */
export const make = (
  kernel: Kernel.Kernel | undefined
): (data: Uint8Array, key: Uint8Array, iv: Uint8Array) => Uint8Array =>
  kernel === undefined
    ? (data, key, iv) => data.length >= CBC_THRESHOLD ? igeEncrypt(data, key, iv) : Aes.igeEncrypt(data, key, iv)
    : (data, key, iv) =>
      data.length >= CBC_THRESHOLD
        ? owned(kernel.igeEncryptByCbc(data, key, iv, cbc))
        : kernel.igeEncrypt(data, key, iv)

const CHUNK = 32 * 1024

export const igeEncrypt = (data: Uint8Array, key: Uint8Array, iv: Uint8Array): Uint8Array => {
  Aes.checkIge("Crypto.aesIgeEncrypt", data, key, iv)
  const encrypt = cbc(key, iv.subarray(0, 16))
  // history: P[-2] = 0 and P[-1] = second half of the IV, then the data, so that both passes are one plain loop
  const bytes = new Uint8Array(32 + data.length)
  bytes.set(iv.subarray(16), 16)
  bytes.set(data, 32)
  const p = new Uint32Array(bytes.buffer)
  const words = data.length >> 2
  const out = new Uint32Array(words)
  const q = new Uint32Array(Math.min(words, CHUNK >> 2))
  const qBytes = new Uint8Array(q.buffer)
  for (let start = 0; start < words; start += q.length) {
    const n = Math.min(q.length, words - start)
    for (let i = 0, j = start; i < n; i++, j++) q[i] = p[j + 8]! ^ p[j]!
    const x = asWords(encrypt(n === q.length ? qBytes : qBytes.subarray(0, n << 2)))
    for (let i = 0, j = start; i < n; i++, j++) out[j] = x[i]! ^ p[j + 4]!
  }
  bytes.fill(0)
  q.fill(0)
  return new Uint8Array(out.buffer)
}

const asWords = (bytes: Uint8Array): Uint32Array =>
  bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
    : new Uint32Array(new Uint8Array(bytes).buffer)
