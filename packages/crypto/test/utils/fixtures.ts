import * as Crypto from "@effect-mtproto/crypto/Crypto"
import type * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import { Effect, Result } from "effect"
import { Hex } from "effect/encoding"
import { readFileSync } from "node:fs"
import * as Message from "../../src/internal/message.ts"

export const hex = (text: string): Uint8Array => Result.getOrThrow(Hex.decode(text))
export const toHex = (bytes: Uint8Array): string => Hex.encode(bytes)
export const sequence = (length: number, first = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (first + i) & 255)

const load = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../fixtures/${name}`, import.meta.url), "utf8"))

export interface Frame {
  readonly fromOriginator: boolean
  readonly key: string
  readonly ciphertext: string
  readonly plaintext: string
  readonly padding: number
}

interface KdfCase {
  readonly x: 0 | 8
  readonly key: string
  readonly iv: string
}

export interface Mtproto {
  readonly kdf: ReadonlyArray<{
    readonly authKey: string
    readonly msgKey: string
    readonly v2: ReadonlyArray<KdfCase>
    readonly v1: ReadonlyArray<KdfCase>
  }>
  readonly packets: {
    readonly hello: string
    readonly recorded: { readonly authKey: string; readonly packet: string; readonly decrypted: string }
    readonly clientPacket: string
    readonly serverGood: string
    readonly refused: Readonly<
      Record<"messageKeyZeroed" | "otherSession" | "length9999999" | "length3" | "noPadding", string>
    >
    readonly ping: { readonly inside: string; readonly client: string; readonly server: string }
  }
  readonly bind: Readonly<
    Record<"permanentKeyId" | "inner" | "messageKey" | "aesKey" | "aesIv" | "encrypted", string>
  >
  readonly rsaPad: {
    readonly zeros: string
    readonly retry: {
      readonly data: string
      readonly padding: string
      readonly temporaryKeys: ReadonlyArray<string>
      readonly result: string
    }
  }
  readonly srp: ReadonlyArray<
    & Readonly<Record<"password" | "salt1" | "salt2" | "B" | "a" | "PH2" | "M1", string>>
    & { readonly v?: string; readonly u?: string; readonly A?: string; readonly M1extended?: string }
  >
  readonly srpNew: ReadonlyArray<Readonly<Record<"password" | "salt1" | "salt2" | "v", string>>>
  readonly handshake: Readonly<
    Record<
      | "nonce"
      | "serverNonce"
      | "newNonce"
      | "inner"
      | "tmpKey"
      | "tmpIv"
      | "encryptedAnswer"
      | "answerSha1"
      | "gA"
      | "b"
      | "gB"
      | "clientPadding"
      | "clientEncrypted"
      | "authKey"
      | "authKeyId"
      | "auxHash"
      | "hash1"
      | "hash2"
      | "hash3"
      | "salt",
      string
    >
  >
}

export interface SecretChats {
  readonly tdlib: {
    readonly key: string
    readonly packets: ReadonlyArray<
      Readonly<Record<"packet" | "messageKey" | "aesKey" | "aesIv" | "plaintext", string>>
    >
  }
  readonly notifyLayer: Readonly<Record<"payload" | "plaintext" | "x0" | "x8" | "v1", string>>
}

export const mtproto = load("mtproto.json") as Mtproto
export const secretChats = load("secretChats.json") as SecretChats
export const rsaKeys = load("rsaKeys.json") as ReadonlyArray<{ readonly fingerprint: string; readonly pem: string }>
export const tdlibFrames = [
  ...load("tdlibFrames.json") as ReadonlyArray<Frame>,
  ...load("tdlibMediaFrames.json") as ReadonlyArray<Frame>
]

/** A service that counts its hash and cipher operations. */
export const counting = (crypto: Crypto.Crypto["Service"]) => {
  const counts = { hashes: 0, ciphers: 0, comparisons: 0, hashedBytes: 0, cipheredBytes: 0 }
  const hash = (f: (...parts: ReadonlyArray<Uint8Array>) => Uint8Array) => (...parts: ReadonlyArray<Uint8Array>) => {
    counts.hashes++
    for (const part of parts) counts.hashedBytes += part.length
    return f(...parts)
  }
  const cipher =
    (f: (data: Uint8Array, key: Uint8Array, iv: Uint8Array) => Uint8Array) =>
    (data: Uint8Array, key: Uint8Array, iv: Uint8Array) => {
      counts.ciphers++
      counts.cipheredBytes += data.length
      return f(data, key, iv)
    }
  const primitives = {
    sha1: hash(crypto.sha1),
    sha256: hash(crypto.sha256),
    aesIgeEncrypt: cipher(crypto.aesIgeEncrypt),
    aesIgeDecrypt: cipher(crypto.aesIgeDecrypt)
  }
  const service = Crypto.Crypto.of({
    ...crypto,
    ...primitives,
    ...Message.make(primitives),
    constantTimeEqual: (a, b) => {
      counts.comparisons++
      return crypto.constantTimeEqual(a, b)
    }
  })
  return {
    service,
    take: () => {
      const taken = { ...counts }
      for (const name of Object.keys(counts) as ReadonlyArray<keyof typeof counts>) counts[name] = 0
      return taken
    }
  }
}

export const withCrypto = <A, E>(
  f: (crypto: Crypto.Crypto["Service"]) => Effect.Effect<A, E> | A
): Effect.Effect<A, E, Crypto.Crypto> =>
  Effect.flatMap(Crypto.Crypto, (crypto) => {
    const result = f(crypto)
    return Effect.isEffect(result) ? result : Effect.succeed(result)
  })

export const keysOf = (...keys: ReadonlyArray<SharedKey.SharedKey>): ReadonlyArray<SharedKey.SharedKey> => keys
