import * as Framed from "@effect-mtproto/core/framing/Connection"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Socket from "effect/socket/Socket"
import * as Net from "node:net"
import * as Connection from "../src/Connection.ts"
import * as Tcp from "../src/internal/tcp.ts"

/** A server that does something with each connection. */
const listen = (onConnection: (socket: Net.Socket) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: Net.Server; readonly port: number }>((resume) => {
      const server = Net.createServer(onConnection)
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({ server, port: (server.address() as Net.AddressInfo).port })))
    }),
    ({ server }) =>
      Effect.callback<void>((resume) =>
        void server.close(() => resume(Effect.void))
      )
  )

const connect = (port: number) => Tcp.make({ host: "127.0.0.1", port, openTimeout: "10 seconds" })

const SIZE = 3 * 1024 * 1024 + 17
const content = Uint8Array.from({ length: SIZE }, (_, i) => i * 31 + (i >> 9))

describe("tcp", () => {
  it.live("what was written may be overwritten as soon as writing has ended", () =>
    Effect.gen(function*() {
      // sends everything back, and reads no faster than that is taken
      const { port } = yield* listen((socket) => socket.pipe(socket))
      const socket = connect(port)
      assert.isTrue(Tcp.owns(socket))
      const { pull } = yield* socket.reader
      const writer = yield* socket.writer
      const received = yield* Effect.forkChild(Effect.gen(function*() {
        const out: Array<number> = []
        while (out.length < SIZE) {
          for (const chunk of yield* pull) for (const byte of chunk as Uint8Array) out.push(byte)
          // the next read must not touch what was pulled before
          yield* Effect.yieldNow
        }
        return Uint8Array.from(out)
      }))
      for (let at = 0; at < SIZE; at += 500_000) {
        const part = content.slice(at, at + 500_000)
        yield* writer.writeAll([part.subarray(0, 4), part.subarray(4)])
        part.fill(0)
      }
      assert.isTrue(Buffer.from(yield* Fiber.join(received)).equals(content))
    }).pipe(Effect.scoped))

  it.live("nobody pulls: nothing more is read than once", () =>
    Effect.gen(function*() {
      let taken = 0
      const { port } = yield* listen((socket) => {
        const push = () => {
          while (taken < 200 && socket.write(new Uint8Array(1_000_000))) taken++
        }
        socket.on("drain", push)
        socket.on("error", () => {})
        push()
      })
      const { pull } = yield* connect(port).reader
      const [first] = yield* pull
      const before = taken
      for (let i = 0; i < 100; i++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      // buffers of the system hold a few megabytes at most
      assert.isBelow(taken, 200)
      assert.isAtLeast(taken, before)
      assert.isAtMost(first.length, 131_072)
    }).pipe(Effect.scoped))

  it.live("what came before the end is delivered, then how it ended", () =>
    Effect.gen(function*() {
      const { port } = yield* listen((socket) => socket.end("last words"))
      const { pull } = yield* connect(port).reader
      const words = yield* pull
      assert.strictEqual(new TextDecoder().decode(words[0] as Uint8Array), "last words")
      for (let i = 0; i < 2; i++) {
        const { reason } = yield* Effect.flip(pull)
        assert.deepStrictEqual([reason._tag, (reason as Socket.SocketCloseError).code], ["SocketCloseError", 1000])
      }
    }).pipe(Effect.scoped))

  it.live("a door that is closed, and a socket that was never opened", () =>
    Effect.gen(function*() {
      const { port } = yield* Effect.scoped(listen(() => {}))
      const socket = connect(port)
      assert.strictEqual((yield* Effect.flip(socket.reader)).reason._tag, "SocketOpenError")
      const writer = yield* socket.writer
      assert.strictEqual((yield* Effect.flip(writer.write("x"))).reason._tag, "SocketWriteError")
    }).pipe(Effect.scoped))

  it.live("a pull ends with the scope", () =>
    Effect.gen(function*() {
      const { port } = yield* listen((socket) => socket.on("error", () => {}))
      const waiting = yield* Effect.scoped(Effect.gen(function*() {
        const { pull } = yield* connect(port).reader
        return yield* Effect.forkDetach(Effect.flip(pull), { startImmediately: true })
      }))
      assert.strictEqual((yield* Fiber.join(waiting)).reason._tag, "SocketCloseError")
    }).pipe(Effect.scoped))

  it.live("a connection says how writing goes on, and that bytes come which are no packet yet", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const server = Framed.server({ aesCtr: crypto.aesCtr, randomBytes: crypto.randomBytes })
      const { port } = yield* listen((socket) => {
        socket.on("data", (chunk) => {
          for (const event of server.push(chunk)) {
            if (event._tag === "Packet") socket.write(server.encoder()!.packet(event.payload))
          }
        })
        socket.on("error", () => {})
      })
      let steps = 0
      let stirred = 0
      const connection = yield* Connection.open(crypto, { id: 2, host: "127.0.0.1", port }, {
        openTimeout: "10 seconds",
        obfuscation: { dcId: 2 },
        onBytes: () => {
          stirred++
        }
      })
      for (const length of [64, 700_000, 16_000, 131_072 + 64]) {
        const packet = content.slice(0, length)
        yield* connection.send([packet], () => {
          steps++
        })
        const [answer] = yield* connection.receive
        assert.isTrue(Buffer.from(answer!).equals(packet))
        connection.done([answer!])
      }
      // 700,000 bytes in 6 steps, 131,140 in 2
      assert.strictEqual(steps, 8)
      assert.isAtLeast(stirred, 5)
    }).pipe(Effect.scoped, Effect.provide(TestCrypto.layer({ seed: "tcp" }))))
})
