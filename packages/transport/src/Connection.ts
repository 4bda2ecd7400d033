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
import { PaddedIntermediate } from "@effect-mtproto/core/framing/PaddedIntermediate"
import { release } from "@effect-mtproto/core/Memory"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type { Datacenter } from "./Datacenter.ts"
import * as Bytes from "./internal/bytes.ts"
import * as FakeTls from "./internal/fakeTls.ts"
import * as Tcp from "./internal/tcp.ts"
import * as Tunnel from "./internal/tunnel.ts"
import * as WebSocket from "./internal/webSocket.ts"
import type * as Proxy from "./Proxy.ts"

/**
 * Why a connection could not be made, or ended.
 *
 * - `open`: it could not be made.
 * - `closed`: the other side, or the network, ended it.
 * - `framing`: what came cannot be taken apart.
 * - `code`: the server sent a transport error such as -404 or -429.
 * - `silent`: nothing came any more.
 * - `refused`: what came cannot be trusted.
 * - `proxy`: the proxy refused, for the reason in `detail`.
 *
 * @since 1.0.0
 * @category errors
 */
export class ConnectionError extends Schema.TaggedError<ConnectionError>()("ConnectionError", {
  reason: Schema.Literals(["open", "closed", "framing", "code", "silent", "refused", "proxy"]),
  detail: Schema.optionalKey(Schema.String),
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
      case "proxy":
        return `The proxy refused: ${this.detail}`
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
  /** `onProgress` is called while a lot is being written, so that a slow network can be told from a dead one. */
  readonly send: (
    packets: ReadonlyArray<Uint8Array>,
    onProgress?: (() => void) | undefined
  ) => Effect.Effect<void, ConnectionError>
  /** The packets that came, at least one. Always ends with an error. */
  readonly receive: Effect.Effect<ReadonlyArray<Uint8Array>, ConnectionError>
  /** Nobody reads these packets any more, nor any views of them. */
  readonly done: (packets: ReadonlyArray<Uint8Array>) => void
}

/**
 * How bytes get to a server: a TCP socket, or where there is none, as in a browser, a WebSocket of Telegram's; unless
 * something else is provided.
 *
 * @since 1.0.0
 * @category references
 */
export const Dial: Context.Reference<
  (datacenter: Datacenter, openTimeout: Duration.Input) => Effect.Effect<Socket.Socket>
> = Context.Reference("@effect-mtproto/transport/Connection/Dial", {
  defaultValue: () => (datacenter: Datacenter, openTimeout: Duration.Input) => {
    if (!Tcp.isAvailable) return WebSocket.make(WebSocket.urlOf(datacenter, WebSocket.isTest(datacenter)), openTimeout)
    const { host, port } = datacenter
    return Effect.sync(() => Tcp.make({ host, port, openTimeout }))
  }
})

/**
 * @since 1.0.0
 * @category models
 */
export interface Options {
  readonly openTimeout: Duration.Input
  readonly framing?: Framing | undefined
  /** What stands between. The framing of an MTProto proxy follows from its secret. */
  readonly proxy?: Proxy.Proxy | undefined
  /** Hides the protocol from filters on the way; `dcId` is what the header names. */
  readonly obfuscation?: { readonly dcId: number } | undefined
  /** Called when something came that does not make a packet yet. */
  readonly onBytes?: (() => void) | undefined
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
    const { proxy } = options
    const peer = proxy === undefined ? datacenter : { id: datacenter.id, host: proxy.host, port: proxy.port }
    const socket = yield* dial(peer, options.openTimeout)
    const pull = yield* Effect.mapError(
      Socket.readerBytes(socket),
      (cause) => new ConnectionError({ reason: "open", cause })
    )
    const writer = yield* socket.writer
    const tunnel = yield* makeTunnel(crypto, datacenter, proxy)
    const rest = tunnel === undefined ? undefined : yield* Effect.timeoutOrElse(establish(tunnel, pull, writer), {
      duration: options.openTimeout,
      orElse: () => Effect.fail(new ConnectionError({ reason: "proxy", detail: "it does not answer" }))
    })
    const mtproto = proxy?._tag === "Mtproto" ? proxy : undefined
    const stream = Framed.client({
      framing: mtproto?.padded === true ? PaddedIntermediate : options.framing ?? Intermediate,
      randomBytes: crypto.randomBytes,
      obfuscation: options.obfuscation && {
        aesCtr: crypto.aesCtr,
        dcId: options.obfuscation.dcId,
        proxy: mtproto && { secret: Redacted.value(mtproto.secret), sha256: crypto.sha256 }
      }
    })
    let first: Uint8Array | undefined = stream.first.length > 0 ? stream.first : undefined
    let ended: ConnectionError | undefined
    // what was cut out of the stream or put into it is ours alone
    const isPlainTcp = Tcp.owns(socket) && tunnel === undefined

    const read = (chunks: ReadonlyArray<Uint8Array>): Array<Uint8Array> => {
      const packets: Array<Uint8Array> = []
      for (const chunk of tunnel?.unwrap === undefined ? chunks : unwrap(chunks)) {
        const events = stream.push(chunk)
        if (isPlainTcp && options.obfuscation !== undefined) release(chunk)
        for (const event of events) {
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

    const unwrap = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> =>
      chunks.flatMap((chunk) => {
        const parts = tunnel!.unwrap!(chunk)
        if (parts === undefined) ended ??= new ConnectionError({ reason: "framing" })
        return parts ?? []
      })
    // what came together with the proxy's last word
    let early = rest === undefined || rest.length === 0 ? [] : read([rest])

    const receive: Connection["receive"] = Effect.suspend(() => {
      if (early.length > 0) {
        const packets = early
        early = []
        return Effect.succeed(packets)
      }
      if (ended !== undefined) return Effect.fail(ended)
      return Effect.matchEffect(pull, {
        onFailure: (cause) => Effect.fail(new ConnectionError({ reason: "closed", cause })),
        onSuccess: (chunks) => {
          const packets = read(chunks)
          if (packets.length > 0) return Effect.succeed(packets)
          options.onBytes?.()
          return receive
        }
      })
    })

    return {
      receive,
      done: (packets) => {
        if (!isPlainTcp) return
        for (const { buffer } of packets) if (buffer.byteLength > 0) release(new Uint8Array(buffer))
      },
      send: (packets, onProgress) =>
        Effect.suspend(() => {
          const plain = packets.map((packet) => stream.packet(packet))
          if (first !== undefined) plain.unshift(first)
          first = undefined
          const frames = tunnel?.wrap === undefined ? plain : plain.map(tunnel.wrap)
          if (frames.length === 0) return Effect.void
          const written = Tcp.owns(socket)
            ? inSteps(writer, frames, onProgress)
            : writer.writeAll(frames as unknown as Frames)
          return Effect.matchEffect(written, {
            onFailure: (cause) => Effect.fail(new ConnectionError({ reason: "closed", cause })),
            onSuccess: () => {
              if (isPlainTcp) { for (const frame of frames) release(frame) }
              return Effect.void
            }
          })
        })
    }
  }
)

type Frames = readonly [Uint8Array, ...Array<Uint8Array>]

/** What is handed to the system at once, at most. */
const STEP = 131_072

const inSteps = (
  writer: Socket.Writer,
  frames: ReadonlyArray<Uint8Array>,
  onProgress: (() => void) | undefined
): Effect.Effect<void, Socket.SocketError> => {
  let size = 0
  for (const frame of frames) size += frame.length
  if (size <= STEP) return writer.writeAll(frames as unknown as Frames)
  // all alike: the end of a small last one would not be waited for
  const steps = cut(frames, Math.ceil(size / Math.ceil(size / STEP)))
  return Effect.forEach(
    steps,
    (step) => Effect.map(writer.writeAll(step as unknown as Frames), () => onProgress?.()),
    { discard: true }
  )
}

/** Divides arrays into groups of at most so many bytes. */
const cut = (arrays: ReadonlyArray<Uint8Array>, most: number): ReadonlyArray<ReadonlyArray<Uint8Array>> => {
  const groups: Array<Array<Uint8Array>> = []
  let room = 0
  for (const array of arrays) {
    for (let at = 0; at < array.length;) {
      if (room === 0) {
        groups.push([])
        room = most
      }
      const some = array.subarray(at, at + room)
      groups.at(-1)!.push(some)
      at += some.length
      room -= some.length
    }
  }
  return groups
}

// ----- proxies

const makeTunnel = Effect.fnUntraced(
  function*(crypto: Crypto["Service"], target: Tunnel.Target, proxy: Proxy.Proxy | undefined) {
    switch (proxy?._tag) {
      case undefined:
        return undefined
      case "Socks5":
        return Tunnel.socks5(target, credentialsOf(proxy))
      case "Http":
        return Tunnel.http(target, credentialsOf(proxy))
      case "Mtproto": {
        const { domain, secret } = proxy
        if (domain === undefined) return undefined
        const time = Math.floor((yield* Clock.currentTimeMillis) / 1_000)
        const tunnel = FakeTls.make(crypto, { secret: Redacted.value(secret), domain, time })
        if (tunnel !== undefined) return tunnel
        return yield* new ConnectionError({ reason: "proxy", detail: "its domain is too long" })
      }
    }
  }
)

const credentialsOf = ({ password, username }: Proxy.Socks5 | Proxy.Http): Tunnel.Credentials | undefined =>
  username === undefined
    ? undefined
    : { username, password: password === undefined ? "" : Redacted.value(password) }

/** Talks to the proxy until the way is free; answers with what came too early. */
const establish = Effect.fnUntraced(function*(
  tunnel: Tunnel.Tunnel,
  pull: Effect.Effect<ReadonlyArray<Uint8Array>, Socket.SocketError>,
  writer: Socket.Writer
) {
  const closed = (cause: Socket.SocketError) => new ConnectionError({ reason: "closed", cause })
  yield* Effect.mapError(writer.write(tunnel.first), closed)
  const early: Array<Uint8Array> = []
  let isOpen = false
  while (!isOpen) {
    for (const chunk of yield* Effect.mapError(pull, closed)) {
      if (isOpen) {
        early.push(chunk)
        continue
      }
      const step = tunnel.push(chunk)
      if (step._tag === "Failed") return yield* new ConnectionError({ reason: "proxy", detail: step.detail })
      if (step._tag === "Open") {
        isOpen = true
        early.push(step.rest)
      } else if (step.send !== undefined) {
        yield* Effect.mapError(writer.write(step.send), closed)
      }
    }
  }
  return Bytes.concat(...early)
})
