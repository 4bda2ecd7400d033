/**
 * WebSockets on the port of everything else (RFC 6455): tells a WebSocket from
 * other connections by its first bytes, answers its request, and takes its
 * messages apart. Pure: bytes in, bytes out. MTProto does not care where messages
 * begin and end, so what is in them is one stream.
 */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import { concat } from "./bytes.ts"

/** What came of bytes. */
export interface Step {
  /** Bytes of the stream. */
  readonly data: ReadonlyArray<Uint8Array>
  /** What has to be answered, as it is. */
  readonly reply: Uint8Array | undefined
  /** Whether the connection is over, once the answer is sent. */
  readonly end: boolean
}

export interface Wire {
  readonly push: (chunk: Uint8Array) => Step
  /** What is written for bytes of the stream. */
  readonly wrap: (bytes: Uint8Array) => Uint8Array
}

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
const GET = [0x47, 0x45, 0x54, 0x20]
const MAX_HEAD = 8192
const PATH = /^\/apiws(?:_test)?(?:_premium)?$/

const Opcode = { continuation: 0, binary: 2, close: 8, ping: 9, pong: 10 } as const

const NOTHING: Step = { data: [], reply: undefined, end: false }
const text = new TextEncoder()

/** `maxLength` bounds what one message may hold. */
export const make = (crypto: Crypto["Service"], maxLength: number): Wire => {
  let state: "start" | "raw" | "request" | "open" | "over" = "start"
  let waiting: Uint8Array = new Uint8Array(0)

  const over = (reply: Uint8Array): Step => {
    state = "over"
    waiting = new Uint8Array(0)
    return { data: [], reply, end: true }
  }

  const push = (chunk: Uint8Array): Step => {
    if (state === "raw") return { data: [chunk], reply: undefined, end: false }
    if (state === "over") return NOTHING
    waiting = waiting.length === 0 ? chunk.slice() : concat([waiting, chunk])
    if (state === "start") {
      const isGet = GET.every((byte, i) => i >= waiting.length || waiting[i] === byte)
      if (!isGet) {
        state = "raw"
        return { data: [waiting], reply: undefined, end: false }
      }
      if (waiting.length < GET.length) return NOTHING
      state = "request"
    }
    if (state === "request") {
      const end = endOfHead(waiting)
      if (end === -1) return waiting.length > MAX_HEAD ? over(refusal("431 Request Header Fields Too Large")) : NOTHING
      const answer = respond(crypto, new TextDecoder().decode(waiting.subarray(0, end)))
      if (answer === undefined) return over(refusal("400 Bad Request"))
      waiting = waiting.slice(end)
      state = "open"
      const rest = readFrames()
      return { ...rest, reply: rest.reply === undefined ? answer : concat([answer, rest.reply]) }
    }
    return readFrames()
  }

  const readFrames = (): Step => {
    const data: Array<Uint8Array> = []
    const replies: Array<Uint8Array> = []
    let at = 0
    for (;;) {
      const head = readHead(waiting, at)
      if (head === undefined) break
      if (!head.isMasked || head.length > maxLength) return over(frame(Opcode.close, Uint8Array.of(0x03, 0xea)))
      const end = head.end + 4 + head.length
      if (waiting.length < end) break
      const mask = waiting.subarray(head.end, head.end + 4)
      const payload = waiting.slice(head.end + 4, end)
      for (let i = 0; i < payload.length; i++) payload[i]! ^= mask[i & 3]!
      at = end
      if (head.opcode === Opcode.binary || head.opcode === Opcode.continuation) data.push(payload)
      else if (head.opcode === Opcode.ping) replies.push(frame(Opcode.pong, payload.subarray(0, 125)))
      else if (head.opcode !== Opcode.pong) {
        const closed = over(frame(Opcode.close, Uint8Array.of(0x03, 0xe8)))
        return { ...closed, data }
      }
    }
    waiting = waiting.slice(at)
    return { data, reply: replies.length === 0 ? undefined : concat(replies), end: false }
  }

  return { push, wrap: (bytes) => state === "open" ? frame(Opcode.binary, bytes) : bytes }
}

const endOfHead = (bytes: Uint8Array): number => {
  for (let i = 3; i < bytes.length; i++) {
    if (bytes[i] === 10 && bytes[i - 1] === 13 && bytes[i - 2] === 10 && bytes[i - 3] === 13) return i + 1
  }
  return -1
}

const refusal = (status: string): Uint8Array =>
  text.encode(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)

/** The answer to a request that asks for a WebSocket with the subprotocol `binary`; `undefined` if it does not. */
const respond = (crypto: Crypto["Service"], head: string): Uint8Array | undefined => {
  const [request = "", ...lines] = head.split("\r\n")
  const path = /^GET (\S+) HTTP\/1\.1$/.exec(request)?.[1]?.split("?")[0]
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(":")
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  const lists = (name: string, value: string): boolean =>
    (headers.get(name) ?? "").split(",").some((item) => item.trim().toLowerCase() === value)
  const key = headers.get("sec-websocket-key")
  if (
    path === undefined || !PATH.test(path) || key === undefined || !lists("upgrade", "websocket") ||
    !lists("connection", "upgrade") || headers.get("sec-websocket-version") !== "13" ||
    !lists("sec-websocket-protocol", "binary")
  ) return undefined
  const accept = btoa(String.fromCharCode(...crypto.sha1(text.encode(key + GUID))))
  return text.encode(
    [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${accept}`,
      "Sec-WebSocket-Protocol: binary",
      "",
      ""
    ].join("\r\n")
  )
}

/** The head of the frame at an offset; `undefined` if it has not come. `end` is where the mask begins. */
const readHead = (bytes: Uint8Array, at: number) => {
  if (bytes.length < at + 2) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const opcode = bytes[at]! & 15
  const isMasked = (bytes[at + 1]! & 128) !== 0
  const short = bytes[at + 1]! & 127
  if (short < 126) return { opcode, isMasked, length: short, end: at + 2 }
  const size = short === 126 ? 2 : 8
  if (bytes.length < at + 2 + size) return undefined
  const length = size === 2 ? view.getUint16(at + 2) : Number(view.getBigUint64(at + 2))
  return { opcode, isMasked, length, end: at + 2 + size }
}

const frame = (opcode: number, payload: Uint8Array): Uint8Array => {
  const { length } = payload
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const out = new Uint8Array(2 + size + length)
  const view = new DataView(out.buffer)
  out[0] = 128 | opcode
  out[1] = size === 0 ? length : size === 2 ? 126 : 127
  if (size === 2) view.setUint16(2, length)
  else if (size === 8) view.setBigUint64(2, BigInt(length))
  out.set(payload, 2 + size)
  return out
}
