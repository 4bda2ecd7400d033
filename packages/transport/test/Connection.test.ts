import * as Framed from "@effect-mtproto/core/framing/Connection"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Connection from "../src/Connection.ts"

/** A connection, and the server's end of it, without a network. */
const make = (options: Partial<Connection.Options> = {}) =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const server = Framed.server({ aesCtr: crypto.aesCtr, randomBytes: crypto.randomBytes })
    const received: Array<Uint8Array> = []
    const incoming: Array<Uint8Array> = []
    const socket = Socket.make({
      reader: Effect.succeed({
        pull: Effect.suspend(() => {
          const chunks = incoming.splice(0)
          return chunks.length > 0
            ? Effect.succeed(chunks as [Uint8Array, ...Array<Uint8Array>])
            : Effect.fail(new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1000 }) }))
        }),
        upgrade: () => Effect.void
      }),
      writer: Effect.succeed({
        write: () => Effect.void,
        writeAll: (chunks) =>
          Effect.sync(() => {
            for (const chunk of chunks) {
              for (const event of server.push(chunk as Uint8Array)) {
                if (event._tag === "Packet") received.push(event.payload)
              }
            }
          })
      })
    })
    const connection = yield* Connection.open(
      crypto,
      { id: 2, host: "nowhere", port: 1 },
      { openTimeout: "1 second", ...options }
    ).pipe(Effect.provideService(Connection.Dial, () => Effect.succeed(socket)))
    return { connection, server, received, incoming }
  })

const bytes = (n: number, length = 32) => new Uint8Array(length).fill(n)

const check = <A, E>(title: string, run: Effect.Effect<A, E, Crypto | Scope.Scope>) =>
  it.effect(title, () => run.pipe(Effect.scoped, Effect.provide(TestCrypto.layer({ seed: title }))))

describe("Connection", () => {
  for (const obfuscation of [undefined, { dcId: 2 }]) {
    const kind = obfuscation === undefined ? "plain" : "obfuscated"

    check(
      `${kind}: packets go both ways, however they are cut`,
      Effect.gen(function*() {
        const { connection, incoming, received, server } = yield* make({ obfuscation })
        yield* connection.send([bytes(1)])
        yield* connection.send([bytes(2), bytes(3)])
        assert.deepStrictEqual(received, [bytes(1), bytes(2), bytes(3)])
        assert.deepStrictEqual(server.info()!, {
          framing: "intermediate",
          obfuscated: obfuscation !== undefined,
          dcId: obfuscation?.dcId
        })
        const encoder = server.encoder()!
        const stream = [bytes(4), bytes(5, 64), bytes(6)].flatMap((packet) => [...encoder.packet(packet)])
        for (const byte of stream) incoming.push(Uint8Array.of(byte))
        assert.deepStrictEqual(yield* connection.receive, [bytes(4), bytes(5, 64), bytes(6)])
      })
    )

    check(
      `${kind}: a transport error ends it, after what came before`,
      Effect.gen(function*() {
        const { connection, incoming, server } = yield* make({ obfuscation })
        yield* connection.send([bytes(1)])
        const encoder = server.encoder()!
        incoming.push(encoder.packet(bytes(2)), encoder.transportError(-404))
        assert.deepStrictEqual(yield* connection.receive, [bytes(2)])
        const error = new Connection.ConnectionError({ reason: "code", code: -404 })
        assert.deepStrictEqual(yield* Effect.flip(connection.receive), error)
        assert.deepStrictEqual(yield* Effect.flip(connection.receive), error)
      })
    )
  }

  check(
    "a frame that is too long ends it",
    Effect.gen(function*() {
      const { connection, incoming } = yield* make()
      incoming.push(Uint8Array.of(0, 0, 0, 0x7f))
      assert.deepInclude(yield* Effect.flip(connection.receive), { _tag: "ConnectionError", reason: "framing" })
    })
  )

  check(
    "the end of the stream is an error",
    Effect.gen(function*() {
      const { connection } = yield* make()
      assert.deepInclude(yield* Effect.flip(connection.receive), { _tag: "ConnectionError", reason: "closed" })
    })
  )

  check(
    "a quick acknowledgement is no packet",
    Effect.gen(function*() {
      const { connection, incoming, server } = yield* make()
      yield* connection.send([bytes(1)])
      const encoder = server.encoder()!
      incoming.push(encoder.quickAck(5), encoder.packet(bytes(2)))
      assert.deepStrictEqual(yield* connection.receive, [bytes(2)])
    })
  )
})
