/**
 * The sockets. Owns every `net.Socket` of the server: bytes in, frames cut,
 * packets to the engine, answers out.
 *
 * Works on `node:net` itself: what a chunk of bytes holds is handled in the same
 * turn, without a fiber or a queue between the socket and the session. That is
 * also what bounds memory: a client that does not read is not read from, and
 * while a key exchange computes, its connection waits.
 */
import type { Event } from "@effect-mtproto/core/Framing"
import * as Connection from "@effect-mtproto/core/framing/Connection"
import * as Packet from "@effect-mtproto/crypto/Packet"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { concat } from "./bytes.ts"
import * as Engine from "./engine.ts"
import * as Http from "./http.ts"
import * as KeyExchange from "./keyExchange.ts"
import * as WebSocket from "./webSocket.ts"
import type { World } from "./world.ts"

export interface Options {
  readonly engine: Engine.Engine
  readonly exchanges: KeyExchange.KeyExchanges
  readonly host: string
  readonly port: number
  /** Runs a key exchange step and calls back with its result. */
  readonly run: (effect: Effect.Effect<KeyExchange.Reply>, done: (reply: KeyExchange.Reply) => void) => void
}

/** How long a client may take to notice that its connection is being closed, in milliseconds. */
const LINGER = 5000

/** The longest time that a client may ask a silent connection to be kept for, in seconds. */
const MAX_KEEP_ALIVE = 86_400

/**
 * Random bytes for the padding of frames, the length of which is drawn first, as one byte. The protocol allows up to 15,
 * but Telethon takes off no more than what a length is above a multiple of 4: so there are up to 3.
 */
const paddingOf = (world: World, length: number): Uint8Array => {
  if (length === 0) return new Uint8Array(0)
  const random = world.crypto.randomBytes(length)
  return length === 1 ? Uint8Array.of(random[0]! & 3) : random
}

/** A socket as a link of the engine. */
const accept = (options: Options, http: Http.Http, sockets: ReadonlySet<Socket>, socket: Socket): void => {
  const { engine } = options
  const { world } = engine
  world.counters.connectionsOpened++
  // connections that are only being closed count too
  if (sockets.size > world.limits.connections) {
    world.counters.connectionsClosed++
    socket.destroy()
    return
  }
  const framing = Connection.server({
    aesCtr: world.crypto.aesCtr,
    randomBytes: (length) => paddingOf(world, length),
    maxLength: world.limits.frameBytes
  })
  const wire = WebSocket.make(world.crypto, world.limits.frameBytes)
  let events: Array<Event> = []
  let isOpen = true
  let isBusy = false
  let cancelKeepAlive: (() => void) | undefined

  const write = (bytes: Uint8Array): void => {
    world.counters.framesSent++
    const wrapped = wire.wrap(bytes)
    world.counters.bytesSent += wrapped.length
    socket.write(wrapped)
  }
  const shut = (): void => {
    if (!isOpen) return
    isOpen = false
    events = []
    cancelKeepAlive?.()
    world.counters.connectionsClosed++
    Engine.detach(engine, link)
  }
  const link: Engine.Link = {
    dc: options.exchanges.dc,
    sessions: new Set(),
    isOpen: () => isOpen,
    isFull: () => socket.writableLength > world.limits.unreadBytes,
    send: (packets) => {
      const encoder = framing.encoder()
      if (!isOpen || encoder === undefined) return
      socket.cork()
      for (const packet of packets) write(encoder.packet(packet))
      socket.uncork()
    },
    quickAck: (token) => {
      // the full framing has no way to say it
      const encoder = framing.info()?.framing === "full" ? undefined : framing.encoder()
      if (isOpen && encoder !== undefined) write(encoder.quickAck(token))
    },
    transportError: (code) => {
      const encoder = framing.encoder()
      if (isOpen && encoder !== undefined) write(encoder.transportError(code))
    },
    close: () => {
      if (!isOpen) return
      shut()
      // read on: closing with unread bytes would reset the connection, and what was sent would be lost
      socket.end()
      socket.resume()
      socket.once("close", engine.runtime.after(LINGER, () => socket.destroy()))
    },
    destroy: () => {
      shut()
      socket.destroy()
    },
    keepAlive: (seconds) => {
      cancelKeepAlive?.()
      const millis = Math.min(Math.max(seconds, 1), MAX_KEEP_ALIVE) * 1000
      cancelKeepAlive = engine.runtime.after(millis, link.destroy)
    }
  }

  const answerPlain = (packet: Uint8Array): void => {
    const opened = Packet.openPlain(packet)
    if (Result.isFailure(opened)) {
      world.counters.framesRefused++
      link.destroy()
      return
    }
    isBusy = true
    socket.pause()
    options.run(KeyExchange.handle(world, options.exchanges, opened.success.body), (reply) => {
      isBusy = false
      if (!isOpen) return
      if (reply._tag === "Answer") {
        link.send([KeyExchange.seal(world, reply.body)])
      } else if (reply._tag === "Refuse") {
        world.counters.framesRefused++
        link.transportError(reply.code)
        link.close()
      }
      work()
    })
  }
  const take = (event: Event): void => {
    if (event._tag !== "Packet") {
      world.counters.framesRefused++
      link.destroy()
      return
    }
    const isPlain = Engine.isPlain(event.payload)
    if (isPlain === true) answerPlain(event.payload)
    else if (isPlain === false) Engine.receive(engine, link, event.payload, event.quickAck)
    else {
      world.counters.framesRefused++
      link.destroy()
    }
  }
  /** Whether another packet may be taken: not while a key exchange computes, nor while answers are not read. */
  const isReady = (): boolean => isOpen && !isBusy && !link.isFull() && !Engine.isPostponing(engine, link)
  const work = (): void => {
    do {
      Engine.performPostponed(engine, link)
      const pending = events
      events = []
      let next = 0
      while (isReady() && next < pending.length) take(pending[next++]!)
      if (isOpen) events = pending.slice(next)
      Engine.settle(engine)
      // writing may have made room at once: then no event will say so
    } while (isOpen && !link.isFull() && (Engine.isPostponing(engine, link) || (isReady() && events.length > 0)))
    if (isReady()) socket.resume()
    else if (isOpen) socket.pause()
  }

  engine.links.add(link)
  socket.setNoDelay(true)
  /** What came before it was clear who speaks; `undefined` afterwards. */
  let start: Uint8Array | undefined = new Uint8Array(0)
  /** Whether these bytes belong to HTTP, which has the connection then. */
  const isForHttp = (chunk: Uint8Array): boolean => {
    start = concat([start!, chunk])
    const isHttp = Http.isHttp(start)
    if (isHttp === false) return false
    if (isHttp === true) {
      isOpen = false
      engine.links.delete(link)
      socket.removeListener("data", onData).removeListener("drain", onDrain).removeListener("end", link.destroy)
        .removeListener("close", shut)
      http.accept(socket, start, () => world.counters.connectionsClosed++)
    }
    return true
  }
  const onData = (chunk: Buffer): void => {
    if (!isOpen) return
    let bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)
    if (start !== undefined) {
      if (isForHttp(bytes)) return
      bytes = start
      start = undefined
    }
    world.counters.bytesReceived += bytes.length
    // a plain view: `slice` of a Buffer does not copy
    try {
      receive(bytes)
    } catch (error) {
      // a mistake of ours: it costs this client its connection, and nobody else anything
      engine.runtime.report(error)
      link.destroy()
    }
  }
  const receive = (bytes: Uint8Array): void => {
    const { data, end, reply } = wire.push(bytes)
    if (reply !== undefined) socket.write(reply)
    for (const bytes of data) for (const event of framing.push(bytes)) events.push(event)
    work()
    if (end) link.close()
  }
  const onDrain = (): void => {
    if (!isOpen) return
    Engine.resume(engine, link)
    work()
  }
  socket.on("data", onData)
  socket.on("drain", onDrain)
  socket.on("end", link.destroy)
  socket.on("error", link.destroy)
  socket.on("close", shut)
}

/** Listens until the scope closes; then every connection is broken off. */
export const listen = (options: Options): Effect.Effect<AddressInfo, Error, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(open(options), close),
    ({ server }) => server.address() as AddressInfo
  )

interface Listening {
  readonly server: Server
  readonly sockets: ReadonlySet<Socket>
}

const open = (options: Options): Effect.Effect<Listening, Error> =>
  Effect.callback((resume) => {
    const sockets = new Set<Socket>()
    const http = Http.make(options)
    const server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
      accept(options, http, sockets, socket)
    })
    server.once("error", (error) => resume(Effect.fail(error)))
    server.listen({ host: options.host, port: options.port }, () => resume(Effect.succeed({ server, sockets })))
  })

const close = ({ server, sockets }: Listening): Effect.Effect<void> =>
  Effect.callback((resume) => {
    for (const socket of sockets) socket.destroy()
    server.close(() => resume(Effect.void))
  })
