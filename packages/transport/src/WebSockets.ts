/**
 * WebSockets in place of TCP, for browsers and for networks that let nothing else
 * through (core.telegram.org/mtproto/mtproto-transports). Uses the `WebSocket` of the
 * platform: browsers, workers, Node, Deno and Bun have one.
 *
 * ```ts
 * MtprotoTransport.layer(options).pipe(Layer.provide(WebSockets.layer()))
 * ```
 *
 * In a browser, where there is no TCP, Telegram's servers are reached this way without
 * the layer; servers of one's own need it, with `url: WebSockets.plainUrlOf`.
 *
 * The connection has to be obfuscated, as it is unless switched off.
 *
 * @since 1.0.0
 */
import * as Layer from "effect/Layer"
import { Dial } from "./Connection.ts"
import type { Datacenter } from "./Datacenter.ts"
import * as WebSocket from "./internal/webSocket.ts"

/**
 * Where Telegram takes WebSockets for a data centre: the address is a name, since
 * certificates have no others. Data centres that Telegram does not have are taken
 * by their address.
 *
 * @since 1.0.0
 * @category constructors
 */
export const urlOf = (datacenter: Datacenter, options?: { readonly testServers?: boolean | undefined }): string =>
  WebSocket.urlOf(datacenter, options?.testServers === true)

/**
 * The URL of a server by its address, without encryption around it: for servers of one's own.
 *
 * @since 1.0.0
 * @category constructors
 */
export const plainUrlOf: (datacenter: Datacenter) => string = WebSocket.plainUrlOf

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
  Layer.succeed(
    Dial,
    (datacenter, openTimeout) => WebSocket.make(options?.url?.(datacenter) ?? urlOf(datacenter, options), openTimeout)
  )
