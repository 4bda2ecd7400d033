/**
 * Proxies on loopback, for tests: each knows its protocol from the standards, and
 * nothing of the client's code.
 */
import { Abridged } from "@effect-mtproto/core/framing/Abridged"
import * as Obfuscation from "@effect-mtproto/core/framing/Obfuscation"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Effect from "effect/Effect"
import { createHmac } from "node:crypto"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export interface Running {
  readonly host: string
  readonly port: number
  /** What clients have asked for. */
  readonly asked: Array<string>
}

const serve = (accept: (socket: Socket, asked: Array<string>) => void) =>
  Effect.acquireRelease(
    Effect.callback<Running & { readonly close: () => void }>((resume) => {
      const asked: Array<string> = []
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("close", () => sockets.delete(socket))
        accept(socket, asked)
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const close = () => {
          for (const socket of sockets) socket.destroy()
          server.close()
        }
        resume(Effect.succeed({ host: "127.0.0.1", port, asked, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

/** Joins two sockets; both end together. */
const join = (socket: Socket, port: number, onConnect: (upstream: Socket) => void) => {
  const upstream = connect(port, "127.0.0.1", () => onConnect(upstream))
  upstream.on("error", () => socket.destroy())
  upstream.on("close", () => socket.destroy())
  socket.on("close", () => upstream.destroy())
}

/** Calls with everything that has come so far; what is used up is dropped. */
const gather = (socket: Socket, use: (bytes: Buffer) => number) => {
  let bytes = Buffer.alloc(0)
  const onData = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    for (;;) {
      const used = use(bytes)
      if (used === 0) return
      bytes = bytes.subarray(used)
    }
  }
  socket.on("data", onData)
  return {
    stop: () => {
      socket.off("data", onData)
      return bytes
    }
  }
}

export const socks5 = (login?: { readonly username: string; readonly password: string }) =>
  serve((socket, asked) => {
    let step = 0
    const input = gather(socket, (bytes) => {
      if (step === 0) {
        if (bytes.length < 2 + (bytes[1] ?? 0)) return 0
        const methods = [...bytes.subarray(2, 2 + bytes[1]!)]
        const method = login === undefined ? 0 : methods.includes(2) ? 2 : 255
        socket.write(Uint8Array.of(5, method))
        step = method === 2 ? 1 : 2
        return 2 + bytes[1]!
      }
      if (step === 1) {
        const length = bytes[1] ?? 0
        const end = 3 + length + (bytes[2 + length] ?? 255)
        if (bytes.length < end) return 0
        const username = bytes.subarray(2, 2 + length).toString()
        const password = bytes.subarray(3 + length, end).toString()
        const isRight = username === login!.username && password === login!.password
        socket.write(Uint8Array.of(1, isRight ? 0 : 1))
        step = 2
        return end
      }
      if (step > 2 || bytes.length < 10) return 0
      const length = bytes[3] === 1 ? 4 : 16
      if (bytes.length < 6 + length) return 0
      asked.push([...bytes.subarray(3, 4 + length)].join("."))
      step = 3
      const port = bytes.readUInt16BE(4 + length)
      join(socket, port, (upstream) => {
        input.stop()
        // the answer arrives in two pieces
        socket.write(Uint8Array.of(5, 0, 0, 1, 127))
        socket.write(Uint8Array.of(0, 0, 1, 0, 80))
        socket.pipe(upstream)
        upstream.pipe(socket)
      })
      return 6 + length
    })
  })

export const http = (login?: string) =>
  serve((socket, asked) => {
    const input = gather(socket, (bytes) => {
      const head = bytes.toString("latin1")
      const end = head.indexOf("\r\n\r\n")
      if (end === -1) return 0
      asked.push(head.slice(0, head.indexOf("\r\n")))
      if (login !== undefined && !head.includes(`Basic ${Buffer.from(login).toString("base64")}`)) {
        socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        return end + 4
      }
      const port = Number(/:(\d+) HTTP/.exec(head)![1])
      join(socket, port, (upstream) => {
        input.stop()
        socket.write("HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n")
        socket.pipe(upstream)
        upstream.pipe(socket)
      })
      return end + 4
    })
  })

const hmac = (key: Uint8Array, ...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const made = createHmac("sha256", key)
  for (const part of parts) made.update(part)
  return made.digest()
}

const record = (kind: number, body: Uint8Array): Buffer =>
  Buffer.concat([Uint8Array.of(kind, 3, 3, body.length >> 8, body.length & 255), body])

/** An MTProto proxy; with `domain` it answers only to a feigned TLS connection. */
export const mtproto = (crypto: Crypto["Service"], options: {
  readonly secret: Uint8Array
  readonly server: { readonly port: number }
  readonly domain?: string
}) =>
  serve((socket, asked) => {
    const { secret } = options
    let write = (bytes: Uint8Array): unknown => socket.write(bytes)
    let streams: ReturnType<typeof Obfuscation.server> | undefined
    let upstream: Socket | undefined
    const toServer: Array<Uint8Array> = []
    let start = Buffer.alloc(0)

    const onStream = (chunk: Uint8Array): void => {
      if (streams !== undefined) {
        const plain = streams.decrypt(Uint8Array.from(chunk))
        if (upstream === undefined) toServer.push(plain)
        else upstream.write(plain)
        return
      }
      start = Buffer.concat([start, chunk])
      if (start.length < 64) return
      try {
        streams = Obfuscation.server({
          aesCtr: crypto.aesCtr,
          header: Uint8Array.from(start.subarray(0, 64)),
          proxy: { secret, sha256: crypto.sha256 }
        })
      } catch {
        socket.destroy()
        return
      }
      const { dcId, encrypt, framing } = streams
      asked.push(`${framing.name} ${dcId}`)
      join(socket, options.server.port, (made) => {
        made.on("data", (bytes: Buffer) => write(encrypt(Uint8Array.from(bytes))))
        made.write(framing === Abridged ? Uint8Array.of(0xef) : framing.tag)
        for (const bytes of toServer) made.write(bytes)
        upstream = made
      })
      if (start.length > 64) onStream(start.subarray(64))
    }

    if (options.domain === undefined) {
      socket.on("data", onStream)
      return
    }
    let isHello = true
    gather(socket, (bytes) => {
      if (bytes.length < 5) return 0
      const end = 5 + bytes.readUInt16BE(3)
      if (bytes.length < end) return 0
      const body = bytes.subarray(5, end)
      if (!isHello) {
        if (bytes[0] === 0x17) onStream(body)
        else asked.push(`record ${bytes[0]}`)
        return end
      }
      isHello = false
      const hello = Buffer.from(bytes.subarray(0, end))
      const random = Buffer.from(hello.subarray(11, 43))
      hello.fill(0, 11, 43)
      const expected = hmac(secret, hello)
      const age = (random.readInt32LE(28) ^ expected.readInt32LE(28)) - Math.floor(Date.now() / 1_000)
      const isKnown = random.subarray(0, 28).equals(expected.subarray(0, 28)) && Math.abs(age) < 60 && end === 517 &&
        hello.includes(options.domain!)
      asked.push(isKnown ? "hello" : "stranger")
      if (!isKnown) {
        socket.destroy()
        return end
      }
      const answer = Buffer.concat([
        record(0x16, Buffer.concat([Uint8Array.of(2, 0, 0, 118, 3, 3), new Uint8Array(32), new Uint8Array(84)])),
        record(0x14, Uint8Array.of(1)),
        record(0x17, new Uint8Array(1_500).fill(9))
      ])
      hmac(secret, random, answer).copy(answer, 11)
      // in pieces
      socket.write(answer.subarray(0, 700))
      socket.write(answer.subarray(700))
      write = (data) => {
        for (let i = 0; i < data.length; i += 1_000) socket.write(record(0x17, data.subarray(i, i + 1_000)))
      }
      return end
    })
  })
