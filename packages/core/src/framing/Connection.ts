/**
 * A whole connection, still without a socket: framing and obfuscation for the client, and the same with detection for
 * the server. What comes out of `push` are the events of `Framing`; what goes into the socket are the bytes that the
 * other functions return, in the order of the calls.
 *
 * @since 1.0.0
 */
import type { Encoder, Event, Framing } from "../Framing.ts"
import { FramingError } from "../Framing.ts"
import { release } from "../Memory.ts"
import { detect } from "./Detect.ts"
import type { AesCtr, Proxy } from "./Obfuscation.ts"
import * as Obfuscation from "./Obfuscation.ts"

/**
 * The client's side.
 *
 * @category models
 * @since 1.0.0
 */
export interface Client extends Encoder {
  /** What has to be sent before anything else. */
  readonly first: Uint8Array
  readonly push: (chunk: Uint8Array) => ReadonlyArray<Event>
}

/**
 * The server's side.
 *
 * @category models
 * @since 1.0.0
 */
export interface Server {
  readonly push: (chunk: Uint8Array) => ReadonlyArray<Event>
  /** Undefined until the client has said which framing it speaks: before that nothing can be sent. */
  readonly encoder: () => Encoder | undefined
  /** What is known about the client; undefined until it has said it. */
  readonly info: () => Info | undefined
}

/**
 * @category models
 * @since 1.0.0
 */
export interface Info {
  readonly framing: Framing["name"]
  readonly obfuscated: boolean
  /** The data centre that an obfuscation header names; what it says there may be random. */
  readonly dcId: number | undefined
}

/**
 * Opens the client's side.
 *
 * @throws FramingError if the framing cannot be obfuscated
 * @category constructors
 * @since 1.0.0
 */
export const client = (options: {
  readonly framing: Framing
  readonly randomBytes: (length: number) => Uint8Array
  readonly maxLength?: number | undefined
  /** Absent: the framing stands bare in the stream. */
  readonly obfuscation?: {
    readonly aesCtr: AesCtr
    readonly dcId?: number | undefined
    readonly proxy?: Proxy | undefined
  } | undefined
}): Client => {
  const { framing, maxLength, obfuscation, randomBytes } = options
  const encoder = framing.encoder({ randomBytes })
  const decoder = framing.decoder({ side: "client", maxLength })
  if (obfuscation === undefined) return { ...encoder, ...decoder, first: framing.tag }
  const streams = Obfuscation.client({ ...obfuscation, framing, random: Obfuscation.draw(randomBytes) })
  return {
    ...encrypted(encoder, streams),
    first: streams.header,
    push: (chunk) => {
      const plain = streams.decrypt(chunk)
      const events = decoder.push(plain)
      // what is left over is copied, but payloads are views
      const isShared = plain.buffer === chunk.buffer ||
        events.some((event) => event._tag === "Packet" && event.payload.buffer === plain.buffer)
      if (!isShared) release(plain)
      return events
    }
  }
}

/**
 * Opens the server's side. HTTP and TLS are not spoken here: they end in a `Failed` event.
 *
 * @category constructors
 * @since 1.0.0
 */
export const server = (options: {
  readonly aesCtr: AesCtr
  readonly randomBytes: (length: number) => Uint8Array
  readonly maxLength?: number | undefined
  readonly proxy?: Proxy | undefined
}): Server => {
  const { aesCtr, maxLength, proxy, randomBytes } = options
  let start = new Uint8Array(0)
  let encoder: Encoder | undefined
  let info: Info | undefined
  let push: ((chunk: Uint8Array) => ReadonlyArray<Event>) | undefined

  const open = (framing: Framing, streams: Obfuscation.Streams | undefined, dcId: number | undefined) => {
    const decoder = framing.decoder({ side: "server", maxLength })
    const plain = framing.encoder({ randomBytes })
    encoder = streams === undefined ? plain : encrypted(plain, streams)
    info = { framing: framing.name, obfuscated: streams !== undefined, dcId }
    return streams === undefined ? decoder.push : (chunk: Uint8Array) => decoder.push(streams.decrypt(chunk))
  }
  const refuse = (error: FramingError) => {
    const failed: ReadonlyArray<Event> = [{ _tag: "Failed", error }]
    return () => failed
  }
  const begin = (chunk: Uint8Array): ReadonlyArray<Event> => {
    const bytes = new Uint8Array(start.length + chunk.length)
    bytes.set(start)
    bytes.set(chunk, start.length)
    const detected = detect(bytes)
    switch (detected._tag) {
      case "Incomplete":
        start = bytes
        return []
      case "Plain":
        push = open(detected.framing, undefined, undefined)
        return push(bytes.subarray(detected.skip))
      case "Obfuscated":
        try {
          const header = bytes.slice(0, Obfuscation.headerLength)
          const { dcId, framing, ...streams } = Obfuscation.server({ aesCtr, header, proxy })
          push = open(framing, streams, dcId)
        } catch (e) {
          if (!(e instanceof FramingError)) throw e
          push = refuse(e)
        }
        return push(bytes.subarray(Obfuscation.headerLength))
      case "Http":
      case "Tls":
        push = refuse(new FramingError({ reason: "BadHeader", detail: `${detected._tag} instead of MTProto` }))
        return push(bytes)
    }
  }
  return { push: (chunk) => (push ?? begin)(chunk), encoder: () => encoder, info: () => info }
}

const encrypted = (encoder: Encoder, { encrypt }: Obfuscation.Streams): Encoder => ({
  packet: (payload, options) => {
    const frame = encoder.packet(payload, options)
    const encrypted = encrypt(frame)
    if (encrypted.buffer !== frame.buffer) release(frame)
    return encrypted
  },
  quickAck: (token) => encrypt(encoder.quickAck(token)),
  transportError: (code) => encrypt(encoder.transportError(code))
})
