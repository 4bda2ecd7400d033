/**
 * A gateway as seen from an Effect program: every endpoint of `GatewayApi` as a typed call, with its failures.
 *
 * ```ts
 * import * as GatewayClient from "@effect-mtproto/gateway/GatewayClient"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const gateway = yield* GatewayClient.GatewayClient
 *   const { result } = yield* gateway.messages.sendEncrypted({
 *     params: { token },
 *     headers: {},
 *     payload: { peer: -147286699, message: "hello" }
 *   })
 *   return result
 * }).pipe(Effect.provide(GatewayClient.layer({ baseUrl: "http://127.0.0.1:9503" })))
 * ```
 *
 * @since 1.0.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import { HttpApiClient } from "effect/http-api"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import { GatewayApi } from "./GatewayApi.ts"

/**
 * @category services
 * @since 1.0.0
 */
export class GatewayClient extends Context.Service<GatewayClient, HttpApiClient.ForApi<typeof GatewayApi>>()(
  "@effect-mtproto/gateway/GatewayClient"
) {}

/**
 * Where the gateway is.
 *
 * @category models
 * @since 1.0.0
 */
export interface Options {
  readonly baseUrl: string
  /** Repetitions, timeouts, headers for all calls. */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
}

/**
 * @category constructors
 * @since 1.0.0
 */
export const make = ({ baseUrl, transformClient }: Options): Effect.Effect<
  GatewayClient["Service"],
  never,
  HttpClient.HttpClient
> => HttpApiClient.make(GatewayApi, { baseUrl, transformClient })

/**
 * Over `fetch`.
 *
 * @category layers
 * @since 1.0.0
 */
export const layer = (options: Options): Layer.Layer<GatewayClient> =>
  Layer.provide(Layer.effect(GatewayClient, make(options)), FetchHttpClient.layer)
