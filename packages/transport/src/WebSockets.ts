/**
 * WebSockets in place of TCP, for browsers and for networks that let nothing else
 * through (core.telegram.org/mtproto/mtproto-transports). Uses the `WebSocket` of the
 * platform: browsers, workers, Node, Deno and Bun have one.
 *
 * ```ts
 * MtprotoTransport.layer(options).pipe(Layer.provide(WebSockets.layer()))
 * ```
 *
 * The connection has to be obfuscated, as it is unless switched off.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Socket from "effect/socket/Socket"
import { Dial } from "./Connection.ts"
import type { Datacenter } from "./Datacenter.ts"

/** More than this unread is more than a server has to say: such a connection ends. */
const HIGH_WATER_MARK = 64 * 1024 * 1024

const NAMES = ["pluto", "venus", "aurora", "vesta", "flora"]

/**
 * Where Telegram takes WebSockets for a data centre: the address is a name, since
 * certificates have no others. Data centres that Telegram does not have are taken
 * by their address.
 *
 * @since 1.0.0
 * @category constructors
 */
export const urlOf = (datacenter: Datacenter, options?: { readonly testServers?: boolean | undefined }): string => {
  const name = NAMES[datacenter.id - 1]
  const path = options?.testServers === true ? "apiws_test" : "apiws"
  return name === undefined ? plainUrlOf(datacenter) : `wss://${name}.web.telegram.org/${path}`
}

/**
 * The URL of a server by its address, without encryption around it: for servers of one's own.
 *
 * @since 1.0.0
 * @category constructors
 */
export const plainUrlOf = ({ host, port }: Datacenter): string =>
  `ws://${host.includes(":") ? `[${host}]` : host}:${port}/apiws`

/**
 * Makes connections WebSockets.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer = (options?: {
  /** The URL for a data centre. Default: Telegram's, see `urlOf`. */
  readonly url?: ((datacenter: Datacenter) => string) | undefined
  readonly testServers?: boolean | undefined
}): Layer.Layer<never> =>
  Layer.succeed(Dial, (datacenter, openTimeout) =>
    Effect.provideService(
      Socket.makeWebSocket(options?.url?.(datacenter) ?? urlOf(datacenter, options), {
        protocols: ["binary"],
        openTimeout,
        highWaterMark: HIGH_WATER_MARK
      }),
      Socket.WebSocketConstructor,
      (url, protocols) => new globalThis.WebSocket(url, protocols as Array<string>)
    ))
