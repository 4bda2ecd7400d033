/** What needs no token: health, readiness, metrics, the description of the API. */
import * as Effect from "effect/Effect"
import { HttpApi, HttpApiBuilder } from "effect/http-api"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { System } from "../GatewayApi.ts"
import * as OpenApi from "./openApi.ts"

class SystemApi extends HttpApi.make("gateway-system").add(System) {}

const notReady = {
  ok: false,
  error_code: 503,
  description: "The gateway is not ready",
  parameters: { type: "NOT_READY" }
} as const

export const layer = (ready: Effect.Effect<boolean>) => {
  const handlers = HttpApiBuilder.group(SystemApi, "system", (group) =>
    group
      .handle("health", () => Effect.succeed({ ok: true, result: "alive" } as const))
      .handle("ready", () =>
        Effect.flatMap(ready, (isReady) =>
          isReady ? Effect.succeed({ ok: true, result: "ready" } as const) : Effect.fail(notReady)))
      .handle("metrics", () =>
        Effect.andThen(ready, PrometheusMetrics.format())))
  return Layer.mergeAll(
    HttpApiBuilder.layer(SystemApi).pipe(Layer.provide(handlers), Layer.provide(HttpServer.layerServices)),
    HttpRouter.add("GET", "/openapi.json", Effect.sync(() => HttpServerResponse.jsonUnsafe(OpenApi.document()))),
    HttpRouter.add(
      "GET",
      "/docs",
      Effect.sync(() =>
        HttpServerResponse.html(OpenApi.html()).pipe(HttpServerResponse.setHeaders(OpenApi.pageHeaders))
      )
    )
  )
}
