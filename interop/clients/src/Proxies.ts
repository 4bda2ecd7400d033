/**
 * Proxies on loopback. SOCKS5 and HTTP are those that the tests of our own client use; the MTProto proxy is written
 * here, for clients whose feigned TLS looks different.
 */
import { Abridged } from "@effect-mtproto/core/framing/Abridged"
import * as Obfuscation from "@effect-mtproto/core/framing/Obfuscation"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Effect from "effect/Effect"
import { createHmac, randomBytes } from "node:crypto"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export { http, socks5 } from "../../../packages/transport/test/utils/proxies.ts"

const SECRET = "00112233445566778899aabbccddeeff"
const DOMAIN = "example.org"

/** The three kinds of secrets: what they are called, what a client is given, and the domain that it feigns. */
export const secrets: ReadonlyArray<readonly [what: string, secret: string, domain: string | undefined]> = [
  ["plain secret", SECRET, undefined],
  ["padded (dd)", `dd${SECRET}`, undefined],
  ["feigned TLS (ee)", `ee${SECRET}${Buffer.from(DOMAIN).toString("hex")}`, DOMAIN]
]

const hmac = (...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const made = createHmac("sha256", Buffer.from(SECRET, "hex"))
  for (const part of parts) made.update(part)
  return made.digest()
}

const record = (kind: number, body: Uint8Array): Buffer =>
  Buffer.concat([Uint8Array.of(kind, 3, 3, body.length >> 8, body.length & 255), body])

/** What the proxy says to a client that knows the secret: a hello, and as much as a server would send then. */
const serverHello = (hello: Buffer, clientRandom: Uint8Array): Buffer => {
  const sessionId = hello.subarray(44, 44 + hello[43]!)
  const extensions = Buffer.concat([
    Uint8Array.of(0, 46, 0, 51, 0, 36, 0, 29, 0, 32),
    randomBytes(32),
    Uint8Array.of(0, 43, 0, 2, 3, 4)
  ])
  const body = Buffer.concat([
    Uint8Array.of(3, 3),
    new Uint8Array(32),
    Uint8Array.of(sessionId.length),
    sessionId,
    Uint8Array.of(0x13, 1, 0),
    extensions
  ])
  const answer = Buffer.concat([
    record(0x16, Buffer.concat([Uint8Array.of(2, 0, body.length >> 8, body.length & 255), body])),
    record(0x14, Uint8Array.of(1)),
    record(0x17, randomBytes(1500))
  ])
  hmac(clientRandom, answer).copy(answer, 11)
  return answer
}

/** Takes records off a stream of bytes. */
const records = (take: (kind: number, body: Buffer, whole: Buffer) => void) => {
  let bytes = Buffer.alloc(0)
  return (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk])
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt16BE(3)) {
      const whole = bytes.subarray(0, 5 + bytes.readUInt16BE(3))
      bytes = bytes.subarray(whole.length)
      take(whole[0]!, whole.subarray(5), whole)
    }
  }
}

const accept = (
  crypto: Crypto["Service"],
  options: { readonly server: { readonly port: number }; readonly domain: string | undefined },
  socket: Socket
): void => {
  let write = (bytes: Uint8Array): unknown => socket.write(bytes)
  let streams: ReturnType<typeof Obfuscation.server> | undefined
  let upstream: Socket | undefined
  let start = Buffer.alloc(0)

  const onStream = (chunk: Uint8Array): void => {
    if (streams !== undefined) {
      upstream?.write(streams.decrypt(Uint8Array.from(chunk)))
      return
    }
    start = Buffer.concat([start, chunk])
    if (start.length < 64) return
    try {
      streams = Obfuscation.server({
        aesCtr: crypto.aesCtr,
        header: Uint8Array.from(start.subarray(0, 64)),
        proxy: { secret: Buffer.from(SECRET, "hex"), sha256: crypto.sha256 }
      })
    } catch {
      socket.destroy()
      return
    }
    const { encrypt, framing } = streams
    // a socket keeps what is written before it is connected
    const made = connect(options.server.port, "127.0.0.1")
    made.on("error", () => socket.destroy())
    made.on("close", () => socket.destroy())
    socket.on("close", () => made.destroy())
    made.on("data", (bytes: Buffer) => write(encrypt(Uint8Array.from(bytes))))
    made.write(framing === Abridged ? Uint8Array.of(0xef) : framing.tag)
    upstream = made
    if (start.length > 64) onStream(start.subarray(64))
  }

  if (options.domain === undefined) {
    socket.on("data", onStream)
    return
  }
  const { domain } = options
  let isHello = true
  socket.on(
    "data",
    records((kind, body, whole) => {
      if (!isHello) {
        if (kind === 0x17) onStream(body)
        return
      }
      isHello = false
      const hello = Buffer.from(whole)
      const random = Buffer.from(hello.subarray(11, 43))
      hello.fill(0, 11, 43)
      const expected = hmac(hello)
      const age = (random.readInt32LE(28) ^ expected.readInt32LE(28)) - Math.floor(Date.now() / 1000)
      if (!random.subarray(0, 28).equals(expected.subarray(0, 28)) || Math.abs(age) > 60 || !hello.includes(domain)) {
        socket.destroy()
        return
      }
      socket.write(serverHello(whole, random))
      write = (data) => {
        for (let i = 0; i < data.length; i += 1000) socket.write(record(0x17, data.subarray(i, i + 1000)))
      }
    })
  )
}

/** An MTProto proxy; with `domain` it answers only to a feigned TLS connection. */
export const mtproto = (
  crypto: Crypto["Service"],
  options: { readonly server: { readonly port: number }; readonly domain: string | undefined }
) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly host: string; readonly port: number; readonly close: () => void }>((resume) => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("close", () => sockets.delete(socket))
        accept(crypto, options, socket)
      })
      server.listen(0, "127.0.0.1", () => {
        const close = (): void => {
          for (const socket of sockets) socket.destroy()
          server.close()
        }
        resume(Effect.succeed({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )
