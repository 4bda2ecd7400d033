import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import * as Support from "./support.ts"

const service = { _: "decryptedMessageService", action: { _: "decryptedMessageActionNoop" } }

describe("what surrounds a call", () => {
  it.live("is there in its session too: each send stands under the span of its own request", () =>
    Effect.gen(function*() {
      const { layer, spans } = Support.tracing()
      yield* Effect.gen(function*() {
        const { ann, chatId, client } = yield* Support.world()
        for (let i = 0; i < 3; i++) {
          yield* client.call(`${ann}/messages.sendEncryptedService`, { peer: chatId, message: service })
        }
      }).pipe(Effect.scoped, Effect.provide(layer))
      const sends = spans.filter(({ name }) => name === "sendEncryptedService")
      const parents = sends.map(({ parent }) => Option.getOrThrow(parent) as Tracer.NativeSpan)
      assert.deepStrictEqual(parents.map(({ name }) => name), ["Gateway.request", "Gateway.request", "Gateway.request"])
      assert.strictEqual(new Set(parents.map(({ spanId }) => spanId)).size, 3)
      for (const parent of parents) {
        assert.strictEqual(parent.attributes.get("gateway.method"), "messages.sendEncryptedService")
      }
    }).pipe(Effect.scoped))
})
