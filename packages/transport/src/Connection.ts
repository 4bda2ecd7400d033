/**
 * One connection to a server: owns the socket, puts packets into frames and
 * takes them out again. It knows nothing about what is in a packet.
 *
 * A connection ends with its scope, or with the first `ConnectionError`; it is
 * not made again here.
 *
 * @since 1.0.0
 */
import type { Framing } from "@effect-mtproto/core/Framing"
import * as Framed from "@effect-mtproto/core/framing/Connection"
import { Intermediate } from "@effect-mtproto/core/framing/Intermediate"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type { Datacenter } from "./Datacenter.ts"

/**
 * Why a connection could not be made, or ended.
 *
 * - `open`: it could not be made.
 * - `closed`: the other side, or the network, ended it.
 * - `framing`: what came cannot be taken apart.
 * - `code`: the server sent a transport error such as -404 or -429.
 * - `silent`: nothing came any more.
 * - `refused`: what came cannot be trusted.
 *
 * @since 1.0.0
 * @category errors
 */
export class ConnectionError extends Schema.TaggedError<ConnectionError>()("ConnectionError", {
  reason: Schema.Literals(["open", "closed", "framing", "code", "silent", "refused"]),
  code: Schema.optionalKey(Schema.Int),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    switch (this.reason) {
      case "open":
        return "The connection could not be made"
      case "closed":
        return "The connection was closed"
      case "framing":
        return "The server sent something that is no MTProto"
      case "code":
        return `The server refused with the code ${this.code}`
      case "silent":
        return "The server is silent"
      case "refused":
        return "The server sent something that cannot be trusted"
    }
  }
}

/**
 * @since 1.0.0
 * @category models
 */
export interface Connection {
  readonly send: (packets: ReadonlyArray<Uint8Array>) => Effect.Effect<void, ConnectionError>
  /** The packets that came, at least one. Always ends with an error. */
  readonly receive: Effect.Effect<ReadonlyArray<Uint8Array>, ConnectionError>
}

/**
 * How bytes get to a server: a TCP socket of Node unless something else is
 * provided (a proxy, a WebSocket, a test).
 *
 * @since 1.0.0
 * @category references
 */
export const Dial: Context.Reference<
  (datacenter: Datacenter, openTimeout: Duration.Input) => Effect.Effect<Socket.Socket>
> = Context.Reference("@effect-mtproto/transport/Connection/Dial", {
  defaultValue: () => ({ host, port }: Datacenter, openTimeout: Duration.Input) =>
    NodeSocket.makeNet({ host, port, openTimeout, noDelay: true })
})

/**
 * @since 1.0.0
 * @category models
 */
export interface Options {
  readonly openTimeout: Duration.Input
  readonly framing?: Framing | undefined
  /** Hides the protocol from filters on the way; `dcId` is what the header names. */
  readonly obfuscation?: { readonly dcId: number } | undefined
}

/**
 * Connects to a server.
 *
 * @since 1.0.0
 * @category constructors
 */
export const open: (
  crypto: Crypto["Service"],
  datacenter: Datacenter,
  options: Options
) => Effect.Effect<Connection, ConnectionError, Scope.Scope> = Effect.fnUntraced(
  function*(crypto, datacenter, options) {
    const dial = yield* Dial
    const socket = yield* dial(datacenter, options.openTimeout)
    const pull = yield* Effect.mapError(
      Socket.readerBytes(socket),
      (cause) => new ConnectionError({ reason: "open", cause })
    )
    const writer = yield* socket.writer
    const stream = Framed.client({
      framing: options.framing ?? Intermediate,
      randomBytes: crypto.randomBytes,
      obfuscation: options.obfuscation && { aesCtr: crypto.aesCtr, dcId: options.obfuscation.dcId }
    })
    let first: Uint8Array | undefined = stream.first.length > 0 ? stream.first : undefined
    let ended: ConnectionError | undefined

    const read = (chunks: ReadonlyArray<Uint8Array>): Array<Uint8Array> => {
      const packets: Array<Uint8Array> = []
      for (const chunk of chunks) {
        for (const event of stream.push(chunk)) {
          if (event._tag === "Packet") packets.push(event.payload)
          else if (event._tag === "TransportError") {
            // 0 is sent by servers to keep a connection open
            if (event.code !== 0) ended ??= new ConnectionError({ reason: "code", code: event.code })
          } else if (event._tag === "Failed") {
            ended ??= new ConnectionError({ reason: "framing", cause: event.error })
          }
        }
      }
      return packets
    }

    const receive: Connection["receive"] = Effect.suspend(() => {
      if (ended !== undefined) return Effect.fail(ended)
      return Effect.matchEffect(pull, {
        onFailure: (cause) => Effect.fail(new ConnectionError({ reason: "closed", cause })),
        onSuccess: (chunks) => {
          const packets = read(chunks)
          return packets.length > 0 ? Effect.succeed(packets) : receive
        }
      })
    })

    return {
      receive,
      send: (packets) =>
        Effect.suspend(() => {
          const frames = packets.map((packet) => stream.packet(packet))
          if (first !== undefined) frames.unshift(first)
          first = undefined
          return frames.length === 0 ? Effect.void : Effect.mapError(
            writer.writeAll(frames as [Uint8Array, ...Array<Uint8Array>]),
            (cause) => new ConnectionError({ reason: "closed", cause })
          )
        })
    }
  }
)
