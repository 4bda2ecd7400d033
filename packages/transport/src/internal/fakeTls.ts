/**
 * MTProto in the clothes of TLS, as MTProto proxies with a secret that begins with
 * `ee` want it: a hello that only those who know the secret can write, its answer,
 * and then records of "application data".
 */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Bytes from "./bytes.ts"
import { gathering, type Step, type Tunnel } from "./tunnel.ts"

const RANDOM_AT = 11
const RANDOM = 32
/** Proxies take hellos of this length only. */
const HELLO = 517
const BLOCK = 64
/** What goes into one record. */
const MAX_OUT = 2_878
const MAX_IN = 16_384 + 256

const HANDSHAKE = 0x16
const CHANGE_CIPHER = Uint8Array.of(0x14, 3, 3, 0, 1, 1)
const DATA = 0x17

export const hmacSha256 = (crypto: Crypto["Service"], key: Uint8Array, ...parts: ReadonlyArray<Uint8Array>) => {
  const block = new Uint8Array(BLOCK)
  block.set(key.length > BLOCK ? crypto.sha256(key) : key)
  const inner = crypto.sha256(block.map((byte) => byte ^ 0x36), ...parts)
  return crypto.sha256(block.map((byte) => byte ^ 0x5c), inner)
}

const u16 = (value: number): ReadonlyArray<number> => [value >> 8, value & 255]
const sized = (bytes: ReadonlyArray<number>): ReadonlyArray<number> => [...u16(bytes.length), ...bytes]
const extension = (type: number, body: ReadonlyArray<number>): ReadonlyArray<number> => [...u16(type), ...sized(body)]

const CIPHERS = [
  0x1301,
  0x1302,
  0x1303,
  0xc02b,
  0xc02f,
  0xc02c,
  0xc030,
  0xcca9,
  0xcca8,
  0xc013,
  0xc014,
  0x009c,
  0x009d,
  0x002f,
  0x0035
]

/** A hello as browsers write it, for the domain, with zeros in place of its random bytes. */
const writeHello = (domain: string, draw: (length: number) => Uint8Array): Uint8Array => {
  const name = [...new TextEncoder().encode(domain)]
  const grease = Array.from(draw(4), (byte) => {
    const value = (byte & 0xf0) | 0x0a
    return value << 8 | value
  })
  const share = [...draw(RANDOM)]
  const extensions = [
    ...extension(grease[0]!, []),
    ...extension(0, sized([0, ...sized(name)])),
    ...extension(23, []),
    ...extension(0xff01, [0]),
    ...extension(10, sized([grease[1]!, 29, 23, 24].flatMap(u16))),
    ...extension(11, [1, 0]),
    ...extension(35, []),
    ...extension(16, sized([2, 0x68, 0x32, 8, 0x68, 0x74, 0x74, 0x70, 0x2f, 0x31, 0x2e, 0x31])),
    ...extension(5, [1, 0, 0, 0, 0]),
    ...extension(13, sized([0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601].flatMap(u16))),
    ...extension(18, []),
    ...extension(51, sized([...u16(grease[1]!), ...sized([0]), ...u16(29), ...sized(share)])),
    ...extension(45, [1, 1]),
    ...extension(43, [6, ...[grease[2]!, 0x0304, 0x0303].flatMap(u16)])
  ]
  const start = [
    3,
    3,
    ...Array.from({ length: RANDOM }, () => 0),
    RANDOM,
    ...draw(RANDOM),
    ...sized([grease[3]!, ...CIPHERS].flatMap(u16)),
    1,
    0
  ]
  const padding = HELLO - (9 + start.length + 2 + extensions.length + 4)
  const all = [...extensions, ...extension(21, Array.from({ length: Math.max(0, padding) }, () => 0))]
  const body = [...start, ...sized(all)]
  const message = [1, 0, ...u16(body.length), ...body]
  return Uint8Array.of(HANDSHAKE, 3, 1, ...sized(message))
}

/** `undefined` if the domain is too long for a hello. */
export const make = (crypto: Crypto["Service"], options: {
  readonly secret: Uint8Array
  readonly domain: string
  /** Unix time, in seconds: proxies refuse hellos that are too old. */
  readonly time: number
}): Tunnel | undefined => {
  const { secret } = options
  const hello = writeHello(options.domain, crypto.randomBytes)
  if (hello.length !== HELLO) return undefined
  const random = hmacSha256(crypto, secret, hello)
  Bytes.writeInt(random, RANDOM - 4, Bytes.readInt(random, RANDOM - 4) ^ options.time)
  hello.set(random, RANDOM_AT)

  /** The end of a record of this kind at an offset; `undefined` if there is none, 0 if it has not come. */
  const recordEnd = (bytes: Uint8Array, at: number, kind: number): number | undefined => {
    if (bytes.length < at + 5) return 0
    if (bytes[at] !== kind || bytes[at + 1] !== 3 || bytes[at + 2] !== 3) return undefined
    const length = bytes[at + 3]! << 8 | bytes[at + 4]!
    if (length > MAX_IN) return undefined
    return bytes.length < at + 5 + length ? 0 : at + 5 + length
  }

  const wrong: Step = { _tag: "Failed", detail: "its hello is not the one of a proxy with this secret" }
  const push = gathering(3 * MAX_IN, (bytes) => {
    let end = 0
    for (const kind of [HANDSHAKE, CHANGE_CIPHER[0]!, DATA]) {
      const next = recordEnd(bytes, end, kind)
      if (next === undefined) return wrong
      if (next === 0) return { _tag: "More" }
      end = next
    }
    const answer = bytes.slice(0, end)
    const proof = answer.slice(RANDOM_AT, RANDOM_AT + RANDOM)
    answer.fill(0, RANDOM_AT, RANDOM_AT + RANDOM)
    return proof.length === RANDOM && crypto.constantTimeEqual(hmacSha256(crypto, secret, random, answer), proof)
      ? { _tag: "Open", rest: bytes.slice(end) }
      : wrong
  })

  let isFirst = true
  let waiting: Uint8Array = new Uint8Array(0)
  return {
    first: hello,
    push,
    wrap: (bytes) => {
      const records: Array<Uint8Array> = isFirst ? [CHANGE_CIPHER] : []
      isFirst = false
      for (let i = 0; i < bytes.length; i += MAX_OUT) {
        const part = bytes.subarray(i, i + MAX_OUT)
        records.push(Uint8Array.of(DATA, 3, 3, ...u16(part.length)), part)
      }
      return Bytes.concat(...records)
    },
    unwrap: (chunk) => {
      const bytes = waiting.length === 0 ? chunk : Bytes.concat(waiting, chunk)
      const parts: Array<Uint8Array> = []
      let at = 0
      for (;;) {
        const end = recordEnd(bytes, at, DATA)
        if (end === undefined) return undefined
        if (end === 0) break
        parts.push(bytes.subarray(at + 5, end))
        at = end
      }
      waiting = bytes.slice(at)
      return parts
    }
  }
}
