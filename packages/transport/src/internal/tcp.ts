/**
 * TCP sockets of Node, made for large transfers: the system reads into one buffer that stays, and a large write ends only
 * when the system has all of it, so that whoever wrote it may give its memory back.
 *
 * Nothing is read ahead of who pulls but what one read of the system brought.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type * as Net from "node:net"
import { builtin } from "./builtin.ts"

const net = builtin<typeof Net>("node:net")

/** Whether there is TCP here. In a browser there is not. */
export const isAvailable = net !== undefined

/** What one read brings at most. */
const READ = 131_072
/** A smaller write may still be on its way when it is over. */
const LARGE = 16_384

const sockets = new WeakSet<Socket.Socket>()

/**
 * Whether a socket is one of these: then chunks belong to who has pulled them, and arrays that were written are not read
 * any more once writing them has ended.
 */
export const owns = (socket: Socket.Socket): boolean => sockets.has(socket)

type Chunks = readonly [Uint8Array, ...Array<Uint8Array>]
type Resume<A> = (effect: Effect.Effect<A, Socket.SocketError>) => void

const closed = (code: number) => new Socket.SocketError({ reason: new Socket.SocketCloseError({ code }) })
const unreadable = (cause: unknown) => new Socket.SocketError({ reason: new Socket.SocketReadError({ cause }) })
const unwritable = (cause: unknown) => new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause }) })
const unopened = (kind: "Timeout" | "Unknown", cause: unknown) =>
  new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind, cause }) })

/** Only where it is available. */
export const make = (options: {
  readonly host: string
  readonly port: number
  readonly openTimeout: Duration.Input
}): Socket.Socket => {
  let conn: Net.Socket | undefined

  const reader: Effect.Effect<Socket.Reader, Socket.SocketError, Scope.Scope> = Effect.gen(function*() {
    let pending: Chunks | undefined
    let waiter: Resume<Chunks> | undefined
    let ended: Socket.SocketError | undefined
    let paused = false

    const take = (size: number, buffer: Uint8Array): boolean => {
      pending = [buffer.slice(0, size)]
      hand()
      // a reader that has come back at once is waiting already
      paused = waiter === undefined
      return !paused
    }
    const hand = (): void => {
      if (waiter === undefined || pending === undefined && ended === undefined) return
      const resume = waiter
      const chunks = pending
      waiter = pending = undefined
      resume(chunks === undefined ? Effect.fail(ended!) : Effect.succeed(chunks))
    }
    const end = (error: Socket.SocketError): void => {
      ended ??= error
      hand()
    }

    const { host, openTimeout, port } = options
    let isOpen = false
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() =>
        net!.createConnection({
          host,
          port,
          noDelay: true,
          onread: { buffer: new Uint8Array(READ), callback: take }
        })
      ),
      (socket) =>
        Effect.sync(() => {
          conn = undefined
          end(closed(1006))
          if (isOpen) socket.destroySoon()
          else socket.destroy()
        })
    )
    yield* Effect.callback<void, Socket.SocketError>((resume) => {
      socket.once("connect", () => {
        isOpen = true
        resume(Effect.void)
      })
      socket.on("error", (cause) => {
        end(unreadable(cause))
        resume(Effect.fail(unopened("Unknown", cause)))
      })
    }).pipe(Effect.timeoutOrElse({
      duration: openTimeout,
      orElse: () => Effect.fail(unopened("Timeout", new Error("Connection timed out")))
    }))
    socket.on("end", () => end(closed(1000)))
    socket.on("close", (hadError) => end(closed(hadError ? 1006 : 1000)))
    conn = socket

    const pull = Effect.callback<Chunks, Socket.SocketError>((resume) => {
      waiter = resume
      hand()
      if (waiter !== resume) return
      if (paused) {
        paused = false
        socket.resume()
      }
      return Effect.sync(() => {
        if (waiter === resume) waiter = undefined
      })
    })
    const upgrade = () =>
      Effect.fail(
        new Socket.SocketError({
          reason: new Socket.SocketUpgradeError({ cause: new Error("this socket does not speak TLS") })
        })
      )
    return { pull, upgrade }
  })

  const writeAll = (chunks: ReadonlyArray<Uint8Array | string>): Effect.Effect<void, Socket.SocketError> =>
    Effect.callback<void, Socket.SocketError>((resume) => {
      const socket = conn
      if (socket === undefined) return resume(Effect.fail(unwritable(new Error("the socket is not open"))))
      let size = 0
      for (const chunk of chunks) size += chunk.length
      const isLarge = size >= LARGE
      if (chunks.length === 1 && !isLarge) {
        socket.write(chunks[0]!)
        return resume(Effect.void)
      }
      socket.cork()
      const last = chunks.length - 1
      chunks.forEach((chunk, i) =>
        socket.write(
          chunk,
          i < last || !isLarge
            ? undefined
            : (error) => resume(error ? Effect.fail(unwritable(error)) : Effect.void)
        )
      )
      socket.uncork()
      if (!isLarge) resume(Effect.void)
    })

  const write: Socket.Writer["write"] = (chunk) =>
    Socket.isCloseEvent(chunk) ? Effect.sync(() => void conn?.destroy()) : writeAll([chunk])

  const socket = Socket.make({ reader, writer: Effect.succeed({ write, writeAll }) })
  sockets.add(socket)
  return socket
}
