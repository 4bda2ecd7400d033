/**
 * MTProto over HTTP on the port of everything else (core.telegram.org/mtproto/transports#http): every request brings
 * one packet, and its answer takes one back. Node's own parser reads the requests; this module decides which answer
 * takes what.
 *
 * A session is spoken to over all the requests that it has under way, from any number of connections: to the engine they
 * are one {@link Engine.Link}. What there is to say goes to a request that does not ask for a long wait, if there is
 * one; `http_wait` says for how long the others are held.
 *
 * Bounded: a connection has one request under way, and little time to send it; a body is at most as long as a frame;
 * what a session has to say waits in the session, which has its own limits, until a request comes for it.
 */
import * as Packet from "@effect-mtproto/crypto/Packet"
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import * as Engine from "./engine.ts"
import * as KeyExchange from "./keyExchange.ts"
import type { AuthKey } from "./model.ts"
import * as Session from "./session.ts"

export interface Options {
  readonly engine: Engine.Engine
  readonly exchanges: KeyExchange.KeyExchanges
  readonly run: (effect: Effect.Effect<KeyExchange.Reply>, done: (reply: KeyExchange.Reply) => void) => void
}

/** How long a request is held that asks for nothing else, and the longest time that it may ask for, in milliseconds. */
const DEFAULT_WAIT = 25_000
const MAX_WAIT = 60_000

/** How long a connection may take to bring its next request, and a session to send another one, in milliseconds. */
const REQUEST_TIME = 60_000
const SESSION_TIME = 60_000

const PATH = /^(?:http:\/\/[^/]*)?\/api(?:w|w1|w_test|w_test1)?$/i
const METHODS = ["POST", "OPTIONS", "HEAD", "PUT"].map((method) =>
  Uint8Array.from(method.slice(0, 4), (c) => c.charCodeAt(0))
)
const NOTHING = new Uint8Array(0)

/** Whether a connection that begins so speaks HTTP; `undefined` if that cannot be said yet. `GET` belongs to WebSockets. */
export const isHttp = (start: Uint8Array): boolean | undefined => {
  const candidates = METHODS.filter((method) => method.every((byte, i) => i >= start.length || start[i] === byte))
  return candidates.length === 0 ? false : start.length >= 4 ? true : undefined
}

/** A request that is to be answered with a packet. */
interface Exchange {
  readonly response: ServerResponse
  /** The queries that it brought. */
  queries: ReadonlyArray<bigint>
  /** How long its answer may gather what there is to say; `undefined` if it did not ask to be held. */
  gather: { readonly maxDelay: number; readonly waitAfter: number } | undefined
  cancel: () => void
}

/** A session as HTTP has it. */
interface Conversation {
  readonly link: Engine.Link
  readonly enter: (exchange: Exchange) => void
  readonly leave: () => void
}

export interface Http {
  /** Takes over a connection of which these bytes were read. */
  readonly accept: (socket: Socket, start: Uint8Array, closed: () => void) => void
}

const end = (response: ServerResponse, status: number, body: Uint8Array = NOTHING): void => {
  response.writeHead(status, { "Content-Type": "application/octet-stream", "Content-Length": body.length })
  response.end(body)
}

export const make = (options: Options): Http => {
  const { engine } = options
  const { world } = engine
  const { after } = engine.runtime
  const conversations = new WeakMap<AuthKey, Map<bigint, Conversation>>()

  const conversationOf = (key: AuthKey, id: bigint): Conversation => {
    const ofKey = conversations.get(key) ?? new Map<bigint, Conversation>()
    conversations.set(key, ofKey)
    const known = ofKey.get(id)
    if (known !== undefined) return known
    const made = converse(() => ofKey.delete(id))
    ofKey.set(id, made)
    return made
  }

  const converse = (forget: () => void): Conversation => {
    const waiting: Array<Exchange> = []
    let outbox: Array<Uint8Array> = []
    let outboxBytes = 0
    let isOpen = true
    let isTaking = false
    /** When there was something to say for the first time, while it is being gathered. */
    let gatheringSince: number | undefined
    let isGathered = false
    let cancelGathering: (() => void) | undefined
    let cancelIdle: (() => void) | undefined

    const shut = (): void => {
      if (!isOpen) return
      isOpen = false
      outbox = []
      cancelGathering?.()
      cancelIdle?.()
      forget()
      Engine.detach(engine, link)
    }
    const remove = (exchange: Exchange): void => {
      exchange.cancel()
      const at = waiting.indexOf(exchange)
      if (at !== -1) waiting.splice(at, 1)
      if (!isOpen || waiting.length > 0) return
      cancelIdle?.()
      cancelIdle = after(SESSION_TIME, shut)
    }
    const answer = (exchange: Exchange, packet: Uint8Array): void => {
      remove(exchange)
      if (packet.length > 0) world.counters.framesSent++
      world.counters.bytesSent += packet.length
      end(exchange.response, 200, packet)
    }
    const isRunning = (exchange: Exchange): boolean => {
      for (const { received } of link.sessions) {
        if (exchange.queries.some((id) => received.get(id)?.state === "running")) return true
      }
      return false
    }
    const pump = (): void => {
      if (isTaking) return
      while (outbox.length > 0 && waiting.length > 0) {
        const packet = outbox.shift()!
        outboxBytes -= packet.length
        answer(waiting.find(({ gather }) => gather === undefined) ?? waiting[0]!, packet)
      }
      for (const exchange of waiting.filter(({ gather }) => gather === undefined)) {
        if (!isRunning(exchange)) answer(exchange, NOTHING)
      }
    }
    const link: Engine.Link = {
      dc: options.exchanges.dc,
      sessions: new Set(),
      isOpen: () => isOpen,
      isFull: () => isTaking ? outboxBytes > world.limits.unreadBytes : waiting.length === 0 || outbox.length > 0,
      send: (packets) => {
        if (!isOpen) return
        for (const packet of packets) {
          outbox.push(packet)
          outboxBytes += packet.length
        }
        pump()
      },
      quickAck: () => undefined,
      transportError: (code) => {
        for (const exchange of waiting.splice(0)) {
          remove(exchange)
          end(exchange.response, -code)
        }
      },
      close: () => {
        isTaking = false
        pump()
        for (const exchange of waiting.splice(0)) answer(exchange, NOTHING)
        shut()
      },
      destroy: () => {
        for (const exchange of waiting.splice(0)) {
          remove(exchange)
          exchange.response.destroy()
        }
        shut()
      },
      keepAlive: () => undefined,
      holds: () => {
        const gather = waiting.at(-1)?.gather
        if (gather === undefined || isGathered || waiting.some((exchange) => exchange.gather === undefined)) {
          return false
        }
        const now = world.clock()
        gatheringSince ??= now
        const due = Math.min(gatheringSince + gather.maxDelay, now + gather.waitAfter)
        cancelGathering?.()
        if (due <= now) {
          gatheringSince = undefined
          return false
        }
        cancelGathering = after(due - now, () => {
          gatheringSince = undefined
          isGathered = true
          Engine.resume(engine, link)
          Engine.settle(engine)
          isGathered = false
        })
        return true
      },
      wait: ({ maxDelay, maxWait, waitAfter }) => {
        const exchange = waiting.at(-1)
        if (exchange === undefined) return
        exchange.gather = { maxDelay: Math.min(maxDelay, MAX_WAIT), waitAfter }
        hold(exchange, maxWait)
      }
    }
    const hold = (exchange: Exchange, millis: number): void => {
      exchange.cancel()
      exchange.cancel = after(Math.min(Math.max(millis, 0), MAX_WAIT), () => answer(exchange, NOTHING))
    }
    engine.links.add(link)
    return {
      link,
      enter: (exchange) => {
        cancelIdle?.()
        isTaking = true
        waiting.push(exchange)
        hold(exchange, DEFAULT_WAIT)
        exchange.response.once("close", () => {
          const isLost = exchange.response.headersSent && !exchange.response.writableFinished
          if (waiting.includes(exchange)) remove(exchange)
          // an answer that was cut off: what was in it is said again
          if (isLost && isOpen) { for (const session of link.sessions) Session.attach(session) }
        })
        Engine.performPostponed(engine, link)
      },
      leave: () => {
        isTaking = false
        pump()
      }
    }
  }

  const takePacket = (response: ServerResponse, packet: Uint8Array): void => {
    const refuse = (status: number): void => {
      world.counters.framesRefused++
      end(response, status)
    }
    const isPlain = Engine.isPlain(packet)
    if (isPlain === undefined) return refuse(400)
    if (isPlain) {
      const opened = Packet.openPlain(packet)
      if (Result.isFailure(opened)) return refuse(400)
      options.run(KeyExchange.handle(world, options.exchanges, opened.success.body), (reply) => {
        if (response.destroyed) return
        if (reply._tag === "Answer") end(response, 200, KeyExchange.seal(world, reply.body))
        else if (reply._tag === "Refuse") refuse(-reply.code)
        else end(response, 200)
      })
      return
    }
    let conversation: Conversation | undefined
    const exchange: Exchange = { response, queries: [], gather: undefined, cancel: () => undefined }
    // until it is known whose packet this is, it can only be refused
    const stranger: Engine.Link = {
      dc: options.exchanges.dc,
      sessions: new Set(),
      isOpen: () => !response.writableEnded,
      isFull: () => false,
      send: () => undefined,
      quickAck: () => undefined,
      transportError: (code) => end(response, -code),
      close: () => undefined,
      destroy: () => response.destroy(),
      keepAlive: () => undefined,
      route: (key, id) => {
        conversation = conversationOf(key, id)
        conversation.enter(exchange)
        return conversation.link
      }
    }
    exchange.queries = Engine.receive(engine, stranger, packet, false)
    Engine.settle(engine)
    conversation?.leave()
    Engine.settle(engine)
  }

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    response.setHeader("Access-Control-Allow-Origin", "*")
    if (!PATH.test(request.url ?? "")) return refuse(request, response, 404)
    if (request.method === "OPTIONS") {
      response.setHeader("Access-Control-Allow-Methods", "POST, OPTIONS")
      response.setHeader("Access-Control-Allow-Headers", request.headers["access-control-request-headers"] ?? "*")
      response.setHeader("Access-Control-Max-Age", "86400")
      response.writeHead(204).end()
      return
    }
    if (request.method !== "POST") return refuse(request, response, 405)
    if (Number(request.headers["content-length"] ?? 0) > world.limits.frameBytes) return refuse(request, response, 413)
    const chunks: Array<Uint8Array> = []
    let length = 0
    request.on("data", (chunk: Buffer) => {
      length += chunk.length
      world.counters.bytesReceived += chunk.length
      if (length <= world.limits.frameBytes) chunks.push(chunk)
      else if (!response.headersSent) refuse(request, response, 413)
    })
    request.on("end", () => {
      if (response.headersSent) return
      try {
        takePacket(response, new Uint8Array(Buffer.concat(chunks)))
      } catch (error) {
        // a mistake of ours: it costs this client its connection, and nobody else anything
        engine.runtime.report(error)
        response.destroy()
      }
    })
  }

  /** Refuses a request and its connection: what is left of the body is not read. */
  const refuse = (request: IncomingMessage, response: ServerResponse, status: number): void => {
    world.counters.framesRefused++
    response.setHeader("Connection", "close")
    end(response, status)
    response.once("finish", () => request.socket.destroySoon())
  }

  const underWay = new WeakSet<Socket>()
  const timers = new WeakMap<Socket, () => void>()
  const expectRequest = (socket: Socket): void => {
    timers.get(socket)?.()
    timers.set(socket, after(REQUEST_TIME, () => socket.destroy()))
  }
  const server = createServer({ maxHeaderSize: 8192, keepAliveTimeout: 0 }, (request, response) => {
    const { socket } = request
    // no client of MTProto sends a request before the last one is answered
    if (underWay.has(socket)) {
      socket.destroy()
      return
    }
    underWay.add(socket)
    request.once("end", () => timers.get(socket)?.())
    request.once("error", () => socket.destroy())
    response.once("close", () => {
      underWay.delete(socket)
      if (!socket.destroyed) expectRequest(socket)
    })
    handle(request, response)
  })
  server.on("clientError", (_error, socket) => socket.destroy())

  return {
    accept: (socket, start, closed) => {
      socket.once("close", () => {
        timers.get(socket)?.()
        closed()
      })
      expectRequest(socket)
      server.emit("connection", socket)
      socket.unshift(start)
      socket.resume()
    }
  }
}
