import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Datacenter from "../src/Datacenter.ts"
import * as MtprotoTransport from "../src/MtprotoTransport.ts"
import * as SessionStore from "../src/SessionStore.ts"

const build = (layer: typeof fromEnvironment, environment: Record<string, string>) =>
  Effect.provide(MtprotoTransport.MtprotoTransport, layer).pipe(
    Effect.provide([NodeCrypto.layer, SessionStore.layerMemory]),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment)))
  )

const fromEnvironment = MtprotoTransport.layerConfig(MtprotoTransport.config)

describe("MtprotoTransport.layerConfig", () => {
  it.effect("reads the environment", () =>
    Effect.gen(function*() {
      const client = yield* build(fromEnvironment, {
        TELEGRAM_API_ID: "4711",
        TELEGRAM_API_HASH: "secret",
        TELEGRAM_TEST_SERVERS: "true"
      })
      assert.strictEqual(client.apiId, 4711)
      assert.strictEqual(Redacted.value(client.apiHash), "secret")
      assert.notInclude(String(client.apiHash), "secret")
      assert.deepStrictEqual(yield* client.account, { dc: 2 })
    }))

  it.effect("says what is missing", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(build(fromEnvironment, { TELEGRAM_API_ID: "4711" }))
      assert.strictEqual(error._tag, "ConfigError")
    }))
})

const layer = (options: Partial<MtprotoTransport.Options>) =>
  MtprotoTransport.layer({ apiId: 1, apiHash: Redacted.make("x"), ...options })

const dc = (
  options: Partial<MtprotoTransport.Options>,
  store: Layer.Layer<SessionStore.SessionStore, SessionStore.SessionStoreError> = SessionStore.layerMemory
) =>
  MtprotoTransport.MtprotoTransport.use((client) => client.account).pipe(
    Effect.provide(layer(options).pipe(Layer.provide(Layer.merge(NodeCrypto.layer, store)))),
    Effect.map((account) => account.dc)
  )

describe("MtprotoTransport.layer", () => {
  it.effect("begins where the store says, or where it is told, or at the first data centre", () =>
    Effect.gen(function*() {
      const stored = Layer.effectDiscard(
        SessionStore.SessionStore.use((store) => store.setAccount({ dc: 5, userId: 1n }))
      )
        .pipe(Layer.provideMerge(SessionStore.layerMemory))
      assert.strictEqual(yield* dc({}), Datacenter.first)
      assert.strictEqual(yield* dc({ dc: 4 }), 4)
      assert.strictEqual(yield* dc({ dc: 4 }, stored), 5)
      assert.strictEqual(yield* dc({ datacenters: [{ id: 9, host: "127.0.0.1", port: 1 }] }), 9)
    }))

  it.effect("a data centre without an address is a mistake in the configuration", () =>
    Effect.gen(function*() {
      for (const options of [{ dc: 9 }, { datacenters: [] }]) {
        const error = yield* Effect.flip(
          MtprotoTransport.MtprotoTransport.pipe(
            Effect.provide(layer(options)),
            Effect.provide([NodeCrypto.layer, SessionStore.layerMemory])
          )
        )
        assert.deepInclude(error, { _tag: "TransportError", reason: "configuration" })
      }
    }))
})
