/**
 * A TCP connection of a client that does nothing by itself: frames out, frames
 * in.
 */
import type { Event, Framing } from "@effect-mtproto/core/Framing"
import * as Connection from "@effect-mtproto/core/framing/Connection"
import { Intermediate } from "@effect-mtproto/core/framing/Intermediate"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Effect from "effect/Effect"
import { connect as connectSocket, type Socket } from "node:net"

/** What comes over a connection. */
export type WireEvent = Event | { readonly _tag: "Closed" }

export interface Wire {
  readonly socket: Socket
  readonly send: (payload: Uint8Array, options?: { readonly quickAck?: boolean }) => void
  /** Sends bytes without framing. */
  readonly sendRaw: (bytes: Uint8Array) => void
  /** The next event that nobody has taken; a connection that is closed goes on being closed. */
  readonly next: Effect.Effect<WireEvent>
  /** Hands every further event to a function. */
  readonly subscribe: (listener: (event: WireEvent) => void) => void
  readonly close: () => void
}

export interface WireOptions {
  readonly framing?: Framing
  readonly obfuscated?: boolean
  readonly dcId?: number
  /** Sends these bytes in place of the framing's own first ones. */
  readonly first?: Uint8Array
}

/** What has come and nobody has taken. */
export const arrivals = (): Pick<Wire, "next" | "subscribe"> & { readonly emit: (event: WireEvent) => void } => {
  const events: Array<WireEvent> = []
  let waiter: ((event: WireEvent) => void) | undefined
  let listener: ((event: WireEvent) => void) | undefined
  let isClosed = false
  return {
    emit: (event) => {
      isClosed ||= event._tag === "Closed"
      if (listener !== undefined) listener(event)
      else if (waiter !== undefined) {
        const take = waiter
        waiter = undefined
        take(event)
      } else events.push(event)
    },
    next: Effect.callback((take) => {
      const event = events.shift()
      if (event !== undefined) take(Effect.succeed(event))
      else if (isClosed) take(Effect.succeed<WireEvent>({ _tag: "Closed" }))
      else waiter = (later) => take(Effect.succeed(later))
    }),
    subscribe: (take) => {
      listener = take
      for (const event of events.splice(0)) take(event)
    }
  }
}

/** Opens a connection, which the scope closes. */
export const connect = (
  crypto: Crypto["Service"],
  address: { readonly host: string; readonly port: number },
  options: WireOptions = {}
) => Effect.acquireRelease(open(crypto, address, options), (wire) => Effect.sync(wire.close))

const open = (
  crypto: Crypto["Service"],
  address: { readonly host: string; readonly port: number },
  options: WireOptions
): Effect.Effect<Wire> =>
  Effect.callback((resume) => {
    const socket = connectSocket({ host: address.host, port: address.port, noDelay: true })
    const framing = Connection.client({
      framing: options.framing ?? Intermediate,
      randomBytes: (length) => length === 0 ? new Uint8Array(0) : crypto.randomBytes(length),
      ...(options.obfuscated === true ? { obfuscation: { aesCtr: crypto.aesCtr, dcId: options.dcId } } : {})
    })
    const { emit, next, subscribe } = arrivals()
    let isClosed = false
    const closed = (): void => {
      if (isClosed) return
      isClosed = true
      emit({ _tag: "Closed" })
    }
    socket.on("data", (chunk: Buffer) => {
      for (const event of framing.push(new Uint8Array(chunk))) emit(event)
    })
    socket.on("error", closed)
    socket.on("close", closed)
    socket.once("connect", () => {
      socket.write(options.first ?? framing.first)
      resume(Effect.succeed(wire))
    })
    const wire: Wire = {
      socket,
      send: (payload, sendOptions) => void socket.write(framing.packet(payload, sendOptions)),
      sendRaw: (bytes) => void socket.write(bytes),
      next,
      subscribe,
      close: () => void socket.destroy()
    }
  })
