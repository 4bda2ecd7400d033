import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import * as Support from "./support.ts"

/** Every attribute and event of a span, as text. */
const textOf = (span: Tracer.NativeSpan): string =>
  [span.name, ...span.attributes.entries(), ...span.events].flat(3).map((one) =>
    typeof one === "object" && one !== null ? JSON.stringify(one) : String(one)
  ).join(" ")

describe("the span of a request", () => {
  it.live("tells the route, the status and the session, and neither token nor content", () =>
    Effect.gen(function*() {
      const { layer, spans } = Support.tracing()
      const secret = "what nobody may read"
      const { ann, chatId } = yield* Effect.gen(function*() {
        const { ann, chatId, client } = yield* Support.world()
        yield* client.call(`${ann}/messages.sendEncrypted`, { peer: chatId, message: secret })
        yield* client.post(`${ann}/sendEncrypted`, { peer: 12345, message: secret })
        yield* client.post(`${ann}/${encodeURIComponent(secret)}`)
        yield* client.post(`/user5:${"a".repeat(43)}/getMe?message=${encodeURIComponent(secret)}`)
        yield* client.fetch(`/api/${ann.slice("/user".length)}/getPolicy`)
        yield* client.fetch("/nowhere")
        return { ann, chatId }
      }).pipe(Effect.scoped, Effect.provide(layer))

      const requests = spans.filter(({ name }) => name === "Gateway.request").map(({ attributes }) =>
        Object.fromEntries(attributes)
      )
      const sent = requests.find((one) => one["gateway.method"] === "messages.sendEncrypted")!
      const session = sent["gateway.session"]
      assert.isString(session)
      assert.deepStrictEqual(sent, {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/user{token}/{method}",
        "gateway.session": session,
        "gateway.method": "messages.sendEncrypted"
      })
      const refused = requests.find((one) => one["gateway.method"] === "sendEncrypted")!
      assert.deepStrictEqual([refused["http.response.status_code"], refused["gateway.session"]], [404, session])
      const alias = requests.find((one) => one["http.route"] === "/api/{session}/{method}")!
      assert.deepStrictEqual([alias["gateway.method"], alias["gateway.session"]], ["getPolicy", session])
      const stranger = requests.find((one) => one["http.response.status_code"] === 401)!
      assert.notProperty(stranger, "gateway.session")
      assert.isTrue(requests.some((one) => one["http.route"] === undefined && one["http.response.status_code"] === 404))
      const token = ann.slice("/user".length)
      for (const span of spans) {
        const text = textOf(span)
        for (const one of [token, token.split(":")[1]!, secret, encodeURIComponent(secret), "15550001"]) {
          assert.isFalse(text.includes(one), `${span.name}: ${text}`)
        }
      }
      assert.isNumber(chatId)
    }).pipe(Effect.scoped))
})
