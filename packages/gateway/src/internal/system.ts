/** What needs no token: health, readiness, metrics, the description of the API. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"

export const layer = (ready: Effect.Effect<boolean>) =>
  Layer.mergeAll(
    HttpRouter.add("GET", "/health", HttpServerResponse.jsonUnsafe({ ok: true, result: "alive" })),
    HttpRouter.add(
      "GET",
      "/ready",
      Effect.map(ready, (isReady) =>
        HttpServerResponse.jsonUnsafe(
          isReady
            ? { ok: true, result: "ready" }
            : { ok: false, error_code: 503, description: "The gateway is not ready" },
          { status: isReady ? 200 : 503 }
        ))
    ),
    HttpRouter.add(
      "GET",
      "/metrics",
      Effect.andThen(
        ready,
        Effect.map(PrometheusMetrics.format(), (text) =>
          HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" }))
      )
    )
  )
