import * as GatewayClient from "@effect-mtproto/gateway/GatewayClient"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { answerProblems } from "./jsonSchema.ts"
import { makeRandom } from "./random.ts"
import * as Support from "./support.ts"

interface Json {
  readonly [key: string]: any
}

const hostile: ReadonlyArray<unknown> = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 53,
  "",
  " ",
  "x",
  "-0",
  "1e5",
  "99999999999999999999",
  "\u0000",
  "\ud800",
  "{",
  "[1,2",
  "{\"a\":1,\"a\":2}",
  "'; DROP TABLE gateway_session; --",
  "../../etc/passwd",
  "<script>alert(1)</script>",
  "y".repeat(2_000),
  [],
  [[]],
  [null],
  {},
  { _: "nope" },
  { _: "inputEncryptedChat" },
  { _: "decryptedMessage" },
  { __proto__: null, constructor: 1 },
  { _: "updateNewEncryptedMessage", message: { _: "encryptedMessage", chat_id: 5 } },
  { _: "bytes", bytes: "!!" }
]

const valueOf = (spec: Json, schema: Json, random: ReturnType<typeof makeRandom>, depth = 0): unknown => {
  if (random.next() < 0.3 || depth > 4) return random.pick(hostile)
  if (typeof schema["$ref"] === "string") {
    return valueOf(spec, spec["components"].schemas[schema["$ref"].split("/").at(-1)!], random, depth + 1)
  }
  const choices = schema["anyOf"] ?? schema["oneOf"]
  if (Array.isArray(choices)) return valueOf(spec, random.pick(choices), random, depth + 1)
  if (Array.isArray(schema["enum"])) return random.pick(schema["enum"])
  switch (schema["type"]) {
    case "integer":
    case "number":
      return random.below(1_000) - 500
    case "boolean":
      return random.next() < 0.5
    case "string":
      return random.pick(["a", "5", "help.getConfig", "hello"])
    case "array":
      return Array.from({ length: random.below(4) }, () => valueOf(spec, schema["items"] ?? {}, random, depth + 1))
    case "object":
      return Object.fromEntries(
        Object.entries((schema["properties"] ?? {}) as Json).map(([key, inner]) => [
          key,
          valueOf(spec, inner, random, depth + 1)
        ])
      )
    default:
      return random.pick(hostile)
  }
}

const refsOf = (value: unknown): ReadonlyArray<string> => {
  if (Array.isArray(value)) return value.flatMap(refsOf)
  if (typeof value !== "object" || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => key === "$ref" ? [inner as string] : refsOf(inner))
}

layer(Support.World.layer({ limits: { requestTime: "30 seconds" } }), {
  excludeTestServices: true,
  timeout: "60 seconds"
})(
  "the description",
  (it) => {
    it.effect("is an OpenAPI document that holds together", () =>
      Effect.gen(function*() {
        const { client } = yield* Support.World
        const { body: spec, headers, status } = yield* client.fetch("/openapi.json")
        assert.strictEqual(status, 200)
        assert.include(headers.get("content-type"), "application/json")
        assert.match(spec.openapi, /^3\.1\./)
        assert.isString(spec.info.title)
        assert.isString(spec.info.version)
        for (const ref of refsOf(spec)) {
          const name = /^#\/components\/schemas\/(.+)$/.exec(ref)?.[1]
          assert.isTrue(name !== undefined && name in spec.components.schemas, ref)
        }
        const ids: Array<string> = []
        for (const [path, item] of Object.entries(spec.paths as Json)) {
          assert.match(path, /^\//)
          const names = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name)
          for (const [method, operation] of Object.entries(item as Json)) {
            assert.include(["get", "post"], method)
            ids.push(operation.operationId)
            assert.isAbove(Object.keys(operation.responses).length, 0)
            const declared = (operation.parameters ?? []).filter((one: Json) => one["in"] === "path")
            assert.sameMembers(declared.map((one: Json) => one["name"]), names, path)
            for (const one of declared) assert.strictEqual(one.required, true)
          }
        }
        assert.strictEqual(new Set(ids).size, ids.length)
        assert.isAbove(ids.length, 60)
        for (
          const path of [
            "/user{token}/messages.sendEncryptedService",
            "/user{token}/getUpdates",
            "/bot{token}/madeline"
          ]
        ) {
          assert.property(spec.paths, path)
        }
      }))

    it.effect("can be read, without anything from elsewhere", () =>
      Effect.gen(function*() {
        const { client } = yield* Support.World
        const { body, headers, status } = yield* client.fetch("/docs")
        assert.strictEqual(status, 200)
        assert.include(headers.get("content-type"), "text/html")
        assert.include(headers.get("content-security-policy"), "default-src 'none'")
        // examples are text
        assert.notMatch(body.replace(/<pre>.*?<\/pre>/gs, ""), /<script|src=|@import|url\(|https?:\/\//)
        assert.include(body, "messages.sendEncryptedService")
      }))

    it.effect("is a typed client", () =>
      Effect.gen(function*() {
        const { ann, bob, chatId, client } = yield* Support.World
        const token = ann.slice("/user".length)
        yield* Effect.gen(function*() {
          const gateway = yield* GatewayClient.GatewayClient
          assert.deepStrictEqual(yield* gateway.health(), { ok: true, result: "alive" })
          const { result } = yield* gateway.messages.sendEncrypted({
            params: { token },
            headers: {},
            payload: { peer: chatId, message: "from a typed client" }
          })
          assert.isTrue(!("length" in result) && typeof result.random_id === "bigint")
          const { result: chat } = yield* gateway.chats.get({ params: { token }, payload: { peer: chatId } })
          assert.strictEqual(chat.state, "ready")
          const { result: history } = yield* gateway.messages.history({ params: { token }, payload: { peer: chatId } })
          assert.isAbove(history.length, 0)
          const failure = yield* Effect.flip(gateway.chats.get({ params: { token }, payload: { peer: 5 } }))
          assert.strictEqual("error_code" in failure && failure.error_code, 404)
          assert.match(yield* gateway.metrics(), /gateway_requests_total/)
        }).pipe(Effect.provide(GatewayClient.layer({ baseUrl: client.base })))
        yield* Support.hear(
          client,
          bob,
          (update) => update.message?.decrypted_message?.message === "from a typed client"
        )
      }))

    it.effect("says which answers are possible: every route, with what may and what may not be", () =>
      Effect.gen(function*() {
        const { client, telegram } = yield* Support.World
        yield* telegram.createAccount({ phone: "+15550008", firstName: "Fay" })
        const fay = (yield* Support.logIn(telegram, client, "+15550008")).slice("/user".length)
        const { body: spec } = yield* client.fetch("/openapi.json")
        const random = makeRandom(20_260_101)
        const before = yield* telegram.callCount("messages.sendEncryptedService")
        for (const [template, item] of Object.entries(spec.paths as Json)) {
          // what ends the session, or waits for ever, is tested by hand
          if (/logOut|events|websocket|setWebhook/.test(template)) continue
          for (const [method, operation] of Object.entries(item as Json)) {
            for (let round = 0; round < 6; round++) {
              const token = random.next() < 0.8 ? fay : random.pick(["x", "", `5:${"a".repeat(43)}`])
              const path = template.replace("{token}", token).replace(
                "{method}",
                random.pick(["help.getConfig", "users.getUsers", "messages.nope", "messages.getMessages", "x"])
              )
              const content = operation.requestBody?.content?.["application/json"]?.schema
              const params = content === undefined ? {} : valueOf(spec, content, random)
              const query = new URLSearchParams()
              for (const one of operation.parameters ?? []) {
                if (one.in !== "query" || random.next() < 0.2) continue
                const value = valueOf(spec, one.schema, random)
                query.set(one.name, typeof value === "string" ? value : JSON.stringify(value))
              }
              // no longer than a test may wait
              if (/getUpdates/.test(path)) query.delete("timeout")
              if (typeof params === "object" && params !== null && "timeout" in params) delete (params as any).timeout
              const answer = yield* client.fetch(`${path}${query.size === 0 ? "" : `?${query}`}`, {
                method: method.toUpperCase(),
                ...method === "get"
                  ? {}
                  : { headers: { "content-type": "application/json" }, body: JSON.stringify(params) }
              })
              const what = `${method} ${template} ${JSON.stringify(params)} ${query} -> ${answer.status} ${
                JSON.stringify(answer.body).slice(0, 300)
              }`
              assert.deepStrictEqual(answerProblems(spec, operation, answer), [], what)
              if (answer.status >= 400) {
                assert.strictEqual(answer.body.ok, false, what)
                assert.strictEqual(answer.body.error_code, answer.status, what)
                assert.notStrictEqual(answer.body.parameters.type, "INTERNAL", what)
              }
            }
          }
        }
        assert.strictEqual(yield* telegram.callCount("messages.sendEncryptedService"), before)
        assert.strictEqual((yield* client.fetch("/ready")).status, 200)
      }))
  }
)
